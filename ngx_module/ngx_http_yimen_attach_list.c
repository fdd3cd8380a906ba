/* SPDX-License-Identifier: Apache-2.0
 * `attachments` of a record that is filed or changed: each must be the
 * caller's own upload, or the record's already.  They become the record's
 * before it is accepted, so that no crash can leave one that is swept away.
 */
#include "ngx_http_yimen_attach.h"
#include "ngx_http_yimen_sealed.h"


typedef struct {
    struct ym_str               ids[YM_ATTACHMENTS_MAX];
    ngx_uint_t                  count;
    struct ym_str               record;     /* that is changed; "" = a new one */
    ngx_http_yimen_handler_pt   handler;
    ngx_http_yimen_args_t      *then;       /* the call that they wait for */
} ngx_http_yimen_attach_t;


static ngx_http_yimen_attach_t *
    ngx_http_yimen_attach_read(ngx_http_yimen_ctx_t *ctx, json_t *list);
static ngx_int_t ngx_http_yimen_attach_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_attach_t *at, json_t *item);
static void ngx_http_yimen_attach_looked(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_attach_add(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_attach_t *at, ngx_uint_t i, struct ym_str person,
    struct ym_buf *list);
static void ngx_http_yimen_attach_bound(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_attach_fault(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t i, const char *code, const char *zh, const char *en);


void
ngx_http_yimen_attach_resolve(ngx_http_yimen_ctx_t *ctx, struct ym_str record,
    ngx_http_yimen_handler_pt handler)
{
    json_t                        *list;
    ngx_uint_t                     i;
    ngx_http_yimen_args_t         *args;
    ngx_http_yimen_attach_t       *at;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    list = json_object_get(ctx->json, "attachments");

    if (list == NULL) {
        handler(ctx);
        return;
    }

    at = ngx_http_yimen_attach_read(ctx, list);
    if (at == NULL) {
        return;
    }

    at->record = record;
    at->handler = handler;
    work->attach = at;
    work->attachments = YM_STR("");

    if (at->count == 0) {
        handler(ctx);
        return;
    }

    args = ngx_pcalloc(ctx->request->pool,
                       at->count * sizeof(ngx_http_yimen_args_t));
    if (args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    for (i = 0; i < at->count; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_ATTACHMENT_GET,
                                 ngx_http_yimen_record_shard(ctx,
                                                             at->ids[i]));
        ngx_http_yimen_arg(&args[i], at->ids[i]);
    }

    ngx_http_yimen_calls(ctx, args, at->count, ngx_http_yimen_attach_looked);
}


/* [{"id": …}, …]: what else stands there was read from us and is left out */

static ngx_http_yimen_attach_t *
ngx_http_yimen_attach_read(ngx_http_yimen_ctx_t *ctx, json_t *list)
{
    size_t                    i;
    ngx_http_yimen_attach_t  *at;

    if ((!json_is_array(list) && !json_is_null(list))
        || json_array_size(list) > YM_ATTACHMENTS_MAX)
    {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID,
                                  "/attachments", "type",
                                  "attachments 应为最多 20 个 {\"id\": …} "
                                  "的数组",
                                  "attachments is an array of at most 20 "
                                  "{\"id\": …}");
        return NULL;
    }

    at = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_attach_t));
    if (at == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (ngx_http_yimen_attach_id(ctx, at, json_array_get(list, i))
            != NGX_OK)
        {
            return NULL;
        }
    }

    return at;
}


static ngx_int_t
ngx_http_yimen_attach_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_attach_t *at, json_t *item)
{
    ngx_uint_t     i;
    struct ym_str  id;

    id = ym_str_of(ym_json_str(item, "id"));

    if (id.p == NULL || !ym_id_valid(id)
        || ym_id_shard(id.p) >= (unsigned) ctx->conf->catalog->site.shards)
    {
        ngx_http_yimen_attach_fault(ctx, at->count, "format",
                                    "应为附件编号,见 POST /api/v1/attachments",
                                    "An id of POST /api/v1/attachments");
        return NGX_ERROR;
    }

    for (i = 0; i < at->count; i++) {
        if (ym_str_eq(at->ids[i], id)) {
            ngx_http_yimen_attach_fault(ctx, at->count, "duplicate",
                                        "附件重复",
                                        "The same attachment twice");
            return NGX_ERROR;
        }
    }

    at->ids[at->count++] = id;

    return NGX_OK;
}


