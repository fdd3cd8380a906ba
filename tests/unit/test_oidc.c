/* SPDX-License-Identifier: Apache-2.0
 * OpenID Connect: what is taken and what is refused, and why.
 */
#include "ym_oidc.h"
#include "ym_codec.h"
#include "ym_test.h"

#include <openssl/hmac.h>

#define NOW 1800000000000LL
#define SECRET "0123456789abcdef0123456789abcdef"
#define STATE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ISS "https://idp.example"

static struct ym_jwks *keys;
static const char *const algorithms[] = {"HS256", NULL};

static int setup(void **state)
{
    (void)state;
    struct ym_buf jwk;
    ym_buf_init(&jwk, 1000);
    ym_buf_adds(&jwk, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"");
    ym_base64url_add(&jwk, YM_STR(SECRET));
    ym_buf_adds(&jwk, "\"}]}");
    ym_status rc = ym_jwks_load(ym_buf_str(&jwk), true, &keys, NULL);
    ym_buf_clear(&jwk);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    ym_jwks_close(keys);
    return 0;
}

static void sign(const char *header, const char *claims, struct ym_buf *out)
{
    unsigned char mac[32];
    unsigned n = sizeof(mac);
    ym_buf_init(out, 20000);
    ym_base64url_add(out, ym_str_of(header));
    ym_buf_addc(out, '.');
    ym_base64url_add(out, ym_str_of(claims));
    HMAC(EVP_sha256(), SECRET, 32, (const unsigned char *)out->p, out->n, mac, &n);
    ym_buf_addc(out, '.');
    ym_base64url_add(out, (struct ym_str){(const char *)mac, n});
    assert_int_equal(out->failed, YM_OK);
}

#define HEADER "{\"alg\":\"HS256\",\"kid\":\"k\"}"
#define BASE "\"iss\":\"" ISS "\",\"sub\":\"u1\",\"exp\":1800000300,\"iat\":1799999990"
#define GOOD "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\"}"

static const struct ym_oidc_id_rules *rules_with(const char *access_token)
{
    static struct ym_oidc_id_rules rules;
    rules = (struct ym_oidc_id_rules){.keys = keys,
                                      .algorithms = algorithms,
                                      .issuer = ISS,
                                      .client_id = "gw",
                                      .nonce = "n1",
                                      .access_token = access_token,
                                      .max_age_s = -1,
                                      .skew_ms = 30000};
    return &rules;
}

static ym_status id(const char *header, const char *claims, const struct ym_oidc_id_rules *rules)
{
    struct ym_buf token;
    json_t *got = NULL;
    struct ym_err err;
    sign(header, claims, &token);
    ym_status rc = ym_oidc_id_token(ym_buf_str(&token), rules, NOW, &got, &err);
    json_decref(got);
    ym_buf_clear(&token);
    return rc;
}

