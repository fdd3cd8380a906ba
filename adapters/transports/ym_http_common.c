/* SPDX-License-Identifier: Apache-2.0
 * libcurl easy handles under our rules.
 */
#include "ym_http_common.h"

#include "ym_connection.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct header {
    struct header *next;
    struct ym_pair pair;
};

struct ym_request {
    struct ym_link *link;
    struct ym_arena *arena;
    CURL *easy;
    bool posts; /* the handle has the options of a plain POST already */
    struct curl_slist *headers;
    struct ym_buf body;
    struct header *first, **last; /* of the reply under way */
    size_t header_count, header_bytes;
    int sendings;                /* how often curl was about to send */
    bool repeatable;             /* GET and HEAD: curl may send again on a dead connection */
    const char *refused;         /* why we stopped the transfer ourselves */
    char words[CURL_ERROR_SIZE]; /* curl's own about an error; may repeat the server's */
};

/* Settings and link ---------------------------------------------------------------------------- */

static bool http_scheme(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

void ym_http_check(const struct ym_system *sys, const struct ym_field *table, struct ym_diag *d)
{
    struct ym_http_settings settings;
    struct ym_arena *a = ym_arena_open();

    if (a == NULL) {
        return;
    }
    (void)ym_connection_load(sys, table, &settings, a, d);
    if (sys->endpoint != NULL &&
        (!http_scheme(sys->endpoint) || ym_http_origin(sys->endpoint, a) == NULL)) {
        ym_connection_blame(sys, d, "endpoint must be an http:// or https:// address");
    }
    if (sys->endpoint != NULL && strchr(sys->endpoint, '@') != NULL) {
        ym_connection_blame(sys, d, "endpoint must not hold a user name; give it as a secret");
    }
    ym_arena_close(a);
}

ym_status ym_http_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                       const struct ym_field *table, bool cookies, struct ym_link **ret,
                       struct ym_err *err)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_link *l = a != NULL ? ym_arena_alloc(a, sizeof(*l)) : NULL;
    ym_status rc;

    if (l == NULL) {
        ym_arena_close(a);
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    l->arena = a;
    l->sys = sys;
    l->secrets = secrets;
    rc = ym_connection_open(sys, table, &l->settings, a, err);
    if (rc != YM_OK) {
        goto fail;
    }
    l->settings.ca_file = ym_connection_path(sys, l->settings.ca_file, a);
    l->settings.client_cert = ym_connection_path(sys, l->settings.client_cert, a);
    l->settings.client_key = ym_connection_path(sys, l->settings.client_key, a);
    l->origin = sys->endpoint != NULL ? ym_http_origin(sys->endpoint, a) : NULL;
    if (l->origin == NULL) {
        rc = ym_err_at(err, YM_EINVAL, sys->file, 0, 0,
                       "the site file must give an http:// or https:// endpoint");
        goto fail;
    }
    l->authority = (size_t)(strstr(sys->endpoint, "://") + 3 - sys->endpoint);
    l->authority += strcspn(sys->endpoint + l->authority, "/?#");
    if (cookies) {
        l->jar = curl_share_init();
        if (l->jar == NULL ||
            curl_share_setopt(l->jar, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) != CURLSHE_OK) {
            rc = ym_err_set(err, YM_ENOMEM, "out of memory");
            goto fail;
        }
    }
    *ret = l;
    return YM_OK;
fail:
    ym_http_close(l);
    return rc;
}

void ym_http_close(struct ym_link *l)
{
    if (l == NULL) {
        return;
    }
    while (l->idle_count > 0) {
        curl_easy_cleanup(l->idle[--l->idle_count].easy);
    }
    if (l->jar != NULL) {
        (void)curl_share_cleanup(l->jar);
    }
    ym_arena_close(l->arena);
}

const char *ym_http_origin(const char *url, struct ym_arena *a)
{
    CURLU *u = http_scheme(url) ? curl_url() : NULL;
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL, *p;

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        origin = ym_arena_printf(a, "%s://%s:%s", scheme, host, port);
    }
    for (p = origin; p != NULL && *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return origin;
}

/* Reply ---------------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct ym_request *r = user;

    (void)size; /* always 1 */
    if (ym_buf_add(&r->body, data, n) == YM_OK) {
        return n;
    }
    r->refused = r->body.failed == YM_ETOOBIG ? "the reply's body is too large" : "out of memory";
    return CURL_WRITEFUNC_ERROR;
}

