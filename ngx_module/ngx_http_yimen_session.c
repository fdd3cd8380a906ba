/* SPDX-License-Identifier: Apache-2.0
 * Sessions begin and end.
 *
 * A sign-in always makes a new id and ends the session that the browser had,
 * so an id that somebody knew before is worth nothing after.
 */
#include "ngx_http_yimen_jar.h"
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_session.h"

#include "ym_cookie.h"
#include "ym_store_door.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_ID_BYTES      32
#define NGX_HTTP_YIMEN_AGENT_BYTES   120
#define NGX_HTTP_YIMEN_COOKIE_BYTES  160


typedef enum {
    NGX_HTTP_YIMEN_END_OWN,
    NGX_HTTP_YIMEN_END_ONE,
    NGX_HTTP_YIMEN_END_PERSON,
    NGX_HTTP_YIMEN_END_SID
} ngx_http_yimen_end_e;

/* while the calls are under way; ctx->session */
struct ngx_http_yimen_session_work_s {
    ngx_http_yimen_handler_pt        handler;
    const char                      *why;
    ngx_http_yimen_end_e             kind;
    struct ym_str                    person;     /* the evidence's `id` */

    /* of one that begins */
    char                             id[YM_SESSION_ID_MAX + 1];
    char                             hex[YM_SHA256_HEX];
    u_char                           digest[YM_SHA256_LEN];
    struct ym_str                    sealed;
    ngx_uint_t                       shard;
    struct ym_session_value          value;
};

typedef struct ngx_http_yimen_session_work_s  ngx_http_yimen_session_work_t;


static ngx_int_t ngx_http_yimen_session_value(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const ngx_http_yimen_login_t *login);
static ngx_int_t ngx_http_yimen_session_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const char *person);
static ngx_int_t ngx_http_yimen_session_seal(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work);
static void ngx_http_yimen_session_put(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const char *person, const char *sid);
static void ngx_http_yimen_session_made(ngx_http_yimen_ctx_t *ctx);
static ngx_http_yimen_session_work_t *
    ngx_http_yimen_session_ending(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_end_e kind, const char *why,
    ngx_http_yimen_handler_pt handler);
