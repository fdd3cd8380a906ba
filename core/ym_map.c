/* SPDX-License-Identifier: Apache-2.0
 * Walking a compiled field table over a record. One walk serves both purposes: with a document it
 * builds, without one it only judges, so a record that passes the check is one that can be sent.
 */
#include "ym_map_priv.h"
#include "ym_charset.h"
#include "ym_conf.h"
#include "ym_json_fast.h"
#include "ym_time.h"

#include <stdio.h>
#include <stdlib.h>

enum state {
    V_MISSING,
    V_LATER, /* known only when it is sent */
    V_TEXT,
    V_RAW, /* as: raw */
    V_BAD  /* its problem has been added */
};

struct value {
    enum state state;
    struct ym_str text; /* NUL-terminated */
    const json_t *json;
    bool
        own; /* the record has it: somebody would have typed it, and not the table says so for all */
};

struct eval {
    struct ym_view view;
    const struct ym_map_ctx *ctx; /* NULL: judging only */
    const char *system;
    const struct ym_charset *charset;
    int offset_min;
    struct ym_problems *out;
    struct ym_mem mem;
    char *scratch;
    size_t objections;
    bool nomem;
};

/* ---- problems ---- */

static const char *frame_path(struct eval *e, const struct ym_frame *f)
{
    const char *head = f->base->root || f->up == NULL ? "" : frame_path(e, f->up);
    const char *p = ym_arena_printf(e->out->arena, "%s%s/%zu", head, f->base->text, f->index);
    return p != NULL ? p : "";
}

/* Where a pointer stands in `data`, RFC 6901. */
static const char *place_of(struct eval *e, const struct ym_ptr *p)
{
    const char *full = p->text;
    if (!p->root && e->view.frame != NULL) {
        full = ym_arena_printf(e->out->arena, "%s%s", frame_path(e, e->view.frame), p->text);
    }
    if (full == NULL) {
        return "";
    }
    bool in_data = strncmp(full, "/data", 5) == 0 && (full[5] == '/' || full[5] == '\0');
    return in_data ? full + 5 : full;
}

static const struct ym_ptr *pointer_of(const struct ym_node *n)
{
    for (size_t i = 0; n->source == YM_SRC_CONCAT && i < n->kid_count; i++) {
        if (n->kids[i].from != NULL) {
            return n->kids[i].from;
        }
    }
    return n->from;
}

static void object_at(struct eval *e, enum ym_problem_code code, const char *pointer, long limit,
                      const char *detail, const char *detail_zh)
{
    e->objections++;
    if (ym_problems_add(e->out, code, pointer, e->system, limit, detail, detail_zh) == YM_ENOMEM) {
        e->nomem = true;
    }
}

static void object(struct eval *e, const struct ym_node *n, enum ym_problem_code code, long limit,
                   const char *detail)
{
    const struct ym_ptr *p = pointer_of(n);
    object_at(e, code, p != NULL ? place_of(e, p) : "", limit, detail, NULL);
}

/* ---- values ---- */

static struct value value_of(enum state state)
{
    return (struct value){.state = state};
}

static struct value value_text(struct ym_str s)
{
    return (struct value){.state = V_TEXT, .text = s};
}

static struct value value_nomem(struct eval *e)
{
    e->nomem = true;
    return value_of(V_BAD);
}

static struct value copy_text(struct eval *e, struct ym_str s)
{
    char *p = ym_mem_get(&e->mem, s.n + 1);
    if (p == NULL) {
        return value_nomem(e);
    }
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return value_text((struct ym_str){p, s.n});
}

static struct value value_number(struct eval *e, int64_t v)
{
    char buf[24];
    int n = snprintf(buf, sizeof(buf), "%lld", (long long)v);
    return copy_text(e, (struct ym_str){buf, (size_t)n});
}

static struct value value_z(const char *z)
{
    return z != NULL ? value_text(ym_str_of(z)) : value_of(V_MISSING);
}

static struct value member(struct eval *e, const char *key)
{
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    if (!ym_scalar_text(json_object_get(e->ctx->record, key), buf, &s)) {
        return value_of(V_MISSING);
    }
    return copy_text(e, s);
}

