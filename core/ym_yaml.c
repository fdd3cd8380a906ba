/* SPDX-License-Identifier: Apache-2.0
 * libyaml's events into a tree of the strict subset.
 */
#include "ym_yaml.h"

#include "ym_slurp.h"

#include "ym_buf.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    const char *file;
    struct ym_arena *arena;
    struct ym_err *err;
    size_t nodes;
};

static ym_status refuse(struct builder *b, const yaml_mark_t *at, ym_status code, const char *words)
{
    return ym_err_at(b->err, code, b->file, (int)at->line + 1, (int)at->column + 1, "%s", words);
}

static ym_status no_memory(struct builder *b)
{
    return ym_err_at(b->err, YM_ENOMEM, b->file, 0, 0, "out of memory");
}

/* The next event; the caller deletes it. */
static ym_status next_event(struct builder *b, yaml_event_t *ev)
{
    const yaml_parser_t *p = &b->parser;
    const yaml_mark_t *at;

    if (yaml_parser_parse(&b->parser, ev)) {
        return YM_OK;
    }
    if (p->error == YAML_MEMORY_ERROR) {
        return no_memory(b);
    }
    if (p->error == YAML_READER_ERROR) {
        return ym_err_at(b->err, YM_EINVAL, b->file, (int)p->mark.line + 1, 0,
                         "not valid YAML: %s at byte %zu",
                         p->problem != NULL ? p->problem : "unreadable", p->problem_offset);
    }
    at = &p->problem_mark;
    return ym_err_at(b->err, YM_EINVAL, b->file, (int)at->line + 1, (int)at->column + 1,
                     "not valid YAML: %s", p->problem != NULL ? p->problem : "syntax error");
}

static ym_status new_node(struct builder *b, const yaml_event_t *ev, enum ym_yaml_kind kind,
                          struct ym_yaml **ret)
{
    struct ym_yaml *n;

    if (++b->nodes > YM_YAML_NODES) {
        return refuse(b, &ev->start_mark, YM_ETOOBIG, "the file has too many values");
    }
    n = ym_arena_alloc(b->arena, sizeof(*n));
    if (n == NULL) {
        return no_memory(b);
    }
    n->kind = kind;
    n->file = b->file;
    n->line = (int)ev->start_mark.line + 1;
    n->column = (int)ev->start_mark.column + 1;
    n->text = YM_STR("");
    *ret = n;
    return YM_OK;
}

/* Tags and anchors are outside the subset wherever they stand. */
static ym_status check_event(struct builder *b, const yaml_event_t *ev)
{
    const yaml_char_t *tag = NULL, *anchor = NULL;

    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return refuse(b, &ev->start_mark, YM_EUNSUPPORTED,
                      "aliases (*name) are not allowed; repeat the value");
    case YAML_SCALAR_EVENT:
        tag = ev->data.scalar.tag;
        anchor = ev->data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        tag = ev->data.sequence_start.tag;
        anchor = ev->data.sequence_start.anchor;
        break;
    case YAML_MAPPING_START_EVENT:
        tag = ev->data.mapping_start.tag;
        anchor = ev->data.mapping_start.anchor;
        break;
    default:
        break;
    }
    if (anchor != NULL) {
        return refuse(b, &ev->start_mark, YM_EUNSUPPORTED,
                      "anchors (&name) are not allowed; quote the value if it begins with &");
    }
    if (tag != NULL) {
        return refuse(b, &ev->start_mark, YM_EUNSUPPORTED,
                      "tags (!name) are not allowed; quote the value if it begins with !");
    }
    return YM_OK;
}

static ym_status build_scalar(struct builder *b, const yaml_event_t *ev, struct ym_yaml **ret)
{
    const char *value = (const char *)ev->data.scalar.value;
    size_t n = ev->data.scalar.length;
    struct ym_yaml *node;
    ym_status rc;

    if (memchr(value, '\0', n) != NULL) {
        return refuse(b, &ev->start_mark, YM_EINVAL, "the NUL character is not allowed");
    }
    rc = new_node(b, ev, YM_YAML_SCALAR, &node);
    if (rc != YM_OK) {
        return rc;
    }
    node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text.p = ym_arena_str(b->arena, (struct ym_str){value, n});
    node->text.n = n;
    if (node->text.p == NULL) {
        return no_memory(b);
    }
    *ret = node;
    return YM_OK;
}

