/* SPDX-License-Identifier: Apache-2.0
 * Operations of an adapter: which keys each transport knows, their field tables, and that every
 * name they refer to exists.
 */
#include "ym_adapter_priv.h"

#include <stdio.h>

#define OPERATIONS_MAX 40
#define STATEMENTS_MAX 20
#define NAME_MAX_LEN 40

struct ym_adapter_table {
    const char *name;
    const struct ym_map *map; /* NULL: broken, already reported */
    bool used;
    struct ym_adapter_table *next;
};

/* What an operation may say: keys, and those among them that are field tables. */
struct grammar {
    const char *transport;
    const char *const *keys, *const *tables;
};

#define COMMON "reply", "lookup", "confirm", "idempotent"
static const char *const http_keys[] = {COMMON, "method",    "path",   "query", "headers", "body",
                                        "root", "namespace", "fields", "sign",  NULL};
static const char *const soap_keys[] = {COMMON,      "path",          "headers", "sign", "action",
                                        "operation", "header_fields", "fields",  NULL};
static const char *const form_keys[] = {COMMON,  "page",    "form",   "path", "method",
                                        "query", "headers", "fields", "add",  NULL};
static const char *const sql_keys[] = {COMMON, "statements", NULL};
static const char *const file_keys[] = {COMMON, "name",   "format", "root", "bom", "done",
                                        "dir",  "header", "fields", "read", NULL};
static const char *const handoff_keys[] = {"fields", NULL};

static const char *const http_tables[] = {"fields", "headers", "query", NULL};
static const char *const soap_tables[] = {"fields", "headers", "header_fields", NULL};
static const char *const fields_tables[] = {"fields", NULL};
static const char *const no_tables[] = {NULL};

static const struct grammar grammars[] = {
    {"http", http_keys, http_tables},   {"soap", soap_keys, soap_tables},
    {"form", form_keys, http_tables},   {"sql", sql_keys, no_tables},
    {"file", file_keys, fields_tables}, {"handoff", handoff_keys, fields_tables},
};

static const char *const statement_keys[] = {"guard",  "insert",  "update", "select",
                                             "fields", "columns", "where",  NULL};

static const struct grammar *grammar_of(const char *transport)
{
    for (size_t i = 0; i < YM_COUNT(grammars); i++) {
        if (strcmp(grammars[i].transport, transport) == 0) {
            return &grammars[i];
        }
    }
    return NULL;
}

bool ym_adapter_transport_known(const char *name)
{
    return grammar_of(name) != NULL;
}

static const struct ym_map *compile(struct ym_adapter_load *x, const struct ym_yaml *list)
{
    const struct ym_map *m = NULL;
    if (ym_map_compile_env(list, &x->env, x->a, &m, x->d) == YM_ENOMEM) {
        x->nomem = true;
    }
    return m;
}

/* ---- tables: ---- */

static void load_tables(struct ym_adapter_load *x)
{
    const struct ym_yaml *tables = ym_yaml_get(x->s->node, "tables");
    if (tables != NULL && tables->kind != YM_YAML_MAP) {
        ym_adapter_say(x, tables, "tables maps names to lists of fields");
        return;
    }
    for (const struct ym_yaml *v = tables != NULL ? tables->child : NULL; v != NULL; v = v->next) {
        struct ym_adapter_table *t = ym_adapter_get(x, sizeof(*t));
        if (t == NULL) {
            return;
        }
        t->name = v->key->text.p;
        t->map = compile(x, v);
        t->next = x->named;
        x->named = t;
    }
}

/* A field table: a list, or the name of one in tables:. NULL when it is broken. */
static const struct ym_map *table_of(struct ym_adapter_load *x, const struct ym_yaml *v)
{
    if (v->kind != YM_YAML_SCALAR) {
        return compile(x, v);
    }
    for (struct ym_adapter_table *t = x->named; t != NULL; t = t->next) {
        if (ym_str_is(v->text, t->name)) {
            t->used = true;
            return t->map;
        }
    }
    ym_adapter_say(x, v, "there is no table \"%s\" in tables:", v->text.p);
    return NULL;
}

