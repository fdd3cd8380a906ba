/* SPDX-License-Identifier: Apache-2.0
 * Keeping the cookies of an application: sealed, one entry each, in Redis.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"

#include "ym_codec.h"
#include "ym_store_vault.h"
#include "ym_time.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_JAR_SEALED    (8 * 1024)    /* of one cookie */
#define NGX_HTTP_YIMEN_JAR_YOUNG     2000          /* ms after the sign-in */
#define NGX_HTTP_YIMEN_JAR_HOLD      30000         /* ms */


static ym_status ngx_http_yimen_jar_context(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person, struct ym_str generation,
    struct ym_buf *out);


static ym_status
ngx_http_yimen_jar_context(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person, struct ym_str generation,
    struct ym_buf *out)
{
    ym_buf_adds(out, "jar:");
    ym_buf_adds(out, app->id);
    ym_buf_addc(out, ':');
    ym_buf_add(out, generation.p, generation.n);
    ym_buf_addc(out, ':');

    return ym_buf_add(out, person->subject.p, person->subject.n);
}


ngx_int_t
ngx_http_yimen_jar_seal(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    const char *generation, const struct ym_jar_cookie *cookie,
    char key[YM_DIGEST_HEX], struct ym_buf *out)
{
    ym_status      rc;
    struct ym_buf  text, context;

    ym_buf_init(&text, NGX_HTTP_YIMEN_JAR_SEALED);
    ym_buf_init(&context, 1024);
    ym_buf_init(out, 2 * NGX_HTTP_YIMEN_JAR_SEALED);

    rc = ym_jar_key(cookie, &text);

    if (rc == YM_OK) {
        rc = ym_ring_digest(ymcf->ring, "cookie", ym_buf_str(&text), key);
    }

    if (rc == YM_OK && !cookie->gone) {
        ym_buf_reset(&text);
        rc = ym_jar_pack(cookie, &text);

        if (rc == YM_OK) {
            rc = ngx_http_yimen_jar_context(app, person,
                                            ym_str_of(generation), &context);
        }

        if (rc == YM_OK) {
            rc = ym_seal(ymcf->ring, ym_buf_str(&context), ym_buf_str(&text),
                         out, NULL);
        }
    }

    ym_buf_wipe(&text);
    ym_buf_clear(&context);

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_yimen_jar_read(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str generation, const redisReply *cookies, struct ym_jar *jar)
{
    ngx_int_t      rc;
    ngx_uint_t     i;
    struct ym_buf  text, context;

    ym_buf_init(&text, NGX_HTTP_YIMEN_JAR_SEALED);
    ym_buf_init(&context, 1024);

    rc = NGX_ERROR;

    if (cookies->type != REDIS_REPLY_ARRAY
        || ngx_http_yimen_jar_context(app, person, generation, &context)
           != YM_OK)
    {
        goto done;
    }

    for (i = 0; i + 1 < (ngx_uint_t) cookies->elements; i += 2) {

        ym_buf_wipe(&text);

        if (ym_unseal(ymcf->ring, ym_buf_str(&context),
                      ngx_http_yimen_fcall_word(cookies, i + 1), &text, NULL)
            != YM_OK
            || !ym_jar_unpack(jar, ym_buf_str(&text)))
        {
            goto done;
        }
    }

    rc = NGX_OK;

done:

    ym_buf_wipe(&text);
    ym_buf_clear(&context);

    return rc;
}


void
ngx_http_yimen_jar_save(ngx_http_yimen_jar_t *x)
{
    char                    *keys;
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    struct ym_buf           *sealed;
    ngx_http_yimen_fcall_t   call;

    keys = ngx_pnalloc(x->request->pool, YM_JAR_COOKIES * YM_DIGEST_HEX);
    sealed = ngx_pcalloc(x->request->pool,
                         YM_JAR_COOKIES * sizeof(struct ym_buf));

    if (keys == NULL || sealed == NULL) {
        return;
    }

    ngx_http_yimen_fcall_init(&call, YM_FN_JAR_PUT, x->person.shard);
    ngx_http_yimen_fcall_z(&call, x->person.digest);
    ngx_http_yimen_fcall_z(&call, x->app->id);
    ngx_http_yimen_fcall_z(&call, x->generation);
    ngx_http_yimen_fcall_int(&call, x->app->recipe->keep_ms);

    n = 0;
    rc = NGX_OK;

    for (i = 0; rc == NGX_OK && i < x->jar->count; i++) {

        if (!x->jar->items[i].changed) {
            continue;
        }

        rc = ngx_http_yimen_jar_seal(x->conf, x->app, &x->person,
                                     x->generation, &x->jar->items[i],
                                     &keys[n * YM_DIGEST_HEX], &sealed[n]);

        ngx_http_yimen_fcall_z(&call, &keys[n * YM_DIGEST_HEX]);
        ngx_http_yimen_fcall_arg(&call, ym_buf_str(&sealed[n]));
        n++;
    }

    if (n && rc == NGX_OK) {
        rc = ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);
    }

    if (n && rc == NGX_OK) {
        ngx_http_yimen_redis_flush(ngx_http_yimen_worker.redis);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, x->request->connection->log, 0,
                      "event=application.cookies_lost system=%s", x->app->id);
    }

    for (i = 0; i < n; i++) {
        ym_buf_clear(&sealed[i]);
    }
}


ngx_int_t
ngx_http_yimen_jar_forget(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_redis_pt handler)
{
    ngx_http_yimen_fcall_t  call;

    ngx_http_yimen_fcall_init(&call, YM_FN_JAR_FORGET, x->person.shard);
    ngx_http_yimen_fcall_z(&call, x->person.digest);
    ngx_http_yimen_fcall_z(&call, x->app->id);
    ngx_http_yimen_fcall_z(&call, x->generation);
    ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_JAR_YOUNG);
    ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_JAR_HOLD);
    ngx_http_yimen_fcall_z(&call, "forgets");

    return ngx_http_yimen_fcall_send(&call,
                                     handler ? x->request->pool : NULL,
                                     handler, handler ? x : NULL);
}
