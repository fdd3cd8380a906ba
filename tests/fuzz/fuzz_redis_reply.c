/* SPDX-License-Identifier: Apache-2.0
 * Bytes in Redis's place (fuzz_redis_feed.h), every reply taken for each of the answers that the
 * dispatcher knows.
 */
#include "fuzz_redis_feed.h"
#include "ym_line.h"
#include "ym_queue_worker.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claimed(const redisReply *item)
{
    struct ym_claimed c;

    if (!ym_answer_claimed(item, &c)) {
        return;
    }
    if (c.entry.n == 0 || c.id.n == 0 || c.op.n == 0) {
        abort();
    }
    look(c.entry);
    look(c.id);
    look(c.op);
    look(c.token);
    look(c.number);
    look(c.type);
    look(c.owner);
    look(c.org);
    look(c.area);
    look(c.envelope);
    look(c.of);
}

static void answer(redisReply *r)
{
    struct ym_str envelope;
    int64_t a = 0, b = 0;
    size_t fenced = 0;

    if (ym_answer_claim(r, &a, &b) == YM_ANSWER_OK) {
        for (size_t i = 3; i < ym_reply_count(r); i++) {
            claimed(ym_reply_item(r, i));
        }
    }
    claimed(r);
    if (ym_answer_envelope(r, &envelope)) {
        if (envelope.n == 0) {
            abort();
        }
        look(envelope);
    }
    if (ym_answer_settle(r, &fenced) == YM_ANSWER_OK && fenced > ym_reply_count(r)) {
        abort();
    }
    (void)ym_answer_pair(r, &a, &b);
    for (size_t i = 0; i <= ym_reply_count(r); i++) {
        look(ym_reply_text(r, i));
        (void)ym_reply_int(r, i);
    }
    if (ym_reply_error(r) != NULL) {
        look(ym_str_of(ym_reply_error(r)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data, size, answer);
    return 0;
}
