/* SPDX-License-Identifier: Apache-2.0
 * The redundancy report: which systems ask for the same fields of a type, and which system could be
 * retired because others ask for all of its own.
 */
#include "ym_fields.h"
#include "ym_report.h"
#include "ym_report_priv.h"

#include <stdlib.h>

#define SYSTEMS_MAX 64 /* a mask has as many bits */

struct column {
    const struct ym_system *sys;
    struct ym_fields fields;
    size_t shared;      /* fields that others ask for, too */
    size_t best_shared; /* of them with one other system */
    const struct ym_system *best;
};

struct row {
    const char *pattern;
    uint64_t asked, required;
    int systems;
};

struct matrix {
    const struct ym_type *type;
    struct column columns[SYSTEMS_MAX];
    size_t column_count;
    struct row *rows;
    size_t row_count;
};

static struct row *row_at(struct matrix *x, const char *pattern)
{
    for (size_t i = 0; i < x->row_count; i++) {
        if (strcmp(x->rows[i].pattern, pattern) == 0) {
            return &x->rows[i];
        }
    }
    return NULL;
}

static ym_status matrix_fill(struct matrix *x, const struct ym_catalog *c, struct ym_arena *a)
{
    size_t most = 0;

    for (size_t i = 0; i < c->system_count && x->column_count < SYSTEMS_MAX; i++) {
        const struct ym_system *s = &c->systems[i];
        struct column *k = &x->columns[x->column_count];

        if (!s->enabled || !ym_system_takes(s, x->type->name)) {
            continue;
        }
        k->sys = s;
        if (ym_fields_of(s, x->type, a, &k->fields) != YM_OK) {
            return YM_ENOMEM;
        }
        most += k->fields.count;
        x->column_count++;
    }
    x->rows = ym_arena_alloc(a, most * sizeof(struct row));
    if (x->rows == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < x->column_count; i++) {
        for (size_t j = 0; j < x->columns[i].fields.count; j++) {
            const struct ym_taken *f = &x->columns[i].fields.items[j];
            struct row *r = row_at(x, f->pattern);

            if (r == NULL) {
                r = &x->rows[x->row_count++];
                r->pattern = f->pattern;
            }
            r->asked |= (uint64_t)1 << i;
            r->required |= (uint64_t)f->required << i;
            r->systems++;
        }
    }
    return YM_OK;
}

static void matrix_judge(struct matrix *x)
{
    for (size_t i = 0; i < x->column_count; i++) {
        struct column *k = &x->columns[i];
        size_t with[SYSTEMS_MAX] = {0};

        for (size_t r = 0; r < x->row_count; r++) {
            if ((x->rows[r].asked >> i & 1) == 0 || x->rows[r].systems < 2) {
                continue;
            }
            k->shared++;
            for (size_t o = 0; o < x->column_count; o++) {
                with[o] += x->rows[r].asked >> o & 1;
            }
        }
        for (size_t o = 0; o < x->column_count; o++) {
            if (o != i && with[o] > k->best_shared) {
                k->best_shared = with[o];
                k->best = x->columns[o].sys;
            }
        }
    }
}

/* ---- order ---- */

static int by_systems(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return x->systems != y->systems ? y->systems - x->systems : strcmp(x->pattern, y->pattern);
}

/* First who has the least of its own to lose; of those, who asks for the most. */
static int by_candidate(const void *a, const void *b)
{
    const struct column *x = *(const struct column *const *)a;
    const struct column *y = *(const struct column *const *)b;
    size_t ours = x->shared * y->fields.count, theirs = y->shared * x->fields.count;

    if (ours != theirs) {
        return ours > theirs ? -1 : 1;
    }
    if (x->fields.count != y->fields.count) {
        return x->fields.count > y->fields.count ? -1 : 1;
    }
    return strcmp(x->sys->id, y->sys->id);
}

/* ---- as a document ---- */

static json_t *names_of(const struct matrix *x, uint64_t mask)
{
    json_t *list = json_array();

    for (size_t i = 0; i < x->column_count; i++) {
        if ((mask >> i & 1) != 0) {
            json_array_append_new(list, json_string(x->columns[i].sys->id));
        }
    }
    return list;
}

