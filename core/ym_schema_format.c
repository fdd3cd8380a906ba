/* SPDX-License-Identifier: Apache-2.0
 * The formats of the subset: those of RFC 3339, 3986, 4122 and 5321, and the national ones.
 */
#include "ym_schema_priv.h"
#include "ym_gb.h"
#include "ym_id.h"
#include "ym_time.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* n digits at p as a number, or −1. */
static int digits(const char *p, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i])) {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

/* ---- RFC 3339 ---- */

static bool is_date(struct ym_str s)
{
    return s.n == 10 && s.p[4] == '-' && s.p[7] == '-' && digits(s.p, 4) >= 0 &&
           digits(s.p + 5, 2) > 0 && digits(s.p + 8, 2) > 0 &&
           ym_date_valid(digits(s.p, 4), digits(s.p + 5, 2), digits(s.p + 8, 2));
}

/* Minutes east of UTC, or INT_MIN. */
static int offset_read(struct ym_str s)
{
    int hour = 0, minute = 0;

    if (s.n == 1 && (s.p[0] == 'Z' || s.p[0] == 'z')) {
        return 0;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':') {
        return INT32_MIN;
    }
    hour = digits(s.p + 1, 2);
    minute = digits(s.p + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return INT32_MIN;
    }
    return (s.p[0] == '-' ? -1 : 1) * (hour * 60 + minute);
}

static bool is_time(struct ym_str s)
{
    int hour = 0, minute = 0, second = 0, offset = 0;
    size_t at = 8;

    if (s.n < 9 || s.p[2] != ':' || s.p[5] != ':') {
        return false;
    }
    hour = digits(s.p, 2);
    minute = digits(s.p + 3, 2);
    second = digits(s.p + 6, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    if (s.p[at] == '.') {
        size_t start = ++at;

        while (at < s.n && is_digit(s.p[at])) {
            at++;
        }
        if (at == start) {
            return false;
        }
    }
    offset = offset_read((struct ym_str){s.p + at, s.n - at});
    if (offset == INT32_MIN) {
        return false;
    }
    /* A leap second ends a UTC day. */
    return second < 60 || (hour * 60 + minute - offset + 2880) % 1440 == 1439;
}

static bool is_date_time(struct ym_str s)
{
    return s.n > 11 && (s.p[10] == 'T' || s.p[10] == 't') && is_date((struct ym_str){s.p, 10}) &&
           is_time((struct ym_str){s.p + 11, s.n - 11});
}

/* ---- addresses ---- */

static bool is_ipv4(struct ym_str s)
{
    size_t at = 0;

    for (int part = 0; part < 4; part++) {
        size_t start = at;
        int v = 0;

        while (at < s.n && is_digit(s.p[at]) && at - start < 4) {
            v = v * 10 + (s.p[at++] - '0');
        }
        if (at == start || v > 255 || (at - start > 1 && s.p[start] == '0')) {
            return false;
        }
        if (part < 3 && (at >= s.n || s.p[at++] != '.')) {
            return false;
        }
    }
    return at == s.n;
}

/* Reads one group or the dotted tail at *at; counts groups; false when it is neither. */
static bool ipv6_group(struct ym_str s, size_t *at, int *groups)
{
    size_t start = *at;

    while (*at < s.n && is_hex(s.p[*at]) && *at - start < 5) {
        (*at)++;
    }
    if (*at < s.n && s.p[*at] == '.') {
        *at = s.n;
        *groups += 2;
        return is_ipv4((struct ym_str){s.p + start, s.n - start});
    }
    *groups += 1;
    return *at > start && *at - start <= 4;
}

static bool is_ipv6(struct ym_str s)
{
    size_t at = 0;
    int groups = 0;
    bool gap = false;

    if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
        gap = true;
        at = 2;
    }
    while (at < s.n) {
        if (!ipv6_group(s, &at, &groups)) {
            return false;
        }
        if (at == s.n) {
            break;
        }
        if (s.p[at++] != ':' || at == s.n) {
            return false;
        }
        if (s.p[at] == ':') {
            if (gap) {
                return false;
            }
            gap = true;
            at++;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

/* Dot-separated labels of letters, digits and inner hyphens. */
static bool is_domain(struct ym_str s)
{
    size_t label = 0;

    if (s.n == 0 || s.n > 253) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool last = i + 1 == s.n || s.p[i + 1] == '.';

        if (s.p[i] == '.') {
            if (label == 0 || i + 1 == s.n) {
                return false;
            }
            label = 0;
            continue;
        }
        label++;
        if (label > 63 || (s.p[i] == '-' && (label == 1 || last)) ||
            (s.p[i] != '-' && !is_alpha(s.p[i]) && !is_digit(s.p[i]))) {
            return false;
        }
    }
    return true;
}

static bool local_quoted(struct ym_str s)
{
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == '"' || (unsigned char)s.p[i] < 0x20) {
            return false;
        }
    }
    return s.n >= 3 && s.p[s.n - 1] == '"';
}

static bool local_plain(struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '.' ? i == 0 || i + 1 == s.n || s.p[i + 1] == '.'
                     : !is_alpha(c) && !is_digit(c) &&
                           (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL)) {
            return false;
        }
    }
    return s.n > 0;
}

