/* SPDX-License-Identifier: Apache-2.0
 * What creating, changing and reading a record share: fetch, follow, answer.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_store.h"
#include "ym_time.h"


/* first pause between two looks of a waiting client, doubled up to the last */
#define NGX_HTTP_YIMEN_WAIT_FIRST  25
#define NGX_HTTP_YIMEN_WAIT_LAST   250

/* of one record, as the store takes them */
#define NGX_HTTP_YIMEN_KEYS        64

/* "at" and "by" around the data, which a merge may have made a little longer */
#define NGX_HTTP_YIMEN_ENVELOPE_BYTES  (NGX_HTTP_YIMEN_BODY_BYTES + 32768)


typedef struct {
    ngx_http_yimen_ctx_t  *ctx;
    const char            *name;
    struct ym_str          names[NGX_HTTP_YIMEN_KEYS];
    struct ym_str          digests[NGX_HTTP_YIMEN_KEYS];
    ngx_uint_t             count;
    unsigned               failed:1;
} ngx_http_yimen_keys_t;


/* a fetch that is under way: in front of the handler's own work */
typedef struct {
    ngx_http_yimen_record_work_t   work;
    ngx_http_yimen_handler_pt      handler;
    ngx_uint_t                     change;
} ngx_http_yimen_fetch_t;


