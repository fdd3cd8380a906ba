/* SPDX-License-Identifier: Apache-2.0
 * `auth: providers:` of the catalogue.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_oidc_priv.h"

#include "ym_conf.h"


#define NGX_HTTP_YIMEN_PROVIDERS  16


/* one item of the list, as it is written */
typedef struct {
    const char            *id, *issuer, *client_id, *secret, *ca;
    const char            *roles_claim, *area_claim, *org_claim;
    const char            *name_claim, *login_claim, *email_claim;
    const char            *acr_values, *prompt, *audience, *max_age;
    const struct ym_yaml  *title, *scopes, *algorithms, *origins, *role_map;
    int                    method;
    int64_t                skew, timeout, keys_ttl, keys_window, grace;
    bool                   inside, userinfo, refresh, typed_logout;
} ngx_http_yimen_provider_fields_t;


static ngx_int_t ngx_http_yimen_oidc_item(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *item,
    struct ym_diag *d);
static ngx_int_t ngx_http_yimen_oidc_lists(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, ngx_http_yimen_provider_t *p,
    const ngx_http_yimen_provider_fields_t *f, struct ym_diag *d);
static void ngx_http_yimen_oidc_check(const struct ym_yaml *item,
    const ngx_http_yimen_provider_fields_t *f,
    ngx_http_yimen_main_conf_t *ymcf, struct ym_diag *d);
static ngx_uint_t ngx_http_yimen_oidc_id_ok(const char *id);
static const char **ngx_http_yimen_oidc_words(ngx_conf_t *cf,
    const struct ym_yaml *list, const char *name, struct ym_diag *d);
static const char *ngx_http_yimen_oidc_joined(ngx_conf_t *cf,
    const char **words);
static void ngx_http_yimen_oidc_algorithms(const struct ym_yaml *item,
    const char **words, struct ym_diag *d);
static ngx_int_t ngx_http_yimen_oidc_role_map(ngx_conf_t *cf,
    const struct ym_yaml *map, ngx_array_t *ret, struct ym_diag *d);
static ngx_uint_t ngx_http_yimen_oidc_role_bits(const struct ym_yaml *to,
    struct ym_diag *d);


static const char *const  ngx_http_yimen_oidc_methods[] = {
    "auto", "client_secret_basic", "client_secret_post", NULL
};

static const char  *ngx_http_yimen_oidc_scopes[] = { "openid", NULL };

static const char  *ngx_http_yimen_oidc_default_algorithms[] = {
    "RS256", "ES256", "PS256", "EdDSA", NULL
};


#define field(f)  offsetof(ngx_http_yimen_provider_fields_t, f)
#define text(name, f, def, flags, help)                                       \
    { name, YM_FIELD_STRING, field(f), def, 0, 0, NULL,                       \
      YM_FIELD_RELOADABLE|(flags), help }
#define node(name, f, help)                                                   \
    { name, YM_FIELD_NODE, field(f), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,   \
      help }
#define time(name, f, def, least, most, help)                                 \
    { name, YM_FIELD_DURATION, field(f), def, least, most, NULL,              \
      YM_FIELD_RELOADABLE, help }
#define flag(name, f, def, help)                                              \
    { name, YM_FIELD_BOOL, field(f), def, 0, 0, NULL, YM_FIELD_RELOADABLE,    \
      help }

