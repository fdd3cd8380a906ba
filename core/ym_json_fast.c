/* SPDX-License-Identifier: Apache-2.0
 * JSON on the hot path (ym_json_fast.h). jansson reads its input byte by byte through two layers of
 * buffers, which is half of a delivery's whole cost; here a string is found by one scan.
 */
#include "ym_json_fast.h"

#include "ym_conf.h"
#include "ym_swar.h"
#include "ym_utf8.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#define DIGITS_MAX 18 /* of an integer: always within 64 bits */
#define REAL_MAX 40   /* bytes of a real number; longer ones go the slow way */

struct reader {
    const unsigned char *p, *end;
    size_t depth, members; /* left */
    char *scratch;         /* for strings with escapes; as long as the text */
    size_t scratch_size;
};

/* want NULL: the whole value. */
static bool read_value(struct reader *r, const struct ym_want *want, json_t **ret);

enum { PLAIN, QUOTE, BACKSLASH, CONTROL, BEYOND };

/* What a byte means inside a string. */
static const unsigned char kinds[256] = {
    [0x00 ... 0x1F] = CONTROL, ['"'] = QUOTE, ['\\'] = BACKSLASH, [0x80 ... 0xFF] = BEYOND};

/* Behind what stands for itself in a string: up to a quote, backslash or control, or beyond ASCII. */
static inline const unsigned char *skip_plain(const unsigned char *p, const unsigned char *end,
                                              bool beyond)
{
    while (end - p >= 8) {
        uint64_t w = ym_swar_load(p);
        uint64_t marks = ym_swar_equal(w, '"') | ym_swar_equal(w, '\\') | ym_swar_below(w, 0x20) |
                         (beyond ? 0 : w & YM_SWAR_HIGHS);

        if (marks != 0) {
            p += ym_swar_before(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (kinds[*p] == PLAIN || (beyond && kinds[*p] == BEYOND))) {
        p++;
    }
    return p;
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) {
        r->p++;
    }
}

static int hex_of(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p; -1 when there are none. */
static int32_t read_u(const struct reader *r, const unsigned char *p)
{
    int32_t v = 0;

    if (r->end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int h = hex_of(p[i]);

        if (h < 0) {
            return -1;
        }
        v = v * 16 + h;
    }
    return v;
}

static size_t put_utf8(int32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* \uXXXX at r->p (behind the u), pairs joined. 0 = not allowed. */
static size_t read_unicode(struct reader *r, char *out)
{
    int32_t high = read_u(r, r->p), low;

    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF)) {
        return 0;
    }
    r->p += 4;
    if (high < 0xD800 || high > 0xDBFF) {
        return put_utf8(high, out);
    }
    if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u') {
        return 0;
    }
    low = read_u(r, r->p + 2);
    if (low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    r->p += 6;
    return put_utf8(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), out);
}

/* One escape; r->p stands behind the backslash. The text it stands for is never longer than itself. */
static size_t read_escape(struct reader *r, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;

    if (r->p >= r->end) {
        return 0;
    }
    if (*r->p == 'u') {
        r->p++;
        return read_unicode(r, out);
    }
    at = *r->p != '\0' ? strchr(from, *r->p) : NULL;
    if (at == NULL) {
        return 0;
    }
    r->p++;
    out[0] = to[at - from];
    return 1;
}

/* The rest of a string from its first escape on; start is where it began. */
static bool read_escaped(struct reader *r, const unsigned char *start, struct ym_str *ret)
{
    size_t n = (size_t)(r->p - start), len;

    if (r->scratch == NULL) {
        r->scratch = malloc(r->scratch_size);
        if (r->scratch == NULL) {
            return false;
        }
    }
    memcpy(r->scratch, start, n);
    while (r->p < r->end && *r->p != '"') {
        if (*r->p == '\\') {
            r->p++;
            len = read_escape(r, r->scratch + n);
            if (len == 0) {
                return false;
            }
            n += len;
            continue;
        }
        if (*r->p < 0x20) {
            return false;
        }
        len = ym_utf8_step(r->p, (size_t)(r->end - r->p));
        if (len == 0) {
            return false;
        }
        memcpy(r->scratch + n, r->p, len);
        r->p += len;
        n += len;
    }
    *ret = (struct ym_str){r->scratch, n};
    return r->p++ < r->end;
}

