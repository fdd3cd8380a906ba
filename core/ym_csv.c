/* SPDX-License-Identifier: Apache-2.0
 * RFC 4180, strictly: quotes only around whole cells, every row as wide as the first.
 */
#include "ym_csv.h"

#include "ym_slurp.h"

#include "ym_json.h"

#include <errno.h>
#include <stdio.h>

#define CSV_COLUMNS_MAX 256

struct reader {
    const char *p, *end;
    const char *file;
    int line;
    struct ym_arena *arena;
    struct ym_err *err;
};

static ym_status csv_err(const struct reader *r, ym_status code, const char *words)
{
    return ym_err_at(r->err, code, r->file, r->line, 0, "%s", words);
}

/* A cell in quotes; r->p is behind the opening quote. */
static ym_status quoted_cell(struct reader *r, struct ym_str *ret)
{
    const char *from = r->p, *q = r->p;
    int start = r->line;
    char *out;
    size_t n = 0;

    for (;;) { /* finds the closing quote */
        if (q == r->end) {
            r->line = start;
            return csv_err(r, YM_EINVAL, "a quoted cell is not closed");
        }
        if (*q == '"') {
            if (q + 1 == r->end || q[1] != '"') {
                break;
            }
            q++;
        } else if (*q == '\n') {
            r->line++;
        }
        q++;
    }
    out = ym_arena_alloc(r->arena, (size_t)(q - from) + 1);
    if (out == NULL) {
        return csv_err(r, YM_ENOMEM, "out of memory");
    }
    for (; from < q; from++) {
        out[n++] = *from;
        from += *from == '"'; /* the second of a pair */
    }
    *ret = (struct ym_str){out, n};
    r->p = q + 1;
    if (r->p < r->end && *r->p != ',' && *r->p != '\n' && *r->p != '\r') {
        return csv_err(r, YM_EINVAL, "text stands behind a closing quote");
    }
    return YM_OK;
}

static ym_status plain_cell(struct reader *r, struct ym_str *ret)
{
    const char *from = r->p;

    while (r->p < r->end && *r->p != ',' && *r->p != '\n' && *r->p != '\r') {
        if (*r->p == '"') {
            return csv_err(r, YM_EINVAL, "a quote stands inside a cell; quote the whole cell");
        }
        r->p++;
    }
    ret->n = (size_t)(r->p - from);
    ret->p = ym_arena_str(r->arena, (struct ym_str){from, ret->n});
    return ret->p != NULL ? YM_OK : csv_err(r, YM_ENOMEM, "out of memory");
}

static ym_status read_row(struct reader *r, struct ym_csv_row *ret)
{
    struct ym_str cells[CSV_COLUMNS_MAX];
    size_t n = 0;
    int line = r->line;
    ym_status rc;

    for (;;) {
        if (n == CSV_COLUMNS_MAX) {
            return csv_err(r, YM_ETOOBIG, "a row has more than 256 cells");
        }
        if (r->p < r->end && *r->p == '"') {
            r->p++;
            rc = quoted_cell(r, &cells[n]);
        } else {
            rc = plain_cell(r, &cells[n]);
        }
        if (rc != YM_OK) {
            return rc;
        }
        n++;
        if (r->p == r->end || *r->p != ',') {
            break;
        }
        r->p++;
    }
    if (r->p < r->end && *r->p == '\r') {
        r->p++;
        if (r->p == r->end || *r->p != '\n') {
            return csv_err(r, YM_EINVAL, "a carriage return stands alone");
        }
    }
    if (r->p < r->end) { /* a line feed */
        r->p++;
        r->line++;
    }
    ret->cells = ym_arena_copy(r->arena, cells, n * sizeof(*cells));
    ret->count = n;
    ret->line = line;
    return ret->cells != NULL ? YM_OK : csv_err(r, YM_ENOMEM, "out of memory");
}

static ym_status check_head(struct reader *r, const struct ym_csv_row *head)
{
    size_t i, k;

    for (i = 0; i < head->count; i++) {
        for (k = 0; k < i; k++) {
            if (ym_str_eq(head->cells[i], head->cells[k])) {
                return ym_err_at(r->err, YM_EINVAL, r->file, head->line, 0,
                                 "the column \"%s\" stands twice in the header", head->cells[i].p);
            }
        }
    }
    return YM_OK;
}

