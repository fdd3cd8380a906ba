/* SPDX-License-Identifier: Apache-2.0
 * `outcomes:` compiled into conditions, and the first rule that holds.
 */
#include "ym_rules.h"

#include "ym_conf.h"

#include <ctype.h>
#include <stdio.h>

#define CONDS_MAX 24 /* of one rule */

static const char *const verdict_words[] = {
    "ok",       "retry",     "unavailable", "rejected", "unknown", "broken",
    "accepted", "duplicate", "reauth",      "handoff",  "absent",  "pending",
};

const char *ym_verdict_word(enum ym_verdict v)
{
    return (size_t)v < YM_COUNT(verdict_words) ? verdict_words[v] : "?";
}

/* What is under way while one rule is compiled. */
struct build {
    const struct ym_read *reads;
    size_t read_count;
    struct ym_arena *a;
    struct ym_diag *d;
    struct ym_rule *rule;
};

static struct ym_cond *add(struct build *b, const struct ym_yaml *node, enum ym_cond_kind kind)
{
    struct ym_cond *c;

    if (b->rule->conds == NULL || b->rule->count == CONDS_MAX) {
        ym_diag_add(b->d, node->file, node->line, node->column,
                    "a rule holds at most %d conditions", CONDS_MAX);
        return NULL;
    }
    c = &b->rule->conds[b->rule->count++];
    c->kind = kind;
    return c;
}

/* The index of a read, or a diagnostic. */
static bool find_read(struct build *b, const struct ym_yaml *node, struct ym_str name, size_t *ret)
{
    for (size_t i = 0; i < b->read_count; i++) {
        if (ym_str_is(name, b->reads[i].name)) {
            *ret = i;
            return true;
        }
    }
    ym_diag_add(b->d, node->file, node->line, node->column,
                "the rule names %.*s, which read: does not read", (int)name.n, name.p);
    return false;
}

/* {ref} and {number} stand for what was sent; a word that stands for nothing is a mistake. */
static void check_about(struct build *b, const struct ym_yaml *node, const char *text)
{
    for (const char *p = strchr(text, '{'); p != NULL; p = strchr(p + 1, '{')) {
        struct ym_str word = {.p = p, .n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz") + 2};

        if (word.n > 2 && p[word.n - 1] == '}' && !ym_str_is(word, "{ref}") &&
            !ym_str_is(word, "{number}")) {
            ym_diag_add(b->d, node->file, node->line, node->column,
                        "there is no %.*s; use {ref} or {number}", (int)word.n, p);
        }
    }
}

/* A scalar or a list of scalars as texts of the arena. */
static void take_values(struct build *b, const struct ym_yaml *node, struct ym_cond *c)
{
    size_t n = node->kind == YM_YAML_LIST ? node->count : 1;
    const struct ym_yaml *item = node->kind == YM_YAML_LIST ? node->child : node;

    c->values = ym_arena_alloc(b->a, (n + 1) * sizeof(*c->values));
    if (c->values == NULL || node->kind == YM_YAML_MAP || n == 0) {
        ym_diag_add(b->d, node->file, node->line, node->column,
                    "a value or a list of values is needed here");
        return;
    }
    for (; c->count < n && item != NULL; item = item->next) {
        if (item->kind != YM_YAML_SCALAR) {
            ym_diag_add(b->d, item->file, item->line, item->column, "a plain value is needed here");
            return;
        }
        c->values[c->count] = ym_arena_strz(b->a, item->text.p);
        if (c->values[c->count] == NULL) {
            ym_diag_add(b->d, item->file, item->line, item->column, "out of memory");
            return;
        }
        c->count++;
    }
}

static bool status_word(const char *w)
{
    return strlen(w) == 3 && w[0] >= '1' && w[0] <= '5' &&
           ((isdigit((unsigned char)w[1]) && isdigit((unsigned char)w[2])) ||
            strcmp(w + 1, "xx") == 0);
}

static bool stage_word(const char *w)
{
    return *w == '\0' || strcmp(w, "page") == 0 || strcmp(w, "absent") == 0 ||
           (strncmp(w, "file:", 5) == 0 && isdigit((unsigned char)w[5]) && w[6] == '\0');
}

static void compile_status(struct build *b, const struct ym_yaml *node, bool stage)
{
    struct ym_cond *c = add(b, node, stage ? YM_C_STAGE : YM_C_STATUS);

    if (c == NULL) {
        return;
    }
    take_values(b, node, c);
    for (size_t i = 0; i < c->count; i++) {
        if (!(stage ? stage_word(c->values[i]) : status_word(c->values[i]))) {
            ym_diag_add(b->d, node->file, node->line, node->column,
                        stage ? "there is no stage %s; use page, absent or file:N"
                              : "there is no status %s; write 200, [200, 201] or 5xx",
                        c->values[i]);
        }
    }
    b->rule->names_status |= !stage;
    b->rule->names_stage |= stage;
}

/* has and lacks: one name or several. */
static void compile_has(struct build *b, const struct ym_yaml *node, bool has)
{
    const struct ym_yaml *item = node->kind == YM_YAML_LIST ? node->child : node;

    for (; item != NULL; item = node->kind == YM_YAML_LIST ? item->next : NULL) {
        struct ym_cond *c;
        size_t read = 0;

        if (item->kind != YM_YAML_SCALAR) {
            ym_diag_add(b->d, item->file, item->line, item->column,
                        "has and lacks take the names of reads");
        } else if (find_read(b, item, item->text, &read) &&
                   (c = add(b, item, has ? YM_C_HAS : YM_C_LACKS)) != NULL) {
            c->read = read;
        }
    }
}

/* equals, in and matches: maps of a read's name to what it is compared with. */
static void compile_compare(struct build *b, const struct ym_yaml *node, bool regex)
{
    if (node->kind != YM_YAML_MAP) {
        ym_diag_add(b->d, node->file, node->line, node->column,
                    "equals, in and matches take a map such as { code: \"11\" }");
        return;
    }
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        struct ym_cond *c;
        struct ym_err err = {0};
        size_t read = 0;

        if (!find_read(b, v, v->key->text, &read) ||
            (c = add(b, v, regex ? YM_C_MATCHES : YM_C_EQUALS)) == NULL) {
            continue;
        }
        c->read = read;
        take_values(b, v, c);
        if (regex && c->count == 1 &&
            ym_match_compile(c->values[0], b->a, &c->match, &err) != YM_OK) {
            ym_diag_add(b->d, v->file, v->line, v->column, "%s", err.message);
        } else if (!regex) {
            for (size_t i = 0; i < c->count; i++) {
                check_about(b, v, c->values[i]);
            }
        } else if (c->count != 1) {
            ym_diag_add(b->d, v->file, v->line, v->column, "matches takes one regular expression");
        }
        b->rule->compares = true;
    }
}

