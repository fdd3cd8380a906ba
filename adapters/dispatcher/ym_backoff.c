/* SPDX-License-Identifier: Apache-2.0
 * Full-jitter backoff (ym_backoff.h).
 */
#include "ym_backoff.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void ym_jitter_init(struct ym_jitter *j, uint64_t seed)
{
    struct timespec ts;

    if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        clock_gettime(CLOCK_MONOTONIC, &ts); /* spreading waits needs no strong randomness */
        seed = ((uint64_t)ts.tv_nsec << 20) ^ (uint64_t)ts.tv_sec ^ (uint64_t)getpid();
    }
    j->state = seed != 0 ? seed : 1; /* xorshift never leaves zero */
}

uint64_t ym_jitter_next(struct ym_jitter *j)
{
    j->state ^= j->state >> 12;
    j->state ^= j->state << 25;
    j->state ^= j->state >> 27;
    return j->state * UINT64_C(0x2545F4914F6CDD1D);
}

int64_t ym_backoff_ceiling(int64_t base_ms, int64_t cap_ms, int64_t n)
{
    int64_t wait = base_ms > 0 ? base_ms : 1;

    if (cap_ms < 1) {
        cap_ms = 1;
    }
    for (int64_t i = 1; i < n && wait < cap_ms; i++) {
        wait = wait > cap_ms / 2 ? cap_ms : wait * 2;
    }
    return wait < cap_ms ? wait : cap_ms;
}

int64_t ym_backoff(struct ym_jitter *j, int64_t base_ms, int64_t cap_ms, int64_t n)
{
    int64_t most = ym_backoff_ceiling(base_ms, cap_ms, n);

    return 1 + (int64_t)(ym_jitter_next(j) % (uint64_t)most);
}
