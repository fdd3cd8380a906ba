/* SPDX-License-Identifier: Apache-2.0
 * Redis requests as bytes (ym_resp.h).
 */
#include "ym_resp.h"

#include "ym_conf.h"

void ym_resp_init(struct ym_resp *r, size_t ceiling)
{
    ym_buf_init(&r->body, ceiling);
    r->args = 0;
}

void ym_resp_clear(struct ym_resp *r)
{
    ym_buf_clear(&r->body);
    r->args = 0;
}

void ym_resp_reset(struct ym_resp *r)
{
    ym_buf_reset(&r->body);
    r->args = 0;
}

/* "<mark><n>\r\n", right-aligned by hand: this runs a dozen times per delivery. */
static size_t resp_count(char mark, size_t n, char out[32])
{
    char digits[24];
    size_t d = 0, at = 0;

    do {
        digits[d++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);

    out[at++] = mark;
    while (d > 0) {
        out[at++] = digits[--d];
    }
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

ym_status ym_resp_arg(struct ym_resp *r, struct ym_str arg)
{
    char head[32];

    ym_buf_add(&r->body, head, resp_count('$', arg.n, head));
    if (arg.n > 0) {
        ym_buf_add(&r->body, arg.p, arg.n);
    }
    r->args++;
    return ym_buf_add(&r->body, "\r\n", 2);
}

ym_status ym_resp_argz(struct ym_resp *r, const char *arg)
{
    return ym_resp_arg(r, ym_str_of(arg));
}

ym_status ym_resp_int(struct ym_resp *r, int64_t arg)
{
    char text[YM_INT_TEXT];
    size_t n = ym_int_text(arg, text);

    return ym_resp_arg(r, (struct ym_str){text, n});
}

size_t ym_resp_head(size_t args, char *out, size_t out_size)
{
    char head[32];
    size_t n = resp_count('*', args, head);

    if (n > out_size) {
        return 0;
    }
    memcpy(out, head, n);
    return n;
}
