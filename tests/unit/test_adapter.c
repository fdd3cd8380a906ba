/* SPDX-License-Identifier: Apache-2.0
 * One system's folder and site file: what is read, what is refused and where, delivery hours.
 */
#include "help_tree.h"
#include "ym_time.h"

static void test_loaded(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    tree_write(&t, "systems/alpha.yaml",
               "enabled: true\nendpoint: \"http://localhost:1\"\nsettings: { timeout: 3s }\n"
               "secrets: { key: \"env:ALPHA_KEY\" }\nvars: { src: \"12\" }\n"
               "when: { equals: { /data/level: \"02\" } }\n");
    char *text =
        tree_with(tree_adapter, "operations:",
                  "settings: { timeout: 9s, in_flight: 2, rate: 100/s, zone: \"-05:30\" }\n"
                  "operations:");
    tree_write(&t, "adapters/alpha/adapter.yaml", text);
    free(text);
    struct ym_catalog *c = tree_catalog(&t);
    const struct ym_system *s = ym_catalog_system(c, "alpha");
    assert_non_null(s);
    assert_string_equal(s->title_zh, "甲");
    assert_string_equal(s->title_en, "Alpha");
    assert_string_equal(s->transport, "http");
    assert_true(s->enabled);
    assert_int_equal(s->settings.timeout_ms, 3000); /* the site wins */
    assert_int_equal(s->settings.in_flight, 2);     /* the adapter's own */
    assert_int_equal(s->settings.attempts, 12);     /* the default */
    assert_true(s->settings.rate > 99.9 && s->settings.rate < 100.1);
    assert_int_equal(s->settings.offset_min, -330);
    assert_string_equal(s->settings.charset, "utf-8");
    assert_string_equal(ym_system_var(s, "src"), "12");
    assert_null(ym_system_var(s, "other"));
    assert_true(ym_system_takes(s, "note"));
    assert_false(ym_system_takes(s, "dispute"));
    const struct ym_operation *op = ym_system_operation(s, "create");
    assert_non_null(op);
    assert_int_equal(op->table_count, 1);
    assert_string_equal(op->tables[0].place, "fields");
    assert_null(ym_system_operation(s, "update"));
    ym_catalog_close(c);
    tree_close(&t);
}

static void test_no_site_file(void **state)
{
    struct tree t;
    char path[128];
    (void)state;
    tree_open(&t);
    snprintf(path, sizeof(path), "%s/systems/alpha.yaml", t.dir);
    assert_int_equal(unlink(path), 0);
    struct ym_catalog *c = tree_catalog(&t);
    assert_false(ym_catalog_system(c, "alpha")->enabled);
    assert_null(ym_catalog_system(c, "alpha")->site);
    ym_catalog_close(c);
    tree_close(&t);
}

/* A wrong setting of the adapter is told although the site overrides it. */
static void test_overridden_setting(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    tree_write(&t, "systems/alpha.yaml", "enabled: true\nendpoint: x\nsettings: { timeout: 3s }\n");
    char *text =
        tree_with(tree_adapter, "takes: [note]", "takes: [note]\nsettings: { timeout: soon }");
    tree_write(&t, "adapters/alpha/adapter.yaml", text);
    free(text);
    tree_refused(&t, "adapters/alpha/adapter.yaml", 8, "timeout");
    tree_close(&t);
}

