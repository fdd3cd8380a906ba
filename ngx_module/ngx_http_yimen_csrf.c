/* SPDX-License-Identifier: Apache-2.0
 * Cross-site requests: what the browser says of the origin, and a token that
 * only our own pages can know.
 */
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_route.h"

#include "ym_codec.h"


#define NGX_HTTP_YIMEN_SAFE                                                   \
    (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS|NGX_HTTP_TRACE)


static ngx_int_t ngx_http_yimen_csrf_value(ngx_http_request_t *r,
    const char *name, ngx_str_t **ret);
static ngx_uint_t ngx_http_yimen_csrf_asked(ngx_http_yimen_ctx_t *ctx);
static ngx_uint_t ngx_http_yimen_csrf_right(ngx_http_yimen_ctx_t *ctx,
    struct ym_str given);
static ngx_int_t ngx_http_yimen_csrf_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *zh, const char *en);


ngx_uint_t
ngx_http_yimen_csrf_origin(ngx_http_request_t *r)
{
    ngx_str_t                   *site, *origin;
    const char                  *ours;
    ngx_http_yimen_main_conf_t  *ymcf;

    if (ngx_http_yimen_csrf_value(r, "sec-fetch-site", &site) != NGX_OK
        || ngx_http_yimen_csrf_value(r, "origin", &origin) != NGX_OK)
    {
        return 0;
    }

    if (site != NULL
        && !(site->len == 11 && ngx_strncmp(site->data, "same-origin", 11)
                                == 0)
        && !(site->len == 4 && ngx_strncmp(site->data, "none", 4) == 0))
    {
        return 0;
    }

    if (origin == NULL) {
        return 1;
    }

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    ours = ymcf->auth.public_url;

    return ours != NULL && origin->len == ngx_strlen(ours)
           && ngx_strncmp(origin->data, ours, origin->len) == 0;
}


/* NGX_ERROR: it stands there twice, and which is meant cannot be told */

static ngx_int_t
ngx_http_yimen_csrf_value(ngx_http_request_t *r, const char *name,
    ngx_str_t **ret)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    *ret = NULL;
    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != len
                || ngx_strncmp(h[i].lowcase_key, name, len) != 0)
            {
                continue;
            }

            if (*ret != NULL) {
                return NGX_ERROR;
            }

            *ret = &h[i].value;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_yimen_csrf_token(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str session, char out[YM_DIGEST_HEX])
{
    if (ymcf->ring == NULL || session.n == 0
        || ym_ring_digest(ymcf->ring, "csrf", session, out) != YM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_csrf_asked(ngx_http_yimen_ctx_t *ctx)
{
    return ctx->who.method == NGX_HTTP_YIMEN_BY_SESSION
           && !(ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_OWNCHECK)
           && !(ctx->request->method & NGX_HTTP_YIMEN_SAFE);
}


ngx_int_t
ngx_http_yimen_csrf_headers(ngx_http_yimen_ctx_t *ctx)
{
    ngx_str_t  *given;

    if (!ngx_http_yimen_csrf_asked(ctx)) {
        return NGX_OK;
    }

    if (!ngx_http_yimen_csrf_origin(ctx->request)) {
        return ngx_http_yimen_csrf_refuse(ctx,
                                    "请求来自其他网站,已拒绝",
                                    "The request comes from another site");
    }

    if (ngx_http_yimen_csrf_value(ctx->request, "x-yimen-csrf", &given)
        != NGX_OK)
    {
        given = NULL;

    } else if (given == NULL
               && (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FORM))
    {
        return NGX_OK;
    }

    if (given == NULL
        || !ngx_http_yimen_csrf_right(ctx,
                         (struct ym_str){ (char *) given->data, given->len }))
    {
        return ngx_http_yimen_csrf_refuse(ctx,
                          "缺少有效的 X-Yimen-CSRF,请刷新页面后重试",
                          "X-Yimen-CSRF is missing or not valid: take it from "
                          "GET /api/v1/me");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_yimen_csrf_form(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  given;

    if (!ngx_http_yimen_csrf_asked(ctx)
        || !(ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_FORM)
        || ngx_http_yimen_header(ctx->request, "x-yimen-csrf") != NULL)
    {
        return NGX_OK;
    }

    if (ngx_http_yimen_form(ctx, "csrf", &given) != NGX_OK
        || !ngx_http_yimen_csrf_right(ctx, given))
    {
        return ngx_http_yimen_csrf_refuse(ctx,
                          "页面已过期,请刷新后重试",
                          "The page is out of date: load it again");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_csrf_right(ngx_http_yimen_ctx_t *ctx, struct ym_str given)
{
    char  token[YM_DIGEST_HEX];

    return ngx_http_yimen_csrf_token(ctx->conf, ctx->who.session, token)
           == NGX_OK
           && ym_equal_secret(given, ym_str_of(token));
}


static ngx_int_t
ngx_http_yimen_csrf_refuse(ngx_http_yimen_ctx_t *ctx, const char *zh,
    const char *en)
{
    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "event=csrf.refused err=\"%s\"", en);

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN, zh, en);

    return NGX_ERROR;
}
