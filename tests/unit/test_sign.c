/* SPDX-License-Identifier: Apache-2.0
 * Every signature and crypto row of tests/data/test-vectors.csv through the schemes, then what the
 * rows do not say: refusals, renaming, tampering, round trips.
 */
#include "ym_codec.h"
#include "ym_csv.h"
#include "ym_json.h"
#include "ym_sign.h"
#include "ym_gm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define NOW_MS 1700000000000LL

/* Parameters from a JSON object: names that differ in the table are translated first. */
static const char *param_of(void *data, const char *name)
{
    static const struct {
        const char *ours, *theirs;
    } other[] = {{"appKey", "AK"}, {"secret", "SK"}, {"secret", "servicepwd"}};
    const char *v = ym_json_str(data, name);

    for (size_t i = 0; v == NULL && i < YM_COUNT(other); i++) {
        v = strcmp(other[i].ours, name) == 0 ? ym_json_str(data, other[i].theirs) : NULL;
    }
    return v;
}

static const char *pair(const struct ym_pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return pairs[i].value;
        }
    }
    return NULL;
}

struct fixture {
    struct ym_arena *a;
    struct ym_pair pairs[16];
    size_t count;
    struct ym_err err;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.a = ym_arena_open();
    *state = &f;
    return f.a == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ym_arena_close(f->a);
    return 0;
}

static json_t *object(struct fixture *f, const char *text)
{
    json_t *j = NULL;

    assert_int_equal(ym_json_parse(ym_str_of(text), &ym_json_defaults, &j, &f->err), YM_OK);
    ym_arena_cleanup(f->a, (void (*)(void *))json_decref, j);
    return j;
}

/* Line n (from 0) of a \n-escaped string to sign. */
static char *line(struct fixture *f, const char *text, int n)
{
    const char *end;

    for (; n > 0 && text != NULL; n--) {
        text = strstr(text, "\\n");
        text = text != NULL ? text + 2 : NULL;
    }
    if (text == NULL) {
        return NULL;
    }
    end = strstr(text, "\\n");
    return ym_arena_str(f->a,
                        (struct ym_str){text, end != NULL ? (size_t)(end - text) : strlen(text)});
}

static ym_status sign(struct fixture *f, const char *scheme, struct ym_sign_input in,
                      json_t *params)
{
    in.now_ms = in.now_ms != 0 ? in.now_ms : NOW_MS;
    in.offset_min = 480;
    in.param = param_of;
    in.data = params;
    f->count = 0;
    return ym_sign(scheme, &in, f->a, f->pairs, YM_COUNT(f->pairs), &f->count, &f->err);
}

