/* SPDX-License-Identifier: Apache-2.0
 * Limits of requests, before a body is read: token buckets in shared memory,
 * for all workers of a node, without a call to Redis.
 *
 * The peer is the address that TCP tells (or realip, when the site has set it
 * for addresses of its own), never a header; an IPv6 address counts as its
 * /64.
 */
#ifndef NGX_HTTP_YIMEN_LIMIT_H
#define NGX_HTTP_YIMEN_LIMIT_H

#include "ngx_http_yimen_request.h"


/*
 * The `yimen_limit`s of the location, asked once it is known who calls; who
 * NULL or without subject: nobody known.  NGX_OK, or NGX_BUSY and *ret_after
 * seconds for Retry-After (answer with NGX_HTTP_YIMEN_P_TOO_MANY).
 */
ngx_int_t ngx_http_yimen_limit(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, ngx_uint_t *ret_after);

/*
 * Guessing: an address may present a number of session ids and tokens that
 * turn out to be nobody's.  Ask before anything is looked up or verified
 * (NGX_OK or NGX_BUSY, as above); tell after each that was wrong.
 */
ngx_int_t ngx_http_yimen_limit_guess(ngx_http_request_t *r,
    ngx_uint_t *ret_after);
void ngx_http_yimen_limit_wrong(ngx_http_request_t *r);

/*
 * For limits of other parts (sign-in by name, vault …): takes one from the
 * bucket kind/key.  rate: per second in thousandths; burst: how many at once.
 */
ngx_int_t ngx_http_yimen_limit_take(ngx_http_request_t *r, const char *kind,
    struct ym_str key, ngx_uint_t rate, ngx_uint_t burst,
    ngx_uint_t *ret_after);

/* the peer as a key: IPv4, or /64 of IPv6; from r's connection alone */
struct ym_str ngx_http_yimen_peer(ngx_http_request_t *r);

#endif /* NGX_HTTP_YIMEN_LIMIT_H */
