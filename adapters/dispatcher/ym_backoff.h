/* SPDX-License-Identifier: Apache-2.0
 * Full-jitter backoff: a wait drawn evenly from (0, base·2^n], capped, so that many clients which
 * failed together do not come back together. Pure but for the generator's state.
 */
#ifndef YM_BACKOFF_H
#define YM_BACKOFF_H

#include "ym_base.h"

/* xorshift64*; not for secrets. Seeded from the system's generator, or by tests. */
struct ym_jitter {
    uint64_t state;
};
void ym_jitter_init(struct ym_jitter *j, uint64_t seed); /* 0 = from the system */
uint64_t ym_jitter_next(struct ym_jitter *j);

/* The upper bound of the n-th wait (n from 1): base·2^(n-1), at most cap, never below 1. */
int64_t ym_backoff_ceiling(int64_t base_ms, int64_t cap_ms, int64_t n);

/* A wait in [1, ceiling]. */
int64_t ym_backoff(struct ym_jitter *j, int64_t base_ms, int64_t cap_ms, int64_t n);

#endif
