/* SPDX-License-Identifier: Apache-2.0
 * Claims of a provider become a person of ours: names, organisation, area,
 * roles.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_oidc_priv.h"

#include "ym_time.h"


#define NGX_HTTP_YIMEN_CLAIM_BYTES   255
#define NGX_HTTP_YIMEN_AREA_DIGITS   12
#define NGX_HTTP_YIMEN_ORG_BYTES     100

/* a token whose life is not told is renewed so often; never faster than … */
#define NGX_HTTP_YIMEN_REFRESH_MS    (5 * 60 * 1000)
#define NGX_HTTP_YIMEN_REFRESH_LEAST 1000


static struct ym_str ngx_http_yimen_oidc_text(const json_t *claims,
    const json_t *info, const char *name, size_t max);
static struct ym_str ngx_http_yimen_oidc_amr(const json_t *claims,
    struct ym_arena *a);
static ngx_uint_t ngx_http_yimen_oidc_role(
    const ngx_http_yimen_provider_t *provider, const json_t *role);
static ngx_int_t ngx_http_yimen_oidc_place(const json_t *claims,
    const json_t *info, const char *name, size_t max, struct ym_str *ret);
static ngx_uint_t ngx_http_yimen_oidc_digits(struct ym_str area);


ngx_int_t
ngx_http_yimen_oidc_login(const ngx_http_yimen_provider_t *p,
    const json_t *claims, const json_t *info,
    const struct ym_oidc_tokens *tokens, struct ym_arena *a,
    ngx_http_yimen_login_t *ret)
{
    int64_t        now;
    const json_t  *auth_time;

    now = ym_now_ms();
    ngx_memzero(ret, sizeof(ngx_http_yimen_login_t));

    ret->provider = ym_str_of(p->id);
    ret->issuer = ym_str_of(p->issuer);
    ret->subject = ym_oidc_claim_text(claims, "sub", YM_OIDC_SUB_MAX);

    if (ret->subject.n == 0) {
        return NGX_DECLINED;
    }

    ret->login = ngx_http_yimen_oidc_text(claims, info, p->login_claim,
                                          NGX_HTTP_YIMEN_CLAIM_BYTES);
    if (ret->login.n == 0) {
        ret->login = ret->subject;
    }

    ret->name = ngx_http_yimen_oidc_text(claims, info, p->name_claim,
                                         NGX_HTTP_YIMEN_CLAIM_BYTES);
    if (ret->name.n == 0) {
        ret->name = ret->login;
    }

    ret->email = ngx_http_yimen_oidc_text(claims, info, p->email_claim,
                                          NGX_HTTP_YIMEN_CLAIM_BYTES);

    /* these decide what one sees: there and unfit is not the same as absent */

    if (ngx_http_yimen_oidc_place(claims, info, p->org_claim,
                                  NGX_HTTP_YIMEN_ORG_BYTES, &ret->org)
        != NGX_OK
        || ngx_http_yimen_oidc_place(claims, info, p->area_claim,
                                     NGX_HTTP_YIMEN_AREA_DIGITS, &ret->area)
           != NGX_OK
        || !ngx_http_yimen_oidc_digits(ret->area))
    {
        return NGX_DECLINED;
    }

    ret->roles = ngx_http_yimen_oidc_roles(p, claims);

    if (info != NULL) {
        ret->roles |= ngx_http_yimen_oidc_roles(p, info);
    }

    auth_time = json_object_get(claims, "auth_time");
    ret->auth_time = json_is_number(auth_time)
                     ? (int64_t) (json_number_value(auth_time) * 1000.0) : now;

    ret->acr = ym_oidc_claim_text(claims, "acr", NGX_HTTP_YIMEN_CLAIM_BYTES);
    ret->amr = ngx_http_yimen_oidc_amr(claims, a);
    ret->sid = ym_oidc_claim_text(claims, "sid", NGX_HTTP_YIMEN_CLAIM_BYTES);

    ret->id_token = ym_str_of(tokens->id_token ? tokens->id_token : "");
    ret->refresh_token = YM_STR("");

    if (p->refresh && tokens->refresh_token != NULL) {
        ret->refresh_token = ym_str_of(tokens->refresh_token);
        ret->refresh_at = ngx_http_yimen_oidc_refresh_at(tokens);
    }

    return NGX_OK;
}


