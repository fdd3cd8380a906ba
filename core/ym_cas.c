/* SPDX-License-Identifier: Apache-2.0
 * CAS as text. An address is taken apart once, strictly; what is not plain is no service.
 */
#include "ym_cas.h"

#include "ym_codec.h"
#include "ym_place.h"
#include "ym_time.h"
#include "ym_utf8.h"

#include <strings.h>

#define REPLACEMENT "\xEF\xBF\xBD"

/* ---- addresses ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool alnum(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool hex(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f');
}

static bool host_ok(struct ym_str host)
{
    if (host.n == 0 || host.p[0] == '.' || host.p[0] == '-' || host.p[host.n - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < host.n; i++) {
        if (!alnum(host.p[i]) && strchr("-_.", host.p[i]) == NULL) {
            return false;
        }
        if (host.p[i] == '.' && host.p[i - 1] == '.') {
            return false;
        }
    }
    return true;
}

/* "[…]" of an IPv6 address; its length, or 0 */
static size_t bracketed(struct ym_str authority)
{
    size_t i = 1;
    while (i < authority.n &&
           (hex(authority.p[i]) || authority.p[i] == ':' || authority.p[i] == '.')) {
        i++;
    }
    return i > 2 && i < authority.n && authority.p[i] == ']' ? i + 1 : 0;
}

/* The port behind the colon: 1 to 65535 without a leading zero; 0 when it is none. */
static unsigned port_of(struct ym_str text)
{
    unsigned port = 0;
    if (text.n == 0 || text.n > 5 || text.p[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return 0;
        }
        port = port * 10 + (unsigned)(text.p[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

static bool authority_add(struct ym_str authority, unsigned standard, struct ym_buf *out)
{
    size_t n = 0;
    if (authority.n > 0 && authority.p[0] == '[') {
        n = bracketed(authority);
    } else {
        while (n < authority.n && authority.p[n] != ':') {
            n++;
        }
        n = host_ok((struct ym_str){authority.p, n}) ? n : 0;
    }
    if (n == 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        ym_buf_addc(out, lower(authority.p[i]));
    }
    if (n < authority.n) {
        unsigned port = authority.p[n] == ':'
                            ? port_of((struct ym_str){authority.p + n + 1, authority.n - n - 1})
                            : 0;
        if (port == 0) {
            return false;
        }
        if (port != standard) {
            ym_buf_addf(out, ":%u", port);
        }
    }
    return true;
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : lower(c) - 'a' + 10;
}

/* Whole escapes, none of a control character; printable, and nothing that ends an attribute. */
static bool query_ok(struct ym_str query)
{
    for (size_t i = 0; i < query.n; i++) {
        char c = query.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"<>#\\", c) != NULL) {
            return false;
        }
        if (c == '%') {
            int code;
            if (query.n - i < 3 || !hex(query.p[i + 1]) || !hex(query.p[i + 2])) {
                return false;
            }
            code = hex_value(query.p[i + 1]) * 16 + hex_value(query.p[i + 2]);
            if (code < 0x20 || code == 0x7f) {
                return false;
            }
            i += 2;
        }
    }
    return true;
}

/* Whether the parameter that begins here is called `ticket`, however it is written. */
static bool is_ticket(struct ym_str rest)
{
    static const char name[] = "ticket";
    size_t at = 0;
    for (size_t i = 0; i < rest.n && rest.p[i] != '=' && rest.p[i] != '&'; i++) {
        char c = rest.p[i];
        if (c == '%') { /* whole, as was looked at before */
            c = (char)(hex_value(rest.p[i + 1]) * 16 + hex_value(rest.p[i + 2]));
            i += 2;
        }
        if (at >= sizeof(name) - 1 || lower(c) != name[at]) {
            return false;
        }
        at++;
    }
    return at == sizeof(name) - 1;
}

static bool has_ticket(struct ym_str query)
{
    for (size_t i = 0; i < query.n; i++) {
        if ((i == 0 || query.p[i - 1] == '&') &&
            is_ticket((struct ym_str){query.p + i, query.n - i})) {
            return true;
        }
    }
    return false;
}

/* Appends text with the hex digits of its escapes in upper case. */
static void add_escaped(struct ym_buf *out, struct ym_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && text.n - i > 2) {
            ym_buf_addc(out, '%');
            ym_buf_addc(out, upper(text.p[i + 1]));
            ym_buf_addc(out, upper(text.p[i + 2]));
            i += 2;
            continue;
        }
        ym_buf_addc(out, text.p[i]);
    }
}

