/* SPDX-License-Identifier: Apache-2.0
 * Records → exact bytes for every transport, through real adapter files; and what a wrong adapter
 * file is told.
 */
#include "ym_render.h"

#include "ym_catalog.h"
#include "ym_codec.h"
#include "ym_doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct ym_arena *a;
    struct ym_catalog cat;
    struct ym_system sys;
    struct ym_diag d;
    struct ym_problems problems;
    struct ym_wire w;
    struct ym_err err;
    json_t *record;
    const char *number;
    char dir[64];
};

static const char record_text[] =
    "{\"id\":\"01J00000000000000000000000\",\"type\":\"dispute\",\"revision\":3,\"owner\":\"w1\","
    "\"org\":\"o\",\"area\":\"330106\",\"created_at\":\"2026-01-31T08:30:00+08:00\","
    "\"updated_at\":\"2026-01-31T08:30:00+08:00\",\"data\":{\"title\":\"邻里 <漏水> & \\\"墙\\\"\","
    "\"n\":\"12\",\"rare\":\"a𠮷\",\"formula\":\"=1+1\",\"lines\":\"一\\n二\","
    "\"parties\":[{\"name\":\"张三\",\"tel\":\"138\"},{\"name\":\"李四\",\"tel\":\"139\"}]}}";

static int setup(void **state)
{
    static struct fixture f;
    static const struct ym_type dispute = {.name = "dispute"};

    memset(&f, 0, sizeof(f));
    f.a = ym_arena_open();
    f.cat.arena = f.a;
    f.cat.types = &dispute;
    f.cat.type_count = 1;
    ym_diag_init(&f.d);
    snprintf(f.dir, sizeof(f.dir), "/tmp/ym-render-XXXXXX");
    *state = &f;
    return f.a == NULL || mkdtemp(f.dir) == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char path[200];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/demo/%s", f->dir, i == 0 ? "adapter.yaml" : "site.yaml");
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/demo", f->dir);
    rmdir(path);
    rmdir(f->dir);
    json_decref(f->record);
    ym_diag_clear(&f->d);
    ym_arena_close(f->a);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fputs(text, out) >= 0, 1);
    assert_int_equal(fclose(out), 0);
}

/* Loads an adapter whose head is written here; rest: settings, connection, operations … */
static void load(struct fixture *f, const char *transport, const char *rest)
{
    char path[200], site[200];
    const char *text = ym_arena_printf(
        f->a,
        "system: demo\ntitle: { zh: 演示, en: Demo }\nversion: 1\nverified: own-simulator\n"
        "verified_against: unit test\ntransport: %s\ntakes: [dispute]\n%s",
        transport, rest);

    snprintf(path, sizeof(path), "%s/demo", f->dir);
    (void)mkdir(path, 0700);
    snprintf(site, sizeof(site), "%s/demo/site.yaml", f->dir);
    put(site, ym_arena_printf(f->a,
                              "enabled: true\n%svars: { code: \"0571\" }\n"
                              "secrets: { appKey: \"env:A\", secret: \"env:B\" }\n",
                              strcmp(transport, "handoff") == 0
                                  ? ""
                                  : "endpoint: \"http://demo.test/base/\"\n"));
    snprintf(path, sizeof(path), "%s/demo/adapter.yaml", f->dir);
    put(path, text);
    snprintf(path, sizeof(path), "%s/demo", f->dir);
    ym_diag_clear(&f->d);
    ym_diag_init(&f->d);
    memset(&f->sys, 0, sizeof(f->sys));
    (void)ym_system_load(&f->cat, path, site, f->a, &f->sys, &f->d);
}

static const char *secret(void *data, const char *name)
{
    (void)data;
    return strcmp(name, "appKey") == 0 ? "ak-demo" : strcmp(name, "secret") == 0 ? "sk-demo" : NULL;
}

static const char *session(void *data, const char *name)
{
    (void)data;
    return strcmp(name, "requestSecret") == 0 ? "request-demo" : NULL;
}

