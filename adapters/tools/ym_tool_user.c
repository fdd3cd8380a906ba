/* SPDX-License-Identifier: Apache-2.0
 * yimen user: local accounts from the command line; how the first administrator is made. Passwords
 * come from a prompt without echo, or from standard input, and never from an argument.
 */
#include "ym_account.h"
#include "ym_conf.h"
#include "ym_queue.h"
#include "ym_store_account.h"
#include "ym_store_door.h"
#include "ym_store_evidence.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PAGE "200"
#define SEALED_MAX 16384

/* What the command line says. */
struct job {
    const char *config, *title, *email, *roles, *area, *org, *aliases;
    bool json, temporary, off;
    const char *words[2]; /* the verb and the login */
};

/* What is open while a verb runs. */
struct desk {
    const struct job *job;
    struct ym_catalog *catalog;
    struct ym_queue *queue;
    struct ym_ring *ring;
    struct ym_password_rules rules;
    size_t least; /* characters of a password */
    struct ym_account account;
    struct ym_err err;
};

/* ---- opening ---- */

static const char *beside(struct desk *d, const char *reference)
{
    const char *slash = strrchr(d->catalog->file, '/');
    if (strncmp(reference, "file:", 5) != 0 || reference[5] == '/' || slash == NULL) {
        return reference;
    }
    return ym_arena_printf(d->catalog->arena, "file:%.*s%s", (int)(slash - d->catalog->file + 1),
                           d->catalog->file, reference + 5);
}

static void number(const struct ym_yaml *map, const char *key, int64_t low, int64_t high, int *to)
{
    const char *text = ym_yaml_text(map, key);
    int64_t n;
    if (text != NULL && ym_int_parse(ym_str_of(text), &n) && n >= low && n <= high) {
        *to = (int)n;
    }
}

/* `auth:` is judged by nginx; here only what is needed is taken from it. */
static ym_status settings(struct desk *d)
{
    const struct ym_yaml *auth = d->catalog->site.auth, *local = ym_yaml_get(auth, "local");
    const char *ring = ym_yaml_text(auth, "ring"), *hash = ym_yaml_text(local, "hash");
    int least = 10;
    if (ring == NULL) {
        return ym_err_at(&d->err, YM_EINVAL, d->catalog->file, 0, 0,
                         "auth: has no ring:; make one with \"yimen keys ring FILE\"");
    }
    d->rules = ym_password_defaults;
    if (hash != NULL && strcmp(hash, "pbkdf2-sm3") == 0) {
        d->rules.kind = YM_PASSWORD_SM3;
    }
    number(local, "scrypt_log_n", YM_PASSWORD_LN_MIN, YM_PASSWORD_LN_MAX, &d->rules.ln);
    number(local, "sm3_rounds", 1000, 5000000, &d->rules.rounds);
    number(local, "min_length", 8, 64, &least);
    d->least = (size_t)least;
    ring = beside(d, ring);
    return ring != NULL ? ym_ring_open(ring, &d->ring, &d->err)
                        : ym_err_set(&d->err, YM_ENOMEM, "out of memory");
}

static void leave(struct desk *d)
{
    ym_account_clear(&d->account);
    ym_queue_close(d->queue);
    ym_ring_close(d->ring);
    ym_catalog_close(d->catalog);
}

/* ---- passwords ---- */

static ym_status read_line(int fd, char out[YM_PASSWORD_MAX + 2], size_t *ret_n, struct ym_err *err)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, out + n, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || out[n] == '\n') {
            break;
        }
        if (++n > YM_PASSWORD_MAX) {
            return ym_err_set(err, YM_EINVAL, "a password has at most %d bytes", YM_PASSWORD_MAX);
        }
    }
    if (n != 0 && out[n - 1] == '\r') {
        n--;
    }
    out[n] = '\0';
    *ret_n = n;
    return n != 0 ? YM_OK : ym_err_set(err, YM_EINVAL, "no password was given");
}

static ym_status ask(int tty, const char *prompt, char out[YM_PASSWORD_MAX + 2], size_t *ret_n,
                     struct ym_err *err)
{
    struct termios old, quiet;
    ym_status rc;
    if (tcgetattr(tty, &old) != 0) {
        return ym_err_set(err, YM_EIO, "the terminal: %s", strerror(errno));
    }
    quiet = old;
    quiet.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
    if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0 || dprintf(tty, "%s", prompt) < 0) {
        return ym_err_set(err, YM_EIO, "the terminal: %s", strerror(errno));
    }
    rc = read_line(tty, out, ret_n, err);
    tcsetattr(tty, TCSAFLUSH, &old);
    dprintf(tty, "\n");
    return rc;
}

