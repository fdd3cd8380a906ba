/* SPDX-License-Identifier: Apache-2.0
 * What lists have in common: the page's size and the link to the next one.
 */
#ifndef NGX_HTTP_YIMEN_LIST_H
#define NGX_HTTP_YIMEN_LIST_H

#include "ngx_http_yimen_request.h"

/* ?limit=1..200, default 50; NGX_ERROR: answered with 400 */
ngx_int_t ngx_http_yimen_list_limit(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t *ret);

/* ends {"items": [… with `"next"`: this address with that cursor, or null */
void ngx_http_yimen_list_next(ngx_http_yimen_ctx_t *ctx,
    struct ym_str cursor);

/* whether some type declares such a search key */
ngx_uint_t ngx_http_yimen_list_key_known(ngx_http_yimen_ctx_t *ctx,
    const char *name);

#endif /* NGX_HTTP_YIMEN_LIST_H */
