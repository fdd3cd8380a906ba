/* SPDX-License-Identifier: Apache-2.0
 * GET /events?record=ID: how a record's deliveries go on, as server-sent
 * events.
 *
 * A stream is about one record.  Its worker reads the record again every
 * second while something is under way, else every five seconds, over the
 * connections to Redis that all requests share, and tells only what differs.
 * Each time it is asked anew whether the caller is still signed in and may
 * still see the record.  A stream ends after two minutes, so that nothing of
 * it piles up; the browser comes back by itself and says what it has seen.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_revoked.h"
#include "ngx_http_yimen_route.h"

#include "ym_store.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_EVENTS_MOVING   1000      /* ms between two looks */
#define NGX_HTTP_YIMEN_EVENTS_RESTING  5000
#define NGX_HTTP_YIMEN_EVENTS_SILENCE  15000     /* then a comment is sent */
#define NGX_HTTP_YIMEN_EVENTS_LIFE     120000

/* streams of one person in one worker: windows of a browser */
#define NGX_HTTP_YIMEN_EVENTS_MAX      8


/* one stream, in its request's pool */
typedef struct {
    ngx_queue_t                     queue;
    ngx_http_yimen_ctx_t           *ctx;
    struct ym_str                   person;
    struct ym_str                   record;
    ngx_http_yimen_session_wait_t   wait;
    ngx_msec_t                      since;
    ngx_msec_t                      said;       /* when anything was sent */
    u_char                          seen[YM_SHA256_LEN];
    unsigned                        begun:1;    /* the header is sent */
    unsigned                        queued:1;
} ngx_http_yimen_stream_t;


static ngx_http_yimen_stream_t *
    ngx_http_yimen_stream_open(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_stream_close(void *data);
static ngx_uint_t ngx_http_yimen_stream_count(struct ym_str person);
static void ngx_http_yimen_stream_first(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_stream_begin(ngx_http_yimen_stream_t *stream);
static void ngx_http_yimen_stream_tick(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_stream_holds(ngx_http_yimen_stream_t *stream);
static void ngx_http_yimen_stream_known(void *data,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session);
static void ngx_http_yimen_stream_look(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_stream_looked(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_stream_trouble(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_stream_tell(ngx_http_yimen_stream_t *stream,
    const ngx_http_yimen_record_t *record);
static void ngx_http_yimen_stream_event(ngx_http_yimen_stream_t *stream,
    const ngx_http_yimen_record_t *record, struct ym_buf *out);
static ngx_uint_t ngx_http_yimen_stream_has(ngx_http_yimen_stream_t *stream,
    const u_char digest[YM_SHA256_LEN]);
static void ngx_http_yimen_stream_id(const u_char digest[YM_SHA256_LEN],
    char hex[33]);
static ngx_int_t ngx_http_yimen_stream_send(ngx_http_yimen_stream_t *stream,
    struct ym_str text);
static void ngx_http_yimen_stream_end(ngx_http_yimen_stream_t *stream,
    struct ym_str text);


/* streams of this worker */
static ngx_queue_t  ngx_http_yimen_streams;

/* the browser closes the stream for good, and asks who it is */
#define NGX_HTTP_YIMEN_EVENT_OVER  YM_STR("event: over\ndata: {}\n\n")


void
ngx_http_yimen_events(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  id;

    if (ngx_http_yimen_query(ctx, "record", &id) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "请指明一条记录:?record=…",
                               "Name a record: ?record=…");
        return;
    }

    if (!ym_id_valid(id)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_stream_count(ctx->who.subject)
        >= NGX_HTTP_YIMEN_EVENTS_MAX)
    {
        (void) ngx_http_yimen_answer_header(ctx, "Retry-After", YM_STR("30"));
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_MANY, NULL, NULL);
        return;
    }

    ctx->params[0] = id;

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_stream_first);
}


static ngx_uint_t
ngx_http_yimen_stream_count(struct ym_str person)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_http_yimen_stream_t  *stream;

    if (ngx_http_yimen_streams.next == NULL) {
        ngx_queue_init(&ngx_http_yimen_streams);
    }

    n = 0;

    for (q = ngx_queue_head(&ngx_http_yimen_streams);
         q != ngx_queue_sentinel(&ngx_http_yimen_streams);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_http_yimen_stream_t, queue);
        n += ym_str_eq(stream->person, person);
    }

    return n;
}


/* the record is there and may be seen */

static void
ngx_http_yimen_stream_first(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_stream_t       *stream;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    stream = ngx_http_yimen_stream_open(ctx);
    if (stream == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_stream_begin(stream) != NGX_OK) {
        return;
    }

    ctx->work = stream;
    ctx->on_trouble = ngx_http_yimen_stream_trouble;

    ngx_http_yimen_stream_tell(stream, &work->record);
}


static ngx_http_yimen_stream_t *
ngx_http_yimen_stream_open(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_yimen_stream_t  *stream;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_stream_t));
    if (cln == NULL) {
        return NULL;
    }

    stream = cln->data;
    ngx_memzero(stream, sizeof(ngx_http_yimen_stream_t));

    stream->ctx = ctx;
    stream->record = ctx->params[0];
    stream->person = ngx_http_yimen_copy(ctx, ctx->who.subject);
    stream->wait.handler = ngx_http_yimen_stream_known;
    stream->wait.data = stream;
    stream->since = ngx_current_msec;
    stream->said = ngx_current_msec;

    if (stream->person.p == NULL) {
        return NULL;
    }

    ngx_queue_insert_tail(&ngx_http_yimen_streams, &stream->queue);
    stream->queued = 1;
    cln->handler = ngx_http_yimen_stream_close;

    return stream;
}


