/* SPDX-License-Identifier: Apache-2.0
 * The walk over everything that is sealed: opened with the old key, sealed with the first, put in
 * place of what was there unless somebody has changed it meanwhile.
 */
#include "ym_tool_ring.h"

#include "ym_archivist.h"
#include "ym_blob.h"
#include "ym_codec.h"
#include "ym_id.h"
#include "ym_queue_worker.h"
#include "ym_segments.h"
#include "ym_store_reseal.h"
#include "ym_store_trace.h"
#include "ym_time.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAIN_BYTES (8u << 20)
#define SCAN_COUNT "500"
#define STREAM_COUNT "500"
#define KEYS_MAX 64 /* search keys of one record */
#define TELL_MS 2000

/* "{sN}:<kind>:<rest>" */
struct place {
    unsigned shard;
    char kind[16];
    char rest[200];
    struct ym_str key;
};

static bool place_of(struct ym_str key, struct place *p)
{
    char text[256];
    int used = 0;

    if (key.n >= sizeof(text)) {
        return false;
    }
    memcpy(text, key.p, key.n);
    text[key.n] = '\0';
    p->key = key;
    p->rest[0] = '\0';
    return sscanf(text, "{s%u}:%15[^:]%n:%199s", &p->shard, p->kind, &used, p->rest) >= 2 &&
           used > 0;
}

/* ---- counting ---- */

static void count_kid(struct ym_reseal *r, const char *kid, const char *kind)
{
    json_t *kinds;

    if (strcmp(kid, ym_ring_kid(r->ring, 0)) == 0) {
        return;
    }
    kinds = json_object_get(r->left, kid);
    if (kinds == NULL) {
        kinds = json_object();
        json_object_set_new(r->left, kid, kinds);
    }
    json_object_set_new(kinds, kind,
                        json_integer(json_integer_value(json_object_get(kinds, kind)) + 1));
}

/* What only its owner's next use can seal anew, or time will take away. */
static void count_value(struct ym_reseal *r, const char *kind, struct ym_str value)
{
    char kid[YM_SEAL_KID_MAX + 1];

    if (ym_seal_kid(value, kid) || ym_seal_text_kid(value, kid)) {
        count_kid(r, kid, kind);
    }
}

/* ---- one value ---- */

static ym_status put(struct ym_reseal *r, const char *fn, const struct place *p,
                     const struct ym_str *argv, size_t argc, struct ym_err *err)
{
    struct redisReply *reply = NULL;
    ym_status rc = ym_queue_ask(r->queue, fn, p->shard, argv, argc, &reply, err);

    if (rc == YM_OK) {
        if (ym_str_is(ym_reply_text(reply, 0), "kept")) {
            r->resealed++;
        } else {
            r->changed++;
        }
        freeReplyObject(reply);
    }
    return rc;
}

enum form { FORM_BYTES, FORM_TEXT, FORM_BASE64 };

/* → the text opened; a plain one is itself. */
static ym_status open_value(struct ym_reseal *r, enum form form, struct ym_str context,
                            struct ym_str value, struct ym_buf *plain)
{
    struct ym_buf bytes;
    ym_status rc;

    if (form == FORM_TEXT) {
        return ym_unseal_text(r->ring, context, value, plain, NULL);
    }
    if (form == FORM_BYTES) {
        return ym_unseal(r->ring, context, value, plain, NULL);
    }
    ym_buf_init(&bytes, value.n + 4);
    rc = ym_base64url_decode(value, &bytes);
    rc = rc == YM_OK ? ym_unseal(r->ring, context, ym_buf_str(&bytes), plain, NULL) : rc;
    ym_buf_clear(&bytes);
    return rc;
}

static ym_status seal_value(struct ym_reseal *r, enum form form, struct ym_str context,
                            struct ym_str plain, struct ym_buf *out, struct ym_err *err)
{
    struct ym_buf bytes;
    ym_status rc;

    if (form == FORM_TEXT) {
        return ym_seal_text(r->ring, context, plain, out, err);
    }
    if (form == FORM_BYTES) {
        return ym_seal(r->ring, context, plain, out, err);
    }
    ym_buf_init(&bytes, plain.n + YM_SEAL_OVERHEAD + 1);
    rc = ym_seal(r->ring, context, plain, &bytes, err);
    rc = rc == YM_OK ? ym_base64url_add(out, ym_buf_str(&bytes)) : rc;
    ym_buf_clear(&bytes);
    return rc;
}

