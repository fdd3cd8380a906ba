/* SPDX-License-Identifier: Apache-2.0
 * Form sign-in, step by step.
 */
#include "ym_signin.h"

#include "ym_doc.h"
#include "ym_html.h"

#include <stdlib.h>
#include <strings.h>

#define URL_MAX 2048
#define BODY_MAX (256u << 10) /* of the submission */
#define SET_COOKIES_MAX 100   /* looked at in one answer */
#define SECRETS_MAX 8192      /* bytes of login, password and what else is asked */

enum place { AT_PAGE, AT_SUBMIT, AT_BEHIND };

struct ym_signin {
    const struct ym_recipe *recipe;
    struct ym_arena *arena;
    struct ym_jar jar;
    struct ym_signin_ask ask;
    struct ym_buf body, cookie;
    struct ym_buf secrets; /* every text of the person, NUL-terminated, one behind the other */
    struct ym_credentials who;
    enum place place;
    enum ym_signin_end end;
    unsigned hops;
    int64_t now_ms;
};

const char *ym_signin_word(enum ym_signin_end end)
{
    static const char *const words[] = {NULL,      NULL,      "refused",   "expired",
                                        "captcha", "changed", "elsewhere", "away",
                                        "large",   "loop",    "broken"};

    return words[end];
}

/* Opening -------------------------------------------------------------------------------------- */

static const char *keep(struct ym_buf *secrets, const char *text)
{
    const char *at = secrets->p + secrets->n;

    return ym_buf_add(secrets, text, strlen(text) + 1) == YM_OK ? at : NULL;
}

/* Its full size at once: growing would leave copies behind. */
static ym_status room(struct ym_buf *b, size_t n)
{
    ym_buf_init(b, n);
    return ym_buf_reserve(b, n);
}

static ym_status take_credentials(struct ym_signin *s, const struct ym_credentials *who)
{
    ym_status rc = room(&s->secrets, SECRETS_MAX);

    if (rc != YM_OK) {
        return rc;
    }
    s->who.login = keep(&s->secrets, who->login);
    s->who.password = keep(&s->secrets, who->password);
    for (size_t i = 0; i < YM_RECIPE_NAMES && who->more[i].name != NULL; i++) {
        s->who.more[i].name = ym_arena_strz(s->arena, who->more[i].name);
        s->who.more[i].value = keep(&s->secrets, who->more[i].value);
        if (s->who.more[i].name == NULL) {
            return YM_ENOMEM;
        }
    }
    return s->secrets.failed;
}

/* The Cookie header for the next request; nothing when the jar has none for it. */
static ym_status set_cookie_header(struct ym_signin *s)
{
    ym_status rc;

    ym_buf_wipe(&s->cookie);
    rc = ym_jar_header(&s->jar, YM_STR_NULL, YM_STR_NULL, s->now_ms, &s->cookie);
    s->ask.cookie = s->cookie.n > 0 ? s->cookie.p : NULL;
    return rc;
}

static enum ym_signin_end finish(struct ym_signin *s, enum ym_signin_end end)
{
    s->end = end;
    return end;
}

/* A GET of url, with what the jar has. */
static enum ym_signin_end go(struct ym_signin *s, const char *url)
{
    const char *referer = s->ask.url;

    s->ask = (struct ym_signin_ask){.method = "GET", .url = url, .referer = referer};
    return finish(s, set_cookie_header(s) == YM_OK ? YM_SIGNIN_GOING : YM_SIGNIN_TOO_LARGE);
}

ym_status ym_signin_open(const struct ym_recipe *r, const struct ym_credentials *who,
                         int64_t now_ms, struct ym_signin **ret)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_signin *s = a != NULL ? ym_arena_alloc(a, sizeof(*s)) : NULL;
    const char *url;
    ym_status rc;

    if (s == NULL) {
        ym_arena_close(a);
        return YM_ENOMEM;
    }
    s->recipe = r;
    s->arena = a;
    s->now_ms = now_ms;
    ym_buf_init(&s->cookie, YM_JAR_HEADER_BYTES + 2 * YM_JAR_COOKIE_BYTES);
    ym_jar_init(&s->jar, a);
    url = ym_arena_printf(a, "%s%s", r->origin, r->page);
    rc = url != NULL ? take_credentials(s, who) : YM_ENOMEM;
    if (rc == YM_OK) {
        (void)go(s, url);
        *ret = s;
    } else {
        ym_signin_close(s);
    }
    return rc;
}

