/* SPDX-License-Identifier: Apache-2.0
 * Requests that a foreign page makes with a person's cookie
 * (docs/decisions/007-csrf.md).  A bearer token is exempt: no browser sends it
 * by itself.
 */
#ifndef NGX_HTTP_YIMEN_CSRF_H
#define NGX_HTTP_YIMEN_CSRF_H

#include "ngx_http_yimen_request.h"

#include "ym_seal.h"


/*
 * What headers say about where a request comes from: it is ours, or nothing is
 * said.  0: another origin, "null", or another site.
 */
ngx_uint_t ngx_http_yimen_csrf_origin(ngx_http_request_t *r);

/* the token of a session, from its digest; NGX_ERROR: no ring, no memory */
ngx_int_t ngx_http_yimen_csrf_token(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str session, char out[YM_DIGEST_HEX]);

/*
 * An endpoint's request by cookie: NGX_OK, or it is answered with 403.
 * headers: before the body is read; form: when it was, for the routes whose
 * token may stand in the form.
 */
ngx_int_t ngx_http_yimen_csrf_headers(ngx_http_yimen_ctx_t *ctx);
ngx_int_t ngx_http_yimen_csrf_form(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_CSRF_H */
