/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: taken from the header alone, verified by core, remembered by
 * their digest (ngx_http_yimen_tokens.h).
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_limit.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_tokens.h"

#include "ym_codec.h"
#include "ym_time.h"


/* longest of each claim, bytes */
#define NGX_HTTP_YIMEN_ORG_BYTES      100
#define NGX_HTTP_YIMEN_AREA_DIGITS    12
#define NGX_HTTP_YIMEN_CLAIM_BYTES    255

#define NGX_HTTP_YIMEN_INVALID_TOKEN  "Bearer error=\"invalid_token\""


static ngx_int_t ngx_http_yimen_bearer_token(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, struct ym_str *ret);
static void ngx_http_yimen_bearer_verify(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, struct ym_str token,
    const u_char digest[YM_SHA256_LEN], int64_t now);
static ngx_int_t ngx_http_yimen_bearer_check(ngx_http_request_t *r,
    ngx_http_yimen_main_conf_t *ymcf, struct ym_str token, int64_t now,
    json_t **ret_claims, struct ym_str *texts, ngx_uint_t *ret_roles,
    struct ym_err *err);
static ngx_int_t ngx_http_yimen_bearer_foreign(ngx_http_request_t *r,
    const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_login_t *login, const json_t *claims,
    struct ym_str *texts);
static struct ym_str ngx_http_yimen_bearer_client(const json_t *claims);
static ngx_int_t ngx_http_yimen_bearer_claims(
    const ngx_http_yimen_main_conf_t *ymcf, const json_t *claims,
    struct ym_str texts[NGX_HTTP_YIMEN_T_COUNT]);
static ngx_int_t ngx_http_yimen_bearer_known(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, const struct ym_str *texts, ngx_uint_t roles,
    int64_t auth_time);
static struct ym_str ngx_http_yimen_bearer_claim(const json_t *claims,
    const char *name, size_t max);
static ngx_uint_t ngx_http_yimen_bearer_revoked(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, const ngx_http_yimen_marks_t *marks);
static ngx_uint_t ngx_http_yimen_auth_roles(const json_t *roles);
static ngx_uint_t ngx_http_yimen_auth_clean(struct ym_str text);
static ngx_int_t ngx_http_yimen_auth_area(struct ym_str area);
static void ngx_http_yimen_bearer_refuse(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, ngx_http_yimen_who_e verdict,
    const char *challenge, const char *reason);


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
ngx_http_yimen_bearer(ngx_http_request_t *r, ngx_http_yimen_who_t *who)
{
    u_char                    digest[YM_SHA256_LEN];
    int64_t                   now;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const char               *p;
    struct ym_str             token, texts[NGX_HTTP_YIMEN_T_COUNT];
    ngx_http_yimen_token_t   *kept;
    ngx_http_yimen_tokens_t  *tokens;

    rc = ngx_http_yimen_bearer_token(r, who, &token);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_DECLINED : NGX_OK;
    }

    tokens = ngx_http_yimen_worker.tokens;

    if (ym_sha256(token, digest) != YM_OK) {
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
        return NGX_OK;
    }

    now = ym_now_ms();
    kept = ngx_http_yimen_tokens_find(tokens, digest);

    if (kept == NULL) {
        ngx_http_yimen_count(token_misses);
        ngx_http_yimen_bearer_verify(r, who, token, digest, now);
        return NGX_OK;
    }

    ngx_http_yimen_count(token_hits);

    if (now >= kept->expires || now < kept->not_before) {
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     "the token has expired");
        return NGX_OK;
    }

    if (ngx_http_yimen_bearer_revoked(r, who, &kept->marks)) {
        return NGX_OK;
    }

    kept->used = ++tokens->clock;
    p = kept->text;

    for (i = 0; i < NGX_HTTP_YIMEN_T_COUNT; i++) {
        texts[i] = (struct ym_str){ p, kept->len[i] };
        p += kept->len[i];
    }

    if (ngx_http_yimen_bearer_known(r, who, texts, kept->roles,
                                    kept->auth_time)
        != NGX_OK)
    {
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
    }

    who->identity.expires = kept->expires;

    return NGX_OK;
}


/* NGX_DECLINED: there is none; NGX_ERROR: refused, the verdict says so */

