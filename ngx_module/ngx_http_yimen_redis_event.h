/* SPDX-License-Identifier: Apache-2.0
 * One hiredis context bound to nginx's event loop, and nothing else.
 *
 * Ownership: hiredis owns the socket and alone closes it; nginx lends a
 * connection slot with two events, level-triggered.  hiredis is used as a
 * formatter and parser (redisContext, not redisAsyncContext): it never calls
 * back, so nothing can be freed or reconnected below our feet, and none of
 * the assertions of its asynchronous half can be reached by a peer's bytes.
 */
#ifndef NGX_HTTP_YIMEN_REDIS_EVENT_H
#define NGX_HTTP_YIMEN_REDIS_EVENT_H

#include "ngx_http_yimen_compat.h"


/* what a level-triggered read or write came to */
typedef enum {
    NGX_HTTP_YIMEN_IO_OK,       /* go on waiting */
    NGX_HTTP_YIMEN_IO_FAILED    /* the link is dead: close it */
} ngx_http_yimen_io_e;

typedef struct ngx_http_yimen_redis_io_s  ngx_http_yimen_redis_io_t;

struct ngx_http_yimen_redis_io_s {
    redisContext      *context;     /* NULL when closed */
    ngx_connection_t  *connection;  /* NULL when closed */

    /* called once per readiness; may close the io */
    void             (*readable)(ngx_http_yimen_redis_io_t *io);
    void             (*writable)(ngx_http_yimen_redis_io_t *io);

    void              *data;        /* the owner's */
};


/*
 * Starts a connection that does not block: path (a unix socket) or a numeric
 * address.  NGX_OK: writable() follows when the outcome is known.  NGX_ERROR:
 * nothing is left open; what[0] holds the reason (what_size bytes).
 */
ngx_int_t ngx_http_yimen_redis_io_open(ngx_http_yimen_redis_io_t *io,
    const char *path, const char *address, int port, ngx_log_t *log,
    char *what, size_t what_size);

/* may be called twice, and on one that was never opened (zeroed) */
void ngx_http_yimen_redis_io_close(ngx_http_yimen_redis_io_t *io);

/* in writable() after open: 0 = connected, else errno */
int ngx_http_yimen_redis_io_connected(ngx_http_yimen_redis_io_t *io);

/* one write of what is queued; asks for writable() while something is left */
ngx_http_yimen_io_e
    ngx_http_yimen_redis_io_flush(ngx_http_yimen_redis_io_t *io);

/* one read, at most 16 KiB; more to read means another readable() */
ngx_http_yimen_io_e
    ngx_http_yimen_redis_io_read(ngx_http_yimen_redis_io_t *io);

/*
 * The next complete reply: the caller's to free; NULL when there is none yet.
 * IO_FAILED when the bytes are no protocol or pass a limit.
 */
ngx_http_yimen_io_e
    ngx_http_yimen_redis_io_reply(ngx_http_yimen_redis_io_t *io,
    redisReply **ret_reply);

/* words of the last failure, for the log; never NULL */
const char *ngx_http_yimen_redis_io_error(ngx_http_yimen_redis_io_t *io);

#endif /* NGX_HTTP_YIMEN_REDIS_EVENT_H */
