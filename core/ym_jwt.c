/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: a strict parser (RFC 7515, 7519, 8725), then OpenSSL on keys that were built once.
 * The signature is checked before a claim is parsed.
 */
#include "ym_jwt.h"
#include "ym_codec.h"

#include <math.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <strings.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define RSA_EXPONENT_BYTES 8
#define OCT_BYTES_MIN 32 /* RFC 7518 §3.2: a key of the hash's size or larger */
#define KID_BYTES 256
#define TRIES_WITHOUT_KID 8
#define SECONDS_MAX 253402300799.0 /* the end of the year 9999 */
#define COORDINATE_MAX 48
#define SIGNATURE_BYTES 2200 /* RSA of 16,384 bits, and an ECDSA signature in DER */

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519, KEY_OCT };

struct key {
    const char *kid, *alg; /* NULL when the JWK has none */
    enum key_type type;
    EVP_PKEY *pkey;       /* NULL for KEY_OCT */
    struct ym_str secret; /* KEY_OCT; wiped at close */
};

enum hash { HASH_NONE, HASH_256, HASH_384, HASH_512, HASHES };

struct ym_jwks {
    struct ym_arena *arena;
    struct key *keys;
    size_t count, private_count;
    EVP_MD *md[HASHES];
};

struct algorithm {
    const char *name;
    enum key_type type;
    enum hash hash;
    bool pss;
    size_t coordinate; /* bytes of r and of s; 0 = no ECDSA */
};

static const struct algorithm algorithms[] = {
    {"RS256", KEY_RSA, HASH_256, false, 0},      {"RS384", KEY_RSA, HASH_384, false, 0},
    {"RS512", KEY_RSA, HASH_512, false, 0},      {"PS256", KEY_RSA, HASH_256, true, 0},
    {"PS384", KEY_RSA, HASH_384, true, 0},       {"PS512", KEY_RSA, HASH_512, true, 0},
    {"ES256", KEY_P256, HASH_256, false, 32},    {"ES384", KEY_P384, HASH_384, false, 48},
    {"EdDSA", KEY_ED25519, HASH_NONE, false, 0}, {"HS256", KEY_OCT, HASH_256, false, 0},
    {"HS384", KEY_OCT, HASH_384, false, 0},      {"HS512", KEY_OCT, HASH_512, false, 0},
};

static const struct algorithm *algorithm_find(const char *name)
{
    for (size_t i = 0; i < YM_COUNT(algorithms); i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* ---- keys ---- */

static void pkey_free(void *p)
{
    EVP_PKEY_free(p);
}

static void md_free(void *p)
{
    EVP_MD_free(p);
}

/* The member as decoded bytes; false when it is missing, no base64url or longer than max. */
static bool member_bytes(const json_t *jwk, const char *name, size_t max, struct ym_buf *out)
{
    const char *text = ym_json_str(jwk, name);
    ym_buf_init(out, max);
    return text != NULL && text[0] != '\0' && ym_base64url_decode(ym_str_of(text), out) == YM_OK;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *rsa_load(const json_t *jwk)
{
    struct ym_buf n, e;
    BIGNUM *bn = NULL, *be = NULL;
    OSSL_PARAM_BLD *build = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    bool ok = member_bytes(jwk, "n", RSA_BITS_MAX / 8 + 1, &n);
    ok = member_bytes(jwk, "e", RSA_EXPONENT_BYTES, &e) && ok;
    if (!ok) {
        goto done;
    }
    bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    build = OSSL_PARAM_BLD_new();
    if (bn == NULL || be == NULL || build == NULL || BN_num_bits(bn) < RSA_BITS_MIN ||
        BN_num_bits(bn) > RSA_BITS_MAX || !BN_is_odd(bn) || !BN_is_odd(be) || BN_is_one(be)) {
        goto done;
    }
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be)) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    if (params != NULL) {
        pkey = pkey_from("RSA", params);
    }
done:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    ym_buf_clear(&n);
    ym_buf_clear(&e);
    return pkey;
}

static EVP_PKEY *ec_load(const json_t *jwk, const char *group, size_t size)
{
    struct ym_buf x, y;
    unsigned char point[1 + 2 * COORDINATE_MAX] = {4}; /* uncompressed */
    EVP_PKEY *pkey = NULL;

    bool ok = member_bytes(jwk, "x", size, &x);
    ok = member_bytes(jwk, "y", size, &y) && ok;
    if (ok && x.n == size && y.n == size) {
        memcpy(point + 1, x.p, size);
        memcpy(point + 1 + size, y.p, size);
        char name[16];
        memcpy(name, group, strlen(group) + 1);
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size),
            OSSL_PARAM_construct_end(),
        };
        pkey = pkey_from("EC", params);
    }
    ym_buf_clear(&x);
    ym_buf_clear(&y);
    return pkey;
}

