/* SPDX-License-Identifier: Apache-2.0
 * Single sign-out: applications hear that a session is over.
 *
 * Whatever ends a session moves what it has signed in to into a list of the
 * store; the first worker looks there every second and posts a LogoutRequest
 * to each: to registered services only, without a redirect followed.  One that
 * does not answer is told again, five times in all; the store brings it back
 * by itself, so that it is not forgotten by a worker that ends meanwhile.
 *
 * Ownership: a job is its pool; the request under way ends with it.
 */
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_fetch.h"
#include "ngx_http_yimen_records.h"

#include "ym_cas.h"
#include "ym_codec.h"
#include "ym_store_cas.h"
#include "ym_time.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_TOLD_PAUSE   1000    /* ms between two looks */
#define NGX_HTTP_YIMEN_TOLD_TURN    16      /* entries of a shard and look */
#define NGX_HTTP_YIMEN_TOLD_FLIGHT  64      /* requests at once */
#define NGX_HTTP_YIMEN_TOLD_BODY    4096    /* of an answer; nobody reads it */
#define NGX_HTTP_YIMEN_TOLD_TRIES   5


typedef struct {
    const ngx_http_yimen_main_conf_t    *conf;
    ngx_event_t                          timer;
    ngx_uint_t                           asked;   /* shards without answer */
    ngx_uint_t                           flying;
    ngx_queue_t                          jobs;
    ngx_msec_t                          *away;    /* of each service: until */
    unsigned                             open:1;
} ngx_http_yimen_told_t;

typedef struct {
    ngx_queue_t                          queue;
    ngx_pool_t                          *pool;
    ngx_uint_t                           shard;
    ngx_uint_t                           nth;     /* from 1 */
    struct ym_str                        entry;   /* as it came */
    const ngx_http_yimen_cas_service_t  *service;
} ngx_http_yimen_told_job_t;


static void ngx_http_yimen_told_look(ngx_event_t *ev);
static void ngx_http_yimen_told_ended(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_told_one(ngx_uint_t shard, struct ym_str entry);
static ngx_msec_t *ngx_http_yimen_told_away(
    const ngx_http_yimen_cas_service_t *service);
static ngx_int_t ngx_http_yimen_told_send(ngx_uint_t shard, ngx_uint_t nth,
    struct ym_str entry, const ngx_http_yimen_cas_service_t *service,
    const ngx_http_yimen_fetch_t *what);
static void ngx_http_yimen_told_free(void *data);
static void ngx_http_yimen_told_settled(ngx_uint_t shard,
    struct ym_str entry);
static ngx_int_t ngx_http_yimen_told_body(struct ym_str ticket,
    struct ym_buf *out);
static void ngx_http_yimen_told_done(void *data,
    const ngx_http_yimen_fetched_t *answer);


static ngx_http_yimen_told_t  ngx_http_yimen_told;

/* the debug log of a timer looks for a descriptor in its data */
static ngx_connection_t       ngx_http_yimen_told_nobody;


void
ngx_http_yimen_cas_logout_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_http_yimen_told_t  *told;

    told = &ngx_http_yimen_told;
    ngx_memzero(told, sizeof(ngx_http_yimen_told_t));

    if (ymcf->cas == NULL || !ymcf->cas->told || ngx_worker != 0) {
        return;
    }

    told->away = ngx_calloc(ymcf->cas->services.nelts * sizeof(ngx_msec_t),
                            log);
    if (told->away == NULL) {
        return;
    }

    for (i = 0; i < ymcf->cas->services.nelts; i++) {
        told->away[i] = ngx_current_msec;
    }

    ngx_queue_init(&told->jobs);
    ngx_http_yimen_told_nobody.fd = (ngx_socket_t) -1;
    told->conf = ymcf;
    told->open = 1;
    told->timer.handler = ngx_http_yimen_told_look;
    told->timer.data = &ngx_http_yimen_told_nobody;
    told->timer.log = log;
    told->timer.cancelable = 1;

    ngx_add_timer(&told->timer, NGX_HTTP_YIMEN_TOLD_PAUSE);
}


void
ngx_http_yimen_cas_logout_close(void)
{
    ngx_queue_t                *q;
    ngx_http_yimen_told_t      *told;
    ngx_http_yimen_told_job_t  *job;

    told = &ngx_http_yimen_told;

    if (!told->open) {
        return;
    }

    if (told->timer.timer_set) {
        ngx_del_timer(&told->timer);
    }

    told->open = 0;

    while (!ngx_queue_empty(&told->jobs)) {
        q = ngx_queue_head(&told->jobs);
        job = ngx_queue_data(q, ngx_http_yimen_told_job_t, queue);
        ngx_destroy_pool(job->pool);
    }

    ngx_free(told->away);
    told->away = NULL;
}


