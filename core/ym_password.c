/* SPDX-License-Identifier: Apache-2.0
 * Password hashing by OpenSSL's scrypt and PBKDF2.
 */
#include "ym_password.h"
#include "ym_arena.h"
#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_utf8.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <uninorm.h>

#define SALT 16
#define HASH 32
#define SALT_MAX 64
#define HASH_MAX 64
#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_MARGIN (1u << 20) /* beside the large array: B and T, and OpenSSL's own */
#define ROUNDS_MAX 5000000

const struct ym_password_rules ym_password_defaults = {YM_PASSWORD_SCRYPT, YM_PASSWORD_LN,
                                                       YM_PASSWORD_SM3_ROUNDS};

/* A stored form, taken apart. */
struct form {
    enum ym_password_kind kind;
    int64_t ln, r, p, rounds;
    size_t salt_len, hash_len;
    unsigned char salt[SALT_MAX], hash[HASH_MAX];
};

/* ---- the password's bytes ---- */

static bool text_ok(struct ym_str s)
{
    size_t i = 0, step;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        step = ym_utf8_step((const unsigned char *)s.p + i, s.n - i);
        if (step == 0 || c < 0x20 || c == 0x7f) {
            return false;
        }
        i += step;
    }
    return true;
}

/*
 * Keyboards write the same letters in different ways: what is hashed is NFC (RFC 8265 §4.2). The
 * result is malloc'd; release() wipes it.
 */
