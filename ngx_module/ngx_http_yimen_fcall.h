/* SPDX-License-Identifier: Apache-2.0
 * One call of the store for those who are no API request: an application's
 * cookies, a sign-in under way.
 */
#ifndef NGX_HTTP_YIMEN_FCALL_H
#define NGX_HTTP_YIMEN_FCALL_H

#include "ngx_http_yimen_module.h"
#include "ngx_http_yimen_reply.h"


/* 64 cookies of two arguments each, and what stands before them */
#define NGX_HTTP_YIMEN_FCALL_ARGS  144

typedef struct {
    ngx_uint_t    argc;
    const char   *argv[NGX_HTTP_YIMEN_FCALL_ARGS];
    size_t        len[NGX_HTTP_YIMEN_FCALL_ARGS];
    u_char        key[sizeof("{s}") + NGX_INT_T_LEN];
    u_char        numbers[4][NGX_INT64_LEN + 1];
    ngx_uint_t    number_count;
    unsigned      failed:1;
} ngx_http_yimen_fcall_t;

void ngx_http_yimen_fcall_init(ngx_http_yimen_fcall_t *call,
    const char *function, ngx_uint_t shard);

/* texts must live until it is sent */
void ngx_http_yimen_fcall_arg(ngx_http_yimen_fcall_t *call,
    struct ym_str text);
void ngx_http_yimen_fcall_z(ngx_http_yimen_fcall_t *call, const char *text);
void ngx_http_yimen_fcall_int(ngx_http_yimen_fcall_t *call, int64_t n);

/* as ngx_http_yimen_redis_call() answers; handler NULL: nobody waits */
ngx_int_t ngx_http_yimen_fcall_send(ngx_http_yimen_fcall_t *call,
    ngx_pool_t *pool, ngx_http_yimen_redis_pt handler, void *data);

#endif /* NGX_HTTP_YIMEN_FCALL_H */
