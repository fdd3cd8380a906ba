/* SPDX-License-Identifier: Apache-2.0
 * The archivist (ym_archivist.h). The order is what makes it safe: lines are on disk before Redis
 * hears of it, and where to go on is read from the files, so a crash at any point repeats a step and
 * never skips or doubles one.
 */
#include "ym_archivist.h"

#include "ym_attachment.h"
#include "ym_audit_conf.h"
#include "ym_backoff.h"
#include "ym_clean.h"
#include "ym_log.h"
#include "ym_queue.h"
#include "ym_queue_worker.h"
#include "ym_segments.h"
#include "ym_site_ring.h"
#include "ym_store_evidence.h"
#include "ym_sweep.h"
#include "ym_time.h"
#include "ym_worker.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TAKE_MAX 1000    /* entries or records per call */
#define GATHER_MS 200    /* between two syncs when there is work: one sync for many entries */
#define IDLE_MS 400      /* the longest that a new entry waits for notice */
#define TURN_MS 10000    /* how often the day and the size are looked at */
#define SWEEP_MS 3600000 /* how often uploads that nobody used are looked for */
#define RETRY_BASE_MS 200
#define RETRY_CAP_MS 10000
#define LOCK_MS 100
#define ARCHIVIST_NICE 5
#define FIELD_BYTES 4096 /* of one field of an entry, after cleaning */
#define LINE_BYTES (64u << 10)
#define DIGITS 24

struct archivist {
    const struct ym_catalog *catalog;
    struct ym_audit_conf conf;
    struct ym_ring *ring;
    struct ym_queue *queue;
    struct ym_segments segments;
    struct ym_jitter jitter;
    unsigned shards;
    pid_t parent;
    int ready_fd;
    char dir[1024];
    bool open;     /* the segments */
    bool head_set; /* Redis has heard of this chain since the start */
    int64_t turn_ms, sweep_ms, tries;
    struct ym_attachment_conf attachments;
};

void ym_archivist_check(const struct ym_catalog *c, struct ym_diag *d)
{
    struct ym_audit_conf conf;
    struct ym_attachment_conf attachments;
    struct ym_ring *ring = NULL;
    struct ym_err err = {0};

    (void)ym_audit_conf_load(c, &conf, d);
    (void)ym_attachment_conf_load(c, &attachments, d);
    if (ym_site_ring(c, &ring, &err) != YM_OK) {
        ym_diag_add(d, err.file[0] != '\0' ? err.file : c->file, err.line, err.column,
                    "auth: ring: %s", err.message);
    }
    ym_ring_close(ring);
}

/* ---- one line ---- */

static void add_text(struct ym_buf *m, const char *name, struct ym_str value)
{
    struct ym_buf clean;

    ym_buf_init(&clean, FIELD_BYTES + 1);
    (void)ym_clean(&clean, value, FIELD_BYTES);
    ym_buf_adds(m, ",\"");
    ym_buf_adds(m, name);
    ym_buf_adds(m, "\":");
    ym_buf_add_json(m, clean.p != NULL ? ym_buf_str(&clean) : YM_STR(""));
    ym_buf_clear(&clean);
}

static void add_at(struct ym_buf *m, int64_t ms)
{
    char at[YM_TIME_TEXT];

    ym_time_format(ms, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN, at);
    ym_buf_addf(m, "\"at\":\"%s\"", at);
}

static struct ym_str field_of(const struct redisReply *e, const char *name)
{
    for (size_t i = 1; i + 1 < ym_reply_count(e); i += 2) {
        if (ym_str_is(ym_reply_text(e, i), name)) {
            return ym_reply_text(e, i + 1);
        }
    }
    return YM_STR("");
}

/* {"at","shard","entry","who","what",…}: an entry of the stream */
static ym_status add_entry(struct archivist *a, unsigned shard, const struct redisReply *e)
{
    static const char *const names[] = {"who", "what", "id",      "system",
                                        "why", "peer", "request", "outcome"};
    struct ym_chain_mark *mark = &a->segments.now.places[shard].entry;
    struct ym_str entry = ym_reply_text(e, 0), at = field_of(e, "at");
    struct ym_buf m;
    int64_t ms;
    ym_status rc;

    if (!ym_chain_mark_parse(entry, mark)) {
        return YM_EINVAL;
    }
    ym_buf_init(&m, LINE_BYTES);
    add_at(&m, at.n > 0 && ym_int_parse(at, &ms) ? ms : mark->ms);
    ym_buf_addf(&m, ",\"shard\":%u", shard);
    add_text(&m, "entry", entry);
    for (size_t i = 0; i < YM_COUNT(names); i++) {
        struct ym_str v = field_of(e, names[i]);

        if (v.n > 0 || i < 2) {
            add_text(&m, names[i], v);
        }
    }
    rc = m.failed == YM_OK ? ym_segments_add(&a->segments, ym_buf_str(&m)) : m.failed;
    ym_buf_clear(&m);
    return rc;
}

