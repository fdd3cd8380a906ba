/* SPDX-License-Identifier: Apache-2.0
 * Predicates on their own, as routing conditions use them, and what a broken one is told.
 */
#include "help_map.h"

static const char record[] =
    "{\"type\":\"dispute\",\"area\":\"330106\",\"data\":{\"level\":\"04\",\"n\":3,\"yes\":true,"
    "\"empty\":\"\",\"none\":null,\"list\":[],\"object\":{},\"a/b\":{\"~\":\"x\"},"
    "\"parties\":[{\"role\":\"applicant\"}]}}";

static bool holds(struct bench *b, const char *yaml)
{
    const struct ym_when *w = NULL;
    json_t *r = json_of(record);
    assert_int_equal(ym_when_compile(yaml_of(b, yaml), b->a, &w, &b->d), YM_OK);
    bool ret = ym_when_holds(w, r);
    json_decref(r);
    return ret;
}

static void test_truth(void **state)
{
    static const struct {
        const char *yaml;
        bool want;
    } cases[] = {
        {"{ present: /data/level }", true},
        {"{ present: /data/missing }", false},
        {"{ present: /data/empty }", false},
        {"{ present: /data/none }", false},
        {"{ present: /data/list }", false},
        {"{ present: /data/object }", false},
        {"{ present: /data/n }", true},
        {"{ absent: /data/missing }", true},
        {"{ absent: /data/level }", false},
        {"{ equals: { /data/level: \"04\" } }", true},
        {"{ equals: { /data/level: \"4\" } }", false},
        {"{ equals: { /data/n: \"3\" } }", true},
        {"{ equals: { /data/yes: true } }", true},
        {"{ equals: { /data/missing: \"\" } }", false},
        {"{ equals: { /data/level: \"04\", /data/n: \"4\" } }", false},
        {"{ equals: { /data/parties/0/role: applicant } }", true},
        {"{ equals: { /data/parties/1/role: applicant } }", false},
        {"{ equals: { /data/parties: applicant } }", false},
        {"{ equals: { \"/data/a~1b/~0\": x } }", true},
        {"{ in: { /data/level: [\"03\", \"04\"] } }", true},
        {"{ in: { /data/level: [\"01\"] } }", false},
        {"{ not: { present: /data/level } }", false},
        {"{ not: [ { present: /data/level }, { present: /data/missing } ] }", true},
        {"{ any: [ { present: /data/missing }, { equals: { /type: dispute } } ] }", true},
        {"{ any: [ { present: /data/missing } ] }", false},
        {"[ { present: /data/level }, { equals: { /area: \"330106\" } } ]", true},
        {"[ { present: /data/level }, { absent: /data/level } ]", false},
        {"{ present: /data/level, absent: /data/level }", false},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        if (holds(&b, cases[i].yaml) != cases[i].want) {
            fail_msg("%s is not %d", cases[i].yaml, cases[i].want);
        }
    }
    bench_close(&b);
}

static void test_nothing_is_always(void **state)
{
    struct bench b;
    const struct ym_when *w = NULL;
    (void)state;
    bench_open(&b);
    assert_int_equal(ym_when_compile(NULL, b.a, &w, &b.d), YM_OK);
    assert_true(ym_when_holds(w, NULL));
    bench_close(&b);
}

static void test_broken(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{ exists: /data/x }", "unknown condition \"exists\""},
        {"{ present: data/x }", "begins with \"/\""},
        {"{ present: /dta/x }", "a record has /data"},
        {"{ present: [/data/x] }", "one pointer"},
        {"{ equals: /data/x }", "pairs of pointer and value"},
        {"{ equals: { /data/x: [a] } }", "use in: for a list"},
        {"{ in: { /data/x: [] } }", "at least one value"},
        {"{ any: { present: /data/x } }", "list of conditions"},
        {"[]", "list of conditions"},
        {"always", "a condition is"},
        {"{ present: ^/data/x }", "drop it"},
        {"{ present: \"/data/~2\" }", "after \"~\""},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const struct ym_when *w = NULL;
        ym_diag_clear(&b.d);
        ym_diag_init(&b.d);
        assert_int_equal(ym_when_compile(yaml_of(&b, cases[i].yaml), b.a, &w, &b.d), YM_EINVAL);
        assert_null(w);
        assert_true(b.d.count > 0);
        assert_has(b.d.items[0].message, cases[i].want);
        assert_int_equal(b.d.items[0].line, 1);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_nothing_is_always),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
