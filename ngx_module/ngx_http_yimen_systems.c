/* SPDX-License-Identifier: Apache-2.0
 * Systems: their health and queues; pause, resume, replay.
 */
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"
#include "ngx_http_yimen_systems.h"

#include "ym_store.h"
#include "ym_time.h"


/* deliveries per replay: one call of the store takes so many a shard */
#define NGX_HTTP_YIMEN_REPLAY_MAX  1000

/* three reports of a worker, which sends one every five seconds */
#define NGX_HTTP_YIMEN_BEATS_LATE  15000


static void ngx_http_yimen_systems_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_system_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_counts_t *counts);
static void ngx_http_yimen_system_state(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system);
static void ngx_http_yimen_field_write(ngx_http_yimen_ctx_t *ctx,
    const char *name, struct ym_str value);
static void ngx_http_yimen_field_time(ngx_http_yimen_ctx_t *ctx,
    const char *name, struct ym_str value);
static const struct ym_system *
    ngx_http_yimen_system_named(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_system_switch(ngx_http_yimen_ctx_t *ctx,
    const char *function);
static void ngx_http_yimen_system_switched(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_replay_states(ngx_http_yimen_ctx_t *ctx,
    char letters[3]);
static ngx_int_t ngx_http_yimen_replay_numbers(ngx_http_yimen_ctx_t *ctx,
    int64_t *ret_since, int64_t *ret_max);
static void ngx_http_yimen_replay_done(ngx_http_yimen_ctx_t *ctx);
static bool ngx_http_yimen_system_silent(const redisReply *reply,
    const struct ym_system *system);
static int64_t ngx_http_yimen_digits(struct ym_str text);


const char *const  ngx_http_yimen_counters[] = {
    "queued", "sending", "delivered", "retrying", "awaiting", "unknown",
    "rejected", "dead", "handoff", "withdrawn", "attempts", "ok"
};


void
ngx_http_yimen_systems_args(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_args_t *args)
{
    size_t                    i;
    const struct ym_catalog  *catalog;

    catalog = ctx->conf->catalog;

    ngx_http_yimen_args_init(args, ctx, YM_FN_SYSTEMS, 0);

    for (i = 0; i < catalog->system_count; i++) {
        ngx_http_yimen_arg(args, ym_str_of(catalog->systems[i].id));
    }
}


struct ym_str
ngx_http_yimen_system_field(const redisReply *reply, const char *system,
    const char *field)
{
    size_t       i, k;
    redisReply  *row;

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        row = reply->element[i];

        if (row->type != REDIS_REPLY_ARRAY || row->elements == 0
            || !ym_str_is(ngx_http_yimen_reply_str(row->element[0]), system))
        {
            continue;
        }

        for (k = 1; k + 1 < row->elements; k += 2) {
            if (ym_str_is(ngx_http_yimen_reply_str(row->element[k]), field)) {
                return ngx_http_yimen_reply_str(row->element[k + 1]);
            }
        }
    }

    return YM_STR("");
}


const char *
ngx_http_yimen_system_health(const redisReply *reply,
    const struct ym_system *system)
{
    struct ym_str  breaker, hours;

    if (!system->enabled) {
        return "disabled";
    }

    if (ngx_http_yimen_system_field(reply, system->id, "paused").n) {
        return "paused";
    }

    breaker = ngx_http_yimen_system_field(reply, system->id, "breaker");

    /* a worker that met a broken configuration says so and ends */

    if (!ym_str_is(breaker, "broken")
        && ngx_http_yimen_system_silent(reply, system))
    {
        return "stopped";
    }

    if (breaker.n && !ym_str_is(breaker, "closed")) {
        return "suspended";
    }

    hours = ngx_http_yimen_system_field(reply, system->id, "hours_open");

    if (ym_str_is(hours, "0") || ym_str_is(hours, "false")) {
        return "closed";
    }

    return "running";
}


/*
 * No report for so long that its worker cannot be at work.  An attempt over
 * a transport that blocks delays the report by the system's timeout at most.
 */

static bool
ngx_http_yimen_system_silent(const redisReply *reply,
    const struct ym_system *system)
{
    int64_t  beat;

    if (ngx_strcmp(system->transport, "handoff") == 0) {
        return false;   /* people deliver there: no worker */
    }

    beat = ngx_http_yimen_digits(ngx_http_yimen_system_field(reply, system->id,
                                                             "beat"));

    return beat + NGX_HTTP_YIMEN_BEATS_LATE + system->settings.timeout_ms
           < ym_now_ms();
}


void
ngx_http_yimen_systems_heard(ngx_http_yimen_ctx_t *ctx,
    const redisReply *reply)
{
    size_t                    i;
    uint64_t                  held;
    const char               *health;
    const struct ym_system   *system;
    const struct ym_catalog  *catalog;

    catalog = ctx->conf->catalog;
    held = 0;

    for (i = 0; i < catalog->system_count && i < 64; i++) {
        system = &catalog->systems[i];

        health = ngx_http_yimen_system_health(reply, system);

        /* of a stopped worker nobody has decided that deliveries wait */

        if (system->enabled && ngx_strcmp(health, "running") != 0
            && ngx_strcmp(health, "stopped") != 0)
        {
            held |= (uint64_t) 1 << i;
        }
    }

    ngx_http_yimen_worker.held = held;
    ngx_http_yimen_worker.held_at = ngx_current_msec;
}


void
ngx_http_yimen_systems_fetch(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    size_t                    k;
    ngx_uint_t                i, shards;
    ngx_http_yimen_args_t    *args;
    const struct ym_catalog  *catalog;

    catalog = ctx->conf->catalog;
    shards = (ngx_uint_t) catalog->site.shards;
    args = ngx_palloc(ctx->request->pool,
                      (shards + 1) * sizeof(ngx_http_yimen_args_t));

    if (args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_systems_args(ctx, &args[0]);

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i + 1], ctx, YM_FN_COUNTS, i);

        for (k = 0; k < catalog->system_count; k++) {
            ngx_http_yimen_arg(&args[i + 1],
                               ym_str_of(catalog->systems[k].id));
        }
    }

    ngx_http_yimen_calls(ctx, args, shards + 1, handler);
}


