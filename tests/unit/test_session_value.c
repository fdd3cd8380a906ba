/* SPDX-License-Identifier: Apache-2.0
 * Proves that a session's value comes back as it was, for its own session only, and that nothing
 * else is taken for one.
 */
#include "ym_test.h"

#include "ym_session_value.h"

#include <stdio.h>

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct ym_ring *ring(void)
{
    struct ym_ring *r = NULL;
    struct ym_err err;

    assert_int_equal(
        ym_ring_load(YM_STR("{\"keys\":[{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"t1\",\"k\":"
                            "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},{\"kty\":\"oct\","
                            "\"alg\":\"HS256\",\"kid\":\"mac\",\"k\":"
                            "\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA\"}]}"),
                     &r, &err),
        YM_OK);
    return r;
}

static const struct ym_session_value mei = {
    .person = {"city:mei", 8},
    .provider = {"city", 4},
    .issuer = {"https://city.test", 17},
    .subject = {"mei", 3},
    .name = {"\xe6\x9d\x8e\"\n", 5},
    .refresh_token = {"r-1", 3},
    .roles = 17,
    .auth_time = 1769819400123,
};

static void comes_back(void **state)
{
    struct ym_ring *r = ring();
    struct ym_session_value v;
    struct ym_buf sealed;
    struct ym_err err;
    json_t *json = NULL;

    (void)state;
    ym_buf_init(&sealed, YM_SESSION_VALUE_MAX);
    assert_int_equal(ym_session_value_seal(r, DIGEST, &mei, &sealed, &err), YM_OK);
    assert_null(memmem(sealed.p, sealed.n, "mei", 3));
    assert_int_equal(ym_session_value_open(r, DIGEST, ym_buf_str(&sealed), &json, &v, &err), YM_OK);
    assert_true(ym_str_eq(v.person, mei.person) && ym_str_eq(v.name, mei.name));
    assert_true(ym_str_eq(v.refresh_token, mei.refresh_token));
    assert_int_equal(v.email.n, 0);
    assert_true(v.roles == 17 && v.auth_time == mei.auth_time && v.refresh_at == 0);
    json_decref(json);

    assert_int_equal(ym_session_value_open(r, OTHER, ym_buf_str(&sealed), &json, &v, &err),
                     YM_EAUTH);
    sealed.p[sealed.n - 20] ^= 1;
    assert_int_equal(ym_session_value_open(r, DIGEST, ym_buf_str(&sealed), &json, &v, &err),
                     YM_EAUTH);
    sealed.p[sealed.n - 20] ^= 1;
    for (size_t n = 0; n < sealed.n; n++) {
        assert_int_equal(
            ym_session_value_open(r, DIGEST, (struct ym_str){sealed.p, n}, &json, &v, &err),
            YM_EAUTH);
    }
    ym_buf_clear(&sealed);
    ym_ring_close(r);
}

#define REST                                                                                       \
    "\"person\":\"p\",\"iss\":\"i\",\"sub\":\"s\",\"roles\":1,\"auth_time\":0,\"refresh_at\":0}"

static void nothing_else_is_one(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "5",
        "{\"t\":\"session\",\"v\":1}",
        "{\"t\":\"flow\",\"v\":1," REST,
        "{\"t\":\"session\",\"v\":2," REST,
        "{\"t\":\"session\",\"v\":\"1\"," REST,
        "{\"t\":\"session\",\"v\":1,\"person\":5,\"iss\":\"i\",\"sub\":\"s\",\"roles\":1,\"auth_"
        "time\":0,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"person\":\"\",\"iss\":\"i\",\"sub\":\"s\",\"roles\":1,\"auth_"
        "time\":0,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"person\":\"p\",\"iss\":\"i\",\"sub\":\"s\",\"roles\":-1,"
        "\"auth_time\":0,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"person\":\"p\",\"iss\":\"i\",\"sub\":\"s\",\"roles\":70000,"
        "\"auth_time\":0,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"person\":\"p\",\"iss\":\"i\",\"sub\":\"s\",\"roles\":1,"
        "\"auth_time\":1.5,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"login\":[],\"person\":\"p\",\"iss\":\"i\",\"sub\":\"s\","
        "\"roles\":1,\"auth_time\":0,\"refresh_at\":0}",
        "{\"t\":\"session\",\"v\":1,\"t\":\"session\"," REST,
    };
    struct ym_session_value v;
    struct ym_err err;
    json_t *json = NULL;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(wrong); i++) {
        assert_int_equal(ym_session_value_read(ym_str_of(wrong[i]), &json, &v, &err), YM_EAUTH);
    }
    assert_null(json);
    assert_int_equal(
        ym_session_value_read(YM_STR("{\"t\":\"session\",\"v\":1," REST), &json, &v, &err), YM_OK);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(nothing_else_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