/* The envelope's digest shows later that the record still is what was filed. */
static void add_digest(struct archivist *a, struct ym_buf *m, struct ym_str id,
                       struct ym_str envelope)
{
    char digest[YM_DIGEST_HEX], context[64];
    struct ym_buf plain;

    if (a->ring == NULL || envelope.n == 0) {
        return;
    }
    ym_buf_init(&plain, 8u << 20);
    (void)snprintf(context, sizeof(context), "record:%.*s", (int)id.n, id.p);
    if (ym_is_sealed(envelope) &&
        ym_unseal(a->ring, ym_str_of(context), envelope, &plain, NULL) == YM_OK) {
        envelope = ym_buf_str(&plain);
    }
    if (ym_ring_digest(a->ring, "record", envelope, digest) == YM_OK) {
        add_text(m, "digest", ym_str_of(digest));
    }
    ym_buf_wipe(&plain);
}

/* {"at","shard","serial","who","what":"file",…}: a record that was accepted */
static ym_status add_record(struct archivist *a, unsigned shard, const struct redisReply *r)
{
    struct ym_chain_place *p = &a->segments.now.places[shard];
    struct ym_str id = ym_reply_text(r, 1);
    struct ym_buf m;
    bool known = ym_reply_text(r, 4).n > 0;
    ym_status rc;

    p->serial = ym_reply_int(r, 0);
    ym_buf_init(&m, LINE_BYTES);
    add_at(&m, known ? ym_reply_int(r, 2) : ym_now_ms());
    ym_buf_addf(&m, ",\"shard\":%u,\"serial\":%lld", shard, (long long)p->serial);
    add_text(&m, "who", ym_reply_text(r, 3));
    add_text(&m, "what", known ? YM_STR("file") : YM_STR("record_lost"));
    add_text(&m, "id", id);
    if (known) {
        add_text(&m, "type", ym_reply_text(r, 4));
        add_text(&m, "org", ym_reply_text(r, 5));
        add_text(&m, "area", ym_reply_text(r, 6));
        add_digest(a, &m, id, ym_reply_text(r, 7));
    }
    rc = m.failed == YM_OK ? ym_segments_add(&a->segments, ym_buf_str(&m)) : m.failed;
    ym_buf_clear(&m);
    return rc;
}

/* {"at","shard","settled","who","what":"deliver",…}: what a system took or refused */
static ym_status add_delivery(struct archivist *a, unsigned shard, const struct ym_chain_mark *mark,
                              struct ym_str system, const struct redisReply *item)
{
    static const struct {
        const char *name;
        size_t at;
    } members[] = {{"outcome", 3}, {"id", 0},          {"op", 1},
                   {"number", 4},  {"sent_sha256", 5}, {"answer_sha256", 6}};
    char text[YM_CHAIN_MARK_TEXT];
    struct ym_buf m;
    ym_status rc;

    ym_buf_init(&m, LINE_BYTES);
    add_at(&m, mark->ms);
    ym_buf_addf(&m, ",\"shard\":%u,\"settled\":\"%s\",\"who\":\"engine\",\"what\":\"deliver\"",
                shard, ym_chain_mark_text(mark, text).p);
    add_text(&m, "system", system);
    ym_buf_addf(&m, ",\"revision\":%lld", (long long)ym_reply_int(item, 2));
    for (size_t i = 0; i < YM_COUNT(members); i++) {
        struct ym_str v = ym_reply_text(item, members[i].at);

        if (v.n > 0) {
            add_text(&m, members[i].name, v);
        }
    }
    rc = m.failed == YM_OK ? ym_segments_add(&a->segments, ym_buf_str(&m)) : m.failed;
    ym_buf_clear(&m);
    return rc;
}

/* [entry, system, delivery…]: those beyond the last one that is in the files */
static ym_status add_settled(struct archivist *a, unsigned shard, const struct redisReply *e)
{
    struct ym_chain_mark *last = &a->segments.now.places[shard].settled, mark;
    ym_status rc = ym_chain_mark_parse(ym_reply_text(e, 0), &mark) ? YM_OK : YM_EINVAL;

    for (size_t i = 2; rc == YM_OK && i < ym_reply_count(e); i++) {
        mark.item = (int64_t)i - 1;
        if (ym_chain_mark_later(&mark, last)) {
            *last = mark;
            rc = add_delivery(a, shard, &mark, ym_reply_text(e, 1), ym_reply_item(e, i));
        }
    }
    return rc;
}