/* One row; false when the row is none of ours. */
static bool row_runs(struct fixture *f, const char *id, const char *scheme, json_t *in,
                     const char *text, const char *expected)
{
    struct ym_sign_input si = {.method = "POST", .path = "/", .query = "", .nonce = "nonce-demo"};
    char hex[128];
    struct ym_buf b;

    ym_buf_init(&b, 4096);
    if (strcmp(scheme, "irs_md5") == 0) {
        assert_int_equal(sign(f, "irs_md5", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "sign"), expected);
        assert_string_equal(pair(f->pairs, f->count, "requestTime"), "1700000000000");
    } else if (strcmp(scheme, "irs_md5 sister") == 0) {
        assert_int_equal(sign(f, "link_do", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "sign"), expected);
    } else if (strcmp(scheme, "tif_sha256") == 0) {
        const char *got;

        json_object_set_new(in, "paasid", json_string("app"));
        assert_int_equal(sign(f, "tif_sha256", si, in), YM_OK);
        got = pair(f->pairs, f->count, "x-tif-signature");
        assert_true(ym_sign_hex_equal(ym_str_of(got), ym_str_of(expected)));
        assert_string_equal(pair(f->pairs, f->count, "x-tif-timestamp"), "1700000000");
    } else if (strcmp(id, "gjgxjhpt-sign") == 0) {
        assert_int_equal(sign(f, "gjgxjhpt_hmac", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "gjgxjhpt_sign"), expected);
    } else if (strcmp(id, "gjgxjhpt-wrap-key") == 0) {
        /* the key shows in what it decrypts: the two unwrap rows hold only with this key */
        unsigned char key[16];

        assert_true(ym_unhex(ym_str_of(expected), key));
    } else if (strncmp(id, "gjgxjhpt-unwrap", 15) == 0) {
        assert_int_equal(ym_sign_unwrap(ym_json_str(in, "long_term_secret"),
                                        ym_str_of(ym_json_str(in, "wrapped")),
                                        ym_json_str(in, "iv_ascii"), &b, &f->err),
                         YM_OK);
        assert_string_equal(b.p, expected);
    } else if (strcmp(scheme, "zwdd_hmac") == 0) {
        const char *params = line(f, text, 4);

        si.method = line(f, text, 0);
        si.path = line(f, text, 3);
        si.nonce = "1234";
        si.body = ym_str_of(params);
        json_object_set_new(in, "appKey", json_string("ak-demo"));
        assert_int_equal(sign(f, "zwdd_hmac", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "X-Hmac-Auth-Timestamp"), line(f, text, 1));
        assert_string_equal(pair(f->pairs, f->count, "X-Hmac-Auth-Nonce"), line(f, text, 2));
        assert_string_equal(pair(f->pairs, f->count, "X-Hmac-Auth-Signature"), expected);
    } else if (strcmp(scheme, "bg_hmac") == 0) {
        si.method = line(f, text, 0);
        si.path = line(f, text, 1);
        si.query = ym_json_str(in, "query") != NULL ? ym_json_str(in, "query") : "";
        assert_int_equal(sign(f, "bg_hmac", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "X-BG-DATE-TIME"), line(f, text, 4));
        assert_string_equal(pair(f->pairs, f->count, "X-BG-HMAC-SIGNATURE"), expected);
    } else if (strcmp(scheme, "bg_hmac layer 2") == 0) {
        assert_int_equal(sign(f, "ticket_md5", si, in), YM_OK);
        assert_string_equal(pair(f->pairs, f->count, "time"), ym_json_str(in, "time"));
        assert_string_equal(pair(f->pairs, f->count, "sign"), expected);
    } else if (strcmp(id, "sm3-abc") == 0) {
        assert_int_equal(ym_sm3_hex(ym_str_of(ym_json_str(in, "data")), hex), YM_OK);
        assert_string_equal(hex, expected);
    } else if (strncmp(id, "sm4-ecb", 7) == 0) {
        unsigned char key[16], block[16];
        const char *plain = ym_json_str(in, "plain_utf8");
        struct ym_str p = plain != NULL ? ym_str_of(plain) : (struct ym_str){(char *)block, 16};

        assert_true(ym_unhex(ym_str_of(ym_json_str(in, "key_hex")), key));
        assert_true(plain != NULL || ym_unhex(ym_str_of(ym_json_str(in, "plain_hex")), block));
        assert_int_equal(ym_sm4(true, key, NULL, plain != NULL, p, &b, &f->err), YM_OK);
        ym_hex((unsigned char *)b.p, b.n, false, hex);
        assert_string_equal(hex, expected);
    } else {
        ym_buf_clear(&b);
        return false;
    }
    ym_buf_clear(&b);
    return true;
}

/* Proves: all 19 published vectors come out of the schemes. */
static void vectors(void **state)
{
    struct fixture *f = *state;
    struct ym_csv csv;
    size_t ran = 0;

    assert_int_equal(ym_csv_file("tests/data/test-vectors.csv", f->a, &csv, &f->err), YM_OK);
    for (size_t i = 0; i < csv.count; i++) {
        const struct ym_str *c = csv.rows[i].cells;

        ran += row_runs(f, c[0].p, c[1].p, object(f, c[2].p), c[3].p, c[4].p);
    }
    assert_int_equal(ran, 19);
}

