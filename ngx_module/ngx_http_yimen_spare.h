/* SPDX-License-Identifier: Apache-2.0
 * Memory of what every request has one of, handed on from one that has ended
 * to the next: it is warm, and the pool of a request stays one block smaller.
 *
 * Concurrency: a list belongs to one process and one thread.
 */
#ifndef NGX_HTTP_YIMEN_SPARE_H
#define NGX_HTTP_YIMEN_SPARE_H

#include <ngx_config.h>
#include <ngx_core.h>


/* kept at most; with a sanitizer none, so that it sees what is used too late */
#if (defined __SANITIZE_ADDRESS__)
#define NGX_HTTP_YIMEN_SPARE  0
#else
#define NGX_HTTP_YIMEN_SPARE  256
#endif

/* all of one list have one size, of at least a pointer */
typedef struct {
    void        *first;
    ngx_uint_t   count;
} ngx_http_yimen_spare_t;


/* NULL when memory is out; what is in it is of no meaning */

static ngx_inline void *
ngx_http_yimen_spare_take(ngx_http_yimen_spare_t *list, size_t size,
    ngx_log_t *log)
{
    void  *p;

    p = list->first;

    if (p == NULL) {
        return ngx_alloc(size, log);
    }

    ngx_memcpy(&list->first, p, sizeof(void *));
    list->count--;

    return p;
}


static ngx_inline void
ngx_http_yimen_spare_give(ngx_http_yimen_spare_t *list, void *p)
{
    if (list->count >= NGX_HTTP_YIMEN_SPARE) {
        ngx_free(p);
        return;
    }

    ngx_memcpy(p, &list->first, sizeof(void *));
    list->first = p;
    list->count++;
}


static ngx_inline void
ngx_http_yimen_spare_end(ngx_http_yimen_spare_t *list)
{
    void  *p;

    while (list->first != NULL) {
        p = list->first;
        ngx_memcpy(&list->first, p, sizeof(void *));
        ngx_free(p);
    }

    list->count = 0;
}

#endif /* NGX_HTTP_YIMEN_SPARE_H */