/* ---- Redis ---- */

static struct ym_str number_text(int64_t v, char out[DIGITS])
{
    int n = snprintf(out, DIGITS, "%lld", (long long)v);

    return (struct ym_str){out, (size_t)n};
}

static ym_status read_head(struct archivist *a, struct ym_segments_head *ret, struct ym_err *err)
{
    struct redisReply *r = NULL;
    ym_status rc = ym_queue_ask(a->queue, YM_FN_EVIDENCE_HEAD, 0, NULL, 0, &r, err);

    memset(ret, 0, sizeof(*ret));
    if (rc == YM_OK && ym_reply_count(r) == 4 && ym_reply_text(r, 0).n == YM_CHAIN_ID - 1 &&
        ym_reply_text(r, 2).n == YM_CHAIN_MAC - 1) {
        memcpy(ret->id, ym_reply_text(r, 0).p, YM_CHAIN_ID - 1);
        ret->seq = ym_reply_int(r, 1);
        memcpy(ret->mac, ym_reply_text(r, 2).p, YM_CHAIN_MAC - 1);
    }
    if (r != NULL) {
        freeReplyObject(r);
    }
    return rc;
}

/* Redis hears what is on disk. The first time what it remembered is already written down. */
static ym_status write_head(struct archivist *a, struct ym_err *err)
{
    const struct ym_segments *s = &a->segments;
    char seq[DIGITS], segment[DIGITS];
    struct ym_str argv[] = {ym_str_of(s->id), number_text(s->safe.chain.seq, seq),
                            ym_str_of(s->safe.chain.mac), number_text(s->segment, segment),
                            a->head_set ? YM_STR("0") : YM_STR("1")};
    struct redisReply *r = NULL;
    ym_status rc = ym_queue_ask(a->queue, YM_FN_EVIDENCE_HEAD, 0, argv, YM_COUNT(argv), &r, err);

    if (rc != YM_OK) {
        return rc;
    }
    if (!ym_str_is(ym_reply_text(r, 0), "ok")) {
        ym_log(YM_LOG_ERROR, "audit.two_archivists", "remedy",
               "run one dispatcher per Redis, or another writes evidence elsewhere", NULL);
    }
    a->head_set = true;
    freeReplyObject(r);
    return YM_OK;
}

static ym_status write_done(struct archivist *a, unsigned shard, struct ym_err *err)
{
    const struct ym_chain_place *p = &a->segments.safe.places[shard];
    struct ym_chain_mark told = {p->settled.ms, p->settled.n, 0}; /* rounds take whole entries */
    char entry[YM_CHAIN_MARK_TEXT], serial[DIGITS], keep[DIGITS], settled[YM_CHAIN_MARK_TEXT];
    struct ym_str argv[] = {ym_chain_mark_text(&p->entry, entry), number_text(p->serial, serial),
                            number_text(a->conf.recent, keep), ym_chain_mark_text(&told, settled)};
    struct redisReply *r = NULL;
    ym_status rc =
        ym_queue_ask(a->queue, YM_FN_EVIDENCE_DONE, shard, argv, YM_COUNT(argv), &r, err);

    if (rc == YM_OK) {
        freeReplyObject(r);
    }
    return rc;
}

/* ---- a round ---- */

typedef ym_status add_fn(struct archivist *a, unsigned shard, const struct redisReply *row);

/* Takes what a shard has beyond `after`. *ret_count: how many rows it was. */
static ym_status take(struct archivist *a, unsigned shard, const char *fn, struct ym_str after,
                      add_fn *add, size_t *ret_count, struct ym_err *err)
{
    char most[DIGITS];
    struct ym_str argv[] = {after, number_text(TAKE_MAX, most)};
    struct redisReply *r = NULL;
    ym_status rc = ym_queue_ask(a->queue, fn, shard, argv, YM_COUNT(argv), &r, err);

    if (rc != YM_OK) {
        return rc;
    }
    for (size_t i = 0; rc == YM_OK && i < ym_reply_count(r); i++) {
        rc = add(a, shard, ym_reply_item(r, i));
        (*ret_count)++;
    }
    if (rc != YM_OK) {
        ym_err_set(err, rc, "an entry of shard %u cannot become a line of evidence", shard);
    }
    freeReplyObject(r);
    return rc;
}

