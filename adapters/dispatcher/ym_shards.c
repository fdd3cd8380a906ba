/* SPDX-License-Identifier: Apache-2.0
 * The worker's side of the queue: attach, reclaim, claim, settle, due, doorbell. Settlements gather
 * while the previous batch of their shard is unanswered, so that batches grow with the load by
 * themselves; nothing waits for an answer.
 */
#include "ym_worker_priv.h"

#include "ym_answers.h"
#include "ym_conf.h"
#include "ym_log.h"
#include "ym_time.h"

#include <stdio.h>

#define SHARD_CLAIM_MAX 256     /* deliveries per claim: bounds the answer's size */
#define SHARD_DUE_MAX 500       /* moved per due call */
#define SHARD_DUE_EVERY_MS 5000 /* others may delay deliveries, too */
#define SHARD_RECLAIM_MAX 500
#define SHARD_RECLAIM_EVERY_MS 60000
#define SHARD_RECLAIM_IDLE_MS 60000
#define SHARD_ERROR_MS 1000 /* after a refusal by Redis */
#define SHARD_OPEN_MAX 500  /* claimed or not yet settled: a settle call takes at most 1000 items */
#define SHARD_POLL_MS 20    /* idle shards while another is busy: the doorbell is off then */

#define BELL_BLOCK_MS 2000

static const struct ym_sm_state shard_states[] = {
    [YM_SHARD_DETACHED] = {"detached", YM_SM_TO(YM_SHARD_ATTACHING)},
    [YM_SHARD_ATTACHING] = {"attaching",
                            YM_SM_TO(YM_SHARD_RECLAIMING) | YM_SM_TO(YM_SHARD_DETACHED)},
    [YM_SHARD_RECLAIMING] = {"reclaiming",
                             YM_SM_TO(YM_SHARD_ATTACHED) | YM_SM_TO(YM_SHARD_DETACHED)},
    [YM_SHARD_ATTACHED] = {"attached", YM_SM_TO(YM_SHARD_DETACHED)},
};

static bool shard_holds(const void *owner, unsigned state)
{
    const struct ym_shard *s = owner;

    return state == YM_SHARD_DETACHED || state == YM_SHARD_ATTACHING ||
           (s->holder.epoch[0] != '\0' && s->holder.consumer[0] != '\0');
}
const struct ym_sm_table ym_shard_table = {"shard", shard_states, YM_COUNT(shard_states),
                                           shard_holds};

static void commands_up(void *data, struct ym_line *line);
static void commands_reply(void *data, struct ym_line *line, const struct ym_request *q,
                           const struct redisReply *r);
static void commands_down(void *data, struct ym_line *line);
static void bell_up(void *data, struct ym_line *line);
static void bell_reply(void *data, struct ym_line *line, const struct ym_request *q,
                       const struct redisReply *r);
static void bell_down(void *data, struct ym_line *line);

void ym_shards_init(struct ym_worker *w)
{
    struct ym_line_user commands = {w, commands_up, commands_reply, commands_down};
    struct ym_line_user bells = {w, bell_up, bell_reply, bell_down};
    const char *id = w->sys->id;

    ym_line_init(&w->commands, "commands", id, &w->access, w->loop, &w->jitter, &commands);
    ym_line_init(&w->bell, "doorbell", id, &w->access, w->loop, &w->jitter, &bells);
    ym_line_init(&w->control, "control", id, &w->access, w->loop, &w->jitter, &bells);
    w->control.quiet = w->bell.quiet = true; /* one line's loss is told by `commands` */
    snprintf(w->control_seen, sizeof(w->control_seen), "$");

    w->shard_count = w->access.shards;
    for (unsigned i = 0; i < w->shard_count; i++) {
        struct ym_shard *s = &w->shards[i];

        ym_sm_init(&s->sm, &ym_shard_table, YM_SHARD_DETACHED);
        s->holder.system = id;
        s->holder.shard = i;
        snprintf(s->stream, sizeof(s->stream), "{s%u}:q:%s", i, id);
        snprintf(s->seen, sizeof(s->seen), "0-0");
        ym_batch_init(&s->open);
        ym_batch_init(&s->sent);
    }
}

