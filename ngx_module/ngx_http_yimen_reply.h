/* SPDX-License-Identifier: Apache-2.0
 * What the store answers, read without trust: by hiredis and core alone, with
 * neither nginx nor a request, so that fuzzing reaches it.  Whatever is not as
 * the store writes it is told from what is; views live as long as the reply.
 */
#ifndef NGX_HTTP_YIMEN_REPLY_H
#define NGX_HTTP_YIMEN_REPLY_H

#include "ym_codec.h"

#include <hiredis/hiredis.h>


/* scalars: text ("" when it is none), number of digits (0 when it is none) */
struct ym_str ngx_http_yimen_reply_str(const redisReply *reply);
int64_t ngx_http_yimen_reply_int(const redisReply *reply);

/* the i-th text of an array; "" when it is no such thing */
struct ym_str ngx_http_yimen_fcall_word(const redisReply *reply, size_t i);

/* reply's elements when it is an array of n at least, or NULL */
redisReply **ngx_http_yimen_reply_row(const redisReply *reply, size_t n);


/* ---- sessions ---- */

typedef enum {
    NGX_HTTP_YIMEN_REPLY_THERE,
    NGX_HTTP_YIMEN_REPLY_NONE,       /* nil: there is no such thing */
    NGX_HTTP_YIMEN_REPLY_REFUSED,    /* an error of Redis */
    NGX_HTTP_YIMEN_REPLY_STRANGE     /* nothing that the store writes */
} ngx_http_yimen_reply_e;

typedef struct {
    struct ym_str   sealed;
    int64_t         created, ends;      /* ms since 1970 */
    int64_t         age, left, live;    /* ms from now */
} ngx_http_yimen_reply_session_t;

/* of YM_FN_SESSION_GET */
ngx_http_yimen_reply_e ngx_http_yimen_reply_session(const redisReply *reply,
    ngx_http_yimen_reply_session_t *ret);

typedef struct {
    struct ym_str   digest;             /* 64 hex digits, lower case */
    struct ym_str   sealed;
    int64_t         created, used, ends;
} ngx_http_yimen_reply_held_t;

/* a row of YM_FN_SESSION_LIST; false: it is none */
bool ngx_http_yimen_reply_held(const redisReply *row,
    ngx_http_yimen_reply_held_t *ret);


/* ---- news of sessions (client tracking) ---- */

typedef enum {
    NGX_HTTP_YIMEN_NEWS_PONG,
    NGX_HTTP_YIMEN_NEWS_SUBSCRIBED,
    NGX_HTTP_YIMEN_NEWS_CHANGED,     /* keys, one by one */
    NGX_HTTP_YIMEN_NEWS_ALL,         /* FLUSHALL, FLUSHDB */
    NGX_HTTP_YIMEN_NEWS_STRANGE
} ngx_http_yimen_news_e;

/* *ret_keys: the array of keys, when CHANGED */
ngx_http_yimen_news_e ngx_http_yimen_reply_news(const redisReply *reply,
    const char *channel, const redisReply **ret_keys);

/* {sN}:se:<64 hex digits> */
bool ngx_http_yimen_reply_key(const redisReply *key,
    unsigned char digest[YM_SHA256_LEN]);

bool ngx_http_yimen_reply_is(const redisReply *reply, const char *text);


/* ---- revoked tokens ---- */

typedef struct {
    unsigned char   digest[YM_SHA256_LEN];
    bool            known;              /* digest is one; else pass over it */
    int64_t         number, at, end;    /* in its list; ms since 1970 */
} ngx_http_yimen_reply_mark_t;

/* the first element of YM_FN_REVOKED: the last number that was given out */
bool ngx_http_yimen_reply_last(const redisReply *reply, int64_t *ret);

/* one of the others */
bool ngx_http_yimen_reply_mark(const redisReply *item,
    ngx_http_yimen_reply_mark_t *ret);


/* ---- records ---- */

#define NGX_HTTP_YIMEN_RECORD_FIELDS    10
#define NGX_HTTP_YIMEN_DELIVERY_FIELDS  10

typedef struct {
    struct ym_str   system;
    char            letter;    /* ym_store.h */
    int64_t         wanted, has, attempts;
    int64_t         next_ms;   /* 0 none, -1 only a person */
    struct ym_str   number;
    struct ym_str   digest;    /* of the answer: proof where there is no number */
    struct ym_str   problem;   /* JSON text or "" */
} ngx_http_yimen_delivery_t;

/* views into a reply or a request: valid as long as those are */
typedef struct {
    struct ym_str               id, type, owner, org, area;
    int64_t                     created, updated, revision, withdrawn;
    struct ym_str               data;      /* JSON text */
    struct ym_str               attachments;  /* JSON array, "" = none */
    ngx_http_yimen_delivery_t  *deliveries;
    size_t                      count;
} ngx_http_yimen_record_t;

/*
 * All but data, attachments and deliveries, of which count is set, from the
 * elements of YM_FN_GET; *ret_sealed: the envelope.  Returns the rows of the
 * deliveries, or NULL when it is no record.
 */
const redisReply *ngx_http_yimen_reply_record(redisReply **elements,
    ngx_http_yimen_record_t *ret, struct ym_str *ret_sealed);

/* one of those rows, its problem still sealed */
bool ngx_http_yimen_reply_delivery(const redisReply *row,
    ngx_http_yimen_delivery_t *ret);

/* {"at", "by", "reason"?, "attachments"?, "data"} as text */
typedef struct {
    struct ym_str               at, by, data;
    struct ym_str               reason;       /* of an amendment; "" = none */
    struct ym_str               attachments;  /* "" = none */
} ngx_http_yimen_envelope_t;

bool ngx_http_yimen_reply_envelope(struct ym_str text,
    ngx_http_yimen_envelope_t *ret);


/* ---- lists ---- */

/*
 * Of several sorted lists the row that comes next: by its number at `by`, the
 * newest or the oldest first.  from: how far each was read; a list with a row
 * of fewer than width fields ends there.  NULL: all are read.
 */
redisReply *ngx_http_yimen_reply_pick(redisReply *const *lists, size_t count,
    size_t *from, size_t by, size_t width, bool oldest, size_t *ret_list);

/* the row of n fields whose first text is name, or NULL */
redisReply *ngx_http_yimen_reply_named(const redisReply *rows, size_t n,
    const char *name);

/* milliseconds of a stream's entry id; 0 when it is none */
int64_t ngx_http_yimen_reply_entry_ms(const redisReply *entry);


/* ---- accounts ---- */

typedef struct {
    struct ym_str   id;
    struct ym_str   sealed;
    int64_t         version, created;
    bool            disabled;
} ngx_http_yimen_reply_account_t;

/* of YM_FN_ACCOUNT_GET, or a row of YM_FN_ACCOUNT_LIST; false: it is none */
bool ngx_http_yimen_reply_account(const redisReply *reply,
    ngx_http_yimen_reply_account_t *ret);

typedef enum {
    NGX_HTTP_YIMEN_TRY_WAIT,         /* so many ms */
    NGX_HTTP_YIMEN_TRY_KNOWN,        /* account */
    NGX_HTTP_YIMEN_TRY_UNKNOWN,      /* nobody of that name */
    NGX_HTTP_YIMEN_TRY_STRANGE
} ngx_http_yimen_try_e;

/* of YM_FN_ACCOUNT_TRY; created is not told */
ngx_http_yimen_try_e ngx_http_yimen_reply_try(const redisReply *reply,
    ngx_http_yimen_reply_account_t *ret, int64_t *ret_wait);

#endif /* NGX_HTTP_YIMEN_REPLY_H */
