/* SPDX-License-Identifier: Apache-2.0
 * /users: local accounts as administrators see and change them.  A password is
 * never read, and set only by its owner: by a link that works once.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_list.h"
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_store_account.h"
#include "ym_time.h"


static ngx_http_yimen_local_t *
    ngx_http_yimen_users_open(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_users_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_account *a, int64_t created);
static void ngx_http_yimen_user_names(ngx_http_yimen_ctx_t *ctx,
    const struct ym_account *a);
static void ngx_http_yimen_user_created(ngx_http_yimen_ctx_t *ctx);
static ngx_uint_t ngx_http_yimen_user_there(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_patch(ngx_http_yimen_ctx_t *ctx);
static ngx_uint_t ngx_http_yimen_user_stored(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_patched(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_answer(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_link(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);
static void ngx_http_yimen_user_linked(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_unlocking(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_user_unlocked(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_user_apply(ngx_http_yimen_ctx_t *ctx);
static ngx_uint_t ngx_http_yimen_user_member(struct ym_account *a,
    const char *name, const json_t *value);
static ngx_uint_t ngx_http_yimen_user_list(struct ym_account *a,
    const char *name, const json_t *value);
static void ngx_http_yimen_user_refuse(ngx_http_yimen_ctx_t *ctx,
    const char *pointer);


/* lists and pages */

static ngx_http_yimen_local_t *
ngx_http_yimen_users_open(ngx_http_yimen_ctx_t *ctx)
{
    return ngx_http_yimen_local_open(ctx);
}


void
ngx_http_yimen_users_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t               limit;
    struct ym_str            after;
    ngx_http_yimen_args_t    args;
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_users_open(ctx);

    if (local == NULL || ngx_http_yimen_list_limit(ctx, &limit) != NGX_OK) {
        return;
    }

    if (ngx_http_yimen_query(ctx, "cursor", &after) != NGX_OK) {
        after = YM_STR("");
    }

    if (after.n && !ym_id_valid(after)) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_BAD_REQUEST,
                               "cursor 无效", "The cursor is not one of ours");
        return;
    }

    local->wanted = (int64_t) limit;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_LIST, 0);
    ngx_http_yimen_arg(&args, after);
    ngx_http_yimen_arg_int(&args, (int64_t) limit);
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_users_write);
}


static void
ngx_http_yimen_users_write(ngx_http_yimen_ctx_t *ctx)
{
    size_t                           i;
    redisReply                      *row, *reply;
    struct ym_err                    err;
    struct ym_str                    last;
    ngx_http_yimen_local_t          *local;
    ngx_http_yimen_reply_account_t   told;

    local = ctx->work;
    reply = ctx->replies[0];
    last = YM_STR("");

    ym_buf_adds(&ctx->out, "{\"items\":[");

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        row = reply->element[i];

        if (!ngx_http_yimen_reply_account(row, &told)) {
            continue;
        }

        last = told.id;

        if (ym_account_open(ctx->conf->ring, told.id, told.sealed,
                            &local->account, &err)
            != YM_OK)
        {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "event=account.unreadable err=\"%s\"", err.message);
            ngx_http_yimen_local_trouble(ctx);
            return;
        }

        local->account.disabled = told.disabled;

        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_user_write(ctx, &local->account, told.created);
    }

    ngx_http_yimen_list_next(ctx, i == (size_t) local->wanted ? last
                                                             : YM_STR(""));
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_user_write(ngx_http_yimen_ctx_t *ctx,
    const struct ym_account *a, int64_t created)
{
    ngx_uint_t      bit, n;
    struct ym_buf  *out;

    out = &ctx->out;
    n = 0;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ym_str_of(a->id));
    ngx_http_yimen_user_names(ctx, a);
    ym_buf_adds(out, ",\"email\":");
    ym_buf_add_json(out, ym_str_of(a->email));
    ym_buf_adds(out, ",\"name\":");
    ym_buf_add_json(out, ym_str_of(a->title));
    ym_buf_adds(out, ",\"org\":");
    ym_buf_add_json(out, ym_str_of(a->org));
    ym_buf_adds(out, ",\"area\":");
    ym_buf_add_json(out, ym_str_of(a->area));
    ym_buf_adds(out, ",\"roles\":[");

    for (bit = YM_ROLE_STAFF; bit <= YM_ROLE_ADMIN; bit <<= 1) {
        if (a->roles & bit) {
            ym_buf_adds(out, n++ ? ",\"" : "\"");
            ym_buf_adds(out, ym_role_name((unsigned) bit));
            ym_buf_addc(out, '"');
        }
    }

    ym_buf_adds(out, "],\"disabled\":");
    ym_buf_adds(out, a->disabled ? "true" : "false");
    ym_buf_adds(out, ",\"password\":");
    ym_buf_adds(out, a->hash[0] ? "true" : "false");
    ym_buf_adds(out, ",\"second_factor\":");
    ym_buf_adds(out, a->totp[0] ? "true" : "false");
    ym_buf_adds(out, ",\"created_at\":");
    ngx_http_yimen_time_write(out, created);
    ym_buf_addc(out, '}');
}


