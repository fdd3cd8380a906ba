/* SPDX-License-Identifier: Apache-2.0
 * What leaves for an upstream: without our own cookies and tokens, with who
 * the person is.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_session.h"


typedef struct {
    ngx_http_yimen_front_state_t  *state;
    unsigned                       bearer:1;    /* is for us alone */
    unsigned                       failed:1;
} ngx_http_yimen_outgoing_t;


static ngx_uint_t ngx_http_yimen_outgoing_ours(ngx_http_request_t *r);
static ngx_uint_t ngx_http_yimen_outgoing_cookies(ngx_http_request_t *r);
static ngx_uint_t ngx_http_yimen_outgoing_judge(ngx_http_request_t *r,
    ngx_table_elt_t *copy, void *data);
static ngx_uint_t ngx_http_yimen_outgoing_cookie(ngx_http_request_t *r,
    ngx_str_t *value, ngx_uint_t *ret_failed);
static ngx_uint_t ngx_http_yimen_cookies_have_ours(ngx_str_t *value);


ngx_int_t
ngx_http_yimen_scrub_outgoing(ngx_http_request_t *r)
{
    ngx_uint_t                     bearer;
    ngx_http_yimen_outgoing_t      out;
    ngx_http_yimen_front_state_t  *state;

    state = ngx_http_yimen_front_state(r, 0);
    bearer = (state != NULL && state->bearer) || ngx_http_yimen_outgoing_ours(r);

    if (!bearer && !(state != NULL && state->pending.nelts)
        && !ngx_http_yimen_outgoing_cookies(r))
    {
        return NGX_OK;
    }

    if (state == NULL) {
        state = ngx_http_yimen_front_state(r, 1);
        if (state == NULL) {
            return NGX_ERROR;
        }
    }

    if (!state->changed) {
        state->original = r->headers_in;
        state->changed = 1;
    }

    out.state = state;
    out.bearer = (bearer != 0);
    out.failed = 0;

    if (ngx_http_yimen_headers_rebuild(r, ngx_http_yimen_outgoing_judge, &out,
                                       &state->pending, state)
        != NGX_OK
        || out.failed)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A token that opens the gateway is no application's business, not even where
 * nobody asks who it is: who had it could be that person.
 */
static ngx_uint_t
ngx_http_yimen_outgoing_ours(ngx_http_request_t *r)
{
    u_char                      *p, *last;
    ngx_table_elt_t             *h;
    ngx_http_yimen_main_conf_t  *ymcf;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return 0;
    }

    p = h->value.data + sizeof("Bearer ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);

    return ym_jwt_says((struct ym_str){ (char *) p, (size_t) (last - p) },
                       ymcf->auth.rules.issuer, ymcf->auth.rules.audience);
}


/* whether a Cookie header holds one of ours */

static ngx_uint_t
ngx_http_yimen_outgoing_cookies(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    ngx_list_part_t  *part;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("cookie") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "cookie",
                                   sizeof("cookie") - 1)
                   == 0
                && ngx_http_yimen_cookies_have_ours(&h[i].value))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_yimen_outgoing_judge(ngx_http_request_t *r, ngx_table_elt_t *copy,
    void *data)
{
    u_char                      folded[NGX_HTTP_YIMEN_NAME_BYTES];
    u_char                      other[NGX_HTTP_YIMEN_NAME_BYTES];
    size_t                      len;
    ngx_uint_t                  i, failed, gone;
    ngx_keyval_t               *kv;
    ngx_http_yimen_outgoing_t  *out = data;

    len = copy->key.len;

    if (len == sizeof("cookie") - 1
        && ngx_strncasecmp(copy->key.data, (u_char *) "cookie", len) == 0)
    {
        /* the cookies of an application that the gateway keeps for it */

        if (out->state->jar) {
            return 1;
        }

        if (!ngx_http_yimen_cookies_have_ours(&copy->value)) {
            return 0;
        }

        gone = ngx_http_yimen_outgoing_cookie(r, &copy->value, &failed);
        out->failed |= (failed != 0);

        return gone;
    }

    if (out->bearer
        && len == sizeof("authorization") - 1
        && ngx_strncasecmp(copy->key.data, (u_char *) "authorization", len)
           == 0)
    {
        return 1;
    }

    if (len > NGX_HTTP_YIMEN_NAME_BYTES) {
        return 0;
    }

    kv = out->state->pending.elts;

    for (i = 0; i < out->state->pending.nelts; i++) {
        if (kv[i].key.len == len) {
            (void) ngx_http_yimen_fold(copy->key.data, len, folded);
            (void) ngx_http_yimen_fold(kv[i].key.data, len, other);

            if (ngx_memcmp(folded, other, len) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


/* the next pair of a Cookie header; 0 when there is none */

static ngx_uint_t
ngx_http_yimen_cookie_next(ngx_str_t *rest, ngx_str_t *ret_pair,
    ngx_str_t *ret_name)
{
    u_char  *p, *last, *end;

    p = rest->data;
    last = p + rest->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ';' || *p == ',')) {
        p++;
    }

    if (p == last) {
        return 0;
    }

    end = memchr(p, ';', (size_t) (last - p));

    if (end == NULL) {
        end = last;
    }

    rest->data = end;
    rest->len = (size_t) (last - end);

    ret_pair->data = p;
    ret_pair->len = (size_t) (end - p);

    ret_name->data = p;
    last = memchr(p, '=', (size_t) (end - p));

    if (last == NULL) {
        last = end;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    ret_name->len = (size_t) (last - p);

    return 1;
}


static ngx_uint_t
ngx_http_yimen_cookies_have_ours(ngx_str_t *value)
{
    ngx_str_t  rest, pair, name;

    /* the one cookie of somebody who has no other */

    if (value->len > sizeof(NGX_HTTP_YIMEN_COOKIE) - 1
        && value->data[sizeof(NGX_HTTP_YIMEN_COOKIE) - 1] == '='
        && ngx_memcmp(value->data, NGX_HTTP_YIMEN_COOKIE,
                      sizeof(NGX_HTTP_YIMEN_COOKIE) - 1)
           == 0)
    {
        return 1;
    }

    rest = *value;

    while (ngx_http_yimen_cookie_next(&rest, &pair, &name)) {
        if (ngx_http_yimen_cookie_is_ours(name.data, name.len)) {
            return 1;
        }
    }

    return 0;
}


/* the others, joined again; 1 when nothing is left */

static ngx_uint_t
ngx_http_yimen_outgoing_cookie(ngx_http_request_t *r, ngx_str_t *value,
    ngx_uint_t *ret_failed)
{
    u_char     *p, *start;
    ngx_str_t   rest, pair, name;

    *ret_failed = 0;

    start = NULL;
    p = NULL;
    rest = *value;

    while (ngx_http_yimen_cookie_next(&rest, &pair, &name)) {

        if (ngx_http_yimen_cookie_is_ours(name.data, name.len)) {
            continue;
        }

        if (start == NULL) {

            /* a blank behind each ';' may be new */

            start = ngx_pnalloc(r->pool, 2 * value->len);
            if (start == NULL) {
                *ret_failed = 1;
                return 1;
            }

            p = start;

        } else {
            *p++ = ';';
            *p++ = ' ';
        }

        p = ngx_cpymem(p, pair.data, pair.len);
    }

    value->data = start;
    value->len = (size_t) (p - start);

    return value->len == 0;
}


/*
 * __Host-yimen, yimen, and what begins so and goes on with a mark: the flow
 * cookies.  In any case, and under another prefix: nobody else shall have one.
 */
ngx_uint_t
ngx_http_yimen_cookie_is_ours(const u_char *name, size_t len)
{
    size_t  n;

    static const ngx_str_t  prefixes[] = {
        ngx_string("__Host-"), ngx_string("__Secure-"), ngx_string("")
    };

    if (len == 0 || (*name != '_' && ngx_tolower(*name) != 'y')) {
        return 0;
    }

    if (len == sizeof(NGX_HTTP_YIMEN_COOKIE) - 1
        && ngx_memcmp(name, NGX_HTTP_YIMEN_COOKIE, len) == 0)
    {
        return 1;
    }

    for (n = 0; n < YM_COUNT(prefixes); n++) {

        if (len < prefixes[n].len + sizeof(NGX_HTTP_YIMEN_COOKIE_HTTP) - 1
            || ngx_strncasecmp((u_char *) (uintptr_t) name, prefixes[n].data,
                               prefixes[n].len)
               != 0)
        {
            continue;
        }

        name += prefixes[n].len;
        len -= prefixes[n].len;

        break;
    }

    if (n == YM_COUNT(prefixes)
        || ngx_strncasecmp((u_char *) (uintptr_t) name,
                           (u_char *) NGX_HTTP_YIMEN_COOKIE_HTTP,
                           sizeof(NGX_HTTP_YIMEN_COOKIE_HTTP) - 1)
           != 0)
    {
        return 0;
    }

    name += sizeof(NGX_HTTP_YIMEN_COOKIE_HTTP) - 1;
    len -= sizeof(NGX_HTTP_YIMEN_COOKIE_HTTP) - 1;

    return len == 0 || *name == '-' || *name == '_' || *name == '.';
}
