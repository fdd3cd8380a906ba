/* SPDX-License-Identifier: Apache-2.0
 * One request to another server: its limits, its answer, its end.
 */
#include "ngx_http_yimen_fetch_priv.h"


static void ngx_http_yimen_fetch_free(ngx_http_yimen_fetch_job_t *job);
static void ngx_http_yimen_fetch_left(void *data);
static ngx_int_t ngx_http_yimen_fetch_set(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what);
static ngx_int_t ngx_http_yimen_fetch_set_method(
    ngx_http_yimen_fetch_job_t *job, const ngx_http_yimen_fetch_t *what);
static ngx_int_t ngx_http_yimen_fetch_set_headers(
    ngx_http_yimen_fetch_job_t *job, const ngx_http_yimen_fetch_t *what);
static ngx_int_t ngx_http_yimen_fetch_set_limits(
    ngx_http_yimen_fetch_job_t *job, const ngx_http_yimen_fetch_t *what);
static ngx_int_t ngx_http_yimen_fetch_plain(struct ym_str text);
static size_t ngx_http_yimen_fetch_header(char *p, size_t size, size_t n,
    void *data);
static void ngx_http_yimen_fetch_header_keep(ngx_http_yimen_fetch_job_t *job,
    const char *p, size_t n);
static size_t ngx_http_yimen_fetch_body(char *p, size_t size, size_t n,
    void *data);
static void ngx_http_yimen_fetch_limit(ngx_event_t *ev);
static void ngx_http_yimen_fetch_posted(ngx_event_t *ev);
static void ngx_http_yimen_fetch_tell(ngx_http_yimen_fetch_job_t *job);
static void ngx_http_yimen_fetch_answer(ngx_http_yimen_fetch_job_t *job,
    ngx_http_yimen_pair_t *pairs, ngx_http_yimen_fetched_t *answer);


static struct {
    ngx_queue_t   jobs;        /* under way */
    ngx_queue_t   done;        /* their handlers are to run */
    ngx_uint_t    count;
    ngx_event_t   posted;
    ngx_log_t    *log;
    unsigned      open:1;
} ngx_http_yimen_fetches;


