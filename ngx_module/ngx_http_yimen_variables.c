/* SPDX-License-Identifier: Apache-2.0
 * $yimen_user and its kind.  Evaluated anew each time: what is asked before
 * the guard has run is not known yet, and must not be remembered as empty.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_guard.h"


#define NGX_HTTP_YIMEN_SESSION_PREFIX  16   /* hex digits, for logs */

#define text(f)  offsetof(ngx_http_yimen_identity_t, f)


static ngx_int_t ngx_http_yimen_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_yimen_variable_roles(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_yimen_variable_session(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static const ngx_http_yimen_identity_t *
    ngx_http_yimen_variable_who(ngx_http_request_t *r);
static ngx_int_t ngx_http_yimen_variable_set(ngx_http_variable_value_t *v,
    struct ym_str value);


static ngx_http_variable_t  ngx_http_yimen_variables[] = {

    { ngx_string("yimen_user"), NULL, ngx_http_yimen_variable_text,
      text(subject), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_login"), NULL, ngx_http_yimen_variable_text,
      text(login), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_name"), NULL, ngx_http_yimen_variable_text,
      text(name), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_area"), NULL, ngx_http_yimen_variable_text,
      text(area), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_org"), NULL, ngx_http_yimen_variable_text,
      text(org), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_provider"), NULL, ngx_http_yimen_variable_text,
      text(provider), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_roles"), NULL, ngx_http_yimen_variable_roles, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("yimen_session"), NULL, ngx_http_yimen_variable_session, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_yimen_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_yimen_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* NULL until somebody is known */

static const ngx_http_yimen_identity_t *
ngx_http_yimen_variable_who(ngx_http_request_t *r)
{
    ngx_http_yimen_who_t  *who;

    who = ngx_http_yimen_who_get(r, 0);

    if (who == NULL || who->verdict != NGX_HTTP_YIMEN_WHO_KNOWN) {
        return NULL;
    }

    return &who->identity;
}


static ngx_int_t
ngx_http_yimen_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_http_yimen_identity_t  *who;

    who = ngx_http_yimen_variable_who(r);

    if (who == NULL) {
        return ngx_http_yimen_variable_set(v, YM_STR(""));
    }

    return ngx_http_yimen_variable_set(v,
                            *(const struct ym_str *) ((u_char *) who + data));
}


static ngx_int_t
ngx_http_yimen_variable_roles(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                           *p, *last;
    size_t                            size;
    ngx_uint_t                        bit;
    const ngx_http_yimen_identity_t  *who;

    who = ngx_http_yimen_variable_who(r);

    if (who == NULL || !who->roles) {
        return ngx_http_yimen_variable_set(v, YM_STR(""));
    }

    size = sizeof("staff,supervisor,operator,auditor,admin");

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p;

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
        if (who->roles & bit) {
            last = ngx_snprintf(last, (size_t) (p + size - last), "%s%s",
                                last == p ? "" : ",",
                                ngx_http_yimen_role_name(bit));
        }
    }

    return ngx_http_yimen_variable_set(v, (struct ym_str){ (char *) p,
                                                    (size_t) (last - p) });
}


static ngx_int_t
ngx_http_yimen_variable_session(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_http_yimen_identity_t  *who;

    who = ngx_http_yimen_variable_who(r);

    if (who == NULL || who->session.n == 0) {
        return ngx_http_yimen_variable_set(v, YM_STR(""));
    }

    return ngx_http_yimen_variable_set(v, (struct ym_str){
                               who->session.p, NGX_HTTP_YIMEN_SESSION_PREFIX });
}


static ngx_int_t
ngx_http_yimen_variable_set(ngx_http_variable_value_t *v, struct ym_str value)
{
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = (u_char *) (uintptr_t) (value.p != NULL ? value.p : "");
    v->len = (unsigned) value.n;

    return NGX_OK;
}
