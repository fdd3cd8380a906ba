/* SPDX-License-Identifier: Apache-2.0
 * AES-256-GCM (or SM4-GCM) under a ring of keys, and HMAC-SHA256 for what must be found again.
 *
 * Sealed: 'Y' 1 <length of the key id> <key id> <nonce, 12> <ciphertext> <tag, 16>. The head and the
 * context are authenticated with the text. Nonces are random: 2^32 texts under one key leave the
 * chance of a repeated one below 2^-32 (SP 800-38D §8.3), so a busy site rotates within that.
 */
#include "ym_seal.h"
#include "ym_arena.h"
#include "ym_codec.h"
#include "ym_json.h"
#include "ym_secret.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define RING_BYTES (64u << 10)
#define NONCE 12
#define TAG 16
#define MAGIC 'Y'
#define VERSION 1
#define MAC_KEY_MIN 32
#define MAC_KEY_MAX 128
#define SEALED_TEXT_MAX (64u << 20)
#define CONTEXT_MAX 512

struct key {
    char kid[YM_SEAL_KID_MAX + 1];
    unsigned char secret[32]; /* 32 bytes of AES-256, 16 of SM4 */
    EVP_CIPHER *cipher;
};

struct ym_ring {
    size_t count; /* of sealing keys; the first seals */
    EVP_MAC *mac;
    size_t mac_key_len;
    unsigned char mac_key[MAC_KEY_MAX];
    struct key keys[YM_RING_KEYS];
};

/* ---- loading ---- */

