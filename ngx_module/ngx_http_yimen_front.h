/* SPDX-License-Identifier: Apache-2.0
 * What happens to every request before anybody asks who sends it, and to every
 * answer of an upstream: the path policy, the removal of what only we may say,
 * the cut of sockets.  A module of its own inside the same file, so that it
 * has phases, directives and a header filter of its own.
 *
 * A request's headers stay as they came until PRECONTENT: only there become
 * they what the upstream shall see.  An internal redirect, a named location
 * or a subrequest begins again with the headers of the client, scrubbed.
 */
#ifndef NGX_HTTP_YIMEN_FRONT_H
#define NGX_HTTP_YIMEN_FRONT_H

#include "ngx_http_yimen_inject.h"
#include "ngx_http_yimen_sessions.h"
#include "ngx_http_yimen_spare.h"

#include "ym_path.h"


/* a setting that nobody made follows main_conf.guarded */
#define NGX_HTTP_YIMEN_AUTO  2

#define NGX_HTTP_YIMEN_NAME_BYTES  64  /* of a header's name that are read */

typedef struct {
    ngx_array_t                   names;      /* folded ngx_str_t, ours */
    ngx_hash_t                    hash;       /* of all that is removed */
    size_t                        longest;    /* of its names */
    uint32_t                      begins[NGX_HTTP_YIMEN_NAME_BYTES + 1];
    ngx_shm_zone_t               *limits;     /* buckets; NULL: no catalogue */
    ssize_t                       limit_size; /* of the zone; 0 = default */
    ngx_shm_zone_t               *revoked;    /* NULL: no catalogue */
    ngx_array_t                   keys;       /* ngx_http_yimen_sign_key_t */
    ngx_str_t                     jwks;       /* their public halves */
    ngx_array_t                   audiences;  /* ngx_str_t, of applications */
    unsigned                      guarded:1;  /* sign-in is in use at all */
} ngx_http_yimen_front_main_conf_t;

/* signs identity tokens; the first of several does */
typedef struct {
    ngx_str_t                     pem;        /* wiped with the configuration */
    const char                   *kid;
} ngx_http_yimen_sign_key_t;

typedef struct {
    ngx_uint_t                    path;       /* on, off, AUTO */
    ngx_uint_t                    insensitive;
    ngx_uint_t                    scrub;      /* on, off, AUTO */
    ngx_array_t                  *except;     /* folded ngx_str_t */
    ngx_array_t                  *trust;      /* ngx_cidr_t */
    ngx_flag_t                    websocket;
    ngx_flag_t                    accel;
    ngx_flag_t                    redirects;  /* to other hosts */
    ngx_array_t                  *limits;     /* ngx_http_yimen_limit_t */
    const ngx_http_yimen_kind_t  *kind;       /* NULL: no identity */
    void                         *kind_conf;
    ngx_flag_t                    identity;   /* set here or above */
    unsigned                      api:1;      /* `yimen_api on` */
} ngx_http_yimen_front_loc_conf_t;

/* headers that are added, and a whole list, before there has to be more room */
#define NGX_HTTP_YIMEN_ADDS       4
#define NGX_HTTP_YIMEN_LIST_ROOM  24

/* of a request and all its subrequests; survives internal redirects */
typedef struct {
    ngx_array_t                   pending;    /* ngx_keyval_t to be added */
    struct ngx_http_yimen_socket_s  *socket;  /* that is upgraded */
    const ngx_http_yimen_identity_t *who;     /* whose it is; NULL: nobody's */
    unsigned                      changed:1;  /* original holds */
    unsigned                      bearer:1;   /* Authorization was for us */
    unsigned                      upgrade:1;  /* asked for a websocket */
    unsigned                      jar:1;      /* Cookie is pending */
    unsigned                      listed:1;   /* list is in use */

    /* what follows is not cleared */
    ngx_http_headers_in_t         original;   /* scrubbed, as the client's */
    ngx_keyval_t                  adds[NGX_HTTP_YIMEN_ADDS];
    ngx_table_elt_t               list[NGX_HTTP_YIMEN_LIST_ROOM];
} ngx_http_yimen_front_state_t;

