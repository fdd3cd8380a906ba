/* SPDX-License-Identifier: Apache-2.0
 * The worker's side of the system: attempts from claim to settlement, the session, the breaker, the
 * gate. What a verdict means stands in ym_decide.c; here it is carried out.
 */
#include "ym_worker_priv.h"

#include "ym_log.h"
#include "ym_time.h"
#include "ym_trace.h"

#include <stdio.h>
#include <stdlib.h>

#define ENGINE_EXTRA_SLOTS 2 /* session and probe */
#define ENGINE_GRACE_MS 2000 /* a transport that overruns its timeout by this is cut off */
#define ENGINE_WATCHDOG_MS 500
#define ENGINE_KEYS_MS 15000    /* until a record is tried again whose key is missing */
#define ENGINE_MEMORY_MS 1000   /* put back for want of memory */
#define ENGINE_STEP_MIN_MS 1000 /* what a second operation of an attempt gets at least */
#define ENGINE_BATCH_FROM 16    /* from this in_flight on, claims wait for a quarter of it */

static void engine_go(struct ym_worker *w, struct ym_attempt *a);
static void engine_judged(struct ym_worker *w, struct ym_attempt *a);

/* Slots --------------------------------------------------------------------------------------- */

ym_status ym_engine_init(struct ym_worker *w, struct ym_err *err)
{
    size_t n = (size_t)w->sys->settings.in_flight;

    w->attempt_count = n;
    w->attempts = calloc(n + ENGINE_EXTRA_SLOTS, sizeof(*w->attempts));
    w->free_slots = calloc(n, sizeof(*w->free_slots));
    w->numbers = calloc(1, sizeof(*w->numbers));
    if (w->attempts == NULL || w->free_slots == NULL || w->numbers == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory for %zu attempts", n);
    }
    for (size_t i = 0; i < n + ENGINE_EXTRA_SLOTS; i++) {
        ym_attempt_init(&w->attempts[i], &w->bench);
    }
    for (size_t i = 0; i < n; i++) {
        w->free_slots[i] = n - 1 - i;
    }
    w->free_count = n;

    ym_breaker_init(&w->breaker, w->sys->settings.breaker_failures,
                    w->sys->settings.probe_every_ms);
    ym_bucket_init(&w->bucket, w->sys->settings.rate, ym_tick_ms());
    ym_gate_init(&w->gate, w->sys, ym_now_ms());
    return YM_OK;
}

void ym_engine_clear(struct ym_worker *w)
{
    if (w->attempts != NULL) {
        ym_engine_abort(w);
    }
    free(w->attempts);
    free(w->free_slots);
    free(w->numbers);
    w->numbers = NULL;
    w->attempts = NULL;
    w->free_slots = NULL;
}

static bool engine_is_own(const struct ym_worker *w, const struct ym_attempt *a)
{
    return a == YM_SLOT_SESSION(w) || a == YM_SLOT_PROBE(w);
}

static void engine_free(struct ym_worker *w, struct ym_attempt *a)
{
    ym_attempt_end(a);
    if (!engine_is_own(w, a)) {
        w->free_slots[w->free_count++] = (size_t)(a - w->attempts);
    }
}

bool ym_engine_idle(const struct ym_worker *w)
{
    return w->free_count == w->attempt_count && w->in_flight == 0;
}

/* Nothing is to be sent now. */
static bool engine_closed(const struct ym_worker *w)
{
    return !ym_gate_open(&w->gate) || w->breaker.sm.state == YM_BREAKER_OPEN;
}

int64_t ym_engine_room(const struct ym_worker *w)
{
    size_t busy = w->attempt_count - w->free_count;

    if (!ym_gate_open(&w->gate)) {
        return 0;
    }
    switch (w->breaker.sm.state) {
    case YM_BREAKER_OPEN:
        return 0;
    case YM_BREAKER_HALF: /* one trial, unless the adapter has a probe for that */
        return busy == 0 && YM_SLOT_PROBE(w)->sm.state == YM_ATTEMPT_FREE ? 1 : 0;
    default:
        break;
    }
    /* a claim costs a round trip: a busy worker asks for several at once */
    if (w->attempt_count >= ENGINE_BATCH_FROM && w->in_flight > w->attempt_count / 2 &&
        w->free_count < w->attempt_count / 4) {
        return 0;
    }
    return (int64_t)w->free_count;
}