static ym_status render(struct fixture *f, const char *op)
{
    struct ym_render_ctx ctx = {.nonce = "nonce-demo"};
    json_error_t why;

    if (f->d.total > 0) {
        fail_msg("%s:%d %s", f->d.items[0].file, f->d.items[0].line, f->d.items[0].message);
    }
    json_decref(f->record);
    f->record = json_loads(record_text, 0, &why);
    assert_non_null(f->record);
    ctx.map.record = f->record;
    ctx.map.number = f->number;
    ctx.map.op = op;
    ctx.map.now_ms = 1700000000000;
    ctx.map.attempt = 1;
    ctx.map.offset_min = 480;
    ctx.map.secret = secret;
    ctx.map.session = session;
    ym_problems_init(&f->problems, f->a);
    assert_non_null(ym_system_operation(&f->sys, op));
    return ym_render(&f->sys, ym_system_operation(&f->sys, op), &ctx, f->a, &f->w, &f->problems,
                     &f->err);
}

static void renders(struct fixture *f, const char *op, const char *expected)
{
    struct ym_buf b;
    ym_status rc = render(f, op);

    if (rc != YM_OK) {
        fail_msg("%d %s, %zu problems", rc, f->err.message, f->problems.total);
    }
    ym_buf_init(&b, 1u << 20);
    assert_int_equal(ym_wire_print(&f->w, &b), YM_OK);
    assert_string_equal(b.p, expected);
    ym_buf_clear(&b);
}

static void http(void **state)
{
    struct fixture *f = *state;

    load(f, "http",
         "session:\n  open: sign_in\n  keep: { requestSecret: s }\n  lifetime: 20m\n"
         "operations:\n"
         "  create:\n    method: POST\n    path: /api/case/{type}\n    body: json\n"
         "    query: [ { to: q, from: /data/title } ]\n"
         "    headers: [ { to: X-Code, from: $settings.code } ]\n"
         "    fields:\n"
         "      - { to: title, from: /data/title }\n"
         "      - { to: a.n, from: /data/n, as: integer }\n"
         "      - { to: gone, from: /data/none }\n"
         "      - { to: p, each: /data/parties, fields: [ { to: name, from: /name } ] }\n"
         "    sign: { scheme: irs_md5, into: headers, params: { appKey: $secret.appKey, secret: "
         "$session.requestSecret } }\n"
         "  update:\n    method: PUT\n    path: /api/case/{number}/{revision}\n    body: form\n"
         "    fields:\n      - { to: title, from: /data/title }\n"
         "      - { to: p, each: /data/parties, fields: [ { to: tel, from: /tel } ] }\n"
         "    sign: { scheme: irs_md5, into: body, params: { appKey: $secret.appKey, secret: "
         "$secret.secret } }\n"
         "  withdraw:\n    method: DELETE\n    path: api/{ref}?why=w\n"
         "    sign: { scheme: irs_md5, into: query, params: { appKey: $secret.appKey, secret: "
         "$secret.secret } }\n"
         "  sign_in:\n    path: /in\n    reply: { read: { s: { json: /s } } }\n"
         "  probe:\n    path: /x\n    body: xml\n    root: request\n    namespace: \"urn:a&b\"\n"
         "    fields:\n      - { to: \"@v\", const: \"1\" }\n      - { to: title, from: "
         "/data/title }\n"
         "      - { to: p, each: /data/parties, fields: [ { to: \"@n\", from: /name }, { to: tel, "
         "from: /tel } ] }\n");
    renders(f, "create",
            "POST "
            "http://demo.test/base/api/case/"
            "dispute?q=%E9%82%BB%E9%87%8C+%3C%E6%BC%8F%E6%B0%B4%3E+%26+%22%E5%A2%99%22\n"
            "X-Code: 0571\nContent-Type: application/json; charset=utf-8\nappKey: ak-demo\n"
            "sign: d872d431b9406193a76ec006b7c28ec3\nrequestTime: 1700000000000\n\n"
            "{\"title\":\"邻里 <漏水> & "
            "\\\"墙\\\"\",\"a\":{\"n\":12},\"p\":[{\"name\":\"张三\"},{\"name\":\"李四\"}]}\n");
    assert_int_equal(render(f, "update"), YM_EINVAL); /* no number yet */
    assert_non_null(strstr(f->err.message, "{number}"));
    f->number = "A/7";
    renders(f, "update",
            "PUT http://demo.test/base/api/case/A%2F7/3\n"
            "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n\n"
            "title=%E9%82%BB%E9%87%8C+%3C%E6%BC%8F%E6%B0%B4%3E+%26+%22%E5%A2%99%22&p%5B0%5D.tel="
            "138&p%5B1%5D.tel=139"
            "&appKey=ak-demo&sign=757e7a70bd3b322f6eb4aa6bfe300352&requestTime=1700000000000\n");
    renders(f, "withdraw",
            "DELETE http://demo.test/base/api/01J00000000000000000000000?why=w&appKey=ak-demo"
            "&sign=757e7a70bd3b322f6eb4aa6bfe300352&requestTime=1700000000000\n");
    renders(f, "probe",
            "POST http://demo.test/base/x\nContent-Type: application/xml; charset=utf-8\n\n"
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><request xmlns=\"urn:a&amp;b\" "
            "v=\"1\"><title>邻里 &lt;漏水&gt; &amp; \"墙\""
            "</title><p n=\"张三\"><tel>138</tel></p><p n=\"李四\"><tel>139</tel></p></request>\n");
}

