/* SPDX-License-Identifier: Apache-2.0
 * Reading a session from Redis: one call for all who want the same one at the
 * same time.
 *
 * A call that was under way while the session changed is made again, so that
 * nobody is answered with what a revoke has ended.
 */
#include "ngx_http_yimen_reply.h"
#include "ngx_http_yimen_sessions.h"

#include "ym_store_door.h"


#define NGX_HTTP_YIMEN_FLIGHTS        256   /* buckets, a power of two */
#define NGX_HTTP_YIMEN_FLIGHT_REPEAT  3


typedef struct {
    ngx_queue_t                  queue;     /* in its bucket */
    ngx_queue_t                  waits;
    ngx_pool_t                  *pool;      /* it lives there, and its call */
    ngx_http_yimen_sessions_t   *sessions;
    u_char                       digest[YM_SHA256_LEN];
    ngx_uint_t                   shard;
    ngx_uint_t                   repeats;
    unsigned                     touch:1;
    unsigned                     changed:1; /* since the call was sent */
    ngx_http_yimen_session_stamp_t  asked;
} ngx_http_yimen_flight_t;


static ngx_http_yimen_flight_t *
    ngx_http_yimen_flight_open(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t shard, ngx_uint_t touch);
static ngx_int_t ngx_http_yimen_flight_send(ngx_http_yimen_flight_t *flight);
static void ngx_http_yimen_flight_done(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static ngx_http_yimen_read_e
    ngx_http_yimen_flight_judge(ngx_http_yimen_flight_t *flight,
    const redisReply *reply, ngx_http_yimen_session_t **ret);
static void ngx_http_yimen_flight_end(ngx_http_yimen_flight_t *flight,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session);


/* per process */
static ngx_queue_t  ngx_http_yimen_flights[NGX_HTTP_YIMEN_FLIGHTS];


ngx_int_t
ngx_http_yimen_session_read_open(ngx_http_yimen_sessions_t *sessions)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_YIMEN_FLIGHTS; i++) {
        ngx_queue_init(&ngx_http_yimen_flights[i]);
    }

    return NGX_OK;
}


void
ngx_http_yimen_session_read_close(ngx_http_yimen_sessions_t *sessions)
{
    ngx_uint_t                      i;
    ngx_queue_t                    *q;
    ngx_http_yimen_flight_t        *flight;
    ngx_http_yimen_session_wait_t  *wait;

    for (i = 0; i < NGX_HTTP_YIMEN_FLIGHTS; i++) {

        while (ngx_http_yimen_flights[i].next != NULL
               && !ngx_queue_empty(&ngx_http_yimen_flights[i]))
        {
            q = ngx_queue_head(&ngx_http_yimen_flights[i]);
            flight = ngx_queue_data(q, ngx_http_yimen_flight_t, queue);
            ngx_queue_remove(q);

            while (!ngx_queue_empty(&flight->waits)) {
                q = ngx_queue_head(&flight->waits);
                wait = ngx_queue_data(q, ngx_http_yimen_session_wait_t,
                                      queue);
                ngx_http_yimen_session_cancel(wait);
            }

            ngx_destroy_pool(flight->pool);
        }
    }
}


ngx_int_t
ngx_http_yimen_session_read(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t shard, ngx_uint_t touch,
    ngx_http_yimen_session_wait_t *wait)
{
    ngx_int_t                 rc;
    ngx_queue_t              *q, *bucket;
    ngx_http_yimen_flight_t  *flight;

    bucket = &ngx_http_yimen_flights[digest[0] % NGX_HTTP_YIMEN_FLIGHTS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_http_yimen_flight_t, queue);

        if (flight->shard == shard && (flight->touch || !touch)
            && ngx_memcmp(flight->digest, digest, YM_SHA256_LEN) == 0)
        {
            ngx_queue_insert_tail(&flight->waits, &wait->queue);
            wait->waiting = 1;
            return NGX_OK;
        }
    }

    flight = ngx_http_yimen_flight_open(sessions, digest, shard, touch);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_yimen_flight_send(flight);

    if (rc != NGX_OK) {
        ngx_destroy_pool(flight->pool);
        return rc;
    }

    ngx_queue_insert_tail(bucket, &flight->queue);
    ngx_queue_insert_tail(&flight->waits, &wait->queue);
    wait->waiting = 1;

    return NGX_OK;
}


