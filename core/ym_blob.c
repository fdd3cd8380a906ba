/* SPDX-License-Identifier: Apache-2.0
 * Writing and reading the files of attachments (ym_blob.h).
 */
#include "ym_blob.h"

#include "ym_id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW "new" /* the folder of files that are being written */
#define PATH_BYTES 1200
#define FLAG_LAST 1
#define FLAG_SEALED 2
#define HEAD 5
#define PIECE_MAX (YM_BLOB_PIECE + YM_SEAL_OVERHEAD)

struct ym_blob_writer {
    const struct ym_blob_store *store;
    char id[YM_ID_LEN + 1];
    char path[PATH_BYTES];
    int fd;
    unsigned piece;
    EVP_MD_CTX *sum;
    struct ym_buf out; /* one piece as it is written */
};

struct ym_blob_reader {
    const struct ym_blob_store *store;
    char id[YM_ID_LEN + 1];
    int fd;
    unsigned piece;
    bool ended;
    struct ym_buf in;
};

static ym_status trouble(struct ym_err *err, const char *what)
{
    return ym_err_set(err, YM_EIO, "an attachment's file cannot be %s: %s", what, strerror(errno));
}

/* ---- folders and names ---- */

static ym_status folder(const char *path, mode_t mode, struct ym_err *err)
{
    return mkdir(path, mode) == 0 || errno == EEXIST ? YM_OK : trouble(err, "given a folder");
}

ym_status ym_blob_folders(const char *state_dir, struct ym_err *err)
{
    char path[PATH_BYTES];
    ym_status rc = folder(state_dir, 0711, err);

    (void)snprintf(path, sizeof(path), "%s/" YM_BLOB_DIR, state_dir);
    rc = rc == YM_OK ? folder(path, 0700, err) : rc;
    (void)snprintf(path, sizeof(path), "%s/" YM_BLOB_DIR "/" NEW, state_dir);
    return rc == YM_OK ? folder(path, 0700, err) : rc;
}

ym_status ym_blob_name(const struct ym_ring *ring, const char *id, struct ym_str sha256,
                       char out[YM_BLOB_NAME])
{
    char digest[YM_DIGEST_HEX];
    ym_status rc = YM_OK;

    if (sha256.n != YM_SHA256_HEX - 1) {
        return YM_EINVAL;
    }
    if (ring != NULL) {
        rc = ym_ring_digest(ring, "attachment", sha256, digest);
    } else {
        memcpy(digest, sha256.p, sha256.n);
        digest[sha256.n] = '\0';
    }
    (void)snprintf(out, YM_BLOB_NAME, "%s.%s", rc == YM_OK ? digest : "", id);
    return rc;
}

static ym_status place(const struct ym_blob_store *s, const struct ym_ring *ring, const char *id,
                       struct ym_str sha256, char path[PATH_BYTES])
{
    char name[YM_BLOB_NAME];
    ym_status rc = ym_blob_name(ring, id, sha256, name);
    int n = snprintf(path, PATH_BYTES, "%s/" YM_BLOB_DIR "/%.2s/%s", s->state_dir, name, name);

    return n >= PATH_BYTES ? YM_ETOOBIG : rc;
}

static bool hold_id(const char *id, char out[YM_ID_LEN + 1])
{
    if (!ym_id_valid(ym_str_of(id))) {
        return false;
    }
    memcpy(out, id, YM_ID_LEN + 1);
    return true;
}

static void context_of(const char *id, unsigned piece, bool last, char out[64])
{
    (void)snprintf(out, 64, "attachment:%s:%u:%c", id, piece, last ? 'l' : 'm');
}

/* ---- writing ---- */

ym_status ym_blob_create(const struct ym_blob_store *s, const char *id, struct ym_blob_writer **ret,
                         struct ym_err *err)
{
    struct ym_blob_writer *w = calloc(1, sizeof(*w));
    ym_status rc = YM_OK;

    if (w == NULL || !hold_id(id, w->id)) {
        free(w);
        return ym_err_set(err, w == NULL ? YM_ENOMEM : YM_EINVAL, "no room, or no id");
    }
    w->store = s;
    ym_buf_init(&w->out, HEAD + PIECE_MAX + 1);
    w->sum = EVP_MD_CTX_new();
    w->fd = -1;
    if (w->sum == NULL || EVP_DigestInit_ex(w->sum, EVP_sha256(), NULL) != 1) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    (void)snprintf(w->path, sizeof(w->path), "%s/" YM_BLOB_DIR "/" NEW "/%s", s->state_dir, id);
    if (rc == YM_OK) {
        w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (w->fd < 0 && errno == ENOENT && ym_blob_folders(s->state_dir, err) == YM_OK) {
            w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        }
        rc = w->fd >= 0 ? YM_OK : trouble(err, "made");
    }
    if (rc != YM_OK) {
        ym_blob_drop(w);
        return rc;
    }
    *ret = w;
    return YM_OK;
}

