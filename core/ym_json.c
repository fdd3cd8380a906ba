/* SPDX-License-Identifier: Apache-2.0
 * Limits by pre-scan, jansson behind it, and the few tree operations the project needs.
 */
#include "ym_json.h"

#include "ym_arena.h"
#include "ym_buf.h"
#include "ym_json_fast.h"
#include "ym_swar.h"
#include "ym_utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const struct ym_json_limits ym_json_defaults = {YM_JSON_BYTES, YM_JSON_DEPTH, YM_JSON_MEMBERS};

bool ym_utf8_valid(const char *p, size_t n)
{
    size_t i = 0, len;

    while (i < n) {
        if (n - i >= 8 && (ym_swar_load(p + i) & YM_SWAR_HIGHS) == 0) {
            i += 8;
            continue;
        }
        len = ym_utf8_step((const unsigned char *)p + i, n - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

size_t ym_utf8_length(const char *p, size_t n)
{
    size_t i, count = 0;

    for (i = 0; i < n; i++) {
        if (((unsigned char)p[i] & 0xC0) != 0x80) {
            count++;
        }
    }
    return count;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where an offset lies; only for messages, so a second pass is fine. */
static ym_status json_err(struct ym_err *err, ym_status code, struct ym_str text, size_t at,
                          const char *words)
{
    size_t i, start = 0;
    int line = 1;

    for (i = 0; i < at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return ym_err_at(err, code, NULL, line, (int)(at - start) + 1, "%s", words);
}

/*
 * Counts nesting and members without understanding more than strings and brackets: every comma and
 * every container that is not empty stands for one member. On ill-formed text the counts may be
 * off, but then jansson refuses it, and never after more work than the limits allow.
 */
static ym_status json_scan(struct ym_str text, const struct ym_json_limits *limits,
                           struct ym_err *err)
{
    size_t i, k, depth = 0, members = 0;
    bool in_string = false;

    for (i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '\0') {
            return json_err(err, YM_EINVAL, text, i, "a NUL byte is not allowed in JSON");
        }
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
            continue;
        }
        if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limits->depth) {
                return json_err(err, YM_ETOOBIG, text, i, "the JSON is nested too deeply");
            }
            for (k = i + 1; k < text.n && is_blank(text.p[k]); k++) {
            }
            if (k < text.n && text.p[k] != '}' && text.p[k] != ']') {
                members++;
            }
            i = k - 1;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            members++;
        }
        if (members > limits->members) {
            return json_err(err, YM_ETOOBIG, text, i, "the JSON has too many members");
        }
    }
    return YM_OK;
}

/* jansson's own text quotes the input, which may hold personal data: only its code is used. */
static const char *json_words(enum json_error_code code)
{
    switch (code) {
    case json_error_duplicate_key:
        return "an object has the same key twice";
    case json_error_invalid_utf8:
        return "the JSON is not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "the NUL character is not allowed in JSON strings";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_premature_end_of_input:
        return "the JSON ends too early";
    case json_error_end_of_input_expected:
        return "there is something after the end of the JSON";
    default:
        return "this is not valid JSON";
    }
}

ym_status ym_json_parse(struct ym_str text, const struct ym_json_limits *limits, json_t **ret,
                        struct ym_err *err)
{
    enum json_error_code code;
    json_error_t e;
    json_t *root;
    ym_status rc;

    if (text.n > limits->bytes) {
        return ym_err_set(err, YM_ETOOBIG, "the JSON is larger than %zu bytes", limits->bytes);
    }
    if (text.n == 0) {
        return ym_err_at(err, YM_EINVAL, NULL, 1, 1, "the JSON is empty");
    }
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0) {
        return ym_err_at(err, YM_EINVAL, NULL, 1, 1, "a byte-order mark is not allowed; remove it");
    }
    if (ym_fault_hit()) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    if (ym_json_read(text, limits, ret)) {
        return YM_OK;
    }
    /* wrong or unusual: jansson says which, and where */
    rc = json_scan(text, limits, err);
    if (rc != YM_OK) {
        return rc;
    }

    root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (root == NULL) {
        code = json_error_code(&e);
        if (code == json_error_out_of_memory) {
            return ym_err_set(err, YM_ENOMEM, "out of memory");
        }
        return ym_err_at(err, YM_EINVAL, NULL, e.line > 0 ? e.line : 1, e.column > 0 ? e.column : 1,
                         "%s", json_words(code));
    }
    *ret = root;
    return YM_OK;
}

