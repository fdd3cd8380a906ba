/* SPDX-License-Identifier: Apache-2.0
 * Pages: one frame, one style sheet, no script.
 *
 * The style sheet stands in the page and is allowed by its digest alone, so a
 * page needs no second request and shows rightly wherever it is answered.
 */
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_refuse.h"

#include "ym_codec.h"
#include "ym_place.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_PAGE_BYTES   (256 * 1024)
#define NGX_HTTP_YIMEN_ERROR_BYTES  6      /* of an error id, before hex */


static struct ym_str ngx_http_yimen_page_site(enum ym_lang lang);
static ngx_int_t ngx_http_yimen_page_own(struct ym_str place);


/*
 * The colours of the portal (portal/src/styles/tokens.css).  Contrast of every
 * pair of text and ground is at least 4.5 (WCAG 2.1 AA); 16 px and more, so
 * that a phone does not zoom into a field.
 */

static const char  ngx_http_yimen_style[] =
":root{color-scheme:light dark;--ground:#f3f5f8;--card:#fff;--ink:#16202b;"
"--soft:#4a5868;--line:#d4dbe3;--edge:#75839a;--main:#12508a;--over:#0c3a66;"
"--on:#fff;--bad:#a4161a;--badbg:#fdeaea;--tint:#e6eff8}"
"@media(prefers-color-scheme:dark){:root{--ground:#10151c;--card:#18202a;"
"--ink:#e6ebf2;--soft:#a7b3c2;--line:#333f4d;--edge:#728096;--main:#9cc4ee;"
"--over:#c0dcf7;--on:#06203a;--bad:#ffb4a9;--badbg:#3a1b18;--tint:#1c2b3c}}"
"*{box-sizing:border-box}"
"html{-webkit-text-size-adjust:100%;text-size-adjust:100%}"
"body{margin:0;min-height:100vh;display:flex;flex-direction:column;"
"align-items:center;background:var(--ground);color:var(--ink);"
"font:16px/1.6 -apple-system,BlinkMacSystemFont,\"Segoe UI\",\"PingFang SC\","
"\"Hiragino Sans GB\",\"Microsoft YaHei\",\"Noto Sans CJK SC\","
"\"Source Han Sans SC\",\"WenQuanYi Micro Hei\",Roboto,sans-serif}"
"main{width:100%;max-width:26rem;margin:auto;padding:1.5rem 1rem 2.5rem}"
".brand{display:flex;align-items:center;gap:.75rem;margin:0 0 1.5rem;"
"padding:0 .25rem}"
".brand svg{flex:none;width:2.75rem;height:2.75rem;fill:none;"
"stroke:var(--main);stroke-width:2.6;stroke-linecap:round;"
"stroke-linejoin:round}"
".brand b{display:block;font-size:1.25rem;line-height:1.3;"
"letter-spacing:.02em}"
".brand span{display:block;color:var(--soft);font-size:1rem;"
"line-height:1.4}"
".card{background:var(--card);border:1px solid var(--line);"
"border-radius:.875rem;padding:1.5rem 1.25rem 1.625rem;"
"box-shadow:0 1px 2px rgba(16,32,28,.05),0 12px 32px rgba(16,32,28,.06)}"
"h1{margin:0 0 1.125rem;font-size:1.375rem;line-height:1.35;font-weight:600}"
"p{margin:0 0 1rem}"
".card>:last-child,form>:last-child{margin-bottom:0}"
"label{display:block;margin:0 0 .375rem;font-weight:600}"
".hint{color:var(--soft);font-size:1rem;margin:.375rem 0 0}"
".field{margin:0 0 1.125rem}"
"input[type=text],input[type=password],input[type=email]{display:block;"
"width:100%;min-height:3rem;padding:.625rem .875rem;font:inherit;"
"color:inherit;background:var(--card);border:1px solid var(--edge);"
"border-radius:.5rem}"
"input.code{font-size:1.5rem;letter-spacing:.3em;text-align:center;"
"font-variant-numeric:tabular-nums}"
"button,a.button{display:flex;align-items:center;justify-content:center;"
"width:100%;min-height:3rem;margin:1.5rem 0 0;padding:.625rem 1rem;"
"font:inherit;font-weight:600;text-align:center;text-decoration:none;"
"border:1px solid transparent;border-radius:.5rem;cursor:pointer;"
"background:var(--main);color:var(--on)}"
"button:hover,a.button:hover{background:var(--over)}"
"button.quiet,a.quiet{margin-top:.75rem;background:transparent;"
"color:var(--main);border-color:var(--edge)}"
"button.quiet:hover,a.quiet:hover{background:var(--tint)}"
":focus-visible{outline:3px solid var(--main);outline-offset:2px}"
"a{color:var(--main)}"
".or{display:flex;align-items:center;gap:.75rem;margin:1.5rem 0 .75rem;"
"color:var(--soft)}"
".or:before,.or:after{content:\"\";flex:1;border-top:1px solid var(--line)}"
".alert{margin:0 0 1.25rem;padding:.75rem .875rem;border-radius:.5rem;"
"border-left:4px solid var(--bad);background:var(--badbg);color:var(--bad)}"
".note{margin:0 0 1.25rem;padding:.75rem .875rem;border-radius:.5rem;"
"border-left:4px solid var(--main);background:var(--tint)}"
"code,.codes{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"
"\"Liberation Mono\",monospace;overflow-wrap:anywhere}"
".codes{list-style:none;margin:0 0 1.25rem;padding:.75rem .875rem;"
"background:var(--tint);border-radius:.5rem}"
".secret{display:block;padding:.75rem .875rem;background:var(--tint);"
"border-radius:.5rem}"
"footer{padding:0 1rem 1.5rem;color:var(--soft);font-size:1rem;"
"text-align:center}"
"@media(min-width:40rem){.card{padding:2rem 2rem 2.125rem}"
"main{padding-top:2.5rem}}";