static bool kid_of(enum form form, struct ym_str value, char kid[YM_SEAL_KID_MAX + 1])
{
    struct ym_buf bytes;
    bool ok;

    if (form == FORM_TEXT) {
        return ym_seal_text_kid(value, kid);
    }
    if (form == FORM_BYTES) {
        return ym_seal_kid(value, kid);
    }
    ym_buf_init(&bytes, value.n + 4);
    ok = ym_base64url_decode(value, &bytes) == YM_OK && ym_seal_kid(ym_buf_str(&bytes), kid);
    ym_buf_clear(&bytes);
    return ok;
}

/*
 * Opens and seals anew into out. YM_ENOTFOUND: there is nothing to do, or it cannot be done and is
 * counted. kind is for people.
 */
static ym_status renew(struct ym_reseal *r, enum form form, const char *kind, struct ym_str context,
                       struct ym_str value, struct ym_buf *out, struct ym_err *err)
{
    char kid[YM_SEAL_KID_MAX + 1];
    struct ym_buf plain;
    ym_status rc;

    if (!kid_of(form, value, kid) || strcmp(kid, ym_ring_kid(r->ring, 0)) == 0) {
        return YM_ENOTFOUND;
    }
    if (r->dry) {
        count_kid(r, kid, kind);
        return YM_ENOTFOUND;
    }
    ym_buf_init(&plain, PLAIN_BYTES);
    rc = open_value(r, form, context, value, &plain);
    if (rc != YM_OK) {
        r->unreadable++;
        count_kid(r, kid, kind);
        rc = YM_ENOTFOUND;
    } else {
        rc = seal_value(r, form, context, ym_buf_str(&plain), out, err);
    }
    ym_buf_wipe(&plain);
    return rc;
}

static ym_status renew_field(struct ym_reseal *r, const struct place *p, enum form form,
                             const char *kind, struct ym_str context, struct ym_str field,
                             struct ym_str value, struct ym_err *err)
{
    struct ym_buf out;
    ym_status rc;

    ym_buf_init(&out, PLAIN_BYTES);
    rc = renew(r, form, kind, context, value, &out, err);
    if (rc == YM_OK) {
        struct ym_str argv[] = {ym_str_of(p->kind), ym_str_of(p->rest), field, value,
                                ym_buf_str(&out)};
        rc = put(r, YM_FN_RESEAL, p, argv, YM_COUNT(argv), err);
    }
    ym_buf_clear(&out);
    return rc == YM_ENOTFOUND ? YM_OK : rc;
}

/* ---- records ---- */

struct keys {
    struct ym_reseal *r;
    const char *name;
    struct ym_str argv[3 * KEYS_MAX + 2];
    char old[KEYS_MAX][YM_SHA256_HEX], fresh[KEYS_MAX][YM_DIGEST_HEX];
    size_t count;
};

static void add_key(void *data, const char *value)
{
    struct keys *k = data;
    char label[128];

    if (k->count == KEYS_MAX || value[0] == '\0') {
        return;
    }
    (void)snprintf(label, sizeof(label), "key:%s", k->name);
    if (ym_sha256_hex(ym_str_of(value), k->old[k->count]) == YM_OK &&
        ym_ring_digest(k->r->ring, label, ym_str_of(value), k->fresh[k->count]) == YM_OK) {
        k->argv[2 + 3 * k->count] = ym_str_of(k->name);
        k->argv[3 + 3 * k->count] = ym_str_of(k->old[k->count]);
        k->argv[4 + 3 * k->count] = ym_str_of(k->fresh[k->count]);
        k->count++;
    }
}

/* Search keys of a record that was filed before there was a ring. type: of any that has such data. */
static ym_status rekey(struct ym_reseal *r, const struct place *p, struct ym_str envelope,
                       struct ym_err *err)
{
    struct keys *k = calloc(1, sizeof(*k));
    struct redisReply *reply = NULL;
    char count[24];
    json_t *v = NULL;
    ym_status rc = YM_OK;

    if (k == NULL || ym_json_parse(envelope, &ym_json_defaults, &v, NULL) != YM_OK) {
        free(k);
        return YM_OK; /* no JSON: nothing of it can have been indexed */
    }
    k->r = r;
    for (size_t t = 0; t < r->catalog->type_count; t++) {
        const struct ym_type *type = &r->catalog->types[t];

        for (size_t i = 0; i < type->key_count; i++) {
            k->name = type->keys[i].name;
            ym_type_key_values(type, &type->keys[i], json_object_get(v, "data"), add_key, k);
        }
    }
    if (k->count > 0) {
        (void)snprintf(count, sizeof(count), "%zu", k->count);
        k->argv[0] = ym_str_of(p->rest);
        k->argv[1] = ym_str_of(count);
        rc = ym_queue_ask(r->queue, YM_FN_REKEY, p->shard, k->argv, 2 + 3 * k->count, &reply, err);
        r->rekeyed += rc == YM_OK;
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    json_decref(v);
    free(k);
    return rc;
}

static ym_status seal_plain(struct ym_reseal *r, const struct place *p, struct ym_str context,
                            struct ym_str field, struct ym_str value, struct ym_err *err)
{
    struct ym_buf out;
    ym_status rc;

