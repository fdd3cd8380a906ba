/* SPDX-License-Identifier: Apache-2.0
 * The supervisor: loads the catalogue and the function library, keeps one worker per enabled
 * system, reloads on SIGHUP, drains on SIGTERM.
 */
#ifndef YM_SUPERVISOR_H
#define YM_SUPERVISOR_H

#include "ym_base.h"

enum ym_supervisor_exit {
    YM_SUPERVISOR_OK = 0,
    YM_SUPERVISOR_FAILED = 1, /* the machine: memory, descriptors, another dispatcher */
    YM_SUPERVISOR_CONFIG = 2  /* the configuration; every fault is on stderr with file:line */
};

/* Runs until SIGTERM or SIGINT. The process's exit status. */
int ym_supervisor_run(const char *config);

/* Loads and checks everything, connects to nothing. */
int ym_supervisor_check(const char *config);

#endif
