/* SPDX-License-Identifier: Apache-2.0
 * Form sign-in without a network: a table of pages plays the application.
 */
#include "ym_test.h"

#include "ym_signin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1760000000000LL
#define ORIGIN "http://10.0.0.5:8080"
#define PLAIN                                                                                      \
    "origin: \"" ORIGIN "\"\npublic: \"https://yimen.test\"\npage: /login\nuser: user\n"           \
    "password: pass\n"
#define FORM                                                                                       \
    "<html><form action='/search'><input name=q></form>"                                           \
    "<form method=post action=\"/session?x=1\"><!-- <input name=old value=1> -->"                  \
    "<input type=hidden name=authenticity_token value='a&amp;b&#x3d;'>"                            \
    "<input name=user><input type=password name=pass><input type=submit name=go value=In></form>"

struct fixture {
    struct ym_arena *a;
    struct ym_recipe *recipe;
    struct ym_signin *s;
    struct ym_diag d;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->a = ym_arena_open();
    ym_diag_init(&f->d);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ym_signin_close(f->s);
    ym_arena_close(f->a);
    ym_diag_clear(&f->d);
    free(f);
    return 0;
}

static ym_status load(struct fixture *f, const char *yaml)
{
    struct ym_yaml *map = NULL;

    ym_diag_clear(&f->d);
    assert_int_equal(ym_yaml_parse(ym_str_of(yaml), "t", f->a, &map, NULL), YM_OK);
    return ym_recipe_load(map, f->a, &f->recipe, &f->d);
}

static void begin(struct fixture *f, const char *yaml)
{
    const struct ym_credentials who = {.login = "mei", .password = "p@ss word&"};

    assert_int_equal(load(f, yaml), YM_OK);
    ym_signin_close(f->s);
    f->s = NULL;
    assert_int_equal(ym_signin_open(f->recipe, &who, NOW, &f->s), YM_OK);
    assert_string_equal(ym_signin_ask(f->s)->url, ORIGIN "/login");
    assert_string_equal(ym_signin_ask(f->s)->method, "GET");
    assert_null(ym_signin_ask(f->s)->cookie);
}

/* Tells the machine an answer: status, Location or NULL, Set-Cookie or NULL, body. */
static enum ym_signin_end tell(struct fixture *f, int status, const char *location,
                               const char *cookie, const char *body)
{
    struct ym_pair h[3] = {{"content-type", "text/html; charset=utf-8"}};
    struct ym_signin_got got = {.status = status, .headers = h, .header_count = 1};

    if (location != NULL) {
        h[got.header_count++] = (struct ym_pair){"location", location};
    }
    if (cookie != NULL) {
        h[got.header_count++] = (struct ym_pair){"set-cookie", cookie};
    }
    got.body = ym_str_of(body);
    return ym_signin_answer(f->s, &got);
}

static void good(void **state)
{
    struct fixture *f = *state;
    const struct ym_signin_ask *ask;

    begin(f, PLAIN);
    assert_int_equal(tell(f, 200, NULL, "sid=first; Path=/", FORM), YM_SIGNIN_GOING);
    ask = ym_signin_ask(f->s);
    assert_string_equal(ask->method, "POST");
    assert_string_equal(ask->url, ORIGIN "/session?x=1");
    assert_string_equal(ask->cookie, "sid=first");
    assert_string_equal(ask->referer, ORIGIN "/login");
    assert_true(ym_str_is(ask->body, "authenticity_token=a%26b%3D&user=mei&pass=p%40ss+word%26"));

    assert_int_equal(tell(f, 302, "https://yimen.test/home#top", "sid=second; Path=/", ""),
                     YM_SIGNIN_GOING);
    assert_string_equal(ask->method, "GET");
    assert_string_equal(ask->url, ORIGIN "/home");
    assert_string_equal(ask->cookie, "sid=second");
    assert_int_equal(ask->body.n, 0);
    assert_int_equal(tell(f, 200, NULL, NULL, "<h1>mei</h1>"), YM_SIGNIN_IN);
    assert_int_equal(ym_signin_jar(f->s)->count, 1);
    assert_string_equal(ym_signin_jar(f->s)->items[0].value, "second");

    /* a gateway's application often takes its scheme and port for others */
    begin(f, PLAIN "prefix: /apps/old/\nhost: gate.test\n");
    (void)tell(f, 200, NULL, NULL, FORM);
    (void)tell(f, 302, "http://yimen.test:8080/apps/old/home", NULL, "");
    assert_string_equal(ym_signin_ask(f->s)->url, ORIGIN "/home");
    (void)tell(f, 302, "http://gate.test/apps/old", NULL, "");
    assert_string_equal(ym_signin_ask(f->s)->url, ORIGIN "/");
    assert_int_equal(tell(f, 302, "http://gate.test.evil.test/", NULL, ""), YM_SIGNIN_ELSEWHERE);
}

