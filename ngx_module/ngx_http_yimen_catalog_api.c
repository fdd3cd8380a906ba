/* SPDX-License-Identifier: Apache-2.0
 * What a deployment declares, for forms and clients: types and code tables.
 */
#include "ngx_http_yimen_route.h"

#include "ym_time.h"


static int ngx_http_yimen_json_write(const char *text, size_t n, void *data);
static void ngx_http_yimen_code_write(struct ym_buf *out,
    const struct ym_code *code);
static void ngx_http_yimen_text_write(struct ym_buf *out, const char *name,
    const char *text);


void
ngx_http_yimen_types_list(ngx_http_yimen_ctx_t *ctx)
{
    size_t                    i;
    struct ym_buf            *out;
    const struct ym_type     *type;
    const struct ym_catalog  *catalog;

    out = &ctx->out;
    catalog = ctx->conf->catalog;

    ym_buf_adds(out, "{\"items\":[");

    for (i = 0; i < catalog->type_count; i++) {
        type = &catalog->types[i];

        ym_buf_adds(out, i ? ",{\"name\":" : "{\"name\":");
        ym_buf_add_json(out, ym_str_of(type->name));
        ym_buf_adds(out, ",\"title\":{\"zh\":");
        ym_buf_add_json(out, ym_str_of(type->title_zh));
        ym_buf_adds(out, ",\"en\":");
        ym_buf_add_json(out, ym_str_of(type->title_en));
        ym_buf_adds(out, "}}");
    }

    ym_buf_adds(out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


void
ngx_http_yimen_type_get(ngx_http_yimen_ctx_t *ctx)
{
    char                  *name;
    const struct ym_type  *type;

    name = ngx_http_yimen_strz(ctx, ctx->params[0]);
    type = (name != NULL) ? ym_catalog_type(ctx->conf->catalog, name) : NULL;

    if (type == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这种记录类型",
                               "There is no such type of record");
        return;
    }

    (void) json_dump_callback(type->json, ngx_http_yimen_json_write,
                              &ctx->out, JSON_COMPACT);

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, "application/schema+json");
}


static int
ngx_http_yimen_json_write(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}


void
ngx_http_yimen_codes_get(ngx_http_yimen_ctx_t *ctx)
{
    char                        *name;
    size_t                       i;
    struct ym_buf               *out;
    const struct ym_code_table  *table;

    out = &ctx->out;
    name = ngx_http_yimen_strz(ctx, ctx->params[0]);
    table = (name != NULL) ? ym_catalog_table(ctx->conf->catalog, name) : NULL;

    if (table == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这个代码表",
                               "There is no such code table");
        return;
    }

    ym_buf_adds(out, "{\"table\":");
    ym_buf_add_json(out, ym_str_of(table->name));
    ym_buf_adds(out, ",\"items\":[");

    for (i = 0; i < table->count; i++) {
        if (i) {
            ym_buf_addc(out, ',');
        }

        ngx_http_yimen_code_write(out, &table->codes[i]);
    }

    ym_buf_adds(out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_code_write(struct ym_buf *out, const struct ym_code *code)
{
    char  day[YM_TIME_TEXT];

    ym_buf_adds(out, "{\"code\":");
    ym_buf_add_json(out, ym_str_of(code->code));
    ngx_http_yimen_text_write(out, "label", code->label);
    ngx_http_yimen_text_write(out, "label_en", code->label_en);
    ngx_http_yimen_text_write(out, "parent", code->parent);

    if (code->valid_from) {
        ym_time_format(code->valid_from, YM_TIME_DATE, YM_CHINA_OFFSET_MIN,
                       day);
        ngx_http_yimen_text_write(out, "valid_from", day);
    }

    if (code->valid_to) {
        ym_time_format(code->valid_to - 1, YM_TIME_DATE, YM_CHINA_OFFSET_MIN,
                       day);
        ngx_http_yimen_text_write(out, "valid_to", day);
    }

    ym_buf_addc(out, '}');
}


static void
ngx_http_yimen_text_write(struct ym_buf *out, const char *name,
    const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }

    ym_buf_addf(out, ",\"%s\":", name);
    ym_buf_add_json(out, ym_str_of(text));
}
