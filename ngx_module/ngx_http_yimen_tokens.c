/* SPDX-License-Identifier: Apache-2.0
 * POST /tokens/revoke: ends bearer tokens before their time, everywhere.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_revoked.h"
#include "ngx_http_yimen_route.h"

#include "ym_store_door.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_REVOKE_VALUE  1024              /* bytes of a claim */
#define NGX_HTTP_YIMEN_REVOKE_LIFE   (31 * 86400000LL) /* ms, by default */
#define NGX_HTTP_YIMEN_REVOKE_MOST   (400 * 86400000LL)


static void ngx_http_yimen_token_revoked(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_token_named(ngx_http_yimen_ctx_t *ctx,
    const char **ret_kind, struct ym_str *ret_value);
static ngx_int_t ngx_http_yimen_token_life(ngx_http_yimen_ctx_t *ctx,
    int64_t *ret_life);


/* {"jti"|"sid"|"sub": "...", "until"?: time, "reason": "..."} */

void
ngx_http_yimen_token_revoke(ngx_http_yimen_ctx_t *ctx)
{
    char                    hex[YM_SHA256_HEX];
    int64_t                 life;
    const char             *kind;
    struct ym_str           value, *reason;
    ngx_http_yimen_args_t   args;

    reason = ngx_pcalloc(ctx->request->pool, sizeof(struct ym_str));

    if (reason == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_token_named(ctx, &kind, &value) != NGX_OK
        || ngx_http_yimen_token_life(ctx, &life) != NGX_OK
        || ngx_http_yimen_reason(ctx, reason) != NGX_OK)
    {
        return;
    }

    if (ngx_http_yimen_revoked_digest(ctx->conf, kind, value, hex) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = reason;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_REVOKE, 0);
    ngx_http_yimen_arg(&args, ngx_http_yimen_copy(ctx, ym_str_of(hex)));
    ngx_http_yimen_arg_int(&args, life);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_token_revoked);
}


static ngx_int_t
ngx_http_yimen_token_named(ngx_http_yimen_ctx_t *ctx, const char **ret_kind,
    struct ym_str *ret_value)
{
    ngx_uint_t     i, n;
    const json_t  *claim;

    static const char *const  kinds[] = { "jti", "sid", "sub" };

    n = 0;

    for (i = 0; i < YM_COUNT(kinds); i++) {
        claim = json_object_get(ctx->json, kinds[i]);

        if (claim == NULL) {
            continue;
        }

        n++;
        *ret_kind = kinds[i];
        ret_value->p = json_string_value(claim);
        ret_value->n = json_string_length(claim);

        if (!json_is_string(claim) || ret_value->n == 0
            || ret_value->n > NGX_HTTP_YIMEN_REVOKE_VALUE)
        {
            n = 2;
        }
    }

    if (n == 1) {
        return NGX_OK;
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                           "jti、sid、sub 须且只能给出一个",
                           "Give exactly one of jti, sid and sub");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_yimen_token_life(ngx_http_yimen_ctx_t *ctx, int64_t *ret_life)
{
    int64_t        until;
    struct ym_str  text;
    const json_t  *claim;

    *ret_life = NGX_HTTP_YIMEN_REVOKE_LIFE;
    claim = json_object_get(ctx->json, "until");

    if (claim == NULL) {
        return NGX_OK;
    }

    text.p = json_string_value(claim);
    text.n = json_string_length(claim);

    if (json_is_string(claim)
        && ym_time_parse(text, YM_CHINA_OFFSET_MIN, &until))
    {
        *ret_life = until - ym_now_ms();

        if (*ret_life >= 1000 && *ret_life <= NGX_HTTP_YIMEN_REVOKE_MOST) {
            return NGX_OK;
        }
    }

    ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST, "/until",
                              "format", "须为将来 400 天内的时间",
                              "Takes a time within the next 400 days");

    return NGX_DECLINED;
}


static void
ngx_http_yimen_token_revoked(ngx_http_yimen_ctx_t *ctx)
{
    redisReply                 *reply;
    struct ym_str              *reason;
    ngx_http_yimen_evidence_t   e;

    reply = ctx->replies[0];
    reason = ctx->work;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    if (ngx_strcmp(reply->element[0]->str, "revoked") != 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FULL, NULL, NULL);
        return;
    }

    ngx_http_yimen_revoked_now();

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "token_revoke";
    e.who = ctx->who.subject;
    e.why = *reason;
    ngx_http_yimen_evidence(ctx->request, &e);

    ym_buf_adds(&ctx->out, "{\"revoked\":true}\n");
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}
