/* SPDX-License-Identifier: Apache-2.0
 * Refresh tokens: a session is kept in step with its provider, behind the
 * backs of the requests that use it.
 *
 * One flight per session in the world: a lock in Redis, and then the session
 * is read anew, since another node may have been faster and a provider that
 * rotates its tokens ends everything when an old one comes.  Requests go on
 * meanwhile.  A refusal ends the session; a provider that cannot be asked is
 * asked again later, until the grace is over.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_oidc_priv.h"
#include "ngx_http_yimen_sessions.h"

#include "ym_store_door.h"
#include "ym_time.h"


#define NGX_HTTP_YIMEN_REFRESH_LOCK   15000   /* ms; also between two tries */
#define NGX_HTTP_YIMEN_REFRESH_OTHER  500     /* another node is at it */
#define NGX_HTTP_YIMEN_REFRESH_SLOTS  1024
#define NGX_HTTP_YIMEN_REFRESH_KIND   "refresh"


typedef struct {
    ngx_queue_t                       link;
    ngx_pool_t                       *pool;
    ngx_http_yimen_main_conf_t       *conf;
    const ngx_http_yimen_provider_t  *provider;
    ngx_http_yimen_op_t              *op;
    char                              hex[YM_SHA256_HEX];
    ngx_uint_t                        shard;
    json_t                           *json;      /* v points into it */
    struct ym_session_value           v;
    struct ym_arena                  *arena;
    struct ym_oidc_tokens             tokens;
    json_t                           *claims;
    unsigned                          renewed:1;
} ngx_http_yimen_refresh_t;

/* sessions that need no look for a moment */
typedef struct {
    uint64_t                          key;
    ngx_msec_t                        until;
} ngx_http_yimen_refresh_slot_t;


static ngx_http_yimen_refresh_slot_t *
    ngx_http_yimen_refresh_slot(const u_char *digest, uint64_t *ret_key);
static void ngx_http_yimen_refresh_quiet(ngx_http_yimen_refresh_t *job,
    ngx_msec_t ms);
static ngx_http_yimen_refresh_t *
    ngx_http_yimen_refresh_open(ngx_http_yimen_session_t *session);
static void ngx_http_yimen_refresh_close(void *data);
static void ngx_http_yimen_refresh_end(ngx_http_yimen_refresh_t *job,
    ngx_uint_t release);
