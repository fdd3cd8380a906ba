/* SPDX-License-Identifier: Apache-2.0
 * `encode: xml`: a document as one XML string, built from the tree and escaped here.
 */
#include "ym_map_priv.h"
#include "ym_utf8.h"

/* Characters XML 1.0 §2.2 forbids become U+FFFD: visible, and the rest of the text survives. */
static void text(struct ym_buf *out, struct ym_str s, bool attribute)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = ym_utf8_step((const unsigned char *)s.p + i, s.n - i);
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&') {
            ym_buf_adds(out, "&amp;");
        } else if (c == '<') {
            ym_buf_adds(out, "&lt;");
        } else if (c == '>') {
            ym_buf_adds(out, "&gt;");
        } else if (c == '\r' || (attribute && (c == '"' || c == '\n' || c == '\t'))) {
            ym_buf_addf(out, "&#%d;", c);
        } else if ((c < 0x20 && c != '\n' && c != '\t') || len == 0 ||
                   (len == 3 && (memcmp(s.p + i, "\xEF\xBF\xBE", 3) == 0 ||
                                 memcmp(s.p + i, "\xEF\xBF\xBF", 3) == 0))) {
            ym_buf_adds(out, "\xEF\xBF\xBD");
        } else {
            ym_buf_add(out, s.p + i, len);
        }
        i += len != 0 ? len : 1;
    }
}

static void attributes(struct ym_buf *out, const json_t *object)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        char buf[YM_SCALAR_MAX];
        struct ym_str s;
        if (key[0] == '@' && ym_scalar_text(v, buf, &s)) {
            ym_buf_addf(out, " %s=\"", key + 1);
            text(out, s, true);
            ym_buf_addc(out, '"');
        }
    }
}

static void element(struct ym_buf *out, const char *name, const json_t *v)
{
    char buf[YM_SCALAR_MAX];
    struct ym_str s;
    const char *key;
    json_t *kid;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            element(out, name, json_array_get(v, i));
        }
        return;
    }
    ym_buf_addf(out, "<%s", name);
    if (json_is_object(v)) {
        attributes(out, v);
    }
    ym_buf_addc(out, '>');
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, kid)
        {
            if (strcmp(key, "#text") == 0) {
                if (ym_scalar_text(kid, buf, &s)) {
                    text(out, s, false);
                }
            } else if (key[0] != '@') {
                element(out, key, kid);
            }
        }
    } else if (ym_scalar_text(v, buf, &s)) {
        text(out, s, false);
    }
    ym_buf_addf(out, "</%s>", name);
}

ym_status ym_map_xml(const char *root, const json_t *doc, struct ym_buf *out)
{
    element(out, root, doc);
    return out->failed;
}