static void ngx_http_yimen_session_ended(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_session_forget_all(const redisReply *list);
static void ngx_http_yimen_session_forget_hex(struct ym_str hex);
static ngx_int_t ngx_http_yimen_session_cookie(ngx_http_yimen_ctx_t *ctx,
    const char *value);
static void ngx_http_yimen_session_unref(void *data);
static void ngx_http_yimen_session_tell(ngx_http_yimen_ctx_t *ctx,
    const char *what, struct ym_str who, struct ym_str id, const char *why);


/* ---- beginning ---- */

void
ngx_http_yimen_session_begin(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_login_t *login, ngx_http_yimen_handler_pt handler)
{
    char                            person[YM_DIGEST_HEX];
    char                            sid[YM_DIGEST_HEX];
    ngx_int_t                       rc;
    ngx_http_yimen_session_work_t  *work;

    if (ngx_http_yimen_worker.sessions == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    work = ngx_pcalloc(ctx->request->pool,
                       sizeof(ngx_http_yimen_session_work_t));
    if (work == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    work->handler = handler;
    ctx->session = work;

    rc = ngx_http_yimen_session_value(ctx, work, login);

    if (rc == NGX_DECLINED) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "登录信息不可用,请联系管理员",
                               "The identity provider's answer cannot be used "
                               "here: ask the administrator");
        return;
    }

    sid[0] = '\0';

    if (rc != NGX_OK
        || ngx_http_yimen_session_digest(ctx->conf, "person", YM_STR(""),
                                         work->value.person, person)
           != NGX_OK
        || (work->value.sid.n
            && ngx_http_yimen_session_digest(ctx->conf, "sid",
                                             work->value.issuer,
                                             work->value.sid, sid)
               != NGX_OK)
        || ngx_http_yimen_session_id(ctx, work, person) != NGX_OK
        || ngx_http_yimen_session_seal(ctx, work) != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    ngx_http_yimen_session_put(ctx, work, person, sid);
}


/* everything copied: what it stands in may not outlast the calls */

static ngx_int_t
ngx_http_yimen_session_value(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const ngx_http_yimen_login_t *login)
{
    ngx_int_t                 rc;
    ngx_str_t                *agent;
    ngx_uint_t                i;
    struct ym_str             person;
    struct ym_session_value  *v;

    v = &work->value;

    rc = ngx_http_yimen_person(ctx->conf, ctx->request->pool, login->provider,
                               login->issuer, login->subject, &person);
    if (rc != NGX_OK) {
        return rc;
    }

    v->person = ngx_http_yimen_copy(ctx, person);
    v->provider = ngx_http_yimen_copy(ctx, login->provider);
    v->issuer = ngx_http_yimen_copy(ctx, login->issuer);
    v->subject = ngx_http_yimen_copy(ctx, login->subject);
    v->login = ngx_http_yimen_copy(ctx, login->login);
    v->name = ngx_http_yimen_copy(ctx, login->name);
    v->email = ngx_http_yimen_copy(ctx, login->email);
    v->org = ngx_http_yimen_copy(ctx, login->org);
    v->area = ngx_http_yimen_copy(ctx, login->area);
    v->acr = ngx_http_yimen_copy(ctx, login->acr);
    v->amr = ngx_http_yimen_copy(ctx, login->amr);
    v->sid = ngx_http_yimen_copy(ctx, login->sid);
    v->id_token = ngx_http_yimen_copy(ctx, login->id_token);
    v->refresh_token = ngx_http_yimen_copy(ctx, login->refresh_token);
    v->roles = (int64_t) login->roles;
    v->auth_time = login->auth_time;
    v->refresh_at = login->refresh_at;

    agent = ngx_http_yimen_header(ctx->request, "user-agent");
    v->agent = YM_STR("");

    if (agent != NULL) {
        for (i = 0; i < agent->len && i < NGX_HTTP_YIMEN_AGENT_BYTES; i++) {
            if (agent->data[i] < 0x20 || agent->data[i] > 0x7e) {
                break;
            }
        }

        v->agent = (struct ym_str){ (char *) agent->data, i };
    }

    return (v->refresh_token.p != NULL) ? NGX_OK : NGX_ERROR;
}


/* 256 bits that nobody can know; without them there is no session */

static ngx_int_t
ngx_http_yimen_session_id(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const char *person)
{
    u_char         bytes[NGX_HTTP_YIMEN_ID_BYTES];
    struct ym_buf  text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "event=session.random err=\"no random numbers\"");
        return NGX_ERROR;
    }

    work->shard = ngx_http_yimen_digest_shard(ctx->conf, person);

    ym_buf_init(&text, YM_SESSION_ID_MAX + 1);
    ym_buf_addf(&text, "%u.", (unsigned) work->shard);
    ym_base64url_add(&text, (struct ym_str){ (char *) bytes, sizeof(bytes) });
    ym_wipe(bytes, sizeof(bytes));

    if (text.failed != YM_OK
        || ym_sha256(ym_buf_str(&text), work->digest) != YM_OK)
    {
        ym_buf_wipe(&text);
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) work->id, (u_char *) text.p,
                       sizeof(work->id));
    ym_hex(work->digest, YM_SHA256_LEN, false, work->hex);
    ym_buf_wipe(&text);

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_session_seal(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work)
{
    ym_status      rc;
    struct ym_buf  out;
    struct ym_err  err;

    ym_buf_init(&out, YM_SESSION_VALUE_MAX + YM_SEAL_OVERHEAD);

    rc = ym_session_value_seal(ctx->conf->ring, work->hex, &work->value, &out,
                               &err);

    if (rc == YM_OK) {
        work->sealed = ngx_http_yimen_copy(ctx, ym_buf_str(&out));

    } else {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "event=session.seal err=\"%s\"", err.message);
    }

    ym_buf_clear(&out);

    return (rc == YM_OK && work->sealed.p != NULL) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_yimen_session_put(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_session_work_t *work, const char *person, const char *sid)
{
    char                                  old[YM_SHA256_HEX];
    ngx_uint_t                            n;
    ngx_http_yimen_who_t                 *who;
    ngx_http_yimen_args_t                 args[2];
    const ngx_http_yimen_session_conf_t  *conf;

    conf = &ctx->conf->session;
    n = 1;

    ngx_http_yimen_args_init(&args[0], ctx, YM_FN_SESSION_PUT, work->shard);
    ngx_http_yimen_arg_z(&args[0], work->hex);
    ngx_http_yimen_arg_z(&args[0], person);
    ngx_http_yimen_arg_z(&args[0], sid);
    ngx_http_yimen_arg(&args[0], work->sealed);
    ngx_http_yimen_arg_int(&args[0], conf->idle);
    ngx_http_yimen_arg_int(&args[0], conf->absolute);
    ngx_http_yimen_arg_int(&args[0], conf->max_per_person);

    /* the one that this browser had, whosever it was */

    who = ngx_http_yimen_who_get(ctx->request, 1);

    if (who != NULL && who->cookie) {
        n = 2;
        ym_hex(who->digest, YM_SHA256_LEN, false, old);
        ngx_http_yimen_args_init(&args[1], ctx, YM_FN_SESSION_END,
                                 who->shard);
        ngx_http_yimen_arg_z(&args[1], old);
    }

    ngx_http_yimen_calls(ctx, args, n, ngx_http_yimen_session_made);
}


