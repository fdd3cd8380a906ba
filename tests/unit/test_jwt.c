/* SPDX-License-Identifier: Apache-2.0
 * The token verifier against the vectors of RFC 7515 and RFC 8037, and against everything a
 * stranger may send instead (attacks A1 to A28).
 */
#include "ym_test.h"

#include "ym_codec.h"
#include "ym_jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#define NOW 1700000000000
#define SECRET "0123456789abcdef0123456789abcdef"
#define SECRET_JWK "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

static const char *const all[] = {"RS256", "ES256", "EdDSA", "HS256", "PS256", "ES384", NULL};
static const char *const only_rs[] = {"RS256", NULL};

/* The set that most tests use: one oct key "h". */
#define OCT_SET "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"" SECRET_JWK "\"}]}"

#define JOE                                                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV"  \
    "lfQ"

static struct ym_jwks *set_of(const char *text)
{
    struct ym_jwks *set = NULL;
    struct ym_err err = {0};
    ym_status rc = ym_jwks_load(ym_str_of(text), true, &set, &err);
    if (rc != YM_OK) {
        fail_msg("%s", err.message);
    }
    return set;
}

static const char *reason_of(const struct ym_jwks *set, const char *token, size_t n,
                             const struct ym_jwt_rules *rules, int64_t now)
{
    static struct ym_err err;
    json_t *claims = NULL;
    err.message[0] = '\0';
    if (ym_jwt_verify((struct ym_str){token, n}, set, rules, now, &claims, &err) == YM_OK) {
        assert_true(json_is_object(claims));
        json_decref(claims);
        return "ok";
    }
    assert_null(claims);
    assert_int_equal(err.code, YM_EAUTH);
    return err.message;
}

/* header.claims signed with HS256 over exactly these bytes. */
static void hs_token(struct ym_buf *out, struct ym_str header, struct ym_str claims)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    ym_buf_init(out, 100000);
    ym_base64url_add(out, header);
    ym_buf_addc(out, '.');
    ym_base64url_add(out, claims);
    assert_non_null(HMAC(EVP_sha256(), SECRET, 32, (unsigned char *)out->p, out->n, mac, &n));
    ym_buf_addc(out, '.');
    ym_base64url_add(out, (struct ym_str){(char *)mac, n});
    assert_int_equal(out->failed, YM_OK);
}

static const char *hs_reason(const char *header, const char *claims,
                             const struct ym_jwt_rules *rules)
{
    struct ym_jwks *set = set_of(OCT_SET);
    struct ym_buf token;
    hs_token(&token, ym_str_of(header), ym_str_of(claims));
    const char *reason = reason_of(set, token.p, token.n, rules, NOW);
    ym_buf_clear(&token);
    ym_jwks_close(set);
    return reason;
}

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"h\"}"
#define GOOD "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"exp\":1700000600}"
static const struct ym_jwt_rules strict = {
    .algorithms = all, .issuer = "i", .audience = "a", .skew_ms = 30000};

static void rfc_vectors(void **state)
{
    static const struct {
        const char *jwk, *header, *payload, *signature, *reason;
    } cases[] = {
        {"\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
         "1qS0gZH75aKtMN3Yj0iPS"
         "4hcgUuTwjAzZr1Z9CAow\"",
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", JOE,
         "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "ok"},
        {"\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
         "wWJcyQoTbji9k0l8W"
         "26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2j"
         "Z47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsm"
         "tdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kz"
         "k2PAcDTW9gb54h4FRWyuXpoQ\"",
         "eyJhbGciOiJSUzI1NiJ9", JOE,
         "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2"
         "Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjt"
         "QBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6"
         "IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
         "ok"},
        {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"",
         "eyJhbGciOiJFUzI1NiJ9", JOE,
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
         "ok"},
        /* its payload is no JSON: the signature holds, the claims do not */
        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"",
         "eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
         "the token's claims are no JSON object"},
    };
    const struct ym_jwt_rules rules = {.algorithms = all, .issuer = "joe"};
    (void)state;
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        char set_text[2048], token[4096];
        snprintf(set_text, sizeof(set_text), "{\"keys\":[{%s}]}", cases[i].jwk);
        snprintf(token, sizeof(token), "%s.%s.%s", cases[i].header, cases[i].payload,
                 cases[i].signature);
        struct ym_jwks *set = set_of(set_text);
        const int64_t before = 1300819379999;
        assert_string_equal(reason_of(set, token, strlen(token), &rules, before), cases[i].reason);
        /* one bit of the signature, then one of the payload */
        size_t last = strlen(token) - 20;
        token[last] = token[last] == 'A' ? 'B' : 'A';
        assert_string_equal(reason_of(set, token, strlen(token), &rules, before),
                            "the token's signature does not hold");
        ym_jwks_close(set);
    }
}

