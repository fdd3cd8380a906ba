/* SPDX-License-Identifier: Apache-2.0
 * Reading HTML forms of strangers' pages (libxml2's HTML parser, no network): hidden fields and
 * CSRF tokens are copied, never guessed.
 */
#ifndef YM_HTML_H
#define YM_HTML_H

#include "ym_wire.h"

struct ym_html_form {
    const char     *action;   /* resolved against the page's URL; same host or refused by the caller */
    const char     *method;   /* "POST" or "GET" */
    const char     *charset;  /* what the submission must be encoded in */
    struct ym_pair *fields;   /* successful controls with their current values, UTF-8, document order */
    size_t          field_count;
};

/* name: id or name of the form; NULL = the only form with a non-empty control. YM_ENOTFOUND otherwise. */
ym_status ym_html_form(struct ym_str page, const char *charset, const char *page_url, const char *name,
                       struct ym_arena *a, struct ym_html_form *ret, struct ym_err *err);

#endif
