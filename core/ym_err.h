/* SPDX-License-Identifier: Apache-2.0
 * One error record: code, place, message. It is filled where a thing fails and logged once, by
 * whoever decides what to do. A message never holds personal data or a secret.
 */
#ifndef YM_ERR_H
#define YM_ERR_H

#include "ym_base.h"

#define YM_ERR_MESSAGE_MAX 400 /* bytes with NUL; longer text is cut at a UTF-8 boundary */
#define YM_ERR_FILE_MAX 256

struct ym_err {
    ym_status code;                        /* YM_OK when unused */
    char      file[YM_ERR_FILE_MAX];       /* "" when the place is no file */
    int       line, column;                /* from 1; 0 = unknown */
    char      message[YM_ERR_MESSAGE_MAX]; /* a sentence: what is wrong and the remedy */
};

/* Fills err (may be NULL) and returns code, so that `return ym_err_set(err, YM_EINVAL, …)` reads well. */
ym_status ym_err_set(struct ym_err *err, ym_status code, const char *fmt, ...) YM_PRINTF(3, 4);

/* The same with a place in a file; file may be NULL. */
ym_status ym_err_at(struct ym_err *err, ym_status code, const char *file, int line, int column,
                    const char *fmt, ...) YM_PRINTF(6, 7);

/* "file:line:column: message" or just the message; always NUL-terminated. */
void ym_err_format(const struct ym_err *err, char *out, size_t out_size);

/*
 * A list of errors, for loaders that name everything that is wrong at once. It keeps the first
 * YM_DIAG_MAX entries and counts the rest.
 */
#define YM_DIAG_MAX 200
struct ym_diag {
    struct ym_err *items; /* malloc, owned */
    size_t         count; /* kept */
    size_t         total; /* seen */
};

void ym_diag_init(struct ym_diag *d);
void ym_diag_add(struct ym_diag *d, const char *file, int line, int column, const char *fmt, ...)
    YM_PRINTF(5, 6);
void ym_diag_add_err(struct ym_diag *d, const struct ym_err *err);
void ym_diag_clear(struct ym_diag *d); /* accepts a zeroed one */

#endif
