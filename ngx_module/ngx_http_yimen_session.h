/* SPDX-License-Identifier: Apache-2.0
 * Sessions of people: made at sign-in, found by a cookie, ended at once
 * everywhere.
 *
 * The cookie is an opaque 256-bit id; Redis knows only its SHA-256, and what
 * is kept there of a person is sealed.  Workers remember sessions (their own
 * table, then shared memory) and hear from Redis when one changes.  What is
 * remembered is who somebody is, never what he may do.
 */
#ifndef NGX_HTTP_YIMEN_SESSION_H
#define NGX_HTTP_YIMEN_SESSION_H

#include "ngx_http_yimen_request.h"

#include "ym_seal.h"


#define NGX_HTTP_YIMEN_COOKIE       "__Host-yimen"
#define NGX_HTTP_YIMEN_COOKIE_HTTP  "yimen"   /* plain http on loopback only */


/* what a sign-in has found out; "" where there is nothing */
typedef struct {
    struct ym_str   provider;       /* id in the configuration, or "local" */
    struct ym_str   issuer;         /* `iss`, or "local" */
    struct ym_str   subject;        /* `sub`; unique within the issuer */
    struct ym_str   login;          /* name that applications know */
    struct ym_str   name;           /* to be shown */
    struct ym_str   email;
    struct ym_str   org;
    struct ym_str   area;
    ngx_uint_t      roles;          /* NGX_HTTP_YIMEN_ROLE_* */
    int64_t         auth_time;      /* ms */
    struct ym_str   acr;
    struct ym_str   amr;            /* joined by blanks */
    struct ym_str   sid;            /* the provider's session */
    struct ym_str   id_token;       /* for RP-initiated logout */
    struct ym_str   refresh_token;
    int64_t         refresh_at;     /* ms; 0 = never */
} ngx_http_yimen_login_t;


/*
 * Makes a session, ends the one that this browser had, sets the cookie in
 * ctx's answer, writes the evidence, and then runs handler.  On failure the
 * request is answered (503) and handler does not run.  login is copied.
 */
void ngx_http_yimen_session_begin(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_login_t *login, ngx_http_yimen_handler_pt handler);

/* ends ctx's own session (if any), expires the cookie, then runs handler */
void ngx_http_yimen_session_end(ngx_http_yimen_ctx_t *ctx, const char *why,
    ngx_http_yimen_handler_pt handler);

/* ends every session of a person; of one `sid` of a provider */
void ngx_http_yimen_session_end_person(ngx_http_yimen_ctx_t *ctx,
    struct ym_str issuer, struct ym_str subject, const char *why,
    ngx_http_yimen_handler_pt handler);
void ngx_http_yimen_session_end_sid(ngx_http_yimen_ctx_t *ctx,
    struct ym_str issuer, struct ym_str sid, const char *why,
    ngx_http_yimen_handler_pt handler);

/*
 * Every session of a person by his person id; own 0: all but the one that asks.
 * One session, by shard and digest.
 */
void ngx_http_yimen_session_end_all(ngx_http_yimen_ctx_t *ctx,
    struct ym_str person, ngx_uint_t own, const char *why,
    ngx_http_yimen_handler_pt handler);
void ngx_http_yimen_session_end_one(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t shard, struct ym_str digest, struct ym_str person,
    const char *why, ngx_http_yimen_handler_pt handler);

/*
 * The keyed digest that Redis knows a person ("person", scope "") or a
 * provider's session ("sid", scope = issuer) by.
 */
ngx_int_t ngx_http_yimen_session_digest(
    const ngx_http_yimen_main_conf_t *ymcf, const char *label,
    struct ym_str scope, struct ym_str text, char out[YM_DIGEST_HEX]);

/*
 * The session of ctx as it was made (with id_token and refresh_token), for
 * logout and refresh; NULL: the request came without one.
 */
const ngx_http_yimen_login_t *
    ngx_http_yimen_session_login(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_SESSION_H */