static struct value named(struct eval *e, const struct ym_node *n)
{
    const struct ym_map_ctx *c = e->ctx;
    if (c == NULL) {
        return value_of(V_LATER);
    }
    switch (n->name) {
    case YM_NAME_NUMBER:
        return value_z(c->number);
    case YM_NAME_REF:
        return member(e, "id");
    case YM_NAME_REVISION:
        return member(e, "revision");
    case YM_NAME_OP:
        return value_z(c->op);
    case YM_NAME_NOW:
        return value_number(e, c->now_ms);
    case YM_NAME_ATTEMPT:
        return value_number(e, c->attempt);
    case YM_NAME_SECRET:
        return value_z(c->secret != NULL ? c->secret(c->data, n->name_arg) : NULL);
    case YM_NAME_SESSION:
        return value_z(c->session != NULL ? c->session(c->data, n->name_arg) : NULL);
    case YM_NAME_SETTINGS:
        break;
    }
    return value_z(ym_yaml_text(c->vars, n->name_arg));
}

/* The answer to a row's question, out of /data/extra. */
static struct value ask(struct eval *e, const struct ym_code_row *row)
{
    char buf[YM_SCALAR_MAX];
    struct ym_str said;
    const json_t *extra = json_object_get(json_object_get(e->view.record, "data"), "extra");
    const json_t *answer = row->ask != NULL ? json_object_get(extra, row->ask) : NULL;
    const char *at = ym_arena_printf(e->out->arena, "/extra/%s", row->ask != NULL ? row->ask : "");
    if (at == NULL) {
        return value_nomem(e);
    }
    if (!ym_scalar_text(answer, buf, &said) || said.n == 0) {
        object_at(e, YM_P_AMBIGUOUS, at, 0,
                  row->ask_en != NULL && row->ask_en[0] != '\0' ? row->ask_en : row->ask_zh,
                  row->ask_zh);
        return value_of(V_BAD);
    }
    for (const char *const *p = row->answers; p != NULL && p[0] != NULL; p += 2) {
        if (ym_str_is(said, p[0])) {
            return value_z(p[1]);
        }
    }
    object_at(e, YM_P_ENUM, at, 0, NULL, NULL);
    return value_of(V_BAD);
}

static struct value coded(struct eval *e, const struct ym_node *n, struct value v)
{
    if (n->codes != NULL) {
        const struct ym_code_row *row = ym_code_map_find(n->codes, v.text.p);
        if (row == NULL) {
            object(e, n, YM_P_UNMAPPED, 0, n->codes->name);
            return value_of(V_BAD);
        }
        return row->ambiguous ? ask(e, row) : value_z(row->to);
    }
    if (n->labels != NULL) {
        const struct ym_code *code = ym_code_find(n->labels, v.text.p);
        if (code == NULL) {
            object(e, n, YM_P_UNMAPPED, 0, n->labels->name);
            return value_of(V_BAD);
        }
        return value_z(code->label);
    }
    return v;
}

/* `join`: the array's scalars, mapped one by one, with the separator between. */
static struct value joined(struct eval *e, const struct ym_node *n, const json_t *array)
{
    struct ym_buf b;
    struct value v = value_of(V_MISSING);
    bool any = false;
    ym_buf_init(&b, YM_MAP_TEXT);
    for (size_t i = 0; i < json_array_size(array); i++) {
        char buf[YM_SCALAR_MAX];
        struct ym_str s;
        if (!ym_scalar_text(json_array_get(array, i), buf, &s)) {
            object(e, n, YM_P_TYPE, 0, "array of strings");
            v = value_of(V_BAD);
            goto done;
        }
        v = value_text(s);
        if (!n->apply_first) {
            v = coded(e, n, v);
        }
        if (v.state == V_BAD) {
            goto done;
        }
        if (v.state == V_TEXT && v.text.n != 0) {
            if (any) {
                ym_buf_add(&b, n->calls[0].a.p, n->calls[0].a.n);
            }
            ym_buf_add(&b, v.text.p, v.text.n);
            any = true;
        }
    }
    if (b.failed != YM_OK) {
        v = value_nomem(e);
    } else {
        v = any ? copy_text(e, ym_buf_str(&b)) : value_of(V_MISSING);
    }
done:
    ym_buf_clear(&b);
    return v;
}

