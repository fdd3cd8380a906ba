/* SPDX-License-Identifier: Apache-2.0
 * One-time codes by time.
 */
#include "ym_totp.h"
#include "ym_arena.h"
#include "ym_codec.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>

#define SHA1 20
#define SECRET_MAX 64

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

ym_status ym_base32_add(struct ym_buf *out, struct ym_str in)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < in.n; i++) {
        held = (held << 8 | (unsigned char)in.p[i]) & 0xffff;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            ym_buf_addc(out, alphabet[held >> bits & 31]);
        }
    }
    if (bits != 0) {
        ym_buf_addc(out, alphabet[held << (5 - bits) & 31]);
    }
    return out->failed;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a';
    }
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

ym_status ym_base32_decode(struct ym_str in, struct ym_buf *out)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < in.n; i++) {
        int v = value_of(in.p[i]);
        if (in.p[i] == ' ' || in.p[i] == '-') {
            continue;
        }
        if (v < 0) {
            return YM_EINVAL;
        }
        held = (held << 5 | (unsigned)v) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            ym_buf_addc(out, (char)(held >> bits & 0xff));
        }
    }
    if (bits >= 5 || (held & ((1u << bits) - 1)) != 0) {
        return YM_EINVAL; /* a character too many, or bits that mean nothing */
    }
    return out->failed;
}

ym_status ym_totp_make(char out[YM_TOTP_SECRET_TEXT], struct ym_err *err)
{
    unsigned char secret[YM_TOTP_SECRET];
    struct ym_buf b;
    ym_status rc;
    if (RAND_bytes(secret, sizeof(secret)) != 1) {
        return ym_err_set(err, YM_EIO, "the system's random generator fails");
    }
    ym_buf_init(&b, YM_TOTP_SECRET_TEXT);
    rc = ym_base32_add(&b, (struct ym_str){(char *)secret, sizeof(secret)});
    if (rc == YM_OK) {
        memcpy(out, b.p, b.n + 1);
    } else {
        ym_err_set(err, rc, "out of memory");
    }
    ym_buf_wipe(&b);
    ym_wipe(secret, sizeof(secret));
    return rc;
}

ym_status ym_totp_code(struct ym_str secret, int64_t step, char out[YM_TOTP_DIGITS + 1])
{
    unsigned char counter[8], mac[SHA1];
    unsigned n = 0, at, code;
    for (int i = 7; i >= 0; i--) {
        counter[i] = (unsigned char)(step & 0xff);
        step >>= 8;
    }
    if (HMAC(EVP_sha1(), secret.p, (int)secret.n, counter, sizeof(counter), mac, &n) == NULL ||
        n != SHA1) {
        return YM_EIO;
    }
    at = mac[SHA1 - 1] & 15;
    code = ((unsigned)(mac[at] & 0x7f) << 24 | (unsigned)mac[at + 1] << 16 |
            (unsigned)mac[at + 2] << 8 | mac[at + 3]) %
           1000000;
    snprintf(out, YM_TOTP_DIGITS + 1, "%06u", code);
    ym_wipe(mac, sizeof(mac));
    return YM_OK;
}

/* Exactly six digits, blanks aside. */
static bool digits_of(struct ym_str code, char out[YM_TOTP_DIGITS + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < code.n; i++) {
        char c = code.p[i];
        if (c == ' ') {
            continue;
        }
        if (c < '0' || c > '9' || n == YM_TOTP_DIGITS) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return n == YM_TOTP_DIGITS;
}

ym_status ym_totp_verify(const char *secret, struct ym_str code, int64_t now_ms, int64_t *ret_step,
                         struct ym_err *err)
{
    char given[YM_TOTP_DIGITS + 1], want[YM_TOTP_DIGITS + 1];
    int64_t now = now_ms / YM_TOTP_STEP_MS, found = -1;
    struct ym_buf raw;
    ym_status rc;
    if (!digits_of(code, given)) {
        return ym_err_set(err, YM_EAUTH, "the code has six digits");
    }
    ym_buf_init(&raw, SECRET_MAX);
    rc = ym_base32_decode(ym_str_of(secret), &raw);
    if (rc != YM_OK || raw.n < 10) {
        rc = ym_err_set(err, rc == YM_ENOMEM ? rc : YM_EINVAL, "the stored secret is damaged");
    }
    for (int64_t step = now - 1; rc == YM_OK && step <= now + 1; step++) {
        rc = ym_totp_code(ym_buf_str(&raw), step, want);
        if (rc == YM_OK && ym_equal_secret((struct ym_str){given, YM_TOTP_DIGITS},
                                           (struct ym_str){want, YM_TOTP_DIGITS})) {
            found = step;
        }
    }
    ym_buf_wipe(&raw);
    ym_wipe(want, sizeof(want));
    if (rc != YM_OK) {
        return rc;
    }
    if (found < 0) {
        return ym_err_set(err, YM_EAUTH, "the code is not right");
    }
    *ret_step = found;
    return YM_OK;
}
