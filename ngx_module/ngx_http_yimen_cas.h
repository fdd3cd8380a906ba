/* SPDX-License-Identifier: Apache-2.0
 * The CAS server (protocol 1.0, 2.0 and 3.0) for applications that speak it.
 *
 * A ticket is a one-time thing in Redis (kind "cas"), under its digest, sealed:
 * for one service and one session.  Whoever asks for it takes it, and what is
 * wrong with the question does not bring it back.
 */
#ifndef NGX_HTTP_YIMEN_CAS_H
#define NGX_HTTP_YIMEN_CAS_H

#include "ngx_http_yimen_request.h"

#include "ym_arena.h"
#include "ym_err.h"


/* applications of one session that are remembered; the oldest give way */
#define NGX_HTTP_YIMEN_CAS_USES  100

typedef enum {
    NGX_HTTP_YIMEN_CAS_NAME = 0x01,
    NGX_HTTP_YIMEN_CAS_EMAIL = 0x02,
    NGX_HTTP_YIMEN_CAS_ROLES = 0x04,
    NGX_HTTP_YIMEN_CAS_ORG = 0x08,
    NGX_HTTP_YIMEN_CAS_AREA = 0x10,
    NGX_HTTP_YIMEN_CAS_LOGIN = 0x20,
    NGX_HTTP_YIMEN_CAS_SUBJECT = 0x40
} ngx_http_yimen_cas_attribute_e;

/* one of `auth: cas: services:`; read-only */
typedef struct {
    const char     *id;
    const char     *title_zh;
    const char     *title_en;
    struct ym_str   url;            /* as ym_cas_service() writes it */
    const char     *logout;         /* where to say it; NULL: its own address */
    const char     *ca;
    ngx_uint_t      attributes;     /* NGX_HTTP_YIMEN_CAS_* */
    ngx_uint_t      roles;          /* any of these; 0 = everybody */
    unsigned        prefix:1;
    unsigned        by_subject:1;   /* cas:user is the person id */
    unsigned        told:1;         /* of the end of a session */
    unsigned        inside:1;
} ngx_http_yimen_cas_service_t;

typedef struct ngx_http_yimen_cas_conf_s {
    ngx_array_t     services;       /* of ngx_http_yimen_cas_service_t */
    int64_t         ticket;         /* ms */
    int64_t         timeout;        /* of a sign-out */
    int64_t         retry;          /* first pause before it is said again */
    unsigned        told:1;         /* some service is */
} ngx_http_yimen_cas_conf_t;

/* what is kept under a ticket, and of an application that used one */
typedef struct {
    ngx_uint_t      shard;          /* of the session */
    struct ym_str   session;        /* its digest, 64 hex digits */
    ngx_uint_t      fresh;          /* credentials were given for it */
    struct ym_str   service;        /* the id */
    struct ym_str   url;            /* as ym_cas_service() writes it */
    struct ym_str   ticket;         /* of an application only */
} ngx_http_yimen_cas_grant_t;


/* `auth: cas:`; NGX_CONF_ERROR with everything logged */
struct ym_yaml;
char *ngx_http_yimen_cas_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map);

/* the registered service of an address, or the one of an id; NULL: none */
const ngx_http_yimen_cas_service_t *
    ngx_http_yimen_cas_find(const ngx_http_yimen_cas_conf_t *conf,
    struct ym_str url);
const ngx_http_yimen_cas_service_t *
    ngx_http_yimen_cas_service(const ngx_http_yimen_cas_conf_t *conf,
    struct ym_str id);

/*
 * Sealed for that context, and back; texts of the latter point into out, which
 * must be empty.  NGX_ERROR: it is none of ours.
 */
ngx_int_t ngx_http_yimen_cas_seal(const ngx_http_yimen_main_conf_t *ymcf,
    const char *context, const ngx_http_yimen_cas_grant_t *grant,
    struct ym_buf *out);
ngx_int_t ngx_http_yimen_cas_open(const ngx_http_yimen_main_conf_t *ymcf,
    const char *context, struct ym_str sealed,
    ngx_http_yimen_cas_grant_t *grant, struct ym_buf *out);

#define NGX_HTTP_YIMEN_CAS_USE  "cas-use"

/* where a sign-out at a provider goes on, by the state it came back with */
ngx_int_t ngx_http_yimen_cas_back(ngx_http_yimen_ctx_t *ctx,
    struct ym_str state, struct ym_str *ret);

/*
 * Telling applications that a session is over: one worker looks for such every
 * second.  init_process; exit_process, before fetch and Redis are closed.
 */
void ngx_http_yimen_cas_logout_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log);
void ngx_http_yimen_cas_logout_close(void);

/*
 * Evidence of what a stranger may cause as often as he likes: so many entries
 * a second are written, the others are counted, and the count becomes one.
 */
void ngx_http_yimen_cas_refused(ngx_http_yimen_ctx_t *ctx, struct ym_str who,
    struct ym_str system, const char *why);

/* routes */
void ngx_http_yimen_cas_login(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_cas_logout(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_cas_validate(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_cas_validate2(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_cas_validate3(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_CAS_H */
