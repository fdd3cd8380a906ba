/* SPDX-License-Identifier: Apache-2.0
 * The kind `form` of yimen_identity, up to the header that goes to the
 * application; and what it shares with the kind `basic`.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"

#include "ym_codec.h"
#include "ym_store_vault.h"
#include "ym_time.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_JAR_SECRET    (64 * 1024)   /* of one header */
#define NGX_HTTP_YIMEN_JAR_PATIENCE  40000         /* ms, of one request */
#define NGX_HTTP_YIMEN_JAR_LEASE     60000         /* ms, of one sign-in */
#define NGX_HTTP_YIMEN_JAR_POLL      100           /* ms, when others do it */


static char *ngx_http_yimen_form_parse(ngx_conf_t *cf, ngx_str_t *words,
    ngx_uint_t n, void **ret_conf);
static ngx_int_t ngx_http_yimen_jar_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_yimen_form_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf);

static void ngx_http_yimen_jar_close(void *data);
static void ngx_http_yimen_jar_timer(ngx_event_t *ev);
static void ngx_http_yimen_jar_ask(ngx_http_yimen_jar_t *x);
static void ngx_http_yimen_jar_reply(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_jar_forgotten(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_jar_judge(ngx_http_yimen_jar_t *x,
    redisReply *reply);
static void ngx_http_yimen_jar_have(ngx_http_yimen_jar_t *x,
    redisReply *reply);
static void ngx_http_yimen_jar_sign_in(ngx_http_yimen_jar_t *x,
    redisReply *reply);
static void ngx_http_yimen_jar_woken(void *data);
static void ngx_http_yimen_jar_evidence(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_app_why_e why);
static ngx_int_t ngx_http_yimen_jar_place(ngx_http_yimen_jar_t *x);
static struct ym_str ngx_http_yimen_jar_keep(ngx_pool_t *pool,
    struct ym_str text);



const ngx_str_t  ngx_http_yimen_secret_authorization =
    ngx_string("Authorization");
const ngx_str_t  ngx_http_yimen_secret_cookie = ngx_string("Cookie");

const ngx_http_yimen_kind_t  ngx_http_yimen_kind_form = {
    "form", ngx_http_yimen_form_parse, ngx_http_yimen_form_inject, 1
};


static char *
ngx_http_yimen_form_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    void **ret_conf)
{
    ngx_http_variable_t  *var;

    static ngx_str_t  name = ngx_string("yimen_again");

    /* where the request begins again: ngx_http_yimen_jar_location() */

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE
                                           |NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_yimen_jar_variable;

    return ngx_http_yimen_app_parse(cf, words, n, 1, ret_conf);
}


static ngx_int_t
ngx_http_yimen_jar_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    ngx_http_yimen_jar_t  *x;

    x = ngx_http_yimen_jar_of(r, 0);

    if (x == NULL || x->uri.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, x->uri.len + 1 + x->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    p = ngx_cpymem(p, x->uri.data, x->uri.len);

    if (x->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, x->args.data, x->args.len);
    }

    v->len = (unsigned) (p - v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* ---- the state of a request ---- */

ngx_http_yimen_jar_t *
ngx_http_yimen_jar_of(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_yimen_jar_t  *x;

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_yimen_jar_close) {
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->main->pool, sizeof(ngx_http_yimen_jar_t));
    if (cln == NULL) {
        return NULL;
    }

    x = cln->data;
    ngx_memzero(x, sizeof(ngx_http_yimen_jar_t));

    x->request = r->main;
    x->conf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    ym_buf_init(&x->secret, NGX_HTTP_YIMEN_JAR_SECRET);

    x->timer.handler = ngx_http_yimen_jar_timer;
    x->timer.data = x;
    x->timer.log = r->connection->log;
    x->wait.handler = ngx_http_yimen_jar_woken;
    x->wait.data = x;

    cln->handler = ngx_http_yimen_jar_close;

    return x;
}


static void
ngx_http_yimen_jar_close(void *data)
{
    ngx_http_yimen_jar_t  *x = data;

    if (x->timer.timer_set) {
        ngx_del_timer(&x->timer);
    }

    ngx_http_yimen_flight_leave(&x->wait);
    ym_buf_wipe(&x->secret);
    ym_arena_close(x->arena);
}


ngx_int_t
ngx_http_yimen_jar_begin(ngx_http_yimen_jar_t *x,
    const ngx_http_yimen_identity_t *who, ngx_http_yimen_app_use_t *use)
{
    u_char  *p;

    if (x->app != NULL && x->app != use->app) {

        /* an internal redirect into another application: from the start */

        x->again = 0;
        x->forget = 0;
        x->began = 0;
    }

    p = ngx_pnalloc(x->request->pool, who->subject.n + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, who->subject.p, who->subject.n);

    x->app = use->app;
    x->form = use->form;
    x->injected = 0;
    x->state = NGX_HTTP_YIMEN_JAR_WAITING;
    x->deadline = ngx_current_msec + NGX_HTTP_YIMEN_JAR_PATIENCE;

    return ngx_http_yimen_holder(x->conf,
                                 (struct ym_str){ (char *) p,
                                                  who->subject.n },
                                 &x->person);
}


ngx_int_t
ngx_http_yimen_jar_empty(ngx_http_yimen_jar_t *x)
{
    ym_arena_close(x->arena);

    x->jar = NULL;
    x->arena = ym_arena_open();

    if (x->arena != NULL) {
        x->jar = ym_arena_alloc(x->arena, sizeof(struct ym_jar));
    }

    if (x->jar == NULL) {
        return NGX_ERROR;
    }

    ym_jar_init(x->jar, x->arena);

    return NGX_OK;
}


void
ngx_http_yimen_jar_decide(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_app_why_e why)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = x->request;
    c = r->connection;

    x->why = why;
    x->state = NGX_HTTP_YIMEN_JAR_DECIDED;

    if (x->began) {
        ngx_http_yimen_jar_evidence(x, why);
        x->began = 0;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_yimen_jar_evidence(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_app_why_e why)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "application_sign_in";
    e.outcome = why ? "refused" : "ok";
    e.who = x->person.subject;
    e.system = ym_str_of(x->app->id);
    e.why = ym_str_of(ngx_http_yimen_app_word(why));

    ngx_http_yimen_evidence(x->request, &e);
}


/* ---- form ---- */

static ngx_int_t
ngx_http_yimen_form_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf)
{
    ngx_int_t              rc;
    ngx_http_yimen_jar_t  *x;

    static const ngx_str_t  encoding = ngx_string("Accept-Encoding");

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    x = ngx_http_yimen_jar_of(r, 1);
    if (x == NULL) {
        return NGX_ERROR;
    }

    switch (x->state) {

    case NGX_HTTP_YIMEN_JAR_WAITING:
        return NGX_AGAIN;

    case NGX_HTTP_YIMEN_JAR_DECIDED:
        x->state = NGX_HTTP_YIMEN_JAR_IDLE;

        if (x->why != NGX_HTTP_YIMEN_APP_FINE) {
            return ngx_http_yimen_app_refuse(r, x->app, x->why);
        }

        /* a body that is read for what it says must not come compressed */

        if (ngx_http_yimen_jar_peeks(x->app)) {
            rc = ngx_http_yimen_inject_header(r, &encoding,
                                              YM_STR("identity"));
            if (rc != NGX_DECLINED) {
                return rc;
            }
        }

        x->injected = 1;

        return ngx_http_yimen_jar_secret(x, &ngx_http_yimen_secret_cookie);

    default:
        break;
    }

    if (ngx_http_yimen_jar_begin(x, who, conf) != NGX_OK
        || ngx_http_yimen_jar_place(x) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the second time is by an internal redirect to the very same address */

    if (x->again && x->raw) {
        r->valid_unparsed_uri = 1;
    }

    x->raw = r->valid_unparsed_uri;

    ngx_http_yimen_jar_ask(x);

    return ngx_http_yimen_jar_pause(x);
}


/* not copied: it is wiped with the state of the request */

ngx_int_t
ngx_http_yimen_jar_secret(ngx_http_yimen_jar_t *x, const ngx_str_t *name)
{
    size_t                         i;
    u_char                         c;
    ngx_keyval_t                  *kv;
    ngx_http_yimen_front_state_t  *state;

    for (i = 0; i < x->secret.n; i++) {
        c = (u_char) x->secret.p[i];

        if (c < 0x20 || c == 0x7f) {
            return ngx_http_yimen_app_refuse(x->request, x->app,
                                             NGX_HTTP_YIMEN_APP_DAMAGED);
        }
    }

    state = ngx_http_yimen_front_state(x->request, 1);
    if (state == NULL) {
        return NGX_ERROR;
    }

    kv = ngx_array_push(&state->pending);
    if (kv == NULL) {
        return NGX_ERROR;
    }

    state->jar = (name == &ngx_http_yimen_secret_cookie);

    kv->key = *name;
    kv->value.data = (u_char *) x->secret.p;
    kv->value.len = x->secret.n;

    return NGX_DECLINED;
}


/* the client leaving is noticed; a write event does not run the phases */

ngx_int_t
ngx_http_yimen_jar_pause(ngx_http_yimen_jar_t *x)
{
    ngx_http_request_t  *r;

    r = x->request;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/*
 * The path that the application sees; and the address as it was before the
 * location rewrote it, in case the request has to begin again.
 */
static ngx_int_t
ngx_http_yimen_jar_place(ngx_http_yimen_jar_t *x)
{
    u_char              *p, *src;
    ngx_str_t            path;
    struct ym_buf        there;
    ngx_http_request_t  *r;

    r = x->request;
    path = r->unparsed_uri;

    p = ngx_strlchr(path.data, path.data + path.len, '?');
    if (p != NULL) {
        path.len = (size_t) (p - path.data);
    }

    if (!x->again) {
        x->uri = r->uri;
        x->args = r->args;
    }

    /* `rewrite … break` makes a request internal too: the count tells */

    if (!x->again && r->uri_changes == NGX_HTTP_MAX_URI_CHANGES + 1) {
        x->uri.data = ngx_pnalloc(r->pool, path.len);
        if (x->uri.data == NULL) {
            return NGX_ERROR;
        }

        src = path.data;
        p = x->uri.data;
        ngx_unescape_uri(&p, &src, path.len, 0);
        x->uri.len = (size_t) (p - x->uri.data);

        x->args.data = path.data + path.len + 1;
        x->args.len = (r->unparsed_uri.len > path.len)
                      ? r->unparsed_uri.len - path.len - 1 : 0;
    }

    x->other.p = (char *) path.data;
    x->other.n = path.len;
    x->path = x->other;

    if (x->app->recipe->prefix == NULL) {
        return NGX_OK;
    }

    ym_buf_init(&there, 2 * path.len + 1024);

    if (ym_recipe_path(x->app->recipe, x->other, &there) == YM_OK) {
        x->path = ngx_http_yimen_jar_keep(r->pool, ym_buf_str(&there));
    }

    ym_buf_clear(&there);

    return (x->path.p != NULL) ? NGX_OK : NGX_ERROR;
}


static struct ym_str
ngx_http_yimen_jar_keep(ngx_pool_t *pool, struct ym_str text)
{
    char  *p;

    p = ngx_pnalloc(pool, text.n + 1);
    if (p == NULL) {
        return YM_STR_NULL;
    }

    ngx_memcpy(p, text.p, text.n);
    p[text.n] = '\0';

    return (struct ym_str){ p, text.n };
}


/* what the application has forgotten is forgotten first */

static void
ngx_http_yimen_jar_ask(ngx_http_yimen_jar_t *x)
{
    u_char                  bytes[NGX_HTTP_YIMEN_HOLDER_BYTES];
    ngx_int_t               rc;
    ngx_http_yimen_fcall_t  call;

    if (x->forget) {
        rc = ngx_http_yimen_jar_forget(x, ngx_http_yimen_jar_forgotten);

    } else {
        if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
            ngx_http_yimen_jar_wait(x, 0);
            return;
        }

        ym_hex(bytes, sizeof(bytes), false, x->holder);

        ngx_http_yimen_fcall_init(&call, YM_FN_JAR_OPEN, x->person.shard);
        ngx_http_yimen_fcall_z(&call, x->person.digest);
        ngx_http_yimen_fcall_z(&call, x->app->id);
        ngx_http_yimen_fcall_z(&call, x->holder);
        ngx_http_yimen_fcall_int(&call, NGX_HTTP_YIMEN_JAR_LEASE);
        ngx_http_yimen_fcall_int(&call, x->app->recipe->keep_ms);
        ngx_http_yimen_fcall_z(&call, x->app->password ? "0" : "1");

        rc = ngx_http_yimen_fcall_send(&call, x->request->pool,
                                       ngx_http_yimen_jar_reply, x);
    }

    /* not from inside the phases: they ask again */

    if (rc != NGX_OK) {
        ngx_http_yimen_jar_wait(x, 0);
    }
}


static void
ngx_http_yimen_jar_forgotten(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_jar_t  *x = data;

    if (why != NGX_HTTP_YIMEN_REDIS_OK
        || (*reply)->type == REDIS_REPLY_ERROR)
    {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
        return;
    }

    x->forget = 0;
    ngx_http_yimen_jar_ask(x);
}


static void
ngx_http_yimen_jar_reply(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_jar_t  *x = data;

    if (why != NGX_HTTP_YIMEN_REDIS_OK) {
        ngx_http_yimen_count(redis_trouble);
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
        return;
    }

    ngx_http_yimen_jar_judge(x, *reply);
}


static void
ngx_http_yimen_jar_judge(ngx_http_yimen_jar_t *x, redisReply *reply)
{
    struct ym_str  word;

    word = ngx_http_yimen_fcall_word(reply, 0);

    if (ym_str_is(word, "jar")) {
        ngx_http_yimen_jar_have(x, reply);

    } else if (ym_str_is(word, "go")) {
        ngx_http_yimen_jar_sign_in(x, reply);

    } else if (ym_str_is(word, "wait")) {

        if (ngx_http_yimen_flight_join(x->app, &x->person, &x->wait)
            != NGX_OK)
        {
            ngx_http_yimen_jar_wait(x, NGX_HTTP_YIMEN_JAR_POLL
                                       + (ngx_msec_t) ngx_random() % 50);
        }

    } else if (ym_str_is(word, "none")) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_NONE);

    } else if (ym_str_is(word, "stale")) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_STALE);

    } else if (ym_str_is(word, "held")) {
        ngx_http_yimen_jar_decide(x,
                     ngx_http_yimen_app_why(ngx_http_yimen_fcall_word(reply,
                                                                      1)));

    } else {
        ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                      "event=redis.refused err=\"%*s\"",
                      reply->type == REDIS_REPLY_ERROR
                      ? ngx_min((size_t) reply->len, 48) : 0,
                      reply->str ? reply->str : "");

        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
    }
}


