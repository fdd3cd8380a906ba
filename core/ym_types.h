/* SPDX-License-Identifier: Apache-2.0
 * Record types: config/types/<name>.json, a JSON Schema with x- keywords (labels, code tables,
 * sensitivity, search keys, UI hints).
 */
#ifndef YM_TYPES_H
#define YM_TYPES_H

#include "ym_schema.h"

/* A search key: exact match in GET /records?key.<name>=value. */
struct ym_type_key {
    const char *name;    /* from "x-keys": {"id_no": "/parties/-/id_no"} */
    const char *pointer; /* "/-" steps over every item of an array */
};

struct ym_type {
    const char *name;
    const char *title_zh, *title_en;
    json_t *json; /* the whole file, for GET /types/{type}; owned by the arena */
    const struct ym_schema *schema;
    const struct ym_type_key *keys;
    size_t key_count;
};

ym_status ym_type_load(const char *path, ym_schema_codes_fn codes, void *codes_data,
                       struct ym_arena *a, struct ym_type *ret, struct ym_diag *d);

/*
 * Whether those who run the system may see a value: place is a pattern of the record's data
 * ("/parties/-/phone") that the type knows, holds no more places, and nothing on the way is
 * x-sensitive.
 */
bool ym_type_shows(const struct ym_type *t, const char *place);

/* Calls fn with every value that a key has in data (strings only). */
void ym_type_key_values(const struct ym_type *t, const struct ym_type_key *key, const json_t *data,
                        void (*fn)(void *ctx, const char *value), void *ctx);

#endif
