/* SPDX-License-Identifier: Apache-2.0
 * GET /cas/login and /cas/logout: what browsers see of the CAS server.
 *
 * Who has to sign in (nobody is known, or renew=true) is sent to the sign-in
 * page and comes back with `since`: a moment and a digest of it that nobody
 * else can make.  A session that began after that moment is of credentials
 * that were given for this service.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_page.h"
#include "ngx_http_yimen_session.h"
#include "ngx_http_yimen_usage.h"

#include "ym_cas.h"
#include "ym_form_body.h"
#include "ym_place.h"
#include "ym_store_door.h"
#include "ym_time.h"

#include <openssl/rand.h>


/* how long somebody may take to sign in */
#define NGX_HTTP_YIMEN_CAS_SINCE  (15 * 60 * 1000)

/* and to sign out at the provider, before he comes back on his way */
#define NGX_HTTP_YIMEN_CAS_LEAVE  (10 * 60 * 1000)
#define NGX_HTTP_YIMEN_CAS_BACK   "cas-leave"


/* one request for a ticket; ctx->work */
typedef struct {
    struct ym_str                        given;   /* the service as it came */
    struct ym_str                        url;     /* in its one form */
    const ngx_http_yimen_cas_service_t  *service;
    struct ym_str                        leave;   /* the provider's logout */
    int64_t                              since;   /* ms; 0 = not come back */
    char                                 ticket[YM_CAS_TICKET_LEN + 1];
    unsigned                             renew:1;
    unsigned                             gateway:1;
    unsigned                             fresh:1;
} ngx_http_yimen_cas_work_t;


static ngx_http_yimen_cas_work_t *
    ngx_http_yimen_cas_ask(ngx_http_yimen_ctx_t *ctx, const char *name,
    const char *other);
static ngx_uint_t ngx_http_yimen_cas_flag(const struct ym_form *query,
    const char *name);
static ngx_int_t ngx_http_yimen_cas_address(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work);
static void ngx_http_yimen_cas_unknown(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_cas_nowhere(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_cas_someone(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work);
static void ngx_http_yimen_cas_sign_in(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_work_t *work);
static int64_t ngx_http_yimen_cas_since(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url, struct ym_str given);
static ngx_int_t ngx_http_yimen_cas_since_digest(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url, int64_t since, char out[YM_DIGEST_HEX]);
static ngx_uint_t ngx_http_yimen_cas_fresh(ngx_http_yimen_ctx_t *ctx,
    int64_t since);
static void ngx_http_yimen_cas_issue(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work);
static void ngx_http_yimen_cas_issued(ngx_http_yimen_ctx_t *ctx);
static struct ym_str ngx_http_yimen_cas_way(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_work_t *work);
static void ngx_http_yimen_cas_leave(ngx_http_yimen_ctx_t *ctx,
    struct ym_str url);
static void ngx_http_yimen_cas_over(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_cas_tell(ngx_http_yimen_ctx_t *ctx,
    const char *what, const char *system, const char *why);


void
ngx_http_yimen_cas_login(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_who_t       *who;
    ngx_http_yimen_cas_work_t  *work;

    work = ngx_http_yimen_cas_ask(ctx, "service", NULL);
    if (work == NULL) {
        return;
    }

    if (work->given.n == 0) {
        ngx_http_yimen_cas_nowhere(ctx);
        return;
    }

    if (work->service == NULL) {
        ngx_http_yimen_cas_unknown(ctx);
        return;
    }

    who = ngx_http_yimen_who_get(ctx->request, 0);

    if (who != NULL && who->verdict == NGX_HTTP_YIMEN_WHO_TROUBLE) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "暂时无法登录,请稍后再试。",
                                  "Signing in does not work at this moment: "
                                  "please try again.");
        return;
    }

    if (ctx->who.method == NGX_HTTP_YIMEN_BY_SESSION) {
        ngx_http_yimen_cas_someone(ctx, work);
        return;
    }

    if (work->gateway) {
        ngx_http_yimen_page_go(ctx, work->given);
        return;
    }

    ngx_http_yimen_cas_sign_in(ctx, work);
}


/* NULL: the request is answered */

static ngx_http_yimen_cas_work_t *
ngx_http_yimen_cas_ask(ngx_http_yimen_ctx_t *ctx, const char *name,
    const char *other)
{
    ngx_str_t                  *args;
    struct ym_err               err;
    struct ym_str               since;
    struct ym_arena            *arena;
    const struct ym_form       *query;
    ngx_http_yimen_cas_work_t  *work;

    if (ctx->conf->cas == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_NOT_FOUND, NULL, NULL);
        return NULL;
    }

    work = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_yimen_cas_work_t));
    arena = ngx_http_yimen_arena(ctx);

    if (arena == NULL) {
        return NULL;
    }

    if (work == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    ctx->work = work;
    args = &ctx->request->args;

    if (ym_form_parse((struct ym_str){ (char *) args->data, args->len }, arena,
                      &query, &err)
        != YM_OK)
    {
        ngx_http_yimen_cas_unknown(ctx);
        return NULL;
    }

    work->given = YM_STR("");
    work->renew = ngx_http_yimen_cas_flag(query, "renew");
    work->gateway = !work->renew && ngx_http_yimen_cas_flag(query, "gateway");

    if (!ym_form_get(query, name, &work->given) && other != NULL) {
        (void) ym_form_get(query, other, &work->given);
    }

    if (work->given.n && ngx_http_yimen_cas_address(ctx, work) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return NULL;
    }

    if (work->service != NULL && ym_form_get(query, "since", &since)) {
        work->since = ngx_http_yimen_cas_since(ctx, work->url, since);
    }

    return work;
}


