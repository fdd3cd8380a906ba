/* SPDX-License-Identifier: Apache-2.0
 * Files for drop folders (CSV, XML), the names that a lookup fetches, and copy cards.
 */
#include "ym_render_int.h"

#include "ym_csv.h"
#include "ym_xml_write.h"

#include <strings.h>

static bool yes(const struct ym_job *j, const char *key, bool def)
{
    const char *v = ym_yaml_text(j->op->node, key);

    return v != NULL ? strcmp(v, "true") == 0 : def;
}

static const struct ym_pair *pair_of(const struct ym_pairs *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i].name, name) == 0) {
            return &p->items[i];
        }
    }
    return NULL;
}

/* The table's targets in order, each once: columns stay where they are when a value is missing. */
static ym_status columns_of(struct ym_job *j, const struct ym_map *m, struct ym_pairs *columns)
{
    for (size_t i = 0; i < ym_map_leaf_count(m); i++) {
        const char *to = ym_map_leaf_at(m, i)->to;

        if (pair_of(columns, to) == NULL) {
            ym_status rc = ym_pairs_add(j, columns, to, "");

            if (rc != YM_OK) {
                return rc;
            }
        }
    }
    return YM_OK;
}

static void add_row(struct ym_buf *b, const struct ym_pairs *columns, const struct ym_pairs *values)
{
    for (size_t i = 0; i < columns->count; i++) {
        const struct ym_pair *v = values != NULL ? pair_of(values, columns->items[i].name) : NULL;
        const char *text = values == NULL                  ? columns->items[i].name
                           : v != NULL && v->value != NULL ? v->value
                                                           : "";

        ym_csv_add_cell(b, ym_str_of(text), i == 0, values != NULL);
    }
    ym_buf_adds(b, "\r\n");
}

static ym_status csv(struct ym_job *j, const json_t *doc, struct ym_buf *b)
{
    const struct ym_map *m = ym_job_map(j, "fields");
    struct ym_pairs columns = {NULL, 0, 0}, values = {NULL, 0, 0};
    ym_status rc = m != NULL ? columns_of(j, m, &columns) : YM_OK;

    if (rc == YM_OK) {
        rc = ym_pairs_flatten(j, doc, &values);
    }
    for (size_t i = 0; rc == YM_OK && i < values.count; i++) {
        if (pair_of(&columns, values.items[i].name) == NULL ||
            pair_of(&values, values.items[i].name) != &values.items[i]) {
            rc = ym_err_set(j->err, YM_EUNSUPPORTED,
                            "%s has several values; one CSV row takes one each (use join or first)",
                            values.items[i].name);
        }
    }
    if (rc != YM_OK) {
        return rc;
    }
    if (yes(j, "header", true)) {
        add_row(b, &columns, NULL);
    }
    add_row(b, &columns, &values);
    return YM_OK;
}

static ym_status content(struct ym_job *j, const json_t *doc, struct ym_str *ret)
{
    bool xml = strcmp(ym_job_text(j, "format", "csv"), "xml") == 0;
    struct ym_buf b;
    ym_status rc;

    ym_buf_init(&b, YM_RENDER_BYTES);
    if (yes(j, "bom", false)) {
        ym_buf_adds(&b, "\xEF\xBB\xBF"); /* U+FEFF: becomes the charset's own mark */
    }
    if (xml) {
        ym_buf_addf(&b, "<?xml version=\"1.0\" encoding=\"%s\"?>\r\n", j->charset);
        rc = ym_xml_element(&b, ym_job_text(j, "root", "record"), doc, NULL, NULL, j->err);
        ym_buf_adds(&b, "\r\n");
    } else {
        rc = csv(j, doc, &b);
    }
    if (rc != YM_OK) {
        ym_buf_wipe(&b);
        return rc;
    }
    return ym_job_take(j, &b, ret);
}

/* `read:` of a lookup: names below the endpoint, fetched in turn. */
static ym_status read_names(struct ym_job *j, const struct ym_yaml *list)
{
    const char **names = ym_arena_alloc(j->a, (list->count + 2) * sizeof(*names));
    const struct ym_yaml *n = list->kind == YM_YAML_LIST ? list->child : list;
    size_t count = 0;

    if (names == NULL) {
        return ym_job_nomem(j);
    }
    for (; n != NULL; n = list->kind == YM_YAML_LIST ? n->next : NULL) {
        ym_status rc = ym_job_fill(j, n->text.p, j->w->file_name, &names[count++]);

        if (rc != YM_OK) {
            return rc;
        }
    }
    j->w->file_probe = true;
    j->w->read_names = names;
    return YM_OK;
}

static ym_status file_names(struct ym_job *j)
{
    const char *name = ym_yaml_text(j->op->node, "name");
    const char *done = ym_yaml_text(j->op->node, "done");
    const struct ym_operation *create = ym_system_operation(j->sys, "create");
    ym_status rc;

    if (name == NULL && create != NULL) {
        name = ym_yaml_text(create->node, "name"); /* a lookup asks for the file create wrote */
    }
    if (name == NULL) {
        return ym_err_set(j->err, YM_EINVAL, "operation %s has no name for its file", j->op->name);
    }
    if ((rc = ym_job_fill(j, name, NULL, &j->w->file_name)) != YM_OK) {
        return rc;
    }
    j->w->temp_name = ym_arena_printf(j->a, "%s.tmp", j->w->file_name);
    j->w->file_dir = ym_job_text(j, "dir", "");
    if (j->w->temp_name == NULL) {
        return ym_job_nomem(j);
    }
    return done != NULL && strcmp(done, "") != 0
               ? ym_job_fill(j, done, j->w->file_name, &j->w->done_name)
               : YM_OK;
}

ym_status ym_render_file(struct ym_job *j)
{
    const struct ym_yaml *read = ym_yaml_get(j->op->node, "read");
    struct ym_str text = YM_STR("");
    json_t *doc = NULL;
    ym_status rc = file_names(j);

    j->w->kind = YM_WIRE_FILE;
    if (rc != YM_OK || read != NULL) {
        return rc == YM_OK ? read_names(j, read) : rc;
    }
    if ((rc = ym_job_table(j, "fields", &doc)) != YM_OK || (rc = content(j, doc, &text)) != YM_OK) {
        return rc;
    }
    return ym_job_encode(j, text, &j->w->body);
}

ym_status ym_render_card(struct ym_job *j)
{
    struct ym_pairs p = {NULL, 0, 0};
    json_t *doc = NULL;
    ym_status rc = ym_job_table(j, "fields", &doc);

    j->w->kind = YM_WIRE_CARD;
    if (rc == YM_OK) {
        rc = ym_pairs_flatten(j, doc, &p);
    }
    for (size_t i = 0; rc == YM_OK && i < p.count; i++) {
        p.items[i].value = p.items[i].value != NULL ? p.items[i].value : "";
    }
    j->w->fields = p.items;
    j->w->field_count = p.count;
    return rc;
}
