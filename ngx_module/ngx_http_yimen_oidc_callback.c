/* SPDX-License-Identifier: Apache-2.0
 * The end of a sign-in at a provider: the response, the tokens, the session.
 *
 * Order matters.  What the browser brings is judged without a question to
 * anybody; the state is taken out of Redis once and for all; the issuer is
 * compared; only then does a code go to a token endpoint.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_oidc_priv.h"
#include "ngx_http_yimen_page.h"

#include "ym_store_door.h"
#include "ym_time.h"


static ngx_uint_t ngx_http_yimen_oidc_prefetch(ngx_http_request_t *r);
static void ngx_http_yimen_oidc_take(void *data, ngx_int_t rc);
static void ngx_http_yimen_oidc_taken(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_oidc_open_flow(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, struct ym_str sealed);
static ngx_int_t ngx_http_yimen_oidc_read_flow(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, const json_t *kept);
static void ngx_http_yimen_oidc_told(ngx_http_yimen_ctx_t *ctx,
    const char *error);
static void ngx_http_yimen_oidc_redeem(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow);
static void ngx_http_yimen_oidc_redeemed(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_oidc_tokens(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_oidc_verify(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_oidc_verify_again(void *data, ngx_int_t rc);
static void ngx_http_yimen_oidc_userinfo(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_oidc_userinfo_came(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_oidc_begin(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_oidc_done(ngx_http_yimen_ctx_t *ctx);


/* GET /auth/callback/{provider} */

void
ngx_http_yimen_oidc_callback(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_err                     err;
    struct ym_str                     query;
    struct ym_arena                  *arena;
    ngx_http_yimen_flow_t            *flow;
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_oidc_provider(ctx);
    if (provider == NULL) {
        return;
    }

    flow = ngx_http_yimen_flow(ctx);
    arena = flow ? ngx_http_yimen_arena(ctx) : NULL;

    if (arena == NULL) {
        return;
    }

    /* a code is redeemed for the person who waits for it, and only then */

    if (ctx->request->method != NGX_HTTP_GET
        || ngx_http_yimen_oidc_prefetch(ctx->request))
    {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_BAD_REQUEST,
                                  "请在浏览器窗口中完成登录",
                                  "Finish the sign-in in a window");
        return;
    }

    flow->provider = provider;
    flow->op = ngx_http_yimen_op(provider);

    query.p = (char *) ctx->request->args.data;
    query.n = ctx->request->args.len;

    if (ym_oidc_response(query, arena, &flow->response, &err) != YM_OK) {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "bad_response",
                                   err.message,
                                   "登录返回的信息不完整或有误，请重新登录",
                                   "What came back from the sign-in is "
                                   "incomplete or wrong. Sign in again");
        return;
    }

    if (ngx_http_yimen_flow_name(flow, flow->response.state) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    flow->secret = ngx_http_yimen_flow_cookie(ctx, flow->digest, flow->tag);

    if (flow->secret.n == 0) {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "other_browser",
                                   "the browser has no cookie of this sign-in",
                                   "本浏览器没有发起这次登录，或登录已超时，"
                                   "请重新登录",
                                   "This browser did not begin this sign-in, "
                                   "or it took too long. Sign in again");
        return;
    }

    ngx_http_yimen_op_need(flow->op, ctx->request->pool,
                           ngx_http_yimen_oidc_take, ctx);
}


