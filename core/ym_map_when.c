/* SPDX-License-Identifier: Apache-2.0
 * Predicates (`when:`, `where:`): present, absent, equals, in, any, not; a list means all.
 */
#include "ym_map_priv.h"

enum when_kind { WHEN_ALL, WHEN_ANY, WHEN_NOT, WHEN_PRESENT, WHEN_IN };

struct ym_when {
    enum when_kind kind;
    const struct ym_ptr *ptr;
    const struct ym_str *values; /* WHEN_IN */
    size_t value_count;
    struct ym_when *child, *next;
};

struct when_ctx {
    struct ym_arena *a;
    struct ym_roots *roots;
    struct ym_diag *d;
    bool inside;
    ym_status rc; /* the first fault; compiling goes on */
};

static void when_fault(struct when_ctx *x, ym_status rc)
{
    if (x->rc == YM_OK || rc == YM_ENOMEM) {
        x->rc = rc;
    }
}

static struct ym_when *when_new(struct when_ctx *x, enum when_kind kind)
{
    struct ym_when *w = ym_arena_alloc(x->a, sizeof(*w));
    if (w == NULL) {
        when_fault(x, YM_ENOMEM);
        return NULL;
    }
    w->kind = kind;
    return w;
}

static struct ym_when *when_wrap(struct when_ctx *x, enum when_kind kind, struct ym_when *child)
{
    struct ym_when *w = child != NULL ? when_new(x, kind) : NULL;
    if (w != NULL) {
        w->child = child;
    }
    return w;
}

static void when_say(struct when_ctx *x, const struct ym_yaml *at, const char *words)
{
    ym_diag_add(x->d, at->file, at->line, at->column, "%s", words);
    when_fault(x, YM_EINVAL);
}

static const struct ym_ptr *when_ptr(struct when_ctx *x, const struct ym_yaml *at)
{
    const struct ym_ptr *p = NULL;
    ym_status rc = ym_ptr_compile(at, at->text, x->inside, x->a, x->roots, &p, x->d);
    if (rc != YM_OK) {
        when_fault(x, rc);
    }
    return p;
}

static struct ym_when *when_present(struct when_ctx *x, const struct ym_yaml *node)
{
    if (node->kind != YM_YAML_SCALAR) {
        when_say(x, node, "present and absent take one pointer");
        return NULL;
    }
    const struct ym_ptr *p = when_ptr(x, node);
    struct ym_when *w = p != NULL ? when_new(x, WHEN_PRESENT) : NULL;
    if (w != NULL) {
        w->ptr = p;
    }
    return w;
}

/* pointer → one of values; node is a scalar or a list of scalars. */
static struct ym_when *when_in(struct when_ctx *x, const struct ym_yaml *node)
{
    const struct ym_yaml *first = node->kind == YM_YAML_LIST ? node->child : node;
    size_t n = node->kind == YM_YAML_LIST ? node->count : 1;
    if (node->kind == YM_YAML_MAP || n == 0) {
        when_say(x, node, "compare with a value or with a list of at least one value");
        return NULL;
    }
    struct ym_str *values = ym_arena_alloc(x->a, n * sizeof(*values));
    struct ym_when *w = when_new(x, WHEN_IN);
    if (values == NULL || w == NULL) {
        when_fault(x, YM_ENOMEM);
        return NULL;
    }
    size_t i = 0;
    for (const struct ym_yaml *v = first; i < n; v = v->next, i++) {
        if (v->kind != YM_YAML_SCALAR) {
            when_say(x, v, "a value to compare with must be plain text");
            return NULL;
        }
        values[i] = v->text;
    }
    w->ptr = when_ptr(x, node->key);
    w->values = values;
    w->value_count = n;
    return w->ptr != NULL ? w : NULL;
}

/* A map of pointers: every pair must hold. */
static struct ym_when *when_pairs(struct when_ctx *x, const struct ym_yaml *node, bool lists)
{
    struct ym_when *all = when_new(x, WHEN_ALL);
    if (node->kind != YM_YAML_MAP || node->count == 0) {
        when_say(x, node, "takes pairs of pointer and value, such as { /data/level: \"04\" }");
        return NULL;
    }
    if (all == NULL) {
        return NULL;
    }
    struct ym_when **tail = &all->child;
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        if (!lists && v->kind == YM_YAML_LIST) {
            when_say(x, v, "equals compares with one value; use in: for a list");
            continue;
        }
        struct ym_when *w = when_in(x, v);
        if (w != NULL) {
            *tail = w;
            tail = &w->next;
        }
    }
    return all;
}

static struct ym_when *when_node(struct when_ctx *x, const struct ym_yaml *node);

static struct ym_when *when_list(struct when_ctx *x, const struct ym_yaml *node,
                                 enum when_kind kind)
{
    struct ym_when *all = when_new(x, kind);
    if (all == NULL) {
        return NULL;
    }
    if (node->kind != YM_YAML_LIST || node->count == 0) {
        when_say(x, node, "takes a list of conditions");
        return NULL;
    }
    struct ym_when **tail = &all->child;
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        struct ym_when *w = when_node(x, v);
        if (w != NULL) {
            *tail = w;
            tail = &w->next;
        }
    }
    return all;
}