ngx_http_yimen_counts_t *
ngx_http_yimen_systems_counts(ngx_http_yimen_ctx_t *ctx)
{
    size_t                    i;
    int64_t                   oldest;
    ngx_uint_t                k, shard;
    const char               *id;
    const struct ym_catalog  *catalog;
    ngx_http_yimen_counts_t  *counts;

    catalog = ctx->conf->catalog;
    counts = ngx_pcalloc(ctx->request->pool,
                         (catalog->system_count + 1)
                         * sizeof(ngx_http_yimen_counts_t));
    if (counts == NULL) {
        return NULL;
    }

    for (i = 0; i < catalog->system_count; i++) {
        id = catalog->systems[i].id;

        for (shard = 1; shard < ctx->reply_count; shard++) {

            for (k = 0; k < NGX_HTTP_YIMEN_N_COUNT; k++) {
                counts[i].n[k] += ngx_http_yimen_digits(
                    ngx_http_yimen_system_field(ctx->replies[shard], id,
                                                ngx_http_yimen_counters[k]));
            }

            oldest = ngx_http_yimen_digits(
                         ngx_http_yimen_system_field(ctx->replies[shard], id,
                                                     "oldest_ms"));

            if (oldest && (!counts[i].oldest || oldest < counts[i].oldest)) {
                counts[i].oldest = oldest;
            }
        }
    }

    return counts;
}


static int64_t
ngx_http_yimen_digits(struct ym_str text)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < text.n && i < 18; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return 0;
        }

        n = n * 10 + (text.p[i] - '0');
    }

    return n;
}


