/* SPDX-License-Identifier: Apache-2.0
 * The table of the evidence's settings.
 */
#include "ym_audit_conf.h"

#define DAY_MS 86400000LL

#define CONF(field) offsetof(struct ym_audit_conf, field)
static const struct ym_field fields[] = {
    {"keep", YM_FIELD_DURATION, CONF(keep_ms), "200d", 184 * DAY_MS, 36500 * DAY_MS, NULL,
     YM_FIELD_RELOADABLE,
     "How long segments are kept, at least 184d: the law asks for six months. Deletion is written "
     "down."},
    {"segment", YM_FIELD_SIZE, CONF(segment_bytes), "16m", 65536, 1 << 30, NULL,
     YM_FIELD_RELOADABLE, "A segment that is larger is sealed; every one is sealed at midnight."},
    {"recent", YM_FIELD_INT, CONF(recent), "10000", 1000, 1000000, NULL, YM_FIELD_RELOADABLE,
     "Archived entries per shard that stay in Redis for GET /audit; older ones: yimen audit "
     "export."},
    {"reveal", YM_FIELD_STRING, CONF(reveal), "operator", 0, 100, NULL, YM_FIELD_RELOADABLE,
     "Roles, separated by blanks, that may see a masked record in full: each time with a purpose "
     "that is written into the evidence first. \"none\" = nobody."},
    {"amend", YM_FIELD_STRING, CONF(amend), "none", 0, 100, NULL, YM_FIELD_RELOADABLE,
     "Roles, separated by blanks, that may change a record on behalf of its owner and have it sent "
     "again: each time with a reason and the changed places in the evidence first."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

ym_status ym_audit_conf_load(const struct ym_catalog *c, struct ym_audit_conf *ret,
                             struct ym_diag *d)
{
    return ym_conf_load(fields, c->site.audit, "audit", ret, c->arena, d);
}

ym_status ym_audit_conf_document(struct ym_buf *out)
{
    return ym_conf_document(fields, out);
}
