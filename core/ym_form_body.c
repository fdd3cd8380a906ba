/* SPDX-License-Identifier: Apache-2.0
 * Fields of a form, decoded into an arena.
 */
#include "ym_form_body.h"
#include "ym_json.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* *ret is in a, NUL-terminated; YM_EINVAL without words: the caller says which field. */
static ym_status decode(struct ym_str in, struct ym_arena *a, struct ym_str *ret)
{
    char *out = ym_arena_alloc(a, in.n + 1);
    size_t n = 0;

    if (out == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return YM_EINVAL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return YM_EINVAL;
        }
        out[n++] = c;
    }
    *ret = (struct ym_str){out, n};
    return ym_utf8_valid(out, n) ? YM_OK : YM_EINVAL;
}

static ym_status add_field(struct ym_str part, struct ym_arena *a, struct ym_form *form,
                           struct ym_err *err)
{
    const char *equals = memchr(part.p, '=', part.n);
    size_t n = equals != NULL ? (size_t)(equals - part.p) : part.n;
    struct ym_form_field field;
    struct ym_str value, held;
    ym_status rc;

    if (form->count == YM_FORM_FIELDS) {
        return ym_err_set(err, YM_ETOOBIG, "a form has at most %d fields", YM_FORM_FIELDS);
    }
    value = equals != NULL ? (struct ym_str){equals + 1, part.n - n - 1} : YM_STR("");
    rc = decode((struct ym_str){part.p, n}, a, &field.name);
    if (rc == YM_OK) {
        rc = decode(value, a, &field.value);
    }
    if (rc == YM_ENOMEM) {
        return ym_err_set(err, rc, "out of memory");
    }
    if (rc != YM_OK || field.name.n == 0) {
        return ym_err_set(err, YM_EINVAL, "field %zu of the form is malformed", form->count + 1);
    }
    if (ym_form_get(form, field.name.p, &held)) {
        return ym_err_set(err, YM_EINVAL, "field %zu of the form was there before",
                          form->count + 1);
    }
    form->items[form->count++] = field;
    return YM_OK;
}

ym_status ym_form_parse(struct ym_str text, struct ym_arena *a, const struct ym_form **ret,
                        struct ym_err *err)
{
    struct ym_form *form = ym_arena_alloc(a, sizeof(*form));
    ym_status rc = YM_OK;
    size_t from = 0;

    if (text.n > YM_FORM_BYTES) {
        return ym_err_set(err, YM_ETOOBIG, "a form has at most %u bytes", YM_FORM_BYTES);
    }
    if (form != NULL) {
        form->items = ym_arena_alloc(a, YM_FORM_FIELDS * sizeof(*form->items));
    }
    if (form == NULL || form->items == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    while (from < text.n && rc == YM_OK) {
        const char *end = memchr(text.p + from, '&', text.n - from);
        size_t n = end != NULL ? (size_t)(end - text.p) - from : text.n - from;
        if (n > 0) {
            rc = add_field((struct ym_str){text.p + from, n}, a, form, err);
        }
        from += n + 1;
    }
    if (rc == YM_OK) {
        *ret = form;
    }
    return rc;
}

bool ym_form_get(const struct ym_form *form, const char *name, struct ym_str *ret)
{
    for (size_t i = 0; form != NULL && i < form->count; i++) {
        if (ym_str_is(form->items[i].name, name)) {
            *ret = form->items[i].value;
            return true;
        }
    }
    return false;
}
