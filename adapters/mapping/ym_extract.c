/* SPDX-License-Identifier: Apache-2.0
 * Readers compiled from YAML and run over an answer.
 */
#include "ym_extract.h"

#include "ym_json_fast.h"
#include "ym_match.h"

#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <strings.h>

#define EXTRACT_JSON_MAX (4u << 20) /* of a value that is JSON, printed */
#define THEN_DEPTH 4                /* documents within documents */
#define XPATH_EFFORT 500000         /* libxml2's operation limit of one evaluation */

enum source { FROM_JSON, FROM_XPATH, FROM_REGEX, FROM_HEADER, FROM_CONST };

struct ym_reader {
    enum source source;
    const char *text; /* pointer, header name, constant */
    xmlXPathCompExpr *xpath;
    bool prefixed; /* the expression names namespaces */
    bool outer;
    const struct ym_match *match;
    bool parse;
    enum ym_doc_kind parse_as;
    const struct ym_reader *then;
};

/* A value on its way: a JSON value still in its document, or text. */
struct value {
    json_t *json;
    const char *text;
    size_t n;
};

static void quiet(void *data, xmlErrorPtr error)
{
    (void)data;
    (void)error;
}

static void free_xpath(void *xpath)
{
    xmlXPathFreeCompExpr(xpath);
}

/* A name with a prefix (a:b, but not axis::name) outside string literals. */
static bool names_prefix(const char *x)
{
    char quote = '\0';

    for (const char *p = x; *p != '\0'; p++) {
        if (quote != '\0') {
            quote = *p == quote ? '\0' : quote;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == ':' && p[1] == ':') {
            p++;
        } else if (*p == ':') {
            return true;
        }
    }
    return strstr(x, "namespace-uri") != NULL;
}

static void compile_xpath(const struct ym_yaml *node, const char *x, struct ym_reader *r,
                          struct ym_arena *a, struct ym_diag *d)
{
    xmlXPathContext *ctx = xmlXPathNewContext(NULL);

    if (ctx != NULL) {
        ctx->error = quiet;
        r->xpath = xmlXPathCtxtCompile(ctx, (const xmlChar *)x);
    }
    if (r->xpath == NULL) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "the XPath expression %s cannot be read; XPath 1.0 is meant", x);
    } else if (ym_arena_cleanup(a, free_xpath, r->xpath) != YM_OK) {
        xmlXPathFreeCompExpr(r->xpath);
        r->xpath = NULL;
        ym_diag_add(d, node->file, node->line, node->column, "out of memory");
    }
    r->prefixed = names_prefix(x);
    xmlXPathFreeContext(ctx);
}

static void compile_regex(const struct ym_yaml *node, const char *pattern, struct ym_reader *r,
                          struct ym_arena *a, struct ym_diag *d)
{
    struct ym_err err = {0};

    if (ym_match_compile(pattern, a, &r->match, &err) != YM_OK) {
        ym_diag_add(d, node->file, node->line, node->column, "%s", err.message);
    }
}

static void compile_source(const struct ym_yaml *node, struct ym_reader *r, struct ym_arena *a,
                           struct ym_diag *d)
{
    static const char *const names[] = {"json", "xpath", "header", "const"};
    static const enum source sources[] = {FROM_JSON, FROM_XPATH, FROM_HEADER, FROM_CONST};
    const char *regex = ym_yaml_text(node, "regex");
    size_t found = 0;

    for (size_t i = 0; i < YM_COUNT(names); i++) {
        const char *text = ym_yaml_text(node, names[i]);

        if (text != NULL) {
            found++;
            r->source = sources[i];
            r->text = ym_arena_strz(a, text);
        }
    }
    if (found == 0 && regex != NULL) {
        found = 1;
        r->source = FROM_REGEX;
    }
    if (found == 1 && r->source != FROM_REGEX && r->text == NULL) {
        ym_diag_add(d, node->file, node->line, node->column, "out of memory");
        return;
    }
    if (found != 1) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "a reader takes exactly one of json, xpath, regex, header, const");
        return;
    }
    if (regex != NULL) {
        compile_regex(node, regex, r, a, d);
    }
    if (r->source == FROM_XPATH) {
        compile_xpath(node, r->text, r, a, d);
    }
    if (r->source == FROM_JSON && r->text != NULL && r->text[0] != '\0' && r->text[0] != '/') {
        ym_diag_add(d, node->file, node->line, node->column,
                    "the JSON Pointer %s must begin with /", r->text);
    }
}