static void
ngx_http_yimen_told_look(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_http_yimen_told_t   *told;
    ngx_http_yimen_fcall_t   call;

    told = &ngx_http_yimen_told;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(&told->timer, NGX_HTTP_YIMEN_TOLD_PAUSE);

    if (told->asked || told->flying >= NGX_HTTP_YIMEN_TOLD_FLIGHT) {
        return;
    }

    for (i = 0; i < (ngx_uint_t) told->conf->catalog->site.shards; i++) {
        ngx_http_yimen_fcall_init(&call, YM_FN_CAS_ENDED, i);
        ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_TOLD_TURN);
        ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_TOLD_TRIES);
        ngx_http_yimen_fcall_int(&call, told->conf->cas->timeout + 1000);
        ngx_http_yimen_fcall_int(&call, told->conf->cas->retry);

        if (ngx_http_yimen_fcall_send(&call, NULL, ngx_http_yimen_told_ended,
                                      (void *) (uintptr_t) i)
            == NGX_OK)
        {
            told->asked++;
        }
    }
}


static void
ngx_http_yimen_told_ended(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    size_t  i;

    ngx_http_yimen_told.asked--;

    if (why != NGX_HTTP_YIMEN_REDIS_OK || *reply == NULL
        || (*reply)->type != REDIS_REPLY_ARRAY || !ngx_http_yimen_told.open)
    {
        return;
    }

    for (i = 0; i < (*reply)->elements; i++) {
        ngx_http_yimen_told_one((ngx_uint_t) (uintptr_t) data,
                           ngx_http_yimen_reply_str((*reply)->element[i]));
    }
}


static void
ngx_http_yimen_told_one(ngx_uint_t shard, struct ym_str entry)
{
    char                                 url[2 * YM_CAS_SERVICE_MAX];
    ngx_int_t                            rc;
    ngx_uint_t                           nth;
    struct ym_buf                        body, plain;
    struct ym_str                        sealed;
    ngx_http_yimen_told_t               *told;
    ngx_http_yimen_fetch_t               what;
    ngx_http_yimen_cas_grant_t           grant;
    const ngx_http_yimen_cas_service_t  *service;

    static const ngx_http_yimen_pair_t  headers[] = {
        { { "Content-Type", 12 },
          { "application/x-www-form-urlencoded", 33 } }
    };

    told = &ngx_http_yimen_told;
    rc = NGX_DECLINED;
    sealed = entry;
    nth = 1;

    if (entry.n && entry.p[0] >= '2' && entry.p[0] <= '9') {
        nth = (ngx_uint_t) (entry.p[0] - '0');
        sealed.p++;
        sealed.n--;
    }

    ym_buf_init(&plain, 8192);
    ym_buf_init(&body, 8192);

    if (ngx_http_yimen_cas_open(told->conf, NGX_HTTP_YIMEN_CAS_USE, sealed,
                                &grant, &plain)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, told->timer.log, 0,
                      "event=cas.logout err=\"what was kept of an "
                      "application cannot be opened\"");
        goto done;
    }

    /* it may have been taken out of the configuration */

    service = ngx_http_yimen_cas_service(told->conf->cas, grant.service);

    if (service == NULL || !service->told
        || !ym_cas_matches(service->url, service->prefix, grant.url)
        || grant.url.n >= sizeof(url)
        || ngx_http_yimen_told_body(grant.ticket, &body) != NGX_OK)
    {
        goto done;
    }

    (void) ngx_cpystrn((u_char *) url, (u_char *) (uintptr_t) grant.url.p,
                       grant.url.n + 1);

    ngx_memzero(&what, sizeof(ngx_http_yimen_fetch_t));
    what.method = "POST";
    what.url = (service->logout != NULL) ? service->logout : url;
    what.headers = headers;
    what.header_count = YM_COUNT(headers);
    what.body = ym_buf_str(&body);
    what.ca = service->ca;
    what.inside = service->inside;
    what.timeout = (ngx_msec_t) told->conf->cas->timeout;
    what.max_body = NGX_HTTP_YIMEN_TOLD_BODY;

    /* one that was away just now gets its turn later: others wait for theirs */

    rc = NGX_OK;

    if ((ngx_msec_int_t) (ngx_current_msec
                          - *ngx_http_yimen_told_away(service))
        >= 0)
    {
        rc = ngx_http_yimen_told_send(shard, nth, entry, service, &what);
    }

