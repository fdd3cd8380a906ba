/* SPDX-License-Identifier: Apache-2.0
 * The field table: what it builds, what it objects to and where, what is refused when it is loaded,
 * and that it survives the failure of every allocation.
 */
#include "help_map.h"

static const char dispute[] =
    "{\"id\":\"01J0000000000000000000000A\",\"type\":\"dispute\",\"revision\":2,\"owner\":\"u1\","
    "\"org\":\"o1\",\"area\":\"330106001\",\"data\":{\"title\":\"邻里纠纷\",\"summary\":"
    "\"一二三四五\","
    "\"level\":\"04\",\"category\":{\"code4\":\"0501\"},\"cents\":\"123450\",\"lon\":120.15,\"n\":"
    "3,"
    "\"yes\":true,\"empty\":\"\",\"tags\":[\"1\",\"3\"],"
    "\"parties\":[{\"role\":\"respondent\",\"name\":\"测试乙\"},"
    "{\"role\":\"applicant\",\"name\":\"测试甲\",\"phone\":\"130-0000-0001\","
    "\"agents\":[{\"name\":\"丙\"},{\"name\":\"丁\"}]}]}}";

/* ---- lookups of the tests, loaded from tests/data ---- */

static struct ym_code_map maps[2];
static struct ym_code_table table;

static const struct ym_code_map *find_map(void *data, const char *file)
{
    (void)data;
    return strcmp(file, "kinds.csv") == 0  ? &maps[0]
           : strcmp(file, "tags.csv") == 0 ? &maps[1]
                                           : NULL;
}

static const struct ym_code_table *find_table(void *data, const char *name)
{
    (void)data;
    return strcmp(name, "levels") == 0 ? &table : NULL;
}

static void lookups(struct bench *b)
{
    struct ym_diag d;
    ym_diag_init(&d);
    assert_int_equal(ym_code_map_load("tests/data/map/kinds.csv", b->a, &maps[0], &d), YM_OK);
    assert_int_equal(ym_code_map_load("tests/data/map/tags.csv", b->a, &maps[1], &d), YM_OK);
    assert_int_equal(ym_code_table_load("tests/data/map/levels.csv", b->a, &table, &d), YM_OK);
    ym_diag_clear(&d);
    b->env = (struct ym_map_env){find_map, find_table, NULL};
}

/* ---- what it builds ---- */

static void test_sources(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"- { to: a, from: /data/title }", "{\"a\":\"邻里纠纷\"}"},
        {"- { to: a, from: /id }", "{\"a\":\"01J0000000000000000000000A\"}"},
        {"- { to: a, const: x }", "{\"a\":\"x\"}"},
        {"- { to: a, const: '' }", "{\"a\":\"\"}"},
        {"- { to: a.b.c, const: x }\n- { to: a.d, const: y }",
         "{\"a\":{\"b\":{\"c\":\"x\"},\"d\":\"y\"}}"},
        {"- { to: 'a\\.b', const: x }", "{\"a.b\":\"x\"}"},
        {"- { to: a.@id, const: x }", "{\"a\":{\"@id\":\"x\"}}"},
        {"- { to: a, from: /data/parties/1/name }", "{\"a\":\"测试甲\"}"},
        {"- { to: a, from: /data/n }", "{\"a\":\"3\"}"},
        {"- { to: a, from: /data/lon }", "{\"a\":\"120.15\"}"},
        {"- { to: a, from: /data/yes }", "{\"a\":\"true\"}"},
        {"- { to: a, from: /data/none }", "{}"},
        {"- { to: a, from: /data/empty }", "{}"},
        {"- { to: a, from: /data/none, empty: send }", "{\"a\":\"\"}"},
        {"- { to: a, from: /data/none, empty: 'null' }", "{\"a\":null}"},
        {"- { to: a, from: /data/none, default: d }", "{\"a\":\"d\"}"},
        {"- to: a\n  concat: [ { const: 于 }, { from: /data/none }, { from: /data/title } ]",
         "{\"a\":\"于邻里纠纷\"}"},
        {"- to: a\n  concat: [ { from: /data/none }, { from: /data/empty } ]", "{}"},
        {"- to: a\n  concat: [ { from: /data/n, apply: ['pad:3'] }, { const: x, when: { absent: "
         "/data/n } } ]",
         "{\"a\":\"003\"}"},
        {"- { to: a, from: $ref }\n- { to: b, from: $revision, as: integer }\n- { to: c, from: $op "
         "}",
         "{\"a\":\"01J0000000000000000000000A\",\"b\":2,\"c\":\"create\"}"},
        {"- { to: a, from: $number }", "{}"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *got = run(&b, cases[i].yaml, dispute);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s\n = %s\nnot %s", cases[i].yaml, got, cases[i].want);
        }
        assert_string_equal(check(&b, cases[i].yaml, dispute), "");
    }
    bench_close(&b);
}

