/* SPDX-License-Identifier: Apache-2.0
 * The allow-list and the names (ym_attachment.h). There is nothing on the list that a browser runs
 * in our origin: no HTML, no SVG, no XML.
 */
#include "ym_attachment.h"

#include "ym_utf8.h"

#include <strings.h>

#define PHOTO (1u << YM_KIND_PHOTO)
#define AUDIO (1u << YM_KIND_AUDIO)
#define DOC (1u << YM_KIND_DOC)
#define SIGNATURE (1u << YM_KIND_SIGNATURE)
#define HOUR_MS 3600000LL

static const struct ym_media media[] = {
    {"image/jpeg", ".jpg", ".jpeg", PHOTO | DOC | SIGNATURE},
    {"image/png", ".png", NULL, PHOTO | DOC | SIGNATURE},
    {"image/webp", ".webp", NULL, PHOTO | DOC | SIGNATURE},
    {"application/pdf", ".pdf", NULL, DOC},
    {"audio/mpeg", ".mp3", NULL, AUDIO},
    {"audio/mp4", ".m4a", ".mp4", AUDIO},
    {"audio/amr", ".amr", NULL, AUDIO},
    {"audio/wav", ".wav", NULL, AUDIO},
};

static const char *const kinds[YM_KINDS] = {"photo", "audio", "doc", "signature"};

/* ---- settings ---- */

#define CONF(field) offsetof(struct ym_attachment_conf, field)
static const struct ym_field fields[] = {
    {"max", YM_FIELD_SIZE, CONF(bytes), "20m", 1024, 60 << 20, NULL, YM_FIELD_RELOADABLE,
     "The most bytes of one attachment."},
    {"unbound", YM_FIELD_DURATION, CONF(keep_ms), "7d", HOUR_MS, 365 * 24 * HOUR_MS, NULL,
     YM_FIELD_RELOADABLE, "How long an upload is kept that no record names."},
    {"person_count", YM_FIELD_INT, CONF(person_count), "100", 1, 10000, NULL, YM_FIELD_RELOADABLE,
     "Uploads of one person that no record names yet; more are refused with 429."},
    {"person_bytes", YM_FIELD_SIZE, CONF(person_bytes), "200m", 1 << 20, 1LL << 40, NULL,
     YM_FIELD_RELOADABLE, "Their bytes altogether."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

ym_status ym_attachment_conf_load(const struct ym_catalog *c, struct ym_attachment_conf *ret,
                                  struct ym_diag *d)
{
    return ym_conf_load(fields, c->site.attachments, "attachments", ret, c->arena, d);
}

ym_status ym_attachment_conf_document(struct ym_buf *out)
{
    return ym_conf_document(fields, out);
}

/* ---- media types ---- */

static bool same_word(struct ym_str a, const char *b)
{
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

const struct ym_media *ym_media_find(struct ym_str content_type)
{
    for (size_t i = 0; i < YM_COUNT(media); i++) {
        if (same_word(content_type, media[i].mime)) {
            return &media[i];
        }
    }
    return NULL;
}

static bool at(struct ym_str head, size_t from, struct ym_str bytes)
{
    return head.n >= from + bytes.n && memcmp(head.p + from, bytes.p, bytes.n) == 0;
}

/* ISO base media: a box "ftyp" first, of a brand that audio comes in. */
static bool mp4_audio(struct ym_str head)
{
    static const char *const brands[] = {"M4A ", "M4B ", "mp41", "mp42",
                                         "isom", "iso2", "3gp4", "3gp5"};

    for (size_t i = 0; i < YM_COUNT(brands); i++) {
        if (at(head, 8, ym_str_of(brands[i]))) {
            return at(head, 4, YM_STR("ftyp"));
        }
    }
    return false;
}

/* ID3, or a frame of layer III with a bit rate and a sampling rate that exist. */
static bool mp3(struct ym_str head)
{
    const unsigned char *b = (const unsigned char *)head.p;

    if (at(head, 0, YM_STR("ID3"))) {
        return true;
    }
    return head.n >= 4 && b[0] == 0xFF && (b[1] & 0xE6) == 0xE2 && (b[1] & 0x18) != 0x08 &&
           (b[2] & 0xF0) != 0xF0 && (b[2] & 0xF0) != 0 && (b[2] & 0x0C) != 0x0C;
}

bool ym_media_holds(const struct ym_media *m, struct ym_str head)
{
    switch (m - media) {
    case 0:
        return at(head, 0, YM_STR("\xFF\xD8\xFF"));
    case 1:
        return at(head, 0, YM_STR("\x89PNG\r\n\x1A\n"));
    case 2:
        return at(head, 0, YM_STR("RIFF")) && at(head, 8, YM_STR("WEBP"));
    case 3:
        return at(head, 0, YM_STR("%PDF-"));
    case 4:
        return mp3(head);
    case 5:
        return mp4_audio(head);
    case 6:
        return at(head, 0, YM_STR("#!AMR"));
    case 7:
        return at(head, 0, YM_STR("RIFF")) && at(head, 8, YM_STR("WAVE"));
    default:
        return false;
    }
}

ym_status ym_media_list(struct ym_buf *out)
{
    for (size_t i = 0; i < YM_COUNT(media); i++) {
        ym_buf_addf(out, "%s%s", i > 0 ? ", " : "", media[i].mime);
    }
    return out->failed;
}

/* ---- kinds ---- */

bool ym_kind_parse(struct ym_str word, enum ym_attachment_kind *ret)
{
    for (int i = 0; i < YM_KINDS; i++) {
        if (ym_str_is(word, kinds[i])) {
            *ret = (enum ym_attachment_kind)i;
            return true;
        }
    }
    return false;
}

const char *ym_kind_word(enum ym_attachment_kind kind)
{
    return kinds[kind];
}

bool ym_kind_takes(enum ym_attachment_kind kind, const struct ym_media *m)
{
    return (m->kinds & (1u << kind)) != 0;
}

enum ym_attachment_kind ym_kind_of(const struct ym_media *m)
{
    return (m->kinds & PHOTO) != 0 ? YM_KIND_PHOTO : m->kinds == DOC ? YM_KIND_DOC : YM_KIND_AUDIO;
}

/* ---- Content-Disposition ---- */

struct scan {
    const char *p, *end;
};

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t')) {
        s->p++;
    }
}

/* RFC 9110 §5.6.2 */
static bool token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct ym_str token(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && token_char(*s->p)) {
        s->p++;
    }
    return (struct ym_str){from, (size_t)(s->p - from)};
}

