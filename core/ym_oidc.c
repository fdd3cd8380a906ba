/* SPDX-License-Identifier: Apache-2.0
 * OpenID Connect: addresses, discovery, the authorization request and its response.
 */
#include "ym_oidc.h"
#include "ym_codec.h"

#include <ctype.h>

#define PARAMS_MAX 64

/* ---- addresses ---- */

size_t ym_oidc_origin(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    return scheme == 0 ? 0 : scheme + strcspn(url + scheme, "/?#");
}

static bool host_ok(const char *p, size_t n)
{
    size_t i = 0;
    if (n > 0 && p[0] == '[') {
        while (i < n && p[i] != ']') {
            i++;
        }
        i++;
        if (i > n || i < 4) {
            return false;
        }
    } else {
        while (i < n && (isalnum((unsigned char)p[i]) || p[i] == '.' || p[i] == '-')) {
            i++;
        }
        if (i == 0 || p[0] == '.' || p[0] == '-') {
            return false;
        }
    }
    if (i == n) {
        return true;
    }
    if (p[i] != ':' || n - i < 2 || n - i > 6) {
        return false;
    }
    for (i++; i < n; i++) {
        if (!isdigit((unsigned char)p[i])) {
            return false;
        }
    }
    return true;
}

bool ym_oidc_url_ok(const char *url, bool http_too)
{
    size_t origin, scheme;
    if (url == NULL || strlen(url) > YM_OIDC_URL_MAX) {
        return false;
    }
    for (const char *p = url; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || strchr("\\\"<>^`{|}#", *p) != NULL) {
            return false;
        }
    }
    origin = ym_oidc_origin(url);
    if (origin == 0) {
        return false;
    }
    scheme = url[4] == 's' ? 8 : 7;
    if (scheme == 7 && !http_too) {
        return false;
    }
    return host_ok(url + scheme, origin - scheme);
}

/* ---- discovery ---- */

static ym_status endpoint(const json_t *doc, const char *name, bool needed, bool http_too,
                          struct ym_arena *a, const char **ret, struct ym_err *err)
{
    const json_t *v = json_object_get(doc, name);
    *ret = NULL;
    if (v == NULL && !needed) {
        return YM_OK;
    }
    if (!ym_oidc_url_ok(json_string_value(v), http_too)) {
        return ym_err_set(err, YM_EINVAL, "the provider's %s is no https address", name);
    }
    *ret = ym_arena_strz(a, json_string_value(v));
    return *ret != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

/* True when list is missing (then the default of Discovery counts) or holds word. */
static bool offers(const json_t *doc, const char *name, const char *word, bool by_default)
{
    const json_t *list = json_object_get(doc, name), *item;
    size_t i;
    if (!json_is_array(list)) {
        return by_default;
    }
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

ym_status ym_oidc_discovery(struct ym_str text, const char *issuer, struct ym_arena *a,
                            struct ym_oidc_provider *ret, struct ym_err *err)
{
    static const struct ym_json_limits limits = {256u << 10, 8, 5000};
    json_t *doc = NULL;
    struct ym_oidc_provider op;
    bool http_too = strncmp(issuer, "http://", 7) == 0;

    memset(&op, 0, sizeof(op));
    ym_status rc = ym_json_parse(text, &limits, &doc, err);
    if (rc != YM_OK) {
        return rc;
    }
    const char *named = ym_json_str(doc, "issuer");
    if (named == NULL || strcmp(named, issuer) != 0) {
        rc = ym_err_set(err, YM_EAUTH, "the discovery document is of another issuer");
        goto done;
    }
    op.issuer = ym_arena_strz(a, issuer);
    if (op.issuer == NULL) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
        goto done;
    }
    rc = endpoint(doc, "authorization_endpoint", true, http_too, a, &op.authorize, err);
    if (rc == YM_OK) {
        rc = endpoint(doc, "token_endpoint", true, http_too, a, &op.token, err);
    }
    if (rc == YM_OK) {
        rc = endpoint(doc, "jwks_uri", true, http_too, a, &op.jwks, err);
    }
    if (rc == YM_OK) {
        rc = endpoint(doc, "userinfo_endpoint", false, http_too, a, &op.userinfo, err);
    }
    if (rc == YM_OK) {
        rc = endpoint(doc, "end_session_endpoint", false, http_too, a, &op.end_session, err);
    }
    if (rc == YM_OK && !offers(doc, "response_types_supported", "code", true)) {
        rc = ym_err_set(err, YM_EUNSUPPORTED, "the provider does not offer the code flow");
    }
    if (rc == YM_OK) {
        const char *methods = "token_endpoint_auth_methods_supported";
        op.iss_parameter =
            json_is_true(json_object_get(doc, "authorization_response_iss_parameter_supported"));
        op.secret_post_only = !offers(doc, methods, "client_secret_basic", true) &&
                              offers(doc, methods, "client_secret_post", false);
        *ret = op;
    }
done:
    json_decref(doc);
    return rc;
}

/* ---- the authorization request ---- */

static void add_param(struct ym_buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        ym_buf_addf(out, "&%s=", name);
        ym_buf_add_uri(out, ym_str_of(value));
    }
}

