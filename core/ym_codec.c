/* SPDX-License-Identifier: Apache-2.0
 * Hex, the two Base64 alphabets, SHA-256 and charset conversion with counted replacements.
 */
/*
 * The deprecated functions of SHA-256: nothing is looked up and nothing allocated, which with EVP
 * costs several times the digest of an id, and an id is digested for every request.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ym_codec.h"

#include "ym_utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

ym_status ym_sha256(struct ym_str in, unsigned char out[YM_SHA256_LEN])
{
    SHA256_CTX hash;

    if (SHA256_Init(&hash) != 1 || SHA256_Update(&hash, in.p, in.n) != 1 ||
        SHA256_Final(out, &hash) != 1) {
        return YM_EIO;
    }
    return YM_OK;
}

ym_status ym_sha256_hex(struct ym_str in, char out[YM_SHA256_HEX])
{
    unsigned char digest[YM_SHA256_LEN];
    ym_status rc = ym_sha256(in, digest);

    out[0] = '\0';
    if (rc == YM_OK) {
        ym_hex(digest, sizeof(digest), false, out);
    }
    return rc;
}

void ym_hex(const unsigned char *in, size_t n, bool upper, char *out)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t i;

    for (i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ym_unhex(struct ym_str in, unsigned char *out)
{
    size_t i;

    if (in.n % 2 != 0) {
        return false;
    }
    for (i = 0; i < in.n; i += 2) {
        int high = hex_value(in.p[i]), low = hex_value(in.p[i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i / 2] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static const char std64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static ym_status add64(struct ym_buf *out, struct ym_str in, const char *alphabet, bool pad)
{
    ym_status rc = ym_buf_add(out, "", 0);
    size_t i;

    for (i = 0; i < in.n && rc == YM_OK; i += 3) {
        const unsigned char *p = (const unsigned char *)in.p + i;
        size_t left = in.n - i;
        unsigned v = (unsigned)p[0] << 16;
        char four[4];
        size_t chars = left >= 3 ? 4 : left + 1;

        v |= left > 1 ? (unsigned)p[1] << 8 : 0;
        v |= left > 2 ? p[2] : 0;
        four[0] = alphabet[v >> 18];
        four[1] = alphabet[v >> 12 & 63];
        four[2] = chars > 2 ? alphabet[v >> 6 & 63] : '=';
        four[3] = chars > 3 ? alphabet[v & 63] : '=';
        rc = ym_buf_add(out, four, pad ? 4 : chars);
    }
    return rc;
}

ym_status ym_base64_add(struct ym_buf *out, struct ym_str in)
{
    return add64(out, in, std64, true);
}

ym_status ym_base64url_add(struct ym_buf *out, struct ym_str in)
{
    return add64(out, in, url64, false);
}

/* in carries no padding any more. Bits that a canonical encoder leaves zero must be zero. */
static ym_status decode64(struct ym_str in, const char *alphabet, struct ym_buf *out)
{
    ym_status rc = ym_buf_add(out, "", 0);
    unsigned v = 0, bits = 0;
    size_t i;

    if (in.n % 4 == 1) {
        return YM_EINVAL;
    }
    for (i = 0; i < in.n && rc == YM_OK; i++) {
        const char *at = in.p[i] != '\0' ? strchr(alphabet, in.p[i]) : NULL;

        if (at == NULL) {
            return YM_EINVAL;
        }
        v = v << 6 | (unsigned)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            rc = ym_buf_addc(out, (char)(v >> bits & 255));
            v &= (1u << bits) - 1;
        }
    }
    return rc == YM_OK && v != 0 ? YM_EINVAL : rc;
}

ym_status ym_base64_decode(struct ym_str in, struct ym_buf *out)
{
    if (in.n % 4 != 0) {
        return YM_EINVAL;
    }
    if (in.n > 0 && in.p[in.n - 1] == '=') {
        in.n--;
        in.n -= in.p[in.n - 1] == '=';
    }
    return decode64(in, std64, out);
}

ym_status ym_base64url_decode(struct ym_str in, struct ym_buf *out)
{
    return decode64(in, url64, out);
}

