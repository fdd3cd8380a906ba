/* SPDX-License-Identifier: Apache-2.0
 * What tells of a person on its way to Redis and back: sealed there, plain
 * here.  Without a key ring everything stays as it is.
 */
#ifndef NGX_HTTP_YIMEN_SEALED_H
#define NGX_HTTP_YIMEN_SEALED_H

#include "ngx_http_yimen_request.h"


/* what it is: the context that it is bound to, together with an id */
#define NGX_HTTP_YIMEN_SEAL_RECORD   "record"   /* envelope, bytes */
#define NGX_HTTP_YIMEN_SEAL_PROBLEM  "problem"  /* of a delivery, text */
#define NGX_HTTP_YIMEN_SEAL_ATTEMPT  "attempt"  /* of a delivery, bytes */
#define NGX_HTTP_YIMEN_SEAL_WHY      "why"      /* a reason, text; no id */


/* both live as long as the request, then they are wiped */
ngx_int_t ngx_http_yimen_seal(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str plain, struct ym_str *ret);

/* NGX_ERROR: it cannot be opened, which is logged */
ngx_int_t ngx_http_yimen_unseal(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str kept, struct ym_str *ret);

/* the same for short texts, as text; what cannot be opened is "" */
ngx_int_t ngx_http_yimen_seal_text(ngx_http_yimen_ctx_t *ctx,
    const char *kind, struct ym_str id, struct ym_str plain,
    struct ym_str *ret);
struct ym_str ngx_http_yimen_unseal_text(ngx_http_yimen_ctx_t *ctx,
    const char *kind, struct ym_str id, struct ym_str kept);

/* 64 hex digits and a NUL: keyed, or plain SHA-256 when there is no ring */
ngx_int_t ngx_http_yimen_digest(ngx_http_yimen_ctx_t *ctx, const char *label,
    struct ym_str text, struct ym_str *ret);

#endif /* NGX_HTTP_YIMEN_SEALED_H */
