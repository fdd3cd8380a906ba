/* SPDX-License-Identifier: Apache-2.0
 * The one place of the dispatcher where the envelope of a record, bytes to everybody else, is opened.
 */
#ifndef YM_ENVELOPE_H
#define YM_ENVELOPE_H

#include "ym_err.h"
#include "ym_queue_worker.h"

#include <jansson.h>

/*
 * {"at", "by", "data"} of a claimed delivery's envelope, a new reference. Whatever the gateway does
 * to an envelope before the store keeps it (ym_store.h) is undone here. YM_EINVAL: it is no such
 * thing; no data in the message.
 */
ym_status ym_envelope_open(const struct ym_claimed *c, json_t **ret, struct ym_err *err);

#endif
