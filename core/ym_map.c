/* SPDX-License-Identifier: Apache-2.0
 * Walking a compiled field table over a record. One walk serves all purposes: it builds a document,
 * writes its text at once, or only judges, so a record that passes the check is one that can be sent.
 */
#include "ym_map_eval.h"

#include "ym_conf.h"
#include "ym_json_fast.h"
#include "ym_time.h"

#include <stdlib.h>

/* Where a walk puts what it finds: into a tree or behind a text. Without one it only judges. */
struct target {
    json_t *tree;
    struct ym_buf *text;
};

/* ---- building ---- */

/* Puts v (its reference is taken) at the path below into. append: `each` adds to what is there. */
static void put(struct ym_eval *e, json_t *into, const struct ym_node *n, json_t *v, bool append)
{
    if (v == NULL) {
        e->nomem = true;
        return;
    }
    for (size_t i = 0; i + 1 < n->to_count; i++) {
        json_t *next = json_object_get(into, n->to[i]);
        if (!json_is_object(next)) {
            next = json_object();
            if (json_object_set_new(into, n->to[i], next) != 0) {
                e->nomem = true;
                json_decref(v);
                return;
            }
        }
        into = next;
    }
    const char *last = n->to[n->to_count - 1];
    json_t *have = json_object_get(into, last);
    int rc;
    if (append && json_is_array(have)) {
        rc = json_array_extend(have, v);
        json_decref(v);
    } else {
        rc = json_object_set_new(into, last, v);
    }
    if (rc != 0) {
        e->nomem = true;
    }
}

static json_t *as_json(const struct ym_node *n, const struct ym_value *v)
{
    int64_t i = 0;
    if (v->state == V_RAW) {
        return json_deep_copy(v->json);
    }
    switch (n->as) {
    case YM_AS_INTEGER:
        ym_int_parse(v->text, &i);
        return json_integer(i);
    case YM_AS_NUMBER:
        if (ym_int_parse(v->text, &i)) {
            return json_integer(i);
        }
        return json_real(strtod(v->text.p, NULL));
    case YM_AS_BOOLEAN:
        return json_boolean(ym_str_is(v->text, "true") || ym_str_is(v->text, "1"));
    default:
        return json_stringn_nocheck(v->text.p, v->text.n); /* leaf_put has checked it */
    }
}

static void leaf_tree(struct ym_eval *e, const struct ym_node *n, const struct ym_value *v,
                      json_t *into)
{
    if (v->state == V_TEXT || v->state == V_RAW) {
        json_t *value = as_json(n, v);
        if (e->ctx->seen != NULL && value != NULL) {
            const struct ym_ptr *p = ym_eval_pointer(n);
            e->ctx->seen(e->ctx->seen_data, n->at, p != NULL ? ym_eval_place(e, p) : "", value);
        }
        put(e, into, n, value, false);
    } else if (n->empty == YM_EMPTY_SEND) {
        put(e, into, n, json_string(""), false);
    } else {
        put(e, into, n, json_null(), false);
    }
}

/* Begins a member or item: nothing but an opening bracket stands before the first of them. */
static void text_next(struct ym_buf *text, struct ym_str label)
{
    if (text->n > 0 && text->p[text->n - 1] != '{' && text->p[text->n - 1] != '[') {
        ym_buf_addc(text, ',');
    }
    ym_buf_add(text, label.p, label.n);
}

/* Takes back what was begun; a buffer that failed is empty already. */
static void text_cut(struct ym_buf *text, size_t n)
{
    if (text->failed == YM_OK) {
        text->n = n;
    }
}