/* What is new of a shard, of every kind. */
static ym_status take_shard(struct archivist *a, unsigned shard, size_t *ret_count,
                            struct ym_err *err)
{
    const struct ym_chain_place *p = &a->segments.now.places[shard];
    struct ym_chain_mark told = {p->settled.ms, p->settled.n, 0};
    char text[YM_CHAIN_MARK_TEXT];
    ym_status rc = take(a, shard, YM_FN_EVIDENCE_FILED, number_text(p->serial, text), add_record,
                        ret_count, err);

    if (rc == YM_OK) {
        rc = take(a, shard, YM_FN_EVIDENCE_TAKE, ym_chain_mark_text(&p->entry, text), add_entry,
                  ret_count, err);
    }
    if (rc == YM_OK) {
        rc = take(a, shard, YM_FN_EVIDENCE_SETTLED, ym_chain_mark_text(&told, text), add_settled,
                  ret_count, err);
    }
    return rc;
}

/*
 * One batch of every shard: into the files, onto the disk, then Redis hears of it. *ret_count: lines,
 * or rows that were in the files already.
 */
static ym_status round_of(struct archivist *a, size_t *ret_count, struct ym_err *err)
{
    size_t counts[YM_CHAIN_SHARDS] = {0}, total = 0, lines;
    int64_t seq = a->segments.now.chain.seq;
    ym_status rc = YM_OK;

    for (unsigned i = 0; rc == YM_OK && i < a->shards; i++) {
        rc = take_shard(a, i, &counts[i], err);
        total += counts[i];
    }
    lines = (size_t)(a->segments.now.chain.seq - seq);
    if (rc != YM_OK) { /* nothing of it was written: it is all taken again */
        a->segments.now = a->segments.safe;
        ym_buf_clear(&a->segments.batch);
        return rc;
    }
    if (total > 0) {
        rc = ym_segments_commit(&a->segments, err);
    }
    if (rc == YM_OK && (total > 0 || !a->head_set)) {
        rc = write_head(a, err);
    }
    for (unsigned i = 0; rc == YM_OK && i < a->shards; i++) {
        rc = counts[i] > 0 ? write_done(a, i, err) : YM_OK;
    }
    *ret_count = lines > total ? lines : total;
    return rc;
}

/* Sleeps until a shard has something new, or a while is over. */
static ym_status wait_for_news(struct archivist *a, struct ym_err *err)
{
    char keys[2 * YM_CHAIN_SHARDS][24], from[YM_CHAIN_SHARDS][YM_CHAIN_MARK_TEXT], block[DIGITS];
    struct ym_str words[6 + 4 * YM_CHAIN_SHARDS];
    size_t n = 0;
    struct redisReply *r = NULL;
    ym_status rc;

    words[n++] = YM_STR("XREAD");
    words[n++] = YM_STR("COUNT");
    words[n++] = YM_STR("1");
    words[n++] = YM_STR("BLOCK");
    words[n++] = number_text(IDLE_MS, block);
    words[n++] = YM_STR("STREAMS");
    for (unsigned i = 0; i < a->shards; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "{s%u}:audit", i);
        words[n++] = ym_str_of(keys[i]);
    }
    for (unsigned i = 0; i < a->shards; i++) {
        words[n++] = ym_chain_mark_text(&a->segments.now.places[i].entry, from[i]);
    }
    rc = ym_queue_read(a->queue, words, n, &r, err);
    if (rc == YM_OK) {
        freeReplyObject(r);
    }
    return rc;
}

/* ---- start, loop, end ---- */

static void sleep_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

static bool asked_to_end(const struct archivist *a)
{
    sigset_t set;

    if (a->parent != 0 && getppid() != a->parent) {
        return true;
    }
    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1);
}

static ym_status open_queue(struct archivist *a, struct ym_err *err)
{
    return a->queue != NULL ? YM_OK : ym_queue_open(&a->catalog->site, &a->queue, err);
}

/* Redis first: the end of the files is judged by what it remembers. */
static ym_status open_all(struct archivist *a, struct ym_err *err)
{
    struct ym_segments_conf conf = {a->dir, a->ring, a->shards, a->conf.segment_bytes,
                                    a->conf.keep_ms / 86400000};
    struct ym_segments_head head;
    ym_status rc;
    char byte = 1;

    rc = open_queue(a, err);
    rc = rc == YM_OK ? read_head(a, &head, err) : rc;
    if (rc != YM_OK) {
        return rc;
    }
    rc = ym_segments_open(&a->segments, &conf, &head, err);
    if (rc != YM_OK) {
        ym_segments_close(&a->segments);
        return rc;
    }
    a->open = true;
    if (a->ready_fd >= 0) {
        ssize_t ignored = write(a->ready_fd, &byte, 1);
        (void)ignored;
        (void)close(a->ready_fd);
        a->ready_fd = -1;
    }
    return YM_OK;
}

