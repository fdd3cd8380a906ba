/* SPDX-License-Identifier: Apache-2.0
 * `auth: cas:` of the catalogue, and what is kept under a ticket.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_cas.h"

#include "ym_cas.h"
#include "ym_conf.h"


#define NGX_HTTP_YIMEN_CAS_SERVICES  256
#define NGX_HTTP_YIMEN_CAS_ID        32
#define NGX_HTTP_YIMEN_CAS_GRANT     (2 * YM_CAS_SERVICE_MAX + 512)


typedef struct {
    const struct ym_yaml  *services;
    int64_t                ticket;
    int64_t                timeout;
    int64_t                retry;
} ngx_http_yimen_cas_fields_t;

typedef struct {
    const char            *id, *url, *logout, *ca;
    const struct ym_yaml  *title, *attributes, *roles;
    int                    match, user;
    bool                   inside;
} ngx_http_yimen_cas_service_fields_t;


static ngx_int_t ngx_http_yimen_cas_item(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *item,
    struct ym_diag *d);
static ngx_uint_t ngx_http_yimen_cas_id_ok(const char *id);
static ngx_int_t ngx_http_yimen_cas_url(ngx_conf_t *cf, const char *url,
    struct ym_str *ret);
static ngx_uint_t ngx_http_yimen_cas_words(const struct ym_yaml *list,
    const char *what, const char *(*name)(ngx_uint_t bit), struct ym_diag *d);
static const char *ngx_http_yimen_cas_attribute(ngx_uint_t bit);
static ngx_int_t ngx_http_yimen_cas_told(ngx_conf_t *cf,
    const struct ym_yaml *item, const char *logout,
    ngx_http_yimen_cas_service_t *service, struct ym_diag *d);
static ngx_uint_t ngx_http_yimen_cas_line(struct ym_str *text,
    struct ym_str *ret);


static const char *const  ngx_http_yimen_cas_matches[] = {
    "exact", "prefix", NULL
};

static const char *const  ngx_http_yimen_cas_users[] = {
    "login", "subject", NULL
};


#define field(f)  offsetof(ngx_http_yimen_cas_fields_t, f)

static const struct ym_field  ngx_http_yimen_cas_table[] = {
    { "services", YM_FIELD_NODE, field(services), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "The applications that may sign people in by CAS; no other gets a "
      "ticket." },
    { "ticket", YM_FIELD_DURATION, field(ticket), "20s", 1000, 60000, NULL,
      YM_FIELD_RELOADABLE,
      "How long a ticket may be validated." },
    { "timeout", YM_FIELD_DURATION, field(timeout), "5s", 100, 30000, NULL,
      YM_FIELD_RELOADABLE,
      "Longest wait when an application is told that a session is over." },
    { "retry", YM_FIELD_DURATION, field(retry), "10s", 100, 60000, NULL,
      YM_FIELD_RELOADABLE,
      "Pause before an application that did not answer is told again; six "
      "times longer each time, five times in all." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field
#define field(f)  offsetof(ngx_http_yimen_cas_service_fields_t, f)

static const struct ym_field  ngx_http_yimen_cas_service_table[] = {
    { "id", YM_FIELD_STRING, field(id), NULL, 1, NGX_HTTP_YIMEN_CAS_ID, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE,
      "Short name in the audit; a-z, 0-9 and -, at most 32." },
    { "title", YM_FIELD_NODE, field(title), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE, "{zh: …, en: …}, shown to people." },
    { "url", YM_FIELD_STRING, field(url), NULL, 1, YM_CAS_SERVICE_MAX, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE,
      "Its address, http:// or https://, without a fragment." },
    { "match", YM_FIELD_ENUM, field(match), "exact", 0, 0,
      ngx_http_yimen_cas_matches, YM_FIELD_RELOADABLE,
      "exact: this address and no other; prefix: all below it, by whole "
      "segments of the path, with any query." },
    { "user", YM_FIELD_ENUM, field(user), "login", 0, 0,
      ngx_http_yimen_cas_users, YM_FIELD_RELOADABLE,
      "What it is told as the user: the login, or the person id." },
    { "attributes", YM_FIELD_NODE, field(attributes), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "What else it learns (3.0 only): any of name, email, roles, org, area, "
      "login, subject; default nothing." },
    { "roles", YM_FIELD_NODE, field(roles), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Who may enter it: people with any of these roles; default everybody." },
    { "logout", YM_FIELD_STRING, field(logout), "false", 0,
      YM_CAS_SERVICE_MAX, NULL, YM_FIELD_RELOADABLE,
      "Whether it is told when a session ends: false, true (at the address "
      "that the ticket was for), or another address." },
    { "inside", YM_FIELD_BOOL, field(inside), "true", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Its address may be a private one when it is told." },
    { "ca", YM_FIELD_STRING, field(ca), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,
      "PEM file with the authorities of its certificate; without it the "
      "system's." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field


char *
ngx_http_yimen_cas_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map)
{
    ngx_int_t                     rc;
    struct ym_diag                d;
    const struct ym_yaml         *item;
    ngx_http_yimen_cas_conf_t    *conf;
    ngx_http_yimen_cas_fields_t   f;

    if (map == NULL) {
        return NGX_CONF_OK;
    }

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_cas_conf_t));

    if (conf == NULL
        || ngx_array_init(&conf->services, cf->pool, 8,
                          sizeof(ngx_http_yimen_cas_service_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ymcf->cas = conf;
    rc = NGX_OK;
    ngx_memzero(&f, sizeof(f));
    ym_diag_init(&d);

    if (ym_conf_load(ngx_http_yimen_cas_table, map, "auth.cas", &f,
                     ymcf->catalog->arena, &d)
        != YM_OK)
    {
        /* void: it is told below */

    } else if (!ymcf->session.on) {
        ym_diag_add(&d, map->file, map->line, map->column,
                    "auth.cas needs auth.session");

    } else if (f.services == NULL || f.services->kind != YM_YAML_LIST
               || f.services->count > NGX_HTTP_YIMEN_CAS_SERVICES)
    {
        ym_diag_add(&d, map->file, map->line, map->column,
                    "auth.cas.services is a list of at most %d: "
                    "[{id:, url:}]", NGX_HTTP_YIMEN_CAS_SERVICES);

    } else {
        conf->ticket = f.ticket;
        conf->timeout = f.timeout;
        conf->retry = f.retry;

        for (item = f.services->child; item && rc == NGX_OK;
             item = item->next)
        {
            rc = ngx_http_yimen_cas_item(cf, ymcf, item, &d);
        }
    }

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        rc = NGX_ERROR;
    }

    ym_diag_clear(&d);

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_yimen_cas_item(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *item, struct ym_diag *d)
{
    ngx_int_t                             rc;
    struct ym_str                         url;
    ngx_http_yimen_cas_service_t         *service;
    ngx_http_yimen_cas_service_fields_t   f;

    ngx_memzero(&f, sizeof(f));

    if (item->kind != YM_YAML_MAP) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "a service is a map: {id:, url:, match:, …}");
        return NGX_OK;
    }

    if (ym_conf_load(ngx_http_yimen_cas_service_table, item,
                     "auth.cas.services", &f, ymcf->catalog->arena, d)
        != YM_OK)
    {
        return NGX_OK;
    }

    if (!ngx_http_yimen_cas_id_ok(f.id)
        || ngx_http_yimen_cas_service(ymcf->cas, ym_str_of(f.id)) != NULL)
    {
        ym_diag_add(d, item->file, item->line, item->column,
                    "a service's id has 1 to %d of a-z, 0-9 and -, and stands "
                    "once", NGX_HTTP_YIMEN_CAS_ID);
        return NGX_OK;
    }

    rc = ngx_http_yimen_cas_url(cf, f.url, &url);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED
        || (f.match == 1 && ngx_strchr(url.p, '?') != NULL))
    {
        ym_diag_add(d, item->file, item->line, item->column,
                    "url is http://host/path or https://host/path without "
                    "user, fragment, dot segments or doubled slashes%s",
                    f.match == 1 ? ", and a prefix has no query" : "");
        return NGX_OK;
    }

    service = ngx_array_push(&ymcf->cas->services);
    if (service == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(service, sizeof(ngx_http_yimen_cas_service_t));

    service->id = f.id;
    service->url = url;
    service->prefix = (f.match == 1);
    service->by_subject = (f.user == 1);
    service->inside = f.inside;
    service->title_zh = ym_yaml_text(f.title, "zh");
    service->title_en = ym_yaml_text(f.title, "en");
    service->title_zh = service->title_zh ? service->title_zh
                                          : service->title_en;
    service->title_zh = service->title_zh ? service->title_zh : f.id;
    service->title_en = service->title_en ? service->title_en
                                          : service->title_zh;
    service->attributes = ngx_http_yimen_cas_words(f.attributes, "attributes",
                                            ngx_http_yimen_cas_attribute, d);
    service->roles = ngx_http_yimen_cas_words(f.roles, "roles",
                                              ngx_http_yimen_role_name, d);

    if (f.ca != NULL) {
        service->ca = ngx_http_yimen_conf_beside(cf, ymcf, f.ca);

        if (service->ca == NULL) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_yimen_cas_told(cf, item, f.logout, service, d);
    ymcf->cas->told |= service->told;

    return rc;
}


static ngx_uint_t
ngx_http_yimen_cas_id_ok(const char *id)
{
    ngx_uint_t  i;

    for (i = 0; id[i] != '\0'; i++) {
        if (!((id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9')
              || id[i] == '-'))
        {
            return 0;
        }
    }

    return i > 0 && i <= NGX_HTTP_YIMEN_CAS_ID;
}


/* NGX_DECLINED: it is no address of a service */

static ngx_int_t
ngx_http_yimen_cas_url(ngx_conf_t *cf, const char *url, struct ym_str *ret)
{
    char           *copy;
    ngx_int_t       rc;
    struct ym_buf   out;

    ym_buf_init(&out, 2 * YM_CAS_SERVICE_MAX);
    rc = NGX_DECLINED;

    if (ym_cas_service(ym_str_of(url), &out)) {
        copy = ngx_pnalloc(cf->pool, out.n + 1);
        rc = NGX_ERROR;

        if (copy != NULL) {
            ngx_memcpy(copy, out.p, out.n + 1);
            *ret = (struct ym_str){ copy, out.n };
            rc = NGX_OK;
        }
    }

    ym_buf_clear(&out);

    return rc;
}


static ngx_int_t
ngx_http_yimen_cas_told(ngx_conf_t *cf, const struct ym_yaml *item,
    const char *logout, ngx_http_yimen_cas_service_t *service,
    struct ym_diag *d)
{
    ngx_int_t      rc;
    struct ym_str  url;

    if (ngx_strcmp(logout, "false") == 0) {
        return NGX_OK;
    }

    service->told = 1;

    if (ngx_strcmp(logout, "true") == 0) {
        return NGX_OK;
    }

    rc = ngx_http_yimen_cas_url(cf, logout, &url);

    if (rc == NGX_DECLINED) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "logout is true, false or an address");
        return NGX_OK;
    }

    service->logout = url.p;

    return rc;
}


