/* SPDX-License-Identifier: Apache-2.0
 * GET /systems/{id}/adapter: how a system is spoken to, field by field, against
 * what that was verified, and what its tests said last.
 */
#include "ngx_http_yimen_adapter.h"

#include "ym_adapter_tests.h"
#include "ym_fields.h"


static void ngx_http_yimen_adapter_operation(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_operation *op);
static void ngx_http_yimen_adapter_tests(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system);
static void ngx_http_yimen_adapter_name(struct ym_buf *out, const char *key,
    const char *text);


void
ngx_http_yimen_adapter_get(ngx_http_yimen_ctx_t *ctx)
{
    size_t                   i;
    struct ym_buf           *out;
    const struct ym_system  *system;

    static const char *const  verified[] = {
        "own-simulator", "unmodified-software", "owner-test"
    };

    system = ngx_http_yimen_adapter_named(ctx);

    if (system == NULL || ngx_http_yimen_arena(ctx) == NULL) {
        return;
    }

    out = &ctx->out;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ym_str_of(system->id));
    ym_buf_adds(out, ",\"title\":{\"zh\":");
    ym_buf_add_json(out, ym_str_of(system->title_zh));
    ngx_http_yimen_adapter_name(out, "en", system->title_en);
    ym_buf_addf(out, "},\"version\":%ld,\"enabled\":%s", system->version,
                system->enabled ? "true" : "false");
    ngx_http_yimen_adapter_name(out, "transport", system->transport);
    ym_buf_adds(out, ",\"takes\":[");

    for (i = 0; system->takes != NULL && system->takes[i] != NULL; i++) {
        ym_buf_adds(out, i ? "," : "");
        ym_buf_add_json(out, ym_str_of(system->takes[i]));
    }

    ym_buf_adds(out, "]");
    ngx_http_yimen_adapter_name(out, "verified", verified[system->verified]);
    ngx_http_yimen_adapter_name(out, "verified_against",
                                system->verified_against);
    ym_buf_adds(out, ",\"operations\":[");

    for (i = 0; i < system->operation_count; i++) {
        ym_buf_adds(out, i ? "," : "");
        ngx_http_yimen_adapter_operation(ctx, system, &system->operations[i]);
    }

    ym_buf_adds(out, "],\"tests\":");
    ngx_http_yimen_adapter_tests(ctx, system);
    ym_buf_adds(out, "}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


const struct ym_system *
ngx_http_yimen_adapter_named(ngx_http_yimen_ctx_t *ctx)
{
    char                    *id;
    const struct ym_system  *system;

    id = ngx_http_yimen_strz(ctx, ctx->params[0]);
    system = (id != NULL) ? ym_catalog_system(ctx->conf->catalog, id) : NULL;

    if (system == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这个系统", "There is no such system");
    }

    return system;
}


static void
ngx_http_yimen_adapter_operation(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_operation *op)
{
    size_t                i, j, n;
    struct ym_buf        *out;
    const struct ym_map  *map;

    out = &ctx->out;
    n = 0;

    ym_buf_adds(out, "{\"name\":");
    ym_buf_add_json(out, ym_str_of(op->name));
    ngx_http_yimen_adapter_name(out, "lookup", op->lookup);
    ngx_http_yimen_adapter_name(out, "confirm", op->confirm);
    ym_buf_addf(out, ",\"idempotent\":%s,\"fields\":[",
                op->idempotent ? "true" : "false");

    for (i = 0; i < op->table_count; i++) {
        map = op->tables[i].map;

        for (j = 0; j < ym_map_leaf_count(map); j++) {
            ym_buf_adds(out, n++ ? ",{\"table\":" : "{\"table\":");
            ym_buf_add_json(out, ym_str_of(op->tables[i].place));
            ngx_http_yimen_adapter_leaf(ctx, system, ym_map_leaf_at(map, j));
            ym_buf_addc(out, '}');
        }
    }

    ym_buf_adds(out, "]}");
}


void
ngx_http_yimen_adapter_leaf(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, const struct ym_map_leaf *leaf)
{
    size_t                 i;
    const char            *label, *pattern;
    struct ym_buf         *out;
    const struct ym_type  *type;

    out = &ctx->out;

    ngx_http_yimen_adapter_name(out, "to", leaf->to);
    ngx_http_yimen_adapter_name(out, "from", leaf->pointer);
    ngx_http_yimen_adapter_name(out, "constant", leaf->constant);
    ngx_http_yimen_adapter_name(out, "codes", leaf->codes);
    ym_buf_addf(out, ",\"required\":%s,\"line\":%d",
                leaf->required ? "true" : "false", leaf->line);

    if (leaf->max) {
        ym_buf_addf(out, ",\"max\":%ld", leaf->max);
    }

    if (leaf->pointer == NULL
        || ngx_strncmp(leaf->pointer, "/data/", sizeof("/data/") - 1) != 0)
    {
        return;
    }

    /* in the words of the first type that has them */

    pattern = leaf->pointer + sizeof("/data") - 1;

    for (i = 0; system->takes != NULL && system->takes[i] != NULL; i++) {
        type = ym_catalog_type(ctx->conf->catalog, system->takes[i]);
        label = (type != NULL) ? ym_field_label(type, pattern,
                                                ctx->lang == YM_EN ? "en"
                                                                   : "zh",
                                                ctx->arena)
                               : NULL;

        if (label != NULL && ngx_strcmp(label, pattern) != 0) {
            ngx_http_yimen_adapter_name(out, "label", label);
            return;
        }
    }
}


/* null: nobody has kept the results of a run */

static void
ngx_http_yimen_adapter_tests(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system)
{
    json_t  *tests;

    tests = ym_adapter_tests(ctx->conf->catalog, system);

    if (tests == NULL) {
        ym_buf_adds(&ctx->out, "null");
        return;
    }

    (void) json_dump_callback(tests, ngx_http_yimen_adapter_write, &ctx->out,
                              JSON_COMPACT);
    json_decref(tests);
}


int
ngx_http_yimen_adapter_write(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}


/* ,"key":"text" or ,"key":null */

static void
ngx_http_yimen_adapter_name(struct ym_buf *out, const char *key,
    const char *text)
{
    ym_buf_addf(out, ",\"%s\":", key);

    if (text == NULL) {
        ym_buf_adds(out, "null");

    } else {
        ym_buf_add_json(out, ym_str_of(text));
    }
}
