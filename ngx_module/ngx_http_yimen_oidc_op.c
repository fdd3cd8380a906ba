/* SPDX-License-Identifier: Apache-2.0
 * What a worker knows of the OpenID providers: metadata and keys, fetched when
 * first needed, renewed in the background, kept when a renewal fails.
 *
 * One chain of requests per provider at a time: discovery, then keys.  Whoever
 * needs an answer waits in a queue; whoever has one that is merely old does
 * not wait.  Keys that nobody knows are looked for at most once a window, so
 * that tokens of strangers cause no storm.
 */
#include "ngx_http_yimen_oidc_priv.h"


#define NGX_HTTP_YIMEN_OP_META_TTL  (60 * 60 * 1000)

/* a provider that failed is left alone for so long */
#define NGX_HTTP_YIMEN_OP_PAUSE     2000

#define NGX_HTTP_YIMEN_OP_WELL_KNOWN  "/.well-known/openid-configuration"


typedef struct {
    ngx_queue_t           link;
    ngx_http_yimen_op_pt  handler;
    void                 *data;
    unsigned              queued:1;
} ngx_http_yimen_op_waiter_t;


static void ngx_http_yimen_op_wait(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data);
static void ngx_http_yimen_op_left(void *data);
static void ngx_http_yimen_op_begin(ngx_http_yimen_op_t *op);
static void ngx_http_yimen_op_discover(ngx_http_yimen_op_t *op);
static void ngx_http_yimen_op_discovered(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_op_keys(ngx_http_yimen_op_t *op);
static void ngx_http_yimen_op_keys_came(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_op_end(ngx_http_yimen_op_t *op, ngx_int_t rc,
    const char *what, const char *why);
static ngx_uint_t ngx_http_yimen_op_inside(const ngx_http_yimen_op_t *op,
    const char *url);


static struct {
    ngx_http_yimen_op_t  *ops;
    ngx_uint_t            count;
    ngx_log_t            *log;
} ngx_http_yimen_ops;


ngx_int_t
ngx_http_yimen_oidc_open(ngx_http_yimen_main_conf_t *ymcf, ngx_log_t *log)
{
    ngx_uint_t            i, n;
    ngx_http_yimen_op_t  *op;

    ngx_memzero(&ngx_http_yimen_ops, sizeof(ngx_http_yimen_ops));
    ngx_http_yimen_ops.log = log;
    ngx_http_yimen_oidc_refresh_open();

    n = ngx_http_yimen_providers(ymcf);

    if (n == 0) {
        return NGX_OK;
    }

    ngx_http_yimen_ops.ops = ngx_calloc(n * sizeof(ngx_http_yimen_op_t), log);
    if (ngx_http_yimen_ops.ops == NULL) {
        return NGX_ERROR;
    }

    ngx_http_yimen_ops.count = n;

    for (i = 0; i < n; i++) {
        op = &ngx_http_yimen_ops.ops[i];
        op->conf = ngx_http_yimen_provider(ymcf, i);
        ngx_queue_init(&op->waiting);

        /* API clients come without a sign-in page before */

        if (op->conf->audience != NULL) {
            ngx_http_yimen_op_begin(op);
        }
    }

    return NGX_OK;
}


void
ngx_http_yimen_oidc_close(void)
{
    ngx_uint_t            i;
    ngx_http_yimen_op_t  *op;

    ngx_http_yimen_oidc_refresh_close();

    for (i = 0; i < ngx_http_yimen_ops.count; i++) {
        op = &ngx_http_yimen_ops.ops[i];

        ym_jwks_close(op->keys);
        ym_arena_close(op->arena);
    }

    if (ngx_http_yimen_ops.ops != NULL) {
        ngx_free(ngx_http_yimen_ops.ops);
    }

    ngx_memzero(&ngx_http_yimen_ops, sizeof(ngx_http_yimen_ops));
}


ngx_http_yimen_op_t *
ngx_http_yimen_op(const ngx_http_yimen_provider_t *provider)
{
    return &ngx_http_yimen_ops.ops[provider->index];
}


void
ngx_http_yimen_op_need(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data)
{
    ngx_uint_t  old, paused;

    paused = op->failed
             && ngx_current_msec - op->failed_at < NGX_HTTP_YIMEN_OP_PAUSE;

    if (op->arena != NULL && op->keys != NULL) {

        old = ngx_current_msec - op->keys_at
              >= (ngx_msec_t) op->conf->keys_ttl
              || ngx_current_msec - op->meta_at >= NGX_HTTP_YIMEN_OP_META_TTL;

        if (old && !paused && !op->busy) {
            ngx_http_yimen_op_begin(op);
        }

        handler(data, NGX_OK);
        return;
    }

    if (paused && !op->busy) {
        handler(data, NGX_ERROR);
        return;
    }

    ngx_http_yimen_op_wait(op, pool, handler, data);
}


void
ngx_http_yimen_op_renew(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data)
{
    if (op->asked && ngx_current_msec - op->asked_at
                     < (ngx_msec_t) op->conf->keys_window)
    {
        if (!op->busy) {
            handler(data, NGX_DECLINED);
            return;
        }

    } else {
        op->asked = 1;
        op->asked_at = ngx_current_msec;
    }

    if (op->keys != NULL) {
        op->keys_at = ngx_current_msec - (ngx_msec_t) op->conf->keys_ttl;
    }

    ngx_http_yimen_op_wait(op, pool, handler, data);
}


/* joins the chain under way, or begins one */

static void
ngx_http_yimen_op_wait(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_op_pt handler, void *data)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_yimen_op_waiter_t  *waiter;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_yimen_op_waiter_t));
    if (cln == NULL) {
        handler(data, NGX_ERROR);
        return;
    }

    waiter = cln->data;
    cln->handler = ngx_http_yimen_op_left;

    waiter->handler = handler;
    waiter->data = data;
    waiter->queued = 1;
    ngx_queue_insert_tail(&op->waiting, &waiter->link);

    if (!op->busy) {
        ngx_http_yimen_op_begin(op);
    }
}