static struct ym_str trimmed(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) {
        end--;
    }
    return (struct ym_str){p, (size_t)(end - p)};
}

/* Keeps one header line; lines that are none are dropped. False when memory is out. */
static bool keep_header(struct ym_request *r, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    struct header *h;
    char *name, *value, *p;

    if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t') {
        return true;
    }
    h = ym_arena_alloc(r->arena, sizeof(*h));
    name = ym_arena_str(r->arena, trimmed(line, colon));
    value = ym_arena_str(r->arena, trimmed(colon + 1, line + n));
    if (h == NULL || name == NULL || value == NULL) {
        return false;
    }
    for (p = name; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    h->pair.name = name;
    h->pair.value = value;
    *r->last = h;
    r->last = &h->next;
    r->header_count++;
    return true;
}

static void drop_headers(struct ym_request *r)
{
    r->first = NULL;
    r->last = &r->first;
    r->header_count = 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    struct ym_request *r = user;

    (void)size; /* always 1 */
    r->header_bytes += n;
    if (r->header_bytes > (size_t)r->link->settings.max_header) {
        r->refused = "the reply's headers are too large";
        return 0;
    }
    if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* 100 Continue came before the real answer */
        drop_headers(r);
        return n;
    }
    if (!keep_header(r, data, n)) {
        r->refused = "out of memory";
        return 0;
    }
    return n;
}

static long bytes_sent(struct ym_request *r)
{
    long n = 0;

    (void)curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &n);
    return n;
}

/*
 * Called before each sending. When a kept connection turns out to be dead, curl sends the whole
 * request again by itself; for anything but GET that could deliver a record twice, so only a
 * request of which no byte had left may go on.
 */
static int on_sending(void *user, char *ip, char *local_ip, int port, int local_port)
{
    struct ym_request *r = user;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (r->sendings++ > 0 && !r->repeatable && bytes_sent(r) > 0) {
        r->refused = "the connection was lost after the request had been sent";
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}

/* Request -------------------------------------------------------------------------------------- */

/* curl_easy_reset() forgets the list of cookie files without freeing it. */
static void reset_handle(CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL);
    curl_easy_reset(easy);
}

ym_status ym_request_open(struct ym_link *l, struct ym_arena *a, struct ym_request **ret,
                          struct ym_err *err)
{
    struct ym_request *r = ym_arena_alloc(a, sizeof(*r));

    if (r == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    r->link = l;
    r->arena = a;
    if (l->idle_count > 0) {
        l->idle_count--;
        r->easy = l->idle[l->idle_count].easy;
        r->posts = l->idle[l->idle_count].posts;
    } else {
        r->easy = curl_easy_init();
    }
    if (r->easy == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    ym_buf_init(&r->body, (size_t)l->settings.max_body);
    drop_headers(r);
    *ret = r;
    return YM_OK;
}

CURL *ym_request_handle(struct ym_request *r)
{
    return r->easy;
}

void ym_request_close(struct ym_request *r)
{
    struct ym_link *l;

    if (r == NULL) {
        return;
    }
    l = r->link;
    ym_buf_wipe(&r->body);
    if (!r->posts) {
        reset_handle(r->easy);
    } else { /* nothing of this request is to be found in it */
        (void)curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, NULL);
        (void)curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, "");
        (void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, NULL);
    }
    curl_slist_free_all(r->headers);
    if (l->idle_count < YM_COUNT(l->idle)) {
        l->idle[l->idle_count++] = (struct ym_handle){r->easy, r->posts};
    } else {
        curl_easy_cleanup(r->easy);
    }
    r->easy = NULL;
}

static bool add_line(struct ym_request *r, const char *line)
{
    struct curl_slist *longer = line != NULL ? curl_slist_append(r->headers, line) : NULL;

    if (longer == NULL) {
        return false;
    }
    r->headers = longer;
    return true;
}

static bool is_token(const char *s)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return *s != '\0' && s[strspn(s, allowed)] == '\0';
}

