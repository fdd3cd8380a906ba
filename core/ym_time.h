/* SPDX-License-Identifier: Apache-2.0
 * Clocks and the date formats of the field. Milliseconds since 1970-01-01T00:00:00Z as int64_t.
 */
#ifndef YM_TIME_H
#define YM_TIME_H

#include "ym_base.h"

#define YM_TIME_TEXT 40 /* bytes enough for any format here, with NUL */
#define YM_CHINA_OFFSET_MIN 480

int64_t ym_now_ms(void);  /* wall clock; the test hook below replaces it */
int64_t ym_tick_ms(void); /* monotonic, for deadlines */
void    ym_now_set(int64_t ms); /* tests: freezes the wall clock; 0 = real again */

/*
 * RFC 3339 date-time ("2026-01-31T08:30:00+08:00", zone required, fractions to 9 digits kept to ms,
 * leap second 60 allowed as the next second) or full-date ("2026-01-31" = midnight at offset_min).
 * False for anything else, 30 February included.
 */
bool ym_time_parse(struct ym_str s, int offset_min, int64_t *ret_ms);

/* Formats of the closed list that mapping functions use. offset_min: minutes east of UTC. */
enum ym_time_format {
    YM_TIME_RFC3339,    /* 2026-01-31T08:30:00+08:00 */
    YM_TIME_RFC3339_MS, /* 2026-01-31T08:30:00.123+08:00 */
    YM_TIME_DATE,       /* 2026-01-31 */
    YM_TIME_DATE8,      /* 20260131 */
    YM_TIME_DATETIME,   /* 2026-01-31 08:30:00 */
    YM_TIME_DATETIME14, /* 20260131083000 */
    YM_TIME_RFC1123,    /* Sat, 31 Jan 2026 00:30:00 GMT; always UTC */
    YM_TIME_EPOCH_MS,
    YM_TIME_EPOCH_S
};
void ym_time_format(int64_t ms, enum ym_time_format f, int offset_min, char out[YM_TIME_TEXT]);

bool ym_date_valid(int year, int month, int day); /* proleptic Gregorian */

#endif
