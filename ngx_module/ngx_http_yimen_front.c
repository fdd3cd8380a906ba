/* SPDX-License-Identifier: Apache-2.0
 * The front: its phases and the state of a request.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_refuse.h"


static ngx_int_t ngx_http_yimen_front_server(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_front_location(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_front_outgoing(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_front_form(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_front_path(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf);
static ngx_int_t ngx_http_yimen_front_insensitive(ngx_http_request_t *r,
    struct ym_str canonical);
static void ngx_http_yimen_front_restore(ngx_http_request_t *r);
static void ngx_http_yimen_front_cleanup(void *data);


ngx_int_t
ngx_http_yimen_front_phases(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static const struct {
        ngx_http_phases      phase;
        ngx_http_handler_pt  handler;
    } phases[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_yimen_front_server },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_yimen_front_location },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_http_yimen_front_outgoing }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < YM_COUNT(phases); i++) {
        h = ngx_array_push(&cmcf->phases[phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phases[i].handler;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_yimen_front_on(ngx_http_request_t *r, ngx_uint_t setting)
{
    ngx_http_yimen_front_main_conf_t  *fmcf;

    if (setting != NGX_HTTP_YIMEN_AUTO) {
        return setting;
    }

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_front_module);

    return fmcf->guarded;
}


/* before a location is chosen */

