/* SPDX-License-Identifier: Apache-2.0
 * What must be provable later: who did or was refused what, when, from where.
 * Entries go to a stream in Redis and from there into hash-chained files.
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
} ngx_http_yimen_evidence_t;

/*
 * Sends it off and returns; the request neither waits nor fails.  When Redis
 * is away the entry is kept in the worker (a bounded list) and sent later;
 * what does not fit is counted, and the count becomes an entry of its own.
 */
void ngx_http_yimen_evidence(ngx_http_request_t *r,
    const ngx_http_yimen_evidence_t *e);

#endif /* NGX_HTTP_YIMEN_EVIDENCE_H */
