/* SPDX-License-Identifier: Apache-2.0
 * The path policy: what is authorised is what the application behind will resolve.
 *
 * Servers disagree about encoded slashes, dots, parameters, repeated slashes and much else; nginx
 * chooses a location by its own reading and forwards the raw text. A path that two of them could
 * read differently is refused here; all that is left decodes to one and the same text everywhere.
 * The query takes no part. Pure: no allocation, no I/O.
 */
#ifndef YM_PATH_H
#define YM_PATH_H

#include "ym_base.h"

/* For applications that take upper and lower case as the same (IIS): ASCII letters become small. */
enum { YM_PATH_INSENSITIVE = 1 };

struct ym_path {
    struct ym_str raw;       /* the path as it came, without query; within target */
    struct ym_str canonical; /* decoded, without a session parameter; within out */
    bool session;            /* it ended in ";jsessionid=…", which is no part of the path */
};

/*
 * target: the request target in origin form. out has room for target.n bytes. NULL when the path is
 * clear, and *ret is filled; otherwise why it is refused, in words that hold nothing of it.
 */
const char *ym_path_check(struct ym_str target, unsigned flags, char *out, struct ym_path *ret);

/* host[:port] of a Host header as RFC 3986 has it: a name, an address, a port; nothing else. */
bool ym_path_host(struct ym_str host);

#endif
