/* SPDX-License-Identifier: Apache-2.0
 * The worker's typed calls (ym_queue_worker.h).
 */
#include "ym_queue_worker.h"

#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_id.h"
#include "ym_store_trace.h"
#include "ym_time.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define CALL_TIMEOUT_MS 15000       /* an answer later than this: the line is lost */
#define TRACES_BYTES_MAX (4u << 20) /* of the traces in it */
#define CALL_BYTES_MAX (16u << 20)  /* of one request; a full settle batch stays far below */

void ym_batch_init(struct ym_batch *b)
{
    ym_resp_init(&b->resp, CALL_BYTES_MAX);
    ym_resp_init(&b->traces, TRACES_BYTES_MAX);
    b->items = 0;
}

void ym_batch_clear(struct ym_batch *b)
{
    ym_resp_clear(&b->resp);
    ym_resp_clear(&b->traces);
    b->items = 0;
}

void ym_batch_reset(struct ym_batch *b)
{
    ym_resp_reset(&b->resp);
    ym_resp_clear(&b->traces); /* rare, and large */
    b->items = 0;
}

/* What there is no room for is not kept: the settlement matters more. */
static void batch_trace(struct ym_batch *b, struct ym_str trace)
{
    if (trace.n > 0 && b->traces.body.n + trace.n + 64 <= TRACES_BYTES_MAX) {
        ym_resp_int(&b->traces, (int64_t)b->items);
        ym_resp_arg(&b->traces, trace);
    }
}

/* A SHA-256 travels as its bytes. */
static void batch_digest(struct ym_resp *r, const char *hex)
{
    unsigned char bytes[YM_SHA256_LEN];

    if (hex != NULL && strlen(hex) == YM_SHA256_HEX - 1 && ym_unhex(ym_str_of(hex), bytes)) {
        ym_resp_arg(r, (struct ym_str){(const char *)bytes, sizeof(bytes)});
        return;
    }
    ym_resp_argz(r, hex);
}

/* "d17": the letter, and how many fields of the record went along. */
static void batch_verdict(struct ym_resp *r, const struct ym_settlement *s)
{
    char text[8] = {s->letter, '\0'};

    if (s->fields > 0) {
        snprintf(text + 1, sizeof(text) - 1, "%u", (unsigned)(s->fields < 9999 ? s->fields : 9999));
    }
    ym_resp_argz(r, text);
}

bool ym_batch_add(struct ym_batch *b, const struct ym_settlement *s)
{
    struct ym_resp *r = &b->resp;
    size_t need = s->entry.n + s->id.n + s->token.n + 450;

    need += s->number != NULL ? strlen(s->number) : 0;
    need += s->problem != NULL ? strlen(s->problem) : 0;
    if (r->body.n + need > CALL_BYTES_MAX) {
        return false;
    }
    ym_resp_arg(r, s->entry);
    ym_resp_arg(r, s->id);
    ym_resp_arg(r, s->token);
    batch_verdict(r, s);
    ym_resp_int(r, s->revision);
    ym_resp_argz(r, s->number);
    batch_digest(r, s->digest);
    ym_resp_int(r, s->delay_ms);
    ym_resp_argz(r, s->problem);
    if (ym_resp_arg(r, s->request) != YM_OK) {
        return false;
    }
    b->items++;
    batch_trace(b, s->trace);
    return true;
}

/* "FCALL fn 1 {sN}" and who is calling. */
static void call_head(struct ym_resp *r, const char *fn, unsigned shard)
{
    char tag[16];

    snprintf(tag, sizeof(tag), "{s%u}", shard);
    ym_resp_init(r, CALL_BYTES_MAX);
    ym_resp_argz(r, "FCALL");
    ym_resp_argz(r, fn);
    ym_resp_argz(r, "1");
    ym_resp_argz(r, tag);
}

static void call_head_as(struct ym_resp *r, const char *fn, const struct ym_holder *h)
{
    call_head(r, fn, h->shard);
    ym_resp_argz(r, h->system);
    ym_resp_argz(r, h->consumer);
    ym_resp_argz(r, h->epoch);
}

static bool call_put(struct ym_line *l, struct ym_resp *head, const struct ym_resp *tail,
                     unsigned kind, unsigned shard, int64_t timeout_ms)
{
    struct ym_request q = {.kind = kind, .shard = shard, .until_ms = ym_tick_ms() + timeout_ms};
    bool ok = ym_line_put(l, head, tail, &q);

    ym_resp_clear(head);
    return ok;
}

bool ym_call_attach(struct ym_line *l, const struct ym_holder *h)
{
    struct ym_resp r;

    call_head(&r, YM_FN_ATTACH, h->shard);
    ym_resp_argz(&r, h->system);
    ym_resp_argz(&r, h->consumer);
    return call_put(l, &r, NULL, YM_CALL_ATTACH, h->shard, CALL_TIMEOUT_MS);
}