/* What the pointer finds: text, raw, or a problem. *mapped: codes were applied on the way. */
static struct value found(struct eval *e, const struct ym_node *n, bool *mapped)
{
    const json_t *j = ym_ptr_get(n->from, &e->view);
    if (j == NULL || json_is_null(j)) {
        /* The envelope around data is made after the check. */
        bool later = e->ctx == NULL && n->from->root && !n->from->in_data;
        return value_of(later ? V_LATER : V_MISSING);
    }
    if (json_is_string(j)) {
        struct value v = value_text((struct ym_str){json_string_value(j), json_string_length(j)});
        v.json = j;
        v.state = n->as == YM_AS_RAW ? V_RAW : V_TEXT;
        return v;
    }
    if (n->as == YM_AS_RAW) {
        return (struct value){.state = V_RAW, .json = j};
    }
    if (json_is_array(j) && n->call_count > 0 && ym_call_joins(&n->calls[0])) {
        *mapped = !n->apply_first;
        return joined(e, n, j);
    }
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    if (!ym_scalar_text(j, buf, &s)) {
        object(e, n, YM_P_TYPE, 0, "string");
        return value_of(V_BAD);
    }
    return copy_text(e, s);
}

static struct value applied(struct eval *e, const struct ym_node *n, struct value v)
{
    struct ym_fn_env env = {&e->mem, e->offset_min};
    for (size_t i = 0; i < n->call_count; i++) {
        struct ym_str to = YM_STR_NULL;
        enum ym_fn_result r = ym_call_run(&n->calls[i], &env, v.text, &to);
        if (r == YM_FN_NOMEM) {
            return value_nomem(e);
        }
        if (r == YM_FN_BAD) {
            object(e, n, YM_P_FORMAT, 0, ym_call_expects(&n->calls[i]));
            return value_of(V_BAD);
        }
        v = value_text(to);
    }
    return v;
}

static struct value concat(struct eval *e, const struct ym_node *n);

/* Source, codes, functions, default: what will stand in the target. */
static struct value evaluate(struct eval *e, const struct ym_node *n)
{
    struct value v = value_of(V_MISSING);
    bool mapped = false, own = false;
    switch (n->source) {
    case YM_SRC_FROM:
        v = found(e, n, &mapped);
        own = v.state != V_MISSING && (n->from->in_data || !n->from->root);
        break;
    case YM_SRC_NAME:
        v = named(e, n);
        break;
    case YM_SRC_CONST:
        v = value_text(n->constant);
        break;
    case YM_SRC_CONCAT:
        v = concat(e, n);
        own = v.own;
        break;
    case YM_SRC_FIELDS:
        break;
    }
    if (v.state == V_TEXT && v.text.n != 0 && n->apply_first) {
        v = applied(e, n, v);
    }
    if (v.state == V_TEXT && v.text.n != 0 && !mapped) {
        v = coded(e, n, v);
    }
    if (v.state == V_TEXT && v.text.n != 0 && !n->apply_first) {
        v = applied(e, n, v);
    }
    /* Empty text is as good as nothing, unless the adapter wrote it as a constant. */
    if (v.state == V_TEXT && v.text.n == 0 && n->source != YM_SRC_CONST) {
        v = value_of(V_MISSING);
    }
    if (v.state == V_MISSING && n->has_def) {
        v = value_text(n->def);
    }
    v.own = own;
    return v;
}

static struct value concat(struct eval *e, const struct ym_node *n)
{
    struct ym_buf b;
    struct value v = value_of(V_MISSING);
    bool later = false, bad = false, own = false;
    ym_buf_init(&b, YM_MAP_TEXT);
    for (size_t i = 0; i < n->kid_count; i++) {
        if (!ym_when_eval(n->kids[i].when, &e->view)) {
            continue;
        }
        v = evaluate(e, &n->kids[i]);
        if (v.state == V_TEXT) {
            ym_buf_add(&b, v.text.p, v.text.n);
        }
        later = later || v.state == V_LATER;
        bad = bad || v.state == V_BAD;
        own = own || v.own;
    }
    /* With a part still to come, only the length of the rest can be judged. */
    bool more = n->call_count != 0 || n->codes != NULL || n->labels != NULL;
    if (bad) {
        v = value_of(V_BAD);
    } else if (later && (more || n->as != YM_AS_STRING)) {
        v = value_of(V_LATER);
    } else if (b.failed != YM_OK) {
        v = value_nomem(e);
    } else if (b.n != 0) {
        v = copy_text(e, ym_buf_str(&b));
    } else {
        v = value_of(later ? V_LATER : V_MISSING);
    }
    ym_buf_clear(&b);
    v.own = own;
    return v;
}

