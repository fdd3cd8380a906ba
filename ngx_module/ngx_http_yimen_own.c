/* SPDX-License-Identifier: Apache-2.0
 * Changes of one's own local account.  A session alone changes nothing: who
 * found a browser open does not know the password, and is counted like anybody
 * who guesses.
 */
#include "ngx_http_yimen_own.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"


static void ngx_http_yimen_own_show(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_own_tried(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_own_waits(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_own_hashed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_own_counted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_own_stored(ngx_http_yimen_ctx_t *ctx);


ngx_http_yimen_local_t *
ngx_http_yimen_own_open(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_own_t *own, ngx_uint_t form)
{
    ngx_http_yimen_local_t        *local;
    const ngx_http_yimen_login_t  *login;

    local = ngx_http_yimen_local_open(ctx);
    if (local == NULL) {
        return NULL;
    }

    local->own = own;
    login = ngx_http_yimen_session_login(ctx);

    if (login == NULL || !ym_str_is(login->issuer, YM_ACCOUNT_ISSUER)
        || !ym_str_is(login->provider, YM_ACCOUNT_ISSUER)
        || !ym_id_valid(login->subject))
    {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                     "您的账号由统一身份平台管理，请在该平台修改。",
                     "Your account belongs to another sign-in service: please "
                     "change it there.");
        return NULL;
    }

    ngx_memcpy(local->own_id, login->subject.p, YM_ID_LEN);
    local->amr = ngx_http_yimen_strz(ctx, login->amr);

    if (ngx_http_yimen_local_browser(ctx) != NGX_OK
        || (form && ngx_http_yimen_local_ours(ctx) != NGX_OK))
    {
        return NULL;
    }

    return local;
}


void
ngx_http_yimen_own_get(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_own_t *own)
{
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_own_open(ctx, own, 0);

    if (local != NULL) {
        ngx_http_yimen_local_get(ctx, ym_str_of(local->own_id),
                                 ngx_http_yimen_own_show);
    }
}


static void
ngx_http_yimen_own_show(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->account.id[0] == '\0') {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_NOT_FOUND, "账号不存在",
                                  "There is no such account");
        return;
    }

    local->own->page(ctx, NGX_HTTP_OK);
}


void
ngx_http_yimen_own_confirm(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->hash.given = ngx_http_yimen_local_value(ctx, "password");

    ngx_http_yimen_local_try(ctx, "id", ym_str_of(local->own_id),
                             ngx_http_yimen_own_tried);
}


static void
ngx_http_yimen_own_tried(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->wait) {
        (void) ngx_http_yimen_local_wait(ctx);
        ngx_http_yimen_local_get(ctx, ym_str_of(local->own_id),
                                 ngx_http_yimen_own_waits);
        return;
    }

    local->hash.stored = local->account.hash[0] ? local->account.hash : NULL;

    ngx_http_yimen_local_hash(ctx, ngx_http_yimen_own_hashed);
}


static void
ngx_http_yimen_own_waits(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->own->page(ctx, NGX_HTTP_TOO_MANY_REQUESTS);
}


static void
ngx_http_yimen_own_hashed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->hash.verified == YM_EAUTH) {
        local->alert_zh = "当前密码不正确。";
        local->alert_en = "The present password is not right.";
        ngx_http_yimen_local_evidence(ctx, "change_refused", YM_STR(""),
                                      "wrong_password");
        ngx_http_yimen_own_refuse(ctx);
        return;
    }

    if (local->hash.verified != YM_OK || local->account.disabled) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    /* the try is taken back whatever becomes of the change itself */

    local->step = 0;
    ngx_http_yimen_local_done(ctx, ngx_http_yimen_own_counted);
}


static void
ngx_http_yimen_own_counted(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->own->apply(ctx);
}


void
ngx_http_yimen_own_refuse(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->own->page(ctx, NGX_HTTP_FORBIDDEN);
}


void
ngx_http_yimen_own_store(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_put(ctx, ngx_http_yimen_own_stored);
}


static void
ngx_http_yimen_own_stored(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->put != NGX_HTTP_YIMEN_PUT_OK) {
        local->alert_zh = "账号刚刚被修改过，请再试一次。";
        local->alert_en = "The account was changed a moment ago: please try "
                          "again.";
        local->own->page(ctx, NGX_HTTP_CONFLICT);
        return;
    }

    ngx_http_yimen_local_evidence(ctx, local->own->what, YM_STR(""), "");
    ngx_http_yimen_local_renew(ctx, local->own->what, local->own->after);
}


void
ngx_http_yimen_own_note(ngx_http_yimen_ctx_t *ctx, const char *title_zh,
    const char *title_en, const char *zh, const char *en)
{
    struct ym_buf  body;

    ym_buf_init(&body, 8192);
    ngx_http_yimen_form_text(ctx, &body, "p class=\"note\"", zh, en);
    ngx_http_yimen_form_text(ctx, &body, "a class=\"button\" href=\"/\"",
                             "返回首页", "To the start page");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? title_en : title_zh,
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}
