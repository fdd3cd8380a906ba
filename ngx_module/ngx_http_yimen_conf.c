/* SPDX-License-Identifier: Apache-2.0
 * Directives: the catalogue, Redis, where the API is.  Every fault is named
 * with its file and line, and a reload that has one keeps what was.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_guard.h"
#include "ngx_http_yimen_sessions.h"

#include "ym_secret.h"


#define NGX_HTTP_YIMEN_REDIS_TIMEOUT  800


static void ngx_http_yimen_conf_catalog_close(void *data);
static void ngx_http_yimen_conf_secret_free(void *data);
static char *ngx_http_yimen_conf_target(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);
static char *ngx_http_yimen_conf_password(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);
static ngx_int_t ngx_http_yimen_conf_zone(ngx_shm_zone_t *zone, void *data);


void *
ngx_http_yimen_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_yimen_main_conf_t  *ymcf;

    ymcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_main_conf_t));
    if (ymcf == NULL) {
        return NULL;
    }

    ymcf->redis.connections = NGX_CONF_UNSET_UINT;
    ymcf->redis.timeout = NGX_CONF_UNSET_MSEC;

    return ymcf;
}


char *
ngx_http_yimen_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_str_t                    name;
    ngx_http_yimen_main_conf_t  *ymcf = conf;

    ngx_conf_init_uint_value(ymcf->redis.connections,
                             NGX_HTTP_YIMEN_REDIS_CONNECTIONS);
    ngx_conf_init_msec_value(ymcf->redis.timeout,
                             NGX_HTTP_YIMEN_REDIS_TIMEOUT);

    if (ymcf->catalog == NULL) {
        return NGX_CONF_OK;
    }

    ngx_str_set(&name, "yimen");

    ymcf->zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                       &ngx_http_yimen_module);
    if (ymcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ymcf->zone->init = ngx_http_yimen_conf_zone;

    if (ngx_http_yimen_conf_target(cf, ymcf) != NGX_CONF_OK
        || ngx_http_yimen_conf_password(cf, ymcf) != NGX_CONF_OK
        || ngx_http_yimen_auth_load(cf, ymcf) != NGX_CONF_OK
        || ngx_http_yimen_sessions_zone(cf, ymcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_yimen_evidence_conf(cf) != NGX_CONF_OK
        || ngx_http_yimen_reveal_conf(cf, ymcf) != NGX_CONF_OK
        || ngx_http_yimen_attach_load(cf, ymcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_yimen_openapi_build(cf, ymcf);
}


void *
ngx_http_yimen_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_yimen_loc_conf_t  *ylcf;

    ylcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_loc_conf_t));
    if (ylcf == NULL) {
        return NULL;
    }

    ylcf->api = NGX_CONF_UNSET;
    ylcf->auth = NGX_CONF_UNSET_UINT;
    ylcf->rules = NGX_CONF_UNSET_PTR;

    return ylcf;
}


char *
ngx_http_yimen_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_yimen_loc_conf_t   *conf = child;
    ngx_http_yimen_main_conf_t  *ymcf;

    /* not inherited: a handler belongs to its location alone */

    if (conf->api == NGX_CONF_UNSET) {
        conf->api = 0;
    }

    if (ngx_http_yimen_guard_merge(cf, parent, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (!conf->api) {
        return NGX_CONF_OK;
    }

    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);

    if (ymcf->catalog == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"yimen_api\" needs \"yimen_catalog\" in http");
        return NGX_CONF_ERROR;
    }

    /*
     * The API has a limit of its own and answers with problem details, where
     * nginx would send a page of HTML before the handler is asked.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->client_max_body_size = 0;

    return NGX_CONF_OK;
}


char *
ngx_http_yimen_conf_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_yimen_loc_conf_t  *ylcf = conf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ylcf->api) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_http_yimen_request_handler;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_yimen_conf_catalog(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ym_status                    rc;
    struct ym_diag               d;
    ngx_pool_cleanup_t          *cln;
    ngx_http_yimen_main_conf_t  *ymcf = conf;

    if (ymcf->catalog_file.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    ymcf->catalog_file = value[1];

    if (ngx_conf_full_name(cf->cycle, &ymcf->catalog_file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ym_diag_init(&d);

    rc = ym_catalog_open((char *) ymcf->catalog_file.data, &ymcf->catalog, &d);

    if (rc != YM_OK) {
        ngx_http_yimen_conf_log(cf, &d);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the catalogue \"%V\" is not usable",
                           &ymcf->catalog_file);
        ymcf->catalog = NULL;
        ym_diag_clear(&d);

        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    cln->handler = ngx_http_yimen_conf_catalog_close;
    cln->data = ymcf->catalog;

    return NGX_CONF_OK;
}


void
ngx_http_yimen_conf_log(ngx_conf_t *cf, const struct ym_diag *d)
{
    char    text[YM_ERR_MESSAGE_MAX + YM_ERR_FILE_MAX + 32];
    size_t  i;

    for (i = 0; i < d->count; i++) {
        ym_err_format(&d->items[i], text, sizeof(text));
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s", text);
    }

    if (d->total > d->count) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "and %uz more",
                      d->total - d->count);
    }
}


static void
ngx_http_yimen_conf_catalog_close(void *data)
{
    ym_catalog_close(data);
}


static ngx_int_t
ngx_http_yimen_conf_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    zone->data = ngx_slab_calloc(shpool, sizeof(ngx_http_yimen_stats_t));

    return (zone->data == NULL) ? NGX_ERROR : NGX_OK;
}


/* yimen_redis unix:PATH|HOST:PORT [password=REF] [connections=N]; */