/* I163, and what must not be taken for it */
static void refusals(void **state)
{
    struct fixture *f = *state;

    begin(f, PLAIN);
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 200, NULL, NULL, FORM), YM_SIGNIN_REFUSED);
    assert_int_equal(tell(f, 200, NULL, NULL, "<h1>in</h1>"), YM_SIGNIN_REFUSED);

    begin(f, PLAIN);
    (void)tell(f, 200, NULL, NULL, FORM);
    (void)tell(f, 302, "/login?again", NULL, "");
    assert_int_equal(tell(f, 200, NULL, NULL, FORM), YM_SIGNIN_REFUSED);

    begin(f, PLAIN "refused: { body: \"密码错误\" }\n");
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 200, NULL, NULL, "<p>用户名或密码错误</p>"), YM_SIGNIN_REFUSED);

    begin(f, PLAIN);
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 503, NULL, NULL, FORM), YM_SIGNIN_AWAY);
    begin(f, PLAIN);
    assert_int_equal(tell(f, 0, NULL, NULL, ""), YM_SIGNIN_AWAY);
}

/* I159 */
static void elsewhere(void **state)
{
    struct fixture *f = *state;
    static const char *const places[] = {
        "http://evil.test/login",       "//evil.test/",
        "http://10.0.0.5/login",        "https://10.0.0.5:8080/login",
        "http://10.0.0.5:80801",        "http://10.0.0.5:8080@evil.test/",
        "http://evil.test\\@10.0.0.5/", "javascript:alert(1)",
        "file:///etc/passwd",           "http://10.0.0.5.evil.test:8080/"};
    enum ym_signin_end end;
    char page[512];

    for (size_t i = 0; i < YM_COUNT(places); i++) {
        begin(f, PLAIN);
        assert_int_equal(tell(f, 302, places[i], NULL, ""), YM_SIGNIN_ELSEWHERE);
        assert_int_equal(ym_signin_ask(f->s)->body.n, 0);

        begin(f, PLAIN);
        (void)snprintf(page, sizeof(page),
                       "<form method=post action='%s'><input name=user><input name=pass></form>",
                       places[i]);
        end = tell(f, 200, NULL, NULL, page);
        assert_true(end == YM_SIGNIN_ELSEWHERE || end == YM_SIGNIN_CHANGED);
        assert_int_equal(ym_signin_ask(f->s)->body.n, 0);
    }
    begin(f, PLAIN);
    assert_int_equal(tell(f, 200, NULL, NULL,
                          "<base href='http://evil.test/'><form method=post action='x'>"
                          "<input name=user><input name=pass></form>"),
                     YM_SIGNIN_ELSEWHERE);
    begin(f, PLAIN);
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 302, "http://evil.test/", NULL, ""), YM_SIGNIN_ELSEWHERE);
    begin(f, PLAIN);
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 307, "/again", NULL, ""), YM_SIGNIN_CHANGED);
}

/* I164: a page that is not what the recipe says */
static void changed(void **state)
{
    struct fixture *f = *state;
    static const char *const pages[] = {
        "",
        "<p>maintenance</p>",
        "<form method=post><input name=user></form>",
        "<form method=post><input name=pass></form>",
        "<form><input name=user><input name=pass></form>",
        "<form method=post><input name=user><input name=pass></form>"
        "<form method=post><input name=user><input name=pass></form>",
        "<!--" FORM "-->"};

    for (size_t i = 0; i < YM_COUNT(pages); i++) {
        begin(f, PLAIN);
        assert_int_equal(tell(f, 200, NULL, NULL, pages[i]), YM_SIGNIN_CHANGED);
    }
    begin(f, PLAIN);
    assert_int_equal(tell(f, 404, NULL, NULL, FORM), YM_SIGNIN_CHANGED);
    begin(f, PLAIN "fields: { tenant: x }\n");
    assert_int_equal(tell(f, 200, NULL, NULL, FORM), YM_SIGNIN_CHANGED);
    begin(f, PLAIN "signed_in: { cookie: done }\n");
    (void)tell(f, 200, NULL, NULL, FORM);
    assert_int_equal(tell(f, 200, NULL, "undone=1", "<p>in?</p>"), YM_SIGNIN_CHANGED);
}