static const struct ym_reader *compile(const struct ym_yaml *node, struct ym_arena *a,
                                       struct ym_diag *d, int depth);

/* `then:` of a parsed value: a bare pointer or expression, or a whole reader. */
static void compile_then(const struct ym_yaml *node, struct ym_reader *r, struct ym_arena *a,
                         struct ym_diag *d, int depth)
{
    const struct ym_yaml *then = ym_yaml_get(node, "then");
    const char *parse = ym_yaml_text(node, "parse");
    struct ym_reader *next;

    if (parse == NULL) {
        if (then != NULL) {
            ym_diag_add(d, then->file, then->line, then->column,
                        "then needs parse: json, xml or html beside it");
        }
        return;
    }
    r->parse = ym_doc_kind_of(parse, &r->parse_as) && r->parse_as >= YM_DOC_JSON &&
               r->parse_as <= YM_DOC_HTML;
    if (!r->parse) {
        ym_diag_add(d, node->file, node->line, node->column, "parse takes json, xml or html");
        return;
    }
    if (then == NULL || then->kind == YM_YAML_MAP) {
        r->then = then != NULL ? compile(then, a, d, depth + 1) : NULL;
        return;
    }
    next = ym_arena_alloc(a, sizeof(*next));
    if (next == NULL || then->kind != YM_YAML_SCALAR) {
        ym_diag_add(d, then->file, then->line, then->column,
                    "then takes a pointer, an XPath expression or a reader");
        return;
    }
    next->source = r->parse_as == YM_DOC_JSON ? FROM_JSON : FROM_XPATH;
    next->text = ym_arena_strz(a, then->text.p);
    if (next->text == NULL) {
        ym_diag_add(d, then->file, then->line, then->column, "out of memory");
    }
    if (next->source == FROM_XPATH) {
        compile_xpath(then, then->text.p, next, a, d);
    }
    r->then = next;
}

static const struct ym_reader *compile(const struct ym_yaml *node, struct ym_arena *a,
                                       struct ym_diag *d, int depth)
{
    static const char *const keys[] = {"json",  "xpath", "regex", "header", "const",
                                       "parse", "then",  "outer", "as",     NULL};
    struct ym_reader *r = ym_arena_alloc(a, sizeof(*r));
    const char *outer;

    if (r == NULL || node->kind != YM_YAML_MAP || depth > THEN_DEPTH) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "a reader is a map such as { json: /Number }, nested at most %d deep",
                    THEN_DEPTH);
        return NULL;
    }
    ym_yaml_only(node, keys, d);
    compile_source(node, r, a, d);
    compile_then(node, r, a, d, depth);
    outer = ym_yaml_text(node, "outer");
    r->outer = outer != NULL && strcmp(outer, "true") == 0;
    return r;
}

ym_status ym_reader_compile(const struct ym_yaml *node, struct ym_arena *a,
                            const struct ym_reader **ret, struct ym_diag *d)
{
    size_t before = d->total;

    *ret = compile(node, a, d, 0);
    return d->total == before ? YM_OK : YM_EINVAL;
}

bool ym_reader_fits(const struct ym_reader *r, enum ym_doc_kind kind)
{
    switch (r->source) {
    case FROM_JSON:
        return kind == YM_DOC_JSON || kind == YM_DOC_CSV;
    case FROM_XPATH:
        return kind == YM_DOC_XML || kind == YM_DOC_HTML;
    case FROM_REGEX:
        return kind != YM_DOC_NONE;
    default:
        return true;
    }
}

bool ym_reader_outer(const struct ym_reader *r)
{
    return r->outer;
}

const char *ym_answer_header(const struct ym_answer *in, const char *name)
{
    for (size_t i = 0; i < in->header_count; i++) {
        if (in->headers[i].name != NULL && strcasecmp(in->headers[i].name, name) == 0) {
            return in->headers[i].value;
        }
    }
    return NULL;
}

/* Namespaces of the root element, by the prefixes used there. */
static void register_namespaces(xmlXPathContext *ctx, xmlDoc *doc)
{
    xmlNode *root = xmlDocGetRootElement(doc);

    for (xmlNs *ns = root != NULL ? root->nsDef : NULL; ns != NULL; ns = ns->next) {
        if (ns->prefix != NULL) {
            xmlXPathRegisterNs(ctx, ns->prefix, ns->href);
        }
    }
}

