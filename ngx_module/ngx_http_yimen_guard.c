/* SPDX-License-Identifier: Apache-2.0
 * The guard's phase handler.
 *
 * What it returns: NGX_DECLINED when all is well, never NGX_OK, which would
 * skip limit_req and whatever else stands in this phase.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_csrf.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_guard.h"
#include "ngx_http_yimen_inject.h"
#include "ngx_http_yimen_limit.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_refuse.h"


#define NGX_HTTP_YIMEN_SAFE                                                   \
    (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS|NGX_HTTP_TRACE)

#define NGX_HTTP_YIMEN_SIGN_IN  "/auth/login"


static ngx_int_t ngx_http_yimen_guard_handler(ngx_http_request_t *r);
static void ngx_http_yimen_guard_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_guard_wait(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_guard_judge(ngx_http_request_t *r,
    ngx_http_yimen_loc_conf_t *ylcf, const ngx_http_yimen_who_t *who);
static ngx_int_t ngx_http_yimen_guard_known(ngx_http_request_t *r,
    ngx_http_yimen_loc_conf_t *ylcf, const ngx_http_yimen_identity_t *who);
static ngx_int_t ngx_http_yimen_guard_pass(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who);
static ngx_int_t ngx_http_yimen_guard_sign_in(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_guard_forbid(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, const char *why, const char *zh,
    const char *en);


ngx_int_t
ngx_http_yimen_guard_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_yimen_guard_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_guard_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_yimen_who_t       *who;
    ngx_http_yimen_loc_conf_t  *ylcf;

    ylcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_module);

    /* an endpoint of ours asks for itself, when its route is known */

    if (ylcf->api) {
        return NGX_DECLINED;
    }

    if (ylcf->auth == NGX_HTTP_YIMEN_AUTH_OFF) {
        return ngx_http_yimen_guard_pass(r, NULL);
    }

    who = ngx_http_yimen_who_get(r, 1);
    if (who == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_yimen_who_find(r, who, ngx_http_yimen_guard_resume);

    if (rc == NGX_AGAIN) {
        return ngx_http_yimen_guard_wait(r);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_yimen_guard_judge(r, ylcf, who);
}


/* the client leaving is noticed; a write event does not run the phases again */

static ngx_int_t
ngx_http_yimen_guard_wait(ngx_http_request_t *r)
{
    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;

        if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


static void
ngx_http_yimen_guard_resume(ngx_http_request_t *r)
{
    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }

    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_yimen_guard_judge(ngx_http_request_t *r,
    ngx_http_yimen_loc_conf_t *ylcf, const ngx_http_yimen_who_t *who)
{
    ngx_uint_t  optional;

    optional = (ylcf->auth == NGX_HTTP_YIMEN_AUTH_OPTIONAL);

    switch (who->verdict) {

    case NGX_HTTP_YIMEN_WHO_KNOWN:
        return ngx_http_yimen_guard_known(r, ylcf, &who->identity);

    case NGX_HTTP_YIMEN_WHO_NOBODY:
        return optional ? ngx_http_yimen_guard_pass(r, NULL)
                        : ngx_http_yimen_guard_sign_in(r);

    case NGX_HTTP_YIMEN_WHO_BAD_TOKEN:
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_BAD_TOKEN, NULL,
                                     NULL, 0, who->challenge);

    case NGX_HTTP_YIMEN_WHO_BAD_REQUEST:
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                     "凭证只能放在 Authorization 请求头中",
                                     "A token belongs into the Authorization "
                                     "header only", 0, NULL);

    case NGX_HTTP_YIMEN_WHO_BUSY:
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_TOO_MANY, NULL, NULL,
                                     who->after, NULL);

    default:
        if (optional) {
            return ngx_http_yimen_guard_pass(r, NULL);
        }

        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL,
                                     NULL, 1, NULL);
    }
}


static ngx_int_t
ngx_http_yimen_guard_known(ngx_http_request_t *r,
    ngx_http_yimen_loc_conf_t *ylcf, const ngx_http_yimen_identity_t *who)
{
    /* a socket can be opened from any page, and then it sends as the person */

    if (who->method == NGX_HTTP_YIMEN_BY_SESSION
        && (!(r->method & NGX_HTTP_YIMEN_SAFE)
            || r->headers_in.upgrade != NULL)
        && !ngx_http_yimen_csrf_origin(r))
    {
        return ngx_http_yimen_guard_forbid(r, who, "csrf",
                                    "请求来自其他网站,已拒绝",
                                    "The request comes from another site");
    }

    if (ylcf->rules != NULL && !ngx_http_yimen_guard_allows(ylcf->rules, who))
    {
        return ngx_http_yimen_guard_forbid(r, who, "require",
                                    "您没有使用此应用的权限",
                                    "You may not use this application");
    }

    return ngx_http_yimen_guard_pass(r, who);
}


static ngx_int_t
ngx_http_yimen_guard_pass(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who)
{
    ngx_uint_t  after;

    if (ngx_http_yimen_limit(r, who, &after) != NGX_OK) {
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_TOO_MANY, NULL, NULL,
                                     after, NULL);
    }

    if (who == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_yimen_inject(r, who);
}


/* a person goes to the sign-in page, a program is told */

static ngx_int_t
ngx_http_yimen_guard_sign_in(ngx_http_request_t *r)
{
    ngx_str_t  place, store;

    if (ngx_http_yimen_worker.sessions == NULL || r != r->main
        || !ngx_http_yimen_is_navigation(r))
    {
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_UNAUTHORIZED, NULL,
                                     NULL, 0, NULL);
    }

    ngx_str_set(&store, "no-store");

    /* not headers_out.location: nginx would put the client's Host before it */

    if (ngx_http_yimen_guard_place(r, &place) != NGX_OK
        || ngx_http_yimen_out_header(r, "Location", &place) != NGX_OK
        || ngx_http_yimen_out_header(r, "Cache-Control", &store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SEE_OTHER;
}


ngx_int_t
ngx_http_yimen_guard_place(ngx_http_request_t *r, ngx_str_t *ret)
{
    struct ym_buf                out;
    struct ym_str                back;
    ngx_http_yimen_main_conf_t  *ymcf;

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);

    ym_buf_init(&out, 16384);
    ym_buf_adds(&out, ymcf->auth.public_url);
    ym_buf_adds(&out, NGX_HTTP_YIMEN_SIGN_IN);

    /* what was sent is lost: afterwards there is only the page itself to ask */

    back.p = (char *) r->unparsed_uri.data;
    back.n = r->unparsed_uri.len;

    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) && back.n <= 2048) {
        ym_buf_adds(&out, "?rd=");
        ym_buf_add_uri(&out, back);
    }

    ret->len = out.n;
    ret->data = (out.failed == YM_OK) ? ngx_pnalloc(r->pool, out.n) : NULL;

    if (ret->data != NULL) {
        ngx_memcpy(ret->data, out.p, out.n);
    }

    ym_buf_clear(&out);

    return (ret->data != NULL) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_guard_forbid(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, const char *why, const char *zh,
    const char *en)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "access_refused";
    e.who = who->subject;
    e.why = ym_str_of(why);

    ngx_http_yimen_evidence(r, &e);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "event=access.refused why=%s", why);

    return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_FORBIDDEN, zh, en, 0,
                                 NULL);
}
