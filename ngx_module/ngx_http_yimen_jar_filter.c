/* SPDX-License-Identifier: Apache-2.0
 * Answers of applications that people are signed in to by their own form: the
 * cookies stay here, and an application that has forgotten the person is
 * signed in to again, once, before anybody sees it.
 *
 * Again means the same request from the start, by an error_page of our own:
 * the way of nginx when an upstream fails.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"

#include "ym_doc.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_JAR_HELD     (64 * 1024)  /* of a page, to be read */
#define NGX_HTTP_YIMEN_JAR_COOKIES  100          /* of one answer */
#define NGX_HTTP_YIMEN_JAR_TYPE     128          /* of a content type */


static ngx_int_t ngx_http_yimen_jar_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_jar_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_http_yimen_jar_t *ngx_http_yimen_jar_mine(ngx_http_request_t *r);
static void ngx_http_yimen_jar_answer(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x, struct ym_answer *ret, struct ym_str *cookies);
static ngx_uint_t ngx_http_yimen_jar_absorb(ngx_http_yimen_jar_t *x,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_yimen_jar_readable(ngx_http_request_t *r);
static ngx_uint_t ngx_http_yimen_jar_repeats(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x);
static ngx_int_t ngx_http_yimen_jar_out(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x);
static ngx_int_t ngx_http_yimen_jar_replace(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x, ngx_http_yimen_app_why_e why);
static void ngx_http_yimen_jar_clean(ngx_http_request_t *r);
static ngx_uint_t ngx_http_yimen_jar_swallow(ngx_chain_t *in);
static ngx_int_t ngx_http_yimen_jar_hold(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x, ngx_chain_t *in);
static ngx_uint_t ngx_http_yimen_jar_says_out(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x);
static ngx_int_t ngx_http_yimen_jar_pass(ngx_http_request_t *r,
    ngx_http_yimen_jar_t *x, ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_http_yimen_jar_filters(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_yimen_jar_header;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_yimen_jar_body;
}


char *
ngx_http_yimen_jar_location(ngx_conf_t *cf)
{
    ngx_str_t                          text;
    ngx_array_t                       *pages;
    ngx_http_err_page_t               *page;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_compile_complex_value_t   ccv;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* what is inherited belongs to others as well: a copy, and one more */

    pages = ngx_array_create(cf->pool, 4, sizeof(ngx_http_err_page_t));
    if (pages == NULL) {
        return NGX_CONF_ERROR;
    }

    if (clcf->error_pages != NULL && clcf->error_pages->nelts) {
        page = ngx_array_push_n(pages, clcf->error_pages->nelts);
        if (page == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(page, clcf->error_pages->elts,
                   clcf->error_pages->nelts * sizeof(ngx_http_err_page_t));
    }

    page = ngx_array_push(pages);
    if (page == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(page, sizeof(ngx_http_err_page_t));
    page->status = NGX_HTTP_YIMEN_AGAIN;

    ngx_str_set(&text, "$yimen_again");
    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = &text;
    ccv.complex_value = &page->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    clcf->error_pages = pages;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_yimen_jar_peeks(const ngx_http_yimen_app_t *app)
{
    size_t                    i;
    const struct ym_answers  *out;

    out = &app->recipe->signed_out;

    for (i = 0; i < out->count; i++) {
        if (out->items[i].body != NULL) {
            return 1;
        }
    }

    return 0;
}


/* the state of a request whose answer this is, or NULL */

static ngx_http_yimen_jar_t *
ngx_http_yimen_jar_mine(ngx_http_request_t *r)
{
    ngx_http_yimen_jar_t             *x;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    if (r != r->main || r->upstream == NULL) {
        return NULL;
    }

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (flcf->kind != &ngx_http_yimen_kind_form) {
        return NULL;
    }

    x = ngx_http_yimen_jar_of(r, 0);

    return (x != NULL && x->form && x->injected) ? x : NULL;
}


static ngx_int_t
ngx_http_yimen_jar_header(ngx_http_request_t *r)
{
    enum ym_holds          holds;
    struct ym_str          cookies[NGX_HTTP_YIMEN_JAR_COOKIES];
    struct ym_answer       answer;
    ngx_http_yimen_jar_t  *x;

    x = ngx_http_yimen_jar_mine(r);

    if (x == NULL || x->peek == NGX_HTTP_YIMEN_PEEK_REPLACED) {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_yimen_jar_answer(r, x, &answer, cookies);

    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return ngx_http_next_header_filter(r);
    }

    holds = ym_recipe_signed_out(x->app->recipe, &answer);

    if (holds == YM_HOLDS) {
        return ngx_http_yimen_jar_out(r, x);
    }

    if (answer.set_cookie_count) {
        ngx_http_yimen_jar_save(x);
    }

    if (holds == YM_HOLDS_NOT || !ngx_http_yimen_jar_readable(r)) {
        return ngx_http_next_header_filter(r);
    }

    x->peek = NGX_HTTP_YIMEN_PEEK_READING;
    x->held = ngx_pnalloc(r->pool, NGX_HTTP_YIMEN_JAR_HELD);
    x->held_len = 0;

    if (x->held == NULL) {
        return NGX_ERROR;
    }

    r->filter_need_in_memory = 1;

    return NGX_OK;
}


/* what the recipe looks at; cookies leave the answer and go into the jar */

static void
ngx_http_yimen_jar_answer(ngx_http_request_t *r, ngx_http_yimen_jar_t *x,
    struct ym_answer *ret, struct ym_str *cookies)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    ngx_list_part_t  *part;

    ngx_memzero(ret, sizeof(struct ym_answer));
    ret->status = (int) r->headers_out.status;
    ret->set_cookies = cookies;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0) {
                continue;
            }

            if (h[i].key.len == 8
                && ngx_strncasecmp(h[i].key.data, (u_char *) "location", 8)
                   == 0)
            {
                ret->location.p = (char *) h[i].value.data;
                ret->location.n = h[i].value.len;
                continue;
            }

            if (h[i].key.len != 10
                || ngx_strncasecmp(h[i].key.data, (u_char *) "set-cookie", 10)
                   != 0)
            {
                continue;
            }

            if (!ngx_http_yimen_jar_absorb(x, &h[i])) {
                continue;
            }

            h[i].hash = 0;

            if (ret->set_cookie_count < NGX_HTTP_YIMEN_JAR_COOKIES) {
                cookies[ret->set_cookie_count].p = (char *) h[i].value.data;
                cookies[ret->set_cookie_count++].n = h[i].value.len;
            }
        }
    }
}


/* 0: the cookie is one that scripts need, and goes on to the browser */

static ngx_uint_t
ngx_http_yimen_jar_absorb(ngx_http_yimen_jar_t *x, ngx_table_elt_t *h)
{
    size_t             n;
    ngx_uint_t         i;
    struct ym_str      value;
    const char *const *names;

    names = x->app->recipe->browser;

    for (i = 0; names[i] != NULL; i++) {
        n = ngx_strlen(names[i]);

        if (h->value.len > n && h->value.data[n] == '='
            && ngx_strncmp(h->value.data, names[i], n) == 0)
        {
            return 0;
        }
    }

    value.p = (char *) h->value.data;
    value.n = h->value.len;

    for (n = 0; n < value.n && value.p[n] != '=' && value.p[n] != ';'; n++) {
        /* void */
    }

    if (!ngx_http_yimen_cookie_is_ours(h->value.data, n)) {
        (void) ym_jar_take(x->jar, value, x->path, ym_now_ms());
    }

    return 1;
}


static ngx_uint_t
ngx_http_yimen_jar_readable(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    type = &r->headers_out.content_type;

    return !r->header_only && r->method != NGX_HTTP_HEAD
           && r->headers_out.content_encoding == NULL
           && r->headers_out.status != NGX_HTTP_NOT_MODIFIED
           && r->headers_out.status != NGX_HTTP_NO_CONTENT
           && (ngx_strlcasestrn(type->data, type->data + type->len,
                                (u_char *) "html", 4 - 1)
               != NULL);
}


/* whether the same request may be made once more, unseen */

static ngx_uint_t
ngx_http_yimen_jar_repeats(ngx_http_request_t *r, ngx_http_yimen_jar_t *x)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a '?' in the path would be taken for the beginning of the query */

    return !x->again
           && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
           && r->uri_changes > 1
           && (!r->error_page || clcf->recursive_error_pages)
           && ngx_strlchr(x->uri.data, x->uri.data + x->uri.len, '?') == NULL;
}


