/* SPDX-License-Identifier: Apache-2.0
 * Record ids: ULIDs (26 characters of Crockford's base 32) whose last character is the record's
 * shard, so that an id alone says where a record lives. 75 random bits remain.
 */
#ifndef YM_ID_H
#define YM_ID_H

#include "ym_err.h"

#define YM_ID_LEN 26
#define YM_SHARDS_MAX 32

/* out gets 26 characters and a NUL. YM_EIO when the system's random generator fails. */
ym_status ym_id_make(int64_t now_ms, unsigned shard, char out[YM_ID_LEN + 1]);
bool      ym_id_valid(struct ym_str s); /* upper case only */
unsigned  ym_id_shard(const char *id);  /* of a valid id */
int64_t   ym_id_time_ms(const char *id);

/* Stable spread of a key (idempotency key, owner) over n shards: FNV-1a 64. */
unsigned ym_shard_of(struct ym_str key, unsigned shards);

#endif