static void forget_credentials(struct ym_signin *s)
{
    ym_buf_wipe(&s->secrets);
    memset(&s->who, 0, sizeof(s->who));
}

void ym_signin_close(struct ym_signin *s)
{
    if (s == NULL) {
        return;
    }
    forget_credentials(s);
    ym_buf_wipe(&s->body);
    ym_buf_wipe(&s->cookie);
    ym_arena_close(s->arena);
}

const struct ym_signin_ask *ym_signin_ask(const struct ym_signin *s)
{
    return &s->ask;
}

const struct ym_jar *ym_signin_jar(const struct ym_signin *s)
{
    return &s->jar;
}

/* Looking at an answer ------------------------------------------------------------------------- */

static struct ym_str header(const struct ym_signin_got *got, const char *name)
{
    for (size_t i = 0; i < got->header_count; i++) {
        if (strcmp(got->headers[i].name, name) == 0) {
            return ym_str_of(got->headers[i].value);
        }
    }
    return YM_STR("");
}

/* charset=… of a Content-Type, in our spelling, or NULL. */
static const char *charset_of(struct ym_str type)
{
    for (size_t i = 0; i + 8 < type.n; i++) {
        if (strncasecmp(type.p + i, "charset=", 8) == 0) {
            struct ym_str name = {type.p + i + 8, type.n - i - 8};
            size_t n = 0;

            while (n < name.n && strchr("; ,\t", name.p[n]) == NULL) {
                n++;
            }
            return ym_doc_charset((struct ym_str){name.p, n});
        }
    }
    return NULL;
}

static const char *page_charset(const struct ym_recipe *r, const struct ym_signin_got *got)
{
    return r->charset != NULL ? r->charset : charset_of(header(got, "content-type"));
}

