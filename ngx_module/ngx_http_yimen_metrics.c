/* SPDX-License-Identifier: Apache-2.0
 * /metrics, /healthz, /readyz and who one is.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_systems.h"

#include "ym_store.h"
#include "ym_time.h"


static void ngx_http_yimen_metrics_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_metrics_lost(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_metrics_own(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t up);
static void ngx_http_yimen_metric(struct ym_buf *out, const char *name,
    const char *help, const char *type, int64_t value);
static void ngx_http_yimen_metrics_system(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_counts_t *counts,
    int64_t now);
static void ngx_http_yimen_readyz_done(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_readyz_lost(ngx_http_yimen_ctx_t *ctx);


#define NGX_HTTP_YIMEN_METRICS_TYPE  "text/plain; version=0.0.4; charset=utf-8"


void
ngx_http_yimen_metrics(ngx_http_yimen_ctx_t *ctx)
{
    /* without Redis there are still our own counters, and that it is down */

    ctx->on_trouble = ngx_http_yimen_metrics_lost;

    ngx_http_yimen_systems_fetch(ctx, ngx_http_yimen_metrics_write);
}


static void
ngx_http_yimen_metrics_lost(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_metrics_own(ctx, 0);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NGX_HTTP_YIMEN_METRICS_TYPE);
}


static void
ngx_http_yimen_metrics_write(ngx_http_yimen_ctx_t *ctx)
{
    size_t                    i;
    int64_t                   now;
    struct ym_buf            *out;
    const struct ym_catalog  *catalog;
    ngx_http_yimen_counts_t  *counts;

    out = &ctx->out;
    catalog = ctx->conf->catalog;
    counts = ngx_http_yimen_systems_counts(ctx);

    if (counts == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_metrics_own(ctx, 1);

    ym_buf_adds(out,
        "# HELP yimen_deliveries Deliveries by system and state.\n"
        "# TYPE yimen_deliveries gauge\n"
        "# HELP yimen_attempts_total Attempts made.\n"
        "# TYPE yimen_attempts_total counter\n"
        "# HELP yimen_delivered_total Attempts that ended well.\n"
        "# TYPE yimen_delivered_total counter\n"
        "# HELP yimen_oldest_seconds Age of the oldest waiting delivery.\n"
        "# TYPE yimen_oldest_seconds gauge\n"
        "# HELP yimen_system_running Whether a system takes deliveries.\n"
        "# TYPE yimen_system_running gauge\n");

    now = ym_now_ms();

    for (i = 0; i < catalog->system_count; i++) {
        ngx_http_yimen_metrics_system(ctx, &catalog->systems[i], &counts[i],
                                      now);
    }

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NGX_HTTP_YIMEN_METRICS_TYPE);
}


static void
ngx_http_yimen_metric(struct ym_buf *out, const char *name, const char *help,
    const char *type, int64_t value)
{
    ym_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help,
                name, type, name, (long long) value);
}


