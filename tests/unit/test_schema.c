/* SPDX-License-Identifier: Apache-2.0
 * The schema checker beside the official suite: what is refused at load and where, which problem is
 * told at which pointer, that no value is echoed, and that hostile schemas and values end.
 */
#include "help_types.h"
#include "ym_time.h"

static json_t *json_of(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);

    if (j == NULL) {
        fail_msg("%s: %s", e.text, text);
    }
    return j;
}

static void close_json(void *j)
{
    json_decref(j);
}

static ym_status compile(struct shelf *s, const char *text, const struct ym_schema **ret)
{
    json_t *root = json_of(text);

    assert_int_equal(ym_arena_cleanup(s->a, close_json, root), YM_OK);
    return ym_schema_compile(root, "t.json", ym_str_of(text), shelf_table, s, s->a, ret, &s->d);
}

/* The problems of value under schema, as "pointer code limit; …". */
static void checks(const char *schema, const char *value, const char *want)
{
    struct shelf s;
    const struct ym_schema *c = NULL;
    struct ym_problems ps;
    json_t *v = json_of(value);
    bool ok = false;

    shelf_open(&s);
    if (compile(&s, schema, &c) != YM_OK) {
        fail_msg("%s: %s", schema, diag_line(&s.d, 0));
    }
    ym_problems_init(&ps, s.a);
    ok = ym_schema_check(c, v, &ps);
    assert_string_equal(problems_line(&ps), want);
    assert_int_equal(ok, want[0] == '\0');
    assert_int_equal(ym_schema_check(c, v, NULL), ok);
    json_decref(v);
    shelf_close(&s);
}

static void refuses(const char *schema, const char *says)
{
    struct shelf s;
    const struct ym_schema *c = NULL;
    ym_status rc = YM_OK;

    shelf_open(&s);
    rc = compile(&s, schema, &c);
    if (rc != YM_EINVAL || strncmp(diag_line(&s.d, 0), says, strlen(says)) != 0) {
        fail_msg("%s\n  said  %s\n  not   %s", schema,
                 s.d.count > 0 ? diag_line(&s.d, 0) : "nothing", says);
    }
    assert_null(c);
    assert_string_equal(s.d.items[0].file, "t.json");
    shelf_close(&s);
}

static void refuses_what_is_outside(void **state)
{
    (void)state;
    refuses("{\n  \"type\": \"object\",\n  \"unevaluatedProperties\": false\n}",
            "3: the keyword \"unevaluatedProperties\" is not in the supported subset "
            "(docs/types.md); the nearest supported word is \"");
    refuses("{\"properties\": {\n \"a\": {\"maxlength\": 3}}}",
            "2: the keyword \"maxlength\" is not in the supported subset (docs/types.md); the "
            "nearest supported word is \"maxLength\"");
    refuses("{\"allOf\": [\n {},\n {\"\\u0061\": 1}]}", "3: the keyword \"a\"");
    refuses("{\"$dynamicRef\": \"#a\"}", "1: the keyword \"$dynamicRef\"");
    refuses("{\"$schema\": \"http://json-schema.org/draft-07/schema#\"}", "1: $schema is");
    refuses("{\n\"$defs\": {\"a\": {\n\"$id\": \"x\"}}}", "3: $id is supported at the root only");
    refuses("{\"properties\": {\n\"a\": {\"format\": \"phone\"}}}",
            "2: the format \"phone\" is not in the supported subset (docs/types.md); the nearest "
            "supported word is \"phone-cn\"");
    refuses("{\"x-codes\": \"zz17\"}", "1: x-codes: there is no code table \"zz17\"");
    refuses("{\n\"$ref\": \"other.json\"}",
            "2: \"$ref\": \"other.json\" is not found in this file");
    refuses("{\"items\": {\n\"$ref\": \"#/$defs/none\"}}", "2: \"$ref\": \"#/$defs/none\"");
    refuses("{\"$ref\": \"#nowhere\"}", "1: \"$ref\": \"#nowhere\"");
}