/* What a report counts: fields that have a value of the record's, not what is the same for all. */
static void test_filled(void **state)
{
    static const struct {
        const char *yaml;
        size_t filled;
    } cases[] = {
        {"- { to: a, from: /data/title }", 1},
        {"- { to: a, const: x }\n- { to: b, from: $ref }\n- { to: c, from: /id }", 0},
        {"- { to: a, from: /data/none, default: d }\n- { to: b, from: /data/none, empty: send }",
         0},
        {"- to: a\n  concat: [ { const: 于 }, { from: /data/none }, { from: /data/title } ]", 1},
        {"- to: a\n  concat: [ { const: 于 }, { from: /data/none } ]", 0},
        {"- to: p\n  each: /data/parties\n  fields: [ { to: n, from: /name }, { to: t, from: "
         "/phone } "
         "]",
         3},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        size_t filled = 0;
        json_t *record = json_of(dispute), *doc = NULL;
        struct ym_problems ps;
        struct ym_map_ctx ctx = {.record = record, .op = "create", .filled = &filled};
        ym_problems_init(&ps, b.a);
        assert_int_equal(ym_map_run(map_of(&b, cases[i].yaml), &ctx, b.a, &doc, &ps), YM_OK);
        assert_int_equal(filled, cases[i].filled);
        json_decref(doc);
        json_decref(record);
    }
    bench_close(&b);
}

static void test_types(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"- { to: a, from: /data/n, as: integer }", "{\"a\":3}"},
        {"- { to: a, from: /data/title, as: integer }", "!type /title (integer)"},
        {"- { to: a, from: /data/cents, apply: [yuan], as: number }", "{\"a\":1234.5}"},
        {"- { to: a, from: /data/title, as: number }", "!type /title (number)"},
        {"- { to: a, from: /data/yes, as: boolean }", "{\"a\":true}"},
        {"- { to: a, from: /data/n, as: boolean }", "!type /n (boolean)"},
        {"- { to: a, from: /data/tags, as: raw }", "{\"a\":[\"1\",\"3\"]}"},
        {"- { to: a, from: /data/category, as: raw }", "{\"a\":{\"code4\":\"0501\"}}"},
        {"- { to: a, from: /data/category }", "!type /category (string)"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        assert_string_equal(run(&b, cases[i].yaml, dispute), cases[i].want);
        /* The check says the same without building. */
        const char *objects = cases[i].want[0] == '!' ? cases[i].want + 1 : "";
        assert_string_equal(check(&b, cases[i].yaml, dispute), objects);
    }
    bench_close(&b);
}

