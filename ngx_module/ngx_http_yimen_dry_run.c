/* SPDX-License-Identifier: Apache-2.0
 * POST /systems/{id}/render: what a system would get of a record, and where
 * each value comes from.  Nothing is sent, no secret is read, and personal
 * data of a stored record is hidden from those who see that record masked.
 */
#include "ngx_http_yimen_adapter.h"
#include "ngx_http_yimen_records.h"

#include "ym_fields.h"
#include "ym_json.h"
#include "ym_time.h"


/* values that one dry run shows */
#define NGX_HTTP_YIMEN_DRY_MAX  2000


typedef struct {
    const struct ym_system     *system;
    const struct ym_operation  *op;
    const struct ym_type       *type;
    const struct ym_map        *map;       /* under way */
    ngx_http_yimen_ctx_t       *ctx;
    struct ym_problems          problems;
    const char                 *place;
    const char                 *number;
    ngx_uint_t                  count;
    unsigned                    masked:1;
} ngx_http_yimen_dry_t;


static void ngx_http_yimen_dry_stored(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_dry_given(ngx_http_yimen_ctx_t *ctx,
    json_t *data);
static ngx_int_t ngx_http_yimen_dry_open(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_dry_t *dry);
static void ngx_http_yimen_dry_run(ngx_http_yimen_dry_t *dry,
    json_t *record);
static void ngx_http_yimen_dry_judge(ngx_http_yimen_dry_t *dry,
    json_t *record);
static void ngx_http_yimen_dry_seen(void *data, const struct ym_yaml *field,
    const char *pointer, const json_t *value);
static ngx_uint_t ngx_http_yimen_dry_personal(ngx_http_yimen_dry_t *dry,
    const struct ym_yaml *field);
static ngx_uint_t ngx_http_yimen_dry_masks(const struct ym_system *system,
    const char *to);
static const char *ngx_http_yimen_dry_secret(void *data, const char *name);


void
ngx_http_yimen_system_render(ngx_http_yimen_ctx_t *ctx)
{
    json_t      *data, *value;
    const char  *key, *id;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_adapter_named(ctx) == NULL)
    {
        return;
    }

    json_object_foreach(ctx->json, key, value) {

        if (ngx_strcmp(key, "record") != 0 && ngx_strcmp(key, "type") != 0
            && ngx_strcmp(key, "data") != 0
            && ngx_strcmp(key, "operation") != 0)
        {
            ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "",
                                      "unknown_field",
                                      "只有 record、type、data 和 operation",
                                      "Only record, type, data and "
                                      "operation");
            return;
        }
    }

    id = ym_json_str(ctx->json, "record");
    data = json_object_get(ctx->json, "data");

    if ((id != NULL) == json_is_object(data)) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/record",
                                  "required",
                                  "请给出 record(记录编号)或 data 之一",
                                  "Give either record (an id) or data");
        return;
    }

    if (id == NULL) {
        ngx_http_yimen_dry_given(ctx, data);
        return;
    }

    if (!ym_id_valid(ym_str_of(id))
        || ym_id_shard(id) >= (unsigned) ctx->conf->catalog->site.shards)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    /* as if the record were what was asked for */

    ctx->params[1] = ctx->params[0];
    ctx->params[0] = ym_str_of(id);

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_dry_stored);
}