/* an open gate, drawn with lines */

static const char  ngx_http_yimen_gate[] =
"<svg viewBox=\"0 0 44 44\" aria-hidden=\"true\" focusable=\"false\">"
"<path d=\"M6 39V15C6 9 13 5 22 5s16 4 16 10v24\"/>"
"<path d=\"M22 12v23l-9 4V17z\"/><path d=\"M18 26v2M4 39h36\"/></svg>";


void
ngx_http_yimen_html(struct ym_buf *out, struct ym_str text)
{
    size_t       i, from;
    const char  *with;

    from = 0;

    for (i = 0; i < text.n; i++) {

        switch (text.p[i]) {
        case '&':
            with = "&amp;";
            break;
        case '<':
            with = "&lt;";
            break;
        case '>':
            with = "&gt;";
            break;
        case '"':
            with = "&quot;";
            break;
        case '\'':
            with = "&#39;";
            break;
        default:
            continue;
        }

        ym_buf_add(out, text.p + from, i - from);
        ym_buf_adds(out, with);
        from = i + 1;
    }

    ym_buf_add(out, text.p + from, text.n - from);
}


void
ngx_http_yimen_page(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *title, struct ym_str body)
{
    struct ym_buf  page;

    ym_buf_init(&page, NGX_HTTP_YIMEN_PAGE_BYTES);
    ngx_http_yimen_page_text(ctx->lang, title, body, &page);

    /* body may stand in the answer's buffer */

    ym_buf_wipe(&ctx->out);
    ctx->out = page;

    (void) ngx_http_yimen_page_headers(ctx->request, ctx->lang);
    ngx_http_yimen_answer(ctx, status, "text/html; charset=utf-8");
}


