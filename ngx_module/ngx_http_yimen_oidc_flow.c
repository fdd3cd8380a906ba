/* SPDX-License-Identifier: Apache-2.0
 * The start of a sign-in at a provider.
 *
 * Each tab has a state of its own: 256 random bits, known to Redis by their
 * digest only, with what is needed at the end sealed beside it.  A cookie of
 * its own binds it to this browser, so tabs never step on each other; a
 * browser keeps at most so many, and the oldest gives way.
 */
#include "ngx_http_yimen_oidc_priv.h"
#include "ngx_http_yimen_page.h"

#include "ym_store_door.h"
#include "ym_time.h"

#include <openssl/rand.h>


/* cookies of one request that are looked at */
#define NGX_HTTP_YIMEN_FLOW_SEEN    64

#define NGX_HTTP_YIMEN_FLOW_DIGITS  6     /* of the state's digest */
#define NGX_HTTP_YIMEN_FLOW_TICK    10000 /* ms; two characters count them */
#define NGX_HTTP_YIMEN_FLOW_TICKS   4096


typedef struct {
    char           tag[NGX_HTTP_YIMEN_FLOW_TAG + 1];
    struct ym_str  value;
    ngx_uint_t     age;     /* in ticks */
} ngx_http_yimen_flow_seen_t;


static void ngx_http_yimen_oidc_start_ready(void *data, ngx_int_t rc);
static void ngx_http_yimen_oidc_start_go(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow);
static ngx_int_t ngx_http_yimen_flow_keep(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, const char *secret,
    ngx_http_yimen_handler_pt handler);
