/* SPDX-License-Identifier: Apache-2.0
 * The walk (ym_sweep.h). The store decides and forgets first, then the file goes: what a crash leaves
 * between the two is found by the next walk.
 */
#include "ym_sweep.h"

#include "ym_blob.h"
#include "ym_id.h"
#include "ym_log.h"
#include "ym_queue_worker.h"
#include "ym_store_attachment.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <unistd.h>

#define DAY_MS 86400000LL
#define UNKNOWN_MS (7 * DAY_MS) /* behind keep_ms: what nobody knows of stays for a person to see */

struct sweep {
    const struct ym_catalog *catalog;
    struct ym_queue *queue;
    int64_t before_ms, now_ms, removed, unknown;
    ym_status rc;
    struct ym_err *err;
};

static void drop(struct sweep *s, const char *folder, const char *name)
{
    char path[1500];

    (void)snprintf(path, sizeof(path), "%s/" YM_BLOB_DIR "/%s/%s", s->catalog->site.state_dir,
                   folder, name);
    if (unlink(path) == 0) {
        s->removed++;
    } else if (errno != ENOENT) {
        s->rc = ym_err_set(s->err, YM_EIO, "an attachment's file cannot be removed");
    }
}

static bool known(struct sweep *s, struct ym_str record)
{
    char id[YM_ID_LEN + 1];
    struct redisReply *r = NULL;
    bool yes = true; /* whoever cannot be asked about is not forgotten */

    if (!ym_id_valid(record)) {
        return false;
    }
    (void)snprintf(id, sizeof(id), "%.*s", (int)record.n, record.p);
    if (ym_queue_ask(s->queue, YM_FN_KNOWN, ym_id_shard(id), &record, 1, &r, s->err) == YM_OK) {
        yes = !ym_str_is(ym_reply_text(r, 0), "0");
    }
    if (r != NULL) {
        freeReplyObject(r);
    }
    return yes;
}

/* Some record was said to have it: which of those exist? */
static void tell(struct sweep *s, const char *id, const struct redisReply *asked)
{
    struct ym_str argv[1 + 2 * YM_ATTACHMENT_RECORDS] = {ym_str_of(id)};
    struct redisReply *r = NULL;
    size_t n = 1;

    for (size_t i = 1; i < ym_reply_count(asked) && n + 1 < YM_COUNT(argv); i++) {
        argv[n++] = ym_reply_text(asked, i);
        argv[n] = known(s, argv[n - 1]) ? YM_STR("1") : YM_STR("0");
        n++;
    }
    s->rc = ym_queue_ask(s->queue, YM_FN_ATTACHMENT_TOLD, ym_id_shard(id), argv, n, &r, s->err);
    if (r != NULL) {
        freeReplyObject(r);
    }
}

static bool look(void *data, const char *folder, const char *name, int64_t changed_ms)
{
    struct sweep *s = data;
    const char *dot = strrchr(name, '.'), *id = dot != NULL ? dot + 1 : "";
    char before[24];
    struct redisReply *r = NULL;
    struct ym_str word;

    if (strcmp(folder, "new") == 0) { /* of a process that was killed */
        if (changed_ms < s->now_ms - DAY_MS) {
            drop(s, folder, name);
        }
        return s->rc == YM_OK;
    }
    if (!ym_id_valid(ym_str_of(id)) || ym_id_time_ms(id) >= s->before_ms ||
        ym_id_shard(id) >= (unsigned)s->catalog->site.shards) {
        return true;
    }
    struct ym_str argv[] = {ym_str_of(id), ym_str_of(before)};
    (void)snprintf(before, sizeof(before), "%lld", (long long)s->before_ms);
    argv[1] = ym_str_of(before);
    s->rc = ym_queue_ask(s->queue, YM_FN_ATTACHMENT_SWEEP, ym_id_shard(id), argv, YM_COUNT(argv),
                         &r, s->err);
    if (s->rc == YM_OK) {
        word = ym_reply_text(r, 0);
        if (ym_str_is(word, "ask")) {
            tell(s, id, r);
        } else if (ym_str_is(word, "gone") ||
                   (ym_str_is(word, "none") && ym_id_time_ms(id) >= s->before_ms - UNKNOWN_MS)) {
            drop(s, folder, name);
        } else if (ym_str_is(word, "none")) {
            s->unknown++;
        }
    }
    if (r != NULL) {
        freeReplyObject(r);
    }
    return s->rc == YM_OK;
}

ym_status ym_sweep(const struct ym_catalog *c, struct ym_queue *q, int64_t keep_ms, int64_t now_ms,
                   int64_t *ret_removed, struct ym_err *err)
{
    struct sweep s = {c, q, now_ms - keep_ms, now_ms, 0, 0, YM_OK, err};
    ym_status rc = ym_blob_walk(c->site.state_dir, look, &s, err);
    char count[24];

    *ret_removed = s.removed;
    if (s.unknown > 0) {
        (void)snprintf(count, sizeof(count), "%lld", (long long)s.unknown);
        ym_log(YM_LOG_WARN, "attachment.unknown", "files", count, "remedy",
               "Redis knows nothing of them: see docs/operations.md", NULL);
    }
    return rc == YM_OK ? s.rc : rc;
}
