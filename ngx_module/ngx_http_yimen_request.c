/* SPDX-License-Identifier: Apache-2.0
 * The life of an API request: route, caller, body, calls, answer.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_body.h"
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_route.h"

#include "ym_id.h"
#include "ym_store.h"


static ngx_http_yimen_ctx_t *ngx_http_yimen_ctx_open(ngx_http_request_t *r);
static void ngx_http_yimen_ctx_close(void *data);
static void ngx_http_yimen_request_run(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_no_route(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t allowed);
static void ngx_http_yimen_call_done(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_calls_end(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_reply_bad(ngx_http_yimen_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_yimen_replies_free(redisReply **replies, ngx_uint_t n);
static void ngx_http_yimen_timer(ngx_event_t *ev);
static void ngx_http_yimen_send(ngx_http_yimen_ctx_t *ctx);


/* a reply and the index it belongs to, while a call is under way */
typedef struct {
    ngx_http_yimen_ctx_t  *ctx;
    ngx_uint_t             index;
} ngx_http_yimen_slot_t;


ngx_int_t
ngx_http_yimen_request_handler(ngx_http_request_t *r)
{
    ngx_uint_t             allowed;
    struct ym_str          path;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = ngx_http_yimen_ctx_open(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* ended by ngx_http_yimen_answer(), perhaps before this returns */

    r->main->count++;

    path.p = (char *) r->uri.data;
    path.n = r->uri.len;
    allowed = 0;

    ctx->route = ngx_http_yimen_route_find(r->method, path, ctx->params,
                                           &allowed);
    if (ctx->route == NULL) {
        ngx_http_yimen_no_route(ctx, allowed);
        return NGX_DONE;
    }

    if (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_PUBLIC) {
        ngx_http_yimen_request_admitted(ctx);

    } else {
        ngx_http_yimen_admit(ctx);
    }

    return NGX_DONE;
}


void
ngx_http_yimen_request_admitted(ngx_http_yimen_ctx_t *ctx)
{
    if ((ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_RECORD)
        && !ym_id_valid(ctx->params[0]))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FILE) {
        ngx_http_yimen_request_run(ctx);
        return;
    }

    ngx_http_yimen_body_read(ctx, ctx->route->flags
                                  & (NGX_HTTP_YIMEN_ROUTE_BODY
                                     | NGX_HTTP_YIMEN_ROUTE_FORM
                                     | NGX_HTTP_YIMEN_ROUTE_PATCH),
                             ngx_http_yimen_request_run);
}


static void
ngx_http_yimen_request_run(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_csrf_form(ctx) == NGX_OK) {
        ctx->route->handler(ctx);
    }
}


static void
ngx_http_yimen_no_route(ngx_http_yimen_ctx_t *ctx, ngx_uint_t allowed)
{
    struct ym_buf  methods;

    if (!allowed) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    ym_buf_init(&methods, 128);
    ngx_http_yimen_route_methods(allowed, &methods);
    (void) ngx_http_yimen_answer_header(ctx, "Allow", ym_buf_str(&methods));
    ym_buf_clear(&methods);

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_METHOD, NULL, NULL);
}


static ngx_http_yimen_ctx_t *
ngx_http_yimen_ctx_open(ngx_http_request_t *r)
{
    u_char                *query;
    ngx_str_t             *language;
    ngx_pool_cleanup_t    *cln;
    ngx_http_yimen_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_yimen_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_yimen_ctx_t));

    ctx->request = r;
    ctx->conf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_ANSWER_BYTES);

    ctx->timer.handler = ngx_http_yimen_timer;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    /*
     * Every log line of a request carries its first line.  Queries hold search
     * keys and what people put there by mistake: they are left out.
     */

    query = ngx_strlchr(r->request_line.data,
                        r->request_line.data + r->request_line.len, '?');

    if (query != NULL) {
        r->request_line.len = (size_t) (query - r->request_line.data);
    }

    ctx->lang = YM_ZH;
    language = ngx_http_yimen_header(r, "accept-language");

    if (language != NULL) {
        ctx->lang = ym_lang_of((struct ym_str){ (char *) language->data,
                                                language->len });
    }

    cln->handler = ngx_http_yimen_ctx_close;
    ngx_http_set_ctx(r, ctx, ngx_http_yimen_module);

    return ctx;
}


static void
ngx_http_yimen_ctx_close(void *data)
{
    ngx_http_yimen_ctx_t  *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_yimen_replies_free(ctx->replies, ctx->reply_count);
    ngx_http_yimen_body_free(ctx);
    json_decref(ctx->json);
    json_decref(ctx->record);
    ym_buf_clear(&ctx->out);
    ym_arena_close(ctx->arena);
}


struct ym_arena *
ngx_http_yimen_arena(ngx_http_yimen_ctx_t *ctx)
{
    if (ctx->arena == NULL) {
        ctx->arena = ym_arena_open();

        if (ctx->arena == NULL) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
            return NULL;
        }
    }

    return ctx->arena;
}


