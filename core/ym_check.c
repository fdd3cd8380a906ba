/* SPDX-License-Identifier: Apache-2.0
 * The check before accept. All pointers of all systems are put into one tree at load, so a record's
 * values are looked up once and not once per system.
 */
#include "ym_check.h"
#include "ym_charset.h"
#include "ym_check_path.h"
#include "ym_map_priv.h"

#include <strings.h>

#define TREE_MAX 60000 /* indices are 16 bits wide */

/* One step below the record; parents stand before their children. */
struct step {
    const struct ym_seg *seg;
    uint16_t parent;
};

struct slot_table {
    const struct ym_map *map;
    const uint16_t *remap; /* the map's slot → index in the tree */
};

struct system_check {
    const struct slot_table *create, *update; /* update NULL: it has none */
    size_t create_count, update_count;
    const struct ym_charset *charset;
};

struct charset_entry {
    const char *name;
    const struct ym_charset *set;
    struct charset_entry *next;
};

struct check {
    struct step *steps; /* [0] is the record itself */
    size_t count, cap;
    struct system_check *systems; /* parallel to the catalogue's */
    struct charset_entry *charsets;
};

/* ---- compiling ---- */

static ym_status tree_step(struct check *k, struct ym_arena *a, uint16_t parent,
                           const struct ym_seg *seg, uint16_t *ret)
{
    for (size_t i = parent + 1u; i < k->count; i++) {
        const struct step *s = &k->steps[i];
        if (s->parent == parent && s->seg->n == seg->n &&
            memcmp(s->seg->key, seg->key, seg->n) == 0) {
            *ret = (uint16_t)i;
            return YM_OK;
        }
    }
    if (k->count == TREE_MAX) {
        return YM_ETOOBIG;
    }
    if (k->count == k->cap) {
        size_t cap = k->cap != 0 ? k->cap * 2 : 128;
        struct step *steps = ym_arena_alloc(a, cap * sizeof(*steps));
        if (steps == NULL) {
            return YM_ENOMEM;
        }
        if (k->count != 0) {
            memcpy(steps, k->steps, k->count * sizeof(*steps));
        }
        k->steps = steps;
        k->cap = cap;
    }
    k->steps[k->count] = (struct step){seg, parent};
    *ret = (uint16_t)k->count++;
    return YM_OK;
}

static ym_status table_compile(struct check *k, struct ym_arena *a, const struct ym_map *m,
                               struct slot_table *ret)
{
    uint16_t *remap = ym_arena_alloc(a, m->root_count * sizeof(*remap));
    if (remap == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < m->root_count; i++) {
        uint16_t at = 0;
        for (size_t s = 0; s < m->roots[i]->seg_count; s++) {
            ym_status rc = tree_step(k, a, at, &m->roots[i]->segs[s], &at);
            if (rc != YM_OK) {
                return rc;
            }
        }
        remap[i] = at;
    }
    *ret = (struct slot_table){m, remap};
    return YM_OK;
}

static ym_status operation_compile(struct check *k, struct ym_arena *a,
                                   const struct ym_operation *op, const struct slot_table **ret,
                                   size_t *ret_count)
{
    if (op == NULL) {
        return YM_OK;
    }
    struct slot_table *tables = ym_arena_alloc(a, op->table_count * sizeof(*tables));
    if (tables == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < op->table_count; i++) {
        ym_status rc = table_compile(k, a, op->tables[i].map, &tables[i]);
        if (rc != YM_OK) {
            return rc;
        }
    }
    *ret = tables;
    *ret_count = op->table_count;
    return YM_OK;
}

static ym_status charset_find(struct check *k, struct ym_arena *a, const char *name,
                              const struct ym_charset **ret)
{
    struct ym_err err = {0};
    for (struct charset_entry *e = k->charsets; e != NULL; e = e->next) {
        if (strcasecmp(e->name, name) == 0) {
            *ret = e->set;
            return YM_OK;
        }
    }
    struct charset_entry *e = ym_arena_alloc(a, sizeof(*e));
    ym_status rc = e != NULL ? ym_charset_open(name, a, &e->set, &err) : YM_ENOMEM;
    if (rc != YM_OK) {
        return rc;
    }
    e->name = name;
    e->next = k->charsets;
    k->charsets = e;
    *ret = e->set;
    return YM_OK;
}

static ym_status system_compile(struct check *k, struct ym_catalog *c, size_t i)
{
    const struct ym_system *s = &c->systems[i];
    struct system_check *sc = &k->systems[i];
    ym_status rc = operation_compile(k, c->arena, ym_system_operation(s, "create"), &sc->create,
                                     &sc->create_count);
    if (rc == YM_OK) {
        rc = operation_compile(k, c->arena, ym_system_operation(s, "update"), &sc->update,
                               &sc->update_count);
    }
    if (rc == YM_OK) {
        rc = charset_find(k, c->arena, s->settings.charset, &sc->charset);
    }
    return rc;
}

