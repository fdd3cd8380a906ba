/* SPDX-License-Identifier: Apache-2.0
 * Sign-ins under way.
 *
 * Ownership: a flight is its pool; the fetch and the call to Redis that are
 * under way end with it.
 */
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_fetch.h"
#include "ngx_http_yimen_jar.h"

#include "ym_store_vault.h"
#include "ym_time.h"


/*
 * Each holds two pages of 2 MiB at most; a start of work with everybody at
 * once goes by in several rounds.
 */
#define NGX_HTTP_YIMEN_FLIGHTS         200

/* failures of any people in a row, and the rest after them */
#define NGX_HTTP_YIMEN_FLIGHT_STRIKES  5
#define NGX_HTTP_YIMEN_FLIGHT_REST     30000

#define NGX_HTTP_YIMEN_FLIGHT_HEADERS  7


struct ngx_http_yimen_flight_s {
    ngx_queue_t                        queue;
    ngx_pool_t                        *pool;
    const ngx_http_yimen_main_conf_t  *conf;
    const ngx_http_yimen_app_t        *app;
    ngx_http_yimen_holder_t            person;
    char                               holder[NGX_HTTP_YIMEN_HOLDER_HEX];
    struct ym_str                      since;
    struct ym_signin                  *machine;
    ngx_queue_t                        waiting;
};


