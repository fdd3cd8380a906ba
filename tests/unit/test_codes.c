/* SPDX-License-Identifier: Apache-2.0
 * Code tables and maps: what loads, what is refused with file:line, and every shipped file.
 */
#include "help_types.h"
#include "ym_time.h"

#include <dirent.h>

static ym_status load(struct shelf *s, const char *text, struct ym_code_table *t)
{
    char path[200];
    ym_status rc = YM_OK;

    temp_file(text, path, sizeof(path));
    rc = ym_code_table_load(path, s->a, t, &s->d);
    unlink(path);
    return rc;
}

static ym_status load_map(struct shelf *s, const char *text, struct ym_code_map *m)
{
    char path[200];
    ym_status rc = YM_OK;

    temp_file(text, path, sizeof(path));
    rc = ym_code_map_load(path, s->a, m, &s->d);
    unlink(path);
    return rc;
}

static void reads_a_table(void **state)
{
    struct shelf s;
    struct ym_code_table t;
    const struct ym_code *c = NULL;
    int64_t at = 0;

    (void)state;
    shelf_open(&s);
    assert_int_equal(load(&s,
                          "code,label,label_en,parent,valid_from,valid_to,leaf\n"
                          "01, \xe3\x80\x80家庭\xc2\xa0 ,family,,,,no\n"
                          "0101,\"婚姻, 恋爱\",marriage,01,2020-01-01,2026-03-31,\n"
                          "0102,抚养,support,01,,,yes\n",
                          &t),
                     YM_OK);
    assert_int_equal(t.count, 3);
    assert_string_equal(ym_code_find(&t, "01")->label, "家庭");
    assert_false(ym_code_find(&t, "01")->leaf);
    assert_string_equal(t.codes[1].code, "0101"); /* file order */
    c = ym_code_find(&t, "0101");
    assert_string_equal(c->label, "婚姻, 恋爱");
    assert_string_equal(c->parent, "01");
    assert_null(ym_code_find(&t, "1"));
    assert_null(ym_code_find(&t, ""));

    /* the last day counts to its end, at +08:00 */
    assert_true(ym_time_parse(YM_STR("2026-03-31T23:59:59+08:00"), 0, &at));
    assert_true(ym_code_valid_at(c, at));
    assert_false(ym_code_valid_at(c, at + 1000));
    assert_true(ym_time_parse(YM_STR("2019-12-31T23:59:59+08:00"), 0, &at));
    assert_false(ym_code_valid_at(c, at));
    assert_true(ym_code_valid_at(ym_code_find(&t, "0102"), at));
    shelf_close(&s);
}

static void refuses_bad_tables(void **state)
{
    static const struct {
        const char *text, *says;
    } v[] = {
        {"code,label\n1,a\n2,b\n1,c\n", "4: the code \"1\" is already on line 2: keep one of them"},
        {"code,label\n1,a\n 1 ,b\n", "3: the code \"1\" is already on line 2: keep one of them"},
        {"code,name\n1,a\n", "1: the header lacks the column \"label\""},
        {"code,label,colour\n1,a,b\n", "1: unknown or repeated column \"colour\": remove it"},
        {"code,label\n,a\n", "2: a row needs a code and a label"},
        {"code,label\n1,\n", "2: a row needs a code and a label"},
        {"code,label,parent\n1,a,9\n", "2: the parent \"9\" is no code of this table"},
        {"code,label,valid_from\n1,a,2026-02-30\n",
         "2: \"2026-02-30\" is no day: write 2026-01-31"},
        {"code,label,valid_from,valid_to\n1,a,2026-02-02,2026-02-01\n",
         "2: valid_to lies before valid_from"},
        {"code,label,leaf\n1,a,maybe\n", "2: leaf is \"yes\" or \"no\""},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(v); i++) {
        struct shelf s;
        struct ym_code_table t;

        shelf_open(&s);
        assert_int_equal(load(&s, v[i].text, &t), YM_EINVAL);
        assert_string_equal(diag_line(&s.d, 0), v[i].says);
        shelf_close(&s);
    }
}

