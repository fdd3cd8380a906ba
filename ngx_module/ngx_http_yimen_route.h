/* SPDX-License-Identifier: Apache-2.0
 * The table of routes: one row per operation, read by the dispatcher of
 * requests and by the OpenAPI document alike.
 */
#ifndef NGX_HTTP_YIMEN_ROUTE_H
#define NGX_HTTP_YIMEN_ROUTE_H

#include "ngx_http_yimen_request.h"


enum {
    NGX_HTTP_YIMEN_ROUTE_PUBLIC = 0x01,  /* no sign-in */
    NGX_HTTP_YIMEN_ROUTE_BODY = 0x02,    /* JSON body */
    NGX_HTTP_YIMEN_ROUTE_PATCH = 0x04,   /* JSON merge patch body */
    NGX_HTTP_YIMEN_ROUTE_RECORD = 0x08,  /* {id} must be a record id */
    NGX_HTTP_YIMEN_ROUTE_FORM = 0x10,    /* form body, 64 KiB at most */
    NGX_HTTP_YIMEN_ROUTE_OPTIONAL = 0x20, /* who calls is told when known */
    NGX_HTTP_YIMEN_ROUTE_PAGE = 0x40,    /* people look at it: HTML errors */
    NGX_HTTP_YIMEN_ROUTE_FILE = 0x100,   /* its handler reads the body */
    NGX_HTTP_YIMEN_ROUTE_OWNCHECK = 0x80 /* its handler asks where a form
                                            comes from, session or not */
};

struct ngx_http_yimen_route_s {
    ngx_uint_t                 method;   /* NGX_HTTP_GET … */
    const char                *path;     /* {…} stands for one segment */
    ngx_uint_t                 roles;    /* any of these may call */
    ngx_uint_t                 flags;
    ngx_http_yimen_handler_pt  handler;
    const char                *name;     /* operationId */
    const char                *summary;
};

/* ends with an entry whose path is NULL */
extern const ngx_http_yimen_route_t  ngx_http_yimen_routes[];

/*
 * The route of method and path; params filled.  NULL: *ret_allowed holds the
 * methods that the path has (0 = no such path).
 */
const ngx_http_yimen_route_t *ngx_http_yimen_route_find(ngx_uint_t method,
    struct ym_str path, struct ym_str params[2], ngx_uint_t *ret_allowed);

/* "GET, HEAD, POST" */
void ngx_http_yimen_route_methods(ngx_uint_t methods, struct ym_buf *out);

/* handlers, by file */
void ngx_http_yimen_record_create(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_feedback_create(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_feedback_close(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_amend(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_patch(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_history(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_reveal(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_withdraw(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_attachment_create(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_attachment_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_record_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_delivery_retry(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_delivery_resolve(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_delivery_attempts(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_delivery_attempts_reveal(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_delivery_card(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_events(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_deliveries_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_types_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_type_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_type_targets(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_codes_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_openapi_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_systems_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_system_pause(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_system_resume(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_system_replay(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_adapter_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_system_render(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_report_redundancy(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_report_burden(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_report_usage(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_audit_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_me(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_login_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_login_post(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_login_code(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_signed_out(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_password_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_password_post(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_reset_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_reset_post(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_totp_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_totp_post(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_users_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_user_create(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_user_change(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_user_reset(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_user_unlock(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_sessions_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_sessions_end(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_session_delete(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_logout(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_token_revoke(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_jwks_get(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_metrics(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_healthz(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_readyz(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_ROUTE_H */
