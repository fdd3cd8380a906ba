/* SPDX-License-Identifier: Apache-2.0
 * The body, read without nginx's buffering: that would write personal data to
 * a temporary file, and answer what is too large with an HTML page.
 */
#include "ngx_http_yimen_body.h"
#include "ngx_http_yimen_route.h"

#include "ym_form_body.h"
#include "ym_json.h"


static ngx_int_t ngx_http_yimen_body_check(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t wanted);
static ngx_int_t ngx_http_yimen_body_type(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t wanted);
static void ngx_http_yimen_body_begin(ngx_http_request_t *r);
static void ngx_http_yimen_body_event(ngx_http_request_t *r);
static void ngx_http_yimen_body_more(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_body_take(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_body_room(ngx_http_yimen_ctx_t *ctx,
    size_t size);
static size_t ngx_http_yimen_body_max(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_body_end(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_body_refuse(ngx_http_yimen_ctx_t *ctx,
    ngx_int_t status);


void
ngx_http_yimen_body_read(ngx_http_yimen_ctx_t *ctx, ngx_uint_t wanted,
    ngx_http_yimen_handler_pt handler)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_yimen_body_check(ctx, wanted) != NGX_OK) {
        return;
    }

    if (!wanted || (r->headers_in.content_length_n <= 0
                    && !r->headers_in.chunked))
    {
        handler(ctx);
        return;
    }

    ctx->on_body = handler;
    r->request_body_no_buffering = 1;

    /* takes a reference of its own, which is given back at once: we hold one */

    rc = ngx_http_read_client_request_body(r, ngx_http_yimen_body_begin);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

        /* it took none in this case */

        ngx_http_yimen_body_refuse(ctx, rc);
        return;
    }

    ngx_http_finalize_request(r, NGX_DONE);
}


static ngx_int_t
ngx_http_yimen_body_check(ngx_http_yimen_ctx_t *ctx, ngx_uint_t wanted)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!wanted) {
        if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                   "此操作不接受请求内容",
                                   "This operation takes no body");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (r->headers_in.content_length_n
        > (off_t) ngx_http_yimen_body_max(ctx))
    {
        ngx_http_yimen_body_refuse(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
        return NGX_ERROR;
    }

    return ngx_http_yimen_body_type(ctx, wanted);
}


static ngx_int_t
ngx_http_yimen_body_type(ngx_http_yimen_ctx_t *ctx, ngx_uint_t wanted)
{
    size_t            len;
    u_char           *p, *last;
    ngx_str_t        *encoding, type, want;
    ngx_table_elt_t  *h;

    encoding = ngx_http_yimen_header(ctx->request, "content-encoding");

    if (encoding != NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                               "不接受压缩的内容",
                               "No Content-Encoding is accepted");
        return NGX_ERROR;
    }

    if (wanted & NGX_HTTP_YIMEN_ROUTE_PATCH) {
        ngx_str_set(&want, "application/merge-patch+json");

    } else if (wanted & NGX_HTTP_YIMEN_ROUTE_FORM) {
        ngx_str_set(&want, "application/x-www-form-urlencoded");

    } else {
        ngx_str_set(&want, "application/json");
    }

    h = ctx->request->headers_in.content_type;

    if (h != NULL) {
        type = h->value;
        last = type.data + type.len;

        for (p = type.data; p < last && *p != ';' && *p != ' '; p++) {
            /* void */
        }

        len = (size_t) (p - type.data);

        if (len == want.len
            && ngx_strncasecmp(type.data, want.data, len) == 0
            && (ngx_strlcasestrn(p, last, (u_char *) "charset", 7 - 1) == NULL
                || ngx_strlcasestrn(p, last, (u_char *) "utf-8", 5 - 1)))
        {
            return NGX_OK;
        }
    }

    if (wanted & NGX_HTTP_YIMEN_ROUTE_PATCH) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                      "Content-Type 应为 application/merge-patch+json (UTF-8)",
                      "Content-Type must be application/merge-patch+json, "
                      "UTF-8");

    } else if (wanted & NGX_HTTP_YIMEN_ROUTE_FORM) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                 "Content-Type 应为 application/x-www-form-urlencoded (UTF-8)",
                 "Content-Type must be application/x-www-form-urlencoded, "
                 "UTF-8");

    } else {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                               "Content-Type 应为 application/json (UTF-8)",
                               "Content-Type must be application/json, UTF-8");
    }

    return NGX_ERROR;
}


static void
ngx_http_yimen_body_begin(ngx_http_request_t *r)
{
    ngx_http_yimen_body_more(ngx_http_get_module_ctx(r,
                                                     ngx_http_yimen_module));
}


