/* SPDX-License-Identifier: Apache-2.0
 * Blocking calls of the store for the supervisor and the tools (ym_queue.h), every wait with a
 * deadline. The workers have lines of their own (ym_line.h).
 */
#include "ym_queue.h"

#include "ym_access.h"
#include "ym_id.h"
#include "ym_store.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define QUEUE_CONNECT_S 3
#define QUEUE_ANSWER_S 15
#define QUEUE_ARGS_MAX 4096
#define QUEUE_READ_MAX 80 /* words of ym_queue_read */
#define QUEUE_DEPTH_MAX 8 /* of an answer; the deepest of the store has 4 */

struct ym_queue {
    struct ym_access access;
    redisContext *ctx; /* NULL = to be connected anew */
    bool current;      /* the server's library is ours */
};

/* Sends one command. *ret is NULL unless YM_OK; a lost connection is forgotten. */
static ym_status queue_command(struct ym_queue *q, const char **argv, const size_t *lens,
                               size_t argc, redisReply **ret, struct ym_err *err)
{
    redisReply *r = redisCommandArgv(q->ctx, (int)argc, argv, lens);

    if (r == NULL) {
        ym_err_set(err, YM_EIO, "Redis does not answer: %s", q->ctx->errstr);
        redisFree(q->ctx);
        q->ctx = NULL;
        return YM_EIO;
    }
    if (r->type == REDIS_REPLY_ERROR) {
        ym_err_set(err, YM_EIO, "Redis refuses: %s", r->str);
        freeReplyObject(r);
        return YM_EIO;
    }
    *ret = r;
    return YM_OK;
}

static ym_status queue_command_z(struct ym_queue *q, const char *const *words, size_t n,
                                 struct ym_str last, redisReply **ret, struct ym_err *err)
{
    const char *argv[8];
    size_t lens[8], argc = 0;

    for (; argc < n && argc < YM_COUNT(argv) - 1; argc++) {
        argv[argc] = words[argc];
        lens[argc] = strlen(words[argc]);
    }
    if (last.p != NULL) {
        argv[argc] = last.p;
        lens[argc++] = last.n;
    }
    return queue_command(q, argv, lens, argc, ret, err);
}

static ym_status queue_connect(struct ym_queue *q, struct ym_err *err)
{
    static const char *const auth[] = {"AUTH"};
    struct timeval connect_tv = {QUEUE_CONNECT_S, 0}, answer_tv = {QUEUE_ANSWER_S, 0};
    const struct ym_access *a = &q->access;
    redisReply *r;
    ym_status rc;

    if (q->ctx != NULL) {
        return YM_OK;
    }
    /* both forms were checked by ym_access_init, so the port is a short decimal */
    q->ctx = a->path != NULL
                 ? redisConnectUnixWithTimeout(a->path, connect_tv)
                 : redisConnectWithTimeout(a->host, (int)strtol(a->port, NULL, 10), connect_tv);
    if (q->ctx == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory for a Redis connection");
    }
    if (q->ctx->err != 0) {
        ym_err_set(err, YM_EIO, "Redis cannot be reached at %s%s%s: %s",
                   a->path != NULL ? a->path : a->host, a->path != NULL ? "" : ":",
                   a->path != NULL ? "" : a->port, q->ctx->errstr);
        redisFree(q->ctx);
        q->ctx = NULL;
        return YM_EIO;
    }
    redisSetTimeout(q->ctx, answer_tv);

    if (a->password != NULL) {
        rc = queue_command_z(q, auth, YM_COUNT(auth), ym_str_of(a->password), &r, err);
        if (rc != YM_OK) {
            redisFree(q->ctx);
            q->ctx = NULL;
            return rc;
        }
        freeReplyObject(r);
    }
    return YM_OK;
}

