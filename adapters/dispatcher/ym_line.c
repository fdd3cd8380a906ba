/* SPDX-License-Identifier: Apache-2.0
 * Non-blocking lines to Redis (ym_line.h). Only hiredis's reader is used: it is the same in 0.14 and
 * 1.2, and the descriptor has one owner.
 */
#include "ym_line.h"

#include "ym_answers.h"
#include "ym_log.h"
#include "ym_store.h"
#include "ym_time.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_CONNECT_MS 3000    /* to be connected and greeted */
#define LINE_BACKOFF_BASE_MS 50 /* Redis restarts in a second: be there */
#define LINE_BACKOFF_CAP_MS 2000
#define LINE_OUT_MAX (64u << 20) /* more unsent bytes than this means nobody reads */
#define LINE_OUT_KEEP (256u << 10)
#define LINE_READ_BYTES 65536
#define LINE_FEED_BYTES 4096 /* hiredis moves what is left behind every answer: leave little */
#define LINE_READER_KEEP (1u << 20) /* hiredis frees a larger idle buffer */
#define LINE_READS_PER_EVENT 8      /* then the others' turn */

/* Request kinds of the greeting; the user's start at 0. */
enum { LINE_AUTH = 0xF000u, LINE_VERSION, LINE_LOAD };

static const struct ym_sm_state line_states[] = {
    [YM_LINE_DOWN] = {"down", YM_SM_TO(YM_LINE_CONNECTING)},
    [YM_LINE_CONNECTING] = {"connecting", YM_SM_TO(YM_LINE_GREETING) | YM_SM_TO(YM_LINE_DOWN)},
    [YM_LINE_GREETING] = {"greeting", YM_SM_TO(YM_LINE_READY) | YM_SM_TO(YM_LINE_DOWN)},
    [YM_LINE_READY] = {"ready", YM_SM_TO(YM_LINE_DOWN)},
};

static bool line_holds(const void *owner, unsigned state)
{
    const struct ym_line *l = owner;

    return state == YM_LINE_DOWN ? l->watch.fd < 0 : l->watch.fd >= 0 && l->reader != NULL;
}
const struct ym_sm_table ym_line_table = {"line", line_states, YM_COUNT(line_states), line_holds};

static void line_on_event(void *data, unsigned events);

void ym_line_init(struct ym_line *l, const char *name, const char *system,
                  const struct ym_access *access, struct ym_loop *loop, struct ym_jitter *jitter,
                  const struct ym_line_user *user)
{
    *l = (struct ym_line){.name = name,
                          .system = system,
                          .access = access,
                          .loop = loop,
                          .jitter = jitter,
                          .user = *user};
    l->watch = (struct ym_watch){.fd = -1, .fn = line_on_event, .data = l};
    ym_buf_init(&l->out, LINE_OUT_MAX);
    ym_sm_init(&l->sm, &ym_line_table, YM_LINE_DOWN);
}

static void line_hang_up(struct ym_line *l)
{
    if (l->watch.fd >= 0) {
        ym_loop_watch(l->loop, &l->watch, 0);
        close(l->watch.fd);
        l->watch.fd = -1;
        l->watch.events = 0;
    }
    if (l->reader != NULL) {
        ym_answers_close(l->reader);
        l->reader = NULL;
    }
    ym_buf_clear(&l->out);
    l->out_at = 0;
}

void ym_line_clear(struct ym_line *l)
{
    line_hang_up(l);
    free(l->open);
    l->open = NULL;
    l->open_cap = l->open_head = l->open_count = 0;
}

