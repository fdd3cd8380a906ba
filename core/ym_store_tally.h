/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of the reports: core/ym_store_tally.lua. Counters by day, kept by the
 * transitions themselves, so that a report reads as many hashes as it shows days and no record.
 *
 * {sN}:day:<D>  hash, gone after 800 days. D: days since 1970-01-01 at +08:00. No key and no field
 * names a person, an organisation or an area:
 *   filed:<type> revised:<type>                records accepted, revisions
 *   typed:<type>                               fields that were typed for both
 *   arrived:<system>:<type>                    deliveries of new records that a system has
 *   changed:<system>:<type>                    later deliveries of them: updates
 *   fields:<system>:<type>                     fields of a record that went along with the first
 *   signin                                     sessions made
 *   entry:<application>                        sessions that have been there
 */
#ifndef YM_STORE_TALLY_H
#define YM_STORE_TALLY_H

#define YM_TALLY_DAYS_MAX 400

/* (from, to) days, both included, YM_TALLY_DAYS_MAX at most → [[day, name, n, …], …]; ask every shard */
#define YM_FN_TALLY "ym_tally"

#endif