static void
ngx_http_yimen_body_event(ngx_http_request_t *r)
{
    ngx_http_yimen_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_yimen_module);

    if (r->connection->read->timedout) {
        r->connection->timedout = 1;
        ngx_http_yimen_body_refuse(ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ngx_http_yimen_body_more(ctx);
}


static void
ngx_http_yimen_body_more(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    for ( ;; ) {
        rc = ngx_http_yimen_body_take(ctx);

        if (rc != NGX_OK) {
            ngx_http_yimen_body_refuse(ctx, rc);
            return;
        }

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_yimen_body_refuse(ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_http_yimen_body_event;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;
    ngx_http_yimen_body_end(ctx);
}


static size_t
ngx_http_yimen_body_max(ngx_http_yimen_ctx_t *ctx)
{
    return (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FORM)
           ? YM_FORM_BYTES : NGX_HTTP_YIMEN_BODY_BYTES;
}


/* a form is read at once: one that is malformed never reaches a handler */

static void
ngx_http_yimen_body_end(ngx_http_yimen_ctx_t *ctx)
{
    ym_status         rc;
    struct ym_err     err;
    struct ym_arena  *arena;

    if (!(ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FORM)) {
        ctx->on_body(ctx);
        return;
    }

    arena = ngx_http_yimen_arena(ctx);
    if (arena == NULL) {
        return;
    }

    rc = ym_form_parse(ctx->body, arena, &ctx->form, &err);

    if (rc == YM_ENOMEM) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (rc != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "表单内容无效", err.message);
        return;
    }

    ctx->on_body(ctx);
}


ngx_int_t
ngx_http_yimen_form(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str *ret)
{
    return ym_form_get(ctx->form, name, ret) ? NGX_OK : NGX_DECLINED;
}


/* moves what has come into ctx->body */

static ngx_int_t
ngx_http_yimen_body_take(ngx_http_yimen_ctx_t *ctx)
{
    size_t        n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = ctx->request->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b)) {
            continue;
        }

        n = (size_t) (b->last - b->pos);

        if (n > ngx_http_yimen_body_max(ctx) - ctx->body.n) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        if (ngx_http_yimen_body_room(ctx, ctx->body.n + n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_memcpy((char *) (uintptr_t) ctx->body.p + ctx->body.n, b->pos, n);
        ctx->body.n += n;
        b->pos = b->last;
    }

    ctx->request->request_body->bufs = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_body_room(ngx_http_yimen_ctx_t *ctx, size_t size)
{
    char    *p;
    off_t    announced;
    size_t   room;

    if (size <= ctx->body_size) {
        return NGX_OK;
    }

    announced = ctx->request->headers_in.content_length_n;
    room = ngx_max(size, 2 * ctx->body_size);

    if (announced > 0 && (size_t) announced > room) {
        room = (size_t) announced;
    }

    p = ngx_alloc(room, ctx->request->connection->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ctx->body.n) {
        ngx_memcpy(p, ctx->body.p, ctx->body.n);
    }

    ngx_http_yimen_body_free(ctx);
    ctx->body.p = p;
    ctx->body_size = room;

    return NGX_OK;
}


void
ngx_http_yimen_body_free(ngx_http_yimen_ctx_t *ctx)
{
    if (ctx->body_size) {
        ym_wipe((char *) (uintptr_t) ctx->body.p, ctx->body.n);
        ngx_free((char *) (uintptr_t) ctx->body.p);
        ctx->body.p = NULL;
        ctx->body_size = 0;
    }
}


/* what is left of the body is not read: the connection ends with the answer */

static void
ngx_http_yimen_body_refuse(ngx_http_yimen_ctx_t *ctx, ngx_int_t status)
{
    ctx->request->keepalive = 0;
    ctx->request->lingering_close = 1;
    ctx->request->read_event_handler = ngx_http_block_reading;

    switch (status) {

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        if (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FORM) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_LARGE,
                                   "表单最多 64 KiB",
                                   "A form has at most 64 KiB");
            return;
        }

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_LARGE,
                               "请求内容最多 1 MiB",
                               "A request body has at most 1 MiB");
        return;

    case NGX_HTTP_REQUEST_TIME_OUT:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TIMEOUT, NULL, NULL);
        return;

    case NGX_HTTP_BAD_REQUEST:
    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "请求内容不完整",
                               "The body is not complete");
        return;

    default:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }
}


/* a JSON object, within the limits of core's parser */

ngx_int_t
ngx_http_yimen_body_json(ngx_http_yimen_ctx_t *ctx)
{
    u_char         zh[128];
    ym_status      rc;
    struct ym_err  err;

    if (ctx->json != NULL) {
        return NGX_OK;
    }

    rc = ym_json_parse(ctx->body, &ym_json_defaults, &ctx->json, &err);

    if (rc == YM_OK && json_is_object(ctx->json)) {
        return NGX_OK;
    }

    if (rc == YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_JSON,
                               "请求内容应为一个 JSON 对象",
                               "The body must be a JSON object");
        return NGX_ERROR;
    }

    if (rc == YM_ETOOBIG) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_LIMIT,
                               "JSON 最多嵌套 32 层、共 10000 个成员",
                               "JSON may nest 32 levels and have 10,000 "
                               "members in all");
        return NGX_ERROR;
    }

    (void) ngx_snprintf(zh, sizeof(zh), "第 %d 行第 %d 列附近有错误%Z",
                        err.line, err.column);

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_JSON, (char *) zh,
                           err.message);

    return NGX_ERROR;
}
