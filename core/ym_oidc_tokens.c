/* SPDX-License-Identifier: Apache-2.0
 * OpenID Connect: answers of the token and userinfo endpoints, ID tokens, logout tokens, claims.
 */
#include "ym_oidc.h"
#include "ym_codec.h"

#include <ctype.h>
#include <math.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <strings.h>

#define EXPIRES_IN_MAX (10LL * 366 * 24 * 3600) /* seconds; longer is nonsense */
#define IAT_AGE_MS (10LL * 60 * 1000)           /* an ID token is fresh when it comes */
#define LOGOUT_AGE_MS (5LL * 60 * 1000)
#define EVENT "http://schemas.openid.net/event/backchannel-logout"

/* ---- shapes ---- */

/* A JSON object by its media type; parameters such as charset may follow. */
static bool type_is_json(struct ym_str type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;
    return type.n >= n && strncasecmp(type.p, json, n) == 0 &&
           (type.n == n || type.p[n] == ';' || type.p[n] == ' ');
}

static ym_status object_parse(struct ym_str type, struct ym_str body, size_t max, json_t **ret,
                              struct ym_err *err)
{
    const struct ym_json_limits limits = {max, 16, 5000};
    json_t *doc = NULL;
    if (!type_is_json(type)) {
        return ym_err_set(err, YM_EINVAL, "the answer is no application/json");
    }
    ym_status rc = ym_json_parse(body, &limits, &doc, err);
    if (rc == YM_OK && !json_is_object(doc)) {
        json_decref(doc);
        return ym_err_set(err, YM_EINVAL, "the answer is no JSON object");
    }
    *ret = doc;
    return rc;
}

