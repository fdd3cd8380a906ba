/* SPDX-License-Identifier: Apache-2.0
 * Compiles a schema: one node per subschema, references bound, circles without end refused.
 */
#include "ym_schema_priv.h"

#include <stdarg.h>
#include <stdio.h>

void *ym_schema_alloc(struct ym_scompile *c, size_t size)
{
    void *p = ym_arena_alloc(c->a, size);

    c->out_of_memory = c->out_of_memory || p == NULL;
    return p;
}

void ym_schema_fault(struct ym_scompile *c, const struct ym_spath *at, const char *fmt, ...)
{
    char message[YM_ERR_MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    ym_diag_add(c->d, c->file, ym_schema_line(c->text, at), 0, "%s", message);
}

uint32_t ym_schema_hash(const char *key)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *key != '\0'; key++) {
        h = (h ^ (unsigned char)*key) * 16777619u;
    }
    return h ^ (h >> 15);
}

/* ---- nodes ---- */

static void rules_read(struct ym_scompile *c, struct ym_snode *n, const struct ym_spath *at)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)n->json, key, value)
    {
        struct ym_spath here = {at, key, 0};

        if (!ym_schema_keyword(c, n, key, value, &here)) {
            ym_schema_fault(
                c, &here,
                "the keyword \"%.60s\" is not in the supported subset (docs/types.md); "
                "the nearest supported word is \"%s\"",
                key, ym_schema_nearest(key, ym_schema_keyword_name, ym_schema_keyword_count()));
        }
    }
}

struct ym_snode *ym_schema_node(struct ym_scompile *c, json_t *json, const struct ym_spath *at)
{
    struct ym_snode *n = NULL;

    if (!json_is_object(json) && !json_is_boolean(json)) {
        ym_schema_fault(c, at, "a schema is an object, true or false");
        return NULL;
    }
    if (c->depth == YM_SCHEMA_DEPTH) {
        ym_schema_fault(c, at, "the schema is nested more than %d deep", YM_SCHEMA_DEPTH);
        return NULL;
    }
    n = ym_schema_alloc(c, sizeof(*n));
    if (n == NULL) {
        return NULL;
    }
    n->json = json;
    n->next = c->nodes;
    c->nodes = n;
    if (json_is_boolean(json)) {
        n->kind = json_is_true(json) ? YM_S_ALWAYS : YM_S_NEVER;
        return n;
    }
    c->depth++;
    rules_read(c, n, at);
    c->depth--;
    return n;
}

/* ---- references ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A URI fragment's text in place of itself, percent-decoded; NULL when memory is out. */
static char *fragment_decode(struct ym_scompile *c, const char *fragment)
{
    char *out = ym_schema_alloc(c, strlen(fragment) + 1);
    size_t n = 0;

    for (const char *p = fragment; out != NULL && *p != '\0'; p++) {
        int high = *p == '%' ? hex_value(p[1]) : -1;
        int low = high >= 0 ? hex_value(p[2]) : -1;

        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            p += 2;
        } else {
            out[n++] = *p;
        }
    }
    return out;
}

/* One RFC 6901 token from *p up to the next slash, unescaped into out. */
static void token_read(const char **p, char *out)
{
    for (; **p != '\0' && **p != '/'; (*p)++) {
        if (**p == '~' && ((*p)[1] == '0' || (*p)[1] == '1')) {
            (*p)++;
            *out++ = **p == '0' ? '~' : '/';
        } else {
            *out++ = **p;
        }
    }
    *out = '\0';
}

/* Array index in canonical form, or SIZE_MAX. */
static size_t index_read(const char *z)
{
    size_t v = 0;

    if (*z == '\0' || (*z == '0' && z[1] != '\0') || strlen(z) > 9) {
        return SIZE_MAX;
    }
    for (; *z != '\0'; z++) {
        if (*z < '0' || *z > '9') {
            return SIZE_MAX;
        }
        v = v * 10 + (size_t)(*z - '0');
    }
    return v;
}

/* The node of the subschema at pointer, compiled now if nothing led there yet. */
static struct ym_snode *pointer_follow(struct ym_scompile *c, const char *pointer)
{
    json_t *json = c->root;
    const struct ym_spath *path = NULL;

    while (*pointer == '/' && json != NULL) {
        char *token = ym_schema_alloc(c, strlen(pointer) + 1);
        struct ym_spath *step = ym_schema_alloc(c, sizeof(*step));

        if (token == NULL || step == NULL) {
            return NULL;
        }
        pointer++;
        token_read(&pointer, token);
        *step = (struct ym_spath){path, token, 0};
        if (json_is_array(json)) {
            *step = (struct ym_spath){path, NULL, index_read(token)};
            json = json_array_get(json, step->index);
        } else {
            json = json_object_get(json, token);
        }
        path = step;
    }
    if (json == NULL || *pointer != '\0') {
        return NULL;
    }
    for (struct ym_snode *n = c->nodes; n != NULL; n = n->next) {
        if (n->json == json) {
            return n;
        }
    }
    return ym_schema_node(c, json, path);
}

static struct ym_snode *ref_find(struct ym_scompile *c, const char *target)
{
    size_t id_len = c->id == NULL ? 0 : strlen(c->id);
    char *fragment = NULL;

