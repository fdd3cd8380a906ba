/* SPDX-License-Identifier: Apache-2.0
 * The vault's API: what is entered is sealed and kept, listed without a value,
 * taken away.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_vault.h"

#include "ym_store_vault.h"


#define NGX_HTTP_YIMEN_VAULT_SEALED  (64 * 1024)


typedef struct {
    const ngx_http_yimen_app_t  *app;
    ngx_http_yimen_holder_t      person;
    struct ym_credentials        who;
    struct ym_buf                sealed;
    unsigned                     page:1;
} ngx_http_yimen_vault_work_t;


static ngx_http_yimen_vault_work_t *ngx_http_yimen_vault_work(
    ngx_http_yimen_ctx_t *ctx, struct ym_str system);
static void ngx_http_yimen_vault_close(void *data);
static void ngx_http_yimen_vault_write(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_vault_json(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work);
static ngx_int_t ngx_http_yimen_vault_more(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work, const json_t *more);
static ngx_int_t ngx_http_yimen_vault_text_ok(const char *text,
    ngx_uint_t empty);
static void ngx_http_yimen_vault_wrong(ngx_http_yimen_ctx_t *ctx,
    const char *pointer);
static ngx_int_t ngx_http_yimen_vault_seal(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work);
static void ngx_http_yimen_vault_send(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work);
static void ngx_http_yimen_vault_kept(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_vault_gone(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_vault_evidence(ngx_http_yimen_ctx_t *ctx,
    const char *what);
static ym_status ngx_http_yimen_vault_context(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person, struct ym_buf *out);


void
ngx_http_yimen_vault_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t         args;
    ngx_http_yimen_vault_work_t  *work;

    work = ngx_http_yimen_vault_work(ctx, YM_STR_NULL);
    if (work == NULL) {
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_VAULT_LIST,
                             work->person.shard);
    ngx_http_yimen_arg_z(&args, work->person.digest);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_vault_write);
}


static void
ngx_http_yimen_vault_write(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                   i, k, n;
    redisReply                  *row;
    struct ym_str                stale;
    struct ym_buf               *out;
    const ngx_http_yimen_app_t  *app;

    out = &ctx->out;
    n = 0;

    ym_buf_adds(out, "{\"items\":[");

    for (i = 0; i < ngx_http_yimen_apps_count(ctx->conf); i++) {
        app = ngx_http_yimen_app_at(ctx->conf, i);

        if (app->password != NULL) {
            continue;
        }

        row = ngx_http_yimen_vault_row(ctx->replies[0], app->id);

        ym_buf_adds(out, n++ ? ",{\"system\":" : "{\"system\":");
        ym_buf_add_json(out, ym_str_of(app->id));
        ym_buf_adds(out, ",\"title\":{\"zh\":");
        ym_buf_add_json(out, ym_str_of(app->title_zh));
        ym_buf_adds(out, ",\"en\":");
        ym_buf_add_json(out, ym_str_of(app->title_en));
        ym_buf_adds(out, "},\"ask\":[");

        for (k = 0; app->recipe != NULL && app->recipe->ask[k] != NULL; k++) {
            ym_buf_adds(out, k ? "," : "");
            ym_buf_add_json(out, ym_str_of(app->recipe->ask[k]));
        }

        ym_buf_adds(out, "],\"since\":");

        if (row == NULL) {
            ym_buf_adds(out, "null,\"stale\":null}");
            continue;
        }

        ngx_http_yimen_time_write(out,
                                ngx_http_yimen_reply_int(row->element[1]));
        ym_buf_adds(out, ",\"stale\":");

        stale = ngx_http_yimen_reply_str(row->element[2]);

        if (stale.n) {
            ym_buf_add_json(out, stale);

        } else {
            ym_buf_adds(out, "null");
        }

        ym_buf_addc(out, '}');
    }

    ym_buf_adds(out, "]}");
    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


redisReply *
ngx_http_yimen_vault_row(redisReply *reply, const char *system)
{
    return ngx_http_yimen_reply_named(reply, 3, system);
}


void
ngx_http_yimen_vault_put(ngx_http_yimen_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_yimen_vault_work_t  *work;

    work = ngx_http_yimen_vault_work(ctx, ctx->params[0]);
    if (work == NULL) {
        return;
    }

    if (ngx_http_yimen_body_json(ctx) != NGX_OK) {
        return;
    }

    rc = ngx_http_yimen_vault_json(ctx, work);

    if (rc == NGX_OK) {
        rc = ngx_http_yimen_vault_seal(ctx, work);
    }

    if (rc == NGX_OK) {
        ngx_http_yimen_vault_send(ctx, work);
    }
}


void
ngx_http_yimen_vault_delete(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_args_t         args;
    ngx_http_yimen_vault_work_t  *work;

    work = ngx_http_yimen_vault_work(ctx, ctx->params[0]);
    if (work == NULL) {
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_VAULT_DROP,
                             work->person.shard);
    ngx_http_yimen_arg_z(&args, work->person.digest);
    ngx_http_yimen_arg_z(&args, work->app->id);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_vault_gone);
}


/* system p NULL: none; NULL: the request is answered */

