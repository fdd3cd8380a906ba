/* SPDX-License-Identifier: Apache-2.0
 * Two connections to Redis that carry no call of a request: the ear is
 * subscribed to __redis__:invalidate, the other one has asked Redis to tell
 * the ear of every change of a session (CLIENT TRACKING … BCAST).
 *
 * Redis tells of writes, deletions and expiry alike, and of FLUSHALL with no
 * key at all.  Both ends are asked for a sign of life several times a second;
 * when one is silent or lost, everything that is remembered is void.
 */
#include "ngx_http_yimen_redis_event.h"
#include "ngx_http_yimen_reply.h"
#include "ngx_http_yimen_sessions.h"

#include "ym_id.h"
#include "ym_store_door.h"


#define NGX_HTTP_YIMEN_WATCH_PING      400   /* ms between signs of life */
#define NGX_HTTP_YIMEN_WATCH_PATIENCE  500   /* ms for each answer */
#define NGX_HTTP_YIMEN_WATCH_BACKOFF   50
#define NGX_HTTP_YIMEN_WATCH_CAP       500

#define NGX_HTTP_YIMEN_WATCH_CHANNEL   "__redis__:invalidate"


/* in this order, and back to DOWN from each */
typedef enum {
    NGX_HTTP_YIMEN_WATCH_DOWN,        /* waiting for the backoff timer */
    NGX_HTTP_YIMEN_WATCH_NAMED,       /* the ear was asked for its number */
    NGX_HTTP_YIMEN_WATCH_SUBSCRIBED,  /* it was told to subscribe */
    NGX_HTTP_YIMEN_WATCH_ASKED,       /* the other one has asked */
    NGX_HTTP_YIMEN_WATCH_HEARS,
    NGX_HTTP_YIMEN_WATCH_CLOSED
} ngx_http_yimen_watch_e;

typedef struct {
    ngx_http_yimen_redis_io_t   io;
    unsigned                    connected:1;
    unsigned                    password:1;  /* AUTH has no answer yet */
    unsigned                    pinged:1;    /* PING has no answer yet */
} ngx_http_yimen_watch_end_t;

struct ngx_http_yimen_watch_s {
    ngx_http_yimen_watch_e              state;
    ngx_http_yimen_sessions_t          *sessions;
    const ngx_http_yimen_main_conf_t   *conf;
    ngx_log_t                          *log;
    ngx_http_yimen_watch_end_t          ear;
    ngx_http_yimen_watch_end_t          asker;
    long long                           number;  /* of the ear, to Redis */
    ngx_uint_t                          attempt;
    ngx_event_t                         timer;   /* backoff, answer, ping */
    unsigned                            told:1;  /* in the log: it is down */
};


static void ngx_http_yimen_watch_connect(ngx_http_yimen_watch_t *watch);
static ngx_int_t ngx_http_yimen_watch_start(ngx_http_yimen_watch_t *watch,
    ngx_http_yimen_watch_end_t *end, char *what, size_t what_size);
static ngx_int_t ngx_http_yimen_watch_say(ngx_http_yimen_watch_end_t *end,
    int argc, const char **argv);
static ngx_int_t ngx_http_yimen_watch_ask(ngx_http_yimen_watch_t *watch);
static void ngx_http_yimen_watch_writable(ngx_http_yimen_redis_io_t *io);
static void ngx_http_yimen_watch_readable(ngx_http_yimen_redis_io_t *io);
static ngx_int_t ngx_http_yimen_watch_reply(ngx_http_yimen_watch_t *watch,
    ngx_http_yimen_watch_end_t *end, const redisReply *reply);
static ngx_int_t ngx_http_yimen_watch_ear(ngx_http_yimen_watch_t *watch,
    const redisReply *reply);
static void ngx_http_yimen_watch_changed(ngx_http_yimen_watch_t *watch,
    const redisReply *keys);
static void ngx_http_yimen_watch_timer(ngx_event_t *ev);
static void ngx_http_yimen_watch_down(ngx_http_yimen_watch_t *watch,
    const char *reason);