    r->plain++;
    if (r->dry || value.n == 0 || value.p[0] != '{') {
        return YM_OK;
    }
    rc = rekey(r, p, value, err);
    ym_buf_init(&out, PLAIN_BYTES);
    rc = rc == YM_OK ? ym_seal(r->ring, context, value, &out, err) : rc;
    if (rc == YM_OK) {
        struct ym_str argv[] = {ym_str_of(p->kind), ym_str_of(p->rest), field, value,
                                ym_buf_str(&out)};
        rc = put(r, YM_FN_RESEAL, p, argv, YM_COUNT(argv), err);
        r->plain--;
    }
    ym_buf_clear(&out);
    return rc;
}

static ym_status envelope_field(struct ym_reseal *r, const struct place *p, struct ym_str field,
                                struct ym_str value, struct ym_err *err)
{
    char context[64];
    int n = snprintf(context, sizeof(context), "record:%s", p->rest);
    struct ym_str c = {context, n > 0 && n < (int)sizeof(context) ? (size_t)n : 0};

    return ym_is_sealed(value) ? renew_field(r, p, FORM_BYTES, "records", c, field, value, err)
                               : seal_plain(r, p, c, field, value, err);
}

/* The sealed problem inside a packed delivery: "~" and base64url up to the next byte of the packing. */
static struct ym_str problem_in(struct ym_str packed)
{
    struct ym_str s = YM_STR_NULL;
    char kid[YM_SEAL_KID_MAX + 1];

    for (size_t i = 0; i < packed.n; i++) {
        if (packed.p[i] != '~') {
            continue;
        }
        s = (struct ym_str){packed.p + i, 1};
        while (i + s.n < packed.n) {
            char c = packed.p[i + s.n];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_')) {
                break;
            }
            s.n++;
        }
        if (ym_seal_text_kid(s, kid)) {
            return s;
        }
    }
    return YM_STR_NULL;
}

static ym_status problem_field(struct ym_reseal *r, const struct place *p, struct ym_str number,
                               struct ym_str value, struct ym_err *err)
{
    struct ym_str old = problem_in(value);
    char context[64];
    struct ym_buf out;
    ym_status rc;

    if (old.n == 0) {
        return YM_OK;
    }
    (void)snprintf(context, sizeof(context), "problem:%.40s", p->rest);
    ym_buf_init(&out, PLAIN_BYTES);
    rc = renew(r, FORM_TEXT, "problems", ym_str_of(context), old, &out, err);
    if (rc == YM_OK) {
        struct ym_str argv[] = {ym_str_of(p->rest), number, old, ym_buf_str(&out)};
        rc = put(r, YM_FN_RESEAL_PROBLEM, p, argv, YM_COUNT(argv), err);
    }
    ym_buf_clear(&out);
    return rc == YM_ENOTFOUND ? YM_OK : rc;
}

/* ---- hashes, strings, streams ---- */

static ym_status look_at_field(struct ym_reseal *r, const struct place *p, struct ym_str field,
                               struct ym_str value, struct ym_err *err)
{
    char context[256];

    if (strcmp(p->kind, "v") == 0 ||
        (strcmp(p->kind, "r") == 0 && field.n > 0 && field.p[0] == 'b')) {
        return envelope_field(r, p, field, value, err);
    }
    if (strcmp(p->kind, "r") == 0) {
        return field.p[0] >= '0' && field.p[0] <= '9' ? problem_field(r, p, field, value, err)
                                                      : YM_OK;
    }
    if (strcmp(p->kind, "ac") == 0 && ym_str_is(field, "v")) {
        (void)snprintf(context, sizeof(context), "account:%s", p->rest);
        return renew_field(r, p, FORM_BASE64, "accounts", ym_str_of(context), field, value, err);
    }
    if (strcmp(p->kind, "se") == 0 && ym_str_is(field, "v")) {
        (void)snprintf(context, sizeof(context), "session:%s", p->rest);
        return renew_field(r, p, FORM_BYTES, "sessions", ym_str_of(context), field, value, err);
    }
    if (strcmp(p->kind, "at") == 0) {
        (void)snprintf(context, sizeof(context), "attachment:%s", p->rest);
        return ym_str_is(field, "m") ? renew_field(r, p, FORM_BYTES, "attachments",
                                                   ym_str_of(context), field, value, err)
                                     : YM_OK;
    }
    if (strcmp(p->kind, "sys") == 0) {
        return renew_field(r, p, FORM_TEXT, "reasons", YM_STR("why"), field, value, err);
    }
    count_value(r, strcmp(p->kind, "va") == 0 ? "vault" : "passing", value);
    return YM_OK;
}

