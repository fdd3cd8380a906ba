/* SPDX-License-Identifier: Apache-2.0
 * Forms of strangers' pages: what a browser would send, in which charset, to where; and the forms
 * that must not be guessed.
 */
#include "ym_html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define URL "http://oa.example.test/case/new?a=1"

struct fixture {
    struct ym_arena *a;
    struct ym_html_form form;
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

static ym_status form(struct fixture *f, const char *page, const char *name)
{
    return ym_html_form(ym_str_of(page), NULL, URL, name, f->a, &f->form, &f->err);
}

/* "name=value&…" of the fields, for comparing at a glance. */
static const char *shown(struct fixture *f, const struct ym_pair *pairs, size_t n)
{
    struct ym_buf b;
    const char *out;

    ym_buf_init(&b, 65536);
    ym_buf_adds(&b, "");
    for (size_t i = 0; i < n; i++) {
        ym_buf_addf(&b, "%s%s=%s", i > 0 ? "&" : "", pairs[i].name, pairs[i].value);
    }
    out = ym_arena_str(f->a, ym_buf_str(&b));
    ym_buf_clear(&b);
    return out;
}

static const char *fields(struct fixture *f, const char *page)
{
    assert_int_equal(form(f, page, NULL), YM_OK);
    return shown(f, f->form.fields, f->form.field_count);
}

/* Tokens and hidden fields are copied whatever the quoting; comments and scripts count for nothing. */
static void quoting(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        fields(f,
               "<!-- <form><input name=old value=1></form> -->"
               "<script>document.write('<input name=js value=2>')</script>"
               "<FORM METHOD=post ACTION='save.do'><INPUT TYPE=hidden NAME=_csrf VALUE=a&amp;b>"
               "<input type='hidden' name='t\"2' value='x\"y'><input name=\"q\" value=\"&#35843;\">"
               "<!-- <input name=gone value=3> --><input value=unnamed><input type=submit name=go "
               "value=1>"
               "</FORM>"),
        "_csrf=a&b&t\"2=x\"y&q=调");
    assert_string_equal(f->form.method, "POST");
    assert_string_equal(f->form.action, "http://oa.example.test/case/save.do");
    assert_string_equal(f->form.charset, "utf-8");
}

/* Check boxes, radios, selects, text areas, disabled controls: what HTML calls successful. */
static void controls(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        fields(
            f,
            "<form><input type=checkbox name=c1 checked><input type=checkbox name=c2 value=v>"
            "<input type=radio name=r value=1><input type=radio name=r value=2 checked>"
            "<select name=s><option value=a>A<option value=b selected>B</select>"
            "<select name=first><option disabled>x<option> 一 <option>二</select>"
            "<select name=m multiple><option selected>1<option>2<option selected>3</select>"
            "<textarea name=t>\nline1\nline2</textarea>"
            "<input name=off value=1 disabled><fieldset disabled><input name=in value=1></fieldset>"
            "<input type=file name=upload><button name=b value=1>ok</button></form>"),
        "c1=on&r=2&s=b&first=一&m=1&m=3&t=line1\r\nline2");
    assert_string_equal(f->form.method, "GET");
    assert_int_equal(f->form.name_count,
                     9); /* c1 c2 r r s first m t upload: fillable; off, in are not */
}

/* Tables between form and controls, and controls that name their form from outside. */
static void placement(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        fields(f, "<table><form id=a action=/s><tr><td><input name=x value=1></td></tr>"
                  "<tr><td><input name=y value=2></td></tr></form></table>"
                  "<input form=a name=z value=3><input name=loose value=4>"),
        "x=1&y=2&z=3");
}

