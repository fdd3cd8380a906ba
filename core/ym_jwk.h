/* SPDX-License-Identifier: Apache-2.0
 * The public side of a signing key as a JWK (RFC 7517), named by its thumbprint (RFC 7638).
 */
#ifndef YM_JWK_H
#define YM_JWK_H

#include "ym_err.h"

#include <jansson.h>
#include <openssl/evp.h>

/* EC P-256 and RSA. *ret is a new reference: kty, its members, use, alg, kid; nothing private. */
ym_status ym_jwk_public(EVP_PKEY *key, json_t **ret, struct ym_err *err);

#endif