void ym_shards_clear(struct ym_worker *w)
{
    if (w->shard_count == 0) {
        return; /* never came to be */
    }
    ym_line_clear(&w->commands);
    ym_line_clear(&w->bell);
    ym_line_clear(&w->control);
    for (unsigned i = 0; i < w->shard_count; i++) {
        ym_batch_clear(&w->shards[i].open);
        ym_batch_clear(&w->shards[i].sent);
        ym_answers_free(w->shards[i].claimed);
    }
}

/* Attach and reclaim -------------------------------------------------------------------------- */

static void shard_detach(struct ym_shard *s, int64_t retry_ms)
{
    if (s->sm.state != YM_SHARD_DETACHED) {
        ym_sm_move(&s->sm, s, YM_SHARD_DETACHED);
    }
    s->retry_ms = retry_ms;
}

/*
 * A new epoch ends what the old one had in flight, so it is taken only when nothing of ours is left:
 * no attempt of this shard, no settlement on its way.
 */
static void shard_attach(struct ym_worker *w, struct ym_shard *s, int64_t now_ms)
{
    if (s->active > 0 || s->open.items > 0 || s->sent.items > 0 || now_ms < s->retry_ms ||
        w->sm.state == YM_WORKER_DRAINING) {
        return;
    }
    snprintf(s->holder.consumer, sizeof(s->holder.consumer), "%s-%u", w->consumer,
             ++w->attached_times);
    if (ym_call_attach(&w->commands, &s->holder)) {
        s->claim_lost = false;
        ym_sm_move(&s->sm, s, YM_SHARD_ATTACHING);
    }
}

static void shard_refused(struct ym_worker *w, struct ym_shard *s, const char *call,
                          const struct redisReply *r)
{
    const char *error = ym_reply_error(r);

    ym_log(YM_LOG_WARN, "redis.refused", "system", w->sys->id, "call", call, "err",
           error != NULL ? error : "an answer of another form", NULL);
    s->retry_ms = ym_tick_ms() + SHARD_ERROR_MS;
}

static void shard_on_attach(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    struct ym_str epoch = ym_reply_text(r, 0);

    if (epoch.n == 0 || epoch.n >= sizeof(s->holder.epoch)) {
        shard_refused(w, s, YM_FN_ATTACH, r);
        shard_detach(s, s->retry_ms);
        return;
    }
    memcpy(s->holder.epoch, epoch.p, epoch.n);
    s->holder.epoch[epoch.n] = '\0';
    ym_sm_move(&s->sm, s, YM_SHARD_RECLAIMING);
    /* whatever an earlier epoch left in flight is ours to clear up now */
    if (!ym_call_reclaim(&w->commands, &s->holder, 0, SHARD_RECLAIM_MAX)) {
        shard_detach(s, 0);
    }
}

static bool shards_attached(const struct ym_worker *w)
{
    for (unsigned i = 0; i < w->shard_count; i++) {
        if (w->shards[i].sm.state != YM_SHARD_ATTACHED) {
            return false;
        }
    }
    return true;
}

static void shard_fenced(struct ym_worker *w, struct ym_shard *s)
{
    if (w->exit_code != YM_WORKER_FENCED) {
        ym_log(YM_LOG_WARN, "worker.fenced", "system", w->sys->id, "shard",
               ym_log_int(s->holder.shard), NULL);
    }
    ym_batch_clear(&s->open);
    ym_batch_clear(&s->sent);
    ym_worker_stop(w, YM_WORKER_FENCED);
}

