/* SPDX-License-Identifier: Apache-2.0
 * Shared by the two files of the segments: writing, and what is read from the disk.
 */
#ifndef YM_SEGMENTS_PRIV_H
#define YM_SEGMENTS_PRIV_H

#include "ym_segments.h"

#define YM_SEGMENTS_PATH 1200
#define YM_SEGMENTS_BATCH (64u << 20) /* bytes of lines between two syncs */

/* Finds the end of the chain, cuts what is torn, and goes on behind it, or begins one. */
ym_status ym_segments_recover(struct ym_segments *s, const struct ym_segments_head *head,
                              struct ym_err *err);

/* Opens the first or the next file. */
ym_status ym_segments_begin(struct ym_segments *s, struct ym_err *err);

/* Buffers a line that says that evidence is damaged: word is "broken" or "lost". */
ym_status ym_segments_remark(struct ym_segments *s, const char *word, const char *why);

#endif
