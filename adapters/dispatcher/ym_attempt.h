/* SPDX-License-Identifier: Apache-2.0
 * One attempt: a claimed delivery (or an operation of the engine's own) from the record to the
 * judgement. It renders, carries and judges; what follows is decided elsewhere (ym_decide.h).
 * Ownership: the worker's slot owns the attempt, the attempt its arena and exchange.
 */
#ifndef YM_ATTEMPT_H
#define YM_ATTEMPT_H

#include "ym_arena.h"
#include "ym_decide.h"
#include "ym_problem.h"
#include "ym_queue_worker.h"
#include "ym_render.h"
#include "ym_session.h"
#include "ym_transport.h"

enum ym_attempt_state {
    YM_ATTEMPT_FREE,
    YM_ATTEMPT_TAKEN,     /* claimed, operation chosen */
    YM_ATTEMPT_WAITING,   /* for the session */
    YM_ATTEMPT_RENDERED,  /* exact bytes are there */
    YM_ATTEMPT_IN_FLIGHT, /* may have been sent */
    YM_ATTEMPT_JUDGED,
    YM_ATTEMPT_SETTLED
};
extern const struct ym_sm_table ym_attempt_table;

/* What an attempt is made with: one per worker. */
struct ym_bench {
    const struct ym_system *sys;
    const struct ym_transport *transport;
    struct ym_link *link;
    const struct ym_secrets *secrets;
    struct ym_session *session; /* NULL = the adapter has none */
    struct ym_keys *keys;
};

struct ym_attempt {
    struct ym_sm sm;
    struct ym_bench *bench;
    struct ym_arena *arena;
    enum ym_purpose purpose;
    unsigned shard;                  /* it was claimed from */
    struct ym_claimed claimed;       /* copied into the arena; empty for the engine's own */
    const struct ym_operation *base; /* which sends, or has sent */
    const struct ym_operation *op;   /* which is run now */
    struct ym_wire wire;
    size_t fields; /* of the record that went into it */
    struct ym_exchange *exchange;
    CURL *easy; /* in the loop, or NULL */
    struct ym_facts facts;
    struct ym_judgement judged;
    struct ym_problems problems; /* of the data, found while rendering */
    unsigned generation;         /* of the session that was used */
    bool renewed;                /* the session, in this attempt */
    const char *told;            /* YM_FOR_VERIFY: the number that the create was answered with */
    char answered[65];           /* and the digest of that answer */
    bool unreadable;             /* the stored record is no JSON */
    bool locked;                 /* it is sealed with a key that is not here */
    int64_t until_ms;            /* monotonic: deadline of what is in flight */
    struct ym_str sent;          /* see ym_attempt_sent */
    struct ym_str steps;         /* earlier operations of it, as ym_trace.h keeps them */
};

void ym_attempt_init(struct ym_attempt *a, struct ym_bench *bench);

/*
 * Takes a claimed delivery: copies it, chooses purpose and operation. YM_EUNSUPPORTED: the adapter
 * has no operation for it (a person must act); YM_ENOMEM.
 */
ym_status ym_attempt_take(struct ym_attempt *a, const struct ym_claimed *c, struct ym_err *err);

/* One of the engine's own: no record. */
ym_status ym_attempt_take_own(struct ym_attempt *a, enum ym_purpose purpose,
                              const struct ym_operation *op, struct ym_err *err);

/* Judged, but not at its end: the same operation once more (with a renewed session). */
void ym_attempt_again(struct ym_attempt *a);

/* After `duplicate`: the same attempt goes on with the lookup operation. */
void ym_attempt_look(struct ym_attempt *a);

/* After a number: the same attempt goes on with the lookup operation, which must give it as well. */
void ym_attempt_verify(struct ym_attempt *a);

/* Whether the operation waits for a session that is not there. */
bool ym_attempt_needs_session(const struct ym_attempt *a);
void ym_attempt_wait(struct ym_attempt *a);

/* YM_EINVAL with problems or unreadable: the record; anything else: the configuration or memory. */
ym_status ym_attempt_render(struct ym_attempt *a, struct ym_err *err);

/* Non-blocking transports. On success a->easy is to be driven; YM_EIO and the like: broken. */
ym_status ym_attempt_begin(struct ym_attempt *a, int64_t timeout_ms, struct ym_err *err);
/* The handle has ended. True: judged. False: a->easy is the next to drive. */
bool ym_attempt_step(struct ym_attempt *a, CURLcode how);
/* Blocking transports: begins and ends here; judged afterwards. */
void ym_attempt_run(struct ym_attempt *a, int64_t timeout_ms);
/* The deadline passed though the transport did not notice: sent without reply. */
void ym_attempt_expire(struct ym_attempt *a);

/* Fills what ym_decide asks about this attempt; the caller adds the clocks and the breaker. */
void ym_attempt_case(const struct ym_attempt *a, struct ym_case *ret);

/*
 * The SHA-256 (its bytes, in the attempt's arena) of the record as it was sent, also when a look came
 * after: the body of a request or form, a file's content, or each statement's text and each of its
 * parameters with a zero byte behind it (NULL: 0x01 0x00). Empty: nothing of that kind was sent.
 */
struct ym_str ym_attempt_sent(struct ym_attempt *a);

/* {"code","message","field","at"} in the attempt's arena; NULL when memory is out. */
const char *ym_attempt_problem(const struct ym_attempt *a, const char *code, int64_t now_ms);

/* Frees everything; the slot is free again. Nothing may be in flight any more. */
void ym_attempt_end(struct ym_attempt *a);

#endif
