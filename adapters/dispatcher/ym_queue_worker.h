/* SPDX-License-Identifier: Apache-2.0
 * The worker's calls of the store, typed: arguments straight into bytes, answers read from the
 * reply in place, no JSON. One function per Redis Function (core/ym_store.h).
 */
#ifndef YM_QUEUE_WORKER_H
#define YM_QUEUE_WORKER_H

#include "ym_line.h"
#include "ym_store.h"

/* Kinds of requests on a worker's lines. */
enum ym_call {
    YM_CALL_ATTACH,
    YM_CALL_RECLAIM,
    YM_CALL_CLAIM,
    YM_CALL_ENVELOPE,
    YM_CALL_EARLIER, /* the envelope of a revision before the latest */
    YM_CALL_SETTLE,
    YM_CALL_DUE,
    YM_CALL_REPORT,
    YM_CALL_SYSTEMS,
    YM_CALL_BELL
};

#define YM_EPOCH_TEXT 40

/* Who is calling, on one shard. */
struct ym_holder {
    const char *system;
    char consumer[96];
    char epoch[YM_EPOCH_TEXT]; /* from attach */
    unsigned shard;
};

/* One claimed delivery as YM_FN_CLAIM tells it; views into the reply. */
struct ym_claimed {
    struct ym_str entry, id, op, token, number, type, owner, org, area, envelope, of;
    int64_t attempt, has, revision, sent_ms, created_ms, updated_ms;
    char letter; /* lookup: u or c */
};

/* Settlements of one shard, ready to be sent and kept until they are answered. */
struct ym_batch {
    struct ym_resp resp;
    size_t items;
    struct ym_resp traces; /* number of an item, its trace, in turn */
};

struct ym_settlement {
    struct ym_str entry, id, token;
    char letter;
    int64_t revision, delay_ms;
    size_t fields;                /* of the record, in what was sent */
    const char *number, *problem; /* NULL = "" */
    const char *digest;           /* SHA-256 in hex; NULL or "" = none */
    struct ym_str request;        /* SHA-256 of what was sent, its bytes; empty = none */
    struct ym_str trace;          /* sealed; empty = none is kept (ym_store_trace.h) */
};

void ym_batch_init(struct ym_batch *b);
void ym_batch_clear(struct ym_batch *b);
void ym_batch_reset(struct ym_batch *b); /* empties, keeps the memory */
/* False when memory is out; the batch then holds what it held. */
bool ym_batch_add(struct ym_batch *b, const struct ym_settlement *s);

/* Puts one request each; false when the line is not ready. */
bool ym_call_attach(struct ym_line *l, const struct ym_holder *h);
bool ym_call_reclaim(struct ym_line *l, const struct ym_holder *h, int64_t min_idle_ms,
                     int64_t max);
bool ym_call_claim(struct ym_line *l, const struct ym_holder *h, int64_t max, bool each_revision);
/* The envelope of a claimed delivery; item comes back with the request. */
bool ym_call_envelope(struct ym_line *l, enum ym_call kind, unsigned shard, size_t item,
                      const struct ym_claimed *c);
bool ym_call_settle(struct ym_line *l, const struct ym_holder *h, const struct ym_batch *b);
bool ym_call_due(struct ym_line *l, const struct ym_holder *h, int64_t max);
bool ym_call_systems(struct ym_line *l, const char *system);
/* pairs: field and value in turn, NULL-terminated. */
bool ym_call_report(struct ym_line *l, const char *system, const char *const *pairs);
/* Waits for a new entry in any of n streams; ids: the last seen of each. */
bool ym_call_bell(struct ym_line *l, const char *const *streams, const char *const *ids, size_t n,
                  int64_t block_ms);

/* Reading answers. "fenced" and malformed answers are told apart by the status word. */
enum ym_answer { YM_ANSWER_OK, YM_ANSWER_FENCED, YM_ANSWER_ERROR };

struct ym_str ym_reply_text(const struct redisReply *r, size_t i); /* element i; null = none */
int64_t ym_reply_int(const struct redisReply *r, size_t i); /* number or decimal text, else 0 */
size_t ym_reply_count(const struct redisReply *r);
const struct redisReply *ym_reply_item(const struct redisReply *r, size_t i);
const char *ym_reply_error(const struct redisReply *r); /* NULL unless an error */

/* ["ok", now_ms, next_due_ms, item…]; items start at element 3. */
enum ym_answer ym_answer_claim(const struct redisReply *r, int64_t *ret_now_ms,
                               int64_t *ret_due_ms);
bool ym_answer_claimed(const struct redisReply *item, struct ym_claimed *ret);
bool ym_answer_envelope(const struct redisReply *r, struct ym_str *ret); /* false = not there */
enum ym_answer ym_answer_settle(const struct redisReply *r, size_t *ret_fenced);
enum ym_answer ym_answer_pair(const struct redisReply *r, int64_t *ret_a, int64_t *ret_b);

#endif
