/* SPDX-License-Identifier: Apache-2.0
 * Local accounts: names, and the sealed form. That is text, one `key value` per line; no value has
 * a line end in it, and it is read without leaving secrets behind in another library's memory.
 */
#include "ym_account.h"
#include "ym_arena.h"
#include "ym_codec.h"
#include "ym_utf8.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define SEALED_TEXT_MAX 8192
#define SEALED_MAX 16384
#define CODE_BYTES 10

static const struct {
    const char *name;
    unsigned bit;
} roles[] = {
    {"staff", YM_ROLE_STAFF},       {"supervisor", YM_ROLE_SUPERVISOR},
    {"operator", YM_ROLE_OPERATOR}, {"auditor", YM_ROLE_AUDITOR},
    {"admin", YM_ROLE_ADMIN},
};

unsigned ym_role_of(struct ym_str name)
{
    for (size_t i = 0; i < YM_COUNT(roles); i++) {
        if (ym_str_is(name, roles[i].name)) {
            return roles[i].bit;
        }
    }
    return 0;
}

const char *ym_role_name(unsigned bit)
{
    for (size_t i = 0; i < YM_COUNT(roles); i++) {
        if (roles[i].bit == bit) {
            return roles[i].name;
        }
    }
    return NULL;
}

void ym_account_clear(struct ym_account *a)
{
    ym_wipe(a, sizeof(*a));
}

/* ---- texts ---- */

bool ym_account_text(struct ym_str in, size_t most)
{
    size_t i = 0, step;
    ucs4_t c;
    if (in.n > most) {
        return false;
    }
    for (; i < in.n; i += step) {
        step = ym_utf8_step((const unsigned char *)in.p + i, in.n - i);
        if (step == 0) {
            return false;
        }
        u8_mbtouc(&c, (const uint8_t *)in.p + i, in.n - i);
        if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf |
                                                    UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp |
                                                    UC_CATEGORY_MASK_Co)) {
            return false;
        }
    }
    return true;
}

/* Letters with their marks and digits of any script, and what e-mail addresses are made of. */
static bool name_ok(const uint8_t *p, size_t n)
{
    ucs4_t c;
    for (size_t i = 0; i < n;) {
        int step = u8_mbtouc(&c, p + i, n - i);
        if (step <= 0) {
            return false;
        }
        bool mark = c < 0x80 ? strchr("._-@+", (int)c) != NULL && c != 0 : c == 0xB7;
        if (!mark && !uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
                                                              UC_CATEGORY_MASK_Nd)) {
            return false;
        }
        i += (size_t)step;
    }
    return n != 0 && p[0] != '.' && p[0] != '-';
}

