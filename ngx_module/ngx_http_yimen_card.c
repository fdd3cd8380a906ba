/* SPDX-License-Identifier: Apache-2.0
 * GET /records/{id}/deliveries/{system}/card: what a system gets of a record,
 * label by label, in its own words.  For a system without an interface this is
 * the card that a person copies from.
 */
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"

#include "ym_json.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_CARD_LABEL  512   /* bytes of a path in the document */


typedef struct {
    struct ym_buf  *out;
    char            label[NGX_HTTP_YIMEN_CARD_LABEL];
    ngx_uint_t      count;
} ngx_http_yimen_card_t;


static void ngx_http_yimen_card_read(ngx_http_yimen_ctx_t *ctx);
static const struct ym_system *
    ngx_http_yimen_card_system(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record,
    const ngx_http_yimen_delivery_t **ret);
static json_t *ngx_http_yimen_card_record(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);
static ngx_int_t ngx_http_yimen_card_tables(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_delivery_t *delivery,
    json_t *record);
static const char *ngx_http_yimen_card_secret(void *data, const char *name);
static void ngx_http_yimen_card_value(ngx_http_yimen_card_t *card, size_t len,
    const json_t *value);
static void ngx_http_yimen_card_below(ngx_http_yimen_card_t *card, size_t len,
    const char *name, const json_t *value);
static void ngx_http_yimen_card_line(ngx_http_yimen_card_t *card, size_t len,
    const json_t *value);


void
ngx_http_yimen_delivery_card(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_card_read);
}


static void
ngx_http_yimen_card_read(ngx_http_yimen_ctx_t *ctx)
{
    json_t                           *record;
    struct ym_buf                    *out;
    const struct ym_system           *system;
    ngx_http_yimen_record_work_t     *work;
    const ngx_http_yimen_delivery_t  *delivery;

    work = ctx->work;
    out = &ctx->out;

    /* it is all personal data: masked it would be of no use */

    if (!ngx_http_yimen_record_owned(ctx, &work->record)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您的角色不能查看此卡片",
                               "Your role does not allow this card");
        return;
    }

    system = ngx_http_yimen_card_system(ctx, &work->record, &delivery);
    if (system == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "这条记录没有送往该系统",
                               "This record has no delivery to that system");
        return;
    }

    record = ngx_http_yimen_card_record(ctx, &work->record);
    if (record == NULL) {
        return;
    }

    ym_buf_adds(out, "{\"system\":");
    ym_buf_add_json(out, ym_str_of(system->id));
    ym_buf_adds(out, ",\"title\":{\"zh\":");
    ym_buf_add_json(out, ym_str_of(system->title_zh));
    ym_buf_adds(out, ",\"en\":");
    ym_buf_add_json(out, ym_str_of(system->title_en));
    ym_buf_addf(out, "},\"revision\":%lld,\"items\":[",
                (long long) work->record.revision);

    if (ngx_http_yimen_card_tables(ctx, system, delivery, record) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_STATE,
                               "这条记录不符合该系统的要求,请先修改记录",
                               "The record does not fit this system; mend the "
                               "record first");
        return;
    }

    ym_buf_adds(out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static const struct ym_system *
ngx_http_yimen_card_system(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record,
    const ngx_http_yimen_delivery_t **ret)
{
    char        *name;
    ngx_uint_t   i;

    for (i = 0; i < record->count; i++) {
        if (ym_str_eq(record->deliveries[i].system, ctx->params[1])) {
            *ret = &record->deliveries[i];
            name = ngx_http_yimen_strz(ctx, ctx->params[1]);
            return name ? ym_catalog_system(ctx->conf->catalog, name) : NULL;
        }
    }

    return NULL;
}


/* what the field tables read; NULL: the request is answered */

static json_t *
ngx_http_yimen_card_record(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    json_t  *data, *object;

    if (ym_json_parse(record->data, &ym_json_defaults, &data, NULL) != YM_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    object = ngx_http_yimen_record_object(ctx, record, record->revision, data);
    json_decref(data);

    return object;
}


static ngx_int_t
ngx_http_yimen_card_tables(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const ngx_http_yimen_delivery_t *delivery,
    json_t *record)
{
    size_t                      i;
    json_t                     *doc;
    ym_status                   rc;
    struct ym_arena            *arena;
    struct ym_map_ctx           map;
    struct ym_problems          problems;
    ngx_http_yimen_card_t       card;
    const struct ym_operation  *create;

    arena = ngx_http_yimen_arena(ctx);
    create = ym_system_operation(system, "create");

    if (arena == NULL || create == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&map, sizeof(struct ym_map_ctx));
    map.record = record;
    map.number = ngx_http_yimen_strz(ctx, delivery->number);
    map.op = "create";
    map.now_ms = ym_now_ms();
    map.attempt = 1;
    map.offset_min = system->settings.offset_min;
    map.vars = ym_yaml_get(system->site, "vars");
    map.secret = ngx_http_yimen_card_secret;
    map.session = ngx_http_yimen_card_secret;

    card.out = &ctx->out;
    card.count = 0;

    for (i = 0; i < create->table_count; i++) {

        if (ngx_strstr(create->tables[i].place, "fields") == NULL) {
            continue;
        }

        ym_problems_init(&problems, arena);
        doc = NULL;
        rc = ym_map_run(create->tables[i].map, &map, arena, &doc, &problems);

        if (rc != YM_OK) {
            return NGX_ERROR;
        }

        ngx_http_yimen_card_value(&card, 0, doc);
        json_decref(doc);
    }

    return NGX_OK;
}


/* that something secret goes there may be seen, never what */

static const char *
ngx_http_yimen_card_secret(void *data, const char *name)
{
    return "***";
}


/* leaves of the document by their path; its depth is that of the table */

static void
ngx_http_yimen_card_value(ngx_http_yimen_card_t *card, size_t len,
    const json_t *value)
{
    char         number[NGX_INT_T_LEN + 1];
    size_t       i;
    json_t      *item;
    const char  *name;

    if (json_is_object(value)) {
        json_object_foreach((json_t *) value, name, item) {
            ngx_http_yimen_card_below(card, len, name, item);
        }

        return;
    }

    if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            *ngx_sprintf((u_char *) number, "%uz", i + 1) = '\0';
            ngx_http_yimen_card_below(card, len, number, item);
        }

        return;
    }

    ngx_http_yimen_card_line(card, len, value);
}


static void
ngx_http_yimen_card_below(ngx_http_yimen_card_t *card, size_t len,
    const char *name, const json_t *value)
{
    size_t  n;

    n = ngx_strlen(name);

    if (len + n + 1 > NGX_HTTP_YIMEN_CARD_LABEL) {
        return;
    }

    if (len) {
        card->label[len++] = '.';
    }

    ngx_memcpy(card->label + len, name, n);
    ngx_http_yimen_card_value(card, len + n, value);
}


static void
ngx_http_yimen_card_line(ngx_http_yimen_card_t *card, size_t len,
    const json_t *value)
{
    char           *text;
    struct ym_buf  *out;

    out = card->out;

    ym_buf_adds(out, card->count++ ? ",{\"label\":" : "{\"label\":");
    ym_buf_add_json(out, (struct ym_str) { card->label, len });
    ym_buf_adds(out, ",\"value\":");

    if (json_is_string(value)) {
        ym_buf_add_json(out, (struct ym_str) { json_string_value(value),
                                               json_string_length(value) });

    } else {
        text = json_dumps(value, JSON_ENCODE_ANY);
        ym_buf_add_json(out, ym_str_of(text));
        free(text);
    }

    ym_buf_addc(out, '}');
}
