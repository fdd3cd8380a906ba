/* SPDX-License-Identifier: Apache-2.0
 * What the files of the field table share: pointers split at load, predicates, function calls,
 * compiled fields. Private to ym_map*.c and ym_check.c.
 */
#ifndef YM_MAP_PRIV_H
#define YM_MAP_PRIV_H

#include "ym_map.h"

#define YM_MAP_DEPTH 8         /* nested `fields:`; YAML itself stops at 24 */
#define YM_MAP_FIELDS 1000     /* fields of one table, nested ones included */
#define YM_MAP_POINTER_MAX 200 /* bytes of one pointer */
#define YM_MAP_ROOTS 4000      /* distinct record pointers of one table; slots are 16 bits wide */
#define YM_MAP_SCRATCH 1024    /* bytes on the stack for values under work */
#define YM_MAP_TEXT (16u << 20) /* longest value a function or encode may make */

/* ---- pointers ---- */

struct ym_seg {
    const char *key;
    size_t n;
    size_t index; /* when is_index: the same text as an array index */
    bool is_index;
};

/* A JSON Pointer, split once. root: from the envelope; otherwise from the item of each/first. */
struct ym_ptr {
    const char *text; /* RFC 6901, without the `^` */
    bool root, in_data;
    const struct ym_seg *segs;
    size_t seg_count;
    uint16_t slot; /* root: index among the table's distinct root pointers */
};

/* The items that each/first are standing on, innermost first. */
struct ym_frame {
    const struct ym_frame *up;
    const struct ym_ptr *base;
    size_t index;
    const json_t *item;
};

/* Where values are looked up: by walking the record, or in values that ym_check resolved once. */
struct ym_view {
    const json_t *record;
    const json_t *const *values; /* NULL = walk */
    const uint16_t *remap;       /* the table's slot → index in values */
    const struct ym_frame *frame;
};

struct ym_roots {
    const struct ym_ptr **items;
    size_t count, cap;
};

/* text "" is the item or record itself. inside: relative unless it begins with ^. roots may be NULL. */
ym_status ym_ptr_compile(const struct ym_yaml *at, struct ym_str text, bool inside,
                         struct ym_arena *a, struct ym_roots *roots, const struct ym_ptr **ret,
                         struct ym_diag *d);
const json_t *ym_ptr_get(const struct ym_ptr *p, const struct ym_view *v);
/* One step; NULL when there is none. */
const json_t *ym_seg_get(const struct ym_seg *s, const json_t *from);

/* Scalar → text. Strings are borrowed; numbers and booleans are written to buf. False for others. */
#define YM_SCALAR_MAX 40
bool ym_scalar_text(const json_t *value, char buf[YM_SCALAR_MAX], struct ym_str *ret);

/* ---- predicates ---- */

ym_status ym_when_compile_in(const struct ym_yaml *node, bool inside, struct ym_arena *a,
                             struct ym_roots *roots, const struct ym_when **ret, struct ym_diag *d);
/* `where:` of each/first: every pointer of the item equals its text. */
ym_status ym_where_compile(const struct ym_yaml *node, struct ym_arena *a, struct ym_roots *roots,
                           const struct ym_when **ret, struct ym_diag *d);
bool ym_when_eval(const struct ym_when *w, const struct ym_view *v);
bool ym_when_relative(const struct ym_when *w); /* does it look at the item? */
void ym_when_pointers(const struct ym_when *w, void (*each)(void *data, const struct ym_ptr *p),
                      void *data);

/* ---- functions ---- */

/* Short-lived text: a stack buffer first, then the arena. */
struct ym_mem {
    char *p;
    size_t left;
    struct ym_arena *a;
};
char *ym_mem_get(struct ym_mem *m, size_t n); /* NULL when memory is out */

enum ym_fn_result { YM_FN_OK, YM_FN_BAD, YM_FN_NOMEM };

struct ym_fn_env {
    struct ym_mem *mem;
    int offset_min;
};

struct ym_fn;
/* One function with its argument, ready to run. */
struct ym_call {
    const struct ym_fn *fn;
    long n;             /* of fn:N */
    struct ym_str a, b; /* of fn:TEXT and fn:A|B */
};

