/* SPDX-License-Identifier: Apache-2.0
 * How fast and when a system may be called: a token bucket for `rate:` and the gate of pause and
 * delivery hours. Pure; times are given by the caller.
 */
#ifndef YM_LIMITS_H
#define YM_LIMITS_H

#include "ym_adapter.h"

/*
 * Holds a tenth of a second's worth of tokens, at least one: any second then sees at most 1.1 times
 * the rate, while a quiet system answers at once.
 */
struct ym_bucket {
    double rate; /* per second; 0 = unlimited */
    double burst, tokens;
    int64_t at_ms; /* monotonic */
};

void ym_bucket_init(struct ym_bucket *b, double rate, int64_t now_ms);
int64_t ym_bucket_take(struct ym_bucket *b, int64_t now_ms,
                       int64_t want); /* how many were granted */
void ym_bucket_return(struct ym_bucket *b, int64_t unused);
int64_t ym_bucket_wait(const struct ym_bucket *b,
                       int64_t now_ms); /* ms until one is there; 0 = now */

/* Pause (a person) and hours (the adapter). */
struct ym_gate {
    const struct ym_system *sys;
    bool paused;
    bool in_hours;
    int64_t asks_at_ms; /* wall clock: when in_hours may change; 0 = never */
};

void ym_gate_init(struct ym_gate *g, const struct ym_system *sys, int64_t wall_ms);
bool ym_gate_poll(struct ym_gate *g, int64_t wall_ms); /* true when in_hours changed */
static inline bool ym_gate_open(const struct ym_gate *g)
{
    return !g->paused && g->in_hours;
}

#endif