char *
ngx_http_yimen_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                    n;
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_yimen_main_conf_t  *ymcf = conf;

    if (ymcf->redis_target.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    ymcf->redis_target = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "password=", 9) == 0) {
            ymcf->redis_password.data = value[i].data + 9;
            ymcf->redis_password.len = value[i].len - 9;
            continue;
        }

        if (ngx_strncmp(value[i].data, "connections=", 12) == 0) {
            n = ngx_atoi(value[i].data + 12, value[i].len - 12);

            if (n < 1 || n > NGX_HTTP_YIMEN_REDIS_CONNECTIONS_MAX) {
                return "takes connections=1 to connections=32";
            }

            ymcf->redis.connections = (ngx_uint_t) n;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_yimen_conf_target(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    u_char        text[NGX_SOCKADDR_STRLEN];
    ngx_url_t     u;
    ngx_str_t     address;
    const char   *site;

    if (ymcf->redis_target.data == NULL) {
        site = ymcf->catalog->site.redis;

        if (site == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no Redis: neither \"yimen_redis\" nor "
                               "\"redis:\" in the catalogue");
            return NGX_CONF_ERROR;
        }

        ymcf->redis_target.data = (u_char *) (uintptr_t) site;
        ymcf->redis_target.len = ngx_strlen(site);
    }

    if (ngx_strncmp(ymcf->redis_target.data, "unix:", 5) == 0) {
        ymcf->redis.path.data = ymcf->redis_target.data + 5;
        ymcf->redis.path.len = ymcf->redis_target.len - 5;
        return NGX_CONF_OK;
    }

    /* names are looked up here and never in a worker: that would block it */

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = ymcf->redis_target;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the address of Redis \"%V\"",
                           u.err ? u.err : "no address", &u.url);
        return NGX_CONF_ERROR;
    }

    address.data = text;
    address.len = ngx_sock_ntop(u.addrs[0].sockaddr, u.addrs[0].socklen, text,
                                NGX_SOCKADDR_STRLEN, 0);

    /* hiredis wants an IPv6 address without brackets */

    if (address.len > 2 && text[0] == '[') {
        address.data++;
        address.len -= 2;
    }

    ymcf->redis.address.data = ngx_pnalloc(cf->pool, address.len + 1);
    if (ymcf->redis.address.data == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(ymcf->redis.address.data, address.data,
                       address.len + 1);
    ymcf->redis.address.len = address.len;
    ymcf->redis.port = ngx_inet_get_port(u.addrs[0].sockaddr);

    return NGX_CONF_OK;
}


