/* SPDX-License-Identifier: Apache-2.0
 * One secret by reference: `file:/path` (a regular file, mode 0600 or stricter) or `env:NAME`.
 */
#ifndef YM_SECRET_H
#define YM_SECRET_H

#include "ym_err.h"

#define YM_SECRET_BYTES_MAX 65536 /* a private key with its chain fits many times */

/*
 * *ret is malloc'd text without its last line end: ym_secret_free() it. YM_EAUTH when it is missing,
 * empty, readable by others or no reference at all; what was given is never quoted.
 */
ym_status ym_secret_resolve(const char *reference, char **ret, struct ym_err *err);

/* Wipes and frees; accepts NULL. */
void ym_secret_free(char *value);

#endif
