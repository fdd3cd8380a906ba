/* SPDX-License-Identifier: Apache-2.0
 * Facts and rules → verdicts: the field's hostile answers (domain.md §13) and every way a rule file
 * can be wrong.
 */
#include "ym_reply.h"

#include "ym_conf.h"
#include "ym_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

struct fixture {
    struct ym_arena *a;
    struct ym_system sys;
    struct ym_operation op;
    struct ym_judgement j;
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

    ym_reply_forget();
    ym_arena_close(f->a);
    return 0;
}

/* A system with one operation `create` whose `reply:` is this YAML. */
static void rules(struct fixture *f, const char *transport, const char *reply)
{
    struct ym_yaml *root = NULL;
    const char *text = ym_arena_printf(f->a, "operations:\n  create:\n    reply:\n%s", reply);

    assert_int_equal(ym_yaml_parse(ym_str_of(text), "adapter.yaml", f->a, &root, &f->err), YM_OK);
    f->sys = (struct ym_system){.id = "demo", .transport = transport, .node = root};
    f->sys.settings.charset = "utf-8";
    f->op = (struct ym_operation){.name = "create",
                                  .node = ym_yaml_get(ym_yaml_get(root, "operations"), "create")};
}

static enum ym_verdict judge(struct fixture *f, struct ym_facts facts)
{
    assert_int_equal(ym_judge(&f->sys, &f->op, &facts, f->a, &f->j, &f->err), YM_OK);
    return f->j.verdict;
}

static enum ym_verdict reply(struct fixture *f, long status, const char *body)
{
    return judge(f,
                 (struct ym_facts){
                     .sent = YM_REPLIED, .status = status, .stage = "", .body = ym_str_of(body)});
}

static const char irs[] =
    "      read:\n"
    "        code: { json: /code }\n"
    "        message: { json: /msg }\n"
    "        number: { json: /datas, parse: json, then: /data/0/id }\n"
    "        inner: { json: /datas, parse: json, then: /success }\n"
    "      outcomes:\n"
    "        - { when: { in: { code: [\"11\", \"14\"] } }, then: reauth }\n"
    "        - { when: { equals: { code: \"18\" } }, then: unavailable, after: 60s }\n"
    "        - { when: { equals: { inner: \"false\" } }, then: rejected }\n"
    "        - { when: { matches: { message: \"重复|已存在\" } }, then: duplicate }\n"
    "        - { when: { status: [200, 201], has: number, equals: { code: \"00\" } }, then: ok }\n"
    "        - { when: { status: 5xx }, then: unavailable, after: header }\n";

/* H2, H3, H5, H6, H9, H22: one gateway's envelope in all its moods. */
static void json_envelope(void **state)
{
    struct fixture *f = *state;

    rules(f, "http", irs);
    assert_int_equal(reply(f, 200,
                           "{\"code\":\"00\",\"datas\":\"{\\\"success\\\":true,\\\"data\\\":[{"
                           "\\\"id\\\":\\\" A-17 \\\"}]}\"}"),
                     YM_V_OK);
    assert_string_equal(f->j.number, "A-17");
    assert_int_equal(strlen(f->j.digest), 64);
    assert_true(f->j.rule_line > 0);
    /* the same as an object, and a number that is a number */
    assert_int_equal(
        reply(
            f, 201,
            "{\"code\":\"00\",\"datas\":{\"success\":true,\"data\":[{\"id\":9007199254740993}]}}"),
        YM_V_OK);
    assert_string_equal(f->j.number, "9007199254740993");
    assert_int_equal(reply(f, 200, "{\"code\":\"11\"}"), YM_V_REAUTH);
    assert_int_equal(reply(f, 200, "{\"code\":\"18\"}"), YM_V_UNAVAILABLE);
    assert_int_equal(f->j.after_ms, 60000);
    assert_int_equal(reply(f, 200, "{\"code\":\"00\",\"datas\":\"{\\\"success\\\":false}\"}"),
                     YM_V_REJECTED);
    assert_int_equal(reply(f, 200, "{\"code\":\"99\",\"msg\":\"该案件重复\"}"), YM_V_DUPLICATE);
    assert_string_equal(f->j.message, "该案件重复");
    /* empty, cut, no JSON at all: never a success */
    assert_int_equal(reply(f, 200, ""), YM_V_UNKNOWN);
    assert_int_equal(reply(f, 200, "{\"code\":\"00\",\"datas\":{\"data\":[{\"id\":\"A"),
                     YM_V_UNKNOWN);
    assert_non_null(f->j.message);
    assert_int_equal(reply(f, 200, "<html>登录</html>"), YM_V_UNKNOWN);
    assert_int_equal(f->j.rule_line, 0);
}

