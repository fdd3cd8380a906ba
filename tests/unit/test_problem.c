/* SPDX-License-Identifier: Apache-2.0
 * Problems: merging of systems, the ceiling, Accept-Language, and every code's words.
 */
#include "ym_test.h"
#include "ym_problem.h"

#include <stdio.h>

static void merges_systems(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_problems ps;

    (void)state;
    ym_problems_init(&ps, a);
    for (int twice = 0; twice < 2; twice++) {
        for (int i = 0; i < 9; i++) {
            char id[16];

            (void)snprintf(id, sizeof(id), "s%d", i);
            assert_int_equal(
                ym_problems_add(&ps, YM_P_TOO_LONG, "/parties/0/phone", id, 11, NULL, NULL), YM_OK);
        }
    }
    assert_int_equal(ps.count, 1);
    assert_int_equal(ps.total, 1);
    assert_int_equal(ps.items[0].system_count, 9);
    assert_string_equal(ps.items[0].systems[8], "s8");

    /* another limit, another detail, the type itself: each is a problem of its own */
    ym_problems_add(&ps, YM_P_TOO_LONG, "/parties/0/phone", "s0", 12, NULL, NULL);
    ym_problems_add(&ps, YM_P_UNMAPPED, "/scale", "s0", 0, "a.csv", NULL);
    ym_problems_add(&ps, YM_P_UNMAPPED, "/scale", "s0", 0, "b.csv", NULL);
    ym_problems_add(&ps, YM_P_TOO_LONG, "/parties/0/phone", NULL, 11, NULL, NULL);
    ym_problems_add(&ps, YM_P_TOO_LONG, "/parties/0/phone", NULL, 11, NULL, NULL);
    assert_int_equal(ps.count, 5);
    assert_int_equal(ps.items[4].system_count, 0);
    ym_arena_close(a);
}

static void keeps_the_first_and_counts_the_rest(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_problems ps;
    char pointer[20];

    (void)state;
    ym_problems_init(&ps, a);
    for (int i = 0; i < YM_PROBLEMS_MAX + 50; i++) {
        (void)snprintf(pointer, sizeof(pointer), "/%d", i);
        assert_int_equal(ym_problems_add(&ps, YM_P_REQUIRED, pointer, NULL, 0, NULL, NULL), YM_OK);
    }
    assert_int_equal(ps.count, YM_PROBLEMS_MAX);
    assert_int_equal(ps.total, YM_PROBLEMS_MAX + 50);
    assert_string_equal(ps.items[YM_PROBLEMS_MAX - 1].pointer, "/199");
    ym_arena_close(a);
}

static ym_status add_some(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_problems ps;
    ym_status rc = YM_ENOMEM;

    (void)data;
    if (a == NULL) {
        return rc;
    }
    ym_problems_init(&ps, a);
    rc = YM_OK;
    for (int i = 0; i < 5 && rc == YM_OK; i++) {
        const char *const at[] = {"/a", "/b", "/c", "/d", "/e"};

        rc = ym_problems_add(&ps, YM_P_CODE, at[i], "zj-odr", 0, "zz16", "表");
    }
    ym_arena_close(a);
    return rc;
}

static void survives_failing_memory(void **state)
{
    (void)state;
    fault_loop(add_some, NULL);
}

static void languages(void **state)
{
    static const struct {
        const char *header;
        enum ym_lang want;
    } v[] = {
        {"", YM_ZH},
        {"zh-CN,zh;q=0.9", YM_ZH},
        {"en", YM_EN},
        {"en-US,en;q=0.9,zh;q=0.8", YM_EN},
        {"en;q=0.5, zh-CN", YM_ZH},
        {"fr, en;q=0.3, zh;q=0.4", YM_ZH},
        {"fr-FR, de", YM_ZH},
        {"EN-gb", YM_EN},
        {"en;q=0, zh;q=0.001", YM_ZH},
        {"en;q=0", YM_ZH},
        {"zh;q=0.7,en;q=0.7", YM_ZH}, /* the first of equals */
        {"en;q=0.7,zh;q=0.7", YM_EN},
        {"english", YM_ZH}, /* no such tag */
        {"en;q=2, zh;q=0.1", YM_ZH},
        {" \t en ; q=1.000", YM_EN},
        {",,;;q=,en;q=x", YM_ZH},
        {"*", YM_ZH},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(v); i++) {
        if (ym_lang_of(ym_str_of(v[i].header)) != v[i].want) {
            fail_msg("Accept-Language: %s", v[i].header);
        }
    }
}

static void says(const struct ym_problem *p, enum ym_lang lang, const char *titles,
                 const char *want)
{
    struct ym_buf b;

    ym_buf_init(&b, 4000);
    assert_int_equal(ym_problem_text(p, lang, titles, &b), YM_OK);
    assert_string_equal(b.p, want);
    ym_buf_clear(&b);
}

static void words(void **state)
{
    static const char *two[] = {"a", "b"};
    struct ym_problem p = {.code = YM_P_TOO_LONG, .pointer = "/x", .limit = 11};

    (void)state;
    says(&p, YM_ZH, NULL, "最多 11 个字符,请缩短");
    says(&p, YM_EN, NULL, "At most 11 characters: shorten it");
    p.systems = two;
    p.system_count = 1;
    says(&p, YM_ZH, "人民调解平台", "人民调解平台 最多接受 11 个字符");
    says(&p, YM_EN, "People's Mediation Platform",
         "People's Mediation Platform takes at most 11 characters");
    p.system_count = 2;
    says(&p, YM_EN, "A, B", "A, B take at most 11 characters");

    p = (struct ym_problem){
        .code = YM_P_TYPE, .pointer = "/x", .detail = "string", .detail_zh = "文本"};
    says(&p, YM_ZH, NULL, "类型不对,应为文本");
    says(&p, YM_EN, NULL, "Wrong type: expected string");
    p = (struct ym_problem){.code = YM_P_CONDITION, .pointer = "/x"};
    says(&p, YM_EN, NULL, "Does not fit the rest");
    p = (struct ym_problem){.code = YM_P_RANGE, .pointer = "/x", .detail = "≥ 0"};
    says(&p, YM_ZH, NULL, "数值超出范围,应 ≥ 0");
}

/* No code is without a word or a sentence, and no placeholder is left standing. */
static void every_code_speaks(void **state)
{
    (void)state;
    for (int code = 0; code < YM_P_COUNT_; code++) {
        struct ym_problem p = {
            .code = (enum ym_problem_code)code, .pointer = "", .limit = 3, .detail = "D"};

        assert_non_null(ym_problem_word(p.code));
        for (int i = 0; i < 16; i++) {
            struct ym_buf b;

            p.detail = (i & 1) ? "D" : NULL;
            p.system_count = (i & 2) ? 2 : 1;
            ym_buf_init(&b, 4000);
            assert_int_equal(ym_problem_text(&p, (i & 4) ? YM_EN : YM_ZH, (i & 8) ? "S" : NULL, &b),
                             YM_OK);
            assert_true(b.n > 5);
            assert_null(strpbrk(b.p, "{}[]"));
            ym_buf_clear(&b);
        }
    }
    assert_string_equal(ym_problem_word((enum ym_problem_code)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_systems),
        cmocka_unit_test(keeps_the_first_and_counts_the_rest),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(languages),
        cmocka_unit_test(words),
        cmocka_unit_test(every_code_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
