/* SPDX-License-Identifier: Apache-2.0
 * Bytes → UTF-8 → JSON, XML, HTML, CSV. Which charset is true is decided here and nowhere else.
 */
#include "ym_doc.h"

#include "ym_codec.h"
#include "ym_csv.h"
#include "ym_json.h"

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <strings.h>

#define DECLARATION 1024 /* bytes in which an XML or HTML declaration is looked for */

static const struct ym_json_limits json_limits = {YM_DOC_BYTES, 32, 50000};

bool ym_doc_kind_of(const char *word, enum ym_doc_kind *ret)
{
    static const char *const words[] = {"none", "json", "xml", "html", "text", "csv"};

    for (size_t i = 0; word != NULL && i < YM_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum ym_doc_kind)i;
            return true;
        }
    }
    return false;
}

/* UTF-16 and UTF-7 are missing on purpose: they hide markup from every check made on bytes. */
const char *ym_doc_charset(struct ym_str name)
{
    static const struct {
        const char *theirs, *ours;
    } known[] = {
        {"utf-8", "utf-8"},
        {"utf8", "utf-8"},
        {"gb18030", "gb18030"},
        {"gbk", "gbk"},
        {"gb2312", "gbk"},
        {"x-gbk", "gbk"},
        {"cp936", "gbk"},
        {"ms936", "gbk"},
        {"windows-936", "gbk"},
        {"euc-cn", "gbk"},
        {"gb_2312-80", "gbk"},
        {"big5", "big5"},
        {"x-x-big5", "big5"},
        {"big5-hkscs", "big5-hkscs"},
        {"windows-1252", "windows-1252"},
    };

    while (name.n > 0 && strchr(" \t\r\n\"'", name.p[0]) != NULL) {
        name.p++;
        name.n--;
    }
    while (name.n > 0 && strchr(" \t\r\n\"'", name.p[name.n - 1]) != NULL) {
        name.n--;
    }
    for (size_t i = 0; i < YM_COUNT(known); i++) {
        if (strlen(known[i].theirs) == name.n &&
            strncasecmp(known[i].theirs, name.p, name.n) == 0) {
            return known[i].ours;
        }
    }
    return NULL;
}

/* Where key stands in the first bytes, ignoring case, or NULL. */
static const char *find_key(struct ym_str s, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i + n <= s.n; i++) {
        if (strncasecmp(s.p + i, key, n) == 0) {
            return s.p + i + n;
        }
    }
    return NULL;
}

/* encoding="…" of an XML declaration, or charset=… of an HTML meta element. */
static const char *declared(struct ym_str bytes)
{
    struct ym_str head = {bytes.p, bytes.n < DECLARATION ? bytes.n : DECLARATION};
    const char *end = head.p + head.n;
    const char *at = find_key(head, "<?xml") != NULL ? find_key(head, "encoding") : NULL;
    struct ym_str name;

    if (at == NULL && find_key(head, "<meta") != NULL) {
        at = find_key(head, "charset");
    }
    if (at == NULL) {
        return NULL;
    }
    while (at < end && strchr(" \t=\"'", *at) != NULL && *at != '\0') {
        at++;
    }
    name.p = at;
    while (at < end && strchr(" \t\r\n\"'?>;/", *at) == NULL) {
        at++;
    }
    name.n = (size_t)(at - name.p);
    return ym_doc_charset(name);
}

static ym_status decode_as(const char *charset, struct ym_str bytes, struct ym_arena *a,
                           struct ym_str *ret, size_t *replaced, struct ym_err *err)
{
    struct ym_buf b;
    ym_status rc;

