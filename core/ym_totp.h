/* SPDX-License-Identifier: Apache-2.0
 * One-time codes by time (RFC 6238: SHA-1, six digits, 30 seconds, as every authenticator app has
 * them), and Base32 (RFC 4648 §6) for their secrets.
 */
#ifndef YM_TOTP_H
#define YM_TOTP_H

#include "ym_buf.h"
#include "ym_err.h"

#define YM_TOTP_STEP_MS 30000
#define YM_TOTP_DIGITS 6
#define YM_TOTP_SECRET 20      /* bytes of a new secret: RFC 4226 §4 R6 */
#define YM_TOTP_SECRET_TEXT 33 /* Base32, with NUL */

ym_status ym_base32_add(struct ym_buf *out, struct ym_str in); /* upper case, no padding */
/* Blanks, hyphens and lower case are taken as people type them; padding is not. */
ym_status ym_base32_decode(struct ym_str in, struct ym_buf *out);

ym_status ym_totp_make(char out[YM_TOTP_SECRET_TEXT], struct ym_err *err);

/* The code of one step; out gets six digits and a NUL. secret: raw bytes. */
ym_status ym_totp_code(struct ym_str secret, int64_t step, char out[YM_TOTP_DIGITS + 1]);

/*
 * YM_OK: code (blanks are skipped) is that of the step now, the one before or the one after, and
 * *ret_step says which, for the caller to take once only. YM_EAUTH otherwise. secret: Base32.
 */
ym_status ym_totp_verify(const char *secret, struct ym_str code, int64_t now_ms, int64_t *ret_step,
                         struct ym_err *err);

#endif
