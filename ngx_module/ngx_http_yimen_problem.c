/* SPDX-License-Identifier: Apache-2.0
 * Problem details: one row per kind, two languages, one writer.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_route.h"


typedef struct {
    ngx_uint_t   status;
    const char  *word;      /* last part of `type` */
    const char  *title_zh;
    const char  *title_en;
} ngx_http_yimen_problem_row_t;


static void ngx_http_yimen_problem_open(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *zh, const char *en);
static void ngx_http_yimen_problem_head(ngx_http_yimen_problem_e kind,
    enum ym_lang lang, struct ym_str instance, const char *zh, const char *en,
    struct ym_buf *out);
static void ngx_http_yimen_problem_close(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind);
static void ngx_http_yimen_problem_evidence(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind);
static void ngx_http_yimen_problem_entry(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problem *problem);
static void ngx_http_yimen_problem_titles(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problem *problem, struct ym_buf *out);


/* by ngx_http_yimen_problem_e */
static const ngx_http_yimen_problem_row_t  ngx_http_yimen_problems[] = {
    { 400, "bad-request", "请求有误", "Bad request" },
    { 400, "bad-json", "内容不是有效的 JSON", "Not valid JSON" },
    { 400, "limit", "内容超出限制", "Beyond a limit" },
    { 400, "bad-key", "Idempotency-Key 无效", "Bad Idempotency-Key" },
    { 401, "unauthorized", "请先登录", "Sign in first" },
    { 401, "bad-token", "登录凭证无效或已过期",
      "The token is not valid or has expired" },
    { 403, "forbidden", "没有权限", "Not allowed" },
    { 404, "not-found", "没有找到", "Not found" },
    { 405, "method-not-allowed", "不支持这种操作", "Method not allowed" },
    { 408, "timeout", "请求超时", "The request came too slowly" },
    { 409, "conflict", "与当前状态冲突", "Conflict" },
    { 409, "withdrawn", "记录已撤回", "The record is withdrawn" },
    { 409, "wrong-state", "当前状态下不能这样处理",
      "Not possible in its present state" },
    { 412, "stale", "记录已被他人修改", "Somebody changed the record" },
    { 413, "too-large", "内容过大", "Too large" },
    { 415, "media-type", "不支持的内容类型", "Unsupported content type" },
    { 422, "invalid", "内容不符合要求", "The content is not acceptable" },
    { 422, "key-reused", "该 Idempotency-Key 已用于其他内容",
      "The Idempotency-Key was used for other content" },
    { 428, "precondition-required", "需要 If-Match", "If-Match is needed" },
    { 429, "too-many-requests", "请求过于频繁,请稍后重试",
      "Too many requests: try again later" },
    { 500, "internal", "系统内部错误", "Internal error" },
    { 503, "unavailable", "系统暂时不可用,请稍后重试",
      "Temporarily unavailable: try again soon" },
    { 503, "full", "存储空间不足,请稍后重试",
      "The store is full: try again later" }
};


void
ngx_http_yimen_problem(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *zh, const char *en)
{
    const ngx_http_yimen_problem_row_t  *row;

    row = &ngx_http_yimen_problems[kind];

    /* people get a page, and only where they look at pages */

    if (ctx->route != NULL && (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_PAGE)
        && ngx_http_yimen_is_navigation(ctx->request))
    {
        ngx_http_yimen_problem_evidence(ctx, kind);
        ngx_http_yimen_page_error(ctx, row->status,
                                  zh != NULL ? zh : row->title_zh,
                                  en != NULL ? en : row->title_en);
        return;
    }

    ngx_http_yimen_problem_open(ctx, kind, zh, en);
    ngx_http_yimen_problem_close(ctx, kind);
}


void
ngx_http_yimen_problem_at(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *pointer, const char *code,
    const char *zh, const char *en)
{
    struct ym_buf  *out = &ctx->out;

    ngx_http_yimen_problem_open(ctx, kind, zh, en);

    ym_buf_adds(out, ",\"errors\":[{\"pointer\":");
    ym_buf_add_json(out, ym_str_of(pointer));
    ym_buf_adds(out, ",\"code\":");
    ym_buf_add_json(out, ym_str_of(code));
    ym_buf_adds(out, ",\"message\":");
    ym_buf_add_json(out, ym_str_of(ctx->lang == YM_EN ? en : zh));
    ym_buf_adds(out, "}]");

    ngx_http_yimen_problem_close(ctx, kind);
}


void
ngx_http_yimen_problem_check(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problems *problems)
{
    struct ym_buf  *out = &ctx->out;

    ngx_http_yimen_count(invalid);

    ngx_http_yimen_problem_open(ctx, NGX_HTTP_YIMEN_P_INVALID, NULL, NULL);

    ym_buf_adds(out, ",\"errors\":[");

    ngx_http_yimen_problem_list(ctx, problems);
    ym_buf_addc(out, ']');

    if (problems->total > problems->count) {
        ym_buf_addf(out, ",\"more\":%zu", problems->total - problems->count);
    }

    ngx_http_yimen_problem_close(ctx, NGX_HTTP_YIMEN_P_INVALID);
}


void
ngx_http_yimen_problem_list(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problems *problems)
{
    size_t  i;

    for (i = 0; i < problems->count; i++) {
        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_problem_entry(ctx, &problems->items[i]);
    }
}


