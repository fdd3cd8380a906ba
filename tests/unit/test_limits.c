/* SPDX-License-Identifier: Apache-2.0
 * Proves that a rate is neither passed nor wasted, and that pause and hours close the gate.
 */
#include "ym_limits.h"

#include "ym_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void unlimited(void **state)
{
    struct ym_bucket b;

    (void)state;
    ym_bucket_init(&b, 0, 0);
    assert_int_equal(ym_bucket_take(&b, 0, 1000000), 1000000);
    assert_int_equal(ym_bucket_wait(&b, 0), 0);
}

/* Takes whatever is granted every step_ms for a minute; the sum and the fullest second. */
static void drain_for_a_minute(double rate, int64_t step_ms, int64_t *ret_sum, int64_t *ret_most)
{
    struct ym_bucket b;
    int64_t second = 0;

    *ret_sum = *ret_most = 0;
    ym_bucket_init(&b, rate, 0);
    for (int64_t now = 0; now < 60000; now += step_ms) {
        int64_t got = ym_bucket_take(&b, now, 1000);

        *ret_sum += got;
        second = now % 1000 == 0 ? got : second + got;
        *ret_most = second > *ret_most ? second : *ret_most;
    }
}

static void neither_passed_nor_wasted(void **state)
{
    int64_t sum, most;

    (void)state;
    drain_for_a_minute(50, 1, &sum, &most);
    assert_in_range(sum, 2995, 3006);
    assert_in_range(most, 50, 55);
    drain_for_a_minute(3, 1, &sum, &most);
    assert_in_range(sum, 179, 181);
    assert_in_range(most, 3, 4);
    drain_for_a_minute(1000.0 / 3600, 1, &sum, &most); /* 1000/h */
    assert_in_range(sum, 17, 18);
    assert_int_equal(most, 1);
}

static void waits_as_long_as_needed(void **state)
{
    struct ym_bucket b;
    int64_t wait;

    (void)state;
    ym_bucket_init(&b, 2, 0);
    assert_int_equal(ym_bucket_take(&b, 0, 5), 1);
    wait = ym_bucket_wait(&b, 0);
    assert_in_range(wait, 499, 501);
    assert_int_equal(ym_bucket_take(&b, wait - 2, 5), 0);
    assert_int_equal(ym_bucket_take(&b, wait, 5), 1);
}

static void unused_ones_come_back(void **state)
{
    struct ym_bucket b;

    (void)state;
    ym_bucket_init(&b, 100, 0);
    assert_int_equal(ym_bucket_take(&b, 0, 100), 10);
    ym_bucket_return(&b, 4);
    assert_int_equal(ym_bucket_take(&b, 0, 100), 4);
    ym_bucket_return(&b, 100); /* never above the burst */
    assert_int_equal(ym_bucket_take(&b, 0, 100), 10);
    assert_int_equal(ym_bucket_take(&b, -5000, 100), 0); /* a clock that steps back gives nothing */
}

static void the_gate(void **state)
{
    struct ym_system sys = {.id = "office", .settings = {.offset_min = 480}};
    struct ym_gate g;
    int64_t monday_8 = 0, now;

    (void)state;
    assert_true(ym_time_parse(YM_STR("2026-03-02T08:00:00+08:00"), 480, &monday_8));
    sys.hours.spans[0].days = 1;
    sys.hours.spans[0].from_min = 8 * 60 + 30;
    sys.hours.spans[0].to_min = 17 * 60 + 30;
    sys.hours.span_count = 1;

    ym_gate_init(&g, &sys, monday_8);
    assert_false(ym_gate_open(&g));
    assert_false(ym_gate_poll(&g, monday_8 + 29 * 60000));
    now = monday_8 + 30 * 60000;
    assert_true(ym_gate_poll(&g, now));
    assert_true(ym_gate_open(&g));
    assert_false(ym_gate_poll(&g, now));
    g.paused = true;
    assert_false(ym_gate_open(&g));
    g.paused = false;
    assert_true(ym_gate_poll(&g, now + 9 * 3600000));
    assert_false(ym_gate_open(&g));
}

static void always_open(void **state)
{
    struct ym_system sys = {.id = "always"};
    struct ym_gate g;

    (void)state;
    ym_gate_init(&g, &sys, 1);
    assert_true(ym_gate_open(&g));
    assert_false(ym_gate_poll(&g, INT64_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unlimited),
        cmocka_unit_test(neither_passed_nor_wasted),
        cmocka_unit_test(waits_as_long_as_needed),
        cmocka_unit_test(unused_ones_come_back),
        cmocka_unit_test(the_gate),
        cmocka_unit_test(always_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
