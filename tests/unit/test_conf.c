/* SPDX-License-Identifier: Apache-2.0
 * Proves that a settings table fills defaults, parses every type and names every fault with its line.
 */
#include "ym_test.h"

#include "ym_conf.h"

#include <stdio.h>

struct sample {
    const char *name;
    bool on;
    int64_t count, size, wait;
    int mode;
    double rate;
    const struct ym_yaml *extra;
};

static const char *const modes[] = {"fast", "safe", NULL};

#define AT(member) offsetof(struct sample, member)
static const struct ym_field table[] = {
    {"name", YM_FIELD_STRING, AT(name), NULL, 1, 8, NULL, YM_FIELD_REQUIRED, "What it is called."},
    {"on", YM_FIELD_BOOL, AT(on), "true", 0, 0, NULL, 0, "Whether it runs."},
    {"count", YM_FIELD_INT, AT(count), "3", 1, 10, NULL, YM_FIELD_RELOADABLE, "How many."},
    {"size", YM_FIELD_SIZE, AT(size), "64k", 0, 0, NULL, 0, "How large."},
    {"wait", YM_FIELD_DURATION, AT(wait), "8s", 1, 60000, NULL, 0, "How long."},
    {"mode", YM_FIELD_ENUM, AT(mode), "safe", 0, 0, modes, 0, "How."},
    {"rate", YM_FIELD_RATE, AT(rate), "0/s", 0, 0, NULL, 0, "How often."},
    {"extra", YM_FIELD_NODE, AT(extra), NULL, 0, 0, NULL, 0, "Checked elsewhere."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

static ym_status load(const char *text, struct sample *s, struct ym_arena *a, struct ym_diag *d)
{
    struct ym_yaml *y = NULL;

    ym_diag_init(d);
    assert_int_equal(ym_yaml_parse(ym_str_of(text), "s.yaml", a, &y, NULL), YM_OK);
    return ym_conf_load(table, y, "settings", s, a, d);
}

static void defaults_and_values(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct sample s;
    struct ym_diag d;

    (void)state;
    memset(&s, 0xFF, sizeof(s));
    assert_int_equal(load("name: x\nwait:\n", &s, a, &d), YM_OK);
    assert_string_equal(s.name, "x");
    assert_true(s.on);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.size, 65536);
    assert_int_equal(s.wait, 8000);
    assert_int_equal(s.mode, 1);
    assert_true(s.rate >= 0 && s.rate <= 0);
    assert_null(s.extra);
    assert_int_equal(load("name: y\non: false\ncount: 10\nsize: 2m\nwait: 1m\nmode: fast\n"
                          "rate: 90/m\nextra: { a: b }\n",
                          &s, a, &d),
                     YM_OK);
    assert_false(s.on);
    assert_int_equal(s.count, 10);
    assert_int_equal(s.size, 2097152);
    assert_int_equal(s.wait, 60000);
    assert_int_equal(s.mode, 0);
    assert_true(s.rate > 1.49 && s.rate < 1.51);
    assert_string_equal(ym_yaml_text(s.extra, "a"), "b");
    ym_arena_close(a);
}

static void every_fault_is_named(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct sample s;
    struct ym_diag d;
    size_t i;

    (void)state;
    assert_int_equal(
        load("on: yes\ncount: 11\nsize: 5x\nwait: 61s\nmode: slow\nrate: 5\ncuont: 1\n", &s, a, &d),
        YM_EINVAL);
    assert_int_equal(d.count, 8);
    assert_non_null(strstr(d.items[0].message, "settings.name is missing"));
    for (i = 1; i < 8; i++) {
        assert_int_equal(d.items[i].line, (int)i);
        assert_string_equal(d.items[i].file, "s.yaml");
    }
    assert_non_null(strstr(d.items[2].message, "1 to 10"));
    assert_non_null(strstr(d.items[5].message, "fast, safe"));
    assert_non_null(strstr(d.items[7].message, "did you mean \"count\""));
    ym_diag_clear(&d);
    assert_int_equal(load("name: 123456789\n", &s, a, &d), YM_EINVAL);
    ym_diag_clear(&d);
    assert_int_equal(load("name: ''\n", &s, a, &d), YM_EINVAL);
    ym_diag_clear(&d);
    assert_int_equal(load("- a\n", &s, a, &d), YM_EINVAL);
    ym_diag_clear(&d);
    ym_arena_close(a);
}

static void numbers(void **state)
{
    int64_t v = 7;

    (void)state;
    assert_true(ym_int_parse(YM_STR("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_true(ym_int_parse(YM_STR("9223372036854775807"), &v));
    assert_true(v == INT64_MAX);
    v = 7;
    assert_false(ym_int_parse(YM_STR("9223372036854775808"), &v));
    assert_false(ym_int_parse(YM_STR("-9223372036854775809"), &v));
    assert_false(ym_int_parse(YM_STR(""), &v));
    assert_false(ym_int_parse(YM_STR("-"), &v));
    assert_false(ym_int_parse(YM_STR(" 1"), &v));
    assert_false(ym_int_parse(YM_STR("1 "), &v));
    assert_false(ym_int_parse(YM_STR("+1"), &v));
    assert_int_equal(v, 7);

    assert_true(ym_duration_parse(YM_STR("250ms"), &v) && v == 250);
    assert_true(ym_duration_parse(YM_STR("30d"), &v) && v == 2592000000);
    assert_true(ym_duration_parse(YM_STR("0"), &v) && v == 0);
    assert_false(ym_duration_parse(YM_STR("5"), &v));
    assert_false(ym_duration_parse(YM_STR("-5s"), &v));
    assert_false(ym_duration_parse(YM_STR("9223372036854775807d"), &v));
    assert_true(ym_size_parse(YM_STR("8"), &v) && v == 8);
    assert_true(ym_size_parse(YM_STR("1g"), &v) && v == 1073741824);
    assert_false(ym_size_parse(YM_STR("k"), &v));
}

static ym_status conf_body(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    struct sample s;
    struct ym_diag d;
    ym_status rc = YM_ENOMEM;

    (void)data;
    ym_diag_init(&d);
    if (a != NULL) {
        rc = ym_yaml_parse(YM_STR("name: x\n"), "s", a, &y, NULL);
    }
    if (rc == YM_OK && ym_conf_load(table, y, "settings", &s, a, &d) != YM_OK) {
        assert_non_null(strstr(d.items[0].message, "out of memory"));
        rc = YM_ENOMEM;
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(conf_body, NULL);
}

static void documents_itself(void **state)
{
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 10000);
    assert_int_equal(ym_conf_document(table, &b), YM_OK);
    assert_non_null(strstr(b.p, "| `count` | number | `3` | 1 to 10 | How many. Reloadable. |"));
    assert_non_null(strstr(b.p, "| `name` | text | required | 1 bytes to 8 bytes |"));
    assert_non_null(strstr(b.p, "| `mode` | word | `safe` | fast, safe | How. |"));
    ym_buf_clear(&b);
}

static void numbers_as_text(void **state)
{
    static const int64_t values[] = {0,         1,          -1,        9,         10,
                                     -10,       1700000000, INT64_MAX, INT64_MIN, INT64_MIN + 1,
                                     100000000, -999999999};
    char text[YM_INT_TEXT], expected[YM_INT_TEXT];
    int64_t back;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(values); i++) {
        int n = snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);

        assert_int_equal(ym_int_text(values[i], text), n);
        assert_string_equal(text, expected);
        assert_true(ym_int_parse(ym_str_of(text), &back));
        assert_true(back == values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_values),
        cmocka_unit_test(every_fault_is_named),
        cmocka_unit_test(numbers),
        cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(documents_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
