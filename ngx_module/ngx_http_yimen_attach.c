/* SPDX-License-Identifier: Apache-2.0
 * POST /attachments: a file as the body.  It is read piece by piece, and each
 * piece is digested, sealed and written in a thread; nothing of it stands on
 * the disk unsealed, and a worker holds one piece of it at a time.
 */
#include "ngx_http_yimen_attach.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_time.h"


#define NGX_HTTP_YIMEN_ATTACH_POOL     "yimen_files"
#define NGX_HTTP_YIMEN_ATTACH_THREADS  "threads=2"

/* of a Content-Disposition, and of a description */
#define NGX_HTTP_YIMEN_ATTACH_NAME     2048
#define NGX_HTTP_YIMEN_ATTACH_TEXT     4096


typedef struct {
    const struct ym_media   *media;
    enum ym_attachment_kind  kind;
    char                     captured[YM_TIME_TEXT];  /* "" = not said */
    struct ym_buf            name;
    struct ym_buf            text;       /* the description */
    struct ym_str            person;
    char                     id[YM_ID_LEN + 1];
    ngx_uint_t               shard;

    struct ym_blob_writer   *writer;     /* NULL: not made yet, or given up */
    u_char                  *piece;
    size_t                   n;
    off_t                    size;
    unsigned                 last:1;
    unsigned                 looked:1;   /* at the first bytes */

    /* of the thread's work */
    const struct ym_blob_store  *store;
    char                     sha256[YM_SHA256_HEX];
    ym_status                rc;
    struct ym_err            err;
} ngx_http_yimen_upload_t;