static void ngx_http_yimen_record_work_close(void *data);
static void ngx_http_yimen_record_fetched(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_record_refused(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_record_followed(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_record_lost(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_record_attachments(
    const ngx_http_yimen_record_t *record, json_t *object);
static void ngx_http_yimen_record_key(void *data, const char *value);


ngx_http_yimen_record_work_t *
ngx_http_yimen_record_work(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_yimen_fetch_t  *fetch;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_fetch_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    fetch = cln->data;
    ngx_memzero(fetch, sizeof(ngx_http_yimen_fetch_t));
    ym_buf_init(&fetch->work.envelope, NGX_HTTP_YIMEN_ENVELOPE_BYTES);
    fetch->work.status = NGX_HTTP_OK;
    fetch->work.wait_step = NGX_HTTP_YIMEN_WAIT_FIRST;

    cln->handler = ngx_http_yimen_record_work_close;
    ctx->work = fetch;

    return &fetch->work;
}


static void
ngx_http_yimen_record_work_close(void *data)
{
    ngx_http_yimen_fetch_t  *fetch = data;

    ym_buf_clear(&fetch->work.envelope);
}


ngx_uint_t
ngx_http_yimen_record_shard(ngx_http_yimen_ctx_t *ctx, struct ym_str id)
{
    char  text[YM_ID_LEN + 1];

    (void) ngx_cpystrn((u_char *) text, (u_char *) (uintptr_t) id.p,
                       YM_ID_LEN + 1);

    return ym_id_shard(text);
}


void
ngx_http_yimen_record_fetch(ngx_http_yimen_ctx_t *ctx, ngx_uint_t change,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_args_t    args[2];
    ngx_http_yimen_fetch_t  *fetch;

    if (ctx->work == NULL && ngx_http_yimen_record_work(ctx) == NULL) {
        return;
    }

    fetch = ctx->work;
    fetch->handler = handler;
    fetch->change = change;

    ngx_http_yimen_args_init(&args[0], ctx, YM_FN_GET,
                             ngx_http_yimen_record_shard(ctx,
                                                         ctx->params[0]));
    ngx_http_yimen_arg(&args[0], ctx->params[0]);
    ngx_http_yimen_arg(&args[0], YM_STR("0"));

    ngx_http_yimen_systems_args(ctx, &args[1]);

    ngx_http_yimen_calls(ctx, args, 2, ngx_http_yimen_record_fetched);
}


static void
ngx_http_yimen_record_fetched(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_uint_t                seen;
    ngx_http_yimen_fetch_t   *fetch;
    ngx_http_yimen_record_t  *record;

    fetch = ctx->work;
    record = &fetch->work.record;

    ngx_http_yimen_systems_heard(ctx, ctx->replies[1]);

    rc = ngx_http_yimen_record_read(ctx, ctx->replies[0], ctx->params[0],
                                    record);
    if (rc == NGX_ERROR) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    /* what one may not see does not exist */

    seen = 0;

    if (rc == NGX_OK) {
        seen = fetch->change ? ngx_http_yimen_record_owned(ctx, record)
                             : ngx_http_yimen_record_visible(ctx, record);
    }

    if (!seen) {
        if (rc == NGX_OK) {
            ngx_http_yimen_record_refused(ctx);
        }

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    fetch->work.type = ym_catalog_type(ctx->conf->catalog,
                                       ngx_http_yimen_strz(ctx,
                                                           record->type));
    fetch->handler(ctx);
}


static void
ngx_http_yimen_record_refused(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_noted(ctx, "access_refused", ctx->params[0],
                                YM_STR("record of others"));
}


void
ngx_http_yimen_record_noted(ngx_http_yimen_ctx_t *ctx, const char *what,
    struct ym_str id, struct ym_str why)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = what;
    e.who = ctx->who.subject;
    e.id = id;
    e.why = why;

    ngx_http_yimen_evidence(ctx->request, &e);
}


ngx_uint_t
ngx_http_yimen_record_of_others(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    return !ym_str_eq(record->owner, ctx->who.subject)
           && ngx_http_yimen_record_owned(ctx, record);
}


void
ngx_http_yimen_record_answer(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    u_char                         text[64], *last;
    ngx_uint_t                     masked;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    masked = !ngx_http_yimen_record_owned(ctx, record);

    ngx_http_yimen_record_write(ctx, record, masked);
    ym_buf_addc(&ctx->out, '\n');

    last = ngx_sprintf(text, "\"%L\"", record->revision);
    (void) ngx_http_yimen_answer_header(ctx, "ETag",
                                        (struct ym_str){ (char *) text,
                                                   (size_t) (last - text) });

    if (work->status == NGX_HTTP_CREATED) {
        last = ngx_sprintf(text, "/api/v1/records/%*s", record->id.n,
                           record->id.p);
        (void) ngx_http_yimen_answer_header(ctx, "Location",
                                            (struct ym_str){ (char *) text,
                                                   (size_t) (last - text) });
    }

    if (work->wait) {
        last = ngx_sprintf(text, "wait=%ui", work->wait);
        (void) ngx_http_yimen_answer_header(ctx, "Preference-Applied",
                                            (struct ym_str){ (char *) text,
                                                   (size_t) (last - text) });
    }

    ngx_http_yimen_answer(ctx, work->status, NULL);
}


ngx_uint_t
ngx_http_yimen_record_prefer(ngx_http_yimen_ctx_t *ctx)
{
    u_char      *p, *last;
    ngx_str_t   *prefer;
    ngx_uint_t   n;

    prefer = ngx_http_yimen_header(ctx->request, "prefer");
    if (prefer == NULL) {
        return 0;
    }

    p = prefer->data;
    last = p + prefer->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == ',' || *p == '\t')) {
            p++;
        }

        if (last - p > 5 && ngx_strncasecmp(p, (u_char *) "wait=", 5) == 0) {
            n = 0;

            for (p += 5; p < last && *p >= '0' && *p <= '9'; p++) {
                n = ngx_min(n * 10 + (ngx_uint_t) (*p - '0'),
                            NGX_HTTP_YIMEN_WAIT_MAX);
            }

            return n;
        }

        while (p < last && *p != ',') {
            p++;
        }
    }

    return 0;
}


void
ngx_http_yimen_record_follow(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t          args[2];
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    /* it is accepted: trouble from here on must not hide that */

    if (work->record.deliveries != NULL) {
        ctx->on_trouble = ngx_http_yimen_record_lost;
    }

    ngx_http_yimen_args_init(&args[0], ctx, YM_FN_GET,
                             ngx_http_yimen_record_shard(ctx,
                                                         work->record.id));
    ngx_http_yimen_arg(&args[0], work->record.id);
    ngx_http_yimen_arg(&args[0], YM_STR("0"));

    ngx_http_yimen_systems_args(ctx, &args[1]);

    ngx_http_yimen_calls(ctx, args, 2, ngx_http_yimen_record_followed);
}


static void
ngx_http_yimen_record_followed(ngx_http_yimen_ctx_t *ctx)
{
    ngx_msec_t                     passed, pause;
    ngx_http_yimen_record_t        record;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    ngx_http_yimen_systems_heard(ctx, ctx->replies[1]);

    if (ngx_http_yimen_record_read(ctx, ctx->replies[0], work->record.id,
                                   &record)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    passed = ngx_current_msec - work->wait_from;

    if (ngx_http_yimen_record_settled(&record)
        || passed >= work->wait * 1000 || ngx_exiting)
    {
        ngx_http_yimen_record_answer(ctx, &record);
        return;
    }

    pause = ngx_min(work->wait_step, work->wait * 1000 - passed);
    work->wait_step = ngx_min(2 * work->wait_step, NGX_HTTP_YIMEN_WAIT_LAST);

    ngx_http_yimen_later(ctx, pause, ngx_http_yimen_record_follow);
}


static void
ngx_http_yimen_record_lost(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    ngx_http_yimen_record_answer(ctx, &work->record);
}


ngx_int_t
ngx_http_yimen_envelope_open(ngx_http_yimen_ctx_t *ctx, int64_t now)
{
    struct ym_buf                 *out;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    out = &work->envelope;

    ym_buf_reset(out);
    ym_buf_adds(out, "{\"at\":");
    ngx_http_yimen_time_write(out, now);
    ym_buf_adds(out, ",\"by\":");
    ym_buf_add_json(out, ctx->who.subject);

    if (work->reason.n) {
        ym_buf_adds(out, ",\"reason\":");
        ym_buf_add_json(out, work->reason);
    }

    if (work->record.attachments.n) {
        ngx_http_yimen_attachments_write(out, work->record.attachments, 0);
    }

    ym_buf_adds(out, ",\"data\":");

    if (out->failed != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* keyed, so that nobody can try all telephone numbers against Redis */

ngx_int_t
ngx_http_yimen_key_digest(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str value, struct ym_str *ret)
{
    u_char  label[128], *last;

    last = ngx_snprintf(label, sizeof(label) - 1, "key:%s", name);
    *last = '\0';

    return ngx_http_yimen_digest(ctx, (char *) label, value, ret);
}


ngx_int_t
ngx_http_yimen_record_keys(ngx_http_yimen_args_t *args,
    const struct ym_type *type, const json_t *data)
{
    size_t                  k;
    ngx_uint_t              i;
    ngx_http_yimen_keys_t  *keys;

    keys = ngx_pcalloc(args->ctx->request->pool,
                       sizeof(ngx_http_yimen_keys_t));
    if (keys == NULL) {
        return NGX_ERROR;
    }

    keys->ctx = args->ctx;

    for (k = 0; k < type->key_count; k++) {
        keys->name = type->keys[k].name;
        ym_type_key_values(type, &type->keys[k], data,
                           ngx_http_yimen_record_key, keys);
    }

    if (keys->failed) {
        return NGX_ERROR;
    }

    ngx_http_yimen_arg_int(args, (int64_t) keys->count);

    for (i = 0; i < keys->count; i++) {
        ngx_http_yimen_arg(args, keys->names[i]);
        ngx_http_yimen_arg(args, keys->digests[i]);
    }

    return NGX_OK;
}


/* the first 64 values of a record can be searched for */

static void
ngx_http_yimen_record_key(void *data, const char *value)
{
    ngx_http_yimen_keys_t  *keys = data;

    if (keys->count == NGX_HTTP_YIMEN_KEYS || value[0] == '\0') {
        return;
    }

    if (ngx_http_yimen_key_digest(keys->ctx, keys->name, ym_str_of(value),
                                  &keys->digests[keys->count])
        != NGX_OK)
    {
        keys->failed = 1;
        return;
    }

    keys->names[keys->count++] = ym_str_of(keys->name);
}


json_t *
ngx_http_yimen_record_object(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record, int64_t revision, json_t *data)
{
    char  created[YM_TIME_TEXT], updated[YM_TIME_TEXT];

    ym_time_format(record->created, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN,
                   created);
    ym_time_format(record->updated, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN,
                   updated);

    json_decref(ctx->record);

    ctx->record = json_pack("{s:s%, s:s%, s:I, s:s%, s:s%, s:s%, s:s, s:s, "
                            "s:O}",
                            "id", record->id.p, record->id.n,
                            "type", record->type.p, record->type.n,
                            "revision", (json_int_t) revision,
                            "owner", record->owner.p, record->owner.n,
                            "org", record->org.p, record->org.n,
                            "area", record->area.p, record->area.n,
                            "created_at", created,
                            "updated_at", updated,
                            "data", data);

    if (ctx->record == NULL
        || ngx_http_yimen_record_attachments(record, ctx->record) != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    return ctx->record;
}


static ngx_int_t
ngx_http_yimen_record_attachments(const ngx_http_yimen_record_t *record,
    json_t *object)
{
    json_t  *list;

    list = NULL;

    if (record->attachments.n == 0) {
        return NGX_OK;
    }

    if (ym_json_parse(record->attachments, &ym_json_defaults, &list, NULL)
        != YM_OK)
    {
        return NGX_ERROR;
    }

    return json_object_set_new(object, "attachments", list) == 0 ? NGX_OK
                                                                 : NGX_ERROR;
}


ngx_int_t
ngx_http_yimen_reason(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret)
{
    const char  *reason;

    reason = ym_json_str(ctx->json, "reason");

    if (reason == NULL || reason[0] == '\0'
        || ym_utf8_length(reason, ngx_strlen(reason))
           > NGX_HTTP_YIMEN_REASON_MAX)
    {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/reason",
                                  "required",
                                  "请填写原因(1 至 500 个字符)",
                                  "Give a reason of 1 to 500 characters");
        return NGX_ERROR;
    }

    if (ngx_http_yimen_seal_text(ctx, NGX_HTTP_YIMEN_SEAL_WHY, YM_STR(""),
                                 ym_str_of(reason), ret)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}
