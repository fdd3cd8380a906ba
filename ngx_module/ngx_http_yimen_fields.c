/* SPDX-License-Identifier: Apache-2.0
 * Which field goes to which system: what a form asks for, what leaves, and
 * which systems ask for the same.  All of it is read from the field tables.
 */
#include "ngx_http_yimen_route.h"

#include "ym_fields.h"


static void ngx_http_yimen_fields_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_fields *fields);
static void ngx_http_yimen_fields_names(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const char *pattern);


/* GET /types/{type}/targets */

void
ngx_http_yimen_type_targets(ngx_http_yimen_ctx_t *ctx)
{
    char                     *name;
    size_t                    i;
    ngx_uint_t                n;
    const struct ym_type     *type;
    const struct ym_system   *system;
    const struct ym_catalog  *catalog;
    struct ym_arena          *arena;
    struct ym_fields          fields;

    catalog = ctx->conf->catalog;
    name = ngx_http_yimen_strz(ctx, ctx->params[0]);
    type = (name != NULL) ? ym_catalog_type(catalog, name) : NULL;

    if (type == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这种记录类型",
                               "There is no such type of record");
        return;
    }

    arena = ngx_http_yimen_arena(ctx);
    if (arena == NULL) {
        return;
    }

    ym_buf_adds(&ctx->out, "{\"items\":[");
    n = 0;

    for (i = 0; i < catalog->system_count; i++) {
        system = &catalog->systems[i];

        if (!system->enabled || !ym_system_takes(system, name)) {
            continue;
        }

        if (ym_fields_of(system, type, arena, &fields) != YM_OK) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
            return;
        }

        ym_buf_adds(&ctx->out, n++ ? "," : "");
        ngx_http_yimen_fields_write(ctx, system, &fields);
    }

    ym_buf_adds(&ctx->out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_fields_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_fields *fields)
{
    size_t                  i;
    struct ym_buf          *out;
    const struct ym_taken  *f;

    out = &ctx->out;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ym_str_of(system->id));
    ym_buf_adds(out, ",\"title\":{\"zh\":");
    ym_buf_add_json(out, ym_str_of(system->title_zh));
    ym_buf_adds(out, ",\"en\":");
    ym_buf_add_json(out, ym_str_of(system->title_en));
    ym_buf_addf(out, "},\"conditional\":%s,\"handoff\":%s,\"fields\":[",
                system->routing ? "true" : "false",
                ngx_strcmp(system->transport, "handoff") ? "false" : "true");

    for (i = 0; i < fields->count; i++) {
        f = &fields->items[i];

        ym_buf_adds(out, i ? ",{\"pointer\":" : "{\"pointer\":");
        ym_buf_add_json(out, ym_str_of(f->pattern));
        ym_buf_addf(out, ",\"required\":%s", f->required ? "true" : "false");

        if (f->max) {
            ym_buf_addf(out, ",\"max\":%ld", f->max);
        }

        ngx_http_yimen_fields_names(ctx, system, f->pattern);
        ym_buf_addc(out, '}');
    }

    ym_buf_adds(out, "]}");
}


/* what the system itself calls it: there it refuses in these words */

static void
ngx_http_yimen_fields_names(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const char *pattern)
{
    size_t                      i, j;
    ngx_uint_t                  n;
    struct ym_buf              *out;
    const struct ym_map_leaf   *leaf;
    const struct ym_operation  *create;

    out = &ctx->out;
    create = ym_system_operation(system, "create");
    n = 0;

    ym_buf_adds(out, ",\"to\":[");

    for (i = 0; create != NULL && i < create->table_count; i++) {
        for (j = 0; j < ym_map_leaf_count(create->tables[i].map); j++) {
            leaf = ym_map_leaf_at(create->tables[i].map, j);

            if (leaf->pointer == NULL
                || ngx_strncmp(leaf->pointer, "/data/",
                               sizeof("/data/") - 1) != 0
                || ngx_strcmp(leaf->pointer + sizeof("/data") - 1, pattern)
                   != 0)
            {
                continue;
            }

            ym_buf_adds(out, n++ ? "," : "");
            ym_buf_add_json(out, ym_str_of(leaf->to));
        }
    }

    ym_buf_addc(out, ']');
}
