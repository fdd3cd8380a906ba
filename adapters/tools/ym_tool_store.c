/* SPDX-License-Identifier: Apache-2.0
 * yimen store and yimen reconcile: the function library in Redis, counters, and repair.
 */
#include "ym_conf.h"
#include "ym_queue.h"
#include "ym_store.h"
#include "ym_tool.h"

#include <stdio.h>

#define RECONCILE_STEP "500"
#define RECONCILE_CALLS 1000000 /* a cursor that never ends is a fault, not a reason to hang */

struct job {
    const char *config;
    const char *words[1];
    bool json;
};

static struct ym_catalog *open_both(const struct job *job, struct ym_queue **ret, int *ret_exit)
{
    struct ym_err err = {0};
    struct ym_catalog *c = ym_tool_catalog(job->config, job->json, ret_exit);
    if (c != NULL && ym_queue_open(&c->site, ret, &err) != YM_OK) {
        ym_tool_error(&err, job->json);
        *ret_exit = YM_EXIT_ENV;
        ym_catalog_close(c);
        return NULL;
    }
    return c;
}

/* ---- store load, store status ---- */

static int load(const struct job *job, struct ym_queue *q)
{
    struct ym_err err = {0};
    if (ym_queue_load_functions(q, &err) != YM_OK) {
        ym_tool_error(&err, job->json);
        return YM_EXIT_ENV;
    }
    if (job->json) {
        ym_tool_json(json_pack("{s:b, s:s}", "ok", 1, "version", YM_STORE_VERSION));
    } else {
        printf("function library %s, version %s, is in place\n", YM_STORE_LIBRARY,
               YM_STORE_VERSION);
    }
    return YM_EXIT_OK;
}

static json_int_t number_of(const json_t *v)
{
    int64_t n = 0;
    if (json_is_string(v)) {
        ym_int_parse(ym_str_of(json_string_value(v)), &n);
        return n;
    }
    return json_integer_value(v);
}

/* Adds [[system, name, value, …], …] of one shard; oldest_ms is the smallest that is not 0. */
static void add_counts(json_t *all, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_array_get(row, 0));
        json_t *sum = id != NULL ? json_object_get(all, id) : NULL;
        if (id != NULL && sum == NULL) {
            sum = json_object();
            json_object_set_new(all, id, sum);
        }
        for (size_t k = 1; sum != NULL && k + 1 < json_array_size(row); k += 2) {
            const char *name = json_string_value(json_array_get(row, k));
            json_int_t v = number_of(json_array_get(row, k + 1));
            json_int_t have = json_integer_value(json_object_get(sum, name));
            bool oldest = name != NULL && strcmp(name, "oldest_ms") == 0;
            json_int_t now = !oldest ? have + v : have == 0 || (v != 0 && v < have) ? v : have;
            if (name != NULL) {
                json_object_set_new(sum, name, json_integer(now));
            }
        }
    }
}

static int status(const struct job *job, struct ym_catalog *c, struct ym_queue *q)
{
    struct ym_err err = {0};
    json_t *all = json_object(), *counts, *v;
    const char **ids = ym_arena_alloc(c->arena, c->system_count * sizeof(*ids));
    const char *id, *name;
    for (size_t i = 0; ids != NULL && i < c->system_count; i++) {
        ids[i] = c->systems[i].id;
    }
    for (unsigned shard = 0; ids != NULL && shard < (unsigned)c->site.shards; shard++) {
        json_t *rows = NULL;
        if (ym_queue_call(q, YM_FN_COUNTS, shard, ids, c->system_count, &rows, &err) != YM_OK) {
            json_decref(all);
            ym_tool_error(&err, job->json);
            return YM_EXIT_ENV;
        }
        add_counts(all, rows);
        json_decref(rows);
    }
    if (job->json) {
        ym_tool_json(json_pack("{s:s, s:I, s:o}", "version", YM_STORE_VERSION, "shards",
                               (json_int_t)c->site.shards, "systems", all));
        return YM_EXIT_OK;
    }
    printf("function library %s, version %s; %lld shards\n", YM_STORE_LIBRARY, YM_STORE_VERSION,
           (long long)c->site.shards);
    json_object_foreach(all, id, counts)
    {
        printf("%-20s", id);
        json_object_foreach(counts, name, v)
        {
            printf(" %s=%lld", name, (long long)json_integer_value(v));
        }
        putchar('\n');
    }
    json_decref(all);
    return YM_EXIT_OK;
}

