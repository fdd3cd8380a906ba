/* SPDX-License-Identifier: Apache-2.0
 * The functions by which hiredis makes its replies (ym_answers.h).
 */
#include "ym_answers.h"

#include "ym_arena.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* The outermost reply of an answer knows where all of it lives. */
struct answer {
    redisReply reply;
    struct ym_arena *arena;
};

/* hiredis hands it to every function; one answer is under way at a time. */
static struct ym_arena **arena_of(const redisReadTask *task)
{
    return task->privdata;
}

/* Room for a reply, in its place in the array around it. */
static redisReply *reply_open(const redisReadTask *task)
{
    struct ym_arena **arena = arena_of(task);
    struct answer *whole;
    redisReply *r, *around;

    if (task->parent != NULL) {
        r = ym_arena_alloc(*arena, sizeof(*r));
        if (r != NULL) {
            around = task->parent->obj;
            around->element[task->idx] = r;
            r->type = task->type;
        }
        return r;
    }
    *arena = ym_arena_open();
    whole = *arena != NULL ? ym_arena_alloc(*arena, sizeof(*whole)) : NULL;
    if (whole == NULL) {
        ym_arena_close(*arena);
        *arena = NULL;
        return NULL;
    }
    whole->arena = *arena;
    whole->reply.type = task->type;
    return &whole->reply;
}

/* What could not be filled: of an array hiredis frees the whole, of an outermost one nobody would. */
static void *reply_failed(const redisReadTask *task)
{
    if (task->parent == NULL) {
        ym_arena_close(*arena_of(task));
        *arena_of(task) = NULL;
    }
    return NULL;
}

static void *make_string(const redisReadTask *task, char *text, size_t n)
{
    redisReply *r = reply_open(task);

    if (r == NULL) {
        return NULL;
    }
    r->str = ym_arena_str(*arena_of(task), (struct ym_str){text, n});
    if (r->str == NULL) {
        return reply_failed(task);
    }
    r->len = n;
    return r;
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t elements)
#else
static void *make_array(const redisReadTask *task, int elements)
#endif
{
    redisReply *r = reply_open(task);

    if (r == NULL) {
        return NULL;
    }
    if (elements > 0) {
        r->element = ym_arena_alloc(*arena_of(task), (size_t)elements * sizeof(*r->element));
        if (r->element == NULL) {
            return reply_failed(task);
        }
    }
    r->elements = (size_t)elements;
    return r;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    redisReply *r = reply_open(task);

    if (r != NULL) {
        r->integer = value;
    }
    return r;
}

static void *make_nil(const redisReadTask *task)
{
    redisReply *r = reply_open(task);

    if (r != NULL) {
        r->type = REDIS_REPLY_NIL; /* the task's is that of what is not there */
    }
    return r;
}

#if HIREDIS_MAJOR >= 1
/* RESP3 is not asked for: the line ends as it would without memory. */
static void *make_double(const redisReadTask *task, double value, char *text, size_t n)
{
    (void)task, (void)value, (void)text, (void)n;
    return NULL;
}

static void *make_bool(const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

static void free_answer(void *p)
{
    ym_answers_free(p);
}

struct redisReader *ym_answers_open(void)
{
    static redisReplyObjectFunctions functions = {
        .createString = make_string,
        .createArray = make_array,
        .createInteger = make_integer,
        .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = make_double,
        .createBool = make_bool,
#endif
        .freeObject = free_answer
    };
    struct ym_arena **arena = calloc(1, sizeof(struct ym_arena *));
    redisReader *r = arena != NULL ? redisReaderCreateWithFunctions(&functions) : NULL;

    if (r == NULL) {
        free(arena);
        return NULL;
    }
    r->privdata = arena;
    return r;
}

void ym_answers_close(struct redisReader *r)
{
    if (r != NULL) {
        void *arena = r->privdata;

        redisReaderFree(r);
        free(arena);
    }
}

void ym_answers_free(const struct redisReply *r)
{
    const struct answer *whole = (const struct answer *)(const void *)r;

    if (whole != NULL) {
        ym_arena_close(whole->arena);
    }
}