static void reads_a_map(void **state)
{
    struct shelf s;
    struct ym_code_map m;
    const struct ym_code_row *r = NULL;

    (void)state;
    shelf_open(&s);
    assert_int_equal(load_map(&s,
                              "from,to,label,ambiguous,candidates,ask,ask_zh,ask_en\n"
                              "0101,1,婚姻,no,,,,\n"
                              "0701,11,劳动,yes,true=10|false=11,migrant_wage,是否拖欠?,Unpaid?\n",
                              &m),
                     YM_OK);
    r = ym_code_map_find(&m, "0101");
    assert_string_equal(r->to, "1");
    assert_false(r->ambiguous);
    assert_int_equal(r->line, 2);
    r = ym_code_map_find(&m, "0701");
    assert_true(r->ambiguous);
    assert_string_equal(r->ask, "migrant_wage");
    assert_string_equal(r->answers[0], "true");
    assert_string_equal(r->answers[1], "10");
    assert_string_equal(r->answers[3], "11");
    assert_null(r->answers[4]);
    assert_null(ym_code_map_find(&m, "0702"));
    assert_int_equal(load_map(&s, "from,to\na,b\n", &m), YM_OK);
    shelf_close(&s);
}

static void refuses_bad_maps(void **state)
{
#define HEAD "from,to,label,ambiguous,candidates,ask,ask_zh,ask_en\n"
    static const struct {
        const char *text, *says;
    } v[] = {
        {"from,to\n1,a\n1,b\n", "3: the value \"1\" is already on line 2: keep one of them"},
        {"from\n1\n", "1: the header lacks the column \"to\""},
        {"from,to\n1,\n", "2: \"to\" is empty: give the target, or leave the row out to refuse the "
                          "value"},
        {"from,to\n,a\n", "2: a row needs a value in \"from\""},
        {HEAD "1,a,,perhaps,,,,\n", "2: ambiguous is \"yes\" or \"no\""},
        {HEAD "1,a,,no,true=1|false=2,,,\n", "2: candidates and ask need ambiguous = yes"},
        {HEAD "1,a,,yes,true=1,k,q,\n", "2: an ambiguous row needs ask"},
        {HEAD "1,a,,yes,true=1|true=2,k,q,\n", "2: an ambiguous row needs ask"},
        {HEAD "1,a,,yes,true=1|false,k,q,\n", "2: an ambiguous row needs ask"},
        {HEAD "1,a,,yes,true=|false=2,k,q,\n", "2: an ambiguous row needs ask"},
        {HEAD "1,a,,yes,,k,q,\n", "2: an ambiguous row needs ask"},
        {HEAD "1,a,,yes,true=1|false=2,,q,\n", "2: an ambiguous row needs ask"},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(v); i++) {
        struct shelf s;
        struct ym_code_map m;

        shelf_open(&s);
        assert_int_equal(load_map(&s, v[i].text, &m), YM_EINVAL);
        assert_memory_equal(diag_line(&s.d, 0), v[i].says, strlen(v[i].says));
        shelf_close(&s);
    }
}

