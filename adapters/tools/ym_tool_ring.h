/* SPDX-License-Identifier: Apache-2.0
 * The key ring's life for `yimen keys`: made, rotated, and everything in Redis sealed anew.
 */
#ifndef YM_TOOL_RING_H
#define YM_TOOL_RING_H

#include "ym_queue.h"
#include "ym_seal.h"

#include <jansson.h>

/* yimen keys ring|rotate|reseal|drop … */
int ym_tool_ring_run(int argc, char **argv);

/* What a walk over everything that is sealed has found and done. */
struct ym_reseal {
    const struct ym_catalog *catalog;
    const struct ym_ring *ring;
    struct ym_queue *queue;
    bool dry; /* only count */
    bool quiet;
    json_t *left; /* key id → kind → how many are still sealed with it; made by the caller */
    int64_t keys, resealed, changed, plain, unreadable, rekeyed;
    int64_t told_ms;
};

/* One pass over Redis, then over the files of the evidence. */
ym_status ym_reseal_walk(struct ym_reseal *r, struct ym_err *err);

#endif
