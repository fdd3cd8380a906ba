/* SPDX-License-Identifier: Apache-2.0
 * Who may use an endpoint: who it is, the limits, the role, where the request
 * comes from; in that order, before a byte of its body is read.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_guard.h"
#include "ngx_http_yimen_limit.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_route.h"


static void ngx_http_yimen_admit_asked(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_admit_judge(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_who_t *who);
static void ngx_http_yimen_admit_nobody(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_admit_token(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_who_t *who);
static void ngx_http_yimen_admit_busy(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t after);
static ngx_uint_t ngx_http_yimen_admit_allowed(ngx_http_yimen_ctx_t *ctx);


void
ngx_http_yimen_admit(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_request_t    *r;
    ngx_http_yimen_who_t  *who;

    r = ctx->request;
    who = ngx_http_yimen_who_get(r, 1);
    rc = (who != NULL) ? ngx_http_yimen_who_find(r, who,
                                                 ngx_http_yimen_admit_asked)
                       : NGX_ERROR;

    if (rc == NGX_OK) {
        ngx_http_yimen_admit_asked(r);

    } else if (rc == NGX_ERROR) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
    }
}


/* it is known who calls, or that nobody is known */

static void
ngx_http_yimen_admit_asked(ngx_http_request_t *r)
{
    ngx_uint_t             after;
    ngx_http_yimen_ctx_t  *ctx;
    ngx_http_yimen_who_t  *who;

    ctx = ngx_http_get_module_ctx(r, ngx_http_yimen_module);
    who = ngx_http_yimen_who_get(r, 0);

    if (ngx_http_yimen_admit_judge(ctx, who) != NGX_OK) {
        return;
    }

    if (ngx_http_yimen_limit(r, &ctx->who, &after) != NGX_OK) {
        ngx_http_yimen_admit_busy(ctx, after);
        return;
    }

    if (ctx->who.method != NGX_HTTP_YIMEN_BY_NOTHING && ctx->route->roles
        && !ngx_http_yimen_admit_allowed(ctx))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您的角色不能进行此操作",
                               "Your role does not allow this");
        return;
    }

    if (ngx_http_yimen_csrf_headers(ctx) != NGX_OK) {
        return;
    }

    ngx_http_yimen_request_admitted(ctx);
}


/* NGX_OK: goes on, with ctx->who when somebody is known */

static ngx_int_t
ngx_http_yimen_admit_judge(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_who_t *who)
{
    ngx_uint_t  optional;

    optional = ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_OPTIONAL;

    switch (who->verdict) {

    case NGX_HTTP_YIMEN_WHO_KNOWN:
        ctx->who = who->identity;
        return NGX_OK;

    case NGX_HTTP_YIMEN_WHO_NOBODY:
        if (optional) {
            return NGX_OK;
        }

        ngx_http_yimen_admit_nobody(ctx);
        break;

    case NGX_HTTP_YIMEN_WHO_BAD_TOKEN:
        ngx_http_yimen_admit_token(ctx, who);
        break;

    case NGX_HTTP_YIMEN_WHO_BUSY:
        ngx_http_yimen_admit_busy(ctx, who->after);
        break;

    case NGX_HTTP_YIMEN_WHO_BAD_REQUEST:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "凭证只能放在 Authorization 请求头中",
                               "A token belongs into the Authorization "
                               "header only");
        break;

    default:
        if (optional && ctx->route->method == NGX_HTTP_GET) {
            return NGX_OK;
        }

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        break;
    }

    return NGX_ERROR;
}


static void
ngx_http_yimen_admit_nobody(ngx_http_yimen_ctx_t *ctx)
{
    ngx_str_t  place;

    if ((ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_PAGE)
        && ngx_http_yimen_worker.sessions != NULL
        && ngx_http_yimen_is_navigation(ctx->request))
    {
        if (ngx_http_yimen_guard_place(ctx->request, &place) != NGX_OK) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
            return;
        }

        ngx_http_yimen_page_go(ctx, (struct ym_str){ (char *) place.data,
                                                     place.len });
        return;
    }

    (void) ngx_http_yimen_answer_header(ctx, "WWW-Authenticate",
                                        YM_STR("Bearer realm=\"yimen\""));
    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAUTHORIZED, NULL, NULL);
}


static void
ngx_http_yimen_admit_token(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_who_t *who)
{
    (void) ngx_http_yimen_answer_header(ctx, "WWW-Authenticate",
                                        ym_str_of(who->challenge));
    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_TOKEN, NULL, NULL);
}


static void
ngx_http_yimen_admit_busy(ngx_http_yimen_ctx_t *ctx, ngx_uint_t after)
{
    u_char  text[NGX_INT_T_LEN], *last;

    last = ngx_sprintf(text, "%ui", after);

    (void) ngx_http_yimen_answer_header(ctx, "Retry-After",
                                        (struct ym_str){ (char *) text,
                                                     (size_t) (last - text) });
    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_MANY, NULL, NULL);
}


static ngx_uint_t
ngx_http_yimen_admit_allowed(ngx_http_yimen_ctx_t *ctx)
{
    return ctx->route->roles == NGX_HTTP_YIMEN_ROLE_ANY
           || (ctx->route->roles & ctx->who.roles);
}
