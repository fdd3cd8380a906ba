/* SPDX-License-Identifier: Apache-2.0
 * yimen send: one record straight to one system, for commissioning. The store is not involved, so
 * nothing is retried and nothing is remembered; the session is opened and renewed as a worker does.
 */
#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_id.h"
#include "ym_render.h"
#include "ym_reply.h"
#include "ym_session.h"
#include "ym_time.h"
#include "ym_tool.h"
#include "ym_transport.h"

#include <openssl/rand.h>
#include <stdio.h>

#define SESSION_TRIES 3 /* renewal, then sign-in, then give up */

struct sender {
    const struct ym_system *s;
    const struct ym_transport *transport;
    struct ym_secrets *secrets;
    struct ym_session *session;
    struct ym_link *link;
    struct ym_arena *a;
    struct ym_problems problems;
    struct ym_facts facts;
    struct ym_judgement judged;
};

static const char *secret(void *data, const char *name)
{
    const struct sender *x = data;
    return ym_secret(x->secrets, name);
}

static const char *session(void *data, const char *name)
{
    const struct sender *x = data;
    return x->session != NULL ? ym_session_value(x->session, name) : NULL;
}

/* Drives a non-blocking transport to its end; it sets its own timeouts on the handles. */
static ym_status carry(struct sender *x, const struct ym_wire *wire, struct ym_err *err)
{
    struct ym_exchange *exchange = NULL;
    CURL *easy = NULL;
    int64_t timeout = x->s->settings.timeout_ms;
    memset(&x->facts, 0, sizeof(x->facts));
    if (x->transport->begin == NULL) {
        x->transport->run(x->link, wire, timeout, x->a, &x->facts);
        return YM_OK;
    }
    ym_status rc = x->transport->begin(x->link, wire, timeout, x->a, &exchange, &easy, err);
    if (rc != YM_OK) {
        return rc;
    }
    enum ym_step step = YM_STEP_MORE;
    while (step == YM_STEP_MORE) {
        CURLcode how = curl_easy_perform(easy);
        step = x->transport->step(exchange, how, &easy, &x->facts);
    }
    x->transport->end(exchange);
    return YM_OK;
}

static ym_status attempt(struct sender *x, const struct ym_operation *op, struct ym_map_ctx *map,
                         struct ym_err *err)
{
    unsigned char random[8];
    char nonce[17];
    struct ym_wire wire = {0};
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return ym_err_set(err, YM_EIO, "the random generator of the system fails");
    }
    ym_hex(random, sizeof(random), false, nonce);
    map->now_ms = ym_now_ms();
    struct ym_render_ctx ctx = {.map = *map, .nonce = nonce};
    ym_problems_init(&x->problems, x->a);
    ym_status rc = ym_render(x->s, op, &ctx, x->a, &wire, &x->problems, err);
    if (rc == YM_OK) {
        rc = carry(x, &wire, err);
    }
    if (rc == YM_OK) {
        memset(&x->judged, 0, sizeof(x->judged));
        x->facts.ref = ym_json_str(map->record, "id");
        x->facts.number = map->number;
        rc = ym_judge(x->s, op, &x->facts, x->a, &x->judged, err);
    }
    return rc;
}

/* A session when the operation wants one: renewal first, sign-in when that fails. */
static ym_status sign_in(struct sender *x, const struct ym_operation *op, struct ym_err *err)
{
    json_t *nothing = json_pack("{s:s, s:{}}", "type", x->s->takes[0], "data");
    struct ym_map_ctx map = {.record = nothing,
                             .op = "create",
                             .attempt = 1,
                             .offset_min = x->s->settings.offset_min,
                             .secret = secret,
                             .session = session,
                             .data = x};
    ym_status rc = nothing != NULL ? YM_OK : YM_ENOMEM;
    for (int i = 0; rc == YM_OK && i < SESSION_TRIES; i++) {
        if (x->session == NULL || ym_session_own(x->session, op) ||
            ym_session_good(x->session, ym_now_ms())) {
            break;
        }
        const struct ym_operation *flight = ym_session_start(x->session);
        if (flight == NULL) {
            break;
        }
        rc = attempt(x, flight, &map, err);
        bool kept = rc == YM_OK && x->judged.verdict == YM_V_OK &&
                    ym_session_keep(x->session, &x->judged, &x->facts, ym_now_ms());
        if (!kept && !ym_session_fail(x->session) && rc == YM_OK) {
            rc = ym_err_set(err, YM_EAUTH, "%s: %s answers \"%s\"%s%s", flight->name, x->s->id,
                            ym_verdict_word(x->judged.verdict),
                            x->judged.message != NULL ? ": " : "",
                            x->judged.message != NULL ? x->judged.message : "");
        }
    }
    json_decref(nothing);
    return rc;
}

