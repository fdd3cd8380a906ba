/* SPDX-License-Identifier: Apache-2.0
 * Finds and opens the deployment's key ring.
 */
#include "ym_site_ring.h"

const char *ym_site_ring_reference(const struct ym_catalog *c)
{
    const char *ref = ym_yaml_text(c->site.auth, "ring");
    const char *slash = strrchr(c->file, '/');

    if (ref == NULL || strncmp(ref, "file:", 5) != 0 || ref[5] == '/' || slash == NULL) {
        return ref;
    }
    return ym_arena_printf(c->arena, "file:%.*s%s", (int)(slash - c->file) + 1, c->file, ref + 5);
}

ym_status ym_site_ring(const struct ym_catalog *c, struct ym_ring **ret, struct ym_err *err)
{
    const char *ref = ym_site_ring_reference(c);

    *ret = NULL;
    if (ref == NULL) {
        return ym_yaml_get(c->site.auth, "ring") == NULL
                   ? YM_OK
                   : ym_err_set(err, YM_EINVAL, "auth: ring: must be file:PATH or env:NAME");
    }
    return ym_ring_open(ref, ret, err);
}