static ngx_int_t
ngx_http_yimen_bearer_token(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    struct ym_str *ret)
{
    u_char           *p, *last;
    ngx_str_t         arg;
    ngx_uint_t        query;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h != NULL
        && (h->value.len < sizeof("Bearer") - 1
            || ngx_strncasecmp(h->value.data, (u_char *) "Bearer",
                               sizeof("Bearer") - 1)
               != 0))
    {
        /* Basic and the like are for whoever is behind us */

        h = NULL;
    }

    query = (ngx_http_arg(r, (u_char *) "access_token",
                          sizeof("access_token") - 1, &arg)
             == NGX_OK);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    /* one way of sending a token, and never in an address (RFC 6750 §2) */

    if (query) {
        who->verdict = NGX_HTTP_YIMEN_WHO_BAD_REQUEST;
        return NGX_ERROR;
    }

    p = h->value.data + sizeof("Bearer") - 1;
    last = h->value.data + h->value.len;

    if (p == last || *p != ' ') {
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     "no bearer token");
        return NGX_ERROR;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    ret->p = (char *) p;
    ret->n = (size_t) (last - p);

    if (ret->n > YM_JWT_BYTES) {
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     "the token is too long");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_yimen_bearer_verify(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    struct ym_str token, const u_char digest[YM_SHA256_LEN], int64_t now)
{
    json_t                            *claims;
    ngx_uint_t                         roles;
    struct ym_err                      err;
    struct ym_str                      texts[NGX_HTTP_YIMEN_T_COUNT];
    ngx_http_yimen_marks_t             marks;
    ngx_int_t                          rc;
    ngx_http_yimen_main_conf_t        *ymcf;
    ngx_http_yimen_bad_token_t        *bad;

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    claims = NULL;

    if (ngx_http_yimen_limit_guess(r, &who->after) != NGX_OK) {
        who->verdict = NGX_HTTP_YIMEN_WHO_BUSY;
        return;
    }

    bad = ngx_http_yimen_tokens_bad(ngx_http_yimen_worker.tokens, digest);

    if (now < bad->until
        && ngx_memcmp(bad->digest, digest, YM_SHA256_LEN) == 0)
    {
        ngx_http_yimen_limit_wrong(r);
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     "the token was refused just now");
        return;
    }

    rc = ngx_http_yimen_bearer_check(r, ymcf, token, now, &claims, texts,
                                     &roles, &err);

    if (rc == NGX_AGAIN) {
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
        return;
    }

    if (rc != NGX_OK) {

        /* with keys that are on their way it may hold */

        if (rc != NGX_BUSY) {
            ngx_memcpy(bad->digest, digest, YM_SHA256_LEN);
            bad->until = now + NGX_HTTP_YIMEN_TOKENS_AGAIN;
        }

        ngx_http_yimen_limit_wrong(r);
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     err.message);
        json_decref(claims);
        return;
    }

    if (ngx_http_yimen_revoked_marks(ymcf, claims, &marks) != NGX_OK) {
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;

    } else if (ngx_http_yimen_bearer_revoked(r, who, &marks)) {

        /* it says so itself */

    } else if (ngx_http_yimen_bearer_known(r, who, texts, roles,
                                    ngx_http_yimen_tokens_date(claims,
                                                            "auth_time", 0))
               != NGX_OK)
    {
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;

    } else {
        who->identity.expires = ngx_http_yimen_tokens_date(claims, "exp", 0)
                                + ymcf->auth.rules.skew_ms;
        ngx_http_yimen_tokens_keep(r, digest, claims, texts, roles, &marks);
    }

    json_decref(claims);
}


/*
 * By the configured keys, or by those of the provider that it names.  NGX_OK
 * with claims, texts and roles; NGX_AGAIN: keys are being fetched, nothing can
 * be said; else refused, err says why, NGX_BUSY as the provider's part gives.
 */
static ngx_int_t
ngx_http_yimen_bearer_check(ngx_http_request_t *r,
    ngx_http_yimen_main_conf_t *ymcf, struct ym_str token, int64_t now,
    json_t **ret_claims, struct ym_str *texts, ngx_uint_t *ret_roles,
    struct ym_err *err)
{
    ngx_int_t               rc;
    ngx_http_yimen_login_t  login;

    rc = ngx_http_yimen_oidc_bearer(ymcf, token, now, ret_claims, &login,
                                    err);

    if (rc == NGX_DECLINED) {

        if (ym_jwt_verify(token, ymcf->auth.keys, &ymcf->auth.rules, now,
                          ret_claims, err)
            != YM_OK)
        {
            return NGX_ERROR;
        }

        *ret_roles = ngx_http_yimen_auth_roles(json_object_get(*ret_claims,
                                                     ymcf->auth.roles_claim));
        rc = ngx_http_yimen_bearer_claims(ymcf, *ret_claims, texts);

    } else if (rc == NGX_OK) {
        *ret_roles = login.roles;
        rc = ngx_http_yimen_bearer_foreign(r, ymcf, &login, *ret_claims,
                                           texts);

    } else {
        return rc;
    }

    if (rc != NGX_OK) {
        (void) ym_err_set(err, YM_EAUTH,
                          "sub, org or area is not acceptable");
    }

