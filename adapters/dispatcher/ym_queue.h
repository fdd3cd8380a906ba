/* SPDX-License-Identifier: Apache-2.0
 * The dispatcher's view of the store: batched, pipelined calls of the Redis Functions. Nothing else
 * in adapters/ speaks Redis. Blocking hiredis with deadlines; one connection per purpose.
 */
#ifndef YM_QUEUE_H
#define YM_QUEUE_H

#include "ym_arena.h"
#include "ym_catalog.h"
#include "ym_err.h"

struct ym_queue;
struct redisReply;

/* Connects (unix:PATH or HOST:PORT), authenticates, checks the function library's version. */
ym_status ym_queue_open(const struct ym_site *site, struct ym_queue **ret, struct ym_err *err);
void ym_queue_close(struct ym_queue *q); /* accepts NULL */

/* Generic call for tools: FCALL fn 1 {sN} args… → reply as JSON-like tree (json_t, new reference). */
ym_status ym_queue_call(struct ym_queue *q, const char *fn, unsigned shard, const char *const *argv,
                        size_t argc, json_t **ret, struct ym_err *err);

/*
 * The same for arguments and answers that are bytes rather than text; the caller frees *ret with
 * freeReplyObject. A lost connection is made anew by the next call.
 */
ym_status ym_queue_ask(struct ym_queue *q, const char *fn, unsigned shard,
                       const struct ym_str *argv, size_t argc, struct redisReply **ret,
                       struct ym_err *err);
/* Any command, to listen on streams or to look at keys; at most 80 words. */
ym_status ym_queue_read(struct ym_queue *q, const struct ym_str *words, size_t count,
                        struct redisReply **ret, struct ym_err *err);

/* Loads core/ym_store.lua when the server has another version of it. */
ym_status ym_queue_load_functions(struct ym_queue *q, struct ym_err *err);

#endif