/* the application has forgotten the person */

static ngx_int_t
ngx_http_yimen_jar_out(ngx_http_request_t *r, ngx_http_yimen_jar_t *x)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "event=application.forgot system=%s", x->app->id);

    if (ngx_http_yimen_jar_repeats(r, x)) {
        x->again = 1;
        x->forget = 1;
        x->injected = 0;
        x->peek = NGX_HTTP_YIMEN_PEEK_NOT;

        ngx_http_yimen_jar_clean(r);

        return NGX_HTTP_YIMEN_AGAIN;
    }

    (void) ngx_http_yimen_jar_forget(x, NULL);

    return ngx_http_yimen_jar_replace(r, x, x->again
                                            ? NGX_HTTP_YIMEN_APP_FORGETS
                                            : NGX_HTTP_YIMEN_APP_LOST);
}


static ngx_int_t
ngx_http_yimen_jar_replace(ngx_http_request_t *r, ngx_http_yimen_jar_t *x,
    ngx_http_yimen_app_why_e why)
{
    ngx_buf_t   *b;
    ngx_str_t    type, body;
    ngx_uint_t   status;

    ngx_http_yimen_jar_clean(r);

    b = ngx_calloc_buf(r->pool);
    x->answer = ngx_alloc_chain_link(r->pool);

    if (b == NULL || x->answer == NULL
        || ngx_http_yimen_app_text(r, x->app, why, &status, &type, &body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->pos = body.data;
    b->last = body.data + body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    x->answer->buf = b;
    x->answer->next = NULL;
    x->peek = NGX_HTTP_YIMEN_PEEK_REPLACED;

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) body.len;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->disable_not_modified = 1;
    r->allow_ranges = 0;

    return ngx_http_next_header_filter(r);
}


/* as nginx does before it answers something else than what was begun */

static void
ngx_http_yimen_jar_clean(ngx_http_request_t *r)
{
    ngx_memzero(&r->headers_out.status,
                sizeof(ngx_http_headers_out_t)
                - offsetof(ngx_http_headers_out_t, status));

    r->headers_out.headers.part.nelts = 0;
    r->headers_out.headers.part.next = NULL;
    r->headers_out.headers.last = &r->headers_out.headers.part;

    r->headers_out.trailers.part.nelts = 0;
    r->headers_out.trailers.part.next = NULL;
    r->headers_out.trailers.last = &r->headers_out.trailers.part;

    r->headers_out.content_length_n = -1;
    r->headers_out.last_modified_time = -1;
}


static ngx_int_t
ngx_http_yimen_jar_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t              rc;
    ngx_uint_t             last;
    ngx_chain_t           *answer;
    ngx_http_yimen_jar_t  *x;

    x = ngx_http_yimen_jar_mine(r);

    if (x == NULL || x->peek == NGX_HTTP_YIMEN_PEEK_NOT) {
        return ngx_http_next_body_filter(r, in);
    }

    switch (x->peek) {

    case NGX_HTTP_YIMEN_PEEK_READING:
        return ngx_http_yimen_jar_hold(r, x, in);

    case NGX_HTTP_YIMEN_PEEK_SWALLOW:
        last = ngx_http_yimen_jar_swallow(in);

        return last ? ngx_http_yimen_jar_out(r, x) : NGX_OK;

    default:
        (void) ngx_http_yimen_jar_swallow(in);

        answer = x->answer;
        x->answer = NULL;

        /* what is still on its way to the client is nudged */

        rc = ngx_http_next_body_filter(r, r->header_only ? NULL : answer);

        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }
}


