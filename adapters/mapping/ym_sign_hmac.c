/* SPDX-License-Identifier: Apache-2.0
 * Schemes that sign a request line: bg_hmac (domain.md §3.4), zwdd_hmac (§3.5) and our own.
 */
#include "ym_sign_int.h"

#include <stdlib.h>

#define PARAMS_MAX 512 /* name=value pairs of one query or form */

/* Decoded "k=v" texts, sorted. */
struct params {
    const char **items;
    size_t count;
};

static int unhex1(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes form encoding; a stray % stays. */
static char *decode(struct ym_arena *a, struct ym_str s)
{
    char *out = ym_arena_alloc(a, s.n + 1);
    size_t n = 0;

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? unhex1(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? unhex1(s.p[i + 2]) : -1;

        if (lo >= 0) {
            out[n++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            out[n++] = s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    out[n] = '\0';
    return out;
}

static int compare(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Adds every non-empty pair of text to p. */
static ym_status params_add(struct ym_signing *s, struct ym_str text, struct params *p)
{
    if (p->items == NULL) {
        p->items = ym_arena_alloc(s->a, PARAMS_MAX * sizeof(*p->items));
        if (p->items == NULL) {
            return ym_err_set(s->err, YM_ENOMEM, "out of memory");
        }
    }
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '&', text.n - at);
        size_t n = end != NULL ? (size_t)(end - text.p) - at : text.n - at;

        if (n > 0 && p->count == PARAMS_MAX) {
            return ym_err_set(s->err, YM_ETOOBIG, "more than %d parameters cannot be signed",
                              PARAMS_MAX);
        }
        if (n > 0) {
            p->items[p->count] = decode(s->a, (struct ym_str){text.p + at, n});
            if (p->items[p->count++] == NULL) {
                return ym_err_set(s->err, YM_ENOMEM, "out of memory");
            }
        }
        at += n + 1;
    }
    return YM_OK;
}

static void params_sort(struct params *p)
{
    if (p->count > 1) {
        qsort(p->items, p->count, sizeof(*p->items), compare);
    }
}

/*
 * The reference client's encoding, faults included: a plus becomes a space whether it came plain
 * or as %2B, and a percent sign stays bare. `plus: literal` is for gateways that mended the first.
 */
static void bg_encode(struct ym_buf *b, const char *kv, bool plus_literal)
{
    bool value = false;

    for (; *kv != '\0'; kv++) {
        unsigned char c = (unsigned char)*kv;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("!'()~*-_.%", c) != NULL;

        if (c == '=' && !value) {
            value = true;
            ym_buf_addc(b, '=');
        } else if (plain) {
            ym_buf_addc(b, (char)c);
        } else if (c == '+' && !plus_literal) {
            ym_buf_adds(b, "%20");
        } else {
            ym_buf_addf(b, "%%%02X", c);
        }
    }
}

static ym_status bg_text(struct ym_signing *s, const char *key, const char *date, struct ym_buf *b)
{
    struct params p = {NULL, 0};
    const char *plus = ym_sign_param(s, "plus");
    bool literal = plus != NULL && strcmp(plus, "literal") == 0;
    ym_status rc = params_add(s, ym_str_of(s->in->query), &p);

    if (rc != YM_OK) {
        return rc;
    }
    params_sort(&p);
    ym_buf_adds(b, s->in->method);
    ym_buf_addc(b, '\n');
    ym_buf_adds(b, s->in->path);
    ym_buf_addc(b, '\n');
    for (size_t i = 0; i < p.count; i++) {
        if (i > 0) {
            ym_buf_addc(b, '&');
        }
        bg_encode(b, p.items[i], literal);
    }
    ym_buf_addc(b, '\n');
    ym_buf_adds(b, key);
    ym_buf_addc(b, '\n');
    ym_buf_adds(b, date);
    ym_buf_addc(b, '\n');
    return b->failed;
}

ym_status ym_sign_bg(struct ym_signing *s)
{
    const char *key = NULL, *secret = NULL;
    char date[YM_TIME_TEXT];
    char *sign = NULL;
    struct ym_buf b;
    ym_status rc;

    if ((rc = ym_sign_need(s, "appKey", &key)) != YM_OK ||
        (rc = ym_sign_need(s, "secret", &secret)) != YM_OK) {
        return rc;
    }
    ym_time_format(s->in->now_ms, YM_TIME_RFC1123, 0, date);
    ym_buf_init(&b, YM_SIGN_TEXT);
    rc = bg_text(s, key, date, &b);
    if (rc == YM_OK) {
        rc = ym_sign_hmac(s, "SHA256", secret, ym_buf_str(&b), "base64", &sign);
    }
    ym_buf_clear(&b);
    if (rc != YM_OK || (rc = ym_sign_emit(s, "X-BG-HMAC-ACCESS-KEY", key)) != YM_OK ||
        (rc = ym_sign_emit(s, "X-BG-HMAC-ALGORITHM", "hmac-sha256")) != YM_OK ||
        (rc = ym_sign_emit(s, "X-BG-DATE-TIME", date)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "X-BG-HMAC-SIGNATURE", sign);
}

/* `<epoch>000<4 digits>`; the four digits are the nonce itself, or drawn from its digest. */
static char *zwdd_nonce(struct ym_signing *s)
{
    unsigned char md[YM_SHA256_LEN];
    const char *nonce = s->in->nonce != NULL ? s->in->nonce : "";
    unsigned four;

    if (strlen(nonce) == 4 && strspn(nonce, "0123456789") == 4) {
        return ym_arena_printf(s->a, "%lld000%s", (long long)(s->in->now_ms / 1000), nonce);
    }
    if (ym_sha256(ym_str_of(nonce), md) != YM_OK) {
        return NULL;
    }
    four = ((unsigned)md[0] << 16 | (unsigned)md[1] << 8 | md[2]) % 10000;
    return ym_arena_printf(s->a, "%lld000%04u", (long long)(s->in->now_ms / 1000), four);
}

/* A form body takes part in the signature; JSON and XML do not. */
static bool form_like(struct ym_str body)
{
    return body.n > 0 && strchr("{[<", body.p[0]) == NULL;
}

static ym_status zwdd_text(struct ym_signing *s, const char *time, const char *nonce,
                           struct ym_buf *b)
{
    struct params p = {NULL, 0};
    ym_status rc = params_add(s, ym_str_of(s->in->query), &p);

    if (rc == YM_OK && form_like(s->in->body)) {
        rc = params_add(s, s->in->body, &p);
    }
    if (rc != YM_OK) {
        return rc;
    }
    params_sort(&p);
    ym_buf_addf(b, "%s\n%s\n%s\n%s", s->in->method, time, nonce, s->in->path);
    for (size_t i = 0; i < p.count; i++) {
        ym_buf_addc(b, i == 0 ? '\n' : '&');
        ym_buf_adds(b, p.items[i]);
    }
    return b->failed;
}

ym_status ym_sign_zwdd(struct ym_signing *s)
{
    const char *key = NULL, *secret = NULL;
    const char *ip = ym_sign_param(s, "ip"), *mac = ym_sign_param(s, "mac");
    char time[YM_TIME_TEXT];
    char *sign = NULL;
    const char *nonce = zwdd_nonce(s);
    struct ym_buf b;
    ym_status rc;

    if (nonce == NULL) {
        return ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    if ((rc = ym_sign_need(s, "appKey", &key)) != YM_OK ||
        (rc = ym_sign_need(s, "secret", &secret)) != YM_OK) {
        return rc;
    }
    ym_time_format(s->in->now_ms / 1000 * 1000, YM_TIME_RFC3339_MS, s->in->offset_min, time);
    ym_buf_init(&b, YM_SIGN_TEXT);
    rc = zwdd_text(s, time, nonce, &b);
    if (rc == YM_OK) {
        rc = ym_sign_hmac(s, "SHA256", secret, ym_buf_str(&b), "base64", &sign);
    }
    ym_buf_wipe(&b);
    if (rc != YM_OK || (rc = ym_sign_emit(s, "X-Hmac-Auth-Timestamp", time)) != YM_OK ||
        (rc = ym_sign_emit(s, "X-Hmac-Auth-Version", "1.0")) != YM_OK ||
        (rc = ym_sign_emit(s, "X-Hmac-Auth-Nonce", nonce)) != YM_OK ||
        (rc = ym_sign_emit(s, "apiKey", key)) != YM_OK ||
        (rc = ym_sign_emit(s, "X-Hmac-Auth-Signature", sign)) != YM_OK ||
        (ip != NULL && (rc = ym_sign_emit(s, "X-Hmac-Auth-IP", ip)) != YM_OK) ||
        (mac != NULL && (rc = ym_sign_emit(s, "X-Hmac-Auth-MAC", mac)) != YM_OK)) {
        return rc;
    }
    return YM_OK;
}

/* One word of `fields:`; NULL when there is no such word. */
static ym_status generic_word(struct ym_signing *s, const char *digest, struct ym_str word,
                              const char *time, struct ym_str *ret)
{
    char *hex = NULL;
    const char *id = ym_sign_param(s, "key_id");
    ym_status rc = YM_OK;

    if (ym_str_is(word, "method")) {
        *ret = ym_str_of(s->in->method);
    } else if (ym_str_is(word, "path")) {
        *ret = ym_str_of(s->in->path);
    } else if (ym_str_is(word, "query")) {
        *ret = ym_str_of(s->in->query);
    } else if (ym_str_is(word, "timestamp")) {
        *ret = ym_str_of(time);
    } else if (ym_str_is(word, "nonce")) {
        *ret = ym_str_of(s->in->nonce);
    } else if (ym_str_is(word, "key_id")) {
        *ret = ym_str_of(id);
    } else if (ym_str_is(word, "body")) {
        *ret = s->in->body;
    } else if (ym_str_is(word, "body_hash")) {
        rc = ym_sign_digest(s, digest, s->in->body, &hex);
        *ret = ym_str_of(hex);
    } else {
        rc = ym_err_set(s->err, YM_EINVAL,
                        "sign.params.fields: there is no %.*s; use method, path, query, timestamp, "
                        "nonce, body, body_hash, key_id",
                        (int)word.n, word.p);
    }
    return rc;
}

static ym_status generic_text(struct ym_signing *s, const char *digest, const char *time,
                              struct ym_buf *b)
{
    const char *fields = ym_sign_param(s, "fields");
    const char *separator = ym_sign_param(s, "separator");
    bool first = true;

    fields = fields != NULL ? fields : "method path query timestamp nonce body";
    separator = separator != NULL ? separator : "\n";
    while (*fields != '\0') {
        size_t n = strcspn(fields, " ");
        struct ym_str part = YM_STR_NULL;

        if (n > 0) {
            ym_status rc = generic_word(s, digest, (struct ym_str){fields, n}, time, &part);

            if (rc != YM_OK) {
                return rc;
            }
            if (!first) {
                ym_buf_adds(b, separator);
            }
            first = false;
            if (part.n > 0) {
                ym_buf_add(b, part.p, part.n);
            }
        }
        fields += n + (fields[n] == ' ');
    }
    return b->failed;
}

static ym_status sign_generic(struct ym_signing *s, const char *digest)
{
    const char *key = NULL;
    const char *unit = ym_sign_param(s, "time");
    const char *encoding = ym_sign_param(s, "encoding");
    const char *id = ym_sign_param(s, "key_id");
    char *time = NULL, *sign = NULL;
    struct ym_buf b;
    ym_status rc;

    if ((rc = ym_sign_need(s, "key", &key)) != YM_OK ||
        (rc = ym_sign_now(s, unit == NULL || strcmp(unit, "ms") != 0, &time)) != YM_OK) {
        return rc;
    }
    ym_buf_init(&b, YM_SIGN_TEXT);
    rc = generic_text(s, digest, time, &b);
    if (rc == YM_OK) {
        rc = ym_sign_hmac(s, digest, key, ym_buf_str(&b), encoding != NULL ? encoding : "hex",
                          &sign);
    }
    ym_buf_wipe(&b);
    if (rc != YM_OK || (id != NULL && (rc = ym_sign_emit(s, "X-Key-Id", id)) != YM_OK) ||
        (rc = ym_sign_emit(s, "X-Timestamp", time)) != YM_OK ||
        (rc = ym_sign_emit(s, "X-Nonce", s->in->nonce != NULL ? s->in->nonce : "")) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "X-Signature", sign);
}

ym_status ym_sign_hmac_sha256(struct ym_signing *s)
{
    return sign_generic(s, "SHA256");
}

ym_status ym_sign_hmac_sm3(struct ym_signing *s)
{
    return sign_generic(s, "SM3");
}
