/* SPDX-License-Identifier: Apache-2.0
 * Values hidden in XML and HTML, in forms and tables (ym_veil.h). Not a parser: tags keep their names,
 * everything else is a value.
 */
#include "ym_veil_int.h"

#include "ym_codec.h"

#include <stdlib.h>
#include <strings.h>

#define CDATA "<![CDATA["
#define CDATA_END "]]>"

struct markup {
    struct ym_walk *w;
    const char *p, *end;
    struct ym_str element; /* whose text comes next */
};

static size_t left(const struct markup *m)
{
    return (size_t)(m->end - m->p);
}

static bool begins(const struct markup *m, const char *word)
{
    size_t n = strlen(word);

    return left(m) >= n && strncasecmp(m->p, word, n) == 0;
}

/* Behind the next `word`, or at the end; what lies before it is *ret (may be NULL). */
static void skip_past(struct markup *m, const char *word, struct ym_str *ret)
{
    const char *hit = memmem(m->p, left(m), word, strlen(word));
    const char *stop = hit != NULL ? hit : m->end;

    if (ret != NULL) {
        *ret = (struct ym_str){m->p, (size_t)(stop - m->p)};
    }
    m->p = hit != NULL ? hit + strlen(word) : m->end;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool name_char(char c)
{
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':' ||
           (unsigned char)c >= 0x80;
}

static struct ym_str take_name(struct markup *m)
{
    const char *start = m->p;

    while (m->p < m->end && name_char(*m->p)) {
        m->p++;
    }
    return (struct ym_str){start, (size_t)(m->p - start)};
}

static void put_name(struct markup *m, struct ym_str name)
{
    if (ym_veil_is_name(name, true)) {
        ym_buf_add(m->w->out, name.p, name.n);
    } else {
        ym_buf_adds(m->w->out, "***");
    }
}

static void put_escaped(struct ym_buf *out, struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '<':
            ym_buf_adds(out, "&lt;");
            break;
        case '>':
            ym_buf_adds(out, "&gt;");
            break;
        case '&':
            ym_buf_adds(out, "&amp;");
            break;
        case '"':
            ym_buf_adds(out, "&quot;");
            break;
        default:
            ym_buf_addc(out, s.p[i]);
        }
    }
}

static void unescape(struct ym_str s, struct ym_buf *out)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&lt;", '<'},    {"&gt;", '>'},   {"&amp;", '&'},  {"&quot;", '"'},
                    {"&apos;", '\''}, {"&#34;", '"'},  {"&#39;", '\''}, {"&#60;", '<'},
                    {"&#62;", '>'},   {"&#x22;", '"'}, {"&#x3c;", '<'}, {"&#x3e;", '>'}};
    size_t i = 0;

    ym_buf_adds(out, "");
    while (i < s.n) {
        size_t n = 0;

        for (size_t k = 0; s.p[i] == '&' && k < YM_COUNT(entities); k++) {
            size_t len = strlen(entities[k].name);

            if (s.n - i >= len && strncasecmp(s.p + i, entities[k].name, len) == 0) {
                ym_buf_addc(out, entities[k].c);
                n = len;
                break;
            }
        }
        if (n == 0) {
            ym_buf_addc(out, s.p[i]);
            n = 1;
        }
        i += n;
    }
}

/* Character data or an attribute's value, as it stands between its ends. */
static void put_value(struct markup *m, struct ym_str name, struct ym_str raw, bool cdata)
{
    struct ym_buf plain, nested;
    struct ym_str text = raw;
    enum ym_sight sight;

    ym_buf_init(&plain, YM_VEIL_BYTES);
    ym_buf_init(&nested, YM_VEIL_BYTES);
    if (!cdata && memchr(raw.p, '&', raw.n) != NULL) {
        unescape(raw, &plain);
        text = ym_buf_str(&plain);
    }
    sight = ym_veil_see(m->w, name, ym_veil_trim(text));
    if (sight != YM_SIGHT_SECRET && m->w->nest < YM_VEIL_NEST && ym_veil_document(text)) {
        ym_veil_below(m->w, name, text, &nested);
        if (cdata) {
            ym_buf_add(m->w->out, nested.p, nested.n);
        } else {
            put_escaped(m->w->out, ym_buf_str(&nested));
        }
    } else if (sight == YM_SIGHT_SHOWN) {
        ym_buf_add(m->w->out, raw.p, raw.n);
    } else {
        ym_buf_adds(m->w->out, ym_veil_mark(sight));
    }
    ym_buf_wipe(&plain);
    ym_buf_wipe(&nested);
}

