/* SPDX-License-Identifier: Apache-2.0
 * Header values: what is plain, and three ways to write what is not.
 */
#include "ym_header.h"
#include "ym_codec.h"
#include "ym_utf8.h"

#include <strings.h>

#define MARK "UTF-8''"

static const char *const names[] = {"rfc8187", "percent", "base64url", "plain"};

bool ym_header_code_of(struct ym_str name, enum ym_header_code *ret)
{
    for (size_t i = 0; i < YM_COUNT(names); i++) {
        if (ym_str_is(name, names[i])) {
            *ret = (enum ym_header_code)i;
            return true;
        }
    }
    return false;
}

/* No control character and nothing that is no UTF-8; says whether all of it is ASCII. */
static bool acceptable(struct ym_str text, bool *ret_ascii)
{
    const unsigned char *p = (const unsigned char *)text.p;
    *ret_ascii = true;
    for (size_t i = 0, n; i < text.n; i += n) {
        n = ym_utf8_step(p + i, text.n - i);
        if (n == 0 || p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0)) {
            return false;
        }
        *ret_ascii = *ret_ascii && n == 1;
    }
    return true;
}

static bool attr_char(char c) /* RFC 8187 §3.2.1 */
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$&+-.^_`|~", c) != NULL);
}

static void percent(struct ym_buf *out, struct ym_str text, bool strict)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool edge = c == ' ' && (i == 0 || i + 1 == text.n);
        bool keep = strict ? attr_char((char)c) : c >= 0x20 && c < 0x7f && c != '%' && !edge;
        if (keep) {
            ym_buf_addc(out, (char)c);
        } else {
            ym_buf_addf(out, "%%%02X", c);
        }
    }
}

static bool marked(struct ym_str text)
{
    return text.n >= sizeof(MARK) - 1 && strncasecmp(text.p, MARK, sizeof(MARK) - 1) == 0;
}

bool ym_header_is_plain(struct ym_str text, enum ym_header_code code)
{
    if (text.n == 0 || text.n > YM_HEADER_BYTES || code == YM_HEADER_BASE64URL ||
        text.p[0] == ' ' || text.p[text.n - 1] == ' ' ||
        (code == YM_HEADER_RFC8187 && marked(text))) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c >= 0x7f || (c == '%' && code == YM_HEADER_PERCENT)) {
            return false;
        }
    }
    return true;
}

ym_status ym_header_add(struct ym_buf *out, struct ym_str text, enum ym_header_code code)
{
    bool ascii;
    if (!acceptable(text, &ascii)) {
        return YM_EINVAL;
    }
    /* receivers trim blanks, and text that begins like an encoded one would be decoded */
    bool edges = text.n > 0 && (text.p[0] == ' ' || text.p[text.n - 1] == ' ');
    bool plain = ascii && !edges;

    switch (code) {
    case YM_HEADER_RFC8187:
        if (plain && !marked(text)) {
            ym_buf_add(out, text.p, text.n);
        } else {
            ym_buf_adds(out, MARK);
            percent(out, text, true);
        }
        break;
    case YM_HEADER_PERCENT:
        percent(out, text, false);
        break;
    case YM_HEADER_BASE64URL:
        ym_base64url_add(out, text);
        break;
    case YM_HEADER_PLAIN:
        if (!plain) {
            return YM_EINVAL;
        }
        ym_buf_add(out, text.p, text.n);
        break;
    }
    if (out->failed == YM_OK && out->n > YM_HEADER_BYTES) {
        return YM_ETOOBIG;
    }
    return out->failed;
}

ym_status ym_header_add_list(struct ym_buf *out, const struct ym_str *items, size_t count,
                             char delimiter, enum ym_header_code code)
{
    struct ym_buf list;
    ym_buf_init(&list, YM_HEADER_BYTES);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            ym_buf_addc(&list, delimiter);
        }
        for (size_t k = 0; k < items[i].n; k++) {
            char c = items[i].p[k];
            if (c == '%' || c == delimiter) {
                ym_buf_addf(&list, "%%%02X", (unsigned char)c);
            } else {
                ym_buf_addc(&list, c);
            }
        }
    }
    ym_status rc = list.failed;
    if (rc == YM_OK) {
        rc = ym_header_add(out, ym_buf_str(&list), code);
    }
    ym_buf_clear(&list);
    return rc;
}
