/* SPDX-License-Identifier: Apache-2.0
 * Written-out control characters.
 */
#include "ym_clean.h"

#include "ym_swar.h"

/* The code point at p and its length; 0 = no UTF-8. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 0;
    uint32_t c = len == 1 ? p[0] : len == 2 ? p[0] & 0x1Fu : len == 3 ? p[0] & 0xFu : p[0] & 7u;

    if (len == 0 || p[0] > 0xF4 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return 0;
    }
    *ret = c;
    return len;
}

static bool harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200E || c == 0x200F || c == 0x2028 ||
           c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0xFEFF;
}

/* How many printable ASCII characters come next. */
static size_t plain(const unsigned char *p, size_t n)
{
    size_t i = 0;

    while (n - i >= 8) {
        uint64_t w = ym_swar_load(p + i);

        if (((w & YM_SWAR_HIGHS) | ym_swar_below(w, 0x20) | ym_swar_equal(w, 0x7F)) != 0) {
            break;
        }
        i += 8;
    }
    while (i < n && p[i] >= 0x20 && p[i] < 0x7F) {
        i++;
    }
    return i;
}

ym_status ym_clean(struct ym_buf *out, struct ym_str s, size_t most)
{
    static const char hex[] = "0123456789ABCDEF";
    const unsigned char *p = (const unsigned char *)s.p;
    size_t from = out->n, len, wanted;
    uint32_t c;

    for (size_t i = 0; i < s.n; i += len) {
        char text[16];

        len = plain(p + i, s.n - i);
        if (len > 0) {
            wanted = most - (out->n - from); /* never more than that stands there */
            if (ym_buf_add(out, p + i, len < wanted ? len : wanted) != YM_OK || len > wanted) {
                break;
            }
            continue;
        }
        len = decode(p + i, s.n - i, &c);
        if (len > 0 && !harmful(c)) {
            wanted = len;
            memcpy(text, p + i, len);
        } else {
            len = len > 0 ? len : 1;
            wanted = 4 * len;
            for (size_t k = 0; k < len; k++) {
                text[4 * k] = '\\';
                text[4 * k + 1] = 'x';
                text[4 * k + 2] = hex[p[i + k] >> 4];
                text[4 * k + 3] = hex[p[i + k] & 15];
            }
        }
        if (out->failed != YM_OK || out->n - from + wanted > most) {
            break;
        }
        ym_buf_add(out, text, wanted);
    }
    return out->failed;
}
