/* SPDX-License-Identifier: Apache-2.0
 * One attempt (ym_attempt.h).
 */
#include "ym_attempt.h"

#include "ym_blob.h"
#include "ym_codec.h"
#include "ym_envelope.h"
#include "ym_json.h"
#include "ym_time.h"

#include <stdlib.h>
#include <sys/random.h>

#define ATTACHMENT_BYTES (9u << 20) /* of one that is sent inline */
#define ATTEMPT_PROBLEM_BYTES 4096
#define ATTEMPT_STATEMENT_BYTES (16u << 20)
#define ATTEMPT_NONCE_BYTES 16
#define ATTEMPT_NONCES 64 /* drawn from the system at once */

static const struct ym_sm_state attempt_states[] = {
    [YM_ATTEMPT_FREE] = {"free", YM_SM_TO(YM_ATTEMPT_TAKEN)},
    [YM_ATTEMPT_TAKEN] = {"taken", YM_SM_TO(YM_ATTEMPT_WAITING) | YM_SM_TO(YM_ATTEMPT_RENDERED) |
                                       YM_SM_TO(YM_ATTEMPT_SETTLED)},
    [YM_ATTEMPT_WAITING] = {"waiting",
                            YM_SM_TO(YM_ATTEMPT_RENDERED) | YM_SM_TO(YM_ATTEMPT_SETTLED)},
    [YM_ATTEMPT_RENDERED] = {"rendered",
                             YM_SM_TO(YM_ATTEMPT_IN_FLIGHT) | YM_SM_TO(YM_ATTEMPT_SETTLED)},
    [YM_ATTEMPT_IN_FLIGHT] = {"in_flight", YM_SM_TO(YM_ATTEMPT_JUDGED)},
    /* taken again: look after `duplicate`, or once more with a new session */
    [YM_ATTEMPT_JUDGED] = {"judged", YM_SM_TO(YM_ATTEMPT_TAKEN) | YM_SM_TO(YM_ATTEMPT_SETTLED)},
    [YM_ATTEMPT_SETTLED] = {"settled", YM_SM_TO(YM_ATTEMPT_FREE)},
};

static bool attempt_holds(const void *owner, unsigned state)
{
    const struct ym_attempt *a = owner;

    if (state == YM_ATTEMPT_FREE) {
        return a->arena == NULL && a->exchange == NULL && a->easy == NULL;
    }
    if (state == YM_ATTEMPT_TAKEN || state == YM_ATTEMPT_WAITING || state == YM_ATTEMPT_RENDERED) {
        return a->arena != NULL && a->exchange == NULL;
    }
    return a->arena != NULL;
}
const struct ym_sm_table ym_attempt_table = {"attempt", attempt_states, YM_COUNT(attempt_states),
                                             attempt_holds};

void ym_attempt_init(struct ym_attempt *a, struct ym_bench *bench)
{
    *a = (struct ym_attempt){.bench = bench};
    ym_sm_init(&a->sm, &ym_attempt_table, YM_ATTEMPT_FREE);
}

/* The record ---------------------------------------------------------------------------------- */

static bool attempt_set(json_t *o, const char *key, struct ym_str text)
{
    return json_object_set_new(o, key, json_stringn(text.p != NULL ? text.p : "", text.n)) == 0;
}

static bool attempt_set_time(json_t *o, const char *key, int64_t ms, int offset_min)
{
    char text[YM_TIME_TEXT];

    ym_time_format(ms, YM_TIME_RFC3339_MS, offset_min, text);
    return attempt_set(o, key, ym_str_of(text));
}

