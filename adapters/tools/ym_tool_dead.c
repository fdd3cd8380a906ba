/* SPDX-License-Identifier: Apache-2.0
 * yimen dead: deliveries that need a person, as a list, and their replay with an audit entry.
 */
#include "ym_conf.h"
#include "ym_envelope.h"
#include "ym_queue.h"
#include "ym_site_ring.h"
#include "ym_store.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define LIST_MAX "1000" /* per page */
#define LIST_PAGES 100
#define REPLAY_MAX "1000" /* per call; calls are repeated while there is more */
#define REPLAY_CALLS 1000

struct job {
    const char *config, *since, *why, *states;
    const char *words[2];
    size_t count;
    bool json, dry;
    struct ym_ring *ring;
};

static const struct {
    const char *word, *letter;
} states[] = {
    {"dead", "x"}, {"rejected", "j"}, {"unknown", "u"}, {"handoff", "h"}, {"retrying", "r"},
};

static const char *word_of(const char *letter)
{
    for (size_t i = 0; i < YM_COUNT(states); i++) {
        if (letter != NULL && strcmp(states[i].letter, letter) == 0) {
            return states[i].word;
        }
    }
    return "";
}

/* "dead,rejected" → "xj"; only letters of `allowed`. */
static bool letters_of(const char *list, const char *allowed, char out[8])
{
    size_t n = 0;
    for (const char *p = list; *p != '\0';) {
        size_t len = strcspn(p, ","), i = 0;
        while (i < YM_COUNT(states) &&
               (strlen(states[i].word) != len || memcmp(states[i].word, p, len) != 0)) {
            i++;
        }
        if (i == YM_COUNT(states) || strchr(allowed, states[i].letter[0]) == NULL || n == 7) {
            return false;
        }
        out[n++] = states[i].letter[0];
        p += len + (p[len] == ',');
    }
    out[n] = '\0';
    return n != 0;
}

/* 2h (ago) or a time. */
static bool since_of(const char *text, int64_t *ret)
{
    int64_t span;
    if (text == NULL) {
        *ret = 0;
        return true;
    }
    if (ym_duration_parse(ym_str_of(text), &span)) {
        *ret = ym_now_ms() - span;
        return true;
    }
    return ym_time_parse(ym_str_of(text), YM_CHINA_OFFSET_MIN, ret);
}

static const char *who(struct ym_arena *a)
{
    const struct passwd *p = getpwuid(getuid());
    const char *name = p != NULL ? ym_arena_printf(a, "cli:%s", p->pw_name) : NULL;
    return name != NULL ? name : "cli";
}

/* ---- list ---- */

/* The store answers numbers as integers or as text. */
static int64_t number_of(const json_t *v)
{
    int64_t n = 0;
    if (json_is_string(v)) {
        ym_int_parse(ym_str_of(json_string_value(v)), &n);
        return n;
    }
    return json_integer_value(v);
}

static const json_t *row_at(const json_t *rows, size_t row, size_t cell)
{
    return json_array_get(json_array_get(rows, row), cell);
}

/* One row of the store: [id, system, letter, since_ms, attempts, problem_json]. */
static json_t *row_json(const struct job *job, const json_t *row)
{
    char since[YM_TIME_TEXT];
    const char *kept = json_string_value(json_array_get(row, 5));
    const char *id = json_string_value(json_array_get(row, 0));
    struct ym_buf problem;
    json_t *p = NULL;

    ym_buf_init(&problem, 1 << 16);
    if (kept != NULL &&
        ym_problem_open(job->ring, ym_str_of(id), ym_str_of(kept), &problem, NULL) == YM_OK) {
        p = json_loadb(problem.p != NULL ? problem.p : "", problem.n, 0, NULL);
    }
    ym_buf_wipe(&problem);
    ym_time_format(number_of(json_array_get(row, 3)), YM_TIME_RFC3339, YM_CHINA_OFFSET_MIN, since);
    return json_pack("{s:s?, s:s?, s:s, s:s, s:I, s:o}", "id", id, "system",
                     json_string_value(json_array_get(row, 1)), "state",
                     word_of(json_string_value(json_array_get(row, 2))), "since", since, "attempts",
                     (json_int_t)number_of(json_array_get(row, 4)), "problem",
                     p != NULL ? p : json_null());
}

