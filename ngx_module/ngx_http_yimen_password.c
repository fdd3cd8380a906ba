/* SPDX-License-Identifier: Apache-2.0
 * A person's own password: changed by who knows the present one, or set once
 * by a link that an administrator handed out.  Either ends every other
 * session of the account.
 */
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_own.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_store_account.h"


/* kind of the ticket in a link */
#define NGX_HTTP_YIMEN_RESET  "reset"


static void ngx_http_yimen_password_apply(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_password_page(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);
static void ngx_http_yimen_password_changed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_password_inputs(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out, ngx_uint_t focus);
static ngx_http_yimen_local_t *
    ngx_http_yimen_reset_open(ngx_http_yimen_ctx_t *ctx, ngx_uint_t form);
static void ngx_http_yimen_reset_account(ngx_http_yimen_ctx_t *ctx,
    struct ym_str ticket, ngx_http_yimen_handler_pt handler);
static ngx_uint_t ngx_http_yimen_reset_valid(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_show(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_got(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_hashed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_stored(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_unlocked(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_done(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reset_page(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);


static const ngx_http_yimen_own_t  ngx_http_yimen_password_own = {
    "password_changed",
    ngx_http_yimen_password_apply,
    ngx_http_yimen_password_page,
    ngx_http_yimen_password_changed
};


/* one's own password */

void
ngx_http_yimen_password_get(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_own_get(ctx, &ngx_http_yimen_password_own);
}


void
ngx_http_yimen_password_post(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_own_open(ctx, &ngx_http_yimen_password_own, 1);
    if (local == NULL) {
        return;
    }

    local->hash.fresh = ngx_http_yimen_local_value(ctx, "fresh");

    ngx_http_yimen_own_confirm(ctx);
}


static void
ngx_http_yimen_password_apply(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (!ngx_http_yimen_local_fit(ctx, local->hash.fresh,
                                  ngx_http_yimen_local_value(ctx, "again")))
    {
        ngx_http_yimen_own_refuse(ctx);
        return;
    }

    if (local->hash.hashed != YM_OK || local->hash.hash[0] == '\0') {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_memcpy(local->account.hash, local->hash.hash,
               sizeof(local->account.hash));
    local->account.change = 0;

    ngx_http_yimen_own_store(ctx);
}


static void
ngx_http_yimen_password_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    struct ym_buf            body;
    ngx_http_yimen_input_t   given;

    ngx_memzero(&given, sizeof(ngx_http_yimen_input_t));

    given.name = "password";
    given.type = "password";
    given.zh = "当前密码";
    given.en = "Present password";
    given.complete = "current-password";
    given.focus = 1;

    ym_buf_init(&body, 64 * 1024);
    ngx_http_yimen_form_alert(ctx, &body);
    ngx_http_yimen_form_open(ctx, &body, "/auth/password");
    ngx_http_yimen_form_input(ctx, &body, &given);
    ngx_http_yimen_password_inputs(ctx, &body, 0);
    ngx_http_yimen_form_close(ctx, &body, "修改密码", "Change password");

    ngx_http_yimen_page(ctx, status,
                        ctx->lang == YM_EN ? "Change password" : "修改密码",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


static void
ngx_http_yimen_password_inputs(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    ngx_uint_t focus)
{
    u_char                  zh[128], en[128];
    ngx_http_yimen_input_t  fresh, again;

    (void) ngx_snprintf(zh, sizeof(zh),
                        "至少 %L 个字符，例如几个不相干的词。%Z",
                        ctx->conf->local->least);
    (void) ngx_snprintf(en, sizeof(en),
                        "At least %L characters; a few unrelated words make "
                        "a good one.%Z", ctx->conf->local->least);

    ngx_memzero(&fresh, sizeof(ngx_http_yimen_input_t));
    ngx_memzero(&again, sizeof(ngx_http_yimen_input_t));

    fresh.name = "fresh";
    fresh.type = "password";
    fresh.zh = "新密码";
    fresh.en = "New password";
    fresh.complete = "new-password";
    fresh.focus = focus;
    fresh.hint_zh = (char *) zh;
    fresh.hint_en = (char *) en;

    again.name = "again";
    again.type = "password";
    again.zh = "再次输入新密码";
    again.en = "New password once more";
    again.complete = "new-password";

    ngx_http_yimen_form_input(ctx, out, &fresh);
    ngx_http_yimen_form_input(ctx, out, &again);
}


static void
ngx_http_yimen_password_changed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_own_note(ctx, "密码已修改", "Password changed",
                            "您的新密码已生效，其他设备上的登录已全部退出。",
                            "Your new password holds from now on. You are "
                            "signed out everywhere else.");
}


/* by a link */

struct ym_str
ngx_http_yimen_reset_ticket(ngx_http_yimen_ctx_t *ctx)
{
    u_char                   text[YM_ID_LEN + 1 + NGX_INT64_LEN];
    struct ym_str            what;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    /* it names the version it is for: whatever changes the account ends it */

    what.p = (char *) text;
    what.n = (size_t) (ngx_sprintf(text, "%s %L", local->account.id,
                                   local->account.version)
                       - text);

    return ngx_http_yimen_ticket(ctx, NGX_HTTP_YIMEN_RESET, YM_STR(""), what,
                                 NGX_HTTP_YIMEN_RESET_MS);
}


void
ngx_http_yimen_reset_get(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str            ticket;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_reset_open(ctx, 0);
    if (local == NULL) {
        return;
    }

    if (ngx_http_yimen_query(ctx, "t", &ticket) != NGX_OK) {
        ticket = YM_STR("");
    }

    ngx_http_yimen_reset_account(ctx, ticket, ngx_http_yimen_reset_show);
}


void
ngx_http_yimen_reset_post(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_reset_open(ctx, 1);
    if (local == NULL) {
        return;
    }

    local->hash.fresh = ngx_http_yimen_local_value(ctx, "fresh");

    ngx_http_yimen_reset_account(ctx, ngx_http_yimen_local_value(ctx, "t"),
                                 ngx_http_yimen_reset_got);
}


static ngx_http_yimen_local_t *
ngx_http_yimen_reset_open(ngx_http_yimen_ctx_t *ctx, ngx_uint_t form)
{
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_local_open(ctx);

    if (local == NULL || ngx_http_yimen_local_browser(ctx) != NGX_OK
        || (form && ngx_http_yimen_local_ours(ctx) != NGX_OK))
    {
        return NULL;
    }

    return local;
}


static void
ngx_http_yimen_reset_account(ngx_http_yimen_ctx_t *ctx, struct ym_str ticket,
    ngx_http_yimen_handler_pt handler)
{
    int64_t                  version;
    struct ym_str            text;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (ngx_http_yimen_ticket_open(ctx, NGX_HTTP_YIMEN_RESET, YM_STR(""),
                                   ticket, &text)
        != NGX_OK
        || text.n < YM_ID_LEN + 2
        || !ym_int_parse((struct ym_str){ text.p + YM_ID_LEN + 1,
                                          text.n - YM_ID_LEN - 1 }, &version))
    {
        handler(ctx);
        return;
    }

    local->name = ngx_http_yimen_copy(ctx, ticket);
    local->wanted = version;

    ngx_http_yimen_local_get(ctx, (struct ym_str){ text.p, YM_ID_LEN },
                             handler);
}


static ngx_uint_t
ngx_http_yimen_reset_valid(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->account.id[0] && local->account.version == local->wanted
        && !local->account.disabled)
    {
        return 1;
    }

    ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                   "此链接已失效：它只能使用一次，且 15 分钟内有效。"
                   "请向管理员索取新的链接。",
                   "This link is no longer good: it works once and for 15 "
                   "minutes. Please ask your administrator for another.");

    return 0;
}


static void
ngx_http_yimen_reset_show(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_reset_valid(ctx)) {
        ngx_http_yimen_reset_page(ctx, NGX_HTTP_OK);
    }
}


static void
ngx_http_yimen_reset_got(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (!ngx_http_yimen_reset_valid(ctx)) {
        return;
    }

    if (!ngx_http_yimen_local_fit(ctx, local->hash.fresh,
                                  ngx_http_yimen_local_value(ctx, "again")))
    {
        ngx_http_yimen_reset_page(ctx, NGX_HTTP_FORBIDDEN);
        return;
    }

    ngx_http_yimen_local_hash(ctx, ngx_http_yimen_reset_hashed);
}


static void
ngx_http_yimen_reset_hashed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->hash.hashed != YM_OK || local->hash.hash[0] == '\0') {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_memcpy(local->account.hash, local->hash.hash,
               sizeof(local->account.hash));
    local->account.change = 0;

    ngx_http_yimen_local_put(ctx, ngx_http_yimen_reset_stored);
}


static void
ngx_http_yimen_reset_stored(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t    args;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->put != NGX_HTTP_YIMEN_PUT_OK) {
        local->wanted = -1;
        (void) ngx_http_yimen_reset_valid(ctx);
        return;
    }

    ngx_http_yimen_local_evidence(ctx, "password_set", YM_STR(""), "link");

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_UNLOCK, 0);
    ngx_http_yimen_arg_z(&args, local->account.id);
    ngx_http_yimen_arg(&args, YM_STR("1"));
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_reset_unlocked);
}


static void
ngx_http_yimen_reset_unlocked(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ngx_http_yimen_session_end_person(ctx, YM_STR(YM_ACCOUNT_ISSUER),
                                      ym_str_of(local->account.id),
                                      "password_set",
                                      ngx_http_yimen_reset_done);
}


static void
ngx_http_yimen_reset_done(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf  body;

    ym_buf_init(&body, 4096);
    ngx_http_yimen_form_text(ctx, &body, "p class=\"note\"",
                             "新密码已生效，请用它登录。",
                             "Your new password holds. Please sign in with "
                             "it.");
    ngx_http_yimen_form_text(ctx, &body,
                             "a class=\"button\" href=\"/auth/login\"",
                             "去登录", "Sign in");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "Password set" : "密码已设置",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


static void
ngx_http_yimen_reset_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    struct ym_buf            body;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ym_buf_init(&body, 64 * 1024);
    ngx_http_yimen_form_alert(ctx, &body);

    if (local->alert_zh == NULL) {
        ngx_http_yimen_form_text(ctx, &body, "p",
                                 "请设置一个只有您知道的新密码。",
                                 "Please choose a password that only you "
                                 "know.");
    }

    ngx_http_yimen_form_open(ctx, &body, "/auth/reset");
    ngx_http_yimen_form_hidden(&body, "t", local->name);
    ngx_http_yimen_password_inputs(ctx, &body, 1);
    ngx_http_yimen_form_close(ctx, &body, "设置密码", "Set password");

    ngx_http_yimen_page(ctx, status,
                        ctx->lang == YM_EN ? "Choose a password" : "设置密码",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}