static bool kid_ok(struct ym_str kid)
{
    if (kid.n == 0 || kid.n > YM_SEAL_KID_MAX) {
        return false;
    }
    for (size_t i = 0; i < kid.n; i++) {
        char c = kid.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

static const struct key *find(const struct ym_ring *ring, struct ym_str kid)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ym_str_is(kid, ring->keys[i].kid)) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

static ym_status add_mac(struct ym_ring *ring, struct ym_str secret, struct ym_err *err)
{
    if (ring->mac_key_len != 0) {
        return ym_err_set(err, YM_EINVAL, "the key ring has two keys with alg HS256; keep one");
    }
    if (secret.n < MAC_KEY_MIN || secret.n > MAC_KEY_MAX) {
        return ym_err_set(err, YM_EINVAL, "the HS256 key of the ring must have 32 to 128 bytes");
    }
    memcpy(ring->mac_key, secret.p, secret.n);
    ring->mac_key_len = secret.n;
    return YM_OK;
}

static ym_status add_cipher(struct ym_ring *ring, const char *name, struct ym_str kid,
                            struct ym_str secret, struct ym_err *err)
{
    struct key *key = &ring->keys[ring->count];

    if (ring->count == YM_RING_KEYS) {
        return ym_err_set(err, YM_ETOOBIG, "the key ring has more than %d keys", YM_RING_KEYS);
    }
    if (!kid_ok(kid) || find(ring, kid) != NULL) {
        return ym_err_set(err, YM_EINVAL,
                          "a key of the ring needs a kid of its own: up to %d letters, digits, - "
                          "and _",
                          YM_SEAL_KID_MAX);
    }
    key->cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    if (key->cipher == NULL) {
        ERR_clear_error();
        return ym_err_set(err, YM_EUNSUPPORTED, "this OpenSSL has no %s", name);
    }
    ring->count++; /* closed with the ring from here on */
    if (secret.n != (size_t)EVP_CIPHER_get_key_length(key->cipher)) {
        return ym_err_set(err, YM_EINVAL, "a key for %s has %d bytes", name,
                          EVP_CIPHER_get_key_length(key->cipher));
    }
    memcpy(key->secret, secret.p, secret.n);
    memcpy(key->kid, kid.p, kid.n);
    return YM_OK;
}

static const char *member(const json_t *jwk, const char *name)
{
    const char *value = json_string_value(json_object_get(jwk, name));

    return value != NULL ? value : "";
}

static ym_status add_key(struct ym_ring *ring, const json_t *jwk, struct ym_err *err)
{
    const char *alg = member(jwk, "alg");
    struct ym_buf secret;
    ym_status rc;

    ym_buf_init(&secret, MAC_KEY_MAX + 4);
    if (strcmp(member(jwk, "kty"), "oct") != 0 ||
        ym_base64url_decode(ym_str_of(member(jwk, "k")), &secret) != YM_OK) {
        rc = ym_err_set(err, YM_EINVAL, "a key of the ring must be an octet key (kty oct, k)");
    } else if (strcmp(alg, "HS256") == 0) {
        rc = add_mac(ring, ym_buf_str(&secret), err);
    } else if (strcmp(alg, "A256GCM") == 0) {
        rc = add_cipher(ring, "AES-256-GCM", ym_str_of(member(jwk, "kid")), ym_buf_str(&secret),
                        err);
    } else if (strcmp(alg, "SM4-GCM") == 0) {
        rc = add_cipher(ring, "SM4-GCM", ym_str_of(member(jwk, "kid")), ym_buf_str(&secret), err);
    } else {
        rc = ym_err_set(err, YM_EUNSUPPORTED,
                        "a key of the ring has an alg other than A256GCM, SM4-GCM and HS256");
    }
    ym_buf_wipe(&secret);
    return rc;
}

ym_status ym_ring_load(struct ym_str text, struct ym_ring **ret, struct ym_err *err)
{
    struct ym_ring *ring = calloc(1, sizeof(*ring));
    json_t *set = NULL, *keys, *jwk;
    ym_status rc;
    size_t i;

    if (ring == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    ring->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (text.n <= RING_BYTES) {
        (void)ym_json_parse(text, &ym_json_defaults, &set, NULL);
    }
    keys = json_object_get(set, "keys");
    rc =
        json_is_array(keys) && ring->mac != NULL
            ? YM_OK
            : ym_err_set(err, YM_EINVAL, "the key ring is no JWK set; `yimen keys ring` makes one");
    json_array_foreach(keys, i, jwk)
    {
        if (rc == YM_OK) {
            rc = add_key(ring, jwk, err);
        }
    }
    if (rc == YM_OK && (ring->count == 0 || ring->mac_key_len == 0)) {
        rc = ym_err_set(err, YM_EINVAL,
                        "the key ring needs a key with alg A256GCM and one with alg HS256");
    }
    json_decref(set);
    if (rc != YM_OK) {
        ym_ring_close(ring);
        return rc;
    }
    *ret = ring;
    return YM_OK;
}

ym_status ym_ring_open(const char *reference, struct ym_ring **ret, struct ym_err *err)
{
    char *text = NULL;
    ym_status rc = ym_secret_resolve(reference, &text, err);

    if (rc == YM_OK) {
        rc = ym_ring_load(ym_str_of(text), ret, err);
    }
    ym_secret_free(text);
    return rc;
}

void ym_ring_close(struct ym_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (size_t i = 0; i < ring->count; i++) {
        EVP_CIPHER_free(ring->keys[i].cipher);
    }
    EVP_MAC_free(ring->mac);
    ym_wipe(ring, sizeof(*ring));
    free(ring);
}

/* ---- sealing ---- */

static ym_status failed(struct ym_err *err)
{
    ERR_clear_error();
    return ym_err_set(err, YM_EIO, "OpenSSL could not seal");
}

/* The head, then the context, are authenticated; neither can end where the other begins. */
static bool authenticate(EVP_CIPHER_CTX *ctx, struct ym_str head, struct ym_str context,
                         int (*update)(EVP_CIPHER_CTX *, unsigned char *, int *,
                                       const unsigned char *, int))
{
    int n;

    return update(ctx, NULL, &n, (const unsigned char *)head.p, (int)head.n) == 1 &&
           (context.n == 0 ||
            update(ctx, NULL, &n, (const unsigned char *)context.p, (int)context.n) == 1);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct key *key, struct ym_str head,
                    struct ym_str context, struct ym_str plain, unsigned char *out)
{
    const unsigned char *nonce = (const unsigned char *)head.p + head.n;
    int n = 0, last = 0;

    return EVP_EncryptInit_ex2(ctx, key->cipher, key->secret, nonce, NULL) == 1 &&
           authenticate(ctx, head, context, EVP_EncryptUpdate) &&
           (plain.n == 0 ||
            EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)plain.p, (int)plain.n) == 1) &&
           EVP_EncryptFinal_ex(ctx, out + n, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + plain.n) == 1;
}

