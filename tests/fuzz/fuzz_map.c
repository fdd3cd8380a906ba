/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: a field table (YAML) and a record (JSON), parted by a NUL byte. Whatever compiles is
 * checked and run; a record that passes the check without names of the engine must also build.
 */
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

static void both(const struct ym_map *m, json_t *record, struct ym_arena *a)
{
    struct ym_problems judged, built;
    struct ym_map_ctx ctx = {.record = record, .op = "create", .offset_min = 480, .attempt = 1};
    json_t *doc = NULL;
    ym_problems_init(&judged, a);
    ym_problems_init(&built, a);
    ym_map_check(m, "fuzz", record, &judged);
    ym_status rc = ym_map_run(m, &ctx, a, &doc, &built);
    if (rc == YM_OK) {
        char *text = json_dumps(doc, JSON_COMPACT);
        free(text);
    }
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
        both(m, record, a);
    }
    json_decref(record);
    ym_diag_clear(&d);
    ym_arena_close(a);
    return 0;
}