static void test_groups(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"- { to: p, each: /data/parties, fields: [ { to: n, from: /name } ] }",
         "{\"p\":[{\"n\":\"测试乙\"},{\"n\":\"测试甲\"}]}"},
        {"- to: p\n  each: /data/parties\n  where: { /role: applicant }\n  fields:\n"
         "    - { to: n, from: /name }\n    - { to: t, from: ^/data/title }\n"
         "    - to: agents\n      each: /agents\n      fields: [ { to: n, from: /name } ]\n",
         "{\"p\":[{\"n\":\"测试甲\",\"t\":\"邻里纠纷\",\"agents\":[{\"n\":\"丙\"},{\"n\":\"丁\"}]}]"
         "}"},
        {"- first: /data/parties\n  where: { /role: applicant }\n  fields: [ { to: n, from: /name "
         "} ]",
         "{\"n\":\"测试甲\"}"},
        {"- to: x.y\n  first: /data/parties\n  fields: [ { to: n, from: /name } ]",
         "{\"x\":{\"y\":{\"n\":\"测试乙\"}}}"},
        {"- { to: o, fields: [ { to: a, const: 1 } ] }", "{\"o\":{\"a\":\"1\"}}"},
        {"- { to: o, fields: [ { to: a, from: /data/none } ] }", "{}"},
        {"- { to: o, empty: send, fields: [ { to: a, from: /data/none } ] }", "{\"o\":{}}"},
        {"- { fields: [ { to: a, const: 1 } ], when: { absent: /data/title } }", "{}"},
        {"- { to: p, each: /data/none, fields: [ { to: n, from: /name, required: true } ] }", "{}"},
        {"- { to: p, each: /data/none, empty: send, fields: [ { to: n, from: /name } ] }",
         "{\"p\":[]}"},
        {"- { to: t, each: /data/tags, fields: [ { to: v, from: '' } ] }",
         "{\"t\":[{\"v\":\"1\"},{\"v\":\"3\"}]}"},
        /* two lists into one array, in table order */
        {"- { to: p, each: /data/parties, where: { /role: applicant }, fields: [ { to: n, from: "
         "/name } ] }\n- { to: p, each: /data/parties, where: { /role: [respondent, third] }, "
         "fields: [ { to: n, from: /name } ] }",
         "{\"p\":[{\"n\":\"测试甲\"},{\"n\":\"测试乙\"}]}"},
        /* two groups into one object */
        {"- { to: o, fields: [ { to: a, const: 1 } ] }\n- { to: o, first: /data/parties, fields: [ "
         "{ to: b, from: /name } ] }",
         "{\"o\":{\"a\":\"1\",\"b\":\"测试乙\"}}"},
        {"- { to: s, encode: json, fields: [ { to: a, from: /data/title }, { to: n, from: /data/n, "
         "as: integer } ] }",
         "{\"s\":\"{\\\"a\\\":\\\"邻里纠纷\\\",\\\"n\\\":3}\"}"},
        {"- { to: s, encode: json, each: /data/tags, fields: [ { to: v, from: '' } ] }",
         "{\"s\":\"[{\\\"v\\\":\\\"1\\\"},{\\\"v\\\":\\\"3\\\"}]\"}"},
        {"- { to: s, encode: xml, root: R, fields: [ { to: '@v', const: 'a\"b' }, { to: e, const: "
         "'<&>' } ] }",
         "{\"s\":\"<R v=\\\"a&#34;b\\\"><e>&lt;&amp;&gt;</e></R>\"}"},
        {"- { to: s, encode: xml, root: R, fields: [ { to: 'e.@v', const: 1 }, { to: 'e.#text', "
         "const: t } ] }",
         "{\"s\":\"<R><e v=\\\"1\\\">t</e></R>\"}"},
        {"- { to: s, encode: xml, root: R, cdata: true, fields: [ { to: p, each: /data/parties, "
         "fields: [ { to: n, from: /name } ] } ] }",
         "{\"s\":{\"#cdata\":\"<R><p><n>测试乙</n></p><p><n>测试甲</n></p></R>\"}}"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *want = cases[i].want, *got = run(&b, cases[i].yaml, dispute);
        if (strcmp(got, want) != 0) {
            fail_msg("%s\n = %s\nnot %s", cases[i].yaml, got, want);
        }
        assert_string_equal(check(&b, cases[i].yaml, dispute), "");
    }
    bench_close(&b);
}