static void compile_when(struct build *b, const struct ym_yaml *when)
{
    static const char *const keys[] = {"status", "stage", "has",     "lacks",
                                       "equals", "in",    "matches", NULL};

    if (when == NULL) {
        return;
    }
    if (when->kind != YM_YAML_MAP) {
        ym_diag_add(b->d, when->file, when->line, when->column,
                    "when takes a map such as { status: 200, has: number }");
        return;
    }
    ym_yaml_only(when, keys, b->d);
    for (const struct ym_yaml *v = when->child; v != NULL; v = v->next) {
        if (ym_str_is(v->key->text, "status") || ym_str_is(v->key->text, "stage")) {
            compile_status(b, v, ym_str_is(v->key->text, "stage"));
        } else if (ym_str_is(v->key->text, "has") || ym_str_is(v->key->text, "lacks")) {
            compile_has(b, v, ym_str_is(v->key->text, "has"));
        } else if (ym_str_is(v->key->text, "equals") || ym_str_is(v->key->text, "in")) {
            compile_compare(b, v, false);
        } else if (ym_str_is(v->key->text, "matches")) {
            compile_compare(b, v, true);
        }
    }
}

static void compile_then(struct build *b, const struct ym_yaml *node)
{
    const char *then = ym_yaml_text(node, "then");
    const struct ym_yaml *after = ym_yaml_get(node, "after");
    const char *message = ym_yaml_text(node, "message");
    size_t i = 0;

    while (then != NULL && i < YM_COUNT(verdict_words) && strcmp(verdict_words[i], then) != 0) {
        i++;
    }
    if (then == NULL || i == YM_COUNT(verdict_words)) {
        ym_diag_add(b->d, node->file, node->line, node->column,
                    "then takes one of ok, retry, unavailable, rejected, unknown, broken, "
                    "accepted, duplicate, reauth, handoff, absent, pending");
        return;
    }
    b->rule->then = (enum ym_verdict)i;
    b->rule->message = message != NULL ? ym_arena_strz(b->a, message) : NULL;
    if (after == NULL) {
        return;
    }
    b->rule->after_header = after->kind == YM_YAML_SCALAR && ym_str_is(after->text, "header");
    if (!b->rule->after_header &&
        (after->kind != YM_YAML_SCALAR || !ym_duration_parse(after->text, &b->rule->after_ms))) {
        ym_diag_add(b->d, after->file, after->line, after->column,
                    "after takes a duration such as 60s, or header for the answer's Retry-After");
    }
}

void ym_rules_compile(const struct ym_yaml *list, const struct ym_read *reads, size_t read_count,
                      struct ym_arena *a, struct ym_rules *ret, struct ym_diag *d)
{
    static const char *const keys[] = {"when", "then", "after", "message", NULL};
    struct build b = {reads, read_count, a, d, NULL};
    const struct ym_rule *last = NULL;

