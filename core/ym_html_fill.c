/* SPDX-License-Identifier: Apache-2.0
 * Filling a form and encoding its submission.
 */
#include "ym_html.h"

#include "ym_codec.h"
#include "ym_json.h"

#include <strings.h>

#define FORM_TEXT (4u << 20)

static bool has_name(const struct ym_html_form *form, const char *name)
{
    for (size_t i = 0; i < form->name_count; i++) {
        if (strcmp(form->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool among(const struct ym_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends every pair of that name. */
static void take(const struct ym_pair *from, size_t count, const char *name, struct ym_pair *to,
                 size_t *n)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(from[i].name, name) == 0) {
            to[(*n)++] = from[i];
        }
    }
}

ym_status ym_html_fill(const struct ym_html_form *form, const struct ym_pair *fields, size_t count,
                       bool add, struct ym_arena *a, struct ym_pair **ret, size_t *ret_count,
                       struct ym_err *err)
{
    struct ym_pair *out = ym_arena_alloc(a, (form->field_count + count + 1) * sizeof(*out));
    size_t n = 0;

    if (out == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (!add && !has_name(form, fields[i].name)) {
            return ym_err_set(err, YM_EINVAL,
                              "the page's form has no field %s; the page changed, or the "
                              "operation needs add: true",
                              fields[i].name);
        }
    }
    for (size_t i = 0; i < form->field_count; i++) {
        const char *name = form->fields[i].name;

        if (!among(fields, count, name)) {
            out[n++] = form->fields[i];
        } else if (!among(out, n, name)) {
            take(fields, count, name, out, &n);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!among(out, n, fields[i].name)) {
            take(fields, count, fields[i].name, out, &n);
        }
    }
    *ret = out;
    *ret_count = n;
    return YM_OK;
}

static void add_escaped(struct ym_buf *out, struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '*' || c == '-' || c == '.' || c == '_') {
            ym_buf_addc(out, (char)c);
        } else if (c == ' ') {
            ym_buf_addc(out, '+');
        } else {
            ym_buf_addf(out, "%%%02X", c);
        }
    }
}

static size_t utf8_len(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static unsigned long utf8_value(const char *p, size_t n)
{
    unsigned long v = n == 1 ? (unsigned char)p[0] : (unsigned char)p[0] & (0x7Fu >> n);

    for (size_t i = 1; i < n; i++) {
        v = v << 6 | ((unsigned char)p[i] & 0x3Fu);
    }
    return v;
}

/* Character by character: what the charset lacks becomes a numeric reference. */
static ym_status add_lossy(struct ym_buf *out, struct ym_str s, const char *charset, size_t *lost,
                           struct ym_err *err)
{
    struct ym_buf one;
    ym_status rc = YM_OK;

    ym_buf_init(&one, 64);
    for (size_t i = 0; i < s.n && rc == YM_OK;) {
        size_t n = utf8_len((unsigned char)s.p[i]), replaced = 0;

        n = n > s.n - i ? s.n - i : n;
        ym_buf_reset(&one);
        rc =
            ym_charset_convert("utf-8", charset, (struct ym_str){s.p + i, n}, &one, &replaced, err);
        if (rc == YM_OK && replaced > 0) {
            ++*lost;
            ym_buf_reset(&one);
            rc = ym_buf_addf(&one, "&#%lu;", utf8_value(s.p + i, n));
        }
        add_escaped(out, ym_buf_str(&one));
        i += n;
    }
    ym_buf_clear(&one);
    return rc != YM_OK ? rc : out->failed;
}

static ym_status add_value(struct ym_buf *out, const char *text, const char *charset, size_t *lost,
                           struct ym_err *err)
{
    struct ym_buf b;
    struct ym_str s = ym_str_of(text);
    size_t replaced = 0;
    ym_status rc;

    if (s.n == 0 || charset == NULL || strcasecmp(charset, "utf-8") == 0) {
        add_escaped(out, s);
        return out->failed;
    }
    ym_buf_init(&b, FORM_TEXT);
    rc = ym_charset_convert("utf-8", charset, s, &b, &replaced, err);
    if (rc == YM_OK && replaced > 0) {
        rc = add_lossy(out, s, charset, lost, err);
    } else if (rc == YM_OK) {
        add_escaped(out, ym_buf_str(&b));
        rc = out->failed;
    }
    ym_buf_wipe(&b);
    return rc;
}

ym_status ym_form_encode(const struct ym_pair *pairs, size_t count, const char *charset,
                         struct ym_buf *out, size_t *ret_lost, struct ym_err *err)
{
    size_t lost = 0;
    ym_status rc = YM_OK;

    for (size_t i = 0; i < count && rc == YM_OK; i++) {
        if (i > 0) {
            ym_buf_addc(out, '&');
        }
        rc = add_value(out, pairs[i].name, charset, &lost, err);
        ym_buf_addc(out, '=');
        if (rc == YM_OK) {
            rc = add_value(out, pairs[i].value, charset, &lost, err);
        }
    }
    if (ret_lost != NULL) {
        *ret_lost = lost;
    }
    return rc != YM_OK ? rc : out->failed;
}