/* Twice from the terminal, or one line of standard input. */
static ym_status get_password(char out[YM_PASSWORD_MAX + 2], size_t *ret_n, struct ym_err *err)
{
    char again[YM_PASSWORD_MAX + 2];
    size_t n = 0;
    ym_status rc;
    if (isatty(STDIN_FILENO) == 0) {
        return read_line(STDIN_FILENO, out, ret_n, err);
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        return ym_err_set(err, YM_EIO, "the terminal: %s", strerror(errno));
    }
    rc = ask(tty, "New password: ", out, ret_n, err);
    if (rc == YM_OK) {
        rc = ask(tty, "Once more:    ", again, &n, err);
    }
    if (rc == YM_OK && (n != *ret_n || memcmp(out, again, n) != 0)) {
        rc = ym_err_set(err, YM_EINVAL, "that was not the same password twice");
    }
    ym_wipe(again, sizeof(again));
    close(tty);
    return rc;
}

static ym_status set_password(struct desk *d)
{
    char text[YM_PASSWORD_MAX + 2];
    const char *names[YM_ACCOUNT_NAMES + 1], *word;
    size_t n = 0, count = 0;
    ym_status rc = get_password(text, &n, &d->err);
    for (size_t i = 0; i < d->account.name_count; i++) {
        names[count++] = d->account.names[i];
    }
    names[count++] = d->account.email;
    if (rc == YM_OK) {
        word = ym_password_unfit((struct ym_str){text, n}, d->least, names, count);
        if (word != NULL) {
            rc = ym_err_set(&d->err, YM_EINVAL,
                            "the password is not fit (%s): at least %zu characters, not easy to "
                            "guess, not beginning with a name of the account",
                            word, d->least);
        }
    }
    if (rc == YM_OK) {
        rc = ym_password_hash(&d->rules, (struct ym_str){text, n}, d->account.hash, &d->err);
    }
    d->account.change = d->job->temporary;
    ym_wipe(text, sizeof(text));
    return rc;
}

/* ---- the store ---- */

static ym_status call(struct desk *d, const char *fn, unsigned shard, const char *const *argv,
                      size_t argc, json_t **ret)
{
    return ym_queue_call(d->queue, fn, shard, argv, argc, ret, &d->err);
}

static const char *text_at(const json_t *reply, size_t i)
{
    const char *text = json_string_value(json_array_get(reply, i));
    return text != NULL ? text : "";
}

static ym_status take(struct desk *d, const json_t *row, struct ym_account *a)
{
    ym_status rc = ym_account_open(d->ring, ym_str_of(text_at(row, 0)), ym_str_of(text_at(row, 3)),
                                   a, &d->err);
    ym_int_parse(ym_str_of(text_at(row, 1)), &a->version);
    a->disabled = strcmp(text_at(row, 2), "1") == 0;
    return rc;
}

static ym_status find(struct desk *d, const char *login)
{
    char canonical[YM_ACCOUNT_NAME], digest[YM_DIGEST_HEX];
    const char *argv[] = {digest};
    json_t *reply = NULL;
    ym_status rc = ym_account_name(ym_str_of(login), canonical, &d->err);
    if (rc == YM_OK) {
        rc = ym_account_digest(d->ring, canonical, digest, &d->err);
    }
    if (rc == YM_OK) {
        rc = call(d, YM_FN_ACCOUNT_FIND, 0, argv, 1, &reply);
    }
    if (rc == YM_OK && !json_is_array(reply)) {
        rc = ym_err_set(&d->err, YM_ENOTFOUND, "there is no account of that name");
    }
    if (rc == YM_OK) {
        rc = take(d, reply, &d->account);
    }
    json_decref(reply);
    return rc;
}

