/* SPDX-License-Identifier: Apache-2.0
 * Private to ym_reply.c and ym_rules.c: compiled `reply:` rules and what they are asked about.
 */
#ifndef YM_RULES_H
#define YM_RULES_H

#include "ym_extract.h"
#include "ym_match.h"
#include "ym_reply.h"

#define YM_RULES_READS 64 /* named reads of one operation */

/* A named read; its place is its index in the values. */
struct ym_read {
    const char *name;
    const struct ym_reader *reader;
    bool outer; /* reads the answer as it was before `unwrap` */
};

enum ym_cond_kind { YM_C_STATUS, YM_C_STAGE, YM_C_HAS, YM_C_LACKS, YM_C_EQUALS, YM_C_MATCHES };

struct ym_cond {
    enum ym_cond_kind kind;
    size_t read;         /* index of the read */
    const char **values; /* equals: any of them; status: "200" or "5xx"; stage */
    size_t count;
    const struct ym_match *match;
};

struct ym_rule {
    struct ym_cond *conds;
    size_t count;
    enum ym_verdict then;
    int64_t after_ms;
    bool after_header;
    const char *message; /* words that stand in for the system's own */
    bool names_stage, names_status, compares;
    int line;
};

struct ym_rules {
    struct ym_rule *items;
    size_t count;
};

/* What the conditions look at. */
struct ym_case {
    const struct ym_facts *facts;
    const char *const *values; /* by read; NULL = missing */
    bool unreadable, fault;
};

/* list: the `outcomes:` node or NULL. reads are known by then. */
void ym_rules_compile(const struct ym_yaml *list, const struct ym_read *reads, size_t read_count,
                      struct ym_arena *a, struct ym_rules *ret, struct ym_diag *d);

/* The first rule that holds, or NULL. */
const struct ym_rule *ym_rules_find(const struct ym_rules *rules, const struct ym_case *c);

#endif
