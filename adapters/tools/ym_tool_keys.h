/* SPDX-License-Identifier: Apache-2.0
 * The public side of a signing key as a JWK (RFC 7517) with its thumbprint (RFC 7638).
 */
#ifndef YM_TOOL_KEYS_H
#define YM_TOOL_KEYS_H

#include "ym_err.h"

#include <jansson.h>
#include <openssl/evp.h>

/* EC P-256 and RSA. *ret is a new reference: kty, its members, use, alg, kid. */
ym_status ym_tool_jwk(EVP_PKEY *key, json_t **ret, struct ym_err *err);

#endif