static void id_tokens(void **state)
{
    (void)state;
    static const char *const good[] = {
        GOOD, "{" BASE ",\"aud\":[\"gw\"],\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":\"gw\",\"azp\":\"gw\",\"nonce\":\"n1\",\"auth_time\":5,\"acr\":\"x\"}",
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"_claim_names\":{\"a\":\"s\"}}"};
    static const char *const bad[] = {
        "{" BASE ",\"aud\":\"gw\"}",
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n2\"}",
        "{" BASE ",\"aud\":\"gw\",\"nonce\":[\"n1\"]}",
        "{" BASE ",\"aud\":\"other\",\"nonce\":\"n1\"}",
        "{" BASE ",\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":[],\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":[\"gw\",\"other\"],\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":[\"gw\",\"other\"],\"azp\":\"gw\",\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":\"gw\",\"azp\":\"other\",\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":\"gw\",\"azp\":1,\"nonce\":\"n1\"}",
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"auth_time\":\"x\"}",
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"at_hash\":1}",
        "{\"iss\":\"" ISS "\",\"sub\":\"u1\",\"exp\":1800000300,\"aud\":\"gw\",\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "\",\"sub\":\"u1\",\"iat\":1799999990,\"aud\":\"gw\",\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "/\",\"sub\":\"u1\",\"exp\":1800000300,\"iat\":1799999990,\"aud\":\"gw\","
        "\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS
        "\",\"exp\":1800000300,\"iat\":1799999990,\"aud\":\"gw\",\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "\",\"sub\":\"\",\"exp\":1800000300,\"iat\":1799999990,\"aud\":\"gw\","
        "\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "\",\"sub\":\"u1\",\"exp\":1800000300,\"iat\":1799999000,\"aud\":\"gw\","
        "\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "\",\"sub\":\"u1\",\"exp\":1799999900,\"iat\":1799999800,\"aud\":\"gw\","
        "\"nonce\":\"n1\"}",
        "{\"iss\":\"" ISS "\",\"sub\":\"u1\",\"exp\":1e300,\"iat\":1799999990,\"aud\":\"gw\","
        "\"nonce\":\"n1\"}"};
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        if (id(HEADER, good[i], rules_with(NULL)) != YM_OK) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (id(HEADER, bad[i], rules_with(NULL)) != YM_EAUTH) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(id("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GOOD, rules_with(NULL)), YM_OK);
    assert_int_equal(id("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", GOOD, rules_with(NULL)),
                     YM_EAUTH);
    assert_int_equal(id("{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", GOOD, rules_with(NULL)),
                     YM_EAUTH);
    assert_int_equal(id("{\"alg\":\"none\"}", GOOD, rules_with(NULL)), YM_EAUTH);
    assert_int_equal(id("{\"alg\":null}", GOOD, rules_with(NULL)), YM_EAUTH);
}

static void id_token_hashes_and_wishes(void **state)
{
    (void)state;
    /* the example of OIDC Core A.3: at_hash of this access token */
    static const char access[] = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    static const char right[] =
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\"}";
    static const char wrong[] =
        "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RR\"}";
    assert_int_equal(id(HEADER, right, rules_with(access)), YM_OK);
    assert_int_equal(id(HEADER, wrong, rules_with(access)), YM_EAUTH);
    assert_int_equal(id(HEADER, right, rules_with("another")), YM_EAUTH);

    struct ym_oidc_id_rules rules = *rules_with(NULL);
    rules.max_age_s = 60;
    assert_int_equal(id(HEADER, GOOD, &rules), YM_EAUTH);
    assert_int_equal(
        id(HEADER, "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"auth_time\":1799999980}", &rules),
        YM_OK);
    assert_int_equal(
        id(HEADER, "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"auth_time\":1799999000}", &rules),
        YM_EUNSUPPORTED);
    rules = *rules_with(NULL);
    rules.acr = "high higher";
    assert_int_equal(id(HEADER, GOOD, &rules), YM_EUNSUPPORTED);
    assert_int_equal(
        id(HEADER, "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"acr\":\"high\"}", &rules), YM_OK);
    assert_int_equal(
        id(HEADER, "{" BASE ",\"aud\":\"gw\",\"nonce\":\"n1\",\"acr\":\"hig\"}", &rules),
        YM_EUNSUPPORTED);
    rules = *rules_with(NULL);
    rules.nonce = NULL;
    rules.sub = "u1";
    assert_int_equal(id(HEADER, "{" BASE ",\"aud\":\"gw\"}", &rules), YM_OK);
    rules.sub = "u2";
    assert_int_equal(id(HEADER, "{" BASE ",\"aud\":\"gw\"}", &rules), YM_EAUTH);
}

#define EVENTS "\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}"
#define OUT "\"iss\":\"" ISS "\",\"aud\":\"gw\",\"iat\":1799999990"

static ym_status out(const char *header, const char *claims, bool strict)
{
    struct ym_buf token;
    json_t *got = NULL;
    struct ym_oidc_logout logout;
    sign(header, claims, &token);
    ym_status rc = ym_oidc_logout_token(ym_buf_str(&token), rules_with(NULL), strict, NOW, &logout,
                                        &got, NULL);
    if (rc == YM_OK) {
        assert_non_null(logout.jti);
        assert_true(logout.sub != NULL || logout.sid != NULL);
    }
    json_decref(got);
    ym_buf_clear(&token);
    return rc;
}

static void logout_tokens(void **state)
{
    (void)state;
    static const char typed[] = "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}";
    static const char *const good[] = {"{" OUT "," EVENTS ",\"jti\":\"j\",\"sid\":\"s\"}",
                                       "{" OUT "," EVENTS
                                       ",\"jti\":\"j\",\"sub\":\"u1\",\"exp\":1800000100}"};
    static const char *const bad[] = {
        "{" OUT "," EVENTS ",\"jti\":\"j\"}",
        "{" OUT "," EVENTS ",\"sid\":\"s\"}",
        "{" OUT ",\"jti\":\"j\",\"sid\":\"s\"}",
        "{" OUT ",\"events\":{},\"jti\":\"j\",\"sid\":\"s\"}",
        "{" OUT ",\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":1},\"jti\":"
        "\"j\",\"sid\":\"s\"}",
        "{" OUT ",\"events\":{\"urn:other\":{}},\"jti\":\"j\",\"sid\":\"s\"}",
        "{" OUT "," EVENTS ",\"jti\":\"j\",\"sid\":\"s\",\"nonce\":\"n\"}",
        "{" OUT "," EVENTS ",\"jti\":\"j\",\"sid\":7}",
        "{" OUT "," EVENTS ",\"jti\":\"\",\"sid\":\"s\"}",
        "{" OUT "," EVENTS ",\"jti\":\"j\",\"sid\":\"s\",\"exp\":1799999000}",
        "{\"iss\":\"" ISS "\",\"aud\":\"gw\"," EVENTS ",\"jti\":\"j\",\"sid\":\"s\"}",
        "{\"iss\":\"" ISS "\",\"aud\":\"gw\",\"iat\":1799990000," EVENTS
        ",\"jti\":\"j\",\"sid\":\"s\"}",
        "{\"iss\":\"" ISS "\",\"aud\":\"o\",\"iat\":1799999990," EVENTS
        ",\"jti\":\"j\",\"sid\":\"s\"}",
        "{\"iss\":\"x\",\"aud\":\"gw\",\"iat\":1799999990," EVENTS ",\"jti\":\"j\",\"sid\":\"s\"}"};
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        assert_int_equal(out(typed, good[i], true), YM_OK);
        assert_int_equal(out(HEADER, good[i], false), YM_OK);
        assert_int_equal(out(HEADER, good[i], true), YM_EAUTH);
        assert_int_equal(out("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", good[i], true), YM_EAUTH);
        assert_int_equal(out("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", good[i], false), YM_EAUTH);
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (out(typed, bad[i], true) != YM_EAUTH) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"https://a", "https://a.b.example:8443/x?y=1",
                                       "https://[2400:3200::1]/x", "https://10.1.2.3:443/"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///x",
                                      "https://u@a/",
                                      "https://a:b@c/",
                                      "https://a#f",
                                      "https://a b",
                                      "https://a\\b",
                                      "https://a:/",
                                      "https://a:1234567/",
                                      "https://a:8x/",
                                      "ftp://a/",
                                      "//a/",
                                      "file:///etc/passwd",
                                      "https://[::1",
                                      "https://[]/",
                                      "https://-a/",
                                      "https://.a/",
                                      "https://a\"b",
                                      "gopher://a",
                                      "HTTPS://a",
                                      "https://\xe4\xb8\xad"};
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        assert_true(ym_oidc_url_ok(good[i], false));
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (ym_oidc_url_ok(bad[i], true)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_false(ym_oidc_url_ok(NULL, true));
    assert_false(ym_oidc_url_ok("http://a/", false));
    assert_true(ym_oidc_url_ok("http://a/", true));
    assert_int_equal(ym_oidc_origin("https://a:1/x"), 11);
    assert_int_equal(ym_oidc_origin("https://a?x"), 9);
    assert_int_equal(ym_oidc_origin("x"), 0);
}

#define DOC                                                                                        \
    "\"issuer\":\"" ISS "\",\"authorization_endpoint\":\"" ISS "/a\",\"token_endpoint\":\"" ISS    \
    "/t\",\"jwks_uri\":\"" ISS "/j\""

static ym_status discover(const char *text, struct ym_oidc_provider *op, struct ym_arena *a)
{
    return ym_oidc_discovery(ym_str_of(text), ISS, a, op, NULL);
}

static void discovery(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"issuer\":\"" ISS "\"}",
        "{\"issuer\":\"" ISS "/\",\"authorization_endpoint\":\"" ISS
        "/a\",\"token_endpoint\":\"" ISS "/t\",\"jwks_uri\":\"" ISS "/j\"}",
        "{\"issuer\":\"" ISS "\",\"authorization_endpoint\":\"http://idp.example/a\","
        "\"token_endpoint\":\"" ISS "/t\",\"jwks_uri\":\"" ISS "/j\"}",
        "{" DOC ",\"userinfo_endpoint\":\"javascript:alert(1)\"}",
        "{" DOC ",\"end_session_endpoint\":7}",
        "{" DOC ",\"response_types_supported\":[\"id_token\"]}",
        "{" DOC "," DOC "}"};
    struct ym_arena *a = ym_arena_open();
    struct ym_oidc_provider op;

    assert_int_equal(discover("{" DOC "}", &op, a), YM_OK);
    assert_string_equal(op.token, ISS "/t");
    assert_null(op.userinfo);
    assert_false(op.iss_parameter);
    assert_false(op.secret_post_only);
    assert_int_equal(discover("{" DOC ",\"userinfo_endpoint\":\"" ISS
                              "/u\",\"end_session_endpoint\":\"" ISS
                              "/e\",\"authorization_response_iss_parameter_supported\":true,"
                              "\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"],"
                              "\"response_types_supported\":[\"code\"]}",
                              &op, a),
                     YM_OK);
    assert_string_equal(op.userinfo, ISS "/u");
    assert_string_equal(op.end_session, ISS "/e");
    assert_true(op.iss_parameter);
    assert_true(op.secret_post_only);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (discover(bad[i], &op, a) == YM_OK) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    ym_arena_close(a);
}