/* adapter.yaml with one thing changed: the fault, its line. */
static void test_refused(void **state)
{
    static const struct {
        const char *old, *with;
        int line;
        const char *words;
    } cases[] = {
        {"system: alpha", "system: beta", 1, "does not agree with its folder"},
        {"title: { zh: 甲, en: Alpha }", "title: Alpha", 2, "both languages"},
        {"title: { zh: 甲, en: Alpha }", "title: { zh: 甲 }", 2, "both languages"},
        {"version: 1", "version: one", 3, "whole number"},
        {"version: 1\n", "", 1, "version is missing"},
        {"verified: own-simulator", "verified: certified", 4, "owner-test"},
        {"verified_against: tests\n", "", 1, "verified_against is missing"},
        {"transport: http", "transport: telnet", 6, "no transport \"telnet\""},
        {"takes: [note]", "takes: [letter]", 7, "no record type \"letter\""},
        {"takes: [note]", "takes: []", 7, "at least one record type"},
        {"takes: [note]", "takes: [note]\ncolour: red", 8, "unknown key \"colour\""},
        {"takes: [note]", "takes: [note]\nsettings: { timout: 8s }", 8, "did you mean \"timeout\""},
        {"takes: [note]", "takes: [note]\nsettings: { timeout: 8 }", 8, "timeout"},
        {"takes: [note]", "takes: [note]\nsettings: { in_flight: 0 }", 8, "in_flight"},
        {"takes: [note]", "takes: [note]\nsettings: { zone: Peking }", 8, "zone is an offset"},
        {"takes: [note]", "takes: [note]\nsettings: { charset: klingon }", 8, "\"klingon\""},
        {"takes: [note]", "takes: [note]\nsettings: { backoff_base: 9s, backoff_cap: 2s }", 8,
         "below backoff_base"},
        {"takes: [note]", "takes: [note]\nsettings: { verify: lookup }", 8,
         "needs a lookup of create that reads number"},
        {"takes: [note]", "takes: [note]\nsettings: { verify: always }", 8, "verify"},
        {"takes: [note]", "takes: [note]\nhours: [\"Mon 25:00-26:00\"]", 8, "hours are written"},
        {"takes: [note]", "takes: [note]\nhours: [\"Mon 17:00-08:00\"]", 8, "hours are written"},
        {"takes: [note]", "takes: [note]\nholidays: [2026-02-30]", 8, "a holiday is a date"},
        {"takes: [note]", "takes: [note]\nmasks: [nobody]", 8, "no operation has a field"},
        {"takes: [note]", "takes: [note]\ntables: { spare: [ { to: a, const: b } ] }", 8,
         "used by no operation"},
        {"takes: [note]", "takes: [note]\nsession: { open: sign_in }", 8,
         "no operation \"sign_in\""},
        {"takes: [note]", "takes: [note]\nsession: { lifetime: 20m }", 8, "needs open"},
        {"takes: [note]", "takes: [note]\nsession: { open: create, lifetime: soon }", 8,
         "is a duration"},
        {"  create:", "  submit:", 9, "is never run"},
        {"  create:", "  submit:", 8, "create is missing"},
        {"  create:", "  Create:", 9, "operation names are"},
        {"    method: POST\n", "    method: POST\n    statements: []\n", 11,
         "unknown key \"statements\""},
        {"    method: POST\n", "    method: POST\n    lookup: find\n", 11, "no operation \"find\""},
        {"    method: POST\n", "    method: POST\n    confirm: find\n", 11,
         "no operation \"find\""},
        {"    method: POST\n", "    method: POST\n    lookup: create\n", 11,
         "cannot be the operation"},
        {"    method: POST\n", "    method: POST\n    idempotent: maybe\n", 11, "true or false"},
        {"    fields:\n", "    query: missing\n    fields:\n", 13, "no table \"missing\""},
        {"from: /data/title", "from: /data/titel", 14, "no record type this system takes has"},
        {"from: /data/title", "from: /data/parties/0/nome", 14, "/data/parties/0/nome"},
        {"from: /data/title", "from: $secret.key", 14, "not declared in secrets"},
        {"from: /data/title", "from: $settings.key", 14, "not declared in vars"},
        {"from: /data/title", "from: $session.key", 14, "not declared in session.keep"},
        {"from: /data/title", "from: /data/title, codes: nope.csv", 14, "no usable code map"},
        {"from: /data/title", "from: /data/title, codes: ../codes/levels.csv", 14,
         "no usable code map"},
        {"to: title", "to: face_photo", 14, "domain.md §2.5"},
        {"from: /data/phone", "from: /data/fingerprint", 15, "domain.md §2.5"},
    };
    struct tree t;
    (void)state;
    tree_open(&t);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        char *text = tree_with(tree_adapter, cases[i].old, cases[i].with);
        tree_write(&t, "adapters/alpha/adapter.yaml", text);
        free(text);
        tree_refused(&t, "adapters/alpha/adapter.yaml", cases[i].line, cases[i].words);
    }
    tree_close(&t);
}

static void test_site_refused(void **state)
{
    static const struct {
        const char *site;
        int line;
        const char *words;
    } cases[] = {
        {"enabled: true\n", 1, "needs endpoint"},
        {"enabled: perhaps\nendpoint: x\n", 1, "true or false"},
        {"enabled: true\nendpoint: x\npassword: p\n", 3, "unknown key \"password\""},
        {"enabled: true\nendpoint: x\nsecrets: { key: hunter2 }\n", 3, "never the value itself"},
        {"enabled: true\nendpoint: x\nwhen: { is: y }\n", 3, "unknown condition"},
        {"enabled: true\nendpoint: x\nsettings: { rate: fast }\n", 3, "rate"},
        {"enabled: true\nendpoint: x\nvars: { a: [b] }\n", 3, "plain text"},
    };
    struct tree t;
    (void)state;
    tree_open(&t);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        tree_write(&t, "systems/alpha.yaml", cases[i].site);
        tree_refused(&t, "systems/alpha.yaml", cases[i].line, cases[i].words);
    }
    /* the message never repeats a secret that was written in the open */
    tree_write(&t, "systems/alpha.yaml", cases[3].site);
    tree_refused(&t, "systems/alpha.yaml", 3, "never the value itself");
    for (size_t i = 0; i < t.d.count; i++) {
        assert_null(strstr(t.d.items[i].message, "hunter2"));
    }
    tree_close(&t);
}

