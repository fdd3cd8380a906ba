/* SPDX-License-Identifier: Apache-2.0
 * Redis' answers made by hiredis' reader, each in an arena of its own: a claim of 64 deliveries is
 * 1,200 replies, which malloc and free one by one cost more than reading them.
 */
#ifndef YM_ANSWERS_H
#define YM_ANSWERS_H

#include "ym_base.h"

struct redisReader;
struct redisReply;

/* Answers of this reader are ended with ym_answers_free. NULL: no memory. */
struct redisReader *ym_answers_open(void);
void ym_answers_close(struct redisReader *r); /* accepts NULL; ends an answer that is half read */

/* An answer as a whole, never a part of it; accepts NULL. */
void ym_answers_free(const struct redisReply *r);

#endif
