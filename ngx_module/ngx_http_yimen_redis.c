/* SPDX-License-Identifier: Apache-2.0
 * A pool of pipelined Redis connections with deadlines of their own.
 *
 * Concurrency: one pool per worker process, one thread.
 */
#include "ngx_http_yimen_redis_priv.h"


/* first pause before connecting again, doubled up to the cap, with jitter */
#define NGX_HTTP_YIMEN_REDIS_BACKOFF      40
#define NGX_HTTP_YIMEN_REDIS_BACKOFF_CAP  500

/* a connection that owes an answer this many timeouts long is given up */
#define NGX_HTTP_YIMEN_REDIS_PATIENCE     3


static const char *const  ngx_http_yimen_link_names[] = {
    "down", "connecting", "greeting", "ready", "stalled", "closed"
};

#define on(s)  (1 << NGX_HTTP_YIMEN_LINK_##s)

/* moves that are allowed, by the state they leave */
static const ngx_uint_t  ngx_http_yimen_link_moves[] = {
    on(CONNECTING) | on(CLOSED),
    on(GREETING) | on(DOWN) | on(CLOSED),
    on(READY) | on(DOWN) | on(CLOSED),
    on(STALLED) | on(DOWN) | on(CLOSED),
    on(READY) | on(DOWN) | on(CLOSED),
    0
};

#undef on


static void ngx_http_yimen_link_connect(ngx_http_yimen_link_t *link);
static ngx_int_t ngx_http_yimen_link_greet(ngx_http_yimen_link_t *link);
static void ngx_http_yimen_link_greeted(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_link_readable(ngx_http_yimen_redis_io_t *io);
static void ngx_http_yimen_link_writable(ngx_http_yimen_redis_io_t *io);
static void ngx_http_yimen_link_flush(ngx_event_t *ev);
static void ngx_http_yimen_link_timer(ngx_event_t *ev);
static void ngx_http_yimen_link_overdue(ngx_http_yimen_link_t *link);
static void ngx_http_yimen_link_down(ngx_http_yimen_link_t *link,
    const char *reason);
static ngx_http_yimen_link_t *
    ngx_http_yimen_redis_pick(ngx_http_yimen_redis_t *redis);


ngx_http_yimen_redis_t *
ngx_http_yimen_redis_open(const ngx_http_yimen_redis_conf_t *conf,
    ngx_log_t *log)
{
    ngx_uint_t               i, n;
    ngx_http_yimen_link_t   *link;
    ngx_http_yimen_redis_t  *redis;

    n = conf->connections;

    redis = ngx_calloc(sizeof(ngx_http_yimen_redis_t)
                       + (n - 1) * sizeof(ngx_http_yimen_link_t), log);
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->log = log;
    redis->count = n;

    for (i = 0; i < n; i++) {
        link = &redis->links[i];

        link->redis = redis;
        link->io.data = link;
        link->io.readable = ngx_http_yimen_link_readable;
        link->io.writable = ngx_http_yimen_link_writable;
        ngx_queue_init(&link->calls);

        link->timer.handler = ngx_http_yimen_link_timer;
        link->timer.data = link;
        link->timer.log = log;
        link->timer.cancelable = 1;

        link->flush.handler = ngx_http_yimen_link_flush;
        link->flush.data = link;
        link->flush.log = log;

        ngx_http_yimen_link_connect(link);
    }

    return redis;
}


void
ngx_http_yimen_redis_close(ngx_http_yimen_redis_t *redis)
{
    ngx_uint_t                    i;
    ngx_queue_t                  *q;
    ngx_http_yimen_link_t        *link;
    ngx_http_yimen_redis_call_t  *call;

    if (redis == NULL) {
        return;
    }

    for (i = 0; i < redis->count; i++) {
        link = &redis->links[i];

        if (link->timer.timer_set) {
            ngx_del_timer(&link->timer);
        }

        if (link->flush.posted) {
            ngx_delete_posted_event(&link->flush);
        }

        ngx_http_yimen_redis_io_close(&link->io);
        (void) ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_CLOSED);

        while (!ngx_queue_empty(&link->calls)) {
            q = ngx_queue_head(&link->calls);
            call = ngx_queue_data(q, ngx_http_yimen_redis_call_t, queue);

            ngx_http_yimen_call_drop(call);
        }
    }

    ngx_free(redis);
}


