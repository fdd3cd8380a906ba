/* SPDX-License-Identifier: Apache-2.0
 * Checks a value against a compiled schema. Nothing is allocated until something is wrong.
 */
#include "ym_schema_priv.h"
#include "ym_time.h"

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>

/* PCRE2's match data for patterns without captures fits; malloc serves when it does not. */
#define SCRATCH 512

struct check {
    struct ym_problems *out;
    int64_t now_ms; /* 0 = not asked yet */
    long steps;     /* left */
    int depth;      /* of the value */
    bool exhausted, out_of_memory;
    pcre2_match_data *match;
    size_t scratch_used;
    alignas(max_align_t) unsigned char scratch[SCRATCH];
};

static bool node_check(struct check *k, const struct ym_snode *n, const json_t *v,
                       const struct ym_spath *path, bool loud);

/* ---- saying what is wrong ---- */

static size_t escaped(const char *key, char *out)
{
    size_t n = 0;

    for (; *key != '\0'; key++) {
        bool special = *key == '~' || *key == '/';

        if (out != NULL) {
            out[n] = special ? '~' : *key;
            if (special) {
                out[n + 1] = *key == '~' ? '0' : '1';
            }
        }
        n += special ? 2 : 1;
    }
    return n;
}

/* One step's text, "/key" or "/12", into out (NULL = only its length). */
static size_t step_text(const struct ym_spath *p, char *out)
{
    char digits[24];
    size_t n = sizeof(digits), v = p->index;

    if (out != NULL) {
        out[0] = '/';
    }
    if (p->key != NULL) {
        return 1 + escaped(p->key, out == NULL ? NULL : out + 1);
    }
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (out != NULL) {
        memcpy(out + 1, digits + n, sizeof(digits) - n);
    }
    return 1 + sizeof(digits) - n;
}

static const char *pointer_text(struct ym_arena *a, const struct ym_spath *path)
{
    size_t n = 0;
    char *text = NULL;

    for (const struct ym_spath *p = path; p != NULL; p = p->up) {
        n += step_text(p, NULL);
    }
    text = ym_arena_alloc(a, n + 1);
    for (const struct ym_spath *p = path; p != NULL && text != NULL; p = p->up) {
        n -= step_text(p, NULL);
        (void)step_text(p, text + n);
    }
    return text;
}

/* Always false, so that `return fault(…)` reads well. Silent while trying branches. */
static bool fault(struct check *k, bool loud, enum ym_problem_code code,
                  const struct ym_spath *path, size_t limit, const char *detail,
                  const char *detail_zh)
{
    const char *pointer = NULL;

    if (!loud || k->out == NULL) {
        return false;
    }
    pointer = pointer_text(k->out->arena, path);
    if (pointer == NULL ||
        ym_problems_add(k->out, code, pointer, NULL, (long)limit, detail, detail_zh) != YM_OK) {
        k->out_of_memory = true;
    }
    return false;
}

static bool fault_label(struct check *k, bool loud, const struct ym_snode *n,
                        const struct ym_spath *path)
{
    return fault(k, loud, YM_P_CONDITION, path, 0, n->label_en, n->label_zh);
}

/* ---- equality ---- */

static long double number_of(const json_t *v)
{
    return json_is_integer(v) ? (long double)json_integer_value(v)
                              : (long double)json_real_value(v);
}

bool ym_schema_same(const json_t *a, const json_t *b)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;

    if (json_is_number(a) && json_is_number(b)) {
        return number_of(a) == number_of(b);
    }
    if (json_typeof(a) != json_typeof(b)) {
        return false;
    }
    switch (json_typeof(a)) {
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b) &&
               memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
    case JSON_ARRAY:
        if (json_array_size(a) != json_array_size(b)) {
            return false;
        }
        json_array_foreach(a, i, item)
        {
            if (!ym_schema_same(item, json_array_get(b, i))) {
                return false;
            }
        }
        return true;
    case JSON_OBJECT:
        if (json_object_size(a) != json_object_size(b)) {
            return false;
        }
        json_object_foreach((json_t *)a, key, item)
        {
            const json_t *other = json_object_get(b, key);

            if (other == NULL || !ym_schema_same(item, other)) {
                return false;
            }
        }
        return true;
    default:
        return true; /* null, true, false: the type is the value */
    }
}