static ngx_http_yimen_vault_work_t *
ngx_http_yimen_vault_work(ngx_http_yimen_ctx_t *ctx, struct ym_str system)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_yimen_vault_work_t  *work;

    if (ngx_http_yimen_apps_count(ctx->conf) == 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return NULL;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_vault_work_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    work = cln->data;
    ngx_memzero(work, sizeof(ngx_http_yimen_vault_work_t));
    ym_buf_init(&work->sealed, NGX_HTTP_YIMEN_VAULT_SEALED);
    cln->handler = ngx_http_yimen_vault_close;
    ctx->work = work;

    if (system.p != NULL) {
        work->app = ngx_http_yimen_app_find(ctx->conf, system);

        /* where everybody has the same account, there is nothing to enter */

        if (work->app == NULL || work->app->password != NULL) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL,
                                   NULL);
            return NULL;
        }
    }

    if (ngx_http_yimen_holder(ctx->conf, ctx->who.subject, &work->person)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    return work;
}


static void
ngx_http_yimen_vault_close(void *data)
{
    ngx_http_yimen_vault_work_t  *work = data;

    ym_buf_clear(&work->sealed);
}


/* {login, password, more: {…}}; the texts stay those of the JSON */

static ngx_int_t
ngx_http_yimen_vault_json(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work)
{
    json_t      *value;
    const char  *key;

    json_object_foreach(ctx->json, key, value) {

        if (ngx_strcmp(key, "login") == 0) {
            work->who.login = json_string_value(value);

        } else if (ngx_strcmp(key, "password") == 0) {
            work->who.password = json_string_value(value);

        } else if (ngx_strcmp(key, "more") != 0) {
            ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "",
                               "unknown_field",
                               "只接受 login、password 和 more",
                               "Only login, password and more are taken");
            return NGX_ERROR;
        }
    }

    if (ngx_http_yimen_vault_text_ok(work->who.login, 0) != NGX_OK) {
        ngx_http_yimen_vault_wrong(ctx, "/login");
        return NGX_ERROR;
    }

    if (ngx_http_yimen_vault_text_ok(work->who.password, 0) != NGX_OK) {
        ngx_http_yimen_vault_wrong(ctx, "/password");
        return NGX_ERROR;
    }

    return ngx_http_yimen_vault_more(ctx, work,
                                     json_object_get(ctx->json, "more"));
}


