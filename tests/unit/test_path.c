/* SPDX-License-Identifier: Apache-2.0
 * The path policy against everything that servers are known to read in two ways (attacks F115 to
 * F126), and against paths that must go through.
 */
#include "ym_test.h"

#include "ym_path.h"

#include <string.h>

#define PATH_MAX_TEST 9000

static const char *judge(struct ym_str target, unsigned flags, struct ym_path *path)
{
    static char out[PATH_MAX_TEST];
    memset(path, 0, sizeof(*path));
    return ym_path_check(target, flags, out, path);
}

static void refused(const char *target, const char *why)
{
    struct ym_path path;
    const char *fault = judge(ym_str_of(target), 0, &path);
    if (fault == NULL || strcmp(fault, why) != 0) {
        fail_msg("%s: %s, not %s", target, fault != NULL ? fault : "clear", why);
    }
}

static void clear(const char *target, unsigned flags, const char *canonical)
{
    struct ym_path path;
    const char *fault = judge(ym_str_of(target), flags, &path);
    if (fault != NULL || !ym_str_is(path.canonical, canonical)) {
        fail_msg("%s: %s, %.*s", target, fault != NULL ? fault : "clear", (int)path.canonical.n,
                 path.canonical.p);
    }
}

static void plain_paths(void **state)
{
    (void)state;
    clear("/", 0, "/");
    clear("/admin", 0, "/admin");
    clear("/admin/", 0, "/admin/");
    clear("/a/b-c_d~e!$&'()*+,=:@/f", 0, "/a/b-c_d~e!$&'()*+,=:@/f");
    clear("/%61dmin", 0, "/admin");
    clear("/%E7%8E%8B%E6%A2%85/a%20b.pdf", 0, "/王梅/a b.pdf");
    clear("/王梅", 0, "/王梅");
    clear("/文件（1）？！", 0, "/文件（1）？！");
    clear("/.well-known/jwks.json", 0, "/.well-known/jwks.json");
    clear("/a..b/.hidden/..x", 0, "/a..b/.hidden/..x");
    clear("/100%25", 0, "/100%");
    clear("/50%25%20off", 0, "/50% off");
    clear("/ADMIN", 0, "/ADMIN");
}

static void the_query_takes_no_part(void **state)
{
    struct ym_path path;
    (void)state;
    clear("/admin?x=/../public/health&y=%2f%00;\\", 0, "/admin");
    clear("/?", 0, "/");
    assert_null(judge(YM_STR("/a?b?c"), 0, &path));
    assert_int_equal(path.raw.n, 2);
    refused("/a?b#c", "a fragment");
}

static void parameters(void **state)
{
    struct ym_path path;
    (void)state;
    refused("/admin;x=1", "a parameter");
    refused("/;/admin", "a parameter");
    refused("/x/..;/admin", "a parameter");
    refused("/admin..;/", "a parameter");
    refused("/admin%3bx", "a parameter");
    refused("/admin;jsessionid=", "a parameter");
    refused("/admin;jsessionid=%41", "a parameter");
    refused("/admin;jsessionid=A;x", "a parameter");
    refused("/admin;jsessionid=A/x", "a parameter");
    refused("/..;jsessionid=A1", "a segment that ends in a dot");
    assert_null(judge(YM_STR("/app/login;jsessionid=A0b.node-1!x?next=/"), 0, &path));
    assert_true(path.session);
    assert_true(ym_str_is(path.canonical, "/app/login"));
    assert_true(ym_str_is(path.raw, "/app/login;jsessionid=A0b.node-1!x"));
    assert_null(judge(YM_STR("/;jsessionid=1"), 0, &path));
    assert_true(ym_str_is(path.canonical, "/"));

    char most[200] = "/a"
                     ";jsessionid=";
    memset(most + 14, 'A', 128);
    assert_null(judge((struct ym_str){most, 14 + 128}, 0, &path));
    memset(most + 14, 'A', 129);
    assert_string_equal(judge((struct ym_str){most, 14 + 129}, 0, &path), "a parameter");
}

static void dots_and_slashes(void **state)
{
    (void)state;
    refused("/%2e%2e/", "an encoded dot");
    refused("/x/%2E%2e/admin", "an encoded dot");
    refused("/.%2e/", "an encoded dot");
    refused("/%252e%252e/admin", "an escape within an escape");
    refused("/%25%32%65", "an escape within an escape");
    refused("/%25u002e", "an escape within an escape");
    refused("/x%2f..%2fadmin", "an encoded slash");
    refused("/admin%2F..%2fpublic", "an encoded slash");
    refused("/%5cadmin", "a backslash");
    refused("/x\\..\\admin", "a backslash");
    refused("/..%5c", "a backslash");
    refused("//admin", "an empty segment");
    refused("///admin//", "an empty segment");
    refused("/admin//", "an empty segment");
    refused("/./admin", "a segment that ends in a dot");
    refused("/x/../admin", "a segment that ends in a dot");
    refused("/admin/..", "a segment that ends in a dot");
    refused("/admin/.", "a segment that ends in a dot");
    refused("/...", "a segment that ends in a dot");
    refused("/admin.", "a segment that ends in a dot");
}