static void persons(void **state)
{
    struct fixture *f = *state;

    begin(f, PLAIN);
    assert_int_equal(tell(f, 200, NULL, NULL,
                          "<form method=post><input name=user><input name=pass>"
                          "<input name=CheckCode></form>"),
                     YM_SIGNIN_CAPTCHA);
    begin(f, PLAIN "captcha: [ { body: \"g-recaptcha\" }, { status: 429 } ]\n");
    assert_int_equal(tell(f, 200, NULL, NULL, "<div class=g-recaptcha>" FORM), YM_SIGNIN_CAPTCHA);
    begin(f, PLAIN "expired_password: { location: \"/my/password\" }\n");
    (void)tell(f, 200, NULL, NULL, FORM);
    (void)tell(f, 302, "/my/page", NULL, "");
    assert_int_equal(tell(f, 302, "/my/password", NULL, ""), YM_SIGNIN_EXPIRED);
}

/* I160 */
static void limits(void **state)
{
    struct fixture *f = *state;
    struct ym_signin_got got = {.status = 200, .too_large = true};

    begin(f, PLAIN);
    assert_int_equal(ym_signin_answer(f->s, &got), YM_SIGNIN_TOO_LARGE);
    begin(f, PLAIN);
    for (int i = 0; i < YM_SIGNIN_HOPS; i++) {
        assert_int_equal(tell(f, 302, "/login", NULL, ""), YM_SIGNIN_GOING);
    }
    assert_int_equal(tell(f, 302, "/login", NULL, ""), YM_SIGNIN_LOOP);
    begin(f, PLAIN);
    assert_int_equal(tell(f, 200, NULL, NULL, "<meta http-equiv=refresh content='0;url=/login'>"),
                     YM_SIGNIN_CHANGED);
}

static void gbk(void **state)
{
    struct fixture *f = *state;
    const struct ym_credentials who = {.login = "张三", .password = "x", .more = {{"bm", "一科"}}};

    assert_int_equal(load(f, "origin: \"" ORIGIN "\"\npage: /login\nuser: user\npassword: pass\n"
                             "charset: gbk\nfields: { lx: \"1\" }\nask: [ bm ]\n"
                             "refused: { body: \"密码错\" }\n"),
                     YM_OK);
    assert_int_equal(ym_signin_open(f->recipe, &who, NOW, &f->s), YM_OK);
    (void)tell(f, 200, NULL, NULL,
               "<form method=post name='\xB5\xC7'><input name=user><input name=pass><input name=lx>"
               "<select name=bm><option>\xB6\xFE\xBF\xC6</select></form>");
    assert_true(
        ym_str_is(ym_signin_ask(f->s)->body, "user=%D5%C5%C8%FD&pass=x&lx=1&bm=%D2%BB%BF%C6"));
    assert_int_equal(tell(f, 200, NULL, NULL, "\xC3\xDC\xC2\xEB\xB4\xED"), YM_SIGNIN_REFUSED);
}

static void forgotten(void **state)
{
    struct fixture *f = *state;
    struct ym_answer a = {.status = 302, .location = YM_STR("https://yimen.test/login?back=1")};

    assert_int_equal(load(f, PLAIN), YM_OK);
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS);
    a.location = YM_STR("/login");
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS);
    a.location = YM_STR("/logins?u=/login");
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS_NOT);
    a = (struct ym_answer){.status = 401};
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS);
    a.status = 200;
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS_NOT);

    assert_int_equal(load(f, PLAIN "signed_out: [ { status: 3xx, location: \"^/out\" }, "
                                   "{ status: 200, body: \"name=.pass\" } ]\n"),
                     YM_OK);
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS_READ);
    a.text = YM_STR("<input name='pass'>");
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS);
    a.text = YM_STR("hello");
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS_NOT);
    a = (struct ym_answer){.status = 303, .location = YM_STR("/out/here")};
    assert_int_equal(ym_recipe_signed_out(f->recipe, &a), YM_HOLDS);
}

