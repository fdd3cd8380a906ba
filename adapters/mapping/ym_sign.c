/* SPDX-License-Identifier: Apache-2.0
 * The table of signing schemes, what they share, and the short ones (domain.md §3.1–3.4).
 */
#include "ym_sign_int.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

struct scheme {
    const char *name;
    ym_sign_fn run;
    const char *needs[6];     /* NULL-terminated */
    const char *optional[12]; /* NULL-terminated; `name.X` renames pair X in every scheme */
};

const char *ym_sign_param(const struct ym_signing *s, const char *name)
{
    const char *v = s->in->param != NULL ? s->in->param(s->in->data, name) : NULL;

    return v != NULL && *v != '\0' ? v : NULL;
}

ym_status ym_sign_need(struct ym_signing *s, const char *name, const char **ret)
{
    *ret = ym_sign_param(s, name);
    if (*ret == NULL) {
        return ym_err_set(s->err, YM_EINVAL,
                          "signing by %s needs the parameter %s; give it under sign.params",
                          s->scheme, name);
    }
    return YM_OK;
}

ym_status ym_sign_emit(struct ym_signing *s, const char *name, const char *value)
{
    char rename[96];
    const char *other;
    struct ym_pair *p;

    if (s->count >= s->max) {
        return ym_err_set(s->err, YM_ETOOBIG, "the scheme %s makes more values than fit",
                          s->scheme);
    }
    snprintf(rename, sizeof(rename), "name.%s", name);
    other = ym_sign_param(s, rename);
    p = &s->pairs[s->count];
    p->name = ym_arena_strz(s->a, other != NULL ? other : name);
    p->value = value != NULL ? ym_arena_strz(s->a, value) : NULL;
    if (p->name == NULL || p->value == NULL) {
        return ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    s->count++;
    return YM_OK;
}

ym_status ym_sign_digest(struct ym_signing *s, const char *digest, struct ym_str text, char **ret)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    size_t n = 0;
    char *hex;

    if (EVP_Q_digest(NULL, digest, NULL, text.p, text.n, md, &n) != 1) {
        return ym_err_set(s->err, YM_EIO, "the digest %s is not available", digest);
    }
    hex = ym_arena_alloc(s->a, 2 * n + 1);
    if (hex == NULL) {
        return ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    ym_hex(md, n, false, hex);
    *ret = hex;
    return YM_OK;
}

ym_status ym_sign_hmac(struct ym_signing *s, const char *digest, const char *key,
                       struct ym_str text, const char *encoding, char **ret)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    size_t n = 0;
    struct ym_buf b;
    ym_status rc;

    if (EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, key, strlen(key),
                  (const unsigned char *)(text.p != NULL ? text.p : ""), text.n, md, sizeof(md),
                  &n) == NULL) {
        return ym_err_set(s->err, YM_EIO, "HMAC with %s is not available", digest);
    }
    ym_buf_init(&b, 256);
    if (strcmp(encoding, "base64") == 0) {
        rc = ym_base64_add(&b, (struct ym_str){(const char *)md, n});
    } else {
        char hex[2 * EVP_MAX_MD_SIZE + 1];

        ym_hex(md, n, false, hex);
        rc = ym_buf_adds(&b, hex);
    }
    *ret = rc == YM_OK ? ym_arena_str(s->a, ym_buf_str(&b)) : NULL;
    ym_buf_clear(&b);
    ym_wipe(md, sizeof(md));
    return *ret != NULL ? YM_OK : ym_err_set(s->err, YM_ENOMEM, "out of memory");
}

ym_status ym_sign_now(struct ym_signing *s, bool seconds, char **ret)
{
    *ret =
        ym_arena_printf(s->a, "%lld", (long long)(seconds ? s->in->now_ms / 1000 : s->in->now_ms));
    return *ret != NULL ? YM_OK : ym_err_set(s->err, YM_ENOMEM, "out of memory");
}

/* Digest of up to seven parts glued together; the glued text holds a secret and is wiped. */
static ym_status digest_of(struct ym_signing *s, const char *digest, const char *const *parts,
                           char **ret)
{
    struct ym_buf b;
    ym_status rc;

    ym_buf_init(&b, YM_SIGN_TEXT);
    for (; *parts != NULL; parts++) {
        ym_buf_adds(&b, *parts);
    }
    rc = b.failed;
    if (rc == YM_OK) {
        rc = ym_sign_digest(s, digest, ym_buf_str(&b), ret);
    } else {
        ym_err_set(s->err, rc, "the text to sign is too long");
    }
    ym_buf_wipe(&b);
    return rc;
}

