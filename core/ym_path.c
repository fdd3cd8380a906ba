/* SPDX-License-Identifier: Apache-2.0
 * The path policy: one pass that decodes, one that reads the decoded text by segments.
 */
#include "ym_path.h"
#include "ym_utf8.h"

#define PARAMETER ";jsessionid="
#define PARAMETER_MAX 128 /* Tomcat's have 32 characters and a route */
#define PORT_DIGITS 5

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What a byte may not be, whether it came plain or encoded. */
static const char *byte_fault(unsigned char c)
{
    if (c < 0x20 || c == 0x7f) {
        return "a control character";
    }
    if (c == '\\') {
        return "a backslash";
    }
    if (c == '#') {
        return "a fragment";
    }
    return c == ';' ? "a parameter" : NULL;
}

/* What has a meaning of its own when plain, so that an encoded one is read in two ways. */
static const char *encoded_fault(unsigned char c)
{
    switch (c) {
    case '/':
        return "an encoded slash";
    case '.':
        return "an encoded dot";
    case '?':
        return "an encoded question mark";
    default:
        return byte_fault(c);
    }
}

/* Length of the path without a trailing ";jsessionid=…" of harmless characters. */
static size_t without_session(struct ym_str raw)
{
    size_t n = raw.n, most = n > PARAMETER_MAX ? n - PARAMETER_MAX : 0;
    while (n > most && (alnum(raw.p[n - 1]) || strchr("!._~+-", raw.p[n - 1]) != NULL) &&
           raw.p[n - 1] != '\0') {
        n--;
    }
    size_t len = sizeof(PARAMETER) - 1;
    if (n < raw.n && n > len && memcmp(raw.p + n - len, PARAMETER, len) == 0) {
        return n - len;
    }
    return raw.n;
}

static const char *decode(struct ym_str raw, char *out, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        unsigned char c = (unsigned char)raw.p[i];
        const char *fault;
        if (c != '%') {
            fault = c == ' ' ? "a blank" : byte_fault(c);
        } else {
            int high = i + 2 < raw.n ? hex(raw.p[i + 1]) : -1;
            int low = high >= 0 ? hex(raw.p[i + 2]) : -1;
            if (low < 0) {
                return "a broken escape";
            }
            c = (unsigned char)(high * 16 + low);
            i += 2;
            fault = encoded_fault(c);
        }
        if (fault != NULL) {
            return fault;
        }
        out[n++] = (char)c;
    }
    *ret_n = n;
    return NULL;
}

/* Characters that some readers turn into / \ . ; % or a letter (NFKC, best fit), or hide. */
static bool lookalike(uint32_t c, unsigned flags)
{
    static const uint32_t twins[] = {
        0x2024, 0x2025, 0x2044, 0x2215, 0x2216, 0x29F5, 0x29F8, 0x29F9, 0xFE52, 0xFE54,
        0xFE68, 0xFE6A, 0xFEFF, 0xFF05, 0xFF0E, 0xFF0F, 0xFF1B, 0xFF3C, 0xFF61,
    };
    /* dotted and dotless i, long s, the Kelvin sign: letters of ASCII in another case */
    static const uint32_t letters[] = {0x130, 0x131, 0x17F, 0x212A};
    if ((c >= 0x80 && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
        (c >= 0x2060 && c <= 0x206F)) {
        return true;
    }
    for (size_t i = 0; i < YM_COUNT(twins); i++) {
        if (twins[i] == c) {
            return true;
        }
    }
    for (size_t i = 0; (flags & YM_PATH_INSENSITIVE) && i < YM_COUNT(letters); i++) {
        if (letters[i] == c) {
            return true;
        }
    }
    return false;
}

static const char *characters(const char *p, size_t n, unsigned flags)
{
    const unsigned char *u = (const unsigned char *)p;
    for (size_t i = 0, len; i < n; i += len) {
        len = ym_utf8_step(u + i, n - i);
        if (len == 0) {
            return "bytes that are no UTF-8";
        }
        if (len == 1) {
            continue;
        }
        uint32_t c = u[i] & (0xFFu >> (len + 1));
        for (size_t k = 1; k < len; k++) {
            c = c << 6 | (u[i + k] & 0x3Fu);
        }
        if (lookalike(c, flags)) {
            return "a character that looks like another";
        }
    }
    return NULL;
}

/* What is left encoded after one decoding would be decoded by some and not by others. */
static bool encoded_twice(const char *p, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++) {
        if (p[i] == '%' &&
            ((hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) || (p[i + 1] | 0x20) == 'u')) {
            return true;
        }
    }
    return false;
}