static void ngx_http_yimen_upload_close(void *data);
static ngx_int_t ngx_http_yimen_upload_head(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up);
static ngx_int_t ngx_http_yimen_upload_media(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up);
static ngx_int_t ngx_http_yimen_upload_kind(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up);
static ngx_int_t ngx_http_yimen_upload_name(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up);
static void ngx_http_yimen_upload_room(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_begin(ngx_http_request_t *r);
static void ngx_http_yimen_upload_event(ngx_http_request_t *r);
static void ngx_http_yimen_upload_more(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_upload_take(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_piece(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_write(void *data);
static void ngx_http_yimen_upload_written(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_put(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_done(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_refuse(ngx_http_yimen_ctx_t *ctx,
    ngx_int_t status);
static void ngx_http_yimen_upload_full(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_upload_describe(ngx_http_yimen_upload_t *up,
    struct ym_buf *out, const char *id);


/* a folder that the workers may write to; without it uploads get 500 */

char *
ngx_http_yimen_attach_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    struct ym_err                   err;
    struct ym_diag                  d;
    ngx_core_conf_t                *ccf;
    ngx_http_yimen_attach_conf_t   *acf;
    u_char                          path[NGX_MAX_PATH], *last;

    acf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_attach_conf_t));
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    ym_diag_init(&d);

    if (ym_attachment_conf_load(ymcf->catalog, &acf->limits, &d) != YM_OK) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    acf->store.state_dir = ymcf->catalog->site.state_dir;
    acf->store.ring = ymcf->ring;
    ymcf->attach = acf;

    if (!ngx_test_config) {
        if (ym_blob_folders(acf->store.state_dir, &err) != YM_OK) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"state_dir: %s\": %s; there will be no "
                          "attachments", acf->store.state_dir, err.message);

        } else if (geteuid() == 0) {
            ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                   ngx_core_module);

            if (ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
                last = ngx_snprintf(path, sizeof(path) - 8, "%s/" YM_BLOB_DIR,
                                    acf->store.state_dir);
                *last = '\0';
                (void) !chown((char *) path, ccf->user, ccf->group);

                *ngx_cpymem(last, "/new", 4) = '\0';
                (void) !chown((char *) path, ccf->user, ccf->group);
            }
        }
    }

    return ngx_http_yimen_threads(cf, NGX_HTTP_YIMEN_ATTACH_POOL,
                                  NGX_HTTP_YIMEN_ATTACH_THREADS, &acf->pool);
}


ngx_int_t
ngx_http_yimen_attach_person(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret)
{
    return ngx_http_yimen_digest(ctx, "person", ctx->who.subject, ret);
}


void
ngx_http_yimen_attachment_create(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_yimen_args_t     args;
    ngx_http_yimen_upload_t  *up;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_upload_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    up = cln->data;
    ngx_memzero(up, sizeof(ngx_http_yimen_upload_t));
    ym_buf_init(&up->name, NGX_HTTP_YIMEN_ATTACH_NAME);
    ym_buf_init(&up->text, NGX_HTTP_YIMEN_ATTACH_TEXT);
    cln->handler = ngx_http_yimen_upload_close;

    ctx->work = up;
    up->store = &ctx->conf->attach->store;

    if (ngx_http_yimen_upload_head(ctx, up) != NGX_OK) {
        return;
    }

    if (ngx_http_yimen_attach_person(ctx, &up->person) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    up->shard = ngx_http_yimen_digest_shard(ctx->conf, up->person.p);

    /* whether there is room is asked before a byte of it is read */

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ATTACHMENT_ROOM, up->shard);
    ngx_http_yimen_arg(&args, up->person);
    ngx_http_yimen_arg_int(&args,
                           ngx_max(ctx->request->headers_in.content_length_n,
                                   0));
    ngx_http_yimen_arg_int(&args, ctx->conf->attach->limits.person_count);
    ngx_http_yimen_arg_int(&args, ctx->conf->attach->limits.person_bytes);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_upload_room);
}


static void
ngx_http_yimen_upload_close(void *data)
{
    ngx_http_yimen_upload_t  *up = data;

    ym_blob_drop(up->writer);
    ym_buf_wipe(&up->name);
    ym_buf_wipe(&up->text);

    if (up->piece != NULL) {
        ym_wipe(up->piece, YM_BLOB_PIECE);
        ngx_free(up->piece);
    }
}


/* what the header says; every fault is answered before the body is read */

static ngx_int_t
ngx_http_yimen_upload_head(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up)
{
    off_t                length;
    ngx_http_request_t  *r;

    r = ctx->request;
    length = r->headers_in.content_length_n;

    if (length <= 0 && !r->headers_in.chunked) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "请以文件内容作为请求体",
                               "The body must be the file itself");
        return NGX_ERROR;
    }

    if (length > ctx->conf->attach->limits.bytes) {
        ngx_http_yimen_upload_refuse(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
        return NGX_ERROR;
    }

    if (ngx_http_yimen_upload_media(ctx, up) != NGX_OK
        || ngx_http_yimen_upload_kind(ctx, up) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_yimen_upload_name(ctx, up);
}


static ngx_int_t
ngx_http_yimen_upload_media(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up)
{
    u_char            text[512], *last;
    struct ym_buf     list;
    ngx_table_elt_t  *h;

    h = ctx->request->headers_in.content_type;

    if (h != NULL
        && ngx_http_yimen_header(ctx->request, "content-encoding") == NULL)
    {
        up->media = ym_media_find((struct ym_str){ (char *) h->value.data,
                                                   h->value.len });
    }

    if (up->media != NULL) {
        return NGX_OK;
    }

    ym_buf_init(&list, sizeof(text) / 2);
    (void) ym_media_list(&list);
    last = ngx_snprintf(text, sizeof(text) - 1,
                        "Content-Type must be one of: %s",
                        list.p != NULL ? list.p : "");
    *last = '\0';
    ym_buf_clear(&list);

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                           "不接受这种文件;可以上传 JPEG、PNG、WebP 图片、PDF "
                           "和 MP3、M4A、AMR、WAV 录音",
                           (char *) text);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_upload_kind(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up)
{
    int64_t        ms;
    struct ym_str  arg;

    up->kind = ym_kind_of(up->media);

    if (ngx_http_yimen_query(ctx, "kind", &arg) == NGX_OK
        && (!ym_kind_parse(arg, &up->kind)
            || !ym_kind_takes(up->kind, up->media)))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "kind 应为 photo、audio、doc 或 signature,"
                               "并与文件类型相符",
                               "kind is photo, audio, doc or signature, and "
                               "must suit the type of the file");
        return NGX_ERROR;
    }

    if (ngx_http_yimen_query(ctx, "captured_at", &arg) == NGX_OK) {

        if (!ym_time_parse(arg, YM_CHINA_OFFSET_MIN, &ms) || arg.n < 20) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                   "captured_at 应为带时区的 RFC 3339 时间",
                                   "captured_at is an RFC 3339 time with a "
                                   "zone");
            return NGX_ERROR;
        }

        ym_time_format(ms, YM_TIME_RFC3339, YM_CHINA_OFFSET_MIN,
                       up->captured);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_upload_name(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_upload_t *up)
{
    ym_status       rc;
    ngx_str_t      *header;
    struct ym_buf   given;

    rc = YM_OK;
    ym_buf_init(&given, NGX_HTTP_YIMEN_ATTACH_NAME);
    header = ngx_http_yimen_header(ctx->request, "content-disposition");

    if (header != NULL) {
        rc = (header->len < NGX_HTTP_YIMEN_ATTACH_NAME)
             ? ym_disposition_name((struct ym_str){ (char *) header->data,
                                                    header->len }, &given)
             : YM_ETOOBIG;
    }

    if (rc == YM_OK) {
        rc = ym_attachment_name(ym_buf_str(&given), up->media, up->kind,
                                &up->name);
    }

    ym_buf_wipe(&given);

    if (rc != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "Content-Disposition 中的文件名无效",
                               "The file name in Content-Disposition is not "
                               "valid (RFC 6266)");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_upload_room(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                 rc;
    redisReply               *reply;
    ngx_http_request_t       *r;
    ngx_http_yimen_upload_t  *up;

    r = ctx->request;
    up = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || !ym_str_is(ngx_http_yimen_reply_str(reply->element[0]), "ok"))
    {
        ngx_http_yimen_upload_full(ctx);
        return;
    }

    up->piece = ngx_alloc(YM_BLOB_PIECE, r->connection->log);

    if (up->piece == NULL
        || ym_id_make(ym_now_ms(), up->shard, up->id) != YM_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    r->request_body_no_buffering = 1;

    /* takes a reference of its own, which is given back at once: we hold one */

    rc = ngx_http_read_client_request_body(r, ngx_http_yimen_upload_begin);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_yimen_upload_refuse(ctx, rc);
        return;
    }

    ngx_http_finalize_request(r, NGX_DONE);
}


