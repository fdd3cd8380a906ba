/* SPDX-License-Identifier: Apache-2.0
 * Code tables (config/codes/<name>.csv: code,label,label_en,parent,valid_from,valid_to,leaf) and
 * code maps (CSV: from,to,label,ambiguous,candidates,ask,ask_zh,ask_en). Read-only after loading.
 */
#ifndef YM_CODES_H
#define YM_CODES_H

#include "ym_arena.h"
#include "ym_err.h"

struct ym_code {
    const char *code, *label, *label_en, *parent;
    int64_t valid_from, valid_to; /* ms; 0 = open; valid_to is the first moment after */
    bool leaf;                    /* false = a heading that cannot be chosen (leaf: no) */
};

struct ym_code_table {
    const char *name; /* "zz16" */
    const char *file;
    const struct ym_code *codes; /* in file order */
    size_t count;
    const void *index;
};

/*
 * Columns code and label are mandatory, the others optional, anything else refused. Cells are
 * trimmed; a duplicate code, an unknown parent or a bad date is a diagnostic with file:line. Dates
 * are days at +08:00, valid_to being the last one.
 */
ym_status ym_code_table_load(const char *path, struct ym_arena *a, struct ym_code_table *ret,
                             struct ym_diag *d);
/* NULL when the table has no such code. Constant time. */
const struct ym_code *ym_code_find(const struct ym_code_table *t, const char *code);
bool ym_code_valid_at(const struct ym_code *c, int64_t at_ms);

/*
 * One row of a map. An ambiguous row has no single answer: `ask` names the member of /data/extra
 * that decides, `candidates` maps its text to the target ("true=10|false=11"); preselected is only
 * what a form shows first and is never sent without the answer.
 */
struct ym_code_row {
    const char *from, *to, *label;
    bool ambiguous;
    const char *ask, *ask_zh, *ask_en;
    const char *const *answers; /* alternating answer, target; NULL-terminated */
    int line;
};

struct ym_code_map {
    const char *name; /* file name without folder */
    const char *file;
    const struct ym_code_row *rows;
    size_t count;
    const void *index;
};

ym_status ym_code_map_load(const char *path, struct ym_arena *a, struct ym_code_map *ret,
                           struct ym_diag *d);
const struct ym_code_row *ym_code_map_find(const struct ym_code_map *m, const char *from);

#endif
