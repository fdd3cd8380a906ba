/* SPDX-License-Identifier: Apache-2.0
 * The Cookie header that an application gets: the jar's cookies, and of the
 * browser's those that are not in the jar's way.
 */
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_jar.h"

#include "ym_codec.h"
#include "ym_store_vault.h"
#include "ym_time.h"

#include <openssl/rand.h>


static ngx_table_elt_t *ngx_http_yimen_jar_cookies(ngx_http_yimen_jar_t *x,
    ngx_table_elt_t *after);
static void ngx_http_yimen_jar_yield(ngx_http_yimen_jar_t *x,
    ngx_table_elt_t *h, const char *name);
static void ngx_http_yimen_jar_browser(ngx_http_yimen_jar_t *x,
    const ngx_str_t *value);
static ngx_uint_t ngx_http_yimen_jar_lets(ngx_http_yimen_jar_t *x,
    struct ym_str name);


ngx_int_t
ngx_http_yimen_jar_cookie(ngx_http_yimen_jar_t *x)
{
    ngx_uint_t           i;
    ngx_table_elt_t     *h;
    const char *const   *names;

    names = x->app->recipe->browser;

    for (i = 0; names[i] != NULL; i++) {
        for (h = ngx_http_yimen_jar_cookies(x, NULL); h;
             h = ngx_http_yimen_jar_cookies(x, h))
        {
            ngx_http_yimen_jar_yield(x, h, names[i]);
        }
    }

    ym_buf_wipe(&x->secret);
    ym_buf_adds(&x->secret, "");

    if (ym_jar_header(x->jar, x->path, x->other, ym_now_ms(), &x->secret) != YM_OK) {
        return NGX_ERROR;
    }

    for (h = ngx_http_yimen_jar_cookies(x, NULL); h;
         h = ngx_http_yimen_jar_cookies(x, h))
    {
        ngx_http_yimen_jar_browser(x, &h->value);
    }

    return (x->secret.failed == YM_OK) ? NGX_OK : NGX_ERROR;
}


/* the first or the next Cookie header of the client */

static ngx_table_elt_t *
ngx_http_yimen_jar_cookies(ngx_http_yimen_jar_t *x, ngx_table_elt_t *after)
{
#if (nginx_version >= 1023000)

    return after ? after->next : x->request->headers_in.cookie;

#else

    ngx_uint_t         i, n;
    ngx_table_elt_t  **h;

    h = x->request->headers_in.cookies.elts;
    n = x->request->headers_in.cookies.nelts;

    for (i = 0; after != NULL && i < n; i++) {
        if (h[i] == after) {
            i++;
            break;
        }
    }

    return (i < n) ? h[i] : NULL;

#endif
}


/* the jar's cookie of that name gives way to the browser's */

static void
ngx_http_yimen_jar_yield(ngx_http_yimen_jar_t *x, ngx_table_elt_t *h,
    const char *name)
{
    u_char  *p, *last;
    size_t   i, n;

    n = ngx_strlen(name);
    p = h->value.data;
    last = p + h->value.len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == ';')) {
            p++;
        }

        if ((size_t) (last - p) > n && p[n] == '='
            && ngx_strncmp(p, name, n) == 0)
        {
            for (i = 0; i < x->jar->count; i++) {
                if (ngx_strcmp(x->jar->items[i].name, name) == 0) {
                    x->jar->items[i].name = "";
                    x->jar->items[i].gone = true;
                }
            }

            return;
        }

        while (p < last && *p != ';') {
            p++;
        }
    }
}


static void
ngx_http_yimen_jar_browser(ngx_http_yimen_jar_t *x, const ngx_str_t *value)
{
    u_char         *p, *last, *end, *equals;
    struct ym_str   name;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ';')) {
            p++;
        }

        end = ngx_strlchr(p, last, ';');
        end = (end != NULL) ? end : last;
        equals = ngx_strlchr(p, end, '=');

        if (equals != NULL) {
            name.p = (char *) p;
            name.n = (size_t) (equals - p);

            while (name.n && (name.p[name.n - 1] == ' '
                              || name.p[name.n - 1] == '\t'))
            {
                name.n--;
            }

            if (ngx_http_yimen_jar_lets(x, name)) {
                ym_buf_adds(&x->secret, x->secret.n ? "; " : "");
                ym_buf_add(&x->secret, p, (size_t) (end - p));
            }
        }

        p = end;
    }
}


static ngx_uint_t
ngx_http_yimen_jar_lets(ngx_http_yimen_jar_t *x, struct ym_str name)
{
    return name.n != 0
           && !ngx_http_yimen_cookie_is_ours((const u_char *) name.p, name.n)
           && !ym_jar_has(x->jar, name);
}
