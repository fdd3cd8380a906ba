/* SPDX-License-Identifier: Apache-2.0
 * Inside of the HTTP client: its loop and its requests.  For
 * ngx_http_yimen_fetch*.c only.
 */
#ifndef NGX_HTTP_YIMEN_FETCH_PRIV_H
#define NGX_HTTP_YIMEN_FETCH_PRIV_H

#include "ngx_http_yimen_fetch.h"

#include <curl/curl.h>

#include "ym_buf.h"


/* under way at once in a worker; more are refused */
#define NGX_HTTP_YIMEN_FETCHES       1024

#define NGX_HTTP_YIMEN_FETCH_TIMEOUT  10000
#define NGX_HTTP_YIMEN_FETCH_BODY     (1024 * 1024)
#define NGX_HTTP_YIMEN_FETCH_HEAD     (64 * 1024)
#define NGX_HTTP_YIMEN_FETCH_HEADERS  128
#define NGX_HTTP_YIMEN_FETCH_COOKIES  64


/* where a header's name and value stand in its text */
typedef struct {
    size_t                      name, name_len;
    size_t                      value, value_len;
} ngx_http_yimen_fetch_line_t;

typedef struct {
    ngx_queue_t                 link;       /* under way, or done */
    CURL                       *easy;
    struct curl_slist          *headers;
    ngx_pool_cleanup_t         *cleanup;    /* NULL: nobody leaves early */
    ngx_http_yimen_fetch_pt     handler;
    void                       *data;
    ngx_log_t                  *log;
    ngx_event_t                 limit;      /* keeps an old worker waiting */

    struct ym_buf               request;    /* the body sent; wiped */
    struct ym_buf               head;       /* header lines, wiped */
    struct ym_buf               body;       /* wiped */
    ngx_http_yimen_fetch_line_t lines[NGX_HTTP_YIMEN_FETCH_HEADERS];
    ngx_uint_t                  line_count;
    size_t                      max_body;
    size_t                      head_bytes; /* of all answers, 100 included */
    CURLcode                    code;
    char                        error[CURL_ERROR_SIZE];

    unsigned                    inside:1;
    unsigned                    local:1;    /* a unix socket */
    unsigned                    jar:1;
    unsigned                    refused:1;
    unsigned                    too_large:1;
    unsigned                    added:1;    /* known to the loop */
} ngx_http_yimen_fetch_job_t;


/* 1 when libcurl takes the option; when not, mostly for want of memory */
#define ngx_http_yimen_fetch_opt(job, option, value)                          \
    (curl_easy_setopt((job)->easy, option, value) == CURLE_OK)

/* addresses, certificates, credentials, cookies */
ngx_int_t ngx_http_yimen_fetch_set_peer(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what);

/* the loop; of one process */
ngx_int_t ngx_http_yimen_fetch_loop_open(ngx_log_t *log);
void ngx_http_yimen_fetch_loop_close(void);
ngx_int_t ngx_http_yimen_fetch_loop_add(ngx_http_yimen_fetch_job_t *job);
void ngx_http_yimen_fetch_loop_remove(ngx_http_yimen_fetch_job_t *job);

/* the loop says that a job is over; runs inside no callback of libcurl */
void ngx_http_yimen_fetch_over(ngx_http_yimen_fetch_job_t *job,
    CURLcode code);

#endif /* NGX_HTTP_YIMEN_FETCH_PRIV_H */
