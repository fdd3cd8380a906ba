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


static ngx_int_t ngx_http_yimen_audit_cursor(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit, ngx_uint_t shards);
static void ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx);
static redisReply *ngx_http_yimen_audit_oldest(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t *from, ngx_uint_t *ret_shard);
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
        || ngx_http_yimen_audit_cursor(ctx, audit, shards) != NGX_OK)
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


/* "<entry>_<entry>_…", one per shard, empty where nothing was seen yet */

static ngx_int_t
ngx_http_yimen_audit_cursor(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit, ngx_uint_t shards)
{
    size_t         i, from, dashes;
    ngx_uint_t     n;
    struct ym_str  arg;

    if (ngx_http_yimen_query(ctx, "cursor", &arg) != NGX_OK) {
        return NGX_OK;
    }

    n = 0;
    from = 0;
    dashes = 0;

    for (i = 0; i <= arg.n; i++) {

        if (i == arg.n || arg.p[i] == '_') {

            if (n == shards || (i > from && (dashes != 1 || i - from > 40
                                             || arg.p[from] == '-'
                                             || arg.p[i - 1] == '-')))
            {
                break;
            }

            audit->after[n++] = (struct ym_str){ arg.p + from, i - from };
            from = i + 1;
            dashes = 0;
            continue;
        }

        if (arg.p[i] == '-') {
            dashes++;

        } else if (arg.p[i] < '0' || arg.p[i] > '9') {
            break;
        }
    }

    if (i <= arg.n || n != shards) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "查询参数 cursor 无效",
                               "The query parameter cursor is not valid");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static redisReply *
ngx_http_yimen_audit_oldest(ngx_http_yimen_ctx_t *ctx, ngx_uint_t *from,
    ngx_uint_t *ret_shard)
{
    int64_t      ms, oldest;
    ngx_uint_t   i;
    redisReply  *reply, *row, *found;

    found = NULL;
    oldest = 0;

    for (i = 0; i < ctx->reply_count; i++) {
        reply = ctx->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || from[i] >= reply->elements) {
            continue;
        }

        row = reply->element[from[i]];

        if (row->type != REDIS_REPLY_ARRAY || row->elements < 7) {
            from[i] = reply->elements;
            continue;
        }

        ms = ngx_http_yimen_reply_int(row->element[1]);

        if (found == NULL || ms < oldest) {
            found = row;
            oldest = ms;
            *ret_shard = i;
        }
    }

    return found;
}


static void
ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               i, n, shard, from[YM_SHARDS_MAX];
    redisReply              *row;
    struct ym_buf            cursor;
    ngx_http_yimen_audit_t  *audit;

    audit = ctx->work;
    ngx_memzero(from, sizeof(from));
    shard = 0;

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (n = 0; n < audit->limit; n++) {
        row = ngx_http_yimen_audit_oldest(ctx, from, &shard);
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

    ym_buf_init(&cursor, 2048);

    for (i = 0; n == audit->limit && i < ctx->reply_count; i++) {
        if (i) {
            ym_buf_addc(&cursor, '_');
        }

        ym_buf_add(&cursor, audit->after[i].p, audit->after[i].n);
    }

    ngx_http_yimen_list_next(ctx, ym_buf_str(&cursor));
    ym_buf_clear(&cursor);

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
