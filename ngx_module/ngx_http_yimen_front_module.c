/* SPDX-License-Identifier: Apache-2.0
 * The front: directives, phases and the state of a request.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"
#include "ngx_http_yimen_refuse.h"
#include "ngx_http_yimen_revoked.h"


static ngx_int_t ngx_http_yimen_front_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_yimen_front_init_process(ngx_cycle_t *cycle);
static void ngx_http_yimen_front_exit_process(ngx_cycle_t *cycle);
static void *ngx_http_yimen_front_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_yimen_front_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_yimen_front_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_yimen_front_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_yimen_conf_scrub(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_yimen_conf_trust(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

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


ngx_http_yimen_front_worker_t  ngx_http_yimen_front_worker;


static ngx_conf_enum_t  ngx_http_yimen_front_path_values[] = {
    { ngx_string("strict"), 1 },
    { ngx_string("off"), 0 },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_yimen_front_case_values[] = {
    { ngx_string("insensitive"), 1 },
    { ngx_string("sensitive"), 0 },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_yimen_front_redirect_values[] = {
    { ngx_string("any"), 1 },
    { ngx_string("own"), 0 },
    { ngx_null_string, 0 }
};

#define NGX_HTTP_YIMEN_EVERYWHERE                                             \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF

#define field(f)  offsetof(ngx_http_yimen_front_loc_conf_t, f)

static ngx_command_t  ngx_http_yimen_front_commands[] = {

    { ngx_string("yimen_path"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET, field(path),
      ngx_http_yimen_front_path_values },

    { ngx_string("yimen_path_case"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET, field(insensitive),
      ngx_http_yimen_front_case_values },

    { ngx_string("yimen_scrub"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_1MORE,
      ngx_http_yimen_conf_scrub, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("yimen_trust"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_1MORE,
      ngx_http_yimen_conf_trust, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("yimen_identity"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_1MORE,
      ngx_http_yimen_conf_identity, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("yimen_websocket"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, field(websocket),
      NULL },

    { ngx_string("yimen_accel"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, field(accel), NULL },

    { ngx_string("yimen_redirects"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET, field(redirects),
      ngx_http_yimen_front_redirect_values },

    { ngx_string("yimen_limit"),
      NGX_HTTP_YIMEN_EVERYWHERE|NGX_CONF_1MORE,
      ngx_http_yimen_conf_limit, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("yimen_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_yimen_conf_limit_zone, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

      ngx_null_command
};

#undef field


static ngx_http_module_t  ngx_http_yimen_front_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_yimen_front_init,             /* postconfiguration */

    ngx_http_yimen_front_create_main_conf, /* create main configuration */
    ngx_http_yimen_front_init_main_conf,   /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_yimen_front_create_loc_conf,  /* create location configuration */
    ngx_http_yimen_front_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_yimen_front_module = {
    NGX_MODULE_V1,
    &ngx_http_yimen_front_module_ctx,      /* module context */
    ngx_http_yimen_front_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_yimen_front_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_yimen_front_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_yimen_front_init_process(ngx_cycle_t *cycle)
{
    ngx_http_yimen_front_worker_t     *w;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    if ((ngx_process != NGX_PROCESS_WORKER
         && ngx_process != NGX_PROCESS_SINGLE)
        || cycle->conf_ctx[ngx_http_module.index] == NULL)
    {
        return NGX_OK;
    }

    fmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_yimen_front_module);
    w = &ngx_http_yimen_front_worker;

    if (fmcf->audiences.nelts != 0) {
        w->issued = ngx_http_yimen_issued_open(cycle->log);

        if (w->issued == NULL) {
            return NGX_ERROR;
        }
    }

    return fmcf->revoked ? ngx_http_yimen_revoked_open(cycle, fmcf->revoked)
                         : NGX_OK;
}


static void
ngx_http_yimen_front_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_yimen_revoked_close();
    ngx_http_yimen_issued_close(ngx_http_yimen_front_worker.issued);
    ngx_http_yimen_front_worker.issued = NULL;
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
        state->known = 0;
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

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_yimen_front_state_t));
    if (cln == NULL) {
        return NULL;
    }

    state = cln->data;
    ngx_memzero(state, sizeof(ngx_http_yimen_front_state_t));

    if (ngx_array_init(&state->pending, r->pool, 8, sizeof(ngx_keyval_t))
        != NGX_OK)
    {
        return NULL;
    }

    cln->handler = ngx_http_yimen_front_cleanup;
    ngx_http_set_ctx(r, state, ngx_http_yimen_front_module);

    return state;
}


static void
ngx_http_yimen_front_cleanup(void *data)
{
    ngx_http_yimen_socket_forget(data);
}


/* ---- configuration ---- */

static void *
ngx_http_yimen_front_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_front_main_conf_t));
    if (fmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&fmcf->names, cf->pool, 8, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&fmcf->audiences, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&fmcf->keys, cf->pool, 2,
                          sizeof(ngx_http_yimen_sign_key_t))
           != NGX_OK)
    {
        return NULL;
    }

    return fmcf;
}


/* sessions, or a directive that asks who calls: nobody else may say it */

static char *
ngx_http_yimen_front_init_main_conf(ngx_conf_t *cf, void *conf)
{
    const struct ym_yaml              *auth;
    ngx_http_yimen_main_conf_t        *ymcf;
    ngx_http_yimen_front_main_conf_t  *fmcf = conf;

    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);
    auth = ymcf->catalog ? ymcf->catalog->site.auth : NULL;

    if (auth != NULL
        && ngx_http_yimen_revoked_zone(cf, &fmcf->revoked) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (auth != NULL
        && (ym_yaml_get(auth, "session") || ym_yaml_get(auth, "ring")))
    {
        fmcf->guarded = 1;
    }

    return ngx_http_yimen_sign_load(cf);
}