static ngx_uint_t
ngx_http_yimen_oidc_prefetch(ngx_http_request_t *r)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    static const char *const  names[] = { "sec-purpose", "purpose", "x-moz" };

    for (i = 0; i < YM_COUNT(names); i++) {
        value = ngx_http_yimen_header(r, names[i]);

        if (value != NULL
            && (ngx_strlcasestrn(value->data, value->data + value->len,
                                 (u_char *) "prefetch", 8 - 1)
                || ngx_strlcasestrn(value->data, value->data + value->len,
                                    (u_char *) "prerender", 9 - 1)
                || ngx_strlcasestrn(value->data, value->data + value->len,
                                    (u_char *) "preview", 7 - 1)))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_yimen_oidc_take(void *data, ngx_int_t rc)
{
    ngx_connection_t       *c;
    ngx_http_yimen_ctx_t   *ctx = data;
    ngx_http_yimen_args_t   args;
    ngx_http_yimen_flow_t  *flow;

    c = ctx->request->connection;
    flow = ctx->work;

    if (rc != NGX_OK) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "登录服务暂时无法访问，请稍后刷新本页",
                                  "The sign-in service cannot be reached. "
                                  "Reload this page in a moment");
    } else {
        ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_TAKE,
                                 ngx_http_yimen_digest_shard(ctx->conf,
                                                             flow->digest));
        ngx_http_yimen_arg_z(&args, NGX_HTTP_YIMEN_FLOW_KIND);
        ngx_http_yimen_arg_z(&args, flow->digest);

        ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_oidc_taken);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_oidc_taken(ngx_http_yimen_ctx_t *ctx)
{
    redisReply             *reply;
    struct ym_err           err;
    struct ym_str           sealed;
    ngx_http_yimen_flow_t  *flow;

    flow = ctx->work;
    reply = ctx->replies[0];
    sealed = YM_STR_NULL;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1
        && reply->element[0]->type == REDIS_REPLY_STRING)
    {
        sealed.p = reply->element[0]->str;
        sealed.n = (size_t) reply->element[0]->len;
    }

    if (sealed.p == NULL
        || ngx_http_yimen_oidc_open_flow(ctx, flow, sealed) != NGX_OK)
    {
        ngx_http_yimen_flow_cookie_end(ctx, flow->tag);
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "bad_state",
                                   "the state is unknown, used, expired or "
                                   "another's",
                                   "这次登录已经完成或已超时，请重新登录",
                                   "This sign-in is over, or it took too "
                                   "long. Sign in again");
        return;
    }

    ngx_http_yimen_flow_cookie_end(ctx, flow->tag);

    if (ym_oidc_response_iss(&flow->response, &flow->op->meta, &err)
        != YM_OK)
    {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "other_issuer",
                                   err.message,
                                   "登录信息来自其他认证服务，已拒绝，"
                                   "请重新登录",
                                   "The response is of another sign-in "
                                   "service and was refused. Sign in again");
        return;
    }

    if (flow->response.error != NULL) {
        ngx_http_yimen_oidc_told(ctx, flow->response.error);
        return;
    }

    ngx_http_yimen_oidc_redeem(ctx, flow);
}


static ngx_int_t
ngx_http_yimen_oidc_open_flow(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, struct ym_str sealed)
{
    json_t         *kept;
    ngx_int_t       rc;
    struct ym_buf   plain;

    kept = NULL;
    rc = NGX_ERROR;
    ym_buf_init(&plain, 32768);

    if (ym_unseal(ctx->conf->ring, YM_STR("oidc-flow"), sealed, &plain, NULL)
        == YM_OK
        && ym_json_parse(ym_buf_str(&plain), &ym_json_defaults, &kept, NULL)
           == YM_OK)
    {
        rc = ngx_http_yimen_oidc_read_flow(ctx, flow, kept);
    }

    ym_buf_wipe(&plain);
    json_decref(kept);

    return rc;
}


static ngx_int_t
ngx_http_yimen_oidc_read_flow(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, const json_t *kept)
{
    char         bound[YM_SHA256_HEX];
    const char  *provider, *browser, *nonce, *verifier, *rd;

    provider = ym_json_str(kept, "p");
    browser = ym_json_str(kept, "b");
    nonce = ym_json_str(kept, "n");
    verifier = ym_json_str(kept, "v");
    rd = ym_json_str(kept, "r");

    if (provider == NULL || browser == NULL || nonce == NULL
        || verifier == NULL || rd == NULL
        || ym_sha256_hex(flow->secret, bound) != YM_OK
        || !ym_equal_secret(ym_str_of(bound), ym_str_of(browser))
        || ngx_strcmp(provider, flow->provider->id) != 0)
    {
        return NGX_ERROR;
    }

    flow->nonce = ngx_http_yimen_strz(ctx, ym_str_of(nonce));
    flow->verifier = ngx_http_yimen_strz(ctx, ym_str_of(verifier));
    flow->rd = ngx_http_yimen_copy(ctx, ym_str_of(rd));

    return (flow->nonce == NULL || flow->verifier == NULL
            || flow->rd.p == NULL)
           ? NGX_ERROR : NGX_OK;
}