static void soap(void **state)
{
    struct fixture *f = *state;

    load(f, "soap",
         "connection: { version: \"1.1\", style: document, namespace: \"http://tempuri.org/\" }\n"
         "operations:\n"
         "  create:\n    operation: SubmitThird\n    action: \"http://tempuri.org/SubmitThird\"\n"
         "    fields:\n      - { to: id, const: \"7\" }\n"
         "      - to: strThird\n        encode: json\n        fields: [ { to: Title, from: "
         "/data/title } ]\n");
    renders(f, "create",
            "POST http://demo.test/base/\nContent-Type: text/xml; charset=utf-8\n"
            "SOAPAction: \"http://tempuri.org/SubmitThird\"\n\n"
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope "
            "xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">"
            "<soap:Body><SubmitThird "
            "xmlns=\"http://tempuri.org/\"><id>7</id><strThird>{\"Title\":\"邻里 &lt;漏水&gt; "
            "&amp; \\\"墙\\\"\"}"
            "</strThird></SubmitThird></soap:Body></soap:Envelope>\n");
    load(f, "soap",
         "connection: { version: \"1.2\", style: rpc, namespace: \"urn:x\", encoded: true }\n"
         "operations:\n"
         "  create:\n    operation: startEvt\n    action: \"urn:go\"\n    path: /svc\n"
         "    header_fields: [ { to: auth.user, const: u } ]\n"
         "    fields:\n      - to: xml\n        encode: xml\n        root: data\n        cdata: "
         "true\n"
         "        fields: [ { to: t, from: /data/title } ]\n"
         "    sign: { scheme: gjgxjhpt_hmac, into: soap_header, under: tongtechheader, params: { "
         "secret: $secret.secret, sid: s1, rid: r1 } }\n");
    renders(f, "create",
            "POST http://demo.test/base/svc\nContent-Type: application/soap+xml; charset=utf-8; "
            "action=\"urn:go\"\n\n"
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope "
            "xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\""
            " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
            "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">"
            "<soap:Header><auth xmlns=\"urn:x\"><user>u</user></auth><tongtechheader "
            "xmlns=\"urn:x\"><gjgxjhpt_rid>r1</gjgxjhpt_rid>"
            "<gjgxjhpt_sid>s1</gjgxjhpt_sid><gjgxjhpt_rtime>1700000000000</gjgxjhpt_rtime>"
            "<gjgxjhpt_sign>CwU9Kw2/WrL9f7bmfOhySTh2P3JITfyBWucHUbg/cPM=</gjgxjhpt_sign></"
            "tongtechheader></soap:Header>"
            "<soap:Body><m:startEvt xmlns:m=\"urn:x\" "
            "soap:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"
            "<xml xsi:type=\"xsd:string\"><![CDATA[<data><t>邻里 &lt;漏水&gt; &amp; "
            "\"墙\"</t></data>]]></xml></m:startEvt>"
            "</soap:Body></soap:Envelope>\n");
}