/* What hardly any table looks at. */
static bool attempt_set_rest(json_t *o, const struct ym_claimed *c, const struct ym_want *want,
                             int offset_min)
{
    const struct {
        const char *key;
        struct ym_str text;
    } texts[] = {{"owner", c->owner}, {"org", c->org}, {"area", c->area}};
    const struct {
        const char *key;
        int64_t ms;
    } times[] = {{"created_at", c->created_ms}, {"updated_at", c->updated_ms}};
    bool ok = true;

    for (size_t i = 0; i < YM_COUNT(texts) && ok; i++) {
        if (want == NULL || ym_want_find(want, ym_str_of(texts[i].key)) != NULL) {
            ok = attempt_set(o, texts[i].key, texts[i].text);
        }
    }
    for (size_t i = 0; i < YM_COUNT(times) && ok; i++) {
        if (want == NULL || ym_want_find(want, ym_str_of(times[i].key)) != NULL) {
            ok = attempt_set_time(o, times[i].key, times[i].ms, offset_min);
        }
    }
    return ok;
}

/*
 * {id, type, revision, owner, org, area, created_at, updated_at, data}: of all but the first three
 * what the operation's tables look at. It lives during one render only: a hundred trees in flight
 * would not fit into a processor's cache, and a render of another operation of the same attempt is
 * rare.
 */
