/* SPDX-License-Identifier: Apache-2.0
 * The store's contract: names of the Redis Functions, their arguments and replies. The library is
 * one text: core/ym_store.lua and the core/ym_store_*.lua after it, in name order. Plain text on
 * purpose: no Redis header here. docs/delivery.md draws the states.
 *
 * Every call is `FCALL <name> 1 {sN} <arguments…>`: the one key is the shard's tag, and every key
 * the function touches carries it, so a record and all its deliveries live in one slot. A record's
 * shard is the last character of its id (ym_id_shard). "meta" below = shard 0, where per-system
 * switches live. All clocks are Redis's own TIME. All functions are atomic and safe to call twice.
 *
 * Replies: every scalar is a bulk string, numbers in decimal; what there is none of is "". nil only
 * where it is said. A call that breaks this contract is answered with an error, nothing written.
 *
 * Keys (N = shard). A record has a short reference: its serial number within the shard. The store's
 * clock never runs backwards, so entry ids <clock ms>-<serial> rise in every stream.
 *   {sN}:c               hash: n last serial, l clock ms, a b how far ids stray from the clock
 *   {sN}:id:<chunk>      string: 39 ids of 26 characters each; serial → id
 *   {sN}:num             hash: system → its short number in this shard, never changed
 *   {sN}:r:<id>          hash: m packed type, owner, …; b<revision> the latest envelope;
 *                        <number of system> packed delivery ("q" = new and queued)
 *   {sN}:v:<id>          hash: revision → envelope, of the revisions before the latest
 *   {sN}:q:<system>      stream, ready deliveries and those in flight; group "w" is its cursor (nothing
 *                        is ever pending in it); all is in the entry's id
 *   {sN}:f               hash: system → its worker's lease: epoch, the last entry claimed, the last one
 *                        of earlier epochs. What stands in the stream up to there is in flight.
 *   {sN}:z:<system>      sorted set, delayed deliveries: serial → due ms
 *   {sN}:x:<system>:<S>  sorted set: deliveries in an exceptional state S (r u j x h), serial → since
 *   {sN}:n:<system>      hash: counters by letter, kept by the transitions (q is what stream and delays
 *                        hold beyond them); epoch, consumer
 *   {sN}:i:<P>:<bucket>  hash of idempotency entries made in the 30 days P, gone after 60
 *   {sN}:ix:…, {sN}:k:…  listing indexes and search keys
 *   {sN}:audit           stream: who, what, id, system, why
 *   {sN}:day:<D>         what the reports count (ym_store_tally.h)
 *   {s0}:sys:<system>    hash: paused 1, paused_by, paused_at, paused_why; what the worker reports
 *   {s0}:ctl:<system>    stream, a doorbell for the worker: what = pause | resume (trimmed)
 * The encodings are the store's own business: others go through the functions, with two exceptions.
 * They block on a stream with XREAD to hear that something came; and a worker reads the envelopes of
 * what it has claimed (YM_ENVELOPE_…), because a text that passes through a function costs several
 * times as much.
 *
 * Delivery state letters, and the API's word (docs/delivery.md):
 *   q queued · s sending · d delivered · r retrying · c sending (taken, number awaited) ·
 *   u unknown · j rejected · x dead · h handoff · w withdrawn
 * `held` is no stored state: a q or r delivery of a system that is paused, closed or suspended.
 *
 * Envelope: {"at": RFC 3339 ms, "by": subject, "reason"?: text, "data": {…}} as compact JSON; the store does not look inside.
 */
#ifndef YM_STORE_H
#define YM_STORE_H

#define YM_STORE_LIBRARY "yimen"
#define YM_STORE_VERSION "6"     /* raised with every change of a key, argument or reply */
#define YM_STORE_GROUP "w"
/*
 * HGET {sN}:r:<id> b<revision> (shard, id, revision); nil = revised since the claim, then it stands at
 * HGET {sN}:v:<id> <revision>
 */
#define YM_ENVELOPE_KEY "{s%u}:r:%s"
#define YM_ENVELOPE_FIELD "b%lld"
#define YM_ENVELOPE_KEY_EARLIER "{s%u}:v:%s"
#define YM_ENVELOPE_FIELD_EARLIER "%lld"
#define YM_IDEMPOTENCY_DAYS 30