static void refuses_what_is_malformed(void **state)
{
    static const char *const v[][2] = {
        {"[]", "1: a schema is an object, true or false"},
        {"{\"items\": 3}", "1: a schema is an object, true or false"},
        {"{\"type\": \"text\"}", "1: type is one or several"},
        {"{\"type\": []}", "1: type may not be an empty list"},
        {"{\"type\": [\"null\", \"null\"]}", "1: type is one or several"},
        {"{\"type\": 3}", "1: type is one or several"},
        {"{\"enum\": []}", "1: enum is a list"},
        {"{\"enum\": \"a\"}", "1: enum is a list"},
        {"{\"minLength\": -1}", "1: minLength is a whole number"},
        {"{\"maxItems\": 1.5}", "1: maxItems is a whole number"},
        {"{\"maxProperties\": \"1\"}", "1: maxProperties is a whole number"},
        {"{\"minimum\": \"1\"}", "1: minimum is a number"},
        {"{\"multipleOf\": 0}", "1: multipleOf is a number above 0"},
        {"{\"pattern\": \"(\"}", "1: the pattern is wrong at byte 1:"},
        {"{\"pattern\": 3}", "1: a pattern is a text"},
        {"{\"patternProperties\": {\"[\": {}}}", "1: the pattern is wrong"},
        {"{\"uniqueItems\": 1}", "1: uniqueItems is true or false"},
        {"{\"required\": \"a\"}", "1: required is a list of names"},
        {"{\"required\": [\"a\", \"a\"]}", "1: required is a list of different names"},
        {"{\"required\": [1]}", "1: required is a list of different names"},
        {"{\"dependentRequired\": {\"a\": \"b\"}}", "1: dependentRequired is a list of names"},
        {"{\"dependentSchemas\": []}", "1: dependentSchemas is an object"},
        {"{\"properties\": []}", "1: properties is an object"},
        {"{\"patternProperties\": []}", "1: patternProperties is an object"},
        {"{\"$defs\": []}", "1: $defs is an object"},
        {"{\"allOf\": []}", "1: allOf is a list"},
        {"{\"prefixItems\": {}}", "1: prefixItems is a list"},
        {"{\"$ref\": 1}", "1: $ref is a text"},
        {"{\"$anchor\": \"a b\"}", "1: $anchor is a plain name"},
        {"{\"$anchor\": \"a\", \"items\": {\"$anchor\": \"a\"}}",
         "1: $anchor \"a\" is already used"},
        {"{\"$schema\": 1}", "1: $schema is a text"},
        {"{\"title\": 1}", "1: title is a text"},
        {"{\"readOnly\": \"yes\"}", "1: readOnly is true or false"},
        {"{\"examples\": \"a\"}", "1: examples is a list"},
        {"{\"format\": 1}", "1: the format \"\""},
        {"{\"x-label\": {\"zh\": \"a\"}}", "1: x-label is"},
        {"{\"x-label\": {\"zh\": \"a\", \"en\": \"b\", \"fr\": \"c\"}}", "1: x-label is"},
        {"{\"x-sensitive\": \"private\"}", "1: x-sensitive is"},
        {"{\"x-keys\": []}", "1: x-keys is an object at the root"},
        {"{\"items\": {\"x-keys\": {}}}", "1: x-keys is an object at the root"},
        {"{\"x-keys\": {\"a\": \"b\"}}", "1: a search key is a pointer"},
        {"{\"x-ui\": 1}", "1: x-ui is an object"},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(v); i++) {
        refuses(v[i][0], v[i][1]);
    }
}

