/* SPDX-License-Identifier: Apache-2.0
 * The deployment's key ring: `auth: ring:` of yimen.yaml, for whoever seals or opens.
 */
#ifndef YM_SITE_RING_H
#define YM_SITE_RING_H

#include "ym_catalog.h"
#include "ym_seal.h"

/* *ret is NULL when none is configured; a relative file: is relative to yimen.yaml. */
ym_status ym_site_ring(const struct ym_catalog *c, struct ym_ring **ret, struct ym_err *err);

/* The reference with its path made whole, in the catalogue's arena; NULL when there is none. */
const char *ym_site_ring_reference(const struct ym_catalog *c);

#endif