/* The result as text that the arena keeps; out->text stays NULL for an empty node set. */
static ym_status xpath_value(xmlXPathObject *o, struct ym_arena *a, struct value *out)
{
    xmlChar *s;

    if (o == NULL || (o->type == XPATH_NODESET && xmlXPathNodeSetIsEmpty(o->nodesetval))) {
        return YM_OK;
    }
    s = o->type == XPATH_NODESET ? xmlXPathCastNodeToString(o->nodesetval->nodeTab[0])
                                 : xmlXPathCastToString(o);
    if (s == NULL) {
        return YM_ENOMEM;
    }
    out->n = strlen((const char *)s);
    out->text = ym_arena_copy(a, s, out->n + 1);
    xmlFree(s);
    return out->text != NULL ? YM_OK : YM_ENOMEM;
}

static ym_status read_xpath(const struct ym_reader *r, struct ym_doc *doc, struct ym_arena *a,
                            struct value *out)
{
    xmlDoc *xml = r->prefixed ? doc->xml : ym_doc_plain(doc, a);
    xmlXPathContext *ctx;
    xmlXPathObject *o;
    ym_status rc;

    if (doc->xml == NULL || r->xpath == NULL) {
        return YM_OK;
    }
    ctx = xml != NULL ? xmlXPathNewContext(xml) : NULL;
    if (ctx == NULL) {
        return YM_ENOMEM;
    }
    ctx->error = quiet;
    ctx->opLimit = XPATH_EFFORT;
    if (r->prefixed) {
        register_namespaces(ctx, xml);
    }
    o = xmlXPathCompiledEval(r->xpath, ctx);
    rc = xpath_value(o, a, out);
    xmlXPathFreeObject(o);
    xmlXPathFreeContext(ctx);
    return rc;
}

static bool json_missing(const json_t *j)
{
    return j == NULL || json_is_null(j) || (json_is_array(j) && json_array_size(j) == 0) ||
           (json_is_object(j) && json_object_size(j) == 0);
}

/* A JSON value as text: strings as they are, everything else as JSON writes it. */
static ym_status json_value(json_t *j, struct ym_arena *a, struct value *out)
{
    struct ym_buf dump;

    if (json_is_string(j)) {
        out->text = json_string_value(j);
        out->n = json_string_length(j);
        return YM_OK;
    }
    ym_buf_init(&dump, EXTRACT_JSON_MAX);
    if (ym_json_write(j, &dump) != YM_OK) {
        return YM_ENOMEM;
    }
    out->n = dump.n;
    out->text = ym_arena_copy(a, dump.p, dump.n + 1);
    ym_buf_clear(&dump);
    return out->text != NULL ? YM_OK : YM_ENOMEM;
}

/* The value before parse: json stays a JSON value, all else is text. */
static ym_status read_source(const struct ym_reader *r, const struct ym_answer *in,
                             struct ym_arena *a, struct value *out)
{
    struct ym_doc *doc = r->outer ? in->outer : in->doc;

    if (r->source == FROM_HEADER) {
        out->text = ym_answer_header(in, r->text);
        out->n = out->text != NULL ? strlen(out->text) : 0;
    } else if (r->source == FROM_CONST) {
        out->text = r->text;
        out->n = strlen(r->text);
    } else if (doc == NULL) {
        return YM_OK;
    } else if (r->source == FROM_REGEX) {
        out->text = doc->text.p;
        out->n = doc->text.n;
    } else if (r->source == FROM_XPATH) {
        return read_xpath(r, doc, a, out);
    } else if (doc->json != NULL) {
        json_t *j = ym_json_at(doc->json, r->text);

        out->json = json_missing(j) ? NULL : j;
    }
    return YM_OK;
}

static struct ym_str trimmed(const char *p, size_t n)
{
    while (n > 0 && strchr(" \t\r\n", *p) != NULL && *p != '\0') {
        p++;
        n--;
    }
    while (n > 0 && strchr(" \t\r\n", p[n - 1]) != NULL && p[n - 1] != '\0') {
        n--;
    }
    return (struct ym_str){p, n};
}