static ngx_int_t
ngx_http_yimen_front_server(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    struct ym_path                    path;
    struct ym_str                     target;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    if (r != r->main || r->internal) {
        ngx_http_yimen_front_restore(r);
        return NGX_DECLINED;
    }

    ngx_http_yimen_evidence_referer(r);

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (!ngx_http_yimen_front_on(r, flcf->path)) {
        return NGX_DECLINED;
    }

    rc = ngx_http_yimen_front_form(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /*
     * A session parameter is no part of the path: the location is chosen
     * without it, and the application gets the text as it came.  What is
     * ambiguous is refused by the location's own policy.
     */

    target.p = (char *) r->unparsed_uri.data;
    target.n = r->unparsed_uri.len;

    if (memchr(target.p, ';', target.n) == NULL) {
        return NGX_DECLINED;
    }

    path.session = 0;
    target.p = (char *) ngx_pnalloc(r->pool, 2 * target.n);

    if (target.p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy((char *) (uintptr_t) target.p, r->unparsed_uri.data, target.n);

    if (ym_path_check(target, 0, (char *) (uintptr_t) target.p + target.n,
                      &path)
        == NULL
        && path.session)
    {
        r->uri.data = (u_char *) (uintptr_t) path.canonical.p;
        r->uri.len = path.canonical.n;
        ngx_http_set_exten(r);
    }

    return NGX_DECLINED;
}


/* what nginx lets through although it says two things, or nothing */

static ngx_int_t
ngx_http_yimen_front_form(ngx_http_request_t *r)
{
    ngx_str_t       *server;
    struct ym_str    host;

    if (r->http_version < NGX_HTTP_VERSION_10) {
        r->keepalive = 0;
        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->headers_in.host == NULL) {
        return NGX_DECLINED;
    }

    host.p = (char *) r->headers_in.host->value.data;
    host.n = r->headers_in.host->value.len;
    server = &r->headers_in.server;

    /* of "http://one/ Host: two" nginx takes the one, applications the two */

    if (!ym_path_host(host)
        || host.n < server->len
        || ngx_strncasecmp((u_char *) (uintptr_t) host.p, server->data,
                           server->len)
           != 0
        || (host.n > server->len && host.p[server->len] != ':'
            && ngx_strncmp(host.p + server->len, ".:", 2) != 0
            && !(host.n == server->len + 1 && host.p[server->len] == '.')))
    {
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                     "Host 请求头无效",
                                     "The Host header is not acceptable", 0,
                                     NULL);
    }

#if (NGX_HTTP_SSL && defined SSL_CTRL_SET_TLSEXT_HOSTNAME)

    /* the certificate and its checks were those of another server */

    if (r->connection->ssl
        && r->http_connection->ssl_servername != NULL
        && ngx_http_get_module_srv_conf(r, ngx_http_core_module)
           != r->http_connection->conf_ctx
                  ->srv_conf[ngx_http_core_module.ctx_index])
    {
        return NGX_HTTP_MISDIRECTED_REQUEST;
    }

#endif

    return NGX_DECLINED;
}


/* in every location, before `return` and `rewrite` of it */

static ngx_int_t
ngx_http_yimen_front_location(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_yimen_front_state_t     *state;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    ngx_http_yimen_front_restore(r);

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (r == r->main && !r->internal
        && ngx_http_yimen_front_on(r, flcf->path))
    {
        rc = ngx_http_yimen_front_path(r, flcf);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (!ngx_http_yimen_front_on(r, flcf->scrub)) {
        return NGX_DECLINED;
    }

    if (flcf->websocket && r->headers_in.upgrade != NULL) {
        state = ngx_http_yimen_front_state(r, 1);
        if (state == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        state->upgrade = 1;
    }

    if (ngx_http_yimen_scrub(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_yimen_front_path(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf)
{
    char           *out, room[1024];
    const char     *fault;
    struct ym_str   target;
    struct ym_path  path;

    target.p = (char *) r->unparsed_uri.data;
    target.n = r->unparsed_uri.len;
    out = room;

    if (target.n > sizeof(room)) {
        out = ngx_pnalloc(r->pool, target.n);
        if (out == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    fault = ym_path_check(target, flcf->insensitive ? YM_PATH_INSENSITIVE : 0,
                          out, &path);

    if (fault != NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "event=path.refused err=\"%s\"", fault);

        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                     "网址有歧义,已拒绝",
                                     "The path can be read in more than one "
                                     "way", 0, NULL);
    }

    if (flcf->insensitive) {
        return ngx_http_yimen_front_insensitive(r, path.canonical);
    }

    return NGX_DECLINED;
}


/*
 * Locations are written in small letters; the application takes both.  The
 * search for the location begins again with the small ones, once.
 */
static ngx_int_t
ngx_http_yimen_front_insensitive(ngx_http_request_t *r,
    struct ym_str canonical)
{
    ngx_str_t                    lower;
    ngx_uint_t                   i;
    ngx_http_phase_handler_t    *ph;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_core_main_conf_t   *cmcf;

    lower.data = ngx_pnalloc(r->pool, r->uri.len);
    if (lower.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lower.len = r->uri.len;
    ngx_strlow(lower.data, r->uri.data, r->uri.len);

    if (ngx_memcmp(lower.data, r->uri.data, lower.len) == 0) {
        return NGX_DECLINED;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = cmcf->phase_engine.handlers;

    for (i = cmcf->phase_engine.server_rewrite_index;
         i < cmcf->phase_engine.location_rewrite_index; i++)
    {
        if (ph[i].checker != ngx_http_core_find_config_phase) {
            continue;
        }

        r->uri = lower;
        ngx_http_set_exten(r);

        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        r->loc_conf = cscf->ctx->loc_conf;

        /* the engine adds one to this */

        r->phase_handler = (ngx_int_t) i - 1;

        return NGX_DECLINED;
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* behind all that may refuse, before the content */

static ngx_int_t
ngx_http_yimen_front_outgoing(ngx_http_request_t *r)
{
    ngx_http_yimen_front_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (flcf->api || !ngx_http_yimen_front_on(r, flcf->scrub)) {
        return NGX_DECLINED;
    }

    if (ngx_http_yimen_scrub_outgoing(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * Another location decides anew, from what the client sent.  How much of a
 * body is there is not the client's word any more and stays.
 */
static void
ngx_http_yimen_front_restore(ngx_http_request_t *r)
{
    ngx_http_headers_in_t          now;
    ngx_http_yimen_front_state_t  *state;

    state = ngx_http_yimen_front_state(r, 0);

    if (state == NULL || !state->changed) {
        return;
    }

    now = r->headers_in;
    r->headers_in = state->original;

    r->headers_in.content_length_n = now.content_length_n;
    r->headers_in.chunked = now.chunked;
    r->headers_in.connection_type = now.connection_type;

    if (now.content_length == NULL) {
        r->headers_in.content_length = NULL;
    }

    if (r == r->main) {
        state->changed = 0;
        state->pending.nelts = 0;
        state->jar = 0;
        state->bearer = 0;
        state->who = NULL;
    }
}


ngx_http_yimen_front_state_t *
ngx_http_yimen_front_state(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_yimen_front_state_t  *state;

    r = r->main;
    state = ngx_http_get_module_ctx(r, ngx_http_yimen_front_module);

    if (state != NULL) {
        return state;
    }

    /* an internal redirect has cleared the contexts */

    if (r->internal || create) {
        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_yimen_front_cleanup) {
                ngx_http_set_ctx(r, cln->data, ngx_http_yimen_front_module);
                return cln->data;
            }
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    state = ngx_http_yimen_spare_take(&ngx_http_yimen_front_worker.states,
                                      sizeof(ngx_http_yimen_front_state_t),
                                      r->connection->log);
    if (state == NULL) {
        return NULL;
    }

    ngx_memzero(state, offsetof(ngx_http_yimen_front_state_t, original));

    state->pending.elts = state->adds;
    state->pending.size = sizeof(ngx_keyval_t);
    state->pending.nalloc = NGX_HTTP_YIMEN_ADDS;
    state->pending.pool = r->pool;

    cln->data = state;
    cln->handler = ngx_http_yimen_front_cleanup;
    ngx_http_set_ctx(r, state, ngx_http_yimen_front_module);

    return state;
}


static void
ngx_http_yimen_front_cleanup(void *data)
{
    ngx_http_yimen_front_state_t  *state = data;

    ngx_http_yimen_socket_forget(state);
    ngx_http_yimen_spare_give(&ngx_http_yimen_front_worker.states, state);
}
