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


static void ngx_http_yimen_socket_look(ngx_event_t *ev);
static void ngx_http_yimen_socket_known(void *data,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session);
static void ngx_http_yimen_socket_again(ngx_http_yimen_front_state_t *state);
static void ngx_http_yimen_socket_cut(ngx_http_yimen_front_state_t *state,
    const char *why);


ngx_int_t
ngx_http_yimen_socket_watch(ngx_http_request_t *r,
    ngx_http_yimen_front_state_t *state)
{
    if (!state->known || state->socket != NULL) {
        return NGX_OK;
    }

    state->socket = r;
    state->timer.handler = ngx_http_yimen_socket_look;
    state->timer.data = state;
    state->timer.log = r->connection->log;

    ngx_http_yimen_socket_again(state);

    return NGX_OK;
}


void
ngx_http_yimen_socket_forget(ngx_http_yimen_front_state_t *state)
{
    if (state->timer.timer_set) {
        ngx_del_timer(&state->timer);
    }

    ngx_http_yimen_session_cancel(&state->wait);
    state->socket = NULL;
}


static void
ngx_http_yimen_socket_again(ngx_http_yimen_front_state_t *state)
{
    /* all sockets of a worker that was left alone must not ask at once */

    state->timer.cancelable = 1;
    ngx_add_timer(&state->timer, NGX_HTTP_YIMEN_SOCKET_ASK / 2
                                 + (ngx_msec_t) ngx_random()
                                   % (NGX_HTTP_YIMEN_SOCKET_ASK / 2));
}


static void
ngx_http_yimen_socket_look(ngx_event_t *ev)
{
    ngx_http_yimen_who_t          *who;
    ngx_http_yimen_session_t      *session;
    ngx_http_yimen_front_state_t  *state;

    state = ev->data;

    if (state->who.expires != 0 && ym_now_ms() >= state->who.expires) {
        ngx_http_yimen_socket_cut(state, "expired");
        return;
    }

    who = ngx_http_yimen_who_get(state->socket, 0);

    if (who == NULL || who->session == NULL) {

        /* a bearer token: it may have been revoked */

        if (state->who.marks != NULL
            && ngx_http_yimen_revoked(state->who.marks)
               == NGX_HTTP_YIMEN_TOKEN_REVOKED)
        {
            ngx_http_yimen_socket_cut(state, "revoked");
            return;
        }

        ngx_http_yimen_socket_again(state);
        return;
    }

    session = ngx_http_yimen_sessions_find(ngx_http_yimen_worker.sessions,
                                           who->digest);
    if (session != NULL) {
        ngx_http_yimen_session_release(session);
        state->socket_asks = 0;
        ngx_http_yimen_socket_again(state);
        return;
    }

    state->wait.handler = ngx_http_yimen_socket_known;
    state->wait.data = state;

    if (ngx_http_yimen_session_read(ngx_http_yimen_worker.sessions,
                                    who->digest, who->shard, 0, &state->wait)
        != NGX_OK)
    {
        ngx_http_yimen_socket_known(state, NGX_HTTP_YIMEN_READ_TROUBLE, NULL);
    }
}


static void
ngx_http_yimen_socket_known(void *data, ngx_http_yimen_read_e outcome,
    ngx_http_yimen_session_t *session)
{
    ngx_http_yimen_front_state_t  *state = data;

    switch (outcome) {

    case NGX_HTTP_YIMEN_READ_FOUND:
        state->socket_asks = 0;
        ngx_http_yimen_socket_again(state);
        return;

    case NGX_HTTP_YIMEN_READ_NONE:
        ngx_http_yimen_socket_cut(state, "ended");
        return;

    default:

        /* Redis is away: for some time the last word holds */

        if (++state->socket_asks >= NGX_HTTP_YIMEN_SOCKET_BLIND) {
            ngx_http_yimen_socket_cut(state, "unknown");
            return;
        }

        ngx_http_yimen_socket_again(state);
    }
}


static void
ngx_http_yimen_socket_cut(ngx_http_yimen_front_state_t *state,
    const char *why)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = state->socket;
    c = r->connection;
    state->socket = NULL;

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