/* Whether a finite double has no fraction; above 2^53 none has. Without libm: nothing links it. */
static bool is_whole(double r)
{
    return fabs(r) >= 9007199254740992.0 || r == (double)(int64_t)r;
}

static unsigned types_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return YM_T_OBJECT;
    case JSON_ARRAY:
        return YM_T_ARRAY;
    case JSON_STRING:
        return YM_T_STRING;
    case JSON_INTEGER:
        return YM_T_INTEGER | YM_T_NUMBER;
    case JSON_REAL:
        return YM_T_NUMBER | (is_whole(json_real_value(v)) ? (unsigned)YM_T_INTEGER : 0u);
    case JSON_NULL:
        return YM_T_NULL;
    default:
        return YM_T_BOOLEAN;
    }
}

/* ---- patterns ---- */

static void *scratch_take(size_t n, void *data)
{
    struct check *k = data;
    size_t at = (k->scratch_used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    if (n > sizeof(k->scratch) || at > sizeof(k->scratch) - n) {
        return malloc(n);
    }
    k->scratch_used = at + n;
    return k->scratch + at;
}

static void scratch_give(void *p, void *data)
{
    struct check *k = data;

    if ((unsigned char *)p < k->scratch || (unsigned char *)p >= k->scratch + sizeof(k->scratch)) {
        free(p);
    }
}

static bool pattern_holds(struct check *k, const pcre2_code *code, const char *p, size_t n)
{
    int rc = 0;

    if (k->match == NULL) {
        pcre2_general_context *g = pcre2_general_context_create(scratch_take, scratch_give, k);

        if (g != NULL) {
            k->match = pcre2_match_data_create(1, g);
            pcre2_general_context_free(g);
        }
        if (k->match == NULL) {
            k->out_of_memory = true;
            return false;
        }
    }
    rc = pcre2_match(code, (PCRE2_SPTR)p, n, 0, PCRE2_NO_UTF_CHECK, k->match, NULL);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        k->exhausted = true; /* a match limit: the answer is not known, so the value is refused */
    }
    return rc >= 0;
}

/* ---- strings and numbers ---- */

static bool codes_hold(struct check *k, const struct ym_code_table *t, const json_t *v)
{
    const struct ym_code *code = NULL;

    if (strlen(json_string_value(v)) != json_string_length(v)) {
        return false;
    }
    code = ym_code_find(t, json_string_value(v));
    if (code == NULL || !code->leaf) {
        return false;
    }
    if (code->valid_from == 0 && code->valid_to == 0) {
        return true;
    }
    if (k->now_ms == 0) {
        k->now_ms = ym_now_ms();
    }
    return ym_code_valid_at(code, k->now_ms);
}

static bool string_check(struct check *k, const struct ym_sstring *s, const json_t *v,
                         const struct ym_spath *path, bool loud)
{
    struct ym_str text = {json_string_value(v), json_string_length(v)};
    bool ok = true;

    /* Bytes bound characters from above, so short texts are never counted. */
    if (s->min > 0 || text.n > s->max) {
        size_t n = ym_utf8_length(text.p, text.n);

        if (n > s->max) {
            ok = fault(k, loud, YM_P_TOO_LONG, path, s->max, NULL, NULL);
        }
        if (n < s->min) {
            ok = fault(k, loud, YM_P_TOO_SHORT, path, s->min, NULL, NULL);
        }
    }
    if (s->pattern != NULL && !pattern_holds(k, s->pattern, text.p, text.n)) {
        ok = fault(k, loud, YM_P_PATTERN, path, 0, s->hint_en, s->hint_zh);
    }
    if (s->format != NULL && !s->format->holds(text)) {
        ok = fault(k, loud, YM_P_FORMAT, path, 0, s->format->en, s->format->zh);
    }
    if (s->codes != NULL && !codes_hold(k, s->codes, v)) {
        ok = fault(k, loud, YM_P_CODE, path, 0, s->codes->name, NULL);
    }
    return ok;
}

