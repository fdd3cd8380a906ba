/* SPDX-License-Identifier: Apache-2.0
 * Growing the tree of what is wanted (ym_json_want.h).
 */
#include "ym_json_want.h"

struct ym_want *ym_want_member(struct ym_want *of, struct ym_str key, struct ym_arena *a)
{
    struct ym_want **at = &of->kids;

    while (*at != NULL) {
        if ((*at)->key.n == key.n && memcmp((*at)->key.p, key.p, key.n) == 0) {
            return *at;
        }
        at = &(*at)->next;
    }
    *at = ym_arena_alloc(a, sizeof(**at));
    if (*at != NULL) {
        (*at)->key.n = key.n;
        (*at)->key.p = ym_arena_str(a, key);
        if ((*at)->key.p == NULL) {
            *at = NULL;
        }
    }
    return *at;
}

const struct ym_want *ym_want_find(const struct ym_want *of, struct ym_str key)
{
    const struct ym_want *kid = of != NULL ? of->kids : NULL;

    while (kid != NULL && (kid->key.n != key.n || memcmp(kid->key.p, key.p, key.n) != 0)) {
        kid = kid->next;
    }
    return kid;
}

struct ym_want *ym_want_items(struct ym_want *of, struct ym_arena *a)
{
    if (of->items == NULL) {
        of->items = ym_arena_alloc(a, sizeof(*of->items));
    }
    return of->items;
}
