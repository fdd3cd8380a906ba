/* SPDX-License-Identifier: Apache-2.0
 * GET /records: every shard is asked at once, their pages are merged by id.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"

#include "ym_store.h"
#include "ym_time.h"


/* index entries a shard looks at for one page, at most */
#define NGX_HTTP_YIMEN_LIST_STEPS    2000
#define NGX_HTTP_YIMEN_LIST_FILTERS  32
#define NGX_HTTP_YIMEN_KEY_NAME      64


typedef struct {
    ngx_uint_t      limit;
    struct ym_str   cursor;
    struct ym_str   names[NGX_HTTP_YIMEN_LIST_FILTERS];
    struct ym_str   values[NGX_HTTP_YIMEN_LIST_FILTERS];
    ngx_uint_t      count;
} ngx_http_yimen_list_t;


static ngx_int_t ngx_http_yimen_list_filters(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list);
static ngx_int_t ngx_http_yimen_list_time(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list, const char *name);
static ngx_int_t ngx_http_yimen_list_keys(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list);
static ngx_int_t ngx_http_yimen_list_key(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list, u_char *p, u_char *last);
static void ngx_http_yimen_list_scopes(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list);
static void ngx_http_yimen_list_add(ngx_http_yimen_list_t *list,
    struct ym_str name, struct ym_str value);
static ngx_int_t ngx_http_yimen_list_bad(ngx_http_yimen_ctx_t *ctx,
    const char *name);
static void ngx_http_yimen_list_write(ngx_http_yimen_ctx_t *ctx);
static redisReply *ngx_http_yimen_list_newest(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t *from, struct ym_str floor);
static struct ym_str ngx_http_yimen_list_floor(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t shards);


static ngx_uint_t ngx_http_yimen_filter_type(ngx_http_yimen_ctx_t *ctx,
    struct ym_str arg);
static ngx_uint_t ngx_http_yimen_filter_system(ngx_http_yimen_ctx_t *ctx,
    struct ym_str arg);
static ngx_uint_t ngx_http_yimen_filter_state(ngx_http_yimen_ctx_t *ctx,
    struct ym_str arg);
static ngx_uint_t ngx_http_yimen_filter_area(ngx_http_yimen_ctx_t *ctx,
    struct ym_str arg);
static ngx_uint_t ngx_http_yimen_filter_owner(ngx_http_yimen_ctx_t *ctx,
    struct ym_str arg);


/* filters that go to the store as they came */
static const struct {
    const char   *name;
    ngx_uint_t  (*valid)(ngx_http_yimen_ctx_t *ctx, struct ym_str arg);
} ngx_http_yimen_filters[] = {
    { "type", ngx_http_yimen_filter_type },
    { "system", ngx_http_yimen_filter_system },
    { "state", ngx_http_yimen_filter_state },
    { "area", ngx_http_yimen_filter_area },
    { "owner", ngx_http_yimen_filter_owner }
};


static const char *const  ngx_http_yimen_list_states[] = {
    "queued", "sending", "delivered", "retrying", "unknown", "rejected",
    "dead", "handoff", "withdrawn"
};


void
ngx_http_yimen_record_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t              i, k, shards;
    ngx_http_yimen_args_t  *args;
    ngx_http_yimen_list_t  *list;

    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;
    list = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_list_t));
    args = ngx_palloc(ctx->request->pool,
                      (shards + 1) * sizeof(ngx_http_yimen_args_t));

    if (list == NULL || args == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ctx->work = list;

    if (ngx_http_yimen_list_limit(ctx, &list->limit) != NGX_OK
        || ngx_http_yimen_list_filters(ctx, list) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_list_scopes(ctx, list);

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_LIST, i);
        ngx_http_yimen_arg(&args[i], list->cursor);
        ngx_http_yimen_arg_int(&args[i], (int64_t) list->limit);
        ngx_http_yimen_arg_int(&args[i], NGX_HTTP_YIMEN_LIST_STEPS);

        for (k = 0; k < list->count; k++) {
            ngx_http_yimen_arg(&args[i], list->names[k]);
            ngx_http_yimen_arg(&args[i], list->values[k]);
        }
    }

    ngx_http_yimen_systems_args(ctx, &args[shards]);

    ngx_http_yimen_calls(ctx, args, shards + 1, ngx_http_yimen_list_write);
}


