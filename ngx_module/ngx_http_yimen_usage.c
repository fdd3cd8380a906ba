/* SPDX-License-Identifier: Apache-2.0
 * Entries into applications: the store counts the first one of a session, a
 * worker remembers which it has told already.
 */
#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_usage.h"
#include "ngx_http_yimen_who.h"

#include "ym_store_door.h"


#define NGX_HTTP_YIMEN_USAGE_TOLD  1024


/* told by this worker; what falls out is told again, and counted once */
static uint64_t  ngx_http_yimen_usage_told[NGX_HTTP_YIMEN_USAGE_TOLD];


static const ngx_http_yimen_app_t *
    ngx_http_yimen_usage_app(ngx_http_request_t *r);
static uint64_t ngx_http_yimen_usage_mark(struct ym_str session,
    const char *application);


void
ngx_http_yimen_usage_through(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who)
{
    ngx_http_yimen_who_t        *known;
    const ngx_http_yimen_app_t  *app;

    if (r != r->main || who->method != NGX_HTTP_YIMEN_BY_SESSION) {
        return;
    }

    app = ngx_http_yimen_usage_app(r);

    if (app == NULL || !ngx_http_yimen_is_navigation(r)) {
        return;
    }

    known = ngx_http_yimen_who_get(r, 0);

    if (known != NULL) {
        ngx_http_yimen_usage_entered(who->session, known->shard, app->id);
    }
}


/* the application that is opened at this address: the longest path counts */

static const ngx_http_yimen_app_t *
ngx_http_yimen_usage_app(ngx_http_request_t *r)
{
    size_t                       n, best;
    ngx_uint_t                   i;
    const ngx_http_yimen_app_t  *app, *found;
    ngx_http_yimen_main_conf_t  *ymcf;

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    found = NULL;
    best = 0;

    for (i = 0; i < ngx_http_yimen_apps_count(ymcf); i++) {
        app = ngx_http_yimen_app_at(ymcf, i);
        n = strcspn(app->path, "?#");

        if (n > best && r->uri.len >= n
            && ngx_memcmp(r->uri.data, app->path, n) == 0
            && (app->path[n - 1] == '/' || r->uri.len == n
                || r->uri.data[n] == '/'))
        {
            found = app;
            best = n;
        }
    }

    return found;
}


void
ngx_http_yimen_usage_entered(struct ym_str session, ngx_uint_t shard,
    const char *application)
{
    uint64_t                 mark, *slot;
    ngx_http_yimen_fcall_t   call;

    if (session.n != YM_SHA256_HEX - 1) {
        return;
    }

    mark = ngx_http_yimen_usage_mark(session, application);
    slot = &ngx_http_yimen_usage_told[mark % NGX_HTTP_YIMEN_USAGE_TOLD];

    if (*slot == mark) {
        return;
    }

    ngx_http_yimen_fcall_init(&call, YM_FN_SESSION_ENTER, shard);
    ngx_http_yimen_fcall_arg(&call, session);
    ngx_http_yimen_fcall_z(&call, application);

    if (ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL) == NGX_OK) {
        *slot = mark;
    }
}


static uint64_t
ngx_http_yimen_usage_mark(struct ym_str session, const char *application)
{
    size_t    i;
    uint64_t  mark;

    /* FNV-1a: no secret, no order; the store judges */

    mark = 14695981039346656037ull;

    for (i = 0; i < session.n; i++) {
        mark = (mark ^ (u_char) session.p[i]) * 1099511628211ull;
    }

    for ( /* void */ ; *application != '\0'; application++) {
        mark = (mark ^ (u_char) *application) * 1099511628211ull;
    }

    return mark | 1;
}
