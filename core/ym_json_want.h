/* SPDX-License-Identifier: Apache-2.0
 * Which members of a JSON document somebody will look at. A reader that knows it passes over the
 * rest without making anything of it (ym_json_read_wanted).
 */
#ifndef YM_JSON_WANT_H
#define YM_JSON_WANT_H

#include "ym_arena.h"

/* One value. Of an object its `kids` are wanted, of an array of every item what `items` says. */
struct ym_want {
    struct ym_str key; /* its own, as a member */
    struct ym_want *next, *kids;
    struct ym_want *items; /* NULL: no item */
    bool all;              /* the value as it is, whatever is below */
};

/* The member, or the items, of a value: made when it is not there yet. NULL when memory is out. */
struct ym_want *ym_want_member(struct ym_want *of, struct ym_str key, struct ym_arena *a);
struct ym_want *ym_want_items(struct ym_want *of, struct ym_arena *a);

/* The member, if anybody wants it. of NULL (everything): NULL as well. */
const struct ym_want *ym_want_find(const struct ym_want *of, struct ym_str key);

#endif
