/* SPDX-License-Identifier: Apache-2.0
 * The systems' state and counters, as the store keeps them.
 */
#ifndef NGX_HTTP_YIMEN_SYSTEMS_H
#define NGX_HTTP_YIMEN_SYSTEMS_H

#include "ngx_http_yimen_request.h"


/* counters that are summed over the shards; names as ym_store.h has them */
enum {
    NGX_HTTP_YIMEN_N_QUEUED,
    NGX_HTTP_YIMEN_N_SENDING,
    NGX_HTTP_YIMEN_N_DELIVERED,
    NGX_HTTP_YIMEN_N_RETRYING,
    NGX_HTTP_YIMEN_N_AWAITING,
    NGX_HTTP_YIMEN_N_UNKNOWN,
    NGX_HTTP_YIMEN_N_REJECTED,
    NGX_HTTP_YIMEN_N_DEAD,
    NGX_HTTP_YIMEN_N_HANDOFF,
    NGX_HTTP_YIMEN_N_WITHDRAWN,
    NGX_HTTP_YIMEN_N_ATTEMPTS,
    NGX_HTTP_YIMEN_N_OK,
    NGX_HTTP_YIMEN_N_COUNT
};
#define NGX_HTTP_YIMEN_N_STATES  NGX_HTTP_YIMEN_N_ATTEMPTS

extern const char *const  ngx_http_yimen_counters[];

typedef struct {
    int64_t  n[NGX_HTTP_YIMEN_N_COUNT];
    int64_t  oldest;                     /* ms; 0 = none waits */
} ngx_http_yimen_counts_t;

/* calls for state (first) and counters (one per shard), then handler */
void ngx_http_yimen_systems_fetch(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);

/* after such a fetch; by index in the catalogue; NULL: out of memory */
ngx_http_yimen_counts_t *
    ngx_http_yimen_systems_counts(ngx_http_yimen_ctx_t *ctx);

/* a field of a system's state, or "" */
struct ym_str ngx_http_yimen_system_field(const redisReply *reply,
    const char *system, const char *field);

/* disabled | paused | stopped | suspended | closed | running */
const char *ngx_http_yimen_system_health(const redisReply *reply,
    const struct ym_system *system);

#endif /* NGX_HTTP_YIMEN_SYSTEMS_H */