static ym_status attempt_record(struct ym_attempt *a, json_t **ret, struct ym_err *err)
{
    const struct ym_claimed *c = &a->claimed;
    int offset = a->bench->sys->settings.offset_min;
    json_t *record = json_object(), *envelope = NULL, *data = NULL, *attachments = NULL;
    ym_status rc;
    bool ok;

    if (c->envelope.n > 0) {
        rc = ym_envelope_open(a->bench->keys, c, a->op->wants, &envelope, err);
        if (rc != YM_OK) {
            json_decref(record);
            a->locked = rc == YM_EAUTH;
            a->unreadable = !a->locked;
            return rc == YM_EAUTH ? YM_EAUTH : YM_EINVAL;
        }
    }
    data = json_incref(json_object_get(envelope, "data"));
    attachments = json_incref(json_object_get(envelope, "attachments"));
    json_decref(envelope);

    ok = record != NULL && attempt_set(record, "id", c->id) &&
         attempt_set(record, "type", c->type) &&
         json_object_set_new(record, "revision", json_integer(c->revision)) == 0 &&
         attempt_set_rest(record, c, a->op->wants, offset) &&
         (data == NULL || json_object_set(record, "data", data) == 0) &&
         (attachments == NULL || json_object_set(record, "attachments", attachments) == 0);
    json_decref(data);
    json_decref(attachments);
    if (!ok) {
        json_decref(record);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    *ret = record;
    return YM_OK;
}

/* Attachments ---------------------------------------------------------------------------------- */

struct contents {
    struct ym_blob_store store;
    ym_status rc;
    struct ym_err *err;
};

static ym_status content_read(const struct ym_blob_store *store, const json_t *item,
                              struct ym_buf *plain, struct ym_err *err)
{
    const char *id = ym_json_str(item, "id"), *sha256 = ym_json_str(item, "sha256");
    struct ym_blob_reader *r = NULL;
    bool last = false;
    ym_status rc;

    if (id == NULL || sha256 == NULL) {
        return ym_err_set(err, YM_EINVAL, "an attachment of the record has no id");
    }
    rc = ym_blob_open(store, id, ym_str_of(sha256), &r, err);
    while (rc == YM_OK && !last) {
        rc = ym_blob_read(r, plain, &last, err);
    }
    ym_blob_close(r);
    return rc;
}

/* Puts the bytes, in Base64, beside what is known of the attachment. */
static void content_add(void *data, size_t index, json_t *item)
{
    struct contents *c = data;
    struct ym_buf plain, text;

    (void)index;
    if (c->rc != YM_OK || json_object_get(item, "content") != NULL) {
        return;
    }
    ym_buf_init(&plain, ATTACHMENT_BYTES);
    ym_buf_init(&text, 2 * ATTACHMENT_BYTES);
    c->rc = content_read(&c->store, item, &plain, c->err);
    if (c->rc == YM_OK &&
        (ym_base64_add(&text, ym_buf_str(&plain)) != YM_OK ||
         json_object_set_new(item, "content",
                             json_stringn_nocheck(text.p != NULL ? text.p : "", text.n)) != 0)) {
        c->rc = ym_err_set(c->err, YM_ENOMEM, "out of memory");
    }
    ym_buf_wipe(&plain);
    ym_buf_wipe(&text);
}

/* Of this record, for this operation. A file that is gone or broken is a person's business. */
static ym_status attempt_contents(struct ym_attempt *a, json_t *record, struct ym_err *err)
{
    struct contents c = {
        {a->bench->keys->catalog->site.state_dir, a->bench->keys->ring}, YM_OK, err};

    for (size_t i = 0; i < a->op->table_count; i++) {
        ym_map_contents(a->op->tables[i].map, record, content_add, &c);
    }
    if (c.rc == YM_OK || c.rc == YM_ENOMEM) {
        return c.rc;
    }
    a->locked = c.rc == YM_EIO;
    a->unreadable = !a->locked;
    return a->locked ? YM_EAUTH : YM_EINVAL;
}

/* Taking -------------------------------------------------------------------------------------- */

static ym_status attempt_open(struct ym_attempt *a, enum ym_purpose purpose, struct ym_err *err)
{
    a->arena = ym_arena_open();
    if (a->arena == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    a->purpose = purpose;
    a->renewed = a->unreadable = a->locked = false;
    a->told = NULL;
    a->sent = YM_STR_NULL;
    ym_problems_init(&a->problems, a->arena);
    ym_sm_move(&a->sm, a, YM_ATTEMPT_TAKEN);
    return YM_OK;
}

/* Moves one view into the block; every text gets its NUL. */
static char *attempt_keep(char *at, struct ym_str *s)
{
    if (s->n > 0) {
        memcpy(at, s->p, s->n);
    }
    s->p = at;
    return at + s->n + 1; /* the arena gives zeroes */
}

static ym_status attempt_copy(struct ym_attempt *a, const struct ym_claimed *c, struct ym_err *err)
{
    struct ym_claimed *m = &a->claimed;
    struct ym_str *const texts[] = {&m->entry, &m->id,   &m->token,   &m->number,
                                    &m->op,    &m->of,   &m->type,    &m->owner,
                                    &m->org,   &m->area, &m->envelope};
    size_t size = 0;
    char *at;

    *m = *c;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        size += texts[i]->n + 1;
    }
    at = ym_arena_alloc(a->arena, size);
    if (at == NULL) {
        *m = (struct ym_claimed){.attempt = c->attempt};
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        at = attempt_keep(at, texts[i]);
    }
    return YM_OK;
}

/* The operation that sends `what`; update falls back to a create that may be repeated. */
static const struct ym_operation *attempt_sender(const struct ym_system *sys, struct ym_str what)
{
    const struct ym_operation *op;

    if (ym_str_is(what, "withdraw")) {
        return ym_system_operation(sys, "withdraw");
    }
    if (ym_str_is(what, "update")) {
        op = ym_system_operation(sys, "update");
        if (op != NULL) {
            return op;
        }
        op = ym_system_operation(sys, "create");
        return op != NULL && op->idempotent ? op : NULL;
    }
    return ym_system_operation(sys, "create");
}

/* With what to look after base; create's lookup serves all that name none. */
static const struct ym_operation *attempt_looker(const struct ym_system *sys,
                                                 const struct ym_operation *base, bool confirm)
{
    const struct ym_operation *create = ym_system_operation(sys, "create");
    const char *name = NULL;

    if (base == NULL) {
        base = create;
    }
    if (confirm && base != NULL) {
        name = base->confirm;
    }
    if (name == NULL && base != NULL) {
        name = base->lookup;
    }
    if (name == NULL && create != NULL) {
        name = create->lookup;
    }
    return name != NULL ? ym_system_operation(sys, name) : NULL;
}

static enum ym_purpose attempt_purpose(const struct ym_claimed *c)
{
    if (ym_str_is(c->op, "lookup")) {
        return c->letter == 'c' ? YM_FOR_CONFIRM : YM_FOR_LOOKUP;
    }
    if (ym_str_is(c->op, "withdraw")) {
        return YM_FOR_WITHDRAW;
    }
    return ym_str_is(c->op, "update") ? YM_FOR_UPDATE : YM_FOR_CREATE;
}

ym_status ym_attempt_take(struct ym_attempt *a, const struct ym_claimed *c, struct ym_err *err)
{
    const struct ym_system *sys = a->bench->sys;
    enum ym_purpose purpose = attempt_purpose(c);
    bool looks = purpose == YM_FOR_LOOKUP || purpose == YM_FOR_CONFIRM;
    ym_status rc;

    rc = attempt_open(a, purpose, err);
    if (rc == YM_OK) {
        rc = attempt_copy(a, c, err);
    }
    if (rc != YM_OK) {
        return rc;
    }

    a->base = attempt_sender(sys, looks ? c->of : c->op);
    a->op = looks ? attempt_looker(sys, a->base, purpose == YM_FOR_CONFIRM) : a->base;
    if (a->op == NULL) {
        return ym_err_set(err, YM_EUNSUPPORTED, "the adapter has no operation for this");
    }
    return YM_OK;
}

ym_status ym_attempt_take_own(struct ym_attempt *a, enum ym_purpose purpose,
                              const struct ym_operation *op, struct ym_err *err)
{
    ym_status rc = attempt_open(a, purpose, err);

    if (rc != YM_OK) {
        return rc;
    }
    a->claimed = (struct ym_claimed){.number = YM_STR(""), .attempt = 1};
    a->base = a->op = op;
    return YM_OK;
}

static void attempt_end_exchange(struct ym_attempt *a)
{
    if (a->exchange != NULL) {
        a->bench->transport->end(a->exchange);
        a->exchange = NULL;
    }
    a->easy = NULL;
}

void ym_attempt_again(struct ym_attempt *a)
{
    attempt_end_exchange(a);
    ym_sm_move(&a->sm, a, YM_ATTEMPT_TAKEN);
}

/* The record as it was sent ------------------------------------------------------------------- */

static ym_status attempt_add_statements(const struct ym_wire *w, struct ym_buf *out)
{
    for (size_t i = 0; i < w->statement_count; i++) {
        const struct ym_wire_sql *s = &w->statements[i];

        (void)ym_buf_add(out, s->text, strlen(s->text) + 1);
        for (size_t k = 0; k < s->param_count; k++) {
            const char *p = s->params[k] != NULL ? s->params[k] : "\x01";

            (void)ym_buf_add(out, p, strlen(p) + 1);
        }
    }
    return out->failed;
}

static bool attempt_digest(const struct ym_attempt *a, unsigned char out[YM_SHA256_LEN])
{
    struct ym_str sent = a->facts.posted.n > 0 ? a->facts.posted : a->wire.body;
    struct ym_buf statements;
    bool ok;

    if (a->wire.kind != YM_WIRE_SQL) {
        return sent.n > 0 && ym_sha256(sent, out) == YM_OK;
    }
    ym_buf_init(&statements, ATTEMPT_STATEMENT_BYTES);
    ok = attempt_add_statements(&a->wire, &statements) == YM_OK &&
         ym_sha256(ym_buf_str(&statements), out) == YM_OK;
    ym_buf_wipe(&statements);
    return ok;
}

struct ym_str ym_attempt_sent(struct ym_attempt *a)
{
    bool sends =
        a->purpose == YM_FOR_CREATE || a->purpose == YM_FOR_UPDATE || a->purpose == YM_FOR_WITHDRAW;
    unsigned char digest[YM_SHA256_LEN];

    if (sends && a->facts.sent != YM_NOT_SENT && attempt_digest(a, digest)) {
        a->sent.p = ym_arena_str(a->arena, (struct ym_str){(const char *)digest, sizeof(digest)});
        a->sent.n = a->sent.p != NULL ? sizeof(digest) : 0;
    }
    return a->sent;
}

void ym_attempt_look(struct ym_attempt *a)
{
    (void)ym_attempt_sent(a); /* what is sent next overwrites it */
    a->purpose = YM_FOR_DUPLICATE;
    a->op = attempt_looker(a->bench->sys, a->base, false);
    ym_attempt_again(a);
}

void ym_attempt_verify(struct ym_attempt *a)
{
    ym_attempt_look(a);
    a->purpose = YM_FOR_VERIFY;
    a->told = a->judged.number; /* of the arena, as all of the attempt is */
    memcpy(a->answered, a->judged.digest, sizeof(a->answered));
}

bool ym_attempt_needs_session(const struct ym_attempt *a)
{
    const struct ym_session *s = a->bench->session;

    return s != NULL && a->purpose != YM_FOR_SESSION && !ym_session_own(s, a->op) &&
           !ym_session_good(s, ym_now_ms());
}

void ym_attempt_wait(struct ym_attempt *a)
{
    ym_sm_move(&a->sm, a, YM_ATTEMPT_WAITING);
}

/* Rendering ----------------------------------------------------------------------------------- */

static const char *attempt_secret(void *data, const char *name)
{
    const struct ym_bench *b = data;

    return ym_secret(b->secrets, name);
}

static const char *attempt_session_value(void *data, const char *name)
{
    const struct ym_bench *b = data;

    return ym_session_value(b->session, name);
}

/* Random text for signatures; a page of it is drawn at a time. */
static const char *attempt_nonce(char out[2 * ATTEMPT_NONCE_BYTES + 1])
{
    static unsigned char pool[ATTEMPT_NONCES][ATTEMPT_NONCE_BYTES];
    static size_t left;

    if (left == 0) {
        if (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool)) {
            return NULL;
        }
        left = ATTEMPT_NONCES;
    }
    left--;
    ym_hex(pool[left], ATTEMPT_NONCE_BYTES, false, out);
    ym_wipe(pool[left], ATTEMPT_NONCE_BYTES);
    return out;
}