static void form(void **state)
{
    struct ym_jwks *set = set_of(OCT_SET);
    struct ym_buf token;
    (void)state;
    hs_token(&token, ym_str_of(HEADER), ym_str_of(GOOD));
    assert_string_equal(reason_of(set, token.p, token.n, &strict, NOW), "ok");

    /* A12: other counts of segments, empty ones, blanks, JSON serialisation */
    static const char *const bad[] = {"",       ".",       "..",      "a.b",       "a..c",
                                      ".b.c",   "a.b.",    "a.b.c.d", "a.b.c.d.e", " a.b.c",
                                      "a.b.c ", "a.b\n.c", "{}",      "a,b,c"};
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_memory_equal(reason_of(set, bad[i], strlen(bad[i]), &strict, NOW), "no JWT", 6);
    }
    /* A13: a foreign byte anywhere; stray bits in the last character of each part */
    static const char foreign[] = "+/=!*\n \0\xff";
    for (size_t i = 0; i < token.n; i++) {
        char kept = token.p[i];
        for (size_t k = 0; k < sizeof(foreign) - 1; k++) {
            token.p[i] = foreign[k];
            assert_string_not_equal(reason_of(set, token.p, token.n, &strict, NOW), "ok");
        }
        token.p[i] = kept;
    }
    char last = token.p[token.n - 1];
    for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; *c;
         c++) {
        if (*c != last) {
            token.p[token.n - 1] = *c;
            assert_string_not_equal(reason_of(set, token.p, token.n, &strict, NOW), "ok");
        }
    }
    token.p[token.n - 1] = last;
    for (size_t cut = 0; cut < token.n; cut++) {
        assert_string_not_equal(reason_of(set, token.p, cut, &strict, NOW), "ok");
    }
    ym_buf_clear(&token);
    ym_jwks_close(set);
}

static void longest(void **state)
{
    struct ym_jwks *set = set_of(OCT_SET);
    char claims[9000];
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct ym_buf token;
        size_t fill = over ? 6200 : 5900;
        int n = snprintf(claims, sizeof(claims),
                         "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1700000600,\"x\":\"");
        memset(claims + n, 'x', fill);
        memcpy(claims + n + fill, "\"}", 3);
        hs_token(&token, ym_str_of(HEADER), ym_str_of(claims));
        assert_int_equal(token.n > YM_JWT_BYTES, over);
        const char *reason = reason_of(set, token.p, token.n, &strict, NOW);
        assert_int_equal(strcmp(reason, "ok") == 0, !over);
        ym_buf_clear(&token);
    }
    ym_jwks_close(set);
}

