/* SPDX-License-Identifier: Apache-2.0
 * Secrets of a site file: read once, kept in memory of their own, wiped at the end.
 */
#include "ym_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 65536 /* a private key with its chain fits many times */

struct secret {
    const char *name;
    char *value; /* malloc; wiped */
};

struct ym_secrets {
    struct ym_arena *arena; /* names */
    struct secret *items;
    size_t count;
};

static void secret_free(char *value)
{
    if (value != NULL) {
        ym_wipe(value, strlen(value));
        free(value);
    }
}

/* The bytes of an open file as text without its last line end. */
static ym_status read_value(int fd, const char *path, char **ret, struct ym_err *err)
{
    char *value = calloc(1, SECRET_BYTES_MAX + 2);
    size_t n = 0;
    ssize_t got;

    if (value == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    do {
        got = read(fd, value + n, SECRET_BYTES_MAX + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && n <= SECRET_BYTES_MAX) || (got < 0 && errno == EINTR));
    if (got < 0 || n > SECRET_BYTES_MAX || memchr(value, '\0', n) != NULL) {
        ym_wipe(value, n);
        free(value);
        return ym_err_at(err, YM_EAUTH, path, 0, 0,
                         "the secret cannot be used: it must be a text file of at most 64 KiB");
    }
    if (n > 0 && value[n - 1] == '\n') {
        value[--n] = '\0';
        if (n > 0 && value[n - 1] == '\r') {
            value[--n] = '\0';
        }
    }
    if (n == 0) {
        free(value);
        return ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret is empty");
    }
    *ret = value;
    return YM_OK;
}

static ym_status resolve_file(const char *path, char **ret, struct ym_err *err)
{
    struct stat st;
    ym_status rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret cannot be read: %s",
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret is not a regular file");
    } else if ((st.st_mode & 077) != 0) {
        rc = ym_err_at(err, YM_EAUTH, path, 0, 0,
                       "others can read this secret (mode %04o); set it to 0600",
                       (unsigned)(st.st_mode & 07777));
    } else {
        rc = read_value(fd, path, ret, err);
    }
    (void)close(fd);
    return rc;
}

static ym_status resolve_env(const char *name, char **ret, struct ym_err *err)
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        return ym_err_set(err, YM_EAUTH, "the environment variable %s is not set", name);
    }
    *ret = strdup(value);
    return *ret != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

ym_status ym_secret_resolve(const char *reference, char **ret, struct ym_err *err)
{
    if (strncmp(reference, "file:", 5) == 0) {
        return resolve_file(reference + 5, ret, err);
    }
    if (strncmp(reference, "env:", 4) == 0) {
        return resolve_env(reference + 4, ret, err);
    }
    /* What stands there may be the secret itself, so it is not quoted. */
    return ym_err_set(err, YM_EAUTH, "a secret must be given as file:PATH or env:NAME");
}

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
        secret_free(s->items[i].value);
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