/* the provider says no: a page, never the way back to the provider */

static void
ngx_http_yimen_oidc_told(ngx_http_yimen_ctx_t *ctx, const char *error)
{
    u_char  reason[YM_OIDC_ERROR_MAX + 32];

    (void) ngx_snprintf(reason, sizeof(reason), "the provider said %s%Z",
                        error);

    if (ngx_strcmp(error, "access_denied") == 0) {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_FORBIDDEN, "denied",
                                   (char *) reason,
                                   "认证服务没有允许这次登录",
                                   "The sign-in service did not allow it");
        return;
    }

    if (ngx_strcmp(error, "server_error") == 0
        || ngx_strcmp(error, "temporarily_unavailable") == 0)
    {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_GATEWAY,
                                   "provider_trouble", (char *) reason,
                                   "认证服务出现故障，请稍后重新登录",
                                   "The sign-in service has a fault. Sign in "
                                   "again later");
        return;
    }

    ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "provider_refused",
                               (char *) reason,
                               "认证服务没有完成登录，请重新登录；"
                               "如持续出现，请联系管理员",
                               "The sign-in service did not finish. Sign in "
                               "again; if it goes on, tell the "
                               "administrator");
}


static void
ngx_http_yimen_oidc_redeem(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow)
{
    const char     *redirect;
    struct ym_buf   body;

    redirect = ngx_http_yimen_flow_redirect(ctx, flow->provider);

    ym_buf_init(&body, 65536);
    ym_buf_adds(&body, "grant_type=authorization_code&code=");
    ym_buf_add_uri(&body, ym_str_of(flow->response.code));
    ym_buf_adds(&body, "&redirect_uri=");
    ym_buf_add_uri(&body, ym_str_of(redirect));
    ym_buf_adds(&body, "&code_verifier=");
    ym_buf_add_uri(&body, ym_str_of(flow->verifier));

    if (redirect == NULL
        || ngx_http_yimen_op_tokens(flow->op, ctx->request->pool, &body,
                                    ngx_http_yimen_oidc_redeemed, ctx)
           != NGX_OK)
    {
        ym_buf_wipe(&body);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
    }
}


static void
ngx_http_yimen_oidc_redeemed(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx = data;

    c = ctx->request->connection;

    ngx_http_yimen_oidc_tokens(ctx, answer);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_oidc_tokens(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_fetched_t *answer)
{
    ym_status               rc;
    struct ym_err           err;
    ngx_http_yimen_flow_t  *flow;

    flow = ctx->work;
    rc = YM_EIO;

    if (answer->status == 0) {
        (void) ym_err_set(&err, YM_EIO, "token endpoint: %s", answer->error);

    } else {
        rc = ym_oidc_tokens((unsigned) answer->status,
                        ngx_http_yimen_fetched_header(answer, "content-type"),
                        answer->body, ctx->arena, &flow->tokens, &err);
    }

    if (rc == YM_OK && flow->tokens.id_token == NULL) {
        rc = ym_err_set(&err, YM_EINVAL, "the answer has no id_token");
    }

    if (rc == YM_OK) {
        ngx_http_yimen_oidc_verify(ctx);
        return;
    }

    if (rc == YM_EAUTH
        && ngx_strcmp(flow->tokens.error, "invalid_grant") == 0)
    {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "bad_code",
                                   err.message,
                                   "这次登录已经完成或已超时，请重新登录",
                                   "This sign-in is over, or it took too "
                                   "long. Sign in again");
        return;
    }

    ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_GATEWAY, "provider_trouble",
                               err.message,
                               "认证服务没有正确应答，请稍后重新登录；"
                               "如持续出现，请联系管理员",
                               "The sign-in service did not answer as it "
                               "should. Sign in again later; if it goes on, "
                               "tell the administrator");
}


