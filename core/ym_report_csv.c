/* SPDX-License-Identifier: Apache-2.0
 * Reports as tables for spreadsheets: RFC 4180 with a byte-order mark, CRLF, nothing that a
 * spreadsheet would run.
 */
#include "ym_csv.h"
#include "ym_json.h"
#include "ym_report.h"

struct table {
    struct ym_buf *out;
    const char *lang;
    bool begun; /* a cell stands in this line */
};

static void cell(struct table *t, const char *text)
{
    ym_csv_add_cell(t->out, ym_str_of(text != NULL ? text : ""), !t->begun, true);
    t->begun = true;
}

static void cell_number(struct table *t, const json_t *object, const char *key)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld",
             (long long)json_integer_value(json_object_get(object, key)));
    cell(t, text);
}

static void line(struct table *t)
{
    ym_buf_adds(t->out, "\r\n");
    t->begun = false;
}

static void heads(struct table *t, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cell(t, names[i]);
    }
}

static const char *title(const struct table *t, const json_t *object, const char *key)
{
    return ym_json_str(json_object_get(object, key), t->lang);
}

static bool holds(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

/* Every system of any type, in the order of the first type that has it. */
static json_t *all_systems(const json_t *types)
{
    size_t i, k;
    json_t *type, *system, *list = json_array();

    json_array_foreach(types, i, type)
    {
        json_array_foreach(json_object_get(type, "systems"), k, system)
        {
            const char *id = ym_json_str(system, "id");
            if (!holds(list, id)) {
                json_array_append_new(list, json_string(id));
            }
        }
    }
    return list;
}

static void redundancy(struct table *t, const json_t *report)
{
    static const char *const names[] = {"type", "pointer", "field", "asked_by", "required_by"};
    const json_t *types = json_object_get(report, "types");
    json_t *systems = all_systems(types), *type, *field, *id;
    size_t i, k, s;

    heads(t, names, YM_COUNT(names));
    json_array_foreach(systems, s, id)
    {
        cell(t, json_string_value(id));
    }
    line(t);
    json_array_foreach(types, i, type)
    {
        json_array_foreach(json_object_get(type, "fields"), k, field)
        {
            const json_t *asked = json_object_get(field, "systems");
            const json_t *required = json_object_get(field, "required");
            char n[24];

            cell(t, ym_json_str(type, "type"));
            cell(t, ym_json_str(field, "pointer"));
            cell(t, title(t, field, "label"));
            snprintf(n, sizeof(n), "%zu", json_array_size(asked));
            cell(t, n);
            snprintf(n, sizeof(n), "%zu", json_array_size(required));
            cell(t, n);
            json_array_foreach(systems, s, id)
            {
                const char *name = json_string_value(id);
                cell(t, holds(required, name) ? "required" : holds(asked, name) ? "asked" : "");
            }
            line(t);
        }
    }
    json_decref(systems);
}

static void candidates(struct table *t, const json_t *report)
{
    static const char *const names[] = {"type",   "rank",    "system", "title",   "fields",
                                        "shared", "covered", "alone",  "nearest", "nearest_shared"};
    json_t *type, *system;
    size_t i, k;

    heads(t, names, YM_COUNT(names));
    line(t);
    json_array_foreach(json_object_get(report, "types"), i, type)
    {
        json_array_foreach(json_object_get(type, "systems"), k, system)
        {
            const json_t *nearest = json_object_get(system, "nearest");
            char n[24];

            cell(t, ym_json_str(type, "type"));
            snprintf(n, sizeof(n), "%zu", k + 1);
            cell(t, n);
            cell(t, ym_json_str(system, "id"));
            cell(t, title(t, system, "title"));
            cell_number(t, system, "fields");
            cell_number(t, system, "shared");
            snprintf(n, sizeof(n), "%.3f", json_real_value(json_object_get(system, "covered")));
            cell(t, n);
            snprintf(n, sizeof(n), "%zu", json_array_size(json_object_get(system, "alone")));
            cell(t, n);
            cell(t, ym_json_str(nearest, "id"));
            cell_number(t, nearest, "shared");
            line(t);
        }
    }
}

/* The title that a list of the report gives an id. */
static const char *title_in(const struct table *t, const json_t *report, const char *list,
                            const char *key, const char *id)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(report, list), i, item)
    {
        if (id != NULL && strcmp(ym_json_str(item, key), id) == 0) {
            return title(t, item, "title");
        }
    }
    return "";
}

static void burden(struct table *t, const json_t *report)
{
    static const char *const names[] = {
        "day",       "type",         "type_title", "system",  "system_title",     "records",
        "revisions", "fields_typed", "arrived",    "changed", "fields_delivered", "sign_ins",
        "entries"};
    static const char *const numbers[] = {"records", "revisions", "typed",
                                          "arrived", "changed",   "delivered"};
    json_t *day, *row;
    size_t i, k;

    heads(t, names, YM_COUNT(names));
    line(t);
    json_array_foreach(json_object_get(report, "days"), i, day)
    {
        json_array_foreach(json_object_get(day, "rows"), k, row)
        {
            cell(t, ym_json_str(day, "day"));
            cell(t, ym_json_str(row, "type"));
            cell(t, title_in(t, report, "types", "type", ym_json_str(row, "type")));
            cell(t, ym_json_str(row, "system"));
            cell(t, title_in(t, report, "systems", "id", ym_json_str(row, "system")));
            for (size_t n = 0; n < YM_COUNT(numbers); n++) {
                cell_number(t, row, numbers[n]);
            }
            cell(t, "0");
            cell(t, "0");
            line(t);
        }
        cell(t, ym_json_str(day, "day"));
        heads(t, (const char *const[]){"", "", "", "", "0", "0", "0", "0", "0", "0"}, 10);
        cell_number(t, day, "sign_ins");
        cell_number(t, day, "entries");
        line(t);
    }
}

static void usage(struct table *t, const json_t *report)
{
    static const char *const names[] = {"day", "application", "title", "entries", "sign_ins"};
    json_t *day, *value;
    const char *app;
    size_t i;

    heads(t, names, YM_COUNT(names));
    line(t);
    json_array_foreach(json_object_get(report, "days"), i, day)
    {
        cell(t, ym_json_str(day, "day"));
        heads(t, (const char *const[]){"", "", "0"}, 3);
        cell_number(t, day, "sign_ins");
        line(t);
        json_object_foreach(json_object_get(day, "entries"), app, value)
        {
            cell(t, ym_json_str(day, "day"));
            cell(t, app);
            cell(t, title_in(t, report, "applications", "id", app));
            cell_number(t, json_object_get(day, "entries"), app);
            cell(t, "0");
            line(t);
        }
    }
}

ym_status ym_report_csv(enum ym_report which, const json_t *report, const char *lang,
                        struct ym_buf *out)
{
    static void (*const tables[])(struct table *, const json_t *) = {redundancy, candidates, burden,
                                                                     usage};
    struct table t = {out, lang, false};

    ym_buf_adds(out, "\xEF\xBB\xBF");
    tables[which](&t, report);
    return out->failed;
}