static void ngx_http_yimen_flights_open(void);
static void ngx_http_yimen_flight_free(void *data);
static void ngx_http_yimen_flight_step(ngx_http_yimen_flight_t *f);
static void ngx_http_yimen_flight_answer(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_flight_end(ngx_http_yimen_flight_t *f,
    enum ym_signin_end end);
static void ngx_http_yimen_flight_strike(ngx_http_yimen_flight_t *f,
    enum ym_signin_end end);
static ngx_int_t ngx_http_yimen_flight_keep(ngx_http_yimen_flight_t *f,
    ngx_http_yimen_fcall_t *call);
static void ngx_http_yimen_flight_told(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_flight_wake(ngx_http_yimen_flight_t *f);


static struct {
    ngx_queue_t   queue;
    ngx_uint_t    count;
    ngx_uint_t    strikes[NGX_HTTP_YIMEN_APPS_MAX];
    ngx_msec_t    rest[NGX_HTTP_YIMEN_APPS_MAX];     /* until then */
    unsigned      open:1;
} ngx_http_yimen_flights;


ngx_uint_t
ngx_http_yimen_flight_open(const ngx_http_yimen_app_t *app)
{
    return ngx_http_yimen_flights.strikes[app->index]
           < NGX_HTTP_YIMEN_FLIGHT_STRIKES
           || (ngx_msec_int_t) (ngx_current_msec
                                - ngx_http_yimen_flights.rest[app->index])
              >= 0;
}


ngx_int_t
ngx_http_yimen_flight_begin(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    const char *holder, struct ym_str since,
    const struct ym_credentials *who, ngx_http_yimen_app_why_e *ret_why)
{
    char                     *text;
    ngx_pool_t               *pool;
    ngx_pool_cleanup_t       *cln;
    ngx_http_yimen_flight_t  *f;

    ngx_http_yimen_flights_open();

    *ret_why = NGX_HTTP_YIMEN_APP_BROKEN;

    if (ngx_http_yimen_flights.count >= NGX_HTTP_YIMEN_FLIGHTS) {
        *ret_why = NGX_HTTP_YIMEN_APP_AWAY;
        return NGX_DECLINED;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_yimen_flight_t));
    text = ngx_pnalloc(pool, person->subject.n + since.n + 1);

    if (cln == NULL || text == NULL) {
        ngx_destroy_pool(pool);
        return NGX_DECLINED;
    }

    f = cln->data;
    ngx_memzero(f, sizeof(ngx_http_yimen_flight_t));

    f->pool = pool;
    f->conf = ymcf;
    f->app = app;
    f->person = *person;
    f->person.subject.p = text;
    f->since.p = text + person->subject.n;
    f->since.n = since.n;

    ngx_memcpy(text, person->subject.p, person->subject.n);
    ngx_memcpy(text + person->subject.n, since.p, since.n);
    ngx_memcpy(f->holder, holder, NGX_HTTP_YIMEN_HOLDER_HEX);

    ngx_queue_init(&f->waiting);

    if (ym_signin_open(app->recipe, who, ym_now_ms(), &f->machine) != YM_OK) {
        ngx_destroy_pool(pool);
        return NGX_DECLINED;
    }

    cln->handler = ngx_http_yimen_flight_free;
    ngx_queue_insert_tail(&ngx_http_yimen_flights.queue, &f->queue);
    ngx_http_yimen_flights.count++;

    ngx_http_yimen_flight_step(f);

    return NGX_OK;
}


static void
ngx_http_yimen_flight_free(void *data)
{
    ngx_http_yimen_flight_t  *f = data;

    ngx_queue_remove(&f->queue);
    ngx_http_yimen_flights.count--;

    ym_signin_close(f->machine);
}


ngx_int_t
ngx_http_yimen_flight_join(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person, ngx_http_yimen_flight_wait_t *wait)
{
    ngx_queue_t              *q;
    ngx_http_yimen_flight_t  *f;

    if (!ngx_http_yimen_flights.open) {
        return NGX_DECLINED;
    }

    for (q = ngx_queue_head(&ngx_http_yimen_flights.queue);
         q != ngx_queue_sentinel(&ngx_http_yimen_flights.queue);
         q = ngx_queue_next(q))
    {
        f = ngx_queue_data(q, ngx_http_yimen_flight_t, queue);

        if (f->app == app
            && ngx_memcmp(f->person.digest, person->digest, YM_DIGEST_HEX)
               == 0)
        {
            ngx_queue_insert_tail(&f->waiting, &wait->queue);
            wait->waiting = 1;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_http_yimen_flight_leave(ngx_http_yimen_flight_wait_t *wait)
{
    if (wait->waiting) {
        ngx_queue_remove(&wait->queue);
        wait->waiting = 0;
    }
}


static void
ngx_http_yimen_flights_open(void)
{
    if (!ngx_http_yimen_flights.open) {
        ngx_queue_init(&ngx_http_yimen_flights.queue);
        ngx_http_yimen_flights.open = 1;
    }
}


void
ngx_http_yimen_flights_close(void)
{
    ngx_http_yimen_flight_t  *f;

    if (!ngx_http_yimen_flights.open) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_yimen_flights.queue)) {
        f = ngx_queue_data(ngx_queue_head(&ngx_http_yimen_flights.queue),
                           ngx_http_yimen_flight_t, queue);
        ngx_destroy_pool(f->pool);
    }
}


static void
ngx_http_yimen_flight_step(ngx_http_yimen_flight_t *f)
{
    if (ngx_http_yimen_flight_fetch(f->pool, f->app,
                                    ym_signin_ask(f->machine),
                                    ngx_http_yimen_flight_answer, f)
        != NGX_OK)
    {
        ngx_http_yimen_flight_end(f, YM_SIGNIN_AWAY);
    }
}


/* an application that is told its public name is told the scheme as well */

static const char *
ngx_http_yimen_flight_scheme(const struct ym_recipe *recipe)
{
    if (recipe->host == NULL || recipe->public == NULL) {
        return NULL;
    }

    return (ngx_strncmp(recipe->public, "https:", 6) == 0) ? "https" : "http";
}


ngx_int_t
ngx_http_yimen_flight_fetch(ngx_pool_t *pool, const ngx_http_yimen_app_t *app,
    const struct ym_signin_ask *ask, ngx_http_yimen_fetch_pt handler,
    void *data)
{
    ngx_uint_t               i;
    ngx_http_yimen_fetch_t   what;
    ngx_http_yimen_pair_t    headers[NGX_HTTP_YIMEN_FLIGHT_HEADERS];

    const struct {
        const char  *name;
        const char  *value;
    } rows[] = {
        { "User-Agent", "Mozilla/5.0 (compatible; Yimen)" },
        { "Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" },
        { "Host", app->recipe->host },
        { "X-Forwarded-Proto", ngx_http_yimen_flight_scheme(app->recipe) },
        { "Cookie", ask->cookie },
        { "Referer", ask->referer },
        { "Content-Type", ask->type }
    };

    ngx_memzero(&what, sizeof(ngx_http_yimen_fetch_t));

    for (i = 0; i < YM_COUNT(rows); i++) {
        if (rows[i].value != NULL) {
            headers[what.header_count].name = ym_str_of(rows[i].name);
            headers[what.header_count++].value = ym_str_of(rows[i].value);
        }
    }

    what.method = ask->method;
    what.url = ask->url;
    what.headers = headers;
    what.body = ask->body;
    what.ca = app->recipe->ca;
    what.inside = 1;
    what.timeout = (ngx_msec_t) app->recipe->timeout_ms;
    what.max_body = YM_SIGNIN_PAGE_BYTES;

    return ngx_http_yimen_fetch(pool, &what, handler, data);
}


static void
ngx_http_yimen_flight_answer(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    enum ym_signin_end        end;
    struct ym_signin_got      got;
    ngx_http_yimen_flight_t  *f = data;

    if (ngx_http_yimen_flight_got(f->pool, answer, &got) != NGX_OK) {
        ngx_http_yimen_flight_end(f, YM_SIGNIN_BROKEN);
        return;
    }

    end = ym_signin_answer(f->machine, &got);

    if (end == YM_SIGNIN_GOING) {
        ngx_http_yimen_flight_step(f);
        return;
    }

    if (answer->error != NULL) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "event=application.away system=%s err=\"%s\"",
                      f->app->id, answer->error);
    }

    ngx_http_yimen_flight_end(f, end);
}


