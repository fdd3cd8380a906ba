/* SPDX-License-Identifier: Apache-2.0
 * Proves that the fast JSON reader and writer agree with jansson on what they take, and that they
 * take nothing that jansson or the limits refuse.
 */
#include "ym_json_fast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

static bool takes(const char *text)
{
    json_t *v = NULL;
    bool ok = ym_json_read(ym_str_of(text), &ym_json_defaults, &v);

    json_decref(v);
    return ok;
}

static void same_as_jansson(const char *text)
{
    json_t *fast = NULL, *slow = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    struct ym_buf out;
    char *expected = json_dumps(slow, FLAGS);

    assert_non_null(slow);
    assert_true(ym_json_read(ym_str_of(text), &ym_json_defaults, &fast));
    assert_true(json_equal(fast, slow));
    ym_buf_init(&out, 1 << 20);
    assert_int_equal(ym_json_write(fast, &out), YM_OK);
    assert_string_equal(out.p, expected); /* order of members included */
    ym_buf_clear(&out);
    free(expected);
    json_decref(fast);
    json_decref(slow);
}

static void ordinary_text(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] ",
        "\"\"",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-7",
        "123456789012345678",
        "1.5",
        "-2.25e3",
        "1E-7",
        "0.1",
        "120.15",
        "{\"b\":1,\"a\":[1,2,{\"c\":null}],\"\":\"\"}",
        "{ \"调解\" : \"张三、李四\" , \"x\" : [ true , false ] }",
        "\"\\u8c03\\u89e3 \\ud83d\\ude00 \\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0001 \\u001f \\u007f\"",
        "{\"k\\u0065y\":\"v\\n\",\"k2\":\"\\t\"}",
        "\"😀 plain\"",
        "[[[[[[[[[[1]]]]]]]]]]",
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        same_as_jansson(texts[i]);
    }
}

static void refused_text(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "tru",
        "nulll",
        "\"abc",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\u0000\"",
        "\"\x01\"",
        "\"\t\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xe8\xb0\"",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "1 1",
        "[1]x",
        "\xEF\xBB\xBF[]",
        "'a'",
        "1e999",
        "\\u0041",
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        if (takes(texts[i])) {
            print_error("taken: %s\n", texts[i]);
        }
        assert_false(takes(texts[i]));
    }
}

static void within_the_limits(void **state)
{
    struct ym_json_limits l = {.bytes = 20, .depth = 3, .members = 4};
    json_t *v = NULL;

    (void)state;
    assert_true(ym_json_read(YM_STR("[[[1]]]"), &l, &v));
    json_decref(v);
    assert_false(ym_json_read(YM_STR("[[[[]]]]"), &l, &v));
    assert_true(ym_json_read(YM_STR("[1,2,3,4]"), &l, &v));
    json_decref(v);
    assert_false(ym_json_read(YM_STR("[1,2,3,4,5]"), &l, &v));
    assert_false(ym_json_read(YM_STR("\"twenty-one bytes ...\""), &l, &v));
}

/* {a: {b: all, c: [{d: all}]}}: the rest is not there, whatever it holds. */
static void only_what_is_wanted(void **state)
{
    static const char *const pairs[][2] = {
        {"{}", "{}"},
        {"{\"x\":1,\"a\":2,\"y\":[{}]}", "{\"a\":2}"},
        {"{\"a\":{\"b\":{\"e\":[1,{\"f\":null}]},\"x\":\"y\"}}",
         "{\"a\":{\"b\":{\"e\":[1,{\"f\":null}]}}}"},
        {"{\"a\":{\"c\":[{\"d\":1,\"x\":2},7,\"s\",null,[8],{}]}}",
         "{\"a\":{\"c\":[{\"d\":1},7,\"s\",null,[],{}]}}"},
        {"{\"a\":[1,{\"b\":2}],\"x\":[1,2]}", "{\"a\":[]}"},
        {"{ \"x\" : { \"b\" : [ \"}\\\\\" , \"\\\"]\" , -1.5e3 , true ] } , \"a\" : { \"x\" : "
         "false } }",
         "{\"a\":{}}"},
        {"{\"\\u0061\":{\"\\u0062\":\"\\n\"},\"调\":\"解\"}", "{\"a\":{\"b\":\"\\n\"}}"},
        {"[1,2]", "[]"},
        {"\"text\"", "\"text\""},
    };
    struct ym_want all_b = {.key = YM_STR("b"), .all = true};
    struct ym_want all_d = {.key = YM_STR("d"), .all = true}, item = {.kids = &all_d};
    struct ym_want c = {.key = YM_STR("c"), .items = &item, .next = &all_b};
    struct ym_want a = {.key = YM_STR("a"), .kids = &c}, root = {.kids = &a};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(pairs); i++) {
        json_t *v = NULL, *expected = json_loads(pairs[i][1], JSON_DECODE_ANY, NULL);

        assert_non_null(expected);
        assert_true(ym_json_read_wanted(ym_str_of(pairs[i][0]), &ym_json_defaults, &root, &v));
        assert_true(json_equal(v, expected));
        json_decref(v);
        json_decref(expected);
    }
}

/* What is passed over must end all the same, and what is read is read as strictly as ever. */
static void wanted_and_ill_formed(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "{\"x\"",
        "{\"x\":",
        "{\"x\":1",
        "{\"x\":\"",
        "{\"x\":\"\\",
        "{\"x\":\"\\\"",
        "{\"x\":[",
        "{\"x\":[1,\"2\"",
        "{\"x\":{]",
        "{\"x\" 1}",
        "{x:1}",
        "{\"a\":01}",
        "{\"a\":1,\"a\":2}",
        "{\"x\":1}}",
        "{\"a\":\"\xff\"}",
    };
    struct ym_want a = {.key = YM_STR("a"), .all = true}, root = {.kids = &a};
    json_t *v = NULL;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        size_t n = strlen(texts[i]);
        char *exact = malloc(n + 1);

        memcpy(exact + 1, texts[i], n);
        assert_false(
            ym_json_read_wanted((struct ym_str){exact + 1, n}, &ym_json_defaults, &root, &v));
        free(exact);
    }
}

/* Every cut of a text that has everything in it: never taken, never read beyond. */
static void every_cut(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\u8c03\\ud83d\\ude00\",true,null],\"调\":{\"b\":false}}";
    json_t *v = NULL;

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        char *exact = malloc(n + 1); /* one more, so that n = 0 is a pointer, too */

        memcpy(exact + 1, text, n);
        assert_false(ym_json_read((struct ym_str){exact + 1, n}, &ym_json_defaults, &v));
        free(exact);
    }
    same_as_jansson(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_text),         cmocka_unit_test(refused_text),
        cmocka_unit_test(within_the_limits),     cmocka_unit_test(only_what_is_wanted),
        cmocka_unit_test(wanted_and_ill_formed), cmocka_unit_test(every_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
