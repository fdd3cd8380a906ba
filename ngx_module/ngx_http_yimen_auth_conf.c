/* SPDX-License-Identifier: Apache-2.0
 * `auth:` of the catalogue: who signs tokens, where people come back to, the
 * ring of keys, sessions.  Each block is optional but for the bearer keys.
 */
#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_request.h"

#include "ym_conf.h"


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
    const char            *public_url;
    const char            *ring;
    const struct ym_yaml  *identity_keys;  /* ngx_http_yimen_sign.c */
    const struct ym_yaml  *session;
    const struct ym_yaml  *providers;
    const struct ym_yaml  *local;
    const struct ym_yaml  *applications;   /* ngx_http_yimen_apps.c */
    const struct ym_yaml  *cas;            /* ngx_http_yimen_cas_conf.c */
} ngx_http_yimen_auth_fields_t;


static void ngx_http_yimen_conf_keys_close(void *data);
static char *ngx_http_yimen_auth_keys(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *file);
static void ngx_http_yimen_auth_algorithms(ngx_http_yimen_auth_conf_t *auth,
    const struct ym_yaml *list, struct ym_diag *d);
static char *ngx_http_yimen_auth_public(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *url);
static ngx_uint_t ngx_http_yimen_auth_loopback(const char *host, size_t n);
static char *ngx_http_yimen_auth_ring(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *reference);
static void ngx_http_yimen_conf_ring_close(void *data);
static char *ngx_http_yimen_auth_session(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *block);


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
    { "public_url", YM_FIELD_STRING, field(public_url), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Where browsers reach the gateway: https://host[:port]; http only on "
      "loopback. Every redirect address comes from here." },
    { "ring", YM_FIELD_STRING, field(ring), NULL, 0, 0, NULL,
      YM_FIELD_SECRET|YM_FIELD_RELOADABLE,
      "Key ring, by reference: file:… relative to this file, or env:…" },
    { "identity_keys", YM_FIELD_NODE, field(identity_keys), NULL, 0, 0, NULL,
      YM_FIELD_SECRET|YM_FIELD_RELOADABLE,
      "Private keys (EC P-256, PEM) that sign identity tokens for "
      "applications, by reference, one or a list; the first signs." },
    { "session", YM_FIELD_NODE, field(session), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Sessions of people; without it nobody signs in with a browser." },
    { "providers", YM_FIELD_NODE, field(providers), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "OpenID providers at which people sign in, a list." },
    { "local", YM_FIELD_NODE, field(local), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Accounts of this site: people who sign in with a name and a password "
      "of ours." },
    { "applications", YM_FIELD_NODE, field(applications), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Old applications that people are signed in to by Basic or by their own "
      "form." },
    { "cas", YM_FIELD_NODE, field(cas), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,
      "The CAS server for applications that speak CAS; none without it." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field
#define field(f)  offsetof(ngx_http_yimen_session_conf_t, f)

#define MINUTE  60000
#define DAY     (24 * 60 * MINUTE)

static const struct ym_field  ngx_http_yimen_session_table[] = {
    { "idle", YM_FIELD_DURATION, field(idle), "30m", 1000, 30LL * DAY, NULL,
      YM_FIELD_RELOADABLE,
      "A session that is not used for so long ends." },
    { "absolute", YM_FIELD_DURATION, field(absolute), "12h", 1000, 90LL * DAY,
      NULL, YM_FIELD_RELOADABLE,
      "So long after the sign-in it ends in any case." },
    { "touch", YM_FIELD_DURATION, field(touch), "60s", 100, 10 * MINUTE, NULL,
      YM_FIELD_RELOADABLE,
      "Use is written down this often at most; workers remember a session "
      "no longer." },
    { "max_per_person", YM_FIELD_INT, field(max_per_person), "20", 1, 1000,
      NULL, YM_FIELD_RELOADABLE,
      "Sessions of one person; one more ends the oldest." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field
#undef MINUTE
#undef DAY


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

    if (ngx_array_init(&auth->issuers, cf->pool, 4,
                       sizeof(ngx_http_yimen_issuer_t))
        != NGX_OK
        || ngx_http_yimen_auth_public(cf, ymcf, fields.public_url)
           != NGX_CONF_OK
        || ngx_http_yimen_auth_ring(cf, ymcf, fields.ring) != NGX_CONF_OK
        || ngx_http_yimen_auth_session(cf, ymcf, fields.session)
           != NGX_CONF_OK
        || ngx_http_yimen_oidc_load(cf, ymcf, fields.providers)
           != NGX_CONF_OK
        || ngx_http_yimen_local_load(cf, ymcf, fields.local) != NGX_CONF_OK
        || ngx_http_yimen_apps_load(cf, ymcf, fields.applications)
           != NGX_CONF_OK
        || ngx_http_yimen_cas_load(cf, ymcf, fields.cas) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_yimen_auth_keys(cf, ymcf, fields.jwks);
}


/* scheme, host, port and nothing else: it is compared with Origin as it is */

static char *
ngx_http_yimen_auth_public(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *url)
{
    char        *copy;
    size_t       n, scheme, i;
    ngx_uint_t   bad;

    if (url == NULL) {
        return NGX_CONF_OK;
    }

    n = ngx_strlen(url);

    while (n && url[n - 1] == '/') {
        n--;
    }

    ymcf->auth.secure = (ngx_strncmp(url, "https://", 8) == 0);
    scheme = ymcf->auth.secure ? 8 : 7;

    bad = (!ymcf->auth.secure && ngx_strncmp(url, "http://", 7) != 0)
          || n <= scheme;

    for (i = scheme; !bad && i < n; i++) {
        bad = !((url[i] >= 'a' && url[i] <= 'z')
                || (url[i] >= '0' && url[i] <= '9')
                || url[i] == '.' || url[i] == '-' || url[i] == ':'
                || url[i] == '[' || url[i] == ']');
    }

    if (bad || (!ymcf->auth.secure
                && !ngx_http_yimen_auth_loopback(url + scheme, n - scheme)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"public_url:\" in \"%V\" must be "
                           "https://host[:port] in lower case without a path, "
                           "or http:// on localhost, 127.0.0.1 or [::1]",
                           &ymcf->catalog_file);
        return NGX_CONF_ERROR;
    }

    copy = ngx_pnalloc(cf->pool, n + 1);
    if (copy == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn((u_char *) copy, (u_char *) url, n + 1);
    ymcf->auth.public_url = copy;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_yimen_auth_loopback(const char *host, size_t n)
{
    size_t      len;
    ngx_uint_t  i;

    static const char *const  names[] = { "localhost", "127.0.0.1", "[::1]" };

    for (i = 0; i < YM_COUNT(names); i++) {
        len = ngx_strlen(names[i]);

        if (n >= len && ngx_strncmp(host, names[i], len) == 0
            && (n == len || host[len] == ':'))
        {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_yimen_auth_ring(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *reference)
{
    struct ym_err        err;
    ngx_pool_cleanup_t  *cln;

    if (reference == NULL) {
        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    reference = ngx_http_yimen_conf_reference(cf, ymcf, reference);

    if (cln == NULL || reference == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ym_ring_open(reference, &ymcf->ring, &err) != YM_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"ring:\" %s%s%s", err.file,
                           err.file[0] ? ": " : "", err.message);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_yimen_conf_ring_close;
    cln->data = ymcf->ring;

    return NGX_CONF_OK;
}


static void
ngx_http_yimen_conf_ring_close(void *data)
{
    ym_ring_close(data);
}


static char *
ngx_http_yimen_auth_session(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *block)
{
    struct ym_diag  d;

    if (block == NULL) {
        return NGX_CONF_OK;
    }

    ym_diag_init(&d);

    (void) ym_conf_load(ngx_http_yimen_session_table, block, "auth.session",
                        &ymcf->session, ymcf->catalog->arena, &d);

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    if (ymcf->ring == NULL || ymcf->auth.public_url == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"session:\" in \"%V\" needs \"ring:\" and "
                           "\"public_url:\"", &ymcf->catalog_file);
        return NGX_CONF_ERROR;
    }

    ymcf->session.on = 1;

    return NGX_CONF_OK;
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
    ngx_str_t            path, text;
    ngx_uint_t           i, oct;
    struct ym_err        err;
    ngx_pool_cleanup_t  *cln;

    path.data = (u_char *) (uintptr_t) ngx_http_yimen_conf_beside(cf, ymcf,
                                                                  file);
    if (path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    path.len = ngx_strlen(path.data);

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

    if (ym_jwks_private(ymcf->auth.keys)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" holds private parts of keys: they are not "
                           "used here and should be known to nobody but who "
                           "signs", &path);
    }

    /* a set with an oct key is a secret */

    ym_wipe(text.data, text.len);

    cln->handler = ngx_http_yimen_conf_keys_close;
    cln->data = ymcf->auth.keys;

    return NGX_CONF_OK;
}


static void
ngx_http_yimen_conf_keys_close(void *data)
{
    ym_jwks_close(data);
}
