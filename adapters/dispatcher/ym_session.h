/* SPDX-License-Identifier: Apache-2.0
 * The session of one worker with its system (`session:` of adapter.yaml): which operation opens or
 * renews it, what is kept of the answer, until when. One flight at a time; attempts wait for it.
 * Does no I/O: the worker runs the operation that ym_session_start() names.
 */
#ifndef YM_SESSION_H
#define YM_SESSION_H

#include "ym_reply.h"
#include "ym_sm.h"

#define YM_SESSION_NAMES 16 /* values kept */
#define YM_SESSION_MARGIN_MS 60000

enum ym_session_state { YM_SESSION_NONE, YM_SESSION_OPENING, YM_SESSION_HELD, YM_SESSION_RENEWING };
extern const struct ym_sm_table ym_session_table;

struct ym_session;

/* *ret is NULL when the adapter has no session. Fails like ym_session_check. */
ym_status ym_session_open(const struct ym_system *sys, struct ym_session **ret, struct ym_err *err);
void ym_session_close(struct ym_session *s); /* accepts NULL; wipes the values */

/* Load-time check of `session:`. */
void ym_session_check(const struct ym_system *sys, struct ym_diag *d);

/* Held, and more than the margin is left. */
bool ym_session_good(const struct ym_session *s, int64_t now_ms);

/* Whether op belongs to the session itself and so does not wait for it. */
bool ym_session_own(const struct ym_session *s, const struct ym_operation *op);

/* Begins a flight and answers its operation; NULL when one is under way already. */
const struct ym_operation *ym_session_start(struct ym_session *s);

/*
 * The flight's answer was `ok`. facts' Date header tells the system's clock, by which `expires` is
 * meant. False when a value to be kept is missing: the flight has failed.
 */
bool ym_session_keep(struct ym_session *s, const struct ym_judgement *j,
                     const struct ym_facts *facts, int64_t now_ms);

/* The flight failed. True when the next start would try another way (renewal failed → sign in). */
bool ym_session_fail(struct ym_session *s);

/* An attempt that used this generation was told that the session does not hold. */
void ym_session_refused(struct ym_session *s, unsigned generation);
unsigned
ym_session_generation(const struct ym_session *s); /* grows with every flight that succeeded */

bool ym_session_in_flight(const struct ym_session *s);
bool ym_session_renewing(const struct ym_session *s);
const char *ym_session_value(const struct ym_session *s, const char *name); /* NULL = none */

/* How many values there are; each in turn, NULL where there is none. Borrowed. */
size_t ym_session_count(const struct ym_session *s);
const char *ym_session_at(const struct ym_session *s, size_t i);

#endif
