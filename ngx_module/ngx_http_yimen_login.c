/* SPDX-License-Identifier: Apache-2.0
 * The sign-in page: a name and a password, then a one-time code where the
 * account has a second factor, then a session.
 *
 * Whether there is an account of the name changes nothing that can be seen:
 * the same calls, a hash of the same cost, the same words, status and cookies.
 */
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_place.h"
#include "ym_time.h"


/* what is handed from the password to the code, sealed */
#define NGX_HTTP_YIMEN_STEP  "login-step"


static ngx_http_yimen_local_t *
    ngx_http_yimen_login_open(ngx_http_yimen_ctx_t *ctx, ngx_uint_t form);
static void ngx_http_yimen_login_tried(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_hashed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_passed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_finish(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_counted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_in(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_login_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *why);
static void ngx_http_yimen_login_page(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);
static ngx_uint_t ngx_http_yimen_login_form(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
static ngx_int_t ngx_http_yimen_step_open(ngx_http_yimen_ctx_t *ctx,
    struct ym_str ticket, struct ym_str *ret_id, int64_t *ret_version);
static void ngx_http_yimen_step_tried(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_step_recovered(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_step_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *why);
static void ngx_http_yimen_step_page(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);


void
ngx_http_yimen_login_get(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str            wanted;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_login_open(ctx, 0);
    if (local == NULL) {
        return;
    }

    /* a password in an address is in histories and in logs of proxies */

    if (ngx_http_yimen_query(ctx, "password", &wanted) == NGX_OK) {
        (void) ngx_http_yimen_answer_header(ctx, "Allow", YM_STR("POST"));
        ngx_http_yimen_page_error(ctx, NGX_HTTP_NOT_ALLOWED,
                                  "登录信息不能放在网址中，请使用登录表单。",
                                  "A password does not belong into an "
                                  "address: please use the form.");
        return;
    }

    if (ngx_http_yimen_query(ctx, "rd", &wanted) == NGX_OK) {
        local->place = ngx_http_yimen_place(ctx, wanted);
    }

    /* again: an application wants to see credentials (CAS, renew) */

    if (ctx->who.method == NGX_HTTP_YIMEN_BY_SESSION
        && ngx_http_yimen_query(ctx, "again", &wanted) != NGX_OK)
    {
        ngx_http_yimen_page_go(ctx, local->place);
        return;
    }

    if (!ngx_http_yimen_login_only(ctx, local->place)) {
        ngx_http_yimen_login_page(ctx, NGX_HTTP_OK);
    }
}


/* form: one of ours came, and is checked to be */

static ngx_http_yimen_local_t *
ngx_http_yimen_login_open(ngx_http_yimen_ctx_t *ctx, ngx_uint_t form)
{
    ngx_http_yimen_local_t  *local;

    if (!ctx->conf->session.on) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_NOT_FOUND, "本站未启用登录",
                                  "Nobody signs in here");
        return NULL;
    }

    local = form ? ngx_http_yimen_local_open(ctx)
                 : ngx_http_yimen_local_work(ctx);

    if (local == NULL || ngx_http_yimen_local_browser(ctx) != NGX_OK
        || (form && ngx_http_yimen_local_ours(ctx) != NGX_OK))
    {
        return NULL;
    }

    local->place = YM_STR("/");

    if (form) {
        local->place = ngx_http_yimen_place(ctx,
                                       ngx_http_yimen_local_value(ctx, "rd"));
    }

    return local;
}


void
ngx_http_yimen_login_post(ngx_http_yimen_ctx_t *ctx)
{
    char                     canonical[YM_ACCOUNT_NAME];
    char                     digest[YM_DIGEST_HEX];
    struct ym_err            err;
    struct ym_str            name;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_login_open(ctx, 1);
    if (local == NULL) {
        return;
    }

    local->name = ngx_http_yimen_local_value(ctx, "name");
    local->hash.given = ngx_http_yimen_local_value(ctx, "password");

    /* what cannot be a name is counted as one that nobody has */

    name = local->name;

    if (ym_account_name(name, canonical, &err) == YM_OK) {
        name = ym_str_of(canonical);
    }

    if (ym_ring_digest(ctx->conf->ring, "account", name, digest) != YM_OK) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_http_yimen_local_try(ctx, "name", ym_str_of(digest),
                             ngx_http_yimen_login_tried);
}


static void
ngx_http_yimen_login_tried(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->wait) {
        ngx_http_yimen_local_evidence(ctx, "sign_in_refused", YM_STR(""),
                                      "too_many_tries");
        ngx_http_yimen_login_page(ctx, ngx_http_yimen_local_wait(ctx));
        return;
    }

    local->hash.stored = local->account.hash[0] ? local->account.hash : NULL;
    local->hash.renew = 1;

    ngx_http_yimen_local_hash(ctx, ngx_http_yimen_login_hashed);
}


static void
ngx_http_yimen_login_hashed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->hash.verified == YM_EAUTH) {
        ngx_http_yimen_login_refuse(ctx, "wrong_password");
        return;
    }

    if (local->hash.verified != YM_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "event=account.hash_failed account=%s",
                      local->account.id);
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    if (local->account.disabled) {
        ngx_http_yimen_login_refuse(ctx, "disabled");
        return;
    }

    /* stored at the cost that is configured now; a race lost is no harm */

    if (local->hash.hashed == YM_OK && local->hash.hash[0]) {
        ngx_memcpy(local->account.hash, local->hash.hash,
                   sizeof(local->account.hash));
        ngx_http_yimen_local_put(ctx, ngx_http_yimen_login_passed);
        return;
    }

    ngx_http_yimen_login_passed(ctx);
}