/* Finds where tables: declares a name, for the message about an unused one. */
static void check_tables_used(struct ym_adapter_load *x)
{
    const struct ym_yaml *tables = ym_yaml_get(x->s->node, "tables");
    for (struct ym_adapter_table *t = x->named; t != NULL; t = t->next) {
        if (!t->used) {
            ym_adapter_say(x, ym_yaml_get(tables, t->name)->key,
                           "table \"%s\" is used by no operation", t->name);
        }
    }
}

/* ---- one operation ---- */

struct op_tables {
    struct ym_op_table *items;
    size_t count;
};

static void add_table(struct ym_adapter_load *x, struct op_tables *ts, const char *place,
                      const struct ym_yaml *v)
{
    const struct ym_map *m = v != NULL ? table_of(x, v) : NULL;
    if (m != NULL) {
        ts->items[ts->count++] = (struct ym_op_table){place, m};
    }
}

static void need_keys(struct ym_adapter_load *x, const struct ym_yaml *st, const char *verb,
                      bool fields, bool columns, bool where)
{
    static const char *const names[] = {"fields", "columns", "where"};
    bool wanted[3] = {fields, columns, where};
    for (int i = 0; i < 3; i++) {
        bool have = ym_yaml_get(st, names[i]) != NULL;
        if (wanted[i] && !have) {
            ym_adapter_say(x, st, "%s needs %s:", verb, names[i]);
        }
        if (!wanted[i] && have) {
            ym_adapter_say(x, ym_yaml_get(st, names[i]), "%s takes no %s:", verb, names[i]);
        }
    }
}

static void load_statement(struct ym_adapter_load *x, const struct ym_yaml *st, size_t index,
                           struct op_tables *ts)
{
    static const char *const verbs[] = {"guard", "insert", "update", "select"};
    const char *verb = NULL;
    ym_yaml_only(st, statement_keys, x->d);
    for (size_t i = 0; i < YM_COUNT(verbs); i++) {
        if (ym_yaml_get(st, verbs[i]) == NULL) {
            continue;
        }
        if (verb != NULL) {
            ym_adapter_say(x, st, "one statement does one thing: %s or %s", verb, verbs[i]);
        }
        verb = verbs[i];
    }
    if (verb == NULL) {
        ym_adapter_say(x, st, "a statement begins with guard, insert, update or select: the table");
        return;
    }
    ym_adapter_text(x, st, verb);
    bool insert = strcmp(verb, "insert") == 0, update = strcmp(verb, "update") == 0;
    need_keys(x, st, verb, insert || update, strcmp(verb, "select") == 0, !insert);
    const char *fields = ym_arena_printf(x->a, "statements[%zu].fields", index);
    const char *where = ym_arena_printf(x->a, "statements[%zu].where", index);
    if (fields == NULL || where == NULL) {
        x->nomem = true;
        return;
    }
    add_table(x, ts, fields, ym_yaml_get(st, "fields"));
    add_table(x, ts, where, ym_yaml_get(st, "where"));
}

static void load_statements(struct ym_adapter_load *x, const struct ym_yaml *node,
                            struct op_tables *ts)
{
    const struct ym_yaml *list = ym_yaml_get(node, "statements");
    size_t i = 0;
    if (list == NULL || list->kind != YM_YAML_LIST || list->count == 0 ||
        list->count > STATEMENTS_MAX) {
        ym_adapter_say(x, list != NULL ? list : node->key,
                       "a sql operation needs statements: a list of 1 to 20");
        return;
    }
    ts->items = ym_adapter_get(x, 2 * list->count * sizeof(*ts->items));
    for (const struct ym_yaml *st = list->child; st != NULL && ts->items != NULL; st = st->next) {
        if (st->kind != YM_YAML_MAP) {
            ym_adapter_say(x, st, "a statement is a map: { insert: table, fields: […] }");
        } else {
            load_statement(x, st, i, ts);
        }
        i++;
    }
}

static bool name_ok(struct ym_str s)
{
    if (s.n == 0 || s.n > NAME_MAX_LEN || s.p[0] < 'a' || s.p[0] > 'z') {
        return false;
    }
    return strspn(s.p, "abcdefghijklmnopqrstuvwxyz0123456789_") == s.n;
}