static ym_status look_at_hash(struct ym_reseal *r, const struct place *p, struct ym_err *err)
{
    struct ym_str words[] = {YM_STR("HGETALL"), p->key};
    struct redisReply *reply = NULL;
    ym_status rc = ym_queue_read(r->queue, words, YM_COUNT(words), &reply, err);

    for (size_t i = 0; rc == YM_OK && i + 1 < ym_reply_count(reply); i += 2) {
        rc = look_at_field(r, p, ym_reply_text(reply, i), ym_reply_text(reply, i + 1), err);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

static ym_status look_at_string(struct ym_reseal *r, const struct place *p, struct ym_err *err)
{
    struct ym_str words[] = {YM_STR("GET"), p->key};
    struct redisReply *reply = NULL;
    ym_status rc = ym_queue_read(r->queue, words, YM_COUNT(words), &reply, err);

    if (rc == YM_OK) {
        if (reply->type == REDIS_REPLY_STRING) {
            count_value(r, "passing", (struct ym_str){reply->str, (size_t)reply->len});
        }
        freeReplyObject(reply);
    }
    return rc;
}

/* Evidence is not touched, not even by us: what it is sealed with is only counted. */
static ym_status look_at_stream(struct ym_reseal *r, const struct place *p, struct ym_err *err)
{
    char from[64] = "-";
    size_t n = 1;
    ym_status rc = YM_OK;

    while (rc == YM_OK && n > 0) {
        struct ym_str words[] = {YM_STR("XRANGE"), p->key,          ym_str_of(from),
                                 YM_STR("+"),      YM_STR("COUNT"), YM_STR(STREAM_COUNT)};
        struct redisReply *reply = NULL;

        rc = ym_queue_read(r->queue, words, YM_COUNT(words), &reply, err);
        n = ym_reply_count(reply);
        for (size_t i = 0; i < n; i++) {
            const struct redisReply *fields = ym_reply_item(ym_reply_item(reply, i), 1);
            struct ym_str entry = ym_reply_text(ym_reply_item(reply, i), 0);

            for (size_t k = 1; k < ym_reply_count(fields); k += 2) {
                count_value(r, "evidence", ym_reply_text(fields, k));
            }
            (void)snprintf(from, sizeof(from), "(%.*s", (int)entry.n, entry.p);
        }
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }
    return rc;
}

/* One trace of an attempt. */
static ym_status look_at_trace(struct ym_reseal *r, const struct place *p, size_t at,
                               struct ym_str value, struct ym_err *err)
{
    char context[64], place[24];
    struct ym_buf out;
    ym_status rc;

    (void)snprintf(context, sizeof(context), "attempt:%.*s", YM_ID_LEN, p->rest);
    (void)snprintf(place, sizeof(place), "%zu", at);
    ym_buf_init(&out, PLAIN_BYTES);
    if (ym_is_sealed(value)) {
        rc = renew(r, FORM_BYTES, "attempts", ym_str_of(context), value, &out, err);
    } else {
        r->plain += r->dry;
        rc = r->dry ? YM_ENOTFOUND : ym_seal(r->ring, ym_str_of(context), value, &out, err);
    }
    if (rc == YM_OK) {
        struct ym_str argv[] = {ym_str_of(p->rest), ym_str_of(place), value, ym_buf_str(&out)};
        rc = put(r, YM_FN_RESEAL_ATTEMPT, p, argv, YM_COUNT(argv), err);
    }
    ym_buf_clear(&out);
    return rc == YM_ENOTFOUND ? YM_OK : rc;
}

static ym_status look_at_list(struct ym_reseal *r, const struct place *p, struct ym_err *err)
{
    struct ym_str words[] = {YM_STR("LRANGE"), p->key, YM_STR("0"), YM_STR("-1")};
    struct redisReply *reply = NULL;
    ym_status rc = ym_queue_read(r->queue, words, YM_COUNT(words), &reply, err);

    for (size_t i = 0; rc == YM_OK && i < ym_reply_count(reply); i++) {
        rc = look_at_trace(r, p, i, ym_reply_text(reply, i), err);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

static ym_status look_at_key(struct ym_reseal *r, struct ym_str key, struct ym_err *err)
{
    static const char *const hashes[] = {"r", "v", "ac", "se", "sys", "va", "vj", "at"};
    struct place p;

    if (!place_of(key, &p)) {
        return YM_OK;
    }
    r->keys++;
    for (size_t i = 0; i < YM_COUNT(hashes); i++) {
        if (strcmp(p.kind, hashes[i]) == 0) {
            return look_at_hash(r, &p, err);
        }
    }
    if (strcmp(p.kind, "t") == 0) {
        return look_at_list(r, &p, err);
    }
    if (strcmp(p.kind, "on") == 0) {
        return look_at_string(r, &p, err);
    }
    return strcmp(p.kind, "audit") == 0 ? look_at_stream(r, &p, err) : YM_OK;
}

static void tell(struct ym_reseal *r)
{
    int64_t now_ms = ym_tick_ms();

    if (!r->quiet && now_ms >= r->told_ms) {
        if (r->told_ms > 0) {
            fprintf(stderr, "%lld keys looked at, %lld texts sealed anew\n", (long long)r->keys,
                    (long long)r->resealed);
        }
        r->told_ms = now_ms + TELL_MS;
    }
}

/* ---- files ---- */

static bool look_at_line(void *data, struct ym_str line)
{
    static const char mark[] = "\"~";
    const char *at = line.p, *end = line.p + line.n, *quote;

    while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1)) != NULL) {
        at++;
        quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL) {
            break;
        }
        count_value(data, "evidence", (struct ym_str){at, (size_t)(quote - at)});
        at = quote;
    }
    return true;
}