static bool line_push(struct ym_line *l, const struct ym_request *q)
{
    struct ym_request *grown;
    size_t cap;

    if (l->open_count == l->open_cap) {
        cap = l->open_cap == 0 ? 16 : l->open_cap * 2;
        grown = calloc(cap, sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        for (size_t i = 0; i < l->open_count; i++) {
            grown[i] = l->open[(l->open_head + i) % l->open_cap];
        }
        free(l->open);
        l->open = grown;
        l->open_cap = cap;
        l->open_head = 0;
    }
    l->open[(l->open_head + l->open_count) % l->open_cap] = *q;
    l->open_count++;
    return true;
}

static bool line_pop(struct ym_line *l, struct ym_request *ret)
{
    if (l->open_count == 0) {
        return false;
    }
    *ret = l->open[l->open_head];
    l->open_head = (l->open_head + 1) % l->open_cap;
    l->open_count--;
    return true;
}

void ym_line_drop(struct ym_line *l, const char *why)
{
    struct ym_request q;
    bool was_ready = ym_line_ready(l);

    if (l->sm.state == YM_LINE_DOWN) {
        return;
    }
    if (!l->quiet) {
        ym_log(YM_LOG_WARN, "redis.lost", "system", l->system, "line", l->name, "state",
               ym_sm_name(&l->sm), "err", why, NULL);
        l->quiet = true;
    }

    line_hang_up(l);
    l->tries++;
    l->retry_ms =
        ym_tick_ms() + ym_backoff(l->jitter, LINE_BACKOFF_BASE_MS, LINE_BACKOFF_CAP_MS, l->tries);
    ym_sm_move(&l->sm, l, YM_LINE_DOWN); /* first: an answer of NULL must not put a new request */
    while (line_pop(l, &q)) {
        if (q.kind < LINE_AUTH) {
            l->user.reply(l->user.data, l, &q, NULL);
        }
    }
    if (was_ready) {
        l->user.down(l->user.data, l);
    }
}

static bool line_write(struct ym_line *l, const struct ym_resp *head, const struct ym_resp *tail,
                       const struct ym_request *q)
{
    char count[32];
    size_t n = ym_resp_head(head->args + (tail != NULL ? tail->args : 0), count, sizeof(count));

    if (head->body.failed != YM_OK || (tail != NULL && tail->body.failed != YM_OK)) {
        return false;
    }
    ym_buf_add(&l->out, count, n);
    ym_buf_add(&l->out, head->body.p, head->body.n);
    if (tail != NULL) {
        ym_buf_add(&l->out, tail->body.p, tail->body.n);
    }
    return l->out.failed == YM_OK && line_push(l, q);
}

bool ym_line_put(struct ym_line *l, const struct ym_resp *head, const struct ym_resp *tail,
                 const struct ym_request *q)
{
    if (!ym_line_ready(l)) {
        return false;
    }
    if (!line_write(l, head, tail, q)) {
        /* half a request must not reach Redis: begin anew on a clean line */
        ym_line_drop(l, "out of memory for a request");
        return false;
    }
    return true;
}

static bool line_ask(struct ym_line *l, unsigned kind, const char *const *argv, size_t argc,
                     struct ym_str last)
{
    struct ym_request q = {.kind = kind, .until_ms = l->until_ms};
    struct ym_resp r;
    bool ok;

    ym_resp_init(&r, LINE_OUT_MAX);
    for (size_t i = 0; i < argc; i++) {
        ym_resp_argz(&r, argv[i]);
    }
    if (last.p != NULL) {
        ym_resp_arg(&r, last);
    }
    ok = line_write(l, &r, NULL, &q);
    ym_buf_wipe(&r.body); /* AUTH carries the password */
    return ok;
}

static bool line_ask_version(struct ym_line *l)
{
    static const char *const version[] = {"FCALL", YM_FN_VERSION, "1", "{s0}"};

    return line_ask(l, LINE_VERSION, version, YM_COUNT(version), YM_STR_NULL);
}

static void line_greet(struct ym_line *l)
{
    static const char *const auth[] = {"AUTH"};
    bool ok = true;

    ym_sm_move(&l->sm, l, YM_LINE_GREETING);
    l->loaded = false;
    if (l->access->password != NULL) {
        ok = line_ask(l, LINE_AUTH, auth, YM_COUNT(auth), ym_str_of(l->access->password));
    }
    if (!ok || !line_ask_version(l)) {
        ym_line_drop(l, "out of memory for the greeting");
        return;
    }
    ym_line_flush(l);
}

static void line_connect(struct ym_line *l, int64_t now_ms)
{
    struct ym_err err = {0};
    bool pending = false;
    int fd;

    if (ym_access_connect(l->access, &fd, &pending, &err) != YM_OK) {
        l->tries++;
        l->retry_ms =
            now_ms + ym_backoff(l->jitter, LINE_BACKOFF_BASE_MS, LINE_BACKOFF_CAP_MS, l->tries);
        if (!l->quiet) {
            ym_log(YM_LOG_WARN, "redis.lost", "system", l->system, "line", l->name, "state",
                   "connecting", "err", err.message, NULL);
            l->quiet = true;
        }
        return;
    }

    l->watch.fd = fd;
    l->reader = ym_answers_open();
    l->until_ms = now_ms + LINE_CONNECT_MS;
    if (l->reader == NULL || ym_loop_watch(l->loop, &l->watch, EPOLLIN | EPOLLOUT) != YM_OK) {
        line_hang_up(l);
        l->retry_ms = now_ms + LINE_BACKOFF_CAP_MS;
        return;
    }
    l->reader->maxbuf = LINE_READER_KEEP;
    ym_sm_move(&l->sm, l, YM_LINE_CONNECTING);
    if (!pending) {
        line_greet(l);
    }
}

/* What the greeting's answers mean. False = the line is gone. */
static bool line_greeted(struct ym_line *l, const struct ym_request *q, const redisReply *r)
{
    static const char *const load[] = {"FUNCTION", "LOAD", "REPLACE"};

    if (q->kind == LINE_VERSION && r->type == REDIS_REPLY_ERROR && !l->loaded &&
        strstr(r->str, "not found") != NULL) {
        l->loaded = true; /* a Redis that came back empty */
        if (line_ask(l, LINE_LOAD, load, YM_COUNT(load), ym_access_library()) &&
            line_ask_version(l)) {
            return true;
        }
    }
    if (r->type == REDIS_REPLY_ERROR) {
        ym_line_drop(l, r->str);
        return false;
    }
    if (q->kind != LINE_VERSION) {
        return true;
    }
    if (r->str == NULL || strcmp(r->str, YM_STORE_VERSION) != 0) {
        ym_line_drop(l, "Redis holds another version of the function library");
        return false;
    }

    if (l->quiet) {
        ym_log(YM_LOG_INFO, "redis.back", "system", l->system, "line", l->name, NULL);
    }
    l->quiet = false;
    l->tries = 0;
    ym_sm_move(&l->sm, l, YM_LINE_READY);
    l->user.up(l->user.data, l);
    return true;
}

void ym_line_keep(struct ym_line *l)
{
    l->kept = true;
}

/* Hands out every whole answer. False = the line is gone. */
static bool line_answers(struct ym_line *l)
{
    struct ym_request q;
    void *r;

    for (;;) {
        if (redisReaderGetReply(l->reader, &r) != REDIS_OK) {
            ym_line_drop(l, "an answer that is no Redis protocol");
            return false;
        }
        if (r == NULL) {
            return true;
        }
        if (!line_pop(l, &q)) {
            ym_answers_free(r);
            ym_line_drop(l, "an answer nobody asked for");
            return false;
        }
        l->kept = false;
        if (q.kind >= LINE_AUTH) {
            line_greeted(l, &q, r);
        } else {
            l->user.reply(l->user.data, l, &q, r);
        }
        if (!l->kept) {
            ym_answers_free(r);
        }
        if (l->sm.state == YM_LINE_DOWN) {
            return false;
        }
    }
}

/* False = the line is gone. */
static bool line_feed(struct ym_line *l, const char *bytes, size_t n)
{
    size_t part;

    for (size_t at = 0; at < n; at += part) {
        part = n - at < LINE_FEED_BYTES ? n - at : LINE_FEED_BYTES;
        if (redisReaderFeed(l->reader, bytes + at, part) != REDIS_OK) {
            ym_line_drop(l, "out of memory for an answer");
            return false;
        }
        if (!line_answers(l)) {
            return false;
        }
    }
    return true;
}

static void line_read(struct ym_line *l)
{
    static char bytes[LINE_READ_BYTES]; /* one thread, never kept */
    ssize_t n;

    for (int i = 0; i < LINE_READS_PER_EVENT; i++) {
        n = read(l->watch.fd, bytes, sizeof(bytes));
        if (n == 0) {
            ym_line_drop(l, "Redis closed the connection");
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                ym_line_drop(l, strerror(errno));
            }
            return;
        }
        if (!line_feed(l, bytes, (size_t)n) || n < (ssize_t)sizeof(bytes)) {
            return;
        }
    }
}