static void headers(void **state)
{
    static const char *const good[] = {
        HEADER,
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}",
        /* A8: keys from the token are not even looked at */
        "{\"alg\":\"HS256\",\"jku\":\"https://evil.test\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},"
        "\"x5u\":\"https://evil.test\",\"x5c\":[\"AA\"]}",
    };
    static const char *const bad[] = {
        /* A1, A2, A3 */
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\"}",
        "{}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":5}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"Hs256\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\"dir\"}",
        /* A7 */
        "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"H\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"kid\":\"%n%s\"}",
        "{\"alg\":\"HS256\",\"kid\":\"*\"}",
        /* A9, A11 */
        "{\"alg\":\"HS256\",\"crit\":[\"x\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"b64\":true}",
        "{\"alg\":\"HS256\",\"enc\":\"A128GCM\"}",
        "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
        /* A10 */
        "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        /* A15, A16, A18 */
        "[]",
        "\"x\"",
        "5",
        "null",
        "",
        "{",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"x\":\"\\ud800\"}",
        "{\"alg\":\"HS256\",\"x\":\"\\u0000\"}",
    };
    (void)state;
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        assert_string_equal(hs_reason(good[i], GOOD, &strict), "ok");
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (strcmp(hs_reason(bad[i], GOOD, &strict), "ok") == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    /* A17: text after a NUL */
    struct ym_jwks *set = set_of(OCT_SET);
    struct ym_buf token;
    static const char nul[] = GOOD "\0{\"sub\":\"admin\"}";
    hs_token(&token, ym_str_of(HEADER), (struct ym_str){nul, sizeof(nul) - 1});
    assert_string_equal(reason_of(set, token.p, token.n, &strict, NOW),
                        "the token's claims are no JSON object");
    ym_buf_clear(&token);
    ym_jwks_close(set);
}