/* Says it once, then waits longer and longer. */
static void fell(struct archivist *a, ym_status rc, const struct ym_err *err)
{
    bool waits = rc == YM_EINVAL && !a->open; /* the one before is still ending */

    if (!waits && a->tries++ == 0) {
        ym_log(YM_LOG_WARN, "audit.waits", "err", err->message, "file", err->file, NULL);
    }
    sleep_ms(waits ? LOCK_MS : ym_backoff(&a->jitter, RETRY_BASE_MS, RETRY_CAP_MS, a->tries));
}

/* Evidence does not wait for it: what fails is tried again an hour later. */
static void sweep(struct archivist *a, int64_t now_ms)
{
    struct ym_err err = {0};
    int64_t removed = 0;
    char count[DIGITS];

    a->sweep_ms = now_ms + SWEEP_MS;
    if (ym_sweep(a->catalog, a->queue, a->attachments.keep_ms, ym_now_ms(), &removed, &err) !=
        YM_OK) {
        ym_log(YM_LOG_WARN, "attachment.sweep", "err", err.message, NULL);
    }
    if (removed > 0) {
        (void)number_text(removed, count);
        ym_log(YM_LOG_INFO, "attachment.removed", "files", count, NULL);
    }
}

static ym_status step(struct archivist *a, bool last, size_t *ret_count, struct ym_err *err)
{
    int64_t now_ms = ym_tick_ms();
    ym_status rc = a->open ? YM_OK : open_all(a, err);

    *ret_count = 0;
    if (rc == YM_OK && (now_ms >= a->turn_ms || a->segments.fd < 0)) {
        rc = ym_segments_turn(&a->segments, ym_now_ms(), err);
        a->turn_ms = rc == YM_OK ? now_ms + TURN_MS : a->turn_ms;
    }
    rc = rc == YM_OK ? round_of(a, ret_count, err) : rc;
    if (rc == YM_OK && *ret_count == 0 && !last && now_ms >= a->sweep_ms) {
        sweep(a, now_ms);
    }
    if (rc == YM_OK && *ret_count == 0 && !last) {
        rc = wait_for_news(a, err);
    }
    return rc;
}

static void loop(struct archivist *a)
{
    struct ym_err err;
    size_t count = 0;
    bool last;
    ym_status rc;

    for (;;) {
        last = asked_to_end(a);
        memset(&err, 0, sizeof(err));
        rc = step(a, last, &count, &err);
        if (last && (rc != YM_OK || count == 0)) {
            return;
        }
        if (rc != YM_OK) {
            fell(a, rc, &err);
            continue;
        }
        if (a->tries > 0) {
            a->tries = 0;
            ym_log(YM_LOG_INFO, "audit.goes_on", NULL);
        }
        if (count > 0 && count < TAKE_MAX && !last) {
            sleep_ms(GATHER_MS);
        }
    }
}

int ym_archivist_main(const struct ym_archivist_args *args)
{
    struct archivist *a = calloc(1, sizeof(*a));
    struct ym_diag d;
    struct ym_err err = {0};
    int code = YM_WORKER_FAILED;

    if (a == NULL) {
        return code;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (nice(ARCHIVIST_NICE) == -1) { /* deliveries come first; it is no matter when it cannot */
        ym_log(YM_LOG_DEBUG, "audit.not_nice", NULL);
    }
    a->catalog = args->catalog;
    a->parent = args->parent;
    a->ready_fd = args->ready_fd;
    a->shards = (unsigned)args->catalog->site.shards;
    a->segments.fd = a->segments.lock_fd = -1;
    ym_jitter_init(&a->jitter, 0);
    ym_diag_init(&d);
    (void)snprintf(a->dir, sizeof(a->dir), "%s/%s", args->catalog->site.state_dir,
                   YM_ARCHIVIST_DIR);
    if (ym_audit_conf_load(args->catalog, &a->conf, &d) != YM_OK ||
        ym_attachment_conf_load(args->catalog, &a->attachments, &d) != YM_OK ||
        ym_site_ring(args->catalog, &a->ring, &err) != YM_OK) {
        ym_log(YM_LOG_ERROR, "audit.broken_config", "err",
               d.count > 0 ? d.items[0].message : err.message, NULL);
        code = YM_WORKER_BROKEN;
    } else {
        loop(a);
        code = YM_WORKER_DRAINED;
    }
    ym_diag_clear(&d);
    ym_segments_close(&a->segments);
    ym_queue_close(a->queue);
    ym_ring_close(a->ring);
    free(a);
    return code;
}