static void
ngx_http_yimen_stream_close(void *data)
{
    ngx_http_yimen_stream_t  *stream = data;

    ngx_http_yimen_session_cancel(&stream->wait);

    if (stream->queued) {
        ngx_queue_remove(&stream->queue);
        stream->queued = 0;
    }
}


/* NGX_OK, or the request has ended */

static ngx_int_t
ngx_http_yimen_stream_begin(ngx_http_yimen_stream_t *stream)
{
    ngx_int_t              rc;
    ngx_http_request_t    *r;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = stream->ctx;
    r = ctx->request;

    (void) ngx_http_yimen_answer_header(ctx, "Cache-Control",
                                        YM_STR("no-store"));

    /* a proxy before us must not keep it back */

    (void) ngx_http_yimen_answer_header(ctx, "X-Accel-Buffering",
                                        YM_STR("no"));

    ctx->done = 1;
    (void) ngx_atomic_fetch_add(&ngx_http_yimen_worker.stats->requests[2], 1);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;
    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    stream->begun = 1;

    /* after the end of a stream the browser waits so long */

    return ngx_http_yimen_stream_send(stream, YM_STR("retry: 1000\n\n"));
}


static void
ngx_http_yimen_stream_tick(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_yimen_stream_t  *stream;

    stream = ctx->work;

    if (ngx_exiting || ngx_current_msec - stream->since
                       >= NGX_HTTP_YIMEN_EVENTS_LIFE)
    {
        ngx_http_yimen_stream_end(stream, YM_STR(""));
        return;
    }

    rc = ngx_http_yimen_stream_holds(stream);

    if (rc == NGX_OK) {
        ngx_http_yimen_stream_look(ctx);

    } else if (rc == NGX_DECLINED) {
        ngx_http_yimen_stream_end(stream, NGX_HTTP_YIMEN_EVENT_OVER);

    } else if (rc == NGX_ERROR) {
        ngx_http_yimen_stream_trouble(ctx);
    }
}


/*
 * Whether the caller is still who he was: NGX_OK; NGX_DECLINED: no more;
 * NGX_AGAIN: it goes on later; NGX_ERROR: not known now.  Looking does not
 * count as use: a page that lies open does not keep anybody signed in.
 */