static void claims(void **state)
{
#define BASE "\"iss\":\"i\",\"aud\":\"a\""
    static const char *const good[] = {
        "{" BASE ",\"exp\":1700000600}",
        "{" BASE ",\"exp\":1.7000006e9}", /* A20: reals are numbers */
        "{" BASE ",\"exp\":1700000600.5,\"nbf\":1.7e9}",
        "{" BASE ",\"exp\":1699999971}", /* A21: exp + skew − 1 s */
        "{" BASE ",\"exp\":1700000600,\"nbf\":1700000030}",
        "{" BASE ",\"exp\":1700000600,\"iat\":1700000030}",
        "{" BASE ",\"exp\":2147483648}",
        "{\"iss\":\"i\",\"aud\":[\"b\",\"a\"],\"exp\":1700000600}",
    };
    static const char *const bad[] = {
        "{" BASE "}",
        "{" BASE ",\"exp\":null}",
        "{" BASE ",\"exp\":\"1700000600\"}",
        "{" BASE ",\"exp\":-1}",
        "{" BASE ",\"exp\":1e300}",
        "{" BASE ",\"exp\":9223372036854775807}",
        "{" BASE ",\"exp\":9223372036854775808}",
        "{" BASE ",\"exp\":NaN}",
        "{" BASE ",\"exp\":true}",
        "{" BASE ",\"exp\":[1700000600]}",
        "{" BASE ",\"exp\":1699999970}",
        "{" BASE ",\"exp\":1699999969}",
        "{" BASE ",\"exp\":1700000600,\"nbf\":1700000031}",
        "{" BASE ",\"exp\":1700000600,\"nbf\":\"x\"}",
        "{" BASE ",\"exp\":1700000600,\"nbf\":null}",
        "{" BASE ",\"exp\":1700000600,\"iat\":1700000031}",
        "{" BASE ",\"exp\":1700000600,\"cnf\":{\"jkt\":\"x\"}}",
        /* A22 */
        "{\"aud\":\"a\",\"exp\":1700000600}",
        "{\"iss\":\"i/\",\"aud\":\"a\",\"exp\":1700000600}",
        "{\"iss\":\"I\",\"aud\":\"a\",\"exp\":1700000600}",
        "{\"iss\":[\"i\"],\"aud\":\"a\",\"exp\":1700000600}",
        "{\"iss\":\"i.evil.test\",\"aud\":\"a\",\"exp\":1700000600}",
        /* A23 */
        "{\"iss\":\"i\",\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":[],\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":1,\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":\"a-evil\",\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":[\"b\",\"aa\"],\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":[\"a\",5],\"exp\":1700000600}",
        "{\"iss\":\"i\",\"aud\":{\"a\":1},\"exp\":1700000600}",
        /* A15, A16 */
        "[]",
        "\"x\"",
        "null",
        "",
        "{" BASE ",\"exp\":1700000600,\"exp\":1700000600}",
        "{" BASE ",\"sub\":\"a\",\"sub\":\"b\",\"exp\":1700000600}",
    };
    (void)state;
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        const char *reason = hs_reason(HEADER, good[i], &strict);
        if (strcmp(reason, "ok") != 0) {
            fail_msg("%s: %s", good[i], reason);
        }
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (strcmp(hs_reason(HEADER, bad[i], &strict), "ok") == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
#undef BASE
}

/* A19 */
static void depth(void **state)
{
    char text[7000];
    (void)state;
    for (size_t n = 29; n <= 3000; n = n == 29 ? 33 : n * 9) {
        int at =
            snprintf(text, sizeof(text), "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1700000600,\"x\":");
        memset(text + at, '[', n);
        memset(text + at + n, ']', n);
        memcpy(text + at + 2 * n, "}", 2);
        bool ok = strcmp(hs_reason(HEADER, text, &strict), "ok") == 0;
        assert_int_equal(ok, n == 29);
    }
}

/* A JWK text for an RSA or EC key that was just made. */
static void jwk_of(EVP_PKEY *key, bool rsa, char *out, size_t size)
{
    BIGNUM *a = NULL, *b = NULL;
    unsigned char bytes[512];
    struct ym_buf x, y;
    ym_buf_init(&x, 2000);
    ym_buf_init(&y, 2000);
    assert_int_equal(EVP_PKEY_get_bn_param(key, rsa ? "n" : "qx", &a), 1);
    assert_int_equal(EVP_PKEY_get_bn_param(key, rsa ? "e" : "qy", &b), 1);
    int n = rsa ? BN_bn2bin(a, bytes) : BN_bn2binpad(a, bytes, 32);
    ym_base64url_add(&x, (struct ym_str){(char *)bytes, (size_t)n});
    n = rsa ? BN_bn2bin(b, bytes) : BN_bn2binpad(b, bytes, 32);
    ym_base64url_add(&y, (struct ym_str){(char *)bytes, (size_t)n});
    snprintf(out, size,
             rsa ? "{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"}"
                 : "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}",
             x.p, y.p);
    BN_free(a);
    BN_free(b);
    ym_buf_clear(&x);
    ym_buf_clear(&y);
}

static void signed_token(EVP_PKEY *key, const char *header, bool pss, bool raw, struct ym_buf *out)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ym_buf_init(out, 100000);
    ym_base64url_add(out, ym_str_of(header));
    ym_buf_addc(out, '.');
    ym_base64url_add(out, ym_str_of(GOOD));
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key), 1);
    if (pss) {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (unsigned char *)out->p, out->n), 1);
    EVP_MD_CTX_free(ctx);
    if (raw) { /* DER → r‖s */
        const unsigned char *p = sig;
        ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)n);
        assert_non_null(parsed);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig + 512, 32), 32);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + 544, 32), 32);
        ECDSA_SIG_free(parsed);
        memmove(sig, sig + 512, 64);
        n = 64;
    }
    ym_buf_addc(out, '.');
    ym_base64url_add(out, (struct ym_str){(char *)sig, n});
}

static const char *signed_reason(const struct ym_jwks *set, EVP_PKEY *key, const char *header,
                                 bool pss, bool raw, const struct ym_jwt_rules *rules)
{
    struct ym_buf token;
    signed_token(key, header, pss, raw, &token);
    const char *reason = reason_of(set, token.p, token.n, rules, NOW);
    ym_buf_clear(&token);
    return reason;
}