static const char *attempt_op_word(const struct ym_attempt *a)
{
    switch (a->purpose) {
    case YM_FOR_UPDATE:
        return "update";
    case YM_FOR_WITHDRAW:
        return "withdraw";
    case YM_FOR_LOOKUP:
    case YM_FOR_CONFIRM:
        return a->claimed.of.p;
    case YM_FOR_DUPLICATE:
    case YM_FOR_VERIFY:
        return a->claimed.op.p;
    case YM_FOR_CREATE:
    case YM_FOR_SESSION:
    case YM_FOR_PROBE:
        break;
    }
    return "create";
}

ym_status ym_attempt_render(struct ym_attempt *a, struct ym_err *err)
{
    char nonce[2 * ATTEMPT_NONCE_BYTES + 1];
    struct ym_bench *b = a->bench;
    size_t filled = 0;
    struct ym_render_ctx ctx = {
        .map = {.number = a->claimed.number.p,
                .op = attempt_op_word(a),
                .now_ms = ym_now_ms(),
                .attempt = (long)a->claimed.attempt,
                .offset_min = b->sys->settings.offset_min,
                .secret = attempt_secret,
                .session = attempt_session_value,
                .data = b,
                .filled = &filled},
        .nonce = attempt_nonce(nonce),
    };
    ym_status rc;

    if (ctx.nonce == NULL) {
        return ym_err_set(err, YM_EIO, "the system gives no random bytes");
    }
    rc = attempt_record(a, &ctx.map.record, err);
    if (rc == YM_OK) {
        rc = attempt_contents(a, ctx.map.record, err);
    }
    if (rc != YM_OK) {
        json_decref(ctx.map.record);
        return rc;
    }
    memset(&a->wire, 0, sizeof(a->wire));
    rc = ym_render(b->sys, a->op, &ctx, a->arena, &a->wire, &a->problems, err);
    json_decref(ctx.map.record);
    if (rc == YM_OK) {
        if (a->purpose == YM_FOR_CREATE) {
            a->fields = filled;
        }
        a->generation = b->session != NULL ? ym_session_generation(b->session) : 0;
        ym_sm_move(&a->sm, a, YM_ATTEMPT_RENDERED);
    }
    return rc;
}

