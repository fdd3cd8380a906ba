/* SPDX-License-Identifier: Apache-2.0
 * Delivery hours and holidays of a system, in its own zone.
 */
#include "ym_adapter_priv.h"
#include "ym_time.h"

#include <ctype.h>

#define DAY_MS 86400000LL
#define MINUTE_MS 60000LL
#define DAY_MINUTES 1440
#define LOOK_AHEAD_DAYS 370 /* longer closed spells are reported as "never" */
#define HOLIDAYS_MAX 2000

static const char *const day_names[7] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static int day_read(const char **p)
{
    for (int i = 0; i < 7; i++) {
        if (strncmp(*p, day_names[i], 3) == 0) {
            *p += 3;
            return i;
        }
    }
    return -1;
}

/* "08:30"; 24:00 only as an end. */
static bool clock_read(const char **p, int *ret_min)
{
    const char *c = *p;
    for (int i = 0; i < 5; i++) {
        if (i == 2 ? c[i] != ':' : !isdigit((unsigned char)c[i])) {
            return false;
        }
    }
    int h = (c[0] - '0') * 10 + c[1] - '0', m = (c[3] - '0') * 10 + c[4] - '0';
    if (h > 24 || m > 59 || (h == 24 && m != 0)) {
        return false;
    }
    *ret_min = h * 60 + m;
    *p = c + 5;
    return true;
}

/* "Mon-Fri" or "Mon,Wed" or both forms mixed; a range may pass Sunday. */
static bool days_read(const char **p, unsigned *ret)
{
    unsigned days = 0;
    for (;;) {
        int from = day_read(p), to = from;
        if (from < 0) {
            return false;
        }
        if (**p == '-') {
            (*p)++;
            to = day_read(p);
            if (to < 0) {
                return false;
            }
        }
        for (int i = from;; i = (i + 1) % 7) {
            days |= 1u << i;
            if (i == to) {
                break;
            }
        }
        if (**p != ',') {
            break;
        }
        (*p)++;
    }
    *ret = days;
    return true;
}

static void span_read(struct ym_adapter_load *x, const struct ym_yaml *v)
{
    struct ym_hours *h = &x->s->hours;
    const char *p = v->text.p;
    unsigned days = 0;
    int from = 0, to = 0;
    bool ok = v->kind == YM_YAML_SCALAR && days_read(&p, &days) && *p++ == ' ' &&
              clock_read(&p, &from) && *p++ == '-' && clock_read(&p, &to) && *p == '\0' &&
              from < to;
    if (!ok) {
        ym_adapter_say(x, v,
                       "hours are written \"Mon-Fri 08:30-17:30\" or \"Sat,Sun 09:00-24:00\"");
    } else if (h->span_count == YM_COUNT(h->spans)) {
        ym_adapter_say(x, v, "more than 14 spans of hours");
    } else {
        h->spans[h->span_count].days = days;
        h->spans[h->span_count].from_min = from;
        h->spans[h->span_count].to_min = to;
        h->span_count++;
    }
}

void ym_adapter_hours(struct ym_adapter_load *x)
{
    const struct ym_yaml *hours = ym_yaml_get(x->s->node, "hours");
    const struct ym_yaml *holidays = ym_yaml_get(x->s->node, "holidays");
    struct ym_hours *h = &x->s->hours;
    if (hours != NULL && hours->kind == YM_YAML_SCALAR) {
        span_read(x, hours);
    } else if (hours != NULL) {
        for (const struct ym_yaml *v = hours->child; v != NULL; v = v->next) {
            span_read(x, v);
        }
    }
    if (holidays == NULL) {
        return;
    }
    if (holidays->kind != YM_YAML_LIST || holidays->count > HOLIDAYS_MAX) {
        ym_adapter_say(x, holidays, "holidays is a list of at most 2000 dates like 2026-10-01");
        return;
    }
    h->holidays = ym_adapter_get(x, holidays->count * sizeof(*h->holidays));
    for (const struct ym_yaml *v = holidays->child; v != NULL && h->holidays != NULL; v = v->next) {
        int64_t ms;
        if (v->kind != YM_YAML_SCALAR || v->text.n != 10 ||
            !ym_time_parse(v->text, x->s->settings.offset_min, &ms)) {
            ym_adapter_say(x, v, "a holiday is a date like 2026-10-01");
            continue;
        }
        h->holidays[h->holiday_count++] = ms;
    }
}

/* ---- asking ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* now_ms as local minutes since 1970, all further arithmetic is local. */
static bool open_at(const struct ym_hours *h, int offset_min, int64_t minute)
{
    int64_t day = floor_div(minute, DAY_MINUTES);
    int weekday = (int)((day % 7 + 7 + 3) % 7); /* 1970-01-01 was a Thursday */
    int m = (int)(minute - day * DAY_MINUTES);
    int64_t midnight = day * DAY_MS - offset_min * MINUTE_MS;
    for (size_t i = 0; i < h->holiday_count; i++) {
        if (h->holidays[i] == midnight) {
            return false;
        }
    }
    if (h->span_count == 0) {
        return true;
    }
    for (size_t i = 0; i < h->span_count; i++) {
        if ((h->spans[i].days >> weekday & 1u) != 0 && m >= h->spans[i].from_min &&
            m < h->spans[i].to_min) {
            return true;
        }
    }
    return false;
}

/* The next minute of the day after `after` at which something begins or ends. */
static int next_edge(const struct ym_hours *h, int after)
{
    int best = DAY_MINUTES;
    for (size_t i = 0; i < h->span_count; i++) {
        int edges[2] = {h->spans[i].from_min, h->spans[i].to_min};
        for (int k = 0; k < 2; k++) {
            if (edges[k] > after && edges[k] < best) {
                best = edges[k];
            }
        }
    }
    return best;
}

bool ym_hours_open(const struct ym_hours *h, int offset_min, int64_t now_ms, int64_t *ret_next_ms)
{
    int64_t minute = floor_div(now_ms, MINUTE_MS) + offset_min;
    int64_t last = minute + (int64_t)LOOK_AHEAD_DAYS * DAY_MINUTES;
    bool now = open_at(h, offset_min, minute);
    *ret_next_ms = 0;
    if (h->span_count == 0 && h->holiday_count == 0) {
        return true;
    }
    while (minute < last) {
        int64_t day = floor_div(minute, DAY_MINUTES);
        minute = day * DAY_MINUTES + next_edge(h, (int)(minute - day * DAY_MINUTES));
        if (open_at(h, offset_min, minute) != now) {
            *ret_next_ms = (minute - offset_min) * MINUTE_MS;
            break;
        }
    }
    return now;
}
