/* SPDX-License-Identifier: Apache-2.0
 * Facts + the operation's `reply:` rules → a verdict. Pure.
 */
#ifndef YM_REPLY_H
#define YM_REPLY_H

#include "ym_wire.h"

enum ym_verdict {
    YM_V_OK,
    YM_V_RETRY,
    YM_V_UNAVAILABLE,
    YM_V_REJECTED,
    YM_V_UNKNOWN,
    YM_V_BROKEN,
    /* engine-internal words that rules may use; docs/delivery.md says what each becomes */
    YM_V_ACCEPTED,  /* taken, number comes later through `confirm` */
    YM_V_DUPLICATE, /* "already exists": lookup decides whether it is ours */
    YM_V_REAUTH, /* session or secret no longer holds: renew once, repeat once (nothing was taken) */
    YM_V_HANDOFF, /* a person must do it (captcha) */
    YM_V_ABSENT,  /* lookup: the system does not have it */
    YM_V_PENDING  /* lookup: not yet to be said */
};

struct ym_judgement {
    enum ym_verdict verdict;
    const char *number;       /* the system's own number, or NULL */
    const char *revision;     /* lookup: our revision as the system holds it, or NULL */
    const char *message;      /* the system's words, UTF-8, ≤ 300 characters, or NULL */
    const char *field;        /* rejected: canonical pointer or their field name, or NULL */
    int64_t after_ms;         /* retry/unavailable: wait at least this long; 0 = unsaid */
    char digest[65];          /* SHA-256 of the answer's bytes, hex; "" when none */
    size_t replaced;          /* undecodable characters in the answer */
    struct ym_pair *captured; /* every named `read` value, for sessions */
    size_t captured_count;
    int rule_line; /* which rule decided; 0 = a default */
};

/*
 * Without a matching rule: NOT_SENT → unavailable, SENT_NO_REPLY → unknown (retry when the
 * operation is idempotent), REPLIED → unknown; a form's page that no rule speaks of → retry, for
 * nothing was submitted yet.
 *
 * Rules are only asked about replies, a form's page that was not the form included (NOT_SENT with a
 * status, never unknown), in order. Beside its own `when`, a rule that takes something
 * for settled must have grounds for it, or it is passed over:
 *   ok, accepted, duplicate   not at the stages "page" and "absent" unless the rule names the stage
 *   ok, accepted, absent      when the answer cannot be read as its format, is a SOAP fault, or has
 *                             status 5xx (absent: any 4xx but 404 and 410 too), only if the rule
 *                             compares a value (equals, in, matches) or names that status
 *
 * Plans are kept in a per-process cache keyed by the rules' content, so that a reload cannot meet a
 * stale one; it is not shared between threads (no process of ours has several).
 */
ym_status ym_judge(const struct ym_system *sys, const struct ym_operation *op,
                   const struct ym_facts *facts, struct ym_arena *a, struct ym_judgement *ret,
                   struct ym_err *err);

/* The two halves of ym_judge, for callers that keep the plan. The plan and all it needs live in a. */
struct ym_reply_plan;
ym_status ym_reply_compile(const struct ym_system *sys, const struct ym_operation *op,
                           struct ym_arena *a, const struct ym_reply_plan **ret, struct ym_diag *d);
ym_status ym_judge_plan(const struct ym_reply_plan *plan, const struct ym_facts *facts,
                        struct ym_arena *a, struct ym_judgement *ret, struct ym_err *err);

/* Empties the cache of plans: at exit, and between tests. */
void ym_reply_forget(void);

/* Load-time check: readers parse, rules name known reads, no unreachable rule. */
void ym_reply_check(const struct ym_system *sys, const struct ym_operation *op, struct ym_diag *d);

const char *ym_verdict_word(enum ym_verdict v);

#endif
