/* SPDX-License-Identifier: Apache-2.0
 * Text of strangers made fit for logs, terminals and evidence.
 */
#ifndef YM_CLEAN_H
#define YM_CLEAN_H

#include "ym_buf.h"

/*
 * Appends s with every control character (C0, DEL, C1), every character that turns the direction of
 * writing, and every byte that is no UTF-8 written out as \xNN. More than `most` bytes are cut
 * between two characters.
 */
ym_status ym_clean(struct ym_buf *out, struct ym_str s, size_t most);

#endif