static const struct ym_want *wants_of(struct ym_adapter_load *x, const struct op_tables *ts)
{
    struct ym_want *root = ym_adapter_get(x, sizeof(*root));
    for (size_t i = 0; root != NULL && i < ts->count; i++) {
        if (ts->items[i].map != NULL && ym_map_wants(ts->items[i].map, root, x->a) != YM_OK) {
            x->nomem = true;
        }
    }
    return root;
}

static void load_operation(struct ym_adapter_load *x, const struct grammar *g,
                           const struct ym_yaml *node, struct ym_operation *op)
{
    struct op_tables ts = {NULL, 0};
    size_t n = 0;
    op->name = node->key->text.p;
    op->node = node;
    if (!name_ok(node->key->text)) {
        ym_adapter_say(x, node->key, "operation names are a-z, 0-9 and _, beginning with a letter");
    }
    if (node->kind != YM_YAML_MAP) {
        ym_adapter_say(x, node, "an operation is a map; see docs/adapter-reference.md");
        return;
    }
    ym_yaml_only(node, g->keys, x->d);
    op->lookup = ym_adapter_text(x, node, "lookup");
    op->confirm = ym_adapter_text(x, node, "confirm");
    op->idempotent = ym_adapter_bool(x, node, "idempotent");
    if (strcmp(g->transport, "sql") == 0) {
        load_statements(x, node, &ts);
    } else {
        while (g->tables[n] != NULL) {
            n++;
        }
        ts.items = ym_adapter_get(x, n * sizeof(*ts.items));
        for (size_t i = 0; i < n && ts.items != NULL; i++) {
            add_table(x, &ts, g->tables[i], ym_yaml_get(node, g->tables[i]));
        }
    }
    op->tables = ts.items;
    op->table_count = ts.count;
    op->wants = wants_of(x, &ts);
}

/* ---- references ---- */

static void reference(struct ym_adapter_load *x, const struct ym_yaml *map, const char *key,
                      const char *self, bool *used)
{
    const struct ym_yaml *v = ym_yaml_get(map, key);
    if (v == NULL || v->kind != YM_YAML_SCALAR) {
        return;
    }
    for (size_t i = 0; i < x->s->operation_count; i++) {
        if (ym_str_is(v->text, x->s->operations[i].name)) {
            used[i] = true;
            if (self != NULL && ym_str_is(v->text, self)) {
                ym_adapter_say(x, v, "%s cannot be the operation itself", key);
            }
            return;
        }
    }
    ym_adapter_say(x, v, "%s: there is no operation \"%s\"", key, v->text.p);
}

static void load_session(struct ym_adapter_load *x, bool *used)
{
    static const char *const keys[] = {"open",     "renew",  "keep", "expires",
                                       "lifetime", "margin", NULL};
    const struct ym_yaml *s = ym_yaml_get(x->s->node, "session");
    if (s == NULL) {
        return;
    }
    if (s->kind != YM_YAML_MAP) {
        ym_adapter_say(x, s, "session is a map: { open: sign_in, lifetime: 20m }");
        return;
    }
    ym_yaml_only(s, keys, x->d);
    if (ym_yaml_get(s, "open") == NULL) {
        ym_adapter_say(x, s, "session needs open: the operation that begins one");
    }
    if (ym_yaml_get(s, "expires") != NULL && ym_yaml_get(s, "lifetime") != NULL) {
        ym_adapter_say(x, ym_yaml_get(s, "lifetime"), "expires and lifetime exclude each other");
    }
    static const char *const spans[] = {"lifetime", "margin"};
    for (size_t i = 0; i < 2; i++) {
        const struct ym_yaml *v = ym_yaml_get(s, spans[i]);
        int64_t ms;
        if (v != NULL && (v->kind != YM_YAML_SCALAR || !ym_duration_parse(v->text, &ms))) {
            ym_adapter_say(x, v, "%s is a duration such as 20m", spans[i]);
        }
    }
    const struct ym_yaml *keep = ym_yaml_get(s, "keep");
    if (keep != NULL && keep->kind != YM_YAML_MAP) {
        ym_adapter_say(x, keep, "keep maps session names to read names");
    }
    ym_adapter_text(x, s, "expires");
    reference(x, s, "open", NULL, used);
    reference(x, s, "renew", NULL, used);
}

