/* SPDX-License-Identifier: Apache-2.0
 * The few pages that the gateway shows itself: sign-in, signed out, errors.
 * Everything in them is escaped; no script; a strict Content-Security-Policy.
 */
#ifndef NGX_HTTP_YIMEN_PAGE_H
#define NGX_HTTP_YIMEN_PAGE_H

#include "ngx_http_yimen_request.h"


/* appends text as HTML character data or attribute value */
void ngx_http_yimen_html(struct ym_buf *out, struct ym_str text);

/*
 * Ends the request with a page: title and body are HTML already, the frame,
 * the style sheet and the security headers come from here.
 */
void ngx_http_yimen_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *title, struct ym_str body);

/*
 * The same frame as text appended to out, and the security headers that belong
 * to it, for requests that have no ctx.
 */
void ngx_http_yimen_page_text(enum ym_lang lang, const char *title,
    struct ym_str body, struct ym_buf *out);
ngx_int_t ngx_http_yimen_page_headers(ngx_http_request_t *r,
    enum ym_lang lang);

/* an error page with an error id, in the person's language; never a stack */
void ngx_http_yimen_page_error(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *zh, const char *en);

/* 303 to a place; only after ngx_http_yimen_place() has approved of it */
void ngx_http_yimen_page_go(ngx_http_yimen_ctx_t *ctx, struct ym_str place);

/*
 * A return address as a stranger gave it: what is no plain path of ours on
 * this very host becomes the default page (attacks C73 to C77).
 */
struct ym_str ngx_http_yimen_place(ngx_http_yimen_ctx_t *ctx,
    struct ym_str wanted);

/* the request is a navigation of a browser: pages and redirects are right */
ngx_uint_t ngx_http_yimen_is_navigation(ngx_http_request_t *r);

#endif /* NGX_HTTP_YIMEN_PAGE_H */
