/* SPDX-License-Identifier: Apache-2.0
 * yimen token: signs a bearer token for operators and tests; "verify" hands over to the verifier.
 * libjwt signs, ym_jwt verifies.
 */
#include "ym_conf.h"
#include "ym_jwk.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <jwt.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEY_BYTES (32u << 10)
#define TTL_MAX_MS (31 * 86400000LL) /* a longer one is a password that nobody changes */

struct job {
    const char *sub, *role, *area, *org, *iss, *aud, *ttl, *key, *alg, *kid;
};

static ym_status read_key(const struct job *job, struct ym_arena *a, struct ym_str *ret,
                          struct ym_err *err)
{
    struct stat st;
    if (stat(job->key, &st) == 0 && (st.st_mode & 077) != 0) {
        return ym_err_at(err, YM_EAUTH, job->key, 0, 0, "others may read it; chmod 600");
    }
    return ym_tool_read(job->key, KEY_BYTES, a, ret, err);
}

/* Algorithm and key id from the key itself. */
static ym_status describe(struct ym_str pem, const char **ret_alg, char kid[64], struct ym_err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    json_t *jwk = NULL;
    ym_status rc;
    if (key == NULL) {
        rc = ym_err_set(err, YM_EINVAL, "the key file holds no private key in PEM form");
    } else {
        rc = ym_jwk_public(key, &jwk, err);
    }
    if (rc == YM_OK) {
        *ret_alg = strcmp(ym_json_str(jwk, "alg"), "RS256") == 0 ? "RS256" : "ES256";
        snprintf(kid, 64, "%s", ym_json_str(jwk, "kid"));
    }
    json_decref(jwk);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return rc;
}

static bool add_roles(jwt_t *jwt, const char *roles)
{
    json_t *list = json_array(), *claims;
    for (const char *p = roles; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        json_array_append_new(list, json_stringn(p, n));
        p += n + (p[n] == ',');
    }
    claims = json_pack("{s:o}", "roles", list);
    char *text = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
    bool ok = text != NULL && jwt_add_grants_json(jwt, text) == 0;
    free(text);
    json_decref(claims);
    return ok;
}

static bool add_claims(jwt_t *jwt, const struct job *job, int64_t ttl_ms)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"sub", job->sub},
                 {"area", job->area},
                 {"org", job->org},
                 {"iss", job->iss},
                 {"aud", job->aud}};
    long now = (long)(ym_now_ms() / 1000);
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        if (texts[i].value != NULL && jwt_add_grant(jwt, texts[i].name, texts[i].value) != 0) {
            return false;
        }
    }
    return add_roles(jwt, job->role) && jwt_add_grant_int(jwt, "iat", now) == 0 &&
           jwt_add_grant_int(jwt, "nbf", now) == 0 &&
           jwt_add_grant_int(jwt, "exp", now + (long)(ttl_ms / 1000)) == 0;
}

static ym_status sign(const struct job *job, const char *alg, const char *kid, struct ym_str key,
                      int64_t ttl_ms, struct ym_err *err)
{
    jwt_t *jwt = NULL;
    char *text = NULL;
    jwt_alg_t id = strcmp(alg, "ES256") == 0   ? JWT_ALG_ES256
                   : strcmp(alg, "RS256") == 0 ? JWT_ALG_RS256
                                               : JWT_ALG_HS256;
    bool ok = jwt_new(&jwt) == 0 && add_claims(jwt, job, ttl_ms) &&
              jwt_set_alg(jwt, id, (const unsigned char *)key.p, (int)key.n) == 0 &&
              (kid[0] == '\0' || jwt_add_header(jwt, "kid", kid) == 0);
    if (ok) {
        text = jwt_encode_str(jwt);
    }
    if (text != NULL) {
        puts(text);
        ym_wipe(text, strlen(text));
        free(text);
    }
    jwt_free(jwt);
    return text != NULL ? YM_OK : ym_err_set(err, YM_EIO, "the token cannot be signed");
}