ngx_int_t
ngx_http_yimen_flight_got(ngx_pool_t *pool,
    const ngx_http_yimen_fetched_t *answer, struct ym_signin_got *ret)
{
    char            *p;
    ngx_uint_t       i;
    struct ym_str    name, value;
    struct ym_pair  *pairs;

    pairs = ngx_palloc(pool, (answer->header_count + 1)
                             * sizeof(struct ym_pair));
    if (pairs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < answer->header_count; i++) {
        name = answer->headers[i].name;
        value = answer->headers[i].value;

        p = ngx_pnalloc(pool, name.n + value.n + 2);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, name.p, name.n);
        p[name.n] = '\0';
        ngx_memcpy(p + name.n + 1, value.p, value.n);
        p[name.n + 1 + value.n] = '\0';

        pairs[i].name = p;
        pairs[i].value = p + name.n + 1;
    }

    ret->status = (int) answer->status;
    ret->too_large = answer->too_large;
    ret->headers = pairs;
    ret->header_count = answer->header_count;
    ret->body = answer->body;

    return NGX_OK;
}


static void
ngx_http_yimen_flight_end(ngx_http_yimen_flight_t *f, enum ym_signin_end end)
{
    ngx_int_t               rc;
    ngx_uint_t              hold;
    ngx_http_yimen_fcall_t  call;

    ngx_http_yimen_flight_strike(f, end);

    if (end == YM_SIGNIN_IN) {
        rc = ngx_http_yimen_flight_keep(f, &call);

    } else {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "event=application.sign_in_failed system=%s why=%s",
                      f->app->id, ym_signin_word(end));

        /* a service account that is refused: for everybody's sake not soon */

        hold = (end == YM_SIGNIN_REFUSED) ? 600000
               : (end == YM_SIGNIN_AWAY || end == YM_SIGNIN_BROKEN) ? 15000
               : 60000;

        ngx_http_yimen_fcall_init(&call, YM_FN_JAR_FAIL, f->person.shard);
        ngx_http_yimen_fcall_z(&call, f->person.digest);
        ngx_http_yimen_fcall_z(&call, f->app->id);
        ngx_http_yimen_fcall_z(&call, f->holder);
        ngx_http_yimen_fcall_z(&call, ym_signin_word(end));
        ngx_http_yimen_fcall_int(&call, (int64_t) hold);
        ngx_http_yimen_fcall_arg(&call, (end == YM_SIGNIN_REFUSED
                                         && f->app->password == NULL)
                                        ? f->since : YM_STR(""));

        rc = ngx_http_yimen_fcall_send(&call, f->pool,
                                       ngx_http_yimen_flight_told, f);
    }

    if (rc != NGX_OK) {
        ngx_http_yimen_flight_wake(f);
    }
}