/* Every fault of a file is told, not only the first. */
static void tells_every_fault(void **state)
{
    struct shelf s;
    const struct ym_schema *c = NULL;

    (void)state;
    shelf_open(&s);
    assert_int_equal(
        compile(&s, "{\"typ\": 1,\n\"minLength\": -1,\n\"items\": {\"$ref\": \"#/no\"}}", &c),
        YM_EINVAL);
    assert_int_equal(s.d.count, 3);
    assert_int_equal(s.d.items[0].line, 1);
    assert_int_equal(s.d.items[1].line, 2);
    assert_int_equal(s.d.items[2].line, 3);
    shelf_close(&s);
}

static void refuses_circles_and_endless_nesting(void **state)
{
    char deep[2000] = "";
    size_t n = 0;

    (void)state;
    refuses("{\"$ref\": \"#\"}", "1: the schema refers to itself");
    refuses("{\"$defs\": {\"a\": {\"allOf\": [{\"$ref\": \"#/$defs/b\"}]},\n"
            "\"b\": {\"not\": {\"$ref\": \"#/$defs/a\"}}}}",
            "");
    refuses("{\"dependentSchemas\": {\"a\": {\"$ref\": \"#\"}}}", "");
    for (int i = 0; i < 70; i++) {
        n += (size_t)snprintf(deep + n, sizeof(deep) - n, "{\"not\":");
    }
    n += (size_t)snprintf(deep + n, sizeof(deep) - n, "true");
    memset(deep + n, '}', 70);
    refuses(deep, "1: the schema is nested more than 64 deep");

    /* a circle that goes deeper is a tree */
    checks("{\"type\": \"object\", \"properties\": {\"next\": {\"$ref\": \"#\"}}}",
           "{\"next\": {\"next\": {\"next\": 1}}}", "/next/next/next type");
}

static void points_exactly(void **state)
{
    (void)state;
    checks(
        "{\"properties\": {\"parties\": {\"items\": {\"properties\": {\"phone\": {\"maxLength\": "
        "2}}}}}}",
        "{\"parties\": [{}, {\"phone\": \"123\"}]}", "/parties/1/phone too_long 2");
    checks("{\"required\": [\"a\", \"b\"]}", "{}", "/a required; /b required");
    checks("{\"additionalProperties\": false, \"properties\": {\"a\": true}}",
           "{\"a\": 1, \"x/y~z\": 2}", "/x~1y~0z unknown_field");
    checks("{\"properties\": {\"a\": false}}", "{\"a\": 1}", "/a unknown_field");
    checks("{\"dependentRequired\": {\"id_no\": [\"id_type\"]}}", "{\"id_no\": \"1\"}",
           "/id_type required");
    checks("{\"items\": {\"multipleOf\": 3}, \"minItems\": 9}", "[3, 4, 5]",
           " too_few 9; /1 range; /2 range");
    checks("{\"prefixItems\": [{\"type\": \"string\"}], \"items\": false}", "[1, 2]",
           " too_many 1; /0 type");
    checks("{\"uniqueItems\": true}", "[1, 2, 1.0]", "/2 not_unique");
    checks("{\"contains\": {\"const\": 1}, \"maxContains\": 1}", "[1, 1]", " too_many 1");
    checks("{\"contains\": {\"const\": 1}, \"minContains\": 2}", "[1]", " too_few 2");
    checks("{\"minProperties\": 2}", "{}", " too_few 2");
    checks("{\"maxProperties\": 0}", "{\"a\": 1}", " too_many");
    checks("{\"propertyNames\": {\"maxLength\": 1}}", "{\"ab\": 1}", "/ab too_long 1");
    checks("{\"enum\": [\"a\", 1]}", "\"b\"", " enum");
    checks("{\"const\": {\"a\": [1]}}", "{\"a\": [2]}", " const");
    checks("{\"const\": {\"a\": [1], \"b\": null}}", "{\"b\": null, \"a\": [1.0]}", "");
    checks("false", "1", " condition");
    checks("{\"minLength\": 2, \"maxLength\": 3}", "\"调\"", " too_short 2");
    checks("{\"maxLength\": 3}", "\"人民调\"", "");
    checks("{\"maxLength\": 3}", "\"人民调解\"", " too_long 3");
    checks("{\"exclusiveMinimum\": 0, \"exclusiveMaximum\": 10}", "0", " range");
    checks("{\"pattern\": \"^[0-9]+$\"}", "\"12\\n\"", " pattern");
}