static void
ngx_http_yimen_dry_stored(ngx_http_yimen_ctx_t *ctx)
{
    json_t                        *data, *record;
    ngx_uint_t                     i;
    ngx_http_yimen_dry_t           dry;
    ngx_http_yimen_record_t       *stored;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    stored = &work->record;

    if (ngx_http_yimen_record_of_others(ctx, stored)) {
        ngx_http_yimen_record_noted(ctx, "read", ctx->params[0],
                                    YM_STR("dry run"));
    }

    ctx->params[0] = ctx->params[1];

    if (ngx_http_yimen_dry_open(ctx, &dry) != NGX_OK) {
        return;
    }

    dry.type = work->type;
    dry.masked = !ngx_http_yimen_record_owned(ctx, stored);

    for (i = 0; i < stored->count; i++) {
        if (ym_str_is(stored->deliveries[i].system, dry.system->id)) {
            dry.number = ngx_http_yimen_strz(ctx,
                                             stored->deliveries[i].number);
        }
    }

    if (dry.type == NULL
        || ym_json_parse(stored->data, &ym_json_defaults, &data, NULL)
           != YM_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    record = ngx_http_yimen_record_object(ctx, stored, stored->revision,
                                          data);
    json_decref(data);

    if (record != NULL) {
        ngx_http_yimen_dry_run(&dry, record);
    }
}


/* data that the caller has: nothing of it is hidden */

static void
ngx_http_yimen_dry_given(ngx_http_yimen_ctx_t *ctx, json_t *data)
{
    json_t                   *record;
    const char               *type;
    ngx_http_yimen_dry_t      dry;
    ngx_http_yimen_record_t   made;

    if (ngx_http_yimen_dry_open(ctx, &dry) != NGX_OK) {
        return;
    }

    type = ym_json_str(ctx->json, "type");

    if (type == NULL && dry.system->takes != NULL) {
        type = dry.system->takes[0];
    }

    dry.type = (type != NULL) ? ym_catalog_type(ctx->conf->catalog, type)
                              : NULL;

    if (dry.type == NULL) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/type",
                                  "enum", "没有这种记录类型",
                                  "There is no such type of record");
        return;
    }

    ngx_memzero(&made, sizeof(ngx_http_yimen_record_t));
    made.id = YM_STR("00000000000000000000000000");
    made.type = ym_str_of(dry.type->name);
    made.owner = ctx->who.subject;
    made.org = ctx->who.org;
    made.area = ctx->who.area;
    made.created = ym_now_ms();
    made.updated = made.created;
    made.revision = 1;

    record = ngx_http_yimen_record_object(ctx, &made, 1, data);

    if (record != NULL) {
        ngx_http_yimen_dry_run(&dry, record);
    }
}


static ngx_int_t
ngx_http_yimen_dry_open(ngx_http_yimen_ctx_t *ctx, ngx_http_yimen_dry_t *dry)
{
    const char  *name;

    ngx_memzero(dry, sizeof(ngx_http_yimen_dry_t));

    dry->ctx = ctx;
    dry->number = "";
    dry->system = ngx_http_yimen_adapter_named(ctx);

    if (dry->system == NULL || ngx_http_yimen_arena(ctx) == NULL) {
        return NGX_ERROR;
    }

    name = ym_json_str(ctx->json, "operation");
    dry->op = ym_system_operation(dry->system, name ? name : "create");

    if (dry->op == NULL) {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/operation",
                                  "enum", "该系统没有这个操作",
                                  "The system has no such operation");
        return NGX_ERROR;
    }

    ym_problems_init(&dry->problems, ctx->arena);

    return NGX_OK;
}