/* ---- judging one value ---- */

static bool is_number(struct ym_str s)
{
    char *end;
    if (s.n == 0 || s.n > 40 || strspn(s.p, "0123456789+-.eE") != s.n) {
        return false;
    }
    strtod(s.p, &end);
    return *end == '\0';
}

static bool fits(const struct ym_node *n, struct ym_str s, const char **ret_type)
{
    int64_t i;
    switch (n->as) {
    case YM_AS_INTEGER:
        *ret_type = "integer";
        return ym_int_parse(s, &i);
    case YM_AS_NUMBER:
        *ret_type = "number";
        return is_number(s);
    case YM_AS_BOOLEAN:
        *ret_type = "boolean";
        return ym_str_is(s, "true") || ym_str_is(s, "false") || ym_str_is(s, "1") ||
               ym_str_is(s, "0");
    default:
        return true;
    }
}

static void judge(struct eval *e, const struct ym_node *n, struct value *v)
{
    const char *type = NULL;
    if (v->state == V_MISSING && n->required) {
        object(e, n, YM_P_REQUIRED, 0, NULL);
        v->state = V_BAD;
    }
    if (v->state != V_TEXT) {
        return;
    }
    if (n->max != 0 && v->text.n > (size_t)n->max &&
        ym_utf8_length(v->text.p, v->text.n) > (size_t)n->max) {
        object(e, n, YM_P_TOO_LONG, n->max, NULL);
        v->state = V_BAD;
    }
    if (e->charset != NULL && !ym_charset_covers(e->charset, v->text)) {
        object(e, n, YM_P_CHARSET, 0, NULL);
        v->state = V_BAD;
    }
    if (!fits(n, v->text, &type)) {
        object(e, n, YM_P_TYPE, 0, type);
        v->state = V_BAD;
    }
}

/* ---- building ---- */

/* Puts v (its reference is taken) at the path below into. append: `each` adds to what is there. */
static void put(struct eval *e, json_t *into, const struct ym_node *n, json_t *v, bool append)
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

static json_t *as_json(const struct ym_node *n, const struct value *v)
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

static void leaf_put(struct eval *e, const struct ym_node *n, const struct value *v, json_t *into)
{
    if ((v->state == V_TEXT || v->state == V_RAW) && e->ctx->filled != NULL && v->own) {
        (*e->ctx->filled)++;
    }
    if (v->state == V_TEXT || v->state == V_RAW) {
        /* Foreign session values are the only text that jansson has not seen yet. */
        if (v->state == V_TEXT && !ym_utf8_valid(v->text.p, v->text.n)) {
            object(e, n, YM_P_FORMAT, 0, "UTF-8");
            return;
        }
        json_t *value = as_json(n, v);
        if (e->ctx->seen != NULL && value != NULL) {
            const struct ym_ptr *p = pointer_of(n);
            e->ctx->seen(e->ctx->seen_data, n->at, p != NULL ? place_of(e, p) : "", value);
        }
        put(e, into, n, value, false);
    } else if (v->state == V_MISSING && n->empty == YM_EMPTY_SEND) {
        put(e, into, n, json_string(""), false);
    } else if (v->state == V_MISSING && n->empty == YM_EMPTY_NULL) {
        put(e, into, n, json_null(), false);
    }
}

/* ---- groups ---- */

static void walk(struct eval *e, const struct ym_node *nodes, size_t count, json_t *into);

/* Does something below have to be there, although there is no item? */
static bool wants(struct eval *e, const struct ym_node *n)
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
static json_t *encoded(struct eval *e, const struct ym_node *n, json_t *doc)
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

