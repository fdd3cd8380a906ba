/* SPDX-License-Identifier: Apache-2.0
 * How one application wants people to sign in: `form:` of `auth.applications.<id>`, compiled.
 */
#ifndef YM_RECIPE_H
#define YM_RECIPE_H

#include "ym_conf.h"
#include "ym_pair.h"

#define YM_RECIPE_NAMES 16     /* of `fields`, `ask`, `browser_cookies` each */
#define YM_RECIPE_ANSWERS 4    /* alternatives of one condition */
#define YM_RECIPE_PATTERN 1024 /* bytes of one regular expression */

/* What tells one kind of answer from the others: everything that is given must hold. */
struct ym_answer_is {
    int status;           /* 0 = any; 1 to 9 = a class ("3xx") */
    const void *location; /* compiled; of the Location as it came */
    const void *body;     /* compiled; of the decoded text */
    const char *cookie;   /* the answer sets a cookie of this name */
};

/* Any of them; none at all never holds. */
struct ym_answers {
    struct ym_answer_is items[YM_RECIPE_ANSWERS];
    size_t count;
};

struct ym_recipe {
    const char *origin; /* scheme://host[:port], where the application really is */
    const char *public; /* the origin that the application believes in; NULL = origin */
    const char *host;   /* Host header of our requests; NULL = origin's */
    const char *page, *form, *user, *password;
    const char *prefix;  /* path below which browsers see the application; NULL = as it is there */
    const char *base;    /* what stands for prefix there */
    const char *charset; /* NULL = the page says */
    const char *logout;  /* path; NULL = the application has none */
    const char *ca;      /* PEM file; NULL = the system's */
    const char *by_hand; /* address where a person signs in without us; NULL = none */
    struct ym_answers signed_in, signed_out, refused, captcha, expired;
    struct ym_pair fields[YM_RECIPE_NAMES + 1]; /* constants; name NULL ends */
    const char *ask[YM_RECIPE_NAMES + 1];       /* values that the person enters, by field name */
    const char
        *browser[YM_RECIPE_NAMES + 1]; /* cookies that stay between browser and application */
    int64_t timeout_ms;                /* of one request */
    int64_t keep_ms;                   /* the jar's life without use */
};

/* Compiles map; everything wrong is added to d with file:line. Lives in a. */
ym_status ym_recipe_load(const struct ym_yaml *map, struct ym_arena *a, struct ym_recipe **ret,
                         struct ym_diag *d);

/* Markdown rows for docs/configuration.md. */
ym_status ym_recipe_document(struct ym_buf *out);

/* An answer, or the head of one that is still coming. */
struct ym_answer {
    int status;
    struct ym_str location;           /* n 0: none */
    const struct ym_str *set_cookies; /* whole values */
    size_t set_cookie_count;
    struct ym_str text; /* UTF-8; p NULL = not read (yet) */
};

enum ym_holds { YM_HOLDS_NOT, YM_HOLDS, YM_HOLDS_READ /* the body decides, and it was not read */ };

enum ym_holds ym_answer_holds(const struct ym_answers *is, const struct ym_answer *answer);

/*
 * Whether an answer to a request of somebody who was signed in says that he is not: `signed_out`, or,
 * where nothing is said, 401 and a redirect to the page.
 */
enum ym_holds ym_recipe_signed_out(const struct ym_recipe *r, const struct ym_answer *answer);

/*
 * Reference against base, without its fragment: *ret lives in a; NULL when it is no URL of http or
 * https. Addresses at r's public origin become addresses at its real one.
 */
const char *ym_recipe_url(const struct ym_recipe *r, const char *base, const char *reference,
                          struct ym_arena *a);

/*
 * A path as browsers have it, as the application has it: appended to out. Any other path is appended
 * as it is.
 */
ym_status ym_recipe_path(const struct ym_recipe *r, struct ym_str path, struct ym_buf *out);

/* The URL lies at r's origin: the only place where credentials go. */
bool ym_recipe_owns(const struct ym_recipe *r, const char *url);

/* Path of a URL, "/" when it has none, without query and fragment. */
struct ym_str ym_url_path(const char *url);

#endif
