/* SPDX-License-Identifier: Apache-2.0
 * Removing and adding request headers.  proxy_pass and its kin copy the list
 * of headers, so what must not be seen has to leave the list; nginx itself
 * holds pointers into it, and they must follow.
 *
 * Elements are never moved or changed where they are: a new list is made, and
 * a copy of the old headers_in is as good as before.
 */
#include "ngx_http_yimen_front.h"


/* room for what other modules add later without a new part */
#define NGX_HTTP_YIMEN_HEADERS_SPARE  4


typedef struct {
    ngx_list_part_t   *parts;       /* of the old list */
    ngx_table_elt_t   *elts;        /* of the new one */
    ngx_table_elt_t  **map;         /* old index to new element, or NULL */
} ngx_http_yimen_moved_t;


static ngx_int_t ngx_http_yimen_headers_list(ngx_http_request_t *r,
    ngx_list_t *list, ngx_uint_t n, ngx_http_yimen_front_state_t *state);
static ngx_table_elt_t *ngx_http_yimen_headers_moved(
    ngx_http_yimen_moved_t *m, ngx_table_elt_t *h, ngx_uint_t *ret_known);
static void ngx_http_yimen_headers_pointers(ngx_http_headers_in_t *in,
    ngx_http_yimen_moved_t *m);
static ngx_int_t ngx_http_yimen_headers_add(ngx_http_request_t *r,
    ngx_array_t *add);

#if (nginx_version < 1023000)
static ngx_int_t ngx_http_yimen_headers_array(ngx_http_request_t *r,
    ngx_array_t *array, ngx_http_yimen_moved_t *m);
#endif


