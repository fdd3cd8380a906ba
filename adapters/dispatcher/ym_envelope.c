/* SPDX-License-Identifier: Apache-2.0
 * Opening envelopes (ym_envelope.h).
 */
#include "ym_envelope.h"

#include "ym_json.h"

#define ENVELOPE_BYTES (2u << 20) /* a body of 1 MiB and what the gateway adds */

ym_status ym_envelope_open(const struct ym_claimed *c, json_t **ret, struct ym_err *err)
{
    static const struct ym_json_limits limits = {ENVELOPE_BYTES, YM_JSON_DEPTH + 2,
                                                 YM_JSON_MEMBERS + 16};

    return ym_json_parse(c->envelope, &limits, ret, err);
}
