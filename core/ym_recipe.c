/* SPDX-License-Identifier: Apache-2.0
 * Recipes of form sign-in: reading them.
 */
#include "ym_recipe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "ym_doc.h"

#include <libxml/uri.h>
#include <strings.h>

/* What ym_conf reads; the nodes are read here. */
struct read {
    struct ym_recipe r;
    const struct ym_yaml *signed_in, *signed_out, *refused, *captcha, *expired;
    const struct ym_yaml *fields, *ask, *browser;
};

#define IN(f) offsetof(struct read, r.f)
#define NODE(f) offsetof(struct read, f)
#define TEXT(name, f, def, flags, help)                                                            \
    {                                                                                              \
        name, YM_FIELD_STRING, IN(f), def, 1, 500, NULL, YM_FIELD_RELOADABLE | (flags), help       \
    }
#define BLOCK(name, f, help)                                                                       \
    {                                                                                              \
        name, YM_FIELD_NODE, NODE(f), NULL, 0, 0, NULL, YM_FIELD_RELOADABLE, help                  \
    }

static const struct ym_field table[] = {
    TEXT("origin", origin, NULL, YM_FIELD_REQUIRED,
         "Where the application is, as `proxy_pass` has it: http://127.0.0.1:8080"),
    TEXT("public", public, NULL, 0,
         "The origin that the application believes in, when it writes whole addresses."),
    TEXT("host", host, NULL, 0,
         "`Host` of the sign-in requests, as `proxy_set_header Host` gives it to the others."),
    TEXT("page", page, NULL, YM_FIELD_REQUIRED, "Path of the page with the form."),
    TEXT("form", form, NULL, 0, "`id` or `name` of the form; not needed when the page has one."),
    TEXT("user", user, NULL, YM_FIELD_REQUIRED, "Name of the field for the login."),
    TEXT("password", password, NULL, YM_FIELD_REQUIRED, "Name of the field for the password."),
    BLOCK("fields", fields, "Constants for further fields: `{ domain: gov }`"),
    BLOCK("ask", ask, "Further fields whose values each person enters: `[ department ]`"),
    TEXT("charset", charset, NULL, 0, "Charset of the page when it does not say, or lies."),
    TEXT(
        "prefix", prefix, NULL, 0,
        "Path below which browsers see the application, when `proxy_pass` replaces it: /apps/old/"),
    TEXT("base", base, "/", 0, "What `proxy_pass` puts in the place of `prefix`."),
    BLOCK("signed_in", signed_in,
          "What an answer after the sign-in must be; default: not refused."),
    BLOCK("signed_out", signed_out,
          "What an answer is when the application has forgotten the person; default: 401, or a "
          "redirect to the page."),
    BLOCK("refused", refused, "Login or password are wrong; default: the form comes again."),
    BLOCK("captcha", captcha, "A person has to prove to be one: handed to the person."),
    BLOCK("expired_password", expired, "The application wants a new password first."),
    TEXT("logout", logout, NULL, 0, "Path that ends the application's session."),
    TEXT("by_hand", by_hand, NULL, 0, "Where a person signs in without the gateway: a link."),
    BLOCK("browser_cookies", browser,
          "Cookies that scripts of the application need: they stay with the browser."),
    TEXT("ca", ca, NULL, 0, "PEM file of the authority that vouches for an https origin."),
    {"timeout", YM_FIELD_DURATION, IN(timeout_ms), "10s", 100, 60000, NULL, YM_FIELD_RELOADABLE,
     "The longest that one request of the sign-in may take."},
    {"keep", YM_FIELD_DURATION, IN(keep_ms), "8h", 60000, 7 * 86400000LL, NULL, YM_FIELD_RELOADABLE,
     "How long the application's cookies are kept without use."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL}};

ym_status ym_recipe_document(struct ym_buf *out)
{
    return ym_conf_document(table, out);
}

struct load {
    struct ym_arena *a;
    struct ym_diag *d;
};