static void row_print(const json_t *row)
{
    const json_t *p = json_object_get(row, "problem");
    const char *message = ym_json_str(p, "message"), *code = ym_json_str(p, "code");
    printf("%s  %-20s %-9s %s  %lld attempts  %s%s%s\n", ym_json_str(row, "id"),
           ym_json_str(row, "system"), ym_json_str(row, "state"), ym_json_str(row, "since"),
           (long long)json_integer_value(json_object_get(row, "attempts")),
           code != NULL ? code : "", code != NULL && message != NULL ? ": " : "",
           message != NULL ? message : "");
}

/* Pages of one shard, newest first; the last row's time leads on. */
static ym_status list_shard(const struct job *job, struct ym_queue *q, unsigned shard,
                            const char *system, const char *letters, json_t *all,
                            struct ym_err *err)
{
    char before[24] = "0";
    for (int page = 0; page < LIST_PAGES; page++) {
        const char *argv[] = {system, letters, before, LIST_MAX};
        json_t *rows = NULL, *row;
        size_t i;
        ym_status rc = ym_queue_call(q, YM_FN_EXCEPTIONS, shard, argv, YM_COUNT(argv), &rows, err);
        if (rc != YM_OK) {
            return rc;
        }
        size_t n = json_array_size(rows);
        json_array_foreach(rows, i, row)
        {
            json_array_append_new(all, row_json(job, row));
        }
        if (n != 0) {
            snprintf(before, sizeof(before), "%lld", (long long)number_of(row_at(rows, n - 1, 3)));
        }
        json_decref(rows);
        if (n == 0) {
            break;
        }
    }
    return YM_OK;
}

static ym_status list(const struct job *job, struct ym_catalog *c, struct ym_queue *q,
                      const char *letters, json_t *all, struct ym_err *err)
{
    const char *system = job->count > 1 ? job->words[1] : "";
    ym_status rc = YM_OK;
    for (unsigned shard = 0; rc == YM_OK && shard < (unsigned)c->site.shards; shard++) {
        rc = list_shard(job, q, shard, system, letters, all, err);
    }
    return rc;
}

static int run_list(const struct job *job, struct ym_catalog *c, struct ym_queue *q)
{
    char letters[8];
    struct ym_err err = {0};
    json_t *all = json_array(), *row;
    size_t i;
    if (!letters_of(job->states != NULL ? job->states : "dead", "xjuh", letters)) {
        fputs("yimen dead: --state takes dead, rejected, unknown, handoff, joined by commas\n",
              stderr);
        json_decref(all);
        return YM_EXIT_USAGE;
    }
    ym_status rc = list(job, c, q, letters, all, &err);
    if (rc != YM_OK) {
        json_decref(all);
        ym_tool_error(&err, job->json);
        return YM_EXIT_ENV;
    }
    if (job->json) {
        ym_tool_json(
            json_pack("{s:I, s:o}", "count", (json_int_t)json_array_size(all), "deliveries", all));
        return YM_EXIT_OK;
    }
    json_array_foreach(all, i, row)
    {
        row_print(row);
    }
    printf("%zu deliveries\n", json_array_size(all));
    json_decref(all);
    return YM_EXIT_OK;
}

/* ---- replay ---- */

/* All of one system on one shard; dry counts only. */
static ym_status replay_shard(const struct job *job, struct ym_queue *q, unsigned shard,
                              const char *const *argv, json_int_t *ret, bool *ret_more,
                              struct ym_err *err)
{
    for (int call = 0; call < REPLAY_CALLS; call++) {
        json_t *reply = NULL;
        ym_status rc = ym_queue_call(q, YM_FN_REPLAY, shard, argv, 7, &reply, err);
        if (rc != YM_OK) {
            return rc;
        }
        *ret += number_of(json_array_get(reply, 0));
        bool more = number_of(json_array_get(reply, 1)) != 0;
        json_decref(reply);
        *ret_more = *ret_more || (more && job->dry);
        if (!more || job->dry) {
            break;
        }
    }
    return YM_OK;
}

/* A reason may name people: it is kept as the gateway keeps it. */
static ym_status seal_why(const struct job *job, struct ym_buf *out, struct ym_err *err)
{
    struct ym_str why = ym_str_of(job->why);

    if (job->ring == NULL || why.n == 0) {
        return ym_buf_add(out, why.p, why.n);
    }
    return ym_seal_text(job->ring, YM_STR("why"), why, out, err);
}

