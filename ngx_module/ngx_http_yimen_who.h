/* SPDX-License-Identifier: Apache-2.0
 * Who sends a request: a bearer token, or else the cookie of a session.  Found
 * out once per request of a client; subrequests and internal redirects share
 * it.  It says who somebody is; what he may do is asked anew every time.
 */
#ifndef NGX_HTTP_YIMEN_WHO_H
#define NGX_HTTP_YIMEN_WHO_H

#include "ngx_http_yimen_sessions.h"


typedef enum {
    NGX_HTTP_YIMEN_WHO_UNASKED,
    NGX_HTTP_YIMEN_WHO_KNOWN,
    NGX_HTTP_YIMEN_WHO_NOBODY,       /* nothing, or a session that is over */
    NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
    NGX_HTTP_YIMEN_WHO_BAD_REQUEST,  /* two ways of saying it at once */
    NGX_HTTP_YIMEN_WHO_BUSY,         /* too much guessing from there */
    NGX_HTTP_YIMEN_WHO_TROUBLE       /* Redis gave no answer */
} ngx_http_yimen_who_e;

typedef void (*ngx_http_yimen_who_pt)(ngx_http_request_t *r);

/* of a request and its subrequests; ends with their pool */
typedef struct {
    ngx_http_yimen_who_e            verdict;
    const char                     *challenge;   /* WWW-Authenticate of a 401 */
    ngx_uint_t                      after;       /* seconds, when BUSY */
    ngx_http_yimen_identity_t       identity;    /* when KNOWN */
    ngx_http_yimen_session_t       *session;     /* a reference, or NULL */

    struct ym_str                   id;          /* the cookie's; "" none */
    ngx_uint_t                      shard;       /* of it */
    u_char                          digest[YM_SHA256_LEN];
    unsigned                        cookie:1;    /* there is a sound one */

    ngx_http_yimen_session_wait_t   wait;
    ngx_http_request_t             *request;     /* its main one */
    ngx_array_t                     waiting;     /* ngx_http_yimen_resume_t */
} ngx_http_yimen_who_t;

typedef struct {
    ngx_http_request_t             *request;
    ngx_http_yimen_who_pt           handler;
} ngx_http_yimen_resume_t;


/* NULL when memory is out; create 0: or when nobody has asked yet */
ngx_http_yimen_who_t *ngx_http_yimen_who_get(ngx_http_request_t *r,
    ngx_uint_t create);

/*
 * NGX_OK: the verdict is there.  NGX_AGAIN: handler runs when it is, unless
 * the request ends first.  NGX_ERROR: memory is out.
 */
ngx_int_t ngx_http_yimen_who_find(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, ngx_http_yimen_who_pt handler);

/* what a request knows itself by from now on (a sign-in); a reference */
void ngx_http_yimen_who_set(ngx_http_yimen_who_t *who,
    ngx_http_yimen_session_t *session);

/*
 * The person id of someone whom a provider knows (provider: its id in the
 * configuration, or "" to be found by the issuer).  NGX_DECLINED: not a
 * subject that can be told from another's; NGX_ERROR: memory is out.
 */
ngx_int_t ngx_http_yimen_person(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_pool_t *pool, struct ym_str provider, struct ym_str issuer,
    struct ym_str subject, struct ym_str *ret);

/* when the process ends */
void ngx_http_yimen_who_end(void);

/* "__Host-yimen", or "yimen" on http */
const char *ngx_http_yimen_cookie_name(
    const ngx_http_yimen_main_conf_t *ymcf);

#endif /* NGX_HTTP_YIMEN_WHO_H */
