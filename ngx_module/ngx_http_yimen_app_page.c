/* SPDX-License-Identifier: Apache-2.0
 * What a person reads who does not get through to an application: why, and
 * what to do about it.
 */
#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_refuse.h"
#include "ngx_http_yimen_vault.h"

#include "ym_place.h"


#define NGX_HTTP_YIMEN_APP_PAGE_BYTES  (64 * 1024)


/* what the page offers */
#define ENTER    0x01       /* the place where accounts are entered */
#define BY_HAND  0x02       /* signing in without us, where that is possible */
#define AGAIN    0x04       /* the same address once more */

typedef struct {
    const char                *word;
    ngx_http_yimen_problem_e   kind;
    ngx_uint_t                 status;
    ngx_uint_t                 retry;   /* seconds; 0 = by itself never */
    ngx_uint_t                 offers;
    const char                *zh;      /* %s is the application's title */
    const char                *en;
} ngx_http_yimen_app_row_t;


static void ngx_http_yimen_app_sentence(struct ym_buf *out,
    const char *pattern, const char *title, ngx_uint_t html);
static void ngx_http_yimen_app_offers(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_app_row_t *row,
    enum ym_lang lang, struct ym_buf *out);
static void ngx_http_yimen_app_link(struct ym_buf *out, struct ym_str where,
    const char *label, ngx_uint_t first);
static ngx_int_t ngx_http_yimen_app_keep(ngx_http_request_t *r,
    struct ym_buf *text, ngx_str_t *ret);


#define FORBIDDEN    NGX_HTTP_YIMEN_P_FORBIDDEN, NGX_HTTP_FORBIDDEN
#define UNAVAILABLE                                                           \
    NGX_HTTP_YIMEN_P_UNAVAILABLE, NGX_HTTP_SERVICE_UNAVAILABLE

/* by ngx_http_yimen_app_why_e */
static const ngx_http_yimen_app_row_t  ngx_http_yimen_app_rows[] = {
    { "", UNAVAILABLE, 0, 0, "", "" },
    { "none", FORBIDDEN, 0, ENTER,
      "还没有登记您在“%s”的账号。登记一次,以后就不用再输入。",
      "Your account at “%s” has not been entered yet. Enter it once and you "
      "will not be asked again." },
    { "stale", FORBIDDEN, 0, ENTER|BY_HAND,
      "“%s”不接受您登记的账号或密码。为免锁定账号,不会再次尝试,请重新登记。",
      "“%s” refused the login or password that you entered. It is not tried "
      "again, so that your account is not locked: please enter it anew." },
    { "damaged", FORBIDDEN, 0, ENTER,
      "您登记的“%s”账号已无法读取,请重新登记。",
      "The account that you entered for “%s” can no longer be read: please "
      "enter it anew." },
    { "refused", UNAVAILABLE, 600, 0,
      "“%s”不接受本单位的公用账号,请联系管理员。",
      "“%s” refuses the account that everybody uses: please tell your "
      "administrator." },
    { "expired", FORBIDDEN, 60, BY_HAND|ENTER|AGAIN,
      "“%s”要求您先修改密码。请直接登录一次并修改,再到这里登记新密码。",
      "“%s” wants a new password from you. Sign in there yourself, change it, "
      "and then enter the new one here." },
    { "captcha", FORBIDDEN, 60, BY_HAND|AGAIN,
      "“%s”要求输入验证码,不能代为登录。请直接登录。",
      "“%s” asks for a verification code, which is for you to answer: please "
      "sign in there yourself." },
    { "changed", UNAVAILABLE, 60, BY_HAND|AGAIN,
      "“%s”的登录页面已经改变,暂时不能代为登录。请联系管理员。",
      "The sign-in page of “%s” has changed, so nobody can be signed in for "
      "the time being: please tell your administrator." },
    { "elsewhere", UNAVAILABLE, 60, BY_HAND|AGAIN,
      "“%s”的登录页面指向另一台服务器,没有发送您的密码。请联系管理员。",
      "The sign-in page of “%s” leads to another server. Your password was "
      "not sent: please tell your administrator." },
    { "away", UNAVAILABLE, 30, AGAIN,
      "“%s”暂时没有响应,请稍后再试。",
      "“%s” does not answer at the moment: please try again soon." },
    { "large", UNAVAILABLE, 60, BY_HAND|AGAIN,
      "“%s”的登录页面过大,不能代为登录。请联系管理员。",
      "The sign-in page of “%s” is far too large: please tell your "
      "administrator." },
    { "loop", UNAVAILABLE, 60, BY_HAND|AGAIN,
      "“%s”的登录页面反复跳转,不能代为登录。请联系管理员。",
      "The sign-in page of “%s” goes round in circles: please tell your "
      "administrator." },
    { "forgets", UNAVAILABLE, 30, BY_HAND|AGAIN,
      "已登录“%s”,但它随即要求重新登录。请稍后再试。",
      "“%s” asks to sign in again right after it was done: please try again "
      "soon." },
    { "lost", UNAVAILABLE, 1, AGAIN,
      "“%s”的登录已过期,刚才提交的内容没有处理。现在可以重新登录:请返回上一页再提交一次。",
      "“%s” had forgotten your sign-in, and what you just sent was not "
      "carried out. Go back and send it once more." },
    { "broken", UNAVAILABLE, 1, AGAIN,
      "暂时无法登录“%s”,请稍后再试。",
      "Signing in to “%s” is not possible at the moment: please try again "
      "soon." }
};