static void
ngx_http_yimen_dry_run(ngx_http_yimen_dry_t *dry, json_t *record)
{
    size_t                 i;
    json_t                *doc;
    struct ym_buf         *out;
    struct ym_map_ctx      map;
    struct ym_problems     again;
    ngx_http_yimen_ctx_t  *ctx;

    ctx = dry->ctx;
    out = &ctx->out;

    ngx_memzero(&map, sizeof(struct ym_map_ctx));
    map.record = record;
    map.number = dry->number;
    map.op = (ngx_strcmp(dry->op->name, "update") == 0
              || ngx_strcmp(dry->op->name, "withdraw") == 0) ? dry->op->name
                                                             : "create";
    map.now_ms = ym_now_ms();
    map.attempt = 1;
    map.offset_min = dry->system->settings.offset_min;
    map.vars = ym_yaml_get(dry->system->site, "vars");
    map.secret = ngx_http_yimen_dry_secret;
    map.session = ngx_http_yimen_dry_secret;
    map.seen = ngx_http_yimen_dry_seen;
    map.seen_data = dry;

    ym_buf_adds(out, "{\"system\":");
    ym_buf_add_json(out, ym_str_of(dry->system->id));
    ym_buf_adds(out, ",\"operation\":");
    ym_buf_add_json(out, ym_str_of(dry->op->name));
    ym_buf_adds(out, ",\"type\":");
    ym_buf_add_json(out, ym_str_of(dry->type->name));
    ym_buf_addf(out, ",\"masked\":%s,\"fields\":[",
                dry->masked ? "true" : "false");

    for (i = 0; i < dry->op->table_count; i++) {
        dry->map = dry->op->tables[i].map;
        dry->place = dry->op->tables[i].place;
        doc = NULL;

        /* what it objects to is told by the check, in the system's name */

        ym_problems_init(&again, ctx->arena);
        (void) ym_map_run(dry->map, &map, ctx->arena, &doc, &again);
        json_decref(doc);
    }

    ngx_http_yimen_dry_judge(dry, record);

    ym_buf_adds(out, "],\"errors\":[");
    ngx_http_yimen_problem_list(ctx, &dry->problems);
    ym_buf_addf(out, "],\"valid\":%s}\n",
                dry->problems.total ? "false" : "true");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* what filing it for this system would be answered with */

static void
ngx_http_yimen_dry_judge(ngx_http_yimen_dry_t *dry, json_t *record)
{
    struct ym_targets  target;

    target.systems[0] = dry->system;
    target.count = 1;

    (void) ym_check_record(dry->ctx->conf->catalog, dry->type, record,
                           &target, ngx_strcmp(dry->op->name, "update") == 0,
                           &dry->problems);
}


/* a field has a value: all of its leaves are where that comes from */

static void
ngx_http_yimen_dry_seen(void *data, const struct ym_yaml *field,
    const char *pointer, const json_t *value)
{
    size_t                     i, n;
    struct ym_buf             *out;
    ngx_http_yimen_dry_t      *dry = data;
    const struct ym_map_leaf  *leaf;

    out = &dry->ctx->out;

    if (dry->count == NGX_HTTP_YIMEN_DRY_MAX) {
        return;
    }

    ym_buf_adds(out, dry->count++ ? ",{\"table\":" : "{\"table\":");
    ym_buf_add_json(out, ym_str_of(dry->place));
    ym_buf_adds(out, ",\"pointer\":");
    ym_buf_add_json(out, ym_str_of(pointer));
    ym_buf_adds(out, ",\"value\":");

    if (dry->masked && ngx_http_yimen_dry_personal(dry, field)) {
        ym_buf_adds(out, "\"***\"");

    } else {
        (void) json_dump_callback(value, ngx_http_yimen_adapter_write, out,
                                  JSON_COMPACT|JSON_ENCODE_ANY);
    }

    ym_buf_adds(out, ",\"sources\":[");
    n = 0;

    for (i = 0; i < ym_map_leaf_count(dry->map); i++) {
        leaf = ym_map_leaf_at(dry->map, i);

        if (leaf->at == field) {
            ym_buf_adds(out, n++ ? ",{\"table\":" : "{\"table\":");
            ym_buf_add_json(out, ym_str_of(dry->place));
            ngx_http_yimen_adapter_leaf(dry->ctx, dry->system, leaf);
            ym_buf_addc(out, '}');
        }
    }

    ym_buf_adds(out, "]}");
}


/* what the type marks, what it does not know, and what the adapter masks */

static ngx_uint_t
ngx_http_yimen_dry_personal(ngx_http_yimen_dry_t *dry,
    const struct ym_yaml *field)
{
    size_t                     i;
    const struct ym_map_leaf  *leaf;

    for (i = 0; i < ym_map_leaf_count(dry->map); i++) {
        leaf = ym_map_leaf_at(dry->map, i);

        if (leaf->at != field) {
            continue;
        }

        if (ngx_http_yimen_dry_masks(dry->system, leaf->to)
            || (leaf->pointer != NULL
                && ngx_strncmp(leaf->pointer, "/attachments", 12) == 0)
            || (leaf->pointer != NULL
                && ngx_strncmp(leaf->pointer, "/data", 5) == 0
                && (leaf->pointer[5] != '/'
                    || ym_field_sensitive(dry->type, leaf->pointer + 5))))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_yimen_dry_masks(const struct ym_system *system, const char *to)
{
    const struct ym_yaml  *v;

    v = ym_yaml_get(system->node, "masks");

    for (v = v ? v->child : NULL; v != NULL; v = v->next) {
        if (ym_str_is(v->text, to)) {
            return 1;
        }
    }

    return 0;
}


static const char *
ngx_http_yimen_dry_secret(void *data, const char *name)
{
    return "***";
}
