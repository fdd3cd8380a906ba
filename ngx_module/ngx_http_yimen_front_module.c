/* SPDX-License-Identifier: Apache-2.0
 * The front: its directives.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"
#include "ngx_http_yimen_revoked.h"
#include "ngx_http_yimen_who.h"


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
    ngx_http_yimen_spare_end(&ngx_http_yimen_front_worker.states);
    ngx_http_yimen_who_end();
}


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
    if (ngx_http_yimen_scrub_build(cf) != NGX_OK
        || ngx_http_yimen_limit_init(cf) != NGX_OK
        || ngx_http_yimen_front_phases(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_yimen_answers_init();
    ngx_http_yimen_jar_filters();

    return NGX_OK;
}
