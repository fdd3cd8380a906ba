/* SPDX-License-Identifier: Apache-2.0
 * Hex, Base64, base64url, digests and charsets: thin covers of OpenSSL and iconv.
 */
#ifndef YM_CODEC_H
#define YM_CODEC_H

#include "ym_buf.h"
#include "ym_err.h"

#define YM_SHA256_LEN 32
#define YM_SHA256_HEX 65 /* with NUL */

ym_status ym_sha256(struct ym_str in, unsigned char out[YM_SHA256_LEN]);
ym_status ym_sha256_hex(struct ym_str in, char out[YM_SHA256_HEX]); /* lower case */
void      ym_hex(const unsigned char *in, size_t n, bool upper, char *out /* 2n + 1 */);
bool      ym_unhex(struct ym_str in, unsigned char *out /* n / 2 */);

ym_status ym_base64_add(struct ym_buf *out, struct ym_str in);               /* RFC 4648 §4, padded */
ym_status ym_base64url_add(struct ym_buf *out, struct ym_str in);            /* §5, no padding */
ym_status ym_base64_decode(struct ym_str in, struct ym_buf *out);            /* padded, canonical */
ym_status ym_base64url_decode(struct ym_str in, struct ym_buf *out);         /* strict: no padding, no stray bits */

/* Constant time; false for different lengths. */
bool ym_equal_secret(struct ym_str a, struct ym_str b);

/*
 * Converts between "utf-8", "gb18030", "gbk", "big5" and other names iconv knows. Bytes that cannot
 * be decoded become U+FFFD and are counted; characters the target lacks become '?' and are counted.
 * YM_EUNSUPPORTED for a charset iconv does not know.
 */
ym_status ym_charset_convert(const char *from, const char *to, struct ym_str in, struct ym_buf *out,
                             size_t *ret_replaced, struct ym_err *err);

#endif