const char *
ngx_http_yimen_app_word(ngx_http_yimen_app_why_e why)
{
    return ngx_http_yimen_app_rows[why].word;
}


ngx_http_yimen_app_why_e
ngx_http_yimen_app_why(struct ym_str word)
{
    ngx_uint_t  i;

    for (i = NGX_HTTP_YIMEN_APP_NONE; i < NGX_HTTP_YIMEN_APP_COUNT; i++) {
        if (ym_str_is(word, ngx_http_yimen_app_rows[i].word)) {
            return (ngx_http_yimen_app_why_e) i;
        }
    }

    return NGX_HTTP_YIMEN_APP_BROKEN;
}


ngx_int_t
ngx_http_yimen_app_text(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, ngx_http_yimen_app_why_e why,
    ngx_uint_t *ret_status, ngx_str_t *ret_type, ngx_str_t *ret_body)
{
    u_char                          *p;
    ngx_str_t                       *language, value;
    const char                      *title;
    enum ym_lang                     lang;
    struct ym_buf                    text, body;
    const ngx_http_yimen_app_row_t  *row;

    row = &ngx_http_yimen_app_rows[why];
    language = ngx_http_yimen_header(r, "accept-language");
    lang = YM_ZH;

    if (language != NULL) {
        lang = ym_lang_of((struct ym_str){ (char *) language->data,
                                           language->len });
    }

    title = (lang == YM_EN) ? app->title_en : app->title_zh;
    *ret_status = row->status;

    if (row->retry) {
        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.data = p;
        value.len = (size_t) (ngx_sprintf(p, "%ui", row->retry) - p);

        if (ngx_http_yimen_out_header(r, "Retry-After", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&value, "no-store");

    if (ngx_http_yimen_out_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ym_buf_init(&text, NGX_HTTP_YIMEN_APP_PAGE_BYTES);
    ym_buf_init(&body, NGX_HTTP_YIMEN_APP_PAGE_BYTES);

    if (!ngx_http_yimen_is_navigation(r)) {
        ngx_str_set(ret_type, "application/problem+json");

        ngx_http_yimen_app_sentence(&body, lang == YM_EN ? row->en : row->zh,
                                    title, 0);
        ngx_http_yimen_problem_text(row->kind, lang,
                                    (struct ym_str){ (char *) r->uri.data,
                                                     r->uri.len },
                                    body.p, body.p, &text);

    } else {
        ngx_str_set(ret_type, "text/html; charset=utf-8");

        ym_buf_adds(&body, "<p class=\"alert\" role=\"alert\">");
        ngx_http_yimen_app_sentence(&body, lang == YM_EN ? row->en : row->zh,
                                    title, 1);
        ym_buf_adds(&body, "</p>\n");
        ngx_http_yimen_app_offers(r, app, row, lang, &body);

        ngx_http_yimen_page_text(lang, lang == YM_EN ? "Not signed in there"
                                                     : "未能登录应用",
                                 ym_buf_str(&body), &text);

        if (ngx_http_yimen_page_headers(r, lang) != NGX_OK) {
            text.failed = YM_ENOMEM;
        }
    }

    ym_buf_clear(&body);

    return ngx_http_yimen_app_keep(r, &text, ret_body);
}


static ngx_int_t
ngx_http_yimen_app_keep(ngx_http_request_t *r, struct ym_buf *text,
    ngx_str_t *ret)
{
    ret->len = text->n;
    ret->data = (text->failed == YM_OK) ? ngx_pnalloc(r->pool, text->n) : NULL;

    if (ret->data != NULL) {
        ngx_memcpy(ret->data, text->p, text->n);
    }

    ym_buf_clear(text);

    return (ret->data != NULL) ? NGX_OK : NGX_ERROR;
}


/* pattern with its one %s; title is the site's own text */

static void
ngx_http_yimen_app_sentence(struct ym_buf *out, const char *pattern,
    const char *title, ngx_uint_t html)
{
    const char  *at;

    at = strstr(pattern, "%s");

    if (at == NULL) {
        ym_buf_adds(out, pattern);
        return;
    }

    ym_buf_add(out, pattern, (size_t) (at - pattern));

    if (html) {
        ngx_http_yimen_html(out, ym_str_of(title));

    } else {
        ym_buf_adds(out, title);
    }

    ym_buf_adds(out, at + 2);
}


static void
ngx_http_yimen_app_offers(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_app_row_t *row,
    enum ym_lang lang, struct ym_buf *out)
{
    ngx_uint_t     first;
    struct ym_str  again;
    struct ym_buf  where;

    first = 1;
    ym_buf_init(&where, 4096);

    if ((row->offers & ENTER) && app->password == NULL) {
        ym_buf_adds(&where, NGX_HTTP_YIMEN_VAULT_PAGE);
        ym_buf_add_uri(&where, ym_str_of(app->id));
        ngx_http_yimen_app_link(out, ym_buf_str(&where),
                                lang == YM_EN ? "Enter the account"
                                              : "登记账号", first);
        first = 0;
    }

    if ((row->offers & BY_HAND) && app->recipe != NULL
        && app->recipe->by_hand != NULL)
    {
        ngx_http_yimen_app_link(out, ym_str_of(app->recipe->by_hand),
                                lang == YM_EN ? "Sign in there yourself"
                                              : "直接登录", first);
        first = 0;
    }

    again.p = (char *) r->unparsed_uri.data;
    again.n = r->unparsed_uri.len;

    if ((row->offers & AGAIN) && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && ym_place_ok(again))
    {
        ngx_http_yimen_app_link(out, again, lang == YM_EN ? "Try again"
                                                          : "再试一次",
                                first);
        first = 0;
    }

    ngx_http_yimen_app_link(out, YM_STR("/"),
                            lang == YM_EN ? "To the start page" : "返回首页",
                            first);
    ym_buf_clear(&where);
}


static void
ngx_http_yimen_app_link(struct ym_buf *out, struct ym_str where,
    const char *label, ngx_uint_t first)
{
    ym_buf_adds(out, first ? "<a class=\"button\" href=\""
                           : "<a class=\"button quiet\" href=\"");
    ngx_http_yimen_html(out, where);
    ym_buf_adds(out, "\">");
    ym_buf_adds(out, label);
    ym_buf_adds(out, "</a>\n");
}


ngx_int_t
ngx_http_yimen_app_refuse(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, ngx_http_yimen_app_why_e why)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_str_t     type, body;
    ngx_uint_t    status;
    ngx_chain_t   out;

    if (ngx_http_yimen_app_text(r, app, why, &status, &type, &body)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) body.len;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->disable_not_modified = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    b->pos = body.data;
    b->last = body.data + body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));

    return NGX_DONE;
}