static void
ngx_http_yimen_op_left(void *data)
{
    ngx_http_yimen_op_waiter_t  *waiter = data;

    if (waiter->queued) {
        ngx_queue_remove(&waiter->link);
        waiter->queued = 0;
    }
}


static void
ngx_http_yimen_op_begin(ngx_http_yimen_op_t *op)
{
    op->busy = 1;

    if (op->arena == NULL
        || ngx_current_msec - op->meta_at >= NGX_HTTP_YIMEN_OP_META_TTL)
    {
        ngx_http_yimen_op_discover(op);
        return;
    }

    ngx_http_yimen_op_keys(op);
}


static void
ngx_http_yimen_op_discover(ngx_http_yimen_op_t *op)
{
    size_t                  n;
    struct ym_buf           url;
    ngx_int_t               rc;
    ngx_http_yimen_fetch_t  what;

    ngx_memzero(&what, sizeof(what));
    ym_buf_init(&url, YM_OIDC_URL_MAX + 64);

    n = ngx_strlen(op->conf->issuer);

    if (op->conf->issuer[n - 1] == '/') {
        n--;
    }

    ym_buf_add(&url, op->conf->issuer, n);
    ym_buf_adds(&url, NGX_HTTP_YIMEN_OP_WELL_KNOWN);

    rc = NGX_ERROR;

    if (url.failed == YM_OK) {
        what.url = url.p;
        rc = ngx_http_yimen_op_fetch(op, NULL, &what,
                                     ngx_http_yimen_op_discovered, op);
    }

    ym_buf_clear(&url);

    if (rc != NGX_OK) {
        ngx_http_yimen_op_end(op, NGX_ERROR, "discovery", "not sent");
    }
}