static ym_status load_both(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_diag d;
    struct ym_code_table t;
    struct ym_code_map m;
    ym_status rc = YM_ENOMEM;

    (void)data;
    ym_diag_init(&d);
    if (a != NULL) {
        rc = ym_code_table_load("config/codes/scale.csv", a, &t, &d);
    }
    if (rc == YM_OK) {
        rc = ym_code_map_load("config/crosswalks/scale-index.csv", a, &m, &d);
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
    return rc;
}

static void survives_failing_memory(void **state)
{
    (void)state;
    fault_loop(load_both, NULL);
}

/* Calls fn for every CSV of a folder; returns how many. */
static size_t every_file(const char *folder, void (*fn)(struct shelf *, const char *))
{
    DIR *dir = opendir(folder);
    struct dirent *e = NULL;
    size_t n = 0;

    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        const char *end = strrchr(e->d_name, '.');
        char path[400];
        struct shelf s;

        if (end == NULL || strcmp(end, ".csv") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        shelf_open(&s);
        fn(&s, path);
        shelf_close(&s);
        n++;
    }
    closedir(dir);
    return n;
}

static void table_ships(struct shelf *s, const char *path)
{
    struct ym_code_table t = {0};

    if (ym_code_table_load(path, s->a, &t, &s->d) != YM_OK) {
        fail_msg("%s:%s", path, diag_line(&s->d, 0));
    }
    assert_true(t.count > 1);
    for (size_t i = 0; i < t.count; i++) {
        assert_ptr_equal(ym_code_find(&t, t.codes[i].code), &t.codes[i]);
    }
}

/* The dispute's answer fields: a crosswalk may ask only what the form can answer. */
static void answer_fits(const struct ym_code_row *r, const char *path)
{
    json_t *type = NULL, *field = NULL;
    struct ym_err err;
    char pointer[200];
    const char *table = NULL;
    struct shelf s;

    shelf_open(&s);
    assert_int_equal(ym_json_file("config/types/dispute.json", &type, &err), YM_OK);
    (void)snprintf(pointer, sizeof(pointer), "/properties/extra/properties/%s", r->ask);
    field = ym_json_at(type, pointer);
    if (field == NULL) {
        fail_msg("%s:%d: dispute.json has no extra/%s", path, r->line, r->ask);
    }
    table = ym_json_str(field, "x-codes");
    for (const char *const *w = r->answers; *w != NULL; w += 2) {
        bool fits = table != NULL ? ym_code_find(shelf_table(&s, table), *w) != NULL
                                  : strcmp(*w, "true") == 0 || strcmp(*w, "false") == 0;

        if (!fits) {
            fail_msg("%s:%d: extra/%s cannot be \"%s\"", path, r->line, r->ask, *w);
        }
    }
    json_decref(type);
    shelf_close(&s);
}

static void map_ships(struct shelf *s, const char *path)
{
    struct ym_code_map m = {0};

    if (ym_code_map_load(path, s->a, &m, &s->d) != YM_OK) {
        fail_msg("%s:%s", path, diag_line(&s->d, 0));
    }
    assert_true(m.count > 1);
    for (size_t i = 0; i < m.count; i++) {
        if (m.rows[i].ambiguous) {
            answer_fits(&m.rows[i], path);
        }
    }
}

static void every_shipped_file_loads(void **state)
{
    (void)state;
    assert_true(every_file("config/codes", table_ships) >= 30);
    assert_true(every_file("config/crosswalks", map_ships) >= 15);
}

/* Each leaf of zz16 has exactly one row, and each target is a code of the other table. */
static void crosswalks_cover_the_canonical_table(void **state)
{
    static const struct {
        const char *map, *target;
        size_t ambiguous;
    } v[] = {{"zz16-moj18", "moj18", 14},
             {"zz16-legacy24", "legacy24", 2},
             {"zz16-odr-labels", NULL, 2}};
    struct shelf s;
    const struct ym_code_table *zz = NULL;

    (void)state;
    shelf_open(&s);
    zz = shelf_table(&s, "zz16");
    assert_int_equal(zz->count, 95);
    for (size_t k = 0; k < YM_COUNT(v); k++) {
        char path[200];
        struct ym_code_map m;
        size_t leaves = 0, ambiguous = 0;

        (void)snprintf(path, sizeof(path), "config/crosswalks/%s.csv", v[k].map);
        assert_int_equal(ym_code_map_load(path, s.a, &m, &s.d), YM_OK);
        for (size_t i = 0; i < zz->count; i++) {
            const struct ym_code_row *r = ym_code_map_find(&m, zz->codes[i].code);

            assert_int_equal(r != NULL, zz->codes[i].leaf);
            if (r == NULL) {
                continue;
            }
            leaves++;
            ambiguous += r->ambiguous;
            for (const char *const *w = r->answers; v[k].target && w != NULL && *w != NULL;
                 w += 2) {
                assert_non_null(ym_code_find(shelf_table(&s, v[k].target), w[1]));
            }
            if (v[k].target != NULL) {
                assert_non_null(ym_code_find(shelf_table(&s, v[k].target), r->to));
            }
        }
        assert_int_equal(leaves, 79);
        assert_int_equal(m.count, 79);
        assert_int_equal(ambiguous, v[k].ambiguous);
    }
    shelf_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_table),
        cmocka_unit_test(refuses_bad_tables),
        cmocka_unit_test(reads_a_map),
        cmocka_unit_test(refuses_bad_maps),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(every_shipped_file_loads),
        cmocka_unit_test(crosswalks_cover_the_canonical_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
