/* SPDX-License-Identifier: Apache-2.0
 * Segments: opened, appended, turned over, expired (ym_segments.h).
 */
#include "ym_segments_priv.h"

#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_log.h"
#include "ym_time.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS 86400000
#define MEMBERS_MAX 8192

/* yyyymmdd in China */
static int64_t day_of(int64_t ms)
{
    char text[YM_TIME_TEXT];
    int64_t day = 0;

    ym_time_format(ms, YM_TIME_DATE8, YM_CHINA_OFFSET_MIN, text);
    (void)ym_int_parse(ym_str_of(text), &day);
    return day;
}

static ym_status failed(struct ym_err *err, const struct ym_segments *s, const char *name)
{
    char path[YM_SEGMENTS_PATH];

    (void)snprintf(path, sizeof(path), "%s/%s", s->conf.dir, name);
    return ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
}

/* A new name in a folder is only safe once the folder is. */
static ym_status sync_dir(const struct ym_segments *s, struct ym_err *err)
{
    int fd = open(s->conf.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ym_status rc = fd >= 0 && fsync(fd) == 0 ? YM_OK : failed(err, s, "");

    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

ym_status ym_segments_add(struct ym_segments *s, struct ym_str members)
{
    return ym_chain_add(&s->now.chain, s->ring, members, &s->batch);
}

size_t ym_segments_waiting(const struct ym_segments *s)
{
    return s->batch.n;
}

static ym_status write_all(int fd, const char *p, size_t n)
{
    ssize_t done;

    while (n > 0) {
        done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return YM_EIO;
        }
        p += done;
        n -= (size_t)done;
    }
    return YM_OK;
}

ym_status ym_segments_commit(struct ym_segments *s, struct ym_err *err)
{
    ym_status rc = s->batch.failed;
    int why;

    if (rc != YM_OK) {
        ym_err_set(err, rc, "no memory for the lines of evidence");
    } else if (s->fd < 0) {
        rc = ym_err_set(err, YM_EIO, "no segment is open");
    } else if (write_all(s->fd, s->batch.p, s->batch.n) != YM_OK || fdatasync(s->fd) != 0) {
        why = errno;
        /* what a full disk took of it must not stay, or the next batch would continue a torn line */
        if (ftruncate(s->fd, s->size) != 0 || lseek(s->fd, s->size, SEEK_SET) < 0) {
            ym_log(YM_LOG_ERROR, "audit.not_cut", "file", s->name, "err", strerror(errno), NULL);
        }
        errno = why;
        rc = failed(err, s, s->name);
    }
    if (rc == YM_OK) {
        s->size += (int64_t)s->batch.n;
        s->safe = s->now;
        s->lines++;
    } else {
        s->now = s->safe;
    }
    ym_buf_clear(&s->batch);
    return rc;
}

/* ---- lines about the chain ---- */

static void add_at(struct ym_buf *m, int64_t now_ms)
{
    char at[YM_TIME_TEXT];

    ym_time_format(now_ms, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN, at);
    ym_buf_addf(m, "\"at\":\"%s\",", at);
}

static ym_status add_line(struct ym_segments *s, struct ym_buf *m)
{
    ym_status rc = m->failed == YM_OK ? ym_segments_add(s, ym_buf_str(m)) : m->failed;

    ym_buf_clear(m);
    return rc;
}

static ym_status add_open(struct ym_segments *s, int64_t now_ms)
{
    struct ym_buf m;

    ym_buf_init(&m, MEMBERS_MAX);
    add_at(&m, now_ms);
    ym_buf_addf(&m, "\"chain\":\"open\",\"version\":1,\"id\":\"%s\",\"segment\":%lld,\"keyed\":%s,",
                s->id, (long long)s->segment, s->conf.ring != NULL ? "true" : "false");
    ym_buf_adds(&m, "\"places\":[");
    for (unsigned i = 0; i < s->conf.shards; i++) {
        const struct ym_chain_place *p = &s->now.places[i];
        char entry[YM_CHAIN_MARK_TEXT], settled[YM_CHAIN_MARK_TEXT];

        ym_buf_addf(&m, "%s[\"%s\",%lld,\"%s\"]", i > 0 ? "," : "",
                    ym_chain_mark_text(&p->entry, entry).p, (long long)p->serial,
                    ym_chain_mark_text(&p->settled, settled).p);
    }
    ym_buf_addc(&m, ']');
    return add_line(s, &m);
}

ym_status ym_segments_remark(struct ym_segments *s, const char *word, const char *why)
{
    struct ym_buf m;

    ym_buf_init(&m, MEMBERS_MAX);
    add_at(&m, ym_now_ms());
    ym_buf_addf(&m, "\"chain\":\"%s\",\"why\":", word);
    ym_buf_add_json(&m, ym_str_of(why));
    ym_log(YM_LOG_ERROR, strcmp(word, "lost") == 0 ? "audit.lost" : "audit.broken", "why", why,
           NULL);
    return add_line(s, &m);
}

/* ---- segments ---- */

/* Makes the next file with its opening line, on disk when it returns. */
static ym_status next_segment(struct ym_segments *s, int64_t now_ms, struct ym_err *err)
{
    char path[YM_SEGMENTS_PATH];
    ym_status rc;

    s->segment++;
    s->day = day_of(now_ms);
    (void)snprintf(s->name, sizeof(s->name), "%08lld-%08lld.jsonl", (long long)s->segment,
                   (long long)s->day);
    (void)snprintf(path, sizeof(path), "%s/%s", s->conf.dir, s->name);
    s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0) {
        rc = failed(err, s, s->name);
        s->segment--;
        return rc;
    }
    s->size = s->lines = 0;
    s->ring = s->conf.ring;
    rc = add_open(s, now_ms);
    rc = rc == YM_OK ? ym_segments_commit(s, err) : rc;
    rc = rc == YM_OK ? sync_dir(s, err) : rc;
    if (rc != YM_OK) { /* it can be made again */
        (void)close(s->fd);
        s->fd = -1;
        (void)unlink(path);
        s->segment--;
    }
    return rc;
}

