/* SPDX-License-Identifier: Apache-2.0
 * The archivist: one process that brings every shard's evidence from Redis into the chain of files
 * under state_dir/audit, each entry exactly once, whatever is killed meanwhile.
 */
#ifndef YM_ARCHIVIST_H
#define YM_ARCHIVIST_H

#include "ym_catalog.h"

#include <sys/types.h>

#define YM_ARCHIVIST_ID                                                                            \
    "@archivist"                 /* among the supervisor's children; no system can be named so */
#define YM_ARCHIVIST_DIR "audit" /* below state_dir */

struct ym_archivist_args {
    const struct ym_catalog *catalog;
    int ready_fd; /* one byte when it has the files and Redis; -1 = nobody asks */
    pid_t parent; /* ends when this process is gone; 0 = never */
};

/* Runs until SIGTERM. The process's exit status, as a worker's (ym_worker.h). */
int ym_archivist_main(const struct ym_archivist_args *args);

/* The longest that it takes to end. */
#define YM_ARCHIVIST_DRAIN_MS 15000

/* What keeps it from running: settings, key ring. For start-up and `yimen check`. */
void ym_archivist_check(const struct ym_catalog *c, struct ym_diag *d);

#endif
