/* SPDX-License-Identifier: Apache-2.0
 * The engine's rules on one page: a verdict in its situation → what becomes of the delivery and of
 * the system. Pure; docs/delivery.md draws the same.
 */
#ifndef YM_DECIDE_H
#define YM_DECIDE_H

#include "ym_backoff.h"
#include "ym_reply.h"

/* What the operation was run for. */
enum ym_purpose {
    YM_FOR_CREATE,
    YM_FOR_UPDATE,
    YM_FOR_WITHDRAW,
    YM_FOR_LOOKUP,    /* an earlier attempt is ambiguous */
    YM_FOR_CONFIRM,   /* an earlier attempt was taken, its number is awaited */
    YM_FOR_DUPLICATE, /* lookup inside an attempt that was answered "already exists" */
    YM_FOR_VERIFY,    /* lookup inside an attempt that was answered with a number */
    YM_FOR_SESSION,   /* the engine's own: sign-in or renewal */
    YM_FOR_PROBE      /* the engine's own: is it back? */
};

/* Problems that ym_attempt_problem has words of its own for. */
#define YM_CODE_OTHER_NUMBER "other_number"
#define YM_CODE_NUMBER_UNPROVEN "number_unproven"

struct ym_case {
    enum ym_purpose purpose;
    const struct ym_engine_settings *settings;
    const struct ym_judgement *judged;
    enum ym_sent sent;
    bool idempotent;         /* of the operation that sends */
    bool has_lookup;         /* there is an operation to look with */
    bool has_confirm;        /* there is one that waits for the number */
    bool has_session;        /* and it was not renewed in this attempt yet */
    bool was_withdraw;       /* lookup: what is ambiguous is a withdrawal */
    bool taken;              /* the number that was named was given to another record */
    bool verifies;           /* a number counts when the lookup gives the same */
    const char *known;       /* the number that the system has the record under; NULL = none */
    const char *told;        /* VERIFY: the number that the create was answered with */
    int64_t attempt;         /* from 1 */
    int64_t revision;        /* sent, or to be sent */
    int64_t sent_ms, now_ms; /* Redis's clock; lookup: of the ambiguous attempt */
    int64_t probe_ms;        /* how long the system will be suspended if it is now */
};

enum ym_next {
    YM_NEXT_SETTLE,
    YM_NEXT_LOOKUP, /* run the lookup operation now, for YM_FOR_DUPLICATE */
    YM_NEXT_VERIFY, /* run it now, for YM_FOR_VERIFY */
    YM_NEXT_REAUTH  /* renew the session, then the same operation again */
};

/* What it says about the system. */
enum ym_health {
    YM_HEALTH_GOOD,
    YM_HEALTH_NEUTRAL,
    YM_HEALTH_BAD,
    YM_HEALTH_DOWN,
    YM_HEALTH_BROKEN
};

struct ym_decision {
    enum ym_next next;
    enum ym_health health;
    char letter;      /* YM_FN_SETTLE's verdict; 0 for the engine's own operations */
    int64_t delay_ms; /* -1 with u: only a person */
    int64_t found;    /* with a: the older revision that a look found there, 0 = none */
    int64_t after_ms; /* DOWN: the system's own word, 0 = none */
    const char *code; /* of the problem to store; NULL = none */
    bool unlinked;    /* the number that was named is not the delivery's */
};

void ym_decide(const struct ym_case *c, struct ym_jitter *j, struct ym_decision *ret);

#endif
