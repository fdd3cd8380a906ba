/* SPDX-License-Identifier: Apache-2.0
 * Cookies of one application: reading Set-Cookie, choosing what a request carries.
 */
#include "ym_jar.h"

#include "ym_conf.h"
#include "ym_time.h"

#include <stdio.h>
#include <strings.h>

#define AGE_MAX (400 * 86400LL) /* seconds: browsers cap here (RFC 6265bis, 5.5) */

void ym_jar_init(struct ym_jar *jar, struct ym_arena *arena)
{
    memset(jar, 0, sizeof(*jar));
    jar->arena = arena;
}

static struct ym_str trim(struct ym_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

/* The text up to stop; *rest goes on behind it. */
static struct ym_str cut(struct ym_str *rest, char stop)
{
    const char *at = rest->n > 0 ? memchr(rest->p, stop, rest->n) : NULL;
    struct ym_str head = *rest;

    if (at == NULL) {
        *rest = (struct ym_str){rest->p + rest->n, 0};
        return head;
    }
    head.n = (size_t)(at - rest->p);
    rest->p += head.n + 1;
    rest->n -= head.n + 1;
    return head;
}

static bool called(struct ym_str s, const char *name)
{
    return s.n == strlen(name) && strncasecmp(s.p, name, s.n) == 0;
}

/* Nothing that could end a header line or split a packed cookie. */
static bool is_plain(struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c == 0x7F) {
            return false;
        }
    }
    return true;
}

/* A cookie-name is a token (RFC 7230): a blank, comma or semicolon in it could pass for another. */
static bool is_token(struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7F ||
            strchr("()<>@,;:\\\"/[]?={}", s.p[i]) != NULL) {
            return false;
        }
    }
    return s.n > 0;
}

/* Dates ------------------------------------------------------------------------------------------
 * RFC 6265, 5.1.1: words in any order, split at whatever is no letter, digit or colon. */

struct date {
    int year, month, day, hour, minute, second;
    bool has_time;
};