/* drops a chain; 1: it was the end */

static ngx_uint_t
ngx_http_yimen_jar_swallow(ngx_chain_t *in)
{
    ngx_uint_t  last;

    for (last = 0; in; in = in->next) {
        last |= in->buf->last_buf;
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    return last;
}


/* holds back until there is enough to judge by */

static ngx_int_t
ngx_http_yimen_jar_hold(ngx_http_request_t *r, ngx_http_yimen_jar_t *x,
    ngx_chain_t *in)
{
    size_t        n;
    ngx_buf_t    *b;
    ngx_uint_t    end;
    ngx_chain_t  *cl;

    end = 0;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        n = ngx_min((size_t) (b->last - b->pos),
                    NGX_HTTP_YIMEN_JAR_HELD - x->held_len);

        if (n) {
            ngx_memcpy(x->held + x->held_len, b->pos, n);
            x->held_len += n;
            b->pos += n;
        }

        /* an upstream that fails half-way ends with a flush alone */

        end |= b->last_buf || b->pos < b->last || (n == 0 && b->flush);
    }

    if (!end && x->held_len < NGX_HTTP_YIMEN_JAR_HELD) {
        return NGX_OK;
    }

    if (!ngx_http_yimen_jar_says_out(r, x)) {
        return ngx_http_yimen_jar_pass(r, x, in);
    }

    if (!ngx_http_yimen_jar_repeats(r, x)) {
        if (ngx_http_yimen_jar_out(r, x) == NGX_ERROR) {
            return NGX_ERROR;
        }

        return ngx_http_yimen_jar_body(r, in);
    }

    x->peek = NGX_HTTP_YIMEN_PEEK_SWALLOW;

    return ngx_http_yimen_jar_body(r, in);
}


