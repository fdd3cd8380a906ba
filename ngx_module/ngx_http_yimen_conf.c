/* SPDX-License-Identifier: Apache-2.0
 * Directives: the catalogue, Redis, where the API is.  Every fault is named
 * with its file and line, and a reload that has one keeps what was.
 */
#include "ngx_http_yimen_request.h"

#include "ym_conf.h"


#define NGX_HTTP_YIMEN_REDIS_TIMEOUT  800
#define NGX_HTTP_YIMEN_SECRET_BYTES   1024


/* `auth:` of config/yimen.yaml */
typedef struct {
    const char            *jwks;
    const char            *issuer;
    const char            *audience;
    const struct ym_yaml  *algorithms;
    int64_t                skew;
    const char            *roles_claim;
    const char            *area_claim;
    const char            *org_claim;
} ngx_http_yimen_auth_fields_t;


static void ngx_http_yimen_conf_catalog_close(void *data);
static void ngx_http_yimen_conf_keys_close(void *data);
static void ngx_http_yimen_conf_password_wipe(void *data);
static char *ngx_http_yimen_auth_keys(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *file);
static void ngx_http_yimen_auth_algorithms(ngx_http_yimen_auth_conf_t *auth,
    const struct ym_yaml *list, struct ym_diag *d);
static char *ngx_http_yimen_conf_target(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);
static char *ngx_http_yimen_conf_password(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);
static ngx_int_t ngx_http_yimen_conf_read(ngx_conf_t *cf, ngx_str_t *path,
    size_t max, ngx_str_t *ret);
static ngx_int_t ngx_http_yimen_conf_zone(ngx_shm_zone_t *zone, void *data);


#define field(f)  offsetof(ngx_http_yimen_auth_fields_t, f)

static const struct ym_field  ngx_http_yimen_auth_table[] = {
    { "jwks", YM_FIELD_STRING, field(jwks), NULL, 0, 0, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE,
      "JWK set with the public keys of whoever signs the tokens; relative to "
      "this file." },
    { "issuer", YM_FIELD_STRING, field(issuer), NULL, 0, 0, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE,
      "The `iss` of every token, exactly." },
    { "audience", YM_FIELD_STRING, field(audience), "yimen", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "The `aud` of every token, or one member of it." },
    { "algorithms", YM_FIELD_NODE, field(algorithms), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Signature algorithms that are accepted; default ES256, RS256, EdDSA." },
    { "skew", YM_FIELD_DURATION, field(skew), "30s", 0, 300000, NULL,
      YM_FIELD_RELOADABLE,
      "How far the clocks may differ." },
    { "roles_claim", YM_FIELD_STRING, field(roles_claim), "roles", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Claim with the roles: staff, supervisor, operator, auditor, admin." },
    { "area_claim", YM_FIELD_STRING, field(area_claim), "area", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Claim with the area code (GB/T 2260, GB/T 10114)." },
    { "org_claim", YM_FIELD_STRING, field(org_claim), "org", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Claim with the organisation." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field


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
        || ngx_http_yimen_auth_load(cf, ymcf) != NGX_CONF_OK)
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


static void
ngx_http_yimen_conf_keys_close(void *data)
{
    ym_jwks_close(data);
}


static void
ngx_http_yimen_conf_password_wipe(void *data)
{
    ngx_str_t  *password = data;

    ym_wipe(password->data, password->len);
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


/* file:PATH or env:NAME; the value is wiped with the configuration */

static char *
ngx_http_yimen_conf_password(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    const char          *env;
    ngx_str_t           *ref, path, *password;
    ngx_pool_cleanup_t  *cln;

    ref = &ymcf->redis_password;
    password = &ymcf->redis.password;

    if (ref->data == NULL && ymcf->catalog->site.redis_password != NULL) {
        ref->data = (u_char *) (uintptr_t) ymcf->catalog->site.redis_password;
        ref->len = ngx_strlen(ref->data);
    }

    if (ref->len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(ref->data, "env:", 4) == 0) {
        env = getenv((char *) ref->data + 4);

        if (env == NULL || env[0] == '\0') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the variable of \"%V\" is not set", ref);
            return NGX_CONF_ERROR;
        }

        password->len = ngx_strlen(env);
        password->data = ngx_pnalloc(cf->pool, password->len + 1);
        if (password->data == NULL) {
            return NGX_CONF_ERROR;
        }

        (void) ngx_cpystrn(password->data, (u_char *) env, password->len + 1);

    } else if (ngx_strncmp(ref->data, "file:", 5) == 0) {
        path.data = ref->data + 5;
        path.len = ref->len - 5;

        if (ngx_http_yimen_conf_read(cf, &path, NGX_HTTP_YIMEN_SECRET_BYTES,
                                     password)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        while (password->len
               && (password->data[password->len - 1] == LF
                   || password->data[password->len - 1] == CR))
        {
            password->len--;
        }

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the password of Redis is a reference: "
                           "\"file:PATH\" or \"env:NAME\"");
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_yimen_conf_password_wipe;
    cln->data = password;

    return NGX_CONF_OK;
}


/* a whole file of at most max bytes, while the configuration is loaded */

static ngx_int_t
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


char *
ngx_http_yimen_auth_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    ym_status                      rc;
    struct ym_diag                 d;
    ngx_http_yimen_auth_conf_t    *auth;
    ngx_http_yimen_auth_fields_t   fields;

    auth = &ymcf->auth;

    if (ymcf->catalog->site.auth == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no \"auth:\": nobody could sign in",
                           &ymcf->catalog_file);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&fields, sizeof(fields));
    ym_diag_init(&d);

    rc = ym_conf_load(ngx_http_yimen_auth_table, ymcf->catalog->site.auth,
                      "auth", &fields, ymcf->catalog->arena, &d);

    if (rc == YM_OK) {
        ngx_http_yimen_auth_algorithms(auth, fields.algorithms, &d);
    }

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    auth->rules.algorithms = auth->algorithms;
    auth->rules.issuer = fields.issuer;
    auth->rules.audience = fields.audience;
    auth->rules.skew_ms = fields.skew;
    auth->roles_claim = fields.roles_claim;
    auth->area_claim = fields.area_claim;
    auth->org_claim = fields.org_claim;

    return ngx_http_yimen_auth_keys(cf, ymcf, fields.jwks);
}


static void
ngx_http_yimen_auth_algorithms(ngx_http_yimen_auth_conf_t *auth,
    const struct ym_yaml *list, struct ym_diag *d)
{
    size_t                 i, n;
    const struct ym_yaml  *item;

    static const char *const  known[] = {
        "ES256", "RS256", "EdDSA", "ES384", "RS384", "RS512", "PS256",
        "PS384", "PS512", "HS256", "HS384", "HS512"
    };

    if (list == NULL) {
        auth->algorithms[0] = known[0];
        auth->algorithms[1] = known[1];
        auth->algorithms[2] = known[2];
        return;
    }

    if (list->kind != YM_YAML_LIST || list->count == 0
        || list->count > YM_COUNT(known))
    {
        ym_diag_add(d, list->file, list->line, list->column,
                    "algorithms is a list: [ES256, RS256, EdDSA]");
        return;
    }

    n = 0;

    for (item = list->child; item; item = item->next) {

        for (i = 0; i < YM_COUNT(known); i++) {
            if (item->kind == YM_YAML_SCALAR
                && ym_str_is(item->text, known[i]))
            {
                break;
            }
        }

        if (i == YM_COUNT(known)) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "unknown algorithm: use ES256, ES384, RS256, RS384, "
                        "RS512, PS256, PS384, PS512, EdDSA, HS256, HS384 or "
                        "HS512");
            continue;
        }

        auth->algorithms[n++] = known[i];
    }
}


