/* SPDX-License-Identifier: Apache-2.0
 * Local accounts: what the sign-in pages, the pages of one's own account and
 * the administration of accounts share.
 *
 * Everything waits on events: Redis by ngx_http_yimen_calls(), password hashes
 * in nginx's thread pool "yimen".  What a request learns of an account is in
 * its ngx_http_yimen_local_t and is wiped with it.
 */
#ifndef NGX_HTTP_YIMEN_LOCAL_H
#define NGX_HTTP_YIMEN_LOCAL_H

#include "ngx_http_yimen_page.h"

#include "ym_account.h"
#include "ym_conf.h"


/* the pool that is made when the configuration has none of this name */
#define NGX_HTTP_YIMEN_THREADS      "yimen"

/* lifetimes of what a page hands to the next one, sealed, ms */
#define NGX_HTTP_YIMEN_STEP_MS      (5 * 60 * 1000)
#define NGX_HTTP_YIMEN_RESET_MS     (15 * 60 * 1000)

/* a browser that signed in is known for so long, s */
#define NGX_HTTP_YIMEN_DEVICE_S     (180 * 24 * 60 * 60)

/* a sealed text of ours in a form or a link, in base64url */
#define NGX_HTTP_YIMEN_TICKET_MAX   1024


/* `auth.local:`; NULL in the main configuration: there are no local accounts */
typedef struct ngx_http_yimen_local_conf_s {
    const char                *title_zh;
    const char                *title_en;
    struct ym_password_rules   rules;
    int64_t                    least;         /* characters of a password */
    int64_t                    free;          /* tries without waiting */
    int64_t                    wait;          /* ms, then twice as long … */
    int64_t                    wait_max;      /* … up to here */
    int64_t                    peer_tries;    /* failed ones of one address */
    int64_t                    peer_window;   /* ms */
    int64_t                    queue;         /* hashes under way, a worker */
    ngx_thread_pool_t         *pool;
} ngx_http_yimen_local_conf_t;

/* one job for the thread pool: a check, a new hash, or a check and then one */
typedef struct {
    struct ym_str              given;         /* p NULL: nothing to check */
    const char                *stored;        /* NULL: nobody */
    struct ym_str              fresh;         /* p NULL: none; */
    unsigned                   renew:1;       /* hash given if stored is old */
    ym_status                  verified;
    ym_status                  hashed;
    char                       hash[YM_PASSWORD_HASH_MAX];  /* "" = none */
    struct ym_password_rules   rules;
    ngx_http_yimen_ctx_t      *ctx;
    ngx_http_yimen_handler_pt  handler;
} ngx_http_yimen_hash_t;

typedef enum {
    NGX_HTTP_YIMEN_PUT_OK,
    NGX_HTTP_YIMEN_PUT_STALE,       /* somebody changed it meanwhile */
    NGX_HTTP_YIMEN_PUT_TAKEN        /* a name is another account's */
} ngx_http_yimen_put_e;

typedef struct {
    struct ym_account          account;       /* id "": there is none */
    int64_t                    created;       /* ms */
    ngx_http_yimen_hash_t      hash;

    int64_t                    wait;          /* ms to be waited; 0 = go on */
    ngx_http_yimen_put_e       put;
    ngx_uint_t                 reused;        /* the one-time code was */

    struct ym_str              csrf;          /* the cookie's value */
    struct ym_str              device;        /* the cookie's value */
    struct ym_str              place;         /* where to go on; approved */
    struct ym_str              name;          /* as typed; a link's ticket */
    int64_t                    wanted;        /* version that a link is for */
    const struct ngx_http_yimen_own_s  *own;  /* ngx_http_yimen_own.h */
    char                       own_id[YM_ID_LEN + 1];
    int64_t                    step;          /* of the one-time code */
    const char                *amr;

    const char                *alert_zh;      /* what went wrong, or NULL */
    const char                *alert_en;

    char                       secret[YM_TOTP_SECRET_TEXT];
    char                       codes[YM_ACCOUNT_CODES][YM_ACCOUNT_CODE];

    ngx_http_yimen_handler_pt  next;
    ngx_http_yimen_handler_pt  then;
} ngx_http_yimen_local_t;


/* `auth.local:` of the catalogue; node NULL: off */
char *ngx_http_yimen_local_load(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const struct ym_yaml *node);

/*
 * ctx->work for this request, or NULL and it is answered: no local accounts
 * here (404), or no memory.
 */
ngx_http_yimen_local_t *ngx_http_yimen_local_open(ngx_http_yimen_ctx_t *ctx);

/* the same where local accounts may be off: the sign-in page itself */
ngx_http_yimen_local_t *ngx_http_yimen_local_work(ngx_http_yimen_ctx_t *ctx);

/* runs hash->handler when local->hash is done; or 503 */
void ngx_http_yimen_local_hash(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);

/* calls to the store; in each handler runs afterwards, or there was an answer */

