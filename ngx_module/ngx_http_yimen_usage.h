/* SPDX-License-Identifier: Apache-2.0
 * Entries into applications, counted by application and day: the first way of
 * a session into each.  Nobody waits for it, and nobody is in the count.
 */
#ifndef NGX_HTTP_YIMEN_USAGE_H
#define NGX_HTTP_YIMEN_USAGE_H

#include "ngx_http_yimen_request.h"


/* a known person gets through to an application behind the gateway */
void ngx_http_yimen_usage_through(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who);

/* a session (by its digest, in its shard) has entered this one */
void ngx_http_yimen_usage_entered(struct ym_str session, ngx_uint_t shard,
    const char *application);

#endif /* NGX_HTTP_YIMEN_USAGE_H */