ngx_int_t
ngx_http_yimen_headers_rebuild(ngx_http_request_t *r,
    ngx_http_yimen_judge_pt judge, void *data, ngx_array_t *add,
    ngx_http_yimen_front_state_t *state)
{
    ngx_uint_t               i, k, n;
    ngx_list_t              *list;
    ngx_table_elt_t         *h;
    ngx_list_part_t          first, *part;
    ngx_table_elt_t         *map[NGX_HTTP_YIMEN_LIST_ROOM];
    ngx_http_yimen_moved_t   m;

    list = &r->headers_in.headers;
    n = 0;

    for (part = &list->part; part; part = part->next) {
        n += part->nelts;
    }

    first = list->part;

    m.parts = &first;
    m.map = map;

    if (n > NGX_HTTP_YIMEN_LIST_ROOM) {
        m.map = ngx_palloc(r->pool, n * sizeof(ngx_table_elt_t *));
        if (m.map == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_yimen_headers_list(r, list, n + (add ? add->nelts : 0),
                                    state)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    m.elts = list->part.elts;
    k = 0;

    for (part = &first; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++, k++) {
            m.elts[list->part.nelts] = h[i];

            m.map[k] = judge(r, &m.elts[list->part.nelts], data)
                       ? NULL : &m.elts[list->part.nelts++];
        }
    }

#if (nginx_version < 1023000)

    if (ngx_http_yimen_headers_array(r, &r->headers_in.cookies, &m) != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_HTTP_X_FORWARDED_FOR)
    if (ngx_http_yimen_headers_array(r, &r->headers_in.x_forwarded_for, &m)
        != NGX_OK)
    {
        return NGX_ERROR;
    }
#endif

#endif

    ngx_http_yimen_headers_pointers(&r->headers_in, &m);

    return ngx_http_yimen_headers_add(r, add);
}


/* an empty one for n elements and some more */

static ngx_int_t
ngx_http_yimen_headers_list(ngx_http_request_t *r, ngx_list_t *list,
    ngx_uint_t n, ngx_http_yimen_front_state_t *state)
{
    if (state == NULL || state->listed || n > NGX_HTTP_YIMEN_LIST_ROOM) {
        return ngx_list_init(list, r->pool, n + NGX_HTTP_YIMEN_HEADERS_SPARE,
                             sizeof(ngx_table_elt_t));
    }

    state->listed = 1;

    list->part.elts = state->list;
    list->part.nelts = 0;
    list->part.next = NULL;
    list->last = &list->part;
    list->size = sizeof(ngx_table_elt_t);
    list->nalloc = NGX_HTTP_YIMEN_LIST_ROOM;
    list->pool = r->pool;

    return NGX_OK;
}


/* the new place of an element; *ret_known 0: it is not of the list */

static ngx_table_elt_t *
ngx_http_yimen_headers_moved(ngx_http_yimen_moved_t *m, ngx_table_elt_t *h,
    ngx_uint_t *ret_known)
{
    ngx_uint_t        base;
    ngx_table_elt_t  *elts;
    ngx_list_part_t  *part;

    base = 0;

    for (part = m->parts; part; part = part->next) {
        elts = part->elts;

        if (h >= elts && h < elts + part->nelts) {
            *ret_known = 1;
            return m->map[base + (ngx_uint_t) (h - elts)];
        }

        base += part->nelts;
    }

    *ret_known = 0;

    return NULL;
}


/*
 * A header with all that are chained to it (nginx 1.23 and later), in their
 * new places; those that left are skipped.  Only what a pointer of headers_in
 * leads to is chained: elsewhere `next` was never written.
 */
static ngx_table_elt_t *
ngx_http_yimen_headers_chain(ngx_http_yimen_moved_t *m, ngx_table_elt_t *h)
{
    ngx_uint_t        known;
    ngx_table_elt_t  *moved;

#if (nginx_version >= 1023000)

    ngx_table_elt_t  *first, **tail;

    tail = &first;

    for ( /* void */ ; h; h = h->next) {
        moved = ngx_http_yimen_headers_moved(m, h, &known);

        if (moved) {
            *tail = moved;
            tail = &moved->next;
        }
    }

    *tail = NULL;

    return first;

#else

    moved = ngx_http_yimen_headers_moved(m, h, &known);

    return moved;

#endif
}


/*
 * Which members there are depends on how nginx was built, but all pointers of
 * ngx_http_headers_in_t to headers stand between `host` and `user`, that to
 * the cookies among them.  Whatever is no pointer into the list stays.
 */
static void
ngx_http_yimen_headers_pointers(ngx_http_headers_in_t *in,
    ngx_http_yimen_moved_t *m)
{
    ngx_uint_t         known;
    ngx_table_elt_t  **p, **last;

    p = &in->host;
    last = (ngx_table_elt_t **) (void *) &in->user;

    for ( /* void */ ; p < last; p++) {

        if (*p == NULL) {
            continue;
        }

        (void) ngx_http_yimen_headers_moved(m, *p, &known);

        if (known) {
            *p = ngx_http_yimen_headers_chain(m, *p);
        }
    }
}


#if (nginx_version < 1023000)

static ngx_int_t
ngx_http_yimen_headers_array(ngx_http_request_t *r, ngx_array_t *array,
    ngx_http_yimen_moved_t *m)
{
    ngx_uint_t         i, known;
    ngx_array_t        old;
    ngx_table_elt_t   *moved, **h, **p;

    if (array->nelts == 0) {
        return NGX_OK;
    }

    old = *array;

    if (ngx_array_init(array, r->pool, old.nelts, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = old.elts;

    for (i = 0; i < old.nelts; i++) {
        moved = ngx_http_yimen_headers_moved(m, h[i], &known);

        if (moved == NULL) {
            continue;
        }

        p = ngx_array_push(array);
        if (p == NULL) {
            return NGX_ERROR;
        }

        *p = moved;
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_http_yimen_headers_add(ngx_http_request_t *r, ngx_array_t *add)
{
    ngx_uint_t        i;
    ngx_keyval_t     *kv;
    ngx_table_elt_t  *h;

    if (add == NULL) {
        return NGX_OK;
    }

    kv = add->elts;

    for (i = 0; i < add->nelts; i++) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_http_yimen_header_end(h);
        h->key = kv[i].key;
        h->value = kv[i].value;

        h->lowcase_key = ngx_pnalloc(r->pool, h->key.len);
        if (h->lowcase_key == NULL) {
            return NGX_ERROR;
        }

        h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);

        /* variables pass over a header without a hash, upstreams get it */

        if (kv[i].key.data == ngx_http_yimen_secret_authorization.data
            || kv[i].key.data == ngx_http_yimen_secret_cookie.data)
        {
            h->hash = 0;
            continue;
        }

        if (h->key.len == sizeof("authorization") - 1
            && ngx_strncmp(h->lowcase_key, "authorization", h->key.len) == 0)
        {
            r->headers_in.authorization = h;
        }
    }

    return NGX_OK;
}


size_t
ngx_http_yimen_fold(const u_char *name, size_t len, u_char *out)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < len; i++) {
        c = ngx_tolower(name[i]);
        out[i] = ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) ? c : '-';
    }

    return len;
}
