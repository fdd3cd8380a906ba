/* SPDX-License-Identifier: Apache-2.0
 * The way from a record to a wire: tables run, placeholders, charset, pairs; then the transport's
 * own part.
 */
#include "ym_render_int.h"

#include "ym_codec.h"
#include "ym_html.h"
#include "ym_xml_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

ym_status ym_job_nomem(struct ym_job *j)
{
    return ym_err_set(j->err, YM_ENOMEM, "out of memory");
}

const char *ym_job_text(const struct ym_job *j, const char *key, const char *def)
{
    const char *v = ym_yaml_text(j->op->node, key);

    if (v == NULL) {
        v = ym_yaml_text(ym_yaml_get(j->sys->node, "connection"), key);
    }
    return v != NULL ? v : def;
}

static void free_json(void *json)
{
    json_decref(json);
}

const struct ym_map *ym_job_map(const struct ym_job *j, const char *place)
{
    for (size_t i = 0; i < j->op->table_count; i++) {
        if (strcmp(j->op->tables[i].place, place) == 0) {
            return j->op->tables[i].map;
        }
    }
    return NULL;
}

ym_status ym_job_table_own(struct ym_job *j, const char *place, json_t **ret)
{
    const struct ym_map *m = ym_job_map(j, place);

    if (m != NULL) {
        return ym_map_run(m, &j->map, j->a, ret, j->problems);
    }
    *ret = json_object();
    return *ret != NULL ? YM_OK : ym_job_nomem(j);
}

ym_status ym_job_table(struct ym_job *j, const char *place, json_t **ret)
{
    json_t *doc = NULL;
    ym_status rc = ym_job_table_own(j, place, &doc);

    if (rc != YM_OK) {
        return rc;
    }
    if (ym_arena_cleanup(j->a, free_json, doc) != YM_OK) {
        json_decref(doc);
        return ym_job_nomem(j);
    }
    *ret = doc;
    return YM_OK;
}

/* ---- placeholders ---- */

static const char *placeholder(struct ym_job *j, struct ym_str key)
{
    const json_t *record = j->map.record;

    if (ym_str_is(key, "ref")) {
        return ym_json_str(record, "id");
    }
    if (ym_str_is(key, "type")) {
        return ym_json_str(record, "type");
    }
    if (ym_str_is(key, "number")) {
        return j->map.number;
    }
    if (ym_str_is(key, "op")) {
        return j->map.op != NULL ? j->map.op : j->op->name;
    }
    if (ym_str_is(key, "revision")) {
        return ym_scalar_of(json_object_get(record, "revision"), j->a);
    }
    return NULL;
}

ym_status ym_job_fill(struct ym_job *j, const char *template, const char *name, const char **ret)
{
    struct ym_buf b;
    struct ym_str out;
    ym_status rc;

    ym_buf_init(&b, 8192);
    ym_buf_adds(&b, "");
    while (*template != '\0') {
        size_t n = strcspn(template, "{");
        struct ym_str key = {template + n + 1, 0};
        const char *value;

        ym_buf_add(&b, template, n);
        if (template[n] == '\0') {
            break;
        }
        key.n = strcspn(key.p, "}");
        if (name != NULL && ym_str_is(key, "name")) {
            ym_buf_adds(&b, name);
        } else {
            value = placeholder(j, key);
            if (value == NULL || *value == '\0') {
                ym_buf_clear(&b);
                return ym_err_set(j->err, YM_EINVAL,
                                  "operation %s needs {%.*s}, which this record does not have yet",
                                  j->op->name, (int)key.n, key.p);
            }
            ym_buf_add_uri(&b, ym_str_of(value));
        }
        template = key.p + key.n + (key.p[key.n] == '}');
    }
    rc = ym_job_take(j, &b, &out);
    *ret = out.p;
    return rc;
}

