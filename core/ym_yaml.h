/* SPDX-License-Identifier: Apache-2.0
 * The only door to libyaml: a strict subset read into a tree that remembers its lines.
 * No tags, anchors, aliases, multiple documents, implicit types (everything is text) or duplicate
 * keys; each is refused with file:line.
 */
#ifndef YM_YAML_H
#define YM_YAML_H

#include "ym_arena.h"
#include "ym_err.h"

enum ym_yaml_kind { YM_YAML_SCALAR, YM_YAML_LIST, YM_YAML_MAP };

#define YM_YAML_BYTES (1u << 20)
#define YM_YAML_DEPTH 24
#define YM_YAML_NODES 100000

struct ym_yaml {
    enum ym_yaml_kind kind;
    int               line, column;
    const char       *file;    /* shared by all nodes of a tree */
    struct ym_str     text;    /* scalar; NUL-terminated as well */
    bool              quoted;  /* scalar was quoted: '' is a value, plain empty is "missing" */
    struct ym_yaml   *key;     /* in a map: this value's key node */
    struct ym_yaml   *child;   /* first item or first value */
    struct ym_yaml   *next;    /* sibling */
    size_t            count;
};

/* The tree lives in a. name is used in messages. */
ym_status ym_yaml_parse(struct ym_str text, const char *name, struct ym_arena *a,
                        struct ym_yaml **ret, struct ym_err *err);
ym_status ym_yaml_file(const char *path, struct ym_arena *a, struct ym_yaml **ret, struct ym_err *err);

/* Value under key, or NULL (also when map is NULL or no map). */
struct ym_yaml *ym_yaml_get(const struct ym_yaml *map, const char *key);
/* Its text, NUL-terminated, or NULL when absent or no scalar. */
const char *ym_yaml_text(const struct ym_yaml *map, const char *key);

/* Adds one diagnostic per key of map that is not in the NULL-terminated list; names the nearest allowed key. */
struct ym_diag;
bool ym_yaml_only(const struct ym_yaml *map, const char *const *allowed, struct ym_diag *d);

#endif