static const char *
ngx_http_yimen_cas_attribute(ngx_uint_t bit)
{
    switch (bit) {
    case NGX_HTTP_YIMEN_CAS_NAME:
        return "name";
    case NGX_HTTP_YIMEN_CAS_EMAIL:
        return "email";
    case NGX_HTTP_YIMEN_CAS_ROLES:
        return "roles";
    case NGX_HTTP_YIMEN_CAS_ORG:
        return "org";
    case NGX_HTTP_YIMEN_CAS_AREA:
        return "area";
    case NGX_HTTP_YIMEN_CAS_LOGIN:
        return "login";
    case NGX_HTTP_YIMEN_CAS_SUBJECT:
        return "subject";
    default:
        return NULL;
    }
}


/* a list of names of bits */

static ngx_uint_t
ngx_http_yimen_cas_words(const struct ym_yaml *list, const char *what,
    const char *(*name)(ngx_uint_t bit), struct ym_diag *d)
{
    ngx_uint_t             bit, bits;
    const struct ym_yaml  *item;

    bits = 0;

    if (list == NULL) {
        return 0;
    }

    if (list->kind != YM_YAML_LIST || list->count == 0) {
        ym_diag_add(d, list->file, list->line, list->column,
                    "%s is a list of words", what);
        return 0;
    }

    for (item = list->child; item; item = item->next) {

        for (bit = 1; name(bit) != NULL; bit <<= 1) {
            if (item->kind == YM_YAML_SCALAR
                && ym_str_is(item->text, name(bit)))
            {
                break;
            }
        }

        if (name(bit) == NULL) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "there is no such word for %s", what);
        }

        bits |= bit;
    }

    return bits;
}


