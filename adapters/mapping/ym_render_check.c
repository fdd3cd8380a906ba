/* SPDX-License-Identifier: Apache-2.0
 * What rendering will need, checked when an adapter is loaded: every finding with file and line.
 */
#include "ym_render_int.h"

#include "ym_doc.h"
#include "ym_sign.h"
#include "ym_xml_write.h"

#include <stdarg.h>
#include <stdio.h>

/* One operation being checked. */
struct check {
    const struct ym_system *sys;
    const struct ym_operation *op;
    struct ym_diag *d;
};

static void say(struct check *c, const struct ym_yaml *at, const char *fmt, ...) YM_PRINTF(3, 4);

static void say(struct check *c, const struct ym_yaml *at, const char *fmt, ...)
{
    char text[YM_ERR_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    at = at != NULL ? at : c->op->node;
    ym_diag_add(c->d, at != NULL ? at->file : c->sys->file, at != NULL ? at->line : 0,
                at != NULL ? at->column : 0, "%s", text);
}

static const struct ym_yaml *get(const struct check *c, const char *key)
{
    return ym_yaml_get(c->op->node, key);
}

static const char *text_of(const struct check *c, const char *key)
{
    return ym_yaml_text(c->op->node, key);
}

static const struct ym_yaml *connection(const struct check *c, const char *key)
{
    return ym_yaml_get(ym_yaml_get(c->sys->node, "connection"), key);
}

static bool word_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* The scalar at node must be one of words. */
static void one_of(struct check *c, const struct ym_yaml *node, const char *const *words)
{
    char list[120];
    size_t n = 0;

    if (node == NULL || (node->kind == YM_YAML_SCALAR && word_in(node->text.p, words))) {
        return;
    }
    list[0] = '\0';
    for (size_t i = 0; words[i] != NULL && n < sizeof(list); i++) {
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    say(c, node, "%s takes one of %s", node->key != NULL ? node->key->text.p : "this", list);
}

/* ---- placeholders and paths ---- */

static void check_template(struct check *c, const struct ym_yaml *node, bool name_allowed)
{
    static const char *const known[] = {"ref", "number", "revision", "op", "type", NULL};
    const char *p = node->text.p;
    char key[32];

    while ((p = strchr(p, '{')) != NULL) {
        size_t n = strcspn(++p, "}");

        if (p[n] == '\0') {
            say(c, node, "a placeholder is not closed by }");
            return;
        }
        snprintf(key, sizeof(key), "%.*s", (int)(n < 31 ? n : 31), p);
        if (!word_in(key, known) && !(name_allowed && strcmp(key, "name") == 0)) {
            say(c, node,
                "there is no placeholder {%s}; use {ref}, {number}, {revision}, {op} or "
                "{type}",
                key);
        }
        p += n;
    }
}

static void check_path(struct check *c, const char *key, bool required)
{
    const struct ym_yaml *node = get(c, key);

    if (node == NULL || node->kind != YM_YAML_SCALAR) {
        if (required || node != NULL) {
            say(c, node, "operation %s needs %s: a path below the endpoint", c->op->name, key);
        }
        return;
    }
    check_template(c, node, false);
    for (const char *p = node->text.p; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7F || strchr("\\\"<>^`|", *p)) {
            say(c, node, "%s holds a character that a URL cannot carry; percent-encode it", key);
            return;
        }
    }
}

/* ---- field tables ---- */

/* Every dotted part of a target must be an XML name; attributes begin with @. */
static void check_xml_leaves(struct check *c, const char *place)
{
    for (size_t t = 0; t < c->op->table_count; t++) {
        const struct ym_map *m = c->op->tables[t].map;

        for (size_t i = 0; strcmp(c->op->tables[t].place, place) == 0 && i < ym_map_leaf_count(m);
             i++) {
            const struct ym_map_leaf *leaf = ym_map_leaf_at(m, i);
            char part[128];

            for (const char *p = leaf->to; p != NULL && *p != '\0';) {
                size_t n = strcspn(p, ".");

                snprintf(part, sizeof(part), "%.*s", (int)(n < 127 ? n : 127), p);
                if (strcmp(part, "#text") != 0 && strcmp(part, "-") != 0 &&
                    !ym_xml_name(part[0] == '@' ? part + 1 : part)) {
                    ym_diag_add(c->d, c->sys->file, leaf->line, 0, "%s is no XML name", part);
                }
                p += n + (p[n] == '.');
            }
        }
    }
}

static void check_columns(struct check *c, const char *place)
{
    for (size_t t = 0; t < c->op->table_count; t++) {
        const struct ym_map *m = c->op->tables[t].map;

        for (size_t i = 0; strcmp(c->op->tables[t].place, place) == 0 && i < ym_map_leaf_count(m);
             i++) {
            const struct ym_map_leaf *leaf = ym_map_leaf_at(m, i);

            if (!ym_sql_name(ym_str_of(leaf->to)) || strchr(leaf->to, '.') != NULL) {
                ym_diag_add(c->d, c->sys->file, leaf->line, 0,
                            "%s is no column name; letters, digits and _ only", leaf->to);
            }
        }
    }
}

/* ---- sign ---- */

static void check_param(struct check *c, const struct ym_yaml *v, const char *scheme)
{
    static const char *const names[] = {"$ref", "$number", NULL};
    const char *key = v->key->text.p;
    const char *value = v->kind == YM_YAML_SCALAR ? v->text.p : NULL;

    if (!word_in(key, ym_sign_params(scheme)) && !word_in(key, ym_sign_optional(scheme)) &&
        strncmp(key, "name.", 5) != 0) {
        say(c, v, "the scheme %s has no parameter %s", scheme, key);
    }
    if (value == NULL) {
        say(c, v, "a signing parameter is plain text or a reference such as $secret.appKey");
    } else if (strncmp(value, "$settings.", 10) == 0) {
        if (c->sys->enabled && ym_system_var(c->sys, value + 10) == NULL) {
            say(c, v, "the site file of %s has no %s under vars:", c->sys->id, value + 10);
        }
    } else if (strncmp(value, "$session.", 9) == 0) {
        if (ym_yaml_get(ym_yaml_get(ym_yaml_get(c->sys->node, "session"), "keep"), value + 9) ==
            NULL) {
            say(c, v, "session: keep: does not keep %s", value + 9);
        }
    } else if (value[0] == '$' && strncmp(value, "$secret.", 8) != 0 && !word_in(value, names)) {
        say(c, v,
            "%s is unknown here; use $secret.NAME, $session.NAME, $settings.NAME, $ref or "
            "$number",
            value);
    }
}

static void check_into(struct check *c, const struct ym_yaml *sign, const char *scheme)
{
    static const char *const http[] = {"headers", "query", "body", NULL};
    static const char *const soap[] = {"headers", "query", "soap_header", NULL};
    const char *into = ym_yaml_text(sign, "into");
    const char *body = text_of(c, "body");
    bool envelope = strcmp(scheme, "sm_envelope") == 0;

    one_of(c, ym_yaml_get(sign, "into"), strcmp(c->sys->transport, "soap") == 0 ? soap : http);
    if (envelope && (into == NULL || strcmp(into, "body") != 0)) {
        say(c, sign, "sm_envelope replaces the body: into: body");
    }
    if (!envelope && into != NULL && strcmp(into, "body") == 0 && body != NULL &&
        strcmp(body, "json") != 0 && strcmp(body, "form") != 0) {
        say(c, sign, "sign into body needs body: json or form");
    }
}

static void check_sign(struct check *c)
{
    static const char *const keys[] = {"scheme", "into", "params", "under", NULL};
    const struct ym_yaml *sign = get(c, "sign");
    const struct ym_yaml *params = ym_yaml_get(sign, "params");
    const char *scheme = ym_yaml_text(sign, "scheme");
    const char *const *needs = ym_sign_params(scheme);

    if (sign == NULL) {
        return;
    }
    ym_yaml_only(sign, keys, c->d);
    if (needs == NULL) {
        say(c, sign, "there is no signing scheme %s", scheme != NULL ? scheme : "(none)");
        return;
    }
    for (; *needs != NULL; needs++) {
        if (ym_yaml_get(params, *needs) == NULL) {
            say(c, sign, "the scheme %s needs the parameter %s", scheme, *needs);
        }
    }
    for (const struct ym_yaml *v = params != NULL ? params->child : NULL; v != NULL; v = v->next) {
        check_param(c, v, scheme);
    }
    check_into(c, sign, scheme);
}

/* ---- transports ---- */

static void check_http(struct check *c)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", NULL};
    static const char *const bodies[] = {"json", "form", "xml", "none", NULL};
    const char *method = text_of(c, "method"), *body = text_of(c, "body");
    const char *root = text_of(c, "root");

    one_of(c, get(c, "method"), methods);
    one_of(c, get(c, "body"), bodies);
    check_path(c, "path", true);
    check_sign(c);
    if (method != NULL && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) &&
        (get(c, "fields") != NULL || (body != NULL && strcmp(body, "none") != 0))) {
        say(c, get(c, "method"), "a %s request has no body; put the fields under query:", method);
    }
    if (body != NULL && strcmp(body, "none") != 0 && get(c, "fields") == NULL) {
        say(c, get(c, "body"), "body: %s needs fields", body);
    }
    if (body != NULL && strcmp(body, "none") == 0 && get(c, "fields") != NULL) {
        say(c, get(c, "body"), "body: none sends no fields");
    }
    if (body != NULL && strcmp(body, "xml") == 0) {
        if (root == NULL || !ym_xml_name(root)) {
            say(c, get(c, "body"), "body: xml needs root: the name of the outermost element");
        }
        check_xml_leaves(c, "fields");
    }
}

