/* SPDX-License-Identifier: Apache-2.0
 * GET /audit: what people did, oldest first.  Every shard keeps a stream; the
 * cursor holds the last entry seen of each.  Older evidence is in the files.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store_evidence.h"
#include "ym_time.h"


/* entries of a shard that one request looks at */
#define NGX_HTTP_YIMEN_AUDIT_STEPS   4000

#define NGX_HTTP_YIMEN_AUDIT_FIELDS  10
#define NGX_HTTP_YIMEN_AUDIT_FILTER  200   /* bytes of a filter's value */


typedef struct {
    ngx_uint_t      limit;
    struct ym_str   filters[2 * 7];
    ngx_uint_t      filter_count;
    struct ym_str   after[YM_SHARDS_MAX];
} ngx_http_yimen_audit_t;


static ngx_int_t ngx_http_yimen_audit_filters(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit);
static ngx_int_t ngx_http_yimen_audit_time(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *value);
static void ngx_http_yimen_audit_noted(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit);
static void ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx);
static int64_t ngx_http_yimen_audit_bound(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit, ngx_uint_t *ret_more);
static void ngx_http_yimen_audit_entry(ngx_http_yimen_ctx_t *ctx,
    redisReply *row);


void
ngx_http_yimen_audit_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               i, k, shards;
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
           != NGX_OK
        || ngx_http_yimen_audit_filters(ctx, audit) != NGX_OK)
    {
        return;
    }

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_EVIDENCE_FIND, i);
        ngx_http_yimen_arg(&args[i], audit->after[i]);
        ngx_http_yimen_arg_int(&args[i], (int64_t) audit->limit);
        ngx_http_yimen_arg_int(&args[i], NGX_HTTP_YIMEN_AUDIT_STEPS);

        for (k = 0; k < audit->filter_count; k++) {
            ngx_http_yimen_arg(&args[i], audit->filters[k]);
        }
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_audit_write);
}


/* ?who= ?what= ?record= ?system= ?outcome= ?from= ?to= */

static ngx_int_t
ngx_http_yimen_audit_filters(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit)
{
    ngx_int_t       rc;
    ngx_uint_t      i;
    struct ym_str   value;

    static const struct {
        const char  *query;
        const char  *name;
    } names[] = {
        { "who", "who" }, { "what", "what" }, { "record", "id" },
        { "system", "system" }, { "outcome", "outcome" }, { "from", "from" },
        { "to", "to" }
    };

    for (i = 0; i < YM_COUNT(names); i++) {

        if (ngx_http_yimen_query(ctx, names[i].query, &value) != NGX_OK) {
            continue;
        }

        rc = (value.n > NGX_HTTP_YIMEN_AUDIT_FILTER) ? NGX_ERROR : NGX_OK;

        if (rc == NGX_OK && i >= YM_COUNT(names) - 2) {
            rc = ngx_http_yimen_audit_time(ctx, &value);
        }

        if (rc != NGX_OK) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                   "查询参数无效:who、what、record、system、"
                                   "outcome 最多 200 字节,from、to 为日期或 "
                                   "RFC 3339 时间",
                                   "A query parameter is not valid: who, "
                                   "what, record, system, outcome have at "
                                   "most 200 bytes, from and to are a date "
                                   "or an RFC 3339 time");
            return NGX_ERROR;
        }

        audit->filters[audit->filter_count++] = ym_str_of(names[i].name);
        audit->filters[audit->filter_count++] = value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_audit_time(ngx_http_yimen_ctx_t *ctx, struct ym_str *value)
{
    u_char   *p;
    int64_t   ms;

    p = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN + 1);

    if (p == NULL || !ym_time_parse(*value, YM_CHINA_OFFSET_MIN, &ms)
        || ms < 0)
    {
        return NGX_ERROR;
    }

    value->p = (char *) p;
    value->n = (size_t) (ngx_sprintf(p, "%L", ms) - p);

    return NGX_OK;
}


