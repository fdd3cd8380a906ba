/* SPDX-License-Identifier: Apache-2.0
 * Proves that a return address which could lead elsewhere is never taken (attacks C73 to C77).
 */
#include "ym_test.h"

#include "ym_place.h"

#include <stdio.h>

static void ours(void **state)
{
    static const char *const good[] = {
        "/",
        "/apps/zj-odr/",
        "/apps/odr/case?id=7&back=%2Flist",
        "/#/records/01J8",
        "/apps/x/index.jsp;jsessionid=1A",
        "/cas/login?service=https%3A%2F%2Fapp.example%2Fcas",
        "/a/%E6%9D%91",
        "/my%20papers/a%20b",
        "/search?q=100%25&x=a+b",
        "/a.b/..c/d..",
        "/user/me@host:80",
        "/...",
        "/.well-known/jwks.json",
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        if (!ym_place_ok(ym_str_of(good[i]))) {
            fail_msg("refused: %s", good[i]);
        }
    }
}

static void refused(struct ym_str s)
{
    if (ym_place_ok(s)) {
        fail_msg("taken: %.*s", (int)s.n, s.p);
    }
}

static const char *const bad[] = {
    /* C73 */
    "//evil.test",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\\/evil.test",
    "\\/evil.test",
    "/%09/evil.test",
    "/%5cevil.test",
    "/%2f%2fevil.test",
    "/%2f%5c%2fevil.test",
    "/%2fevil.test",
    "/%5C%5Cevil.test",
    /* C74 */
    "/\t/evil.test",
    "/\n\\evil.test",
    "/\v/evil.test",
    "/ /evil.test",
    "/./\\evil.test",
    "/../..//evil.test",
    "/./../../\\evil.test",
    "/.",
    "/..",
    "/a/../b",
    "/a/./b",
    "/a/..",
    "/%2e%2e/a",
    "/.%2e/a",
    "/..;/a",
    "/a//b",
    "/;/../a",
    "/a/..;x=1/b",
    /* C75 */
    "http:evil.test",
    "https:/evil.test",
    "https:///evil.test",
    "http:\\\\evil.test",
    "javascript:alert(1)",
    "JaVa%09script:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "%68%74%74%70://evil.test",
    "http://app.example/",
    "mailto:x@y",
    /* C76 */
    "https://app.example@evil.test",
    "https://app.example:443@evil.test",
    "https://app.example\\@evil.test",
    "https://evil.test#app.example",
    "https://evil.test?app.example",
    "https://evil.test\\.app.example",
    "https://app.example.evil.test",
    "https://evil-app.example",
    "https://APP.EXAMPLE.",
    "https://app.example:8443",
    "https://\xE4\xB8\x80.test",
    "\xEF\xBC\x8F\xEF\xBC\x8F"
    "evil.test",
    "/\xEF\xBC\x8F"
    "evil.test",
    "evil.test",
    "@evil.test",
    "",
    "?x",
    "#x",
    "*",
    ".",
    /* C77 */
    "/%0d%0aSet-Cookie:x=1",
    "/%0aX:y",
    "/x?a=%0d%0aX:y",
    "/%00",
    "/x?%00",
    "/%",
    "/%2",
    "/%zz",
    "/%252f%252fevil.test",
    "/%255cevil.test",
    "/a%25",
    "/\xff\xfe",
    "/\xc0\xafx",
    "/<script>",
    "/\"x",
    "/a b",
    "/{x}",
    "/a|b",
    "/a^b",
    "/`x`",
    "/a\x7f",
    "/a\r\nb",
    "/%20/%20/evil.test",
    "/%c2%a0/x",
    "/%ef%bc%8fevil.test",
    "/%e3%80%82",
    "/%e2%80%ae",
    "/%e6%9d",
    "/%e6%9dx",
    "/%c0%afx",
    "/%ed%a0%80",
    "/%ff",
    "/a%e6",
};

static void listed(void **state)
{
    char big[YM_PLACE_MAX + 2];

    (void)state;
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        refused(ym_str_of(bad[i]));
    }
    refused((struct ym_str){"/\0/evil.test", 13});
    assert_false(ym_place_ok(YM_STR_NULL));

    memset(big, 'a', sizeof(big));
    big[0] = '/';
    assert_true(ym_place_ok((struct ym_str){big, YM_PLACE_MAX}));
    refused((struct ym_str){big, YM_PLACE_MAX + 1});
}

/*
 * The shapes of the well-known lists of open redirects: slashes, backslashes, dots and every
 * control or blank, raw and encoded, between the first slash and a host.
 */
static void generated(void **state)
{
    static const char *const marks[] = {
        "/",    "\\",      "%2f",  "%2F",       "%5c",          "%5C",     "%252f",    "%255c",
        "./",   "../",     ".\\",  "..;/",      "%2e/",         "%2e%2e/", "%09/",     "%0a/",
        "%0d/", "%0b/",    "%00/", "\t",        "\n",           "\r",      "\v",       "\f",
        " ",    "%20/%2f", "\x01", "\xc2\xa0/", "\xe3\x80\x80", "@/..//",  "x/../../",
    };
    static const char *const hosts[] = {
        "evil.test",    "/evil.test",   "\\evil.test", "@evil.test", "/app.example@evil.test",
        "%2fevil.test", "%5c@evil.test"};
    char text[64];
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(marks); i++) {
        for (size_t k = 0; k < YM_COUNT(marks); k++) {
            for (size_t h = 0; h < YM_COUNT(hosts); h++) {
                int n = snprintf(text, sizeof(text), "/%s%s%s", marks[i], marks[k], hosts[h]);
                assert_in_range(n, 1, (int)sizeof(text) - 1);
                refused((struct ym_str){text, (size_t)n});
                seen++;
            }
        }
    }
    assert_in_range(seen, 559, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours),
        cmocka_unit_test(listed),
        cmocka_unit_test(generated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
