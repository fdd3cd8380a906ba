/* SPDX-License-Identifier: Apache-2.0
 * The only door to jansson for bytes from outside: limits first, then parsing.
 */
#ifndef YM_JSON_H
#define YM_JSON_H

#include "ym_err.h"
#include <jansson.h>

/*
 * Limits of design.md §6. jansson needs up to 79 times the input in memory and parses to a depth
 * of 2,048, so depth and members are counted by a pre-scan before it sees the text.
 */
struct ym_json_limits {
    size_t bytes;   /* of text */
    size_t depth;   /* of nesting: [] is 1 */
    size_t members; /* object members plus array items, in all */
};
#define YM_JSON_BYTES (1u << 20)
#define YM_JSON_DEPTH 32
#define YM_JSON_MEMBERS 10000
extern const struct ym_json_limits ym_json_defaults;

/*
 * Parses exactly one JSON value (RFC 8259; scalars at the top are allowed). Refused: duplicate
 * keys, invalid UTF-8, NUL, lone surrogates, trailing bytes, a byte-order mark. YM_ETOOBIG for a
 * limit, YM_EINVAL otherwise, err with line and column. *ret is a new reference; untouched on error.
 */
ym_status ym_json_parse(struct ym_str text, const struct ym_json_limits *limits, json_t **ret,
                        struct ym_err *err);

/* Reads and parses a file of ours (config); err names the file. */
ym_status ym_json_file(const char *path, json_t **ret, struct ym_err *err);

/* RFC 6901. NULL when absent or malformed; borrowed. Plain lookups; compiled pointers are in ym_map. */
json_t *ym_json_at(json_t *root, const char *pointer);

/* Member as a string, or NULL when missing or no string. Borrowed. */
const char *ym_json_str(const json_t *object, const char *key);

/* RFC 7396 merge patch, in place of nothing: returns a new reference; NULL when memory is out. */
json_t *ym_json_merge(const json_t *target, const json_t *patch);

/*
 * Values that somebody has filled in: scalars at any depth, but null and the empty string. Of a merge
 * patch: what was changed.
 */
size_t ym_json_leaves(const json_t *v);

/* Unicode code points in a UTF-8 string that jansson has already checked. */
size_t ym_utf8_length(const char *p, size_t n);
bool   ym_utf8_valid(const char *p, size_t n);

#endif