static void
ngx_http_yimen_user_names(ngx_http_yimen_ctx_t *ctx,
    const struct ym_account *a)
{
    size_t          i;
    struct ym_buf  *out;

    out = &ctx->out;

    ym_buf_adds(out, ",\"subject\":\"local:");
    ym_buf_adds(out, a->id);
    ym_buf_adds(out, "\",\"login\":");
    ym_buf_add_json(out, ym_str_of(a->names[0]));
    ym_buf_adds(out, ",\"aliases\":[");

    for (i = 1; i < a->name_count; i++) {
        ym_buf_adds(out, i > 1 ? "," : "");
        ym_buf_add_json(out, ym_str_of(a->names[i]));
    }

    ym_buf_addc(out, ']');
}


/* a new account; it has no password until its owner sets one */

void
ngx_http_yimen_user_create(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ngx_http_yimen_users_open(ctx);

    if (local == NULL || ngx_http_yimen_body_json(ctx) != NGX_OK) {
        return;
    }

    local->created = ym_now_ms();

    if (ym_id_make(local->created, 0, local->account.id) != YM_OK) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    if (ngx_http_yimen_user_apply(ctx) == NGX_OK) {
        ngx_http_yimen_local_put(ctx, ngx_http_yimen_user_created);
    }
}


static void
ngx_http_yimen_user_created(ngx_http_yimen_ctx_t *ctx)
{
    if (!ngx_http_yimen_user_stored(ctx)) {
        return;
    }

    ngx_http_yimen_local_evidence(ctx, "user_added", ctx->who.subject, "");
    ngx_http_yimen_user_link(ctx, NGX_HTTP_CREATED);
}


/* changes */

void
ngx_http_yimen_user_change(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_users_open(ctx) == NULL
        || ngx_http_yimen_body_json(ctx) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_local_get(ctx, ctx->params[0], ngx_http_yimen_user_patch);
}


static ngx_uint_t
ngx_http_yimen_user_there(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (local->account.id[0]) {
        return 1;
    }

    ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);

    return 0;
}


static void
ngx_http_yimen_user_patch(ngx_http_yimen_ctx_t *ctx)
{
    size_t                   n;
    struct ym_str            id;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (!ngx_http_yimen_user_there(ctx)
        || ngx_http_yimen_user_apply(ctx) != NGX_OK)
    {
        return;
    }

    /* nobody shuts the last door behind himself by mistake */

    id = ctx->who.subject;
    n = sizeof("local:") - 1;

    if (id.n == n + YM_ID_LEN && ngx_strncmp(id.p, "local:", n) == 0
        && ngx_strncmp(id.p + n, local->account.id, YM_ID_LEN) == 0
        && (local->account.disabled
            || !(local->account.roles & YM_ROLE_ADMIN)))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_STATE,
                      "不能停用自己的账号或取消自己的管理员角色",
                      "Nobody disables his own account or takes the "
                      "administrator's role from himself");
        return;
    }

    ngx_http_yimen_local_put(ctx, ngx_http_yimen_user_patched);
}


static ngx_uint_t
ngx_http_yimen_user_stored(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    switch (local->put) {

    case NGX_HTTP_YIMEN_PUT_OK:
        return 1;

    case NGX_HTTP_YIMEN_PUT_TAKEN:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_CONFLICT,
                               "该用户名、别名或邮箱已被其他账号使用",
                               "Another account has this name, alias or "
                               "e-mail address");
        return 0;

    default:
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_CONFLICT,
                               "账号刚刚被他人修改，请重试",
                               "Somebody changed the account a moment ago: "
                               "try again");
        return 0;
    }
}


