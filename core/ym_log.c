/* SPDX-License-Identifier: Apache-2.0
 * Log lines, each written by one write(2).
 */
#include "ym_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048 /* below PIPE_BUF: lines of several processes do not mix */
#define LOG_NUMBERS 16

static int log_fd = STDERR_FILENO;
static enum ym_log_level log_most = YM_LOG_INFO;

struct line {
    char text[LOG_LINE_MAX];
    size_t n;
};

void ym_log_open(int fd, enum ym_log_level most)
{
    log_fd = fd;
    log_most = most;
}

/* One byte is kept for the line feed. */
static void put(struct line *l, const char *p, size_t n)
{
    size_t room = sizeof(l->text) - 1 - l->n;

    n = n < room ? n : room;
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static void put_value(struct line *l, const char *v)
{
    bool quotes = *v == '\0' || strpbrk(v, " \"\\=") != NULL;
    char escape[5];

    if (quotes) {
        put(l, "\"", 1);
    }
    for (; *v != '\0'; v++) {
        unsigned char c = (unsigned char)*v;

        if (c < 0x20 || c == 0x7F) {
            (void)snprintf(escape, sizeof(escape), "\\x%02X", c);
            put(l, escape, 4);
        } else {
            if (c == '"' || c == '\\') {
                put(l, "\\", 1);
            }
            put(l, v, 1);
        }
    }
    if (quotes) {
        put(l, "\"", 1);
    }
}

void ym_log(enum ym_log_level level, const char *event, ...)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct line l = {.n = 0};
    const char *key, *value;
    va_list ap;
    ssize_t ignored;

    if (level > log_most) {
        return;
    }
    put(&l, levels[level], strlen(levels[level]));
    put(&l, " event=", 7);
    put(&l, event, strlen(event));
    va_start(ap, event);
    for (key = va_arg(ap, const char *); key != NULL; key = va_arg(ap, const char *)) {
        value = va_arg(ap, const char *);
        if (value == NULL) {
            continue;
        }
        put(&l, " ", 1);
        put(&l, key, strlen(key));
        put(&l, "=", 1);
        put_value(&l, value);
    }
    va_end(ap);
    l.text[l.n++] = '\n';
    ignored = write(log_fd, l.text, l.n); /* nobody is left to tell */
    (void)ignored;
}

const char *ym_log_int(int64_t v)
{
    static char texts[LOG_NUMBERS][24];
    static unsigned next;
    char *text = texts[next++ % LOG_NUMBERS];

    (void)snprintf(text, sizeof(texts[0]), "%lld", (long long)v);
    return text;
}
