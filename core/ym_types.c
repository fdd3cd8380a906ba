/* SPDX-License-Identifier: Apache-2.0
 * Loads record types and finds the values of their search keys.
 */
#include "ym_types.h"
#include "ym_schema_priv.h"

#include <errno.h>
#include <stdio.h>

#define TYPE_BYTES (1u << 20) /* of a type file */

/* Types nest deeper than records; the file is ours. */
static const struct ym_json_limits type_limits = {TYPE_BYTES, 64, 100000};

/* The whole file in the arena. */
static ym_status file_read(const char *path, struct ym_arena *a, struct ym_str *ret,
                           struct ym_err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long n = 0;
    ym_status rc = YM_OK;

    if (f == NULL) {
        return ym_err_at(err, YM_EIO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    }
    if (fseek(f, 0, SEEK_END) == 0) {
        n = ftell(f);
    }
    if (n <= 0 || fseek(f, 0, SEEK_SET) != 0) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "cannot be read: %s", strerror(errno));
        goto done;
    }
    if ((size_t)n > TYPE_BYTES) {
        rc = ym_err_at(err, YM_ETOOBIG, path, 0, 0, "is larger than 1 MiB");
        goto done;
    }
    text = ym_arena_alloc(a, (size_t)n + 1);
    if (text == NULL) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
        goto done;
    }
    if (fread(text, 1, (size_t)n, f) != (size_t)n) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "cannot be read whole");
        goto done;
    }
    *ret = (struct ym_str){text, (size_t)n};
done:
    (void)fclose(f);
    return rc;
}

static void json_close(void *json)
{
    json_decref(json);
}

/* "config/types/dispute.json" → "dispute" */
static const char *type_name(const char *path, struct ym_arena *a)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash == NULL ? path : slash + 1;

    return ym_arena_str(a, (struct ym_str){start, strcspn(start, ".")});
}

static ym_status keys_read(const char *path, struct ym_str text, struct ym_arena *a,
                           struct ym_type *t, struct ym_diag *d)
{
    const char *name = NULL;
    json_t *pointer = NULL;
    struct ym_type_key *keys = NULL;

    keys = ym_arena_alloc(a, (json_object_size(t->schema->keys) + 1) * sizeof(*keys));
    if (keys == NULL) {
        return YM_ENOMEM;
    }
    json_object_foreach((json_t *)t->schema->keys, name, pointer)
    {
        struct ym_spath above = {NULL, "x-keys", 0};
        struct ym_spath here = {&above, name, 0};
        const char *z = json_string_value(pointer);
        const struct ym_snode *n = ym_schema_at(t->schema, z);

        if (n == NULL || (n->types & YM_T_STRING) == 0) {
            ym_diag_add(d, path, ym_schema_line(text, &here), 0,
                        "the search key \"%.60s\" points at no text field of this type", name);
        }
        keys[t->key_count++] = (struct ym_type_key){name, z};
    }
    t->keys = keys;
    return YM_OK;
}

ym_status ym_type_load(const char *path, ym_schema_codes_fn codes, void *codes_data,
                       struct ym_arena *a, struct ym_type *ret, struct ym_diag *d)
{
    struct ym_type t = {0};
    struct ym_str text = YM_STR_NULL;
    struct ym_err err = {0};
    size_t faults = d->total;
    const char *file = ym_arena_strz(a, path);
    ym_status rc = file_read(path, a, &text, &err);

    if (rc == YM_OK) {
        rc = ym_json_parse(text, &type_limits, &t.json, &err);
    }
    if (rc != YM_OK) {
        if (err.file[0] == '\0') {
            (void)snprintf(err.file, sizeof(err.file), "%s", path);
        }
        ym_diag_add_err(d, &err);
        return rc;
    }
    if (ym_arena_cleanup(a, json_close, t.json) != YM_OK) {
        json_decref(t.json);
        return YM_ENOMEM;
    }
    t.name = type_name(path, a);
    if (t.name == NULL || file == NULL) {
        return YM_ENOMEM;
    }
    rc = ym_schema_compile(t.json, file, text, codes, codes_data, a, &t.schema, d);
    if (rc != YM_OK) {
        return rc;
    }
    t.title_zh = ym_json_str(t.schema->label, "zh");
    t.title_en = ym_json_str(t.schema->label, "en");
    if (t.title_zh == NULL) {
        ym_diag_add(d, path, 1, 0,
                    "a type needs \"x-label\": { \"zh\": …, \"en\": … } at the root");
    }
    rc = keys_read(path, text, a, &t, d);
    if (rc != YM_OK || d->total != faults) {
        return rc != YM_OK ? rc : YM_EINVAL;
    }
    *ret = t;
    return YM_OK;
}