static bool is_multiple(const json_t *v, const json_t *of)
{
    double quotient = 0, size = 0, off = 0;

    if (json_is_integer(v) && json_is_integer(of)) {
        return json_integer_value(v) % json_integer_value(of) == 0;
    }
    quotient = json_number_value(v) / json_number_value(of);
    if (!isfinite(quotient)) {
        return false;
    }
    size = fabs(quotient);
    if (is_whole(quotient)) {
        return true;
    }
    /* Decimal fractions are not exact: 0.0075 / 0.0001 is 75 but for the last bits. */
    off = size - (double)(int64_t)(size + 0.5);
    return fabs(off) <= 1e-11 * (size > 1.0 ? size : 1.0);
}

static bool number_check(struct check *k, const struct ym_snumber *s, const json_t *v,
                         const struct ym_spath *path, bool loud)
{
    long double x = number_of(v);
    bool ok = true;

    for (size_t i = 0; i < YM_B_COUNT; i++) {
        bool holds = true;

        if (s->bound[i] == NULL) {
            continue;
        }
        switch ((enum ym_sbound)i) {
        case YM_B_MIN:
            holds = x >= number_of(s->bound[i]);
            break;
        case YM_B_MAX:
            holds = x <= number_of(s->bound[i]);
            break;
        case YM_B_EXMIN:
            holds = x > number_of(s->bound[i]);
            break;
        case YM_B_EXMAX:
            holds = x < number_of(s->bound[i]);
            break;
        default:
            holds = is_multiple(v, s->bound[i]);
            break;
        }
        if (!holds) {
            ok = fault(k, loud, YM_P_RANGE, path, 0, s->text[i], s->text_zh[i]);
        }
    }
    return ok;
}

/* ---- arrays ---- */

static bool child_check(struct check *k, const struct ym_snode *n, const json_t *v,
                        const struct ym_spath *path, bool loud)
{
    bool ok = true;

    if (k->depth == YM_JSON_DEPTH) {
        k->exhausted = true;
        return false;
    }
    k->depth++;
    ok = node_check(k, n, v, path, loud);
    k->depth--;
    return ok;
}

static bool unique_check(struct check *k, const json_t *v, const struct ym_spath *path, bool loud)
{
    size_t n = json_array_size(v);

    if (n > YM_SCHEMA_UNIQUE_MAX) {
        return fault(k, loud, YM_P_TOO_MANY, path, YM_SCHEMA_UNIQUE_MAX, NULL, NULL);
    }
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (ym_schema_same(json_array_get(v, i), json_array_get(v, j))) {
                struct ym_spath here = {path, NULL, i};

                return fault(k, loud, YM_P_NOT_UNIQUE, &here, 0, NULL, NULL);
            }
        }
    }
    return true;
}

static bool contains_check(struct check *k, const struct ym_sarray *s, const json_t *v,
                           const struct ym_spath *path, bool loud)
{
    size_t fit = 0;

    for (size_t i = 0; i < json_array_size(v); i++) {
        struct ym_spath here = {path, NULL, i};

        fit += child_check(k, s->contains, json_array_get(v, i), &here, false);
    }
    if (fit < s->min_contains) {
        return fault(k, loud, YM_P_TOO_FEW, path, s->min_contains, NULL, NULL);
    }
    if (fit > s->max_contains) {
        return fault(k, loud, YM_P_TOO_MANY, path, s->max_contains, NULL, NULL);
    }
    return true;
}