/* Settling ------------------------------------------------------------------------------------ */

/* What was taken stays taken, whatever kept the lookup of its number from being made. */
static char engine_letter(const struct ym_attempt *a, const struct ym_decision *d)
{
    bool later = d->letter == 'p' || (d->letter == 'u' && d->delay_ms >= 0);

    return a->purpose == YM_FOR_VERIFY && later ? 'c' : d->letter;
}

static void engine_settle(struct ym_worker *w, struct ym_attempt *a, const struct ym_decision *d)
{
    char letter = engine_letter(a, d);
    int64_t wall_ms = ym_worker_redis_ms(w, ym_now_ms());
    struct ym_settlement s = {.entry = a->claimed.entry,
                              .id = a->claimed.id,
                              .token = a->claimed.token,
                              .letter = letter,
                              .revision = letter == 'a' ? d->found : a->claimed.revision,
                              .delay_ms = d->delay_ms,
                              .fields = a->fields,
                              .digest =
                                  a->purpose == YM_FOR_VERIFY ? a->answered : a->judged.digest};

    if (engine_is_own(w, a)) {
        engine_free(w, a);
        return;
    }
    s.number = a->claimed.number.p;
    if (a->judged.number != NULL && !d->unlinked &&
        (a->purpose != YM_FOR_VERIFY || letter == 'd')) {
        s.number = a->judged.number;
    }
    if (d->code != NULL) {
        s.problem = ym_envelope_problem(&w->keys, a->claimed.id,
                                        ym_attempt_problem(a, d->code, wall_ms), a->arena);
    }
    if (letter == 'd' || letter == 'w') {
        w->last_ok_ms = wall_ms;
    }
    if (letter == 'd' && w->sys->settings.verify != YM_VERIFY_NONE && s.number[0] != '\0') {
        ym_numbers_keep(w->numbers, s.number, a->claimed.id);
    }
    if (strchr("dwcj", letter) != NULL) {
        s.request = ym_attempt_sent(a);
    }
    if (ym_trace_wanted(a, letter)) {
        s.trace =
            ym_envelope_trace(&w->keys, a->claimed.id, ym_trace(a, letter, wall_ms), a->arena);
    }
    ym_sm_move(&a->sm, a, YM_ATTEMPT_SETTLED);
    ym_shards_settle(w, a->shard, &s);
    engine_free(w, a);
}

static void engine_settle_as(struct ym_worker *w, struct ym_attempt *a, char letter,
                             int64_t delay_ms, const char *code)
{
    struct ym_decision d = {.letter = letter, .delay_ms = delay_ms, .code = code};

    engine_settle(w, a, &d);
}

/* Not sent, not counted: it waits in the store until the system may be called again. */
static void engine_put_back(struct ym_worker *w, struct ym_attempt *a)
{
    engine_settle_as(w, a, 'p', ym_breaker_wait(&w->breaker, ym_tick_ms()), NULL);
}

static bool engine_not_begun(const struct ym_attempt *a)
{
    return a->sm.state == YM_ATTEMPT_TAKEN || a->sm.state == YM_ATTEMPT_WAITING ||
           a->sm.state == YM_ATTEMPT_RENDERED;
}

void ym_engine_hold(struct ym_worker *w)
{
    for (size_t i = 0; w->attempts != NULL && i < w->attempt_count + ENGINE_EXTRA_SLOTS; i++) {
        struct ym_attempt *a = &w->attempts[i];

        if (!engine_not_begun(a)) {
            continue;
        }
        if (a->sm.state == YM_ATTEMPT_RENDERED && w->queued > 0) {
            w->queued--;
        }
        if (a == YM_SLOT_SESSION(w)) {
            ym_session_fail(w->bench.session);
        }
        engine_put_back(w, a);
    }
}

/* Health -------------------------------------------------------------------------------------- */

static void engine_suspended(struct ym_worker *w, const char *why)
{
    int64_t wait_ms = ym_breaker_wait(&w->breaker, ym_tick_ms());

    snprintf(w->problem, sizeof(w->problem), "%s", why != NULL ? why : "unavailable");
    ym_log(YM_LOG_WARN, "system.suspended", "system", w->sys->id, "after_ms", ym_log_int(wait_ms),
           "err", w->problem, NULL);
    w->report_now = true;
    ym_engine_hold(w);
}

