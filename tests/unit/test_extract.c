/* SPDX-License-Identifier: Apache-2.0
 * Readers one by one: what each finds in which document, and what counts as missing.
 */
#include "ym_extract.h"

#include "ym_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fixture {
    struct ym_arena *a;
    struct ym_err err;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.a = ym_arena_open();
    *state = &f;
    return f.a == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ym_arena_close(f->a);
    return 0;
}

/* What a reader, written as YAML, finds in a document; NULL = missing. */
static const char *find(struct fixture *f, enum ym_doc_kind kind, const char *text,
                        const char *yaml)
{
    static const struct ym_pair headers[] = {{"location", "/case?id=K-9"}, {"x-empty", " "}};
    struct ym_yaml *node = NULL;
    const struct ym_reader *r = NULL;
    struct ym_doc doc;
    struct ym_answer in = {&doc, &doc, headers, YM_COUNT(headers)};
    const char *out = NULL;
    struct ym_diag d;

    ym_diag_init(&d);
    assert_int_equal(ym_yaml_parse(ym_str_of(yaml), "t.yaml", f->a, &node, &f->err), YM_OK);
    if (ym_reader_compile(node, f->a, &r, &d) != YM_OK) {
        fail_msg("%s: %s", yaml, d.items[0].message);
    }
    ym_diag_clear(&d);
    assert_int_equal(ym_doc_text(kind, ym_str_of(text), f->a, &doc, &f->err), YM_OK);
    assert_int_equal(ym_reader_text(r, &in, f->a, &out), YM_OK);
    return out;
}

static void json(void **state)
{
    struct fixture *f = *state;
    static const char doc[] =
        "{\"s\":\" a b \",\"n\":12,\"big\":9007199254740993,\"r\":0.5,\"t\":true,"
        "\"z\":null,\"e\":[],\"o\":{},\"blank\":\"  \",\"l\":[{\"k\":1}],"
        "\"a/b\":{\"m~n\":\"esc\"},\"j\":\"{\\\"x\\\":[7]}\"}";
    static const char *const rows[][2] = {
        {"{ json: /s }", "a b"},
        {"{ json: /n }", "12"},
        {"{ json: /big }", "9007199254740993"},
        {"{ json: /r }", "0.5"},
        {"{ json: /t }", "true"},
        {"{ json: /z }", NULL},
        {"{ json: /e }", NULL},
        {"{ json: /o }", NULL},
        {"{ json: /blank }", NULL},
        {"{ json: /none/of/it }", NULL},
        {"{ json: /l }", "[{\"k\":1}]"},
        {"{ json: /l/0/k }", "1"},
        {"{ json: /a~1b/m~0n }", "esc"},
        {"{ json: /j, parse: json, then: /x/0 }", "7"},
        {"{ json: /l, parse: json, then: /0/k }",
         "1"}, /* a value that is no string is taken as it is */
        {"{ json: /s, parse: json, then: /x }", NULL},
        {"{ json: /s, regex: \"(b)\" }", "b"},
        {"{ json: /n, regex: \"^1\" }", "1"}, /* no group: the whole match */
        {"{ json: /s, regex: \"(q)|a\" }", "a"},
        {"{ json: /s, regex: zzz }", NULL},
        {"{ const: fixed }", "fixed"},
        {"{ header: Location }", "/case?id=K-9"},
        {"{ header: LOCATION, regex: \"id=([\\\\w-]+)\" }", "K-9"},
        {"{ header: x-empty }", NULL},
        {"{ header: x-none }", NULL},
    };

    for (size_t i = 0; i < YM_COUNT(rows); i++) {
        const char *got = find(f, YM_DOC_JSON, doc, rows[i][0]);

        if ((got == NULL) != (rows[i][1] == NULL) ||
            (got != NULL && strcmp(got, rows[i][1]) != 0)) {
            fail_msg("%s -> %s", rows[i][0], got != NULL ? got : "(missing)");
        }
    }
}

