/* SPDX-License-Identifier: Apache-2.0
 * The event loop (ym_loop.h): epoll and curl_multi_socket_action, so that a turn costs what is
 * ready, not what is in flight.
 */
#include "ym_loop.h"

#include "ym_time.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LOOP_EVENTS 128 /* fetched per turn; what is left comes with the next */

/* epoll carries either a watch (aligned, so bit 0 is clear) or a curl descriptor marked by bit 0. */
#define LOOP_CURL_BIT 1u

struct ym_loop {
    int epoll;
    CURLM *multi;
    int64_t curl_at; /* monotonic; when curl wants to be called; -1 = not */
};

static int loop_on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    struct ym_loop *l = data;
    struct epoll_event ev = {.events = 0};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if ((what & CURL_POLL_IN) != 0) {
        ev.events |= EPOLLIN;
    }
    if ((what & CURL_POLL_OUT) != 0) {
        ev.events |= EPOLLOUT;
    }
    ev.data.u64 = ((uint64_t)(unsigned)fd << 1) | LOOP_CURL_BIT;

    if (known == NULL) {
        curl_multi_assign(l->multi, fd, l); /* any non-NULL value: registered */
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 || errno != EEXIST) {
            return 0;
        }
    }
    /* a descriptor closed and opened again under the same number is unknown to epoll */
    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &ev) != 0 && errno == ENOENT) {
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev);
    }
    return 0;
}

static int loop_on_timer(CURLM *multi, long timeout_ms, void *data)
{
    struct ym_loop *l = data;

    (void)multi;
    l->curl_at = timeout_ms < 0 ? -1 : ym_tick_ms() + timeout_ms;
    return 0;
}

ym_status ym_loop_open(long connections, struct ym_loop **ret, struct ym_err *err)
{
    struct ym_loop *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory for the event loop");
    }
    l->curl_at = -1;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->multi = curl_multi_init();
    if (l->epoll < 0 || l->multi == NULL) {
        ym_loop_close(l);
        return ym_err_set(err, YM_EIO, "the event loop cannot be made: %s", strerror(errno));
    }

    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, loop_on_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, loop_on_timer);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, connections);
    *ret = l;
    return YM_OK;
}

void ym_loop_close(struct ym_loop *l)
{
    if (l == NULL) {
        return;
    }
    if (l->multi != NULL) {
        curl_multi_cleanup(l->multi);
    }
    if (l->epoll >= 0) {
        close(l->epoll);
    }
    free(l);
}

ym_status ym_loop_watch(struct ym_loop *l, struct ym_watch *w, unsigned events)
{
    struct epoll_event ev = {.events = events};
    int how = w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (events == w->events) {
        return YM_OK;
    }
    ev.data.ptr = w;
    if (epoll_ctl(l->epoll, events == 0 ? EPOLL_CTL_DEL : how, w->fd, &ev) != 0) {
        return YM_EIO;
    }
    w->events = events;
    return YM_OK;
}

ym_status ym_loop_drive(struct ym_loop *l, CURL *easy)
{
    return curl_multi_add_handle(l->multi, easy) == CURLM_OK ? YM_OK : YM_EIO;
}

void ym_loop_drop(struct ym_loop *l, CURL *easy)
{
    curl_multi_remove_handle(l->multi, easy);
}

bool ym_loop_ended(struct ym_loop *l, CURL **ret, CURLcode *ret_how)
{
    CURLMsg *msg;
    int left;

    for (;;) {
        msg = curl_multi_info_read(l->multi, &left);
        if (msg == NULL) {
            return false;
        }
        if (msg->msg == CURLMSG_DONE) {
            break;
        }
    }
    *ret = msg->easy_handle; /* msg is gone after the removal */
    *ret_how = msg->data.result;
    curl_multi_remove_handle(l->multi, *ret);
    return true;
}

static void loop_serve(struct ym_loop *l, const struct epoll_event *ev)
{
    int running, bits = 0;
    struct ym_watch *w;

    if ((ev->data.u64 & LOOP_CURL_BIT) == 0) {
        w = ev->data.ptr;
        if (w->fd >= 0 && w->events != 0) {
            w->fn(w->data, ev->events);
        }
        return;
    }

    if ((ev->events & EPOLLIN) != 0) {
        bits |= CURL_CSELECT_IN;
    }
    if ((ev->events & EPOLLOUT) != 0) {
        bits |= CURL_CSELECT_OUT;
    }
    if ((ev->events & (EPOLLERR | EPOLLHUP)) != 0) {
        bits |= CURL_CSELECT_ERR;
    }
    curl_multi_socket_action(l->multi, (curl_socket_t)(ev->data.u64 >> 1), bits, &running);
}

ym_status ym_loop_turn(struct ym_loop *l, int64_t wait_ms, struct ym_err *err)
{
    struct epoll_event events[LOOP_EVENTS];
    int n, running;
    int64_t now;

    if (l->curl_at >= 0) {
        now = ym_tick_ms();
        if (l->curl_at <= now) {
            wait_ms = 0;
        } else if (l->curl_at - now < wait_ms) {
            wait_ms = l->curl_at - now;
        }
    }

    n = epoll_wait(l->epoll, events, LOOP_EVENTS, wait_ms > 60000 ? 60000 : (int)wait_ms);
    if (n < 0 && errno != EINTR) {
        return ym_err_set(err, YM_EIO, "epoll_wait: %s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        loop_serve(l, &events[i]);
    }

    if (l->curl_at >= 0 && l->curl_at <= ym_tick_ms()) {
        l->curl_at = -1; /* curl sets the next one itself */
        curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return YM_OK;
}