static int number(struct ym_str s, size_t least, size_t most)
{
    int v = 0;
    size_t n = 0;

    while (n < s.n && n < most && s.p[n] >= '0' && s.p[n] <= '9') {
        v = v * 10 + (s.p[n++] - '0');
    }
    return n < least || (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') ? -1 : v;
}

static bool clock_word(struct ym_str word, struct date *d)
{
    struct ym_str rest = word;
    int h = number(cut(&rest, ':'), 1, 2), m = number(cut(&rest, ':'), 1, 2);
    int s = number(rest, 1, 2);

    if (h < 0 || m < 0 || s < 0) {
        return false;
    }
    d->hour = h;
    d->minute = m;
    d->second = s;
    d->has_time = true;
    return true;
}

static int month_word(struct ym_str word)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (int i = 0; word.n >= 3 && i < 12; i++) {
        if (strncasecmp(word.p, names + (ptrdiff_t)i * 3, 3) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static void date_word(struct ym_str word, struct date *d)
{
    if (!d->has_time && memchr(word.p, ':', word.n) != NULL && clock_word(word, d)) {
        return;
    }
    if (d->day == 0 && number(word, 1, 2) > 0) {
        d->day = number(word, 1, 2);
    } else if (d->month == 0 && month_word(word) > 0) {
        d->month = month_word(word);
    } else if (d->year == 0 && number(word, 2, 4) >= 0) {
        d->year = number(word, 2, 4);
        d->year += d->year < 70 ? 2000 : d->year < 100 ? 1900 : 0;
    }
}

static bool in_word(char c)
{
    return c == ':' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_moment(const struct date *d)
{
    return d->has_time && d->year >= 1601 && d->year <= 9999 &&
           ym_date_valid(d->year, d->month, d->day) && d->hour <= 23 && d->minute <= 59 &&
           d->second <= 59;
}

static bool date_parse(struct ym_str s, int64_t *ret_ms)
{
    struct date d = {0};
    char text[YM_TIME_TEXT];
    size_t from = 0;
    int n;

    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && in_word(s.p[i])) {
            continue;
        }
        if (i > from) {
            date_word((struct ym_str){s.p + from, i - from}, &d);
        }
        from = i + 1;
    }
    if (!is_moment(&d)) {
        return false;
    }
    n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day,
                 d.hour, d.minute, d.second);
    return n > 0 && ym_time_parse((struct ym_str){text, (size_t)n}, 0, ret_ms);
}

/* Set-Cookie ----------------------------------------------------------------------------------- */

struct given {
    struct ym_str name, value, path;
    int64_t expires_ms;
    bool has_age, has_date, gone, has_domain;
};

/* -0 and everything below it, or no number at all: RFC 6265, 5.2.2 leaves those out. */
static void take_age(struct given *g, struct ym_str value, int64_t now_ms)
{
    int64_t age;

    if (!ym_int_parse(value, &age)) {
        return;
    }
    g->has_age = true;
    g->gone = age <= 0;
    g->expires_ms = now_ms + 1000 * (age < AGE_MAX ? age : AGE_MAX);
}

static void take_attribute(struct given *g, struct ym_str name, struct ym_str value, int64_t now_ms)
{
    int64_t at;

    if (called(name, "max-age")) {
        take_age(g, value, now_ms);
    } else if (called(name, "expires") && !g->has_age && date_parse(value, &at)) {
        g->has_date = true;
        g->gone = at <= now_ms;
        g->expires_ms = at < now_ms + AGE_MAX * 1000 ? at : now_ms + AGE_MAX * 1000;
    } else if (called(name, "path")) {
        g->path = value;
    } else if (called(name, "domain")) {
        g->has_domain = true;
    }
}

/* RFC 6265, 5.1.4: everything up to the last slash. */
static struct ym_str default_path(struct ym_str path)
{
    while (path.n > 0 && path.p[path.n - 1] != '/') {
        path.n--;
    }
    if (path.n <= 1 || path.p[0] != '/') {
        return YM_STR("/");
    }
    path.n--;
    return path;
}

/* __Host- promises: no Domain, Path=/. The promise of TLS is the gateway's to keep. */
static bool prefix_holds(const struct given *g)
{
    if (g->name.n < 7 || strncasecmp(g->name.p, "__Host-", 7) != 0) {
        return true;
    }
    return !g->has_domain && ym_str_is(g->path, "/");
}

static bool parse(struct ym_str s, struct ym_str path, int64_t now_ms, struct given *g)
{
    struct ym_str first = cut(&s, ';');

    memset(g, 0, sizeof(*g));
    if (memchr(first.p, '=', first.n) == NULL) {
        return false;
    }
    g->name = trim(cut(&first, '='));
    g->value = trim(first);
    while (s.n > 0) {
        struct ym_str value = cut(&s, ';'), name = trim(cut(&value, '='));

        take_attribute(g, name, trim(value), now_ms);
    }
    if (g->path.n == 0 || g->path.p[0] != '/') {
        g->path = default_path(path);
    }
    return is_token(g->name) && is_plain(g->value) && is_plain(g->path) &&
           g->name.n + g->value.n <= YM_JAR_COOKIE_BYTES && g->path.n <= YM_JAR_PATH_BYTES &&
           prefix_holds(g);
}

static struct ym_jar_cookie *find(struct ym_jar *jar, struct ym_str name, struct ym_str path)
{
    for (size_t i = 0; i < jar->count; i++) {
        if (ym_str_is(name, jar->items[i].name) && ym_str_is(path, jar->items[i].path)) {
            return &jar->items[i];
        }
    }
    return NULL;
}

/* A place for one more: a new one, or that of a cookie that has gone. */
static struct ym_jar_cookie *place(struct ym_jar *jar)
{
    return jar->count < YM_JAR_COOKIES ? &jar->items[jar->count++] : NULL;
}

static bool store(struct ym_jar *jar, const struct given *g)
{
    struct ym_jar_cookie *c = find(jar, g->name, g->path), new = {0};

    if (c == NULL && g->gone) {
        return true; /* nothing to remove */
    }
    new.name = ym_arena_str(jar->arena, g->name);
    new.value = ym_arena_str(jar->arena, g->gone ? YM_STR("") : g->value);
    new.path = ym_arena_str(jar->arena, g->path);
    new.expires_ms = g->has_age || g->has_date ? g->expires_ms : 0;
    new.changed = true;
    new.gone = g->gone;
    if (new.name == NULL || new.value == NULL || new.path == NULL) {
        return false;
    }
    c = c != NULL ? c : place(jar);
    if (c == NULL) {
        return false;
    }
    *c = new;
    return true;
}

bool ym_jar_take(struct ym_jar *jar, struct ym_str set_cookie, struct ym_str path, int64_t now_ms)
{
    struct given g;

    if (set_cookie.n == 0 || !parse(set_cookie, path, now_ms, &g) || !store(jar, &g)) {
        jar->refused++;
        return false;
    }
    return true;
}

/* Cookie --------------------------------------------------------------------------------------- */

static bool path_matches(const char *cookie, struct ym_str path)
{
    size_t n = strlen(cookie);

    if (path.n < n || memcmp(path.p, cookie, n) != 0) {
        return false;
    }
    return path.n == n || cookie[n - 1] == '/' || path.p[n] == '/';
}

static bool alive(const struct ym_jar_cookie *c, int64_t now_ms)
{
    return !c->gone && (c->expires_ms == 0 || c->expires_ms > now_ms);
}

static bool goes(const struct ym_jar_cookie *c, struct ym_str path, struct ym_str other,
                 int64_t now_ms)
{
    if (!alive(c, now_ms)) {
        return false;
    }
    return path.p == NULL || path_matches(c->path, path) ||
           (other.p != NULL && path_matches(c->path, other));
}

ym_status ym_jar_header(const struct ym_jar *jar, struct ym_str path, struct ym_str other,
                        int64_t now_ms, struct ym_buf *out)
{
    const struct ym_jar_cookie *chosen[YM_JAR_COOKIES];
    size_t count = 0, start = out->n;

    for (size_t i = 0; i < jar->count; i++) {
        const struct ym_jar_cookie *c = &jar->items[i];
        size_t at = count;

        if (!goes(c, path, other, now_ms)) {
            continue;
        }
        while (at > 0 && strlen(chosen[at - 1]->path) < strlen(c->path)) {
            chosen[at] = chosen[at - 1];
            at--;
        }
        chosen[at] = c;
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        ym_buf_adds(out, out->n > start ? "; " : "");
        ym_buf_adds(out, chosen[i]->name);
        ym_buf_addc(out, '=');
        ym_buf_adds(out, chosen[i]->value);
    }
    if (out->failed == YM_OK && out->n - start > YM_JAR_HEADER_BYTES) {
        return YM_ETOOBIG;
    }
    return out->failed;
}

bool ym_jar_has(const struct ym_jar *jar, struct ym_str name)
{
    for (size_t i = 0; i < jar->count; i++) {
        if (ym_str_is(name, jar->items[i].name)) {
            return true;
        }
    }
    return false;
}

/* Keeping -------------------------------------------------------------------------------------- */

ym_status ym_jar_pack(const struct ym_jar_cookie *c, struct ym_buf *out)
{
    return ym_buf_addf(out, "%lld\t%s\t%s\t%s", (long long)c->expires_ms, c->name, c->path,
                       c->value);
}

bool ym_jar_unpack(struct ym_jar *jar, struct ym_str packed)
{
    struct ym_str when = cut(&packed, '\t');
    struct given g = {0};
    size_t at = jar->count;

    g.name = cut(&packed, '\t');
    g.path = cut(&packed, '\t');
    g.value = packed;
    if (!ym_int_parse(when, &g.expires_ms) || !is_token(g.name) || g.path.n == 0 ||
        !is_plain(g.path) || !is_plain(g.value)) {
        return false;
    }
    g.has_age = g.expires_ms != 0;
    if (!store(jar, &g)) {
        return false;
    }
    if (jar->count > at) {
        jar->items[at].changed = false;
    }
    return true;
}

ym_status ym_jar_key(const struct ym_jar_cookie *c, struct ym_buf *out)
{
    return ym_buf_addf(out, "%s\t%s", c->name, c->path);
}
