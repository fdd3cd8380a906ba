/* SPDX-License-Identifier: Apache-2.0
 * One HTTP request on libcurl, as http, soap and form need it: TLS checked, no redirects, a fixed
 * Content-Length, capped replies, and an honest answer to "how far did it get?".
 */
#ifndef YM_HTTP_COMMON_H
#define YM_HTTP_COMMON_H

#include "ym_transports.h"

struct ym_http_settings {
    const char *ca_file, *client_cert, *client_key;
    int64_t connect_timeout_ms, keep_alive_ms, max_body, max_header;
    bool compressed, no_chunked;
    /* soap: read by the mapping; they stand here so that the table knows them */
    int version, style;
    const char *xml_namespace;
};

struct ym_request; /* one request and its growing reply */

/* An easy handle at rest. A plain POST leaves it as the next plain POST needs it. */
struct ym_handle {
    CURL *easy;
    bool posts;
};

/* Of http, soap and form. */
struct ym_link {
    struct ym_arena *arena;
    const struct ym_system *sys;
    const struct ym_secrets *secrets;
    struct ym_http_settings settings;
    const char *origin;         /* of the endpoint; NULL when it has none */
    size_t authority;           /* how much of the endpoint's text is scheme and authority */
    CURLSH *jar;                /* cookies; NULL = none are kept */
    struct ym_handle idle[256]; /* handles at rest: their making costs more than a request */
    size_t idle_count;
};

void ym_http_check(const struct ym_system *sys, const struct ym_field *table, struct ym_diag *d);
ym_status ym_http_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                       const struct ym_field *table, bool cookies, struct ym_link **ret,
                       struct ym_err *err);
void ym_http_close(struct ym_link *l);

/* "https://host:443" in lower case, or NULL when url is no http(s) URL. */
const char *ym_http_origin(const char *url, struct ym_arena *a);

struct ym_http_call {
    const char *method, *url;
    const char *referer; /* NULL = none */
    const char *type;    /* Content-Type when headers name none; NULL = none */
    const struct ym_pair *headers;
    size_t header_count;
    struct ym_str body;
    int64_t timeout_ms;
    bool once; /* never sent again by curl, even if it is a GET */
};

/*
 * A request with a handle from the link's rest; call must not change before end. YM_EINVAL for
 * headers that would break the message, or a URL of another host than the endpoint's.
 */
ym_status ym_request_open(struct ym_link *l, struct ym_arena *a, struct ym_request **ret,
                          struct ym_err *err);
ym_status ym_request_start(struct ym_request *r, const struct ym_http_call *call,
                           struct ym_err *err);
CURL *ym_request_handle(struct ym_request *r);

/* Fills everything but stage and took_ms; what it points to lives in the arena given to open. */
void ym_request_facts(struct ym_request *r, CURLcode how, struct ym_facts *facts);
void ym_request_close(struct ym_request *r); /* accepts NULL; gives the handle back to the link */

#endif