/* everything of a worker process that changes */
typedef struct {
    struct ngx_http_yimen_issued_s  *issued;
    ngx_http_yimen_spare_t           states;  /* of requests */
} ngx_http_yimen_front_worker_t;

extern ngx_module_t                   ngx_http_yimen_front_module;
extern ngx_http_yimen_front_worker_t  ngx_http_yimen_front_worker;

/* NULL when there is none (create 0) or memory is out */
ngx_http_yimen_front_state_t *ngx_http_yimen_front_state(
    ngx_http_request_t *r, ngx_uint_t create);

/* whether sign-in is in use: how AUTO is meant */
ngx_uint_t ngx_http_yimen_front_on(ngx_http_request_t *r, ngx_uint_t setting);


/* postconfiguration: the handlers */
ngx_int_t ngx_http_yimen_front_phases(ngx_conf_t *cf);

/* while the configuration is read: a directive asks who calls (yimen_auth) */
void ngx_http_yimen_front_guarded(ngx_conf_t *cf);


/* request headers: ngx_http_yimen_headers.c */

/* 1: leave it out.  copy may be changed, it is what will be kept. */
typedef ngx_uint_t (*ngx_http_yimen_judge_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *copy, void *data);

/*
 * Makes the list of request headers anew (what held the old one still does):
 * each header is judged, add (ngx_keyval_t, or NULL) is put behind; parsed
 * pointers follow.  state may lend its room; NULL: the pool has it.
 */
ngx_int_t ngx_http_yimen_headers_rebuild(ngx_http_request_t *r,
    ngx_http_yimen_judge_pt judge, void *data, ngx_array_t *add,
    ngx_http_yimen_front_state_t *state);

/* a name with [^a-z0-9] as '-', all small: what applications cannot tell apart */
size_t ngx_http_yimen_fold(const u_char *name, size_t len, u_char *out);


/* ngx_http_yimen_sign.c: auth.identity_keys, and signing with them */
char *ngx_http_yimen_sign_load(ngx_conf_t *cf);

/* identity tokens that were signed: ngx_http_yimen_inject_jwt.c */
struct ngx_http_yimen_issued_s *ngx_http_yimen_issued_open(ngx_log_t *log);
void ngx_http_yimen_issued_close(struct ngx_http_yimen_issued_s *issued);


/* ngx_http_yimen_scrub.c, ngx_http_yimen_outgoing.c */
ngx_int_t ngx_http_yimen_scrub_build(ngx_conf_t *cf);
ngx_int_t ngx_http_yimen_scrub(ngx_http_request_t *r);
ngx_int_t ngx_http_yimen_scrub_outgoing(ngx_http_request_t *r);

/* one of our cookies, by its name */
ngx_uint_t ngx_http_yimen_cookie_is_ours(const u_char *name, size_t len);

/* answers of upstreams: ngx_http_yimen_answers.c */
void ngx_http_yimen_answers_init(void);
void ngx_http_yimen_answers_ignore(ngx_conf_t *cf);

/* sockets: ngx_http_yimen_socket.c; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_yimen_socket_watch(ngx_http_request_t *r,
    ngx_http_yimen_front_state_t *state);
void ngx_http_yimen_socket_forget(ngx_http_yimen_front_state_t *state);

/* limits: ngx_http_yimen_limit.c */
char *ngx_http_yimen_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_yimen_conf_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_yimen_limit_init(ngx_conf_t *cf);

/* identity: ngx_http_yimen_inject.c */
char *ngx_http_yimen_conf_identity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
extern const ngx_http_yimen_kind_t  ngx_http_yimen_kind_headers;
extern const ngx_http_yimen_kind_t  ngx_http_yimen_kind_jwt;

#endif /* NGX_HTTP_YIMEN_FRONT_H */
