/* SPDX-License-Identifier: Apache-2.0
 * Signing out of applications that people were signed in to by a form.
 */
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_fetch.h"
#include "ngx_http_yimen_jar.h"

#include "ym_store_vault.h"
#include "ym_time.h"


/* a sign-out: the cookies as they were */
typedef struct {
    ngx_queue_t                        queue;
    ngx_pool_t                        *pool;
    const ngx_http_yimen_main_conf_t  *conf;
    ngx_http_yimen_holder_t            person;
    struct ym_arena                   *arena;
    ngx_uint_t                         under_way;
} ngx_http_yimen_sign_out_t;

/* one application of it */
typedef struct {
    ngx_http_yimen_sign_out_t         *out;
    const ngx_http_yimen_app_t        *app;
    struct ym_jar                      jar;
    const char                        *url;
    unsigned                           asked:1;
} ngx_http_yimen_farewell_t;


static void ngx_http_yimen_sign_out_free(void *data);
static void ngx_http_yimen_sign_out_jars(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_sign_out_from(ngx_http_yimen_sign_out_t *out,
    const redisReply *row);
static void ngx_http_yimen_farewell_send(ngx_http_yimen_farewell_t *bye,
    struct ym_signin_ask *ask);
static void ngx_http_yimen_farewell_answer(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_sign_out_less(ngx_http_yimen_sign_out_t *out);


static struct {
    ngx_queue_t   queue;
    unsigned      open:1;
} ngx_http_yimen_farewells;


/* ---- signing out ---- */

void
ngx_http_yimen_farewell_say(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject)
{
    char                       *text;
    ngx_uint_t                  i, n;
    ngx_pool_t                 *pool;
    ngx_pool_cleanup_t         *cln;
    ngx_http_yimen_fcall_t      call;
    ngx_http_yimen_holder_t     person;
    ngx_http_yimen_sign_out_t  *out;

    if (ymcf->apps.nelts == 0
        || ngx_http_yimen_holder(ymcf, subject, &person) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_fcall_init(&call, YM_FN_JAR_END, person.shard);
    ngx_http_yimen_fcall_z(&call, person.digest);
    n = 0;

    for (i = 0; i < ngx_http_yimen_apps_count(ymcf); i++) {
        if (ngx_http_yimen_app_at(ymcf, i)->recipe != NULL) {
            ngx_http_yimen_fcall_z(&call, ngx_http_yimen_app_at(ymcf, i)->id);
            n++;
        }
    }

    if (n == 0) {
        return;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_yimen_sign_out_t));
    text = ngx_pnalloc(pool, subject.n + 1);

    if (cln == NULL || text == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    ngx_memcpy(text, subject.p, subject.n);

    out = cln->data;
    ngx_memzero(out, sizeof(ngx_http_yimen_sign_out_t));
    out->pool = pool;
    out->conf = ymcf;
    out->person = person;
    out->person.subject.p = text;
    out->under_way = 1;
    cln->handler = ngx_http_yimen_sign_out_free;

    if (!ngx_http_yimen_farewells.open) {
        ngx_queue_init(&ngx_http_yimen_farewells.queue);
        ngx_http_yimen_farewells.open = 1;
    }

    ngx_queue_insert_tail(&ngx_http_yimen_farewells.queue, &out->queue);

    if (ngx_http_yimen_fcall_send(&call, pool, ngx_http_yimen_sign_out_jars,
                                  out)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "event=application.sign_out_failed err=\"no Redis\"");
        ngx_destroy_pool(pool);
    }
}


void
ngx_http_yimen_farewells_close(void)
{
    ngx_http_yimen_sign_out_t  *out;

    while (ngx_http_yimen_farewells.open
           && !ngx_queue_empty(&ngx_http_yimen_farewells.queue))
    {
        out = ngx_queue_data(ngx_queue_head(&ngx_http_yimen_farewells.queue),
                             ngx_http_yimen_sign_out_t, queue);
        ngx_destroy_pool(out->pool);
    }
}


static void
ngx_http_yimen_sign_out_free(void *data)
{
    ngx_http_yimen_sign_out_t  *out = data;

    ngx_queue_remove(&out->queue);
    ym_arena_close(out->arena);
}


static void
ngx_http_yimen_sign_out_jars(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_uint_t                  i;
    ngx_http_yimen_sign_out_t  *out = data;

    out->arena = ym_arena_open();

    if (why == NGX_HTTP_YIMEN_REDIS_OK && out->arena != NULL
        && (*reply)->type == REDIS_REPLY_ARRAY)
    {
        for (i = 0; i < (ngx_uint_t) (*reply)->elements; i++) {
            ngx_http_yimen_sign_out_from(out, (*reply)->element[i]);
        }
    }

    ngx_http_yimen_sign_out_less(out);
}


static void
ngx_http_yimen_sign_out_from(ngx_http_yimen_sign_out_t *out,
    const redisReply *row)
{
    struct ym_str                generation;
    struct ym_signin_ask         ask;
    ngx_http_yimen_farewell_t   *bye;
    const ngx_http_yimen_app_t  *app;

    app = ngx_http_yimen_app_find(out->conf,
                                  ngx_http_yimen_fcall_word(row, 0));
    generation = ngx_http_yimen_fcall_word(row, 1);

    if (app == NULL || app->recipe == NULL || app->recipe->logout == NULL
        || row->elements != 3)
    {
        return;
    }

    bye = ym_arena_alloc(out->arena, sizeof(ngx_http_yimen_farewell_t));
    if (bye == NULL) {
        return;
    }

    bye->out = out;
    bye->app = app;
    ym_jar_init(&bye->jar, out->arena);

    if (ngx_http_yimen_jar_read(out->conf, app, &out->person, generation,
                                row->element[2], &bye->jar)
        != NGX_OK)
    {
        return;
    }

    bye->url = ym_arena_printf(out->arena, "%s%s", app->recipe->origin,
                               app->recipe->logout);
    if (bye->url == NULL) {
        return;
    }

    ngx_memzero(&ask, sizeof(struct ym_signin_ask));
    ask.method = "GET";
    ask.url = bye->url;

    out->under_way++;
    ngx_http_yimen_farewell_send(bye, &ask);
}


static void
ngx_http_yimen_farewell_send(ngx_http_yimen_farewell_t *bye,
    struct ym_signin_ask *ask)
{
    struct ym_buf  cookie;

    ym_buf_init(&cookie, 2 * YM_JAR_HEADER_BYTES);

    if (ym_jar_header(&bye->jar, YM_STR_NULL, YM_STR_NULL, ym_now_ms(),
                      &cookie)
        == YM_OK)
    {
        ask->cookie = cookie.n ? cookie.p : NULL;
    }

    if (ngx_http_yimen_flight_fetch(bye->out->pool, bye->app, ask,
                                    ngx_http_yimen_farewell_answer, bye)
        != NGX_OK)
    {
        ngx_http_yimen_sign_out_less(bye->out);
    }

    ym_buf_wipe(&cookie);
}


/* many applications show a button first: its form is pressed, once */

static void
ngx_http_yimen_farewell_answer(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    struct ym_signin_got        got;
    struct ym_signin_ask        ask;
    struct ym_buf               body;
    ngx_http_yimen_farewell_t  *bye = data;

    ym_buf_init(&body, 64 * 1024);
    ngx_memzero(&ask, sizeof(struct ym_signin_ask));

    if (!bye->asked && answer->status == 200
        && ngx_http_yimen_flight_got(bye->out->pool, answer, &got) == NGX_OK
        && ym_signin_farewell(bye->app->recipe, bye->url, &got, &bye->jar,
                              ym_now_ms(), &body, &ask)
           == YM_OK)
    {
        bye->asked = 1;
        ngx_http_yimen_farewell_send(bye, &ask);
        ym_buf_wipe(&body);
        return;
    }

    if (answer->status == 0 || answer->status >= 400) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "event=application.sign_out_failed system=%s "
                      "status=%ui", bye->app->id, answer->status);
    }

    ym_buf_wipe(&body);
    ngx_http_yimen_sign_out_less(bye->out);
}


static void
ngx_http_yimen_sign_out_less(ngx_http_yimen_sign_out_t *out)
{
    if (--out->under_way == 0) {
        ngx_destroy_pool(out->pool);
    }
}