static void
ngx_http_yimen_jar_have(ngx_http_yimen_jar_t *x, redisReply *reply)
{
    struct ym_str  generation;

    generation = ngx_http_yimen_fcall_word(reply, 1);

    if (reply->elements != 4
        || generation.n >= sizeof(x->generation)
        || ngx_http_yimen_jar_empty(x) != NGX_OK)
    {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
        return;
    }

    ngx_memcpy(x->generation, generation.p, generation.n);
    x->generation[generation.n] = '\0';

    if (ngx_http_yimen_jar_read(x->conf, x->app, &x->person, generation,
                                reply->element[3], x->jar)
        != NGX_OK)
    {
        /* sealed with a key that is gone, or altered: signed in anew, once */

        if (x->forget || x->again) {
            ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
            return;
        }

        x->again = 1;
        x->forget = 1;
        ngx_http_yimen_jar_ask(x);
        return;
    }

    ngx_http_yimen_jar_decide(x, ngx_http_yimen_jar_cookie(x) == NGX_OK
                                 ? NGX_HTTP_YIMEN_APP_FINE
                                 : NGX_HTTP_YIMEN_APP_LARGE);
}


static void
ngx_http_yimen_jar_sign_in(ngx_http_yimen_jar_t *x, redisReply *reply)
{
    struct ym_str             sealed, since;
    struct ym_credentials     who;
    ngx_http_yimen_fcall_t    call;
    ngx_http_yimen_app_why_e  why;

    sealed = ngx_http_yimen_fcall_word(reply, 1);
    since = ngx_http_yimen_fcall_word(reply, 2);
    why = NGX_HTTP_YIMEN_APP_DAMAGED;
    ngx_memzero(&who, sizeof(struct ym_credentials));

    if (ngx_http_yimen_jar_empty(x) != NGX_OK) {
        why = NGX_HTTP_YIMEN_APP_BROKEN;

    } else if (!ngx_http_yimen_flight_open(x->app)) {
        why = NGX_HTTP_YIMEN_APP_AWAY;

    } else if (ngx_http_yimen_vault_open(x->conf, x->app, &x->person, sealed,
                                         x->arena, &who)
               == NGX_OK
               && ngx_http_yimen_flight_begin(x->conf, x->app, &x->person,
                                              x->holder, since, &who, &why)
                  == NGX_OK)
    {
        ym_credentials_wipe(&who);
        ngx_http_yimen_vault_renew(x->conf, x->app, &x->person, sealed,
                                   since);

        x->began = 1;

        if (ngx_http_yimen_flight_join(x->app, &x->person, &x->wait)
            != NGX_OK)
        {
            ngx_http_yimen_jar_wait(x, 0);
        }

        return;
    }

    ym_credentials_wipe(&who);

    /* the place of the one who signs in is given back */

    ngx_http_yimen_fcall_init(&call, YM_FN_JAR_FAIL, x->person.shard);
    ngx_http_yimen_fcall_z(&call, x->person.digest);
    ngx_http_yimen_fcall_z(&call, x->app->id);
    ngx_http_yimen_fcall_z(&call, x->holder);
    ngx_http_yimen_fcall_z(&call, ngx_http_yimen_app_word(why));
    ngx_http_yimen_fcall_int(&call, 1000);
    ngx_http_yimen_fcall_z(&call, "");

    (void) ngx_http_yimen_fcall_send(&call, NULL, NULL, NULL);

    ngx_http_yimen_jar_decide(x, why);
}


