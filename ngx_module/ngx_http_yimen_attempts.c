/* SPDX-License-Identifier: Apache-2.0
 * What the last attempts of a delivery sent and got: GET …/attempts with all
 * that tells of a person hidden, POST …/attempts/reveal in full, once the
 * purpose stands in the evidence.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store_trace.h"
#include "ym_time.h"


static void ngx_http_yimen_attempts_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attempts_may(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attempts_noted(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_attempts_exist(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attempts_ask(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);
static void ngx_http_yimen_attempts_masked(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attempts_full(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attempts_write(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t masked);
static json_t *ngx_http_yimen_attempt_open(ngx_http_yimen_ctx_t *ctx,
    struct ym_str kept);
static void ngx_http_yimen_attempt_shape(json_t *attempt, ngx_uint_t masked);
static void ngx_http_yimen_message_shape(json_t *message, ngx_uint_t masked);
static const char *ngx_http_yimen_attempt_state(const char *letter);
static int ngx_http_yimen_attempt_dump(const char *text, size_t n,
    void *data);


void
ngx_http_yimen_delivery_attempts(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_attempts_read);
}


static void
ngx_http_yimen_attempts_read(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_attempts_exist(ctx) == NGX_OK) {
        ngx_http_yimen_attempts_ask(ctx, ngx_http_yimen_attempts_masked);
    }
}


void
ngx_http_yimen_delivery_attempts_reveal(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  purpose;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reveal_purpose(ctx, &purpose) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_attempts_may);
}


/*
 * An answer may speak of others than the record does, so that seeing the
 * record in full is not enough here.
 */

static void
ngx_http_yimen_attempts_may(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_attempts_exist(ctx) != NGX_OK) {
        return;
    }

    if (!(ctx->who.roles & ctx->conf->reveal)) {
        ngx_http_yimen_record_noted(ctx, "access_refused", ctx->params[0],
                                    YM_STR("attempts in full"));
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您的角色不能查看完整内容",
                               "Your role does not allow the full messages");
        return;
    }

    ngx_http_yimen_reveal_note(ctx, ctx->params[1],
                               ngx_http_yimen_attempts_noted);
}


static void
ngx_http_yimen_attempts_noted(ngx_http_yimen_ctx_t *ctx)
{
    if (ym_str_is(ngx_http_yimen_fcall_word(ctx->replies[0], 0), "kept")) {
        ngx_http_yimen_attempts_ask(ctx, ngx_http_yimen_attempts_full);

    } else {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
    }
}


static ngx_int_t
ngx_http_yimen_attempts_exist(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    for (i = 0; i < work->record.count; i++) {
        if (ym_str_eq(work->record.deliveries[i].system, ctx->params[1])) {
            return NGX_OK;
        }
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                           "该记录没有发往这个系统",
                           "The record does not go to this system");

    return NGX_DECLINED;
}


static void
ngx_http_yimen_attempts_ask(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_args_t  args;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ATTEMPTS,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg(&args, ctx->params[1]);

    ngx_http_yimen_calls(ctx, &args, 1, handler);
}


static void
ngx_http_yimen_attempts_masked(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_attempts_write(ctx, 1);
}


static void
ngx_http_yimen_attempts_full(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_attempts_write(ctx, 0);
}


static void
ngx_http_yimen_attempts_write(ngx_http_yimen_ctx_t *ctx, ngx_uint_t masked)
{
    json_t         *attempt;
    size_t          i;
    redisReply     *reply;
    struct ym_buf  *out;

    reply = ctx->replies[0];
    out = &ctx->out;

    if (reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    ym_buf_adds(out, "{\"record\":");
    ym_buf_add_json(out, ctx->params[0]);
    ym_buf_adds(out, ",\"system\":");
    ym_buf_add_json(out, ctx->params[1]);
    ym_buf_adds(out, masked ? ",\"masked\":true,\"items\":["
                            : ",\"items\":[");

    for (i = 0; i < reply->elements; i++) {
        if (i) {
            ym_buf_addc(out, ',');
        }

        attempt = ngx_http_yimen_attempt_open(ctx,
                                 ngx_http_yimen_reply_str(reply->element[i]));

        /* one that cannot be opened, which is logged, hides no other */

        if (attempt == NULL) {
            ym_buf_adds(out, "{\"unreadable\":true}");
            continue;
        }

        ngx_http_yimen_attempt_shape(attempt, masked);
        (void) json_dump_callback(attempt, ngx_http_yimen_attempt_dump, out,
                                  JSON_COMPACT);
        json_decref(attempt);
    }

    ym_buf_adds(out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* a new reference, or NULL */

static json_t *
ngx_http_yimen_attempt_open(ngx_http_yimen_ctx_t *ctx, struct ym_str kept)
{
    json_t         *attempt;
    struct ym_str   plain;

    attempt = NULL;

    if (ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_ATTEMPT,
                              ctx->params[0], kept, &plain)
        != NGX_OK
        || ym_json_parse(plain, &ym_json_defaults, &attempt, NULL) != YM_OK)
    {
        return NULL;
    }

    return attempt;
}


static int
ngx_http_yimen_attempt_dump(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}


/* as the dispatcher keeps it (ym_trace.h) → as the API says it */

static void
ngx_http_yimen_attempt_shape(json_t *attempt, ngx_uint_t masked)
{
    char         at[YM_TIME_TEXT];
    size_t       i;
    json_t      *step;
    const char  *letter;

    ym_time_format(json_integer_value(json_object_get(attempt, "at")),
                   YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN, at);
    (void) json_object_set_new(attempt, "at", json_string(at));

    letter = ym_json_str(attempt, "letter");
    (void) json_object_set_new(attempt, "state",
                          json_string(ngx_http_yimen_attempt_state(letter)));
    (void) json_object_del(attempt, "letter");

    json_array_foreach(json_object_get(attempt, "steps"), i, step) {
        (void) json_object_set(step, "took_ms",
                               json_object_get(step, "took"));
        (void) json_object_del(step, "took");
        ngx_http_yimen_message_shape(json_object_get(step, "request"),
                                     masked);
        ngx_http_yimen_message_shape(json_object_get(step, "answer"),
                                     masked);
    }
}


static void
ngx_http_yimen_message_shape(json_t *message, ngx_uint_t masked)
{
    if (message == NULL) {
        return;
    }

    if (masked) {
        (void) json_object_set(message, "text",
                               json_object_get(message, "masked"));
    }

    (void) json_object_del(message, "masked");
}


/* put back and proven absent are verdicts, but no states */

static const char *
ngx_http_yimen_attempt_state(const char *letter)
{
    if (letter == NULL || letter[0] == 'p' || letter[0] == 'a') {
        return "queued";
    }

    return ngx_http_yimen_state_word(letter[0]);
}