ym_status ym_segments_begin(struct ym_segments *s, struct ym_err *err)
{
    unsigned char random[8];

    if (s->id[0] == '\0') {
        if (RAND_bytes(random, sizeof(random)) != 1) {
            return ym_err_set(err, YM_EIO, "the random generator of the system fails");
        }
        ym_hex(random, sizeof(random), false, s->id);
    }
    return next_segment(s, ym_now_ms(), err);
}

static ym_status end_segment(struct ym_segments *s, int64_t now_ms, struct ym_err *err)
{
    struct ym_buf m;
    ym_status rc;

    ym_buf_init(&m, MEMBERS_MAX);
    add_at(&m, now_ms);
    ym_buf_addf(&m, "\"chain\":\"close\",\"segment\":%lld", (long long)s->segment);
    rc = add_line(s, &m);
    rc = rc == YM_OK ? ym_segments_commit(s, err) : rc;
    if (rc == YM_OK) {
        (void)fchmod(s->fd, 0400);
        (void)close(s->fd);
        s->fd = -1;
    }
    return rc;
}

/* ---- retention ---- */

static bool last_of(void *data, struct ym_str text)
{
    struct ym_chain *last = data;
    struct ym_chain_line line;

    if (ym_chain_split(text, &line)) {
        last->seq = line.seq;
        memcpy(last->mac, line.mac.p, YM_CHAIN_MAC - 1);
    }
    return true;
}

