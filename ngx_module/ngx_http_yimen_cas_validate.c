/* SPDX-License-Identifier: Apache-2.0
 * What applications ask of the CAS server: whose ticket is this?
 *
 * The ticket is taken before anything of it is judged, so it is gone whatever
 * comes of it.  There are no proxy tickets: pgtUrl is not even looked at.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_records.h"

#include "ym_cas.h"
#include "ym_form_body.h"
#include "ym_session_value.h"
#include "ym_store_cas.h"
#include "ym_store_door.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_CAS_ANSWER   (64 * 1024)

/* refusals that are written down in one second by one worker */
#define NGX_HTTP_YIMEN_CAS_REFUSED  20


/* one question; ctx->work */
typedef struct {
    enum ym_cas_version          version;
    struct ym_str                ticket;
    struct ym_str                url;       /* of the service, in one form */
    char                         digest[YM_SHA256_HEX];
    struct ym_buf                plain;     /* grant points into it */
    ngx_http_yimen_cas_grant_t   grant;
    unsigned                     renew:1;
} ngx_http_yimen_cas_question_t;


static void ngx_http_yimen_cas_question(ngx_http_yimen_ctx_t *ctx,
    enum ym_cas_version version);
static ngx_int_t ngx_http_yimen_cas_question_read(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_question_t *question, enum ym_cas_failure *failure);
static void ngx_http_yimen_cas_question_close(void *data);
static void ngx_http_yimen_cas_taken(ngx_http_yimen_ctx_t *ctx);
static ngx_int_t ngx_http_yimen_cas_use(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_args_t *args);
static void ngx_http_yimen_cas_used(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_cas_person(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_service_t *service,
    const struct ym_session_value *v);
static ngx_uint_t ngx_http_yimen_cas_attributes(ngx_uint_t wanted,
    const struct ym_session_value *v, struct ym_cas_attribute *list);
static void ngx_http_yimen_cas_refuse(ngx_http_yimen_ctx_t *ctx,
    enum ym_cas_failure failure, const char *why);
static void ngx_http_yimen_cas_trouble(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_cas_say(ngx_http_yimen_ctx_t *ctx,
    ngx_uint_t status);


/* per process */
static time_t      ngx_http_yimen_cas_second;
static ngx_uint_t  ngx_http_yimen_cas_told;
static ngx_uint_t  ngx_http_yimen_cas_untold;


void
ngx_http_yimen_cas_validate(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_question(ctx, YM_CAS_1);
}


void
ngx_http_yimen_cas_validate2(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_question(ctx, YM_CAS_2);
}


void
ngx_http_yimen_cas_validate3(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_question(ctx, YM_CAS_3);
}


static void
ngx_http_yimen_cas_question(ngx_http_yimen_ctx_t *ctx,
    enum ym_cas_version version)
{
    enum ym_cas_failure             failure;
    ngx_pool_cleanup_t             *cln;
    ngx_http_yimen_args_t           args;
    ngx_http_yimen_cas_question_t  *question;

    if (ctx->conf->cas == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_cas_question_t));

    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    question = cln->data;
    ngx_memzero(question, sizeof(ngx_http_yimen_cas_question_t));
    question->version = version;
    ym_buf_init(&question->plain, 8192);

    cln->handler = ngx_http_yimen_cas_question_close;
    ctx->work = question;
    ctx->on_trouble = ngx_http_yimen_cas_trouble;
    failure = YM_CAS_INVALID_REQUEST;

    if (ngx_http_yimen_cas_question_read(ctx, question, &failure) != NGX_OK) {

        if (!ctx->done) {
            ngx_http_yimen_cas_refuse(ctx, failure, "bad_question");
        }

        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_TAKE,
                   ngx_http_yimen_digest_shard(ctx->conf, question->digest));
    ngx_http_yimen_arg(&args, YM_STR("cas"));
    ngx_http_yimen_arg_z(&args, question->digest);

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_cas_taken);
}


static void
ngx_http_yimen_cas_question_close(void *data)
{
    ngx_http_yimen_cas_question_t  *question = data;

    ym_buf_wipe(&question->plain);
}


static ngx_int_t
ngx_http_yimen_cas_question_read(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_question_t *question, enum ym_cas_failure *failure)
{
    ngx_str_t             *args;
    struct ym_buf          url;
    struct ym_err          err;
    struct ym_str          service, renew;
    struct ym_arena       *arena;
    const struct ym_form  *query;

    arena = ngx_http_yimen_arena(ctx);
    if (arena == NULL) {
        return NGX_ERROR;
    }

    args = &ctx->request->args;

    if (ym_form_parse((struct ym_str){ (char *) args->data, args->len }, arena,
                      &query, &err)
        != YM_OK
        || !ym_form_get(query, "ticket", &question->ticket)
        || !ym_form_get(query, "service", &service)
        || question->ticket.n == 0 || service.n == 0)
    {
        return NGX_ERROR;
    }

    question->renew = ym_form_get(query, "renew", &renew)
                      && !ym_str_is(renew, "false");

    *failure = YM_CAS_INVALID_TICKET;

    if (!ym_cas_ticket_ok(question->ticket)
        || ym_sha256_hex(question->ticket, question->digest) != YM_OK)
    {
        return NGX_ERROR;
    }

    /* no address is another service: the ticket is taken all the same */

    question->url = YM_STR("");
    ym_buf_init(&url, 2 * YM_CAS_SERVICE_MAX);

    if (ym_cas_service(service, &url)) {
        question->url = ngx_http_yimen_copy(ctx, ym_buf_str(&url));
    }

    ym_buf_clear(&url);

    return NGX_OK;
}