static bool items_check(struct check *k, const struct ym_sarray *s, const json_t *v,
                        const struct ym_spath *path, bool loud)
{
    size_t n = json_array_size(v);
    bool ok = true;

    if (s->items != NULL && s->items->kind == YM_S_NEVER && n > s->prefix_count) {
        ok = fault(k, loud, YM_P_TOO_MANY, path, s->prefix_count, NULL, NULL);
        n = s->prefix_count;
    }
    for (size_t i = 0; i < n && (ok || loud); i++) {
        const struct ym_snode *rule = i < s->prefix_count ? s->prefix[i] : s->items;
        struct ym_spath here = {path, NULL, i};

        if (rule == NULL) {
            break;
        }
        ok = child_check(k, rule, json_array_get(v, i), &here, loud) && ok;
    }
    return ok;
}

static bool array_check(struct check *k, const struct ym_sarray *s, const json_t *v,
                        const struct ym_spath *path, bool loud)
{
    size_t n = json_array_size(v);
    bool ok = true;

    if (n < s->min) {
        ok = fault(k, loud, YM_P_TOO_FEW, path, s->min, NULL, NULL);
    }
    if (n > s->max) {
        return fault(k, loud, YM_P_TOO_MANY, path, s->max, NULL, NULL);
    }
    if (s->items != NULL || s->prefix != NULL) {
        ok = items_check(k, s, v, path, loud) && ok;
    }
    if (s->unique && (ok || loud)) {
        ok = unique_check(k, v, path, loud) && ok;
    }
    if (s->contains != NULL && (ok || loud)) {
        ok = contains_check(k, s, v, path, loud) && ok;
    }
    return ok;
}

/* ---- objects ---- */

static const struct ym_snode *member_find(const struct ym_sobject *s, const char *name)
{
    size_t at = 0;

    if (s->member_count == 0) {
        return NULL;
    }
    at = ym_schema_hash(name) & s->slot_mask;
    while (s->slots[at] != 0) {
        const struct ym_smember *m = &s->members[s->slots[at] - 1];

        if (strcmp(m->name, name) == 0) {
            return m->node;
        }
        at = (at + 1) & s->slot_mask;
    }
    return NULL;
}

/* A member ruled by n; a member that may not be there at all is an unknown field. */
static bool member_check(struct check *k, const struct ym_snode *n, const json_t *v,
                         const struct ym_spath *path, bool loud)
{
    if (n->kind == YM_S_NEVER) {
        return fault(k, loud, YM_P_UNKNOWN_FIELD, path, 0, NULL, NULL);
    }
    return child_check(k, n, v, path, loud);
}

static bool name_check(struct check *k, const struct ym_snode *n, const char *name,
                       const struct ym_spath *path, bool loud)
{
    json_t *text = json_string(name);
    bool ok = false;

    if (text == NULL) {
        k->out_of_memory = true;
        return false;
    }
    ok = child_check(k, n, text, path, loud);
    json_decref(text);
    return ok;
}

static bool members_check(struct check *k, const struct ym_sobject *s, const json_t *v,
                          const struct ym_spath *path, bool loud)
{
    const char *name = NULL;
    json_t *item = NULL;
    bool ok = true;

    json_object_foreach((json_t *)v, name, item)
    {
        const struct ym_snode *rule = member_find(s, name);
        struct ym_spath here = {path, name, 0};
        bool known = rule != NULL;

        if (s->names != NULL) {
            ok = name_check(k, s->names, name, &here, loud) && ok;
        }
        if (rule != NULL) {
            ok = member_check(k, rule, item, &here, loud) && ok;
        }
        for (size_t i = 0; i < s->pattern_count; i++) {
            if (pattern_holds(k, s->patterns[i].code, name, strlen(name))) {
                known = true;
                ok = member_check(k, s->patterns[i].node, item, &here, loud) && ok;
            }
        }
        if (!known && s->additional != NULL) {
            ok = member_check(k, s->additional, item, &here, loud) && ok;
        }
        if (!ok && !loud) {
            return false;
        }
    }
    return ok;
}