/* CAS 3.0, 2.1.1: set is set, whatever to; "false" is what people mean by it */

static ngx_uint_t
ngx_http_yimen_cas_flag(const struct ym_form *query, const char *name)
{
    struct ym_str  value;

    return ym_form_get(query, name, &value) && !ym_str_is(value, "false");
}


/* work->service stays NULL for what is not registered */

static ngx_int_t
ngx_http_yimen_cas_address(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work)
{
    ngx_int_t      rc;
    struct ym_buf  url;

    rc = NGX_OK;
    ym_buf_init(&url, 2 * YM_CAS_SERVICE_MAX);

    if (ym_cas_service(work->given, &url)) {
        work->url = ngx_http_yimen_copy(ctx, ym_buf_str(&url));
        rc = (work->url.p != NULL) ? NGX_OK : NGX_ERROR;
    }

    ym_buf_clear(&url);

    if (work->url.n) {
        work->service = ngx_http_yimen_cas_find(ctx->conf->cas, work->url);
    }

    return rc;
}


static void
ngx_http_yimen_cas_unknown(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_refused(ctx, YM_STR(""), YM_STR(""),
                               "unknown_service");

    ngx_http_yimen_page_error(ctx, NGX_HTTP_BAD_REQUEST,
                              "该应用未登记,不能通过本站登录。请联系管理员。",
                              "This application is not registered here and "
                              "cannot sign you in: please tell the "
                              "administrator.");
}


/* no service: one wants to sign in here, or has done so */

static void
ngx_http_yimen_cas_nowhere(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_page_go(ctx,
                           ctx->who.method == NGX_HTTP_YIMEN_BY_SESSION
                           ? YM_STR("/") : YM_STR("/auth/login"));
}


static void
ngx_http_yimen_cas_someone(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work)
{
    work->fresh = work->since && ngx_http_yimen_cas_fresh(ctx, work->since);

    if (work->renew && !work->fresh) {

        if (!work->since) {
            ngx_http_yimen_cas_sign_in(ctx, work);
            return;
        }

        ngx_http_yimen_cas_tell(ctx, "cas_refused", work->service->id,
                                "not_renewed");
        ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                                  "该应用要求重新登录,但没有收到新的登录。"
                                  "请退出后再试。",
                                  "The application wants you to sign in "
                                  "anew, and you have not: please sign out "
                                  "and try again.");
        return;
    }

    if (work->service->roles && !(work->service->roles & ctx->who.roles)) {
        ngx_http_yimen_cas_tell(ctx, "access_refused", work->service->id,
                                "role");
        ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                                  "您的角色不能使用该应用。",
                                  "Your role does not allow this "
                                  "application.");
        return;
    }

    if (!work->service->by_subject && ctx->who.login.n == 0) {
        ngx_http_yimen_cas_tell(ctx, "cas_refused", work->service->id,
                                "no_login");
        ngx_http_yimen_page_error(ctx, NGX_HTTP_FORBIDDEN,
                                  "您的账号没有登录名,该应用无法识别您。"
                                  "请联系管理员。",
                                  "Your account has no login, so the "
                                  "application would not know you: please "
                                  "tell the administrator.");
        return;
    }

    ngx_http_yimen_cas_issue(ctx, work);
}