static void test_codes(void **state)
{
    static const struct {
        const char *yaml, *data, *want;
    } cases[] = {
        {"- { to: a, from: /data/k, codes: kinds.csv }", "{\"k\":\"0101\"}", "{\"a\":\"1\"}"},
        {"- { to: a, from: /data/k, codes: kinds.csv }", "{\"k\":\"77\"}",
         "!unmapped /k (kinds.csv)"},
        /* ambiguous: one question, its answer in /data/extra */
        {"- { to: a, from: /data/k, codes: kinds.csv }", "{\"k\":\"0501\"}",
         "!ambiguous /extra/migrant_wage (Is a migrant worker's wage claimed?)"},
        {"- { to: a, from: /data/k, codes: kinds.csv }",
         "{\"k\":\"0501\",\"extra\":{\"migrant_wage\":true}}", "{\"a\":\"10\"}"},
        {"- { to: a, from: /data/k, codes: kinds.csv }",
         "{\"k\":\"0501\",\"extra\":{\"migrant_wage\":false}}", "{\"a\":\"11\"}"},
        {"- { to: a, from: /data/k, codes: kinds.csv }",
         "{\"k\":\"0501\",\"extra\":{\"migrant_wage\":\"maybe\"}}", "!enum /extra/migrant_wage"},
        {"- { to: a, from: /data/k, codes: kinds.csv, default: z }", "{}", "{\"a\":\"z\"}"},
        {"- { to: a, from: /data/k, labels: levels }", "{\"k\":\"02\"}", "{\"a\":\"重大\"}"},
        {"- { to: a, from: /data/k, labels: levels }", "{\"k\":\"09\"}", "!unmapped /k (levels)"},
        {"- { to: a, from: /data/k, labels: levels, apply: ['suffix:!'] }", "{\"k\":\"01\"}",
         "{\"a\":\"一般!\"}"},
        /* codes and apply run in the order in which they are written */
        {"- { to: a, from: /data/k, apply: ['area:4'], codes: kinds.csv }", "{\"k\":\"010199\"}",
         "{\"a\":\"1\"}"},
        {"- { to: a, from: /data/k, codes: kinds.csv, apply: ['pad:3'] }", "{\"k\":\"0101\"}",
         "{\"a\":\"001\"}"},
        /* join maps item by item */
        {"- { to: a, from: /data/k, codes: tags.csv, apply: ['join:,'] }", "{\"k\":[\"1\",\"3\"]}",
         "{\"a\":\"A,C\"}"},
        {"- { to: a, from: /data/k, codes: tags.csv, apply: ['join:,'] }", "{\"k\":[\"1\",\"9\"]}",
         "!unmapped /k (tags.csv)"},
        {"- { to: a, from: /data/k, codes: tags.csv, apply: ['join:,'] }", "{\"k\":[]}", "{}"},
        /* max counts what is sent, not what was typed */
        {"- { to: a, from: /data/k, labels: levels, max: 2 }", "{\"k\":\"01\"}",
         "{\"a\":\"一般\"}"},
        {"- { to: a, from: /data/k, labels: levels, max: 1 }", "{\"k\":\"01\"}", "!too_long /k 1"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    lookups(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *record = ym_arena_printf(b.a, "{\"data\":%s}", cases[i].data);
        const char *got = run(&b, cases[i].yaml, record);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s of %s\n = %s\nnot %s", cases[i].yaml, cases[i].data, got, cases[i].want);
        }
        const char *objects = cases[i].want[0] == '!' ? cases[i].want + 1 : "";
        assert_string_equal(check(&b, cases[i].yaml, record), objects);
    }
    bench_close(&b);
}

/* ---- where it objects ---- */

static void test_pointers(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"- { to: a, from: /data/none, required: true }", "required /none"},
        {"- { to: a, from: /data/empty, required: true }", "required /empty"},
        {"- { to: a, from: /data/summary, max: 4 }", "too_long /summary 4"},
        {"- { to: a, from: /data/summary, max: 5 }", ""},
        {"- { to: a, from: /data/none, required: true, when: { present: /data/none } }", ""},
        {"- { to: p, each: /data/parties, fields: [ { to: t, from: /phone, required: true, max: 11 "
         "} "
         "] }",
         "required /parties/0/phone; too_long /parties/1/phone 11"},
        {"- { to: p, each: /data/parties, fields: [ { to: t, from: /phone, apply: [digits], max: "
         "11 "
         "} ] }",
         ""},
        {"- first: /data/parties\n  where: { /role: third }\n  fields:\n    - { to: n, from: "
         "/name, "
         "required: true }\n    - { to: m, from: /phone, required: true }",
         "required /parties"},
        {"- first: /data/parties\n  where: { /role: third }\n  fields: [ { to: n, from: /name } ]",
         ""},
        /* a required field whose condition on the record does not hold wants no item */
        {"- first: /data/parties\n  where: { /role: third }\n  fields:\n    - { to: n, from: "
         "/name, "
         "required: true, when: { absent: ^/data/title } }",
         ""},
        {"- first: /data/parties\n  where: { /role: third }\n  fields:\n    - { to: n, from: "
         "/name, "
         "required: true, when: { present: ^/data/title } }",
         "required /parties"},
        {"- { to: p, each: /data/none, required: true, fields: [ { to: n, from: /name } ] }",
         "required /none"},
        {"- { to: p, each: /data/title, fields: [ { to: n, from: /name } ] }",
         "type /title (array)"},
        {"- to: p\n  each: /data/parties\n  fields:\n    - to: agents\n      each: /agents\n"
         "      fields: [ { to: n, from: /id, required: true } ]",
         "required /parties/1/agents/0/id; required /parties/1/agents/1/id"},
        {"- to: a\n  concat: [ { const: x }, { from: /data/summary }, { from: /data/title } ]\n"
         "  max: 3",
         "too_long /summary 3"},
        {"- { to: s, encode: json, fields: [ { to: a, from: /data/none, required: true } ] }",
         "required /none"},
        /* a part that comes later: no function may judge the rest, its length may */
        {"- to: a\n  concat: [ { from: $ref }, { from: /data/title } ]\n  apply: [date]", ""},
        {"- to: a\n  concat: [ { from: $ref }, { from: /data/title } ]\n  as: integer", ""},
        {"- to: a\n  concat: [ { from: $ref }, { from: /data/title } ]\n  max: 3",
         "too_long /title 3"},
        /* the quick way out of the check must not skip an objection */
        {"- { to: a, from: /data/title, apply: [oneline], max: 3 }", "too_long /title 3"},
        {"- { to: a, from: /data/title, apply: [oneline], max: 4 }", ""},
        /* known only when it is sent */
        {"- { to: a, from: $number, required: true, max: 1, as: integer }", ""},
        {"- { to: a, from: $secret.key, required: true }", ""},
        {"- { to: a, from: /created_at, required: true, apply: [date] }", ""},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *got = check(&b, cases[i].yaml, dispute);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s\n = \"%s\"\nnot \"%s\"", cases[i].yaml, got, cases[i].want);
        }
    }
    bench_close(&b);
}

