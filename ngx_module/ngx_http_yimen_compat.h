/* SPDX-License-Identifier: Apache-2.0
 * The differences between the libraries of Debian 12 (nginx 1.22, hiredis
 * 0.14) and Debian 13 (nginx 1.26, hiredis 1.2), in one place.
 */
#ifndef NGX_HTTP_YIMEN_COMPAT_H
#define NGX_HTTP_YIMEN_COMPAT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <hiredis/hiredis.h>

/* hiredis 1.0 counts the elements of an array reply in size_t, before in int */
#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_http_yimen_redis_count_t;
#else
typedef int     ngx_http_yimen_redis_count_t;
#endif

/* nginx 1.23 made headers linked lists: "next" must be cleared when added */
#if (nginx_version >= 1023000)
#define ngx_http_yimen_header_end(h)  (h)->next = NULL
#else
#define ngx_http_yimen_header_end(h)
#endif

/* the i-th Cookie header, of any number; 0: there are no more */
static ngx_inline ngx_uint_t
ngx_http_yimen_cookie_header(ngx_http_request_t *r, ngx_uint_t i,
    ngx_str_t **ret_value)
{
    ngx_table_elt_t  *h;

#if (nginx_version >= 1023000)

    for (h = r->headers_in.cookie; h != NULL && i > 0; h = h->next) {
        i--;
    }

#else

    ngx_table_elt_t  **all;

    all = r->headers_in.cookies.elts;
    h = (i < r->headers_in.cookies.nelts) ? all[i] : NULL;

#endif

    if (h == NULL) {
        return 0;
    }

    *ret_value = &h->value;

    return 1;
}

#endif /* NGX_HTTP_YIMEN_COMPAT_H */