void
ngx_http_yimen_systems_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_systems_fetch(ctx, ngx_http_yimen_systems_write);
}


static void
ngx_http_yimen_systems_write(ngx_http_yimen_ctx_t *ctx)
{
    size_t                    i;
    const struct ym_catalog  *catalog;
    ngx_http_yimen_counts_t  *counts;

    catalog = ctx->conf->catalog;
    counts = ngx_http_yimen_systems_counts(ctx);

    if (counts == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_systems_heard(ctx, ctx->replies[0]);

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (i = 0; i < catalog->system_count; i++) {
        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_system_write(ctx, &catalog->systems[i], &counts[i]);
    }

    ym_buf_adds(&ctx->out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_system_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_counts_t *counts)
{
    size_t          i;
    struct ym_buf  *out;

    static const char *const  verified[] = {
        "own-simulator", "unmodified-software", "owner-test"
    };

    out = &ctx->out;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ym_str_of(system->id));
    ym_buf_adds(out, ",\"title\":{\"zh\":");
    ym_buf_add_json(out, ym_str_of(system->title_zh));
    ym_buf_adds(out, ",\"en\":");
    ym_buf_add_json(out, ym_str_of(system->title_en));
    ym_buf_addf(out, "},\"enabled\":%s,\"transport\":",
                system->enabled ? "true" : "false");
    ym_buf_add_json(out, ym_str_of(system->transport));
    ym_buf_adds(out, ",\"takes\":[");

    for (i = 0; system->takes != NULL && system->takes[i] != NULL; i++) {
        if (i) {
            ym_buf_addc(out, ',');
        }

        ym_buf_add_json(out, ym_str_of(system->takes[i]));
    }

    ym_buf_adds(out, "],\"verified\":");
    ym_buf_add_json(out, ym_str_of(verified[system->verified]));

    ngx_http_yimen_system_state(ctx, system);

    ym_buf_addf(out, ",\"depth\":%lld,\"oldest_at\":",
                (long long) (counts->n[NGX_HTTP_YIMEN_N_QUEUED]
                             + counts->n[NGX_HTTP_YIMEN_N_RETRYING]));
    ngx_http_yimen_time_write(out, counts->oldest);
    ym_buf_adds(out, ",\"counts\":{");

    for (i = 0; i < NGX_HTTP_YIMEN_N_COUNT; i++) {
        ym_buf_addf(out, "%s\"%s\":%lld", i ? "," : "",
                    ngx_http_yimen_counters[i], (long long) counts->n[i]);
    }

    ym_buf_adds(out, "}}");
}


static void
ngx_http_yimen_system_state(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system)
{
    redisReply     *reply;
    struct ym_str   problem;
    struct ym_buf  *out;

    out = &ctx->out;
    reply = ctx->replies[0];

    ym_buf_adds(out, ",\"health\":");
    ym_buf_add_json(out, ym_str_of(ngx_http_yimen_system_health(reply,
                                                                system)));
    ym_buf_adds(out, ",\"paused\":");

    if (ngx_http_yimen_system_field(reply, system->id, "paused").n) {
        ym_buf_adds(out, "{\"by\":");
        ym_buf_add_json(out, ngx_http_yimen_system_field(reply, system->id,
                                                         "paused_by"));
        ngx_http_yimen_field_time(ctx, "at",
                                  ngx_http_yimen_system_field(reply,
                                                   system->id, "paused_at"));
        ngx_http_yimen_field_write(ctx, "why",
                ngx_http_yimen_unseal_text(ctx, NGX_HTTP_YIMEN_SEAL_WHY,
                                           YM_STR(""),
                                           ngx_http_yimen_system_field(reply,
                                                  system->id, "paused_why")));
        ym_buf_addc(out, '}');

    } else {
        ym_buf_adds(out, "null");
    }

    ngx_http_yimen_field_write(ctx, "breaker",
                               ngx_http_yimen_system_field(reply, system->id,
                                                           "breaker"));
    ngx_http_yimen_field_time(ctx, "until",
                              ngx_http_yimen_system_field(reply, system->id,
                                                          "until"));
    ngx_http_yimen_field_time(ctx, "last_ok",
                              ngx_http_yimen_system_field(reply, system->id,
                                                          "last_ok"));
    ngx_http_yimen_field_time(ctx, "last_beat",
                              ngx_http_yimen_system_field(reply, system->id,
                                                          "beat"));

    /* the worker's own words: JSON, or a plain text */

    problem = ngx_http_yimen_system_field(reply, system->id, "problem");

    if (problem.n && problem.p[0] == '{') {
        ym_buf_adds(out, ",\"problem\":");
        ym_buf_add(out, problem.p, problem.n);

    } else {
        ngx_http_yimen_field_write(ctx, "problem", problem);
    }
}


static void
ngx_http_yimen_field_write(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str value)
{
    ym_buf_addf(&ctx->out, ",\"%s\":", name);

    if (value.n) {
        ym_buf_add_json(&ctx->out, value);

    } else {
        ym_buf_adds(&ctx->out, "null");
    }
}


static void
ngx_http_yimen_field_time(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str value)
{
    ym_buf_addf(&ctx->out, ",\"%s\":", name);
    ngx_http_yimen_time_write(&ctx->out, ngx_http_yimen_digits(value));
}


static const struct ym_system *
ngx_http_yimen_system_named(ngx_http_yimen_ctx_t *ctx)
{
    char                    *id;
    const struct ym_system  *system;

    id = ngx_http_yimen_strz(ctx, ctx->params[0]);
    system = (id != NULL) ? ym_catalog_system(ctx->conf->catalog, id) : NULL;

    if (system == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这个系统", "There is no such system");
    }

    return system;
}


void
ngx_http_yimen_system_pause(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_system_switch(ctx, YM_FN_PAUSE);
}


void
ngx_http_yimen_system_resume(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_system_switch(ctx, YM_FN_RESUME);
}


static void
ngx_http_yimen_system_switch(ngx_http_yimen_ctx_t *ctx, const char *function)
{
    struct ym_str            reason;
    ngx_http_yimen_args_t    args;
    const struct ym_system  *system;

    system = ngx_http_yimen_system_named(ctx);

    if (system == NULL || ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, function, 0);
    ngx_http_yimen_arg_z(&args, system->id);
    ngx_http_yimen_arg(&args, ctx->who.subject);
    ngx_http_yimen_arg(&args, reason);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_system_switched);
}


