/* SPDX-License-Identifier: Apache-2.0
 * Settings tables: parsing, defaults, and their documentation.
 */
#include "ym_conf.h"

#include <stdio.h>

size_t ym_int_text(int64_t v, char out[YM_INT_TEXT])
{
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char digits[YM_INT_TEXT];
    size_t d = 0, n = 0;

    do {
        digits[d++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0) {
        out[n++] = '-';
    }
    while (d > 0) {
        out[n++] = digits[--d];
    }
    out[n] = '\0';
    return n;
}

bool ym_int_parse(struct ym_str s, int64_t *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    uint64_t v = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;

    if (i == s.n) {
        return false;
    }
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)((unsigned char)s.p[i] - '0');

        if (digit > 9 || v > (most - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* A number that is not negative, directly followed by one of the units; "0" needs none. */
static bool parse_unit(struct ym_str s, const struct unit *units, int64_t *ret)
{
    size_t digits = 0;
    int64_t v;

    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') {
        digits++;
    }
    if (!ym_int_parse((struct ym_str){s.p, digits}, &v)) {
        return false;
    }
    if (v == 0 && digits == s.n) {
        *ret = 0;
        return true;
    }
    for (; units->name != NULL; units++) {
        if (ym_str_is((struct ym_str){s.p + digits, s.n - digits}, units->name)) {
            if (v > INT64_MAX / units->factor) {
                return false;
            }
            *ret = v * units->factor;
            return true;
        }
    }
    return false;
}

bool ym_duration_parse(struct ym_str s, int64_t *ret_ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

    return parse_unit(s, units, ret_ms);
}

bool ym_size_parse(struct ym_str s, int64_t *ret_bytes)
{
    static const struct unit units[] = {{"", 1},           {"k", 1024},    {"K", 1024},
                                        {"m", 1048576},    {"M", 1048576}, {"g", 1073741824},
                                        {"G", 1073741824}, {NULL, 0}};

    return parse_unit(s, units, ret_bytes);
}

static bool rate_parse(struct ym_str s, double *ret)
{
    const char *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
    int64_t v;
    double per;

    if (slash == NULL || s.p + s.n - slash != 2) {
        return false;
    }
    switch (slash[1]) {
    case 's':
        per = 1;
        break;
    case 'm':
        per = 60;
        break;
    case 'h':
        per = 3600;
        break;
    default:
        return false;
    }
    if (!ym_int_parse((struct ym_str){s.p, (size_t)(slash - s.p)}, &v) || v < 0) {
        return false;
    }
    *ret = (double)v / per;
    return true;
}

static int enum_find(const struct ym_field *f, struct ym_str s)
{
    int i;

    for (i = 0; f->values[i] != NULL; i++) {
        if (ym_str_is(s, f->values[i])) {
            return i;
        }
    }
    return -1;
}

/* What a value of this type looks like, for messages. */
static const char *type_example(enum ym_field_type type)
{
    switch (type) {
    case YM_FIELD_BOOL:
        return "true or false";
    case YM_FIELD_INT:
        return "a whole number";
    case YM_FIELD_SIZE:
        return "a size such as 64k or 1m";
    case YM_FIELD_DURATION:
        return "a duration such as 250ms, 8s or 2m";
    case YM_FIELD_RATE:
        return "a rate such as 50/s or 1000/h";
    case YM_FIELD_ENUM:
        return "one of the listed words";
    default:
        return "text";
    }
}

static const char *type_name(enum ym_field_type type)
{
    static const char *const names[] = {"text",     "true/false", "number", "size",
                                        "duration", "word",       "rate",   "block"};

    return names[type];
}

static bool in_bounds(const struct ym_field *f, int64_t v)
{
    return (f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max);
}

enum parsed { PARSED_OK, PARSED_TYPE, PARSED_BOUNDS, PARSED_MEMORY };

static enum parsed parse_value(const struct ym_field *f, struct ym_str s, char *slot,
                               struct ym_arena *a)
{
    int64_t v = 0;
    double rate;
    bool ok = true;
    char *text;

    switch (f->type) {
    case YM_FIELD_STRING:
        if (!in_bounds(f, (int64_t)s.n)) {
            return PARSED_BOUNDS;
        }
        text = ym_arena_str(a, s);
        if (text == NULL) {
            return PARSED_MEMORY;
        }
        *(const char **)(void *)slot = text;
        return PARSED_OK;
    case YM_FIELD_BOOL:
        if (!ym_str_is(s, "true") && !ym_str_is(s, "false")) {
            return PARSED_TYPE;
        }
        *(bool *)(void *)slot = s.p[0] == 't';
        return PARSED_OK;
    case YM_FIELD_ENUM:
        if (enum_find(f, s) < 0) {
            return PARSED_TYPE;
        }
        *(int *)(void *)slot = enum_find(f, s);
        return PARSED_OK;
    case YM_FIELD_RATE:
        if (!rate_parse(s, &rate)) {
            return PARSED_TYPE;
        }
        if (!(f->min == 0 && f->max == 0) && (rate < (double)f->min || rate > (double)f->max)) {
            return PARSED_BOUNDS;
        }
        *(double *)(void *)slot = rate;
        return PARSED_OK;
    case YM_FIELD_INT:
        ok = ym_int_parse(s, &v);
        break;
    case YM_FIELD_SIZE:
        ok = ym_size_parse(s, &v);
        break;
    case YM_FIELD_DURATION:
        ok = ym_duration_parse(s, &v);
        break;
    case YM_FIELD_NODE:
        return PARSED_TYPE;
    }
    if (!ok) {
        return PARSED_TYPE;
    }
    if (!in_bounds(f, v)) {
        return PARSED_BOUNDS;
    }
    *(int64_t *)(void *)slot = v;
    return PARSED_OK;
}

/* Bounds in the unit people write. */
static void bounds_text(const struct ym_field *f, char *out, size_t size)
{
    const char *unit = f->type == YM_FIELD_DURATION                             ? "ms"
                       : f->type == YM_FIELD_RATE                               ? "/s"
                       : f->type == YM_FIELD_STRING || f->type == YM_FIELD_SIZE ? " bytes"
                                                                                : "";

    out[0] = '\0';
    if (f->min != 0 || f->max != 0) {
        (void)snprintf(out, size, "%lld%s to %lld%s", (long long)f->min, unit, (long long)f->max,
                       unit);
    }
}

static void enum_words(const struct ym_field *f, char *out, size_t size)
{
    size_t n = 0;
    int i, w;

    out[0] = '\0';
    for (i = 0; f->values[i] != NULL && n < size; i++) {
        w = snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "", f->values[i]);
        n += w > 0 ? (size_t)w : 0;
    }
}

static void complain(const struct ym_field *f, enum parsed how, const struct ym_yaml *v,
                     const char *where, struct ym_diag *d)
{
    char words[256];

    switch (how) {
    case PARSED_MEMORY:
        ym_diag_add(d, v->file, v->line, v->column, "%s.%s: out of memory", where, f->name);
        break;
    case PARSED_BOUNDS:
        bounds_text(f, words, sizeof(words));
        ym_diag_add(d, v->file, v->line, v->column, "%s.%s must be within %s", where, f->name,
                    words);
        break;
    default:
        if (f->type == YM_FIELD_ENUM) {
            enum_words(f, words, sizeof(words));
            ym_diag_add(d, v->file, v->line, v->column, "%s.%s must be one of: %s", where, f->name,
                        words);
        } else {
            ym_diag_add(d, v->file, v->line, v->column, "%s.%s must be %s", where, f->name,
                        type_example(f->type));
        }
    }
}

static void set_default(const struct ym_field *f, const char *where, char *slot, struct ym_arena *a,
                        struct ym_diag *d)
{
    static const size_t sizes[] = {sizeof(char *),  sizeof(bool), sizeof(int64_t), sizeof(int64_t),
                                   sizeof(int64_t), sizeof(int),  sizeof(double),  sizeof(void *)};

    memset(slot, 0, sizes[f->type]);
    if (f->def != NULL && f->type != YM_FIELD_NODE &&
        parse_value(f, ym_str_of(f->def), slot, a) != PARSED_OK) {
        ym_diag_add(d, NULL, 0, 0, "%s.%s: out of memory, or its default is wrong", where, f->name);
    }
}

static void load_field(const struct ym_field *f, const struct ym_yaml *map, const char *where,
                       char *target, struct ym_arena *a, struct ym_diag *d)
{
    const struct ym_yaml *v = ym_yaml_get(map, f->name);
    enum parsed how;

    if (v != NULL && v->kind == YM_YAML_SCALAR && v->text.n == 0 && !v->quoted) {
        v = NULL; /* `key:` with nothing behind it */
    }
    set_default(f, where, target + f->offset, a, d);
    if (v == NULL) {
        if ((f->flags & YM_FIELD_REQUIRED) != 0) {
            ym_diag_add(d, map != NULL ? map->file : NULL, map != NULL ? map->line : 0,
                        map != NULL ? map->column : 0, "%s.%s is missing: %s", where, f->name,
                        f->help);
        }
        return;
    }
    if (f->type == YM_FIELD_NODE) {
        *(const struct ym_yaml **)(void *)(target + f->offset) = v;
        return;
    }
    how = v->kind == YM_YAML_SCALAR ? parse_value(f, v->text, target + f->offset, a) : PARSED_TYPE;
    if (how != PARSED_OK) {
        complain(f, how, v, where, d);
    }
}

#define CONF_FIELDS_MAX 64 /* no table here comes near it */

ym_status ym_conf_load(const struct ym_field *table, const struct ym_yaml *map, const char *where,
                       void *target, struct ym_arena *a, struct ym_diag *d)
{
    const char *names[CONF_FIELDS_MAX + 1];
    size_t i, before = d->total;

    for (i = 0; table[i].name != NULL && i < CONF_FIELDS_MAX; i++) {
        names[i] = table[i].name;
        load_field(&table[i], map != NULL && map->kind == YM_YAML_MAP ? map : NULL, where, target,
                   a, d);
    }
    names[i] = NULL;
    if (map != NULL && !(map->kind == YM_YAML_SCALAR && map->text.n == 0)) {
        (void)ym_yaml_only(map, names, d);
    }
    return d->total == before ? YM_OK : YM_EINVAL;
}

ym_status ym_conf_document(const struct ym_field *table, struct ym_buf *out)
{
    char words[256];

    (void)ym_buf_adds(out, "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    for (; table->name != NULL; table++) {
        if (table->type == YM_FIELD_ENUM) {
            enum_words(table, words, sizeof(words));
        } else {
            bounds_text(table, words, sizeof(words));
        }
        (void)ym_buf_addf(out, "| `%s` | %s | %s%s%s | %s | %s%s%s |\n", table->name,
                          type_name(table->type), table->def != NULL ? "`" : "",
                          table->def != NULL                        ? table->def
                          : (table->flags & YM_FIELD_REQUIRED) != 0 ? "required"
                                                                    : "–",
                          table->def != NULL ? "`" : "", words, table->help,
                          (table->flags & YM_FIELD_SECRET) != 0 ? " Secret." : "",
                          (table->flags & YM_FIELD_RELOADABLE) != 0 ? " Reloadable." : "");
    }
    return out->failed;
}
