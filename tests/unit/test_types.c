/* SPDX-License-Identifier: Apache-2.0
 * The six shipped types: they load, take their examples without allocating, object to what is
 * wrong, keep the house rules (closed, labelled, personal fields marked), and give their search keys.
 */
#include "help_types.h"

static const char *const names[] = {"dispute",       "grid_event",   "hotline_order",
                                    "petition_note", "service_case", "feedback"};

/* Counts every malloc of this process, where no sanitizer has taken malloc over. */
#if !defined(__SANITIZE_ADDRESS__)
extern void *__libc_malloc(size_t n);
static long mallocs;
void *malloc(size_t n)
{
    mallocs++;
    return __libc_malloc(n);
}
#else
static const long mallocs = 0;
#endif

static void type_open(struct shelf *s, const char *name, struct ym_type *t)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "config/types/%s.json", name);
    if (ym_type_load(path, shelf_table, s, s->a, t, &s->d) != YM_OK) {
        fail_msg("%s:%s", path, diag_line(&s->d, 0));
    }
}

/* The example record; the caller gives it back. */
static json_t *example(const char *name)
{
    json_t *record = NULL;
    struct ym_err err;
    char path[200];

    (void)snprintf(path, sizeof(path), "tests/data/%s.json", name);
    assert_int_equal(ym_json_file(path, &record, &err), YM_OK);
    assert_string_equal(ym_json_str(record, "type"), name);
    return record;
}

static void types_take_their_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < YM_COUNT(names); i++) {
        struct shelf s;
        struct ym_type t;
        struct ym_problems ps;
        json_t *record = example(names[i]);
        json_t *data = json_object_get(record, "data");
        long before = 0;
        bool ok = false;

        shelf_open(&s);
        type_open(&s, names[i], &t);
        assert_string_equal(t.name, names[i]);
        assert_non_null(t.title_zh);
        assert_true(t.key_count >= (strcmp(names[i], "feedback") == 0 ? 1u : 3u));
        ym_problems_init(&ps, s.a);
        before = mallocs;
        ok = ym_schema_check(t.schema, data, &ps);
        assert_int_equal(mallocs - before, 0);
        if (!ok) {
            fail_msg("%s: %s", names[i], problems_line(&ps));
        }
        json_decref(record);
        shelf_close(&s);
    }
}

/* Applies a merge patch to the example's data and compares the problems. */
static void patched(const char *name, const char *patch, const char *want)
{
    struct shelf s;
    struct ym_type t;
    struct ym_problems ps;
    json_t *record = example(name), *changed = NULL;
    json_error_t e;
    json_t *p = json_loads(patch, 0, &e);

    assert_non_null(p);
    shelf_open(&s);
    type_open(&s, name, &t);
    changed = ym_json_merge(json_object_get(record, "data"), p);
    ym_problems_init(&ps, s.a);
    (void)ym_schema_check(t.schema, changed, &ps);
    if (strcmp(problems_line(&ps), want) != 0) {
        fail_msg("%s\n  gave %s\n  not  %s", patch, problems_line(&ps), want);
    }
    json_decref(p);
    json_decref(changed);
    json_decref(record);
    shelf_close(&s);
}

static void dispute_objects(void **state)
{
    (void)state;
    patched("dispute", "{\"title\": null, \"parties\": null}",
            "/title required; /parties required");
    patched("dispute", "{\"title\": \"\"}", "/title too_short 1");
    patched("dispute", "{\"colour\": \"red\"}", "/colour unknown_field");
    patched("dispute", "{\"place\": {\"colour\": \"red\"}}", "/place/colour unknown_field");
    patched("dispute", "{\"place\": {\"area12\": \"330106\"}}", "/place/area12 too_short 12");
    patched("dispute", "{\"place\": {\"address\": null}}", "/place/address required");
    patched("dispute", "{\"place\": {\"lon\": 30.2, \"lat\": 120.1}}",
            "/place/lon range; /place/lat range"); /* swapped */
    patched("dispute", "{\"place\": {\"lat\": null}}", "/place/lat required");
    patched("dispute", "{\"category\": {\"code4\": \"07\"}}", "/category/code4 code");
    patched("dispute", "{\"category\": {\"scheme\": \"moj18\"}}", "/category/scheme const");
    patched("dispute", "{\"extra\": {\"migrant_wage\": \"yes\"}}", "/extra/migrant_wage type");
    patched("dispute", "{\"extra\": {\"consumer_kind\": \"food\"}}", "/extra/consumer_kind code");
    patched("dispute", "{\"amount_cents\": 1850000}", "/amount_cents type");
    patched("dispute", "{\"amount_cents\": \"018\"}", "/amount_cents pattern");
    patched("dispute", "{\"people_count\": 1.5}", "/people_count type");
    patched("dispute", "{\"occurred_at\": \"2026-03-31\"}", "/occurred_at format");
    patched("dispute", "{\"scale\": \"1\", \"level\": \"05\", \"nature\": \"98\"}",
            "/scale code; /level code; /nature code");
    patched("dispute", "{\"progress\": [{\"text\": \"x\"}]}",
            "/progress/0/at required; /progress/0/type required");
    patched("dispute", "{\"result\": {\"agreement\": {}}}", "/result/agreement/form required");
    patched("dispute", "{\"result\": {\"judicial_confirm\": {\"status\": \"15\"}}}",
            "/result/judicial_confirm/status code");
    patched("dispute", "{\"provenance\": {\"title\": {\"source\": \"typed\"}}}",
            "/provenance/title unknown_field");
    patched("dispute", "{\"provenance\": {\"/title\": {\"source\": \"guessed\"}}}",
            "/provenance/~1title/source pattern");
    patched("dispute", "{\"purpose\": {\"targets_selected\": [\"a\", \"a\"]}}",
            "/purpose/targets_selected/1 not_unique");
}