/* That it goes is written down and safe before it goes. */
static ym_status remove_segments(struct ym_segments *s, char (*names)[YM_SEGMENTS_NAME],
                                 size_t count, int64_t now_ms, struct ym_err *err)
{
    char path[YM_SEGMENTS_PATH];
    struct ym_chain last = {0, ""};
    struct ym_buf m;
    size_t torn;
    ym_status rc = ym_segments_read(s->conf.dir, names[count - 1], last_of, &last, &torn, err);

    if (rc != YM_OK) {
        return rc;
    }
    ym_buf_init(&m, MEMBERS_MAX);
    add_at(&m, now_ms);
    ym_buf_addf(
        &m,
        "\"chain\":\"removed\",\"removed_seq\":%lld,\"removed_mac\":\"%s\",\"segments\":%zu,"
        "\"first\":\"%s\",\"last\":\"%s\",\"keep_days\":%lld",
        (long long)last.seq, last.mac, count, names[0], names[count - 1],
        (long long)s->conf.keep_days);
    rc = add_line(s, &m);
    rc = rc == YM_OK ? ym_segments_commit(s, err) : rc;
    for (size_t i = 0; rc == YM_OK && i < count; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", s->conf.dir, names[i]);
        if (unlink(path) != 0 && errno != ENOENT) {
            rc = failed(err, s, names[i]);
        }
    }
    return rc;
}

static ym_status expire(struct ym_segments *s, int64_t now_ms, struct ym_err *err)
{
    int64_t oldest = day_of(now_ms - s->conf.keep_days * DAY_MS), day;
    char(*names)[YM_SEGMENTS_NAME] = NULL;
    size_t count = 0, old = 0;
    ym_status rc = ym_segments_list(s->conf.dir, &names, &count, err);

    while (rc == YM_OK && old < count && strcmp(names[old], s->name) != 0 &&
           ym_int_parse((struct ym_str){names[old] + 9, 8}, &day) && day < oldest) {
        old++;
    }
    if (rc == YM_OK && old > 0) {
        rc = remove_segments(s, names, old, now_ms, err);
        ym_log(YM_LOG_INFO, "audit.expired", "segments", ym_log_int((int64_t)old), NULL);
    }
    free(names);
    return rc;
}

ym_status ym_segments_turn(struct ym_segments *s, int64_t now_ms, struct ym_err *err)
{
    int64_t day = day_of(now_ms);
    bool turns = s->size > s->conf.segment_bytes || (day > s->day && s->lines > 1);
    ym_status rc = YM_OK;

    if (s->fd >= 0 && !turns) {
        return YM_OK;
    }
    if (s->fd >= 0) {
        rc = end_segment(s, now_ms, err);
    }
    rc = rc == YM_OK ? next_segment(s, now_ms, err) : rc;
    return rc == YM_OK ? expire(s, now_ms, err) : rc;
}

/* ---- opening ---- */

static ym_status take_dir(struct ym_segments *s, struct ym_err *err)
{
    char path[YM_SEGMENTS_PATH];

    if (strlen(s->conf.dir) > YM_SEGMENTS_PATH - 64) {
        return ym_err_set(err, YM_ETOOBIG, "state_dir is too long");
    }
    if (mkdir(s->conf.dir, 0700) != 0 && errno != EEXIST) {
        return failed(err, s, "");
    }
    (void)snprintf(path, sizeof(path), "%s/.lock", s->conf.dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        return failed(err, s, ".lock");
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return ym_err_set(err, YM_EINVAL, "another archivist has %s", s->conf.dir);
    }
    return YM_OK;
}

ym_status ym_segments_open(struct ym_segments *s, const struct ym_segments_conf *conf,
                           const struct ym_segments_head *head, struct ym_err *err)
{
    ym_status rc;

    memset(s, 0, sizeof(*s));
    s->conf = *conf;
    s->lock_fd = s->fd = -1;
    ym_buf_init(&s->batch, YM_SEGMENTS_BATCH);
    rc = take_dir(s, err);
    return rc == YM_OK ? ym_segments_recover(s, head, err) : rc;
}

void ym_segments_close(struct ym_segments *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    if (s->lock_fd >= 0) {
        (void)close(s->lock_fd);
    }
    s->fd = s->lock_fd = -1;
    ym_buf_clear(&s->batch);
}
