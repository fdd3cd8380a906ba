/* SPDX-License-Identifier: Apache-2.0
 * Signing schemes of the field (domain.md §3, test vectors in tests/unit/test_sign.c). Each is
 * declared in an adapter under `sign:` and implemented once, here. Pure.
 */
#ifndef YM_SIGN_H
#define YM_SIGN_H

#include "ym_buf.h"
#include "ym_err.h"
#include "ym_wire.h"

struct ym_sign_input {
    const char   *method, *path;    /* path without query */
    const char   *query;            /* raw, may be "" */
    struct ym_str body;
    int64_t       now_ms;
    const char   *nonce;
    int           offset_min;
    /* scheme parameters by name: appKey, secret, token, sid, rid … already resolved */
    const char *(*param)(void *data, const char *name);
    void         *data;
};

/*
 * Appends the scheme's name/value pairs (the caller puts them into headers, query or body as the
 * adapter says). YM_EUNSUPPORTED: no such scheme. Values live in a.
 */
ym_status ym_sign(const char *scheme, const struct ym_sign_input *in, struct ym_arena *a,
                  struct ym_pair *ret_pairs, size_t max_pairs, size_t *ret_count, struct ym_err *err);

/* NULL-terminated names: irs_md5 tif_sha256 gjgxjhpt_hmac bg_hmac zwdd_hmac ticket_md5 hmac_sha256 hmac_sm3 sm_envelope */
extern const char *const ym_sign_schemes[];
/* NULL-terminated parameter names a scheme needs, or NULL for an unknown scheme. */
const char *const *ym_sign_params(const char *scheme);

/* gjgxjhpt: unwraps the rotating secret (AES-128 ECB, or CBC when iv is given) into out. */
ym_status ym_sign_unwrap(const char *long_term_secret, struct ym_str base64, const char *iv,
                         struct ym_buf *out, struct ym_err *err);

#endif