static void leaf_text(struct ym_eval *e, const struct ym_node *n, const struct ym_value *v,
                      struct ym_buf *into)
{
    text_next(into, n->label);
    if (v->state == V_TEXT && n->as == YM_AS_STRING) {
        ym_json_write_text(v->text, into);
    } else if (v->state == V_RAW) {
        ym_json_write(v->json, into);
    } else if (v->state == V_TEXT) {
        json_t *value = as_json(n, v);
        e->nomem = e->nomem || value == NULL || ym_json_write(value, into) != YM_OK;
        json_decref(value);
    } else {
        ym_buf_adds(into, n->empty == YM_EMPTY_SEND ? "\"\"" : "null");
    }
}

static void leaf_put(struct ym_eval *e, const struct ym_node *n, const struct ym_value *v,
                     const struct target *into)
{
    bool there = v->state == V_TEXT || v->state == V_RAW;
    if (there && e->ctx->filled != NULL && v->own) {
        (*e->ctx->filled)++;
    }
    if (!there && (v->state != V_MISSING || n->empty == YM_EMPTY_SKIP)) {
        return;
    }
    /* Foreign session values are the only text that no reader has seen yet. */
    if (v->state == V_TEXT && !ym_utf8_valid(v->text.p, v->text.n)) {
        ym_eval_object(e, n, YM_P_FORMAT, 0, "UTF-8");
    } else if (into->text != NULL) {
        leaf_text(e, n, v, into->text);
    } else {
        leaf_tree(e, n, v, into->tree);
    }
}

/* ---- groups ---- */

static void walk(struct ym_eval *e, const struct ym_node *nodes, size_t count,
                 const struct target *into);

/* Does something below have to be there, although there is no item? */
static bool wants(struct ym_eval *e, const struct ym_node *n)
{
    if (n->required) {
        return true;
    }
    for (size_t i = 0; n->wanted && i < n->kid_count; i++) {
        const struct ym_node *k = &n->kids[i];
        bool sure =
            k->when == NULL || (!ym_when_relative(k->when) && ym_when_eval(k->when, &e->view));
        if (!sure) {
            continue;
        }
        if (k->source == YM_SRC_FIELDS ? k->how == YM_OVER_NONE && wants(e, k)
                                       : k->required && !k->has_def) {
            return true;
        }
    }
    return false;
}

/* A finished nested document, as its string where the adapter says so. Takes doc's reference. */
static json_t *encoded(struct ym_eval *e, const struct ym_node *n, json_t *doc)
{
    struct ym_buf b;
    json_t *ret = NULL;
    if (doc == NULL || n->encode == YM_ENCODE_NONE) {
        return doc;
    }
    if (n->encode == YM_ENCODE_JSON) {
        ym_buf_init(&b, YM_MAP_TEXT);
        if (ym_json_write(doc, &b) == YM_OK) {
            ret = json_stringn(b.p, b.n);
        }
        ym_buf_wipe(&b);
    } else {
        ym_buf_init(&b, YM_MAP_TEXT);
        if (ym_map_xml(n->root, doc, &b) == YM_OK) {
            ret = json_stringn(b.p, b.n);
        }
        ym_buf_wipe(&b);
        if (ret != NULL && n->cdata) {
            ret = json_pack("{so}", "#cdata", ret);
        }
    }
    json_decref(doc);
    if (ret == NULL) {
        e->nomem = true;
    }
    return ret;
}

/* A nested object into the tree. Two groups may fill one object. */
static void group_tree(struct ym_eval *e, const struct ym_node *n, json_t *into)
{
    json_t *doc = json_object();
    if (doc == NULL) {
        e->nomem = true;
        return;
    }
    walk(e, n->kids, n->kid_count, &(struct target){.tree = doc});
    if (json_object_size(doc) == 0 && n->empty == YM_EMPTY_SKIP && n->encode == YM_ENCODE_NONE) {
        json_decref(doc);
        return;
    }
    json_t *have = into;
    for (size_t i = 0; i < n->to_count; i++) {
        have = json_object_get(have, n->to[i]);
    }
    if (json_is_object(have) && n->encode == YM_ENCODE_NONE) {
        if (json_object_update(have, doc) != 0) {
            e->nomem = true;
        }
        json_decref(doc);
        return;
    }
    put(e, into, n, encoded(e, n, doc), false);
}

