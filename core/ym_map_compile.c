/* SPDX-License-Identifier: Apache-2.0
 * From YAML to a compiled field table. Every fault becomes a diagnostic with file:line and remedy;
 * compiling goes on after one, so that a person sees them all.
 */
#include "ym_conf.h"
#include "ym_map_priv.h"

#include <ctype.h>

struct comp {
    const struct ym_map_env *env;
    struct ym_arena *a;
    struct ym_diag *d;
    struct ym_roots roots;
    struct ym_map_leaf *leaves;
    size_t leaf_count, leaf_cap;
    size_t fields;
    ym_status rc;
};

/* Where a list of fields stands: inside an item?, how deep, and the paths of lineage so far. */
struct place {
    bool inside, xml; /* xml: below encode: xml, so names become element names */
    int depth;
    const char *to;      /* "Parties.Party" or "" */
    const char *pattern; /* "/data/parties/-" or "" */
};

static const char *const field_keys[] = {
    "to",      "from",   "const",    "concat", "fields", "each",   "first",
    "where",   "encode", "root",     "cdata",  "codes",  "labels", "apply",
    "default", "when",   "required", "max",    "as",     "empty",  NULL};
static const char *const part_keys[] = {"from",  "const",   "codes", "labels",
                                        "apply", "default", "when",  NULL};

static void fault(struct comp *x, ym_status rc)
{
    if (x->rc == YM_OK || rc == YM_ENOMEM) {
        x->rc = rc;
    }
}

static void say(struct comp *x, const struct ym_yaml *at, const char *words)
{
    ym_diag_add(x->d, at->file, at->line, at->column, "%s", words);
    fault(x, YM_EINVAL);
}

static void *get(struct comp *x, size_t n)
{
    void *p = ym_arena_alloc(x->a, n);
    if (p == NULL) {
        fault(x, YM_ENOMEM);
    }
    return p;
}

static const struct ym_yaml *scalar(struct comp *x, const struct ym_yaml *field, const char *key)
{
    const struct ym_yaml *v = ym_yaml_get(field, key);
    if (v != NULL && v->kind != YM_YAML_SCALAR) {
        ym_diag_add(x->d, v->file, v->line, v->column, "%s takes plain text", key);
        fault(x, YM_EINVAL);
        return NULL;
    }
    return v;
}

static bool yes(struct comp *x, const struct ym_yaml *field, const char *key)
{
    const struct ym_yaml *v = scalar(x, field, key);
    if (v == NULL) {
        return false;
    }
    if (!ym_str_is(v->text, "true") && !ym_str_is(v->text, "false")) {
        ym_diag_add(x->d, v->file, v->line, v->column, "%s is true or false", key);
        fault(x, YM_EINVAL);
    }
    return ym_str_is(v->text, "true");
}

/* Index of the scalar's text in a NULL-terminated list; 0 when absent or wrong. */
static int choice(struct comp *x, const struct ym_yaml *field, const char *key,
                  const char *const *words, const char *list)
{
    const struct ym_yaml *v = scalar(x, field, key);
    if (v == NULL) {
        return 0;
    }
    for (int i = 0; words[i] != NULL; i++) {
        if (ym_str_is(v->text, words[i])) {
            return i;
        }
    }
    ym_diag_add(x->d, v->file, v->line, v->column, "%s \"%s\" is none of %s", key, v->text.p, list);
    fault(x, YM_EINVAL);
    return 0;
}

/* ---- biometric names ---- */

/*
 * domain.md §2.5: a target that declares biometric fields is refused, whatever the reason given.
 * Names are looked at word by word, so that "surface" and "interface" stay usable.
 */
