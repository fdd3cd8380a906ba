/* SPDX-License-Identifier: Apache-2.0
 * A bitmap over the basic plane per charset, filled by asking iconv for each character once.
 */
#include "ym_charset.h"

#include <iconv.h>
#include <strings.h>

#define PLANE 0x10000u

struct ym_charset {
    unsigned char bits[PLANE / 8];
};

static size_t encode(unsigned cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | cp >> 12);
    out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[2] = (char)(0x80 | (cp & 0x3F));
    return 3;
}

static void fill(struct ym_charset *c, iconv_t cd)
{
    for (unsigned cp = 1; cp < PLANE; cp++) {
        char in[4], out[8];
        char *ip = in, *op = out;
        size_t left = encode(cp, in), room = sizeof(out);
        if (cp >= 0xD800 && cp <= 0xDFFF) {
            continue;
        }
        iconv(cd, NULL, NULL, NULL, NULL);
        if (iconv(cd, &ip, &left, &op, &room) == 0 && left == 0) {
            c->bits[cp >> 3] = (unsigned char)(c->bits[cp >> 3] | 1u << (cp & 7));
        }
    }
}

ym_status ym_charset_open(const char *name, struct ym_arena *a, const struct ym_charset **ret,
                          struct ym_err *err)
{
    static const char *const whole[] = {"utf-8",    "utf8",     "gb18030", "utf-16",
                                        "utf-16le", "utf-16be", NULL};
    for (const char *const *w = whole; *w != NULL; w++) {
        if (strcasecmp(*w, name) == 0) {
            *ret = NULL;
            return YM_OK;
        }
    }
    iconv_t cd = iconv_open(name, "UTF-8");
    if (cd == (iconv_t)-1) {
        return ym_err_set(err, YM_EUNSUPPORTED,
                          "charset \"%s\" is not known here; use utf-8, gb18030, gbk, big5 …",
                          name);
    }
    struct ym_charset *c = ym_arena_alloc(a, sizeof(*c));
    if (c != NULL) {
        fill(c, cd);
        *ret = c;
    }
    iconv_close(cd);
    return c != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

bool ym_charset_covers(const struct ym_charset *c, struct ym_str s)
{
    if (c == NULL) {
        return true;
    }
    for (size_t i = 0; i < s.n;) {
        unsigned char b = (unsigned char)s.p[i];
        size_t len = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        unsigned cp = b;
        if (len == 4 || i + len > s.n) {
            return false;
        }
        if (len == 2) {
            cp = (b & 0x1Fu) << 6 | ((unsigned char)s.p[i + 1] & 0x3Fu);
        } else if (len == 3) {
            cp = (b & 0x0Fu) << 12 | ((unsigned char)s.p[i + 1] & 0x3Fu) << 6 |
                 ((unsigned char)s.p[i + 2] & 0x3Fu);
        }
        if ((c->bits[cp >> 3] >> (cp & 7) & 1u) == 0) {
            return false;
        }
        i += len;
    }
    return true;
}