static EVP_PKEY *ed25519_load(const json_t *jwk)
{
    struct ym_buf x;
    EVP_PKEY *pkey = NULL;
    if (member_bytes(jwk, "x", 32, &x) && x.n == 32) {
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
    }
    ym_buf_clear(&x);
    return pkey;
}

static bool oct_load(const json_t *jwk, struct ym_arena *a, struct key *key)
{
    struct ym_buf k;
    bool ok = member_bytes(jwk, "k", 1024, &k) && k.n >= OCT_BYTES_MIN;
    if (ok) {
        key->secret.p = ym_arena_copy(a, k.p, k.n);
        key->secret.n = key->secret.p != NULL ? k.n : 0;
        ok = key->secret.p != NULL;
    }
    ym_buf_wipe(&k);
    return ok;
}

/* A key that says it is for something else is not for us (RFC 7517 §4.2, §4.3). */
static bool meant_for_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0)) {
        return false;
    }
    const json_t *ops = json_object_get(jwk, "key_ops"), *op;
    if (ops == NULL) {
        return true;
    }
    size_t i;
    json_array_foreach(ops, i, op)
    {
        const char *text = json_string_value(op);
        if (text != NULL && strcmp(text, "verify") == 0) {
            return true;
        }
    }
    return false;
}

/* Loads material by kty; private members are not even looked at. */
static bool material_load(const json_t *jwk, bool allow_oct, struct ym_arena *a, struct key *key)
{
    const char *kty = ym_json_str(jwk, "kty"), *crv = ym_json_str(jwk, "crv");
    if (kty == NULL) {
        return false;
    }
    if (strcmp(kty, "oct") == 0) {
        key->type = KEY_OCT;
        return allow_oct && oct_load(jwk, a, key);
    }
    if (strcmp(kty, "RSA") == 0) {
        key->type = KEY_RSA;
        key->pkey = rsa_load(jwk);
    } else if (crv != NULL && strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0) {
        key->type = KEY_P256;
        key->pkey = ec_load(jwk, "prime256v1", 32);
    } else if (crv != NULL && strcmp(kty, "EC") == 0 && strcmp(crv, "P-384") == 0) {
        key->type = KEY_P384;
        key->pkey = ec_load(jwk, "secp384r1", 48);
    } else if (crv != NULL && strcmp(kty, "OKP") == 0 && strcmp(crv, "Ed25519") == 0) {
        key->type = KEY_ED25519;
        key->pkey = ed25519_load(jwk);
    }
    if (key->pkey == NULL) {
        return false;
    }
    if (ym_arena_cleanup(a, pkey_free, key->pkey) != YM_OK) {
        EVP_PKEY_free(key->pkey);
        return false;
    }
    return true;
}

static bool key_load(const struct ym_jwks *set, const json_t *jwk, bool allow_oct, struct key *key)
{
    memset(key, 0, sizeof(*key));
    const json_t *kid = json_object_get(jwk, "kid"), *alg = json_object_get(jwk, "alg");
    if (!json_is_object(jwk) || !meant_for_verify(jwk)) {
        return false;
    }
    if (kid != NULL) {
        size_t n = json_string_length(kid);
        if (!json_is_string(kid) || n == 0 || n > KID_BYTES) {
            return false;
        }
        key->kid = ym_arena_strz(set->arena, json_string_value(kid));
        if (key->kid == NULL) {
            return false;
        }
    }
    if (!material_load(jwk, allow_oct, set->arena, key)) {
        return false;
    }
    if (alg != NULL) {
        const struct algorithm *found =
            json_is_string(alg) ? algorithm_find(json_string_value(alg)) : NULL;
        if (found == NULL || found->type != key->type) {
            return false;
        }
        key->alg = found->name;
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct key *other = &set->keys[i];
        if (key->kid != NULL && other->kid != NULL && strcmp(other->kid, key->kid) == 0 &&
            other->type == key->type) {
            return false; /* the first of two with one name counts */
        }
    }
    return true;
}

