/* SPDX-License-Identifier: Apache-2.0
 * Proves one-time codes against RFC 6238's vectors, their window, and Base32 against RFC 4648's.
 */
#include "ym_test.h"

#include "ym_totp.h"

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" /* "12345678901234567890" */

/* RFC 6238 appendix B, SHA-1: the last six of its eight digits. */
static void vectors(void **state)
{
    static const struct {
        int64_t at;
        const char *code;
    } cases[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };
    char code[YM_TOTP_DIGITS + 1];
    struct ym_err err = {0};
    int64_t step;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        assert_int_equal(ym_totp_code(YM_STR("12345678901234567890"), cases[i].at / 30, code),
                         YM_OK);
        assert_string_equal(code, cases[i].code);
        assert_int_equal(ym_totp_verify(SECRET, ym_str_of(code), cases[i].at * 1000, &step, &err),
                         YM_OK);
        assert_int_equal(step, cases[i].at / 30);
    }
}

static void window(void **state)
{
    int64_t now = 1111111111000, step = 0;
    char code[YM_TOTP_DIGITS + 1];
    struct ym_err err = {0};

    (void)state;
    for (int64_t off = -3; off <= 3; off++) {
        ym_totp_code(YM_STR("12345678901234567890"), now / YM_TOTP_STEP_MS + off, code);
        ym_status rc = ym_totp_verify(SECRET, ym_str_of(code), now, &step, &err);
        assert_int_equal(rc, off >= -1 && off <= 1 ? YM_OK : YM_EAUTH);
        if (rc == YM_OK) {
            assert_int_equal(step, now / YM_TOTP_STEP_MS + off);
        }
    }
}

static void inputs(void **state)
{
    static const char *const bad[] = {"",       "05047",  "0504711", "05047a", "-50471",
                                      "+50471", "050472", "０50471", "0x5047"};
    struct ym_err err = {0};
    int64_t step;

    (void)state;
    assert_int_equal(ym_totp_verify(SECRET, YM_STR("050 471"), 1111111111000, &step, &err), YM_OK);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_int_equal(ym_totp_verify(SECRET, ym_str_of(bad[i]), 1111111111000, &step, &err),
                         YM_EAUTH);
    }
    assert_int_equal(ym_totp_verify("", YM_STR("050471"), 1111111111000, &step, &err), YM_EINVAL);
    assert_int_equal(ym_totp_verify("A!", YM_STR("050471"), 1111111111000, &step, &err), YM_EINVAL);
}

/* RFC 4648 §10, without padding. */
static void base32(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "MY"},
        {"fo", "MZXQ"},
        {"foo", "MZXW6"},
        {"foob", "MZXW6YQ"},
        {"fooba", "MZXW6YTB"},
        {"foobar", "MZXW6YTBOI"},
    };
    static const char *const bad[] = {"M", "MZX", "MZXW6Y", "MZ", "M1", "MY======", "M\xc3\xa9"};
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 100);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        ym_buf_reset(&b);
        ym_buf_add(&b, "", 0);
        assert_int_equal(ym_base32_add(&b, ym_str_of(cases[i][0])), YM_OK);
        assert_true(ym_str_is(ym_buf_str(&b), cases[i][1]));
        ym_buf_reset(&b);
        assert_int_equal(ym_base32_decode(ym_str_of(cases[i][1]), &b), YM_OK);
        assert_true(ym_str_is(ym_buf_str(&b), cases[i][0]));
    }
    ym_buf_reset(&b);
    assert_int_equal(ym_base32_decode(YM_STR("mzxw-6ytb oi"), &b), YM_OK);
    assert_true(ym_str_is(ym_buf_str(&b), "foobar"));
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        ym_buf_reset(&b);
        if (ym_base32_decode(ym_str_of(bad[i]), &b) != YM_EINVAL) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    ym_buf_clear(&b);
}

static void secrets(void **state)
{
    char a[YM_TOTP_SECRET_TEXT], b[YM_TOTP_SECRET_TEXT];
    struct ym_err err = {0};

    (void)state;
    assert_int_equal(ym_totp_make(a, &err), YM_OK);
    assert_int_equal(ym_totp_make(b, &err), YM_OK);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(window),  cmocka_unit_test(inputs),
        cmocka_unit_test(base32),  cmocka_unit_test(secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