static void parties_are_checked_by_their_document(void **state)
{
#define PARTY(more) "{\"parties\": [{\"role\": \"applicant\", \"name\": \"测试甲\"" more "}]}"
    (void)state;
    patched("dispute", "{\"parties\": []}", "/parties too_few 1");
    patched("dispute", "{\"parties\": [{\"role\": \"applicant\"}]}", "/parties/0/name required");
    patched("dispute", PARTY(""), "");
    patched("dispute", PARTY(", \"id_type\": \"111\", \"id_no\": \"330106189003070015\""), "");
    patched("dispute", PARTY(", \"id_type\": \"111\", \"id_no\": \"330106189003070016\""),
            "/parties/0/id_no format");
    patched("dispute", PARTY(", \"id_type\": \"112\", \"id_no\": \"330106190002290014\""),
            "/parties/0/id_no format");
    patched("dispute", PARTY(", \"id_type\": \"414\", \"id_no\": \"E12345678\""), "");
    patched("dispute", PARTY(", \"id_no\": \"E12345678\""), "/parties/0/id_type required");
    patched("dispute", PARTY(", \"id_type\": \"990\", \"id_no\": \"1\""),
            "/parties/0/id_type_text required");
    patched("dispute", PARTY(", \"id_type\": \"116\", \"id_no\": \"1\""),
            "/parties/0/id_type code");
    patched("dispute", PARTY(", \"org_code\": \"91000000MA00000158\""),
            "/parties/0/org_code format");
    patched("dispute", PARTY(", \"phone\": \"00000000\""), "/parties/0/phone format");
    patched("dispute", PARTY(", \"sex\": \"3\", \"ethnic\": \"60\""),
            "/parties/0/sex code; /parties/0/ethnic code");
    patched("dispute", PARTY(", \"agent_of\": \"测试乙\""), "/parties/0/agent_of unknown_field");
    patched("dispute",
            "{\"parties\": [{\"role\": \"agent\", \"name\": \"测试丁\", \"agent_of\": \"测试甲\", "
            "\"agent_type\": \"1\", \"authority\": [\"1\", \"8\"]}]}",
            "/parties/0/authority/1 code");
}

static void others_object(void **state)
{
    (void)state;
    patched("grid_event", "{\"category\": {\"name\": null}, \"urgency\": \"9\"}",
            "/category/name required; /urgency code");
    patched("hotline_order", "{\"intent\": \"shouting\", \"tags\": [\"a\", \"a\"]}",
            "/intent code; /tags/1 not_unique");
    patched("petition_note", "{\"channel\": null, \"people_count\": 0}",
            "/channel required; /people_count range");
    patched("service_case", "{\"item\": {\"task_code\": null, \"task_version\": 0}}",
            "/item/task_code required; /item/task_version range");
}

/* Walks every subschema that rules a field: closed objects, labels, classes of personal fields. */
static void field_rules(const json_t *schema, const char *name)
{
    static const char *const personal[] = {"id_no", "phone", "birth", "domicile"};
    const char *key = NULL;
    json_t *sub = NULL;
    json_t *members = json_object_get(schema, "properties");
    bool is_rule = json_object_get(schema, "x-ui") != NULL;

    if (members != NULL && is_rule &&
        !json_is_false(json_object_get(schema, "additionalProperties"))) {
        fail_msg("%s: additionalProperties is not false", name);
    }
    json_object_foreach(members, key, sub)
    {
        if (is_rule && json_object_get(sub, "x-label") == NULL) {
            fail_msg("%s.%s has no label", name, key);
        }
        for (size_t i = 0; is_rule && i < YM_COUNT(personal); i++) {
            if (strcmp(key, personal[i]) == 0) {
                assert_string_equal(ym_json_str(sub, "x-sensitive"), "personal");
            }
        }
        field_rules(sub, key);
        field_rules(json_object_get(sub, "items"), key);
    }
    json_object_foreach(json_object_get(schema, "$defs"), key, sub)
    {
        field_rules(sub, key);
    }
}