static void branches_say_what_helps(void **state)
{
    (void)state;
    checks("{\"anyOf\": [{\"type\": \"null\"}, {\"type\": \"string\", \"maxLength\": 2}]}",
           "\"abc\"", " too_long 2");
    checks("{\"oneOf\": [{\"type\": \"object\", \"required\": [\"a\"]}, {\"type\": \"string\"}]}",
           "{}", "/a required");
    checks("{\"oneOf\": [{\"maximum\": 5}, {\"maximum\": 9}]}", "3", " condition");
    checks("{\"anyOf\": [{\"maximum\": 5}, {\"minimum\": 9}]}", "7", " condition");
    checks("{\"not\": {\"required\": [\"a\"]}}", "{\"a\": 1}", " condition");
    checks("{\"if\": {\"properties\": {\"t\": {\"const\": \"111\"}}, \"required\": [\"t\"]}, "
           "\"then\": {\"properties\": {\"no\": {\"format\": \"gb11643\"}}}, "
           "\"else\": {\"required\": [\"u\"]}}",
           "{\"t\": \"111\", \"no\": \"1\"}", "/no format");
    checks("{\"if\": {\"required\": [\"t\"]}, \"then\": {}, \"else\": {\"required\": [\"u\"]}}",
           "{}", "/u required");
    checks("{\"allOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}", "{}",
           "/a required; /b required");
}

static void formats_and_codes(void **state)
{
    static const char *const v[][3] = {
        {"ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FA"},
        {"area-code", "330106001002", "33010600100"},
        {"phone-cn", "13000000001", "12000000001"},
        {"gb11714", "MA000001-5", "MA000001-4"},
        {"gb32100", "91000000MA00000157", "91000000MA00000158"},
        {"date", "2024-02-29", "2023-02-29"},
        {"uri", "sftp://u@h:22/dir/", "//h/dir"},
        {"ipv4", "127.0.0.1", "127.0.0.01"},
        {"email", "a@example.test", "a@-example.test"},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(v); i++) {
        char schema[100], value[100];

        (void)snprintf(schema, sizeof(schema), "{\"format\": \"%s\"}", v[i][0]);
        (void)snprintf(value, sizeof(value), "\"%s\"", v[i][1]);
        checks(schema, value, "");
        (void)snprintf(value, sizeof(value), "\"%s\"", v[i][2]);
        checks(schema, value, " format");
    }
    checks("{\"x-codes\": \"zz16\"}", "\"0701\"", "");
    checks("{\"x-codes\": \"zz16\"}", "\"99\"", "");
    checks("{\"x-codes\": \"zz16\"}", "\"07\"", " code"); /* a heading */
    checks("{\"x-codes\": \"zz16\"}", "\"0798\"", " code");
    checks("{\"x-codes\": \"zz16\"}", "\"0701\\u0041\"", " code");
}

/* A code is judged by today's date. */
static void codes_expire(void **state)
{
    struct shelf s;
    struct ym_problems ps;
    const struct ym_schema *c = NULL;
    json_t *v = json_of("\"1\"");
    int64_t at = 0;
    char path[200];

    (void)state;
    shelf_open(&s);
    temp_file("code,label,valid_from,valid_to\n1,a,2026-01-01,2026-01-31\n", path, sizeof(path));
    assert_int_equal(ym_code_table_load(path, s.a, &s.tables[0], &s.d), YM_OK);
    unlink(path);
    s.tables[0].name = "dated";
    s.count = 1;
    assert_int_equal(compile(&s, "{\"x-codes\": \"dated\"}", &c), YM_OK);
    assert_true(ym_time_parse(YM_STR("2026-01-31T23:59:59+08:00"), 0, &at));
    ym_now_set(at);
    assert_true(ym_schema_check(c, v, NULL));
    ym_now_set(at + 1000);
    ym_problems_init(&ps, s.a);
    assert_false(ym_schema_check(c, v, &ps));
    ym_now_set(0);
    assert_string_equal(ps.items[0].detail, "dated");
    json_decref(v);
    shelf_close(&s);
}

