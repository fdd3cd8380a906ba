/* SPDX-License-Identifier: Apache-2.0
 * Proves which addresses are a registered service and that no text leaves its element (H146 to H156).
 */
#include "ym_test.h"

#include "ym_cas.h"

#include <stdio.h>
#include <stdlib.h>

static bool canonical(const char *given, struct ym_buf *out)
{
    ym_buf_init(out, 4096);
    return ym_cas_service(ym_str_of(given), out);
}

static void one_form(void **state)
{
    static const char *const pairs[][2] = {
        {"https://app.example", "https://app.example/"},
        {"HTTPS://App.Example:443/x", "https://app.example/x"},
        {"http://app.example:80/", "http://app.example/"},
        {"http://app.example:443/", "http://app.example:443/"},
        {"https://app.example:8443/a/b", "https://app.example:8443/a/b"},
        {"http://127.0.0.1:18090/php/?a=%e6%9d%91&b[]=1",
         "http://127.0.0.1:18090/php/?a=%E6%9D%91&b[]=1"},
        {"https://app.example?x=1", "https://app.example/?x=1"},
        {"https://[::1]:8443/", "https://[::1]:8443/"},
        {"https://app.example/%e6%9d%91", "https://app.example/%E6%9D%91"},
        {"https://app.example/a;jsessionid=1", "https://app.example/a;jsessionid=1"},
    };
    (void)state;
    for (size_t i = 0; i < YM_COUNT(pairs); i++) {
        struct ym_buf out;
        if (!canonical(pairs[i][0], &out) || !ym_str_is(ym_buf_str(&out), pairs[i][1])) {
            fail_msg("%s: %s", pairs[i][0], out.p != NULL ? out.p : "");
        }
        ym_buf_clear(&out);
    }
}

static void no_service(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "//evil.test",
        "https:",
        "https://",
        "https:///x",
        "https:/evil.test",
        "ftp://app.example/",
        "javascript:alert(1)//app.example",
        "data:text/html,x",
        "https://app.example@evil.test/",
        "https://a:b@app.example/",
        "https://app.example\\@evil.test/",
        "https://evil.test\\.app.example/",
        "https://app.example/#x",
        "https://app.example/?x#y",
        "https://app.example./",
        "https://.app.example/",
        "https://app..example/",
        "https://app.example:/",
        "https://app.example:0/",
        "https://app.example:08443/",
        "https://app.example:65536/",
        "https://app.example:80x/",
        "https://[::1/",
        "https://[]/",
        "https://[::1]x/",
        "https://app.example/\r\nSet-Cookie:x=1",
        "https://app.example/?a=%0d%0aSet-Cookie:x",
        "https://app.example/a b",
        "https://app.example/?a b",
        "https://app.example/../admin",
        "https://app.example/x/..;/admin",
        "https://app.example/%2e%2e/admin",
        "https://app.example/%2fadmin",
        "https://app.example/a%5cb",
        "https://app.example//admin",
        "https://app.example/a\\b",
        "https://app.example/?%zz",
        "https://app.example/?%4",
        "https://app.example/?\"><script>",
        "https://\xEF\xBC\x8F"
        "app.example/",
        "https://app.example/\xE6\x9D\x91",
        "https://app.example/?ticket=ST-1",
        "https://app.example/?a=b&TICKET=ST-1",
        "https://app.example/?%74icket",
    };
    char *longer;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        struct ym_buf out;
        if (canonical(bad[i], &out)) {
            fail_msg("taken: %s", bad[i]);
        }
        ym_buf_clear(&out);
    }
    longer = malloc(YM_CAS_SERVICE_MAX + 2);
    assert_non_null(longer);
    for (size_t n = YM_CAS_SERVICE_MAX; n <= YM_CAS_SERVICE_MAX + 1; n++) {
        struct ym_buf out;
        memset(longer, 'a', n);
        memcpy(longer, "https://a/", 10);
        longer[n] = '\0';
        assert_int_equal(canonical(longer, &out), n == YM_CAS_SERVICE_MAX);
        ym_buf_clear(&out);
    }
    free(longer);
    {
        struct ym_buf out;
        ym_buf_init(&out, 4096);
        assert_false(ym_cas_service((struct ym_str){"https://a/\0b", 12}, &out));
        ym_buf_clear(&out);
    }
}

static bool matches(const char *registered, bool prefix, const char *service)
{
    return ym_cas_matches(ym_str_of(registered), prefix, ym_str_of(service));
}

static void whole_segments(void **state)
{
    (void)state;
    assert_true(matches("https://app.example/cas", false, "https://app.example/cas"));
    assert_false(matches("https://app.example/cas", false, "https://app.example/cas?x=1"));
    assert_false(matches("https://app.example/cas", false, "https://app.example/cas/"));
    assert_true(matches("https://app.example/cas", true, "https://app.example/cas"));
    assert_true(matches("https://app.example/cas", true, "https://app.example/cas/a?x"));
    assert_true(matches("https://app.example/cas", true, "https://app.example/cas?x=1"));
    assert_false(matches("https://app.example/cas", true, "https://app.example/casino"));
    assert_false(matches("https://app.example/cas", true, "https://app.example/ca"));
    assert_true(matches("https://app.example/", true, "https://app.example/anything?x"));
    assert_false(matches("https://app.example/", true, "https://app.example.evil.test/"));
    assert_false(matches("https://app.example/", true, "https://app.example:8443/"));
    assert_false(matches("https://app.example/", true, "http://app.example/"));
    assert_false(matches("", true, "https://app.example/"));
}

