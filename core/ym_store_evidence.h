/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of the evidence: core/ym_store_evidence.lua. How a call looks, and what
 * replies are made of: ym_store.h. docs/evidence.md tells the whole way of an entry.
 *
 * Keys (N = shard; meta = shard 0):
 *   {sN}:audit  stream: who, what, id, system, why; from a worker of nginx also peer, request,
 *               outcome, uid, at. Entries stay until they are archived, the newest of them longer
 *   {sN}:settled stream: what systems took and refused, one entry for all of a settling call: its field
 *               is the system, its value packed. Entries go when they are archived
 *   {sN}:ch     hash: upto, serial: archived so far; on meta also chain, seq, mac, segment: the
 *               last line of the chain, so that a tail that was cut off is noticed
 */
#ifndef YM_STORE_EVIDENCE_H
#define YM_STORE_EVIDENCE_H

/*
 * (who, what, id, system, why, peer, request, outcome, uid, at_ms, since_ms)
 * → ["kept", entry] | ["there", entry]
 * uid names the event. since_ms "" = never sent before; else this is a repeated call: the entries
 * since then are searched for the uid first. at_ms "" = now.
 */
#define YM_FN_EVIDENCE "ym_evidence"

/*
 * (after_entry, max, steps, [name, value]…)  names: who what id system outcome, exactly; from, to (ms)
 * → [done 0|1, last_looked_entry, [entry, ms, who, what, id, system, why, peer, request, outcome], …]
 * oldest first. At most `steps` entries are looked at; done 1: there are no more.
 */
#define YM_FN_EVIDENCE_FIND "ym_evidence_find"

/* () → [upto_entry or "", serial, last_serial, length]: what is archived, and what there is */
#define YM_FN_EVIDENCE_PLACE "ym_evidence_place"

/* (after_entry, max) → [[entry, name, value, …], …] as they are */
#define YM_FN_EVIDENCE_TAKE "ym_evidence_take"

/* (after_serial, max) → [[serial, id, created_ms, owner, type, org, area, envelope], …] the first revisions */
#define YM_FN_EVIDENCE_FILED "ym_evidence_filed"

/*
 * (from_entry, max) → [[entry, system, [id, op, revision, ok|taken|refused, number, request, answer], …], …]
 * from_entry "" = the oldest; it is given again if it is still there. op: create update withdraw, or
 * lookup when a look found it. request, answer: SHA-256 in hex, "" = none. Whole entries, until there
 * are max deliveries or more.
 */
#define YM_FN_EVIDENCE_SETTLED "ym_evidence_settled"

/*
 * (upto_entry, serial, keep, told_entry) → [removed]: these are on disk; the newest keep entries stay,
 * those of settled deliveries go up to told_entry ("" = none)
 */
#define YM_FN_EVIDENCE_DONE "ym_evidence_done"

/*
 * meta: () → [chain, seq, mac, segment] or nil; (chain, seq, mac, segment, force 0|1) →
 * ["ok"] | ["other", chain, seq]: another chain, or this one has come further
 */
#define YM_FN_EVIDENCE_HEAD "ym_evidence_head"

#endif
