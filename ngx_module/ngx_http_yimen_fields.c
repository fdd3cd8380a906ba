/* SPDX-License-Identifier: Apache-2.0
 * Which field goes to which system: what a form asks for, what leaves, and
 * which systems ask for the same.  All of it is read from the field tables.
 */
#include "ngx_http_yimen_fields.h"

#include "ym_arena.h"


/* what a form with this many patterns would be is no form any more */
#define NGX_HTTP_YIMEN_FIELDS_MAX  1000

#define NGX_HTTP_YIMEN_DATA  (sizeof("/data") - 1)


static const char *ngx_http_yimen_field_pattern(const struct ym_map_leaf *leaf);
static ngx_uint_t ngx_http_yimen_field_known(const json_t *schema,
    const char *pattern);
static const json_t *ngx_http_yimen_field_ref(const json_t *schema,
    const json_t *root);
static void ngx_http_yimen_field_add(ngx_http_yimen_fields_t *fields,
    const struct ym_map_leaf *leaf, const char *pattern);
static void ngx_http_yimen_fields_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_system *system, ngx_http_yimen_fields_t *fields);


ngx_int_t
ngx_http_yimen_fields_of(ngx_pool_t *pool, const struct ym_system *system,
    const struct ym_type *type, ngx_http_yimen_fields_t *ret)
{
    size_t                      i, j;
    const char                 *pattern;
    const struct ym_map        *map;
    const struct ym_operation  *create;

    ret->count = 0;
    ret->items = ngx_palloc(pool, NGX_HTTP_YIMEN_FIELDS_MAX
                                  * sizeof(ngx_http_yimen_field_t));
    if (ret->items == NULL) {
        return NGX_ERROR;
    }

    create = ym_system_operation(system, "create");
    if (create == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < create->table_count; i++) {
        map = create->tables[i].map;

        for (j = 0; j < ym_map_leaf_count(map); j++) {
            pattern = ngx_http_yimen_field_pattern(ym_map_leaf_at(map, j));

            /* a table may serve several types, each with fields of its own */

            if (pattern != NULL
                && ngx_http_yimen_field_known(type->json, pattern))
            {
                ngx_http_yimen_field_add(ret, ym_map_leaf_at(map, j), pattern);
            }
        }
    }

    return NGX_OK;
}


/* "/parties/-/phone" of a value that comes out of the record's data */

static const char *
ngx_http_yimen_field_pattern(const struct ym_map_leaf *leaf)
{
    if (leaf->pointer == NULL
        || ngx_strncmp(leaf->pointer, "/data/", sizeof("/data/") - 1) != 0)
    {
        return NULL;
    }

    return leaf->pointer + NGX_HTTP_YIMEN_DATA;
}


/* whether a type has a value at "/parties/-/phone" */

static ngx_uint_t
ngx_http_yimen_field_known(const json_t *schema, const char *pattern)
{
    size_t         n;
    const json_t  *at;

    at = schema;

    while (at != NULL && *pattern == '/') {
        pattern++;
        n = strcspn(pattern, "/");

        if (n == 1 && *pattern == '-') {
            at = json_object_get(at, "items");

        } else {
            at = json_object_getn(json_object_get(at, "properties"), pattern,
                                  n);
        }

        at = ngx_http_yimen_field_ref(at, schema);
        pattern += n;
    }

    return at != NULL;
}


/* types keep what they share below $defs */

static const json_t *
ngx_http_yimen_field_ref(const json_t *schema, const json_t *root)
{
    const char  *ref;

    ref = ym_json_str(schema, "$ref");

    if (ref == NULL || ngx_strncmp(ref, "#/$defs/", 8) != 0) {
        return schema;
    }

    return json_object_get(json_object_get(root, "$defs"), ref + 8);
}


/* one entry per pattern: required by any leaf, the tightest of the limits */

static void
ngx_http_yimen_field_add(ngx_http_yimen_fields_t *fields,
    const struct ym_map_leaf *leaf, const char *pattern)
{
    size_t                   i;
    ngx_http_yimen_field_t  *f;

    for (i = 0; i < fields->count; i++) {
        f = &fields->items[i];

        if (ngx_strcmp(f->pattern, pattern) != 0) {
            continue;
        }

        f->required |= leaf->required;

        if (leaf->max && (f->max == 0 || leaf->max < f->max)) {
            f->max = leaf->max;
        }

        return;
    }

    if (fields->count == NGX_HTTP_YIMEN_FIELDS_MAX) {
        return;
    }

    f = &fields->items[fields->count++];
    f->pattern = pattern;
    f->required = leaf->required;
    f->max = leaf->max;
}


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
    ngx_http_yimen_fields_t   fields;

    catalog = ctx->conf->catalog;
    name = ngx_http_yimen_strz(ctx, ctx->params[0]);
    type = (name != NULL) ? ym_catalog_type(catalog, name) : NULL;

    if (type == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "没有这种记录类型",
                               "There is no such type of record");
        return;
    }

    ym_buf_adds(&ctx->out, "{\"items\":[");
    n = 0;

    for (i = 0; i < catalog->system_count; i++) {
        system = &catalog->systems[i];

        if (!system->enabled || !ym_system_takes(system, name)) {
            continue;
        }

        if (ngx_http_yimen_fields_of(ctx->request->pool, system, type, &fields)
            != NGX_OK)
        {
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
    const struct ym_system *system, ngx_http_yimen_fields_t *fields)
{
    size_t                   i;
    struct ym_buf           *out;
    ngx_http_yimen_field_t  *f;

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

        ym_buf_addc(out, '}');
    }

    ym_buf_adds(out, "]}");
}