static void asymmetric(void **state)
{
    char rsa_jwk[2048], ec_jwk[512], text[8192];
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256"), *other = EVP_RSA_gen(2048);
    const struct ym_jwt_rules rs = {.algorithms = only_rs, .issuer = "i", .audience = "a"};
    (void)state;
    jwk_of(rsa, true, rsa_jwk, sizeof(rsa_jwk));
    jwk_of(ec, false, ec_jwk, sizeof(ec_jwk));
    snprintf(text, sizeof(text), "{\"keys\":[%s,%s]}", rsa_jwk, ec_jwk);
    struct ym_jwks *set = set_of(text);

    assert_string_equal(
        signed_reason(set, rsa, "{\"alg\":\"RS256\",\"kid\":\"r\"}", false, false, &strict), "ok");
    assert_string_equal(signed_reason(set, rsa, "{\"alg\":\"RS256\"}", false, false, &strict),
                        "ok"); /* A6 */
    assert_string_equal(
        signed_reason(set, rsa, "{\"alg\":\"PS256\",\"kid\":\"r\"}", true, false, &strict), "ok");
    assert_string_equal(
        signed_reason(set, ec, "{\"alg\":\"ES256\",\"kid\":\"e\"}", false, true, &strict), "ok");
    /* A26: DER instead of r‖s */
    assert_string_not_equal(signed_reason(set, ec, "{\"alg\":\"ES256\"}", false, false, &strict),
                            "ok");
    /* A27: PS256 and RS256 swapped */
    assert_string_not_equal(signed_reason(set, rsa, "{\"alg\":\"RS256\"}", true, false, &strict),
                            "ok");
    assert_string_not_equal(signed_reason(set, rsa, "{\"alg\":\"PS256\"}", false, false, &strict),
                            "ok");
    /* another's key; our name on it; an algorithm that is not allowed; the name of another kind of key */
    assert_string_not_equal(
        signed_reason(set, other, "{\"alg\":\"RS256\",\"kid\":\"r\"}", false, false, &strict),
        "ok");
    assert_string_not_equal(signed_reason(set, other, "{\"alg\":\"RS256\"}", false, false, &strict),
                            "ok");
    assert_string_equal(signed_reason(set, ec, "{\"alg\":\"ES256\"}", false, true, &rs),
                        "the token's algorithm is not allowed");
    assert_string_equal(
        signed_reason(set, rsa, "{\"alg\":\"RS256\",\"kid\":\"e\"}", false, false, &strict),
        "no key fits the token");
    assert_string_equal(
        signed_reason(set, rsa, "{\"alg\":\"RS256\",\"kid\":\"x\"}", false, false, &strict),
        "no key fits the token"); /* A5 */
    /* A4: HMAC keyed with what is public has no key to meet */
    struct ym_buf token;
    hs_token(&token, YM_STR("{\"alg\":\"HS256\",\"kid\":\"r\"}"), ym_str_of(GOOD));
    assert_string_equal(reason_of(set, token.p, token.n, &strict, NOW), "no key fits the token");
    ym_buf_clear(&token);

    /* A26: zero and foreign values of r and s */
    for (size_t n = 63; n <= 65; n++) {
        unsigned char zero[65] = {0};
        ym_buf_init(&token, 4096);
        ym_base64url_add(&token, YM_STR("{\"alg\":\"ES256\"}"));
        ym_buf_addc(&token, '.');
        ym_base64url_add(&token, ym_str_of(GOOD));
        ym_buf_addc(&token, '.');
        ym_base64url_add(&token, (struct ym_str){(char *)zero, n});
        assert_string_equal(reason_of(set, token.p, token.n, &strict, NOW),
                            "the token's signature does not hold");
        ym_buf_clear(&token);
    }
    ym_jwks_close(set);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(other);
}