const ngx_http_yimen_cas_service_t *
ngx_http_yimen_cas_find(const ngx_http_yimen_cas_conf_t *conf,
    struct ym_str url)
{
    ngx_uint_t                     i;
    ngx_http_yimen_cas_service_t  *list;

    list = conf->services.elts;

    for (i = 0; i < conf->services.nelts; i++) {
        if (ym_cas_matches(list[i].url, list[i].prefix, url)) {
            return &list[i];
        }
    }

    return NULL;
}


const ngx_http_yimen_cas_service_t *
ngx_http_yimen_cas_service(const ngx_http_yimen_cas_conf_t *conf,
    struct ym_str id)
{
    ngx_uint_t                     i;
    ngx_http_yimen_cas_service_t  *list;

    list = conf->services.elts;

    for (i = 0; i < conf->services.nelts; i++) {
        if (ym_str_is(id, list[i].id)) {
            return &list[i];
        }
    }

    return NULL;
}


/* a line for each; none of them can hold a line end */

ngx_int_t
ngx_http_yimen_cas_seal(const ngx_http_yimen_main_conf_t *ymcf,
    const char *context, const ngx_http_yimen_cas_grant_t *grant,
    struct ym_buf *out)
{
    ym_status      rc;
    struct ym_buf  plain;
    struct ym_err  err;