/* At delivery time the same names must be there. */
static const char *secret(void *data, const char *name)
{
    return strcmp(name, "key") == 0 ? data : NULL;
}

static void test_names(void **state)
{
    struct bench b;
    char key[] = "s3";
    (void)state;
    bench_open(&b);
    struct ym_map_ctx ctx = {.number = "N-1",
                             .op = "update",
                             .now_ms = 1700000000000,
                             .attempt = 4,
                             .offset_min = 480,
                             .secret = secret,
                             .data = key,
                             .vars = yaml_of(&b, "{ src: \"12\" }")};
    assert_string_equal(
        run_ctx(
            &b,
            "- { to: n, from: $number }\n- { to: o, from: $op }\n- { to: t, from: $now, apply: "
            "[datetime14] }\n- { to: a, from: $attempt, as: integer }\n- { to: k, from: "
            "$secret.key }\n- { to: s, from: $settings.src }\n- { to: m, from: $settings.none }\n",
            &ctx, dispute),
        "{\"n\":\"N-1\",\"o\":\"update\",\"t\":\"20231115061320\",\"a\":4,\"k\":\"s3\",\"s\":"
        "\"12\"}");
    assert_string_equal(
        run_ctx(&b, "- { to: k, from: $secret.other, required: true }", &ctx, dispute),
        "!required -");
    assert_string_equal(run_ctx(&b, "- { to: k, from: $session.x, required: true }", &ctx, dispute),
                        "!required -");
    bench_close(&b);
}

/* Everything at once, and nothing built. */
static void test_all_at_once(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    assert_string_equal(
        run(&b,
            "- { to: a, from: /data/none, required: true }\n- { to: b, from: /data/summary, max: 2 "
            "}\n"
            "- { to: c, from: /data/title, as: integer }\n- { to: d, const: fine }\n",
            dispute),
        "!required /none; too_long /summary 2; type /title (integer)");
    bench_close(&b);
}

/* ---- what is refused at load ---- */

