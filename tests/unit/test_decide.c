/* SPDX-License-Identifier: Apache-2.0
 * Proves the engine's rules: every verdict in every situation becomes what docs/delivery.md says,
 * and above all that nothing ambiguous is ever repeated without a look.
 */
#include "ym_decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct ym_engine_settings settings = {.attempts = 5,
                                                   .backoff_base_ms = 1000,
                                                   .backoff_cap_ms = 60000,
                                                   .absence_after_ms = 30000,
                                                   .confirm_within_ms = 3600000,
                                                   .probe_every_ms = 5000};

static struct ym_decision decide(struct ym_case c, enum ym_verdict verdict)
{
    static struct ym_jitter j;
    struct ym_judgement judged = {.verdict = verdict};
    struct ym_decision d;

    if (j.state == 0) {
        ym_jitter_init(&j, 11);
    }
    if (c.judged == NULL) {
        c.judged = &judged;
    }
    c.settings = &settings;
    c.probe_ms = 5000;
    if (c.attempt == 0) {
        c.attempt = 1;
    }
    ym_decide(&c, &j, &d);
    return d;
}

static void a_send_that_went_well(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED};

    (void)state;
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    assert_int_equal(decide(c, YM_V_OK).health, YM_HEALTH_GOOD);
    c.purpose = YM_FOR_WITHDRAW;
    assert_int_equal(decide(c, YM_V_OK).letter, 'w');
    assert_int_equal(decide(c, YM_V_ABSENT).letter, 'w');
}

static void taken_but_no_number_yet(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED, .has_confirm = true};
    struct ym_decision d = decide(c, YM_V_ACCEPTED);

    (void)state;
    assert_int_equal(d.letter, 'c');
    assert_in_range(d.delay_ms, 1, 1000);
    c.has_confirm = false;
    assert_int_equal(decide(c, YM_V_ACCEPTED).delay_ms, -1);
}

/* A platform that reads its inbox at night is asked more often than it may fail. */
static void under_way_is_no_failure(void **state)
{
    struct ym_case c = {
        .purpose = YM_FOR_CONFIRM, .sent = YM_REPLIED, .attempt = 200, .now_ms = 3600000};
    struct ym_decision d = decide(c, YM_V_PENDING);

    (void)state;
    assert_int_equal(d.letter, 'c');
    assert_in_range(d.delay_ms, 1, 60000);
    assert_int_equal(decide(c, YM_V_ABSENT).delay_ms > 0, 1);
    c.purpose = YM_FOR_LOOKUP;
    assert_in_range(decide(c, YM_V_PENDING).delay_ms, 1, 60000);
    assert_int_equal(decide(c, YM_V_UNKNOWN).delay_ms, -1); /* no answer at all is counted */
    c.now_ms++;
    assert_int_equal(decide(c, YM_V_PENDING).delay_ms, -1);
    c.purpose = YM_FOR_CONFIRM;
    assert_int_equal(decide(c, YM_V_PENDING).letter, 'u');
    assert_int_equal(decide(c, YM_V_PENDING).delay_ms, -1);
}

static void repeats_within_the_budget(void **state)
{
    struct ym_judgement late = {.verdict = YM_V_RETRY, .after_ms = 90000};
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED, .attempt = 4};
    struct ym_decision d = decide(c, YM_V_RETRY);

    (void)state;
    assert_int_equal(d.letter, 'r');
    assert_int_equal(d.health, YM_HEALTH_BAD);
    assert_in_range(d.delay_ms, 1, 8000);
    c.judged = &late;
    assert_int_equal(decide(c, YM_V_RETRY).delay_ms, 90000); /* the system's own word */
    c.judged = NULL;
    c.attempt = 5;
    d = decide(c, YM_V_RETRY);
    assert_int_equal(d.letter, 'x');
    assert_string_equal(d.code, "retry");
}

static void unavailable_is_not_counted(void **state)
{
    struct ym_judgement quota = {.verdict = YM_V_UNAVAILABLE, .after_ms = 60000};
    struct ym_case c = {.purpose = YM_FOR_UPDATE, .sent = YM_NOT_SENT, .attempt = 99};
    struct ym_decision d = decide(c, YM_V_UNAVAILABLE);

    (void)state;
    assert_int_equal(d.letter, 'p');
    assert_int_equal(d.delay_ms, 5000);
    assert_int_equal(d.health, YM_HEALTH_DOWN);
    c.judged = &quota;
    d = decide(c, YM_V_UNAVAILABLE);
    assert_int_equal(d.after_ms, 60000);
    assert_int_equal(d.delay_ms, 60000);
}

