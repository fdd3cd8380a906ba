/* SPDX-License-Identifier: Apache-2.0
 * A transport's own settings: `connection:` of adapter.yaml, overlaid key by key with that of the
 * site file.
 */
#ifndef YM_CONNECTION_H
#define YM_CONNECTION_H

#include "ym_adapter.h"

/* Fills target by table (see ym_conf_load). Paths in it are still as written. */
ym_status ym_connection_load(const struct ym_system *sys, const struct ym_field *table,
                             void *target, struct ym_arena *a, struct ym_diag *d);

/* A file named by the site file, relative to it. NULL for NULL, or when memory is out. */
const char *ym_connection_path(const struct ym_system *sys, const char *path, struct ym_arena *a);

/* A fault of the endpoint, placed in the site file. */
void ym_connection_blame(const struct ym_system *sys, struct ym_diag *d, const char *words);

/* load for open(): the first fault of the diagnostics becomes err. */
ym_status ym_connection_open(const struct ym_system *sys, const struct ym_field *table,
                             void *target, struct ym_arena *a, struct ym_err *err);

#endif