static int run_store(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},
        {"json", NULL, &job.json},
        {NULL, NULL, NULL},
    };
    struct ym_queue *q = NULL;
    size_t n;
    int code = YM_EXIT_USAGE;
    if (!ym_tool_options(&ym_tool_store, argc, argv, opts, job.words, 1, 1, &n)) {
        return code;
    }
    bool loads = strcmp(job.words[0], "load") == 0;
    if (!loads && strcmp(job.words[0], "status") != 0) {
        ym_tool_help(&ym_tool_store, true);
        return code;
    }
    struct ym_catalog *c = open_both(&job, &q, &code);
    if (c != NULL) {
        code = loads ? load(&job, q) : status(&job, c, q);
        ym_queue_close(q);
        ym_catalog_close(c);
    }
    return code;
}

const struct ym_tool ym_tool_store = {
    "store",
    "load the function library into Redis, or show counters",
    "usage: yimen store load|status [--json] [--config FILE]\n\n"
    "  load    puts the function library of this version into Redis; safe to repeat\n"
    "  status  version and counters of every system\n",
    run_store,
};

/* ---- reconcile ---- */

/* Repairs one shard; what was done is added to list. */
static ym_status reconcile_shard(struct ym_queue *q, unsigned shard, bool json, json_t *list,
                                 struct ym_err *err)
{
    char cursor[256] = "";
    for (int call = 0; call < RECONCILE_CALLS; call++) {
        const char *argv[] = {cursor, RECONCILE_STEP};
        json_t *reply = NULL, *row;
        size_t i;
        ym_status rc = ym_queue_call(q, YM_FN_RECONCILE, shard, argv, 2, &reply, err);
        if (rc != YM_OK) {
            return rc;
        }
        const char *next = json_string_value(json_array_get(reply, 0));
        json_array_foreach(reply, i, row)
        {
            if (i == 0) {
                continue;
            }
            const char *what = json_string_value(json_array_get(row, 0));
            const char *id = json_string_value(json_array_get(row, 1));
            const char *system = json_string_value(json_array_get(row, 2));
            json_array_append_new(
                list, json_pack("{s:s?, s:s?, s:s?}", "what", what, "id", id, "system", system));
            if (!json) {
                printf("%s %s %s\n", what != NULL ? what : "", id != NULL ? id : "",
                       system != NULL ? system : "");
            }
        }
        bool more = next != NULL && next[0] != '\0' && strlen(next) < sizeof(cursor);
        snprintf(cursor, sizeof(cursor), "%s", more ? next : "");
        json_decref(reply);
        if (!more) {
            return YM_OK;
        }
    }
    return ym_err_set(err, YM_ETOOBIG, "reconcile does not come to an end");
}

static int run_reconcile(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},
        {"json", NULL, &job.json},
        {NULL, NULL, NULL},
    };
    struct ym_queue *q = NULL;
    struct ym_err err = {0};
    size_t n;
    int code = YM_EXIT_USAGE;
    if (!ym_tool_options(&ym_tool_reconcile, argc, argv, opts, NULL, 0, 0, &n)) {
        return code;
    }
    struct ym_catalog *c = open_both(&job, &q, &code);
    if (c == NULL) {
        return code;
    }
    json_t *list = json_array();
    ym_status rc = YM_OK;
    for (unsigned shard = 0; rc == YM_OK && shard < (unsigned)c->site.shards; shard++) {
        rc = reconcile_shard(q, shard, job.json, list, &err);
    }
    code = YM_EXIT_OK;
    if (rc != YM_OK) {
        ym_tool_error(&err, job.json);
        code = YM_EXIT_ENV;
    } else if (job.json) {
        ym_tool_json(
            json_pack("{s:I, s:O}", "repaired", (json_int_t)json_array_size(list), "list", list));
    } else {
        printf("%zu repairs\n", json_array_size(list));
    }
    json_decref(list);
    ym_queue_close(q);
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_reconcile = {
    "reconcile",
    "find and repair what a crash left behind in the store",
    "usage: yimen reconcile [--json] [--config FILE]\n\n"
    "Goes through every shard, repairs what does not agree and says what it did. Safe to repeat "
    "and to\n"
    "run beside a working system.\n",
    run_reconcile,
};