/* a reference; the value is wiped with the configuration */

static char *
ngx_http_yimen_conf_password(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    char       *value;
    ngx_str_t  *ref;

    ref = &ymcf->redis_password;

    if (ref->data == NULL && ymcf->catalog->site.redis_password != NULL) {
        ref->data = (u_char *) (uintptr_t) ymcf->catalog->site.redis_password;
        ref->len = ngx_strlen(ref->data);
    }

    if (ref->len == 0) {
        return NGX_CONF_OK;
    }

    value = ngx_http_yimen_conf_secret(cf, ymcf, (char *) ref->data);
    if (value == NULL) {
        return NGX_CONF_ERROR;
    }

    ymcf->redis.password.data = (u_char *) value;
    ymcf->redis.password.len = ngx_strlen(value);

    return NGX_CONF_OK;
}


char *
ngx_http_yimen_conf_secret(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *reference)
{
    char                *value;
    struct ym_err        err;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    reference = ngx_http_yimen_conf_reference(cf, ymcf, reference);
    if (reference == NULL) {
        return NULL;
    }

    if (ym_secret_resolve(reference, &value, &err) != YM_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s%s%s", err.file,
                           err.file[0] ? ": " : "", err.message);
        return NULL;
    }

    cln->handler = ngx_http_yimen_conf_secret_free;
    cln->data = value;

    return value;
}


static void
ngx_http_yimen_conf_secret_free(void *data)
{
    ym_secret_free(data);
}


const char *
ngx_http_yimen_conf_reference(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *reference)
{
    char        *p;
    size_t       n;
    const char  *path;

    if (ngx_strncmp(reference, "file:", 5) != 0 || reference[5] == '/') {
        return reference;
    }

    path = ngx_http_yimen_conf_beside(cf, ymcf, reference + 5);
    if (path == NULL) {
        return NULL;
    }

    n = ngx_strlen(path);

    p = ngx_pnalloc(cf->pool, sizeof("file:") + n);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(ngx_cpymem(p, "file:", 5), (u_char *) path, n + 1);

    return p;
}


const char *
ngx_http_yimen_conf_beside(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *path)
{
    size_t   n, len;
    u_char  *p, *slash;

    if (path[0] == '/') {
        return path;
    }

    slash = ymcf->catalog_file.data + ymcf->catalog_file.len;

    while (slash > ymcf->catalog_file.data && slash[-1] != '/') {
        slash--;
    }

    n = (size_t) (slash - ymcf->catalog_file.data);
    len = ngx_strlen(path);

    p = ngx_pnalloc(cf->pool, n + len + 1);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(ngx_cpymem(p, ymcf->catalog_file.data, n),
                       (u_char *) path, len + 1);

    return (char *) p;
}


ngx_int_t
ngx_http_yimen_conf_read(ngx_conf_t *cf, ngx_str_t *path, size_t max,
    ngx_str_t *ret)
{
    off_t       size;
    ssize_t     n;
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *path;
    file.log = cf->log;

    file.fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", path);
        goto done;
    }

    size = ngx_file_size(&file.info);

    if (size == 0 || size > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is empty or has more than %uz bytes",
                           path, max);
        goto done;
    }

    ret->data = ngx_pnalloc(cf->pool, (size_t) size + 1);
    if (ret->data == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, ret->data, (size_t) size, 0);
    if (n != (ssize_t) size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "could not read \"%V\"",
                           path);
        goto done;
    }

    ret->data[n] = '\0';
    ret->len = (size_t) n;
    rc = NGX_OK;

done:

    (void) ngx_close_file(file.fd);

    return rc;
}


ngx_uint_t
ngx_http_yimen_digest_shard(const ngx_http_yimen_main_conf_t *ymcf,
    const char *hex)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n * 16 + (ngx_uint_t) (hex[i] <= '9' ? hex[i] - '0'
                                                 : hex[i] - 'a' + 10);
    }

    return n % (ngx_uint_t) ymcf->catalog->site.shards;
}
