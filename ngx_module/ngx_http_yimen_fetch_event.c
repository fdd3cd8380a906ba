/* SPDX-License-Identifier: Apache-2.0
 * libcurl's multi interface on nginx's event loop.
 *
 * Ownership: libcurl opens and closes its sockets; nginx lends each of them a
 * connection slot with two level-triggered events while libcurl watches it.
 * libcurl takes a socket back (CURL_POLL_REMOVE) before it closes it, so no
 * event of ours ever stands for a number that means something else.  Nothing
 * here calls libcurl from inside one of its callbacks.
 */
#include "ngx_http_yimen_fetch_priv.h"


#define NGX_HTTP_YIMEN_FETCH_PER_HOST  64L
#define NGX_HTTP_YIMEN_FETCH_IN_ALL    256L
#define NGX_HTTP_YIMEN_FETCH_KEPT      32L


static int ngx_http_yimen_fetch_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *lent);
static ngx_int_t ngx_http_yimen_fetch_watch(ngx_connection_t *c, int what);
static void ngx_http_yimen_fetch_release(ngx_connection_t *c);
static int ngx_http_yimen_fetch_timer(CURLM *multi, long ms, void *data);
static void ngx_http_yimen_fetch_on_read(ngx_event_t *ev);
static void ngx_http_yimen_fetch_on_write(ngx_event_t *ev);
static void ngx_http_yimen_fetch_on_time(ngx_event_t *ev);
static void ngx_http_yimen_fetch_act(curl_socket_t fd, int what);


static struct {
    CURLM        *multi;
    ngx_event_t   timer;
    ngx_log_t    *log;
} ngx_http_yimen_fetch_loop;


ngx_int_t
ngx_http_yimen_fetch_loop_open(ngx_log_t *log)
{
    CURLM        *multi;
    ngx_event_t  *timer;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NGX_ERROR;
    }

    multi = curl_multi_init();
    if (multi == NULL) {
        curl_global_cleanup();
        return NGX_ERROR;
    }

    timer = &ngx_http_yimen_fetch_loop.timer;
    ngx_memzero(timer, sizeof(ngx_event_t));

    timer->handler = ngx_http_yimen_fetch_on_time;
    timer->data = &ngx_http_yimen_fetch_loop;
    timer->log = log;

    /* who waits for an answer has a timer of his own, and that one counts */

    timer->cancelable = 1;

    ngx_http_yimen_fetch_loop.multi = multi;
    ngx_http_yimen_fetch_loop.log = log;

    (void) curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                             ngx_http_yimen_fetch_socket);
    (void) curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_http_yimen_fetch_timer);
    (void) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                             NGX_HTTP_YIMEN_FETCH_PER_HOST);
    (void) curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             NGX_HTTP_YIMEN_FETCH_IN_ALL);
    (void) curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             NGX_HTTP_YIMEN_FETCH_KEPT);

    return NGX_OK;
}


void
ngx_http_yimen_fetch_loop_close(void)
{
    if (ngx_http_yimen_fetch_loop.multi == NULL) {
        return;
    }

    (void) curl_multi_cleanup(ngx_http_yimen_fetch_loop.multi);
    ngx_http_yimen_fetch_loop.multi = NULL;

    if (ngx_http_yimen_fetch_loop.timer.timer_set) {
        ngx_del_timer(&ngx_http_yimen_fetch_loop.timer);
    }

    curl_global_cleanup();
}


ngx_int_t
ngx_http_yimen_fetch_loop_add(ngx_http_yimen_fetch_job_t *job)
{
    if (ngx_http_yimen_fetch_loop.multi == NULL
        || curl_multi_add_handle(ngx_http_yimen_fetch_loop.multi, job->easy)
           != CURLM_OK)
    {
        return NGX_ERROR;
    }

    job->added = 1;

    return NGX_OK;
}


