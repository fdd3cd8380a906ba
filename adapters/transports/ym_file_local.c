/* SPDX-License-Identifier: Apache-2.0
 * A local or mounted folder: every step is on disk before the next begins.
 */
#include "ym_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640
#define LOCAL_PATH_MAX 1900 /* two of them fit on the stack we allow */

static enum ym_file_result failed(struct ym_link *l, enum ym_file_result how)
{
    l->problem = strerror(errno); /* static text in glibc for known numbers; copied by the caller */
    return how;
}

/* folder + path. False when it does not fit. */
static bool full_path(struct ym_link *l, const char *path, char out[LOCAL_PATH_MAX])
{
    int n = snprintf(out, LOCAL_PATH_MAX, "%s%s", l->folder, path);

    if (n < 0 || n >= LOCAL_PATH_MAX) {
        l->problem = "the path is too long";
        return false;
    }
    return true;
}

/* The entry itself must survive a power cut, not only the bytes. */
static int sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    int fd, rc;

    if (slash == NULL) {
        return -1;
    }
    *slash = '\0';
    fd = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (fd < 0) {
        return -1;
    }
    rc = fsync(fd);
    (void)close(fd);
    return rc;
}

static int write_all(int fd, struct ym_str content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        content.p += n;
        content.n -= (size_t)n;
    }
    return fsync(fd);
}

static enum ym_file_result local_put(struct ym_link *l, const char *path, struct ym_str content)
{
    char full[LOCAL_PATH_MAX];
    int fd, rc;

    if (!full_path(l, path, full)) {
        return YM_FILE_REFUSED;
    }
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return failed(l, YM_FILE_REFUSED);
    }
    rc = write_all(fd, content);
    if (close(fd) != 0 || rc != 0 || sync_folder_of(full) != 0) {
        return failed(l, YM_FILE_UNCLEAR);
    }
    return YM_FILE_DONE;
}

static enum ym_file_result local_get(struct ym_link *l, const char *path, struct ym_buf *content)
{
    char full[LOCAL_PATH_MAX], chunk[2048];
    struct stat st;
    ssize_t n = -1;
    int fd;

    if (!full_path(l, path, full)) {
        return YM_FILE_REFUSED;
    }
    fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return failed(l, errno == ENOENT ? YM_FILE_ABSENT : YM_FILE_REFUSED);
    }
    (void)ym_buf_adds(content, "");
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        do {
            n = read(fd, chunk, sizeof(chunk));
        } while ((n > 0 && ym_buf_add(content, chunk, (size_t)n) == YM_OK) ||
                 (n < 0 && errno == EINTR));
    }
    (void)close(fd);
    if (n != 0) {
        l->problem = content->failed != YM_OK ? "the file is too large" : "the file cannot be read";
        return YM_FILE_REFUSED;
    }
    return YM_FILE_DONE;
}

static enum ym_file_result local_rename(struct ym_link *l, const char *from, const char *to)
{
    char full_from[LOCAL_PATH_MAX], full_to[LOCAL_PATH_MAX];

    if (!full_path(l, from, full_from) || !full_path(l, to, full_to)) {
        return YM_FILE_REFUSED;
    }
    if (rename(full_from, full_to) != 0) {
        return failed(l, YM_FILE_REFUSED);
    }
    return sync_folder_of(full_to) == 0 ? YM_FILE_DONE : failed(l, YM_FILE_UNCLEAR);
}

static enum ym_file_result local_remove(struct ym_link *l, const char *path)
{
    char full[LOCAL_PATH_MAX];

    if (!full_path(l, path, full)) {
        return YM_FILE_REFUSED;
    }
    return unlink(full) == 0 || errno == ENOENT ? YM_FILE_DONE : failed(l, YM_FILE_REFUSED);
}

const struct ym_file_place ym_file_local = {local_put, local_get, local_rename, local_remove};
