/* SPDX-License-Identifier: Apache-2.0
 * Errors as application/problem+json (RFC 9457), worded in Chinese or English.
 */
#ifndef NGX_HTTP_YIMEN_PROBLEM_H
#define NGX_HTTP_YIMEN_PROBLEM_H

#include "ngx_http_yimen_module.h"

struct ngx_http_yimen_ctx_s;

typedef enum {
    NGX_HTTP_YIMEN_P_BAD_REQUEST,
    NGX_HTTP_YIMEN_P_BAD_JSON,
    NGX_HTTP_YIMEN_P_LIMIT,
    NGX_HTTP_YIMEN_P_KEY,
    NGX_HTTP_YIMEN_P_UNAUTHORIZED,
    NGX_HTTP_YIMEN_P_BAD_TOKEN,
    NGX_HTTP_YIMEN_P_FORBIDDEN,
    NGX_HTTP_YIMEN_P_NOT_FOUND,
    NGX_HTTP_YIMEN_P_METHOD,
    NGX_HTTP_YIMEN_P_TIMEOUT,
    NGX_HTTP_YIMEN_P_CONFLICT,
    NGX_HTTP_YIMEN_P_WITHDRAWN,
    NGX_HTTP_YIMEN_P_STATE,
    NGX_HTTP_YIMEN_P_STALE,
    NGX_HTTP_YIMEN_P_TOO_LARGE,
    NGX_HTTP_YIMEN_P_MEDIA_TYPE,
    NGX_HTTP_YIMEN_P_INVALID,
    NGX_HTTP_YIMEN_P_KEY_REUSED,
    NGX_HTTP_YIMEN_P_PRECONDITION,
    NGX_HTTP_YIMEN_P_TOO_MANY,
    NGX_HTTP_YIMEN_P_INTERNAL,
    NGX_HTTP_YIMEN_P_UNAVAILABLE,
    NGX_HTTP_YIMEN_P_FULL,
    NGX_HTTP_YIMEN_P_COUNT
} ngx_http_yimen_problem_e;

/*
 * Ends the request with a problem.  zh, en: what is wrong here and the remedy,
 * or NULL for the words of the kind.
 */
void ngx_http_yimen_problem(struct ngx_http_yimen_ctx_s *ctx,
    ngx_http_yimen_problem_e kind, const char *zh, const char *en);

/* the same with one entry in `errors` */
void ngx_http_yimen_problem_at(struct ngx_http_yimen_ctx_s *ctx,
    ngx_http_yimen_problem_e kind, const char *pointer, const char *code,
    const char *zh, const char *en);

/*
 * For requests that are not the API's: writes the same text into out (opened
 * and closed), or says the status of a kind.
 */
void ngx_http_yimen_problem_text(ngx_http_yimen_problem_e kind,
    enum ym_lang lang, struct ym_str instance, const char *zh, const char *en,
    struct ym_buf *out);
ngx_uint_t ngx_http_yimen_problem_status(ngx_http_yimen_problem_e kind);

/* 422 with every problem of the check; prefix: where `data` is ("/data") */
void ngx_http_yimen_problem_check(struct ngx_http_yimen_ctx_s *ctx,
    const struct ym_problems *problems);

/* appends what stands between [ and ] of `errors`, in the caller's language */
void ngx_http_yimen_problem_list(struct ngx_http_yimen_ctx_s *ctx,
    const struct ym_problems *problems);

#endif /* NGX_HTTP_YIMEN_PROBLEM_H */
