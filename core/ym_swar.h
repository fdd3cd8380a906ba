/* SPDX-License-Identifier: Apache-2.0
 * Text eight bytes at a time: how far it goes on without a byte that needs a closer look.
 */
#ifndef YM_SWAR_H
#define YM_SWAR_H

#include "ym_base.h"

#include <string.h>

#define YM_SWAR_ONES 0x0101010101010101u
#define YM_SWAR_HIGHS 0x8080808080808080u

static inline uint64_t ym_swar_load(const void *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof(w));
    return w;
}

/*
 * Each marks, by its highest bit, every byte it looks for. A borrow may mark the byte above a marked
 * one as well: only "none" and the lowest mark are certain.
 */
static inline uint64_t ym_swar_equal(uint64_t w, unsigned char c)
{
    uint64_t x = w ^ (YM_SWAR_ONES * c);

    return (x - YM_SWAR_ONES) & ~x & YM_SWAR_HIGHS;
}

static inline uint64_t ym_swar_below(uint64_t w, unsigned char c) /* c ≤ 0x80 */
{
    return (w - YM_SWAR_ONES * c) & ~w & YM_SWAR_HIGHS;
}

/* Bytes before the first marked one; 0 where the machine's order of bytes does not tell. */
static inline size_t ym_swar_before(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0;
#endif
}

#endif
