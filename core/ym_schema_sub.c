/* SPDX-License-Identifier: Apache-2.0
 * Readers of keywords that hold subschemas, names and references.
 */
#include "ym_schema_priv.h"

static bool is_object(struct ym_scompile *c, const char *name, const json_t *value,
                      const struct ym_spath *at)
{
    if (!json_is_object(value)) {
        ym_schema_fault(c, at, "%s is an object", name);
        return false;
    }
    return true;
}

/* ---- members ---- */

static void members_index(struct ym_scompile *c, struct ym_sobject *o)
{
    size_t n = 8;

    while (n < o->member_count * 2) {
        n *= 2;
    }
    o->slots = ym_schema_alloc(c, n * sizeof(*o->slots));
    if (o->slots == NULL) {
        return;
    }
    o->slot_mask = n - 1;
    for (size_t i = 0; i < o->member_count; i++) {
        size_t at = ym_schema_hash(o->members[i].name) & o->slot_mask;

        while (o->slots[at] != 0) {
            at = (at + 1) & o->slot_mask;
        }
        o->slots[at] = (uint32_t)i + 1;
    }
}

void ym_schema_sub_members(struct ym_scompile *c, struct ym_snode *n, const char *name,
                           json_t *value, const struct ym_spath *at)
{
    struct ym_sobject *o = ym_schema_obj(c, n);
    struct ym_smember *list = NULL;
    const char *key = NULL;
    json_t *sub = NULL;
    size_t count = 0;

    if (o == NULL || !is_object(c, name, value, at)) {
        return;
    }
    list = ym_schema_alloc(c, json_object_size(value) * sizeof(*list));
    if (list == NULL) {
        return;
    }
    json_object_foreach(value, key, sub)
    {
        struct ym_spath here = {at, key, 0};

        list[count].name = key;
        list[count].node = ym_schema_node(c, sub, &here);
        count++;
    }
    o->members = list;
    o->member_count = count;
    members_index(c, o);
}

void ym_schema_sub_patterns(struct ym_scompile *c, struct ym_snode *n, const char *name,
                            json_t *value, const struct ym_spath *at)
{
    struct ym_sobject *o = ym_schema_obj(c, n);
    const char *key = NULL;
    json_t *sub = NULL;

    if (o == NULL || !is_object(c, name, value, at)) {
        return;
    }
    o->patterns = ym_schema_alloc(c, json_object_size(value) * sizeof(*o->patterns));
    if (o->patterns == NULL) {
        return;
    }
    json_object_foreach(value, key, sub)
    {
        struct ym_spath here = {at, key, 0};
        struct ym_spattern *p = &o->patterns[o->pattern_count];
        json_t *text = json_string(key);

        p->code = ym_schema_pattern(c, text, &here);
        p->node = ym_schema_node(c, sub, &here);
        json_decref(text);
        o->pattern_count++;
    }
}

/* ---- one subschema, or a list ---- */

static struct ym_slogic *logic_of(struct ym_scompile *c, struct ym_snode *n)
{
    if (n->logic == NULL) {
        n->logic = ym_schema_alloc(c, sizeof(*n->logic));
    }
    return n->logic;
}

/* Where the subschema of a keyword goes; NULL when memory is out. */
static const struct ym_snode **place_of(struct ym_scompile *c, struct ym_snode *n, const char *name)
{
    if (strcmp(name, "items") == 0) {
        return ym_schema_arr(c, n) == NULL ? NULL : &n->arr->items;
    }
    if (strcmp(name, "contains") == 0) {
        return ym_schema_arr(c, n) == NULL ? NULL : &n->arr->contains;
    }
    if (strcmp(name, "additionalProperties") == 0) {
        return ym_schema_obj(c, n) == NULL ? NULL : &n->obj->additional;
    }
    if (strcmp(name, "propertyNames") == 0) {
        return ym_schema_obj(c, n) == NULL ? NULL : &n->obj->names;
    }
    if (logic_of(c, n) == NULL) {
        return NULL;
    }
    if (strcmp(name, "not") == 0) {
        return &n->logic->no;
    }
    if (strcmp(name, "if") == 0) {
        return &n->logic->condition;
    }
    return strcmp(name, "then") == 0 ? &n->logic->then : &n->logic->otherwise;
}

void ym_schema_sub_one(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                       const struct ym_spath *at)
{
    const struct ym_snode **place = place_of(c, n, name);

    if (place != NULL) {
        *place = ym_schema_node(c, value, at);
    }
}

void ym_schema_sub_list(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                        const struct ym_spath *at)
{
    const struct ym_snode **list = NULL;
    struct ym_slist made = {0};

    if (!json_is_array(value) || json_array_size(value) == 0) {
        ym_schema_fault(c, at, "%s is a list with at least one schema", name);
        return;
    }
    list = ym_schema_alloc(c, json_array_size(value) * sizeof(*list));
    for (size_t i = 0; list != NULL && i < json_array_size(value); i++) {
        struct ym_spath here = {at, NULL, i};

        list[i] = ym_schema_node(c, json_array_get(value, i), &here);
    }
    if (list == NULL) {
        return;
    }
    made = (struct ym_slist){list, json_array_size(value)};
    if (strcmp(name, "prefixItems") == 0) {
        if (ym_schema_arr(c, n) != NULL) {
            n->arr->prefix = made.nodes;
            n->arr->prefix_count = made.count;
        }
    } else if (logic_of(c, n) != NULL) {
        *(name[1] == 'l'                     ? &n->logic->all
          : name[1] == 'n' && name[0] == 'a' ? &n->logic->any
                                             : &n->logic->one) = made;
    }
}

