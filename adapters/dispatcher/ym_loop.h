/* SPDX-License-Identifier: Apache-2.0
 * One event loop per worker: epoll over curl's sockets, the Redis lines and the signal descriptor.
 * Concurrency: one thread. Ownership: watches and easy handles stay the caller's.
 */
#ifndef YM_LOOP_H
#define YM_LOOP_H

#include "ym_err.h"
#include <curl/curl.h>

struct ym_loop;

/*
 * A descriptor of the caller's. It must outlive the loop's current turn, so it is part of something
 * long-lived; fd -1 = not watched, and events already fetched for it are then dropped.
 */
struct ym_watch {
    int fd;
    unsigned events; /* EPOLLIN, EPOLLOUT as now registered */
    void (*fn)(void *data, unsigned events);
    void *data;
};

/* connections: how many idle ones curl may keep. */
ym_status ym_loop_open(long connections, struct ym_loop **ret, struct ym_err *err);
void ym_loop_close(struct ym_loop *l); /* accepts NULL; no handle may be inside */

/* Registers w->fd for events or changes them; 0 removes it (before the descriptor is closed). */
ym_status ym_loop_watch(struct ym_loop *l, struct ym_watch *w, unsigned events);

/* Starts driving a handle; drop takes it out before its end. */
ym_status ym_loop_drive(struct ym_loop *l, CURL *easy);
void ym_loop_drop(struct ym_loop *l, CURL *easy);

/* The next handle that has ended since; it is out of the multi already. False when there is none. */
bool ym_loop_ended(struct ym_loop *l, CURL **ret, CURLcode *ret_how);

/* Sleeps until something happens, at most wait_ms, and serves it. */
ym_status ym_loop_turn(struct ym_loop *l, int64_t wait_ms, struct ym_err *err);

#endif