    return rc;
}


static ngx_int_t
ngx_http_yimen_bearer_foreign(ngx_http_request_t *r,
    const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_login_t *login, const json_t *claims,
    struct ym_str *texts)
{
    texts[NGX_HTTP_YIMEN_T_ORG] = login->org;
    texts[NGX_HTTP_YIMEN_T_AREA] = login->area;
    texts[NGX_HTTP_YIMEN_T_LOGIN] = login->login;
    texts[NGX_HTTP_YIMEN_T_NAME] = login->name;
    texts[NGX_HTTP_YIMEN_T_EMAIL] = login->email;
    texts[NGX_HTTP_YIMEN_T_CLIENT] = ngx_http_yimen_bearer_client(claims);
    texts[NGX_HTTP_YIMEN_T_ISSUER] = login->issuer;
    texts[NGX_HTTP_YIMEN_T_PROVIDER] = login->provider;

    return ngx_http_yimen_person(ymcf, r->pool, login->provider,
                                 login->issuer, login->subject,
                                 &texts[NGX_HTTP_YIMEN_T_SUBJECT]);
}


/* 1: the verdict says so; else the marks stay with the request */

static ngx_uint_t
ngx_http_yimen_bearer_revoked(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, const ngx_http_yimen_marks_t *marks)
{
    ngx_http_yimen_marks_t  *copy;

    switch (ngx_http_yimen_revoked(marks)) {

    case NGX_HTTP_YIMEN_TOKEN_REVOKED:
        ngx_http_yimen_bearer_refuse(r, who, NGX_HTTP_YIMEN_WHO_BAD_TOKEN,
                                     NGX_HTTP_YIMEN_INVALID_TOKEN,
                                     "the token was revoked");
        return 1;

    case NGX_HTTP_YIMEN_TOKEN_UNKNOWN:
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
        return 1;

    default:
        break;
    }

    /* a socket that is opened with it asks again */

    if (r->headers_in.upgrade != NULL) {
        copy = ngx_palloc(r->pool, sizeof(ngx_http_yimen_marks_t));

        if (copy == NULL) {
            who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
            return 1;
        }

        *copy = *marks;
        who->identity.marks = copy;
    }

    return 0;
}