static void
ngx_http_yimen_metrics_own(ngx_http_yimen_ctx_t *ctx, ngx_uint_t up)
{
    ngx_uint_t               i;
    struct ym_buf           *out;
    ngx_http_yimen_stats_t  *stats;

    out = &ctx->out;
    stats = ngx_http_yimen_worker.stats;

    ngx_http_yimen_metric(out, "yimen_redis_up",
                          "Whether Redis answered just now.", "gauge",
                          (int64_t) up);
    ngx_http_yimen_metric(out, "yimen_redis_pending",
                          "Calls of this worker that wait for Redis.",
                          "gauge", (int64_t) ngx_http_yimen_redis_pending(
                                               ngx_http_yimen_worker.redis));
    ngx_http_yimen_metric(out, "yimen_redis_trouble_total",
                          "Requests refused for want of Redis.", "counter",
                          (int64_t) stats->redis_trouble);
    ngx_http_yimen_metric(out, "yimen_accepted_total",
                          "Records accepted.", "counter",
                          (int64_t) stats->accepted);
    ngx_http_yimen_metric(out, "yimen_replayed_total",
                          "Repeated requests answered with the first answer.",
                          "counter", (int64_t) stats->replayed);
    ngx_http_yimen_metric(out, "yimen_invalid_total",
                          "Records refused by the check.", "counter",
                          (int64_t) stats->invalid);
    ngx_http_yimen_metric(out, "yimen_token_hits_total",
                          "Tokens found among the verified ones.", "counter",
                          (int64_t) stats->token_hits);
    ngx_http_yimen_metric(out, "yimen_token_misses_total",
                          "Tokens verified anew.", "counter",
                          (int64_t) stats->token_misses);
    ngx_http_yimen_metric(out, "yimen_session_hits_total",
                          "Sessions found among the remembered ones.",
                          "counter", (int64_t) stats->session_hits);
    ngx_http_yimen_metric(out, "yimen_session_reads_total",
                          "Sessions read from Redis.", "counter",
                          (int64_t) stats->session_reads);

    ym_buf_adds(out,
        "# HELP yimen_requests_total API requests by class of status.\n"
        "# TYPE yimen_requests_total counter\n");

    for (i = 2; i < YM_COUNT(stats->requests); i++) {
        ym_buf_addf(out, "yimen_requests_total{status=\"%uxx\"} %lld\n",
                    (unsigned) i, (long long) stats->requests[i]);
    }
}


static void
ngx_http_yimen_metrics_system(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_counts_t *counts,
    int64_t now)
{
    ngx_uint_t      k;
    struct ym_buf  *out;

    out = &ctx->out;

    if (!system->enabled) {
        return;
    }

    for (k = 0; k < NGX_HTTP_YIMEN_N_STATES; k++) {
        ym_buf_addf(out, "yimen_deliveries{system=\"%s\",state=\"%s\"} %lld\n",
                    system->id, ngx_http_yimen_counters[k],
                    (long long) counts->n[k]);
    }

    ym_buf_addf(out, "yimen_attempts_total{system=\"%s\"} %lld\n", system->id,
                (long long) counts->n[NGX_HTTP_YIMEN_N_ATTEMPTS]);
    ym_buf_addf(out, "yimen_delivered_total{system=\"%s\"} %lld\n",
                system->id, (long long) counts->n[NGX_HTTP_YIMEN_N_OK]);
    ym_buf_addf(out, "yimen_oldest_seconds{system=\"%s\"} %lld\n", system->id,
                (long long) (counts->oldest && now > counts->oldest
                             ? (now - counts->oldest) / 1000 : 0));
    ym_buf_addf(out, "yimen_system_running{system=\"%s\"} %d\n", system->id,
                ngx_strcmp(ngx_http_yimen_system_health(ctx->replies[0],
                                                        system),
                           "running") == 0);
}


void
ngx_http_yimen_healthz(ngx_http_yimen_ctx_t *ctx)
{
    ym_buf_adds(&ctx->out, "{\"status\":\"ok\"}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


void
ngx_http_yimen_readyz(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t  args;

    ctx->on_trouble = ngx_http_yimen_readyz_lost;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_VERSION, 0);
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_readyz_done);
}


static void
ngx_http_yimen_readyz_lost(ngx_http_yimen_ctx_t *ctx)
{
    ctx->on_trouble = NULL;

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE,
                           "Redis 无响应或未加载函数库",
                           "Redis does not answer, or has no function library");
}


static void
ngx_http_yimen_readyz_done(ngx_http_yimen_ctx_t *ctx)
{
    redisReply     *reply;
    struct ym_str   version;

    reply = ctx->replies[0];

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements) {
        reply = reply->element[0];
    }

    version = ngx_http_yimen_reply_str(reply);

    if (!ym_str_is(version, YM_STORE_VERSION)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE,
                           "Redis 中的函数库版本不符",
                           "The function library in Redis is of another "
                           "version");
        return;
    }

    ym_buf_adds(&ctx->out, "{\"status\":\"ready\"}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}