bool ym_call_reclaim(struct ym_line *l, const struct ym_holder *h, int64_t min_idle_ms, int64_t max)
{
    struct ym_resp r;

    call_head_as(&r, YM_FN_RECLAIM, h);
    ym_resp_int(&r, min_idle_ms);
    ym_resp_int(&r, max);
    return call_put(l, &r, NULL, YM_CALL_RECLAIM, h->shard, CALL_TIMEOUT_MS);
}

bool ym_call_claim(struct ym_line *l, const struct ym_holder *h, int64_t max, bool each_revision)
{
    struct ym_resp r;

    call_head_as(&r, YM_FN_CLAIM, h);
    ym_resp_int(&r, max);
    ym_resp_argz(&r, each_revision ? "1" : "0");
    return call_put(l, &r, NULL, YM_CALL_CLAIM, h->shard, CALL_TIMEOUT_MS);
}

bool ym_call_envelope(struct ym_line *l, enum ym_call kind, unsigned shard, size_t item,
                      const struct ym_claimed *c)
{
    struct ym_request q = {
        .kind = kind, .shard = shard, .item = item, .until_ms = ym_tick_ms() + CALL_TIMEOUT_MS};
    long long revision = (long long)c->revision;
    char key[64], field[32], id[YM_ID_LEN + 1] = "";
    bool earlier = kind == YM_CALL_EARLIER;
    struct ym_resp r;
    bool ok;

    memcpy(id, c->id.p, c->id.n < YM_ID_LEN ? c->id.n : YM_ID_LEN);
    if (earlier) {
        snprintf(key, sizeof(key), YM_ENVELOPE_KEY_EARLIER, shard, id);
        snprintf(field, sizeof(field), YM_ENVELOPE_FIELD_EARLIER, revision);
    } else {
        snprintf(key, sizeof(key), YM_ENVELOPE_KEY, shard, id);
        snprintf(field, sizeof(field), YM_ENVELOPE_FIELD, revision);
    }
    ym_resp_init(&r, CALL_BYTES_MAX);
    ym_resp_argz(&r, "HGET");
    ym_resp_argz(&r, key);
    ym_resp_argz(&r, field);
    ok = ym_line_put(l, &r, NULL, &q);
    ym_resp_clear(&r);
    return ok;
}

bool ym_call_settle(struct ym_line *l, const struct ym_holder *h, const struct ym_batch *b)
{
    struct ym_resp r;

    if (b->traces.args == 0 || b->traces.body.failed != YM_OK) {
        call_head_as(&r, YM_FN_SETTLE, h);
    } else {
        call_head_as(&r, YM_FN_SETTLE_KEPT, h);
        ym_resp_int(&r, (int64_t)(b->traces.args / 2));
        ym_buf_add(&r.body, b->traces.body.p, b->traces.body.n);
        r.args += b->traces.args;
    }
    return call_put(l, &r, &b->resp, YM_CALL_SETTLE, h->shard, CALL_TIMEOUT_MS);
}

bool ym_call_due(struct ym_line *l, const struct ym_holder *h, int64_t max)
{
    struct ym_resp r;

    call_head(&r, YM_FN_DUE, h->shard);
    ym_resp_argz(&r, h->system);
    ym_resp_int(&r, max);
    return call_put(l, &r, NULL, YM_CALL_DUE, h->shard, CALL_TIMEOUT_MS);
}

bool ym_call_systems(struct ym_line *l, const char *system)
{
    struct ym_resp r;

    call_head(&r, YM_FN_SYSTEMS, 0);
    ym_resp_argz(&r, system);
    return call_put(l, &r, NULL, YM_CALL_SYSTEMS, 0, CALL_TIMEOUT_MS);
}

bool ym_call_report(struct ym_line *l, const char *system, const char *const *pairs)
{
    struct ym_resp r;

    call_head(&r, YM_FN_REPORT, 0);
    ym_resp_argz(&r, system);
    for (size_t i = 0; pairs[i] != NULL; i++) {
        ym_resp_argz(&r, pairs[i]);
    }
    return call_put(l, &r, NULL, YM_CALL_REPORT, 0, CALL_TIMEOUT_MS);
}

