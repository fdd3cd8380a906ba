/* SPDX-License-Identifier: Apache-2.0
 * The supervisor (ym_supervisor.h). It does no work of its own, so that it has nothing to lose: a
 * killed supervisor's workers drain, and the next supervisor's workers wait for them.
 */
#include "ym_supervisor.h"

#include "ym_archivist.h"
#include "ym_backoff.h"
#include "ym_log.h"
#include "ym_queue.h"
#include "ym_sm.h"
#include "ym_time.h"
#include "ym_worker.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPERVISOR_RESTART_BASE_MS 200 /* a killed worker is back before anybody notices */
#define SUPERVISOR_RESTART_CAP_MS 30000
#define SUPERVISOR_STEADY_MS 60000   /* a worker that lived this long starts anew at the base */
#define SUPERVISOR_FENCED_MS 5000    /* do not fight with another dispatcher for the queue */
#define SUPERVISOR_KILL_MS 5000      /* beyond the longest drain */
#define SUPERVISOR_STORE_CAP_MS 5000 /* between tries to reach Redis at start */
#define SUPERVISOR_CHILDREN_MAX 512

enum child_state { CHILD_STOPPED, CHILD_STARTING, CHILD_RUNNING, CHILD_STOPPING, CHILD_BROKEN };

static const struct ym_sm_state child_states[] = {
    [CHILD_STOPPED] = {"stopped", YM_SM_TO(CHILD_STARTING)},
    [CHILD_STARTING] = {"starting", YM_SM_TO(CHILD_RUNNING) | YM_SM_TO(CHILD_STOPPING) |
                                        YM_SM_TO(CHILD_STOPPED) | YM_SM_TO(CHILD_BROKEN)},
    [CHILD_RUNNING] = {"running",
                       YM_SM_TO(CHILD_STOPPING) | YM_SM_TO(CHILD_STOPPED) | YM_SM_TO(CHILD_BROKEN)},
    [CHILD_STOPPING] = {"stopping", YM_SM_TO(CHILD_STOPPED)},
    [CHILD_BROKEN] = {"broken", YM_SM_TO(CHILD_STOPPED)},
};

struct child {
    struct ym_sm sm;
    char *id;                     /* of the system */
    pid_t pid;                    /* 0 = none */
    int ready_fd;                 /* -1 = said so, or none */
    bool wanted;                  /* the catalogue has it enabled */
    bool stale;                   /* runs with the catalogue before the last reload */
    int64_t started_ms, start_ms; /* was started; is to be started */
    int64_t kill_ms;              /* stopping: when patience ends */
    int64_t drain_ms;             /* of the running worker */
    int64_t tries;
};

static bool child_holds(const void *owner, unsigned state)
{
    const struct child *c = owner;

    return state == CHILD_STOPPED || state == CHILD_BROKEN ? c->pid == 0 : c->pid > 0;
}
static const struct ym_sm_table child_table = {"child", child_states, YM_COUNT(child_states),
                                               child_holds};

struct supervisor {
    const char *config;
    struct ym_catalog *catalog;
    struct ym_jitter jitter;
    struct child *children;
    size_t child_count;
    int signal_fd, lock_fd;
    bool store_ready; /* the function library is loaded */
    bool stopping;
    bool announced;
    int64_t store_ms, store_tries;
    char *ready_path;
};

/* Configuration ------------------------------------------------------------------------------- */

static void supervisor_faults(struct ym_diag *d)
{
    char at[YM_ERR_FILE_MAX + 32];

    for (size_t i = 0; i < d->count; i++) {
        const struct ym_err *e = &d->items[i];

        snprintf(at, sizeof(at), "%s:%d:%d", e->file, e->line, e->column);
        ym_log(YM_LOG_ERROR, "config.fault", "at", at, "err", e->message, NULL);
    }
    if (d->total > d->count) {
        ym_log(YM_LOG_ERROR, "config.fault", "err", "more faults than are listed", "more",
               ym_log_int((int64_t)(d->total - d->count)), NULL);
    }
}

static bool supervisor_has_work(const struct ym_system *sys)
{
    return sys->enabled && strcmp(sys->transport, "handoff") != 0;
}

/* The whole catalogue and what the engine, rules and transports need of it. NULL = faults are told. */
static struct ym_catalog *supervisor_load(const char *config)
{
    struct ym_catalog *cat = NULL;
    struct ym_diag d;

