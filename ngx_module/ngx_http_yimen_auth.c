/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: taken from the header alone, verified by core, remembered by
 * their digest.
 *
 * The cache keeps what cryptography said and the claims, never a decision:
 * times are checked on every request.  It belongs to one worker process and
 * ends with it, so a reload with other keys starts empty.
 */
#include "ngx_http_yimen_auth.h"

#include "ym_codec.h"
#include "ym_time.h"

#include <openssl/evp.h>


/* entries, a power of two; the oldest of a short run gives way */
#define NGX_HTTP_YIMEN_TOKENS        4096
#define NGX_HTTP_YIMEN_TOKENS_PROBE  8

/* longest of each claim, bytes */
#define NGX_HTTP_YIMEN_SUBJECT_BYTES  255
#define NGX_HTTP_YIMEN_ORG_BYTES      100
#define NGX_HTTP_YIMEN_AREA_DIGITS    12


typedef struct {
    u_char       digest[YM_SHA256_LEN];
    int64_t      not_before;  /* ms, skew included */
    int64_t      expires;     /* ms, skew included; 0 = empty */
    uint64_t     used;        /* the clock of the cache */
    ngx_uint_t   roles;
    size_t       subject_len, org_len, area_len;
    char        *text;        /* subject, org, area in one piece; owned */
} ngx_http_yimen_token_t;

struct ngx_http_yimen_tokens_s {
    EVP_MD                  *sha256;
    uint64_t                 clock;
    ngx_http_yimen_token_t   slots[NGX_HTTP_YIMEN_TOKENS];
};


static ngx_int_t ngx_http_yimen_auth_token(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);
static ngx_int_t ngx_http_yimen_auth_verify(ngx_http_yimen_ctx_t *ctx,
    struct ym_str token, const u_char digest[YM_SHA256_LEN], int64_t now);
static ngx_int_t ngx_http_yimen_auth_claims(ngx_http_yimen_ctx_t *ctx,
    const json_t *claims);
static ngx_uint_t ngx_http_yimen_auth_roles(const json_t *roles);
static ngx_int_t ngx_http_yimen_auth_subject(struct ym_str subject);
static ngx_int_t ngx_http_yimen_auth_area(struct ym_str area);
static void ngx_http_yimen_auth_refuse(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *challenge, const char *reason);

static ngx_http_yimen_token_t *
    ngx_http_yimen_tokens_find(ngx_http_yimen_tokens_t *tokens,
    const u_char digest[YM_SHA256_LEN]);
static void ngx_http_yimen_tokens_keep(ngx_http_yimen_ctx_t *ctx,
    const u_char digest[YM_SHA256_LEN], const json_t *claims);


static const struct {
    const char  *name;
    ngx_uint_t   bit;
} ngx_http_yimen_roles[] = {
    { "staff", NGX_HTTP_YIMEN_ROLE_STAFF },
    { "supervisor", NGX_HTTP_YIMEN_ROLE_SUPERVISOR },
    { "operator", NGX_HTTP_YIMEN_ROLE_OPERATOR },
    { "auditor", NGX_HTTP_YIMEN_ROLE_AUDITOR },
    { "admin", NGX_HTTP_YIMEN_ROLE_ADMIN }
};


