/* SPDX-License-Identifier: Apache-2.0
 * A small deployment in a scratch folder, for tests of loading: write files, load, read the faults.
 */
#ifndef HELP_TREE_H
#define HELP_TREE_H

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ym_check.h"

struct tree {
    char dir[64];
    struct ym_diag d;
};

static inline int tree_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void tree_write(struct tree *t, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", t->dir, name);
    for (char *p = path + strlen(t->dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static const char tree_type[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"x-label\":{\"zh\":\"便签\",\"en\":\"Note\"},\"type\":\"object\","
    "\"properties\":{\"title\":{\"type\":\"string\",\"maxLength\":50},"
    "\"phone\":{\"type\":\"string\"},\"level\":{\"type\":\"string\"},"
    "\"parties\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/party\"}}},"
    "\"required\":[\"title\"],\"additionalProperties\":false,"
    "\"$defs\":{\"party\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},"
    "\"additionalProperties\":false}}}";

static const char tree_adapter[] =
    "system: alpha\n"
    "title: { zh: 甲, en: Alpha }\n"
    "version: 1\n"
    "verified: own-simulator\n"
    "verified_against: tests\n"
    "transport: http\n"
    "takes: [note]\n"
    "operations:\n"
    "  create:\n"
    "    method: POST\n"
    "    path: /notes\n"
    "    body: json\n"
    "    fields:\n"
    "      - { to: title, from: /data/title, required: true, max: 10 }\n"
    "      - { to: phone, from: /data/phone, apply: [digits], max: 11 }\n"
    "    reply: { read: { number: { json: /no } }, outcomes: [ { when: { has: number }, then: ok } "
    "] }\n";

static const char tree_site[] = "enabled: true\nendpoint: \"http://localhost:1\"\n";

/* A deployment that loads: one type, one system. */
static inline void tree_open(struct tree *t)
{
    snprintf(t->dir, sizeof(t->dir), "/tmp/ym-tree-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    ym_diag_init(&t->d);
    tree_write(t, "yimen.yaml", "redis: \"unix:/nowhere.sock\"\nsystems_dir: adapters\n");
    tree_write(t, "types/note.json", tree_type);
    tree_write(t, "codes/levels.csv", "code,label,label_en\n01,一般,ordinary\n02,重大,major\n");
    tree_write(t, "crosswalks/level-digit.csv", "from,to,label\n01,1,一般\n02,2,重大\n");
    tree_write(t, "adapters/alpha/adapter.yaml", tree_adapter);
    tree_write(t, "systems/alpha.yaml", tree_site);
}

static inline void tree_close(struct tree *t)
{
    ym_diag_clear(&t->d);
    assert_int_equal(nftw(t->dir, tree_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline ym_status tree_load(struct tree *t, struct ym_catalog **ret)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/yimen.yaml", t->dir);
    ym_diag_clear(&t->d);
    ym_diag_init(&t->d);
    return ym_catalog_open(path, ret, &t->d);
}

static inline struct ym_catalog *tree_catalog(struct tree *t)
{
    struct ym_catalog *c = NULL;
    if (tree_load(t, &c) != YM_OK) {
        fail_msg("%s:%d: %s", t->d.items[0].file, t->d.items[0].line, t->d.items[0].message);
    }
    return c;
}

/* Loads a deployment that must be refused and looks for one fault among all: file end, line, words. */
static inline void tree_refused(struct tree *t, const char *file, int line, const char *words)
{
    struct ym_catalog *c = NULL;
    assert_int_equal(tree_load(t, &c), YM_EINVAL);
    assert_null(c);
    for (size_t i = 0; i < t->d.count; i++) {
        const struct ym_err *e = &t->d.items[i];
        size_t n = strlen(e->file), m = strlen(file);
        bool here = n >= m && strcmp(e->file + n - m, file) == 0 && (line == 0 || line == e->line);
        if (here && strstr(e->message, words) != NULL) {
            return;
        }
    }
    fail_msg("no fault %s:%d \"%s\"; the first of %zu is %s:%d: %s", file, line, words, t->d.total,
             t->d.items[0].file, t->d.items[0].line, t->d.items[0].message);
}

/* Text with the first `old` replaced. The caller frees it. */
static inline char *tree_with(const char *text, const char *old, const char *with)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    size_t n = strlen(text) - strlen(old) + strlen(with) + 1;
    char *out = malloc(n);
    assert_non_null(out);
    snprintf(out, n, "%.*s%s%s", (int)(at - text), text, with, at + strlen(old));
    return out;
}

#endif