/* The same as text: an object that turns out to be empty is taken back. */
static void group_text(struct ym_eval *e, const struct ym_node *n, const struct target *into)
{
    struct ym_buf *text = into->text;
    size_t before = text->n, opened;
    text_next(text, n->label);
    ym_buf_addc(text, '{');
    opened = text->n;
    walk(e, n->kids, n->kid_count, into);
    if (text->n == opened && n->empty == YM_EMPTY_SKIP) {
        text_cut(text, before);
        return;
    }
    ym_buf_addc(text, '}');
}

static void group_one(struct ym_eval *e, const struct ym_node *n, const struct target *into)
{
    if (into == NULL || n->to_count == 0) {
        walk(e, n->kids, n->kid_count, into);
    } else if (into->text != NULL) {
        group_text(e, n, into);
    } else {
        group_tree(e, n, into->tree);
    }
}

/* One item of an `each`, behind the others of its list. */
static void group_item(struct ym_eval *e, const struct ym_node *n, const struct target *list)
{
    if (list == NULL) {
        walk(e, n->kids, n->kid_count, NULL);
        return;
    }
    if (list->text != NULL) {
        text_next(list->text, YM_STR("{"));
        walk(e, n->kids, n->kid_count, list);
        ym_buf_addc(list->text, '}');
        return;
    }
    json_t *doc = json_object();
    if (doc != NULL) {
        walk(e, n->kids, n->kid_count, &(struct target){.tree = doc});
    }
    if (doc == NULL || json_array_append_new(list->tree, doc) != 0) {
        e->nomem = true;
    }
}

/* Goes over the items; true when there was one. list: of an `each`; into: of a `first`. */
static bool group_items(struct ym_eval *e, const struct ym_node *n, const struct target *list,
                        const struct target *into)
{
    const json_t *array = ym_ptr_get(n->over, &e->view);
    const struct ym_frame *up = e->view.frame;
    bool any = false;
    if (array != NULL && !json_is_null(array) && !json_is_array(array)) {
        ym_eval_object_at(e, YM_P_TYPE, ym_eval_place(e, n->over), 0, "array", NULL);
        return false;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct ym_frame f = {up, n->over, i, json_array_get(array, i)};
        e->view.frame = &f;
        bool meant = ym_when_eval(n->where, &e->view);
        if (meant && n->how == YM_OVER_EACH) {
            group_item(e, n, list);
        } else if (meant) {
            group_one(e, n, into);
        }
        e->view.frame = up;
        any = any || meant;
        if (any && n->how == YM_OVER_FIRST) {
            break;
        }
    }
    if (!any && (n->how == YM_OVER_EACH ? n->required : wants(e, n))) {
        ym_eval_object_at(e, YM_P_REQUIRED, ym_eval_place(e, n->over), 0, NULL, NULL);
    }
    return any;
}

static void group_over(struct ym_eval *e, const struct ym_node *n, const struct target *into)
{
    if (into == NULL || n->how == YM_OVER_FIRST) {
        group_items(e, n, NULL, into);
        return;
    }
    if (into->text != NULL) {
        size_t before = into->text->n;
        text_next(into->text, n->label);
        ym_buf_addc(into->text, '[');
        if (!group_items(e, n, into, NULL) && n->empty != YM_EMPTY_SEND) {
            text_cut(into->text, before);
            return;
        }
        ym_buf_addc(into->text, ']');
        return;
    }
    json_t *list = json_array();
    if (list == NULL) {
        e->nomem = true;
        return;
    }
    if (group_items(e, n, &(struct target){.tree = list}, NULL) || n->empty == YM_EMPTY_SEND) {
        put(e, into->tree, n, encoded(e, n, list), true);
    } else {
        json_decref(list);
    }
}

