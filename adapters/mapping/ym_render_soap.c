/* SPDX-License-Identifier: Apache-2.0
 * SOAP 1.1 and 1.2: document (wrapped) and RPC style; string arguments are fields with `encode:`.
 */
#include "ym_render_int.h"

#include "ym_xml_write.h"

#define NS_11 "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_12 "http://www.w3.org/2003/05/soap-envelope"
#define NS_ENCODING "http://schemas.xmlsoap.org/soap/encoding/"
#define NS_XSI "http://www.w3.org/2001/XMLSchema-instance"
#define NS_XSD "http://www.w3.org/2001/XMLSchema"

/* How this system wants its envelopes; `connection:` and operation. */
struct style {
    bool v12, rpc;
    bool qualified; /* children of the operation are in its namespace */
    bool encoded;   /* RPC/encoded: xsi:type on every argument */
    const char *ns; /* "" = none */
    const char *operation;
};

static bool yes(const struct ym_job *j, const char *key, bool def)
{
    const char *v = ym_job_text(j, key, NULL);

    return v != NULL ? strcmp(v, "true") == 0 : def;
}

static struct style style_of(const struct ym_job *j)
{
    struct style s = {.ns = ym_job_text(j, "namespace", ""),
                      .operation = ym_job_text(j, "operation", j->op->name)};

    s.v12 = strcmp(ym_job_text(j, "version", "1.1"), "1.2") == 0;
    s.rpc = strcmp(ym_job_text(j, "style", "document"), "rpc") == 0;
    s.qualified = yes(j, "qualified", !s.rpc);
    s.encoded = yes(j, "encoded", false);
    return s;
}

/* ` xmlns="…"` or ` xmlns:p="…"` in the arena; "" for no namespace. */
static ym_status declaration(struct ym_job *j, const char *prefix, const char *ns, const char **ret)
{
    struct ym_buf b;
    struct ym_str s = YM_STR("");
    ym_status rc;

    ym_buf_init(&b, 2048);
    ym_buf_adds(&b, "");
    if (*ns != '\0') {
        ym_buf_addf(&b, " xmlns%s%s=\"", *prefix != '\0' ? ":" : "", prefix);
        ym_xml_attribute(&b, ym_str_of(ns));
        ym_buf_addc(&b, '"');
    }
    rc = ym_job_take(j, &b, &s);
    *ret = s.p;
    return rc;
}

static ym_status add_header(struct ym_job *j, const struct style *s, struct ym_buf *b)
{
    const char *ns = NULL;
    json_t *doc = NULL;
    ym_status rc = ym_job_table(j, "header_fields", &doc);

    if (rc == YM_OK) {
        rc = ym_job_sign_soap(j, doc);
    }
    if (rc != YM_OK || json_object_size(doc) == 0) {
        return rc;
    }
    rc = declaration(j, "", s->ns, &ns);
    if (rc != YM_OK) {
        return rc;
    }
    ym_buf_adds(b, "<soap:Header>");
    rc = ym_xml_children(b, doc, ns, NULL, j->err);
    ym_buf_adds(b, "</soap:Header>");
    return rc;
}

/* <op xmlns="ns">…</op> when children share the namespace, else <m:op xmlns:m="ns">…</m:op>. */
static ym_status add_operation(struct ym_job *j, const struct style *s, const json_t *doc,
                               struct ym_buf *b)
{
    bool prefix = !s->qualified && *s->ns != '\0';
    const char *ns = NULL;
    const char *name = prefix ? ym_arena_printf(j->a, "m:%s", s->operation) : s->operation;
    const char *extra;
    ym_status rc = declaration(j, prefix ? "m" : "", s->ns, &ns);

    if (rc != YM_OK) {
        return rc;
    }
    extra =
        s->encoded ? ym_arena_printf(j->a, "%s soap:encodingStyle=\"%s\"", ns, NS_ENCODING) : ns;
    if (extra == NULL || name == NULL) {
        return ym_job_nomem(j);
    }
    return ym_xml_element(b, name, doc, extra, s->encoded ? " xsi:type=\"xsd:string\"" : NULL,
                          j->err);
}

static ym_status envelope(struct ym_job *j, const struct style *s, const json_t *doc,
                          struct ym_buf *b)
{
    ym_status rc;

    ym_buf_addf(b, "<?xml version=\"1.0\" encoding=\"%s\"?>", j->charset);
    ym_buf_addf(b, "<soap:Envelope xmlns:soap=\"%s\"", s->v12 ? NS_12 : NS_11);
    if (s->encoded) {
        ym_buf_adds(b, " xmlns:xsi=\"" NS_XSI "\" xmlns:xsd=\"" NS_XSD "\"");
    }
    ym_buf_addc(b, '>');
    if ((rc = add_header(j, s, b)) != YM_OK) {
        return rc;
    }
    ym_buf_adds(b, "<soap:Body>");
    if ((rc = add_operation(j, s, doc, b)) != YM_OK) {
        return rc;
    }
    ym_buf_adds(b, "</soap:Body></soap:Envelope>");
    return YM_OK;
}

/* 1.1 names the action in a header of its own, quoted; 1.2 in the content type. */
static ym_status add_http_headers(struct ym_job *j, const struct style *s)
{
    const char *action = ym_job_text(j, "action", "");
    ym_status rc;

    if (s->v12) {
        return ym_job_header(
            j, "Content-Type",
            *action != '\0'
                ? ym_arena_printf(j->a, "application/soap+xml; charset=%s; action=\"%s\"",
                                  j->charset, action)
                : ym_arena_printf(j->a, "application/soap+xml; charset=%s", j->charset));
    }
    rc =
        ym_job_header(j, "Content-Type", ym_arena_printf(j->a, "text/xml; charset=%s", j->charset));
    return rc == YM_OK ? ym_job_header(j, "SOAPAction", ym_arena_printf(j->a, "\"%s\"", action))
                       : rc;
}

ym_status ym_render_soap(struct ym_job *j)
{
    struct style s = style_of(j);
    struct ym_buf b;
    struct ym_str text;
    json_t *doc = NULL;
    ym_status rc;

    j->w->kind = YM_WIRE_HTTP;
    j->w->method = "POST";
    if ((rc = ym_job_url(j, ym_job_text(j, "path", ""), &j->w->url)) != YM_OK ||
        (rc = add_http_headers(j, &s)) != YM_OK || (rc = ym_job_headers(j, "headers")) != YM_OK ||
        (rc = ym_job_table(j, "fields", &doc)) != YM_OK) {
        return rc;
    }
    ym_buf_init(&b, YM_RENDER_BYTES);
    rc = envelope(j, &s, doc, &b);
    if (rc != YM_OK) {
        ym_buf_wipe(&b);
        return rc;
    }
    if ((rc = ym_job_take(j, &b, &text)) != YM_OK ||
        (rc = ym_job_encode(j, text, &j->w->body)) != YM_OK) {
        return rc;
    }
    return ym_job_sign(j, NULL, NULL);
}
