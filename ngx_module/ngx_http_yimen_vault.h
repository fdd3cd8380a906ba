/* SPDX-License-Identifier: Apache-2.0
 * The vault: what people enter for applications that know only passwords.
 * It goes in and is used; nobody reads it again.
 */
#ifndef NGX_HTTP_YIMEN_VAULT_H
#define NGX_HTTP_YIMEN_VAULT_H

#include "ngx_http_yimen_apps.h"


#define NGX_HTTP_YIMEN_VAULT_PAGE   "/vault/"   /* of the portal */
#define NGX_HTTP_YIMEN_VAULT_BYTES  4096    /* of one text that is entered */


/* handlers of routes */
void ngx_http_yimen_vault_list(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_put(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_vault_delete(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_apps_list(ngx_http_yimen_ctx_t *ctx);

/*
 * The application's entry in the reply of YM_FN_VAULT_LIST: name, since, why
 * it is stale; NULL: nothing was entered.
 */
redisReply *ngx_http_yimen_vault_row(redisReply *reply, const char *system);

#endif /* NGX_HTTP_YIMEN_VAULT_H */
