/* SPDX-License-Identifier: Apache-2.0
 * The circuit breaker (ym_breaker.h).
 */
#include "ym_breaker.h"

static bool breaker_holds(const void *owner, unsigned state)
{
    const struct ym_breaker *b = owner;

    return state == YM_BREAKER_CLOSED ? b->failures == 0 && b->opened == 0 : b->opened > 0;
}

static const struct ym_sm_state breaker_states[] = {
    [YM_BREAKER_CLOSED] = {"closed", YM_SM_TO(YM_BREAKER_OPEN)},
    [YM_BREAKER_OPEN] = {"open", YM_SM_TO(YM_BREAKER_HALF)},
    [YM_BREAKER_HALF] = {"half", YM_SM_TO(YM_BREAKER_OPEN) | YM_SM_TO(YM_BREAKER_CLOSED)},
};
const struct ym_sm_table ym_breaker_table = {"breaker", breaker_states, YM_COUNT(breaker_states),
                                             breaker_holds};

void ym_breaker_init(struct ym_breaker *b, int64_t failures, int64_t probe_every_ms)
{
    *b = (struct ym_breaker){.limit = failures > 0 ? failures : 1,
                             .every_ms = probe_every_ms > 0 ? probe_every_ms : 1};
    ym_sm_init(&b->sm, &ym_breaker_table, YM_BREAKER_CLOSED);
}

static void breaker_open(struct ym_breaker *b, int64_t now_ms, int64_t after_ms)
{
    unsigned doublings = b->opened < YM_BREAKER_DOUBLINGS ? b->opened : YM_BREAKER_DOUBLINGS;

    b->stated = after_ms > 0;
    b->until_ms = now_ms + (b->stated ? after_ms : b->every_ms << doublings);
    b->opened++;
    ym_sm_move(&b->sm, b, YM_BREAKER_OPEN);
}

bool ym_breaker_ok(struct ym_breaker *b, int64_t now_ms)
{
    b->failures = 0;
    if (b->sm.state == YM_BREAKER_OPEN) {
        if (!b->stated) {
            b->until_ms = now_ms; /* a late answer: it is alive, try at once */
        }
        return false;
    }
    if (b->sm.state == YM_BREAKER_HALF) {
        b->opened = 0;
        b->stated = false;
        ym_sm_move(&b->sm, b, YM_BREAKER_CLOSED);
        return true;
    }
    return false;
}

bool ym_breaker_fail(struct ym_breaker *b, int64_t now_ms)
{
    b->failures++;
    if (b->sm.state == YM_BREAKER_OPEN) {
        return false;
    }
    if (b->sm.state == YM_BREAKER_CLOSED && b->failures < b->limit) {
        return false;
    }
    breaker_open(b, now_ms, 0);
    return true;
}

bool ym_breaker_trip(struct ym_breaker *b, int64_t now_ms, int64_t after_ms)
{
    b->failures++;
    if (b->sm.state == YM_BREAKER_OPEN) {
        if (after_ms > 0 && now_ms + after_ms > b->until_ms) {
            b->until_ms = now_ms + after_ms;
            b->stated = true;
        }
        return false;
    }
    breaker_open(b, now_ms, after_ms);
    return true;
}

bool ym_breaker_poll(struct ym_breaker *b, int64_t now_ms)
{
    return b->sm.state == YM_BREAKER_OPEN && now_ms >= b->until_ms &&
           ym_sm_move(&b->sm, b, YM_BREAKER_HALF);
}

int64_t ym_breaker_wait(const struct ym_breaker *b, int64_t now_ms)
{
    return b->sm.state == YM_BREAKER_OPEN && b->until_ms > now_ms ? b->until_ms - now_ms : 0;
}

const char *ym_breaker_word(const struct ym_breaker *b)
{
    return ym_sm_name(&b->sm);
}
