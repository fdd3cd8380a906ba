/* SPDX-License-Identifier: Apache-2.0
 * yimen_auth and yimen_require: read, inherited, judged.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_guard.h"


static char *ngx_http_yimen_require_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_yimen_rule_t *rule);
static char *ngx_http_yimen_require_roles(ngx_conf_t *cf, ngx_str_t *list,
    ngx_http_yimen_rule_t *rule);
static char *ngx_http_yimen_require_list(ngx_conf_t *cf, ngx_str_t *list,
    ngx_array_t *items, ngx_uint_t area);
static ngx_uint_t ngx_http_yimen_require_next(ngx_str_t *list,
    ngx_str_t *ret_item);
static ngx_uint_t ngx_http_yimen_rule_area(const ngx_array_t *areas,
    struct ym_str area);
static ngx_uint_t ngx_http_yimen_rule_org(const ngx_array_t *orgs,
    struct ym_str org);
static ngx_uint_t ngx_http_yimen_rule_holds(const ngx_http_yimen_rule_t *rule,
    const ngx_http_yimen_identity_t *who);


/* yimen_auth on | off | optional; */

char *
ngx_http_yimen_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_yimen_loc_conf_t  *ylcf = conf;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  value;
    } words[] = {
        { ngx_string("off"), NGX_HTTP_YIMEN_AUTH_OFF },
        { ngx_string("on"), NGX_HTTP_YIMEN_AUTH_ON },
        { ngx_string("optional"), NGX_HTTP_YIMEN_AUTH_OPTIONAL }
    };

    if (ylcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < YM_COUNT(words); i++) {
        if (value[1].len == words[i].name.len
            && ngx_strcmp(value[1].data, words[i].name.data) == 0)
        {
            ylcf->auth = words[i].value;

            if (ylcf->auth != NGX_HTTP_YIMEN_AUTH_OFF) {
                ngx_http_yimen_front_guarded(cf);
            }

            return NGX_CONF_OK;
        }
    }

    return "takes on, off or optional";
}


/*
 * yimen_require [any] role=a|b area=330106|3302 org=x|y;
 * Several of them in one place must all hold.
 */