/* Two forms, a wrong name, none at all: never guessed. */
static void not_found(void **state)
{
    struct fixture *f = *state;
    static const char two[] =
        "<form id=one><input name=a value=1></form><form name=two><input name=b></form>";

    assert_int_equal(form(f, two, NULL), YM_ENOTFOUND);
    assert_non_null(strstr(f->err.message, "several"));
    assert_int_equal(form(f, two, "two"), YM_OK);
    assert_string_equal(shown(f, f->form.fields, f->form.field_count), "b=");
    assert_int_equal(form(f, two, "three"), YM_ENOTFOUND);
    assert_int_equal(form(f, "<form id=x><input name=a></form><form id=x></form>", "x"),
                     YM_ENOTFOUND);
    assert_int_equal(form(f, "<p>请登录", NULL), YM_ENOTFOUND);
    assert_int_equal(form(f, "", NULL), YM_ENOTFOUND);
    assert_int_equal(form(f, "<form></form>", NULL), YM_ENOTFOUND);
    /* a form without controls beside the real one is no second choice */
    assert_string_equal(fields(f, "<form id=empty></form><form><input name=k value=v></form>"),
                        "k=v");
}

/* Where it goes: relative, absolute, empty, <base>; another host is returned for the caller to refuse. */
static void action(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[][2] = {
        {"<form><input name=a></form>", URL},
        {"<form action=''><input name=a></form>", URL},
        {"<form action='/x?y=1'><input name=a></form>", "http://oa.example.test/x?y=1"},
        {"<form action='../up'><input name=a></form>", "http://oa.example.test/up"},
        {"<form action='?q'><input name=a></form>", "http://oa.example.test/case/new?q"},
        {"<form action='https://evil.test/take'><input name=a></form>", "https://evil.test/take"},
        {"<form action='//evil.test/take'><input name=a></form>", "http://evil.test/take"},
        {"<base href='/app/'><form action='go'><input name=a></form>",
         "http://oa.example.test/app/go"},
    };

    for (size_t i = 0; i < YM_COUNT(rows); i++) {
        assert_int_equal(form(f, rows[i][0], NULL), YM_OK);
        assert_string_equal(f->form.action, rows[i][1]);
    }
}

/* A GBK page by meta, by header, by its bytes alone; accept-charset; broken bytes. */
static void charsets(void **state)
{
    struct fixture *f = *state;
    static const char meta[] =
        "<meta charset=\"gb2312\"><form><input name=n value=\"\xb5\xf7\xbd\xe2\"></form>";
    static const char bare[] = "<form><input name=n value=\"\xb5\xf7\xbd\xe2\"></form>";

    assert_string_equal(fields(f, meta), "n=调解");
    assert_string_equal(f->form.charset, "gbk");
    assert_string_equal(fields(f, bare), "n=调解");
    assert_string_equal(f->form.charset, "gb18030");
    assert_int_equal(ym_html_form(ym_str_of(bare), "GBK", URL, NULL, f->a, &f->form, &f->err),
                     YM_OK);
    assert_string_equal(f->form.fields[0].value, "调解");
    assert_string_equal(
        fields(f, "<meta http-equiv=Content-Type content='text/html; charset=gbk'>"
                  "<form accept-charset='utf-16 UTF-8'><input type=hidden name=_charset_></form>"),
        "_charset_=utf-8");
    assert_string_equal(f->form.charset, "utf-8");
    assert_int_equal(form(f, "<meta charset=gbk><form><input name=n value='\xb5'></form>", NULL),
                     YM_OK);
}

/* Overlaying: given names win, all their values; the rest stays; strangers' names are refused. */
static void fill(void **state)
{
    struct fixture *f = *state;
    struct ym_pair *out = NULL;
    size_t n = 0;
    struct ym_pair mine[] = {{"b", "new"}, {"c", "1"}, {"c", "2"}};

    fields(f, "<form><input name=tok value=T><input name=b value=old><input name=b value=old2>"
              "<input type=checkbox name=c value=0></form>");
    assert_int_equal(ym_html_fill(&f->form, mine, 3, false, f->a, &out, &n, &f->err), YM_OK);
    assert_string_equal(shown(f, out, n), "tok=T&b=new&c=1&c=2");
    mine[0].name = "stranger";
    assert_int_equal(ym_html_fill(&f->form, mine, 3, false, f->a, &out, &n, &f->err), YM_EINVAL);
    assert_non_null(strstr(f->err.message, "stranger"));
    assert_int_equal(ym_html_fill(&f->form, mine, 3, true, f->a, &out, &n, &f->err), YM_OK);
    assert_string_equal(shown(f, out, n), "tok=T&b=old&b=old2&stranger=new&c=1&c=2");
}