/* ---- search keys ---- */

struct walk {
    void (*fn)(void *ctx, const char *value);
    void *ctx;
};

static void values_walk(const struct walk *w, const char *pointer, const json_t *v)
{
    char name[128];
    size_t n = 0;

    if (v == NULL) {
        return;
    }
    if (*pointer != '/') {
        if (json_is_string(v)) {
            w->fn(w->ctx, json_string_value(v));
        }
        return;
    }
    for (pointer++; *pointer != '\0' && *pointer != '/' && n + 1 < sizeof(name); pointer++) {
        if (*pointer == '~' && (pointer[1] == '0' || pointer[1] == '1')) {
            pointer++;
            name[n++] = *pointer == '0' ? '~' : '/';
        } else {
            name[n++] = *pointer;
        }
    }
    name[n] = '\0';
    if (json_is_array(v) && strcmp(name, "-") == 0) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            values_walk(w, pointer, json_array_get(v, i));
        }
    } else {
        values_walk(w, pointer, json_object_get(v, name));
    }
}

void ym_type_key_values(const struct ym_type *t, const struct ym_type_key *key, const json_t *data,
                        void (*fn)(void *ctx, const char *value), void *ctx)
{
    const struct walk w = {fn, ctx};

    (void)t;
    values_walk(&w, key->pointer, data);
}

/* ---- what may be seen ---- */

#define SIGHT_DEPTH 32

struct sight {
    json_t *root;
    bool known, closed;
};

static void sight_look(struct sight *s, const json_t *schema, const char *place, int depth);

/* What stands beside a schema and applies to the same value. */
static void sight_branches(struct sight *s, const json_t *schema, const char *place, int depth)
{
    static const char *const single[] = {"then", "else"};
    static const char *const many[] = {"allOf", "anyOf", "oneOf"};
    const char *ref = ym_json_str(schema, "$ref");
    json_t *branch;
    size_t k;

    if (ref != NULL) {
        json_t *there = ref[0] == '#' ? ym_json_at(s->root, ref + 1) : NULL;

        s->closed = s->closed || there == NULL;
        sight_look(s, there, place, depth + 1);
    }
    for (size_t i = 0; i < YM_COUNT(single); i++) {
        sight_look(s, json_object_get(schema, single[i]), place, depth + 1);
    }
    for (size_t i = 0; i < YM_COUNT(many); i++) {
        json_array_foreach(json_object_get(schema, many[i]), k, branch)
        {
            sight_look(s, branch, place, depth + 1);
        }
    }
}

static void sight_look(struct sight *s, const json_t *schema, const char *place, int depth)
{
    char name[128];
    size_t n;

    if (!json_is_object(schema) || s->closed) {
        return;
    }
    if (depth > SIGHT_DEPTH || json_object_get(schema, "x-sensitive") != NULL) {
        s->closed = true;
        return;
    }
    sight_branches(s, schema, place, depth);
    if (*place == '\0') {
        s->known = true;
        s->closed = s->closed || json_object_get(schema, "properties") != NULL ||
                    json_object_get(schema, "items") != NULL;
        return;
    }
    n = strcspn(place + 1, "/");
    if (n == 0 || n >= sizeof(name)) {
        s->closed = true;
        return;
    }
    memcpy(name, place + 1, n);
    name[n] = '\0';
    if (strcmp(name, "-") == 0 || name[strspn(name, "0123456789")] == '\0') {
        sight_look(s, json_object_get(schema, "items"), place + 1 + n, depth + 1);
    } else {
        sight_look(s, json_object_get(json_object_get(schema, "properties"), name), place + 1 + n,
                   depth + 1);
    }
}

bool ym_type_shows(const struct ym_type *t, const char *place)
{
    struct sight s = {.root = t->json};

    if (*place != '/') {
        return false;
    }
    sight_look(&s, t->json, place, 0);
    return s.known && !s.closed;
}
