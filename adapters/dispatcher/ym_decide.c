/* SPDX-License-Identifier: Apache-2.0
 * The engine's rules (ym_decide.h): one function per purpose.
 */
#include "ym_decide.h"

#include "ym_conf.h"

#include <string.h>

static int64_t backoff(const struct ym_case *c, struct ym_jitter *j)
{
    int64_t wait =
        ym_backoff(j, c->settings->backoff_base_ms, c->settings->backoff_cap_ms, c->attempt);

    return wait > c->judged->after_ms ? wait : c->judged->after_ms;
}

static void settle(struct ym_decision *d, char letter, int64_t delay_ms, const char *code)
{
    d->letter = letter;
    d->delay_ms = delay_ms;
    d->code = code;
}

/* Safe to repeat: later, or never when the budget is used up. */
static void again(const struct ym_case *c, struct ym_jitter *j, const char *code,
                  struct ym_decision *d)
{
    d->health = YM_HEALTH_BAD;
    if (c->attempt >= c->settings->attempts) {
        settle(d, 'x', 0, code);
        return;
    }
    settle(d, 'r', backoff(c, j), code);
}

/* It may have arrived: only a look may decide. */
static void ambiguous(const struct ym_case *c, struct ym_jitter *j, const char *code,
                      struct ym_decision *d)
{
    if (c->idempotent) {
        again(c, j, code, d);
        return;
    }
    d->health = YM_HEALTH_BAD; /* a page of maintenance with status 200 must stop the flow, too */
    /* a record that never gets an answer must not be looked up and resent for ever */
    settle(d, 'u', c->has_lookup && c->attempt < c->settings->attempts ? backoff(c, j) : -1, code);
}

static void down(const struct ym_case *c, char letter, const char *code, struct ym_decision *d)
{
    d->health = YM_HEALTH_DOWN;
    d->after_ms = c->judged->after_ms;
    settle(d, letter, d->after_ms > 0 ? d->after_ms : c->probe_ms, code);
}

