/* SPDX-License-Identifier: Apache-2.0
 * Local accounts: the thread pool, the calls to the store, sealed tickets.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_codec.h"
#include "ym_store_account.h"
#include "ym_time.h"

#include <sys/resource.h>
#include <sys/syscall.h>


/* a hash that takes longer than this is told in the log, ms */
#define NGX_HTTP_YIMEN_HASH_LONG  60000

/* hashing leaves the processor to whoever serves requests */
#define NGX_HTTP_YIMEN_HASH_NICE  10

#define NGX_HTTP_YIMEN_SEAL_BYTES  16384


static void ngx_http_yimen_local_wipe(void *data);
static void ngx_http_yimen_hash_run(void *data, ngx_log_t *log);
static void ngx_http_yimen_hash_done(ngx_event_t *ev);
static void ngx_http_yimen_local_got(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_local_tried(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_local_went(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_local_stored(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_local_ended(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_local_account(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_reply_account_t *told);
static ngx_int_t ngx_http_yimen_local_peer(ngx_http_yimen_ctx_t *ctx,
    char out[YM_DIGEST_HEX]);
static ngx_int_t ngx_http_yimen_local_device(ngx_http_yimen_ctx_t *ctx,
    char out[YM_DIGEST_HEX]);


ngx_http_yimen_local_t *
ngx_http_yimen_local_open(ngx_http_yimen_ctx_t *ctx)
{
    if (ctx->conf->local == NULL) {
        if (ngx_strncmp(ctx->route->path, "/auth/", 6) == 0) {
            ngx_http_yimen_page_error(ctx, NGX_HTTP_NOT_FOUND,
                                      "本站未启用本地账号",
                                      "This site has no accounts of its own");
            return NULL;
        }

        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND,
                               "本站未启用本地账号",
                               "This site has no accounts of its own");
        return NULL;
    }

    return ngx_http_yimen_local_work(ctx);
}


ngx_http_yimen_local_t *
ngx_http_yimen_local_work(ngx_http_yimen_ctx_t *ctx)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_yimen_local_t  *local;

    ctx->on_trouble = ngx_http_yimen_local_trouble;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_local_t));
    if (cln == NULL) {
        ngx_http_yimen_local_trouble(ctx);
        return NULL;
    }

    local = cln->data;
    ngx_memzero(local, sizeof(ngx_http_yimen_local_t));
    cln->handler = ngx_http_yimen_local_wipe;

    ctx->work = local;

    return local;
}


static void
ngx_http_yimen_local_wipe(void *data)
{
    ngx_http_yimen_local_t  *local = data;

    ym_wipe((char *) (uintptr_t) local->hash.given.p, local->hash.given.n);
    ym_wipe((char *) (uintptr_t) local->hash.fresh.p, local->hash.fresh.n);
    ym_wipe(local, sizeof(ngx_http_yimen_local_t));
}


void
ngx_http_yimen_local_trouble(ngx_http_yimen_ctx_t *ctx)
{
    if (ngx_strncmp(ctx->route->path, "/auth/", 6) != 0) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    ngx_http_yimen_page_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                              "系统暂时不可用，请稍后重试",
                              "Temporarily unavailable: try again soon");
}


/*
 * Hashes.  The request is held by `blocked` meanwhile, as nginx does it for
 * files; the timer holds a worker that is told to end.
 */

void
ngx_http_yimen_local_hash(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    ngx_thread_task_t            *task;
    ngx_http_yimen_hash_t        *job;
    ngx_http_yimen_local_t       *local;
    ngx_http_yimen_local_conf_t  *lcf;

    local = ctx->work;
    lcf = ctx->conf->local;
    job = &local->hash;

    /* beyond this nobody would wait for the answer any more */

    if (ngx_http_yimen_worker.hashing >= (ngx_uint_t) lcf->queue) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    task = ngx_thread_task_alloc(ctx->request->pool,
                                 sizeof(ngx_http_yimen_hash_t *));
    if (task == NULL) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    job->ctx = ctx;
    job->handler = handler;
    job->rules = lcf->rules;
    job->verified = YM_OK;
    job->hashed = YM_OK;
    job->hash[0] = '\0';

    *(ngx_http_yimen_hash_t **) task->ctx = job;
    task->handler = ngx_http_yimen_hash_run;
    task->event.handler = ngx_http_yimen_hash_done;
    task->event.data = job;
    task->event.log = ctx->request->connection->log;

    if (ngx_thread_task_post(lcf->pool, task) != NGX_OK) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_http_yimen_worker.hashing++;
    ngx_add_timer(&task->event, NGX_HTTP_YIMEN_HASH_LONG);

    ctx->request->main->blocked++;
    ctx->request->aio = 1;
}


/* in a thread: touches nothing but the job */

