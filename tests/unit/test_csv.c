/* SPDX-License-Identifier: Apache-2.0
 * Proves the RFC 4180 reader's strictness and that the writer's cells read back the same.
 */
#include "ym_test.h"

#include "ym_csv.h"

#include <stdio.h>

static void reads(void **state)
{
    static const char text[] = "\xEF\xBB\xBF"
                               "code,label\r\n"
                               "1,\"a, \"\"b\"\"\nc\"\n"
                               "2,\n"
                               "\"\",\xE4\xB8\xAD";
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c;

    (void)state;
    assert_int_equal(ym_csv_parse(YM_STR(text), "t.csv", a, &c, NULL), YM_OK);
    assert_int_equal(c.count, 3);
    assert_int_equal(ym_csv_column(&c, "label"), 1);
    assert_int_equal(ym_csv_column(&c, "Label"), -1);
    assert_string_equal(c.rows[0].cells[1].p, "a, \"b\"\nc");
    assert_int_equal(c.rows[0].cells[1].n, 8);
    assert_int_equal(c.rows[0].line, 2);
    assert_int_equal(c.rows[1].line, 4);
    assert_string_equal(c.rows[1].cells[1].p, "");
    assert_string_equal(c.rows[2].cells[0].p, "");
    assert_string_equal(c.rows[2].cells[1].p, "\xE4\xB8\xAD");
    ym_arena_close(a);
}

static void refuses_at(struct ym_str text, int line)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c;
    struct ym_err err = {0};

    if (ym_csv_parse(text, "t.csv", a, &c, &err) != YM_EINVAL || err.line != line) {
        fail_msg("line %d (%s): %.40s", err.line, err.message, text.p);
    }
    ym_arena_close(a);
}

static void refuses(void **state)
{
    (void)state;
    refuses_at(YM_STR(""), 1);
    refuses_at(YM_STR("a,b\n1\n"), 2);
    refuses_at(YM_STR("a,b\n1,2,3\n"), 2);
    refuses_at(YM_STR("a,b\n1,2\n\n"), 3);
    refuses_at(YM_STR("a,a\n1,2\n"), 1);
    refuses_at(YM_STR("a\nx\"y\n"), 2);
    refuses_at(YM_STR("a\n\"x\"y\n"), 2);
    refuses_at(YM_STR("a\n\"x\ny\n"), 2);
    refuses_at(YM_STR("a\rb\n"), 1);
    refuses_at(YM_STR("a\n\xFF\n"), 1);
    refuses_at(YM_STR("a\n\0\n"), 1);
}

static void column_limit(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c;
    char text[2000];
    int i, n = 0;

    (void)state;
    for (i = 0; i < 257; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%sc%d", i > 0 ? "," : "", i);
        if (i == 255) {
            assert_int_equal(ym_csv_parse((struct ym_str){text, (size_t)n}, "t", a, &c, NULL),
                             YM_OK);
        }
    }
    assert_int_equal(ym_csv_parse((struct ym_str){text, (size_t)n}, "t", a, &c, NULL), YM_ETOOBIG);
    ym_arena_close(a);
}

static void written_cells_read_back(void **state)
{
    static const char *const cells[] = {"plain", "a,b", "q\"q", "line\nfeed", " edge ", "", "=1"};
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c;
    struct ym_buf b;
    size_t i;

    (void)state;
    ym_buf_init(&b, 1000);
    for (i = 0; i < YM_COUNT(cells); i++) {
        assert_int_equal(ym_csv_add_cell(&b, ym_str_of(cells[i]), i == 0, false), YM_OK);
    }
    assert_int_equal(ym_csv_parse(ym_buf_str(&b), "t", a, &c, NULL), YM_OK);
    assert_int_equal(c.head.count, YM_COUNT(cells));
    for (i = 0; i < YM_COUNT(cells); i++) {
        assert_string_equal(c.head.cells[i].p, cells[i]);
    }
    ym_buf_clear(&b);
    ym_arena_close(a);
}

static void formulas_are_neutralised(void **state)
{
    static const char *const cells[][2] = {
        {"=1+1", "'=1+1"}, {"+86", "'+86"}, {"-1", "'-1"}, {"@x", "'@x"},
        {"\tx", "'\tx"},   {"a=1", "a=1"},  {"", ""},      {"=a,\"b\"", "\"'=a,\"\"b\"\"\""},
    };
    struct ym_buf b;
    size_t i;

    (void)state;
    ym_buf_init(&b, 1000);
    for (i = 0; i < YM_COUNT(cells); i++) {
        ym_buf_reset(&b);
        assert_int_equal(ym_csv_add_cell(&b, ym_str_of(cells[i][0]), true, true), YM_OK);
        assert_string_equal(b.p, cells[i][1]);
    }
    ym_buf_clear(&b);
}

static ym_status csv_body(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c;
    ym_status rc = YM_ENOMEM;

    (void)data;
    if (a != NULL) {
        rc = ym_csv_parse(YM_STR("a,b\n1,\"2\"\n"), "t", a, &c, NULL);
    }
    ym_arena_close(a);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(csv_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(column_limit),
        cmocka_unit_test(written_cells_read_back),
        cmocka_unit_test(formulas_are_neutralised),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
