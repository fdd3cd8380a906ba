/* SPDX-License-Identifier: Apache-2.0
 * The cookies that one application gave one person, kept by the gateway instead of the browser
 * (RFC 6265). A jar belongs to one application: a cookie's Domain is not looked at, since the jar
 * goes to no other host, and Secure is not, since the gateway stands between.
 */
#ifndef YM_JAR_H
#define YM_JAR_H

#include "ym_arena.h"
#include "ym_buf.h"

#define YM_JAR_COOKIES 64        /* browsers keep 50 and more of one site */
#define YM_JAR_COOKIE_BYTES 4096 /* of name and value (RFC 6265, 6.1) */
#define YM_JAR_PATH_BYTES 1024
#define YM_JAR_HEADER_BYTES 16384 /* of one Cookie header: more is what servers refuse */

struct ym_jar_cookie {
    const char *name, *value, *path;
    int64_t expires_ms; /* 0 = as long as the jar */
    bool changed;       /* to be written */
    bool gone;          /* to be removed where it is kept */
};

struct ym_jar {
    struct ym_arena *arena; /* of all texts; not owned */
    struct ym_jar_cookie items[YM_JAR_COOKIES];
    size_t count;
    size_t refused; /* cookies that were too large, too many or malformed */
};

void ym_jar_init(struct ym_jar *jar, struct ym_arena *arena);

/*
 * One Set-Cookie as it came with the answer to a request for path (without query). A cookie that
 * expires at once is marked as gone. False: it is refused, and counted.
 */
bool ym_jar_take(struct ym_jar *jar, struct ym_str set_cookie, struct ym_str path, int64_t now_ms);

/*
 * "a=1; b=2" for a request for path, longest path first. other: the same place as browsers name it,
 * when the gateway serves the application below another path; p NULL = it does not. path.p NULL:
 * whatever the jar has. YM_ETOOBIG: the header would be too long.
 */
ym_status ym_jar_header(const struct ym_jar *jar, struct ym_str path, struct ym_str other,
                        int64_t now_ms, struct ym_buf *out);

/* A cookie of that name is in the jar, for whatever path. */
bool ym_jar_has(const struct ym_jar *jar, struct ym_str name);

/* One cookie as bytes, and back; what does not read is left out and answers false. */
ym_status ym_jar_pack(const struct ym_jar_cookie *cookie, struct ym_buf *out);
bool ym_jar_unpack(struct ym_jar *jar, struct ym_str packed);

/* What tells cookies apart: name and path. */
ym_status ym_jar_key(const struct ym_jar_cookie *cookie, struct ym_buf *out);

#endif
