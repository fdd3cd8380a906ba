/* SPDX-License-Identifier: Apache-2.0
 * Numbers given out lately (ym_numbers.h): one place for each digest, no chains.
 */
#include "ym_numbers.h"

/* FNV-1a; never 0, which is a free place. */
static uint64_t digest(struct ym_str s)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    }
    return h != 0 ? h : 1;
}

/* All bits have a part in it. */
static size_t place(uint64_t h)
{
    return (size_t)((h ^ (h >> 32)) % YM_NUMBERS_KEPT);
}

void ym_numbers_keep(struct ym_numbers *n, const char *number, struct ym_str id)
{
    uint64_t h = digest(ym_str_of(number));
    size_t i = place(h);

    n->at[i].number = h;
    n->at[i].id = digest(id);
}

bool ym_numbers_taken(const struct ym_numbers *n, const char *number, struct ym_str id)
{
    uint64_t h = digest(ym_str_of(number));
    size_t i = place(h);

    return n->at[i].number == h && n->at[i].id != digest(id);
}
