/* SPDX-License-Identifier: Apache-2.0
 * `auth:` of the catalogue: who signs tokens, where people come back to, the
 * ring of keys, sessions.  Each block is optional but for the bearer keys.
 */
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
} ngx_http_yimen_auth_fields_t;


static void ngx_http_yimen_conf_keys_close(void *data);
static char *ngx_http_yimen_auth_keys(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *file);
static void ngx_http_yimen_auth_algorithms(ngx_http_yimen_auth_conf_t *auth,
    const struct ym_yaml *list, struct ym_diag *d);


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