/* Without a rule: not sent, no reply, idempotent, a page that no rule speaks of. */
static void defaults(void **state)
{
    struct fixture *f = *state;

    rules(f, "http", "      outcomes:\n        - { when: { status: 200 }, then: ok }\n");
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_NOT_SENT}), YM_V_UNAVAILABLE);
    assert_string_equal(f->j.digest, "");
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_SENT_NO_REPLY}), YM_V_UNKNOWN);
    f->op.idempotent = true;
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_SENT_NO_REPLY}), YM_V_RETRY);
    assert_int_equal(reply(f, 404, "{}"), YM_V_UNKNOWN);
    assert_int_equal(
        judge(f, (struct ym_facts){.sent = YM_REPLIED, .stage = "page", .status = 200}),
        YM_V_RETRY);
    f->op.node = NULL; /* an operation without any reply: */
    assert_int_equal(reply(f, 200, "{}"), YM_V_UNKNOWN);
}

/* A rule that settles something needs grounds (ym_reply.h). */
static void grounds(void **state)
{
    struct fixture *f = *state;

    rules(f, "http",
          "      read: { number: { json: /n } }\n"
          "      outcomes:\n"
          "        - { when: { has: number }, then: ok }\n"
          "        - { when: { lacks: number }, then: absent }\n");
    assert_int_equal(reply(f, 200, "{\"n\":1}"), YM_V_OK);
    assert_int_equal(reply(f, 500, "{\"n\":1}"), YM_V_UNKNOWN);
    assert_int_equal(reply(f, 200, "{}"), YM_V_ABSENT);
    assert_int_equal(reply(f, 404, "{}"), YM_V_ABSENT);
    assert_int_equal(reply(f, 403, "{}"), YM_V_UNKNOWN);
    assert_int_equal(reply(f, 502, "<html>"), YM_V_UNKNOWN);
    assert_int_equal(reply(f, 200, "{\"rows\":["), YM_V_UNKNOWN); /* cut: absence is not proven */
    rules(f, "form", "      outcomes:\n        - { when: { status: 200 }, then: ok }\n");
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_REPLIED,
                                                .stage = "page",
                                                .status = 200,
                                                .body = YM_STR("<p>login</p>")}),
                     YM_V_RETRY);
    assert_int_equal(reply(f, 200, "<p>saved</p>"), YM_V_OK);
}

static const char soap_rules[] =
    "      unwrap: [ { xpath: \"//*[local-name()='SubmitThirdResult']\", as: json } ]\n"
    "      read:\n"
    "        number: { json: /Number }\n"
    "        ok: { json: /Success }\n"
    "        text: { xpath: //faultstring }\n"
    "      outcomes:\n"
    "        - { when: { equals: { fault_code: [soap:Client, \"ns:Client\"] } }, then: rejected }\n"
    "        - { when: { has: fault }, then: retry }\n"
    "        - { when: { equals: { ok: \"true\" }, has: number }, then: ok }\n";

