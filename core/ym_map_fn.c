/* SPDX-License-Identifier: Apache-2.0
 * The closed list of `apply` functions: text in, text out, no state. One table gives the compiler,
 * the runner and the reference.
 */
#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_gb.h"
#include "ym_map_priv.h"
#include "ym_time.h"

#include <stdio.h>

/* Runs of 11 to 13 digits are epoch milliseconds (1970–2286); 8 or 14 digits would be written dates. */
#define EPOCH_DIGITS_MIN 11
#define EPOCH_DIGITS_MAX 13
#define FN_N_MAX 100000

enum fn_arg { ARG_NONE, ARG_N, ARG_TEXT, ARG_PAIR };

struct ym_fn {
    const char *name;
    enum fn_arg arg;
    enum ym_fn_result (*run)(const struct ym_call *c, const struct ym_fn_env *env, struct ym_str in,
                             struct ym_str *ret);
    int format;          /* of the time functions */
    const char *expects; /* the form it needs; NULL: takes any text */
    const char *summary;
};

char *ym_mem_get(struct ym_mem *m, size_t n)
{
    if (n <= m->left) {
        char *p = m->p;
        m->p += n;
        m->left -= n;
        return p;
    }
    return ym_arena_alloc(m->a, n);
}

static enum ym_fn_result give(const struct ym_fn_env *env, struct ym_str s, struct ym_str *ret)
{
    char *p = ym_mem_get(env->mem, s.n + 1);
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    if (s.n != 0) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = '\0';
    *ret = (struct ym_str){p, s.n};
    return YM_FN_OK;
}

/* Bytes of a blank at p: ASCII blanks, no-break space, ideographic space; else 0. */
static size_t blank(const char *p, size_t n)
{
    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r')) {
        return 1;
    }
    if (n >= 2 && memcmp(p, "\xC2\xA0", 2) == 0) {
        return 2;
    }
    if (n >= 3 && memcmp(p, "\xE3\x80\x80", 3) == 0) {
        return 3;
    }
    return 0;
}

static size_t blank_before(const char *p, size_t n)
{
    for (size_t w = 1; w <= 3 && w <= n; w++) {
        if (blank(p + n - w, w) == w) {
            return w;
        }
    }
    return 0;
}

static enum ym_fn_result fn_trim(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    size_t w;
    (void)c;
    while (in.n > 0 && (w = blank(in.p, in.n)) != 0) {
        in.p += w;
        in.n -= w;
    }
    while (in.n > 0 && (w = blank_before(in.p, in.n)) != 0) {
        in.n -= w;
    }
    return give(env, in, ret);
}

/* Keeps digits; full-width ones (U+FF10 …) count, as Chinese keyboards type them. */
static enum ym_fn_result fn_digits(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    char *p = ym_mem_get(env->mem, in.n + 1);
    size_t w = 0;
    (void)c;
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    for (size_t i = 0; i < in.n; i++) {
        unsigned char b = (unsigned char)in.p[i];
        if (b >= '0' && b <= '9') {
            p[w++] = (char)b;
        } else if (b == 0xEF && in.n - i >= 3 && (unsigned char)in.p[i + 1] == 0xBC) {
            unsigned char last = (unsigned char)in.p[i + 2];
            if (last >= 0x90 && last <= 0x99) {
                p[w++] = (char)('0' + last - 0x90);
            }
            i += 2;
        }
    }
    p[w] = '\0';
    *ret = (struct ym_str){p, w};
    return YM_FN_OK;
}

/* For fields that take nothing but a mobile number: a landline is no error there, it is left out. */
static enum ym_fn_result fn_mobile(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    (void)c;
    bool mobile = in.n == 11 && in.p[0] == '1' && ym_phone_cn(in);
    return give(env, mobile ? in : YM_STR(""), ret);
}

static enum ym_fn_result fn_case(const struct ym_fn_env *env, struct ym_str in, char from,
                                 struct ym_str *ret)
{
    enum ym_fn_result r = give(env, in, ret);
    if (r == YM_FN_OK) {
        char *p = (char *)ret->p;
        for (size_t i = 0; i < ret->n; i++) {
            if (p[i] >= from && p[i] < from + 26) {
                p[i] = (char)(p[i] ^ 0x20);
            }
        }
    }
    return r;
}

static enum ym_fn_result fn_upper(const struct ym_call *c, const struct ym_fn_env *env,
                                  struct ym_str in, struct ym_str *ret)
{
    (void)c;
    return fn_case(env, in, 'a', ret);
}