static bool required_check(struct check *k, const char *const *required, const json_t *v,
                           const struct ym_spath *path, bool loud)
{
    bool ok = true;

    for (; required != NULL && *required != NULL && (ok || loud); required++) {
        if (json_object_get(v, *required) == NULL) {
            struct ym_spath here = {path, *required, 0};

            ok = fault(k, loud, YM_P_REQUIRED, &here, 0, NULL, NULL);
        }
    }
    return ok;
}

static bool object_check(struct check *k, const struct ym_sobject *s, const json_t *v,
                         const struct ym_spath *path, bool loud)
{
    size_t n = json_object_size(v);
    bool ok = required_check(k, s->required, v, path, loud);

    if (n < s->min) {
        ok = fault(k, loud, YM_P_TOO_FEW, path, s->min, NULL, NULL);
    }
    if (n > s->max) {
        return fault(k, loud, YM_P_TOO_MANY, path, s->max, NULL, NULL);
    }
    for (size_t i = 0; i < s->depend_count && (ok || loud); i++) {
        const struct ym_sdepend *dep = &s->depends[i];

        if (json_object_get(v, dep->name) == NULL) {
            continue;
        }
        ok = required_check(k, dep->required, v, path, loud) && ok;
        if (dep->node != NULL) {
            ok = node_check(k, dep->node, v, path, loud) && ok;
        }
    }
    if ((ok || loud) && (s->member_count > 0 || s->pattern_count > 0 || s->additional != NULL ||
                         s->names != NULL)) {
        ok = members_check(k, s, v, path, loud) && ok;
    }
    return ok;
}

/* ---- combining ---- */

/* The types that a branch takes, as far as it says so; 0 = any. */
static unsigned branch_types(const struct ym_snode *n)
{
    while (n->types == 0 && n->ref != NULL) {
        n = n->ref;
    }
    return n->types;
}

/* How many branches hold; stops at the second, or at the first when one is enough. */
static size_t branches_holding(struct check *k, const struct ym_slist *l, const json_t *v,
                               const struct ym_spath *path, size_t enough)
{
    size_t held = 0;

    for (size_t i = 0; i < l->count && held < enough; i++) {
        held += node_check(k, l->nodes[i], v, path, false);
    }
    return held;
}

/* None held: where only one branch is for this type of value, its own problems say most. */
static bool branches_fault(struct check *k, const struct ym_snode *n, const struct ym_slist *l,
                           const json_t *v, const struct ym_spath *path, bool loud)
{
    const struct ym_snode *only = NULL;
    unsigned t = types_of(v);
    size_t fitting = 0;

    for (size_t i = 0; loud && i < l->count; i++) {
        unsigned takes = branch_types(l->nodes[i]);

        if (takes == 0 || (takes & t) != 0) {
            only = l->nodes[i];
            fitting++;
        }
    }
    if (fitting == 1 && only->kind == YM_S_RULES) {
        return node_check(k, only, v, path, true);
    }
    return fault_label(k, loud, n, path);
}

static bool one_check(struct check *k, const struct ym_snode *n, const json_t *v,
                      const struct ym_spath *path, bool loud)
{
    size_t held = branches_holding(k, &n->logic->one, v, path, 2);

    if (held == 0) {
        return branches_fault(k, n, &n->logic->one, v, path, loud);
    }
    return held == 1 || fault_label(k, loud, n, path);
}

static bool condition_check(struct check *k, const struct ym_slogic *l, const json_t *v,
                            const struct ym_spath *path, bool loud)
{
    const struct ym_snode *next = NULL;

    if (l->then == NULL && l->otherwise == NULL) {
        return true;
    }
    next = node_check(k, l->condition, v, path, false) ? l->then : l->otherwise;
    return next == NULL || node_check(k, next, v, path, loud);
}