static ym_status build_node(struct builder *b, yaml_event_t *ev, size_t depth,
                            struct ym_yaml **ret);

/* Reads one event and builds the node it begins; *ret NULL at the container's end. */
static ym_status build_next(struct builder *b, size_t depth, struct ym_yaml **ret)
{
    yaml_event_t ev;
    ym_status rc = next_event(b, &ev);

    if (rc != YM_OK) {
        return rc;
    }
    *ret = NULL;
    if (ev.type != YAML_SEQUENCE_END_EVENT && ev.type != YAML_MAPPING_END_EVENT) {
        rc = build_node(b, &ev, depth, ret);
    }
    yaml_event_delete(&ev);
    return rc;
}

static ym_status check_key(struct builder *b, const struct ym_yaml *map, const struct ym_yaml *key)
{
    const struct ym_yaml *v;

    if (key->kind != YM_YAML_SCALAR) {
        return ym_err_at(b->err, YM_EUNSUPPORTED, b->file, key->line, key->column,
                         "a key must be plain text");
    }
    for (v = map->child; v != NULL; v = v->next) {
        if (ym_str_eq(v->key->text, key->text)) {
            return ym_err_at(b->err, YM_EINVAL, b->file, key->line, key->column,
                             "the key \"%s\" was already given in line %d; remove one of them",
                             key->text.p, v->key->line);
        }
    }
    return YM_OK;
}

static ym_status build_items(struct builder *b, struct ym_yaml *parent, size_t depth)
{
    struct ym_yaml **tail = &parent->child, *key = NULL, *value;
    ym_status rc;

    for (;;) {
        rc = build_next(b, depth, &value);
        if (rc != YM_OK || value == NULL) {
            return rc;
        }
        if (parent->kind == YM_YAML_MAP) {
            key = value;
            rc = check_key(b, parent, key);
            if (rc == YM_OK) {
                rc = build_next(b, depth, &value);
            }
            if (rc != YM_OK) {
                return rc;
            }
            if (value == NULL) { /* libyaml always gives a value; this is for its bugs */
                return ym_err_at(b->err, YM_EINVAL, b->file, key->line, 0, "a key has no value");
            }
        }
        value->key = key;
        *tail = value;
        tail = &value->next;
        parent->count++;
    }
}

static ym_status build_node(struct builder *b, yaml_event_t *ev, size_t depth, struct ym_yaml **ret)
{
    enum ym_yaml_kind kind = YM_YAML_LIST;
    struct ym_yaml *node;
    ym_status rc = check_event(b, ev);

    if (rc != YM_OK) {
        return rc;
    }
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return build_scalar(b, ev, ret);
    case YAML_MAPPING_START_EVENT:
        kind = YM_YAML_MAP;
        break;
    case YAML_SEQUENCE_START_EVENT:
        break;
    default:
        return refuse(b, &ev->start_mark, YM_EINVAL, "a value is expected here");
    }

    if (depth >= YM_YAML_DEPTH) {
        return refuse(b, &ev->start_mark, YM_ETOOBIG, "nested too deeply");
    }
    rc = new_node(b, ev, kind, &node);
    if (rc == YM_OK) {
        rc = build_items(b, node, depth + 1);
    }
    if (rc == YM_OK) {
        *ret = node;
    }
    return rc;
}

/* One event that must be of the given type. */
static ym_status expect(struct builder *b, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t ev;
    ym_status rc = next_event(b, &ev);

    if (rc != YM_OK) {
        return rc;
    }
    if (ev.type != type) {
        rc = refuse(b, &ev.start_mark, YM_EINVAL, otherwise);
    } else if (type == YAML_DOCUMENT_START_EVENT &&
               (ev.data.document_start.version_directive != NULL ||
                ev.data.document_start.tag_directives.start !=
                    ev.data.document_start.tag_directives.end)) {
        rc = refuse(b, &ev.start_mark, YM_EUNSUPPORTED, "directives (%) are not allowed");
    }
    yaml_event_delete(&ev);
    return rc;
}

static ym_status build_document(struct builder *b, struct ym_yaml **ret)
{
    struct ym_yaml *root = NULL;
    ym_status rc;

    rc = expect(b, YAML_STREAM_START_EVENT, "not a YAML stream");
    if (rc == YM_OK) {
        rc = expect(b, YAML_DOCUMENT_START_EVENT, "the file is empty");
    }
    if (rc == YM_OK) {
        rc = build_next(b, 0, &root);
    }
    if (rc == YM_OK) {
        rc = expect(b, YAML_DOCUMENT_END_EVENT, "the document should end here");
    }
    if (rc == YM_OK) {
        rc = expect(b, YAML_STREAM_END_EVENT, "only one document is allowed in a file");
    }
    if (rc == YM_OK) {
        *ret = root;
    }
    return rc;
}

