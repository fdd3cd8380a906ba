/* SPDX-License-Identifier: Apache-2.0
 * Return addresses. Nothing is repaired: what is not plainly ours is not ours.
 */
#include "ym_place.h"
#include "ym_utf8.h"

#include <unictype.h>
#include <unistr.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* The byte at *i, decoded when it is encoded; -1 for a malformed escape. *i moves to its last. */
static int decoded(struct ym_str s, size_t *i)
{
    int high, low;
    if (s.p[*i] != '%') {
        return (unsigned char)s.p[*i];
    }
    if (s.n - *i < 3) {
        return -1;
    }
    high = hex_digit(s.p[*i + 1]);
    low = hex_digit(s.p[*i + 2]);
    if (high < 0 || low < 0) {
        return -1;
    }
    *i += 2;
    return high * 16 + low;
}

/* What RFC 3986 lets stand in an address unencoded, and '%'. */
static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/?#%", c) != NULL);
}

/* A segment that moves: "." or ".." or one of them before a path parameter. */
static bool dots(const char *name, size_t n)
{
    size_t k = 0;
    while (k < n && name[k] == '.') {
        k++;
    }
    return k != 0 && k <= 2 && (k == n || name[k] == ';');
}

/*
 * A character beyond ASCII whose first byte is c: a letter, mark or digit. Blanks, dots and slashes
 * of other scripts are folded into those of ASCII somewhere. *i moves to its last escape.
 */
static bool letter(struct ym_str s, size_t *i, int c)
{
    uint8_t text[4] = {(uint8_t)c};
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    ucs4_t code;
    for (size_t k = 1; k < n; k++) {
        if (*i + 1 >= s.n) {
            return false;
        }
        ++*i;
        c = decoded(s, i);
        if (c < 0) {
            return false;
        }
        text[k] = (uint8_t)c;
    }
    if (ym_utf8_step(text, n) != n) {
        return false;
    }
    u8_mbtouc(&code, text, n);
    return uc_is_general_category_withtable(code, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
                                                      UC_CATEGORY_MASK_N);
}

/*
 * The path: no empty segment but the last, no dot segment, and no escape that stands for something
 * which is read as structure once it is decoded, or for another escape.
 */
static bool path_ok(struct ym_str path)
{
    char head[4];
    size_t n = 0;
    for (size_t i = 1; i < path.n; i++) {
        bool escaped = path.p[i] == '%';
        int c = decoded(path, &i);
        if (c < 0x20 || c == 0x7f || (c == ' ' && n == 0) || (c >= 0x80 && !letter(path, &i, c)) ||
            (escaped && strchr("/\\%?#;.@:", c) != NULL)) {
            return false;
        }
        if (c != '/') {
            if (n < sizeof(head)) {
                head[n] = (char)c;
            }
            n++;
            continue;
        }
        if (n == 0 || dots(head, n < sizeof(head) ? n : sizeof(head))) {
            return false;
        }
        n = 0;
    }
    return !dots(head, n < sizeof(head) ? n : sizeof(head));
}

/* Query and fragment: whole escapes, none of which ends a line or a text. */
static bool rest_ok(struct ym_str rest)
{
    for (size_t i = 0; i < rest.n; i++) {
        int c = decoded(rest, &i);
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool ym_place_ok(struct ym_str wanted)
{
    size_t end = 0;
    if (wanted.n == 0 || wanted.n > YM_PLACE_MAX || wanted.p[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < wanted.n; i++) {
        if (!plain(wanted.p[i])) {
            return false;
        }
    }
    while (end < wanted.n && wanted.p[end] != '?' && wanted.p[end] != '#') {
        end++;
    }
    return path_ok((struct ym_str){wanted.p, end}) &&
           rest_ok((struct ym_str){wanted.p + end, wanted.n - end});
}
