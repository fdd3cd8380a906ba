/* SPDX-License-Identifier: Apache-2.0
 * POST /records/{id}/amend: somebody else changes a record for its owner, the
 * same way as the owner would (ngx_http_yimen_revise.c).  Who, why and which
 * places stand in the evidence before anything changes.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"


/* places that are named; what comes after them is counted */
#define NGX_HTTP_YIMEN_AMEND_PLACES  20
#define NGX_HTTP_YIMEN_AMEND_BYTES   8192
#define NGX_HTTP_YIMEN_AMEND_POINTER 256
#define NGX_HTTP_YIMEN_AMEND_DEPTH   (YM_JSON_DEPTH + 2)


typedef struct ngx_http_yimen_amend_s  ngx_http_yimen_amend_t;

struct ngx_http_yimen_amend_s {
    struct ym_buf              places;    /* "/a /b/0/c", freed with the pool */
    ngx_uint_t                 count;
    ngx_http_yimen_args_t      args;
    ngx_http_yimen_handler_pt  handler;
};


static void ngx_http_yimen_amend_close(void *data);
static ngx_int_t ngx_http_yimen_amend_evidence(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_evidence_t *e);
static void ngx_http_yimen_amend_noted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_amend_walk(ngx_http_yimen_amend_t *amend,
    const json_t *before, const json_t *after, char *pointer, size_t len,
    ngx_uint_t depth);
static void ngx_http_yimen_amend_below(ngx_http_yimen_amend_t *amend,
    const json_t *before, const json_t *after, char *pointer, size_t len,
    const char *name, ngx_uint_t depth);


void
ngx_http_yimen_record_amend(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str                  sealed;
    ngx_pool_cleanup_t            *cln;
    ngx_http_yimen_amend_t        *amend;
    ngx_http_yimen_record_work_t  *work;

    if (!(ctx->who.roles & ctx->conf->amend)) {
        ngx_http_yimen_record_noted(ctx, "access_refused", ctx->params[0],
                                    YM_STR("amend"));
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您没有代他人修改记录的权限",
                               "You may not change records for others");
        return;
    }

    if (ngx_http_yimen_header(ctx->request, "if-match") == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_PRECONDITION,
                               "请在 If-Match 中给出所读版本的 ETag",
                               "Send the ETag of what you read in If-Match");
        return;
    }

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reason(ctx, &sealed) != NGX_OK)
    {
        return;
    }

    work = ngx_http_yimen_record_work(ctx);
    if (work == NULL) {
        return;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_yimen_amend_t));
    if (cln == NULL) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    amend = cln->data;
    ngx_memzero(amend, sizeof(ngx_http_yimen_amend_t));
    ym_buf_init(&amend->places, NGX_HTTP_YIMEN_AMEND_BYTES);
    cln->handler = ngx_http_yimen_amend_close;

    work->amend = amend;
    work->reason = ym_str_of(ym_json_str(ctx->json, "reason"));

    ngx_http_yimen_record_change(ctx);
}


static void
ngx_http_yimen_amend_close(void *data)
{
    ngx_http_yimen_amend_t  *amend = data;

    ym_buf_clear(&amend->places);
}


void
ngx_http_yimen_amend_changes(ngx_http_yimen_ctx_t *ctx, const json_t *before,
    const json_t *after)
{
    char                           pointer[NGX_HTTP_YIMEN_AMEND_POINTER];
    ngx_http_yimen_amend_t        *amend;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    amend = work->amend;

    ngx_http_yimen_amend_walk(amend, before, after, pointer, 0, 0);

    if (amend->count > NGX_HTTP_YIMEN_AMEND_PLACES) {
        ym_buf_addf(&amend->places, " +%lu", (unsigned long)
                    (amend->count - NGX_HTTP_YIMEN_AMEND_PLACES));
    }
}