ym_status ym_call_compile(const struct ym_yaml *at, struct ym_arena *a, struct ym_call *ret,
                          struct ym_diag *d);
/* Input and output are NUL-terminated. BAD: the value is not of the form the function needs. */
enum ym_fn_result ym_call_run(const struct ym_call *c, const struct ym_fn_env *env,
                              struct ym_str in, struct ym_str *ret);
bool ym_call_joins(const struct ym_call *c); /* takes an array of scalars */
bool ym_call_cuts(const struct ym_call *c);  /* must follow a time function */
bool ym_call_tells_time(const struct ym_call *c);
/* Never fails, never lengthens, never empties, brings no new characters: the check may skip it. */
bool ym_call_keeps(const struct ym_call *c);
const char *
ym_call_expects(const struct ym_call *c); /* the form it needs, for a problem's detail */

/* ---- compiled fields ---- */

enum ym_source { YM_SRC_FROM, YM_SRC_NAME, YM_SRC_CONST, YM_SRC_CONCAT, YM_SRC_FIELDS };
enum ym_name {
    YM_NAME_NUMBER,
    YM_NAME_REF,
    YM_NAME_REVISION,
    YM_NAME_OP,
    YM_NAME_NOW,
    YM_NAME_ATTEMPT,
    YM_NAME_SECRET,
    YM_NAME_SESSION,
    YM_NAME_SETTINGS
};
enum ym_over { YM_OVER_NONE, YM_OVER_EACH, YM_OVER_FIRST };
enum ym_as { YM_AS_STRING, YM_AS_INTEGER, YM_AS_NUMBER, YM_AS_BOOLEAN, YM_AS_RAW };
enum ym_empty { YM_EMPTY_SKIP, YM_EMPTY_SEND, YM_EMPTY_NULL };
enum ym_encode { YM_ENCODE_NONE, YM_ENCODE_JSON, YM_ENCODE_XML };

struct ym_node {
    const struct ym_yaml *at;
    const char *const *to;
    size_t to_count;
    struct ym_str label; /* `"to":` of a table that flows */
    enum ym_source source;
    const struct ym_ptr *from;
    enum ym_name name;
    const char *name_arg; /* NAME of $secret.NAME */
    const char *dollar;   /* "$secret.NAME" as written */
    struct ym_str constant;
    struct ym_node *kids; /* concat parts or fields */
    size_t kid_count;
    enum ym_over how;
    const struct ym_ptr *over; /* the array of each/first */
    const struct ym_when *where, *when;
    const struct ym_code_map *codes;
    const struct ym_code_table *labels;
    const struct ym_call *calls;
    size_t call_count;
    bool apply_first; /* `apply` stands before `codes` or `labels`: they run in that order */
    struct ym_str def;
    bool has_def, required, cdata;
    bool plain;  /* from a pointer, as text, nothing applied that a check could object to */
    bool wanted; /* fields: something below is required even without an item */
    enum ym_as as;
    enum ym_empty empty;
    enum ym_encode encode;
    const char *root; /* encode: xml */
    long max;
};

struct ym_map {
    const struct ym_node *nodes;
    size_t node_count;
    const struct ym_map_leaf *leaves;
    size_t leaf_count;
    const struct ym_ptr *const *roots; /* by slot */
    size_t root_count;
    bool flows; /* its document can be written as JSON from front to end */
};

/*
 * Whether it can: every name stands once in its object, and nothing is put into a place made before
 * or into a string. If so, its fields get their labels.
 */
ym_status ym_map_flow(struct ym_node *nodes, size_t count, struct ym_arena *a, bool *ret);

/* ---- judging ---- */

struct ym_charset;

struct ym_judge {
    const char *system;
    const json_t *record;
    const json_t *const *values; /* resolved roots, or NULL */
    const uint16_t *remap;
    const struct ym_charset *charset; /* NULL = everything */
    int offset_min;
};
void ym_map_judge(const struct ym_map *m, const struct ym_judge *j, struct ym_problems *out);

/* `encode: xml`: the object's members as elements below root; "@name" attributes, arrays repeat. */
ym_status ym_map_xml(const char *root, const json_t *doc, struct ym_buf *out);

#endif
