/* SPDX-License-Identifier: Apache-2.0
 * What an attachment may be and how it is called: the allow-list of media types and their first
 * bytes, kinds, file names out of a Content-Disposition header and into one.
 */
#ifndef YM_ATTACHMENT_H
#define YM_ATTACHMENT_H

#include "ym_catalog.h"

#define YM_ATTACHMENTS_MAX 20  /* of one record */
#define YM_ATTACHMENT_NAME 100 /* characters of a file name */
#define YM_ATTACHMENT_HEAD 16  /* bytes that ym_media_holds wants to see */
#define YM_ATTACHMENT_LEAST 1  /* bytes */

/* `attachments:` of yimen.yaml */
struct ym_attachment_conf {
    int64_t bytes;        /* max: of one */
    int64_t keep_ms;      /* unbound: how long one that no record names is kept */
    int64_t person_count; /* unbound ones of one person */
    int64_t person_bytes;
};

/* All defaults when there is no such block. YM_EINVAL when anything was added to d. */
ym_status ym_attachment_conf_load(const struct ym_catalog *c, struct ym_attachment_conf *ret,
                                  struct ym_diag *d);
ym_status ym_attachment_conf_document(struct ym_buf *out);

struct ym_media {
    const char *mime;
    const char *extension; /* ".jpg"; more: `also` */
    const char *also;
    unsigned kinds; /* bit of enum ym_attachment_kind */
};

enum ym_attachment_kind { YM_KIND_PHOTO, YM_KIND_AUDIO, YM_KIND_DOC, YM_KIND_SIGNATURE };
#define YM_KINDS 4

/* The media type of a Content-Type; NULL: not on the list. Parameters are not taken. */
const struct ym_media *ym_media_find(struct ym_str content_type);
/* Whether bytes that begin so are of that type; fewer than YM_ATTACHMENT_HEAD = that is all. */
bool ym_media_holds(const struct ym_media *m, struct ym_str head);
/* Every type on the list, with commas. */
ym_status ym_media_list(struct ym_buf *out);

bool ym_kind_parse(struct ym_str word, enum ym_attachment_kind *ret);
const char *ym_kind_word(enum ym_attachment_kind kind);
bool ym_kind_takes(enum ym_attachment_kind kind, const struct ym_media *m);
/* What such a file is when nobody says: a picture is a photo, a PDF a doc. */
enum ym_attachment_kind ym_kind_of(const struct ym_media *m);

/*
 * The file name of a Content-Disposition (RFC 6266): filename* before filename; appended to out as
 * UTF-8. Nothing is appended where there is none. YM_EINVAL: it is malformed, or in no charset of
 * the RFC.
 */
ym_status ym_disposition_name(struct ym_str header, struct ym_buf *out);
/* "attachment; filename=…; filename*=…" for a name that ym_attachment_name has made. */
ym_status ym_disposition_add(struct ym_buf *out, struct ym_str name);

/*
 * A name that is safe to show and to save under: no folder, no control or direction character, at
 * most YM_ATTACHMENT_NAME characters, with an extension of its media type. "" becomes the kind.
 */
ym_status ym_attachment_name(struct ym_str given, const struct ym_media *m,
                             enum ym_attachment_kind kind, struct ym_buf *out);

#endif
