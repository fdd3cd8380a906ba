/* SPDX-License-Identifier: Apache-2.0
 * Reads a whole file of ours (configuration) into a buffer with a ceiling.
 */
#ifndef YM_SLURP_H
#define YM_SLURP_H

#include "ym_buf.h"
#include "ym_err.h"

/* Appends path's content to text, whose ceiling is the limit; err names the file. The caller clears text. */
ym_status ym_slurp(const char *path, struct ym_buf *text, struct ym_err *err);

#endif