struct parts {
    bool secure, asked; /* https; there is a query, perhaps an empty one */
    struct ym_str authority, path, query;
};

/* Where the parts begin and end; nothing of them is judged but the scheme. */
static bool split(struct ym_str given, struct parts *to)
{
    size_t at, from;

    if (given.n > YM_CAS_SERVICE_MAX || given.n < 8) {
        return false;
    }
    to->secure = strncasecmp(given.p, "https://", 8) == 0;
    if (!to->secure && strncasecmp(given.p, "http://", 7) != 0) {
        return false;
    }
    from = at = to->secure ? 8 : 7;
    while (at < given.n && given.p[at] != '/' && given.p[at] != '?') {
        at++;
    }
    to->authority = (struct ym_str){given.p + from, at - from};
    from = at;
    while (at < given.n && given.p[at] != '?') {
        at++;
    }
    to->path = at > from ? (struct ym_str){given.p + from, at - from} : YM_STR("/");
    to->asked = at < given.n;
    to->query = to->asked ? (struct ym_str){given.p + at + 1, given.n - at - 1} : YM_STR("");
    return true;
}

bool ym_cas_service(struct ym_str given, struct ym_buf *out)
{
    struct parts parts;

    if (!split(given, &parts)) {
        return false;
    }
    ym_buf_adds(out, parts.secure ? "https://" : "http://");
    if (!authority_add(parts.authority, parts.secure ? 443 : 80, out) ||
        memchr(parts.path.p, '#', parts.path.n) != NULL || !ym_place_ok(parts.path) ||
        !query_ok(parts.query) || has_ticket(parts.query)) {
        return false;
    }
    add_escaped(out, parts.path);
    if (parts.asked) {
        ym_buf_addc(out, '?');
        add_escaped(out, parts.query);
    }
    return out->failed == YM_OK;
}

bool ym_cas_matches(struct ym_str registered, bool prefix, struct ym_str service)
{
    if (!prefix) {
        return ym_str_eq(registered, service);
    }
    if (registered.n == 0 || service.n < registered.n ||
        memcmp(registered.p, service.p, registered.n) != 0) {
        return false;
    }
    return registered.p[registered.n - 1] == '/' || service.n == registered.n ||
           service.p[registered.n] == '/' || service.p[registered.n] == '?';
}

/* ---- tickets ---- */

void ym_cas_ticket(const unsigned char random[YM_CAS_TICKET_BYTES], char out[YM_CAS_TICKET_LEN + 1])
{
    memcpy(out, "ST-", 3);
    ym_hex(random, YM_CAS_TICKET_BYTES, false, out + 3);
}

bool ym_cas_ticket_ok(struct ym_str ticket)
{
    if (ticket.n != YM_CAS_TICKET_LEN || memcmp(ticket.p, "ST-", 3) != 0) {
        return false;
    }
    for (size_t i = 3; i < ticket.n; i++) {
        if (!hex(ticket.p[i]) || (ticket.p[i] >= 'A' && ticket.p[i] <= 'F')) {
            return false;
        }
    }
    return true;
}

ym_status ym_cas_go(struct ym_buf *out, struct ym_str service, struct ym_str ticket)
{
    ym_buf_add(out, service.p, service.n);
    ym_buf_addc(out, service.n > 0 && memchr(service.p, '?', service.n) != NULL ? '&' : '?');
    ym_buf_adds(out, "ticket=");
    return ym_buf_add(out, ticket.p, ticket.n);
}

/* ---- answers ---- */

static bool is_noncharacter(const unsigned char *p, size_t n)
{
    return n == 3 && p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE; /* U+FFFE, U+FFFF */
}

static void add_xml(struct ym_buf *out, struct ym_str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t i = 0; i < text.n;) {
        size_t n = ym_utf8_step(p + i, text.n - i);
        if (n == 0 || p[i] < 0x20 || p[i] == 0x7f || is_noncharacter(p + i, n)) {
            ym_buf_adds(out, REPLACEMENT);
            n = n == 0 ? 1 : n;
        } else if (p[i] == '&') {
            ym_buf_adds(out, "&amp;");
        } else if (p[i] == '<') {
            ym_buf_adds(out, "&lt;");
        } else if (p[i] == '>') {
            ym_buf_adds(out, "&gt;");
        } else if (p[i] == '"') {
            ym_buf_adds(out, "&quot;");
        } else if (p[i] == '\'') {
            ym_buf_adds(out, "&#39;");
        } else {
            ym_buf_add(out, p + i, n);
        }
        i += n;
    }
}