/* local->account by id; handler finds id "" when there is none */
void ngx_http_yimen_local_get(ngx_http_yimen_ctx_t *ctx, struct ym_str id,
    ngx_http_yimen_handler_pt handler);

/* by "name": who is its digest; by "id": who is one.  local->wait, ->account */
void ngx_http_yimen_local_try(ngx_http_yimen_ctx_t *ctx, const char *by,
    struct ym_str who, ngx_http_yimen_handler_pt handler);

/* the try was good; local->step: of the code, 0 = none.  local->reused */
void ngx_http_yimen_local_done(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);

/* stores local->account over the version it has.  local->put */
void ngx_http_yimen_local_put(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);

/* ends every session of local->account, and then makes a new one */
void ngx_http_yimen_local_renew(ngx_http_yimen_ctx_t *ctx, const char *why,
    ngx_http_yimen_handler_pt handler);

/* a session for local->account */
void ngx_http_yimen_local_begin(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_handler_pt handler);

/* evidence about local->account; who: "" = the account itself */
void ngx_http_yimen_local_evidence(ngx_http_yimen_ctx_t *ctx,
    const char *what, struct ym_str who, const char *why);

/* 503, as a page or as problem details */
void ngx_http_yimen_local_trouble(ngx_http_yimen_ctx_t *ctx);

/* what is put into forms and links and comes back: sealed, with an end */

/* "" when it cannot be made */
struct ym_str ngx_http_yimen_ticket(ngx_http_yimen_ctx_t *ctx,
    const char *kind, struct ym_str bound, struct ym_str text, int64_t life);

/* NGX_DECLINED: not ours, of another kind, not bound to this, or too old */
ngx_int_t ngx_http_yimen_ticket_open(ngx_http_yimen_ctx_t *ctx,
    const char *kind, struct ym_str bound, struct ym_str ticket,
    struct ym_str *ret);

/* a password may be set once with it, within NGX_HTTP_YIMEN_RESET_MS */
struct ym_str ngx_http_yimen_reset_ticket(ngx_http_yimen_ctx_t *ctx);


/* forms: ngx_http_yimen_local_form.c */

/* the cookie that binds forms to this browser; made when there is none */
ngx_int_t ngx_http_yimen_local_browser(ngx_http_yimen_ctx_t *ctx);

/*
 * The form that came was one of ours, in this browser: Origin, cookie, token.
 * Otherwise the request is answered (403).
 */
ngx_int_t ngx_http_yimen_local_ours(ngx_http_yimen_ctx_t *ctx);

/* a value of the form, "" when there is none */
struct ym_str ngx_http_yimen_local_value(ngx_http_yimen_ctx_t *ctx,
    const char *name);

typedef struct {
    const char     *name;
    const char     *type;           /* text, password, email */
    const char     *zh;
    const char     *en;
    const char     *complete;       /* autocomplete */
    struct ym_str   value;
    unsigned        focus:1;
    unsigned        code:1;         /* of six digits */
    const char     *hint_zh;        /* or NULL */
    const char     *hint_en;
} ngx_http_yimen_input_t;

void ngx_http_yimen_form_alert(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out);
void ngx_http_yimen_form_open(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *action);
void ngx_http_yimen_form_hidden(struct ym_buf *out, const char *name,
    struct ym_str value);
void ngx_http_yimen_form_input(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const ngx_http_yimen_input_t *input);
void ngx_http_yimen_form_close(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *zh, const char *en);

/* text of the page's language, escaped */
void ngx_http_yimen_form_text(ngx_http_yimen_ctx_t *ctx, struct ym_buf *out,
    const char *tag, const char *zh, const char *en);

/*
 * Whether a new password may be one: typed twice the same way, fit.  Otherwise
 * local->alert_* says why not.
 */
ngx_uint_t ngx_http_yimen_local_fit(ngx_http_yimen_ctx_t *ctx,
    struct ym_str fresh, struct ym_str again);

/* the words for a password that is not fit (ym_password_unfit) */
void ngx_http_yimen_local_unfit(ngx_http_yimen_local_t *local,
    const char *word);

/*
 * Buttons of the configured providers; after: how many ways to sign in stand
 * above them.  Returns how many there are.
 */
ngx_uint_t ngx_http_yimen_providers_html(ngx_http_yimen_ctx_t *ctx,
    struct ym_buf *out, struct ym_str place, ngx_uint_t after);

/* one provider is the only way to sign in: goes there, and returns 1 */
ngx_uint_t ngx_http_yimen_login_only(ngx_http_yimen_ctx_t *ctx,
    struct ym_str place);

/* "wait 8 s" as an alert; 429 and Retry-After for the answer */
ngx_uint_t ngx_http_yimen_local_wait(ngx_http_yimen_ctx_t *ctx);

#endif /* NGX_HTTP_YIMEN_LOCAL_H */