done:

    if (rc == NGX_DECLINED) {
        ngx_http_yimen_told_settled(shard, entry);
    }

    ym_buf_wipe(&plain);
    ym_buf_clear(&body);
}


static ngx_msec_t *
ngx_http_yimen_told_away(const ngx_http_yimen_cas_service_t *service)
{
    const ngx_http_yimen_cas_service_t  *list;

    list = ngx_http_yimen_told.conf->cas->services.elts;

    return &ngx_http_yimen_told.away[service - list];
}


/* what cannot be sent now comes back as if it had not been heard */

static ngx_int_t
ngx_http_yimen_told_send(ngx_uint_t shard, ngx_uint_t nth,
    struct ym_str entry, const ngx_http_yimen_cas_service_t *service,
    const ngx_http_yimen_fetch_t *what)
{
    char                       *copy;
    ngx_pool_t                 *pool;
    ngx_pool_cleanup_t         *cln;
    ngx_http_yimen_told_job_t  *job;

    pool = ngx_create_pool(1024, ngx_http_yimen_told.timer.log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_yimen_told_job_t));
    copy = ngx_pnalloc(pool, entry.n);

    if (cln == NULL || copy == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_memcpy(copy, entry.p, entry.n);

    job = cln->data;
    job->pool = pool;
    job->shard = shard;
    job->nth = nth;
    job->entry = (struct ym_str){ copy, entry.n };
    job->service = service;

    ngx_queue_insert_tail(&ngx_http_yimen_told.jobs, &job->queue);
    ngx_http_yimen_told.flying++;
    cln->handler = ngx_http_yimen_told_free;

    if (ngx_http_yimen_fetch(pool, what, ngx_http_yimen_told_done, job)
        != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_told_free(void *data)
{
    ngx_http_yimen_told_job_t  *job = data;

    ngx_queue_remove(&job->queue);
    ngx_http_yimen_told.flying--;
}


/* it has heard, or there is nobody to hear: it does not come back */

static void
ngx_http_yimen_told_settled(ngx_uint_t shard, struct ym_str entry)
{
    ngx_http_yimen_fcall_t  call;

    ngx_http_yimen_fcall_init(&call, YM_FN_CAS_TOLD, shard);
    ngx_http_yimen_fcall_arg(&call, entry);

    (void) ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);
}


static ngx_int_t
ngx_http_yimen_told_body(struct ym_str ticket, struct ym_buf *out)
{
    char           id[2 * 16 + 2];
    u_char         random[16];
    ym_status      rc;
    struct ym_buf  xml;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    /* an XML id begins with no digit */

    id[0] = '_';
    ym_hex(random, sizeof(random), false, id + 1);

    ym_buf_init(&xml, 4096);
    rc = ym_cas_logout(&xml, id, ym_now_ms(), ticket);

    if (rc == YM_OK) {
        ym_buf_adds(out, "logoutRequest=");
        rc = ym_buf_add_uri(out, ym_buf_str(&xml));
    }

    ym_buf_clear(&xml);

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_yimen_told_done(void *data, const ngx_http_yimen_fetched_t *answer)
{
    ngx_uint_t                  level, over;
    ngx_http_yimen_told_t      *told;
    ngx_http_yimen_told_job_t  *job = data;

    told = &ngx_http_yimen_told;
    level = NGX_LOG_INFO;

    /* a word that means "not now" is no answer */

    over = answer->refused
           || (answer->status >= 200 && answer->status < 500
               && answer->status != 408 && answer->status != 429);

    if (!over) {
        *ngx_http_yimen_told_away(job->service) = ngx_current_msec
                                   + (ngx_msec_t) told->conf->cas->retry / 2;
    }

    if (!over || answer->status >= 400) {
        level = NGX_LOG_WARN;
    }

    ngx_log_error(level, told->timer.log, 0,
                  "event=cas.logout service=%s status=%ui try=%ui%s%s%s",
                  job->service->id, answer->status, job->nth,
                  answer->error ? " err=\"" : "",
                  answer->error ? answer->error : "",
                  answer->error ? "\"" : "");

    if (over) {
        ngx_http_yimen_told_settled(job->shard, job->entry);

    } else if (job->nth >= NGX_HTTP_YIMEN_TOLD_TRIES) {
        ngx_log_error(NGX_LOG_WARN, told->timer.log, 0,
                      "event=cas.logout_given_up service=%s",
                      job->service->id);
    }

    ngx_destroy_pool(job->pool);
}