static void
ngx_http_yimen_upload_begin(ngx_http_request_t *r)
{
    ngx_http_yimen_upload_more(ngx_http_get_module_ctx(r,
                                                     ngx_http_yimen_module));
}


static void
ngx_http_yimen_upload_event(ngx_http_request_t *r)
{
    ngx_http_yimen_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_yimen_module);

    if (r->connection->read->timedout) {
        r->connection->timedout = 1;
        ngx_http_yimen_upload_refuse(ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ngx_http_yimen_upload_more(ctx);
}


/* reads until a piece is full or the body has ended */

static void
ngx_http_yimen_upload_more(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_request_t       *r;
    ngx_http_yimen_upload_t  *up;

    r = ctx->request;
    up = ctx->work;

    for ( ;; ) {
        rc = ngx_http_yimen_upload_take(ctx);

        if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
            ngx_http_yimen_upload_refuse(ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN) {
            break;
        }

        if (!r->reading_body) {
            up->last = 1;
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_yimen_upload_refuse(ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_http_yimen_upload_event;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;
    ngx_http_yimen_upload_piece(ctx);
}


/* NGX_AGAIN: the piece is full, and there may be more */

static ngx_int_t
ngx_http_yimen_upload_take(ngx_http_yimen_ctx_t *ctx)
{
    size_t                    n;
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_yimen_upload_t  *up;

    up = ctx->work;

    for (cl = ctx->request->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b)) {
            continue;
        }

        n = ngx_min((size_t) (b->last - b->pos), YM_BLOB_PIECE - up->n);

        if (up->size + (off_t) n > ctx->conf->attach->limits.bytes) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        ngx_memcpy(up->piece + up->n, b->pos, n);
        up->n += n;
        up->size += (off_t) n;
        b->pos += n;

        if (b->pos < b->last) {
            ctx->request->request_body->bufs = cl;
            return NGX_AGAIN;
        }
    }

    ctx->request->request_body->bufs = NULL;

    return NGX_OK;
}


static void
ngx_http_yimen_upload_piece(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str             head;
    ngx_http_yimen_upload_t  *up;

    up = ctx->work;

    if (!up->looked) {
        up->looked = 1;
        head.p = (char *) up->piece;
        head.n = ngx_min(up->n, YM_ATTACHMENT_HEAD);

        if (!ym_media_holds(up->media, head)) {
            ngx_http_yimen_upload_refuse(ctx,
                                         NGX_HTTP_UNSUPPORTED_MEDIA_TYPE);
            return;
        }
    }

    if (ngx_http_yimen_job(ctx, ctx->conf->attach->pool,
                           ngx_http_yimen_upload_write, up,
                           ngx_http_yimen_upload_written)
        != NGX_OK)
    {
        ngx_http_yimen_upload_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


/* in a thread */

static void
ngx_http_yimen_upload_write(void *data)
{
    ngx_http_yimen_upload_t  *up = data;

    up->rc = YM_OK;

    if (up->writer == NULL) {
        up->rc = ym_blob_create(up->store, up->id, &up->writer, &up->err);
    }

    if (up->rc == YM_OK) {
        up->rc = ym_blob_write(up->writer,
                               (struct ym_str){ (char *) up->piece, up->n },
                               up->last, &up->err);
    }

    if (up->rc == YM_OK && up->last) {
        up->rc = ym_blob_keep(up->writer, up->sha256, &up->err);
        up->writer = NULL;
    }
}


static void
ngx_http_yimen_upload_written(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_upload_t  *up;

    up = ctx->work;

    if (up->rc != YM_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "yimen: an attachment is not kept: %s",
                      up->err.message);
        ngx_http_yimen_upload_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    up->n = 0;

    if (!up->last) {
        ngx_http_yimen_upload_more(ctx);
        return;
    }

    ngx_http_yimen_upload_put(ctx);
}


static void
ngx_http_yimen_upload_put(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str             sealed, digest;
    ngx_http_yimen_args_t     args;
    ngx_http_yimen_upload_t  *up;

    up = ctx->work;

    /* the same again is known by all but its id */

    ngx_http_yimen_upload_describe(up, &up->text, "");

    if (up->text.failed != YM_OK
        || ngx_http_yimen_digest(ctx, "attachment", ym_buf_str(&up->text),
                                 &digest)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_buf_reset(&up->text);
    ngx_http_yimen_upload_describe(up, &up->text, up->id);

    if (up->text.failed != YM_OK
        || ngx_http_yimen_seal(ctx, NGX_HTTP_YIMEN_SEAL_ATTACHMENT,
                               ym_str_of(up->id), ym_buf_str(&up->text),
                               &sealed)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ATTACHMENT_PUT, up->shard);
    ngx_http_yimen_arg_z(&args, up->id);
    ngx_http_yimen_arg(&args, up->person);
    ngx_http_yimen_arg(&args, sealed);
    ngx_http_yimen_arg(&args, digest);
    ngx_http_yimen_arg_int(&args, up->size);
    ngx_http_yimen_arg_int(&args, ctx->conf->attach->limits.person_count);
    ngx_http_yimen_arg_int(&args, ctx->conf->attach->limits.person_bytes);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_upload_done);
}


static void
ngx_http_yimen_upload_describe(ngx_http_yimen_upload_t *up,
    struct ym_buf *out, const char *id)
{
    ym_buf_addf(out, "{\"id\":\"%s\",\"kind\":\"%s\",\"name\":", id,
                ym_kind_word(up->kind));
    ym_buf_add_json(out, ym_buf_str(&up->name));
    ym_buf_addf(out, ",\"mime\":\"%s\",\"size\":%lld,\"sha256\":\"%s\"",
                up->media->mime, (long long) up->size, up->sha256);

    if (up->captured[0]) {
        ym_buf_addf(out, ",\"captured_at\":\"%s\"", up->captured);
    }

    ym_buf_addc(out, '}');
}


static void
ngx_http_yimen_upload_done(ngx_http_yimen_ctx_t *ctx)
{
    u_char                    place[64], *last;
    redisReply               *reply;
    struct ym_str             word, id, text;
    struct ym_err             err;
    ngx_http_yimen_upload_t  *up;

    up = ctx->work;
    reply = ctx->replies[0];
    word = (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
           ? ngx_http_yimen_reply_str(reply->element[0]) : YM_STR("");

    if (!ym_str_is(word, "kept")) {

        /* the store does not know this file: it would only be swept away */

        (void) ym_blob_remove(up->store, up->id, ym_str_of(up->sha256), &err);
    }

    if (ym_str_is(word, "full")) {
        ngx_http_yimen_upload_full(ctx);
        return;
    }

    if (word.n == 0 || reply->elements < 3) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    id = ngx_http_yimen_reply_str(reply->element[1]);

    if (ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_ATTACHMENT, id,
                              ngx_http_yimen_reply_str(reply->element[2]),
                              &text)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    last = ngx_snprintf(place, sizeof(place), "/api/v1/attachments/%*s", id.n,
                        id.p);
    (void) ngx_http_yimen_answer_header(ctx, "Location",
                                        (struct ym_str){ (char *) place,
                                                    (size_t) (last - place) });

    ym_buf_add(&ctx->out, text.p, text.n);
    ym_buf_addc(&ctx->out, '\n');

    ngx_http_yimen_answer(ctx, NGX_HTTP_CREATED, NULL);
}


static void
ngx_http_yimen_upload_full(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_MANY,
                           "您已上传的附件中有太多还没有随记录提交,请先提交记录",
                           "Too many of your uploads are not part of a record "
                           "yet: file the records first");
}


/* what is left of the body is not read: the connection ends with the answer */

static void
ngx_http_yimen_upload_refuse(ngx_http_yimen_ctx_t *ctx, ngx_int_t status)
{
    u_char  zh[96], en[96];

    ctx->request->keepalive = 0;
    ctx->request->lingering_close = 1;
    ctx->request->read_event_handler = ngx_http_block_reading;

    switch (status) {

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        (void) ngx_snprintf(zh, sizeof(zh), "附件最多 %L KiB%Z",
                            ctx->conf->attach->limits.bytes / 1024);
        (void) ngx_snprintf(en, sizeof(en),
                            "An attachment has at most %L KiB%Z",
                            ctx->conf->attach->limits.bytes / 1024);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_LARGE, (char *) zh,
                               (char *) en);
        return;

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_MEDIA_TYPE,
                               "文件内容与其类型不符",
                               "The file is not what its Content-Type says");
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

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;

    default:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }
}