    ym_diag_init(&d);
    if (ym_catalog_open(config, &cat, &d) != YM_OK) {
        cat = NULL;
    }
    for (size_t i = 0; cat != NULL && i < cat->system_count; i++) {
        if (cat->systems[i].enabled) {
            ym_worker_check(&cat->systems[i], &d);
        }
    }
    if (cat != NULL && cat->site.state_dir == NULL) {
        ym_diag_add(&d, cat->file, 1, 1,
                    "state_dir: is missing; name a folder of the dispatcher's own");
    }
    if (cat != NULL) {
        ym_archivist_check(cat, &d);
    }
    if (d.total > 0) {
        supervisor_faults(&d);
        ym_catalog_close(cat);
        cat = NULL;
    }
    ym_diag_clear(&d);
    return cat;
}

int ym_supervisor_check(const char *config)
{
    struct ym_catalog *cat = supervisor_load(config);

    if (cat == NULL) {
        return YM_SUPERVISOR_CONFIG;
    }
    ym_catalog_close(cat);
    return YM_SUPERVISOR_OK;
}

/* Children ------------------------------------------------------------------------------------ */

static void child_unready(struct child *c)
{
    if (c->ready_fd >= 0) {
        close(c->ready_fd);
        c->ready_fd = -1;
    }
}

static struct child *supervisor_child(struct supervisor *s, const char *id)
{
    struct child *grown;