static void check_soap(struct check *c)
{
    static const char *const versions[] = {"1.1", "1.2", NULL};
    static const char *const styles[] = {"document", "rpc", NULL};
    static const char *const booleans[] = {"true", "false", NULL};
    const struct ym_yaml *action = get(c, "action");
    const char *operation = text_of(c, "operation");

    one_of(c, connection(c, "version"), versions);
    one_of(c, connection(c, "style"), styles);
    one_of(c, connection(c, "qualified"), booleans);
    one_of(c, connection(c, "encoded"), booleans);
    check_path(c, "path", false);
    check_sign(c);
    if (operation == NULL || !ym_xml_name(operation)) {
        say(c, get(c, "operation"), "operation %s needs operation: the name of the SOAP operation",
            c->op->name);
    }
    if (action != NULL && (action->kind != YM_YAML_SCALAR || strpbrk(action->text.p, "\"\r\n"))) {
        say(c, action, "action is a URI, without quotes");
    }
    check_xml_leaves(c, "fields");
    check_xml_leaves(c, "header_fields");
}

static void check_form(struct check *c)
{
    static const char *const methods[] = {"GET", "POST", NULL};

    if (get(c, "page") != NULL) {
        check_path(c, "page", true);
        if (get(c, "path") != NULL || get(c, "method") != NULL) {
            say(c, get(c, "page"),
                "with page: the form itself says where and how it is sent; "
                "leave path and method out");
        }
        return;
    }
    one_of(c, get(c, "method"), methods);
    check_path(c, "path", true);
    if (get(c, "form") != NULL) {
        say(c, get(c, "form"), "form: names a form of the page that page: fetches");
    }
}

