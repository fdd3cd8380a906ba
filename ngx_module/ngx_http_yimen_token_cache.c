/* SPDX-License-Identifier: Apache-2.0
 * The cache of verified tokens.  It belongs to one worker process and ends
 * with it, so a reload with other keys starts empty.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_tokens.h"


ngx_http_yimen_tokens_t *
ngx_http_yimen_tokens_open(ngx_log_t *log)
{
    return ngx_calloc(sizeof(ngx_http_yimen_tokens_t), log);
}


void
ngx_http_yimen_tokens_close(ngx_http_yimen_tokens_t *tokens)
{
    ngx_uint_t  i;

    if (tokens == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS; i++) {
        if (tokens->slots[i].text != NULL) {
            ngx_free(tokens->slots[i].text);
        }
    }

    ngx_free(tokens);
}


ngx_http_yimen_token_t *
ngx_http_yimen_tokens_find(ngx_http_yimen_tokens_t *tokens,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t                 start;
    ngx_uint_t               i;
    ngx_http_yimen_token_t  *slot;

    ngx_memcpy(&start, digest, sizeof(start));

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS_PROBE; i++) {
        slot = &tokens->slots[(start + i) % NGX_HTTP_YIMEN_TOKENS];

        if (slot->expires
            && ngx_memcmp(slot->digest, digest, YM_SHA256_LEN) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


ngx_http_yimen_bad_token_t *
ngx_http_yimen_tokens_bad(ngx_http_yimen_tokens_t *tokens,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t  n;

    ngx_memcpy(&n, digest, sizeof(n));

    return &tokens->bad[n % NGX_HTTP_YIMEN_TOKENS_BAD];
}


/* milliseconds of a NumericDate; those that decide are checked already */

int64_t
ngx_http_yimen_tokens_date(const json_t *claims, const char *name,
    int64_t absent)
{
    const json_t  *date;

    date = json_object_get(claims, name);

    if (!json_is_number(date)) {
        return absent;
    }

    return (int64_t) (ngx_max(0, ngx_min(json_number_value(date),
                                         9007199254740.0)) * 1000.0);
}


void
ngx_http_yimen_tokens_keep(ngx_http_request_t *r,
    const u_char digest[YM_SHA256_LEN], const json_t *claims,
    const struct ym_str *texts, ngx_uint_t roles,
    const ngx_http_yimen_marks_t *marks)
{
    char                        *text, *p;
    size_t                       n;
    int64_t                      skew, nbf, iat;
    uint32_t                     start;
    ngx_uint_t                   i;
    ngx_http_yimen_token_t      *slot, *best;
    ngx_http_yimen_tokens_t     *tokens;
    ngx_http_yimen_main_conf_t  *ymcf;

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);
    tokens = ngx_http_yimen_worker.tokens;
    best = NULL;
    n = 1;

    ngx_memcpy(&start, digest, sizeof(start));

    for (i = 0; i < NGX_HTTP_YIMEN_TOKENS_PROBE; i++) {
        slot = &tokens->slots[(start + i) % NGX_HTTP_YIMEN_TOKENS];

        if (best == NULL || slot->used < best->used) {
            best = slot;
        }
    }

    for (i = 0; i < NGX_HTTP_YIMEN_T_COUNT; i++) {
        n += texts[i].n;
    }

    text = ngx_alloc(n, r->connection->log);
    if (text == NULL) {
        return;
    }

    if (best->text != NULL) {
        ngx_free(best->text);
    }

    p = text;

    for (i = 0; i < NGX_HTTP_YIMEN_T_COUNT; i++) {
        if (texts[i].n) {
            p = (char *) ngx_cpymem(p, texts[i].p, texts[i].n);
        }

        best->len[i] = (uint16_t) texts[i].n;
    }

    skew = ymcf->auth.rules.skew_ms;
    nbf = ngx_http_yimen_tokens_date(claims, "nbf", 0);
    iat = ngx_http_yimen_tokens_date(claims, "iat", 0);

    ngx_memcpy(best->digest, digest, YM_SHA256_LEN);
    best->text = text;
    best->roles = roles;
    best->auth_time = ngx_http_yimen_tokens_date(claims, "auth_time", 0);
    best->not_before = ngx_max(nbf, iat) - skew;
    best->expires = ngx_http_yimen_tokens_date(claims, "exp", 0) + skew;
    best->used = ++tokens->clock;
    best->marks = *marks;
}
