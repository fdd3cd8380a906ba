/* SPDX-License-Identifier: Apache-2.0
 * Proves that machines move only as their tables say, and that every table of the dispatcher is
 * sound: each state reachable, no move out of the table.
 */
#include "ym_attempt.h"
#include "ym_breaker.h"
#include "ym_line.h"
#include "ym_log.h"
#include "ym_sm.h"
#include "ym_worker_priv.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { OFF, ON, BURNT };

static bool bulb_holds(const void *owner, unsigned state)
{
    const bool *current = owner;

    return state != ON || *current;
}

static const struct ym_sm_state bulb_states[] = {
    [OFF] = {"off", YM_SM_TO(ON)},
    [ON] = {"on", YM_SM_TO(OFF) | YM_SM_TO(BURNT)},
    [BURNT] = {"burnt", 0},
};
static const struct ym_sm_table bulb = {"bulb", bulb_states, YM_COUNT(bulb_states), bulb_holds};

static void quiet(void)
{
    int fd = open("/dev/null", O_WRONLY);

    assert_true(fd >= 0);
    ym_log_open(fd, YM_LOG_ERROR);
}

static void moves_as_declared(void **state)
{
    struct ym_sm m;
    bool current = true;

    (void)state;
    ym_sm_init(&m, &bulb, OFF);
    assert_true(ym_sm_move(&m, &current, ON));
    assert_string_equal(ym_sm_name(&m), "on");
    assert_true(ym_sm_move(&m, &current, BURNT));
    assert_int_equal(m.state, BURNT);
}

static void refuses_what_the_table_lacks(void **state)
{
    struct ym_sm m;
    bool current = true;

    (void)state;
    quiet();
    ym_sm_init(&m, &bulb, OFF);
    assert_false(ym_sm_move(&m, &current, BURNT));
    assert_int_equal(m.state, OFF);
    assert_false(ym_sm_move(&m, &current, 7));
    assert_int_equal(m.state, OFF);
    assert_false(ym_sm_move(&m, &current, OFF)); /* staying is a move, too */
}

static void tells_a_broken_invariant(void **state)
{
    struct ym_sm m;
    bool current = false;

    (void)state;
    quiet();
    ym_sm_init(&m, &bulb, OFF);
    assert_false(ym_sm_move(&m, &current, ON));
    assert_int_equal(m.state, ON);
}

static void soundness(void **state)
{
    static const struct ym_sm_state lost[] = {{"a", YM_SM_TO(0)}, {"b", YM_SM_TO(0)}};
    static const struct ym_sm_state outside[] = {{"a", YM_SM_TO(1)}, {"b", YM_SM_TO(5)}};
    static const struct ym_sm_table unreachable = {"t", lost, 2, NULL};
    static const struct ym_sm_table escapes = {"t", outside, 2, NULL};

    (void)state;
    assert_true(ym_sm_sound(&bulb, OFF));
    assert_false(ym_sm_sound(&bulb, BURNT));
    assert_false(ym_sm_sound(&bulb, 3));
    assert_false(ym_sm_sound(&unreachable, 0));
    assert_false(ym_sm_sound(&escapes, 0));
}

static void the_dispatchers_tables(void **state)
{
    (void)state;
    assert_true(ym_sm_sound(&ym_attempt_table, YM_ATTEMPT_FREE));
    assert_true(ym_sm_sound(&ym_breaker_table, YM_BREAKER_CLOSED));
    assert_true(ym_sm_sound(&ym_line_table, YM_LINE_DOWN));
    assert_true(ym_sm_sound(&ym_session_table, YM_SESSION_NONE));
    assert_true(ym_sm_sound(&ym_shard_table, YM_SHARD_DETACHED));
    assert_true(ym_sm_sound(&ym_worker_table, YM_WORKER_STARTING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_as_declared),        cmocka_unit_test(refuses_what_the_table_lacks),
        cmocka_unit_test(tells_a_broken_invariant), cmocka_unit_test(soundness),
        cmocka_unit_test(the_dispatchers_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