char *
ngx_http_yimen_conf_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_yimen_rule_t      *rule;
    ngx_http_yimen_loc_conf_t  *ylcf = conf;

    if (ylcf->rules == NGX_CONF_UNSET_PTR) {
        ylcf->rules = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_http_yimen_rule_t));
        if (ylcf->rules == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule = ngx_array_push(ylcf->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_http_yimen_rule_t));

    if (ngx_array_init(&rule->areas, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&rule->orgs, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_yimen_require_word(cf, &value[i], rule);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (!rule->roles && !rule->areas.nelts && !rule->orgs.nelts) {
        return "asks for nothing: give role=, area= or org=";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_yimen_require_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_yimen_rule_t *rule)
{
    ngx_str_t  list;

    if (word->len == 3 && ngx_strncmp(word->data, "any", 3) == 0) {
        rule->any = 1;
        return NGX_CONF_OK;
    }

    if (word->len > 5 && ngx_strncmp(word->data, "role=", 5) == 0) {
        list.data = word->data + 5;
        list.len = word->len - 5;

        return ngx_http_yimen_require_roles(cf, &list, rule);
    }

    if (word->len > 5 && ngx_strncmp(word->data, "area=", 5) == 0) {
        list.data = word->data + 5;
        list.len = word->len - 5;

        return ngx_http_yimen_require_list(cf, &list, &rule->areas, 1);
    }

    if (word->len > 4 && ngx_strncmp(word->data, "org=", 4) == 0) {
        list.data = word->data + 4;
        list.len = word->len - 4;

        return ngx_http_yimen_require_list(cf, &list, &rule->orgs, 0);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" is none of role=, area=, org= and any", word);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_yimen_require_roles(ngx_conf_t *cf, ngx_str_t *list,
    ngx_http_yimen_rule_t *rule)
{
    ngx_str_t    item;
    ngx_uint_t   bit;
    const char  *name;

    while (ngx_http_yimen_require_next(list, &item)) {

        for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
            name = ngx_http_yimen_role_name(bit);

            if (ngx_strlen(name) == item.len
                && ngx_strncmp(item.data, name, item.len) == 0)
            {
                break;
            }
        }

        if (bit > NGX_HTTP_YIMEN_ROLE_ADMIN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no role: staff, supervisor, "
                               "operator, auditor, admin", &item);
            return NGX_CONF_ERROR;
        }

        rule->roles |= bit;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_yimen_require_list(ngx_conf_t *cf, ngx_str_t *list,
    ngx_array_t *items, ngx_uint_t area)
{
    size_t      i;
    ngx_str_t   item, *kept;

    while (ngx_http_yimen_require_next(list, &item)) {

        /* province, city, county, town, village: GB/T 2260, GB/T 10114 */

        if (area) {
            for (i = 0; i < item.len; i++) {
                if (item.data[i] < '0' || item.data[i] > '9') {
                    break;
                }
            }

            if (i < item.len
                || !(item.len == 2 || item.len == 4 || item.len == 6
                     || item.len == 9 || item.len == 12))
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" is no area: 2, 4, 6, 9 or 12 "
                                   "digits", &item);
                return NGX_CONF_ERROR;
            }
        }

        if (item.len == 0) {
            return "has an empty word";
        }

        kept = ngx_array_push(items);
        if (kept == NULL) {
            return NGX_CONF_ERROR;
        }

        *kept = item;
    }

    return NGX_CONF_OK;
}


/* the part before the next '|'; list begins behind it */

static ngx_uint_t
ngx_http_yimen_require_next(ngx_str_t *list, ngx_str_t *ret_item)
{
    u_char  *bar;

    if (list->data == NULL) {
        return 0;
    }

    bar = ngx_strlchr(list->data, list->data + list->len, '|');

    ret_item->data = list->data;

    if (bar == NULL) {
        ret_item->len = list->len;
        list->data = NULL;
        return 1;
    }

    ret_item->len = (size_t) (bar - list->data);
    list->len -= ret_item->len + 1;
    list->data = bar + 1;

    return 1;
}


char *
ngx_http_yimen_guard_merge(ngx_conf_t *cf, ngx_http_yimen_loc_conf_t *prev,
    ngx_http_yimen_loc_conf_t *conf)
{
    ngx_uint_t                   own;
    ngx_http_yimen_main_conf_t  *ymcf;

    own = (conf->rules != NGX_CONF_UNSET_PTR);

    ngx_conf_merge_uint_value(conf->auth, prev->auth,
                              NGX_HTTP_YIMEN_AUTH_OFF);
    ngx_conf_merge_ptr_value(conf->rules, prev->rules, NULL);

    if (own && conf->auth != NGX_HTTP_YIMEN_AUTH_ON) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"yimen_require\" needs \"yimen_auth on\"");
        return NGX_CONF_ERROR;
    }

    if (conf->auth == NGX_HTTP_YIMEN_AUTH_OFF) {
        return NGX_CONF_OK;
    }

    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);

    if (ymcf->catalog == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"yimen_auth\" needs \"yimen_catalog\" in http");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_yimen_guard_allows(const ngx_array_t *rules,
    const ngx_http_yimen_identity_t *who)
{
    ngx_uint_t                    i;
    const ngx_http_yimen_rule_t  *rule;

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {
        if (!ngx_http_yimen_rule_holds(&rule[i], who)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_yimen_rule_holds(const ngx_http_yimen_rule_t *rule,
    const ngx_http_yimen_identity_t *who)
{
    ngx_uint_t  asked, held;

    asked = 0;
    held = 0;

    if (rule->roles) {
        asked++;
        held += (who->roles & rule->roles) ? 1 : 0;
    }

    if (rule->areas.nelts) {
        asked++;
        held += ngx_http_yimen_rule_area(&rule->areas, who->area);
    }

    if (rule->orgs.nelts) {
        asked++;
        held += ngx_http_yimen_rule_org(&rule->orgs, who->org);
    }

    return rule->any ? held > 0 : held == asked;
}


/* his area is the one that is asked for, or lies in it */

static ngx_uint_t
ngx_http_yimen_rule_area(const ngx_array_t *areas, struct ym_str area)
{
    ngx_str_t   *asked;
    ngx_uint_t   i;

    if (!(area.n == 2 || area.n == 4 || area.n == 6 || area.n == 9
          || area.n == 12))
    {
        return 0;
    }

    asked = areas->elts;

    for (i = 0; i < areas->nelts; i++) {
        if (area.n >= asked[i].len
            && ngx_memcmp(area.p, asked[i].data, asked[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_yimen_rule_org(const ngx_array_t *orgs, struct ym_str org)
{
    ngx_str_t   *asked;
    ngx_uint_t   i;

    asked = orgs->elts;

    for (i = 0; i < orgs->nelts; i++) {
        if (org.n == asked[i].len
            && ngx_memcmp(org.p, asked[i].data, org.n) == 0)
        {
            return 1;
        }
    }

    return 0;
}
