/* SPDX-License-Identifier: Apache-2.0
 * Growing buffers with a ceiling, and the two escapes that are needed everywhere.
 */
#include "ym_buf.h"

#include "ym_arena.h"
#include "ym_swar.h"
#include "ym_utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST 256u

void ym_buf_init(struct ym_buf *b, size_t ceiling)
{
    *b = (struct ym_buf){.ceiling = ceiling};
}

void ym_buf_clear(struct ym_buf *b)
{
    free(b->p);
    ym_buf_init(b, b->ceiling);
}

void ym_buf_reset(struct ym_buf *b)
{
    b->n = 0;
    b->failed = YM_OK;
    if (b->p != NULL) {
        b->p[0] = '\0';
    }
}

void ym_buf_wipe(struct ym_buf *b)
{
    if (b->p != NULL) {
        ym_wipe(b->p, b->cap);
    }
    ym_buf_clear(b);
}

static ym_status buf_fail(struct ym_buf *b, ym_status why)
{
    /* Wiped, as nobody knows whether a secret was in it. */
    ym_buf_wipe(b);
    b->failed = why;
    return why;
}

/* Makes room for n more bytes and a NUL. */
static ym_status buf_room(struct ym_buf *b, size_t n)
{
    size_t cap;
    char *p;

    if (b->failed != YM_OK) {
        return b->failed;
    }
    if (n > b->ceiling || b->n > b->ceiling - n) {
        return buf_fail(b, YM_ETOOBIG);
    }
    if (b->n + n < b->cap) {
        return YM_OK;
    }
    cap = b->cap == 0 ? BUF_FIRST : b->cap;
    while (cap <= b->n + n) {
        cap = cap > SIZE_MAX / 2 ? b->n + n + 1 : cap * 2;
    }
    if (cap > b->ceiling && b->ceiling < SIZE_MAX) {
        cap = b->ceiling + 1;
    }
    p = ym_fault_hit() ? NULL : realloc(b->p, cap);
    if (p == NULL) {
        return buf_fail(b, YM_ENOMEM);
    }
    b->p = p;
    b->cap = cap;
    return YM_OK;
}

ym_status ym_buf_reserve(struct ym_buf *b, size_t n)
{
    ym_status rc = buf_room(b, n);

    if (rc == YM_OK) {
        b->p[b->n] = '\0';
    }
    return rc;
}

ym_status ym_buf_add(struct ym_buf *b, const void *data, size_t n)
{
    ym_status rc = buf_room(b, n);

    if (rc != YM_OK) {
        return rc;
    }
    if (n > 0) {
        memcpy(b->p + b->n, data, n);
        b->n += n;
    }
    b->p[b->n] = '\0';
    return YM_OK;
}

ym_status ym_buf_adds(struct ym_buf *b, const char *z)
{
    return ym_buf_add(b, z, strlen(z));
}

ym_status ym_buf_addc(struct ym_buf *b, char c)
{
    return ym_buf_add(b, &c, 1);
}

ym_status ym_buf_addf(struct ym_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    ym_status rc;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    rc = n < 0 ? buf_fail(b, YM_EINVAL) : buf_room(b, (size_t)n);
    if (rc == YM_OK) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
    return rc;
}

/* The escape of one byte below 0x20, or of a quote or backslash. */
static ym_status add_json_escape(struct ym_buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        return ym_buf_adds(b, "\\\"");
    case '\\':
        return ym_buf_adds(b, "\\\\");
    case '\n':
        return ym_buf_adds(b, "\\n");
    case '\r':
        return ym_buf_adds(b, "\\r");
    case '\t':
        return ym_buf_adds(b, "\\t");
    default:
        return ym_buf_addf(b, "\\u%04x", c);
    }
}

ym_status ym_buf_add_json(struct ym_buf *b, struct ym_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0, from = 0, len;

    (void)ym_buf_addc(b, '"');
    while (i < s.n) {
        if (s.n - i >= 8) {
            uint64_t w = ym_swar_load(p + i);

            if (((w & YM_SWAR_HIGHS) | ym_swar_below(w, 0x20) | ym_swar_equal(w, '"') |
                 ym_swar_equal(w, '\\')) == 0) {
                i += 8;
                continue;
            }
        }
        len = ym_utf8_step(p + i, s.n - i);
        if (len == 0) {
            (void)ym_buf_add(b, p + from, i - from);
            (void)ym_buf_adds(b, "\xEF\xBF\xBD");
            from = ++i;
        } else if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\') {
            (void)ym_buf_add(b, p + from, i - from);
            (void)add_json_escape(b, p[i]);
            from = ++i;
        } else {
            i += len;
        }
    }
    if (i > from) {
        (void)ym_buf_add(b, p + from, i - from);
    }
    return ym_buf_addc(b, '"');
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

ym_status ym_buf_add_uri(struct ym_buf *b, struct ym_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i;
    ym_status rc = ym_buf_add(b, "", 0);

    for (i = 0; i < s.n && rc == YM_OK; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (is_unreserved(c)) {
            rc = ym_buf_addc(b, (char)c);
        } else {
            char triple[3] = {'%', hex[c >> 4], hex[c & 15]};

            rc = ym_buf_add(b, triple, sizeof(triple));
        }
    }
    return rc;
}