static void never_resends_what_is_ambiguous(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_SENT_NO_REPLY};
    struct ym_decision d = decide(c, YM_V_UNKNOWN);

    (void)state;
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, -1); /* nothing to look with: a person */
    assert_string_equal(d.code, "no_reply");
    assert_int_equal(d.health, YM_HEALTH_BAD);
    c.has_lookup = true;
    d = decide(c, YM_V_UNKNOWN);
    assert_int_equal(d.letter, 'u');
    assert_in_range(d.delay_ms, 1, 1000);
    c.attempt = 5; /* not for ever */
    assert_int_equal(decide(c, YM_V_UNKNOWN).delay_ms, -1);
    c.attempt = 1;
    c.idempotent = true; /* a repeat does no harm */
    assert_int_equal(decide(c, YM_V_UNKNOWN).letter, 'r');
}

static void rejected_handoff_broken(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED};

    (void)state;
    assert_int_equal(decide(c, YM_V_REJECTED).letter, 'j');
    assert_int_equal(decide(c, YM_V_REJECTED).health, YM_HEALTH_GOOD);
    assert_int_equal(decide(c, YM_V_HANDOFF).letter, 'h');
    assert_int_equal(decide(c, YM_V_BROKEN).letter, 'p');
    assert_int_equal(decide(c, YM_V_BROKEN).health, YM_HEALTH_BROKEN);
}

static void duplicate_asks_whose_it_is(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED};
    struct ym_decision d = decide(c, YM_V_DUPLICATE);

    (void)state;
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, -1);
    c.has_lookup = true;
    assert_int_equal(decide(c, YM_V_DUPLICATE).next, YM_NEXT_LOOKUP);
    c.purpose = YM_FOR_DUPLICATE;
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    d = decide(c, YM_V_ABSENT); /* it exists, but it is not ours */
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, -1);
    d = decide(c, YM_V_UNKNOWN);
    assert_int_equal(d.letter, 'u');
    assert_in_range(d.delay_ms, 1, 1000);
}

static void reauth_once(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CREATE, .sent = YM_REPLIED, .has_session = true};

    (void)state;
    assert_int_equal(decide(c, YM_V_REAUTH).next, YM_NEXT_REAUTH);
    c.has_session = false; /* none, or renewed already */
    assert_int_equal(decide(c, YM_V_REAUTH).letter, 'p');
    assert_int_equal(decide(c, YM_V_REAUTH).health, YM_HEALTH_DOWN);
    c.purpose = YM_FOR_LOOKUP;
    assert_int_equal(decide(c, YM_V_REAUTH).letter, 'p');
}

static void absence_is_trusted_late(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_LOOKUP, .sent = YM_REPLIED, .sent_ms = 100000};
    struct ym_decision d;

    (void)state;
    c.now_ms = 110000;
    d = decide(c, YM_V_ABSENT);
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, 20000);
    c.now_ms = 130000;
    assert_int_equal(decide(c, YM_V_ABSENT).letter, 'a');
    c.was_withdraw = true;
    assert_int_equal(decide(c, YM_V_ABSENT).letter, 'w');
    assert_int_equal(decide(c, YM_V_OK).letter, 'r'); /* still there: withdraw again */
    c.purpose = YM_FOR_CONFIRM;
    assert_int_equal(decide(c, YM_V_OK).letter, 'w'); /* taken earlier, and now confirmed */
}

static void an_older_revision_is_no_proof(void **state)
{
    struct ym_judgement older = {.verdict = YM_V_OK, .revision = "2"};
    struct ym_judgement same = {.verdict = YM_V_OK, .revision = "3"};
    struct ym_case c = {.purpose = YM_FOR_LOOKUP,
                        .sent = YM_REPLIED,
                        .revision = 3,
                        .sent_ms = 1,
                        .now_ms = 100000};

    (void)state;
    c.judged = &older;
    assert_int_equal(decide(c, YM_V_OK).letter, 'a');
    assert_int_equal(decide(c, YM_V_OK).found, 2); /* so that it is updated, not made again */
    c.purpose = YM_FOR_DUPLICATE;
    assert_int_equal(decide(c, YM_V_OK).letter, 'a');
    c.purpose = YM_FOR_LOOKUP;
    c.judged = &same;
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    assert_int_equal(decide(c, YM_V_OK).found, 0);
}