/* A28: entries that are no use are left out, the rest stays usable. */
static void key_sets(void **state)
{
    static const char *const useless[] = {
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
        "\"y\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"oct\",\"k\":\"AA\"}",
        "{\"kty\":\"oct\",\"use\":\"enc\",\"k\":\"" SECRET_JWK "\"}",
        "{\"kty\":\"oct\",\"key_ops\":[\"sign\"],\"k\":\"" SECRET_JWK "\"}",
        "{\"kty\":\"oct\",\"alg\":\"RS256\",\"k\":\"" SECRET_JWK "\"}",
        "{\"kty\":\"oct\",\"alg\":5,\"k\":\"" SECRET_JWK "\"}",
        "{\"kty\":\"oct\",\"kid\":\"\",\"k\":\"" SECRET_JWK "\"}",
        "{\"kty\":\"oct\",\"k\":\"" SECRET_JWK "=\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" SECRET_JWK "\"}",
        "{}",
        "5",
        "null",
        "{\"kty\":\"none\"}",
    };
    static const char *const refused[] = {
        "", "[]", "{}", "{\"keys\":5}", "{\"keys\":[]}", "<html>", "{\"keys\":[],\"keys\":[]}"};
    struct ym_jwks *set = NULL;
    struct ym_err err = {0};
    char text[4096];
    (void)state;
    for (size_t i = 0; i < YM_COUNT(useless); i++) {
        snprintf(text, sizeof(text), "{\"keys\":[%s]}", useless[i]);
        assert_int_equal(ym_jwks_load(ym_str_of(text), true, &set, &err), YM_EINVAL);
        assert_null(set);
        snprintf(text, sizeof(text), "{\"keys\":[%s,{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"%s\"}]}",
                 useless[i], SECRET_JWK);
        assert_int_equal(ym_jwks_load(ym_str_of(text), true, &set, &err), YM_OK);
        ym_jwks_close(set);
        set = NULL;
    }
    for (size_t i = 0; i < YM_COUNT(refused); i++) {
        assert_int_equal(ym_jwks_load(ym_str_of(refused[i]), true, &set, &err), YM_EINVAL);
        assert_true(err.message[0] != '\0');
    }
    /* an oct key in a set from elsewhere */
    assert_int_equal(ym_jwks_load(ym_str_of(OCT_SET), false, &set, &err), YM_EINVAL);
    /* a thousand keys */
    struct ym_buf many;
    ym_buf_init(&many, 100000);
    ym_buf_adds(&many, "{\"keys\":[5");
    for (int i = 0; i < 1000; i++) {
        ym_buf_adds(&many, ",5");
    }
    ym_buf_adds(&many, "]}");
    assert_int_equal(ym_jwks_load(ym_buf_str(&many), true, &set, &err), YM_EINVAL);
    ym_buf_clear(&many);
    ym_jwks_close(NULL);
}

/* Each allocation fails in turn: an error, no leak, no key half made. */
static void faults(void **state)
{
    struct ym_jwks *good = set_of(OCT_SET);
    struct ym_buf token;
    (void)state;
    hs_token(&token, ym_str_of(HEADER), ym_str_of(GOOD));
    for (long n = 1; n < 40; n++) {
        struct ym_jwks *set = NULL;
        json_t *claims_ = NULL;
        ym_fault_after(n);
        if (ym_jwks_load(ym_str_of(OCT_SET), true, &set, NULL) == YM_OK) {
            ym_jwks_close(set);
        }
        ym_fault_after(n);
        if (ym_jwt_verify(ym_buf_str(&token), good, &strict, NOW, &claims_, NULL) == YM_OK) {
            json_decref(claims_);
        }
        ym_fault_after(0);
    }
    assert_string_equal(reason_of(good, token.p, token.n, &strict, NOW), "ok");
    ym_buf_clear(&token);
    ym_jwks_close(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors), cmocka_unit_test(form),     cmocka_unit_test(longest),
        cmocka_unit_test(headers),     cmocka_unit_test(claims),   cmocka_unit_test(depth),
        cmocka_unit_test(asymmetric),  cmocka_unit_test(key_sets), cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
