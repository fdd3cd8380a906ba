/* SPDX-License-Identifier: Apache-2.0
 * Which characters a legacy charset has. Built once at load, asked for every string of the check.
 */
#ifndef YM_CHARSET_H
#define YM_CHARSET_H

#include "ym_arena.h"
#include "ym_err.h"

struct ym_charset;

/*
 * *ret is NULL for charsets that hold all of Unicode (utf-8, utf-16, gb18030). YM_EUNSUPPORTED when
 * iconv does not know the name.
 */
ym_status ym_charset_open(const char *name, struct ym_arena *a, const struct ym_charset **ret,
                          struct ym_err *err);

/* NULL covers everything. s is UTF-8. Characters outside the basic plane count as missing. */
bool ym_charset_covers(const struct ym_charset *c, struct ym_str s);

#endif