ngx_int_t
ngx_http_yimen_list_limit(ngx_http_yimen_ctx_t *ctx, ngx_uint_t *ret)
{
    ngx_int_t      n;
    struct ym_str  arg;

    *ret = NGX_HTTP_YIMEN_PAGE;

    if (ngx_http_yimen_query(ctx, "limit", &arg) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi((u_char *) (uintptr_t) arg.p, arg.n);

    if (n < 1 || n > NGX_HTTP_YIMEN_PAGE_MAX) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "limit 应为 1 至 200",
                               "limit is a number from 1 to 200");
        return NGX_ERROR;
    }

    *ret = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_list_bad(ngx_http_yimen_ctx_t *ctx, const char *name)
{
    u_char  zh[96], en[96];

    (void) ngx_snprintf(zh, sizeof(zh), "查询参数 %s 无效%Z", name);
    (void) ngx_snprintf(en, sizeof(en), "The query parameter %s is not valid%Z",
                        name);

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST, (char *) zh,
                           (char *) en);

    return NGX_ERROR;
}


static void
ngx_http_yimen_list_add(ngx_http_yimen_list_t *list, struct ym_str name,
    struct ym_str value)
{
    if (list->count < NGX_HTTP_YIMEN_LIST_FILTERS) {
        list->names[list->count] = name;
        list->values[list->count++] = value;
    }
}


static ngx_int_t
ngx_http_yimen_list_filters(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list)
{
    ngx_uint_t     i;
    struct ym_str  arg;

    if (ngx_http_yimen_query(ctx, "cursor", &arg) == NGX_OK) {
        if (!ym_id_valid(arg)) {
            return ngx_http_yimen_list_bad(ctx, "cursor");
        }

        list->cursor = arg;
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_filters); i++) {

        if (ngx_http_yimen_query(ctx, ngx_http_yimen_filters[i].name, &arg)
            != NGX_OK)
        {
            continue;
        }

        if (!ngx_http_yimen_filters[i].valid(ctx, arg)) {
            return ngx_http_yimen_list_bad(ctx,
                                           ngx_http_yimen_filters[i].name);
        }

        ngx_http_yimen_list_add(list,
                                ym_str_of(ngx_http_yimen_filters[i].name),
                                arg);
    }

    if (ngx_http_yimen_list_time(ctx, list, "from") != NGX_OK
        || ngx_http_yimen_list_time(ctx, list, "to") != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_yimen_list_keys(ctx, list);
}


static ngx_uint_t
ngx_http_yimen_filter_type(ngx_http_yimen_ctx_t *ctx, struct ym_str arg)
{
    return ym_catalog_type(ctx->conf->catalog, arg.p) != NULL;
}


static ngx_uint_t
ngx_http_yimen_filter_system(ngx_http_yimen_ctx_t *ctx, struct ym_str arg)
{
    return ym_catalog_system(ctx->conf->catalog, arg.p) != NULL;
}


