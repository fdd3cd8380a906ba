/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer that is born with a ceiling.
 */
#ifndef YM_BUF_H
#define YM_BUF_H

#include "ym_base.h"

struct ym_buf {
    char     *p;       /* NUL-terminated whenever not NULL */
    size_t    n;       /* bytes without the NUL */
    size_t    cap, ceiling;
    ym_status failed;  /* sticky: after the first failure every append answers it again */
};

/* ceiling: the most bytes it may ever hold; there is no default. Allocates nothing yet. */
void ym_buf_init(struct ym_buf *b, size_t ceiling);
void ym_buf_clear(struct ym_buf *b);  /* frees; the ceiling stays; accepts a zeroed one */
void ym_buf_reset(struct ym_buf *b);  /* empties, keeps the memory */
void ym_buf_wipe(struct ym_buf *b);   /* overwrites, then frees: for secrets */

/*
 * Appends. On YM_ETOOBIG or YM_ENOMEM the buffer is freed and stays failed: append many, test once.
 * data may not point into b.
 */
ym_status ym_buf_add(struct ym_buf *b, const void *data, size_t n);
ym_status ym_buf_adds(struct ym_buf *b, const char *z);
ym_status ym_buf_addc(struct ym_buf *b, char c);
ym_status ym_buf_addf(struct ym_buf *b, const char *fmt, ...) YM_PRINTF(2, 3);

/*
 * Makes room for n more bytes at once. A buffer that grows leaves copies of its text behind: a secret
 * is put into one that need not.
 */
ym_status ym_buf_reserve(struct ym_buf *b, size_t n);

/* A JSON string literal with quotes; s must be UTF-8, anything else becomes U+FFFD. */
ym_status ym_buf_add_json(struct ym_buf *b, struct ym_str s);
/* application/x-www-form-urlencoded's and RFC 3986's percent-encoding (space → %20, unreserved kept). */
ym_status ym_buf_add_uri(struct ym_buf *b, struct ym_str s);

static inline struct ym_str ym_buf_str(const struct ym_buf *b)
{
    return (struct ym_str){ b->p, b->n };
}

#endif
