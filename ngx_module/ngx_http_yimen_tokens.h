/* SPDX-License-Identifier: Apache-2.0
 * Tokens that a worker has verified, and some that it has refused, by their
 * digest.  What cryptography said and the claims, never a decision: times and
 * revocations are looked at on every request.
 */
#ifndef NGX_HTTP_YIMEN_TOKENS_H
#define NGX_HTTP_YIMEN_TOKENS_H

#include "ngx_http_yimen_revoked.h"


/* entries, a power of two; the oldest of a short run gives way */
#define NGX_HTTP_YIMEN_TOKENS        4096
#define NGX_HTTP_YIMEN_TOKENS_PROBE  8

/* refused ones that are refused again without another look, for so long */
#define NGX_HTTP_YIMEN_TOKENS_BAD    1024
#define NGX_HTTP_YIMEN_TOKENS_AGAIN  5000

/* texts of a verified token, one behind the other */
typedef enum {
    NGX_HTTP_YIMEN_T_SUBJECT,
    NGX_HTTP_YIMEN_T_ORG,
    NGX_HTTP_YIMEN_T_AREA,
    NGX_HTTP_YIMEN_T_LOGIN,
    NGX_HTTP_YIMEN_T_NAME,
    NGX_HTTP_YIMEN_T_EMAIL,
    NGX_HTTP_YIMEN_T_CLIENT,
    NGX_HTTP_YIMEN_T_ISSUER,
    NGX_HTTP_YIMEN_T_PROVIDER,
    NGX_HTTP_YIMEN_T_COUNT
} ngx_http_yimen_text_e;

typedef struct {
    u_char       digest[YM_SHA256_LEN];
    int64_t      not_before;  /* ms, skew included */
    int64_t      expires;     /* ms, skew included; 0 = empty */
    int64_t      auth_time;
    uint64_t     used;        /* the clock of the cache */
    ngx_uint_t   roles;
    uint16_t     len[NGX_HTTP_YIMEN_T_COUNT];
    char        *text;        /* in one piece; owned */
    ngx_http_yimen_marks_t  marks;
} ngx_http_yimen_token_t;

typedef struct {
    u_char       digest[YM_SHA256_LEN];
    int64_t      until;       /* ms */
} ngx_http_yimen_bad_token_t;

struct ngx_http_yimen_tokens_s {
    uint64_t                 clock;
    ngx_http_yimen_token_t   slots[NGX_HTTP_YIMEN_TOKENS];
    ngx_http_yimen_bad_token_t  bad[NGX_HTTP_YIMEN_TOKENS_BAD];
};


ngx_http_yimen_token_t *
    ngx_http_yimen_tokens_find(struct ngx_http_yimen_tokens_s *tokens,
    const u_char digest[YM_SHA256_LEN]);

/* texts: as they are kept, one of each ngx_http_yimen_text_e */
void ngx_http_yimen_tokens_keep(ngx_http_request_t *r,
    const u_char digest[YM_SHA256_LEN], const json_t *claims,
    const struct ym_str *texts, ngx_uint_t roles,
    const ngx_http_yimen_marks_t *marks);

/* the place of a refused one: compare its digest and its time */
ngx_http_yimen_bad_token_t *
    ngx_http_yimen_tokens_bad(struct ngx_http_yimen_tokens_s *tokens,
    const u_char digest[YM_SHA256_LEN]);

/* milliseconds of a NumericDate that has been checked already */
int64_t ngx_http_yimen_tokens_date(const json_t *claims, const char *name,
    int64_t absent);

#endif /* NGX_HTTP_YIMEN_TOKENS_H */
