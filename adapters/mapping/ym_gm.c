/* SPDX-License-Identifier: Apache-2.0
 * SM2, SM3 and SM4 through EVP; keys are wiped, nothing is cached.
 */
#include "ym_gm.h"

#include "ym_arena.h"
#include "ym_codec.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#define SM2_POINT 65
#define SM2_SCALAR 32

ym_status ym_sm3_hex(struct ym_str in, char out[YM_SM3_HEX])
{
    unsigned char md[32];
    size_t n = 0;

    if (EVP_Q_digest(NULL, "SM3", NULL, in.p, in.n, md, &n) != 1 || n != sizeof(md)) {
        return YM_EIO;
    }
    ym_hex(md, sizeof(md), false, out);
    return YM_OK;
}

/* The point private · G, uncompressed. */
static bool sm2_point(const BIGNUM *scalar, unsigned char out[SM2_POINT])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    bool ok = point != NULL && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
              EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, SM2_POINT,
                                 NULL) == SM2_POINT;

    EC_POINT_free(point);
    EC_GROUP_free(group);
    return ok;
}

static EVP_PKEY *sm2_build(const BIGNUM *scalar, const unsigned char point[SM2_POINT])
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);

    if (bld == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, SM2_POINT) != 1 ||
        (scalar != NULL &&
         OSSL_PARAM_BLD_push_BN_pad(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar, SM2_SCALAR) != 1)) {
        goto done;
    }
    params = OSSL_PARAM_BLD_to_param(bld);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, scalar != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1) {
        key = NULL;
    }
done:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static BIGNUM *sm2_scalar(const char *private_hex)
{
    unsigned char raw[SM2_SCALAR];
    BIGNUM *n = NULL;
    struct ym_str hex = ym_str_of(private_hex);

    if (hex.n == 2 * SM2_SCALAR && ym_unhex(hex, raw)) {
        n = BN_bin2bn(raw, SM2_SCALAR, NULL);
    }
    ym_wipe(raw, sizeof(raw));
    return n;
}

static EVP_PKEY *sm2_private(const char *private_hex)
{
    unsigned char point[SM2_POINT];
    EVP_PKEY *key = NULL;
    BIGNUM *scalar = sm2_scalar(private_hex);

    if (scalar != NULL && sm2_point(scalar, point)) {
        key = sm2_build(scalar, point);
    }
    BN_clear_free(scalar);
    return key;
}

ym_status ym_sm2_public(const char *private_hex, char out[131], struct ym_err *err)
{
    unsigned char point[SM2_POINT];
    ym_status rc = YM_OK;
    BIGNUM *scalar = sm2_scalar(private_hex);

    if (scalar == NULL || !sm2_point(scalar, point)) {
        rc = ym_err_set(err, YM_EINVAL, "the SM2 private key must be 64 hex digits");
    } else {
        ym_hex(point, SM2_POINT, false, out);
    }
    BN_clear_free(scalar);
    return rc;
}

/* A digest context ready to sign or verify with the signer's identity. */
static EVP_MD_CTX *sm2_context(EVP_PKEY *key, const char *distid, bool sign,
                               EVP_PKEY_CTX **ret_pctx)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    const char *id = distid != NULL ? distid : YM_SM2_DISTID;
    int rc;

    *ret_pctx = pctx;
    if (md == NULL || pctx == NULL || EVP_PKEY_CTX_set1_id(pctx, id, (int)strlen(id)) <= 0) {
        EVP_MD_CTX_free(md);
        return NULL;
    }
    EVP_MD_CTX_set_pkey_ctx(md, pctx);
    rc = sign ? EVP_DigestSignInit_ex(md, NULL, "SM3", NULL, NULL, key, NULL)
              : EVP_DigestVerifyInit_ex(md, NULL, "SM3", NULL, NULL, key, NULL);
    if (rc != 1) {
        EVP_MD_CTX_free(md);
        return NULL;
    }
    return md;
}

static bool sm2_der_to_raw(const unsigned char *der, size_t n, unsigned char raw[2 * SM2_SCALAR])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, SM2_SCALAR) == SM2_SCALAR &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + SM2_SCALAR, SM2_SCALAR) == SM2_SCALAR;

    ECDSA_SIG_free(sig);
    return ok;
}

ym_status ym_sm2_sign(const char *private_hex, const char *distid, struct ym_str message, bool der,
                      struct ym_buf *out, struct ym_err *err)
{
    unsigned char sig[128], raw[2 * SM2_SCALAR];
    size_t n = sizeof(sig);
    ym_status rc;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *md = NULL;
    EVP_PKEY *key = sm2_private(private_hex);