static size_t take_cookies(struct ym_jar *jar, const char *url, int64_t now_ms,
                           const struct ym_signin_got *got, struct ym_str seen[SET_COOKIES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < got->header_count && n < SET_COOKIES_MAX; i++) {
        if (strcmp(got->headers[i].name, "set-cookie") == 0) {
            seen[n] = ym_str_of(got->headers[i].value);
            (void)ym_jar_take(jar, seen[n++], ym_url_path(url), now_ms);
        }
    }
    return n;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The form is in the answer, with both fields. */
static ym_status find_form(struct ym_signin *s, const struct ym_signin_got *got,
                           struct ym_html_form *ret)
{
    const struct ym_recipe *r = s->recipe;
    const char *const both[] = {r->user, r->password, NULL};
    const char *charset = page_charset(r, got);
    size_t found = 0;
    ym_status rc;

    if (r->form == NULL) {
        return ym_html_form_having(got->body, charset, s->ask.url, both, s->arena, ret, NULL);
    }
    rc = ym_html_form(got->body, charset, s->ask.url, r->form, s->arena, ret, NULL);
    for (size_t i = 0; rc == YM_OK && i < ret->name_count; i++) {
        found |= strcmp(ret->names[i], r->user) == 0 ? 1u : 0u;
        found |= strcmp(ret->names[i], r->password) == 0 ? 2u : 0u;
    }
    return rc == YM_OK && found != 3 ? YM_ENOTFOUND : rc;
}

/*
 * A field that asks for what a picture shows. A recipe may say more, but a site must not have to:
 * guessing wrong here costs a person a sign-in by hand, not guessing costs a locked account.
 */
static bool asks_for_person(const struct ym_html_form *form)
{
    static const char *const marks[] = {"captcha",   "yzm",          "verifycode", "verify_code",
                                        "checkcode", "validatecode", "vcode",      "authcode"};

    for (size_t i = 0; i < form->name_count; i++) {
        for (size_t k = 0; k < YM_COUNT(marks); k++) {
            if (strcasestr(form->names[i], marks[k]) != NULL) {
                return true;
            }
        }
    }
    return false;
}

/* The submission ------------------------------------------------------------------------------- */

/* Constants of the recipe, then what the person entered. */
static size_t our_fields(const struct ym_signin *s, struct ym_pair *ret)
{
    const struct ym_recipe *r = s->recipe;
    size_t n = 0;

    ret[n++] = (struct ym_pair){r->user, s->who.login};
    ret[n++] = (struct ym_pair){r->password, s->who.password};
    for (size_t i = 0; i < YM_RECIPE_NAMES && r->fields[i].name != NULL; i++) {
        ret[n++] = r->fields[i];
    }
    for (size_t i = 0; i < YM_RECIPE_NAMES && s->who.more[i].name != NULL; i++) {
        ret[n++] = s->who.more[i];
    }
    return n;
}

static enum ym_signin_end submit(struct ym_signin *s, const struct ym_html_form *form)
{
    struct ym_pair ours[2 + 2 * YM_RECIPE_NAMES], *fields = NULL;
    const char *action = ym_recipe_url(s->recipe, s->ask.url, form->action, s->arena);
    const char *referer = s->ask.url;
    size_t count = our_fields(s, ours), n = 0, lost = 0;
    ym_status rc;

    if (strcmp(form->method, "POST") != 0) {
        return finish(s, YM_SIGNIN_CHANGED); /* a GET would write the password into an address */
    }
    if (action == NULL || !ym_recipe_owns(s->recipe, action)) {
        return finish(s, YM_SIGNIN_ELSEWHERE);
    }
    rc = ym_html_fill(form, ours, count, false, s->arena, &fields, &n, NULL);
    if (rc == YM_OK) {
        rc = room(&s->body, BODY_MAX);
    }
    if (rc == YM_OK) {
        rc = ym_form_encode(fields, n, form->charset, &s->body, &lost, NULL);
    }
    forget_credentials(s);
    if (rc != YM_OK) {
        return finish(s, rc == YM_ENOMEM ? YM_SIGNIN_BROKEN : YM_SIGNIN_CHANGED);
    }
    s->place = AT_SUBMIT;
    s->ask = (struct ym_signin_ask){.method = "POST",
                                    .url = action,
                                    .referer = referer,
                                    .type = "application/x-www-form-urlencoded",
                                    .body = ym_buf_str(&s->body)};
    return finish(s, set_cookie_header(s) == YM_OK ? YM_SIGNIN_GOING : YM_SIGNIN_TOO_LARGE);
}

/* Steps ---------------------------------------------------------------------------------------- */

static enum ym_signin_end follow(struct ym_signin *s, struct ym_str location)
{
    const char *text, *url;

    if (location.n == 0 || location.n > URL_MAX) {
        return finish(s, YM_SIGNIN_CHANGED);
    }
    if (s->hops++ == YM_SIGNIN_HOPS) {
        return finish(s, YM_SIGNIN_LOOP);
    }
    text = ym_arena_str(s->arena, location);
    url = text != NULL ? ym_recipe_url(s->recipe, s->ask.url, text, s->arena) : NULL;
    if (url == NULL || !ym_recipe_owns(s->recipe, url)) {
        return finish(s, YM_SIGNIN_ELSEWHERE);
    }
    return go(s, url);
}

static enum ym_signin_end at_page(struct ym_signin *s, const struct ym_signin_got *got,
                                  const struct ym_answer *answer)
{
    struct ym_html_form form = {0};
    ym_status rc;

    if (ym_answer_holds(&s->recipe->captcha, answer) == YM_HOLDS) {
        return finish(s, YM_SIGNIN_CAPTCHA);
    }
    if (is_redirect(got->status)) {
        return follow(s, answer->location);
    }
    rc = got->status == 200 ? find_form(s, got, &form) : YM_ENOTFOUND;
    if (rc != YM_OK) {
        return finish(s, rc == YM_ENOMEM ? YM_SIGNIN_BROKEN : YM_SIGNIN_CHANGED);
    }
    if (asks_for_person(&form)) {
        return finish(s, YM_SIGNIN_CAPTCHA);
    }
    return submit(s, &form);
}

/* What an answer to the submission, or behind it, says by the recipe; GOING: nothing. */
static enum ym_signin_end judge(const struct ym_recipe *r, const struct ym_answer *answer)
{
    if (ym_answer_holds(&r->expired, answer) == YM_HOLDS) {
        return YM_SIGNIN_EXPIRED;
    }
    if (ym_answer_holds(&r->captcha, answer) == YM_HOLDS) {
        return YM_SIGNIN_CAPTCHA;
    }
    if (ym_answer_holds(&r->refused, answer) == YM_HOLDS) {
        return YM_SIGNIN_REFUSED;
    }
    return ym_answer_holds(&r->signed_in, answer) == YM_HOLDS ? YM_SIGNIN_IN : YM_SIGNIN_GOING;
}

static enum ym_signin_end at_answer(struct ym_signin *s, const struct ym_signin_got *got,
                                    const struct ym_answer *answer)
{
    enum ym_signin_end said = judge(s->recipe, answer);
    struct ym_html_form form = {0};
    ym_status rc;

    if (said != YM_SIGNIN_GOING) {
        return finish(s, said);
    }
    if (is_redirect(got->status)) {
        if (got->status == 307 || got->status == 308) {
            return finish(s, YM_SIGNIN_CHANGED); /* would send the password a second time */
        }
        s->place = AT_BEHIND;
        return follow(s, answer->location);
    }
    rc = got->body.n > 0 ? find_form(s, got, &form) : YM_ENOTFOUND;
    if (rc == YM_OK) {
        return finish(s, asks_for_person(&form) ? YM_SIGNIN_CAPTCHA : YM_SIGNIN_REFUSED);
    }
    if (rc == YM_ENOMEM) {
        return finish(s, YM_SIGNIN_BROKEN);
    }
    if (got->status == 401 || (got->status == 403 && s->place == AT_SUBMIT) ||
        ym_recipe_signed_out(s->recipe, answer) == YM_HOLDS) {
        return finish(s, YM_SIGNIN_REFUSED);
    }
    if (s->recipe->signed_in.count > 0 || got->status >= 400) {
        return finish(s, YM_SIGNIN_CHANGED);
    }
    return finish(s, YM_SIGNIN_IN);
}

enum ym_signin_end ym_signin_answer(struct ym_signin *s, const struct ym_signin_got *got)
{
    struct ym_str cookies[SET_COOKIES_MAX];
    struct ym_doc_charsets cs = {s->recipe->charset, NULL, "gb18030"};
    struct ym_answer answer = {.status = got->status, .set_cookies = cookies};
    struct ym_doc doc;

    if (s->end != YM_SIGNIN_GOING) {
        return s->end;
    }
    ym_buf_wipe(&s->body);
    s->ask.body = YM_STR("");
    if (got->too_large || got->body.n > YM_SIGNIN_PAGE_BYTES) {
        return finish(s, YM_SIGNIN_TOO_LARGE);
    }
    if (got->status == 0 || got->status >= 500) {
        return finish(s, YM_SIGNIN_AWAY);
    }
    answer.set_cookie_count = take_cookies(&s->jar, s->ask.url, s->now_ms, got, cookies);
    answer.location = header(got, "location");
    cs.header = charset_of(header(got, "content-type"));
    if (ym_doc_decode(got->body, &cs, s->arena, &doc, NULL) != YM_OK) {
        return finish(s, YM_SIGNIN_BROKEN);
    }
    answer.text = doc.text;
    return s->place == AT_PAGE ? at_page(s, got, &answer) : at_answer(s, got, &answer);
}

ym_status ym_signin_farewell(const struct ym_recipe *r, const char *url,
                             const struct ym_signin_got *got, struct ym_jar *jar, int64_t now_ms,
                             struct ym_buf *body, struct ym_signin_ask *ret)
{
    struct ym_str cookies[SET_COOKIES_MAX];
    const char *names[4] = {url, NULL, NULL, NULL};
    const char *tail = r->logout;
    struct ym_html_form form = {0};
    ym_status rc;

    if (r->prefix != NULL && strncmp(tail, r->base, strlen(r->base)) == 0) {
        tail += strlen(r->base);
        names[1] = ym_arena_printf(jar->arena, "%s%s%s", r->origin, r->prefix, tail);
    }
    if (r->public != NULL) { /* as browsers have it */
        names[names[1] != NULL ? 2 : 1] = ym_arena_printf(jar->arena, "%s%s%s", r->public,
                                                          names[1] != NULL ? r->prefix : "", tail);
    }
    (void)take_cookies(jar, url, now_ms, got, cookies);
    if (got->status != 200 || got->too_large) {
        return YM_ENOTFOUND;
    }
    rc = ym_html_form_to(got->body, page_charset(r, got), url, names, jar->arena, &form, NULL);
    if (rc != YM_OK || strcmp(form.method, "POST") != 0) {
        return YM_ENOTFOUND;
    }
    rc = ym_form_encode(form.fields, form.field_count, form.charset, body, NULL, NULL);
    *ret = (struct ym_signin_ask){.method = "POST",
                                  .url = url,
                                  .referer = url,
                                  .type = "application/x-www-form-urlencoded",
                                  .body = ym_buf_str(body)};
    return rc;
}
