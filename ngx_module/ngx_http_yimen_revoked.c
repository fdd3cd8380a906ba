/* SPDX-License-Identifier: Apache-2.0
 * The list of revoked tokens in shared memory, and how it is kept up to date.
 *
 * Concurrency: the table is changed under the zone's mutex; that it is empty
 * is read without.
 */
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_reply.h"
#include "ngx_http_yimen_revoked.h"

#include "ym_store_door.h"
#include "ym_time.h"

#include <hiredis/hiredis.h>


/* the store holds 30,000 at most (ym_store_revoke.lua): half full is full */
#define NGX_HTTP_YIMEN_REVOKED_SLOTS  65536
#define NGX_HTTP_YIMEN_REVOKED_PROBE  64
#define NGX_HTTP_YIMEN_REVOKED_KEY    16      /* bytes of a digest */

#define NGX_HTTP_YIMEN_REVOKED_EVERY  400     /* ms: known within a second */
#define NGX_HTTP_YIMEN_REVOKED_STALE  10000   /* ms: then it is too old */
#define NGX_HTTP_YIMEN_REVOKED_FIRST  300     /* ms: at the start of nginx */
#define NGX_HTTP_YIMEN_REVOKED_BATCH  1000    /* in one reply */


typedef struct {
    u_char               key[NGX_HTTP_YIMEN_REVOKED_KEY];
    int64_t              at;        /* ms: issued before is revoked */
    int64_t              end;       /* ms; 0 = never used */
} ngx_http_yimen_revoked_slot_t;

typedef struct {
    ngx_atomic_t         loaded;    /* ngx_current_msec + 1; 0 = never */
    ngx_atomic_t         used;      /* slots */
    int64_t              last;      /* number of the latest */
    ngx_http_yimen_revoked_slot_t  slots[NGX_HTTP_YIMEN_REVOKED_SLOTS];
} ngx_http_yimen_revoked_table_t;

typedef struct {
    ngx_http_yimen_revoked_table_t  *table;
    ngx_slab_pool_t                 *pool;
    ngx_event_t                      timer;
    ngx_http_yimen_fcall_t           call;
    unsigned                         asked:1;
} ngx_http_yimen_revoked_worker_t;


static ngx_int_t ngx_http_yimen_revoked_init_zone(ngx_shm_zone_t *zone,
    void *data);
