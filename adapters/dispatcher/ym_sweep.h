/* SPDX-License-Identifier: Apache-2.0
 * Removes the files of attachments that no record names: uploads that were given up.
 */
#ifndef YM_SWEEP_H
#define YM_SWEEP_H

#include "ym_catalog.h"
#include "ym_queue.h"

/*
 * One walk over all files. What is older than keep_ms and belongs to no record goes; a file that
 * Redis knows nothing of goes only within a week after that, so that a Redis that was lost or
 * mistaken for another costs no photo. *ret_removed counts.
 */
ym_status ym_sweep(const struct ym_catalog *c, struct ym_queue *q, int64_t keep_ms, int64_t now_ms,
                   int64_t *ret_removed, struct ym_err *err);

#endif
