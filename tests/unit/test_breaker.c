/* SPDX-License-Identifier: Apache-2.0
 * Proves when a system is suspended, for how long, and what brings it back.
 */
#include "ym_breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void opens_after_failures_in_a_row(void **state)
{
    struct ym_breaker b;

    (void)state;
    ym_breaker_init(&b, 3, 5000);
    assert_false(ym_breaker_fail(&b, 0));
    assert_false(ym_breaker_fail(&b, 0));
    assert_false(ym_breaker_ok(&b, 0)); /* one success: the row is broken */
    assert_false(ym_breaker_fail(&b, 0));
    assert_false(ym_breaker_fail(&b, 0));
    assert_true(ym_breaker_fail(&b, 1000));
    assert_string_equal(ym_breaker_word(&b), "open");
    assert_int_equal(ym_breaker_wait(&b, 1000), 5000);
    assert_false(ym_breaker_fail(&b, 2000)); /* a late one changes nothing */
    assert_int_equal(ym_breaker_wait(&b, 2000), 4000);
}

static void tries_once_and_closes(void **state)
{
    struct ym_breaker b;

    (void)state;
    ym_breaker_init(&b, 1, 5000);
    assert_true(ym_breaker_fail(&b, 0));
    assert_false(ym_breaker_poll(&b, 4999));
    assert_true(ym_breaker_poll(&b, 5000));
    assert_false(ym_breaker_poll(&b, 5000)); /* one trial */
    assert_string_equal(ym_breaker_word(&b), "half");
    assert_true(ym_breaker_ok(&b, 5100));
    assert_string_equal(ym_breaker_word(&b), "closed");
    assert_int_equal(ym_breaker_wait(&b, 5100), 0);
}

static void doubles_the_wait_up_to_sixteen_times(void **state)
{
    struct ym_breaker b;
    int64_t now = 0, expected = 1000;

    (void)state;
    ym_breaker_init(&b, 1, 1000);
    assert_true(ym_breaker_trip(&b, now, 0));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ym_breaker_wait(&b, now), expected);
        now += expected;
        assert_true(ym_breaker_poll(&b, now));
        assert_true(ym_breaker_trip(&b, now, 0));
        expected = expected < 16000 ? expected * 2 : 16000;
    }
    now += 16000;
    assert_true(ym_breaker_poll(&b, now));
    assert_true(ym_breaker_ok(&b, now));
    assert_true(ym_breaker_trip(&b, now, 0));
    assert_int_equal(ym_breaker_wait(&b, now), 1000); /* a success starts from the beginning */
}

static void keeps_a_stated_wait(void **state)
{
    struct ym_breaker b;

    (void)state;
    ym_breaker_init(&b, 5, 1000);
    assert_true(ym_breaker_trip(&b, 0, 60000));
    assert_false(ym_breaker_ok(&b, 10)); /* an answer that was under way */
    assert_int_equal(ym_breaker_wait(&b, 10), 59990);
    assert_false(ym_breaker_trip(&b, 20, 90000)); /* a longer one counts, a shorter does not */
    assert_int_equal(ym_breaker_wait(&b, 20), 90000);
    assert_false(ym_breaker_trip(&b, 30, 10));
    assert_int_equal(ym_breaker_wait(&b, 30), 89990);
    assert_true(ym_breaker_poll(&b, 90020));
}

static void a_late_answer_shortens_a_guess(void **state)
{
    struct ym_breaker b;

    (void)state;
    ym_breaker_init(&b, 1, 60000);
    assert_true(ym_breaker_fail(&b, 0));
    assert_false(ym_breaker_ok(&b, 500));
    assert_true(ym_breaker_poll(&b, 500));
}

static void half_fails_at_once(void **state)
{
    struct ym_breaker b;

    (void)state;
    ym_breaker_init(&b, 5, 1000);
    assert_true(ym_breaker_trip(&b, 0, 0));
    assert_true(ym_breaker_poll(&b, 1000));
    assert_true(ym_breaker_fail(&b, 1000)); /* not after five */
    assert_int_equal(ym_breaker_wait(&b, 1000), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_after_failures_in_a_row),
        cmocka_unit_test(tries_once_and_closes),
        cmocka_unit_test(doubles_the_wait_up_to_sixteen_times),
        cmocka_unit_test(keeps_a_stated_wait),
        cmocka_unit_test(a_late_answer_shortens_a_guess),
        cmocka_unit_test(half_fails_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
