/* SPDX-License-Identifier: Apache-2.0
 * Shared by the two files of the Redis connections: links, and the calls that
 * travel on them.
 */
#ifndef NGX_HTTP_YIMEN_REDIS_PRIV_H
#define NGX_HTTP_YIMEN_REDIS_PRIV_H

#include "ngx_http_yimen_redis.h"
#include "ngx_http_yimen_redis_event.h"


typedef enum {
    NGX_HTTP_YIMEN_LINK_DOWN,            /* waiting for the backoff timer */
    NGX_HTTP_YIMEN_LINK_CONNECTING,      /* the socket is on its way */
    NGX_HTTP_YIMEN_LINK_GREETING,        /* AUTH or PING is under way */
    NGX_HTTP_YIMEN_LINK_READY,
    NGX_HTTP_YIMEN_LINK_STALLED,         /* an answer is overdue: no calls */
    NGX_HTTP_YIMEN_LINK_CLOSED,          /* the process ends */
    NGX_HTTP_YIMEN_LINK_STATES
} ngx_http_yimen_link_e;

typedef struct ngx_http_yimen_link_s        ngx_http_yimen_link_t;
typedef struct ngx_http_yimen_redis_call_s  ngx_http_yimen_redis_call_t;

/*
 * One call.  It lives on the heap because it must outlast its request: the
 * late answer of a call whose request has gone still has to be counted off.
 * Freed when it is neither owed an answer nor about to hand one over.
 */
struct ngx_http_yimen_redis_call_s {
    ngx_queue_t               queue;    /* in link->calls while owed */
    ngx_http_yimen_link_t    *link;
    ngx_event_t               event;    /* posted when there is an outcome */
    ngx_http_yimen_redis_pt   handler;
    void                     *data;
    ngx_pool_cleanup_t       *cleanup;  /* the request's; NULL when detached */
    redisReply               *reply;
    ngx_msec_t                deadline;
    ngx_http_yimen_redis_e    why;
    unsigned                  owed:1;
};

struct ngx_http_yimen_link_s {
    ngx_http_yimen_redis_io_t  io;
    ngx_http_yimen_redis_t    *redis;
    ngx_http_yimen_link_e      state;
    ngx_queue_t                calls;    /* in the order of sending */
    ngx_uint_t                 owed;     /* length of calls */
    ngx_uint_t                 waited;   /* those somebody still waits for */
    ngx_uint_t                 attempt;  /* of connecting, in a row */
    ngx_event_t                timer;    /* backoff, connect or call deadline */
    ngx_event_t                flush;    /* posted: one write for many calls */
};

struct ngx_http_yimen_redis_s {
    const ngx_http_yimen_redis_conf_t  *conf;
    ngx_log_t                          *log;
    ngx_uint_t                          count;
    ngx_uint_t                          next;   /* where the search starts */
    ngx_uint_t                          usable; /* ready links */
    unsigned                            told:1; /* the outage is logged */
    ngx_http_yimen_link_t               links[1];
};


/* a move that the table of states allows, or NGX_ERROR and an alert */
ngx_int_t ngx_http_yimen_link_move(ngx_http_yimen_link_t *link,
    ngx_http_yimen_link_e to);

/* queues a command and its handler; NULL: out of memory, nothing is queued */
ngx_http_yimen_redis_call_t *
    ngx_http_yimen_call_send(ngx_http_yimen_link_t *link, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_yimen_redis_pt handler, void *data);

/* the oldest call of the link gets its reply, which it takes */
void ngx_http_yimen_call_answer(ngx_http_yimen_link_t *link,
    redisReply *reply);

/* the link owes nothing for this call any more */
void ngx_http_yimen_call_end(ngx_http_yimen_link_t *link,
    ngx_http_yimen_redis_call_t *call, ngx_http_yimen_redis_e why);

/* its time is over: its owner hears so, the link still owes the answer */
void ngx_http_yimen_call_expire(ngx_http_yimen_link_t *link,
    ngx_http_yimen_redis_call_t *call);

/* pool cleanup of the owner: nobody waits any more */
void ngx_http_yimen_call_detach(void *data);

/* the process ends: handlers do not run */
void ngx_http_yimen_call_drop(ngx_http_yimen_redis_call_t *call);

#endif /* NGX_HTTP_YIMEN_REDIS_PRIV_H */