static ym_status put(struct desk *d)
{
    char digests[YM_ACCOUNT_NAMES + 1][YM_DIGEST_HEX], version[24], count[24];
    const char *argv[5 + YM_ACCOUNT_NAMES + 1];
    size_t n = 0;
    json_t *reply = NULL;
    struct ym_buf sealed;
    ym_status rc = ym_account_digests(d->ring, &d->account, digests, &n, &d->err);
    ym_buf_init(&sealed, SEALED_MAX);
    if (rc == YM_OK) {
        rc = ym_account_seal(d->ring, &d->account, &sealed, &d->err);
    }
    if (rc == YM_OK) {
        snprintf(version, sizeof(version), "%lld", (long long)d->account.version);
        snprintf(count, sizeof(count), "%zu", n);
        argv[0] = d->account.id;
        argv[1] = version;
        argv[2] = d->account.disabled ? "1" : "0";
        argv[3] = sealed.p;
        argv[4] = count;
        for (size_t i = 0; i < n; i++) {
            argv[5 + i] = digests[i];
        }
        rc = call(d, YM_FN_ACCOUNT_PUT, 0, argv, 5 + n, &reply);
    }
    if (rc == YM_OK && strcmp(text_at(reply, 0), "ok") != 0) {
        rc = ym_err_set(&d->err, YM_EINVAL, "%s",
                        strcmp(text_at(reply, 0), "taken") == 0
                            ? "another account has this name, alias or e-mail address"
                            : "somebody changed the account a moment ago: try again");
    }
    ym_buf_clear(&sealed);
    json_decref(reply);
    return rc;
}

/*
 * Sessions carry roles and area; they end with every change. A person is known there by the digest
 * of an empty scope and his id.
 */
static ym_status end_sessions(struct desk *d)
{
    char person[YM_ID_LEN + 10], digest[YM_DIGEST_HEX];
    const char *argv[] = {digest, ""};
    unsigned long head;
    json_t *reply = NULL;
    snprintf(person, sizeof(person), "0:local:%s", d->account.id);
    ym_status rc = ym_ring_digest(d->ring, "person", ym_str_of(person), digest);
    if (rc != YM_OK) {
        return ym_err_set(&d->err, rc, "a digest cannot be made");
    }
    char first[9];
    memcpy(first, digest, 8);
    first[8] = '\0';
    head = strtoul(first, NULL, 16);
    rc = call(d, YM_FN_SESSION_END_PERSON,
              (unsigned)(head % (unsigned long)d->catalog->site.shards), argv, 2, &reply);
    json_decref(reply);
    return rc;
}

static ym_status unlock(struct desk *d, bool devices)
{
    const char *argv[] = {d->account.id, devices ? "1" : "0"};
    json_t *reply = NULL;
    ym_status rc = call(d, YM_FN_ACCOUNT_UNLOCK, 0, argv, 2, &reply);
    json_decref(reply);
    return rc;
}

/* Who did it: the account of this machine that runs the command. */
static ym_status evidence(struct desk *d, const char *what)
{
    const struct passwd *p = getpwuid(getuid());
    char uid[YM_ID_LEN + 1], who[80], person[YM_ID_LEN + 8];
    json_t *reply = NULL;
    ym_status rc = ym_id_make(ym_now_ms(), 0, uid);
    if (rc != YM_OK) {
        return ym_err_set(&d->err, rc, "the random generator of the system fails");
    }
    snprintf(who, sizeof(who), "cli:%s", p != NULL ? p->pw_name : "?");
    snprintf(person, sizeof(person), "local:%s", d->account.id);
    const char *argv[] = {who, what, person, "", "", "", "", "", uid, "", ""};
    rc = call(d, YM_FN_EVIDENCE, 0, argv, YM_COUNT(argv), &reply);
    json_decref(reply);
    return rc;
}

/* ---- what an account is to look like ---- */

static bool copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    if (n >= size) {
        return false;
    }
    memcpy(to, from, n + 1);
    return true;
}

static bool next_word(const char **list, struct ym_str *ret)
{
    const char *comma = strchr(*list, ',');
    size_t n = comma != NULL ? (size_t)(comma - *list) : strlen(*list);
    *ret = (struct ym_str){*list, n};
    *list += n + (comma != NULL ? 1 : 0);
    return n != 0;
}

static bool set_lists(struct ym_account *a, const struct job *job)
{
    struct ym_str word;
    const char *list = job->roles;
    if (list != NULL) {
        a->roles = 0;
        while (next_word(&list, &word)) {
            unsigned bit = ym_role_of(word);
            if (bit == 0) {
                return false;
            }
            a->roles |= bit;
        }
    }
    list = job->aliases;
    if (list != NULL) {
        a->name_count = 1;
        while (next_word(&list, &word)) {
            if (a->name_count == YM_ACCOUNT_NAMES || word.n >= YM_ACCOUNT_NAME) {
                return false;
            }
            memcpy(a->names[a->name_count], word.p, word.n);
            a->names[a->name_count++][word.n] = '\0';
        }
    }
    return true;
}

