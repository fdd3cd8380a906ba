/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens that were revoked before their time, by jti, sid or sub.
 *
 * The list is Redis's; all workers of a node share a copy, each reads what is
 * new twice a second.  While nobody could read it for long it is not known
 * whether a token still holds.
 */
#ifndef NGX_HTTP_YIMEN_REVOKED_H
#define NGX_HTTP_YIMEN_REVOKED_H

#include "ngx_http_yimen_request.h"

#include "ym_codec.h"


/* what a verified token can be revoked by; kept with it */
typedef struct {
    int64_t   issued;                       /* ms, skew included; 0 unknown */
    u_char    digests[3][YM_SHA256_LEN];    /* jti, sid, sub; zeros: none */
} ngx_http_yimen_marks_t;

typedef enum {
    NGX_HTTP_YIMEN_TOKEN_HOLDS,
    NGX_HTTP_YIMEN_TOKEN_REVOKED,
    NGX_HTTP_YIMEN_TOKEN_UNKNOWN            /* the list is too old */
} ngx_http_yimen_revoked_e;


/* fills marks from the claims of a verified token */
ngx_int_t ngx_http_yimen_revoked_marks(
    const ngx_http_yimen_main_conf_t *ymcf, const json_t *claims,
    ngx_http_yimen_marks_t *marks);

/* kind: "jti", "sid" or "sub" */
ngx_int_t ngx_http_yimen_revoked_digest(
    const ngx_http_yimen_main_conf_t *ymcf, const char *kind,
    struct ym_str value, char hex[YM_SHA256_HEX]);

ngx_http_yimen_revoked_e
    ngx_http_yimen_revoked(const ngx_http_yimen_marks_t *marks);

/* reads what is new at once */
void ngx_http_yimen_revoked_now(void);

/* while the configuration is read; init_process; exit_process */
ngx_int_t ngx_http_yimen_revoked_zone(ngx_conf_t *cf, ngx_shm_zone_t **ret);
ngx_int_t ngx_http_yimen_revoked_open(ngx_cycle_t *cycle,
    ngx_shm_zone_t *zone);
void ngx_http_yimen_revoked_close(void);

#endif /* NGX_HTTP_YIMEN_REVOKED_H */
