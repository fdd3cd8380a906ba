/* SPDX-License-Identifier: Apache-2.0
 * The worker process (ym_worker.h): set-up, the loop, signals, the report.
 */
#include "ym_worker_priv.h"

#include "ym_log.h"
#include "ym_pool.h"
#include "ym_time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WORKER_REPORT_MS 5000  /* heartbeat */
#define WORKER_SYSTEMS_MS 2000 /* pause is asked for as well as rung for */
#define WORKER_SETTLE_MS 5000  /* drain: for the last settlements, once nothing is in flight */
#define WORKER_GRACE_MS 3000   /* drain: beyond the system's own timeout */
#define WORKER_LOCK_POLL_MS 25
#define WORKER_SPARE_CONNECTIONS 4

static const struct ym_sm_state worker_states[] = {
    [YM_WORKER_STARTING] = {"starting", YM_SM_TO(YM_WORKER_RUNNING) | YM_SM_TO(YM_WORKER_DRAINING)},
    [YM_WORKER_RUNNING] = {"running", YM_SM_TO(YM_WORKER_DRAINING)},
    [YM_WORKER_DRAINING] = {"draining", YM_SM_TO(YM_WORKER_DONE)},
    [YM_WORKER_DONE] = {"done", 0},
};
const struct ym_sm_table ym_worker_table = {"worker", worker_states, YM_COUNT(worker_states), NULL};

void ym_worker_check(const struct ym_system *sys, struct ym_diag *d)
{
    const struct ym_transport *t = ym_transport_find(sys->transport);

    if (t == NULL) {
        const struct ym_yaml *v = ym_yaml_get(sys->node, "transport");

        ym_diag_add(d, sys->file, v != NULL ? v->line : 1, v != NULL ? v->column : 1,
                    "there is no transport %s", sys->transport);
        return;
    }
    t->check(sys, d);
    ym_render_check(sys, d);
    for (size_t i = 0; i < sys->operation_count; i++) {
        ym_reply_check(sys, &sys->operations[i], d);
    }
    ym_session_check(sys, d);
}

int64_t ym_worker_drain_ms(const struct ym_system *sys)
{
    return sys->settings.timeout_ms + WORKER_GRACE_MS + WORKER_SETTLE_MS;
}

/* Set-up -------------------------------------------------------------------------------------- */

/* Overwrites every environment variable that a `secrets:` of any system refers to. */
static void worker_forget_environment(const struct ym_catalog *cat)
{
    for (size_t i = 0; i < cat->system_count; i++) {
        const struct ym_yaml *secrets = ym_yaml_get(cat->systems[i].site, "secrets");

        for (const struct ym_yaml *v = secrets != NULL ? secrets->child : NULL; v != NULL;
             v = v->next) {
            char *value;

            if (v->kind != YM_YAML_SCALAR || strncmp(v->text.p, "env:", 4) != 0) {
                continue;
            }
            value = getenv(v->text.p + 4);
            if (value != NULL) {
                ym_wipe(value, strlen(value)); /* /proc/<pid>/environ is this very memory */
                unsetenv(v->text.p + 4);
            }
        }
    }
}

/*
 * One worker per system on this machine: a new one waits until the old one has drained, so that what
 * the old one has in flight is settled by it and need not be looked up.
 */
static void worker_lock(struct ym_worker *w)
{
    char path[1024];
    sigset_t pending;
    int64_t until_ms = ym_tick_ms() + ym_worker_drain_ms(w->sys);
    int n =
        snprintf(path, sizeof(path), "%s/worker.%s.lock",
                 w->catalog->site.state_dir != NULL ? w->catalog->site.state_dir : ".", w->sys->id);

    w->lock_fd = n > 0 && n < (int)sizeof(path)
                     ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)
                     : -1;
    if (w->lock_fd < 0) {
        ym_log(YM_LOG_WARN, "worker.unlocked", "system", w->sys->id, "err", strerror(errno), NULL);
        return;
    }
    while (flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        sigpending(&pending);
        if (sigismember(&pending, SIGTERM) == 1) {
            return; /* the loop will find it and end at once */
        }
        if (ym_tick_ms() >= until_ms) {
            ym_log(YM_LOG_WARN, "worker.unlocked", "system", w->sys->id, "err",
                   "another worker does not end", NULL);
            return;
        }
        usleep(WORKER_LOCK_POLL_MS * 1000);
    }
}

