/* SPDX-License-Identifier: Apache-2.0
 * JSON Pointers split once at load, and the text of scalars.
 */
#include "ym_conf.h"
#include "ym_map_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* Members of the envelope that a table may name; anything else is a typing error. */
static const char *const envelope[] = {"data",       "id",          "type", "revision",
                                       "owner",      "org",         "area", "created_at",
                                       "updated_at", "attachments", NULL};

static bool envelope_has(const struct ym_seg *s)
{
    for (const char *const *e = envelope; *e != NULL; e++) {
        if (strlen(*e) == s->n && memcmp(*e, s->key, s->n) == 0) {
            return true;
        }
    }
    return false;
}

/* Decodes ~0 and ~1 in place; false for any other use of the tilde. */
static bool seg_decode(char *key, size_t *n)
{
    size_t w = 0;
    for (size_t r = 0; r < *n; r++) {
        char c = key[r];
        if (c == '~') {
            r++;
            if (r == *n || (key[r] != '0' && key[r] != '1')) {
                return false;
            }
            c = key[r] == '0' ? '~' : '/';
        }
        key[w++] = c;
    }
    key[w] = '\0';
    *n = w;
    return true;
}

static void seg_index(struct ym_seg *s)
{
    size_t v = 0;
    if (s->n == 0 || s->n > 6 || (s->n > 1 && s->key[0] == '0')) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->key[i] < '0' || s->key[i] > '9') {
            return;
        }
        v = v * 10 + (size_t)(s->key[i] - '0');
    }
    s->index = v;
    s->is_index = true;
}

static ym_status ptr_split(struct ym_ptr *p, struct ym_arena *a, bool *ret_ok)
{
    size_t n = 0;
    for (const char *c = p->text; *c != '\0'; c++) {
        n += *c == '/';
    }
    struct ym_seg *segs = ym_arena_alloc(a, n * sizeof(*segs));
    if (segs == NULL) {
        return YM_ENOMEM;
    }
    const char *c = p->text;
    for (size_t i = 0; i < n; i++) {
        const char *end = strchr(c + 1, '/');
        size_t len = end != NULL ? (size_t)(end - c - 1) : strlen(c + 1);
        char *key = ym_arena_str(a, (struct ym_str){c + 1, len});
        if (key == NULL) {
            return YM_ENOMEM;
        }
        if (!seg_decode(key, &len)) {
            *ret_ok = false;
            return YM_OK;
        }
        segs[i].key = key;
        segs[i].n = len;
        seg_index(&segs[i]);
        c = end;
    }
    p->segs = segs;
    p->seg_count = n;
    return YM_OK;
}

static ym_status roots_add(struct ym_roots *roots, struct ym_arena *a, struct ym_ptr *p)
{
    for (size_t i = 0; i < roots->count; i++) {
        if (strcmp(roots->items[i]->text, p->text) == 0) {
            p->slot = (uint16_t)i;
            return YM_OK;
        }
    }
    if (roots->count == YM_MAP_ROOTS) {
        return YM_ETOOBIG;
    }
    if (roots->count == roots->cap) {
        size_t cap = roots->cap != 0 ? roots->cap * 2 : 32;
        const struct ym_ptr **items = ym_arena_alloc(a, cap * sizeof(*items));
        if (items == NULL) {
            return YM_ENOMEM;
        }
        if (roots->count != 0) {
            memcpy(items, roots->items, roots->count * sizeof(*items));
        }
        roots->items = items;
        roots->cap = cap;
    }
    p->slot = (uint16_t)roots->count;
    roots->items[roots->count++] = p;
    return YM_OK;
}

static ym_status ptr_bad(const struct ym_yaml *at, struct ym_diag *d, const char *text,
                         const char *why)
{
    ym_diag_add(d, at->file, at->line, at->column, "pointer \"%s\": %s", text, why);
    return YM_EINVAL;
}

ym_status ym_ptr_compile(const struct ym_yaml *at, struct ym_str text, bool inside,
                         struct ym_arena *a, struct ym_roots *roots, const struct ym_ptr **ret,
                         struct ym_diag *d)
{
    struct ym_ptr *p = ym_arena_alloc(a, sizeof(*p));
    bool caret = text.n > 0 && text.p[0] == '^';
    if (p == NULL) {
        return YM_ENOMEM;
    }
    if (caret) {
        text.p++;
        text.n--;
    }
    p->text = ym_arena_str(a, text);
    if (p->text == NULL) {
        return YM_ENOMEM;
    }
    p->root = caret || !inside;
    if (caret && !inside) {
        return ptr_bad(at, d, p->text, "\"^\" means the record from inside each or first; drop it");
    }
    if (text.n > YM_MAP_POINTER_MAX) {
        return ptr_bad(at, d, "…", "longer than 200 bytes");
    }
    if (text.n > 0 && text.p[0] != '/') {
        return ptr_bad(at, d, p->text, "begins with \"/\" (or with \"$\" for a name)");
    }

    bool ok = true;
    ym_status rc = ptr_split(p, a, &ok);
    if (rc != YM_OK) {
        return rc;
    }
    if (!ok) {
        return ptr_bad(at, d, p->text, "after \"~\" only 0 (for ~) or 1 (for /) may follow");
    }
    if (p->root) {
        if (p->seg_count == 0 || !envelope_has(&p->segs[0])) {
            return ptr_bad(at, d, p->text,
                           "a record has /data, /id, /type, /revision, /owner, /org, /area, "
                           "/created_at, /updated_at and /attachments; fields of the form are "
                           "below /data");
        }
        p->in_data = strcmp(p->segs[0].key, "data") == 0;
        if (roots != NULL) {
            rc = roots_add(roots, a, p);
            if (rc == YM_ETOOBIG) {
                return ptr_bad(at, d, p->text, "too many different pointers in one table");
            }
            if (rc != YM_OK) {
                return rc;
            }
        }
    }
    *ret = p;
    return YM_OK;
}

const json_t *ym_seg_get(const struct ym_seg *s, const json_t *from)
{
    if (json_is_object(from)) {
        return json_object_get(from, s->key);
    }
    if (s->is_index && json_is_array(from)) {
        return json_array_get(from, s->index);
    }
    return NULL;
}

const json_t *ym_ptr_get(const struct ym_ptr *p, const struct ym_view *v)
{
    if (p->root && v->values != NULL) {
        return v->values[v->remap[p->slot]];
    }
    const json_t *at = v->record;
    if (!p->root) {
        at = v->frame != NULL ? v->frame->item : NULL;
    }
    for (size_t i = 0; i < p->seg_count && at != NULL; i++) {
        at = ym_seg_get(&p->segs[i], at);
    }
    return at;
}

bool ym_scalar_text(const json_t *value, char buf[YM_SCALAR_MAX], struct ym_str *ret)
{
    int n;
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        *ret = (struct ym_str){json_string_value(value), json_string_length(value)};
        return true;
    case JSON_INTEGER:
        n = (int)ym_int_text(json_integer_value(value), buf);
        break;
    case JSON_REAL:
        /* 15 digits survive a text → double → text trip; when 15 lose something, 17 do not. */
        n = snprintf(buf, YM_SCALAR_MAX, "%.15g", json_real_value(value));
        if (strtod(buf, NULL) != json_real_value(value)) {
            n = snprintf(buf, YM_SCALAR_MAX, "%.17g", json_real_value(value));
        }
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        n = snprintf(buf, YM_SCALAR_MAX, "%s", json_is_true(value) ? "true" : "false");
        break;
    default:
        return false;
    }
    *ret = (struct ym_str){buf, (size_t)n};
    return true;
}
