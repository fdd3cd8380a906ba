/* SPDX-License-Identifier: Apache-2.0
 * Sealing and opening for a request (ngx_http_yimen_sealed.h).
 */
#include "ngx_http_yimen_sealed.h"

#include "ym_codec.h"


#define NGX_HTTP_YIMEN_SEAL_BYTES    (8 * 1024 * 1024)
#define NGX_HTTP_YIMEN_SEAL_CONTEXT  64


static struct ym_buf *ngx_http_yimen_seal_buf(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_seal_wipe(void *data);
static struct ym_str ngx_http_yimen_seal_context(
    u_char text[NGX_HTTP_YIMEN_SEAL_CONTEXT], const char *kind,
    struct ym_str id);
static void ngx_http_yimen_seal_failed(ngx_http_yimen_ctx_t *ctx,
    const char *what, struct ym_str id, const struct ym_err *err);


ngx_int_t
ngx_http_yimen_seal(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str plain, struct ym_str *ret)
{
    u_char          text[NGX_HTTP_YIMEN_SEAL_CONTEXT];
    struct ym_err   err;
    struct ym_buf  *buf;

    if (ctx->conf->ring == NULL) {
        *ret = plain;
        return NGX_OK;
    }

    buf = ngx_http_yimen_seal_buf(ctx);

    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ym_seal(ctx->conf->ring, ngx_http_yimen_seal_context(text, kind, id),
                plain, buf, &err)
        != YM_OK)
    {
        ngx_http_yimen_seal_failed(ctx, "sealed", id, &err);
        return NGX_ERROR;
    }

    *ret = ym_buf_str(buf);

    return NGX_OK;
}


ngx_int_t
ngx_http_yimen_unseal(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str kept, struct ym_str *ret)
{
    u_char          text[NGX_HTTP_YIMEN_SEAL_CONTEXT];
    struct ym_err   err;
    struct ym_buf  *buf;

    if (!ym_is_sealed(kept)) {
        *ret = kept;
        return NGX_OK;
    }

    buf = ngx_http_yimen_seal_buf(ctx);

    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ctx->conf->ring == NULL) {
        (void) ym_err_set(&err, YM_EAUTH, "there is no key ring");
        ngx_http_yimen_seal_failed(ctx, "opened", id, &err);
        return NGX_ERROR;
    }

    if (ym_unseal(ctx->conf->ring,
                  ngx_http_yimen_seal_context(text, kind, id), kept, buf,
                  &err)
        != YM_OK)
    {
        ngx_http_yimen_seal_failed(ctx, "opened", id, &err);
        return NGX_ERROR;
    }

    *ret = ym_buf_str(buf);

    return NGX_OK;
}


ngx_int_t
ngx_http_yimen_seal_text(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str plain, struct ym_str *ret)
{
    u_char          text[NGX_HTTP_YIMEN_SEAL_CONTEXT];
    struct ym_err   err;
    struct ym_buf  *buf;

    if (ctx->conf->ring == NULL || plain.n == 0) {
        *ret = plain;
        return NGX_OK;
    }

    buf = ngx_http_yimen_seal_buf(ctx);

    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ym_seal_text(ctx->conf->ring,
                     ngx_http_yimen_seal_context(text, kind, id), plain, buf,
                     &err)
        != YM_OK)
    {
        ngx_http_yimen_seal_failed(ctx, "sealed", id, &err);
        return NGX_ERROR;
    }

    *ret = ym_buf_str(buf);

    return NGX_OK;
}


struct ym_str
ngx_http_yimen_unseal_text(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str id, struct ym_str kept)
{
    u_char          text[NGX_HTTP_YIMEN_SEAL_CONTEXT];
    struct ym_err   err;
    struct ym_buf  *buf;

    if (kept.n == 0 || kept.p[0] != '~' || !ym_is_sealed_text(kept)) {
        return kept;
    }

    buf = ngx_http_yimen_seal_buf(ctx);

    if (buf == NULL || ctx->conf->ring == NULL
        || ym_unseal_text(ctx->conf->ring,
                          ngx_http_yimen_seal_context(text, kind, id), kept,
                          buf, &err)
           != YM_OK)
    {
        return YM_STR("");
    }

    return ym_buf_str(buf);
}


ngx_int_t
ngx_http_yimen_digest(ngx_http_yimen_ctx_t *ctx, const char *label,
    struct ym_str text, struct ym_str *ret)
{
    char       *hex;
    ym_status   rc;

    hex = ngx_pnalloc(ctx->request->pool, YM_DIGEST_HEX);

    if (hex == NULL) {
        return NGX_ERROR;
    }

    rc = (ctx->conf->ring != NULL)
         ? ym_ring_digest(ctx->conf->ring, label, text, hex)
         : ym_sha256_hex(text, hex);

    *ret = (struct ym_str){ hex, YM_DIGEST_HEX - 1 };

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}


static struct ym_buf *
ngx_http_yimen_seal_buf(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf       *buf;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(ctx->request->pool, sizeof(struct ym_buf));
    if (cln == NULL) {
        return NULL;
    }

    buf = cln->data;
    ym_buf_init(buf, NGX_HTTP_YIMEN_SEAL_BYTES);
    cln->handler = ngx_http_yimen_seal_wipe;

    return buf;
}


static void
ngx_http_yimen_seal_wipe(void *data)
{
    ym_buf_wipe(data);
}


static struct ym_str
ngx_http_yimen_seal_context(u_char text[NGX_HTTP_YIMEN_SEAL_CONTEXT],
    const char *kind, struct ym_str id)
{
    u_char  *last;

    if (id.n == 0) {
        return ym_str_of(kind);
    }

    last = ngx_snprintf(text, NGX_HTTP_YIMEN_SEAL_CONTEXT, "%s:%*s", kind,
                        id.n, id.p);

    return (struct ym_str){ (char *) text, (size_t) (last - text) };
}


static void
ngx_http_yimen_seal_failed(ngx_http_yimen_ctx_t *ctx, const char *what,
    struct ym_str id, const struct ym_err *err)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "yimen: %*s cannot be %s: %s", id.n, id.p, what,
                  err->message);
}