    *replaced = 0;
    if (strcmp(charset, "utf-8") == 0 && ym_utf8_valid(bytes.p, bytes.n)) {
        ret->p = ym_arena_str(a, bytes);
        ret->n = bytes.n;
        return ret->p != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    ym_buf_init(&b, YM_DOC_BYTES);
    rc = ym_charset_convert(charset, "utf-8", bytes, &b, replaced, err);
    if (rc == YM_OK) {
        ret->p = ym_arena_str(a, ym_buf_str(&b));
        ret->n = b.n;
        rc = ret->p != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    ym_buf_clear(&b);
    return rc;
}

/* Ours first, then the header, then the document; nothing said and valid UTF-8 is UTF-8. */
static const char *choose(struct ym_str bytes, const struct ym_doc_charsets *cs)
{
    const char *said = cs->forced;

    if (said == NULL && cs->header != NULL) {
        said = ym_doc_charset(ym_str_of(cs->header));
    }
    if (said == NULL) {
        said = declared(bytes);
    }
    if (said == NULL && !ym_utf8_valid(bytes.p, bytes.n)) {
        said = cs->fallback;
    }
    return said != NULL ? said : "utf-8";
}

ym_status ym_doc_decode(struct ym_str bytes, const struct ym_doc_charsets *cs, struct ym_arena *a,
                        struct ym_doc *ret, struct ym_err *err)
{
    const char *charset;
    ym_status rc;

    memset(ret, 0, sizeof(*ret));
    ret->text = YM_STR("");
    if (bytes.n >= 3 && memcmp(bytes.p, "\xEF\xBB\xBF", 3) == 0) {
        bytes.p += 3;
        bytes.n -= 3;
        charset = "utf-8";
    } else {
        charset = bytes.n > 0 ? choose(bytes, cs) : "utf-8";
    }
    ret->charset = ym_arena_strz(a, charset);
    if (bytes.n > YM_DOC_BYTES) {
        return ym_err_set(err, YM_ETOOBIG, "the answer is larger than %u bytes", YM_DOC_BYTES);
    }
    if (bytes.n == 0) {
        return ret->charset != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    rc = decode_as(charset, bytes, a, &ret->text, &ret->replaced, err);
    if (rc == YM_OK && ret->replaced > 0 && cs->forced == NULL && cs->fallback != NULL &&
        strcasecmp(cs->fallback, charset) != 0) {
        /* The answer lies about itself: what the adapter declares may fit without a loss. */
        struct ym_str other;
        size_t replaced;

        rc = decode_as(cs->fallback, bytes, a, &other, &replaced, err);
        if (rc == YM_OK && replaced == 0) {
            ret->text = other;
            ret->replaced = 0;
            ret->charset = ym_arena_strz(a, cs->fallback);
        }
    }
    return rc;
}

/*
 * libxml2 compares every attribute of an element with every other one: the number is bounded
 * before it looks. Quoted text is skipped; text that merely looks like a tag cannot trip this
 * without as many equal signs.
 */
static bool attributes_bounded(struct ym_str s)
{
    size_t count = 0;
    bool tag = false;
    char quote = '\0';

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!tag) {
            tag = c == '<';
            count = 0;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            tag = false;
        } else if (c == '=' && ++count > YM_DOC_ATTRIBUTES) {
            return false;
        }
    }
    return true;
}

/* What the SAX hooks count while a document is read. */
struct watch {
    size_t elements;
    bool doctype, too_big;
};

static void on_subset(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    xmlParserCtxt *p = ctx;
    struct watch *w = p->_private;

    (void)name;
    (void)id;
    (void)system;
    w->doctype = true;
    xmlStopParser(p);
}

static void on_element(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                       int ns_count, const xmlChar **ns, int attr_count, int defaulted,
                       const xmlChar **attrs)
{
    xmlParserCtxt *p = ctx;
    struct watch *w = p->_private;

    if (++w->elements > YM_DOC_ELEMENTS || p->nodeNr >= YM_DOC_DEPTH) {
        w->too_big = true;
        xmlStopParser(p);
        return;
    }
    xmlSAX2StartElementNs(ctx, name, prefix, uri, ns_count, ns, attr_count, defaulted, attrs);
}

static void free_doc(void *doc)
{
    xmlFreeDoc(doc);
}

static void free_json(void *json)
{
    json_decref(json);
}

/* Gives doc to the arena. */
static ym_status keep_xml(struct ym_arena *a, xmlDoc *doc, xmlDoc **ret, struct ym_err *err)
{
    if (ym_arena_cleanup(a, free_doc, doc) != YM_OK) {
        xmlFreeDoc(doc);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    *ret = doc;
    return YM_OK;
}

static ym_status parse_xml(struct ym_doc *d, struct ym_arena *a, struct ym_err *err)
{
    struct ym_str s = d->text;
    struct watch w = {0, false, false};
    xmlParserCtxt *p;
    xmlDoc *doc;
    ym_status rc;

    while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL) {
        s.p++; /* blanks before the declaration are common and harmless */
        s.n--;
    }
    p = xmlNewParserCtxt();
    if (p == NULL || p->sax == NULL) {
        xmlFreeParserCtxt(p);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    p->_private = &w;
    p->sax->internalSubset = on_subset;
    p->sax->externalSubset = on_subset;
    p->sax->startElementNs = on_element;
    doc = xmlCtxtReadMemory(p, s.p, (int)s.n, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                XML_PARSE_NOCDATA | XML_PARSE_IGNORE_ENC);
    if (w.doctype) {
        rc = ym_err_set(err, YM_EINVAL, "the answer's XML has a DOCTYPE, which is never read");
    } else if (w.too_big) {
        rc = ym_err_set(err, YM_ETOOBIG,
                        "the answer's XML is deeper than %d or has over %d elements", YM_DOC_DEPTH,
                        YM_DOC_ELEMENTS);
    } else if (doc == NULL) {
        rc = ym_err_set(err, YM_EINVAL, "the answer is no well-formed XML (line %d)",
                        p->lastError.line);
    } else {
        rc = keep_xml(a, doc, &d->xml, err);
        doc = NULL;
    }
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(p);
    return rc;
}

static ym_status parse_html(struct ym_doc *d, struct ym_arena *a, struct ym_err *err)
{
    xmlDoc *doc =
        htmlReadMemory(d->text.p, (int)d->text.n, NULL, "UTF-8",
                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                           HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_NODEFDTD);

    if (doc == NULL) {
        return ym_err_set(err, YM_EINVAL, "the answer is no HTML");
    }
    return keep_xml(a, doc, &d->xml, err);
}

static ym_status keep_json(struct ym_arena *a, json_t *json, json_t **ret, struct ym_err *err)
{
    if (json == NULL || ym_arena_cleanup(a, free_json, json) != YM_OK) {
        json_decref(json);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    *ret = json;
    return YM_OK;
}

static json_t *csv_row(const struct ym_csv *csv, const struct ym_csv_row *row)
{
    json_t *o = json_object();

    for (size_t i = 0; o != NULL && i < csv->head.count; i++) {
        json_t *v = json_stringn(row->cells[i].p, row->cells[i].n);

        if (json_object_set_new(o, csv->head.cells[i].p, v) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static ym_status parse_csv(struct ym_doc *d, struct ym_arena *a, struct ym_err *err)
{
    struct ym_csv csv;
    json_t *rows;
    ym_status rc = ym_csv_parse(d->text, "the answer", a, &csv, err);

    if (rc != YM_OK) {
        return rc;
    }
    rows = json_array();
    for (size_t i = 0; rows != NULL && i < csv.count; i++) {
        if (json_array_append_new(rows, csv_row(&csv, &csv.rows[i])) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return keep_json(a, rows, &d->json, err);
}

static ym_status parse(struct ym_doc *d, struct ym_arena *a, struct ym_err *err)
{
    json_t *json = NULL;
    ym_status rc;

    if (memchr(d->text.p, '\0', d->text.n) != NULL) {
        return ym_err_set(err, YM_EINVAL, "the answer holds NUL bytes");
    }
    switch (d->kind) {
    case YM_DOC_JSON:
        rc = ym_json_parse(d->text, &json_limits, &json, err);
        return rc == YM_OK ? keep_json(a, json, &d->json, err) : rc;
    case YM_DOC_XML:
    case YM_DOC_HTML:
        if (!attributes_bounded(d->text)) {
            return ym_err_set(err, YM_ETOOBIG, "an element of the answer has over %d attributes",
                              YM_DOC_ATTRIBUTES);
        }
        return d->kind == YM_DOC_XML ? parse_xml(d, a, err) : parse_html(d, a, err);
    case YM_DOC_CSV:
        return parse_csv(d, a, err);
    default:
        return YM_OK;
    }
}

ym_status ym_doc_open(enum ym_doc_kind kind, struct ym_str bytes, const struct ym_doc_charsets *cs,
                      struct ym_arena *a, struct ym_doc *ret, struct ym_err *err)
{
    ym_status rc = ym_doc_decode(bytes, cs, a, ret, err);

    if (rc != YM_OK) {
        return rc;
    }
    ret->kind = ret->text.n > 0 ? kind : YM_DOC_NONE;
    rc = parse(ret, a, err);
    if (rc != YM_OK) {
        ret->kind = YM_DOC_TEXT; /* still good for a regex, and for saying what came */
    }
    return rc;
}

ym_status ym_doc_text(enum ym_doc_kind kind, struct ym_str text, struct ym_arena *a,
                      struct ym_doc *ret, struct ym_err *err)
{
    static const struct ym_doc_charsets utf8 = {"utf-8", NULL, NULL};

    return ym_doc_open(kind, text, &utf8, a, ret, err);
}

static void strip(xmlNode *node)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        node->ns = NULL;
        for (xmlAttr *attr = node->properties; attr != NULL; attr = attr->next) {
            attr->ns = NULL;
        }
        strip(node->children); /* depth is bounded by YM_DOC_DEPTH */
    }
}

xmlDoc *ym_doc_plain(struct ym_doc *d, struct ym_arena *a)
{
    xmlDoc *copy;

    if (d->plain == NULL && d->xml != NULL && d->kind == YM_DOC_HTML) {
        d->plain = d->xml; /* HTML has no namespaces */
    } else if (d->plain == NULL && d->xml != NULL) {
        copy = xmlCopyDoc(d->xml, 1);
        if (copy != NULL && keep_xml(a, copy, &d->plain, NULL) == YM_OK) {
            strip(copy->children);
        }
    }
    return d->plain;
}
