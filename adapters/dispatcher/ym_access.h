/* SPDX-License-Identifier: Apache-2.0
 * Where Redis is and how to get in: the site's `redis:` and `redis_password:` resolved once.
 */
#ifndef YM_ACCESS_H
#define YM_ACCESS_H

#include "ym_catalog.h"

struct ym_access {
    char *path; /* unix socket, or NULL */
    char *host; /* TCP otherwise */
    char port[8];
    char *password; /* NULL = none; wiped by clear */
    unsigned shards;
};

ym_status ym_access_init(struct ym_access *a, const struct ym_site *site, struct ym_err *err);
void ym_access_clear(struct ym_access *a); /* accepts a zeroed one */

/*
 * A non-blocking socket that is connected or on its way there; *ret_pending tells which. The
 * caller owns it. YM_EIO: refused at once.
 */
ym_status ym_access_connect(const struct ym_access *a, int *ret_fd, bool *ret_pending,
                            struct ym_err *err);

/* The function library as it was when this program was built (core/ym_store.lua). */
struct ym_str ym_access_library(void);

#endif
