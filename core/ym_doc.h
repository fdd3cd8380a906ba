/* SPDX-License-Identifier: Apache-2.0
 * An answer's bytes as something to read: decoded into UTF-8, then JSON, XML, HTML, CSV or plain
 * text. No network, no DTD, no entities beyond XML's own five, bounded depth and size.
 */
#ifndef YM_DOC_H
#define YM_DOC_H

#include "ym_arena.h"
#include "ym_buf.h"
#include "ym_err.h"

#include <jansson.h>
#include <libxml/tree.h>

#define YM_DOC_BYTES (4u << 20) /* of decoded text */
#define YM_DOC_DEPTH 100        /* of elements */
#define YM_DOC_ELEMENTS 50000   /* of one XML document */
#define YM_DOC_ATTRIBUTES 400   /* of one element: libxml2 compares each with each */

enum ym_doc_kind {
    YM_DOC_NONE, /* nothing to read: `format: none`, or an empty answer */
    YM_DOC_JSON,
    YM_DOC_XML,
    YM_DOC_HTML,
    YM_DOC_TEXT,
    YM_DOC_CSV /* also a JSON array of row objects */
};

struct ym_doc {
    enum ym_doc_kind kind;
    struct ym_str text; /* UTF-8; NUL-terminated */
    json_t *json;
    xmlDoc *xml;         /* XML and HTML */
    xmlDoc *plain;       /* the same without namespaces, made when first asked for */
    size_t replaced;     /* undecodable bytes that became U+FFFD */
    const char *charset; /* what it was decoded as */
};

/* What may be known about an answer's charset, strongest first; NULL = unsaid. */
struct ym_doc_charsets {
    const char *forced; /* the adapter's `reply: charset:` */
    const char *header; /* Content-Type; ISO-8859-1 and ASCII count as unsaid (servers' defaults) */
    const char *fallback; /* settings.charset; used when the document declares nothing either */
};

/*
 * Decodes and parses. The document and everything in it live in a. YM_EINVAL when the text is not
 * of that kind, YM_ETOOBIG for a limit; ret->text and replaced are filled even then.
 */
ym_status ym_doc_open(enum ym_doc_kind kind, struct ym_str bytes, const struct ym_doc_charsets *cs,
                      struct ym_arena *a, struct ym_doc *ret, struct ym_err *err);
/* Text that is UTF-8 already (a string inside another document). */
ym_status ym_doc_text(enum ym_doc_kind kind, struct ym_str text, struct ym_arena *a,
                      struct ym_doc *ret, struct ym_err *err);

/* Only the decoding. */
ym_status ym_doc_decode(struct ym_str bytes, const struct ym_doc_charsets *cs, struct ym_arena *a,
                        struct ym_doc *ret, struct ym_err *err);

/* The document without namespaces; NULL when memory is out. */
xmlDoc *ym_doc_plain(struct ym_doc *d, struct ym_arena *a);

/* "json" → YM_DOC_JSON …; false for an unknown word. */
bool ym_doc_kind_of(const char *word, enum ym_doc_kind *ret);

/* A charset that a stranger may name, in our spelling, or NULL. */
const char *ym_doc_charset(struct ym_str name);

#endif
