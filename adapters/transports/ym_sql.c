/* SPDX-License-Identifier: Apache-2.0
 * Transport sql: the statements of a wire in one transaction, every value a bound parameter.
 */
#include "ym_sql_conn.h"

#include "ym_connection.h"
#include "ym_json.h"
#include "ym_time.h"

#define SQL_PARAMS_MAX 256
#define SQL_COLUMNS_MAX 128

#define AT(member) offsetof(struct ym_sql_settings, member)
const struct ym_field ym_sql_fields[] = {
    {"login_timeout", YM_FIELD_DURATION, AT(login_timeout_ms), "5s", 1000, 120000, NULL, 0,
     "How long connecting may take; whole seconds."},
    {"keep_alive", YM_FIELD_DURATION, AT(keep_ms), "5m", 0, 86400000, NULL, 0,
     "How long an idle connection is used again, after it has answered SELECT 1."},
    {"max_rows", YM_FIELD_INT, AT(max_rows), "200", 1, 10000, NULL, 0,
     "The most rows of a query that are read."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

static void sql_check(const struct ym_system *sys, struct ym_diag *d)
{
    struct ym_sql_settings settings;
    struct ym_arena *a = ym_arena_open();

    if (a == NULL) {
        return;
    }
    (void)ym_connection_load(sys, ym_sql_fields, &settings, a, d);
    if (sys->endpoint != NULL && strchr(sys->endpoint, '=') == NULL) {
        ym_connection_blame(sys, d,
                            "endpoint must be an ODBC connection string, such as "
                            "Driver=PostgreSQL Unicode;Server=…;Database=…;UID=…");
    }
    ym_arena_close(a);
}

static void sql_close(struct ym_link *l)
{
    if (l == NULL) {
        return;
    }
    ym_sql_disconnect(l);
    if (l->env != SQL_NULL_HENV) {
        (void)SQLFreeHandle(SQL_HANDLE_ENV, l->env);
    }
    ym_wipe(l->words, sizeof(l->words));
    ym_arena_close(l->arena);
}

static ym_status sql_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                          struct ym_link **ret, struct ym_err *err)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_link *l = a != NULL ? ym_arena_alloc(a, sizeof(*l)) : NULL;
    ym_status rc;

    if (l == NULL) {
        ym_arena_close(a);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    l->arena = a;
    l->sys = sys;
    l->secrets = secrets;
    l->env = SQL_NULL_HENV;
    l->dbc = SQL_NULL_HDBC;
    rc = ym_connection_open(sys, ym_sql_fields, &l->settings, a, err);
    if (rc == YM_OK && sys->endpoint == NULL) {
        rc = ym_err_at(err, YM_EINVAL, sys->file, 0, 0,
                       "the site file must give an ODBC connection string as endpoint");
    }
    if (rc != YM_OK) {
        sql_close(l);
        return rc;
    }
    *ret = l;
    return YM_OK;
}

static void sql_forget(struct ym_link *l)
{
    ym_sql_disconnect(l);
}

/* Statements ----------------------------------------------------------------------------------- */

/* Binds text; the arrays belong to the caller and live until the statement is freed. */
static SQLRETURN bind_params(SQLHSTMT stmt, const struct ym_wire_sql *s, SQLLEN *lengths)
{
    size_t i;

    for (i = 0; i < s->param_count; i++) {
        const char *v = s->params[i];
        size_t n = v != NULL ? strlen(v) : 0;
        SQLRETURN rc;

        lengths[i] = v != NULL ? (SQLLEN)n : SQL_NULL_DATA;
        rc = SQLBindParameter(stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR,
                              n > 0 ? n : 1, 0, (SQLPOINTER)(uintptr_t)(v != NULL ? v : ""),
                              (SQLLEN)n, &lengths[i]);
        if (!SQL_SUCCEEDED(rc)) {
            return rc;
        }
    }
    return SQL_SUCCESS;
}

/* One value as JSON; text comes in pieces. */
static SQLRETURN add_value(SQLHSTMT stmt, SQLUSMALLINT column, struct ym_buf *out)
{
    struct ym_buf text;
    char piece[1024];
    SQLLEN n = 0;
    SQLRETURN rc;
    bool null = false;

    ym_buf_init(&text, YM_JSON_BYTES);
    (void)ym_buf_adds(&text, "");
    for (;;) {
        rc = SQLGetData(stmt, column, SQL_C_CHAR, piece, sizeof(piece), &n);
        if (!SQL_SUCCEEDED(rc)) {
            break;
        }
        null = n == SQL_NULL_DATA;
        if (!null) {
            (void)ym_buf_adds(&text, piece); /* always terminated */
        }
        if (rc == SQL_SUCCESS || null) {
            break;
        }
    }
    if (rc == SQL_NO_DATA || SQL_SUCCEEDED(rc)) {
        rc = SQL_SUCCESS;
        if (text.failed != YM_OK) {
            out->failed = text.failed;
        } else if (null) {
            (void)ym_buf_adds(out, "null");
        } else {
            (void)ym_buf_add_json(out, ym_buf_str(&text));
        }
    }
    ym_buf_wipe(&text);
    return rc;
}

static SQLRETURN add_row(SQLHSTMT stmt, SQLSMALLINT columns, struct ym_buf *out)
{
    SQLCHAR name[256];
    SQLSMALLINT i, n, type, digits, nullable;
    SQLULEN size;
    SQLRETURN rc = SQL_SUCCESS;

    (void)ym_buf_addc(out, '{');
    for (i = 1; i <= columns; i++) {
        rc = SQLDescribeCol(stmt, (SQLUSMALLINT)i, name, sizeof(name), &n, &type, &size, &digits,
                            &nullable);
        if (!SQL_SUCCEEDED(rc)) {
            return rc;
        }
        (void)ym_buf_adds(out, i > 1 ? "," : "");
        (void)ym_buf_add_json(out, ym_str_of((const char *)name));
        (void)ym_buf_addc(out, ':');
        rc = add_value(stmt, (SQLUSMALLINT)i, out);
        if (!SQL_SUCCEEDED(rc)) {
            return rc;
        }
    }
    (void)ym_buf_addc(out, '}');
    return rc;
}

/* Every row as an object of a JSON array that replaces what out held. */
static SQLRETURN add_rows(struct ym_link *l, SQLHSTMT stmt, struct ym_buf *out, size_t *rows)
{
    SQLSMALLINT columns = 0;
    SQLRETURN rc = SQLNumResultCols(stmt, &columns);

    *rows = 0;
    ym_buf_reset(out);
    (void)ym_buf_addc(out, '[');
    while (SQL_SUCCEEDED(rc) && columns <= SQL_COLUMNS_MAX) {
        rc = SQLFetch(stmt);
        if (rc == SQL_NO_DATA) {
            rc = SQL_SUCCESS;
            break;
        }
        if (!SQL_SUCCEEDED(rc) || *rows == (size_t)l->settings.max_rows) {
            break;
        }
        (void)ym_buf_adds(out, *rows > 0 ? "," : "");
        ++*rows;
        rc = add_row(stmt, columns, out);
    }
    (void)ym_buf_addc(out, ']');
    return rc;
}

/* Seconds until the deadline, for drivers that heed SQL_ATTR_QUERY_TIMEOUT. */
static void set_query_timeout(struct ym_link *l, SQLHSTMT stmt)
{
    int64_t left = (l->deadline_ms - ym_tick_ms()) / 1000;

    (void)SQLSetStmtAttr(stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(uintptr_t)(left > 0 ? left : 1),
                         0);
}

/* Runs one statement. A failure leaves state and words in the link. */
static SQLRETURN run_statement(struct ym_link *l, const struct ym_wire_sql *s, struct ym_buf *out,
                               size_t *rows)
{
    SQLLEN lengths[SQL_PARAMS_MAX];
    SQLHSTMT stmt = SQL_NULL_HSTMT;
    SQLRETURN rc = SQLAllocHandle(SQL_HANDLE_STMT, l->dbc, &stmt);

    *rows = 0;
    if (!SQL_SUCCEEDED(rc)) {
        ym_sql_failed(l, SQL_HANDLE_DBC, l->dbc);
        return rc;
    }
    set_query_timeout(l, stmt);
    rc = SQLPrepare(stmt, (SQLCHAR *)(uintptr_t)s->text, SQL_NTS);
    if (SQL_SUCCEEDED(rc)) {
        rc = bind_params(stmt, s, lengths);
    }
    if (SQL_SUCCEEDED(rc)) {
        rc = SQLExecute(stmt);
        rc = rc == SQL_NO_DATA ? SQL_SUCCESS : rc; /* an UPDATE that found no row */
    }
    if (SQL_SUCCEEDED(rc) && (s->is_query || s->guard)) {
        rc = add_rows(l, stmt, out, rows);
    }
    if (!SQL_SUCCEEDED(rc)) {
        ym_sql_failed(l, SQL_HANDLE_STMT, stmt);
    }
    (void)SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    return rc;
}

/* The transaction ------------------------------------------------------------------------------ */

static void set_body(struct ym_buf *body, struct ym_arena *a, struct ym_facts *facts)
{
    facts->body.p = body->failed == YM_OK ? ym_arena_str(a, ym_buf_str(body)) : NULL;
    facts->body.n = body->n;
    if (facts->body.p == NULL) {
        facts->body = YM_STR_NULL;
        facts->sent = YM_SENT_NO_REPLY;
        facts->problem =
            body->failed == YM_ETOOBIG ? "the rows are larger than 1 MiB" : "out of memory";
    }
}

/* The database answered with an error: {"sqlstate": …, "message": …}. */
static void answer_error(struct ym_link *l, struct ym_buf *body, struct ym_arena *a,
                         struct ym_facts *facts)
{
    facts->sent = YM_REPLIED;
    ym_buf_reset(body);
    (void)ym_buf_adds(body, "{\"sqlstate\":");
    (void)ym_buf_add_json(body, ym_str_of(l->state));
    (void)ym_buf_adds(body, ",\"message\":");
    (void)ym_buf_add_json(body, ym_str_of(l->words));
    (void)ym_buf_addc(body, '}');
    set_body(body, a, facts);
}

/* Only the state: the words of a database may quote the record. */
static const char *problem_words(struct ym_link *l, struct ym_arena *a)
{
    return ym_arena_printf(a, "no answer from the database (SQLSTATE %s)",
                           l->state[0] != '\0' ? l->state : "HYT00");
}

static void no_reply(struct ym_link *l, enum ym_sent sent, struct ym_arena *a,
                     struct ym_facts *facts)
{
    facts->sent = sent;
    facts->problem = problem_words(l, a);
    ym_sql_disconnect(l);
}

static void transact(struct ym_link *l, const struct ym_wire *w, struct ym_buf *body,
                     struct ym_arena *a, struct ym_facts *facts)
{
    bool changed = false; /* a statement that changes data was handed over */
    size_t i, rows;

    for (i = 0; i < w->statement_count; i++) {
        const struct ym_wire_sql *s = &w->statements[i];

        changed = changed || !(s->is_query || s->guard);
        if (!SQL_SUCCEEDED(run_statement(l, s, body, &rows))) {
            if (ym_sql_lost(l)) {
                /* The transaction is lost too, but tables without transactions exist. */
                no_reply(l, changed ? YM_SENT_NO_REPLY : YM_NOT_SENT, a, facts);
                return;
            }
            answer_error(l, body, a, facts);
            if (!SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, l->dbc, SQL_ROLLBACK))) {
                ym_sql_disconnect(l);
            }
            return;
        }
        if (s->guard && rows > 0) {
            break;
        }
    }
    if (!SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, l->dbc, SQL_COMMIT))) {
        ym_sql_failed(l, SQL_HANDLE_DBC, l->dbc);
        /* Class 23: a deferred constraint; class 40: it was rolled back. Anything else is open. */
        if (!ym_sql_lost(l) &&
            (strncmp(l->state, "23", 2) == 0 || strncmp(l->state, "40", 2) == 0)) {
            answer_error(l, body, a, facts);
            (void)SQLEndTran(SQL_HANDLE_DBC, l->dbc, SQL_ROLLBACK);
        } else {
            no_reply(l, changed ? YM_SENT_NO_REPLY : YM_NOT_SENT, a, facts);
        }
        return;
    }
    facts->sent = YM_REPLIED;
    set_body(body, a, facts);
}