static void
ngx_http_yimen_login_passed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->amr = "pwd";

    if (local->account.totp[0]) {
        ngx_http_yimen_step_page(ctx, NGX_HTTP_OK);
        return;
    }

    ngx_http_yimen_login_finish(ctx);
}


static void
ngx_http_yimen_login_finish(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_done(ctx, ngx_http_yimen_login_counted);
}


static void
ngx_http_yimen_login_counted(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str            ticket;
    struct ym_buf            place;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->reused) {
        ngx_http_yimen_step_refuse(ctx, "code_reused");
        return;
    }

    if (!local->account.change) {
        ngx_http_yimen_local_begin(ctx, ngx_http_yimen_login_in);
        return;
    }

    /* somebody else knows this password: first of all another one */

    ticket = ngx_http_yimen_reset_ticket(ctx);

    ym_buf_init(&place, 2 * NGX_HTTP_YIMEN_TICKET_MAX);
    ym_buf_adds(&place, "/auth/reset?t=");
    ym_buf_add(&place, ticket.p, ticket.n);

    if (ticket.n == 0 || place.failed != YM_OK) {
        ngx_http_yimen_local_trouble(ctx);

    } else {
        ngx_http_yimen_page_go(ctx, ym_buf_str(&place));
    }

    ym_buf_wipe(&place);
}


static void
ngx_http_yimen_login_in(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf            body;
    struct ym_str            place;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    place = local->place;

    /*
     * The CAS server sends the browser on to another host.  Browsers hold a
     * redirect after a form to the form's policy (form-action), so that one is
     * followed from a page.
     */

    if (place.n < 5 || ngx_strncmp(place.p, "/cas/", 5) != 0) {
        ngx_http_yimen_page_go(ctx, place);
        return;
    }

    ym_buf_init(&body, 4 * YM_PLACE_MAX + 256);
    ym_buf_adds(&body, "0;url=");
    ym_buf_add(&body, place.p, place.n);
    (void) ngx_http_yimen_answer_header(ctx, "Refresh", ym_buf_str(&body));
    ym_buf_reset(&body);

    ym_buf_adds(&body, "<a class=\"button\" href=\"");
    ngx_http_yimen_html(&body, place);
    ym_buf_adds(&body, "\">");
    ym_buf_adds(&body, ctx->lang == YM_EN ? "Go on" : "继续");
    ym_buf_adds(&body, "</a>");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "Signed in" : "已登录",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


/* who knows the password may know that the account is closed; nobody else */

static void
ngx_http_yimen_login_refuse(ngx_http_yimen_ctx_t *ctx, const char *why)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    local->alert_zh = "用户名或密码不正确。";
    local->alert_en = "The name or the password is not right.";

    if (ngx_strcmp(why, "disabled") == 0) {
        local->alert_zh = "此账号已停用，请联系管理员。";
        local->alert_en = "This account is disabled. Please ask your "
                          "administrator.";
    }

    ngx_http_yimen_local_evidence(ctx, "sign_in_refused", YM_STR(""), why);
    ngx_http_yimen_login_page(ctx, NGX_HTTP_FORBIDDEN);
}