ym_status ym_job_url(struct ym_job *j, const char *path, const char **ret)
{
    const char *base = j->sys->endpoint;
    const char *filled = NULL;
    size_t n;
    ym_status rc = ym_job_fill(j, path, NULL, &filled);

    if (rc != YM_OK) {
        return rc;
    }
    if (base == NULL) {
        return ym_err_set(j->err, YM_EINVAL, "system %s has no endpoint; its site file names one",
                          j->sys->id);
    }
    n = strlen(base);
    while (n > 0 && base[n - 1] == '/' && *filled == '/') {
        n--;
    }
    *ret = ym_arena_printf(
        j->a, "%.*s%s%s", (int)n, base,
        *filled == '/' || *filled == '\0' || (n > 0 && base[n - 1] == '/') ? "" : "/", filled);
    return *ret != NULL ? YM_OK : ym_job_nomem(j);
}

ym_status ym_url_append(struct ym_job *j, const char *query)
{
    if (*query == '\0') {
        return YM_OK;
    }
    j->w->url =
        ym_arena_printf(j->a, "%s%c%s", j->w->url, strchr(j->w->url, '?') ? '&' : '?', query);
    return j->w->url != NULL ? YM_OK : ym_job_nomem(j);
}

/* ---- charset ---- */

ym_status ym_job_take(struct ym_job *j, struct ym_buf *b, struct ym_str *ret)
{
    ym_status rc = b->failed;

    if (rc == YM_OK) {
        ret->n = b->n;
        ret->p = ym_arena_str(j->a, ym_buf_str(b));
        rc = ret->p != NULL ? YM_OK : YM_ENOMEM;
    }
    ym_buf_wipe(b);
    if (rc != YM_OK) {
        ym_err_set(j->err, rc,
                   rc == YM_ETOOBIG ? "the rendered message is too large (limit %u)"
                                    : "out of memory (%u)",
                   YM_RENDER_BYTES);
    }
    return rc;
}

/* Does a pointer of the record fit a leaf's pattern, where "-" stands for any item? */
static bool fits(const char *pattern, const char *pointer)
{
    while (*pattern != '\0' && *pointer != '\0') {
        size_t n = strcspn(pattern + 1, "/") + 1, m = strcspn(pointer + 1, "/") + 1;

        if (!(n == 2 && pattern[1] == '-') && (n != m || memcmp(pattern, pointer, n) != 0)) {
            return false;
        }
        pattern += n;
        pointer += m;
    }
    return *pattern == *pointer;
}

static bool leaves(const struct ym_job *j, const char *pointer)
{
    for (size_t t = 0; t < j->op->table_count; t++) {
        const struct ym_map *m = j->op->tables[t].map;

        for (size_t i = 0; i < ym_map_leaf_count(m); i++) {
            const struct ym_map_leaf *leaf = ym_map_leaf_at(m, i);

            if (leaf->pointer != NULL && fits(leaf->pointer, pointer)) {
                return true;
            }
        }
    }
    return false;
}

static bool loses(struct ym_job *j, const json_t *string)
{
    struct ym_buf b;
    size_t lost = 0;
    bool bad;

    ym_buf_init(&b, YM_RENDER_BYTES);
    bad = ym_charset_convert("utf-8", j->charset,
                             (struct ym_str){json_string_value(string), json_string_length(string)},
                             &b, &lost, NULL) == YM_OK &&
          lost > 0;
    ym_buf_wipe(&b);
    return bad;
}

/* Names every text of the record that leaves for this system and cannot be written. */
static void find_lost(struct ym_job *j, const json_t *v, const char *pointer, int depth)
{
    const char *key;
    json_t *item;
    size_t i;

    if (depth > YM_RENDER_DEPTH || pointer == NULL) {
        return;
    }
    if (json_is_string(v) && leaves(j, pointer) && loses(j, v)) {
        ym_problems_add(j->problems, YM_P_CHARSET, pointer + strlen("/data"), j->sys->id, 0,
                        j->charset, NULL);
    } else if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, item)
        {
            find_lost(j, item, ym_arena_printf(j->a, "%s/%s", pointer, key), depth + 1);
        }
    } else if (json_is_array(v)) {
        json_array_foreach((json_t *)v, i, item)
        {
            find_lost(j, item, ym_arena_printf(j->a, "%s/%zu", pointer, i), depth + 1);
        }
    }
}

