/* SPDX-License-Identifier: Apache-2.0
 * Thread pools of nginx, and work that a request has done in one of them.
 */
#ifndef NGX_HTTP_YIMEN_THREADS_H
#define NGX_HTTP_YIMEN_THREADS_H

#include "ngx_http_yimen_request.h"

#include <ngx_thread_pool.h>


/*
 * The pool of that name.  Without `thread_pool NAME …;` above http {} it is
 * declared here, by the very directive of nginx; threads: "threads=N".
 */
char *ngx_http_yimen_threads(ngx_conf_t *cf, const char *name,
    const char *threads, ngx_thread_pool_t **ret);

/*
 * run(data) in a thread, where it touches nothing but data; then done(ctx) in
 * the worker, unless the client has gone.  The request is held meanwhile.
 * NGX_ERROR: the pool takes no more.
 */
ngx_int_t ngx_http_yimen_job(ngx_http_yimen_ctx_t *ctx,
    ngx_thread_pool_t *pool, void (*run)(void *data), void *data,
    ngx_http_yimen_handler_pt done);

#endif /* NGX_HTTP_YIMEN_THREADS_H */
