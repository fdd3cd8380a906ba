/* SPDX-License-Identifier: Apache-2.0
 * What leaves for a legacy system and what came back, as plain data. Rendering makes a wire, a
 * transport carries it and returns facts, the rules judge the facts. Nothing here does I/O.
 */
#ifndef YM_WIRE_H
#define YM_WIRE_H

#include "ym_adapter.h"
#include "ym_buf.h"
#include "ym_pair.h"

enum ym_wire_kind {
    YM_WIRE_HTTP, /* method, url, headers, body (http and soap) */
    YM_WIRE_FORM, /* fetch page_url, take form, overlay fields, submit */
    YM_WIRE_SQL,  /* statements with bound parameters, one transaction */
    YM_WIRE_FILE, /* name, content, done-file */
    YM_WIRE_CARD  /* hand-off: rows of label and text */
};

/* One SQL statement; parameters are text bound in order, NULL = SQL NULL. */
struct ym_wire_sql {
    const char *text;
    const char *const *params;
    size_t param_count;
    bool is_query; /* SELECT: rows become the reply */
    bool guard;    /* SELECT: when it finds a row, the statements after it are skipped */
};

struct ym_wire {
    enum ym_wire_kind kind;
    const char *method, *url; /* url is complete */
    struct ym_pair *headers;
    size_t header_count;
    struct ym_str body; /* exact bytes, already in the system's charset */
    /*
     * form; page_url NULL: nothing is fetched first, the request is method, url, headers and body
     * like HTTP's (a search page, a plain form post)
     */
    const char *page_url, *form; /* form: its id or name, NULL = the only one */
    struct ym_pair *fields;      /* UTF-8; the transport encodes them in the page's charset */
    size_t field_count;
    bool add_fields; /* fields the page lacks are sent as well, instead of being refused */
    /* sql */
    struct ym_wire_sql *statements;
    size_t statement_count;
    /* file */
    const char *file_name, *temp_name, *done_name, *file_dir; /* done_name NULL = none */
    bool file_probe;               /* lookup: nothing is written; read_names are fetched in turn */
    const char *const *read_names; /* NULL-terminated */
    /* card: fields hold label and text */
    /* what signing put in, wherever: nothing for people's eyes */
    const struct ym_pair *marks;
    size_t mark_count;
};

/* How far did it get? */
enum ym_sent { YM_NOT_SENT, YM_SENT_NO_REPLY, YM_REPLIED };

struct ym_facts {
    enum ym_sent sent;
    const char *stage; /* "" final answer; "page" a form's page; "file:N" the Nth read_name found */
    long status;       /* HTTP status, else 0 */
    struct ym_pair *headers; /* of the reply, names in lower case */
    size_t header_count;
    struct ym_str body;   /* raw bytes; for SQL a JSON array of row objects, UTF-8 */
    const char *charset;  /* from Content-Type, or NULL */
    const char *problem;  /* transport's own words when not replied: "connect timeout" */
    struct ym_str posted; /* what the transport made of a form; empty = the wire's own body went */
    int64_t took_ms;
    const char *ref, *number; /* what the operation was about, for rules that compare; NULL = nothing */
};

#endif