static ym_status digests_fetch(struct ym_jwks *set)
{
    static const char *const names[HASHES] = {NULL, "SHA256", "SHA384", "SHA512"};
    for (size_t i = HASH_256; i < HASHES; i++) {
        set->md[i] = EVP_MD_fetch(NULL, names[i], NULL);
        if (set->md[i] == NULL) {
            return YM_EIO;
        }
        if (ym_arena_cleanup(set->arena, md_free, set->md[i]) != YM_OK) {
            EVP_MD_free(set->md[i]);
            return YM_ENOMEM;
        }
    }
    return YM_OK;
}

ym_status ym_jwks_load(struct ym_str text, bool allow_oct, struct ym_jwks **ret, struct ym_err *err)
{
    static const struct ym_json_limits limits = {YM_JWKS_BYTES, 8, 10000};
    json_t *root = NULL;
    struct ym_jwks *set = NULL;
    struct ym_arena *a = NULL;

    ym_status rc = ym_json_parse(text, &limits, &root, err);
    if (rc != YM_OK) {
        return rc;
    }
    const json_t *keys = json_object_get(root, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > YM_JWKS_KEYS) {
        rc = ym_err_set(err, YM_EINVAL, "a key set is {\"keys\": [ … ]} with at most %d keys",
                        YM_JWKS_KEYS);
        goto done;
    }
    rc = ym_err_set(err, YM_ENOMEM, "out of memory");
    a = ym_arena_open();
    set = a != NULL ? ym_arena_alloc(a, sizeof(*set)) : NULL;
    if (set == NULL) {
        goto done;
    }
    set->arena = a;
    set->keys = ym_arena_alloc(a, (json_array_size(keys) + 1) * sizeof(*set->keys));
    if (set->keys == NULL || digests_fetch(set) != YM_OK) {
        goto done;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct key key;
        set->private_count += json_object_get(json_array_get(keys, i), "d") != NULL;
        if (key_load(set, json_array_get(keys, i), allow_oct, &key)) {
            set->keys[set->count++] = key;
        } else if (key.secret.p != NULL) {
            ym_wipe((void *)(uintptr_t)key.secret.p, key.secret.n);
        }
    }
    if (set->count == 0) {
        rc = ym_err_set(err, YM_EINVAL,
                        "the key set has no usable key: RSA of 2048 to 16384 bits, EC P-256 or "
                        "P-384, OKP Ed25519%s, meant for verifying signatures",
                        allow_oct ? ", oct of 32 bytes or more" : "");
        goto done;
    }
    if (err != NULL) {
        err->code = YM_OK;
    }
    *ret = set;
    a = NULL;
    rc = YM_OK;
done:
    ERR_clear_error();
    ym_arena_close(a);
    json_decref(root);
    return rc;
}

void ym_jwks_close(struct ym_jwks *k)
{
    if (k == NULL) {
        return;
    }
    for (size_t i = 0; i < k->count; i++) {
        if (k->keys[i].secret.p != NULL) {
            ym_wipe((void *)(uintptr_t)k->keys[i].secret.p, k->keys[i].secret.n);
        }
    }
    ym_arena_close(k->arena);
}

size_t ym_jwks_private(const struct ym_jwks *keys)
{
    return keys->private_count;
}

bool ym_jwks_has(const struct ym_jwks *keys, const char *kid)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].kid != NULL && strcmp(keys->keys[i].kid, kid) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the token's form ---- */

struct parts {
    struct ym_str header, payload, signature, signed_text;
};

