/* SPDX-License-Identifier: Apache-2.0
 * What an application behind the gateway may not do through its answers: set
 * our cookies, send the person elsewhere, sign in a connection that others
 * share, steer nginx, or take over the whole origin.
 */
#include "ngx_http_yimen_front.h"


static ngx_int_t ngx_http_yimen_answers_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_yimen_answers_refused(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf, ngx_table_elt_t *h);
static ngx_uint_t ngx_http_yimen_answers_cookie(ngx_str_t *value);
static ngx_uint_t ngx_http_yimen_answers_scheme(ngx_str_t *value);
static ngx_uint_t ngx_http_yimen_answers_elsewhere(ngx_http_request_t *r,
    u_char *p, u_char *last);
static ngx_int_t ngx_http_yimen_answers_web(u_char **p, u_char *last);
static ngx_uint_t ngx_http_yimen_answers_refresh(ngx_http_request_t *r,
    ngx_str_t *value);
static void ngx_http_yimen_answers_forget(ngx_http_request_t *r,
    ngx_table_elt_t *h);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_yimen_answers_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_yimen_answers_filter;
}


/*
 * X-Accel-Redirect and its kin are obeyed while an answer is read, before any
 * filter.  The modules that can be told not to begin their configuration with
 * the one of the upstream; they have been merged already.
 */
void
ngx_http_yimen_answers_ignore(ngx_conf_t *cf)
{
    ngx_uint_t                  i, k;
    ngx_module_t              **modules;
    ngx_http_conf_ctx_t        *ctx;
    ngx_http_upstream_conf_t   *ucf;

    static const char *const  names[] = {
        "ngx_http_proxy_module", "ngx_http_fastcgi_module",
        "ngx_http_uwsgi_module", "ngx_http_scgi_module",
        "ngx_http_grpc_module"
    };

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (modules[i]->type != NGX_HTTP_MODULE) {
            continue;
        }

        for (k = 0; k < YM_COUNT(names); k++) {
            if (ngx_strcmp(modules[i]->name, names[k]) == 0) {
                ucf = ctx->loc_conf[modules[i]->ctx_index];
                ucf->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                                       |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                                       |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET
                                       |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES;
            }
        }
    }
}