static int run_replay(const struct job *job, struct ym_catalog *c, struct ym_queue *q)
{
    char letters[8], since[24];
    int64_t ms;
    struct ym_err err = {0};
    struct ym_buf why;
    json_t *counts = json_object();
    json_int_t total = 0;
    bool more = false; /* a dry run stops counting at REPLAY_MAX per shard */
    int code = YM_EXIT_USAGE;
    ym_buf_init(&why, 1 << 16);
    if (!letters_of(job->states != NULL ? job->states : "dead", "xj", letters) ||
        !since_of(job->since, &ms)) {
        fputs("yimen dead: --state takes dead and rejected; --since a time or a span such as 2h\n",
              stderr);
        goto done;
    }
    if (job->why == NULL && !job->dry) {
        fputs("yimen dead replay: --why says the reason; it is written into the audit\n", stderr);
        goto done;
    }
    snprintf(since, sizeof(since), "%lld", (long long)ms);
    if (seal_why(job, &why, &err) != YM_OK) {
        ym_tool_error(&err, job->json);
        code = YM_EXIT_ENV;
        goto done;
    }
    for (size_t i = 0; i < c->system_count; i++) {
        const char *id = c->systems[i].id;
        const char *argv[] = {id,
                              letters,
                              since,
                              REPLAY_MAX,
                              who(c->arena),
                              why.p != NULL ? why.p : "",
                              job->dry ? "1" : "0"};
        json_int_t n = 0;
        if (job->count > 1 && strcmp(job->words[1], id) != 0) {
            continue;
        }
        for (unsigned shard = 0; shard < (unsigned)c->site.shards; shard++) {
            if (replay_shard(job, q, shard, argv, &n, &more, &err) != YM_OK) {
                ym_tool_error(&err, job->json);
                code = YM_EXIT_ENV;
                goto done;
            }
        }
        if (n != 0) {
            json_object_set_new(counts, id, json_integer(n));
        }
        total += n;
    }
    code = YM_EXIT_OK;
    if (job->json) {
        ym_tool_json(
            json_pack("{s:b, s:I, s:O}", "dry_run", job->dry, "count", total, "systems", counts));
        goto done;
    }
    const char *id;
    json_t *n;
    json_object_foreach(counts, id, n)
    {
        printf("%-20s %lld\n", id, (long long)json_integer_value(n));
    }
    printf("%s%lld deliveries %s\n", more ? "at least " : "", (long long)total,
           job->dry ? "would be replayed" : "are queued again");
done:
    ym_buf_clear(&why);
    json_decref(counts);
    return code;
}

static int run(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},
        {"since", &job.since, NULL},
        {"why", &job.why, NULL},
        {"state", &job.states, NULL},
        {"dry-run", NULL, &job.dry},
        {"json", NULL, &job.json},
        {NULL, NULL, NULL},
    };
    struct ym_queue *q = NULL;
    struct ym_err err = {0};
    int code = YM_EXIT_USAGE;
    if (!ym_tool_options(&ym_tool_dead, argc, argv, opts, job.words, 1, 2, &job.count)) {
        return code;
    }
    bool lists = strcmp(job.words[0], "list") == 0;
    if (!lists && strcmp(job.words[0], "replay") != 0) {
        ym_tool_help(&ym_tool_dead, true);
        return code;
    }
    struct ym_catalog *c = ym_tool_catalog(job.config, job.json, &code);
    if (c == NULL) {
        return code;
    }
    if (job.count > 1 && ym_tool_system(c, job.words[1]) == NULL) {
        code = YM_EXIT_USAGE;
    } else if (ym_site_ring(c, &job.ring, &err) != YM_OK ||
               ym_queue_open(&c->site, &q, &err) != YM_OK) {
        ym_tool_error(&err, job.json);
        code = YM_EXIT_ENV;
    } else {
        code = lists ? run_list(&job, c, q) : run_replay(&job, c, q);
    }
    ym_queue_close(q);
    ym_ring_close(job.ring);
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_dead = {
    "dead",
    "list or replay deliveries that gave up",
    "usage: yimen dead list   [SYSTEM] [--state dead,rejected,unknown,handoff] [--json] [--config "
    "FILE]\n"
    "       yimen dead replay [SYSTEM] --why TEXT [--since 2h|TIME] [--state dead,rejected]\n"
    "                         [--dry-run] [--json] [--config FILE]\n\n"
    "  --why      the reason; written into the audit with your account's name\n"
    "  --since    only those that gave up within this span or after this time\n"
    "  --state    which ones; dead when left out\n"
    "  --dry-run  count only\n",
    run,
};
