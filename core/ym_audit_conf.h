/* SPDX-License-Identifier: Apache-2.0
 * Settings of the evidence: `audit:` of yimen.yaml.
 */
#ifndef YM_AUDIT_CONF_H
#define YM_AUDIT_CONF_H

#include "ym_catalog.h"

struct ym_audit_conf {
    int64_t keep_ms;       /* of whole segments */
    int64_t segment_bytes; /* a new file beyond it */
    const char *reveal;    /* roles that may see what is masked, by saying why */
    const char *amend;     /* roles that may change a record for its owner, by saying why */
    int64_t recent;        /* archived entries that Redis keeps, per shard, for GET /audit */
};

/* All defaults when there is no such block. YM_EINVAL when anything was added to d. */
ym_status ym_audit_conf_load(const struct ym_catalog *c, struct ym_audit_conf *ret,
                             struct ym_diag *d);

/* Markdown rows for the reference. */
ym_status ym_audit_conf_document(struct ym_buf *out);

#endif
