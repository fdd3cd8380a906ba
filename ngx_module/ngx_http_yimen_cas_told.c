/* SPDX-License-Identifier: Apache-2.0
 * Single sign-out: applications hear that a session is over.
 *
 * Whatever ends a session moves what it has signed in to into a list of the
 * store; the first worker looks there every second and posts a LogoutRequest
 * to each.  It is said once, to registered services only, without a redirect
 * followed; an application that does not answer keeps its own session.
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


typedef struct {
    const ngx_http_yimen_main_conf_t  *conf;
    ngx_event_t                        timer;
    ngx_uint_t                         asked;     /* shards without answer */
    ngx_uint_t                         flying;
    unsigned                           open:1;
} ngx_http_yimen_told_t;


static void ngx_http_yimen_told_look(ngx_event_t *ev);
static void ngx_http_yimen_told_ended(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_told_one(struct ym_str sealed);
static ngx_int_t ngx_http_yimen_told_body(struct ym_str ticket,
    struct ym_buf *out);
static void ngx_http_yimen_told_done(void *data,
    const ngx_http_yimen_fetched_t *answer);


static ngx_http_yimen_told_t  ngx_http_yimen_told;


void
ngx_http_yimen_cas_logout_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log)
{
    ngx_http_yimen_told_t  *told;

    told = &ngx_http_yimen_told;
    ngx_memzero(told, sizeof(ngx_http_yimen_told_t));

    if (ymcf->cas == NULL || !ymcf->cas->told || ngx_worker != 0) {
        return;
    }

    told->conf = ymcf;
    told->open = 1;
    told->timer.handler = ngx_http_yimen_told_look;
    told->timer.data = told;
    told->timer.log = log;
    told->timer.cancelable = 1;

    ngx_add_timer(&told->timer, NGX_HTTP_YIMEN_TOLD_PAUSE);
}


void
ngx_http_yimen_cas_logout_close(void)
{
    if (ngx_http_yimen_told.timer.timer_set) {
        ngx_del_timer(&ngx_http_yimen_told.timer);
    }

    ngx_http_yimen_told.open = 0;
}


static void
ngx_http_yimen_told_look(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_http_yimen_told_t   *told;
    ngx_http_yimen_fcall_t   call;

    told = ev->data;

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

        if (ngx_http_yimen_fcall_send(&call, NULL, ngx_http_yimen_told_ended,
                                      NULL)
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
        ngx_http_yimen_told_one(
                           ngx_http_yimen_reply_str((*reply)->element[i]));
    }
}


static void
ngx_http_yimen_told_one(struct ym_str sealed)
{
    char                                 url[2 * YM_CAS_SERVICE_MAX];
    ngx_log_t                           *log;
    struct ym_buf                        body, plain;
    ngx_http_yimen_told_t               *told;
    ngx_http_yimen_fetch_t               what;
    ngx_http_yimen_cas_grant_t           grant;
    const ngx_http_yimen_cas_service_t  *service;

    static const ngx_http_yimen_pair_t  headers[] = {
        { { "Content-Type", 12 },
          { "application/x-www-form-urlencoded", 33 } }
    };

    told = &ngx_http_yimen_told;
    log = told->timer.log;

    ym_buf_init(&plain, 8192);
    ym_buf_init(&body, 8192);

    if (ngx_http_yimen_cas_open(told->conf, NGX_HTTP_YIMEN_CAS_USE, sealed,
                                &grant, &plain)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
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

    if (ngx_http_yimen_fetch(NULL, &what, ngx_http_yimen_told_done,
                             (void *) (uintptr_t) service)
        == NGX_OK)
    {
        told->flying++;
    }

done:

    ym_buf_wipe(&plain);
    ym_buf_clear(&body);
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
    const ngx_http_yimen_cas_service_t  *service = data;

    ngx_http_yimen_told.flying--;

    if (answer->status >= 200 && answer->status < 400) {
        ngx_log_error(NGX_LOG_INFO, ngx_http_yimen_told.timer.log, 0,
                      "event=cas.logout service=%s status=%ui", service->id,
                      answer->status);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_yimen_told.timer.log, 0,
                  "event=cas.logout service=%s status=%ui err=\"%s\"",
                  service->id, answer->status,
                  answer->error ? answer->error : "it did not take it");
}
