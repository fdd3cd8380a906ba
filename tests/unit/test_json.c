/* SPDX-License-Identifier: Apache-2.0
 * Proves that the JSON door holds each limit to the unit and refuses what RFC 8259 leaves open.
 */
#include "ym_test.h"

#include "ym_buf.h"
#include "ym_json.h"

static ym_status parse(struct ym_str text, json_t **ret)
{
    struct ym_err err = {0};

    return ym_json_parse(text, &ym_json_defaults, ret, &err);
}

static void accepts(const char *text)
{
    json_t *j = NULL;

    if (parse(ym_str_of(text), &j) != YM_OK) {
        fail_msg("refused: %.60s", text);
    }
    json_decref(j);
}

static void refuses(struct ym_str text, ym_status why)
{
    json_t *j = NULL;
    struct ym_err err = {0};
    ym_status rc = ym_json_parse(text, &ym_json_defaults, &j, &err);

    if (rc != why) {
        fail_msg("%d instead of %d: %.60s", rc, why, text.p);
    }
    assert_null(j);
    assert_int_equal(err.code, why);
    assert_true(err.message[0] != '\0');
}

static void depth_limit(void **state)
{
    char text[200];
    size_t n;

    (void)state;
    for (n = YM_JSON_DEPTH; n <= YM_JSON_DEPTH + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        if (n == YM_JSON_DEPTH) {
            text[2 * n] = '\0';
            accepts(text);
        } else {
            refuses((struct ym_str){text, 2 * n}, YM_ETOOBIG);
        }
    }
}

/* n members: as items, or as object members, or half and half below one another. */
static void build_members(struct ym_buf *b, size_t n, int how)
{
    size_t i;

    ym_buf_reset(b);
    (void)ym_buf_adds(b, how == 1 ? "{" : "[ ");
    for (i = 0; i < n; i++) {
        if (how == 1) {
            (void)ym_buf_addf(b, "%s\"k%zu\":0", i > 0 ? "," : "", i);
        } else if (how == 2 && i % 2 == 0) {
            (void)ym_buf_addf(b, "%s%s", i > 0 ? "," : "", i + 1 < n ? "{\"a\":" : "{}");
        } else {
            (void)ym_buf_addf(b, "%s0%s", i > 0 && how != 2 ? "," : "", how == 2 ? "}" : "");
        }
    }
    assert_int_equal(ym_buf_adds(b, how == 1 ? "}" : " ]"), YM_OK);
}

static void member_limit(void **state)
{
    struct ym_buf b;
    int how;

    (void)state;
    ym_buf_init(&b, YM_JSON_BYTES);
    for (how = 0; how < 3; how++) {
        build_members(&b, YM_JSON_MEMBERS, how);
        accepts(b.p);
        build_members(&b, YM_JSON_MEMBERS + 1, how);
        refuses(ym_buf_str(&b), YM_ETOOBIG);
    }
    ym_buf_clear(&b);
}

static void byte_limit(void **state)
{
    char *text = test_malloc(YM_JSON_BYTES + 2);

    (void)state;
    memset(text, 'a', YM_JSON_BYTES + 1);
    text[0] = '"';
    text[YM_JSON_BYTES - 1] = '"';
    text[YM_JSON_BYTES] = '\0';
    accepts(text);
    text[YM_JSON_BYTES - 1] = 'a';
    text[YM_JSON_BYTES] = '"';
    refuses((struct ym_str){text, YM_JSON_BYTES + 1}, YM_ETOOBIG);
    test_free(text);
}

static void brackets_in_strings_do_not_count(void **state)
{
    (void)state;
    accepts("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[,,,{\"");
    accepts("[{},[],\"\",{ },[ ]]");
    accepts(" 12.5e-3 ");
    accepts("null");
}

static void refuses_what_is_dangerous(void **state)
{
    (void)state;
    refuses(YM_STR(""), YM_EINVAL);
    refuses(YM_STR("  "), YM_EINVAL);
    refuses(YM_STR("\xEF\xBB\xBF{}"), YM_EINVAL);
    refuses(YM_STR("{\"a\":1,\"a\":2}"), YM_EINVAL);
    refuses(YM_STR("{\"a\":1,\"\\u0061\":2}"), YM_EINVAL);
    refuses(YM_STR("\"\\u0000\""), YM_EINVAL);
    refuses(YM_STR("{\"a\\u0000b\":1}"), YM_EINVAL);
    refuses(YM_STR("\"\0\""), YM_EINVAL);
    refuses(YM_STR("{}\0"), YM_EINVAL);
    refuses(YM_STR("\"\\ud800\""), YM_EINVAL);
    refuses(YM_STR("\"\\udc00\\ud800\""), YM_EINVAL);
    refuses(YM_STR("\"\xED\xA0\x80\""), YM_EINVAL);
    refuses(YM_STR("\"\xC0\xAF\""), YM_EINVAL);
    refuses(YM_STR("\"\xFF\""), YM_EINVAL);
    refuses(YM_STR("{} x"), YM_EINVAL);
    refuses(YM_STR("{}{}"), YM_EINVAL);
    refuses(YM_STR("[1,]"), YM_EINVAL);
    refuses(YM_STR("{\"a\":}"), YM_EINVAL);
    refuses(YM_STR("[01]"), YM_EINVAL);
    refuses(YM_STR("NaN"), YM_EINVAL);
    refuses(YM_STR("1e999"), YM_EINVAL);
    refuses(YM_STR("99999999999999999999999"), YM_EINVAL);
    refuses(YM_STR("\"\n\""), YM_EINVAL);
    refuses(YM_STR("'a'"), YM_EINVAL);
    refuses(YM_STR("[1"), YM_EINVAL);
    refuses(YM_STR("]"), YM_EINVAL);
}

