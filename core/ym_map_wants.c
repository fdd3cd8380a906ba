/* SPDX-License-Identifier: Apache-2.0
 * Which members of a record a field table can look at: every pointer of its fields and predicates.
 */
#include "ym_map_priv.h"

struct growth {
    struct ym_want *root;
    struct ym_arena *a;
    bool nomem;
};

static struct ym_want *member(struct growth *g, struct ym_want *of, const char *key)
{
    struct ym_want *w = of != NULL ? ym_want_member(of, ym_str_of(key), g->a) : NULL;
    g->nomem = g->nomem || w == NULL;
    return w;
}

/* Where a pointer leads from an item (or from the record); a step by index wants the whole array. */
static struct ym_want *path(struct growth *g, struct ym_want *item, const struct ym_ptr *p)
{
    struct ym_want *w = p->root ? g->root : item;
    for (size_t i = 0; i < p->seg_count && w != NULL; i++) {
        if (p->segs[i].is_index) {
            w->all = true;
            return w;
        }
        w = ym_want_member(w, (struct ym_str){p->segs[i].key, p->segs[i].n}, g->a);
    }
    g->nomem = g->nomem || w == NULL;
    return w;
}

struct seen {
    struct growth *g;
    struct ym_want *item;
};

static void whole(void *data, const struct ym_ptr *p)
{
    struct seen *s = data;
    struct ym_want *w = path(s->g, s->item, p);
    if (w != NULL) {
        w->all = true;
    }
}

static void grow(struct growth *g, const struct ym_node *nodes, size_t count, struct ym_want *item)
{
    for (size_t i = 0; i < count && !g->nomem; i++) {
        const struct ym_node *n = &nodes[i];
        struct seen here = {g, item};
        struct ym_want *below = item;
        ym_when_pointers(n->when, whole, &here);
        if (n->from != NULL) {
            whole(&here, n->from);
        }
        if (n->codes != NULL) { /* an ambiguous row asks there */
            struct ym_want *extra = member(g, member(g, g->root, "data"), "extra");
            if (extra != NULL) {
                extra->all = true;
            }
        }
        if (n->over != NULL) {
            struct ym_want *list = path(g, item, n->over);
            below = list != NULL ? ym_want_items(list, g->a) : NULL;
            g->nomem = g->nomem || below == NULL;
        }
        struct seen inside = {g, below};
        if (!g->nomem) {
            ym_when_pointers(n->where, whole, &inside);
            grow(g, n->kids, n->kid_count, below);
        }
    }
}

ym_status ym_map_wants(const struct ym_map *m, struct ym_want *root, struct ym_arena *a)
{
    struct growth g = {root, a, false};
    grow(&g, m->nodes, m->node_count, root);
    /* whoever runs the table puts contents to them */
    struct ym_want *attachments = member(&g, root, "attachments");
    if (attachments != NULL) {
        attachments->all = true;
    }
    return g.nomem ? YM_ENOMEM : YM_OK;
}
