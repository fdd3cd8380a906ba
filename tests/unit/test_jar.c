/* SPDX-License-Identifier: Apache-2.0
 * Cookies of an application: what is kept, what is refused, what a request carries.
 */
#include "ym_test.h"

#include "ym_jar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1760000000000LL /* 9 October 2025 */

struct fixture {
    struct ym_arena *a;
    struct ym_jar jar;
    struct ym_buf out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->a = ym_arena_open();
    ym_jar_init(&f->jar, f->a);
    ym_buf_init(&f->out, 65536);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ym_arena_close(f->a);
    ym_buf_clear(&f->out);
    free(f);
    return 0;
}

static bool take(struct fixture *f, const char *set_cookie)
{
    return ym_jar_take(&f->jar, ym_str_of(set_cookie), YM_STR("/app/login"), NOW);
}

static const char *sent(struct fixture *f, const char *path)
{
    ym_buf_reset(&f->out);
    assert_int_equal(ym_jar_header(&f->jar, ym_str_of(path), YM_STR_NULL, NOW, &f->out), YM_OK);
    return f->out.n > 0 ? f->out.p : "";
}

static void kept_and_sent(void **state)
{
    struct fixture *f = *state;

    assert_true(take(f, "sid=1; Path=/; HttpOnly; Secure; SameSite=Strict; Domain=.corp"));
    assert_true(take(f, "deep=2; path=/app/deep"));
    assert_true(take(f, "own=3"));
    assert_true(take(f, "quoted=\"a b\"; Path=/"));
    assert_string_equal(sent(f, "/"), "sid=1; quoted=\"a b\"");
    assert_string_equal(sent(f, "/app/x"), "own=3; sid=1; quoted=\"a b\"");
    assert_string_equal(sent(f, "/app/deep/y"), "deep=2; own=3; sid=1; quoted=\"a b\"");
    assert_string_equal(sent(f, "/app/deeper"), "own=3; sid=1; quoted=\"a b\"");
    assert_true(take(f, "sid=9; Path=/"));
    assert_int_equal(f->jar.count, 4);
    assert_string_equal(sent(f, "/"), "sid=9; quoted=\"a b\"");
    ym_buf_reset(&f->out);
    assert_int_equal(ym_jar_header(&f->jar, YM_STR("/deep"), YM_STR("/app/deep"), NOW, &f->out),
                     YM_OK);
    assert_string_equal(f->out.p, "deep=2; own=3; sid=9; quoted=\"a b\"");
    ym_buf_reset(&f->out);
    assert_int_equal(ym_jar_header(&f->jar, YM_STR_NULL, YM_STR_NULL, NOW, &f->out), YM_OK);
    assert_string_equal(f->out.p, "deep=2; own=3; sid=9; quoted=\"a b\"");
    assert_true(ym_jar_has(&f->jar, YM_STR("own")));
    assert_false(ym_jar_has(&f->jar, YM_STR("Own")));
}

static void ages(void **state)
{
    struct fixture *f = *state;

    assert_true(take(f, "a=1; Path=/; Max-Age=10"));
    assert_int_equal(f->jar.items[0].expires_ms, NOW + 10000);
    assert_true(take(f, "b=1; Path=/; Expires=Sun, 06 Nov 2094 08:49:37 GMT"));
    assert_int_equal(f->jar.items[1].expires_ms, NOW + 400LL * 86400 * 1000);
    assert_true(take(f, "c=1; Path=/; Expires=Thu, 09-Oct-25 09:00:00 GMT"));
    assert_int_equal(f->jar.items[2].expires_ms, 1760000400000LL);
    assert_true(take(f, "d=1; Path=/; Expires=never; Max-Age=soon"));
    assert_int_equal(f->jar.items[3].expires_ms, 0);
    assert_true(take(f, "e=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"));
    assert_int_equal(f->jar.items[4].expires_ms, NOW + 60000);

    assert_true(take(f, "a=; Path=/; Max-Age=0"));
    assert_true(f->jar.items[0].gone && f->jar.items[0].changed);
    assert_true(take(f, "b=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_true(f->jar.items[1].gone);
    assert_true(take(f, "unknown=; Path=/; Max-Age=-1"));
    assert_int_equal(f->jar.count, 5);
    assert_string_equal(sent(f, "/"), "c=1; d=1; e=1");
}

/* I162 */
static void refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      "novalue",
                                      "=value",
                                      "a b=1",
                                      "a,b=1",
                                      "a\x01=1",
                                      "a=1\x0A"
                                      "b",
                                      "a=1\tb",
                                      "__Host-a=1; Path=/app",
                                      "__host-a=1; Path=/; Domain=corp",
                                      "__Host-a=1"};
    char large[5000], many[32];

    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_false(take(f, bad[i]));
    }
    memset(large, 'x', sizeof(large));
    memcpy(large, "big=", 4);
    large[sizeof(large) - 1] = '\0';
    assert_false(take(f, large));
    assert_int_equal(f->jar.count, 0);
    assert_int_equal(f->jar.refused, YM_COUNT(bad) + 1);
    assert_true(take(f, "__Host-a=1; Path=/; Secure"));

    for (int i = 0; i < 200; i++) {
        (void)snprintf(many, sizeof(many), "n%d=1; Path=/", i);
        assert_int_equal(take(f, many), i < YM_JAR_COOKIES - 1);
    }
    assert_int_equal(f->jar.count, YM_JAR_COOKIES);
}

static void header_is_bounded(void **state)
{
    struct fixture *f = *state;
    char large[4000];

    memset(large, 'x', sizeof(large));
    large[1] = '=';
    memcpy(large + sizeof(large) - 9, "; Path=/", 9);
    for (int i = 0; i < 5; i++) {
        large[0] = (char)('a' + i);
        assert_true(take(f, large));
    }
    assert_int_equal(ym_jar_header(&f->jar, YM_STR("/"), YM_STR_NULL, NOW, &f->out), YM_ETOOBIG);
}

static void packed(void **state)
{
    struct fixture *f = *state;
    struct ym_jar other;

    assert_true(take(f, "sid=a=b c; Path=/x; Max-Age=10"));
    assert_int_equal(ym_jar_pack(&f->jar.items[0], &f->out), YM_OK);
    ym_jar_init(&other, f->a);
    assert_true(ym_jar_unpack(&other, ym_buf_str(&f->out)));
    assert_string_equal(other.items[0].name, "sid");
    assert_string_equal(other.items[0].value, "a=b c");
    assert_string_equal(other.items[0].path, "/x");
    assert_int_equal(other.items[0].expires_ms, NOW + 10000);
    assert_false(other.items[0].changed);
    ym_buf_reset(&f->out);
    assert_int_equal(ym_jar_key(&other.items[0], &f->out), YM_OK);
    assert_string_equal(f->out.p, "sid\t/x");
    assert_false(ym_jar_unpack(&other, YM_STR("x\ta\t/\tb")));
    assert_false(ym_jar_unpack(&other, YM_STR("0\t\t/\tb")));
    assert_false(ym_jar_unpack(&other, YM_STR("")));
    assert_int_equal(other.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_and_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(ages, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(header_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(packed, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