static void request_address(void **state)
{
    (void)state;
    struct ym_buf url;
    const struct ym_oidc_provider op = {.authorize = "https://idp.example/a?tenant=1"};
    struct ym_oidc_request rq = {.client_id = "g w&",
                                 .redirect_uri = "https://gw.example/cb",
                                 .scope = "openid profile",
                                 .state = STATE,
                                 .nonce = "n",
                                 /* RFC 7636, appendix B */
                                 .verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                                 .max_age_s = -1};
    ym_buf_init(&url, 4096);
    assert_int_equal(ym_oidc_authorize_url(&op, &rq, &url), YM_OK);
    assert_string_equal(url.p,
                        "https://idp.example/a?tenant=1&response_type=code&client_id=g%20w%26"
                        "&redirect_uri=https%3A%2F%2Fgw.example%2Fcb&scope=openid%20profile"
                        "&state=" STATE "&nonce=n"
                        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
                        "&code_challenge_method=S256");
    ym_buf_reset(&url);
    rq.max_age_s = 0;
    rq.prompt = "login";
    assert_int_equal(ym_oidc_authorize_url(&op, &rq, &url), YM_OK);
    assert_non_null(strstr(url.p, "&prompt=login&max_age=0"));
    ym_buf_clear(&url);
}

static void responses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "&",
                                      "&&&",
                                      "state",
                                      "state=",
                                      "code=c",
                                      "state=" STATE,
                                      "code=c&state",
                                      "code&state=" STATE,
                                      "code=&state=" STATE,
                                      "code=c&state=short",
                                      "code=c&state=" STATE "A",
                                      "code=c&state=" STATE "&state=" STATE,
                                      "code=c&code=c&state=" STATE,
                                      "code=c&state=" STATE "&iss=a&iss=a",
                                      "error=e&error=e&state=" STATE,
                                      "code=c&error=e&state=" STATE,
                                      "error=<script>&state=" STATE,
                                      "error=a%0d%0ab&state=" STATE,
                                      "code=a%00b&state=" STATE,
                                      "code=a%0ab&state=" STATE,
                                      "code=%&state=" STATE,
                                      "code=%4&state=" STATE,
                                      "code=%zz&state=" STATE,
                                      "code=c&state=" STATE "&id_token=x",
                                      "code=c&state=" STATE "&access_token=x",
                                      "response=x",
                                      "code=c&state=" STATE "&iss=",
                                      "code=c&c%6fde=d&state=" STATE,
                                      "code=c&state=" STATE "&session_state=a&session_state=b",
                                      "code=\xe4\xb8\xad&state=" STATE};
    struct ym_arena *a = ym_arena_open();
    struct ym_oidc_response r;
    struct ym_oidc_provider op = {.issuer = ISS};

    assert_int_equal(ym_oidc_response(YM_STR("code=a%2Bb+c&state=" STATE "&x=1&x=2"), a, &r, NULL),
                     YM_OK);
    assert_string_equal(r.code, "a+b c");
    assert_string_equal(r.state, STATE);
    assert_null(r.iss);
    assert_null(r.error);
    assert_int_equal(ym_oidc_response_iss(&r, &op, NULL), YM_OK);
    op.iss_parameter = true;
    assert_int_equal(ym_oidc_response_iss(&r, &op, NULL), YM_EAUTH);
    assert_int_equal(ym_oidc_response(YM_STR("error=access_denied&error_description=%3Cscript%3E"
                                             "&state=" STATE "&iss=https%3A%2F%2Fidp.example"),
                                      a, &r, NULL),
                     YM_OK);
    assert_string_equal(r.error, "access_denied");
    assert_int_equal(ym_oidc_response_iss(&r, &op, NULL), YM_OK);
    op.issuer = "https://other.example";
    assert_int_equal(ym_oidc_response_iss(&r, &op, NULL), YM_EAUTH);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (ym_oidc_response(ym_str_of(bad[i]), a, &r, NULL) == YM_OK) {
            fail_msg("taken: %s", bad[i]);
        }
    }

    struct ym_buf large;
    ym_buf_init(&large, 100000);
    ym_buf_adds(&large, "code=c&state=");
    for (int i = 0; i < 65536; i++) {
        ym_buf_addc(&large, 'A');
    }
    assert_int_equal(ym_oidc_response(ym_buf_str(&large), a, &r, NULL), YM_ETOOBIG);
    ym_buf_reset(&large);
    for (int i = 0; i < 65; i++) {
        ym_buf_adds(&large, "a=b&");
    }
    assert_int_equal(ym_oidc_response(ym_buf_str(&large), a, &r, NULL), YM_ETOOBIG);
    ym_buf_clear(&large);

    struct ym_str v;
    assert_int_equal(ym_oidc_param(YM_STR("a=1&logout_token=x.y.z"), "logout_token", a, &v), YM_OK);
    assert_true(ym_str_is(v, "x.y.z"));
    assert_int_equal(ym_oidc_param(YM_STR("b=1&b=1"), "b", a, &v), YM_EINVAL);
    assert_int_equal(ym_oidc_param(YM_STR("b=1"), "c", a, &v), YM_ENOTFOUND);
    ym_arena_close(a);
}

