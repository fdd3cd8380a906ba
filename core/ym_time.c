/* SPDX-License-Identifier: Apache-2.0
 * Calendar arithmetic without the C library's time zone: days by the civil-calendar formulas.
 */
#include "ym_time.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_DAY 86400000
#define TIME_LEAST (-62167132800000) /* 0000-01-02, a day of room for zones */
#define TIME_MOST 253402214399999    /* 9999-12-30T23:59:59.999 */

static int64_t frozen_ms; /* tests only */

void ym_now_set(int64_t ms)
{
    frozen_ms = ms;
}

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t ym_now_ms(void)
{
    return frozen_ms != 0 ? frozen_ms : clock_ms(CLOCK_REALTIME);
}

int64_t ym_tick_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

bool ym_date_valid(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (year < 0 || year > 9999 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    return day <= days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01; years begin in March so that the leap day is the last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil {
    int year, month, day, hour, minute, second, ms, weekday; /* weekday: 0 = Sunday */
};

static void civil_of(int64_t ms, struct civil *c)
{
    int64_t days = ms >= 0 ? ms / MS_PER_DAY : -((MS_PER_DAY - 1 - ms) / MS_PER_DAY);
    int64_t rest = ms - days * MS_PER_DAY;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    c->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    c->month = (int)(m < 10 ? m + 3 : m - 9);
    c->year = (int)(y + era * 400 + (c->month <= 2));
    c->hour = (int)(rest / 3600000);
    c->minute = (int)(rest / 60000 % 60);
    c->second = (int)(rest / 1000 % 60);
    c->ms = (int)(rest % 1000);
    c->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

/* n digits at *s, which moves on; -1 when there are fewer. */
static int take_digits(struct ym_str *s, size_t n)
{
    size_t i;
    int v = 0;

    if (s->n < n) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') {
            return -1;
        }
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->n -= n;
    return v;
}

static bool take_char(struct ym_str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) {
        return false;
    }
    s->p++;
    s->n--;
    return true;
}

/* ".123456789": 1 to 9 digits, kept to milliseconds. */
static bool take_fraction(struct ym_str *s, int *ret_ms)
{
    int digits = 0, v;

    *ret_ms = 0;
    if (!take_char(s, '.')) {
        return true;
    }
    while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
        v = take_digits(s, 1);
        if (++digits <= 3) {
            *ret_ms = *ret_ms * 10 + v;
        }
    }
    if (digits == 0 || digits > 9) {
        return false;
    }
    for (; digits < 3; digits++) {
        *ret_ms *= 10;
    }
    return true;
}

