/* SPDX-License-Identifier: Apache-2.0
 * The keys of auth.identity_keys: the first signs, the public halves of all
 * stand at /.well-known/jwks.json, so that a new key is known before it signs
 * and an old one until its last token has ended.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_route.h"

#include "ym_jwk.h"
#include "ym_secret.h"
#include "ym_yaml.h"

#include <openssl/err.h>
#include <openssl/pem.h>


#define NGX_HTTP_YIMEN_SIGN_KEYS  8


static char *ngx_http_yimen_sign_reference(ngx_conf_t *cf,
    const struct ym_yaml *node, json_t *set);
static char *ngx_http_yimen_sign_pems(ngx_conf_t *cf, const char *text,
    json_t *set);
static char *ngx_http_yimen_sign_key(ngx_conf_t *cf, EVP_PKEY *key,
    json_t *set);
static char *ngx_http_yimen_sign_publish(ngx_conf_t *cf, json_t *set);
static ngx_int_t ngx_http_yimen_sign_pem(ngx_conf_t *cf, EVP_PKEY *key,
    ngx_str_t *ret);
static void ngx_http_yimen_sign_wipe(void *data);


char *
ngx_http_yimen_sign_load(ngx_conf_t *cf)
{
    char                              *rv;
    json_t                            *set;
    ngx_str_t                         *aud;
    ngx_uint_t                         i;
    const struct ym_yaml              *node, *item;
    ngx_http_yimen_main_conf_t        *ymcf;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);
    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);

    node = NULL;

    if (ymcf->catalog != NULL && ymcf->catalog->site.auth != NULL) {
        node = ym_yaml_get(ymcf->catalog->site.auth, "identity_keys");
    }

    if (node == NULL) {
        if (fmcf->audiences.nelts == 0) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"yimen_identity jwt\" needs \"identity_keys:\" "
                           "under \"auth:\" of the catalogue");
        return NGX_CONF_ERROR;
    }

    /* a token for an application must be none for us */

    aud = fmcf->audiences.elts;

    for (i = 0; i < fmcf->audiences.nelts; i++) {
        if (ymcf->auth.rules.audience != NULL
            && aud[i].len == ngx_strlen(ymcf->auth.rules.audience)
            && ngx_strncmp(aud[i].data, ymcf->auth.rules.audience, aud[i].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "audience \"%V\" is the gateway's own", &aud[i]);
            return NGX_CONF_ERROR;
        }
    }

    set = json_array();
    if (set == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_OK;

    if (node->kind == YM_YAML_LIST) {
        for (item = node->child; item && rv == NGX_CONF_OK; item = item->next)
        {
            rv = ngx_http_yimen_sign_reference(cf, item, set);
        }

    } else {
        rv = ngx_http_yimen_sign_reference(cf, node, set);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_yimen_sign_publish(cf, set);
    }

    json_decref(set);
    ERR_clear_error();

    return rv;
}


static char *
ngx_http_yimen_sign_reference(ngx_conf_t *cf, const struct ym_yaml *node,
    json_t *set)
{
    char                        *text, *rv;
    const char                  *reference;
    struct ym_err                err;
    ngx_http_yimen_main_conf_t  *ymcf;

    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);
    reference = (node->kind == YM_YAML_SCALAR) ? node->text.p : "";
    reference = ngx_http_yimen_conf_reference(cf, ymcf, reference);

    if (reference == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ym_secret_resolve(reference, &text, &err) != YM_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s:%d: identity_keys: %s", node->file, node->line,
                      err.message);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_yimen_sign_pems(cf, text, set);

    if (rv != NGX_CONF_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s:%d: identity_keys takes private keys of EC P-256 "
                      "in PEM form, %d at most, each once", node->file,
                      node->line, NGX_HTTP_YIMEN_SIGN_KEYS);
    }

    ym_secret_free(text);

    return rv;
}