static ym_status answer(unsigned status, const char *type, const char *body,
                        struct ym_oidc_tokens *t, struct ym_arena *a)
{
    return ym_oidc_tokens(status, ym_str_of(type), ym_str_of(body), a, t, NULL);
}

#define JSON "application/json"

static void token_answers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<html>",
        "[]",
        "{}",
        "{\"access_token\":\"a\"}",
        "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
        "{\"access_token\":\"\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":1,\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":-1}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":1e18}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":\"3600\"}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":0}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":[]}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"refresh_token\":{}}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"error\":\"x\"}"};
    struct ym_arena *a = ym_arena_open();
    struct ym_oidc_tokens t;

    assert_int_equal(answer(200, "application/json; charset=utf-8",
                            "{\"access_token\":\"a\",\"token_type\":\"bEARER\",\"id_token\":\"i\","
                            "\"refresh_token\":\"r\",\"expires_in\":3600}",
                            &t, a),
                     YM_OK);
    assert_string_equal(t.access_token, "a");
    assert_string_equal(t.id_token, "i");
    assert_string_equal(t.refresh_token, "r");
    assert_int_equal(t.expires_in_ms, 3600000);
    assert_int_equal(answer(200, JSON, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", &t, a),
                     YM_OK);
    assert_int_equal(t.expires_in_ms, 0);
    assert_null(t.id_token);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (answer(200, JSON, bad[i], &t, a) == YM_OK) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(answer(400, JSON, "{\"error\":\"invalid_grant\"}", &t, a), YM_EAUTH);
    assert_string_equal(t.error, "invalid_grant");
    assert_int_equal(answer(400, JSON, "{\"error\":\"a\\nb\"}", &t, a), YM_EAUTH);
    assert_string_equal(t.error, "unnamed");
    assert_int_equal(answer(200, "text/html", "{}", &t, a), YM_EINVAL);
    assert_int_equal(answer(302, JSON, "{}", &t, a), YM_EINVAL);
    assert_int_equal(answer(500, JSON, "{\"error\":\"x\"}", &t, a), YM_EINVAL);
    ym_arena_close(a);
}

