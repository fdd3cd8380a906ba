/* SPDX-License-Identifier: Apache-2.0
 * The words every part shares: status codes, string views, sizes. Includes nothing of ours.
 */
#ifndef YM_BASE_H
#define YM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * What a call answers. Zero is success; everything else is negative and is explained by the
 * struct ym_err that the caller passed. Predicates return bool instead, and three-way results
 * have enums of their own.
 */
typedef int ym_status;
enum {
    YM_OK = 0,
    YM_ENOMEM = -1,       /* an allocation failed */
    YM_EINVAL = -2,       /* the input is wrong; the message says where and how to mend it */
    YM_ETOOBIG = -3,      /* a named limit was passed */
    YM_ENOTFOUND = -4,    /* the named thing does not exist */
    YM_EIO = -5,          /* file, socket or library I/O failed */
    YM_EUNSUPPORTED = -6, /* well-formed, but outside the documented subset */
    YM_EAUTH = -7         /* a signature, token or secret does not hold */
};

/* A view of bytes, not NUL-terminated, never owning. */
struct ym_str {
    const char *p;
    size_t      n;
};

#define YM_STR(literal) ((struct ym_str){ (literal), sizeof(literal) - 1 })
#define YM_STR_NULL ((struct ym_str){ NULL, 0 })
#define YM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline struct ym_str ym_str_of(const char *z)
{
    return (struct ym_str){ z, z != NULL ? strlen(z) : 0 };
}

static inline bool ym_str_eq(struct ym_str a, struct ym_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool ym_str_is(struct ym_str a, const char *z)
{
    return ym_str_eq(a, ym_str_of(z));
}

#if defined(__GNUC__)
#define YM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define YM_PRINTF(fmt, args)
#endif

#endif