static json_t *field_json(struct ym_making *m, const struct matrix *x, const struct row *r,
                          struct ym_arena *a)
{
    json_t *o = json_object();

    ym_report_set(m, o, "pointer", json_string(r->pattern));
    ym_report_set(m, o, "label",
                  ym_report_words(ym_field_label(x->type, r->pattern, "zh", a),
                                  ym_field_label(x->type, r->pattern, "en", a)));
    ym_report_set(m, o, "systems", names_of(x, r->asked));
    ym_report_set(m, o, "required", names_of(x, r->required));
    return o;
}

static json_t *system_json(struct ym_making *m, const struct matrix *x, const struct column *k)
{
    json_t *o = json_object(), *alone = json_array();
    uint64_t bit = (uint64_t)1 << (k - x->columns);
    double all = k->fields.count != 0 ? (double)k->fields.count : 1;

    ym_report_set(m, o, "id", json_string(k->sys->id));
    ym_report_set(m, o, "title", ym_report_words(k->sys->title_zh, k->sys->title_en));
    ym_report_set(m, o, "fields", json_integer((json_int_t)k->fields.count));
    ym_report_set(m, o, "shared", json_integer((json_int_t)k->shared));
    ym_report_set(m, o, "covered",
                  json_real((double)(long)(1000.0 * (double)k->shared / all + 0.5) / 1000.0));
    ym_report_set(m, o, "nearest",
                  k->best == NULL
                      ? json_null()
                      : json_pack("{s:s, s:i}", "id", k->best->id, "shared", (int)k->best_shared));
    for (size_t r = 0; r < x->row_count; r++) {
        if (x->rows[r].asked == bit &&
            json_array_append_new(alone, json_string(x->rows[r].pattern))) {
            m->failed = true;
        }
    }
    ym_report_set(m, o, "alone", alone);
    return o;
}

static json_t *matrix_json(struct ym_making *m, struct matrix *x, struct ym_arena *a)
{
    const struct column *order[SYSTEMS_MAX];
    json_t *o = json_object(), *systems = json_array(), *fields = json_array();

    for (size_t i = 0; i < x->column_count; i++) {
        order[i] = &x->columns[i];
    }
    qsort(order, x->column_count, sizeof(order[0]), by_candidate);
    qsort(x->rows, x->row_count, sizeof(x->rows[0]), by_systems);
    for (size_t i = 0; i < x->column_count; i++) {
        if (json_array_append_new(systems, system_json(m, x, order[i])) != 0) {
            m->failed = true;
        }
    }
    for (size_t i = 0; i < x->row_count; i++) {
        if (json_array_append_new(fields, field_json(m, x, &x->rows[i], a)) != 0) {
            m->failed = true;
        }
    }
    ym_report_set(m, o, "type", json_string(x->type->name));
    ym_report_set(m, o, "title", ym_report_words(x->type->title_zh, x->type->title_en));
    ym_report_set(m, o, "systems", systems);
    ym_report_set(m, o, "fields", fields);
    return o;
}

json_t *ym_report_redundancy(const struct ym_catalog *c, const char *type)
{
    struct ym_making m = {false};
    struct ym_arena *a = ym_arena_open();
    json_t *doc = json_object(), *types = json_array();
    struct matrix *x;

    for (size_t i = 0; a != NULL && i < c->type_count && !m.failed; i++) {
        if (type != NULL && strcmp(type, c->types[i].name) != 0) {
            continue;
        }
        x = ym_arena_alloc(a, sizeof(*x));
        if (x == NULL) {
            m.failed = true;
            break;
        }
        x->type = &c->types[i];
        if (matrix_fill(x, c, a) != YM_OK) {
            m.failed = true;
        } else if (x->column_count > 0) {
            matrix_judge(x);
            if (json_array_append_new(types, matrix_json(&m, x, a)) != 0) {
                m.failed = true;
            }
        }
    }
    m.failed = m.failed || a == NULL;
    ym_report_set(&m, doc, "types", types);
    ym_arena_close(a);
    return ym_report_end(&m, doc);
}
