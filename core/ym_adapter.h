/* SPDX-License-Identifier: Apache-2.0
 * One legacy system: adapters/systems/<id>/ (how it speaks) joined with config/systems/<id>.yaml
 * (where it lives, which secrets, whether enabled). Core reads structure and field tables; the
 * transports and rules in adapters/ read the rest from the YAML nodes kept here.
 */
#ifndef YM_ADAPTER_H
#define YM_ADAPTER_H

#include "ym_conf.h"
#include "ym_map.h"

/* One field table of an operation. */
struct ym_op_table {
    const char          *place; /* "fields", "headers", "query", "statements[0].fields" */
    const struct ym_map *map;
};

struct ym_operation {
    const char               *name;   /* create, update, withdraw, lookup, probe, or the adapter's own */
    const struct ym_yaml     *node;   /* everything, for transport and rules */
    const struct ym_op_table *tables;
    size_t                    table_count;
    const struct ym_want     *wants;  /* of a record, all tables together; NULL: everything */
    const char               *lookup; /* operation asked before any repeat of an ambiguous attempt; NULL = none */
    const char               *confirm; /* operation that waits for the number after `accepted`; NULL = none */
    bool                      idempotent; /* a repeat does no harm: an ambiguous attempt may be resent */
};

enum ym_verified { YM_VERIFIED_OWN_SIMULATOR, YM_VERIFIED_UNMODIFIED_SOFTWARE, YM_VERIFIED_OWNER_TEST };

/* Whose request and answer are kept for operators (`keep_attempts:`). */
enum ym_keep { YM_KEEP_FAILURES, YM_KEEP_ALL, YM_KEEP_NONE };

/* What a new record's number is held against (`verify:`); lookup includes seen. */
enum ym_verify { YM_VERIFY_NONE, YM_VERIFY_SEEN, YM_VERIFY_LOOKUP };

/* Engine settings, one table for every adapter (`settings:`); transports have tables of their own. */
struct ym_engine_settings {
    int64_t timeout_ms;        /* timeout: 8s; one attempt, all its steps */
    int64_t in_flight;         /* in_flight: 8; attempts at once */
    double  rate;              /* rate: 0 = unlimited; attempts per second */
    int64_t attempts;          /* attempts: 12; before dead */
    int64_t backoff_base_ms;   /* backoff_base: 1s; full jitter over base·2^n … */
    int64_t backoff_cap_ms;    /* backoff_cap: 10m */
    int64_t absence_after_ms;  /* absence_after: 30s; a lookup's "absent" is trusted this long after the send */
    int64_t confirm_within_ms; /* confirm_within: 72h; then a person looks why there is no number */
    int64_t breaker_failures;  /* breaker_failures: 5; in a row, then suspended */
    int64_t probe_every_ms;    /* probe_every: 5s; doubled up to 16 times that */
    const char *charset;       /* utf-8, gb18030 … of what the system reads */
    int     offset_min;        /* zone: "+08:00" */
    int64_t attachments_max;   /* attachments_max: 4m; bytes of a record's that are sent inline */
    bool    each_revision;     /* the system must see every revision */
    int     keep_attempts;     /* enum ym_keep */
    int     verify;            /* enum ym_verify */
};

/* Delivery hours in the system's zone: `hours: ["Mon-Fri 08:30-17:30"]`, `holidays: [2026-10-01]`. */
struct ym_hours {
    struct { unsigned days; int from_min, to_min; } spans[14]; /* days: bit 0 = Monday */
    size_t     span_count;   /* 0 = always open */
    int64_t   *holidays;     /* local midnight, ms */
    size_t     holiday_count;
};

struct ym_system {
    const char                *id, *folder, *file;
    const char                *title_zh, *title_en;
    long                       version;
    const char                *transport;  /* http | soap | form | sql | file | handoff */
    const char *const         *takes;      /* type names, NULL-terminated */
    enum ym_verified           verified;
    const char                *verified_against; /* text */
    struct ym_engine_settings  settings;
    struct ym_hours            hours;
    const struct ym_operation *operations;
    size_t                     operation_count;
    const struct ym_yaml      *node;       /* adapter.yaml, whole */
    /* from config/systems/<id>.yaml */
    const struct ym_yaml      *site;       /* whole; NULL when there is no site file */
    bool                       enabled;
    const char                *endpoint;   /* URL, ODBC string or directory; NULL for handoff */
    const struct ym_when      *routing;    /* `when:` of the site file: default targets only */
};

struct ym_catalog;

/* folder: adapters/systems/<id>; site_file may not exist (then not enabled). */
ym_status ym_system_load(struct ym_catalog *cat, const char *folder, const char *site_file,
                         struct ym_arena *a, struct ym_system *ret, struct ym_diag *d);

/* A site constant (`vars:` of the site file), what `$settings.NAME` stands for; NULL when missing. */
const char *ym_system_var(const struct ym_system *s, const char *name);

/* Markdown rows of `settings:` for the reference. */
ym_status ym_system_document(struct ym_buf *out);

const struct ym_operation *ym_system_operation(const struct ym_system *s, const char *name);
bool                       ym_system_takes(const struct ym_system *s, const char *type);

/* Whether it is open at now; *ret_next_ms = when that changes (0 = never). */
bool ym_hours_open(const struct ym_hours *h, int offset_min, int64_t now_ms, int64_t *ret_next_ms);

#endif