ym_status ym_seal(const struct ym_ring *ring, struct ym_str context, struct ym_str plain,
                  struct ym_buf *out, struct ym_err *err)
{
    const struct key *key = &ring->keys[0];
    size_t kid = strlen(key->kid), head = 3 + kid, n = head + NONCE + plain.n + TAG;
    unsigned char *text;
    EVP_CIPHER_CTX *ctx;
    ym_status rc;

    if (plain.n > SEALED_TEXT_MAX || context.n > CONTEXT_MAX) {
        return ym_err_set(err, YM_ETOOBIG, "too long to be sealed");
    }
    text = malloc(n);
    ctx = EVP_CIPHER_CTX_new();
    if (text == NULL || ctx == NULL) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
        goto done;
    }
    text[0] = MAGIC;
    text[1] = VERSION;
    text[2] = (unsigned char)kid;
    memcpy(text + 3, key->kid, kid);
    if (RAND_bytes(text + head, NONCE) != 1 ||
        !encrypt(ctx, key, (struct ym_str){(char *)text, head}, context, plain,
                 text + head + NONCE)) {
        rc = failed(err);
        goto done;
    }
    rc = ym_buf_add(out, text, n);
    if (rc != YM_OK) {
        rc = ym_err_set(err, rc, "no room for the sealed text");
    }
done:
    EVP_CIPHER_CTX_free(ctx);
    free(text);
    return rc;
}

/* → the length of the head, or 0 */
static size_t head_of(struct ym_str sealed, struct ym_str *ret_kid)
{
    size_t kid;

    if (sealed.n < 3 || sealed.p[0] != MAGIC || sealed.p[1] != VERSION) {
        return 0;
    }
    kid = (unsigned char)sealed.p[2];
    if (kid == 0 || kid > YM_SEAL_KID_MAX || sealed.n < 3 + kid + NONCE + TAG) {
        return 0;
    }
    *ret_kid = (struct ym_str){sealed.p + 3, kid};
    return 3 + kid;
}

static bool decrypt(EVP_CIPHER_CTX *ctx, const struct key *key, struct ym_str sealed, size_t head,
                    struct ym_str context, unsigned char *out)
{
    const unsigned char *nonce = (const unsigned char *)sealed.p + head, *text = nonce + NONCE;
    size_t len = sealed.n - head - NONCE - TAG;
    unsigned char tag[TAG];
    int n = 0, last = 0;

    memcpy(tag, text + len, TAG);
    return EVP_DecryptInit_ex2(ctx, key->cipher, key->secret, nonce, NULL) == 1 &&
           authenticate(ctx, (struct ym_str){sealed.p, head}, context, EVP_DecryptUpdate) &&
           (len == 0 || EVP_DecryptUpdate(ctx, out, &n, text, (int)len) == 1) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;
}

ym_status ym_unseal(const struct ym_ring *ring, struct ym_str context, struct ym_str sealed,
                    struct ym_buf *out, struct ym_err *err)
{
    struct ym_str kid = YM_STR_NULL;
    size_t head = head_of(sealed, &kid), len;
    const struct key *key = head > 0 ? find(ring, kid) : NULL;
    unsigned char *text = NULL;
    EVP_CIPHER_CTX *ctx = NULL;
    ym_status rc;

    if (key == NULL || sealed.n > SEALED_TEXT_MAX + YM_SEAL_OVERHEAD) {
        return ym_err_set(err, YM_EAUTH,
                          head > 0 ? "sealed with a key that the ring does not have"
                                   : "not a sealed text");
    }
    len = sealed.n - head - NONCE - TAG;
    text = malloc(len + 1);
    ctx = EVP_CIPHER_CTX_new();
    if (text == NULL || ctx == NULL) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
    } else if (!decrypt(ctx, key, sealed, head, context, text)) {
        ERR_clear_error();
        rc = ym_err_set(err, YM_EAUTH, "the sealed text was altered, or sealed for another place");
    } else {
        rc = ym_buf_add(out, text, len);
        if (rc != YM_OK) {
            rc = ym_err_set(err, rc, "no room for the text");
        }
    }
    if (text != NULL) {
        ym_wipe(text, len);
    }
    free(text);
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}

bool ym_is_sealed(struct ym_str text)
{
    struct ym_str kid;

    return head_of(text, &kid) > 0;
}

