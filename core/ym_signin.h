/* SPDX-License-Identifier: Apache-2.0
 * One form sign-in at an application as a machine without I/O: it says which request to make next,
 * is told the answer, and ends with a verdict. Login and password go once, in one POST, and only to
 * the recipe's origin.
 */
#ifndef YM_SIGNIN_H
#define YM_SIGNIN_H

#include "ym_jar.h"
#include "ym_recipe.h"

#define YM_SIGNIN_HOPS 5                /* redirects in all */
#define YM_SIGNIN_PAGE_BYTES (2u << 20) /* of one page, decoded: what callers must not exceed */

enum ym_signin_end {
    YM_SIGNIN_GOING,
    YM_SIGNIN_IN,
    YM_SIGNIN_REFUSED,   /* login or password are wrong: not to be tried again */
    YM_SIGNIN_EXPIRED,   /* the application wants a new password from the person */
    YM_SIGNIN_CAPTCHA,   /* the application wants a person */
    YM_SIGNIN_CHANGED,   /* the page is not what the recipe describes */
    YM_SIGNIN_ELSEWHERE, /* page, form or answer lead to another origin */
    YM_SIGNIN_AWAY,      /* no answer, or a fault of the server */
    YM_SIGNIN_TOO_LARGE, /* a page beyond YM_SIGNIN_PAGE_BYTES */
    YM_SIGNIN_LOOP,      /* over YM_SIGNIN_HOPS redirects */
    YM_SIGNIN_BROKEN     /* memory is out */
};

/* "password", "captcha" …: what is kept and shown; NULL for GOING and IN. */
const char *ym_signin_word(enum ym_signin_end end);

/* What a person has entered; borrowed during ym_signin_open() only. */
struct ym_credentials {
    const char *login, *password;
    struct ym_pair more[YM_RECIPE_NAMES + 1]; /* of the recipe's `ask`; name NULL ends */
};

/* The next request; valid until the next answer. */
struct ym_signin_ask {
    const char *method, *url;
    const char *cookie;  /* NULL: none */
    const char *referer; /* NULL: none */
    const char *type;    /* of the body, or NULL */
    struct ym_str body;
};

struct ym_signin_got {
    int status; /* 0: no answer came */
    bool too_large;
    const struct ym_pair *headers; /* names in lower case */
    size_t header_count;
    struct ym_str body;
};

struct ym_signin;

/* r must live as long as the machine. Credentials are copied, and wiped once they are sent. */
ym_status ym_signin_open(const struct ym_recipe *r, const struct ym_credentials *who,
                         int64_t now_ms, struct ym_signin **ret);
void ym_signin_close(struct ym_signin *s); /* accepts NULL; wipes */

const struct ym_signin_ask *ym_signin_ask(const struct ym_signin *s);
enum ym_signin_end ym_signin_answer(struct ym_signin *s, const struct ym_signin_got *got);

/* The cookies so far; owned by s. */
const struct ym_jar *ym_signin_jar(const struct ym_signin *s);

/*
 * Signing out again: got is the answer to a GET of url, the recipe's logout. YM_OK: it is a page
 * with a button that leads there, and *ret presses it; ret->body points into body. YM_ENOTFOUND:
 * there is none, that was it. Cookies of the answer go into the jar.
 */
ym_status ym_signin_farewell(const struct ym_recipe *r, const char *url,
                             const struct ym_signin_got *got, struct ym_jar *jar, int64_t now_ms,
                             struct ym_buf *body, struct ym_signin_ask *ret);

/*
 * What the person entered as the text that is sealed, and back. A member that is no text, or no
 * login and password, is YM_EINVAL; *ret's texts live in a.
 */
ym_status ym_credentials_pack(const struct ym_credentials *who, struct ym_buf *out);
ym_status ym_credentials_unpack(struct ym_str text, struct ym_arena *a, struct ym_credentials *ret,
                                struct ym_err *err);

/* Overwrites the values; their memory stays whose it is. */
void ym_credentials_wipe(struct ym_credentials *who);

#endif