static ngx_int_t
ngx_http_yimen_answers_filter(ngx_http_request_t *r)
{
    ngx_uint_t                        i;
    ngx_table_elt_t                  *h;
    ngx_list_part_t                  *part;
    ngx_http_yimen_front_state_t     *state;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    if (r->upstream == NULL) {
        return ngx_http_next_header_filter(r);
    }

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (!ngx_http_yimen_front_on(r, flcf->scrub)) {
        return ngx_http_next_header_filter(r);
    }

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0
                && ngx_http_yimen_answers_refused(r, flcf, &h[i]))
            {
                h[i].hash = 0;
                ngx_http_yimen_answers_forget(r, &h[i]);
            }
        }
    }

    state = ngx_http_yimen_front_state(r, 0);

    if (state == NULL || !state->upgrade || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        if (ngx_http_yimen_socket_watch(r, state) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {

        /* what may follow on this connection is nobody's answer */

        r->upstream->headers_in.connection_close = 1;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_uint_t
ngx_http_yimen_answers_is(ngx_table_elt_t *h, const char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    return h->key.len == len
           && ngx_strncasecmp(h->key.data, (u_char *) (uintptr_t) name, len)
              == 0;
}


static ngx_uint_t
ngx_http_yimen_answers_refused(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf, ngx_table_elt_t *h)
{
    const char  *what;

    what = NULL;

    switch (ngx_tolower(h->key.data[0])) {

    case 's':
        if (ngx_http_yimen_answers_is(h, "set-cookie")) {
            what = ngx_http_yimen_answers_cookie(&h->value) ? "cookie" : NULL;

        } else if (ngx_http_yimen_answers_is(h, "service-worker-allowed")) {
            what = "service-worker-allowed";
        }

        break;

    case 'w':
        if (ngx_http_yimen_answers_is(h, "www-authenticate")) {
            what = ngx_http_yimen_answers_scheme(&h->value)
                   ? "www-authenticate" : NULL;
        }

        break;

    case 'c':
        if (ngx_http_yimen_answers_is(h, "clear-site-data")) {
            what = "clear-site-data";
        }

        break;

    case 'x':
        if (h->key.len > 8
            && ngx_strncasecmp(h->key.data, (u_char *) "x-accel-", 8) == 0)
        {
            what = flcf->accel ? NULL : "x-accel";
        }

        break;

    case 'l':
        if (!flcf->redirects && ngx_http_yimen_answers_is(h, "location")) {
            what = ngx_http_yimen_answers_elsewhere(r, h->value.data,
                                             h->value.data + h->value.len)
                   ? "location" : NULL;
        }

        break;

    case 'r':
        if (!flcf->redirects && ngx_http_yimen_answers_is(h, "refresh")) {
            what = ngx_http_yimen_answers_refresh(r, &h->value)
                   ? "refresh" : NULL;
        }

        break;
    }

    if (what == NULL) {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "event=answer.header_refused what=%s", what);

    return 1;
}


static ngx_uint_t
ngx_http_yimen_answers_cookie(ngx_str_t *value)
{
    u_char  *p, *last, *end;

    p = value->data;
    last = p + value->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    for (end = p; end < last && *end != '=' && *end != ';'; end++) {
        /* void */
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    return ngx_http_yimen_cookie_is_ours(p, (size_t) (end - p));
}


/*
 * NTLM and Negotiate sign in a connection, and connections to upstreams are
 * shared by people.
 */
static ngx_uint_t
ngx_http_yimen_answers_scheme(ngx_str_t *value)
{
    ngx_uint_t  i;

    static const ngx_str_t  schemes[] = {
        ngx_string("ntlm"), ngx_string("negotiate"), ngx_string("kerberos")
    };

    for (i = 0; i < YM_COUNT(schemes); i++) {
        if (ngx_strlcasestrn(value->data, value->data + value->len,
                             schemes[i].data, schemes[i].len - 1)
            != NULL)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_yimen_answers_delimits(u_char c)
{
    return c == '/' || c == '\\' || c == '?' || c == '#';
}


/*
 * An address of another host, as browsers read it: they drop blanks in front
 * and tabs and line ends anywhere, and take '\\' for '/'.
 */
static ngx_uint_t
ngx_http_yimen_answers_elsewhere(ngx_http_request_t *r, u_char *p,
    u_char *last)
{
    u_char     *end;
    ngx_str_t  *own;

    for (end = p; end < last; end++) {
        if (*end < ' ' || *end == 0x7f) {
            return 1;
        }
    }

    while (p < last && *p == ' ') {
        p++;
    }

    if (ngx_http_yimen_answers_web(&p, last) != NGX_OK) {
        return 1;
    }

    if (last - p < 2
        || (p[0] != '/' && p[0] != '\\') || (p[1] != '/' && p[1] != '\\'))
    {
        return 0;
    }

    p += 2;
    end = p;

    while (end < last && !ngx_http_yimen_answers_delimits(*end)) {
        end++;
    }

    own = &r->headers_in.server;

    if (own->len == 0 || (size_t) (end - p) < own->len
        || ngx_strncasecmp(p, own->data, own->len) != 0)
    {
        return 1;
    }

    /* another port is another origin, but the same host */

    return p + own->len != end && p[own->len] != ':';
}


/* skips "http:" or "https:" before "//"; any other scheme: NGX_DECLINED */

static ngx_int_t
ngx_http_yimen_answers_web(u_char **p, u_char *last)
{
    u_char  *q;
    size_t   n;

    for (q = *p; q < last && *q != ':'; q++) {
        if (ngx_http_yimen_answers_delimits(*q)) {
            return NGX_OK;
        }
    }

    if (q == last) {
        return NGX_OK;
    }

    n = (size_t) (q - *p);

    if (!(n == 4 && ngx_strncasecmp(*p, (u_char *) "http", 4) == 0)
        && !(n == 5 && ngx_strncasecmp(*p, (u_char *) "https", 5) == 0))
    {
        return NGX_DECLINED;
    }

    *p = q + 1;

    return (last - *p >= 2 && (*p)[0] == '/' && (*p)[1] == '/')
           ? NGX_OK : NGX_DECLINED;
}


/* "5; url=//evil.test" */

static ngx_uint_t
ngx_http_yimen_answers_refresh(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    while (p < last && *p != ';' && *p != ',') {
        p++;
    }

    while (p < last && (*p == ';' || *p == ',' || *p == ' ' || *p == '\t')) {
        p++;
    }

    if (last - p > 4 && ngx_strncasecmp(p, (u_char *) "url", 3) == 0) {
        p += 3;

        while (p < last && (*p == ' ' || *p == '=')) {
            p++;
        }
    }

    if (p < last && (*p == '"' || *p == '\'')) {
        p++;
    }

    return ngx_http_yimen_answers_elsewhere(r, p, last);
}


/* nginx keeps pointers to some of them and works on those */

static void
ngx_http_yimen_answers_forget(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    if (r->headers_out.location == h) {
        r->headers_out.location = NULL;
    }

    if (r->headers_out.refresh == h) {
        r->headers_out.refresh = NULL;
    }

    if (r->headers_out.www_authenticate == h) {
        r->headers_out.www_authenticate = NULL;
    }
}