static void
ngx_http_yimen_oidc_verify(ngx_http_yimen_ctx_t *ctx)
{
    ym_status                         rc;
    struct ym_err                     err;
    struct ym_str                     token;
    ngx_http_yimen_flow_t            *flow;
    struct ym_oidc_id_rules           rules;
    const ngx_http_yimen_provider_t  *provider;

    flow = ctx->work;
    provider = flow->provider;
    token = ym_str_of(flow->tokens.id_token);

    ngx_memzero(&rules, sizeof(rules));

    rules.keys = flow->op->keys;
    rules.algorithms = (const char *const *) provider->algorithms;
    rules.issuer = provider->issuer;
    rules.client_id = provider->client_id;
    rules.nonce = flow->nonce;
    rules.access_token = flow->tokens.access_token;
    rules.code = flow->response.code;
    rules.acr = provider->acr_values;
    rules.max_age_s = (provider->max_age < 0) ? -1 : provider->max_age / 1000;
    rules.skew_ms = provider->skew;

    rc = ym_oidc_id_token(token, &rules, ym_now_ms(), &flow->claims, &err);

    if (rc == YM_OK) {
        ngx_http_yimen_oidc_userinfo(ctx);
        return;
    }

    if (rc == YM_EUNSUPPORTED) {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_FORBIDDEN, "weak_sign_in",
                                   err.message,
                                   "这次登录的方式或时间达不到本站的要求，"
                                   "请换用更安全的方式重新登录",
                                   "This sign-in was by too weak a method or "
                                   "too long ago. Sign in again by a stronger "
                                   "one");
        return;
    }

    /* the provider may have changed its keys a moment ago */

    if (!flow->renewed && ym_oidc_key_unknown(token, flow->op->keys)) {
        flow->renewed = 1;
        ngx_http_yimen_op_renew(flow->op, ctx->request->pool,
                                ngx_http_yimen_oidc_verify_again, ctx);
        return;
    }

    ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "bad_id_token",
                               err.message,
                               "认证服务给出的身份凭证无效，已拒绝；"
                               "请重新登录，如持续出现，请联系管理员",
                               "The proof of identity of the sign-in service "
                               "does not hold and was refused. Sign in again; "
                               "if it goes on, tell the administrator");
}


static void
ngx_http_yimen_oidc_verify_again(void *data, ngx_int_t rc)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx = data;

    c = ctx->request->connection;

    /* with the old keys it fails again, and then for good */

    ngx_http_yimen_oidc_verify(ctx);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_oidc_userinfo(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf            bearer;
    ngx_int_t                rc;
    ngx_http_yimen_flow_t   *flow;
    ngx_http_yimen_pair_t    headers[2];
    ngx_http_yimen_fetch_t   what;

    flow = ctx->work;

    if (!flow->provider->userinfo || flow->op->meta.userinfo == NULL) {
        ngx_http_yimen_oidc_begin(ctx);
        return;
    }

    ngx_memzero(&what, sizeof(what));
    ym_buf_init(&bearer, YM_OIDC_TOKEN_MAX + 16);
    ym_buf_adds(&bearer, "Bearer ");
    ym_buf_adds(&bearer, flow->tokens.access_token);

    headers[0].name = YM_STR("Authorization");
    headers[0].value = ym_buf_str(&bearer);
    headers[1].name = YM_STR("Accept");
    headers[1].value = YM_STR("application/json");

    what.url = flow->op->meta.userinfo;
    what.headers = headers;
    what.header_count = 2;

    rc = ngx_http_yimen_op_fetch(flow->op, ctx->request->pool, &what,
                                 ngx_http_yimen_oidc_userinfo_came, ctx);
    ym_buf_wipe(&bearer);

    if (rc != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
    }
}