/* H6, H13: JSON in a SOAP string under any prefix; faults of 1.1 and 1.2 in Chinese. */
static void soap(void **state)
{
    struct fixture *f = *state;

    rules(f, "soap", soap_rules);
    assert_int_equal(
        reply(f, 200,
              "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<S:Envelope xmlns:S=\"http://schemas."
              "xmlsoap.org/soap/envelope/\"><S:Body><ns2:SubmitThirdResponse xmlns:ns2=\"urn:x\">"
              "<ns2:SubmitThirdResult>{&quot;Success&quot;:true,&quot;Number&quot;:&quot;3301"
              "&quot;}</ns2:SubmitThirdResult></ns2:SubmitThirdResponse></S:Body></S:Envelope>"),
        YM_V_OK);
    assert_string_equal(f->j.number, "3301");
    assert_int_equal(
        reply(
            f, 500,
            "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>"
            "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>电话格式错误</faultstring>"
            "</soap:Fault></soap:Body></soap:Envelope>"),
        YM_V_REJECTED);
    assert_string_equal(f->j.message, "电话格式错误");
    assert_int_equal(
        reply(f, 500,
              "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\"><env:Body>"
              "<env:Fault><env:Code><env:Value>env:Receiver</env:Value></env:Code><env:Reason>"
              "<env:Text xml:lang=\"zh\">系统忙</env:Text></env:Reason></env:Fault></env:Body>"
              "</env:Envelope>"),
        YM_V_RETRY);
    assert_string_equal(f->j.message, "系统忙");
    /* a fault is never read as absence, or success, by a rule that compares nothing */
    rules(f, "soap",
          "      read: { number: { xpath: //no } }\n"
          "      outcomes:\n"
          "        - { when: { lacks: number }, then: absent }\n"
          "        - { then: pending }\n");
    assert_int_equal(reply(f, 200,
                           "<e:Envelope xmlns:e=\"u\"><e:Body><e:Fault><faultstring>x</faultstring>"
                           "</e:Fault></e:Body></e:Envelope>"),
                     YM_V_PENDING);
    assert_int_equal(
        reply(f, 200, "<e:Envelope xmlns:e=\"u\"><e:Body><none/></e:Body></e:Envelope>"),
        YM_V_ABSENT);
}

/* XML escaped in XML, the reply of the identity check (domain.md §3.3), and XML in CDATA. */
static void xml_in_xml(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {
        "<a><out>&lt;?xml version=\"1.0\" "
        "encoding=\"GBK\"?&gt;&lt;PACKAGE&gt;&lt;FHDM&gt;10&lt;/FHDM&gt;"
        "&lt;FHMS&gt;{\"no\":\"7\"}&lt;/FHMS&gt;&lt;/PACKAGE&gt;</out></a>",
        "<a><out><![CDATA[<PACKAGE><FHDM>10</FHDM><FHMS>{\"no\":\"7\"}</FHMS></PACKAGE>]]></out></"
        "a>",
    };

    rules(f, "soap",
          "      unwrap: [ { xpath: //out, as: xml } ]\n"
          "      read:\n"
          "        code: { xpath: /PACKAGE/FHDM }\n"
          "        number: { xpath: //FHMS, parse: json, then: /no }\n"
          "      outcomes:\n"
          "        - { when: { in: { code: [\"10\", \"11\"] }, has: number }, then: ok }\n");
    for (size_t i = 0; i < YM_COUNT(bodies); i++) {
        assert_int_equal(reply(f, 200, bodies[i]), YM_V_OK);
        assert_string_equal(f->j.number, "7");
    }
    assert_int_equal(reply(f, 200, "<a><out>&lt;PACKAGE&gt;</out></a>"), YM_V_UNKNOWN);
}

/* H11: GB18030 by header, by declaration, by the adapter, by nothing; a lying header; mojibake. */
static void charsets(void **state)
{
    struct fixture *f = *state;
    struct ym_facts facts = {.sent = YM_REPLIED, .status = 200, .stage = ""};
    static const char gbk[] = "{\"no\":\"\xb5\xf7\xbd\xe2-1\"}"; /* 调解-1 */

    rules(f, "http",
          "      read: { number: { json: /no } }\n"
          "      outcomes:\n        - { when: { has: number }, then: ok }\n");
    facts.body = ym_str_of(gbk);
    facts.charset = "GBK";
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_string_equal(f->j.number, "调解-1");
    facts.charset = NULL;
    f->sys.settings.charset = "gb18030";
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_string_equal(f->j.number, "调解-1");
    facts.charset = "ISO-8859-1"; /* a servlet container's default, which says nothing */
    assert_int_equal(judge(f, facts), YM_V_OK);
    facts.charset = "utf-8"; /* a lie: what the adapter declares fits without a loss */
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_int_equal(f->j.replaced, 0);
    facts.charset = NULL;
    facts.body = ym_str_of("{\"no\":\"调解-1\"}"); /* nothing said, and valid UTF-8 */
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_string_equal(f->j.number, "调解-1");
    f->sys.settings.charset = "utf-8";
    facts.charset = "utf-8";
    facts.body = ym_str_of(gbk); /* undecodable: counted, and no number made of replacements */
    assert_int_equal(judge(f, facts), YM_V_UNKNOWN);
    assert_null(f->j.number);
    assert_true(f->j.replaced > 0);
    facts.charset = "utf-16";
    facts.body = (struct ym_str){"{\0\"\0n\0", 6};
    assert_int_equal(judge(f, facts), YM_V_UNKNOWN);
    rules(f, "http",
          "      charset: gb2312\n      read: { number: { json: /no } }\n"
          "      outcomes:\n        - { when: { has: number }, then: ok }\n");
    facts.charset = "utf-8";
    facts.body = ym_str_of(gbk);
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_string_equal(f->j.number, "调解-1");
}