static void shard_on_reclaim(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    int64_t reclaimed = 0, lost = 0;

    s->reclaim_ms = ym_tick_ms() + SHARD_RECLAIM_EVERY_MS;
    switch (ym_answer_pair(r, &reclaimed, &lost)) {
    case YM_ANSWER_FENCED:
        shard_fenced(w, s);
        return;
    case YM_ANSWER_ERROR:
        shard_refused(w, s, YM_FN_RECLAIM, r);
        if (s->sm.state == YM_SHARD_RECLAIMING) {
            shard_detach(s, s->retry_ms);
        }
        return;
    case YM_ANSWER_OK:
        break;
    }

    if (lost > 0) {
        ym_log(YM_LOG_ERROR, "store.entries_lost", "system", w->sys->id, "shard",
               ym_log_int(s->holder.shard), "count", ym_log_int(lost), NULL);
    }
    if (reclaimed > 0) {
        ym_log(YM_LOG_INFO, "worker.reclaimed", "system", w->sys->id, "shard",
               ym_log_int(s->holder.shard), "count", ym_log_int(reclaimed), NULL);
        s->ready = true;
        s->due_ms = 0;
    }
    if (s->sm.state != YM_SHARD_RECLAIMING) {
        return;
    }
    if (reclaimed >= SHARD_RECLAIM_MAX) {
        if (!ym_call_reclaim(&w->commands, &s->holder, 0, SHARD_RECLAIM_MAX)) {
            shard_detach(s, 0);
        }
        return;
    }
    ym_sm_move(&s->sm, s, YM_SHARD_ATTACHED);
    s->ready = true;
    s->due_ms = 0;
    if (shards_attached(w)) {
        ym_worker_ready(w);
    }
}

/* Claim --------------------------------------------------------------------------------------- */

/* Whether entry a comes after b: both are <ms>-<n>. */
static bool entry_after(struct ym_str a, const char *b)
{
    const char *dash_a = memchr(a.p, '-', a.n), *dash_b = strchr(b, '-');
    int64_t ms_a = 0, ms_b = 0, n_a = 0, n_b = 0;
    struct ym_str head, tail;

    if (dash_a == NULL || dash_b == NULL) {
        return false;
    }
    head = (struct ym_str){a.p, (size_t)(dash_a - a.p)};
    tail = (struct ym_str){dash_a + 1, a.n - head.n - 1};
    if (!ym_int_parse(head, &ms_a) || !ym_int_parse(tail, &n_a)) {
        return false;
    }
    ym_int_parse((struct ym_str){b, (size_t)(dash_b - b)}, &ms_b);
    ym_int_parse(ym_str_of(dash_b + 1), &n_b);
    return ms_a > ms_b || (ms_a == ms_b && n_a > n_b);
}

static void shard_saw(char *seen, size_t size, struct ym_str entry)
{
    if (entry.n > 0 && entry.n < size && (seen[0] == '$' || entry_after(entry, seen))) {
        memcpy(seen, entry.p, entry.n);
        seen[entry.n] = '\0';
    }
}

static void shard_due_at(struct ym_worker *w, struct ym_shard *s, int64_t due_ms)
{
    int64_t wait, at;

    if (due_ms <= 0) {
        return;
    }
    wait = due_ms - ym_worker_redis_ms(w, ym_now_ms());
    at = ym_tick_ms() + (wait > 0 ? wait : 0);
    if (at < s->due_ms) {
        s->due_ms = at;
    }
}

#define CLAIM_ITEMS_FROM 3 /* in its answer */

/* Claimed, but its envelope cannot be read now: nothing was sent, so it simply has its turn again. */
static void shard_unread(struct ym_worker *w, struct ym_shard *s, const struct ym_claimed *c)
{
    struct ym_settlement back = {.entry = c->entry, .id = c->id, .token = c->token, .letter = 'p'};

    ym_shards_settle(w, s->holder.shard, &back);
}

static void shard_read(struct ym_shard *s)
{
    if (--s->unread == 0) {
        ym_answers_free(s->claimed);
        s->claimed = NULL;
        s->asked = 0;
    }
}