static void
ngx_http_yimen_attach_looked(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    struct ym_str                  person;
    struct ym_buf                  list;
    ngx_http_yimen_attach_t       *at;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    at = work->attach;
    ym_buf_init(&list, NGX_HTTP_YIMEN_BODY_BYTES);

    if (ngx_http_yimen_attach_person(ctx, &person) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    rc = NGX_OK;

    for (i = 0; i < at->count && rc == NGX_OK; i++) {
        ym_buf_addc(&list, i ? ',' : '[');
        rc = ngx_http_yimen_attach_add(ctx, at, i, person, &list);
    }

    if (rc == NGX_OK) {
        ym_buf_addc(&list, ']');
        work->attachments = ngx_http_yimen_copy(ctx, ym_buf_str(&list));
    }

    if (rc == NGX_OK
        && (list.failed != YM_OK || work->attachments.p == NULL))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        rc = NGX_ERROR;
    }

    ym_buf_wipe(&list);

    if (rc == NGX_OK) {
        at->handler(ctx);
    }
}


static ngx_int_t
ngx_http_yimen_attach_add(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_attach_t *at, ngx_uint_t i, struct ym_str person,
    struct ym_buf *list)
{
    ngx_uint_t      k, mine;
    redisReply     *reply;
    struct ym_str   text;

    reply = ctx->replies[i];
    mine = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3) {
        mine = ym_str_eq(person, ngx_http_yimen_reply_str(reply->element[0]));

        for (k = 3; k < reply->elements && at->record.n; k++) {
            mine |= ym_str_eq(at->record,
                              ngx_http_yimen_reply_str(reply->element[k]));
        }
    }

    if (!mine) {
        ngx_http_yimen_attach_fault(ctx, i, "unknown",
                                    "没有这个附件,或它不是您上传的;"
                                    "请重新上传",
                                    "There is no such attachment of yours: "
                                    "upload it again");
        return NGX_ERROR;
    }

    if (ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_ATTACHMENT, at->ids[i],
                              ngx_http_yimen_reply_str(reply->element[1]),
                              &text)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    ym_buf_add(list, text.p, text.n);

    return NGX_OK;
}


void
ngx_http_yimen_attach_then(ngx_http_yimen_ctx_t *ctx, struct ym_str record,
    const ngx_http_yimen_args_t *call, ngx_http_yimen_handler_pt handler)
{
    ngx_uint_t                     i;
    struct ym_str                  person;
    ngx_http_yimen_args_t         *args;
    ngx_http_yimen_attach_t       *at;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    at = work->attach;

    args = ngx_pcalloc(ctx->request->pool,
                       (1 + YM_ATTACHMENTS_MAX)
                       * sizeof(ngx_http_yimen_args_t));

    if (args == NULL || ngx_http_yimen_attach_person(ctx, &person) != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    args[0] = *call;

    if (at == NULL || at->count == 0) {
        ngx_http_yimen_calls(ctx, args, 1, handler);
        return;
    }

    at->then = &args[0];
    at->handler = handler;

    for (i = 0; i < at->count; i++) {
        ngx_http_yimen_args_init(&args[i + 1], ctx, YM_FN_ATTACHMENT_BIND,
                                 ngx_http_yimen_record_shard(ctx,
                                                             at->ids[i]));
        ngx_http_yimen_arg(&args[i + 1], at->ids[i]);
        ngx_http_yimen_arg(&args[i + 1], person);
        ngx_http_yimen_arg(&args[i + 1], record);
    }

    ngx_http_yimen_calls(ctx, args + 1, at->count,
                         ngx_http_yimen_attach_bound);
}


static void
ngx_http_yimen_attach_bound(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                     i;
    redisReply                    *reply;
    struct ym_str                  word;
    ngx_http_yimen_attach_t       *at;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    at = work->attach;

    for (i = 0; i < at->count; i++) {
        reply = ctx->replies[i];
        word = (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
               ? ngx_http_yimen_reply_str(reply->element[0]) : YM_STR("");

        if (ym_str_is(word, "bound")) {
            continue;
        }

        if (ym_str_is(word, "full")) {
            ngx_http_yimen_attach_fault(ctx, i, "too_many",
                                        "这个附件已属于太多记录,请重新上传",
                                        "Too many records have this one: "
                                        "upload it again");
            return;
        }

        ngx_http_yimen_attach_fault(ctx, i, "unknown",
                                    "附件已过期,请重新上传",
                                    "It is gone: upload it again");
        return;
    }

    ngx_http_yimen_calls(ctx, at->then, 1, at->handler);
}


static void
ngx_http_yimen_attach_fault(ngx_http_yimen_ctx_t *ctx, ngx_uint_t i,
    const char *code, const char *zh, const char *en)
{
    u_char  pointer[32];

    (void) ngx_snprintf(pointer, sizeof(pointer), "/attachments/%ui%Z", i);

    ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, (char *) pointer,
                              code, zh, en);
}