static void
ngx_http_yimen_system_switched(ngx_http_yimen_ctx_t *ctx)
{
    redisReply  *reply;

    reply = ctx->replies[0];

    /* what this worker believed of the systems is out of date */

    ngx_http_yimen_worker.held = 0;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_buf_adds(&ctx->out, "{\"system\":");
    ym_buf_add_json(&ctx->out, ctx->params[0]);
    ym_buf_adds(&ctx->out, ",\"result\":");
    ym_buf_add_json(&ctx->out, ngx_http_yimen_reply_str(reply->element[0]));
    ym_buf_adds(&ctx->out, "}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* {reason, states?: [dead, rejected], since?, max?, dry_run?} */

void
ngx_http_yimen_system_replay(ngx_http_yimen_ctx_t *ctx)
{
    char                     letters[3];
    int64_t                  since, max;
    ngx_uint_t               i, dry, shards;
    struct ym_str            reason;
    ngx_http_yimen_args_t   *args;
    const struct ym_system  *system;

    system = ngx_http_yimen_system_named(ctx);

    if (system == NULL || ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK
        || ngx_http_yimen_replay_states(ctx, letters) != NGX_OK
        || ngx_http_yimen_replay_numbers(ctx, &since, &max) != NGX_OK)
    {
        return;
    }

    dry = json_is_true(json_object_get(ctx->json, "dry_run"));
    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;
    args = ngx_palloc(ctx->request->pool,
                      shards * sizeof(ngx_http_yimen_args_t));

    if (args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_REPLAY, i);
        ngx_http_yimen_arg_z(&args[i], system->id);
        ngx_http_yimen_arg(&args[i],
                           ngx_http_yimen_copy(ctx, ym_str_of(letters)));
        ngx_http_yimen_arg_int(&args[i], since);
        ngx_http_yimen_arg_int(&args[i], max);
        ngx_http_yimen_arg(&args[i], ctx->who.subject);
        ngx_http_yimen_arg(&args[i], reason);
        ngx_http_yimen_arg_z(&args[i], dry ? "1" : "0");
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_replay_done);
}


static ngx_int_t
ngx_http_yimen_replay_states(ngx_http_yimen_ctx_t *ctx, char letters[3])
{
    size_t       i, n;
    json_t      *states, *item;
    ngx_uint_t   dead, rejected, bad;
    const char  *word;

    dead = rejected = bad = 0;
    states = json_object_get(ctx->json, "states");

    json_array_foreach(states, i, item) {
        word = json_string_value(item);

        if (word != NULL && ngx_strcmp(word, "dead") == 0) {
            dead = 1;

        } else if (word != NULL && ngx_strcmp(word, "rejected") == 0) {
            rejected = 1;

        } else {
            bad = 1;
        }
    }

    if (states == NULL) {
        dead = 1;
    }

    if (bad || (!dead && !rejected)) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/states",
                                  "enum",
                                  "应为数组,成员为 dead 或 rejected",
                                  "An array of dead and rejected");
        return NGX_ERROR;
    }

    n = 0;

    if (dead) {
        letters[n++] = 'x';
    }

    if (rejected) {
        letters[n++] = 'j';
    }

    letters[n] = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_replay_numbers(ngx_http_yimen_ctx_t *ctx, int64_t *ret_since,
    int64_t *ret_max)
{
    json_t  *since, *max;

    since = json_object_get(ctx->json, "since");
    max = json_object_get(ctx->json, "max");
    *ret_since = 0;
    *ret_max = NGX_HTTP_YIMEN_REPLAY_MAX;

    if (since != NULL
        && (!json_is_string(since)
            || !ym_time_parse(ym_str_of(json_string_value(since)),
                              YM_CHINA_OFFSET_MIN, ret_since)
            || *ret_since < 0))
    {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/since",
                                  "format", "应为带时区的时间 (RFC 3339)",
                                  "A time with zone (RFC 3339)");
        return NGX_ERROR;
    }

    if (max != NULL) {
        *ret_max = json_is_integer(max) ? json_integer_value(max) : 0;

        if (*ret_max < 1 || *ret_max > NGX_HTTP_YIMEN_REPLAY_MAX) {
            ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/max",
                                      "range", "应为 1 至 1000",
                                      "A number from 1 to 1000");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_yimen_replay_done(ngx_http_yimen_ctx_t *ctx)
{
    int64_t      count;
    ngx_uint_t   i, more;
    redisReply  *reply;

    count = 0;
    more = 0;

    for (i = 0; i < ctx->reply_count; i++) {
        reply = ctx->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL,
                                   NULL);
            return;
        }

        count += ngx_http_yimen_reply_int(reply->element[0]);
        more |= (ngx_http_yimen_reply_int(reply->element[1]) != 0);
    }

    ym_buf_adds(&ctx->out, "{\"system\":");
    ym_buf_add_json(&ctx->out, ctx->params[0]);
    ym_buf_addf(&ctx->out, ",\"count\":%lld,\"more\":%s,\"dry_run\":%s}\n",
                (long long) count, more ? "true" : "false",
                json_is_true(json_object_get(ctx->json, "dry_run"))
                ? "true" : "false");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}
