/* SPDX-License-Identifier: Apache-2.0
 * Overlaying two `connection:` blocks and reading them by a transport's table.
 */
#include "ym_connection.h"

/* A copy of value, without its siblings, appended at *tail. */
static struct ym_yaml **append(struct ym_yaml **tail, const struct ym_yaml *value,
                               struct ym_arena *a)
{
    struct ym_yaml *copy = ym_arena_copy(a, value, sizeof(*value));

    if (copy == NULL) {
        return NULL;
    }
    copy->next = NULL;
    *tail = copy;
    return &copy->next;
}

/* NULL map when both are missing; YM_ENOMEM otherwise only. */
static ym_status overlay(const struct ym_yaml *under, const struct ym_yaml *over,
                         struct ym_arena *a, const struct ym_yaml **ret)
{
    const struct ym_yaml *v;
    struct ym_yaml *map, **tail;

    if (under == NULL || under->kind != YM_YAML_MAP) {
        *ret = over != NULL ? over : under;
        return YM_OK;
    }
    if (over == NULL || over->kind != YM_YAML_MAP) {
        *ret = over != NULL ? over : under;
        return YM_OK;
    }
    map = ym_arena_copy(a, over, sizeof(*over));
    if (map == NULL) {
        return YM_ENOMEM;
    }
    map->child = NULL;
    tail = &map->child;
    for (v = over->child; v != NULL && tail != NULL; v = v->next) {
        tail = append(tail, v, a);
    }
    for (v = under->child; v != NULL && tail != NULL; v = v->next) {
        if (ym_yaml_get(over, v->key->text.p) == NULL) {
            tail = append(tail, v, a);
        }
    }
    *ret = map;
    return tail != NULL ? YM_OK : YM_ENOMEM;
}

ym_status ym_connection_load(const struct ym_system *sys, const struct ym_field *table,
                             void *target, struct ym_arena *a, struct ym_diag *d)
{
    const struct ym_yaml *map = NULL;

    if (overlay(ym_yaml_get(sys->node, "connection"), ym_yaml_get(sys->site, "connection"), a,
                &map) != YM_OK) {
        ym_diag_add(d, sys->file, 0, 0, "out of memory");
        return YM_EINVAL;
    }
    return ym_conf_load(table, map, "connection", target, a, d);
}

const char *ym_connection_path(const struct ym_system *sys, const char *path, struct ym_arena *a)
{
    const char *slash;

    if (path == NULL || path[0] == '/' || sys->site == NULL) {
        return path;
    }
    slash = strrchr(sys->site->file, '/');
    if (slash == NULL) {
        return path;
    }
    return ym_arena_printf(a, "%.*s/%s", (int)(slash - sys->site->file), sys->site->file, path);
}

void ym_connection_blame(const struct ym_system *sys, struct ym_diag *d, const char *words)
{
    const struct ym_yaml *v = ym_yaml_get(sys->site, "endpoint");

    if (v == NULL) {
        v = sys->site != NULL ? sys->site : sys->node;
    }
    if (v != NULL) {
        ym_diag_add(d, v->file, v->line, v->column, "%s", words);
    } else {
        ym_diag_add(d, sys->file, 0, 0, "%s", words);
    }
}

ym_status ym_connection_open(const struct ym_system *sys, const struct ym_field *table,
                             void *target, struct ym_arena *a, struct ym_err *err)
{
    struct ym_diag d;
    ym_status rc;

    ym_diag_init(&d);
    rc = ym_connection_load(sys, table, target, a, &d);
    if (rc != YM_OK && err != NULL) {
        if (d.count > 0) {
            *err = d.items[0];
        } else {
            (void)ym_err_set(err, rc, "out of memory");
        }
    }
    ym_diag_clear(&d);
    return rc;
}
