/* SPDX-License-Identifier: Apache-2.0
 * JWKs from OpenSSL keys.
 */
#include "ym_jwk.h"
#include "ym_codec.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

#define POINT_BYTES 65 /* 04 ‖ x ‖ y of P-256 */
#define RSA_BYTES 2048 /* 16,384 bits */

static bool add_base64url(json_t *jwk, const char *name, const unsigned char *p, size_t n)
{
    struct ym_buf b;
    ym_buf_init(&b, 4096);
    bool ok = ym_base64url_add(&b, (struct ym_str){(const char *)p, n}) == YM_OK &&
              json_object_set_new(jwk, name, json_stringn(b.p, b.n)) == 0;
    ym_buf_clear(&b);
    return ok;
}

static bool ec_members(EVP_PKEY *key, json_t *jwk)
{
    unsigned char point[POINT_BYTES];
    char group[64];
    size_t n = 0, len = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1 ||
        (strcmp(group, "prime256v1") != 0 && strcmp(group, "P-256") != 0) ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) !=
            1 ||
        n != POINT_BYTES) {
        return false;
    }
    return json_object_set_new(jwk, "crv", json_string("P-256")) == 0 &&
           json_object_set_new(jwk, "kty", json_string("EC")) == 0 &&
           add_base64url(jwk, "x", point + 1, 32) && add_base64url(jwk, "y", point + 33, 32);
}

static bool rsa_number(EVP_PKEY *key, const char *param, const char *name, json_t *jwk)
{
    unsigned char bytes[RSA_BYTES];
    BIGNUM *v = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, param, &v) == 1 && BN_num_bytes(v) <= RSA_BYTES;
    if (ok) {
        ok = add_base64url(jwk, name, bytes, (size_t)BN_bn2bin(v, bytes));
    }
    BN_free(v);
    return ok;
}

static bool rsa_members(EVP_PKEY *key, json_t *jwk)
{
    return rsa_number(key, OSSL_PKEY_PARAM_RSA_E, "e", jwk) &&
           json_object_set_new(jwk, "kty", json_string("RSA")) == 0 &&
           rsa_number(key, OSSL_PKEY_PARAM_RSA_N, "n", jwk);
}

/* SHA-256 over the required members in lexical order, without blanks. */
static bool thumbprint(json_t *jwk)
{
    unsigned char sum[YM_SHA256_LEN];
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok = text != NULL && ym_sha256(ym_str_of(text), sum) == YM_OK &&
              add_base64url(jwk, "kid", sum, sizeof(sum));
    free(text);
    return ok;
}

ym_status ym_jwk_public(EVP_PKEY *key, json_t **ret, struct ym_err *err)
{
    json_t *jwk = json_object();
    bool ec = EVP_PKEY_is_a(key, "EC") == 1, rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    bool ok = jwk != NULL && ((ec && ec_members(key, jwk)) || (rsa && rsa_members(key, jwk))) &&
              thumbprint(jwk) && json_object_set_new(jwk, "use", json_string("sig")) == 0 &&
              json_object_set_new(jwk, "alg", json_string(ec ? "ES256" : "RS256")) == 0;
    if (!ok) {
        json_decref(jwk);
        return ym_err_set(err, YM_EUNSUPPORTED, "the key must be EC P-256 or RSA");
    }
    *ret = jwk;
    return YM_OK;
}
