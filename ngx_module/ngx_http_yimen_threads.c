/* SPDX-License-Identifier: Apache-2.0
 * Thread pools (ngx_http_yimen_threads.h).
 */
#include "ngx_http_yimen_threads.h"


/* beyond it a pool refuses, which is answered with 503 */
#define NGX_HTTP_YIMEN_THREADS_QUEUE  "max_queue=1024"

/* a job holds a worker that is told to end for so long at most */
#define NGX_HTTP_YIMEN_JOB_LONG       60000


typedef struct {
    ngx_http_yimen_ctx_t       *ctx;
    void                      (*run)(void *data);
    void                       *data;
    ngx_http_yimen_handler_pt   done;
} ngx_http_yimen_job_t;


static ngx_module_t *ngx_http_yimen_threads_module(ngx_conf_t *cf);
static ngx_int_t ngx_http_yimen_threads_word(ngx_conf_t *cf,
    ngx_array_t *words, const char *text);
static void ngx_http_yimen_job_run(void *data, ngx_log_t *log);
static void ngx_http_yimen_job_done(ngx_event_t *ev);


char *
ngx_http_yimen_threads(ngx_conf_t *cf, const char *name, const char *threads,
    ngx_thread_pool_t **ret)
{
    char           *rv;
    ngx_str_t       wanted;
    ngx_array_t     words, *args;
    ngx_module_t   *module;
    ngx_command_t  *cmd;

    wanted.data = (u_char *) (uintptr_t) name;
    wanted.len = ngx_strlen(name);

    *ret = ngx_thread_pool_get(cf->cycle, &wanted);

    if (*ret != NULL) {
        return NGX_CONF_OK;
    }

    module = ngx_http_yimen_threads_module(cf);

    if (module == NULL
        || ngx_array_init(&words, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_http_yimen_threads_word(cf, &words, "thread_pool") != NGX_OK
        || ngx_http_yimen_threads_word(cf, &words, name) != NGX_OK
        || ngx_http_yimen_threads_word(cf, &words, threads) != NGX_OK
        || ngx_http_yimen_threads_word(cf, &words,
                                       NGX_HTTP_YIMEN_THREADS_QUEUE)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cmd = module->commands;

    args = cf->args;
    cf->args = &words;
    rv = cmd->set(cf, cmd, ngx_get_conf(cf->cycle->conf_ctx, (*module)));
    cf->args = args;

    if (rv != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    *ret = ngx_thread_pool_get(cf->cycle, &wanted);

    return (*ret != NULL) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_module_t *
ngx_http_yimen_threads_module(ngx_conf_t *cf)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_thread_pool_module")
            == 0)
        {
            return cf->cycle->modules[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_yimen_threads_word(ngx_conf_t *cf, ngx_array_t *words,
    const char *text)
{
    ngx_str_t  *word, source;

    word = ngx_array_push(words);
    if (word == NULL) {
        return NGX_ERROR;
    }

    source.data = (u_char *) (uintptr_t) text;
    source.len = ngx_strlen(text);

    word->len = source.len;
    word->data = ngx_pstrdup(cf->pool, &source);

    return (word->data != NULL) ? NGX_OK : NGX_ERROR;
}


/*
 * The request is held by `blocked` meanwhile, as nginx does it for files; the
 * timer holds a worker that is told to end.
 */

ngx_int_t
ngx_http_yimen_job(ngx_http_yimen_ctx_t *ctx, ngx_thread_pool_t *pool,
    void (*run)(void *data), void *data, ngx_http_yimen_handler_pt done)
{
    ngx_thread_task_t     *task;
    ngx_http_yimen_job_t  *job;

    task = ngx_thread_task_alloc(ctx->request->pool,
                                 sizeof(ngx_http_yimen_job_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    job = task->ctx;
    job->ctx = ctx;
    job->run = run;
    job->data = data;
    job->done = done;

    task->handler = ngx_http_yimen_job_run;
    task->event.handler = ngx_http_yimen_job_done;
    task->event.data = job;
    task->event.log = ctx->request->connection->log;

    if (ngx_thread_task_post(pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&task->event, NGX_HTTP_YIMEN_JOB_LONG);

    ctx->request->main->blocked++;
    ctx->request->aio = 1;

    return NGX_OK;
}


static void
ngx_http_yimen_job_run(void *data, ngx_log_t *log)
{
    ngx_http_yimen_job_t  *job = data;

    job->run(job->data);
}


static void
ngx_http_yimen_job_done(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_yimen_job_t  *job;

    job = ev->data;
    r = job->ctx->request;
    c = r->connection;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                      "yimen: a file takes too long");
        ev->timedout = 0;
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    r->main->blocked--;
    r->aio = 0;

    /* the connection was closed meanwhile: what was held may go now */

    if (c->error) {
        ngx_http_finalize_request(r, NGX_ERROR);

    } else {
        job->done(job->ctx);
    }

    ngx_http_run_posted_requests(c);
}
