/* SPDX-License-Identifier: Apache-2.0
 * Schema and value, split at the first NUL byte: whatever compiles must end, answer the same with
 * and without problems, and name only places that the value has (or lacks, for a missing member).
 */
#include "ym_schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The place itself, or for a missing member the object that lacks it. */
static void place_holds(json_t *value, const struct ym_problem *p)
{
    char pointer[4096];
    const char *slash = strrchr(p->pointer, '/');

    if (p->code == YM_P_REQUIRED && slash != NULL && slash - p->pointer < (long)sizeof(pointer)) {
        memcpy(pointer, p->pointer, (size_t)(slash - p->pointer));
        pointer[slash - p->pointer] = '\0';
        if (!json_is_object(ym_json_at(value, pointer)) || ym_json_at(value, p->pointer) != NULL) {
            abort();
        }
    } else if (ym_json_at(value, p->pointer) == NULL) {
        abort();
    }
}

static void check(const struct ym_schema *s, json_t *value, struct ym_arena *a)
{
    struct ym_problems ps;
    bool quiet = ym_schema_check(s, value, NULL);

    ym_problems_init(&ps, a);
    if (ym_schema_check(s, value, &ps) != (ps.total == 0)) {
        abort();
    }
    /* Telling everything takes more steps than the first refusal: only then may they differ. */
    if (quiet != (ps.total == 0) && quiet) {
        for (size_t i = 0; i < ps.count; i++) {
            if (ps.items[i].detail == NULL || strncmp(ps.items[i].detail, "too deep", 8) != 0) {
                abort();
            }
        }
    }
    for (size_t i = 0; i < ps.count; i++) {
        struct ym_buf b;

        place_holds(value, &ps.items[i]);
        ym_buf_init(&b, 1u << 20);
        if (ym_problem_text(&ps.items[i], YM_ZH, NULL, &b) != YM_OK || b.n == 0) {
            abort();
        }
        ym_buf_clear(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size == 0 ? NULL : memchr(data, 0, size);
    size_t n = cut == NULL ? size : (size_t)(cut - data);
    struct ym_str text = {(const char *)data, n};
    struct ym_str rest = {(const char *)data + n + (cut != NULL), size - n - (cut != NULL)};
    const struct ym_schema *s = NULL;
    json_t *root = NULL, *value = NULL;
    struct ym_arena *a = ym_arena_open();
    struct ym_err err = {0};
    struct ym_diag d;

    ym_diag_init(&d);
    if (ym_json_parse(text, &ym_json_defaults, &root, &err) == YM_OK) {
        if (ym_schema_compile(root, "fuzz.json", text, NULL, NULL, a, &s, &d) != YM_OK) {
            if (d.total == 0) {
                abort(); /* a refusal must say why */
            }
        } else if (ym_json_parse(rest, &ym_json_defaults, &value, &err) == YM_OK) {
            check(s, value, a);
        }
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
    json_decref(value);
    json_decref(root);
    return 0;
}
