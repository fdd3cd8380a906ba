/* SPDX-License-Identifier: Apache-2.0
 * Attachments: uploading one, reading one, and naming them in a record.
 */
#ifndef NGX_HTTP_YIMEN_ATTACH_H
#define NGX_HTTP_YIMEN_ATTACH_H

#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_threads.h"

#include "ym_attachment.h"
#include "ym_blob.h"
#include "ym_store_attachment.h"


/* what is known of one is sealed for it: YM_FN_ATTACHMENT_PUT */
#define NGX_HTTP_YIMEN_SEAL_ATTACHMENT  "attachment"

typedef struct ngx_http_yimen_attach_conf_s {
    struct ym_attachment_conf   limits;
    struct ym_blob_store        store;
    ngx_thread_pool_t          *pool;
} ngx_http_yimen_attach_conf_t;

/* who uploads: the digest that the store knows */
ngx_int_t ngx_http_yimen_attach_person(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);

/*
 * Reads the body's `attachments` and what is known of each into the record
 * work's attachments, as JSON ("" = an empty list); then handler runs, or the
 * request is answered.  record: the one that is changed, whose own are allowed
 * as well, or "".  Without such a list work->attach stays NULL.
 */
void ngx_http_yimen_attach_resolve(ngx_http_yimen_ctx_t *ctx,
    struct ym_str record, ngx_http_yimen_handler_pt handler);

/*
 * They become the record's; after that the call is made, whose answer handler
 * gets: instead of ngx_http_yimen_calls().
 */
void ngx_http_yimen_attach_then(ngx_http_yimen_ctx_t *ctx,
    struct ym_str record, const ngx_http_yimen_args_t *call,
    ngx_http_yimen_handler_pt handler);

#endif /* NGX_HTTP_YIMEN_ATTACH_H */