static ym_status info(unsigned status, const char *type, const char *body)
{
    json_t *doc = NULL;
    ym_status rc = ym_oidc_userinfo(status, ym_str_of(type), ym_str_of(body), "u1", &doc, NULL);
    json_decref(doc);
    return rc;
}

static void userinfo_and_claims(void **state)
{
    (void)state;
    assert_int_equal(info(200, JSON, "{\"sub\":\"u1\",\"name\":\"x\"}"), YM_OK);
    assert_int_equal(info(200, JSON, "{\"sub\":\"u2\"}"), YM_EAUTH);
    assert_int_equal(info(200, JSON, "{\"sub\":[\"u1\"]}"), YM_EAUTH);
    assert_int_equal(info(200, JSON, "{}"), YM_EAUTH);
    assert_int_equal(info(200, JSON, "[{\"sub\":\"u1\"}]"), YM_EINVAL);
    assert_int_equal(info(200, "application/jwt", "a.b.c"), YM_EINVAL);
    assert_int_equal(info(200, "application/jsonx", "{\"sub\":\"u1\"}"), YM_EINVAL);
    assert_int_equal(info(200, "text/html", "{\"sub\":\"u1\"}"), YM_EINVAL);
    assert_int_equal(info(401, JSON, "{\"sub\":\"u1\"}"), YM_EINVAL);

    json_t *claims = json_pack("{s:s,s:{s:[s]},s:s,s:s,s:i}", "name", "\xe7\x8e\x8b", "realm",
                               "roles", "admin", "bad", "a\nb", "c1", "a\xc2\x85", "n", 5);
    assert_true(ym_str_is(ym_oidc_claim_text(claims, "name", 10), "\xe7\x8e\x8b"));
    assert_int_equal(ym_oidc_claim_text(claims, "name", 2).n, 0);
    assert_int_equal(ym_oidc_claim_text(claims, "bad", 10).n, 0);
    assert_int_equal(ym_oidc_claim_text(claims, "c1", 10).n, 0);
    assert_int_equal(ym_oidc_claim_text(claims, "n", 10).n, 0);
    assert_int_equal(ym_oidc_claim_text(claims, "none", 10).n, 0);
    assert_true(json_is_array(ym_oidc_claim(claims, "/realm/roles")));
    assert_null(ym_oidc_claim(claims, "/realm/none"));
    assert_true(ym_oidc_word_ok("pwd") && ym_oidc_word_ok("face.v2_x-y"));
    assert_false(ym_oidc_word_ok(NULL) || ym_oidc_word_ok("") || ym_oidc_word_ok("a b") ||
                 ym_oidc_word_ok("a\n"));
    json_decref(claims);
}

