/* SPDX-License-Identifier: Apache-2.0
 * Proves that operators see the shape of a message and not what it says of a person: JSON, XML, HTML,
 * forms and tables; documents within documents; cut off anywhere; and that secrets are blanked.
 */
#include "ym_test.h"

#include "ym_veil.h"

#include <stdlib.h>

/* "code" may be seen, "secret" by nobody, the rest is somebody's. */
static enum ym_sight see(const void *data, struct ym_str name, struct ym_str value)
{
    (void)data;
    (void)value;
    if (ym_str_is(name, "secret")) {
        return YM_SIGHT_SECRET;
    }
    return ym_str_is(name, "code") ? YM_SIGHT_SHOWN : YM_SIGHT_HIDDEN;
}
static const struct ym_veil veil = {see, NULL};

static void assert_veiled(const char *in, const char *want)
{
    struct ym_buf out;

    ym_buf_init(&out, 65536);
    assert_int_equal(ym_veil_text(&veil, YM_STR(""), ym_str_of(in), &out), YM_OK);
    assert_string_equal(out.p, want);
    ym_buf_clear(&out);
}

static void json_keeps_its_shape(void **state)
{
    (void)state;
    assert_veiled("{\"code\": \"11\", \"name\":\"王某\", \"secret\":\"s\"}",
                  "{\"code\": \"11\", \"name\":\"***\", \"secret\":\"[secret]\"}");
    assert_veiled("[{\"age\":41,\"ok\":true,\"code\":-1.5e3},null]",
                  "[{\"age\":\"***\",\"ok\":\"***\",\"code\":-1.5e3},\"***\"]");
    assert_veiled("{\"code\":[\"a\",\"b\"],\"names\":[\"甲\",\"乙\"]}",
                  "{\"code\":[\"a\",\"b\"],\"names\":[\"***\",\"***\"]}");
    assert_veiled("{\"a\":{\"code\":{\"x\":1}}}", "{\"a\":{\"code\":{\"x\":\"***\"}}}");
    assert_veiled("{\"330106199001011234\":1}", "{\"***\":\"***\"}");
    assert_veiled("{\"a\\\"b\":\"x\\\"y\",\"code\":\"q\\\"\"}",
                  "{\"a\\\"b\":\"***\",\"code\":\"q\\\"\"}");
}

static void documents_within_documents(void **state)
{
    (void)state;
    assert_veiled("{\"param\":\"{\\\"code\\\":\\\"7\\\",\\\"phone\\\":\\\"13800000000\\\"}\"}",
                  "{\"param\":\"{\\\"code\\\":\\\"7\\\",\\\"phone\\\":\\\"***\\\"}\"}");
    assert_veiled("<a><xml>&lt;code&gt;1&lt;/code&gt;&lt;n&gt;甲&lt;/n&gt;</xml></a>",
                  "<a><xml>&lt;code&gt;1&lt;/code&gt;&lt;n&gt;***&lt;/n&gt;</xml></a>");
    assert_veiled("<a><![CDATA[{\"code\":1,\"n\":\"甲\"}]]></a>",
                  "<a><![CDATA[{\"code\":1,\"n\":\"***\"}]]></a>");
}

static void markup_keeps_its_names(void **state)
{
    (void)state;
    assert_veiled("<?xml version=\"1.0\"?><s:E xmlns:s=\"urn:x\">\n <m:code>1</m:code><name "
                  "id=\"王某\">王某</name></s:E>",
                  "<?xml?><s:E xmlns:s=\"urn:x\">\n <m:code>1</m:code><name "
                  "id=\"***\">***</name></s:E>");
    assert_veiled("<r><code/>after 王某</r>", "<r><code/>***</r>");
    assert_veiled("<!DOCTYPE html><!-- 王某 --><form name=\"f\"><input name=phone "
                  "value='138'><script>var a='王某';</script><p>王某 < 3</form>",
                  "<form name=\"f\"><input name=\"phone\" "
                  "value=\"***\"><script></script><p>******</form>");
    assert_veiled("<王某>x</王某>", "***");
    assert_veiled("<a><王某 王某=王某>x</王某></a>", "<a><*** ***=\"***\">***</***></a>");
    assert_veiled("<secret>s</secret>", "<secret>[secret]</secret>");
}