static void
ngx_http_yimen_flight_strike(ngx_http_yimen_flight_t *f,
    enum ym_signin_end end)
{
    ngx_uint_t  i;

    i = f->app->index;

    if (end != YM_SIGNIN_AWAY && end != YM_SIGNIN_TOO_LARGE
        && end != YM_SIGNIN_LOOP)
    {
        ngx_http_yimen_flights.strikes[i] = 0;
        return;
    }

    if (++ngx_http_yimen_flights.strikes[i] >= NGX_HTTP_YIMEN_FLIGHT_STRIKES) {
        ngx_http_yimen_flights.rest[i] = ngx_current_msec
                                         + NGX_HTTP_YIMEN_FLIGHT_REST;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "event=application.suspended system=%s after=%ui",
                      f->app->id, ngx_http_yimen_flights.strikes[i]);
    }
}


static ngx_int_t
ngx_http_yimen_flight_keep(ngx_http_yimen_flight_t *f,
    ngx_http_yimen_fcall_t *call)
{
    char                        *key;
    size_t                       i;
    struct ym_buf               *sealed;
    ngx_int_t                    rc;
    const struct ym_jar         *jar;
    const struct ym_jar_cookie  *cookie;

    jar = ym_signin_jar(f->machine);
    rc = NGX_ERROR;

    ngx_http_yimen_fcall_init(call, YM_FN_JAR_KEEP, f->person.shard);
    ngx_http_yimen_fcall_z(call, f->person.digest);
    ngx_http_yimen_fcall_z(call, f->app->id);
    ngx_http_yimen_fcall_z(call, f->holder);
    ngx_http_yimen_fcall_int(call, f->app->recipe->keep_ms);

    sealed = ngx_pcalloc(f->pool, (jar->count + 1) * sizeof(struct ym_buf));
    if (sealed == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < jar->count; i++) {
        cookie = &jar->items[i];

        if (cookie->gone) {
            continue;
        }

        key = ngx_pnalloc(f->pool, YM_DIGEST_HEX);

        if (key == NULL
            || ngx_http_yimen_jar_seal(f->conf, f->app, &f->person, f->holder,
                                       cookie, key, &sealed[i])
               != NGX_OK)
        {
            goto done;
        }

        ngx_http_yimen_fcall_z(call, key);
        ngx_http_yimen_fcall_arg(call, ym_buf_str(&sealed[i]));
    }

    rc = ngx_http_yimen_fcall_send(call, f->pool, ngx_http_yimen_flight_told,
                                   f);

done:

    for (i = 0; i < jar->count; i++) {
        ym_buf_clear(&sealed[i]);
    }

    return rc;
}


static void
ngx_http_yimen_flight_told(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_flight_t  *f = data;

    if (why == NGX_HTTP_YIMEN_REDIS_OK && *reply != NULL
        && (*reply)->type == REDIS_REPLY_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "event=redis.refused err=\"%*s\"",
                      ngx_min((*reply)->len, 48), (*reply)->str);
    }

    ngx_http_yimen_flight_wake(f);
}


/* everybody asks the store again: it is the one who knows */

static void
ngx_http_yimen_flight_wake(ngx_http_yimen_flight_t *f)
{
    ngx_queue_t                    waiting, *q;
    ngx_http_yimen_flight_wait_t  *wait;

    ngx_queue_init(&waiting);

    while (!ngx_queue_empty(&f->waiting)) {
        q = ngx_queue_head(&f->waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&waiting, q);
    }

    ngx_destroy_pool(f->pool);

    /* one that leaves meanwhile takes itself off this queue */

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        wait = ngx_queue_data(q, ngx_http_yimen_flight_wait_t, queue);

        ngx_http_yimen_flight_leave(wait);
        wait->handler(wait->data);
    }
}