static ym_status token(const struct job *job, struct ym_arena *a, struct ym_err *err)
{
    struct ym_str key = YM_STR_NULL;
    const char *alg = job->alg;
    char kid[64] = "";
    int64_t ttl_ms;
    if (!ym_duration_parse(ym_str_of(job->ttl), &ttl_ms) || ttl_ms < 1000 || ttl_ms > TTL_MAX_MS) {
        return ym_err_set(err, YM_EINVAL, "--ttl takes a duration from 1s to 31d");
    }
    ym_status rc = read_key(job, a, &key, err);
    if (rc != YM_OK) {
        return rc;
    }
    if (alg != NULL && strcmp(alg, "HS256") == 0) {
        while (key.n > 0 && (key.p[key.n - 1] == '\n' || key.p[key.n - 1] == '\r')) {
            key.n--;
        }
        if (key.n < 32) { /* RFC 7518 §3.2 */
            rc = ym_err_at(err, YM_EINVAL, job->key, 0, 0, "HS256 needs a secret of 32 bytes");
        }
    } else {
        const char *found = NULL;
        rc = describe(key, &found, kid, err);
        if (rc == YM_OK && alg != NULL && strcmp(alg, found) != 0) {
            rc = ym_err_set(err, YM_EINVAL, "this key signs %s", found);
        }
        alg = found;
    }
    if (rc == YM_OK) {
        rc = sign(job, alg, job->kid != NULL ? job->kid : kid, key, ttl_ms, err);
    }
    ym_wipe((char *)key.p, key.n);
    return rc;
}

static int run(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "verify") == 0) {
        return ym_tool_token_verify(argc - 1, argv + 1);
    }
    struct job job = {.ttl = "1h"};
    const struct ym_opt opts[] = {
        {"sub", &job.sub, NULL}, {"role", &job.role, NULL}, {"area", &job.area, NULL},
        {"org", &job.org, NULL}, {"iss", &job.iss, NULL},   {"aud", &job.aud, NULL},
        {"ttl", &job.ttl, NULL}, {"key", &job.key, NULL},   {"alg", &job.alg, NULL},
        {"kid", &job.kid, NULL}, {NULL, NULL, NULL},
    };
    struct ym_err err = {0};
    size_t n;
    if (!ym_tool_options(&ym_tool_token, argc, argv, opts, NULL, 0, 0, &n)) {
        return YM_EXIT_USAGE;
    }
    if (job.sub == NULL || job.role == NULL || job.key == NULL) {
        fputs("yimen token: --sub, --role and --key are needed\n\n", stderr);
        ym_tool_help(&ym_tool_token, true);
        return YM_EXIT_USAGE;
    }
    struct ym_arena *a = ym_arena_open();
    ym_status rc = a != NULL ? token(&job, a, &err) : ym_err_set(&err, YM_ENOMEM, "out of memory");
    ym_arena_close(a);
    return rc == YM_OK ? YM_EXIT_OK : ym_tool_error(&err, false);
}

const struct ym_tool ym_tool_token = {
    "token",
    "sign a bearer token, or say whether one holds",
    "usage: yimen token verify --jwks FILE [--iss URL] [--aud NAME] [--alg ALG[,ALG]] [--skew "
    "30s]\n"
    "                   [--json] TOKEN|-\n"
    "       yimen token --sub WHO --role ROLE[,ROLE] --key FILE [--area CODE] [--org NAME]\n"
    "                   [--iss URL] [--aud NAME] [--ttl 1h] [--alg ES256|RS256|HS256] [--kid "
    "ID]\n\n"
    "  --key   private key in PEM form (the algorithm follows from it), or the secret for HS256;\n"
    "          a file that others may read is refused\n"
    "  --role  staff, supervisor, operator, auditor, admin\n"
    "  --ttl   at most 31d\n\n"
    "Prints the token and nothing else.\n\n"
    "verify checks a token as the gateway does (form, signature, type, times; issuer and audience\n"
    "when given) and says why it is refused. \"-\" reads it from standard input, so that it "
    "stands\n"
    "in no list of processes. Exit codes: 0 it holds, 1 it is refused, 2 wrong usage, 3 the key "
    "set\n"
    "cannot be read.\n",
    run,
};