static bool biometric_word(const char *w, size_t n)
{
    static const char *const whole[] = {
        "face",    "faces",    "facial",    "iris",      "irises",      "faceid", "faceimg",
        "facepic", "facedata", "faceimage", "facephoto", "facefeature", NULL};
    for (const char *const *p = whole; *p != NULL; p++) {
        if (strlen(*p) == n && memcmp(*p, w, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool biometric(const char *name)
{
    static const char *const parts[] = {"fingerprint", "biometric", "人脸", "指纹", "虹膜", NULL};
    char flat[YM_MAP_POINTER_MAX + 1], word[YM_MAP_POINTER_MAX + 1];
    size_t n = 0, w = 0;
    for (const char *c = name;; c++) {
        bool letter = (unsigned char)*c >= 0x80 || isalpha((unsigned char)*c);
        bool hump = c > name && isupper((unsigned char)*c) && !isupper((unsigned char)c[-1]);
        if ((!letter || hump) && w > 0) {
            if (biometric_word(word, w)) {
                return true;
            }
            w = 0;
        }
        if (*c == '\0') {
            break;
        }
        if (letter && n < YM_MAP_POINTER_MAX) {
            word[w++] = flat[n++] = (char)tolower((unsigned char)*c);
        }
    }
    flat[n] = '\0';
    for (const char *const *p = parts; *p != NULL; p++) {
        if (strstr(flat, *p) != NULL) {
            return true;
        }
    }
    return false;
}

static void refuse_biometric(struct comp *x, const struct ym_yaml *v)
{
    if (v != NULL && v->kind == YM_YAML_SCALAR && biometric(v->text.p)) {
        ym_diag_add(x->d, v->file, v->line, v->column,
                    "\"%s\" names a biometric: such fields are never taken and never sent "
                    "(domain.md §2.5); remove the field",
                    v->text.p);
        fault(x, YM_EINVAL);
    }
}

/* ---- to ---- */

/* XML 1.0 §2.3 in its ASCII part; other characters are taken on trust. */
static bool xml_name(const char *s)
{
    for (const char *c = s; *c != '\0'; c++) {
        unsigned char b = (unsigned char)*c;
        bool more = c != s && (isdigit(b) || b == '-' || b == '.');
        if (b < 0x80 && !isalpha(b) && b != '_' && b != ':' && !more) {
            return false;
        }
    }
    return s[0] != '\0';
}

/* Splits at dots; "\." is a dot of the name itself. */
static void to_split(struct comp *x, struct ym_node *n, const struct ym_yaml *v, bool xml)
{
    const char *c = v->text.p;
    size_t dots = 1;
    for (size_t i = 0; i < v->text.n; i++) {
        dots += c[i] == '.';
    }
    const char **parts = get(x, dots * sizeof(*parts));
    char *text = get(x, v->text.n + 1);
    if (parts == NULL || text == NULL) {
        return;
    }
    size_t k = 0;
    parts[k++] = text;
    for (size_t i = 0; i < v->text.n; i++) {
        if (c[i] == '\\' && c[i + 1] == '.') {
            *text++ = '.';
            i++;
        } else if (c[i] == '.') {
            *text++ = '\0';
            parts[k++] = text;
        } else {
            *text++ = c[i];
        }
    }
    for (size_t i = 0; i < k; i++) {
        bool attribute = parts[i][0] == '@';
        if (parts[i][0] == '\0' || (attribute && (parts[i][1] == '\0' || i + 1 < k))) {
            say(x, v, "to: a path of names joined by dots; @name only at its end");
            return;
        }
        if (parts[i][0] == '#' && (strcmp(parts[i], "#text") != 0 || i + 1 < k)) {
            say(x, v, "to: a name cannot begin with #, except #text at the end");
            return;
        }
        if (xml && parts[i][0] != '#' && !xml_name(parts[i] + attribute)) {
            say(x, v, "to: below encode: xml this must be an XML name");
            return;
        }
    }
    n->to = parts;
    n->to_count = k;
}

static const char *join_path(struct comp *x, const char *head, const char *glue, const char *tail)
{
    const char *p = ym_arena_printf(x->a, "%s%s%s", head, head[0] != '\0' ? glue : "", tail);
    if (p == NULL) {
        fault(x, YM_ENOMEM);
        return "";
    }
    return p;
}

/* ---- sources ---- */

static const struct {
    const char *word;
    enum ym_name name;
    bool arg;
} names[] = {
    {"number", YM_NAME_NUMBER, false},     {"ref", YM_NAME_REF, false},
    {"revision", YM_NAME_REVISION, false}, {"op", YM_NAME_OP, false},
    {"now", YM_NAME_NOW, false},           {"attempt", YM_NAME_ATTEMPT, false},
    {"secret.", YM_NAME_SECRET, true},     {"session.", YM_NAME_SESSION, true},
    {"settings.", YM_NAME_SETTINGS, true},
};

static void source_name(struct comp *x, struct ym_node *n, const struct ym_yaml *v)
{
    const char *text = v->text.p + 1;
    n->source = YM_SRC_NAME;
    n->dollar = v->text.p;
    for (size_t i = 0; i < YM_COUNT(names); i++) {
        size_t len = strlen(names[i].word);
        bool hit = names[i].arg ? strncmp(text, names[i].word, len) == 0 && text[len] != '\0'
                                : strcmp(text, names[i].word) == 0;
        if (hit) {
            n->name = names[i].name;
            n->name_arg = text + len;
            return;
        }
    }
    ym_diag_add(x->d, v->file, v->line, v->column,
                "unknown name \"%s\"; known are $number $ref $revision $op $now $attempt "
                "$secret.NAME $session.NAME $settings.NAME",
                v->text.p);
    fault(x, YM_EINVAL);
}

static void source_from(struct comp *x, struct ym_node *n, const struct ym_yaml *v,
                        const struct place *at)
{
    if (v->kind != YM_YAML_SCALAR) {
        say(x, v, "from takes one pointer or one $name");
        return;
    }
    refuse_biometric(x, v);
    if (v->text.n > 0 && v->text.p[0] == '$') {
        source_name(x, n, v);
        return;
    }
    n->source = YM_SRC_FROM;
    ym_status rc = ym_ptr_compile(v, v->text, at->inside, x->a, &x->roots, &n->from, x->d);
    if (rc != YM_OK) {
        fault(x, rc);
    }
}

static void field_codes(struct comp *x, struct ym_node *n, const struct ym_yaml *field)
{
    const struct ym_yaml *codes = scalar(x, field, "codes");
    const struct ym_yaml *labels = scalar(x, field, "labels");
    if (codes != NULL && labels != NULL) {
        say(x, labels, "codes and labels exclude each other: one value cannot be looked up twice");
        return;
    }
    if (codes != NULL) {
        n->codes = x->env->codes != NULL ? x->env->codes(x->env->data, codes->text.p) : NULL;
        if (n->codes == NULL) {
            ym_diag_add(x->d, codes->file, codes->line, codes->column,
                        "no usable code map \"%s\" in the adapter's folder or in the crosswalks",
                        codes->text.p);
            fault(x, YM_EINVAL);
        }
    }
    if (labels != NULL) {
        n->labels = x->env->labels != NULL ? x->env->labels(x->env->data, labels->text.p) : NULL;
        if (n->labels == NULL) {
            ym_diag_add(x->d, labels->file, labels->line, labels->column,
                        "no code table \"%s\" among the code tables", labels->text.p);
            fault(x, YM_EINVAL);
        }
    }
}

static void field_apply(struct comp *x, struct ym_node *n, const struct ym_yaml *field)
{
    const struct ym_yaml *apply = ym_yaml_get(field, "apply");
    if (apply == NULL) {
        return;
    }
    if (apply->kind != YM_YAML_LIST) {
        say(x, apply, "apply takes a list: [trim, \"pad:6\"]");
        return;
    }
    struct ym_call *calls = get(x, apply->count * sizeof(*calls));
    if (calls == NULL) {
        return;
    }
    size_t i = 0;
    for (const struct ym_yaml *v = apply->next; v != NULL; v = v->next) {
        n->apply_first =
            n->apply_first || ym_str_is(v->key->text, "codes") || ym_str_is(v->key->text, "labels");
    }
    for (const struct ym_yaml *v = apply->child; v != NULL; v = v->next) {
        ym_status rc = ym_call_compile(v, x->a, &calls[i], x->d);
        if (rc != YM_OK) {
            fault(x, rc);
            continue;
        }
        if (ym_call_joins(&calls[i]) && (i != 0 || n->source != YM_SRC_FROM)) {
            say(x, v, "join makes text of an array: it comes first and needs from: /pointer");
        }
        if (ym_call_cuts(&calls[i]) && (i == 0 || !ym_call_tells_time(&calls[i - 1]))) {
            say(x, v,
                "cut comes right after a time function: text is never cut silently; use "
                "\"first:N\" for a visible cut");
        }
        i++;
    }
    n->calls = calls;
    n->call_count = i;
}

/* What a field and a part of concat have in common. */
static void value_modifiers(struct comp *x, struct ym_node *n, const struct ym_yaml *field,
                            const struct place *at)
{
    const struct ym_yaml *def = scalar(x, field, "default");
    const struct ym_yaml *when = ym_yaml_get(field, "when");
    field_codes(x, n, field);
    field_apply(x, n, field);
    if (def != NULL) {
        n->def = def->text;
        n->has_def = true;
    }
    if (when != NULL) {
        ym_status rc = ym_when_compile_in(when, at->inside, x->a, &x->roots, &n->when, x->d);
        if (rc != YM_OK) {
            fault(x, rc);
        }
    }
}

static void part(struct comp *x, struct ym_node *n, const struct ym_yaml *v, const struct place *at)
{
    n->at = v;
    if (v->kind != YM_YAML_MAP) {
        say(x, v, "a part of concat is { from: … } or { const: … }");
        return;
    }
    if (!ym_yaml_only(v, part_keys, x->d)) {
        fault(x, YM_EINVAL);
    }
    const struct ym_yaml *from = ym_yaml_get(v, "from"), *text = scalar(x, v, "const");
    if ((from != NULL) == (text != NULL)) {
        say(x, v, "a part of concat needs exactly one of from and const");
        return;
    }
    if (from != NULL) {
        source_from(x, n, from, at);
    } else {
        n->source = YM_SRC_CONST;
        n->constant = text->text;
    }
    value_modifiers(x, n, v, at);
}

static void source_concat(struct comp *x, struct ym_node *n, const struct ym_yaml *v,
                          const struct place *at)
{
    n->source = YM_SRC_CONCAT;
    if (v->kind != YM_YAML_LIST || v->count == 0) {
        say(x, v, "concat takes a list of parts");
        return;
    }
    struct ym_node *parts = get(x, v->count * sizeof(*parts));
    if (parts == NULL) {
        return;
    }
    size_t i = 0;
    for (const struct ym_yaml *p = v->child; p != NULL; p = p->next) {
        part(x, &parts[i++], p, at);
    }
    n->kids = parts;
    n->kid_count = i;
}

/* ---- lineage ---- */

static void leaf_add(struct comp *x, const struct ym_node *n, const struct ym_node *source,
                     const struct place *at, const char *to)
{
    if (x->leaf_count == x->leaf_cap) {
        size_t cap = x->leaf_cap != 0 ? x->leaf_cap * 2 : 32;
        struct ym_map_leaf *leaves = get(x, cap * sizeof(*leaves));
        if (leaves == NULL) {
            return;
        }
        if (x->leaf_count != 0) {
            memcpy(leaves, x->leaves, x->leaf_count * sizeof(*leaves));
        }
        x->leaves = leaves;
        x->leaf_cap = cap;
    }
    struct ym_map_leaf *leaf = &x->leaves[x->leaf_count++];
    leaf->to = to;
    leaf->required = n->required;
    leaf->max = n->max;
    leaf->line = n->at->line;
    leaf->at = n->at;
    leaf->codes = source->codes != NULL    ? source->codes->name
                  : source->labels != NULL ? source->labels->name
                                           : NULL;
    if (source->source == YM_SRC_CONST) {
        leaf->constant = source->constant.p;
    } else if (source->source == YM_SRC_NAME) {
        leaf->constant = source->dollar;
    } else if (source->from != NULL) {
        const char *head = source->from->root ? "" : at->pattern;
        leaf->pointer = join_path(x, head, "", source->from->text);
    }
}

static void lineage(struct comp *x, const struct ym_node *n, const struct place *at, const char *to)
{
    if (n->source != YM_SRC_CONCAT) {
        leaf_add(x, n, n, at, to);
        return;
    }
    for (size_t i = 0; i < n->kid_count; i++) {
        leaf_add(x, n, &n->kids[i], at, to);
    }
}

/* ---- fields ---- */

static void fields(struct comp *x, const struct ym_yaml *list, const struct place *at,
                   struct ym_node **ret, size_t *ret_count);

/* Does something below object when there is no item at all? */
static bool wanted(const struct ym_node *kids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct ym_node *k = &kids[i];
        bool sure = k->when == NULL || !ym_when_relative(k->when);
        if (sure && (k->source == YM_SRC_FIELDS ? k->how == YM_OVER_NONE && k->wanted
                                                : k->required && !k->has_def)) {
            return true;
        }
    }
    return false;
}

static void group_over(struct comp *x, struct ym_node *n, const struct ym_yaml *field,
                       const struct place *at)
{
    const struct ym_yaml *each = scalar(x, field, "each"), *first = scalar(x, field, "first");
    const struct ym_yaml *where = ym_yaml_get(field, "where");
    const struct ym_yaml *over = each != NULL ? each : first;
    if (each != NULL && first != NULL) {
        say(x, first, "each and first exclude each other");
    }
    if (over != NULL) {
        n->how = each != NULL ? YM_OVER_EACH : YM_OVER_FIRST;
        refuse_biometric(x, over);
        ym_status rc =
            ym_ptr_compile(over, over->text, at->inside, x->a, &x->roots, &n->over, x->d);
        if (rc != YM_OK) {
            fault(x, rc);
        }
    }
    if (where == NULL) {
        return;
    }
    if (over == NULL) {
        say(x, where, "where chooses items: it needs each or first");
        return;
    }
    ym_status rc = ym_where_compile(where, x->a, &x->roots, &n->where, x->d);
    if (rc != YM_OK) {
        fault(x, rc);
    }
}

static void group_encode(struct comp *x, struct ym_node *n, const struct ym_yaml *field)
{
    static const char *const words[] = {"", "json", "xml", NULL};
    const struct ym_yaml *root = scalar(x, field, "root");
    n->encode = (enum ym_encode)choice(x, field, "encode", words, "json and xml");
    n->cdata = yes(x, field, "cdata");
    n->root = root != NULL ? root->text.p : NULL;
    if (n->encode == YM_ENCODE_XML && root != NULL && !xml_name(n->root)) {
        say(x, root, "root must be an XML name");
    }
    if (n->encode == YM_ENCODE_XML && root == NULL) {
        say(x, field, "encode: xml needs root: the name of its outermost element");
    }
    if (n->encode == YM_ENCODE_XML && n->how == YM_OVER_EACH) {
        say(x, field, "encode: xml cannot be put on each; put the each inside the encoded fields");
    }
    if (n->encode != YM_ENCODE_XML && (root != NULL || n->cdata)) {
        say(x, field, "root and cdata belong to encode: xml");
    }
}

/* Modifiers that mean nothing on a group. */
static void group_refuse(struct comp *x, const struct ym_yaml *field)
{
    static const char *const words[] = {"codes", "labels", "apply", "default", "max", "as", NULL};
    for (const char *const *w = words; *w != NULL; w++) {
        const struct ym_yaml *v = ym_yaml_get(field, *w);
        if (v != NULL) {
            ym_diag_add(x->d, v->file, v->line, v->column,
                        "%s belongs to a single value; put it on a field inside fields", *w);
            fault(x, YM_EINVAL);
        }
    }
}

static void group(struct comp *x, struct ym_node *n, const struct ym_yaml *field,
                  const struct place *at, const char *to)
{
    const struct ym_yaml *when = ym_yaml_get(field, "when");
    struct place in = {at->inside, at->xml, at->depth + 1, to, at->pattern};
    n->source = YM_SRC_FIELDS;
    group_refuse(x, field);
    group_over(x, n, field, at);
    group_encode(x, n, field);
    if (n->to == NULL && (n->how == YM_OVER_EACH || n->encode != YM_ENCODE_NONE)) {
        say(x, field, "each and encode need to: the name of what they make");
    }
    if (when != NULL) {
        ym_status rc = ym_when_compile_in(when, at->inside, x->a, &x->roots, &n->when, x->d);
        if (rc != YM_OK) {
            fault(x, rc);
        }
    }
    if (n->over != NULL) {
        const char *head = n->over->root ? "" : at->pattern;
        in.inside = true;
        in.pattern = join_path(x, join_path(x, head, "", n->over->text), "/", "-");
    }
    in.xml = at->xml || n->encode == YM_ENCODE_XML;
    fields(x, ym_yaml_get(field, "fields"), &in, &n->kids, &n->kid_count);
    n->wanted = n->required || wanted(n->kids, n->kid_count);
}

static void leaf(struct comp *x, struct ym_node *n, const struct ym_yaml *field,
                 const struct place *at, const char *to)
{
    static const char *const as[] = {"string", "integer", "number", "boolean", "raw", NULL};
    const struct ym_yaml *text = scalar(x, field, "const"), *max = scalar(x, field, "max");
    const struct ym_yaml *from = ym_yaml_get(field, "from");
    if (from != NULL) {
        source_from(x, n, from, at);
    } else if (text != NULL) {
        n->source = YM_SRC_CONST;
        n->constant = text->text;
    } else if (ym_yaml_get(field, "concat") != NULL) {
        source_concat(x, n, ym_yaml_get(field, "concat"), at);
    }
    value_modifiers(x, n, field, at);
    n->as = (enum ym_as)choice(x, field, "as", as, "string, integer, number, boolean and raw");
    if (max != NULL) {
        int64_t v;
        if (!ym_int_parse(max->text, &v) || v < 1 || v > 1000000) {
            say(x, max, "max is a number of characters from 1 to 1000000");
        } else {
            n->max = (long)v;
        }
    }
    if (n->as == YM_AS_RAW && (n->source != YM_SRC_FROM || n->call_count != 0 || n->codes != NULL ||
                               n->labels != NULL || n->max != 0)) {
        say(x, field,
            "as: raw sends the value of from: /pointer untouched: no codes, labels, "
            "apply or max");
    }
    static const char *const group_only[] = {"each", "first", "where", "encode",
                                             "root", "cdata", NULL};
    for (const char *const *w = group_only; *w != NULL; w++) {
        if (ym_yaml_get(field, *w) != NULL) {
            ym_diag_add(x->d, field->file, field->line, field->column, "%s needs fields:", *w);
            fault(x, YM_EINVAL);
        }
    }
    if (n->to == NULL) {
        say(x, field, "to is missing: the name of this field in the target");
    }
    n->plain =
        n->source == YM_SRC_FROM && n->codes == NULL && n->labels == NULL && n->as == YM_AS_STRING;
    for (size_t i = 0; i < n->call_count; i++) {
        n->plain = n->plain && ym_call_keeps(&n->calls[i]);
    }
    lineage(x, n, at, to);
}

static void field_one(struct comp *x, struct ym_node *n, const struct ym_yaml *field,
                      const struct place *at)
{
    static const char *const sources[] = {"from", "const", "concat", "fields", NULL};
    static const char *const empties[] = {"skip", "send", "null", NULL};
    const char *path = at->to;
    int have = 0;
    n->at = field;
    if (field->kind != YM_YAML_MAP) {
        say(x, field, "a field is a map such as { to: Name, from: /data/name }");
        return;
    }
    if (!ym_yaml_only(field, field_keys, x->d)) {
        fault(x, YM_EINVAL);
    }
    const struct ym_yaml *to = scalar(x, field, "to");
    for (const char *const *s = sources; *s != NULL; s++) {
        have += ym_yaml_get(field, *s) != NULL;
    }
    if (have != 1) {
        say(x, field, "a field needs exactly one source: from, const, concat or fields");
        return;
    }
    if (to != NULL && to->text.n > YM_MAP_POINTER_MAX) {
        say(x, to, "to is longer than 200 bytes");
        return;
    }
    if (to != NULL) {
        refuse_biometric(x, to);
        to_split(x, n, to, at->xml);
        path = join_path(x, at->to, ".", to->text.p);
    }
    n->required = yes(x, field, "required");
    n->empty = (enum ym_empty)choice(x, field, "empty", empties, "skip, send and null");
    if (ym_yaml_get(field, "fields") != NULL) {
        group(x, n, field, at, path);
    } else {
        leaf(x, n, field, at, path);
    }
}

/* Number of leading parts that two paths share. */
static size_t shared(const struct ym_node *p, const struct ym_node *q)
{
    size_t i = 0;
    while (i < p->to_count && i < q->to_count && strcmp(p->to[i], q->to[i]) == 0) {
        i++;
    }
    return i;
}

/* Two fields for one place are alternatives (both with when) or lists that grow (both each). */
static void collisions(struct comp *x, const struct ym_node *nodes, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct ym_node *p = &nodes[k], *q = &nodes[i];
            size_t same = shared(p, q);
            bool equal = same == p->to_count && same == q->to_count;
            bool within = same == p->to_count || same == q->to_count;
            if (p->to_count == 0 || q->to_count == 0 || !within) {
                continue;
            }
            bool grow = p->how == YM_OVER_EACH && q->how == YM_OVER_EACH && equal;
            bool objects = p->source == YM_SRC_FIELDS && p->how != YM_OVER_EACH &&
                           q->source == YM_SRC_FIELDS && q->how != YM_OVER_EACH;
            bool below = !equal && (same == p->to_count ? p : q)->source == YM_SRC_FIELDS;
            if (grow || objects || below || (equal && p->when != NULL && q->when != NULL)) {
                continue;
            }
            ym_diag_add(x->d, q->at->file, q->at->line, q->at->column,
                        "the same place in the target is filled by line %d; give both a when: or "
                        "drop one",
                        p->at->line);
            fault(x, YM_EINVAL);
        }
    }
}

static void fields(struct comp *x, const struct ym_yaml *list, const struct place *at,
                   struct ym_node **ret, size_t *ret_count)
{
    if (list == NULL) {
        return;
    }
    if (list->kind != YM_YAML_LIST) {
        say(x, list, "fields takes a list: one \"- { to: …, from: … }\" per field");
        return;
    }
    x->fields += list->count;
    if (at->depth > YM_MAP_DEPTH || x->fields > YM_MAP_FIELDS) {
        say(x, list, "fields are nested deeper than 8 or more than 1000 in one table");
        return;
    }
    struct ym_node *nodes = get(x, list->count * sizeof(*nodes));
    if (nodes == NULL) {
        return;
    }
    size_t n = 0;
    for (const struct ym_yaml *f = list->child; f != NULL; f = f->next) {
        field_one(x, &nodes[n++], f, at);
    }
    if (x->rc == YM_OK) {
        collisions(x, nodes, n);
    }
    *ret = nodes;
    *ret_count = n;
}

ym_status ym_map_compile_env(const struct ym_yaml *list, const struct ym_map_env *env,
                             struct ym_arena *a, const struct ym_map **ret, struct ym_diag *d)
{
    struct comp x = {.env = env, .a = a, .d = d};
    struct place top = {false, false, 0, "", ""};
    struct ym_map *m = get(&x, sizeof(*m));
    if (m == NULL) {
        return x.rc;
    }
    struct ym_node *nodes = NULL;
    fields(&x, list, &top, &nodes, &m->node_count);
    m->nodes = nodes;
    m->leaves = x.leaves;
    m->leaf_count = x.leaf_count;
    m->roots = x.roots.items;
    m->root_count = x.roots.count;
    if (x.rc == YM_OK) {
        x.rc = ym_map_flow(nodes, m->node_count, a, &m->flows);
    }
    if (x.rc == YM_OK) {
        *ret = m;
    }
    return x.rc;
}

ym_status ym_map_compile(const struct ym_yaml *list, ym_map_codes_fn codes, void *codes_data,
                         struct ym_arena *a, const struct ym_map **ret, struct ym_diag *d)
{
    struct ym_map_env env = {codes, NULL, codes_data};
    return ym_map_compile_env(list, &env, a, ret, d);
}

size_t ym_map_leaf_count(const struct ym_map *m)
{
    return m->leaf_count;
}

const struct ym_map_leaf *ym_map_leaf_at(const struct ym_map *m, size_t i)
{
    return i < m->leaf_count ? &m->leaves[i] : NULL;
}
