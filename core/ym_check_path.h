/* SPDX-License-Identifier: Apache-2.0
 * A load-time question: can the pointers of a system's field tables exist in a record at all?
 */
#ifndef YM_CHECK_PATH_H
#define YM_CHECK_PATH_H

#include "ym_catalog.h"

/* Adds a diagnostic for every source pointer that no type the system takes has room for. */
void ym_check_paths(const struct ym_catalog *c, const struct ym_system *s, struct ym_diag *d);

/* pointer: below data, "-" for any item of an array. Unknown corners of a schema answer true. */
bool ym_check_path(json_t *schema, const char *pointer);

#endif