static ym_status lost_characters(struct ym_job *j)
{
    size_t before = j->problems->total;

    find_lost(j, json_object_get(j->map.record, "data"), "/data", 0);
    if (j->problems->total == before) {
        ym_problems_add(j->problems, YM_P_CHARSET, "", j->sys->id, 0, j->charset, NULL);
    }
    return YM_EINVAL;
}

ym_status ym_job_encode(struct ym_job *j, struct ym_str utf8, struct ym_str *ret)
{
    struct ym_buf b;
    size_t lost = 0;
    ym_status rc;

    if (strcasecmp(j->charset, "utf-8") == 0 || utf8.n == 0) {
        *ret = utf8;
        return YM_OK;
    }
    ym_buf_init(&b, YM_RENDER_BYTES);
    rc = ym_charset_convert("utf-8", j->charset, utf8, &b, &lost, j->err);
    if (rc != YM_OK || lost > 0) {
        ym_buf_wipe(&b);
        return rc != YM_OK ? rc : lost_characters(j);
    }
    return ym_job_take(j, &b, ret);
}

/* ---- headers ---- */

bool ym_job_has_header(const struct ym_job *j, const char *name)
{
    for (size_t i = 0; i < j->w->header_count; i++) {
        if (strcasecmp(j->w->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool header_name(const char *name)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return *name != '\0' && name[strspn(name, token)] == '\0';
}

ym_status ym_job_header(struct ym_job *j, const char *name, const char *value)
{
    if (j->w->headers == NULL) {
        j->w->headers = ym_arena_alloc(j->a, YM_RENDER_HEADERS * sizeof(*j->w->headers));
    }
    if (j->w->headers == NULL || value == NULL) {
        return ym_job_nomem(j);
    }
    if (j->w->header_count == YM_RENDER_HEADERS) {
        return ym_err_set(j->err, YM_ETOOBIG, "more than %d headers", YM_RENDER_HEADERS);
    }
    if (!header_name(name)) {
        return ym_err_set(j->err, YM_EINVAL, "%s is no name of a header", name);
    }
    for (const char *p = value; *p != '\0'; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7F) {
            return ym_err_set(j->err, YM_EINVAL,
                              "header %s would hold a line end or control character; apply oneline",
                              name);
        }
    }
    j->w->headers[j->w->header_count++] = (struct ym_pair){name, value};
    return YM_OK;
}

ym_status ym_job_headers(struct ym_job *j, const char *place)
{
    json_t *doc = NULL;
    struct ym_pairs p = {NULL, 0, 0};
    ym_status rc = ym_job_table(j, place, &doc);

    if (rc == YM_OK) {
        rc = ym_pairs_flatten(j, doc, &p);
    }
    for (size_t i = 0; rc == YM_OK && i < p.count; i++) {
        rc = ym_job_header(j, p.items[i].name, p.items[i].value != NULL ? p.items[i].value : "");
    }
    return rc;
}

/* ---- pairs ---- */

ym_status ym_pairs_add(struct ym_job *j, struct ym_pairs *p, const char *name, const char *value)
{
    if (p->count == p->cap) {
        size_t cap = p->cap > 0 ? 2 * p->cap : 32;
        struct ym_pair *more;

        if (cap > YM_RENDER_PAIRS) {
            return ym_err_set(j->err, YM_ETOOBIG, "more than %d values", YM_RENDER_PAIRS);
        }
        more = ym_arena_alloc(j->a, cap * sizeof(*more));
        if (more == NULL) {
            return ym_job_nomem(j);
        }
        if (p->count > 0) {
            memcpy(more, p->items, p->count * sizeof(*more));
        }
        p->items = more;
        p->cap = cap;
    }
    p->items[p->count++] = (struct ym_pair){name, value};
    return YM_OK;
}

static ym_status flatten(struct ym_job *j, const json_t *v, const char *name, struct ym_pairs *p,
                         int depth)
{
    const char *key, *text;
    json_t *item;
    size_t i;
    ym_status rc = YM_OK;

    if (name == NULL || depth > YM_RENDER_DEPTH) {
        return name == NULL ? ym_job_nomem(j)
                            : ym_err_set(j->err, YM_ETOOBIG, "the document nests too deeply");
    }
    if (json_is_object(v) && json_object_get(v, "#cdata") == NULL) {
        json_object_foreach((json_t *)v, key, item)
        {
            const char *full = *name != '\0' ? ym_arena_printf(j->a, "%s.%s", name, key)
                                             : ym_arena_strz(j->a, key);

            if ((rc = flatten(j, item, full, p, depth + 1)) != YM_OK) {
                return rc;
            }
        }
        return YM_OK;
    }
    if (json_is_array(v)) {
        json_array_foreach((json_t *)v, i, item)
        {
            const char *full = json_is_object(item) || json_is_array(item)
                                   ? ym_arena_printf(j->a, "%s[%zu]", name, i)
                                   : name;

            if ((rc = flatten(j, item, full, p, depth + 1)) != YM_OK) {
                return rc;
            }
        }
        return YM_OK;
    }
    if (json_is_null(v)) {
        return ym_pairs_add(j, p, name, NULL);
    }
    text = ym_scalar_of(v, j->a);
    return text != NULL ? ym_pairs_add(j, p, name, text) : ym_job_nomem(j);
}

ym_status ym_pairs_flatten(struct ym_job *j, const json_t *doc, struct ym_pairs *p)
{
    return flatten(j, doc, "", p, 0);
}

ym_status ym_job_form(struct ym_job *j, const struct ym_pairs *p, struct ym_str *ret)
{
    struct ym_buf b;
    size_t lost = 0;
    ym_status rc;

    for (size_t i = 0; i < p->count; i++) {
        p->items[i].value = p->items[i].value != NULL ? p->items[i].value : "";
    }
    ym_buf_init(&b, YM_RENDER_BYTES);
    ym_buf_adds(&b, "");
    rc = ym_form_encode(p->items, p->count, j->charset, &b, &lost, j->err);
    if (rc != YM_OK || lost > 0) {
        ym_buf_wipe(&b);
        return rc != YM_OK ? rc : lost_characters(j);
    }
    return ym_job_take(j, &b, ret);
}

/* ---- the door ---- */

ym_status ym_render(const struct ym_system *sys, const struct ym_operation *op,
                    const struct ym_render_ctx *ctx, struct ym_arena *a, struct ym_wire *ret,
                    struct ym_problems *problems, struct ym_err *err)
{
    static const struct {
        const char *transport;
        ym_status (*render)(struct ym_job *j);
    } parts[] = {
        {"http", ym_render_http}, {"soap", ym_render_soap}, {"form", ym_render_form},
        {"sql", ym_render_sql},   {"file", ym_render_file}, {"handoff", ym_render_card},
    };
    struct ym_job j = {sys, op, ctx, ctx->map, sys->settings.charset, a, ret, problems, err};

    memset(ret, 0, sizeof(*ret));
    ret->body = YM_STR("");
    j.charset = j.charset != NULL ? j.charset : "utf-8";
    if (j.map.vars == NULL) {
        j.map.vars = ym_yaml_get(sys->site, "vars");
    }
    for (size_t i = 0; i < YM_COUNT(parts); i++) {
        if (strcmp(parts[i].transport, sys->transport) == 0) {
            return parts[i].render(&j);
        }
    }
    return ym_err_set(err, YM_EUNSUPPORTED, "there is no transport %s", sys->transport);
}
