/* SPDX-License-Identifier: Apache-2.0
 * POST /records: check against every target, then accept, then answer.
 */
#include "ngx_http_yimen_attach.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_codec.h"
#include "ym_json.h"
#include "ym_store.h"
#include "ym_time.h"


static void ngx_http_yimen_create_read(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_create_dry_asked(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t *ret);
static ngx_int_t ngx_http_yimen_create_body(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work);
static ngx_int_t ngx_http_yimen_create_check(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work);
static ngx_int_t ngx_http_yimen_create_idem(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);
static ngx_int_t ngx_http_yimen_create_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work, struct ym_str idem, int64_t now);
static ngx_int_t ngx_http_yimen_create_deliveries(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work);
static ngx_int_t ngx_http_yimen_create_data(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work, int64_t now);
static void ngx_http_yimen_create_accept(ngx_http_yimen_ctx_t *ctx,
    struct ym_str idem);
static void ngx_http_yimen_create_accepted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_create_replayed(ngx_http_yimen_ctx_t *ctx,
    redisReply **e);
static void ngx_http_yimen_create_first(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_create_dry(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_member_text(struct ym_str text,
    struct ym_str name, struct ym_buf *out);
static size_t ngx_http_yimen_token_end(struct ym_str text, size_t i);
static ngx_uint_t ngx_http_yimen_token_names(struct ym_str text, size_t from,
    size_t *end, struct ym_str name);


void
ngx_http_yimen_record_create(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                     dry;
    ngx_http_yimen_record_work_t  *work;

    work = ngx_http_yimen_record_work(ctx);

    if (work == NULL || ngx_http_yimen_create_dry_asked(ctx, &dry) != NGX_OK
        || ngx_http_yimen_create_idem(ctx, &work->idem) != NGX_OK
        || ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_create_body(ctx, work) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_attach_resolve(ctx, YM_STR(""),
                                  ngx_http_yimen_create_read);
}


static ngx_int_t
ngx_http_yimen_create_dry_asked(ngx_http_yimen_ctx_t *ctx, ngx_uint_t *ret)
{
    struct ym_str  arg;

    *ret = 0;

    if (ngx_http_yimen_query(ctx, "dry_run", &arg) != NGX_OK) {
        return NGX_OK;
    }

    *ret = ym_str_is(arg, "true");

    if (*ret || ym_str_is(arg, "false")) {
        return NGX_OK;
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                           "dry_run 只能是 true 或 false",
                           "dry_run is true or false");

    return NGX_ERROR;
}


/* what it consists of is known */

static void
ngx_http_yimen_create_read(ngx_http_yimen_ctx_t *ctx)
{
    int64_t                        now;
    ngx_uint_t                     dry;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    work->record.attachments = work->attachments;
    now = ym_now_ms();

    if (ngx_http_yimen_create_dry_asked(ctx, &dry) != NGX_OK
        || ngx_http_yimen_create_id(ctx, work, work->idem, now) != NGX_OK
        || ngx_http_yimen_create_check(ctx, work) != NGX_OK)
    {
        return;
    }

    if (dry) {
        ngx_http_yimen_create_dry(ctx);
        return;
    }

    if (ngx_http_yimen_create_deliveries(ctx, work) != NGX_OK
        || ngx_http_yimen_create_data(ctx, work, now) != NGX_OK)
    {
        return;
    }

    work->wait = ngx_http_yimen_record_prefer(ctx);
    work->wait_from = ngx_current_msec;
    work->status = NGX_HTTP_CREATED;

    ngx_http_yimen_create_accept(ctx, work->idem);
}


/* anybody may say what is wrong; everything else is for those who file */

void
ngx_http_yimen_feedback_create(ngx_http_yimen_ctx_t *ctx)
{
    if (ym_catalog_type(ctx->conf->catalog, NGX_HTTP_YIMEN_FEEDBACK) == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "本部署没有意见反馈",
                               "This deployment has no feedback");
        return;
    }

    ngx_http_yimen_record_create(ctx);
}


/* {"type", "data", "targets"?, "attachments"?} and nothing else */

static ngx_int_t
ngx_http_yimen_create_body(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work)
{
    json_t      *value;
    const char  *key, *name;

    name = ym_json_str(ctx->json, "type");

    if (ctx->route->handler == ngx_http_yimen_feedback_create) {
        name = NGX_HTTP_YIMEN_FEEDBACK;
    }

    json_object_foreach(ctx->json, key, value) {

        if (ngx_strcmp(key, "type") == 0 || ngx_strcmp(key, "data") == 0
            || ngx_strcmp(key, "targets") == 0
            || ngx_strcmp(key, "attachments") == 0)
        {
            continue;
        }

        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "",
                                  "unknown_field",
                                  "没有这个字段:只有 type、data、targets 和 "
                                  "attachments",
                                  "There is no such field: only type, data, "
                                  "targets and attachments");
        return NGX_ERROR;
    }

    work->type = (name != NULL) ? ym_catalog_type(ctx->conf->catalog, name)
                                : NULL;

    if (work->type == NULL) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/type",
                                  name == NULL ? "required" : "enum",
                                  "没有这种记录类型,见 GET /api/v1/types",
                                  "There is no such type of record: see "
                                  "GET /api/v1/types");
        return NGX_ERROR;
    }

    if (!json_is_object(json_object_get(ctx->json, "data"))) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/data",
                                  "required", "缺少 data(JSON 对象)",
                                  "data is missing: a JSON object");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The key is scoped to its sender.  Lengths go before texts, so that no two
 * pairs make the same digest.
 */