static ym_status shape(struct desk *d)
{
    const struct job *job = d->job;
    struct ym_account *a = &d->account;
    const struct {
        const char *value;
        char *to;
        size_t size;
    } texts[] = {
        {job->title, a->title, sizeof(a->title)},
        {job->email, a->email, sizeof(a->email)},
        {job->area, a->area, sizeof(a->area)},
        {job->org, a->org, sizeof(a->org)},
    };
    bool ok = set_lists(a, job);
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        ok = ok && (texts[i].value == NULL || copy(texts[i].to, texts[i].size, texts[i].value));
    }
    const char *fault = ok ? ym_account_fault(a) : "/roles or a text that is too long";
    if (fault != NULL) {
        return ym_err_set(&d->err, YM_EINVAL,
                          "the account's %s is not acceptable; roles are staff, supervisor, "
                          "operator, auditor, admin",
                          fault + 1);
    }
    return YM_OK;
}

/* ---- verbs ---- */

static ym_status add(struct desk *d)
{
    ym_status rc = ym_id_make(ym_now_ms(), 0, d->account.id);
    if (rc != YM_OK) {
        return ym_err_set(&d->err, rc, "the random generator of the system fails");
    }
    if (!copy(d->account.names[0], YM_ACCOUNT_NAME, d->job->words[1])) {
        return ym_err_set(&d->err, YM_EINVAL, "the login is too long");
    }
    d->account.name_count = 1;
    rc = shape(d);
    if (rc == YM_OK) {
        rc = set_password(d);
    }
    return rc == YM_OK ? put(d) : rc;
}

static ym_status change(struct desk *d)
{
    const char *verb = d->job->words[0];
    ym_status rc = find(d, d->job->words[1]);
    if (rc != YM_OK || strcmp(verb, "unlock") == 0) {
        return rc == YM_OK ? unlock(d, false) : rc;
    }
    if (strcmp(verb, "passwd") == 0) {
        rc = set_password(d);
    } else if (strcmp(verb, "totp") == 0) {
        ym_wipe(d->account.totp, sizeof(d->account.totp));
        ym_wipe(d->account.codes, sizeof(d->account.codes));
    } else if (strcmp(verb, "set") == 0) {
        rc = shape(d);
    } else {
        d->account.disabled = strcmp(verb, "disable") == 0;
    }
    if (rc == YM_OK) {
        rc = put(d);
    }
    if (rc == YM_OK && strcmp(verb, "passwd") == 0) {
        rc = unlock(d, true);
    }
    return rc == YM_OK ? end_sessions(d) : rc;
}

static json_t *account_json(const struct ym_account *a)
{
    json_t *list = json_array();
    for (unsigned bit = YM_ROLE_STAFF; bit <= YM_ROLE_ADMIN; bit <<= 1) {
        if ((a->roles & bit) != 0) {
            json_array_append_new(list, json_string(ym_role_name(bit)));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b}", "id", a->id, "login",
                     a->names[0], "name", a->title, "email", a->email, "org", a->org, "area",
                     a->area, "roles", list, "disabled", a->disabled, "second_factor",
                     a->totp[0] != '\0');
}

static void print(const struct ym_account *a)
{
    printf("%s  %s  ", a->id, a->names[0]);
    for (unsigned bit = YM_ROLE_STAFF, n = 0; bit <= YM_ROLE_ADMIN; bit <<= 1) {
        if ((a->roles & bit) != 0) {
            printf("%s%s", n++ != 0 ? "," : "", ym_role_name(bit));
        }
    }
    printf("%s%s%s\n", a->disabled ? "  disabled" : "", a->totp[0] != '\0' ? "  second-factor" : "",
           a->hash[0] == '\0' ? "  no-password" : "");
}

