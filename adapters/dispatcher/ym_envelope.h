/* SPDX-License-Identifier: Apache-2.0
 * The one place of the dispatcher where what is sealed in the store is opened, and where what the
 * legacy systems say of a person is sealed: envelopes of records and problems of deliveries are bytes
 * to everybody else.
 */
#ifndef YM_ENVELOPE_H
#define YM_ENVELOPE_H

#include "ym_err.h"
#include "ym_queue_worker.h"
#include "ym_seal.h"

#include <jansson.h>

struct ym_catalog;

/* The keys of one process. The ring is read again when something was sealed with a newer one. */
struct ym_keys {
    const struct ym_catalog *catalog;
    struct ym_ring *ring; /* NULL = none is configured: everything is plain */
    int64_t again_ms;     /* monotonic: not before then */
};

ym_status ym_keys_open(struct ym_keys *k, const struct ym_catalog *c, struct ym_err *err);
void ym_keys_close(struct ym_keys *k); /* accepts a zeroed one */

/*
 * What is wanted (NULL: all) of {"at", "by", "data"} of a claimed delivery's envelope, a new
 * reference. YM_EINVAL: it is no such thing, or was altered; YM_EAUTH: the key is missing, which may
 * pass. No data in the message.
 */
ym_status ym_envelope_open(struct ym_keys *k, const struct ym_claimed *c,
                           const struct ym_want *want, json_t **ret, struct ym_err *err);

/*
 * A problem (JSON) of that record's delivery as the store keeps it; in the arena. NULL: it cannot be
 * sealed, and then it must not be kept.
 */
const char *ym_envelope_problem(struct ym_keys *k, struct ym_str id, const char *problem,
                                struct ym_arena *arena);

/*
 * A trace (ym_trace.h) of that record's delivery as the store keeps it; in the arena. Empty: it cannot
 * be sealed, and then it must not be kept.
 */
struct ym_str ym_envelope_trace(struct ym_keys *k, struct ym_str id, struct ym_str trace,
                                struct ym_arena *arena);

/* The same text opened again, for tools: appended to out. */
ym_status ym_problem_open(const struct ym_ring *ring, struct ym_str id, struct ym_str kept,
                          struct ym_buf *out, struct ym_err *err);

#endif
