/* SPDX-License-Identifier: Apache-2.0
 * yimen_identity: the directive, and the kind `headers`.
 */
#include "ngx_http_yimen_apps.h"
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_refuse.h"
#include "ngx_http_yimen_usage.h"

#include "ym_header.h"


#define NGX_HTTP_YIMEN_INJECT_NAME  64      /* of a header */


typedef enum {
    NGX_HTTP_YIMEN_SOURCE_USER = 0,     /* login, else subject */
    NGX_HTTP_YIMEN_SOURCE_SUBJECT,
    NGX_HTTP_YIMEN_SOURCE_NAME,
    NGX_HTTP_YIMEN_SOURCE_EMAIL,
    NGX_HTTP_YIMEN_SOURCE_ORG,
    NGX_HTTP_YIMEN_SOURCE_AREA,
    NGX_HTTP_YIMEN_SOURCE_ISSUER,
    NGX_HTTP_YIMEN_SOURCE_PROVIDER,
    NGX_HTTP_YIMEN_SOURCE_ROLES
} ngx_http_yimen_source_e;

typedef struct {
    ngx_http_yimen_source_e  source;
    ngx_str_t                name;
} ngx_http_yimen_pass_t;

typedef struct {
    ngx_array_t              headers;   /* ngx_http_yimen_pass_t */
    enum ym_header_code      code;
    char                     delimiter;
} ngx_http_yimen_headers_conf_t;


static char *ngx_http_yimen_headers_parse(ngx_conf_t *cf, ngx_str_t *words,
    ngx_uint_t n, void **ret_conf);
static char *ngx_http_yimen_headers_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_yimen_headers_conf_t *hcf);
static char *ngx_http_yimen_headers_pass(ngx_conf_t *cf,
    ngx_http_yimen_headers_conf_t *hcf, ngx_http_yimen_source_e source,
    ngx_str_t *name);
static ngx_int_t ngx_http_yimen_headers_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf);
static struct ym_str ngx_http_yimen_headers_text(
    ngx_http_yimen_source_e source, const ngx_http_yimen_identity_t *who);
static ym_status ngx_http_yimen_headers_value(
    const ngx_http_yimen_headers_conf_t *hcf, ngx_http_yimen_source_e source,
    const ngx_http_yimen_identity_t *who, struct ym_buf *out);


const ngx_http_yimen_kind_t  ngx_http_yimen_kind_headers = {
    "headers", ngx_http_yimen_headers_parse, ngx_http_yimen_headers_inject, 0
};

/* a new kind is one row */
const ngx_http_yimen_kind_t *const  ngx_http_yimen_kinds[] = {
    &ngx_http_yimen_kind_headers,
    &ngx_http_yimen_kind_jwt,
    &ngx_http_yimen_kind_basic,
    &ngx_http_yimen_kind_form,
    NULL
};

/* by ngx_http_yimen_source_e */
static const char *const  ngx_http_yimen_sources[] = {
    "user", "subject", "name", "email", "org", "area", "issuer", "provider",
    "roles"
};


/* yimen_identity KIND [WORD ...] | none; */

