/* SPDX-License-Identifier: Apache-2.0
 * Inside of OpenID Connect: for ngx_http_yimen_oidc*.c only.
 */
#ifndef NGX_HTTP_YIMEN_OIDC_PRIV_H
#define NGX_HTTP_YIMEN_OIDC_PRIV_H

#include "ngx_http_yimen_fetch.h"
#include "ngx_http_yimen_oidc.h"

#include "ym_codec.h"
#include "ym_oidc.h"


/* how long a person may take at the provider's sign-in page */
#define NGX_HTTP_YIMEN_FLOW_LIFE    (15 * 60 * 1000)
#define NGX_HTTP_YIMEN_FLOW_COOKIE  "__Host-yimen-flow-"
#define NGX_HTTP_YIMEN_FLOW_HTTP    "yimen-flow-"
#define NGX_HTTP_YIMEN_FLOW_TAG     8         /* what follows in its name */
#define NGX_HTTP_YIMEN_FLOW_KIND    "oidc"    /* among one-time things */

/* sign-ins of one browser at once; the oldest gives way */
#define NGX_HTTP_YIMEN_FLOW_SLOTS   24

/* an answer of a provider */
#define NGX_HTTP_YIMEN_OP_BODY      (256 * 1024)

enum {
    NGX_HTTP_YIMEN_CLIENT_AUTO,
    NGX_HTTP_YIMEN_CLIENT_BASIC,
    NGX_HTTP_YIMEN_CLIENT_POST
};


/* what a worker knows of one provider */
typedef struct ngx_http_yimen_op_s  ngx_http_yimen_op_t;

typedef void (*ngx_http_yimen_op_pt)(void *data, ngx_int_t rc);

struct ngx_http_yimen_op_s {
    const ngx_http_yimen_provider_t  *conf;
    struct ym_arena                  *arena;    /* of meta; NULL: none yet */
    struct ym_oidc_provider           meta;
    struct ym_jwks                   *keys;     /* NULL: none yet */
    ngx_msec_t                        meta_at;  /* when they came */
    ngx_msec_t                        keys_at;
    ngx_msec_t                        failed_at;
    ngx_msec_t                        asked_at; /* for an unknown key */
    ngx_queue_t                       waiting;
    unsigned                          busy:1;   /* is being asked */
    unsigned                          failed:1; /* the last time */
    unsigned                          asked:1;
};

ngx_http_yimen_op_t *
    ngx_http_yimen_op(const ngx_http_yimen_provider_t *provider);

/*
 * Handler runs with NGX_OK when metadata and keys are there (perhaps before
 * this returns), with NGX_ERROR when the provider cannot be asked; never when
 * pool is destroyed before.
 */
void ngx_http_yimen_op_need(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data);

/* the same after its keys were asked for again; NGX_DECLINED: not now */
void ngx_http_yimen_op_renew(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data);

/* NGX_OK: there are keys; NGX_AGAIN: they are being fetched; nobody waits */
ngx_int_t ngx_http_yimen_op_now(ngx_http_yimen_op_t *op);

/* looks for new keys, at most once a window; nobody waits */
void ngx_http_yimen_op_look(ngx_http_yimen_op_t *op);

/* asks an endpoint: CA, time limit and permission of this provider */
ngx_int_t ngx_http_yimen_op_fetch(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_fetch_t *what, ngx_http_yimen_fetch_pt handler,
    void *data);

/*
 * POST to the token endpoint: body is completed by who we are; wiped.
 * NGX_ERROR: not sent.
 */
ngx_int_t ngx_http_yimen_op_tokens(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    struct ym_buf *body, ngx_http_yimen_fetch_pt handler, void *data);


/* a sign-in between its start and its end */
typedef struct {
    const ngx_http_yimen_provider_t  *provider;
    ngx_http_yimen_op_t              *op;
    struct ym_oidc_response           response;
    char                              digest[YM_SHA256_HEX]; /* of state */
    char                              tag[NGX_HTTP_YIMEN_FLOW_TAG + 1];
    struct ym_str                     rd;
    struct ym_str                     url;       /* at the provider */
    const char                       *verifier;
    const char                       *nonce;
    struct ym_str                     secret;    /* of the cookie */
    struct ym_oidc_tokens             tokens;
    json_t                           *claims;
    json_t                           *info;
    ngx_http_yimen_login_t            login;
    unsigned                          renewed:1; /* the keys, for its token */
} ngx_http_yimen_flow_t;

/* the flow of ctx->work, made; its JSON is freed with the request */
ngx_http_yimen_flow_t *ngx_http_yimen_flow(ngx_http_yimen_ctx_t *ctx);

/* 256 random bits in base64url with NUL; NGX_ERROR: no randomness */
ngx_int_t ngx_http_yimen_flow_random(char out[YM_OIDC_STATE_LEN + 1]);

/* the address that people come back to, from the request's pool; or NULL */
const char *ngx_http_yimen_flow_redirect(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_provider_t *provider);

/* the digest of a state */
ngx_int_t ngx_http_yimen_flow_name(ngx_http_yimen_flow_t *flow,
    const char *state);

/*
 * The cookie of a flow, named by its digest: set, and old ones go; its value
 * (n 0: there is none) and the rest of its name; ended.
 */
ngx_int_t ngx_http_yimen_flow_cookie_set(ngx_http_yimen_ctx_t *ctx,
    const char *digest, const char *secret);
struct ym_str ngx_http_yimen_flow_cookie(ngx_http_yimen_ctx_t *ctx,
    const char *digest, char tag[NGX_HTTP_YIMEN_FLOW_TAG + 1]);
void ngx_http_yimen_flow_cookie_end(ngx_http_yimen_ctx_t *ctx,
    const char *tag);

/*
 * Who these claims tell of; info may be NULL.  Strings point into what is
 * given, or live in a (NULL: amr is left out).  NGX_DECLINED: nobody of ours.
 */
ngx_int_t ngx_http_yimen_oidc_login(const ngx_http_yimen_provider_t *p,
    const json_t *claims, const json_t *info,
    const struct ym_oidc_tokens *tokens, struct ym_arena *a,
    ngx_http_yimen_login_t *ret);

/* when the tokens are to be renewed, ms */
int64_t ngx_http_yimen_oidc_refresh_at(const struct ym_oidc_tokens *tokens);

/* init_process, exit_process */
void ngx_http_yimen_oidc_refresh_open(void);
void ngx_http_yimen_oidc_refresh_close(void);

/* the provider of the path, or the request is answered with 404 */
const ngx_http_yimen_provider_t *
    ngx_http_yimen_oidc_provider(ngx_http_yimen_ctx_t *ctx);

/* ends a sign-in: log, evidence, page */
void ngx_http_yimen_oidc_refuse(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *why, const char *reason, const char *zh, const char *en);

#endif /* NGX_HTTP_YIMEN_OIDC_PRIV_H */