/* r NULL: the line was lost. */
static void shard_on_envelope(struct ym_worker *w, struct ym_shard *s, const struct ym_request *q,
                              const struct redisReply *r)
{
    struct ym_claimed c;

    if (!ym_answer_claimed(ym_reply_item(s->claimed, q->item), &c)) {
        return; /* was checked when the claim was answered */
    }
    if (ym_answer_envelope(r, &c.envelope)) {
        ym_engine_take(w, s->holder.shard, &c);
    } else if (r == NULL || ym_reply_error(r) != NULL) {
        shard_unread(w, s, &c);
    } else if (q->kind == YM_CALL_EARLIER) {
        c.envelope = YM_STR("?"); /* it is nowhere: the attempt says that it is unreadable */
        ym_engine_take(w, s->holder.shard, &c);
    } else if (ym_call_envelope(&w->commands, YM_CALL_EARLIER, s->holder.shard, q->item, &c)) {
        return;
    } else {
        shard_unread(w, s, &c);
    }
    shard_read(s);
}

/* Takes what came whole, asks for the other envelopes. */
static int64_t shard_take(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    struct ym_claimed c;
    int64_t got = 0;

    s->unread = 1; /* this loop */
    s->claimed = r;
    for (size_t i = CLAIM_ITEMS_FROM; i < ym_reply_count(r); i++) {
        if (!ym_answer_claimed(ym_reply_item(r, i), &c)) {
            shard_refused(w, s, YM_FN_CLAIM, r);
            continue;
        }
        shard_saw(s->seen, sizeof(s->seen), c.entry);
        s->active++;
        got++;
        if (c.envelope.n > 0) {
            ym_engine_take(w, s->holder.shard, &c);
        } else if (ym_call_envelope(&w->commands, YM_CALL_ENVELOPE, s->holder.shard, i, &c)) {
            s->unread++;
        } else {
            shard_unread(w, s, &c);
        }
    }
    return got;
}

static void shard_on_claim(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    int64_t asked = s->asked, now_ms = 0, due_ms = 0, got;

    s->asked = 0;
    switch (ym_answer_claim(r, &now_ms, &due_ms)) {
    case YM_ANSWER_FENCED:
        shard_fenced(w, s);
        return;
    case YM_ANSWER_ERROR:
        ym_bucket_return(&w->bucket, asked);
        shard_refused(w, s, YM_FN_CLAIM, r);
        return;
    case YM_ANSWER_OK:
        break;
    }

    w->clock_ms = now_ms - ym_now_ms();
    shard_due_at(w, s, due_ms);
    s->asked = asked;
    ym_line_keep(&w->commands);
    got = shard_take(w, s, r);
    ym_bucket_return(&w->bucket, asked - got);
    s->ready = got >= asked; /* otherwise the doorbell knows better */
    shard_read(s);
}

static bool shard_may_claim(const struct ym_shard *s, int64_t now_ms)
{
    return s->sm.state == YM_SHARD_ATTACHED && s->ready && s->asked == 0 && !s->claim_lost &&
           now_ms >= s->retry_ms;
}

static int64_t shard_space(const struct ym_shard *s)
{
    return SHARD_OPEN_MAX - (int64_t)(s->active + s->open.items + s->sent.items);
}

/* Spreads the free slots over the shards that may hold something, beginning with another each time. */
static void shards_claim(struct ym_worker *w, int64_t now_ms)
{
    int64_t room = ym_engine_room(w), able = 0, share, want;
    unsigned first = w->shard_turn++;

    for (unsigned i = 0; i < w->shard_count; i++) {
        room -= w->shards[i].asked;
        able += shard_may_claim(&w->shards[i], now_ms);
    }
    if (room <= 0 || able == 0) {
        return;
    }

    share = (room + able - 1) / able;
    for (unsigned i = 0; i < w->shard_count && room > 0; i++) {
        struct ym_shard *s = &w->shards[(first + i) % w->shard_count];

        if (!shard_may_claim(s, now_ms)) {
            continue;
        }
        want = share < room ? share : room;
        want = want < SHARD_CLAIM_MAX ? want : SHARD_CLAIM_MAX;
        want = want < shard_space(s) ? want : shard_space(s);
        if (want <= 0) {
            continue;
        }
        want = ym_bucket_take(&w->bucket, now_ms, want);
        if (want == 0) {
            return;
        }
        if (!ym_call_claim(&w->commands, &s->holder, want, w->sys->settings.each_revision)) {
            ym_bucket_return(&w->bucket, want);
            return;
        }
        s->asked = want;
        room -= want;
    }
}

