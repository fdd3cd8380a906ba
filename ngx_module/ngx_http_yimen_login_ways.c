/* SPDX-License-Identifier: Apache-2.0
 * The providers on the sign-in page: a button each.
 */
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_oidc.h"

#include "ym_place.h"


static void ngx_http_yimen_ways_address(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out, const ngx_http_yimen_provider_t *provider,
    struct ym_str place);


ngx_uint_t
ngx_http_yimen_providers_html(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    struct ym_str place, ngx_uint_t after)
{
    ngx_uint_t                        i, n;
    const char                       *title;
    struct ym_buf                     address;
    const ngx_http_yimen_provider_t  *provider;

    n = ngx_http_yimen_providers(ctx->conf);

    if (n && after) {
        ngx_http_yimen_form_text(ctx, out, "div class=\"or\"", "或", "or");
    }

    for (i = 0; i < n; i++) {
        provider = ngx_http_yimen_provider(ctx->conf, i);
        title = (ctx->lang == YM_EN) ? provider->title_en
                                     : provider->title_zh;

        ym_buf_init(&address, 4 * YM_PLACE_MAX);
        ngx_http_yimen_ways_address(ctx, &address, provider, place);

        ym_buf_adds(out, "<a class=\"button");
        ym_buf_adds(out, after || i ? " quiet" : "");
        ym_buf_adds(out, "\" href=\"");
        ngx_http_yimen_html(out, ym_buf_str(&address));
        ym_buf_adds(out, "\">");
        ngx_http_yimen_html(out, ym_str_of(title != NULL ? title
                                                         : provider->id));
        ym_buf_adds(out, "</a>\n");
        ym_buf_clear(&address);
    }

    return n;
}


ngx_uint_t
ngx_http_yimen_login_only(ngx_http_yimen_ctx_t *ctx, struct ym_str place)
{
    struct ym_buf  address;

    if (ctx->conf->local != NULL
        || ngx_http_yimen_providers(ctx->conf) != 1)
    {
        return 0;
    }

    ym_buf_init(&address, 4 * YM_PLACE_MAX);
    ngx_http_yimen_ways_address(ctx, &address,
                                ngx_http_yimen_provider(ctx->conf, 0), place);

    if (address.failed != YM_OK) {
        ngx_http_yimen_local_trouble(ctx);

    } else {
        ngx_http_yimen_page_go(ctx, ym_buf_str(&address));
    }

    ym_buf_clear(&address);

    return 1;
}


static void
ngx_http_yimen_ways_address(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const ngx_http_yimen_provider_t *provider, struct ym_str place)
{
    struct ym_str  again;

    ym_buf_adds(out, "/auth/start/");
    ym_buf_add_uri(out, ym_str_of(provider->id));
    ym_buf_adds(out, "?rd=");
    ym_buf_add_uri(out, place);

    if (ngx_http_yimen_query(ctx, "again", &again) == NGX_OK) {
        ym_buf_adds(out, "&again=1");
    }
}
