/* SPDX-License-Identifier: Apache-2.0
 * OpenID Connect as a relying party: what a provider or a browser sends is read and judged here
 * (OIDC Core 1.0, Discovery 1.0, Back-Channel Logout 1.0, RFC 6749, RFC 7636, RFC 9207). Pure: no
 * clock, no I/O. Every reason names the fault, never a value of the text.
 */
#ifndef YM_OIDC_H
#define YM_OIDC_H

#include "ym_buf.h"
#include "ym_jwt.h"

#define YM_OIDC_URL_MAX 2048
#define YM_OIDC_STATE_LEN 43       /* 256 bits in base64url */
#define YM_OIDC_RESPONSE_MAX 16384 /* bytes of a callback's query or form */
#define YM_OIDC_CODE_MAX 4096
#define YM_OIDC_TOKEN_MAX 16384 /* of access and refresh tokens */
#define YM_OIDC_SUB_MAX 255
#define YM_OIDC_ERROR_MAX 64

/* ---- the provider ---- */

struct ym_oidc_provider {
    const char *issuer, *authorize, *token, *jwks;
    const char *userinfo, *end_session; /* NULL: it has none */
    bool iss_parameter;                 /* RFC 9207: every response names the issuer */
    bool secret_post_only;              /* client_secret_basic is not offered */
};

/*
 * https, or http where the issuer itself is http; a host, no user, no fragment, printable ASCII.
 * The address behind the name is checked when it is asked.
 */
bool ym_oidc_url_ok(const char *url, bool http_too);

/* Length of scheme://host[:port] in front of url; 0 = none. */
size_t ym_oidc_origin(const char *url);

/* Discovery document; strings live in a. The issuer must be exactly the one configured. */
ym_status ym_oidc_discovery(struct ym_str text, const char *issuer, struct ym_arena *a,
                            struct ym_oidc_provider *ret, struct ym_err *err);

/* ---- the authorization request and its response ---- */

struct ym_oidc_request {
    const char *client_id, *redirect_uri, *scope, *state, *nonce, *verifier;
    const char *acr_values, *prompt, *ui_locales; /* NULL: none */
    int64_t max_age_s;                            /* −1 = none */
};

/* Appends the address that the browser is sent to; the code challenge is S256 of verifier. */
ym_status ym_oidc_authorize_url(const struct ym_oidc_provider *op, const struct ym_oidc_request *rq,
                                struct ym_buf *out);

struct ym_oidc_response {
    const char *code;  /* or NULL, and then */
    const char *error; /* a code of letters, digits, _ and - */
    const char *state;
    const char *iss; /* NULL: not there */
};

/*
 * Query of a callback, or the body of a form_post. Refused: what is not there exactly once, is
 * malformed or not asked for (tokens in the address, JARM). Strings live in a.
 */
ym_status ym_oidc_response(struct ym_str text, struct ym_arena *a, struct ym_oidc_response *ret,
                           struct ym_err *err);

/* RFC 9207: the response is of this provider. */
ym_status ym_oidc_response_iss(const struct ym_oidc_response *response,
                               const struct ym_oidc_provider *op, struct ym_err *err);

/* One parameter of an urlencoded text, decoded into a; YM_ENOTFOUND, YM_EINVAL: twice or malformed. */
ym_status ym_oidc_param(struct ym_str text, const char *name, struct ym_arena *a,
                        struct ym_str *ret);

/* ---- the token endpoint ---- */

struct ym_oidc_tokens {
    const char *access_token, *id_token, *refresh_token; /* the last two may be NULL */
    int64_t expires_in_ms;                               /* 0 = not said */
    char error[YM_OIDC_ERROR_MAX + 1];                   /* of a refusal; "" when it was none */
};

/*
 * YM_OK: tokens, strings in a. YM_EAUTH: the provider refused and said why in error. Anything else
 * is no answer of a token endpoint.
 */
ym_status ym_oidc_tokens(unsigned status, struct ym_str type, struct ym_str body,
                         struct ym_arena *a, struct ym_oidc_tokens *ret, struct ym_err *err);

struct ym_oidc_id_rules {
    const struct ym_jwks *keys;
    const char *const *algorithms;
    const char *issuer, *client_id;
    const char *nonce;        /* NULL: none was sent, and then it is not looked at */
    const char *access_token; /* for at_hash; NULL = not checked */
    const char *code;         /* for c_hash; NULL = not checked */
    const char *sub;          /* of the session that is renewed; NULL = any */
    const char *acr;          /* one of these, by blanks; NULL = any */
    int64_t max_age_s;        /* −1 = not asked for */
    int64_t skew_ms;
};

/*
 * OIDC Core 3.1.3.7, and 12.2 for a refresh. *ret_claims is a new reference. YM_EUNSUPPORTED: it
 * holds, but the person signed in too long ago or by too weak a method.
 */
ym_status ym_oidc_id_token(struct ym_str token, const struct ym_oidc_id_rules *rules,
                           int64_t now_ms, json_t **ret_claims, struct ym_err *err);

/* JSON of the userinfo endpoint whose sub is the ID token's. *ret is a new reference. */
ym_status ym_oidc_userinfo(unsigned status, struct ym_str type, struct ym_str body, const char *sub,
                           json_t **ret, struct ym_err *err);

/* ---- logout ---- */

struct ym_oidc_logout {
    const char *sub, *sid; /* one of them is there; borrowed from claims */
    const char *jti;
    int64_t iat_ms;
};

/* Back-Channel Logout 1.0 §2.6, all but the replay of jti. *ret_claims is a new reference. */
ym_status ym_oidc_logout_token(struct ym_str token, const struct ym_oidc_id_rules *rules,
                               bool typ_needed, int64_t now_ms, struct ym_oidc_logout *ret,
                               json_t **ret_claims, struct ym_err *err);

/* ---- claims ---- */

/* A claim by name, or by JSON Pointer when it begins with '/'; borrowed, or NULL. */
const json_t *ym_oidc_claim(const json_t *claims, const char *name);
/* Its text; "" when it is missing, no text, too long or has control characters. */
struct ym_str ym_oidc_claim_text(const json_t *claims, const char *name, size_t max);

/* 1 to 64 letters, digits, '_', '-' and '.'; p may be NULL. */
bool ym_oidc_word_ok(const char *p);

/* True when the token may have been signed by a key that keys does not hold. */
bool ym_oidc_key_unknown(struct ym_str token, const struct ym_jwks *keys);

#endif
