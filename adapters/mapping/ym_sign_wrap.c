/* SPDX-License-Identifier: Apache-2.0
 * Envelopes: the rotating secret of the national exchange (domain.md §3.3) and the SM2/SM4 wrapper
 * (§3.13).
 */
#include "ym_sign_int.h"
#include "ym_gm.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#define WRAP_MAX 4096 /* a rotating secret is a few dozen bytes */

/* What Java's SHA1PRNG-seeded KeyGenerator yields: the first 16 bytes of SHA1(SHA1(secret)). */
static ym_status wrap_key(const char *secret, unsigned char out[16])
{
    unsigned char one[SHA_DIGEST_LENGTH], two[SHA_DIGEST_LENGTH];
    size_t n = 0;
    bool ok = EVP_Q_digest(NULL, "SHA1", NULL, secret, strlen(secret), one, &n) == 1 &&
              EVP_Q_digest(NULL, "SHA1", NULL, one, sizeof(one), two, &n) == 1;

    memcpy(out, two, 16);
    ym_wipe(one, sizeof(one));
    ym_wipe(two, sizeof(two));
    return ok ? YM_OK : YM_EIO;
}

static bool aes_decrypt(const unsigned char key[16], const char *iv, struct ym_str in,
                        unsigned char *out, int *ret_n)
{
    int n = 0, last = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = iv != NULL ? EVP_aes_128_cbc() : EVP_aes_128_ecb();
    bool ok = ctx != NULL &&
              EVP_DecryptInit_ex(ctx, cipher, NULL, key, (const unsigned char *)iv) == 1 &&
              EVP_DecryptUpdate(ctx, out, &n, (const unsigned char *)in.p, (int)in.n) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;

    EVP_CIPHER_CTX_free(ctx);
    *ret_n = n + last;
    return ok;
}

ym_status ym_sign_unwrap(const char *long_term_secret, struct ym_str base64, const char *iv,
                         struct ym_buf *out, struct ym_err *err)
{
    unsigned char key[16], plain[WRAP_MAX + 32];
    int n = 0;
    ym_status rc;
    struct ym_buf raw;

    if (iv != NULL && strlen(iv) != 16) {
        return ym_err_set(err, YM_EINVAL, "the IV must be 16 ASCII characters");
    }
    ym_buf_init(&raw, WRAP_MAX);
    rc = ym_base64_decode(base64, &raw);
    if (rc != YM_OK || raw.n == 0 || raw.n > WRAP_MAX) {
        rc = ym_err_set(err, YM_EAUTH, "the wrapped secret is no Base64");
        goto done;
    }
    rc = wrap_key(long_term_secret, key);
    if (rc != YM_OK || !aes_decrypt(key, iv, ym_buf_str(&raw), plain, &n)) {
        rc = ym_err_set(err, YM_EAUTH,
                        "the wrapped secret does not fit the long-term secret or its mode");
        goto done;
    }
    rc = ym_buf_add(out, plain, (size_t)n);
done:
    ym_buf_wipe(&raw);
    ym_wipe(key, sizeof(key));
    ym_wipe(plain, sizeof(plain));
    return rc;
}

/* Exactly 16 bytes of hex. */
static bool hex16(const char *hex, unsigned char out[16])
{
    return strlen(hex) == 32 && ym_unhex(ym_str_of(hex), out);
}

static ym_status sm_encrypt(struct ym_signing *s, const char *key_hex, char **ret)
{
    unsigned char key[16], iv[16];
    const char *iv_hex = ym_sign_param(s, "sm4_iv");
    struct ym_buf cipher;
    ym_status rc;

    if (!hex16(key_hex, key) || (iv_hex != NULL && !hex16(iv_hex, iv))) {
        return ym_err_set(s->err, YM_EINVAL, "sm4_key and sm4_iv must be 32 hex digits each");
    }
    ym_buf_init(&cipher, YM_SIGN_TEXT);
    rc = ym_sm4(true, key, iv_hex != NULL ? iv : NULL, true, s->in->body, &cipher, s->err);
    ym_wipe(key, sizeof(key));
    if (rc == YM_OK) {
        *ret = ym_arena_alloc(s->a, 2 * cipher.n + 1);
        rc = *ret != NULL ? YM_OK : ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    if (rc == YM_OK) {
        ym_hex((const unsigned char *)cipher.p, cipher.n, true, *ret);
    }
    ym_buf_clear(&cipher);
    return rc;
}

static ym_status sm_signature(struct ym_signing *s, const char *key, struct ym_str text, char **ret)
{
    const char *form = ym_sign_param(s, "signature");
    bool der = form != NULL && strcmp(form, "der") == 0;
    struct ym_buf raw, text64;
    ym_status rc;

    ym_buf_init(&raw, 256);
    ym_buf_init(&text64, 512);
    rc = ym_sm2_sign(key, ym_sign_param(s, "distid"), text, der, &raw, s->err);
    if (rc == YM_OK) {
        rc = ym_base64_add(&text64, ym_buf_str(&raw));
    }
    if (rc == YM_OK) {
        *ret = ym_arena_str(s->a, ym_buf_str(&text64));
        rc = *ret != NULL ? YM_OK : ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    ym_buf_clear(&raw);
    ym_buf_clear(&text64);
    return rc;
}

/* The body becomes encData; the signature covers the plain body, or with `signed: cipher` encData. */
ym_status ym_sign_sm_envelope(struct ym_signing *s)
{
    const char *app = NULL, *sm4_key = NULL, *sm2_key = NULL;
    const char *version = ym_sign_param(s, "version");
    const char *what = ym_sign_param(s, "signed");
    char *cipher = NULL, *sign = NULL, *time = NULL;
    struct ym_str text = s->in->body;
    ym_status rc;

    if ((rc = ym_sign_need(s, "appCode", &app)) != YM_OK ||
        (rc = ym_sign_need(s, "sm4_key", &sm4_key)) != YM_OK ||
        (rc = ym_sign_need(s, "sm2_key", &sm2_key)) != YM_OK ||
        (rc = sm_encrypt(s, sm4_key, &cipher)) != YM_OK ||
        (rc = ym_sign_now(s, true, &time)) != YM_OK) {
        return rc;
    }
    if (what != NULL && strcmp(what, "cipher") == 0) {
        text = ym_str_of(cipher);
    }
    if ((rc = sm_signature(s, sm2_key, text, &sign)) != YM_OK ||
        (rc = ym_sign_emit(s, "encData", cipher)) != YM_OK ||
        (rc = ym_sign_emit(s, "appCode", app)) != YM_OK ||
        (rc = ym_sign_emit(s, "version", version != NULL ? version : "1.0.0")) != YM_OK ||
        (rc = ym_sign_emit(s, "encType", "SM4")) != YM_OK ||
        (rc = ym_sign_emit(s, "signType", "SM2")) != YM_OK ||
        (rc = ym_sign_emit(s, "timestamp", time)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "signData", sign);
}
