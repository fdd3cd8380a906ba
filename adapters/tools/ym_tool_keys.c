/* SPDX-License-Identifier: Apache-2.0
 * yimen keys: a new key pair for bearer tokens; the private half as PEM (0600), the public as JWKS.
 */
#include "ym_tool_keys.h"
#include "ym_codec.h"
#include "ym_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define POINT_BYTES 65 /* 04 ‖ x ‖ y of P-256 */
#define RSA_BYTES 2048 /* 16,384 bits */

static bool add_base64url(json_t *jwk, const char *name, const unsigned char *p, size_t n)
{
    struct ym_buf b;
    ym_buf_init(&b, 4096);
    bool ok = ym_base64url_add(&b, (struct ym_str){(const char *)p, n}) == YM_OK &&
              json_object_set_new(jwk, name, json_stringn(b.p, b.n)) == 0;
    ym_buf_clear(&b);
    return ok;
}

static bool ec_members(EVP_PKEY *key, json_t *jwk)
{
    unsigned char point[POINT_BYTES];
    char group[64];
    size_t n = 0, len = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1 ||
        (strcmp(group, "prime256v1") != 0 && strcmp(group, "P-256") != 0) ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) !=
            1 ||
        n != POINT_BYTES) {
        return false;
    }
    return json_object_set_new(jwk, "crv", json_string("P-256")) == 0 &&
           json_object_set_new(jwk, "kty", json_string("EC")) == 0 &&
           add_base64url(jwk, "x", point + 1, 32) && add_base64url(jwk, "y", point + 33, 32);
}

static bool rsa_number(EVP_PKEY *key, const char *param, const char *name, json_t *jwk)
{
    unsigned char bytes[RSA_BYTES];
    BIGNUM *v = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, param, &v) == 1 && BN_num_bytes(v) <= RSA_BYTES;
    if (ok) {
        ok = add_base64url(jwk, name, bytes, (size_t)BN_bn2bin(v, bytes));
    }
    BN_free(v);
    return ok;
}

static bool rsa_members(EVP_PKEY *key, json_t *jwk)
{
    return rsa_number(key, OSSL_PKEY_PARAM_RSA_E, "e", jwk) &&
           json_object_set_new(jwk, "kty", json_string("RSA")) == 0 &&
           rsa_number(key, OSSL_PKEY_PARAM_RSA_N, "n", jwk);
}

/* SHA-256 over the required members in lexical order, without blanks. */
static bool thumbprint(json_t *jwk)
{
    unsigned char sum[YM_SHA256_LEN];
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok = text != NULL && ym_sha256(ym_str_of(text), sum) == YM_OK &&
              add_base64url(jwk, "kid", sum, sizeof(sum));
    free(text);
    return ok;
}

ym_status ym_tool_jwk(EVP_PKEY *key, json_t **ret, struct ym_err *err)
{
    json_t *jwk = json_object();
    bool ec = EVP_PKEY_is_a(key, "EC") == 1, rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    bool ok = jwk != NULL && ((ec && ec_members(key, jwk)) || (rsa && rsa_members(key, jwk))) &&
              thumbprint(jwk) && json_object_set_new(jwk, "use", json_string("sig")) == 0 &&
              json_object_set_new(jwk, "alg", json_string(ec ? "ES256" : "RS256")) == 0;
    if (!ok) {
        json_decref(jwk);
        return ym_err_set(err, YM_EUNSUPPORTED, "the key must be EC P-256 or RSA");
    }
    *ret = jwk;
    return YM_OK;
}

/* Writes a file that must not exist yet. */
static FILE *create(const char *path, mode_t mode, struct ym_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        ym_err_at(err, YM_EIO, path, 0, 0, "%s",
                  errno == EEXIST ? "is there already; keys are never overwritten"
                                  : strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
    }
    return f;
}

static ym_status write_pem(EVP_PKEY *key, const char *path, struct ym_err *err)
{
    FILE *f = create(path, 0600, err);
    if (f == NULL) {
        return YM_EIO;
    }
    bool ok = PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    ok = fclose(f) == 0 && ok;
    return ok ? YM_OK : ym_err_at(err, YM_EIO, path, 0, 0, "cannot be written");
}

static ym_status write_jwks(json_t *jwk, const char *path, struct ym_err *err)
{
    json_t *set = json_pack("{s:[O]}", "keys", jwk);
    FILE *f = create(path, 0644, err);
    bool ok = f != NULL && set != NULL && json_dumpf(set, f, JSON_INDENT(2)) == 0 &&
              fputc('\n', f) != EOF;
    json_decref(set);
    if (f == NULL) {
        return YM_EIO;
    }
    ok = fclose(f) == 0 && ok;
    return ok ? YM_OK : ym_err_at(err, YM_EIO, path, 0, 0, "cannot be written");
}

static ym_status make(const char *dir, struct ym_err *err)
{
    char pem[512], jwks[512];
    json_t *jwk = NULL;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return ym_err_at(err, YM_EIO, dir, 0, 0, "%s", strerror(errno));
    }
    if (strlen(dir) > 480) {
        return ym_err_set(err, YM_ETOOBIG, "the folder's name is too long");
    }
    snprintf(pem, sizeof(pem), "%s/key.pem", dir);
    snprintf(jwks, sizeof(jwks), "%s/jwks.json", dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL) {
        return ym_err_set(err, YM_EIO, "OpenSSL cannot make a key");
    }
    ym_status rc = ym_tool_jwk(key, &jwk, err);
    if (rc == YM_OK) {
        rc = write_pem(key, pem, err);
    }
    if (rc == YM_OK) {
        rc = write_jwks(jwk, jwks, err);
    }
    if (rc == YM_OK) {
        printf("%s\n%s\n", pem, jwks);
    }
    json_decref(jwk);
    EVP_PKEY_free(key);
    return rc;
}

static int run(int argc, char **argv)
{
    static const struct ym_opt opts[] = {{NULL, NULL, NULL}};
    const char *words[2];
    struct ym_err err = {0};
    size_t n;
    if (!ym_tool_options(&ym_tool_keys, argc, argv, opts, words, 2, 2, &n)) {
        return YM_EXIT_USAGE;
    }
    if (strcmp(words[0], "new") != 0) {
        ym_tool_help(&ym_tool_keys, true);
        return YM_EXIT_USAGE;
    }
    return make(words[1], &err) == YM_OK ? YM_EXIT_OK : ym_tool_error(&err, false);
}

const struct ym_tool ym_tool_keys = {
    "keys",
    "make a key pair for signing tokens",
    "usage: yimen keys new DIR\n\n"
    "Writes DIR/key.pem (EC P-256, mode 0600) and DIR/jwks.json (the public half, for auth: in\n"
    "yimen.yaml). Files that are there already are never overwritten.\n",
    run,
};
