/* SPDX-License-Identifier: Apache-2.0
 * Cookies of a request.
 */
#include "ym_cookie.h"

#define ID_CHARS 43

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct ym_str trim(struct ym_str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

/* The next piece between semicolons; false at the end. */
static bool next_pair(struct ym_str header, size_t *at, struct ym_str *ret_pair)
{
    const char *end;
    size_t n;

    if (*at >= header.n) {
        return false;
    }
    end = memchr(header.p + *at, ';', header.n - *at);
    n = end != NULL ? (size_t)(end - header.p) - *at : header.n - *at;
    *ret_pair = trim((struct ym_str){header.p + *at, n});
    *at += n + 1;
    return true;
}

/* A pair without "=" is a name without a value. */
static struct ym_str name_of(struct ym_str pair, struct ym_str *ret_value)
{
    const char *equals = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
    size_t n = equals != NULL ? (size_t)(equals - pair.p) : pair.n;

    *ret_value = equals != NULL ? (struct ym_str){equals + 1, pair.n - n - 1} : YM_STR("");
    return (struct ym_str){pair.p, n};
}

void ym_cookie_look(struct ym_str header, const char *name, struct ym_cookie *c)
{
    struct ym_str pair, value;
    size_t at = 0;

    while (next_pair(header, &at, &pair)) {
        if (!ym_str_is(name_of(pair, &value), name)) {
            continue;
        }
        if (c->count++ == 0) {
            c->value = value;
        } else if (!ym_str_eq(c->value, value)) {
            c->differ = true;
        }
    }
}

/* Digits of base64url plus one; 0: none. */
static const unsigned char digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

static int digit_of(char c)
{
    return digits[(unsigned char)c] - 1;
}

bool ym_session_id_parse(struct ym_str text, unsigned shards, unsigned *ret_shard)
{
    unsigned shard = 0;
    size_t i = 0;

    while (i < text.n && i < 2 && text.p[i] >= '0' && text.p[i] <= '9') {
        shard = shard * 10 + (unsigned)(text.p[i++] - '0');
    }
    if (i == 0 || (i > 1 && text.p[0] == '0') || shard >= shards || text.n != i + 1 + ID_CHARS ||
        text.p[i] != '.') {
        return false;
    }
    for (i++; i < text.n; i++) {
        if (digit_of(text.p[i]) < 0) {
            return false;
        }
    }
    if ((digit_of(text.p[text.n - 1]) & 3) != 0) { /* 43 characters carry two bits too many */
        return false;
    }
    *ret_shard = shard;
    return true;
}
