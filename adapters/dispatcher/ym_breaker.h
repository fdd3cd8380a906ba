/* SPDX-License-Identifier: Apache-2.0
 * The circuit breaker of one system: closed (running) → open (suspended) → half (one trial) →
 * closed. Pure; times are monotonic milliseconds given by the caller.
 */
#ifndef YM_BREAKER_H
#define YM_BREAKER_H

#include "ym_sm.h"

enum ym_breaker_state { YM_BREAKER_CLOSED, YM_BREAKER_OPEN, YM_BREAKER_HALF };
extern const struct ym_sm_table ym_breaker_table;

#define YM_BREAKER_DOUBLINGS 4 /* probe_every is doubled up to 16 times itself */

struct ym_breaker {
    struct ym_sm sm;
    int64_t limit;    /* failures in a row that open it */
    int64_t every_ms; /* first wait before a trial */
    int64_t failures; /* in a row */
    int64_t until_ms; /* open: when the next trial may start */
    unsigned opened;  /* times in a row without a success between */
    bool stated;      /* the system itself said how long to wait */
};

void ym_breaker_init(struct ym_breaker *b, int64_t failures, int64_t probe_every_ms);

/* A usable answer came. True when that closed it. A stated wait is not cut short. */
bool ym_breaker_ok(struct ym_breaker *b, int64_t now_ms);

/* An attempt failed though it may have arrived. True when that opened it. */
bool ym_breaker_fail(struct ym_breaker *b, int64_t now_ms);

/* The system is unavailable; after_ms > 0: it said for how long. True when that opened it. */
bool ym_breaker_trip(struct ym_breaker *b, int64_t now_ms, int64_t after_ms);

/* True, once, when the wait is over: a trial may start. */
bool ym_breaker_poll(struct ym_breaker *b, int64_t now_ms);

/* How long until the next trial; 0 unless open. */
int64_t ym_breaker_wait(const struct ym_breaker *b, int64_t now_ms);

const char *ym_breaker_word(const struct ym_breaker *b); /* closed | open | half */

#endif