static void
ngx_http_yimen_hash_run(void *data, ngx_log_t *log)
{
    struct ym_str           text;
    struct ym_err           err;
    ngx_http_yimen_hash_t  *job;

    job = *(ngx_http_yimen_hash_t **) data;
    text = job->fresh;

    (void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid),
                       NGX_HTTP_YIMEN_HASH_NICE);

    if (job->given.p != NULL) {
        job->verified = ym_password_verify(&job->rules, job->given,
                                           job->stored, &err);

        if (job->verified != YM_OK) {
            return;
        }

        if (job->renew && ym_password_is_old(&job->rules, job->stored)) {
            text = job->given;
        }
    }

    if (text.p != NULL) {
        job->hashed = ym_password_hash(&job->rules, text, job->hash, &err);
    }
}


static void
ngx_http_yimen_hash_done(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_yimen_hash_t  *job;

    job = ev->data;
    r = job->ctx->request;
    c = r->connection;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                      "yimen: a password hash takes too long");
        ev->timedout = 0;
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_http_yimen_worker.hashing--;

    r->main->blocked--;
    r->aio = 0;

    /* the connection was closed meanwhile: what was held may go now */

    if (c->error) {
        ngx_http_finalize_request(r, NGX_ERROR);

    } else {
        job->handler(job->ctx);
    }

    ngx_http_run_posted_requests(c);
}


/* calls to the store */

void
ngx_http_yimen_local_get(ngx_http_yimen_ctx_t *ctx, struct ym_str id,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_args_t    args;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->next = handler;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_GET, 0);
    ngx_http_yimen_arg(&args, id);
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_local_got);
}


static void
ngx_http_yimen_local_got(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t          *local;
    ngx_http_yimen_reply_account_t   told;

    local = ctx->work;

    if (ngx_http_yimen_reply_account(ctx->replies[0], &told)) {

        if (ngx_http_yimen_local_account(ctx, &told) != NGX_OK) {
            return;
        }

        local->created = told.created;
    }

    local->next(ctx);
}


/* what was stored under a ring that is gone cannot be read by anybody */

static ngx_int_t
ngx_http_yimen_local_account(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_reply_account_t *told)
{
    struct ym_err            err;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;

    if (ym_account_open(ctx->conf->ring, told->id, told->sealed,
                        &local->account, &err)
        != YM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "event=account.unreadable err=\"%s\"", err.message);
        ym_account_clear(&local->account);
        ngx_http_yimen_local_trouble(ctx);
        return NGX_ERROR;
    }

    local->account.version = told->version;
    local->account.disabled = told->disabled;

    return NGX_OK;
}


void
ngx_http_yimen_local_try(ngx_http_yimen_ctx_t *ctx, const char *by,
    struct ym_str who, ngx_http_yimen_handler_pt handler)
{
    char                          peer[YM_DIGEST_HEX], device[YM_DIGEST_HEX];
    ngx_http_yimen_args_t         args;
    ngx_http_yimen_local_t       *local;
    ngx_http_yimen_local_conf_t  *lcf;

    local = ctx->work;
    lcf = ctx->conf->local;
    local->next = handler;
    local->wait = 0;

    if (ngx_http_yimen_local_peer(ctx, peer) != NGX_OK
        || ngx_http_yimen_local_device(ctx, device) != NGX_OK)
    {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_TRY, 0);
    ngx_http_yimen_arg_z(&args, by);
    ngx_http_yimen_arg(&args, who);
    ngx_http_yimen_arg_z(&args, peer);
    ngx_http_yimen_arg_z(&args, device);
    ngx_http_yimen_arg_int(&args, lcf->free);
    ngx_http_yimen_arg_int(&args, lcf->wait);
    ngx_http_yimen_arg_int(&args, lcf->wait_max);
    ngx_http_yimen_arg_int(&args, lcf->peer_tries);
    ngx_http_yimen_arg_int(&args, lcf->peer_window);
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_local_tried);
}


static void
ngx_http_yimen_local_tried(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t          *local;
    ngx_http_yimen_reply_account_t   told;

    local = ctx->work;

    switch (ngx_http_yimen_reply_try(ctx->replies[0], &told, &local->wait)) {

    case NGX_HTTP_YIMEN_TRY_WAIT:
    case NGX_HTTP_YIMEN_TRY_UNKNOWN:
        break;

    case NGX_HTTP_YIMEN_TRY_KNOWN:
        if (ngx_http_yimen_local_account(ctx, &told) != NGX_OK) {
            return;
        }

        break;

    default:
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    local->next(ctx);
}


void
ngx_http_yimen_local_done(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    char                     peer[YM_DIGEST_HEX], device[YM_DIGEST_HEX];
    ngx_http_yimen_args_t    args;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->next = handler;
    local->reused = 0;

    if (ngx_http_yimen_local_peer(ctx, peer) != NGX_OK
        || ngx_http_yimen_local_device(ctx, device) != NGX_OK)
    {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_DONE, 0);
    ngx_http_yimen_arg_z(&args, local->account.id);
    ngx_http_yimen_arg_z(&args, peer);
    ngx_http_yimen_arg_z(&args, device);
    ngx_http_yimen_arg_z(&args, device);
    ngx_http_yimen_arg_int(&args, local->step);
    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_local_went);
}