static char *
ngx_http_yimen_sign_pems(ngx_conf_t *cf, const char *text, json_t *set)
{
    BIO       *bio;
    char      *rv;
    size_t     n;
    EVP_PKEY  *key;

    bio = BIO_new_mem_buf(text, -1);
    if (bio == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_OK;
    n = 0;

    while (rv == NGX_CONF_OK) {
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");

        if (key == NULL) {
            break;
        }

        rv = ngx_http_yimen_sign_key(cf, key, set);
        EVP_PKEY_free(key);
        n++;
    }

    BIO_free(bio);

    return (n == 0) ? NGX_CONF_ERROR : rv;
}


static char *
ngx_http_yimen_sign_key(ngx_conf_t *cf, EVP_PKEY *key, json_t *set)
{
    size_t                             i, n;
    json_t                            *jwk;
    u_char                            *kid;
    const char                        *text;
    ngx_http_yimen_sign_key_t         *slot;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    if (fmcf->keys.nelts == NGX_HTTP_YIMEN_SIGN_KEYS
        || !EVP_PKEY_is_a(key, "EC")
        || ym_jwk_public(key, &jwk, NULL) != YM_OK)
    {
        return NGX_CONF_ERROR;
    }

    text = json_string_value(json_object_get(jwk, "kid"));
    n = ngx_strlen(text);
    kid = ngx_pnalloc(cf->pool, n + 1);

    for (i = 0; kid != NULL && i < fmcf->keys.nelts; i++) {
        slot = fmcf->keys.elts;

        if (ngx_strcmp(slot[i].kid, text) == 0) {
            json_decref(jwk);
            return NGX_CONF_ERROR;
        }
    }

    slot = ngx_array_push(&fmcf->keys);

    if (kid == NULL || slot == NULL) {
        json_decref(jwk);
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(kid, text, n + 1);
    slot->kid = (char *) kid;
    ngx_str_null(&slot->pem);

    if (json_array_append_new(set, jwk) != 0
        || ngx_http_yimen_sign_pem(cf, key, &slot->pem) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* one key alone, as libjwt reads it */

static ngx_int_t
ngx_http_yimen_sign_pem(ngx_conf_t *cf, EVP_PKEY *key, ngx_str_t *ret)
{
    BIO                 *bio;
    char                *p;
    long                 n;
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    bio = BIO_new(BIO_s_secmem());
    cln = ngx_pool_cleanup_add(cf->pool, 0);
    rc = NGX_ERROR;

    if (bio != NULL && cln != NULL
        && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
    {
        n = BIO_get_mem_data(bio, &p);
        ret->data = (n > 0) ? ngx_pnalloc(cf->pool, (size_t) n + 1) : NULL;

        if (ret->data != NULL) {
            ngx_memcpy(ret->data, p, (size_t) n);
            ret->data[n] = '\0';
            ret->len = (size_t) n;

            cln->handler = ngx_http_yimen_sign_wipe;
            cln->data = ret->data;
            rc = NGX_OK;
        }
    }

    BIO_free(bio);

    return rc;
}


static void
ngx_http_yimen_sign_wipe(void *data)
{
    ym_wipe(data, ngx_strlen(data));
}


static char *
ngx_http_yimen_sign_publish(ngx_conf_t *cf, json_t *set)
{
    char                              *text;
    json_t                            *root;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    root = json_pack("{s:O}", "keys", set);
    text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);

    if (text == NULL) {
        return NGX_CONF_ERROR;
    }

    fmcf->jwks.len = ngx_strlen(text);
    fmcf->jwks.data = ngx_pnalloc(cf->pool, fmcf->jwks.len);

    if (fmcf->jwks.data != NULL) {
        ngx_memcpy(fmcf->jwks.data, text, fmcf->jwks.len);
    }

    free(text);

    return fmcf->jwks.data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* GET /.well-known/jwks.json */

void
ngx_http_yimen_jwks_get(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_yimen_front_module);

    if (fmcf->jwks.len == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    ym_buf_add(&ctx->out, fmcf->jwks.data, fmcf->jwks.len);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, "application/jwk-set+json");
}