/* Headers whose value is the transport's business. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "content-length", "transfer-encoding", "connection", "expect", "host", "upgrade", "te"};
    size_t i;

    for (i = 0; i < YM_COUNT(ours); i++) {
        if (strcasecmp(name, ours[i]) == 0) {
            return true;
        }
    }
    return false;
}

static ym_status add_headers(struct ym_request *r, const struct ym_http_call *call,
                             struct ym_err *err)
{
    bool ok = add_line(r, "Expect:"), typed = false;
    size_t i;

    for (i = 0; i < call->header_count && ok; i++) {
        const struct ym_pair *h = &call->headers[i];

        if (!is_token(h->name) || is_ours(h->name) || strpbrk(h->value, "\r\n") != NULL) {
            return ym_err_set(err, YM_EINVAL,
                              "the header \"%.60s\" cannot be sent: it is the transport's own, or "
                              "its name or value holds a forbidden character",
                              h->name);
        }
        typed = typed || strcasecmp(h->name, "content-type") == 0;
        ok =
            add_line(r, h->value[0] != '\0' ? ym_arena_printf(r->arena, "%s: %s", h->name, h->value)
                                            : ym_arena_printf(r->arena, "%s;", h->name));
    }
    if (ok && !typed) { /* otherwise curl would add a type of its own */
        ok = add_line(r, call->type != NULL
                             ? ym_arena_printf(r->arena, "Content-Type: %s", call->type)
                             : "Content-Type:");
    }
    return ok ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

/* Method and body; the length is always known beforehand, so curl never sends chunks. */
static CURLcode set_method(struct ym_request *r, const struct ym_http_call *call)
{
    bool bare = call->body.n == 0;
    CURLcode rc;

    r->repeatable =
        !call->once && (strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0);
    if (bare && strcmp(call->method, "GET") == 0) {
        return curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);
    }
    if (bare && strcmp(call->method, "HEAD") == 0) {
        return curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
    }
    rc = curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, bare ? "" : call->body.p);
    }
    if (rc == CURLE_OK && strcmp(call->method, "POST") != 0) {
        rc = curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, call->method);
    }
    return rc;
}

static void set_tls(struct ym_request *r)
{
    const struct ym_http_settings *s = &r->link->settings;
    const char *password = ym_secret(r->link->secrets, "clientKeyPassword");

    /* Verification of peer and host name is curl's default and stays. */
    if (s->ca_file != NULL) {
        (void)curl_easy_setopt(r->easy, CURLOPT_CAINFO, s->ca_file);
    }
    if (s->client_cert != NULL) {
        (void)curl_easy_setopt(r->easy, CURLOPT_SSLCERT, s->client_cert);
        (void)curl_easy_setopt(r->easy, CURLOPT_SSLKEY,
                               s->client_key != NULL ? s->client_key : s->client_cert);
        if (password != NULL) {
            (void)curl_easy_setopt(r->easy, CURLOPT_KEYPASSWD, password);
        }
    }
}

static void set_limits(struct ym_request *r, int64_t timeout_ms)
{
    const struct ym_http_settings *s = &r->link->settings;
    long total = timeout_ms < 1 ? 1 : timeout_ms > INT_MAX ? INT_MAX : (long)timeout_ms;
    long connect = s->connect_timeout_ms < total ? (long)s->connect_timeout_ms : total;

    (void)curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, total);
    (void)curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, connect);
    if (s->keep_alive_ms < 1000) {
        (void)curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(r->easy, CURLOPT_FORBID_REUSE, 1L);
    } else {
        (void)curl_easy_setopt(r->easy, CURLOPT_MAXAGE_CONN, (long)(s->keep_alive_ms / 1000));
    }
}

/* Whether url leads where the endpoint does: as text, or else as curl reads it. */
static bool same_origin(const struct ym_link *l, const char *url, struct ym_arena *a)
{
    const char *origin;

    if (strncmp(url, l->sys->endpoint, l->authority) == 0 &&
        (url[l->authority] == '\0' || strchr("/?#", url[l->authority]) != NULL)) {
        return true;
    }
    origin = ym_http_origin(url, a);
    return origin != NULL && strcmp(origin, l->origin) == 0;
}

/* What is the same for every request of a link. */
static ym_status set_constants(struct ym_request *r, struct ym_err *err)
{
    CURL *e = r->easy;

    if (curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_sending) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_PROXY, ""); /* the environment does not redirect records */
    (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "yimen");
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    if (r->link->settings.compressed) { /* the cap then counts unpacked bytes */
        (void)curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    }
    if (r->link->jar != NULL) {
        (void)curl_easy_setopt(e, CURLOPT_SHARE, r->link->jar);
        (void)curl_easy_setopt(e, CURLOPT_COOKIEFILE, ""); /* switches the engine on */
    }
    set_tls(r);
    return YM_OK;
}