/* Encoding in the form's charset, and what the charset lacks as browsers write it. */
static void encode(void **state)
{
    struct fixture *f = *state;
    static const struct ym_pair p[] = {{"名", "调 解&=+~"}, {"e", ""}};
    static const struct ym_pair rare[] = {{"n", "a𠮷b"}};
    struct ym_buf b;
    size_t lost = 9;

    ym_buf_init(&b, 4096);
    assert_int_equal(ym_form_encode(p, 2, "utf-8", &b, &lost, &f->err), YM_OK);
    assert_string_equal(b.p, "%E5%90%8D=%E8%B0%83+%E8%A7%A3%26%3D%2B%7E&e=");
    assert_int_equal(lost, 0);
    ym_buf_reset(&b);
    assert_int_equal(ym_form_encode(p, 2, "gb18030", &b, &lost, &f->err), YM_OK);
    assert_string_equal(b.p, "%C3%FB=%B5%F7+%BD%E2%26%3D%2B%7E&e=");
    ym_buf_reset(&b);
    assert_int_equal(ym_form_encode(rare, 1, "gbk", &b, &lost, &f->err), YM_OK);
    assert_string_equal(b.p, "n=a%26%23134071%3Bb");
    assert_int_equal(lost, 1);
    ym_buf_reset(&b);
    assert_int_equal(ym_form_encode(rare, 1, "klingon", &b, &lost, &f->err), YM_EUNSUPPORTED);
    ym_buf_clear(&b);
}

/* Pages made to hurt: bounded, refused or read, never a crash. */
static void hostile(void **state)
{
    struct fixture *f = *state;
    struct ym_buf b;

    ym_buf_init(&b, 4u << 20);
    ym_buf_adds(&b, "<form>");
    for (int i = 0; i < 3000; i++) {
        ym_buf_addf(&b, "<input name=n%d>", i);
    }
    assert_int_equal(form(f, b.p, NULL), YM_ETOOBIG);
    ym_buf_reset(&b);
    for (int i = 0; i < 60; i++) {
        ym_buf_adds(&b, "<form></form>");
    }
    assert_int_equal(form(f, b.p, NULL), YM_ETOOBIG);
    ym_buf_reset(&b);
    for (int i = 0; i < 20000; i++) {
        ym_buf_adds(&b, "<div><form>");
    }
    assert_int_not_equal(form(f, b.p, NULL), YM_OK);
    ym_buf_reset(&b);
    ym_buf_adds(&b, "<form><input ");
    for (int i = 0; i < 5000; i++) {
        ym_buf_addf(&b, "a%d=1 ", i);
    }
    assert_int_equal(form(f, b.p, NULL), YM_ETOOBIG);
    ym_buf_clear(&b);
}

/* Every allocation may fail once. */
static void allocations(void **state)
{
    struct fixture *f = *state;

    for (long n = 1; n < 120; n++) {
        ym_status rc;

        ym_fault_after(n);
        rc = form(f,
                  "<meta charset=gbk><form action=x><input name=a value=1><select name=s><option>1"
                  "</select><textarea name=t>\n1</textarea></form>",
                  NULL);
        ym_fault_after(0);
        assert_true(rc == YM_OK || rc == YM_ENOMEM || rc == YM_EINVAL || rc == YM_ENOTFOUND);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(quoting),  TEST(controls), TEST(placement), TEST(not_found), TEST(action),
        TEST(charsets), TEST(fill),     TEST(encode),    TEST(hostile),   TEST(allocations),
    };

    return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}