static void looks_again_but_not_for_ever(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_LOOKUP, .sent = YM_REPLIED, .attempt = 5};
    struct ym_decision d = decide(c, YM_V_PENDING);

    (void)state;
    assert_int_equal(d.letter, 'u');
    assert_in_range(d.delay_ms, 1, 16000);
    c.attempt = 6;
    assert_int_equal(decide(c, YM_V_UNKNOWN).delay_ms, -1);
    c.attempt = 1;
    c.purpose = YM_FOR_CONFIRM;
    assert_int_equal(decide(c, YM_V_PENDING).letter, 'c');
    assert_int_equal(decide(c, YM_V_ABSENT).letter,
                     'c'); /* it was taken: never sent again on this */
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    assert_int_equal(decide(c, YM_V_REJECTED).letter, 'j');
    c.attempt = 99; /* the system is away: no look is used up */
    assert_int_equal(decide(c, YM_V_UNAVAILABLE).letter, 'p');
}

/* "Busy" in an ack file: what was handed over was not taken, and the system says so itself. */
static void a_look_may_say_send_again(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CONFIRM, .sent = YM_REPLIED};
    struct ym_decision d = decide(c, YM_V_RETRY);

    (void)state;
    assert_int_equal(d.letter, 'r');
    assert_in_range(d.delay_ms, 1, 1000);
    c.purpose = YM_FOR_LOOKUP;
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'r');
    c.purpose = YM_FOR_DUPLICATE; /* somebody holds it already: not on this word */
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'u');
    c.purpose = YM_FOR_CONFIRM;
    c.attempt = 5;
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'x'); /* within the budget */
}

/* The default for an idempotent operation without an answer speaks of that operation: the look. */
static void a_look_without_answer_sends_nothing_again(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CONFIRM, .sent = YM_SENT_NO_REPLY};

    (void)state;
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'c');
    assert_int_equal(decide(c, YM_V_RETRY).health, YM_HEALTH_BAD);
    c.purpose = YM_FOR_LOOKUP;
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'u');
    c.sent = YM_NOT_SENT; /* a page without the form */
    assert_int_equal(decide(c, YM_V_RETRY).letter, 'u');
    c.attempt = 6;
    assert_int_equal(decide(c, YM_V_RETRY).delay_ms, -1);
}

/* H25: what the system names must be what the lookup finds; nothing is sent again meanwhile. */
static void a_number_is_looked_up(void **state)
{
    struct ym_judgement named = {.verdict = YM_V_OK, .number = "A-1"};
    struct ym_case c = {.purpose = YM_FOR_CREATE,
                        .judged = &named,
                        .sent = YM_REPLIED,
                        .has_lookup = true,
                        .verifies = true,
                        .told = "A-1"};
    struct ym_decision d = decide(c, YM_V_OK);

    (void)state;
    assert_int_equal(d.next, YM_NEXT_VERIFY);
    c.verifies = false;
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    c.verifies = true;

    c.purpose = YM_FOR_VERIFY;
    assert_int_equal(decide(c, YM_V_OK).letter, 'd');
    c.told = "A-2";
    d = decide(c, YM_V_OK);
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, -1);
    assert_string_equal(d.code, YM_CODE_OTHER_NUMBER);
    assert_true(d.unlinked);

    c.judged = NULL;
    for (int v = YM_V_OK; v <= YM_V_PENDING; v++) { /* without a number, or no answer at all */
        d = decide(c, (enum ym_verdict)v);
        assert_int_equal(d.letter, 'c');
        assert_true(d.delay_ms > 0);
    }
    c.has_session = true;
    assert_int_equal(decide(c, YM_V_REAUTH).next, YM_NEXT_REAUTH);
}

/* Taken by its own word, and by its own list not there: a person, never a second create. */
static void a_number_nobody_finds(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_CONFIRM, .sent = YM_REPLIED, .verifies = true};
    struct ym_decision d;

    (void)state;
    c.now_ms = 29999;
    assert_int_equal(decide(c, YM_V_ABSENT).letter, 'c');
    c.now_ms = 30000;
    d = decide(c, YM_V_ABSENT);
    assert_int_equal(d.letter, 'u');
    assert_int_equal(d.delay_ms, -1);
    assert_string_equal(d.code, YM_CODE_NUMBER_UNPROVEN);
    c.verifies = false; /* a number that comes later is waited for */
    assert_int_equal(decide(c, YM_V_ABSENT).letter, 'c');
}

/* A number that another record has got already is linked to nothing, whoever says it. */
static void a_number_that_is_taken(void **state)
{
    static const enum ym_purpose purposes[] = {YM_FOR_CREATE,  YM_FOR_UPDATE,    YM_FOR_LOOKUP,
                                               YM_FOR_CONFIRM, YM_FOR_DUPLICATE, YM_FOR_VERIFY};
    struct ym_judgement named = {.verdict = YM_V_OK, .number = "A-1"};
    struct ym_case c = {.judged = &named, .sent = YM_REPLIED, .taken = true, .told = "A-1"};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(purposes); i++) {
        struct ym_decision d;

        c.purpose = purposes[i];
        d = decide(c, YM_V_OK);
        assert_int_equal(d.letter, 'u');
        assert_int_equal(d.delay_ms, -1);
        assert_string_equal(d.code, YM_CODE_OTHER_NUMBER);
        assert_true(d.unlinked);
    }
    c.purpose = YM_FOR_WITHDRAW; /* nothing is linked by it */
    assert_int_equal(decide(c, YM_V_OK).letter, 'w');
}