    if (list == NULL) {
        return;
    }
    if (list->kind != YM_YAML_LIST) {
        ym_diag_add(d, list->file, list->line, list->column, "outcomes is a list of rules");
        return;
    }
    ret->items = ym_arena_alloc(a, (list->count + 1) * sizeof(*ret->items));
    if (ret->items == NULL) {
        ym_diag_add(d, list->file, list->line, list->column, "out of memory");
        return;
    }
    for (const struct ym_yaml *n = list->child; n != NULL; n = n->next) {
        if (n->kind != YM_YAML_MAP) {
            ym_diag_add(d, n->file, n->line, n->column, "a rule is a map with when and then");
            continue;
        }
        if (last != NULL) {
            ym_diag_add(d, n->file, n->line, n->column,
                        "this rule is never reached: the rule in line %d has no condition",
                        last->line);
        }
        b.rule = &ret->items[ret->count++];
        b.rule->line = n->line;
        b.rule->conds = ym_arena_alloc(a, CONDS_MAX * sizeof(*b.rule->conds));
        ym_yaml_only(n, keys, d);
        compile_when(&b, ym_yaml_get(n, "when"));
        compile_then(&b, n);
        last = last == NULL && b.rule->count == 0 ? b.rule : last;
    }
}

static bool status_is(const char *word, long status)
{
    char text[8];

    if (status < 100 || status > 599) {
        return false;
    }
    if (word[1] == 'x') {
        return status / 100 == word[0] - '0';
    }
    snprintf(text, sizeof(text), "%ld", status);
    return strcmp(text, word) == 0;
}

/* What stands at the placeholder, or NULL when there is none; *ret_n: how long the placeholder is. */
static const char *about(const char *at, const struct ym_facts *f, size_t *ret_n)
{
    bool ref = strncmp(at, "{ref}", 5) == 0;

    *ret_n = ref ? 5 : strncmp(at, "{number}", 8) == 0 ? 8 : 0;
    return ref ? f->ref : f->number;
}

/* Whether a text is what the rule says, with {ref} and {number} as they were sent. */
static bool says(const char *rule, const char *text, const struct ym_facts *f)
{
    while (*rule != '\0') {
        size_t n = 0, length;
        const char *sent = *rule == '{' ? about(rule, f, &n) : NULL;

        if (n == 0) {
            if (*rule++ != *text++) {
                return false;
            }
            continue;
        }
        length = sent != NULL ? strlen(sent) : 0;
        if (length == 0 || strncmp(text, sent, length) != 0) {
            return false; /* what is not known is no proof */
        }
        rule += n;
        text += length;
    }
    return *text == '\0';
}

static bool any_value(const struct ym_cond *c, const char *text, const struct ym_facts *f)
{
    for (size_t i = 0; i < c->count; i++) {
        if (says(c->values[i], text, f)) {
            return true;
        }
    }
    return false;
}

static bool cond_holds(const struct ym_cond *c, const struct ym_case *k)
{
    const char *stage = k->facts->stage != NULL ? k->facts->stage : "";
    const char *v;

    switch (c->kind) {
    case YM_C_STATUS:
        for (size_t i = 0; i < c->count; i++) {
            if (status_is(c->values[i], k->facts->status)) {
                return true;
            }
        }
        return false;
    case YM_C_STAGE:
        return any_value(c, stage, k->facts);
    default:
        break;
    }
    v = k->values[c->read];
    switch (c->kind) {
    case YM_C_HAS:
        return v != NULL;
    case YM_C_LACKS:
        return v == NULL;
    case YM_C_EQUALS:
        return v != NULL && any_value(c, v, k->facts);
    default:
        return v != NULL && c->match != NULL && ym_match_run(c->match, ym_str_of(v), NULL);
    }
}

/* Grounds for taking something as settled; see ym_reply.h. */
static bool has_grounds(const struct ym_rule *r, const struct ym_case *k)
{
    const char *stage = k->facts->stage != NULL ? k->facts->stage : "";
    bool early = strcmp(stage, "page") == 0 || strcmp(stage, "absent") == 0;
    long status = k->facts->status;

    switch (r->then) {
    case YM_V_DUPLICATE:
        return !early || r->names_stage;
    case YM_V_OK:
    case YM_V_ACCEPTED:
        if (early && !r->names_stage) {
            return false;
        }
        break;
    case YM_V_ABSENT:
        if (status >= 400 && status != 404 && status != 410 && !r->names_status && !r->compares) {
            return false;
        }
        break;
    default:
        return true;
    }
    if ((k->unreadable || k->fault) && !r->compares) {
        return false;
    }
    return status < 500 || r->names_status || r->compares;
}

const struct ym_rule *ym_rules_find(const struct ym_rules *rules, const struct ym_case *c)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct ym_rule *r = &rules->items[i];
        size_t held = 0;

        while (held < r->count && cond_holds(&r->conds[held], c)) {
            held++;
        }
        if (held == r->count && has_grounds(r, c)) {
            return r;
        }
    }
    return NULL;
}
