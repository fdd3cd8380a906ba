/* SPDX-License-Identifier: Apache-2.0
 * GET /audit: what people did, oldest first.  Every shard keeps a stream; the
 * cursor holds the last entry seen of each.
 */
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"

#include "ym_store.h"


typedef struct {
    ngx_uint_t      limit;
    struct ym_str   after[YM_SHARDS_MAX];
} ngx_http_yimen_audit_t;


static void ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_audit_entry(ngx_http_yimen_ctx_t *ctx,
    redisReply *row);


void
ngx_http_yimen_audit_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               i, shards;
    ngx_http_yimen_args_t   *args;
    ngx_http_yimen_audit_t  *audit;

    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;
    audit = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_audit_t));
    args = ngx_palloc(ctx->request->pool,
                      shards * sizeof(ngx_http_yimen_args_t));

    if (audit == NULL || args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = audit;

    if (ngx_http_yimen_list_limit(ctx, &audit->limit) != NGX_OK
        || ngx_http_yimen_list_cursor(ctx, audit->after, shards, "-")
           != NGX_OK)
    {
        return;
    }

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_AUDIT, i);
        ngx_http_yimen_arg(&args[i], audit->after[i]);
        ngx_http_yimen_arg_int(&args[i], (int64_t) audit->limit);
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_audit_write);
}


static void
ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               n, shard, from[YM_SHARDS_MAX];
    redisReply              *row;
    ngx_http_yimen_audit_t  *audit;

    audit = ctx->work;
    ngx_memzero(from, sizeof(from));
    shard = 0;

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (n = 0; n < audit->limit; n++) {
        row = ngx_http_yimen_list_pick(ctx, from, 1, 7, 1, &shard);
        if (row == NULL) {
            break;
        }

        if (n) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_audit_entry(ctx, row);
        audit->after[shard] = ngx_http_yimen_reply_str(row->element[0]);
        from[shard]++;
    }

    ngx_http_yimen_list_more(ctx, n == audit->limit ? audit->after : NULL);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_audit_entry(ngx_http_yimen_ctx_t *ctx, redisReply *row)
{
    ngx_uint_t      i;
    struct ym_buf  *out;

    static const char *const  names[] = {
        "who", "what", "record", "system", "why"
    };

    out = &ctx->out;

    ym_buf_adds(out, "{\"entry\":");
    ym_buf_add_json(out, ngx_http_yimen_reply_str(row->element[0]));
    ym_buf_adds(out, ",\"at\":");
    ngx_http_yimen_time_write(out, ngx_http_yimen_reply_int(row->element[1]));

    for (i = 0; i < YM_COUNT(names); i++) {
        ym_buf_addf(out, ",\"%s\":", names[i]);
        ym_buf_add_json(out, ngx_http_yimen_reply_str(row->element[i + 2]));
    }

    ym_buf_addc(out, '}');
}