static void form_and_card(void **state)
{
    struct fixture *f = *state;

    load(f, "form",
         "settings: { charset: gb18030 }\n"
         "operations:\n"
         "  create:\n    lookup: find\n    page: \"/case/new?k={ref}\"\n    form: caseForm\n"
         "    fields: [ { to: title, from: /data/title }, { to: rare, from: /data/rare } ]\n"
         "  find:\n    method: GET\n    path: \"/case/search?no={ref}\"\n"
         "  probe:\n    path: /direct\n    fields: [ { to: n, from: /data/parties/0/name } ]\n");
    renders(f, "create",
            "FORM caseForm of http://demo.test/base/case/new?k=01J00000000000000000000000\n\n"
            "title = 邻里 <漏水> & \"墙\"\nrare = a𠮷\n");
    renders(f, "find", "GET http://demo.test/base/case/search?no=01J00000000000000000000000\n");
    assert_int_equal(render(f, "probe"), YM_OK);
    assert_string_equal(f->w.body.p, "n=%D5%C5%C8%FD");
    assert_string_equal(f->w.headers[0].value,
                        "application/x-www-form-urlencoded; charset=gb18030");
    load(f, "handoff",
         "operations:\n  create:\n    fields:\n      - { to: 标题, from: /data/title }\n"
         "      - { to: 电话, from: /data/parties/1/tel }\n");
    renders(f, "create", "CARD\n标题: 邻里 <漏水> & \"墙\"\n电话: 139\n");
}

static void sql(void **state)
{
    struct fixture *f = *state;

    load(
        f, "sql",
        "operations:\n"
        "  create:\n    lookup: find\n    statements:\n"
        "      - { guard: app.up_pro_accept, where: [ { to: row_guid, from: $ref } ] }\n"
        "      - insert: up_pro_accept\n        fields:\n          - { to: row_guid, from: $ref }\n"
        "          - { to: name, from: /data/title }\n          - { to: none, from: /data/none, "
        "empty: \"null\" }\n"
        "      - { update: t, fields: [ { to: a, const: \"1\" } ], where: [ { to: b, from: /data/n "
        "}, { to: c, from: /data/none, empty: \"null\" } ] }\n"
        "  find:\n    statements:\n      - { select: up_pro_accept, columns: [no, is_sync], where: "
        "[ { to: row_guid, from: $ref } ] }\n");
    renders(f, "create",
            "-- stop here when a row is found\nSELECT row_guid FROM app.up_pro_accept WHERE "
            "row_guid = ?;\n"
            "  1: \"01J00000000000000000000000\"\n"
            "INSERT INTO up_pro_accept (row_guid, name, none) VALUES (?, ?, ?);\n"
            "  1: \"01J00000000000000000000000\"\n  2: \"邻里 <漏水> & \\\"墙\\\"\"\n  3: NULL\n"
            "UPDATE t SET a = ? WHERE b = ? AND c IS NULL;\n  1: \"1\"\n  2: \"12\"\n");
    renders(f, "find",
            "SELECT no, is_sync FROM up_pro_accept WHERE row_guid = ?;\n  1: "
            "\"01J00000000000000000000000\"\n");
    assert_true(f->w.statements[0].is_query && !f->w.statements[0].guard);
}

static void file(void **state)
{
    struct fixture *f = *state;
    struct ym_doc doc;
    const struct ym_doc_charsets gb = {"gb18030", NULL, NULL};

    load(f, "file",
         "settings: { charset: gb18030 }\n"
         "operations:\n"
         "  create:\n    lookup: find\n    dir: inbox\n    name: \"YM_{ref}_{revision}.csv\"\n    "
         "done: "
         "\"{name}.done\"\n    format: csv\n    bom: true\n"
         "    fields: [ { to: 编号, from: $ref }, { to: 空, from: /data/none }, { to: 公式, from: "
         "/data/formula }, { to: 题, from: /data/title } ]\n"
         "  find:\n    name: \"YM_{ref}_{revision}.csv\"\n    read: [\"ack/{name}.ack\", "
         "\"inbox/{name}\"]\n"
         "  probe:\n    name: \"{number}.xml\"\n    format: xml\n    root: row\n    fields: [ { "
         "to: t, from: /data/title } ]\n");
    assert_int_equal(render(f, "create"), YM_OK);
    assert_string_equal(f->w.file_name, "YM_01J00000000000000000000000_3.csv");
    assert_string_equal(f->w.temp_name, "YM_01J00000000000000000000000_3.csv.tmp");
    assert_string_equal(f->w.done_name, "YM_01J00000000000000000000000_3.csv.done");
    assert_string_equal(f->w.file_dir, "inbox");
    assert_memory_equal(f->w.body.p, "\x84\x31\x95\x33", 4); /* GB18030's byte-order mark */
    assert_int_equal(
        ym_doc_decode((struct ym_str){f->w.body.p + 4, f->w.body.n - 4}, &gb, f->a, &doc, &f->err),
        YM_OK);
    assert_string_equal(
        doc.text.p,
        "编号,空,公式,题\r\n01J00000000000000000000000,,'=1+1,\"邻里 <漏水> & \"\"墙\"\"\"\r\n");
    renders(f, "find",
            "READ ack/YM_01J00000000000000000000000_3.csv.ack\nREAD "
            "inbox/YM_01J00000000000000000000000_3.csv\n");
    f->number = "../x";
    assert_int_equal(render(f, "probe"), YM_OK);
    assert_string_equal(f->w.file_name, "..%2Fx.xml");
}

