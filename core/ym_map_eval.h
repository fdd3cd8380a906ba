/* SPDX-License-Identifier: Apache-2.0
 * One field of a table over one record: its value and what there is to object to. Private to
 * ym_map.c and ym_map_value.c.
 */
#ifndef YM_MAP_EVAL_H
#define YM_MAP_EVAL_H

#include "ym_map_priv.h"

enum ym_eval_state {
    V_MISSING,
    V_LATER, /* known only when it is sent */
    V_TEXT,
    V_RAW, /* as: raw */
    V_BAD  /* its problem has been added */
};

struct ym_value {
    enum ym_eval_state state;
    struct ym_str text; /* NUL-terminated */
    const json_t *json;
    bool
        own; /* the record has it: somebody would have typed it, and not the table says so for all */
};

struct ym_eval {
    struct ym_view view;
    const struct ym_map_ctx *ctx; /* NULL: judging only */
    const char *system;
    const struct ym_charset *charset;
    int offset_min;
    struct ym_problems *out;
    struct ym_mem mem;
    char *scratch;
    size_t objections;
    bool nomem;
};

/* A field's value, judged: what stands in the target, or that nothing does. */
struct ym_value ym_eval_field(struct ym_eval *e, const struct ym_node *n);

/* Where a pointer stands in `data`, RFC 6901. */
const char *ym_eval_place(struct ym_eval *e, const struct ym_ptr *p);
const struct ym_ptr *ym_eval_pointer(const struct ym_node *n); /* the field's first; or NULL */

void ym_eval_object_at(struct ym_eval *e, enum ym_problem_code code, const char *pointer,
                       long limit, const char *detail, const char *detail_zh);
void ym_eval_object(struct ym_eval *e, const struct ym_node *n, enum ym_problem_code code,
                    long limit, const char *detail);

#endif
