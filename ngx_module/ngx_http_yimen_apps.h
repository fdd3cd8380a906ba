/* SPDX-License-Identifier: Apache-2.0
 * `auth.applications`: old applications behind the gateway, and how people
 * sign in to them.  The kinds `basic` and `form` of yimen_identity name one.
 */
#ifndef NGX_HTTP_YIMEN_APPS_H
#define NGX_HTTP_YIMEN_APPS_H

#include "ngx_http_yimen_inject.h"

#include "ym_signin.h"


#define NGX_HTTP_YIMEN_APPS_MAX  64

/* why a person does not get through to an application */
typedef enum {
    NGX_HTTP_YIMEN_APP_FINE,
    NGX_HTTP_YIMEN_APP_NONE,        /* nothing was entered */
    NGX_HTTP_YIMEN_APP_STALE,       /* what was entered is refused there */
    NGX_HTTP_YIMEN_APP_DAMAGED,     /* what was entered cannot be opened */
    NGX_HTTP_YIMEN_APP_REFUSED,     /* the service account is refused */
    NGX_HTTP_YIMEN_APP_EXPIRED,
    NGX_HTTP_YIMEN_APP_CAPTCHA,
    NGX_HTTP_YIMEN_APP_CHANGED,
    NGX_HTTP_YIMEN_APP_ELSEWHERE,
    NGX_HTTP_YIMEN_APP_AWAY,
    NGX_HTTP_YIMEN_APP_LARGE,
    NGX_HTTP_YIMEN_APP_LOOP,
    NGX_HTTP_YIMEN_APP_FORGETS,     /* signed in, and forgotten at once */
    NGX_HTTP_YIMEN_APP_LOST,        /* forgotten, and not to be repeated */
    NGX_HTTP_YIMEN_APP_BROKEN,      /* ours: store, memory */
    NGX_HTTP_YIMEN_APP_COUNT
} ngx_http_yimen_app_why_e;

typedef struct {
    const char              *id;
    const char              *title_zh;
    const char              *title_en;
    const struct ym_recipe  *recipe;    /* NULL: no form */
    const char              *login;     /* of the service; NULL: people's */
    const char              *password;
    const char              *path;      /* where it is opened */
    const ngx_array_t       *rules;     /* who may; NULL: everybody */
    ngx_uint_t               index;
    unsigned                 personal:1;    /* each enters his own account */
} ngx_http_yimen_app_t;

/* what a location says: resolved once `auth:` is read */
typedef struct {
    const ngx_http_yimen_app_t  *app;
    ngx_str_t                    id;
    unsigned                     form:1;
    const char                  *file;
    ngx_uint_t                   line;
} ngx_http_yimen_app_use_t;

/* whose it is, as the store knows him */
typedef struct {
    struct ym_str                subject;       /* the person id */
    char                         digest[YM_DIGEST_HEX];
    ngx_uint_t                   shard;
} ngx_http_yimen_holder_t;


/*
 * The block `applications:` (NULL: none); then all that locations name must be
 * there.  NGX_CONF_ERROR with everything logged.
 */
char *ngx_http_yimen_apps_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *map);

/* `system=ID` of yimen_identity */
char *ngx_http_yimen_app_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    ngx_uint_t form, void **ret_conf);

/* `roles:` and `areas:` of one (NULL: none); what is wrong goes to d */
void ngx_http_yimen_app_rules(ngx_conf_t *cf, ngx_http_yimen_app_t *app,
    const struct ym_yaml *roles, const struct ym_yaml *areas,
    struct ym_diag *d);

/* by id; NULL */
const ngx_http_yimen_app_t *ngx_http_yimen_app_find(
    const ngx_http_yimen_main_conf_t *ymcf, struct ym_str id);
ngx_uint_t ngx_http_yimen_apps_count(const ngx_http_yimen_main_conf_t *ymcf);
const ngx_http_yimen_app_t *ngx_http_yimen_app_at(
    const ngx_http_yimen_main_conf_t *ymcf, ngx_uint_t i);

ngx_int_t ngx_http_yimen_holder(const ngx_http_yimen_main_conf_t *ymcf,
    struct ym_str subject, ngx_http_yimen_holder_t *ret);


/* the word that the store keeps for it, and back */
const char *ngx_http_yimen_app_word(ngx_http_yimen_app_why_e why);
ngx_http_yimen_app_why_e ngx_http_yimen_app_why(struct ym_str word);

/*
 * To be returned from a phase handler: answers with a page for people, with
 * problem details for programs.
 */
ngx_int_t ngx_http_yimen_app_refuse(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, ngx_http_yimen_app_why_e why);

/*
 * The same as text, in the request's pool, with the headers that belong to it
 * added to the answer; *ret_type is static.
 */
ngx_int_t ngx_http_yimen_app_text(ngx_http_request_t *r,
    const ngx_http_yimen_app_t *app, ngx_http_yimen_app_why_e why,
    ngx_uint_t *ret_status, ngx_str_t *ret_type, ngx_str_t *ret_body);


/*
 * A person's credentials for an application, opened.  The texts live in a;
 * ym_credentials_wipe() them.  NGX_OK, NGX_DECLINED (cannot be opened).
 */
ngx_int_t ngx_http_yimen_vault_open(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str sealed, struct ym_arena *a, struct ym_credentials *ret);

/* the same text under a newer key, when it is under an old one */
void ngx_http_yimen_vault_renew(const ngx_http_yimen_main_conf_t *ymcf,
    const ngx_http_yimen_app_t *app, const ngx_http_yimen_holder_t *person,
    struct ym_str sealed, struct ym_str since);

extern const ngx_http_yimen_kind_t  ngx_http_yimen_kind_basic;
extern const ngx_http_yimen_kind_t  ngx_http_yimen_kind_form;

#endif /* NGX_HTTP_YIMEN_APPS_H */
