/* SPDX-License-Identifier: Apache-2.0
 * Return addresses: whether a text that a stranger gave is a plain path on this very host.
 */
#ifndef YM_PLACE_H
#define YM_PLACE_H

#include "ym_base.h"

#define YM_PLACE_MAX 2048 /* bytes of a return address */

/*
 * True for "/", or "/segment…" with query and fragment, in ASCII as a browser sends it. Everything
 * that some browser, proxy or framework may take for another host, another scheme or another path
 * than it seems is false: a second slash or a backslash in front, however often it is encoded, dot
 * segments, empty segments, control characters and blanks, malformed or doubled percent-encoding.
 */
bool ym_place_ok(struct ym_str wanted);

#endif