static ngx_int_t
ngx_http_yimen_create_idem(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret)
{
    size_t          i;
    u_char         *text, *last;
    ngx_str_t      *key;
    struct ym_str   subject;

    *ret = YM_STR("");

    key = ngx_http_yimen_header(ctx->request, "idempotency-key");
    if (key == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < key->len; i++) {
        if (key->data[i] <= 0x20 || key->data[i] >= 0x7f) {
            break;
        }
    }

    if (key->len == 0 || key->len > NGX_HTTP_YIMEN_KEY_BYTES || i < key->len) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_KEY,
                               "应为 1 至 200 个可见 ASCII 字符",
                               "1 to 200 visible ASCII characters");
        return NGX_ERROR;
    }

    subject = ctx->who.subject;
    text = ngx_pnalloc(ctx->request->pool,
                       NGX_SIZE_T_LEN + 1 + subject.n + key->len);

    if (text == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    last = ngx_sprintf(text, "%uz:", subject.n);
    last = ngx_cpymem(last, subject.p, subject.n);
    last = ngx_cpymem(last, key->data, key->len);

    if (ngx_http_yimen_digest(ctx, "idempotency",
                              (struct ym_str){ (char *) text,
                                               (size_t) (last - text) }, ret)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the same key always means the same shard: its entry lives there */

static ngx_int_t
ngx_http_yimen_create_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work, struct ym_str idem, int64_t now)
{
    unsigned                    shards, shard;
    ngx_http_yimen_record_t    *record;
    ngx_http_yimen_identity_t  *who;

    who = &ctx->who;
    record = &work->record;
    shards = (unsigned) ctx->conf->catalog->site.shards;
    shard = idem.n ? ym_shard_of(idem, shards)
                   : (unsigned) ngx_random() % shards;

    if (ym_id_make(now, shard, work->id) != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return NGX_ERROR;
    }

    record->id = (struct ym_str){ work->id, YM_ID_LEN };
    record->type = ym_str_of(work->type->name);
    record->owner = who->subject;

    record->org = who->org;
    record->area = who->area;
    record->created = now;
    record->updated = now;
    record->revision = 1;

    /* nobody's superior sees it: it belongs to no unit and no area */

    if (ym_str_is(record->type, NGX_HTTP_YIMEN_FEEDBACK)) {
        record->org = YM_STR("");
        record->area = YM_STR("");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_create_check(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work)
{
    json_t                   *record, *targets;
    struct ym_arena          *arena;
    struct ym_problems        problems;
    const struct ym_catalog  *catalog;

    arena = ngx_http_yimen_arena(ctx);
    if (arena == NULL) {
        return NGX_ERROR;
    }

    record = ngx_http_yimen_record_object(ctx, &work->record, 1,
                                         json_object_get(ctx->json, "data"));
    if (record == NULL) {
        return NGX_ERROR;
    }

    targets = json_object_get(ctx->json, "targets");

    if (targets != NULL && !json_is_array(targets)) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/targets",
                                  "type", "targets 应为系统名称的数组",
                                  "targets is an array of system names");
        return NGX_ERROR;
    }

    catalog = ctx->conf->catalog;
    ym_problems_init(&problems, arena);
    ym_targets_find(catalog, work->type, targets, record, &work->targets,
                    &problems);

    (void) ym_check_record(catalog, work->type, record, &work->targets, false,
                           &problems);

    if (problems.total) {
        ngx_http_yimen_problem_check(ctx, &problems);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_create_dry(ngx_http_yimen_ctx_t *ctx)
{
    size_t                         i;
    ngx_http_yimen_record_work_t  *work = ctx->work;

    ym_buf_adds(&ctx->out, "{\"valid\":true,\"targets\":[");

    for (i = 0; i < work->targets.count; i++) {
        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        ym_buf_add_json(&ctx->out, ym_str_of(work->targets.systems[i]->id));
    }

    ym_buf_adds(&ctx->out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* the deliveries as they are at accept */

static ngx_int_t
ngx_http_yimen_create_deliveries(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work)
{
    size_t                      i, n;
    ngx_http_yimen_delivery_t  *delivery;

    n = work->targets.count;
    delivery = ngx_pcalloc(ctx->request->pool,
                           (n + 1) * sizeof(ngx_http_yimen_delivery_t));
    if (delivery == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        delivery[i].system = ym_str_of(work->targets.systems[i]->id);
        delivery[i].letter = ngx_strcmp(work->targets.systems[i]->transport,
                                        "handoff") == 0 ? 'h' : 'q';
        delivery[i].wanted = 1;
    }

    work->record.deliveries = delivery;
    work->record.count = n;

    return NGX_OK;
}


/* the envelope, with `data` as it was sent, blanks left out */

static ngx_int_t
ngx_http_yimen_create_data(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_record_work_t *work, int64_t now)
{
    char           *text;
    size_t          from;
    ngx_int_t       rc;
    struct ym_buf  *envelope;

    envelope = &work->envelope;

    if (ngx_http_yimen_envelope_open(ctx, now) != NGX_OK) {
        return NGX_ERROR;
    }

    from = envelope->n;
    rc = ngx_http_yimen_member_text(ctx->body, YM_STR("data"), envelope);

    if (rc == NGX_DECLINED) {

        /* its name was written with escapes */

        text = json_dumps(json_object_get(ctx->json, "data"), JSON_COMPACT);
        ym_buf_adds(envelope, text != NULL ? text : "");
        free(text);
        rc = (text != NULL) ? NGX_OK : NGX_ERROR;
    }

    ym_buf_addc(envelope, '}');

    if (rc != NGX_OK || envelope->failed != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    work->record.data = (struct ym_str){ envelope->p + from,
                                         envelope->n - from - 1 };

    return NGX_OK;
}


/*
 * Appends a member of the object text, without blanks between its tokens.
 * text is valid JSON.  NGX_DECLINED: there is no member written so.
 */
static ngx_int_t
ngx_http_yimen_member_text(struct ym_str text, struct ym_str name,
    struct ym_buf *out)
{
    char        c;
    size_t      i, end, from, depth;
    ngx_uint_t  inside;

    depth = 0;
    inside = 0;
    from = 0;

    for (i = 0; i < text.n; i = end) {
        c = text.p[i];
        end = ngx_http_yimen_token_end(text, i);

        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {

            /* what stands between two blanks goes as one piece */

            if (inside) {
                ym_buf_add(out, text.p + from, i - from);
                from = end;
            }

            continue;
        }

        if (inside && depth == 1 && (c == ',' || c == '}')) {
            ym_buf_add(out, text.p + from, i - from);
            return NGX_OK;
        }

        if (!inside && depth == 1 && c == '"'
            && ngx_http_yimen_token_names(text, i, &end, name))
        {
            inside = 1;
            from = end;
        }

        if (c == '{' || c == '[') {
            depth++;

        } else if (c == '}' || c == ']') {
            depth--;
        }
    }

    return NGX_DECLINED;
}


/* behind the string that begins here, or behind this one character */

static size_t
ngx_http_yimen_token_end(struct ym_str text, size_t i)
{
    if (text.p[i] != '"') {
        return i + 1;
    }

    for (i++; i < text.n && text.p[i] != '"'; i++) {
        if (text.p[i] == '\\') {
            i++;
        }
    }

    return i + 1;
}


/*
 * Whether the string from..*end is this name: unlike a value, a name stands
 * before a colon.  *end goes behind that colon.
 */
static ngx_uint_t
ngx_http_yimen_token_names(struct ym_str text, size_t from, size_t *end,
    struct ym_str name)
{
    size_t  i;

    if (*end - from != name.n + 2
        || ngx_memcmp(text.p + from + 1, name.p, name.n) != 0)
    {
        return 0;
    }

    for (i = *end; i < text.n && (text.p[i] == ' ' || text.p[i] == '\t'
                                  || text.p[i] == '\n' || text.p[i] == '\r');
         i++)
    {
        /* void */
    }

    if (i == text.n || text.p[i] != ':') {
        return 0;
    }

    *end = i + 1;

    return 1;
}


static void
ngx_http_yimen_create_accept(ngx_http_yimen_ctx_t *ctx, struct ym_str idem)
{
    ngx_uint_t                     i;
    struct ym_str                  digest, envelope;
    ngx_http_yimen_args_t          args;
    ngx_http_yimen_record_t       *record;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    record = &work->record;

    if (ngx_http_yimen_digest(ctx, "body", ctx->body, &digest) != NGX_OK
        || ngx_http_yimen_seal(ctx, NGX_HTTP_YIMEN_SEAL_RECORD, record->id,
                               ym_buf_str(&work->envelope), &envelope)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCEPT, ym_id_shard(work->id));
    ngx_http_yimen_arg(&args, record->id);
    ngx_http_yimen_arg(&args, envelope);
    ngx_http_yimen_arg(&args, record->type);
    ngx_http_yimen_arg(&args, record->owner);
    ngx_http_yimen_arg(&args, record->org);
    ngx_http_yimen_arg(&args, record->area);
    ngx_http_yimen_arg(&args, idem);
    ngx_http_yimen_arg(&args, digest);
    ngx_http_yimen_arg_int(&args, (int64_t) record->count);

    for (i = 0; i < record->count; i++) {
        ngx_http_yimen_arg(&args, record->deliveries[i].system);
        ngx_http_yimen_arg(&args, record->deliveries[i].letter == 'h'
                                  ? YM_STR("h") : YM_STR("q"));
    }

    if (ngx_http_yimen_record_keys(&args, work->type,
                                   json_object_get(ctx->json, "data"))
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_arg_int(&args, (int64_t)
                           ym_json_leaves(json_object_get(ctx->json,
                                                          "data")));

    ngx_http_yimen_attach_then(ctx, record->id, &args,
                               ngx_http_yimen_create_accepted);
}


static void
ngx_http_yimen_create_accepted(ngx_http_yimen_ctx_t *ctx)
{
    redisReply                    *reply;
    struct ym_str                  word;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    word = ngx_http_yimen_reply_str(reply->element[0]);

    if (ym_str_is(word, "created")) {
        ngx_http_yimen_count(accepted);

        if (reply->elements > 2) {
            work->record.created = ngx_http_yimen_reply_int(reply->element[2]);
            work->record.updated = work->record.created;
        }

        if (work->wait) {
            ngx_http_yimen_record_follow(ctx);
            return;
        }

        ngx_http_yimen_record_answer(ctx, &work->record);
        return;
    }

    if (ym_str_is(word, "replayed") && reply->elements > 2) {
        ngx_http_yimen_create_replayed(ctx, reply->element);
        return;
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_KEY_REUSED,
                           "请换一个新的 Idempotency-Key",
                           "Use a new Idempotency-Key for other content");
}


/* the first answer again; with Prefer: wait, the record as it is now */

static void
ngx_http_yimen_create_replayed(ngx_http_yimen_ctx_t *ctx, redisReply **e)
{
    struct ym_str                  id;
    ngx_http_yimen_args_t          args;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    id = ngx_http_yimen_reply_str(e[1]);

    if (!ym_id_valid(id)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_count(replayed);

    ngx_memcpy(work->id, id.p, YM_ID_LEN);
    work->record.created = ngx_http_yimen_reply_int(e[2]);

    (void) ngx_http_yimen_answer_header(ctx, "Idempotent-Replayed",
                                        YM_STR("true"));

    if (work->wait) {
        ngx_http_yimen_record_follow(ctx);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_GET, ym_id_shard(work->id));
    ngx_http_yimen_arg(&args, work->record.id);
    ngx_http_yimen_arg(&args, YM_STR("1"));

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_create_first);
}


static void
ngx_http_yimen_create_first(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                     i;
    const struct ym_system        *system;
    ngx_http_yimen_record_t        record;
    ngx_http_yimen_delivery_t     *delivery;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    if (ngx_http_yimen_record_read(ctx, ctx->replies[0], work->record.id,
                                   &record)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    record.revision = 1;
    record.updated = record.created;
    record.withdrawn = 0;

    for (i = 0; i < record.count; i++) {
        delivery = &record.deliveries[i];
        system = ym_catalog_system(ctx->conf->catalog,
                                   ngx_http_yimen_strz(ctx, delivery->system));

        delivery->letter = (system != NULL
                            && ngx_strcmp(system->transport, "handoff") == 0)
                           ? 'h' : 'q';
        delivery->wanted = 1;
        delivery->has = 0;
        delivery->attempts = 0;
        delivery->next_ms = 0;
        delivery->number = YM_STR("");
        delivery->digest = YM_STR("");
        delivery->problem = YM_STR("");
    }

    ngx_http_yimen_record_answer(ctx, &record);
}