const struct ym_field  ngx_http_yimen_provider_table[] = {
    text("id", id, NULL, YM_FIELD_REQUIRED,
         "Short name in addresses (/auth/start/<id>) and in the ids of its "
         "people; a-z, 0-9 and -, at most 32."),
    node("title", title, "{zh: …, en: …} on the sign-in page."),
    text("issuer", issuer, NULL, YM_FIELD_REQUIRED,
         "The provider's issuer, exactly as its discovery document has it."),
    text("client_id", client_id, NULL, YM_FIELD_REQUIRED,
         "What the provider calls this gateway."),
    text("client_secret", secret, NULL, YM_FIELD_SECRET,
         "A reference (file: or env:); none = a public client, PKCE alone."),
    { "client_auth", YM_FIELD_ENUM, field(method), "auto", 0, 0,
      ngx_http_yimen_oidc_methods, YM_FIELD_RELOADABLE,
      "How the secret is sent: auto takes what the provider offers, Basic "
      "first." },
    node("scopes", scopes, "List; default [openid]."),
    node("algorithms", algorithms,
         "Signature algorithms that are accepted; default RS256, ES256, "
         "PS256, EdDSA."),
    text("ca", ca, NULL, 0,
         "PEM file with the authorities of the provider's certificate; "
         "without it the system's."),
    flag("inside", inside, "false",
         "The provider has a private address; only its own origin and "
         "`origins` may then be asked there."),
    node("origins", origins,
         "Further origins (https://host:port) of this provider inside."),
    text("roles_claim", roles_claim, "roles", 0,
         "Claim with the roles, a name or a JSON Pointer "
         "(/realm_access/roles)."),
    node("role_map", role_map,
         "{their role: ours or [ours, …]}; without it the names must be "
         "ours."),
    text("area_claim", area_claim, "area", 0, "Claim with the area code."),
    text("org_claim", org_claim, "org", 0, "Claim with the organisation."),
    text("name_claim", name_claim, "name", 0, "Claim with the name shown."),
    text("login_claim", login_claim, "preferred_username", 0,
         "Claim with the name that applications know."),
    text("email_claim", email_claim, "email", 0,
         "Claim with the mail address."),
    flag("userinfo", userinfo, "false",
         "Claims are also asked of the userinfo endpoint."),
    flag("refresh", refresh, "true",
         "A refresh token, when there is one, keeps the session in step with "
         "the provider's."),
    time("refresh_grace", grace, "5m", 0, 86400000,
         "How long a session goes on when the provider cannot be asked."),
    text("acr_values", acr_values, NULL, 0,
         "Classes of authentication that are accepted, by blanks; asked for "
         "and checked."),
    text("prompt", prompt, NULL, 0,
         "login, consent or select_account: sent as it is."),
    text("max_age", max_age, NULL, 0,
         "Longest time since the person proved who he is, such as 8h; asked "
         "for and checked."),
    text("audience", audience, NULL, 0,
         "API clients may use access tokens of this provider with this `aud`; "
         "none = they may not."),
    flag("typed_logout", typed_logout, "false",
         "Logout tokens must say that they are logout+jwt."),
    time("skew", skew, "30s", 0, 300000, "How far the clocks may differ."),
    time("timeout", timeout, "8s", 100, 60000,
         "Longest wait for an answer of the provider."),
    time("keys_ttl", keys_ttl, "10m", 1000, 86400000,
         "How long its keys are used before they are asked for again."),
    time("keys_window", keys_window, "30s", 100, 3600000,
         "An unknown key is looked for at most once in this time."),
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field
#undef text
#undef node
#undef time
#undef flag


char *
ngx_http_yimen_oidc_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *list)
{
    struct ym_diag         d;
    const struct ym_yaml  *item;

    if (list == NULL) {
        return NGX_CONF_OK;
    }

    ym_diag_init(&d);

    if (list->kind != YM_YAML_LIST || list->count > NGX_HTTP_YIMEN_PROVIDERS) {
        ym_diag_add(&d, list->file, list->line, list->column,
                    "auth.providers is a list of at most %d providers",
                    NGX_HTTP_YIMEN_PROVIDERS);

    } else if (ymcf->ring == NULL || ymcf->auth.public_url == NULL
               || !ymcf->session.on)
    {
        ym_diag_add(&d, list->file, list->line, list->column,
                    "auth.providers needs auth.public_url, auth.ring and "
                    "auth.session");

    } else if (ngx_array_init(&ymcf->providers, cf->pool, list->count + 1,
                              sizeof(ngx_http_yimen_provider_t *))
               != NGX_OK)
    {
        return NGX_CONF_ERROR;

    } else {
        for (item = list->child; item; item = item->next) {
            if (ngx_http_yimen_oidc_item(cf, ymcf, item, &d) != NGX_OK) {
                ngx_http_yimen_conf_log(cf, &d);
                ym_diag_clear(&d);
                return NGX_CONF_ERROR;
            }
        }
    }

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_oidc_item(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *item, struct ym_diag *d)
{
    int64_t                             max_age;
    ngx_http_yimen_issuer_t            *issuer;
    ngx_http_yimen_provider_t          *p, **slot;
    ngx_http_yimen_provider_fields_t    f;

    ngx_memzero(&f, sizeof(f));

    if (item->kind != YM_YAML_MAP) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "a provider is a map: {id:, issuer:, client_id:, …}");
        return NGX_OK;
    }

    if (ym_conf_load(ngx_http_yimen_provider_table, item, "auth.providers",
                     &f, ymcf->catalog->arena, d)
        != YM_OK)
    {
        return NGX_OK;
    }

    ngx_http_yimen_oidc_check(item, &f, ymcf, d);

    max_age = -1;

    if (f.max_age != NULL
        && !ym_duration_parse(ym_str_of(f.max_age), &max_age))
    {
        ym_diag_add(d, item->file, item->line, item->column,
                    "max_age is a duration such as 8h");
    }

    p = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_provider_t));
    slot = ngx_array_push(&ymcf->providers);
    issuer = ngx_array_push(&ymcf->auth.issuers);

    if (p == NULL || slot == NULL || issuer == NULL) {
        return NGX_ERROR;
    }

    *slot = p;
    issuer->id = f.id;
    issuer->issuer = f.issuer;

    p->index = ymcf->providers.nelts - 1;
    p->id = f.id;
    p->issuer = f.issuer;
    p->client_id = f.client_id;
    p->method = f.method;
    p->roles_claim = f.roles_claim;
    p->area_claim = f.area_claim;
    p->org_claim = f.org_claim;
    p->name_claim = f.name_claim;
    p->login_claim = f.login_claim;
    p->email_claim = f.email_claim;
    p->acr_values = f.acr_values;
    p->prompt = f.prompt;
    p->audience = f.audience;
    p->max_age = max_age;
    p->skew = f.skew;
    p->timeout = f.timeout;
    p->keys_ttl = f.keys_ttl;
    p->keys_window = f.keys_window;
    p->refresh_grace = f.grace;
    p->inside = f.inside;
    p->userinfo = f.userinfo;
    p->refresh = f.refresh;
    p->typed_logout = f.typed_logout;

    if (ngx_http_yimen_oidc_lists(cf, ymcf, p, &f, d) != NGX_OK) {
        return NGX_ERROR;
    }

    if (f.secret != NULL) {
        p->secret = ngx_http_yimen_conf_secret(cf, ymcf, f.secret);

        if (p->secret == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_http_yimen_oidc_role_map(cf, f.role_map, &p->role_map, d);
}


static ngx_int_t
ngx_http_yimen_oidc_lists(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    ngx_http_yimen_provider_t *p, const ngx_http_yimen_provider_fields_t *f,
    struct ym_diag *d)
{
    ngx_uint_t    i;
    const char  **words;

    p->title_zh = ym_yaml_text(f->title, "zh");
    p->title_en = ym_yaml_text(f->title, "en");
    p->title_zh = p->title_zh ? p->title_zh : p->title_en;
    p->title_zh = p->title_zh ? p->title_zh : p->id;
    p->title_en = p->title_en ? p->title_en : p->title_zh;

    words = f->scopes ? ngx_http_yimen_oidc_words(cf, f->scopes, "scopes", d)
                     : ngx_http_yimen_oidc_scopes;
    p->scope = ngx_http_yimen_oidc_joined(cf, words);

    p->algorithms = ngx_http_yimen_oidc_default_algorithms;

    if (f->algorithms) {
        p->algorithms = ngx_http_yimen_oidc_words(cf, f->algorithms,
                                                  "algorithms", d);
        ngx_http_yimen_oidc_algorithms(f->algorithms, p->algorithms, d);
    }

    p->origins = ngx_http_yimen_oidc_words(cf, f->origins, "origins", d);

    for (i = 0; p->origins != NULL && p->origins[i] != NULL; i++) {
        if (!ym_oidc_url_ok(p->origins[i], 1)
            || ym_oidc_origin(p->origins[i]) != ngx_strlen(p->origins[i]))
        {
            ym_diag_add(d, f->origins->file, f->origins->line,
                        f->origins->column,
                        "an origin is https://host[:port] and nothing more");
        }
    }

    for (i = 0; words != NULL && words[i] != NULL
                && ngx_strcmp(words[i], "openid") != 0; i++)
    {
        /* void */
    }

    if (words != NULL && words[i] == NULL) {
        ym_diag_add(d, f->scopes->file, f->scopes->line, f->scopes->column,
                    "scopes must have openid");
    }

    if (f->ca) {
        p->ca = ngx_http_yimen_conf_beside(cf, ymcf, f->ca);
    }

    if (p->scope == NULL || p->algorithms == NULL || p->origins == NULL
        || (f->ca && p->ca == NULL))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_oidc_check(const struct ym_yaml *item,
    const ngx_http_yimen_provider_fields_t *f,
    ngx_http_yimen_main_conf_t *ymcf, struct ym_diag *d)
{
    ngx_uint_t                   i;
    ngx_http_yimen_provider_t  **list;

    if (!ngx_http_yimen_oidc_id_ok(f->id)) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "a provider's id has 1 to 32 of a-z, 0-9 and -, and is "
                    "not \"local\"");
    }

    if (!ym_oidc_url_ok(f->issuer, f->inside)) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "issuer must be an https address (http only with "
                    "`inside: true`)");
    }

    /* or an ID token, which everybody's browser may have, would do as well */

    if (f->audience != NULL && ngx_strcmp(f->audience, f->client_id) == 0) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "audience must not be the client_id: ID tokens are no "
                    "access tokens");
    }

    if (ngx_strcmp(f->issuer, ymcf->auth.rules.issuer) == 0
        && f->audience != NULL)
    {
        ym_diag_add(d, item->file, item->line, item->column,
                    "the tokens of auth.issuer are checked with auth.jwks: "
                    "leave audience out here");
    }

    list = ymcf->providers.elts;

    for (i = 0; i < ymcf->providers.nelts; i++) {
        if (ngx_strcmp(list[i]->id, f->id) == 0
            || ngx_strcmp(list[i]->issuer, f->issuer) == 0)
        {
            ym_diag_add(d, item->file, item->line, item->column,
                        "two providers have one id or one issuer");
        }
    }
}


