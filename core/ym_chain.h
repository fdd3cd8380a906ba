/* SPDX-License-Identifier: Apache-2.0
 * The chain of evidence: lines of JSON, each bound to the one before by a digest, so that a line
 * that was altered, left out, put in or moved is found. docs/evidence.md has the format.
 *
 *   {"seq":12,"prev":"<mac of line 11>",<members>,"mac":"<mac of this line up to here>"}
 *
 * mac is HMAC-SHA256 under the ring's digest key (ym_ring_digest, label "audit"), which somebody who
 * can only write the files does not have; without a ring it is plain SHA-256.
 */
#ifndef YM_CHAIN_H
#define YM_CHAIN_H

#include "ym_json.h"
#include "ym_seal.h"

#define YM_CHAIN_MAC 65                /* hex and NUL */
#define YM_CHAIN_LINE_MAX (256u << 10) /* bytes of a line with its line feed */

/* Where a chain stands: its last line. All zero = before the first one. */
struct ym_chain {
    int64_t seq;
    char mac[YM_CHAIN_MAC]; /* "" before the first line: 64 zeros stand there */
};

/*
 * Appends the next line with its line feed to out and moves c on. members: JSON members without
 * braces, `"at":"…","what":"…"`. On failure c stays where it was.
 */
ym_status ym_chain_add(struct ym_chain *c, const struct ym_ring *ring, struct ym_str members,
                       struct ym_buf *out);

/* A line taken apart; views into it. */
struct ym_chain_line {
    int64_t seq;
    struct ym_str prev, members, mac;
    struct ym_str covered; /* what mac is of */
};

/* line without its line feed. False: no line of a chain. Nothing is verified. */
bool ym_chain_split(struct ym_str line, struct ym_chain_line *ret);

/* Whether the line is as it was written; out gets the mac that it should have. */
bool ym_chain_holds(const struct ym_ring *ring, const struct ym_chain_line *line,
                    char out[YM_CHAIN_MAC]);

/* ---- going through all of it ---- */

/*
 * An entry of a shard's stream, as text "<ms>-<n>"; where one entry holds many things, also which of
 * them: "<ms>-<n>.<item>", from 1 on. All zero = before the first.
 */
struct ym_chain_mark {
    int64_t ms, n, item;
};

#define YM_CHAIN_MARK_TEXT 64

bool ym_chain_mark_parse(struct ym_str text,
                         struct ym_chain_mark *ret); /* false: *ret is as it was */
/* From JSON; *ret is as it was when that is no text of a mark. */
void ym_chain_mark_read(const json_t *text, struct ym_chain_mark *ret);
struct ym_str ym_chain_mark_text(const struct ym_chain_mark *m, char out[YM_CHAIN_MARK_TEXT]);
bool ym_chain_mark_later(const struct ym_chain_mark *a, const struct ym_chain_mark *than);

/* What a shard's lines have told so far: the last of each kind. */
struct ym_chain_place {
    struct ym_chain_mark entry;   /* of its stream of events */
    struct ym_chain_mark settled; /* delivery, of the stream that settling writes */
    int64_t serial;               /* record */
};

#define YM_CHAIN_SHARDS 32
#define YM_CHAIN_ID 17 /* of a chain: 16 hex digits and NUL */

struct ym_chain_finding {
    const char *file;
    int64_t line, seq; /* 0 = not of one line */
    const char
        *code; /* unreadable altered missing doubled link segment start broken lost tail head */
    char text[200];
};

/*
 * A walk over the lines of all segments in order. It finds what does not hold, names the place, and
 * goes on behind it. One struct per walk, zeroed but for ring, found and data.
 */
struct ym_chain_walk {
    const struct ym_ring *ring;
    void (*found)(void *data, const struct ym_chain_finding *f);
    void *data;

    const char *file;
    int64_t line, lines, findings;
    struct ym_chain at;      /* the last line as stated */
    char real[YM_CHAIN_MAC]; /* and the mac it should have had */
    char id[YM_CHAIN_ID];    /* of the chain */
    int64_t segment, segments;
    int64_t first_seq, removed_seq; /* first line there is; last line removed on purpose */
    bool keyed;                     /* this segment is */
    bool keyed_before;              /* one was */
    int64_t unkeyed;                /* segments that are not, before the first that is */
    const char *first_file;
    char first_prev[YM_CHAIN_MAC], removed_mac[YM_CHAIN_MAC];
    int64_t head_seq; /* see ym_chain_walk_head */
    char head_mac[YM_CHAIN_MAC], head_id[YM_CHAIN_ID];
    bool placed[YM_CHAIN_SHARDS]; /* the shard has a known place */
    struct ym_chain_place places[YM_CHAIN_SHARDS];
};

/* What somebody else remembers as the last line: Redis. Before the first segment. */
void ym_chain_walk_head(struct ym_chain_walk *w, int64_t seq, const char *mac, const char *id);
/* Begins a segment; name lives as long as the walk's findings. */
void ym_chain_walk_segment(struct ym_chain_walk *w, const char *name);
void ym_chain_walk_line(struct ym_chain_walk *w, struct ym_str line); /* without its line feed */
/* After the last segment. */
void ym_chain_walk_end(struct ym_chain_walk *w);

#endif