static void
ngx_http_yimen_session_made(ngx_http_yimen_ctx_t *ctx)
{
    redisReply                      *reply;
    ngx_http_yimen_who_t            *who;
    ngx_http_yimen_session_t        *session;
    ngx_http_yimen_session_work_t   *work;
    ngx_http_yimen_session_times_t   times;

    work = ctx->session;
    reply = ctx->replies[0];
    who = ngx_http_yimen_who_get(ctx->request, 1);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3
        || !ym_str_is(ngx_http_yimen_reply_str(reply->element[0]), "made")
        || who == NULL)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    ngx_http_yimen_session_forget_all(reply->element[2]);

    if (who->cookie) {
        ngx_http_yimen_sessions_forget(ngx_http_yimen_worker.sessions,
                                       who->digest);
    }

    if (ngx_http_yimen_session_cookie(ctx, work->id) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    /* the rest of this request is the new person's; it is read for the next */

    times.created = ngx_http_yimen_reply_int(reply->element[1]);
    times.ends = times.created + ctx->conf->session.absolute;
    times.fresh = ngx_current_msec;
    times.live = ngx_current_msec;
    times.left = ngx_current_msec;

    session = ngx_http_yimen_sessions_make(ngx_http_yimen_worker.sessions,
                                           work->digest, work->sealed,
                                           &times);
    if (session == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_who_set(who, session);
    ngx_http_yimen_session_release(session);
    ngx_memcpy(who->digest, work->digest, YM_SHA256_LEN);
    who->shard = work->shard;
    who->cookie = 1;
    ctx->who = who->identity;

    ngx_http_yimen_session_tell(ctx, "sign_in", ctx->who.subject, YM_STR(""),
                                ctx->who.provider.p);
    work->handler(ctx);
}


/* ---- ending ---- */

void
ngx_http_yimen_session_end(ngx_http_yimen_ctx_t *ctx, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    char                            hex[YM_SHA256_HEX];
    ngx_http_yimen_who_t           *who;
    ngx_http_yimen_args_t           args;
    ngx_http_yimen_session_work_t  *work;

    who = ngx_http_yimen_who_get(ctx->request, 1);
    work = ngx_http_yimen_session_ending(ctx, NGX_HTTP_YIMEN_END_OWN, why,
                                         handler);
    if (work == NULL) {
        return;
    }

    if (who == NULL || !who->cookie) {
        handler(ctx);
        return;
    }

    ym_hex(who->digest, YM_SHA256_LEN, false, hex);
    ngx_http_yimen_args_init(&args, ctx, YM_FN_SESSION_END, who->shard);
    ngx_http_yimen_arg_z(&args, hex);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_session_ended);
}


void
ngx_http_yimen_session_end_one(ngx_http_yimen_ctx_t *ctx, ngx_uint_t shard,
    struct ym_str digest, struct ym_str person, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_args_t           args;
    ngx_http_yimen_session_work_t  *work;

    work = ngx_http_yimen_session_ending(ctx, NGX_HTTP_YIMEN_END_ONE, why,
                                         handler);
    if (work == NULL) {
        return;
    }

    work->person = person;
    work->sealed = digest;

    ngx_http_yimen_args_init(&args, ctx, YM_FN_SESSION_END, shard);
    ngx_http_yimen_arg(&args, digest);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_session_ended);
}