static ym_status write_all(int fd, struct ym_str text, struct ym_err *err)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return trouble(err, "written");
        }
        text.p += n;
        text.n -= (size_t)n;
    }
    return YM_OK;
}

/* The piece as it stands in the file, into out. */
static ym_status pack(const struct ym_ring *ring, const char *id, unsigned piece, bool last,
                      struct ym_str bytes, struct ym_buf *out, struct ym_err *err)
{
    char context[64],
        head[HEAD] = {(char)((last ? FLAG_LAST : 0) | (ring != NULL ? FLAG_SEALED : 0))};
    size_t n;
    ym_status rc;

    context_of(id, piece, last, context);
    ym_buf_reset(out);
    ym_buf_add(out, head, HEAD);
    rc = ring != NULL ? ym_seal(ring, ym_str_of(context), bytes, out, err)
                      : ym_buf_add(out, bytes.p != NULL ? bytes.p : "", bytes.n);
    if (rc != YM_OK || out->failed != YM_OK) {
        return ym_err_set(err, rc != YM_OK ? rc : out->failed, "a piece cannot be sealed");
    }
    n = out->n - HEAD;
    for (int i = 0; i < 4; i++) {
        out->p[1 + i] = (char)(n >> (24 - 8 * i));
    }
    return YM_OK;
}

ym_status ym_blob_write(struct ym_blob_writer *w, struct ym_str bytes, bool last,
                        struct ym_err *err)
{
    ym_status rc;

    if (bytes.n > YM_BLOB_PIECE) {
        return ym_err_set(err, YM_ETOOBIG, "a piece is too large");
    }
    if (bytes.n > 0 && EVP_DigestUpdate(w->sum, bytes.p, bytes.n) != 1) {
        return ym_err_set(err, YM_EIO, "the digest fails");
    }
    rc = pack(w->store->ring, w->id, w->piece++, last, bytes, &w->out, err);
    return rc == YM_OK ? write_all(w->fd, ym_buf_str(&w->out), err) : rc;
}

/* The name is on disk when its folder is. */
static ym_status sync_folder(const char *path, struct ym_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return ok ? YM_OK : trouble(err, "synced");
}

static ym_status move(const char *from, char *to, struct ym_err *err)
{
    char *slash = strrchr(to, '/');
    bool fresh;
    ym_status rc;

    *slash = '\0';
    fresh = mkdir(to, 0700) == 0;
    *slash = '/';
    if (rename(from, to) != 0) {
        return trouble(err, "put into place");
    }
    *slash = '\0';
    rc = sync_folder(to, err);
    if (rc == YM_OK && fresh) {
        char *up = strrchr(to, '/');
        *up = '\0';
        rc = sync_folder(to, err);
        *up = '/';
    }
    *slash = '/';
    return rc;
}

ym_status ym_blob_keep(struct ym_blob_writer *w, char ret_sha256[YM_SHA256_HEX], struct ym_err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char path[PATH_BYTES];
    unsigned n = 0;
    ym_status rc;

    if (EVP_DigestFinal_ex(w->sum, sum, &n) != 1 || n != YM_SHA256_LEN) {
        rc = ym_err_set(err, YM_EIO, "the digest fails");
    } else if (fsync(w->fd) != 0) {
        rc = trouble(err, "synced");
    } else {
        ym_hex(sum, YM_SHA256_LEN, false, ret_sha256);
        rc = place(w->store, w->store->ring, w->id, (struct ym_str){ret_sha256, YM_SHA256_HEX - 1},
                   path);
        rc = rc == YM_OK ? move(w->path, path, err) : ym_err_set(err, rc, "no name for the file");
    }
    if (rc == YM_OK) {
        w->path[0] = '\0';
    }
    ym_blob_drop(w);
    return rc;
}

void ym_blob_drop(struct ym_blob_writer *w)
{
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        (void)close(w->fd);
        if (w->path[0] != '\0') {
            (void)unlink(w->path);
        }
    }
    EVP_MD_CTX_free(w->sum);
    ym_buf_wipe(&w->out);
    free(w);
}

/* ---- reading ---- */

ym_status ym_blob_open(const struct ym_blob_store *s, const char *id, struct ym_str sha256,
                       struct ym_blob_reader **ret, struct ym_err *err)
{
    struct ym_blob_reader *r = calloc(1, sizeof(*r));
    char path[PATH_BYTES];
    ym_status rc;

