/* SPDX-License-Identifier: Apache-2.0
 * Readers of keywords whose value is a plain value: types, bounds, patterns, formats, annotations.
 */
#include "ym_schema_priv.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"

struct ym_sstring *ym_schema_str(struct ym_scompile *c, struct ym_snode *n)
{
    if (n->str == NULL) {
        n->str = ym_schema_alloc(c, sizeof(*n->str));
        if (n->str != NULL) {
            n->str->max = SIZE_MAX;
        }
    }
    return n->str;
}

struct ym_sarray *ym_schema_arr(struct ym_scompile *c, struct ym_snode *n)
{
    if (n->arr == NULL) {
        n->arr = ym_schema_alloc(c, sizeof(*n->arr));
        if (n->arr != NULL) {
            n->arr->max = SIZE_MAX;
            n->arr->min_contains = 1;
            n->arr->max_contains = SIZE_MAX;
        }
    }
    return n->arr;
}

struct ym_sobject *ym_schema_obj(struct ym_scompile *c, struct ym_snode *n)
{
    if (n->obj == NULL) {
        n->obj = ym_schema_alloc(c, sizeof(*n->obj));
        if (n->obj != NULL) {
            n->obj->max = SIZE_MAX;
        }
    }
    return n->obj;
}

/* ---- any value ---- */

static const struct {
    const char *name;
    unsigned bit;
    const char *zh;
} types[] = {
    {"string", YM_T_STRING, "文本"},   {"number", YM_T_NUMBER, "数字"},
    {"integer", YM_T_INTEGER, "整数"}, {"boolean", YM_T_BOOLEAN, "是或否"},
    {"array", YM_T_ARRAY, "列表"},     {"object", YM_T_OBJECT, "一组字段"},
    {"null", YM_T_NULL, "空值"},
};

static void type_add(struct ym_scompile *c, struct ym_snode *n, const json_t *name,
                     const struct ym_spath *at)
{
    const char *z = json_string_value(name);

    for (size_t i = 0; z != NULL && i < YM_COUNT(types); i++) {
        if (strcmp(types[i].name, z) != 0) {
            continue;
        }
        if ((n->types & types[i].bit) != 0) {
            break;
        }
        n->types |= types[i].bit;
        n->types_en = n->types_en == NULL ? z : ym_arena_printf(c->a, "%s or %s", n->types_en, z);
        n->types_zh = n->types_zh == NULL
                          ? types[i].zh
                          : ym_arena_printf(c->a, "%s或%s", n->types_zh, types[i].zh);
        c->out_of_memory = c->out_of_memory || n->types_en == NULL || n->types_zh == NULL;
        return;
    }
    ym_schema_fault(c, at,
                    "type is one or several different words of string, number, integer, boolean, "
                    "array, object, null");
}

void ym_schema_read_type(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    (void)name;
    if (!json_is_array(value)) {
        type_add(c, n, value, at);
        return;
    }
    if (json_array_size(value) == 0) {
        ym_schema_fault(c, at, "type may not be an empty list");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        type_add(c, n, json_array_get(value, i), at);
    }
}

void ym_schema_read_enum(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    (void)name;
    if (!json_is_array(value) || json_array_size(value) == 0) {
        ym_schema_fault(c, at, "enum is a list with at least one value");
        return;
    }
    n->enums = value;
}

void ym_schema_read_const(struct ym_scompile *c, struct ym_snode *n, const char *name,
                          json_t *value, const struct ym_spath *at)
{
    (void)c;
    (void)name;
    (void)at;
    n->constant = value;
}

/* A non-negative whole number; false with a diagnostic otherwise. */
static bool size_read(struct ym_scompile *c, const char *name, const json_t *value,
                      const struct ym_spath *at, size_t *ret)
{
    double v = json_is_number(value) ? json_number_value(value) : -1;

    if (v < 0 || v > 9e15 || v != (double)(int64_t)v) {
        ym_schema_fault(c, at, "%s is a whole number, 0 or more", name);
        return false;
    }
    *ret = (size_t)v;
    return true;
}

/* ---- strings ---- */

void ym_schema_read_length(struct ym_scompile *c, struct ym_snode *n, const char *name,
                           json_t *value, const struct ym_spath *at)
{
    struct ym_sstring *s = ym_schema_str(c, n);

    if (s != NULL) {
        (void)size_read(c, name, value, at, strcmp(name, "minLength") == 0 ? &s->min : &s->max);
    }
}

static void code_close(void *code)
{
    pcre2_code_free(code);
}