/* The bytes of attachments: sealed anew file by file, each put in place when it is on disk. */
static bool look_at_blob(void *data, const char *folder, const char *name, int64_t changed_ms)
{
    struct ym_reseal *r = data;
    struct ym_blob_store store = {r->catalog->site.state_dir, r->ring};
    char kid[YM_SEAL_KID_MAX + 1];
    bool done = false;
    ym_status rc;

    (void)changed_ms;
    if (strcmp(folder, "new") == 0) {
        return true;
    }
    rc = ym_blob_reseal(&store, folder, name, r->dry, kid, &done, NULL);
    r->resealed += done;
    r->plain += rc == YM_OK && kid[0] == '\0';
    r->unreadable += rc != YM_OK;
    if (!done && kid[0] != '\0') {
        count_kid(r, kid, "attachments");
    }
    tell(r);
    return true;
}

static ym_status look_at_files(struct ym_reseal *r, struct ym_err *err)
{
    char dir[1100];
    char(*names)[YM_SEGMENTS_NAME] = NULL;
    size_t count = 0, torn;
    ym_status rc = YM_OK;

    (void)snprintf(dir, sizeof(dir), "%s/%s", r->catalog->site.state_dir, YM_ARCHIVIST_DIR);
    if (ym_segments_list(dir, &names, &count, NULL) != YM_OK) {
        return YM_OK; /* no dispatcher has run here yet */
    }
    for (size_t i = 0; rc == YM_OK && i < count; i++) {
        rc = ym_segments_read(dir, names[i], look_at_line, r, &torn, err);
    }
    free(names);
    return rc;
}

static ym_status look_at_blobs(struct ym_reseal *r, struct ym_err *err)
{
    return ym_blob_walk(r->catalog->site.state_dir, look_at_blob, r, err);
}

ym_status ym_reseal_walk(struct ym_reseal *r, struct ym_err *err)
{
    char cursor[32] = "0";
    ym_status rc = YM_OK;

    do {
        struct ym_str words[] = {YM_STR("SCAN"), ym_str_of(cursor), YM_STR("COUNT"),
                                 YM_STR(SCAN_COUNT)};
        struct redisReply *reply = NULL;
        const struct redisReply *keys;
        struct ym_str next;

        rc = ym_queue_read(r->queue, words, YM_COUNT(words), &reply, err);
        keys = ym_reply_item(reply, 1);
        next = ym_reply_text(reply, 0);
        (void)snprintf(cursor, sizeof(cursor), "%.*s", next.p != NULL ? (int)next.n : 1,
                       next.p != NULL ? next.p : "0");
        for (size_t i = 0; rc == YM_OK && i < ym_reply_count(keys); i++) {
            rc = look_at_key(r, ym_reply_text(keys, i), err);
            tell(r);
        }
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    } while (rc == YM_OK && strcmp(cursor, "0") != 0);
    rc = rc == YM_OK ? look_at_blobs(r, err) : rc;
    return rc == YM_OK ? look_at_files(r, err) : rc;
}
