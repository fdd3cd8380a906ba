/* SPDX-License-Identifier: Apache-2.0
 * The check before accept: default and named targets, one merged answer of schema and systems,
 * charsets, and its cost for thirty systems.
 */
#include "help_tree.h"
#include "ym_charset.h"
#include "ym_time.h"

struct fixture {
    struct tree t;
    struct ym_catalog *c;
    struct ym_arena *a;
    struct ym_problems p;
    json_t *record;
};

static void adapter(struct tree *t, const char *id, const char *old, const char *with)
{
    char name[100], head[100];
    snprintf(name, sizeof(name), "adapters/%s/adapter.yaml", id);
    snprintf(head, sizeof(head), "system: %s", id);
    char *text = tree_with(tree_adapter, "system: alpha", head);
    char *changed = old != NULL ? tree_with(text, old, with) : NULL;
    tree_write(t, name, changed != NULL ? changed : text);
    free(changed);
    free(text);
    snprintf(name, sizeof(name), "systems/%s.yaml", id);
    tree_write(t, name, tree_site);
}

static void reset(struct fixture *f, const char *data)
{
    char text[4096];
    json_decref(f->record);
    snprintf(text, sizeof(text), "{\"type\":\"note\",\"data\":%s}", data);
    f->record = json_loads(text, 0, NULL);
    assert_non_null(f->record);
    ym_problems_init(&f->p, f->a);
}

static void fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    tree_open(&f->t);
    f->a = ym_arena_open();
    assert_non_null(f->a);
}

static void fixture_close(struct fixture *f)
{
    json_decref(f->record);
    ym_catalog_close(f->c);
    ym_arena_close(f->a);
    tree_close(&f->t);
}

/* The problems as "code pointer [systems]". */
static const char *said(struct fixture *f)
{
    const char *s = "";
    for (size_t i = 0; i < f->p.count; i++) {
        const struct ym_problem *q = &f->p.items[i];
        s = ym_arena_printf(f->a, "%s%s%s %s", s, i != 0 ? "; " : "", ym_problem_word(q->code),
                            q->pointer);
        for (size_t k = 0; k < q->system_count; k++) {
            s = ym_arena_printf(f->a, "%s%s%s", s, k == 0 ? " @" : ",", q->systems[k]);
        }
    }
    return s;
}

static void find(struct fixture *f, const char *names, struct ym_targets *ret)
{
    json_t *n = names != NULL ? json_loads(names, JSON_DECODE_ANY, NULL) : NULL;
    ym_targets_find(f->c, ym_catalog_type(f->c, "note"), n, f->record, ret, &f->p);
    json_decref(n);
}

static bool ok(struct fixture *f, const struct ym_targets *t, bool update)
{
    return ym_check_record(f->c, ym_catalog_type(f->c, "note"), f->record, t, update, &f->p);
}

static void test_targets(void **state)
{
    struct fixture f;
    struct ym_targets t;
    (void)state;
    fixture_open(&f);
    adapter(&f.t, "beta", NULL, NULL);
    adapter(&f.t, "off", NULL, NULL);
    adapter(&f.t, "gamma", NULL, NULL);
    tree_write(&f.t, "types/other.json", tree_type);
    adapter(&f.t, "other", "takes: [note]", "takes: [other]");
    tree_write(&f.t, "systems/off.yaml", "enabled: false\n");
    tree_write(&f.t, "systems/gamma.yaml",
               "enabled: true\nendpoint: x\nwhen: { equals: { /data/level: \"02\" } }\n");
    f.c = tree_catalog(&f.t);

    reset(&f, "{\"title\":\"t\",\"level\":\"01\"}");
    find(&f, NULL, &t);
    assert_int_equal(t.count, 2); /* alpha, beta: gamma's condition does not hold */
    assert_string_equal(t.systems[0]->id, "alpha");
    assert_string_equal(t.systems[1]->id, "beta");
    reset(&f, "{\"title\":\"t\",\"level\":\"02\"}");
    find(&f, NULL, &t);
    assert_int_equal(t.count, 3);

    /* named: no routing condition, duplicates once, every misfit named */
    reset(&f, "{\"title\":\"t\"}");
    find(&f, "[\"gamma\",\"alpha\",\"gamma\"]", &t);
    assert_int_equal(t.count, 2);
    assert_string_equal(t.systems[0]->id, "gamma");
    assert_int_equal(f.p.total, 0);
    find(&f, "[\"alpha\",\"nobody\",\"off\",\"other\",3]", &t);
    assert_int_equal(t.count, 1);
    assert_string_equal(said(&f), "target_unknown /targets/1; target_unknown /targets/2; "
                                  "target_type /targets/3 @other; type /targets/4");
    reset(&f, "{\"title\":\"t\"}");
    find(&f, "\"alpha\"", &t);
    assert_int_equal(t.count, 0);
    assert_string_equal(said(&f), "type /targets");
    reset(&f, "{\"title\":\"t\"}");
    find(&f, "[]", &t);
    assert_int_equal(t.count, 0);
    assert_int_equal(f.p.total, 0);
    fixture_close(&f);
}

