/* SPDX-License-Identifier: Apache-2.0
 * Reports for those who decide: which systems ask for the same, what was typed and what was delivered,
 * which applications are used. The API and the command show the same. No report names a person.
 */
#ifndef YM_REPORT_H
#define YM_REPORT_H

#include "ym_catalog.h"

/* Days are counted from 1970-01-01 at +08:00, as in ym_store_tally.h. */
#define YM_REPORT_DAY_TEXT 40
int64_t ym_report_today(void);
void ym_report_day_text(int64_t day, char out[YM_REPORT_DAY_TEXT]); /* 2026-11-22 */
bool ym_report_day_parse(struct ym_str text, int64_t *ret);

/*
 * Counters of all shards, summed: {"20779": {"filed:dispute": 3}}. days is an object, made by the
 * caller. YM_ENOMEM.
 */
ym_status ym_report_count(json_t *days, int64_t day, struct ym_str name, int64_t n);

/*
 * Each makes a new reference, or NULL when memory is out. docs/reports.md says what is in them.
 * type NULL: every type that more than nobody takes.
 */
json_t *ym_report_redundancy(const struct ym_catalog *c, const char *type);
json_t *ym_report_burden(const struct ym_catalog *c, json_t *days, int64_t from, int64_t to);
json_t *ym_report_usage(const struct ym_catalog *c, json_t *days, int64_t from, int64_t to);

enum ym_report {
    YM_REPORT_REDUNDANCY, /* a row per field, a column per system */
    YM_REPORT_CANDIDATES, /* of the same report: a row per system, ranked */
    YM_REPORT_BURDEN,
    YM_REPORT_USAGE
};

/*
 * What one of them made as CSV (RFC 4180), with a byte-order mark for spreadsheets; what a
 * spreadsheet would run is neutralised. lang: "zh" or "en" for titles.
 */
ym_status ym_report_csv(enum ym_report which, const json_t *report, const char *lang,
                        struct ym_buf *out);

#endif