static enum ym_fn_result fn_lower(const struct ym_call *c, const struct ym_fn_env *env,
                                  struct ym_str in, struct ym_str *ret)
{
    (void)c;
    return fn_case(env, in, 'A', ret);
}

/* RFC 3339 date-time or date, or epoch milliseconds as $now has them. */
static enum ym_fn_result fn_time(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    int64_t ms;
    char out[YM_TIME_TEXT];
    bool epoch = in.n >= EPOCH_DIGITS_MIN && in.n <= EPOCH_DIGITS_MAX && ym_int_parse(in, &ms);
    if (!epoch && !ym_time_parse(in, env->offset_min, &ms)) {
        return YM_FN_BAD;
    }
    ym_time_format(ms, (enum ym_time_format)c->fn->format, env->offset_min, out);
    return give(env, ym_str_of(out), ret);
}

static enum ym_fn_result fn_yuan(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    int64_t cents;
    char out[32];
    (void)c;
    if (!ym_int_parse(in, &cents) || cents == INT64_MIN) {
        return YM_FN_BAD;
    }
    int64_t whole = cents < 0 ? -cents : cents;
    snprintf(out, sizeof(out), "%s%lld.%02lld", cents < 0 ? "-" : "", (long long)(whole / 100),
             (long long)(whole % 100));
    return give(env, ym_str_of(out), ret);
}

static enum ym_fn_result fn_pad(const struct ym_call *c, const struct ym_fn_env *env,
                                struct ym_str in, struct ym_str *ret)
{
    size_t have = ym_utf8_length(in.p, in.n);
    size_t zeros = have < (size_t)c->n ? (size_t)c->n - have : 0;
    char *p = ym_mem_get(env->mem, zeros + in.n + 1);
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    memset(p, '0', zeros);
    memcpy(p + zeros, in.p, in.n);
    p[zeros + in.n] = '\0';
    *ret = (struct ym_str){p, zeros + in.n};
    return YM_FN_OK;
}

static enum ym_fn_result fn_area(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] < '0' || in.p[i] > '9') {
            return YM_FN_BAD;
        }
    }
    if (in.n > (size_t)c->n) {
        in.n = (size_t)c->n;
    }
    return give(env, in, ret);
}

static size_t step(const char *p, size_t n)
{
    size_t w = 1;
    while (w < n && ((unsigned char)p[w] & 0xC0) == 0x80) {
        w++;
    }
    return w;
}

/* Stars for everything but the first `head` and the last `tail` characters. */
static enum ym_fn_result mask(const struct ym_fn_env *env, struct ym_str in, size_t head,
                              size_t tail, struct ym_str *ret)
{
    size_t chars = ym_utf8_length(in.p, in.n), w = 0, k = 0;
    char *p = ym_mem_get(env->mem, in.n + 1);
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    if (chars <= head + tail) { /* too short to show anything of it */
        head = tail = 0;
    }
    for (size_t i = 0; i < in.n; k++) {
        size_t len = step(in.p + i, in.n - i);
        if (k >= head && k < chars - tail) {
            p[w++] = '*';
        } else {
            memcpy(p + w, in.p + i, len);
            w += len;
        }
        i += len;
    }
    p[w] = '\0';
    *ret = (struct ym_str){p, w};
    return YM_FN_OK;
}

static enum ym_fn_result fn_mask_id(const struct ym_call *c, const struct ym_fn_env *env,
                                    struct ym_str in, struct ym_str *ret)
{
    (void)c;
    return mask(env, in, 6, 4, ret);
}

static enum ym_fn_result fn_mask_phone(const struct ym_call *c, const struct ym_fn_env *env,
                                       struct ym_str in, struct ym_str *ret)
{
    (void)c;
    return mask(env, in, 3, 4, ret);
}

static int truth(struct ym_str in)
{
    if (ym_str_is(in, "true") || ym_str_is(in, "1")) {
        return 1;
    }
    if (ym_str_is(in, "false") || ym_str_is(in, "0")) {
        return 0;
    }
    return -1;
}

static enum ym_fn_result fn_bool01(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    int t = truth(in);
    (void)c;
    return t < 0 ? YM_FN_BAD : give(env, t ? YM_STR("1") : YM_STR("0"), ret);
}

static enum ym_fn_result fn_yesno(const struct ym_call *c, const struct ym_fn_env *env,
                                  struct ym_str in, struct ym_str *ret)
{
    int t = truth(in);
    return t < 0 ? YM_FN_BAD : give(env, t ? c->a : c->b, ret);
}

