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

/*
 * Cursors of lists that every shard keeps on its own: "<position>_<position>",
 * digits and at most one of allowed in each, empty where nothing was seen.
 * NGX_ERROR: answered with 400.
 */
ngx_int_t ngx_http_yimen_list_cursor(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret, ngx_uint_t shards, const char *allowed);

/* ends such a list; positions NULL: there is no more */
void ngx_http_yimen_list_more(ngx_http_yimen_ctx_t *ctx,
    const struct ym_str *positions);

/*
 * Of the next rows of all shards (from[] each) the one whose number at index
 * `by` is the smallest (oldest) or the largest; rows shorter than width end
 * their shard.  NULL when there is none.
 */
redisReply *ngx_http_yimen_list_pick(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t *from, size_t by, size_t width, ngx_uint_t oldest,
    ngx_uint_t *ret_shard);

/* whether some type declares such a search key */
ngx_uint_t ngx_http_yimen_list_key_known(ngx_http_yimen_ctx_t *ctx,
    const char *name);

#endif /* NGX_HTTP_YIMEN_LIST_H */