static ngx_uint_t
ngx_http_yimen_oidc_id_ok(const char *id)
{
    size_t  i;

    for (i = 0; id[i] != '\0'; i++) {
        if (i == 32 || !((id[i] >= 'a' && id[i] <= 'z')
                         || (id[i] >= '0' && id[i] <= '9') || id[i] == '-'))
        {
            return 0;
        }
    }

    return i && ngx_strcmp(id, "local") != 0;
}


/* a list of scalars as a NULL-terminated array; NULL: out of memory */

static const char **
ngx_http_yimen_oidc_words(ngx_conf_t *cf, const struct ym_yaml *list,
    const char *name, struct ym_diag *d)
{
    size_t                  n;
    const char            **words;
    const struct ym_yaml   *item;

    n = (list != NULL) ? list->count : 0;

    words = ngx_pcalloc(cf->pool, (n + 1) * sizeof(char *));
    if (words == NULL || list == NULL) {
        return words;
    }

    if (list->kind != YM_YAML_LIST) {
        ym_diag_add(d, list->file, list->line, list->column,
                    "%s is a list: [a, b]", name);
        return words;
    }

    n = 0;

    for (item = list->child; item; item = item->next) {

        if (item->kind != YM_YAML_SCALAR || item->text.n == 0) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "%s is a list of words", name);
            continue;
        }

        words[n++] = item->text.p;
    }

    return words;
}


