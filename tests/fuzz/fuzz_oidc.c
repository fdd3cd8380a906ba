/* SPDX-License-Identifier: Apache-2.0
 * What an OpenID provider and the browsers of strangers send: discovery document, token answer,
 * callback, userinfo, key set and claims behind a good signature. The first byte says which.
 */
#include "ym_codec.h"
#include "ym_oidc.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW 1800000000000LL

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void discovery(struct ym_str in, struct ym_arena *a)
{
    struct ym_oidc_provider op;
    if (ym_oidc_discovery(in, "https://idp.example", a, &op, NULL) == YM_OK) {
        check(strncmp(op.token, "https://", 8) == 0 && strncmp(op.jwks, "https://", 8) == 0 &&
              strncmp(op.authorize, "https://", 8) == 0);
    }
}

static void callback(struct ym_str in, struct ym_arena *a)
{
    struct ym_oidc_response r;
    struct ym_str v;
    if (ym_oidc_response(in, a, &r, NULL) == YM_OK) {
        check((r.code == NULL) != (r.error == NULL) && strlen(r.state) == YM_OIDC_STATE_LEN);
        check(r.code == NULL || strlen(r.code) <= YM_OIDC_CODE_MAX);
    }
    (void)ym_oidc_param(in, "logout_token", a, &v);
}

static void answers(struct ym_str in, struct ym_arena *a)
{
    struct ym_oidc_tokens t;
    json_t *doc = NULL;
    if (ym_oidc_tokens(200, YM_STR("application/json"), in, a, &t, NULL) == YM_OK) {
        check(t.access_token != NULL && t.access_token[0] != '\0' && t.expires_in_ms >= 0);
    }
    if (ym_oidc_tokens(400, YM_STR("application/json"), in, a, &t, NULL) == YM_EAUTH) {
        check(t.error[0] != '\0');
    }
    if (ym_oidc_userinfo(200, YM_STR("application/json"), in, "u1", &doc, NULL) == YM_OK) {
        check(strcmp(ym_json_str(doc, "sub"), "u1") == 0);
        (void)ym_oidc_claim_text(doc, "/a/b", 100);
        json_decref(doc);
    }
}

static struct ym_jwks *keys(void)
{
    static struct ym_jwks *set;
    if (set == NULL && ym_jwks_load(YM_STR("{\"keys\":[{\"kty\":\"oct\",\"k\":"
                                           "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}"),
                                    true, &set, NULL) != YM_OK) {
        abort();
    }
    return set;
}

/* the bytes as claims, signed for them */
static void tokens(struct ym_str in)
{
    static const char *const algorithms[] = {"HS256", NULL};
    const struct ym_oidc_id_rules rules = {.keys = keys(),
                                           .algorithms = algorithms,
                                           .issuer = "i",
                                           .client_id = "c",
                                           .nonce = "n",
                                           .access_token = "a",
                                           .max_age_s = -1};
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct ym_buf token;
    struct ym_oidc_logout out;
    json_t *claims = NULL;

    ym_buf_init(&token, 2 * YM_JWT_BYTES);
    ym_base64url_add(&token, YM_STR("{\"alg\":\"HS256\"}"));
    ym_buf_addc(&token, '.');
    ym_base64url_add(&token, in);
    if (token.failed == YM_OK &&
        HMAC(EVP_sha256(), SECRET, 32, (unsigned char *)token.p, token.n, mac, &n) != NULL) {
        ym_buf_addc(&token, '.');
        ym_base64url_add(&token, (struct ym_str){(char *)mac, n});
    }
    if (token.failed == YM_OK) {
        (void)ym_oidc_key_unknown(ym_buf_str(&token), keys());
        if (ym_oidc_id_token(ym_buf_str(&token), &rules, NOW, &claims, NULL) == YM_OK) {
            check(strcmp(ym_json_str(claims, "nonce"), "n") == 0);
            json_decref(claims);
            claims = NULL;
        }
        if (ym_oidc_logout_token(ym_buf_str(&token), &rules, false, NOW, &out, &claims, NULL) ==
            YM_OK) {
            check(out.jti != NULL && (out.sid != NULL || out.sub != NULL));
            json_decref(claims);
        }
    }
    ym_buf_clear(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct ym_str in = {(const char *)data + 1, size - 1};
    struct ym_arena *a = ym_arena_open();
    check(a != NULL);
    switch (data[0]) {
    case 'd':
        discovery(in, a);
        break;
    case 'c':
        callback(in, a);
        break;
    case 'a':
        answers(in, a);
        break;
    default:
        tokens(in);
        break;
    }
    ym_arena_close(a);
    return 0;
}
