/* SPDX-License-Identifier: Apache-2.0
 * Encryption at rest and keyed digests, by a ring of keys that rotates.
 *
 * The ring is a JWK set (RFC 7517) of octet keys: those with "alg" A256GCM (NIST SP 800-38D) or
 * SM4-GCM (GB/T 32907 in GCM, where OpenSSL has it) seal, the first of them new text, all of them
 * old text; the one with "alg" HS256 makes digests and is never rotated, or nothing would be found.
 * `yimen keys ring` makes one, `yimen keys rotate` puts a new key first.
 */
#ifndef YM_SEAL_H
#define YM_SEAL_H

#include "ym_buf.h"
#include "ym_err.h"

#define YM_RING_KEYS 32
#define YM_SEAL_KID_MAX 32 /* bytes of a key id: letters, digits, - and _ */
#define YM_SEAL_OVERHEAD                                                                           \
    (3 + YM_SEAL_KID_MAX + 12 + 16) /* at most this much longer than the text */
#define YM_DIGEST_HEX 65            /* of ym_ring_digest, with NUL */

struct ym_ring; /* immutable once loaded; not shared by threads */

/* text: the JWK set. Keys are wiped at close. */
ym_status ym_ring_load(struct ym_str text, struct ym_ring **ret, struct ym_err *err);
/* The same by reference (ym_secret.h). */
ym_status ym_ring_open(const char *reference, struct ym_ring **ret, struct ym_err *err);
void ym_ring_close(struct ym_ring *ring); /* accepts NULL */

/*
 * Appends the sealed form of plain: "Y", version 1, the key's id, a random nonce, ciphertext, tag;
 * bytes, not text. context names what it is and whose ("session", "vault:zj-odr:<person>"): what was
 * sealed for one place does not open at another; at most 512 bytes. plain: at most 64 MiB.
 */
ym_status ym_seal(const struct ym_ring *ring, struct ym_str context, struct ym_str plain,
                  struct ym_buf *out, struct ym_err *err);

/* YM_EAUTH: not ours, a key that is gone, another context, or altered. out holds secrets: wipe it. */
ym_status ym_unseal(const struct ym_ring *ring, struct ym_str context, struct ym_str sealed,
                    struct ym_buf *out, struct ym_err *err);

/* True when sealed was made with another key than the first: to be sealed anew. */
bool ym_seal_is_old(const struct ym_ring *ring, struct ym_str sealed);
bool ym_is_sealed(struct ym_str text);
/* The id of the key that it was made with; false: not sealed. */
bool ym_seal_kid(struct ym_str sealed, char out[YM_SEAL_KID_MAX + 1]);
/* Ids of the sealing keys, the first seals; NULL behind the last. */
const char *ym_ring_kid(const struct ym_ring *ring, size_t i);
bool ym_ring_has(const struct ym_ring *ring, const char *kid);

/*
 * The same as text ("~" and base64url), for places that must be UTF-8: what a legacy system said, a
 * reason that a person typed.
 */
ym_status ym_seal_text(const struct ym_ring *ring, struct ym_str context, struct ym_str plain,
                       struct ym_buf *out, struct ym_err *err);
ym_status ym_unseal_text(const struct ym_ring *ring, struct ym_str context, struct ym_str text,
                         struct ym_buf *out, struct ym_err *err);
bool ym_is_sealed_text(struct ym_str text);
bool ym_seal_text_kid(struct ym_str text, char out[YM_SEAL_KID_MAX + 1]);

/* HMAC-SHA256 over label and text, each preceded by its length; lower hex. */
ym_status ym_ring_digest(const struct ym_ring *ring, const char *label, struct ym_str text,
                         char out[YM_DIGEST_HEX]);

#endif
