/* SPDX-License-Identifier: Apache-2.0
 * Logout with a provider: ours that it shall hear of, its own that we hear of
 * on the back channel (a signed token) and the front channel (a frame).
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_oidc_priv.h"

#include "ym_store_door.h"
#include "ym_time.h"


/* longer than a logout token counts as fresh */
#define NGX_HTTP_YIMEN_JTI_LIFE  (15 * 60 * 1000)


/* a logout at the provider that waits for its metadata */
typedef struct {
    ngx_http_yimen_ctx_t             *ctx;
    const ngx_http_yimen_login_t     *login;
    const ngx_http_yimen_provider_t  *provider;
    struct ym_str                     state;      /* "": a random one */
    ngx_http_yimen_oidc_logout_pt     handler;
} ngx_http_yimen_leave_t;

/* a logout token on its way */
typedef struct {
    const ngx_http_yimen_provider_t  *provider;
    ngx_http_yimen_op_t              *op;
    struct ym_str                     token;
    json_t                           *claims;
    struct ym_oidc_logout             logout;
    char                              jti[YM_SHA256_HEX];
    unsigned                          renewed:1;
} ngx_http_yimen_farewell_t;


static void ngx_http_yimen_oidc_leave(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_yimen_oidc_leave_url(ngx_http_yimen_leave_t *leave,
    struct ym_buf *url);
static void ngx_http_yimen_backchannel_close(void *data);
static void ngx_http_yimen_backchannel_ready(void *data, ngx_int_t rc);
static void ngx_http_yimen_backchannel_verify(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_backchannel_again(void *data, ngx_int_t rc);
static void ngx_http_yimen_backchannel_look(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_backchannel_looked(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_backchannel_ended(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_backchannel_done(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_backchannel_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *reason);
static void ngx_http_yimen_frontchannel_done(ngx_http_yimen_ctx_t *ctx);


/* ---- we begin ---- */

void
ngx_http_yimen_oidc_logout(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_login_t *login, struct ym_str state,
    ngx_http_yimen_oidc_logout_pt handler)
{
    ngx_http_yimen_leave_t           *leave;
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_provider_find(ctx->conf, login->provider);
    leave = ngx_palloc(ctx->request->pool, sizeof(ngx_http_yimen_leave_t));

    if (provider == NULL || leave == NULL) {
        handler(ctx, YM_STR(""));
        return;
    }

    leave->ctx = ctx;
    leave->login = login;
    leave->provider = provider;
    leave->state = state;
    leave->handler = handler;

    ngx_http_yimen_op_need(ngx_http_yimen_op(provider), ctx->request->pool,
                           ngx_http_yimen_oidc_leave, leave);
}


static void
ngx_http_yimen_oidc_leave(void *data, ngx_int_t rc)
{
    struct ym_buf            url;
    struct ym_str            copy;
    ngx_connection_t        *c;
    ngx_http_yimen_leave_t  *leave = data;

    c = leave->ctx->request->connection;
    copy = YM_STR("");
    ym_buf_init(&url, 32768);

    /* a provider that is away keeps nobody from signing out here */

    if (rc == NGX_OK && ngx_http_yimen_oidc_leave_url(leave, &url) == NGX_OK) {
        copy = ngx_http_yimen_copy(leave->ctx, ym_buf_str(&url));
    }

    ym_buf_wipe(&url);

    leave->handler(leave->ctx, copy);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_yimen_oidc_leave_url(ngx_http_yimen_leave_t *leave,
    struct ym_buf *url)
{
    char         state[YM_OIDC_STATE_LEN + 1];
    const char  *end;

    end = ngx_http_yimen_op(leave->provider)->meta.end_session;

    if (end == NULL || ngx_http_yimen_flow_random(state) != NGX_OK) {
        return NGX_DECLINED;
    }

    ym_buf_adds(url, end);
    ym_buf_adds(url, ngx_strchr(end, '?') ? "&client_id=" : "?client_id=");
    ym_buf_add_uri(url, ym_str_of(leave->provider->client_id));
    ym_buf_adds(url, "&post_logout_redirect_uri=");
    ym_buf_add_uri(url, ym_str_of(leave->ctx->conf->auth.public_url));
    ym_buf_add_uri(url, YM_STR("/auth/signed-out"));
    ym_buf_adds(url, "&state=");
    ym_buf_add_uri(url, leave->state.n ? leave->state : ym_str_of(state));

    if (leave->login->id_token.n) {
        ym_buf_adds(url, "&id_token_hint=");
        ym_buf_add_uri(url, leave->login->id_token);
    }

    return (url->failed == YM_OK) ? NGX_OK : NGX_ERROR;
}


/* ---- POST /auth/backchannel/{provider} ---- */

void
ngx_http_yimen_oidc_backchannel(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_yimen_farewell_t        *f;
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_oidc_provider(ctx);
    if (provider == NULL) {
        return;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_farewell_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    f = cln->data;
    ngx_memzero(f, sizeof(ngx_http_yimen_farewell_t));
    cln->handler = ngx_http_yimen_backchannel_close;

    f->provider = provider;
    f->op = ngx_http_yimen_op(provider);
    ctx->work = f;

    if (ngx_http_yimen_form(ctx, "logout_token", &f->token) != NGX_OK) {
        ngx_http_yimen_backchannel_refuse(ctx, "no logout_token in the form");
        return;
    }

    ngx_http_yimen_op_need(f->op, ctx->request->pool,
                           ngx_http_yimen_backchannel_ready, ctx);
}


static void
ngx_http_yimen_backchannel_close(void *data)
{
    ngx_http_yimen_farewell_t  *f = data;

    json_decref(f->claims);
}


static void
ngx_http_yimen_backchannel_ready(void *data, ngx_int_t rc)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx = data;

    c = ctx->request->connection;

    if (rc != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);

    } else {
        ngx_http_yimen_backchannel_verify(ctx);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_backchannel_verify(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_err               err;
    struct ym_oidc_id_rules     rules;
    ngx_http_yimen_farewell_t  *f;

    f = ctx->work;
    ngx_memzero(&rules, sizeof(rules));

    rules.keys = f->op->keys;
    rules.algorithms = (const char *const *) f->provider->algorithms;
    rules.issuer = f->provider->issuer;
    rules.client_id = f->provider->client_id;
    rules.max_age_s = -1;
    rules.skew_ms = f->provider->skew;

    if (ym_oidc_logout_token(f->token, &rules, f->provider->typed_logout,
                             ym_now_ms(), &f->logout, &f->claims, &err)
        == YM_OK)
    {
        ngx_http_yimen_backchannel_look(ctx);
        return;
    }

    if (!f->renewed && ym_oidc_key_unknown(f->token, f->op->keys)) {
        f->renewed = 1;
        ngx_http_yimen_op_renew(f->op, ctx->request->pool,
                                ngx_http_yimen_backchannel_again, ctx);
        return;
    }

    ngx_http_yimen_backchannel_refuse(ctx, err.message);
}


static void
ngx_http_yimen_backchannel_again(void *data, ngx_int_t rc)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx = data;

    c = ctx->request->connection;

    ngx_http_yimen_backchannel_verify(ctx);
    ngx_http_run_posted_requests(c);
}


/*
 * A token counts once.  It is written down when its sessions have ended, so
 * that a provider may repeat what failed on our side.
 */
static void
ngx_http_yimen_backchannel_look(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf               text;
    ngx_http_yimen_args_t       args;
    ngx_http_yimen_farewell_t  *f;

    f = ctx->work;

    ym_buf_init(&text, 4096);
    ym_buf_adds(&text, f->provider->issuer);
    ym_buf_addc(&text, '\n');
    ym_buf_adds(&text, f->logout.jti);

    if (text.failed != YM_OK
        || ym_sha256_hex(ym_buf_str(&text), f->jti) != YM_OK)
    {
        ym_buf_clear(&text);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_buf_clear(&text);

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_LOOK,
                             ngx_http_yimen_digest_shard(ctx->conf, f->jti));
    ngx_http_yimen_arg_z(&args, "jti");
    ngx_http_yimen_arg_z(&args, f->jti);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_backchannel_looked);
}


static void
ngx_http_yimen_backchannel_looked(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str               issuer;
    ngx_http_yimen_farewell_t  *f;

    f = ctx->work;

    if (ctx->replies[0]->type == REDIS_REPLY_ARRAY) {
        ngx_http_yimen_backchannel_refuse(ctx, "the logout token was used");
        return;
    }

    issuer = ym_str_of(f->provider->issuer);

    if (f->logout.sid != NULL) {
        ngx_http_yimen_session_end_sid(ctx, issuer, ym_str_of(f->logout.sid),
                                       "backchannel",
                                       ngx_http_yimen_backchannel_ended);
        return;
    }

    ngx_http_yimen_session_end_person(ctx, issuer, ym_str_of(f->logout.sub),
                                      "backchannel",
                                      ngx_http_yimen_backchannel_ended);
}


static void
ngx_http_yimen_backchannel_ended(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t       args;
    ngx_http_yimen_farewell_t  *f;

    f = ctx->work;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_PUT,
                             ngx_http_yimen_digest_shard(ctx->conf, f->jti));
    ngx_http_yimen_arg_z(&args, "jti");
    ngx_http_yimen_arg_z(&args, f->jti);
    ngx_http_yimen_arg_z(&args, "1");
    ngx_http_yimen_arg_int(&args, NGX_HTTP_YIMEN_JTI_LIFE);

    /* the sessions are gone: that is what the provider asks about */

    ctx->on_trouble = ngx_http_yimen_backchannel_done;
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_backchannel_done);
}


static void
ngx_http_yimen_backchannel_done(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_backchannel_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *reason)
{
    ngx_http_yimen_evidence_t  e;

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "event=oidc.refused why=logout_token err=\"%s\"", reason);

    ngx_memzero(&e, sizeof(e));
    e.what = "sign_out_refused";
    e.why = YM_STR("logout_token");
    ngx_http_yimen_evidence(ctx->request, &e);

    ym_buf_adds(&ctx->out, "{\"error\":\"invalid_request\"}");
    ngx_http_yimen_answer(ctx, NGX_HTTP_BAD_REQUEST, NULL);
}


/* ---- GET /auth/frontchannel/{provider}?iss=…&sid=… ---- */

void
ngx_http_yimen_oidc_frontchannel(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str                     query, iss, sid;
    struct ym_arena                  *arena;
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_oidc_provider(ctx);
    if (provider == NULL) {
        return;
    }

    arena = ngx_http_yimen_arena(ctx);
    if (arena == NULL) {
        return;
    }

    query.p = (char *) ctx->request->args.data;
    query.n = ctx->request->args.len;

    /* by sid: a frame of another site has no cookie of ours */

    if (ctx->request->method != NGX_HTTP_GET
        || ym_oidc_param(query, "iss", arena, &iss) != YM_OK
        || ym_oidc_param(query, "sid", arena, &sid) != YM_OK
        || !ym_str_is(iss, provider->issuer)
        || sid.n == 0 || sid.n > YM_OIDC_SUB_MAX)
    {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "event=oidc.refused why=frontchannel");
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "缺少 iss 或 sid，或与认证服务不符",
                               "iss or sid is missing or of another provider");
        return;
    }

    ngx_http_yimen_session_end_sid(ctx, ym_str_of(provider->issuer), sid,
                                   "frontchannel",
                                   ngx_http_yimen_frontchannel_done);
}


static void
ngx_http_yimen_frontchannel_done(ngx_http_yimen_ctx_t *ctx)
{
    (void) ngx_http_yimen_answer_header(ctx, "Content-Security-Policy",
                                        YM_STR("default-src 'none'"));
    ym_buf_adds(&ctx->out, "<!doctype html><title>Signed out</title>");
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, "text/html; charset=utf-8");
}