/* A string, r->p behind its opening quote. ret points into the text or the scratch. */
static bool read_string(struct reader *r, struct ym_str *ret)
{
    const unsigned char *start = r->p, *p = r->p;
    size_t len;

    for (;;) {
        p = skip_plain(p, r->end, false);
        r->p = p;
        if (p >= r->end) {
            return false;
        }
        switch (kinds[*p]) {
        case QUOTE:
            *ret = (struct ym_str){(const char *)start, (size_t)(p - start)};
            r->p = p + 1;
            return true;
        case BACKSLASH:
            return read_escaped(r, start, ret);
        case CONTROL:
            return false;
        default:
            break;
        }
        while (p < r->end && *p >= 0x80) {
            len = ym_utf8_step(p, (size_t)(r->end - p));
            if (len == 0) {
                return false;
            }
            p += len;
        }
    }
}

static const unsigned char *skip_digits(const struct reader *r, const unsigned char *p)
{
    while (p < r->end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* Fraction and exponent behind the integer part; NULL when they are ill-formed. */
static const unsigned char *skip_real(const struct reader *r, const unsigned char *p)
{
    const unsigned char *from;

    if (p < r->end && *p == '.') {
        from = p + 1;
        p = skip_digits(r, from);
        if (p == from) {
            return NULL;
        }
    }
    if (p < r->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < r->end && (*p == '+' || *p == '-')) {
            p++;
        }
        from = p;
        p = skip_digits(r, from);
        if (p == from) {
            return NULL;
        }
    }
    return p;
}

static bool read_real(struct reader *r, const unsigned char *start, const unsigned char *end,
                      json_t **ret)
{
    char text[REAL_MAX + 1];
    size_t n = (size_t)(end - start);
    double v;

    if (n > REAL_MAX || localeconv()->decimal_point[0] != '.') {
        return false;
    }
    memcpy(text, start, n);
    text[n] = '\0';
    v = strtod(text, NULL);
    if (!isfinite(v)) {
        return false;
    }
    r->p = end;
    *ret = json_real(v);
    return *ret != NULL;
}

static bool read_number(struct reader *r, json_t **ret)
{
    const unsigned char *start = r->p, *digits = start + (*start == '-'), *end, *after;
    json_int_t v = 0;

    end = skip_digits(r, digits);
    if (end == digits || (*digits == '0' && end - digits > 1)) {
        return false;
    }
    after = skip_real(r, end);
    if (after == NULL) {
        return false;
    }
    if (after != end) {
        return read_real(r, start, after, ret);
    }
    if (end - digits > DIGITS_MAX) {
        return false;
    }
    for (const unsigned char *p = digits; p < end; p++) {
        v = v * 10 + (*p - '0');
    }
    r->p = end;
    *ret = json_integer(*start == '-' ? -v : v);
    return *ret != NULL;
}

static bool read_word(struct reader *r, const char *word, json_t *value, json_t **ret)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) {
        return false;
    }
    r->p += n;
    *ret = value;
    return true;
}

/* Behind the closing quote of a string, r->p behind the opening one. */
static bool skip_string(struct reader *r)
{
    const unsigned char *p = r->p;

    for (;;) {
        while (r->end - p >= 8) {
            uint64_t w = ym_swar_load(p);
            uint64_t marks = ym_swar_equal(w, '"') | ym_swar_equal(w, '\\');

            if (marks != 0) {
                p += ym_swar_before(marks);
                break;
            }
            p += 8;
        }
        while (p < r->end && *p != '"' && *p != '\\') {
            p++;
        }
        if (r->end - p < 2) { /* something comes behind it */
            return false;
        }
        if (*p == '"') {
            r->p = p + 1;
            return true;
        }
        p += 2;
    }
}

/* Passes over a value. What is well-formed ends where it should; anything else ends somewhere. */
static bool skip_value(struct reader *r)
{
    size_t depth = 0;

    skip_blanks(r);
    while (r->p < r->end) {
        switch (*r->p) {
        case '"':
            r->p++;
            if (!skip_string(r)) {
                return false;
            }
            break;
        case '{':
        case '[':
            r->p++;
            depth++;
            continue;
        case '}':
        case ']':
            if (depth == 0) {
                return true; /* of what it stands in */
            }
            r->p++;
            depth--;
            break;
        case ',':
            if (depth == 0) {
                return true;
            }
            r->p++;
            continue;
        default:
            r->p++; /* of a number or word; a colon or blank */
            continue;
        }
        if (depth == 0) {
            return true;
        }
    }
    return false;
}

