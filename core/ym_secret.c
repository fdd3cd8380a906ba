/* SPDX-License-Identifier: Apache-2.0
 * Secrets by reference: read whole, checked, wiped by whoever frees them.
 */
#include "ym_secret.h"

#include "ym_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void ym_secret_free(char *value)
{
    if (value != NULL) {
        ym_wipe(value, strlen(value));
        free(value);
    }
}

/* The bytes of an open file as text without its last line end. */
static ym_status read_value(int fd, const char *path, char **ret, struct ym_err *err)
{
    char *value = calloc(1, YM_SECRET_BYTES_MAX + 2);
    size_t n = 0;
    ssize_t got;

    if (value == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    do {
        got = read(fd, value + n, YM_SECRET_BYTES_MAX + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && n <= YM_SECRET_BYTES_MAX) || (got < 0 && errno == EINTR));
    if (got < 0 || n > YM_SECRET_BYTES_MAX || memchr(value, '\0', n) != NULL) {
        ym_wipe(value, n);
        free(value);
        return ym_err_at(err, YM_EAUTH, path, 0, 0,
                         "the secret cannot be used: it must be a text file of at most 64 KiB");
    }
    if (n > 0 && value[n - 1] == '\n') {
        value[--n] = '\0';
        if (n > 0 && value[n - 1] == '\r') {
            value[--n] = '\0';
        }
    }
    if (n == 0) {
        free(value);
        return ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret is empty");
    }
    *ret = value;
    return YM_OK;
}

static ym_status resolve_file(const char *path, char **ret, struct ym_err *err)
{
    struct stat st;
    ym_status rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret cannot be read: %s",
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = ym_err_at(err, YM_EAUTH, path, 0, 0, "the secret is not a regular file");
    } else if ((st.st_mode & 077) != 0) {
        rc = ym_err_at(err, YM_EAUTH, path, 0, 0,
                       "others can read this secret (mode %04o); set it to 0600",
                       (unsigned)(st.st_mode & 07777));
    } else {
        rc = read_value(fd, path, ret, err);
    }
    (void)close(fd);
    return rc;
}

static ym_status resolve_env(const char *name, char **ret, struct ym_err *err)
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        return ym_err_set(err, YM_EAUTH, "the environment variable %s is not set", name);
    }
    *ret = strdup(value);
    return *ret != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

ym_status ym_secret_resolve(const char *reference, char **ret, struct ym_err *err)
{
    if (strncmp(reference, "file:", 5) == 0) {
        return resolve_file(reference + 5, ret, err);
    }
    if (strncmp(reference, "env:", 4) == 0) {
        return resolve_env(reference + 4, ret, err);
    }
    /* What stands there may be the secret itself, so it is not quoted. */
    return ym_err_set(err, YM_EAUTH, "a secret must be given as file:PATH or env:NAME");
}
