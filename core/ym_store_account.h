/* SPDX-License-Identifier: Apache-2.0
 * The store's contract, part local accounts and attempts: see ym_store.h for how calls and replies
 * look. All accounts live on shard 0. Digests are those of ym_ring_digest(): 64 hex digits.
 *
 *   {s0}:ac:<id>                 hash: r version, d disabled, v sealed account, n digests of its
 *                                names, c created ms, t last one-time step taken
 *   {s0}:an:<digest of name>     id
 *   {s0}:al                      sorted set of ids
 *   {s0}:at:<id or digest>[:<device>]  hash: n tries looked at, w tries put off, u not before ms
 *   {s0}:ap:<digest of peer>     tries that failed from there, within the window
 *   {s0}:dv:<id>                 sorted set: browsers that signed in → ms
 *   {sN}:tr:<kind>:<digest>      counter of ym_try
 */
#ifndef YM_STORE_ACCOUNT_H
#define YM_STORE_ACCOUNT_H

/* An account in a reply: id, version, disabled 0|1, sealed, created_ms */

/* (id) → nil | [account] ; (digest of a name) → nil | [account] */
#define YM_FN_ACCOUNT_GET "ym_account_get"
#define YM_FN_ACCOUNT_FIND "ym_account_find"

/* (after_id or "", limit) → [[account], …] by id */
#define YM_FN_ACCOUNT_LIST "ym_account_list"

/*
 * (id, version, disabled 0|1, sealed, n, digest×n)  version: what it is stored as now; "0" = not yet
 * → ["ok", version] | ["stale", version] | ["taken", i]: the i-th name is another account's
 */
#define YM_FN_ACCOUNT_PUT "ym_account_put"

/*
 * One try to sign in, counted before the password is looked at and taken back by ym_account_done.
 * ("name"|"id", digest|id, peer, device or "", free, base_ms, cap_ms, peer_limit, peer_window_ms)
 * After `free` tries the next one has to wait base_ms, then twice as long each time up to cap_ms. A
 * name that nobody has is counted the same way. A browser that signed in to the account before is
 * counted by itself, so that nobody can lock a person out. No more than peer_limit failed tries
 * come from one address within the window.
 * → ["wait", ms] | ["go", id or "", version, disabled 0|1, sealed]
 */
#define YM_FN_ACCOUNT_TRY "ym_account_try"

/*
 * It went well: (id, peer, device or "", new_device or "", step) → ["ok"] | ["reused"]
 * step: of a one-time code, "0" = none; a step is taken once and never an earlier one after it.
 */
#define YM_FN_ACCOUNT_DONE "ym_account_done"

/* (id, forget_devices 0|1) → ["ok"]: no waiting any more */
#define YM_FN_ACCOUNT_UNLOCK "ym_account_unlock"

/* (kind, digest, window_ms, limit) → [1 within the limit | 0, count, ms left of the window] */
#define YM_FN_TRY "ym_try"

#endif