void
ngx_http_yimen_page_text(enum ym_lang lang, const char *title,
    struct ym_str body, struct ym_buf *out)
{
    ym_buf_adds(out, "<!doctype html>\n<html lang=\"");
    ym_buf_adds(out, lang == YM_EN ? "en" : "zh-CN");
    ym_buf_adds(out, "\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport"
                     "\" content=\"width=device-width,initial-scale=1\">\n"
                     "<meta name=\"robots\" content=\"noindex\">\n<title>");
    ym_buf_adds(out, title);
    ym_buf_adds(out, " · ");
    ngx_http_yimen_html(out, ngx_http_yimen_page_site(lang));
    ym_buf_adds(out, "</title>\n<style>");
    ym_buf_adds(out, ngx_http_yimen_style);
    ym_buf_adds(out, "</style></head>\n<body><main>\n<div class=\"brand\">");
    ym_buf_adds(out, ngx_http_yimen_gate);
    ym_buf_adds(out, "<div><b>");
    ngx_http_yimen_html(out, ngx_http_yimen_page_site(lang));
    ym_buf_adds(out, "</b><span>");
    ym_buf_adds(out, lang == YM_EN ? "One door to every system"
                                   : "一扇门，通各个系统");
    ym_buf_adds(out, "</span></div></div>\n<div class=\"card\">\n<h1>");
    ym_buf_adds(out, title);
    ym_buf_adds(out, "</h1>\n");
    ym_buf_add(out, body.p, body.n);
    ym_buf_adds(out, "\n</div>\n</main></body></html>\n");
}


/* what the site calls itself */

static struct ym_str
ngx_http_yimen_page_site(enum ym_lang lang)
{
    const char                         *title;
    ngx_http_yimen_main_conf_t         *ymcf;
    const ngx_http_yimen_local_conf_t  *lcf;

    ymcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_yimen_module);
    lcf = (ymcf != NULL) ? ymcf->local : NULL;
    title = NULL;

    if (lcf != NULL) {
        title = (lang == YM_EN) ? lcf->title_en : lcf->title_zh;
    }

    return ym_str_of(title != NULL ? title : "一门 Yimen");
}