static void worker_on_signal(void *data, unsigned events)
{
    struct ym_worker *w = data;
    struct signalfd_siginfo info;

    (void)events;
    while (read(w->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        ym_worker_stop(w, YM_WORKER_DRAINED);
    }
}

static ym_status worker_signals(struct ym_worker *w, struct ym_err *err)
{
    sigset_t set;

    /* Ctrl-C and SIGHUP reach the whole group: the supervisor decides what they mean */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);

    w->signals = (struct ym_watch){
        .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .fn = worker_on_signal, .data = w};
    if (w->signals.fd < 0 || ym_loop_watch(w->loop, &w->signals, EPOLLIN) != YM_OK) {
        return ym_err_set(err, YM_EIO, "signals cannot be watched: %s", strerror(errno));
    }
    return YM_OK;
}

static ym_status worker_open(struct ym_worker *w, struct ym_err *err)
{
    struct ym_bench *b = &w->bench;
    char host[32] = "host";
    ym_status rc;

    rc = ym_loop_open((long)w->sys->settings.in_flight + WORKER_SPARE_CONNECTIONS, &w->loop, err);
    if (rc == YM_OK) {
        rc = worker_signals(w, err);
    }
    if (rc == YM_OK) {
        rc = ym_access_init(&w->access, &w->catalog->site, err);
    }
    if (rc != YM_OK) {
        return rc;
    }

    gethostname(host, sizeof(host) - 1);
    snprintf(w->consumer, sizeof(w->consumer), "%s-%ld-%llx", host, (long)getpid(),
             (unsigned long long)(ym_jitter_next(&w->jitter) >> 32));

    rc = ym_keys_open(&w->keys, w->catalog, err);
    if (rc != YM_OK) {
        return rc;
    }
    b->sys = w->sys;
    b->keys = &w->keys;
    b->transport = ym_transport_find(w->sys->transport);
    if (b->transport == NULL || (b->transport->begin == NULL && b->transport->run == NULL)) {
        return ym_err_set(err, YM_EUNSUPPORTED, "transport %s sends nothing", w->sys->transport);
    }
    rc = ym_secrets_open(w->sys, &w->secrets, err);
    if (rc != YM_OK) {
        return rc;
    }
    b->secrets = w->secrets;
    worker_forget_environment(w->catalog);
    rc = ym_session_open(w->sys, &b->session, err);
    if (rc == YM_OK) {
        rc = b->transport->open(w->sys, w->secrets, &b->link, err);
    }
    if (rc == YM_OK) {
        rc = ym_engine_init(w, err);
    }
    return rc;
}

static void worker_close(struct ym_worker *w)
{
    ym_engine_clear(w);
    ym_shards_clear(w);
    if (w->bench.link != NULL) {
        w->bench.transport->close(w->bench.link);
    }
    ym_session_close(w->bench.session);
    ym_keys_close(&w->keys);
    ym_secrets_close(w->secrets);
    ym_access_clear(&w->access);
    if (w->signals.fd >= 0) {
        close(w->signals.fd);
    }
    ym_loop_close(w->loop);
    if (w->lock_fd >= 0) {
        close(w->lock_fd); /* and with it the lock: last of all */
    }
}

/* What others tell and hear ------------------------------------------------------------------- */

void ym_worker_ready(struct ym_worker *w)
{
    char byte = 'r';

    if (w->sm.state == YM_WORKER_STARTING) {
        ym_sm_move(&w->sm, w, YM_WORKER_RUNNING);
        ym_log(YM_LOG_INFO, "worker.ready", "system", w->sys->id, NULL);
    }
    if (w->ready_fd >= 0) {
        if (write(w->ready_fd, &byte, 1) != 1) {
            ym_log(YM_LOG_DEBUG, "worker.unheard", "system", w->sys->id, NULL);
        }
        close(w->ready_fd);
        w->ready_fd = -1;
    }
}