/* Proves: a scheme says what is missing, and an unknown one is refused. */
static void refusals(void **state)
{
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "GET", .path = "/", .query = ""};

    assert_int_equal(sign(f, "irs_md5", in, object(f, "{\"appKey\":\"a\"}")), YM_EINVAL);
    assert_non_null(strstr(f->err.message, "secret"));
    assert_int_equal(sign(f, "md5_of_everything", in, object(f, "{}")), YM_EUNSUPPORTED);
    assert_null(ym_sign_params("md5_of_everything"));
    for (size_t i = 0; ym_sign_schemes[i] != NULL; i++) {
        assert_non_null(ym_sign_params(ym_sign_schemes[i]));
        assert_int_equal(sign(f, ym_sign_schemes[i], in, object(f, "{}")), YM_EINVAL);
    }
    in.param = param_of;
    in.data = object(f, "{\"appKey\":\"a\",\"secret\":\"b\"}");
    assert_int_equal(ym_sign("irs_md5", &in, f->a, f->pairs, 2, &f->count, &f->err), YM_ETOOBIG);
}

/* Proves: names are profile data (a county copy spells appkey in lower case, x-rio- for x-tif-). */
static void renaming(void **state)
{
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "GET", .path = "/", .query = "", .nonce = "n"};

    assert_int_equal(
        sign(f, "irs_md5", in,
             object(f,
                    "{\"appKey\":\"ak-demo\",\"secret\":\"sk-demo\",\"name.appKey\":\"appkey\"}")),
        YM_OK);
    assert_string_equal(pair(f->pairs, f->count, "appkey"), "ak-demo");
    assert_null(pair(f->pairs, f->count, "appKey"));
    assert_int_equal(
        sign(f, "tif_sha256", in,
             object(f,
                    "{\"paasid\":\"p\",\"token\":\"t\",\"prefix\":\"x-rio-\",\"case\":\"upper\"}")),
        YM_OK);
    assert_non_null(pair(f->pairs, f->count, "x-rio-signature"));
    assert_null(strpbrk(pair(f->pairs, f->count, "x-rio-signature"), "abcdef"));
}

/* Proves: bg_hmac signs %2B and + alike (the reference client's fault), and `plus: literal` mends it. */
static void bg_quirks(void **state)
{
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "GET", .path = "/restapi/prod/demo", .query = "c=1%2B1"};
    json_t *p = object(f, "{\"AK\":\"ak-demo\",\"SK\":\"sk-demo\"}");
    char *percent;

    assert_int_equal(sign(f, "bg_hmac", in, p), YM_OK);
    assert_string_equal(pair(f->pairs, f->count, "X-BG-HMAC-SIGNATURE"),
                        "NkE2KN+ZBxraaNAhGC7dVVm+BDNTExfcszEy4yqaPdU=");
    in.query = "d=50%25&b";
    assert_int_equal(sign(f, "bg_hmac", in, p), YM_OK);
    percent = ym_arena_strz(f->a, pair(f->pairs, f->count, "X-BG-HMAC-SIGNATURE"));
    in.query = "b&d=50%"; /* a percent sign stays bare, order does not matter */
    assert_int_equal(sign(f, "bg_hmac", in, p), YM_OK);
    assert_string_equal(pair(f->pairs, f->count, "X-BG-HMAC-SIGNATURE"), percent);
    in.query = "c=1%2B1";
    json_object_set_new(p, "plus", json_string("literal"));
    assert_int_equal(sign(f, "bg_hmac", in, p), YM_OK);
    assert_string_not_equal(pair(f->pairs, f->count, "X-BG-HMAC-SIGNATURE"),
                            "NkE2KN+ZBxraaNAhGC7dVVm+BDNTExfcszEy4yqaPdU=");
}