static void ngx_http_yimen_oidc_started(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_flow_close(void *data);
static ngx_uint_t ngx_http_yimen_flow_tick(void);
static ngx_uint_t ngx_http_yimen_flow_seen(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_seen_t *seen);
static ngx_uint_t ngx_http_yimen_flow_seen_line(ngx_http_yimen_ctx_t *ctx,
    ngx_str_t *line, ngx_http_yimen_flow_seen_t *seen, ngx_uint_t n);
static const char *ngx_http_yimen_flow_prefix(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_flow_expire(ngx_http_yimen_ctx_t *ctx);


static const char  ngx_http_yimen_flow_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


const ngx_http_yimen_provider_t *
ngx_http_yimen_oidc_provider(ngx_http_yimen_ctx_t *ctx)
{
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_provider_find(ctx->conf, ctx->params[0]);

    if (provider == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
    }

    return provider;
}


ngx_http_yimen_flow_t *
ngx_http_yimen_flow(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_yimen_flow_t  *flow;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_flow_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    flow = cln->data;
    ngx_memzero(flow, sizeof(ngx_http_yimen_flow_t));

    cln->handler = ngx_http_yimen_flow_close;
    ctx->work = flow;

    return flow;
}


static void
ngx_http_yimen_flow_close(void *data)
{
    ngx_http_yimen_flow_t  *flow = data;

    json_decref(flow->claims);
    json_decref(flow->info);
}


/* GET /auth/start/{provider}?rd=… */

void
ngx_http_yimen_oidc_start(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str                     rd;
    ngx_str_t                        *mode;
    ngx_http_yimen_flow_t            *flow;
    const ngx_http_yimen_provider_t  *provider;

    provider = ngx_http_yimen_oidc_provider(ctx);
    if (provider == NULL) {
        return;
    }

    /* an image, a frame or a script does not sign anybody in */

    mode = ngx_http_yimen_header(ctx->request, "sec-fetch-mode");

    if (ctx->request->method != NGX_HTTP_GET
        || (mode != NULL && !ngx_http_yimen_is_navigation(ctx->request)))
    {
        (void) ngx_http_yimen_answer_header(ctx, "WWW-Authenticate",
                                          YM_STR("Bearer realm=\"yimen\""));
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAUTHORIZED,
                               "请在浏览器窗口中登录",
                               "Sign in by opening this address in a window");
        return;
    }

    flow = ngx_http_yimen_flow(ctx);
    if (flow == NULL) {
        return;
    }

    rd = YM_STR("/");
    (void) ngx_http_yimen_query(ctx, "rd", &rd);

    flow->provider = provider;
    flow->op = ngx_http_yimen_op(provider);
    flow->rd = ngx_http_yimen_place(ctx, rd);

    ngx_http_yimen_op_need(flow->op, ctx->request->pool,
                           ngx_http_yimen_oidc_start_ready, ctx);
}


static void
ngx_http_yimen_oidc_start_ready(void *data, ngx_int_t rc)
{
    ngx_connection_t      *c;
    ngx_http_yimen_ctx_t  *ctx = data;

    c = ctx->request->connection;

    if (rc != NGX_OK) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "登录服务暂时无法访问，请稍后重试；"
                                  "如持续出现，请联系管理员",
                                  "The sign-in service cannot be reached. Try "
                                  "again in a moment; if it goes on, tell the "
                                  "administrator");
    } else {
        ngx_http_yimen_oidc_start_go(ctx, ctx->work);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_oidc_start_go(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow)
{
    char                              state[YM_OIDC_STATE_LEN + 1];
    char                              secret[YM_OIDC_STATE_LEN + 1];
    char                              nonce[YM_OIDC_STATE_LEN + 1];
    char                              verifier[YM_OIDC_STATE_LEN + 1];
    struct ym_buf                     url;
    struct ym_str                     again;
    struct ym_oidc_request            rq;
    const ngx_http_yimen_provider_t  *provider;

    provider = flow->provider;
    ngx_memzero(&rq, sizeof(rq));
    ym_buf_init(&url, 16384);

    rq.client_id = provider->client_id;
    rq.redirect_uri = ngx_http_yimen_flow_redirect(ctx, provider);
    rq.scope = provider->scope;
    rq.state = state;
    rq.nonce = nonce;
    rq.verifier = verifier;
    rq.acr_values = provider->acr_values;
    rq.prompt = provider->prompt;
    rq.ui_locales = (ctx->lang == YM_EN) ? "en" : "zh-CN";
    rq.max_age_s = (provider->max_age < 0) ? -1 : provider->max_age / 1000;

    /* an application wants to see credentials, whoever is known (CAS, renew) */

    if (ngx_http_yimen_query(ctx, "again", &again) == NGX_OK) {
        rq.prompt = "login";
        rq.max_age_s = 0;
    }

    flow->nonce = nonce;
    flow->verifier = verifier;

    if (rq.redirect_uri == NULL
        || ngx_http_yimen_flow_random(state) != NGX_OK
        || ngx_http_yimen_flow_random(secret) != NGX_OK
        || ngx_http_yimen_flow_random(nonce) != NGX_OK
        || ngx_http_yimen_flow_random(verifier) != NGX_OK
        || ngx_http_yimen_flow_name(flow, state) != NGX_OK
        || ym_oidc_authorize_url(&flow->op->meta, &rq, &url) != YM_OK
        || (flow->url = ngx_http_yimen_copy(ctx, ym_buf_str(&url))).p == NULL
        || ngx_http_yimen_flow_cookie_set(ctx, flow->digest, secret) != NGX_OK
        || ngx_http_yimen_flow_keep(ctx, flow, secret,
                                    ngx_http_yimen_oidc_started)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
    }

    /* when the store is away, the request is over by now, and flow with it */

    ym_buf_clear(&url);
    ym_wipe(state, sizeof(state));
    ym_wipe(secret, sizeof(secret));
    ym_wipe(nonce, sizeof(nonce));
    ym_wipe(verifier, sizeof(verifier));
}


/* what the end will need, sealed, for as long as a sign-in may take */

static ngx_int_t
ngx_http_yimen_flow_keep(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_t *flow, const char *secret,
    ngx_http_yimen_handler_pt handler)
{
    char                    bound[YM_SHA256_HEX];
    ym_status               rc;
    struct ym_buf           plain, sealed;
    ngx_http_yimen_args_t   args;

    if (ym_sha256_hex(ym_str_of(secret), bound) != YM_OK) {
        return NGX_ERROR;
    }

    ym_buf_init(&plain, 16384);
    ym_buf_init(&sealed, 16384 + YM_SEAL_OVERHEAD);

    ym_buf_addf(&plain, "{\"p\":\"%s\",\"b\":\"%s\",\"n\":\"%s\",\"v\":\"%s\","
                "\"r\":", flow->provider->id, bound, flow->nonce,
                flow->verifier);
    ym_buf_add_json(&plain, flow->rd);
    ym_buf_adds(&plain, "}");

    rc = plain.failed;

    if (rc == YM_OK) {
        rc = ym_seal(ctx->conf->ring, YM_STR("oidc-flow"), ym_buf_str(&plain),
                     &sealed, NULL);
    }

    ym_buf_wipe(&plain);

    if (rc != YM_OK) {
        ym_buf_clear(&sealed);
        return NGX_ERROR;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_PUT,
                             ngx_http_yimen_digest_shard(ctx->conf,
                                                         flow->digest));
    ngx_http_yimen_arg_z(&args, NGX_HTTP_YIMEN_FLOW_KIND);
    ngx_http_yimen_arg_z(&args, flow->digest);
    ngx_http_yimen_arg(&args, ym_buf_str(&sealed));
    ngx_http_yimen_arg_int(&args, NGX_HTTP_YIMEN_FLOW_LIFE);

    flow->nonce = NULL;
    flow->verifier = NULL;

    ngx_http_yimen_calls(ctx, &args, 1, handler);

    ym_buf_clear(&sealed);

    return NGX_OK;
}


static void
ngx_http_yimen_oidc_started(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_flow_t  *flow;

    flow = ctx->work;
    ngx_http_yimen_page_go(ctx, flow->url);
}


ngx_int_t
ngx_http_yimen_flow_random(char out[YM_OIDC_STATE_LEN + 1])
{
    u_char         bytes[32];
    ngx_int_t      rc;
    struct ym_buf  text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    ym_buf_init(&text, YM_OIDC_STATE_LEN + 1);
    rc = NGX_ERROR;

    if (ym_base64url_add(&text, (struct ym_str){ (char *) bytes,
                                                 sizeof(bytes) })
        == YM_OK
        && text.n == YM_OIDC_STATE_LEN)
    {
        ngx_memcpy(out, text.p, YM_OIDC_STATE_LEN + 1);
        rc = NGX_OK;
    }

    ym_buf_wipe(&text);
    ym_wipe(bytes, sizeof(bytes));

    return rc;
}


/* from the configuration alone, whatever Host or X-Forwarded-* say */

const char *
ngx_http_yimen_flow_redirect(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_provider_t *provider)
{
    size_t       n;
    u_char      *p;
    const char  *public_url;

    public_url = ctx->conf->auth.public_url;
    n = ngx_strlen(public_url) + ngx_strlen(provider->id)
        + sizeof("/auth/callback/");

    p = ngx_pnalloc(ctx->request->pool, n);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_sprintf(p, "%s/auth/callback/%s%Z", public_url, provider->id);

    return (char *) p;
}


ngx_int_t
ngx_http_yimen_flow_name(ngx_http_yimen_flow_t *flow, const char *state)
{
    return (ym_sha256_hex(ym_str_of(state), flow->digest) == YM_OK)
           ? NGX_OK : NGX_ERROR;
}


/* ---- cookies: <prefix><two characters of time><six of the digest> ---- */

static ngx_uint_t
ngx_http_yimen_flow_tick(void)
{
    return (ngx_uint_t) (ym_now_ms() / NGX_HTTP_YIMEN_FLOW_TICK)
           % NGX_HTTP_YIMEN_FLOW_TICKS;
}


static const char *
ngx_http_yimen_flow_prefix(ngx_http_yimen_ctx_t *ctx)
{
    return ctx->conf->auth.secure ? NGX_HTTP_YIMEN_FLOW_COOKIE
                                  : NGX_HTTP_YIMEN_FLOW_HTTP;
}


ngx_int_t
ngx_http_yimen_flow_cookie_set(ngx_http_yimen_ctx_t *ctx, const char *digest,
    const char *secret)
{
    u_char      *p, *last;
    ngx_uint_t   tick;

    ngx_http_yimen_flow_expire(ctx);

    p = ngx_pnalloc(ctx->request->pool, 256);
    if (p == NULL) {
        return NGX_ERROR;
    }

    tick = ngx_http_yimen_flow_tick();

    last = ngx_slprintf(p, p + 256,
                        "%s%c%c%*s=%s; Path=/; Max-Age=%d; HttpOnly; "
                        "SameSite=Lax%s",
                        ngx_http_yimen_flow_prefix(ctx),
                        ngx_http_yimen_flow_alphabet[tick / 64],
                        ngx_http_yimen_flow_alphabet[tick % 64],
                        (size_t) NGX_HTTP_YIMEN_FLOW_DIGITS, digest, secret,
                        NGX_HTTP_YIMEN_FLOW_LIFE / 1000,
                        ctx->conf->auth.secure ? "; Secure" : "");

    return ngx_http_yimen_answer_header(ctx, "Set-Cookie",
                     (struct ym_str){ (char *) p, (size_t) (last - p) });
}


struct ym_str
ngx_http_yimen_flow_cookie(ngx_http_yimen_ctx_t *ctx, const char *digest,
    char tag[NGX_HTTP_YIMEN_FLOW_TAG + 1])
{
    ngx_uint_t                   i, n;
    ngx_http_yimen_flow_seen_t  *seen;

    seen = ngx_palloc(ctx->request->pool, NGX_HTTP_YIMEN_FLOW_SEEN
                                          * sizeof(ngx_http_yimen_flow_seen_t));
    if (seen == NULL) {
        return YM_STR_NULL;
    }

    n = ngx_http_yimen_flow_seen(ctx, seen);

    for (i = 0; i < n; i++) {
        if (ngx_strncmp(seen[i].tag + 2, digest, NGX_HTTP_YIMEN_FLOW_DIGITS)
            == 0)
        {
            ngx_memcpy(tag, seen[i].tag, NGX_HTTP_YIMEN_FLOW_TAG + 1);
            return seen[i].value;
        }
    }

    return YM_STR_NULL;
}


void
ngx_http_yimen_flow_cookie_end(ngx_http_yimen_ctx_t *ctx, const char *tag)
{
    u_char  *p, *last;

    p = ngx_pnalloc(ctx->request->pool, 256);
    if (p == NULL) {
        return;
    }

    last = ngx_slprintf(p, p + 256,
                        "%s%s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax%s",
                        ngx_http_yimen_flow_prefix(ctx), tag,
                        ctx->conf->auth.secure ? "; Secure" : "");

    (void) ngx_http_yimen_answer_header(ctx, "Set-Cookie",
                     (struct ym_str){ (char *) p, (size_t) (last - p) });
}


/* makes room for one more: what is too old goes, then the oldest */

static void
ngx_http_yimen_flow_expire(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                   i, n, left, oldest;
    ngx_http_yimen_flow_seen_t  *seen;

    seen = ngx_palloc(ctx->request->pool, NGX_HTTP_YIMEN_FLOW_SEEN
                                          * sizeof(ngx_http_yimen_flow_seen_t));
    if (seen == NULL) {
        return;
    }

    n = ngx_http_yimen_flow_seen(ctx, seen);
    left = n;

    while (left > 0) {
        oldest = 0;

        for (i = 1; i < n; i++) {
            if (seen[i].tag[0] != '\0'
                && (seen[oldest].tag[0] == '\0'
                    || seen[i].age > seen[oldest].age))
            {
                oldest = i;
            }
        }

        if (left < NGX_HTTP_YIMEN_FLOW_SLOTS
            && seen[oldest].age <= NGX_HTTP_YIMEN_FLOW_LIFE
                                   / NGX_HTTP_YIMEN_FLOW_TICK)
        {
            return;
        }

        ngx_http_yimen_flow_cookie_end(ctx, seen[oldest].tag);
        seen[oldest].tag[0] = '\0';
        left--;
    }
}


static ngx_uint_t
ngx_http_yimen_flow_seen(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_flow_seen_t *seen)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &ctx->request->headers_in.headers.part; part != NULL;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("cookie") - 1
                && ngx_strncmp(h[i].lowcase_key, "cookie", h[i].key.len) == 0)
            {
                n = ngx_http_yimen_flow_seen_line(ctx, &h[i].value, seen, n);
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_http_yimen_flow_seen_line(ngx_http_yimen_ctx_t *ctx, ngx_str_t *line,
    ngx_http_yimen_flow_seen_t *seen, ngx_uint_t n)
{
    size_t                       prefix_len;
    u_char                      *p, *end, *last, *high, *low;
    const char                  *prefix;
    ngx_uint_t                   i, tick;
    ngx_http_yimen_flow_seen_t  *s;

    prefix = ngx_http_yimen_flow_prefix(ctx);
    prefix_len = ngx_strlen(prefix);
    p = line->data;
    last = p + line->len;

    for ( /* void */ ; p < last && n < NGX_HTTP_YIMEN_FLOW_SEEN; p = end + 1) {

        while (p < last && *p == ' ') {
            p++;
        }

        end = ngx_strlchr(p, last, ';');

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) < prefix_len + NGX_HTTP_YIMEN_FLOW_TAG + 1
            || ngx_strncmp(p, prefix, prefix_len) != 0
            || p[prefix_len + NGX_HTTP_YIMEN_FLOW_TAG] != '=')
        {
            continue;
        }

        p += prefix_len;

        for (i = 2; i < NGX_HTTP_YIMEN_FLOW_TAG; i++) {
            if (!((p[i] >= '0' && p[i] <= '9')
                  || (p[i] >= 'a' && p[i] <= 'f')))
            {
                break;
            }
        }

        if (i < NGX_HTTP_YIMEN_FLOW_TAG) {
            continue;
        }

        high = (u_char *) ngx_strchr(ngx_http_yimen_flow_alphabet, p[0]);
        low = (u_char *) ngx_strchr(ngx_http_yimen_flow_alphabet, p[1]);

        if (high == NULL || low == NULL || p[0] == '\0' || p[1] == '\0') {
            continue;
        }

        s = &seen[n++];
        ngx_memcpy(s->tag, p, NGX_HTTP_YIMEN_FLOW_TAG);
        s->tag[NGX_HTTP_YIMEN_FLOW_TAG] = '\0';

        p += NGX_HTTP_YIMEN_FLOW_TAG + 1;
        s->value = (struct ym_str){ (char *) p, (size_t) (end - p) };

        tick = (ngx_uint_t) ((high - (u_char *) ngx_http_yimen_flow_alphabet)
                             * 64
                             + (low
                                - (u_char *) ngx_http_yimen_flow_alphabet));

        s->age = (ngx_http_yimen_flow_tick() + NGX_HTTP_YIMEN_FLOW_TICKS
                  - tick) % NGX_HTTP_YIMEN_FLOW_TICKS;
    }

    return n;
}
