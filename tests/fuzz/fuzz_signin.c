/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the answers of an application that a person is signed in to: status, Location,
 * Set-Cookie and page of one answer after the other, separated by NUL. Whatever comes, the password
 * is in one request at most, that request goes to the recipe's origin, and no text that becomes a
 * header holds a line end.
 */
#include "ym_signin.h"

#include <stdlib.h>
#include <strings.h>

#define STEPS_MOST 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ym_recipe *recipe(void)
{
    static struct ym_recipe *r;
    static struct ym_arena *a; /* for good: the recipe lives in it */
    struct ym_yaml *map = NULL;
    struct ym_diag d;

    if (r != NULL) {
        return r;
    }
    a = ym_arena_open();
    ym_diag_init(&d);
    if (a == NULL ||
        ym_yaml_parse(YM_STR("origin: \"http://app.test:8080\"\npublic: \"https://yimen.test\"\n"
                             "page: /login\nuser: user\npassword: pass\n"
                             "captcha: { body: \"captcha\" }\nrefused: { body: \"wrong|错误\" }\n"
                             "expired_password: { location: \"^/new\" }\n"),
                      "fuzz", a, &map, NULL) != YM_OK ||
        ym_recipe_load(map, a, &r, &d) != YM_OK) {
        abort();
    }
    return r;
}

static bool has(struct ym_str s, const char *what)
{
    return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void must_be_a_line(const char *text)
{
    if (text != NULL && strpbrk(text, "\r\n") != NULL) {
        abort();
    }
}

/* Whether this request carries the password; it must go where it may. */
static unsigned look(const struct ym_signin_ask *ask)
{
    must_be_a_line(ask->url);
    must_be_a_line(ask->cookie);
    must_be_a_line(ask->referer);
    if (strncmp(ask->url, "http://app.test:8080/", 21) != 0 &&
        strcasecmp(ask->url, "http://app.test:8080") != 0 && !ym_recipe_owns(recipe(), ask->url)) {
        abort();
    }
    return has(ask->body, "s3cret") ? 1 : 0;
}

/* The text up to the next NUL, as a header may have it: without NUL, CR and LF. */
static const char *next(struct ym_arena *a, struct ym_str *in)
{
    const char *end = in->n > 0 ? memchr(in->p, '\0', in->n) : NULL;
    struct ym_str s = {in->p, end != NULL ? (size_t)(end - in->p) : in->n};
    char *out = ym_arena_str(a, s);

    in->p += s.n + (end != NULL ? 1 : 0);
    in->n -= s.n + (end != NULL ? 1 : 0);
    for (char *p = out; p != NULL && *p != '\0'; p++) {
        *p = *p == '\r' || *p == '\n' ? ' ' : *p;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 302, 303, 307, 401, 403, 404, 500, 0, 204};
    const struct ym_credentials who = {.login = "mei", .password = "s3cret"};
    struct ym_str in = {(const char *)data, size};
    struct ym_arena *a = ym_arena_open();
    struct ym_signin *s = NULL;
    unsigned sent = 0;

    if (a == NULL || ym_signin_open(recipe(), &who, 1760000000000, &s) != YM_OK) {
        abort();
    }
    for (unsigned i = 0; i < STEPS_MOST && in.n > 0; i++) {
        struct ym_pair h[3];
        struct ym_signin_got got = {.headers = h};
        enum ym_signin_end end;

        got.status = statuses[(unsigned char)in.p[0] % YM_COUNT(statuses)];
        in.p++;
        in.n--;
        h[0] = (struct ym_pair){"location", next(a, &in)};
        h[1] = (struct ym_pair){"set-cookie", next(a, &in)};
        h[2] = (struct ym_pair){"content-type", next(a, &in)};
        got.header_count = 3;
        got.body = ym_str_of(next(a, &in));
        end = ym_signin_answer(s, &got);
        if (end != YM_SIGNIN_GOING) {
            break;
        }
        sent += look(ym_signin_ask(s));
        if (sent > 1) {
            abort();
        }
    }
    ym_signin_close(s);
    ym_arena_close(a);
    return 0;
}
