/* SPDX-License-Identifier: Apache-2.0
 * Yimen's nginx module: directives and the life of a worker.  No logic here.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fetch.h"
#include "ngx_http_yimen_jar.h"
#include "ngx_http_yimen_guard.h"
#include "ngx_http_yimen_module.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_sessions.h"


static ngx_int_t ngx_http_yimen_init_process(ngx_cycle_t *cycle);
static void ngx_http_yimen_exit_process(ngx_cycle_t *cycle);


ngx_http_yimen_worker_t  ngx_http_yimen_worker;


static ngx_command_t  ngx_http_yimen_commands[] = {

    { ngx_string("yimen_catalog"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_yimen_conf_catalog,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("yimen_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_yimen_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("yimen_redis_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_yimen_main_conf_t, redis.timeout),
      NULL },

    { ngx_string("yimen_session_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_yimen_conf_session_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("yimen_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_yimen_conf_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("yimen_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_yimen_conf_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("yimen_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_yimen_conf_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_yimen_loc_conf_t, api),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_yimen_module_ctx = {
    ngx_http_yimen_variables_add,          /* preconfiguration */
    ngx_http_yimen_guard_init,             /* postconfiguration */

    ngx_http_yimen_create_main_conf,       /* create main configuration */
    ngx_http_yimen_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_yimen_create_loc_conf,        /* create location configuration */
    ngx_http_yimen_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_yimen_module = {
    NGX_MODULE_V1,
    &ngx_http_yimen_module_ctx,            /* module context */
    ngx_http_yimen_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_yimen_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_yimen_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_yimen_init_process(ngx_cycle_t *cycle)
{
    ngx_http_yimen_worker_t     *w;
    ngx_http_yimen_main_conf_t  *ymcf;

    /* the cache manager and loader run this as well */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (cycle->conf_ctx[ngx_http_module.index] == NULL) {
        return NGX_OK;
    }

    ymcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_yimen_module);

    if (ymcf == NULL || ymcf->catalog == NULL) {
        return NGX_OK;
    }

    w = &ngx_http_yimen_worker;
    ngx_memzero(w, sizeof(ngx_http_yimen_worker_t));

    /* hash tables of parsed bodies get a seed that a stranger cannot know */

    json_object_seed(0);

    w->stats = ymcf->zone->data;
    w->tokens = ngx_http_yimen_tokens_open(cycle->log);
    w->redis = ngx_http_yimen_redis_open(&ymcf->redis, cycle->log);

    if (w->tokens == NULL || w->redis == NULL) {
        return NGX_ERROR;
    }

    if (ymcf->session.on) {
        w->sessions = ngx_http_yimen_sessions_open(ymcf, cycle->log);

        if (w->sessions == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_yimen_evidence_open(ymcf, cycle->log);
    ngx_http_yimen_cas_logout_open(ymcf, cycle->log);

    if (ngx_http_yimen_fetch_open(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_yimen_oidc_open(ymcf, cycle->log);
}


static void
ngx_http_yimen_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_yimen_worker_t  *w;

    w = &ngx_http_yimen_worker;

    ngx_http_yimen_cas_logout_close();
    ngx_http_yimen_flights_close();
    ngx_http_yimen_farewells_close();
    ngx_http_yimen_oidc_close();
    ngx_http_yimen_fetch_close();
    ngx_http_yimen_redis_close(w->redis);
    ngx_http_yimen_sessions_close(w->sessions);
    ngx_http_yimen_evidence_close();
    ngx_http_yimen_tokens_close(w->tokens);

    w->redis = NULL;
    w->sessions = NULL;
    w->tokens = NULL;
}