#define say(l, node, ...)                                                                          \
    ym_diag_add((l)->d, (node)->file, (node)->line, (node)->column, __VA_ARGS__)

static void code_close(void *code)
{
    pcre2_code_free(code);
}

/* The limits stand in the pattern, so that a match needs no context. */
static const void *pattern(struct load *l, const struct ym_yaml *map, const char *key)
{
    const struct ym_yaml *node = ym_yaml_get(map, key);
    unsigned char why[120];
    size_t offset = 0;
    int error = 0;
    pcre2_code *code;
    char *whole;

    if (node == NULL) {
        return NULL;
    }
    if (node->kind != YM_YAML_SCALAR || node->text.n == 0 || node->text.n > YM_RECIPE_PATTERN) {
        say(l, node, "%s is a regular expression of at most %d bytes", key, YM_RECIPE_PATTERN);
        return NULL;
    }
    whole = ym_arena_printf(l->a, "(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=1000)(*LIMIT_HEAP=1000)%s",
                            node->text.p);
    if (whole == NULL) {
        say(l, node, "out of memory");
        return NULL;
    }
    code =
        pcre2_compile((PCRE2_SPTR)whole, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_MULTILINE, &error, &offset, NULL);
    if (code == NULL) {
        (void)pcre2_get_error_message(error, why, sizeof(why));
        say(l, node, "%s is no regular expression: %s", key, (const char *)why);
        return NULL;
    }
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    if (ym_arena_cleanup(l->a, code_close, code) != YM_OK) {
        pcre2_code_free(code);
        say(l, node, "out of memory");
        return NULL;
    }
    return code;
}

/* 302, or 3xx for a class. */
static int status_of(struct load *l, const struct ym_yaml *map)
{
    const struct ym_yaml *node = ym_yaml_get(map, "status");
    int64_t v = 0;

    if (node == NULL) {
        return 0;
    }
    if (node->kind == YM_YAML_SCALAR && node->text.n == 3 && node->text.p[0] >= '1' &&
        node->text.p[0] <= '5') {
        if (strcasecmp(node->text.p + 1, "xx") == 0) {
            return node->text.p[0] - '0';
        }
        if (ym_int_parse(node->text, &v)) {
            return (int)v;
        }
    }
    say(l, node, "status is a number such as 302, or a class such as 3xx");
    return 0;
}

static void answer_is(struct load *l, const struct ym_yaml *map, struct ym_answer_is *ret)
{
    static const char *const keys[] = {"status", "location", "body", "cookie", NULL};

    if (map->kind != YM_YAML_MAP || map->count == 0) {
        say(l, map, "say what the answer is: { status:, location:, body:, cookie: }");
        return;
    }
    ym_yaml_only(map, keys, l->d);
    ret->status = status_of(l, map);
    ret->location = pattern(l, map, "location");
    ret->body = pattern(l, map, "body");
    ret->cookie = ym_yaml_text(map, "cookie");
}

static void answers(struct load *l, const struct ym_yaml *node, struct ym_answers *ret)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != YM_YAML_LIST) {
        answer_is(l, node, &ret->items[ret->count++]);
        return;
    }
    if (node->count == 0 || node->count > YM_RECIPE_ANSWERS) {
        say(l, node, "between one and %d alternatives", YM_RECIPE_ANSWERS);
        return;
    }
    for (const struct ym_yaml *n = node->child; n != NULL; n = n->next) {
        answer_is(l, n, &ret->items[ret->count++]);
    }
}

static void names(struct load *l, const struct ym_yaml *node, const char **ret)
{
    size_t n = 0;

    if (node == NULL) {
        return;
    }
    if (node->kind != YM_YAML_LIST || node->count > YM_RECIPE_NAMES) {
        say(l, node, "a list of at most %d names", YM_RECIPE_NAMES);
        return;
    }
    for (const struct ym_yaml *item = node->child; item != NULL; item = item->next) {
        if (item->kind != YM_YAML_SCALAR || item->text.n == 0) {
            say(l, item, "a name is a text");
            return;
        }
        ret[n++] = ym_arena_str(l->a, item->text);
    }
}