/* sessions carry roles and area: they end, and the next one knows better */

static void
ngx_http_yimen_user_patched(ngx_http_yimen_ctx_t *ctx)
{
    const char              *what;
    ngx_http_yimen_local_t  *local;

    if (!ngx_http_yimen_user_stored(ctx)) {
        return;
    }

    local = ctx->work;
    what = "user_changed";

    if (json_object_get(ctx->json, "disabled") != NULL) {
        what = local->account.disabled ? "user_disabled" : "user_enabled";
    }

    ngx_http_yimen_local_evidence(ctx, what, ctx->who.subject, "");
    ngx_http_yimen_session_end_person(ctx, YM_STR(YM_ACCOUNT_ISSUER),
                                      ym_str_of(local->account.id), what,
                                      ngx_http_yimen_user_answer);
}


static void
ngx_http_yimen_user_answer(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    ngx_http_yimen_user_write(ctx, &local->account, local->created);
    ym_buf_addc(&ctx->out, '\n');
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/* a link that sets a password */

void
ngx_http_yimen_user_reset(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_users_open(ctx) != NULL) {
        ngx_http_yimen_local_get(ctx, ctx->params[0],
                                 ngx_http_yimen_user_linked);
    }
}


static void
ngx_http_yimen_user_linked(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_user_there(ctx)) {
        ngx_http_yimen_local_evidence(ctx, "user_reset_link", ctx->who.subject,
                                      "");
        ngx_http_yimen_user_link(ctx, NGX_HTTP_OK);
    }
}


static void
ngx_http_yimen_user_link(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    struct ym_str            ticket;
    struct ym_buf           *out;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    out = &ctx->out;
    ticket = ngx_http_yimen_reset_ticket(ctx);

    if (ticket.n == 0) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ym_buf_adds(out, "{\"user\":");
    ngx_http_yimen_user_write(ctx, &local->account, local->created);

    /* where people reach us is configured; no Host header has a say in it */

    ym_buf_adds(out, ",\"link\":\"");
    ym_buf_adds(out, ctx->conf->auth.public_url);
    ym_buf_adds(out, "/auth/reset?t=");
    ym_buf_add(out, ticket.p, ticket.n);
    ym_buf_adds(out, "\",\"link_expires_at\":");
    ngx_http_yimen_time_write(out, ym_now_ms() + NGX_HTTP_YIMEN_RESET_MS);
    ym_buf_adds(out, "}\n");

    ngx_http_yimen_answer(ctx, status, NULL);
}


/* no waiting any more */

void
ngx_http_yimen_user_unlock(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_http_yimen_users_open(ctx) != NULL) {
        ngx_http_yimen_local_get(ctx, ctx->params[0],
                                 ngx_http_yimen_user_unlocking);
    }
}


static void
ngx_http_yimen_user_unlocking(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t  args;

    if (!ngx_http_yimen_user_there(ctx)) {
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_UNLOCK, 0);
    ngx_http_yimen_arg(&args, ctx->params[0]);
    ngx_http_yimen_arg(&args, YM_STR("0"));
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_user_unlocked);
}


static void
ngx_http_yimen_user_unlocked(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_evidence(ctx, "user_unlocked", ctx->who.subject, "");
    ngx_http_yimen_user_answer(ctx);
}


/* the body over the account as it is: a merge patch (RFC 7396) */

