/* SPDX-License-Identifier: Apache-2.0
 * Bytes in Redis's place: cut into pieces as a network cuts them, read by hiredis under the limit on
 * arrays that we set, and every reply taken for each of the answers that the dispatcher knows. The
 * first byte is the length of the pieces.
 */
#include "ym_line.h"
#include "ym_queue_worker.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define ELEMENTS 65536 /* as in ngx_module/ngx_http_yimen_redis_event.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static redisReplyObjectFunctions builders, *hiredis_builders;

/* The count is an int in hiredis 0.14 and a size_t later. */
#if HIREDIS_MAJOR > 0
static void *array(const redisReadTask *task, size_t n)
{
    return n > ELEMENTS ? NULL : hiredis_builders->createArray(task, n);
}
#else
static void *array(const redisReadTask *task, int n)
{
    return n > ELEMENTS ? NULL : hiredis_builders->createArray(task, n);
}
#endif

/* A view is inside its reply, or empty; the whole of it can be read. */
static void look(struct ym_str s)
{
    volatile char sum = 0;

    for (size_t i = 0; i < s.n; i++) {
        sum = (char)(sum ^ s.p[i]);
    }
}

static void claimed(const redisReply *item)
{
    struct ym_claimed c;

    if (!ym_answer_claimed(item, &c)) {
        return;
    }
    if (c.entry.n == 0 || c.id.n == 0 || c.op.n == 0) {
        abort();
    }
    look(c.entry);
    look(c.id);
    look(c.op);
    look(c.token);
    look(c.number);
    look(c.type);
    look(c.owner);
    look(c.org);
    look(c.area);
    look(c.envelope);
    look(c.of);
}

static void answer(const redisReply *r)
{
    struct ym_str envelope;
    int64_t a = 0, b = 0;
    size_t fenced = 0;

    if (ym_answer_claim(r, &a, &b) == YM_ANSWER_OK) {
        for (size_t i = 3; i < ym_reply_count(r); i++) {
            claimed(ym_reply_item(r, i));
        }
    }
    claimed(r);
    if (ym_answer_envelope(r, &envelope)) {
        if (envelope.n == 0) {
            abort();
        }
        look(envelope);
    }
    if (ym_answer_settle(r, &fenced) == YM_ANSWER_OK && fenced > ym_reply_count(r)) {
        abort();
    }
    (void)ym_answer_pair(r, &a, &b);
    for (size_t i = 0; i <= ym_reply_count(r); i++) {
        look(ym_reply_text(r, i));
        (void)ym_reply_int(r, i);
    }
    if (ym_reply_error(r) != NULL) {
        look(ym_str_of(ym_reply_error(r)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = redisReaderCreate();
    size_t step = size > 0 && data[0] > 0 ? data[0] : 1, n;
    void *reply = NULL;

    if (reader == NULL || size == 0) {
        redisReaderFree(reader);
        return 0;
    }
    hiredis_builders = reader->fn;
    builders = *reader->fn;
    builders.createArray = array;
    reader->fn = &builders;

    for (size_t at = 1; at < size; at += n) {
        n = size - at < step ? size - at : step;
        if (redisReaderFeed(reader, (const char *)data + at, n) != REDIS_OK) {
            break;
        }
        while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
            answer(reply);
            freeReplyObject(reply);
        }
        if (reader->err != 0) {
            break;
        }
    }
    redisReaderFree(reader);
    return 0;
}