void
ngx_http_yimen_session_end_person(ngx_http_yimen_ctx_t *ctx,
    struct ym_str issuer, struct ym_str subject, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    ngx_int_t      rc;
    struct ym_str  person;

    rc = ngx_http_yimen_person(ctx->conf, ctx->request->pool, YM_STR(""),
                               issuer, subject, &person);

    if (rc == NGX_DECLINED) {

        /* nobody of that name can have a session */

        handler(ctx);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_session_end_all(ctx, person, 1, why, handler);
}


void
ngx_http_yimen_session_end_all(ngx_http_yimen_ctx_t *ctx,
    struct ym_str person, ngx_uint_t own, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    char                            digest[YM_DIGEST_HEX];
    ngx_http_yimen_args_t           args;
    ngx_http_yimen_session_work_t  *work;

    work = ngx_http_yimen_session_ending(ctx, NGX_HTTP_YIMEN_END_PERSON, why,
                                         handler);
    if (work == NULL) {
        return;
    }

    work->person = person;

    if (ngx_http_yimen_session_digest(ctx->conf, "person", YM_STR(""), person,
                                      digest)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_SESSION_END_PERSON,
                             ngx_http_yimen_digest_shard(ctx->conf, digest));
    ngx_http_yimen_arg_z(&args, digest);
    ngx_http_yimen_arg(&args, own ? YM_STR("") : ctx->who.session);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_session_ended);
}


/* a person's shard is not known from the provider's session: all are asked */

void
ngx_http_yimen_session_end_sid(ngx_http_yimen_ctx_t *ctx,
    struct ym_str issuer, struct ym_str sid, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    char                            digest[YM_DIGEST_HEX];
    ngx_uint_t                      i, shards;
    ngx_http_yimen_args_t           args[YM_SHARDS_MAX];
    ngx_http_yimen_session_work_t  *work;

    work = ngx_http_yimen_session_ending(ctx, NGX_HTTP_YIMEN_END_SID, why,
                                         handler);
    if (work == NULL) {
        return;
    }

    if (ngx_http_yimen_session_digest(ctx->conf, "sid", issuer, sid, digest)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    shards = (ngx_uint_t) ctx->conf->catalog->site.shards;

    for (i = 0; i < shards; i++) {
        ngx_http_yimen_args_init(&args[i], ctx, YM_FN_SESSION_END_SID, i);
        ngx_http_yimen_arg_z(&args[i], digest);
    }

    ngx_http_yimen_calls(ctx, args, shards, ngx_http_yimen_session_ended);
}


/* NULL: answered, or the handler has run because nobody has a session here */

static ngx_http_yimen_session_work_t *
ngx_http_yimen_session_ending(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_end_e kind, const char *why,
    ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_session_work_t  *work;

    if (ngx_http_yimen_worker.sessions == NULL) {
        handler(ctx);
        return NULL;
    }

    work = ngx_pcalloc(ctx->request->pool,
                       sizeof(ngx_http_yimen_session_work_t));
    if (work == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    work->handler = handler;
    work->why = why;
    work->kind = kind;
    work->person = YM_STR("");
    ctx->session = work;

    return work;
}


static void
ngx_http_yimen_session_ended(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                      i;
    struct ym_str                   person;
    ngx_http_yimen_who_t           *who;
    ngx_http_yimen_session_work_t  *work;

    work = ctx->session;
    who = ngx_http_yimen_who_get(ctx->request, 1);

    switch (work->kind) {

    case NGX_HTTP_YIMEN_END_OWN:
        if (who != NULL) {
            ngx_http_yimen_sessions_forget(ngx_http_yimen_worker.sessions,
                                           who->digest);
        }

        if (ngx_http_yimen_session_cookie(ctx, NULL) != NGX_OK) {
            ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL,
                                   NULL);
            return;
        }

        ngx_http_yimen_session_tell(ctx, "sign_out", ctx->who.subject,
                                    YM_STR(""), work->why);
        break;

    case NGX_HTTP_YIMEN_END_ONE:
        ngx_http_yimen_session_forget_hex(work->sealed);
        ngx_http_yimen_session_tell(ctx, "revoke", ctx->who.subject,
                                    work->person, work->why);
        break;

    default:
        for (i = 0; i < ctx->reply_count; i++) {
            ngx_http_yimen_session_forget_all(ctx->replies[i]);
        }

        ngx_http_yimen_session_tell(ctx, "revoke", ctx->who.subject,
                                    work->person, work->why);
        break;
    }

    /* and the old applications that he was signed in to */

    person = (work->kind == NGX_HTTP_YIMEN_END_OWN) ? ctx->who.subject
                                                    : work->person;

    if (person.n) {
        ngx_http_yimen_farewell_say(ctx->conf, person);
    }

    work->handler(ctx);
}


/* here at once; the other workers hear of it */

static void
ngx_http_yimen_session_forget_all(const redisReply *list)
{
    size_t  i;

    for (i = 0; list->type == REDIS_REPLY_ARRAY && i < list->elements; i++) {
        ngx_http_yimen_session_forget_hex(
                                ngx_http_yimen_reply_str(list->element[i]));
    }
}


static void
ngx_http_yimen_session_forget_hex(struct ym_str hex)
{
    u_char  digest[YM_SHA256_LEN];

    if (hex.n == 2 * YM_SHA256_LEN && ym_unhex(hex, digest)) {
        ngx_http_yimen_sessions_forget(ngx_http_yimen_worker.sessions,
                                       digest);
    }
}


/* value NULL: the browser is to forget it; the same attributes both times */

static ngx_int_t
ngx_http_yimen_session_cookie(ngx_http_yimen_ctx_t *ctx, const char *value)
{
    ngx_int_t      rc;
    struct ym_buf  out;

    ym_buf_init(&out, NGX_HTTP_YIMEN_COOKIE_BYTES);
    ym_buf_adds(&out, ngx_http_yimen_cookie_name(ctx->conf));
    ym_buf_addc(&out, '=');
    ym_buf_adds(&out, value != NULL ? value : "");
    ym_buf_adds(&out, "; Path=/; HttpOnly; SameSite=Lax");

    if (ctx->conf->auth.secure) {
        ym_buf_adds(&out, "; Secure");
    }

    if (value == NULL) {
        ym_buf_adds(&out, "; Max-Age=0");
    }

    rc = (out.failed == YM_OK)
         ? ngx_http_yimen_answer_header(ctx, "Set-Cookie", ym_buf_str(&out))
         : NGX_ERROR;

    ym_buf_wipe(&out);

    return rc;
}


static void
ngx_http_yimen_session_tell(ngx_http_yimen_ctx_t *ctx, const char *what,
    struct ym_str who, struct ym_str id, const char *why)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = what;
    e.who = who;
    e.id = id;
    e.why = ym_str_of(why);

    ngx_http_yimen_evidence(ctx->request, &e);
}


