/* SPDX-License-Identifier: Apache-2.0
 * GET /reports/…: who asks for the same, what was typed and delivered, what is
 * used; as JSON or, when text/csv is asked for, as a table.
 */
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_route.h"

#include "ym_report.h"
#include "ym_store_tally.h"


#define NGX_HTTP_YIMEN_REPORT_DAYS   30     /* when nobody says which */
#define NGX_HTTP_YIMEN_REPORT_BYTES  (16 * 1024 * 1024)


typedef struct {
    int64_t          from, to;
    enum ym_report   which;
} ngx_http_yimen_report_t;


static void ngx_http_yimen_report_days(ngx_http_yimen_ctx_t *ctx,
    enum ym_report which);
static ngx_int_t ngx_http_yimen_report_day(ngx_http_yimen_ctx_t *ctx,
    const char *name, int64_t *day);
static void ngx_http_yimen_report_counted(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_report_sum(const redisReply *reply,
    json_t *days);
static void ngx_http_yimen_report_answer(ngx_http_yimen_ctx_t *ctx,
    enum ym_report which, const char *name, json_t *report);
static ngx_uint_t ngx_http_yimen_report_csv(ngx_http_yimen_ctx_t *ctx);
static int ngx_http_yimen_report_write(const char *text, size_t n,
    void *data);


/* read from the configuration alone */

void
ngx_http_yimen_report_redundancy(ngx_http_yimen_ctx_t *ctx)
{
    char            *type;
    enum ym_report   which;
    struct ym_str    arg;

    type = NULL;
    which = YM_REPORT_REDUNDANCY;

    if (ngx_http_yimen_query(ctx, "type", &arg) == NGX_OK && arg.n) {
        type = ngx_http_yimen_strz(ctx, arg);

        if (type == NULL
            || ym_catalog_type(ctx->conf->catalog, type) == NULL)
        {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                   "没有这种记录类型",
                                   "There is no such type of record");
            return;
        }
    }

    if (ngx_http_yimen_query(ctx, "table", &arg) == NGX_OK) {

        if (ym_str_is(arg, "systems")) {
            which = YM_REPORT_CANDIDATES;

        } else if (!ym_str_is(arg, "fields")) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                   "table 只能是 fields 或 systems",
                                   "table is fields or systems");
            return;
        }
    }

    ngx_http_yimen_report_answer(ctx, which, "redundancy",
                                 ym_report_redundancy(ctx->conf->catalog,
                                                      type));
}


void
ngx_http_yimen_report_burden(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_report_days(ctx, YM_REPORT_BURDEN);
}


void
ngx_http_yimen_report_usage(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_report_days(ctx, YM_REPORT_USAGE);
}


static void
ngx_http_yimen_report_days(ngx_http_yimen_ctx_t *ctx, enum ym_report which)
{
    ngx_uint_t                i, shards;
    ngx_http_yimen_args_t    *args;
    ngx_http_yimen_report_t  *report;

    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;
    report = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_report_t));
    args = ngx_palloc(ctx->request->pool,
                      shards * sizeof(ngx_http_yimen_args_t));

    if (report == NULL || args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = report;
    report->which = which;
    report->to = ym_report_today();
    report->from = -1;

    if (ngx_http_yimen_report_day(ctx, "to", &report->to) != NGX_OK
        || ngx_http_yimen_report_day(ctx, "from", &report->from) != NGX_OK)
    {
        return;
    }

    if (report->from < 0) {
        report->from = ngx_max(report->to - NGX_HTTP_YIMEN_REPORT_DAYS + 1, 0);
    }

    if (report->from > report->to
        || report->to - report->from >= YM_TALLY_DAYS_MAX)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "from 不晚于 to,最多 400 天",
                               "from is not after to, 400 days at most");
        return;
    }

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_TALLY, i);
        ngx_http_yimen_arg_int(&args[i], report->from);
        ngx_http_yimen_arg_int(&args[i], report->to);
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_report_counted);
}


static ngx_int_t
ngx_http_yimen_report_day(ngx_http_yimen_ctx_t *ctx, const char *name,
    int64_t *day)
{
    struct ym_str  arg;

    if (ngx_http_yimen_query(ctx, name, &arg) != NGX_OK || arg.n == 0) {
        return NGX_OK;
    }

    if (!ym_report_day_parse(arg, day)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "from 和 to 应为日期,如 2026-11-22",
                               "from and to are days such as 2026-11-22");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_report_counted(ngx_http_yimen_ctx_t *ctx)
{
    json_t                   *days, *doc;
    ngx_uint_t                i;
    ngx_http_yimen_report_t  *report;

    report = ctx->work;
    doc = NULL;
    days = json_object();

    for (i = 0; days != NULL && i < ctx->reply_count; i++) {
        if (ngx_http_yimen_report_sum(ctx->replies[i], days) != NGX_OK) {
            break;
        }
    }

    if (days != NULL && i == ctx->reply_count) {
        doc = (report->which == YM_REPORT_BURDEN)
              ? ym_report_burden(ctx->conf->catalog, days, report->from,
                                 report->to)
              : ym_report_usage(ctx->conf->catalog, days, report->from,
                                report->to);
    }

    json_decref(days);

    ngx_http_yimen_report_answer(ctx, report->which,
                                 report->which == YM_REPORT_BURDEN ? "burden"
                                                                   : "usage",
                                 doc);
}


/* [[day, name, n, …], …] of a shard */

static ngx_int_t
ngx_http_yimen_report_sum(const redisReply *reply, json_t *days)
{
    size_t       i, k;
    int64_t      day;
    redisReply  *row;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i++) {
        row = reply->element[i];

        if (row->type != REDIS_REPLY_ARRAY || row->elements == 0) {
            return NGX_ERROR;
        }

        day = ngx_http_yimen_reply_int(row->element[0]);

        for (k = 1; k + 1 < row->elements; k += 2) {
            if (ym_report_count(days, day,
                                ngx_http_yimen_reply_str(row->element[k]),
                                ngx_http_yimen_reply_int(row->element[k + 1]))
                != YM_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* takes the reference of report; NULL: it could not be made */

static void
ngx_http_yimen_report_answer(ngx_http_yimen_ctx_t *ctx, enum ym_report which,
    const char *name, json_t *report)
{
    char         file[80];
    u_char      *last;
    const char  *type;

    if (report == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_buf_clear(&ctx->out);
    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_REPORT_BYTES);

    type = NULL;

    if (ngx_http_yimen_report_csv(ctx)) {
        type = "text/csv; charset=utf-8";
        (void) ym_report_csv(which, report,
                             ctx->lang == YM_EN ? "en" : "zh", &ctx->out);

        last = ngx_snprintf((u_char *) file, sizeof(file),
                            "attachment; filename=\"yimen-%s.csv\"", name);
        (void) ngx_http_yimen_answer_header(ctx, "Content-Disposition",
                          (struct ym_str){ file,
                                           (size_t) ((char *) last - file) });

    } else {
        (void) json_dump_callback(report, ngx_http_yimen_report_write,
                                  &ctx->out, JSON_COMPACT);
        ym_buf_addc(&ctx->out, '\n');
    }

    json_decref(report);

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, type);
}


static ngx_uint_t
ngx_http_yimen_report_csv(ngx_http_yimen_ctx_t *ctx)
{
    ngx_str_t  *accept;

    accept = ngx_http_yimen_header(ctx->request, "accept");

    return accept != NULL
           && ngx_strlcasestrn(accept->data, accept->data + accept->len,
                               (u_char *) "text/csv", 8 - 1)
              != NULL;
}


static int
ngx_http_yimen_report_write(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}