static void engine_good(struct ym_worker *w)
{
    if (!ym_breaker_ok(&w->breaker, ym_tick_ms())) {
        return;
    }
    w->problem[0] = '\0';
    ym_log(YM_LOG_INFO, "system.resumed", "system", w->sys->id, NULL);
    w->report_now = true;
}

/* The transport's words, or which rule it was: never the system's own, they may name people. */
static const char *engine_cause(const struct ym_attempt *a, const char *code, char *out,
                                size_t size)
{
    if (a->facts.sent != YM_REPLIED && a->facts.problem != NULL) {
        return a->facts.problem;
    }
    snprintf(out, size, "%s: operation %s, status %ld, rule at line %d",
             code != NULL ? code : ym_verdict_word(a->judged.verdict), a->op->name, a->facts.status,
             a->judged.rule_line);
    return out;
}

static void engine_health(struct ym_worker *w, const struct ym_attempt *a,
                          const struct ym_decision *d)
{
    int64_t now_ms = ym_tick_ms();
    char text[128];
    struct ym_err err = {0};

    switch (d->health) {
    case YM_HEALTH_GOOD:
        engine_good(w);
        return;
    case YM_HEALTH_NEUTRAL:
        return;
    case YM_HEALTH_BAD:
        if (ym_breaker_fail(&w->breaker, now_ms)) {
            engine_suspended(w, engine_cause(a, d->code, text, sizeof(text)));
        }
        return;
    case YM_HEALTH_DOWN:
        if (ym_breaker_trip(&w->breaker, now_ms, d->after_ms)) {
            engine_suspended(w, engine_cause(a, d->code, text, sizeof(text)));
        }
        return;
    case YM_HEALTH_BROKEN:
        ym_err_set(&err, YM_EINVAL, "%s", engine_cause(a, d->code, text, sizeof(text)));
        ym_worker_broken(w, &err);
        return;
    }
}

/* The session --------------------------------------------------------------------------------- */

static void engine_sign_in(struct ym_worker *w)
{
    struct ym_session *s = w->bench.session;
    struct ym_attempt *a = YM_SLOT_SESSION(w);
    const struct ym_operation *op;
    struct ym_err err = {0};

    if (ym_session_in_flight(s) || a->sm.state != YM_ATTEMPT_FREE) {
        return; /* one flight; whoever waits goes with it */
    }
    op = ym_session_start(s);
    if (!ym_session_renewing(s) && w->bench.transport->forget != NULL) {
        w->bench.transport->forget(w->bench.link);
    }
    if (ym_attempt_take_own(a, YM_FOR_SESSION, op, &err) != YM_OK) {
        ym_session_fail(s);
        ym_worker_broken(w, &err);
        return;
    }
    engine_go(w, a);
}

static void engine_release(struct ym_worker *w)
{
    for (size_t i = 0; i < w->attempt_count + ENGINE_EXTRA_SLOTS; i++) {
        if (w->attempts[i].sm.state == YM_ATTEMPT_WAITING) {
            engine_go(w, &w->attempts[i]);
        }
    }
}

/* Sign-in met a captcha: a person must do what waits for it. */
static void engine_hand_over(struct ym_worker *w)
{
    for (size_t i = 0; i < w->attempt_count; i++) {
        struct ym_attempt *a = &w->attempts[i];

        if (a->sm.state != YM_ATTEMPT_WAITING) {
            continue;
        }
        if (a->purpose == YM_FOR_CREATE || a->purpose == YM_FOR_UPDATE ||
            a->purpose == YM_FOR_WITHDRAW) {
            engine_settle_as(w, a, 'h', 0, "handoff");
        } else {
            engine_settle_as(w, a, 'u', -1, "handoff");
        }
    }
}

static void engine_session_judged(struct ym_worker *w, struct ym_attempt *a,
                                  const struct ym_decision *d)
{
    struct ym_session *s = w->bench.session;
    struct ym_decision lost = *d;
    bool again;

    if (d->health == YM_HEALTH_GOOD && ym_session_keep(s, &a->judged, &a->facts, ym_now_ms())) {
        engine_free(w, a);
        engine_release(w);
        return;
    }

    again = ym_session_fail(s);
    if (d->health == YM_HEALTH_GOOD) { /* it says yes, but what we need is not in the answer */
        lost.health = YM_HEALTH_DOWN;
        lost.code = "session_incomplete";
    }
    if (again && (lost.health != YM_HEALTH_DOWN || a->judged.verdict == YM_V_REAUTH ||
                  a->facts.sent == YM_REPLIED)) {
        engine_free(w, a); /* renewal did not work: sign in from the start */
        engine_sign_in(w);
        return;
    }
    engine_health(w, a, &lost);
    if (lost.health == YM_HEALTH_NEUTRAL) {
        engine_hand_over(w);
    }
    engine_free(w, a);
    ym_engine_hold(w); /* nobody waits for a flight that is over */
}

