/* SPDX-License-Identifier: Apache-2.0
 * `sign:` of an operation: the scheme runs over the final bytes and its values go where the adapter
 * says.
 */
#include "ym_render_int.h"

#include "ym_json_fast.h"
#include "ym_sign.h"

#include <stdlib.h>

#define SIGN_PAIRS 16
#define JOB_JSON_MAX (24u << 20) /* of one body, attachments in Base64 included */

/* Where parameter values come from. */
struct params {
    const struct ym_job *j;
    const struct ym_yaml *node; /* sign.params */
};

/* `$secret.NAME` and its like, or the text itself. */
static const char *value_of(const struct ym_job *j, const char *text)
{
    const struct ym_map_ctx *m = &j->map;

    if (text == NULL || *text != '$') {
        return text;
    }
    if (strncmp(text, "$secret.", 8) == 0) {
        return m->secret != NULL ? m->secret(m->data, text + 8) : NULL;
    }
    if (strncmp(text, "$session.", 9) == 0) {
        return m->session != NULL ? m->session(m->data, text + 9) : NULL;
    }
    if (strncmp(text, "$settings.", 10) == 0) {
        return ym_yaml_text(m->vars, text + 10);
    }
    if (strcmp(text, "$ref") == 0) {
        return ym_json_str(m->record, "id");
    }
    return strcmp(text, "$number") == 0 ? m->number : NULL;
}

static const char *param_of(void *data, const char *name)
{
    const struct params *p = data;

    return value_of(p->j, ym_yaml_text(p->node, name));
}

/* The path and the raw query of a URL. */
static ym_status split_url(struct ym_job *j, const char *url, const char **path, const char **query)
{
    const char *host = strstr(url, "://");
    const char *start = host != NULL ? strchr(host + 3, '/') : url;
    size_t n;

    start = start != NULL ? start : "/";
    n = strcspn(start, "?#");
    *path = ym_arena_str(j->a, (struct ym_str){start, n});
    *query = start[n] == '?' ? start + n + 1 : "";
    return *path != NULL ? YM_OK : ym_job_nomem(j);
}

static ym_status run(struct ym_job *j, const struct ym_yaml *sign, struct ym_pair *pairs,
                     size_t *count)
{
    struct params p = {j, ym_yaml_get(sign, "params")};
    struct ym_sign_input in = {
        .method = j->w->method,
        .body = j->w->body,
        .now_ms = j->map.now_ms,
        .nonce = j->given->nonce != NULL ? j->given->nonce : "",
        .offset_min = j->map.offset_min,
        .param = param_of,
        .data = &p,
    };
    ym_status rc = split_url(j, j->w->url, &in.path, &in.query);

    if (rc == YM_OK) {
        rc = ym_sign(ym_yaml_text(sign, "scheme"), &in, j->a, pairs, SIGN_PAIRS, count, j->err);
    }
    if (rc == YM_OK) {
        j->w->marks = ym_arena_copy(j->a, pairs, *count * sizeof(*pairs));
        j->w->mark_count = j->w->marks != NULL ? *count : 0;
        rc = j->w->marks != NULL ? YM_OK : ym_job_nomem(j);
    }
    return rc;
}

ym_status ym_job_dump(struct ym_job *j, const json_t *doc, struct ym_str *ret)
{
    struct ym_buf text;
    struct ym_str utf8 = YM_STR_NULL;

    ym_buf_init(&text, JOB_JSON_MAX);
    if (ym_json_write(doc, &text) == YM_OK) {
        utf8.n = text.n;
        utf8.p = ym_arena_copy(j->a, text.p, text.n + 1);
    }
    ym_buf_wipe(&text);
    return utf8.p != NULL ? ym_job_encode(j, utf8, ret) : ym_job_nomem(j);
}

ym_status ym_job_write(struct ym_job *j, const char *place, struct ym_str *ret)
{
    const struct ym_map *m = ym_job_map(j, place);
    struct ym_str utf8 = YM_STR_NULL;
    struct ym_buf text;
    ym_status rc;

    ym_buf_init(&text, JOB_JSON_MAX);
    rc = m != NULL ? ym_map_write(m, &j->map, j->a, &text, j->problems) : ym_buf_adds(&text, "{}");
    if (rc == YM_OK) {
        utf8.n = text.n;
        utf8.p = ym_arena_copy(j->a, text.p, text.n + 1);
    }
    ym_buf_wipe(&text);
    if (rc != YM_OK) {
        return rc == YM_EINVAL ? rc : ym_job_nomem(j);
    }
    return utf8.p != NULL ? ym_job_encode(j, utf8, ret) : ym_job_nomem(j);
}

