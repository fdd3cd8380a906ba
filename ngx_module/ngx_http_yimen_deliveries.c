/* SPDX-License-Identifier: Apache-2.0
 * What people do to deliveries: retry, resolve, and the list of those that
 * need somebody.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_NUMBER_BYTES  200


typedef struct {
    struct ym_str  before[YM_SHARDS_MAX];   /* where each shard's page ended */
} ngx_http_yimen_exceptions_t;


static void ngx_http_yimen_retry_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_resolve_read(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_delivery_done(ngx_http_yimen_ctx_t *ctx);
static ngx_http_yimen_delivery_t *
    ngx_http_yimen_delivery_find(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_resolve_body(ngx_http_yimen_ctx_t *ctx,
    const char **ret_action, struct ym_str *ret_number);
static void ngx_http_yimen_deliveries_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_exception_write(ngx_http_yimen_ctx_t *ctx,
    redisReply *row);
static ngx_int_t ngx_http_yimen_deliveries_letters(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);


void
ngx_http_yimen_delivery_retry(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  reason;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_retry_read);
}


static void
ngx_http_yimen_retry_read(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str          reason;
    ngx_http_yimen_args_t  args;

    if (ngx_http_yimen_delivery_find(ctx) == NULL
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_RETRY,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg(&args, ctx->params[1]);
    ngx_http_yimen_arg(&args, ctx->who.subject);
    ngx_http_yimen_arg(&args, reason);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_delivery_done);
}


/* the delivery that the address names, or NULL: answered with 404 */

static ngx_http_yimen_delivery_t *
ngx_http_yimen_delivery_find(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    for (i = 0; i < work->record.count; i++) {
        if (ym_str_eq(work->record.deliveries[i].system, ctx->params[1])) {
            return &work->record.deliveries[i];
        }
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                           "该记录没有发往这个系统",
                           "The record does not go to this system");

    return NULL;
}


void
ngx_http_yimen_delivery_resolve(ngx_http_yimen_ctx_t *ctx)
{
    const char     *action;
    struct ym_str   reason, number;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK
        || ngx_http_yimen_resolve_body(ctx, &action, &number) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_resolve_read);
}


static ngx_int_t
ngx_http_yimen_resolve_body(ngx_http_yimen_ctx_t *ctx,
    const char **ret_action, struct ym_str *ret_number)
{
    u_char         *p;
    json_t         *number;
    ngx_uint_t      i;
    const char     *action;
    struct ym_str   text;

    static const char *const  actions[] = {
        "delivered", "resend", "rejected"
    };

    action = ym_json_str(ctx->json, "action");
    *ret_action = NULL;

    for (i = 0; action != NULL && i < YM_COUNT(actions); i++) {
        if (ngx_strcmp(action, actions[i]) == 0) {
            *ret_action = actions[i];
        }
    }

    if (*ret_action == NULL) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/action",
                                  "enum",
                                  "应为 delivered、resend 或 rejected",
                                  "One of delivered, resend and rejected");
        return NGX_ERROR;
    }

    number = json_object_get(ctx->json, "number");
    text = ym_str_of(json_string_value(number));

    for (p = (u_char *) (uintptr_t) text.p; text.n && *p >= 0x20; p++) {
        /* void */
    }

    if ((number != NULL && !json_is_string(number) && !json_is_null(number))
        || text.n > NGX_HTTP_YIMEN_NUMBER_BYTES || (text.n && *p != '\0'))
    {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/number",
                                  "too_long", "编号最多 200 字节的文本",
                                  "A number is a text of at most 200 bytes");
        return NGX_ERROR;
    }

    *ret_number = text;

    return NGX_OK;
}


static void
ngx_http_yimen_resolve_read(ngx_http_yimen_ctx_t *ctx)
{
    const char                    *action;
    struct ym_str                  reason, number;
    ngx_http_yimen_args_t          args;
    ngx_http_yimen_delivery_t     *delivery;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    delivery = ngx_http_yimen_delivery_find(ctx);

    if (delivery == NULL
        || ngx_http_yimen_reason(ctx, &reason) != NGX_OK
        || ngx_http_yimen_resolve_body(ctx, &action, &number) != NGX_OK)
    {
        return;
    }

    /* an author confirms what was handed over; the rest is for operations */

    if (!(ctx->who.roles & (NGX_HTTP_YIMEN_ROLE_OPERATOR
                            | NGX_HTTP_YIMEN_ROLE_ADMIN
                            | NGX_HTTP_YIMEN_ROLE_SUPERVISOR))
        && delivery->letter != 'h')
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您只能确认转人工办理的记录",
                               "You may confirm hand-offs only");
        return;
    }

    work->record.deliveries = NULL;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_RESOLVE,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg(&args, ctx->params[1]);
    ngx_http_yimen_arg_z(&args, action);
    ngx_http_yimen_arg(&args, number);
    ngx_http_yimen_arg(&args, ctx->who.subject);
    ngx_http_yimen_arg(&args, reason);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_delivery_done);
}


/* the record as it is now, or why nothing was done */

