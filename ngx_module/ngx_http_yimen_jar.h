/* SPDX-License-Identifier: Apache-2.0
 * Requests to applications that people are signed in to by their own form: the
 * cookies that go there, and the sign-in under way.
 *
 * One sign-in at a time for a person and an application, on all nodes: the
 * store says who does it.  It belongs to the worker and not to the request
 * that began it, so a person who leaves spoils it for nobody.
 */
#ifndef NGX_HTTP_YIMEN_JAR_H
#define NGX_HTTP_YIMEN_JAR_H

#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_fetch.h"


#define NGX_HTTP_YIMEN_HOLDER_BYTES  16         /* random, before hex */
#define NGX_HTTP_YIMEN_HOLDER_HEX    (2 * NGX_HTTP_YIMEN_HOLDER_BYTES + 1)

/* error_page of our own: the request begins again in its location */
#define NGX_HTTP_YIMEN_AGAIN         597

typedef struct ngx_http_yimen_flight_s  ngx_http_yimen_flight_t;

/* who waits for a sign-in of this worker; in the memory of who waits */
typedef struct {
    ngx_queue_t   queue;
    void        (*handler)(void *data);
    void         *data;
    unsigned      waiting:1;
} ngx_http_yimen_flight_wait_t;

typedef enum {
    NGX_HTTP_YIMEN_JAR_IDLE,
    NGX_HTTP_YIMEN_JAR_WAITING,     /* Redis, a sign-in, a timer */
    NGX_HTTP_YIMEN_JAR_DECIDED      /* to be told when asked again */
} ngx_http_yimen_jar_state_e;

typedef enum {
    NGX_HTTP_YIMEN_PEEK_NOT,
    NGX_HTTP_YIMEN_PEEK_READING,    /* head and body are held back */
    NGX_HTTP_YIMEN_PEEK_SWALLOW,    /* what comes is dropped, then again */
    NGX_HTTP_YIMEN_PEEK_REPLACED    /* an answer of ours is sent instead */
} ngx_http_yimen_peek_e;

/* one request of a client; survives internal redirects */
typedef struct {
    ngx_http_request_t            *request;
    ngx_http_yimen_main_conf_t    *conf;
    const ngx_http_yimen_app_t    *app;
    ngx_http_yimen_holder_t        person;
    ngx_http_yimen_jar_state_e     state;
    ngx_http_yimen_app_why_e       why;
    struct ym_buf                  secret;      /* what is injected */
    ngx_msec_t                     deadline;    /* of all the waiting */

    struct ym_arena               *arena;       /* of the jar */
    struct ym_jar                 *jar;
    struct ym_str                  path;        /* as the application has it */
    struct ym_str                  other;       /* as the browser has it */
    ngx_str_t                      uri;         /* before it was rewritten */
    ngx_str_t                      args;
    char                           holder[NGX_HTTP_YIMEN_HOLDER_HEX];
    char                           generation[NGX_HTTP_YIMEN_HOLDER_HEX];

    ngx_event_t                    timer;
    ngx_http_yimen_flight_wait_t   wait;

    ngx_http_yimen_peek_e          peek;
    u_char                        *held;        /* what was peeked at */
    size_t                         held_len;
    ngx_chain_t                   *answer;      /* ours, to be sent */
    unsigned                       form:1;
    unsigned                       began:1;     /* the sign-in is ours */
    unsigned                       forget:1;    /* generation is void */
    unsigned                       again:1;     /* it is the second time */
    unsigned                       injected:1;
    unsigned                       raw:1;       /* unparsed_uri was valid */
} ngx_http_yimen_jar_t;


/* of r, made when create; NULL: none, or memory is out */
ngx_http_yimen_jar_t *ngx_http_yimen_jar_of(ngx_http_request_t *r,
    ngx_uint_t create);

/* the arena and an empty jar in it; NGX_ERROR */
ngx_int_t ngx_http_yimen_jar_empty(ngx_http_yimen_jar_t *x);

/* waiting is over: the phases run again, and the kind is asked again */
void ngx_http_yimen_jar_decide(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_app_why_e why);