static void xml(void **state)
{
    struct fixture *f = *state;
    static const char doc[] =
        "\r\n<?xml version=\"1.0\" encoding=\"GBK\"?><q:root xmlns:q=\"urn:q\" xmlns=\"urn:d\">"
        "<item q:id=\"7\"><name> 张三 </name></item><item><name/></item>"
        "<x>&lt;y v=\"1\"&gt;t&amp;amp;u&lt;/y&gt;</x><c><![CDATA[<a>&amp;</a>]]></c></q:root>";
    static const char *const rows[][2] = {
        {"{ xpath: //item/name }", "张三"}, /* whatever the namespace */
        {"{ xpath: /root/item/@id }", "7"}, /* attributes too */
        {"{ xpath: \"//q:root/@none\" }", NULL},
        {"{ xpath: \"count(//item)\" }", "2"},
        {"{ xpath: \"boolean(//item)\" }", "true"},
        {"{ xpath: \"//*[local-name()='name'][1]\" }", "张三"},
        {"{ xpath: \"namespace-uri(/*)\" }", "urn:q"}, /* asked for, so the real one */
        {"{ xpath: \"/q:root/*[1]/@q:id\" }", "7"},    /* prefixes of the document's root */
        {"{ xpath: \"//unknown:a\" }", NULL},
        {"{ xpath: \"//item[2]/name\" }", NULL}, /* empty is missing */
        {"{ xpath: //x, parse: xml, then: /y }", "t&u"},
        {"{ xpath: //x, parse: xml, then: \"/y/@v\" }", "1"},
        {"{ xpath: //c }", "<a>&amp;</a>"},
        {"{ xpath: //c, parse: xml, then: { xpath: /a, regex: \"&\" } }", "&"},
        {"{ xpath: \"string(//item[1]/name)\", regex: \"^张(.)\" }", "三"},
        {"{ regex: \"q:id=.([0-9])\" }", "7"},
    };

    for (size_t i = 0; i < YM_COUNT(rows); i++) {
        const char *got = find(f, YM_DOC_XML, doc, rows[i][0]);

        if ((got == NULL) != (rows[i][1] == NULL) ||
            (got != NULL && strcmp(got, rows[i][1]) != 0)) {
            fail_msg("%s -> %s", rows[i][0], got != NULL ? got : "(missing)");
        }
    }
}

static void html_and_csv(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        find(f, YM_DOC_HTML, "<ul><li class=no>A-1<li>B", "{ xpath: \"//li[@class='no']\" }"),
        "A-1");
    assert_string_equal(find(f, YM_DOC_CSV, "no,name\r\n1,\"a,b\"\r\n2,c\r\n", "{ json: /0/name }"),
                        "a,b");
    assert_string_equal(find(f, YM_DOC_CSV, "no,name\n1,x\n2,c\n", "{ json: /1/no }"), "2");
    assert_string_equal(
        find(f, YM_DOC_TEXT, "no=5\nstatus=OK\n", "{ regex: \"(?m)^status=(.*)$\" }"), "OK");
    assert_null(find(f, YM_DOC_TEXT, "no=5", "{ json: /no }"));
}

/* Limits: each refuses, and an answer just inside passes. */
static void limits(void **state)
{
    struct fixture *f = *state;
    struct ym_doc doc;
    struct ym_buf b;

    for (int over = 0; over < 2; over++) {
        ym_buf_init(&b, 8u << 20); /* elements */
        ym_buf_adds(&b, "<r>");
        for (int i = 0; i < YM_DOC_ELEMENTS - 1 + over; i++) {
            ym_buf_adds(&b, "<a/>");
        }
        ym_buf_adds(&b, "</r>");
        assert_int_equal(ym_doc_text(YM_DOC_XML, ym_buf_str(&b), f->a, &doc, &f->err),
                         over ? YM_ETOOBIG : YM_OK);
        ym_buf_reset(&b); /* depth */
        for (int i = 0; i < YM_DOC_DEPTH + over; i++) {
            ym_buf_adds(&b, "<a>");
        }
        for (int i = 0; i < YM_DOC_DEPTH + over; i++) {
            ym_buf_adds(&b, "</a>");
        }
        assert_int_equal(ym_doc_text(YM_DOC_XML, ym_buf_str(&b), f->a, &doc, &f->err),
                         over ? YM_ETOOBIG : YM_OK);
        ym_buf_reset(&b); /* attributes */
        ym_buf_adds(&b, "<r");
        for (int i = 0; i < YM_DOC_ATTRIBUTES + over; i++) {
            ym_buf_addf(&b, " a%d='='", i);
        }
        ym_buf_adds(&b, "/>");
        assert_int_equal(ym_doc_text(YM_DOC_XML, ym_buf_str(&b), f->a, &doc, &f->err),
                         over ? YM_ETOOBIG : YM_OK);
        ym_buf_reset(&b); /* bytes */
        while (b.n < YM_DOC_BYTES + (size_t)over) {
            ym_buf_addc(&b, 'x');
        }
        assert_int_equal(ym_doc_text(YM_DOC_TEXT, ym_buf_str(&b), f->a, &doc, &f->err),
                         over ? YM_ETOOBIG : YM_OK);
        ym_buf_clear(&b);
    }
}

