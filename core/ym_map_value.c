/* SPDX-License-Identifier: Apache-2.0
 * One field of a table: source, codes, functions, default, and whether the value will do
 * (ym_map_eval.h).
 */
#include "ym_map_eval.h"

#include "ym_charset.h"
#include "ym_conf.h"

#include <stdlib.h>

/* ---- problems ---- */

static const char *frame_path(struct ym_eval *e, const struct ym_frame *f)
{
    const char *head = f->base->root || f->up == NULL ? "" : frame_path(e, f->up);
    const char *p = ym_arena_printf(e->out->arena, "%s%s/%zu", head, f->base->text, f->index);
    return p != NULL ? p : "";
}

/* Where a pointer stands in `data`, RFC 6901. */
const char *ym_eval_place(struct ym_eval *e, const struct ym_ptr *p)
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

const struct ym_ptr *ym_eval_pointer(const struct ym_node *n)
{
    for (size_t i = 0; n->source == YM_SRC_CONCAT && i < n->kid_count; i++) {
        if (n->kids[i].from != NULL) {
            return n->kids[i].from;
        }
    }
    return n->from;
}

void ym_eval_object_at(struct ym_eval *e, enum ym_problem_code code, const char *pointer,
                       long limit, const char *detail, const char *detail_zh)
{
    e->objections++;
    if (ym_problems_add(e->out, code, pointer, e->system, limit, detail, detail_zh) == YM_ENOMEM) {
        e->nomem = true;
    }
}

void ym_eval_object(struct ym_eval *e, const struct ym_node *n, enum ym_problem_code code,
                    long limit, const char *detail)
{
    const struct ym_ptr *p = ym_eval_pointer(n);
    ym_eval_object_at(e, code, p != NULL ? ym_eval_place(e, p) : "", limit, detail, NULL);
}

/* ---- values ---- */

static struct ym_value value_of(enum ym_eval_state state)
{
    return (struct ym_value){.state = state};
}

static struct ym_value value_text(struct ym_str s)
{
    return (struct ym_value){.state = V_TEXT, .text = s};
}

static struct ym_value value_nomem(struct ym_eval *e)
{
    e->nomem = true;
    return value_of(V_BAD);
}

static struct ym_value copy_text(struct ym_eval *e, struct ym_str s)
{
    char *p = ym_mem_get(&e->mem, s.n + 1);
    if (p == NULL) {
        return value_nomem(e);
    }
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return value_text((struct ym_str){p, s.n});
}

static struct ym_value value_number(struct ym_eval *e, int64_t v)
{
    char buf[YM_INT_TEXT];
    size_t n = ym_int_text(v, buf);
    return copy_text(e, (struct ym_str){buf, n});
}

static struct ym_value value_z(const char *z)
{
    return z != NULL ? value_text(ym_str_of(z)) : value_of(V_MISSING);
}

static struct ym_value member(struct ym_eval *e, const char *key)
{
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    if (!ym_scalar_text(json_object_get(e->ctx->record, key), buf, &s)) {
        return value_of(V_MISSING);
    }
    return copy_text(e, s);
}

static struct ym_value named(struct ym_eval *e, const struct ym_node *n)
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
static struct ym_value ask(struct ym_eval *e, const struct ym_code_row *row)
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
        ym_eval_object_at(e, YM_P_AMBIGUOUS, at, 0,
                          row->ask_en != NULL && row->ask_en[0] != '\0' ? row->ask_en : row->ask_zh,
                          row->ask_zh);
        return value_of(V_BAD);
    }
    for (const char *const *p = row->answers; p != NULL && p[0] != NULL; p += 2) {
        if (ym_str_is(said, p[0])) {
            return value_z(p[1]);
        }
    }
    ym_eval_object_at(e, YM_P_ENUM, at, 0, NULL, NULL);
    return value_of(V_BAD);
}

static struct ym_value coded(struct ym_eval *e, const struct ym_node *n, struct ym_value v)
{
    if (n->codes != NULL) {
        const struct ym_code_row *row = ym_code_map_find(n->codes, v.text.p);
        if (row == NULL) {
            ym_eval_object(e, n, YM_P_UNMAPPED, 0, n->codes->name);
            return value_of(V_BAD);
        }
        return row->ambiguous ? ask(e, row) : value_z(row->to);
    }
    if (n->labels != NULL) {
        const struct ym_code *code = ym_code_find(n->labels, v.text.p);
        if (code == NULL) {
            ym_eval_object(e, n, YM_P_UNMAPPED, 0, n->labels->name);
            return value_of(V_BAD);
        }
        return value_z(code->label);
    }
    return v;
}

