/* SPDX-License-Identifier: Apache-2.0
 * Configuration of the module and the state of one worker process.
 *
 * Configuration is read-only once it is loaded: what a request changes lives
 * in its context, what a worker changes in ngx_http_yimen_worker.
 */
#ifndef NGX_HTTP_YIMEN_MODULE_H
#define NGX_HTTP_YIMEN_MODULE_H

#include "ngx_http_yimen_compat.h"
#include "ngx_http_yimen_redis.h"

#include "ym_catalog.h"
#include "ym_jwt.h"
#include "ym_seal.h"


/* names of the limits of the API; docs/api.md lists them */
#define NGX_HTTP_YIMEN_BODY_BYTES   (1024 * 1024)
#define NGX_HTTP_YIMEN_PAGE         50
#define NGX_HTTP_YIMEN_PAGE_MAX     200
#define NGX_HTTP_YIMEN_WAIT_MAX     30
#define NGX_HTTP_YIMEN_KEY_BYTES    200    /* of an Idempotency-Key */
#define NGX_HTTP_YIMEN_REASON_MAX   500    /* characters of a reason */


typedef struct {
    struct ym_jwks       *keys;
    const char           *algorithms[16];  /* NULL-terminated */
    struct ym_jwt_rules   rules;
    const char           *roles_claim;
    const char           *area_claim;
    const char           *org_claim;
    const char           *public_url;      /* origin, without a last slash */
    ngx_flag_t            secure;          /* it is https */
    ngx_array_t           issuers;         /* of ngx_http_yimen_issuer_t */
} ngx_http_yimen_auth_conf_t;

/* an OpenID provider, as far as others must know it; who adds: auth.issuers */
typedef struct {
    const char           *id;              /* of the configuration */
    const char           *issuer;
} ngx_http_yimen_issuer_t;

/* `auth: session:`; on 0 = nobody has a session here */
typedef struct {
    ngx_flag_t            on;
    int64_t               idle;            /* ms, all of them */
    int64_t               absolute;
    int64_t               touch;
    int64_t               max_per_person;
} ngx_http_yimen_session_conf_t;

/* counters of all workers, in shared memory */
typedef struct {
    ngx_atomic_t   requests[6];     /* by class of status; 0 = other */
    ngx_atomic_t   accepted;
    ngx_atomic_t   replayed;
    ngx_atomic_t   invalid;         /* 422 by the check */
    ngx_atomic_t   redis_trouble;   /* 503 for want of Redis */
    ngx_atomic_t   token_hits;
    ngx_atomic_t   token_misses;
    ngx_atomic_t   session_hits;
    ngx_atomic_t   session_reads;   /* calls to Redis */
} ngx_http_yimen_stats_t;

typedef struct {
    ngx_str_t                     catalog_file;
    struct ym_catalog            *catalog;
    ngx_http_yimen_auth_conf_t    auth;
    ngx_http_yimen_session_conf_t session;
    struct ym_ring               *ring;           /* NULL: none configured */
    ngx_uint_t                    reveal;         /* roles that may */
    ngx_uint_t                    amend;          /* the same */
    struct ngx_http_yimen_local_conf_s *local;    /* NULL: no own accounts */
    struct ngx_http_yimen_cas_conf_s *cas;        /* NULL: no CAS server */
    struct ngx_http_yimen_attach_conf_s *attach;
    ngx_shm_zone_t               *session_zone;   /* NULL: no sessions */
    size_t                        session_zone_size;
    ngx_array_t                   providers;      /* ngx_http_yimen_oidc.h */
    ngx_array_t                   apps;           /* ngx_http_yimen_apps.h */
    ngx_array_t                   app_uses;
    ngx_http_yimen_redis_conf_t   redis;
    ngx_str_t                     redis_target;   /* directive or catalogue */
    ngx_str_t                     redis_password; /* a reference */
    ngx_str_t                     openapi;        /* JSON text */
    ngx_shm_zone_t               *zone;
} ngx_http_yimen_main_conf_t;

typedef struct {
    ngx_flag_t                    api;
    ngx_uint_t                    auth;       /* ngx_http_yimen_guard.h */
    ngx_array_t                  *rules;      /* NULL: none */
} ngx_http_yimen_loc_conf_t;

struct ngx_http_yimen_tokens_s;
struct ngx_http_yimen_sessions_s;

/* everything of a worker process that changes */
typedef struct {
    ngx_http_yimen_redis_t          *redis;
    struct ngx_http_yimen_tokens_s  *tokens;       /* verified ones */
    ngx_http_yimen_stats_t          *stats;        /* shared by all workers */
    struct ngx_http_yimen_sessions_s *sessions;    /* NULL: none here */

    ngx_uint_t                       hashing;      /* passwords, in threads */

    /* systems that deliver nothing now, as last heard; bit = index */
    uint64_t                         held;
    ngx_msec_t                       held_at;
} ngx_http_yimen_worker_t;

extern ngx_module_t             ngx_http_yimen_module;
extern ngx_http_yimen_worker_t  ngx_http_yimen_worker;

#define ngx_http_yimen_count(name)                                            \
    (void) ngx_atomic_fetch_add(&ngx_http_yimen_worker.stats->name, 1)

/* directives: ngx_http_yimen_conf.c */
void *ngx_http_yimen_create_main_conf(ngx_conf_t *cf);
char *ngx_http_yimen_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_yimen_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_yimen_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_http_yimen_conf_catalog(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_conf_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* `auth:` of the catalogue; NGX_CONF_ERROR with everything logged */
char *ngx_http_yimen_auth_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);

/* roles of `audit: reveal:` and `amend:` */
char *ngx_http_yimen_reveal_conf(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);

/* `attachments:`; the folder and the thread pool of their files */
char *ngx_http_yimen_attach_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);

/* text of GET /openapi.json, from types and routes */
char *ngx_http_yimen_openapi_build(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);

/* while the configuration is loaded: a whole file of at most max bytes */
ngx_int_t ngx_http_yimen_conf_read(ngx_conf_t *cf, ngx_str_t *path,
    size_t max, ngx_str_t *ret);

/* a path beside the catalogue; a reference (ym_secret.h) whose file is */
const char *ngx_http_yimen_conf_beside(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *path);
const char *ngx_http_yimen_conf_reference(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *reference);

/*
 * What a reference stands for, wiped with the configuration; NULL: logged.
 */
char *ngx_http_yimen_conf_secret(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *reference);

/* the shard of a digest in hex: of its first eight digits */
ngx_uint_t ngx_http_yimen_digest_shard(const ngx_http_yimen_main_conf_t *ymcf,
    const char *hex);

/* logs every entry of d at emerg */
void ngx_http_yimen_conf_log(ngx_conf_t *cf, const struct ym_diag *d);

#endif /* NGX_HTTP_YIMEN_MODULE_H */