ym_status ym_account_name(struct ym_str in, char out[YM_ACCOUNT_NAME], struct ym_err *err)
{
    size_t n = 0, m = 0, from = 0;
    uint8_t *once, *folded = NULL;
    if (in.n == 0 || in.n >= 2 * YM_ACCOUNT_NAME || u8_check((const uint8_t *)in.p, in.n) != NULL) {
        return ym_err_set(err, YM_EINVAL, "a sign-in name has 1 to %d bytes of UTF-8",
                          YM_ACCOUNT_NAME - 1);
    }
    once = u8_normalize(UNINORM_NFKC, (const uint8_t *)in.p, in.n, NULL, &n);
    if (once != NULL && n != 0) {
        folded = u8_casefold(once, n, NULL, UNINORM_NFKC, NULL, &m);
    }
    free(once);
    if (folded == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    while (from < m && folded[from] == ' ') {
        from++;
    }
    while (m > from && folded[m - 1] == ' ') {
        m--;
    }
    m -= from;
    if (m >= YM_ACCOUNT_NAME || !name_ok(folded + from, m)) {
        free(folded);
        return ym_err_set(err, YM_EINVAL,
                          "a sign-in name has letters, digits and . _ - @ +, %d bytes at most",
                          YM_ACCOUNT_NAME - 1);
    }
    memcpy(out, folded + from, m);
    out[m] = '\0';
    free(folded);
    return YM_OK;
}

static bool area_ok(const char *area)
{
    return strspn(area, "0123456789") == strlen(area);
}

const char *ym_account_fault(const struct ym_account *a)
{
    char canonical[YM_ACCOUNT_NAME];
    struct ym_err err;
    if (a->name_count == 0 || a->name_count > YM_ACCOUNT_NAMES) {
        return "/login";
    }
    for (size_t i = 0; i < a->name_count; i++) {
        if (ym_account_name(ym_str_of(a->names[i]), canonical, &err) != YM_OK) {
            return i == 0 ? "/login" : "/aliases";
        }
    }
    if (a->email[0] != '\0' && (strchr(a->email, '@') == NULL ||
                                ym_account_name(ym_str_of(a->email), canonical, &err) != YM_OK)) {
        return "/email";
    }
    if (!ym_account_text(ym_str_of(a->title), YM_ACCOUNT_TEXT - 1)) {
        return "/name";
    }
    if (!ym_account_text(ym_str_of(a->org), 100)) {
        return "/org";
    }
    if (!area_ok(a->area)) {
        return "/area";
    }
    return a->roles == 0 ? "/roles" : NULL;
}

/* ---- digests ---- */

ym_status ym_account_digest(const struct ym_ring *ring, const char *canonical,
                            char out[YM_DIGEST_HEX], struct ym_err *err)
{
    ym_status rc = ym_ring_digest(ring, "account", ym_str_of(canonical), out);
    return rc == YM_OK ? rc : ym_err_set(err, rc, "a digest cannot be made");
}

ym_status ym_account_digests(const struct ym_ring *ring, const struct ym_account *a,
                             char out[YM_ACCOUNT_NAMES + 1][YM_DIGEST_HEX], size_t *ret_count,
                             struct ym_err *err)
{
    char canonical[YM_ACCOUNT_NAME];
    size_t n = 0, k;
    for (size_t i = 0; i <= a->name_count; i++) {
        const char *name = i < a->name_count ? a->names[i] : a->email;
        ym_status rc;
        if (name[0] == '\0') {
            continue;
        }
        rc = ym_account_name(ym_str_of(name), canonical, err);
        if (rc == YM_OK) {
            rc = ym_account_digest(ring, canonical, out[n], err);
        }
        if (rc != YM_OK) {
            return rc;
        }
        for (k = 0; k < n && strcmp(out[k], out[n]) != 0; k++) {
        }
        n += k == n ? 1 : 0;
    }
    *ret_count = n;
    return YM_OK;
}

/* ---- the sealed form ---- */

static void line(struct ym_buf *b, const char *key, const char *value)
{
    if (value[0] != '\0') {
        ym_buf_adds(b, key);
        ym_buf_addc(b, ' ');
        ym_buf_adds(b, value);
        ym_buf_addc(b, '\n');
    }
}

static void context_of(struct ym_str id, char out[YM_ID_LEN + 16], size_t *ret_n)
{
    memcpy(out, "account:", 8);
    memcpy(out + 8, id.p, id.n);
    *ret_n = 8 + id.n;
}

ym_status ym_account_seal(const struct ym_ring *ring, const struct ym_account *a,
                          struct ym_buf *out, struct ym_err *err)
{
    char context[YM_ID_LEN + 16];
    size_t context_n;
    struct ym_buf text, sealed;
    ym_status rc;
    ym_buf_init(&text, SEALED_TEXT_MAX);
    ym_buf_init(&sealed, SEALED_MAX);
    for (size_t i = 0; i < a->name_count; i++) {
        line(&text, "login", a->names[i]);
    }
    for (size_t i = 0; i < YM_COUNT(roles); i++) {
        line(&text, "role", (a->roles & roles[i].bit) != 0 ? roles[i].name : "");
    }
    line(&text, "email", a->email);
    line(&text, "name", a->title);
    line(&text, "org", a->org);
    line(&text, "area", a->area);
    line(&text, "hash", a->hash);
    line(&text, "totp", a->totp);
    line(&text, "change", a->change ? "1" : "");
    for (size_t i = 0; i < YM_ACCOUNT_CODES; i++) {
        line(&text, "code", a->codes[i]);
    }
    context_of((struct ym_str){a->id, YM_ID_LEN}, context, &context_n);
    rc = text.failed;
    if (rc == YM_OK) {
        rc = ym_seal(ring, (struct ym_str){context, context_n}, ym_buf_str(&text), &sealed, err);
    } else {
        ym_err_set(err, rc, "the account is too large");
    }
    if (rc == YM_OK) {
        rc = ym_base64url_add(out, ym_buf_str(&sealed));
        if (rc != YM_OK) {
            ym_err_set(err, rc, "out of memory");
        }
    }
    ym_buf_wipe(&text);
    ym_buf_clear(&sealed);
    return rc;
}

static bool put(char *to, size_t size, struct ym_str value)
{
    if (value.n >= size || memchr(value.p, '\0', value.n) != NULL) {
        return false;
    }
    memcpy(to, value.p, value.n);
    to[value.n] = '\0';
    return true;
}

/* One line; a key of a later version is passed over. */
static bool read_line(struct ym_account *a, struct ym_str key, struct ym_str value, size_t *codes)
{
    const struct {
        const char *key;
        char *to;
        size_t size;
    } texts[] = {
        {"email", a->email, sizeof(a->email)}, {"name", a->title, sizeof(a->title)},
        {"org", a->org, sizeof(a->org)},       {"area", a->area, sizeof(a->area)},
        {"hash", a->hash, sizeof(a->hash)},    {"totp", a->totp, sizeof(a->totp)},
    };
    if (ym_str_is(key, "login")) {
        return a->name_count < YM_ACCOUNT_NAMES &&
               put(a->names[a->name_count++], YM_ACCOUNT_NAME, value);
    }
    if (ym_str_is(key, "code")) {
        return *codes < YM_ACCOUNT_CODES && put(a->codes[(*codes)++], YM_DIGEST_HEX, value);
    }
    if (ym_str_is(key, "role")) {
        a->roles |= ym_role_of(value);
        return true;
    }
    if (ym_str_is(key, "change")) {
        a->change = true;
        return true;
    }
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        if (ym_str_is(key, texts[i].key)) {
            return put(texts[i].to, texts[i].size, value);
        }
    }
    return true;
}