/* ---- signing in, and coming back ---- */

static void
ngx_http_yimen_cas_sign_in(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_work_t *work)
{
    char           digest[YM_DIGEST_HEX];
    int64_t        now;
    ngx_uint_t     failed;
    struct ym_buf  back, place;

    if (!ngx_http_yimen_is_navigation(ctx->request)) {
        (void) ngx_http_yimen_answer_header(ctx, "WWW-Authenticate",
                                            YM_STR("Bearer realm=\"yimen\""));
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAUTHORIZED, NULL, NULL);
        return;
    }

    /* sign-ins are known to the second */

    now = ym_now_ms() / 1000 * 1000;

    if (ngx_http_yimen_cas_since_digest(ctx, work->url, now, digest)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_buf_init(&back, YM_PLACE_MAX);
    ym_buf_adds(&back, "/cas/login?service=");
    ym_buf_add_uri(&back, work->given);
    ym_buf_adds(&back, work->renew ? "&renew=true" : "");
    ym_buf_addf(&back, "&since=%lld-%s", (long long) now, digest);

    ym_buf_init(&place, 4 * YM_PLACE_MAX);
    ym_buf_adds(&place, ctx->conf->auth.public_url);
    ym_buf_adds(&place, "/auth/login?");
    ym_buf_adds(&place, work->renew ? "again=1&rd=" : "rd=");

    failed = (back.failed != YM_OK);

    if (!failed) {
        ym_buf_add_uri(&place, ym_buf_str(&back));
    }

    if (failed || place.failed != YM_OK) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_BAD_REQUEST,
                                  "应用的地址过长。",
                                  "The application's address is too long.");

    } else {
        ngx_http_yimen_page_go(ctx, ym_buf_str(&place));
    }

    ym_buf_clear(&back);
    ym_buf_clear(&place);
}


/* "<ms>-<digest>"; 0: it is none of ours, for another service or too old */

static int64_t
ngx_http_yimen_cas_since(ngx_http_yimen_ctx_t *ctx, struct ym_str url,
    struct ym_str given)
{
    char     digest[YM_DIGEST_HEX];
    time_t   since;
    size_t   n;
    int64_t  now;

    for (n = 0; n < given.n && given.p[n] != '-'; n++) {
        /* void */
    }

    if (n == given.n || n > 15) {
        return 0;
    }

    since = ngx_atotm((u_char *) (uintptr_t) given.p, n);
    now = ym_now_ms();

    if (since <= 0 || since > now || now - since > NGX_HTTP_YIMEN_CAS_SINCE
        || ngx_http_yimen_cas_since_digest(ctx, url, since, digest) != NGX_OK
        || !ym_equal_secret(ym_str_of(digest),
                            (struct ym_str){ given.p + n + 1,
                                             given.n - n - 1 }))
    {
        return 0;
    }

    return since;
}


static ngx_int_t
ngx_http_yimen_cas_since_digest(ngx_http_yimen_ctx_t *ctx, struct ym_str url,
    int64_t since, char out[YM_DIGEST_HEX])
{
    ym_status      rc;
    struct ym_buf  text;

    ym_buf_init(&text, 2 * YM_CAS_SERVICE_MAX);
    ym_buf_addf(&text, "%lld\n", (long long) since);
    rc = ym_buf_add(&text, url.p, url.n);

    if (rc == YM_OK) {
        rc = ym_ring_digest(ctx->conf->ring, "cas-since", ym_buf_str(&text),
                            out);
    }

    ym_buf_clear(&text);

    return (rc == YM_OK) ? NGX_OK : NGX_ERROR;
}


/* another machine's word of when: its clock may differ */

static ngx_uint_t
ngx_http_yimen_cas_fresh(ngx_http_yimen_ctx_t *ctx, int64_t since)
{
    int64_t  skew;

    skew = ym_str_is(ctx->who.provider, "local")
           ? 0 : ctx->conf->auth.rules.skew_ms;

    return ctx->who.auth_time != 0 && ctx->who.auth_time + skew >= since;
}


/* ---- the ticket ---- */

