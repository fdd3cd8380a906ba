/* SPDX-License-Identifier: Apache-2.0
 * SQL statements: text from checked identifiers, every value a bound parameter.
 */
#include "ym_render_int.h"

#include "ym_xml_write.h"

#define PARAMS_MAX 500

bool ym_sql_name(struct ym_str name)
{
    size_t parts = 0;

    for (size_t at = 0; at <= name.n;) {
        const char *dot = at < name.n ? memchr(name.p + at, '.', name.n - at) : NULL;
        size_t n = dot != NULL ? (size_t)(dot - name.p) - at : name.n - at;

        for (size_t i = 0; i < n; i++) {
            char c = name.p[at + i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

            if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
                return false;
            }
        }
        if (n == 0 || n > 63 || ++parts > 3) {
            return false;
        }
        at += n + 1;
    }
    return true;
}

/* One statement under way. */
struct statement {
    struct ym_buf text;
    const char **params;
    size_t count;
};

static ym_status add_param(struct ym_job *j, struct statement *s, const json_t *v)
{
    if (s->count == PARAMS_MAX) {
        return ym_err_set(j->err, YM_ETOOBIG, "a statement has over %d parameters", PARAMS_MAX);
    }
    s->params[s->count] = json_is_null(v) ? NULL : ym_scalar_of(v, j->a);
    if (s->params[s->count] == NULL && !json_is_null(v)) {
        return ym_job_nomem(j);
    }
    s->count++;
    return YM_OK;
}

/* A column of ours and a plain value. */
static ym_status check_column(struct ym_job *j, const char *key, const json_t *v)
{
    if (!ym_sql_name(ym_str_of(key)) || strchr(key, '.') != NULL) {
        return ym_err_set(j->err, YM_EINVAL, "%s is no column name", key);
    }
    if (json_is_array(v) || (json_is_object(v) && json_object_get(v, "#cdata") == NULL)) {
        return ym_err_set(j->err, YM_EINVAL, "column %s takes one value; encode it as json or xml",
                          key);
    }
    return YM_OK;
}

static ym_status add_insert(struct ym_job *j, struct statement *s, const char *table,
                            const json_t *doc)
{
    const char *key;
    json_t *v;
    ym_status rc;

    ym_buf_addf(&s->text, "INSERT INTO %s (", table);
    json_object_foreach((json_t *)doc, key, v)
    {
        ym_buf_addf(&s->text, "%s%s", s->count > 0 ? ", " : "", key);
        if ((rc = check_column(j, key, v)) != YM_OK || (rc = add_param(j, s, v)) != YM_OK) {
            return rc;
        }
    }
    ym_buf_adds(&s->text, ") VALUES (");
    for (size_t i = 0; i < s->count; i++) {
        ym_buf_adds(&s->text, i > 0 ? ", ?" : "?");
    }
    ym_buf_addc(&s->text, ')');
    return s->count > 0 ? YM_OK
                        : ym_err_set(j->err, YM_EINVAL, "an INSERT into %s without columns", table);
}

static ym_status add_where(struct ym_job *j, struct statement *s, const json_t *where)
{
    const char *key;
    json_t *v;
    bool first = true;
    ym_status rc;

    json_object_foreach((json_t *)where, key, v)
    {
        ym_buf_adds(&s->text, first ? " WHERE " : " AND ");
        first = false;
        if ((rc = check_column(j, key, v)) != YM_OK) {
            return rc;
        }
        if (json_is_null(v)) {
            ym_buf_addf(&s->text, "%s IS NULL", key);
        } else {
            ym_buf_addf(&s->text, "%s = ?", key);
            if ((rc = add_param(j, s, v)) != YM_OK) {
                return rc;
            }
        }
    }
    return YM_OK;
}

static ym_status add_update(struct ym_job *j, struct statement *s, const char *table,
                            const json_t *doc, const json_t *where)
{
    const char *key;
    json_t *v;
    ym_status rc;

    if (json_object_size(where) == 0 || json_object_size(doc) == 0) {
        return ym_err_set(j->err, YM_EINVAL, "an UPDATE of %s needs columns and a condition",
                          table);
    }
    ym_buf_addf(&s->text, "UPDATE %s SET ", table);
    json_object_foreach((json_t *)doc, key, v)
    {
        ym_buf_addf(&s->text, "%s%s = ?", s->count > 0 ? ", " : "", key);
        if ((rc = check_column(j, key, v)) != YM_OK || (rc = add_param(j, s, v)) != YM_OK) {
            return rc;
        }
    }
    return add_where(j, s, where);
}

