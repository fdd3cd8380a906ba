/* SPDX-License-Identifier: Apache-2.0
 * What the compiler and the checker of ym_schema share: the compiled node and its parts.
 * Private to ym_schema*.c and ym_types.c.
 */
#ifndef YM_SCHEMA_PRIV_H
#define YM_SCHEMA_PRIV_H

#include "ym_schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define YM_SCHEMA_DEPTH 64         /* of nested subschemas, and of in-place chains through $ref */
#define YM_SCHEMA_PATTERN_MAX 1024 /* bytes of a regular expression */
#define YM_SCHEMA_STEPS 1000000    /* node visits of one check: a second's fraction, never more */
#define YM_SCHEMA_UNIQUE_MAX 2000  /* items that uniqueItems compares; more are refused */

/* JSON types as bits; a whole number has both number bits. */
enum {
    YM_T_NULL = 1,
    YM_T_BOOLEAN = 2,
    YM_T_INTEGER = 4,
    YM_T_NUMBER = 8,
    YM_T_STRING = 16,
    YM_T_ARRAY = 32,
    YM_T_OBJECT = 64
};

/* A place in a schema or in a value, built on the stack while going down; NULL = the whole. */
struct ym_spath {
    const struct ym_spath *up;
    const char *key; /* NULL: an array's item */
    size_t index;
};

struct ym_sformat {
    const char *name;
    bool (*holds)(struct ym_str s);
    const char *en, *zh; /* what it is, for people */
};

struct ym_snode;

struct ym_sstring {
    size_t min, max; /* code points; max SIZE_MAX = unlimited */
    const pcre2_code *pattern;
    const char *hint_en, *hint_zh; /* from `examples`: said when the pattern fails */
    const struct ym_sformat *format;
    const struct ym_code_table *codes;
};

enum ym_sbound { YM_B_MIN, YM_B_MAX, YM_B_EXMIN, YM_B_EXMAX, YM_B_MULTIPLE, YM_B_COUNT };

struct ym_snumber {
    const json_t *bound[YM_B_COUNT];
    const char *text[YM_B_COUNT]; /* "≥ 0" */
    const char *text_zh[YM_B_COUNT];
};

struct ym_sarray {
    size_t min, max;
    bool unique;
    const struct ym_snode *const *prefix;
    size_t prefix_count;
    const struct ym_snode *items; /* NULL = anything */
    const struct ym_snode *contains;
    size_t min_contains, max_contains;
};

struct ym_smember {
    const char *name;
    const struct ym_snode *node;
};

struct ym_spattern {
    const pcre2_code *code;
    const struct ym_snode *node;
};

struct ym_sdepend {
    const char *name;
    const char *const *required; /* NULL-terminated, or NULL */
    const struct ym_snode *node; /* or NULL */
};

struct ym_sobject {
    size_t min, max;
    const struct ym_smember *members;
    size_t member_count;
    uint32_t *slots; /* hash index: member + 1; 0 = free */
    size_t slot_mask;
    struct ym_spattern *patterns;
    size_t pattern_count;
    const struct ym_snode *additional; /* NULL = anything */
    const struct ym_snode *names;
    const char *const *required;      /* NULL-terminated, or NULL */
    const struct ym_sdepend *depends; /* dependentRequired, dependentSchemas */
    size_t depend_count;
};

struct ym_slist {
    const struct ym_snode *const *nodes;
    size_t count;
};

struct ym_slogic {
    struct ym_slist all, any, one;
    const struct ym_snode *no, *condition, *then, *otherwise;
};

enum ym_skind { YM_S_RULES, YM_S_ALWAYS, YM_S_NEVER };

struct ym_snode {
    const json_t *json;
    struct ym_snode *next; /* all nodes of a schema, newest first */
    enum ym_skind kind;
    unsigned types; /* 0 = any */
    const char *types_en, *types_zh;
    const json_t *enums, *constant;
    const struct ym_snode *ref;
    int ref_line;
    struct ym_sstring *str; /* the parts are NULL where the schema says nothing */
    struct ym_snumber *num;
    struct ym_sarray *arr;
    struct ym_sobject *obj;
    struct ym_slogic *logic;
    const char *label_en, *label_zh;
    int visit; /* compile time: 0 new, < 0 under way, > 0 chain length */
};

