/* SPDX-License-Identifier: Apache-2.0
 * Settings declared as a table: type, bounds, default, secrecy, help. One table gives the parser,
 * the defaults, the redacted dump and the reference documentation.
 */
#ifndef YM_CONF_H
#define YM_CONF_H

#include "ym_buf.h"
#include "ym_yaml.h"

enum ym_field_type {
    YM_FIELD_STRING,   /* const char *; max = bytes */
    YM_FIELD_BOOL,     /* bool: true|false */
    YM_FIELD_INT,      /* int64_t within [min, max] */
    YM_FIELD_SIZE,     /* int64_t bytes: 64k, 1m */
    YM_FIELD_DURATION, /* int64_t milliseconds: 250ms, 8s, 2m, 1h, 30d */
    YM_FIELD_ENUM,     /* int: index into values[] */
    YM_FIELD_RATE,     /* double per second: 50/s, 1000/h, 30/m */
    YM_FIELD_NODE      /* const struct ym_yaml *: checked elsewhere */
};

enum { YM_FIELD_REQUIRED = 1, YM_FIELD_SECRET = 2, YM_FIELD_RELOADABLE = 4 };

struct ym_field {
    const char         *name;
    enum ym_field_type  type;
    size_t              offset;   /* into the target struct */
    const char         *def;      /* default as text; NULL = zero */
    int64_t             min, max; /* bounds after parsing; both 0 = unbounded */
    const char *const  *values;   /* for enums, NULL-terminated */
    unsigned            flags;
    const char         *help;     /* one sentence */
};

/*
 * Fills target from map (NULL = all defaults) by the table, ended by an entry whose name is NULL.
 * Every unknown key, wrong value or missing required field becomes a diagnostic with its place and
 * remedy. Strings are copied into a. Returns YM_EINVAL when anything was added.
 */
ym_status ym_conf_load(const struct ym_field *table, const struct ym_yaml *map, const char *where,
                       void *target, struct ym_arena *a, struct ym_diag *d);

/* Markdown rows for docs/configuration.md. */
ym_status ym_conf_document(const struct ym_field *table, struct ym_buf *out);

bool ym_duration_parse(struct ym_str s, int64_t *ret_ms);
bool ym_size_parse(struct ym_str s, int64_t *ret_bytes);
bool ym_int_parse(struct ym_str s, int64_t *ret); /* whole string, base 10, no blanks */

/* The decimal digits of v, as "%lld" prints them; their number. For where printf is too slow. */
#define YM_INT_TEXT 24
size_t ym_int_text(int64_t v, char out[YM_INT_TEXT]);

#endif
