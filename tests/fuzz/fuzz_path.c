/* SPDX-License-Identifier: Apache-2.0
 * A request target from a stranger. Whatever is found clear must be the same path to readers that
 * differ: one that resolves dots and repeated slashes like nginx, one that first cuts parameters
 * like Tomcat, one that decodes twice, one that takes backslashes for slashes.
 */
#include "ym_path.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096

static int hex(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

static size_t decode(const char *in, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i] == '%' && i + 2 < n && hex(in[i + 1]) >= 0 && hex(in[i + 2]) >= 0) {
            out[m++] = (char)(hex(in[i + 1]) * 16 + hex(in[i + 2]));
            i += 2;
        } else {
            out[m++] = in[i];
        }
    }
    return m;
}

/* Drops ";…" of every segment, as a servlet container does. */
static size_t cut_parameters(const char *in, size_t n, char *out)
{
    size_t m = 0;
    bool skip = false;
    for (size_t i = 0; i < n; i++) {
        skip = in[i] == ';' ? true : in[i] == '/' ? false : skip;
        if (!skip) {
            out[m++] = in[i];
        }
    }
    return m;
}

/* Merges slashes, resolves "." and ".."; backslashes count as slashes. */
static size_t resolve(const char *in, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n;) {
        size_t from = ++i; /* behind a slash */
        while (i < n && in[i] != '/' && in[i] != '\\') {
            i++;
        }
        size_t len = i - from;
        if (len == 2 && in[from] == '.' && in[from + 1] == '.') {
            while (m > 0 && out[--m] != '/') {
            }
        } else if (!(len == 1 && in[from] == '.') && !(len == 0 && i < n)) {
            out[m++] = '/';
            memcpy(out + m, in + from, len);
            m += len;
        }
    }
    return m;
}

static void same(struct ym_str canonical, const char *p, size_t n)
{
    if (!ym_str_eq(canonical, (struct ym_str){p, n})) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[MOST], a[MOST], b[MOST], c[MOST];
    struct ym_path path;
    if (size > MOST) {
        return 0;
    }
    struct ym_str text = {(const char *)data, size};
    (void)ym_path_host(text);
    (void)ym_path_check(text, YM_PATH_INSENSITIVE, out, &path);
    if (ym_path_check(text, 0, out, &path) != NULL) {
        return 0;
    }
    if (path.canonical.n == 0 || path.canonical.p[0] != '/') {
        abort();
    }
    size_t n = cut_parameters(path.raw.p, path.raw.n, a);
    size_t m = decode(a, n, b);
    same(path.canonical, b, m);
    same(path.canonical, c, resolve(b, m, c));
    same(path.canonical, c, decode(b, m, c));
    if (!path.session) {
        same(path.canonical, b, decode(path.raw.p, path.raw.n, b));
    }
    return 0;
}
