/* SPDX-License-Identifier: Apache-2.0
 * Calls of the store without an API request.
 */
#include "ngx_http_yimen_fcall.h"


static void ngx_http_yimen_fcall_nobody(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);


void
ngx_http_yimen_fcall_init(ngx_http_yimen_fcall_t *call, const char *function,
    ngx_uint_t shard)
{
    call->argc = 0;
    call->number_count = 0;
    call->failed = 0;

    (void) ngx_sprintf(call->key, "{s%ui}%Z", shard);

    ngx_http_yimen_fcall_z(call, "FCALL");
    ngx_http_yimen_fcall_z(call, function);
    ngx_http_yimen_fcall_z(call, "1");
    ngx_http_yimen_fcall_z(call, (char *) call->key);
}


void
ngx_http_yimen_fcall_arg(ngx_http_yimen_fcall_t *call, struct ym_str text)
{
    if (call->argc == NGX_HTTP_YIMEN_FCALL_ARGS) {
        call->failed = 1;
        return;
    }

    call->argv[call->argc] = (text.p != NULL) ? text.p : "";
    call->len[call->argc++] = text.n;
}


void
ngx_http_yimen_fcall_z(ngx_http_yimen_fcall_t *call, const char *text)
{
    ngx_http_yimen_fcall_arg(call, ym_str_of(text));
}


void
ngx_http_yimen_fcall_int(ngx_http_yimen_fcall_t *call, int64_t n)
{
    u_char  *p;

    if (call->number_count == YM_COUNT(call->numbers)) {
        call->failed = 1;
        return;
    }

    p = call->numbers[call->number_count++];
    (void) ngx_sprintf(p, "%L%Z", n);

    ngx_http_yimen_fcall_z(call, (char *) p);
}


ngx_int_t
ngx_http_yimen_fcall_send(ngx_http_yimen_fcall_t *call, ngx_pool_t *pool,
    ngx_http_yimen_redis_pt handler, void *data)
{
    if (call->failed) {
        return NGX_ERROR;
    }

    return ngx_http_yimen_redis_call(ngx_http_yimen_worker.redis, pool,
                                     call->argc, call->argv, call->len,
                                     handler ? handler
                                             : ngx_http_yimen_fcall_nobody,
                                     data);
}


static void
ngx_http_yimen_fcall_nobody(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    if (why == NGX_HTTP_YIMEN_REDIS_OK && *reply != NULL
        && (*reply)->type == REDIS_REPLY_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "event=redis.refused err=\"%*s\"",
                      ngx_min((*reply)->len, 48), (*reply)->str);
    }
}