/* §3.1: MD5(appKey + secret + requestTime); the same for all three steps, the secret differs. */
static ym_status sign_irs(struct ym_signing *s)
{
    const char *key = NULL, *secret = NULL;
    char *time = NULL, *sign = NULL;
    ym_status rc;

    if ((rc = ym_sign_need(s, "appKey", &key)) != YM_OK ||
        (rc = ym_sign_need(s, "secret", &secret)) != YM_OK ||
        (rc = ym_sign_now(s, false, &time)) != YM_OK ||
        (rc = digest_of(s, "MD5", (const char *const[]){key, secret, time, NULL}, &sign)) !=
            YM_OK ||
        (rc = ym_sign_emit(s, "appKey", key)) != YM_OK ||
        (rc = ym_sign_emit(s, "sign", sign)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "requestTime", time);
}

/* §3.1, sister call: MD5(apiName + requestTime), and the nested signature when a key is given. */
static ym_status sign_link_do(struct ym_signing *s)
{
    const char *api = NULL, *secret = NULL;
    const char *key = ym_sign_param(s, "appKey");
    char *time = NULL, *sign = NULL;
    ym_status rc;

    if ((rc = ym_sign_need(s, "apiName", &api)) != YM_OK ||
        (rc = ym_sign_now(s, false, &time)) != YM_OK ||
        (rc = digest_of(s, "MD5", (const char *const[]){api, time, NULL}, &sign)) != YM_OK ||
        (rc = ym_sign_emit(s, "requestTime", time)) != YM_OK ||
        (rc = ym_sign_emit(s, "sign", sign)) != YM_OK || key == NULL) {
        return rc;
    }
    if ((rc = ym_sign_need(s, "secret", &secret)) != YM_OK ||
        (rc = digest_of(s, "MD5", (const char *const[]){key, secret, time, NULL}, &sign)) !=
            YM_OK ||
        (rc = ym_sign_emit(s, "zj_ggsjpt_app_key", key)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "zj_ggsjpt_sign", sign);
}

/* Some networks write x-rio- for x-tif-: the prefix is a parameter. */
static ym_status tif_emit(struct ym_signing *s, const char *name, const char *value)
{
    const char *prefix = ym_sign_param(s, "prefix");
    const char *full = ym_arena_printf(s->a, "%s%s", prefix != NULL ? prefix : "x-tif-", name);

    return full != NULL ? ym_sign_emit(s, full, value)
                        : ym_err_set(s->err, YM_ENOMEM, "out of memory");
}

/* The string of the inbound form: "," uid "," uinfo "," ext before the closing timestamp. */
static ym_status tif_digest(struct ym_signing *s, const char *time, const char *token, char **ret)
{
    const char *uid = ym_sign_param(s, "uid");
    const char *uinfo = ym_sign_param(s, "uinfo");
    const char *ext = ym_sign_param(s, "ext");
    const char *nonce = s->in->nonce != NULL ? s->in->nonce : "";
    const char *const out[] = {time, token, nonce, time, NULL};
    const char *const in[] = {
        time, token, nonce, ",", uid, ",", uinfo != NULL ? uinfo : "", ",", ext != NULL ? ext : "",
        time, NULL};

    return digest_of(s, "SHA256", uid != NULL ? in : out, ret);
}

/* §3.2 */
static ym_status sign_tif(struct ym_signing *s)
{
    const char *paasid = NULL, *token = NULL;
    const char *service = ym_sign_param(s, "serviceId");
    const char *letters = ym_sign_param(s, "case");
    char *time = NULL, *sign = NULL;
    ym_status rc;

    if ((rc = ym_sign_need(s, "paasid", &paasid)) != YM_OK ||
        (rc = ym_sign_need(s, "token", &token)) != YM_OK ||
        (rc = ym_sign_now(s, true, &time)) != YM_OK ||
        (rc = tif_digest(s, time, token, &sign)) != YM_OK) {
        return rc;
    }
    for (char *c = sign; letters != NULL && strcmp(letters, "upper") == 0 && *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    }
    if ((rc = tif_emit(s, "paasid", paasid)) != YM_OK ||
        (rc = tif_emit(s, "timestamp", time)) != YM_OK ||
        (rc = tif_emit(s, "nonce", s->in->nonce != NULL ? s->in->nonce : "")) != YM_OK ||
        (rc = tif_emit(s, "signature", sign)) != YM_OK || service == NULL) {
        return rc;
    }
    return tif_emit(s, "serviceId", service);
}

/* §3.3: Base64(HMAC-SHA256(secret, sid + rid + rtime)) */
static ym_status sign_gjgxjhpt(struct ym_signing *s)
{
    const char *secret = NULL, *sid = NULL, *rid = NULL;
    char *time = NULL, *sign = NULL, *text;
    ym_status rc;

    if ((rc = ym_sign_need(s, "secret", &secret)) != YM_OK ||
        (rc = ym_sign_need(s, "sid", &sid)) != YM_OK ||
        (rc = ym_sign_need(s, "rid", &rid)) != YM_OK ||
        (rc = ym_sign_now(s, false, &time)) != YM_OK) {
        return rc;
    }
    text = ym_arena_printf(s->a, "%s%s%s", sid, rid, time);
    if (text == NULL) {
        return ym_err_set(s->err, YM_ENOMEM, "out of memory");
    }
    if ((rc = ym_sign_hmac(s, "SHA256", secret, ym_str_of(text), "base64", &sign)) != YM_OK ||
        (rc = ym_sign_emit(s, "gjgxjhpt_rid", rid)) != YM_OK ||
        (rc = ym_sign_emit(s, "gjgxjhpt_sid", sid)) != YM_OK ||
        (rc = ym_sign_emit(s, "gjgxjhpt_rtime", time)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "gjgxjhpt_sign", sign);
}

/* §3.4, layer 2: MD5(servicecode + servicepwd + time), time local */
static ym_status sign_ticket(struct ym_signing *s)
{
    const char *code = NULL, *secret = NULL;
    char time[YM_TIME_TEXT];
    char *sign = NULL;
    ym_status rc;

    ym_time_format(s->in->now_ms, YM_TIME_DATETIME14, s->in->offset_min, time);
    if ((rc = ym_sign_need(s, "servicecode", &code)) != YM_OK ||
        (rc = ym_sign_need(s, "secret", &secret)) != YM_OK ||
        (rc = digest_of(s, "MD5", (const char *const[]){code, secret, time, NULL}, &sign)) !=
            YM_OK ||
        (rc = ym_sign_emit(s, "servicecode", code)) != YM_OK ||
        (rc = ym_sign_emit(s, "time", time)) != YM_OK) {
        return rc;
    }
    return ym_sign_emit(s, "sign", sign);
}

static const struct scheme schemes[] = {
    {"irs_md5", sign_irs, {"appKey", "secret"}, {NULL}},
    {"link_do", sign_link_do, {"apiName"}, {"appKey", "secret"}},
    {"tif_sha256",
     sign_tif,
     {"paasid", "token"},
     {"serviceId", "prefix", "case", "uid", "uinfo", "ext"}},
    {"gjgxjhpt_hmac", sign_gjgxjhpt, {"secret", "sid", "rid"}, {NULL}},
    {"bg_hmac", ym_sign_bg, {"appKey", "secret"}, {"plus"}},
    {"zwdd_hmac", ym_sign_zwdd, {"appKey", "secret"}, {"ip", "mac"}},
    {"ticket_md5", sign_ticket, {"servicecode", "secret"}, {NULL}},
    {"hmac_sha256",
     ym_sign_hmac_sha256,
     {"key"},
     {"key_id", "fields", "separator", "encoding", "time"}},
    {"hmac_sm3", ym_sign_hmac_sm3, {"key"}, {"key_id", "fields", "separator", "encoding", "time"}},
    {"sm_envelope",
     ym_sign_sm_envelope,
     {"appCode", "sm4_key", "sm2_key"},
     {"sm4_iv", "signature", "signed", "version", "distid"}},
};

const char *const ym_sign_schemes[] = {
    "irs_md5",    "link_do",     "tif_sha256", "gjgxjhpt_hmac", "bg_hmac", "zwdd_hmac",
    "ticket_md5", "hmac_sha256", "hmac_sm3",   "sm_envelope",   NULL,
};

static const struct scheme *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < YM_COUNT(schemes); i++) {
        if (strcmp(schemes[i].name, name) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

const char *const *ym_sign_params(const char *scheme)
{
    const struct scheme *s = find(scheme);

    return s != NULL ? s->needs : NULL;
}

const char *const *ym_sign_optional(const char *scheme)
{
    const struct scheme *s = find(scheme);

    return s != NULL ? s->optional : NULL;
}

ym_status ym_sign(const char *scheme, const struct ym_sign_input *in, struct ym_arena *a,
                  struct ym_pair *ret_pairs, size_t max_pairs, size_t *ret_count,
                  struct ym_err *err)
{
    const struct scheme *s = find(scheme);
    struct ym_signing job = {in, scheme, a, ret_pairs, max_pairs, 0, err};
    ym_status rc;

    if (s == NULL) {
        return ym_err_set(err, YM_EUNSUPPORTED, "there is no signing scheme %s",
                          scheme != NULL ? scheme : "(none)");
    }
    rc = s->run(&job);
    if (rc == YM_OK) {
        *ret_count = job.count;
    }
    return rc;
}

bool ym_sign_hex_equal(struct ym_str a, struct ym_str b)
{
    unsigned different = a.n != b.n;

    for (size_t i = 0; i < a.n && i < b.n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

        x = (unsigned char)(x >= 'A' && x <= 'F' ? x + 32 : x);
        y = (unsigned char)(y >= 'A' && y <= 'F' ? y + 32 : y);
        different |= (unsigned)(x ^ y);
    }
    return different == 0 && a.n > 0;
}
