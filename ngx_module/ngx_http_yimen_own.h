/* SPDX-License-Identifier: Apache-2.0
 * Changes of one's own local account: a page, the present password, the
 * change, and then every other session of the account ends.
 */
#ifndef NGX_HTTP_YIMEN_OWN_H
#define NGX_HTTP_YIMEN_OWN_H

#include "ngx_http_yimen_local.h"


typedef struct ngx_http_yimen_own_s {
    const char                *what;      /* in the evidence */
    ngx_http_yimen_handler_pt  apply;     /* the password was right: _store()
                                             or _refuse() */
    void                     (*page)(ngx_http_yimen_ctx_t *ctx,
                                   ngx_uint_t status);
    ngx_http_yimen_handler_pt  after;     /* all is done: the last page */
} ngx_http_yimen_own_t;


/* shows own->page for the account that is signed in */
void ngx_http_yimen_own_get(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_own_t *own);

/* the same for a form that came; NULL: the request is answered */
ngx_http_yimen_local_t *ngx_http_yimen_own_open(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_own_t *own, ngx_uint_t form);

/* the form's password is checked, then own->apply */
void ngx_http_yimen_own_confirm(ngx_http_yimen_ctx_t *ctx);

/* local->account is stored, sessions end, own->after */
void ngx_http_yimen_own_store(ngx_http_yimen_ctx_t *ctx);

/* own->page with local->alert_* */
void ngx_http_yimen_own_refuse(ngx_http_yimen_ctx_t *ctx);

/* a page that says so, and a way back */
void ngx_http_yimen_own_note(ngx_http_yimen_ctx_t *ctx, const char *title_zh,
    const char *title_en, const char *zh, const char *en);

#endif /* NGX_HTTP_YIMEN_OWN_H */
