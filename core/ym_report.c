/* SPDX-License-Identifier: Apache-2.0
 * Reports: burden and usage out of the store's counters. What systems ask for is in
 * ym_report_fields.c, the tables in ym_report_csv.c.
 */
#include "ym_report.h"
#include "ym_report_priv.h"
#include "ym_time.h"

#define DAY_MS 86400000LL
#define CHINA_MS (YM_CHINA_OFFSET_MIN * 60000LL)

int64_t ym_report_today(void)
{
    return (ym_now_ms() + CHINA_MS) / DAY_MS;
}

void ym_report_day_text(int64_t day, char out[YM_REPORT_DAY_TEXT])
{
    ym_time_format(day * DAY_MS - CHINA_MS, YM_TIME_DATE, YM_CHINA_OFFSET_MIN, out);
}

bool ym_report_day_parse(struct ym_str text, int64_t *ret)
{
    int64_t ms;

    if (text.n != 10 || !ym_time_parse(text, YM_CHINA_OFFSET_MIN, &ms) || ms < 0) {
        return false;
    }
    *ret = (ms + CHINA_MS) / DAY_MS;
    return true;
}

ym_status ym_report_count(json_t *days, int64_t day, struct ym_str name, int64_t n)
{
    char key[24];
    json_t *row, *value;

    snprintf(key, sizeof(key), "%lld", (long long)day);
    row = json_object_get(days, key);
    if (row == NULL) {
        row = json_object();
        if (json_object_set_new(days, key, row) != 0) {
            return YM_ENOMEM;
        }
    }
    value = json_object_getn(row, name.p, name.n);
    if (value != NULL) {
        return json_integer_set(value, json_integer_value(value) + n) == 0 ? YM_OK : YM_EINVAL;
    }
    return json_object_setn_new(row, name.p, name.n, json_integer(n)) == 0 ? YM_OK : YM_ENOMEM;
}

/* ---- building ---- */

void ym_report_set(struct ym_making *m, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        m->failed = true;
    }
}

json_t *ym_report_words(const char *zh, const char *en)
{
    return json_pack("{s:s, s:s}", "zh", zh != NULL ? zh : "", "en",
                     en != NULL && en[0] != '\0' ? en : (zh != NULL ? zh : ""));
}

json_t *ym_report_end(const struct ym_making *m, json_t *doc)
{
    if (m->failed) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

static void add(struct ym_making *m, json_t *object, const char *key, int64_t n)
{
    json_t *v = object != NULL ? json_object_get(object, key) : NULL;

    if (v == NULL) {
        ym_report_set(m, object, key, json_integer(n));
    } else if (json_integer_set(v, json_integer_value(v) + n) != 0) {
        m->failed = true;
    }
}

/* Every number, so that a reader need not ask whether it is there. */
static json_t *numbers(const char *const *names, json_t *into, struct ym_making *m)
{
    for (; *names != NULL; names++) {
        add(m, into, *names, 0);
    }
    return into;
}

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static json_t *head(struct ym_making *m, int64_t from, int64_t to)
{
    char a[YM_REPORT_DAY_TEXT], b[YM_REPORT_DAY_TEXT];
    json_t *doc = json_object();

    ym_report_day_text(from, a);
    ym_report_day_text(to, b);
    ym_report_set(m, doc, "from", json_string(a));
    ym_report_set(m, doc, "to", json_string(b));
    return doc;
}

/* ---- what a counter's name says ---- */

struct counter {
    const char *word;          /* of the API */
    char system[80], type[80]; /* "" where it has none */
    int64_t n;
};

/* "filed:dispute", "fields:odr:dispute", "signin", "entry:odr" */
static bool read_counter(const char *name, const json_t *value, struct counter *ret)
{
    static const struct {
        const char *kind, *word;
        bool system, type;
    } kinds[] = {
        {"filed", "records", false, true},    {"revised", "revisions", false, true},
        {"typed", "typed", false, true},      {"arrived", "arrived", true, true},
        {"changed", "changed", true, true},   {"fields", "delivered", true, true},
        {"signin", "sign_ins", false, false}, {"entry", "entries", true, false},
    };
    size_t kind = strcspn(name, ":");

    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < YM_COUNT(kinds); i++) {
        const char *p = name + kind + (name[kind] == ':');
        size_t n = strcspn(p, ":");

        if (strlen(kinds[i].kind) != kind || memcmp(kinds[i].kind, name, kind) != 0) {
            continue;
        }
        if (kinds[i].system) {
            snprintf(ret->system, sizeof(ret->system), "%.*s", (int)n, p);
            p += n + (p[n] == ':');
            n = strlen(p);
        }
        if (kinds[i].type) {
            snprintf(ret->type, sizeof(ret->type), "%.*s", (int)n, p);
        }
        ret->word = kinds[i].word;
        ret->n = json_integer_value(value);
        return true;
    }
    return false;
}