/* Attempts ------------------------------------------------------------------------------------ */

static bool engine_looks(const struct ym_attempt *a)
{
    return a->purpose == YM_FOR_LOOKUP || a->purpose == YM_FOR_CONFIRM ||
           a->purpose == YM_FOR_DUPLICATE || a->purpose == YM_FOR_VERIFY;
}

/* Rendering failed: the record's fault is its author's, anything else is ours. */
static void engine_unrendered(struct ym_worker *w, struct ym_attempt *a, const struct ym_err *err)
{
    bool data = a->unreadable || a->problems.count > 0;
    struct ym_err why = *err;

    if (a->locked &&
        !engine_is_own(w, a)) { /* the key may come: nothing was sent, nothing is lost */
        ym_log(YM_LOG_ERROR, "record.locked", "system", w->sys->id, "err", err->message, "remedy",
               "give the dispatcher the key ring that the gateway has", NULL);
        engine_settle_as(w, a, 'p', ENGINE_KEYS_MS, NULL);
        return;
    }

    if (data && !engine_is_own(w, a)) {
        if (a->unreadable) {
            ym_log(YM_LOG_ERROR, "record.unreadable", "system", w->sys->id, "err", err->message,
                   NULL);
        }
        if (engine_looks(a)) {
            engine_settle_as(w, a, 'u', -1, a->unreadable ? "unreadable" : "data");
        } else {
            engine_settle_as(w, a, a->unreadable ? 'x' : 'j', 0,
                             a->unreadable ? "unreadable" : "data");
        }
        return;
    }
    if (err->code == YM_ENOMEM && !engine_is_own(w, a)) {
        engine_settle_as(w, a, 'p', ENGINE_MEMORY_MS, NULL);
        return;
    }
    if (data) {
        ym_err_set(&why, YM_EINVAL, "operation %s needs a field of a record", a->op->name);
    }
    if (a == YM_SLOT_SESSION(w)) {
        ym_session_fail(w->bench.session);
    }
    engine_settle_as(w, a, 'p', 0, "broken");
    ym_worker_broken(w, &why);
}

static void engine_begin(struct ym_worker *w, struct ym_attempt *a)
{
    int64_t now_ms = ym_tick_ms(), left = w->sys->settings.timeout_ms;
    struct ym_err err = {0};

    /* one deadline for all steps of an attempt, but none is begun without a chance */
    if (a->until_ms > 0) {
        left = a->until_ms - now_ms;
        left = left > ENGINE_STEP_MIN_MS ? left : ENGINE_STEP_MIN_MS;
    }
    a->until_ms = now_ms + left;

    if (ym_attempt_begin(a, left, &err) != YM_OK) {
        if (a == YM_SLOT_SESSION(w)) {
            ym_session_fail(w->bench.session);
        }
        engine_settle_as(w, a, 'p', 0, "broken");
        ym_worker_broken(w, &err);
        return;
    }
    w->in_flight++;
    if (ym_loop_drive(w->loop, a->easy) != YM_OK) {
        a->easy = NULL;
        w->in_flight--;
        ym_attempt_expire(a); /* curl would not have it: out of memory */
        engine_judged(w, a);
    }
}

static void engine_go(struct ym_worker *w, struct ym_attempt *a)
{
    struct ym_err err = {0};

    if (ym_attempt_needs_session(a)) {
        if (a->sm.state != YM_ATTEMPT_WAITING) {
            ym_attempt_wait(a);
        }
        engine_sign_in(w);
        return;
    }
    if (ym_attempt_render(a, &err) != YM_OK) {
        engine_unrendered(w, a, &err);
        return;
    }
    if (w->bench.transport->begin == NULL) {
        w->queued++;
        return;
    }
    engine_begin(w, a);
}