static char *
ngx_http_yimen_auth_keys(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *file)
{
    u_char              *p, *slash;
    ngx_str_t            path, text;
    ngx_uint_t           i, oct;
    struct ym_err        err;
    ngx_pool_cleanup_t  *cln;

    path.len = ngx_strlen(file);
    path.data = (u_char *) (uintptr_t) file;

    if (file[0] != '/') {
        slash = ymcf->catalog_file.data + ymcf->catalog_file.len;

        while (slash > ymcf->catalog_file.data && slash[-1] != '/') {
            slash--;
        }

        p = ngx_pnalloc(cf->pool, (size_t) (slash - ymcf->catalog_file.data)
                                  + path.len + 1);
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        path.data = p;
        p = ngx_cpymem(p, ymcf->catalog_file.data,
                       (size_t) (slash - ymcf->catalog_file.data));
        (void) ngx_cpystrn(p, (u_char *) file, path.len + 1);
        path.len = ngx_strlen(path.data);
    }

    if (ngx_http_yimen_conf_read(cf, &path, YM_JWKS_BYTES, &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    oct = 0;

    for (i = 0; ymcf->auth.algorithms[i] != NULL; i++) {
        oct |= (ymcf->auth.algorithms[i][0] == 'H');
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ym_jwks_load((struct ym_str){ (char *) text.data, text.len }, oct,
                     &ymcf->auth.keys, &err)
        != YM_OK)
    {
        ym_wipe(text.data, text.len);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &path,
                           err.message);
        return NGX_CONF_ERROR;
    }

    /* a set with an oct key is a secret */

    ym_wipe(text.data, text.len);

    cln->handler = ngx_http_yimen_conf_keys_close;
    cln->data = ymcf->auth.keys;

    return NGX_CONF_OK;
}
