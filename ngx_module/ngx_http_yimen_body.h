/* SPDX-License-Identifier: Apache-2.0
 * Reading a request body into one piece of memory: never onto the disk, never
 * beyond the limit, every refusal as problem details.
 */
#ifndef NGX_HTTP_YIMEN_BODY_H
#define NGX_HTTP_YIMEN_BODY_H

#include "ngx_http_yimen_request.h"

/*
 * wanted: the route's body flags; 0 = a body is refused.  handler runs once it
 * is complete in ctx->body; or the request is answered (400, 408, 413, 415).
 */
void ngx_http_yimen_body_read(ngx_http_yimen_ctx_t *ctx, ngx_uint_t wanted,
    ngx_http_yimen_handler_pt handler);

/* with the context */
void ngx_http_yimen_body_free(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_BODY_H */