static bool differs(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* A number that belongs to another record is linked to nothing: a person looks. */
static void other_number(struct ym_decision *d)
{
    settle(d, 'u', -1, YM_CODE_OTHER_NUMBER);
    d->unlinked = true;
}

static void decide_send(const struct ym_case *c, struct ym_jitter *j, struct ym_decision *d)
{
    bool withdraw = c->purpose == YM_FOR_WITHDRAW;

    d->health = YM_HEALTH_GOOD;
    switch (c->judged->verdict) {
    case YM_V_OK:
        if (c->purpose != YM_FOR_CREATE && differs(c->judged->number, c->known)) {
            other_number(d);
        } else if (c->purpose == YM_FOR_CREATE && c->verifies && c->judged->number != NULL) {
            d->next = YM_NEXT_VERIFY;
        } else if (c->taken && !withdraw) {
            other_number(d);
        } else {
            settle(d, withdraw ? 'w' : 'd', 0, NULL);
        }
        return;
    case YM_V_ACCEPTED:
    case YM_V_PENDING:
        settle(d, 'c', c->has_confirm ? backoff(c, j) : -1, NULL);
        return;
    case YM_V_RETRY:
        again(c, j, "retry", d);
        return;
    case YM_V_UNAVAILABLE:
        down(c, 'p', "unavailable", d);
        return;
    case YM_V_REJECTED:
        settle(d, 'j', 0, "rejected");
        return;
    case YM_V_BROKEN:
        d->health = YM_HEALTH_BROKEN;
        settle(d, 'p', 0, "broken");
        return;
    case YM_V_DUPLICATE:
        if (c->has_lookup) {
            d->next = YM_NEXT_LOOKUP;
            return;
        }
        settle(d, 'u', -1, "duplicate");
        return;
    case YM_V_REAUTH:
        if (c->has_session) {
            d->next = YM_NEXT_REAUTH;
            d->health = YM_HEALTH_NEUTRAL;
            return;
        }
        down(c, 'p', "reauth", d);
        return;
    case YM_V_HANDOFF:
        settle(d, 'h', 0, "handoff");
        return;
    case YM_V_ABSENT:
        if (withdraw) {
            settle(d, 'w', 0, NULL); /* it is not there, which is what was wanted */
            return;
        }
        settle(d, 'u', c->has_lookup ? backoff(c, j) : -1, "absent");
        return;
    case YM_V_UNKNOWN:
        break;
    }
    ambiguous(c, j, c->sent == YM_REPLIED ? "unknown" : "no_reply", d);
}

/* Lookup says the system does not have it; trusted only when a slow write would be visible by now. */
static void proven_absent(const struct ym_case *c, struct ym_decision *d)
{
    int64_t trusted_ms = c->sent_ms + c->settings->absence_after_ms;

    if (c->purpose == YM_FOR_DUPLICATE && d->found == 0) {
        settle(d, 'u', -1, "duplicate"); /* it exists, but not under our reference */
        return;
    }
    if (c->now_ms < trusted_ms) {
        settle(d, 'u', trusted_ms - c->now_ms, "absent");
        return;
    }
    settle(d, c->was_withdraw ? 'w' : 'a', 0, NULL);
}

/*
 * Not to be said yet, or the look itself failed: look again, but not for ever. A system that says it
 * has the record under way may take its time (`confirm_within`): looks at a platform that reads its
 * inbox at night are no failures, and are not counted.
 */
static void look_again(const struct ym_case *c, struct ym_jitter *j, const char *code,
                       struct ym_decision *d)
{
    bool confirms = c->purpose == YM_FOR_CONFIRM;
    bool patient = confirms || d->health == YM_HEALTH_GOOD;
    bool over = patient ? c->now_ms - c->sent_ms > c->settings->confirm_within_ms
                        : c->attempt > c->settings->attempts;

    if (over) {
        settle(d, 'u', -1, code);
        return;
    }
    settle(d, confirms ? 'c' : 'u', backoff(c, j), code);
}

static void decide_look(const struct ym_case *c, struct ym_jitter *j, struct ym_decision *d)
{
    int64_t theirs;

    d->health = YM_HEALTH_GOOD;
    switch (c->judged->verdict) {
    case YM_V_OK:
        if (c->was_withdraw && c->purpose == YM_FOR_CONFIRM) {
            settle(d, 'w', 0, NULL); /* the withdrawal that was taken is confirmed */
            return;
        }
        if (c->was_withdraw) {
            settle(d, 'r', backoff(c, j), "still_there"); /* withdraw again */
            return;
        }
        if (differs(c->judged->number, c->known) || c->taken) {
            other_number(d);
            return;
        }
        if (c->judged->revision != NULL && ym_int_parse(ym_str_of(c->judged->revision), &theirs) &&
            theirs < c->revision) {
            d->found = theirs;
            proven_absent(c, d); /* it is there, our latest words are not */
            return;
        }
        settle(d, 'd', 0, NULL);
        return;
    case YM_V_ABSENT:
        if (c->purpose == YM_FOR_CONFIRM && c->verifies &&
            c->now_ms >= c->sent_ms + c->settings->absence_after_ms) {
            settle(d, 'u', -1, YM_CODE_NUMBER_UNPROVEN); /* taken by its word, and not there */
            return;
        }
        if (c->purpose == YM_FOR_CONFIRM) {
            look_again(c, j, "absent", d); /* it was taken: not to be sent again on this word */
            return;
        }
        proven_absent(c, d);
        return;
    case YM_V_REJECTED:
        settle(d, 'j', 0, "rejected");
        return;
    case YM_V_UNAVAILABLE:
        down(c, 'p', "unavailable", d); /* stays what it was; the look does not count */
        return;
    case YM_V_REAUTH:
        if (c->has_session) {
            d->next = YM_NEXT_REAUTH;
            d->health = YM_HEALTH_NEUTRAL;
            return;
        }
        down(c, 'p', "reauth", d);
        return;
    case YM_V_BROKEN:
        d->health = YM_HEALTH_BROKEN;
        settle(d, 'p', 0, "broken");
        return;
    case YM_V_HANDOFF:
        settle(d, 'u', -1, "handoff"); /* whether it arrived is still open */
        return;
    case YM_V_ACCEPTED:
    case YM_V_PENDING:
        look_again(c, j, "pending", d);
        return;
    case YM_V_RETRY:
        if (c->purpose != YM_FOR_DUPLICATE && c->sent == YM_REPLIED) {
            again(c, j, "retry", d); /* its own word: not taken, or safe to send again */
            return;
        } /* no answer to an idempotent look: the look may be repeated, not what it looks for */
        break;
    case YM_V_DUPLICATE:
    case YM_V_UNKNOWN:
        break;
    }
    d->health = YM_HEALTH_BAD;
    look_again(c, j, "unknown", d);
}

/*
 * The system has taken the record and named a number; only a lookup that gives the same makes it the
 * delivery's. Whatever else the lookup says, the record is never sent again from here: it stays taken
 * and is looked for, as after `accepted`.
 */
static void decide_verify(const struct ym_case *c, struct ym_jitter *j, struct ym_decision *d)
{
    d->health = YM_HEALTH_GOOD;
    switch (c->judged->verdict) {
    case YM_V_OK:
        if (c->judged->number == NULL) {
            break;
        }
        if (differs(c->judged->number, c->told) || c->taken) {
            other_number(d);
            return;
        }
        settle(d, 'd', 0, NULL);
        return;
    case YM_V_ABSENT:
    case YM_V_ACCEPTED:
    case YM_V_PENDING:
        break;
    case YM_V_REAUTH:
        if (c->has_session) {
            d->next = YM_NEXT_REAUTH;
            d->health = YM_HEALTH_NEUTRAL;
            return;
        }
        down(c, 'c', YM_CODE_NUMBER_UNPROVEN, d);
        return;
    case YM_V_UNAVAILABLE:
        down(c, 'c', YM_CODE_NUMBER_UNPROVEN, d);
        return;
    case YM_V_BROKEN:
        d->health = YM_HEALTH_BROKEN;
        break;
    case YM_V_RETRY:
    case YM_V_REJECTED:
    case YM_V_HANDOFF:
    case YM_V_DUPLICATE:
    case YM_V_UNKNOWN:
        d->health = YM_HEALTH_BAD;
        break;
    }
    settle(d, 'c', backoff(c, j), YM_CODE_NUMBER_UNPROVEN);
}

/* Sign-in and probe settle nothing; they only tell how the system is. */
static void decide_own(const struct ym_case *c, struct ym_decision *d)
{
    switch (c->judged->verdict) {
    case YM_V_OK:
    case YM_V_ACCEPTED:
    case YM_V_ABSENT:
    case YM_V_PENDING:
    case YM_V_DUPLICATE:
        d->health = YM_HEALTH_GOOD;
        return;
    case YM_V_BROKEN:
        d->health = YM_HEALTH_BROKEN;
        d->code = "broken";
        return;
    case YM_V_REJECTED:
        /* refused credentials: asking again and again is how accounts get locked */
        d->health = c->purpose == YM_FOR_SESSION ? YM_HEALTH_BROKEN : YM_HEALTH_GOOD;
        d->code = c->purpose == YM_FOR_SESSION ? "sign_in_refused" : NULL;
        return;
    case YM_V_HANDOFF:
        d->health = YM_HEALTH_NEUTRAL;
        d->code = "handoff";
        return;
    case YM_V_REAUTH:
        if (c->purpose == YM_FOR_PROBE) {
            d->health = YM_HEALTH_GOOD; /* it is back; the next attempt signs in */
            return;
        }
        break;
    case YM_V_RETRY:
    case YM_V_UNAVAILABLE:
    case YM_V_UNKNOWN:
        break;
    }
    d->health = YM_HEALTH_DOWN;
    d->after_ms = c->judged->after_ms;
    d->code = "unavailable";
}

void ym_decide(const struct ym_case *c, struct ym_jitter *j, struct ym_decision *ret)
{
    *ret = (struct ym_decision){.next = YM_NEXT_SETTLE};

    switch (c->purpose) {
    case YM_FOR_CREATE:
    case YM_FOR_UPDATE:
    case YM_FOR_WITHDRAW:
        decide_send(c, j, ret);
        return;
    case YM_FOR_LOOKUP:
    case YM_FOR_CONFIRM:
    case YM_FOR_DUPLICATE:
        decide_look(c, j, ret);
        return;
    case YM_FOR_VERIFY:
        decide_verify(c, j, ret);
        return;
    case YM_FOR_SESSION:
    case YM_FOR_PROBE:
        decide_own(c, ret);
        return;
    }
}