ngx_http_yimen_watch_t *
ngx_http_yimen_watch_open(ngx_http_yimen_sessions_t *sessions,
    const ngx_http_yimen_main_conf_t *ymcf, ngx_log_t *log)
{
    ngx_http_yimen_watch_t  *watch;

    watch = ngx_calloc(sizeof(ngx_http_yimen_watch_t), log);
    if (watch == NULL) {
        return NULL;
    }

    watch->sessions = sessions;
    watch->conf = ymcf;
    watch->log = log;

    watch->timer.handler = ngx_http_yimen_watch_timer;
    watch->timer.data = watch;
    watch->timer.log = log;
    watch->timer.cancelable = 1;

    watch->ear.io.data = watch;
    watch->ear.io.readable = ngx_http_yimen_watch_readable;
    watch->ear.io.writable = ngx_http_yimen_watch_writable;
    watch->asker.io = watch->ear.io;

    ngx_http_yimen_watch_connect(watch);

    return watch;
}


void
ngx_http_yimen_watch_close(ngx_http_yimen_watch_t *watch)
{
    if (watch == NULL) {
        return;
    }

    if (watch->timer.timer_set) {
        ngx_del_timer(&watch->timer);
    }

    watch->state = NGX_HTTP_YIMEN_WATCH_CLOSED;
    ngx_http_yimen_redis_io_close(&watch->ear.io);
    ngx_http_yimen_redis_io_close(&watch->asker.io);

    ngx_free(watch);
}


ngx_uint_t
ngx_http_yimen_watch_hears(ngx_http_yimen_watch_t *watch)
{
    return watch->state == NGX_HTTP_YIMEN_WATCH_HEARS;
}


static void
ngx_http_yimen_watch_connect(ngx_http_yimen_watch_t *watch)
{
    char         what[256];
    const char  *argv[2];

    if (ngx_http_yimen_watch_start(watch, &watch->ear, what, sizeof(what) - 1)
        != NGX_OK)
    {
        ngx_http_yimen_watch_down(watch, what);
        return;
    }

    argv[0] = "CLIENT";
    argv[1] = "ID";

    if (ngx_http_yimen_watch_say(&watch->ear, 2, argv) != NGX_OK) {
        ngx_http_yimen_watch_down(watch, "out of memory");
        return;
    }

    watch->state = NGX_HTTP_YIMEN_WATCH_NAMED;
    ngx_add_timer(&watch->timer, NGX_HTTP_YIMEN_WATCH_PATIENCE);
}