static void constants(struct load *l, const struct ym_yaml *node, struct ym_pair *ret)
{
    size_t n = 0;

    if (node == NULL) {
        return;
    }
    if (node->kind != YM_YAML_MAP || node->count > YM_RECIPE_NAMES) {
        say(l, node, "fields are names and texts, at most %d", YM_RECIPE_NAMES);
        return;
    }
    for (const struct ym_yaml *v = node->child; v != NULL; v = v->next) {
        if (v->kind != YM_YAML_SCALAR) {
            say(l, v, "a field's value is a text");
            return;
        }
        ret[n].name = ym_arena_str(l->a, v->key->text);
        ret[n++].value = ym_arena_str(l->a, v->text);
    }
}

/* scheme://host[:port] and nothing behind it. */
static bool is_origin(const char *text)
{
    xmlURI *u = xmlParseURI(text);
    bool ok = u != NULL && u->scheme != NULL && u->server != NULL && *u->server != '\0' &&
              u->user == NULL && (u->path == NULL || *u->path == '\0') && u->query == NULL &&
              u->fragment == NULL &&
              (strcmp(u->scheme, "http") == 0 || strcmp(u->scheme, "https") == 0);

    xmlFreeURI(u);
    return ok;
}

static void check(struct load *l, const struct ym_yaml *map, const struct ym_recipe *r)
{
    const struct {
        const char *key, *value;
    } paths[] = {{"page", r->page},
                 {"logout", r->logout},
                 {"base", r->base},
                 {"prefix", r->prefix}},
      origins[] = {{"origin", r->origin}, {"public", r->public}};

    for (size_t i = 0; i < YM_COUNT(paths); i++) {
        if (paths[i].value != NULL && (paths[i].value[0] != '/' || paths[i].value[1] == '/')) {
            say(l, ym_yaml_get(map, paths[i].key), "%s is a path: it begins with one slash",
                paths[i].key);
        }
    }
    for (size_t i = 0; i < YM_COUNT(origins); i++) {
        if (origins[i].value != NULL && !is_origin(origins[i].value)) {
            say(l, ym_yaml_get(map, origins[i].key),
                "%s is scheme, host and port only: http://127.0.0.1:8080", origins[i].key);
        }
    }
    if (r->prefix != NULL &&
        (r->prefix[strlen(r->prefix) - 1] != '/' || r->base[strlen(r->base) - 1] != '/')) {
        say(l, ym_yaml_get(map, "prefix"), "prefix and base both end with a slash");
    }
    if (r->charset != NULL && ym_doc_charset(ym_str_of(r->charset)) == NULL) {
        say(l, ym_yaml_get(map, "charset"), "charset is utf-8, gbk, gb18030, big5 or big5-hkscs");
    }
}

ym_status ym_recipe_load(const struct ym_yaml *map, struct ym_arena *a, struct ym_recipe **ret,
                         struct ym_diag *d)
{
    struct load l = {a, d};
    struct read *x = ym_arena_alloc(a, sizeof(*x));
    size_t before = d->total;

    if (x == NULL) {
        return YM_ENOMEM;
    }
    (void)ym_conf_load(table, map, "form", x, a, d);
    answers(&l, x->signed_in, &x->r.signed_in);
    answers(&l, x->signed_out, &x->r.signed_out);
    answers(&l, x->refused, &x->r.refused);
    answers(&l, x->captcha, &x->r.captcha);
    answers(&l, x->expired, &x->r.expired);
    constants(&l, x->fields, x->r.fields);
    names(&l, x->ask, x->r.ask);
    names(&l, x->browser, x->r.browser);
    check(&l, map, &x->r);
    if (d->total != before) {
        return YM_EINVAL;
    }
    *ret = &x->r;
    return YM_OK;
}
