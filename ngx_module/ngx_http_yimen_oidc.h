/* SPDX-License-Identifier: Apache-2.0
 * OpenID Connect: what the rest of the module may know of the providers.
 */
#ifndef NGX_HTTP_YIMEN_OIDC_H
#define NGX_HTTP_YIMEN_OIDC_H

#include "ngx_http_yimen_session.h"
#include "ngx_http_yimen_sessions.h"


/* one of `auth: providers:`; read-only */
typedef struct ngx_http_yimen_provider_s  ngx_http_yimen_provider_t;

struct ngx_http_yimen_provider_s {
    const char               *id;           /* in addresses and person ids */
    const char               *title_zh;     /* on the button */
    const char               *title_en;
    const char               *issuer;
    const char               *client_id;
    char                     *secret;       /* NULL: PKCE alone */
    int                       method;       /* of the client: see the .c */
    const char               *scope;        /* joined by blanks */
    const char              **algorithms;   /* NULL-terminated */
    const char              **origins;      /* inside as well; NULL ends */
    const char               *ca;
    const char               *roles_claim;
    const char               *area_claim;
    const char               *org_claim;
    const char               *name_claim;
    const char               *login_claim;
    const char               *email_claim;
    const char               *acr_values;
    const char               *prompt;
    const char               *audience;     /* of its bearer tokens; or NULL */
    ngx_array_t               role_map;     /* of ..._role_map_t */
    int64_t                   max_age;      /* ms; −1 = not asked */
    int64_t                   skew;
    int64_t                   timeout;
    int64_t                   keys_ttl;
    int64_t                   keys_window;  /* of looks for unknown keys */
    int64_t                   refresh_grace;
    unsigned                  inside:1;
    unsigned                  userinfo:1;
    unsigned                  refresh:1;
    unsigned                  typed_logout:1;
    ngx_uint_t                index;        /* among the providers */
};

typedef struct {
    const char               *from;
    ngx_uint_t                roles;        /* NGX_HTTP_YIMEN_ROLE_* */
} ngx_http_yimen_role_map_t;


/* `auth: providers:`; NGX_CONF_ERROR with everything logged */
struct ym_yaml;
char *ngx_http_yimen_oidc_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *list);

/* in the order of the configuration */
ngx_uint_t ngx_http_yimen_providers(const ngx_http_yimen_main_conf_t *ymcf);
const ngx_http_yimen_provider_t *
    ngx_http_yimen_provider(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_uint_t i);

/* by id, by issuer; NULL: there is none */
const ngx_http_yimen_provider_t *
    ngx_http_yimen_provider_find(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str id);
const ngx_http_yimen_provider_t *
    ngx_http_yimen_provider_of(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str issuer);


/* a worker's knowledge of the providers: init_process, exit_process */
ngx_int_t ngx_http_yimen_oidc_open(ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log);
void ngx_http_yimen_oidc_close(void);


/* the roles of these claims; by role_map, or by their own names */
ngx_uint_t
    ngx_http_yimen_oidc_roles(const ngx_http_yimen_provider_t *provider,
    const json_t *claims);

/*
 * A bearer token of a provider with `audience`.  NGX_OK: its claims, a new
 * reference, and who that is (strings point into the claims).  NGX_DECLINED:
 * no such provider's.  NGX_ERROR: refused, err says why.  NGX_BUSY: refused,
 * but new keys are being fetched, and then it may hold.  NGX_AGAIN: there are
 * no keys yet; they are being fetched.
 */
ngx_int_t ngx_http_yimen_oidc_bearer(
    const ngx_http_yimen_main_conf_t *ymcf, struct ym_str token, int64_t now,
    json_t **ret_claims, ngx_http_yimen_login_t *ret, struct ym_err *err);

/*
 * Where the browser has to go for the provider to sign the person out as well
 * (RP-Initiated Logout 1.0); n 0: nowhere.  May run before this returns.
 * state: what the provider brings back; "": something random.
 */
typedef void (*ngx_http_yimen_oidc_logout_pt)(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url);

void ngx_http_yimen_oidc_logout(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_login_t *login, struct ym_str state,
    ngx_http_yimen_oidc_logout_pt handler);

/*
 * For a session that is found: when its tokens are due, they are renewed
 * behind the request's back.  shard: the session's.
 */
void ngx_http_yimen_oidc_refresh(ngx_http_yimen_main_conf_t *ymcf,
    ngx_http_yimen_session_t *session, ngx_uint_t shard);

/* routes */
void ngx_http_yimen_oidc_start(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_oidc_callback(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_oidc_form_post(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_oidc_backchannel(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_oidc_frontchannel(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_OIDC_H */