/* Whether the server has a library of our version. An absent one is no error. */
static ym_status queue_look(struct ym_queue *q, struct ym_err *err)
{
    static const char *const version[] = {"FCALL", YM_FN_VERSION, "1", "{s0}"};
    struct ym_err why = {0};
    redisReply *r;
    ym_status rc;

    q->current = false;
    rc = queue_command_z(q, version, YM_COUNT(version), YM_STR_NULL, &r, &why);
    if (rc != YM_OK) {
        if (q->ctx != NULL && strstr(why.message, "not found") != NULL) {
            return YM_OK;
        }
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    q->current = r->str != NULL && strcmp(r->str, YM_STORE_VERSION) == 0;
    freeReplyObject(r);
    return YM_OK;
}

ym_status ym_queue_open(const struct ym_site *site, struct ym_queue **ret, struct ym_err *err)
{
    struct ym_queue *q = calloc(1, sizeof(*q));
    ym_status rc;

    if (q == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    rc = ym_access_init(&q->access, site, err);
    if (rc == YM_OK) {
        rc = queue_connect(q, err);
    }
    if (rc == YM_OK) {
        rc = queue_look(q, err);
    }
    if (rc != YM_OK) {
        ym_queue_close(q);
        return rc;
    }
    *ret = q;
    return YM_OK;
}

void ym_queue_close(struct ym_queue *q)
{
    if (q == NULL) {
        return;
    }
    if (q->ctx != NULL) {
        redisFree(q->ctx);
    }
    ym_access_clear(&q->access);
    free(q);
}

static json_t *queue_json(const redisReply *r, int depth)
{
    json_t *list, *item;

    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        return json_integer(r->integer);
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return json_stringn(r->str, (size_t)r->len);
    case REDIS_REPLY_NIL:
        return json_null();
    case REDIS_REPLY_ARRAY:
        break;
    default:
        return NULL;
    }

    list = depth < QUEUE_DEPTH_MAX ? json_array() : NULL;
    for (size_t i = 0; list != NULL && i < r->elements; i++) {
        item = queue_json(r->element[i], depth + 1);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* Connected, and to a server with our library. */
static ym_status queue_ready(struct ym_queue *q, struct ym_err *err)
{
    ym_status rc = queue_connect(q, err);

    if (rc == YM_OK && !q->current) {
        rc = queue_look(q, err);
    }
    if (rc == YM_OK && !q->current) {
        rc = ym_err_set(err, YM_EUNSUPPORTED,
                        "Redis does not hold version %s of the function library %s; start "
                        "yimen-dispatcher of this build once, it loads it",
                        YM_STORE_VERSION, YM_STORE_LIBRARY);
    }
    return rc;
}

ym_status ym_queue_ask(struct ym_queue *q, const char *fn, unsigned shard,
                       const struct ym_str *argv, size_t argc, struct redisReply **ret,
                       struct ym_err *err)
{
    const char **words = NULL;
    size_t *lens = NULL;
    char tag[16];
    ym_status rc;

    if (argc > QUEUE_ARGS_MAX) {
        return ym_err_set(err, YM_ETOOBIG, "%s: more than %d arguments", fn, QUEUE_ARGS_MAX);
    }
    rc = queue_ready(q, err);
    if (rc != YM_OK) {
        return rc;
    }
    words = calloc(argc + 4, sizeof(*words));
    lens = calloc(argc + 4, sizeof(*lens));
    if (words == NULL || lens == NULL) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
        goto done;
    }
    snprintf(tag, sizeof(tag), "{s%u}", shard);
    words[0] = "FCALL";
    words[1] = fn;
    words[2] = "1";
    words[3] = tag;
    for (size_t i = 0; i < 4; i++) {
        lens[i] = strlen(words[i]);
    }
    for (size_t i = 0; i < argc; i++) {
        words[4 + i] = argv[i].p != NULL ? argv[i].p : "";
        lens[4 + i] = argv[i].n;
    }
    rc = queue_command(q, words, lens, argc + 4, ret, err);
done:
    free(words);
    free(lens);
    return rc;
}

ym_status ym_queue_read(struct ym_queue *q, const struct ym_str *words, size_t count,
                        struct redisReply **ret, struct ym_err *err)
{
    const char *argv[QUEUE_READ_MAX];
    size_t lens[QUEUE_READ_MAX];
    ym_status rc = count <= QUEUE_READ_MAX ? queue_ready(q, err) : YM_ETOOBIG;

    if (rc != YM_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        argv[i] = words[i].p;
        lens[i] = words[i].n;
    }
    return queue_command(q, argv, lens, count, ret, err);
}

ym_status ym_queue_call(struct ym_queue *q, const char *fn, unsigned shard, const char *const *argv,
                        size_t argc, json_t **ret, struct ym_err *err)
{
    struct ym_str *args = calloc(argc + 1, sizeof(*args));
    redisReply *r = NULL;
    json_t *tree = NULL;
    ym_status rc;

    if (args == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < argc; i++) {
        args[i] = ym_str_of(argv[i]);
    }
    rc = ym_queue_ask(q, fn, shard, args, argc, &r, err);
    free(args);
    if (rc != YM_OK) {
        return rc;
    }
    tree = queue_json(r, 0);
    freeReplyObject(r);
    if (tree == NULL) {
        return ym_err_set(err, YM_EINVAL, "%s: an answer that cannot be read", fn);
    }
    *ret = tree;
    return YM_OK;
}

/* Whether FUNCTION LIST's answer holds exactly our text. */
static bool queue_same_code(const redisReply *list)
{
    const redisReply *lib;
    struct ym_str ours = ym_access_library();

    if (list->type != REDIS_REPLY_ARRAY || list->elements != 1) {
        return false;
    }
    lib = list->element[0];
    for (size_t i = 0; lib->type == REDIS_REPLY_ARRAY && i + 1 < lib->elements; i += 2) {
        if (lib->element[i]->str != NULL && strcmp(lib->element[i]->str, "library_code") == 0) {
            return ym_str_eq(
                (struct ym_str){lib->element[i + 1]->str, (size_t)lib->element[i + 1]->len}, ours);
        }
    }
    return false;
}

ym_status ym_queue_load_functions(struct ym_queue *q, struct ym_err *err)
{
    static const char *const list[] = {"FUNCTION", "LIST", "LIBRARYNAME", YM_STORE_LIBRARY,
                                       "WITHCODE"};
    static const char *const load[] = {"FUNCTION", "LOAD", "REPLACE"};
    redisReply *r;
    bool same;
    ym_status rc;

    rc = queue_connect(q, err);
    if (rc != YM_OK) {
        return rc;
    }
    /* by text, not by version: a server may keep what a developer loaded an hour ago */
    rc = queue_command_z(q, list, YM_COUNT(list), YM_STR_NULL, &r, err);
    if (rc != YM_OK) {
        return rc;
    }
    same = queue_same_code(r);
    freeReplyObject(r);
    if (!same) {
        rc = queue_command_z(q, load, YM_COUNT(load), ym_access_library(), &r, err);
        if (rc != YM_OK) {
            return rc;
        }
        freeReplyObject(r);
    }

    rc = queue_look(q, err);
    if (rc == YM_OK && !q->current) {
        rc = ym_err_set(err, YM_EUNSUPPORTED,
                        "the function library that was loaded is not version %s", YM_STORE_VERSION);
    }
    return rc;
}
