/* SPDX-License-Identifier: Apache-2.0
 * Proves that a form is decoded exactly, and that what is ambiguous or malformed is refused.
 */
#include "ym_test.h"

#include "ym_buf.h"
#include "ym_form_body.h"

#include <stdio.h>
#include <stdlib.h>

static ym_status parse(struct ym_str text, struct ym_arena *a, const struct ym_form **ret)
{
    struct ym_err err;

    return ym_form_parse(text, a, ret, &err);
}

static void decodes(void **state)
{
    struct ym_arena *a = ym_arena_open();
    const struct ym_form *form = NULL;
    struct ym_str v;

    (void)state;
    assert_int_equal(parse(YM_STR("user=%E6%9D%8E+%2b1&&pass=a%3Db=c&empty=&bare&"), a, &form),
                     YM_OK);
    assert_int_equal(form->count, 4);
    assert_true(ym_form_get(form, "user", &v) && ym_str_is(v, "李 +1"));
    assert_true(ym_form_get(form, "pass", &v) && ym_str_is(v, "a=b=c"));
    assert_true(ym_form_get(form, "empty", &v) && v.n == 0);
    assert_true(ym_form_get(form, "bare", &v) && v.n == 0);
    assert_false(ym_form_get(form, "User", &v));
    assert_false(ym_form_get(NULL, "user", &v));
    assert_int_equal(parse(YM_STR(""), a, &form), YM_OK);
    assert_int_equal(form->count, 0);
    ym_arena_close(a);
}

static void refuses(void **state)
{
    static const char *const wrong[] = {"a=1&a=1", "a=1&%61=2", "=x",       "%=x",
                                        "a=%",     "a=%4",      "a=%zz",    "a=%u0041",
                                        "a=%00",   "a=%ff",     "a=%c0%ae", "a=%ed%a0%80"};
    struct ym_arena *a = ym_arena_open();
    const struct ym_form *form = NULL;
    char *big = malloc(YM_FORM_BYTES + 1);
    struct ym_buf many;

    (void)state;
    assert_non_null(big);
    for (size_t i = 0; i < YM_COUNT(wrong); i++) {
        assert_int_equal(parse(ym_str_of(wrong[i]), a, &form), YM_EINVAL);
    }
    assert_int_equal(parse((struct ym_str){"a=\0b", 4}, a, &form), YM_EINVAL);
    memset(big, 'a', YM_FORM_BYTES + 1);
    assert_int_equal(parse((struct ym_str){big, YM_FORM_BYTES}, a, &form), YM_OK);
    assert_int_equal(parse((struct ym_str){big, YM_FORM_BYTES + 1}, a, &form), YM_ETOOBIG);
    ym_buf_init(&many, 4096);
    for (int i = 0; i < YM_FORM_FIELDS; i++) {
        ym_buf_addf(&many, "f%d=&", i);
    }
    assert_int_equal(parse(ym_buf_str(&many), a, &form), YM_OK);
    ym_buf_adds(&many, "one_more");
    assert_int_equal(parse(ym_buf_str(&many), a, &form), YM_ETOOBIG);
    ym_buf_clear(&many);
    free(big);
    ym_arena_close(a);
}

static ym_status body(void *data)
{
    struct ym_arena *a = ym_arena_open();
    const struct ym_form *form;
    ym_status rc = YM_ENOMEM;

    (void)data;
    if (a != NULL) {
        rc = parse(YM_STR("a=1&b=2"), a, &form);
    }
    ym_arena_close(a);
    return rc;
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    fault_loop(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
