/* SPDX-License-Identifier: Apache-2.0
 * What a worker remembers of sessions: a table of its own without locks, then
 * shared memory, then Redis; and how it hears that one has changed.
 *
 * Remembered is who somebody is, for `touch` at most, and only while this
 * worker hears from Redis.  Shared memory holds values as Redis has them,
 * sealed.  One number, the generation, stands for all of it: it is raised when
 * any worker stops hearing or begins to, and everything older is void.
 */
#ifndef NGX_HTTP_YIMEN_SESSIONS_H
#define NGX_HTTP_YIMEN_SESSIONS_H

#include "ngx_http_yimen_request.h"

#include "ym_codec.h"
#include "ym_session_value.h"


#define NGX_HTTP_YIMEN_SESSION_ZONE  (16 * 1024 * 1024)

typedef struct ngx_http_yimen_sessions_s  ngx_http_yimen_sessions_t;

/* times of a session; the last three on this machine's own clock */
typedef struct {
    int64_t                          created;    /* ms, Redis's clock */
    int64_t                          ends;
    ngx_msec_t                       fresh;      /* then it is read again */
    ngx_msec_t                       live;       /* then it has been idle */
    ngx_msec_t                       left;       /* then it is over */
} ngx_http_yimen_session_times_t;

/* one session that is known here; shared by reference, never changed */
typedef struct {
    u_char                           digest[YM_SHA256_LEN];
    char                             hex[YM_SHA256_HEX];
    ngx_uint_t                       refs;
    ngx_uint_t                       generation;
    uint64_t                         used;
    ngx_http_yimen_session_times_t   times;
    int64_t                          refresh_at;
    ngx_http_yimen_identity_t        who;        /* texts point into json */
    struct ym_str                    agent;
    json_t                          *json;       /* without tokens */
    struct ym_str                    sealed;     /* all of it */
} ngx_http_yimen_session_t;


/* generation 0: this worker does not hear, and nothing is remembered */
typedef struct {
    ngx_uint_t                       generation;
    ngx_uint_t                       changes;
} ngx_http_yimen_session_stamp_t;


/* yimen_session_zone SIZE; and the zone when nobody gave one */
char *ngx_http_yimen_conf_session_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_sessions_zone(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);

/* init_process, exit_process; NULL: no memory */
ngx_http_yimen_sessions_t *
    ngx_http_yimen_sessions_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log);
void ngx_http_yimen_sessions_close(ngx_http_yimen_sessions_t *sessions);

const ngx_http_yimen_main_conf_t *
    ngx_http_yimen_sessions_conf(ngx_http_yimen_sessions_t *sessions);

/*
 * A session that is remembered and neither over nor due to be read again, or
 * NULL; the caller's reference.
 */
ngx_http_yimen_session_t *
    ngx_http_yimen_sessions_find(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN]);

/*
 * Makes one of what Redis gave; the caller's reference.  NULL: the value is
 * none of ours (logged), or memory is out.
 */
ngx_http_yimen_session_t *
    ngx_http_yimen_sessions_make(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], struct ym_str sealed,
    const ngx_http_yimen_session_times_t *times);

/* asked: taken when Redis was asked; kept when nothing has come since */
void ngx_http_yimen_sessions_keep(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_session_t *session,
    const ngx_http_yimen_session_stamp_t *asked);

void ngx_http_yimen_session_release(ngx_http_yimen_session_t *session);

/*
 * What this machine has heard so far.  An answer of Redis may be read later
 * than the news that it is out of date: by this worker, and by another one
 * that has forgotten the session already and would find it again in shared
 * memory, never to hear of it any more.
 */
void ngx_http_yimen_sessions_stamp(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_http_yimen_session_stamp_t *ret);

/* 1: some worker has heard since that this one changed (or its like) */
ngx_uint_t ngx_http_yimen_sessions_changed(
    ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN],
    const ngx_http_yimen_session_stamp_t *asked);

/* one has changed, here and in shared memory; whoever reads it, reads again */
void ngx_http_yimen_sessions_forget(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN]);

/* all of them: something may have been missed, by this worker or before it */
void ngx_http_yimen_sessions_void(ngx_http_yimen_sessions_t *sessions);


/*
 * Reading one, ngx_http_yimen_session_read.c.  Requests that miss the same
 * session at the same time share one call.
 */
typedef enum {
    NGX_HTTP_YIMEN_READ_FOUND,
    NGX_HTTP_YIMEN_READ_NONE,           /* there is no such session */
    NGX_HTTP_YIMEN_READ_TROUBLE         /* Redis gave no answer */
} ngx_http_yimen_read_e;

typedef struct ngx_http_yimen_session_wait_s  ngx_http_yimen_session_wait_t;

typedef void (*ngx_http_yimen_session_pt)(void *data,
    ngx_http_yimen_read_e outcome, ngx_http_yimen_session_t *session);

/* in the memory of who waits; zeroed */
struct ngx_http_yimen_session_wait_s {
    ngx_queue_t                 queue;
    ngx_http_yimen_session_pt   handler;
    void                       *data;
    unsigned                    waiting:1;
};

/*
 * NGX_OK: the handler runs later, once, unless the wait is cancelled first.
 * NGX_DECLINED: Redis cannot be asked now.  NGX_ERROR: memory is out.
 * touch 0: the look does not count as use.
 */
ngx_int_t ngx_http_yimen_session_read(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t shard, ngx_uint_t touch,
    ngx_http_yimen_session_wait_t *wait);
void ngx_http_yimen_session_cancel(ngx_http_yimen_session_wait_t *wait);

/* used by the cache: what is being read must not be remembered */
void ngx_http_yimen_session_read_void(ngx_http_yimen_sessions_t *sessions,
    const u_char *digest);
ngx_int_t ngx_http_yimen_session_read_open(
    ngx_http_yimen_sessions_t *sessions);
void ngx_http_yimen_session_read_close(ngx_http_yimen_sessions_t *sessions);


/*
 * Hearing of changes, ngx_http_yimen_session_watch.c: a connection that is
 * subscribed and one that has asked Redis to tell it.
 */
typedef struct ngx_http_yimen_watch_s  ngx_http_yimen_watch_t;

ngx_http_yimen_watch_t *
    ngx_http_yimen_watch_open(ngx_http_yimen_sessions_t *sessions,
    const ngx_http_yimen_main_conf_t *ymcf, ngx_log_t *log);
void ngx_http_yimen_watch_close(ngx_http_yimen_watch_t *watch);
ngx_uint_t ngx_http_yimen_watch_hears(ngx_http_yimen_watch_t *watch);

#endif /* NGX_HTTP_YIMEN_SESSIONS_H */