static bool base64url_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Exactly three segments, none empty, no foreign byte. */
static bool split(struct ym_str token, struct parts *ret)
{
    size_t dots[2], count = 0;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '.') {
            if (count == 2) {
                return false;
            }
            dots[count++] = i;
        } else if (!base64url_char(token.p[i])) {
            return false;
        }
    }
    if (count != 2 || dots[0] == 0 || dots[1] == dots[0] + 1 || dots[1] + 1 == token.n) {
        return false;
    }
    ret->header = (struct ym_str){token.p, dots[0]};
    ret->payload = (struct ym_str){token.p + dots[0] + 1, dots[1] - dots[0] - 1};
    ret->signature = (struct ym_str){token.p + dots[1] + 1, token.n - dots[1] - 1};
    ret->signed_text = (struct ym_str){token.p, dots[1]};
    return true;
}

/* A segment as a JSON object, or NULL. */
static json_t *segment_json(struct ym_str segment)
{
    static const struct ym_json_limits limits = {YM_JWT_BYTES, YM_JSON_DEPTH, YM_JSON_MEMBERS};
    struct ym_buf text;
    json_t *root = NULL;
    ym_buf_init(&text, YM_JWT_BYTES);
    if (ym_base64url_decode(segment, &text) == YM_OK &&
        ym_json_parse(ym_buf_str(&text), &limits, &root, NULL) == YM_OK && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    ym_buf_clear(&text);
    return root;
}

static bool typ_allowed(const json_t *header, const struct ym_jwt_rules *rules)
{
    static const char *const access[] = {"JWT", "at+jwt", NULL};
    const char *const *types = rules->types != NULL ? rules->types : access;
    const json_t *typ = json_object_get(header, "typ");
    if (typ == NULL) {
        return !rules->typ_needed;
    }
    const char *text = json_string_value(typ);
    if (text == NULL) {
        return false;
    }
    if (strncasecmp(text, "application/", 12) == 0) {
        text += 12;
    }
    while (*types != NULL && strcasecmp(text, *types) != 0) {
        types++;
    }
    return *types != NULL;
}

/*
 * What the header asks for, if we allow it. jku, x5u, jwk and x5c are never looked at: no key
 * comes from a token.
 */
static ym_status header_check(const json_t *header, const struct ym_jwt_rules *rules,
                              const struct algorithm **ret, struct ym_err *err)
{
    static const char *const refused[] = {"crit", "b64", "enc", "zip"};
    for (size_t i = 0; i < YM_COUNT(refused); i++) {
        if (json_object_get(header, refused[i]) != NULL) {
            return ym_err_set(err, YM_EAUTH, "the token's header has %s", refused[i]);
        }
    }
    if (!typ_allowed(header, rules)) {
        return ym_err_set(err, YM_EAUTH, "the token is of another type");
    }
    const char *name = ym_json_str(header, "alg");
    for (size_t i = 0; name != NULL && rules->algorithms[i] != NULL; i++) {
        if (strcmp(rules->algorithms[i], name) == 0) {
            *ret = algorithm_find(name);
            if (*ret != NULL) {
                return YM_OK;
            }
        }
    }
    return ym_err_set(err, YM_EAUTH, "the token's algorithm is not allowed");
}

/* ---- signatures ---- */

static bool hmac_holds(const struct ym_jwks *set, const struct algorithm *alg,
                       const struct key *key, struct ym_str text, struct ym_str signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (HMAC(set->md[alg->hash], key->secret.p, (int)key->secret.n, (const unsigned char *)text.p,
             text.n, mac, &n) == NULL) {
        return false;
    }
    return ym_equal_secret((struct ym_str){(const char *)mac, n}, signature);
}

/* r‖s of exact length as the DER that OpenSSL wants; 0 when it does not fit. */
static size_t ecdsa_der(struct ym_str raw, size_t coordinate, unsigned char *out, size_t max)
{
    if (raw.n != 2 * coordinate) {
        return 0;
    }
    const unsigned char *p = (const unsigned char *)raw.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)coordinate, NULL);
    BIGNUM *s = BN_bin2bn(p + coordinate, (int)coordinate, NULL);
    int n = 0;
    if (sig == NULL || r == NULL || s == NULL || !ECDSA_SIG_set0(sig, r, s)) {
        BN_free(r);
        BN_free(s);
    } else {
        n = i2d_ECDSA_SIG(sig, NULL);
        if (n > 0 && (size_t)n <= max) {
            n = i2d_ECDSA_SIG(sig, &out);
        } else {
            n = 0;
        }
    }
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