static void
ngx_http_yimen_cas_taken(ngx_http_yimen_ctx_t *ctx)
{
    char                            context[YM_SHA256_HEX + 8];
    redisReply                     *reply;
    ngx_http_yimen_args_t           args;
    ngx_http_yimen_cas_question_t  *question;

    question = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET,
                                  "unknown_ticket");
        return;
    }

    (void) ngx_sprintf((u_char *) context, "cas:%s%Z", question->digest);

    if (ngx_http_yimen_cas_open(ctx->conf, context,
                                ngx_http_yimen_reply_str(reply->element[0]),
                                &question->grant, &question->plain)
        != NGX_OK)
    {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET,
                                  "unknown_ticket");
        return;
    }

    if (!ym_str_eq(question->grant.url, question->url)) {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_SERVICE,
                                  "other_service");
        return;
    }

    if (question->renew && !question->grant.fresh) {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET, "not_renewed");
        return;
    }

    if (ngx_http_yimen_cas_use(ctx, &args) != NGX_OK) {
        ngx_http_yimen_cas_trouble(ctx);
        return;
    }

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_cas_used);
}


/* the session's value, and that the application is to hear of its end */

static ngx_int_t
ngx_http_yimen_cas_use(ngx_http_yimen_ctx_t *ctx, ngx_http_yimen_args_t *args)
{
    struct ym_buf                        sealed;
    struct ym_str                        entry;
    ngx_http_yimen_cas_grant_t           grant;
    ngx_http_yimen_cas_question_t       *question;
    const ngx_http_yimen_cas_service_t  *service;

    question = ctx->work;
    entry = YM_STR("");
    service = ngx_http_yimen_cas_service(ctx->conf->cas,
                                         question->grant.service);

    if (service != NULL && service->told) {
        grant = question->grant;
        grant.ticket = question->ticket;

        ym_buf_init(&sealed, 8192);

        if (ngx_http_yimen_cas_seal(ctx->conf, NGX_HTTP_YIMEN_CAS_USE, &grant,
                                    &sealed)
            == NGX_OK)
        {
            entry = ngx_http_yimen_copy(ctx, ym_buf_str(&sealed));
        }

        ym_buf_clear(&sealed);

        if (entry.n == 0) {
            return NGX_ERROR;
        }
    }

    ngx_http_yimen_args_init(args, ctx, YM_FN_CAS_USE, question->grant.shard);
    ngx_http_yimen_arg(args, question->grant.session);
    ngx_http_yimen_arg(args, entry);
    ngx_http_yimen_arg_int(args, NGX_HTTP_YIMEN_CAS_USES);

    return NGX_OK;
}


static void
ngx_http_yimen_cas_used(ngx_http_yimen_ctx_t *ctx)
{
    char                                 hex[YM_SHA256_HEX];
    json_t                              *json;
    redisReply                          *reply;
    struct ym_err                        err;
    struct ym_session_value              v;
    ngx_http_yimen_cas_question_t       *question;
    const ngx_http_yimen_cas_service_t  *service;

    question = ctx->work;
    reply = ctx->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET, "no_session");
        return;
    }

    (void) ngx_cpystrn((u_char *) hex,
                       (u_char *) (uintptr_t) question->grant.session.p,
                       sizeof(hex));

    if (ym_session_value_open(ctx->conf->ring, hex,
                              ngx_http_yimen_reply_str(reply->element[0]),
                              &json, &v, &err)
        != YM_OK)
    {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET, "no_session");
        return;
    }

    /* the configuration, or the person's roles, may be others by now */

    service = ngx_http_yimen_cas_service(ctx->conf->cas,
                                         question->grant.service);

    if (service == NULL
        || !ym_cas_matches(service->url, service->prefix, question->url)
        || (service->roles && !(service->roles & (ngx_uint_t) v.roles))
        || (!service->by_subject && v.login.n == 0))
    {
        ngx_http_yimen_cas_refuse(ctx, YM_CAS_INVALID_TICKET, "not_allowed");

    } else {
        ngx_http_yimen_cas_person(ctx, service, &v);
    }

    json_decref(json);
}