/* `join`: the array's scalars, mapped one by one, with the separator between. */
static struct ym_value joined(struct ym_eval *e, const struct ym_node *n, const json_t *array)
{
    struct ym_buf b;
    struct ym_value v = value_of(V_MISSING);
    bool any = false;
    ym_buf_init(&b, YM_MAP_TEXT);
    for (size_t i = 0; i < json_array_size(array); i++) {
        char buf[YM_SCALAR_MAX];
        struct ym_str s;
        if (!ym_scalar_text(json_array_get(array, i), buf, &s)) {
            ym_eval_object(e, n, YM_P_TYPE, 0, "array of strings");
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
static struct ym_value found(struct ym_eval *e, const struct ym_node *n, bool *mapped)
{
    const json_t *j = ym_ptr_get(n->from, &e->view);
    if (j == NULL || json_is_null(j)) {
        /* The envelope around data is made after the check. */
        bool later = e->ctx == NULL && n->from->root && !n->from->in_data;
        return value_of(later ? V_LATER : V_MISSING);
    }
    if (json_is_string(j)) {
        struct ym_value v =
            value_text((struct ym_str){json_string_value(j), json_string_length(j)});
        v.json = j;
        v.state = n->as == YM_AS_RAW ? V_RAW : V_TEXT;
        return v;
    }
    if (n->as == YM_AS_RAW) {
        return (struct ym_value){.state = V_RAW, .json = j};
    }
    if (json_is_array(j) && n->call_count > 0 && ym_call_joins(&n->calls[0])) {
        *mapped = !n->apply_first;
        return joined(e, n, j);
    }
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    if (!ym_scalar_text(j, buf, &s)) {
        ym_eval_object(e, n, YM_P_TYPE, 0, "string");
        return value_of(V_BAD);
    }
    return copy_text(e, s);
}

static struct ym_value applied(struct ym_eval *e, const struct ym_node *n, struct ym_value v)
{
    struct ym_fn_env env = {&e->mem, e->offset_min};
    for (size_t i = 0; i < n->call_count; i++) {
        struct ym_str to = YM_STR_NULL;
        enum ym_fn_result r = ym_call_run(&n->calls[i], &env, v.text, &to);
        if (r == YM_FN_NOMEM) {
            return value_nomem(e);
        }
        if (r == YM_FN_BAD) {
            ym_eval_object(e, n, YM_P_FORMAT, 0, ym_call_expects(&n->calls[i]));
            return value_of(V_BAD);
        }
        v = value_text(to);
    }
    return v;
}

static struct ym_value concat(struct ym_eval *e, const struct ym_node *n);

/* Source, codes, functions, default: what will stand in the target. */
static struct ym_value evaluate(struct ym_eval *e, const struct ym_node *n)
{
    struct ym_value v = value_of(V_MISSING);
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

static struct ym_value concat(struct ym_eval *e, const struct ym_node *n)
{
    struct ym_buf b;
    struct ym_value v = value_of(V_MISSING);
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

static void judge(struct ym_eval *e, const struct ym_node *n, struct ym_value *v)
{
    const char *type = NULL;
    if (v->state == V_MISSING && n->required) {
        ym_eval_object(e, n, YM_P_REQUIRED, 0, NULL);
        v->state = V_BAD;
    }
    if (v->state != V_TEXT) {
        return;
    }
    if (n->max != 0 && v->text.n > (size_t)n->max &&
        ym_utf8_length(v->text.p, v->text.n) > (size_t)n->max) {
        ym_eval_object(e, n, YM_P_TOO_LONG, n->max, NULL);
        v->state = V_BAD;
    }
    if (e->charset != NULL && !ym_charset_covers(e->charset, v->text)) {
        ym_eval_object(e, n, YM_P_CHARSET, 0, NULL);
        v->state = V_BAD;
    }
    if (!fits(n, v->text, &type)) {
        ym_eval_object(e, n, YM_P_TYPE, 0, type);
        v->state = V_BAD;
    }
}

struct ym_value ym_eval_field(struct ym_eval *e, const struct ym_node *n)
{
    e->mem.p = e->scratch;
    e->mem.left = YM_MAP_SCRATCH;
    struct ym_value v = evaluate(e, n);
    judge(e, n, &v);
    return v;
}
