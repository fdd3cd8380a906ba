/* SPDX-License-Identifier: Apache-2.0
 * Proves that a cookie is found by its exact name, however many there are, and that only the one
 * canonical form of a session's id is taken for one.
 */
#include "ym_test.h"

#include "ym_cookie.h"

#include <stdio.h>

#define ID43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct ym_cookie look(const char *header)
{
    struct ym_cookie c = {YM_STR_NULL, 0, false};

    ym_cookie_look(ym_str_of(header), "__Host-yimen", &c);
    return c;
}

static void found_by_its_exact_name(void **state)
{
    static const char *const none[] = {"",
                                       ";",
                                       "; ; ;",
                                       "   ",
                                       "=",
                                       "=x",
                                       "yimen=x",
                                       "__host-yimen=x",
                                       "__Host-yimen2=x",
                                       "x__Host-yimen=x",
                                       "__Host%2Dyimen=x",
                                       "\"__Host-yimen\"=x",
                                       "__Host-yimen =x",
                                       "a=__Host-yimen=x",
                                       "$Version=1, __Host-yimen=x"};
    struct ym_cookie c;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(none); i++) {
        assert_int_equal(look(none[i]).count, 0);
    }
    c = look("a=b;__Host-yimen=x=y; c");
    assert_int_equal(c.count, 1);
    assert_true(ym_str_is(c.value, "x=y"));
    c = look(" \t__Host-yimen=x \t;");
    assert_int_equal(c.count, 1);
    assert_true(ym_str_is(c.value, "x"));
    c = look("__Host-yimen");
    assert_int_equal(c.count, 1);
    assert_int_equal(c.value.n, 0);
    assert_int_equal(look("$Version=1; __Host-yimen=x").count, 1);
}

static void several_are_told_apart(void **state)
{
    struct ym_cookie c = look("__Host-yimen=x; a=1; __Host-yimen=x");

    (void)state;
    assert_int_equal(c.count, 2);
    assert_false(c.differ);
    ym_cookie_look(YM_STR("__Host-yimen=y"), "__Host-yimen", &c);
    assert_int_equal(c.count, 3);
    assert_true(c.differ);
    assert_true(ym_str_is(c.value, "x"));
    assert_true(look("__Host-yimen=x; __Host-yimen").differ);
}

static void ids_in_one_form(void **state)
{
    static const char *const wrong[] = {"",
                                        "0",
                                        "0.",
                                        "." ID43,
                                        "0" ID43,
                                        "00." ID43,
                                        "01." ID43,
                                        "8." ID43,
                                        "100." ID43,
                                        "-1." ID43,
                                        " 0." ID43,
                                        "0." ID43 " ",
                                        "0." ID43 "A",
                                        "0.AAAA",
                                        "0,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                        "0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
                                        "0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                        "0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A",
                                        "0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/A",
                                        "0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*A",
                                        "0.\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""};
    unsigned shard = 99;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(wrong); i++) {
        assert_false(ym_session_id_parse(ym_str_of(wrong[i]), 8, &shard));
    }
    assert_false(ym_session_id_parse((struct ym_str){"0." ID43 "\0", 46}, 8, &shard));
    assert_false(ym_session_id_parse(
        (struct ym_str){"0.\0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 45}, 8, &shard));
    assert_int_equal(shard, 99);
    assert_true(ym_session_id_parse(YM_STR("7." ID43), 8, &shard));
    assert_int_equal(shard, 7);
    assert_true(
        ym_session_id_parse(YM_STR("31.-_azAZ09AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAw"), 32, &shard));
    assert_int_equal(shard, 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_its_exact_name),
        cmocka_unit_test(several_are_told_apart),
        cmocka_unit_test(ids_in_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
