/* SPDX-License-Identifier: Apache-2.0
 * A token from a stranger, with and without its signature made good, so that what lies behind the
 * signature is reached as well; and the same bytes as a key set.
 */
#include "ym_codec.h"
#include "ym_jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"

static struct ym_jwks *keys(void)
{
    static struct ym_jwks *set;
    if (set == NULL && ym_jwks_load(YM_STR("{\"keys\":[{\"kty\":\"oct\",\"k\":"
                                           "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
                                           "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
                                           "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
                                           "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"),
                                    true, &set, NULL) != YM_OK) {
        abort();
    }
    return set;
}

static void verify(struct ym_str token)
{
    static const char *const algorithms[] = {"HS256", "ES256", "RS256", "EdDSA", NULL};
    static const struct ym_jwt_rules rules = {
        .algorithms = algorithms, .audience = "a", .skew_ms = 30000};
    struct ym_err err;
    json_t *claims = NULL;
    if (ym_jwt_verify(token, keys(), &rules, 1700000000000, &claims, &err) == YM_OK) {
        if (!json_is_object(claims) || !json_is_number(json_object_get(claims, "exp"))) {
            abort();
        }
        json_decref(claims);
    } else if (claims != NULL || err.code != YM_EAUTH) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ym_str in = {(const char *)data, size};
    const char *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    struct ym_jwks *set = NULL;

    verify(in);
    if (ym_jwks_load(in, true, &set, NULL) == YM_OK) {
        ym_jwks_close(set);
    }
    if (newline != NULL) { /* header, newline, claims: signed for them */
        unsigned char mac[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        struct ym_buf token;
        size_t at = (size_t)(newline - in.p);
        ym_buf_init(&token, 2 * YM_JWT_BYTES);
        ym_base64url_add(&token, (struct ym_str){in.p, at});
        ym_buf_addc(&token, '.');
        ym_base64url_add(&token, (struct ym_str){newline + 1, size - at - 1});
        if (token.failed == YM_OK &&
            HMAC(EVP_sha256(), SECRET, 32, (unsigned char *)token.p, token.n, mac, &n) != NULL) {
            ym_buf_addc(&token, '.');
            ym_base64url_add(&token, (struct ym_str){(char *)mac, n});
            if (token.failed == YM_OK) {
                verify(ym_buf_str(&token));
            }
        }
        ym_buf_clear(&token);
    }
    return 0;
}
