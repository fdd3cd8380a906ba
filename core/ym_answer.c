/* SPDX-License-Identifier: Apache-2.0
 * Recipes of form sign-in: judging answers and addresses by them.
 */
#include "ym_recipe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <libxml/uri.h>
#include <stdlib.h>
#include <strings.h>

/* A pattern that gives up (its limits) does not match. */
static bool matches(const void *code, struct ym_str text)
{
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    int rc = PCRE2_ERROR_NOMEMORY;

    if (m != NULL) {
        rc = pcre2_match(code, (PCRE2_SPTR)(text.p != NULL ? text.p : ""), text.n, 0, 0, m, NULL);
    }
    pcre2_match_data_free(m);
    return rc >= 0;
}

static bool sets(const struct ym_answer *answer, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < answer->set_cookie_count; i++) {
        struct ym_str c = answer->set_cookies[i];

        if (c.n > n && memcmp(c.p, name, n) == 0 && c.p[n] == '=') {
            return true;
        }
    }
    return false;
}

static enum ym_holds one_holds(const struct ym_answer_is *is, const struct ym_answer *answer)
{
    if (is->status != 0 &&
        is->status != (is->status < 10 ? answer->status / 100 : answer->status)) {
        return YM_HOLDS_NOT;
    }
    if (is->location != NULL &&
        (answer->location.n == 0 || !matches(is->location, answer->location))) {
        return YM_HOLDS_NOT;
    }
    if (is->cookie != NULL && !sets(answer, is->cookie)) {
        return YM_HOLDS_NOT;
    }
    if (is->body == NULL) {
        return YM_HOLDS;
    }
    if (answer->text.p == NULL) {
        return YM_HOLDS_READ;
    }
    return matches(is->body, answer->text) ? YM_HOLDS : YM_HOLDS_NOT;
}

enum ym_holds ym_answer_holds(const struct ym_answers *is, const struct ym_answer *answer)
{
    enum ym_holds best = YM_HOLDS_NOT;

    for (size_t i = 0; i < is->count; i++) {
        enum ym_holds one = one_holds(&is->items[i], answer);

        if (one == YM_HOLDS) {
            return YM_HOLDS;
        }
        best = one == YM_HOLDS_READ ? one : best;
    }
    return best;
}

/* Path of a URL or of a reference that begins with a slash. */
struct ym_str ym_url_path(const char *url)
{
    const char *p = strstr(url, "://");

    if (p != NULL && strcspn(url, "/?#") > (size_t)(p - url)) {
        p += 3;
        p += strcspn(p, "/?#");
    } else {
        p = url;
    }
    return *p == '/' ? (struct ym_str){p, strcspn(p, "?#")} : YM_STR("/");
}

ym_status ym_recipe_path(const struct ym_recipe *r, struct ym_str path, struct ym_buf *out)
{
    size_t n = r->prefix != NULL ? strlen(r->prefix) : 0;

    if (n > 0 && path.n >= n - 1 && memcmp(path.p, r->prefix, n - 1) == 0 &&
        (path.n == n - 1 || path.p[n - 1] == '/')) {
        ym_buf_adds(out, r->base);
        n = path.n < n ? path.n : n;
        path.p += n;
        path.n -= n;
    }
    return ym_buf_add(out, path.p, path.n);
}

/* The address leads to r's page. */
static bool is_page(const struct ym_recipe *r, struct ym_str location)
{
    struct ym_buf url, path;
    bool same = false;

    ym_buf_init(&url, YM_RECIPE_PATTERN);
    ym_buf_init(&path, 2 * YM_RECIPE_PATTERN);
    if (ym_buf_add(&url, location.p, location.n) == YM_OK &&
        ym_recipe_path(r, ym_url_path(url.p), &path) == YM_OK) {
        same = ym_str_eq(ym_buf_str(&path), ym_url_path(r->page));
    }
    ym_buf_clear(&url);
    ym_buf_clear(&path);
    return same;
}