/* Settle -------------------------------------------------------------------------------------- */

void ym_shards_settle(struct ym_worker *w, unsigned shard, const struct ym_settlement *item)
{
    struct ym_shard *s = &w->shards[shard];

    if (s->active > 0) {
        s->active--;
    }
    if (!ym_batch_add(&s->open, item)) {
        ym_log(YM_LOG_ERROR, "settle.no_memory", "system", w->sys->id, NULL);
        s->claim_lost = true;
        return;
    }
    if (item->delay_ms > 0) {
        shard_due_at(w, s, ym_worker_redis_ms(w, ym_now_ms()) + item->delay_ms + 1);
    } else if (item->letter == 'p' || item->letter == 'a' || item->letter == 'r') {
        s->ready = true;
    }
}

void ym_shards_lost(struct ym_worker *w, unsigned shard)
{
    struct ym_shard *s = &w->shards[shard];

    if (s->active > 0) {
        s->active--;
    }
    s->claim_lost = true;
}

static void shard_flush(struct ym_worker *w, struct ym_shard *s, int64_t now_ms)
{
    struct ym_batch sent;

    if (s->sent_open || !ym_line_ready(&w->commands) || now_ms < s->retry_ms) {
        return;
    }
    if (s->sent.items == 0) {
        if (s->open.items == 0) {
            return;
        }
        sent = s->sent;
        s->sent = s->open;
        s->open = sent;
    }
    s->sent_open = ym_call_settle(&w->commands, &s->holder, &s->sent);
}

static void shard_on_settle(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    size_t fenced = 0;

    s->sent_open = false;
    if (ym_answer_settle(r, &fenced) == YM_ANSWER_ERROR) {
        shard_refused(w, s, YM_FN_SETTLE, r); /* the batch stays and is sent again */
        return;
    }
    if (fenced > 0) {
        ym_log(YM_LOG_WARN, "settle.fenced", "system", w->sys->id, "count",
               ym_log_int((int64_t)fenced), NULL);
    }
    ym_batch_reset(&s->sent);
}

bool ym_shards_quiet(const struct ym_worker *w)
{
    for (unsigned i = 0; i < w->shard_count; i++) {
        if (w->shards[i].open.items > 0 || w->shards[i].sent.items > 0 || w->shards[i].asked > 0) {
            return false;
        }
    }
    return true;
}

/* Due ----------------------------------------------------------------------------------------- */

static void shard_on_due(struct ym_worker *w, struct ym_shard *s, const struct redisReply *r)
{
    int64_t moved = 0, due_ms = 0, now_ms = ym_tick_ms();

    s->due_open = false;
    s->due_ms = now_ms + SHARD_DUE_EVERY_MS;
    if (ym_answer_pair(r, &moved, &due_ms) != YM_ANSWER_OK) {
        shard_refused(w, s, YM_FN_DUE, r);
        return;
    }
    if (moved > 0) {
        s->ready = true;
    }
    if (moved >= SHARD_DUE_MAX) {
        s->due_ms = now_ms;
        return;
    }
    shard_due_at(w, s, due_ms);
}

/* The command line ---------------------------------------------------------------------------- */

static void commands_up(void *data, struct ym_line *line)
{
    struct ym_worker *w = data;

    (void)line;
    w->systems_ms = 0; /* what a person has switched meanwhile */
    w->report_now = true;
}