/* [[system, field, value, …]] */
void ym_worker_told(struct ym_worker *w, const struct redisReply *systems)
{
    const struct redisReply *row = ym_reply_item(systems, 0);
    bool paused = false;

    if (ym_reply_error(systems) != NULL) {
        return;
    }
    for (size_t i = 1; i + 1 < ym_reply_count(row); i += 2) {
        if (ym_str_is(ym_reply_text(row, i), "paused")) {
            paused = ym_str_is(ym_reply_text(row, i + 1), "1");
        }
    }
    if (paused == w->gate.paused) {
        return;
    }
    w->gate.paused = paused;
    ym_log(YM_LOG_INFO, paused ? "system.paused" : "system.continued", "system", w->sys->id, NULL);
    if (paused) {
        ym_engine_hold(w);
    }
}

static void worker_report(struct ym_worker *w, int64_t now_ms, const char *breaker)
{
    int64_t wall_ms = ym_worker_redis_ms(w, ym_now_ms());
    int64_t wait_ms = ym_breaker_wait(&w->breaker, now_ms);
    char beat[24], until[24] = "", last_ok[24] = "";
    const char *pairs[13] = {"breaker", breaker,    "until",      until,
                             "problem", w->problem, "hours_open", w->gate.in_hours ? "1" : "0",
                             "beat",    beat,       NULL};

    snprintf(beat, sizeof(beat), "%lld", (long long)wall_ms);
    if (wait_ms > 0) {
        snprintf(until, sizeof(until), "%lld", (long long)(wall_ms + wait_ms));
    }
    if (w->last_ok_ms > 0) { /* a new worker does not forget what an earlier one reported */
        snprintf(last_ok, sizeof(last_ok), "%lld", (long long)w->last_ok_ms);
        pairs[10] = "last_ok";
        pairs[11] = last_ok;
    }
    if (ym_call_report(&w->commands, w->sys->id, pairs)) {
        w->report_now = false;
        w->report_ms = now_ms + WORKER_REPORT_MS;
    }
}

void ym_worker_stop(struct ym_worker *w, int exit_code)
{
    if (w->sm.state == YM_WORKER_DRAINING || w->sm.state == YM_WORKER_DONE) {
        return;
    }
    w->exit_code = exit_code;
    w->drain_ms = ym_tick_ms() + w->sys->settings.timeout_ms + WORKER_GRACE_MS;
    ym_sm_move(&w->sm, w, YM_WORKER_DRAINING);
    ym_log(YM_LOG_INFO, "worker.drains", "system", w->sys->id, NULL);
    ym_engine_hold(w);
}

void ym_worker_broken(struct ym_worker *w, const struct ym_err *err)
{
    char text[YM_ERR_MESSAGE_MAX + YM_ERR_FILE_MAX + 32];

    ym_err_format(err, text, sizeof(text));
    if (w->exit_code != YM_WORKER_BROKEN) {
        ym_log(YM_LOG_ERROR, "system.broken", "system", w->sys->id, "err", text, NULL);
    }
    snprintf(w->problem, sizeof(w->problem), "%.*s", (int)sizeof(w->problem) - 1, text);
    ym_worker_stop(w, YM_WORKER_BROKEN);
    w->exit_code = YM_WORKER_BROKEN;
    w->report_now = true;
}

/* The loop ------------------------------------------------------------------------------------ */

static int64_t worker_timers(struct ym_worker *w, int64_t now_ms)
{
    bool broken = w->exit_code == YM_WORKER_BROKEN;

    if (w->parent != 0 && getppid() != w->parent) {
        ym_worker_stop(w, YM_WORKER_DRAINED);
    }
    if (!ym_line_ready(&w->commands)) {
        return now_ms + WORKER_REPORT_MS;
    }
    if (w->report_now || now_ms >= w->report_ms) {
        worker_report(w, now_ms, broken ? "broken" : ym_breaker_word(&w->breaker));
    }
    if (now_ms >= w->systems_ms && ym_call_systems(&w->commands, w->sys->id)) {
        w->systems_ms = now_ms + WORKER_SYSTEMS_MS;
    }
    return w->report_ms < w->systems_ms ? w->report_ms : w->systems_ms;
}