static void tickets(void **state)
{
    unsigned char random[YM_CAS_TICKET_BYTES];
    char ticket[YM_CAS_TICKET_LEN + 1];
    struct ym_buf out;

    (void)state;
    memset(random, 0xA7, sizeof(random));
    ym_cas_ticket(random, ticket);
    assert_string_equal(ticket, "ST-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7");
    assert_true(ym_cas_ticket_ok(ym_str_of(ticket)));
    assert_false(ym_cas_ticket_ok((struct ym_str){ticket, YM_CAS_TICKET_LEN - 1}));
    assert_false(ym_cas_ticket_ok(YM_STR("")));
    assert_false(ym_cas_ticket_ok(YM_STR("ST-*")));
    assert_false(ym_cas_ticket_ok(YM_STR("PT-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7")));
    assert_false(ym_cas_ticket_ok(YM_STR("ST-A7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7")));
    assert_false(ym_cas_ticket_ok(YM_STR("ST-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7&service=x/y")));

    ym_buf_init(&out, 4096);
    assert_int_equal(ym_cas_go(&out, YM_STR("https://a/"), YM_STR("ST-1")), YM_OK);
    assert_string_equal(out.p, "https://a/?ticket=ST-1");
    ym_buf_reset(&out);
    assert_int_equal(ym_cas_go(&out, YM_STR("https://a/?x=1"), YM_STR("ST-1")), YM_OK);
    assert_string_equal(out.p, "https://a/?x=1&ticket=ST-1");
    ym_buf_clear(&out);
}

static void escaped(void **state)
{
    const struct ym_cas_attribute attributes[] = {
        {"name", YM_STR("]]>&\"'")},
        {"roles", YM_STR("staff")},
        {"roles", {"a\nb\x01\xFF\xEF\xBF\xBE\xED\xA0\x80", 11}},
    };
    struct ym_cas_person person = {.user = YM_STR("</cas:user><cas:user>admin"),
                                   .auth_time = 1769844600000,
                                   .fresh = true,
                                   .attributes = attributes,
                                   .count = YM_COUNT(attributes)};
    struct ym_buf out;

    (void)state;
    ym_buf_init(&out, 65536);
    assert_int_equal(ym_cas_success(&out, YM_CAS_3, &person), YM_OK);
    assert_string_equal(
        out.p, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\n"
               "  <cas:authenticationSuccess>\n"
               "    <cas:user>&lt;/cas:user&gt;&lt;cas:user&gt;admin</cas:user>\n"
               "    <cas:attributes>\n"
               "      <cas:authenticationDate>2026-01-31T07:30:00Z</cas:authenticationDate>\n"
               "      <cas:longTermAuthenticationRequestTokenUsed>false"
               "</cas:longTermAuthenticationRequestTokenUsed>\n"
               "      <cas:isFromNewLogin>true</cas:isFromNewLogin>\n"
               "      <cas:name>]]&gt;&amp;&quot;&#39;</cas:name>\n"
               "      <cas:roles>staff</cas:roles>\n"
               "      <cas:roles>a\xEF\xBF\xBD"
               "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
               "\xEF\xBF\xBD\xEF\xBF\xBD</cas:roles>\n"
               "    </cas:attributes>\n"
               "  </cas:authenticationSuccess>\n"
               "</cas:serviceResponse>\n");
    ym_buf_reset(&out);
    assert_int_equal(ym_cas_success(&out, YM_CAS_2, &person), YM_OK);
    assert_null(strstr(out.p, "attributes"));
    ym_buf_reset(&out);
    person.user = YM_STR("mei\nyes\nadmin");
    assert_int_equal(ym_cas_success(&out, YM_CAS_1, &person), YM_OK);
    assert_string_equal(out.p, "yes\nmei\xEF\xBF\xBDyes\xEF\xBF\xBD"
                               "admin\n");
    ym_buf_clear(&out);
}

static void refusals(void **state)
{
    struct ym_buf out;

    (void)state;
    ym_buf_init(&out, 4096);
    for (int f = YM_CAS_INVALID_REQUEST; f <= YM_CAS_INTERNAL_ERROR; f++) {
        char code[64];
        assert_int_equal(ym_cas_refusal(&out, YM_CAS_2, (enum ym_cas_failure)f), YM_OK);
        (void)snprintf(code, sizeof(code), "<cas:authenticationFailure code=\"%s\">\n",
                       ym_cas_failure_code((enum ym_cas_failure)f));
        assert_non_null(strstr(out.p, code));
        assert_ptr_equal(strstr(out.p, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<cas:"), out.p);
        ym_buf_reset(&out);
    }
    assert_int_equal(ym_cas_refusal(&out, YM_CAS_1, YM_CAS_INVALID_TICKET), YM_OK);
    assert_string_equal(out.p, "no\n\n");
    ym_buf_clear(&out);
}

static void sign_out(void **state)
{
    struct ym_buf out;

    (void)state;
    ym_buf_init(&out, 4096);
    assert_int_equal(ym_cas_logout(&out, "_1", 1769844600000, YM_STR("ST-1</samlp:SessionIndex>&")),
                     YM_OK);
    assert_string_equal(
        out.p, "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "
               "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\" Version=\"2.0\" "
               "IssueInstant=\"2026-01-31T07:30:00Z\"><saml:NameID>@NOT_USED@</saml:NameID>"
               "<samlp:SessionIndex>ST-1&lt;/samlp:SessionIndex&gt;&amp;</samlp:SessionIndex>"
               "</samlp:LogoutRequest>");
    ym_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_form), cmocka_unit_test(no_service), cmocka_unit_test(whole_segments),
        cmocka_unit_test(tickets),  cmocka_unit_test(escaped),    cmocka_unit_test(refusals),
        cmocka_unit_test(sign_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
