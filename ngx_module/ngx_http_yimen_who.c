/* SPDX-License-Identifier: Apache-2.0
 * Who sends a request.
 *
 * A bearer token decides alone: one that is not valid is refused, whatever
 * cookie comes with it.  Several cookies of our name that differ are nobody's:
 * which of them an attacker has put there cannot be told.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_limit.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_session.h"
#include "ngx_http_yimen_spare.h"
#include "ngx_http_yimen_who.h"

#include "ym_cookie.h"


static void ngx_http_yimen_who_cleanup(void *data);
static void ngx_http_yimen_who_cookie(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, const ngx_http_yimen_main_conf_t *ymcf);
static ngx_int_t ngx_http_yimen_who_wait(ngx_http_request_t *r,
    ngx_http_yimen_who_t *who, ngx_http_yimen_who_pt handler);
static void ngx_http_yimen_who_read(void *data, ngx_http_yimen_read_e outcome,
    ngx_http_yimen_session_t *session);


/* of this process */
static ngx_http_yimen_spare_t  ngx_http_yimen_whos;


const char *
ngx_http_yimen_cookie_name(const ngx_http_yimen_main_conf_t *ymcf)
{
    return ymcf->auth.secure ? NGX_HTTP_YIMEN_COOKIE
                             : NGX_HTTP_YIMEN_COOKIE_HTTP;
}


ngx_http_yimen_who_t *
ngx_http_yimen_who_get(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_yimen_who_t        *who;
    ngx_http_yimen_main_conf_t  *ymcf;

    /* contexts are cleared by an internal redirect, cleanups are not */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_yimen_who_cleanup) {
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    who = ngx_http_yimen_spare_take(&ngx_http_yimen_whos,
                                    sizeof(ngx_http_yimen_who_t),
                                    r->connection->log);
    if (who == NULL) {
        return NULL;
    }

    ngx_memzero(who, sizeof(ngx_http_yimen_who_t));

    who->request = r->main;
    who->wait.handler = ngx_http_yimen_who_read;
    who->wait.data = who;
    who->id = YM_STR("");

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);

    if (ngx_http_yimen_worker.sessions != NULL) {
        ngx_http_yimen_who_cookie(r, who, ymcf);
    }

    cln->data = who;
    cln->handler = ngx_http_yimen_who_cleanup;

    return who;
}


static void
ngx_http_yimen_who_cleanup(void *data)
{
    ngx_http_yimen_who_t  *who = data;

    ngx_http_yimen_session_cancel(&who->wait);

    if (who->session != NULL) {
        ngx_http_yimen_session_release(who->session);
    }

    ngx_http_yimen_spare_give(&ngx_http_yimen_whos, who);
}


void
ngx_http_yimen_who_end(void)
{
    ngx_http_yimen_spare_end(&ngx_http_yimen_whos);
}


static void
ngx_http_yimen_who_cookie(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    const ngx_http_yimen_main_conf_t *ymcf)
{
    unsigned           shard;
    const char        *name;
    ngx_uint_t         i;
    ngx_str_t         *value;
    struct ym_cookie   found;

    ngx_memzero(&found, sizeof(found));
    name = ngx_http_yimen_cookie_name(ymcf);

    for (i = 0; ngx_http_yimen_cookie_header(r, i, &value); i++) {
        ym_cookie_look((struct ym_str){ (char *) value->data, value->len },
                       name, &found);
    }

    if (found.count == 0 || found.differ
        || !ym_session_id_parse(found.value,
                                (unsigned) ymcf->catalog->site.shards, &shard)
        || ym_sha256(found.value, who->digest) != YM_OK)
    {
        return;
    }

    who->id = found.value;
    who->shard = shard;
    who->cookie = 1;
}


