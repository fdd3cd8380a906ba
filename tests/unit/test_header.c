/* SPDX-License-Identifier: Apache-2.0
 * Header values (attacks E96, E97): plain text stays, other text is written so that it can be read
 * back, and what could break a header never gets into one.
 */
#include "ym_test.h"

#include "ym_header.h"

#include <string.h>

static void gives(enum ym_header_code code, struct ym_str text, const char *want)
{
    struct ym_buf out;
    ym_buf_init(&out, 4 * YM_HEADER_BYTES);
    ym_status rc = ym_header_add(&out, text, code);
    if (want == NULL ? rc == YM_OK : rc != YM_OK || !ym_str_is(ym_buf_str(&out), want)) {
        fail_msg("%.*s: %d %s", (int)text.n, text.p, rc, out.p != NULL ? out.p : "");
    }
    /* what is said to be plain is exactly what is added as it is */
    if (ym_header_is_plain(text, code) !=
        (text.n > 0 && rc == YM_OK && ym_str_eq(ym_buf_str(&out), text))) {
        fail_msg("%.*s: plain or not", (int)text.n, text.p);
    }
    ym_buf_clear(&out);
}

static void plain_text_stays(void **state)
{
    (void)state;
    for (int code = YM_HEADER_RFC8187; code <= YM_HEADER_PLAIN; code++) {
        if (code != YM_HEADER_BASE64URL) {
            gives(code, YM_STR("mei.wang@x.cn <a; b>"), "mei.wang@x.cn <a; b>");
            gives(code, YM_STR(""), "");
        }
    }
    gives(YM_HEADER_BASE64URL, YM_STR("mei"), "bWVp");
}

static void other_text_is_written_so_that_it_can_be_read(void **state)
{
    (void)state;
    gives(YM_HEADER_RFC8187, YM_STR("王 梅"), "UTF-8''%E7%8E%8B%20%E6%A2%85");
    gives(YM_HEADER_RFC8187, YM_STR(" admin"), "UTF-8''%20admin");
    gives(YM_HEADER_RFC8187, YM_STR("admin "), "UTF-8''admin%20");
    gives(YM_HEADER_RFC8187, YM_STR("utf-8''%61"), "UTF-8''utf-8%27%27%2561");
    gives(YM_HEADER_RFC8187, YM_STR("UTF-8'"), "UTF-8'");
    gives(YM_HEADER_PERCENT, YM_STR("王 梅%"), "%E7%8E%8B %E6%A2%85%25");
    gives(YM_HEADER_PERCENT, YM_STR(" a "), "%20a%20");
    gives(YM_HEADER_BASE64URL, YM_STR("王梅"), "546L5qKF");
    gives(YM_HEADER_PLAIN, YM_STR("王"), NULL);
    gives(YM_HEADER_PLAIN, YM_STR(" a"), NULL);
}

static void what_breaks_headers_is_refused(void **state)
{
    static const char *const bad[] = {"a\rb",         "a\nb",      "a\tb",  "a\x7f",
                                      "\x01",         "a\xc2\x85", "a\xff", "\xc0\xaf",
                                      "\xed\xa0\x80", "a\r\nX: y"};
    (void)state;
    for (int code = YM_HEADER_RFC8187; code <= YM_HEADER_PLAIN; code++) {
        for (size_t i = 0; i < YM_COUNT(bad); i++) {
            gives(code, ym_str_of(bad[i]), NULL);
        }
        gives(code, (struct ym_str){"a\0b", 3}, NULL);
    }
}

static void too_long(void **state)
{
    static char text[YM_HEADER_BYTES + 1];
    (void)state;
    memset(text, 'a', sizeof(text));
    struct ym_buf out;
    ym_buf_init(&out, 4 * YM_HEADER_BYTES);
    assert_int_equal(ym_header_add(&out, (struct ym_str){text, YM_HEADER_BYTES}, YM_HEADER_PLAIN),
                     YM_OK);
    ym_buf_reset(&out);
    assert_int_equal(
        ym_header_add(&out, (struct ym_str){text, YM_HEADER_BYTES + 1}, YM_HEADER_PLAIN),
        YM_ETOOBIG);
    ym_buf_clear(&out);
}

static void lists_keep_their_items_apart(void **state)
{
    static const struct ym_str one[] = {{"CN=Admins,OU=x", 14}, {"50%2C", 5}};
    static const struct ym_str two[] = {{"admin", 5}, {"user", 4}};
    static const struct ym_str odd[] = {{"王,梅", 7}};
    struct ym_buf out;
    (void)state;
    ym_buf_init(&out, YM_HEADER_BYTES);
    assert_int_equal(ym_header_add_list(&out, one, 2, ',', YM_HEADER_RFC8187), YM_OK);
    assert_string_equal(out.p, "CN=Admins%2COU=x,50%252C");
    ym_buf_reset(&out);
    assert_int_equal(ym_header_add_list(&out, two, 2, ',', YM_HEADER_RFC8187), YM_OK);
    assert_string_equal(out.p, "admin,user");
    ym_buf_reset(&out);
    assert_int_equal(ym_header_add_list(&out, odd, 1, ',', YM_HEADER_RFC8187), YM_OK);
    assert_string_equal(out.p, "UTF-8''%E7%8E%8B%252C%E6%A2%85");
    ym_buf_reset(&out);
    assert_int_equal(ym_header_add_list(&out, NULL, 0, ',', YM_HEADER_RFC8187), YM_OK);
    assert_int_equal(out.n, 0);
    ym_buf_clear(&out);
}

static void codes_have_names(void **state)
{
    enum ym_header_code code = YM_HEADER_PLAIN;
    (void)state;
    assert_true(ym_header_code_of(YM_STR("rfc8187"), &code) && code == YM_HEADER_RFC8187);
    assert_true(ym_header_code_of(YM_STR("plain"), &code) && code == YM_HEADER_PLAIN);
    assert_false(ym_header_code_of(YM_STR("raw"), &code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(other_text_is_written_so_that_it_can_be_read),
        cmocka_unit_test(what_breaks_headers_is_refused),
        cmocka_unit_test(too_long),
        cmocka_unit_test(lists_keep_their_items_apart),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
