/* SPDX-License-Identifier: Apache-2.0
 * Bodies of forms: application/x-www-form-urlencoded (WHATWG URL §5.1), strictly.
 */
#ifndef YM_FORM_BODY_H
#define YM_FORM_BODY_H

#include "ym_arena.h"
#include "ym_err.h"

#define YM_FORM_BYTES (64u << 10)
#define YM_FORM_FIELDS 64

struct ym_form_field {
    struct ym_str name, value; /* decoded; NUL-terminated as well */
};

struct ym_form {
    size_t count;
    struct ym_form_field *items;
};

/*
 * Refused: too much, a malformed percent-encoding, a NUL, text that is not UTF-8, a field without a
 * name, a name that stands twice. A field without "=" has the value "". The result lives in a; err
 * never quotes a value.
 */
ym_status ym_form_parse(struct ym_str text, struct ym_arena *a, const struct ym_form **ret,
                        struct ym_err *err);

/* False when there is no such field. form may be NULL. */
bool ym_form_get(const struct ym_form *form, const char *name, struct ym_str *ret);

#endif
