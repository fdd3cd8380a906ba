/* SPDX-License-Identifier: Apache-2.0
 * Code tables on demand and the first diagnostic as text, for tests of schemas and types.
 */
#ifndef HELP_TYPES_H
#define HELP_TYPES_H

#include "ym_test.h"
#include "ym_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct shelf {
    struct ym_arena *a;
    struct ym_diag d;
    struct ym_code_table tables[64];
    size_t count;
};

static inline void shelf_open(struct shelf *s)
{
    memset(s, 0, sizeof(*s));
    s->a = ym_arena_open();
    assert_non_null(s->a);
    ym_diag_init(&s->d);
}

static inline void shelf_close(struct shelf *s)
{
    ym_diag_clear(&s->d);
    ym_arena_close(s->a);
}

/* ym_schema_codes_fn: config/codes/<table>.csv, loaded when first asked for. */
static inline const struct ym_code_table *shelf_table(void *data, const char *table)
{
    struct shelf *s = data;
    char path[200];

    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->tables[i].name, table) == 0) {
            return &s->tables[i];
        }
    }
    (void)snprintf(path, sizeof(path), "config/codes/%s.csv", table);
    if (s->count == YM_COUNT(s->tables) || access(path, R_OK) != 0 ||
        ym_code_table_load(path, s->a, &s->tables[s->count], &s->d) != YM_OK) {
        return NULL;
    }
    return &s->tables[s->count++];
}

/* "line: message" of the i-th diagnostic. */
static inline const char *diag_line(const struct ym_diag *d, size_t i)
{
    static char text[500];

    assert_true(i < d->count);
    (void)snprintf(text, sizeof(text), "%d: %s", d->items[i].line, d->items[i].message);
    return text;
}

/* "pointer code limit; …" of all problems, in their order. */
static inline const char *problems_line(const struct ym_problems *ps)
{
    static char text[4000];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ps->count && n < sizeof(text) - 200; i++) {
        const struct ym_problem *p = &ps->items[i];

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", i > 0 ? "; " : "", p->pointer,
                              ym_problem_word(p->code));
        if (p->limit != 0) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, " %ld", p->limit);
        }
    }
    return text;
}

/* A temporary file with text; the name is written into path, remove it with unlink. */
static inline void temp_file(const char *text, char *path, size_t size)
{
    const char *dir = getenv("TMPDIR");
    int fd = -1;

    (void)snprintf(path, size, "%s/ym-XXXXXX.csv", dir == NULL ? "/tmp" : dir);
    fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

#endif
