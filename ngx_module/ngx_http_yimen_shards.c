/* SPDX-License-Identifier: Apache-2.0
 * Lists that every shard keeps on its own, merged: audit entries, exceptions.
 */
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_record_json.h"


/* an entry of a stream: milliseconds, a dash, a serial number */
#define NGX_HTTP_YIMEN_POSITION_BYTES  40


static ngx_uint_t ngx_http_yimen_position_valid(struct ym_str position,
    const char *allowed);


ngx_int_t
ngx_http_yimen_list_cursor(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret,
    ngx_uint_t shards, const char *allowed)
{
    size_t         i, from;
    ngx_uint_t     n, valid;
    struct ym_str  arg;

    if (ngx_http_yimen_query(ctx, "cursor", &arg) != NGX_OK) {
        return NGX_OK;
    }

    n = 0;
    from = 0;
    valid = 1;

    for (i = 0; i <= arg.n && valid; i++) {

        if (i < arg.n && arg.p[i] != '_') {
            continue;
        }

        valid = 0;

        if (n < shards) {
            ret[n] = (struct ym_str){ arg.p + from, i - from };
            valid = ngx_http_yimen_position_valid(ret[n++], allowed);
        }

        from = i + 1;
    }

    if (!valid || n != shards) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "查询参数 cursor 无效",
                               "The query parameter cursor is not valid");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* digits; with allowed = "-": digits, a dash, digits */

static ngx_uint_t
ngx_http_yimen_position_valid(struct ym_str position, const char *allowed)
{
    size_t      i;
    ngx_uint_t  others;

    others = 0;

    for (i = 0; i < position.n; i++) {

        if (position.p[i] >= '0' && position.p[i] <= '9') {
            continue;
        }

        if (i == 0 || i + 1 == position.n || position.p[i] != allowed[0]) {
            return 0;
        }

        others++;
    }

    if (position.n == 0) {
        return 1;
    }

    return (allowed[0] != '\0') ? others == 1
                                     && position.n
                                        <= NGX_HTTP_YIMEN_POSITION_BYTES
                                : position.n <= 15;
}


void
ngx_http_yimen_list_more(ngx_http_yimen_ctx_t *ctx,
    const struct ym_str *positions)
{
    ngx_uint_t     i;
    struct ym_buf  cursor;

    ym_buf_init(&cursor, 2048);

    for (i = 0; positions != NULL && i < ctx->reply_count; i++) {
        if (i) {
            ym_buf_addc(&cursor, '_');
        }

        ym_buf_add(&cursor, positions[i].p, positions[i].n);
    }

    ngx_http_yimen_list_next(ctx, ym_buf_str(&cursor));
    ym_buf_clear(&cursor);
}


redisReply *
ngx_http_yimen_list_pick(ngx_http_yimen_ctx_t *ctx, ngx_uint_t *from,
    size_t by, size_t width, ngx_uint_t oldest, ngx_uint_t *ret_shard)
{
    return ngx_http_yimen_reply_pick(ctx->replies, ctx->reply_count, from, by,
                                     width, oldest != 0, ret_shard);
}