static bool is_email(struct ym_str s)
{
    struct ym_str local = s, domain = s;
    size_t at = s.n;

    while (at > 0 && s.p[at - 1] != '@') {
        at--;
    }
    if (at == 0 || at > 65) {
        return false;
    }
    local.n = at - 1;
    domain.p += at;
    domain.n -= at;
    if (local.n == 0 || !(local.p[0] == '"' ? local_quoted(local) : local_plain(local))) {
        return false;
    }
    if (domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']') {
        struct ym_str literal = {domain.p + 1, domain.n - 2};

        if (literal.n > 5 && memcmp(literal.p, "IPv6:", 5) == 0) {
            return is_ipv6((struct ym_str){literal.p + 5, literal.n - 5});
        }
        return is_ipv4(literal);
    }
    return is_domain(domain);
}

/* ---- RFC 3986 ---- */

/* Characters of RFC 3986 beyond letters and digits that may stand in a URI, by part. */
#define URI_UNRESERVED "-._~"
#define URI_SUB "!$&'()*+,;="

static bool uri_chars(struct ym_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])) {
                return false;
            }
            i += 2;
        } else if (c == '\0' ||
                   (!is_alpha(c) && !is_digit(c) && strchr(URI_UNRESERVED URI_SUB, c) == NULL &&
                    strchr(more, c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* Cuts s before the first of stops; what remains (stop included) is the second half. */
static struct ym_str before(struct ym_str *s, const char *stops)
{
    struct ym_str head = {s->p, 0};

    while (head.n < s->n && (s->p[head.n] == '\0' || strchr(stops, s->p[head.n]) == NULL)) {
        head.n++;
    }
    s->p += head.n;
    s->n -= head.n;
    return head;
}

static bool uri_port(struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i])) {
            return false;
        }
    }
    return true;
}

static bool uri_authority(struct ym_str s)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
    struct ym_str user = YM_STR(""), host = YM_STR_NULL;

    if (at != NULL) {
        user = (struct ym_str){s.p, (size_t)(at - s.p)};
        s.n -= user.n + 1;
        s.p = at + 1;
    }
    if (s.n > 0 && s.p[0] == '[') {
        host = before(&s, "]");
        if (s.n == 0 || !is_ipv6((struct ym_str){host.p + 1, host.n - 1})) {
            return false;
        }
        s.p++;
        s.n--;
        return uri_chars(user, ":") &&
               (s.n == 0 || (s.p[0] == ':' && uri_port((struct ym_str){s.p + 1, s.n - 1})));
    }
    host = before(&s, ":");
    return uri_chars(user, ":") && uri_chars(host, "") &&
           (s.n == 0 || uri_port((struct ym_str){s.p + 1, s.n - 1}));
}

static bool is_uri(struct ym_str s)
{
    struct ym_str scheme = before(&s, ":/?#");
    struct ym_str part = YM_STR_NULL;

    if (scheme.n == 0 || !is_alpha(scheme.p[0]) || s.n == 0 || s.p[0] != ':') {
        return false;
    }
    for (size_t i = 1; i < scheme.n; i++) {
        if (!is_alpha(scheme.p[i]) && !is_digit(scheme.p[i]) &&
            (scheme.p[i] == '\0' || strchr("+-.", scheme.p[i]) == NULL)) {
            return false;
        }
    }
    s.p++;
    s.n--;
    if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '/') {
        s.p += 2;
        s.n -= 2;
        part = before(&s, "/?#");
        if (!uri_authority(part)) {
            return false;
        }
    }
    part = before(&s, "?#");
    if (!uri_chars(part, ":@/")) {
        return false;
    }
    if (s.n > 0 && s.p[0] == '?') {
        s.p++;
        s.n--;
        part = before(&s, "#");
        if (!uri_chars(part, ":@/?")) {
            return false;
        }
    }
    return s.n == 0 || uri_chars((struct ym_str){s.p + 1, s.n - 1}, ":@/?");
}

/* ---- identifiers ---- */

static bool is_uuid(struct ym_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? s.p[i] != '-' : !is_hex(s.p[i])) {
            return false;
        }
    }
    return s.n == 36;
}

static const struct ym_sformat formats[] = {
    {"date", is_date, "date (2026-01-31)", "日期(如 2026-01-31)"},
    {"date-time", is_date_time, "time with zone (2026-01-31T08:30:00+08:00)",
     "带时区的时间(如 2026-01-31T08:30:00+08:00)"},
    {"time", is_time, "time of day with zone (08:30:00+08:00)", "带时区的钟点(如 08:30:00+08:00)"},
    {"email", is_email, "e-mail address", "电子邮箱"},
    {"uri", is_uri, "URI with scheme", "网址"},
    {"uuid", is_uuid, "UUID", "UUID"},
    {"ipv4", is_ipv4, "IPv4 address", "IPv4 地址"},
    {"gb11643", ym_gb11643, "citizen identity number (18 characters, GB 11643)",
     "公民身份号码(18 位)"},
    {"gb32100", ym_gb32100, "unified social credit code (18 characters, GB 32100)",
     "统一社会信用代码(18 位)"},
    {"gb11714", ym_gb11714, "organisation code (GB 11714)", "组织机构代码"},
    {"phone-cn", ym_phone_cn, "telephone number (mobile, or landline with area code)",
     "电话号码(手机,或带区号的座机)"},
    {"area-code", ym_area_code, "area code (2, 4, 6, 9 or 12 digits)",
     "区划代码(2、4、6、9 或 12 位)"},
    {"ulid", ym_id_valid, "record number (ULID)", "记录编号"},
};

size_t ym_schema_format_count(void)
{
    return YM_COUNT(formats);
}

const struct ym_sformat *ym_schema_format_at(size_t i)
{
    return &formats[i];
}

const char *ym_schema_format_name(size_t i)
{
    return formats[i].name;
}

const struct ym_sformat *ym_schema_format(const char *name)
{
    for (size_t i = 0; i < YM_COUNT(formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}
