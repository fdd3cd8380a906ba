/* SPDX-License-Identifier: Apache-2.0
 * Finding a form in a page and reading the controls a browser would send (HTML Living Standard,
 * "constructing the entry list"), without scripts: what a script would add must be declared.
 */
#include "ym_html.h"

#include "ym_doc.h"

#include <libxml/tree.h>
#include <libxml/uri.h>
#include <strings.h>

#define CONTROLS_MAX 2000 /* of one form */
#define FORMS_MAX 50      /* of one page */

/* The form being read. */
struct reading {
    struct ym_arena *a;
    const char *charset;
    xmlNode *form;
    const char *form_id;
    struct ym_pair *fields;
    size_t field_count;
    const char **names;
    size_t name_count;
    ym_status failed;
};

static bool is(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcasecmp((const char *)n->name, name) == 0;
}

/* An attribute's text in the arena, or NULL. */
static const char *attr(const xmlNode *n, const char *name, struct ym_arena *a)
{
    for (const xmlAttr *at = n->properties; at != NULL; at = at->next) {
        if (strcasecmp((const char *)at->name, name) == 0) {
            xmlChar *s = xmlNodeListGetString(n->doc, at->children, 1);
            char *copy = ym_arena_strz(a, s != NULL ? (const char *)s : "");

            xmlFree(s);
            return copy;
        }
    }
    return NULL;
}