static void group_one(struct eval *e, const struct ym_node *n, json_t *into)
{
    if (into == NULL || n->to_count == 0) {
        walk(e, n->kids, n->kid_count, into);
        return;
    }
    /* Two groups may fill one object. */
    json_t *doc = json_object();
    if (doc == NULL) {
        e->nomem = true;
        return;
    }
    walk(e, n->kids, n->kid_count, doc);
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

static void group_item(struct eval *e, const struct ym_node *n, json_t *list, json_t *into)
{
    if (n->how == YM_OVER_FIRST) {
        group_one(e, n, into);
        return;
    }
    json_t *doc = list != NULL ? json_object() : NULL;
    if (list != NULL && doc == NULL) {
        e->nomem = true;
        return;
    }
    walk(e, n->kids, n->kid_count, doc);
    if (doc != NULL && json_array_append_new(list, doc) != 0) {
        e->nomem = true;
    }
}

static void group_over(struct eval *e, const struct ym_node *n, json_t *into)
{
    const json_t *array = ym_ptr_get(n->over, &e->view);
    const struct ym_frame *up = e->view.frame;
    bool each = n->how == YM_OVER_EACH, any = false;
    json_t *list = each && into != NULL ? json_array() : NULL;
    if (each && into != NULL && list == NULL) {
        e->nomem = true;
        return;
    }
    if (array != NULL && !json_is_null(array) && !json_is_array(array)) {
        object_at(e, YM_P_TYPE, place_of(e, n->over), 0, "array", NULL);
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct ym_frame f = {up, n->over, i, json_array_get(array, i)};
        e->view.frame = &f;
        if (ym_when_eval(n->where, &e->view)) {
            any = true;
            group_item(e, n, list, into);
        }
        e->view.frame = up;
        if (any && !each) {
            break;
        }
    }
    if (!any && (each ? n->required : wants(e, n))) {
        object_at(e, YM_P_REQUIRED, place_of(e, n->over), 0, NULL, NULL);
    }
    if (list != NULL && (any || n->empty == YM_EMPTY_SEND)) {
        put(e, into, n, encoded(e, n, list), true);
    } else {
        json_decref(list);
    }
}

/* A string that is there and short enough: most fields of most checks end here. */
static bool plainly_good(struct eval *e, const struct ym_node *n)
{
    if (!n->plain || e->charset != NULL) {
        return false;
    }
    const json_t *j = ym_ptr_get(n->from, &e->view);
    size_t len = j != NULL && json_is_string(j) ? json_string_length(j) : 0;
    return len != 0 && (n->max == 0 || len <= (size_t)n->max);
}

static void walk(struct eval *e, const struct ym_node *nodes, size_t count, json_t *into)
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
        e->mem.p = e->scratch;
        e->mem.left = YM_MAP_SCRATCH;
        struct value v = evaluate(e, n);
        judge(e, n, &v);
        if (into != NULL) {
            leaf_put(e, n, &v, into);
        }
    }
}

/* ---- the public calls ---- */

void ym_map_judge(const struct ym_map *m, const struct ym_judge *j, struct ym_problems *out)
{
    char scratch[YM_MAP_SCRATCH];
    struct eval e = {.view = {j->record, j->values, j->remap, NULL},
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

ym_status ym_map_run(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                     json_t **ret, struct ym_problems *problems)
{
    char scratch[YM_MAP_SCRATCH];
    struct eval e = {.view = {ctx->record, NULL, NULL, NULL},
                     .ctx = ctx,
                     .offset_min = ctx->offset_min,
                     .out = problems,
                     .mem = {scratch, sizeof(scratch), a},
                     .scratch = scratch};
    json_t *doc = json_object();
    ym_status rc = YM_OK;
    if (doc == NULL) {
        return YM_ENOMEM;
    }
    walk(&e, m->nodes, m->node_count, doc);
    ym_wipe(scratch, sizeof(scratch));
    if (e.nomem) {
        rc = YM_ENOMEM;
    } else if (e.objections != 0) {
        rc = YM_EINVAL;
    }
    if (rc != YM_OK) {
        json_decref(doc);
        return rc;
    }
    *ret = doc;
    return YM_OK;
}