ym_status ym_check_compile(struct ym_catalog *c, struct ym_diag *d)
{
    static const struct ym_seg record = {"", 0, 0, false};
    struct check *k = ym_arena_alloc(c->arena, sizeof(*k));
    uint16_t root;
    ym_status rc = YM_ENOMEM;
    if (k == NULL) {
        return rc;
    }
    k->systems = ym_arena_alloc(c->arena, c->system_count * sizeof(*k->systems));
    /* The record is its own parent, which no search from a parent upwards can reach. */
    if (k->systems == NULL || tree_step(k, c->arena, 0, &record, &root) != YM_OK) {
        return rc;
    }
    rc = YM_OK;
    for (size_t i = 0; i < c->system_count && rc == YM_OK; i++) {
        rc = system_compile(k, c, i);
        if (rc == YM_OK) {
            ym_check_paths(c, &c->systems[i], d);
        }
    }
    if (rc != YM_OK && rc != YM_ENOMEM) {
        ym_diag_add(d, c->file, 0, 0, "the systems name too many different pointers");
        rc = YM_EINVAL;
    }
    c->check = k;
    return rc;
}

/* ---- targets ---- */

static bool has(const struct ym_targets *t, const struct ym_system *s)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->systems[i] == s) {
            return true;
        }
    }
    return false;
}

static void add(struct ym_targets *t, const struct ym_system *s, struct ym_problems *out)
{
    if (has(t, s)) {
        return;
    }
    if (t->count == YM_TARGETS_MAX) {
        ym_problems_add(out, YM_P_TOO_MANY, "/targets", NULL, YM_TARGETS_MAX, NULL, NULL);
        return;
    }
    t->systems[t->count++] = s;
}

static void add_named(const struct ym_catalog *c, const struct ym_type *type, const json_t *name,
                      size_t index, struct ym_targets *ret, struct ym_problems *out)
{
    const char *at = ym_arena_printf(out->arena, "/targets/%zu", index);
    const char *id = json_string_value(name);
    const struct ym_system *s = id != NULL ? ym_catalog_system(c, id) : NULL;
    if (at == NULL) {
        out->total++; /* out of memory must not pass */
    } else if (id == NULL) {
        ym_problems_add(out, YM_P_TYPE, at, NULL, 0, "string", NULL);
    } else if (s == NULL || !s->enabled) {
        ym_problems_add(out, YM_P_TARGET_UNKNOWN, at, NULL, 0, id, NULL);
    } else if (!ym_system_takes(s, type->name)) {
        ym_problems_add(out, YM_P_TARGET_TYPE, at, s->id, 0, NULL, NULL);
    } else {
        add(ret, s, out);
    }
}

void ym_targets_find(const struct ym_catalog *c, const struct ym_type *type, const json_t *names,
                     json_t *record, struct ym_targets *ret, struct ym_problems *out)
{
    ret->count = 0;
    if (names != NULL && !json_is_array(names)) {
        ym_problems_add(out, YM_P_TYPE, "/targets", NULL, 0, "array", NULL);
        return;
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        add_named(c, type, json_array_get(names, i), i, ret, out);
    }
    for (size_t i = 0; names == NULL && i < c->system_count; i++) {
        const struct ym_system *s = &c->systems[i];
        if (s->enabled && ym_system_takes(s, type->name) && ym_when_holds(s->routing, record)) {
            add(ret, s, out);
        }
    }
}

/* ---- the check ---- */

static const json_t **values_of(const struct check *k, const json_t *record, struct ym_arena *a)
{
    const json_t **values = ym_arena_alloc(a, k->count * sizeof(const json_t *));
    if (values == NULL) {
        return NULL;
    }
    values[0] = record;
    for (size_t i = 1; i < k->count; i++) {
        const json_t *from = values[k->steps[i].parent];
        if (from != NULL) {
            values[i] = ym_seg_get(k->steps[i].seg, from);
        }
    }
    return values;
}

static void add_size(void *data, size_t index, json_t *item)
{
    int64_t *sum = data;

    (void)index;
    *sum += json_integer_value(json_object_get(item, "size"));
}

/* What a system gets of the attachments must fit into one request. */
static void judge_size(const struct ym_system *s, const struct slot_table *tables, size_t n,
                       const json_t *record, struct ym_problems *out)
{
    int64_t sum = 0;

    for (size_t t = 0; t < n; t++) {
        ym_map_contents(tables[t].map, record, add_size, &sum);
    }
    if (sum > s->settings.attachments_max) {
        ym_problems_add(out, YM_P_TOO_LARGE, "/attachments", s->id,
                        (long)(s->settings.attachments_max / 1024), NULL, NULL);
    }
}

bool ym_check_record(const struct ym_catalog *c, const struct ym_type *type, json_t *record,
                     const struct ym_targets *targets, bool is_update, struct ym_problems *out)
{
    const struct check *k = c->check;
    size_t before = out->total;
    bool ok = ym_schema_check(type->schema, json_object_get(record, "data"), out);
    const json_t **values = values_of(k, record, out->arena);
    if (values == NULL) {
        out->total++; /* out of memory must not pass */
        return false;
    }
    for (size_t i = 0; i < targets->count; i++) {
        const struct ym_system *s = targets->systems[i];
        const struct system_check *sc = &k->systems[s - c->systems];
        bool update = is_update && sc->update != NULL;
        const struct slot_table *tables = update ? sc->update : sc->create;
        size_t n = update ? sc->update_count : sc->create_count;
        for (size_t t = 0; t < n; t++) {
            struct ym_judge j = {.system = s->id,
                                 .record = record,
                                 .values = values,
                                 .remap = tables[t].remap,
                                 .charset = sc->charset,
                                 .offset_min = s->settings.offset_min};
            ym_map_judge(tables[t].map, &j, out);
        }
        judge_size(s, tables, n, record, out);
    }
    return ok && out->total == before;
}
