/* SPDX-License-Identifier: Apache-2.0
 * Secrets of a site file: read once, kept in memory of their own, wiped at the end.
 */
#include "ym_secrets.h"

#include <stdlib.h>

struct secret {
    const char *name;
    char *value; /* malloc; wiped */
};

struct ym_secrets {
    struct ym_arena *arena; /* names */
    struct secret *items;
    size_t count;
};

/* Relative file names are relative to the site file. */
static const char *beside(const struct ym_yaml *node, struct ym_arena *a)
{
    const char *slash = strrchr(node->file, '/');

    if (strncmp(node->text.p, "file:", 5) != 0 || node->text.p[5] == '/' || slash == NULL) {
        return node->text.p;
    }
    return ym_arena_printf(a, "file:%.*s/%s", (int)(slash - node->file), node->file,
                           node->text.p + 5);
}

static ym_status load_one(struct ym_secrets *s, const struct ym_yaml *node, struct ym_err *err)
{
    struct ym_err inner = {0};
    struct secret *item = &s->items[s->count];
    const char *reference;
    ym_status rc;

    if (node->kind != YM_YAML_SCALAR) {
        return ym_err_at(err, YM_EAUTH, node->file, node->line, node->column,
                         "a secret must be given as file:PATH or env:NAME");
    }
    reference = beside(node, s->arena);
    item->name = ym_arena_str(s->arena, node->key->text);
    if (reference == NULL || item->name == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    rc = ym_secret_resolve(reference, &item->value, &inner);
    if (rc != YM_OK) {
        return ym_err_at(err, rc, node->file, node->line, node->column, "secret \"%s\": %s%s%s",
                         item->name, inner.file, inner.file[0] != '\0' ? ": " : "", inner.message);
    }
    s->count++;
    return YM_OK;
}

ym_status ym_secrets_open(const struct ym_system *sys, struct ym_secrets **ret, struct ym_err *err)
{
    const struct ym_yaml *map = ym_yaml_get(sys->site, "secrets"), *v;
    struct ym_arena *a = ym_arena_open();
    struct ym_secrets *s = a != NULL ? ym_arena_alloc(a, sizeof(*s)) : NULL;
    ym_status rc = YM_OK;

    if (s == NULL) {
        ym_arena_close(a);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    s->arena = a;
    if (map != NULL && map->kind == YM_YAML_MAP) {
        s->items = ym_arena_alloc(a, map->count * sizeof(*s->items));
        rc = s->items != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
        for (v = map->child; v != NULL && rc == YM_OK; v = v->next) {
            rc = load_one(s, v, err);
        }
    } else if (map != NULL && map->text.n > 0) {
        rc = ym_err_at(err, YM_EAUTH, map->file, map->line, map->column,
                       "secrets must be a list of name: reference");
    }
    if (rc != YM_OK) {
        ym_secrets_close(s);
        return rc;
    }
    *ret = s;
    return YM_OK;
}

void ym_secrets_close(struct ym_secrets *s)
{
    size_t i;

    if (s == NULL) {
        return;
    }
    for (i = 0; i < s->count; i++) {
        ym_secret_free(s->items[i].value);
    }
    ym_arena_close(s->arena); /* s lives in it */
}

const char *ym_secret(const struct ym_secrets *s, const char *name)
{
    size_t i;

    for (i = 0; s != NULL && i < s->count; i++) {
        if (strcmp(s->items[i].name, name) == 0) {
            return s->items[i].value;
        }
    }
    return NULL;
}

const char *ym_secret_at(const struct ym_secrets *s, size_t i)
{
    return s != NULL && i < s->count ? s->items[i].value : NULL;
}
