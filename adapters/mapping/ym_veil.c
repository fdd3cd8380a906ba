/* SPDX-License-Identifier: Apache-2.0
 * Values hidden (ym_veil.h): the walk over JSON and what all kinds share.
 */
#include "ym_veil_int.h"

#include "ym_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#define VEIL_LEVELS 64   /* of JSON; deeper is hidden as a whole */
#define VEIL_NAME_MAX 64 /* bytes; a longer name is no name */
#define VEIL_DIGITS 6    /* so many in a row are a number of somebody */
#define VEIL_SECRET_MIN 4

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

struct ym_str ym_veil_trim(struct ym_str s)
{
    while (s.n > 0 && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct ym_str ym_veil_name(struct ym_str s)
{
    while (s.n > 0 && s.p[s.n - 1] == ']') {
        size_t at = s.n - 1;

        while (at > 0 && s.p[at] != '[') {
            at--;
        }
        s.n = at;
    }
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '.' || s.p[i - 1] == ':' || s.p[i - 1] == '@') {
            return (struct ym_str){s.p + i, s.n - i};
        }
    }
    return s;
}

bool ym_veil_is_name(struct ym_str s, bool ascii)
{
    size_t run = 0;

    if (s.n == 0 || s.n > VEIL_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        run = digit(s.p[i]) ? run + 1 : 0;
        if (run >= VEIL_DIGITS || (ascii && c >= 0x80) || c < 0x20 || c == '<' || c == '>') {
            return false;
        }
    }
    return true;
}

bool ym_veil_code(struct ym_str s)
{
    static const char *const words[] = {"true",  "false", "null", "ok",     "success", "fail",
                                        "error", "yes",   "no",   "failed", ""};
    size_t letters = 0, digits;

    for (size_t i = 0; i < YM_COUNT(words); i++) {
        if (s.n == strlen(words[i]) && (s.n == 0 || strncasecmp(s.p, words[i], s.n) == 0)) {
            return true;
        }
    }
    while (letters < s.n && letters < 4 &&
           ((s.p[letters] >= 'A' && s.p[letters] <= 'Z') || s.p[letters] == '-' ||
            s.p[letters] == '_')) {
        letters++;
    }
    digits = letters;
    while (digits < s.n && digit(s.p[digits])) {
        digits++;
    }
    return digits == s.n && digits > letters && digits - letters <= VEIL_DIGITS;
}

bool ym_veil_document(struct ym_str s)
{
    s = ym_veil_trim(s);
    if (s.n < 2) {
        return false;
    }
    if (s.p[0] == '<') {
        char c = s.p[1];

        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '?' || c == '!';
    }
    return s.p[0] == '{' || s.p[0] == '[';
}

enum ym_sight ym_veil_see(const struct ym_walk *w, struct ym_str name, struct ym_str value)
{
    return w->veil->see(w->veil->data, ym_veil_name(name), value);
}

/* ---- JSON ---- */

struct level {
    bool object, key; /* key: a member's name comes next */
    struct ym_str name;
};

struct json_walk {
    struct ym_walk *w;
    const char *p, *end;
    struct level levels[VEIL_LEVELS];
    size_t depth;
};

/* From the quote on; the token holds both quotes, or runs to the end. */
static struct ym_str string_token(struct json_walk *j)
{
    const char *start = j->p++;

    while (j->p < j->end && *j->p != '"') {
        j->p += *j->p == '\\' && j->p + 1 < j->end ? 2 : 1;
    }
    j->p = j->p < j->end ? j->p + 1 : j->end;
    return (struct ym_str){start, (size_t)(j->p - start)};
}

static void put_sight(struct ym_buf *out, enum ym_sight sight)
{
    ym_buf_adds(out, sight == YM_SIGHT_SECRET ? "\"[secret]\"" : "\"***\"");
}

static void veil_string(struct json_walk *j, struct ym_str name, struct ym_str token)
{
    struct ym_walk *w = j->w;
    bool whole = token.n >= 2 && token.p[token.n - 1] == '"';
    struct ym_str inner = {token.p + 1, token.n - (whole ? 2 : 1)};
    json_t *decoded = NULL;
    enum ym_sight sight;
    struct ym_buf nested;

    if (whole && memchr(inner.p, '\\', inner.n) != NULL) {
        decoded = json_loadb(token.p, token.n, JSON_DECODE_ANY, NULL);
        if (decoded != NULL) {
            inner = (struct ym_str){json_string_value(decoded), json_string_length(decoded)};
        }
    }
    sight = ym_veil_see(w, name, inner);
    if (sight != YM_SIGHT_SECRET && whole && w->nest < YM_VEIL_NEST && ym_veil_document(inner)) {
        ym_buf_init(&nested, YM_VEIL_BYTES);
        ym_veil_below(w, name, inner, &nested);
        ym_buf_add_json(w->out, ym_buf_str(&nested));
        ym_buf_wipe(&nested);
    } else if (sight == YM_SIGHT_SHOWN && whole) {
        ym_buf_add(w->out, token.p, token.n);
    } else if (sight == YM_SIGHT_SHOWN) {
        ym_buf_add_json(w->out, inner);
    } else {
        put_sight(w->out, sight);
    }
    json_decref(decoded);
}