/* Visible ASCII without blanks, as tokens are. */
static bool token_ok(const json_t *v)
{
    size_t n = json_string_length(v);
    const char *p = json_string_value(v);
    if (p == NULL || n == 0 || n > YM_OIDC_TOKEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] <= 0x20 || p[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* 1: there and a valid NumericDate, 0: absent, −1: anything else. */
static int date(const json_t *claims, const char *name, int64_t *ret_ms)
{
    const json_t *v = json_object_get(claims, name);
    if (v == NULL) {
        return 0;
    }
    double s = json_is_number(v) ? json_number_value(v) : -1.0;
    if (!isfinite(s) || s < 0.0 || s > 253402300799.0) {
        return -1;
    }
    *ret_ms = (int64_t)(s * 1000.0);
    return 1;
}

/* ---- the token endpoint ---- */

static void error_take(const json_t *doc, char out[YM_OIDC_ERROR_MAX + 1])
{
    const char *error = ym_json_str(doc, "error");
    size_t n = error != NULL ? strlen(error) : 0;
    bool ok = n > 0 && n <= YM_OIDC_ERROR_MAX;
    for (size_t i = 0; ok && i < n; i++) {
        ok = isalnum((unsigned char)error[i]) || error[i] == '_' || error[i] == '-';
    }
    if (ok) {
        memcpy(out, error, n + 1);
    } else {
        memcpy(out, "unnamed", sizeof("unnamed"));
    }
}

static bool expires_take(const json_t *doc, int64_t *ret_ms)
{
    const json_t *v = json_object_get(doc, "expires_in");
    *ret_ms = 0;
    if (v == NULL) {
        return true;
    }
    if (!json_is_integer(v) || json_integer_value(v) <= 0 ||
        json_integer_value(v) > EXPIRES_IN_MAX) {
        return false;
    }
    *ret_ms = (int64_t)json_integer_value(v) * 1000;
    return true;
}

/* *ret stays NULL when it is absent; false when it is there and no token. */
static bool optional_token(const json_t *doc, const char *name, struct ym_arena *a,
                           const char **ret, ym_status *rc)
{
    const json_t *v = json_object_get(doc, name);
    if (v == NULL) {
        return true;
    }
    if (!token_ok(v)) {
        return false;
    }
    *ret = ym_arena_strz(a, json_string_value(v));
    if (*ret == NULL) {
        *rc = YM_ENOMEM;
    }
    return true;
}

static ym_status tokens_take(const json_t *doc, struct ym_arena *a, struct ym_oidc_tokens *ret,
                             struct ym_err *err)
{
    ym_status rc = YM_OK;
    const char *type = ym_json_str(doc, "token_type");
    if (json_object_get(doc, "error") != NULL) {
        return ym_err_set(err, YM_EINVAL, "the answer has tokens and an error");
    }
    if (json_object_get(doc, "access_token") == NULL || type == NULL ||
        strcasecmp(type, "Bearer") != 0) {
        return ym_err_set(err, YM_EINVAL, "the answer has no access token of type Bearer");
    }
    if (!optional_token(doc, "access_token", a, &ret->access_token, &rc) ||
        !optional_token(doc, "id_token", a, &ret->id_token, &rc) ||
        !optional_token(doc, "refresh_token", a, &ret->refresh_token, &rc)) {
        return ym_err_set(err, YM_EINVAL, "a token of the answer is malformed");
    }
    if (!expires_take(doc, &ret->expires_in_ms)) {
        return ym_err_set(err, YM_EINVAL, "the answer's expires_in is no number of seconds");
    }
    return rc == YM_OK ? YM_OK : ym_err_set(err, rc, "out of memory");
}

ym_status ym_oidc_tokens(unsigned status, struct ym_str type, struct ym_str body,
                         struct ym_arena *a, struct ym_oidc_tokens *ret, struct ym_err *err)
{
    json_t *doc = NULL;
    memset(ret, 0, sizeof(*ret));
    if (status != 200 && status != 400 && status != 401) {
        return ym_err_set(err, YM_EINVAL, "the token endpoint answered %u", status);
    }
    ym_status rc = object_parse(type, body, 128u << 10, &doc, err);
    if (rc != YM_OK) {
        return rc;
    }
    if (status == 200) {
        rc = tokens_take(doc, a, ret, err);
    } else {
        error_take(doc, ret->error);
        rc = ym_err_set(err, YM_EAUTH, "the provider refused: %s", ret->error);
    }
    json_decref(doc);
    return rc;
}

/* ---- ID tokens ---- */

/* Left half of the hash of text by the algorithm's hash (OIDC Core 3.1.3.6). */
static bool half_hash_is(const char *alg, const char *text, const char *wanted)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct ym_buf half;
    const char *name = strcmp(alg, "EdDSA") == 0    ? "SHA512"
                       : strstr(alg, "256") != NULL ? "SHA256"
                       : strstr(alg, "384") != NULL ? "SHA384"
                                                    : "SHA512";
    const EVP_MD *type = EVP_get_digestbyname(name);
    if (type == NULL || EVP_Digest(text, strlen(text), md, &n, type, NULL) != 1) {
        ERR_clear_error();
        return false;
    }
    ym_buf_init(&half, 128);
    bool ok = ym_base64url_add(&half, (struct ym_str){(const char *)md, n / 2}) == YM_OK &&
              ym_equal_secret(ym_buf_str(&half), ym_str_of(wanted));
    ym_buf_clear(&half);
    return ok;
}

/* A hash that is there must be right; what it covers may be unknown to us. */
static bool hash_holds(const json_t *claims, const char *name, const char *alg, const char *text)
{
    const json_t *v = json_object_get(claims, name);
    if (v == NULL) {
        return true;
    }
    return json_is_string(v) && (text == NULL || half_hash_is(alg, text, json_string_value(v)));
}

/* Us and nobody else: an audience we do not know could use the token as well. */
static bool audience_is_ours(const json_t *claims, const char *client_id)
{
    const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp");
    if (json_is_array(aud)) {
        if (json_array_size(aud) != 1) {
            return false;
        }
        aud = json_array_get(aud, 0);
    }
    if (!json_is_string(aud) || strcmp(json_string_value(aud), client_id) != 0) {
        return false;
    }
    return azp == NULL || (json_is_string(azp) && strcmp(json_string_value(azp), client_id) == 0);
}

static const char *sub_of(const json_t *claims)
{
    const json_t *v = json_object_get(claims, "sub");
    size_t n = json_string_length(v);
    return json_is_string(v) && n > 0 && n <= YM_OIDC_SUB_MAX ? json_string_value(v) : NULL;
}

static ym_status id_who(const json_t *claims, const struct ym_oidc_id_rules *rules,
                        struct ym_err *err)
{
    const char *sub = sub_of(claims);
    if (!audience_is_ours(claims, rules->client_id)) {
        return ym_err_set(err, YM_EAUTH, "the ID token is for another client as well");
    }
    if (sub == NULL) {
        return ym_err_set(err, YM_EAUTH, "the ID token has no valid sub");
    }
    if (rules->sub != NULL && strcmp(rules->sub, sub) != 0) {
        return ym_err_set(err, YM_EAUTH, "the ID token is of another person");
    }
    if (rules->nonce != NULL) {
        const char *nonce = ym_json_str(claims, "nonce");
        if (nonce == NULL || !ym_equal_secret(ym_str_of(nonce), ym_str_of(rules->nonce))) {
            return ym_err_set(err, YM_EAUTH, "the ID token has not the nonce of this sign-in");
        }
    }
    return YM_OK;
}

static bool word_in(const char *word, const char *list)
{
    size_t n = strlen(word);
    while (n > 0 && *list != '\0') {
        size_t len = strcspn(list, " ");
        if (len == n && memcmp(list, word, n) == 0) {
            return true;
        }
        list += len + strspn(list + len, " ");
    }
    return false;
}

static ym_status id_when(const json_t *claims, const struct ym_oidc_id_rules *rules, int64_t now_ms,
                         struct ym_err *err)
{
    int64_t iat = 0, auth_time = 0;
    if (date(claims, "iat", &iat) != 1) {
        return ym_err_set(err, YM_EAUTH, "the ID token has no valid iat");
    }
    if (iat < now_ms - IAT_AGE_MS - rules->skew_ms) {
        return ym_err_set(err, YM_EAUTH, "the ID token is not fresh");
    }
    int found = date(claims, "auth_time", &auth_time);
    if (found < 0 || (found == 0 && rules->max_age_s >= 0)) {
        return ym_err_set(err, YM_EAUTH, "the ID token has no valid auth_time");
    }
    if (rules->max_age_s >= 0 && auth_time < now_ms - rules->max_age_s * 1000 - rules->skew_ms) {
        return ym_err_set(err, YM_EUNSUPPORTED, "the sign-in at the provider is too old");
    }
    if (rules->acr != NULL) {
        const char *acr = ym_json_str(claims, "acr");
        if (acr == NULL || !word_in(acr, rules->acr)) {
            return ym_err_set(err, YM_EUNSUPPORTED, "the provider signed in by a weaker method");
        }
    }
    return YM_OK;
}

ym_status ym_oidc_id_token(struct ym_str token, const struct ym_oidc_id_rules *rules,
                           int64_t now_ms, json_t **ret_claims, struct ym_err *err)
{
    static const char *const types[] = {"JWT", NULL};
    const struct ym_jwt_rules jwt = {.algorithms = rules->algorithms,
                                     .issuer = rules->issuer,
                                     .audience = rules->client_id,
                                     .skew_ms = rules->skew_ms,
                                     .types = types};
    json_t *claims = NULL, *header = NULL;

    ym_status rc = ym_jwt_verify(token, rules->keys, &jwt, now_ms, &claims, err);
    if (rc != YM_OK) {
        return rc;
    }
    rc = ym_jwt_header(token, &header);
    if (rc == YM_OK) {
        rc = id_who(claims, rules, err);
    }
    if (rc == YM_OK) {
        rc = id_when(claims, rules, now_ms, err);
    }
    if (rc == YM_OK) {
        const char *alg = ym_json_str(header, "alg");
        if (!hash_holds(claims, "at_hash", alg, rules->access_token) ||
            !hash_holds(claims, "c_hash", alg, rules->code)) {
            rc = ym_err_set(err, YM_EAUTH, "the ID token is of another access token or code");
        }
    }
    if (rc == YM_OK) {
        *ret_claims = claims;
        claims = NULL;
    }
    json_decref(claims);
    json_decref(header);
    return rc;
}

/* ---- userinfo ---- */

ym_status ym_oidc_userinfo(unsigned status, struct ym_str type, struct ym_str body, const char *sub,
                           json_t **ret, struct ym_err *err)
{
    json_t *doc = NULL;
    if (status != 200) {
        return ym_err_set(err, YM_EINVAL, "the userinfo endpoint answered %u", status);
    }
    ym_status rc = object_parse(type, body, 128u << 10, &doc, err);
    if (rc != YM_OK) {
        return rc;
    }
    const char *named = sub_of(doc);
    if (named == NULL || strcmp(named, sub) != 0) {
        json_decref(doc);
        return ym_err_set(err, YM_EAUTH, "userinfo is of another person");
    }
    *ret = doc;
    return YM_OK;
}

/* ---- logout tokens ---- */

/* A claim that may be absent: true with *ret NULL; false when it is there and no name. */
static bool name_take(const json_t *claims, const char *name, const char **ret)
{
    const json_t *v = json_object_get(claims, name);
    size_t n = json_string_length(v);
    *ret = NULL;
    if (v == NULL) {
        return true;
    }
    if (!json_is_string(v) || n == 0 || n > YM_OIDC_SUB_MAX) {
        return false;
    }
    *ret = json_string_value(v);
    return true;
}

static ym_status logout_check(const json_t *claims, const struct ym_oidc_id_rules *rules,
                              int64_t now_ms, struct ym_oidc_logout *ret, struct ym_err *err)
{
    const json_t *events = json_object_get(claims, "events");
    if (!json_is_object(events) || !json_is_object(json_object_get(events, EVENT))) {
        return ym_err_set(err, YM_EAUTH, "the logout token has no logout event");
    }
    if (json_object_get(claims, "nonce") != NULL) {
        return ym_err_set(err, YM_EAUTH, "the logout token has a nonce");
    }
    if (!name_take(claims, "jti", &ret->jti) || ret->jti == NULL) {
        return ym_err_set(err, YM_EAUTH, "the logout token has no valid jti");
    }
    if (!name_take(claims, "sub", &ret->sub) || !name_take(claims, "sid", &ret->sid) ||
        (ret->sub == NULL && ret->sid == NULL)) {
        return ym_err_set(err, YM_EAUTH, "the logout token has no valid sub or sid");
    }
    if (date(claims, "iat", &ret->iat_ms) != 1 ||
        ret->iat_ms < now_ms - LOGOUT_AGE_MS - rules->skew_ms) {
        return ym_err_set(err, YM_EAUTH, "the logout token is not fresh");
    }
    return YM_OK;
}

ym_status ym_oidc_logout_token(struct ym_str token, const struct ym_oidc_id_rules *rules,
                               bool typ_needed, int64_t now_ms, struct ym_oidc_logout *ret,
                               json_t **ret_claims, struct ym_err *err)
{
    static const char *const types[] = {"logout+jwt", "JWT", NULL};
    const struct ym_jwt_rules jwt = {.algorithms = rules->algorithms,
                                     .issuer = rules->issuer,
                                     .audience = rules->client_id,
                                     .skew_ms = rules->skew_ms,
                                     .types = types,
                                     .typ_needed = typ_needed,
                                     .exp_missing_ok = true};
    const struct ym_jwt_rules *chosen = &jwt;
    static const char *const strict[] = {"logout+jwt", NULL};
    struct ym_jwt_rules only = jwt;
    json_t *claims = NULL;

    if (typ_needed) {
        only.types = strict;
        chosen = &only;
    }
    ym_status rc = ym_jwt_verify(token, rules->keys, chosen, now_ms, &claims, err);
    if (rc != YM_OK) {
        return rc;
    }
    rc = logout_check(claims, rules, now_ms, ret, err);
    if (rc != YM_OK) {
        json_decref(claims);
        return rc;
    }
    *ret_claims = claims;
    return YM_OK;
}

/* ---- claims ---- */

const json_t *ym_oidc_claim(const json_t *claims, const char *name)
{
    if (name[0] == '/') {
        return ym_json_at((json_t *)(uintptr_t)claims, name);
    }
    return json_object_get(claims, name);
}

struct ym_str ym_oidc_claim_text(const json_t *claims, const char *name, size_t max)
{
    const json_t *v = ym_oidc_claim(claims, name);
    const char *p = json_string_value(v);
    size_t n = json_string_length(v);
    if (p == NULL || n > max) {
        return YM_STR("");
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f ||
            ((unsigned char)p[i] == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0)) {
            return YM_STR("");
        }
    }
    return (struct ym_str){p, n};
}

bool ym_oidc_word_ok(const char *p)
{
    size_t n = 0;
    while (p != NULL && n <= YM_OIDC_ERROR_MAX &&
           (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-' || p[n] == '.')) {
        n++;
    }
    return n > 0 && n <= YM_OIDC_ERROR_MAX && p[n] == '\0';
}

bool ym_oidc_key_unknown(struct ym_str token, const struct ym_jwks *keys)
{
    json_t *header = NULL;
    if (ym_jwt_header(token, &header) != YM_OK) {
        return false; /* no token at all: no key would help */
    }
    const char *kid = ym_json_str(header, "kid");
    bool unknown = kid == NULL || !ym_jwks_has(keys, kid);
    json_decref(header);
    return unknown;
}