static void line_on_event(void *data, unsigned events)
{
    struct ym_line *l = data;
    int failed = 0;
    socklen_t len = sizeof(failed);

    if (l->sm.state == YM_LINE_CONNECTING) {
        if (getsockopt(l->watch.fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 || failed != 0) {
            ym_line_drop(l, strerror(failed));
            return;
        }
        line_greet(l);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        ym_line_flush(l);
    }
    if (l->sm.state != YM_LINE_DOWN && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        line_read(l);
    }
}

void ym_line_flush(struct ym_line *l)
{
    ssize_t n;

    if (l->sm.state != YM_LINE_GREETING && l->sm.state != YM_LINE_READY) {
        return;
    }
    while (l->out_at < l->out.n) {
        n = send(l->watch.fd, l->out.p + l->out_at, l->out.n - l->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            ym_loop_watch(l->loop, &l->watch, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) {
            ym_line_drop(l, strerror(errno));
            return;
        }
        l->out_at += (size_t)n;
    }

    l->out_at = 0;
    if (l->out.cap > LINE_OUT_KEEP) {
        ym_buf_clear(&l->out);
    } else {
        ym_buf_reset(&l->out);
    }
    ym_loop_watch(l->loop, &l->watch, EPOLLIN);
}

int64_t ym_line_poll(struct ym_line *l, int64_t now_ms)
{
    int64_t next = INT64_MAX;

    if (l->sm.state == YM_LINE_DOWN && now_ms >= l->retry_ms) {
        line_connect(l, now_ms);
    }
    if ((l->sm.state == YM_LINE_CONNECTING || l->sm.state == YM_LINE_GREETING) &&
        now_ms >= l->until_ms) {
        ym_line_drop(l, "no greeting in time");
    }
    if (l->sm.state == YM_LINE_READY && l->open_count > 0 &&
        now_ms >= l->open[l->open_head].until_ms) {
        ym_line_drop(l, "no answer in time");
    }

    if (l->sm.state == YM_LINE_DOWN) {
        next = l->retry_ms;
    } else if (l->sm.state != YM_LINE_READY) {
        next = l->until_ms;
    } else if (l->open_count > 0) {
        next = l->open[l->open_head].until_ms;
    }
    return next;
}