    for (size_t i = 0; i < s->child_count; i++) {
        if (strcmp(s->children[i].id, id) == 0) {
            return &s->children[i];
        }
    }
    grown = realloc(s->children, (s->child_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    s->children = grown;
    grown = &s->children[s->child_count];
    *grown = (struct child){.id = strdup(id), .ready_fd = -1};
    if (grown->id == NULL) {
        return NULL;
    }
    ym_sm_init(&grown->sm, &child_table, CHILD_STOPPED);
    s->child_count++;
    return grown;
}

/* Makes the table agree with the catalogue. False when memory is out. */
static bool supervisor_enrol(struct supervisor *s)
{
    struct child *c;

    for (size_t i = 0; i < s->child_count; i++) {
        s->children[i].wanted = false;
        s->children[i].stale = true;
    }
    for (size_t i = 0; i < s->catalog->system_count; i++) {
        const struct ym_system *sys = &s->catalog->systems[i];

        if (!supervisor_has_work(sys)) {
            continue;
        }
        c = s->child_count < SUPERVISOR_CHILDREN_MAX ? supervisor_child(s, sys->id) : NULL;
        if (c == NULL) {
            ym_log(YM_LOG_ERROR, "supervisor.failed", "err", "too many systems, or out of memory",
                   NULL);
            return false;
        }
        c->wanted = true;
    }
    c = supervisor_child(s, YM_ARCHIVIST_ID);
    if (c != NULL) {
        c->wanted = true;
    }
    return c != NULL;
}

static void supervisor_free(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++) {
        child_unready(&s->children[i]);
        free(s->children[i].id);
    }
    free(s->children);
    free(s->ready_path);
    ym_catalog_close(s->catalog);
    if (s->signal_fd >= 0) {
        close(s->signal_fd);
    }
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
}

/* In the new process. Does not return. sys NULL = the archivist. */
static void child_run(struct supervisor *s, const struct ym_system *sys, int ready_fd, pid_t parent)
{
    struct ym_worker_args worker = {s->catalog, sys, ready_fd, parent};
    struct ym_archivist_args archivist = {s->catalog, ready_fd, parent};
    int code;

    /* the lock must not outlive the supervisor in its workers; the rest is none of theirs */
    close(s->lock_fd);
    close(s->signal_fd);
    s->lock_fd = s->signal_fd = -1;
    code = sys != NULL ? ym_worker_main(&worker) : ym_archivist_main(&archivist);
    supervisor_free(s);
    curl_global_cleanup();
    exit(code);
}

static void child_start(struct supervisor *s, struct child *c, int64_t now_ms)
{
    const struct ym_system *sys = ym_catalog_system(s->catalog, c->id);
    bool archivist = strcmp(c->id, YM_ARCHIVIST_ID) == 0;
    pid_t parent = getpid();
    int ready[2] = {-1, -1};

    c->start_ms = now_ms + SUPERVISOR_RESTART_CAP_MS; /* should the fork fail */
    if ((sys == NULL && !archivist) || pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    c->pid = fork();
    if (c->pid == 0) {
        close(ready[0]);
        child_run(s, sys, ready[1], parent);
    }
    close(ready[1]);
    if (c->pid < 0) {
        c->pid = 0;
        close(ready[0]);
        ym_log(YM_LOG_ERROR, "worker.no_fork", "system", c->id, "err", strerror(errno), NULL);
        return;
    }
    c->ready_fd = ready[0];
    c->started_ms = now_ms;
    c->drain_ms = archivist ? YM_ARCHIVIST_DRAIN_MS : ym_worker_drain_ms(sys);
    c->stale = false;
    ym_sm_move(&c->sm, c, CHILD_STARTING);
    ym_log(YM_LOG_INFO, "worker.started", "system", c->id, "pid", ym_log_int(c->pid), NULL);
}

static void child_stop(struct child *c, int64_t now_ms)
{
    if (c->sm.state != CHILD_STARTING && c->sm.state != CHILD_RUNNING) {
        return;
    }
    kill(c->pid, SIGTERM);
    c->kill_ms = now_ms + c->drain_ms + SUPERVISOR_KILL_MS;
    ym_sm_move(&c->sm, c, CHILD_STOPPING);
}

static void child_ended(struct supervisor *s, struct child *c, int status, int64_t now_ms)
{
    bool asked = c->sm.state == CHILD_STOPPING;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    int64_t wait_ms = 0;

    c->pid = 0;
    child_unready(c);
    if (now_ms - c->started_ms > SUPERVISOR_STEADY_MS || (asked && code == YM_WORKER_DRAINED)) {
        c->tries = 0;
    }
    if (code == YM_WORKER_BROKEN) {
        ym_log(YM_LOG_ERROR, "worker.broken", "system", c->id, "remedy",
               "mend its configuration and reload", NULL);
        ym_sm_move(&c->sm, c, asked ? CHILD_STOPPED : CHILD_BROKEN);
        c->start_ms = now_ms;
        return;
    }

    ym_sm_move(&c->sm, c, CHILD_STOPPED);
    if (!asked) {
        c->tries++;
        wait_ms =
            ym_backoff(&s->jitter, SUPERVISOR_RESTART_BASE_MS, SUPERVISOR_RESTART_CAP_MS, c->tries);
        if (code == YM_WORKER_FENCED) {
            wait_ms += SUPERVISOR_FENCED_MS;
        }
        ym_log(YM_LOG_WARN, "worker.died", "system", c->id, "exit", ym_log_int(code), "signal",
               ym_log_int(WIFSIGNALED(status) ? WTERMSIG(status) : 0), "restart_ms",
               ym_log_int(wait_ms), NULL);
    } else {
        ym_log(YM_LOG_INFO, "worker.ended", "system", c->id, "exit", ym_log_int(code), NULL);
    }
    c->start_ms = now_ms + wait_ms;
}

static void supervisor_reap(struct supervisor *s)
{
    int64_t now_ms = ym_tick_ms();
    int status;
    pid_t pid;

    for (;;) {
        pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            return;
        }
        for (size_t i = 0; i < s->child_count; i++) {
            if (s->children[i].pid == pid) {
                child_ended(s, &s->children[i], status, now_ms);
            }
        }
    }
}

/* Readiness ----------------------------------------------------------------------------------- */

/* One line in <state_dir>/dispatcher.ready: our process id. Written whole or not at all. */
static void supervisor_announce(struct supervisor *s)
{
    char temp[1100], line[32];
    int fd, n;
    ssize_t done;

    n = snprintf(temp, sizeof(temp), "%s.new", s->ready_path);
    if (n <= 0 || n >= (int)sizeof(temp)) {
        return;
    }
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        ym_log(YM_LOG_ERROR, "supervisor.no_ready_file", "err", strerror(errno), NULL);
        return;
    }
    n = snprintf(line, sizeof(line), "%ld\n", (long)getpid());
    done = write(fd, line, (size_t)n);
    close(fd);
    if (done == n && rename(temp, s->ready_path) == 0) {
        ym_log(YM_LOG_INFO, "supervisor.ready", "workers", ym_log_int((int64_t)s->child_count),
               NULL);
    }
}