/* Carrying ------------------------------------------------------------------------------------ */

/* A judgement that cannot be made is no reason to believe anything. */
static void attempt_judge(struct ym_attempt *a)
{
    struct ym_err err = {0};

    memset(&a->judged, 0, sizeof(a->judged));
    a->facts.ref = a->claimed.id.p;
    a->facts.number = a->claimed.number.p;
    if (ym_judge(a->bench->sys, a->op, &a->facts, a->arena, &a->judged, &err) != YM_OK) {
        memset(&a->judged, 0, sizeof(a->judged));
        a->judged.verdict = a->facts.sent == YM_NOT_SENT ? YM_V_UNAVAILABLE : YM_V_UNKNOWN;
    }
    if (a->judged.digest[0] == '\0' && a->facts.sent == YM_REPLIED) {
        ym_sha256_hex(a->facts.body, a->judged.digest); /* of an empty answer: still evidence */
    }
    ym_sm_move(&a->sm, a, YM_ATTEMPT_JUDGED);
}

ym_status ym_attempt_begin(struct ym_attempt *a, int64_t timeout_ms, struct ym_err *err)
{
    ym_status rc;

    memset(&a->facts, 0, sizeof(a->facts));
    rc = a->bench->transport->begin(a->bench->link, &a->wire, timeout_ms, a->arena, &a->exchange,
                                    &a->easy, err);
    if (rc != YM_OK) {
        a->exchange = NULL;
        a->easy = NULL;
        return rc;
    }
    ym_sm_move(&a->sm, a, YM_ATTEMPT_IN_FLIGHT);
    return YM_OK;
}