void ym_engine_take(struct ym_worker *w, unsigned shard, const struct ym_claimed *c)
{
    struct ym_attempt *a;
    struct ym_err err = {0};
    ym_status rc;

    if (w->free_count == 0) {
        ym_log(YM_LOG_ERROR, "worker.overfull", "system", w->sys->id, NULL);
        ym_shards_lost(w, shard);
        return;
    }
    a = &w->attempts[w->free_slots[--w->free_count]];
    a->shard = shard;
    rc = ym_attempt_take(a, c, &err);
    if (rc == YM_OK) {
        if (w->sm.state != YM_WORKER_RUNNING || engine_closed(w)) {
            engine_put_back(w, a); /* closed between asking and answering */
            return;
        }
        if (!engine_looks(a) && c->attempt > w->sys->settings.attempts) {
            engine_settle_as(w, a, 'x', 0,
                             NULL); /* looks said "again" until the budget was used up */
            return;
        }
        engine_go(w, a);
        return;
    }

    if (rc == YM_EUNSUPPORTED && a->purpose == YM_FOR_UPDATE) {
        engine_settle_as(w, a, 'h', 0, "cannot_update");
    } else if (rc == YM_EUNSUPPORTED && a->purpose == YM_FOR_WITHDRAW) {
        engine_settle_as(w, a, 'h', 0, "cannot_withdraw");
    } else if (rc == YM_EUNSUPPORTED) {
        engine_settle_as(w, a, 'u', -1, "no_lookup");
    } else {
        engine_free(w, a); /* no memory even for its ids */
        ym_shards_lost(w, shard);
    }
}

/* What came of an operation of a delivery. */
static void engine_decided(struct ym_worker *w, struct ym_attempt *a, const struct ym_decision *d)
{
    switch (d->next) {
    case YM_NEXT_LOOKUP:
        ym_trace_step(a);
        ym_attempt_look(a);
        engine_go(w, a);
        return;
    case YM_NEXT_VERIFY:
        ym_trace_step(a);
        ym_attempt_verify(a);
        engine_go(w, a);
        return;
    case YM_NEXT_REAUTH:
        ym_trace_step(a);
        ym_session_refused(w->bench.session, a->generation);
        a->renewed = true;
        ym_attempt_again(a);
        engine_go(w, a);
        return;
    case YM_NEXT_SETTLE:
        engine_settle(w, a, d);
        return;
    }
}

static void engine_judged(struct ym_worker *w, struct ym_attempt *a)
{
    struct ym_decision d;
    struct ym_case c;

    ym_attempt_case(a, &c);
    c.now_ms = ym_worker_redis_ms(w, ym_now_ms());
    c.taken = w->sys->settings.verify != YM_VERIFY_NONE && a->judged.number != NULL &&
              ym_numbers_taken(w->numbers, a->judged.number, a->claimed.id);
    c.probe_ms = ym_breaker_wait(&w->breaker, ym_tick_ms());
    if (c.probe_ms == 0) {
        c.probe_ms = w->sys->settings.probe_every_ms;
    }
    ym_decide(&c, &w->jitter, &d);

    if (a == YM_SLOT_SESSION(w)) {
        engine_session_judged(w, a, &d);
        return;
    }
    if (a == YM_SLOT_PROBE(w) && d.health == YM_HEALTH_NEUTRAL) {
        d.health = YM_HEALTH_GOOD; /* it asks for a captcha: it is back */
    }
    /* the breaker first: what is settled below then knows how long the system will wait */
    engine_health(w, a, &d);
    if (a->sm.state == YM_ATTEMPT_JUDGED) {
        engine_decided(w, a, &d);
    }
}

void ym_engine_ended(struct ym_worker *w)
{
    CURL *easy;
    CURLcode how;

    while (ym_loop_ended(w->loop, &easy, &how)) {
        struct ym_attempt *a = NULL;

        for (size_t i = 0; i < w->attempt_count + ENGINE_EXTRA_SLOTS; i++) {
            if (w->attempts[i].easy == easy) {
                a = &w->attempts[i];
                break;
            }
        }
        if (a == NULL) {
            continue;
        }
        if (ym_attempt_step(a, how)) {
            w->in_flight--;
            engine_judged(w, a);
        } else if (ym_loop_drive(w->loop, a->easy) != YM_OK) {
            a->easy = NULL;
            w->in_flight--;
            ym_attempt_expire(a);
            engine_judged(w, a);
        }
    }
}

