/* SPDX-License-Identifier: Apache-2.0
 * Every function of the closed list: its result, what it refuses, its effect on length.
 */
#include "help_map.h"

/* Applies functions (YAML list text) to a JSON value; the text or "!problems". */
static const char *apply(struct bench *b, const char *list, const char *value)
{
    const char *yaml = ym_arena_printf(b->a, "- { to: x, from: /data/v, apply: %s }\n", list);
    const char *record = ym_arena_printf(b->a, "{\"data\":{\"v\":%s}}", value);
    const char *got = run(b, yaml, record);
    size_t n = strlen(got);
    if (n > 8 && strncmp(got, "{\"x\":\"", 6) == 0) {
        return ym_arena_str(b->a, (struct ym_str){got + 6, n - 8});
    }
    return got;
}

static void test_results(void **state)
{
    static const struct {
        const char *list, *value, *want;
    } cases[] = {
        {"[trim]", "\"\\u3000 a b\\u00a0\\t\"", "a b"},
        {"[digits]", "\"(0571) 8765-4321\"", "057187654321"},
        {"[digits]", "\"138０１２３４５６７\"", "13801234567"},
        {"[upper]", "\"11010519491231002x\"", "11010519491231002X"},
        {"[lower]", "\"AbC调\"", "abc调"},
        {"[date]", "\"2026-01-31T20:30:00Z\"", "2026-02-01"},
        {"[date]", "\"2026-01-31\"", "2026-01-31"},
        {"[date8]", "\"2026-01-31T08:30:00+08:00\"", "20260131"},
        {"[datetime]", "\"2026-01-31T08:30:00+08:00\"", "2026-01-31 08:30:00"},
        {"[datetime, \"cut:16\"]", "\"2026-01-31T08:30:59+08:00\"", "2026-01-31 08:30"},
        {"[datetime14]", "\"2026-01-31T08:30:00+08:00\"", "20260131083000"},
        {"[rfc3339]", "\"2026-01-31T00:30:00Z\"", "2026-01-31T08:30:00+08:00"},
        {"[epoch_ms]", "\"2023-11-15T06:13:20+08:00\"", "1700000000000"},
        {"[epoch_s]", "\"2023-11-15T06:13:20+08:00\"", "1700000000"},
        {"[datetime]", "1700000000000", "2023-11-15 06:13:20"},
        {"[yuan]", "\"1234\"", "12.34"},
        {"[yuan]", "\"5\"", "0.05"},
        {"[yuan]", "\"-105\"", "-1.05"},
        {"[\"join:、\"]", "[\"a\",1,true]", "a、1、true"},
        {"[\"pad:6\"]", "\"42\"", "000042"},
        {"[\"pad:2\"]", "\"1234\"", "1234"},
        {"[\"area:6\"]", "\"330106001002\"", "330106"},
        {"[digits, mobile]", "\"130-0000-0001\"", "13000000001"},
        {"[mask_id]", "\"330106189003070015\"", "330106********0015"},
        {"[mask_phone]", "\"13000000001\"", "130****0001"},
        {"[mask_phone]", "\"12345\"", "*****"},
        {"[bool01]", "true", "1"},
        {"[bool01]", "\"false\"", "0"},
        {"[\"yesno:是|否\"]", "false", "否"},
        {"[oneline]", "\"a\\r\\nb\\nc\\rd\"", "a b c d"},
        {"[\"first:4\"]", "\"一二三四五\"", "一二三…"},
        {"[\"first:4\"]", "\"一二三四\"", "一二三四"},
        {"[\"prefix:No. \"]", "\"7\"", "No. 7"},
        {"[\"suffix:号\"]", "\"7\"", "7号"},
        {"[\"replace:-|\"]", "\"1-2-3\"", "123"},
        {"[\"replace:aa|b\"]", "\"aaaaa\"", "bba"},
        {"[trim, upper, \"pad:5\"]", "\" ab \"", "000AB"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *got = apply(&b, cases[i].list, cases[i].value);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s(%s) = %s, not %s", cases[i].list, cases[i].value, got, cases[i].want);
        }
    }
    bench_close(&b);
}

/* Digests: the values were computed with sha256sum. */
static void test_digests(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    /* SHA-256("abc") = ba7816bf8f01cfea 414140de5dae2223 … */
    assert_string_equal(apply(&b, "[hash63]", "\"abc\""), "4213142463398924266");
    assert_string_equal(apply(&b, "[uuid]", "\"abc\""), "ba7816bf-8f01-8fea-8141-40de5dae2223");
    assert_string_equal(apply(&b, "[uuid]", "\"abc\""), apply(&b, "[uuid]", "\"abc\""));
    assert_string_not_equal(apply(&b, "[uuid]", "\"abc\""), apply(&b, "[uuid]", "\"abd\""));
    bench_close(&b);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *list, *value, *want;
    } cases[] = {
        {"[date]", "\"soon\"", "!format /v (date-time)"},
        {"[datetime]", "\"20260131083000\"", "!format /v (date-time)"},
        {"[yuan]", "\"12.5\"", "!format /v (integer)"},
        {"[\"area:6\"]", "\"33-01\"", "!format /v (digits)"},
        {"[bool01]", "\"perhaps\"", "!format /v (boolean)"},
        {"[trim]", "[1]", "!type /v (string)"},
        {"[\"join:,\"]", "[[1]]", "!type /v (array of strings)"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        assert_string_equal(apply(&b, cases[i].list, cases[i].value), cases[i].want);
    }
    bench_close(&b);
}

static void test_bad_lists(void **state)
{
    static const struct {
        const char *list, *want;
    } cases[] = {
        {"[upcase]", "unknown function \"upcase\""},
        {"[\"trim:3\"]", "takes no argument"},
        {"[pad]", "needs an argument"},
        {"[\"pad:0\"]", "from 1 to 100000"},
        {"[\"pad:x\"]", "from 1 to 100000"},
        {"[\"yesno:是\"]", "two texts"},
        {"[\"replace:|b\"]", "two texts"},
        {"[trim, \"join:,\"]", "comes first"},
        {"[\"cut:4\"]", "after a time function"},
        {"[trim, \"cut:4\"]", "after a time function"},
        {"trim", "takes a list"},
        {"[[trim]]", "a function is text"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *yaml =
            ym_arena_printf(b.a, "- { to: x, from: /data/v, apply: %s }\n", cases[i].list);
        assert_has(refused(&b, yaml), cases[i].want);
    }
    bench_close(&b);
}

/* What comes out empty is missing, and the length is that of the result. */
static void test_length(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    const char *phone = "- { to: t, from: /data/v, apply: [digits], max: 11, required: true }\n";
    assert_string_equal(run(&b, phone, "{\"data\":{\"v\":\"130-0000-0001 (office)\"}}"),
                        "{\"t\":\"13000000001\"}");
    assert_string_equal(check(&b, phone, "{\"data\":{\"v\":\"130-0000-00011\"}}"),
                        "too_long /v 11");
    assert_string_equal(check(&b, phone, "{\"data\":{\"v\":\"none\"}}"), "required /v");
    bench_close(&b);
}

/* The list is closed and documented: every name the compiler knows is in the reference. */
static void test_document(void **state)
{
    struct ym_buf out;
    (void)state;
    ym_buf_init(&out, 1 << 16);
    assert_int_equal(ym_map_document(&out), YM_OK);
    assert_has(out.p, "| `yuan` |");
    assert_has(out.p, "`pad:N`");
    assert_has(out.p, "`replace:A\\|B`");
    ym_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),  cmocka_unit_test(test_digests),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_length),   cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