static void
ngx_http_yimen_problem_entry(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problem *problem)
{
    size_t          i;
    struct ym_buf   titles, text, *out;

    out = &ctx->out;
    ym_buf_init(&titles, 8192);
    ym_buf_init(&text, 16384);

    ngx_http_yimen_problem_titles(ctx, problem, &titles);
    ym_problem_text(problem, ctx->lang, titles.n ? titles.p : NULL, &text);

    ym_buf_adds(out, "{\"pointer\":");
    ym_buf_add_json(out, ym_str_of(problem->pointer));
    ym_buf_adds(out, ",\"code\":");
    ym_buf_add_json(out, ym_str_of(ym_problem_word(problem->code)));
    ym_buf_adds(out, ",\"message\":");
    ym_buf_add_json(out, ym_buf_str(&text));

    if (problem->limit) {
        ym_buf_addf(out, ",\"limit\":%ld", problem->limit);
    }

    if (problem->system_count) {
        ym_buf_adds(out, ",\"systems\":[");

        for (i = 0; i < problem->system_count; i++) {
            if (i) {
                ym_buf_addc(out, ',');
            }

            ym_buf_add_json(out, ym_str_of(problem->systems[i]));
        }

        ym_buf_addc(out, ']');
    }

    ym_buf_addc(out, '}');

    ym_buf_clear(&titles);
    ym_buf_clear(&text);
}


static void
ngx_http_yimen_problem_titles(ngx_http_yimen_ctx_t *ctx,
    const struct ym_problem *problem, struct ym_buf *out)
{
    size_t                   i;
    const struct ym_system  *system;

    for (i = 0; i < problem->system_count; i++) {
        system = ym_catalog_system(ctx->conf->catalog, problem->systems[i]);

        if (i) {
            ym_buf_adds(out, ctx->lang == YM_EN ? ", " : "、");
        }

        if (system == NULL) {
            ym_buf_adds(out, problem->systems[i]);
            continue;
        }

        ym_buf_adds(out, ctx->lang == YM_EN ? system->title_en
                                            : system->title_zh);
    }
}


static void
ngx_http_yimen_problem_open(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *zh, const char *en)
{
    struct ym_str  instance;

    ym_buf_clear(&ctx->out);
    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_ANSWER_BYTES);

    instance.p = (char *) ctx->request->uri.data;
    instance.n = ctx->request->uri.len;

    /* a person can name it to those who look things up */

    (void) ngx_http_yimen_answer_header(ctx, "X-Request-Id",
                               ngx_http_yimen_evidence_request(ctx->request));

    ngx_http_yimen_problem_head(kind, ctx->lang, instance, zh, en, &ctx->out);
}


static void
ngx_http_yimen_problem_head(ngx_http_yimen_problem_e kind, enum ym_lang lang,
    struct ym_str instance, const char *zh, const char *en, struct ym_buf *out)
{
    const char                          *title, *detail;
    const ngx_http_yimen_problem_row_t  *row;

    row = &ngx_http_yimen_problems[kind];
    title = (lang == YM_EN) ? row->title_en : row->title_zh;
    detail = (lang == YM_EN) ? en : zh;

    ym_buf_adds(out, "{\"type\":\"urn:yimen:problem:");
    ym_buf_adds(out, row->word);
    ym_buf_adds(out, "\",\"title\":");
    ym_buf_add_json(out, ym_str_of(title));
    ym_buf_addf(out, ",\"status\":%d", (int) row->status);

    if (detail != NULL) {
        ym_buf_adds(out, ",\"detail\":");
        ym_buf_add_json(out, ym_str_of(detail));
    }

    ym_buf_adds(out, ",\"instance\":");
    ym_buf_add_json(out, instance);
}


void
ngx_http_yimen_problem_text(ngx_http_yimen_problem_e kind, enum ym_lang lang,
    struct ym_str instance, const char *zh, const char *en, struct ym_buf *out)
{
    ngx_http_yimen_problem_head(kind, lang, instance, zh, en, out);
    ym_buf_adds(out, "}\n");
}


ngx_uint_t
ngx_http_yimen_problem_status(ngx_http_yimen_problem_e kind)
{
    return ngx_http_yimen_problems[kind].status;
}


static void
ngx_http_yimen_problem_close(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind)
{
    const char  *language;

    ngx_http_yimen_problem_evidence(ctx, kind);

    ym_buf_adds(&ctx->out, "}\n");

    language = (ctx->lang == YM_EN) ? "en" : "zh-CN";
    (void) ngx_http_yimen_answer_header(ctx, "Content-Language",
                                        ym_str_of(language));

    if (kind == NGX_HTTP_YIMEN_P_UNAVAILABLE) {
        (void) ngx_http_yimen_answer_header(ctx, "Retry-After", YM_STR("1"));

    } else if (kind == NGX_HTTP_YIMEN_P_FULL) {
        (void) ngx_http_yimen_answer_header(ctx, "Retry-After", YM_STR("30"));
    }

    ngx_http_yimen_answer(ctx, ngx_http_yimen_problems[kind].status,
                          "application/problem+json");
}


/* who was turned away, and from what */

static void
ngx_http_yimen_problem_evidence(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind)
{
    u_char                     why[128], *last;
    const char                *name;
    ngx_http_yimen_evidence_t  e;

    if (kind != NGX_HTTP_YIMEN_P_BAD_TOKEN
        && kind != NGX_HTTP_YIMEN_P_FORBIDDEN)
    {
        return;
    }

    name = (ctx->route != NULL) ? ctx->route->name : "";

    last = ngx_snprintf(why, sizeof(why), "%s %s",
                        ngx_http_yimen_problems[kind].word, name);

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "access_refused";
    e.who = ctx->who.subject;
    e.why = (struct ym_str){ (char *) why, (size_t) (last - why) };

    if (ctx->route != NULL
        && (ctx->route->flags & NGX_HTTP_YIMEN_ROUTE_RECORD))
    {
        e.id = ctx->params[0];
    }

    ngx_http_yimen_evidence(ctx->request, &e);
}
