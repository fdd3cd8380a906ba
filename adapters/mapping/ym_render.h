/* SPDX-License-Identifier: Apache-2.0
 * Record → exact bytes. Pure: the same context gives the same wire, so tests are golden files.
 */
#ifndef YM_RENDER_H
#define YM_RENDER_H

#include "ym_problem.h"
#include "ym_wire.h"

/* ctx->offset_min and the rest as in ym_map.h; nonce: random text for signatures, given by the caller. */
struct ym_render_ctx {
    struct ym_map_ctx map;
    const char *nonce;
};

/*
 * Runs the operation's tables and builds the wire for the system's transport, signature included.
 * Everything lives in a. YM_EINVAL with problems (data) or err (configuration).
 */
ym_status ym_render(const struct ym_system *sys, const struct ym_operation *op,
                    const struct ym_render_ctx *ctx, struct ym_arena *a, struct ym_wire *ret,
                    struct ym_problems *problems, struct ym_err *err);

/* Load-time check of everything render will need: unknown keys, missing paths, schemes, placeholders. */
void ym_render_check(const struct ym_system *sys, struct ym_diag *d);

/* The wire as text for people and golden files: request line, headers, body; or SQL; or file. */
ym_status ym_wire_print(const struct ym_wire *w, struct ym_buf *out);

#endif
