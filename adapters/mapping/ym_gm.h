/* SPDX-License-Identifier: Apache-2.0
 * The national algorithms through OpenSSL's EVP: SM2 signatures, SM3 digest, SM4 cipher. Pure.
 */
#ifndef YM_GM_H
#define YM_GM_H

#include "ym_buf.h"
#include "ym_err.h"

#define YM_SM3_HEX 65                    /* with NUL */
#define YM_SM2_DISTID "1234567812345678" /* the usual signer identity of GM/T 0009 */

ym_status ym_sm3_hex(struct ym_str in, char out[YM_SM3_HEX]); /* lower case */

/*
 * SM2 with SM3. private_hex: 64 hex digits; public_hex: "04" and 128 hex digits. distid NULL means
 * YM_SM2_DISTID. der false: raw r and s, 64 bytes. Verification answers YM_EAUTH when it fails.
 */
ym_status ym_sm2_sign(const char *private_hex, const char *distid, struct ym_str message, bool der,
                      struct ym_buf *out, struct ym_err *err);
ym_status ym_sm2_verify(const char *public_hex, const char *distid, struct ym_str message,
                        struct ym_str signature, bool der, struct ym_err *err);
/* out gets the public key of private_hex: "04" and 128 hex digits, with NUL. */
ym_status ym_sm2_public(const char *private_hex, char out[131], struct ym_err *err);

/* SM4, 16-byte key; iv NULL = ECB, else CBC. pad: PKCS#7. */
ym_status ym_sm4(bool encrypt, const unsigned char key[16], const unsigned char *iv, bool pad,
                 struct ym_str in, struct ym_buf *out, struct ym_err *err);

#endif
