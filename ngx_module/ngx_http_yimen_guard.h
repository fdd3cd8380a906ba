/* SPDX-License-Identifier: Apache-2.0
 * The guard of locations that are not the API's own: who is it (`yimen_auth`),
 * may he (`yimen_require`), in PREACCESS.
 *
 * Before it, in earlier phases, the front has settled the path and removed
 * what only we may say (ngx_http_yimen_front.h); after it come the limits and
 * the identity (ngx_http_yimen_limit.h, ngx_http_yimen_inject.h), called from
 * here.  It runs anew for every internal redirect and named location.
 *
 * It cannot run where a location answers with `return` or by `rewrite`: those
 * come before PREACCESS.
 */
#ifndef NGX_HTTP_YIMEN_GUARD_H
#define NGX_HTTP_YIMEN_GUARD_H

#include "ngx_http_yimen_request.h"


/* `yimen_auth` */
#define NGX_HTTP_YIMEN_AUTH_OFF       0
#define NGX_HTTP_YIMEN_AUTH_ON        1
#define NGX_HTTP_YIMEN_AUTH_OPTIONAL  2

/* one `yimen_require`: all of it, or with any: one of its words */
typedef struct {
    ngx_uint_t    roles;       /* any of these bits; 0 = not asked */
    ngx_array_t   areas;       /* of ngx_str_t; one contains his */
    ngx_array_t   orgs;        /* of ngx_str_t; his is one of them */
    unsigned      any:1;
} ngx_http_yimen_rule_t;


/* directives: ngx_http_yimen_guard_conf.c */
char *ngx_http_yimen_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_guard_merge(ngx_conf_t *cf,
    ngx_http_yimen_loc_conf_t *prev, ngx_http_yimen_loc_conf_t *conf);

/* whether he may, by the location's rules; all of them must hold */
ngx_uint_t ngx_http_yimen_guard_allows(const ngx_array_t *rules,
    const ngx_http_yimen_identity_t *who);

/* postconfiguration: the phase handler; preconfiguration: $yimen_… */
ngx_int_t ngx_http_yimen_guard_init(ngx_conf_t *cf);
ngx_int_t ngx_http_yimen_variables_add(ngx_conf_t *cf);

/* where an unknown person signs in and comes back from: an absolute address */
ngx_int_t ngx_http_yimen_guard_place(ngx_http_request_t *r, ngx_str_t *ret);

#endif /* NGX_HTTP_YIMEN_GUARD_H */
