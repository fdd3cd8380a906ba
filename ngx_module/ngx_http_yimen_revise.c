/* SPDX-License-Identifier: Apache-2.0
 * PATCH /records/{id}: a merge patch on the revision that was read, checked
 * like a new record, then one revision more.
 */
#include "ngx_http_yimen_attach.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_json.h"
#include "ym_store.h"
#include "ym_time.h"


static void ngx_http_yimen_patch_resolved(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_patch_read(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_patch_match(ngx_str_t *match,
    int64_t revision);
static json_t *ngx_http_yimen_patch_body(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_patch_check(ngx_http_yimen_ctx_t *ctx,
    json_t *data);
static void ngx_http_yimen_patch_revise(ngx_http_yimen_ctx_t *ctx,
    json_t *data);
static void ngx_http_yimen_patch_noted(ngx_http_yimen_ctx_t *ctx,
    struct ym_str revision);
static void ngx_http_yimen_patch_revised(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_patch_stale(ngx_http_yimen_ctx_t *ctx,
    int64_t revision);


void
ngx_http_yimen_record_patch(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_header(ctx->request, "if-match") == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_PRECONDITION,
                               "请在 If-Match 中给出所读版本的 ETag",
                               "Send the ETag of what you read in If-Match");
        return;
    }

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_record_work(ctx) == NULL)
    {
        return;
    }

    ngx_http_yimen_attach_resolve(ctx, ctx->params[0],
                                  ngx_http_yimen_patch_resolved);
}


static void
ngx_http_yimen_patch_resolved(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_change(ctx);
}


/* those who may change it, or who may do it for its owner */

void
ngx_http_yimen_record_change(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    ngx_http_yimen_record_fetch(ctx, work->amend == NULL,
                                ngx_http_yimen_patch_read);
}


static void
ngx_http_yimen_patch_read(ngx_http_yimen_ctx_t *ctx)
{
    json_t                        *patch, *data, *merged;
    ngx_uint_t                     same;
    ngx_str_t                     *match;
    ngx_http_yimen_record_t       *record;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    record = &work->record;

    if (record->withdrawn) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_WITHDRAWN, NULL, NULL);
        return;
    }

    match = ngx_http_yimen_header(ctx->request, "if-match");

    if (ngx_http_yimen_patch_match(match, record->revision) != NGX_OK) {
        ngx_http_yimen_patch_stale(ctx, record->revision);
        return;
    }

    patch = ngx_http_yimen_patch_body(ctx);
    if (patch == NULL) {
        return;
    }

    same = (work->attach == NULL
            || ym_str_eq(record->attachments, work->attachments));
    data = NULL;

    if (work->type == NULL
        || ym_json_parse(record->data, &ym_json_defaults, &data, NULL)
           != YM_OK)
    {
        json_decref(patch);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    merged = ym_json_merge(data, patch);
    json_decref(patch);

    work->wait = ngx_http_yimen_record_prefer(ctx);
    work->wait_from = ngx_current_msec;

    if (merged == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);

    } else if (json_equal(merged, data) && same) {

        /* nothing changes: no revision, no delivery */

        ngx_http_yimen_record_answer(ctx, record);

    } else {
        if (!same) {
            record->attachments = work->attachments;
        }

        if (ngx_http_yimen_patch_check(ctx, merged) == NGX_OK) {
            if (work->amend != NULL) {
                ngx_http_yimen_amend_changes(ctx, data, merged);
            }

            ngx_http_yimen_patch_revise(ctx, merged);
        }
    }

    json_decref(merged);
    json_decref(data);
}


/* strong comparison: a weak tag never matches (RFC 9110 §8.8.3.2) */

static ngx_int_t
ngx_http_yimen_patch_match(ngx_str_t *match, int64_t revision)
{
    size_t   len;
    u_char   tag[NGX_INT64_LEN + 4], *p, *last, *end;

    len = (size_t) (ngx_sprintf(tag, "\"%L\"", revision) - tag);
    p = match->data;
    last = p + match->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        for (end = p; end < last && *end != ','; end++) {
            /* void */
        }

        while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if ((end - p == 1 && *p == '*')
            || ((size_t) (end - p) == len && ngx_memcmp(p, tag, len) == 0))
        {
            return NGX_OK;
        }

        while (p < last && *p != ',') {
            p++;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_http_yimen_patch_stale(ngx_http_yimen_ctx_t *ctx, int64_t revision)
{
    u_char  tag[NGX_INT64_LEN + 4], *last;

    last = ngx_sprintf(tag, "\"%L\"", revision);
    (void) ngx_http_yimen_answer_header(ctx, "ETag",
                                        (struct ym_str){ (char *) tag,
                                                    (size_t) (last - tag) });

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_STALE,
                           "请重新读取记录后再修改",
                           "Read the record again, then change it");
}


/* only `data` and `attachments` can be patched; → a reference to data */

static json_t *
ngx_http_yimen_patch_body(ngx_http_yimen_ctx_t *ctx)
{
    json_t                        *value;
    const char                    *key, *other;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    other = (work->amend != NULL) ? "reason" : "attachments";

    json_object_foreach(ctx->json, key, value) {

        if (ngx_strcmp(key, "data") != 0 && ngx_strcmp(key, other) != 0) {
            ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "",
                                      "unknown_field",
                                      (work->amend != NULL)
                                      ? "只能修改 data"
                                      : "只能修改 data 和 attachments",
                                      (work->amend != NULL)
                                      ? "Only data can be changed"
                                      : "Only data and attachments can be "
                                        "changed");
            return NULL;
        }
    }

    value = json_object_get(ctx->json, "data");

    if (value == NULL && json_object_get(ctx->json, "attachments") != NULL) {
        value = json_object();

        if (value == NULL) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL,
                                   NULL);
        }

        return value;
    }

    if (!json_is_object(value)) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/data",
                                  "required", "缺少 data(JSON 对象)",
                                  "data is missing: a JSON object");
        return NULL;
    }

    return json_incref(value);
}