/* The value behind a key, into the object. */
static bool read_kept(struct reader *r, json_t *object, struct ym_str key,
                      const struct ym_want *want)
{
    size_t before = json_object_size(object);
    json_t *value = NULL;
    char small[64], *copy = small;
    bool ok;

    if (key.p == r->scratch) { /* the value may need the scratch as well */
        copy = key.n < sizeof(small) ? small : malloc(key.n + 1);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, key.p, key.n);
        key.p = copy;
    }
    ok = read_value(r, want, &value) &&
         json_object_setn_new_nocheck(object, key.p, key.n, value) == 0;
    if (copy != small) {
        free(copy);
    }
    return ok && json_object_size(object) == before + 1; /* else the same key twice */
}

static bool read_member(struct reader *r, const struct ym_want *of, json_t *object)
{
    const struct ym_want *want = NULL;
    struct ym_str key;

    if (r->p >= r->end || *r->p++ != '"' || !read_string(r, &key)) {
        return false;
    }
    if (of != NULL) {
        want = ym_want_find(of, key);
    }
    skip_blanks(r);
    if (r->p >= r->end || *r->p++ != ':') {
        return false;
    }
    return of != NULL && want == NULL ? skip_value(r) : read_kept(r, object, key, want);
}

static bool read_item(struct reader *r, const struct ym_want *of, json_t *array)
{
    json_t *value = NULL;

    if (of != NULL && of->items == NULL) {
        return skip_value(r);
    }
    return read_value(r, of != NULL ? of->items : NULL, &value) &&
           json_array_append_new(array, value) == 0;
}

/* Members or items up to the closing bracket; r->p behind the opening one. */
static bool read_container(struct reader *r, const struct ym_want *want, json_t *c, bool is_object)
{
    unsigned char close = is_object ? '}' : ']';

    skip_blanks(r);
    if (r->p < r->end && *r->p == close) {
        r->p++;
        return true;
    }
    for (;;) {
        skip_blanks(r);
        if (r->members == 0 || !(is_object ? read_member : read_item)(r, want, c)) {
            return false;
        }
        r->members--;
        skip_blanks(r);
        if (r->p >= r->end) {
            return false;
        }
        if (*r->p == close) {
            r->p++;
            return true;
        }
        if (*r->p++ != ',') {
            return false;
        }
    }
}

static bool read_nested(struct reader *r, const struct ym_want *want, json_t **ret)
{
    bool is_object = *r->p++ == '{', ok;
    json_t *c;

    if (r->depth == 0) {
        return false;
    }
    c = is_object ? json_object() : json_array();
    if (c == NULL) {
        return false;
    }
    r->depth--;
    ok = read_container(r, want != NULL && want->all ? NULL : want, c, is_object);
    r->depth++;
    if (!ok) {
        json_decref(c);
        return false;
    }
    *ret = c;
    return true;
}

static bool read_value(struct reader *r, const struct ym_want *want, json_t **ret)
{
    struct ym_str s;

    skip_blanks(r);
    if (r->p >= r->end) {
        return false;
    }
    switch (*r->p) {
    case '"':
        r->p++;
        if (!read_string(r, &s)) {
            return false;
        }
        *ret = json_stringn_nocheck(s.p, s.n);
        return *ret != NULL;
    case '{':
    case '[':
        return read_nested(r, want, ret);
    case 't':
        return read_word(r, "true", json_true(), ret);
    case 'f':
        return read_word(r, "false", json_false(), ret);
    case 'n':
        return read_word(r, "null", json_null(), ret);
    default:
        return read_number(r, ret);
    }
}

bool ym_json_read(struct ym_str text, const struct ym_json_limits *limits, json_t **ret)
{
    return ym_json_read_wanted(text, limits, NULL, ret);
}