    if (r == NULL || !hold_id(id, r->id)) {
        free(r);
        return ym_err_set(err, r == NULL ? YM_ENOMEM : YM_EINVAL, "no room, or no id");
    }
    r->store = s;
    r->fd = -1;
    ym_buf_init(&r->in, PIECE_MAX + 1);
    rc = place(s, s->ring, id, sha256, path);
    if (rc == YM_OK) {
        r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (r->fd < 0 && s->ring != NULL) { /* from before there was a ring */
        rc = place(s, NULL, id, sha256, path);
        r->fd = rc == YM_OK ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    }
    if (r->fd < 0) {
        rc = errno == ENOENT ? ym_err_set(err, YM_ENOTFOUND, "the attachment's file is gone")
                             : trouble(err, "opened");
        ym_blob_close(r);
        return rc;
    }
    *ret = r;
    return YM_OK;
}

/* n bytes; *ret_got: how many there were. */
static ym_status read_some(int fd, char *p, size_t n, size_t *ret_got, struct ym_err *err)
{
    size_t got = 0;

    while (got < n) {
        ssize_t k = read(fd, p + got, n - got);

        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return trouble(err, "read");
        }
        if (k == 0) {
            break;
        }
        got += (size_t)k;
    }
    *ret_got = got;
    return YM_OK;
}

/* → flags of the next piece, its bytes in in; YM_ENOTFOUND: the file ends here. */
static ym_status next_piece(int fd, struct ym_buf *in, unsigned *ret_flags, struct ym_err *err)
{
    unsigned char head[HEAD];
    size_t n, got = 0;
    ym_status rc = read_some(fd, (char *)head, HEAD, &got, err);

    if (rc != YM_OK || got == 0) {
        return rc != YM_OK ? rc : YM_ENOTFOUND;
    }
    n = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    if (got != HEAD || head[0] > (FLAG_LAST | FLAG_SEALED) || n > PIECE_MAX) {
        return ym_err_set(err, YM_EAUTH, "the attachment's file is broken");
    }
    ym_buf_reset(in);
    rc = ym_buf_reserve(in, n + 1);
    if (rc == YM_OK) {
        rc = read_some(fd, in->p, n, &got, err);
    }
    if (rc == YM_OK && got != n) {
        rc = ym_err_set(err, YM_EAUTH, "the attachment's file ends too early");
    }
    in->n = rc == YM_OK ? n : 0;
    *ret_flags = head[0];
    return rc;
}

ym_status ym_blob_read(struct ym_blob_reader *r, struct ym_buf *out, bool *ret_last,
                       struct ym_err *err)
{
    char context[64];
    unsigned flags = 0;
    bool last;
    ym_status rc = r->ended ? YM_ENOTFOUND : next_piece(r->fd, &r->in, &flags, err);

    if (rc != YM_OK) {
        return rc == YM_ENOTFOUND ? ym_err_set(err, YM_EAUTH, "the attachment's file was cut") : rc;
    }
    last = (flags & FLAG_LAST) != 0;
    context_of(r->id, r->piece++, last, context);
    if ((flags & FLAG_SEALED) == 0) {
        rc = r->in.n > 0 ? ym_buf_add(out, r->in.p, r->in.n) : YM_OK;
    } else if (r->store->ring == NULL) {
        rc = ym_err_set(err, YM_EAUTH, "the attachment is sealed, and there is no key ring");
    } else {
        rc = ym_unseal(r->store->ring, ym_str_of(context), ym_buf_str(&r->in), out, err);
    }
    r->ended = last;
    *ret_last = last;
    return rc;
}

void ym_blob_close(struct ym_blob_reader *r)
{
    if (r == NULL) {
        return;
    }
    if (r->fd >= 0) {
        (void)close(r->fd);
    }
    ym_buf_wipe(&r->in);
    free(r);
}

ym_status ym_blob_remove(const struct ym_blob_store *s, const char *id, struct ym_str sha256,
                         struct ym_err *err)
{
    char path[PATH_BYTES];
    ym_status rc = place(s, s->ring, id, sha256, path);

    if (rc != YM_OK) {
        return ym_err_set(err, rc, "no name for the file");
    }
    return unlink(path) == 0 || errno == ENOENT ? YM_OK : trouble(err, "removed");
}

/* ---- all of them ---- */