static void engine_cut(struct ym_worker *w, struct ym_attempt *a)
{
    if (a->easy != NULL) {
        ym_loop_drop(w->loop, a->easy);
    }
    w->in_flight--;
    ym_attempt_expire(a);
}

void ym_engine_abort(struct ym_worker *w)
{
    for (size_t i = 0; i < w->attempt_count + ENGINE_EXTRA_SLOTS; i++) {
        struct ym_attempt *a = &w->attempts[i];

        if (a->sm.state == YM_ATTEMPT_IN_FLIGHT) {
            engine_cut(w, a);
            engine_settle_as(w, a, 'u', 1, "no_reply"); /* ambiguous: to be looked up at once */
        } else if (a->sm.state != YM_ATTEMPT_FREE) {
            engine_put_back(w, a);
        }
    }
}

/* The turn ------------------------------------------------------------------------------------ */

static void engine_watchdog(struct ym_worker *w, int64_t now_ms)
{
    if (now_ms < w->watchdog_ms) {
        return;
    }
    w->watchdog_ms = now_ms + ENGINE_WATCHDOG_MS;
    for (size_t i = 0; i < w->attempt_count + ENGINE_EXTRA_SLOTS; i++) {
        struct ym_attempt *a = &w->attempts[i];

        if (a->sm.state == YM_ATTEMPT_IN_FLIGHT && now_ms > a->until_ms + ENGINE_GRACE_MS) {
            ym_log(YM_LOG_WARN, "attempt.overrun", "system", w->sys->id, "op", a->op->name, NULL);
            engine_cut(w, a);
            engine_judged(w, a);
        }
    }
}

/* Blocking transports: one run per turn, so that Redis and signals are served between. */
static void engine_run_one(struct ym_worker *w)
{
    size_t n = w->attempt_count + ENGINE_EXTRA_SLOTS;

    for (size_t i = 0; i < n && w->queued > 0; i++) {
        struct ym_attempt *a = &w->attempts[(w->run_turn + i) % n];

        if (a->sm.state == YM_ATTEMPT_RENDERED) {
            w->run_turn = (w->run_turn + i + 1) % n;
            w->queued--;
            ym_attempt_run(a, w->sys->settings.timeout_ms);
            engine_judged(w, a);
            return;
        }
    }
}

static void engine_probe(struct ym_worker *w)
{
    const struct ym_operation *op = ym_system_operation(w->sys, "probe");
    struct ym_attempt *a = YM_SLOT_PROBE(w);
    struct ym_err err = {0};

    /* a system that said when to come back is tried with the next delivery: a probe costs quota */
    if (op == NULL || w->breaker.stated || a->sm.state != YM_ATTEMPT_FREE) {
        return;
    }
    if (ym_attempt_take_own(a, YM_FOR_PROBE, op, &err) == YM_OK) {
        engine_go(w, a);
    }
}

int64_t ym_engine_turn(struct ym_worker *w, int64_t now_ms)
{
    int64_t wall_ms = ym_now_ms(), next = now_ms + 60000, wait;

    engine_watchdog(w, now_ms);
    if (w->in_flight > 0) {
        next = w->watchdog_ms;
    }

    if (ym_gate_poll(&w->gate, wall_ms)) {
        ym_log(YM_LOG_INFO, w->gate.in_hours ? "system.opens" : "system.closes", "system",
               w->sys->id, NULL);
        w->report_now = true;
        if (!w->gate.in_hours) {
            ym_engine_hold(w);
        }
    }
    if (w->sm.state == YM_WORKER_RUNNING && ym_gate_open(&w->gate) &&
        ym_breaker_poll(&w->breaker, now_ms)) {
        engine_probe(w);
    }
    if (w->gate.asks_at_ms > 0 && w->gate.asks_at_ms - wall_ms < next - now_ms) {
        next = now_ms + (w->gate.asks_at_ms - wall_ms);
    }
    if (w->breaker.sm.state == YM_BREAKER_OPEN) {
        wait = now_ms + ym_breaker_wait(&w->breaker, now_ms);
        next = wait < next ? wait : next;
    }
    wait = ym_bucket_wait(&w->bucket, now_ms);
    if (wait > 0 && now_ms + wait < next) {
        next = now_ms + wait;
    }
    if (w->queued > 0) {
        engine_run_one(w);
        next = w->queued > 0 ? now_ms : next;
    }
    return next;
}
