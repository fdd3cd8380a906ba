/* SPDX-License-Identifier: Apache-2.0
 * What is wrong with a record, for people: a JSON Pointer, a code, the systems that object, and
 * words in Chinese and English. The value itself is never part of it.
 */
#ifndef YM_PROBLEM_H
#define YM_PROBLEM_H

#include "ym_arena.h"
#include "ym_buf.h"
#include "ym_err.h"

/* The stable `code` of API errors; the texts live in ym_problem.c, one row per code. */
enum ym_problem_code {
    YM_P_REQUIRED,      /* required      – missing or empty */
    YM_P_TYPE,          /* type          – detail: the expected JSON type(s) */
    YM_P_ENUM,          /* enum          – not one of the allowed values */
    YM_P_CONST,         /* const */
    YM_P_TOO_LONG,      /* too_long      – limit: characters */
    YM_P_TOO_SHORT,     /* too_short     – limit */
    YM_P_PATTERN,       /* pattern */
    YM_P_FORMAT,        /* format        – detail: format name (date-time, gb11643 …) */
    YM_P_RANGE,         /* range         – detail: "≥ 0" */
    YM_P_TOO_MANY,      /* too_many      – limit: items or members */
    YM_P_TOO_FEW,       /* too_few       – limit */
    YM_P_NOT_UNIQUE,    /* not_unique */
    YM_P_UNKNOWN_FIELD, /* unknown_field – additionalProperties or unevaluatedProperties */
    YM_P_CODE,          /* code          – detail: table; not in it, or not valid today */
    YM_P_UNMAPPED,      /* unmapped      – detail: map; the system has no such value */
    YM_P_AMBIGUOUS,     /* ambiguous     – detail: the question; pointer: where its answer goes */
    YM_P_CONDITION,     /* condition     – if/then, dependentRequired, not, oneOf … failed */
    YM_P_TARGET_UNKNOWN, /* target_unknown – detail: the name given */
    YM_P_TARGET_TYPE,    /* target_type   – the system does not take this type */
    YM_P_CHARSET,        /* charset       – limit-free: the system's charset lacks a character */
    YM_P_TOO_LARGE,      /* too_large     – limit: KB of all attachments that the system takes */
    YM_P_COUNT_
};

struct ym_problem {
    enum ym_problem_code code;
    const char *pointer;   /* into `data`, RFC 6901; "" = the whole */
    long limit;            /* where the code has one; else 0 */
    const char *detail;    /* where the code has one; else NULL */
    const char *detail_zh; /* Chinese form of detail, or NULL = detail */
    const char **systems;  /* ids of the systems that object; none = the type itself */
    size_t system_count;
};

#define YM_PROBLEMS_MAX 200 /* kept; more are counted in total */

struct ym_problems {
    struct ym_arena *arena;
    struct ym_problem *items;
    size_t count, total;
};

void ym_problems_init(struct ym_problems *ps, struct ym_arena *a);

/*
 * Adds one, or, where pointer, code, limit and detail are the same, adds system to that one.
 * system NULL = the record's type objects. Strings are copied into the arena.
 */
ym_status ym_problems_add(struct ym_problems *ps, enum ym_problem_code code, const char *pointer,
                          const char *system, long limit, const char *detail,
                          const char *detail_zh);

const char *ym_problem_word(enum ym_problem_code code); /* "too_long" */

enum ym_lang { YM_ZH, YM_EN };

/* zh-CN is the default; the first of zh*, en* by quality wins (RFC 9110 §12.5.4). */
enum ym_lang ym_lang_of(struct ym_str accept_language);

/*
 * One sentence: what is wrong and the remedy; titles: the systems' names, joined, or NULL.
 * "人民调解平台 最多接受 11 个字符" / "People's Mediation Platform takes at most 11 characters".
 */
ym_status ym_problem_text(const struct ym_problem *p, enum ym_lang lang, const char *titles,
                          struct ym_buf *out);

#endif
