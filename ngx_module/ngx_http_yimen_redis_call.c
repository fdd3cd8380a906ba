/* SPDX-License-Identifier: Apache-2.0
 * One call to Redis: sent, answered, handed over; or expired, or forgotten.
 */
#include "ngx_http_yimen_redis_priv.h"


static void ngx_http_yimen_call_deliver(ngx_event_t *ev);
static void ngx_http_yimen_call_release(ngx_http_yimen_redis_call_t *call);


ngx_http_yimen_redis_call_t *
ngx_http_yimen_call_send(ngx_http_yimen_link_t *link, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_yimen_redis_pt handler, void *data)
{
    ngx_msec_t                    timeout;
    ngx_http_yimen_redis_call_t  *call;

    call = ngx_calloc(sizeof(ngx_http_yimen_redis_call_t), link->redis->log);
    if (call == NULL) {
        return NULL;
    }

    if (redisAppendCommandArgv(link->io.context, (int) argc, argv, argvlen)
        != REDIS_OK)
    {
        ngx_free(call);
        return NULL;
    }

    timeout = link->redis->conf->timeout;

    call->link = link;
    call->handler = handler;
    call->data = data;
    call->deadline = ngx_current_msec + timeout;
    call->owed = 1;
    call->event.handler = ngx_http_yimen_call_deliver;
    call->event.data = call;
    call->event.log = link->redis->log;

    ngx_queue_insert_tail(&link->calls, &call->queue);
    link->owed++;
    link->waited++;

    /*
     * One timer per link, at the oldest deadline and moved lazily.  It holds
     * an exiting worker only while somebody waits for an answer.
     */

    link->timer.cancelable = 0;

    if (!link->timer.timer_set) {
        ngx_add_timer(&link->timer, timeout);
    }

    if (link->state >= NGX_HTTP_YIMEN_LINK_GREETING
        && !link->flush.posted && !link->io.connection->write->active)
    {
        ngx_post_event(&link->flush, &ngx_posted_events);
    }

    return call;
}


void
ngx_http_yimen_call_answer(ngx_http_yimen_link_t *link, redisReply *reply)
{
    ngx_http_yimen_redis_call_t  *call;

    call = ngx_queue_data(ngx_queue_head(&link->calls),
                          ngx_http_yimen_redis_call_t, queue);

    if (link->state == NGX_HTTP_YIMEN_LINK_STALLED) {
        (void) ngx_http_yimen_link_move(link, NGX_HTTP_YIMEN_LINK_READY);
    }

    /* nobody waits any more: the late answer is counted off and dropped */

    if (call->handler == NULL || call->event.posted) {
        freeReplyObject(reply);
        ngx_http_yimen_call_end(link, call, call->why);
        return;
    }

    call->reply = reply;
    ngx_http_yimen_call_end(link, call, NGX_HTTP_YIMEN_REDIS_OK);
}


void
ngx_http_yimen_call_end(ngx_http_yimen_link_t *link,
    ngx_http_yimen_redis_call_t *call, ngx_http_yimen_redis_e why)
{
    ngx_queue_remove(&call->queue);
    call->owed = 0;
    link->owed--;

    if (call->handler == NULL) {
        ngx_http_yimen_call_release(call);

    } else if (!call->event.posted) {
        link->waited--;
        call->why = why;
        ngx_post_event(&call->event, &ngx_posted_events);
    }

    if (link->waited == 0) {
        link->timer.cancelable = 1;
    }
}


static void
ngx_http_yimen_call_deliver(ngx_event_t *ev)
{
    void                         *data;
    redisReply                   *reply;
    ngx_http_yimen_redis_e        why;
    ngx_http_yimen_redis_pt       handler;
    ngx_http_yimen_redis_call_t  *call;

    call = ev->data;

    handler = call->handler;
    data = call->data;
    reply = call->reply;
    why = call->why;

    call->handler = NULL;
    call->reply = NULL;

    if (call->cleanup != NULL) {
        call->cleanup->handler = NULL;
        call->cleanup = NULL;
    }

    ngx_http_yimen_call_release(call);

    /* the call is out of reach now: the handler may end its request */

    handler(data, &reply, why);

    if (reply != NULL) {
        freeReplyObject(reply);
    }
}


void
ngx_http_yimen_call_detach(void *data)
{
    ngx_http_yimen_link_t        *link;
    ngx_http_yimen_redis_call_t  *call = data;

    if (call->event.posted) {
        ngx_delete_posted_event(&call->event);

    } else if (call->owed) {
        link = call->link;
        link->waited--;

        if (link->waited == 0) {
            link->timer.cancelable = 1;
        }
    }

    call->handler = NULL;
    call->cleanup = NULL;

    ngx_http_yimen_call_release(call);
}


static void
ngx_http_yimen_call_release(ngx_http_yimen_redis_call_t *call)
{
    if (call->reply != NULL) {
        freeReplyObject(call->reply);
        call->reply = NULL;
    }

    if (!call->owed) {
        ngx_free(call);
    }
}


void
ngx_http_yimen_call_expire(ngx_http_yimen_link_t *link,
    ngx_http_yimen_redis_call_t *call)
{
    if (call->handler != NULL && !call->event.posted) {
        link->waited--;
        call->why = NGX_HTTP_YIMEN_REDIS_TIMEOUT;
        ngx_post_event(&call->event, &ngx_posted_events);
    }
}


void
ngx_http_yimen_call_drop(ngx_http_yimen_redis_call_t *call)
{
    ngx_queue_remove(&call->queue);
    call->owed = 0;

    if (call->cleanup != NULL) {
        call->cleanup->handler = NULL;
    }

    if (call->event.posted) {
        ngx_delete_posted_event(&call->event);
    }

    ngx_http_yimen_call_release(call);
}
