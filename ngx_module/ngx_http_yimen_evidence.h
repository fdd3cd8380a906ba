/* SPDX-License-Identifier: Apache-2.0
 * Evidence: what happened at the door, written down without anybody waiting.
 *
 * Whoever changes state calls this (sign-in, refusal, revocation, vault,
 * reveal); record and delivery transitions write their own in the store.  The
 * entry goes to the audit stream in Redis and from there into hash-chained
 * files.
 */
#ifndef NGX_HTTP_YIMEN_EVIDENCE_H
#define NGX_HTTP_YIMEN_EVIDENCE_H

#include "ngx_http_yimen_request.h"


/* "" where there is nothing; never a name, a token or a password */
typedef struct {
    const char     *what;       /* sign_in sign_in_refused sign_out revoke
                                   access_refused reveal vault_set … */
    struct ym_str   who;        /* subject; "" = nobody known */
    struct ym_str   id;         /* record */
    struct ym_str   system;
    struct ym_str   why;        /* a code or a reason that a person gave */
    const char     *outcome;    /* NULL: "refused" when what ends so, or "ok" */
} ngx_http_yimen_evidence_t;

/*
 * Sends it off and returns; the request neither waits nor fails.  When Redis
 * is away the entry is kept in the worker (a bounded list) and sent later;
 * what does not fit is counted, and the count becomes an entry of its own.
 * Peer address and request id are added, control characters written out.
 */
void ngx_http_yimen_evidence(ngx_http_request_t *r,
    const ngx_http_yimen_evidence_t *e);

/*
 * The same for what must not happen unless it is written down: fills a call
 * that the handler sends itself with ngx_http_yimen_calls().
 */
void ngx_http_yimen_evidence_args(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_evidence_t *e, ngx_http_yimen_args_t *args);

/*
 * Keeps out of every log line of the request what its Referer must not write
 * there: control characters, and the query of an address.  Applications still
 * get the header as it came.
 */
void ngx_http_yimen_evidence_referer(ngx_http_request_t *r);

/* what the request is called in the evidence and the log; "" when nothing is */
struct ym_str ngx_http_yimen_evidence_request(ngx_http_request_t *r);

/* while the configuration is loaded */
char *ngx_http_yimen_evidence_conf(ngx_conf_t *cf);

/* init_process; exit_process, after Redis is closed */
void ngx_http_yimen_evidence_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log);
void ngx_http_yimen_evidence_close(void);

/* entries that wait for Redis, and those that were given up */
ngx_uint_t ngx_http_yimen_evidence_waiting(void);
ngx_uint_t ngx_http_yimen_evidence_lost(void);

#endif /* NGX_HTTP_YIMEN_EVIDENCE_H */
