/* SPDX-License-Identifier: Apache-2.0
 * Loads one system: its adapter folder and its site file. Names everything that is wrong at once.
 */
#include "ym_adapter_priv.h"
#include "ym_charset.h"
#include "ym_time.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TAKES_MAX 32

struct ym_adapter_map {
    const char *name;
    const struct ym_code_map *map; /* NULL: broken, already reported */
    struct ym_adapter_map *next;
};

/* Settings as they are read; zone becomes offset_min. */
struct raw_settings {
    struct ym_engine_settings s;
    const char *zone;
};

#define SETTING(field) offsetof(struct raw_settings, s.field)
static const char *const keep_values[] = {"failures", "all", "none", NULL};
static const char *const verify_values[] = {"none", "seen", "lookup", NULL};
static const struct ym_field engine_fields[] = {
    {"timeout", YM_FIELD_DURATION, SETTING(timeout_ms), "8s", 100, 600000, NULL,
     YM_FIELD_RELOADABLE, "One attempt, all its steps."},
    {"in_flight", YM_FIELD_INT, SETTING(in_flight), "8", 1, 1000, NULL, YM_FIELD_RELOADABLE,
     "Attempts at once."},
    {"rate", YM_FIELD_RATE, SETTING(rate), "0/s", 0, 0, NULL, YM_FIELD_RELOADABLE,
     "Attempts per time; 0/s is unlimited."},
    {"attempts", YM_FIELD_INT, SETTING(attempts), "12", 1, 1000, NULL, YM_FIELD_RELOADABLE,
     "Attempts before a delivery is dead."},
    {"backoff_base", YM_FIELD_DURATION, SETTING(backoff_base_ms), "1s", 10, 3600000, NULL,
     YM_FIELD_RELOADABLE, "First pause; doubled with every attempt, full jitter."},
    {"backoff_cap", YM_FIELD_DURATION, SETTING(backoff_cap_ms), "10m", 10, 86400000, NULL,
     YM_FIELD_RELOADABLE, "Longest pause."},
    {"absence_after", YM_FIELD_DURATION, SETTING(absence_after_ms), "30s", 0, 86400000, NULL,
     YM_FIELD_RELOADABLE, "A lookup's \"absent\" is trusted this long after the send."},
    {"confirm_within", YM_FIELD_DURATION, SETTING(confirm_within_ms), "72h", 0, 2592000000, NULL,
     YM_FIELD_RELOADABLE,
     "How long a system that took a record may owe its number before a person looks."},
    {"breaker_failures", YM_FIELD_INT, SETTING(breaker_failures), "5", 1, 1000, NULL,
     YM_FIELD_RELOADABLE, "Failures in a row before the system is suspended."},
    {"probe_every", YM_FIELD_DURATION, SETTING(probe_every_ms), "5s", 50, 3600000, NULL,
     YM_FIELD_RELOADABLE, "Pause between probes of a suspended system; doubled up to 16 times."},
    {"charset", YM_FIELD_STRING, SETTING(charset), "utf-8", 0, 40, NULL, YM_FIELD_RELOADABLE,
     "What the system reads: utf-8, gb18030, gbk, big5."},
    {"zone", YM_FIELD_STRING, offsetof(struct raw_settings, zone), "+08:00", 0, 6, NULL,
     YM_FIELD_RELOADABLE, "Offset of written times and of hours."},
    {"attachments_max", YM_FIELD_SIZE, SETTING(attachments_max), "4m", 1024, 8 << 20, NULL,
     YM_FIELD_RELOADABLE,
     "Bytes of those attachments of one record that the system gets; more is refused when it is "
     "filed."},
    {"each_revision", YM_FIELD_BOOL, SETTING(each_revision), "false", 0, 0, NULL,
     YM_FIELD_RELOADABLE, "The system must see every revision, not only the last."},
    {"keep_attempts", YM_FIELD_ENUM, SETTING(keep_attempts), "failures", 0, 0, keep_values,
     YM_FIELD_RELOADABLE,
     "Whose request and answer are kept for operators, sealed, the last five for 30 days."},
    {"verify", YM_FIELD_ENUM, SETTING(verify), "none", 0, 0, verify_values, YM_FIELD_RELOADABLE,
     "What a new record's number is held against: seen, numbers that the worker got for other "
     "records "
     "since it started; lookup, also the lookup by our reference, a second call for each new "
     "record."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

static const char *const adapter_keys[] = {
    "system", "title",    "version",    "verified", "verified_against", "transport",
    "takes",  "settings", "hours",      "holidays", "connection",       "masks",
    "tables", "session",  "operations", NULL};
static const char *const site_keys[] = {"enabled",    "endpoint", "secrets", "settings",
                                        "connection", "when",     "vars",    NULL};

void ym_adapter_say(struct ym_adapter_load *x, const struct ym_yaml *at, const char *fmt, ...)
{
    char text[YM_ERR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ym_diag_add(x->d, at->file, at->line, at->column, "%s", text);
}

void *ym_adapter_get(struct ym_adapter_load *x, size_t n)
{
    void *p = ym_arena_alloc(x->a, n);
    if (p == NULL) {
        x->nomem = true;
    }
    return p;
}

const char *ym_adapter_text(struct ym_adapter_load *x, const struct ym_yaml *map, const char *key)
{
    const struct ym_yaml *v = ym_yaml_get(map, key);
    if (v == NULL) {
        return NULL;
    }
    if (v->kind != YM_YAML_SCALAR || v->text.n == 0) {
        ym_adapter_say(x, v, "%s takes plain text", key);
        return NULL;
    }
    return v->text.p;
}

bool ym_adapter_bool(struct ym_adapter_load *x, const struct ym_yaml *map, const char *key)
{
    const struct ym_yaml *v = ym_yaml_get(map, key);
    bool yes = v != NULL && v->kind == YM_YAML_SCALAR && ym_str_is(v->text, "true");
    if (v != NULL && !yes && !(v->kind == YM_YAML_SCALAR && ym_str_is(v->text, "false"))) {
        ym_adapter_say(x, v, "%s is true or false", key);
    }
    return yes;
}

static const char *need(struct ym_adapter_load *x, const char *key)
{
    const char *text = ym_adapter_text(x, x->s->node, key);
    if (text == NULL && ym_yaml_get(x->s->node, key) == NULL) {
        ym_adapter_say(x, x->s->node, "%s is missing", key);
    }
    return text != NULL ? text : "";
}

/* ---- lookups of field tables ---- */

/* The adapter's folder first, then the shared crosswalks. */
static const char *map_path(struct ym_adapter_load *x, const char *file)
{
    const char *dirs[2] = {x->s->folder, x->cat->site.crosswalks_dir};
    for (size_t i = 0; i < 2; i++) {
        const char *path = dirs[i] != NULL ? ym_arena_printf(x->a, "%s/%s", dirs[i], file) : NULL;
        if (path != NULL && access(path, F_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

static const struct ym_code_map *find_codes(void *data, const char *file)
{
    struct ym_adapter_load *x = data;
    for (struct ym_adapter_map *m = x->maps; m != NULL; m = m->next) {
        if (strcmp(m->name, file) == 0) {
            return m->map;
        }
    }
    if (strchr(file, '/') != NULL || file[0] == '.') {
        return NULL;
    }
    struct ym_adapter_map *m = ym_adapter_get(x, sizeof(*m));
    const char *path = map_path(x, file);
    if (m == NULL) {
        return NULL;
    }
    m->name = file;
    m->next = x->maps;
    x->maps = m;
    struct ym_code_map *map = path != NULL ? ym_adapter_get(x, sizeof(*map)) : NULL;
    if (map != NULL && ym_code_map_load(path, x->a, map, x->d) == YM_OK) {
        m->map = map;
    }
    return m->map;
}

static const struct ym_code_table *find_labels(void *data, const char *table)
{
    struct ym_adapter_load *x = data;
    return ym_catalog_table(x->cat, table);
}

/* ---- parts of adapter.yaml ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void load_title(struct ym_adapter_load *x)
{
    static const char *const keys[] = {"zh", "en", NULL};
    const struct ym_yaml *title = ym_yaml_get(x->s->node, "title");
    if (title == NULL || title->kind != YM_YAML_MAP) {
        ym_adapter_say(x, title != NULL ? title : x->s->node,
                       "title needs both languages: { zh: …, en: … }");
        return;
    }
    ym_yaml_only(title, keys, x->d);
    x->s->title_zh = ym_adapter_text(x, title, "zh");
    x->s->title_en = ym_adapter_text(x, title, "en");
    if (x->s->title_zh == NULL || x->s->title_en == NULL) {
        ym_adapter_say(x, title, "title needs both languages: { zh: …, en: … }");
    }
}

static void load_takes(struct ym_adapter_load *x)
{
    const struct ym_yaml *takes = ym_yaml_get(x->s->node, "takes");
    if (takes == NULL || takes->kind != YM_YAML_LIST || takes->count == 0 ||
        takes->count > TAKES_MAX) {
        ym_adapter_say(x, takes != NULL ? takes : x->s->node,
                       "takes is a list of at least one record type: [dispute]");
        return;
    }
    const char **list = ym_adapter_get(x, (takes->count + 1) * sizeof(*list));
    size_t n = 0;
    for (const struct ym_yaml *v = takes->child; v != NULL && list != NULL; v = v->next) {
        if (v->kind != YM_YAML_SCALAR || ym_catalog_type(x->cat, v->text.p) == NULL) {
            ym_adapter_say(x, v, "there is no record type \"%s\"",
                           v->kind == YM_YAML_SCALAR ? v->text.p : "");
            continue;
        }
        list[n++] = v->text.p;
    }
    x->s->takes = list;
}

static void load_verified(struct ym_adapter_load *x)
{
    static const char *const words[] = {"own-simulator", "unmodified-software", "owner-test"};
    const char *word = need(x, "verified");
    x->s->verified_against = need(x, "verified_against");
    for (size_t i = 0; i < YM_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            x->s->verified = (enum ym_verified)i;
            return;
        }
    }
    if (word[0] != '\0') {
        ym_adapter_say(x, ym_yaml_get(x->s->node, "verified"),
                       "verified is own-simulator, unmodified-software or owner-test");
    }
}

/* ---- settings: the adapter's, overridden by the site's ---- */

static struct ym_yaml *copy_child(struct ym_adapter_load *x, const struct ym_yaml *v,
                                  struct ym_yaml **tail)
{
    struct ym_yaml *c = ym_arena_copy(x->a, v, sizeof(*v));
    if (c == NULL) {
        x->nomem = true;
        return NULL;
    }
    c->next = NULL;
    if (*tail != NULL) {
        (*tail)->next = c;
    }
    *tail = c;
    return c;
}

/* One map with the site's values where it has them; every node keeps its own file and line. */
static const struct ym_yaml *merged(struct ym_adapter_load *x, const struct ym_yaml *own,
                                    const struct ym_yaml *site)
{
    const struct ym_yaml *maps[2] = {site, own};
    struct ym_yaml *m = ym_adapter_get(x, sizeof(*m)), *tail = NULL;
    if (m == NULL) {
        return NULL;
    }
    *m = own != NULL ? *own : site != NULL ? *site : (struct ym_yaml){.kind = YM_YAML_MAP};
    m->child = NULL;
    m->count = 0;
    for (int i = 0; i < 2; i++) {
        for (const struct ym_yaml *v = maps[i] != NULL ? maps[i]->child : NULL; v != NULL;
             v = v->next) {
            if (i == 1 && ym_yaml_get(site, v->key->text.p) != NULL) {
                continue;
            }
            struct ym_yaml *c = copy_child(x, v, &tail);
            if (c == NULL) {
                return NULL;
            }
            if (m->child == NULL) {
                m->child = c;
            }
            m->count++;
        }
    }
    return m;
}

static bool zone_read(const char *z, int *ret_min)
{
    if (strcmp(z, "Z") == 0) {
        *ret_min = 0;
        return true;
    }
    bool ok = strlen(z) == 6 && (z[0] == '+' || z[0] == '-') && z[3] == ':' &&
              strspn(z + 1, "0123456789") == 2 && strspn(z + 4, "0123456789") == 2;
    int h = ok ? (z[1] - '0') * 10 + z[2] - '0' : 0, m = ok ? (z[4] - '0') * 10 + z[5] - '0' : 0;
    if (!ok || h > 14 || m > 59) {
        return false;
    }
    *ret_min = (z[0] == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

static void load_settings(struct ym_adapter_load *x)
{
    struct raw_settings raw = {0};
    const struct ym_yaml *own = ym_yaml_get(x->s->node, "settings");
    const struct ym_yaml *site = ym_yaml_get(x->s->site, "settings");
    const struct ym_yaml *m = merged(x, own, site);
    const struct ym_yaml *at = m != NULL ? m : x->s->node;
    struct ym_err err = {0};
    const struct ym_charset *charset = NULL;
    if (site != NULL && own != NULL) { /* what the site overrides must be right all the same */
        struct raw_settings alone = {0};

        if (ym_conf_load(engine_fields, own, "settings", &alone, x->a, x->d) != YM_OK) {
            return;
        }
    }
    if (m == NULL || ym_conf_load(engine_fields, m, "settings", &raw, x->a, x->d) != YM_OK) {
        return;
    }
    x->s->settings = raw.s;
    if (!zone_read(raw.zone, &x->s->settings.offset_min)) {
        ym_adapter_say(x, ym_yaml_get(at, "zone"), "zone is an offset like \"+08:00\", quoted");
    }
    if (raw.s.backoff_cap_ms < raw.s.backoff_base_ms) {
        const struct ym_yaml *v = ym_yaml_get(at, "backoff_cap");
        ym_adapter_say(x, v != NULL ? v : at, "backoff_cap is below backoff_base");
    }
    if (ym_yaml_get(at, "charset") != NULL &&
        ym_charset_open(raw.s.charset, x->a, &charset, &err) == YM_EUNSUPPORTED) {
        ym_adapter_say(x, ym_yaml_get(at, "charset"), "%s", err.message);
    }
}

ym_status ym_system_document(struct ym_buf *out)
{
    return ym_conf_document(engine_fields, out);
}

/* ---- the site file ---- */

static void load_secrets(struct ym_adapter_load *x)
{
    const struct ym_yaml *secrets = ym_yaml_get(x->s->site, "secrets");
    const struct ym_yaml *vars = ym_yaml_get(x->s->site, "vars");
    if (secrets != NULL && secrets->kind != YM_YAML_MAP) {
        ym_adapter_say(x, secrets, "secrets maps names to references: { appKey: \"file:…\" }");
        return;
    }
    for (const struct ym_yaml *v = secrets != NULL ? secrets->child : NULL; v != NULL;
         v = v->next) {
        bool ok = v->kind == YM_YAML_SCALAR &&
                  (strncmp(v->text.p, "file:", 5) == 0 || strncmp(v->text.p, "env:", 4) == 0);
        if (!ok) {
            ym_adapter_say(x, v,
                           "a secret is a reference, \"file:/path\" or \"env:NAME\", never "
                           "the value itself");
        }
    }
    if (vars != NULL && vars->kind != YM_YAML_MAP) {
        ym_adapter_say(x, vars, "vars maps names to constants: { caseSourceId: \"12\" }");
    }
    for (const struct ym_yaml *v = vars != NULL ? vars->child : NULL; v != NULL; v = v->next) {
        if (v->kind != YM_YAML_SCALAR) {
            ym_adapter_say(x, v, "a constant of vars is plain text");
        }
    }
}

static void load_site(struct ym_adapter_load *x, const char *site_file)
{
    struct ym_yaml *site = NULL;
    struct ym_err err = {0};
    if (site_file == NULL || (access(site_file, F_OK) != 0 && errno == ENOENT)) {
        return;
    }
    if (ym_yaml_file(site_file, x->a, &site, &err) != YM_OK) {
        ym_diag_add_err(x->d, &err);
        return;
    }
    x->s->site = site;
    ym_yaml_only(site, site_keys, x->d);
    x->s->enabled = ym_adapter_bool(x, site, "enabled");
    x->s->endpoint = ym_adapter_text(x, site, "endpoint");
    load_secrets(x);
    if (ym_when_compile(ym_yaml_get(site, "when"), x->a, &x->s->routing, x->d) == YM_ENOMEM) {
        x->nomem = true;
    }
}

static void check_site(struct ym_adapter_load *x)
{
    struct ym_system *s = x->s;
    bool handoff = s->transport != NULL && strcmp(s->transport, "handoff") == 0;
    if (s->enabled && s->endpoint == NULL && !handoff) {
        ym_adapter_say(x, s->site, "an enabled system needs endpoint: where it lives");
    }
    if (handoff && s->endpoint != NULL) {
        ym_adapter_say(x, ym_yaml_get(s->site, "endpoint"),
                       "a hand-off system has no endpoint: nothing is ever sent");
    }
}

/* ---- all of it ---- */

ym_status ym_system_load(struct ym_catalog *cat, const char *folder, const char *site_file,
                         struct ym_arena *a, struct ym_system *ret, struct ym_diag *d)
{
    struct ym_system s = {0};
    struct ym_adapter_load x = {.cat = cat, .a = a, .d = d, .s = &s};
    struct ym_yaml *node = NULL;
    struct ym_err err = {0};
    size_t before = d->total;
    int64_t version = 0;

    x.env = (struct ym_map_env){find_codes, find_labels, &x};
    s.folder = ym_arena_strz(a, folder);
    s.file = ym_arena_printf(a, "%s/adapter.yaml", folder);
    if (s.folder == NULL || s.file == NULL) {
        return YM_ENOMEM;
    }
    s.id = base_of(s.folder);
    ym_status rc = ym_yaml_file(s.file, a, &node, &err);
    if (rc != YM_OK) {
        ym_diag_add_err(d, &err);
        return rc == YM_ENOMEM ? rc : YM_EINVAL;
    }
    s.node = node;
    if (node->kind != YM_YAML_MAP) {
        ym_adapter_say(&x, node, "adapter.yaml is a map; see docs/adapter-reference.md");
        return YM_EINVAL;
    }

    ym_yaml_only(node, adapter_keys, d);
    const char *id = need(&x, "system");
    if (id[0] != '\0' && strcmp(id, s.id) != 0) {
        ym_adapter_say(&x, ym_yaml_get(node, "system"),
                       "system \"%s\" does not agree with its folder \"%s\"", id, s.id);
    }
    load_title(&x);
    const char *v = need(&x, "version");
    if (v[0] != '\0' && (!ym_int_parse(ym_str_of(v), &version) || version < 1)) {
        ym_adapter_say(&x, ym_yaml_get(node, "version"), "version is a whole number from 1");
    }
    s.version = (long)version;
    load_verified(&x);
    s.transport = need(&x, "transport");
    load_takes(&x);
    load_site(&x, site_file);
    load_settings(&x);
    ym_adapter_hours(&x);
    if (s.transport[0] != '\0' && !ym_adapter_transport_known(s.transport)) {
        ym_adapter_say(&x, ym_yaml_get(node, "transport"),
                       "there is no transport \"%s\"; known are http, soap, form, sql, file and "
                       "handoff",
                       s.transport);
    } else {
        size_t faults = d->total;
        ym_adapter_operations(&x);
        if (d->total == faults) { /* a broken table would make every mask a second fault */
            ym_adapter_names(&x);
        }
    }
    check_site(&x);
    if (x.nomem) {
        return YM_ENOMEM;
    }
    if (d->total != before) {
        return YM_EINVAL;
    }
    *ret = s;
    return YM_OK;
}

const struct ym_operation *ym_system_operation(const struct ym_system *s, const char *name)
{
    for (size_t i = 0; i < s->operation_count; i++) {
        if (strcmp(s->operations[i].name, name) == 0) {
            return &s->operations[i];
        }
    }
    return NULL;
}

bool ym_system_takes(const struct ym_system *s, const char *type)
{
    for (const char *const *t = s->takes; t != NULL && *t != NULL; t++) {
        if (strcmp(*t, type) == 0) {
            return true;
        }
    }
    return false;
}

const char *ym_system_var(const struct ym_system *s, const char *name)
{
    return ym_yaml_text(ym_yaml_get(s->site, "vars"), name);
}