/* Retry-After: seconds, date against the answer's own Date, nonsense, too far away. */
static void retry_after(void **state)
{
    struct fixture *f = *state;
    struct ym_pair h[2] = {{"retry-after", "120"}, {"date", "Sat, 31 Jan 2026 00:30:00 GMT"}};
    struct ym_facts facts = {
        .sent = YM_REPLIED, .status = 503, .stage = "", .headers = h, .header_count = 2};

    rules(f, "http",
          "      outcomes:\n"
          "        - { when: { status: [429, 503] }, then: unavailable, after: header }\n"
          "        - { when: { status: 500 }, then: retry, after: 2m }\n");
    assert_int_equal(judge(f, facts), YM_V_UNAVAILABLE);
    assert_int_equal(f->j.after_ms, 120000);
    h[0].value = "Sat, 31 Jan 2026 00:31:30 GMT";
    judge(f, facts);
    assert_int_equal(f->j.after_ms, 90000);
    h[0].value = "Sat, 31 Jan 2026 00:29:00 GMT";
    judge(f, facts);
    assert_int_equal(f->j.after_ms, 0);
    h[0].value = "soon";
    judge(f, facts);
    assert_int_equal(f->j.after_ms, 0);
    h[0].value = "999999999999";
    judge(f, facts);
    assert_int_equal(f->j.after_ms, 24 * 3600000LL);
    facts.status = 500;
    judge(f, facts);
    assert_int_equal(f->j.after_ms, 120000);
}

/* HTML, text, header and file stages. */
static void other_formats(void **state)
{
    struct fixture *f = *state;
    struct ym_pair h[1] = {{"location", "/case/show?id=K-9"}};
    struct ym_facts facts = {
        .sent = YM_REPLIED, .status = 302, .stage = "", .headers = h, .header_count = 1};

    rules(f, "form",
          "      read:\n"
          "        number: { header: Location, regex: \"id=([A-Z0-9-]+)\" }\n"
          "        captcha: { xpath: \"//img[@id='captcha']/@src\" }\n"
          "      outcomes:\n"
          "        - { when: { stage: page, has: captcha }, then: handoff }\n"
          "        - { when: { status: 302, has: number }, then: ok }\n");
    assert_int_equal(judge(f, facts), YM_V_OK);
    assert_string_equal(f->j.number, "K-9");
    facts = (struct ym_facts){.sent = YM_REPLIED,
                              .status = 200,
                              .stage = "page",
                              .body = YM_STR("<p>请输入<IMG ID=captcha SRC=/c.png>")};
    assert_int_equal(judge(f, facts), YM_V_HANDOFF);
    facts.sent =
        YM_NOT_SENT; /* as the form transport says it: a page came, nothing was submitted */
    assert_int_equal(judge(f, facts), YM_V_HANDOFF);
    rules(f, "form",
          "      outcomes:\n"
          "        - { when: { status: [301, 302, 303] }, then: reauth }\n"
          "        - { then: unknown }\n");
    facts = (struct ym_facts){.sent = YM_NOT_SENT, .status = 302, .stage = "page"};
    assert_int_equal(judge(f, facts), YM_V_REAUTH);
    facts.status = 200;
    assert_int_equal(judge(f, facts), YM_V_RETRY);
    facts.status = 0;
    assert_int_equal(judge(f, facts), YM_V_UNAVAILABLE);
    rules(f, "file",
          "      read:\n"
          "        status: { regex: \"(?m)^status=(\\\\w+)\" }\n"
          "      outcomes:\n"
          "        - { when: { stage: \"file:0\", equals: { status: OK } }, then: ok }\n"
          "        - { when: { stage: \"file:1\" }, then: pending }\n"
          "        - { when: { stage: absent }, then: absent }\n");
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_REPLIED,
                                                .stage = "file:0",
                                                .body = YM_STR("number=1\r\nstatus=OK\r\n")}),
                     YM_V_OK);
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_REPLIED, .stage = "file:1"}),
                     YM_V_PENDING);
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_REPLIED, .stage = "absent"}),
                     YM_V_ABSENT);
    rules(f, "file",
          "      format: csv\n      read: { number: { json: /0/编号 } }\n"
          "      outcomes:\n        - { when: { has: number }, then: ok }\n");
    assert_int_equal(judge(f, (struct ym_facts){.sent = YM_REPLIED,
                                                .stage = "",
                                                .body = YM_STR("状态,编号\r\n好,\"B,2\"\r\n")}),
                     YM_V_OK);
    assert_string_equal(f->j.number, "B,2");
}

