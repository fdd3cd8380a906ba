/* SPDX-License-Identifier: Apache-2.0
 * Who calls: bearer tokens, verified once and then remembered per worker.
 */
#ifndef NGX_HTTP_YIMEN_AUTH_H
#define NGX_HTTP_YIMEN_AUTH_H

#include "ngx_http_yimen_who.h"

#define NGX_HTTP_YIMEN_ROLE_STAFF       0x01
#define NGX_HTTP_YIMEN_ROLE_SUPERVISOR  0x02
#define NGX_HTTP_YIMEN_ROLE_OPERATOR    0x04
#define NGX_HTTP_YIMEN_ROLE_AUDITOR     0x08
#define NGX_HTTP_YIMEN_ROLE_ADMIN       0x10
#define NGX_HTTP_YIMEN_ROLE_ANY         0x1f

/* longest subject, and person id, in bytes */
#define NGX_HTTP_YIMEN_SUBJECT_BYTES    255

typedef struct ngx_http_yimen_tokens_s  ngx_http_yimen_tokens_t;

/*
 * The verdict on a request's bearer token, in who.  NGX_DECLINED: it has none,
 * and nothing is said.
 */
ngx_int_t ngx_http_yimen_bearer(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who);

/*
 * Whether a subject can name an owner: its bytes, its length; own: it comes
 * from auth.issuer and must not look like a person of another provider.
 */
ngx_int_t ngx_http_yimen_auth_subject(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject, ngx_uint_t own);

/* name of one role bit, or NULL */
const char *ngx_http_yimen_role_name(ngx_uint_t bit);

/* the cache of verified tokens: init_process, exit_process */
ngx_http_yimen_tokens_t *ngx_http_yimen_tokens_open(ngx_log_t *log);
void ngx_http_yimen_tokens_close(ngx_http_yimen_tokens_t *tokens);

#endif /* NGX_HTTP_YIMEN_AUTH_H */