/* A string that is there and short enough: most fields of most checks end here. */
static bool plainly_good(struct ym_eval *e, const struct ym_node *n)
{
    if (!n->plain || e->charset != NULL) {
        return false;
    }
    const json_t *j = ym_ptr_get(n->from, &e->view);
    size_t len = j != NULL && json_is_string(j) ? json_string_length(j) : 0;
    return len != 0 && (n->max == 0 || len <= (size_t)n->max);
}

static void walk(struct ym_eval *e, const struct ym_node *nodes, size_t count,
                 const struct target *into)
{
    for (size_t i = 0; i < count; i++) {
        const struct ym_node *n = &nodes[i];
        if (n->when != NULL && !ym_when_eval(n->when, &e->view)) {
            continue;
        }
        if (n->source == YM_SRC_FIELDS) {
            if (n->how == YM_OVER_NONE) {
                group_one(e, n, into);
            } else {
                group_over(e, n, into);
            }
            continue;
        }
        if (into == NULL && plainly_good(e, n)) {
            continue;
        }
        struct ym_value v = ym_eval_field(e, n);
        if (into != NULL) {
            leaf_put(e, n, &v, into);
        }
    }
}

/* ---- the public calls ---- */

void ym_map_judge(const struct ym_map *m, const struct ym_judge *j, struct ym_problems *out)
{
    char scratch[YM_MAP_SCRATCH];
    struct ym_eval e = {.view = {j->record, j->values, j->remap, NULL},
                        .system = j->system,
                        .charset = j->charset,
                        .offset_min = j->offset_min,
                        .out = out,
                        .mem = {scratch, sizeof(scratch), out->arena},
                        .scratch = scratch};
    walk(&e, m->nodes, m->node_count, NULL);
    if (e.nomem) {
        out->total++; /* what could not be judged must not pass */
    }
}

void ym_map_check(const struct ym_map *m, const char *system, const json_t *record,
                  struct ym_problems *out)
{
    struct ym_judge j = {.system = system, .record = record, .offset_min = YM_CHINA_OFFSET_MIN};
    ym_map_judge(m, &j, out);
}

/* What a run came to; YM_OK when all of it is in the target. */
static ym_status run(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                     const struct target *into, struct ym_problems *problems)
{
    char scratch[YM_MAP_SCRATCH];
    struct ym_eval e = {.view = {ctx->record, NULL, NULL, NULL},
                        .ctx = ctx,
                        .offset_min = ctx->offset_min,
                        .out = problems,
                        .mem = {scratch, sizeof(scratch), a},
                        .scratch = scratch};
    walk(&e, m->nodes, m->node_count, into);
    ym_wipe(scratch, sizeof(scratch));
    if (e.nomem) {
        return YM_ENOMEM;
    }
    return e.objections != 0 ? YM_EINVAL : YM_OK;
}

ym_status ym_map_run(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                     json_t **ret, struct ym_problems *problems)
{
    json_t *doc = json_object();
    ym_status rc = YM_ENOMEM;
    if (doc != NULL) {
        rc = run(m, ctx, a, &(struct target){.tree = doc}, problems);
    }
    if (rc != YM_OK) {
        json_decref(doc);
        return rc;
    }
    *ret = doc;
    return YM_OK;
}

ym_status ym_map_write(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                       struct ym_buf *out, struct ym_problems *problems)
{
    size_t before = out->n;
    ym_status rc;
    if (!m->flows || ctx->seen != NULL) {
        json_t *doc = NULL;
        rc = ym_map_run(m, ctx, a, &doc, problems);
        if (rc == YM_OK) {
            rc = ym_json_write(doc, out);
            json_decref(doc);
        }
        return rc;
    }
    ym_buf_addc(out, '{');
    rc = run(m, ctx, a, &(struct target){.text = out}, problems);
    if (rc == YM_OK) {
        rc = ym_buf_addc(out, '}');
    } else {
        text_cut(out, before);
    }
    return rc;
}