static const char *
ngx_http_yimen_oidc_joined(ngx_conf_t *cf, const char **words)
{
    u_char      *p, *start;
    size_t       n;
    ngx_uint_t   i;

    if (words == NULL) {
        return NULL;
    }

    n = 1;

    for (i = 0; words[i] != NULL; i++) {
        n += ngx_strlen(words[i]) + 1;
    }

    start = ngx_pnalloc(cf->pool, n);
    if (start == NULL) {
        return NULL;
    }

    p = start;

    for (i = 0; words[i] != NULL; i++) {
        p = ngx_sprintf(p, "%s%s", i ? " " : "", words[i]);
    }

    *p = '\0';

    return (char *) start;
}


/* keys come from the provider in the open: nothing symmetric, never none */

static void
ngx_http_yimen_oidc_algorithms(const struct ym_yaml *item, const char **words,
    struct ym_diag *d)
{
    ngx_uint_t  i, k;

    static const char *const  known[] = {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "EdDSA"
    };

    for (i = 0; words != NULL && words[i] != NULL; i++) {

        for (k = 0; k < YM_COUNT(known); k++) {
            if (ngx_strcmp(words[i], known[k]) == 0) {
                break;
            }
        }

        if (k == YM_COUNT(known)) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "a provider's algorithms are of RS256, RS384, RS512, "
                        "PS256, PS384, PS512, ES256, ES384, EdDSA");
        }
    }

    if (i == 0) {
        ym_diag_add(d, item->file, item->line, item->column,
                    "algorithms may not be empty");
    }
}