static void
ngx_http_yimen_cas_issue(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_cas_work_t *work)
{
    char                         digest[YM_SHA256_HEX];
    char                         context[YM_SHA256_HEX + 8];
    u_char                       random[YM_CAS_TICKET_BYTES];
    ngx_int_t                    rc;
    struct ym_buf                sealed;
    ngx_http_yimen_who_t        *who;
    ngx_http_yimen_args_t        args;
    ngx_http_yimen_cas_grant_t   grant;

    who = ngx_http_yimen_who_get(ctx->request, 0);

    if (who == NULL || RAND_bytes(random, sizeof(random)) != 1) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ym_cas_ticket(random, work->ticket);
    ym_wipe(random, sizeof(random));

    ngx_memzero(&grant, sizeof(ngx_http_yimen_cas_grant_t));
    grant.shard = who->shard;
    grant.session = ctx->who.session;
    grant.fresh = work->fresh;
    grant.service = ym_str_of(work->service->id);
    grant.url = work->url;

    ym_buf_init(&sealed, 16384);
    rc = NGX_ERROR;

    if (ym_sha256_hex(ym_str_of(work->ticket), digest) == YM_OK) {
        (void) ngx_sprintf((u_char *) context, "cas:%s%Z", digest);
        rc = ngx_http_yimen_cas_seal(ctx->conf, context, &grant, &sealed);
    }

    if (rc == NGX_OK) {
        ngx_http_yimen_args_init(&args, ctx, YM_FN_ONCE_PUT,
                           ngx_http_yimen_digest_shard(ctx->conf, digest));
        ngx_http_yimen_arg(&args, YM_STR("cas"));
        ngx_http_yimen_arg_z(&args, digest);
        ngx_http_yimen_arg(&args, ym_buf_str(&sealed));
        ngx_http_yimen_arg_int(&args, ctx->conf->cas->ticket);

        ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_cas_issued);

    } else {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
    }

    ym_buf_clear(&sealed);
}


static void
ngx_http_yimen_cas_issued(ngx_http_yimen_ctx_t *ctx)
{
    ym_status                   rc;
    redisReply                 *reply;
    struct ym_buf               place;
    ngx_http_yimen_who_t       *who;
    ngx_http_yimen_cas_work_t  *work;

    work = ctx->work;
    reply = ctx->replies[0];
    who = ngx_http_yimen_who_get(ctx->request, 0);

    /* wiped now: an answer may free the request, and work with it */

    ym_buf_init(&place, 2 * YM_CAS_SERVICE_MAX);
    rc = ym_cas_go(&place, work->given, ym_str_of(work->ticket));
    ym_wipe(work->ticket, sizeof(work->ticket));

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1
        || reply->element[0]->type != REDIS_REPLY_STRING
        || ngx_strcmp(reply->element[0]->str, "kept") != 0
        || rc != YM_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);

    } else {
        ngx_http_yimen_cas_tell(ctx, "cas_ticket", work->service->id,
                                work->fresh ? "fresh" : "session");

        if (who != NULL) {
            ngx_http_yimen_usage_entered(ctx->who.session, who->shard,
                                         work->service->id);
        }

        ngx_http_yimen_page_go(ctx, ym_buf_str(&place));
    }

    ym_buf_wipe(&place);
}


/* ---- GET /cas/logout ---- */

void
ngx_http_yimen_cas_logout(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_cas_work_t     *work;
    const ngx_http_yimen_login_t  *login;

    work = ngx_http_yimen_cas_ask(ctx, "service", "url");
    if (work == NULL) {
        return;
    }

    login = ngx_http_yimen_session_login(ctx);

    if (login == NULL) {
        ngx_http_yimen_cas_leave(ctx, YM_STR(""));
        return;
    }

    /* a session that a provider has begun ends there as well */

    ngx_http_yimen_oidc_logout(ctx, login, ngx_http_yimen_cas_way(ctx, work),
                               ngx_http_yimen_cas_leave);
}


/*
 * The provider brings this back, when it was and where to go on; sealed, since
 * it passes through strangers.  "": nowhere.
 */
