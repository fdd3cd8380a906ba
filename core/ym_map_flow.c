/* SPDX-License-Identifier: Apache-2.0
 * Which field tables can be written as JSON from front to end, without a tree that later fields
 * would reach back into (ym_map_write).
 */
#include "ym_json_fast.h"
#include "ym_map_priv.h"

/* Its fields stand in the object around it. */
static bool merges(const struct ym_node *n)
{
    return n->source == YM_SRC_FIELDS && n->to_count == 0;
}

/* Does any field of that object bear this name, other than n itself? */
static bool named_twice(const struct ym_node *nodes, size_t count, const struct ym_node *n)
{
    for (size_t i = 0; i < count; i++) {
        const struct ym_node *o = &nodes[i];
        if (merges(o) ? named_twice(o->kids, o->kid_count, n)
                      : o != n && strcmp(o->to[0], n->to[0]) == 0) {
            return true;
        }
    }
    return false;
}

/* object: the fields at the top of the object that nodes stand in. */
static bool flows(const struct ym_node *nodes, size_t count, const struct ym_node *object,
                  size_t object_count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ym_node *n = &nodes[i];
        if (merges(n)) {
            if (n->encode != YM_ENCODE_NONE ||
                !flows(n->kids, n->kid_count, object, object_count)) {
                return false;
            }
            continue;
        }
        if (n->to_count != 1 || n->encode != YM_ENCODE_NONE ||
            named_twice(object, object_count, n)) {
            return false;
        }
        if (n->source == YM_SRC_FIELDS && !flows(n->kids, n->kid_count, n->kids, n->kid_count)) {
            return false;
        }
    }
    return true;
}

static ym_status label(struct ym_node *nodes, size_t count, struct ym_arena *a)
{
    ym_status rc = YM_OK;
    for (size_t i = 0; i < count && rc == YM_OK; i++) {
        struct ym_node *n = &nodes[i];
        if (n->to_count == 1) {
            struct ym_buf b;
            ym_buf_init(&b, 8 * YM_MAP_POINTER_MAX);
            ym_json_write_text(ym_str_of(n->to[0]), &b);
            ym_buf_addc(&b, ':');
            n->label = (struct ym_str){ym_arena_str(a, ym_buf_str(&b)), b.n};
            rc = b.failed != YM_OK ? b.failed : n->label.p != NULL ? YM_OK : YM_ENOMEM;
            ym_buf_clear(&b);
        }
        if (rc == YM_OK && n->source == YM_SRC_FIELDS) {
            rc = label(n->kids, n->kid_count, a);
        }
    }
    return rc;
}

ym_status ym_map_flow(struct ym_node *nodes, size_t count, struct ym_arena *a, bool *ret)
{
    *ret = flows(nodes, count, nodes, count);
    return *ret ? label(nodes, count, a) : YM_OK;
}