static ngx_int_t
ngx_http_yimen_bearer_claims(const ngx_http_yimen_main_conf_t *ymcf,
    const json_t *claims, struct ym_str texts[NGX_HTTP_YIMEN_T_COUNT])
{
    const json_t                      *sub;
    const ngx_http_yimen_auth_conf_t  *auth;

    auth = &ymcf->auth;
    sub = json_object_get(claims, "sub");

    texts[NGX_HTTP_YIMEN_T_SUBJECT] = (struct ym_str){
        json_string_value(sub), json_string_length(sub)
    };

    texts[NGX_HTTP_YIMEN_T_ORG] = ym_str_of(ym_json_str(claims,
                                                        auth->org_claim));
    texts[NGX_HTTP_YIMEN_T_AREA] = ym_str_of(ym_json_str(claims,
                                                         auth->area_claim));

    /* these decide nothing: what is not fit to be shown is left out */

    texts[NGX_HTTP_YIMEN_T_LOGIN] = ngx_http_yimen_bearer_claim(claims,
                            "preferred_username", NGX_HTTP_YIMEN_CLAIM_BYTES);
    texts[NGX_HTTP_YIMEN_T_NAME] = ngx_http_yimen_bearer_claim(claims, "name",
                                                  NGX_HTTP_YIMEN_CLAIM_BYTES);
    texts[NGX_HTTP_YIMEN_T_EMAIL] = ngx_http_yimen_bearer_claim(claims,
                                         "email", NGX_HTTP_YIMEN_CLAIM_BYTES);

    texts[NGX_HTTP_YIMEN_T_CLIENT] = ngx_http_yimen_bearer_client(claims);
    texts[NGX_HTTP_YIMEN_T_ISSUER] = ym_str_of(auth->rules.issuer);
    texts[NGX_HTTP_YIMEN_T_PROVIDER] = YM_STR("");

    if (ngx_http_yimen_auth_subject(ymcf, texts[NGX_HTTP_YIMEN_T_SUBJECT], 1)
        != NGX_OK
        || texts[NGX_HTTP_YIMEN_T_ORG].n > NGX_HTTP_YIMEN_ORG_BYTES
        || ngx_http_yimen_auth_area(texts[NGX_HTTP_YIMEN_T_AREA]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* RFC 9068 says client_id, OpenID Connect azp */

static struct ym_str
ngx_http_yimen_bearer_client(const json_t *claims)
{
    struct ym_str  client;

    client = ngx_http_yimen_bearer_claim(claims, "client_id",
                                         NGX_HTTP_YIMEN_CLAIM_BYTES);
    if (client.n == 0) {
        client = ngx_http_yimen_bearer_claim(claims, "azp",
                                             NGX_HTTP_YIMEN_CLAIM_BYTES);
    }

    return client;
}


static struct ym_str
ngx_http_yimen_bearer_claim(const json_t *claims, const char *name,
    size_t max)
{
    struct ym_str  text;

    text = ym_str_of(ym_json_str(claims, name));

    return (text.n <= max && ngx_http_yimen_auth_clean(text)) ? text
                                                              : YM_STR("");
}


/* the texts copied: what they stand in may go before the request does */

static ngx_int_t
ngx_http_yimen_bearer_known(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    const struct ym_str *texts, ngx_uint_t roles, int64_t auth_time)
{
    char                        *p;
    size_t                       n;
    ngx_uint_t                   i;
    struct ym_str                copy[NGX_HTTP_YIMEN_T_COUNT];
    ngx_http_yimen_identity_t   *id;

    n = 0;

    for (i = 0; i < NGX_HTTP_YIMEN_T_COUNT; i++) {
        n += texts[i].n + 1;
    }

    p = ngx_pnalloc(r->pool, n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_YIMEN_T_COUNT; i++) {
        if (texts[i].n) {
            ngx_memcpy(p, texts[i].p, texts[i].n);
        }

        copy[i] = (struct ym_str){ p, texts[i].n };
        p[texts[i].n] = '\0';
        p += texts[i].n + 1;
    }

    id = &who->identity;

    id->subject = copy[NGX_HTTP_YIMEN_T_SUBJECT];
    id->org = copy[NGX_HTTP_YIMEN_T_ORG];
    id->area = copy[NGX_HTTP_YIMEN_T_AREA];
    id->login = copy[NGX_HTTP_YIMEN_T_LOGIN];
    id->name = copy[NGX_HTTP_YIMEN_T_NAME];
    id->email = copy[NGX_HTTP_YIMEN_T_EMAIL];
    id->client = copy[NGX_HTTP_YIMEN_T_CLIENT];
    id->roles = roles;
    id->auth_time = auth_time;
    id->issuer = copy[NGX_HTTP_YIMEN_T_ISSUER];
    id->provider = copy[NGX_HTTP_YIMEN_T_PROVIDER];
    id->session = YM_STR("");
    id->method = NGX_HTTP_YIMEN_BY_BEARER;

    who->verdict = NGX_HTTP_YIMEN_WHO_KNOWN;

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


ngx_int_t
ngx_http_yimen_auth_subject(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject, ngx_uint_t own)
{
    size_t                          n;
    ngx_uint_t                      i;
    const ngx_http_yimen_issuer_t  *known;

    if (subject.n == 0 || subject.n > NGX_HTTP_YIMEN_SUBJECT_BYTES
        || !ngx_http_yimen_auth_clean(subject))
    {
        return NGX_ERROR;
    }

    if (!own) {
        return NGX_OK;
    }

    if (subject.n > 6 && ngx_strncmp(subject.p, "local:", 6) == 0) {
        return NGX_ERROR;
    }

    known = ymcf->auth.issuers.elts;

    for (i = 0; i < ymcf->auth.issuers.nelts; i++) {
        n = ngx_strlen(known[i].id);

        if (subject.n > n && subject.p[n] == ':'
            && ngx_strncmp(subject.p, known[i].id, n) == 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A text goes into logs and headers and is shown: no control character (of
 * ASCII or C1) and none that turns the direction of text.
 */
static ngx_uint_t
ngx_http_yimen_auth_clean(struct ym_str text)
{
    size_t   i;
    u_char   c, *p;

    p = (u_char *) (uintptr_t) text.p;

    for (i = 0; i < text.n; i++) {
        c = p[i];

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }

        if (c == 0xc2 && i + 1 < text.n && p[i + 1] < 0xa0) {
            return 0;
        }

        /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */

        if (c == 0xe2 && i + 2 < text.n
            && ((p[i + 1] == 0x80 && (p[i + 2] == 0x8e || p[i + 2] == 0x8f
                                      || (p[i + 2] >= 0xa8
                                          && p[i + 2] <= 0xae)))
                || (p[i + 1] == 0x81 && p[i + 2] >= 0xa6
                    && p[i + 2] <= 0xa9)))
        {
            return 0;
        }
    }

    return 1;
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
ngx_http_yimen_bearer_refuse(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    ngx_http_yimen_who_e verdict, const char *challenge, const char *reason)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "event=auth.refused err=\"%s\"", reason);

    who->verdict = verdict;
    who->challenge = challenge;
}
