/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of traces: what an attempt sent and what came back, kept with the settlement
 * of the attempts that did not go well (core/ym_store_trace.lua).
 *
 * Keys (N = shard): {sN}:t:<id>:<number of system> list of the last five, oldest first, gone 30 days
 * after the last one; {sN}:tb hash of their sizes, "*" the shard's; {sN}:tz sorted set, when each was
 * written last. Beyond 16 MiB a shard, or 30 days, the list that was written longest ago goes. A
 * trace is bytes to the store: sealed where there is a key ring (context "attempt:<id>").
 */
#ifndef YM_STORE_TRACE_H
#define YM_STORE_TRACE_H

/*
 * (system, consumer, epoch, n, [item, trace]×n, items of YM_FN_SETTLE…) → as YM_FN_SETTLE. item: which
 * of the items, from 1. A trace is written in the same step as its item, and only when it is this call
 * that settles it: a repeated call keeps it once, a fenced one keeps nothing.
 */
#define YM_FN_SETTLE_KEPT "ym_settle_kept"

/* (id, system) → nil (no such delivery) | [trace, …] newest first */
#define YM_FN_ATTEMPTS "ym_attempts"

/* (<id>:<number of system>, place, old, new) → ["kept"] | ["changed"]: a trace sealed anew */
#define YM_FN_RESEAL_ATTEMPT "ym_reseal_attempt"

#endif