static void
ngx_http_yimen_delivery_done(ngx_http_yimen_ctx_t *ctx)
{
    u_char                         zh[128], en[128];
    redisReply                    *reply;
    const char                    *state;
    struct ym_str                  word, letter;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    word = ngx_http_yimen_reply_str(reply->element[0]);

    if (ym_str_is(word, "absent")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    if (ym_str_is(word, "refused")) {
        letter = (reply->elements > 1)
                 ? ngx_http_yimen_reply_str(reply->element[1]) : YM_STR("");
        state = ngx_http_yimen_state_word(letter.n ? letter.p[0] : 'u');

        (void) ngx_snprintf(zh, sizeof(zh), "当前状态为 %s%Z", state);
        (void) ngx_snprintf(en, sizeof(en), "Its state is %s%Z", state);

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_STATE, (char *) zh,
                               (char *) en);
        return;
    }

    work->record.deliveries = NULL;
    work->record.id = ctx->params[0];

    ngx_http_yimen_record_follow(ctx);
}


/* GET /deliveries?state=dead&system=… */

void
ngx_http_yimen_deliveries_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                    i, limit, shards;
    struct ym_str                 letters, system;
    ngx_http_yimen_args_t        *args;
    ngx_http_yimen_exceptions_t  *list;

    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;
    list = ngx_pcalloc(ctx->request->pool,
                       sizeof(ngx_http_yimen_exceptions_t));
    args = ngx_palloc(ctx->request->pool,
                      shards * sizeof(ngx_http_yimen_args_t));

    if (list == NULL || args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = list;

    if (ngx_http_yimen_list_limit(ctx, &limit) != NGX_OK
        || ngx_http_yimen_deliveries_letters(ctx, &letters) != NGX_OK
        || ngx_http_yimen_list_cursor(ctx, list->before, shards, "") != NGX_OK)
    {
        return;
    }

    if (ngx_http_yimen_query(ctx, "system", &system) != NGX_OK) {
        system = YM_STR("");

    } else if (ym_catalog_system(ctx->conf->catalog, system.p) == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "没有这个系统", "There is no such system");
        return;
    }

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_EXCEPTIONS, i);
        ngx_http_yimen_arg(&args[i], system);
        ngx_http_yimen_arg(&args[i], letters);
        ngx_http_yimen_arg(&args[i], list->before[i]);
        ngx_http_yimen_arg_int(&args[i], (int64_t) limit);
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_deliveries_write);
}


static ngx_int_t
ngx_http_yimen_deliveries_letters(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret)
{
    ngx_uint_t     i;
    struct ym_str  arg;

    static const struct {
        const char     *word;
        struct ym_str   letters;
    } states[] = {
        { "retrying", { "r", 1 } }, { "unknown", { "u", 1 } },
        { "rejected", { "j", 1 } }, { "dead", { "x", 1 } },
        { "handoff", { "h", 1 } }
    };

    *ret = YM_STR("ujxh");

    if (ngx_http_yimen_query(ctx, "state", &arg) != NGX_OK) {
        return NGX_OK;
    }

    for (i = 0; i < YM_COUNT(states); i++) {
        if (ym_str_is(arg, states[i].word)) {
            *ret = states[i].letters;
            return NGX_OK;
        }
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                     "state 应为 retrying、unknown、rejected、dead 或 handoff",
                     "state is retrying, unknown, rejected, dead or handoff");

    return NGX_ERROR;
}


/*
 * Each shard goes on from where its own page ended, which may be short: the
 * store never cuts inside a millisecond.  The list ends when no shard has more.
 */
static void
ngx_http_yimen_deliveries_write(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                    n, shard, from[YM_SHARDS_MAX];
    redisReply                   *row;
    ngx_http_yimen_exceptions_t  *list;

    list = ctx->work;
    ngx_memzero(from, sizeof(from));
    shard = 0;

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (n = 0; /* void */ ; n++) {
        row = ngx_http_yimen_list_pick(ctx, from, 3, 6, 0, &shard);
        if (row == NULL) {
            break;
        }

        if (n) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_exception_write(ctx, row);
        list->before[shard] = ngx_http_yimen_reply_str(row->element[3]);
        from[shard]++;
    }

    ngx_http_yimen_list_more(ctx, n ? list->before : NULL);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_exception_write(ngx_http_yimen_ctx_t *ctx, redisReply *row)
{
    struct ym_str   letter, problem;
    struct ym_buf  *out;

    out = &ctx->out;
    letter = ngx_http_yimen_reply_str(row->element[2]);
    problem = ngx_http_yimen_unseal_text(ctx, NGX_HTTP_YIMEN_SEAL_PROBLEM,
                                   ngx_http_yimen_reply_str(row->element[0]),
                                   ngx_http_yimen_reply_str(row->element[5]));

    ym_buf_adds(out, "{\"record\":");
    ym_buf_add_json(out, ngx_http_yimen_reply_str(row->element[0]));
    ym_buf_adds(out, ",\"system\":");
    ym_buf_add_json(out, ngx_http_yimen_reply_str(row->element[1]));
    ym_buf_adds(out, ",\"state\":\"");
    ym_buf_adds(out, ngx_http_yimen_state_word(letter.n ? letter.p[0] : 'u'));
    ym_buf_adds(out, "\",\"since\":");
    ngx_http_yimen_time_write(out, ngx_http_yimen_reply_int(row->element[3]));
    ym_buf_addf(out, ",\"attempts\":%lld,\"problem\":",
                (long long) ngx_http_yimen_reply_int(row->element[4]));

    if (problem.n) {
        ym_buf_add(out, problem.p, problem.n);

    } else {
        ym_buf_adds(out, "null");
    }

    ym_buf_addc(out, '}');
}
