/* SPDX-License-Identifier: Apache-2.0
 * How an application behind the gateway learns who the person is: the kinds of
 * `yimen_identity`, one row each.
 *
 * The path policy and the removal of what a client may have put there itself
 * run in earlier phases of their own (ngx_http_yimen_front_module: server
 * rewrite and rewrite), for every location, so that they hold for `return`,
 * error pages and named locations too.  The guard in PREACCESS asks only
 * ngx_http_yimen_limit() and, last, ngx_http_yimen_inject().
 */
#ifndef NGX_HTTP_YIMEN_INJECT_H
#define NGX_HTTP_YIMEN_INJECT_H

#include "ngx_http_yimen_request.h"


typedef struct {
    const char  *name;      /* first word of the directive */

    /*
     * The words after it; *ret_conf is kept with the location.  Returns
     * NGX_CONF_OK, NGX_CONF_ERROR (logged) or what is wrong.
     */
    char       *(*parse)(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
                         void **ret_conf);

    /*
     * Tells the upstream, by ngx_http_yimen_inject_header().  NGX_DECLINED:
     * done; NGX_AGAIN: waiting, runs the phases again itself and is then asked
     * again; NGX_HTTP_FORBIDDEN: a value cannot be told safely, or is missing;
     * any other status; NGX_ERROR.
     */
    ngx_int_t  (*inject)(ngx_http_request_t *r,
                         const ngx_http_yimen_identity_t *who, void *conf);

    unsigned     own_authorization:1;   /* the client's is never passed on */
} ngx_http_yimen_kind_t;

/* ends with NULL; who makes a kind adds it in ngx_http_yimen_inject.c */
extern const ngx_http_yimen_kind_t *const  ngx_http_yimen_kinds[];


/*
 * `yimen_identity` of r's location for a known person, to be returned from the
 * guard: NGX_DECLINED when all is well or there is none, NGX_AGAIN while a
 * kind waits, NGX_DONE when the request was refused, or a status.
 */
ngx_int_t ngx_http_yimen_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who);

/*
 * Adds a request header for the upstream, after removing whatever folds to the
 * same name.  NGX_HTTP_FORBIDDEN when value has a control character, NUL, CR
 * or LF; name must live as long as the configuration, value is copied.  It
 * does not survive an internal redirect: the new location decides anew.
 */
ngx_int_t ngx_http_yimen_inject_header(ngx_http_request_t *r,
    const ngx_str_t *name, struct ym_str value);

/*
 * Names of pending headers whose values no variable ever shows: $http_… would
 * bring them into logs.  Told by their data, not by their text.
 */
extern const ngx_str_t  ngx_http_yimen_secret_authorization;
extern const ngx_str_t  ngx_http_yimen_secret_cookie;

/*
 * While the configuration is read: this name is ours from now on, in every
 * location, and no client can send it or an alias of it.
 */
ngx_int_t ngx_http_yimen_inject_name(ngx_conf_t *cf, const ngx_str_t *name);

#endif /* NGX_HTTP_YIMEN_INJECT_H */
