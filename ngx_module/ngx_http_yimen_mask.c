/* SPDX-License-Identifier: Apache-2.0
 * Personal data hidden from those who run the system: every field that its
 * type marks x-sensitive, and, to be safe, every field its type does not know.
 */
#include "ngx_http_yimen_record_json.h"


/* schemas that apply to one value, references and branches followed */
#define NGX_HTTP_YIMEN_MASK_SCHEMAS  48
#define NGX_HTTP_YIMEN_MASK_DEPTH    (YM_JSON_DEPTH + 2)

typedef struct {
    const json_t  *items[NGX_HTTP_YIMEN_MASK_SCHEMAS];
    ngx_uint_t     count;
    unsigned       overflow:1;
} ngx_http_yimen_schemas_t;


static json_t *ngx_http_yimen_mask(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth);
static json_t *ngx_http_yimen_mask_object(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth);
static json_t *ngx_http_yimen_mask_array(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth);
static void ngx_http_yimen_mask_add(json_t *root,
    ngx_http_yimen_schemas_t *schemas, const json_t *schema,
    ngx_uint_t depth);
static int ngx_http_yimen_mask_write(const char *text, size_t n, void *data);


void
ngx_http_yimen_data_masked(ngx_http_yimen_ctx_t *ctx, struct ym_str type,
    struct ym_str data, struct ym_buf *out)
{
    char                      *name;
    json_t                    *value, *masked;
    const struct ym_type      *found;
    ngx_http_yimen_schemas_t   schemas;

    name = ngx_http_yimen_strz(ctx, type);
    found = (name != NULL) ? ym_catalog_type(ctx->conf->catalog, name) : NULL;
    value = NULL;
    masked = NULL;

    if (found != NULL
        && ym_json_parse(data, &ym_json_defaults, &value, NULL) == YM_OK)
    {
        schemas.count = 0;
        schemas.overflow = 0;
        ngx_http_yimen_mask_add(found->json, &schemas, found->json, 0);
        masked = ngx_http_yimen_mask(found->json, value, &schemas, 0);
    }

    if (masked == NULL) {
        ym_buf_adds(out, "{}");

    } else {
        (void) json_dump_callback(masked, ngx_http_yimen_mask_write, out,
                                  JSON_COMPACT|JSON_ENCODE_ANY);
    }

    json_decref(masked);
    json_decref(value);
}


static int
ngx_http_yimen_mask_write(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}


static json_t *
ngx_http_yimen_mask(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth)
{
    ngx_uint_t  i;

    if (schemas->count == 0 || schemas->overflow
        || depth > NGX_HTTP_YIMEN_MASK_DEPTH)
    {
        return json_string("***");
    }

    for (i = 0; i < schemas->count; i++) {
        if (json_object_get(schemas->items[i], "x-sensitive") != NULL) {
            return json_string("***");
        }
    }

    if (json_is_object(value)) {
        return ngx_http_yimen_mask_object(root, value, schemas, depth);
    }

    if (json_is_array(value)) {
        return ngx_http_yimen_mask_array(root, value, schemas, depth);
    }

    return json_deep_copy(value);
}


static json_t *
ngx_http_yimen_mask_object(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth)
{
    json_t                    *copy, *member;
    ngx_uint_t                 i;
    const char                *key;
    const json_t              *properties;
    ngx_http_yimen_schemas_t   inner;

    copy = json_object();

    json_object_foreach((json_t *) (uintptr_t) value, key, member) {
        inner.count = 0;
        inner.overflow = 0;

        for (i = 0; i < schemas->count; i++) {
            properties = json_object_get(schemas->items[i], "properties");
            ngx_http_yimen_mask_add(root, &inner,
                                    json_object_get(properties, key), 0);
        }

        if (json_object_set_new(copy, key,
                                ngx_http_yimen_mask(root, member, &inner,
                                                    depth + 1))
            != 0)
        {
            json_decref(copy);
            return NULL;
        }
    }

    return copy;
}


static json_t *
ngx_http_yimen_mask_array(json_t *root, const json_t *value,
    const ngx_http_yimen_schemas_t *schemas, ngx_uint_t depth)
{
    size_t                     k;
    json_t                    *copy, *item;
    ngx_uint_t                 i;
    ngx_http_yimen_schemas_t   inner;

    copy = json_array();
    inner.count = 0;
    inner.overflow = 0;

    for (i = 0; i < schemas->count; i++) {
        ngx_http_yimen_mask_add(root, &inner,
                                json_object_get(schemas->items[i], "items"),
                                0);
    }

    json_array_foreach(value, k, item) {
        if (json_array_append_new(copy,
                                  ngx_http_yimen_mask(root, item, &inner,
                                                      depth + 1))
            != 0)
        {
            json_decref(copy);
            return NULL;
        }
    }

    return copy;
}


/* adds a schema with all that it refers to or branches into */

static void
ngx_http_yimen_mask_add(json_t *root, ngx_http_yimen_schemas_t *schemas,
    const json_t *schema, ngx_uint_t depth)
{
    size_t         k;
    json_t        *branch;
    ngx_uint_t     i;
    const char    *ref;
    const json_t  *list;

    static const char *const  single[] = { "then", "else" };
    static const char *const  many[] = { "allOf", "anyOf", "oneOf" };

    if (!json_is_object(schema)) {
        return;
    }

    if (schemas->count == NGX_HTTP_YIMEN_MASK_SCHEMAS
        || depth > NGX_HTTP_YIMEN_MASK_DEPTH)
    {
        schemas->overflow = 1;
        return;
    }

    schemas->items[schemas->count++] = schema;

    ref = ym_json_str(schema, "$ref");

    if (ref != NULL && ref[0] == '#') {
        ngx_http_yimen_mask_add(root, schemas, ym_json_at(root, ref + 1),
                                depth + 1);
    }

    for (i = 0; i < YM_COUNT(single); i++) {
        ngx_http_yimen_mask_add(root, schemas,
                                json_object_get(schema, single[i]),
                                depth + 1);
    }

    for (i = 0; i < YM_COUNT(many); i++) {
        list = json_object_get(schema, many[i]);

        json_array_foreach(list, k, branch) {
            ngx_http_yimen_mask_add(root, schemas, branch, depth + 1);
        }
    }
}