struct ym_schema {
    const struct ym_snode *root;
    const json_t *keys;  /* x-keys or NULL */
    const json_t *label; /* x-label of the root or NULL */
};

/* A $ref that waits until everything is compiled. */
struct ym_sref {
    struct ym_sref *next;
    struct ym_snode *node;
    const char *target;
    int line;
};

struct ym_sanchor {
    struct ym_sanchor *next;
    const char *name;
    struct ym_snode *node;
};

struct ym_scompile {
    const char *file;
    struct ym_str text;
    ym_schema_codes_fn codes;
    void *codes_data;
    struct ym_arena *a;
    struct ym_diag *d;
    json_t *root;
    const char *id; /* root's $id or NULL */
    struct ym_snode *nodes;
    struct ym_sref *refs;
    struct ym_sanchor *anchors;
    int depth;
    bool out_of_memory;
};

/* Where path's last step stands in text; 0 when it cannot be found. */
int ym_schema_line(struct ym_str text, const struct ym_spath *path);

/* One diagnostic at path's place. */
void ym_schema_fault(struct ym_scompile *c, const struct ym_spath *at, const char *fmt, ...)
    YM_PRINTF(3, 4);

/* Arena memory; NULL notes that memory is out, and the compile fails as a whole. */
void *ym_schema_alloc(struct ym_scompile *c, size_t size);

/* The nearest of n words, the i-th found by word(i). */
const char *ym_schema_nearest(const char *wrong, const char *(*word)(size_t i), size_t n);

/* Compiles one subschema; NULL when it is no schema or memory is out. */
struct ym_snode *ym_schema_node(struct ym_scompile *c, json_t *json, const struct ym_spath *at);

/* Applies keyword name; at is the keyword's place. False when the subset has no such keyword. */
bool ym_schema_keyword(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                       const struct ym_spath *at);
const char *ym_schema_keyword_name(size_t i);
size_t ym_schema_keyword_count(void);

/* Readers by kind of value: ym_schema_read.c (values) and ym_schema_sub.c (subschemas). */
typedef void ym_schema_read(struct ym_scompile *c, struct ym_snode *n, const char *name,
                            json_t *value, const struct ym_spath *at);
ym_schema_read ym_schema_read_type, ym_schema_read_enum, ym_schema_read_const,
    ym_schema_read_length, ym_schema_read_pattern, ym_schema_read_format, ym_schema_read_codes,
    ym_schema_read_examples, ym_schema_read_bound, ym_schema_read_size, ym_schema_read_unique,
    ym_schema_read_note, ym_schema_read_label, ym_schema_read_sensitive, ym_schema_read_keys,
    ym_schema_read_ui, ym_schema_read_root;
ym_schema_read ym_schema_sub_members, ym_schema_sub_patterns, ym_schema_sub_one, ym_schema_sub_list,
    ym_schema_sub_required, ym_schema_sub_depend_required, ym_schema_sub_depend_schemas,
    ym_schema_sub_defs, ym_schema_sub_ref, ym_schema_sub_anchor;

struct ym_sstring *ym_schema_str(struct ym_scompile *c, struct ym_snode *n);
struct ym_sarray *ym_schema_arr(struct ym_scompile *c, struct ym_snode *n);
struct ym_sobject *ym_schema_obj(struct ym_scompile *c, struct ym_snode *n);

/* A compiled regular expression owned by the arena; NULL with a diagnostic when it is wrong. */
const pcre2_code *ym_schema_pattern(struct ym_scompile *c, const json_t *text,
                                    const struct ym_spath *at);

const struct ym_sformat *ym_schema_format(const char *name);
const char *ym_schema_format_name(size_t i);
size_t ym_schema_format_count(void);
const struct ym_sformat *ym_schema_format_at(size_t i);

uint32_t ym_schema_hash(const char *key);

/* JSON Schema's equality: numbers by value, objects without order. */
bool ym_schema_same(const json_t *a, const json_t *b);

/*
 * The subschema that rules the value at pointer ("/-" = any item), through $ref; NULL when the
 * schema does not name it.
 */
const struct ym_snode *ym_schema_at(const struct ym_schema *s, const char *pointer);

#endif