static void
ngx_http_yimen_login_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    ngx_uint_t               ways;
    struct ym_buf            body;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    ways = 0;

    ym_buf_init(&body, 128 * 1024);

    if (ctx->conf->local != NULL) {
        ways += ngx_http_yimen_login_form(ctx, &body);
    }

    ways += ngx_http_yimen_providers_html(ctx, &body, local->place, ways);

    if (ways == 0) {
        ngx_http_yimen_form_text(ctx, &body, "p",
                                 "尚未配置登录方式，请联系管理员。",
                                 "No way to sign in is configured. Please "
                                 "ask your administrator.");
    }

    ngx_http_yimen_page(ctx, status, ctx->lang == YM_EN ? "Sign in" : "登录",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


static ngx_uint_t
ngx_http_yimen_login_form(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    ngx_http_yimen_input_t   name, password;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ngx_memzero(&name, sizeof(ngx_http_yimen_input_t));
    ngx_memzero(&password, sizeof(ngx_http_yimen_input_t));

    name.name = "name";
    name.type = "text";
    name.zh = "用户名或邮箱";
    name.en = "Name or e-mail";
    name.complete = "username";

    if (ym_account_text(local->name, YM_ACCOUNT_NAME)) {
        name.value = local->name;
    }

    name.focus = (name.value.n == 0);

    password.name = "password";
    password.type = "password";
    password.zh = "密码";
    password.en = "Password";
    password.complete = "current-password";
    password.focus = !name.focus;

    ngx_http_yimen_form_alert(ctx, out);
    ngx_http_yimen_form_open(ctx, out, "/auth/login");
    ngx_http_yimen_form_hidden(out, "rd", local->place);
    ngx_http_yimen_form_input(ctx, out, &name);
    ngx_http_yimen_form_input(ctx, out, &password);
    ngx_http_yimen_form_close(ctx, out, "登录", "Sign in");

    return 1;
}


/* the second factor */

void
ngx_http_yimen_login_code(ngx_http_yimen_ctx_t *ctx)
{
    int64_t                  version;
    struct ym_str            id;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_login_open(ctx, 1);
    if (local == NULL) {
        return;
    }


    if (ngx_http_yimen_step_open(ctx, ngx_http_yimen_local_value(ctx, "step"),
                                 &id, &version)
        != NGX_OK)
    {
        local->alert_zh = "登录已超时，请重新输入密码。";
        local->alert_en = "That took too long. Please enter your password "
                          "again.";
        ngx_http_yimen_login_page(ctx, NGX_HTTP_FORBIDDEN);
        return;
    }

    ngx_http_yimen_local_try(ctx, "id", id, ngx_http_yimen_step_tried);
}


/* "<id> <version>", bound to the cookie of this browser */

static ngx_int_t
ngx_http_yimen_step_open(ngx_http_yimen_ctx_t *ctx, struct ym_str ticket,
    struct ym_str *ret_id, int64_t *ret_version)
{
    struct ym_str            text;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (ngx_http_yimen_ticket_open(ctx, NGX_HTTP_YIMEN_STEP, local->csrf,
                                   ticket, &text)
        != NGX_OK
        || text.n < YM_ID_LEN + 2)
    {
        return NGX_DECLINED;
    }

    *ret_id = (struct ym_str){ text.p, YM_ID_LEN };

    return ym_int_parse((struct ym_str){ text.p + YM_ID_LEN + 1,
                                         text.n - YM_ID_LEN - 1 },
                        ret_version)
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_yimen_step_tried(ngx_http_yimen_ctx_t *ctx)
{
    int64_t                  version;
    ym_status                rc;
    struct ym_err            err;
    struct ym_str            id, code;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    code = ngx_http_yimen_local_value(ctx, "code");

    if (local->wait) {
        ngx_http_yimen_local_evidence(ctx, "sign_in_refused", YM_STR(""),
                                      "too_many_tries");
        ngx_http_yimen_login_page(ctx, ngx_http_yimen_local_wait(ctx));
        return;
    }

    /* changed since the password was right: from the beginning */

    if (ngx_http_yimen_step_open(ctx, ngx_http_yimen_local_value(ctx, "step"),
                                 &id, &version)
        != NGX_OK
        || local->account.version != version || local->account.disabled
        || local->account.totp[0] == '\0')
    {
        ngx_http_yimen_login_refuse(ctx, "changed");
        return;
    }

    rc = ym_totp_verify(local->account.totp, code, ym_now_ms(), &local->step,
                        &err);

    if (rc == YM_OK) {
        local->amr = "pwd otp";
        ngx_http_yimen_login_finish(ctx);
        return;
    }

    local->step = 0;

    if (rc == YM_EAUTH
        && ym_account_code_use(ctx->conf->ring, &local->account, code))
    {
        /* stored over the version that had it: once only */

        local->amr = "pwd rec";
        ngx_http_yimen_local_put(ctx, ngx_http_yimen_step_recovered);
        return;
    }

    ngx_http_yimen_step_refuse(ctx, "wrong_code");
}


static void
ngx_http_yimen_step_recovered(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->put != NGX_HTTP_YIMEN_PUT_OK) {
        ngx_http_yimen_login_refuse(ctx, "changed");
        return;
    }

    ngx_http_yimen_local_evidence(ctx, "recovery_code_used", YM_STR(""), "");
    ngx_http_yimen_login_finish(ctx);
}


static void
ngx_http_yimen_step_refuse(ngx_http_yimen_ctx_t *ctx, const char *why)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    local->alert_zh = "验证码不正确或已被使用，请等待下一个验证码。";
    local->alert_en = "The code is not right or was used before. Please wait "
                      "for the next one.";

    ngx_http_yimen_local_evidence(ctx, "sign_in_refused", YM_STR(""), why);
    ngx_http_yimen_step_page(ctx, NGX_HTTP_FORBIDDEN);
}