static void json_quote(struct json_walk *j)
{
    struct level *l = j->depth > 0 ? &j->levels[j->depth - 1] : NULL;
    struct ym_str token = string_token(j);
    struct ym_str inner = {token.p + 1, token.n >= 2 ? token.n - 2 : 0};
    const char *next = j->p;
    bool name;

    while (next < j->end && blank(*next)) {
        next++;
    }
    name = l != NULL && l->key && next < j->end && *next == ':';
    if (l != NULL) {
        l->key = false;
    }
    if (!name) {
        veil_string(j, l != NULL ? l->name : j->w->name, token);
        return;
    }
    l->name = inner;
    if (ym_veil_is_name(inner, false)) {
        ym_buf_add(j->w->out, token.p, token.n);
    } else {
        l->name = YM_STR("");
        put_sight(j->w->out, YM_SIGHT_HIDDEN);
    }
}

/* A number, a word, or what is no JSON at all. */
static void json_bare(struct json_walk *j)
{
    const char *start = j->p++;
    struct level *l = j->depth > 0 ? &j->levels[j->depth - 1] : NULL;
    struct ym_str token;
    enum ym_sight sight;

    while (j->p < j->end && strchr(",:]}[{\" \n\r\t", *j->p) == NULL) {
        j->p++;
    }
    token = (struct ym_str){start, (size_t)(j->p - start)};
    if (l != NULL && l->key) { /* a member without a name */
        l->key = false;
        l->name = YM_STR("");
    }
    sight = ym_veil_see(j->w, l != NULL ? l->name : YM_STR(""), token);
    if (sight == YM_SIGHT_SHOWN) {
        ym_buf_add(j->w->out, token.p, token.n);
    } else {
        put_sight(j->w->out, sight);
    }
}

static void json_open(struct json_walk *j, char c)
{
    struct ym_str name = j->depth > 0 ? j->levels[j->depth - 1].name : j->w->name;

    if (j->depth == VEIL_LEVELS) {
        put_sight(j->w->out, YM_SIGHT_HIDDEN);
        j->p = j->end;
        return;
    }
    j->levels[j->depth++] = (struct level){c == '{', c == '{', name};
    ym_buf_addc(j->w->out, c);
    j->p++;
}

static void veil_json(struct ym_walk *w, struct ym_str text)
{
    struct json_walk j = {.w = w, .p = text.p, .end = text.p + text.n};

    while (j.p < j.end) {
        switch (*j.p) {
        case '{':
        case '[':
            json_open(&j, *j.p);
            continue;
        case '}':
        case ']':
            j.depth -= j.depth > 0;
            break;
        case ',':
            if (j.depth > 0) {
                j.levels[j.depth - 1].key = j.levels[j.depth - 1].object;
            }
            break;
        case '"':
            json_quote(&j);
            continue;
        case ':':
            if (j.depth > 0) {
                j.levels[j.depth - 1].key = false;
            }
            break;
        case ' ':
        case '\n':
        case '\r':
        case '\t':
            break;
        default:
            json_bare(&j);
            continue;
        }
        ym_buf_addc(w->out, *j.p++);
    }
}

/* ---- all kinds ---- */

static void veil_any(struct ym_walk *w, struct ym_str text)
{
    struct ym_str s = ym_veil_trim(text);
    enum ym_sight sight;

    if (ym_veil_document(s)) {
        if (s.p[0] == '<') {
            ym_veil_markup(w, s);
        } else {
            veil_json(w, s);
        }
        return;
    }
    sight = ym_veil_see(w, w->name, s);
    if (sight == YM_SIGHT_SHOWN) {
        ym_buf_add(w->out, text.p, text.n);
    } else {
        ym_buf_adds(w->out, ym_veil_mark(sight));
    }
}

void ym_veil_below(const struct ym_walk *w, struct ym_str name, struct ym_str text,
                   struct ym_buf *out)
{
    struct ym_walk inner = {w->veil, out, name, w->nest + 1};

    veil_any(&inner, text);
}

const char *ym_veil_mark(enum ym_sight sight)
{
    return sight == YM_SIGHT_SECRET ? "[secret]" : "***";
}

ym_status ym_veil_text(const struct ym_veil *v, struct ym_str name, struct ym_str text,
                       struct ym_buf *out)
{
    struct ym_walk w = {v, out, name, 0};

    ym_buf_adds(out, "");
    veil_any(&w, text);
    return out->failed;
}

ym_status ym_veil_blank(struct ym_str text, struct ym_str secret, struct ym_buf *out)
{
    const char *p = text.p, *end = text.p + text.n, *hit;

    ym_buf_adds(out, "");
    while (secret.n >= VEIL_SECRET_MIN && p < end &&
           (hit = memmem(p, (size_t)(end - p), secret.p, secret.n)) != NULL) {
        ym_buf_add(out, p, (size_t)(hit - p));
        ym_buf_adds(out, "[secret]");
        p = hit + secret.n;
    }
    return ym_buf_add(out, p, (size_t)(end - p));
}