/* Messages are cut at 300 characters on one line, never in the middle of one. */
static void messages(void **state)
{
    struct fixture *f = *state;
    char body[2000] = "{\"m\":\"\\n";
    size_t n = strlen(body);

    rules(f, "http",
          "      read: { message: { json: /m } }\n"
          "      outcomes:\n        - { then: rejected, message: \"\" }\n");
    for (int i = 0; i < 400; i++, n += 3) {
        memcpy(body + n, "界", 3);
    }
    memcpy(body + n, "\"}", 3);
    assert_int_equal(reply(f, 200, body), YM_V_REJECTED);
    assert_string_equal(f->j.message, "");
    rules(f, "http",
          "      read: { message: { json: /m } }\n      outcomes:\n        - { then: rejected }\n");
    reply(f, 200, body);
    assert_int_equal(strlen(f->j.message), 900);
    assert_int_equal(f->j.captured_count, 1);
    assert_string_equal(f->j.captured[0].name, "message");
}

/* XML that attacks: refused within its limits, judged unknown, and the process lives. */
static void hostile_xml(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {
        "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"x\"><!ENTITY b "
        "\"&a;&a;&a;&a;\">]><l><no>&b;</no></l>",
        "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><no>&x;</no></r>",
        "<!DOCTYPE r SYSTEM \"http://192.0.2.1/evil.dtd\"><r><no>1</no></r>",
        "<r><no>&x;</no></r>",
        "<r><no>1</no>",
        "\xFF\xFE<\0r\0",
    };
    struct ym_buf b;

    rules(f, "soap",
          "      read: { number: { xpath: //no } }\n"
          "      outcomes:\n        - { when: { has: number }, then: ok }\n");
    assert_int_equal(reply(f, 200, "<r><no>1</no></r>"), YM_V_OK);
    for (size_t i = 0; i < YM_COUNT(bodies); i++) {
        assert_int_equal(reply(f, 200, bodies[i]), YM_V_UNKNOWN);
        assert_null(f->j.number);
    }
    ym_buf_init(&b, 1u << 20); /* depth */
    for (int i = 0; i < 100000; i++) {
        ym_buf_adds(&b, "<a>");
    }
    assert_int_equal(reply(f, 200, b.p), YM_V_UNKNOWN);
    ym_buf_reset(&b); /* 10,000 attributes of one element */
    ym_buf_adds(&b, "<r><no ");
    for (int i = 0; i < 10000; i++) {
        ym_buf_addf(&b, "a%d='>' ", i);
    }
    ym_buf_adds(&b, ">1</no></r>");
    assert_int_equal(reply(f, 200, b.p), YM_V_UNKNOWN);
    assert_null(f->j.number);
    ym_buf_clear(&b);
}

/* A regular expression that explodes is cut off by its limit and counts as no match. */
static void hostile_regex(void **state)
{
    struct fixture *f = *state;
    char body[256];

    rules(f, "http",
          "      read: { m: { json: /m } }\n"
          "      outcomes:\n        - { when: { matches: { m: \"^(a+)+$\" } }, then: ok }\n");
    memset(body, 'a', sizeof(body));
    memcpy(body, "{\"m\":\"", 6);
    memcpy(body + sizeof(body) - 5, "!\"}", 4);
    assert_int_equal(reply(f, 200, body), YM_V_UNKNOWN);
    assert_int_equal(reply(f, 200, "{\"m\":\"aaa\"}"), YM_V_OK);
}

