/* SPDX-License-Identifier: Apache-2.0
 * yimen keys: a new key pair for bearer tokens; the private half as PEM (0600), the public as JWKS.
 */
#include "ym_jwk.h"
#include "ym_tool.h"
#include "ym_tool_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
    ym_status rc = ym_jwk_public(key, &jwk, err);
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
    static const char *const others[] = {"ring", "rotate", "reseal", "drop"};
    const char *words[2];
    struct ym_err err = {0};
    size_t n;
    for (size_t i = 0; argc > 0 && i < YM_COUNT(others); i++) {
        if (strcmp(argv[0], others[i]) == 0) {
            return ym_tool_ring_run(argc, argv);
        }
    }
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
    "make keys for tokens and for data at rest, and rotate the latter",
    "usage: yimen keys new DIR\n"
    "       yimen keys ring FILE [--alg A256GCM|SM4-GCM]\n"
    "       yimen keys rotate [--alg …] [--config FILE]\n"
    "       yimen keys reseal [--dry-run] [--json] [--config FILE]\n"
    "       yimen keys drop KID [--force] [--config FILE]\n\n"
    "  new     writes DIR/key.pem (EC P-256, mode 0600) and DIR/jwks.json (the public half, for "
    "auth:\n"
    "          in yimen.yaml). Files that are there already are never overwritten.\n"
    "  ring    makes a key ring (auth: ring:) that seals records, accounts, sessions and the "
    "vault\n"
    "  rotate  puts a new key first: it seals from the next reload on, the old ones still open\n"
    "  reseal  seals everything in Redis with the first key, beside the running system, and says\n"
    "          what is left under each old one; plain records become sealed ones\n"
    "  drop    takes out an old key that nothing is sealed with any more\n",
    run,
};