static enum ym_fn_result fn_hash63(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    unsigned char sum[YM_SHA256_LEN];
    uint64_t v = 0;
    char out[24];
    (void)c;
    if (ym_sha256(in, sum) != YM_OK) {
        return YM_FN_NOMEM;
    }
    for (int i = 0; i < 8; i++) {
        v = v << 8 | sum[i];
    }
    snprintf(out, sizeof(out), "%llu", (unsigned long long)(v & INT64_MAX));
    return give(env, ym_str_of(out), ret);
}

/* RFC 9562 §5.8: version 8, because the digest behind it is SHA-256 and not version 5's SHA-1. */
static enum ym_fn_result fn_uuid(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    unsigned char sum[YM_SHA256_LEN];
    char hex[33], out[40];
    (void)c;
    if (ym_sha256(in, sum) != YM_OK) {
        return YM_FN_NOMEM;
    }
    sum[6] = (unsigned char)((sum[6] & 0x0F) | 0x80);
    sum[8] = (unsigned char)((sum[8] & 0x3F) | 0x80);
    ym_hex(sum, 16, false, hex);
    snprintf(out, sizeof(out), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    return give(env, ym_str_of(out), ret);
}

static enum ym_fn_result fn_oneline(const struct ym_call *c, const struct ym_fn_env *env,
                                    struct ym_str in, struct ym_str *ret)
{
    char *p = ym_mem_get(env->mem, in.n + 1);
    size_t w = 0;
    (void)c;
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    for (size_t i = 0; i < in.n; i++) {
        bool crlf = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';
        if (!crlf) {
            p[w++] = in.p[i] == '\n' || in.p[i] == '\r' ? ' ' : in.p[i];
        }
    }
    p[w] = '\0';
    *ret = (struct ym_str){p, w};
    return YM_FN_OK;
}

/* A visible cut: N−1 characters and "…". */
static enum ym_fn_result fn_first(const struct ym_call *c, const struct ym_fn_env *env,
                                  struct ym_str in, struct ym_str *ret)
{
    static const char mark[] = "…";
    size_t at = 0;
    if (in.n <= (size_t)c->n || ym_utf8_length(in.p, in.n) <= (size_t)c->n) {
        return give(env, in, ret);
    }
    for (long k = 1; k < c->n; k++) {
        at += step(in.p + at, in.n - at);
    }
    char *p = ym_mem_get(env->mem, at + sizeof(mark));
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    memcpy(p, in.p, at);
    memcpy(p + at, mark, sizeof(mark));
    *ret = (struct ym_str){p, at + sizeof(mark) - 1};
    return YM_FN_OK;
}

/* Only behind a time function (ym_map_compile.c sees to it): "2026-01-31 08:30:00" → 16 characters. */
static enum ym_fn_result fn_cut(const struct ym_call *c, const struct ym_fn_env *env,
                                struct ym_str in, struct ym_str *ret)
{
    if (in.n > (size_t)c->n) {
        in.n = (size_t)c->n;
    }
    return give(env, in, ret);
}

static enum ym_fn_result glue(const struct ym_fn_env *env, struct ym_str a, struct ym_str b,
                              struct ym_str *ret)
{
    char *p = ym_mem_get(env->mem, a.n + b.n + 1);
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    memcpy(p, a.p, a.n);
    memcpy(p + a.n, b.p, b.n);
    p[a.n + b.n] = '\0';
    *ret = (struct ym_str){p, a.n + b.n};
    return YM_FN_OK;
}

static enum ym_fn_result fn_prefix(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    return glue(env, c->a, in, ret);
}

static enum ym_fn_result fn_suffix(const struct ym_call *c, const struct ym_fn_env *env,
                                   struct ym_str in, struct ym_str *ret)
{
    return glue(env, in, c->a, ret);
}

static enum ym_fn_result fn_replace(const struct ym_call *c, const struct ym_fn_env *env,
                                    struct ym_str in, struct ym_str *ret)
{
    struct ym_str from = c->a, to = c->b;
    size_t hits = 0, w = 0;
    for (size_t i = 0; i + from.n <= in.n;) {
        bool hit = memcmp(in.p + i, from.p, from.n) == 0;
        hits += hit;
        i += hit ? from.n : 1;
    }
    char *p = ym_mem_get(env->mem, in.n + hits * to.n + 1);
    if (p == NULL) {
        return YM_FN_NOMEM;
    }
    for (size_t i = 0; i < in.n;) {
        if (in.n - i >= from.n && memcmp(in.p + i, from.p, from.n) == 0) {
            memcpy(p + w, to.p, to.n);
            w += to.n;
            i += from.n;
        } else {
            p[w++] = in.p[i++];
        }
    }
    p[w] = '\0';
    *ret = (struct ym_str){p, w};
    return YM_FN_OK;
}

/* The items were joined while they were read (ym_map.c): nothing is left to do. */
static enum ym_fn_result fn_join(const struct ym_call *c, const struct ym_fn_env *env,
                                 struct ym_str in, struct ym_str *ret)
{
    (void)c;
    (void)env;
    *ret = in;
    return YM_FN_OK;
}

#define A_TIME "date-time"
static const struct ym_fn functions[] = {
    {"trim", ARG_NONE, fn_trim, 0, NULL, "drops blanks at both ends, U+00A0 and U+3000 too"},
    {"digits", ARG_NONE, fn_digits, 0, NULL, "keeps the digits; full-width ones become ASCII"},
    {"mobile", ARG_NONE, fn_mobile, 0, NULL, "a mobile number; any other text counts as missing"},
    {"upper", ARG_NONE, fn_upper, 0, NULL, "ASCII letters to upper case"},
    {"lower", ARG_NONE, fn_lower, 0, NULL, "ASCII letters to lower case"},
    {"date", ARG_NONE, fn_time, YM_TIME_DATE, A_TIME, "2026-01-31 in the system's zone"},
    {"date8", ARG_NONE, fn_time, YM_TIME_DATE8, A_TIME, "20260131"},
    {"datetime", ARG_NONE, fn_time, YM_TIME_DATETIME, A_TIME, "2026-01-31 08:30:00"},
    {"datetime14", ARG_NONE, fn_time, YM_TIME_DATETIME14, A_TIME, "20260131083000"},
    {"rfc3339", ARG_NONE, fn_time, YM_TIME_RFC3339, A_TIME, "2026-01-31T08:30:00+08:00"},
    {"epoch_ms", ARG_NONE, fn_time, YM_TIME_EPOCH_MS, A_TIME, "milliseconds since 1970"},
    {"epoch_s", ARG_NONE, fn_time, YM_TIME_EPOCH_S, A_TIME, "seconds since 1970"},
    {"cut", ARG_N, fn_cut, 0, NULL, "the first N characters, only after a time function"},
    {"yuan", ARG_NONE, fn_yuan, 0, "integer", "cents 1234 → 12.34"},
    {"join", ARG_TEXT, fn_join, 0, NULL,
     "an array of scalars → text, SEP between; comes first; codes apply to each item"},
    {"pad", ARG_N, fn_pad, 0, NULL, "zeros on the left up to N characters"},
    {"area", ARG_N, fn_area, 0, "digits", "the first N digits of an area code"},
    {"mask_id", ARG_NONE, fn_mask_id, 0, NULL, "first 6 and last 4 characters stay"},
    {"mask_phone", ARG_NONE, fn_mask_phone, 0, NULL, "first 3 and last 4 characters stay"},
    {"bool01", ARG_NONE, fn_bool01, 0, "boolean", "true → 1, false → 0"},
    {"yesno", ARG_PAIR, fn_yesno, 0, "boolean", "true → first text, false → second"},
    {"hash63", ARG_NONE, fn_hash63, 0, NULL, "63 bits of SHA-256 as a decimal number"},
    {"oneline", ARG_NONE, fn_oneline, 0, NULL, "line breaks become blanks"},
    {"first", ARG_N, fn_first, 0, NULL, "a visible cut: N−1 characters and …"},
    {"uuid", ARG_NONE, fn_uuid, 0, NULL, "a UUID (version 8) that depends only on the text"},
    {"prefix", ARG_TEXT, fn_prefix, 0, NULL, "TEXT before the value"},
    {"suffix", ARG_TEXT, fn_suffix, 0, NULL, "TEXT after the value"},
    {"replace", ARG_PAIR, fn_replace, 0, NULL, "every A becomes B"},
};

static const struct ym_fn *fn_find(struct ym_str name)
{
    for (size_t i = 0; i < YM_COUNT(functions); i++) {
        if (ym_str_is(name, functions[i].name)) {
            return &functions[i];
        }
    }
    return NULL;
}

static ym_status call_bad(const struct ym_yaml *at, struct ym_diag *d, const char *name,
                          const char *why)
{
    ym_diag_add(d, at->file, at->line, at->column, "function %s: %s", name, why);
    return YM_EINVAL;
}

static ym_status call_unknown(const struct ym_yaml *at, struct ym_diag *d, struct ym_str name)
{
    struct ym_buf list;
    ym_buf_init(&list, 1024);
    for (size_t i = 0; i < YM_COUNT(functions); i++) {
        ym_buf_addf(&list, " %s", functions[i].name);
    }
    ym_diag_add(d, at->file, at->line, at->column, "unknown function \"%.*s\"; the list is%s",
                (int)(name.n < 40 ? name.n : 40), name.p, list.p != NULL ? list.p : " closed");
    ym_buf_clear(&list);
    return YM_EINVAL;
}

/* A|B at the first bar. */
static ym_status call_pair(const struct ym_yaml *at, struct ym_str arg, struct ym_arena *a,
                           struct ym_call *c, struct ym_diag *d)
{
    const char *bar = arg.n != 0 ? memchr(arg.p, '|', arg.n) : NULL;
    if (bar == NULL || bar == arg.p) {
        return call_bad(at, d, c->fn->name, "takes two texts as \"…:A|B\"");
    }
    c->a = (struct ym_str){arg.p, (size_t)(bar - arg.p)};
    c->b = (struct ym_str){bar + 1, arg.n - c->a.n - 1};
    c->a.p = ym_arena_str(a, c->a);
    c->b.p = ym_arena_str(a, c->b);
    return c->a.p != NULL && c->b.p != NULL ? YM_OK : YM_ENOMEM;
}

ym_status ym_call_compile(const struct ym_yaml *at, struct ym_arena *a, struct ym_call *ret,
                          struct ym_diag *d)
{
    struct ym_call c = {0};
    if (at->kind != YM_YAML_SCALAR) {
        ym_diag_add(d, at->file, at->line, at->column, "a function is text: name or \"name:arg\"");
        return YM_EINVAL;
    }
    struct ym_str name = at->text, arg = YM_STR_NULL;
    const char *colon = name.n != 0 ? memchr(name.p, ':', name.n) : NULL;
    if (colon != NULL) {
        arg = (struct ym_str){colon + 1, name.n - (size_t)(colon - name.p) - 1};
        name.n = (size_t)(colon - name.p);
    }
    c.fn = fn_find(name);
    if (c.fn == NULL) {
        return call_unknown(at, d, name);
    }
    if (c.fn->arg == ARG_NONE && colon != NULL) {
        return call_bad(at, d, c.fn->name, "takes no argument");
    }
    if (c.fn->arg != ARG_NONE && colon == NULL) {
        return call_bad(at, d, c.fn->name, "needs an argument after a colon, quoted: \"fn:arg\"");
    }
    ym_status rc = YM_OK;
    if (c.fn->arg == ARG_N) {
        int64_t n;
        if (!ym_int_parse(arg, &n) || n < 1 || n > FN_N_MAX) {
            return call_bad(at, d, c.fn->name, "takes a whole number from 1 to 100000");
        }
        c.n = (long)n;
    } else if (c.fn->arg == ARG_TEXT) {
        c.a = (struct ym_str){ym_arena_str(a, arg), arg.n};
        rc = c.a.p != NULL ? YM_OK : YM_ENOMEM;
    } else if (c.fn->arg == ARG_PAIR) {
        rc = call_pair(at, arg, a, &c, d);
    }
    if (rc == YM_OK) {
        *ret = c;
    }
    return rc;
}

enum ym_fn_result ym_call_run(const struct ym_call *c, const struct ym_fn_env *env,
                              struct ym_str in, struct ym_str *ret)
{
    return c->fn->run(c, env, in, ret);
}

bool ym_call_joins(const struct ym_call *c)
{
    return c->fn->run == fn_join;
}

bool ym_call_keeps(const struct ym_call *c)
{
    return c->fn->run == fn_upper || c->fn->run == fn_lower || c->fn->run == fn_oneline ||
           c->fn->run == fn_mask_id || c->fn->run == fn_mask_phone;
}

bool ym_call_cuts(const struct ym_call *c)
{
    return c->fn->run == fn_cut;
}

bool ym_call_tells_time(const struct ym_call *c)
{
    return c->fn->run == fn_time;
}

const char *ym_call_expects(const struct ym_call *c)
{
    return c->fn->expects;
}

ym_status ym_map_document(struct ym_buf *out)
{
    static const char *const args[] = {"", ":N", ":TEXT", ":A\\|B"};
    ym_buf_adds(out, "| function | what it does |\n|---|---|\n");
    for (size_t i = 0; i < YM_COUNT(functions); i++) {
        ym_buf_addf(out, "| `%s%s` | %s |\n", functions[i].name, args[functions[i].arg],
                    functions[i].summary);
    }
    return out->failed;
}
