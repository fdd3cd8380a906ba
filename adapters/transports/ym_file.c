/* SPDX-License-Identifier: Apache-2.0
 * Transport file: temporary name, rename, done-file; lookups read what the other side left.
 */
#include "ym_file.h"

#include "ym_connection.h"
#include "ym_time.h"

#include <strings.h>
#include <sys/stat.h>

static const char *const tls_words[] = {"none", "explicit", NULL};

#define AT(member) offsetof(struct ym_file_settings, member)
const struct ym_field ym_file_fields[] = {
    {"user", YM_FIELD_STRING, AT(user), NULL, 0, 0, NULL, 0,
     "Account, when the endpoint does not name it."},
    {"private_key", YM_FIELD_STRING, AT(private_key), NULL, 0, 0, NULL, 0,
     "Key file for SFTP, mode 0600; the secret passphrase opens it. Without it: secret password."},
    {"public_key", YM_FIELD_STRING, AT(public_key), NULL, 0, 0, NULL, 0,
     "Its public half; only some builds of libssh2 need it."},
    {"known_hosts", YM_FIELD_STRING, AT(known_hosts), NULL, 0, 0, NULL, 0,
     "File with the SFTP server's key, as OpenSSH writes it."},
    {"host_key_sha256", YM_FIELD_STRING, AT(host_key_sha256), NULL, 40, 44, NULL, 0,
     "Base64 SHA-256 of the SFTP server's key, instead of known_hosts."},
    {"ca_file", YM_FIELD_STRING, AT(ca_file), NULL, 0, 0, NULL, 0,
     "Certificates (PEM) an FTPS server is checked against."},
    {"tls", YM_FIELD_ENUM, AT(tls), "none", 0, 0, tls_words, 0,
     "For ftp://: explicit = AUTH TLS is demanded."},
    {"connect_timeout", YM_FIELD_DURATION, AT(connect_timeout_ms), "5s", 50, 120000, NULL, 0,
     "How long connecting and signing in may take."},
    {"max_file", YM_FIELD_SIZE, AT(max_file), "1m", 1024, 67108864, NULL, 0,
     "The largest answer file that is read."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

/* Settings ------------------------------------------------------------------------------------- */

enum scheme { SCHEME_NONE, SCHEME_LOCAL, SCHEME_SFTP, SCHEME_FTP };

static enum scheme scheme_of(const char *endpoint)
{
    if (strncasecmp(endpoint, "file:///", 8) == 0) {
        return SCHEME_LOCAL;
    }
    if (strncasecmp(endpoint, "sftp://", 7) == 0) {
        return SCHEME_SFTP;
    }
    return strncasecmp(endpoint, "ftp://", 6) == 0 || strncasecmp(endpoint, "ftps://", 7) == 0
               ? SCHEME_FTP
               : SCHEME_NONE;
}

static void file_check(const struct ym_system *sys, struct ym_diag *d)
{
    struct ym_file_settings s;
    struct ym_arena *a = ym_arena_open();
    enum scheme scheme;

    if (a == NULL) {
        return;
    }
    if (ym_connection_load(sys, ym_file_fields, &s, a, d) != YM_OK || sys->endpoint == NULL) {
        goto done;
    }
    scheme = scheme_of(sys->endpoint);
    if (scheme == SCHEME_NONE) {
        ym_connection_blame(sys, d,
                            "endpoint must begin with sftp://, ftp://, ftps:// or file:///");
    }
    if (scheme == SCHEME_SFTP && s.known_hosts == NULL && s.host_key_sha256 == NULL) {
        ym_connection_blame(sys, d,
                            "SFTP needs connection.known_hosts or connection.host_key_sha256");
    }
done:
    ym_arena_close(a);
}

/* Keys that others can read are refused, as ssh does. */
static ym_status check_key(const char *path, struct ym_err *err)
{
    struct stat st;

    if (path == NULL) {
        return YM_OK;
    }
    if (stat(path, &st) != 0) {
        return ym_err_at(err, YM_EAUTH, path, 0, 0, "the private key cannot be read");
    }
    if ((st.st_mode & 077) != 0) {
        return ym_err_at(err, YM_EAUTH, path, 0, 0,
                         "others can read this private key (mode %04o); set it to 0600",
                         (unsigned)(st.st_mode & 07777));
    }
    return YM_OK;
}

/* path (of length n) with exactly the slash at its end that joins need. */
static const char *with_slash(struct ym_arena *a, const char *path)
{
    size_t n = strlen(path);

    return ym_arena_printf(a, "%s%s", path, n > 0 && path[n - 1] == '/' ? "" : "/");
}

/* Splits the endpoint into what URLs and what commands need. */
static ym_status set_folder(struct ym_link *l, struct ym_err *err)
{
    const char *endpoint = l->sys->endpoint != NULL ? l->sys->endpoint : "";
    enum scheme scheme = scheme_of(endpoint);
    CURLU *u = scheme != SCHEME_NONE ? curl_url() : NULL;
    char *path = NULL, *url = NULL;
    ym_status rc = YM_OK;

    l->sftp = scheme == SCHEME_SFTP;
    l->place = scheme == SCHEME_LOCAL ? &ym_file_local : &ym_file_remote;
    if (u == NULL || curl_url_set(u, CURLUPART_URL, endpoint, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK || strpbrk(path, "\"\\\r\n") != NULL) {
        rc = ym_err_at(err, YM_EINVAL, l->sys->file, 0, 0,
                       "the site file must give an sftp://, ftp:// or file:/// endpoint");
    } else {
        /* An FTP path is relative to the account's folder unless it begins with %2F. */
        l->folder = with_slash(l->arena, scheme == SCHEME_FTP ? path + 1 : path);
        if (scheme == SCHEME_FTP && path[1] == '\0') {
            l->folder = "";
        }
        l->base_url = scheme != SCHEME_LOCAL ? with_slash(l->arena, url) : "";
        if (l->folder == NULL || l->base_url == NULL) {
            rc = ym_err_set(err, YM_ENOMEM, "out of memory");
        }
    }
    curl_free(path);
    curl_free(url);
    curl_url_cleanup(u);
    return rc;
}

static void file_close(struct ym_link *l)
{
    if (l != NULL) {
        ym_file_hang_up(l);
        curl_easy_cleanup(l->easy);
        ym_arena_close(l->arena);
    }
}

static ym_status file_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                           struct ym_link **ret, struct ym_err *err)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_link *l = a != NULL ? ym_arena_alloc(a, sizeof(*l)) : NULL;
    struct ym_file_settings *s;
    ym_status rc;

    if (l == NULL) {
        ym_arena_close(a);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    l->arena = a;
    l->sys = sys;
    l->secrets = secrets;
    s = &l->settings;
    rc = ym_connection_open(sys, ym_file_fields, s, a, err);
    if (rc == YM_OK) {
        s->private_key = ym_connection_path(sys, s->private_key, a);
        s->public_key = ym_connection_path(sys, s->public_key, a);
        s->known_hosts = ym_connection_path(sys, s->known_hosts, a);
        s->ca_file = ym_connection_path(sys, s->ca_file, a);
        rc = set_folder(l, err);
    }
    if (rc == YM_OK && l->sftp && s->known_hosts == NULL && s->host_key_sha256 == NULL) {
        rc = ym_err_at(err, YM_EAUTH, sys->file, 0, 0,
                       "SFTP needs connection.known_hosts or connection.host_key_sha256");
    }
    if (rc == YM_OK) {
        rc = check_key(s->private_key, err);
    }
    if (rc != YM_OK) {
        file_close(l);
        return rc;
    }
    *ret = l;
    return YM_OK;
}

/* Run ------------------------------------------------------------------------------------------ */

/* Nothing that a command line of FTP or SFTP would read as its own. */
static bool is_plain(const char *p)
{
    for (; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F || *p == '"' || *p == '\\') {
            return false;
        }
    }
    return true;
}

/* A relative path without surprises: no empty, "." or ".." part, nothing a command would read. */
static bool path_ok(const char *path)
{
    const char *p = path, *end;
    size_t n;

    if (path == NULL || *path == '\0' || strlen(path) > 1000) {
        return false;
    }
    for (;; p = end + 1) {
        end = p + strcspn(p, "/");
        n = (size_t)(end - p);
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) {
            return false;
        }
        if (*end == '\0') {
            break;
        }
    }
    return is_plain(path);
}