static void test_refused(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"- { to: a, form: /data/x }", "1: unknown key \"form\"; did you mean \"from\"?"},
        {"- { to: a }", "exactly one source"},
        {"- { to: a, from: /data/x, const: y }", "exactly one source"},
        {"- { from: /data/x }", "to is missing"},
        {"\n\n- { to: a, from: data/x }", "3: pointer \"data/x\": begins with \"/\""},
        {"- { to: a, from: /dta/x }", "a record has /data"},
        {"- { to: a, from: $refs }", "unknown name \"$refs\""},
        {"- { to: a, from: $secret. }", "unknown name"},
        {"- { to: a, from: /data/x, codes: none.csv }", "no usable code map \"none.csv\""},
        {"- { to: a, from: /data/x, labels: none }", "no code table \"none\""},
        {"- { to: a, from: /data/x, codes: kinds.csv, labels: levels }", "exclude each other"},
        {"- { to: a, from: /data/x, max: 0 }", "1 to 1000000"},
        {"- { to: a, from: /data/x, max: ten }", "1 to 1000000"},
        {"- { to: a, from: /data/x, as: int }", "string, integer, number, boolean and raw"},
        {"- { to: a, from: /data/x, empty: maybe }", "skip, send and null"},
        {"- { to: a, from: /data/x, required: yes }", "true or false"},
        {"- { to: a, from: /data/x, as: raw, max: 3 }", "untouched"},
        {"- { to: a, from: /data/x, when: { is: y } }", "unknown condition"},
        {"- { to: a, from: /data/x, each: /data/y }", "each needs fields"},
        {"- { to: a, concat: x }", "a list of parts"},
        {"- { to: a, concat: [ { from: /data/x, const: y } ] }", "exactly one of from and const"},
        {"- { to: a, concat: [ { to: b, from: /data/x } ] }", "unknown key \"to\""},
        {"- { each: /data/p, fields: [ { to: a, from: /x } ] }", "each and encode need to"},
        {"- { to: p, each: /data/p, first: /data/q, fields: [ { to: a, from: /x } ] }",
         "exclude each other"},
        {"- { to: p, where: { /a: b }, fields: [ { to: a, const: x } ] }", "needs each or first"},
        {"- { to: p, max: 3, fields: [ { to: a, const: x } ] }", "max belongs to a single value"},
        {"- { to: p, encode: xml, fields: [ { to: a, const: x } ] }", "needs root"},
        {"- { to: p, cdata: true, fields: [ { to: a, const: x } ] }", "belong to encode: xml"},
        {"- { to: p, encode: xml, root: R, each: /data/p, fields: [ { to: a, const: x } ] }",
         "inside the encoded fields"},
        {"- { to: a..b, const: x }", "joined by dots"},
        {"- { to: '@a.b', const: x }", "only at its end"},
        {"- { to: '#cdata', const: x }", "cannot begin with #"},
        {"- { to: '#text.a', const: x }", "cannot begin with #"},
        {"- { to: p, encode: xml, root: R, fields: [ { to: a b, const: x } ] }", "an XML name"},
        {"- { to: p, encode: xml, root: 1R, fields: [ { to: a, const: x } ] }", "an XML name"},
        {"- { to: a, const: x }\n- { to: a, const: y }",
         "2: the same place in the target is filled by line 1"},
        {"- { to: a, const: x }\n- { to: a.b, const: y }", "the same place"},
        {"- { to: a, const: x, when: { present: /data/q } }\n- { to: a, const: y }",
         "the same place"},
        {"a: b", "fields takes a list"},
        {"- x", "a field is a map"},
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    lookups(&b);
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        assert_has(refused(&b, cases[i].yaml), cases[i].want);
    }
    bench_close(&b);
}

/* Five faults in one table: five lines, not the first only. */
static void test_refused_together(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    const char *all =
        refused(&b, "- { to: a, form: x }\n- { to: b, from: bad }\n- { to: c, from: $no }\n"
                    "- { to: d, from: /data/x, apply: [nope] }\n- { to: e }\n");
    assert_has(all, "1: ");
    assert_has(all, "2: ");
    assert_has(all, "3: ");
    assert_has(all, "4: ");
    assert_has(all, "5: ");
    bench_close(&b);
}

