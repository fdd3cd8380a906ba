/* SPDX-License-Identifier: Apache-2.0
 * Verification of bearer tokens (RFC 7519, RFC 8725) on kept OpenSSL keys. Strict where libjwt is
 * not; libjwt only signs. Pure: no clock, no I/O.
 */
#ifndef YM_JWT_H
#define YM_JWT_H

#include "ym_arena.h"
#include "ym_err.h"
#include "ym_json.h"

#define YM_JWT_BYTES 8192 /* longest token accepted */
#define YM_JWKS_BYTES (256u << 10)
#define YM_JWKS_KEYS 100 /* more are refused */

struct ym_jwks; /* immutable once loaded */

/* JWK set from text (RFC 7517): RSA 2048–16384, EC P-256/P-384, OKP Ed25519, oct only when allow_oct. */
ym_status ym_jwks_load(struct ym_str text, bool allow_oct, struct ym_jwks **ret,
                       struct ym_err *err);
void ym_jwks_close(struct ym_jwks *k); /* accepts NULL */

/* Entries with private parts: those were left out, but do not belong into a set that is given away. */
size_t ym_jwks_private(const struct ym_jwks *keys);

struct ym_jwt_rules {
    const char *const
        *algorithms;      /* allow-list, NULL-terminated: "RS256", "ES256", "EdDSA", "HS256" … */
    const char *issuer;   /* exact; NULL = not checked (tests only) */
    const char *audience; /* must be it or contain it */
    int64_t skew_ms;
    const char *const *types; /* `typ` allowed, NULL-terminated; NULL = JWT, at+jwt */
    bool typ_needed;          /* a token without `typ` is refused */
    bool exp_missing_ok;      /* logout tokens of before 2022 have none */
};

/*
 * The header of a token, nothing of it verified: to choose keys by, never to decide by. *ret is a
 * new reference.
 */
ym_status ym_jwt_header(struct ym_str token, json_t **ret);
ym_status ym_jwt_claims(struct ym_str token, json_t **ret); /* the same of its claims */

/*
 * Whether a token says that it was made by issuer for audience, nothing of it verified: to keep it
 * from others, never to let anybody in.
 */
bool ym_jwt_says(struct ym_str token, const char *issuer, const char *audience);

/* True when the set has a key of that name. */
bool ym_jwks_has(const struct ym_jwks *keys, const char *kid);

/*
 * Checks form, signature, iss, aud, exp, nbf, iat, crit, typ. YM_EAUTH with a reason
 * in err that names no part of the token. *ret_claims is a new reference.
 */
ym_status ym_jwt_verify(struct ym_str token, const struct ym_jwks *keys,
                        const struct ym_jwt_rules *rules, int64_t now_ms, json_t **ret_claims,
                        struct ym_err *err);

#endif