static const char *segment_fault(struct ym_str s, unsigned flags)
{
    if (s.p[s.n - 1] == '.') { /* "." and ".." as well; Windows drops a trailing one */
        return "a segment that ends in a dot";
    }
    if (s.p[0] == ' ' || s.p[s.n - 1] == ' ') {
        return "a segment that begins or ends with a blank";
    }
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] == ':' && s.p[i + 1] == '$') {
            return "a stream name";
        }
        if ((flags & YM_PATH_INSENSITIVE) && s.p[i] == '~' && s.p[i + 1] >= '0' &&
            s.p[i + 1] <= '9') {
            return "a short name";
        }
    }
    return NULL;
}

static const char *segments(const char *p, size_t n, unsigned flags)
{
    size_t from = 1;
    for (size_t i = 1; i <= n; i++) {
        if (i < n && p[i] != '/') {
            continue;
        }
        if (i == from) {
            if (i < n) {
                return "an empty segment";
            }
            break; /* a slash at the end */
        }
        const char *fault = segment_fault((struct ym_str){p + from, i - from}, flags);
        if (fault != NULL) {
            return fault;
        }
        from = i + 1;
    }
    return NULL;
}

const char *ym_path_check(struct ym_str target, unsigned flags, char *out, struct ym_path *ret)
{
    const char *query = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    struct ym_str raw = {target.p, query != NULL ? (size_t)(query - target.p) : target.n};
    size_t n = 0;

    /* some cut a fragment off before they look for the query, some after */
    if (target.n > 0 && memchr(target.p, '#', target.n) != NULL) {
        return "a fragment";
    }
    if (raw.n == 0 || raw.p[0] != '/') {
        return "no path";
    }
    ret->raw = raw;
    raw.n = without_session(raw);
    ret->session = raw.n != ret->raw.n;

    const char *fault = decode(raw, out, &n);
    if (fault == NULL) {
        fault = characters(out, n, flags);
    }
    if (fault == NULL && encoded_twice(out, n)) {
        fault = "an escape within an escape";
    }
    if (fault == NULL) {
        fault = segments(out, n, flags);
    }
    for (size_t i = 0; fault == NULL && (flags & YM_PATH_INSENSITIVE) && i < n; i++) {
        if (out[i] >= 'A' && out[i] <= 'Z') {
            out[i] = (char)(out[i] | 0x20);
        }
    }
    ret->canonical = (struct ym_str){out, n};
    return fault;
}

/* ---- hosts ---- */

static bool port_holds(struct ym_str port)
{
    if (port.n == 0 || port.n > PORT_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9') {
            return false;
        }
    }
    return true;
}

bool ym_path_host(struct ym_str host)
{
    size_t i = 0;
    bool v6 = host.n > 0 && host.p[0] == '[';
    if (v6) {
        for (i = 1; i < host.n && host.p[i] != ']'; i++) {
            if (hex(host.p[i]) < 0 && host.p[i] != ':' && host.p[i] != '.') {
                return false;
            }
        }
        if (i == host.n || i == 1) {
            return false;
        }
        i++;
    } else {
        for (; i < host.n && host.p[i] != ':'; i++) {
            if (!alnum(host.p[i]) && strchr("-._", host.p[i]) == NULL) {
                return false;
            }
            if (host.p[i] == '\0' || (host.p[i] == '.' && (i == 0 || host.p[i - 1] == '.'))) {
                return false;
            }
        }
        if (i == 0 || i > 255) {
            return false;
        }
    }
    return i == host.n ||
           (host.p[i] == ':' && port_holds((struct ym_str){host.p + i + 1, host.n - i - 1}));
}