static const char sql_head[] = "system: alpha\ntitle: { zh: 甲, en: Alpha }\nversion: 1\n"
                               "verified: own-simulator\nverified_against: tests\ntransport: sql\n"
                               "takes: [note]\noperations:\n  create:\n    statements:\n";

static void test_statements(void **state)
{
    static const struct {
        const char *statement, *words;
    } bad[] = {
        {"      - { insert: t }\n", "insert needs fields"},
        {"      - { update: t, fields: [ { to: a, from: /data/title } ] }\n", "update needs where"},
        {"      - { select: t, where: [ { to: a, from: $ref } ] }\n", "select needs columns"},
        {"      - { guard: t, where: [ { to: a, from: $ref } ], fields: [ { to: b, const: c } ] "
         "}\n",
         "guard takes no fields"},
        {"      - { insert: t, update: u, fields: [ { to: a, const: b } ] }\n", "does one thing"},
        {"      - { fields: [ { to: a, const: b } ] }\n", "begins with guard"},
        {"      - { delete: t }\n", "unknown key \"delete\""},
        {"      - insert\n", "a statement is a map"},
    };
    struct tree t;
    char text[2048];
    (void)state;
    tree_open(&t);
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "%s%s", sql_head, bad[i].statement);
        tree_write(&t, "adapters/alpha/adapter.yaml", text);
        tree_refused(&t, "adapters/alpha/adapter.yaml", 11, bad[i].words);
    }
    snprintf(text, sizeof(text), "%s%s", sql_head,
             "      - { guard: t, where: [ { to: id, from: $ref } ] }\n"
             "      - { insert: t, fields: [ { to: a, from: /data/title } ] }\n");
    tree_write(&t, "adapters/alpha/adapter.yaml", text);
    struct ym_catalog *c = tree_catalog(&t);
    const struct ym_operation *op = ym_system_operation(ym_catalog_system(c, "alpha"), "create");
    assert_int_equal(op->table_count, 2);
    assert_string_equal(op->tables[0].place, "statements[0].where");
    assert_string_equal(op->tables[1].place, "statements[1].fields");
    ym_catalog_close(c);
    tree_close(&t);
}

/* ---- hours ---- */

static int64_t at(const char *text)
{
    int64_t ms;
    assert_true(ym_time_parse(ym_str_of(text), 480, &ms));
    return ms;
}

static void opens(const struct ym_hours *h, const char *now, bool want, const char *next)
{
    int64_t ms;
    assert_int_equal(ym_hours_open(h, 480, at(now), &ms), want);
    assert_int_equal(ms, next != NULL ? at(next) : 0);
}

static void test_hours(void **state)
{
    struct tree t;
    (void)state;
    tree_open(&t);
    char *text =
        tree_with(tree_adapter, "operations:",
                  "hours: [\"Mon-Fri 08:30-12:00\", \"Mon-Thu 13:00-24:00\", \"Tue 00:00-01:00\"]\n"
                  "holidays: [2026-10-01]\noperations:");
    tree_write(&t, "adapters/alpha/adapter.yaml", text);
    free(text);
    struct ym_catalog *c = tree_catalog(&t);
    const struct ym_hours *h = &ym_catalog_system(c, "alpha")->hours;
    assert_int_equal(h->span_count, 3);
    /* 2026-09-28 is a Monday */
    opens(h, "2026-09-28T08:29:59+08:00", false, "2026-09-28T08:30:00+08:00");
    opens(h, "2026-09-28T08:30:00+08:00", true, "2026-09-28T12:00:00+08:00");
    opens(h, "2026-09-28T12:30:00+08:00", false, "2026-09-28T13:00:00+08:00");
    opens(h, "2026-09-28T13:00:00+08:00", true, "2026-09-29T01:00:00+08:00"); /* past midnight */
    opens(h, "2026-09-30T23:59:59+08:00", true, "2026-10-01T00:00:00+08:00"); /* a holiday */
    opens(h, "2026-10-01T10:00:00+08:00", false, "2026-10-02T08:30:00+08:00");
    opens(h, "2026-10-02T20:00:00+08:00", false, "2026-10-05T08:30:00+08:00"); /* Friday evening */
    ym_catalog_close(c);
    tree_close(&t);

    struct ym_hours always = {0};
    opens(&always, "2026-09-28T03:00:00+08:00", true, NULL);
}

static void test_document(void **state)
{
    struct ym_buf b;
    (void)state;
    ym_buf_init(&b, 1 << 16);
    assert_int_equal(ym_system_document(&b), YM_OK);
    assert_non_null(strstr(b.p, "`absence_after`"));
    ym_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_no_site_file),
        cmocka_unit_test(test_overridden_setting),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_site_refused),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
