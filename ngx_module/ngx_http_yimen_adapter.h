/* SPDX-License-Identifier: Apache-2.0
 * An adapter as people read it: its field tables, and a dry run through them.
 */
#ifndef NGX_HTTP_YIMEN_ADAPTER_H
#define NGX_HTTP_YIMEN_ADAPTER_H

#include "ngx_http_yimen_route.h"


/* {system} of the path, or NULL: answered with 404 */
const struct ym_system *
    ngx_http_yimen_adapter_named(ngx_http_yimen_ctx_t *ctx);

/* appends ,"to":…,"from":… of a field; ctx->arena must be open */
void ngx_http_yimen_adapter_leaf(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_map_leaf *leaf);

/* for json_dump_callback(); data is a struct ym_buf */
int ngx_http_yimen_adapter_write(const char *text, size_t n, void *data);

#endif /* NGX_HTTP_YIMEN_ADAPTER_H */