void
ngx_http_yimen_session_cancel(ngx_http_yimen_session_wait_t *wait)
{
    /* the call goes on: what it brings may be of use to the next */

    if (wait->waiting) {
        ngx_queue_remove(&wait->queue);
        wait->waiting = 0;
    }
}


void
ngx_http_yimen_session_read_void(ngx_http_yimen_sessions_t *sessions,
    const u_char *digest)
{
    ngx_uint_t                i;
    ngx_queue_t              *q, *bucket;
    ngx_http_yimen_flight_t  *flight;

    for (i = 0; i < NGX_HTTP_YIMEN_FLIGHTS; i++) {

        if (digest != NULL && i != digest[0] % NGX_HTTP_YIMEN_FLIGHTS) {
            continue;
        }

        bucket = &ngx_http_yimen_flights[i];

        for (q = bucket->next;
             q != NULL && q != ngx_queue_sentinel(bucket);
             q = ngx_queue_next(q))
        {
            flight = ngx_queue_data(q, ngx_http_yimen_flight_t, queue);

            if (digest == NULL
                || ngx_memcmp(flight->digest, digest, YM_SHA256_LEN) == 0)
            {
                flight->changed = 1;
            }
        }
    }
}


static ngx_http_yimen_flight_t *
ngx_http_yimen_flight_open(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t shard, ngx_uint_t touch)
{
    ngx_pool_t               *pool;
    ngx_http_yimen_flight_t  *flight;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    flight = ngx_pcalloc(pool, sizeof(ngx_http_yimen_flight_t));
    if (flight == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    flight->pool = pool;
    flight->sessions = sessions;
    flight->shard = shard;
    flight->touch = touch ? 1 : 0;
    ngx_memcpy(flight->digest, digest, YM_SHA256_LEN);
    ngx_queue_init(&flight->waits);

    return flight;
}


static ngx_int_t
ngx_http_yimen_flight_send(ngx_http_yimen_flight_t *flight)
{
    char          hex[YM_SHA256_HEX];
    u_char        key[NGX_INT_T_LEN + 8], idle[NGX_INT64_LEN + 1];
    u_char        touch[NGX_INT64_LEN + 1];
    size_t        argvlen[7];
    ngx_uint_t    i;
    const char   *argv[7];

    const ngx_http_yimen_session_conf_t  *conf;

    conf = &ngx_http_yimen_sessions_conf(flight->sessions)->session;

    ym_hex(flight->digest, YM_SHA256_LEN, false, hex);
    (void) ngx_sprintf(key, "{s%ui}%Z", flight->shard);
    (void) ngx_sprintf(idle, "%L%Z", conf->idle);
    (void) ngx_sprintf(touch, "%L%Z", flight->touch ? conf->touch : 0);

    argv[0] = "FCALL";
    argv[1] = YM_FN_SESSION_GET;
    argv[2] = "1";
    argv[3] = (char *) key;
    argv[4] = hex;
    argv[5] = (char *) idle;
    argv[6] = (char *) touch;

    for (i = 0; i < YM_COUNT(argv); i++) {
        argvlen[i] = ngx_strlen(argv[i]);
    }

    flight->changed = 0;
    ngx_http_yimen_sessions_stamp(flight->sessions, flight->digest,
                                  &flight->asked);
    ngx_http_yimen_count(session_reads);

    return ngx_http_yimen_redis_call(ngx_http_yimen_worker.redis,
                                     flight->pool, YM_COUNT(argv), argv,
                                     argvlen, ngx_http_yimen_flight_done,
                                     flight);
}


static void
ngx_http_yimen_flight_done(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_read_e      outcome;
    ngx_http_yimen_flight_t   *flight = data;
    ngx_http_yimen_session_t  *session;

    session = NULL;

    if (why != NGX_HTTP_YIMEN_REDIS_OK) {
        ngx_http_yimen_count(redis_trouble);
        ngx_http_yimen_flight_end(flight, NGX_HTTP_YIMEN_READ_TROUBLE, NULL);
        return;
    }

    /* heard by this worker, or by another that is ahead of it */

    if (ngx_http_yimen_sessions_changed(flight->sessions, flight->digest,
                                        &flight->asked))
    {
        flight->changed = 1;
    }

    if (flight->changed && flight->repeats < NGX_HTTP_YIMEN_FLIGHT_REPEAT) {
        flight->repeats++;

        if (ngx_http_yimen_flight_send(flight) != NGX_OK) {
            ngx_http_yimen_flight_end(flight, NGX_HTTP_YIMEN_READ_TROUBLE,
                                      NULL);
        }

        return;
    }

    outcome = ngx_http_yimen_flight_judge(flight, *reply, &session);

    if (session != NULL && !flight->changed) {
        ngx_http_yimen_sessions_keep(flight->sessions, session,
                                     &flight->asked);
    }

    ngx_http_yimen_flight_end(flight, outcome, session);

    if (session != NULL) {
        ngx_http_yimen_session_release(session);
    }
}


static ngx_http_yimen_read_e
ngx_http_yimen_flight_judge(ngx_http_yimen_flight_t *flight,
    const redisReply *reply, ngx_http_yimen_session_t **ret)
{
    int64_t                               fresh;
    ngx_http_yimen_reply_session_t        told;
    ngx_http_yimen_session_times_t        times;
    const ngx_http_yimen_session_conf_t  *conf;

    switch (ngx_http_yimen_reply_session(reply, &told)) {

    case NGX_HTTP_YIMEN_REPLY_THERE:
        break;

    case NGX_HTTP_YIMEN_REPLY_NONE:
        return NGX_HTTP_YIMEN_READ_NONE;

    case NGX_HTTP_YIMEN_REPLY_REFUSED:

        /* the first words only: the rest may quote an argument */

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "event=session.unread err=\"%*s\"",
                      ngx_min((size_t) reply->len, (size_t) 48), reply->str);
        ngx_http_yimen_count(redis_trouble);

        return NGX_HTTP_YIMEN_READ_TROUBLE;

    default:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "event=session.unread err=\"not a reply of ours\"");
        return NGX_HTTP_YIMEN_READ_TROUBLE;
    }

    conf = &ngx_http_yimen_sessions_conf(flight->sessions)->session;
    fresh = ngx_max(conf->touch - told.age, 0);

    if (!flight->touch && fresh == 0) {
        fresh = conf->touch;
    }

    times.created = told.created;
    times.ends = told.ends;
    times.fresh = ngx_current_msec + (ngx_msec_t) fresh;
    times.left = ngx_current_msec + (ngx_msec_t) told.left;
    times.live = ngx_current_msec + (ngx_msec_t) told.live;

    *ret = ngx_http_yimen_sessions_make(flight->sessions, flight->digest,
                                        told.sealed, &times);

    return (*ret != NULL) ? NGX_HTTP_YIMEN_READ_FOUND
                          : NGX_HTTP_YIMEN_READ_NONE;
}


/* the flight is out of reach before the first handler runs */

static void
ngx_http_yimen_flight_end(ngx_http_yimen_flight_t *flight,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session)
{
    ngx_queue_t                    *q;
    ngx_http_yimen_session_wait_t  *wait;

    ngx_queue_remove(&flight->queue);

    while (!ngx_queue_empty(&flight->waits)) {
        q = ngx_queue_head(&flight->waits);
        wait = ngx_queue_data(q, ngx_http_yimen_session_wait_t, queue);

        ngx_queue_remove(q);
        wait->waiting = 0;
        wait->handler(wait->data, outcome, session);
    }

    ngx_destroy_pool(flight->pool);
}