ngx_int_t
ngx_http_yimen_who_find(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    ngx_http_yimen_who_pt handler)
{
    ngx_int_t                   rc;
    ngx_http_yimen_session_t   *session;
    ngx_http_yimen_sessions_t  *sessions;

    if (who->verdict != NGX_HTTP_YIMEN_WHO_UNASKED) {
        return NGX_OK;
    }

    if (who->wait.waiting) {
        return ngx_http_yimen_who_wait(r, who, handler);
    }

    if (ngx_http_yimen_bearer(r, who) != NGX_DECLINED) {
        return NGX_OK;
    }

    sessions = ngx_http_yimen_worker.sessions;

    if (sessions == NULL || !who->cookie) {
        who->verdict = NGX_HTTP_YIMEN_WHO_NOBODY;
        return NGX_OK;
    }

    session = ngx_http_yimen_sessions_find(sessions, who->digest);

    if (session != NULL) {
        ngx_http_yimen_count(session_hits);
        ngx_http_yimen_oidc_refresh(ngx_http_get_module_main_conf(r,
                                                     ngx_http_yimen_module),
                                    session, who->shard);
        ngx_http_yimen_who_set(who, session);
        ngx_http_yimen_session_release(session);
        return NGX_OK;
    }

    if (ngx_http_yimen_limit_guess(r, &who->after) != NGX_OK) {
        who->verdict = NGX_HTTP_YIMEN_WHO_BUSY;
        return NGX_OK;
    }

    rc = ngx_http_yimen_session_read(sessions, who->digest, who->shard, 1,
                                     &who->wait);

    if (rc == NGX_DECLINED) {
        ngx_http_yimen_count(redis_trouble);
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_yimen_who_wait(r, who, handler);
}


static ngx_int_t
ngx_http_yimen_who_wait(ngx_http_request_t *r, ngx_http_yimen_who_t *who,
    ngx_http_yimen_who_pt handler)
{
    ngx_http_yimen_resume_t  *resume;

    if (who->waiting.elts == NULL
        && ngx_array_init(&who->waiting, r->pool, 2,
                          sizeof(ngx_http_yimen_resume_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    resume = ngx_array_push(&who->waiting);
    if (resume == NULL) {
        return NGX_ERROR;
    }

    resume->request = r;
    resume->handler = handler;

    return NGX_AGAIN;
}


/* from a posted event; each handler may end its request, the last one all */

static void
ngx_http_yimen_who_read(void *data, ngx_http_yimen_read_e outcome,
    ngx_http_yimen_session_t *session)
{
    ngx_uint_t                i, n;
    ngx_connection_t         *c;
    ngx_http_yimen_who_t     *who = data;
    ngx_http_request_t       *main;
    ngx_http_yimen_resume_t  *resume;

    main = who->request;
    c = main->connection;

    switch (outcome) {

    case NGX_HTTP_YIMEN_READ_FOUND:
        ngx_http_yimen_oidc_refresh(ngx_http_get_module_main_conf(main,
                                                     ngx_http_yimen_module),
                                    session, who->shard);
        ngx_http_yimen_who_set(who, session);
        break;

    case NGX_HTTP_YIMEN_READ_NONE:
        who->verdict = NGX_HTTP_YIMEN_WHO_NOBODY;
        ngx_http_yimen_limit_wrong(main);
        break;

    default:
        who->verdict = NGX_HTTP_YIMEN_WHO_TROUBLE;
        break;
    }

    /* subrequests end with their main request: it must outlast this loop */

    main->count++;

    resume = who->waiting.elts;
    n = who->waiting.nelts;

    for (i = 0; i < n; i++) {
        resume[i].handler(resume[i].request);
    }

    ngx_http_finalize_request(main, NGX_DONE);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_yimen_who_set(ngx_http_yimen_who_t *who,
    ngx_http_yimen_session_t *session)
{
    session->refs++;

    if (who->session != NULL) {
        ngx_http_yimen_session_release(who->session);
    }

    who->session = session;
    who->identity = session->who;
    who->verdict = NGX_HTTP_YIMEN_WHO_KNOWN;
}


ngx_int_t
ngx_http_yimen_person(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_pool_t *pool, struct ym_str provider, struct ym_str issuer,
    struct ym_str subject, struct ym_str *ret)
{
    char                           *p;
    ngx_uint_t                      i;
    const ngx_http_yimen_issuer_t  *known;

    if (ym_str_is(issuer, ymcf->auth.rules.issuer)) {

        /* its subjects must not look like those of the others */

        if (ngx_http_yimen_auth_subject(ymcf, subject, 1) != NGX_OK) {
            return NGX_DECLINED;
        }

        *ret = subject;
        return NGX_OK;
    }

    if (ngx_http_yimen_auth_subject(ymcf, subject, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ym_str_is(issuer, "local")) {
        provider = YM_STR("local");
    }

    known = ymcf->auth.issuers.elts;

    for (i = 0; provider.n == 0 && i < ymcf->auth.issuers.nelts; i++) {
        if (ym_str_is(issuer, known[i].issuer)) {
            provider = ym_str_of(known[i].id);
        }
    }

    if (provider.n == 0
        || provider.n + 1 + subject.n > NGX_HTTP_YIMEN_SUBJECT_BYTES)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, provider.n + 1 + subject.n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ret->p = p;
    ret->n = provider.n + 1 + subject.n;

    ngx_memcpy(p, provider.p, provider.n);
    p[provider.n] = ':';
    ngx_memcpy(p + provider.n + 1, subject.p, subject.n);

    return NGX_OK;
}