bool ym_call_bell(struct ym_line *l, const char *const *streams, const char *const *ids, size_t n,
                  int64_t block_ms)
{
    struct ym_resp r;

    ym_resp_init(&r, CALL_BYTES_MAX);
    ym_resp_argz(&r, "XREAD");
    ym_resp_argz(&r, "COUNT");
    ym_resp_argz(&r, "1"); /* a doorbell: that it rang is enough */
    ym_resp_argz(&r, "BLOCK");
    ym_resp_int(&r, block_ms);
    ym_resp_argz(&r, "STREAMS");
    for (size_t i = 0; i < n; i++) {
        ym_resp_argz(&r, streams[i]);
    }
    for (size_t i = 0; i < n; i++) {
        ym_resp_argz(&r, ids[i]);
    }
    return call_put(l, &r, NULL, YM_CALL_BELL, 0, block_ms + CALL_TIMEOUT_MS);
}

size_t ym_reply_count(const struct redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}

const struct redisReply *ym_reply_item(const struct redisReply *r, size_t i)
{
    return i < ym_reply_count(r) ? r->element[i] : NULL;
}

const char *ym_reply_error(const struct redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR ? r->str : NULL;
}

struct ym_str ym_reply_text(const struct redisReply *r, size_t i)
{
    const struct redisReply *e = ym_reply_item(r, i);

    if (e == NULL || (e->type != REDIS_REPLY_STRING && e->type != REDIS_REPLY_STATUS)) {
        return YM_STR_NULL;
    }
    return (struct ym_str){e->str, (size_t)e->len};
}

int64_t ym_reply_int(const struct redisReply *r, size_t i)
{
    const struct redisReply *e = ym_reply_item(r, i);
    int64_t n;

    if (e != NULL && e->type == REDIS_REPLY_INTEGER) {
        return e->integer;
    }
    return ym_int_parse(ym_reply_text(r, i), &n) ? n : 0;
}

static enum ym_answer answer_word(const struct redisReply *r)
{
    struct ym_str word = ym_reply_text(r, 0);

    if (ym_str_is(word, "ok")) {
        return YM_ANSWER_OK;
    }
    return ym_str_is(word, "fenced") ? YM_ANSWER_FENCED : YM_ANSWER_ERROR;
}

enum ym_answer ym_answer_claim(const struct redisReply *r, int64_t *ret_now_ms, int64_t *ret_due_ms)
{
    enum ym_answer a = answer_word(r);

    if (a == YM_ANSWER_OK) {
        *ret_now_ms = ym_reply_int(r, 1);
        *ret_due_ms = ym_reply_int(r, 2);
    }
    return a;
}

bool ym_answer_claimed(const struct redisReply *item, struct ym_claimed *ret)
{
    struct ym_str letter = ym_reply_text(item, 17);

    if (ym_reply_count(item) < 18) {
        return false;
    }
    *ret = (struct ym_claimed){
        .entry = ym_reply_text(item, 0),
        .id = ym_reply_text(item, 1),
        .op = ym_reply_text(item, 2),
        .token = ym_reply_text(item, 3),
        .attempt = ym_reply_int(item, 4),
        .number = ym_reply_text(item, 5),
        .has = ym_reply_int(item, 6),
        .revision = ym_reply_int(item, 7),
        .sent_ms = ym_reply_int(item, 8),
        .type = ym_reply_text(item, 9),
        .owner = ym_reply_text(item, 10),
        .org = ym_reply_text(item, 11),
        .area = ym_reply_text(item, 12),
        .created_ms = ym_reply_int(item, 13),
        .updated_ms = ym_reply_int(item, 14),
        .envelope = ym_reply_text(item, 15),
        .of = ym_reply_text(item, 16),
        .letter = letter.n > 0 ? letter.p[0] : '\0',
    };
    return ret->entry.n > 0 && ret->id.n > 0 && ret->op.n > 0;
}

bool ym_answer_envelope(const struct redisReply *r, struct ym_str *ret)
{
    if (r == NULL || r->type != REDIS_REPLY_STRING || r->len == 0) {
        return false;
    }
    *ret = (struct ym_str){r->str, (size_t)r->len};
    return true;
}

enum ym_answer ym_answer_settle(const struct redisReply *r, size_t *ret_fenced)
{
    size_t n = ym_reply_count(r), fenced = 0;

    if (ym_reply_error(r) != NULL || n == 0) {
        return YM_ANSWER_ERROR;
    }
    for (size_t i = 0; i < n; i++) {
        if (ym_str_is(ym_reply_text(r, i), "fenced")) {
            fenced++;
        }
    }
    *ret_fenced = fenced;
    return YM_ANSWER_OK;
}

enum ym_answer ym_answer_pair(const struct redisReply *r, int64_t *ret_a, int64_t *ret_b)
{
    if (ym_reply_error(r) != NULL || ym_reply_count(r) == 0) {
        return YM_ANSWER_ERROR;
    }
    if (answer_word(r) == YM_ANSWER_FENCED) {
        return YM_ANSWER_FENCED;
    }
    *ret_a = ym_reply_int(r, 0);
    *ret_b = ym_reply_int(r, 1);
    return YM_ANSWER_OK;
}
