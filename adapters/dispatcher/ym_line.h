/* SPDX-License-Identifier: Apache-2.0
 * A line to Redis that never blocks: requests are put, sent together at the end of a loop turn, and
 * answered in order when the socket is readable. It connects, greets (AUTH, library version) and
 * comes back after a loss by itself, with capped full-jitter backoff.
 * Ownership: the line owns its descriptor and reader; the worker owns the line.
 */
#ifndef YM_LINE_H
#define YM_LINE_H

#include "ym_access.h"
#include "ym_backoff.h"
#include "ym_loop.h"
#include "ym_resp.h"
#include "ym_sm.h"

struct redisReply;
struct redisReader;

enum ym_line_state { YM_LINE_DOWN, YM_LINE_CONNECTING, YM_LINE_GREETING, YM_LINE_READY };
extern const struct ym_sm_table ym_line_table;

/* One request that waits for its answer. */
struct ym_request {
    unsigned kind, shard; /* the caller's words */
    size_t item;          /* … too */
    int64_t until_ms;     /* monotonic; no answer by then = the line is lost */
};

struct ym_line;
struct ym_line_user {
    void *data;
    /* Requests may be put from now on. */
    void (*up)(void *data, struct ym_line *line);
    /* r is valid during the call, unless ym_line_keep; NULL = the line was lost before the answer. */
    void (*reply)(void *data, struct ym_line *line, const struct ym_request *q,
                  const struct redisReply *r);
    /* Lost; every open request has been answered with NULL. */
    void (*down)(void *data, struct ym_line *line);
};

struct ym_line {
    const char *name; /* in log lines */
    const char *system;
    struct ym_sm sm;
    const struct ym_access *access;
    struct ym_loop *loop;
    struct ym_jitter *jitter;
    struct ym_line_user user;
    struct ym_watch watch;
    struct redisReader *reader;
    struct ym_buf out;       /* not yet written */
    size_t out_at;           /* written of it */
    struct ym_request *open; /* ring */
    size_t open_cap, open_head, open_count;
    int64_t until_ms; /* connecting and greeting */
    int64_t retry_ms; /* down: when to try again */
    int64_t tries;
    bool loaded; /* greeting: the library has been sent */
    bool kept;   /* the answer in hand */
    bool quiet;  /* the loss is logged already */
};

void ym_line_init(struct ym_line *l, const char *name, const char *system,
                  const struct ym_access *access, struct ym_loop *loop, struct ym_jitter *jitter,
                  const struct ym_line_user *user);
void ym_line_clear(struct ym_line *l); /* open requests are dropped unanswered */

static inline bool ym_line_ready(const struct ym_line *l)
{
    return l->sm.state == YM_LINE_READY;
}

/*
 * Puts head and, when not NULL, tail as one request. The bytes are copied. False when the line is
 * not ready or memory is out (the line is then dropped): nothing will be answered.
 */
bool ym_line_put(struct ym_line *l, const struct ym_resp *head, const struct ym_resp *tail,
                 const struct ym_request *q);

/* Within `reply`: the answer is the caller's now, who ends it with ym_answers_free. */
void ym_line_keep(struct ym_line *l);

/* Writes what the socket takes. Once per loop turn. */
void ym_line_flush(struct ym_line *l);

/* Connects, reconnects, expires. Returns the monotonic time of its next wish. */
int64_t ym_line_poll(struct ym_line *l, int64_t now_ms);

/* Hangs up: open requests are answered with NULL. */
void ym_line_drop(struct ym_line *l, const char *why);

#endif
