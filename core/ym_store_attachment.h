/* SPDX-License-Identifier: Apache-2.0
 * The store's contract of attachments (core/ym_store_attachment.lua): who uploaded what, and which
 * records name it. The bytes are in files (ym_blob.h). How a call looks: ym_store.h.
 *
 * An attachment lives in the shard of its uploader's digest, which its id carries.
 * Keys (N = shard, P = keyed digest of the person, 64 lower-case hex digits):
 *   {sN}:at:<id>  hash: m sealed description, p P, d digest of what it is, z bytes, c since (ms),
 *                 r:<record> since when that record names it (ms), or "+" once that is certain
 *   {sN}:ap:<P>   hash: n, z number and bytes of what no record names yet; d:<digest> id
 */
#ifndef YM_STORE_ATTACHMENT_H
#define YM_STORE_ATTACHMENT_H

#define YM_ATTACHMENT_RECORDS 8 /* that may name one attachment */

/* (person, bytes, most_count, most_bytes) → ["ok"] | ["full"]: whether one more may come */
#define YM_FN_ATTACHMENT_ROOM "ym_attachment_room"

/*
 * (id, person, sealed, digest, bytes, most_count, most_bytes)
 * → ["kept", id, sealed] | ["again", other id, its sealed]: the same was there | ["full"]
 */
#define YM_FN_ATTACHMENT_PUT "ym_attachment_put"

/* (id) → [person, sealed, since_ms, record…] or nil */
#define YM_FN_ATTACHMENT_GET "ym_attachment_get"

/*
 * (id, person, record) → ["bound"] | ["absent"] | ["other"]: neither this person's nor this
 * record's | ["full"]: too many records name it
 */
#define YM_FN_ATTACHMENT_BIND "ym_attachment_bind"

/*
 * (id, before_ms) → ["gone"]: nobody names it and it is older: its file may go | ["none"] | ["kept"] |
 * ["ask", record…]: it stays if one of these records exists
 */
#define YM_FN_ATTACHMENT_SWEEP "ym_attachment_sweep"

/* (id, [record, exists 0|1]…) → ["kept"]: the answer to that; those that are not are forgotten */
#define YM_FN_ATTACHMENT_TOLD "ym_attachment_told"

/* (record…) → [0|1…]: whether a record of this shard exists */
#define YM_FN_KNOWN "ym_known"

#endif
