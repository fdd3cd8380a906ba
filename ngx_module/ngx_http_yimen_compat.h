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

#endif /* NGX_HTTP_YIMEN_COMPAT_H */
