/* SPDX-License-Identifier: Apache-2.0
 * Which attachments a field table sends inline: items of `each: /attachments` whose /content it reads.
 */
#include "ym_map_priv.h"

struct walk {
    const json_t *list;
    struct ym_view view;
    ym_map_content_fn *each;
    void *data;
};

static bool reads_content(const struct ym_node *n)
{
    if (n->from != NULL && !n->from->root && strcmp(n->from->text, "/content") == 0) {
        return true;
    }
    for (size_t i = 0; i < n->kid_count; i++) {
        if (reads_content(&n->kids[i])) {
            return true;
        }
    }
    return false;
}

static void items(struct walk *w, const struct ym_node *n)
{
    for (size_t i = 0; i < json_array_size(w->list); i++) {
        json_t *item = json_array_get(w->list, i);
        struct ym_frame frame = {NULL, n->over, i, item};
        struct ym_view view = w->view;

        view.frame = &frame;
        if (n->where != NULL && !ym_when_eval(n->where, &view)) {
            continue;
        }
        w->each(w->data, i, item);
        if (n->how == YM_OVER_FIRST) {
            return;
        }
    }
}

static void nodes(struct walk *w, const struct ym_node *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ym_node *n = &list[i];
        bool here = n->how != YM_OVER_NONE && n->over != NULL && n->over->root &&
                    strcmp(n->over->text, "/attachments") == 0;

        if (n->when != NULL && !ym_when_relative(n->when) && !ym_when_eval(n->when, &w->view)) {
            continue;
        }
        if (here && reads_content(n)) {
            items(w, n);
        } else if (!here) {
            nodes(w, n->kids, n->kid_count);
        }
    }
}

void ym_map_contents(const struct ym_map *m, const json_t *record, ym_map_content_fn *each,
                     void *data)
{
    struct walk w = {json_object_get(record, "attachments"),
                     {.record = record, .values = NULL, .remap = NULL, .frame = NULL},
                     each,
                     data};

    if (json_array_size(w.list) > 0) {
        nodes(&w, m->nodes, m->node_count);
    }
}
