/* SPDX-License-Identifier: Apache-2.0
 * Refusals of requests that are not the API's own.
 */
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_refuse.h"


#define NGX_HTTP_YIMEN_REFUSE_BYTES  (16 * 1024)


static ngx_int_t ngx_http_yimen_refuse_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_yimen_refuse_headers(ngx_http_request_t *r,
    ngx_uint_t status, enum ym_lang lang, ngx_uint_t retry,
    const char *challenge);


ngx_int_t
ngx_http_yimen_refuse(ngx_http_request_t *r, ngx_http_yimen_problem_e kind,
    const char *zh, const char *en, ngx_uint_t retry, const char *challenge)
{
    ngx_str_t       body, *language;
    ngx_uint_t      status;
    enum ym_lang    lang;
    struct ym_str   instance;
    struct ym_buf   out;

    status = ngx_http_yimen_problem_status(kind);

    language = ngx_http_yimen_header(r, "accept-language");
    lang = YM_ZH;

    if (language != NULL) {
        lang = ym_lang_of((struct ym_str){ (char *) language->data,
                                           language->len });
    }

    if (ngx_http_yimen_refuse_headers(r, status, lang, retry, challenge)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_yimen_is_navigation(r) || r != r->main) {
        return (ngx_int_t) status;
    }

    /* of an error page that is refused itself, this is the answer */

    r->err_status = 0;

    instance.p = (char *) r->uri.data;
    instance.n = r->uri.len;

    ym_buf_init(&out, NGX_HTTP_YIMEN_REFUSE_BYTES);
    ngx_http_yimen_problem_text(kind, lang, instance, zh, en, &out);

    body.len = out.n;
    body.data = (out.failed == YM_OK) ? ngx_pnalloc(r->pool, out.n) : NULL;

    if (body.data == NULL) {
        ym_buf_clear(&out);
        return (ngx_int_t) status;
    }

    ngx_memcpy(body.data, out.p, out.n);
    ym_buf_clear(&out);

    return ngx_http_yimen_refuse_send(r, status, &body);
}


static ngx_int_t
ngx_http_yimen_refuse_headers(ngx_http_request_t *r, ngx_uint_t status,
    enum ym_lang lang, ngx_uint_t retry, const char *challenge)
{
    u_char     *p;
    ngx_str_t   value;

    if (retry) {
        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.data = p;
        value.len = (size_t) (ngx_sprintf(p, "%ui", retry) - p);

        if (ngx_http_yimen_out_header(r, "Retry-After", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (status == NGX_HTTP_UNAUTHORIZED) {
        if (challenge == NULL) {
            challenge = "Bearer realm=\"yimen\"";
        }

        value.data = (u_char *) (uintptr_t) challenge;
        value.len = ngx_strlen(challenge);

        if (ngx_http_yimen_out_header(r, "WWW-Authenticate", &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (lang == YM_EN) {
        ngx_str_set(&value, "en");
    } else {
        ngx_str_set(&value, "zh-CN");
    }

    if (ngx_http_yimen_out_header(r, "Content-Language", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "no-store");

    return ngx_http_yimen_out_header(r, "Cache-Control", &value);
}


static ngx_int_t
ngx_http_yimen_refuse_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    /* no "100 Continue" for a body that nobody wants */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) body->len;
    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
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

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));

    return NGX_DONE;
}


ngx_int_t
ngx_http_yimen_out_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_yimen_header_end(h);
    h->key.data = (u_char *) (uintptr_t) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}
