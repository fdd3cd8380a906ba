/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of the vault and of the cookies of old applications: core/ym_store_vault.lua.
 * How a call looks, and what replies are made of: ym_store.h.
 *
 * Keys (N = shard of the person's digest, P that digest, 64 lower-case hex digits):
 *   {sN}:va:<P>           hash: <system> sealed credentials, <system>:t since when (ms),
 *                         <system>:s why the application refused them, when it did
 *   {sN}:vj:<P>:<system>  hash, one of: g generation, at signed in (ms), c:<key> sealed cookie … ·
 *                         f who is signing in, u until when · w why nobody tries, k until when
 */
#ifndef YM_STORE_VAULT_H
#define YM_STORE_VAULT_H

/* (person, system, sealed) → ["kept", ms] | ["full"]: what there was is replaced, its cookies go */
#define YM_FN_VAULT_SET "ym_vault_set"

/* (person, system) → ["gone"] | ["absent"]; its cookies go */
#define YM_FN_VAULT_DROP "ym_vault_drop"

/* (person, system) → [sealed, since_ms, stale or ""] or nil */
#define YM_FN_VAULT_GET "ym_vault_get"

/* (person) → [[system, since_ms, stale or ""], …] by name */
#define YM_FN_VAULT_LIST "ym_vault_list"

/* (person, system, since_ms, sealed) → ["kept"] | ["other"]: the same under a newer key */
#define YM_FN_VAULT_RESEAL "ym_vault_reseal"

/* (person, system, since_ms, why) → ["stale"] | ["other"]: entered anew in the meantime */
#define YM_FN_VAULT_STALE "ym_vault_stale"

/*
 * (person, system, holder, lease_ms, keep_ms, personal 0|1)
 * → ["jar", generation, age_ms, [key, sealed, …]]: signed in
 * | ["wait", ms]: somebody is signing in, for so long at most
 * | ["held", why, ms]: it failed a moment ago
 * | ["none"]: nothing was entered | ["stale", why]: what was entered is refused (personal 1 only)
 * | ["go", sealed or "", since_ms]: the caller signs in now; holder, unique, becomes the generation
 */
#define YM_FN_JAR_OPEN "ym_jar_open"

/* (person, system, holder, keep_ms, [key, sealed]…) → ["kept"] | ["late"]: signed in */
#define YM_FN_JAR_KEEP "ym_jar_keep"

/*
 * (person, system, holder, why, hold_ms, since_ms or "") → ["held"] | ["stale"] | ["late"]: it failed.
 * since_ms: the credentials of then are refused and not to be used again.
 */
#define YM_FN_JAR_FAIL "ym_jar_fail"

/* (person, system, generation, keep_ms, [key, sealed or ""]…) → ["kept"] | ["late"]: cookies changed */
#define YM_FN_JAR_PUT "ym_jar_put"

/*
 * (person, system, generation, young_ms, hold_ms, why) → ["gone"] | ["young"] | ["late"]: the
 * application has forgotten the person; when that was within young_ms, nobody tries for hold_ms.
 */
#define YM_FN_JAR_FORGET "ym_jar_forget"

/* (person, system…) → [[system, generation, [key, sealed, …]], …]: all cookies go, as they were */
#define YM_FN_JAR_END "ym_jar_end"

#endif
