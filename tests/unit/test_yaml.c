/* SPDX-License-Identifier: Apache-2.0
 * Proves the YAML subset: what is read, with which lines, and what is refused.
 */
#include "ym_test.h"

#include "ym_buf.h"
#include "ym_yaml.h"

static ym_status parse(const char *text, struct ym_arena *a, struct ym_yaml **ret,
                       struct ym_err *err)
{
    return ym_yaml_parse(ym_str_of(text), "t.yaml", a, ret, err);
}

static void refuses_at(const char *text, ym_status why, int line)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    struct ym_err err = {0};
    ym_status rc = parse(text, a, &y, &err);

    if (rc != why || err.line != line || strcmp(err.file, "t.yaml") != 0) {
        fail_msg("%d at line %d (%s) instead of %d at %d: %.80s", rc, err.line, err.message, why,
                 line, text);
    }
    assert_null(y);
    ym_arena_close(a);
}

static void reads_a_tree_with_lines(void **state)
{
    static const char text[] = "a: 1\n"
                               "b:\n"
                               "  - x\n"
                               "  - { c: yes, d: '' }\n"
                               "e:\n"
                               "f: |\n"
                               "  two\n"
                               "  lines\n";
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL, *b;

    (void)state;
    assert_int_equal(parse(text, a, &y, NULL), YM_OK);
    assert_int_equal(y->kind, YM_YAML_MAP);
    assert_int_equal(y->count, 4);
    assert_string_equal(ym_yaml_text(y, "a"), "1");
    b = ym_yaml_get(y, "b");
    assert_int_equal(b->kind, YM_YAML_LIST);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->child->line, 3);
    assert_string_equal(ym_yaml_text(b->child->next, "c"), "yes");
    assert_true(ym_yaml_get(b->child->next, "d")->quoted);
    assert_false(ym_yaml_get(y, "e")->quoted);
    assert_int_equal(ym_yaml_get(y, "e")->text.n, 0);
    assert_string_equal(ym_yaml_text(y, "f"), "two\nlines\n");
    assert_int_equal(ym_yaml_get(y, "f")->key->line, 6);
    assert_null(ym_yaml_get(y, "g"));
    assert_null(ym_yaml_text(y, "b"));
    assert_null(ym_yaml_get(NULL, "a"));
    ym_arena_close(a);
}

static void refuses_what_is_outside(void **state)
{
    (void)state;
    refuses_at("a: 1\nb: &x 2\n", YM_EUNSUPPORTED, 2);
    refuses_at("a: *x\n", YM_EUNSUPPORTED, 1);
    refuses_at("a: !!str 1\n", YM_EUNSUPPORTED, 1);
    refuses_at("a: 1\n---\nb: 2\n", YM_EINVAL, 2);
    refuses_at("%YAML 1.1\n---\na: 1\n", YM_EUNSUPPORTED, 1);
    refuses_at("a: 1\nb: 2\na: 3\n", YM_EINVAL, 3);
    refuses_at("? [a]\n: 1\n", YM_EUNSUPPORTED, 1);
    refuses_at("a: \"x\\0y\"\n", YM_EINVAL, 1);
    refuses_at("a: [1\n", YM_EINVAL, 2);
    refuses_at("a:\n\t- b\n", YM_EINVAL, 2);
    refuses_at("", YM_EINVAL, 1);
    refuses_at("# nothing\n", YM_EINVAL, 2);
}

static void depth_limit(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    char text[200];

    (void)state;
    memset(text, '[', YM_YAML_DEPTH);
    memset(text + YM_YAML_DEPTH, ']', YM_YAML_DEPTH);
    text[2 * YM_YAML_DEPTH] = '\0';
    assert_int_equal(parse(text, a, &y, NULL), YM_OK);
    ym_arena_close(a);
    memset(text, '[', YM_YAML_DEPTH + 1);
    memset(text + YM_YAML_DEPTH + 1, ']', YM_YAML_DEPTH + 1);
    text[2 * YM_YAML_DEPTH + 2] = '\0';
    refuses_at(text, YM_ETOOBIG, 1);
}

static void node_and_byte_limits(void **state)
{
    struct ym_arena *a;
    struct ym_yaml *y;
    struct ym_buf b;
    size_t i, n;

    (void)state;
    ym_buf_init(&b, YM_YAML_BYTES + 10);
    for (n = YM_YAML_NODES - 1; n <= YM_YAML_NODES; n++) { /* the list itself is a node */
        ym_buf_reset(&b);
        (void)ym_buf_adds(&b, "[");
        for (i = 0; i < n; i++) {
            (void)ym_buf_adds(&b, "x,");
        }
        assert_int_equal(ym_buf_adds(&b, "]"), YM_OK);
        a = ym_arena_open();
        y = NULL;
        assert_int_equal(ym_yaml_parse(ym_buf_str(&b), "t", a, &y, NULL),
                         n < YM_YAML_NODES ? YM_OK : YM_ETOOBIG);
        ym_arena_close(a);
    }
    ym_buf_reset(&b);
    (void)ym_buf_adds(&b, "#");
    while (b.n < YM_YAML_BYTES - 2) {
        (void)ym_buf_addc(&b, 'x');
    }
    (void)ym_buf_adds(&b, "\na");
    a = ym_arena_open();
    y = NULL;
    assert_int_equal(b.n, YM_YAML_BYTES);
    assert_int_equal(ym_yaml_parse(ym_buf_str(&b), "t", a, &y, NULL), YM_OK);
    (void)ym_buf_adds(&b, "b");
    assert_int_equal(ym_yaml_parse(ym_buf_str(&b), "t", a, &y, NULL), YM_ETOOBIG);
    ym_arena_close(a);
    ym_buf_clear(&b);
}

static void unknown_keys_get_a_hint(void **state)
{
    static const char *const allowed[] = {"timeout", "attempts", NULL};
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    struct ym_diag d;

    (void)state;
    ym_diag_init(&d);
    assert_int_equal(parse("timeout: 1\ntimeuot: 2\nzebra: 3\n", a, &y, NULL), YM_OK);
    assert_false(ym_yaml_only(y, allowed, &d));
    assert_int_equal(d.count, 2);
    assert_int_equal(d.items[0].line, 2);
    assert_non_null(strstr(d.items[0].message, "did you mean \"timeout\""));
    assert_null(strstr(d.items[1].message, "did you mean"));
    ym_diag_clear(&d);
    assert_true(ym_yaml_only(NULL, allowed, &d));
    ym_arena_close(a);
}

static ym_status load_body(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    ym_status rc = YM_ENOMEM;

    (void)data;
    if (a != NULL) {
        rc = parse("a: [1, 2, { b: c }]\n", a, &y, NULL);
    }
    ym_arena_close(a);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(load_body, NULL);
}

static void files(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    struct ym_err err = {0};

    (void)state;
    assert_int_equal(ym_yaml_file("/nonexistent/x.yaml", a, &y, &err), YM_ENOTFOUND);
    assert_string_equal(err.file, "/nonexistent/x.yaml");
    assert_int_equal(ym_yaml_file("/", a, &y, &err), YM_EIO);
    ym_arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree_with_lines),
        cmocka_unit_test(refuses_what_is_outside),
        cmocka_unit_test(depth_limit),
        cmocka_unit_test(node_and_byte_limits),
        cmocka_unit_test(unknown_keys_get_a_hint),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