/* Schema and systems in one answer; the same objection of two systems is one entry. */
static void test_merged(void **state)
{
    struct fixture f;
    struct ym_targets t;
    (void)state;
    fixture_open(&f);
    adapter(&f.t, "beta", NULL, NULL);
    adapter(&f.t, "gamma", "max: 10", "max: 8");
    f.c = tree_catalog(&f.t);
    reset(&f, "{\"title\":\"12345678901\",\"phone\":\"1300000000123\",\"colour\":\"red\"}");
    find(&f, NULL, &t);
    assert_false(ok(&f, &t, false));
    assert_string_equal(said(&f), "unknown_field /colour; too_long /title @alpha,beta; "
                                  "too_long /phone @alpha,beta,gamma; too_long /title @gamma");
    reset(&f, "{\"title\":\"12345678\",\"phone\":\"130-0000-0001\"}");
    assert_true(ok(&f, &t, false));
    assert_int_equal(f.p.total, 0);
    /* no targets: the schema alone */
    t.count = 0;
    reset(&f, "{\"title\":\"12345678901\"}");
    assert_true(ok(&f, &t, false));
    reset(&f, "{}");
    assert_false(ok(&f, &t, false));
    assert_string_equal(said(&f), "required /title");
    fixture_close(&f);
}

/* An update is judged by the update's tables, where there is one. */
static void test_update(void **state)
{
    static const char update[] =
        "operations:\n  update:\n    method: PUT\n    path: /n\n    body: json\n"
        "    fields: [ { to: l, from: /data/level, required: true } ]\n"
        "    reply: create\n";
    struct fixture f;
    struct ym_targets t;
    (void)state;
    fixture_open(&f);
    adapter(&f.t, "beta", "operations:\n", update);
    f.c = tree_catalog(&f.t);
    reset(&f, "{\"title\":\"12345678901\"}");
    find(&f, NULL, &t);
    assert_false(ok(&f, &t, false));
    assert_string_equal(said(&f), "too_long /title @alpha,beta");
    ym_problems_init(&f.p, f.a);
    assert_false(ok(&f, &t, true));
    assert_string_equal(said(&f), "too_long /title @alpha; required /level @beta");
    fixture_close(&f);
}

/* A system that reads GBK is told about characters GBK lacks; one that reads GB18030 has them all. */
static void test_charset(void **state)
{
    struct fixture f;
    struct ym_targets t;
    (void)state;
    fixture_open(&f);
    adapter(&f.t, "gbk", "operations:", "settings: { charset: gbk }\noperations:");
    adapter(&f.t, "gb18030", "operations:", "settings: { charset: gb18030 }\noperations:");
    adapter(&f.t, "ascii", "operations:", "settings: { charset: us-ascii }\noperations:");
    f.c = tree_catalog(&f.t);
    reset(&f, "{\"title\":\"调解\"}");
    find(&f, NULL, &t);
    assert_int_equal(t.count, 4);
    assert_false(ok(&f, &t, false));
    assert_string_equal(said(&f), "charset /title @ascii");
    reset(&f, "{\"title\":\"𠮷𰻞é\"}"); /* outside the basic plane */
    assert_false(ok(&f, &t, false));
    assert_string_equal(said(&f), "charset /title @ascii,gbk");
    reset(&f, "{\"title\":\"plain\"}");
    assert_true(ok(&f, &t, false));
    fixture_close(&f);
}

static void test_charset_sets(void **state)
{
    struct ym_arena *a = ym_arena_open();
    const struct ym_charset *c = NULL;
    struct ym_err err = {0};
    (void)state;
    assert_int_equal(ym_charset_open("UTF-8", a, &c, &err), YM_OK);
    assert_null(c);
    assert_true(ym_charset_covers(c, YM_STR("𠮷")));
    assert_int_equal(ym_charset_open("big5", a, &c, &err), YM_OK);
    assert_true(ym_charset_covers(c, YM_STR("調解 abc")));
    assert_false(ym_charset_covers(c, YM_STR("调解")));
    assert_int_equal(ym_charset_open("klingon", a, &c, &err), YM_EUNSUPPORTED);
    ym_arena_close(a);
}

/* Thirty systems of twenty-five fields. Generous bound: slow machines and sanitizers run this too. */
#define MANY 30
#define ROUNDS 200
#define BOUND_US 5000
static void test_thirty(void **state)
{
    struct fixture f;
    struct ym_targets t;
    char fields[8192] = "    fields:\n", id[16];
    size_t n = strlen(fields);
    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 25; i++) {
        static const char *const sources[] = {"/data/title", "/data/phone", "/data/level",
                                              "/data/parties/0/name"};
        n += (size_t)snprintf(fields + n, sizeof(fields) - n,
                              "      - { to: f%d, from: %s, max: 40 }\n", i, sources[i % 4]);
    }
    for (int i = 0; i < MANY - 1; i++) {
        snprintf(id, sizeof(id), "many%02d", i);
        adapter(&f.t, id, "    fields:\n", fields);
    }
    f.c = tree_catalog(&f.t);
    reset(&f, "{\"title\":\"t\",\"phone\":\"13000000001\",\"level\":\"01\","
              "\"parties\":[{\"name\":\"测试甲\"},{\"name\":\"测试乙\"}]}");
    find(&f, NULL, &t);
    assert_int_equal(t.count, MANY);
    int64_t begin = ym_tick_ms();
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(ok(&f, &t, false));
    }
    int64_t us = (ym_tick_ms() - begin) * 1000 / ROUNDS;
    print_message("check of %d systems: about %lld us\n", MANY, (long long)us);
    assert_in_range(us, 0, BOUND_US);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),      cmocka_unit_test(test_merged),
        cmocka_unit_test(test_update),       cmocka_unit_test(test_charset),
        cmocka_unit_test(test_charset_sets), cmocka_unit_test(test_thirty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