static bool logic_check(struct check *k, const struct ym_snode *n, const json_t *v,
                        const struct ym_spath *path, bool loud)
{
    const struct ym_slogic *l = n->logic;
    bool ok = true;

    for (size_t i = 0; i < l->all.count && (ok || loud); i++) {
        ok = node_check(k, l->all.nodes[i], v, path, loud) && ok;
    }
    if (l->any.count > 0 && (ok || loud) && branches_holding(k, &l->any, v, path, 1) == 0) {
        ok = branches_fault(k, n, &l->any, v, path, loud);
    }
    if (l->one.count > 0 && (ok || loud)) {
        ok = one_check(k, n, v, path, loud) && ok;
    }
    if (l->no != NULL && (ok || loud) && node_check(k, l->no, v, path, false)) {
        ok = fault_label(k, loud, n, path);
    }
    if (l->condition != NULL && (ok || loud)) {
        ok = condition_check(k, l, v, path, loud) && ok;
    }
    return ok;
}

/* ---- one node ---- */

static bool enum_holds(const json_t *list, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (ym_schema_same(json_array_get(list, i), v)) {
            return true;
        }
    }
    return false;
}

/* What depends on the value's own type. */
static bool parts_check(struct check *k, const struct ym_snode *n, const json_t *v,
                        const struct ym_spath *path, bool loud)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return n->str == NULL || string_check(k, n->str, v, path, loud);
    case JSON_INTEGER:
    case JSON_REAL:
        return n->num == NULL || number_check(k, n->num, v, path, loud);
    case JSON_ARRAY:
        return n->arr == NULL || array_check(k, n->arr, v, path, loud);
    case JSON_OBJECT:
        return n->obj == NULL || object_check(k, n->obj, v, path, loud);
    default:
        return true;
    }
}

static bool node_check(struct check *k, const struct ym_snode *n, const json_t *v,
                       const struct ym_spath *path, bool loud)
{
    bool ok = true;

    if (n->kind == YM_S_ALWAYS) {
        return true;
    }
    if (k->steps-- <= 0) {
        k->exhausted = true;
    }
    if (k->exhausted) {
        return false;
    }
    if (n->kind == YM_S_NEVER) {
        return fault_label(k, loud, n, path);
    }
    if (n->types != 0 && (n->types & types_of(v)) == 0) {
        return fault(k, loud, YM_P_TYPE, path, 0, n->types_en, n->types_zh);
    }
    if (n->constant != NULL && !ym_schema_same(n->constant, v)) {
        ok = fault(k, loud, YM_P_CONST, path, 0, NULL, NULL);
    }
    if (n->enums != NULL && !enum_holds(n->enums, v)) {
        ok = fault(k, loud, YM_P_ENUM, path, 0, NULL, NULL);
    }
    if (ok || loud) {
        ok = parts_check(k, n, v, path, loud) && ok;
    }
    if (n->ref != NULL && (ok || loud)) {
        ok = node_check(k, n->ref, v, path, loud) && ok;
    }
    if (n->logic != NULL && (ok || loud)) {
        ok = logic_check(k, n, v, path, loud) && ok;
    }
    return ok;
}

bool ym_schema_check(const struct ym_schema *s, const json_t *value, struct ym_problems *out)
{
    struct check k;
    bool ok = false;

    /* Not an initialiser: the scratch need not be cleared. */
    k.out = out;
    k.now_ms = 0;
    k.steps = YM_SCHEMA_STEPS;
    k.depth = 0;
    k.exhausted = false;
    k.out_of_memory = false;
    k.match = NULL;
    k.scratch_used = 0;

    ok = node_check(&k, s->root, value, NULL, out != NULL);
    if (k.exhausted) {
        (void)fault(&k, true, YM_P_CONDITION, NULL, 0, "too deep or too complex to check",
                    "层次过深或过于复杂,无法检查");
    }
    pcre2_match_data_free(k.match);
    return ok && !k.exhausted && !k.out_of_memory;
}