static bool pkey_holds(const struct ym_jwks *set, const struct algorithm *alg,
                       const struct key *key, struct ym_str text, struct ym_str signature)
{
    unsigned char der[2 * COORDINATE_MAX + 16];
    const unsigned char *sig = (const unsigned char *)signature.p;
    size_t n = signature.n;
    if (alg->coordinate != 0) {
        n = ecdsa_der(signature, alg->coordinate, der, sizeof(der));
        sig = der;
        if (n == 0) {
            return false;
        }
    }
    EVP_PKEY_CTX *pctx = NULL; /* the digest context's */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok =
        ctx != NULL && EVP_DigestVerifyInit(ctx, &pctx, set->md[alg->hash], NULL, key->pkey) > 0;
    if (ok && alg->pss) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0;
    }
    ok = ok && EVP_DigestVerify(ctx, sig, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* The key the header names, or, without a name, each that fits. */
static ym_status signature_check(const struct ym_jwks *set, const json_t *header,
                                 const struct algorithm *alg, const struct parts *parts,
                                 struct ym_err *err)
{
    const json_t *kid = json_object_get(header, "kid");
    struct ym_buf signature;
    size_t tries = 0;
    bool ok = false;

    if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) == 0)) {
        return ym_err_set(err, YM_EAUTH, "the token's kid is no text");
    }
    ym_buf_init(&signature, SIGNATURE_BYTES);
    if (ym_base64url_decode(parts->signature, &signature) != YM_OK) {
        ym_buf_clear(&signature);
        return ym_err_set(err, YM_EAUTH, "the token's signature is no base64url");
    }
    for (size_t i = 0; i < set->count && !ok && tries < TRIES_WITHOUT_KID; i++) {
        const struct key *key = &set->keys[i];
        if (key->type != alg->type || (key->alg != NULL && strcmp(key->alg, alg->name) != 0)) {
            continue;
        }
        if (kid != NULL && (key->kid == NULL || strcmp(key->kid, json_string_value(kid)) != 0)) {
            continue;
        }
        tries++;
        ok = key->type == KEY_OCT
                 ? hmac_holds(set, alg, key, parts->signed_text, ym_buf_str(&signature))
                 : pkey_holds(set, alg, key, parts->signed_text, ym_buf_str(&signature));
    }
    ym_buf_clear(&signature);
    if (ok) {
        return YM_OK;
    }
    return ym_err_set(err, YM_EAUTH, "%s",
                      tries == 0 ? "no key fits the token" : "the token's signature does not hold");
}

/* ---- claims ---- */

/* 1: a valid NumericDate, 0: absent, -1: anything else. Reals are allowed (RFC 7519 §2). */
static int numeric_date(const json_t *claims, const char *name, int64_t *ret_ms)
{
    const json_t *v = json_object_get(claims, name);
    if (v == NULL) {
        return 0;
    }
    double seconds = json_is_number(v) ? json_number_value(v) : -1.0;
    if (!isfinite(seconds) || seconds < 0.0 || seconds > SECONDS_MAX) {
        return -1;
    }
    *ret_ms = (int64_t)(seconds * 1000.0);
    return 1;
}

static ym_status times_check(const json_t *claims, const struct ym_jwt_rules *rules, int64_t now_ms,
                             struct ym_err *err)
{
    int64_t exp = INT64_MAX / 2, nbf = 0, iat = 0, skew_ms = rules->skew_ms;
    int found = numeric_date(claims, "exp", &exp);
    if (found < 0 || (found == 0 && !rules->exp_missing_ok)) {
        return ym_err_set(err, YM_EAUTH, "the token has no valid exp");
    }
    if (now_ms >= exp + skew_ms) {
        return ym_err_set(err, YM_EAUTH, "the token has expired");
    }
    if (numeric_date(claims, "nbf", &nbf) < 0 || numeric_date(claims, "iat", &iat) < 0) {
        return ym_err_set(err, YM_EAUTH, "the token's nbf or iat is no date");
    }
    if (now_ms < nbf - skew_ms || now_ms < iat - skew_ms) {
        return ym_err_set(err, YM_EAUTH, "the token is not valid yet");
    }
    return YM_OK;
}

