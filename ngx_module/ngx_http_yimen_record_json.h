/* SPDX-License-Identifier: Apache-2.0
 * A record as the store answers it, and as the API writes it.
 */
#ifndef NGX_HTTP_YIMEN_RECORD_JSON_H
#define NGX_HTTP_YIMEN_RECORD_JSON_H

#include "ngx_http_yimen_reply.h"
#include "ngx_http_yimen_request.h"


/*
 * From a reply of YM_FN_GET.  NGX_OK; NGX_DECLINED: there is no such record;
 * NGX_ERROR: no such reply, or memory is out.
 */
ngx_int_t ngx_http_yimen_record_read(ngx_http_yimen_ctx_t *ctx,
    redisReply *reply, struct ym_str id, ngx_http_yimen_record_t *ret);

/* the same from elements[0 .. 9] of a longer array */
ngx_int_t ngx_http_yimen_record_read_at(ngx_http_yimen_ctx_t *ctx,
    redisReply **elements, struct ym_str id, ngx_http_yimen_record_t *ret);

/* appends the record; masked: personal fields are replaced */
void ngx_http_yimen_record_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record, ngx_uint_t masked);

/* appends its deliveries alone: {"system": {…}, …} */
void ngx_http_yimen_progress_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);

ngx_int_t ngx_http_yimen_envelope_read(struct ym_str envelope,
    ngx_http_yimen_envelope_t *ret);

/* appends ,"attachments":[…]; masked: what they are, not what they say */
void ngx_http_yimen_attachments_write(struct ym_buf *out,
    struct ym_str attachments, ngx_uint_t masked);

/* appends data, personal fields (x-sensitive) replaced by "***" */
void ngx_http_yimen_data_masked(ngx_http_yimen_ctx_t *ctx,
    struct ym_str type, struct ym_str data, struct ym_buf *out);

/* whether every delivery has come to rest */
ngx_uint_t ngx_http_yimen_record_settled(const ngx_http_yimen_record_t *rec);

/* the built-in type: what people say about Yimen itself, read by operators */
#define NGX_HTTP_YIMEN_FEEDBACK  "feedback"

/* whether the caller may see it at all, and whether with its personal data */
ngx_uint_t ngx_http_yimen_record_visible(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);
ngx_uint_t ngx_http_yimen_record_owned(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);

void ngx_http_yimen_int_write(struct ym_buf *out, int64_t n);

/* appends a time as "…" with zone, or null for 0 */
void ngx_http_yimen_time_write(struct ym_buf *out, int64_t ms);

/* the API's word for a state letter */
const char *ngx_http_yimen_state_word(char letter);

#endif /* NGX_HTTP_YIMEN_RECORD_JSON_H */