/* until the store is asked again; ms 0: it could not be asked at all */

void
ngx_http_yimen_jar_wait(ngx_http_yimen_jar_t *x, ngx_msec_t ms)
{
    x->why = (ms == 0) ? NGX_HTTP_YIMEN_APP_BROKEN : NGX_HTTP_YIMEN_APP_FINE;
    ngx_add_timer(&x->timer, ms ? ms : 1);
}


static void
ngx_http_yimen_jar_timer(ngx_event_t *ev)
{
    ngx_http_yimen_jar_t  *x;

    x = ev->data;

    if (x->why == NGX_HTTP_YIMEN_APP_BROKEN) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_BROKEN);
        return;
    }

    ngx_http_yimen_jar_woken(x);
}


static void
ngx_http_yimen_jar_woken(void *data)
{
    ngx_http_yimen_jar_t  *x = data;

    if ((ngx_msec_int_t) (ngx_current_msec - x->deadline) >= 0) {
        ngx_http_yimen_jar_decide(x, NGX_HTTP_YIMEN_APP_AWAY);
        return;
    }

    ngx_http_yimen_jar_ask(x);
}


/*
 * The Cookie header: what the jar has, then what the browser has and is
 * neither ours nor called like anything in the jar.  What scripts need is the
 * browser's, when it has it.
 */