static ngx_int_t
ngx_http_yimen_stream_holds(ngx_http_yimen_stream_t *stream)
{
    ngx_int_t                  rc;
    ngx_http_yimen_ctx_t      *ctx;
    ngx_http_yimen_who_t      *who;
    ngx_http_yimen_session_t  *session;

    ctx = stream->ctx;

    if (ctx->who.method == NGX_HTTP_YIMEN_BY_BEARER) {
        return ((ctx->who.expires && ym_now_ms() >= ctx->who.expires)
                || ngx_http_yimen_revoked(ctx->who.marks)
                   == NGX_HTTP_YIMEN_TOKEN_REVOKED) ? NGX_DECLINED : NGX_OK;
    }

    who = ngx_http_yimen_who_get(ctx->request, 0);

    if (who == NULL || ngx_http_yimen_worker.sessions == NULL) {
        return NGX_DECLINED;
    }

    session = ngx_http_yimen_sessions_find(ngx_http_yimen_worker.sessions,
                                           who->digest);
    if (session != NULL) {
        ngx_http_yimen_who_set(who, session);
        ngx_http_yimen_session_release(session);
        ctx->who = who->identity;
        return NGX_OK;
    }

    rc = ngx_http_yimen_session_read(ngx_http_yimen_worker.sessions,
                                     who->digest, who->shard, 0,
                                     &stream->wait);

    return (rc == NGX_OK) ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_http_yimen_stream_known(void *data, ngx_http_yimen_read_e outcome,
    ngx_http_yimen_session_t *session)
{
    ngx_connection_t         *c;
    ngx_http_yimen_ctx_t     *ctx;
    ngx_http_yimen_who_t     *who;
    ngx_http_yimen_stream_t  *stream = data;

    ctx = stream->ctx;
    c = ctx->request->connection;

    switch (outcome) {

    case NGX_HTTP_YIMEN_READ_FOUND:
        who = ngx_http_yimen_who_get(ctx->request, 0);
        ngx_http_yimen_who_set(who, session);
        ctx->who = who->identity;
        ngx_http_yimen_stream_look(ctx);
        break;

    case NGX_HTTP_YIMEN_READ_NONE:
        ngx_http_yimen_stream_end(stream, NGX_HTTP_YIMEN_EVENT_OVER);
        break;

    default:
        ngx_http_yimen_stream_trouble(ctx);
        break;
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_stream_look(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t     args[2];
    ngx_http_yimen_stream_t  *stream;

    stream = ctx->work;

    ngx_http_yimen_args_init(&args[0], ctx, YM_FN_GET,
                             ngx_http_yimen_record_shard(ctx,
                                                         stream->record));
    ngx_http_yimen_arg(&args[0], stream->record);
    ngx_http_yimen_arg(&args[0], YM_STR("0"));

    ngx_http_yimen_systems_args(ctx, &args[1]);

    ngx_http_yimen_calls(ctx, args, 2, ngx_http_yimen_stream_looked);
}


static void
ngx_http_yimen_stream_looked(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_yimen_record_t   record;
    ngx_http_yimen_stream_t  *stream;

    stream = ctx->work;

    ngx_http_yimen_systems_heard(ctx, ctx->replies[1]);

    rc = ngx_http_yimen_record_read(ctx, ctx->replies[0], stream->record,
                                    &record);
    if (rc == NGX_ERROR) {
        ngx_http_yimen_stream_trouble(ctx);
        return;
    }

    /* what one may not see any more does not exist */

    if (rc != NGX_OK || !ngx_http_yimen_record_visible(ctx, &record)) {
        ngx_http_yimen_stream_end(stream, NGX_HTTP_YIMEN_EVENT_OVER);
        return;
    }

    ngx_http_yimen_stream_tell(stream, &record);
}


/* Redis is away: the stream stays, and says nothing that is not known */

static void
ngx_http_yimen_stream_trouble(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_stream_t  *stream;

    stream = ctx->work;

    if (ngx_http_yimen_stream_send(stream, YM_STR(": waiting\n\n")) == NGX_OK)
    {
        ngx_http_yimen_later(ctx, NGX_HTTP_YIMEN_EVENTS_RESTING,
                             ngx_http_yimen_stream_tick);
    }
}


static void
ngx_http_yimen_stream_tell(ngx_http_yimen_stream_t *stream,
    const ngx_http_yimen_record_t *record)
{
    char                   hex[33];
    u_char                 digest[YM_SHA256_LEN];
    ngx_int_t              rc;
    struct ym_buf          text;
    struct ym_buf         *out;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = stream->ctx;
    out = &ctx->out;
    rc = NGX_OK;

    ym_buf_reset(out);
    ngx_http_yimen_stream_event(stream, record, out);

    if (out->failed != YM_OK || ym_sha256(ym_buf_str(out), digest) != YM_OK) {
        ngx_http_finalize_request(ctx->request, NGX_ERROR);
        return;
    }

    if (!ngx_http_yimen_stream_has(stream, digest)) {
        ngx_http_yimen_stream_id(digest, hex);
        ngx_memcpy(stream->seen, digest, YM_SHA256_LEN);

        ym_buf_init(&text, NGX_HTTP_YIMEN_ANSWER_BYTES);
        ym_buf_adds(&text, "event: record\nid: ");
        ym_buf_adds(&text, hex);
        ym_buf_adds(&text, "\ndata: ");
        ym_buf_add(&text, out->p, out->n);
        ym_buf_adds(&text, "\n\n");

        if (text.failed != YM_OK) {
            ym_buf_clear(&text);
            ngx_http_finalize_request(ctx->request, NGX_ERROR);
            return;
        }

        rc = ngx_http_yimen_stream_send(stream, ym_buf_str(&text));
        ym_buf_clear(&text);

    } else if (ngx_current_msec - stream->said
               >= NGX_HTTP_YIMEN_EVENTS_SILENCE
                  - NGX_HTTP_YIMEN_EVENTS_RESTING)
    {
        rc = ngx_http_yimen_stream_send(stream, YM_STR(": still here\n\n"));
    }

    if (rc == NGX_OK) {
        ngx_http_yimen_later(ctx, ngx_http_yimen_record_settled(record)
                                  ? NGX_HTTP_YIMEN_EVENTS_RESTING
                                  : NGX_HTTP_YIMEN_EVENTS_MOVING,
                             ngx_http_yimen_stream_tick);
    }
}


/* JSON has no line breaks: one line of data */

static void
ngx_http_yimen_stream_event(ngx_http_yimen_stream_t *stream,
    const ngx_http_yimen_record_t *record, struct ym_buf *out)
{
    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, stream->record);
    ym_buf_adds(out, ",\"revision\":");
    ngx_http_yimen_int_write(out, record->revision);
    ym_buf_adds(out, ",\"updated_at\":");
    ngx_http_yimen_time_write(out, record->updated);
    ym_buf_adds(out, ",\"withdrawn_at\":");
    ngx_http_yimen_time_write(out, record->withdrawn);
    ym_buf_adds(out, ",\"deliveries\":");
    ngx_http_yimen_progress_write(stream->ctx, record);
    ym_buf_addc(out, '}');
}


/* whether that was told, in this stream or in the one before it */

static ngx_uint_t
ngx_http_yimen_stream_has(ngx_http_yimen_stream_t *stream,
    const u_char digest[YM_SHA256_LEN])
{
    char        hex[33];
    ngx_str_t  *last;

    static const u_char  nothing[YM_SHA256_LEN];

    if (ngx_memcmp(stream->seen, digest, YM_SHA256_LEN) == 0) {
        return 1;
    }

    if (ngx_memcmp(stream->seen, nothing, YM_SHA256_LEN) != 0) {
        return 0;
    }

    last = ngx_http_yimen_header(stream->ctx->request, "last-event-id");
    ngx_http_yimen_stream_id(digest, hex);

    if (last == NULL || last->len != 32
        || ngx_memcmp(last->data, hex, 32) != 0)
    {
        return 0;
    }

    ngx_memcpy(stream->seen, digest, YM_SHA256_LEN);

    return 1;
}


static void
ngx_http_yimen_stream_id(const u_char digest[YM_SHA256_LEN], char hex[33])
{
    *ngx_hex_dump((u_char *) hex, (u_char *) (uintptr_t) digest, 16) = '\0';
}


/*
 * NGX_OK, or the request has ended: a client that does not read two kilobytes
 * has gone, or comes back.
 */

static ngx_int_t
ngx_http_yimen_stream_send(ngx_http_yimen_stream_t *stream,
    struct ym_str text)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = stream->ctx->request;

    b = ngx_create_temp_buf(r->pool, text.n);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, text.p, text.n);
    b->flush = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_ERROR;
    }

    stream->said = ngx_current_msec;

    return NGX_OK;
}


static void
ngx_http_yimen_stream_end(ngx_http_yimen_stream_t *stream,
    struct ym_str text)
{
    ngx_http_request_t  *r;

    r = stream->ctx->request;

    if (text.n == 0 || ngx_http_yimen_stream_send(stream, text) == NGX_OK) {
        ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
    }
}
