/* SPDX-License-Identifier: Apache-2.0
 * Where in a schema's text a thing stands, and which word was probably meant: for messages only.
 */
#include "ym_schema_priv.h"

struct scan {
    const char *p, *end;
};

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
    }
}

/* Steps over a string; the view is what stands between the quotes, escapes untouched. */
static struct ym_str string_skip(struct scan *s)
{
    const char *start = ++s->p;

    while (s->p < s->end && *s->p != '"') {
        s->p += *s->p == '\\' && s->p + 1 < s->end ? 2 : 1;
    }
    if (s->p < s->end) {
        s->p++;
    }
    return (struct ym_str){start, s->p > start ? (size_t)(s->p - start) - 1 : 0};
}

static void value_skip(struct scan *s)
{
    int depth = 0;

    blanks(s);
    do {
        if (s->p >= s->end) {
            return;
        }
        if (*s->p == '"') {
            (void)string_skip(s);
            continue;
        }
        if (*s->p == '{' || *s->p == '[') {
            depth++;
        } else if (*s->p == '}' || *s->p == ']') {
            depth--;
        } else if (depth == 0) {
            while (s->p < s->end && strchr(",]} \n\r\t", *s->p) == NULL) {
                s->p++;
            }
            return;
        }
        s->p++;
    } while (depth > 0);
}

/* From the start of a container to its member or item; *ret_at = the key's or the item's place. */
static bool step(struct scan *s, const struct ym_spath *want, const char **ret_at)
{
    blanks(s);
    if (s->p >= s->end || *s->p != (want->key != NULL ? '{' : '[')) {
        return false;
    }
    for (size_t i = 0;; i++) {
        struct ym_str key = YM_STR_NULL;

        s->p++;
        blanks(s);
        *ret_at = s->p;
        if (s->p >= s->end || *s->p == '}' || *s->p == ']') {
            return false;
        }
        if (want->key != NULL) {
            if (*s->p != '"') {
                return false;
            }
            key = string_skip(s);
            blanks(s);
            s->p += s->p < s->end; /* the colon */
            blanks(s);
        }
        if (want->key != NULL ? ym_str_is(key, want->key) : i == want->index) {
            return true;
        }
        value_skip(s);
        blanks(s);
        if (s->p >= s->end || *s->p != ',') {
            return false;
        }
    }
}

int ym_schema_line(struct ym_str text, const struct ym_spath *path)
{
    const struct ym_spath *steps[YM_SCHEMA_DEPTH * 4];
    struct scan s = {text.p, text.p + text.n};
    const char *at = text.p, *found = text.p;
    size_t n = 0;
    int line = 1;

    if (text.n == 0) {
        return 0;
    }
    for (; path != NULL && n < YM_COUNT(steps); path = path->up) {
        steps[n++] = path;
    }
    while (n > 0 && step(&s, steps[n - 1], &found)) {
        at = found;
        n--;
    }
    for (const char *p = text.p; p < at; p++) {
        line += *p == '\n';
    }
    return line;
}

/* ---- the nearest word ---- */

#define WORD_MAX 40

/* Edit distance; words longer than WORD_MAX are compared by their beginning. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t an = strlen(a), bn = strlen(b);

    an = an > WORD_MAX ? WORD_MAX : an;
    bn = bn > WORD_MAX ? WORD_MAX : bn;
    for (size_t j = 0; j <= bn; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= an; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t best = diagonal + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
        }
    }
    return row[bn];
}

const char *ym_schema_nearest(const char *wrong, const char *(*word)(size_t i), size_t n)
{
    const char *best = word(0);
    size_t best_distance = distance(wrong, best);

    for (size_t i = 1; i < n; i++) {
        size_t k = distance(wrong, word(i));

        if (k < best_distance) {
            best = word(i);
            best_distance = k;
        }
    }
    return best;
}
