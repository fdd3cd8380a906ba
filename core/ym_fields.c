/* SPDX-License-Identifier: Apache-2.0
 * Which field of a type goes to which system, and what people call it.
 */
#include "ym_fields.h"

#define DATA "/data"

/* "/parties/-/phone" of a value that comes out of the record's data. */
static const char *pattern_of(const struct ym_map_leaf *leaf)
{
    if (leaf->pointer == NULL || strncmp(leaf->pointer, DATA "/", sizeof(DATA)) != 0) {
        return NULL;
    }
    return leaf->pointer + sizeof(DATA) - 1;
}

/* Types keep what they share below $defs. */
static const json_t *deref(const json_t *schema, const json_t *root)
{
    const char *ref = ym_json_str(schema, "$ref");

    if (ref == NULL || strncmp(ref, "#/$defs/", 8) != 0) {
        return schema;
    }
    return json_object_get(json_object_get(root, "$defs"), ref + 8);
}

/* One step down a pattern; *at moves behind it. The node as it stands there, its $ref not followed. */
static const json_t *step(const json_t *schema, const json_t *root, const char **at)
{
    const char *key = *at + 1;
    size_t n = strcspn(key, "/");
    const json_t *from = deref(schema, root);

    *at = key + n;
    if ((n == 1 && *key == '-') || (n > 0 && strspn(key, "0123456789") == n)) {
        return json_object_get(from, "items");
    }
    return json_object_getn(json_object_get(from, "properties"), key, n);
}

/* Whether a type has a value at "/parties/-/phone". */
static bool known(const json_t *root, const char *pattern)
{
    const json_t *at = root;

    while (at != NULL && *pattern == '/') {
        if (pattern[1] >= '0' && pattern[1] <= '9') {
            return false; /* one certain item is no field of a form */
        }
        at = step(at, root, &pattern);
    }
    return at != NULL;
}

static void field_add(struct ym_fields *fields, const struct ym_map_leaf *leaf, const char *pattern)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct ym_taken *f = &fields->items[i];

        if (strcmp(f->pattern, pattern) == 0) {
            f->required = f->required || leaf->required;
            if (leaf->max != 0 && (f->max == 0 || leaf->max < f->max)) {
                f->max = leaf->max;
            }
            return;
        }
    }
    if (fields->count < YM_FIELDS_MAX) {
        fields->items[fields->count++] = (struct ym_taken){pattern, leaf->required, leaf->max};
    }
}

ym_status ym_fields_of(const struct ym_system *s, const struct ym_type *t, struct ym_arena *a,
                       struct ym_fields *ret)
{
    const struct ym_operation *create = ym_system_operation(s, "create");
    size_t leaves = 0;

    for (size_t i = 0; create != NULL && i < create->table_count; i++) {
        leaves += ym_map_leaf_count(create->tables[i].map);
    }
    ret->count = 0;
    ret->items = ym_arena_alloc(a, (leaves < YM_FIELDS_MAX ? leaves : YM_FIELDS_MAX) *
                                       sizeof(struct ym_taken));
    if (ret->items == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; create != NULL && i < create->table_count; i++) {
        const struct ym_map *map = create->tables[i].map;

        for (size_t j = 0; j < ym_map_leaf_count(map); j++) {
            const char *pattern = pattern_of(ym_map_leaf_at(map, j));

            /* A table may serve several types, each with fields of its own. */
            if (pattern != NULL && known(t->json, pattern)) {
                field_add(ret, ym_map_leaf_at(map, j), pattern);
            }
        }
    }
    return YM_OK;
}

const char *ym_field_label(const struct ym_type *t, const char *pattern, const char *lang,
                           struct ym_arena *a)
{
    const json_t *at = t->json;
    const char *p = pattern, *label = "";

    while (at != NULL && *p == '/') {
        bool item = (p[1] == '-' && (p[2] == '/' || p[2] == '\0')) || (p[1] >= '0' && p[1] <= '9');
        at = step(at, t->json, &p);
        if (item) {
            continue; /* the list has said it */
        }
        const json_t *words = json_object_get(at, "x-label");
        if (words == NULL) {
            words = json_object_get(deref(at, t->json), "x-label");
        }
        const char *word = ym_json_str(words, lang);
        if (word != NULL && word[0] != '\0') {
            label = ym_arena_printf(a, "%s%s%s", label, label[0] != '\0' ? " · " : "", word);
            if (label == NULL) {
                return NULL;
            }
        }
    }
    return label[0] != '\0' ? label : pattern;
}

static bool marked(const json_t *schema, const json_t *root)
{
    return json_object_get(schema, "x-sensitive") != NULL ||
           json_object_get(deref(schema, root), "x-sensitive") != NULL;
}

bool ym_field_sensitive(const struct ym_type *t, const char *pattern)
{
    const json_t *at = t->json;

    while (at != NULL && *pattern == '/') {
        at = step(at, t->json, &pattern);
        if (at == NULL || marked(at, t->json)) {
            return true;
        }
    }
    return false;
}
