/* SPDX-License-Identifier: Apache-2.0
 * Readers: one value out of an answer, declared in an adapter's `reply: read:`. Pure.
 */
#ifndef YM_EXTRACT_H
#define YM_EXTRACT_H

#include "ym_doc.h"
#include "ym_wire.h"
#include "ym_yaml.h"

struct ym_reader;

/*
 * node: { json | xpath | regex | header | const: …, parse: json|xml|html, then: …, regex: …,
 * outer: true }. The reader keeps nothing of node: all lives in a. Adds what is wrong to d.
 *   json    JSON Pointer (RFC 6901); objects and arrays read as compact JSON, [] {} and null as missing
 *   xpath   XPath 1.0. Names without a prefix match in any namespace; prefixes are those declared
 *           in the document's root element. A node set reads as its first node's text
 *   regex   alone: over the whole text; beside json, xpath or header: over that value. Group 1
 *   header  reply header, any case
 *   parse   the value is a document in itself (a JSON string in JSON, XML escaped in XML); then: a
 *           pointer, an XPath expression, or another reader
 *   outer   read the document as it was before `unwrap`
 */
ym_status ym_reader_compile(const struct ym_yaml *node, struct ym_arena *a,
                            const struct ym_reader **ret, struct ym_diag *d);

/* What readers look at. */
struct ym_answer {
    struct ym_doc *doc;   /* after unwrap */
    struct ym_doc *outer; /* as it came */
    const struct ym_pair *headers;
    size_t header_count;
};

/* *ret = the value, trimmed and never empty, or NULL when it is missing. YM_ENOMEM at worst. */
ym_status ym_reader_text(const struct ym_reader *r, const struct ym_answer *in, struct ym_arena *a,
                         const char **ret);

/* For `unwrap`: the value as a document. *ret stays NULL when it is missing or of another kind. */
ym_status ym_reader_doc(const struct ym_reader *r, const struct ym_answer *in, enum ym_doc_kind as,
                        struct ym_arena *a, struct ym_doc **ret);

/* Whether this reader can find anything in a document of that kind (load-time check). */
bool ym_reader_fits(const struct ym_reader *r, enum ym_doc_kind kind);
bool ym_reader_outer(const struct ym_reader *r);

/* First value of a reply header, or NULL. */
const char *ym_answer_header(const struct ym_answer *in, const char *name);

#endif
