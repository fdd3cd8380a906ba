/* SPDX-License-Identifier: Apache-2.0
 * XML from a JSON tree, escaped here and nowhere else in adapters/.
 */
#include "ym_xml_write.h"

#include "ym_arena.h"

#include <stdio.h>

#define NUMBER_TEXT 40

bool ym_xml_name(const char *name)
{
    if (name == NULL || *name == '\0' || strchr("0123456789.-", *name) != NULL) {
        return false;
    }
    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x80 && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || strchr("_:.-", c) != NULL)) {
            return false;
        }
    }
    return true;
}

/* Numbers and booleans written to buf, strings borrowed; false for null, objects and arrays. */
static bool scalar(const json_t *v, char buf[NUMBER_TEXT], struct ym_str *ret)
{
    if (json_is_string(v)) {
        *ret = (struct ym_str){json_string_value(v), json_string_length(v)};
        return true;
    }
    if (json_is_integer(v)) {
        snprintf(buf, NUMBER_TEXT, "%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        snprintf(buf, NUMBER_TEXT, "%.15g", json_real_value(v));
    } else if (json_is_boolean(v)) {
        snprintf(buf, NUMBER_TEXT, "%s", json_is_true(v) ? "true" : "false");
    } else {
        return false;
    }
    *ret = ym_str_of(buf);
    return true;
}

const char *ym_scalar_of(const json_t *value, struct ym_arena *a)
{
    char buf[NUMBER_TEXT];
    struct ym_str s = YM_STR("");

    if (json_is_object(value) && json_object_size(value) == 1) {
        const json_t *cdata = json_object_get(value, "#cdata");

        value = cdata != NULL ? cdata : value;
    }
    (void)scalar(value, buf, &s);
    return ym_arena_str(a, s);
}

/* Bytes of a character XML 1.0 §2.2 forbids at p, or 0. */
static size_t forbidden(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;

    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
        return 1;
    }
    if (left >= 3 && (memcmp(p, "\xEF\xBF\xBE", 3) == 0 || memcmp(p, "\xEF\xBF\xBF", 3) == 0)) {
        return 3;
    }
    return 0;
}

static void escape(struct ym_buf *out, struct ym_str s, bool attribute)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        size_t bad = forbidden(s.p + i, s.n - i);

        if (bad > 0) {
            ym_buf_adds(out, "\xEF\xBF\xBD");
            i += bad - 1;
        } else if (c == '&') {
            ym_buf_adds(out, "&amp;");
        } else if (c == '<') {
            ym_buf_adds(out, "&lt;");
        } else if (c == '>') {
            ym_buf_adds(out, "&gt;");
        } else if (c == '\r' || (attribute && (c == '"' || c == '\n' || c == '\t'))) {
            ym_buf_addf(out, "&#%d;", c);
        } else {
            ym_buf_addc(out, c);
        }
    }
}

ym_status ym_xml_attribute(struct ym_buf *out, struct ym_str text)
{
    escape(out, text, true);
    return out->failed;
}

/* One CDATA section; its own end mark is split over two, as XML demands. */
static void cdata(struct ym_buf *out, struct ym_str s)
{
    ym_buf_adds(out, "<![CDATA[");
    for (size_t i = 0; i < s.n; i++) {
        size_t bad = forbidden(s.p + i, s.n - i);

        if (bad > 0) {
            ym_buf_adds(out, "\xEF\xBF\xBD");
            i += bad - 1;
        } else if (i + 3 <= s.n && memcmp(s.p + i, "]]>", 3) == 0) {
            ym_buf_adds(out, "]]]]><![CDATA[>");
            i += 2;
        } else {
            ym_buf_addc(out, s.p[i]);
        }
    }
    ym_buf_adds(out, "]]>");
}

static ym_status attributes(struct ym_buf *out, const json_t *object, struct ym_err *err)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        char buf[NUMBER_TEXT];
        struct ym_str s = YM_STR("");

        if (key[0] != '@') {
            continue;
        }
        if (!ym_xml_name(key + 1)) {
            return ym_err_set(err, YM_EINVAL, "%s is no XML attribute name", key);
        }
        (void)scalar(v, buf, &s);
        ym_buf_addf(out, " %s=\"", key + 1);
        escape(out, s, true);
        ym_buf_addc(out, '"');
    }
    return YM_OK;
}

static bool has_elements(const json_t *object)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        if (key[0] != '@' && key[0] != '#') {
            return true;
        }
    }
    return false;
}

static ym_status object_inside(struct ym_buf *out, const json_t *value, const char *leaf,
                               struct ym_err *err)
{
    const json_t *section = json_object_get(value, "#cdata");
    const json_t *text = json_object_get(value, "#text");
    char buf[NUMBER_TEXT];
    struct ym_str s;

    if (section != NULL && scalar(section, buf, &s)) {
        cdata(out, s);
    } else if (text != NULL && scalar(text, buf, &s)) {
        escape(out, s, false);
    }
    return ym_xml_children(out, value, NULL, leaf, err);
}

/* One element for one value that is no array. */
static ym_status element(struct ym_buf *out, const char *name, const json_t *value,
                         const char *extra, const char *leaf, struct ym_err *err)
{
    char buf[NUMBER_TEXT];
    struct ym_str s = YM_STR("");
    bool object = json_is_object(value);
    /* an element that names its own namespace needs none of ours */
    bool own = object && json_object_get(value, "@xmlns") != NULL;
    ym_status rc = YM_OK;

    ym_buf_addf(out, "<%s", name);
    if (extra != NULL && !own) {
        ym_buf_adds(out, extra);
    }
    if (leaf != NULL && (!object || !has_elements(value))) {
        ym_buf_adds(out, leaf);
    }
    if (object) {
        rc = attributes(out, value, err);
        ym_buf_addc(out, '>');
        rc = rc == YM_OK ? object_inside(out, value, leaf, err) : rc;
    } else {
        (void)scalar(value, buf, &s);
        ym_buf_addc(out, '>');
        escape(out, s, false);
    }
    ym_buf_addf(out, "</%s>", name);
    return rc;
}

ym_status ym_xml_element(struct ym_buf *out, const char *name, const json_t *value,
                         const char *extra, const char *leaf, struct ym_err *err)
{
    if (!ym_xml_name(name)) {
        return ym_err_set(err, YM_EINVAL, "%s is no XML element name", name);
    }
    if (!json_is_array(value)) {
        return element(out, name, value, extra, leaf, err);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        ym_status rc = ym_xml_element(out, name, json_array_get(value, i), extra, leaf, err);

        if (rc != YM_OK) {
            return rc;
        }
    }
    return YM_OK;
}

ym_status ym_xml_children(struct ym_buf *out, const json_t *object, const char *extra,
                          const char *leaf, struct ym_err *err)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        ym_status rc;

        if (key[0] == '@' || key[0] == '#') {
            continue;
        }
        rc = ym_xml_element(out, key, v, extra, leaf, err);
        if (rc != YM_OK) {
            return rc;
        }
    }
    return out->failed;
}
