/* SPDX-License-Identifier: Apache-2.0
 * Connecting, noticing a dead connection, and the watchdog.
 * Concurrency: one thread; the watchdog is a POSIX timer, its handler only looks for sockets and
 * shuts them down.
 */
#include "ym_sql_conn.h"

#include "ym_time.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FDS_LOOKED_AT 1024
#define CONNECT_STRING_MAX 4000
#define WATCH_SIGNAL (SIGRTMIN + 4)

/* What the handler needs; one per process because a signal handler has no argument of ours. */
static unsigned char watch_seen[FDS_LOOKED_AT / 8]; /* sockets that are not the driver's */
static volatile sig_atomic_t watch_connecting;      /* every other socket is the driver's */
static volatile sig_atomic_t watch_fds[4] = {-1, -1, -1, -1}; /* afterwards: those it opened */
static volatile sig_atomic_t watch_fired;
static timer_t watch_timer;
static pid_t watch_owner; /* timers do not survive a fork */

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_new_socket(int fd)
{
    return (watch_seen[fd / 8] >> (fd % 8) & 1) == 0 && is_socket(fd);
}

/* fstat() and shutdown() are async-signal-safe (POSIX 2.4.3). */
static void on_deadline(int sig)
{
    int saved = errno, fd;
    size_t i;

    (void)sig;
    watch_fired = 1;
    for (fd = 0; fd < FDS_LOOKED_AT && watch_connecting; fd++) {
        if (is_new_socket(fd)) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    for (i = 0; i < YM_COUNT(watch_fds); i++) {
        if (watch_fds[i] >= 0) {
            (void)shutdown(watch_fds[i], SHUT_RDWR);
        }
    }
    errno = saved;
}

static bool watch_ready(void)
{
    return watch_owner != 0 && watch_owner == getpid();
}

static void watch_prepare(void)
{
    struct sigaction action = {.sa_handler = on_deadline, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL};
    sigset_t set;

    if (watch_ready()) {
        return;
    }
    event.sigev_signo = WATCH_SIGNAL;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, WATCH_SIGNAL);
    if (sigaction(WATCH_SIGNAL, &action, NULL) == 0 &&
        timer_create(CLOCK_MONOTONIC, &event, &watch_timer) == 0 &&
        sigprocmask(SIG_UNBLOCK, &set, NULL) == 0) {
        watch_owner = getpid();
    }
}

void ym_sql_watch_start(int64_t deadline_ms)
{
    int64_t left = deadline_ms - ym_tick_ms();
    struct itimerspec when = {0};

    watch_prepare();
    if (!watch_ready()) {
        return; /* the driver's own timeouts remain */
    }
    watch_fired = 0;
    left = left < 1 ? 1 : left;
    when.it_value.tv_sec = left / 1000;
    when.it_value.tv_nsec = (long)(left % 1000) * 1000000;
    when.it_interval.tv_nsec = 200 * 1000000; /* again, should the driver open another socket */
    (void)timer_settime(watch_timer, 0, &when, NULL);
}

bool ym_sql_watch_stop(void)
{
    struct itimerspec never = {0};

    if (watch_ready()) {
        (void)timer_settime(watch_timer, 0, &never, NULL);
    }
    return watch_fired != 0;
}

/* Sockets that are open now are somebody else's; what comes during the connect is the driver's. */
static void sockets_begin(void)
{
    int fd;

    memset(watch_seen, 0, sizeof(watch_seen));
    for (fd = 0; fd < FDS_LOOKED_AT; fd++) {
        if (is_socket(fd)) {
            watch_seen[fd / 8] |= (unsigned char)(1u << (fd % 8));
        }
    }
    watch_connecting = 1;
}

/* The connect is over: later sockets are somebody else's again. */
static void sockets_end(bool connected)
{
    size_t n = 0;
    int fd;

    for (fd = 0; fd < FDS_LOOKED_AT && connected && n < YM_COUNT(watch_fds); fd++) {
        if (is_new_socket(fd)) {
            watch_fds[n++] = fd;
        }
    }
    while (n < YM_COUNT(watch_fds)) {
        watch_fds[n++] = -1;
    }
    watch_connecting = 0;
}