void
ngx_http_yimen_fetch_loop_remove(ngx_http_yimen_fetch_job_t *job)
{
    if (job->added) {
        (void) curl_multi_remove_handle(ngx_http_yimen_fetch_loop.multi,
                                        job->easy);
        job->added = 0;
    }
}


/* libcurl's callback: watch this socket so, or no more */

static int
ngx_http_yimen_fetch_socket(CURL *easy, curl_socket_t fd, int what, void *data,
    void *lent)
{
    ngx_log_t         *log;
    ngx_connection_t  *c = lent;

    if (what == CURL_POLL_REMOVE) {

        if (c != NULL) {
            ngx_http_yimen_fetch_release(c);
            (void) curl_multi_assign(ngx_http_yimen_fetch_loop.multi, fd,
                                     NULL);
        }

        return 0;
    }

    if (c == NULL) {
        log = ngx_http_yimen_fetch_loop.log;

        c = ngx_get_connection(fd, log);

        if (c == NULL) {
            /* not watched: the request's own time limit ends it */
            return 0;
        }

        c->log = log;
        c->read->log = log;
        c->write->log = log;
        c->read->handler = ngx_http_yimen_fetch_on_read;
        c->write->handler = ngx_http_yimen_fetch_on_write;

        if (curl_multi_assign(ngx_http_yimen_fetch_loop.multi, fd, c)
            != CURLM_OK)
        {
            ngx_http_yimen_fetch_release(c);
            return 0;
        }
    }

    if (ngx_http_yimen_fetch_watch(c, what) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_yimen_fetch_loop.log, 0,
                      "event=fetch.unwatched");
    }

    return 0;
}


static ngx_int_t
ngx_http_yimen_fetch_watch(ngx_connection_t *c, int what)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if ((what & CURL_POLL_IN) && !c->read->active) {
        rc = ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);

    } else if (!(what & CURL_POLL_IN) && c->read->active) {
        rc = ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if ((what & CURL_POLL_OUT) && !c->write->active) {
        return ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }

    if (!(what & CURL_POLL_OUT) && c->write->active) {
        return ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


/* gives the slot back; the socket is libcurl's and stays open */

static void
ngx_http_yimen_fetch_release(ngx_connection_t *c)
{
    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    c->shared = 1;
    ngx_close_connection(c);
}


/* libcurl's callback: call again in ms; -1 = never, 0 = soon, not from here */

static int
ngx_http_yimen_fetch_timer(CURLM *multi, long ms, void *data)
{
    ngx_event_t  *timer;

    timer = &ngx_http_yimen_fetch_loop.timer;

    /* ngx_add_timer() alone would keep an old time that is near the new one */

    if (timer->timer_set) {
        ngx_del_timer(timer);
    }

    if (ms >= 0) {
        ngx_add_timer(timer, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_http_yimen_fetch_on_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;
    ngx_http_yimen_fetch_act(c->fd, CURL_CSELECT_IN);
}


static void
ngx_http_yimen_fetch_on_write(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;
    ngx_http_yimen_fetch_act(c->fd, CURL_CSELECT_OUT);
}


static void
ngx_http_yimen_fetch_on_time(ngx_event_t *ev)
{
    ngx_http_yimen_fetch_act(CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_http_yimen_fetch_act(curl_socket_t fd, int what)
{
    int                          left, running;
    CURL                        *easy;
    CURLMsg                     *message;
    CURLcode                     code;
    ngx_http_yimen_fetch_job_t  *job;

    (void) curl_multi_socket_action(ngx_http_yimen_fetch_loop.multi, fd, what,
                                    &running);

    for ( ;; ) {
        message = curl_multi_info_read(ngx_http_yimen_fetch_loop.multi, &left);

        if (message == NULL) {
            return;
        }

        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        /* removing the handle frees the message */

        easy = message->easy_handle;
        code = message->data.result;
        job = NULL;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &job);

        ngx_http_yimen_fetch_loop_remove(job);
        ngx_http_yimen_fetch_over(job, code);
    }
}
