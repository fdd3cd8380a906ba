/* SPDX-License-Identifier: Apache-2.0
 * Reading a record and its history; taking a record back.
 */
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store.h"


static void ngx_http_yimen_get_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_history_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_history_write(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_revision_write(ngx_http_yimen_ctx_t *ctx,
    redisReply *reply, struct ym_str type, ngx_uint_t masked);
static void ngx_http_yimen_withdraw_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_withdraw_done(ngx_http_yimen_ctx_t *ctx);


void
ngx_http_yimen_record_get(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_get_read);
}


static void
ngx_http_yimen_get_read(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    if (ngx_http_yimen_record_of_others(ctx, &work->record)) {
        ngx_http_yimen_record_noted(ctx, "read", ctx->params[0], YM_STR(""));
    }

    ngx_http_yimen_record_answer(ctx, &work->record);
}


void
ngx_http_yimen_record_history(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_history_read);
}


static void
ngx_http_yimen_history_read(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t          args;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    if (ngx_http_yimen_record_of_others(ctx, &work->record)) {
        ngx_http_yimen_record_noted(ctx, "read", ctx->params[0],
                                    YM_STR("history"));
    }

    /* these outlive the reply that is given up with the next call */

    work->record.type = ngx_http_yimen_copy(ctx, work->record.type);
    work->status = ngx_http_yimen_record_owned(ctx, &work->record);

    ngx_http_yimen_args_init(&args, ctx, YM_FN_HISTORY,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_history_write);
}


static void
ngx_http_yimen_history_write(ngx_http_yimen_ctx_t *ctx)
{
    size_t                         i;
    redisReply                    *reply;
    struct ym_buf                 *out;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    reply = ctx->replies[0];
    out = &ctx->out;

    if (reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ctx->params[0]);
    ym_buf_adds(out, ",\"revisions\":[");

    for (i = 0; i < reply->elements; i++) {
        if (i) {
            ym_buf_addc(out, ',');
        }

        if (ngx_http_yimen_revision_write(ctx, reply->element[i],
                                          work->record.type, !work->status)
            != NGX_OK)
        {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL,
                                   NULL);
            return;
        }
    }

    ym_buf_adds(out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static ngx_int_t
ngx_http_yimen_revision_write(ngx_http_yimen_ctx_t *ctx, redisReply *reply,
    struct ym_str type, ngx_uint_t masked)
{
    struct ym_str               text;
    struct ym_buf              *out;
    ngx_http_yimen_envelope_t   e;

    out = &ctx->out;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2
        || ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_RECORD,
                                 ctx->params[0],
                                 ngx_http_yimen_reply_str(reply->element[1]),
                                 &text)
           != NGX_OK
        || ngx_http_yimen_envelope_read(text, &e) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ym_buf_addf(out, "{\"revision\":%lld,\"at\":",
                (long long) ngx_http_yimen_reply_int(reply->element[0]));
    ym_buf_add(out, e.at.p, e.at.n);
    ym_buf_adds(out, ",\"by\":");
    ym_buf_add(out, e.by.p, e.by.n);

    if (e.reason.n) {
        ym_buf_adds(out, ",\"reason\":");
        ym_buf_add(out, e.reason.p, e.reason.n);
    }

    ym_buf_adds(out, ",\"data\":");

    if (masked) {
        ngx_http_yimen_data_masked(ctx, type, e.data, out);
        ym_buf_adds(out, ",\"masked\":true");

    } else {
        ym_buf_add(out, e.data.p, e.data.n);
    }

    ngx_http_yimen_attachments_write(out, e.attachments, masked);

    ym_buf_addc(out, '}');

    return NGX_OK;
}


void
ngx_http_yimen_record_withdraw(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  reason;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 1, ngx_http_yimen_withdraw_read);
}


/* an operator has dealt with it; the reason says how, in the evidence */

void
ngx_http_yimen_feedback_close(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_withdraw(ctx);
}


static void
ngx_http_yimen_withdraw_read(ngx_http_yimen_ctx_t *ctx)
{
    size_t                         i, n;
    struct ym_str                  reason;
    ngx_http_yimen_args_t          args;
    const struct ym_system        *system;
    const struct ym_catalog       *catalog;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    catalog = ctx->conf->catalog;

    if (ctx->route->handler == ngx_http_yimen_feedback_close
        && !ym_str_is(work->record.type, NGX_HTTP_YIMEN_FEEDBACK))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_reason(ctx, &reason) != NGX_OK) {
        return;
    }

    n = 0;

    for (i = 0; i < catalog->system_count; i++) {
        n += (ym_system_operation(&catalog->systems[i], "withdraw") != NULL);
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_WITHDRAW,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg(&args, ctx->who.subject);
    ngx_http_yimen_arg(&args, reason);
    ngx_http_yimen_arg_int(&args, (int64_t) n);

    for (i = 0; i < catalog->system_count; i++) {
        system = &catalog->systems[i];

        if (ym_system_operation(system, "withdraw") != NULL) {
            ngx_http_yimen_arg(&args, ym_str_of(system->id));
        }
    }

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_withdraw_done);
}


static void
ngx_http_yimen_withdraw_done(ngx_http_yimen_ctx_t *ctx)
{
    redisReply                    *reply;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || ym_str_is(ngx_http_yimen_reply_str(reply->element[0]), "absent"))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    /* withdrawn now or before: either way the record as it is */

    work->record.deliveries = NULL;
    work->record.id = ctx->params[0];
    work->wait = ngx_http_yimen_record_prefer(ctx);
    work->wait_from = ngx_current_msec;

    ngx_http_yimen_record_follow(ctx);
}
