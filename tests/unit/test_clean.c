/* SPDX-License-Identifier: Apache-2.0
 * Proves that strangers' text cannot steer a log, a terminal or a line of evidence.
 */
#include "ym_test.h"

#include "ym_clean.h"

#include <stdio.h>

static void assert_clean(const char *in, size_t n, size_t most, const char *want)
{
    struct ym_buf out;

    ym_buf_init(&out, 4096);
    assert_int_equal(ym_clean(&out, (struct ym_str){in, n}, most), YM_OK);
    assert_string_equal(out.p != NULL ? out.p : "", want);
    ym_buf_clear(&out);
}
#define CLEAN(in, want) assert_clean(in, sizeof(in) - 1, 1000, want)

static void written_out(void **state)
{
    (void)state;
    CLEAN("", "");
    CLEAN("plain text, 中文 and 𠮷", "plain text, 中文 and 𠮷");
    CLEAN("a\r\nb\tc", "a\\x0D\\x0Ab\\x09c");
    CLEAN("\x1b[2J\x07", "\\x1B[2J\\x07");
    CLEAN("a\0b", "a\\x00b");
    CLEAN("\x7f", "\\x7F");
    CLEAN("\xc2\x9b"
          "31m",
          "\\xC2\\x9B31m"); /* CSI in one character */
    CLEAN("\xe2\x80\xae"
          "x",
          "\\xE2\\x80\\xAEx");                /* right-to-left override */
    CLEAN("\xe2\x80\xa8", "\\xE2\\x80\\xA8"); /* line separator */
    CLEAN("\xef\xbb\xbf"
          "a",
          "\\xEF\\xBB\\xBFa");
    CLEAN("%s%n", "%s%n");
}

static void no_utf8(void **state)
{
    (void)state;
    CLEAN("\xff", "\\xFF");
    CLEAN("\xc0\xaf", "\\xC0\\xAF");
    CLEAN("\xed\xa0\x80", "\\xED\\xA0\\x80");
    CLEAN("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80");
    CLEAN("\xe4\xb8", "\\xE4\\xB8");
    CLEAN("a\x80z", "a\\x80z");
}

/* Eight bytes are looked at together: a byte at each place of them. */
static void at_every_place(void **state)
{
    static const struct {
        char c;
        const char *want;
    } odd[] = {{'\n', "\\x0A"}, {'\x7f', "\\x7F"}, {'\xff', "\\xFF"}, {'\0', "\\x00"}, {'~', "~"}};
    char in[21], want[64];

    (void)state;
    for (size_t k = 0; k < YM_COUNT(odd); k++) {
        for (size_t i = 0; i < sizeof(in) - 1; i++) {
            memset(in, 'a', sizeof(in));
            in[i] = odd[k].c;
            snprintf(want, sizeof(want), "%.*s%s%.*s", (int)i, "aaaaaaaaaaaaaaaaaaaa", odd[k].want,
                     (int)(sizeof(in) - 2 - i), "aaaaaaaaaaaaaaaaaaaa");
            assert_clean(in, sizeof(in) - 1, 1000, want);
        }
    }
}

static void cut_between_characters(void **state)
{
    (void)state;
    assert_clean("中文", 6, 5, "中");
    assert_clean("中文", 6, 6, "中文");
    assert_clean("a\nb", 3, 4, "a");
    assert_clean("abc", 3, 0, "");
    assert_clean("abcdefghijklmnop", 16, 11, "abcdefghijk");
    assert_clean("abcdefghijk\nlmnop", 17, 14, "abcdefghijk");
    assert_clean("abcdefghijk中", 14, 11, "abcdefghijk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_out),
        cmocka_unit_test(no_utf8),
        cmocka_unit_test(at_every_place),
        cmocka_unit_test(cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