static void check_statement(struct check *c, const struct ym_yaml *st, size_t index)
{
    static const char *const verbs[] = {"guard", "select", "insert", "update"};
    const struct ym_yaml *columns = ym_yaml_get(st, "columns");
    char place[48];

    for (size_t i = 0; i < YM_COUNT(verbs); i++) {
        const struct ym_yaml *table = ym_yaml_get(st, verbs[i]);

        if (table != NULL && (table->kind != YM_YAML_SCALAR || !ym_sql_name(table->text))) {
            say(c, table, "%s takes a table's name: letters, digits and _, schema before a dot",
                verbs[i]);
        }
        if (table != NULL && strcmp(verbs[i], "insert") != 0 && ym_yaml_get(st, "where") == NULL) {
            say(c, table, "%s needs where:", verbs[i]);
        }
    }
    for (const struct ym_yaml *n = columns != NULL ? columns->child : NULL; n != NULL;
         n = n->next) {
        if (n->kind != YM_YAML_SCALAR || !ym_sql_name(n->text)) {
            say(c, n, "columns are names of letters, digits and _");
        }
    }
    snprintf(place, sizeof(place), "statements[%zu].fields", index);
    check_columns(c, place);
    snprintf(place, sizeof(place), "statements[%zu].where", index);
    check_columns(c, place);
}