enum ym_holds ym_recipe_signed_out(const struct ym_recipe *r, const struct ym_answer *answer)
{
    if (r->signed_out.count > 0) {
        return ym_answer_holds(&r->signed_out, answer);
    }
    if (answer->status == 401) {
        return YM_HOLDS;
    }
    if (answer->status < 300 || answer->status > 399 || answer->location.n == 0) {
        return YM_HOLDS_NOT;
    }
    return is_page(r, answer->location) ? YM_HOLDS : YM_HOLDS_NOT;
}

/* The port that a URL means. */
static int port_of(const xmlURI *u)
{
    if (u->port > 0) {
        return u->port;
    }
    return strcasecmp(u->scheme, "https") == 0 ? 443 : 80;
}

/*
 * An address as every reader must understand it: blanks, backslashes and control characters make
 * some of them see another host.
 */
static xmlURI *parse_url(const char *url)
{
    xmlURI *u;

    for (const char *p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || *p == '\\' || (unsigned char)*p >= 0x7F) {
            return NULL;
        }
    }
    u = xmlParseURI(url);
    if (u != NULL &&
        (u->scheme == NULL || u->server == NULL || *u->server == '\0' || u->user != NULL ||
         (strcasecmp(u->scheme, "http") != 0 && strcasecmp(u->scheme, "https") != 0))) {
        xmlFreeURI(u);
        return NULL;
    }
    return u;
}

static bool same_origin(const char *a, const char *b)
{
    xmlURI *ua = parse_url(a), *ub = parse_url(b);
    bool same = ua != NULL && ub != NULL && strcasecmp(ua->scheme, ub->scheme) == 0 &&
                strcasecmp(ua->server, ub->server) == 0 && port_of(ua) == port_of(ub);

    xmlFreeURI(ua);
    xmlFreeURI(ub);
    return same;
}

bool ym_recipe_owns(const struct ym_recipe *r, const char *url)
{
    return same_origin(r->origin, url);
}

/*
 * The application under the name that browsers have for it. Scheme and port are not looked at: behind
 * a gateway it knows them wrongly more often than not, and the request goes to the real origin anyway.
 */
static bool is_public(const struct ym_recipe *r, const char *url)
{
    xmlURI *u = parse_url(url), *p = r->public != NULL ? parse_url(r->public) : NULL;
    bool same = false;

    if (u != NULL) {
        size_t n = strlen(u->server);

        same = (p != NULL && strcasecmp(u->server, p->server) == 0) ||
               (r->host != NULL && strncasecmp(r->host, u->server, n) == 0 &&
                (r->host[n] == '\0' || r->host[n] == ':'));
    }
    xmlFreeURI(u);
    xmlFreeURI(p);
    return same;
}

/* What stands behind scheme, host and port. */
static const char *behind_origin(const char *url)
{
    const char *p = strstr(url, "://");

    p = p != NULL ? p + 3 : url;
    return p + strcspn(p, "/?#");
}

/* url, of ours by one name or the other, as the application itself has it. */
static const char *at_origin(const struct ym_recipe *r, const char *url, struct ym_arena *a)
{
    const char *tail = behind_origin(url), *out = NULL;
    struct ym_str path = ym_url_path(url);
    struct ym_buf b;

    if (*tail == '/') {
        tail += path.n;
    }
    ym_buf_init(&b, 8192);
    ym_buf_adds(&b, r->origin);
    if (ym_recipe_path(r, path, &b) == YM_OK && ym_buf_adds(&b, tail) == YM_OK) {
        out = ym_arena_strz(a, b.p);
    }
    ym_buf_clear(&b);
    return out;
}

const char *ym_recipe_url(const struct ym_recipe *r, const char *base, const char *reference,
                          struct ym_arena *a)
{
    xmlChar *full = xmlBuildURI((const xmlChar *)reference, (const xmlChar *)base);
    char *url = full != NULL ? ym_arena_strz(a, (const char *)full) : NULL;
    xmlURI *u = url != NULL ? parse_url(url) : NULL;

    xmlFree(full);
    if (u == NULL) {
        return NULL;
    }
    xmlFreeURI(u);
    url[strcspn(url, "#")] = '\0';
    if (ym_recipe_owns(r, url) || is_public(r, url)) {
        return at_origin(r, url, a);
    }
    return url;
}