ym_status ym_yaml_parse(struct ym_str text, const char *name, struct ym_arena *a,
                        struct ym_yaml **ret, struct ym_err *err)
{
    struct builder b = {.arena = a, .err = err};
    ym_status rc;

    if (text.n > YM_YAML_BYTES) {
        return ym_err_at(err, YM_ETOOBIG, name, 0, 0, "the file is larger than %u bytes",
                         YM_YAML_BYTES);
    }
    b.file = ym_arena_strz(a, name);
    if (b.file == NULL || !yaml_parser_initialize(&b.parser)) {
        return ym_err_at(err, YM_ENOMEM, name, 0, 0, "out of memory");
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text.p, text.n);
    rc = build_document(&b, ret);
    yaml_parser_delete(&b.parser);
    return rc;
}

ym_status ym_yaml_file(const char *path, struct ym_arena *a, struct ym_yaml **ret,
                       struct ym_err *err)
{
    struct ym_buf text;
    ym_status rc;

    ym_buf_init(&text, YM_YAML_BYTES);
    rc = ym_slurp(path, &text, err);
    if (rc == YM_OK) {
        rc = ym_yaml_parse(ym_buf_str(&text), path, a, ret, err);
    }
    ym_buf_clear(&text);
    return rc;
}

struct ym_yaml *ym_yaml_get(const struct ym_yaml *map, const char *key)
{
    struct ym_yaml *v;

    if (map == NULL || map->kind != YM_YAML_MAP) {
        return NULL;
    }
    for (v = map->child; v != NULL; v = v->next) {
        if (ym_str_is(v->key->text, key)) {
            return v;
        }
    }
    return NULL;
}

const char *ym_yaml_text(const struct ym_yaml *map, const char *key)
{
    const struct ym_yaml *v = ym_yaml_get(map, key);

    return v != NULL && v->kind == YM_YAML_SCALAR ? v->text.p : NULL;
}

#define NEAR_MAX 40 /* longer words are not compared */

/* Levenshtein distance; large for words too long to compare. */
static size_t distance(struct ym_str a, struct ym_str b)
{
    size_t row[NEAR_MAX + 1], i, j, diagonal, above, best;

    if (a.n > NEAR_MAX || b.n > NEAR_MAX) {
        return NEAR_MAX;
    }
    for (j = 0; j <= b.n; j++) {
        row[j] = j;
    }
    for (i = 1; i <= a.n; i++) {
        diagonal = row[0];
        row[0] = i;
        for (j = 1; j <= b.n; j++) {
            above = row[j];
            best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b.n];
}

static const char *nearest(struct ym_str word, const char *const *allowed)
{
    const char *best = NULL;
    size_t least = 4, d; /* further away it is no help */

    for (; *allowed != NULL; allowed++) {
        d = distance(word, ym_str_of(*allowed));
        if (d < least && d < word.n) {
            least = d;
            best = *allowed;
        }
    }
    return best;
}

bool ym_yaml_only(const struct ym_yaml *map, const char *const *allowed, struct ym_diag *d)
{
    const struct ym_yaml *v;
    const char *const *name;
    const char *near;
    bool ok = true;

    if (map == NULL) {
        return true;
    }
    if (map->kind != YM_YAML_MAP) {
        ym_diag_add(d, map->file, map->line, map->column, "expected keys with values (key: value)");
        return false;
    }
    for (v = map->child; v != NULL; v = v->next) {
        for (name = allowed; *name != NULL && !ym_str_is(v->key->text, *name); name++) {
        }
        if (*name != NULL) {
            continue;
        }
        ok = false;
        near = nearest(v->key->text, allowed);
        if (near != NULL) {
            ym_diag_add(d, map->file, v->key->line, v->key->column,
                        "unknown key \"%s\"; did you mean \"%s\"?", v->key->text.p, near);
        } else {
            ym_diag_add(d, map->file, v->key->line, v->key->column, "unknown key \"%s\"",
                        v->key->text.p);
        }
    }
    return ok;
}