static void commands_lost(struct ym_worker *w, const struct ym_request *q)
{
    struct ym_shard *s = &w->shards[q->shard];

    switch (q->kind) {
    case YM_CALL_ATTACH:
        shard_detach(s, 0);
        break;
    case YM_CALL_RECLAIM:
        if (s->sm.state == YM_SHARD_RECLAIMING) {
            shard_detach(s, 0);
        }
        break;
    case YM_CALL_CLAIM:
        /* it may have been carried out: those entries are in flight for nobody */
        ym_bucket_return(&w->bucket, s->asked);
        s->asked = 0;
        s->claim_lost = true;
        break;
    case YM_CALL_ENVELOPE:
    case YM_CALL_EARLIER:
        shard_on_envelope(w, s, q, NULL);
        break;
    case YM_CALL_SETTLE:
        s->sent_open = false; /* sent again when the line is back; the store knows repeats */
        break;
    case YM_CALL_DUE:
        s->due_open = false;
        s->due_ms = 0;
        break;
    default:
        break;
    }
}

static void commands_reply(void *data, struct ym_line *line, const struct ym_request *q,
                           const struct redisReply *r)
{
    struct ym_worker *w = data;
    struct ym_shard *s = &w->shards[q->shard];

    (void)line;
    if (r == NULL) {
        commands_lost(w, q);
        return;
    }
    switch (q->kind) {
    case YM_CALL_ATTACH:
        shard_on_attach(w, s, r);
        break;
    case YM_CALL_RECLAIM:
        shard_on_reclaim(w, s, r);
        break;
    case YM_CALL_CLAIM:
        shard_on_claim(w, s, r);
        break;
    case YM_CALL_ENVELOPE:
    case YM_CALL_EARLIER:
        shard_on_envelope(w, s, q, r);
        break;
    case YM_CALL_SETTLE:
        shard_on_settle(w, s, r);
        break;
    case YM_CALL_DUE:
        shard_on_due(w, s, r);
        break;
    case YM_CALL_SYSTEMS:
        ym_worker_told(w, r);
        break;
    default:
        break;
    }
}

static void commands_down(void *data, struct ym_line *line)
{
    (void)data;
    (void)line;
}

/* Doorbell and control ------------------------------------------------------------------------ */

static void bell_up(void *data, struct ym_line *line)
{
    (void)data;
    (void)line;
}

static void bell_down(void *data, struct ym_line *line)
{
    line->quiet = true;
    (void)data;
}

/* [[stream, [[entry, …], …]], …] or nil. */
static void bell_reply(void *data, struct ym_line *line, const struct ym_request *q,
                       const struct redisReply *r)
{
    struct ym_worker *w = data;
    bool control = line == &w->control;

    (void)q;
    *(control ? &w->control_open : &w->bell_open) = false;
    if (ym_reply_error(r) != NULL) {
        ym_line_drop(line, ym_reply_error(r)); /* not to ask again at once */
        return;
    }
    for (size_t i = 0; i < ym_reply_count(r); i++) {
        const struct redisReply *stream = ym_reply_item(r, i);
        struct ym_str name = ym_reply_text(stream, 0);
        struct ym_str entry = ym_reply_text(ym_reply_item(ym_reply_item(stream, 1), 0), 0);

        if (control) {
            shard_saw(w->control_seen, sizeof(w->control_seen), entry);
            w->systems_ms = 0;
            continue;
        }
        for (unsigned k = 0; k < w->shard_count; k++) {
            if (ym_str_is(name, w->shards[k].stream)) {
                w->shards[k].ready = true;
                shard_saw(w->shards[k].seen, sizeof(w->shards[k].seen), entry);
            }
        }
    }
}

/* While any shard is busy the idle ones are asked now and then; the doorbell serves rest. */
static bool shards_at_rest(const struct ym_worker *w)
{
    for (unsigned i = 0; i < w->shard_count; i++) {
        if (w->shards[i].ready || w->shards[i].asked > 0 ||
            w->shards[i].sm.state != YM_SHARD_ATTACHED) {
            return false;
        }
    }
    return true;
}

