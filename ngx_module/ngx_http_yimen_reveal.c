/* SPDX-License-Identifier: Apache-2.0
 * POST /records/{id}/reveal: a record in full for somebody who sees it masked,
 * once the purpose stands in the evidence.  No evidence, no data.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_evidence.h"
#include "ngx_http_yimen_records.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_audit_conf.h"


static ngx_int_t ngx_http_yimen_reveal_roles(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf, const char *key, const char *p,
    ngx_uint_t *ret);
static void ngx_http_yimen_reveal_seen(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reveal_noted(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_reveal_answer(ngx_http_yimen_ctx_t *ctx);


/* `audit: reveal:` and `audit: amend:` of the catalogue */

char *
ngx_http_yimen_reveal_conf(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    struct ym_diag        d;
    struct ym_audit_conf  audit;

    ym_diag_init(&d);
    (void) ym_audit_conf_load(ymcf->catalog, &audit, &d);

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_yimen_reveal_roles(cf, ymcf, "reveal", audit.reveal,
                                    &ymcf->reveal)
        != NGX_OK
        || ngx_http_yimen_reveal_roles(cf, ymcf, "amend", audit.amend,
                                       &ymcf->amend)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_reveal_roles(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const char *key, const char *p, ngx_uint_t *ret)
{
    size_t       n;
    ngx_uint_t   bit;
    const char  *name;

    for ( /* void */ ; *p != '\0'; p += n) {
        n = strcspn(p, " ");

        if (n == 0) {
            n = 1;
            continue;
        }

        for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
            name = ngx_http_yimen_role_name(bit);

            if (name != NULL && ngx_strlen(name) == n
                && ngx_strncmp(name, p, n) == 0)
            {
                *ret |= bit;
                break;
            }
        }

        if (bit > NGX_HTTP_YIMEN_ROLE_ADMIN
            && !(n == 4 && ngx_strncmp(p, "none", 4) == 0))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%s:\" in \"%V\": there is no role "
                               "\"%*s\"", key, &ymcf->catalog_file, n, p);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_yimen_record_reveal(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str  purpose;

    if (ngx_http_yimen_body_json(ctx) != NGX_OK
        || ngx_http_yimen_reveal_purpose(ctx, &purpose) != NGX_OK)
    {
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_reveal_seen);
}


ngx_int_t
ngx_http_yimen_reveal_purpose(ngx_http_yimen_ctx_t *ctx, struct ym_str *ret)
{
    const char  *purpose;

    purpose = ym_json_str(ctx->json, "purpose");

    if (purpose == NULL || purpose[0] == '\0'
        || ym_utf8_length(purpose, ngx_strlen(purpose))
           > NGX_HTTP_YIMEN_REASON_MAX)
    {
        ngx_http_yimen_problem_at(ctx, NGX_HTTP_YIMEN_P_INVALID, "/purpose",
                                  "required",
                                  "请填写查看目的(1 至 500 个字符)",
                                  "Give a purpose of 1 to 500 characters");
        return NGX_ERROR;
    }

    *ret = ym_str_of(purpose);

    return NGX_OK;
}


static void
ngx_http_yimen_reveal_seen(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    if (!(ctx->who.roles & ctx->conf->reveal)
        && !ngx_http_yimen_record_owned(ctx, &work->record))
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_FORBIDDEN,
                               "您的角色不能查看完整内容",
                               "Your role does not allow the full record");
        return;
    }

    ngx_http_yimen_reveal_note(ctx, YM_STR(""), ngx_http_yimen_reveal_noted);
}


void
ngx_http_yimen_reveal_note(ngx_http_yimen_ctx_t *ctx, struct ym_str system,
    ngx_http_yimen_handler_pt handler)
{
    struct ym_str              purpose;
    ngx_http_yimen_args_t      args;
    ngx_http_yimen_evidence_t  e;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "reveal";
    e.who = ctx->who.subject;
    e.id = ctx->params[0];
    e.system = system;

    if (ngx_http_yimen_reveal_purpose(ctx, &purpose) != NGX_OK) {
        return;
    }

    if (ngx_http_yimen_seal_text(ctx, NGX_HTTP_YIMEN_SEAL_WHY, YM_STR(""),
                                 purpose, &e.why)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_evidence_args(ctx, &e, &args);
    ngx_http_yimen_calls(ctx, &args, 1, handler);
}


/* what was read before went with its reply: it is read again */

static void
ngx_http_yimen_reveal_noted(ngx_http_yimen_ctx_t *ctx)
{
    struct ym_str   word;
    redisReply     *reply;

    reply = ctx->replies[0];
    word = YM_STR("");

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) {
        word = ngx_http_yimen_reply_str(reply->element[0]);
    }

    if (!ym_str_is(word, "kept")) {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_UNAVAILABLE, NULL, NULL);
        return;
    }

    ngx_http_yimen_record_fetch(ctx, 0, ngx_http_yimen_reveal_answer);
}


static void
ngx_http_yimen_reveal_answer(ngx_http_yimen_ctx_t *ctx)
{
    ngx_http_yimen_record_work_t  *work;

    work = ctx->work;

    ngx_http_yimen_record_write(ctx, &work->record, 0);
    ym_buf_addc(&ctx->out, '\n');

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}