static struct ym_str
ngx_http_yimen_cas_way(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_cas_work_t *work)
{
    struct ym_err  err;
    struct ym_buf  plain, sealed;
    struct ym_str  way;

    if (work->service == NULL) {
        return YM_STR("");
    }

    ym_buf_init(&plain, 2 * YM_CAS_SERVICE_MAX);
    ym_buf_init(&sealed, 4 * YM_CAS_SERVICE_MAX);
    ym_buf_addf(&plain, "%lld\n", (long long) ym_now_ms());
    ym_buf_add(&plain, work->given.p, work->given.n);
    way = YM_STR("");

    if (plain.failed == YM_OK
        && ym_seal_text(ctx->conf->ring, YM_STR(NGX_HTTP_YIMEN_CAS_BACK),
                        ym_buf_str(&plain), &sealed, &err)
           == YM_OK)
    {
        way = ngx_http_yimen_copy(ctx, ym_buf_str(&sealed));
    }

    ym_buf_clear(&plain);
    ym_buf_clear(&sealed);

    return way;
}


ngx_int_t
ngx_http_yimen_cas_back(ngx_http_yimen_ctx_t *ctx, struct ym_str state,
    struct ym_str *ret)
{
    int64_t                     age;
    const char                 *end;
    struct ym_buf               plain;
    struct ym_err               err;
    ngx_http_yimen_cas_work_t   work;

    if (ctx->conf->cas == NULL || state.n == 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(&work, sizeof(ngx_http_yimen_cas_work_t));
    ym_buf_init(&plain, 4 * YM_CAS_SERVICE_MAX);

    if (ym_unseal_text(ctx->conf->ring, YM_STR(NGX_HTTP_YIMEN_CAS_BACK),
                       state, &plain, &err)
        == YM_OK)
    {
        end = memchr(plain.p, '\n', plain.n);
        age = (end != NULL) ? ym_now_ms() - strtoll(plain.p, NULL, 10) : -1;

        if (age >= 0 && age <= NGX_HTTP_YIMEN_CAS_LEAVE) {
            work.given = ngx_http_yimen_copy(ctx,
                             (struct ym_str){ end + 1, plain.n
                                   - (size_t) (end + 1 - plain.p) });
        }
    }

    ym_buf_clear(&plain);

    /* it may have been taken out of the configuration */

    if (work.given.n == 0
        || ngx_http_yimen_cas_address(ctx, &work) != NGX_OK
        || work.service == NULL)
    {
        return NGX_DECLINED;
    }

    *ret = work.given;

    return NGX_OK;
}


static void
ngx_http_yimen_cas_leave(ngx_http_yimen_ctx_t *ctx, struct ym_str url)
{
    ngx_http_yimen_cas_work_t  *work;

    work = ctx->work;
    work->leave = url;

    ngx_http_yimen_session_end(ctx, "cas_logout", ngx_http_yimen_cas_over);
}


/* the session is over even if the address is none to go to */

static void
ngx_http_yimen_cas_over(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_buf               body;
    ngx_http_yimen_cas_work_t  *work;

    work = ctx->work;

    if (work->leave.n) {
        ngx_http_yimen_page_go(ctx, work->leave);
        return;
    }

    if (work->given.n && work->service == NULL) {
        ngx_http_yimen_page_error(ctx, NGX_HTTP_BAD_REQUEST,
                                  "您已退出登录。返回地址未登记,不能跳转。",
                                  "You are signed out. The address to go on "
                                  "to is not registered here.");
        return;
    }

    if (work->service != NULL) {
        ngx_http_yimen_page_go(ctx, work->given);
        return;
    }

    ym_buf_init(&body, 4096);
    ym_buf_adds(&body, "<p class=\"note\">");
    ym_buf_adds(&body, ctx->lang == YM_EN
                       ? "The applications that you have used are told so."
                       : "您用过的应用也会收到退出通知。");
    ym_buf_adds(&body, "</p>\n<a class=\"button\" href=\"/auth/login\">");
    ym_buf_adds(&body, ctx->lang == YM_EN ? "Sign in" : "重新登录");
    ym_buf_adds(&body, "</a>");

    ngx_http_yimen_page(ctx, NGX_HTTP_OK,
                        ctx->lang == YM_EN ? "You are signed out"
                                           : "您已退出登录",
                        ym_buf_str(&body));
    ym_buf_clear(&body);
}


static void
ngx_http_yimen_cas_tell(ngx_http_yimen_ctx_t *ctx, const char *what,
    const char *system, const char *why)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = what;
    e.who = ctx->who.subject;
    e.why = ym_str_of(why);

    if (system != NULL) {
        e.system = ym_str_of(system);
    }

    ngx_http_yimen_evidence(ctx->request, &e);
}