    if (id_len > 0 && strncmp(target, c->id, id_len) == 0 &&
        (target[id_len] == '#' || target[id_len] == '\0')) {
        target += id_len;
    } else if (target[0] != '#') {
        return NULL;
    }
    fragment = fragment_decode(c, target[0] == '#' ? target + 1 : target);
    if (fragment == NULL) {
        return NULL;
    }
    if (fragment[0] == '/' || fragment[0] == '\0') {
        return pointer_follow(c, fragment);
    }
    for (struct ym_sanchor *an = c->anchors; an != NULL; an = an->next) {
        if (strcmp(an->name, fragment) == 0) {
            return an->node;
        }
    }
    return NULL;
}

/* Binding may compile new nodes, which may bring new references: until none is left. */
static void refs_bind(struct ym_scompile *c)
{
    while (c->refs != NULL && !c->out_of_memory) {
        struct ym_sref *r = c->refs;

        c->refs = r->next;
        r->node->ref = ref_find(c, r->target);
        if (r->node->ref == NULL) {
            ym_diag_add(c->d, c->file, r->line, 0,
                        "\"$ref\": \"%.120s\" is not found in this file; only local references "
                        "(\"#\", \"#/$defs/name\", \"#anchor\") are supported",
                        r->target);
        }
    }
}

/* ---- chains that stay at one place of the value ---- */

static int chain(struct ym_scompile *c, struct ym_snode *n);

static int list_chain(struct ym_scompile *c, const struct ym_slist *list)
{
    int most = 0;

    for (size_t i = 0; i < list->count; i++) {
        int n = chain(c, (struct ym_snode *)list->nodes[i]);

        most = n > most ? n : most;
    }
    return most;
}

static int logic_chain(struct ym_scompile *c, const struct ym_slogic *l)
{
    struct ym_snode *const single[] = {(struct ym_snode *)l->no, (struct ym_snode *)l->condition,
                                       (struct ym_snode *)l->then, (struct ym_snode *)l->otherwise};
    const struct ym_slist list = {(const struct ym_snode *const *)single, YM_COUNT(single)};
    int most = list_chain(c, &list);
    int n = list_chain(c, &l->all);

    most = n > most ? n : most;
    n = list_chain(c, &l->any);
    most = n > most ? n : most;
    n = list_chain(c, &l->one);
    return n > most ? n : most;
}

/* Longest chain of subschemas that rule the same value; a circle is a fault and counts 1. */
static int chain(struct ym_scompile *c, struct ym_snode *n)
{
    int most = 0, k = 0;

    if (n == NULL || n->visit > 0) {
        return n == NULL ? 0 : n->visit;
    }
    if (n->visit < 0) {
        ym_diag_add(c->d, c->file, n->ref_line, 0,
                    "the schema refers to itself without going deeper into the value: such a "
                    "check would never end");
        return 1;
    }
    n->visit = -1;
    most = chain(c, (struct ym_snode *)n->ref);
    if (n->logic != NULL) {
        k = logic_chain(c, n->logic);
        most = k > most ? k : most;
    }
    for (size_t i = 0; n->obj != NULL && i < n->obj->depend_count; i++) {
        k = chain(c, (struct ym_snode *)n->obj->depends[i].node);
        most = k > most ? k : most;
    }
    n->visit = most + 1;
    return n->visit;
}

ym_status ym_schema_compile(json_t *root, const char *file, struct ym_str text,
                            ym_schema_codes_fn codes, void *codes_data, struct ym_arena *a,
                            const struct ym_schema **ret, struct ym_diag *d)
{
    struct ym_scompile c = {.file = file,
                            .text = text,
                            .codes = codes,
                            .codes_data = codes_data,
                            .a = a,
                            .d = d,
                            .root = root,
                            .id = ym_json_str(root, "$id")};
    struct ym_schema *s = ym_schema_alloc(&c, sizeof(*s));
    size_t faults = d->total;

    if (s == NULL) {
        return YM_ENOMEM;
    }
    s->root = ym_schema_node(&c, root, NULL);
    refs_bind(&c);
    if (c.out_of_memory) {
        return YM_ENOMEM;
    }
    for (struct ym_snode *n = c.nodes; n != NULL && d->total == faults; n = n->next) {
        if (chain(&c, n) > YM_SCHEMA_DEPTH) {
            ym_diag_add(d, file, n->ref_line, 0, "a chain of references is longer than %d",
                        YM_SCHEMA_DEPTH);
        }
    }
    if (d->total != faults) {
        return YM_EINVAL;
    }
    s->keys = json_object_get(root, "x-keys");
    s->label = json_object_get(root, "x-label");
    *ret = s;
    return YM_OK;
}

/* ---- finding a place ---- */

static const struct ym_snode *step_into(const struct ym_snode *n, const char *token)
{
    const struct ym_snode *found = NULL;

    for (; n != NULL && found == NULL; n = n->ref) {
        if (strcmp(token, "-") == 0 && n->arr != NULL) {
            found = n->arr->items;
        }
        for (size_t i = 0; n->obj != NULL && i < n->obj->member_count; i++) {
            if (strcmp(n->obj->members[i].name, token) == 0) {
                found = n->obj->members[i].node;
            }
        }
    }
    return found;
}

const struct ym_snode *ym_schema_at(const struct ym_schema *s, const char *pointer)
{
    const struct ym_snode *n = s->root;
    char token[128];

    while (*pointer == '/' && n != NULL) {
        size_t len = strcspn(pointer + 1, "/");

        if (len >= sizeof(token)) {
            return NULL;
        }
        pointer++;
        token_read(&pointer, token);
        n = step_into(n, token);
    }
    return *pointer == '\0' ? n : NULL;
}