static void blanks_controls_streams(void **state)
{
    struct ym_path path;
    (void)state;
    refused("/admin%20", "a segment that begins or ends with a blank");
    refused("/%20/admin", "a segment that begins or ends with a blank");
    refused("/ad min", "a blank");
    refused("/admin%09", "a control character");
    refused("/admin%00.png", "a control character");
    refused("/admin%0d%0aX:y", "a control character");
    refused("/adm\tin", "a control character");
    refused("/a%7f", "a control character");
    refused("/admin::$DATA", "a stream name");
    refused("/admin:%24i30:$INDEX_ALLOCATION/x", "a stream name");
    refused("/admin#f", "a fragment");
    refused("/admin%23", "a fragment");
    refused("/admin%3fx", "an encoded question mark");
    assert_string_equal(judge((struct ym_str){"/a\0b", 4}, 0, &path), "a control character");
}

static void encodings(void **state)
{
    (void)state;
    refused("/%zz", "a broken escape");
    refused("/%", "a broken escape");
    refused("/%4", "a broken escape");
    refused("/%u0061dmin", "a broken escape");
    refused("/%c0%ae%c0%ae/", "bytes that are no UTF-8");
    refused("/%c1%9c", "bytes that are no UTF-8");
    refused("/%e0%80%af", "bytes that are no UTF-8");
    refused("/%ed%a0%80", "bytes that are no UTF-8");
    refused("/%cd%f5", "bytes that are no UTF-8"); /* GBK */
    refused("/\xc0\xae\xc0\xae/admin", "bytes that are no UTF-8");
    refused("/x／..／admin", "a character that looks like another");
    refused("/%ef%bc%8f", "a character that looks like another");
    refused("/．．/", "a character that looks like another");
    refused("/a；b", "a character that looks like another");
    refused("/a\xe2\x80\x8b", "a character that looks like another"); /* zero width */
    refused("/\xe2\x80\xae"
            "nimda",
            "a character that looks like another");
    refused("/%c2%85", "a character that looks like another");
}

static void no_path(void **state)
{
    (void)state;
    refused("", "no path");
    refused("*", "no path");
    refused("?x", "no path");
    refused("http://h/admin", "no path");
    refused("\\admin", "no path");
}

static void case_insensitive(void **state)
{
    struct ym_path path;
    (void)state;
    clear("/ADMIN/Ünder%5A", YM_PATH_INSENSITIVE, "/admin/Ünderz");
    assert_string_equal(judge(YM_STR("/ADMIN~1/x"), YM_PATH_INSENSITIVE, &path), "a short name");
    assert_string_equal(judge(YM_STR("/admın"), YM_PATH_INSENSITIVE, &path),
                        "a character that looks like another");
    clear("/~1", 0, "/~1");
    clear("/admın", 0, "/admın");
}

static void hosts(void **state)
{
    static const char *const good[] = {"localhost", "A.B.Example",      "a.example.",
                                       "a:80",      "127.0.0.1:8080",   "[::1]",
                                       "[::1]:443", "[::ffff:1.2.3.4]", "a_b-c"};
    static const char *const bad[] = {"",    "h@e",  "h:80:80", "h:",      ":80",  "a/../b",
                                      "a b", "[::1", "[]",      "[::1]x1", "a..b", "h:123456",
                                      ".a",  "h:8a", "h%41",    "王",      "[g]",  "h\\e"};
    (void)state;
    for (size_t i = 0; i < YM_COUNT(good); i++) {
        if (!ym_path_host(ym_str_of(good[i]))) {
            fail_msg("%s was refused", good[i]);
        }
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (ym_path_host(ym_str_of(bad[i]))) {
            fail_msg("%s was taken", bad[i]);
        }
    }
    assert_false(ym_path_host((struct ym_str){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_paths), cmocka_unit_test(the_query_takes_no_part),
        cmocka_unit_test(parameters),  cmocka_unit_test(dots_and_slashes),
        cmocka_unit_test(encodings),   cmocka_unit_test(blanks_controls_streams),
        cmocka_unit_test(no_path),     cmocka_unit_test(case_insensitive),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