/* Ready when every wanted worker has attached, or is known to be broken. */
static void supervisor_look_ready(struct supervisor *s)
{
    if (s->announced || !s->store_ready || s->stopping) {
        return;
    }
    for (size_t i = 0; i < s->child_count; i++) {
        const struct child *c = &s->children[i];

        if (c->wanted && c->sm.state != CHILD_RUNNING && c->sm.state != CHILD_BROKEN) {
            return;
        }
    }
    s->announced = true;
    supervisor_announce(s);
}

static void child_hear(struct child *c)
{
    char byte;
    ssize_t n = read(c->ready_fd, &byte, 1);

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n == 1 && c->sm.state == CHILD_STARTING) {
        ym_sm_move(&c->sm, c, CHILD_RUNNING);
    }
    child_unready(c);
}

/* Signals ------------------------------------------------------------------------------------- */

static void supervisor_reload(struct supervisor *s)
{
    struct ym_catalog *fresh = supervisor_load(s->config);
    struct ym_catalog *old = s->catalog;

    if (fresh == NULL) {
        ym_log(YM_LOG_ERROR, "config.refused", "remedy",
               "the previous configuration stays in force", NULL);
        return;
    }
    s->catalog = fresh;
    if (!supervisor_enrol(s)) {
        s->catalog = old;
        supervisor_enrol(s);
        ym_catalog_close(fresh);
        return;
    }
    ym_catalog_close(old);
    for (size_t i = 0; i < s->child_count; i++) {
        if (s->children[i].sm.state == CHILD_BROKEN) { /* mended, perhaps */
            ym_sm_move(&s->children[i].sm, &s->children[i], CHILD_STOPPED);
            s->children[i].start_ms = 0;
        }
    }
    ym_log(YM_LOG_INFO, "config.reloaded", NULL);
}

static void supervisor_stop(struct supervisor *s)
{
    int64_t now_ms = ym_tick_ms();

    if (s->stopping) {
        return;
    }
    s->stopping = true;
    ym_log(YM_LOG_INFO, "supervisor.drains", NULL);
    unlink(s->ready_path);
    for (size_t i = 0; i < s->child_count; i++) {
        child_stop(&s->children[i], now_ms);
    }
}

static void supervisor_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            supervisor_reap(s);
            break;
        case SIGHUP:
            if (!s->stopping) {
                supervisor_reload(s);
            }
            break;
        default:
            supervisor_stop(s);
            break;
        }
    }
}

/* The loop ------------------------------------------------------------------------------------ */

/* Loads the function library; until it is there no worker is started. */
static void supervisor_store(struct supervisor *s, int64_t now_ms)
{
    struct ym_queue *q = NULL;
    struct ym_err err = {0};
    ym_status rc;

    if (s->store_ready || s->stopping || now_ms < s->store_ms) {
        return;
    }
    rc = ym_queue_open(&s->catalog->site, &q, &err);
    if (rc == YM_OK) {
        rc = ym_queue_load_functions(q, &err);
    }
    ym_queue_close(q);
    if (rc == YM_OK) {
        s->store_ready = true;
        return;
    }
    if (s->store_tries++ == 0 || rc != YM_EIO) {
        ym_log(YM_LOG_ERROR, "store.not_ready", "err", err.message, NULL);
    }
    s->store_ms = ym_tick_ms() + ym_backoff(&s->jitter, SUPERVISOR_RESTART_BASE_MS,
                                            SUPERVISOR_STORE_CAP_MS, s->store_tries);
}

/* At most one worker is rolled at a time: the next when the one before is running again. */
static void supervisor_roll(struct supervisor *s, int64_t now_ms)
{
    struct child *stale = NULL;

    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];

        if (c->sm.state == CHILD_STOPPING || c->sm.state == CHILD_STARTING) {
            return;
        }
        if (c->sm.state == CHILD_RUNNING && (c->stale || !c->wanted) && stale == NULL) {
            stale = c;
        }
    }
    if (stale != NULL) {
        child_stop(stale, now_ms);
    }
}