/* a list of words (RFC 8176), joined by blanks; "" when it is none */

static struct ym_str
ngx_http_yimen_oidc_amr(const json_t *claims, struct ym_arena *a)
{
    char           *copy;
    size_t          i;
    struct ym_str   joined;
    struct ym_buf   text;
    const json_t   *list, *word;

    joined = YM_STR("");
    list = json_object_get(claims, "amr");

    if (a == NULL || !json_is_array(list)) {
        return joined;
    }

    ym_buf_init(&text, NGX_HTTP_YIMEN_CLAIM_BYTES);

    json_array_foreach(list, i, word) {

        if (!ym_oidc_word_ok(json_string_value(word))) {
            ym_buf_clear(&text);
            return joined;
        }

        ym_buf_adds(&text, i ? " " : "");
        ym_buf_adds(&text, json_string_value(word));
    }

    if (text.failed == YM_OK && text.n) {
        copy = ym_arena_str(a, ym_buf_str(&text));

        if (copy != NULL) {
            joined = ym_str_of(copy);
        }
    }

    ym_buf_clear(&text);

    return joined;
}


int64_t
ngx_http_yimen_oidc_refresh_at(const struct ym_oidc_tokens *tokens)
{
    int64_t  life;

    life = tokens->expires_in_ms ? tokens->expires_in_ms * 9 / 10
                                 : NGX_HTTP_YIMEN_REFRESH_MS;

    return ym_now_ms() + ngx_max(life, NGX_HTTP_YIMEN_REFRESH_LEAST);
}


/* what the ID token does not say, userinfo may */

static struct ym_str
ngx_http_yimen_oidc_text(const json_t *claims, const json_t *info,
    const char *name, size_t max)
{
    struct ym_str  text;

    text = ym_oidc_claim_text(claims, name, max);

    if (text.n == 0 && info != NULL) {
        text = ym_oidc_claim_text(info, name, max);
    }

    return text;
}


static ngx_int_t
ngx_http_yimen_oidc_place(const json_t *claims, const json_t *info,
    const char *name, size_t max, struct ym_str *ret)
{
    const json_t  *value;

    value = ym_oidc_claim(claims, name);

    if (value == NULL && info != NULL) {
        value = ym_oidc_claim(info, name);
    }

    *ret = ngx_http_yimen_oidc_text(claims, info, name, max);

    return (value == NULL || json_is_null(value) || ret->n
            || (json_is_string(value) && json_string_length(value) == 0))
           ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_yimen_oidc_digits(struct ym_str area)
{
    size_t  i;

    for (i = 0; i < area.n; i++) {
        if (area.p[i] < '0' || area.p[i] > '9') {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_yimen_oidc_roles(const ngx_http_yimen_provider_t *provider,
    const json_t *claims)
{
    size_t         i;
    ngx_uint_t     bits;
    const json_t  *roles, *role;

    roles = ym_oidc_claim(claims, provider->roles_claim);

    if (!json_is_array(roles)) {
        return ngx_http_yimen_oidc_role(provider, roles);
    }

    bits = 0;

    json_array_foreach(roles, i, role) {
        bits |= ngx_http_yimen_oidc_role(provider, role);
    }

    return bits;
}


/* with a map only what stands in it; a name that fits by chance is none */

static ngx_uint_t
ngx_http_yimen_oidc_role(const ngx_http_yimen_provider_t *provider,
    const json_t *role)
{
    ngx_uint_t                  i, bit, bits;
    const char                 *name, *own;
    ngx_http_yimen_role_map_t  *map;

    name = json_string_value(role);
    bits = 0;

    if (name == NULL) {
        return 0;
    }

    map = provider->role_map.elts;

    for (i = 0; i < provider->role_map.nelts; i++) {
        if (ngx_strcmp(map[i].from, name) == 0) {
            bits |= map[i].roles;
        }
    }

    if (provider->role_map.nelts) {
        return bits;
    }

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ANY; bit <<= 1) {
        own = ngx_http_yimen_role_name(bit);

        if (own != NULL && ngx_strcmp(own, name) == 0) {
            bits |= bit;
        }
    }

    return bits;
}
