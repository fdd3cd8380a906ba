/* SPDX-License-Identifier: Apache-2.0
 * Websockets end with the session they were opened in.  A socket lives for
 * hours and no request of it passes the guard again, so a timer asks for it.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_revoked.h"
#include "ngx_http_yimen_who.h"

#include "ym_time.h"


#define NGX_HTTP_YIMEN_SOCKET_ASK    2000    /* ms between two looks */
#define NGX_HTTP_YIMEN_SOCKET_BLIND  15      /* looks without any answer */


/* lives as long as its request */
typedef struct ngx_http_yimen_socket_s {
    ngx_event_t                    timer;
    ngx_http_request_t            *request;     /* NULL: it was cut */
    ngx_uint_t                     asks;        /* in vain */
    ngx_http_yimen_session_wait_t  wait;
    ngx_http_yimen_identity_t      who;
} ngx_http_yimen_socket_t;


static void ngx_http_yimen_socket_look(ngx_event_t *ev);
static void ngx_http_yimen_socket_known(void *data,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session);
static void ngx_http_yimen_socket_again(ngx_http_yimen_socket_t *sock);
static void ngx_http_yimen_socket_cut(ngx_http_yimen_socket_t *sock,
    const char *why);


ngx_int_t
ngx_http_yimen_socket_watch(ngx_http_request_t *r,
    ngx_http_yimen_front_state_t *state)
{
    ngx_http_yimen_socket_t  *sock;

    if (state->who == NULL || state->socket != NULL) {
        return NGX_OK;
    }

    sock = ngx_pcalloc(r->pool, sizeof(ngx_http_yimen_socket_t));
    if (sock == NULL) {
        return NGX_ERROR;
    }

    sock->request = r;
    sock->who = *state->who;
    sock->timer.handler = ngx_http_yimen_socket_look;
    sock->timer.data = sock;
    sock->timer.log = r->connection->log;
    state->socket = sock;

    ngx_http_yimen_socket_again(sock);

    return NGX_OK;
}


void
ngx_http_yimen_socket_forget(ngx_http_yimen_front_state_t *state)
{
    ngx_http_yimen_socket_t  *sock;

    sock = state->socket;

    if (sock == NULL) {
        return;
    }

    if (sock->timer.timer_set) {
        ngx_del_timer(&sock->timer);
    }

    ngx_http_yimen_session_cancel(&sock->wait);
    state->socket = NULL;
}


static void
ngx_http_yimen_socket_again(ngx_http_yimen_socket_t *sock)
{
    /* all sockets of a worker that was left alone must not ask at once */

    sock->timer.cancelable = 1;
    ngx_add_timer(&sock->timer, NGX_HTTP_YIMEN_SOCKET_ASK / 2
                                 + (ngx_msec_t) ngx_random()
                                   % (NGX_HTTP_YIMEN_SOCKET_ASK / 2));
}


static void
ngx_http_yimen_socket_look(ngx_event_t *ev)
{
    ngx_http_yimen_who_t      *who;
    ngx_http_yimen_socket_t   *sock;
    ngx_http_yimen_session_t  *session;

    sock = ev->data;

    if (sock->who.expires != 0 && ym_now_ms() >= sock->who.expires) {
        ngx_http_yimen_socket_cut(sock, "expired");
        return;
    }

    who = ngx_http_yimen_who_get(sock->request, 0);

    if (who == NULL || who->session == NULL) {

        /* a bearer token: it may have been revoked */

        if (sock->who.marks != NULL
            && ngx_http_yimen_revoked(sock->who.marks)
               == NGX_HTTP_YIMEN_TOKEN_REVOKED)
        {
            ngx_http_yimen_socket_cut(sock, "revoked");
            return;
        }

        ngx_http_yimen_socket_again(sock);
        return;
    }

    session = ngx_http_yimen_sessions_find(ngx_http_yimen_worker.sessions,
                                           who->digest);
    if (session != NULL) {
        ngx_http_yimen_session_release(session);
        sock->asks = 0;
        ngx_http_yimen_socket_again(sock);
        return;
    }

    sock->wait.handler = ngx_http_yimen_socket_known;
    sock->wait.data = sock;

    if (ngx_http_yimen_session_read(ngx_http_yimen_worker.sessions,
                                    who->digest, who->shard, 0, &sock->wait)
        != NGX_OK)
    {
        ngx_http_yimen_socket_known(sock, NGX_HTTP_YIMEN_READ_TROUBLE, NULL);
    }
}


static void
ngx_http_yimen_socket_known(void *data, ngx_http_yimen_read_e outcome,
    ngx_http_yimen_session_t *session)
{
    ngx_http_yimen_socket_t  *sock = data;

    switch (outcome) {

    case NGX_HTTP_YIMEN_READ_FOUND:
        sock->asks = 0;
        ngx_http_yimen_socket_again(sock);
        return;

    case NGX_HTTP_YIMEN_READ_NONE:
        ngx_http_yimen_socket_cut(sock, "ended");
        return;

    default:

        /* Redis is away: for some time the last word holds */

        if (++sock->asks >= NGX_HTTP_YIMEN_SOCKET_BLIND) {
            ngx_http_yimen_socket_cut(sock, "unknown");
            return;
        }

        ngx_http_yimen_socket_again(sock);
    }
}


static void
ngx_http_yimen_socket_cut(ngx_http_yimen_socket_t *sock,
    const char *why)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = sock->request;
    c = r->connection;
    sock->request = NULL;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "event=socket.cut why=%s", why);

    /*
     * As if the client could not be written to any more: then the upstream
     * module ends the request itself.  Ended from outside, the request would
     * be freed by the very cleanup that ends its upstream.
     */

    c->error = 1;
    c->write->delayed = 0;
    c->write->timedout = 1;

    r->write_event_handler(r);
    ngx_http_run_posted_requests(c);
}