static ym_status send_once(struct sender *x, const struct ym_operation *op, struct ym_map_ctx *map,
                           struct ym_err *err)
{
    for (int i = 0;; i++) {
        unsigned generation;
        ym_status rc = sign_in(x, op, err);
        if (rc != YM_OK) {
            return rc;
        }
        generation = x->session != NULL ? ym_session_generation(x->session) : 0;
        rc = attempt(x, op, map, err);
        if (rc != YM_OK || x->judged.verdict != YM_V_REAUTH || x->session == NULL || i == 1) {
            return rc;
        }
        ym_session_refused(x->session, generation);
        if (x->transport->forget != NULL) {
            x->transport->forget(x->link);
        }
    }
}

/* ---- what came of it ---- */

static void put(json_t *o, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_object_set_new(o, key, json_string(text));
    }
}

static int outcome(const struct sender *x, const struct ym_operation *op, const char *ref,
                   bool json)
{
    static const char *const sent[] = {"not_sent", "no_reply", "replied"};
    const struct ym_judgement *j = &x->judged;
    bool good = j->verdict == YM_V_OK || j->verdict == YM_V_ACCEPTED;
    if (json) {
        json_t *o = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i}", "ok", good, "system",
                              x->s->id, "operation", op->name, "ref", ref, "outcome",
                              ym_verdict_word(j->verdict), "sent", sent[x->facts.sent], "status",
                              (json_int_t)x->facts.status, "took_ms", (json_int_t)x->facts.took_ms,
                              "rule_line", j->rule_line);
        put(o, "number", j->number);
        put(o, "revision", j->revision);
        put(o, "message", j->message);
        put(o, "field", j->field);
        put(o, "digest", j->digest);
        put(o, "problem", x->facts.problem);
        ym_tool_json(o);
        return good ? YM_EXIT_OK : YM_EXIT_FOUND;
    }
    printf("%s %s: %s\n", x->s->id, op->name, ym_verdict_word(j->verdict));
    printf("  reference  %s\n", ref);
    if (j->number != NULL) {
        printf("  number     %s\n", j->number);
    }
    if (j->message != NULL) {
        printf("  message    %s\n", j->message);
    }
    if (j->field != NULL) {
        printf("  field      %s\n", j->field);
    }
    if (x->facts.problem != NULL) {
        printf("  transport  %s\n", x->facts.problem);
    }
    printf("  %s, status %ld, %lld ms, decided by line %d of %s\n", sent[x->facts.sent],
           x->facts.status, (long long)x->facts.took_ms, j->rule_line, x->s->file);
    if (j->verdict == YM_V_UNKNOWN && op->lookup != NULL) {
        printf("  It may have been taken. Look before you send it again:\n"
               "  yimen send %s RECORD.json --op %s --ref %s\n",
               x->s->id, op->lookup, ref);
    }
    return good ? YM_EXIT_OK : YM_EXIT_FOUND;
}

struct job {
    const char *config, *op, *number, *ref, *revision;
    const char *words[2];
    bool json;
};

static ym_status record_of(const struct job *job, const struct ym_system *s, json_t **ret,
                           struct ym_err *err)
{
    json_t *file = NULL;
    int64_t revision = 1;
    if (job->revision != NULL && !ym_int_parse(ym_str_of(job->revision), &revision)) {
        return ym_err_set(err, YM_EINVAL, "--revision takes a whole number");
    }
    if (job->ref != NULL && !ym_id_valid(ym_str_of(job->ref))) {
        return ym_err_set(err, YM_EINVAL, "--ref takes a record id of 26 characters");
    }
    ym_status rc = ym_json_file(job->words[1], &file, err);
    if (rc == YM_OK) {
        struct ym_tool_record d = {s->takes[0], job->ref, (long)revision, ym_now_ms()};
        rc = ym_tool_envelope(file, &d, ret, err);
    }
    if (rc == YM_OK && job->ref != NULL) {
        json_object_set_new(*ret, "id", json_string(job->ref));
    }
    json_decref(file);
    return rc;
}