ngx_uint_t
ngx_http_yimen_redis_usable(ngx_http_yimen_redis_t *redis)
{
    return redis->usable;
}


ngx_uint_t
ngx_http_yimen_redis_pending(ngx_http_yimen_redis_t *redis)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < redis->count; i++) {
        n += redis->links[i].waited;
    }

    return n;
}


ngx_int_t
ngx_http_yimen_redis_call(ngx_http_yimen_redis_t *redis, ngx_pool_t *pool,
    ngx_uint_t argc, const char **argv, const size_t *argvlen,
    ngx_http_yimen_redis_pt handler, void *data)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_yimen_link_t        *link;
    ngx_http_yimen_redis_call_t  *call;

    link = ngx_http_yimen_redis_pick(redis);
    if (link == NULL) {
        return NGX_DECLINED;
    }

    cln = NULL;

    if (pool != NULL) {
        cln = ngx_pool_cleanup_add(pool, 0);
        if (cln == NULL) {
            return NGX_ERROR;
        }
    }

    call = ngx_http_yimen_call_send(link, argc, argv, argvlen, handler, data);
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (cln != NULL) {
        cln->handler = ngx_http_yimen_call_detach;
        cln->data = call;
        call->cleanup = cln;
    }

    return NGX_OK;
}


/*
 * The link with the fewest calls: several short pipelines fill one turn of
 * Redis's event loop, and thus one fsync, better than a single deep one.
 */
static ngx_http_yimen_link_t *
ngx_http_yimen_redis_pick(ngx_http_yimen_redis_t *redis)
{
    ngx_uint_t              i;
    ngx_http_yimen_link_t  *link, *best;

    best = NULL;

    for (i = 0; i < redis->count; i++) {
        link = &redis->links[(redis->next + i) % redis->count];

        if (link->state == NGX_HTTP_YIMEN_LINK_DOWN
            || link->state == NGX_HTTP_YIMEN_LINK_STALLED
            || link->state == NGX_HTTP_YIMEN_LINK_CLOSED)
        {
            continue;
        }

        /* a link on its first way takes calls only when no other is ready */

        if (link->state != NGX_HTTP_YIMEN_LINK_READY
            && (redis->usable || link->attempt))
        {
            continue;
        }

        if (best == NULL || link->owed < best->owed) {
            best = link;
        }
    }

    redis->next = (redis->next + 1) % redis->count;

    return best;
}


ngx_int_t
ngx_http_yimen_link_move(ngx_http_yimen_link_t *link,
    ngx_http_yimen_link_e to)
{
    ngx_http_yimen_redis_t  *redis;

    redis = link->redis;

    if (!(ngx_http_yimen_link_moves[link->state] & ((ngx_uint_t) 1 << to))) {
        ngx_log_error(NGX_LOG_ALERT, redis->log, 0,
                      "yimen: redis link may not go from %s to %s",
                      ngx_http_yimen_link_names[link->state],
                      ngx_http_yimen_link_names[to]);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, redis->log, 0,
                   "yimen: redis link %s -> %s",
                   ngx_http_yimen_link_names[link->state],
                   ngx_http_yimen_link_names[to]);

    if (link->state == NGX_HTTP_YIMEN_LINK_READY) {
        redis->usable--;
    }

    link->state = to;

    if (to == NGX_HTTP_YIMEN_LINK_READY) {
        redis->usable++;

        if (redis->told) {
            redis->told = 0;
            ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                          "event=redis.up");
        }
    }

    return NGX_OK;
}


static void
ngx_http_yimen_link_connect(ngx_http_yimen_link_t *link)
{
    char                                what[256];
    ngx_http_yimen_redis_t             *redis;
    const ngx_http_yimen_redis_conf_t  *conf;

    redis = link->redis;
    conf = redis->conf;

    if (ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_CONNECTING)
        != NGX_OK)
    {
        return;
    }

    if (ngx_http_yimen_redis_io_open(&link->io,
                                     conf->path.len ? (char *) conf->path.data
                                                    : NULL,
                                     (char *) conf->address.data, conf->port,
                                     redis->log, what, sizeof(what) - 1)
        != NGX_OK)
    {
        ngx_http_yimen_link_down(link, what);
        return;
    }

    /* the greeting is queued first, so that no call can overtake it */

    if (ngx_http_yimen_link_greet(link) != NGX_OK) {
        ngx_http_yimen_link_down(link, "out of memory");
        return;
    }

    ngx_add_timer(&link->timer, conf->timeout);
}