/* () → YM_STORE_VERSION */
#define YM_FN_VERSION "ym_version"

/*
 * (id, envelope, type, owner, org, area, idem, body_digest, n, [system, initial]×n, k, [key, digest]×k,
 *  typed?)
 * initial: "q" or "h" (hand-off systems). idem: "" or hex digest of client and key. key, digest: search keys.
 * typed: how many fields somebody typed, for the reports (ym_store_tally.h).
 * → ["created", id, created_ms] | ["replayed", id, created_ms] | ["mismatch", id]
 * An id that is already there answers "replayed" too: a repeated call makes no second record.
 * Redis itself answers -OOM above maxmemory: 503.
 */
#define YM_FN_ACCEPT "ym_accept"

/*
 * (id, expected_revision, envelope, by, k, [key, digest]×k, typed?)
 * → ["revised", revision] | ["stale", revision] | ["absent"] | ["withdrawn"]
 * The very same call again (same envelope) answers "revised" again and changes nothing.
 * d, q, r and j deliveries are wanted anew (leaving j writes an audit entry); s, c and u finish what
 * is under way first; x stays dead with the new revision wanted; h shows its card again.
 */
#define YM_FN_REVISE "ym_revise"

/*
 * (id, revision)  revision "0" = the latest
 * → nil | [type, owner, org, area, created, updated, revision, withdrawn, envelope, deliveries]
 * deliveries: [[system, letter, wanted, has, attempts, next_ms, number, digest, sent_ms, problem_json], …]
 * next_ms: "0" none, "-1" only a person. digest: of the answer, or "audit:<entry>" when a person said so.
 */
#define YM_FN_GET "ym_get"

/* (id) → [[revision, envelope], …] oldest first, or nil */
#define YM_FN_HISTORY "ym_history"

/*
 * (before_id, limit, steps, [name, value]…)  names: type state system area (prefix) owner from to (ms)
 * key:<name> (digest) · scope_area (prefix) · scope_owner  — both scopes given: either may match
 * state: the API's word (queued sending delivered retrying unknown rejected dead handoff withdrawn) or
 * letters; with system: that system's delivery is in it. from ≤ the id's time < to.
 * → [next_before_id or "", [id, type, … as ym_get], …] newest first (by id); at most `steps` index
 * entries are looked at, so a page may be short while next_before_id is not empty. before_id may be
 * another shard's id; next_before_id has an id's shape but need not be a record's.
 */
#define YM_FN_LIST "ym_list"

/*
 * (id, by, why, n, system×n)  systems whose adapter has a withdraw operation
 * → ["withdrawn", ms] | ["already", ms] | ["absent"]
 * A system that never got the record is done (w); one that has it and is listed gets op withdraw; one
 * that has it and is not listed becomes h with problem code withdraw_by_hand; s, c, u finish first.
 */
#define YM_FN_WITHDRAW "ym_withdraw"

/*
 * (system, consumer) → [epoch], "1" or more. Makes stream and group. The newest epoch owns the system's
 * queue on this shard, older ones are fenced.
 */
#define YM_FN_ATTACH "ym_attach"

/*
 * (system, consumer, epoch, max, each_revision 0|1)
 * → ["fenced"] | ["ok", now_ms, next_due_ms (0 none), [entry, id, op, token, attempt, number, has,
 *    revision, sent_ms, type, owner, org, area, created, updated, envelope, of, letter], …]
 * op: create | update | withdraw | lookup (token's earlier attempt is ambiguous, or its number is awaited;
 * sent_ms, revision and envelope are that attempt's, `of` is its op: create | update | withdraw, letter
 * is u or c; attempt counts the looks). Entries with nothing to do are deleted. envelope: "" for the
 * record's latest: its worker reads it by YM_ENVELOPE_KEY.
 * next_due_ms is that of ym_due. Neither pause nor hours are asked here: that is the worker's part.
 */
#define YM_FN_CLAIM "ym_claim"