bool ym_seal_is_old(const struct ym_ring *ring, struct ym_str sealed)
{
    struct ym_str kid = YM_STR_NULL;

    return head_of(sealed, &kid) > 0 && !ym_str_is(kid, ring->keys[0].kid);
}

bool ym_seal_kid(struct ym_str sealed, char out[YM_SEAL_KID_MAX + 1])
{
    struct ym_str kid = YM_STR_NULL;

    if (head_of(sealed, &kid) == 0) {
        return false;
    }
    memcpy(out, kid.p, kid.n);
    out[kid.n] = '\0';
    return true;
}

const char *ym_ring_kid(const struct ym_ring *ring, size_t i)
{
    return i < ring->count ? ring->keys[i].kid : NULL;
}

bool ym_ring_has(const struct ym_ring *ring, const char *kid)
{
    return find(ring, ym_str_of(kid)) != NULL;
}

/* ---- as text ---- */

#define TEXT_MARK '~'

ym_status ym_seal_text(const struct ym_ring *ring, struct ym_str context, struct ym_str plain,
                       struct ym_buf *out, struct ym_err *err)
{
    struct ym_buf sealed;
    ym_status rc;

    ym_buf_init(&sealed, plain.n + YM_SEAL_OVERHEAD + 1);
    rc = ym_seal(ring, context, plain, &sealed, err);
    if (rc == YM_OK) {
        ym_buf_addc(out, TEXT_MARK);
        rc = ym_base64url_add(out, ym_buf_str(&sealed));
    }
    ym_buf_clear(&sealed);
    return rc;
}

/* Its bytes; the mark alone does not make it sealed. */
static bool text_bytes(struct ym_str text, struct ym_buf *bytes)
{
    return text.n > 1 && text.p[0] == TEXT_MARK &&
           ym_base64url_decode((struct ym_str){text.p + 1, text.n - 1}, bytes) == YM_OK &&
           ym_is_sealed(ym_buf_str(bytes));
}

ym_status ym_unseal_text(const struct ym_ring *ring, struct ym_str context, struct ym_str text,
                         struct ym_buf *out, struct ym_err *err)
{
    struct ym_buf bytes;
    ym_status rc;

    ym_buf_init(&bytes, text.n + 4);
    rc = text_bytes(text, &bytes) ? ym_unseal(ring, context, ym_buf_str(&bytes), out, err)
                                  : ym_err_set(err, YM_EAUTH, "not a sealed text");
    ym_buf_clear(&bytes);
    return rc;
}

bool ym_seal_text_kid(struct ym_str text, char out[YM_SEAL_KID_MAX + 1])
{
    struct ym_buf bytes;
    bool ok;

    ym_buf_init(&bytes, text.n + 4);
    ok = text_bytes(text, &bytes) && ym_seal_kid(ym_buf_str(&bytes), out);
    ym_buf_clear(&bytes);
    return ok;
}

bool ym_is_sealed_text(struct ym_str text)
{
    char kid[YM_SEAL_KID_MAX + 1];

    return ym_seal_text_kid(text, kid);
}

/* ---- digests ---- */

static bool mac_part(EVP_MAC_CTX *ctx, struct ym_str part)
{
    unsigned char length[8];

    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)((uint64_t)part.n >> (56 - 8 * i));
    }
    return EVP_MAC_update(ctx, length, sizeof(length)) == 1 &&
           (part.n == 0 || EVP_MAC_update(ctx, (const unsigned char *)part.p, part.n) == 1);
}

ym_status ym_ring_digest(const struct ym_ring *ring, const char *label, struct ym_str text,
                         char out[YM_DIGEST_HEX])
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(ring->mac);
    unsigned char sum[YM_SHA256_LEN];
    size_t n = 0;
    bool ok = ctx != NULL && EVP_MAC_init(ctx, ring->mac_key, ring->mac_key_len, params) == 1 &&
              mac_part(ctx, ym_str_of(label)) && mac_part(ctx, text) &&
              EVP_MAC_final(ctx, sum, &n, sizeof(sum)) == 1 && n == sizeof(sum);

    EVP_MAC_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        return YM_EIO;
    }
    ym_hex(sum, sizeof(sum), false, out);
    return YM_OK;
}