/* A character the system's charset lacks is refused at its pointer; nothing is sent in its place. */
static void lost_characters(void **state)
{
    struct fixture *f = *state;

    load(f, "http",
         "settings: { charset: gbk }\noperations:\n  create:\n    path: /a\n    body: form\n"
         "    fields: [ { to: t, from: /data/title }, { to: r, from: /data/rare } ]\n"
         "  update:\n    path: /a\n    body: json\n    fields: [ { to: r, from: /data/rare } ]\n"
         "  probe:\n    path: /a\n    body: json\n    fields: [ { to: t, from: "
         "/data/parties/0/name } ]\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(render(f, i == 0 ? "create" : "update"), YM_EINVAL);
        assert_int_equal(f->problems.total, 1);
        assert_int_equal(f->problems.items[0].code, YM_P_CHARSET);
        assert_string_equal(f->problems.items[0].pointer, "/rare");
    }
    assert_int_equal(render(f, "probe"), YM_OK);
    assert_string_equal(f->w.body.p, "{\"t\":\"\xd5\xc5\xc8\xfd\"}");
}

/* A line end never gets into a header. */
static void header_injection(void **state)
{
    struct fixture *f = *state;

    load(f, "http",
         "operations:\n  create:\n    path: /a\n    headers: [ { to: X-T, from: /data/lines } ]\n");
    assert_int_equal(render(f, "create"), YM_EINVAL);
    assert_non_null(strstr(f->err.message, "X-T"));
    load(f, "http",
         "operations:\n  create:\n    path: /a\n    headers: [ { to: X-T, from: /data/lines, "
         "apply: [oneline] } ]\n");
    assert_int_equal(render(f, "create"), YM_OK);
}

/* The SM envelope takes the place of the body. */
static void sm_envelope(void **state)
{
    struct fixture *f = *state;

    load(f, "http",
         "operations:\n  create:\n    path: /a\n    body: json\n    fields: [ { to: t, from: "
         "/data/n } ]\n"
         "    sign:\n      scheme: sm_envelope\n      into: body\n      params:\n        appCode: "
         "app\n"
         "        sm4_key: 0123456789abcdeffedcba9876543210\n"
         "        sm2_key: 3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8\n");
    assert_int_equal(render(f, "create"), YM_OK);
    assert_memory_equal(f->w.body.p, "{\"data\":{\"data\":{\"encData\":\"", 28);
    assert_non_null(strstr(f->w.body.p, "\"signType\":\"SM2\""));
    assert_null(strstr(f->w.body.p, "\"t\":"));
}

