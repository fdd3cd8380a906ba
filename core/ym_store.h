/* SPDX-License-Identifier: Apache-2.0
 * The store's contract: names of the Redis Functions in core/ym_store.lua, their arguments and
 * replies. Plain text on purpose: no Redis header here. docs/delivery.md draws the states.
 *
 * Every call is `FCALL <name> 1 {sN} <arguments…>`: the one key is the shard's tag, and every key
 * the function touches carries it, so a record and all its deliveries live in one slot. A record's
 * shard is the last character of its id (ym_id_shard). "meta" below = shard 0, where per-system
 * switches live. All clocks are Redis's own TIME. All functions are atomic and safe to call twice.
 *
 * Keys (N = shard):
 *   {sN}:r:<id>          hash: t type, o owner, g org, a area, c created ms, u updated ms, v revision,
 *                        w withdrawn ms; 1, 2, … = the envelope of that revision (JSON text)
 *   {sN}:d:<id>          hash: system → packed delivery (store-internal encoding)
 *   {sN}:q:<system>      stream, ready deliveries; group "w"; field i = record id
 *   {sN}:z:<system>      sorted set, delayed deliveries: record id → due ms
 *   {sN}:x:<system>:<S>  sorted set of deliveries in an exceptional state S (r u j x h): id → since ms
 *   {sN}:n:<system>      hash of counters, kept by the transitions
 *   {sN}:i:<digest>      idempotency entry, 30 days
 *   {sN}:ix:…            listing indexes (store-internal)
 *   {sN}:audit           stream: who, what, record, system, why
 *   {s0}:sys:<system>    hash: paused by/at/why, breaker, last success …
 *   {s0}:ctl:<system>    stream, a doorbell for the worker: pause, resume
 *
 * Delivery state letters, and the API's word (docs/delivery.md):
 *   q queued · s sending · d delivered · r retrying · c sending (taken, number awaited) ·
 *   u unknown · j rejected · x dead · h handoff · w withdrawn
 * `held` is no stored state: a q or r delivery of a system that is paused, closed or suspended.
 *
 * Envelope: {"at": RFC 3339 ms, "by": subject, "data": {…}} as compact JSON; the store does not look inside.
 */
#ifndef YM_STORE_H
#define YM_STORE_H

#define YM_STORE_LIBRARY "yimen"
#define YM_STORE_VERSION "1"     /* raised with every change of a key, argument or reply */
#define YM_STORE_GROUP "w"
#define YM_IDEMPOTENCY_DAYS 30

/* () → YM_STORE_VERSION */
#define YM_FN_VERSION "ym_version"

/*
 * (id, envelope, type, owner, org, area, idem, body_digest, n, [system, initial]×n, k, [key, digest]×k)
 * initial: "q" or "h" (hand-off systems). idem: "" or hex digest of client and key. key, digest: search keys.
 * → ["created", id] | ["replayed", id, created_ms] | ["mismatch", id]
 * Redis itself answers -OOM above maxmemory: 503.
 */
#define YM_FN_ACCEPT "ym_accept"

/*
 * (id, expected_revision, envelope, by, k, [key, digest]×k)
 * → ["revised", revision] | ["stale", revision] | ["absent"] | ["withdrawn"]
 * d, q, r and j deliveries are wanted anew (leaving j writes an audit entry); s, c and u finish what
 * is under way first; x stays dead with the new revision wanted; h shows its card again.
 */
#define YM_FN_REVISE "ym_revise"

/*
 * (id, revision)  revision "0" = the latest
 * → nil | [type, owner, org, area, created, updated, revision, withdrawn, envelope, deliveries]
 * deliveries: [[system, letter, wanted, has, attempts, next_ms, number, digest, sent_ms, problem_json], …]
 */
#define YM_FN_GET "ym_get"

/* (id) → [[revision, envelope], …] oldest first, or nil */
#define YM_FN_HISTORY "ym_history"