static ngx_int_t
ngx_http_yimen_watch_start(ngx_http_yimen_watch_t *watch,
    ngx_http_yimen_watch_end_t *end, char *what, size_t what_size)
{
    const char                         *argv[2];
    const ngx_http_yimen_redis_conf_t  *conf;

    conf = &watch->conf->redis;

    end->connected = 0;
    end->password = 0;
    end->pinged = 0;

    if (ngx_http_yimen_redis_io_open(&end->io,
                                     conf->path.len ? (char *) conf->path.data
                                                    : NULL,
                                     (char *) conf->address.data, conf->port,
                                     watch->log, what, what_size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->password.len) {
        argv[0] = "AUTH";
        argv[1] = (char *) conf->password.data;

        if (ngx_http_yimen_watch_say(end, 2, argv) != NGX_OK) {
            (void) ngx_snprintf((u_char *) what, what_size,
                                "out of memory%Z");
            return NGX_ERROR;
        }

        end->password = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_watch_say(ngx_http_yimen_watch_end_t *end, int argc,
    const char **argv)
{
    if (redisAppendCommandArgv(end->io.context, argc, argv, NULL)
        != REDIS_OK)
    {
        return NGX_ERROR;
    }

    if (!end->connected) {
        return NGX_OK;
    }

    return (ngx_http_yimen_redis_io_flush(&end->io) == NGX_HTTP_YIMEN_IO_OK)
           ? NGX_OK : NGX_ERROR;
}


/* the second connection, once the ear listens */

static ngx_int_t
ngx_http_yimen_watch_ask(ngx_http_yimen_watch_t *watch)
{
    char         what[256];
    u_char       id[NGX_INT64_LEN + 1];
    u_char       prefixes[YM_SHARDS_MAX][sizeof("{s}" YM_SESSION_PREFIX) + 4];
    const char  *argv[6 + 2 * YM_SHARDS_MAX];
    int          argc;
    ngx_uint_t   i, shards;

    if (ngx_http_yimen_watch_start(watch, &watch->asker, what,
                                   sizeof(what) - 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(id, "%L%Z", (int64_t) watch->number);

    argv[0] = "CLIENT";
    argv[1] = "TRACKING";
    argv[2] = "ON";
    argv[3] = "REDIRECT";
    argv[4] = (char *) id;
    argv[5] = "BCAST";
    argc = 6;

    shards = (ngx_uint_t) watch->conf->catalog->site.shards;

    for (i = 0; i < shards; i++) {
        (void) ngx_sprintf(prefixes[i], "{s%ui}" YM_SESSION_PREFIX "%Z", i);
        argv[argc++] = "PREFIX";
        argv[argc++] = (char *) prefixes[i];
    }

    if (ngx_http_yimen_watch_say(&watch->asker, argc, argv) != NGX_OK) {
        return NGX_ERROR;
    }

    watch->state = NGX_HTTP_YIMEN_WATCH_ASKED;

    return NGX_OK;
}


static void
ngx_http_yimen_watch_writable(ngx_http_yimen_redis_io_t *io)
{
    int                          err;
    ngx_http_yimen_watch_t      *watch;
    ngx_http_yimen_watch_end_t  *end;

    watch = io->data;
    end = (io == &watch->ear.io) ? &watch->ear : &watch->asker;

    if (!end->connected) {
        err = ngx_http_yimen_redis_io_connected(io);
        if (err) {
            ngx_http_yimen_watch_down(watch, strerror(err));
            return;
        }

        end->connected = 1;
    }

    if (ngx_http_yimen_redis_io_flush(io) != NGX_HTTP_YIMEN_IO_OK) {
        ngx_http_yimen_watch_down(watch, ngx_http_yimen_redis_io_error(io));
    }
}


static void
ngx_http_yimen_watch_readable(ngx_http_yimen_redis_io_t *io)
{
    ngx_int_t                    rc;
    redisReply                  *reply;
    ngx_http_yimen_watch_t      *watch;
    ngx_http_yimen_watch_end_t  *end;

    watch = io->data;
    end = (io == &watch->ear.io) ? &watch->ear : &watch->asker;

    if (!end->connected) {
        return;
    }

    if (ngx_http_yimen_redis_io_read(io) != NGX_HTTP_YIMEN_IO_OK) {
        ngx_http_yimen_watch_down(watch, ngx_http_yimen_redis_io_error(io));
        return;
    }

    while (io->context != NULL) {

        if (ngx_http_yimen_redis_io_reply(io, &reply)
            != NGX_HTTP_YIMEN_IO_OK)
        {
            ngx_http_yimen_watch_down(watch,
                                      ngx_http_yimen_redis_io_error(io));
            return;
        }

        if (reply == NULL) {
            return;
        }

        rc = ngx_http_yimen_watch_reply(watch, end, reply);

        if (rc != NGX_OK) {
            ngx_http_yimen_watch_down(watch,
                                      reply->type == REDIS_REPLY_ERROR
                                      ? reply->str
                                      : "a reply nobody asked for");
        }

        freeReplyObject(reply);
    }
}


static ngx_int_t
ngx_http_yimen_watch_reply(ngx_http_yimen_watch_t *watch,
    ngx_http_yimen_watch_end_t *end, const redisReply *reply)
{
    if (end->password) {
        end->password = 0;
        return ngx_http_yimen_reply_is(reply, "OK") ? NGX_OK : NGX_ERROR;
    }

    if (end == &watch->ear) {
        return ngx_http_yimen_watch_ear(watch, reply);
    }

    if (watch->state == NGX_HTTP_YIMEN_WATCH_ASKED
        && ngx_http_yimen_reply_is(reply, "OK"))
    {
        watch->state = NGX_HTTP_YIMEN_WATCH_HEARS;
        watch->attempt = 0;

        /* what others remember may have changed before this one could hear */

        ngx_http_yimen_sessions_void(watch->sessions);

        if (watch->told) {
            watch->told = 0;
            ngx_log_error(NGX_LOG_NOTICE, watch->log, 0,
                          "event=session.hears");
        }

        ngx_add_timer(&watch->timer, NGX_HTTP_YIMEN_WATCH_PING);

        return NGX_OK;
    }

    if (end->pinged && ngx_http_yimen_reply_is(reply, "PONG")) {
        end->pinged = 0;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_watch_ear(ngx_http_yimen_watch_t *watch,
    const redisReply *reply)
{
    const char        *argv[2];
    const redisReply  *keys;

    if (watch->state == NGX_HTTP_YIMEN_WATCH_NAMED) {

        if (reply->type != REDIS_REPLY_INTEGER) {
            return NGX_ERROR;
        }

        watch->state = NGX_HTTP_YIMEN_WATCH_SUBSCRIBED;
        watch->number = reply->integer;

        argv[0] = "SUBSCRIBE";
        argv[1] = NGX_HTTP_YIMEN_WATCH_CHANNEL;

        return ngx_http_yimen_watch_say(&watch->ear, 2, argv);
    }

    switch (ngx_http_yimen_reply_news(reply, NGX_HTTP_YIMEN_WATCH_CHANNEL,
                                      &keys))
    {
    case NGX_HTTP_YIMEN_NEWS_PONG:
        watch->ear.pinged = 0;
        return NGX_OK;

    case NGX_HTTP_YIMEN_NEWS_SUBSCRIBED:
        return (watch->state == NGX_HTTP_YIMEN_WATCH_SUBSCRIBED)
               ? ngx_http_yimen_watch_ask(watch) : NGX_ERROR;

    case NGX_HTTP_YIMEN_NEWS_ALL:
        if (watch->state < NGX_HTTP_YIMEN_WATCH_ASKED) {
            return NGX_ERROR;
        }

        ngx_http_yimen_sessions_void(watch->sessions);
        return NGX_OK;

    case NGX_HTTP_YIMEN_NEWS_CHANGED:
        if (watch->state < NGX_HTTP_YIMEN_WATCH_ASKED) {
            return NGX_ERROR;
        }

        ngx_http_yimen_watch_changed(watch, keys);
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


static void
ngx_http_yimen_watch_changed(ngx_http_yimen_watch_t *watch,
    const redisReply *keys)
{
    size_t   i;
    u_char   digest[YM_SHA256_LEN];

    for (i = 0; i < (size_t) keys->elements; i++) {
        if (ngx_http_yimen_reply_key(keys->element[i], digest)) {
            ngx_http_yimen_sessions_forget(watch->sessions, digest);
        }
    }
}


static void
ngx_http_yimen_watch_timer(ngx_event_t *ev)
{
    const char              *ping;
    ngx_http_yimen_watch_t  *watch;

    watch = ev->data;

    if (watch->state == NGX_HTTP_YIMEN_WATCH_DOWN) {
        if (!ngx_exiting) {
            ngx_http_yimen_watch_connect(watch);
        }

        return;
    }

    if (watch->state != NGX_HTTP_YIMEN_WATCH_HEARS) {
        ngx_http_yimen_watch_down(watch, "connecting timed out");
        return;
    }

    if (watch->ear.pinged || watch->asker.pinged) {
        ngx_http_yimen_watch_down(watch, "no sign of life");
        return;
    }

    ping = "PING";
    watch->ear.pinged = 1;
    watch->asker.pinged = 1;

    if (ngx_http_yimen_watch_say(&watch->ear, 1, &ping) != NGX_OK
        || ngx_http_yimen_watch_say(&watch->asker, 1, &ping) != NGX_OK)
    {
        ngx_http_yimen_watch_down(watch, "cannot write");
        return;
    }

    ngx_add_timer(&watch->timer, NGX_HTTP_YIMEN_WATCH_PATIENCE);
}


static void
ngx_http_yimen_watch_down(ngx_http_yimen_watch_t *watch, const char *reason)
{
    ngx_uint_t               level;
    ngx_msec_t               pause;
    ngx_http_yimen_watch_e   was;

    was = watch->state;
    watch->state = NGX_HTTP_YIMEN_WATCH_DOWN;

    if (was == NGX_HTTP_YIMEN_WATCH_HEARS) {
        ngx_http_yimen_sessions_void(watch->sessions);
    }

    level = watch->told ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, watch->log, 0, "event=session.deaf err=\"%s\"",
                  reason);
    watch->told = 1;

    ngx_http_yimen_redis_io_close(&watch->ear.io);
    ngx_http_yimen_redis_io_close(&watch->asker.io);

    pause = ngx_min(NGX_HTTP_YIMEN_WATCH_BACKOFF
                    << ngx_min(watch->attempt, 6),
                    NGX_HTTP_YIMEN_WATCH_CAP);
    watch->attempt++;

    ngx_add_timer(&watch->timer,
                  pause / 2 + (ngx_msec_t) ngx_random() % pause);
}