static ngx_int_t
ngx_http_yimen_oidc_role_map(ngx_conf_t *cf, const struct ym_yaml *map,
    ngx_array_t *ret, struct ym_diag *d)
{
    const struct ym_yaml       *to, *item;
    ngx_http_yimen_role_map_t  *entry;

    if (ngx_array_init(ret, cf->pool, 8, sizeof(ngx_http_yimen_role_map_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (map == NULL) {
        return NGX_OK;
    }

    if (map->kind != YM_YAML_MAP) {
        ym_diag_add(d, map->file, map->line, map->column,
                    "role_map is a map: {their-role: staff}");
        return NGX_OK;
    }

    for (to = map->child; to; to = to->next) {
        entry = ngx_array_push(ret);
        if (entry == NULL) {
            return NGX_ERROR;
        }

        entry->from = to->key->text.p;
        entry->roles = 0;

        if (to->kind == YM_YAML_LIST) {
            for (item = to->child; item; item = item->next) {
                entry->roles |= ngx_http_yimen_oidc_role_bits(item, d);
            }

        } else {
            entry->roles = ngx_http_yimen_oidc_role_bits(to, d);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_oidc_role_bits(const struct ym_yaml *to, struct ym_diag *d)
{
    ngx_uint_t   bit;
    const char  *name;

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ANY; bit <<= 1) {
        name = ngx_http_yimen_role_name(bit);

        if (name != NULL && to->kind == YM_YAML_SCALAR
            && ym_str_is(to->text, name))
        {
            return bit;
        }
    }

    ym_diag_add(d, to->file, to->line, to->column,
                "a role is staff, supervisor, operator, auditor or admin");

    return 0;
}


ngx_uint_t
ngx_http_yimen_providers(const ngx_http_yimen_main_conf_t *ymcf)
{
    return ymcf->providers.nelts;
}


const ngx_http_yimen_provider_t *
ngx_http_yimen_provider(const ngx_http_yimen_main_conf_t *ymcf, ngx_uint_t i)
{
    ngx_http_yimen_provider_t  **list;

    list = ymcf->providers.elts;

    return list[i];
}


const ngx_http_yimen_provider_t *
ngx_http_yimen_provider_find(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str id)
{
    ngx_uint_t                   i;
    ngx_http_yimen_provider_t  **list;

    list = ymcf->providers.elts;

    for (i = 0; i < ymcf->providers.nelts; i++) {
        if (ym_str_is(id, list[i]->id)) {
            return list[i];
        }
    }

    return NULL;
}


const ngx_http_yimen_provider_t *
ngx_http_yimen_provider_of(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str issuer)
{
    ngx_uint_t                   i;
    ngx_http_yimen_provider_t  **list;

    list = ymcf->providers.elts;

    for (i = 0; i < ymcf->providers.nelts; i++) {
        if (ym_str_is(issuer, list[i]->issuer)) {
            return list[i];
        }
    }

    return NULL;
}