/*
 * AUTH, or PING: a link counts as ready when Redis has answered on it, not
 * when its kernel has accepted the connection.
 */
static ngx_int_t
ngx_http_yimen_link_greet(ngx_http_yimen_link_t *link)
{
    size_t                        argvlen[2];
    ngx_uint_t                    argc;
    const char                   *argv[2];
    const ngx_str_t              *password;
    ngx_http_yimen_redis_call_t  *call;

    password = &link->redis->conf->password;

    argc = 1;
    argv[0] = "PING";
    argvlen[0] = sizeof("PING") - 1;

    if (password->len) {
        argc = 2;
        argv[0] = "AUTH";
        argv[1] = (char *) password->data;
        argvlen[1] = password->len;
    }

    call = ngx_http_yimen_call_send(link, argc, argv, argvlen,
                                    ngx_http_yimen_link_greeted, link);

    return (call == NULL) ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_yimen_link_greeted(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_link_t  *link = data;

    /* an answer of an earlier connection of this link says nothing */

    if (why != NGX_HTTP_YIMEN_REDIS_OK
        || link->state != NGX_HTTP_YIMEN_LINK_GREETING)
    {
        return;
    }

    if ((*reply)->type != REDIS_REPLY_STATUS) {

        /* LOADING, NOAUTH, a wrong password: its first words */

        ngx_http_yimen_link_down(link, (*reply)->type == REDIS_REPLY_ERROR
                                       ? (*reply)->str
                                       : "the greeting was not answered");
        return;
    }

    if (ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_READY) == NGX_OK) {
        link->attempt = 0;
    }
}


static void
ngx_http_yimen_link_writable(ngx_http_yimen_redis_io_t *io)
{
    int                     err;
    ngx_http_yimen_link_t  *link;

    link = io->data;

    if (link->state == NGX_HTTP_YIMEN_LINK_CONNECTING) {
        err = ngx_http_yimen_redis_io_connected(io);
        if (err) {
            ngx_http_yimen_link_down(link, strerror(err));
            return;
        }

        /* the timer stays: it looks after the greeting */

        (void) ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_GREETING);
    }

    ngx_http_yimen_link_flush(&link->flush);
}


void
ngx_http_yimen_redis_flush(ngx_http_yimen_redis_t *redis)
{
    ngx_uint_t              i;
    ngx_http_yimen_link_t  *link;

    for (i = 0; i < redis->count; i++) {
        link = &redis->links[i];

        if (link->flush.posted) {
            ngx_delete_posted_event(&link->flush);
            ngx_http_yimen_link_flush(&link->flush);
        }
    }
}


static void
ngx_http_yimen_link_flush(ngx_event_t *ev)
{
    ngx_http_yimen_link_t  *link;

    link = ev->data;

    if (link->io.context == NULL) {
        return;
    }

    if (ngx_http_yimen_redis_io_flush(&link->io) != NGX_HTTP_YIMEN_IO_OK) {
        ngx_http_yimen_link_down(link,
                                 ngx_http_yimen_redis_io_error(&link->io));
    }
}


static void
ngx_http_yimen_link_readable(ngx_http_yimen_redis_io_t *io)
{
    redisReply             *reply;
    ngx_http_yimen_link_t  *link;

    link = io->data;

    if (link->state == NGX_HTTP_YIMEN_LINK_CONNECTING) {

        /* nothing to read yet: writable() tells how connecting went */

        return;
    }

    if (ngx_http_yimen_redis_io_read(io) != NGX_HTTP_YIMEN_IO_OK) {
        ngx_http_yimen_link_down(link, ngx_http_yimen_redis_io_error(io));
        return;
    }

    for ( ;; ) {

        if (ngx_http_yimen_redis_io_reply(io, &reply)
            != NGX_HTTP_YIMEN_IO_OK)
        {
            ngx_http_yimen_link_down(link, ngx_http_yimen_redis_io_error(io));
            return;
        }

        if (reply == NULL) {
            return;
        }

        if (ngx_queue_empty(&link->calls)) {

            /* "max clients reached", or a peer that is no Redis */

            ngx_http_yimen_link_down(link, reply->type == REDIS_REPLY_ERROR
                                           ? reply->str
                                           : "a reply nobody asked for");
            freeReplyObject(reply);
            return;
        }

        ngx_http_yimen_call_answer(link, reply);
    }
}


