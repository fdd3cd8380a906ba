/* SPDX-License-Identifier: Apache-2.0
 * API clients with access tokens of an OpenID provider.
 */
#include "ngx_http_yimen_oidc_priv.h"


static ngx_int_t ngx_http_yimen_oidc_bearer_verify(
    const ngx_http_yimen_provider_t *provider, struct ym_str token,
    int64_t now, json_t **ret_claims, struct ym_err *err);


ngx_int_t
ngx_http_yimen_oidc_bearer(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str token, int64_t now, json_t **ret_claims,
    ngx_http_yimen_login_t *ret, struct ym_err *err)
{
    json_t                           *said;
    ngx_int_t                         rc;
    struct ym_str                     issuer;
    struct ym_oidc_tokens             none;
    const ngx_http_yimen_provider_t  *provider;

    if (ngx_http_yimen_providers(ymcf) == 0
        || ym_jwt_claims(token, &said) != YM_OK)
    {
        return NGX_DECLINED;
    }

    /* what it says of itself chooses the keys, and these must hold it */

    issuer = ym_str_of(ym_json_str(said, "iss"));
    provider = ngx_http_yimen_provider_of(ymcf, issuer);
    json_decref(said);

    if (provider == NULL || provider->audience == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_yimen_op_now(ngx_http_yimen_op(provider)) != NGX_OK) {
        return NGX_AGAIN;
    }

    rc = ngx_http_yimen_oidc_bearer_verify(provider, token, now, ret_claims,
                                           err);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&none, sizeof(none));

    if (ngx_http_yimen_oidc_login(provider, *ret_claims, NULL, &none, NULL,
                                  ret)
        != NGX_OK)
    {
        (void) ym_err_set(err, YM_EAUTH, "sub is not acceptable");
        json_decref(*ret_claims);
        *ret_claims = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_oidc_bearer_verify(const ngx_http_yimen_provider_t *provider,
    struct ym_str token, int64_t now, json_t **ret_claims, struct ym_err *err)
{
    struct ym_jwt_rules   rules;
    ngx_http_yimen_op_t  *op;

    op = ngx_http_yimen_op(provider);
    ngx_memzero(&rules, sizeof(rules));

    rules.algorithms = (const char *const *) provider->algorithms;
    rules.issuer = provider->issuer;
    rules.audience = provider->audience;
    rules.skew_ms = provider->skew;

    if (ym_jwt_verify(token, op->keys, &rules, now, ret_claims, err)
        == YM_OK)
    {
        return NGX_OK;
    }

    if (!ym_oidc_key_unknown(token, op->keys)) {
        return NGX_ERROR;
    }

    ngx_http_yimen_op_look(op);

    return op->busy ? NGX_BUSY : NGX_ERROR;
}
