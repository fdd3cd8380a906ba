/* SPDX-License-Identifier: Apache-2.0
 * The worker: one process, one system, one event loop. It attaches to the system's queue on every
 * shard, claims no more than it can have in flight, runs attempts and settles them.
 */
#ifndef YM_WORKER_H
#define YM_WORKER_H

#include "ym_catalog.h"

#include <sys/types.h>

/* How a worker ends; the supervisor reads it. */
enum ym_worker_exit {
    YM_WORKER_DRAINED = 0,
    YM_WORKER_FAILED = 1, /* restart it with backoff */
    YM_WORKER_BROKEN = 3, /* the configuration is wrong: leave it stopped until a reload */
    YM_WORKER_FENCED = 4  /* another worker owns the queue: restart it later */
};

struct ym_worker_args {
    const struct ym_catalog *catalog;
    const struct ym_system *system;
    int ready_fd; /* one byte when every shard is attached; -1 = nobody asks */
    pid_t parent; /* ends when this process is gone; 0 = never */
};

/* Runs until SIGTERM has drained it, or until it fails. The process's exit status. */
int ym_worker_main(const struct ym_worker_args *args);

/* How long a drain may take at most: what is in flight ends within the system's timeout. */
int64_t ym_worker_drain_ms(const struct ym_system *sys);

/* Every fault of the system as the engine, rules and transport see it; for start-up and `yimen check`. */
struct ym_diag;
void ym_worker_check(const struct ym_system *sys, struct ym_diag *d);

#endif
