/* SPDX-License-Identifier: Apache-2.0
 * The kind `basic` of yimen_identity: RFC 7617 with what the vault holds.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"

#include "ym_codec.h"
#include "ym_store_vault.h"
#include "ym_time.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_JAR_SECRET    (64 * 1024)   /* of one header */


static char *ngx_http_yimen_basic_parse(ngx_conf_t *cf, ngx_str_t *words,
    ngx_uint_t n, void **ret_conf);
static ngx_int_t ngx_http_yimen_basic_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf);
static ngx_int_t ngx_http_yimen_basic_ask(ngx_http_yimen_jar_t *x);
static void ngx_http_yimen_basic_reply(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static ngx_http_yimen_app_why_e ngx_http_yimen_basic_value(
    ngx_http_yimen_jar_t *x, struct ym_str sealed);


const ngx_http_yimen_kind_t  ngx_http_yimen_kind_basic = {
    "basic", ngx_http_yimen_basic_parse, ngx_http_yimen_basic_inject, 1
};


static char *
ngx_http_yimen_basic_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    void **ret_conf)
{
    return ngx_http_yimen_app_parse(cf, words, n, 0, ret_conf);
}



static ngx_int_t
ngx_http_yimen_basic_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf)
{
    ngx_http_yimen_jar_t  *x;

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    x = ngx_http_yimen_jar_of(r, 1);
    if (x == NULL) {
        return NGX_ERROR;
    }

    switch (x->state) {

    case NGX_HTTP_YIMEN_JAR_WAITING:
        return NGX_AGAIN;

    case NGX_HTTP_YIMEN_JAR_DECIDED:
        x->state = NGX_HTTP_YIMEN_JAR_IDLE;

        if (x->why != NGX_HTTP_YIMEN_APP_FINE) {
            return ngx_http_yimen_app_refuse(r, x->app, x->why);
        }

        return ngx_http_yimen_jar_secret(x,
                                       &ngx_http_yimen_secret_authorization);

    default:
        break;
    }

    if (ngx_http_yimen_jar_begin(x, who, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_yimen_basic_ask(x);
}


static ngx_int_t
ngx_http_yimen_basic_ask(ngx_http_yimen_jar_t *x)
{
    ngx_http_yimen_fcall_t    call;
    ngx_http_yimen_app_why_e  why;

    if (x->app->password != NULL) {
        x->state = NGX_HTTP_YIMEN_JAR_IDLE;
        why = ngx_http_yimen_basic_value(x, YM_STR(""));

        if (why != NGX_HTTP_YIMEN_APP_FINE) {
            return ngx_http_yimen_app_refuse(x->request, x->app, why);
        }

        return ngx_http_yimen_jar_secret(x,
                                       &ngx_http_yimen_secret_authorization);
    }

    ngx_http_yimen_fcall_init(&call, YM_FN_VAULT_GET, x->person.shard);
    ngx_http_yimen_fcall_z(&call, x->person.digest);
    ngx_http_yimen_fcall_z(&call, x->app->id);

    if (ngx_http_yimen_fcall_send(&call, x->request->pool,
                                  ngx_http_yimen_basic_reply, x)
        != NGX_OK)
    {
        ngx_http_yimen_jar_wait(x, 0);
    }

    return ngx_http_yimen_jar_pause(x);
}


static void
ngx_http_yimen_basic_reply(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    struct ym_str             sealed;
    ngx_http_yimen_jar_t     *x = data;
    ngx_http_yimen_app_why_e  verdict;

    if (why != NGX_HTTP_YIMEN_REDIS_OK
        || ((*reply)->type != REDIS_REPLY_NIL
            && ((*reply)->type != REDIS_REPLY_ARRAY
                || (*reply)->elements != 3)))
    {
        ngx_http_yimen_count(redis_trouble);
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
        return;
    }

    if ((*reply)->type == REDIS_REPLY_NIL) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_NONE);
        return;
    }

    if (ngx_http_yimen_fcall_word(*reply, 2).n) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_STALE);
        return;
    }

    sealed = ngx_http_yimen_fcall_word(*reply, 0);
    verdict = ngx_http_yimen_basic_value(x, sealed);

    if (verdict == NGX_HTTP_YIMEN_APP_FINE) {
        ngx_http_yimen_vault_renew(x->conf, x->app, &x->person, sealed,
                                   ngx_http_yimen_fcall_word(*reply, 1));
    }

    ngx_http_yimen_jar_decide(x, verdict);
}


/* RFC 7617: a login cannot have a colon; the charset is UTF-8 */

static ngx_http_yimen_app_why_e
ngx_http_yimen_basic_value(ngx_http_yimen_jar_t *x, struct ym_str sealed)
{
    ym_status                  rc;
    struct ym_buf              pair;
    struct ym_credentials      who;
    ngx_http_yimen_app_why_e   why;

    why = NGX_HTTP_YIMEN_APP_DAMAGED;
    ngx_memzero(&who, sizeof(struct ym_credentials));
    ym_buf_init(&pair, NGX_HTTP_YIMEN_JAR_SECRET / 2);

    if (ngx_http_yimen_jar_empty(x) != NGX_OK) {
        return NGX_HTTP_YIMEN_APP_BROKEN;
    }

    if (ngx_http_yimen_vault_open(x->conf, x->app, &x->person, sealed,
                                  x->arena, &who)
        == NGX_OK
        && ngx_strchr(who.login, ':') == NULL)
    {
        rc = ym_buf_reserve(&pair, NGX_HTTP_YIMEN_JAR_SECRET / 2);
        ym_buf_wipe(&x->secret);

        if (rc == YM_OK) {
            rc = ym_buf_reserve(&x->secret, NGX_HTTP_YIMEN_JAR_SECRET);
        }

        if (rc == YM_OK) {
            ym_buf_adds(&pair, who.login);
            ym_buf_addc(&pair, ':');
            ym_buf_adds(&pair, who.password);
            ym_buf_adds(&x->secret, "Basic ");
            rc = ym_base64_add(&x->secret, ym_buf_str(&pair));
        }

        why = (rc == YM_OK && pair.failed == YM_OK)
              ? NGX_HTTP_YIMEN_APP_FINE : NGX_HTTP_YIMEN_APP_BROKEN;
    }

    ym_buf_wipe(&pair);
    ym_credentials_wipe(&who);

    return why;
}
