/* SPDX-License-Identifier: Apache-2.0
 * Old applications: their configuration.
 */
#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_session.h"

#include "ym_conf.h"


#define NGX_HTTP_YIMEN_APP_ID  64


/* one of `auth.applications` */
typedef struct {
    const struct ym_yaml  *title;
    const struct ym_yaml  *form;
    const struct ym_yaml  *service;
    const char            *path;
    const struct ym_yaml  *roles;
    const struct ym_yaml  *areas;
} ngx_http_yimen_app_fields_t;

typedef struct {
    const char  *login;
    const char  *password;
} ngx_http_yimen_service_fields_t;


static char *ngx_http_yimen_apps_read(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *map,
    struct ym_diag *d);
static char *ngx_http_yimen_apps_resolve(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf);
static void ngx_http_yimen_app_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *map,
    ngx_http_yimen_app_t *app, struct ym_diag *d);
static void ngx_http_yimen_app_path(ngx_conf_t *cf, const struct ym_yaml *map,
    const char *path, ngx_http_yimen_app_t *app, struct ym_diag *d);
static void ngx_http_yimen_app_service(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *map,
    ngx_http_yimen_app_t *app, struct ym_diag *d);
static ngx_uint_t ngx_http_yimen_app_id_ok(struct ym_str id);


#define field(f)  offsetof(ngx_http_yimen_app_fields_t, f)

static const struct ym_field  ngx_http_yimen_app_table[] = {
    { "title", YM_FIELD_NODE, field(title), NULL, 0, 0, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE,
      "What people call it: { zh: …, en: … }." },
    { "form", YM_FIELD_NODE, field(form), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Its sign-in form, for `yimen_identity form`." },
    { "service", YM_FIELD_NODE, field(service), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "One account for everybody: { login:, password: \"file:…\" }. Without "
      "it each person enters his own." },
    { "path", YM_FIELD_STRING, field(path), NULL, 2, 200, NULL,
      YM_FIELD_RELOADABLE,
      "Where the portal opens it; left out: /apps/<name>/." },
    { "roles", YM_FIELD_NODE, field(roles), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Whom the portal shows it: [staff, supervisor]; left out: everybody. "
      "What a location lets through is said by yimen_require." },
    { "areas", YM_FIELD_NODE, field(areas), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "The same by area: [330106]; left out: everywhere." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field
#define field(f)  offsetof(ngx_http_yimen_service_fields_t, f)

static const struct ym_field  ngx_http_yimen_service_table[] = {
    { "login", YM_FIELD_STRING, field(login), NULL, 1, 200, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_RELOADABLE, "Its login." },
    { "password", YM_FIELD_STRING, field(password), NULL, 0, 0, NULL,
      YM_FIELD_REQUIRED|YM_FIELD_SECRET|YM_FIELD_RELOADABLE,
      "Its password, by reference: file:… relative to this file, or env:…" },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field


char *
ngx_http_yimen_apps_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map)
{
    char            *rv;
    struct ym_diag   d;

    ym_diag_init(&d);

    rv = ngx_http_yimen_apps_read(cf, ymcf, map, &d);

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        rv = NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    return (rv == NGX_CONF_OK) ? ngx_http_yimen_apps_resolve(cf, ymcf) : rv;
}


static char *
ngx_http_yimen_apps_read(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map, struct ym_diag *d)
{
    ngx_http_yimen_app_t  *app;
    const struct ym_yaml  *item;

    if (map == NULL) {
        return NGX_CONF_OK;
    }

    if (map->kind != YM_YAML_MAP || map->count > NGX_HTTP_YIMEN_APPS_MAX) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "auth.applications has names, at most %d, and for each "
                    "what the application is", NGX_HTTP_YIMEN_APPS_MAX);
        return NGX_CONF_OK;
    }

    if (ymcf->ring == NULL) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "auth.applications needs auth.ring: what people enter is "
                    "sealed");
        return NGX_CONF_OK;
    }

    if (ngx_array_init(&ymcf->apps, cf->pool, map->count + 1,
                       sizeof(ngx_http_yimen_app_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (item = map->child; item; item = item->next) {

        if (!ngx_http_yimen_app_id_ok(item->key->text)) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "an application's name has letters, digits, '-', '_' "
                        "and '.', at most %d", NGX_HTTP_YIMEN_APP_ID);
            continue;
        }

        app = ngx_array_push(&ymcf->apps);
        if (app == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(app, sizeof(ngx_http_yimen_app_t));
        app->id = item->key->text.p;
        app->index = ymcf->apps.nelts - 1;

        ngx_http_yimen_app_load(cf, ymcf, item, app, d);
    }

    return NGX_CONF_OK;
}


static void
ngx_http_yimen_app_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map, ngx_http_yimen_app_t *app, struct ym_diag *d)
{
    struct ym_recipe             *recipe;
    ngx_http_yimen_app_fields_t   fields;

    ngx_memzero(&fields, sizeof(fields));

    if (map->kind != YM_YAML_MAP) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "say what the application is: { title:, form: }");
        return;
    }

    if (ym_conf_load(ngx_http_yimen_app_table, map, "auth.applications",
                     &fields, ymcf->catalog->arena, d)
        != YM_OK)
    {
        return;
    }

    app->title_zh = ym_yaml_text(fields.title, "zh");
    app->title_en = ym_yaml_text(fields.title, "en");

    if (app->title_zh == NULL || app->title_en == NULL) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "title needs both languages: { zh: …, en: … }");
        return;
    }

    ngx_http_yimen_app_path(cf, map, fields.path, app, d);
    ngx_http_yimen_app_rules(cf, app, fields.roles, fields.areas, d);
    ngx_http_yimen_app_service(cf, ymcf, fields.service, app, d);

    if (fields.form == NULL) {
        return;
    }

    if (ym_recipe_load(fields.form, ymcf->catalog->arena, &recipe, d)
        != YM_OK)
    {
        return;
    }

    if (recipe->ca != NULL) {
        recipe->ca = ngx_http_yimen_conf_beside(cf, ymcf, recipe->ca);
    }

    if (recipe->public == NULL) {
        recipe->public = ymcf->auth.public_url;
    }

    app->recipe = recipe;
    app->personal = (app->password == NULL);
}


