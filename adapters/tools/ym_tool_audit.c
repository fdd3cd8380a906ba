/* SPDX-License-Identifier: Apache-2.0
 * yimen audit: verifies the chain of evidence and takes parts of it out.
 */
#include "ym_archivist.h"
#include "ym_queue.h"
#include "ym_queue_worker.h"
#include "ym_segments.h"
#include "ym_site_ring.h"
#include "ym_store_evidence.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define FINDINGS_MAX 200 /* listed; all are counted */

struct job {
    const char *config, *ring_reference, *from, *to, *record;
    bool json, offline;
    const char *words[2]; /* verb, folder */
    const char *dir;
    struct ym_catalog *catalog; /* NULL when a folder and a ring are named */
    struct ym_ring *ring;
    json_t *findings;
    struct ym_chain_walk walk;
    int64_t from_ms, to_ms;
};

static ym_status open_job(struct job *job, struct ym_err *err)
{
    if (job->ring_reference != NULL) {
        return ym_ring_open(job->ring_reference, &job->ring, err);
    }
    return job->catalog != NULL ? ym_site_ring(job->catalog, &job->ring, err) : YM_OK;
}

static void close_job(struct job *job)
{
    ym_ring_close(job->ring);
    ym_catalog_close(job->catalog);
    json_decref(job->findings);
}

/* ---- verify ---- */

static void found(void *data, const struct ym_chain_finding *f)
{
    struct job *job = data;

    if (job->json) {
        if (json_array_size(job->findings) < FINDINGS_MAX) {
            json_array_append_new(job->findings,
                                  json_pack("{s:s?, s:I, s:I, s:s, s:s}", "file", f->file, "line",
                                            (json_int_t)f->line, "seq", (json_int_t)f->seq, "code",
                                            f->code, "message", f->text));
        }
    } else if (job->walk.findings <= FINDINGS_MAX) {
        printf("%s:%lld: seq %lld: %s: %s\n", f->file != NULL ? f->file : job->dir,
               (long long)f->line, (long long)f->seq, f->code, f->text);
    }
}

static bool walk_line(void *data, struct ym_str text)
{
    ym_chain_walk_line(data, text);
    return true;
}

static ym_status walk_files(struct job *job, struct ym_err *err)
{
    char(*names)[YM_SEGMENTS_NAME] = NULL;
    size_t count = 0, torn = 0;
    ym_status rc = ym_segments_list(job->dir, &names, &count, err);

    for (size_t i = 0; rc == YM_OK && i < count; i++) {
        ym_chain_walk_segment(&job->walk, names[i]);
        rc = ym_segments_read(job->dir, names[i], walk_line, &job->walk, &torn, err);
        if (rc == YM_OK && torn > 0 && i + 1 < count) { /* the last one may be in the making */
            ym_chain_walk_line(&job->walk, YM_STR("torn"));
        }
    }
    if (rc == YM_OK) {
        ym_chain_walk_end(&job->walk);
    }
    if (rc == YM_OK && count == 0 && (job->walk.head_seq > 0 || job->offline)) {
        found(job, &(struct ym_chain_finding){job->dir, 0, 0, "missing", "there is no segment"});
        job->walk.findings++;
    }
    free(names);
    return rc;
}

/* What Redis remembers, asked before the files are read: they can only be further by then. */
static ym_status ask_head(struct job *job, struct ym_err *err)
{
    struct ym_queue *q = NULL;
    struct redisReply *r = NULL;
    char mac[YM_CHAIN_MAC], id[YM_CHAIN_ID];
    ym_status rc = ym_queue_open(&job->catalog->site, &q, err);

    rc = rc == YM_OK ? ym_queue_ask(q, YM_FN_EVIDENCE_HEAD, 0, NULL, 0, &r, err) : rc;
    if (rc == YM_OK && ym_reply_count(r) == 4) {
        (void)snprintf(id, sizeof(id), "%.*s", (int)ym_reply_text(r, 0).n, ym_reply_text(r, 0).p);
        (void)snprintf(mac, sizeof(mac), "%.*s", (int)ym_reply_text(r, 2).n, ym_reply_text(r, 2).p);
        ym_chain_walk_head(&job->walk, ym_reply_int(r, 1), mac, id);
    }
    if (r != NULL) {
        freeReplyObject(r);
    }
    ym_queue_close(q);
    return rc;
}

static void summary(struct job *job, bool asked)
{
    const struct ym_chain_walk *w = &job->walk;

    if (job->json) {
        ym_tool_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:b, s:I, s:O}", "ok",
                               w->findings == 0, "segments", (json_int_t)w->segments, "lines",
                               (json_int_t)w->lines, "first_seq", (json_int_t)w->first_seq,
                               "last_seq", (json_int_t)w->at.seq, "last_mac", w->at.mac, "chain",
                               w->id, "keyed", job->ring != NULL, "head_checked", asked, "faults",
                               (json_int_t)w->findings, "findings", job->findings));
        return;
    }
    if (w->findings > FINDINGS_MAX) {
        printf("… and %lld more\n", (long long)w->findings - FINDINGS_MAX);
    }
    printf("%lld lines in %lld segments, seq %lld to %lld: %s%s%s\n", (long long)w->lines,
           (long long)w->segments, (long long)w->first_seq, (long long)w->at.seq,
           w->findings == 0 ? "all of it holds" : "it does NOT hold",
           asked ? "" : "; the end was not compared with Redis",
           job->ring == NULL ? "; not keyed: whoever can write the files can rewrite them" : "");
}

