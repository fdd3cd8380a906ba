/* SPDX-License-Identifier: Apache-2.0
 * yimen render: the exact bytes one system would get for a record, and where each field comes from.
 * Nothing is sent and no secret is read: the names of secrets stand where their values would.
 */
#include "ym_conf.h"
#include "ym_render.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <stdio.h>

#define RENDER_BYTES (24u << 20)

/* "‹secret appKey›" for every secret and session value. */
struct standin {
    struct ym_arena *a;
};

static const char *stand_secret(void *data, const char *name)
{
    const struct standin *s = data;
    return ym_arena_printf(s->a, "(secret %s)", name);
}

static const char *stand_session(void *data, const char *name)
{
    const struct standin *s = data;
    return ym_arena_printf(s->a, "(session %s)", name);
}

static json_t *lineage_json(const struct ym_operation *op)
{
    json_t *list = json_array();
    for (size_t t = 0; t < op->table_count; t++) {
        for (size_t i = 0; i < ym_map_leaf_count(op->tables[t].map); i++) {
            const struct ym_map_leaf *l = ym_map_leaf_at(op->tables[t].map, i);
            json_t *one = json_pack("{s:s, s:s, s:b, s:i}", "table", op->tables[t].place, "to",
                                    l->to, "required", l->required, "line", l->line);
            if (l->pointer != NULL) {
                json_object_set_new(one, "from", json_string(l->pointer));
            }
            if (l->constant != NULL) {
                json_object_set_new(one, "constant", json_string(l->constant));
            }
            if (l->codes != NULL) {
                json_object_set_new(one, "codes", json_string(l->codes));
            }
            if (l->max != 0) {
                json_object_set_new(one, "max", json_integer(l->max));
            }
            json_array_append_new(list, one);
        }
    }
    return list;
}

static void lineage_print(const struct ym_system *s, const struct ym_operation *op)
{
    printf("\n# fields of %s %s (%s)\n", s->id, op->name, s->file);
    for (size_t t = 0; t < op->table_count; t++) {
        for (size_t i = 0; i < ym_map_leaf_count(op->tables[t].map); i++) {
            const struct ym_map_leaf *l = ym_map_leaf_at(op->tables[t].map, i);
            char most[32] = "";
            if (l->max != 0) {
                snprintf(most, sizeof(most), " max %ld", l->max);
            }
            printf("%-14s %-36s <- %s%s%s%s%s%s  (line %d)\n", op->tables[t].place, l->to,
                   l->pointer != NULL ? l->pointer : "", l->pointer == NULL ? "\"" : "",
                   l->pointer == NULL && l->constant != NULL ? l->constant : "",
                   l->pointer == NULL ? "\"" : "", l->required ? " required" : "", most, l->line);
            if (l->codes != NULL) {
                printf("%-14s %-36s    through %s\n", "", "", l->codes);
            }
        }
    }
}

struct job {
    const char *config, *op, *number, *now, *nonce, *revision;
    const char *words[2];
    bool json;
};

static ym_status load(const struct job *job, const struct ym_system *s, int64_t now, json_t **ret,
                      struct ym_err *err)
{
    json_t *file = NULL;
    int64_t revision = 1;
    if (job->revision != NULL && !ym_int_parse(ym_str_of(job->revision), &revision)) {
        return ym_err_set(err, YM_EINVAL, "--revision takes a whole number");
    }
    ym_status rc = ym_json_file(job->words[1], &file, err);
    if (rc == YM_OK) {
        struct ym_tool_record d = {s->takes[0], NULL, (long)revision, now};
        rc = ym_tool_envelope(file, &d, ret, err);
    }
    json_decref(file);
    return rc;
}