static bool quoted(struct scan *s, struct ym_buf *out)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
        if (*s->p == '\\' && ++s->p == s->end) {
            return false;
        }
        ym_buf_addc(out, *s->p);
    }
    if (s->p == s->end) {
        return false;
    }
    s->p++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 8187: UTF-8'language'%E7%8E%8B */
static bool extended(struct ym_str value, struct ym_buf *out)
{
    const char *quote = value.n > 6 ? memchr(value.p + 6, '\'', value.n - 6) : NULL;

    if (quote == NULL || strncasecmp(value.p, "UTF-8'", 6) != 0) {
        return false;
    }
    for (const char *p = quote + 1, *end = value.p + value.n; p < end; p++) {
        int high, low;

        if (*p != '%') {
            ym_buf_addc(out, *p);
            continue;
        }
        high = end - p > 2 ? hex_digit(p[1]) : -1;
        low = end - p > 2 ? hex_digit(p[2]) : -1;
        if (high < 0 || low < 0) {
            return false;
        }
        ym_buf_addc(out, (char)(high * 16 + low));
        p += 2;
    }
    return true;
}

static bool utf8(struct ym_str s)
{
    for (size_t i = 0, step; i < s.n; i += step) {
        step = ym_utf8_step((const unsigned char *)s.p + i, s.n - i);
        if (step == 0) {
            return false;
        }
    }
    return true;
}

/* One "; name=value"; *text is filled when it is a file name. */
static bool parameter(struct scan *s, struct ym_buf *plain, struct ym_buf *better)
{
    struct ym_buf other;
    struct ym_str name, value;
    bool ok = true, is_plain, is_better;

    s->p++;
    blanks(s);
    name = token(s);
    blanks(s);
    if (name.n == 0 || s->p == s->end || *s->p != '=') {
        return false;
    }
    s->p++;
    blanks(s);
    is_plain = same_word(name, "filename");
    is_better = same_word(name, "filename*");
    if ((is_plain && plain->n > 0) || (is_better && better->n > 0)) {
        return false;
    }
    ym_buf_init(&other, plain->ceiling);
    if (s->p < s->end && *s->p == '"') {
        ok = !is_better && quoted(s, is_plain ? plain : &other);
    } else {
        value = token(s);
        ok = value.n > 0;
        if (ok && is_better) {
            ok = extended(value, better);
        } else if (ok && is_plain) {
            ym_buf_add(plain, value.p, value.n);
        }
    }
    ym_buf_clear(&other);
    blanks(s);
    return ok && (s->p == s->end || *s->p == ';');
}

