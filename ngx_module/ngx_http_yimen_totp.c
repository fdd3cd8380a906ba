/* SPDX-License-Identifier: Apache-2.0
 * The second factor of one's own account: switched on with the first code of
 * an authenticator app, which gives recovery codes once; switched off again
 * with the password.
 */
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_own.h"
#include "ngx_http_yimen_route.h"

#include "ym_time.h"


/* the secret on the page, sealed for this account until it is confirmed */
#define NGX_HTTP_YIMEN_SECRET     "totp-secret"
#define NGX_HTTP_YIMEN_SECRET_MS  (30 * 60 * 1000)


static void ngx_http_yimen_totp_apply(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_totp_on(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_totp_counted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_totp_page(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);
static void ngx_http_yimen_totp_off_form(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
static void ngx_http_yimen_totp_on_form(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
static void ngx_http_yimen_totp_secret(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
static void ngx_http_yimen_totp_password(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
static void ngx_http_yimen_totp_after(ngx_http_yimen_ctx_t *ctx);


static const ngx_http_yimen_own_t  ngx_http_yimen_totp_own = {
    "second_factor_changed",
    ngx_http_yimen_totp_apply,
    ngx_http_yimen_totp_page,
    ngx_http_yimen_totp_after
};


void
ngx_http_yimen_totp_get(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_own_get(ctx, &ngx_http_yimen_totp_own);
}


void
ngx_http_yimen_totp_post(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str            secret;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_own_open(ctx, &ngx_http_yimen_totp_own, 1);
    if (local == NULL) {
        return;
    }

    /* what a refused page shows again */

    if (ngx_http_yimen_ticket_open(ctx, NGX_HTTP_YIMEN_SECRET,
                                   ym_str_of(local->own_id),
                                   ngx_http_yimen_local_value(ctx, "secret"),
                                   &secret)
        == NGX_OK
        && secret.n < sizeof(local->secret))
    {
        ngx_memcpy(local->secret, secret.p, secret.n);
    }

    ngx_http_yimen_own_confirm(ctx);
}


static void
ngx_http_yimen_totp_apply(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (!ym_str_is(ngx_http_yimen_local_value(ctx, "action"), "off")) {
        ngx_http_yimen_totp_on(ctx);
        return;
    }

    ym_wipe(local->account.totp, sizeof(local->account.totp));
    ym_wipe(local->account.codes, sizeof(local->account.codes));
    ym_wipe(local->secret, sizeof(local->secret));
    local->amr = "pwd";

    ngx_http_yimen_own_store(ctx);
}


static void
ngx_http_yimen_totp_on(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_err            err;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->account.totp[0] || local->secret[0] == '\0'
        || ym_totp_verify(local->secret,
                          ngx_http_yimen_local_value(ctx, "code"),
                          ym_now_ms(), &local->step, &err)
           != YM_OK)
    {
        local->alert_zh = "验证码不正确。请确认手机时间准确，再输入新的验证码。";
        local->alert_en = "The code is not right. Please check the clock of "
                          "your phone and enter a new one.";
        ngx_http_yimen_own_refuse(ctx);
        return;
    }

    /* this code is used up: it is no good for the next sign-in */

    ngx_http_yimen_local_done(ctx, ngx_http_yimen_totp_counted);
}


static void
ngx_http_yimen_totp_counted(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_err            err;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->reused) {
        local->alert_zh = "该验证码已被使用，请等待下一个。";
        local->alert_en = "That code was used before. Please wait for the "
                          "next one.";
        ngx_http_yimen_own_refuse(ctx);
        return;
    }

    if (ym_account_codes(ctx->conf->ring, &local->account, local->codes, &err)
        != YM_OK)
    {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_memcpy(local->account.totp, local->secret,
               sizeof(local->account.totp));
    local->amr = "pwd otp";

    ngx_http_yimen_own_store(ctx);
}


static void
ngx_http_yimen_totp_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    struct ym_buf            body;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ym_buf_init(&body, 64 * 1024);
    ngx_http_yimen_form_alert(ctx, &body);

    if (local->account.totp[0]) {
        ngx_http_yimen_totp_off_form(ctx, &body);

    } else {
        ngx_http_yimen_totp_on_form(ctx, &body);
    }

    ngx_http_yimen_page(ctx, status,
                        ctx->lang == YM_EN ? "Second step" : "两步验证",
                        ym_buf_str(&body));
    ym_buf_wipe(&body);
}


static void
ngx_http_yimen_totp_off_form(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    ngx_http_yimen_form_text(ctx, out, "p",
                             "两步验证已开启。关闭后，登录只需要密码。",
                             "The second step is on. Without it, a password "
                             "alone signs in.");
    ngx_http_yimen_form_open(ctx, out, "/auth/totp");
    ngx_http_yimen_form_hidden(out, "action", YM_STR("off"));
    ngx_http_yimen_totp_password(ctx, out);
    ngx_http_yimen_form_close(ctx, out, "关闭两步验证",
                              "Switch the second step off");
}


static void
ngx_http_yimen_totp_on_form(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    struct ym_err            err;
    struct ym_str            sealed;
    ngx_http_yimen_input_t   code;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->secret[0] == '\0'
        && ym_totp_make(local->secret, &err) != YM_OK)
    {
        ngx_http_yimen_form_text(ctx, out, "p", "系统暂时不可用",
                                 "Temporarily unavailable");
        return;
    }

    sealed = ngx_http_yimen_ticket(ctx, NGX_HTTP_YIMEN_SECRET,
                                   ym_str_of(local->own_id),
                                   ym_str_of(local->secret),
                                   NGX_HTTP_YIMEN_SECRET_MS);

    ngx_http_yimen_totp_secret(ctx, out);

    ngx_memzero(&code, sizeof(ngx_http_yimen_input_t));

    code.name = "code";
    code.type = "text";
    code.zh = "应用显示的 6 位验证码";
    code.en = "The six digits that the app shows";
    code.complete = "one-time-code";
    code.code = 1;

    ngx_http_yimen_form_open(ctx, out, "/auth/totp");
    ngx_http_yimen_form_hidden(out, "action", YM_STR("on"));
    ngx_http_yimen_form_hidden(out, "secret", sealed);
    ngx_http_yimen_form_input(ctx, out, &code);
    ngx_http_yimen_totp_password(ctx, out);
    ngx_http_yimen_form_close(ctx, out, "开启两步验证",
                              "Switch the second step on");
}


/* the key in groups of four, and the address that a phone opens by itself */

static void
ngx_http_yimen_totp_secret(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    size_t                   i;
    struct ym_buf            link;
    const char              *title;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    title = (ctx->lang == YM_EN) ? ctx->conf->local->title_en
                                 : ctx->conf->local->title_zh;

    if (title == NULL) {
        title = "Yimen";
    }

    ym_buf_init(&link, 2048);
    ym_buf_adds(&link, "otpauth://totp/");
    ym_buf_add_uri(&link, ym_str_of(title));
    ym_buf_addc(&link, ':');
    ym_buf_add_uri(&link, ym_str_of(local->account.names[0]));
    ym_buf_adds(&link, "?secret=");
    ym_buf_adds(&link, local->secret);
    ym_buf_adds(&link, "&issuer=");
    ym_buf_add_uri(&link, ym_str_of(title));

    ngx_http_yimen_form_text(ctx, out, "p",
                             "在手机的身份验证器应用中添加账号，"
                             "选择“输入设置密钥”，并输入：",
                             "Add an account in the authenticator app of your "
                             "phone by entering this key:");
    ym_buf_adds(out, "<p><code class=\"secret\" id=\"secret\">");

    for (i = 0; local->secret[i] != '\0'; i++) {
        if (i && i % 4 == 0) {
            ym_buf_addc(out, ' ');
        }

        ym_buf_addc(out, local->secret[i]);
    }

    ym_buf_adds(out, "</code></p>\n<a class=\"button quiet\" href=\"");
    ngx_http_yimen_html(out, ym_buf_str(&link));
    ym_buf_adds(out, "\">");
    ym_buf_adds(out, ctx->lang == YM_EN ? "Open the app on this phone"
                                        : "在本机的应用中打开");
    ym_buf_adds(out, "</a>\n");
    ngx_http_yimen_form_text(ctx, out, "div class=\"or\"", "然后", "then");
    ym_buf_wipe(&link);
}


static void
ngx_http_yimen_totp_password(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    ngx_http_yimen_input_t  given;

    ngx_memzero(&given, sizeof(ngx_http_yimen_input_t));

    given.name = "password";
    given.type = "password";
    given.zh = "当前密码";
    given.en = "Present password";
    given.complete = "current-password";

    ngx_http_yimen_form_input(ctx, out, &given);
}


static void
ngx_http_yimen_totp_after(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               i;
    struct ym_buf            body;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->codes[0][0] == '\0') {
        ngx_http_yimen_own_note(ctx, "两步验证已关闭", "Second step off",
                                "从现在起，登录只需要密码。",
                                "From now on a password alone signs in.");
        return;
    }

    ym_buf_init(&body, 16 * 1024);
    ngx_http_yimen_form_text(ctx, &body, "p class=\"note\"",
                             "两步验证已开启，其他设备上的登录已全部退出。",
                             "The second step is on. You are signed out "
                             "everywhere else.");
    ngx_http_yimen_form_text(ctx, &body, "p",
                             "请抄下这些恢复码并妥善保管。手机不在身边时，"
                             "每个恢复码可代替一次验证码。它们只显示这一次。",
                             "Write down these recovery codes and keep them "
                             "safe: without your phone, each of them takes "
                             "the place of a code once. They are shown only "
                             "now.");
    ym_buf_adds(&body, "<ul class=\"codes\">\n");

    for (i = 0; i < YM_ACCOUNT_CODES; i++) {
        ym_buf_adds(&body, "<li>");
        ym_buf_adds(&body, local->codes[i]);
        ym_buf_adds(&body, "</li>\n");
    }

    ym_buf_adds(&body, "</ul>\n");
    ngx_http_yimen_form_text(ctx, &body, "a class=\"button\" href=\"/\"",
                             "已抄好", "I have them");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "Recovery codes" : "恢复码",
                        ym_buf_str(&body));
    ym_buf_wipe(&body);
}
