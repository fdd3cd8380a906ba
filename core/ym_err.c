/* SPDX-License-Identifier: Apache-2.0
 * Error records and lists of them.
 */
#include "ym_err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends text of n bytes at a character boundary: snprintf cuts where the room ends. */
static void cut_at_character(char *text, size_t n)
{
    size_t i = n;

    while (i > 0 && ((unsigned char)text[i - 1] & 0xC0) == 0x80) {
        i--;
    }
    if (i > 0 && (unsigned char)text[i - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[i - 1];
        size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

        if (n - (i - 1) < want) {
            text[i - 1] = '\0';
        }
    }
}

static ym_status err_fill(struct ym_err *err, ym_status code, const char *file, int line,
                          int column, const char *fmt, va_list ap) YM_PRINTF(6, 0);

static ym_status err_fill(struct ym_err *err, ym_status code, const char *file, int line,
                          int column, const char *fmt, va_list ap)
{
    int n;

    if (err == NULL) {
        return code;
    }

    err->code = code;
    err->line = line;
    err->column = column;
    err->file[0] = '\0';
    if (file != NULL) {
        (void)snprintf(err->file, sizeof(err->file), "%s", file);
    }
    n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
    if (n < 0) {
        err->message[0] = '\0';
    } else if ((size_t)n >= sizeof(err->message)) {
        cut_at_character(err->message, sizeof(err->message) - 1);
    }
    return code;
}

ym_status ym_err_set(struct ym_err *err, ym_status code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)err_fill(err, code, NULL, 0, 0, fmt, ap);
    va_end(ap);
    return code;
}

ym_status ym_err_at(struct ym_err *err, ym_status code, const char *file, int line, int column,
                    const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)err_fill(err, code, file, line, column, fmt, ap);
    va_end(ap);
    return code;
}

void ym_err_format(const struct ym_err *err, char *out, size_t out_size)
{
    int n;

    if (out_size == 0) {
        return;
    }
    if (err->file[0] == '\0') {
        if (err->line > 0) {
            n = snprintf(out, out_size, "line %d, column %d: %s", err->line, err->column,
                         err->message);
        } else {
            n = snprintf(out, out_size, "%s", err->message);
        }
    } else if (err->line <= 0) {
        n = snprintf(out, out_size, "%s: %s", err->file, err->message);
    } else {
        n = snprintf(out, out_size, "%s:%d:%d: %s", err->file, err->line, err->column,
                     err->message);
    }
    if (n < 0) {
        out[0] = '\0';
    } else if ((size_t)n >= out_size) {
        cut_at_character(out, out_size - 1);
    }
}

void ym_diag_init(struct ym_diag *d)
{
    d->items = NULL;
    d->count = 0;
    d->total = 0;
}

/* NULL when the list is full or memory is out: the entry is then only counted. */
static struct ym_err *diag_next(struct ym_diag *d)
{
    d->total++;
    if (d->count >= YM_DIAG_MAX) {
        return NULL;
    }
    if ((d->count & (d->count - 1)) == 0) { /* 0, 1, 2, 4 …: full, so double */
        size_t cap = d->count == 0 ? 1 : d->count * 2;
        struct ym_err *items = realloc(d->items, cap * sizeof(*items));

        if (items == NULL) {
            return NULL;
        }
        d->items = items;
    }
    return &d->items[d->count++];
}

void ym_diag_add(struct ym_diag *d, const char *file, int line, int column, const char *fmt, ...)
{
    struct ym_err *err = diag_next(d);
    va_list ap;

    if (err == NULL) {
        return;
    }
    va_start(ap, fmt);
    (void)err_fill(err, YM_EINVAL, file, line, column, fmt, ap);
    va_end(ap);
}

void ym_diag_add_err(struct ym_diag *d, const struct ym_err *err)
{
    struct ym_err *next = diag_next(d);

    if (next != NULL) {
        *next = *err;
    }
}

void ym_diag_clear(struct ym_diag *d)
{
    free(d->items);
    ym_diag_init(d);
}