static void
ngx_http_yimen_local_went(ngx_http_yimen_ctx_t *ctx)
{
    redisReply              *reply;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    local->reused = !ym_str_is(ngx_http_yimen_reply_str(reply->element[0]),
                               "ok");
    local->next(ctx);
}


void
ngx_http_yimen_local_put(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    char                     digests[YM_ACCOUNT_NAMES + 1][YM_DIGEST_HEX];
    size_t                   i, n;
    struct ym_buf            sealed;
    struct ym_err            err;
    ngx_http_yimen_args_t    args;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->next = handler;
    n = 0;

    ym_buf_init(&sealed, NGX_HTTP_YIMEN_SEAL_BYTES);

    if (ym_account_digests(ctx->conf->ring, &local->account, digests, &n, &err)
        != YM_OK
        || ym_account_seal(ctx->conf->ring, &local->account, &sealed, &err)
        != YM_OK)
    {
        ym_buf_clear(&sealed);
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ACCOUNT_PUT, 0);
    ngx_http_yimen_arg_z(&args, local->account.id);
    ngx_http_yimen_arg_int(&args, local->account.version);
    ngx_http_yimen_arg_z(&args, local->account.disabled ? "1" : "0");
    ngx_http_yimen_arg(&args, ym_buf_str(&sealed));
    ngx_http_yimen_arg_int(&args, (int64_t) n);

    for (i = 0; i < n; i++) {
        ngx_http_yimen_arg_z(&args, digests[i]);
    }

    /* the call copies its arguments before it returns */

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_local_stored);
    ym_buf_clear(&sealed);
}


static void
ngx_http_yimen_local_stored(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str            word;
    redisReply              *reply;
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        ngx_http_yimen_local_trouble(ctx);
        return;
    }

    word = ngx_http_yimen_reply_str(reply->element[0]);
    local->put = NGX_HTTP_YIMEN_PUT_STALE;

    if (ym_str_is(word, "ok")) {
        local->put = NGX_HTTP_YIMEN_PUT_OK;
        local->account.version = ngx_http_yimen_reply_int(reply->element[1]);

    } else if (ym_str_is(word, "taken")) {
        local->put = NGX_HTTP_YIMEN_PUT_TAKEN;
    }

    local->next(ctx);
}


void
ngx_http_yimen_local_renew(ngx_http_yimen_ctx_t *ctx, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    local->next = handler;

    ngx_http_yimen_session_end_person(ctx, YM_STR(YM_ACCOUNT_ISSUER),
                                      ym_str_of(local->account.id), why,
                                      ngx_http_yimen_local_ended);
}


static void
ngx_http_yimen_local_ended(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    ngx_http_yimen_local_begin(ctx, local->next);
}


void
ngx_http_yimen_local_begin(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler)
{
    const struct ym_account  *a;
    ngx_http_yimen_login_t    login;
    ngx_http_yimen_local_t   *local;

    local = ctx->work;
    a = &local->account;

    ngx_memzero(&login, sizeof(ngx_http_yimen_login_t));

    login.provider = YM_STR(YM_ACCOUNT_ISSUER);
    login.issuer = YM_STR(YM_ACCOUNT_ISSUER);
    login.subject = ym_str_of(a->id);
    login.login = ym_str_of(a->names[0]);
    login.name = ym_str_of(a->title);
    login.email = ym_str_of(a->email);
    login.org = ym_str_of(a->org);
    login.area = ym_str_of(a->area);
    login.roles = a->roles;
    login.auth_time = ym_now_ms();
    login.amr = ym_str_of(local->amr != NULL ? local->amr : "pwd");

    ngx_http_yimen_session_begin(ctx, &login, handler);
}


void
ngx_http_yimen_local_evidence(ngx_http_yimen_ctx_t *ctx, const char *what,
    struct ym_str who, const char *why)
{
    u_char                      text[sizeof("local:") + YM_ID_LEN];
    struct ym_str               person;
    ngx_http_yimen_local_t     *local;
    ngx_http_yimen_evidence_t   e;

    local = ctx->work;
    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));

    person.p = (char *) text;
    person.n = (size_t) (ngx_sprintf(text, "local:%s", local->account.id)
                         - text);

    if (local->account.id[0] == '\0') {
        person = YM_STR("");
    }

    e.what = what;
    e.who = who.n ? who : person;
    e.id = who.n ? person : YM_STR("");
    e.why = ym_str_of(why);

    ngx_http_yimen_evidence(ctx->request, &e);
}