/* Whether the drain is over; past the first deadline what is in flight is given up as ambiguous. */
static bool worker_drained(struct ym_worker *w, int64_t now_ms)
{
    if (!ym_engine_idle(w) && now_ms >= w->drain_ms) {
        ym_engine_abort(w);
    }
    if (now_ms >= w->drain_ms + WORKER_SETTLE_MS) {
        ym_log(YM_LOG_WARN, "worker.undelivered", "system", w->sys->id, NULL);
        return true;
    }
    return ym_engine_idle(w) && ym_shards_quiet(w) && !w->report_now &&
           (!ym_line_ready(&w->commands) || w->commands.open_count == 0);
}

static ym_status worker_loop(struct ym_worker *w, struct ym_err *err)
{
    int64_t now_ms, next, wish;
    ym_status rc = YM_OK;

    while (rc == YM_OK) {
        ym_engine_ended(w);
        now_ms = ym_tick_ms();
        next = ym_engine_turn(w, now_ms);
        wish = worker_timers(w, now_ms);
        next = wish < next ? wish : next;
        wish = ym_shards_turn(w, now_ms); /* last: it flushes what the others have put */
        next = wish < next ? wish : next;

        if (w->sm.state == YM_WORKER_DRAINING) {
            if (worker_drained(w, now_ms)) {
                ym_sm_move(&w->sm, w, YM_WORKER_DONE);
                return YM_OK;
            }
            next = w->drain_ms < next && !ym_engine_idle(w) ? w->drain_ms : next;
            next = next > now_ms + 100 ? now_ms + 100 : next;
        }
        rc = ym_loop_turn(w->loop, next > now_ms ? next - now_ms : 0, err);
    }
    return rc;
}

/* A worker that cannot even start says so in Redis before it ends. */
static void worker_report_last(struct ym_worker *w)
{
    struct ym_err err = {0};
    int64_t until_ms = ym_tick_ms() + WORKER_GRACE_MS, now_ms;

    if (w->loop == NULL || w->access.shards == 0) {
        return;
    }
    ym_breaker_init(&w->breaker, 1, 1);
    ym_shards_init(w);
    for (now_ms = ym_tick_ms(); now_ms < until_ms; now_ms = ym_tick_ms()) {
        ym_line_poll(&w->commands, now_ms);
        if (w->report_now && ym_line_ready(&w->commands)) {
            worker_report(w, now_ms, "broken");
        }
        ym_line_flush(&w->commands);
        if (!w->report_now && w->commands.open_count == 0) {
            return;
        }
        if (ym_loop_turn(w->loop, 50, &err) != YM_OK) {
            return;
        }
    }
}

int ym_worker_main(const struct ym_worker_args *args)
{
    struct ym_worker *w = calloc(1, sizeof(*w));
    struct ym_err err = {0};
    int code;

    if (w == NULL) {
        return YM_WORKER_FAILED;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (args->parent != 0 && getppid() != args->parent) {
        free(w); /* gone before the line above could tell */
        return YM_WORKER_FAILED;
    }

    ym_pool_install();
    w->catalog = args->catalog;
    w->sys = args->system;
    w->parent = args->parent;
    w->ready_fd = args->ready_fd;
    w->lock_fd = w->signals.fd = -1;
    ym_sm_init(&w->sm, &ym_worker_table, YM_WORKER_STARTING);
    ym_jitter_init(&w->jitter, 0);

    worker_lock(w);
    if (worker_open(w, &err) != YM_OK) {
        ym_worker_broken(w, &err);
        worker_report_last(w);
    } else {
        ym_shards_init(w);
        if (worker_loop(w, &err) != YM_OK) {
            ym_log(YM_LOG_ERROR, "worker.failed", "system", w->sys->id, "err", err.message, NULL);
            w->exit_code = YM_WORKER_FAILED;
        }
    }
    code = w->exit_code;
    worker_close(w);
    free(w);
    return code;
}
