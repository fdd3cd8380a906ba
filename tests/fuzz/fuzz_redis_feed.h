/* SPDX-License-Identifier: Apache-2.0
 * Bytes in Redis's place: cut into pieces as a network cuts them, read by hiredis under the limit on
 * arrays that we set. The first byte is the length of the pieces.
 */
#ifndef FUZZ_REDIS_FEED_H
#define FUZZ_REDIS_FEED_H

#include "ym_base.h"

#include <hiredis/hiredis.h>

#define ELEMENTS 65536 /* as in ngx_module/ngx_http_yimen_redis_event.c */

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

/* Every reply that comes of it is shown to answer. */
static void feed(const uint8_t *data, size_t size, void (*answer)(redisReply *reply))
{
    redisReader *reader = redisReaderCreate();
    size_t step = size > 0 && data[0] > 0 ? data[0] : 1, n;
    void *reply = NULL;

    if (reader == NULL || size == 0) {
        redisReaderFree(reader);
        return;
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
}

#endif