/* domain.md §2.5: never biometrics; words that only look like one stay usable. */
static void test_biometric(void **state)
{
    static const char *const never[] = {
        "- { to: faceImage, from: /data/x }",
        "- { to: photo, from: /data/face }",
        "- { to: FACE_ID, from: /data/x }",
        "- { to: user.iris, from: /data/x }",
        "- { to: fingerPrint, from: /data/x }",
        "- { to: a, from: /data/biometrics/0 }",
        "- { to: 人脸照片, from: /data/x }",
        "- { to: 申请人指纹, from: /data/x }",
        "- { to: a, from: /data/虹膜 }",
        "- { to: facephoto, from: /data/x }",
        "- { to: p, each: /data/faces, fields: [ { to: a, from: /x } ] }",
        "- { to: p, fields: [ { to: q, fields: [ { to: Face, const: x } ] } ] }",
    };
    static const char *const fine[] = {
        "- { to: surface, from: /data/x }", "- { to: InterfaceVersion, const: x }",
        "- { to: irisation, const: x }",    "- { to: facet, const: x }",
        "- { to: 地面, from: /data/x }",
    };
    struct bench b;
    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < YM_COUNT(never); i++) {
        assert_has(refused(&b, never[i]), "domain.md §2.5");
    }
    ym_diag_clear(&b.d);
    ym_diag_init(&b.d);
    for (size_t i = 0; i < YM_COUNT(fine); i++) {
        assert_non_null(map_of(&b, fine[i]));
    }
    bench_close(&b);
}

/* ---- lineage ---- */

static void test_leaves(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    lookups(&b);
    const struct ym_map *m = map_of(
        &b, "- { to: a, from: /data/k, codes: kinds.csv, required: true, max: 9 }\n"
            "- { to: b, const: lit }\n"
            "- to: p.q\n  each: /data/parties\n  fields:\n    - { to: n, from: /name }\n"
            "    - { to: t, from: ^/data/title }\n"
            "    - to: c\n      concat: [ { from: /phone }, { const: '-' }, { from: $ref } ]\n");
    static const struct {
        const char *to, *pointer, *constant, *codes;
        int line;
    } want[] = {
        {"a", "/data/k", NULL, "kinds.csv", 1},
        {"b", NULL, "lit", NULL, 2},
        {"p.q.n", "/data/parties/-/name", NULL, NULL, 6},
        {"p.q.t", "/data/title", NULL, NULL, 7},
        {"p.q.c", "/data/parties/-/phone", NULL, NULL, 8},
        {"p.q.c", NULL, "-", NULL, 8},
        {"p.q.c", NULL, "$ref", NULL, 8},
    };
    assert_int_equal(ym_map_leaf_count(m), YM_COUNT(want));
    for (size_t i = 0; i < YM_COUNT(want); i++) {
        const struct ym_map_leaf *l = ym_map_leaf_at(m, i);
        assert_string_equal(l->to, want[i].to);
        assert_string_equal(l->pointer != NULL ? l->pointer : "",
                            want[i].pointer != NULL ? want[i].pointer : "");
        assert_string_equal(l->constant != NULL ? l->constant : "",
                            want[i].constant != NULL ? want[i].constant : "");
        assert_string_equal(l->codes != NULL ? l->codes : "",
                            want[i].codes != NULL ? want[i].codes : "");
        assert_int_equal(l->line, want[i].line);
    }
    assert_true(ym_map_leaf_at(m, 0)->required);
    assert_int_equal(ym_map_leaf_at(m, 0)->max, 9);
    assert_null(ym_map_leaf_at(m, YM_COUNT(want)));
    bench_close(&b);
}

/* ---- every allocation fails in turn ---- */

#define FAULTS_MAX 2000
static const char fault_yaml[] =
    "- { to: a.b, from: /data/title, apply: [trim, 'prefix:x'], max: 50 }\n"
    "- { to: k, from: /data/tags, apply: ['join:,'] }\n"
    "- to: c\n  concat: [ { const: 于 }, { from: /data/summary } ]\n"
    "- to: s\n  encode: xml\n  root: R\n  fields: [ { to: p, each: /data/parties, fields: [ { to: "
    "n, "
    "from: /name } ] } ]\n"
    "- { to: gone, from: /data/none, required: true, when: { equals: { /data/level: '09' } } }\n";

