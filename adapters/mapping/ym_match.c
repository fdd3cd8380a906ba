/* SPDX-License-Identifier: Apache-2.0
 * PCRE2 with limits.
 */
#include "ym_match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct ym_match {
    pcre2_code *code;
    pcre2_match_context *limits;
};

static void match_free(void *data)
{
    struct ym_match *m = data;

    pcre2_match_context_free(m->limits);
    pcre2_code_free(m->code);
}

ym_status ym_match_compile(const char *pattern, struct ym_arena *a, const struct ym_match **ret,
                           struct ym_err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR words[160];
    struct ym_match *m = ym_arena_alloc(a, sizeof(*m));

    if (m == NULL || ym_arena_cleanup(a, match_free, m) != YM_OK) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    m->limits = pcre2_match_context_create(NULL);
    m->code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (m->limits == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    if (m->code == NULL) {
        pcre2_get_error_message(code, words, sizeof(words));
        return ym_err_set(err, YM_EINVAL, "the regular expression is wrong at character %zu: %s",
                          (size_t)at + 1, (const char *)words);
    }
    pcre2_set_match_limit(m->limits, YM_MATCH_LIMIT);
    pcre2_set_depth_limit(m->limits, 10000);
    pcre2_set_heap_limit(m->limits, 8192); /* KiB */
    *ret = m;
    return YM_OK;
}

bool ym_match_run(const struct ym_match *m, struct ym_str text, struct ym_str *ret)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(m->code, NULL);
    int rc = PCRE2_ERROR_NOMATCH;

    if (data != NULL) {
        rc = pcre2_match(m->code, (PCRE2_SPTR)(text.p != NULL ? text.p : ""), text.n, 0, 0, data,
                         m->limits);
    }
    if (rc > 0 && ret != NULL) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
        size_t group = rc > 1 && at[2] != PCRE2_UNSET ? 1 : 0;

        ret->p = text.p + at[2 * group];
        ret->n = at[2 * group + 1] - at[2 * group];
    }
    pcre2_match_data_free(data);
    return rc > 0;
}
