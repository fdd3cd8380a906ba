/* SPDX-License-Identifier: Apache-2.0
 * The field table: declarative and total. It is compiled from YAML once; then it can be checked
 * against a record (what would this system object to?) and run (which document does it get?).
 * No loops, no expressions, no scripts. The grammar is docs/adapter-reference.md.
 */
#ifndef YM_MAP_H
#define YM_MAP_H

#include "ym_codes.h"
#include "ym_json.h"
#include "ym_json_want.h"
#include "ym_problem.h"
#include "ym_yaml.h"

struct ym_map;

/* Finds a code map by the file name used in the table (the adapter's folder first, then config/crosswalks). */
typedef const struct ym_code_map *(*ym_map_codes_fn)(void *data, const char *file);

/* Finds a code table (config/codes/<name>.csv) for `labels:`. */
typedef const struct ym_code_table *(*ym_map_labels_fn)(void *data, const char *table);

/* What a table may refer to while it is compiled. */
struct ym_map_env {
    ym_map_codes_fn codes;
    ym_map_labels_fn labels; /* NULL: `labels:` is refused */
    void *data;              /* of both */
};

/* list: a YAML list of fields; NULL compiles to an empty table. */
ym_status ym_map_compile(const struct ym_yaml *list, ym_map_codes_fn codes, void *codes_data,
                         struct ym_arena *a, const struct ym_map **ret, struct ym_diag *d);
ym_status ym_map_compile_env(const struct ym_yaml *list, const struct ym_map_env *env,
                             struct ym_arena *a, const struct ym_map **ret, struct ym_diag *d);

/*
 * What a run may look at beside the record: the names behind `$`. Unknown names are load errors.
 *   $number  the system's own number for this record ("" before it has one)
 *   $ref     our reference: the record's id
 *   $revision, $op (create|update|withdraw), $now (ms), $attempt
 *   $secret.NAME, $session.NAME, $settings.NAME through the lookups; NULL = missing
 */
struct ym_map_ctx {
    json_t *record; /* {id, type, revision, owner, org, area, created_at, updated_at, data:{…}} */
    const char *number;
    const char *op;
    int64_t now_ms;
    long attempt;
    int offset_min; /* zone of formatted times; +480 unless the adapter says otherwise */
    const char *(*secret)(void *data, const char *name);
    const char *(*session)(void *data, const char *name);
    void *data;
    /* $settings.NAME: the site file's `vars:`; where it is NULL, ym_render takes the system's own */
    const struct ym_yaml *vars;
    /* For a dry run: every field that has a value, where it came from (a pointer, or ), its value. */
    void (*seen)(void *seen_data, const struct ym_yaml *field, const char *pointer,
                 const json_t *value);
    void *seen_data;
    size_t
        *filled; /* one more for every field that has a value of the record's; NULL: not counted */
};

/*
 * Builds the document: a JSON object in table order (jansson keeps insertion order); dotted `to`
 * paths nest, "@name" members are XML attributes. *ret is a new reference. YM_EINVAL with problems
 * when a required field is missing, too long, unmapped or ambiguous.
 * `encode: xml` with `cdata: true` yields {"#cdata": text} instead of a string: the XML writer makes
 * it one CDATA section; nothing else may carry that member. Reals are written with 15 digits.
 */
ym_status ym_map_run(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                     json_t **ret, struct ym_problems *problems);

/*
 * The same document as text, appended to out: what ym_json_write prints of it. A table whose fields
 * stand in it in their order, each name once, needs no tree for that. Nothing is appended unless it
 * is YM_OK.
 */
ym_status ym_map_write(const struct ym_map *m, const struct ym_map_ctx *ctx, struct ym_arena *a,
                       struct ym_buf *out, struct ym_problems *problems);

/*
 * The same judgement without building anything: every objection of this table to data (the record's
 * `data`), named for system. Values that only exist at delivery time ($…) count as present.
 */
void ym_map_check(const struct ym_map *m, const char *system, const json_t *record,
                  struct ym_problems *out);

/* Lineage: one entry per leaf of the table, for render, minimisation and the redundancy report. */
struct ym_map_leaf {
    const char *to; /* full path in the target */
    const char
        *pointer; /* canonical source as pattern ("/data/parties/-/phone"), NULL for const and $ */
    const char *constant; /* literal or "$name", else NULL */
    const char *codes;    /* map name or NULL */
    bool required;
    long max; /* characters; 0 = unlimited */
    int line;
    const struct ym_yaml *at; /* the field in its table: what `seen` names */
};
size_t ym_map_leaf_count(const struct ym_map *m);
const struct ym_map_leaf *ym_map_leaf_at(const struct ym_map *m, size_t i);

/*
 * Every attachment whose bytes this table sends: item of `each: /attachments` (`where` holds) below
 * which /content is read. For the check there is no such member; whoever runs the table puts it
 * there first, in Base64.
 */
typedef void ym_map_content_fn(void *data, size_t index, json_t *item);
void ym_map_contents(const struct ym_map *m, const json_t *record, ym_map_content_fn *each,
                     void *data);

/*
 * Adds to root, which stands for the record, every member that a run of this table may look at. A
 * record without the others yields the same document and the same problems.
 */
ym_status ym_map_wants(const struct ym_map *m, struct ym_want *root, struct ym_arena *a);

/* The closed list of `apply` functions as Markdown. */
ym_status ym_map_document(struct ym_buf *out);

/* A predicate (`when:`) on its own: routing conditions use it too. Compiles NULL to "always". */
struct ym_when;
ym_status ym_when_compile(const struct ym_yaml *node, struct ym_arena *a,
                          const struct ym_when **ret, struct ym_diag *d);
bool ym_when_holds(const struct ym_when *w, const json_t *record);

#endif
