/* SPDX-License-Identifier: Apache-2.0
 * The vault: what people enter for applications that know only passwords.
 * It goes in and is used; nobody reads it again.
 */
#ifndef NGX_HTTP_YIMEN_VAULT_H
#define NGX_HTTP_YIMEN_VAULT_H

#include "ngx_http_yimen_apps.h"


#define NGX_HTTP_YIMEN_VAULT_PAGE   "/auth/vault"
#define NGX_HTTP_YIMEN_VAULT_BYTES  4096    /* of one text that is entered */


/* handlers of routes */
void ngx_http_yimen_vault_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_put(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_delete(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_page(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_enter(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_VAULT_H */
