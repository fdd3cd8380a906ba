/* SPDX-License-Identifier: Apache-2.0
 * Bytes in Redis's place (fuzz_redis_feed.h), every reply taken for each of the answers that the
 * nginx module knows: sessions, news of them, revoked tokens, records, lists, accounts.
 */
#include "fuzz_redis_feed.h"
#include "ngx_http_yimen_reply.h"
#include "ym_check.h"
#include "ym_session_value.h"

#include <stdlib.h>

#define CHANNEL "__redis__:invalidate"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct ym_str part, struct ym_str whole)
{
    if (part.n > 0 && (part.p < whole.p || part.p + part.n > whole.p + whole.n)) {
        abort();
    }
    look(part);
}

static void envelope(struct ym_str text)
{
    ngx_http_yimen_envelope_t e;

    if (!ngx_http_yimen_reply_envelope(text, &e)) {
        return;
    }
    if (e.at.n < 2 || e.by.n < 2 || e.data.n == 0) {
        abort();
    }
    inside(e.at, text);
    inside(e.by, text);
    inside(e.data, text);
    inside(e.reason, text);
    inside(e.attachments, text);
}

/* What is under the seal, as if it had been opened. */
static void value(struct ym_str text)
{
    struct ym_session_value v;
    struct ym_err err;
    json_t *json = NULL;

    if (ym_session_value_read(text, &json, &v, &err) == YM_OK) {
        look(v.person);
    }
    json_decref(json);
}

static void sessions(const redisReply *r)
{
    ngx_http_yimen_reply_session_t s;
    ngx_http_yimen_reply_held_t held;
    unsigned char digest[YM_SHA256_LEN];
    const redisReply *keys = NULL;

    if (ngx_http_yimen_reply_session(r, &s) == NGX_HTTP_YIMEN_REPLY_THERE) {
        if (s.created < 0 || s.ends < 0 || s.age < 0 || s.left < 0 || s.live < 0) {
            abort();
        }
        value(s.sealed);
    }
    if (ngx_http_yimen_reply_held(r, &held)) {
        if (held.digest.n != YM_SHA256_HEX - 1) {
            abort();
        }
        value(held.sealed);
    }
    if (ngx_http_yimen_reply_news(r, CHANNEL, &keys) == NGX_HTTP_YIMEN_NEWS_CHANGED) {
        for (size_t i = 0; i < (size_t)keys->elements; i++) {
            (void)ngx_http_yimen_reply_key(keys->element[i], digest);
        }
    }
}

static void revoked(const redisReply *r)
{
    ngx_http_yimen_reply_mark_t mark;
    int64_t last = 0;

    if (!ngx_http_yimen_reply_last(r, &last)) {
        return;
    }
    if (last < 0) {
        abort();
    }
    for (size_t i = 1; i < (size_t)r->elements; i++) {
        if (ngx_http_yimen_reply_mark(r->element[i], &mark) &&
            (mark.number < 0 || mark.at < 0 || mark.end < 0)) {
            abort();
        }
    }
}

static void record(redisReply **e)
{
    ngx_http_yimen_record_t rec;
    ngx_http_yimen_delivery_t d;
    struct ym_str sealed;
    const redisReply *rows = ngx_http_yimen_reply_record(e, &rec, &sealed);

    if (rows == NULL) {
        return;
    }
    if (rec.count > YM_TARGETS_MAX) {
        abort();
    }
    look(rec.type);
    look(rec.owner);
    look(rec.org);
    look(rec.area);
    envelope(sealed);
    for (size_t i = 0; i < rec.count; i++) {
        if (ngx_http_yimen_reply_delivery(rows->element[i], &d)) {
            look(d.system);
            look(d.number);
            look(d.digest);
            look(d.problem);
        }
    }
}

/* As lists of two shards: each row comes once, and it has the fields that it must have. */
static void lists(redisReply *r)
{
    redisReply *two[2] = {r, r}, *row;
    size_t from[2] = {0, 1}, shard, most = 2 * (size_t)r->elements;

    for (size_t n = 0;
         (row = ngx_http_yimen_reply_pick(two, 2, from, 1, 3, n % 2 != 0, &shard)) != NULL; n++) {
        if (n >= most || shard > 1 || row->elements < 3) {
            abort();
        }
        (void)ngx_http_yimen_reply_entry_ms(row->element[0]);
        from[shard]++;
    }
    row = ngx_http_yimen_reply_named(r, 3, "people-mediation");
    if (row != NULL) {
        look(ngx_http_yimen_fcall_word(row, 2));
    }
}

static void accounts(const redisReply *r)
{
    ngx_http_yimen_reply_account_t a;
    int64_t wait = 0;

    if (ngx_http_yimen_reply_account(r, &a)) {
        look(a.id);
        look(a.sealed);
    }
    if (ngx_http_yimen_reply_try(r, &a, &wait) == NGX_HTTP_YIMEN_TRY_KNOWN) {
        if (a.id.n == 0) {
            abort();
        }
        look(a.id);
        look(a.sealed);
    }
}

static void answer(redisReply *r)
{
    redisReply **e = ngx_http_yimen_reply_row(r, NGX_HTTP_YIMEN_RECORD_FIELDS);

    sessions(r);
    revoked(r);
    accounts(r);
    envelope(ngx_http_yimen_reply_str(r));
    if (e != NULL) {
        record(e);
    }
    if ((size_t)r->elements > NGX_HTTP_YIMEN_RECORD_FIELDS && e != NULL) {
        record(e + 1); /* a list has the id before each */
    }
    if (r->type == REDIS_REPLY_ARRAY) {
        lists(r);
        for (size_t i = 0; i < (size_t)r->elements; i++) {
            look(ngx_http_yimen_fcall_word(r, i));
            (void)ngx_http_yimen_reply_int(r->element[i]);
            sessions(r->element[i]);
            accounts(r->element[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data, size, answer);
    return 0;
}