bool ym_attempt_step(struct ym_attempt *a, CURLcode how)
{
    if (a->bench->transport->step(a->exchange, how, &a->easy, &a->facts) == YM_STEP_MORE) {
        return false;
    }
    a->easy = NULL; /* the exchange stays until the facts are no longer needed */
    attempt_judge(a);
    return true;
}

void ym_attempt_run(struct ym_attempt *a, int64_t timeout_ms)
{
    memset(&a->facts, 0, sizeof(a->facts));
    ym_sm_move(&a->sm, a, YM_ATTEMPT_IN_FLIGHT);
    a->bench->transport->run(a->bench->link, &a->wire, timeout_ms, a->arena, &a->facts);
    attempt_judge(a);
}

void ym_attempt_expire(struct ym_attempt *a)
{
    attempt_end_exchange(a);
    a->facts = (struct ym_facts){.sent = YM_SENT_NO_REPLY, .stage = "", .problem = "deadline"};
    attempt_judge(a);
}

/* Afterwards ---------------------------------------------------------------------------------- */

void ym_attempt_case(const struct ym_attempt *a, struct ym_case *ret)
{
    const struct ym_system *sys = a->bench->sys;
    bool looks = a->purpose == YM_FOR_LOOKUP || a->purpose == YM_FOR_CONFIRM;

    *ret = (struct ym_case){
        .purpose = a->purpose,
        .settings = &sys->settings,
        .judged = &a->judged,
        .sent = a->facts.sent,
        .idempotent = a->base != NULL && a->base->idempotent,
        .has_lookup = attempt_looker(sys, a->base, false) != NULL,
        .has_confirm = attempt_looker(sys, a->base, true) != NULL,
        .has_session = a->bench->session != NULL && !a->renewed && a->purpose != YM_FOR_SESSION,
        .verifies = sys->settings.verify == YM_VERIFY_LOOKUP,
        .known = a->claimed.has > 0 && a->claimed.number.n > 0 ? a->claimed.number.p : NULL,
        .told = a->told,
        .was_withdraw = ym_str_is(looks ? a->claimed.of : a->claimed.op, "withdraw"),
        .attempt = a->claimed.attempt,
        .revision = a->claimed.revision,
        .sent_ms = a->claimed.sent_ms,
    };
}