/* What time has made due. Returns how long to sleep. */
static int supervisor_turn(struct supervisor *s, int64_t now_ms)
{
    int64_t next = now_ms + 60000;

    supervisor_store(s, now_ms);
    if (!s->store_ready && !s->stopping) {
        next = s->store_ms;
    }
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];

        if (c->sm.state == CHILD_STOPPED && c->wanted && s->store_ready && !s->stopping) {
            if (now_ms >= c->start_ms) {
                child_start(s, c, now_ms);
            } else if (c->start_ms < next) {
                next = c->start_ms;
            }
        }
        if (c->sm.state == CHILD_STOPPING) {
            if (now_ms >= c->kill_ms) {
                ym_log(YM_LOG_ERROR, "worker.killed", "system", c->id, NULL);
                kill(c->pid, SIGKILL);
                c->kill_ms = now_ms + SUPERVISOR_KILL_MS;
            }
            next = c->kill_ms < next ? c->kill_ms : next;
        }
    }
    if (!s->stopping) {
        supervisor_roll(s, now_ms);
    }
    supervisor_look_ready(s);
    return next > now_ms ? (int)(next - now_ms) : 0;
}

static bool supervisor_done(const struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++) {
        if (s->children[i].pid > 0) {
            return false;
        }
    }
    return s->stopping;
}

static int supervisor_loop(struct supervisor *s)
{
    struct pollfd *fds = NULL, *grown;
    int code = YM_SUPERVISOR_FAILED, wait_ms;
    nfds_t n;

    for (;;) {
        wait_ms = supervisor_turn(s, ym_tick_ms());
        if (supervisor_done(s)) {
            code = YM_SUPERVISOR_OK;
            break;
        }
        grown = realloc(fds, (s->child_count + 1) * sizeof(*fds));
        if (grown == NULL) {
            break;
        }
        fds = grown;
        n = 0;
        fds[n++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
        for (size_t i = 0; i < s->child_count; i++) {
            fds[n++] = (struct pollfd){.fd = s->children[i].ready_fd, .events = POLLIN};
        }
        if (poll(fds, n, wait_ms) < 0 && errno != EINTR) {
            break;
        }
        for (nfds_t i = 1; i < n; i++) {
            if (fds[i].revents != 0 && s->children[i - 1].ready_fd == fds[i].fd) {
                child_hear(&s->children[i - 1]);
            }
        }
        if (fds[0].revents != 0) {
            supervisor_signals(s);
        }
    }
    free(fds);
    return code;
}

/* Start --------------------------------------------------------------------------------------- */

static bool supervisor_take_state_dir(struct supervisor *s)
{
    const char *dir = s->catalog->site.state_dir;
    char path[1024];
    int n;

    if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
        ym_log(YM_LOG_ERROR, "supervisor.failed", "state_dir", dir, "err", strerror(errno), NULL);
        return false;
    }
    n = snprintf(path, sizeof(path), "%s/dispatcher.ready", dir);
    s->ready_path = n < (int)sizeof(path) - 8 ? strdup(path) : NULL;
    if (s->ready_path == NULL) {
        ym_log(YM_LOG_ERROR, "supervisor.failed", "err", "state_dir is too long", NULL);
        return false;
    }

    snprintf(path, sizeof(path), "%s/dispatcher.lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ym_log(YM_LOG_ERROR, "supervisor.failed", "state_dir", dir, "err",
               s->lock_fd < 0 ? strerror(errno) : "another dispatcher runs with this state_dir",
               NULL);
        return false;
    }
    unlink(s->ready_path); /* of one that was killed */
    return true;
}

static bool supervisor_watch_signals(struct supervisor *s)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signal_fd >= 0;
}

int ym_supervisor_run(const char *config)
{
    struct supervisor s = {.config = config, .signal_fd = -1, .lock_fd = -1};
    int code = YM_SUPERVISOR_FAILED;

    ym_jitter_init(&s.jitter, 0);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* before any fork: it is not to be done by several */
    s.catalog = supervisor_load(config);
    if (s.catalog == NULL) {
        code = YM_SUPERVISOR_CONFIG;
        goto done;
    }
    if (!supervisor_take_state_dir(&s) || !supervisor_watch_signals(&s) || !supervisor_enrol(&s)) {
        goto done;
    }
    ym_log(YM_LOG_INFO, "supervisor.started", "config", config, NULL);
    code = supervisor_loop(&s);
    ym_log(YM_LOG_INFO, "supervisor.stopped", NULL);
done:
    supervisor_free(&s);
    curl_global_cleanup();
    return code;
}
