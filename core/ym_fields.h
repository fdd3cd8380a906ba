/* SPDX-License-Identifier: Apache-2.0
 * The fields of a record that a system takes, from its field tables: what a form asks for, what
 * leaves, and which systems ask for the same.
 */
#ifndef YM_FIELDS_H
#define YM_FIELDS_H

#include "ym_catalog.h"

/* What a form with more patterns than this would be is no form any more. */
#define YM_FIELDS_MAX 1000

struct ym_taken {
    const char *pattern; /* below `data`; "-" stands for any item */
    bool        required;
    long        max; /* characters; 0 = unlimited */
};

struct ym_fields {
    struct ym_taken *items;
    size_t           count;
};

/*
 * What creating a record of that type there takes out of it; each pattern once, required by any of its
 * uses, with the tightest of their limits. YM_ENOMEM.
 */
ym_status ym_fields_of(const struct ym_system *s, const struct ym_type *t, struct ym_arena *a,
                       struct ym_fields *ret);

/* What people call it: the labels (x-label) on the way to a pattern, joined; the pattern when there
 * are none. lang: "zh" or "en". NULL when memory is out. */
const char *ym_field_label(const struct ym_type *t, const char *pattern, const char *lang,
                           struct ym_arena *a);

/* Whether a value at the pattern, or anything that holds it, is x-sensitive, or no field at all. */
bool ym_field_sensitive(const struct ym_type *t, const char *pattern);

#endif