static ngx_uint_t
ngx_http_yimen_filter_state(ngx_http_yimen_ctx_t *ctx, struct ym_str arg)
{
    ngx_uint_t  i;

    for (i = 0; i < YM_COUNT(ngx_http_yimen_list_states); i++) {
        if (ym_str_is(arg, ngx_http_yimen_list_states[i])) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_yimen_filter_area(ngx_http_yimen_ctx_t *ctx, struct ym_str arg)
{
    size_t  i;

    for (i = 0; i < arg.n; i++) {
        if (arg.p[i] < '0' || arg.p[i] > '9') {
            return 0;
        }
    }

    return arg.n > 0 && arg.n <= 12;
}


static ngx_uint_t
ngx_http_yimen_filter_owner(ngx_http_yimen_ctx_t *ctx, struct ym_str arg)
{
    return arg.n > 0;
}


static ngx_int_t
ngx_http_yimen_list_time(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list, const char *name)
{
    u_char         *p;
    int64_t         ms;
    struct ym_str   arg;

    if (ngx_http_yimen_query(ctx, name, &arg) != NGX_OK) {
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN + 1);

    if (p == NULL || !ym_time_parse(arg, YM_CHINA_OFFSET_MIN, &ms) || ms < 0) {
        return ngx_http_yimen_list_bad(ctx, name);
    }

    arg.p = (char *) p;
    arg.n = (size_t) (ngx_sprintf(p, "%L", ms) - p);
    ngx_http_yimen_list_add(list, ym_str_of(name), arg);

    return NGX_OK;
}


/* key.<name>=value: exact match, found by its digest */

static ngx_int_t
ngx_http_yimen_list_keys(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list)
{
    u_char      *p, *last, *end;
    ngx_str_t   *args;
    ngx_uint_t   n;

    n = 0;
    args = &ctx->request->args;
    p = args->data;
    last = p + args->len;

    while (p < last) {
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end - p > 4 && ngx_strncmp(p, "key.", 4) == 0) {

            /* the store looks a record up by one key */

            if (n++) {
                ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                                       "一次只能用一个 key. 查询参数",
                                       "One key. parameter at a time");
                return NGX_ERROR;
            }

            if (ngx_http_yimen_list_key(ctx, list, p, end) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        p = end + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_list_key(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list, u_char *p, u_char *last)
{
    char           name[NGX_HTTP_YIMEN_KEY_NAME + 5];
    size_t         n;
    u_char        *equal;
    struct ym_str  value, digest, full;

    equal = ngx_strlchr(p, last, '=');

    if (equal == NULL) {
        return ngx_http_yimen_list_bad(ctx, "key");
    }

    n = (size_t) (equal - p);

    if (n >= sizeof(name)) {
        return ngx_http_yimen_list_bad(ctx, "key");
    }

    ngx_memcpy(name, p, n);
    name[n] = '\0';

    if (ngx_http_yimen_query(ctx, name, &value) != NGX_OK || value.n == 0
        || !ngx_http_yimen_list_key_known(ctx, name + 4))
    {
        return ngx_http_yimen_list_bad(ctx, "key");
    }

    name[3] = ':';
    full = ngx_http_yimen_copy(ctx, (struct ym_str){ name, n });

    if (full.p == NULL
        || ngx_http_yimen_key_digest(ctx, name + 4, value, &digest)
           != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    ngx_http_yimen_list_add(list, full, digest);

    return NGX_OK;
}


ngx_uint_t
ngx_http_yimen_list_key_known(ngx_http_yimen_ctx_t *ctx, const char *name)
{
    size_t                    i, k;
    const struct ym_type     *type;
    const struct ym_catalog  *catalog;

    catalog = ctx->conf->catalog;

    for (i = 0; i < catalog->type_count; i++) {
        type = &catalog->types[i];

        for (k = 0; k < type->key_count; k++) {
            if (ngx_strcmp(type->keys[k].name, name) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


/* what one may not see is not even counted */

static void
ngx_http_yimen_list_scopes(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_list_t *list)
{
    if (ctx->who.roles & (NGX_HTTP_YIMEN_ROLE_ADMIN
                          | NGX_HTTP_YIMEN_ROLE_OPERATOR))
    {
        return;
    }

    /* room for these two is kept: they must never be what does not fit */

    list->count = ngx_min(list->count, NGX_HTTP_YIMEN_LIST_FILTERS - 2);

    ngx_http_yimen_list_add(list, YM_STR("scope_owner"), ctx->who.subject);

    if (ctx->who.area.n) {
        ngx_http_yimen_list_add(list, YM_STR("scope_area"), ctx->who.area);
    }
}


/*
 * The shards have looked down to different ids.  Only records above the
 * highest of these are certain to have no unseen neighbour.
 */
static struct ym_str
ngx_http_yimen_list_floor(ngx_http_yimen_ctx_t *ctx, ngx_uint_t shards)
{
    ngx_uint_t     i;
    struct ym_str  next, floor;

    floor = YM_STR("");

    for (i = 0; i < shards; i++) {

        if (ctx->replies[i]->type != REDIS_REPLY_ARRAY
            || ctx->replies[i]->elements == 0)
        {
            continue;
        }

        next = ngx_http_yimen_reply_str(ctx->replies[i]->element[0]);

        if (next.n == YM_ID_LEN
            && (floor.n == 0 || ngx_memcmp(next.p, floor.p, YM_ID_LEN) > 0))
        {
            floor = next;
        }
    }

    return floor;
}


/* the newest record not taken yet, or NULL; from[i]: next row of shard i */

static redisReply *
ngx_http_yimen_list_newest(ngx_http_yimen_ctx_t *ctx, ngx_uint_t *from,
    struct ym_str floor)
{
    ngx_uint_t      i, best;
    redisReply     *reply, *row, *found;
    struct ym_str   id, newest;

    found = NULL;
    best = 0;
    newest = YM_STR("");

    for (i = 0; i + 1 < ctx->reply_count; i++) {
        reply = ctx->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || from[i] >= reply->elements) {
            continue;
        }

        row = reply->element[from[i]];

        if (row->type != REDIS_REPLY_ARRAY || row->elements < 11) {
            from[i] = reply->elements;
            continue;
        }

        id = ngx_http_yimen_reply_str(row->element[0]);

        if (id.n != YM_ID_LEN
            || (floor.n && ngx_memcmp(id.p, floor.p, YM_ID_LEN) < 0))
        {
            continue;
        }

        if (found == NULL || ngx_memcmp(id.p, newest.p, YM_ID_LEN) > 0) {
            found = row;
            newest = id;
            best = i;
        }
    }

    if (found != NULL) {
        from[best]++;
    }

    return found;
}


static void
ngx_http_yimen_list_write(ngx_http_yimen_ctx_t *ctx)
{
    u_char                    text[NGX_INT_T_LEN + 16];
    ngx_uint_t                i, others, shards, from[YM_SHARDS_MAX];
    redisReply               *row;
    struct ym_str             floor, last, why;
    ngx_http_yimen_list_t    *list;
    ngx_http_yimen_record_t   record;

    list = ctx->work;
    others = 0;
    shards = ctx->reply_count - 1;
    last = YM_STR("");

    ngx_http_yimen_systems_heard(ctx, ctx->replies[shards]);

    for (i = 0; i < shards; i++) {
        from[i] = 1;
    }

    floor = ngx_http_yimen_list_floor(ctx, shards);
    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (i = 0; i < list->limit; i++) {
        row = ngx_http_yimen_list_newest(ctx, from, floor);
        if (row == NULL) {
            break;
        }

        last = ngx_http_yimen_reply_str(row->element[0]);

        if (ngx_http_yimen_record_read_at(ctx, row->element + 1, last,
                                          &record)
            != NGX_OK)
        {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL,
                                   NULL);
            return;
        }

        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        others += ngx_http_yimen_record_of_others(ctx, &record);

        ngx_http_yimen_record_write(ctx, &record,
                                    !ngx_http_yimen_record_owned(ctx,
                                                                 &record));
    }

    if (others) {
        why.p = (char *) text;
        why.n = (size_t) (ngx_sprintf(text, "%ui records", others) - text);
        ngx_http_yimen_record_noted(ctx, "list", YM_STR(""), why);
    }

    /* a full page goes on after its last record, a short one at the floor */

    if (i < list->limit
        || ngx_http_yimen_list_newest(ctx, from, YM_STR("")) == NULL)
    {
        last = (i < list->limit || floor.n) ? floor : YM_STR("");
    }

    ngx_http_yimen_list_next(ctx, last);
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* the same address with another cursor */

void
ngx_http_yimen_list_next(ngx_http_yimen_ctx_t *ctx, struct ym_str cursor)
{
    u_char         *p, *last, *end;
    struct ym_buf  *out, link;

    out = &ctx->out;
    ym_buf_adds(out, "],\"next\":");

    if (cursor.n == 0) {
        ym_buf_adds(out, "null}\n");
        return;
    }

    ym_buf_init(&link, 16384);
    ym_buf_add(&link, ctx->request->uri.data, ctx->request->uri.len);
    ym_buf_adds(&link, "?cursor=");
    ym_buf_add_uri(&link, cursor);

    p = ctx->request->args.data;
    last = p + ctx->request->args.len;

    while (p < last) {
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end > p
            && !(end - p >= 7 && ngx_strncmp(p, "cursor=", 7) == 0))
        {
            ym_buf_addc(&link, '&');
            ym_buf_add(&link, p, (size_t) (end - p));
        }

        p = end + 1;
    }

    ym_buf_add_json(out, ym_buf_str(&link));
    ym_buf_clear(&link);
    ym_buf_adds(out, "}\n");
}
