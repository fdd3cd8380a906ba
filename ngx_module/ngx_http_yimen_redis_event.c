/* SPDX-License-Identifier: Apache-2.0
 * hiredis on nginx's event loop: level-triggered, one read per event, the
 * socket closed by hiredis alone.
 */
#include "ngx_http_yimen_redis_event.h"


/*
 * hiredis allocates an array reply from its announced length, before a single
 * element has come, and walks all of it to free it.
 */
#define NGX_HTTP_YIMEN_REDIS_ELEMENTS  65536

/* unread reply bytes kept: a page of 200 records of 256 KiB fits */
#define NGX_HTTP_YIMEN_REDIS_REPLY_BYTES  (64 * 1024 * 1024)


static ngx_int_t ngx_http_yimen_redis_io_attach(ngx_http_yimen_redis_io_t *io,
    ngx_log_t *log);
static ngx_int_t ngx_http_yimen_redis_io_limit(redisReader *reader);
static void *ngx_http_yimen_redis_io_array(const redisReadTask *task,
    ngx_http_yimen_redis_count_t n);
static void ngx_http_yimen_redis_io_read_event(ngx_event_t *ev);
static void ngx_http_yimen_redis_io_write_event(ngx_event_t *ev);


/* per process: hiredis's own reply builders, one of them replaced */
static redisReplyObjectFunctions   ngx_http_yimen_redis_builders;
static redisReplyObjectFunctions  *ngx_http_yimen_redis_builders_of_hiredis;


ngx_int_t
ngx_http_yimen_redis_io_open(ngx_http_yimen_redis_io_t *io, const char *path,
    const char *address, int port, ngx_log_t *log, char *what,
    size_t what_size)
{
    redisContext  *context;

    context = (path != NULL) ? redisConnectUnixNonBlock(path)
                             : redisConnectNonBlock(address, port);
    if (context == NULL) {
        (void) ngx_snprintf((u_char *) what, what_size, "out of memory%Z");
        return NGX_ERROR;
    }

    if (context->err) {
        (void) ngx_snprintf((u_char *) what, what_size, "%s%Z",
                            context->errstr);
        redisFree(context);
        return NGX_ERROR;
    }

    io->context = context;

    if (ngx_http_yimen_redis_io_limit(context->reader) != NGX_OK
        || ngx_http_yimen_redis_io_attach(io, log) != NGX_OK)
    {
        (void) ngx_snprintf((u_char *) what, what_size,
                            "no free connection slot%Z");
        ngx_http_yimen_redis_io_close(io);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_redis_io_attach(ngx_http_yimen_redis_io_t *io, ngx_log_t *log)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(io->context->fd, log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    io->connection = c;

    c->data = io;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = ngx_http_yimen_redis_io_read_event;
    c->write->handler = ngx_http_yimen_redis_io_write_event;

    /*
     * Level-triggered on purpose: hiredis reads at most 16 KiB a call, so an
     * edge would be lost unless the handler called itself.
     */

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}


static ngx_int_t
ngx_http_yimen_redis_io_limit(redisReader *reader)
{
    if (reader == NULL || reader->fn == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_yimen_redis_builders_of_hiredis == NULL) {
        ngx_http_yimen_redis_builders_of_hiredis = reader->fn;
        ngx_http_yimen_redis_builders = *reader->fn;
        ngx_http_yimen_redis_builders.createArray =
                                                 ngx_http_yimen_redis_io_array;
    }

    reader->fn = &ngx_http_yimen_redis_builders;

    return NGX_OK;
}


static void *
ngx_http_yimen_redis_io_array(const redisReadTask *task,
    ngx_http_yimen_redis_count_t n)
{
    if (n > NGX_HTTP_YIMEN_REDIS_ELEMENTS) {
        return NULL;
    }

    return ngx_http_yimen_redis_builders_of_hiredis->createArray(task, n);
}


void
ngx_http_yimen_redis_io_close(ngx_http_yimen_redis_io_t *io)
{
    redisContext      *context;
    ngx_connection_t  *c;

    c = io->connection;
    context = io->context;

    io->connection = NULL;
    io->context = NULL;

    if (c != NULL) {

        /*
         * The socket stays open until hiredis closes it, so the events have to
         * be taken out by hand: NGX_CLOSE_EVENT would rely on close() for it.
         */

        if (c->read->active) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        if (c->write->active) {
            (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
        }

        c->shared = 1;
        ngx_close_connection(c);
    }

    if (context != NULL) {
        redisFree(context);
    }
}


int
ngx_http_yimen_redis_io_connected(ngx_http_yimen_redis_io_t *io)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(io->context->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    return err;
}


ngx_http_yimen_io_e
ngx_http_yimen_redis_io_flush(ngx_http_yimen_redis_io_t *io)
{
    int           done;
    ngx_int_t     rc;
    ngx_event_t  *wev;

    done = 0;

    if (redisBufferWrite(io->context, &done) != REDIS_OK) {
        return NGX_HTTP_YIMEN_IO_FAILED;
    }

    wev = io->connection->write;
    rc = NGX_OK;

    if (done && wev->active) {
        rc = ngx_del_event(wev, NGX_WRITE_EVENT, 0);

    } else if (!done && !wev->active) {
        rc = ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }

    return (rc == NGX_OK) ? NGX_HTTP_YIMEN_IO_OK : NGX_HTTP_YIMEN_IO_FAILED;
}


ngx_http_yimen_io_e
ngx_http_yimen_redis_io_read(ngx_http_yimen_redis_io_t *io)
{
    redisReader  *reader;

    if (redisBufferRead(io->context) != REDIS_OK) {
        return NGX_HTTP_YIMEN_IO_FAILED;
    }

    reader = io->context->reader;

    if (reader->len - reader->pos > NGX_HTTP_YIMEN_REDIS_REPLY_BYTES) {
        return NGX_HTTP_YIMEN_IO_FAILED;
    }

    return NGX_HTTP_YIMEN_IO_OK;
}


ngx_http_yimen_io_e
ngx_http_yimen_redis_io_reply(ngx_http_yimen_redis_io_t *io,
    redisReply **ret_reply)
{
    void  *reply;

    reply = NULL;

    if (redisGetReplyFromReader(io->context, &reply) != REDIS_OK) {
        return NGX_HTTP_YIMEN_IO_FAILED;
    }

    *ret_reply = reply;

    return NGX_HTTP_YIMEN_IO_OK;
}


const char *
ngx_http_yimen_redis_io_error(ngx_http_yimen_redis_io_t *io)
{
    if (io->context == NULL) {
        return "closed";
    }

    return io->context->err ? io->context->errstr : "reply above the limit";
}


static void
ngx_http_yimen_redis_io_read_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_yimen_redis_io_t  *io;

    c = ev->data;
    io = c->data;

    io->readable(io);
}


static void
ngx_http_yimen_redis_io_write_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_yimen_redis_io_t  *io;

    c = ev->data;
    io = c->data;

    io->writable(io);
}