/* An upper bound: every row but the last ends with a line feed. */
static size_t count_lines(struct ym_str text)
{
    size_t i, n = 1;

    for (i = 0; i < text.n; i++) {
        n += text.p[i] == '\n';
    }
    return n;
}

static ym_status read_rows(struct reader *r, struct ym_csv *csv)
{
    struct ym_csv_row row;
    ym_status rc = read_row(r, &csv->head);

    if (rc == YM_OK) {
        rc = check_head(r, &csv->head);
    }
    while (rc == YM_OK && r->p < r->end) {
        rc = read_row(r, &row);
        if (rc != YM_OK) {
            break;
        }
        if (row.count != csv->head.count) {
            return ym_err_at(r->err, YM_EINVAL, r->file, row.line, 0,
                             "this row has %zu cells, the header %zu", row.count, csv->head.count);
        }
        csv->rows[csv->count++] = row;
    }
    return rc;
}

ym_status ym_csv_parse(struct ym_str text, const char *name, struct ym_arena *a, struct ym_csv *ret,
                       struct ym_err *err)
{
    struct reader r = {.line = 1, .arena = a, .err = err};
    struct ym_csv csv = {0};
    ym_status rc;

    r.file = ym_arena_strz(a, name);
    if (r.file == NULL) {
        return ym_err_at(err, YM_ENOMEM, name, 0, 0, "out of memory");
    }
    if (text.n > YM_CSV_BYTES) {
        return csv_err(&r, YM_ETOOBIG, "the file is larger than 8 MiB");
    }
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0) {
        text.p += 3;
        text.n -= 3;
    }
    if (text.n == 0) {
        return csv_err(&r, YM_EINVAL, "the file is empty; a header row is expected");
    }
    if (memchr(text.p, '\0', text.n) != NULL || !ym_utf8_valid(text.p, text.n)) {
        return csv_err(&r, YM_EINVAL, "the file is not UTF-8 text");
    }
    csv.file = r.file;
    csv.rows = ym_arena_alloc(a, count_lines(text) * sizeof(*csv.rows));
    if (csv.rows == NULL) {
        return csv_err(&r, YM_ENOMEM, "out of memory");
    }
    r.p = text.p;
    r.end = text.p + text.n;
    rc = read_rows(&r, &csv);
    if (rc == YM_OK) {
        *ret = csv;
    }
    return rc;
}

ym_status ym_csv_file(const char *path, struct ym_arena *a, struct ym_csv *ret, struct ym_err *err)
{
    struct ym_buf text;
    ym_status rc;

    ym_buf_init(&text, YM_CSV_BYTES);
    rc = ym_slurp(path, &text, err);
    if (rc == YM_OK) {
        rc = ym_csv_parse(ym_buf_str(&text), path, a, ret, err);
    }
    ym_buf_clear(&text);
    return rc;
}

int ym_csv_column(const struct ym_csv *c, const char *name)
{
    size_t i;

    for (i = 0; i < c->head.count; i++) {
        if (ym_str_is(c->head.cells[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

static bool needs_quotes(struct ym_str s)
{
    size_t i;

    if (s.n > 0 && (s.p[0] == ' ' || s.p[s.n - 1] == ' ')) {
        return true;
    }
    if (s.n >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0) {
        return true; /* in the first cell it would be taken for a byte-order mark */
    }
    for (i = 0; i < s.n; i++) {
        if (s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r') {
            return true;
        }
    }
    return false;
}

ym_status ym_csv_add_cell(struct ym_buf *b, struct ym_str cell, bool first, bool neutralise)
{
    bool quotes = needs_quotes(cell);
    size_t i;

    (void)ym_buf_adds(b, first ? "" : ",");
    if (quotes) {
        (void)ym_buf_addc(b, '"');
    }
    if (neutralise && cell.n > 0 && memchr("=+-@\t\r", cell.p[0], 6) != NULL) {
        (void)ym_buf_addc(b, '\'');
    }
    if (!quotes) {
        return ym_buf_add(b, cell.p, cell.n);
    }
    for (i = 0; i < cell.n; i++) {
        (void)ym_buf_adds(b, cell.p[i] == '"' ? "\"" : "");
        (void)ym_buf_addc(b, cell.p[i]);
    }
    return ym_buf_addc(b, '"');
}