ym_status ym_disposition_name(struct ym_str header, struct ym_buf *out)
{
    struct scan s = {header.p, header.p + header.n};
    struct ym_buf plain, better;
    struct ym_str name;
    bool ok;
    ym_status rc = YM_OK;

    ym_buf_init(&plain, header.n + 1);
    ym_buf_init(&better, header.n + 1);
    blanks(&s);
    ok = token(&s).n > 0;
    blanks(&s);
    ok = ok && (s.p == s.end || *s.p == ';');
    while (ok && s.p < s.end) {
        ok = parameter(&s, &plain, &better);
    }
    name = better.n > 0 ? ym_buf_str(&better) : ym_buf_str(&plain);
    if (!ok || plain.failed != YM_OK || better.failed != YM_OK || !utf8(name) ||
        (name.n > 0 && memchr(name.p, '\0', name.n) != NULL)) {
        rc = YM_EINVAL;
    } else if (name.n > 0) {
        rc = ym_buf_add(out, name.p, name.n);
    }
    ym_buf_clear(&plain);
    ym_buf_clear(&better);
    return rc;
}

ym_status ym_disposition_add(struct ym_buf *out, struct ym_str name)
{
    ym_buf_adds(out, "attachment; filename=\"");
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        ym_buf_addc(out, c < 0x20 || c >= 0x7F || c == '"' || c == '\\' || c == '%' ? '_' : c);
    }
    ym_buf_adds(out, "\"; filename*=UTF-8''");
    return ym_buf_add_uri(out, name);
}

/* ---- names ---- */

/* Characters that turn the direction of writing or that nobody sees: a name must look like itself. */
static bool unseen(const unsigned char *c, size_t n)
{
    if (n == 2) {
        return c[0] == 0xC2 && c[1] < 0xA0; /* C1 */
    }
    if (n != 3) {
        return false;
    }
    return (c[0] == 0xE2 && c[1] == 0x80 && (c[2] >= 0x8B && c[2] <= 0x8F)) ||
           (c[0] == 0xE2 && c[1] == 0x80 && (c[2] >= 0xA8 && c[2] <= 0xAE)) ||
           (c[0] == 0xE2 && c[1] == 0x81 && c[2] >= 0xA0) ||
           (c[0] == 0xEF && c[1] == 0xBB && c[2] == 0xBF);
}

static struct ym_str last_part(struct ym_str s)
{
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '/' || s.p[i - 1] == '\\') {
            return (struct ym_str){s.p + i, s.n - i};
        }
    }
    return s;
}

static bool ends_so(struct ym_str s, const char *end)
{
    size_t n = end != NULL ? strlen(end) : 0;

    return n > 0 && s.n > n && strncasecmp(s.p + s.n - n, end, n) == 0;
}

ym_status ym_attachment_name(struct ym_str given, const struct ym_media *m,
                             enum ym_attachment_kind kind, struct ym_buf *out)
{
    struct ym_str part = last_part(given);
    size_t characters = 0, extension = strlen(m->extension), first = out->n, step;
    bool fits;

    while (part.n > 0 && (part.p[part.n - 1] == '.' || part.p[part.n - 1] == ' ')) {
        part.n--;
    }
    fits = ends_so(part, m->extension) || ends_so(part, m->also);
    if (fits) { /* it is put back behind what may be cut */
        part.n -= ends_so(part, m->extension) ? extension : strlen(m->also);
    }
    for (size_t i = 0; i < part.n && characters + extension < YM_ATTACHMENT_NAME; i += step) {
        const unsigned char *c = (const unsigned char *)part.p + i;

        step = ym_utf8_step(c, part.n - i);
        if (step == 0) {
            return YM_EINVAL;
        }
        if (*c < 0x20 || *c == 0x7F || unseen(c, step) || (out->n == first && *c == '.')) {
            continue;
        }
        ym_buf_add(out, c, step);
        characters++;
    }
    if (out->failed == YM_OK && out->n == first) {
        ym_buf_adds(out, kinds[kind]);
    }
    return ym_buf_adds(out, m->extension);
}
