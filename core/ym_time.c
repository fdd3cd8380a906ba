/* SPDX-License-Identifier: Apache-2.0
 * Calendar arithmetic without the C library's time zone: days by the civil-calendar formulas.
 */
#include "ym_time.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_DAY 86400000

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

bool ym_time_parse(struct ym_str s, int offset_min, int64_t *ret_ms)
{
    int year, month, day, hour, minute, second, ms, zone;
    int64_t v;

    year = take_digits(&s, 4);
    if (year < 0 || !take_char(&s, '-')) {
        return false;
    }
    month = take_digits(&s, 2);
    if (month < 0 || !take_char(&s, '-')) {
        return false;
    }
    day = take_digits(&s, 2);
    if (!ym_date_valid(year, month, day)) {
        return false;
    }
    v = days_of(year, month, day) * MS_PER_DAY;
    if (s.n == 0) {
        *ret_ms = v - (int64_t)offset_min * 60000;
        return true;
    }

    if (!take_char(&s, 'T') && !take_char(&s, 't')) {
        return false;
    }
    hour = take_digits(&s, 2);
    if (hour < 0 || hour > 23 || !take_char(&s, ':')) {
        return false;
    }
    minute = take_digits(&s, 2);
    if (minute < 0 || minute > 59 || !take_char(&s, ':')) {
        return false;
    }
    second = take_digits(&s, 2);
    if (second < 0 || second > 60 || !take_fraction(&s, &ms) || !take_zone(&s, &zone) || s.n > 0) {
        return false;
    }
    v += ((int64_t)hour * 60 + minute - zone) * 60000;
    if (second == 60) { /* leap seconds end the UTC day (RFC 3339 §5.7) */
        int64_t of_day = (v % MS_PER_DAY + MS_PER_DAY) % MS_PER_DAY;

        if (of_day != MS_PER_DAY - 60000) {
            return false;
        }
    }
    *ret_ms = v + (int64_t)second * 1000 + ms;
    return true;
}

void ym_time_format(int64_t ms, enum ym_time_format f, int offset_min, char out[YM_TIME_TEXT])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c;
    char sign = offset_min < 0 ? '-' : '+';
    int zone = offset_min < 0 ? -offset_min : offset_min;

    civil_of(f == YM_TIME_RFC1123 ? ms : ms + (int64_t)offset_min * 60000, &c);
    switch (f) {
    case YM_TIME_RFC3339:
        (void)snprintf(out, YM_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year,
                       c.month, c.day, c.hour, c.minute, c.second, sign, zone / 60, zone % 60);
        break;
    case YM_TIME_RFC3339_MS:
        (void)snprintf(out, YM_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", c.year,
                       c.month, c.day, c.hour, c.minute, c.second, c.ms, sign, zone / 60,
                       zone % 60);
        break;
    case YM_TIME_DATE:
        (void)snprintf(out, YM_TIME_TEXT, "%04d-%02d-%02d", c.year, c.month, c.day);
        break;
    case YM_TIME_DATE8:
        (void)snprintf(out, YM_TIME_TEXT, "%04d%02d%02d", c.year, c.month, c.day);
        break;
    case YM_TIME_DATETIME:
        (void)snprintf(out, YM_TIME_TEXT, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day,
                       c.hour, c.minute, c.second);
        break;
    case YM_TIME_DATETIME14:
        (void)snprintf(out, YM_TIME_TEXT, "%04d%02d%02d%02d%02d%02d", c.year, c.month, c.day,
                       c.hour, c.minute, c.second);
        break;
    case YM_TIME_RFC1123:
        (void)snprintf(out, YM_TIME_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[c.weekday],
                       c.day, months[c.month - 1], c.year, c.hour, c.minute, c.second);
        break;
    case YM_TIME_EPOCH_MS:
        (void)snprintf(out, YM_TIME_TEXT, "%lld", (long long)ms);
        break;
    case YM_TIME_EPOCH_S:
        (void)snprintf(out, YM_TIME_TEXT, "%lld",
                       (long long)(ms >= 0 ? ms / 1000 : -((999 - ms) / 1000)));
        break;
    }
}