/* What was named, and what it should have been: told apart without a language. */
static const char *attempt_numbers(const struct ym_attempt *a)
{
    const char *named = a->judged.number, *other = a->claimed.number.p;

    if (a->told != NULL) {
        named = a->told;
        other = a->judged.number;
    }
    return named != NULL && other != NULL && other[0] != '\0' && strcmp(named, other) != 0
               ? ym_arena_printf(a->arena, "%s ≠ %s", named, other)
               : named;
}

const char *ym_attempt_problem(const struct ym_attempt *a, const char *code, int64_t now_ms)
{
    const char *message = a->judged.message != NULL ? a->judged.message : a->facts.problem;
    const char *field = a->judged.field;
    struct ym_buf b, text;
    char *out = NULL;

    ym_buf_init(&b, ATTEMPT_PROBLEM_BYTES);
    ym_buf_init(&text, ATTEMPT_PROBLEM_BYTES / 2);
    if (a->problems.count > 0) { /* the record could not be rendered: our own words */
        const struct ym_problem *p = &a->problems.items[0];

        code = ym_problem_word(p->code);
        field = p->pointer;
        message =
            ym_problem_text(p, YM_ZH, a->bench->sys->title_zh, &text) == YM_OK ? text.p : NULL;
    }

    if (strcmp(code, YM_CODE_OTHER_NUMBER) == 0) {
        message = attempt_numbers(a);
    } else if (strcmp(code, YM_CODE_NUMBER_UNPROVEN) == 0 && a->told != NULL) {
        message = a->told;
    }

    ym_buf_adds(&b, "{\"code\":");
    ym_buf_add_json(&b, ym_str_of(code));
    if (message != NULL) {
        ym_buf_adds(&b, ",\"message\":");
        ym_buf_add_json(&b, ym_str_of(message));
    }
    if (field != NULL) {
        ym_buf_adds(&b, ",\"field\":");
        ym_buf_add_json(&b, ym_str_of(field));
    }
    if (ym_buf_addf(&b, ",\"at\":%lld}", (long long)now_ms) == YM_OK) {
        out = ym_arena_str(a->arena, ym_buf_str(&b));
    }
    ym_buf_clear(&text);
    ym_buf_clear(&b);
    return out;
}

void ym_attempt_end(struct ym_attempt *a)
{
    if (a->sm.state == YM_ATTEMPT_FREE) {
        return;
    }
    attempt_end_exchange(a);
    if (a->sm.state != YM_ATTEMPT_SETTLED) {
        ym_sm_move(&a->sm, a, YM_ATTEMPT_SETTLED);
    }
    ym_arena_close(a->arena);
    a->arena = NULL;
    a->base = a->op = NULL;
    a->until_ms = 0;
    a->steps = YM_STR_NULL;
    memset(&a->problems, 0, sizeof(a->problems));
    memset(&a->judged, 0, sizeof(a->judged));
    memset(&a->facts, 0, sizeof(a->facts));
    memset(&a->wire, 0, sizeof(a->wire));
    ym_sm_move(&a->sm, a, YM_ATTEMPT_FREE);
}