void ym_sql_failed(struct ym_link *l, SQLSMALLINT type, SQLHANDLE handle)
{
    SQLCHAR state[YM_SQL_STATE_LEN] = "", words[YM_SQL_WORDS_LEN] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT n = 0;

    if (!SQL_SUCCEEDED(SQLGetDiagRec(type, handle, 1, state, &native, words, sizeof(words), &n))) {
        memcpy(state, "HY000", YM_SQL_STATE_LEN);
    }
    (void)snprintf(l->state, sizeof(l->state), "%s", (const char *)state);
    (void)snprintf(l->words, sizeof(l->words), "%s", (const char *)words);
}

bool ym_sql_lost(struct ym_link *l)
{
    SQLUINTEGER dead = SQL_CD_FALSE;

    if (watch_fired || strncmp(l->state, "08", 2) == 0 || strncmp(l->state, "HYT01", 5) == 0 ||
        strncmp(l->state, "57P", 3) == 0) {
        return true;
    }
    return SQL_SUCCEEDED(SQLGetConnectAttr(l->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL)) &&
           dead == SQL_CD_TRUE;
}

void ym_sql_disconnect(struct ym_link *l)
{
    if (l->dbc != SQL_NULL_HDBC) {
        if (l->connected) {
            (void)SQLEndTran(SQL_HANDLE_DBC, l->dbc, SQL_ROLLBACK);
            (void)SQLDisconnect(l->dbc);
        }
        (void)SQLFreeHandle(SQL_HANDLE_DBC, l->dbc);
    }
    l->dbc = SQL_NULL_HDBC;
    l->connected = false;
    sockets_end(false);
}

/* value as an attribute of a connection string: in braces when it holds what would end it. */
static void add_value(struct ym_buf *out, const char *value)
{
    if (strpbrk(value, ";{}[]()=?*!@ ") == NULL) {
        (void)ym_buf_adds(out, value);
        return;
    }
    (void)ym_buf_addc(out, '{');
    for (; *value != '\0'; value++) {
        (void)ym_buf_adds(out, *value == '}' ? "}" : "");
        (void)ym_buf_addc(out, *value);
    }
    (void)ym_buf_addc(out, '}');
}

/* Whether the string gives this attribute, "charset=" say, in whatever case. */
static bool has_attribute(const char *string, const char *name)
{
    size_t n = strlen(name);

    for (; *string != '\0'; string += strcspn(string, ";"), string += *string == ';') {
        string += strspn(string, " ");
        if (strncasecmp(string, name, n) == 0) {
            return true;
        }
    }
    return false;
}

/* The endpoint with its secrets in place. */
static ym_status connect_string(struct ym_link *l, struct ym_buf *out)
{
    static const char mark[] = "{secret.";
    const char *p = l->sys->endpoint, *at, *end, *value;
    const char *password = ym_secret(l->secrets, "password");
    char name[64];

    ym_buf_init(out, CONNECT_STRING_MAX);
    while ((at = strstr(p, mark)) != NULL) {
        (void)ym_buf_add(out, p, (size_t)(at - p));
        at += sizeof(mark) - 1;
        end = strchr(at, '}');
        if (end == NULL || (size_t)(end - at) >= sizeof(name)) {
            return YM_EINVAL;
        }
        (void)snprintf(name, sizeof(name), "%.*s", (int)(end - at), at);
        value = ym_secret(l->secrets, name);
        if (value == NULL) {
            return YM_EAUTH;
        }
        add_value(out, value);
        p = end + 1;
    }
    (void)ym_buf_adds(out, p);
    if (out->failed == YM_OK && password != NULL && !has_attribute(l->sys->endpoint, "pwd=") &&
        !has_attribute(l->sys->endpoint, "password=")) {
        (void)ym_buf_adds(out, ";PWD=");
        add_value(out, password);
    }
    /* Text goes over as UTF-8 whatever this machine's locale is. */
    if (out->failed == YM_OK && strcasestr(out->p, "maria") != NULL &&
        !has_attribute(out->p, "charset=")) {
        (void)ym_buf_adds(out, ";charset=utf8mb4");
    }
    if (out->failed == YM_OK && strcasestr(out->p, "postgres") != NULL &&
        !has_attribute(out->p, "connsettings=")) {
        (void)ym_buf_adds(out, ";ConnSettings=set client_encoding to 'UTF8'");
    }
    return out->failed;
}