/*
 * (before_id, limit, steps, [name, value]…)  names: type state system area (prefix) owner from to (ms)
 * key:<name> (digest) · scope_area (prefix) · scope_owner  — both scopes given: either may match
 * → [next_before_id or "", [id, <as ym_get>], …] newest first; at most `steps` index entries are
 * looked at, so a page may be short while next_before_id is not empty.
 */
#define YM_FN_LIST "ym_list"

/*
 * (id, by, why, n, system×n)  systems whose adapter has a withdraw operation
 * → ["withdrawn", ms] | ["already", ms] | ["absent"]
 */
#define YM_FN_WITHDRAW "ym_withdraw"

/* (system, consumer) → [epoch]; the newest epoch owns the system's queue on this shard, older ones are fenced */
#define YM_FN_ATTACH "ym_attach"

/*
 * (system, consumer, epoch, max, each_revision 0|1)
 * → ["fenced"] | ["ok", now_ms, next_due_ms (0 none), [entry, id, op, token, attempt, number, has,
 *    revision, sent_ms, type, owner, org, area, created, updated, envelope], …]
 * op: create | update | withdraw | lookup (token's earlier attempt is ambiguous, or its number is awaited;
 * sent_ms and revision are that attempt's). Entries with nothing to do are acknowledged and deleted.
 */
#define YM_FN_CLAIM "ym_claim"

/*
 * (system, consumer, epoch, [entry, id, token, verdict, revision, number, digest, delay_ms, problem_json]…)
 * verdict: d delivered · r retry after delay (counts) · p put back after delay (does not count) ·
 *   c number awaited, look again after delay · u unknown, look after delay (-1: only a person) ·
 *   a proven absent: send again now · j · x · h · w withdrawn there
 * → ["fenced"] | ["ok" or "fenced" per item…]. Acknowledges and deletes in the same step; a delivery
 * whose wanted revision rose meanwhile goes back to the queue.
 */
#define YM_FN_SETTLE "ym_settle"

/* (system, max) → [moved, next_due_ms (0 none)]: delayed deliveries that are due become ready */
#define YM_FN_DUE "ym_due"

/* (system, consumer, epoch, min_idle_ms, max) → [reclaimed, lost]: entries of dead consumers; s becomes u, look at once */
#define YM_FN_RECLAIM "ym_reclaim"

/* meta: (system, by, why) → ["paused"|"already"] ; ["resumed"|"already"]; both write an audit entry */
#define YM_FN_PAUSE "ym_pause"
#define YM_FN_RESUME "ym_resume"

/* meta: (system, [field, value]…) the worker's own report: breaker, until, problem, hours_open, beat, last_ok → ["ok"] */
#define YM_FN_REPORT "ym_report"

/* meta: (system…) → [[system, field, value, …], …] */
#define YM_FN_SYSTEMS "ym_systems"

/* (system…) → [[system, name, value, …], …] counters: queued sending delivered retrying … + attempts, ok, oldest_ms */
#define YM_FN_COUNTS "ym_counts"

/* (id, system, by, why) x, j, r → queued at once; → ["queued"] | ["refused", letter] | ["absent"] */
#define YM_FN_RETRY "ym_retry"

/*
 * (id, system, action, number, by, why)  u, h, c, x only; action: delivered | resend | rejected
 * → ["resolved", letter] | ["refused", letter] | ["absent"]; audited
 */
#define YM_FN_RESOLVE "ym_resolve"

/* (system, letters, since_ms, max, by, why, dry 0|1) → [count, more 0|1]: all in those states (x, j) → queued; audited */
#define YM_FN_REPLAY "ym_replay"

/* (system or "", letters, before_ms, max) → [[id, system, letter, since_ms, attempts, problem_json], …] */
#define YM_FN_EXCEPTIONS "ym_exceptions"

/* (cursor, max) → [next_cursor or "", [what, id, system], …]: finds and repairs; the list says what it did */
#define YM_FN_RECONCILE "ym_reconcile"

/* (after, max) → [[entry, ms, who, what, id, system, why], …] */
#define YM_FN_AUDIT "ym_audit"

#endif