static void
ngx_http_yimen_audit_write(ngx_http_yimen_ctx_t *ctx)
{
    int64_t                  bound;
    ngx_uint_t               i, n, more, shard, from[YM_SHARDS_MAX];
    redisReply              *row;
    ngx_http_yimen_audit_t  *audit;

    audit = ctx->work;
    shard = 0;

    ngx_http_yimen_audit_noted(ctx, audit);

    bound = ngx_http_yimen_audit_bound(ctx, audit, &more);

    for (i = 0; i < ctx->reply_count; i++) {
        from[i] = 2;
    }

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (n = 0; n < audit->limit; n++) {
        row = ngx_http_yimen_list_pick(ctx, from, 1,
                                       NGX_HTTP_YIMEN_AUDIT_FIELDS, 1,
                                       &shard);

        if (row == NULL || ngx_http_yimen_reply_entry_ms(row->element[0]) > bound) {
            more |= (row != NULL);
            break;
        }

        if (n) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_audit_entry(ctx, row);
        audit->after[shard] = ngx_http_yimen_reply_str(row->element[0]);
        from[shard]++;
    }

    /* a shard without rows left goes on where it stopped looking */

    for (i = 0; i < ctx->reply_count; i++) {
        if (ctx->replies[i]->type == REDIS_REPLY_ARRAY
            && ctx->replies[i]->elements > 1
            && from[i] >= ctx->replies[i]->elements)
        {
            audit->after[i] =
                         ngx_http_yimen_reply_str(ctx->replies[i]->element[1]);
        }
    }

    ngx_http_yimen_list_more(ctx, (n == audit->limit || more) ? audit->after
                                                              : NULL);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/*
 * A shard that has only looked up to some time may still have entries after
 * it: what other shards have from then on must wait for the next page.
 */

static int64_t
ngx_http_yimen_audit_bound(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit, ngx_uint_t *ret_more)
{
    int64_t      bound, ms;
    ngx_uint_t   i;
    redisReply  *reply;

    bound = INT64_MAX;
    *ret_more = 0;

    for (i = 0; i < ctx->reply_count; i++) {
        reply = ctx->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2
            || ym_str_is(ngx_http_yimen_reply_str(reply->element[0]), "1"))
        {
            continue;
        }

        *ret_more = 1;

        if (reply->elements - 2 < audit->limit) {
            ms = ngx_http_yimen_reply_entry_ms(reply->element[1]);
            bound = ngx_min(bound, ms);
        }
    }

    return bound;
}


static void
ngx_http_yimen_audit_entry(ngx_http_yimen_ctx_t *ctx, redisReply *row)
{
    ngx_uint_t      i;
    struct ym_str   value;
    struct ym_buf  *out;

    static const char *const  names[] = {
        "who", "what", "record", "system", "why", "peer", "request",
        "outcome"
    };

    out = &ctx->out;

    ym_buf_adds(out, "{\"entry\":");
    ym_buf_add_json(out, ngx_http_yimen_reply_str(row->element[0]));
    ym_buf_adds(out, ",\"at\":");
    ngx_http_yimen_time_write(out, ngx_http_yimen_reply_int(row->element[1]));

    for (i = 0; i < YM_COUNT(names); i++) {
        ym_buf_addf(out, ",\"%s\":", names[i]);
        value = ngx_http_yimen_reply_str(row->element[i + 2]);

        if (names[i][1] == 'h' && names[i][2] == 'y') {
            value = ngx_http_yimen_unseal_text(ctx, NGX_HTTP_YIMEN_SEAL_WHY,
                                               YM_STR(""), value);
        }

        ym_buf_add_json(out, value);
    }

    ym_buf_addc(out, '}');
}


/* that somebody looked is evidence too: once, not for every page */

static void
ngx_http_yimen_audit_noted(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_audit_t *audit)
{
    ngx_http_yimen_evidence_t  e;

    if (audit->after[0].n) {
        return;
    }

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "audit_read";
    e.who = ctx->who.subject;
    e.why = (struct ym_str){ (char *) ctx->request->args.data,
                             ctx->request->args.len };

    ngx_http_yimen_evidence(ctx->request, &e);
}
