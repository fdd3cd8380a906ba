/* SPDX-License-Identifier: Apache-2.0
 * RFC 4180 reader and writer. The reader keeps line numbers; the writer neutralises formula
 * prefixes (= + - @ and tab) when asked, as spreadsheets would run them.
 */
#ifndef YM_CSV_H
#define YM_CSV_H

#include "ym_arena.h"
#include "ym_buf.h"
#include "ym_err.h"

#define YM_CSV_BYTES (8u << 20)

struct ym_csv_row {
    struct ym_str *cells; /* NUL-terminated, in the arena */
    size_t         count;
    int            line;
};
struct ym_csv {
    const char        *file;
    struct ym_csv_row  head;
    struct ym_csv_row *rows;
    size_t             count;
};

/* UTF-8, an optional byte-order mark, one header row; a row with another number of cells is refused. */
ym_status ym_csv_parse(struct ym_str text, const char *name, struct ym_arena *a, struct ym_csv *ret,
                       struct ym_err *err);
ym_status ym_csv_file(const char *path, struct ym_arena *a, struct ym_csv *ret, struct ym_err *err);
/* Index of a column, or -1. */
int ym_csv_column(const struct ym_csv *c, const char *name);

ym_status ym_csv_add_cell(struct ym_buf *b, struct ym_str cell, bool first, bool neutralise);

#endif