static ngx_int_t
ngx_http_yimen_user_apply(ngx_http_yimen_ctx_t *ctx)
{
    void                    *it;
    char                     pointer[64];
    const char              *name, *fault;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    for (it = json_object_iter(ctx->json);
         it != NULL;
         it = json_object_iter_next(ctx->json, it))
    {
        name = json_object_iter_key(it);

        if (ngx_http_yimen_user_member(&local->account, name,
                                       json_object_iter_value(it)))
        {
            continue;
        }

        /* the name is quoted only when it is one of ours */

        (void) ngx_snprintf((u_char *) pointer, sizeof(pointer), "/%s%Z",
                            ngx_strlen(name) < 16 ? name : "");
        ngx_http_yimen_user_refuse(ctx, pointer);
        return NGX_ERROR;
    }

    fault = ym_account_fault(&local->account);

    if (fault != NULL) {
        ngx_http_yimen_user_refuse(ctx, fault);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_user_member(struct ym_account *a, const char *name,
    const json_t *value)
{
    size_t      i, n;
    ngx_uint_t  null;

    const struct {
        const char  *name;
        char        *to;
        size_t       size;
    } texts[] = {
        { "login", a->names[0], sizeof(a->names[0]) },
        { "email", a->email, sizeof(a->email) },
        { "name", a->title, sizeof(a->title) },
        { "org", a->org, sizeof(a->org) },
        { "area", a->area, sizeof(a->area) }
    };

    null = json_is_null(value);

    for (i = 0; i < YM_COUNT(texts); i++) {
        if (ngx_strcmp(name, texts[i].name) != 0) {
            continue;
        }

        n = null ? 0 : json_string_length(value);

        if ((!null && !json_is_string(value)) || n >= texts[i].size) {
            return 0;
        }

        ngx_memcpy(texts[i].to, null ? "" : json_string_value(value), n);
        texts[i].to[n] = '\0';

        if (i == 0 && a->name_count == 0) {
            a->name_count = 1;
        }

        return 1;
    }

    if (ngx_strcmp(name, "disabled") == 0 && json_is_boolean(value)) {
        a->disabled = json_is_true(value);
        return 1;
    }

    /* it is taken away here, and given by nobody but its owner */

    if (ngx_strcmp(name, "second_factor") == 0
        && (null || json_is_false(value)))
    {
        ym_wipe(a->totp, sizeof(a->totp));
        ym_wipe(a->codes, sizeof(a->codes));
        return 1;
    }

    return ngx_http_yimen_user_list(a, name, value);
}


static ngx_uint_t
ngx_http_yimen_user_list(struct ym_account *a, const char *name,
    const json_t *value)
{
    size_t         i, n, count;
    unsigned       bit;
    ngx_uint_t     roles;
    const json_t  *item;

    roles = (ngx_strcmp(name, "roles") == 0);
    count = json_is_null(value) ? 0 : json_array_size(value);

    if ((!roles && ngx_strcmp(name, "aliases") != 0)
        || (!json_is_array(value) && !json_is_null(value))
        || (!roles && count >= YM_ACCOUNT_NAMES))
    {
        return 0;
    }

    if (roles) {
        a->roles = 0;

    } else {
        /* the login has its place even when it comes later in the body */

        a->name_count = count + 1;
    }

    for (i = 0; i < count; i++) {
        item = json_array_get(value, i);
        n = json_string_length(item);

        if (!json_is_string(item) || n >= YM_ACCOUNT_NAME) {
            return 0;
        }

        if (!roles) {
            ngx_memcpy(a->names[i + 1], json_string_value(item), n);
            a->names[i + 1][n] = '\0';
            continue;
        }

        bit = ym_role_of((struct ym_str){ json_string_value(item), n });

        if (bit == 0) {
            return 0;
        }

        a->roles |= bit;
    }

    return 1;
}


static void
ngx_http_yimen_user_refuse(ngx_http_yimen_ctx_t *ctx, const char *pointer)
{
    ngx_uint_t  i;

    static const struct {
        const char  *pointer, *zh, *en;
    } words[] = {
        { "/login", "用户名只能包含文字、数字和 . _ - @ + ·,不得为空",
          "A login has letters, digits and . _ - @ + and is not empty" },
        { "/aliases", "别名最多 5 个，格式与用户名相同",
          "At most 5 aliases, each written like a login" },
        { "/email", "邮箱格式不正确", "This is no e-mail address" },
        { "/roles",
          "至少一个角色:staff、supervisor、operator、auditor、admin",
          "At least one of staff, supervisor, operator, auditor, admin" },
        { "/area", "行政区划代码为至多 12 位数字",
          "An area code has at most 12 digits" },
        { "/second_factor", "此处只能取消两步验证",
          "It can only be taken away here" }
    };

    for (i = 0; i < YM_COUNT(words); i++) {
        if (ngx_strcmp(pointer, words[i].pointer) == 0) {
            ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, pointer,
                                      "format", words[i].zh, words[i].en);
            return;
        }
    }

    ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, pointer, "format",
                              "此字段不存在或格式不正确",
                              "There is no such field, or it is not written "
                              "rightly");
}
