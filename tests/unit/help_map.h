/* SPDX-License-Identifier: Apache-2.0
 * Field tables from text, for tests: compile, run, check; problems and faults as one string.
 */
#ifndef HELP_MAP_H
#define HELP_MAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ym_json_fast.h"
#include "ym_map.h"

struct bench {
    struct ym_arena *a;
    struct ym_diag d;
    struct ym_map_env env;
};

static inline void bench_open(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    b->a = ym_arena_open();
    assert_non_null(b->a);
    ym_diag_init(&b->d);
}

static inline void bench_close(struct bench *b)
{
    ym_diag_clear(&b->d);
    ym_arena_close(b->a);
}

static inline struct ym_yaml *yaml_of(struct bench *b, const char *text)
{
    struct ym_yaml *y = NULL;
    struct ym_err err = {0};
    ym_status rc = ym_yaml_parse(ym_str_of(text), "t.yaml", b->a, &y, &err);
    if (rc != YM_OK) {
        fail_msg("YAML of the test: %s", err.message);
    }
    return y;
}

static inline const struct ym_map *map_of(struct bench *b, const char *yaml)
{
    const struct ym_map *m = NULL;
    ym_status rc = ym_map_compile_env(yaml_of(b, yaml), &b->env, b->a, &m, &b->d);
    if (rc != YM_OK) {
        fail_msg("table of the test: %s", b->d.count != 0 ? b->d.items[0].message : "?");
    }
    return m;
}

static inline json_t *json_of(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &e);
    if (j == NULL) {
        fail_msg("JSON of the test: %s", e.text);
    }
    return j;
}

/* "code pointer limit detail;" per problem, in the arena. */
static inline const char *problems_text(struct bench *b, const struct ym_problems *p)
{
    const char *s = "";
    for (size_t i = 0; i < p->count; i++) {
        const struct ym_problem *q = &p->items[i];
        s = ym_arena_printf(b->a, "%s%s%s %s", s, i != 0 ? "; " : "", ym_problem_word(q->code),
                            q->pointer[0] != '\0' ? q->pointer : "-");
        if (q->limit != 0) {
            s = ym_arena_printf(b->a, "%s %ld", s, q->limit);
        }
        if (q->detail != NULL) {
            s = ym_arena_printf(b->a, "%s (%s)", s, q->detail);
        }
    }
    return s;
}

static inline const char *outcome(struct bench *b, ym_status rc, json_t *doc,
                                  const struct ym_problems *p)
{
    if (rc != YM_OK) {
        assert_null(doc);
        return ym_arena_printf(b->a, "!%s", problems_text(b, p));
    }
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(15));
    const char *ret = ym_arena_strz(b->a, text);
    free(text);
    assert_int_equal(p->total, 0);
    return ret;
}

/* The same as text at once. */
static inline void same_as_text(struct bench *b, const struct ym_map *m,
                                const struct ym_map_ctx *ctx, const char *expected)
{
    struct ym_problems p;
    struct ym_buf text;
    ym_problems_init(&p, b->a);
    ym_buf_init(&text, 1 << 20);
    ym_buf_adds(&text, "before ");
    ym_status rc = ym_map_write(m, ctx, b->a, &text, &p);
    if (rc == YM_OK) {
        assert_int_equal(text.n, strlen(text.p));
        assert_string_equal(text.p + strlen("before "), expected);
        assert_int_equal(p.total, 0);
    } else {
        assert_int_equal(text.n, strlen("before "));
        assert_string_equal(ym_arena_printf(b->a, "!%s", problems_text(b, &p)), expected);
    }
    ym_buf_clear(&text);
}

/* The same of the record as the dispatcher reads it: without what the table does not look at. */
static inline void same_of_wanted(struct bench *b, const struct ym_map *m, struct ym_map_ctx ctx,
                                  const char *record, const char *expected)
{
    struct ym_want root = {.all = false};
    struct ym_problems p;
    json_t *doc = NULL, *r = NULL;
    assert_int_equal(ym_map_wants(m, &root, b->a), YM_OK);
    /* the envelope's members come from elsewhere */
    for (const char *const *name = (const char *const[]){"id", "revision", "type", NULL};
         *name != NULL; name++) {
        ym_want_member(&root, ym_str_of(*name), b->a)->all = true;
    }
    assert_true(ym_json_read_wanted(ym_str_of(record), &ym_json_defaults, &root, &r));
    ym_problems_init(&p, b->a);
    ctx.record = r;
    ctx.filled = NULL;
    ctx.seen = NULL;
    ym_status rc = ym_map_run(m, &ctx, b->a, &doc, &p);
    assert_string_equal(outcome(b, rc, doc, &p), expected);
    same_as_text(b, m, &ctx, expected);
    json_decref(doc);
    json_decref(r);
}

/* Runs a table over a record; the document as compact JSON, or "!" and the problems. */
static inline const char *run_ctx(struct bench *b, const char *yaml, struct ym_map_ctx *ctx,
                                  const char *record)
{
    const struct ym_map *m = map_of(b, yaml);
    struct ym_problems p;
    json_t *doc = NULL, *r = json_of(record);
    ym_problems_init(&p, b->a);
    ctx->record = r;
    ym_status rc = ym_map_run(m, ctx, b->a, &doc, &p);
    const char *ret = outcome(b, rc, doc, &p);
    same_of_wanted(b, m, *ctx, record, ret);
    json_decref(doc);
    json_decref(r);
    return ret;
}

static inline const char *run(struct bench *b, const char *yaml, const char *record)
{
    struct ym_map_ctx ctx = {.op = "create", .offset_min = 480, .attempt = 1};
    return run_ctx(b, yaml, &ctx, record);
}

/* The check's problems; "" = nothing objects. */
static inline const char *check(struct bench *b, const char *yaml, const char *record)
{
    struct ym_problems p;
    json_t *r = json_of(record);
    ym_problems_init(&p, b->a);
    ym_map_check(map_of(b, yaml), "sys", r, &p);
    json_decref(r);
    return problems_text(b, &p);
}

/* Compiles a table that must be refused; all diagnostics as "line: message\n". */
static inline const char *refused(struct bench *b, const char *yaml)
{
    const struct ym_map *m = NULL;
    const char *s = "";
    ym_diag_clear(&b->d);
    ym_diag_init(&b->d);
    ym_status rc = ym_map_compile_env(yaml_of(b, yaml), &b->env, b->a, &m, &b->d);
    assert_int_equal(rc, YM_EINVAL);
    assert_null(m);
    assert_true(b->d.count > 0);
    for (size_t i = 0; i < b->d.count; i++) {
        assert_string_equal(b->d.items[i].file, "t.yaml");
        s = ym_arena_printf(b->a, "%s%d: %s\n", s, b->d.items[i].line, b->d.items[i].message);
    }
    return s;
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (strstr(text_, (part)) == NULL) {                                                       \
            fail_msg("\"%s\" lacks \"%s\"", text_, (part));                                        \
        }                                                                                          \
    } while (0)

#endif
