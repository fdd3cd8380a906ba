/* SPDX-License-Identifier: Apache-2.0
 * Rate and hours (ym_limits.h).
 */
#include "ym_limits.h"

void ym_bucket_init(struct ym_bucket *b, double rate, int64_t now_ms)
{
    b->rate = rate;
    b->burst = rate > 10.0 ? rate / 10.0 : 1.0;
    b->tokens = b->burst;
    b->at_ms = now_ms;
}

static double bucket_level(const struct ym_bucket *b, int64_t now_ms)
{
    double level = b->tokens;

    if (now_ms > b->at_ms) {
        level += b->rate * (double)(now_ms - b->at_ms) / 1000.0;
    }
    return level < b->burst ? level : b->burst;
}

int64_t ym_bucket_take(struct ym_bucket *b, int64_t now_ms, int64_t want)
{
    int64_t got;

    if (b->rate <= 0.0) {
        return want;
    }

    b->tokens = bucket_level(b, now_ms);
    b->at_ms = now_ms;
    /* a hair below one counts as one: 1/3 + 1/3 + 1/3 must not wait another turn */
    got = (int64_t)(b->tokens + 1e-9);
    if (got > want) {
        got = want;
    }
    b->tokens -= (double)got;
    return got;
}

void ym_bucket_return(struct ym_bucket *b, int64_t unused)
{
    if (b->rate > 0.0) {
        b->tokens += (double)unused;
        if (b->tokens > b->burst) {
            b->tokens = b->burst;
        }
    }
}

int64_t ym_bucket_wait(const struct ym_bucket *b, int64_t now_ms)
{
    double missing;

    if (b->rate <= 0.0) {
        return 0;
    }
    missing = 1.0 - 1e-9 - bucket_level(b, now_ms);
    return missing <= 0.0 ? 0 : (int64_t)(missing / b->rate * 1000.0) + 1;
}

void ym_gate_init(struct ym_gate *g, const struct ym_system *sys, int64_t wall_ms)
{
    *g = (struct ym_gate){.sys = sys};
    g->in_hours = ym_hours_open(&sys->hours, sys->settings.offset_min, wall_ms, &g->asks_at_ms);
}

bool ym_gate_poll(struct ym_gate *g, int64_t wall_ms)
{
    bool was = g->in_hours;

    if (g->asks_at_ms == 0 || wall_ms < g->asks_at_ms) {
        return false;
    }
    g->in_hours =
        ym_hours_open(&g->sys->hours, g->sys->settings.offset_min, wall_ms, &g->asks_at_ms);
    return g->in_hours != was;
}
