/* SPDX-License-Identifier: Apache-2.0
 * Proves the calendar against the C library and RFC 3339 against its own examples.
 */
#include "ym_test.h"

#include "ym_time.h"

#include <time.h>

static void good(const char *text, int64_t want)
{
    int64_t ms = -1;

    if (!ym_time_parse(ym_str_of(text), YM_CHINA_OFFSET_MIN, &ms) || ms != want) {
        fail_msg("%s gave %lld, not %lld", text, (long long)ms, (long long)want);
    }
}

static void bad(const char *text)
{
    int64_t ms = 7;

    if (ym_time_parse(ym_str_of(text), YM_CHINA_OFFSET_MIN, &ms) || ms != 7) {
        fail_msg("%s was taken", text);
    }
}

static void rfc3339(void **state)
{
    (void)state;
    good("1985-04-12T23:20:50.52Z", 482196050520);
    good("1996-12-19T16:39:57-08:00", 851042397000);
    good("1990-12-31T23:59:60Z", 662688000000);
    good("1990-12-31T15:59:60-08:00", 662688000000);
    good("1937-01-01T12:00:27.87+00:20", -1041337172130);
    good("2026-01-31t08:30:00z", 1769848200000);
    good("2026-01-31", 1769788800000);
    good("2024-02-29", 1709136000000);
    good("1970-01-01T00:00:00.1239Z", 123);
    good("1970-01-01T00:00:00.123456789Z", 123);
    bad("1998-12-31T23:58:60Z");
    bad("1998-12-31T22:59:60Z");
    bad("1998-12-31T23:59:61Z");
    bad("2026-02-30");
    bad("2023-02-29T00:00:00Z");
    bad("1900-02-29");
    bad("2026-13-01");
    bad("2026-00-01");
    bad("2026-01-00");
    bad("2026-01-31T24:00:00Z");
    bad("2026-01-31T08:60:00Z");
    bad("2026-01-31T08:30:00");
    bad("2026-01-31 08:30:00Z");
    bad("2026-01-31T08:30Z");
    bad("2026-01-31T08:30:00+24:00");
    bad("2026-01-31T08:30:00+08:60");
    bad("2026-01-31T08:30:00+0800");
    bad("2026-01-31T08:30:00.Z");
    bad("2026-01-31T08:30:00.1234567890Z");
    bad("2026-01-31T08:30:00Z ");
    bad("2026-1-31");
    bad("26-01-31");
    bad("20260131");
    bad("");
    bad("+026-01-31");
}

static void formats(void **state)
{
    static const struct {
        enum ym_time_format f;
        const char *want;
    } cases[] = {
        {YM_TIME_RFC3339, "2026-01-31T08:30:00+08:00"},
        {YM_TIME_RFC3339_MS, "2026-01-31T08:30:00.123+08:00"},
        {YM_TIME_DATE, "2026-01-31"},
        {YM_TIME_DATE8, "20260131"},
        {YM_TIME_DATETIME, "2026-01-31 08:30:00"},
        {YM_TIME_DATETIME14, "20260131083000"},
        {YM_TIME_RFC1123, "Sat, 31 Jan 2026 00:30:00 GMT"},
        {YM_TIME_EPOCH_MS, "1769819400123"},
        {YM_TIME_EPOCH_S, "1769819400"},
    };
    char out[YM_TIME_TEXT];
    size_t i;

    (void)state;
    for (i = 0; i < YM_COUNT(cases); i++) {
        ym_time_format(1769819400123, cases[i].f, YM_CHINA_OFFSET_MIN, out);
        assert_string_equal(out, cases[i].want);
    }
    ym_time_format(0, YM_TIME_RFC3339, -210, out);
    assert_string_equal(out, "1969-12-31T20:30:00-03:30");
    ym_time_format(-1, YM_TIME_EPOCH_S, 0, out);
    assert_string_equal(out, "-1");
    ym_time_format(INT64_MAX, YM_TIME_RFC3339_MS, 0, out);
    assert_string_equal(out, "9999-12-30T23:59:59.999+00:00");
    ym_time_format(INT64_MIN, YM_TIME_DATE, 0, out);
    assert_string_equal(out, "0000-01-02");
}

/* Every 997th hour of 400 years, as gmtime_r sees it, and back again. */
static void agrees_with_the_c_library(void **state)
{
    char out[YM_TIME_TEXT], want[YM_TIME_TEXT];
    int64_t ms, back;
    struct tm tm;
    time_t t;

    (void)state;
    for (ms = -6311433600000; ms < 6311433600000; ms += 997ll * 3600000) {
        t = (time_t)(ms / 1000);
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S+00:00", &tm) > 0);
        ym_time_format(ms, YM_TIME_RFC3339, 0, out);
        assert_string_equal(out, want);
        assert_true(ym_time_parse(ym_str_of(out), 0, &back));
        assert_true(back == ms);
        assert_true(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
        ym_time_format(ms, YM_TIME_RFC1123, 0, out);
        assert_string_equal(out, want);
    }
}

static void clocks(void **state)
{
    int64_t before = ym_tick_ms();

    (void)state;
    ym_now_set(1234567);
    assert_int_equal(ym_now_ms(), 1234567);
    ym_now_set(0);
    assert_true(ym_now_ms() > 1700000000000);
    assert_true(ym_tick_ms() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339),
        cmocka_unit_test(formats),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