/*
 * (system, consumer, epoch, [entry, id, token, verdict, revision, number, digest, delay_ms, problem_json,
 *  request]…)
 * verdict: d delivered · r retry after delay (counts) · p put back after delay (does not count) ·
 *   c number awaited, look again after delay (-1: only a person) · u unknown, look after delay (-1: only a person) ·
 *   a proven absent: send again now · j · x · h · w withdrawn there
 * Behind the letter, where a record was sent, stands how many of its fields went along: d17.
 * → ["fenced"] (an older epoch) | ["ok" or "fenced" per item…]. Deletes the entry in the same step; a
 * delivery whose wanted revision rose meanwhile goes back to the queue. revision: what the system now
 * has (d), "0" = the one that was sent; with a: the older one that was found, "0" = none. digest: the
 * 32 bytes of a SHA-256, or its hex, or any other text. d with neither number nor digest is not
 * believed: it becomes u for a person, problem code no_evidence. The same item again answers "ok" and
 * changes nothing. request: the SHA-256 of what was sent, like digest; what the system took (d, w, c)
 * or refused (j) goes into evidence with both (ym_store_evidence.h), in the same step.
 */
#define YM_FN_SETTLE "ym_settle"

/* (system, max) → [moved, next_due_ms ("0" none)]: delayed deliveries that are due become ready */
#define YM_FN_DUE "ym_due"

/*
 * (system, consumer, epoch, min_idle_ms, max) → ["fenced"] | [reclaimed, lost]: entries taken under an
 * older epoch; s becomes u, look at once. Nothing is done within min_idle_ms of the last claim. lost:
 * attempts whose entries the stream no longer holds (data-loss alarm; ym_reconcile makes them go on).
 * Entries of the current epoch are the living worker's: never touched.
 */
#define YM_FN_RECLAIM "ym_reclaim"

/* meta: (system, by, why) → ["paused"|"already"] ; ["resumed"|"already"]; both write an audit entry */
#define YM_FN_PAUSE "ym_pause"
#define YM_FN_RESUME "ym_resume"

/*
 * meta: (system, [field, value]…) → ["ok"]: the worker's own report: breaker, until, problem,
 * hours_open, beat, last_ok. An empty value removes the field.
 */
#define YM_FN_REPORT "ym_report"

/* meta: (system…) → [[system, field, value, …], …] */
#define YM_FN_SYSTEMS "ym_systems"

/*
 * (system…) → [[system, name, value, …], …] counters of this shard: queued sending delivered retrying
 * awaiting (letter c) unknown rejected dead handoff withdrawn attempts ok oldest_ms ("0" none; when the
 * oldest ready or running delivery was queued). No system given: all the shard knows.
 */
#define YM_FN_COUNTS "ym_counts"

/* (id, system, by, why) x, j, r → queued at once, audited; → ["queued"] | ["refused", letter] | ["absent"] */
#define YM_FN_RETRY "ym_retry"

/*
 * (id, system, action, number, by, why)  u, h, c, x only; action: delivered | resend | rejected
 * → ["resolved", letter] | ["refused", letter] | ["absent"]; audited. delivered without a number keeps
 * "audit:<entry>" as its digest; a hand-off system cannot be resent to.
 */
#define YM_FN_RESOLVE "ym_resolve"

/*
 * (system, letters, since_ms, max, by, why, dry 0|1) → [count, more 0|1]: deliveries in those states
 * (x, j) since then, oldest first, are queued and audited; dry only counts them.
 */
#define YM_FN_REPLAY "ym_replay"

/*
 * (system or "", letters, before_ms ("" or "0" = from the newest), max)
 * → [[id, system, letter, since_ms, attempts, problem_json], …] newest first. Page on with the last
 * row's since_ms until nothing comes: a page ends between two milliseconds, so its length may differ.
 */
#define YM_FN_EXCEPTIONS "ym_exceptions"

/*
 * (cursor, max) → [next_cursor or "", [what, id, system], …]: finds and repairs; the list says what it
 * did (docs/delivery.md). Start with "", go on until "" comes back; max = records or entries per call.
 */
#define YM_FN_RECONCILE "ym_reconcile"

/* (after, max) → [[entry, ms, who, what, id, system, why], …] */
#define YM_FN_AUDIT "ym_audit"

#endif