/* A handle that posted plainly keeps its options: setting them anew costs as much as the rest. */
static ym_status prepare_handle(struct ym_request *r, const struct ym_http_call *call,
                                struct ym_err *err)
{
    bool posts = strcmp(call->method, "POST") == 0 && call->referer == NULL && r->link->jar == NULL;
    bool prepared = posts && r->posts;
    ym_status rc;

    r->posts = false;
    if (!prepared) {
        reset_handle(r->easy);
        rc = set_constants(r, err);
        if (rc != YM_OK) {
            return rc;
        }
        if (call->referer != NULL) {
            (void)curl_easy_setopt(r->easy, CURLOPT_REFERER, call->referer);
        }
    }
    r->posts = posts;
    return YM_OK;
}

ym_status ym_request_start(struct ym_request *r, const struct ym_http_call *call,
                           struct ym_err *err)
{
    CURL *e = r->easy;
    ym_status rc;

    if (!same_origin(r->link, call->url, r->arena)) {
        return ym_err_set(err, YM_EINVAL, "the address leads to another host than the endpoint");
    }
    if (!is_token(call->method)) {
        return ym_err_set(err, YM_EINVAL, "this is no HTTP method");
    }
    rc = prepare_handle(r, call, err);
    if (rc != YM_OK) {
        return rc;
    }
    curl_slist_free_all(r->headers);
    r->headers = NULL;
    ym_buf_reset(&r->body);
    drop_headers(r);
    r->header_bytes = 0;
    r->sendings = 0;
    r->refused = NULL;

    rc = add_headers(r, call, err);
    if (rc != YM_OK) {
        return rc;
    }
    if (curl_easy_setopt(e, CURLOPT_URL, call->url) != CURLE_OK ||
        set_method(r, call) != CURLE_OK || curl_easy_setopt(e, CURLOPT_PREREQDATA, r) != CURLE_OK) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    r->words[0] = '\0';
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->words);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    set_limits(r, call->timeout_ms);
    return YM_OK;
}

/* The charset parameter of Content-Type, or NULL. */
static const char *charset_of(const char *type, struct ym_arena *a)
{
    const char *p = type;
    size_t n;

    while ((p = strchr(p, ';')) != NULL) {
        p += 1 + strspn(p + 1, " \t");
        if (strncasecmp(p, "charset=", 8) == 0) {
            p += 8;
            p += *p == '"' || *p == '\'';
            n = strcspn(p, "\"'; \t");
            return n > 0 ? ym_arena_str(a, (struct ym_str){p, n}) : NULL;
        }
    }
    return NULL;
}

static void fill_reply(struct ym_request *r, struct ym_facts *facts)
{
    struct ym_pair *pairs =
        ym_arena_alloc(r->arena, (r->header_count + 1) * sizeof(*pairs)); /* form adds one */
    const struct header *h;
    size_t n = 0;

    facts->body.p = ym_arena_str(r->arena, ym_buf_str(&r->body));
    if (pairs == NULL || facts->body.p == NULL) {
        facts->sent = YM_SENT_NO_REPLY;
        facts->problem = "out of memory";
        return;
    }
    facts->body.n = r->body.n;
    for (h = r->first; h != NULL; h = h->next) {
        pairs[n++] = h->pair;
        if (strcmp(h->pair.name, "content-type") == 0) {
            facts->charset = charset_of(h->pair.value, r->arena);
        }
    }
    facts->headers = pairs;
    facts->header_count = n;
}

void ym_request_facts(struct ym_request *r, CURLcode how, struct ym_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->stage = "";
    if (how == CURLE_OK) {
        (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &facts->status);
        facts->sent = YM_REPLIED;
        fill_reply(r, facts);
        return;
    }
    /* curl counts bytes when the socket (or TLS) has taken them: none means none could arrive. */
    facts->sent = bytes_sent(r) == 0 ? YM_NOT_SENT : YM_SENT_NO_REPLY;
    facts->problem = r->refused != NULL ? r->refused : curl_easy_strerror(how);
    /* Unknown issuer, another name, expired: three different errands. */
    if (how == CURLE_PEER_FAILED_VERIFICATION && r->words[0] != '\0') {
        facts->problem = r->words;
    }
}