static bool take_zone(struct ym_str *s, int *ret_min)
{
    int hour, minute;
    bool west;

    if (take_char(s, 'Z') || take_char(s, 'z')) {
        *ret_min = 0;
        return true;
    }
    west = take_char(s, '-');
    if (!west && !take_char(s, '+')) {
        return false;
    }
    hour = take_digits(s, 2);
    if (hour < 0 || hour > 23 || !take_char(s, ':')) {
        return false;
    }
    minute = take_digits(s, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }
    *ret_min = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

/* "2026-01-31" as milliseconds at midnight UTC. */
static bool take_date(struct ym_str *s, int64_t *ret_ms)
{
    int year, month, day;

    year = take_digits(s, 4);
    if (year < 0 || !take_char(s, '-')) {
        return false;
    }
    month = take_digits(s, 2);
    if (month < 0 || !take_char(s, '-')) {
        return false;
    }
    day = take_digits(s, 2);
    if (!ym_date_valid(year, month, day)) {
        return false;
    }
    *ret_ms = days_of(year, month, day) * MS_PER_DAY;
    return true;
}

/* "08:30:59" as minutes of the day and seconds up to 60. */
static bool take_clock(struct ym_str *s, int *ret_minutes, int *ret_seconds)
{
    int hour, minute;

    hour = take_digits(s, 2);
    if (hour < 0 || hour > 23 || !take_char(s, ':')) {
        return false;
    }
    minute = take_digits(s, 2);
    if (minute < 0 || minute > 59 || !take_char(s, ':')) {
        return false;
    }
    *ret_minutes = hour * 60 + minute;
    *ret_seconds = take_digits(s, 2);
    return *ret_seconds >= 0 && *ret_seconds <= 60;
}

bool ym_time_parse(struct ym_str s, int offset_min, int64_t *ret_ms)
{
    int minutes, seconds, ms, zone;
    int64_t v;

    if (!take_date(&s, &v)) {
        return false;
    }
    if (s.n == 0) {
        *ret_ms = v - (int64_t)offset_min * 60000;
        return true;
    }

    if ((!take_char(&s, 'T') && !take_char(&s, 't')) || !take_clock(&s, &minutes, &seconds) ||
        !take_fraction(&s, &ms) || !take_zone(&s, &zone) || s.n > 0) {
        return false;
    }
    v += ((int64_t)minutes - zone) * 60000;
    if (seconds == 60) { /* leap seconds end the UTC day (RFC 3339 §5.7) */
        int64_t of_day = (v % MS_PER_DAY + MS_PER_DAY) % MS_PER_DAY;

        if (of_day != MS_PER_DAY - 60000) {
            return false;
        }
    }
    *ret_ms = v + (int64_t)seconds * 1000 + ms;
    return true;
}

static char *put_digits(char *out, int v, int n)
{
    int i;

    for (i = n - 1; i >= 0; i--) {
        out[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return out + n;
}

static char *put_zone(char *out, int offset_min)
{
    int zone = (offset_min < 0 ? -offset_min : offset_min) % 1440;

    *out++ = offset_min < 0 ? '-' : '+';
    out = put_digits(out, zone / 60, 2);
    *out++ = ':';
    return put_digits(out, zone % 60, 2);
}

/*
 * y o d h m s f: year, month, day, hour, minute, second, fraction; z: zone; w b: names of day and
 * month; anything else is itself.
 */
static void put_pattern(const char *pattern, const struct civil *c, int offset_min, char *out)
{
    for (; *pattern != '\0'; pattern++) {
        switch (*pattern) {
        case 'y':
            out = put_digits(out, c->year, 4);
            break;
        case 'o':
            out = put_digits(out, c->month, 2);
            break;
        case 'd':
            out = put_digits(out, c->day, 2);
            break;
        case 'h':
            out = put_digits(out, c->hour, 2);
            break;
        case 'm':
            out = put_digits(out, c->minute, 2);
            break;
        case 's':
            out = put_digits(out, c->second, 2);
            break;
        case 'f':
            out = put_digits(out, c->ms, 3);
            break;
        case 'z':
            out = put_zone(out, offset_min);
            break;
        case 'w':
            memcpy(out, &"SunMonTueWedThuFriSat"[c->weekday * 3], 3);
            out += 3;
            break;
        case 'b':
            memcpy(out, &"JanFebMarAprMayJunJulAugSepOctNovDec"[(c->month - 1) * 3], 3);
            out += 3;
            break;
        default:
            *out++ = *pattern;
        }
    }
    *out = '\0';
}

void ym_time_format(int64_t ms, enum ym_time_format f, int offset_min, char out[YM_TIME_TEXT])
{
    static const char *const patterns[] = {
        [YM_TIME_RFC3339] = "y-o-dTh:m:sz",
        [YM_TIME_RFC3339_MS] = "y-o-dTh:m:s.fz",
        [YM_TIME_DATE] = "y-o-d",
        [YM_TIME_DATE8] = "yod",
        [YM_TIME_DATETIME] = "y-o-d h:m:s",
        [YM_TIME_DATETIME14] = "yodhms",
        [YM_TIME_RFC1123] = "w, d b y h:m:s GMT",
    };
    struct civil c;

    if (f == YM_TIME_EPOCH_MS) {
        (void)snprintf(out, YM_TIME_TEXT, "%lld", (long long)ms);
    } else if (f == YM_TIME_EPOCH_S) {
        (void)snprintf(out, YM_TIME_TEXT, "%lld",
                       (long long)(ms >= 0 ? ms / 1000 : -((999 - ms) / 1000)));
    } else {
        /* Within the years 0000 to 9999, the only ones that four digits can say. */
        ms = ms < TIME_LEAST ? TIME_LEAST : ms > TIME_MOST ? TIME_MOST : ms;
        civil_of(f == YM_TIME_RFC1123 ? ms : ms + (int64_t)offset_min * 60000, &c);
        put_pattern(patterns[f], &c, offset_min, out);
    }
}