static void
ngx_http_yimen_op_discovered(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    struct ym_err             err;
    struct ym_arena          *arena;
    ngx_http_yimen_op_t      *op = data;
    struct ym_oidc_provider   meta;

    if (answer->status != 200) {
        ngx_http_yimen_op_end(op, NGX_ERROR, "discovery",
                              answer->error ? answer->error
                                            : "the status is not 200");
        return;
    }

    arena = ym_arena_open();

    if (arena == NULL) {
        ngx_http_yimen_op_end(op, NGX_ERROR, "discovery", "out of memory");
        return;
    }

    if (ym_oidc_discovery(answer->body, op->conf->issuer, arena, &meta, &err)
        != YM_OK)
    {
        ym_arena_close(arena);
        ngx_http_yimen_op_end(op, NGX_ERROR, "discovery", err.message);
        return;
    }

    ym_arena_close(op->arena);

    op->arena = arena;
    op->meta = meta;
    op->meta_at = ngx_current_msec;

    ngx_http_yimen_op_keys(op);
}


static void
ngx_http_yimen_op_keys(ngx_http_yimen_op_t *op)
{
    ngx_http_yimen_fetch_t  what;

    ngx_memzero(&what, sizeof(what));
    what.url = op->meta.jwks;

    if (ngx_http_yimen_op_fetch(op, NULL, &what, ngx_http_yimen_op_keys_came,
                                op)
        != NGX_OK)
    {
        ngx_http_yimen_op_end(op, NGX_ERROR, "keys", "not sent");
    }
}


static void
ngx_http_yimen_op_keys_came(void *data, const ngx_http_yimen_fetched_t *answer)
{
    struct ym_err         err;
    struct ym_jwks       *keys;
    ngx_http_yimen_op_t  *op = data;

    if (answer->status != 200) {
        ngx_http_yimen_op_end(op, NGX_ERROR, "keys",
                              answer->error ? answer->error
                                            : "the status is not 200");
        return;
    }

    if (ym_jwks_load(answer->body, false, &keys, &err) != YM_OK) {
        ngx_http_yimen_op_end(op, NGX_ERROR, "keys", err.message);
        return;
    }

    /* a key that the provider has taken back holds no longer */

    ym_jwks_close(op->keys);

    op->keys = keys;
    op->keys_at = ngx_current_msec;

    ngx_http_yimen_op_end(op, NGX_OK, NULL, NULL);
}


static void
ngx_http_yimen_op_end(ngx_http_yimen_op_t *op, ngx_int_t rc, const char *what,
    const char *why)
{
    ngx_queue_t                 *q, told;
    ngx_http_yimen_op_waiter_t  *waiter;

    op->busy = 0;
    op->failed = (rc != NGX_OK);

    if (op->failed) {
        op->failed_at = ngx_current_msec;

        ngx_log_error(NGX_LOG_WARN, ngx_http_yimen_ops.log, 0,
                      "event=provider.trouble provider=%s at=%s err=\"%s\"",
                      op->conf->id, what, why);
    }

    /* handlers may wait anew, and their requests may end others of the list */

    ngx_queue_init(&told);

    if (!ngx_queue_empty(&op->waiting)) {
        ngx_queue_add(&told, &op->waiting);
        ngx_queue_init(&op->waiting);
    }

    while (!ngx_queue_empty(&told)) {
        q = ngx_queue_head(&told);
        waiter = ngx_queue_data(q, ngx_http_yimen_op_waiter_t, link);

        ngx_queue_remove(q);
        waiter->queued = 0;

        waiter->handler(waiter->data, rc);
    }
}


ngx_int_t
ngx_http_yimen_op_fetch(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    ngx_http_yimen_fetch_t *what, ngx_http_yimen_fetch_pt handler, void *data)
{
    what->ca = op->conf->ca;
    what->timeout = (ngx_msec_t) op->conf->timeout;
    what->max_body = NGX_HTTP_YIMEN_OP_BODY;
    what->inside = ngx_http_yimen_op_inside(op, what->url);

    return ngx_http_yimen_fetch(pool, what, handler, data);
}


/*
 * A provider inside may be asked at its own origin and at those that the
 * configuration names; what its documents name elsewhere must be public.
 */