ngx_int_t
ngx_http_yimen_auth(ngx_http_yimen_ctx_t *ctx)
{
    u_char                    digest[YM_SHA256_LEN];
    int64_t                   now;
    struct ym_str             token, text;
    ngx_http_yimen_token_t   *kept;
    ngx_http_yimen_tokens_t  *tokens;

    if (ngx_http_yimen_auth_token(ctx, &token) != NGX_OK) {
        return NGX_DECLINED;
    }

    tokens = ngx_http_yimen_worker.tokens;

    if (EVP_Digest(token.p, token.n, digest, NULL, tokens->sha256, NULL)
        != 1)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_DECLINED;
    }

    now = ym_now_ms();
    kept = ngx_http_yimen_tokens_find(tokens, digest);

    if (kept == NULL) {
        ngx_http_yimen_count(token_misses);
        return ngx_http_yimen_auth_verify(ctx, token, digest, now);
    }

    ngx_http_yimen_count(token_hits);

    if (now >= kept->expires || now < kept->not_before) {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_BAD_TOKEN,
                                   "Bearer error=\"invalid_token\"",
                                   "the token has expired");
        return NGX_DECLINED;
    }

    kept->used = ++tokens->clock;

    text.p = kept->text;
    text.n = kept->subject_len + kept->org_len + kept->area_len;
    text = ngx_http_yimen_copy(ctx, text);

    if (text.p == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_DECLINED;
    }

    ctx->who.subject = (struct ym_str){ text.p, kept->subject_len };
    ctx->who.org = (struct ym_str){ text.p + kept->subject_len,
                                    kept->org_len };
    ctx->who.area = (struct ym_str){ text.p + kept->subject_len
                                     + kept->org_len, kept->area_len };
    ctx->who.roles = kept->roles;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_auth_token(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret)
{
    u_char           *p, *last;
    ngx_str_t         arg;
    ngx_table_elt_t  *h;

    /* one way of sending a token, and never in an address (RFC 6750 §2) */

    if (ngx_http_arg(ctx->request, (u_char *) "access_token",
                     sizeof("access_token") - 1, &arg)
        == NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "凭证只能放在 Authorization 请求头中",
                               "A token belongs into the Authorization "
                               "header only");
        return NGX_DECLINED;
    }

    h = ctx->request->headers_in.authorization;

    if (h == NULL) {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_UNAUTHORIZED,
                                   "Bearer realm=\"yimen\"", NULL);
        return NGX_DECLINED;
    }

    p = h->value.data;
    last = p + h->value.len;

    if (h->value.len <= sizeof("Bearer ") - 1
        || ngx_strncasecmp(p, (u_char *) "Bearer ", sizeof("Bearer ") - 1)
           != 0)
    {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_UNAUTHORIZED,
                                   "Bearer realm=\"yimen\"",
                                   "no bearer token");
        return NGX_DECLINED;
    }

    p += sizeof("Bearer ") - 1;

    while (p < last && *p == ' ') {
        p++;
    }

    ret->p = (char *) p;
    ret->n = (size_t) (last - p);

    if (ret->n > YM_JWT_BYTES) {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_BAD_TOKEN,
                                   "Bearer error=\"invalid_token\"",
                                   "the token is too long");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_auth_verify(ngx_http_yimen_ctx_t *ctx, struct ym_str token,
    const u_char digest[YM_SHA256_LEN], int64_t now)
{
    json_t                            *claims;
    struct ym_err                      err;
    const ngx_http_yimen_auth_conf_t  *auth;

    auth = &ctx->conf->auth;
    claims = NULL;

    if (ym_jwt_verify(token, auth->keys, &auth->rules, now, &claims, &err)
        != YM_OK)
    {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_BAD_TOKEN,
                                   "Bearer error=\"invalid_token\"",
                                   err.message);
        return NGX_DECLINED;
    }

    if (ngx_http_yimen_auth_claims(ctx, claims) != NGX_OK) {
        json_decref(claims);
        return NGX_DECLINED;
    }

    ngx_http_yimen_tokens_keep(ctx, digest, claims);
    json_decref(claims);

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_auth_claims(ngx_http_yimen_ctx_t *ctx, const json_t *claims)
{
    struct ym_str                      subject, org, area;
    const json_t                      *sub;
    ngx_http_yimen_identity_t         *who;
    const ngx_http_yimen_auth_conf_t  *auth;

    who = &ctx->who;
    auth = &ctx->conf->auth;

    sub = json_object_get(claims, "sub");
    subject = YM_STR_NULL;

    if (json_is_string(sub)) {
        subject.p = json_string_value(sub);
        subject.n = json_string_length(sub);
    }

    org = ym_str_of(ym_json_str(claims, auth->org_claim));
    area = ym_str_of(ym_json_str(claims, auth->area_claim));

    if (ngx_http_yimen_auth_subject(subject) != NGX_OK
        || org.n > NGX_HTTP_YIMEN_ORG_BYTES
        || ngx_http_yimen_auth_area(area) != NGX_OK)
    {
        ngx_http_yimen_auth_refuse(ctx, NGX_HTTP_YIMEN_P_BAD_TOKEN,
                                   "Bearer error=\"invalid_token\"",
                                   "sub, org or area is not acceptable");
        return NGX_DECLINED;
    }

    who->subject = ngx_http_yimen_copy(ctx, subject);
    who->org = ngx_http_yimen_copy(ctx, org);
    who->area = ngx_http_yimen_copy(ctx, area);
    who->roles = ngx_http_yimen_auth_roles(json_object_get(claims,
                                                         auth->roles_claim));

    if (who->subject.p == NULL || who->org.p == NULL || who->area.p == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* exact names; anything else is no role of ours */

static ngx_uint_t
ngx_http_yimen_auth_roles(const json_t *roles)
{
    size_t         i, n;
    ngx_uint_t     k, bits;
    const char    *name;
    const json_t  *item;

    bits = 0;
    n = json_is_array(roles) ? json_array_size(roles) : 1;

    for (i = 0; i < n; i++) {
        item = json_is_array(roles) ? json_array_get(roles, i) : roles;
        name = json_string_value(item);

        if (name == NULL) {
            continue;
        }

        for (k = 0; k < YM_COUNT(ngx_http_yimen_roles); k++) {
            if (ngx_strcmp(name, ngx_http_yimen_roles[k].name) == 0) {
                bits |= ngx_http_yimen_roles[k].bit;
            }
        }
    }

    return bits;
}


const char *
ngx_http_yimen_role_name(ngx_uint_t bit)
{
    ngx_uint_t  k;

    for (k = 0; k < YM_COUNT(ngx_http_yimen_roles); k++) {
        if (ngx_http_yimen_roles[k].bit == bit) {
            return ngx_http_yimen_roles[k].name;
        }
    }

    return NULL;
}


/*
 * A subject names an owner, goes into logs and is shown: no control character
 * (of ASCII or C1) and none that turns the direction of text.
 */
static ngx_int_t
ngx_http_yimen_auth_subject(struct ym_str subject)
{
    size_t   i;
    u_char   c, *p;

    if (subject.n == 0 || subject.n > NGX_HTTP_YIMEN_SUBJECT_BYTES) {
        return NGX_ERROR;
    }

    p = (u_char *) (uintptr_t) subject.p;

    for (i = 0; i < subject.n; i++) {
        c = p[i];

        if (c < 0x20 || c == 0x7f) {
            return NGX_ERROR;
        }

        if (c == 0xc2 && i + 1 < subject.n && p[i + 1] < 0xa0) {
            return NGX_ERROR;
        }

        /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */

        if (c == 0xe2 && i + 2 < subject.n
            && ((p[i + 1] == 0x80 && (p[i + 2] == 0x8e || p[i + 2] == 0x8f
                                      || (p[i + 2] >= 0xa8
                                          && p[i + 2] <= 0xae)))
                || (p[i + 1] == 0x81 && p[i + 2] >= 0xa6
                    && p[i + 2] <= 0xa9)))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_auth_area(struct ym_str area)
{
    size_t  i;

    if (area.n > NGX_HTTP_YIMEN_AREA_DIGITS) {
        return NGX_ERROR;
    }

    for (i = 0; i < area.n; i++) {
        if (area.p[i] < '0' || area.p[i] > '9') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* one answer outside, the reason in the log */

static void
ngx_http_yimen_auth_refuse(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_problem_e kind, const char *challenge, const char *reason)
{
    if (reason != NULL) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "event=auth.refused err=\"%s\"", reason);
    }

    (void) ngx_http_yimen_answer_header(ctx, "WWW-Authenticate",
                                        ym_str_of(challenge));
    ngx_http_yimen_problem(ctx, kind, NULL, NULL);
}


ngx_http_yimen_tokens_t *
ngx_http_yimen_tokens_open(ngx_log_t *log)
{
    ngx_http_yimen_tokens_t  *tokens;

    tokens = ngx_calloc(sizeof(ngx_http_yimen_tokens_t), log);
    if (tokens == NULL) {
        return NULL;
    }

    tokens->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);

    if (tokens->sha256 == NULL) {
        ngx_free(tokens);
        return NULL;
    }

    return tokens;
}


void
ngx_http_yimen_tokens_close(ngx_http_yimen_tokens_t *tokens)
{
    ngx_uint_t  i;

    if (tokens == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS; i++) {
        if (tokens->slots[i].text != NULL) {
            ngx_free(tokens->slots[i].text);
        }
    }

    EVP_MD_free(tokens->sha256);
    ngx_free(tokens);
}


static ngx_http_yimen_token_t *
ngx_http_yimen_tokens_find(ngx_http_yimen_tokens_t *tokens,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t                 start;
    ngx_uint_t               i;
    ngx_http_yimen_token_t  *slot;

    ngx_memcpy(&start, digest, sizeof(start));

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS_PROBE; i++) {
        slot = &tokens->slots[(start + i) % NGX_HTTP_YIMEN_TOKENS];

        if (slot->expires
            && ngx_memcmp(slot->digest, digest, YM_SHA256_LEN) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


/* milliseconds of a NumericDate that has been checked already */

static int64_t
ngx_http_yimen_tokens_date(const json_t *claims, const char *name,
    int64_t absent)
{
    const json_t  *date;

    date = json_object_get(claims, name);

    return (date == NULL) ? absent
                          : (int64_t) (json_number_value(date) * 1000.0);
}


static void
ngx_http_yimen_tokens_keep(ngx_http_yimen_ctx_t *ctx,
    const u_char digest[YM_SHA256_LEN], const json_t *claims)
{
    char                             *text;
    int64_t                           skew, nbf, iat;
    uint32_t                          start;
    ngx_uint_t                        i;
    ngx_http_yimen_token_t           *slot, *best;
    ngx_http_yimen_tokens_t          *tokens;
    const ngx_http_yimen_identity_t  *who;

    who = &ctx->who;
    tokens = ngx_http_yimen_worker.tokens;
    best = NULL;

    ngx_memcpy(&start, digest, sizeof(start));

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS_PROBE; i++) {
        slot = &tokens->slots[(start + i) % NGX_HTTP_YIMEN_TOKENS];

        if (best == NULL || slot->used < best->used) {
            best = slot;
        }
    }

    text = ngx_alloc(who->subject.n + who->org.n + who->area.n + 1,
                     ctx->request->connection->log);
    if (text == NULL) {
        return;
    }

    if (best->text != NULL) {
        ngx_free(best->text);
    }

    ngx_memcpy(text, who->subject.p, who->subject.n);
    ngx_memcpy(text + who->subject.n, who->org.p, who->org.n);
    ngx_memcpy(text + who->subject.n + who->org.n, who->area.p, who->area.n);

    skew = ctx->conf->auth.rules.skew_ms;
    nbf = ngx_http_yimen_tokens_date(claims, "nbf", 0);
    iat = ngx_http_yimen_tokens_date(claims, "iat", 0);

    ngx_memcpy(best->digest, digest, YM_SHA256_LEN);
    best->text = text;
    best->subject_len = who->subject.n;
    best->org_len = who->org.n;
    best->area_len = who->area.n;
    best->roles = who->roles;
    best->not_before = ngx_max(nbf, iat) - skew;
    best->expires = ngx_http_yimen_tokens_date(claims, "exp", 0) + skew;
    best->used = ++tokens->clock;
}