/* Columns that the adapter lists, or those of the condition: a guard's row becomes the reply. */
static ym_status add_select(struct ym_job *j, struct statement *s, const char *table,
                            const struct ym_yaml *columns, const json_t *where)
{
    const char *key;
    json_t *v;
    size_t n = 0;

    if (json_object_size(where) == 0) {
        return ym_err_set(j->err, YM_EINVAL, "a SELECT from %s needs a condition", table);
    }
    ym_buf_adds(&s->text, "SELECT ");
    for (const struct ym_yaml *c = columns != NULL ? columns->child : NULL; c != NULL;
         c = c->next, n++) {
        if (!ym_sql_name(c->text)) {
            return ym_err_set(j->err, YM_EINVAL, "%s is no column name", c->text.p);
        }
        ym_buf_addf(&s->text, "%s%s", n > 0 ? ", " : "", c->text.p);
    }
    if (n == 0) {
        json_object_foreach((json_t *)where, key, v)
        {
            ym_buf_addf(&s->text, "%s%s", n++ > 0 ? ", " : "", key);
        }
    }
    ym_buf_addf(&s->text, " FROM %s", table);
    return add_where(j, s, where);
}

static ym_status build(struct ym_job *j, const struct ym_yaml *node, const json_t *doc,
                       const json_t *where, struct statement *s, struct ym_wire_sql *out)
{
    static const char *const verbs[] = {"guard", "select", "insert", "update"};
    const char *table = NULL;
    size_t verb = 0;

    while (verb < YM_COUNT(verbs) && (table = ym_yaml_text(node, verbs[verb])) == NULL) {
        verb++;
    }
    if (table == NULL || !ym_sql_name(ym_str_of(table))) {
        return ym_err_at(j->err, YM_EINVAL, node->file, node->line, node->column,
                         "a statement needs guard, select, insert or update with a table's name");
    }
    out->guard = verb == 0;
    out->is_query = verb <= 1;
    if (verb <= 1) {
        return add_select(j, s, table, ym_yaml_get(node, "columns"), where);
    }
    return verb == 2 ? add_insert(j, s, table, doc) : add_update(j, s, table, doc, where);
}

static ym_status render_one(struct ym_job *j, const struct ym_yaml *node, size_t index,
                            struct ym_wire_sql *out)
{
    const char *fields = ym_arena_printf(j->a, "statements[%zu].fields", index);
    const char *conditions = ym_arena_printf(j->a, "statements[%zu].where", index);
    struct statement s = {.count = 0};
    struct ym_str text = YM_STR("");
    json_t *doc = NULL, *where = NULL;
    ym_status rc;

    s.params = ym_arena_alloc(j->a, PARAMS_MAX * sizeof(*s.params));
    if (fields == NULL || conditions == NULL || s.params == NULL) {
        return ym_job_nomem(j);
    }
    if ((rc = ym_job_table(j, fields, &doc)) != YM_OK ||
        (rc = ym_job_table(j, conditions, &where)) != YM_OK) {
        return rc;
    }
    ym_buf_init(&s.text, 65536);
    rc = build(j, node, doc, where, &s, out);
    if (rc != YM_OK) {
        ym_buf_clear(&s.text);
        return rc;
    }
    rc = ym_job_take(j, &s.text, &text);
    out->text = text.p;
    out->params = s.params;
    out->param_count = s.count;
    return rc;
}

ym_status ym_render_sql(struct ym_job *j)
{
    const struct ym_yaml *list = ym_yaml_get(j->op->node, "statements");
    ym_status rc = YM_OK;

    j->w->kind = YM_WIRE_SQL;
    if (list == NULL || list->kind != YM_YAML_LIST) {
        return ym_err_set(j->err, YM_EINVAL, "operation %s has no statements", j->op->name);
    }
    j->w->statements = ym_arena_alloc(j->a, (list->count + 1) * sizeof(*j->w->statements));
    if (j->w->statements == NULL) {
        return ym_job_nomem(j);
    }
    for (const struct ym_yaml *n = list->child; n != NULL && rc == YM_OK; n = n->next) {
        rc = render_one(j, n, j->w->statement_count, &j->w->statements[j->w->statement_count]);
        j->w->statement_count += rc == YM_OK;
    }
    return rc;
}