static bool has_attr(const xmlNode *n, const char *name)
{
    for (const xmlAttr *at = n->properties; at != NULL; at = at->next) {
        if (strcasecmp((const char *)at->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The next node in document order within root. */
static xmlNode *walk(xmlNode *n, const xmlNode *root)
{
    if (n->children != NULL && n->type == XML_ELEMENT_NODE) {
        return n->children;
    }
    while (n != NULL && n != root && n->next == NULL) {
        n = n->parent;
    }
    return n == NULL || n == root ? NULL : n->next;
}

/* Text of a node with a browser's line ends. */
static const char *content(const xmlNode *n, struct ym_arena *a)
{
    xmlChar *s = xmlNodeGetContent(n);
    const char *text = s != NULL ? (const char *)s : "";
    char *copy = ym_arena_alloc(a, 2 * strlen(text) + 1);
    size_t at = 0;

    for (size_t i = 0; copy != NULL && text[i] != '\0'; i++) {
        if (text[i] == '\r' && text[i + 1] == '\n') {
            continue;
        }
        if (text[i] == '\n' || text[i] == '\r') {
            copy[at++] = '\r';
            copy[at++] = '\n';
        } else {
            copy[at++] = text[i];
        }
    }
    xmlFree(s);
    return copy;
}

static void put(struct reading *r, const char *name, const char *value)
{
    if (name == NULL || value == NULL) {
        r->failed = YM_ENOMEM;
    } else if (r->field_count == CONTROLS_MAX) {
        r->failed = YM_ETOOBIG;
    } else {
        r->fields[r->field_count++] = (struct ym_pair){name, value};
    }
}

static bool word_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static void read_input(struct reading *r, const xmlNode *n, const char *name)
{
    static const char *const buttons[] = {"submit", "button", "image", "reset", "file", NULL};
    static const char *const boxes[] = {"checkbox", "radio", NULL};
    const char *type = attr(n, "type", r->a);
    const char *value = attr(n, "value", r->a);

    type = type != NULL ? type : "text";
    if (word_in(type, buttons)) {
        return;
    }
    if (word_in(type, boxes)) {
        if (has_attr(n, "checked")) {
            put(r, name, value != NULL ? value : "on");
        }
        return;
    }
    if (strcasecmp(type, "hidden") == 0 && strcmp(name, "_charset_") == 0) {
        value = r->charset;
    }
    put(r, name, value != NULL ? value : "");
}

static const char *option_value(struct reading *r, const xmlNode *option)
{
    const char *value = attr(option, "value", r->a);
    const char *text;
    size_t n;

    if (value != NULL) {
        return value;
    }
    text = content(option, r->a);
    if (text == NULL) {
        return NULL;
    }
    text += strspn(text, " \t\r\n");
    n = strlen(text);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL) {
        n--;
    }
    return ym_arena_str(r->a, (struct ym_str){text, n});
}

/* Disabled by itself or by its optgroup. */
static bool option_off(const xmlNode *option)
{
    return has_attr(option, "disabled") ||
           (option->parent != NULL && is(option->parent, "optgroup") &&
            has_attr(option->parent, "disabled"));
}

static void read_select(struct reading *r, xmlNode *select, const char *name)
{
    bool multiple = has_attr(select, "multiple");
    const xmlNode *first = NULL, *chosen = NULL;

    for (xmlNode *n = walk(select, select); n != NULL; n = walk(n, select)) {
        if (!is(n, "option") || option_off(n)) {
            continue;
        }
        first = first == NULL ? n : first;
        if (has_attr(n, "selected")) {
            chosen = n;
            if (multiple) {
                put(r, name, option_value(r, n));
            }
        }
    }
    if (!multiple && (chosen != NULL || first != NULL)) {
        put(r, name, option_value(r, chosen != NULL ? chosen : first));
    }
}

/* Inside a disabled fieldset, or disabled itself. */
static bool is_off(const xmlNode *n)
{
    if (has_attr(n, "disabled")) {
        return true;
    }
    for (n = n->parent; n != NULL; n = n->parent) {
        if (is(n, "fieldset") && has_attr(n, "disabled")) {
            return true;
        }
    }
    return false;
}

static void read_control(struct reading *r, xmlNode *n)
{
    bool input = is(n, "input"), select = is(n, "select"), area = is(n, "textarea");
    const char *name = input || select || area ? attr(n, "name", r->a) : NULL;
    const char *text;

    if (name == NULL || *name == '\0' || is_off(n)) {
        return;
    }
    if (r->name_count == CONTROLS_MAX) {
        r->failed = YM_ETOOBIG;
        return;
    }
    r->names[r->name_count++] = name;
    if (input) {
        read_input(r, n, name);
    } else if (select) {
        read_select(r, n, name);
    } else {
        text = content(n, r->a);
        /* the first line end after the tag belongs to the markup */
        put(r, name, text != NULL && strncmp(text, "\r\n", 2) == 0 ? text + 2 : text);
    }
}

/* The form a control belongs to: its form attribute, or the nearest form around it. */
static bool belongs(const struct reading *r, const xmlNode *n)
{
    const char *owner = attr(n, "form", r->a);

    if (owner != NULL) {
        return r->form_id != NULL && strcmp(owner, r->form_id) == 0;
    }
    for (const xmlNode *up = n->parent; up != NULL; up = up->parent) {
        if (up == r->form) {
            return true;
        }
        if (is(up, "form")) {
            return false;
        }
    }
    return false;
}

static ym_status read_form(xmlNode *root, struct reading *r)
{
    r->fields = ym_arena_alloc(r->a, (CONTROLS_MAX + 1) * sizeof(*r->fields));
    r->names = ym_arena_alloc(r->a, (CONTROLS_MAX + 1) * sizeof(*r->names));
    if (r->fields == NULL || r->names == NULL) {
        return YM_ENOMEM;
    }
    r->form_id = attr(r->form, "id", r->a);
    for (xmlNode *n = root; n != NULL && r->failed == YM_OK; n = walk(n, root)) {
        if (n->type == XML_ELEMENT_NODE && belongs(r, n)) {
            read_control(r, n);
        }
    }
    return r->failed;
}

/* Whether the form carries that id or name. */
static bool called(const xmlNode *form, const char *name, struct ym_arena *a)
{
    const char *id = attr(form, "id", a);
    const char *other = attr(form, "name", a);

    return (id != NULL && strcmp(id, name) == 0) || (other != NULL && strcmp(other, name) == 0);
}

/* Cheap look for one named control, so that a page's search box does not cost a whole reading. */
static bool has_control(xmlNode *root, xmlNode *form, struct ym_arena *a)
{
    struct reading r = {.a = a, .form = form, .form_id = attr(form, "id", a)};

    for (xmlNode *n = root; n != NULL; n = walk(n, root)) {
        if ((is(n, "input") || is(n, "select") || is(n, "textarea")) && has_attr(n, "name") &&
            belongs(&r, n)) {
            return true;
        }
    }
    return false;
}

/* The form has a control of that name. */
static bool has_named(xmlNode *root, xmlNode *form, const char *name, struct ym_arena *a)
{
    struct reading r = {.a = a, .form = form, .form_id = attr(form, "id", a)};

    for (xmlNode *n = root; n != NULL; n = walk(n, root)) {
        const char *own =
            is(n, "input") || is(n, "select") || is(n, "textarea") ? attr(n, "name", a) : NULL;

        if (own != NULL && strcmp(own, name) == 0 && belongs(&r, n)) {
            return true;
        }
    }
    return false;
}

static const char *resolve(xmlNode *root, const char *page_url, const char *ref,
                           struct ym_arena *a);

/*
 * Which form of the page is meant: called name, or with all of having, or leading to one of actions, or
 * any with a control.
 */
struct wanted {
    const char *name;
    const char *const *having;
    const char *const *actions;
    const char *page_url;
};

static bool is_wanted(const struct wanted *w, xmlNode *root, xmlNode *form, struct ym_arena *a)
{
    if (w->name != NULL) {
        return called(form, w->name, a);
    }
    for (size_t i = 0; w->actions != NULL && w->actions[i] != NULL; i++) {
        const char *own = resolve(root, w->page_url, attr(form, "action", a), a);

        if (own != NULL && strcmp(own, w->actions[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; w->having != NULL && w->having[i] != NULL; i++) {
        if (!has_named(root, form, w->having[i], a)) {
            return false;
        }
    }
    return w->having != NULL || (w->actions == NULL && has_control(root, form, a));
}

static ym_status find_form(xmlNode *root, const struct wanted *w, struct ym_arena *a, xmlNode **ret,
                           struct ym_err *err)
{
    const char *name = w->name;
    xmlNode *found = NULL;
    size_t seen = 0;

    for (xmlNode *n = root; n != NULL; n = walk(n, root)) {
        if (!is(n, "form")) {
            continue;
        }
        if (++seen > FORMS_MAX) {
            return ym_err_set(err, YM_ETOOBIG, "the page has over %d forms", FORMS_MAX);
        }
        if (!is_wanted(w, root, n, a)) {
            continue;
        }
        if (found != NULL) {
            return ym_err_set(err, YM_ENOTFOUND,
                              name != NULL ? "the page has two forms called %s"
                                           : "the page has several forms; say which by form:%s",
                              name != NULL ? name : "");
        }
        found = n;
    }
    if (found == NULL) {
        return name != NULL ? ym_err_set(err, YM_ENOTFOUND, "the page has no form called %s", name)
                            : ym_err_set(err, YM_ENOTFOUND, "the page has no form with a field");
    }
    *ret = found;
    return YM_OK;
}

/* URL reference against the page, or against its <base>. */
static const char *resolve(xmlNode *root, const char *page_url, const char *ref, struct ym_arena *a)
{
    const char *base = page_url, *out = NULL;
    xmlChar *full;

    for (xmlNode *n = root; n != NULL; n = walk(n, root)) {
        if (is(n, "base") && has_attr(n, "href")) {
            xmlChar *b =
                xmlBuildURI((const xmlChar *)attr(n, "href", a), (const xmlChar *)page_url);

            base = b != NULL ? ym_arena_strz(a, (const char *)b) : page_url;
            xmlFree(b);
            break;
        }
    }
    ref = ref != NULL ? ref + strspn(ref, " \t\r\n") : "";
    if (*ref == '\0') {
        return page_url; /* an empty action submits to the page itself, whatever <base> says */
    }
    full = base != NULL ? xmlBuildURI((const xmlChar *)ref, (const xmlChar *)base) : NULL;
    out = full != NULL ? ym_arena_strz(a, (const char *)full) : NULL;
    xmlFree(full);
    return out;
}

/* accept-charset's first usable name, else the page's own. */
static const char *submit_charset(const xmlNode *form, const char *page, struct ym_arena *a)
{
    const char *list = attr(form, "accept-charset", a);

    while (list != NULL && *list != '\0') {
        size_t n = strcspn(list, " ,;");
        const char *known = ym_doc_charset((struct ym_str){list, n});

        if (known != NULL) {
            return known;
        }
        list += n + (list[n] != '\0');
    }
    return page;
}

static ym_status form_of(struct ym_str page, const char *charset, const char *page_url,
                         const struct wanted *w, struct ym_arena *a, struct ym_html_form *ret,
                         struct ym_err *err)
{
    const struct ym_doc_charsets cs = {NULL, charset, "gb18030"};
    struct ym_doc doc;
    struct reading r = {.a = a};
    xmlNode *root;
    const char *method;
    ym_status rc = ym_doc_open(YM_DOC_HTML, page, &cs, a, &doc, err);

    if (rc != YM_OK) {
        return rc;
    }
    root = doc.xml != NULL ? xmlDocGetRootElement(doc.xml) : NULL;
    if (root == NULL) {
        return ym_err_set(err, YM_ENOTFOUND, "the page is empty");
    }
    rc = find_form(root, w, a, &r.form, err);
    if (rc != YM_OK) {
        return rc;
    }
    r.charset = submit_charset(r.form, doc.charset, a);
    rc = read_form(root, &r);
    if (rc != YM_OK) {
        return ym_err_set(err, rc,
                          rc == YM_ETOOBIG ? "the form has over %d fields" : "out of memory (%d)",
                          CONTROLS_MAX);
    }
    memset(ret, 0, sizeof(*ret));
    method = attr(r.form, "method", a);
    ret->method = method != NULL && strcasecmp(method, "post") == 0 ? "POST" : "GET";
    ret->action = resolve(root, page_url, attr(r.form, "action", a), a);
    ret->charset = r.charset;
    ret->fields = r.fields;
    ret->field_count = r.field_count;
    ret->names = r.names;
    ret->name_count = r.name_count;
    if (ret->action == NULL) {
        return ym_err_set(err, YM_EINVAL, "the form's action is no URL");
    }
    return YM_OK;
}

ym_status ym_html_form(struct ym_str page, const char *charset, const char *page_url,
                       const char *name, struct ym_arena *a, struct ym_html_form *ret,
                       struct ym_err *err)
{
    const struct wanted w = {.name = name};

    return form_of(page, charset, page_url, &w, a, ret, err);
}

ym_status ym_html_form_having(struct ym_str page, const char *charset, const char *page_url,
                              const char *const *names, struct ym_arena *a,
                              struct ym_html_form *ret, struct ym_err *err)
{
    const struct wanted w = {.having = names};

    return form_of(page, charset, page_url, &w, a, ret, err);
}

ym_status ym_html_form_to(struct ym_str page, const char *charset, const char *page_url,
                          const char *const *actions, struct ym_arena *a, struct ym_html_form *ret,
                          struct ym_err *err)
{
    const struct wanted w = {.actions = actions, .page_url = page_url};

    return form_of(page, charset, page_url, &w, a, ret, err);
}
