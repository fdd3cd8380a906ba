/* SPDX-License-Identifier: Apache-2.0
 * Which addresses a request may go to: what the public Internet routes, what lies inside, and what
 * nothing of ours ever has to ask (RFC 6890; attack I168).
 */
#ifndef YM_REACH_H
#define YM_REACH_H

#include "ym_base.h"

enum ym_reach {
    YM_REACH_PUBLIC,
    YM_REACH_INSIDE, /* loopback, private, shared and unique local addresses */
    YM_REACH_NEVER   /* link-local with the clouds' metadata, multicast, unspecified, reserved */
};

/* 4 or 16 bytes in network order. An IPv4 address inside an IPv6 one counts as that IPv4 address. */
enum ym_reach ym_reach_of(const unsigned char *address, size_t n);

#endif
