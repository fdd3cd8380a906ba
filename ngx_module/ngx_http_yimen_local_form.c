/* SPDX-License-Identifier: Apache-2.0
 * Forms of our own pages: how they are written, and how it is known that what
 * comes back is one of ours, from this browser.
 */
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_local.h"

#include "ym_codec.h"
#include "ym_cookie.h"

#include <openssl/rand.h>


/* 128 random bits, base64url */
#define NGX_HTTP_YIMEN_BROWSER_BYTES  16
#define NGX_HTTP_YIMEN_BROWSER_TEXT   22

#define NGX_HTTP_YIMEN_FORM_COOKIE    "yimen-form"
#define NGX_HTTP_YIMEN_DEVICE_COOKIE  "yimen-device"


static ngx_int_t ngx_http_yimen_browser_cookie(ngx_http_yimen_ctx_t *ctx,
    const char *name, ngx_uint_t lasting, struct ym_str *ret);
static void ngx_http_yimen_browser_find(ngx_http_request_t *r,
    const char *name, struct ym_str *ret);
static ngx_uint_t ngx_http_yimen_browser_valid(struct ym_str value);
static ngx_int_t ngx_http_yimen_form_origin(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_form_attribute(struct ym_buf *out,
    const char *name, const char *value);


/*
 * Two cookies: one binds forms to the browser and ends with it; one lasts, and
 * lets its owner in while strangers try his name.  Neither is a sign-in.
 */

ngx_int_t
ngx_http_yimen_local_browser(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (ngx_http_yimen_browser_cookie(ctx, NGX_HTTP_YIMEN_FORM_COOKIE, 0,
                                      &local->csrf)
        != NGX_OK
        || ngx_http_yimen_browser_cookie(ctx, NGX_HTTP_YIMEN_DEVICE_COOKIE, 1,
                                         &local->device)
        != NGX_OK)
    {
        ngx_http_yimen_local_trouble(ctx);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_browser_cookie(ngx_http_yimen_ctx_t *ctx, const char *name,
    ngx_uint_t lasting, struct ym_str *ret)
{
    u_char         bytes[NGX_HTTP_YIMEN_BROWSER_BYTES];
    ngx_int_t      rc;
    struct ym_buf  full, line;
    ngx_uint_t     secure;

    secure = ctx->conf->auth.secure;
    rc = NGX_ERROR;

    ym_buf_init(&full, 64);
    ym_buf_init(&line, 256);

    ym_buf_adds(&full, secure ? "__Host-" : "");
    ym_buf_adds(&full, name);

    if (full.failed != YM_OK) {
        goto done;
    }

    ngx_http_yimen_browser_find(ctx->request, full.p, ret);

    if (ngx_http_yimen_browser_valid(*ret)) {
        rc = NGX_OK;
        goto done;
    }

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        goto done;
    }

    ym_buf_add(&line, full.p, full.n);
    ym_buf_addc(&line, '=');
    ym_base64url_add(&line, (struct ym_str){ (char *) bytes, sizeof(bytes) });

    if (line.failed != YM_OK) {
        goto done;
    }

    *ret = ngx_http_yimen_copy(ctx, (struct ym_str){ line.p + full.n + 1,
                                                     line.n - full.n - 1 });

    ym_buf_adds(&line, "; Path=/; HttpOnly; SameSite=Lax");
    ym_buf_adds(&line, secure ? "; Secure" : "");

    if (lasting) {
        ym_buf_addf(&line, "; Max-Age=%d", NGX_HTTP_YIMEN_DEVICE_S);
    }

    if (line.failed == YM_OK && ret->p != NULL) {
        rc = ngx_http_yimen_answer_header(ctx, "Set-Cookie",
                                          ym_buf_str(&line));
    }

done:

    ym_buf_clear(&full);
    ym_buf_clear(&line);

    return rc;
}


/*
 * In all Cookie headers.  Of two that differ none is taken: which of them is
 * the browser's own, and which another site's of this domain, nobody can tell.
 */

static void
ngx_http_yimen_browser_find(ngx_http_request_t *r, const char *name,
    struct ym_str *ret)
{
    ngx_str_t         *value;
    ngx_uint_t         i;
    struct ym_cookie   found;

    ngx_memzero(&found, sizeof(found));

    for (i = 0; ngx_http_yimen_cookie_header(r, i, &value); i++) {
        ym_cookie_look((struct ym_str){ (char *) value->data, value->len },
                       name, &found);
    }

    *ret = (found.count && !found.differ) ? found.value : YM_STR("");
}


static ngx_uint_t
ngx_http_yimen_browser_valid(struct ym_str value)
{
    size_t  i;
    char    c;

    if (value.n != NGX_HTTP_YIMEN_BROWSER_TEXT) {
        return 0;
    }

    for (i = 0; i < value.n; i++) {
        c = value.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_yimen_local_ours(ngx_http_yimen_ctx_t *ctx)
{
    char                     digest[YM_DIGEST_HEX];
    struct ym_str            token;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    token = ngx_http_yimen_local_value(ctx, "form");

    /* a cookie that was made just now is nobody's */

    if (ngx_http_yimen_form_origin(ctx) == NGX_OK
        && ym_ring_digest(ctx->conf->ring, "form", local->csrf, digest)
           == YM_OK
        && ym_equal_secret(token, ym_str_of(digest)))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "event=form.refused err=\"not from a page of ours\"");

    ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                   "此表单不是从本站页面提交的，或者浏览器未启用 Cookie。"
                   "请返回重新打开登录页面。",
                   "This form did not come from a page of this site, or "
                   "cookies are off. Please open the sign-in page again.");

    return NGX_DECLINED;
}


/* every browser sends Origin with a form (Fetch, 3.2); "null" is a stranger */

static ngx_int_t
ngx_http_yimen_form_origin(ngx_http_yimen_ctx_t *ctx)
{
    ngx_str_t      *origin;
    struct ym_str   own;

    origin = ngx_http_yimen_header(ctx->request, "origin");
    own = ym_str_of(ctx->conf->auth.public_url);

    if (origin == NULL || own.n == 0
        || !ym_str_eq(own, (struct ym_str){ (char *) origin->data,
                                            origin->len }))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


struct ym_str
ngx_http_yimen_local_value(ngx_http_yimen_ctx_t *ctx, const char *name)
{
    struct ym_str  value;

    if (ngx_http_yimen_form(ctx, name, &value) != NGX_OK) {
        return YM_STR("");
    }

    return value;
}


void
ngx_http_yimen_form_text(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *tag, const char *zh, const char *en)
{
    ym_buf_addc(out, '<');
    ym_buf_adds(out, tag);
    ym_buf_addc(out, '>');
    ngx_http_yimen_html(out, ym_str_of(ctx->lang == YM_EN ? en : zh));
    ym_buf_adds(out, "</");
    ym_buf_add(out, tag, ngx_strchr(tag, ' ') != NULL
                         ? (size_t) (ngx_strchr(tag, ' ') - tag)
                         : ngx_strlen(tag));
    ym_buf_adds(out, ">\n");
}


void
ngx_http_yimen_form_alert(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->alert_zh != NULL) {
        ngx_http_yimen_form_text(ctx, out,
                                 "p class=\"alert\" role=\"alert\" id=\"alert\"",
                                 local->alert_zh, local->alert_en);
    }
}


void
ngx_http_yimen_form_open(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *action)
{
    char                     digest[YM_DIGEST_HEX];
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ym_buf_adds(out, "<form method=\"post\" action=\"");
    ym_buf_adds(out, action);
    ym_buf_adds(out, "\" accept-charset=\"utf-8\">\n");

    if (ym_ring_digest(ctx->conf->ring, "form", local->csrf, digest)
        == YM_OK)
    {
        ngx_http_yimen_form_hidden(out, "form", ym_str_of(digest));
    }

    /* who is signed in says so as well, as everywhere */

    if (ctx->who.method == NGX_HTTP_YIMEN_BY_SESSION
        && ngx_http_yimen_csrf_token(ctx->conf, ctx->who.session, digest)
           == NGX_OK)
    {
        ngx_http_yimen_form_hidden(out, "csrf", ym_str_of(digest));
    }
}


void
ngx_http_yimen_form_hidden(struct ym_buf *out, const char *name,
    struct ym_str value)
{
    ym_buf_adds(out, "<input type=\"hidden\" name=\"");
    ym_buf_adds(out, name);
    ym_buf_adds(out, "\" value=\"");
    ngx_http_yimen_html(out, value);
    ym_buf_adds(out, "\">\n");
}


static void
ngx_http_yimen_form_attribute(struct ym_buf *out, const char *name,
    const char *value)
{
    ym_buf_addc(out, ' ');
    ym_buf_adds(out, name);
    ym_buf_adds(out, "=\"");
    ym_buf_adds(out, value);
    ym_buf_addc(out, '"');
}


void
ngx_http_yimen_form_input(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const ngx_http_yimen_input_t *input)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ym_buf_adds(out, "<div class=\"field\"><label for=\"");
    ym_buf_adds(out, input->name);
    ym_buf_adds(out, "\">");
    ym_buf_adds(out, ctx->lang == YM_EN ? input->en : input->zh);
    ym_buf_adds(out, "</label>\n<input");
    ngx_http_yimen_form_attribute(out, "id", input->name);
    ngx_http_yimen_form_attribute(out, "name", input->name);
    ngx_http_yimen_form_attribute(out, "type", input->type);
    ngx_http_yimen_form_attribute(out, "autocomplete", input->complete);
    ym_buf_adds(out, " required maxlength=\"1024\" autocapitalize=\"none\""
                     " spellcheck=\"false\"");

    if (input->code) {
        ym_buf_adds(out, " class=\"code\"");
    }

    if (input->focus) {
        ym_buf_adds(out, " autofocus");
    }

    if (local->alert_zh != NULL) {
        ngx_http_yimen_form_attribute(out, "aria-describedby", "alert");
    }

    if (input->value.n) {
        ym_buf_adds(out, " value=\"");
        ngx_http_yimen_html(out, input->value);
        ym_buf_addc(out, '"');
    }

    ym_buf_adds(out, ">");

    if (input->hint_zh != NULL) {
        ngx_http_yimen_form_text(ctx, out, "p class=\"hint\"", input->hint_zh,
                                 input->hint_en);
    }

    ym_buf_adds(out, "</div>\n");
}


void
ngx_http_yimen_form_close(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *zh, const char *en)
{
    ngx_http_yimen_form_text(ctx, out, "button type=\"submit\"", zh, en);
    ym_buf_adds(out, "</form>\n");
}


ngx_uint_t
ngx_http_yimen_local_fit(ngx_http_yimen_ctx_t *ctx, struct ym_str fresh,
    struct ym_str again)
{
    size_t                    i, n;
    const char               *word;
    const char               *names[YM_ACCOUNT_NAMES + 1];
    ngx_http_yimen_local_t   *local;
    const struct ym_account  *a;

    local = ctx->work;
    a = &local->account;
    n = 0;

    for (i = 0; i < a->name_count; i++) {
        names[n++] = a->names[i];
    }

    names[n++] = a->email;

    word = ym_password_unfit(fresh, (size_t) ctx->conf->local->least, names,
                             n);

    if (word == NULL && !ym_str_eq(fresh, again)) {
        word = "again";
    }

    if (word == NULL) {
        return 1;
    }

    ngx_http_yimen_local_unfit(local, word);

    return 0;
}


ngx_uint_t
ngx_http_yimen_local_wait(ngx_http_yimen_ctx_t *ctx)
{
    int64_t                  seconds;
    u_char                  *zh, *en, *last;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    seconds = (local->wait + 999) / 1000;

    zh = ngx_pnalloc(ctx->request->pool, 256);
    en = ngx_pnalloc(ctx->request->pool, 256);

    if (zh != NULL && en != NULL) {
        (void) ngx_snprintf(zh, 256, "尝试次数过多，请在 %L 秒后再试。%Z",
                            seconds);
        (void) ngx_snprintf(en, 256, "Too many tries. Please try again in %L "
                                     "seconds.%Z", seconds);
        local->alert_zh = (char *) zh;
        local->alert_en = (char *) en;

        last = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN);

        if (last != NULL) {
            (void) ngx_http_yimen_answer_header(ctx, "Retry-After",
                (struct ym_str){ (char *) last,
                                 (size_t) (ngx_sprintf(last, "%L", seconds)
                                           - last) });
        }
    }

    return NGX_HTTP_TOO_MANY_REQUESTS;
}


void
ngx_http_yimen_local_unfit(ngx_http_yimen_local_t *local, const char *word)
{
    ngx_uint_t  i;

    static const struct {
        const char  *word, *zh, *en;
    } words[] = {
        { "short", "新密码太短。请使用更长的密码，例如几个不相干的词。",
          "The new password is too short. A few unrelated words make a good "
          "one." },
        { "long", "新密码太长，最多 1024 字节。",
          "The new password is too long: at most 1024 bytes." },
        { "text", "新密码含有无法使用的字符。",
          "The new password has a character that cannot be used." },
        { "simple", "新密码太容易被猜到。请使用几个不相干的词。",
          "The new password is too easy to guess. Use a few unrelated words."
        },
        { "name", "新密码不能以用户名或邮箱开头。",
          "The new password must not begin with a name of the account." },
        { "again", "两次输入的新密码不一致。",
          "The new password was not typed the same way twice." }
    };

    for (i = 0; i < YM_COUNT(words); i++) {
        if (ngx_strcmp(word, words[i].word) == 0) {
            local->alert_zh = words[i].zh;
            local->alert_en = words[i].en;
        }
    }
}
