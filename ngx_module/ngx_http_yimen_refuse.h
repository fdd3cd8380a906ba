/* SPDX-License-Identifier: Apache-2.0
 * Refusing a request that is not the API's own, from a phase handler: problem
 * details for programs, nginx's page (error_page works) for people.
 */
#ifndef NGX_HTTP_YIMEN_REFUSE_H
#define NGX_HTTP_YIMEN_REFUSE_H

#include "ngx_http_yimen_problem.h"


/*
 * To be returned from a phase handler: the request is answered, or the status
 * is given for nginx to answer.  retry: seconds of Retry-After, 0 = none.
 * challenge: WWW-Authenticate of a 401, or NULL for the usual one.
 */
ngx_int_t ngx_http_yimen_refuse(ngx_http_request_t *r,
    ngx_http_yimen_problem_e kind, const char *zh, const char *en,
    ngx_uint_t retry, const char *challenge);

/* adds a header to the answer of any request; name and value are kept */
ngx_int_t ngx_http_yimen_out_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

#endif /* NGX_HTTP_YIMEN_REFUSE_H */
