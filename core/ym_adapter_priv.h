/* SPDX-License-Identifier: Apache-2.0
 * What the files that load an adapter folder share. Private to ym_adapter*.c.
 */
#ifndef YM_ADAPTER_PRIV_H
#define YM_ADAPTER_PRIV_H

#include "ym_catalog.h"

struct ym_adapter_map; /* a code map already loaded for this system */

struct ym_adapter_load {
    struct ym_catalog *cat;
    struct ym_arena *a;
    struct ym_diag *d;
    struct ym_system *s;
    struct ym_map_env env;
    struct ym_adapter_map *maps;
    struct ym_adapter_table *named; /* compiled `tables:` */
    bool nomem;
};

/* Adds a diagnostic at a node. */
void ym_adapter_say(struct ym_adapter_load *x, const struct ym_yaml *at, const char *fmt, ...)
    YM_PRINTF(3, 4);
void *ym_adapter_get(struct ym_adapter_load *x, size_t n); /* NULL sets nomem */
/* Text of a scalar child; wrong kinds are diagnosed. NULL when absent. */
const char *ym_adapter_text(struct ym_adapter_load *x, const struct ym_yaml *map, const char *key);
bool ym_adapter_bool(struct ym_adapter_load *x, const struct ym_yaml *map, const char *key);

/* tables:, session:, operations: and their cross references; ym_adapter_ops.c */
void ym_adapter_operations(struct ym_adapter_load *x);
/* Names behind $ against the site file and session.keep; ym_adapter_ops.c */
void ym_adapter_names(struct ym_adapter_load *x);
/* Whether transport is one of ours; words for messages. */
bool ym_adapter_transport_known(const char *name);

/* Was this table (shared through tables:) already looked at in an earlier place? */
bool ym_adapter_table_seen(const struct ym_system *s, size_t op, size_t table);

/* hours: and holidays:; ym_hours.c */
void ym_adapter_hours(struct ym_adapter_load *x);

#endif
