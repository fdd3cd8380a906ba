/* SPDX-License-Identifier: Apache-2.0
 * Numbers that a system has given out lately, and to which record: in this process's memory alone.
 * A number that comes a second time, for another record, belongs to that one.
 */
#ifndef YM_NUMBERS_H
#define YM_NUMBERS_H

#include "ym_base.h"

#define YM_NUMBERS_KEPT 4096 /* a newer one may take an older one's place */

struct ym_numbers {
    struct {
        uint64_t number, id; /* their digests; 0 = free */
    } at[YM_NUMBERS_KEPT];
};

void ym_numbers_keep(struct ym_numbers *n, const char *number, struct ym_str id);

/* Whether the number was given to another record than id. */
bool ym_numbers_taken(const struct ym_numbers *n, const char *number, struct ym_str id);

#endif
