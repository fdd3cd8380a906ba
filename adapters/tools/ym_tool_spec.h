/* SPDX-License-Identifier: Apache-2.0
 * Tests of an adapter as data (adapters/systems/<id>/tests/<any>.yaml): given a record → exact bytes or
 * problems; given a reply → outcome. Run by `yimen test`, counted by `yimen check`.
 */
#ifndef YM_TOOL_SPEC_H
#define YM_TOOL_SPEC_H

#include "ym_catalog.h"

struct ym_spec {
    const char *name;
    const struct ym_operation *op;
    const struct ym_yaml *node; /* its file and line */
};

struct ym_specs {
    const struct ym_system *sys;
    struct ym_spec *items;
    size_t count;
};

/* Loads all tests of a system; wrong keys and unknown operations become diagnostics. */
ym_status ym_specs_load(const struct ym_system *sys, struct ym_arena *a, struct ym_specs *ret,
                        struct ym_diag *d);

struct ym_spec_result {
    bool ok, updated; /* updated: a golden file was written anew */
    const char *why;  /* lines; NULL when ok */
    int rule_line;    /* the rule that judged its reply; 0 = none */
};

/* update: goldens that differ are rewritten instead of reported. */
void ym_spec_run(const struct ym_specs *specs, const struct ym_spec *spec, bool update,
                 struct ym_arena *a, struct ym_spec_result *ret);

#endif