static void bad_recipes(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"page: /login\n",
                                      "origin: \"ftp://x\"\npage: /l\nuser: u\npassword: p\n",
                                      "origin: \"http://x/y\"\npage: /l\nuser: u\npassword: p\n",
                                      "origin: \"http://x\"\npage: \"//l\"\nuser: u\npassword: p\n",
                                      PLAIN "captcha: { body: \"(\" }\n",
                                      PLAIN "captcha: { }\n",
                                      PLAIN "captcha: { text: x }\n",
                                      PLAIN "refused: { status: 30 }\n",
                                      PLAIN "charset: utf-16\n",
                                      PLAIN "fields: [ a ]\n",
                                      PLAIN "ask: a\n",
                                      PLAIN "colour: red\n"};

    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_int_equal(load(f, bad[i]), YM_EINVAL);
        assert_true(f->d.total > 0);
    }
}

static void credentials(void **state)
{
    struct fixture *f = *state;
    struct ym_credentials who = {
        .login = "mei", .password = "a\"\\\n字", .more = {{"bm", "1"}, {"ks", ""}}};
    struct ym_credentials back;
    struct ym_buf b;

    ym_buf_init(&b, 4096);
    assert_int_equal(ym_credentials_pack(&who, &b), YM_OK);
    assert_int_equal(ym_credentials_unpack(ym_buf_str(&b), f->a, &back, NULL), YM_OK);
    assert_string_equal(back.login, who.login);
    assert_string_equal(back.password, who.password);
    assert_string_equal(back.more[1].name, "ks");
    assert_null(back.more[2].name);
    ym_credentials_wipe(&back);
    assert_string_equal(back.password, "");
    ym_buf_clear(&b);
    assert_int_equal(ym_credentials_unpack(YM_STR("{\"login\":\"x\"}"), f->a, &back, NULL),
                     YM_EINVAL);
    assert_int_equal(ym_credentials_unpack(YM_STR("[]"), f->a, &back, NULL), YM_EINVAL);
    assert_int_equal(ym_credentials_unpack(YM_STR("x"), f->a, &back, NULL), YM_EINVAL);
}

/* I165 */
static void farewell(void **state)
{
    struct fixture *f = *state;
    struct ym_signin_ask ask = {0};
    struct ym_signin_got got = {.status = 200};
    struct ym_pair h[1] = {{"set-cookie", "sid=last; Path=/"}};
    struct ym_jar jar;
    struct ym_buf body;

    assert_int_equal(load(f, PLAIN "logout: /logout\n"), YM_OK);
    ym_jar_init(&jar, f->a);
    ym_buf_init(&body, 4096);
    got.headers = h;
    got.header_count = 1;
    got.body = YM_STR("<form action=/search><input name=q></form><form method=post action=/logout>"
                      "<input type=hidden name=t value=1></form>");
    assert_int_equal(ym_signin_farewell(f->recipe, ORIGIN "/logout", &got, &jar, NOW, &body, &ask),
                     YM_OK);
    assert_string_equal(ask.method, "POST");
    assert_string_equal(ask.url, ORIGIN "/logout");
    assert_true(ym_str_is(ask.body, "t=1"));
    assert_string_equal(jar.items[0].value, "last");
    got.body = YM_STR("<form method=post action=//evil.test/logout></form>");
    assert_int_equal(ym_signin_farewell(f->recipe, ORIGIN "/logout", &got, &jar, NOW, &body, &ask),
                     YM_ENOTFOUND);
    got.status = 302;
    assert_int_equal(ym_signin_farewell(f->recipe, ORIGIN "/logout", &got, &jar, NOW, &body, &ask),
                     YM_ENOTFOUND);
    ym_buf_clear(&body);
}

static ym_status whole_signin(void *data)
{
    struct fixture *f = data;
    const struct ym_credentials who = {.login = "mei", .password = "x"};
    struct ym_signin *s = NULL;
    struct ym_signin_got got = {.status = 200, .body = ym_str_of(FORM)};
    ym_status rc = ym_signin_open(f->recipe, &who, NOW, &s);
    enum ym_signin_end end;

    if (rc != YM_OK) {
        return rc;
    }
    end = ym_signin_answer(s, &got);
    if (end == YM_SIGNIN_GOING) {
        got.body = YM_STR("<p>in");
        end = ym_signin_answer(s, &got);
    }
    ym_signin_close(s);
    return end == YM_SIGNIN_IN ? YM_OK : YM_ENOMEM;
}

static void faults(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, PLAIN), YM_OK);
    fault_loop(whole_signin, f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(changed, setup, teardown),
        cmocka_unit_test_setup_teardown(persons, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(gbk, setup, teardown),
        cmocka_unit_test_setup_teardown(forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_recipes, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(farewell, setup, teardown),
        cmocka_unit_test_setup_teardown(faults, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
