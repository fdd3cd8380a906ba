/* SPDX-License-Identifier: Apache-2.0
 * The secrets of one system, each by reference (ym_secret.h). Values are wiped at close and never
 * printed.
 */
#ifndef YM_SECRETS_H
#define YM_SECRETS_H

#include "ym_adapter.h"
#include "ym_secret.h"

struct ym_secrets;

/* Resolves `secrets:` of the system's site file. Missing or readable by others → YM_EAUTH. */
ym_status ym_secrets_open(const struct ym_system *sys, struct ym_secrets **ret, struct ym_err *err);
void ym_secrets_close(struct ym_secrets *s); /* accepts NULL */

/* NULL when there is none. Borrowed. */
const char *ym_secret(const struct ym_secrets *s, const char *name);

/* Each in turn, for who must keep them out of a text; NULL behind the last. Borrowed. */
const char *ym_secret_at(const struct ym_secrets *s, size_t i);

#endif