char *
ngx_http_yimen_conf_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                           *value;
    ngx_uint_t                           i;
    const ngx_http_yimen_kind_t         *kind;
    ngx_http_yimen_front_loc_conf_t     *flcf = conf;

    if (flcf->identity != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    flcf->identity = 1;

    ngx_http_yimen_front_guarded(cf);

    if (ngx_strcmp(value[1].data, "none") == 0) {
        return (cf->args->nelts == 2) ? NGX_CONF_OK
                                      : "takes nothing after \"none\"";
    }

    for (i = 0; ngx_http_yimen_kinds[i] != NULL; i++) {
        kind = ngx_http_yimen_kinds[i];

        if (ngx_strcmp(value[1].data, kind->name) == 0) {
            flcf->kind = kind;

            return kind->parse(cf, &value[2], cf->args->nelts - 2,
                               &flcf->kind_conf);
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown identity \"%V\"",
                       &value[1]);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_yimen_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who)
{
    ngx_int_t                         rc;
    ngx_table_elt_t                  *h;
    ngx_http_yimen_front_state_t     *state;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (who == NULL || who->subject.n == 0) {
        return NGX_DECLINED;
    }

    h = r->headers_in.authorization;

    if (flcf->kind == NULL && h == NULL && !flcf->websocket) {
        return NGX_DECLINED;
    }

    state = ngx_http_yimen_front_state(r, 1);
    if (state == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    state->pending.nelts = 0;
    state->jar = 0;
    state->who = who;

    /* a bearer token that came with a known person was shown to us */

    state->bearer = h != NULL
                    && (who->method == NGX_HTTP_YIMEN_BY_BEARER
                        || (h->value.len > 6
                            && ngx_strncasecmp(h->value.data,
                                               (u_char *) "bearer", 6)
                               == 0)
                        || (flcf->kind && flcf->kind->own_authorization));

    if (flcf->kind == NULL) {
        return NGX_DECLINED;
    }

    rc = flcf->kind->inject(r, who, flcf->kind_conf);

    if (rc == NGX_HTTP_FORBIDDEN) {
        return ngx_http_yimen_refuse(r, NGX_HTTP_YIMEN_P_FORBIDDEN,
                                     "无法将您的身份告知此应用",
                                     "This application cannot be told who you "
                                     "are", 0, NULL);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_yimen_usage_through(r, who);
    }

    return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


ngx_int_t
ngx_http_yimen_inject_header(ngx_http_request_t *r, const ngx_str_t *name,
    struct ym_str value)
{
    size_t                         i;
    u_char                         c;
    ngx_keyval_t                  *kv;
    ngx_http_yimen_front_state_t  *state;

    for (i = 0; i < value.n; i++) {
        c = (u_char) value.p[i];

        if (c < 0x20 || c == 0x7f) {
            return NGX_HTTP_FORBIDDEN;
        }
    }

    state = ngx_http_yimen_front_state(r, 1);
    if (state == NULL) {
        return NGX_ERROR;
    }

    kv = ngx_array_push(&state->pending);
    if (kv == NULL) {
        return NGX_ERROR;
    }

    kv->key = *name;
    kv->value.len = value.n;
    kv->value.data = ngx_pnalloc(r->pool, value.n + 1);

    if (kv->value.data == NULL) {
        return NGX_ERROR;
    }

    /* variables of headers end in a NUL */

    *ngx_cpymem(kv->value.data, value.p, value.n) = '\0';

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_yimen_inject_name(ngx_conf_t *cf, const ngx_str_t *name)
{
    size_t                             i;
    u_char                            *folded;
    ngx_str_t                         *known;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    if (name->len == 0 || name->len > NGX_HTTP_YIMEN_INJECT_NAME) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no name of a header", name);
        return NGX_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        if (!((name->data[i] | 0x20) >= 'a' && (name->data[i] | 0x20) <= 'z')
            && !(name->data[i] >= '0' && name->data[i] <= '9')
            && name->data[i] != '-' && name->data[i] != '_')
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no name of a header", name);
            return NGX_ERROR;
        }
    }

    /* a client's own are read before they are replaced, where they are */

    if ((name->len == sizeof("Authorization") - 1
         && ngx_strncasecmp(name->data, (u_char *) "Authorization", name->len)
            == 0)
        || (name->len == sizeof("Cookie") - 1
            && ngx_strncasecmp(name->data, (u_char *) "Cookie", name->len)
               == 0))
    {
        return NGX_OK;
    }

    folded = ngx_pnalloc(cf->pool, name->len);
    if (folded == NULL) {
        return NGX_ERROR;
    }

    known = ngx_array_push(&fmcf->names);
    if (known == NULL) {
        return NGX_ERROR;
    }

    known->data = folded;
    known->len = ngx_http_yimen_fold(name->data, name->len, folded);

    return NGX_OK;
}


/* ---- headers ---- */

static char *
ngx_http_yimen_headers_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    void **ret_conf)
{
    char                           *rv;
    ngx_uint_t                      i;
    ngx_http_yimen_headers_conf_t  *hcf;

    static ngx_str_t  usual = ngx_string("X-Remote-User");

    hcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_headers_conf_t));

    if (hcf == NULL
        || ngx_array_init(&hcf->headers, cf->pool, 4,
                          sizeof(ngx_http_yimen_pass_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    hcf->delimiter = ',';
    *ret_conf = hcf;

    for (i = 0; i < n; i++) {
        rv = ngx_http_yimen_headers_word(cf, &words[i], hcf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (hcf->headers.nelts == 0) {
        return ngx_http_yimen_headers_pass(cf, hcf,
                                           NGX_HTTP_YIMEN_SOURCE_USER,
                                           &usual);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_yimen_headers_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_yimen_headers_conf_t *hcf)
{
    u_char      *equals;
    size_t       n;
    ngx_str_t    value;
    ngx_uint_t   k;

    equals = ngx_strlchr(word->data, word->data + word->len, '=');

    if (equals == NULL) {
        goto invalid;
    }

    n = (size_t) (equals - word->data);
    value.data = equals + 1;
    value.len = word->len - n - 1;

    if (n == 6 && ngx_strncmp(word->data, "encode", 6) == 0) {
        return ym_header_code_of((struct ym_str){ (char *) value.data,
                                                  value.len },
                                 &hcf->code)
               ? NGX_CONF_OK
               : "takes encode=rfc8187, percent, base64url or plain";
    }

    if (n == 4 && ngx_strncmp(word->data, "list", 4) == 0) {

        if (value.len != 1 || value.data[0] <= ' ' || value.data[0] >= 0x7f
            || value.data[0] == '%')
        {
            return "takes list=C, one visible character but '%'";
        }

        hcf->delimiter = (char) value.data[0];

        return NGX_CONF_OK;
    }

    for (k = 0; k < YM_COUNT(ngx_http_yimen_sources); k++) {
        if (ngx_strlen(ngx_http_yimen_sources[k]) == n
            && ngx_strncmp(ngx_http_yimen_sources[k], word->data, n) == 0)
        {
            return ngx_http_yimen_headers_pass(cf, hcf,
                                           (ngx_http_yimen_source_e) k,
                                           &value);
        }
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       word);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_yimen_headers_pass(ngx_conf_t *cf,
    ngx_http_yimen_headers_conf_t *hcf, ngx_http_yimen_source_e source,
    ngx_str_t *name)
{
    ngx_http_yimen_pass_t  *pass;

    if (ngx_http_yimen_inject_name(cf, name) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    pass = ngx_array_push(&hcf->headers);
    if (pass == NULL) {
        return NGX_CONF_ERROR;
    }

    pass->source = source;
    pass->name = *name;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_headers_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf)
{
    ngx_int_t                       rc;
    ym_status                       status;
    ngx_uint_t                      i;
    struct ym_buf                   room;
    struct ym_str                   value;
    ngx_http_yimen_pass_t          *pass;
    ngx_http_yimen_headers_conf_t  *hcf = conf;

    pass = hcf->headers.elts;
    rc = NGX_DECLINED;

    ym_buf_init(&room, 4 * YM_HEADER_BYTES);

    for (i = 0; i < hcf->headers.nelts; i++) {

        value = ngx_http_yimen_headers_text(pass[i].source, who);

        if (!ym_header_is_plain(value, hcf->code)) {
            ym_buf_reset(&room);
            status = ngx_http_yimen_headers_value(hcf, pass[i].source, who,
                                                  &room);

            if (status != YM_OK) {
                ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                              "event=identity.refused what=%s",
                              ngx_http_yimen_sources[pass[i].source]);

                rc = (status == YM_ENOMEM) ? NGX_ERROR : NGX_HTTP_FORBIDDEN;
                break;
            }

            value = ym_buf_str(&room);
        }

        /* nothing known: no header at all, never somebody else's */

        if (value.n == 0) {
            continue;
        }

        rc = ngx_http_yimen_inject_header(r, &pass[i].name, value);

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    ym_buf_clear(&room);

    return rc;
}


/* the roles have none: they are several */

static struct ym_str
ngx_http_yimen_headers_text(ngx_http_yimen_source_e source,
    const ngx_http_yimen_identity_t *who)
{
    switch (source) {

    case NGX_HTTP_YIMEN_SOURCE_USER:
        return who->login.n ? who->login : who->subject;

    case NGX_HTTP_YIMEN_SOURCE_SUBJECT:
        return who->subject;

    case NGX_HTTP_YIMEN_SOURCE_NAME:
        return who->name;

    case NGX_HTTP_YIMEN_SOURCE_EMAIL:
        return who->email;

    case NGX_HTTP_YIMEN_SOURCE_ORG:
        return who->org;

    case NGX_HTTP_YIMEN_SOURCE_AREA:
        return who->area;

    case NGX_HTTP_YIMEN_SOURCE_ISSUER:
        return who->issuer;

    case NGX_HTTP_YIMEN_SOURCE_PROVIDER:
        return who->provider;

    default:
        return YM_STR("");
    }
}


static ym_status
ngx_http_yimen_headers_value(const ngx_http_yimen_headers_conf_t *hcf,
    ngx_http_yimen_source_e source, const ngx_http_yimen_identity_t *who,
    struct ym_buf *out)
{
    size_t         n;
    ngx_uint_t     bit;
    struct ym_str  text, roles[8];

    if (source != NGX_HTTP_YIMEN_SOURCE_ROLES) {
        text = ngx_http_yimen_headers_text(source, who);

        return text.n ? ym_header_add(out, text, hcf->code) : YM_OK;
    }

    n = 0;

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
        if ((who->roles & bit) && ngx_http_yimen_role_name(bit) != NULL) {
            roles[n++] = ym_str_of(ngx_http_yimen_role_name(bit));
        }
    }

    return ym_header_add_list(out, roles, n, hcf->delimiter, hcf->code);
}