const pcre2_code *ym_schema_pattern(struct ym_scompile *c, const json_t *text,
                                    const struct ym_spath *at)
{
    /* The limits stand in the pattern itself, so that a check needs no match context. */
    static const char limits[] = "(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=1000)(*LIMIT_HEAP=1000)";
    char whole[sizeof(limits) + YM_SCHEMA_PATTERN_MAX];
    unsigned char why[120];
    size_t n = json_string_length(text);
    size_t offset = 0;
    int error = 0;
    pcre2_code *code = NULL;

    if (!json_is_string(text) || n > YM_SCHEMA_PATTERN_MAX) {
        ym_schema_fault(c, at, "a pattern is a text of at most %d bytes", YM_SCHEMA_PATTERN_MAX);
        return NULL;
    }
    memcpy(whole, limits, sizeof(limits) - 1);
    memcpy(whole + sizeof(limits) - 1, json_string_value(text), n);
    code = pcre2_compile((PCRE2_SPTR)whole, sizeof(limits) - 1 + n,
                         PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                             PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
                         &error, &offset, NULL);
    if (code == NULL) {
        (void)pcre2_get_error_message(error, why, sizeof(why));
        ym_schema_fault(c, at, "the pattern is wrong at byte %zu: %s",
                        offset < sizeof(limits) ? (size_t)0 : offset - (sizeof(limits) - 1),
                        (const char *)why);
        return NULL;
    }
    /* Where machine code may not be made, the interpreter does the same, slower. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    if (ym_arena_cleanup(c->a, code_close, code) != YM_OK) {
        pcre2_code_free(code);
        c->out_of_memory = true;
        return NULL;
    }
    return code;
}

void ym_schema_read_pattern(struct ym_scompile *c, struct ym_snode *n, const char *name,
                            json_t *value, const struct ym_spath *at)
{
    struct ym_sstring *s = ym_schema_str(c, n);

    (void)name;
    if (s != NULL) {
        s->pattern = ym_schema_pattern(c, value, at);
    }
}

void ym_schema_read_format(struct ym_scompile *c, struct ym_snode *n, const char *name,
                           json_t *value, const struct ym_spath *at)
{
    struct ym_sstring *s = ym_schema_str(c, n);
    const char *z = json_string_value(value);

    (void)name;
    if (s == NULL) {
        return;
    }
    s->format = z == NULL ? NULL : ym_schema_format(z);
    if (s->format == NULL) {
        ym_schema_fault(
            c, at,
            "the format \"%.60s\" is not in the supported subset (docs/types.md); the "
            "nearest supported word is \"%s\"",
            z == NULL ? "" : z,
            ym_schema_nearest(z == NULL ? "" : z, ym_schema_format_name, ym_schema_format_count()));
    }
}

void ym_schema_read_codes(struct ym_scompile *c, struct ym_snode *n, const char *name,
                          json_t *value, const struct ym_spath *at)
{
    struct ym_sstring *s = ym_schema_str(c, n);
    const char *z = json_string_value(value);

    if (s == NULL) {
        return;
    }
    s->codes = z == NULL || c->codes == NULL ? NULL : c->codes(c->codes_data, z);
    if (s->codes == NULL) {
        ym_schema_fault(c, at, "%s: there is no code table \"%.60s\" in config/codes", name,
                        z == NULL ? "" : z);
    }
}

void ym_schema_read_examples(struct ym_scompile *c, struct ym_snode *n, const char *name,
                             json_t *value, const struct ym_spath *at)
{
    const char *first = json_string_value(json_array_get(value, 0));
    struct ym_sstring *s = first == NULL ? NULL : ym_schema_str(c, n);

    if (!json_is_array(value)) {
        ym_schema_fault(c, at, "%s is a list", name);
    }
    if (s != NULL) {
        s->hint_en = ym_arena_printf(c->a, "for example %s", first);
        s->hint_zh = ym_arena_printf(c->a, "例如 %s", first);
        c->out_of_memory = c->out_of_memory || s->hint_en == NULL || s->hint_zh == NULL;
    }
}

/* ---- numbers ---- */

void ym_schema_read_bound(struct ym_scompile *c, struct ym_snode *n, const char *name,
                          json_t *value, const struct ym_spath *at)
{
    static const struct {
        const char *name, *en, *zh, *zh_end;
    } bounds[YM_B_COUNT] = {
        [YM_B_MIN] = {"minimum", "≥ ", "≥ ", ""},
        [YM_B_MAX] = {"maximum", "≤ ", "≤ ", ""},
        [YM_B_EXMIN] = {"exclusiveMinimum", "> ", "> ", ""},
        [YM_B_EXMAX] = {"exclusiveMaximum", "< ", "< ", ""},
        [YM_B_MULTIPLE] = {"multipleOf", "a multiple of ", "为 ", " 的倍数"},
    };
    double v = json_number_value(value);

    if (!json_is_number(value) || (strcmp(name, "multipleOf") == 0 && !(v > 0))) {
        ym_schema_fault(c, at, "%s is a number%s", name, json_is_number(value) ? " above 0" : "");
        return;
    }
    if (n->num == NULL) {
        n->num = ym_schema_alloc(c, sizeof(*n->num));
    }
    for (size_t i = 0; n->num != NULL && i < YM_B_COUNT; i++) {
        if (strcmp(bounds[i].name, name) != 0) {
            continue;
        }
        n->num->bound[i] = value;
        n->num->text[i] = ym_arena_printf(c->a, "%s%.15g", bounds[i].en, v);
        n->num->text_zh[i] = ym_arena_printf(c->a, "%s%.15g%s", bounds[i].zh, v, bounds[i].zh_end);
        c->out_of_memory =
            c->out_of_memory || n->num->text[i] == NULL || n->num->text_zh[i] == NULL;
    }
}

/* ---- sizes of arrays and objects ---- */

void ym_schema_read_size(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    bool of_object = strstr(name, "Properties") != NULL;
    bool of_contains = strstr(name, "Contains") != NULL;
    bool is_min = strncmp(name, "min", 3) == 0;
    size_t v = 0;

    if (!size_read(c, name, value, at, &v)) {
        return;
    }
    if (of_object && ym_schema_obj(c, n) != NULL) {
        *(is_min ? &n->obj->min : &n->obj->max) = v;
    } else if (!of_object && ym_schema_arr(c, n) != NULL) {
        if (of_contains) {
            *(is_min ? &n->arr->min_contains : &n->arr->max_contains) = v;
        } else {
            *(is_min ? &n->arr->min : &n->arr->max) = v;
        }
    }
}

void ym_schema_read_unique(struct ym_scompile *c, struct ym_snode *n, const char *name,
                           json_t *value, const struct ym_spath *at)
{
    if (!json_is_boolean(value)) {
        ym_schema_fault(c, at, "%s is true or false", name);
    } else if (ym_schema_arr(c, n) != NULL) {
        n->arr->unique = json_is_true(value);
    }
}

/* ---- annotations ---- */

void ym_schema_read_note(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    bool is_text = strcmp(name, "title") == 0 || strcmp(name, "description") == 0 ||
                   strcmp(name, "$comment") == 0;
    bool is_any = strcmp(name, "default") == 0;

    (void)n;
    if (is_text && !json_is_string(value)) {
        ym_schema_fault(c, at, "%s is a text", name);
    } else if (!is_text && !is_any && !json_is_boolean(value)) {
        ym_schema_fault(c, at, "%s is true or false", name);
    }
}

void ym_schema_read_label(struct ym_scompile *c, struct ym_snode *n, const char *name,
                          json_t *value, const struct ym_spath *at)
{
    n->label_zh = ym_json_str(value, "zh");
    n->label_en = ym_json_str(value, "en");
    if (n->label_zh == NULL || n->label_en == NULL || json_object_size(value) != 2) {
        ym_schema_fault(c, at, "%s is { \"zh\": …, \"en\": … }", name);
    }
}

void ym_schema_read_sensitive(struct ym_scompile *c, struct ym_snode *n, const char *name,
                              json_t *value, const struct ym_spath *at)
{
    const char *z = json_is_string(value) ? json_string_value(value) : "";

    (void)n;
    if (strcmp(z, "public") != 0 && strcmp(z, "internal") != 0 && strcmp(z, "personal") != 0 &&
        strcmp(z, "secret") != 0) {
        ym_schema_fault(c, at, "%s is public, internal, personal or secret", name);
    }
}

void ym_schema_read_keys(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    const char *key = NULL;
    json_t *pointer = NULL;

    (void)n;
    if (at->up != NULL || !json_is_object(value)) {
        ym_schema_fault(c, at, "%s is an object at the root: name to pointer", name);
        return;
    }
    json_object_foreach(value, key, pointer)
    {
        struct ym_spath here = {at, key, 0};
        const char *z = json_string_value(pointer);

        if (z == NULL || z[0] != '/') {
            ym_schema_fault(c, &here, "a search key is a pointer such as \"/parties/-/id_no\"");
        }
    }
}

void ym_schema_read_ui(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                       const struct ym_spath *at)
{
    (void)n;
    if (!json_is_object(value)) {
        ym_schema_fault(c, at, "%s is an object", name);
    }
}

void ym_schema_read_root(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                         const struct ym_spath *at)
{
    const char *z = json_string_value(value);

    (void)n;
    if (at->up != NULL) {
        ym_schema_fault(c, at, "%s is supported at the root only: use $anchor and $defs", name);
    } else if (z == NULL) {
        ym_schema_fault(c, at, "%s is a text", name);
    } else if (strcmp(name, "$schema") == 0 && strcmp(z, DRAFT) != 0) {
        ym_schema_fault(c, at, "$schema is \"%s\"", DRAFT);
    }
}