static bool read_text(struct ym_account *a, struct ym_str text)
{
    size_t codes = 0, at = 0;
    while (at < text.n) {
        const char *p = text.p + at;
        const char *end = memchr(p, '\n', text.n - at);
        const char *blank = memchr(p, ' ', text.n - at);
        if (end == NULL || blank == NULL || blank > end ||
            !read_line(a, (struct ym_str){p, (size_t)(blank - p)},
                       (struct ym_str){blank + 1, (size_t)(end - blank - 1)}, &codes)) {
            return false;
        }
        at += (size_t)(end - p) + 1;
    }
    return a->name_count != 0;
}

ym_status ym_account_open(const struct ym_ring *ring, struct ym_str id, struct ym_str sealed,
                          struct ym_account *ret, struct ym_err *err)
{
    char context[YM_ID_LEN + 16];
    size_t context_n;
    struct ym_buf raw, text;
    ym_status rc;
    memset(ret, 0, sizeof(*ret));
    if (!ym_id_valid(id)) {
        return ym_err_set(err, YM_EINVAL, "an account's id is damaged");
    }
    memcpy(ret->id, id.p, YM_ID_LEN);
    context_of(id, context, &context_n);
    ym_buf_init(&raw, SEALED_MAX);
    ym_buf_init(&text, SEALED_TEXT_MAX);
    rc = ym_base64url_decode(sealed, &raw);
    if (rc != YM_OK) {
        ym_err_set(err, rc, "an account is damaged");
        goto done;
    }
    rc = ym_unseal(ring, (struct ym_str){context, context_n}, ym_buf_str(&raw), &text, err);
    if (rc == YM_OK && !read_text(ret, ym_buf_str(&text))) {
        rc = ym_err_set(err, YM_EINVAL, "an account is damaged");
    }
done:
    ym_buf_clear(&raw);
    ym_buf_wipe(&text);
    return rc;
}

/* ---- recovery codes ---- */

/* Letters and digits only, in lower case: people copy them by hand. */
static bool code_digest(const struct ym_ring *ring, const struct ym_account *a, struct ym_str code,
                        char out[YM_DIGEST_HEX])
{
    char text[YM_ID_LEN + YM_ACCOUNT_CODE];
    size_t n = YM_ID_LEN;
    memcpy(text, a->id, YM_ID_LEN);
    for (size_t i = 0; i < code.n; i++) {
        char c = code.p[i];
        if (c == '-' || c == ' ') {
            continue;
        }
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c + 32);
        }
        if (n == sizeof(text)) {
            return false;
        }
        text[n++] = c;
    }
    bool ok = n == YM_ID_LEN + 16 &&
              ym_ring_digest(ring, "recovery", (struct ym_str){text, n}, out) == YM_OK;
    ym_wipe(text, sizeof(text));
    return ok;
}

ym_status ym_account_codes(const struct ym_ring *ring, struct ym_account *a,
                           char out[YM_ACCOUNT_CODES][YM_ACCOUNT_CODE], struct ym_err *err)
{
    unsigned char random[CODE_BYTES];
    ym_status rc = YM_OK;
    for (size_t i = 0; rc == YM_OK && i < YM_ACCOUNT_CODES; i++) {
        struct ym_buf b;
        char *to = out[i];
        if (RAND_bytes(random, sizeof(random)) != 1) {
            return ym_err_set(err, YM_EIO, "the system's random generator fails");
        }
        ym_buf_init(&b, YM_ACCOUNT_CODE);
        rc = ym_base32_add(&b, (struct ym_str){(char *)random, sizeof(random)});
        for (size_t k = 0; rc == YM_OK && k < b.n; k++) {
            if (k != 0 && k % 4 == 0) {
                *to++ = '-';
            }
            *to++ = b.p[k] >= 'A' ? (char)(b.p[k] + 32) : b.p[k];
        }
        *to = '\0';
        ym_buf_wipe(&b);
        if (rc == YM_OK && !code_digest(ring, a, ym_str_of(out[i]), a->codes[i])) {
            rc = YM_EIO;
        }
    }
    ym_wipe(random, sizeof(random));
    return rc == YM_OK ? rc : ym_err_set(err, rc, "recovery codes cannot be made");
}

bool ym_account_code_use(const struct ym_ring *ring, struct ym_account *a, struct ym_str code)
{
    char digest[YM_DIGEST_HEX];
    bool found = false;
    if (!code_digest(ring, a, code, digest)) {
        return false;
    }
    for (size_t i = 0; i < YM_ACCOUNT_CODES; i++) {
        if (a->codes[i][0] != '\0' && ym_equal_secret(ym_str_of(a->codes[i]), ym_str_of(digest))) {
            ym_wipe(a->codes[i], sizeof(a->codes[i]));
            found = true;
        }
    }
    return found;
}
