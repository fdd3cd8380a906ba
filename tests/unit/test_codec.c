/* SPDX-License-Identifier: Apache-2.0
 * Proves the codecs against published vectors and the charset converter's counting.
 */
#include "ym_test.h"

#include "ym_codec.h"
#include "ym_log.h"

#include <unistd.h>

static void digests(void **state)
{
    char hex[YM_SHA256_HEX];
    unsigned char raw[4];

    (void)state;
    assert_int_equal(ym_sha256_hex(YM_STR("abc"), hex), YM_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(ym_sha256_hex(YM_STR(""), hex), YM_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(ym_unhex(YM_STR("00ffA5a5"), raw));
    assert_memory_equal(raw, "\x00\xff\xa5\xa5", 4);
    assert_false(ym_unhex(YM_STR("0"), raw));
    assert_false(ym_unhex(YM_STR("0g"), raw));
    ym_hex(raw, 4, true, hex);
    assert_string_equal(hex, "00FFA5A5");
}

/* RFC 4648 §10. */
static void base64(void **state)
{
    static const char *const cases[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    static const char *const bad64[] = {
        "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "=", "Zg==Zg==", "Zm 9", "Zm9v\n", "-_8="};
    static const char *const badurl[] = {"Zg==", "Zh", "Z", "Zm9v=", "+/8", "Zm.v"};
    struct ym_buf b;
    size_t i;

    (void)state;
    ym_buf_init(&b, 1000);
    for (i = 0; i < YM_COUNT(cases); i++) {
        ym_buf_reset(&b);
        assert_int_equal(ym_base64_add(&b, ym_str_of(cases[i][0])), YM_OK);
        assert_string_equal(b.p, cases[i][1]);
        ym_buf_reset(&b);
        assert_int_equal(ym_base64url_add(&b, ym_str_of(cases[i][0])), YM_OK);
        assert_string_equal(b.p, cases[i][2]);
        ym_buf_reset(&b);
        assert_int_equal(ym_base64_decode(ym_str_of(cases[i][1]), &b), YM_OK);
        assert_string_equal(b.p, cases[i][0]);
        ym_buf_reset(&b);
        assert_int_equal(ym_base64url_decode(ym_str_of(cases[i][2]), &b), YM_OK);
        assert_string_equal(b.p, cases[i][0]);
    }
    for (i = 0; i < YM_COUNT(bad64); i++) {
        ym_buf_reset(&b);
        assert_int_equal(ym_base64_decode(ym_str_of(bad64[i]), &b), YM_EINVAL);
    }
    for (i = 0; i < YM_COUNT(badurl); i++) {
        ym_buf_reset(&b);
        assert_int_equal(ym_base64url_decode(ym_str_of(badurl[i]), &b), YM_EINVAL);
    }
    ym_buf_clear(&b);
    assert_true(ym_equal_secret(YM_STR("ab"), YM_STR("ab")));
    assert_false(ym_equal_secret(YM_STR("ab"), YM_STR("ac")));
    assert_false(ym_equal_secret(YM_STR("ab"), YM_STR("abc")));
    assert_true(ym_equal_secret(YM_STR(""), YM_STR_NULL));
}

static void converts(const char *from, const char *to, struct ym_str in, struct ym_str want,
                     size_t want_replaced)
{
    struct ym_buf b;
    size_t replaced = 99;
    struct ym_err err = {0};

    ym_buf_init(&b, 1u << 20);
    assert_int_equal(ym_charset_convert(from, to, in, &b, &replaced, &err), YM_OK);
    assert_int_equal(b.n, want.n);
    assert_memory_equal(b.p, want.p, want.n);
    assert_int_equal(replaced, want_replaced);
    ym_buf_clear(&b);
}

static void charsets(void **state)
{
    struct ym_buf b;
    struct ym_err err = {0};

    (void)state;
    converts("utf-8", "gb18030", YM_STR("\xE4\xB8\xAD\xE6\x96\x87"), YM_STR("\xD6\xD0\xCE\xC4"), 0);
    converts("gb18030", "utf-8", YM_STR("\xD6\xD0\xCE\xC4"), YM_STR("\xE4\xB8\xAD\xE6\x96\x87"), 0);
    converts("gbk", "utf8", YM_STR("\xD6\xD0"), YM_STR("\xE4\xB8\xAD"), 0);
    converts("GB2312", "utf-8", YM_STR("\x81\x30\x81\x30"), YM_STR("\xC2\x80"), 0);
    converts("big5", "utf-8", YM_STR("\xA4\xA4"), YM_STR("\xE4\xB8\xAD"), 0);
    converts("utf-8", "utf-8", YM_STR(""), YM_STR(""), 0);
    /* A rare character: GB 18030 has it in four bytes, GBK not at all. */
    converts("utf-8", "gb18030", YM_STR("\xF0\xA0\xAE\xB7"), YM_STR("\x95\x34\xB2\x35"), 0);
    converts("utf-8", "gbk", YM_STR("a\xF0\xA0\xAE\xB7\x62"), YM_STR("a?b"), 1);
    converts("utf-8", "iso-8859-1", YM_STR("\xE4\xB8\xAD\xC3\xA4"), YM_STR("?\xE4"), 1);
    converts("utf-8", "utf-8", YM_STR("a\xFF\x62"), YM_STR("a\xEF\xBF\xBD\x62"), 1);
    converts("utf-8", "utf-8", YM_STR("a\xE4\xB8"), YM_STR("a\xEF\xBF\xBD"), 1);
    converts("gb18030", "utf-8", YM_STR("a\xFF"), YM_STR("a\xEF\xBF\xBD"), 1);
    converts("gb18030", "utf-8", YM_STR("\xD6"), YM_STR("\xEF\xBF\xBD"), 1);

    ym_buf_init(&b, 4);
    assert_int_equal(ym_charset_convert("klingon", "utf-8", YM_STR("x"), &b, NULL, &err),
                     YM_EUNSUPPORTED);
    assert_int_equal(ym_charset_convert("utf-8", "ascii//TRANSLIT", YM_STR("x"), &b, NULL, &err),
                     YM_EUNSUPPORTED);
    assert_int_equal(ym_charset_convert("", "utf-8", YM_STR("x"), &b, NULL, &err), YM_EUNSUPPORTED);
    assert_int_equal(ym_charset_convert("utf-8", "utf-8", YM_STR("12345"), &b, NULL, &err),
                     YM_ETOOBIG);
    ym_buf_clear(&b);
}

static void long_text_crosses_chunks(void **state)
{
    struct ym_buf in, out, back;
    size_t replaced, i;

    (void)state;
    ym_buf_init(&in, 1u << 20);
    ym_buf_init(&out, 1u << 20);
    ym_buf_init(&back, 1u << 20);
    for (i = 0; i < 20001; i++) {
        (void)ym_buf_adds(&in, i % 7 == 0 ? "a" : "\xE6\x96\x87");
    }
    assert_int_equal(ym_charset_convert("utf-8", "gb18030", ym_buf_str(&in), &out, &replaced, NULL),
                     YM_OK);
    assert_int_equal(
        ym_charset_convert("gb18030", "utf-8", ym_buf_str(&out), &back, &replaced, NULL), YM_OK);
    assert_int_equal(back.n, in.n);
    assert_memory_equal(back.p, in.p, in.n);
    ym_buf_clear(&in);
    ym_buf_clear(&out);
    ym_buf_clear(&back);
}

static ym_status codec_body(void *data)
{
    struct ym_buf b;
    ym_status rc;

    (void)data;
    ym_buf_init(&b, 1000);
    rc = ym_charset_convert("utf-8", "gb18030", YM_STR("\xE4\xB8\xAD"), &b, NULL, NULL);
    ym_buf_clear(&b);
    if (rc == YM_OK) {
        rc = ym_base64_add(&b, YM_STR("abc"));
    }
    ym_buf_clear(&b);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(codec_body, NULL);
}

static void log_lines(void **state)
{
    char text[3000];
    ssize_t n;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    ym_log_open(fds[1], YM_LOG_INFO);
    ym_log(YM_LOG_DEBUG, "never", NULL);
    ym_log(YM_LOG_WARN, "system.suspended", "system", "x", "after", ym_log_int(-5), "none", NULL,
           "err", "a \"b\"\n", NULL);
    n = read(fds[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "warn event=system.suspended system=x after=-5 err=\"a "
                              "\\\"b\\\"\\x0A\"\n");
    ym_log_open(STDERR_FILENO, YM_LOG_INFO);
    assert_int_equal(close(fds[0]) | close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(base64),
        cmocka_unit_test(charsets),
        cmocka_unit_test(long_text_crosses_chunks),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(log_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