/* sm_envelope: the body gives way to the envelope (domain.md §3.13). */
static ym_status envelope(struct ym_job *j, const struct ym_pair *pairs, size_t count)
{
    json_t *outer = json_pack("{s:{s:{s:s}}}", "data", "data", pairs[0].name, pairs[0].value);
    json_t *data = json_object_get(outer, "data");
    ym_status rc = outer != NULL ? YM_OK : ym_job_nomem(j);

    for (size_t i = 1; rc == YM_OK && i < count; i++) {
        if (json_object_set_new(data, pairs[i].name, json_string(pairs[i].value)) != 0) {
            rc = ym_job_nomem(j);
        }
    }
    if (rc == YM_OK) {
        rc = ym_job_dump(j, outer, &j->w->body);
    }
    json_decref(outer);
    return rc;
}

static ym_status into_body(struct ym_job *j, const struct ym_yaml *sign, json_t *doc,
                           struct ym_pairs *form, const struct ym_pair *pairs, size_t count)
{
    ym_status rc = YM_OK;

    if (strcmp(ym_yaml_text(sign, "scheme"), "sm_envelope") == 0) {
        return envelope(j, pairs, count);
    }
    for (size_t i = 0; i < count && rc == YM_OK; i++) {
        if (form != NULL) {
            rc = ym_pairs_add(j, form, pairs[i].name, pairs[i].value);
        } else if (doc == NULL ||
                   json_object_set_new(doc, pairs[i].name, json_string(pairs[i].value)) != 0) {
            rc = doc != NULL
                     ? ym_job_nomem(j)
                     : ym_err_set(j->err, YM_EINVAL, "sign into body needs a json or form body");
        }
    }
    if (rc != YM_OK) {
        return rc;
    }
    return form != NULL ? ym_job_form(j, form, &j->w->body) : ym_job_dump(j, doc, &j->w->body);
}

static ym_status into_query(struct ym_job *j, const struct ym_pair *pairs, size_t count)
{
    struct ym_buf b;
    struct ym_str text;
    ym_status rc;

    ym_buf_init(&b, 65536);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            ym_buf_addc(&b, '&');
        }
        ym_buf_add_uri(&b, ym_str_of(pairs[i].name));
        ym_buf_addc(&b, '=');
        ym_buf_add_uri(&b, ym_str_of(pairs[i].value));
    }
    rc = ym_job_take(j, &b, &text);
    return rc == YM_OK ? ym_url_append(j, text.p) : rc;
}

bool ym_job_signs_body(const struct ym_job *j)
{
    const char *into = ym_yaml_text(ym_yaml_get(j->op->node, "sign"), "into");

    return into != NULL && strcmp(into, "body") == 0;
}

ym_status ym_job_sign(struct ym_job *j, json_t *doc, struct ym_pairs *form)
{
    const struct ym_yaml *sign = ym_yaml_get(j->op->node, "sign");
    const char *into = ym_yaml_text(sign, "into");
    struct ym_pair pairs[SIGN_PAIRS];
    size_t count = 0;
    ym_status rc;

    if (sign == NULL || (into != NULL && strcmp(into, "soap_header") == 0)) {
        return YM_OK;
    }
    rc = run(j, sign, pairs, &count);
    if (rc != YM_OK) {
        return rc;
    }
    if (into != NULL && strcmp(into, "query") == 0) {
        return into_query(j, pairs, count);
    }
    if (into != NULL && strcmp(into, "body") == 0) {
        return into_body(j, sign, doc, form, pairs, count);
    }
    for (size_t i = 0; i < count && rc == YM_OK; i++) {
        rc = ym_job_header(j, pairs[i].name, pairs[i].value);
    }
    return rc;
}

ym_status ym_job_sign_soap(struct ym_job *j, json_t *header)
{
    const struct ym_yaml *sign = ym_yaml_get(j->op->node, "sign");
    const char *into = ym_yaml_text(sign, "into");
    const char *under = ym_yaml_text(sign, "under");
    struct ym_pair pairs[SIGN_PAIRS];
    json_t *place = header;
    size_t count = 0;
    ym_status rc;

    if (into == NULL || strcmp(into, "soap_header") != 0) {
        return YM_OK;
    }
    rc = run(j, sign, pairs, &count); /* before there is a body: these schemes do not cover it */
    if (rc == YM_OK && under != NULL) {
        place = json_object_get(header, under);
        if (!json_is_object(place)) {
            place = json_object();
            if (json_object_set_new(header, under, place) != 0) {
                return ym_job_nomem(j);
            }
        }
    }
    for (size_t i = 0; i < count && rc == YM_OK; i++) {
        if (json_object_set_new(place, pairs[i].name, json_string(pairs[i].value)) != 0) {
            rc = ym_job_nomem(j);
        }
    }
    return rc;
}
