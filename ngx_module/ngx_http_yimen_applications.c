/* SPDX-License-Identifier: Apache-2.0
 * GET /applications: what a person may open, and whether his account there is
 * known; and who may, in the configuration.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_fcall.h"
#include "ngx_http_yimen_guard.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_vault.h"

#include "ym_store_vault.h"


static void ngx_http_yimen_apps_write(ngx_http_yimen_ctx_t *ctx);
static void ngx_http_yimen_apps_item(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app);
static const char *ngx_http_yimen_apps_credentials(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app);
static ngx_uint_t ngx_http_yimen_apps_allows(const ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app);
static ngx_uint_t ngx_http_yimen_app_role(struct ym_str name);
static ngx_uint_t ngx_http_yimen_app_area_ok(struct ym_str area);


void
ngx_http_yimen_apps_list(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                   i, personal;
    ngx_http_yimen_args_t        args;
    ngx_http_yimen_holder_t      person;
    const ngx_http_yimen_app_t  *app;

    personal = 0;

    for (i = 0; i < ngx_http_yimen_apps_count(ctx->conf); i++) {
        app = ngx_http_yimen_app_at(ctx->conf, i);
        personal |= (app->personal && ngx_http_yimen_apps_allows(ctx, app));
    }

    if (!personal) {
        ngx_http_yimen_apps_write(ctx);
        return;
    }

    if (ngx_http_yimen_holder(ctx->conf, ctx->who.subject, &person)
        != NGX_OK)
    {
        ngx_http_yimen_problem(ctx, NGX_HTTP_YIMEN_P_INTERNAL, NULL, NULL);
        return;
    }

    ngx_http_yimen_args_init(&args, ctx, YM_FN_VAULT_LIST, person.shard);
    ngx_http_yimen_arg(&args, ngx_http_yimen_copy(ctx,
                                                 ym_str_of(person.digest)));

    ngx_http_yimen_calls(ctx, &args, 1, ngx_http_yimen_apps_write);
}


static void
ngx_http_yimen_apps_write(ngx_http_yimen_ctx_t *ctx)
{
    ngx_uint_t                   i, n;
    const ngx_http_yimen_app_t  *app;

    ym_buf_adds(&ctx->out, "{\"items\":[");
    n = 0;

    for (i = 0; i < ngx_http_yimen_apps_count(ctx->conf); i++) {
        app = ngx_http_yimen_app_at(ctx->conf, i);

        if (ngx_http_yimen_apps_allows(ctx, app)) {
            ym_buf_adds(&ctx->out, n++ ? "," : "");
            ngx_http_yimen_apps_item(ctx, app);
        }
    }

    ym_buf_adds(&ctx->out, "]}\n");

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


static void
ngx_http_yimen_apps_item(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app)
{
    struct ym_buf  *out;

    out = &ctx->out;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, ym_str_of(app->id));
    ym_buf_adds(out, ",\"title\":{\"zh\":");
    ym_buf_add_json(out, ym_str_of(app->title_zh));
    ym_buf_adds(out, ",\"en\":");
    ym_buf_add_json(out, ym_str_of(app->title_en));
    ym_buf_adds(out, "},\"href\":");
    ym_buf_add_json(out, ym_str_of(app->path));
    ym_buf_addf(out, ",\"credentials\":\"%s\"}",
                ngx_http_yimen_apps_credentials(ctx, app));
}


static const char *
ngx_http_yimen_apps_credentials(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app)
{
    redisReply  *row;

    if (!app->personal) {
        return "none";
    }

    row = ngx_http_yimen_vault_row(ctx->replies[0], app->id);

    if (row == NULL) {
        return "missing";
    }

    return ngx_http_yimen_reply_str(row->element[2]).n ? "stale" : "ok";
}


static ngx_uint_t
ngx_http_yimen_apps_allows(const ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_app_t *app)
{
    return app->rules == NULL
           || ngx_http_yimen_guard_allows(app->rules, &ctx->who);
}


void
ngx_http_yimen_app_rules(ngx_conf_t *cf, ngx_http_yimen_app_t *app,
    const struct ym_yaml *roles, const struct ym_yaml *areas,
    struct ym_diag *d)
{
    ngx_str_t              *area;
    ngx_uint_t              bit;
    ngx_array_t            *rules;
    const struct ym_yaml   *item;
    ngx_http_yimen_rule_t  *rule;

    if (roles == NULL && areas == NULL) {
        return;
    }

    rules = ngx_array_create(cf->pool, 1, sizeof(ngx_http_yimen_rule_t));
    rule = rules ? ngx_array_push(rules) : NULL;

    if (rule == NULL) {
        ym_diag_add(d, "yimen.yaml", 1, 1, "no memory");
        return;
    }

    ngx_memzero(rule, sizeof(ngx_http_yimen_rule_t));

    for (item = roles ? roles->child : NULL; item; item = item->next) {
        bit = ngx_http_yimen_app_role(item->text);
        rule->roles |= bit;

        if (!bit || roles->kind != YM_YAML_LIST) {
            ym_diag_add(d, item->file, item->line, item->column,
                        "roles is a list of staff, supervisor, operator, "
                        "auditor, admin");
            return;
        }
    }

    if (ngx_array_init(&rule->orgs, cf->pool, 1, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&rule->areas, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ym_diag_add(d, "yimen.yaml", 1, 1, "no memory");
        return;
    }

    for (item = areas ? areas->child : NULL; item; item = item->next) {
        area = ngx_array_push(&rule->areas);

        if (area == NULL || areas->kind != YM_YAML_LIST
            || !ngx_http_yimen_app_area_ok(item->text))
        {
            ym_diag_add(d, item->file, item->line, item->column,
                        "areas is a list of 2, 4, 6, 9 or 12 digits each");
            return;
        }

        area->data = (u_char *) item->text.p;
        area->len = item->text.n;
    }

    /* nobody is meant by an empty list: it is a slip */

    if ((roles != NULL && !rule->roles)
        || (areas != NULL && !rule->areas.nelts))
    {
        item = roles ? roles : areas;
        ym_diag_add(d, item->file, item->line, item->column,
                    "roles and areas are lists that name something");
        return;
    }

    app->rules = rules;
}


static ngx_uint_t
ngx_http_yimen_app_role(struct ym_str name)
{
    ngx_uint_t  bit;

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
        if (ym_str_is(name, ngx_http_yimen_role_name(bit))) {
            return bit;
        }
    }

    return 0;
}


/* province, city, county, town, village: GB/T 2260, GB/T 10114 */

static ngx_uint_t
ngx_http_yimen_app_area_ok(struct ym_str area)
{
    size_t  i;

    for (i = 0; i < area.n; i++) {
        if (area.p[i] < '0' || area.p[i] > '9') {
            return 0;
        }
    }

    return area.n == 2 || area.n == 4 || area.n == 6 || area.n == 9
           || area.n == 12;
}
