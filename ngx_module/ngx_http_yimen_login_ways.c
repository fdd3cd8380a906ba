/* SPDX-License-Identifier: Apache-2.0
 * The providers on the sign-in page: a button each.
 */
#include "ngx_http_yimen_local.h"


ngx_uint_t
ngx_http_yimen_providers_html(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    struct ym_str place, ngx_uint_t after)
{
    return 0;
}


ngx_uint_t
ngx_http_yimen_login_only(ngx_http_yimen_ctx_t *ctx, struct ym_str place)
{
    return 0;
}