/* Of a form's parts the names are structure; of anything else they are values. */
static bool structural(struct ym_str element, struct ym_str attribute, struct ym_str value)
{
    static const char *const elements[] = {"form", "input", "select", "textarea", "button", "meta"};
    static const char *const attributes[] = {"name", "type", "method", "charset", "http-equiv"};
    bool part = false, named = false;

    if (attribute.n >= 5 && strncmp(attribute.p, "xmlns", 5) == 0) {
        return true;
    }
    for (size_t i = 0; i < YM_COUNT(elements); i++) {
        part = part || (element.n == strlen(elements[i]) &&
                        strncasecmp(element.p, elements[i], element.n) == 0);
    }
    for (size_t i = 0; i < YM_COUNT(attributes); i++) {
        named = named || ym_str_is(attribute, attributes[i]);
    }
    return part && named && ym_veil_is_name(value, true);
}

static void put_attribute(struct markup *m, struct ym_str element)
{
    struct ym_str name = take_name(m), value;
    char quote;

    ym_buf_addc(m->w->out, ' ');
    put_name(m, name);
    while (m->p < m->end && strchr(" \n\r\t", *m->p) != NULL) {
        m->p++;
    }
    if (m->p == m->end || *m->p != '=') {
        return;
    }
    m->p++;
    while (m->p < m->end && strchr(" \n\r\t", *m->p) != NULL) {
        m->p++;
    }
    quote = m->p < m->end && (*m->p == '"' || *m->p == '\'') ? *m->p++ : '\0';
    value = (struct ym_str){m->p, 0};
    while (m->p < m->end && (quote != '\0' ? *m->p != quote : strchr(" \n\r\t>", *m->p) == NULL)) {
        m->p++;
    }
    value.n = (size_t)(m->p - value.p);
    m->p += quote != '\0' && m->p < m->end;

    ym_buf_adds(m->w->out, "=\"");
    if (structural(element, name, value)) {
        put_escaped(m->w->out, value);
    } else {
        put_value(m, name, value, false);
    }
    ym_buf_addc(m->w->out, '"');
}

static void put_open_tag(struct markup *m)
{
    struct ym_str name;

    m->p++;
    name = take_name(m);
    ym_buf_addc(m->w->out, '<');
    put_name(m, name);
    m->element = name;
    while (m->p < m->end && *m->p != '>') {
        if (*m->p == '/') {
            ym_buf_adds(m->w->out, "/");
            m->element = YM_STR("");
            m->p++;
        } else if (name_char(*m->p)) {
            put_attribute(m, name);
        } else {
            m->p++; /* a blank, or what no tag has */
        }
    }
    m->p += m->p < m->end;
    ym_buf_addc(m->w->out, '>');
    if (name.n == 6 && strncasecmp(name.p, "script", 6) == 0) {
        skip_past(m, "</", NULL);
        m->p -= m->p < m->end ? 2 : 0;
    } else if (name.n == 5 && strncasecmp(name.p, "style", 5) == 0) {
        skip_past(m, "</", NULL);
        m->p -= m->p < m->end ? 2 : 0;
    }
}

static void put_close_tag(struct markup *m)
{
    struct ym_str name;

    m->p += 2;
    name = take_name(m);
    ym_buf_adds(m->w->out, "</");
    put_name(m, name);
    ym_buf_addc(m->w->out, '>');
    skip_past(m, ">", NULL);
    m->element = YM_STR("");
}

static void put_cdata(struct markup *m)
{
    struct ym_str text;

    m->p += strlen(CDATA);
    skip_past(m, CDATA_END, &text);
    ym_buf_adds(m->w->out, CDATA);
    put_value(m, m->element, text, true);
    ym_buf_adds(m->w->out, CDATA_END);
}

static void put_text(struct markup *m)
{
    struct ym_str text = {m->p, 0};

    do {
        m->p++; /* a "<" that begins nothing is text, too */
    } while (m->p < m->end && *m->p != '<');
    text.n = (size_t)(m->p - text.p);
    if (ym_veil_trim(text).n == 0) {
        ym_buf_add(m->w->out, text.p, text.n);
        return;
    }
    put_value(m, m->element, text, false);
}

void ym_veil_markup(struct ym_walk *w, struct ym_str text)
{
    struct markup m = {w, text.p, text.p + text.n, w->name};
    struct ym_str part;

    while (m.p < m.end) {
        if (begins(&m, "<!--")) {
            skip_past(&m, "-->", NULL);
        } else if (begins(&m, CDATA)) {
            put_cdata(&m);
        } else if (begins(&m, "<!")) {
            skip_past(&m, ">", NULL);
        } else if (begins(&m, "<?xml ")) {
            skip_past(&m, "?>", &part);
            ym_buf_adds(w->out, "<?xml?>");
        } else if (begins(&m, "<?")) {
            skip_past(&m, ">", NULL);
        } else if (begins(&m, "</")) {
            put_close_tag(&m);
        } else if (*m.p == '<' && m.p + 1 < m.end && name_char(m.p[1])) {
            put_open_tag(&m);
        } else {
            put_text(&m);
        }
    }
}

