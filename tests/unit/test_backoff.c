/* SPDX-License-Identifier: Apache-2.0
 * Proves the bounds of full-jitter backoff, and that it spreads.
 */
#include "ym_backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void doubles_up_to_the_cap(void **state)
{
    (void)state;
    assert_int_equal(ym_backoff_ceiling(1000, 600000, 1), 1000);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, 2), 2000);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, 10), 512000);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, 11), 600000);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, INT64_MAX), 600000);
    assert_int_equal(ym_backoff_ceiling(INT64_MAX, INT64_MAX, 50), INT64_MAX);
    assert_int_equal(ym_backoff_ceiling(5000, 1000, 1), 1000);
    assert_int_equal(ym_backoff_ceiling(0, 0, 3), 1);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, 0), 1000);
    assert_int_equal(ym_backoff_ceiling(1000, 600000, -3), 1000);
}

static void stays_within_and_spreads(void **state)
{
    struct ym_jitter j;
    int low = 0, high = 0;

    (void)state;
    ym_jitter_init(&j, 42);
    for (int i = 0; i < 10000; i++) {
        int64_t wait = ym_backoff(&j, 100, 10000, 4);

        assert_in_range(wait, 1, 800);
        low += wait <= 200;
        high += wait > 600;
    }
    /* a quarter of an even spread falls into each; ±20 % is ten standard deviations */
    assert_in_range(low, 2000, 3000);
    assert_in_range(high, 2000, 3000);
}

static void seeds(void **state)
{
    struct ym_jitter a, b;

    (void)state;
    ym_jitter_init(&a, 7);
    ym_jitter_init(&b, 7);
    assert_int_equal(ym_jitter_next(&a), ym_jitter_next(&b));
    ym_jitter_init(&a, 0);
    ym_jitter_init(&b, 0);
    assert_int_not_equal(ym_jitter_next(&a), ym_jitter_next(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_cap),
        cmocka_unit_test(stays_within_and_spreads),
        cmocka_unit_test(seeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