static void check_sql(struct check *c)
{
    const struct ym_yaml *list = get(c, "statements");
    size_t i = 0;

    if (list == NULL || list->kind != YM_YAML_LIST) {
        say(c, list, "operation %s needs statements: a list", c->op->name);
        return;
    }
    for (const struct ym_yaml *n = list->child; n != NULL; n = n->next) {
        check_statement(c, n, i++);
    }
}

/* A relative name without steps upwards. */
static void check_name(struct check *c, const struct ym_yaml *node, bool folders, bool name_allowed)
{
    const char *p = node->text.p;

    if (node->kind != YM_YAML_SCALAR || *p == '\0' || *p == '/' || strstr(p, "..") != NULL ||
        (!folders && strchr(p, '/') != NULL) || strpbrk(p, "\\\r\n") != NULL) {
        say(c, node, "this is no %s; neither .. nor a leading / is allowed",
            folders ? "path below the endpoint" : "file name");
        return;
    }
    check_template(c, node, name_allowed);
}

static void check_file(struct check *c)
{
    static const char *const formats[] = {"csv", "xml", NULL};
    const struct ym_yaml *read = get(c, "read");
    const struct ym_yaml *dir = get(c, "dir");
    const char *format = text_of(c, "format");

    one_of(c, get(c, "format"), formats);
    if (get(c, "name") != NULL) {
        check_name(c, get(c, "name"), false, false);
    } else if (read == NULL) {
        say(c, NULL, "operation %s needs name: the file's name", c->op->name);
    }
    if (get(c, "done") != NULL) {
        check_name(c, get(c, "done"), false, true);
    }
    if (dir != NULL && dir->text.n > 0) {
        check_name(c, dir, true, false);
    }
    for (const struct ym_yaml *n = read != NULL && read->kind == YM_YAML_LIST ? read->child : read;
         n != NULL; n = read->kind == YM_YAML_LIST ? n->next : NULL) {
        check_name(c, n, true, true);
    }
    if (format != NULL && strcmp(format, "xml") == 0) {
        if (text_of(c, "root") != NULL && !ym_xml_name(text_of(c, "root"))) {
            say(c, get(c, "root"), "root is the name of the outermost element");
        }
        check_xml_leaves(c, "fields");
    }
}

void ym_render_check(const struct ym_system *sys, struct ym_diag *d)
{
    static const struct {
        const char *transport;
        void (*check)(struct check *c);
    } checks[] = {{"http", check_http},
                  {"soap", check_soap},
                  {"form", check_form},
                  {"sql", check_sql},
                  {"file", check_file}};

    if (sys->settings.charset != NULL && ym_doc_charset(ym_str_of(sys->settings.charset)) == NULL) {
        ym_diag_add(d, sys->file, 0, 0,
                    "settings.charset %s is unknown; use utf-8, gb18030, gbk or big5",
                    sys->settings.charset);
    }
    for (size_t i = 0; i < sys->operation_count; i++) {
        struct check c = {sys, &sys->operations[i], d};

        for (size_t k = 0; k < YM_COUNT(checks); k++) {
            if (strcmp(checks[k].transport, sys->transport) == 0) {
                checks[k].check(&c);
            }
        }
    }
}