ngx_int_t
ngx_http_yimen_page_headers(ngx_http_request_t *r, enum ym_lang lang)
{
    u_char         digest[YM_SHA256_LEN];
    ngx_str_t      value;
    ngx_uint_t     i;
    struct ym_buf  policy;

    /*
     * same-origin and not no-referrer: with that, browsers send "Origin: null"
     * with our own forms (Fetch, 3.2), and those would be refused.
     */

    static const struct {
        const char  *name;
        const char  *value;
    } fixed[] = {
        { "X-Frame-Options", "DENY" },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Vary", "Accept-Language" }
    };

    ym_buf_init(&policy, 1024);
    ym_buf_adds(&policy, "default-src 'none'; ");

    if (ym_sha256(ym_str_of(ngx_http_yimen_style), digest) == YM_OK) {
        ym_buf_adds(&policy, "style-src 'sha256-");
        ym_base64_add(&policy, (struct ym_str){ (char *) digest,
                                                sizeof(digest) });
        ym_buf_adds(&policy, "'; ");
    }

    ym_buf_adds(&policy, "form-action 'self'; base-uri 'none'; "
                         "frame-ancestors 'none'");

    value.len = policy.n;
    value.data = (policy.failed == YM_OK) ? ngx_pnalloc(r->pool, policy.n)
                                          : NULL;
    if (value.data == NULL) {
        ym_buf_clear(&policy);
        return NGX_ERROR;
    }

    ngx_memcpy(value.data, policy.p, policy.n);
    ym_buf_clear(&policy);

    if (ngx_http_yimen_out_header(r, "Content-Security-Policy", &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < YM_COUNT(fixed); i++) {
        value.data = (u_char *) (uintptr_t) fixed[i].value;
        value.len = ngx_strlen(fixed[i].value);

        if (ngx_http_yimen_out_header(r, fixed[i].name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&value, "zh-CN");

    if (lang == YM_EN) {
        ngx_str_set(&value, "en");
    }

    return ngx_http_yimen_out_header(r, "Content-Language", &value);
}


void
ngx_http_yimen_page_error(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *zh, const char *en)
{
    char            id[2 * NGX_HTTP_YIMEN_ERROR_BYTES + 1];
    u_char          bytes[NGX_HTTP_YIMEN_ERROR_BYTES];
    const char     *title;
    struct ym_buf   body;

    ngx_memzero(bytes, sizeof(bytes));
    (void) RAND_bytes(bytes, sizeof(bytes));
    ym_hex(bytes, sizeof(bytes), false, id);

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "event=page.error id=%s status=%ui err=\"%s\"", id, status,
                  en);

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        (void) ngx_http_yimen_answer_header(ctx, "Retry-After", YM_STR("1"));
    }

    title = (ctx->lang == YM_EN) ? "That did not work" : "未能完成";

    ym_buf_init(&body, 8192);
    ym_buf_adds(&body, "<p class=\"alert\" role=\"alert\">");
    ngx_http_yimen_html(&body, ym_str_of(ctx->lang == YM_EN ? en : zh));
    ym_buf_adds(&body, "</p>\n<p class=\"hint\">");
    ym_buf_adds(&body, ctx->lang == YM_EN ? "Error id" : "错误编号");
    ym_buf_addf(&body, " <code>%s</code></p>\n<a class=\"button\" href=\"/\">",
                id);
    ym_buf_adds(&body, ctx->lang == YM_EN ? "To the start page" : "返回首页");
    ym_buf_adds(&body, "</a>");

    ngx_http_yimen_page(ctx, status, title, ym_buf_str(&body));
    ym_buf_clear(&body);
}


void
ngx_http_yimen_page_go(ngx_http_yimen_ctx_t *ctx, struct ym_str place)
{
    /*
     * A header of our own and not headers_out.location: nginx would make that
     * absolute with the Host that the client sent.
     */

    if (ngx_http_yimen_answer_header(ctx, "Location", place) != NGX_OK) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "系统内部错误", "Internal error");
        return;
    }

    (void) ngx_http_yimen_answer_header(ctx, "Referrer-Policy",
                                        YM_STR("same-origin"));

    ym_buf_wipe(&ctx->out);
    ym_buf_init(&ctx->out, 1);

    ngx_http_yimen_answer(ctx, NGX_HTTP_SEE_OTHER, "text/plain");
}


struct ym_str
ngx_http_yimen_place(ngx_http_yimen_ctx_t *ctx, struct ym_str wanted)
{
    if (!ym_place_ok(wanted) || !ngx_http_yimen_page_own(wanted)) {
        return YM_STR("/");
    }

    return wanted;
}


/* of our own pages only those that a person may be sent to sign in for */

static ngx_int_t
ngx_http_yimen_page_own(struct ym_str place)
{
    ngx_uint_t  i;

    static const struct ym_str  pages[] = {
        { "/auth/password", 14 }, { "/auth/totp", 10 },
        { "/auth/sessions", 14 }
    };

    if (place.n < 6
        || ngx_strncasecmp((u_char *) (uintptr_t) place.p,
                           (u_char *) "/auth/", 6) != 0)
    {
        return !ym_str_is(place, "/auth");
    }

    for (i = 0; i < YM_COUNT(pages); i++) {
        if (ym_str_eq(place, pages[i])) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_yimen_is_navigation(ngx_http_request_t *r)
{
    ngx_str_t  *mode, *accept;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))
        || r->headers_in.upgrade != NULL
        || r->headers_in.authorization != NULL
        || ngx_http_yimen_header(r, "x-requested-with") != NULL)
    {
        return 0;
    }

    /* every browser since 2023 says it; a script cannot */

    mode = ngx_http_yimen_header(r, "sec-fetch-mode");

    if (mode != NULL) {
        return mode->len == sizeof("navigate") - 1
               && ngx_strncmp(mode->data, "navigate", mode->len) == 0;
    }

    accept = ngx_http_yimen_header(r, "accept");

    return accept != NULL
           && ngx_strlcasestrn(accept->data, accept->data + accept->len,
                               (u_char *) "text/html", 9 - 1)
              != NULL;
}