static int verify(struct job *job)
{
    struct ym_err err = {0}, redis = {0};
    bool asks = !job->offline && job->catalog != NULL && job->words[1] == NULL;
    ym_status rc, asked = asks ? ask_head(job, &redis) : YM_OK;

    job->walk.ring = job->ring;
    job->walk.found = found;
    job->walk.data = job;
    rc = walk_files(job, &err);
    if (rc != YM_OK) {
        ym_tool_error(&err, job->json);
        return YM_EXIT_ENV;
    }
    if (asks && asked == YM_OK && job->walk.head_seq == 0 && job->walk.lines > 0) {
        job->walk.findings++;
        found(job, &(struct ym_chain_finding){job->dir, 0, job->walk.at.seq, "head",
                                              "Redis remembers no chain"});
    }
    summary(job, asks && asked == YM_OK);
    if (job->walk.findings > 0) {
        return YM_EXIT_FOUND;
    }
    if (asked != YM_OK) {
        fprintf(stderr, "yimen audit: %s; --offline verifies the files alone\n", redis.message);
        return YM_EXIT_ENV;
    }
    return YM_EXIT_OK;
}

/* ---- export ---- */

static bool export_line(void *data, struct ym_str text)
{
    static const struct ym_json_limits limits = {YM_CHAIN_LINE_MAX, 8, 1000};
    struct job *job = data;
    json_t *v = NULL;
    const char *at, *id;
    int64_t ms;

    if (ym_json_parse(text, &limits, &v, NULL) == YM_OK) {
        at = ym_json_str(v, "at");
        id = ym_json_str(v, "id");
        if (at != NULL && ym_time_parse(ym_str_of(at), YM_CHINA_OFFSET_MIN, &ms) &&
            ms >= job->from_ms && ms < job->to_ms &&
            (job->record == NULL || (id != NULL && strcmp(id, job->record) == 0))) {
            fwrite(text.p, 1, text.n, stdout);
            putchar('\n');
        }
    }
    json_decref(v);
    return true;
}

static bool read_time(const char *text, int64_t otherwise, int64_t *ret)
{
    *ret = otherwise;
    if (text == NULL || ym_time_parse(ym_str_of(text), YM_CHINA_OFFSET_MIN, ret)) {
        return true;
    }
    fprintf(stderr, "yimen audit: \"%s\" is no date (2026-01-31) and no RFC 3339 time\n", text);
    return false;
}

static int export(struct job *job)
{
    char(*names)[YM_SEGMENTS_NAME] = NULL;
    size_t count = 0, torn;
    struct ym_err err = {0};
    ym_status rc;

    if (!read_time(job->from, 0, &job->from_ms) || !read_time(job->to, INT64_MAX, &job->to_ms)) {
        return YM_EXIT_USAGE;
    }
    rc = ym_segments_list(job->dir, &names, &count, &err);
    for (size_t i = 0; rc == YM_OK && i < count; i++) {
        rc = ym_segments_read(job->dir, names[i], export_line, job, &torn, &err);
    }
    free(names);
    if (rc != YM_OK) {
        ym_tool_error(&err, false);
        return YM_EXIT_ENV;
    }
    return YM_EXIT_OK;
}

/* ---- */

static int run(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},   {"ring", &job.ring_reference, NULL},
        {"from", &job.from, NULL},       {"to", &job.to, NULL},
        {"record", &job.record, NULL},   {"json", NULL, &job.json},
        {"offline", NULL, &job.offline}, {NULL, NULL, NULL},
    };
    struct ym_err err = {0};
    size_t n;
    int code = YM_EXIT_USAGE;

    if (!ym_tool_options(&ym_tool_audit, argc, argv, opts, job.words, 1, 2, &n)) {
        return code;
    }
    bool verifies = strcmp(job.words[0], "verify") == 0;
    if (!verifies && strcmp(job.words[0], "export") != 0) {
        ym_tool_help(&ym_tool_audit, true);
        return code;
    }
    if (job.words[1] == NULL || job.config != NULL) {
        job.catalog = ym_tool_catalog(job.config, job.json, &code);
        if (job.catalog == NULL) {
            return code;
        }
        job.dir = ym_arena_printf(job.catalog->arena, "%s/%s", job.catalog->site.state_dir,
                                  YM_ARCHIVIST_DIR);
    }
    job.dir = job.words[1] != NULL ? job.words[1] : job.dir;
    job.findings = json_array();
    if (job.dir == NULL || open_job(&job, &err) != YM_OK) {
        ym_tool_error(&err, job.json);
        code = YM_EXIT_ENV;
    } else {
        code = verifies ? verify(&job) : export(&job);
    }
    close_job(&job);
    return code;
}

const struct ym_tool ym_tool_audit = {
    "audit",
    "verify the chain of evidence, or take a part of it out",
    "usage: yimen audit verify [DIR] [--ring REF] [--offline] [--json] [--config FILE]\n"
    "       yimen audit export [DIR] [--from TIME] [--to TIME] [--record ID]\n"
    "                          [--config FILE]\n\n"
    "  verify  reads every segment, names every line that was altered, left out, put in or moved\n"
    "          (file:line, seq), and compares the end with what Redis remembers; exit 1 when\n"
    "          anything does not hold. With DIR it works on a copy, without Redis.\n"
    "  export  prints the lines from TIME until before TIME (a date or RFC 3339), as they stand;\n"
    "          with --record those of one record: who filed it, what each system took, who saw "
    "it\n",
    run,
};
