/* SPDX-License-Identifier: Apache-2.0
 * Everything a deployment declares, loaded at once and read-only afterwards: types, code tables,
 * crosswalks, systems. One file names them all (config/yimen.yaml).
 */
#ifndef YM_CATALOG_H
#define YM_CATALOG_H

#include "ym_adapter.h"
#include "ym_types.h"

/* config/yimen.yaml; relative paths are relative to that file. */
struct ym_site {
    const char *redis;          /* redis: "unix:/run/yimen/redis.sock" or "127.0.0.1:6379" */
    const char *redis_password; /* redis_password: reference file:… or env:…; NULL = none */
    int64_t shards;             /* shards: 1..32 */
    const char *types_dir, *codes_dir, *crosswalks_dir, *systems_dir, *sites_dir, *state_dir;
    const struct ym_yaml *auth;        /* auth: keys, jwks, issuer, audience, roles claim … */
    const struct ym_yaml *audit;       /* audit: keep, segment, recent (ym_audit_conf.h) */
    const struct ym_yaml *attachments; /* attachments: max, unbound … (ym_attachment.h) */
};

struct ym_catalog {
    struct ym_arena *arena; /* owns everything below */
    const char *file;
    struct ym_site site;
    const struct ym_code_table *tables;
    size_t table_count;
    const struct ym_type *types;
    size_t type_count;
    const struct ym_system *systems; /* every adapter folder, sorted by id; see .enabled */
    size_t system_count;
    const void *check; /* ym_check's compiled slots */
};

/*
 * Loads all. Every fault is added to d with file:line; YM_EINVAL when there was any, and *ret stays
 * untouched. A reload simply opens a second catalogue.
 */
ym_status ym_catalog_open(const char *file, struct ym_catalog **ret, struct ym_diag *d);
void ym_catalog_close(struct ym_catalog *c); /* accepts NULL */

/* Markdown rows of config/yimen.yaml for the reference. */
ym_status ym_catalog_document(struct ym_buf *out);

const struct ym_type *ym_catalog_type(const struct ym_catalog *c, const char *name);
const struct ym_system *ym_catalog_system(const struct ym_catalog *c, const char *id);
const struct ym_code_table *ym_catalog_table(const struct ym_catalog *c, const char *name);

#endif
