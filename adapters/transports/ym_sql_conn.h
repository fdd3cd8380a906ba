/* SPDX-License-Identifier: Apache-2.0
 * One ODBC connection with a deadline that holds even when the driver would wait for ever.
 */
#ifndef YM_SQL_CONN_H
#define YM_SQL_CONN_H

#include "ym_transports.h"

#include <sql.h>
#include <sqlext.h>

#define YM_SQL_STATE_LEN 6 /* with NUL */
#define YM_SQL_WORDS_LEN 301

struct ym_sql_settings {
    int64_t login_timeout_ms, keep_ms, max_rows;
};

struct ym_link {
    struct ym_arena *arena;
    const struct ym_system *sys;
    const struct ym_secrets *secrets;
    struct ym_sql_settings settings;
    SQLHENV env;
    SQLHDBC dbc;
    bool connected;
    int64_t used_ms;     /* when the connection last did something */
    int64_t deadline_ms; /* of the run under way */
    char state[YM_SQL_STATE_LEN];
    char words[YM_SQL_WORDS_LEN]; /* of the last failure; a database quotes values: not for logs */
};

/* A connection that answers, new or kept. YM_EIO with state and words. */
ym_status ym_sql_connect(struct ym_link *l);
void ym_sql_disconnect(struct ym_link *l);

/* Takes state and words of a failed call. */
void ym_sql_failed(struct ym_link *l, SQLSMALLINT type, SQLHANDLE handle);

/* Whether the last failure means that the connection is gone, and with it the server's answer. */
bool ym_sql_lost(struct ym_link *l);

/*
 * From start to stop the connection's socket is shut down when the deadline passes: a driver that
 * waits for a server that hangs offers no other way out. connect sets the login's own deadline and
 * then the run's. stop says whether it had to. One connection at a time per process.
 */
void ym_sql_watch_start(int64_t deadline_ms);
bool ym_sql_watch_stop(void);

#endif