/* ---- names ---- */

/* A NULL-terminated list of different names; NULL with a diagnostic when it is none. */
static const char *const *names_read(struct ym_scompile *c, const char *name, const json_t *value,
                                     const struct ym_spath *at)
{
    size_t count = json_array_size(value);
    const char **list = NULL;

    if (!json_is_array(value)) {
        ym_schema_fault(c, at, "%s is a list of names", name);
        return NULL;
    }
    list = ym_schema_alloc(c, (count + 1) * sizeof(*list));
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = json_string_value(json_array_get(value, i));
        for (size_t j = 0; j < i && list[i] != NULL; j++) {
            if (strcmp(list[i], list[j]) == 0) {
                list[i] = NULL;
            }
        }
        if (list[i] == NULL) {
            ym_schema_fault(c, at, "%s is a list of different names", name);
            return NULL;
        }
    }
    return list;
}

void ym_schema_sub_required(struct ym_scompile *c, struct ym_snode *n, const char *name,
                            json_t *value, const struct ym_spath *at)
{
    if (ym_schema_obj(c, n) != NULL) {
        n->obj->required = names_read(c, name, value, at);
    }
}

/* Room for more dependencies behind those already there. */
static struct ym_sdepend *depends_grow(struct ym_scompile *c, struct ym_snode *n, size_t more)
{
    struct ym_sobject *o = ym_schema_obj(c, n);
    struct ym_sdepend *list = NULL;

    if (o == NULL) {
        return NULL;
    }
    list = ym_schema_alloc(c, (o->depend_count + more) * sizeof(*list));
    if (list != NULL && o->depend_count > 0) {
        memcpy(list, o->depends, o->depend_count * sizeof(*list));
    }
    return list;
}

static void depends_read(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at, bool schemas)
{
    struct ym_sdepend *list = NULL;
    const char *key = NULL;
    json_t *sub = NULL;
    size_t count = 0;

    if (!is_object(c, name, value, at)) {
        return;
    }
    list = depends_grow(c, n, json_object_size(value));
    if (list == NULL) {
        return;
    }
    count = n->obj->depend_count;
    json_object_foreach(value, key, sub)
    {
        struct ym_spath here = {at, key, 0};

        list[count].name = key;
        if (schemas) {
            list[count].node = ym_schema_node(c, sub, &here);
        } else {
            list[count].required = names_read(c, name, sub, &here);
        }
        count++;
    }
    n->obj->depends = list;
    n->obj->depend_count = count;
}

void ym_schema_sub_depend_required(struct ym_scompile *c, struct ym_snode *n, const char *name,
                                   json_t *value, const struct ym_spath *at)
{
    depends_read(c, n, name, value, at, false);
}

void ym_schema_sub_depend_schemas(struct ym_scompile *c, struct ym_snode *n, const char *name,
                                  json_t *value, const struct ym_spath *at)
{
    depends_read(c, n, name, value, at, true);
}

/* ---- references ---- */

void ym_schema_sub_defs(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                        const struct ym_spath *at)
{
    const char *key = NULL;
    json_t *sub = NULL;

    (void)n;
    if (!is_object(c, name, value, at)) {
        return;
    }
    json_object_foreach(value, key, sub)
    {
        struct ym_spath here = {at, key, 0};

        (void)ym_schema_node(c, sub, &here);
    }
}

void ym_schema_sub_ref(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                       const struct ym_spath *at)
{
    struct ym_sref *r = ym_schema_alloc(c, sizeof(*r));

    if (!json_is_string(value)) {
        ym_schema_fault(c, at, "%s is a text", name);
    } else if (r != NULL) {
        n->ref_line = ym_schema_line(c->text, at);
        *r = (struct ym_sref){c->refs, n, json_string_value(value), n->ref_line};
        c->refs = r;
    }
}

void ym_schema_sub_anchor(struct ym_scompile *c, struct ym_snode *n, const char *name,
                          json_t *value, const struct ym_spath *at)
{
    const char *z = json_string_value(value);
    struct ym_sanchor *an = ym_schema_alloc(c, sizeof(*an));

    if (z == NULL || z[0] == '\0' || strpbrk(z, "/# ") != NULL) {
        ym_schema_fault(c, at, "%s is a plain name", name);
        return;
    }
    for (struct ym_sanchor *old = c->anchors; old != NULL; old = old->next) {
        if (strcmp(old->name, z) == 0) {
            ym_schema_fault(c, at, "%s \"%.60s\" is already used", name, z);
        }
    }
    if (an != NULL) {
        *an = (struct ym_sanchor){c->anchors, z, n};
        c->anchors = an;
    }
}