/* against every system that has or awaits the record */

static ngx_int_t
ngx_http_yimen_patch_check(ngx_http_yimen_ctx_t *ctx, json_t *data)
{
    json_t                        *object;
    ngx_uint_t                     i;
    struct ym_arena               *arena;
    struct ym_problems             problems;
    const struct ym_system        *system;
    ngx_http_yimen_record_t       *record;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    record = &work->record;

    for (i = 0; i < record->count; i++) {
        system = ym_catalog_system(ctx->conf->catalog,
                                   ngx_http_yimen_strz(ctx,
                                               record->deliveries[i].system));

        if (system != NULL && record->deliveries[i].letter != 'w') {
            work->targets.systems[work->targets.count++] = system;
        }
    }

    object = ngx_http_yimen_record_object(ctx, record, record->revision + 1,
                                          data);
    arena = (object != NULL) ? ngx_http_yimen_arena(ctx) : NULL;

    if (arena == NULL) {
        return NGX_ERROR;
    }

    ym_problems_init(&problems, arena);

    if (!ym_check_record(ctx->conf->catalog, work->type, object,
                         &work->targets, true, &problems))
    {
        ngx_http_yimen_problem_check(ctx, &problems);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_patch_revise(ngx_http_yimen_ctx_t *ctx, json_t *data)
{
    char                          *text;
    struct ym_str                  envelope;
    ngx_http_yimen_args_t          args;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    if (ngx_http_yimen_envelope_open(ctx, ym_now_ms()) != NGX_OK) {
        return;
    }

    text = json_dumps(data, JSON_COMPACT);
    ym_buf_adds(&work->envelope, text != NULL ? text : "");
    ym_buf_addc(&work->envelope, '}');

    if (text != NULL && work->envelope.failed == YM_ETOOBIG) {
        free(text);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_TOO_LARGE,
                               "记录最多 1 MiB",
                               "A record has at most 1 MiB");
        return;
    }

    if (text == NULL || work->envelope.failed != YM_OK) {
        free(text);
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    free(text);

    if (ngx_http_yimen_seal(ctx, NGX_HTTP_YIMEN_SEAL_RECORD, ctx->params[0],
                            ym_buf_str(&work->envelope), &envelope)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_REVISE,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg_int(&args, work->record.revision);
    ngx_http_yimen_arg(&args, envelope);
    ngx_http_yimen_arg(&args, ctx->who.subject);

    if (ngx_http_yimen_record_keys(&args, work->type, data) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_arg_int(&args, (int64_t)
                           ym_json_leaves(json_object_get(ctx->json,
                                                          "data")));

    /* what was read goes with its reply: the answer reads anew */

    work->record.deliveries = NULL;
    work->record.id = ctx->params[0];

    if (work->amend != NULL) {
        ngx_http_yimen_amend_noted_first(ctx, &args,
                                         ngx_http_yimen_patch_revised);
        return;
    }

    ngx_http_yimen_attach_then(ctx, ctx->params[0], &args,
                               ngx_http_yimen_patch_revised);
}


/* who wrote which revision, and what it said: by digest */

static void
ngx_http_yimen_patch_noted(ngx_http_yimen_ctx_t *ctx, struct ym_str revision)
{
    u_char                        *p, *last;
    struct ym_str                  digest;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    digest = YM_STR("");

    if (ctx->conf->ring != NULL) {
        (void) ngx_http_yimen_digest(ctx, "record",
                                     ym_buf_str(&work->envelope), &digest);
    }

    p = ngx_pnalloc(ctx->request->pool, revision.n + digest.n + 32);
    if (p == NULL) {
        return;
    }

    last = ngx_sprintf(p, "revision %*s%s%*s", revision.n, revision.p,
                       digest.n ? ", digest " : "", digest.n, digest.p);

    ngx_http_yimen_record_noted(ctx, "revise", ctx->params[0],
                                (struct ym_str){ (char *) p,
                                                 (size_t) (last - p) });
}


static void
ngx_http_yimen_patch_revised(ngx_http_yimen_ctx_t *ctx)
{
    redisReply     *reply;
    struct ym_str   word;

    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    word = ngx_http_yimen_reply_str(reply->element[0]);

    if (ym_str_is(word, "revised") && reply->elements > 1) {
        ngx_http_yimen_patch_noted(ctx,
                                ngx_http_yimen_reply_str(reply->element[1]));
        ngx_http_yimen_record_follow(ctx);
        return;
    }

    if (((ngx_http_yimen_record_work_t *) ctx->work)->amend != NULL) {
        ngx_http_yimen_amend_refused(ctx, word);
    }

    if (ym_str_is(word, "stale") && reply->elements > 1) {
        ngx_http_yimen_patch_stale(ctx,
                                ngx_http_yimen_reply_int(reply->element[1]));

    } else if (ym_str_is(word, "withdrawn")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_WITHDRAWN, NULL, NULL);

    } else {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
    }
}