static ngx_uint_t
ngx_http_yimen_jar_says_out(ngx_http_request_t *r, ngx_http_yimen_jar_t *x)
{
    char                    type[NGX_HTTP_YIMEN_JAR_TYPE];
    struct ym_doc           doc;
    struct ym_str           cookies[1];
    struct ym_answer        answer;
    struct ym_doc_charsets  cs;

    ngx_memzero(&answer, sizeof(struct ym_answer));
    answer.status = (int) r->headers_out.status;
    answer.set_cookies = cookies;

    ngx_memzero(&cs, sizeof(struct ym_doc_charsets));
    cs.forced = x->app->recipe->charset;
    cs.fallback = "gb18030";

    if (r->headers_out.charset.len
        && r->headers_out.charset.len < sizeof(type))
    {
        (void) ngx_cpystrn((u_char *) type, r->headers_out.charset.data,
                           r->headers_out.charset.len + 1);
        cs.header = type;
    }

    if (ym_doc_decode((struct ym_str){ (char *) x->held, x->held_len }, &cs,
                      x->arena, &doc, NULL)
        != YM_OK)
    {
        return 0;
    }

    answer.text = doc.text;

    return ym_recipe_signed_out(x->app->recipe, &answer) == YM_HOLDS;
}


/* all is well: what was held back goes first, then what was not taken */

static ngx_int_t
ngx_http_yimen_jar_pass(ngx_http_request_t *r, ngx_http_yimen_jar_t *x,
    ngx_chain_t *in)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *out, *cl, **last;

    x->peek = NGX_HTTP_YIMEN_PEEK_NOT;

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return (rc > NGX_OK) ? NGX_ERROR : rc;
    }

    out = NULL;
    last = &out;

    b = (x->held_len != 0) ? ngx_calloc_buf(r->pool) : NULL;

    if (b != NULL) {
        b->pos = x->held;
        b->last = x->held + x->held_len;
        b->memory = 1;
    }

    for ( ;; ) {

        if (b != NULL) {
            cl = ngx_alloc_chain_link(r->pool);
            if (cl == NULL) {
                return NGX_ERROR;
            }

            cl->buf = b;
            *last = cl;
            last = &cl->next;
        }

        if (in == NULL) {
            break;
        }

        /* an empty buffer of memory must not be sent, its marks must */

        b = in->buf;
        in = in->next;

        if (ngx_buf_size(b) == 0 && !ngx_buf_special(b)) {
            if (!b->last_buf && !b->flush && !b->sync) {
                b = NULL;
                continue;
            }

            cl = ngx_chain_get_free_buf(r->pool, &x->answer);
            if (cl == NULL) {
                return NGX_ERROR;
            }

            cl->buf->last_buf = b->last_buf;
            cl->buf->flush = b->flush;
            cl->buf->sync = 1;
            b = cl->buf;
        }
    }

    *last = NULL;

    return ngx_http_next_body_filter(r, out);
}
