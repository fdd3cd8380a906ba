/* SPDX-License-Identifier: Apache-2.0
 * What the worker's three files share: ym_worker.c (process, loop, report), ym_shards.c (the queue's
 * side) and ym_engine.c (the system's side). Nobody else includes this.
 */
#ifndef YM_WORKER_PRIV_H
#define YM_WORKER_PRIV_H

#include "ym_attempt.h"
#include "ym_breaker.h"
#include "ym_envelope.h"
#include "ym_id.h"
#include "ym_limits.h"
#include "ym_line.h"
#include "ym_numbers.h"
#include "ym_queue_worker.h"
#include "ym_worker.h"

enum ym_worker_state {
    YM_WORKER_STARTING, /* not attached yet */
    YM_WORKER_RUNNING,
    YM_WORKER_DRAINING, /* claims nothing, finishes what is in flight */
    YM_WORKER_DONE
};
extern const struct ym_sm_table ym_worker_table;

enum ym_shard_state {
    YM_SHARD_DETACHED,
    YM_SHARD_ATTACHING,
    YM_SHARD_RECLAIMING,
    YM_SHARD_ATTACHED
};
extern const struct ym_sm_table ym_shard_table;

struct ym_shard {
    struct ym_sm sm;
    struct ym_holder holder;
    char stream[128];                 /* {sN}:q:<system> */
    char seen[48];                    /* highest entry id claimed: the doorbell's place */
    bool ready;                       /* the stream may hold something */
    bool due_open;                    /* a due call is unanswered */
    bool claim_lost;                  /* a claim's answer was lost: its entries need a new epoch */
    bool sent_open;                   /* `sent` is on the wire */
    int64_t asked;                    /* by the claim that is not wholly answered; 0 = none */
    const struct redisReply *claimed; /* that claim's answer, while envelopes are on their way */
    size_t unread;                    /* of its envelopes */
    size_t active;                    /* attempts of this shard */
    int64_t due_ms;                   /* monotonic: next due call */
    int64_t reclaim_ms;               /* monotonic: next reclaim call */
    int64_t retry_ms;                 /* monotonic: after an error */
    struct ym_batch open, sent;       /* settlements: gathering; waiting for their answer */
};

struct ym_worker {
    struct ym_sm sm;
    const struct ym_catalog *catalog;
    const struct ym_system *sys;
    struct ym_access access;
    struct ym_jitter jitter;
    struct ym_loop *loop;
    struct ym_bench bench;
    struct ym_secrets *secrets;
    struct ym_keys keys;
    struct ym_watch signals;
    int ready_fd, lock_fd;
    pid_t parent;
    int exit_code;

    struct ym_line commands, bell, control;
    bool bell_open, control_open; /* an XREAD is waiting */
    char control_seen[48];
    char consumer[80];
    unsigned attached_times;
    struct ym_shard shards[YM_SHARDS_MAX];
    unsigned shard_count, shard_turn;
    int64_t clock_ms; /* Redis's clock minus ours */
    int64_t poll_ms;  /* monotonic: idle shards are asked again while others are busy */

    struct ym_attempt *attempts; /* in_flight for deliveries, then session and probe */
    size_t attempt_count;        /* for deliveries */
    size_t *free_slots;
    size_t free_count;
    size_t in_flight; /* of all attempts: handles in the loop */
    size_t run_turn;  /* blocking transports */
    size_t queued;    /* rendered, waiting for the blocking transport */

    struct ym_breaker breaker;
    struct ym_bucket bucket;
    struct ym_gate gate;
    char problem[128];  /* last cause of a suspension, our own words */
    int64_t last_ok_ms; /* Redis's clock */
    struct ym_numbers *numbers;
    int64_t drain_ms;   /* monotonic deadline */
    int64_t report_ms, systems_ms, watchdog_ms;
    bool report_now;
};

#define YM_SLOT_SESSION(w) (&(w)->attempts[(w)->attempt_count])
#define YM_SLOT_PROBE(w) (&(w)->attempts[(w)->attempt_count + 1])

static inline int64_t ym_worker_redis_ms(const struct ym_worker *w, int64_t wall_ms)
{
    return wall_ms + w->clock_ms;
}

/* ym_shards.c: the queue ------------------------------------------------------------------------ */

void ym_shards_init(struct ym_worker *w);
void ym_shards_clear(struct ym_worker *w);
/* Timers, settlements, claims, doorbell: once per turn, before sleeping. Returns the next wish. */
int64_t ym_shards_turn(struct ym_worker *w, int64_t now_ms);
void ym_shards_settle(struct ym_worker *w, unsigned shard, const struct ym_settlement *s);
/* A claimed delivery that cannot be taken: it is found again, and looked up, under the next epoch. */
void ym_shards_lost(struct ym_worker *w, unsigned shard);
bool ym_shards_quiet(const struct ym_worker *w); /* nothing waits to be settled */

/* ym_engine.c: the system ----------------------------------------------------------------------- */

ym_status ym_engine_init(struct ym_worker *w, struct ym_err *err);
void ym_engine_clear(struct ym_worker *w);
/* How many more deliveries may be claimed now. */
int64_t ym_engine_room(const struct ym_worker *w);
void ym_engine_take(struct ym_worker *w, unsigned shard, const struct ym_claimed *c);
void ym_engine_ended(struct ym_worker *w); /* handles that have ended */
/* Breaker, hours, watchdog, blocking runs. Returns the next wish. */
int64_t ym_engine_turn(struct ym_worker *w, int64_t now_ms);
/* Nothing more is sent: what has not begun goes back to the queue. */
void ym_engine_hold(struct ym_worker *w);
void ym_engine_abort(
    struct ym_worker *w); /* the drain's deadline: what is in flight is ambiguous */
bool ym_engine_idle(const struct ym_worker *w);

/* ym_worker.c ----------------------------------------------------------------------------------- */

void ym_worker_stop(struct ym_worker *w, int exit_code); /* begins to drain */
void ym_worker_broken(struct ym_worker *w, const struct ym_err *err);
void ym_worker_ready(struct ym_worker *w); /* every shard is attached */
void ym_worker_told(struct ym_worker *w, const struct redisReply *systems);

#endif