/* ---- burden ---- */

static const char *const of_type[] = {"records", "revisions", "typed", "arrived",
                                      "changed", "delivered", NULL};
static const char *const of_system[] = {"arrived", "changed", "delivered", NULL};
static const char *const of_day[] = {"records",   "revisions", "typed",   "arrived", "changed",
                                     "delivered", "sign_ins",  "entries", NULL};

static json_t *titled(struct ym_making *m, const char *id_key, const char *id, const char *zh,
                      const char *en, const char *const *names)
{
    json_t *o = json_object();

    ym_report_set(m, o, id_key, json_string(id));
    ym_report_set(m, o, "title", ym_report_words(zh != NULL ? zh : id, en));
    return numbers(names, o, m);
}

static json_t *type_row(struct ym_making *m, const struct ym_catalog *c, const char *id)
{
    const struct ym_type *t = ym_catalog_type(c, id);

    return titled(m, "type", id, t != NULL ? t->title_zh : NULL, t != NULL ? t->title_en : NULL,
                  of_type);
}

static json_t *system_row(struct ym_making *m, const struct ym_catalog *c, const char *id)
{
    const struct ym_system *s = ym_catalog_system(c, id);

    return titled(m, "id", id, s != NULL ? s->title_zh : NULL, s != NULL ? s->title_en : NULL,
                  of_system);
}

/* The members of an object as a list, in the order they came. */
static json_t *list_of(struct ym_making *m, json_t *object)
{
    const char *key;
    json_t *value, *list = json_array();

    json_object_foreach(object, key, value)
    {
        if (json_array_append(list, value) != 0) {
            m->failed = true;
        }
    }
    json_decref(object);
    return list;
}

/* One day's counters into its row and into the sums. */
static void burden_day(struct ym_making *m, const struct ym_catalog *c, json_t *counters,
                       json_t *day, json_t *sums, json_t *types, json_t *systems, json_t *rows)
{
    const char *name;
    json_t *value;

    json_object_foreach(counters, name, value)
    {
        struct counter k;
        char key[200];

        /* what people say about Yimen itself is no work that it saves */
        if (!read_counter(name, value, &k) || m->failed || strcmp(k.type, "feedback") == 0) {
            continue;
        }
        add(m, day, k.word, k.n);
        add(m, sums, k.word, k.n);
        if (k.type[0] == '\0') {
            continue;
        }
        if (json_object_get(types, k.type) == NULL) {
            ym_report_set(m, types, k.type, type_row(m, c, k.type));
        }
        add(m, json_object_get(types, k.type), k.word, k.n);
        if (k.system[0] != '\0') {
            if (json_object_get(systems, k.system) == NULL) {
                ym_report_set(m, systems, k.system, system_row(m, c, k.system));
            }
            add(m, json_object_get(systems, k.system), k.word, k.n);
        }
        snprintf(key, sizeof(key), "%s:%s", k.type, k.system);
        if (json_object_get(rows, key) == NULL) {
            json_t *row = json_pack("{s:s, s:s}", "type", k.type, "system", k.system);
            ym_report_set(m, rows, key, numbers(of_type, row, m));
        }
        add(m, json_object_get(rows, key), k.word, k.n);
    }
}

static void burden_sums(struct ym_making *m, json_t *sums)
{
    int64_t saved = number(sums, "delivered") - number(sums, "typed");
    int64_t doors = number(sums, "entries") - number(sums, "sign_ins");

    add(m, sums, "saved", saved > 0 ? saved : 0);
    add(m, sums, "sign_ins_saved", doors > 0 ? doors : 0);
}

