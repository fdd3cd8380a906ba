/* SPDX-License-Identifier: Apache-2.0
 * GET /attachments/{id}: for whoever may read a record that names it, in full,
 * and for who uploaded it.  It is opened and sent piece by piece: read and
 * unsealed in a thread, the next one when the last one has left.
 */
#include "ngx_http_yimen_attach.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store.h"


typedef struct {
    struct ym_str             text;      /* the description, JSON */
    json_t                   *json;
    struct ym_str             records[YM_ATTACHMENT_RECORDS];
    ngx_uint_t                count;
    char                      id[YM_ID_LEN + 1];

    struct ym_blob_reader    *reader;
    struct ym_buf             piece;
    off_t                     sent;
    bool                      last;

    /* of the thread's work */
    const struct ym_blob_store  *store;
    struct ym_str             sha256;
    ym_status                 rc;
    struct ym_err             err;
} ngx_http_yimen_download_t;


static void ngx_http_yimen_download_close(void *data);
static void ngx_http_yimen_download_known(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_download_records(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_download_open(ngx_http_yimen_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_yimen_download_next(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_download_read(void *data);
static void ngx_http_yimen_download_got(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_download_head(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_download_send(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_download_wait(ngx_http_yimen_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_yimen_download_event(ngx_http_request_t *r);


void
ngx_http_yimen_attachment_get(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_yimen_args_t       args;
    ngx_http_yimen_download_t  *down;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_download_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    down = cln->data;
    ngx_memzero(down, sizeof(ngx_http_yimen_download_t));
    ym_buf_init(&down->piece, YM_BLOB_PIECE + 1);
    down->store = &ctx->conf->attach->store;
    ngx_memcpy(down->id, ctx->params[0].p, YM_ID_LEN);
    cln->handler = ngx_http_yimen_download_close;
    ctx->work = down;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ATTACHMENT_GET,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_download_known);
}


static void
ngx_http_yimen_download_close(void *data)
{
    ngx_http_yimen_download_t  *down = data;

    ym_blob_close(down->reader);
    ym_buf_wipe(&down->piece);
    json_decref(down->json);
}


static void
ngx_http_yimen_download_known(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                  i;
    redisReply                 *reply;
    struct ym_str               person;
    ngx_http_yimen_args_t      *args;
    ngx_http_yimen_download_t  *down;

    down = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_attach_person(ctx, &person) != NGX_OK
        || ngx_http_yimen_download_open(ctx, reply) != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (ym_str_eq(person, ngx_http_yimen_reply_str(reply->element[0]))) {
        ngx_http_yimen_download_next(ctx);
        return;
    }

    for (i = 3; i < reply->elements && down->count < YM_ATTACHMENT_RECORDS;
         i++)
    {
        down->records[down->count++] =
            ngx_http_yimen_copy(ctx,
                                ngx_http_yimen_reply_str(reply->element[i]));
    }

    args = ngx_pcalloc(ctx->request->pool,
                       (down->count + 1) * sizeof(ngx_http_yimen_args_t));

    if (args == NULL || down->count == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    for (i = 0; i < down->count; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_GET,
                                 ngx_http_yimen_record_shard(ctx,
                                                         down->records[i]));
        ngx_http_yimen_arg(&args[i], down->records[i]);
        ngx_http_yimen_arg(&args[i], YM_STR("0"));
    }

    ngx_http_yimen_calls(ctx, args, down->count,
                         ngx_http_yimen_download_records);
}


static ngx_int_t
ngx_http_yimen_download_open(ngx_http_yimen_ctx_t *ctx, redisReply *reply)
{
    struct ym_str               text;
    ngx_http_yimen_download_t  *down;

    down = ctx->work;

    if (ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_ATTACHMENT,
                              ctx->params[0],
                              ngx_http_yimen_reply_str(reply->element[1]),
                              &text)
        != NGX_OK
        || ym_json_parse(text, &ym_json_defaults, &down->json, NULL) != YM_OK
        || ym_json_str(down->json, "mime") == NULL
        || ym_json_str(down->json, "name") == NULL
        || ym_json_str(down->json, "sha256") == NULL)
    {
        return NGX_ERROR;
    }

    down->sha256 = ym_str_of(ym_json_str(down->json, "sha256"));

    return NGX_OK;
}


/* may the caller read one of them in full? */

static void
ngx_http_yimen_download_records(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                  i, visible;
    ngx_http_yimen_record_t     record;
    ngx_http_yimen_download_t  *down;

    down = ctx->work;
    visible = 0;

    for (i = 0; i < down->count; i++) {

        if (ngx_http_yimen_record_read(ctx, ctx->replies[i], down->records[i],
                                       &record)
            != NGX_OK)
        {
            continue;
        }

        if (ngx_http_yimen_record_owned(ctx, &record)) {
            if (ngx_http_yimen_record_of_others(ctx, &record)) {
                ngx_http_yimen_record_noted(ctx, "read", down->records[i],
                                            YM_STR("attachment"));
            }

            ngx_http_yimen_download_next(ctx);
            return;
        }

        visible |= ngx_http_yimen_record_visible(ctx, &record);
    }

    if (visible) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您的角色不能查看附件内容",
                               "Your role does not see what is in "
                               "attachments");
        return;
    }

    ngx_http_yimen_record_noted(ctx, "access_refused", down->records[0],
                                YM_STR("attachment of others"));
    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
}


static void
ngx_http_yimen_download_next(ngx_http_yimen_ctx_t *ctx)
{
    ctx->request->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_http_yimen_job(ctx, ctx->conf->attach->pool,
                           ngx_http_yimen_download_read, ctx->work,
                           ngx_http_yimen_download_got)
        == NGX_OK)
    {
        return;
    }

    if (ctx->done) {
        ngx_http_finalize_request(ctx->request, NGX_ERROR);
        return;
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
}


/* in a thread */

static void
ngx_http_yimen_download_read(void *data)
{
    ngx_http_yimen_download_t  *down = data;

    down->rc = YM_OK;

    if (down->reader == NULL) {
        down->rc = ym_blob_open(down->store, down->id, down->sha256,
                                &down->reader, &down->err);
    }

    ym_buf_reset(&down->piece);

    if (down->rc == YM_OK) {
        down->rc = ym_blob_read(down->reader, &down->piece, &down->last,
                                &down->err);
    }
}


static void
ngx_http_yimen_download_got(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_download_t  *down;

    down = ctx->work;

    if (down->rc != YM_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "yimen: attachment %s: %s", down->id,
                      down->err.message);

        if (ctx->done) {

            /* the length was promised: the connection is cut */

            ngx_http_finalize_request(ctx->request, NGX_ERROR);
            return;
        }

        ngx_http_yimen_problem(ctx, down->rc == YM_ENOTFOUND
                                    ? NGX_HTTP_YIMEN_P_NOT_FOUND
                                    : NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (!ctx->done && ngx_http_yimen_download_head(ctx) != NGX_OK) {
        return;
    }

    ngx_http_yimen_download_send(ctx);
}


/* nothing that is saved from here runs in our origin */

static ngx_int_t
ngx_http_yimen_download_head(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                   rc;
    const char                 *mime;
    struct ym_buf               name;
    ngx_http_request_t         *r;
    ngx_http_yimen_download_t  *down;

    r = ctx->request;
    down = ctx->work;
    mime = ym_json_str(down->json, "mime");

    ym_buf_init(&name, 4096);
    (void) ym_disposition_add(&name,
                              ym_str_of(ym_json_str(down->json, "name")));
    (void) ngx_http_yimen_answer_header(ctx, "Content-Disposition",
                                        ym_buf_str(&name));
    ym_buf_clear(&name);

    (void) ngx_http_yimen_answer_header(ctx, "X-Content-Type-Options",
                                        YM_STR("nosniff"));
    (void) ngx_http_yimen_answer_header(ctx, "Content-Security-Policy",
                                   YM_STR("default-src 'none'; sandbox"));
    (void) ngx_http_yimen_answer_header(ctx, "Cross-Origin-Resource-Policy",
                                        YM_STR("same-origin"));
    (void) ngx_http_yimen_answer_header(ctx, "Cache-Control",
                                        YM_STR("no-store"));

    ctx->done = 1;
    (void) ngx_atomic_fetch_add(&ngx_http_yimen_worker.stats->requests[2], 1);

    r->disable_not_modified = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t)
                   json_integer_value(json_object_get(down->json, "size"));
    r->headers_out.content_type.data = (u_char *) (uintptr_t) mime;
    r->headers_out.content_type.len = ngx_strlen(mime);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_download_send(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_buf_t                  *b;
    ngx_chain_t                 out;
    ngx_http_request_t         *r;
    ngx_http_yimen_download_t  *down;

    r = ctx->request;
    down = ctx->work;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (down->piece.n) {
        b->pos = (u_char *) down->piece.p;
        b->last = b->pos + down->piece.n;
        b->memory = 1;
    }

    b->flush = 1;
    b->last_buf = down->last && r == r->main;
    b->last_in_chain = down->last;
    down->sent += (off_t) down->piece.n;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    if (rc == NGX_ERROR || down->last) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_yimen_download_wait(ctx, rc);
}


/* the piece's memory is used again only when all of it has left */

static void
ngx_http_yimen_download_wait(ngx_http_yimen_ctx_t *ctx, ngx_int_t rc)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    wev = r->connection->write;

    if (rc == NGX_OK && !r->buffered && !r->postponed
        && !r->connection->buffered)
    {
        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        ngx_http_yimen_download_next(ctx);
        return;
    }

    r->write_event_handler = ngx_http_yimen_download_event;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static void
ngx_http_yimen_download_event(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_event_t           *wev;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_yimen_module);
    wev = r->connection->write;

    if (wev->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    rc = ngx_http_output_filter(r, NULL);

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_yimen_download_wait(ctx, rc);
}