/* The reply rules of an operation; a scalar names the operation whose rules it shares. */
static const struct ym_yaml *reply_of(const struct ym_adapter_load *x, const char *name)
{
    const struct ym_yaml *all = ym_yaml_get(x->s->node, "operations");
    const struct ym_yaml *reply = ym_yaml_get(ym_yaml_get(all, name), "reply");

    if (reply != NULL && reply->kind == YM_YAML_SCALAR) {
        reply = ym_yaml_get(ym_yaml_get(all, reply->text.p), "reply");
    }
    return reply;
}

/* What checks numbers must be there, and must know one. */
static void check_verify(struct ym_adapter_load *x)
{
    const struct ym_operation *create = ym_system_operation(x->s, "create");
    const struct ym_yaml *at = ym_yaml_get(ym_yaml_get(x->s->site, "settings"), "verify");

    if (x->s->settings.verify != YM_VERIFY_LOOKUP || create == NULL) {
        return;
    }
    if (at == NULL) {
        at = ym_yaml_get(ym_yaml_get(x->s->node, "settings"), "verify");
    }
    if (create->confirm != NULL) {
        ym_adapter_say(x, at, "verify: create has confirm, whose number is the lookup's already");
    } else if (create->lookup == NULL ||
               ym_yaml_get(ym_yaml_get(reply_of(x, create->lookup), "read"), "number") == NULL) {
        ym_adapter_say(x, at, "verify: lookup needs a lookup of create that reads number");
    }
}

static void check_references(struct ym_adapter_load *x)
{
    static const char *const engine[] = {"create", "update", "withdraw", "probe", NULL};
    bool used[OPERATIONS_MAX] = {false};
    load_session(x, used);
    for (size_t i = 0; i < x->s->operation_count; i++) {
        const struct ym_operation *op = &x->s->operations[i];
        reference(x, op->node, "lookup", op->name, used);
        reference(x, op->node, "confirm", op->name, used);
    }
    for (size_t i = 0; i < x->s->operation_count; i++) {
        const struct ym_operation *op = &x->s->operations[i];
        for (const char *const *e = engine; *e != NULL; e++) {
            used[i] = used[i] || strcmp(op->name, *e) == 0;
        }
        if (!used[i]) {
            ym_adapter_say(x, op->node->key,
                           "operation \"%s\" is never run: name it in lookup, confirm or session, "
                           "or call it create, update, withdraw or probe",
                           op->name);
        }
    }
    if (ym_system_operation(x->s, "create") == NULL) {
        ym_adapter_say(x, ym_yaml_get(x->s->node, "operations")->key,
                       "the operation create is missing");
    }
    check_verify(x);
}

void ym_adapter_operations(struct ym_adapter_load *x)
{
    const struct grammar *g = grammar_of(x->s->transport);
    const struct ym_yaml *node = ym_yaml_get(x->s->node, "operations");
    load_tables(x);
    if (node == NULL || node->kind != YM_YAML_MAP || node->count == 0 ||
        node->count > OPERATIONS_MAX) {
        ym_adapter_say(x, node != NULL ? node : x->s->node,
                       "operations is a map of 1 to 40 operations; create is mandatory");
        return;
    }
    struct ym_operation *ops = ym_adapter_get(x, node->count * sizeof(*ops));
    if (ops == NULL) {
        return;
    }
    size_t n = 0;
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        load_operation(x, g, v, &ops[n++]);
    }
    x->s->operations = ops;
    x->s->operation_count = n;
    check_references(x);
    check_tables_used(x);
}

/* ---- names behind $, masks ---- */

