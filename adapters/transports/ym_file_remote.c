/* SPDX-License-Identifier: Apache-2.0
 * A folder behind SFTP, FTP or FTPS, on one libcurl handle that keeps its connection.
 */
#include "ym_file.h"

#include "ym_time.h"

#include <limits.h>
#include <sys/socket.h>

static size_t read_content(char *out, size_t size, size_t n, void *user)
{
    struct ym_str *left = user;

    n *= size;
    n = n < left->n ? n : left->n;
    if (n > 0) {
        memcpy(out, left->p, n);
        left->p += n;
        left->n -= n;
    }
    return n;
}

static size_t write_content(char *data, size_t size, size_t n, void *user)
{
    return ym_buf_add(user, data, size * n) == YM_OK ? size * n : CURL_WRITEFUNC_ERROR;
}

static size_t drop_content(char *data, size_t size, size_t n, void *user)
{
    (void)data;
    (void)user;
    return size * n;
}

static void set_sign_in(struct ym_link *l)
{
    const struct ym_file_settings *s = &l->settings;
    const char *password = ym_secret(l->secrets, "password");
    const char *passphrase = ym_secret(l->secrets, "passphrase");

    if (s->user != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_USERNAME, s->user);
    }
    if (password != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_PASSWORD, password);
    }
    if (!l->sftp) {
        return;
    }
    /* curl accepts a host only when it matches: there is no callback that could say yes. */
    if (s->known_hosts != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_SSH_KNOWNHOSTS, s->known_hosts);
    }
    if (s->host_key_sha256 != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, s->host_key_sha256);
    }
    if (s->private_key != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_SSH_AUTH_TYPES, (long)CURLSSH_AUTH_PUBLICKEY);
        (void)curl_easy_setopt(l->easy, CURLOPT_SSH_PRIVATE_KEYFILE, s->private_key);
        if (s->public_key != NULL) {
            (void)curl_easy_setopt(l->easy, CURLOPT_SSH_PUBLIC_KEYFILE, s->public_key);
        }
        (void)curl_easy_setopt(l->easy, CURLOPT_KEYPASSWD, passphrase != NULL ? passphrase : "");
    } else {
        (void)curl_easy_setopt(l->easy, CURLOPT_SSH_AUTH_TYPES, (long)CURLSSH_AUTH_PASSWORD);
    }
}

