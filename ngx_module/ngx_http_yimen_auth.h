/* SPDX-License-Identifier: Apache-2.0
 * Who calls: bearer tokens, verified once and then remembered per worker.
 */
#ifndef NGX_HTTP_YIMEN_AUTH_H
#define NGX_HTTP_YIMEN_AUTH_H

#include "ngx_http_yimen_request.h"

#define NGX_HTTP_YIMEN_ROLE_STAFF       0x01
#define NGX_HTTP_YIMEN_ROLE_SUPERVISOR  0x02
#define NGX_HTTP_YIMEN_ROLE_OPERATOR    0x04
#define NGX_HTTP_YIMEN_ROLE_AUDITOR     0x08
#define NGX_HTTP_YIMEN_ROLE_ADMIN       0x10
#define NGX_HTTP_YIMEN_ROLE_ANY         0x1f

typedef struct ngx_http_yimen_tokens_s  ngx_http_yimen_tokens_t;

/*
 * Fills ctx->who.  NGX_OK, or the request is answered (401, 400) and
 * NGX_DECLINED is returned.
 */
ngx_int_t ngx_http_yimen_auth(ngx_http_yimen_ctx_t *ctx);

/* name of one role bit, or NULL */
const char *ngx_http_yimen_role_name(ngx_uint_t bit);

/* the cache of verified tokens: init_process, exit_process */
ngx_http_yimen_tokens_t *ngx_http_yimen_tokens_open(ngx_log_t *log);
void ngx_http_yimen_tokens_close(ngx_http_yimen_tokens_t *tokens);

#endif /* NGX_HTTP_YIMEN_AUTH_H */