/* Is `$kind.NAME` declared? Names of other kinds are fine. */
static bool declared(const struct ym_adapter_load *x, const char *dollar, const char **ret_where)
{
    const struct ym_yaml *keep = ym_yaml_get(ym_yaml_get(x->s->node, "session"), "keep");
    struct {
        const char *head, *where;
        const struct ym_yaml *map;
        bool now; /* only an enabled system needs its site's values */
    } kinds[] = {
        {"$secret.", "secrets: of its site file", ym_yaml_get(x->s->site, "secrets"),
         x->s->enabled},
        {"$settings.", "vars: of its site file", ym_yaml_get(x->s->site, "vars"), x->s->enabled},
        {"$session.", "session.keep", keep, true},
    };
    for (size_t i = 0; i < YM_COUNT(kinds); i++) {
        size_t n = strlen(kinds[i].head);
        if (strncmp(dollar, kinds[i].head, n) == 0) {
            *ret_where = kinds[i].where;
            return !kinds[i].now || ym_yaml_get(kinds[i].map, dollar + n) != NULL;
        }
    }
    return true;
}

static void check_name(struct ym_adapter_load *x, const char *file, int line, const char *text)
{
    const char *where = "";
    if (text != NULL && text[0] == '$' && !declared(x, text, &where)) {
        ym_diag_add(x->d, file, line, 0, "%s is used here but is not declared in %s", text, where);
    }
}

/* A mask names a whole path of the target or one name of it. */
static bool mask_hits(const char *mask, const char *path)
{
    size_t n = strlen(mask);
    for (const char *p = path; (p = strstr(p, mask)) != NULL; p++) {
        bool from = p == path || p[-1] == '.', to = p[n] == '\0' || p[n] == '.';
        if (from && to) {
            return true;
        }
    }
    return false;
}

static void check_masks(struct ym_adapter_load *x)
{
    const struct ym_yaml *masks = ym_yaml_get(x->s->node, "masks");
    if (masks != NULL && masks->kind != YM_YAML_LIST) {
        ym_adapter_say(x, masks, "masks is a list of target fields");
        return;
    }
    for (const struct ym_yaml *v = masks != NULL ? masks->child : NULL; v != NULL; v = v->next) {
        bool hit = v->kind != YM_YAML_SCALAR;
        for (size_t i = 0; i < x->s->operation_count && !hit; i++) {
            const struct ym_operation *op = &x->s->operations[i];
            for (size_t t = 0; t < op->table_count && !hit; t++) {
                for (size_t k = 0; k < ym_map_leaf_count(op->tables[t].map) && !hit; k++) {
                    hit = mask_hits(v->text.p, ym_map_leaf_at(op->tables[t].map, k)->to);
                }
            }
        }
        if (!hit) {
            ym_adapter_say(x, v, "masks: no operation has a field \"%s\"", v->text.p);
        }
    }
}

bool ym_adapter_table_seen(const struct ym_system *s, size_t op, size_t table)
{
    const struct ym_map *m = s->operations[op].tables[table].map;
    for (size_t i = 0; i <= op; i++) {
        size_t n = i == op ? table : s->operations[i].table_count;
        for (size_t t = 0; t < n; t++) {
            if (s->operations[i].tables[t].map == m) {
                return true;
            }
        }
    }
    return false;
}

void ym_adapter_names(struct ym_adapter_load *x)
{
    for (size_t i = 0; i < x->s->operation_count; i++) {
        const struct ym_operation *op = &x->s->operations[i];
        const struct ym_yaml *params = ym_yaml_get(ym_yaml_get(op->node, "sign"), "params");
        for (size_t t = 0; t < op->table_count; t++) {
            bool seen = ym_adapter_table_seen(x->s, i, t);
            for (size_t k = 0; !seen && k < ym_map_leaf_count(op->tables[t].map); k++) {
                const struct ym_map_leaf *leaf = ym_map_leaf_at(op->tables[t].map, k);
                check_name(x, x->s->file, leaf->line, leaf->constant);
            }
        }
        for (const struct ym_yaml *v = params != NULL ? params->child : NULL; v != NULL;
             v = v->next) {
            if (v->kind == YM_YAML_SCALAR) {
                check_name(x, v->file, v->line, v->text.p);
            }
        }
    }
    check_masks(x);
}
