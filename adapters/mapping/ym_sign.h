/* SPDX-License-Identifier: Apache-2.0
 * Signing schemes of the field (domain.md §3, test vectors in tests/unit/test_sign.c). Each is
 * declared in an adapter under `sign:` and implemented once, here. Pure.
 */
#ifndef YM_SIGN_H
#define YM_SIGN_H

#include "ym_buf.h"
#include "ym_err.h"
#include "ym_time.h"
#include "ym_wire.h"

struct ym_sign_input {
    const char *method, *path; /* path without query */
    const char *query;         /* raw, may be "" */
    struct ym_str body;
    int64_t now_ms;
    const char *nonce;
    int offset_min;
    /* scheme parameters by name: appKey, secret, token, sid, rid … already resolved */
    const char *(*param)(void *data, const char *name);
    void *data;
};

/*
 * Appends the scheme's name/value pairs (the caller puts them into headers, query or body as the
 * adapter says). YM_EUNSUPPORTED: no such scheme. Values live in a.
 */
ym_status ym_sign(const char *scheme, const struct ym_sign_input *in, struct ym_arena *a,
                  struct ym_pair *ret_pairs, size_t max_pairs, size_t *ret_count,
                  struct ym_err *err);

/*
 * NULL-terminated names, what each needs and (in brackets) may have, and the pairs it makes:
 *   irs_md5        appKey secret → appKey sign requestTime
 *   link_do        apiName [appKey secret] → requestTime sign [zj_ggsjpt_app_key zj_ggsjpt_sign]
 *   tif_sha256     paasid token [serviceId prefix case=upper uid uinfo ext] → x-tif-paasid
 *                  -timestamp -nonce -signature [-serviceId]; uid gives the inbound form
 *   gjgxjhpt_hmac  secret sid rid → gjgxjhpt_rid _sid _rtime _sign
 *   bg_hmac        appKey secret [plus=literal] → X-BG-HMAC-ACCESS-KEY -ALGORITHM -SIGNATURE,
 *                  X-BG-DATE-TIME
 *   zwdd_hmac      appKey secret [ip mac] → X-Hmac-Auth-Timestamp -Version -Nonce -Signature
 *                  [-IP -MAC], apiKey; query and form body are covered
 *   ticket_md5     servicecode secret → servicecode time sign
 *   hmac_sha256, hmac_sm3 (Yimen's own)  key [key_id fields separator encoding=hex|base64 time=s|ms]
 *                  → X-Timestamp X-Nonce X-Signature [X-Key-Id]. fields: words in the order in which
 *                  they are signed, default "method path query timestamp nonce body"; also
 *                  body_hash (lower-case hex of the same digest) and key_id; joined by separator,
 *                  default a newline, none at the end
 *   sm_envelope    appCode sm4_key sm2_key (hex) [sm4_iv signature=raw|der signed=plain|cipher
 *                  version distid] → encData appCode version encType signType timestamp signData
 * A parameter `name.X` gives pair X another name in any scheme.
 */
extern const char *const ym_sign_schemes[];
/* NULL-terminated parameter names a scheme needs, or may have; NULL for an unknown scheme. */
const char *const *ym_sign_params(const char *scheme);
const char *const *ym_sign_optional(const char *scheme);

/* Hex signatures differ in case between sites: compared without it, in constant time. */
bool ym_sign_hex_equal(struct ym_str a, struct ym_str b);

/*
 * gjgxjhpt: unwraps the rotating secret (AES-128 ECB, or CBC when iv is given) into out. The key is
 * the first 16 bytes of SHA1(SHA1(long_term_secret)). YM_EAUTH when it does not fit.
 */
ym_status ym_sign_unwrap(const char *long_term_secret, struct ym_str base64, const char *iv,
                         struct ym_buf *out, struct ym_err *err);

#endif
