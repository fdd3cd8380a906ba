/* SPDX-License-Identifier: Apache-2.0
 * The chain of evidence on disk: one folder of segments, one file a day or more, appended by one
 * process at a time and synced before anybody is told. docs/evidence.md has the format.
 */
#ifndef YM_SEGMENTS_H
#define YM_SEGMENTS_H

#include "ym_chain.h"

#define YM_SEGMENTS_NAME 32 /* "00000007-20260131.jsonl" and NUL */

/* The last line that somebody else remembers (Redis); id "" = nobody remembers one. */
struct ym_segments_head {
    char id[YM_CHAIN_ID];
    int64_t seq;
    char mac[YM_CHAIN_MAC];
};

struct ym_segments_conf {
    const char *dir;            /* made when it is missing; its parent must exist */
    const struct ym_ring *ring; /* NULL = the chain is not keyed */
    unsigned shards;
    int64_t segment_bytes; /* a new file beyond it */
    int64_t keep_days;     /* of whole segments */
};

/* What holds once a batch is on disk. */
struct ym_segments_state {
    struct ym_chain chain;
    struct ym_chain_place places[YM_CHAIN_SHARDS];
};

struct ym_segments {
    struct ym_segments_conf conf;
    const struct ym_ring *ring; /* of the open segment */
    int lock_fd, fd;
    char id[YM_CHAIN_ID], name[YM_SEGMENTS_NAME];
    int64_t segment, size, lines;  /* of the open file */
    int64_t day;                   /* that it was opened on, yyyymmdd in China */
    struct ym_segments_state now;  /* with what is buffered */
    struct ym_segments_state safe; /* on disk */
    struct ym_buf batch;
    int64_t cut; /* bytes of a torn end that were taken away at the start */
};

/* YM_EIO: the folder cannot be used. YM_EINVAL: another process has it; try again later. */
ym_status ym_segments_open(struct ym_segments *s, const struct ym_segments_conf *conf,
                           const struct ym_segments_head *head, struct ym_err *err);
void ym_segments_close(struct ym_segments *s); /* accepts one that open has refused */

/* Buffers a line: JSON members, see ym_chain_add. The caller moves s->now.places. */
ym_status ym_segments_add(struct ym_segments *s, struct ym_str members);
size_t ym_segments_waiting(const struct ym_segments *s); /* bytes */

/*
 * Writes and syncs what is buffered. On failure (disk full) nothing of it is there, neither in the
 * file nor in s->now: take the entries again later.
 */
ym_status ym_segments_commit(struct ym_segments *s, struct ym_err *err);

/* Between batches: a new segment when the day or the size asks for it, and what is too old goes. */
ym_status ym_segments_turn(struct ym_segments *s, int64_t now_ms, struct ym_err *err);

/* ---- reading, for verification and export ---- */

/* Names in order, malloc'd, *ret_count of them; YM_EIO when the folder cannot be read. */
ym_status ym_segments_list(const char *dir, char (**ret)[YM_SEGMENTS_NAME], size_t *ret_count,
                           struct ym_err *err);

/*
 * Calls line() for every line of a segment without its line feed; *ret_torn: bytes at the end that
 * no line feed ends. line() may end it by returning false.
 */
ym_status ym_segments_read(const char *dir, const char *name,
                           bool (*line)(void *data, struct ym_str text), void *data,
                           size_t *ret_torn, struct ym_err *err);

#endif
