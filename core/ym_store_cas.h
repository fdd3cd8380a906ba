/* SPDX-License-Identifier: Apache-2.0
 * The store's contract, part CAS: which applications know of a session, and which of them are to
 * hear that it has ended: core/ym_store_cas.lua. Tickets are one-time things (ym_store_door.h).
 *
 *   {sN}:sc:<digest of session>  list: sealed, an application and its ticket each
 *   {sN}:slo                     list: those whose session has ended; moved by whatever ends it
 *   {sN}:slr                     zset by time: those that are told again unless they take it before
 */
#ifndef YM_STORE_CAS_H
#define YM_STORE_CAS_H

/*
 * (session, entry or "", most) → nil | [value]: the session lives, this is its value (ym_session_get
 * without touching it), and the entry is kept with it; of more than most the oldest are forgotten.
 */
#define YM_FN_CAS_USE "ym_cas_use"

/*
 * (most, tries, grace, pause) → [entry, …]: they leave the list, and those that were told fewer than
 * tries times come back after grace and a pause (ms) that is six times longer each time, with the
 * number of the try as one digit before them. Who asked tells the applications.
 */
#define YM_FN_CAS_ENDED "ym_cas_ended"

/* (entry as it came) → ["told"]: the application has heard, or never will: it does not come back */
#define YM_FN_CAS_TOLD "ym_cas_told"

#endif