/* A whole file of at most most bytes. */
static ym_status read_all(const char *path, size_t most, struct ym_buf *out, struct ym_err *err)
{
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "rbe");

    ym_buf_init(out, most);
    if (f == NULL) {
        return ym_err_at(err, errno == ENOENT ? YM_ENOTFOUND : YM_EIO, path, 0, 0,
                         "cannot be opened: %s", strerror(errno));
    }
    do {
        n = fread(chunk, 1, sizeof(chunk), f);
        (void)ym_buf_add(out, chunk, n);
    } while (n == sizeof(chunk) && out->failed == YM_OK);
    if (ferror(f) && out->failed == YM_OK) {
        ym_buf_clear(out);
        out->failed = YM_EIO;
    }
    (void)fclose(f);
    if (out->failed != YM_OK) {
        return ym_err_at(err, out->failed, path, 0, 0, "%s",
                         out->failed == YM_ETOOBIG ? "the file is larger than 1 MiB"
                         : out->failed == YM_EIO   ? "cannot be read; is it a regular file?"
                                                   : "out of memory");
    }
    return YM_OK;
}

ym_status ym_json_file(const char *path, json_t **ret, struct ym_err *err)
{
    /* A schema of ours may have more members than a record may. */
    static const struct ym_json_limits of_files = {YM_JSON_BYTES, YM_JSON_DEPTH * 2, 100000};
    struct ym_err inner = {0};
    struct ym_buf text;
    ym_status rc;

    rc = read_all(path, YM_JSON_BYTES, &text, err);
    if (rc == YM_OK) {
        rc = ym_json_parse(ym_buf_str(&text), &of_files, ret, &inner);
        if (rc != YM_OK) {
            (void)ym_err_at(err, rc, path, inner.line, inner.column, "%s", inner.message);
        }
    }
    ym_buf_clear(&text);
    return rc;
}

/* Undoes ~0 and ~1 of RFC 6901 in place; SIZE_MAX for another use of ~. */
static size_t pointer_unescape(char *p, size_t n)
{
    size_t i, out = 0;

    for (i = 0; i < n; i++) {
        if (p[i] != '~') {
            p[out++] = p[i];
            continue;
        }
        i++;
        if (i == n || (p[i] != '0' && p[i] != '1')) {
            return SIZE_MAX;
        }
        p[out++] = p[i] == '0' ? '~' : '/';
    }
    return out;
}

static json_t *at_key(json_t *object, const char *p, size_t n)
{
    json_t *found = NULL;
    char *copy;
    size_t len;

    if (memchr(p, '~', n) == NULL) {
        return json_object_getn(object, p, n);
    }
    copy = malloc(n);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, p, n);
    len = pointer_unescape(copy, n);
    if (len != SIZE_MAX) {
        found = json_object_getn(object, copy, len);
    }
    free(copy);
    return found;
}

static json_t *at_index(json_t *array, const char *p, size_t n)
{
    size_t i, index = 0;

    if (n == 0 || n > 9 || (n > 1 && p[0] == '0')) {
        return NULL;
    }
    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return NULL;
        }
        index = index * 10 + (size_t)(p[i] - '0');
    }
    return json_array_get(array, index);
}

json_t *ym_json_at(json_t *root, const char *pointer)
{
    const char *p = pointer, *end;

    while (root != NULL && *p != '\0') {
        if (*p != '/') {
            return NULL;
        }
        p++;
        end = p + strcspn(p, "/");
        if (json_is_object(root)) {
            root = at_key(root, p, (size_t)(end - p));
        } else if (json_is_array(root)) {
            root = at_index(root, p, (size_t)(end - p));
        } else {
            return NULL;
        }
        p = end;
    }
    return root;
}

const char *ym_json_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

json_t *ym_json_merge(const json_t *target, const json_t *patch)
{
    const char *key;
    json_t *result, *value, *merged;

    if (ym_fault_hit()) {
        return NULL;
    }
    if (!json_is_object(patch)) {
        return json_deep_copy(patch);
    }
    result = json_is_object(target) ? json_deep_copy(target) : json_object();
    if (result == NULL) {
        return NULL;
    }
    /* Iteration does not change patch, but jansson's macro wants it writable. */
    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        if (json_is_null(value)) {
            (void)json_object_del(result, key);
            continue;
        }
        merged = ym_json_merge(json_object_get(result, key), value);
        if (merged == NULL || json_object_set_new(result, key, merged) != 0) {
            json_decref(result);
            return NULL;
        }
    }
    return result;
}

size_t ym_json_leaves(const json_t *v)
{
    const char *key;
    json_t *item;
    size_t n = 0, i;

    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        n += ym_json_leaves(item);
    }
    json_array_foreach(v, i, item)
    {
        n += ym_json_leaves(item);
    }
    if (json_is_string(v)) {
        return json_string_length(v) != 0;
    }
    return n + (json_is_number(v) || json_is_boolean(v));
}