static bool audience_holds(const json_t *aud, const char *wanted)
{
    if (json_is_string(aud)) {
        return strcmp(json_string_value(aud), wanted) == 0;
    }
    const json_t *item;
    size_t i;
    bool found = false;
    json_array_foreach(aud, i, item)
    {
        if (!json_is_string(item)) {
            return false;
        }
        found = found || strcmp(json_string_value(item), wanted) == 0;
    }
    return found;
}

static ym_status claims_check(const json_t *claims, const struct ym_jwt_rules *rules,
                              int64_t now_ms, struct ym_err *err)
{
    if (rules->issuer != NULL) {
        const char *iss = ym_json_str(claims, "iss");
        if (iss == NULL || strcmp(iss, rules->issuer) != 0) {
            return ym_err_set(err, YM_EAUTH, "the token is of another issuer");
        }
    }
    if (rules->audience != NULL &&
        !audience_holds(json_object_get(claims, "aud"), rules->audience)) {
        return ym_err_set(err, YM_EAUTH, "the token is for another audience");
    }
    /* Bound to a key or certificate that a plain bearer does not prove (RFC 7800). */
    if (json_object_get(claims, "cnf") != NULL) {
        return ym_err_set(err, YM_EAUTH, "the token is bound to a key");
    }
    return times_check(claims, rules, now_ms, err);
}

ym_status ym_jwt_header(struct ym_str token, json_t **ret)
{
    struct parts parts;
    if (token.n > YM_JWT_BYTES || !split(token, &parts)) {
        return YM_EAUTH;
    }
    *ret = segment_json(parts.header);
    return *ret != NULL ? YM_OK : YM_EAUTH;
}

ym_status ym_jwt_claims(struct ym_str token, json_t **ret)
{
    struct parts parts;
    if (token.n > YM_JWT_BYTES || !split(token, &parts)) {
        return YM_EAUTH;
    }
    *ret = segment_json(parts.payload);
    return *ret != NULL ? YM_OK : YM_EAUTH;
}

bool ym_jwt_says(struct ym_str token, const char *issuer, const char *audience)
{
    json_t *claims = NULL;
    if (ym_jwt_claims(token, &claims) != YM_OK) {
        return false;
    }
    const char *iss = ym_json_str(claims, "iss");
    bool says = iss != NULL && issuer != NULL && strcmp(iss, issuer) == 0 && audience != NULL &&
                audience_holds(json_object_get(claims, "aud"), audience);
    json_decref(claims);
    return says;
}

ym_status ym_jwt_verify(struct ym_str token, const struct ym_jwks *keys,
                        const struct ym_jwt_rules *rules, int64_t now_ms, json_t **ret_claims,
                        struct ym_err *err)
{
    struct parts parts;
    const struct algorithm *alg = NULL;
    json_t *header = NULL, *claims = NULL;
    ym_status rc;

    if (token.n > YM_JWT_BYTES || !split(token, &parts)) {
        return ym_err_set(err, YM_EAUTH, "no JWT: three base64url parts of at most %d bytes",
                          YM_JWT_BYTES);
    }
    header = segment_json(parts.header);
    if (header == NULL) {
        rc = ym_err_set(err, YM_EAUTH, "the token's header is no JSON object");
        goto done;
    }
    rc = header_check(header, rules, &alg, err);
    if (rc != YM_OK) {
        goto done;
    }
    rc = signature_check(keys, header, alg, &parts, err);
    if (rc != YM_OK) {
        goto done;
    }
    claims = segment_json(parts.payload);
    if (claims == NULL) {
        rc = ym_err_set(err, YM_EAUTH, "the token's claims are no JSON object");
        goto done;
    }
    rc = claims_check(claims, rules, now_ms, err);
    if (rc == YM_OK) {
        *ret_claims = claims;
        claims = NULL;
    }
done:
    if (rc != YM_OK) {
        ERR_clear_error();
    }
    json_decref(header);
    json_decref(claims);
    return rc;
}
