/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: a field table (YAML) and a record (JSON), parted by a NUL byte. Whatever compiles is
 * checked and run; a record that passes the check without names of the engine must also build, and
 * a record read without what the table does not look at must come to the same, and so must the
 * document that is written as text at once.
 */
#include "ym_json_fast.h"
#include "ym_map.h"

#include <stdlib.h>

#define FUZZ_MOST (64u << 10)

static const struct ym_code_map *no_codes(void *data, const char *file)
{
    (void)data;
    (void)file;
    return NULL;
}

static bool names_engine(const struct ym_map *m)
{
    for (size_t i = 0; i < ym_map_leaf_count(m); i++) {
        const struct ym_map_leaf *l = ym_map_leaf_at(m, i);
        bool envelope = l->pointer != NULL && strncmp(l->pointer, "/data", 5) != 0;
        if (envelope || (l->constant != NULL && l->constant[0] == '$')) {
            return true;
        }
    }
    return false;
}

static void same_as_text(const struct ym_map *m, json_t *record, ym_status expected,
                         const json_t *doc, size_t problems, struct ym_arena *a)
{
    struct ym_map_ctx ctx = {.record = record, .op = "create", .offset_min = 480, .attempt = 1};
    struct ym_problems built;
    struct ym_buf tree, text;
    ym_problems_init(&built, a);
    ym_buf_init(&tree, 8u << 20);
    ym_buf_init(&text, 8u << 20);
    ym_status rc = ym_map_write(m, &ctx, a, &text, &built);
    if (expected == YM_OK) {
        expected = ym_json_write(doc, &tree);
    }
    if (rc != expected || built.total != problems ||
        (rc == YM_OK && (tree.n != text.n || memcmp(tree.p, text.p, tree.n) != 0))) {
        abort();
    }
    ym_buf_clear(&tree);
    ym_buf_clear(&text);
}

/* As the dispatcher reads it. NULL: what is not wanted keeps it from being read at once. */
static json_t *wanted_of(const struct ym_map *m, struct ym_str text, struct ym_arena *a)
{
    struct ym_want root = {.all = false};
    json_t *ret = NULL;
    if (ym_map_wants(m, &root, a) != YM_OK) {
        return NULL;
    }
    for (const char *const *name = (const char *const[]){"id", "revision", NULL}; *name != NULL;
         name++) {
        struct ym_want *w = ym_want_member(&root, ym_str_of(*name), a);
        if (w == NULL) {
            return NULL;
        }
        w->all = true;
    }
    return ym_json_read_wanted(text, &ym_json_defaults, &root, &ret) ? ret : NULL;
}

static void same_of_wanted(const struct ym_map *m, struct ym_str text, ym_status expected,
                           const json_t *doc, size_t problems, struct ym_arena *a)
{
    struct ym_problems built;
    json_t *record = wanted_of(m, text, a), *other = NULL;
    struct ym_map_ctx ctx = {.record = record, .op = "create", .offset_min = 480, .attempt = 1};
    if (record == NULL) {
        return;
    }
    ym_problems_init(&built, a);
    ym_status rc = ym_map_run(m, &ctx, a, &other, &built);
    if (rc != expected || built.total != problems || (rc == YM_OK && !json_equal(doc, other))) {
        abort();
    }
    json_decref(other);
    json_decref(record);
}

static void both(const struct ym_map *m, json_t *record, struct ym_str text, struct ym_arena *a)
{
    struct ym_problems judged, built;
    struct ym_map_ctx ctx = {.record = record, .op = "create", .offset_min = 480, .attempt = 1};
    json_t *doc = NULL;
    ym_problems_init(&judged, a);
    ym_problems_init(&built, a);
    ym_map_check(m, "fuzz", record, &judged);
    ym_status rc = ym_map_run(m, &ctx, a, &doc, &built);
    if (rc == YM_OK) {
        char *printed = json_dumps(doc, JSON_COMPACT);
        free(printed);
    }
    same_as_text(m, record, rc, doc, built.total, a);
    same_of_wanted(m, text, rc, doc, built.total, a);
    /* One walk serves both, so they cannot disagree. */
    if (!names_engine(m) && rc != YM_ENOMEM && (rc == YM_OK) != (judged.total == 0)) {
        abort();
    }
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size < FUZZ_MOST ? memchr(data, 0, size) : NULL;
    struct ym_yaml *yaml = NULL;
    const struct ym_map *m = NULL;
    json_t *record = NULL;
    struct ym_diag d;
    if (cut == NULL) {
        return 0;
    }
    struct ym_str table = {(const char *)data, (size_t)(cut - data)};
    struct ym_str text = {(const char *)cut + 1, size - table.n - 1};
    struct ym_arena *a = ym_arena_open();
    if (a == NULL) {
        return 0;
    }
    ym_diag_init(&d);
    if (ym_yaml_parse(table, "fuzz.yaml", a, &yaml, NULL) == YM_OK &&
        ym_map_compile(yaml, no_codes, NULL, a, &m, &d) == YM_OK &&
        ym_json_parse(text, &ym_json_defaults, &record, NULL) == YM_OK) {
        both(m, record, text, a);
    }
    json_decref(record);
    ym_diag_clear(&d);
    ym_arena_close(a);
    return 0;
}