json_t *ym_report_burden(const struct ym_catalog *c, json_t *days, int64_t from, int64_t to)
{
    struct ym_making m = {false};
    json_t *doc = head(&m, from, to), *list = json_array();
    json_t *sums = numbers(of_day, json_object(), &m), *types = json_object();
    json_t *systems = json_object();

    for (int64_t d = from; d <= to && !m.failed; d++) {
        char key[24], text[YM_REPORT_DAY_TEXT];
        json_t *counters, *day, *rows;

        snprintf(key, sizeof(key), "%lld", (long long)d);
        counters = json_object_get(days, key);
        if (counters == NULL) {
            continue;
        }
        day = json_object();
        rows = json_object();
        ym_report_day_text(d, text);
        ym_report_set(&m, day, "day", json_string(text));
        burden_day(&m, c, counters, numbers(of_day, day, &m), sums, types, systems, rows);
        ym_report_set(&m, day, "rows", list_of(&m, rows));
        if (json_array_append_new(list, day) != 0) {
            m.failed = true;
        }
    }
    burden_sums(&m, sums);
    ym_report_set(&m, doc, "totals", sums);
    ym_report_set(&m, doc, "types", list_of(&m, types));
    ym_report_set(&m, doc, "systems", list_of(&m, systems));
    ym_report_set(&m, doc, "days", list);
    return ym_report_end(&m, doc);
}

/* ---- usage ---- */

/* Applications as `auth: applications:` names them; those that only counters know come behind. */
static void application_add(struct ym_making *m, json_t *apps, const char *id,
                            const struct ym_yaml *declared)
{
    const struct ym_yaml *title = ym_yaml_get(declared, "title");

    if (json_object_get(apps, id) == NULL) {
        static const char *const names[] = {"entries", NULL};
        ym_report_set(
            m, apps, id,
            titled(m, "id", id, ym_yaml_text(title, "zh"), ym_yaml_text(title, "en"), names));
    }
}

static json_t *usage_day(struct ym_making *m, const char *text, json_t *counters, json_t *apps,
                         json_t *doc)
{
    const char *name;
    json_t *value, *entries = json_object();
    json_t *day = json_pack("{s:s, s:i}", "day", text, "sign_ins", 0);

    json_object_foreach(counters, name, value)
    {
        struct counter k;

        if (!read_counter(name, value, &k)) {
            continue;
        }
        if (strcmp(k.word, "entries") == 0) {
            application_add(m, apps, k.system, NULL);
            add(m, json_object_get(apps, k.system), "entries", k.n);
            add(m, entries, k.system, k.n);
        } else if (strcmp(k.word, "sign_ins") == 0) {
            add(m, day, "sign_ins", k.n);
            add(m, doc, "sign_ins", k.n);
        }
    }
    ym_report_set(m, day, "entries", entries);
    return day;
}

json_t *ym_report_usage(const struct ym_catalog *c, json_t *days, int64_t from, int64_t to)
{
    struct ym_making m = {false};
    const struct ym_yaml *map = ym_yaml_get(c->site.auth, "applications");
    json_t *doc = head(&m, from, to), *apps = json_object(), *list = json_array();

    add(&m, doc, "sign_ins", 0);
    for (const struct ym_yaml *v = map != NULL ? map->child : NULL; v != NULL; v = v->next) {
        application_add(&m, apps, v->key->text.p, v);
    }
    for (int64_t d = from; d <= to && !m.failed; d++) {
        char key[24], text[YM_REPORT_DAY_TEXT];
        json_t *counters;

        snprintf(key, sizeof(key), "%lld", (long long)d);
        counters = json_object_get(days, key);
        ym_report_day_text(d, text);
        if (counters != NULL &&
            json_array_append_new(list, usage_day(&m, text, counters, apps, doc)) != 0) {
            m.failed = true;
        }
    }
    ym_report_set(&m, doc, "applications", list_of(&m, apps));
    ym_report_set(&m, doc, "days", list);
    return ym_report_end(&m, doc);
}
