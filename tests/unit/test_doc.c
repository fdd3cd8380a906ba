/* SPDX-License-Identifier: Apache-2.0
 * Answers of old systems that attack (I167) or are damaged (I169).
 */
#include "ym_doc.h"

#include "ym_test.h"

#include <string.h>

#define XML "<?xml version=\"1.0\"?>"

static int setup(void **state)
{
    *state = ym_arena_open();
    return *state == NULL;
}

static int teardown(void **state)
{
    ym_arena_close(*state);
    return 0;
}

static ym_status open_as(enum ym_doc_kind kind, struct ym_str bytes, const char *charset,
                         struct ym_arena *a, struct ym_doc *ret)
{
    const struct ym_doc_charsets cs = {NULL, charset, "utf-8"};
    struct ym_err err;

    return ym_doc_open(kind, bytes, &cs, a, ret, &err);
}

static void refuses(struct ym_arena *a, struct ym_str bytes)
{
    struct ym_doc doc;

    if (open_as(YM_DOC_XML, bytes, NULL, a, &doc) == YM_OK) {
        fail_msg("taken: %.60s", bytes.p);
    }
    assert_null(doc.xml);
}

static void times(struct ym_buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ym_buf_adds(b, text);
    }
}

static void hostile_xml(void **state)
{
    static const char *const texts[] = {
        XML "<!DOCTYPE d [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><d>&e;</d>",
        XML "<!DOCTYPE d [<!ENTITY % p SYSTEM \"http://192.0.2.1/p\"> %p;]><d>1</d>",
        XML "<!DOCTYPE d SYSTEM \"http://192.0.2.1/d.dtd\"><d>1</d>",
        XML "<!DOCTYPE d PUBLIC \"-//X\" \"file:///etc/passwd\"><d>1</d>",
        XML "<!DOCTYPE d><d>1</d>",
        XML "<d>&e;</d>",
        "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADw-d+AD4-1+ADw-/d+AD4-",
    };
    struct ym_doc doc;
    struct ym_buf b;

    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        refuses(*state, ym_str_of(texts[i]));
    }

    ym_buf_init(&b, 4u << 20); /* a billion laughs */
    ym_buf_adds(&b, XML "<!DOCTYPE l [<!ENTITY a0 \"ha\">");
    for (int i = 1; i < 30; i++) {
        ym_buf_addf(&b, "<!ENTITY a%d \"&a%d;&a%d;\">", i, i - 1, i - 1);
    }
    ym_buf_adds(&b, "]><l>&a29;</l>");
    refuses(*state, ym_buf_str(&b));

    ym_buf_reset(&b); /* quadratic: one long entity, many times */
    ym_buf_adds(&b, XML "<!DOCTYPE l [<!ENTITY a \"");
    times(&b, "haha", 25000);
    ym_buf_adds(&b, "\">]><l>");
    times(&b, "&a;", 100000);
    ym_buf_adds(&b, "</l>");
    refuses(*state, ym_buf_str(&b));

    ym_buf_reset(&b);
    times(&b, "<a>", 100000);
    times(&b, "</a>", 100000);
    refuses(*state, ym_buf_str(&b));
    ym_buf_clear(&b);

    /* UTF-16 is not read, with a mark or declared; UTF-7 stays what it is */
    refuses(*state, (struct ym_str){"\xff\xfe<\0d\0/\0>\0", 10});
    refuses(*state, (struct ym_str){"\xfe\xff\0<\0d\0/\0>", 10});
    refuses(*state, (struct ym_str){"<\0d\0/\0>\0", 8});
    assert_int_equal(open_as(YM_DOC_XML,
                             YM_STR("<?xml version=\"1.0\" encoding=\"UTF-7\"?><d>+AGE-</d>"),
                             "utf-7", *state, &doc),
                     YM_OK);
    assert_string_equal((char *)doc.xml->children->children->content, "+AGE-");

    assert_int_equal(open_as(YM_DOC_XML, YM_STR(XML "<d>1</d>"), NULL, *state, &doc), YM_OK);
}

static void damaged_chinese(void **state)
{
    static const struct {
        const char *charset, *bytes, *text;
    } rows[] = {
        /* a byte that begins nothing, a character cut by the quote, and by the end of the string */
        {"gbk", "{\"a\":\"\xb5\xf7\xff\xbd\xe2\"}", "调\xef\xbf\xbd解"},
        {"gbk", "{\"a\":\"\xb5\"}", "\xef\xbf\xbd"},
        {"gbk", "{\"a\":\"\xb5\xf7\x80\"}", NULL},
        {"gb18030", "{\"a\":\"\xb5\xf7\xff\xbd\xe2\"}", "调\xef\xbf\xbd解"},
        {"gb18030", "{\"a\":\"\x81\x30\x81\"}", NULL},
        {"gb18030", "{\"a\":\"\xfe\x39\xfe\x39\"}", NULL},
        {"gb2312", "{\"a\":\"\xbd\xe2\xa0\"}", NULL},
        {"big5", "{\"a\":\"\xbd\xd5\xff\xb8\xd1\"}", "調\xef\xbf\xbd解"},
        {"big5", "{\"a\":\"\xbd\"}", "\xef\xbf\xbd"},
        {"utf-8", "{\"a\":\"\xe8\xb0\"}", NULL},
    };
    struct ym_doc doc;

    for (size_t i = 0; i < YM_COUNT(rows); i++) {
        ym_status rc =
            open_as(YM_DOC_JSON, ym_str_of(rows[i].bytes), rows[i].charset, *state, &doc);
        const json_t *a = json_object_get(doc.json, "a");
        const char *text = json_string_value(a);

        if (rc != YM_OK || text == NULL || doc.replaced == 0) {
            fail_msg("row %zu: %d, %zu replaced, %s", i, rc, doc.replaced, doc.text.p);
        }
        assert_int_equal(strlen(text), json_string_length(a));
        assert_int_equal(strlen(doc.text.p), doc.text.n);
        assert_non_null(strstr(text, "\xef\xbf\xbd"));
        if (rows[i].text != NULL) {
            assert_string_equal(text, rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"I167 XML of an old system that attacks", hostile_xml, setup, teardown, NULL},
        {"I169 GBK, GB18030 and Big5 with bytes that are none", damaged_chinese, setup, teardown,
         NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