static ym_status open_all(struct sender *x, struct ym_err *err)
{
    ym_status rc = ym_secrets_open(x->s, &x->secrets, err);
    if (rc == YM_OK) {
        rc = ym_session_open(x->s, &x->session, err);
    }
    if (rc == YM_OK) {
        rc = x->transport->open(x->s, x->secrets, &x->link, err);
    }
    return rc;
}

static int send_record(const struct job *job, struct ym_catalog *c, const struct ym_system *s,
                       const struct ym_operation *op)
{
    struct sender x = {.s = s, .transport = ym_transport_find(s->transport), .a = c->arena};
    struct ym_err err = {0};
    json_t *record = NULL;
    int code;
    if (x.transport == NULL || (x.transport->begin == NULL && x.transport->run == NULL)) {
        fprintf(stderr,
                "yimen send: %s is handed over by a person; \"yimen render\" shows the card\n",
                s->id);
        return YM_EXIT_USAGE;
    }
    if (s->endpoint == NULL) {
        fprintf(stderr, "yimen send: %s has no endpoint in its site file\n", s->id);
        return YM_EXIT_ENV;
    }
    ym_problems_init(&x.problems, c->arena);
    ym_status rc = record_of(job, s, &record, &err);
    if (rc == YM_OK) {
        rc = open_all(&x, &err);
    }
    if (rc == YM_OK) {
        struct ym_map_ctx map = {
            .record = record,
            .number = job->number,
            .op = strcmp(op->name, "update") == 0 || strcmp(op->name, "withdraw") == 0 ? op->name
                                                                                       : "create",
            .attempt = 1,
            .offset_min = s->settings.offset_min,
            .secret = secret,
            .session = session,
            .data = &x,
        };
        rc = send_once(&x, op, &map, &err);
    }
    if (rc == YM_OK) {
        code = outcome(&x, op, ym_json_str(record, "id"), job->json);
    } else if (x.problems.count != 0) {
        if (job->json) {
            ym_tool_json(
                json_pack("{s:b, s:o}", "ok", 0, "problems", ym_tool_problems_json(&x.problems)));
        } else {
            ym_tool_problems(&x.problems, c);
        }
        code = YM_EXIT_FOUND;
    } else {
        code = ym_tool_error(&err, job->json);
    }
    if (x.link != NULL) {
        x.transport->close(x.link);
    }
    ym_session_close(x.session);
    ym_secrets_close(x.secrets);
    json_decref(record);
    return code;
}

static int run(int argc, char **argv)
{
    struct job job = {.op = "create"};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL},
        {"op", &job.op, NULL},
        {"number", &job.number, NULL},
        {"ref", &job.ref, NULL},
        {"revision", &job.revision, NULL},
        {"json", NULL, &job.json},
        {NULL, NULL, NULL},
    };
    size_t n;
    int code = YM_EXIT_USAGE;
    if (!ym_tool_options(&ym_tool_send, argc, argv, opts, job.words, 2, 2, &n)) {
        return code;
    }
    struct ym_catalog *c = ym_tool_catalog(job.config, job.json, &code);
    if (c == NULL) {
        return code;
    }
    const struct ym_system *s = ym_tool_system(c, job.words[0]);
    const struct ym_operation *op = s != NULL ? ym_system_operation(s, job.op) : NULL;
    code = YM_EXIT_USAGE;
    if (op != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        code = send_record(&job, c, s, op);
        curl_global_cleanup();
    } else if (s != NULL && op == NULL) {
        fprintf(stderr, "yimen send: %s has no operation \"%s\"\n", s->id, job.op);
    }
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_send = {
    "send",
    "send one record straight to a system (commissioning)",
    "usage: yimen send SYSTEM RECORD.json [--op create] [--number N] [--ref ID] [--revision N]\n"
    "                  [--json] [--config FILE]\n\n"
    "Sends for real, once, past the queues: nothing is retried or remembered. A sign-in that the\n"
    "adapter declares is done first. Exit 0 only for the outcomes ok and accepted.\n\n"
    "  --op      any operation of the adapter, lookups included\n"
    "  --ref     our reference; without it the record's id, or a new one\n"
    "  --number  the system's own number, for operations that need it\n",
    run,
};
