/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of key rotation (core/ym_store_reseal.lua): values that the tool has sealed
 * anew take the place of the old ones, unless somebody has changed them meanwhile.
 */
#ifndef YM_STORE_RESEAL_H
#define YM_STORE_RESEAL_H

/*
 * (kind, rest, field, old, new) → ["kept"] | ["changed"]
 * kind, rest, field: the hash {sN}:<kind>:<rest> and its field; kinds r v ac se sys at
 */
#define YM_FN_RESEAL "ym_reseal"

/* (id, number of system, old, new) → ["kept"] | ["changed"]: the problem of a delivery */
#define YM_FN_RESEAL_PROBLEM "ym_reseal_problem"

/* (id, n, [name, old digest, new digest]×n) → ["kept"] | ["absent"]: search keys under other digests */
#define YM_FN_REKEY "ym_rekey"

#endif