/* Each wrong line of a rule file is named with its line; a good file has no finding. */
static void check(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *transport, *yaml, *says;
        int line;
    } bad[] = {
        {"http", "      outcomes:\n        - { then: ok }\n        - { then: retry }\n",
         "never reached", 6},
        {"http", "      outcomes:\n        - { when: { has: numbr }, then: ok }\n", "numbr", 5},
        {"http", "      outcomes:\n        - { then: okay }\n", "then takes one of", 5},
        {"http", "      outcomes:\n        - { when: { status: 2000 }, then: ok }\n", "2000", 5},
        {"http", "      outcomes:\n        - { when: { stage: pge }, then: ok }\n", "pge", 5},
        {"http", "      outcomes:\n        - { when: { has_not: x }, then: ok }\n", "has_not", 5},
        {"http", "      outcomes:\n        - { then: retry, after: 60 monkeys }\n", "after takes",
         5},
        {"http",
         "      read: { a: { json: /a } }\n      outcomes:\n"
         "        - { when: { equals: { a: \"{reff}\" } }, then: ok }\n",
         "there is no {reff}", 6},
        {"http", "      read: { a: { json: no-slash } }\n", "must begin with /", 4},
        {"soap", "      read: { a: { xpath: \"//[\" } }\n", "XPath", 4},
        {"http", "      read: { a: { regex: \"(\" } }\n", "regular expression", 4},
        {"http", "      read: { a: { xpath: //b } }\n", "cannot be read this way", 4},
        {"http", "      read: { a: { json: /a, xpath: //b } }\n", "exactly one", 4},
        {"http", "      read: { a: { json: /a, then: /b } }\n", "parse", 4},
        {"http", "      format: yaml\n", "format takes", 4},
        {"http", "      charset: utf-16\n", "charset takes", 4},
        {"http", "      colour: red\n", "colour", 4},
        {"soap", "      unwrap: [ { json: /a } ]\n", "unwrap step", 4},
        {"soap", "      unwrap: [ { xpath: //a, as: tar } ]\n", "as takes", 4},
    };

    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        struct ym_diag d;

        rules(f, bad[i].transport, bad[i].yaml);
        ym_diag_init(&d);
        ym_reply_check(&f->sys, &f->op, &d);
        if (d.count == 0 || strstr(d.items[0].message, bad[i].says) == NULL ||
            d.items[0].line != bad[i].line) {
            fail_msg("%s -> line %d: %s", bad[i].yaml, d.count > 0 ? d.items[0].line : -1,
                     d.count > 0 ? d.items[0].message : "(nothing)");
        }
        assert_string_equal(d.items[0].file, "adapter.yaml");
        assert_int_equal(
            ym_judge(&f->sys, &f->op, &(struct ym_facts){.sent = YM_REPLIED}, f->a, &f->j, &f->err),
            YM_EINVAL);
        ym_diag_clear(&d);
    }
    for (size_t i = 0; i < 2; i++) {
        struct ym_diag d;

        rules(f, i == 0 ? "http" : "soap", i == 0 ? irs : soap_rules);
        ym_diag_init(&d);
        ym_reply_check(&f->sys, &f->op, &d);
        assert_int_equal(d.total, 0);
        ym_diag_clear(&d);
    }
}

/* `reply: create` shares another operation's rules; a wrong name is said. */
static void shared(void **state)
{
    struct fixture *f = *state;
    struct ym_yaml *root = NULL;
    struct ym_diag d;
    const char *text =
        "operations:\n  create:\n    reply:\n      outcomes:\n        - { then: broken }\n"
        "  update:\n    reply: create\n  other:\n    reply: nothing\n";

    assert_int_equal(ym_yaml_parse(ym_str_of(text), "adapter.yaml", f->a, &root, &f->err), YM_OK);
    f->sys = (struct ym_system){.id = "demo", .transport = "http", .node = root};
    f->op.name = "update";
    f->op.node = ym_yaml_get(ym_yaml_get(root, "operations"), "update");
    assert_int_equal(reply(f, 200, "{}"), YM_V_BROKEN);
    f->op.node = ym_yaml_get(ym_yaml_get(root, "operations"), "other");
    ym_diag_init(&d);
    ym_reply_check(&f->sys, &f->op, &d);
    assert_int_equal(d.total, 1);
    assert_int_equal(d.items[0].line, 9);
    ym_diag_clear(&d);
}