void
ngx_http_yimen_front_guarded(ngx_conf_t *cf)
{
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);
    fmcf->guarded = 1;
}


static void *
ngx_http_yimen_front_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_yimen_front_loc_conf_t  *flcf;

    flcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_front_loc_conf_t));
    if (flcf == NULL) {
        return NULL;
    }

    flcf->path = NGX_CONF_UNSET_UINT;
    flcf->insensitive = NGX_CONF_UNSET_UINT;
    flcf->scrub = NGX_CONF_UNSET_UINT;
    flcf->except = NGX_CONF_UNSET_PTR;
    flcf->trust = NGX_CONF_UNSET_PTR;
    flcf->websocket = NGX_CONF_UNSET;
    flcf->accel = NGX_CONF_UNSET;
    flcf->redirects = NGX_CONF_UNSET;
    flcf->limits = NGX_CONF_UNSET_PTR;
    flcf->identity = NGX_CONF_UNSET;

    return flcf;
}


static char *
ngx_http_yimen_front_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_yimen_loc_conf_t         *ylcf;
    ngx_http_yimen_front_loc_conf_t   *prev = parent;
    ngx_http_yimen_front_loc_conf_t   *conf = child;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    ngx_conf_merge_uint_value(conf->path, prev->path, NGX_HTTP_YIMEN_AUTO);
    ngx_conf_merge_uint_value(conf->insensitive, prev->insensitive, 0);

    if (conf->scrub == NGX_CONF_UNSET_UINT) {
        ngx_conf_merge_ptr_value(conf->except, prev->except, NULL);
    }

    ngx_conf_merge_ptr_value(conf->except, NULL, NULL);
    ngx_conf_merge_uint_value(conf->scrub, prev->scrub, NGX_HTTP_YIMEN_AUTO);
    ngx_conf_merge_ptr_value(conf->trust, prev->trust, NULL);
    ngx_conf_merge_value(conf->websocket, prev->websocket, 0);
    ngx_conf_merge_value(conf->accel, prev->accel, 0);
    ngx_conf_merge_value(conf->redirects, prev->redirects, 0);
    ngx_conf_merge_ptr_value(conf->limits, prev->limits, NULL);

    if (conf->identity == NGX_CONF_UNSET) {
        conf->kind = prev->kind;
        conf->kind_conf = prev->kind_conf;
        conf->identity = (prev->identity == 1);
    }

    ylcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_yimen_module);
    conf->api = (ylcf->api == 1);

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    if (!conf->accel && !conf->api
        && (conf->scrub == 1
            || (conf->scrub == NGX_HTTP_YIMEN_AUTO && fmcf->guarded)))
    {
        ngx_http_yimen_answers_ignore(cf);
    }

    if (conf->kind == &ngx_http_yimen_kind_form) {
        return ngx_http_yimen_jar_location(cf);
    }

    return NGX_CONF_OK;
}


/* yimen_scrub on|off [except=NAME ...]; */

static char *
ngx_http_yimen_conf_scrub(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                        *value, *name;
    ngx_uint_t                        i;
    ngx_http_yimen_front_loc_conf_t  *flcf = conf;

    if (flcf->scrub != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        flcf->scrub = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        flcf->scrub = 0;

    } else {
        return "takes \"on\" or \"off\" first";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    flcf->except = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (flcf->except == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "except=", 7) != 0
            || value[i].len == 7)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": "
                               "except=NAME is meant", &value[i]);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(flcf->except);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->data = value[i].data + 7;
        name->len = ngx_http_yimen_fold(name->data, value[i].len - 7,
                                        name->data);
    }

    return NGX_CONF_OK;
}


/* yimen_trust CIDR|unix: ...; */

static char *
ngx_http_yimen_conf_trust(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                         rc;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_cidr_t                       *cidr;
    ngx_http_yimen_front_loc_conf_t  *flcf = conf;

    if (flcf->trust == NGX_CONF_UNSET_PTR) {
        flcf->trust = ngx_array_create(cf->pool, 2, sizeof(ngx_cidr_t));
        if (flcf->trust == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(flcf->trust);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

        if (ngx_strcmp(value[i].data, "unix:") == 0) {
            cidr->family = AF_UNIX;
            cidr->u.in.addr = INADDR_NONE;
            cidr->u.in.mask = INADDR_NONE;
            continue;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no address or network", &value[i]);
            return NGX_CONF_ERROR;
        }

        /* CVE-2026-76835: a default of everybody made a fix worthless */

        if ((cidr->family == AF_INET && cidr->u.in.mask == 0)
#if (NGX_HAVE_INET6)
            || (cidr->family == AF_INET6 && cidr->u.in6.mask.s6_addr[0] == 0)
#endif
            )
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" would trust everybody", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_front_init(ngx_conf_t *cf)
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

    if (ngx_http_yimen_scrub_build(cf) != NGX_OK
        || ngx_http_yimen_limit_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < YM_COUNT(phases); i++) {
        h = ngx_array_push(&cmcf->phases[phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phases[i].handler;
    }

    ngx_http_yimen_answers_init();
    ngx_http_yimen_jar_filters();

    return NGX_OK;
}
