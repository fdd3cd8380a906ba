/* SPDX-License-Identifier: Apache-2.0
 * JSON text ↔ jansson's tree on the hot path: the same values as jansson makes, several times as
 * fast. Ordinary text only; for everything else the caller asks jansson (ym_json.h).
 */
#ifndef YM_JSON_FAST_H
#define YM_JSON_FAST_H

#include "ym_buf.h"
#include "ym_json.h"
#include "ym_json_want.h"

/*
 * True: *ret is a new reference, exactly what json_loadb(JSON_REJECT_DUPLICATES |
 * JSON_DECODE_ANY) makes of text, within the limits. False: wrong, too large, out of memory, or
 * merely unusual (a number of more than 18 digits …): nothing is said about which.
 */
bool ym_json_read(struct ym_str text, const struct ym_json_limits *limits, json_t **ret);

/*
 * The same of a text that has been accepted before (a stored record), without what nobody wants:
 * members that are not in `want` are left out, and so are an array's items where none is wanted. Of
 * what it passes over only strings and brackets are looked at. want NULL: everything.
 */
bool ym_json_read_wanted(struct ym_str text, const struct ym_json_limits *limits,
                         const struct ym_want *want, json_t **ret);

/* Appends a text as a JSON string; it is UTF-8. The NUL behind it comes with what is added next. */
void ym_json_write_text(struct ym_str text, struct ym_buf *out);

/* Appends what json_dumps(JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) would print. */
ym_status ym_json_write(const json_t *v, struct ym_buf *out);

#endif