static void shards_listen(struct ym_worker *w)
{
    const char *streams[YM_SHARDS_MAX], *ids[YM_SHARDS_MAX];
    char control[128];
    const char *control_stream = control, *control_id = w->control_seen;

    if (!w->control_open && ym_line_ready(&w->control)) {
        snprintf(control, sizeof(control), "{s0}:ctl:%s", w->sys->id);
        w->control_open = ym_call_bell(&w->control, &control_stream, &control_id, 1, BELL_BLOCK_MS);
    }
    if (w->bell_open || !ym_line_ready(&w->bell) || w->sm.state != YM_WORKER_RUNNING) {
        return;
    }
    if (!shards_at_rest(w)) {
        return;
    }
    for (unsigned i = 0; i < w->shard_count; i++) {
        streams[i] = w->shards[i].stream;
        ids[i] = w->shards[i].seen;
    }
    w->bell_open = ym_call_bell(&w->bell, streams, ids, w->shard_count, BELL_BLOCK_MS);
}

/* Returns when the idle shards are to be asked again; INT64_MAX = the doorbell or an event tells. */
static int64_t shards_poll(struct ym_worker *w, int64_t now_ms)
{
    bool idle = false;

    if (shards_at_rest(w) || ym_engine_room(w) <= 0 || w->sm.state != YM_WORKER_RUNNING) {
        return INT64_MAX;
    }
    for (unsigned i = 0; i < w->shard_count; i++) {
        idle = idle || (!w->shards[i].ready && w->shards[i].asked == 0);
    }
    if (!idle) {
        return INT64_MAX;
    }
    if (now_ms < w->poll_ms) {
        return w->poll_ms;
    }
    for (unsigned i = 0; i < w->shard_count; i++) {
        w->shards[i].ready = true;
    }
    w->poll_ms = now_ms + SHARD_POLL_MS;
    return now_ms; /* another turn, which claims */
}

/* The turn ------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t shard_turn(struct ym_worker *w, struct ym_shard *s, int64_t now_ms)
{
    bool attached = s->sm.state == YM_SHARD_ATTACHED;

    if (s->claim_lost && attached && s->active == 0 && s->open.items == 0 && s->sent.items == 0) {
        shard_detach(s, 0);
        attached = false;
    }
    if (s->sm.state == YM_SHARD_DETACHED && ym_line_ready(&w->commands)) {
        shard_attach(w, s, now_ms);
    }
    if (attached && !s->due_open && now_ms >= s->due_ms && now_ms >= s->retry_ms) {
        s->due_open = ym_call_due(&w->commands, &s->holder, SHARD_DUE_MAX);
    }
    if (attached && now_ms >= s->reclaim_ms && now_ms >= s->retry_ms) {
        s->reclaim_ms = now_ms + SHARD_RECLAIM_EVERY_MS;
        ym_call_reclaim(&w->commands, &s->holder, SHARD_RECLAIM_IDLE_MS, SHARD_RECLAIM_MAX);
    }

    if (!ym_line_ready(&w->commands)) {
        return INT64_MAX; /* the line has its own timer */
    }
    if (now_ms < s->retry_ms) {
        return s->retry_ms;
    }
    return attached ? earlier(s->due_open ? INT64_MAX : s->due_ms, s->reclaim_ms) : INT64_MAX;
}

int64_t ym_shards_turn(struct ym_worker *w, int64_t now_ms)
{
    int64_t next = ym_line_poll(&w->commands, now_ms);

    next = earlier(next, ym_line_poll(&w->bell, now_ms));
    next = earlier(next, ym_line_poll(&w->control, now_ms));
    for (unsigned i = 0; i < w->shard_count; i++) {
        shard_flush(w, &w->shards[i], now_ms);
        next = earlier(next, shard_turn(w, &w->shards[i], now_ms));
    }
    if (w->sm.state == YM_WORKER_RUNNING) {
        shards_claim(w, now_ms);
    }
    shards_listen(w);
    next = earlier(next, shards_poll(w, now_ms));

    ym_line_flush(&w->commands);
    ym_line_flush(&w->bell);
    ym_line_flush(&w->control);
    return next;
}
