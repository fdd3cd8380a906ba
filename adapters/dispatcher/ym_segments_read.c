/* SPDX-License-Identifier: Apache-2.0
 * Segments as they stand on the disk: listed, read, and their end found again after a crash.
 */
#include "ym_segments_priv.h"

#include "ym_conf.h"
#include "ym_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 100000

static bool is_segment(const char *name)
{
    static const char shape[] = "dddddddd-dddddddd.jsonl";

    if (strlen(name) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

ym_status ym_segments_list(const char *dir, char (**ret)[YM_SEGMENTS_NAME], size_t *ret_count,
                           struct ym_err *err)
{
    char(*names)[YM_SEGMENTS_NAME] = NULL, (*grown)[YM_SEGMENTS_NAME];
    size_t count = 0, cap = 0;
    ym_status rc = YM_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (d == NULL) {
        return ym_err_at(err, YM_EIO, dir, 0, 0, "%s", strerror(errno));
    }
    while (rc == YM_OK && (e = readdir(d)) != NULL) {
        if (!is_segment(e->d_name)) {
            continue;
        }
        if (count == cap) {
            cap = cap > 0 ? 2 * cap : 64;
            grown = cap <= NAMES_MAX ? realloc(names, cap * sizeof(*names)) : NULL;
            if (grown == NULL) {
                rc = ym_err_set(err, YM_ENOMEM, "too many segments");
                break;
            }
            names = grown;
        }
        memcpy(names[count++], e->d_name, strlen(e->d_name) + 1);
    }
    closedir(d);
    if (rc != YM_OK) {
        free(names);
        return rc;
    }
    if (count > 0) {
        qsort(names, count, sizeof(*names), by_name);
    }
    *ret = names;
    *ret_count = count;
    return YM_OK;
}

/* Hands on the whole lines of a buffer; → how many bytes they were. */
static size_t hand_on(const char *p, size_t n, bool (*line)(void *, struct ym_str), void *data,
                      bool *go_on)
{
    size_t from = 0;
    const char *end;

    while (*go_on && (end = memchr(p + from, '\n', n - from)) != NULL) {
        *go_on = line(data, (struct ym_str){p + from, (size_t)(end - p) - from});
        from = (size_t)(end - p) + 1;
    }
    return from;
}

ym_status ym_segments_read(const char *dir, const char *name,
                           bool (*line)(void *data, struct ym_str text), void *data,
                           size_t *ret_torn, struct ym_err *err)
{
    const size_t size = 2 * YM_CHAIN_LINE_MAX;
    char path[YM_SEGMENTS_PATH], *buf = malloc(size);
    size_t n = 0, used;
    bool go_on = true;
    ym_status rc = YM_OK;
    ssize_t got = 1;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || buf == NULL) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    }
    while (rc == YM_OK && got > 0 && go_on) {
        got = read(fd, buf + n, size - n);
        if (got < 0) {
            rc = errno == EINTR ? YM_OK : ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
            got = 1;
            continue;
        }
        n += (size_t)got;
        used = hand_on(buf, n, line, data, &go_on);
        n -= used;
        memmove(buf, buf + used, n);
        if (n >= YM_CHAIN_LINE_MAX && go_on) { /* no line is that long: hand it on as it is */
            go_on = line(data, (struct ym_str){buf, n});
            n = 0;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(buf);
    *ret_torn = n;
    return rc;
}

/* ---- the end of the chain ---- */

/* What the last segment tells, line by line. */
struct scan {
    struct ym_segments *s;
    const struct ym_ring *ring; /* that it was written with */
    bool blind;                 /* it is keyed and nobody has the key: only links are looked at */
    bool closed;                /* ends with its closing line */
    struct ym_segments_state good; /* up to the first line that does not hold */
    struct ym_segments_state all;  /* up to the last line; chain: as stated */
    int64_t lines, good_bytes, bytes;
    int64_t bad_line, bad_seq; /* first that does not hold; 0 = none */
    const struct ym_segments_head *head;
    bool head_differs;
};

static void scan_place(struct ym_chain_place *p, const json_t *entry, const json_t *serial,
                       const json_t *settled)
{
    ym_chain_mark_read(entry, &p->entry);
    ym_chain_mark_read(settled, &p->settled);
    if (json_is_integer(serial)) {
        p->serial = json_integer_value(serial);
    }
}

/* What the opening line says: whose chain it is, and how it is keyed. */
static void scan_open(struct scan *sc, const json_t *v)
{
    const char *id = ym_json_str(v, "id");

    if (id != NULL && strlen(id) == YM_CHAIN_ID - 1) {
        memcpy(sc->s->id, id, YM_CHAIN_ID);
    }
    if (!json_is_true(json_object_get(v, "keyed"))) {
        sc->ring = NULL;
    } else if (sc->ring == NULL) {
        sc->blind = true;
    }
}

static void scan_members(struct scan *sc, json_t *v)
{
    struct ym_chain_place *places = sc->all.places;
    json_t *shard = json_object_get(v, "shard"), *place;
    const char *word = ym_json_str(v, "chain");
    size_t i;

    sc->closed = word != NULL && strcmp(word, "close") == 0;
    json_array_foreach(json_object_get(v, "places"), i, place)
    {
        if (i < YM_CHAIN_SHARDS) {
            scan_place(&places[i], json_array_get(place, 0), json_array_get(place, 1),
                       json_array_get(place, 2));
        }
    }
    if (json_is_integer(shard) && json_integer_value(shard) >= 0 &&
        json_integer_value(shard) < YM_CHAIN_SHARDS) {
        scan_place(&places[json_integer_value(shard)], json_object_get(v, "entry"),
                   json_object_get(v, "serial"), json_object_get(v, "settled"));
    }
}

static bool follows(const struct scan *sc, const struct ym_chain_line *line)
{
    const struct ym_chain *before = &sc->all.chain;

    return sc->lines == 1 || (line->seq == before->seq + 1 && ym_str_is(line->prev, before->mac));
}

static bool scan_line(void *data, struct ym_str text)
{
    static const struct ym_json_limits limits = {YM_CHAIN_LINE_MAX, 8, 1000};
    struct scan *sc = data;
    struct ym_chain_line line;
    char mac[YM_CHAIN_MAC];
    json_t *v = NULL;
    bool shaped = ym_chain_split(text, &line) && ym_json_parse(text, &limits, &v, NULL) == YM_OK;
    bool holds, good;

    sc->lines++;
    sc->bytes += (int64_t)text.n + 1;
    if (shaped && sc->lines == 1) {
        scan_open(sc, v);
    }
    holds = shaped && (sc->blind || ym_chain_holds(sc->ring, &line, mac));
    good = holds && follows(sc, &line);
    if (!good && sc->bad_line == 0) {
        sc->bad_line = sc->lines;
        sc->bad_seq = sc->all.chain.seq + 1;
    }
    if (holds) {
        scan_members(sc, v);
    }
    if (shaped) {
        sc->all.chain.seq = line.seq;
        memcpy(sc->all.chain.mac, line.mac.p, YM_CHAIN_MAC - 1);
        sc->all.chain.mac[YM_CHAIN_MAC - 1] = '\0';
        if (line.seq == sc->head->seq && !ym_str_is(line.mac, sc->head->mac)) {
            sc->head_differs = true;
        }
    }
    if (sc->bad_line == 0) {
        sc->good = sc->all;
        sc->good_bytes = sc->bytes;
    }
    json_decref(v);
    return true;
}

/* Takes away everything behind the first `size` bytes of a segment. */
static ym_status cut(struct ym_segments *s, const char *name, int64_t size, struct ym_err *err)
{
    char path[YM_SEGMENTS_PATH];
    struct stat st;
    int fd;
    bool ok;

    (void)snprintf(path, sizeof(path), "%s/%s", s->conf.dir, name);
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    ok = fd >= 0 && fstat(fd, &st) == 0;
    if (ok && st.st_size > size) {
        s->cut += st.st_size - size;
        ok = ftruncate(fd, size) == 0 && fsync(fd) == 0;
        ym_log(YM_LOG_WARN, "audit.cut", "file", name, "bytes", ym_log_int(st.st_size - size),
               NULL);
    }
    if (ok) {
        s->fd = fd;
        s->size = size;
        ok = lseek(fd, size, SEEK_SET) == size;
    }
    return ok ? YM_OK : ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
}

/* Goes on in the last segment, or in a new one behind it. */
static ym_status go_on(struct ym_segments *s, const char *name, const struct scan *sc, int64_t size,
                       struct ym_err *err)
{
    ym_status rc = YM_OK;

    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    (void)ym_int_parse((struct ym_str){name, 8}, &s->segment);
    (void)ym_int_parse((struct ym_str){name + 9, 8}, &s->day);
    s->lines = sc->lines;
    s->ring = sc->ring;
    s->now = s->safe = size < sc->bytes ? sc->good : sc->all;
    if (!sc->closed || size < sc->bytes) {
        rc = cut(s, name, size, err);
    }
    if (rc == YM_OK && (s->fd < 0 || sc->blind || sc->ring != s->conf.ring)) {
        if (s->fd >= 0) {
            (void)close(s->fd);
            s->fd = -1;
        }
        rc = ym_segments_begin(s, err);
    }
    return rc;
}

/* Writes down what is damaged: it stays to be seen, and the chain goes on behind it. */
static ym_status compare(struct ym_segments *s, const char *name, const struct scan *sc,
                         bool was_cut)
{
    const struct ym_segments_head *head = sc->head;
    int64_t end = was_cut ? sc->good.chain.seq : sc->all.chain.seq;
    char why[200] = "";
    ym_status rc = YM_OK;

    if (sc->bad_line > 0 && !was_cut) {
        (void)snprintf(why, sizeof(why), "%s line %lld does not hold", name,
                       (long long)sc->bad_line);
        rc = ym_segments_remark(s, "broken", why);
    }
    if (rc != YM_OK || head->id[0] == '\0') {
        return rc;
    }
    why[0] = '\0';
    if (strcmp(head->id, s->id) != 0) {
        (void)snprintf(why, sizeof(why), "Redis remembers chain %s up to seq %lld, not this one",
                       head->id, (long long)head->seq);
    } else if (head->seq > end) {
        (void)snprintf(why, sizeof(why), "Redis remembers seq %lld, the files end at %lld",
                       (long long)head->seq, (long long)end);
    } else if (sc->head_differs) {
        (void)snprintf(why, sizeof(why), "Redis remembers another line %lld", (long long)head->seq);
    }
    return why[0] != '\0' ? ym_segments_remark(s, "lost", why) : YM_OK;
}

static ym_status recover_from(struct ym_segments *s, const char *name,
                              const struct ym_segments_head *head, bool *ret_empty,
                              struct ym_err *err)
{
    struct scan *sc = calloc(1, sizeof(*sc));
    char path[YM_SEGMENTS_PATH];
    size_t torn = 0;
    bool cuts;
    ym_status rc;

    if (sc == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    sc->s = s;
    sc->ring = s->conf.ring;
    sc->head = head;
    rc = ym_segments_read(s->conf.dir, name, scan_line, sc, &torn, err);
    *ret_empty = rc == YM_OK && sc->lines == 0;
    if (*ret_empty) { /* its opening line never came to be */
        (void)snprintf(path, sizeof(path), "%s/%s", s->conf.dir, name);
        rc = unlink(path) == 0 ? YM_OK : ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    } else if (rc == YM_OK) {
        /* a crash can only harm what nobody had been told of; that is taken again */
        cuts = sc->bad_line > 1 && head->id[0] != '\0' && strcmp(head->id, s->id) == 0 &&
               sc->bad_seq > head->seq;
        rc = go_on(s, name, sc, cuts ? sc->good_bytes : sc->bytes, err);
        rc = rc == YM_OK ? compare(s, name, sc, cuts) : rc;
    }
    free(sc);
    return rc;
}

ym_status ym_segments_recover(struct ym_segments *s, const struct ym_segments_head *head,
                              struct ym_err *err)
{
    char(*names)[YM_SEGMENTS_NAME] = NULL, why[200];
    size_t count = 0;
    bool empty = true;
    ym_status rc = ym_segments_list(s->conf.dir, &names, &count, err);

    while (rc == YM_OK && empty && count > 0) {
        rc = recover_from(s, names[--count], head, &empty, err);
    }
    free(names);
    if (rc == YM_OK && empty) {
        rc = ym_segments_begin(s, err);
        if (rc == YM_OK && head->id[0] != '\0') {
            (void)snprintf(why, sizeof(why),
                           "Redis remembers chain %s up to seq %lld; no file is here", head->id,
                           (long long)head->seq);
            rc = ym_segments_remark(s, "lost", why);
        }
    }
    return rc == YM_OK && ym_segments_waiting(s) > 0 ? ym_segments_commit(s, err) : rc;
}
