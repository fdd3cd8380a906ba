/* SPDX-License-Identifier: Apache-2.0
 * The worker's Redis connections: a few of them, each a pipeline.
 *
 * A call never blocks and is never answered from inside itself: its handler
 * runs later, from a posted event, exactly once, unless its pool is destroyed
 * first, and then never.  Nothing is repeated here: a call that was lost may
 * or may not have been carried out.
 */
#ifndef NGX_HTTP_YIMEN_REDIS_H
#define NGX_HTTP_YIMEN_REDIS_H

#include "ngx_http_yimen_compat.h"


#define NGX_HTTP_YIMEN_REDIS_CONNECTIONS      6
#define NGX_HTTP_YIMEN_REDIS_CONNECTIONS_MAX  32

/* arguments of one call: 64 targets and the search keys of a large record */
#define NGX_HTTP_YIMEN_REDIS_ARGS             8192


typedef struct {
    ngx_str_t    path;         /* unix socket, NUL-terminated; or */
    ngx_str_t    address;      /* numeric, NUL-terminated */
    int          port;
    ngx_str_t    password;     /* len 0: none; wiped with the configuration */
    ngx_uint_t   connections;
    ngx_msec_t   timeout;      /* of a call, and of connecting */
} ngx_http_yimen_redis_conf_t;

typedef struct ngx_http_yimen_redis_s  ngx_http_yimen_redis_t;

/* why there is no reply */
typedef enum {
    NGX_HTTP_YIMEN_REDIS_OK,       /* there is one; it may be an error reply */
    NGX_HTTP_YIMEN_REDIS_LOST,     /* the connection went: outcome not known */
    NGX_HTTP_YIMEN_REDIS_TIMEOUT   /* none in time: outcome not known */
} ngx_http_yimen_redis_e;

/*
 * reply: NULL unless why is OK; freed after the handler returns, unless the
 * handler takes it by setting *reply to NULL.
 */
typedef void (*ngx_http_yimen_redis_pt)(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);


/*
 * In init_process.  conf stays alive as long as the process.  NULL when memory
 * is out.  Connecting starts at once and is repeated with backoff for ever.
 */
ngx_http_yimen_redis_t *
    ngx_http_yimen_redis_open(const ngx_http_yimen_redis_conf_t *conf,
    ngx_log_t *log);

/* in exit_process; accepts NULL; handlers of pending calls do not run */
void ngx_http_yimen_redis_close(ngx_http_yimen_redis_t *redis);

/*
 * Sends a command.  NGX_DECLINED: no connection, nothing was sent.  NGX_ERROR:
 * memory is out, nothing was sent.  After NGX_OK the handler follows.
 * argv and what it points at are copied.  pool NULL: the handler runs in any
 * case, or the process ends.
 */
ngx_int_t ngx_http_yimen_redis_call(ngx_http_yimen_redis_t *redis,
    ngx_pool_t *pool, ngx_uint_t argc, const char **argv,
    const size_t *argvlen, ngx_http_yimen_redis_pt handler, void *data);

/*
 * What was sent is written now and not at the end of this turn of the event
 * loop: so that it reaches Redis before the answer reaches the client, whose
 * next request another worker may have.
 */
void ngx_http_yimen_redis_flush(ngx_http_yimen_redis_t *redis);

/* calls that have no answer yet, and connections that take calls */
ngx_uint_t ngx_http_yimen_redis_pending(ngx_http_yimen_redis_t *redis);
ngx_uint_t ngx_http_yimen_redis_usable(ngx_http_yimen_redis_t *redis);

#endif /* NGX_HTTP_YIMEN_REDIS_H */