static void add_element(struct ym_buf *out, const char *indent, const char *name,
                        struct ym_str value)
{
    ym_buf_addf(out, "%s<cas:%s>", indent, name);
    add_xml(out, value);
    ym_buf_addf(out, "</cas:%s>\n", name);
}

static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\n";
static const char tail[] = "</cas:serviceResponse>\n";

/* One line of text: in 1.0 a line end in a name would begin another answer. */
static ym_status success_text(struct ym_buf *out, struct ym_str user)
{
    ym_buf_adds(out, "yes\n");
    for (size_t i = 0; i < user.n; i++) {
        unsigned char c = (unsigned char)user.p[i];
        if (c < 0x20 || c == 0x7f) {
            ym_buf_adds(out, REPLACEMENT);
        } else {
            ym_buf_addc(out, user.p[i]);
        }
    }
    return ym_buf_addc(out, '\n');
}

/* In the form that SAML wants: UTC, with a Z. */
static void utc(int64_t ms, char out[YM_TIME_TEXT])
{
    size_t n;
    ym_time_format(ms, YM_TIME_DATETIME, 0, out);
    n = strlen(out);
    out[10] = 'T';
    out[n] = 'Z';
    out[n + 1] = '\0';
}

ym_status ym_cas_success(struct ym_buf *out, enum ym_cas_version version,
                         const struct ym_cas_person *person)
{
    char when[YM_TIME_TEXT];

    if (version == YM_CAS_1) {
        return success_text(out, person->user);
    }
    ym_buf_adds(out, head);
    ym_buf_adds(out, "  <cas:authenticationSuccess>\n");
    add_element(out, "    ", "user", person->user);
    if (version == YM_CAS_3) {
        utc(person->auth_time, when);
        ym_buf_adds(out, "    <cas:attributes>\n");
        add_element(out, "      ", "authenticationDate", ym_str_of(when));
        add_element(out, "      ", "longTermAuthenticationRequestTokenUsed", YM_STR("false"));
        add_element(out, "      ", "isFromNewLogin",
                    person->fresh ? YM_STR("true") : YM_STR("false"));
        for (size_t i = 0; i < person->count; i++) {
            add_element(out, "      ", person->attributes[i].name, person->attributes[i].value);
        }
        ym_buf_adds(out, "    </cas:attributes>\n");
    }
    ym_buf_adds(out, "  </cas:authenticationSuccess>\n");
    return ym_buf_adds(out, tail);
}

static const struct {
    const char *code, *words;
} failures[] = {
    [YM_CAS_INVALID_REQUEST] = {"INVALID_REQUEST", "service and ticket are needed, each once"},
    [YM_CAS_INVALID_TICKET] = {"INVALID_TICKET",
                               "the ticket is not known, was used, is too old, or its session is "
                               "over"},
    [YM_CAS_INVALID_SERVICE] = {"INVALID_SERVICE", "the ticket was issued for another service"},
    [YM_CAS_INTERNAL_ERROR] = {"INTERNAL_ERROR", "the ticket cannot be validated at this moment"},
};

const char *ym_cas_failure_code(enum ym_cas_failure failure)
{
    return failures[failure].code;
}

ym_status ym_cas_refusal(struct ym_buf *out, enum ym_cas_version version,
                         enum ym_cas_failure failure)
{
    if (version == YM_CAS_1) {
        return ym_buf_adds(out, "no\n\n");
    }
    ym_buf_adds(out, head);
    ym_buf_addf(out, "  <cas:authenticationFailure code=\"%s\">\n    %s\n", failures[failure].code,
                failures[failure].words);
    ym_buf_adds(out, "  </cas:authenticationFailure>\n");
    return ym_buf_adds(out, tail);
}

ym_status ym_cas_logout(struct ym_buf *out, const char *id, int64_t now_ms, struct ym_str ticket)
{
    char when[YM_TIME_TEXT];

    utc(now_ms, when);
    ym_buf_adds(out, "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "
                     "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"");
    add_xml(out, ym_str_of(id));
    ym_buf_addf(out, "\" Version=\"2.0\" IssueInstant=\"%s\"><saml:NameID>@NOT_USED@</saml:NameID>",
                when);
    ym_buf_adds(out, "<samlp:SessionIndex>");
    add_xml(out, ticket);
    return ym_buf_adds(out, "</samlp:SessionIndex></samlp:LogoutRequest>");
}