/* a kind's beginning: person and application are set; NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_yimen_jar_begin(ngx_http_yimen_jar_t *x,
    const ngx_http_yimen_identity_t *who, ngx_http_yimen_app_use_t *use);

/*
 * What a cookie is kept as: key (64 hex digits and NUL) and sealed bytes; "" =
 * it is gone.  NGX_OK, NGX_ERROR.
 */
ngx_int_t ngx_http_yimen_jar_seal(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    const char *generation, const struct ym_jar_cookie *cookie,
    char key[YM_DIGEST_HEX], struct ym_buf *out);

/* the cookies of a reply, [key, sealed, …], into jar; NGX_ERROR: damaged */
ngx_int_t ngx_http_yimen_jar_read(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str generation, const redisReply *cookies, struct ym_jar *jar);

/* sends off the cookies of the jar that have changed */
void ngx_http_yimen_jar_save(ngx_http_yimen_jar_t *x);

/* the application has forgotten the person; no handler: nobody waits */
ngx_int_t ngx_http_yimen_jar_forget(ngx_http_yimen_jar_t *x,
    ngx_http_yimen_redis_pt handler);


/* shared by the kinds */

/* the Cookie header for the application; NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_yimen_jar_cookie(ngx_http_yimen_jar_t *x);

/* what is injected, as a header of that name; wiped with the request */
ngx_int_t ngx_http_yimen_jar_secret(ngx_http_yimen_jar_t *x,
    const ngx_str_t *name);

/* until the store is asked again; ms 0: it could not be asked at all */
void ngx_http_yimen_jar_wait(ngx_http_yimen_jar_t *x, ngx_msec_t ms);

/* the request waits; the client leaving is noticed */
ngx_int_t ngx_http_yimen_jar_pause(ngx_http_yimen_jar_t *x);



/* sign-ins of this worker: ngx_http_yimen_flight.c */

/*
 * Begins one; credentials are copied.  NGX_DECLINED: too many at once, or the
 * application has not answered for a while: *ret_why says.
 */
ngx_int_t ngx_http_yimen_flight_begin(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    const char *holder, struct ym_str since,
    const struct ym_credentials *who, ngx_http_yimen_app_why_e *ret_why);

/* waits for one of this worker; NGX_DECLINED: there is none */
ngx_int_t ngx_http_yimen_flight_join(const ngx_http_yimen_app_t *app,
    const ngx_http_yimen_holder_t *person,
    ngx_http_yimen_flight_wait_t *wait);
void ngx_http_yimen_flight_leave(ngx_http_yimen_flight_wait_t *wait);

/* whether an application is worth a try: it has not failed in a row */
ngx_uint_t ngx_http_yimen_flight_open(const ngx_http_yimen_app_t *app);

/* one request of a sign-in or sign-out, and its answer as the machine reads it */
ngx_int_t ngx_http_yimen_flight_fetch(ngx_pool_t *pool,
    const ngx_http_yimen_app_t *app, const struct ym_signin_ask *ask,
    ngx_http_yimen_fetch_pt handler, void *data);
ngx_int_t ngx_http_yimen_flight_got(ngx_pool_t *pool,
    const ngx_http_yimen_fetched_t *answer, struct ym_signin_got *ret);

/* exit_process */
void ngx_http_yimen_flights_close(void);

/*
 * The person signs out: every application forgets him too.  Sent off; nobody
 * waits.  Close: exit_process.
 */
void ngx_http_yimen_farewell_say(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject);
void ngx_http_yimen_farewells_close(void);

/*
 * Filters of answers, ngx_http_yimen_jar_filter.c.  Postconfiguration, after
 * all that shall see an answer only when it is one for the client; and the
 * merge of a location with the kind `form`.
 */
void ngx_http_yimen_jar_filters(void);
char *ngx_http_yimen_jar_location(ngx_conf_t *cf);

/* an answer's body says whether the application knows the person */
ngx_uint_t ngx_http_yimen_jar_peeks(const ngx_http_yimen_app_t *app);

#endif /* NGX_HTTP_YIMEN_JAR_H */