static ym_status normal(struct ym_str password, struct ym_str *ret, struct ym_err *err)
{
    size_t n = 0;
    uint8_t *text;
    if (password.n == 0 || password.n > YM_PASSWORD_MAX || !text_ok(password)) {
        return ym_err_set(err, YM_EINVAL,
                          "a password has 1 to %d bytes of UTF-8 without control characters",
                          YM_PASSWORD_MAX);
    }
    text = u8_normalize(UNINORM_NFC, (const uint8_t *)password.p, password.n, NULL, &n);
    if (text == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    if (n > YM_PASSWORD_MAX) {
        ym_wipe(text, n);
        free(text);
        return ym_err_set(err, YM_EINVAL, "a password has at most %d bytes", YM_PASSWORD_MAX);
    }
    *ret = (struct ym_str){(char *)text, n};
    return YM_OK;
}

static void release(struct ym_str text)
{
    if (text.p != NULL) {
        char *p = (char *)(uintptr_t)text.p;
        ym_wipe(p, text.n);
        free(p);
    }
}

/* ---- derivation ---- */

static ym_status derive(const struct form *f, struct ym_str text, unsigned char *out, size_t n,
                        struct ym_err *err)
{
    if (f->kind == YM_PASSWORD_SCRYPT) {
        uint64_t cost = (uint64_t)1 << f->ln;
        uint64_t most = 128 * (uint64_t)f->r * (cost + (uint64_t)f->p + 2) + SCRYPT_MARGIN;
        if (EVP_PBE_scrypt(text.p, text.n, f->salt, f->salt_len, cost, (uint64_t)f->r,
                           (uint64_t)f->p, most, out, n) != 1) {
            return ym_err_set(err, YM_EIO, "scrypt fails: too little memory?");
        }
        return YM_OK;
    }
    EVP_MD *sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
    if (sm3 == NULL) {
        return ym_err_set(err, YM_EUNSUPPORTED, "this OpenSSL has no SM3");
    }
    int ok = PKCS5_PBKDF2_HMAC(text.p, (int)text.n, f->salt, (int)f->salt_len, (int)f->rounds, sm3,
                               (int)n, out);
    EVP_MD_free(sm3);
    return ok == 1 ? YM_OK : ym_err_set(err, YM_EIO, "PBKDF2 fails");
}

/* ---- the stored form ---- */

static bool take_number(const char **p, const char *name, char end, int64_t low, int64_t high,
                        int64_t *ret)
{
    size_t n = strlen(name);
    const char *stop;
    if (strncmp(*p, name, n) != 0) {
        return false;
    }
    stop = strchr(*p + n, end);
    if (stop == NULL || !ym_int_parse((struct ym_str){*p + n, (size_t)(stop - (*p + n))}, ret) ||
        *ret < low || *ret > high) {
        return false;
    }
    *p = stop + 1;
    return true;
}

/* Base64 without padding, of `least` to `most` bytes. */
static bool take_bytes(struct ym_str in, unsigned char *out, size_t least, size_t most, size_t *ret)
{
    char padded[2 * HASH_MAX];
    struct ym_buf b;
    bool ok;
    if (in.n == 0 || in.n > sizeof(padded) - 4 || in.n % 4 == 1 ||
        memchr(in.p, '=', in.n) != NULL) {
        return false;
    }
    memcpy(padded, in.p, in.n);
    memcpy(padded + in.n, "===", 3);
    ym_buf_init(&b, sizeof(padded));
    ok = ym_base64_decode((struct ym_str){padded, (in.n + 3) / 4 * 4}, &b) == YM_OK &&
         b.n >= least && b.n <= most;
    if (ok) {
        memcpy(out, b.p, b.n);
        *ret = b.n;
    }
    ym_buf_wipe(&b);
    return ok;
}

static bool parse(const char *stored, struct form *f)
{
    const char *p = stored, *dollar;
    bool ok;
    memset(f, 0, sizeof(*f));
    if (strncmp(p, "$scrypt$", 8) == 0) {
        p += 8;
        f->kind = YM_PASSWORD_SCRYPT;
        ok = take_number(&p, "ln=", ',', YM_PASSWORD_LN_MIN, YM_PASSWORD_LN_MAX, &f->ln) &&
             take_number(&p, "r=", ',', 1, SCRYPT_R, &f->r) &&
             take_number(&p, "p=", '$', 1, 4, &f->p);
    } else if (strncmp(p, "$pbkdf2-sm3$", 12) == 0) {
        p += 12;
        f->kind = YM_PASSWORD_SM3;
        ok = take_number(&p, "i=", '$', 1000, ROUNDS_MAX, &f->rounds);
    } else {
        ok = false;
    }
    dollar = ok ? strchr(p, '$') : NULL;
    return dollar != NULL &&
           take_bytes((struct ym_str){p, (size_t)(dollar - p)}, f->salt, 8, SALT_MAX,
                      &f->salt_len) &&
           take_bytes(ym_str_of(dollar + 1), f->hash, 16, HASH_MAX, &f->hash_len);
}

static struct form wanted(const struct ym_password_rules *rules)
{
    struct form f = {.kind = rules->kind, .salt_len = SALT, .hash_len = HASH};
    f.ln = rules->ln;
    f.r = SCRYPT_R;
    f.p = SCRYPT_P;
    f.rounds = rules->rounds;
    return f;
}

static void add_bytes(struct ym_buf *b, const unsigned char *p, size_t n)
{
    size_t from = b->n;
    ym_base64_add(b, (struct ym_str){(const char *)p, n});
    while (b->failed == YM_OK && b->n > from && b->p[b->n - 1] == '=') {
        b->p[--b->n] = '\0';
    }
}

ym_status ym_password_hash(const struct ym_password_rules *rules, struct ym_str password,
                           char out[YM_PASSWORD_HASH_MAX], struct ym_err *err)
{
    struct form f = wanted(rules);
    struct ym_str text = YM_STR_NULL;
    struct ym_buf b;
    ym_status rc = normal(password, &text, err);
    if (rc != YM_OK) {
        return rc;
    }
    ym_buf_init(&b, YM_PASSWORD_HASH_MAX - 1);
    if (RAND_bytes(f.salt, SALT) != 1) {
        rc = ym_err_set(err, YM_EIO, "the system's random generator fails");
    } else {
        rc = derive(&f, text, f.hash, HASH, err);
    }
    if (rc == YM_OK) {
        if (f.kind == YM_PASSWORD_SCRYPT) {
            ym_buf_addf(&b, "$scrypt$ln=%d,r=%d,p=%d$", (int)f.ln, (int)f.r, (int)f.p);
        } else {
            ym_buf_addf(&b, "$pbkdf2-sm3$i=%d$", (int)f.rounds);
        }
        add_bytes(&b, f.salt, SALT);
        ym_buf_addc(&b, '$');
        add_bytes(&b, f.hash, HASH);
        rc = b.failed;
    }
    if (rc == YM_OK) {
        memcpy(out, b.p, b.n + 1);
    } else if (b.failed != YM_OK) {
        ym_err_set(err, rc, "out of memory");
    }
    ym_buf_wipe(&b);
    ym_wipe(&f, sizeof(f));
    release(text);
    return rc;
}

ym_status ym_password_verify(const struct ym_password_rules *rules, struct ym_str password,
                             const char *stored, struct ym_err *err)
{
    struct form f = wanted(rules);
    unsigned char hash[HASH_MAX];
    struct ym_str text = YM_STR_NULL;
    bool possible, known = stored != NULL;
    ym_status rc;
    if (known && !parse(stored, &f)) {
        ym_wipe(&f, sizeof(f));
        return ym_err_set(err, YM_EINVAL, "a stored password is damaged or of an unknown kind");
    }

    /* What cannot be a password costs as much as one that can. */
    rc = normal(password, &text, err);
    if (rc == YM_ENOMEM) {
        ym_wipe(&f, sizeof(f));
        return rc;
    }
    possible = rc == YM_OK;
    rc = derive(&f, possible ? text : YM_STR("-"), hash, f.hash_len, err);
    if (rc == YM_OK && !(ym_equal_secret((struct ym_str){(char *)hash, f.hash_len},
                                         (struct ym_str){(char *)f.hash, f.hash_len}) &&
                         possible && known)) {
        rc = ym_err_set(err, YM_EAUTH, "wrong name or password");
    }
    ym_wipe(hash, sizeof(hash));
    ym_wipe(&f, sizeof(f));
    release(text);
    return rc;
}

bool ym_password_is_old(const struct ym_password_rules *rules, const char *stored)
{
    struct form f;
    bool same =
        parse(stored, &f) && f.kind == rules->kind && f.salt_len >= SALT && f.hash_len >= HASH;
    if (same && f.kind == YM_PASSWORD_SCRYPT) {
        same = f.ln == rules->ln && f.r == SCRYPT_R && f.p == SCRYPT_P;
    } else if (same) {
        same = f.rounds == rules->rounds;
    }
    ym_wipe(&f, sizeof(f));
    return !same;
}

/* ---- fitness ---- */

/* Tried first by everybody who guesses; compared in lower case, as beginnings of a password. */
static const char *const common[] = {
    "password", "passw0rd", "p@ssw0rd", "qwerty",  "1q2w3e4r", "1qaz2wsx", "abc123",   "admin",
    "letmein",  "iloveyou", "woaini",   "a123456", "123456",   "654321",   "111111",   "000000",
    "888888",   "666666",   "zxcvbn",   "asdfgh",  "welcome",  "5201314",  "changeme", "default",
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool starts(struct ym_str s, const char *with, size_t n)
{
    if (s.n < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (lower(s.p[i]) != lower(with[i])) {
            return false;
        }
    }
    return true;
}

/* A common beginning does no harm when enough follows. */
static bool simple(struct ym_str s, size_t least)
{
    bool seen[256] = {false};
    size_t kinds = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        kinds += seen[c] ? 0 : 1;
        seen[c] = true;
    }
    if (kinds < 5) {
        return true;
    }
    for (size_t i = 0; i < YM_COUNT(common); i++) {
        size_t n = strlen(common[i]);
        if (starts(s, common[i], n) && s.n < n + least) {
            return true;
        }
    }
    return false;
}

const char *ym_password_unfit(struct ym_str password, size_t least, const char *const *names,
                              size_t name_count)
{
    size_t length = 0, i = 0, step;
    if (password.n > YM_PASSWORD_MAX) {
        return "long";
    }
    if (!text_ok(password)) {
        return "text";
    }
    for (; i < password.n; i += step, length++) {
        step = ym_utf8_step((const unsigned char *)password.p + i, password.n - i);
    }
    if (length < least) {
        return "short";
    }
    for (i = 0; i < name_count; i++) {
        size_t n = names[i] != NULL ? strlen(names[i]) : 0;
        if (n >= 3 && starts(password, names[i], n) && password.n < n + least) {
            return "name";
        }
    }
    return simple(password, least) ? "simple" : NULL;
}