static void ngx_http_yimen_revoked_ask(ngx_event_t *ev);
static void ngx_http_yimen_revoked_told(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static ngx_uint_t ngx_http_yimen_revoked_take(const redisReply *reply);
static void ngx_http_yimen_revoked_put(
    const ngx_http_yimen_reply_mark_t *mark);
static ngx_uint_t ngx_http_yimen_revoked_is(const u_char *digest,
    int64_t issued, ngx_uint_t any);
static void ngx_http_yimen_revoked_first(ngx_cycle_t *cycle,
    const ngx_http_yimen_redis_conf_t *conf);


static ngx_http_yimen_revoked_worker_t  ngx_http_yimen_revoked_worker;


ngx_int_t
ngx_http_yimen_revoked_marks(const ngx_http_yimen_main_conf_t *ymcf,
    const json_t *claims, ngx_http_yimen_marks_t *marks)
{
    char             hex[YM_SHA256_HEX];
    ngx_uint_t       i;
    struct ym_str    text;
    const json_t    *claim;

    static const char *const  names[] = { "jti", "sid", "sub" };

    ngx_memzero(marks, sizeof(ngx_http_yimen_marks_t));

    claim = json_object_get(claims, "iat");

    if (json_is_number(claim)) {

        /* the clock that made it may be ahead of the one that revokes */

        marks->issued = (int64_t) (json_number_value(claim) * 1000.0)
                        - ymcf->auth.rules.skew_ms;
    }

    for (i = 0; i < YM_COUNT(names); i++) {
        claim = json_object_get(claims, names[i]);

        if (!json_is_string(claim)) {
            continue;
        }

        text.p = json_string_value(claim);
        text.n = json_string_length(claim);

        if (ngx_http_yimen_revoked_digest(ymcf, names[i], text, hex) != NGX_OK
            || !ym_unhex((struct ym_str){ hex, YM_SHA256_HEX - 1 },
                         marks->digests[i]))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* keyed where there is a ring: a subject may be a number that can be guessed */

ngx_int_t
ngx_http_yimen_revoked_digest(const ngx_http_yimen_main_conf_t *ymcf,
    const char *kind, struct ym_str value, char hex[YM_SHA256_HEX])
{
    char       label[32];
    u_char     sum[2][YM_SHA256_LEN];
    ym_status  rc;

    if (ymcf->ring != NULL) {
        (void) ngx_snprintf((u_char *) label, sizeof(label), "revoked:%s%Z",
                            kind);
        rc = ym_ring_digest(ymcf->ring, label, value, hex);

        return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
    }

    if (ym_sha256(ym_str_of(kind), sum[0]) != YM_OK
        || ym_sha256(value, sum[1]) != YM_OK
        || ym_sha256_hex((struct ym_str){ (char *) sum, sizeof(sum) }, hex)
           != YM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_http_yimen_revoked_e
ngx_http_yimen_revoked(const ngx_http_yimen_marks_t *marks)
{
    ngx_uint_t                       i;
    ngx_atomic_uint_t                loaded;
    ngx_http_yimen_revoked_table_t  *table;

    static const u_char  none[YM_SHA256_LEN];

    table = ngx_http_yimen_revoked_worker.table;

    if (table == NULL) {
        return NGX_HTTP_YIMEN_TOKEN_HOLDS;
    }

    loaded = table->loaded;

    if (loaded == 0
        || (ngx_msec_int_t) (ngx_current_msec + 1 - loaded)
           > NGX_HTTP_YIMEN_REVOKED_STALE)
    {
        return NGX_HTTP_YIMEN_TOKEN_UNKNOWN;
    }

    if (table->used == 0) {
        return NGX_HTTP_YIMEN_TOKEN_HOLDS;
    }

    for (i = 0; i < YM_COUNT(marks->digests); i++) {

        if (ngx_memcmp(marks->digests[i], none, YM_SHA256_LEN) != 0
            && ngx_http_yimen_revoked_is(marks->digests[i], marks->issued,
                                         i < 2))
        {
            return NGX_HTTP_YIMEN_TOKEN_REVOKED;
        }
    }

    return NGX_HTTP_YIMEN_TOKEN_HOLDS;
}


/*
 * any: whenever it was issued.  A person may come again with a newer token
 * than those that were taken from him.
 */
static ngx_uint_t
ngx_http_yimen_revoked_is(const u_char *digest, int64_t issued,
    ngx_uint_t any)
{
    uint32_t                         start;
    int64_t                          now;
    ngx_uint_t                       i, found;
    ngx_http_yimen_revoked_slot_t   *slot;
    ngx_http_yimen_revoked_table_t  *table;

    table = ngx_http_yimen_revoked_worker.table;
    ngx_memcpy(&start, digest, sizeof(start));

    now = ym_now_ms();
    found = 0;

    ngx_shmtx_lock(&ngx_http_yimen_revoked_worker.pool->mutex);

    for (i = 0; i < NGX_HTTP_YIMEN_REVOKED_PROBE; i++) {
        slot = &table->slots[(start + i) % NGX_HTTP_YIMEN_REVOKED_SLOTS];

        if (slot->end == 0) {
            break;
        }

        if (ngx_memcmp(slot->key, digest, NGX_HTTP_YIMEN_REVOKED_KEY) == 0) {
            found = slot->end > now && (any || issued <= slot->at);
            break;
        }
    }

    ngx_shmtx_unlock(&ngx_http_yimen_revoked_worker.pool->mutex);

    return found;
}


ngx_int_t
ngx_http_yimen_revoked_zone(ngx_conf_t *cf, ngx_shm_zone_t **ret)
{
    size_t      size;
    ngx_str_t   name;

    ngx_str_set(&name, "yimen_revoked");

    /* the table, nginx's own structures, and a page for each of its pages */

    size = sizeof(ngx_http_yimen_revoked_table_t) + 16 * ngx_pagesize
           + sizeof(ngx_http_yimen_revoked_table_t) / ngx_pagesize
             * sizeof(ngx_slab_page_t);

    *ret = ngx_shared_memory_add(cf, &name, size,
                                 &ngx_http_yimen_front_module);
    if (*ret == NULL) {
        return NGX_ERROR;
    }

    (*ret)->init = ngx_http_yimen_revoked_init_zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_revoked_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;
    zone->data = ngx_slab_calloc(pool, sizeof(ngx_http_yimen_revoked_table_t));

    return zone->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_yimen_revoked_open(ngx_cycle_t *cycle, ngx_shm_zone_t *zone)
{
    ngx_http_yimen_main_conf_t       *ymcf;
    ngx_http_yimen_revoked_worker_t  *w;

    w = &ngx_http_yimen_revoked_worker;
    ngx_memzero(w, sizeof(ngx_http_yimen_revoked_worker_t));

    w->table = zone->data;
    w->pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (w->table->loaded == 0) {
        ymcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                   ngx_http_yimen_module);
        ngx_http_yimen_revoked_first(cycle, &ymcf->redis);
    }

    w->timer.handler = ngx_http_yimen_revoked_ask;
    w->timer.data = w;
    w->timer.log = cycle->log;
    w->timer.cancelable = 1;

    ngx_add_timer(&w->timer, 1);

    return NGX_OK;
}


void
ngx_http_yimen_revoked_close(void)
{
    ngx_http_yimen_revoked_worker_t  *w;

    w = &ngx_http_yimen_revoked_worker;

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    w->table = NULL;
}


void
ngx_http_yimen_revoked_now(void)
{
    if (ngx_http_yimen_revoked_worker.table != NULL && !ngx_exiting) {
        ngx_add_timer(&ngx_http_yimen_revoked_worker.timer, 1);
    }
}


static void
ngx_http_yimen_revoked_ask(ngx_event_t *ev)
{
    ngx_http_yimen_revoked_worker_t  *w = ev->data;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_add_timer(&w->timer, NGX_HTTP_YIMEN_REVOKED_EVERY);

    if (w->asked) {
        return;
    }

    ngx_http_yimen_fcall_init(&w->call, YM_FN_REVOKED, 0);
    ngx_http_yimen_fcall_int(&w->call, w->table->last);
    ngx_http_yimen_fcall_int(&w->call, NGX_HTTP_YIMEN_REVOKED_BATCH);

    if (ngx_http_yimen_fcall_send(&w->call, NULL, ngx_http_yimen_revoked_told,
                                  w)
        == NGX_OK)
    {
        w->asked = 1;
    }
}


static void
ngx_http_yimen_revoked_told(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_revoked_worker_t  *w = data;

    w->asked = 0;

    if (why != NGX_HTTP_YIMEN_REDIS_OK || w->table == NULL) {
        return;
    }

    /* more than fits one reply: the rest at once */

    if (ngx_http_yimen_revoked_take(*reply) && !ngx_exiting) {
        ngx_add_timer(&w->timer, 1);
    }
}


/* 1: there is more */

static ngx_uint_t
ngx_http_yimen_revoked_take(const redisReply *reply)
{
    size_t                            i;
    int64_t                           last, number;
    ngx_http_yimen_reply_mark_t       mark;
    ngx_http_yimen_revoked_worker_t  *w;

    w = &ngx_http_yimen_revoked_worker;

    if (!ngx_http_yimen_reply_last(reply, &last)) {
        return 0;
    }

    ngx_shmtx_lock(&w->pool->mutex);

    number = w->table->last;

    /* another Redis, or one that was emptied: what is known stays */

    if (last < number) {
        number = 0;
    }

    for (i = 1; i < (size_t) reply->elements; i++) {

        if (!ngx_http_yimen_reply_mark(reply->element[i], &mark)) {
            break;
        }

        if (mark.known) {
            ngx_http_yimen_revoked_put(&mark);
        }

        number = ngx_max(number, mark.number);
    }

    /* numbers that have ended leave gaps: an empty reply means all of them */

    if (i < NGX_HTTP_YIMEN_REVOKED_BATCH + 1 && last >= w->table->last) {
        number = last;
    }

    if (w->table->last > last || number > w->table->last) {
        w->table->last = number;
    }

    if (number >= last) {
        w->table->loaded = ngx_current_msec + 1;
    }

    ngx_shmtx_unlock(&w->pool->mutex);

    return number < last;
}


static void
ngx_http_yimen_revoked_put(const ngx_http_yimen_reply_mark_t *mark)
{
    int64_t                          now;
    uint32_t                         start;
    ngx_uint_t                       i;
    ngx_http_yimen_revoked_slot_t   *slot, *free;
    ngx_http_yimen_revoked_table_t  *table;

    table = ngx_http_yimen_revoked_worker.table;
    ngx_memcpy(&start, mark->digest, sizeof(start));

    now = ym_now_ms();
    free = NULL;

    for (i = 0; i < NGX_HTTP_YIMEN_REVOKED_PROBE; i++) {
        slot = &table->slots[(start + i) % NGX_HTTP_YIMEN_REVOKED_SLOTS];

        if (slot->end == 0
            || ngx_memcmp(slot->key, mark->digest, NGX_HTTP_YIMEN_REVOKED_KEY)
               == 0)
        {
            free = (free == NULL || slot->end != 0) ? slot : free;
            break;
        }

        if (slot->end <= now && free == NULL) {
            free = slot;
        }
    }

    if (free == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "event=revoked.full");
        return;
    }

    if (free->end == 0) {
        table->used++;
    }

    ngx_memcpy(free->key, mark->digest, NGX_HTTP_YIMEN_REVOKED_KEY);
    free->at = mark->at;
    free->end = ngx_max(mark->end, 1);
}


/*
 * Before the first request ever is served, and only then, the list is read in
 * the plain way: a worker that has no request may wait.  If Redis does not
 * answer, tokens are not accepted until it does.
 */
static void
ngx_http_yimen_revoked_first(ngx_cycle_t *cycle,
    const ngx_http_yimen_redis_conf_t *conf)
{
    char                        since[NGX_INT64_LEN + 1];
    redisReply                 *reply;
    ngx_uint_t                  more;
    redisContext               *redis;
    ngx_http_yimen_revoked_worker_t  *w;

    struct timeval  limit = { 0, NGX_HTTP_YIMEN_REVOKED_FIRST * 1000 };

    w = &ngx_http_yimen_revoked_worker;

    redis = conf->path.len
            ? redisConnectUnixWithTimeout((char *) conf->path.data, limit)
            : redisConnectWithTimeout((char *) conf->address.data, conf->port,
                                      limit);
    more = 1;

    if (redis == NULL || redis->err
        || redisSetTimeout(redis, limit) != REDIS_OK)
    {
        more = 0;
    }

    if (more && conf->password.len) {
        reply = redisCommand(redis, "AUTH %b", conf->password.data,
                             conf->password.len);
        more = (reply != NULL && reply->type != REDIS_REPLY_ERROR);

        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }

    while (more) {
        (void) ngx_snprintf((u_char *) since, sizeof(since), "%L%Z",
                            w->table->last);
        reply = redisCommand(redis, "FCALL " YM_FN_REVOKED " 1 {s0} %s 1000",
                             since);

        if (reply == NULL) {
            break;
        }

        more = ngx_http_yimen_revoked_take(reply);
        freeReplyObject(reply);
    }

    if (redis != NULL) {
        redisFree(redis);
    }

    if (w->table->loaded == 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "event=revoked.not_read at=start");
    }
}