/* ---- reading ---- */

static void
ngx_http_yimen_session_unref(void *data)
{
    json_decref(data);
}


const ngx_http_yimen_login_t *
ngx_http_yimen_session_login(ngx_http_yimen_ctx_t *ctx)
{
    json_t                   *json;
    struct ym_err             err;
    ngx_http_yimen_who_t     *who;
    struct ym_arena          *arena;
    struct ym_session_value   v;
    ngx_http_yimen_login_t   *login;

    who = ngx_http_yimen_who_get(ctx->request, 0);

    if (who == NULL || who->session == NULL) {
        return NULL;
    }

    arena = (ctx->arena != NULL) ? ctx->arena : ym_arena_open();
    ctx->arena = arena;
    login = (arena != NULL) ? ym_arena_alloc(arena, sizeof(*login)) : NULL;

    if (login == NULL
        || ym_session_value_open(ctx->conf->ring, who->session->hex,
                                 who->session->sealed, &json, &v, &err)
           != YM_OK)
    {
        return NULL;
    }

    if (ym_arena_cleanup(arena, ngx_http_yimen_session_unref, json)
        != YM_OK)
    {
        json_decref(json);
        return NULL;
    }

    login->provider = v.provider;
    login->issuer = v.issuer;
    login->subject = v.subject;
    login->login = v.login;
    login->name = v.name;
    login->email = v.email;
    login->org = v.org;
    login->area = v.area;
    login->roles = (ngx_uint_t) v.roles;
    login->auth_time = v.auth_time;
    login->acr = v.acr;
    login->amr = v.amr;
    login->sid = v.sid;
    login->id_token = v.id_token;
    login->refresh_token = v.refresh_token;
    login->refresh_at = v.refresh_at;

    return login;
}


ngx_int_t
ngx_http_yimen_session_digest(const ngx_http_yimen_main_conf_t *ymcf,
    const char *label, struct ym_str scope, struct ym_str text,
    char out[YM_DIGEST_HEX])
{
    ym_status      rc;
    struct ym_buf  whole;

    /* the length of the first tells where the second begins */

    ym_buf_init(&whole, 8192);
    ym_buf_addf(&whole, "%zu:", scope.n);
    ym_buf_add(&whole, scope.p, scope.n);
    rc = ym_buf_add(&whole, text.p, text.n);

    if (rc == YM_OK) {
        rc = ym_ring_digest(ymcf->ring, label, ym_buf_str(&whole), out);
    }

    ym_buf_wipe(&whole);

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}
