/* SPDX-License-Identifier: Apache-2.0
 * Proves the session's life: one flight, renewal before sign-in, the end by the system's clock, and
 * that a faulty declaration is named at load.
 */
#include "ym_session.h"

#include "ym_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1772000000000)

static const struct ym_operation operations[] = {
    {.name = "create"}, {.name = "sign_in"}, {.name = "renew_secret"}};

static struct ym_system make(struct ym_arena *a, const char *yaml)
{
    struct ym_system sys = {.id = "s", .operations = operations, .operation_count = 3};
    struct ym_yaml *node = NULL;
    struct ym_err err;

    assert_int_equal(ym_yaml_parse(ym_str_of(yaml), "adapter.yaml", a, &node, &err), YM_OK);
    sys.node = node;
    return sys;
}

static struct ym_session *open_session(struct ym_arena *a, const char *yaml)
{
    struct ym_system sys = make(a, yaml);
    struct ym_session *s = NULL;
    struct ym_err err;

    assert_int_equal(ym_session_open(&sys, &s, &err), YM_OK);
    return s;
}

static bool answer(struct ym_session *s, const char *name, const char *value, const char *expires,
                   const char *date)
{
    struct ym_pair captured[] = {{name, value}, {"ends", expires}};
    struct ym_pair headers[] = {{"date", date}};
    struct ym_judgement j = {.captured = captured, .captured_count = expires != NULL ? 2 : 1};
    struct ym_facts f = {.headers = headers, .header_count = date != NULL ? 1 : 0};

    return ym_session_keep(s, &j, &f, NOW);
}

static void none_is_none(void **state)
{
    struct ym_arena *a = ym_arena_open();

    (void)state;
    assert_null(open_session(a, "system: s\n"));
    assert_null(ym_session_value(NULL, "token"));
    ym_session_close(NULL);
    ym_arena_close(a);
}

static void one_flight_then_held(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_session *s = open_session(a, "session:\n  open: sign_in\n  keep: { token: tk }\n");

    (void)state;
    assert_false(ym_session_good(s, NOW));
    assert_string_equal(ym_session_start(s)->name, "sign_in");
    assert_true(ym_session_in_flight(s));
    assert_null(ym_session_start(s));
    assert_true(answer(s, "tk", "abc", NULL, NULL));
    assert_true(ym_session_good(s, NOW));
    assert_true(ym_session_good(s, NOW + INT64_C(86400000) * 365)); /* no end was declared */
    assert_string_equal(ym_session_value(s, "token"), "abc");
    assert_null(ym_session_value(s, "tk"));
    assert_int_equal(ym_session_generation(s), 1);
    ym_session_close(s);
    ym_arena_close(a);
}

static void a_missing_value_is_no_session(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_session *s = open_session(a, "session:\n  open: sign_in\n  keep: { token: tk }\n");

    (void)state;
    ym_session_start(s);
    assert_false(answer(s, "other", "abc", NULL, NULL));
    assert_false(ym_session_fail(s));
    assert_false(ym_session_good(s, NOW));
    assert_string_equal(ym_session_start(s)->name, "sign_in");
    ym_session_close(s);
    ym_arena_close(a);
}

static void renews_first_then_signs_in(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_session *s = open_session(a, "session:\n  open: sign_in\n  renew: renew_secret\n"
                                           "  keep: { token: tk }\n  lifetime: 20m\n");

    (void)state;
    assert_string_equal(ym_session_start(s)->name, "sign_in"); /* nothing to renew yet */
    assert_true(answer(s, "tk", "one", NULL, NULL));
    assert_true(ym_session_good(s, NOW + 18 * 60000));
    assert_false(ym_session_good(s, NOW + 19 * 60000 + 1)); /* within the margin of a minute */
    assert_string_equal(ym_session_start(s)->name, "renew_secret");
    assert_true(ym_session_renewing(s));
    assert_true(answer(s, "none", "x", NULL, NULL)); /* a renewal need not repeat what stays */
    assert_string_equal(ym_session_value(s, "token"), "one");
    ym_session_refused(s, ym_session_generation(s));
    assert_string_equal(ym_session_start(s)->name, "renew_secret");
    assert_true(ym_session_fail(s)); /* there is another way */
    assert_string_equal(ym_session_start(s)->name, "sign_in");
    assert_false(ym_session_fail(s));
    ym_session_close(s);
    ym_arena_close(a);
}

static void only_the_generation_in_use_is_refused(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_session *s = open_session(a, "session:\n  open: sign_in\n");

    (void)state;
    ym_session_start(s);
    assert_true(answer(s, "x", "y", NULL, NULL));
    ym_session_refused(s, 0); /* an answer to something sent with the session before */
    assert_true(ym_session_good(s, NOW));
    ym_session_refused(s, 1);
    assert_false(ym_session_good(s, NOW));
    ym_session_close(s);
    ym_arena_close(a);
}

static void ends_by_the_systems_clock(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_session *s = open_session(
        a, "session:\n  open: sign_in\n  keep: { token: tk }\n  expires: ends\n  margin: 10s\n");
    char ends[32];
    int64_t theirs = NOW + 3600000; /* their clock is an hour ahead */
    char date[YM_TIME_TEXT];

    (void)state;
    ym_time_format(theirs, YM_TIME_RFC1123, 0, date);
    snprintf(ends, sizeof(ends), "%lld", (long long)(theirs + 300000));
    ym_session_start(s);
    assert_true(answer(s, "tk", "abc", ends, date));
    assert_true(ym_session_good(s, NOW + 280000));
    assert_false(ym_session_good(s, NOW + 291000));
    ym_session_close(s);
    ym_arena_close(a);
}

static void faults_are_named(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_system sys = make(a, "session:\n  open: nowhere\n  margin: soon\n  colour: red\n");
    struct ym_diag d;

    (void)state;
    ym_diag_init(&d);
    ym_session_check(&sys, &d);
    assert_int_equal(d.count, 3);
    for (size_t i = 0; i < d.count; i++) {
        assert_string_equal(d.items[i].file, "adapter.yaml");
        assert_in_range(d.items[i].line, 2, 4);
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_none),
        cmocka_unit_test(one_flight_then_held),
        cmocka_unit_test(a_missing_value_is_no_session),
        cmocka_unit_test(renews_first_then_signs_in),
        cmocka_unit_test(only_the_generation_in_use_is_refused),
        cmocka_unit_test(ends_by_the_systems_clock),
        cmocka_unit_test(faults_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
