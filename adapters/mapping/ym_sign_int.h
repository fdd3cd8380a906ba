/* SPDX-License-Identifier: Apache-2.0
 * Private to ym_sign*.c: what the schemes share.
 */
#ifndef YM_SIGN_INT_H
#define YM_SIGN_INT_H

#include "ym_codec.h"
#include "ym_sign.h"

#define YM_SIGN_TEXT (24u << 20) /* ceiling of a string to sign */

/* One call of ym_sign under way. */
struct ym_signing {
    const struct ym_sign_input *in;
    const char *scheme;
    struct ym_arena *a;
    struct ym_pair *pairs;
    size_t max, count;
    struct ym_err *err;
};

typedef ym_status (*ym_sign_fn)(struct ym_signing *s);

/* NULL when it is missing or empty. */
const char *ym_sign_param(const struct ym_signing *s, const char *name);
/* YM_EINVAL naming the parameter when it is missing. */
ym_status ym_sign_need(struct ym_signing *s, const char *name, const char **ret);
/* Adds a pair; an optional parameter `name.<name>` gives it another name. */
ym_status ym_sign_emit(struct ym_signing *s, const char *name, const char *value);
/* Digest by OpenSSL's name as lower-case hex. */
ym_status ym_sign_digest(struct ym_signing *s, const char *digest, struct ym_str text, char **ret);
/* HMAC over text; encoded as "hex" or "base64". */
ym_status ym_sign_hmac(struct ym_signing *s, const char *digest, const char *key,
                       struct ym_str text, const char *encoding, char **ret);
/* now as decimal text: milliseconds, or seconds. */
ym_status ym_sign_now(struct ym_signing *s, bool seconds, char **ret);

ym_status ym_sign_bg(struct ym_signing *s);
ym_status ym_sign_zwdd(struct ym_signing *s);
ym_status ym_sign_hmac_sha256(struct ym_signing *s);
ym_status ym_sign_hmac_sm3(struct ym_signing *s);
ym_status ym_sign_sm_envelope(struct ym_signing *s);

#endif
