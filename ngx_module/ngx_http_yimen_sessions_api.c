/* SPDX-License-Identifier: Apache-2.0
 * Who one is, the sessions that one has, and their end.
 *
 * A session is named by its shard and the digest of its id: enough to end it,
 * and of no use as a cookie.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_store_door.h"


typedef struct {
    ngx_uint_t      shard;
    struct ym_str   digest;
    char            person[YM_DIGEST_HEX];   /* whose it should be; "" any */
} ngx_http_yimen_handle_t;


static ngx_int_t ngx_http_yimen_sessions_person(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret_person);
static void ngx_http_yimen_sessions_write(ngx_http_yimen_ctx_t *ctx);
static ngx_uint_t ngx_http_yimen_sessions_item(ngx_http_yimen_ctx_t *ctx,
    const redisReply *row, ngx_uint_t shard, ngx_uint_t before);
static ngx_int_t ngx_http_yimen_handle_read(ngx_http_yimen_ctx_t *ctx,
    struct ym_str text, ngx_http_yimen_handle_t *ret);
static void ngx_http_yimen_session_owned(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_session_gone(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_logout_known(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url);
static void ngx_http_yimen_logout_done(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_logout_page(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url);
static void ngx_http_yimen_me_session(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_me_text(struct ym_buf *out, const char *name,
    struct ym_str text);


void
ngx_http_yimen_me(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                        bit, n;
    struct ym_buf                    *out;
    const ngx_http_yimen_identity_t  *who;

    out = &ctx->out;
    who = &ctx->who;
    n = 0;

    ym_buf_adds(out, "{\"subject\":");
    ym_buf_add_json(out, who->subject);
    ym_buf_adds(out, ",\"org\":");
    ym_buf_add_json(out, who->org);
    ym_buf_adds(out, ",\"area\":");
    ym_buf_add_json(out, who->area);
    ym_buf_adds(out, ",\"roles\":[");

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {

        if (!(who->roles & bit)) {
            continue;
        }

        if (n++) {
            ym_buf_addc(out, ',');
        }

        ym_buf_add_json(out, ym_str_of(ngx_http_yimen_role_name(bit)));
    }

    ym_buf_addf(out, "],\"rights\":[%s%s%s]",
                (who->roles & ctx->conf->reveal) ? "\"reveal\"" : "",
                (who->roles & ctx->conf->reveal)
                && (who->roles & ctx->conf->amend) ? "," : "",
                (who->roles & ctx->conf->amend) ? "\"amend\"" : "");
    ngx_http_yimen_me_text(out, "login", who->login);
    ngx_http_yimen_me_text(out, "name", who->name);
    ngx_http_yimen_me_text(out, "provider", who->provider);
    ym_buf_adds(out, ",\"auth_time\":");
    ngx_http_yimen_time_write(out, who->auth_time);
    ym_buf_addf(out, ",\"method\":\"%s\"",
                who->method == NGX_HTTP_YIMEN_BY_SESSION ? "session"
                                                         : "bearer");
    ngx_http_yimen_me_session(ctx);
    ym_buf_adds(out, "}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_me_text(struct ym_buf *out, const char *name,
    struct ym_str text)
{
    ym_buf_addf(out, ",\"%s\":", name);

    if (text.n == 0) {
        ym_buf_adds(out, "null");
        return;
    }

    ym_buf_add_json(out, text);
}


static void
ngx_http_yimen_me_session(ngx_http_yimen_ctx_t *ctx)
{
    char                   csrf[YM_DIGEST_HEX];
    struct ym_buf         *out;
    ngx_http_yimen_who_t  *who;

    out = &ctx->out;
    who = ngx_http_yimen_who_get(ctx->request, 0);

    if (who == NULL || who->session == NULL
        || ngx_http_yimen_csrf_token(ctx->conf, ctx->who.session, csrf)
           != NGX_OK)
    {
        ym_buf_adds(out, ",\"csrf\":null,\"session\":null");
        return;
    }

    ym_buf_addf(out, ",\"csrf\":\"%s\",\"session\":{\"id\":\"%u-%s\"", csrf,
                (unsigned) who->shard, who->session->hex);
    ym_buf_adds(out, ",\"created_at\":");
    ngx_http_yimen_time_write(out, who->session->times.created);
    ym_buf_adds(out, ",\"expires_at\":");
    ngx_http_yimen_time_write(out, who->session->times.ends);
    ym_buf_addf(out, ",\"idle\":%lld}",
                (long long) ctx->conf->session.idle / 1000);
}


/* GET /sessions */

void
ngx_http_yimen_sessions_list(ngx_http_yimen_ctx_t *ctx)
{
    char                   digest[YM_DIGEST_HEX];
    struct ym_str          person;
    ngx_http_yimen_args_t  args;

    if (ngx_http_yimen_sessions_person(ctx, &person) != NGX_OK) {
        return;
    }

    if (ngx_http_yimen_session_digest(ctx->conf, "person", YM_STR(""), person,
                                      digest)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = (void *) (uintptr_t) ngx_http_yimen_digest_shard(ctx->conf,
                                                                 digest);

    ngx_http_yimen_args_init(&args, ctx, YM_FN_SESSION_LIST,
                             (ngx_uint_t) (uintptr_t) ctx->work);
    ngx_http_yimen_arg_z(&args, digest);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_sessions_write);
}


/* one's own, or for administrators ?person= */

static ngx_int_t
ngx_http_yimen_sessions_person(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret_person)
{
    if (ngx_http_yimen_worker.sessions == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return NGX_ERROR;
    }

    if (ngx_http_yimen_query(ctx, "person", ret_person) != NGX_OK) {
        *ret_person = ctx->who.subject;
        return NGX_OK;
    }

    if (!(ctx->who.roles & NGX_HTTP_YIMEN_ROLE_ADMIN)
        && !ym_str_eq(*ret_person, ctx->who.subject))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "只能查看和结束自己的会话",
                               "One may see and end one's own sessions only");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_sessions_write(ngx_http_yimen_ctx_t *ctx)
{
    size_t       i;
    ngx_uint_t   n;
    redisReply  *reply;

    reply = ctx->replies[0];
    n = 0;

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
    {
        n += ngx_http_yimen_sessions_item(ctx, reply->element[i],
                                    (ngx_uint_t) (uintptr_t) ctx->work, n);
    }

    ym_buf_adds(&ctx->out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* 0: the value is none that we can read, and there is nothing to be said */

static ngx_uint_t
ngx_http_yimen_sessions_item(ngx_http_yimen_ctx_t *ctx, const redisReply *row,
    ngx_uint_t shard, ngx_uint_t before)
{
    json_t                       *json;
    struct ym_err                 err;
    struct ym_buf                *out;
    struct ym_session_value       v;
    ngx_http_yimen_reply_held_t   held;

    if (!ngx_http_yimen_reply_held(row, &held)
        || ym_session_value_open(ctx->conf->ring, held.digest.p, held.sealed,
                                 &json, &v, &err)
           != YM_OK)
    {
        return 0;
    }

    out = &ctx->out;

    ym_buf_addf(out, "%s{\"id\":\"%u-%.*s\"", before ? "," : "",
                (unsigned) shard, (int) held.digest.n,
                held.digest.p);
    ngx_http_yimen_me_text(out, "provider", v.provider);
    ngx_http_yimen_me_text(out, "agent", v.agent);
    ym_buf_adds(out, ",\"created_at\":");
    ngx_http_yimen_time_write(out, held.created);
    ym_buf_adds(out, ",\"used_at\":");
    ngx_http_yimen_time_write(out, held.used);
    ym_buf_adds(out, ",\"expires_at\":");
    ngx_http_yimen_time_write(out, held.ends);
    ym_buf_addf(out, ",\"current\":%s}",
                ym_str_eq(held.digest, ctx->who.session) ? "true" : "false");

    json_decref(json);

    return 1;
}


/* DELETE /sessions: all but this one; ?person=: all of his */

void
ngx_http_yimen_sessions_end(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  person;

    if (ngx_http_yimen_sessions_person(ctx, &person) != NGX_OK) {
        return;
    }

    ngx_http_yimen_session_end_all(ctx, person,
                                   !ym_str_eq(person, ctx->who.subject),
                                   "by_request", ngx_http_yimen_session_gone);
}


/* DELETE /sessions/{session} */

void
ngx_http_yimen_session_delete(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t     args;
    ngx_http_yimen_handle_t  *handle;

    handle = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_handle_t));
    if (handle == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_worker.sessions == NULL
        || ngx_http_yimen_handle_read(ctx, ctx->params[0], handle) != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (!(ctx->who.roles & NGX_HTTP_YIMEN_ROLE_ADMIN)
        && ngx_http_yimen_session_digest(ctx->conf, "person", YM_STR(""),
                                         ctx->who.subject, handle->person)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = handle;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_SESSION_GET, handle->shard);
    ngx_http_yimen_arg(&args, handle->digest);
    ngx_http_yimen_arg_int(&args, ctx->conf->session.idle);
    ngx_http_yimen_arg_int(&args, 0);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_session_owned);
}


/* <shard>-<64 hex digits> */

static ngx_int_t
ngx_http_yimen_handle_read(ngx_http_yimen_ctx_t *ctx, struct ym_str text,
    ngx_http_yimen_handle_t *ret)
{
    size_t      i;
    ngx_int_t   shard;

    if (text.n < YM_SHA256_HEX + 1 || text.n > YM_SHA256_HEX + 2) {
        return NGX_ERROR;
    }

    ret->digest.n = YM_SHA256_HEX - 1;
    ret->digest.p = text.p + text.n - ret->digest.n;

    for (i = 0; i < ret->digest.n; i++) {
        if (!((ret->digest.p[i] >= '0' && ret->digest.p[i] <= '9')
              || (ret->digest.p[i] >= 'a' && ret->digest.p[i] <= 'f')))
        {
            return NGX_ERROR;
        }
    }

    if (ret->digest.p[-1] != '-') {
        return NGX_ERROR;
    }

    shard = ngx_atoi((u_char *) (uintptr_t) text.p,
                     text.n - ret->digest.n - 1);

    if (shard == NGX_ERROR || shard >= ctx->conf->catalog->site.shards) {
        return NGX_ERROR;
    }

    ret->shard = (ngx_uint_t) shard;

    return NGX_OK;
}


/* somebody else's session is not there for him */

static void
ngx_http_yimen_session_owned(ngx_http_yimen_ctx_t *ctx)
{
    json_t                   *json;
    redisReply               *reply;
    struct ym_err             err;
    struct ym_str             whose;
    struct ym_session_value   v;
    ngx_http_yimen_handle_t  *handle;

    handle = ctx->work;
    reply = ctx->replies[0];

    if (ngx_http_yimen_reply_row(reply, 7) == NULL
        || (handle->person[0] != '\0'
            && !ngx_http_yimen_reply_is(reply->element[1], handle->person)))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    whose = YM_STR("");

    if (ym_session_value_open(ctx->conf->ring, handle->digest.p,
                              ngx_http_yimen_reply_str(reply->element[0]),
                              &json, &v, &err)
        == YM_OK)
    {
        whose = ngx_http_yimen_copy(ctx, v.person);
        json_decref(json);
    }

    ngx_http_yimen_session_end_one(ctx, handle->shard, handle->digest, whose,
                                   "by_request", ngx_http_yimen_session_gone);
}


static void
ngx_http_yimen_session_gone(ngx_http_yimen_ctx_t *ctx)
{
    ym_buf_adds(&ctx->out, "{\"ended\":true}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* POST /auth/logout, by a form or by a program */

void
ngx_http_yimen_logout(ngx_http_yimen_ctx_t *ctx)
{
    const ngx_http_yimen_login_t  *login;

    login = ngx_http_yimen_session_login(ctx);

    if (login == NULL) {
        ngx_http_yimen_logout_known(ctx, YM_STR(""));
        return;
    }

    ngx_http_yimen_oidc_logout(ctx, login, YM_STR(""),
                               ngx_http_yimen_logout_known);
}


/* url: where the provider signs the person out as well; n 0: nowhere */

static void
ngx_http_yimen_logout_known(ngx_http_yimen_ctx_t *ctx, struct ym_str url)
{
    struct ym_str  *next;

    next = ngx_palloc(ctx->request->pool, sizeof(struct ym_str));
    if (next == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    *next = url;
    ctx->work = next;

    ngx_http_yimen_session_end(ctx, "logout", ngx_http_yimen_logout_done);
}


static void
ngx_http_yimen_logout_done(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  wanted, *next;

    next = ctx->work;

    if (!ngx_http_yimen_is_navigation(ctx->request)) {
        ym_buf_adds(&ctx->out, "{\"ended\":true,\"next\":");

        if (next->n) {
            ym_buf_add_json(&ctx->out, *next);

        } else {
            ym_buf_adds(&ctx->out, "null");
        }

        ym_buf_adds(&ctx->out, "}\n");
        ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
        return;
    }

    if (next->n) {
        ngx_http_yimen_logout_page(ctx, *next);
        return;
    }

    wanted = YM_STR("/");

    if (ngx_http_yimen_form(ctx, "rd", &wanted) == NGX_OK) {
        wanted = ngx_http_yimen_place(ctx, wanted);
    }

    ngx_http_yimen_page_go(ctx, wanted);
}


/*
 * A page that goes on by itself: browsers hold a redirect after a form against
 * the page's form-action, which names nobody but us.
 */
static void
ngx_http_yimen_logout_page(ngx_http_yimen_ctx_t *ctx, struct ym_str url)
{
    struct ym_buf  text;

    ym_buf_init(&text, 65536);
    ym_buf_adds(&text, "0; url=");
    ym_buf_add(&text, url.p, url.n);
    (void) ngx_http_yimen_answer_header(ctx, "Refresh", ym_buf_str(&text));

    ym_buf_wipe(&text);
    ym_buf_init(&text, 65536);
    ym_buf_adds(&text, "<p>");
    ym_buf_adds(&text, ctx->lang == YM_EN
                       ? "You are signed out here. The sign-in service is "
                         "told as well."
                       : "您已在本站退出，正在通知认证服务。");
    ym_buf_adds(&text, "</p>\n<a class=\"button\" rel=\"noreferrer\" "
                       "href=\"");
    ngx_http_yimen_html(&text, url);
    ym_buf_adds(&text, "\">");
    ym_buf_adds(&text, ctx->lang == YM_EN ? "Go on" : "继续");
    ym_buf_adds(&text, "</a>");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "Signing out" : "正在退出",
                        ym_buf_str(&text));
    ym_buf_wipe(&text);
}