/* The handle, fresh but for its connection, aimed at path below the folder. NULL: out of memory. */
static CURL *aim(struct ym_link *l, const char *path)
{
    int64_t left = l->deadline_ms - ym_tick_ms();
    long total = left < 1 ? 1 : left > INT_MAX ? INT_MAX : (long)left;
    int64_t connect = l->settings.connect_timeout_ms;
    struct ym_buf url;
    const char *p, *end;
    bool ok;

    if (l->easy == NULL) {
        l->easy = curl_easy_init();
    }
    if (l->easy == NULL) {
        return NULL;
    }
    curl_easy_reset(l->easy);
    ym_buf_init(&url, 8192);
    (void)ym_buf_adds(&url, l->base_url);
    for (p = path; *p != '\0'; p = *end != '\0' ? end + 1 : end) {
        end = p + strcspn(p, "/");
        (void)ym_buf_add_uri(&url, (struct ym_str){p, (size_t)(end - p)});
        (void)ym_buf_adds(&url, *end != '\0' ? "/" : "");
    }
    ok = url.failed == YM_OK && curl_easy_setopt(l->easy, CURLOPT_URL, url.p) == CURLE_OK &&
         curl_easy_setopt(l->easy, CURLOPT_PROTOCOLS_STR, "sftp,ftp,ftps") == CURLE_OK;
    ym_buf_clear(&url);
    if (!ok) {
        return NULL;
    }
    (void)curl_easy_setopt(l->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(l->easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(l->easy, CURLOPT_TIMEOUT_MS, total);
    (void)curl_easy_setopt(l->easy, CURLOPT_CONNECTTIMEOUT_MS,
                           connect < total ? (long)connect : total);
    (void)curl_easy_setopt(l->easy, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
    if (l->settings.ca_file != NULL) {
        (void)curl_easy_setopt(l->easy, CURLOPT_CAINFO, l->settings.ca_file);
    }
    if (l->settings.tls == YM_FILE_TLS_EXPLICIT) {
        (void)curl_easy_setopt(l->easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    }
    set_sign_in(l);
    return l->easy;
}

static enum ym_file_result result_of(struct ym_link *l, CURLcode rc)
{
    if (rc == CURLE_OK) {
        return YM_FILE_DONE;
    }
    l->problem = curl_easy_strerror(rc);
    switch (rc) {
    case CURLE_REMOTE_FILE_NOT_FOUND:
        return YM_FILE_ABSENT;
    case CURLE_QUOTE_ERROR:
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_DISK_FULL:
    case CURLE_UPLOAD_FAILED:
    case CURLE_FTP_COULDNT_RETR_FILE:
        return YM_FILE_REFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_LOGIN_DENIED:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return YM_FILE_FAILED;
    default:
        return YM_FILE_UNCLEAR;
    }
}

static enum ym_file_result out_of_memory(struct ym_link *l)
{
    l->problem = "out of memory";
    return YM_FILE_FAILED;
}

static enum ym_file_result remote_put(struct ym_link *l, const char *path, struct ym_str content)
{
    struct ym_str left = content;
    CURL *e = aim(l, path);

    if (e == NULL) {
        return out_of_memory(l);
    }
    (void)curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(e, CURLOPT_READFUNCTION, read_content);
    (void)curl_easy_setopt(e, CURLOPT_READDATA, &left);
    (void)curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)content.n);
    return result_of(l, curl_easy_perform(e));
}

static enum ym_file_result read_once(struct ym_link *l, const char *path, struct ym_buf *content,
                                     bool fresh)
{
    CURL *e = aim(l, path);
    CURLcode rc;

    if (e == NULL) {
        return out_of_memory(l);
    }
    ym_buf_reset(content);
    (void)ym_buf_adds(content, "");
    (void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    /*
     * curl before 8.17 takes an empty file on a kept SFTP connection for a lost connection: 7.88
     * signs in again, 8.14 fails with "too many redirects" (curl issue 19165). A handle set to
     * "receive", a word of RTSP without meaning here, is the one kind whose reads may be empty.
     */
    (void)curl_easy_setopt(e, CURLOPT_RTSP_REQUEST, (long)CURL_RTSPREQ_RECEIVE);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_content);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, content);
    rc = curl_easy_perform(e);
    if (rc == CURLE_WRITE_ERROR) {
        l->problem = "the file is too large";
        return YM_FILE_REFUSED;
    }
    return result_of(l, rc);
}

/* A read may be repeated, so what a kept connection leaves unclear is asked again on a new one. */
static enum ym_file_result remote_get(struct ym_link *l, const char *path, struct ym_buf *content)
{
    enum ym_file_result how = read_once(l, path, content, false);
    long opened = 0;

    if (how == YM_FILE_UNCLEAR && l->deadline_ms > ym_tick_ms() &&
        curl_easy_getinfo(l->easy, CURLINFO_NUM_CONNECTS, &opened) == CURLE_OK && opened == 0) {
        ym_file_hang_up(l);
        how = read_once(l, path, content, true);
    }
    return how;
}

/* Up to two commands on the folder; names hold no quotes, backslashes or control characters. */
static enum ym_file_result command(struct ym_link *l, const char *first, const char *second)
{
    struct curl_slist *list = curl_slist_append(NULL, first), *longer;
    CURL *e = list != NULL ? aim(l, "") : NULL;
    enum ym_file_result how;

    if (second != NULL && list != NULL) {
        longer = curl_slist_append(list, second);
        e = longer != NULL ? e : NULL;
    }
    if (e == NULL) {
        how = out_of_memory(l);
    } else {
        (void)curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, drop_content);
        (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, drop_content);
        (void)curl_easy_setopt(e, CURLOPT_QUOTE, list);
        how = result_of(l, curl_easy_perform(e));
        (void)curl_easy_setopt(e, CURLOPT_QUOTE, NULL);
    }
    curl_slist_free_all(list);
    return how;
}

static enum ym_file_result remote_rename(struct ym_link *l, const char *from, const char *to)
{
    enum ym_file_result how = YM_FILE_FAILED;
    struct ym_buf first, second;

    ym_buf_init(&first, 8192);
    ym_buf_init(&second, 8192);
    if (l->sftp) {
        (void)ym_buf_addf(&first, "rename \"%s%s\" \"%s%s\"", l->folder, from, l->folder, to);
    } else {
        (void)ym_buf_addf(&first, "RNFR %s%s", l->folder, from);
        (void)ym_buf_addf(&second, "RNTO %s%s", l->folder, to);
    }
    if (first.failed == YM_OK && second.failed == YM_OK) {
        how = command(l, first.p, second.p);
    } else {
        l->problem = "the path is too long";
    }
    ym_buf_clear(&first);
    ym_buf_clear(&second);
    return how;
}

static enum ym_file_result remote_remove(struct ym_link *l, const char *path)
{
    enum ym_file_result how = YM_FILE_FAILED;
    struct ym_buf line;

    ym_buf_init(&line, 8192);
    if (ym_buf_addf(&line, l->sftp ? "rm \"%s%s\"" : "DELE %s%s", l->folder, path) == YM_OK) {
        how = command(l, line.p, NULL);
    }
    ym_buf_clear(&line);
    return how;
}

/*
 * curl 8.14 forgets the memory of an SFTP session (84 KB) that does not end at once, because it
 * does not wait for the server's goodbye (curl issue 19293). On a closed socket it ends at once.
 */
void ym_file_hang_up(struct ym_link *l)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (l->easy != NULL && l->sftp &&
        curl_easy_getinfo(l->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

const struct ym_file_place ym_file_remote = {remote_put, remote_get, remote_rename, remote_remove};
