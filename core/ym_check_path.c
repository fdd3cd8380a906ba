/* SPDX-License-Identifier: Apache-2.0
 * Follows a pointer through a JSON Schema. A name that an object's `properties` do not list counts
 * as a typing error even where the schema would tolerate it; where the schema says nothing about a
 * place, or says it in a way that is not followed here, the answer is yes.
 */
#include "ym_check_path.h"
#include "ym_adapter_priv.h"
#include "ym_map_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define REF_DEPTH 40 /* a chain of references longer than this is a circle */

struct way {
    json_t *root;
    int depth;
};

static bool follow(struct way *w, json_t *schema, const char *rest);

/* The name at the front of rest ("/a/b" → "a"), decoded; *ret_rest = "/b". False when too long. */
static bool head(const char *rest, char out[256], const char **ret_rest)
{
    size_t n = 0;
    const char *c = rest + 1;
    for (; *c != '\0' && *c != '/'; c++) {
        char ch = *c;
        if (ch == '~' && (c[1] == '0' || c[1] == '1')) {
            ch = *++c == '0' ? '~' : '/';
        }
        if (n == 255) {
            return false;
        }
        out[n++] = ch;
    }
    out[n] = '\0';
    *ret_rest = c;
    return true;
}

static bool follow_any(struct way *w, json_t *list, const char *rest)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        if (follow(w, one, rest)) {
            return true;
        }
    }
    return false;
}

/* Subschemas that speak about the same place. */
static bool follow_beside(struct way *w, json_t *schema, const char *rest)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    static const char *const single[] = {"if", "then", "else"};
    const char *ref = ym_json_str(schema, "$ref");
    if (ref != NULL && ref[0] == '#' && (ref[1] == '\0' || ref[1] == '/')) {
        json_t *to = ref[1] == '\0' ? w->root : ym_json_at(w->root, ref + 1);
        if (to == NULL || follow(w, to, rest)) {
            return true;
        }
    } else if (ref != NULL) {
        return true; /* an anchor: not followed here */
    }
    for (size_t i = 0; i < YM_COUNT(lists); i++) {
        if (follow_any(w, json_object_get(schema, lists[i]), rest)) {
            return true;
        }
    }
    for (size_t i = 0; i < YM_COUNT(single); i++) {
        json_t *s = json_object_get(schema, single[i]);
        if (json_is_object(s) && json_object_size(s) != 0 && follow(w, s, rest)) {
            return true;
        }
    }
    json_t *dependent = json_object_get(schema, "dependentSchemas");
    const char *key;
    json_t *s;
    json_object_foreach(dependent, key, s)
    {
        if (follow(w, s, rest)) {
            return true;
        }
    }
    return false;
}

static bool is_index(const char *name)
{
    return strcmp(name, "-") == 0 ||
           (name[0] != '\0' && strspn(name, "0123456789") == strlen(name));
}

/* What this schema itself says about one step down. */
static bool follow_down(struct way *w, json_t *schema, const char *rest)
{
    char name[256];
    const char *next;
    if (!head(rest, name, &next)) {
        return true;
    }
    json_t *properties = json_object_get(schema, "properties");
    json_t *items = json_object_get(schema, "items");
    json_t *extra = json_object_get(schema, "additionalProperties");
    json_t *named = json_object_get(properties, name);
    if (named != NULL) {
        return follow(w, named, next);
    }
    if (is_index(name)) {
        json_t *prefix = json_array_get(json_object_get(schema, "prefixItems"),
                                        name[0] == '-' ? 0 : (size_t)strtoul(name, NULL, 10));
        if ((prefix != NULL && follow(w, prefix, next)) ||
            (items != NULL && follow(w, items, next))) {
            return true;
        }
    }
    if (json_object_get(schema, "patternProperties") != NULL) {
        return true;
    }
    if (json_is_object(extra)) {
        return follow(w, extra, next);
    }
    return json_is_true(extra);
}