static ym_status list(struct desk *d)
{
    char after[YM_ID_LEN + 1] = "";
    json_t *all = json_array();
    ym_status rc = YM_OK;
    for (bool more = true; rc == YM_OK && more;) {
        const char *argv[] = {after, PAGE};
        json_t *rows = NULL, *row;
        size_t i;
        rc = call(d, YM_FN_ACCOUNT_LIST, 0, argv, 2, &rows);
        json_array_foreach(rows, i, row)
        {
            rc = rc == YM_OK ? take(d, row, &d->account) : rc;
            if (rc == YM_OK && d->job->json) {
                json_array_append_new(all, account_json(&d->account));
            } else if (rc == YM_OK) {
                print(&d->account);
            }
            snprintf(after, sizeof(after), "%s", text_at(row, 0));
        }
        more = json_array_size(rows) != 0;
        json_decref(rows);
    }
    if (rc == YM_OK && d->job->json) {
        ym_tool_json(all);
        return rc;
    }
    json_decref(all);
    return rc;
}

static ym_status act(struct desk *d, const char *what)
{
    ym_status rc;
    if (strcmp(d->job->words[0], "list") == 0) {
        return list(d);
    }
    rc = strcmp(d->job->words[0], "add") == 0 ? add(d) : change(d);
    if (rc == YM_OK) {
        rc = evidence(d, what);
    }
    if (rc == YM_OK && d->job->json) {
        ym_tool_json(account_json(&d->account));
    } else if (rc == YM_OK) {
        print(&d->account);
    }
    return rc;
}

/* ---- the command ---- */

static const struct {
    const char *verb, *what;
    size_t words;
} verbs[] = {
    {"add", "user_added", 2},         {"passwd", "password_set", 2},
    {"set", "user_changed", 2},       {"disable", "user_disabled", 2},
    {"enable", "user_enabled", 2},    {"unlock", "user_unlocked", 2},
    {"totp", "second_factor_off", 2}, {"list", "", 1},
};

static int run_job(const struct job *job, const char *what)
{
    struct desk d = {.job = job};
    int code = YM_EXIT_OK;
    d.catalog = ym_tool_catalog(job->config, job->json, &code);
    if (d.catalog == NULL) {
        return code;
    }
    ym_status rc = settings(&d);
    if (rc == YM_OK) {
        rc = ym_queue_open(&d.catalog->site, &d.queue, &d.err);
    }
    if (rc == YM_OK) {
        rc = act(&d, what);
    }
    if (rc != YM_OK) {
        code = rc == YM_ENOTFOUND ? YM_EXIT_FOUND : YM_EXIT_OK;
        int other = ym_tool_error(&d.err, job->json);
        code = code != YM_EXIT_OK ? code : other;
    }
    leave(&d);
    return code;
}

static int run(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},
        {"name", &job.title, NULL},
        {"email", &job.email, NULL},
        {"roles", &job.roles, NULL},
        {"area", &job.area, NULL},
        {"org", &job.org, NULL},
        {"aliases", &job.aliases, NULL},
        {"json", NULL, &job.json},
        {"temporary", NULL, &job.temporary},
        {"off", NULL, &job.off},
        {NULL, NULL, NULL},
    };
    size_t n;
    if (!ym_tool_options(&ym_tool_user, argc, argv, opts, job.words, 1, 2, &n)) {
        return YM_EXIT_USAGE;
    }
    for (size_t i = 0; i < YM_COUNT(verbs); i++) {
        if (strcmp(job.words[0], verbs[i].verb) == 0 && n == verbs[i].words &&
            job.off == (strcmp(verbs[i].verb, "totp") == 0)) {
            return run_job(&job, verbs[i].what);
        }
    }
    ym_tool_help(&ym_tool_user, true);
    return YM_EXIT_USAGE;
}

const struct ym_tool ym_tool_user = {
    "user",
    "local accounts: add, change, disable, list",
    "usage: yimen user add LOGIN --roles ROLES [--name TEXT] [--email ADDRESS] [--area CODE]\n"
    "                  [--org TEXT] [--aliases NAMES] [--temporary]\n"
    "       yimen user set LOGIN [--roles ROLES] [--name TEXT] [--email ADDRESS] …\n"
    "       yimen user passwd LOGIN [--temporary]\n"
    "       yimen user disable|enable|unlock LOGIN\n"
    "       yimen user totp LOGIN --off\n"
    "       yimen user list\n\n"
    "  --roles      staff, supervisor, operator, auditor, admin; several with commas between them\n"
    "  --temporary  the person must choose another password at the next sign-in\n"
    "  --json       for scripts; --config FILE as everywhere\n\n"
    "The password is asked for without echo, or read from standard input (one line). Every change "
    "ends\n"
    "the account's sessions and is written into the evidence.\n",
    run,
};
