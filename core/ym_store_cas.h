/* SPDX-License-Identifier: Apache-2.0
 * The store's contract, part CAS: which applications know of a session, and which of them are to
 * hear that it has ended: core/ym_store_cas.lua. Tickets are one-time things (ym_store_door.h).
 *
 *   {sN}:sc:<digest of session>  list: sealed, an application and its ticket each
 *   {sN}:slo                     list: those whose session has ended; moved by whatever ends it
 */
#ifndef YM_STORE_CAS_H
#define YM_STORE_CAS_H

/*
 * (session, entry or "", most) → nil | [value]: the session lives, this is its value (ym_session_get
 * without touching it), and the entry is kept with it; of more than most the oldest are forgotten.
 */
#define YM_FN_CAS_USE "ym_cas_use"

/* (most) → [entry, …]: they leave the list; who asked tells the applications */
#define YM_FN_CAS_ENDED "ym_cas_ended"

#endif