/* Proves: the generic scheme covers exactly the fields named, in their order. */
static void generic(void **state)
{
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "POST", .path = "/p", .query = "q=1", .nonce = "n1"};
    json_t *p = object(f, "{\"key\":\"k\",\"fields\":\"timestamp nonce body_hash\","
                          "\"separator\":\"|\",\"key_id\":\"id7\"}");
    char *ret;

    in.body = ym_str_of("{}");
    assert_int_equal(sign(f, "hmac_sha256", in, p), YM_OK);
    /* printf '1700000000|n1|%s' $(printf '{}' | sha256sum) | openssl dgst -sha256 -hmac k */
    assert_string_equal(pair(f->pairs, f->count, "X-Signature"),
                        "45704205f8c869791a1c81200de15c317e49a2ced7675263591972cc328c01b0");
    assert_string_equal(pair(f->pairs, f->count, "X-Key-Id"), "id7");
    ret = ym_arena_strz(f->a, pair(f->pairs, f->count, "X-Signature"));
    in.path = "/other"; /* not among the fields */
    assert_int_equal(sign(f, "hmac_sha256", in, p), YM_OK);
    assert_string_equal(pair(f->pairs, f->count, "X-Signature"), ret);
    in.body = ym_str_of("{ }");
    assert_int_equal(sign(f, "hmac_sha256", in, p), YM_OK);
    assert_string_not_equal(pair(f->pairs, f->count, "X-Signature"), ret);
    assert_int_equal(sign(f, "hmac_sm3", in, p), YM_OK);
    assert_string_not_equal(pair(f->pairs, f->count, "X-Signature"), ret);
    json_object_set_new(p, "fields", json_string("timestamp colour"));
    assert_int_equal(sign(f, "hmac_sha256", in, p), YM_EINVAL);
    assert_non_null(strstr(f->err.message, "colour"));
}

/* Proves: SM2 signatures verify, raw and DER, and stop verifying when anything is touched. */
static void sm2(void **state)
{
    static const char key[] = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    struct fixture *f = *state;
    char public[131];

    assert_int_equal(ym_sm2_public(key, public, &f->err), YM_OK);
    /* the key pair of GB/T 32918.5, annex A */
    assert_string_equal(public, "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
                                "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13");
    for (int der = 0; der < 2; der++) {
        struct ym_buf sig;
        struct ym_str m = YM_STR("message digest");

        ym_buf_init(&sig, 256);
        assert_int_equal(ym_sm2_sign(key, NULL, m, der == 1, &sig, &f->err), YM_OK);
        assert_true(der == 1 || sig.n == 64);
        assert_int_equal(ym_sm2_verify(public, NULL, m, ym_buf_str(&sig), der == 1, &f->err),
                         YM_OK);
        assert_int_equal(ym_sm2_verify(public, NULL, YM_STR("message digesT"), ym_buf_str(&sig),
                                       der == 1, &f->err),
                         YM_EAUTH);
        assert_int_equal(
            ym_sm2_verify(public, "other signer", m, ym_buf_str(&sig), der == 1, &f->err),
            YM_EAUTH);
        sig.p[sig.n - 1] ^= 1;
        assert_int_equal(ym_sm2_verify(public, NULL, m, ym_buf_str(&sig), der == 1, &f->err),
                         YM_EAUTH);
        assert_int_equal(
            ym_sm2_verify(public, NULL, m, (struct ym_str){sig.p, 10}, der == 1, &f->err),
            YM_EAUTH);
        ym_buf_clear(&sig);
    }
    assert_int_equal(ym_sm2_public("12", public, &f->err), YM_EINVAL);
}

/* The signature example of GB/T 32918.5 annex A verifies: the digest with identity is theirs too. */
static void sm2_standard(void **state)
{
    struct fixture *f = *state;
    static const char public[] =
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    unsigned char sig[64];

    assert_true(ym_unhex(YM_STR("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
                                "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"),
                         sig));
    assert_int_equal(ym_sm2_verify(public, NULL, YM_STR("message digest"),
                                   (struct ym_str){(char *)sig, 64}, false, &f->err),
                     YM_OK);
}

