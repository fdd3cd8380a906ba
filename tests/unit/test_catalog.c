/* SPDX-License-Identifier: Apache-2.0
 * A whole deployment: everything wrong is named at once, and a catalogue that failed leaves nothing.
 */
#include "help_tree.h"

static void test_opens(void **state)
{
    struct tree t;
    char path[128];
    (void)state;
    tree_open(&t);
    struct ym_catalog *c = tree_catalog(&t);
    assert_string_equal(c->site.redis, "unix:/nowhere.sock");
    assert_int_equal(c->site.shards, 8);
    snprintf(path, sizeof(path), "%s/types", t.dir);
    assert_string_equal(c->site.types_dir, path); /* relative to the file */
    assert_int_equal(c->type_count, 1);
    assert_non_null(ym_catalog_type(c, "note"));
    assert_null(ym_catalog_type(c, "letter"));
    assert_non_null(ym_catalog_table(c, "levels"));
    assert_null(ym_catalog_table(c, "none"));
    assert_null(ym_catalog_system(c, "beta"));
    ym_catalog_close(c);
    ym_catalog_close(NULL);
    tree_close(&t);
}

static void test_sorted_and_hidden(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    char *text = tree_with(tree_adapter, "system: alpha", "system: aaa");
    tree_write(&t, "adapters/aaa/adapter.yaml", text);
    free(text);
    tree_write(&t, "adapters/_template/adapter.yaml", "not: [valid\n");
    tree_write(&t, "adapters/README.md", "words\n");
    tree_write(&t, "codes/README.md", "words\n");
    struct ym_catalog *c = tree_catalog(&t);
    assert_int_equal(c->system_count, 2);
    assert_string_equal(c->systems[0].id, "aaa");
    assert_string_equal(c->systems[1].id, "alpha");
    ym_catalog_close(c);
    tree_close(&t);
}

static void test_site_keys(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *words;
    } cases[] = {
        {"systems_dir: adapters\n", 0, "redis"},
        {"redis: x\nsystems_dir: adapters\nshards: 33\n", 3, "shards"},
        {"redis: x\nsystems_dir: adapters\nshard: 3\n", 3, "did you mean \"shards\""},
        {"redis: [\n", 0, ""},
    };
    struct tree t;
    (void)state;
    tree_open(&t);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        tree_write(&t, "yimen.yaml", cases[i].text);
        tree_refused(&t, "yimen.yaml", cases[i].line, cases[i].words);
    }
    tree_close(&t);
}

/* One fault in each kind of file: five files, five faults, one answer. */
static void test_everything_at_once(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    tree_write(&t, "codes/bad.csv", "code,label\n1,a\n1,b\n");
    tree_write(&t, "crosswalks/bad.csv", "from,too\n1,a\n");
    tree_write(&t, "types/bad.json", "{\"type\": \"object\", \"not-a-keyword\": 1}\n");
    tree_write(&t, "adapters/beta/adapter.yaml", "system: beta\ncolour: red\n");
    tree_write(&t, "systems/gamma.yaml", "enabled: false\n");
    tree_refused(&t, "codes/bad.csv", 3, "");
    tree_refused(&t, "crosswalks/bad.csv", 1, "");
    tree_refused(&t, "types/bad.json", 1, "not-a-keyword");
    tree_refused(&t, "beta/adapter.yaml", 2, "colour");
    tree_refused(&t, "systems/gamma.yaml", 0, "no adapter folder \"gamma\"");
    tree_close(&t);
}

/* A crosswalk asks a question whose answer no record can hold. */
static void test_unanswerable(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    tree_write(&t, "adapters/alpha/ask.csv",
               "from,to,label,ambiguous,candidates,ask,ask_zh,ask_en\n"
               "01,1,a,yes,true=1|false=2,wage,工资?,Wage?\n");
    char *text = tree_with(tree_adapter, "from: /data/phone, apply: [digits]",
                           "from: /data/level, codes: ask.csv");
    tree_write(&t, "adapters/alpha/adapter.yaml", text);
    free(text);
    tree_refused(&t, "alpha/ask.csv", 2, "\"/data/extra/wage\"");
    tree_close(&t);
}

/* Paths are relative to the file, and read without detours in messages. */
static void test_paths(void **state)
{
    struct tree t;
    struct ym_catalog *c = NULL;
    char path[128], want[128];
    (void)state;
    tree_open(&t);
    tree_write(&t, "config/yimen.yaml",
               "redis: x\ntypes_dir: ../types\ncodes_dir: ../codes\ncrosswalks_dir: ../crosswalks\n"
               "systems_dir: ../config/../adapters\nsites_dir: ../systems\n");
    snprintf(path, sizeof(path), "%s/config/yimen.yaml", t.dir);
    assert_int_equal(ym_catalog_open(path, &c, &t.d), YM_OK);
    snprintf(want, sizeof(want), "%s/adapters", t.dir);
    assert_string_equal(c->site.systems_dir, want);
    ym_catalog_close(c);
    tree_close(&t);
}

static void test_missing_folder(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    tree_write(&t, "yimen.yaml", "redis: x\nsystems_dir: nowhere\n");
    tree_refused(&t, "nowhere", 0, "cannot open the folder");
    tree_close(&t);
}

static void test_missing_file(void **state)
{
    struct ym_catalog *c = NULL;
    struct ym_diag d;
    (void)state;
    ym_diag_init(&d);
    assert_int_equal(ym_catalog_open("/nowhere/yimen.yaml", &c, &d), YM_EINVAL);
    assert_null(c);
    assert_int_equal(d.count, 1);
    ym_diag_clear(&d);
}

/* Every allocation fails in turn: no crash, no leak, no half-loaded catalogue. */
#define FAULTS_MAX 20000
static void test_faults(void **state)
{
    struct tree t;
    long n;
    (void)state;
    tree_open(&t);
    for (n = 1; n < FAULTS_MAX; n += 1 + n / 20) {
        struct ym_catalog *c = NULL;
        ym_fault_after(n);
        ym_status rc = tree_load(&t, &c);
        ym_fault_after(0);
        if (rc == YM_OK) {
            assert_non_null(c);
            ym_catalog_close(c);
            break;
        }
        assert_true(rc == YM_ENOMEM || rc == YM_EINVAL);
        assert_null(c);
    }
    assert_in_range(n, 50, FAULTS_MAX - 1);
    tree_close(&t);
}

static void test_document(void **state)
{
    struct ym_buf b;
    (void)state;
    ym_buf_init(&b, 1 << 16);
    assert_int_equal(ym_catalog_document(&b), YM_OK);
    assert_non_null(strstr(b.p, "`redis`"));
    ym_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),          cmocka_unit_test(test_sorted_and_hidden),
        cmocka_unit_test(test_site_keys),      cmocka_unit_test(test_everything_at_once),
        cmocka_unit_test(test_unanswerable),   cmocka_unit_test(test_paths),
        cmocka_unit_test(test_missing_folder), cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_faults),         cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