static void
ngx_http_yimen_step_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    u_char                   text[YM_ID_LEN + 1 + NGX_INT64_LEN];
    struct ym_buf            body;
    struct ym_str            step;
    ngx_http_yimen_input_t   code;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    step.p = (char *) text;
    step.n = (size_t) (ngx_sprintf(text, "%s %L", local->account.id,
                                   local->account.version)
                       - text);
    step = ngx_http_yimen_ticket(ctx, NGX_HTTP_YIMEN_STEP, local->csrf, step,
                                 NGX_HTTP_YIMEN_STEP_MS);

    if (step.n == 0) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_memzero(&code, sizeof(ngx_http_yimen_input_t));

    code.name = "code";
    code.type = "text";
    code.zh = "验证码";
    code.en = "Code";
    code.complete = "one-time-code";
    code.focus = 1;
    code.code = 1;
    code.hint_zh = "打开手机上的身份验证器，输入其中的 6 位数字；"
                   "也可输入一个恢复码。";
    code.hint_en = "Open the authenticator app on your phone and enter its "
                   "six digits, or a recovery code.";

    ym_buf_init(&body, 64 * 1024);
    ngx_http_yimen_form_alert(ctx, &body);
    ngx_http_yimen_form_open(ctx, &body, "/auth/login/code");
    ngx_http_yimen_form_hidden(&body, "step", step);
    ngx_http_yimen_form_hidden(&body, "rd", local->place);
    ngx_http_yimen_form_input(ctx, &body, &code);
    ngx_http_yimen_form_close(ctx, &body, "继续", "Go on");

    ngx_http_yimen_page(ctx, status,
                        ctx->lang == YM_EN ? "Second step" : "第二步验证",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


void
ngx_http_yimen_signed_out(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf  body;
    struct ym_str  state, place;

    /* from a provider, on the way to the application that began it */

    if (ngx_http_yimen_query(ctx, "state", &state) == NGX_OK
        && ngx_http_yimen_cas_back(ctx, state, &place) == NGX_OK)
    {
        ngx_http_yimen_page_go(ctx, place);
        return;
    }

    ym_buf_init(&body, 4096);
    ngx_http_yimen_form_text(ctx, &body, "p",
                             "您已退出登录。如使用公用电脑，请同时关闭浏览器。",
                             "You are signed out. On a shared computer, close "
                             "the browser as well.");
    ngx_http_yimen_form_text(ctx, &body,
                             "a class=\"button\" href=\"/auth/login\"",
                             "重新登录", "Sign in again");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "Signed out" : "已退出登录",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}