/* What is there under one number is not there under another, whoever says so. */
static void a_known_number_stays(void **state)
{
    static const enum ym_purpose purposes[] = {YM_FOR_UPDATE, YM_FOR_WITHDRAW, YM_FOR_LOOKUP,
                                               YM_FOR_CONFIRM, YM_FOR_DUPLICATE};
    struct ym_judgement named = {.verdict = YM_V_OK, .number = "A-1"};
    struct ym_case c = {.judged = &named, .sent = YM_REPLIED, .has_lookup = true};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(purposes); i++) {
        struct ym_decision d;

        c.purpose = purposes[i];
        c.known = "A-2";
        d = decide(c, YM_V_OK);
        assert_int_equal(d.letter, 'u');
        assert_int_equal(d.delay_ms, -1);
        assert_string_equal(d.code, YM_CODE_OTHER_NUMBER);
        c.known = "A-1";
        assert_int_equal(decide(c, YM_V_OK).letter, c.purpose == YM_FOR_WITHDRAW ? 'w' : 'd');
        c.known = NULL;
        assert_int_equal(decide(c, YM_V_OK).letter, c.purpose == YM_FOR_WITHDRAW ? 'w' : 'd');
    }
}

static void sign_in_and_probe(void **state)
{
    struct ym_case c = {.purpose = YM_FOR_SESSION, .sent = YM_REPLIED};

    (void)state;
    assert_int_equal(decide(c, YM_V_OK).health, YM_HEALTH_GOOD);
    assert_int_equal(decide(c, YM_V_REJECTED).health, YM_HEALTH_BROKEN); /* wrong password: stop */
    assert_int_equal(decide(c, YM_V_UNKNOWN).health, YM_HEALTH_DOWN);
    assert_int_equal(decide(c, YM_V_HANDOFF).health, YM_HEALTH_NEUTRAL);
    c.purpose = YM_FOR_PROBE;
    assert_int_equal(decide(c, YM_V_REJECTED).health, YM_HEALTH_GOOD);
    assert_int_equal(decide(c, YM_V_REAUTH).health, YM_HEALTH_GOOD);
    assert_int_equal(decide(c, YM_V_UNAVAILABLE).health, YM_HEALTH_DOWN);
    assert_int_equal(decide(c, YM_V_OK).letter, 0);
}

/* Whatever the verdict, a send that may have arrived is never simply repeated. */
static void no_blind_repeat_in_any_cell(void **state)
{
    (void)state;
    for (int v = YM_V_OK; v <= YM_V_PENDING; v++) {
        for (int lookup = 0; lookup < 2; lookup++) {
            struct ym_case c = {.purpose = YM_FOR_CREATE,
                                .sent = YM_SENT_NO_REPLY,
                                .has_lookup = lookup != 0,
                                .attempt = 2};
            struct ym_decision d = decide(c, (enum ym_verdict)v);

            if (v == YM_V_RETRY || v == YM_V_UNAVAILABLE || v == YM_V_REAUTH || v == YM_V_BROKEN) {
                continue; /* the adapter's rules say that nothing was taken */
            }
            assert_true(d.letter != 'r' && d.letter != 'p' && d.letter != 'a');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_that_went_well),
        cmocka_unit_test(taken_but_no_number_yet),
        cmocka_unit_test(under_way_is_no_failure),
        cmocka_unit_test(repeats_within_the_budget),
        cmocka_unit_test(unavailable_is_not_counted),
        cmocka_unit_test(never_resends_what_is_ambiguous),
        cmocka_unit_test(rejected_handoff_broken),
        cmocka_unit_test(duplicate_asks_whose_it_is),
        cmocka_unit_test(reauth_once),
        cmocka_unit_test(absence_is_trusted_late),
        cmocka_unit_test(an_older_revision_is_no_proof),
        cmocka_unit_test(looks_again_but_not_for_ever),
        cmocka_unit_test(a_look_may_say_send_again),
        cmocka_unit_test(a_look_without_answer_sends_nothing_again),
        cmocka_unit_test(a_number_is_looked_up),
        cmocka_unit_test(a_number_nobody_finds),
        cmocka_unit_test(a_number_that_is_taken),
        cmocka_unit_test(a_known_number_stays),
        cmocka_unit_test(sign_in_and_probe),
        cmocka_unit_test(no_blind_repeat_in_any_cell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