/* an address of this site, where nothing leads elsewhere */

static void
ngx_http_yimen_app_path(ngx_conf_t *cf, const struct ym_yaml *map,
    const char *path, ngx_http_yimen_app_t *app, struct ym_diag *d)
{
    u_char        *text;
    const u_char  *p;

    if (path == NULL) {
        text = ngx_pnalloc(cf->pool, ngx_strlen(app->id) + sizeof("/apps//"));

        if (text == NULL) {
            ym_diag_add(d, map->file, map->line, map->column, "no memory");
            return;
        }

        *ngx_sprintf(text, "/apps/%s/", app->id) = '\0';
        app->path = (char *) text;
        return;
    }

    for (p = (const u_char *) path; *p > 0x20 && *p < 0x7f && *p != '\\';
         p++)
    {
        /* void */
    }

    if (*p || path[0] != '/' || path[1] == '/') {
        ym_diag_add(d, map->file, map->line, map->column,
                    "path is an address of this site: /apps/odr/");
        return;
    }

    app->path = path;
}


static void
ngx_http_yimen_app_service(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *map, ngx_http_yimen_app_t *app, struct ym_diag *d)
{
    ngx_http_yimen_service_fields_t  fields;

    if (map == NULL) {
        return;
    }

    ngx_memzero(&fields, sizeof(fields));

    if (ym_conf_load(ngx_http_yimen_service_table, map, "service", &fields,
                     ymcf->catalog->arena, d)
        != YM_OK)
    {
        return;
    }

    app->login = fields.login;
    app->password = ngx_http_yimen_conf_secret(cf, ymcf, fields.password);

    if (app->password == NULL) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "the password of the service account is not there");
    }
}


