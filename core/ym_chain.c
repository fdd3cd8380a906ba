/* SPDX-License-Identifier: Apache-2.0
 * Lines of the chain of evidence: written, taken apart, verified.
 */
#include "ym_chain.h"
#include "ym_codec.h"
#include "ym_conf.h"

#include <stdio.h>

#define MAC_HEX (YM_CHAIN_MAC - 1)
#define LABEL "audit"

static const char seq_key[] = "{\"seq\":";
static const char prev_key[] = ",\"prev\":\"";
static const char mac_key[] = ",\"mac\":\"";

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

static ym_status mac_of(const struct ym_ring *ring, struct ym_str text, char out[YM_CHAIN_MAC])
{
    return ring != NULL ? ym_ring_digest(ring, LABEL, text, out) : ym_sha256_hex(text, out);
}

ym_status ym_chain_add(struct ym_chain *c, const struct ym_ring *ring, struct ym_str members,
                       struct ym_buf *out)
{
    size_t from = out->n;
    char mac[YM_CHAIN_MAC];
    ym_status rc;

    ym_buf_addf(out, "%s%lld%s%s\",", seq_key, (long long)c->seq + 1, prev_key,
                c->mac[0] != '\0' ? c->mac : zeros);
    rc = ym_buf_add(out, members.p, members.n);
    if (rc == YM_OK) {
        rc = mac_of(ring, (struct ym_str){out->p + from, out->n - from}, mac);
    }
    if (rc == YM_OK) {
        rc = ym_buf_addf(out, "%s%s\"}\n", mac_key, mac);
    }
    if (rc == YM_OK) {
        c->seq++;
        memcpy(c->mac, mac, sizeof(mac));
    }
    return rc;
}

static bool hex64(const char *p)
{
    for (size_t i = 0; i < MAC_HEX; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* Takes key off the front of *s. */
static bool take(struct ym_str *s, const char *key)
{
    size_t n = strlen(key);

    if (s->n < n || memcmp(s->p, key, n) != 0) {
        return false;
    }
    s->p += n;
    s->n -= n;
    return true;
}

bool ym_chain_split(struct ym_str line, struct ym_chain_line *ret)
{
    const size_t tail = sizeof(mac_key) - 1 + MAC_HEX + 2; /* ,"mac":"…"} */
    struct ym_str s = line, digits;
    size_t n = 0;

    if (line.n < tail || line.n > YM_CHAIN_LINE_MAX || !take(&s, seq_key)) {
        return false;
    }
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') {
        n++;
    }
    digits = (struct ym_str){s.p, n};
    if (n == 0 || digits.p[0] == '0' || !ym_int_parse(digits, &ret->seq)) {
        return false;
    }
    s.p += n;
    s.n -= n;
    if (!take(&s, prev_key) || s.n < MAC_HEX + 2 + tail || !hex64(s.p) || s.p[MAC_HEX] != '"' ||
        s.p[MAC_HEX + 1] != ',') {
        return false;
    }
    ret->prev = (struct ym_str){s.p, MAC_HEX};
    s.p += MAC_HEX + 2;
    s.n -= MAC_HEX + 2;

    ret->members = (struct ym_str){s.p, s.n - tail};
    ret->covered = (struct ym_str){line.p, line.n - tail};
    s = (struct ym_str){s.p + s.n - tail, tail};
    if (!take(&s, mac_key) || !hex64(s.p) || s.p[MAC_HEX] != '"' || s.p[MAC_HEX + 1] != '}') {
        return false;
    }
    ret->mac = (struct ym_str){s.p, MAC_HEX};
    return ret->members.n > 0;
}

bool ym_chain_holds(const struct ym_ring *ring, const struct ym_chain_line *line,
                    char out[YM_CHAIN_MAC])
{
    if (mac_of(ring, line->covered, out) != YM_OK) {
        out[0] = '\0';
        return false;
    }
    return ym_equal_secret(line->mac, (struct ym_str){out, MAC_HEX});
}

/* ---- where a shard stands ---- */

bool ym_chain_mark_parse(struct ym_str text, struct ym_chain_mark *ret)
{
    const char *end = text.p + text.n, *dash, *dot;
    struct ym_chain_mark m = {0, 0, 0};

    dash = text.n > 0 ? memchr(text.p, '-', text.n) : NULL;
    if (dash == NULL) {
        return false;
    }
    dot = memchr(dash, '.', (size_t)(end - dash));
    if (!ym_int_parse((struct ym_str){text.p, (size_t)(dash - text.p)}, &m.ms) ||
        !ym_int_parse((struct ym_str){dash + 1, (size_t)((dot != NULL ? dot : end) - dash) - 1},
                      &m.n) ||
        (dot != NULL &&
         !ym_int_parse((struct ym_str){dot + 1, (size_t)(end - dot) - 1}, &m.item))) {
        return false;
    }
    *ret = m;
    return true;
}

void ym_chain_mark_read(const json_t *text, struct ym_chain_mark *ret)
{
    if (json_is_string(text)) {
        (void)ym_chain_mark_parse(ym_str_of(json_string_value(text)), ret);
    }
}

struct ym_str ym_chain_mark_text(const struct ym_chain_mark *m, char out[YM_CHAIN_MARK_TEXT])
{
    int n = snprintf(out, YM_CHAIN_MARK_TEXT, "%lld-%lld", (long long)m->ms, (long long)m->n);

    if (m->item > 0) {
        n += snprintf(out + n, YM_CHAIN_MARK_TEXT - (size_t)n, ".%lld", (long long)m->item);
    }
    return (struct ym_str){out, (size_t)n};
}

bool ym_chain_mark_later(const struct ym_chain_mark *a, const struct ym_chain_mark *than)
{
    if (a->ms != than->ms) {
        return a->ms > than->ms;
    }
    return a->n != than->n ? a->n > than->n : a->item > than->item;
}