static ym_status read_value(const struct ym_reader *r, const struct ym_answer *in,
                            struct ym_arena *a, struct value *out)
{
    ym_status rc = read_source(r, in, a, out);
    struct ym_str part;

    if (rc == YM_OK && out->json != NULL && r->match != NULL) {
        rc = json_value(out->json, a, out);
        out->json = NULL;
    }
    if (rc != YM_OK || r->match == NULL || out->text == NULL) {
        return rc;
    }
    part = (struct ym_str){out->text, out->n};
    if (r->source != FROM_REGEX) {
        part = trimmed(part.p, part.n); /* so that ^ and $ mean the value, not its blanks */
    }
    if (!ym_match_run(r->match, part, &part)) {
        out->text = NULL;
        return YM_OK;
    }
    out->text = part.p;
    out->n = part.n;
    return YM_OK;
}

/* The value as a document: a JSON value as it is, a string parsed. */
static ym_status value_doc(struct value *v, enum ym_doc_kind as, struct ym_arena *a,
                           struct ym_doc **ret)
{
    struct ym_doc *d;
    ym_status rc;

    if (v->json != NULL && json_is_string(v->json)) {
        rc = json_value(v->json, a, v);
        v->json = NULL;
        if (rc != YM_OK) {
            return rc;
        }
    }
    if (v->json == NULL && v->text == NULL) {
        return YM_OK;
    }
    d = ym_arena_alloc(a, sizeof(*d));
    if (d == NULL) {
        return YM_ENOMEM;
    }
    if (v->json != NULL) {
        if (as != YM_DOC_JSON) {
            return YM_OK;
        }
        d->kind = YM_DOC_JSON;
        d->text = YM_STR("");
        d->json = v->json; /* borrowed: the outer document keeps it */
    } else {
        rc = ym_doc_text(as, (struct ym_str){v->text, v->n}, a, d, NULL);
        if (rc != YM_OK || d->kind != as) {
            return rc == YM_ENOMEM ? rc : YM_OK;
        }
    }
    *ret = d;
    return YM_OK;
}

ym_status ym_reader_doc(const struct ym_reader *r, const struct ym_answer *in, enum ym_doc_kind as,
                        struct ym_arena *a, struct ym_doc **ret)
{
    struct value v = {NULL, NULL, 0};
    struct ym_doc *inner = NULL;
    ym_status rc;

    *ret = NULL;
    rc = read_value(r, in, a, &v);
    if (rc != YM_OK || !r->parse) {
        return rc == YM_OK ? value_doc(&v, as, a, ret) : rc;
    }
    rc = value_doc(&v, r->parse_as, a, &inner);
    if (rc != YM_OK || inner == NULL) {
        return rc;
    }
    if (r->then != NULL) {
        struct ym_answer next = {inner, inner, in->headers, in->header_count};

        return ym_reader_doc(r->then, &next, as, a, ret);
    }
    *ret = inner->kind == as ? inner : NULL;
    return YM_OK;
}

/* Trims; NULL when nothing is left. */
static ym_status tidy(const struct value *v, struct ym_arena *a, const char **ret)
{
    struct ym_str s = trimmed(v->text, v->n);

    *ret = NULL;
    if (s.n > 0) {
        *ret = ym_arena_str(a, s);
        return *ret != NULL ? YM_OK : YM_ENOMEM;
    }
    return YM_OK;
}

ym_status ym_reader_text(const struct ym_reader *r, const struct ym_answer *in, struct ym_arena *a,
                         const char **ret)
{
    struct value v = {NULL, NULL, 0};
    struct ym_doc *inner = NULL;
    ym_status rc;

    *ret = NULL;
    rc = read_value(r, in, a, &v);
    if (rc == YM_OK && r->parse) {
        rc = value_doc(&v, r->parse_as, a, &inner);
        if (rc != YM_OK || inner == NULL) {
            return rc;
        }
        if (r->then != NULL) {
            struct ym_answer next = {inner, inner, in->headers, in->header_count};

            return ym_reader_text(r->then, &next, a, ret);
        }
        v.json = inner->json;
        v.text = inner->json == NULL ? inner->text.p : NULL;
        v.n = inner->text.n;
    }
    if (rc == YM_OK && v.json != NULL) {
        rc = json_value(v.json, a, &v);
    }
    return rc == YM_OK && v.text != NULL ? tidy(&v, a, ret) : rc;
}
