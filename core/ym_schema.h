/* SPDX-License-Identifier: Apache-2.0
 * A documented subset of JSON Schema draft 2020-12, compiled once and checked without allocation
 * on the good path. Everything outside the subset is refused when the schema is compiled.
 */
#ifndef YM_SCHEMA_H
#define YM_SCHEMA_H

#include "ym_codes.h"
#include "ym_json.h"
#include "ym_problem.h"

struct ym_schema;

/* Finds the code table that an `x-codes` keyword names, or NULL. */
typedef const struct ym_code_table *(*ym_schema_codes_fn)(void *data, const char *table);

/*
 * Compiles root (borrowed for the schema's life; keep a reference in a). file is for messages; the
 * place of a bad keyword is file:line, found again in text (the file's bytes; may be empty).
 * Only local references ("#", "#/$defs/…", "#anchor") are supported.
 */
ym_status ym_schema_compile(json_t *root, const char *file, struct ym_str text,
                            ym_schema_codes_fn codes, void *codes_data, struct ym_arena *a,
                            const struct ym_schema **ret, struct ym_diag *d);

/*
 * Adds every problem of value to out (NULL: only answers). Returns whether value is valid.
 * Safe for concurrent readers; bounded by the value's own size and YM_JSON_DEPTH.
 */
bool ym_schema_check(const struct ym_schema *s, const json_t *value, struct ym_problems *out);

/* The keywords of the subset and what each means here: Markdown for docs/types.md. */
ym_status ym_schema_document(struct ym_buf *out);

#endif
