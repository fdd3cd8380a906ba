/* SPDX-License-Identifier: Apache-2.0
 * Files of attachments: written and read in pieces, sealed piece by piece when there is a key ring,
 * in place only when they are complete and on disk.
 *
 * <state_dir>/attachments/<2 digits>/<digest>.<id>: digest is that of the SHA-256 of the content,
 * keyed by the ring, so that nobody who has a copy can tell whether a known picture is among them.
 * No path is made of anything that a client said.
 *
 * A piece: one byte of flags (1 last, 2 sealed), its length as 4 bytes, most significant first, the
 * bytes. A sealed piece is bound to the id, its number and whether it is the last.
 */
#ifndef YM_BLOB_H
#define YM_BLOB_H

#include "ym_codec.h"
#include "ym_seal.h"

#define YM_BLOB_DIR "attachments"
#define YM_BLOB_PIECE (256u << 10) /* the most plain bytes of one piece */
#define YM_BLOB_NAME 100           /* bytes of "<digest>.<id>", with NUL */

struct ym_blob_writer;
struct ym_blob_reader;

/* Where they are kept. ring NULL: plain. Both must outlive writers and readers. */
struct ym_blob_store {
    const char *state_dir;
    const struct ym_ring *ring;
};

/* The folders; exist_ok. */
ym_status ym_blob_folders(const char *state_dir, struct ym_err *err);

/* A new file that nobody sees yet. id: of ym_id_make. */
ym_status ym_blob_create(const struct ym_blob_store *s, const char *id, struct ym_blob_writer **ret,
                         struct ym_err *err);
/* At most YM_BLOB_PIECE bytes; last: nothing follows. */
ym_status ym_blob_write(struct ym_blob_writer *w, struct ym_str bytes, bool last,
                        struct ym_err *err);
/* Onto the disk and into place, for good. The writer is closed whatever comes of it. */
ym_status ym_blob_keep(struct ym_blob_writer *w, char ret_sha256[YM_SHA256_HEX],
                       struct ym_err *err);
/* Gives it up; accepts NULL. */
void ym_blob_drop(struct ym_blob_writer *w);

/* YM_ENOTFOUND: there is no such file. sha256 in hex. */
ym_status ym_blob_open(const struct ym_blob_store *s, const char *id, struct ym_str sha256,
                       struct ym_blob_reader **ret, struct ym_err *err);
/* Appends the next piece; YM_EAUTH: it was altered or cut. */
ym_status ym_blob_read(struct ym_blob_reader *r, struct ym_buf *out, bool *ret_last,
                       struct ym_err *err);
void ym_blob_close(struct ym_blob_reader *r); /* accepts NULL */

/* The file goes; none is fine. */
ym_status ym_blob_remove(const struct ym_blob_store *s, const char *id, struct ym_str sha256,
                         struct ym_err *err);

/* The file name in its folder: "<digest>.<id>". */
ym_status ym_blob_name(const struct ym_ring *ring, const char *id, struct ym_str sha256,
                       char out[YM_BLOB_NAME]);

/*
 * Every file, with its folder ("ab", or "new" for those that are being written), name and time of
 * the last change. each returns false to stop.
 */
typedef bool ym_blob_each(void *data, const char *folder, const char *name, int64_t changed_ms);
ym_status ym_blob_walk(const char *state_dir, ym_blob_each *each, void *data, struct ym_err *err);

/*
 * Seals a file anew when its pieces were sealed with another key than the first. *ret_kid: of the
 * key it had, "" when it was plain or is gone. only_look: nothing is written.
 */
ym_status ym_blob_reseal(const struct ym_blob_store *s, const char *folder, const char *name,
                         bool only_look, char ret_kid[YM_SEAL_KID_MAX + 1], bool *ret_done,
                         struct ym_err *err);

#endif
