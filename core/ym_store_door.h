/* SPDX-License-Identifier: Apache-2.0
 * The store's contract, part sessions and one-time things: see ym_store.h for how calls and replies
 * look. Digests are 64 lower-case hex digits; a digest's shard is the number of its first eight
 * modulo the shards. What tells of a person is sealed before it comes here, and keys hold digests.
 *
 *   {sN}:se:<digest of id>      hash: v sealed value, p digest of the person, s digest of the
 *                               provider's sid or "", c created, t touched, e end (ms); its time to
 *                               live is the idle one. N = shard of the person's digest
 *   {sN}:sp:<digest of person>  sorted set: the person's sessions, by creation
 *   {sN}:si:<digest of sid>     set: sessions of that sid
 *   {sN}:sa:<digest of id>      set: applications that the session has been to; gone with it
 *   {sN}:on:<kind>:<digest>     string: a one-time thing. N = shard of its digest
 */
#ifndef YM_STORE_DOOR_H
#define YM_STORE_DOOR_H

#define YM_SESSION_PREFIX ":se:" /* after {sN}: what workers ask Redis to be told about */

/*
 * (digest, person, sid or "", value, idle_ms, absolute_ms, max)
 * → ["made", created_ms, [digest of one that had to go, …]]: more than max of one person: the oldest go
 * "there" instead of "made": this very call came twice; nothing is changed.
 */
#define YM_FN_SESSION_PUT "ym_session_put"

/*
 * (digest, idle_ms, touch_ms) → nil | [value, person, created_ms, end_ms, age_ms, left_ms, live_ms]
 * age: since it was touched last; when that is touch_ms or more, it is touched now (0 = never touch).
 * left: until its absolute end; live: until it ends for want of use.
 */
#define YM_FN_SESSION_GET "ym_session_get"

/*
 * (digest, application) → ["entered"] | ["there"]: it was there before | ["absent"]. Only the first is
 * counted, by application and day (ym_store_tally.h).
 */
#define YM_FN_SESSION_ENTER "ym_session_enter"

/* (digest, value) → ["kept"] | ["absent"]: another value, lifetimes as they are (refresh, new key) */
#define YM_FN_SESSION_SET "ym_session_set"

/* (digest) → ["ended", person] | ["absent"] */
#define YM_FN_SESSION_END "ym_session_end"

/* (person, except digest or "") → [digest, …] that ended */
#define YM_FN_SESSION_END_PERSON "ym_session_end_person"

/* (sid) → [digest, …] that ended on this shard; ask every shard */
#define YM_FN_SESSION_END_SID "ym_session_end_sid"

/* (person) → [[digest, value, created_ms, touched_ms, end_ms], …] oldest first */
#define YM_FN_SESSION_LIST "ym_session_list"

/*
 * One-time things: state of a sign-in, a token id that was seen, a ticket. Kinds (letters, digits, _)
 * are key spaces of their own: what is put as one is never found as another.
 * put (kind, digest, value, ttl_ms) → ["kept"] | ["there"]: it was, and is left alone
 * take (kind, digest) → nil | [value], and it is gone · look (kind, digest) → nil | [value]
 */
#define YM_FN_ONCE_PUT "ym_once_put"
#define YM_FN_ONCE_TAKE "ym_once_take"
#define YM_FN_ONCE_LOOK "ym_once_look"

/*
 * Revoked tokens, all on shard 0: {s0}:rvn last number, :rv digest by number, :rve digest by end
 * (ms), :rva hash digest → when (ms). digest: of the kind (jti, sid, sub) and its value.
 * (digest, life_ms) → ["revoked", number] | ["full"]: more would not fit a worker's table
 */
#define YM_FN_REVOKE "ym_revoke"
/* (since, most) → [last number, [digest, number, at_ms, end_ms], …] by number; last < since: begin at 0 */
#define YM_FN_REVOKED "ym_revoked"

#endif
