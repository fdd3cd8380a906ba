/* SPDX-License-Identifier: Apache-2.0
 * Text about a person as the value of an HTTP header: visible ASCII that can be read back to exactly
 * what it was, or nothing at all. Pure.
 */
#ifndef YM_HEADER_H
#define YM_HEADER_H

#include "ym_buf.h"

#define YM_HEADER_BYTES 4096 /* longest value, encoded; more would not fit an application's limits */

enum ym_header_code {
    YM_HEADER_RFC8187,   /* plain ASCII as it is, anything else UTF-8''%E7%8E%8B (RFC 8187) */
    YM_HEADER_PERCENT,   /* percent-encoded where it is not plain ASCII; '%' always is */
    YM_HEADER_BASE64URL, /* always */
    YM_HEADER_PLAIN      /* plain ASCII or refused */
};

/* "rfc8187", "percent", "base64url", "plain" */
bool ym_header_code_of(struct ym_str name, enum ym_header_code *ret);

/* Whether text is its own value, so that ym_header_add() would copy it. */
bool ym_header_is_plain(struct ym_str text, enum ym_header_code code);

/*
 * Appends text. YM_EINVAL: CR, LF, NUL or another control character (of ASCII or C1), no UTF-8, or
 * not plain where only that is allowed. YM_ETOOBIG past YM_HEADER_BYTES.
 */
ym_status ym_header_add(struct ym_buf *out, struct ym_str text, enum ym_header_code code);

/*
 * Appends a list, joined by delimiter: within an item '%' and the delimiter are percent-encoded
 * first, so that {"admin,user"} and {"admin", "user"} stay two things.
 */
ym_status ym_header_add_list(struct ym_buf *out, const struct ym_str *items, size_t count,
                             char delimiter, enum ym_header_code code);

#endif