static void
ngx_http_yimen_amend_walk(ngx_http_yimen_amend_t *amend, const json_t *before,
    const json_t *after, char *pointer, size_t len, ngx_uint_t depth)
{
    char         number[NGX_INT_T_LEN + 1];
    size_t       i, n;
    json_t      *value;
    const char  *name;

    if (before != NULL && after != NULL && json_equal(before, after)) {
        return;
    }

    if (depth < NGX_HTTP_YIMEN_AMEND_DEPTH && json_is_object(before)
        && json_is_object(after))
    {
        json_object_foreach((json_t *) (uintptr_t) before, name, value) {
            ngx_http_yimen_amend_below(amend, value,
                                       json_object_get(after, name), pointer,
                                       len, name, depth);
        }

        json_object_foreach((json_t *) (uintptr_t) after, name, value) {
            if (json_object_get(before, name) == NULL) {
                ngx_http_yimen_amend_below(amend, NULL, value, pointer, len,
                                           name, depth);
            }
        }

        return;
    }

    if (depth < NGX_HTTP_YIMEN_AMEND_DEPTH && json_is_array(before)
        && json_is_array(after))
    {
        n = ngx_max(json_array_size(before), json_array_size(after));

        for (i = 0; i < n; i++) {
            *ngx_sprintf((u_char *) number, "%uz", i) = '\0';
            ngx_http_yimen_amend_below(amend, json_array_get(before, i),
                                       json_array_get(after, i), pointer, len,
                                       number, depth);
        }

        return;
    }

    if (amend->count++ < NGX_HTTP_YIMEN_AMEND_PLACES) {
        ym_buf_adds(&amend->places, amend->places.n ? " " : "");
        ym_buf_add(&amend->places, pointer, len);
    }
}


/* a pointer that is longer than any type has is cut: it is for people */

static void
ngx_http_yimen_amend_below(ngx_http_yimen_amend_t *amend, const json_t *before,
    const json_t *after, char *pointer, size_t len, const char *name,
    ngx_uint_t depth)
{
    size_t  n;

    n = ngx_strlen(name);

    if (len + n + 1 <= NGX_HTTP_YIMEN_AMEND_POINTER) {
        pointer[len] = '/';
        ngx_memcpy(pointer + len + 1, name, n);
        len += n + 1;
    }

    ngx_http_yimen_amend_walk(amend, before, after, pointer, len, depth + 1);
}


static ngx_int_t
ngx_http_yimen_amend_evidence(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_evidence_t *e)
{
    struct ym_buf                  why;
    ngx_int_t                      rc;
    struct ym_str                  text;
    ngx_http_yimen_amend_t        *amend;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    amend = work->amend;

    ngx_memzero(e, sizeof(ngx_http_yimen_evidence_t));
    e->what = "amend";
    e->who = ctx->who.subject;
    e->id = ctx->params[0];

    ym_buf_init(&why, 2 * NGX_HTTP_YIMEN_AMEND_BYTES);
    ym_buf_add(&why, amend->places.p, amend->places.n);
    ym_buf_adds(&why, ": ");
    ym_buf_add(&why, work->reason.p, work->reason.n);
    text = ngx_http_yimen_copy(ctx, ym_buf_str(&why));
    ym_buf_wipe(&why);

    rc = (text.p != NULL && text.n)
         ? ngx_http_yimen_seal_text(ctx, NGX_HTTP_YIMEN_SEAL_WHY, YM_STR(""),
                                    text, &e->why)
         : NGX_ERROR;

    return rc;
}


void
ngx_http_yimen_amend_noted_first(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_args_t *args, ngx_http_yimen_handler_pt handler)
{
    ngx_http_yimen_args_t          note;
    ngx_http_yimen_amend_t        *amend;
    ngx_http_yimen_evidence_t      e;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    amend = work->amend;
    amend->args = *args;
    amend->handler = handler;

    if (ngx_http_yimen_amend_evidence(ctx, &e) != NGX_OK) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_evidence_args(ctx, &e, &note);
    ngx_http_yimen_calls(ctx, &note, 1, ngx_http_yimen_amend_noted);
}


static void
ngx_http_yimen_amend_noted(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_amend_t        *amend;
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;
    amend = work->amend;

    if (!ym_str_is(ngx_http_yimen_fcall_word(ctx->replies[0], 0), "kept")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    ngx_http_yimen_calls(ctx, &amend->args, 1, amend->handler);
}


/* somebody else was faster: the evidence says that nothing was changed */

void
ngx_http_yimen_amend_refused(ngx_http_yimen_ctx_t *ctx, struct ym_str word)
{
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "amend";
    e.who = ctx->who.subject;
    e.id = ctx->params[0];
    e.why = word;
    e.outcome = "refused";

    ngx_http_yimen_evidence(ctx->request, &e);
}