static void unknown_keys(void **state)
{
    (void)state;
    struct ym_buf token;
    sign(HEADER, GOOD, &token);
    assert_false(ym_oidc_key_unknown(ym_buf_str(&token), keys));
    ym_buf_clear(&token);
    sign("{\"alg\":\"HS256\",\"kid\":\"k2\"}", GOOD, &token);
    assert_true(ym_oidc_key_unknown(ym_buf_str(&token), keys));
    ym_buf_clear(&token);
    sign("{\"alg\":\"HS256\"}", GOOD, &token);
    assert_true(ym_oidc_key_unknown(ym_buf_str(&token), keys));
    ym_buf_clear(&token);
    assert_false(ym_oidc_key_unknown(YM_STR("a.b"), keys));
}

static ym_status response_body(void *data)
{
    (void)data;
    struct ym_oidc_response r;
    struct ym_arena *a = ym_arena_open();
    ym_status rc = YM_ENOMEM;
    if (a != NULL) {
        rc = ym_oidc_response(YM_STR("code=c&state=" STATE "&iss=x"), a, &r, NULL);
    }
    ym_arena_close(a);
    return rc;
}

static void memory(void **state)
{
    (void)state;
    fault_loop(response_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(discovery),
        cmocka_unit_test(request_address),
        cmocka_unit_test(responses),
        cmocka_unit_test(token_answers),
        cmocka_unit_test(id_tokens),
        cmocka_unit_test(id_token_hashes_and_wishes),
        cmocka_unit_test(logout_tokens),
        cmocka_unit_test(userinfo_and_claims),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