bool ym_equal_secret(struct ym_str a, struct ym_str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

/* What browsers do (WHATWG Encoding): GB 2312 and GBK are read as GB 18030 and written as GBK. */
static const char *charset_alias(const char *name, bool reading)
{
    if (strcasecmp(name, "gb2312") == 0 || strcasecmp(name, "gbk") == 0) {
        return reading ? "GB18030" : "GBK";
    }
    return strcasecmp(name, "utf8") == 0 ? "UTF-8" : name;
}

/* Names come from strangers' headers: nothing that means an option to iconv ("//IGNORE"). */
static bool charset_name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

    return n > 0 && n <= 40 && name[n] == '\0';
}

/* Feeds everything through one descriptor; whatever it refuses is replaced and counted. */
static ym_status convert_all(iconv_t cd, struct ym_str in, bool reading, struct ym_buf *out,
                             size_t *replaced)
{
    char chunk[4000], *from = (char *)(uintptr_t)in.p, *to;
    size_t left = in.n, room, n, skip;
    int why;

    while (left > 0 && out->failed == YM_OK) {
        to = chunk;
        room = sizeof(chunk);
        n = iconv(cd, &from, &left, &to, &room);
        why = errno;
        (void)ym_buf_add(out, chunk, sizeof(chunk) - room);
        if (n != (size_t)-1 || why == E2BIG) {
            continue;
        }
        ++*replaced;
        if (reading) { /* a byte no character begins with, or an unfinished end */
            (void)ym_buf_adds(out, "\xEF\xBF\xBD");
            skip = why == EINVAL ? left : 1;
        } else {
            (void)ym_buf_addc(out, '?');
            skip = ym_utf8_step((const unsigned char *)from, left);
        }
        skip = skip > 0 ? skip : 1;
        from += skip;
        left -= skip;
    }
    to = chunk;
    room = sizeof(chunk);
    if (iconv(cd, NULL, NULL, &to, &room) != (size_t)-1) { /* back to the initial shift state */
        (void)ym_buf_add(out, chunk, sizeof(chunk) - room);
    }
    return out->failed != YM_OK ? out->failed : YM_OK;
}

static ym_status convert_step(const char *from, const char *to, bool reading, struct ym_str in,
                              struct ym_buf *out, size_t *replaced, struct ym_err *err)
{
    iconv_t cd = iconv_open(to, from);
    ym_status rc;

    if (cd == (iconv_t)-1) {
        return ym_err_set(err, errno == ENOMEM ? YM_ENOMEM : YM_EUNSUPPORTED,
                          "the charset \"%s\" is not known here", reading ? from : to);
    }
    (void)ym_buf_add(out, "", 0);
    rc = convert_all(cd, in, reading, out, replaced);
    (void)iconv_close(cd);
    if (rc != YM_OK) {
        return ym_err_set(err, rc, "%s",
                          rc == YM_ETOOBIG ? "the converted text is too large" : "out of memory");
    }
    return rc;
}

ym_status ym_charset_convert(const char *from, const char *to, struct ym_str in, struct ym_buf *out,
                             size_t *ret_replaced, struct ym_err *err)
{
    struct ym_buf middle;
    size_t replaced = 0;
    ym_status rc;

    if (!charset_name_ok(from) || !charset_name_ok(to)) {
        return ym_err_set(err, YM_EUNSUPPORTED, "this is not the name of a charset");
    }
    from = charset_alias(from, true);
    to = charset_alias(to, false);
    if (strcasecmp(to, "UTF-8") == 0) {
        rc = convert_step(from, "UTF-8", true, in, out, &replaced, err);
    } else {
        /* By way of UTF-8, so that what cannot be read and what cannot be written differ. */
        ym_buf_init(&middle, in.n > SIZE_MAX / 8 ? in.n : in.n * 4 + 64);
        rc = convert_step(from, "UTF-8", true, in, &middle, &replaced, err);
        if (rc == YM_OK) {
            rc = convert_step("UTF-8", to, false, ym_buf_str(&middle), out, &replaced, err);
        }
        ym_buf_wipe(&middle);
    }
    if (rc == YM_OK && ret_replaced != NULL) {
        *ret_replaced = replaced;
    }
    return rc;
}
