/* SPDX-License-Identifier: Apache-2.0
 * HTTP requests (json, form, xml, none) and the fields of HTML forms.
 */
#include "ym_render_int.h"

#include "ym_xml_write.h"

/* The query table behind the path. */
static ym_status add_query(struct ym_job *j)
{
    json_t *doc = NULL;
    struct ym_pairs p = {NULL, 0, 0};
    struct ym_str text = YM_STR("");
    ym_status rc = ym_job_table(j, "query", &doc);

    if (rc == YM_OK) {
        rc = ym_pairs_flatten(j, doc, &p);
    }
    if (rc == YM_OK && p.count > 0) {
        rc = ym_job_form(j, &p, &text);
    }
    return rc == YM_OK ? ym_url_append(j, text.p) : rc;
}

static ym_status content_type(struct ym_job *j, const char *type)
{
    return ym_job_has_header(j, "Content-Type")
               ? YM_OK
               : ym_job_header(j, "Content-Type",
                               ym_arena_printf(j->a, "%s; charset=%s", type, j->charset));
}

static ym_status xml_body(struct ym_job *j, const json_t *doc)
{
    const char *root = ym_job_text(j, "root", "root");
    const char *ns = ym_yaml_text(j->op->node, "namespace");
    struct ym_buf b, extra;
    struct ym_str text, attribute = YM_STR("");
    ym_status rc;

    ym_buf_init(&extra, 1024);
    if (ns != NULL) {
        ym_buf_adds(&extra, " xmlns=\"");
        ym_xml_attribute(&extra, ym_str_of(ns));
        ym_buf_addc(&extra, '"');
    } else {
        ym_buf_adds(&extra, "");
    }
    rc = ym_job_take(j, &extra, &attribute);
    ym_buf_init(&b, YM_RENDER_BYTES);
    ym_buf_addf(&b, "<?xml version=\"1.0\" encoding=\"%s\"?>", j->charset);
    if (rc == YM_OK) {
        rc = ym_xml_element(&b, root, doc, attribute.p, NULL, j->err);
    }
    if (rc != YM_OK) {
        ym_buf_wipe(&b);
        return rc;
    }
    rc = ym_job_take(j, &b, &text);
    return rc == YM_OK ? ym_job_encode(j, text, &j->w->body) : rc;
}

/* The document's bytes, its signature and its type; doc lives no longer than this. */
static ym_status document(struct ym_job *j, const char *body, json_t *doc)
{
    bool json = strcmp(body, "json") == 0;
    ym_status rc = YM_OK;

    if (json) {
        rc = content_type(j, "application/json");
        rc = rc == YM_OK ? ym_job_dump(j, doc, &j->w->body) : rc;
    } else if (strcmp(body, "xml") == 0) {
        rc = content_type(j, "application/xml");
        rc = rc == YM_OK ? xml_body(j, doc) : rc;
    }
    return rc == YM_OK ? ym_job_sign(j, json ? doc : NULL, NULL) : rc;
}

/* JSON that nobody adds to: no document between the table and its bytes. */
static ym_status json_body(struct ym_job *j)
{
    ym_status rc = content_type(j, "application/json");

    if (rc == YM_OK) {
        rc = ym_job_write(j, "fields", &j->w->body);
    }
    return rc == YM_OK ? ym_job_sign(j, NULL, NULL) : rc;
}

ym_status ym_render_http(struct ym_job *j)
{
    const bool fields = ym_job_map(j, "fields") != NULL;
    const char *method = ym_yaml_text(j->op->node, "method");
    const char *body = ym_yaml_text(j->op->node, "body");
    struct ym_pairs form = {NULL, 0, 0};
    json_t *doc = NULL;
    ym_status rc;

    j->w->kind = YM_WIRE_HTTP;
    j->w->method = method != NULL ? method : fields ? "POST" : "GET";
    body = body != NULL ? body : fields ? "json" : "none";
    if ((rc = ym_job_url(j, ym_job_text(j, "path", ""), &j->w->url)) != YM_OK ||
        (rc = add_query(j)) != YM_OK || (rc = ym_job_headers(j, "headers")) != YM_OK) {
        return rc;
    }
    if (strcmp(body, "json") == 0 && !ym_job_signs_body(j)) {
        return json_body(j);
    }
    if (strcmp(body, "form") != 0) {
        rc = ym_job_table_own(j, "fields", &doc);
        if (rc == YM_OK) {
            rc = document(j, body, doc);
            json_decref(doc);
        }
        return rc;
    }
    if ((rc = ym_job_table(j, "fields", &doc)) != YM_OK || /* its pairs stay in the document */
        (rc = content_type(j, "application/x-www-form-urlencoded")) != YM_OK ||
        (rc = ym_pairs_flatten(j, doc, &form)) != YM_OK ||
        (rc = ym_job_form(j, &form, &j->w->body)) != YM_OK) {
        return rc;
    }
    return ym_job_sign(j, NULL, &form);
}

/* A form that is fetched first, or (path) a plain form post or page of such an application. */
ym_status ym_render_form(struct ym_job *j)
{
    const char *page = ym_yaml_text(j->op->node, "page");
    const char *method = ym_yaml_text(j->op->node, "method");
    const char *add = ym_yaml_text(j->op->node, "add");
    struct ym_pairs p = {NULL, 0, 0};
    json_t *doc = NULL;
    ym_status rc;

    j->w->kind = YM_WIRE_FORM;
    j->w->form = ym_yaml_text(j->op->node, "form");
    j->w->add_fields = add != NULL && strcmp(add, "true") == 0;
    if ((rc = ym_job_headers(j, "headers")) != YM_OK ||
        (rc = ym_job_table(j, "fields", &doc)) != YM_OK ||
        (rc = ym_pairs_flatten(j, doc, &p)) != YM_OK) {
        return rc;
    }
    for (size_t i = 0; i < p.count; i++) {
        p.items[i].value = p.items[i].value != NULL ? p.items[i].value : "";
    }
    j->w->fields = p.items;
    j->w->field_count = p.count;
    if (page != NULL) {
        /* the query table belongs to the page's address */
        if ((rc = ym_job_url(j, page, &j->w->url)) == YM_OK && (rc = add_query(j)) == YM_OK) {
            j->w->page_url = j->w->url;
            j->w->url = NULL;
        }
        return rc;
    }
    j->w->method = method != NULL ? method : p.count > 0 ? "POST" : "GET";
    if ((rc = ym_job_url(j, ym_job_text(j, "path", ""), &j->w->url)) != YM_OK ||
        (rc = add_query(j)) != YM_OK || strcmp(j->w->method, "GET") == 0) {
        return rc;
    }
    rc = content_type(j, "application/x-www-form-urlencoded");
    return rc == YM_OK ? ym_job_form(j, &p, &j->w->body) : rc;
}