static void types_keep_the_house_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < YM_COUNT(names); i++) {
        struct shelf s;
        struct ym_type t;
        const json_t *draft = NULL;

        shelf_open(&s);
        type_open(&s, names[i], &t);
        field_rules(t.json, names[i]);
        draft = ym_json_at(t.json, "/x-ui/draft");
        assert_true(json_array_size(draft) > 0);
        for (size_t k = 0; k < json_array_size(draft); k++) {
            assert_non_null(json_object_get(json_object_get(t.json, "properties"),
                                            json_string_value(json_array_get(draft, k))));
        }
        shelf_close(&s);
    }
}

struct gathered {
    char text[400];
};

static void gather(void *ctx, const char *value)
{
    struct gathered *g = ctx;
    size_t n = strlen(g->text);

    (void)snprintf(g->text + n, sizeof(g->text) - n, "%s;", value);
}

static void search_keys_give_their_values(void **state)
{
    struct shelf s;
    struct ym_type t;
    json_t *record = example("dispute");
    size_t seen = 0;

    (void)state;
    shelf_open(&s);
    type_open(&s, "dispute", &t);
    for (size_t i = 0; i < t.key_count; i++) {
        struct gathered g = {""};

        ym_type_key_values(&t, &t.keys[i], json_object_get(record, "data"), gather, &g);
        if (strcmp(t.keys[i].name, "phone") == 0) {
            assert_string_equal(g.text, "13000000001;13000000002;");
            seen++;
        } else if (strcmp(t.keys[i].name, "id_no") == 0) {
            assert_string_equal(g.text, "330106189003070015;");
            seen++;
        } else if (strcmp(t.keys[i].name, "source_no") == 0) {
            assert_string_equal(g.text, "JFM-2026-000123;");
            seen++;
        }
        g.text[0] = '\0';
        ym_type_key_values(&t, &t.keys[i], NULL, gather, &g);
        assert_string_equal(g.text, "");
    }
    assert_int_equal(seen, 3);
    json_decref(record);
    shelf_close(&s);
}

static void refuses(const char *text, const char *says)
{
    struct shelf s;
    struct ym_type t = {0};
    char path[200];

    shelf_open(&s);
    temp_file(text, path, sizeof(path));
    assert_int_not_equal(ym_type_load(path, shelf_table, &s, s.a, &t, &s.d), YM_OK);
    assert_string_equal(s.d.items[0].file, path);
    unlink(path);
    assert_memory_equal(diag_line(&s.d, 0), says, strlen(says));
    shelf_close(&s);
}

static void refuses_bad_type_files(void **state)
{
    (void)state;
    refuses("{\n\"type\": ", "2: ");
    refuses("{\"type\": 1, \"type\": 2}", "1: ");
    refuses("{\"type\": \"object\"}", "1: a type needs \"x-label\"");
    refuses(
        "{\"x-label\": {\"zh\": \"甲\", \"en\": \"A\"},\n\"x-keys\": {\n\"k\": \"/a/-/b\"},\n"
        "\"properties\": {\"a\": {\"items\": {\"properties\": {\"c\": {\"type\": \"string\"}}}}}}",
        "3: the search key \"k\" points at no text field");
    refuses("{\"x-label\": {\"zh\": \"甲\", \"en\": \"A\"},\n\"x-keys\": {\"k\": \"/a\"},\n"
            "\"properties\": {\"a\": {\"type\": \"integer\"}}}",
            "2: the search key \"k\" points at no text field");
    refuses("[]", "1: a schema is an object");
}

/* What those who run the system may see: known, a single value, and nobody's. */
static void what_is_shown(void **state)
{
    static const char *const shown[] = {
        "/title",          "/category/code4",    "/place/area12",
        "/parties/-/role", "/parties/0/id_type", "/handler/mediators/-/account_ref"};
    static const char *const hidden[] = {"/summary",        "/place/address",
                                         "/parties/-/name", "/parties/3/phone",
                                         "/parties",        "/parties/-",
                                         "/place",          "/nowhere",
                                         "/title/x",        "",
                                         "title",           "/",
                                         "/parties/-/"};
    struct shelf s;
    struct ym_type t;

    (void)state;
    shelf_open(&s);
    type_open(&s, "dispute", &t);
    for (size_t i = 0; i < YM_COUNT(shown); i++) {
        assert_true(ym_type_shows(&t, shown[i]));
    }
    for (size_t i = 0; i < YM_COUNT(hidden); i++) {
        assert_false(ym_type_shows(&t, hidden[i]));
    }
    shelf_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shown),
        cmocka_unit_test(types_take_their_examples),
        cmocka_unit_test(dispute_objects),
        cmocka_unit_test(parties_are_checked_by_their_document),
        cmocka_unit_test(others_object),
        cmocka_unit_test(types_keep_the_house_rules),
        cmocka_unit_test(search_keys_give_their_values),
        cmocka_unit_test(refuses_bad_type_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