static ngx_uint_t
ngx_http_yimen_op_inside(const ngx_http_yimen_op_t *op, const char *url)
{
    size_t       n;
    ngx_uint_t   i;
    const char  *origin;

    if (!op->conf->inside) {
        return 0;
    }

    n = ym_oidc_origin(url);
    origin = op->conf->issuer;

    for (i = 0; origin != NULL; i++) {

        if (ym_oidc_origin(origin) == n && ngx_strncmp(origin, url, n) == 0) {
            return 1;
        }

        origin = op->conf->origins[i];
    }

    return 0;
}


ngx_int_t
ngx_http_yimen_op_tokens(ngx_http_yimen_op_t *op, ngx_pool_t *pool,
    struct ym_buf *body, ngx_http_yimen_fetch_pt handler, void *data)
{
    int                     method;
    ngx_int_t               rc;
    struct ym_buf           user, password;
    ngx_http_yimen_pair_t   headers[2];
    ngx_http_yimen_fetch_t  what;

    ngx_memzero(&what, sizeof(what));
    ym_buf_init(&user, 4096);
    ym_buf_init(&password, 256 * 1024);

    method = op->conf->method;

    if (op->conf->secret == NULL) {
        method = NGX_HTTP_YIMEN_CLIENT_POST;

    } else if (method == NGX_HTTP_YIMEN_CLIENT_AUTO) {
        method = op->meta.secret_post_only ? NGX_HTTP_YIMEN_CLIENT_POST
                                           : NGX_HTTP_YIMEN_CLIENT_BASIC;
    }

    if (method == NGX_HTTP_YIMEN_CLIENT_BASIC) {

        /* RFC 6749 §2.3.1: encoded as in a form, then joined */

        ym_buf_add_uri(&user, ym_str_of(op->conf->client_id));
        ym_buf_add_uri(&password, ym_str_of(op->conf->secret));
        what.user = user.p;
        what.password = password.p;

    } else {
        ym_buf_adds(body, "&client_id=");
        ym_buf_add_uri(body, ym_str_of(op->conf->client_id));

        if (op->conf->secret != NULL) {
            ym_buf_adds(body, "&client_secret=");
            ym_buf_add_uri(body, ym_str_of(op->conf->secret));
        }
    }

    headers[0].name = YM_STR("Content-Type");
    headers[0].value = YM_STR("application/x-www-form-urlencoded");
    headers[1].name = YM_STR("Accept");
    headers[1].value = YM_STR("application/json");

    what.url = op->meta.token;
    what.headers = headers;
    what.header_count = 2;
    what.body = ym_buf_str(body);

    rc = NGX_ERROR;

    if (body->failed == YM_OK && user.failed == YM_OK
        && password.failed == YM_OK)
    {
        rc = ngx_http_yimen_op_fetch(op, pool, &what, handler, data);
    }

    ym_buf_wipe(&user);
    ym_buf_wipe(&password);
    ym_buf_wipe(body);

    return rc;
}


/* API clients wait for nobody: what is missing is fetched for the next one */

ngx_int_t
ngx_http_yimen_op_now(ngx_http_yimen_op_t *op)
{
    ngx_uint_t  old, paused;

    paused = op->failed
             && ngx_current_msec - op->failed_at < NGX_HTTP_YIMEN_OP_PAUSE;

    old = op->keys == NULL
          || ngx_current_msec - op->keys_at >= (ngx_msec_t) op->conf->keys_ttl;

    if (old && !paused && !op->busy) {
        ngx_http_yimen_op_begin(op);
    }

    return (op->keys != NULL) ? NGX_OK : NGX_AGAIN;
}


void
ngx_http_yimen_op_look(ngx_http_yimen_op_t *op)
{
    if (op->busy || (op->asked && ngx_current_msec - op->asked_at
                                  < (ngx_msec_t) op->conf->keys_window))
    {
        return;
    }

    op->asked = 1;
    op->asked_at = ngx_current_msec;

    ngx_http_yimen_op_begin(op);
}
