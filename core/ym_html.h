/* SPDX-License-Identifier: Apache-2.0
 * Reading HTML forms of strangers' pages (libxml2's HTML parser, no network): hidden fields and
 * CSRF tokens are copied, never guessed.
 */
#ifndef YM_HTML_H
#define YM_HTML_H

#include "ym_arena.h"
#include "ym_buf.h"
#include "ym_err.h"
#include "ym_pair.h"

struct ym_html_form {
    const char *action;  /* resolved against the page's URL; same host or refused by the caller */
    const char *method;  /* "POST" or "GET" */
    const char *charset; /* what the submission must be encoded in */
    struct ym_pair
        *fields; /* successful controls with their current values, UTF-8, document order */
    size_t field_count;
    const char *const
        *names; /* every named control, empty check boxes too: what may be filled in */
    size_t name_count;
};

/* name: id or name of the form; NULL = the only form with a non-empty control. YM_ENOTFOUND otherwise. */
ym_status ym_html_form(struct ym_str page, const char *charset, const char *page_url,
                       const char *name, struct ym_arena *a, struct ym_html_form *ret,
                       struct ym_err *err);

/* The only form with a control for each of names (NULL-terminated). */
ym_status ym_html_form_having(struct ym_str page, const char *charset, const char *page_url,
                              const char *const *names, struct ym_arena *a,
                              struct ym_html_form *ret, struct ym_err *err);

/* The only form that leads to one of actions (whole URLs, NULL-terminated). */
ym_status ym_html_form_to(struct ym_str page, const char *charset, const char *page_url,
                          const char *const *actions, struct ym_arena *a, struct ym_html_form *ret,
                          struct ym_err *err);

/*
 * Lays fields over the form's own: a name that the form has takes the new values (all of them, in
 * place of the old), unnamed ones of the form stay. A name that the form lacks is YM_EINVAL unless
 * add. *ret lives in a.
 */
ym_status ym_html_fill(const struct ym_html_form *form, const struct ym_pair *fields, size_t count,
                       bool add, struct ym_arena *a, struct ym_pair **ret, size_t *ret_count,
                       struct ym_err *err);

/*
 * application/x-www-form-urlencoded in charset (space as +, as browsers do). *ret_lost counts
 * characters that the charset lacks; a browser writes those as &#N; and so do we.
 */
ym_status ym_form_encode(const struct ym_pair *pairs, size_t count, const char *charset,
                         struct ym_buf *out, size_t *ret_lost, struct ym_err *err);

#endif
