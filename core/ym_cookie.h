/* SPDX-License-Identifier: Apache-2.0
 * The Cookie header (RFC 6265 §5.4), read strictly: names and values exactly as they stand, nothing
 * unquoted, nothing decoded.
 */
#ifndef YM_COOKIE_H
#define YM_COOKIE_H

#include "ym_base.h"

/* Looked for in one header after the other; zeroed to begin with. */
struct ym_cookie {
    struct ym_str value; /* of the first */
    size_t count;        /* how many of that name there are */
    bool differ;         /* and they do not say the same */
};

void ym_cookie_look(struct ym_str header, const char *name, struct ym_cookie *c);

/*
 * An id of a session: "<shard>.<43 characters of base64url>", 256 bits in their one canonical form.
 */
#define YM_SESSION_ID_MAX 46
bool ym_session_id_parse(struct ym_str text, unsigned shards, unsigned *ret_shard);

#endif
