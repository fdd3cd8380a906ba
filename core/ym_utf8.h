/* SPDX-License-Identifier: Apache-2.0
 * One strict UTF-8 step (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
#ifndef YM_UTF8_H
#define YM_UTF8_H

#include "ym_base.h"

/* Bytes of the character at p (n > 0 of them readable), or 0 when there is none. */
static inline size_t ym_utf8_step(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t len, i;

    if (c < 0x80) {
        return 1;
    }
    /* three bytes from E1 to EC are nearly all of Chinese text and need no closer look */
    if (c >= 0xE1 && c <= 0xEC && n >= 3 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        return 3;
    }
    if (c < 0xC2 || c > 0xF4) {
        return 0;
    }
    len = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (n < len) {
        return 0;
    }
    if (c == 0xE0) {
        low = 0xA0;
    } else if (c == 0xED) {
        high = 0x9F;
    } else if (c == 0xF0) {
        low = 0x90;
    } else if (c == 0xF4) {
        high = 0x8F;
    }
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return len;
}

#endif