/* Whatever is wrong, the words never hold the value. */
static void never_echoes_a_value(void **state)
{
    static const char schema[] =
        "{\"items\": {\"type\": \"string\", \"maxLength\": 3, \"minLength\": 99, \"pattern\": "
        "\"^a$\", "
        "\"format\": \"gb11643\", \"enum\": [\"b\"], \"const\": \"c\", \"x-codes\": \"zz16\"}, "
        "\"uniqueItems\": true}";
    struct shelf s;
    struct ym_problems ps;
    const struct ym_schema *c = NULL;
    json_t *v = json_of("[\"SECRETVALUE\", \"SECRETVALUE\"]");

    (void)state;
    shelf_open(&s);
    assert_int_equal(compile(&s, schema, &c), YM_OK);
    ym_problems_init(&ps, s.a);
    assert_false(ym_schema_check(c, v, &ps));
    assert_int_equal(ps.count, 2 * 7 + 1);
    for (size_t i = 0; i < ps.count; i++) {
        struct ym_buf b;

        ym_buf_init(&b, 4000);
        assert_int_equal(ym_problem_text(&ps.items[i], YM_EN, NULL, &b), YM_OK);
        assert_null(strstr(b.p, "SECRET"));
        assert_null(strstr(ps.items[i].pointer, "SECRET"));
        ym_buf_clear(&b);
    }
    json_decref(v);
    shelf_close(&s);
}