static void
ngx_http_yimen_link_timer(ngx_event_t *ev)
{
    ngx_http_yimen_link_t  *link;

    link = ev->data;

    switch (link->state) {

    case NGX_HTTP_YIMEN_LINK_DOWN:
        if (!ngx_exiting) {
            ngx_http_yimen_link_connect(link);
        }
        break;

    case NGX_HTTP_YIMEN_LINK_CONNECTING:
        ngx_http_yimen_link_down(link, "connecting timed out");
        break;

    case NGX_HTTP_YIMEN_LINK_GREETING:
        ngx_http_yimen_link_down(link, "the greeting timed out");
        break;

    default:
        ngx_http_yimen_link_overdue(link);
        break;
    }
}


/*
 * Ends the calls whose time is over.  They stay in line, because their answers
 * may still come; when none comes for long, the link is given up.
 */
static void
ngx_http_yimen_link_overdue(ngx_http_yimen_link_t *link)
{
    ngx_msec_t                    timeout;
    ngx_queue_t                  *q;
    ngx_msec_int_t                left;
    ngx_http_yimen_redis_call_t  *call;

    timeout = link->redis->conf->timeout;

    for (q = ngx_queue_head(&link->calls);
         q != ngx_queue_sentinel(&link->calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_yimen_redis_call_t, queue);
        left = (ngx_msec_int_t) (call->deadline - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(&link->timer, (ngx_msec_t) left);
            break;
        }

        if (left < - (ngx_msec_int_t) (NGX_HTTP_YIMEN_REDIS_PATIENCE
                                       * timeout))
        {
            ngx_http_yimen_link_down(link, "no answer for too long");
            return;
        }

        if (link->state == NGX_HTTP_YIMEN_LINK_READY) {
            (void) ngx_http_yimen_link_move(link,
                                            NGX_HTTP_YIMEN_LINK_STALLED);
        }

        ngx_http_yimen_call_expire(link, call);
    }

    link->timer.cancelable = (link->waited == 0);

    if (!link->timer.timer_set && link->owed) {
        ngx_add_timer(&link->timer, timeout);
    }
}


static void
ngx_http_yimen_link_down(ngx_http_yimen_link_t *link, const char *reason)
{
    ngx_uint_t                    level;
    ngx_msec_t                    pause;
    ngx_queue_t                  *q;
    ngx_http_yimen_redis_t       *redis;
    ngx_http_yimen_redis_call_t  *call;

    redis = link->redis;

    if (ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_DOWN) != NGX_OK) {
        return;
    }

    level = NGX_LOG_INFO;

    if (redis->usable == 0 && !redis->told) {
        redis->told = 1;
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, redis->log, 0,
                  "event=redis.down usable=%ui pending=%ui err=\"%s\"",
                  redis->usable, link->waited, reason);

    ngx_http_yimen_redis_io_close(&link->io);

    while (!ngx_queue_empty(&link->calls)) {
        q = ngx_queue_head(&link->calls);
        call = ngx_queue_data(q, ngx_http_yimen_redis_call_t, queue);

        ngx_http_yimen_call_end(link, call, NGX_HTTP_YIMEN_REDIS_LOST);
    }

    /* connecting again starts from the timer only, never from in here */

    pause = NGX_HTTP_YIMEN_REDIS_BACKOFF << ngx_min(link->attempt, 4);
    pause = ngx_min(pause, NGX_HTTP_YIMEN_REDIS_BACKOFF_CAP);
    pause = pause / 2 + (ngx_msec_t) ngx_random() % (pause / 2 + 1);
    link->attempt++;

    link->timer.cancelable = 1;
    ngx_add_timer(&link->timer, pause);
}