static struct ym_when *when_key(struct when_ctx *x, const struct ym_yaml *v)
{
    const char *k = v->key->text.p;
    if (strcmp(k, "present") == 0) {
        return when_present(x, v);
    }
    if (strcmp(k, "absent") == 0) {
        return when_wrap(x, WHEN_NOT, when_present(x, v));
    }
    if (strcmp(k, "equals") == 0) {
        return when_pairs(x, v, false);
    }
    if (strcmp(k, "in") == 0) {
        return when_pairs(x, v, true);
    }
    if (strcmp(k, "any") == 0) {
        return when_list(x, v, WHEN_ANY);
    }
    if (strcmp(k, "not") == 0) {
        return when_wrap(x, WHEN_NOT, when_node(x, v));
    }
    ym_diag_add(x->d, v->key->file, v->key->line, v->key->column,
                "unknown condition \"%s\"; known are present, absent, equals, in, any and not", k);
    when_fault(x, YM_EINVAL);
    return NULL;
}

static struct ym_when *when_node(struct when_ctx *x, const struct ym_yaml *node)
{
    if (node->kind == YM_YAML_LIST) {
        return when_list(x, node, WHEN_ALL);
    }
    if (node->kind != YM_YAML_MAP || node->count == 0) {
        when_say(x, node,
                 "a condition is { present | absent | equals | in | any | not: … } or a "
                 "list of them");
        return NULL;
    }
    struct ym_when *all = when_new(x, WHEN_ALL);
    if (all == NULL) {
        return NULL;
    }
    struct ym_when **tail = &all->child;
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        struct ym_when *w = when_key(x, v);
        if (w != NULL) {
            *tail = w;
            tail = &w->next;
        }
    }
    return all;
}

ym_status ym_when_compile_in(const struct ym_yaml *node, bool inside, struct ym_arena *a,
                             struct ym_roots *roots, const struct ym_when **ret, struct ym_diag *d)
{
    struct when_ctx x = {a, roots, d, inside, YM_OK};
    if (node == NULL) {
        *ret = NULL;
        return YM_OK;
    }
    struct ym_when *w = when_node(&x, node);
    if (x.rc == YM_OK) {
        *ret = w;
    }
    return x.rc;
}

ym_status ym_where_compile(const struct ym_yaml *node, struct ym_arena *a, struct ym_roots *roots,
                           const struct ym_when **ret, struct ym_diag *d)
{
    struct when_ctx x = {a, roots, d, true, YM_OK};
    struct ym_when *w = when_pairs(&x, node, true);
    if (x.rc == YM_OK) {
        *ret = w;
    }
    return x.rc;
}

ym_status ym_when_compile(const struct ym_yaml *node, struct ym_arena *a,
                          const struct ym_when **ret, struct ym_diag *d)
{
    return ym_when_compile_in(node, false, a, NULL, ret, d);
}

/* Empty text, an empty list and null are as good as nothing. */
static bool present(const json_t *v)
{
    switch (v != NULL ? json_typeof(v) : JSON_NULL) {
    case JSON_NULL:
        return false;
    case JSON_STRING:
        return json_string_length(v) != 0;
    case JSON_ARRAY:
        return json_array_size(v) != 0;
    case JSON_OBJECT:
        return json_object_size(v) != 0;
    default:
        return true;
    }
}

static bool one_of(const struct ym_when *w, const json_t *v)
{
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    if (!ym_scalar_text(v, buf, &s)) {
        return false;
    }
    for (size_t i = 0; i < w->value_count; i++) {
        if (ym_str_eq(s, w->values[i])) {
            return true;
        }
    }
    return false;
}

bool ym_when_eval(const struct ym_when *w, const struct ym_view *v)
{
    const struct ym_when *c;
    if (w == NULL) {
        return true;
    }
    switch (w->kind) {
    case WHEN_PRESENT:
        return present(ym_ptr_get(w->ptr, v));
    case WHEN_IN:
        return one_of(w, ym_ptr_get(w->ptr, v));
    case WHEN_NOT:
        return !ym_when_eval(w->child, v);
    case WHEN_ANY:
        for (c = w->child; c != NULL; c = c->next) {
            if (ym_when_eval(c, v)) {
                return true;
            }
        }
        return false;
    case WHEN_ALL:
        break;
    }
    for (c = w->child; c != NULL; c = c->next) {
        if (!ym_when_eval(c, v)) {
            return false;
        }
    }
    return true;
}

bool ym_when_relative(const struct ym_when *w)
{
    for (; w != NULL; w = w->next) {
        if ((w->ptr != NULL && !w->ptr->root) || ym_when_relative(w->child)) {
            return true;
        }
    }
    return false;
}

void ym_when_pointers(const struct ym_when *w, void (*each)(void *data, const struct ym_ptr *p),
                      void *data)
{
    for (; w != NULL; w = w->next) {
        if (w->ptr != NULL) {
            each(data, w->ptr);
        }
        ym_when_pointers(w->child, each, data);
    }
}

bool ym_when_holds(const struct ym_when *w, const json_t *record)
{
    struct ym_view v = {record, NULL, NULL, NULL};
    return ym_when_eval(w, &v);
}