static bool wire_ok(const struct ym_wire *w)
{
    size_t i;

    if (w->kind != YM_WIRE_SQL || w->statement_count == 0) {
        return false;
    }
    for (i = 0; i < w->statement_count; i++) {
        if (w->statements[i].param_count > SQL_PARAMS_MAX) {
            return false;
        }
    }
    return true;
}

static void sql_run(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms,
                    struct ym_arena *a, struct ym_facts *facts)
{
    int64_t began = ym_tick_ms();
    struct ym_buf body;

    *facts = (struct ym_facts){.sent = YM_NOT_SENT, .stage = ""};
    if (!wire_ok(w)) {
        facts->problem = "this wire is not for SQL";
        return;
    }
    l->deadline_ms = began + timeout_ms;
    l->state[0] = l->words[0] = '\0';
    ym_buf_init(&body, YM_JSON_BYTES);
    (void)ym_buf_adds(&body, "[]");
    ym_sql_watch_start(l->deadline_ms);
    if (ym_sql_connect(l) == YM_OK) {
        transact(l, w, &body, a, facts);
        l->used_ms = ym_tick_ms();
    } else {
        facts->problem = problem_words(l, a);
    }
    if (ym_sql_watch_stop()) {
        ym_sql_disconnect(l);
    }
    ym_wipe(l->words, sizeof(l->words));
    ym_buf_wipe(&body);
    facts->took_ms = ym_tick_ms() - began;
}

const struct ym_transport ym_transport_sql = {
    .name = "sql",
    .summary = "Rows of the system's own tables through ODBC, one transaction per operation.",
    .check = sql_check,
    .open = sql_open,
    .close = sql_close,
    .forget = sql_forget,
    .run = sql_run,
};