static void anything_else_is_a_value(void **state)
{
    (void)state;
    assert_veiled("王某已登记", "***");
    assert_veiled("", "***");
    assert_veiled("[王某]", "[\"***\"]");
    assert_veiled("{王某:张某}", "{\"***\":\"***\"}");
}

static void forms_and_tables(void **state)
{
    struct ym_buf out;

    (void)state;
    ym_buf_init(&out, 65536);
    ym_veil_form(&veil, ym_str_of("code=1%202&a.phone=138&&secret=s&alone"), "utf-8", &out);
    assert_string_equal(out.p, "code = 1 2\na.phone = ***\nsecret = [secret]\nalone = ***\n");
    ym_buf_reset(&out);
    ym_veil_form(&veil, ym_str_of("code=%CD%F5"), "gb18030", &out);
    assert_string_equal(out.p, "code = 王\n");
    ym_buf_reset(&out);
    ym_veil_csv(&veil, ym_str_of("\xEF\xBB\xBF姓名,code\r\n\"王,\"\"某\",1\r\n张某,2\r\n"), &out);
    assert_string_equal(out.p, "姓名,code\n***,1\n***,2\n");
    ym_buf_clear(&out);
}

/* However a message is cut, what was hidden in it stays hidden. */
static void cut_anywhere(void **state)
{
    static const char *const whole[] = {
        "{\"code\":\"1\",\"name\":\"ZHANGSAN\",\"l\":[\"ZHANGSAN\",{\"x\":\"ZHANGSAN\"}],\"j\":\"{"
        "\\\"n\\\":\\\"ZHANGSAN\\\"}\"}",
        "<a><n x=\"ZHANGSAN\">ZHANGSAN</n><![CDATA[ZHANGSAN]]><!-- ZHANGSAN "
        "--><s>&lt;n&gt;ZHANGSAN&lt;/n&gt;</s></a>",
    };

    (void)state;
    for (size_t k = 0; k < YM_COUNT(whole); k++) {
        for (size_t n = 0; n <= strlen(whole[k]); n++) {
            struct ym_buf out;

            ym_buf_init(&out, 65536);
            assert_int_equal(ym_veil_text(&veil, YM_STR(""), (struct ym_str){whole[k], n}, &out),
                             YM_OK);
            assert_null(strstr(out.p, "ZHANG"));
            ym_buf_clear(&out);
        }
    }
}

static void names_and_codes(void **state)
{
    static const char *const codes[] = {"", "true", "OK", "0", "200", "330106", "E1001", "GB-12"};
    static const char *const values[] = {"王某", "13800000000", "Li", "hello", "1.5", "E", "LINA"};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(codes); i++) {
        assert_true(ym_veil_code(ym_str_of(codes[i])));
    }
    for (size_t i = 0; i < YM_COUNT(values); i++) {
        assert_false(ym_veil_code(ym_str_of(values[i])));
    }
    assert_true(ym_str_is(ym_veil_name(YM_STR("a.b[0].c")), "c"));
    assert_true(ym_str_is(ym_veil_name(YM_STR("m:Name")), "Name"));
    assert_true(ym_str_is(ym_veil_name(YM_STR("x.@id")), "id"));
    assert_true(ym_str_is(ym_veil_name(YM_STR("list[3]")), "list"));
    assert_true(ym_str_is(ym_veil_name(YM_STR("]")), ""));
}

static void blanking(void **state)
{
    struct ym_buf out;

    (void)state;
    ym_buf_init(&out, 1024);
    ym_veil_blank(YM_STR("k=open sesame&open sesame"), YM_STR("open sesame"), &out);
    assert_string_equal(out.p, "k=[secret]&[secret]");
    ym_buf_reset(&out);
    ym_veil_blank(YM_STR("abc"), YM_STR("abc"), &out);
    assert_string_equal(out.p, "abc");
    ym_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_keeps_its_shape),   cmocka_unit_test(documents_within_documents),
        cmocka_unit_test(markup_keeps_its_names), cmocka_unit_test(anything_else_is_a_value),
        cmocka_unit_test(forms_and_tables),       cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(names_and_codes),        cmocka_unit_test(blanking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
