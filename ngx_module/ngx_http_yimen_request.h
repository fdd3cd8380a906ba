/* SPDX-License-Identifier: Apache-2.0
 * One API request: its context, its body, its calls to Redis, its answer.
 *
 * Life: the content handler makes the context, finds the route, knows who
 * calls, reads the body, and then runs the route's handler once.  From there
 * on exactly one of ngx_http_yimen_answer() and ngx_http_yimen_problem()
 * ends it, now or from a later event.  Everything is freed with the request.
 */
#ifndef NGX_HTTP_YIMEN_REQUEST_H
#define NGX_HTTP_YIMEN_REQUEST_H

#include "ngx_http_yimen_module.h"
#include "ngx_http_yimen_problem.h"


/* a page of 200 records of 256 KiB, and room */
#define NGX_HTTP_YIMEN_ANSWER_BYTES  (64 * 1024 * 1024)

typedef struct ngx_http_yimen_route_s  ngx_http_yimen_route_t;
typedef struct ngx_http_yimen_ctx_s    ngx_http_yimen_ctx_t;

typedef void (*ngx_http_yimen_handler_pt)(ngx_http_yimen_ctx_t *ctx);


/* how it is known who calls */
typedef enum {
    NGX_HTTP_YIMEN_BY_NOTHING,  /* nobody known */
    NGX_HTTP_YIMEN_BY_BEARER,
    NGX_HTTP_YIMEN_BY_SESSION
} ngx_http_yimen_method_e;

/*
 * Who calls; strings live as long as the request, "" where there is nothing.
 * subject is the person id, the owner of records: the `sub` when it comes from
 * auth.issuer, "local:<account>", else "<provider>:<sub>".
 */
typedef struct {
    struct ym_str            subject;
    struct ym_str            org;
    struct ym_str            area;
    ngx_uint_t               roles;      /* NGX_HTTP_YIMEN_ROLE_* */
    struct ym_str            login;      /* name that applications know */
    struct ym_str            name;       /* to be shown */
    struct ym_str            email;
    struct ym_str            issuer;
    struct ym_str            provider;   /* id in the configuration, "local" */
    ngx_http_yimen_method_e  method;
    int64_t                  auth_time;  /* ms; 0 = not known */
    struct ym_str            session;    /* SHA-256 of its id, lower hex */
    struct ym_str            client;     /* program the token was made for */
    const void              *marks;      /* ngx_http_yimen_revoked.h */
    int64_t                  expires;    /* ms, of the token; 0 = a session */
} ngx_http_yimen_identity_t;


struct ngx_http_yimen_ctx_s {
    ngx_http_request_t            *request;
    ngx_http_yimen_main_conf_t    *conf;
    const ngx_http_yimen_route_t  *route;
    struct ym_str                  params[2];  /* of the path, in order */
    ngx_http_yimen_identity_t      who;
    enum ym_lang                   lang;

    struct ym_arena               *arena;      /* opened when first needed */
    struct ym_str                  body;       /* complete; "" when none */
    size_t                         body_size;  /* of its buffer */
    json_t                        *json;       /* the body, parsed */
    json_t                        *record;     /* what is checked */
    const struct ym_form          *form;       /* the body, when it is one */
    struct ym_buf                  out;        /* the answer's text */

    /* the calls under way, and their replies */
    redisReply                   **replies;
    ngx_uint_t                     reply_count;
    ngx_uint_t                     in_flight;
    ngx_http_yimen_redis_e         trouble;    /* of any of them */
    unsigned                       refused:1;  /* one could not be sent */
    ngx_http_yimen_handler_pt      on_body;
    ngx_http_yimen_handler_pt      on_replies;
    ngx_http_yimen_handler_pt      on_trouble; /* NULL: answer with 503 */

    ngx_event_t                    timer;      /* ngx_http_yimen_later() */
    void                          *work;       /* the handler's own */
    void                          *session;    /* ngx_http_yimen_session.c's */
    unsigned                       done:1;     /* answered */
};


/* arguments of one FCALL, from the request's pool */
typedef struct {
    ngx_http_yimen_ctx_t  *ctx;
    ngx_array_t            argv;      /* of const char * */
    ngx_array_t            argvlen;   /* of size_t */
    unsigned               failed:1;  /* sticky: out of memory */
} ngx_http_yimen_args_t;


/* the content handler of a location with `yimen_api on` */
ngx_int_t ngx_http_yimen_request_handler(ngx_http_request_t *r);

/* asks who calls and whether he may; then the request goes on, or is answered */
void ngx_http_yimen_admit(ngx_http_yimen_ctx_t *ctx);
void ngx_http_yimen_request_admitted(ngx_http_yimen_ctx_t *ctx);

/* NULL when memory is out, and then the request is answered already */
struct ym_arena *ngx_http_yimen_arena(ngx_http_yimen_ctx_t *ctx);

/*
 * The body as a JSON object in ctx->json, or the request is answered with what
 * is wrong and false is returned.
 */
ngx_int_t ngx_http_yimen_body_json(ngx_http_yimen_ctx_t *ctx);

/* a query argument, decoded; NGX_DECLINED when there is none */
ngx_int_t ngx_http_yimen_query(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str *ret);

/*
 * A field of a form body (routes with _FORM), decoded, from the request's
 * pool.  NGX_DECLINED when there is none.
 */
ngx_int_t ngx_http_yimen_form(ngx_http_yimen_ctx_t *ctx, const char *name,
    struct ym_str *ret);

/* a request header, or NULL */
ngx_str_t *ngx_http_yimen_header(ngx_http_request_t *r, const char *name);

/* a text copied into the request's pool; p NULL when memory is out */
struct ym_str ngx_http_yimen_copy(ngx_http_yimen_ctx_t *ctx,
    struct ym_str text);

/* NUL-terminated copy, or NULL */
char *ngx_http_yimen_strz(ngx_http_yimen_ctx_t *ctx, struct ym_str text);

/* calls to the store */
void ngx_http_yimen_args_init(ngx_http_yimen_args_t *args,
    ngx_http_yimen_ctx_t *ctx, const char *function, ngx_uint_t shard);
void ngx_http_yimen_arg(ngx_http_yimen_args_t *args, struct ym_str text);
void ngx_http_yimen_arg_z(ngx_http_yimen_args_t *args, const char *text);
void ngx_http_yimen_arg_int(ngx_http_yimen_args_t *args, int64_t n);

/*
 * Sends n calls at once; handler runs when all are answered, with
 * ctx->replies[0 .. n-1], valid until the next call or the request's end.
 * When one fails, the request is answered with 503 instead.
 */
void ngx_http_yimen_calls(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_args_t *args, ngx_uint_t n,
    ngx_http_yimen_handler_pt handler);

/* ends with ctx->out as the body; type NULL: application/json */
void ngx_http_yimen_answer(ngx_http_yimen_ctx_t *ctx, ngx_uint_t status,
    const char *type);

/* adds a header to the answer; value is copied; false: out of memory */
ngx_int_t ngx_http_yimen_answer_header(ngx_http_yimen_ctx_t *ctx,
    const char *name, struct ym_str value);

/* runs handler after delay_ms; the client leaving ends the request */
void ngx_http_yimen_later(ngx_http_yimen_ctx_t *ctx, ngx_msec_t delay,
    ngx_http_yimen_handler_pt handler);

#endif /* NGX_HTTP_YIMEN_REQUEST_H */