static bool walk_folder(const char *dir, const char *name, ym_blob_each *each, void *data)
{
    char path[PATH_BYTES + 300];
    DIR *h;
    struct dirent *e;
    struct stat st;
    bool goes_on = true;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    h = opendir(path);
    if (h == NULL) {
        return true;
    }
    while (goes_on && (e = readdir(h)) != NULL) {
        if (e->d_name[0] != '.' && fstatat(dirfd(h), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode)) {
            goes_on = each(data, name, e->d_name,
                           (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
        }
    }
    (void)closedir(h);
    return goes_on;
}

ym_status ym_blob_walk(const char *state_dir, ym_blob_each *each, void *data, struct ym_err *err)
{
    char dir[PATH_BYTES];
    DIR *h;
    struct dirent *e;
    bool goes_on = true;

    (void)snprintf(dir, sizeof(dir), "%s/" YM_BLOB_DIR, state_dir);
    h = opendir(dir);
    if (h == NULL) {
        return errno == ENOENT ? YM_OK : trouble(err, "listed");
    }
    while (goes_on && (e = readdir(h)) != NULL) {
        if (e->d_name[0] != '.') {
            goes_on = walk_folder(dir, e->d_name, each, data);
        }
    }
    (void)closedir(h);
    return YM_OK;
}

/* ---- other keys ---- */

/* Piece by piece from one file into another; the first piece says whether that is needed. */
static ym_status copy_anew(const struct ym_blob_store *s, const char *id, int from, int to,
                           struct ym_err *err)
{
    struct ym_blob_reader r = {.store = s, .fd = from};
    struct ym_buf plain, out;
    unsigned piece = 0;
    bool last = false;
    ym_status rc = hold_id(id, r.id) ? YM_OK : YM_EINVAL;

    ym_buf_init(&r.in, PIECE_MAX + 1);
    ym_buf_init(&plain, PIECE_MAX + 1);
    ym_buf_init(&out, HEAD + PIECE_MAX + 1);
    while (rc == YM_OK && !last) {
        ym_buf_reset(&plain);
        rc = ym_blob_read(&r, &plain, &last, err);
        rc = rc == YM_OK ? pack(s->ring, id, piece++, last, ym_buf_str(&plain), &out, err) : rc;
        rc = rc == YM_OK ? write_all(to, ym_buf_str(&out), err) : rc;
    }
    if (rc == YM_OK && fsync(to) != 0) {
        rc = trouble(err, "synced");
    }
    ym_buf_wipe(&r.in);
    ym_buf_wipe(&plain);
    ym_buf_wipe(&out);
    return rc;
}

static ym_status first_kid(int fd, char kid[YM_SEAL_KID_MAX + 1], struct ym_err *err)
{
    struct ym_buf in;
    unsigned flags = 0;
    ym_status rc;

    ym_buf_init(&in, PIECE_MAX + 1);
    rc = next_piece(fd, &in, &flags, err);
    kid[0] = '\0';
    if (rc == YM_OK && (flags & FLAG_SEALED) != 0) {
        (void)ym_seal_kid(ym_buf_str(&in), kid);
    }
    ym_buf_clear(&in);
    return rc == YM_OK && lseek(fd, 0, SEEK_SET) < 0 ? trouble(err, "read") : rc;
}

ym_status ym_blob_reseal(const struct ym_blob_store *s, const char *folder_name, const char *name,
                         bool only_look, char ret_kid[YM_SEAL_KID_MAX + 1], bool *ret_done,
                         struct ym_err *err)
{
    char path[PATH_BYTES], fresh[PATH_BYTES];
    const char *dot = strrchr(name, '.');
    int from, to = -1;
    ym_status rc;

    *ret_done = false;
    ret_kid[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/" YM_BLOB_DIR "/%s/%s", s->state_dir, folder_name, name);
    from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0 || dot == NULL) {
        if (from >= 0) {
            (void)close(from);
        }
        return YM_OK;
    }
    rc = first_kid(from, ret_kid, err);
    if (rc == YM_OK && !only_look && s->ring != NULL && ret_kid[0] != '\0' &&
        strcmp(ret_kid, ym_ring_kid(s->ring, 0)) != 0) {
        (void)snprintf(fresh, sizeof(fresh), "%s/" YM_BLOB_DIR "/" NEW "/%s.again", s->state_dir,
                       dot + 1);
        (void)unlink(fresh);
        to = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        rc = to >= 0 ? copy_anew(s, dot + 1, from, to, err) : trouble(err, "made");
        rc = rc == YM_OK ? move(fresh, path, err) : rc;
        *ret_done = rc == YM_OK;
    }
    if (to >= 0) {
        (void)close(to);
        if (rc != YM_OK) {
            (void)unlink(fresh);
        }
    }
    (void)close(from);
    return rc;
}