    ym_buf_init(&plain, NGX_HTTP_YIMEN_CAS_GRANT);
    ym_buf_addf(&plain, "cas 1\n%u\n%.*s\n%u\n", (unsigned) grant->shard,
                (int) grant->session.n, grant->session.p,
                (unsigned) grant->fresh);
    ym_buf_add(&plain, grant->service.p, grant->service.n);
    ym_buf_addc(&plain, '\n');
    ym_buf_add(&plain, grant->url.p, grant->url.n);
    ym_buf_addc(&plain, '\n');
    ym_buf_add(&plain, grant->ticket.p, grant->ticket.n);
    rc = ym_buf_addc(&plain, '\n');

    if (rc == YM_OK) {
        rc = ym_seal(ymcf->ring, ym_str_of(context), ym_buf_str(&plain), out,
                     &err);
    }

    ym_buf_wipe(&plain);

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_yimen_cas_open(const ngx_http_yimen_main_conf_t *ymcf,
    const char *context, struct ym_str sealed,
    ngx_http_yimen_cas_grant_t *grant, struct ym_buf *out)
{
    ngx_int_t      shard;
    struct ym_err  err;
    struct ym_str  text, head, number, fresh;

    if (ym_unseal(ymcf->ring, ym_str_of(context), sealed, out, &err)
        != YM_OK)
    {
        return NGX_ERROR;
    }

    text = ym_buf_str(out);

    if (!ngx_http_yimen_cas_line(&text, &head) || !ym_str_is(head, "cas 1")
        || !ngx_http_yimen_cas_line(&text, &number)
        || !ngx_http_yimen_cas_line(&text, &grant->session)
        || !ngx_http_yimen_cas_line(&text, &fresh)
        || !ngx_http_yimen_cas_line(&text, &grant->service)
        || !ngx_http_yimen_cas_line(&text, &grant->url)
        || !ngx_http_yimen_cas_line(&text, &grant->ticket))
    {
        return NGX_ERROR;
    }

    shard = ngx_atoi((u_char *) (uintptr_t) number.p, number.n);

    if (shard == NGX_ERROR || shard >= ymcf->catalog->site.shards
        || grant->session.n != YM_SHA256_HEX - 1)
    {
        return NGX_ERROR;
    }

    grant->shard = (ngx_uint_t) shard;
    grant->fresh = ym_str_is(fresh, "1");

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_cas_line(struct ym_str *text, struct ym_str *ret)
{
    const char  *end;

    end = text->n ? (char *) ngx_strlchr((u_char *) (uintptr_t) text->p,
                                (u_char *) (uintptr_t) text->p + text->n,
                                '\n')
                  : NULL;
    if (end == NULL) {
        return 0;
    }

    *ret = (struct ym_str){ text->p, (size_t) (end - text->p) };
    text->p = end + 1;
    text->n -= ret->n + 1;

    return 1;
}