/*
 * The address that the connection came from, whatever headers say; of IPv6 the
 * network that one subscriber has.
 */

static ngx_int_t
ngx_http_yimen_local_peer(ngx_http_yimen_ctx_t *ctx, char out[YM_DIGEST_HEX])
{
    struct ym_str        text;
    ngx_connection_t    *c;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    c = ctx->request->connection;
    text.p = (char *) c->addr_text.data;
    text.n = c->addr_text.len;

#if (NGX_HAVE_INET6)

    if (c->sockaddr->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) c->sockaddr;

        if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            text.p = (char *) sin6->sin6_addr.s6_addr;
            text.n = 8;
        }
    }

#endif

    return ym_ring_digest(ctx->conf->ring, "peer", text, out) == YM_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_local_device(ngx_http_yimen_ctx_t *ctx,
    char out[YM_DIGEST_HEX])
{
    ngx_http_yimen_local_t  *local;

    local = ctx->work;
    out[0] = '\0';

    if (local->device.n == 0) {
        return NGX_OK;
    }

    return ym_ring_digest(ctx->conf->ring, "device", local->device, out)
           == YM_OK ? NGX_OK : NGX_ERROR;
}


/* tickets: "<end, ms> <digest of what it is bound to> <text>", sealed */

struct ym_str
ngx_http_yimen_ticket(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str bound, struct ym_str text, int64_t life)
{
    char            digest[YM_DIGEST_HEX];
    struct ym_buf   plain, sealed, out;
    struct ym_err   err;
    struct ym_str   ticket;

    ticket = YM_STR("");

    ym_buf_init(&plain, NGX_HTTP_YIMEN_TICKET_MAX / 2);
    ym_buf_init(&sealed, NGX_HTTP_YIMEN_TICKET_MAX);
    ym_buf_init(&out, NGX_HTTP_YIMEN_TICKET_MAX);

    if (ym_ring_digest(ctx->conf->ring, kind, bound, digest) == YM_OK) {
        ym_buf_addf(&plain, "%lld %s ", (long long) (ym_now_ms() + life),
                    digest);
        ym_buf_add(&plain, text.p, text.n);

        if (plain.failed == YM_OK
            && ym_seal(ctx->conf->ring, ym_str_of(kind), ym_buf_str(&plain),
                       &sealed, &err) == YM_OK
            && ym_base64url_add(&out, ym_buf_str(&sealed)) == YM_OK)
        {
            ticket = ngx_http_yimen_copy(ctx, ym_buf_str(&out));
        }
    }

    ym_buf_wipe(&plain);
    ym_buf_clear(&sealed);
    ym_buf_clear(&out);

    return ticket;
}


ngx_int_t
ngx_http_yimen_ticket_open(ngx_http_yimen_ctx_t *ctx, const char *kind,
    struct ym_str bound, struct ym_str ticket, struct ym_str *ret)
{
    char            digest[YM_DIGEST_HEX];
    size_t          n;
    int64_t         end;
    ngx_int_t       rc;
    const char     *blank;
    struct ym_buf   sealed, plain;
    struct ym_err   err;
    struct ym_str   rest;

    rc = NGX_DECLINED;

    if (ticket.n == 0 || ticket.n > NGX_HTTP_YIMEN_TICKET_MAX) {
        return rc;
    }

    ym_buf_init(&sealed, NGX_HTTP_YIMEN_TICKET_MAX);
    ym_buf_init(&plain, NGX_HTTP_YIMEN_TICKET_MAX);

    if (ym_base64url_decode(ticket, &sealed) != YM_OK
        || ym_unseal(ctx->conf->ring, ym_str_of(kind), ym_buf_str(&sealed),
                     &plain, &err) != YM_OK
        || ym_ring_digest(ctx->conf->ring, kind, bound, digest) != YM_OK)
    {
        goto done;
    }

    rest = ym_buf_str(&plain);
    blank = memchr(rest.p, ' ', rest.n);

    if (blank == NULL) {
        goto done;
    }

    n = (size_t) (blank - rest.p);

    if (!ym_int_parse((struct ym_str){ rest.p, n }, &end)
        || ym_now_ms() >= end || rest.n < n + 1 + YM_DIGEST_HEX
        || !ym_equal_secret((struct ym_str){ blank + 1, YM_DIGEST_HEX - 1 },
                            ym_str_of(digest)))
    {
        goto done;
    }

    n += 1 + YM_DIGEST_HEX;
    *ret = ngx_http_yimen_copy(ctx, (struct ym_str){ rest.p + n,
                                                     rest.n - n });
    rc = (ret->p != NULL) ? NGX_OK : NGX_DECLINED;

done:

    ym_buf_clear(&sealed);
    ym_buf_wipe(&plain);

    return rc;
}
