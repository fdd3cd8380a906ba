/* SPDX-License-Identifier: Apache-2.0
 * Requests to other servers from inside a worker, never blocking: libcurl's
 * multi interface driven by nginx's events.
 *
 * Limits always hold: total and idle time, bytes of header and of decoded
 * body, no redirect, no proxy of the environment, only http and https.  The
 * address is checked after the name was resolved, so a name that points
 * inwards reaches nothing that its owner did not allow.
 */
#ifndef NGX_HTTP_YIMEN_FETCH_H
#define NGX_HTTP_YIMEN_FETCH_H

#include "ngx_http_yimen_compat.h"

#include "ym_arena.h"
#include "ym_base.h"


typedef struct {
    struct ym_str  name;
    struct ym_str  value;
} ngx_http_yimen_pair_t;

typedef struct {
    const char                   *method;       /* NULL: GET, or POST */
    const char                   *url;
    const ngx_http_yimen_pair_t  *headers;
    ngx_uint_t                    header_count;
    struct ym_str                 body;         /* p NULL: none */
    const char                   *user;         /* Basic; NULL: none */
    const char                   *password;
    const char                   *ca;           /* PEM file; NULL: system's */
    const char                   *unix_socket;  /* NULL: TCP */
    const char *const            *cookies;      /* Netscape lines, NULL ends */
    unsigned                      jar:1;        /* keep a jar, even an empty
                                                   one; else no cookie at all */
    unsigned                      inside:1;     /* private addresses too */
    ngx_msec_t                    timeout;      /* in all; 0 = 10 s */
    size_t                        max_body;     /* decoded; 0 = 1 MiB */
} ngx_http_yimen_fetch_t;

/* valid until the handler returns */
typedef struct {
    ngx_uint_t                    status;       /* 0: no answer */
    const char                   *error;        /* why; NULL with an answer */
    const ngx_http_yimen_pair_t  *headers;      /* names in lower case */
    ngx_uint_t                    header_count;
    struct ym_str                 body;
    const char *const            *cookies;      /* the jar afterwards */
    ngx_uint_t                    cookie_count;
    unsigned                      too_large:1;
    unsigned                      refused:1;    /* the address is not allowed */
} ngx_http_yimen_fetched_t;

typedef void (*ngx_http_yimen_fetch_pt)(void *data,
    const ngx_http_yimen_fetched_t *answer);


/* init_process, exit_process (handlers of what is under way do not run) */
ngx_int_t ngx_http_yimen_fetch_open(ngx_log_t *log);
void ngx_http_yimen_fetch_close(void);

/*
 * Starts a request; everything in what is copied.  NGX_OK: handler runs once,
 * later, from a posted event, unless pool is destroyed first, and then never.
 * pool NULL: it runs in any case, or the process ends.
 */
ngx_int_t ngx_http_yimen_fetch(ngx_pool_t *pool,
    const ngx_http_yimen_fetch_t *what, ngx_http_yimen_fetch_pt handler,
    void *data);

/* the value of the first header of that name (lower case), or n 0 */
struct ym_str ngx_http_yimen_fetched_header(
    const ngx_http_yimen_fetched_t *answer, const char *name);

#endif /* NGX_HTTP_YIMEN_FETCH_H */