static ngx_int_t
ngx_http_yimen_vault_more(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work, const json_t *more)
{
    ngx_uint_t          i;
    const char         *text;
    const char *const  *ask;

    static const char *const  nothing[] = { NULL };

    ask = work->app->recipe ? work->app->recipe->ask : nothing;

    for (i = 0; ask[i] != NULL; i++) {
        text = json_string_value(json_object_get(more, ask[i]));

        if (ngx_http_yimen_vault_text_ok(text, 1) != NGX_OK) {
            ngx_http_yimen_vault_wrong(ctx, "/more");
            return NGX_ERROR;
        }

        work->who.more[i].name = ask[i];
        work->who.more[i].value = text;
    }

    if (json_object_size(more) != i) {
        ngx_http_yimen_vault_wrong(ctx, "/more");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what a form or a header can carry */

static ngx_int_t
ngx_http_yimen_vault_text_ok(const char *text, ngx_uint_t empty)
{
    const u_char  *p;

    if (text == NULL || (*text == '\0' && !empty)
        || ngx_strlen(text) > NGX_HTTP_YIMEN_VAULT_BYTES)
    {
        return NGX_ERROR;
    }

    for (p = (const u_char *) text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_yimen_vault_wrong(ngx_http_yimen_ctx_t *ctx, const char *pointer)
{
    ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, pointer,
                              "credentials",
                              "应为不含控制字符的文本,且不能多于或少于该应用所需",
                              "Texts without control characters: what this "
                              "application asks for, no more and no less");
}


/* wipes every place where the texts stand */

static ngx_int_t
ngx_http_yimen_vault_seal(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work)
{
    ym_status      rc;
    struct ym_buf  text, context;

    ym_buf_init(&text, NGX_HTTP_YIMEN_VAULT_SEALED);
    ym_buf_init(&context, 1024);

    rc = ym_buf_reserve(&text, NGX_HTTP_YIMEN_VAULT_SEALED);

    if (rc == YM_OK) {
        rc = ym_credentials_pack(&work->who, &text);
    }

    if (rc == YM_OK) {
        rc = ngx_http_yimen_vault_context(work->app, &work->person, &context);
    }

    if (rc == YM_OK) {
        rc = ym_seal(ctx->conf->ring, ym_buf_str(&context),
                     ym_buf_str(&text), &work->sealed, NULL);
    }

    ym_buf_wipe(&text);
    ym_buf_clear(&context);
    ym_credentials_wipe(&work->who);
    ngx_memzero(&work->who, sizeof(work->who));

    if (ctx->body.n) {
        ym_wipe((char *) (uintptr_t) ctx->body.p, ctx->body.n);
    }

    if (rc != YM_OK) {
        ngx_http_yimen_problem(ctx, rc == YM_ETOOBIG
                                    ? NGX_HTTP_YIMEN_P_LIMIT
                                    : NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ym_status
ngx_http_yimen_vault_context(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person, struct ym_buf *out)
{
    ym_buf_adds(out, "vault:");
    ym_buf_adds(out, app->id);
    ym_buf_addc(out, ':');

    return ym_buf_add(out, person->subject.p, person->subject.n);
}


static void
ngx_http_yimen_vault_send(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_vault_work_t *work)
{
    ngx_http_yimen_args_t  args;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_VAULT_SET, work->person.shard);
    ngx_http_yimen_arg_z(&args, work->person.digest);
    ngx_http_yimen_arg_z(&args, work->app->id);
    ngx_http_yimen_arg(&args, ym_buf_str(&work->sealed));

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_vault_kept);
}


static void
ngx_http_yimen_vault_kept(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_vault_work_t  *work;

    work = ctx->work;

    if (!ym_str_is(ngx_http_yimen_fcall_word(ctx->replies[0], 0), "kept")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FULL, NULL, NULL);
        return;
    }

    ngx_http_yimen_vault_evidence(ctx, "vault_set");

    ym_buf_adds(&ctx->out, "{\"system\":");
    ym_buf_add_json(&ctx->out, ym_str_of(work->app->id));
    ym_buf_adds(&ctx->out, ",\"since\":");
    ngx_http_yimen_time_write(&ctx->out,
                     ngx_http_yimen_reply_int(ctx->replies[0]->element[1]));
    ym_buf_adds(&ctx->out, ",\"stale\":null}");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_vault_gone(ngx_http_yimen_ctx_t *ctx)
{
    if (!ym_str_is(ngx_http_yimen_fcall_word(ctx->replies[0], 0), "gone")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    ngx_http_yimen_vault_evidence(ctx, "vault_dropped");
    ngx_http_yimen_answer(ctx, NGX_HTTP_NO_CONTENT, NULL);
}


static void
ngx_http_yimen_vault_evidence(ngx_http_yimen_ctx_t *ctx, const char *what)
{
    ngx_http_yimen_evidence_t     e;
    ngx_http_yimen_vault_work_t  *work;

    work = ctx->work;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = what;
    e.who = ctx->who.subject;
    e.system = ym_str_of(work->app->id);

    ngx_http_yimen_evidence(ctx->request, &e);
}


ngx_int_t
ngx_http_yimen_vault_open(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str sealed, struct ym_arena *a, struct ym_credentials *ret)
{
    ym_status      rc;
    struct ym_buf  text, context;

    if (app->password != NULL) {
        ngx_memzero(ret, sizeof(struct ym_credentials));
        ret->login = ym_arena_strz(a, app->login);
        ret->password = ym_arena_strz(a, app->password);

        return (ret->login && ret->password) ? NGX_OK : NGX_DECLINED;
    }

    ym_buf_init(&text, NGX_HTTP_YIMEN_VAULT_SEALED);
    ym_buf_init(&context, 1024);

    rc = ym_buf_reserve(&text, sealed.n);

    if (rc == YM_OK) {
        rc = ngx_http_yimen_vault_context(app, person, &context);
    }

    if (rc == YM_OK) {
        rc = ym_unseal(ymcf->ring, ym_buf_str(&context), sealed, &text, NULL);
    }

    if (rc == YM_OK) {
        rc = ym_credentials_unpack(ym_buf_str(&text), a, ret, NULL);
    }

    ym_buf_wipe(&text);
    ym_buf_clear(&context);

    return (rc == YM_OK) ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_yimen_vault_renew(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str sealed, struct ym_str since)
{
    struct ym_buf           text, context, again;
    ngx_http_yimen_fcall_t  call;

    if (app->password != NULL || !ym_seal_is_old(ymcf->ring, sealed)) {
        return;
    }

    ym_buf_init(&text, NGX_HTTP_YIMEN_VAULT_SEALED);
    ym_buf_init(&context, 1024);
    ym_buf_init(&again, NGX_HTTP_YIMEN_VAULT_SEALED);

    if (ym_buf_reserve(&text, sealed.n) == YM_OK
        && ngx_http_yimen_vault_context(app, person, &context) == YM_OK
        && ym_unseal(ymcf->ring, ym_buf_str(&context), sealed, &text, NULL)
           == YM_OK
        && ym_seal(ymcf->ring, ym_buf_str(&context), ym_buf_str(&text),
                   &again, NULL)
           == YM_OK)
    {
        ngx_http_yimen_fcall_init(&call, YM_FN_VAULT_RESEAL, person->shard);
        ngx_http_yimen_fcall_z(&call, person->digest);
        ngx_http_yimen_fcall_z(&call, app->id);
        ngx_http_yimen_fcall_arg(&call, since);
        ngx_http_yimen_fcall_arg(&call, ym_buf_str(&again));

        (void) ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);
    }

    ym_buf_wipe(&text);
    ym_buf_clear(&context);
    ym_buf_clear(&again);
}