/* what a name of the store may be: check_system() of ym_store.lua */

static ngx_uint_t
ngx_http_yimen_app_id_ok(struct ym_str id)
{
    size_t  i;
    u_char  c;

    if (id.n == 0 || id.n > NGX_HTTP_YIMEN_APP_ID) {
        return 0;
    }

    for (i = 0; i < id.n; i++) {
        c = (u_char) id.p[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            && !(c >= '0' && c <= '9')
            && (i == 0 || ngx_strchr("-_.", c) == NULL))
        {
            return 0;
        }
    }

    return 1;
}


char *
ngx_http_yimen_app_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    ngx_uint_t form, void **ret_conf)
{
    ngx_http_yimen_app_use_t    *use, **slot;
    ngx_http_yimen_main_conf_t  *ymcf;

    if (n != 1 || words[0].len <= 7
        || ngx_strncmp(words[0].data, "system=", 7) != 0)
    {
        return "takes system=NAME, one of auth.applications";
    }

    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);

    if (ymcf->app_uses.elts == NULL
        && ngx_array_init(&ymcf->app_uses, cf->pool, 8,
                          sizeof(ngx_http_yimen_app_use_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    use = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_app_use_t));
    slot = ngx_array_push(&ymcf->app_uses);

    if (use == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    use->id.data = words[0].data + 7;
    use->id.len = words[0].len - 7;
    use->form = form ? 1 : 0;
    use->file = (char *) cf->conf_file->file.name.data;
    use->line = cf->conf_file->line;

    *slot = use;
    *ret_conf = use;

    return NGX_CONF_OK;
}


static char *
ngx_http_yimen_apps_resolve(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    ngx_uint_t                  i;
    struct ym_str               id;
    ngx_http_yimen_app_t       *apps;
    ngx_http_yimen_app_use_t  **use;

    use = ymcf->app_uses.elts;
    apps = ymcf->apps.elts;

    for (i = 0; i < ymcf->app_uses.nelts; i++) {

        id.p = (char *) use[i]->id.data;
        id.n = use[i]->id.len;

        use[i]->app = ngx_http_yimen_app_find(ymcf, id);

        if (use[i]->app == NULL
            || (use[i]->form && use[i]->app->recipe == NULL))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "auth.applications has no \"%V\"%s in %s:%ui",
                          &use[i]->id, use[i]->app ? " with a form" : "",
                          use[i]->file, use[i]->line);
            return NGX_CONF_ERROR;
        }

        if (use[i]->app->password == NULL) {
            apps[use[i]->app->index].personal = 1;
        }
    }

    return NGX_CONF_OK;
}


const ngx_http_yimen_app_t *
ngx_http_yimen_app_find(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str id)
{
    ngx_uint_t             i;
    ngx_http_yimen_app_t  *app;

    app = ymcf->apps.elts;

    for (i = 0; i < ymcf->apps.nelts; i++) {
        if (ym_str_is(id, app[i].id)) {
            return &app[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_yimen_apps_count(const ngx_http_yimen_main_conf_t *ymcf)
{
    return ymcf->apps.nelts;
}


const ngx_http_yimen_app_t *
ngx_http_yimen_app_at(const ngx_http_yimen_main_conf_t *ymcf, ngx_uint_t i)
{
    ngx_http_yimen_app_t  *app;

    app = ymcf->apps.elts;

    return &app[i];
}


ngx_int_t
ngx_http_yimen_holder(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject, ngx_http_yimen_holder_t *ret)
{
    /* the digest that his sessions have */

    if (ngx_http_yimen_session_digest(ymcf, "person", YM_STR(""), subject,
                                      ret->digest)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ret->subject = subject;
    ret->shard = ngx_http_yimen_digest_shard(ymcf, ret->digest);

    return NGX_OK;
}