static void ngx_http_yimen_refresh_locked(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static ngx_int_t ngx_http_yimen_refresh_look(ngx_http_yimen_refresh_t *job);
static void ngx_http_yimen_refresh_looked(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_refresh_ready(void *data, ngx_int_t rc);
static void ngx_http_yimen_refresh_came(void *data,
    const ngx_http_yimen_fetched_t *answer);
static void ngx_http_yimen_refresh_verify(ngx_http_yimen_refresh_t *job);
static void ngx_http_yimen_refresh_again(void *data, ngx_int_t rc);
static void ngx_http_yimen_refresh_keep(ngx_http_yimen_refresh_t *job);
static ngx_int_t ngx_http_yimen_refresh_update(
    ngx_http_yimen_refresh_t *job);
static void ngx_http_yimen_refresh_kept(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_refresh_trouble(ngx_http_yimen_refresh_t *job,
    const char *reason);
static void ngx_http_yimen_refresh_refused(ngx_http_yimen_refresh_t *job,
    const char *reason);


static struct {
    ngx_queue_t                    jobs;
    ngx_http_yimen_refresh_slot_t  slots[NGX_HTTP_YIMEN_REFRESH_SLOTS];
    unsigned                       open:1;
} ngx_http_yimen_refreshes;


void
ngx_http_yimen_oidc_refresh_open(void)
{
    ngx_memzero(&ngx_http_yimen_refreshes, sizeof(ngx_http_yimen_refreshes));
    ngx_queue_init(&ngx_http_yimen_refreshes.jobs);
    ngx_http_yimen_refreshes.open = 1;
}


void
ngx_http_yimen_oidc_refresh_close(void)
{
    ngx_queue_t               *q;
    ngx_http_yimen_refresh_t  *job;

    if (!ngx_http_yimen_refreshes.open) {
        return;
    }

    ngx_http_yimen_refreshes.open = 0;

    while (!ngx_queue_empty(&ngx_http_yimen_refreshes.jobs)) {
        q = ngx_queue_head(&ngx_http_yimen_refreshes.jobs);
        job = ngx_queue_data(q, ngx_http_yimen_refresh_t, link);
        ngx_destroy_pool(job->pool);
    }
}


void
ngx_http_yimen_oidc_refresh(ngx_http_yimen_main_conf_t *ymcf,
    ngx_http_yimen_session_t *session, ngx_uint_t shard)
{
    uint64_t                          key;
    ngx_http_yimen_fcall_t            call;
    ngx_http_yimen_refresh_t         *job;
    ngx_http_yimen_refresh_slot_t    *slot;
    const ngx_http_yimen_provider_t  *provider;

    if (session->refresh_at == 0 || ym_now_ms() < session->refresh_at
        || !ngx_http_yimen_refreshes.open)
    {
        return;
    }

    slot = ngx_http_yimen_refresh_slot(session->digest, &key);

    if (slot->key == key
        && (ngx_msec_int_t) (slot->until - ngx_current_msec) > 0)
    {
        return;
    }

    provider = ngx_http_yimen_provider_find(ymcf, session->who.provider);

    if (provider == NULL || !provider->refresh) {
        return;
    }

    slot->key = key;
    slot->until = ngx_current_msec + NGX_HTTP_YIMEN_REFRESH_LOCK;

    job = ngx_http_yimen_refresh_open(session);
    if (job == NULL) {
        return;
    }

    job->conf = ymcf;
    job->provider = provider;
    job->op = ngx_http_yimen_op(provider);
    job->shard = shard;

    ngx_http_yimen_fcall_init(&call, YM_FN_ONCE_PUT,
                              ngx_http_yimen_digest_shard(ymcf, job->hex));
    ngx_http_yimen_fcall_z(&call, NGX_HTTP_YIMEN_REFRESH_KIND);
    ngx_http_yimen_fcall_z(&call, job->hex);
    ngx_http_yimen_fcall_z(&call, "1");
    ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_REFRESH_LOCK);

    if (ngx_http_yimen_fcall_send(&call, job->pool,
                                  ngx_http_yimen_refresh_locked, job)
        != NGX_OK)
    {
        ngx_http_yimen_refresh_end(job, 0);
    }
}


static ngx_http_yimen_refresh_slot_t *
ngx_http_yimen_refresh_slot(const u_char *digest, uint64_t *ret_key)
{
    ngx_memcpy(ret_key, digest, sizeof(uint64_t));

    return &ngx_http_yimen_refreshes.slots[*ret_key
                                           % NGX_HTTP_YIMEN_REFRESH_SLOTS];
}


static void
ngx_http_yimen_refresh_quiet(ngx_http_yimen_refresh_t *job, ngx_msec_t ms)
{
    u_char                          digest[YM_SHA256_LEN];
    uint64_t                        key;
    ngx_http_yimen_refresh_slot_t  *slot;

    if (!ym_unhex(ym_str_of(job->hex), digest)) {
        return;
    }

    slot = ngx_http_yimen_refresh_slot(digest, &key);

    if (slot->key == key) {
        slot->until = ngx_current_msec + ms;
    }
}


static ngx_http_yimen_refresh_t *
ngx_http_yimen_refresh_open(ngx_http_yimen_session_t *session)
{
    ngx_pool_t                *pool;
    ngx_pool_cleanup_t        *cln;
    ngx_http_yimen_refresh_t  *job;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_yimen_refresh_t));
    if (cln == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job = cln->data;
    ngx_memzero(job, sizeof(ngx_http_yimen_refresh_t));

    job->pool = pool;
    job->arena = ym_arena_open();

    if (job->arena == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_memcpy(job->hex, session->hex, YM_SHA256_HEX);
    ngx_queue_insert_tail(&ngx_http_yimen_refreshes.jobs, &job->link);
    cln->handler = ngx_http_yimen_refresh_close;

    return job;
}


static void
ngx_http_yimen_refresh_close(void *data)
{
    ngx_http_yimen_refresh_t  *job = data;

    ngx_queue_remove(&job->link);
    json_decref(job->json);
    json_decref(job->claims);
    ym_arena_close(job->arena);
}


/* release: the lock is given back, and what comes next may begin at once */

static void
ngx_http_yimen_refresh_end(ngx_http_yimen_refresh_t *job, ngx_uint_t release)
{
    ngx_http_yimen_fcall_t  call;

    if (release) {
        ngx_http_yimen_refresh_quiet(job, NGX_HTTP_YIMEN_REFRESH_OTHER);

        ngx_http_yimen_fcall_init(&call, YM_FN_ONCE_TAKE,
                         ngx_http_yimen_digest_shard(job->conf, job->hex));
        ngx_http_yimen_fcall_z(&call, NGX_HTTP_YIMEN_REFRESH_KIND);
        ngx_http_yimen_fcall_z(&call, job->hex);

        (void) ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);
    }

    ngx_destroy_pool(job->pool);
}


static void
ngx_http_yimen_refresh_locked(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_refresh_t  *job = data;

    if (why != NGX_HTTP_YIMEN_REDIS_OK) {
        ngx_http_yimen_refresh_end(job, 0);
        return;
    }

    if (!ym_str_is(ngx_http_yimen_fcall_word(*reply, 0), "kept")) {
        ngx_http_yimen_refresh_quiet(job, NGX_HTTP_YIMEN_REFRESH_OTHER);
        ngx_http_yimen_refresh_end(job, 0);
        return;
    }

    if (ngx_http_yimen_refresh_look(job) != NGX_OK) {
        ngx_http_yimen_refresh_end(job, 1);
    }
}


static ngx_int_t
ngx_http_yimen_refresh_look(ngx_http_yimen_refresh_t *job)
{
    ngx_http_yimen_fcall_t  call;

    ngx_http_yimen_fcall_init(&call, YM_FN_SESSION_GET, job->shard);
    ngx_http_yimen_fcall_z(&call, job->hex);
    ngx_http_yimen_fcall_int(&call, job->conf->session.idle);
    ngx_http_yimen_fcall_int(&call, 0);

    return ngx_http_yimen_fcall_send(&call, job->pool,
                                     ngx_http_yimen_refresh_looked, job);
}


static void
ngx_http_yimen_refresh_looked(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    struct ym_str              sealed;
    ngx_http_yimen_refresh_t  *job = data;

    sealed = (why == NGX_HTTP_YIMEN_REDIS_OK)
             ? ngx_http_yimen_fcall_word(*reply, 0) : YM_STR("");

    if (sealed.n == 0
        || ym_session_value_open(job->conf->ring, job->hex, sealed,
                                 &job->json, &job->v, NULL)
           != YM_OK)
    {
        ngx_http_yimen_refresh_end(job, 1);
        return;
    }

    /* somebody was faster */

    if (job->v.refresh_token.n == 0 || ym_now_ms() < job->v.refresh_at) {
        ngx_http_yimen_refresh_end(job, 1);
        return;
    }

    ngx_http_yimen_op_need(job->op, job->pool, ngx_http_yimen_refresh_ready,
                           job);
}


static void
ngx_http_yimen_refresh_ready(void *data, ngx_int_t rc)
{
    struct ym_buf              body;
    ngx_http_yimen_refresh_t  *job = data;

    if (rc != NGX_OK) {
        ngx_http_yimen_refresh_trouble(job, "the provider is away");
        return;
    }

    ym_buf_init(&body, 65536);
    ym_buf_adds(&body, "grant_type=refresh_token&refresh_token=");
    ym_buf_add_uri(&body, job->v.refresh_token);

    if (ngx_http_yimen_op_tokens(job->op, job->pool, &body,
                                 ngx_http_yimen_refresh_came, job)
        != NGX_OK)
    {
        ym_buf_wipe(&body);
        ngx_http_yimen_refresh_trouble(job, "not sent");
    }
}


static void
ngx_http_yimen_refresh_came(void *data,
    const ngx_http_yimen_fetched_t *answer)
{
    ym_status                  rc;
    struct ym_err              err;
    ngx_http_yimen_refresh_t  *job = data;

    if (answer->status == 0) {
        ngx_http_yimen_refresh_trouble(job, answer->error);
        return;
    }

    rc = ym_oidc_tokens((unsigned) answer->status,
                        ngx_http_yimen_fetched_header(answer, "content-type"),
                        answer->body, job->arena, &job->tokens, &err);

    if (rc == YM_EAUTH
        && ngx_strcmp(job->tokens.error, "invalid_grant") == 0)
    {
        ngx_http_yimen_refresh_refused(job, err.message);

    } else if (rc != YM_OK) {
        ngx_http_yimen_refresh_trouble(job, err.message);

    } else if (job->tokens.id_token != NULL) {
        ngx_http_yimen_refresh_verify(job);

    } else {
        ngx_http_yimen_refresh_keep(job);
    }
}


static void
ngx_http_yimen_refresh_verify(ngx_http_yimen_refresh_t *job)
{
    struct ym_err                     err;
    struct ym_str                     token;
    struct ym_oidc_id_rules           rules;
    const ngx_http_yimen_provider_t  *provider;

    provider = job->provider;
    token = ym_str_of(job->tokens.id_token);

    ngx_memzero(&rules, sizeof(rules));

    rules.keys = job->op->keys;
    rules.algorithms = (const char *const *) provider->algorithms;
    rules.issuer = provider->issuer;
    rules.client_id = provider->client_id;
    rules.sub = job->v.subject.p;
    rules.access_token = job->tokens.access_token;
    rules.max_age_s = -1;
    rules.skew_ms = provider->skew;

    if (ym_oidc_id_token(token, &rules, ym_now_ms(), &job->claims, &err)
        == YM_OK)
    {
        ngx_http_yimen_refresh_keep(job);
        return;
    }

    if (!job->renewed && ym_oidc_key_unknown(token, job->op->keys)) {
        job->renewed = 1;
        ngx_http_yimen_op_renew(job->op, job->pool,
                                ngx_http_yimen_refresh_again, job);
        return;
    }

    ngx_http_yimen_refresh_refused(job, err.message);
}


static void
ngx_http_yimen_refresh_again(void *data, ngx_int_t rc)
{
    ngx_http_yimen_refresh_verify(data);
}


static void
ngx_http_yimen_refresh_keep(ngx_http_yimen_refresh_t *job)
{
    ym_status               rc;
    struct ym_buf           sealed;
    ngx_int_t               sent;
    ngx_http_yimen_fcall_t  call;

    if (ngx_http_yimen_refresh_update(job) != NGX_OK) {
        ngx_http_yimen_refresh_refused(job, "sub, org or area is not "
                                            "acceptable");
        return;
    }

    ym_buf_init(&sealed, 2 * YM_SESSION_VALUE_MAX);
    rc = ym_session_value_seal(job->conf->ring, job->hex, &job->v, &sealed,
                               NULL);
    sent = NGX_ERROR;

    if (rc == YM_OK) {
        ngx_http_yimen_fcall_init(&call, YM_FN_SESSION_SET, job->shard);
        ngx_http_yimen_fcall_z(&call, job->hex);
        ngx_http_yimen_fcall_arg(&call, ym_buf_str(&sealed));

        sent = ngx_http_yimen_fcall_send(&call, job->pool,
                                         ngx_http_yimen_refresh_kept, job);
    }

    ym_buf_clear(&sealed);

    if (sent != NGX_OK) {
        ngx_http_yimen_refresh_trouble(job, "the session cannot be kept");
    }
}


/* what the provider says anew counts; what it no longer says stays */

static ngx_int_t
ngx_http_yimen_refresh_update(ngx_http_yimen_refresh_t *job)
{
    struct ym_session_value  *v;
    ngx_http_yimen_login_t    login;

    v = &job->v;

    if (job->tokens.refresh_token == NULL) {
        job->tokens.refresh_token = v->refresh_token.p;
    }

    if (job->tokens.id_token == NULL) {
        job->tokens.id_token = v->id_token.p;
    }

    if (job->claims != NULL) {

        if (ngx_http_yimen_oidc_login(job->provider, job->claims, NULL,
                                      &job->tokens, NULL, &login)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (ym_oidc_claim(job->claims, job->provider->roles_claim)) {
            v->roles = (int64_t) login.roles;
        }

        if (ym_oidc_claim(job->claims, job->provider->area_claim)) {
            v->area = login.area;
        }

        if (ym_oidc_claim(job->claims, job->provider->org_claim)) {
            v->org = login.org;
        }

        if (ym_oidc_claim(job->claims, job->provider->name_claim)) {
            v->name = login.name;
        }
    }

    v->refresh_at = ngx_http_yimen_oidc_refresh_at(&job->tokens);
    v->refresh_token = ym_str_of(job->tokens.refresh_token);
    v->id_token = ym_str_of(job->tokens.id_token);

    return NGX_OK;
}


static void
ngx_http_yimen_refresh_kept(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_refresh_t  *job = data;

    if (why != NGX_HTTP_YIMEN_REDIS_OK) {
        ngx_http_yimen_refresh_trouble(job, "the session cannot be kept");
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "event=session.refreshed session=%*s provider=%s",
                  (size_t) 16, job->hex, job->provider->id);

    ngx_http_yimen_refresh_end(job, 1);
}


/* the lock runs out by itself: nobody asks sooner */

static void
ngx_http_yimen_refresh_trouble(ngx_http_yimen_refresh_t *job,
    const char *reason)
{
    if (ym_now_ms() > job->v.refresh_at + job->provider->refresh_grace) {
        ngx_http_yimen_refresh_refused(job, reason);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "event=session.unrefreshed session=%*s provider=%s "
                  "err=\"%s\"", (size_t) 16, job->hex, job->provider->id,
                  reason);

    ngx_http_yimen_refresh_end(job, 0);
}


static void
ngx_http_yimen_refresh_refused(ngx_http_yimen_refresh_t *job,
    const char *reason)
{
    ngx_http_yimen_fcall_t     call;
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(e));
    e.what = "revoke";
    e.who = YM_STR("");
    e.id = job->v.person;
    e.system = YM_STR("");
    e.why = YM_STR("refresh");
    ngx_http_yimen_evidence(NULL, &e);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "event=session.ended session=%*s why=refresh provider=%s "
                  "err=\"%s\"", (size_t) 16, job->hex, job->provider->id,
                  reason);

    ngx_http_yimen_fcall_init(&call, YM_FN_SESSION_END, job->shard);
    ngx_http_yimen_fcall_z(&call, job->hex);

    (void) ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);

    ngx_http_yimen_refresh_end(job, 0);
}