ngx_str_t *
ngx_http_yimen_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
        {
            return &h[i].value;
        }
    }
}


ngx_int_t
ngx_http_yimen_query(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str *ret)
{
    u_char     *src, *dst, *p;
    ngx_str_t   value;

    if (ngx_http_arg(ctx->request, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(ctx->request->pool, value.len + 1);
    if (dst == NULL) {
        return NGX_DECLINED;
    }

    /* '+' is a blank in queries; a literal one comes as %2B */

    src = ngx_pnalloc(ctx->request->pool, value.len + 1);
    if (src == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(src, value.data, value.len);

    for (p = src; p < src + value.len; p++) {
        if (*p == '+') {
            *p = ' ';
        }
    }

    p = dst;
    ngx_unescape_uri(&p, &src, value.len, 0);
    *p = '\0';

    ret->p = (char *) dst;
    ret->n = (size_t) (p - dst);

    return NGX_OK;
}


struct ym_str
ngx_http_yimen_copy(ngx_http_yimen_ctx_t *ctx, struct ym_str text)
{
    char  *p;

    p = ngx_pnalloc(ctx->request->pool, text.n + 1);
    if (p == NULL) {
        return YM_STR_NULL;
    }

    if (text.n) {
        ngx_memcpy(p, text.p, text.n);
    }

    p[text.n] = '\0';

    return (struct ym_str){ p, text.n };
}


char *
ngx_http_yimen_strz(ngx_http_yimen_ctx_t *ctx, struct ym_str text)
{
    return (char *) (uintptr_t) ngx_http_yimen_copy(ctx, text).p;
}


void
ngx_http_yimen_args_init(ngx_http_yimen_args_t *args,
    ngx_http_yimen_ctx_t *ctx, const char *function, ngx_uint_t shard)
{
    u_char      *p;
    ngx_pool_t  *pool;

    pool = ctx->request->pool;

    args->ctx = ctx;
    args->failed = 0;

    if (ngx_array_init(&args->argv, pool, 32, sizeof(const char *)) != NGX_OK
        || ngx_array_init(&args->argvlen, pool, 32, sizeof(size_t)) != NGX_OK)
    {
        args->failed = 1;
        return;
    }

    p = ngx_pnalloc(pool, sizeof("{s}") + NGX_INT_T_LEN);
    if (p == NULL) {
        args->failed = 1;
        return;
    }

    (void) ngx_sprintf(p, "{s%ui}%Z", shard);

    ngx_http_yimen_arg(args, YM_STR("FCALL"));
    ngx_http_yimen_arg_z(args, function);
    ngx_http_yimen_arg(args, YM_STR("1"));
    ngx_http_yimen_arg_z(args, (char *) p);
}


void
ngx_http_yimen_arg(ngx_http_yimen_args_t *args, struct ym_str text)
{
    size_t       *len;
    const char  **arg;

    if (args->failed) {
        return;
    }

    if (args->argv.nelts >= NGX_HTTP_YIMEN_REDIS_ARGS) {
        args->failed = 1;
        return;
    }

    arg = ngx_array_push(&args->argv);
    len = ngx_array_push(&args->argvlen);

    if (arg == NULL || len == NULL) {
        args->failed = 1;
        return;
    }

    *arg = (text.p != NULL) ? text.p : "";
    *len = text.n;
}


void
ngx_http_yimen_arg_z(ngx_http_yimen_args_t *args, const char *text)
{
    ngx_http_yimen_arg(args, ym_str_of(text));
}


void
ngx_http_yimen_arg_int(ngx_http_yimen_args_t *args, int64_t n)
{
    u_char  *p, *last;

    p = ngx_pnalloc(args->ctx->request->pool, NGX_INT64_LEN + 1);
    if (p == NULL) {
        args->failed = 1;
        return;
    }

    last = ngx_sprintf(p, "%L", n);
    ngx_http_yimen_arg(args, (struct ym_str){ (char *) p,
                                              (size_t) (last - p) });
}


void
ngx_http_yimen_calls(ngx_http_yimen_ctx_t *ctx, ngx_http_yimen_args_t *args,
    ngx_uint_t n, ngx_http_yimen_handler_pt handler)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    redisReply            **replies;
    ngx_uint_t              reply_count;
    ngx_http_yimen_slot_t  *slots;

    pool = ctx->request->pool;

    /* the arguments may point into the replies before: those go last */

    replies = ctx->replies;
    reply_count = ctx->reply_count;
    ctx->reply_count = 0;

    ctx->replies = ngx_pcalloc(pool, n * sizeof(redisReply *));
    slots = ngx_palloc(pool, n * sizeof(ngx_http_yimen_slot_t));

    if (ctx->replies == NULL || slots == NULL) {
        ngx_http_yimen_replies_free(replies, reply_count);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->reply_count = n;
    ctx->in_flight = 0;
    ctx->trouble = NGX_HTTP_YIMEN_REDIS_OK;
    ctx->refused = 0;
    ctx->on_replies = handler;

    for (i = 0; i < n; i++) {
        slots[i].ctx = ctx;
        slots[i].index = i;

        rc = NGX_ERROR;

        if (!args[i].failed) {
            rc = ngx_http_yimen_redis_call(ngx_http_yimen_worker.redis, pool,
                                           args[i].argv.nelts,
                                           args[i].argv.elts,
                                           args[i].argvlen.elts,
                                           ngx_http_yimen_call_done,
                                           &slots[i]);
        }

        if (rc != NGX_OK) {
            ctx->refused = 1;
            break;
        }

        ctx->in_flight++;
    }

    ngx_http_yimen_replies_free(replies, reply_count);

    /* those on their way are awaited, so that no answer finds us gone */

    if (ctx->in_flight == 0) {
        ngx_http_yimen_calls_end(ctx);
    }
}


static void
ngx_http_yimen_call_done(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_connection_t       *c;
    ngx_http_yimen_ctx_t   *ctx;
    ngx_http_yimen_slot_t  *slot = data;

    ctx = slot->ctx;
    c = ctx->request->connection;

    if (why != NGX_HTTP_YIMEN_REDIS_OK) {
        ctx->trouble = why;

    } else {
        ctx->replies[slot->index] = *reply;
        *reply = NULL;
    }

    if (--ctx->in_flight == 0) {
        ngx_http_yimen_calls_end(ctx);
        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_http_yimen_calls_end(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->refused || ctx->trouble != NGX_HTTP_YIMEN_REDIS_OK) {
        ngx_http_yimen_count(redis_trouble);

        if (ctx->on_trouble != NULL) {
            ctx->on_trouble(ctx);
            return;
        }

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    for (i = 0; i < ctx->reply_count; i++) {
        if (ngx_http_yimen_reply_bad(ctx, ctx->replies[i])) {
            return;
        }
    }

    ctx->on_replies(ctx);
}


/* an error reply ends the request; its words never reach the client */

static ngx_int_t
ngx_http_yimen_reply_bad(ngx_http_yimen_ctx_t *ctx, redisReply *reply)
{
    size_t                    len;
    ngx_http_yimen_problem_e  kind;

    if (reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    kind = NGX_HTTP_YIMEN_P_UNAVAILABLE;

    if (ngx_strncmp(reply->str, "OOM", 3) == 0) {
        kind = NGX_HTTP_YIMEN_P_FULL;
    }

    /* the first words only: the rest may quote an argument */

    len = ngx_min(reply->len, 48);

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "event=redis.refused err=\"%*s\"", len, reply->str);

    ngx_http_yimen_count(redis_trouble);

    if (ctx->on_trouble != NULL) {
        ctx->on_trouble(ctx);
        return 1;
    }

    ngx_http_yimen_problem(ctx, kind, NULL, NULL);

    return 1;
}


static void
ngx_http_yimen_replies_free(redisReply **replies, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (replies[i] != NULL) {
            freeReplyObject(replies[i]);
        }
    }
}


void
ngx_http_yimen_later(ngx_http_yimen_ctx_t *ctx, ngx_msec_t delay,
    ngx_http_yimen_handler_pt handler)
{
    ctx->on_replies = handler;
    ctx->request->read_event_handler = ngx_http_test_reading;

    ngx_add_timer(&ctx->timer, delay);
}


static void
ngx_http_yimen_timer(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    ctx->request->read_event_handler = ngx_http_block_reading;
    ctx->on_replies(ctx);

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_http_yimen_answer_header(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str value)
{
    struct ym_str     copy;
    ngx_table_elt_t  *h;

    copy = ngx_http_yimen_copy(ctx, value);
    if (copy.p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&ctx->request->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_yimen_header_end(h);
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) copy.p;
    h->value.len = copy.n;

    return NGX_OK;
}


void
ngx_http_yimen_answer(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *type)
{
    ngx_uint_t           class;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->done) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "yimen: a second answer to one request");
        return;
    }

    ctx->done = 1;

    /*
     * A body that was not read must not be taken for the next request of this
     * connection, and need not be sent by a client that asks first.
     */

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    class = status / 100;
    (void) ngx_atomic_fetch_add(
                 &ngx_http_yimen_worker.stats->requests[class < 6 ? class : 0],
                 1);

    if (ctx->out.failed != YM_OK) {
        ym_buf_clear(&ctx->out);
        status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (type == NULL) {
        type = "application/json";
    }

    /* If-Match is ours: it guards a PATCH, not the sending of an answer */

    r->disable_not_modified = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) ctx->out.n;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    (void) ngx_http_yimen_answer_header(ctx, "Cache-Control",
                                        YM_STR("no-store"));

    ngx_http_yimen_send(ctx);
}


static void
ngx_http_yimen_send(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (ctx->out.n) {
        b->pos = (u_char *) ctx->out.p;
        b->last = b->pos + ctx->out.n;
        b->memory = 1;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));
}