/* ---- forms and tables ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void decode(struct ym_str s, const char *charset, struct ym_buf *out)
{
    struct ym_buf bytes;
    size_t replaced = 0;

    ym_buf_init(&bytes, s.n + 1);
    ym_buf_adds(&bytes, "");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            ym_buf_addc(&bytes, (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])));
            i += 2;
        } else {
            ym_buf_addc(&bytes, s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
    ym_buf_adds(out, "");
    if (ym_charset_convert(charset, "utf-8", ym_buf_str(&bytes), out, &replaced, NULL) != YM_OK) {
        ym_buf_add(out, bytes.p, bytes.n);
    }
    ym_buf_wipe(&bytes);
}

static void form_pair(const struct ym_veil *v, struct ym_str pair, const char *charset,
                      struct ym_buf *out)
{
    const char *eq = memchr(pair.p, '=', pair.n);
    size_t n = eq != NULL ? (size_t)(eq - pair.p) : pair.n;
    struct ym_str raw = {eq != NULL ? eq + 1 : pair.p + n, eq != NULL ? pair.n - n - 1 : 0};
    struct ym_buf name, value;

    ym_buf_init(&name, YM_VEIL_BYTES);
    ym_buf_init(&value, YM_VEIL_BYTES);
    decode((struct ym_str){pair.p, n}, charset, &name);
    decode(raw, charset, &value);
    if (ym_veil_is_name(ym_buf_str(&name), false)) {
        ym_buf_add(out, name.p, name.n);
    } else {
        ym_buf_adds(out, "***");
    }
    ym_buf_adds(out, " = ");
    ym_veil_text(v, ym_buf_str(&name), ym_buf_str(&value), out);
    ym_buf_addc(out, '\n');
    ym_buf_wipe(&name);
    ym_buf_wipe(&value);
}

ym_status ym_veil_form(const struct ym_veil *v, struct ym_str form, const char *charset,
                       struct ym_buf *out)
{
    ym_buf_adds(out, "");
    for (size_t at = 0; at < form.n;) {
        const char *amp = memchr(form.p + at, '&', form.n - at);
        size_t n = amp != NULL ? (size_t)(amp - form.p) - at : form.n - at;

        if (n > 0) {
            form_pair(v, (struct ym_str){form.p + at, n}, charset, out);
        }
        at += n + 1;
    }
    return out->failed;
}

/* One cell, quotes included; *at moves behind it. */
static struct ym_str take_cell(struct ym_str csv, size_t *at)
{
    size_t from = *at, i = from;
    bool quoted = i < csv.n && csv.p[i] == '"';

    i += quoted;
    while (i < csv.n) {
        if (quoted && csv.p[i] == '"') {
            if (i + 1 < csv.n && csv.p[i + 1] == '"') {
                i += 2;
                continue;
            }
            quoted = false;
        } else if (!quoted && strchr(",\r\n", csv.p[i]) != NULL) {
            break;
        }
        i++;
    }
    *at = i;
    return (struct ym_str){csv.p + from, i - from};
}

static struct ym_str unquoted(struct ym_str cell)
{
    if (cell.n >= 2 && cell.p[0] == '"' && cell.p[cell.n - 1] == '"') {
        return (struct ym_str){cell.p + 1, cell.n - 2};
    }
    return cell;
}

#define CSV_COLUMNS 256

ym_status ym_veil_csv(const struct ym_veil *v, struct ym_str csv, struct ym_buf *out)
{
    struct ym_str *names = calloc(CSV_COLUMNS, sizeof(*names)), cell;
    size_t at = 0, column = 0;
    bool head = true;

    ym_buf_adds(out, "");
    if (csv.n >= 3 && memcmp(csv.p, "\xEF\xBB\xBF", 3) == 0) {
        at = 3;
    }
    while (names != NULL && at < csv.n) {
        cell = unquoted(take_cell(csv, &at));
        if (head && column < CSV_COLUMNS && ym_veil_is_name(cell, false)) {
            names[column] = cell;
            ym_buf_add(out, cell.p, cell.n);
        } else {
            ym_veil_text(v, column < CSV_COLUMNS ? names[column] : YM_STR(""), cell, out);
        }
        if (at < csv.n && csv.p[at] == ',') {
            ym_buf_addc(out, ',');
            column++;
            at++;
            continue;
        }
        for (; at < csv.n && (csv.p[at] == '\r' || csv.p[at] == '\n'); at++) {
            head = false;
            column = 0;
        }
        ym_buf_addc(out, '\n');
    }
    free(names);
    return out->failed;
}