ngx_int_t
ngx_http_yimen_fetch_open(ngx_log_t *log)
{
    if (ngx_http_yimen_fetch_loop_open(log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&ngx_http_yimen_fetches, sizeof(ngx_http_yimen_fetches));
    ngx_queue_init(&ngx_http_yimen_fetches.jobs);
    ngx_queue_init(&ngx_http_yimen_fetches.done);

    ngx_http_yimen_fetches.log = log;
    ngx_http_yimen_fetches.posted.handler = ngx_http_yimen_fetch_posted;
    ngx_http_yimen_fetches.posted.data = &ngx_http_yimen_fetches;
    ngx_http_yimen_fetches.posted.log = log;
    ngx_http_yimen_fetches.open = 1;

    return NGX_OK;
}


void
ngx_http_yimen_fetch_close(void)
{
    ngx_uint_t                   i;
    ngx_queue_t                 *q, *list;
    ngx_http_yimen_fetch_job_t  *job;

    if (!ngx_http_yimen_fetches.open) {
        return;
    }

    ngx_http_yimen_fetches.open = 0;

    for (i = 0; i < 2; i++) {
        list = i ? &ngx_http_yimen_fetches.done : &ngx_http_yimen_fetches.jobs;

        while (!ngx_queue_empty(list)) {
            q = ngx_queue_head(list);
            job = ngx_queue_data(q, ngx_http_yimen_fetch_job_t, link);

            if (job->cleanup != NULL) {
                job->cleanup->handler = NULL;
            }

            ngx_http_yimen_fetch_free(job);
        }
    }

    if (ngx_http_yimen_fetches.posted.posted) {
        ngx_delete_posted_event(&ngx_http_yimen_fetches.posted);
    }

    ngx_http_yimen_fetch_loop_close();
}


ngx_int_t
ngx_http_yimen_fetch(ngx_pool_t *pool, const ngx_http_yimen_fetch_t *what,
    ngx_http_yimen_fetch_pt handler, void *data)
{
    ngx_http_yimen_fetch_job_t  *job;

    if (!ngx_http_yimen_fetches.open
        || ngx_http_yimen_fetches.count >= NGX_HTTP_YIMEN_FETCHES)
    {
        return NGX_ERROR;
    }

    job = ngx_calloc(sizeof(ngx_http_yimen_fetch_job_t),
                     ngx_http_yimen_fetches.log);
    if (job == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ngx_http_yimen_fetches.jobs, &job->link);
    ngx_http_yimen_fetches.count++;

    job->handler = handler;
    job->data = data;
    job->log = ngx_http_yimen_fetches.log;
    job->max_body = what->max_body ? what->max_body
                                   : NGX_HTTP_YIMEN_FETCH_BODY;
    job->inside = what->inside;
    job->local = (what->unix_socket != NULL);
    job->jar = (what->jar || what->cookies != NULL);

    ym_buf_init(&job->request, what->body.n + 1);
    ym_buf_init(&job->head, NGX_HTTP_YIMEN_FETCH_HEAD + 1);
    ym_buf_init(&job->body, job->max_body + 1);

    job->limit.handler = ngx_http_yimen_fetch_limit;
    job->limit.data = job;
    job->limit.log = job->log;
    job->limit.cancelable = (pool == NULL);

    job->easy = curl_easy_init();

    if (job->easy == NULL || ngx_http_yimen_fetch_set(job, what) != NGX_OK) {
        goto failed;
    }

    if (pool != NULL) {
        job->cleanup = ngx_pool_cleanup_add(pool, 0);

        if (job->cleanup == NULL) {
            goto failed;
        }

        job->cleanup->handler = ngx_http_yimen_fetch_left;
        job->cleanup->data = job;
    }

    if (ngx_http_yimen_fetch_loop_add(job) != NGX_OK) {
        goto failed;
    }

    /* libcurl's own limit comes first; this one holds whatever happens */

    ngx_add_timer(&job->limit, (what->timeout ? what->timeout
                                              : NGX_HTTP_YIMEN_FETCH_TIMEOUT)
                               + 500);

    return NGX_OK;

failed:

    if (job->cleanup != NULL) {
        job->cleanup->handler = NULL;
    }

    ngx_http_yimen_fetch_free(job);

    return NGX_ERROR;
}


static void
ngx_http_yimen_fetch_free(ngx_http_yimen_fetch_job_t *job)
{
    ngx_queue_remove(&job->link);
    ngx_http_yimen_fetches.count--;

    if (job->limit.timer_set) {
        ngx_del_timer(&job->limit);
    }

    if (job->easy != NULL) {
        ngx_http_yimen_fetch_loop_remove(job);
        curl_easy_cleanup(job->easy);
    }

    curl_slist_free_all(job->headers);

    ym_buf_wipe(&job->request);
    ym_buf_wipe(&job->head);
    ym_buf_wipe(&job->body);

    ngx_free(job);
}


/* the pool goes: nobody is there to be told */

static void
ngx_http_yimen_fetch_left(void *data)
{
    ngx_http_yimen_fetch_job_t  *job = data;

    job->cleanup = NULL;
    ngx_http_yimen_fetch_free(job);
}


static ngx_int_t
ngx_http_yimen_fetch_set(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what)
{
    ngx_uint_t  ok;

    ok = ngx_http_yimen_fetch_opt(job, CURLOPT_PRIVATE, job)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_URL, what->url)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_PROTOCOLS_STR, "http,https")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_FOLLOWLOCATION, 0L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_HTTP_VERSION,
                                     (long) CURL_HTTP_VERSION_1_1)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_HTTP09_ALLOWED, 0L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_ACCEPT_ENCODING, "gzip")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_USERAGENT, "Yimen")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_ERRORBUFFER, job->error)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_HEADERFUNCTION,
                                     ngx_http_yimen_fetch_header)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_HEADERDATA, job)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_WRITEFUNCTION,
                                     ngx_http_yimen_fetch_body)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_WRITEDATA, job);

    if (!ok) {
        return NGX_ERROR;
    }

    if (ngx_http_yimen_fetch_set_method(job, what) != NGX_OK
        || ngx_http_yimen_fetch_set_headers(job, what) != NGX_OK
        || ngx_http_yimen_fetch_set_peer(job, what) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_yimen_fetch_set_limits(job, what);
}