static void
ngx_http_yimen_oidc_userinfo_came(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    ym_status               rc;
    struct ym_err           err;
    ngx_connection_t       *c;
    ngx_http_yimen_ctx_t   *ctx = data;
    ngx_http_yimen_flow_t  *flow;

    c = ctx->request->connection;
    flow = ctx->work;

    if (answer->status == 0) {
        rc = ym_err_set(&err, YM_EIO, "userinfo: %s", answer->error);

    } else {
        rc = ym_oidc_userinfo((unsigned) answer->status,
                        ngx_http_yimen_fetched_header(answer, "content-type"),
                        answer->body, ym_json_str(flow->claims, "sub"),
                        &flow->info, &err);
    }

    if (rc == YM_OK) {
        ngx_http_yimen_oidc_begin(ctx);

    } else {
        ngx_http_yimen_oidc_refuse(ctx,
                                   rc == YM_EAUTH ? NGX_HTTP_BAD_REQUEST
                                                  : NGX_HTTP_BAD_GATEWAY,
                                   "bad_userinfo", err.message,
                                   "认证服务没有给出您的资料，请稍后重新登录；"
                                   "如持续出现，请联系管理员",
                                   "The sign-in service did not tell who you "
                                   "are. Sign in again later; if it goes on, "
                                   "tell the administrator");
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_oidc_begin(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_flow_t  *flow;

    flow = ctx->work;

    if (ngx_http_yimen_oidc_login(flow->provider, flow->claims, flow->info,
                                  &flow->tokens, ctx->arena, &flow->login)
        != NGX_OK)
    {
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_FORBIDDEN, "bad_claims",
                                   "sub, org or area is not acceptable",
                                   "您的账号、机构或区划信息不符合要求，"
                                   "请联系管理员",
                                   "Your account, organisation or area is "
                                   "not told in a form that can be used "
                                   "here. Tell the administrator");
        return;
    }

    ngx_http_yimen_session_begin(ctx, &flow->login, ngx_http_yimen_oidc_done);
}


static void
ngx_http_yimen_oidc_done(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_flow_t  *flow;

    flow = ctx->work;

    /* judged again: what is a place of ours may have changed meanwhile */

    ngx_http_yimen_page_go(ctx, ngx_http_yimen_place(ctx, flow->rd));
}


/*
 * POST /auth/callback/{provider}, response_mode=form_post.  A form that comes
 * from another site brings no SameSite=Lax cookie; the GET that it is turned
 * into does.
 */
void
ngx_http_yimen_oidc_form_post(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                        i, n;
    struct ym_str                     value;
    struct ym_buf                     place;
    const ngx_http_yimen_provider_t  *provider;

    static const char *const  names[] = {
        "code", "state", "iss", "error", "id_token", "access_token",
        "token_type", "response"
    };

    provider = ngx_http_yimen_oidc_provider(ctx);
    if (provider == NULL) {
        return;
    }

    ym_buf_init(&place, YM_OIDC_RESPONSE_MAX);
    ym_buf_adds(&place, "/auth/callback/");
    ym_buf_adds(&place, provider->id);

    for (i = 0, n = 0; i < YM_COUNT(names); i++) {
        if (ngx_http_yimen_form(ctx, names[i], &value) == NGX_OK) {
            ym_buf_addf(&place, "%c%s=", n++ ? '&' : '?', names[i]);
            ym_buf_add_uri(&place, value);
        }
    }

    if (place.failed != YM_OK || n == 0) {
        ym_buf_wipe(&place);
        ngx_http_yimen_oidc_refuse(ctx, NGX_HTTP_BAD_REQUEST, "bad_response",
                                   "no response in the form",
                                   "登录返回的信息不完整或有误，请重新登录",
                                   "What came back from the sign-in is "
                                   "incomplete or wrong. Sign in again");
        return;
    }

    ngx_http_yimen_page_go(ctx, ym_buf_str(&place));
    ym_buf_wipe(&place);
}


void
ngx_http_yimen_oidc_refuse(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *why, const char *reason, const char *zh, const char *en)
{
    ngx_http_yimen_evidence_t  e;

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "event=oidc.refused why=%s err=\"%s\"", why, reason);

    ngx_memzero(&e, sizeof(e));
    e.what = "sign_in_refused";
    e.who = YM_STR("");
    e.why = ym_str_of(why);

    ngx_http_yimen_evidence(ctx->request, &e);
    ngx_http_yimen_page_error(ctx, status, zh, en);
}
