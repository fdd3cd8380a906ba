/* SPDX-License-Identifier: Apache-2.0
 * The fields of a record that a system takes, from its field tables.
 */
#ifndef NGX_HTTP_YIMEN_FIELDS_H
#define NGX_HTTP_YIMEN_FIELDS_H

#include "ngx_http_yimen_route.h"


typedef struct {
    const char  *pattern;    /* below `data`; "-" stands for any item */
    ngx_uint_t   required;
    long         max;        /* characters; 0 = unlimited */
} ngx_http_yimen_field_t;

typedef struct {
    ngx_http_yimen_field_t  *items;
    size_t                   count;
} ngx_http_yimen_fields_t;


/* what creating a record of that type there takes out of it; each pattern once */
ngx_int_t ngx_http_yimen_fields_of(ngx_pool_t *pool,
    const struct ym_system *system, const struct ym_type *type,
    ngx_http_yimen_fields_t *ret);

#endif /* NGX_HTTP_YIMEN_FIELDS_H */