/* Each wrong line is named with its line; a good adapter has no finding. */
static void check(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *transport, *yaml, *says;
        int line;
    } bad[] = {
        {"http", "operations:\n  create:\n    path: /a\n    method: FETCH\n", "method takes", 11},
        {"http", "operations:\n  create:\n    path: \"/a b\"\n", "URL cannot carry", 10},
        {"http", "operations:\n  create:\n    path: /a/{id}\n", "{id}", 10},
        {"http", "operations:\n  create:\n    path: /a/{ref\n", "not closed", 10},
        {"http", "operations:\n  create:\n    method: POST\n", "needs path", 10},
        {"http",
         "operations:\n  create:\n    path: /a\n    method: GET\n    fields: [ { to: a, const: b } "
         "]\n",
         "no body", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    body: xml\n    fields: [ { to: a, const: b } "
         "]\n",
         "root", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    body: xml\n    root: r\n    fields: [ { to: "
         "\"1a\", const: b } ]\n",
         "no XML name", 13},
        {"http", "operations:\n  create:\n    path: /a\n    sign: { scheme: rot13 }\n",
         "no signing scheme", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    sign: { scheme: irs_md5, params: { appKey: a } "
         "}\n",
         "needs the parameter secret", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    sign: { scheme: irs_md5, params: { appKey: a, "
         "secret: $settings.nope } }\n",
         "nope", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    sign: { scheme: irs_md5, params: { appKey: a, "
         "secret: b, salt: c } }\n",
         "salt", 11},
        {"http",
         "operations:\n  create:\n    path: /a\n    sign: { scheme: irs_md5, into: footer, params: "
         "{ appKey: a, secret: b } }\n",
         "into takes", 11},
        {"soap", "operations:\n  create:\n    action: x\n", "needs operation", 10},
        {"soap", "connection: { version: \"2.0\" }\noperations:\n  create:\n    operation: A\n",
         "version takes", 8},
        {"form", "operations:\n  create:\n    page: /a\n    method: POST\n", "leave path", 10},
        {"sql",
         "operations:\n  create:\n    statements: [ { insert: \"t; DROP\", fields: [ { to: a, "
         "const: b } ] } ]\n",
         "table", 10},
        {"sql",
         "operations:\n  create:\n    statements: [ { insert: t, fields: [ { to: \"a b\", const: b "
         "} ] } ]\n",
         "column name", 10},
        {"file",
         "operations:\n  create:\n    name: \"../x\"\n    fields: [ { to: a, const: b } ]\n",
         "file name", 10},
        {"file",
         "operations:\n  create:\n    name: \"{colour}.csv\"\n    fields: [ { to: a, const: b } "
         "]\n",
         "colour", 10},
    };

    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        struct ym_diag d;
        bool said = false;

        load(f, bad[i].transport, bad[i].yaml);
        ym_diag_init(&d);
        ym_render_check(&f->sys, &d);
        for (size_t k = 0; k < f->d.count; k++) { /* core refuses some before we are asked */
            ym_diag_add_err(&d, &f->d.items[k]);
        }
        for (size_t k = 0; k < d.count; k++) {
            said |=
                strstr(d.items[k].message, bad[i].says) != NULL && d.items[k].line == bad[i].line;
        }
        if (!said) {
            fail_msg("%s -> line %d: %s", bad[i].yaml, d.count > 0 ? d.items[0].line : -1,
                     d.count > 0 ? d.items[0].message : "(nothing)");
        }
        ym_diag_clear(&d);
    }
}

/* Every allocation may fail once: an error or the same wire, nothing leaks. */
static void allocations(void **state)
{
    struct fixture *f = *state;
    struct ym_render_ctx ctx = {.nonce = "n"};

    load(f, "soap",
         "connection: { namespace: \"urn:x\" }\noperations:\n  create:\n    operation: A\n    "
         "header_fields: [ { to: a.b, const: c } ]\n"
         "    fields: [ { to: t, from: /data/title }, { to: p, each: /data/parties, fields: [ { "
         "to: n, from: /name } ] } ]\n");
    assert_int_equal(render(f, "create"), YM_OK);
    ctx.map.record = f->record;
    ctx.map.op = "create";
    for (long n = 1; n < 150; n++) {
        ym_status rc;

        ym_fault_after(n);
        rc = ym_render(&f->sys, ym_system_operation(&f->sys, "create"), &ctx, f->a, &f->w,
                       &f->problems, &f->err);
        ym_fault_after(0);
        assert_true(rc == YM_OK || rc == YM_ENOMEM);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(http),
        TEST(soap),
        TEST(form_and_card),
        TEST(sql),
        TEST(file),
        TEST(lost_characters),
        TEST(header_injection),
        TEST(sm_envelope),
        TEST(check),
        TEST(allocations),
    };

    return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