static int show(const struct job *job, struct ym_catalog *c, const struct ym_system *s,
                const struct ym_operation *op)
{
    struct standin stand = {c->arena};
    struct ym_problems problems;
    struct ym_wire wire = {0};
    struct ym_err err = {0};
    struct ym_buf out;
    json_t *record = NULL;
    int64_t now = ym_now_ms();
    int code = YM_EXIT_OK;
    ym_buf_init(&out, RENDER_BYTES);
    ym_problems_init(&problems, c->arena);
    if (job->now != NULL && !ym_time_parse(ym_str_of(job->now), s->settings.offset_min, &now)) {
        ym_err_set(&err, YM_EINVAL, "--now takes a time such as 2026-01-31T08:30:00+08:00");
        return ym_tool_error(&err, job->json);
    }
    if (load(job, s, now, &record, &err) != YM_OK) {
        return ym_tool_error(&err, job->json);
    }
    struct ym_system copy = *s;
    if (copy.endpoint == NULL && strcmp(s->transport, "handoff") != 0) {
        copy.endpoint = strcmp(s->transport, "file") == 0  ? "file:///endpoint/"
                        : strcmp(s->transport, "sql") == 0 ? "DSN=endpoint"
                                                           : "http://endpoint.test";
    }
    struct ym_render_ctx ctx = {
        .map = {.record = record,
                .number = job->number,
                .op = strcmp(op->name, "update") == 0 || strcmp(op->name, "withdraw") == 0
                          ? op->name
                          : "create",
                .now_ms = now,
                .attempt = 1,
                .offset_min = s->settings.offset_min,
                .secret = stand_secret,
                .session = stand_session,
                .data = &stand},
        .nonce = job->nonce != NULL ? job->nonce : "nonce-demo",
    };
    ym_status rc = ym_render(&copy, op, &ctx, c->arena, &wire, &problems, &err);
    if (rc == YM_OK) {
        rc = ym_wire_print(&wire, &out);
    }
    if (rc != YM_OK && problems.count == 0) {
        if (err.code == YM_OK) {
            ym_err_set(&err, rc, "cannot be rendered");
        }
        code = ym_tool_error(&err, job->json);
        goto done;
    }
    code = rc == YM_OK ? YM_EXIT_OK : YM_EXIT_FOUND;
    if (job->json) {
        json_t *bytes = out.p != NULL ? json_stringn(out.p, out.n) : NULL;
        ym_tool_json(json_pack("{s:b, s:s, s:s, s:o*, s:o, s:o}", "ok", rc == YM_OK, "system",
                               s->id, "operation", op->name, "wire", bytes, "problems",
                               ym_tool_problems_json(&problems), "fields", lineage_json(op)));
        goto done;
    }
    fwrite(out.p != NULL ? out.p : "", 1, out.n, stdout);
    lineage_print(s, op);
    ym_tool_problems(&problems, c);
done:
    json_decref(record);
    ym_buf_clear(&out);
    return code;
}

static int run(int argc, char **argv)
{
    struct job job = {.op = "create"};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL}, {"op", &job.op, NULL},
        {"number", &job.number, NULL}, {"now", &job.now, NULL},
        {"nonce", &job.nonce, NULL},   {"revision", &job.revision, NULL},
        {"json", NULL, &job.json},     {NULL, NULL, NULL},
    };
    size_t n;
    int code = YM_EXIT_USAGE;
    if (!ym_tool_options(&ym_tool_render, argc, argv, opts, job.words, 2, 2, &n)) {
        return code;
    }
    struct ym_catalog *c = ym_tool_catalog(job.config, job.json, &code);
    if (c == NULL) {
        return code;
    }
    const struct ym_system *s = ym_tool_system(c, job.words[0]);
    const struct ym_operation *op = s != NULL ? ym_system_operation(s, job.op) : NULL;
    code = YM_EXIT_USAGE;
    if (op != NULL) {
        code = show(&job, c, s, op);
    } else if (s != NULL) {
        fprintf(stderr, "yimen render: %s has no operation \"%s\"\n", s->id, job.op);
    }
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_render = {
    "render",
    "show the exact bytes for a record; nothing is sent",
    "usage: yimen render SYSTEM RECORD.json [--op create] [--number N] [--revision N]\n"
    "                    [--now TIME] [--nonce TEXT] [--json] [--config FILE]\n\n"
    "  RECORD.json  {\"type\": …, \"data\": {…}} or the data alone\n"
    "  --op         the operation: create, update, withdraw, a lookup, a sign-in\n"
    "  --number     the system's own number, for operations that need it\n"
    "  --now        the time that signatures and dates are made with\n\n"
    "Names of secrets and session values stand where their values would: \"(secret appKey)\".\n"
    "Signatures are made over these names.\n",
    run,
};