/* H25: an answer is held to what was sent; what is not known proves nothing. */
static void about_what_was_sent(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule, *ref, *number, *said;
        enum ym_verdict want;
    } cases[] = {
        {"{ref}", "01KG", "A-1", "01KG", YM_V_OK},
        {"{ref}", "01KG", "A-1", "01KH", YM_V_UNKNOWN},
        {"{ref}", "01KG", "A-1", "01KG1", YM_V_UNKNOWN},
        {"{ref}", "01KG", "A-1", "01K", YM_V_UNKNOWN},
        {"{ref}", NULL, NULL, "{ref}", YM_V_UNKNOWN},
        {"{ref}", "", "", "x", YM_V_UNKNOWN},
        {"{number}", "01KG", "A-1", "A-1", YM_V_OK},
        {"{number}", "01KG", "", "A-1", YM_V_UNKNOWN},
        {"[{ref}/{number}]", "01KG", "A-1", "[01KG/A-1]", YM_V_OK},
        {"[{ref}/{number}]", "01KG", "A-1", "[01KG/A-1", YM_V_UNKNOWN},
        {"{1}", "01KG", "A-1", "{1}", YM_V_OK}, /* a placeholder of theirs is plain text */
    };

    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *yaml =
            ym_arena_printf(f->a,
                            "      read: { a: { json: /a } }\n      outcomes:\n"
                            "        - { when: { equals: { a: \"%s\" } }, then: ok }\n",
                            cases[i].rule);
        const char *body = ym_arena_printf(f->a, "{\"a\":\"%s\"}", cases[i].said);
        enum ym_verdict got;

        rules(f, "http", yaml);
        got = judge(f, (struct ym_facts){.sent = YM_REPLIED,
                                         .status = 200,
                                         .stage = "",
                                         .body = ym_str_of(body),
                                         .ref = cases[i].ref,
                                         .number = cases[i].number});
        if (got != cases[i].want) {
            fail_msg("%s and \"%s\": %s", cases[i].rule, cases[i].said, ym_verdict_word(got));
        }
    }
}

/* After a reload with other rules the cache does not answer with the old ones. */
static void reload(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 600; i++) {
        char yaml[200];

        snprintf(yaml, sizeof(yaml),
                 "      read: { c: { json: /c } }\n      outcomes:\n"
                 "        - { when: { equals: { c: \"%d\" } }, then: ok }\n",
                 i);
        rules(f, "http", yaml);
        snprintf(yaml, sizeof(yaml), "{\"c\":%d}", i);
        assert_int_equal(reply(f, 200, yaml), YM_V_OK);
        assert_int_equal(reply(f, 200, "{\"c\":-1}"), YM_V_UNKNOWN);
    }
}

/* Every allocation may fail once: ENOMEM or a verdict, nothing leaks, the cache stays sound. */
static void allocations(void **state)
{
    struct fixture *f = *state;
    struct ym_facts facts = {
        .sent = YM_REPLIED,
        .status = 200,
        .stage = "",
        .body = YM_STR("{\"code\":\"00\",\"datas\":\"{\\\"data\\\":[{\\\"id\\\":1}]}\"}")};

    rules(f, "http", irs);
    for (long n = 1; n < 400; n++) {
        ym_status rc;

        ym_reply_forget();
        ym_fault_after(n);
        rc = ym_judge(&f->sys, &f->op, &facts, f->a, &f->j, &f->err);
        ym_fault_after(0);
        assert_true(rc == YM_OK || rc == YM_ENOMEM || rc == YM_EINVAL);
        assert_true(rc != YM_OK || f->j.verdict == YM_V_OK || f->j.verdict == YM_V_UNKNOWN);
    }
    assert_int_equal(judge(f, facts), YM_V_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(json_envelope), TEST(defaults),    TEST(grounds),       TEST(soap),
        TEST(xml_in_xml),    TEST(charsets),    TEST(retry_after),   TEST(other_formats),
        TEST(messages),      TEST(hostile_xml), TEST(hostile_regex), TEST(check),
        TEST(shared),        TEST(reload),      TEST(allocations),   TEST(about_what_was_sent),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