/* Which charset is believed, and what undecodable bytes become. */
static void decode(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes, *forced, *header, *fallback, *text, *charset;
        size_t replaced;
    } rows[] = {
        {"\xb5\xf7", "gbk", "utf-8", NULL, "调", "gbk", 0},
        {"\xb5\xf7", NULL, "\"GB2312\"", NULL, "调", "gbk", 0},
        {"\xe8\xb0\x83", NULL, NULL, "gb18030", "调", "utf-8", 0},
        {"\xb5\xf7", NULL, NULL, "gb18030", "调", "gb18030", 0},
        {"\xb5\xf7", NULL, "iso-8859-1", "gb18030", "调", "gb18030", 0},
        {"\xbd\xd5", NULL, "big5", "gb18030", "調", "big5", 0},
        {"<?xml version='1.0' encoding='gb2312'?>\xb5\xf7", NULL, NULL, "utf-8",
         "<?xml version='1.0' encoding='gb2312'?>调", "gbk", 0},
        {"<meta charset=gbk>\xb5\xf7", NULL, NULL, "utf-8", "<meta charset=gbk>调", "gbk", 0},
        {"\xef\xbb\xbf\xe8\xb0\x83", NULL, "gbk", "gbk", "调", "utf-8", 0},
        {"a\xff"
         "b",
         NULL, "utf-8", NULL,
         "a\xef\xbf\xbd"
         "b",
         "utf-8", 1},
        {"plain", NULL, "utf-16", "gb18030", "plain", "utf-8", 0},
    };

    for (size_t i = 0; i < YM_COUNT(rows); i++) {
        const struct ym_doc_charsets cs = {rows[i].forced, rows[i].header, rows[i].fallback};
        struct ym_doc doc;

        assert_int_equal(ym_doc_decode(ym_str_of(rows[i].bytes), &cs, f->a, &doc, &f->err), YM_OK);
        assert_string_equal(doc.text.p, rows[i].text);
        assert_string_equal(doc.charset, rows[i].charset);
        assert_int_equal(doc.replaced, rows[i].replaced);
    }
}

/* Regular expressions of adapters: errors with their place, and a bounded effort. */
static void patterns(void **state)
{
    struct fixture *f = *state;
    const struct ym_match *m = NULL;
    struct ym_str got = YM_STR_NULL;

    assert_int_equal(ym_match_compile("a(b", f->a, &m, &f->err), YM_EINVAL);
    assert_non_null(strstr(f->err.message, "character 4"));
    assert_int_equal(ym_match_compile("^界(.)$", f->a, &m, &f->err), YM_OK);
    assert_true(ym_match_run(m, YM_STR("界面"), &got));
    assert_true(ym_str_is(got, "面"));
    assert_false(ym_match_run(m, YM_STR("\xff\xfe"), &got));
    assert_false(ym_match_run(m, YM_STR_NULL, &got));
    assert_int_equal(ym_match_compile("^(\\w+\\s?)*$", f->a, &m, &f->err), YM_OK);
    assert_false(ym_match_run(
        m, YM_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(json), TEST(xml), TEST(html_and_csv), TEST(limits), TEST(decode), TEST(patterns),
    };

    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