static ngx_int_t
ngx_http_yimen_fetch_set_method(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what)
{
    ngx_uint_t   ok, sends;
    const char  *method;

    sends = (what->body.p != NULL);
    method = what->method;

    if (method == NULL) {
        method = sends ? "POST" : "GET";
    }

    if (ngx_strcmp(method, "GET") == 0 && !sends) {
        return NGX_OK;
    }

    if (ngx_strcmp(method, "HEAD") == 0) {
        return ngx_http_yimen_fetch_opt(job, CURLOPT_NOBODY, 1L) ? NGX_OK
                                                                 : NGX_ERROR;
    }

    if (sends
        && ym_buf_add(&job->request, what->body.p, what->body.n) != YM_OK)
    {
        return NGX_ERROR;
    }

    /*
     * A connection that was kept may be closed by the peer in this moment, and
     * libcurl would then send again what perhaps has been carried out.
     */

    ok = ngx_http_yimen_fetch_opt(job, CURLOPT_FRESH_CONNECT, 1L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_POSTFIELDSIZE,
                                     (long) job->request.n)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_POSTFIELDS,
                                     job->request.n ? job->request.p : "")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_CUSTOMREQUEST, method);

    return ok ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_fetch_set_headers(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what)
{
    ngx_uint_t                    i;
    struct ym_buf                 line;
    struct curl_slist            *list;
    const ngx_http_yimen_pair_t  *h;

    list = curl_slist_append(NULL, "Expect:");
    if (list == NULL) {
        return NGX_ERROR;
    }

    job->headers = list;
    ym_buf_init(&line, NGX_HTTP_YIMEN_FETCH_HEAD);

    for (i = 0; i < what->header_count; i++) {
        h = &what->headers[i];

        if (ngx_http_yimen_fetch_plain(h->name) != NGX_OK
            || ngx_http_yimen_fetch_plain(h->value) != NGX_OK)
        {
            ym_buf_wipe(&line);
            return NGX_ERROR;
        }

        /* "Name;" is how libcurl is told of an empty value */

        ym_buf_reset(&line);
        ym_buf_add(&line, h->name.p, h->name.n);
        ym_buf_adds(&line, h->value.n ? ": " : ";");
        ym_buf_add(&line, h->value.p, h->value.n);

        list = (line.failed == YM_OK) ? curl_slist_append(job->headers, line.p)
                                      : NULL;
        if (list == NULL) {
            ym_buf_wipe(&line);
            return NGX_ERROR;
        }
    }

    ym_buf_wipe(&line);

    return ngx_http_yimen_fetch_opt(job, CURLOPT_HTTPHEADER, job->headers)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_yimen_fetch_plain(struct ym_str text)
{
    size_t  i;

    for (i = 0; i < text.n; i++) {
        if (text.p[i] == '\r' || text.p[i] == '\n' || text.p[i] == '\0') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_fetch_set_limits(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what)
{
    long        timeout;
    ngx_uint_t  ok;

    timeout = what->timeout ? (long) what->timeout
                            : NGX_HTTP_YIMEN_FETCH_TIMEOUT;

    /*
     * QUICK_EXIT: a name that is still being resolved is left to its thread;
     * otherwise giving up would wait for it, and the worker with it.
     */

    ok = ngx_http_yimen_fetch_opt(job, CURLOPT_NOSIGNAL, 1L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_QUICK_EXIT, 1L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_TIMEOUT_MS, timeout)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_CONNECTTIMEOUT_MS,
                                     ngx_min(timeout, 5000L))
         && ngx_http_yimen_fetch_opt(job, CURLOPT_LOW_SPEED_LIMIT, 1L)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_LOW_SPEED_TIME, 8L);

    return ok ? NGX_OK : NGX_ERROR;
}


/* libcurl's callback: one line of a header block */

static size_t
ngx_http_yimen_fetch_header(char *p, size_t size, size_t n, void *data)
{
    size_t                       len;
    ngx_http_yimen_fetch_job_t  *job = data;

    n *= size;
    job->head_bytes += n;

    if (job->head_bytes > NGX_HTTP_YIMEN_FETCH_HEAD) {
        job->too_large = 1;
        return 0;
    }

    /* the status line of another answer: what came before was 1xx */

    if (n > 5 && ngx_strncmp(p, "HTTP/", 5) == 0) {
        ym_buf_reset(&job->head);
        job->line_count = 0;
        return n;
    }

    len = n;

    while (len && (p[len - 1] == '\r' || p[len - 1] == '\n')) {
        len--;
    }

    if (len == 0) {
        return n;
    }

    if (job->line_count == NGX_HTTP_YIMEN_FETCH_HEADERS) {
        job->too_large = 1;
        return 0;
    }

    ngx_http_yimen_fetch_header_keep(job, p, len);

    return (job->head.failed == YM_OK) ? n : 0;
}


static void
ngx_http_yimen_fetch_header_keep(ngx_http_yimen_fetch_job_t *job,
    const char *p, size_t n)
{
    size_t                        i, colon;
    ngx_http_yimen_fetch_line_t  *line;

    for (colon = 0; colon < n && p[colon] != ':'; colon++) { /* void */ }

    if (colon == 0 || colon == n) {
        return;
    }

    line = &job->lines[job->line_count++];
    line->name = job->head.n;
    line->name_len = colon;

    for (i = 0; i < colon; i++) {
        ym_buf_addc(&job->head, (char) ngx_tolower((u_char) p[i]));
    }

    for (i = colon + 1; i < n && (p[i] == ' ' || p[i] == '\t'); i++) {
        /* void */
    }

    while (n > i && (p[n - 1] == ' ' || p[n - 1] == '\t')) {
        n--;
    }

    line->value = job->head.n;
    line->value_len = n - i;

    ym_buf_add(&job->head, p + i, n - i);
}


/* libcurl's callback: a piece of the body, decompressed */

static size_t
ngx_http_yimen_fetch_body(char *p, size_t size, size_t n, void *data)
{
    ngx_http_yimen_fetch_job_t  *job = data;

    n *= size;

    if (job->body.n + n > job->max_body) {
        job->too_large = 1;
        return 0;
    }

    return (ym_buf_add(&job->body, p, n) == YM_OK) ? n : 0;
}


static void
ngx_http_yimen_fetch_limit(ngx_event_t *ev)
{
    ngx_http_yimen_fetch_job_t  *job;

    job = ev->data;

    ngx_http_yimen_fetch_loop_remove(job);
    ngx_http_yimen_fetch_over(job, CURLE_OPERATION_TIMEDOUT);
}


void
ngx_http_yimen_fetch_over(ngx_http_yimen_fetch_job_t *job, CURLcode code)
{
    job->code = code;

    if (job->limit.timer_set) {
        ngx_del_timer(&job->limit);
    }

    ngx_queue_remove(&job->link);
    ngx_queue_insert_tail(&ngx_http_yimen_fetches.done, &job->link);

    ngx_post_event(&ngx_http_yimen_fetches.posted, &ngx_posted_events);
}


static void
ngx_http_yimen_fetch_posted(ngx_event_t *ev)
{
    ngx_queue_t  *q;

    /* a handler may end requests and with them jobs of this very list */

    while (ngx_http_yimen_fetches.open
           && !ngx_queue_empty(&ngx_http_yimen_fetches.done))
    {
        q = ngx_queue_head(&ngx_http_yimen_fetches.done);

        ngx_http_yimen_fetch_tell(ngx_queue_data(q, ngx_http_yimen_fetch_job_t,
                                                 link));
    }
}


static void
ngx_http_yimen_fetch_tell(ngx_http_yimen_fetch_job_t *job)
{
    ngx_uint_t                 n;
    const char                *cookies[NGX_HTTP_YIMEN_FETCH_COOKIES + 1];
    struct curl_slist         *jar, *item;
    ngx_http_yimen_pair_t     *pairs;
    ngx_http_yimen_fetched_t   answer;

    /* from here on nobody can take the job away but us */

    if (job->cleanup != NULL) {
        job->cleanup->handler = NULL;
        job->cleanup = NULL;
    }

    ngx_memzero(&answer, sizeof(answer));
    jar = NULL;
    n = 0;

    pairs = ngx_calloc((job->line_count + 1) * sizeof(ngx_http_yimen_pair_t),
                       job->log);

    ngx_http_yimen_fetch_answer(job, pairs, &answer);

    if (job->jar && answer.status) {
        (void) curl_easy_getinfo(job->easy, CURLINFO_COOKIELIST, &jar);

        for (item = jar; item != NULL && n < NGX_HTTP_YIMEN_FETCH_COOKIES;
             item = item->next)
        {
            cookies[n++] = item->data;
        }
    }

    cookies[n] = NULL;
    answer.cookies = cookies;
    answer.cookie_count = n;

    job->handler(job->data, &answer);

    if (pairs != NULL) {
        ngx_free(pairs);
    }

    curl_slist_free_all(jar);
    ngx_http_yimen_fetch_free(job);
}


static void
ngx_http_yimen_fetch_answer(ngx_http_yimen_fetch_job_t *job,
    ngx_http_yimen_pair_t *pairs, ngx_http_yimen_fetched_t *answer)
{
    long                          status;
    ngx_uint_t                    i;
    ngx_http_yimen_fetch_line_t  *line;

    answer->refused = job->refused;
    answer->too_large = job->too_large;

    if (job->refused) {
        answer->error = "the address is not allowed";
        return;
    }

    if (job->too_large) {
        answer->error = "the answer is too large";
        return;
    }

    if (job->code != CURLE_OK) {
        answer->error = curl_easy_strerror(job->code);
        return;
    }

    status = 0;
    (void) curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);

    if (pairs == NULL || status < 200) {
        answer->error = "no answer";
        return;
    }

    for (i = 0; i < job->line_count; i++) {
        line = &job->lines[i];

        pairs[i].name = (struct ym_str){ job->head.p + line->name,
                                         line->name_len };
        pairs[i].value = (struct ym_str){ job->head.p + line->value,
                                          line->value_len };
    }

    answer->status = (ngx_uint_t) status;
    answer->headers = pairs;
    answer->header_count = job->line_count;
    answer->body = (struct ym_str){ (job->body.p != NULL) ? job->body.p : "",
                                    job->body.n };
}


struct ym_str
ngx_http_yimen_fetched_header(const ngx_http_yimen_fetched_t *answer,
    const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < answer->header_count; i++) {
        if (ym_str_is(answer->headers[i].name, name)) {
            return answer->headers[i].value;
        }
    }

    return YM_STR_NULL;
}