static bool make_handles(struct ym_link *l)
{
    if (l->env == SQL_NULL_HENV) {
        if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &l->env))) {
            l->env = SQL_NULL_HENV;
            return false;
        }
        (void)SQLSetEnvAttr(l->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    }
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, l->env, &l->dbc))) {
        l->dbc = SQL_NULL_HDBC;
        return false;
    }
    return true;
}

static ym_status fail(struct ym_link *l, const char *state, const char *words)
{
    (void)snprintf(l->state, sizeof(l->state), "%s", state);
    (void)snprintf(l->words, sizeof(l->words), "%s", words);
    return YM_EIO;
}

static ym_status connect_new(struct ym_link *l)
{
    int64_t left = l->deadline_ms - ym_tick_ms();
    SQLULEN seconds;
    struct ym_buf text;
    ym_status rc = YM_OK;

    if (left > l->settings.login_timeout_ms) {
        left = l->settings.login_timeout_ms;
    }
    seconds = left < 1000 ? 1 : (SQLULEN)left / 1000;
    if (!make_handles(l)) {
        return fail(l, "HY001", "ODBC gives no handles");
    }
    rc = connect_string(l, &text);
    if (rc != YM_OK) {
        ym_buf_wipe(&text);
        return fail(l, "IM012", "the endpoint names a secret that is not given, or is too long");
    }
    (void)SQLSetConnectAttr(l->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)seconds, 0);
    sockets_begin();
    ym_sql_watch_start(ym_tick_ms() + left);
    if (!SQL_SUCCEEDED(SQLDriverConnect(l->dbc, NULL, (SQLCHAR *)text.p, (SQLSMALLINT)text.n, NULL,
                                        0, NULL, SQL_DRIVER_NOPROMPT))) {
        ym_sql_failed(l, SQL_HANDLE_DBC, l->dbc);
        rc = YM_EIO;
    }
    ym_buf_wipe(&text);
    if (rc != YM_OK) {
        ym_sql_disconnect(l);
        return rc;
    }
    l->connected = true;
    sockets_end(true);
    ym_sql_watch_start(l->deadline_ms);
    if (!SQL_SUCCEEDED(
            SQLSetConnectAttr(l->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF, 0))) {
        ym_sql_failed(l, SQL_HANDLE_DBC, l->dbc);
        ym_sql_disconnect(l);
        return YM_EIO;
    }
    return YM_OK;
}

/* A kept connection may have died quietly; asking is cheaper than an ambiguous INSERT. */
static bool still_answers(struct ym_link *l)
{
    SQLHSTMT stmt = SQL_NULL_HSTMT;
    bool ok = false;

    if (ym_tick_ms() - l->used_ms > l->settings.keep_ms ||
        !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, l->dbc, &stmt))) {
        return false;
    }
    ok = SQL_SUCCEEDED(SQLExecDirect(stmt, (SQLCHAR *)"SELECT 1", SQL_NTS));
    (void)SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    return ok && SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, l->dbc, SQL_ROLLBACK));
}

ym_status ym_sql_connect(struct ym_link *l)
{
    if (l->connected && still_answers(l)) {
        return YM_OK;
    }
    ym_sql_disconnect(l);
    return connect_new(l);
}
