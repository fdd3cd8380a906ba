/* SPDX-License-Identifier: Apache-2.0
 * Regular expressions of adapter files over strangers' text: PCRE2 with a bounded effort.
 */
#ifndef YM_MATCH_H
#define YM_MATCH_H

#include "ym_arena.h"
#include "ym_err.h"

#define YM_MATCH_LIMIT 200000 /* PCRE2's match limit: about a millisecond of effort per call */

struct ym_match;

/* UTF mode. Freed with a. YM_EINVAL names the place in the pattern. */
ym_status ym_match_compile(const char *pattern, struct ym_arena *a, const struct ym_match **ret,
                           struct ym_err *err);

/*
 * Whether it matches; *ret (may be NULL) = group 1, or the whole match when there is no group. A
 * match that passes the limit, or text that is no UTF-8, counts as no match.
 */
bool ym_match_run(const struct ym_match *m, struct ym_str text, struct ym_str *ret);

#endif