/* file_dir + name, or NULL when the result is no acceptable path. */
static const char *place_of(const struct ym_wire *w, const char *name, struct ym_arena *a)
{
    const char *path = name;

    if (name == NULL || strchr(name, '/') != NULL) {
        return NULL;
    }
    if (w->file_dir != NULL && w->file_dir[0] != '\0') {
        size_t n = strlen(w->file_dir);

        n -= w->file_dir[n - 1] == '/';
        path = ym_arena_printf(a, "%.*s/%s", (int)n, w->file_dir, name);
    }
    return path_ok(path) ? path : NULL;
}

static void say(struct ym_facts *facts, enum ym_sent sent, const char *problem, struct ym_arena *a)
{
    facts->sent = sent;
    facts->problem = problem != NULL ? ym_arena_strz(a, problem) : NULL;
}

enum compared { COMPARED_SAME, COMPARED_OTHER, COMPARED_ABSENT, COMPARED_UNCLEAR };

/* Whether path holds exactly content. */
static enum compared compare(struct ym_link *l, const char *path, struct ym_str content)
{
    struct ym_buf old;
    enum ym_file_result how;
    enum compared what;

    /* A transfer broken off costs the connection, so another content may well be longer. */
    ym_buf_init(&old, content.n + (size_t)l->settings.max_file);
    how = l->place->get(l, path, &old);
    if (how == YM_FILE_DONE) {
        what = ym_str_eq(ym_buf_str(&old), content) ? COMPARED_SAME : COMPARED_OTHER;
    } else if (old.failed == YM_ETOOBIG) {
        what = COMPARED_OTHER;
    } else {
        what = how == YM_FILE_ABSENT ? COMPARED_ABSENT : COMPARED_UNCLEAR;
    }
    ym_buf_wipe(&old);
    return what;
}