ym_status ym_oidc_authorize_url(const struct ym_oidc_provider *op, const struct ym_oidc_request *rq,
                                struct ym_buf *out)
{
    unsigned char digest[YM_SHA256_LEN];
    ym_status rc = ym_sha256(ym_str_of(rq->verifier), digest);
    if (rc != YM_OK) {
        return rc;
    }
    ym_buf_adds(out, op->authorize);
    ym_buf_adds(out, strchr(op->authorize, '?') != NULL ? "&" : "?");
    ym_buf_adds(out, "response_type=code");
    add_param(out, "client_id", rq->client_id);
    add_param(out, "redirect_uri", rq->redirect_uri);
    add_param(out, "scope", rq->scope);
    add_param(out, "state", rq->state);
    add_param(out, "nonce", rq->nonce);
    ym_buf_adds(out, "&code_challenge=");
    ym_base64url_add(out, (struct ym_str){(const char *)digest, sizeof(digest)});
    ym_buf_adds(out, "&code_challenge_method=S256");
    add_param(out, "acr_values", rq->acr_values);
    add_param(out, "prompt", rq->prompt);
    add_param(out, "ui_locales", rq->ui_locales);
    if (rq->max_age_s >= 0) {
        ym_buf_addf(out, "&max_age=%lld", (long long)rq->max_age_s);
    }
    return out->failed;
}

/* ---- urlencoded parameters ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes in into out (in.n bytes are enough); −1 for a malformed escape. */
static ptrdiff_t unescape(struct ym_str in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return -1;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    return (ptrdiff_t)n;
}

struct params {
    struct ym_str names[PARAMS_MAX], values[PARAMS_MAX]; /* decoded, in the arena, NUL-terminated */
    size_t count;
};

static ym_status decode(struct ym_str in, struct ym_arena *a, struct ym_str *ret)
{
    char *p = ym_arena_alloc(a, in.n + 1);
    if (p == NULL) {
        return YM_ENOMEM;
    }
    ptrdiff_t n = unescape(in, p);
    if (n < 0) {
        return YM_EINVAL;
    }
    p[n] = '\0';
    *ret = (struct ym_str){p, (size_t)n};
    return YM_OK;
}

static ym_status params_split(struct ym_str text, struct ym_arena *a, struct params *ret)
{
    ret->count = 0;
    if (text.n > YM_OIDC_RESPONSE_MAX) {
        return YM_ETOOBIG;
    }
    for (size_t from = 0; from < text.n;) {
        size_t to = from, equals;
        while (to < text.n && text.p[to] != '&') {
            to++;
        }
        equals = from;
        while (equals < to && text.p[equals] != '=') {
            equals++;
        }
        if (to > from) {
            struct ym_str name = {text.p + from, equals - from};
            struct ym_str value = {text.p + equals, 0};
            if (equals < to) {
                value = (struct ym_str){text.p + equals + 1, to - equals - 1};
            }
            if (ret->count == PARAMS_MAX) {
                return YM_ETOOBIG;
            }
            ym_status rc = decode(name, a, &ret->names[ret->count]);
            if (rc == YM_OK) {
                rc = decode(value, a, &ret->values[ret->count]);
            }
            if (rc != YM_OK) {
                return rc;
            }
            ret->count++;
        }
        from = to + 1;
    }
    return YM_OK;
}