    if (key == NULL) {
        return ym_err_set(err, YM_EINVAL, "the SM2 private key must be 64 hex digits");
    }
    md = sm2_context(key, distid, true, &pctx);
    if (md == NULL ||
        EVP_DigestSign(md, sig, &n, (const unsigned char *)message.p, message.n) != 1) {
        rc = ym_err_set(err, YM_EIO, "SM2 signing failed");
        goto done;
    }
    if (der) {
        rc = ym_buf_add(out, sig, n);
    } else if (sm2_der_to_raw(sig, n, raw)) {
        rc = ym_buf_add(out, raw, sizeof(raw));
    } else {
        rc = ym_err_set(err, YM_EIO, "SM2 signing gave no signature");
    }
done:
    EVP_MD_CTX_free(md);
    EVP_PKEY_CTX_free(pctx);
    EVP_PKEY_free(key);
    return rc;
}

/* Raw r and s to DER; NULL when they are none. */
static unsigned char *sm2_raw_to_der(struct ym_str raw, int *ret_n)
{
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = NULL, *s = NULL;

    if (sig == NULL || raw.n != 2 * SM2_SCALAR) {
        ECDSA_SIG_free(sig);
        return NULL;
    }
    r = BN_bin2bn((const unsigned char *)raw.p, SM2_SCALAR, NULL);
    s = BN_bin2bn((const unsigned char *)raw.p + SM2_SCALAR, SM2_SCALAR, NULL);
    if (r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        *ret_n = i2d_ECDSA_SIG(sig, &der);
    }
    ECDSA_SIG_free(sig);
    return der;
}

ym_status ym_sm2_verify(const char *public_hex, const char *distid, struct ym_str message,
                        struct ym_str signature, bool der, struct ym_err *err)
{
    unsigned char point[SM2_POINT];
    unsigned char *own = NULL;
    const unsigned char *sig = (const unsigned char *)signature.p;
    int n = (int)(signature.n < 1024 ? signature.n : 1024);
    ym_status rc = YM_EAUTH;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *md = NULL;
    EVP_PKEY *key = NULL;
    struct ym_str hex = ym_str_of(public_hex);

    if (hex.n != 2 * SM2_POINT || !ym_unhex(hex, point) || (key = sm2_build(NULL, point)) == NULL) {
        return ym_err_set(err, YM_EINVAL, "the SM2 public key must be 04 and 128 hex digits");
    }
    if (!der) {
        sig = own = sm2_raw_to_der(signature, &n);
    }
    md = sm2_context(key, distid, false, &pctx);
    if (sig != NULL && md != NULL &&
        EVP_DigestVerify(md, sig, (size_t)n, (const unsigned char *)message.p, message.n) == 1) {
        rc = YM_OK;
    } else {
        ym_err_set(err, YM_EAUTH, "the SM2 signature does not hold");
    }
    OPENSSL_free(own);
    EVP_MD_CTX_free(md);
    EVP_PKEY_CTX_free(pctx);
    EVP_PKEY_free(key);
    return rc;
}

ym_status ym_sm4(bool encrypt, const unsigned char key[16], const unsigned char *iv, bool pad,
                 struct ym_str in, struct ym_buf *out, struct ym_err *err)
{
    unsigned char block[1024 + 32];
    int n = 0;
    ym_status rc = YM_OK;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = iv != NULL ? EVP_sm4_cbc() : EVP_sm4_ecb();

    if (ctx == NULL || EVP_CipherInit_ex(ctx, cipher, NULL, key, iv, encrypt ? 1 : 0) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, pad ? 1 : 0) != 1) {
        rc = ym_err_set(err, YM_EIO, "SM4 is not available in this OpenSSL");
        goto done;
    }
    for (size_t at = 0; at < in.n && rc == YM_OK; at += 1024) {
        int take = (int)(in.n - at < 1024 ? in.n - at : 1024);

        if (EVP_CipherUpdate(ctx, block, &n, (const unsigned char *)in.p + at, take) != 1) {
            rc = ym_err_set(err, YM_EINVAL, "SM4 could not be applied");
        } else {
            rc = ym_buf_add(out, block, (size_t)n);
        }
    }
    if (rc == YM_OK && EVP_CipherFinal_ex(ctx, block, &n) != 1) {
        rc = ym_err_set(err, YM_EAUTH, "the SM4 text does not fit the key or its padding");
    } else if (rc == YM_OK) {
        rc = ym_buf_add(out, block, (size_t)n);
    }
done:
    ym_wipe(block, sizeof(block));
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}
