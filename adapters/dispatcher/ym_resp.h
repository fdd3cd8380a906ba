/* SPDX-License-Identifier: Apache-2.0
 * Redis requests as bytes: arguments are appended once, straight into their wire form, and a
 * request can be kept and sent again after a lost connection.
 */
#ifndef YM_RESP_H
#define YM_RESP_H

#include "ym_buf.h"

/* Arguments without the head that counts them. */
struct ym_resp {
    struct ym_buf body;
    size_t args;
};

void ym_resp_init(struct ym_resp *r, size_t ceiling);
void ym_resp_clear(struct ym_resp *r); /* frees */
void ym_resp_reset(struct ym_resp *r); /* empties, keeps the memory */

ym_status ym_resp_arg(struct ym_resp *r, struct ym_str arg);
ym_status ym_resp_argz(struct ym_resp *r, const char *arg); /* NULL = "" */
ym_status ym_resp_int(struct ym_resp *r, int64_t arg);

/* "*<args>\r\n" into out (32 bytes are enough); returns its length. */
size_t ym_resp_head(size_t args, char *out, size_t out_size);

#endif