static void test_faults(void **state)
{
    json_t *record = json_of(dispute);
    long n;
    (void)state;
    for (n = 1; n < FAULTS_MAX; n++) {
        struct ym_arena *a = ym_arena_open();
        struct ym_diag d;
        struct ym_yaml *y = NULL;
        const struct ym_map *m = NULL;
        struct ym_problems p;
        struct ym_map_ctx ctx = {.record = record, .op = "create", .offset_min = 480};
        json_t *doc = NULL;
        ym_diag_init(&d);
        assert_int_equal(ym_yaml_parse(YM_STR(fault_yaml), "t.yaml", a, &y, NULL), YM_OK);
        ym_problems_init(&p, a);
        ym_fault_after(n);
        ym_status rc = ym_map_compile(y, NULL, NULL, a, &m, &d);
        if (rc == YM_OK) {
            ym_map_check(m, "sys", record, &p);
            rc = p.total != 0 ? YM_ENOMEM : ym_map_run(m, &ctx, a, &doc, &p);
        }
        ym_fault_after(0);
        if (rc == YM_OK) {
            assert_non_null(doc);
        } else {
            assert_int_equal(rc, YM_ENOMEM);
            assert_null(doc);
        }
        json_decref(doc);
        ym_diag_clear(&d);
        ym_arena_close(a);
        if (rc == YM_OK) {
            break;
        }
    }
    json_decref(record);
    assert_in_range(n, 30, FAULTS_MAX - 1); /* it failed many times before it passed */
}

/* run() compares each with the text that is written at once (help_map.h). */
static void test_text_at_once(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    const char *record =
        "{\"id\":\"1\",\"data\":{\"a\":\"x\\\"y\\n\",\"n\":\"007\",\"o\":{\"k\":[1.5,null]},"
        "\"p\":[{\"r\":\"u\",\"v\":\"1\"},{\"r\":\"w\"}]}}";
    /* names that need escapes; objects that turn out empty before, between and behind others */
    assert_string_equal(
        run(&b,
            "- to: none\n  fields: [ { to: x, from: /data/q } ]\n"
            "- { to: 'a\"b', from: /data/a }\n"
            "- to: none2\n  fields:\n  - to: in\n    fields: [ { to: x, from: /data/q } ]\n"
            "- { to: n, from: /data/n, as: integer }\n"
            "- { to: raw, from: /data/o, as: raw }\n"
            "- to: kept\n  empty: send\n  fields: [ { to: x, from: /data/q } ]\n"
            "- { to: nil, from: /data/q, empty: null }\n"
            "- to: none3\n  each: /data/q\n  fields: [ { to: x, from: /x } ]\n",
            record),
        "{\"a\\\"b\":\"x\\\"y\\n\",\"n\":7,\"raw\":{\"k\":[1.5,null]},\"kept\":{},\"nil\":null}");
    /* items that turn out empty, a list that does, one item merged into the object around it */
    assert_string_equal(
        run(&b,
            "- to: l\n  each: /data/p\n  fields: [ { to: v, from: /v } ]\n"
            "- to: e\n  each: /data/q\n  empty: send\n  fields: [ { to: v, from: /v } ]\n"
            "- first: /data/p\n  where: { /r: w }\n  fields: [ { to: r, from: /r } ]\n"
            "- to: f\n  first: /data/p\n  fields: [ { to: r, from: /r } ]\n",
            record),
        "{\"l\":[{\"v\":\"1\"},{}],\"e\":[],\"r\":\"w\",\"f\":{\"r\":\"u\"}}");
    /* what reaches back: the tree's business, and the same from outside */
    assert_string_equal(
        run(&b, "- { to: o.a, from: /data/n }\n- { to: z, const: z }\n- { to: o.b, const: b }\n",
            record),
        "{\"o\":{\"a\":\"007\",\"b\":\"b\"},\"z\":\"z\"}");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),          cmocka_unit_test(test_types),
        cmocka_unit_test(test_groups),           cmocka_unit_test(test_codes),
        cmocka_unit_test(test_pointers),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_all_at_once),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_together), cmocka_unit_test(test_biometric),
        cmocka_unit_test(test_leaves),           cmocka_unit_test(test_faults),
        cmocka_unit_test(test_filled),           cmocka_unit_test(test_text_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