/* YM_OK, YM_ENOTFOUND, or YM_EINVAL when it stands there twice. */
static ym_status params_one(const struct params *params, const char *name, struct ym_str *ret)
{
    ym_status rc = YM_ENOTFOUND;
    for (size_t i = 0; i < params->count; i++) {
        if (ym_str_is(params->names[i], name)) {
            if (rc == YM_OK) {
                return YM_EINVAL;
            }
            *ret = params->values[i];
            rc = YM_OK;
        }
    }
    return rc;
}

ym_status ym_oidc_param(struct ym_str text, const char *name, struct ym_arena *a,
                        struct ym_str *ret)
{
    struct params params;
    ym_status rc = params_split(text, a, &params);
    return rc == YM_OK ? params_one(&params, name, ret) : rc;
}

/* ---- the authorization response ---- */

/* %x20-7E (RFC 6749, appendix A), 1 to max bytes */
static bool visible(struct ym_str s, size_t max)
{
    if (s.n == 0 || s.n > max) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static bool state_ok(struct ym_str s)
{
    if (s.n != YM_OIDC_STATE_LEN) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_') {
            return false;
        }
    }
    return true;
}

static bool error_ok(struct ym_str s)
{
    if (s.n == 0 || s.n > YM_OIDC_ERROR_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_') {
            return false;
        }
    }
    return true;
}

static ym_status response_check(const struct params *params, struct ym_oidc_response *ret,
                                struct ym_err *err)
{
    static const char *const never[] = {"id_token", "access_token", "token_type", "response"};
    static const char *const once[] = {"code",      "state",         "error",
                                       "iss",       "session_state", "error_description",
                                       "error_uri", "client_id",     "scope"};
    struct ym_str v[YM_COUNT(once)];
    ym_status found[YM_COUNT(once)];
    enum { CODE, STATE, ERROR, ISS };

    for (size_t i = 0; i < YM_COUNT(never); i++) {
        if (params_one(params, never[i], &v[0]) != YM_ENOTFOUND) {
            return ym_err_set(err, YM_EINVAL, "the response has a %s, which was not asked for",
                              never[i]);
        }
    }
    for (size_t i = 0; i < YM_COUNT(once); i++) {
        v[i] = YM_STR_NULL;
        found[i] = params_one(params, once[i], &v[i]);
        if (found[i] == YM_EINVAL) {
            return ym_err_set(err, YM_EINVAL, "the response has %s twice", once[i]);
        }
    }
    if (found[STATE] != YM_OK || !state_ok(v[STATE])) {
        return ym_err_set(err, YM_EINVAL, "the response has no state of ours");
    }
    if (found[ISS] == YM_OK && !visible(v[ISS], YM_OIDC_URL_MAX)) {
        return ym_err_set(err, YM_EINVAL, "the response's iss is malformed");
    }
    if ((found[CODE] == YM_OK) == (found[ERROR] == YM_OK)) {
        return ym_err_set(err, YM_EINVAL, "the response has not exactly one of code and error");
    }
    if (found[CODE] == YM_OK ? !visible(v[CODE], YM_OIDC_CODE_MAX) : !error_ok(v[ERROR])) {
        return ym_err_set(err, YM_EINVAL, "the response's code or error is malformed");
    }
    ret->code = found[CODE] == YM_OK ? v[CODE].p : NULL;
    ret->error = found[ERROR] == YM_OK ? v[ERROR].p : NULL;
    ret->state = v[STATE].p;
    ret->iss = found[ISS] == YM_OK ? v[ISS].p : NULL;
    return YM_OK;
}

ym_status ym_oidc_response(struct ym_str text, struct ym_arena *a, struct ym_oidc_response *ret,
                           struct ym_err *err)
{
    struct params params;
    ym_status rc = params_split(text, a, &params);
    if (rc != YM_OK) {
        return ym_err_set(err, rc, "the response is malformed or too long");
    }
    return response_check(&params, ret, err);
}

ym_status ym_oidc_response_iss(const struct ym_oidc_response *response,
                               const struct ym_oidc_provider *op, struct ym_err *err)
{
    if (response->iss == NULL) {
        return op->iss_parameter
                   ? ym_err_set(err, YM_EAUTH, "the response does not name its issuer")
                   : YM_OK;
    }
    if (strcmp(response->iss, op->issuer) != 0) {
        return ym_err_set(err, YM_EAUTH, "the response is of another issuer");
    }
    return YM_OK;
}