static void
ngx_http_yimen_cas_person(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_service_t *service,
    const struct ym_session_value *v)
{
    struct ym_cas_person            person;
    struct ym_cas_attribute         list[YM_CAS_ATTRIBUTES];
    ngx_http_yimen_evidence_t       e;
    ngx_http_yimen_cas_question_t  *question;

    question = ctx->work;

    person.user = service->by_subject ? v->person : v->login;
    person.auth_time = v->auth_time;
    person.fresh = question->grant.fresh;
    person.attributes = list;
    person.count = ngx_http_yimen_cas_attributes(service->attributes, v, list);

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "cas_sign_in";
    e.who = v->person;
    e.system = ym_str_of(service->id);
    ngx_http_yimen_evidence(ctx->request, &e);

    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_CAS_ANSWER);
    (void) ym_cas_success(&ctx->out, question->version, &person);
    ngx_http_yimen_cas_say(ctx, NGX_HTTP_OK);
}


static ngx_uint_t
ngx_http_yimen_cas_attributes(ngx_uint_t wanted,
    const struct ym_session_value *v, struct ym_cas_attribute *list)
{
    ngx_uint_t  i, n, bit;

    const struct {
        ngx_uint_t     bit;
        const char    *name;
        struct ym_str  value;
    } texts[] = {
        { NGX_HTTP_YIMEN_CAS_NAME, "name", v->name },
        { NGX_HTTP_YIMEN_CAS_EMAIL, "email", v->email },
        { NGX_HTTP_YIMEN_CAS_ORG, "org", v->org },
        { NGX_HTTP_YIMEN_CAS_AREA, "area", v->area },
        { NGX_HTTP_YIMEN_CAS_LOGIN, "login", v->login },
        { NGX_HTTP_YIMEN_CAS_SUBJECT, "subject", v->person }
    };

    n = 0;

    for (i = 0; i < YM_COUNT(texts); i++) {
        if ((wanted & texts[i].bit) && texts[i].value.n) {
            list[n].name = texts[i].name;
            list[n++].value = texts[i].value;
        }
    }

    if (!(wanted & NGX_HTTP_YIMEN_CAS_ROLES)) {
        return n;
    }

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
        if (((ngx_uint_t) v->roles & bit) && n < YM_CAS_ATTRIBUTES) {
            list[n].name = "roles";
            list[n++].value = ym_str_of(ngx_http_yimen_role_name(bit));
        }
    }

    return n;
}


static void
ngx_http_yimen_cas_refuse(ngx_http_yimen_ctx_t *ctx,
    enum ym_cas_failure failure, const char *why)
{
    ngx_http_yimen_cas_question_t  *question;

    question = ctx->work;

    ngx_http_yimen_cas_refused(ctx, YM_STR(""),
                               question->grant.service.n
                               ? question->grant.service : YM_STR(""),
                               why);

    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_CAS_ANSWER);
    (void) ym_cas_refusal(&ctx->out, question->version, failure);
    ngx_http_yimen_cas_say(ctx, NGX_HTTP_OK);
}


/* nobody knows whether the ticket is used up */

static void
ngx_http_yimen_cas_trouble(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_question_t  *question;

    question = ctx->work;

    ym_buf_init(&ctx->out, NGX_HTTP_YIMEN_CAS_ANSWER);
    (void) ym_cas_refusal(&ctx->out, question->version,
                          YM_CAS_INTERNAL_ERROR);
    (void) ngx_http_yimen_answer_header(ctx, "Retry-After", YM_STR("1"));
    ngx_http_yimen_cas_say(ctx, NGX_HTTP_SERVICE_UNAVAILABLE);
}


static void
ngx_http_yimen_cas_say(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status)
{
    ngx_http_yimen_cas_question_t  *question;

    question = ctx->work;

    (void) ngx_http_yimen_answer_header(ctx, "X-Content-Type-Options",
                                        YM_STR("nosniff"));
    ngx_http_yimen_answer(ctx, status,
                          question->version == YM_CAS_1
                          ? "text/plain; charset=utf-8"
                          : "application/xml; charset=utf-8");
}


void
ngx_http_yimen_cas_refused(ngx_http_yimen_ctx_t *ctx, struct ym_str who,
    struct ym_str system, const char *why)
{
    u_char                     text[sizeof("not_written=") + NGX_INT_T_LEN];
    u_char                    *last;
    time_t                     now;
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "cas_refused";
    now = ngx_time();

    if (ngx_http_yimen_cas_second != now) {
        ngx_http_yimen_cas_second = now;
        ngx_http_yimen_cas_told = 0;

        if (ngx_http_yimen_cas_untold) {
            last = ngx_sprintf(text, "not_written=%ui",
                               ngx_http_yimen_cas_untold);
            e.why = (struct ym_str){ (char *) text, (size_t) (last - text) };
            ngx_http_yimen_cas_untold = 0;
            ngx_http_yimen_evidence(ctx->request, &e);
        }
    }

    if (ngx_http_yimen_cas_told == NGX_HTTP_YIMEN_CAS_REFUSED) {
        ngx_http_yimen_cas_untold++;
        return;
    }

    ngx_http_yimen_cas_told++;
    e.who = who;
    e.system = system;
    e.why = ym_str_of(why);

    ngx_http_yimen_evidence(ctx->request, &e);
}