/* Doubling at every level and patterns that backtrack: both end soon, and the value is refused. */
static void hostile_work_ends(void **state)
{
    char value[300] = "1";
    struct ym_problems ps;
    struct shelf s;
    const struct ym_schema *c = NULL;
    json_t *v = NULL;

    (void)state;
    for (int i = 0; i < 30; i++) {
        char deeper[300];

        (void)snprintf(deeper, sizeof(deeper), "{\"a\":%.200s}", value);
        memcpy(value, deeper, sizeof(value));
    }
    shelf_open(&s);
    assert_int_equal(compile(&s,
                             "{\"$defs\": {\"x\": {\"properties\": {\"a\": {\"allOf\": [{\"$ref\": "
                             "\"#\"}, {\"$ref\": \"#\"}]}}}}, \"$ref\": \"#/$defs/x\"}",
                             &c),
                     YM_OK);
    v = json_of(value);
    ym_problems_init(&ps, s.a);
    assert_false(ym_schema_check(c, v, &ps));
    assert_string_equal(problems_line(&ps), " condition");
    assert_string_equal(ps.items[0].detail, "too deep or too complex to check");
    json_decref(v);

    assert_int_equal(compile(&s, "{\"pattern\": \"^(a+)+$\"}", &c), YM_OK);
    v = json_of("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"");
    assert_false(ym_schema_check(c, v, NULL));
    json_decref(v);

    /* values deeper than the reader lets through */
    v = json_integer(1);
    for (int i = 0; i < 5000; i++) {
        json_t *outer = json_array();

        json_array_append_new(outer, v);
        v = outer;
    }
    assert_int_equal(compile(&s, "{\"items\": {\"$ref\": \"#\"}}", &c), YM_OK);
    assert_false(ym_schema_check(c, v, NULL));
    json_decref(v);
    shelf_close(&s);
}

static void uniqueness_has_a_limit(void **state)
{
    struct shelf s;
    struct ym_problems ps;
    const struct ym_schema *c = NULL;
    json_t *v = json_array();

    (void)state;
    shelf_open(&s);
    assert_int_equal(compile(&s, "{\"uniqueItems\": true}", &c), YM_OK);
    for (int i = 0; i < 2000; i++) {
        json_array_append_new(v, json_integer(i));
    }
    assert_true(ym_schema_check(c, v, NULL));
    json_array_append_new(v, json_integer(2000));
    ym_problems_init(&ps, s.a);
    assert_false(ym_schema_check(c, v, &ps));
    assert_string_equal(problems_line(&ps), " too_many 2000");
    json_decref(v);
    shelf_close(&s);
}

static void references_reach_any_subschema(void **state)
{
    (void)state;
    checks(
        "{\"properties\": {\"a\": {\"type\": \"string\"}, \"b\": {\"$ref\": \"#/properties/a\"}}}",
        "{\"b\": 1}", "/b type");
    checks("{\"$defs\": {\"a/b%\": {\"$anchor\": \"n\", \"maximum\": 1}}, \"prefixItems\": "
           "[{\"$ref\": "
           "\"#/$defs/a~1b%25\"}, {\"$ref\": \"#n\"}, {\"$ref\": \"#/prefixItems/0\"}]}",
           "[2, 2, 2]", "/0 range; /1 range; /2 range");
    checks("{\"$id\": \"https://example.test/s\", \"items\": {\"$ref\": "
           "\"https://example.test/s#/$defs/t\"}, \"$defs\": {\"t\": {\"type\": \"null\"}}}",
           "[1]", "/0 type");
    /* beside $ref, other keywords still count */
    checks("{\"$defs\": {\"t\": {\"minimum\": 1}}, \"$ref\": \"#/$defs/t\", \"maximum\": 0}", "0.5",
           " range;  range");
}

static ym_status all_steps(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_diag d;
    struct ym_problems ps;
    const struct ym_schema *c = NULL;
    json_t *const *j = data;
    ym_status rc = YM_ENOMEM;

    ym_diag_init(&d);
    if (a != NULL) {
        rc = ym_schema_compile(j[0], "t.json", YM_STR_NULL, NULL, NULL, a, &c, &d);
    }
    if (rc == YM_OK) {
        ym_problems_init(&ps, a);
        assert_false(ym_schema_check(c, j[1], &ps));
        rc = ps.count == 3 ? YM_OK : YM_ENOMEM;
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
    return rc;
}

static void survives_failing_memory(void **state)
{
    json_t *j[2] = {
        json_of(
            "{\"type\": [\"object\", \"null\"], \"required\": [\"a\"], \"properties\": {\"b\": "
            "{\"pattern\": \"^x\", \"examples\": [\"x\"]}, \"c\": {\"maximum\": 1}}, "
            "\"patternProperties\": {\"^q\": {\"enum\": [1]}}, \"dependentRequired\": {\"b\": "
            "[\"b\"]}, \"allOf\": [{\"$ref\": \"#/$defs/d\"}], \"$defs\": {\"d\": {\"$anchor\": "
            "\"d\", \"prefixItems\": [true]}}}"),
        json_of("{\"b\": \"y\", \"c\": 2}")};

    (void)state;
    fault_loop(all_steps, j);
    json_decref(j[0]);
    json_decref(j[1]);
}

static void documents_itself(void **state)
{
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 65536);
    assert_int_equal(ym_schema_document(&b), YM_OK);
    assert_non_null(strstr(b.p, "| `x-codes` |"));
    assert_non_null(strstr(b.p, "| `gb32100` |"));
    ym_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_outside),
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(tells_every_fault),
        cmocka_unit_test(refuses_circles_and_endless_nesting),
        cmocka_unit_test(points_exactly),
        cmocka_unit_test(branches_say_what_helps),
        cmocka_unit_test(formats_and_codes),
        cmocka_unit_test(codes_expire),
        cmocka_unit_test(never_echoes_a_value),
        cmocka_unit_test(hostile_work_ends),
        cmocka_unit_test(uniqueness_has_a_limit),
        cmocka_unit_test(references_reach_any_subschema),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(documents_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
