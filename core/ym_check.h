/* SPDX-License-Identifier: Apache-2.0
 * The check before accept: a record against its type and against every system that would get it,
 * all problems at once. Pure; under 100 µs for 30 systems.
 */
#ifndef YM_CHECK_H
#define YM_CHECK_H

#include "ym_catalog.h"

#define YM_TARGETS_MAX 64

struct ym_targets {
    const struct ym_system *systems[YM_TARGETS_MAX];
    size_t                  count;
};

/* Called by ym_catalog_open once everything is loaded. */
ym_status ym_check_compile(struct ym_catalog *c, struct ym_diag *d);

/*
 * The targets of a record. names NULL = every enabled system that takes the type and whose routing
 * condition holds; otherwise exactly those, unknown or unfitting ones becoming problems at
 * "/targets/N". record = {type, data, …}; duplicates in names count once.
 */
void ym_targets_find(const struct ym_catalog *c, const struct ym_type *type, const json_t *names,
                     json_t *record, struct ym_targets *ret, struct ym_problems *out);

/*
 * Schema first; then, for each target, the field tables of its create operation (update when
 * is_update and it has one). Returns whether nothing objects. Pointers are relative to `data`.
 */
bool ym_check_record(const struct ym_catalog *c, const struct ym_type *type, json_t *record,
                     const struct ym_targets *targets, bool is_update, struct ym_problems *out);

#endif