static void messages_quote_no_input(void **state)
{
    struct ym_err err = {0};
    json_t *j = NULL;

    (void)state;
    assert_int_equal(ym_json_parse(YM_STR("{\"phone\":13800000000\n,\"x\": geheim}"),
                                   &ym_json_defaults, &j, &err),
                     YM_EINVAL);
    assert_null(strstr(err.message, "138"));
    assert_null(strstr(err.message, "geheim"));
    assert_int_equal(err.line, 2);
    assert_true(err.column > 0);
}

static void pointers(void **state)
{
    json_t *j = NULL;

    (void)state;
    assert_int_equal(
        parse(YM_STR("{\"a\":[10,{\"b/c\":1,\"m~n\":2,\"\":3}],\"0\":4,\"~1\":5}"), &j), YM_OK);
    assert_ptr_equal(ym_json_at(j, ""), j);
    assert_int_equal(json_integer_value(ym_json_at(j, "/a/0")), 10);
    assert_int_equal(json_integer_value(ym_json_at(j, "/a/1/b~1c")), 1);
    assert_int_equal(json_integer_value(ym_json_at(j, "/a/1/m~0n")), 2);
    assert_int_equal(json_integer_value(ym_json_at(j, "/a/1/")), 3);
    assert_int_equal(json_integer_value(ym_json_at(j, "/0")), 4);
    assert_int_equal(json_integer_value(ym_json_at(j, "/~01")), 5);
    assert_null(ym_json_at(j, "/a/01"));
    assert_null(ym_json_at(j, "/a/2"));
    assert_null(ym_json_at(j, "/a/-"));
    assert_null(ym_json_at(j, "/a/9999999999"));
    assert_null(ym_json_at(j, "/a/0/x"));
    assert_null(ym_json_at(j, "a"));
    assert_null(ym_json_at(j, "/a/1/m~2n"));
    assert_null(ym_json_at(j, "/a/1/m~"));
    json_decref(j);
}

/* RFC 7396, appendix A, all of it. */
static void merge_patches(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    json_t *target = NULL, *patch = NULL, *want = NULL, *got;
    size_t i;

    (void)state;
    for (i = 0; i < YM_COUNT(cases); i++) {
        assert_int_equal(parse(ym_str_of(cases[i][0]), &target), YM_OK);
        assert_int_equal(parse(ym_str_of(cases[i][1]), &patch), YM_OK);
        assert_int_equal(parse(ym_str_of(cases[i][2]), &want), YM_OK);
        got = ym_json_merge(target, patch);
        assert_non_null(got);
        assert_true(json_equal(got, want));
        json_decref(got);
        json_decref(target);
        json_decref(patch);
        json_decref(want);
    }
}

static ym_status merge_body(void *data)
{
    json_t *j = NULL, *merged;
    ym_status rc = parse(YM_STR("{\"a\":{\"b\":1}}"), &j);

    (void)data;
    if (rc != YM_OK) {
        return rc;
    }
    merged = ym_json_merge(j, j);
    rc = merged != NULL ? YM_OK : YM_ENOMEM;
    json_decref(merged);
    json_decref(j);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(merge_body, NULL);
}

static void utf8(void **state)
{
    (void)state;
    assert_true(ym_utf8_valid("", 0));
    assert_true(ym_utf8_valid("\xF4\x8F\xBF\xBF", 4));
    assert_false(ym_utf8_valid("\xF4\x90\x80\x80", 4));
    assert_false(ym_utf8_valid("\xE0\x9F\xBF", 3));
    assert_false(ym_utf8_valid("\xF0\x8F\xBF\xBF", 4));
    assert_false(ym_utf8_valid("\xE4\xB8", 2));
    assert_int_equal(ym_utf8_length("a\xE4\xB8\xAD\xF0\x9F\x98\x80", 8), 3);
}

static void leaves_are_what_was_filled_in(void **state)
{
    static const struct {
        const char *text;
        size_t leaves;
    } cases[] = {
        {"{}", 0},    {"null", 0},       {"\"\"", 0},
        {"\"x\"", 1}, {"[1,2,\"\"]", 2}, {"{\"a\":{\"b\":[{\"c\":false},null]},\"d\":0}", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *v = NULL;

        assert_int_equal(ym_json_parse(ym_str_of(cases[i].text), &ym_json_defaults, &v, NULL),
                         YM_OK);
        assert_int_equal(ym_json_leaves(v), cases[i].leaves);
        json_decref(v);
    }
    assert_int_equal(ym_json_leaves(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_limit),
        cmocka_unit_test(member_limit),
        cmocka_unit_test(byte_limit),
        cmocka_unit_test(brackets_in_strings_do_not_count),
        cmocka_unit_test(refuses_what_is_dangerous),
        cmocka_unit_test(messages_quote_no_input),
        cmocka_unit_test(pointers),
        cmocka_unit_test(merge_patches),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(utf8),
        cmocka_unit_test(leaves_are_what_was_filled_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