/* Proves: the envelope opens again with the same keys, and its signature covers what it says. */
static void envelope(void **state)
{
    static const char keys[] =
        "{\"appCode\":\"app-demo\",\"sm4_key\":\"0123456789abcdeffedcba9876543210\",\"sm2_key\":"
        "\"3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8\"}";
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "POST", .path = "/", .query = ""};
    unsigned char key[16], cipher[64];
    char public[131];
    struct ym_str hex;
    struct ym_buf plain, sig;

    in.body = ym_str_of("{\"name\":\"调解\"}");
    assert_int_equal(sign(f, "sm_envelope", in, object(f, keys)), YM_OK);
    hex = ym_str_of(pair(f->pairs, f->count, "encData"));
    assert_true(hex.n % 32 == 0 && hex.n / 2 <= sizeof(cipher) && ym_unhex(hex, cipher));
    assert_null(strpbrk(hex.p, "abcdef"));
    assert_true(ym_unhex(YM_STR("0123456789abcdeffedcba9876543210"), key));
    ym_buf_init(&plain, 256);
    ym_buf_init(&sig, 256);
    assert_int_equal(
        ym_sm4(false, key, NULL, true, (struct ym_str){(char *)cipher, hex.n / 2}, &plain, &f->err),
        YM_OK);
    assert_string_equal(plain.p, "{\"name\":\"调解\"}");
    assert_int_equal(ym_base64_decode(ym_str_of(pair(f->pairs, f->count, "signData")), &sig),
                     YM_OK);
    assert_int_equal(ym_sm2_public(ym_json_str(object(f, keys), "sm2_key"), public, &f->err),
                     YM_OK);
    assert_int_equal(ym_sm2_verify(public, NULL, in.body, ym_buf_str(&sig), false, &f->err), YM_OK);
    key[0] ^= 1;
    ym_buf_reset(&plain);
    assert_int_equal(
        ym_sm4(false, key, NULL, true, (struct ym_str){(char *)cipher, hex.n / 2}, &plain, &f->err),
        YM_EAUTH);
    ym_buf_clear(&plain);
    ym_buf_clear(&sig);
}

/* Proves: a wrapped secret that was cut, or wrapped otherwise, is refused and not half used. */
static void unwrap_refusals(void **state)
{
    struct fixture *f = *state;
    struct ym_buf b;
    static const char *const bad[] = {"", "!!!!", "9HeeUGrew/myUVRCkZaikPR3nlBq3sP5", "AAAA"};

    ym_buf_init(&b, 4096);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_int_equal(ym_sign_unwrap("sec-demo", ym_str_of(bad[i]), NULL, &b, &f->err),
                         YM_EAUTH);
    }
    assert_int_equal(
        ym_sign_unwrap("sec-other",
                       YM_STR("9HeeUGrew/myUVRCkZaikPR3nlBq3sP5slFUQpGWopDAtLYACPgSZsSv3B4m9p6Y"),
                       NULL, &b, &f->err),
        YM_EAUTH);
    assert_int_equal(ym_sign_unwrap("sec-demo", YM_STR("AAAA"), "short", &b, &f->err), YM_EINVAL);
    assert_int_equal(b.n, 0);
    ym_buf_clear(&b);
}

/* Proves: every allocation may fail once; the call answers ENOMEM or still succeeds, nothing leaks. */
static void allocations(void **state)
{
    struct fixture *f = *state;
    struct ym_sign_input in = {.method = "GET", .path = "/p", .query = "a=1&b=2", .nonce = "n"};
    json_t *p = object(f, "{\"AK\":\"ak-demo\",\"SK\":\"sk-demo\"}");

    for (long n = 1; n < 60; n++) {
        ym_status rc;

        ym_fault_after(n);
        rc = sign(f, "bg_hmac", in, p);
        ym_fault_after(0);
        assert_true(rc == YM_OK || rc == YM_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(renaming, setup, teardown),
        cmocka_unit_test_setup_teardown(bg_quirks, setup, teardown),
        cmocka_unit_test_setup_teardown(generic, setup, teardown),
        cmocka_unit_test_setup_teardown(sm2, setup, teardown),
        cmocka_unit_test_setup_teardown(sm2_standard, setup, teardown),
        cmocka_unit_test_setup_teardown(envelope, setup, teardown),
        cmocka_unit_test_setup_teardown(unwrap_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(allocations, setup, teardown),
    };

    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