bool ym_json_read_wanted(struct ym_str text, const struct ym_json_limits *limits,
                         const struct ym_want *want, json_t **ret)
{
    struct reader r = {.p = (const unsigned char *)text.p,
                       .end = (const unsigned char *)text.p + text.n,
                       .depth = limits->depth,
                       .members = limits->members,
                       .scratch_size = text.n + 4};
    json_t *v = NULL;
    bool ok;

    if (text.n == 0 || text.n > limits->bytes) {
        return false;
    }
    ok = read_value(&r, want, &v);
    if (ok) {
        skip_blanks(&r);
        if (r.p != r.end) {
            json_decref(v);
            ok = false;
        }
    }
    free(r.scratch);
    if (ok) {
        *ret = v;
    }
    return ok;
}

/* Writing ------------------------------------------------------------------------------------ */

/* ym_buf_add without a call for what fits; the NUL comes at the very end. */
static inline void put(struct ym_buf *out, const char *p, size_t n)
{
    if (n < out->cap - out->n && out->failed == YM_OK) {
        memcpy(out->p + out->n, p, n);
        out->n += n;
        return;
    }
    ym_buf_add(out, p, n);
}

static inline void put_char(struct ym_buf *out, char c)
{
    if (out->cap - out->n > 1 && out->failed == YM_OK) {
        out->p[out->n++] = c;
        return;
    }
    ym_buf_add(out, &c, 1);
}

static void write_string(struct ym_buf *out, const char *p, size_t n)
{
    static const char hex[] = "0123456789ABCDEF", letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    const unsigned char *from = (const unsigned char *)p, *end = from + n, *stop;

    put_char(out, '"');
    for (;;) {
        stop = skip_plain(from, end, true);
        put(out, (const char *)from, (size_t)(stop - from));
        if (stop == end) {
            break;
        }
        char escape[6] = {'\\', 'u', '0', '0', hex[*stop >> 4], hex[*stop & 15]};
        const char *at = *stop != '\0' ? strchr(letters, *stop) : NULL; /* pairs: byte, letter */

        if (at != NULL) {
            escape[1] = at[1];
        }
        put(out, escape, at != NULL ? 2 : 6);
        from = stop + 1;
    }
    put_char(out, '"');
}

void ym_json_write_text(struct ym_str text, struct ym_buf *out)
{
    write_string(out, text.p, text.n);
}

static bool write_number(struct ym_buf *out, const json_t *v)
{
    char text[64];
    size_t n;

    if (json_is_integer(v)) {
        n = ym_int_text(json_integer_value(v), text);
    } else {
        n = json_dumpb(v, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    }
    if (n == 0 || n > sizeof(text)) {
        return false;
    }
    put(out, text, n);
    return true;
}

static bool write_value(struct ym_buf *out, const json_t *v);

static bool write_object(struct ym_buf *out, json_t *v)
{
    char before = '{';

    for (void *i = json_object_iter(v); i != NULL; i = json_object_iter_next(v, i)) {
        put_char(out, before);
        before = ',';
        write_string(out, json_object_iter_key(i), json_object_iter_key_len(i));
        put_char(out, ':');
        if (!write_value(out, json_object_iter_value(i))) {
            return false;
        }
    }
    if (before == '{') {
        put_char(out, '{');
    }
    put_char(out, '}');
    return true;
}

static bool write_array(struct ym_buf *out, const json_t *v)
{
    size_t n = json_array_size(v);

    put_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            put_char(out, ',');
        }
        if (!write_value(out, json_array_get(v, i))) {
            return false;
        }
    }
    put_char(out, ']');
    return true;
}

static bool write_value(struct ym_buf *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return write_object(out, (json_t *)(uintptr_t)v); /* jansson's iterators are not const */
    case JSON_ARRAY:
        return write_array(out, v);
    case JSON_STRING:
        write_string(out, json_string_value(v), json_string_length(v));
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        return write_number(out, v);
    case JSON_TRUE:
        put(out, "true", 4);
        return true;
    case JSON_FALSE:
        put(out, "false", 5);
        return true;
    case JSON_NULL:
        break;
    }
    put(out, "null", 4);
    return true;
}

ym_status ym_json_write(const json_t *v, struct ym_buf *out)
{
    if (!write_value(out, v)) {
        return YM_EINVAL;
    }
    return ym_buf_add(out, "", 0); /* the NUL, and whether anything failed */
}