/* Says the schema nothing at all about its inside? Then anything may be there. */
static bool silent(json_t *schema)
{
    static const char *const words[] = {"properties",
                                        "items",
                                        "prefixItems",
                                        "$ref",
                                        "additionalProperties",
                                        "allOf",
                                        "anyOf",
                                        "oneOf",
                                        "if",
                                        "patternProperties",
                                        "unevaluatedProperties",
                                        "const",
                                        "enum"};
    const char *type = ym_json_str(schema, "type");
    if (type != NULL && strcmp(type, "object") != 0 && strcmp(type, "array") != 0) {
        return false;
    }
    for (size_t i = 0; i < YM_COUNT(words); i++) {
        if (json_object_get(schema, words[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool follow(struct way *w, json_t *schema, const char *rest)
{
    bool yes;
    if (rest[0] == '\0' || json_is_true(schema)) {
        return true;
    }
    if (!json_is_object(schema)) {
        return false;
    }
    if (++w->depth > REF_DEPTH) {
        w->depth--;
        return true;
    }
    yes = silent(schema) || follow_down(w, schema, rest) || follow_beside(w, schema, rest);
    w->depth--;
    return yes;
}

bool ym_check_path(json_t *schema, const char *pointer)
{
    struct way w = {schema, 0};
    return follow(&w, schema, pointer);
}

static bool fits_some(const struct ym_catalog *c, const struct ym_system *s, const char *pointer)
{
    for (const char *const *t = s->takes; t != NULL && *t != NULL; t++) {
        const struct ym_type *type = ym_catalog_type(c, *t);
        if (type == NULL || ym_check_path(type->json, pointer)) {
            return true;
        }
    }
    return false;
}

/* Where an ambiguous row's question is answered; without that place nobody could ever answer. */
static void check_questions(const struct ym_catalog *c, const struct ym_system *s,
                            const struct ym_code_map *m, struct ym_diag *d)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct ym_code_row *row = &m->rows[i];
        char pointer[256];
        int n = row->ambiguous && row->ask != NULL
                    ? snprintf(pointer, sizeof(pointer), "/extra/%s", row->ask)
                    : 0;
        if (n > 0 && (size_t)n < sizeof(pointer) && !fits_some(c, s, pointer)) {
            ym_diag_add(d, m->file, row->line, 0,
                        "ask: no record type that %s takes has \"/data%s\" for the answer", s->id,
                        pointer);
        }
    }
}

static void check_maps(const struct ym_catalog *c, const struct ym_system *s,
                       const struct ym_node *nodes, size_t n, struct ym_diag *d)
{
    for (size_t i = 0; i < n; i++) {
        if (nodes[i].codes != NULL) {
            check_questions(c, s, nodes[i].codes, d);
        }
        check_maps(c, s, nodes[i].kids, nodes[i].kid_count, d);
    }
}

void ym_check_paths(const struct ym_catalog *c, const struct ym_system *s, struct ym_diag *d)
{
    for (size_t i = 0; i < s->operation_count; i++) {
        const struct ym_operation *op = &s->operations[i];
        for (size_t t = 0; t < op->table_count; t++) {
            bool seen = ym_adapter_table_seen(s, i, t);
            if (!seen) {
                check_maps(c, s, op->tables[t].map->nodes, op->tables[t].map->node_count, d);
            }
            for (size_t k = 0; !seen && k < ym_map_leaf_count(op->tables[t].map); k++) {
                const struct ym_map_leaf *leaf = ym_map_leaf_at(op->tables[t].map, k);
                const char *p = leaf->pointer;
                if (p != NULL && strncmp(p, "/data/", 6) == 0 && !fits_some(c, s, p + 5)) {
                    ym_diag_add(d, s->file, leaf->line, 0,
                                "from: no record type this system takes has \"%s\"", p);
                }
            }
        }
    }
}
