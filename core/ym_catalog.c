/* SPDX-License-Identifier: Apache-2.0
 * Opens everything a deployment declares, in the order in which one thing needs the other: code
 * tables, types, crosswalks, systems, the compiled check.
 */
#include "ym_check.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 2000 /* entries of one folder */

#define SITE(field) offsetof(struct ym_site, field)
static const struct ym_field site_fields[] = {
    {"redis", YM_FIELD_STRING, SITE(redis), NULL, 0, 200, NULL, YM_FIELD_REQUIRED,
     "Where Redis listens: unix:/run/yimen/redis.sock or 127.0.0.1:6379."},
    {"redis_password", YM_FIELD_STRING, SITE(redis_password), NULL, 0, 500, NULL, YM_FIELD_SECRET,
     "Reference to its password: file:/path or env:NAME."},
    {"shards", YM_FIELD_INT, SITE(shards), "8", 1, 32, NULL, 0,
     "Slots that records are spread over; never lowered once records exist."},
    {"types_dir", YM_FIELD_STRING, SITE(types_dir), "types", 1, 500, NULL, YM_FIELD_RELOADABLE,
     "Record types, one JSON Schema each."},
    {"codes_dir", YM_FIELD_STRING, SITE(codes_dir), "codes", 1, 500, NULL, YM_FIELD_RELOADABLE,
     "Code tables, one CSV each."},
    {"crosswalks_dir", YM_FIELD_STRING, SITE(crosswalks_dir), "crosswalks", 1, 500, NULL,
     YM_FIELD_RELOADABLE, "Code maps that several adapters share."},
    {"systems_dir", YM_FIELD_STRING, SITE(systems_dir), "../adapters/systems", 1, 500, NULL,
     YM_FIELD_RELOADABLE, "Adapter folders, one per legacy system."},
    {"sites_dir", YM_FIELD_STRING, SITE(sites_dir), "systems", 1, 500, NULL, YM_FIELD_RELOADABLE,
     "Where each system lives and with which secrets: <id>.yaml."},
    {"state_dir", YM_FIELD_STRING, SITE(state_dir), "/var/lib/yimen", 1, 500, NULL, 0,
     "Files the running parts keep."},
    {"auth", YM_FIELD_NODE, SITE(auth), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,
     "Who may call: keys, issuer, audience, claims."},
    {"audit", YM_FIELD_NODE, SITE(audit), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,
     "Evidence: how long it is kept, and where."},
    {"attachments", YM_FIELD_NODE, SITE(attachments), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE,
     "Files that come with records: limits, and how long unused ones are kept."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

ym_status ym_catalog_document(struct ym_buf *out)
{
    return ym_conf_document(site_fields, out);
}

/* ---- folders ---- */

struct names {
    const char **items;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* Names in dir that end so (end "" = folders), sorted. "." and "_" in front hide a name. */
static ym_status list_dir(const char *dir, const char *end, struct ym_arena *a, struct names *ret,
                          struct ym_diag *d)
{
    const char **items = ym_arena_alloc(a, FILES_MAX * sizeof(*items));
    DIR *h = opendir(dir);
    struct dirent *e;
    size_t n = 0;
    ym_status rc = YM_OK;
    if (h == NULL || items == NULL) {
        if (h == NULL) {
            ym_diag_add(d, dir, 0, 0, "cannot open the folder: %s", strerror(errno));
        }
        rc = items == NULL ? YM_ENOMEM : YM_EINVAL;
        goto done;
    }
    while ((e = readdir(h)) != NULL && n < FILES_MAX) {
        struct stat st;
        char *path;
        if (e->d_name[0] == '.' || e->d_name[0] == '_' ||
            (end[0] != '\0' && !ends_with(e->d_name, end))) {
            continue;
        }
        path = ym_arena_printf(a, "%s/%s", dir, e->d_name);
        if (path == NULL) {
            rc = YM_ENOMEM;
            goto done;
        }
        if (stat(path, &st) == 0 && (end[0] == '\0') == S_ISDIR(st.st_mode)) {
            items[n++] = path;
        }
    }
    qsort(items, n, sizeof(*items), by_name);
    *ret = (struct names){items, n};
done:
    if (h != NULL) {
        closedir(h);
    }
    return rc;
}

/* "config/../adapters" reads better as "adapters"; only whole names are taken out, in place. */
static void collapse(char *path)
{
    char *up;
    while ((up = strstr(path, "/../")) != NULL) {
        char *name = up;
        while (name > path && name[-1] != '/') {
            name--;
        }
        if (name == up || (up - name == 2 && memcmp(name, "..", 2) == 0) ||
            (up - name == 1 && name[0] == '.')) {
            return;
        }
        memmove(name, up + 4, strlen(up + 4) + 1);
    }
}

/* Every path of the site becomes absolute or relative to the working directory, not to the file. */
static ym_status resolve(struct ym_catalog *c)
{
    const char **paths[] = {&c->site.types_dir,   &c->site.codes_dir, &c->site.crosswalks_dir,
                            &c->site.systems_dir, &c->site.sites_dir, &c->site.state_dir};
    const char *slash = strrchr(c->file, '/');
    int n = slash != NULL ? (int)(slash - c->file) + 1 : 0;
    for (size_t i = 0; i < YM_COUNT(paths); i++) {
        if ((*paths[i])[0] == '/') {
            continue;
        }
        char *path = ym_arena_printf(c->arena, "%.*s%s", n, c->file, *paths[i]);
        if (path == NULL) {
            return YM_ENOMEM;
        }
        collapse(path);
        *paths[i] = path;
    }
    return YM_OK;
}

/* ---- loading ---- */

static ym_status load_tables(struct ym_catalog *c, struct ym_diag *d)
{
    struct names n = {NULL, 0};
    ym_status rc = list_dir(c->site.codes_dir, ".csv", c->arena, &n, d);
    struct ym_code_table *t = ym_arena_alloc(c->arena, n.count * sizeof(*t));
    if (rc != YM_OK || t == NULL) {
        return t == NULL ? YM_ENOMEM : rc;
    }
    c->tables = t;
    for (size_t i = 0; i < n.count; i++) {
        rc = ym_code_table_load(n.items[i], c->arena, &t[c->table_count], d);
        if (rc == YM_ENOMEM) {
            return rc;
        }
        c->table_count += rc == YM_OK;
    }
    return YM_OK;
}

static const struct ym_code_table *find_table(void *data, const char *name)
{
    return ym_catalog_table(data, name);
}

static ym_status load_types(struct ym_catalog *c, struct ym_diag *d)
{
    struct names n = {NULL, 0};
    ym_status rc = list_dir(c->site.types_dir, ".json", c->arena, &n, d);
    struct ym_type *t = ym_arena_alloc(c->arena, n.count * sizeof(*t));
    if (rc != YM_OK || t == NULL) {
        return t == NULL ? YM_ENOMEM : rc;
    }
    c->types = t;
    for (size_t i = 0; i < n.count; i++) {
        rc = ym_type_load(n.items[i], find_table, c, c->arena, &t[c->type_count], d);
        if (rc == YM_ENOMEM) {
            return rc;
        }
        c->type_count += rc == YM_OK;
    }
    if (c->type_count == 0 && n.count == 0) {
        ym_diag_add(d, c->site.types_dir, 0, 0, "there is no record type (*.json) here");
    }
    return YM_OK;
}

/* Shared crosswalks are read even when no adapter uses them yet: a broken one is found today. */
static ym_status load_crosswalks(struct ym_catalog *c, struct ym_diag *d)
{
    struct names n = {NULL, 0};
    struct ym_code_map m;
    ym_status rc = list_dir(c->site.crosswalks_dir, ".csv", c->arena, &n, d);
    for (size_t i = 0; i < n.count && rc != YM_ENOMEM; i++) {
        size_t before = d->total;
        rc = ym_code_map_load(n.items[i], c->arena, &m, d);
        if (rc != YM_OK && rc != YM_ENOMEM && d->total == before) {
            ym_diag_add(d, n.items[i], 0, 0, "cannot be loaded");
        }
    }
    return rc == YM_ENOMEM ? rc : YM_OK;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A site file without an adapter is a typing error in its name. */
static ym_status check_sites(struct ym_catalog *c, const struct names *folders, struct ym_diag *d)
{
    struct names sites = {NULL, 0};
    if (access(c->site.sites_dir, F_OK) != 0) {
        return YM_OK;
    }
    ym_status rc = list_dir(c->site.sites_dir, ".yaml", c->arena, &sites, d);
    for (size_t i = 0; i < sites.count; i++) {
        const char *site = base_of(sites.items[i]);
        size_t len = strlen(site) - strlen(".yaml");
        bool found = false;
        for (size_t k = 0; k < folders->count && !found; k++) {
            const char *id = base_of(folders->items[k]);
            found = strlen(id) == len && memcmp(id, site, len) == 0;
        }
        if (!found) {
            ym_diag_add(d, sites.items[i], 0, 0, "there is no adapter folder \"%.*s\" in %s",
                        (int)len, site, c->site.systems_dir);
        }
    }
    return rc;
}

static ym_status load_systems(struct ym_catalog *c, struct ym_diag *d)
{
    struct names n = {NULL, 0};
    ym_status rc = list_dir(c->site.systems_dir, "", c->arena, &n, d);
    struct ym_system *s = ym_arena_alloc(c->arena, n.count * sizeof(*s));
    if (rc != YM_OK || s == NULL) {
        return s == NULL ? YM_ENOMEM : rc;
    }
    c->systems = s;
    for (size_t i = 0; i < n.count; i++) {
        const char *site =
            ym_arena_printf(c->arena, "%s/%s.yaml", c->site.sites_dir, base_of(n.items[i]));
        if (site == NULL) {
            return YM_ENOMEM;
        }
        rc = ym_system_load(c, n.items[i], site, c->arena, &s[c->system_count], d);
        if (rc == YM_ENOMEM) {
            return rc;
        }
        c->system_count += rc == YM_OK;
    }
    return check_sites(c, &n, d);
}

static ym_status load_site(struct ym_catalog *c, struct ym_diag *d)
{
    struct ym_yaml *node = NULL;
    struct ym_err err = {0};
    ym_status rc = ym_yaml_file(c->file, c->arena, &node, &err);
    if (rc != YM_OK) {
        ym_diag_add_err(d, &err);
        return rc == YM_ENOMEM ? rc : YM_EINVAL;
    }
    rc = ym_conf_load(site_fields, node, "yimen.yaml", &c->site, c->arena, d);
    return rc == YM_OK ? resolve(c) : rc;
}

ym_status ym_catalog_open(const char *file, struct ym_catalog **ret, struct ym_diag *d)
{
    static ym_status (*const steps[])(struct ym_catalog *, struct ym_diag *) = {
        load_tables, load_types, load_crosswalks, load_systems};
    struct ym_arena *a = ym_arena_open();
    struct ym_catalog *c = a != NULL ? ym_arena_alloc(a, sizeof(*c)) : NULL;
    size_t before = d->total;
    ym_status rc = YM_ENOMEM;
    if (c == NULL) {
        goto done;
    }
    c->arena = a;
    c->file = ym_arena_strz(a, file);
    if (c->file == NULL) {
        goto done;
    }
    rc = load_site(c, d);
    for (size_t i = 0; rc == YM_OK && i < YM_COUNT(steps); i++) {
        rc = steps[i](c, d);
        /* A folder that cannot be read hides nothing of the next one. */
        rc = rc == YM_EINVAL ? YM_OK : rc;
    }
    if (rc == YM_OK && d->total == before) {
        rc = ym_check_compile(c, d);
    }
    if (rc == YM_OK && d->total != before) {
        rc = YM_EINVAL;
    }
done:
    if (rc != YM_OK) {
        if (rc == YM_ENOMEM) {
            ym_diag_add(d, file, 0, 0, "out of memory while loading");
        }
        ym_arena_close(a);
        return rc == YM_ENOMEM ? rc : YM_EINVAL;
    }
    *ret = c;
    return YM_OK;
}

void ym_catalog_close(struct ym_catalog *c)
{
    if (c != NULL) {
        ym_arena_close(c->arena);
    }
}

const struct ym_type *ym_catalog_type(const struct ym_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->type_count; i++) {
        if (strcmp(c->types[i].name, name) == 0) {
            return &c->types[i];
        }
    }
    return NULL;
}

const struct ym_system *ym_catalog_system(const struct ym_catalog *c, const char *id)
{
    for (size_t i = 0; i < c->system_count; i++) {
        if (strcmp(c->systems[i].id, id) == 0) {
            return &c->systems[i];
        }
    }
    return NULL;
}

const struct ym_code_table *ym_catalog_table(const struct ym_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->table_count; i++) {
        if (strcmp(c->tables[i].name, name) == 0) {
            return &c->tables[i];
        }
    }
    return NULL;
}