/*
 * Puts the temporary file under its final name. SFTP servers refuse to rename onto an existing
 * file: then it is ours from an earlier attempt, or an older one that we replace. curl reports a
 * lost connection during a command like a refusal, so what is really there decides.
 */
static enum ym_file_result publish(struct ym_link *l, const char *temp, const char *final,
                                   struct ym_str content)
{
    enum ym_file_result how = l->place->rename(l, temp, final);
    enum compared what;

    if (how != YM_FILE_REFUSED) {
        return how;
    }
    what = compare(l, final, content);
    if (what == COMPARED_SAME) {
        (void)l->place->remove(l, temp);
        return YM_FILE_DONE;
    }
    if (what == COMPARED_UNCLEAR) {
        return YM_FILE_UNCLEAR;
    }
    if (what == COMPARED_OTHER && l->place->remove(l, final) != YM_FILE_DONE) {
        return YM_FILE_REFUSED;
    }
    how = l->place->rename(l, temp, final);
    if (how == YM_FILE_REFUSED && compare(l, temp, content) != COMPARED_SAME) {
        return YM_FILE_UNCLEAR; /* the first rename may have worked, and the file is taken */
    }
    return how;
}

static void deliver(struct ym_link *l, const struct ym_wire *w, struct ym_arena *a,
                    struct ym_facts *facts)
{
    const char *final = place_of(w, w->file_name, a);
    const char *temp = place_of(w, w->temp_name, a);
    const char *done = w->done_name != NULL ? place_of(w, w->done_name, a) : NULL;
    enum ym_file_result how;

    if (final == NULL || temp == NULL || (w->done_name != NULL && done == NULL)) {
        say(facts, YM_NOT_SENT, "the file's name is not acceptable", a);
        return;
    }
    if (l->place->put(l, temp, w->body) != YM_FILE_DONE) {
        say(facts, YM_NOT_SENT, l->problem, a); /* nobody reads temporary names */
        return;
    }
    how = publish(l, temp, final, w->body);
    if (how != YM_FILE_DONE) {
        say(facts, how == YM_FILE_UNCLEAR ? YM_SENT_NO_REPLY : YM_NOT_SENT, l->problem, a);
        return;
    }
    if (done != NULL && l->place->put(l, done, YM_STR("")) != YM_FILE_DONE) {
        say(facts, YM_SENT_NO_REPLY, l->problem, a);
        return;
    }
    facts->sent = YM_REPLIED;
}

static void look(struct ym_link *l, const struct ym_wire *w, struct ym_arena *a,
                 struct ym_facts *facts)
{
    enum ym_file_result how = YM_FILE_ABSENT;
    struct ym_buf content;
    size_t i;

    ym_buf_init(&content, (size_t)l->settings.max_file);
    for (i = 0; w->read_names != NULL && w->read_names[i] != NULL; i++) {
        if (!path_ok(w->read_names[i])) {
            say(facts, YM_NOT_SENT, "the file's name is not acceptable", a);
            goto done;
        }
        ym_buf_reset(&content);
        how = l->place->get(l, w->read_names[i], &content);
        if (how != YM_FILE_ABSENT) {
            break;
        }
    }
    switch (how) {
    case YM_FILE_DONE:
        facts->sent = YM_REPLIED;
        facts->stage = ym_arena_printf(a, "file:%zu", i);
        facts->body.p = ym_arena_str(a, ym_buf_str(&content));
        facts->body.n = content.n;
        if (facts->stage == NULL || facts->body.p == NULL) {
            *facts = (struct ym_facts){.sent = YM_SENT_NO_REPLY, .stage = ""};
            facts->problem = "out of memory";
        }
        break;
    case YM_FILE_ABSENT:
        facts->sent = YM_REPLIED;
        facts->stage = "absent";
        break;
    case YM_FILE_FAILED:
        say(facts, YM_NOT_SENT, l->problem, a);
        break;
    default:
        say(facts, YM_SENT_NO_REPLY, l->problem, a);
    }
done:
    ym_buf_clear(&content);
}

static void file_run(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms,
                     struct ym_arena *a, struct ym_facts *facts)
{
    int64_t began = ym_tick_ms();

    *facts = (struct ym_facts){.sent = YM_NOT_SENT, .stage = ""};
    l->deadline_ms = began + timeout_ms;
    l->problem = NULL;
    if (w->kind != YM_WIRE_FILE) {
        facts->problem = "this wire is not for files";
    } else if (w->file_probe) {
        look(l, w, a, facts);
    } else {
        deliver(l, w, a, facts);
    }
    facts->took_ms = ym_tick_ms() - began;
}

static void file_forget(struct ym_link *l)
{
    curl_easy_cleanup(l->easy);
    l->easy = NULL;
}

const struct ym_transport ym_transport_file = {
    .name = "file",
    .summary = "One file per record in a folder: SFTP, FTP, FTPS or local.",
    .check = file_check,
    .open = file_open,
    .close = file_close,
    .forget = file_forget,
    .run = file_run,
};
