/* SPDX-License-Identifier: Apache-2.0
 * What an attempt sent and what came back, as operators may see it later (GET …/attempts). Secrets and
 * signatures are blanked before anything is kept; every message is there twice, in full and with the
 * values that tell of a person hidden, so that whoever shows it needs no knowledge of formats.
 *
 * {"at": ms, "attempt": n, "revision": n, "op": "create", "letter": "u", "steps": [{"operation",
 *  "outcome", "sent": "not_sent"|"no_reply"|"replied", "stage", "status", "error", "took", "rule",
 *  "number", "request": {"text", "masked", "bytes", "cut"}, "answer": {…, "type"}}, …]}
 * A request that was not sent has no text; an answer that never came is not there.
 */
#ifndef YM_TRACE_H
#define YM_TRACE_H

#include "ym_attempt.h"

#define YM_TRACE_TEXT 16384 /* bytes that are kept of one message, in either form */

/* Whether this attempt's trace is kept when it is settled with that letter. */
bool ym_trace_wanted(const struct ym_attempt *a, char letter);

/* A judged operation of an attempt that goes on with another: remembered in the attempt. */
void ym_trace_step(struct ym_attempt *a);

/* The whole, of a judged attempt, in its arena; empty when memory is out. */
struct ym_str ym_trace(const struct ym_attempt *a, char letter, int64_t now_ms);

#endif
