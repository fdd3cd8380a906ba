/* SPDX-License-Identifier: Apache-2.0
 * What a client may not say: who it is, where it comes from, which path or
 * method is meant, and what applications read for such a name.  Names are
 * compared folded, so that X_Remote-User and x.remote.user are one.
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_session.h"


typedef enum {
    NGX_HTTP_YIMEN_NAME_OTHER = 0,
    NGX_HTTP_YIMEN_NAME_WELL_KNOWN,     /* a location may let it through */
    NGX_HTTP_YIMEN_NAME_FORWARDED,      /* from trusted peers only */
    NGX_HTTP_YIMEN_NAME_OURS            /* injected here: never */
} ngx_http_yimen_name_e;

typedef struct {
    ngx_http_yimen_front_main_conf_t  *main;
    ngx_http_yimen_front_loc_conf_t   *loc;
    unsigned                           trusted:1;
    unsigned                           upgrade:1;   /* may stay */
    unsigned                           connection:1;  /* was seen */
} ngx_http_yimen_scrub_t;


static ngx_int_t ngx_http_yimen_scrub_key(ngx_conf_t *cf, ngx_array_t *keys,
    const u_char *name, size_t len, ngx_uint_t class, size_t *longest);
static void ngx_http_yimen_scrub_begin(
    ngx_http_yimen_front_main_conf_t *fmcf, const u_char *name, size_t first,
    size_t last);
static ngx_uint_t ngx_http_yimen_scrub_begins(
    ngx_http_yimen_front_main_conf_t *fmcf, const ngx_str_t *name);
static ngx_uint_t ngx_http_yimen_scrub_class(
    ngx_http_yimen_front_main_conf_t *fmcf, const u_char *name, size_t len);
static ngx_uint_t ngx_http_yimen_scrub_judge(ngx_http_request_t *r,
    ngx_table_elt_t *copy, void *data);
static ngx_uint_t ngx_http_yimen_scrub_excepted(
    ngx_http_yimen_front_loc_conf_t *flcf, const u_char *folded, size_t len);
static ngx_uint_t ngx_http_yimen_scrub_socket(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf);
static void ngx_http_yimen_scrub_connection(ngx_http_request_t *r,
    ngx_uint_t upgrade);


/* folded; from what applications and their frameworks are known to trust */
static const char *const  ngx_http_yimen_scrub_names[] = {
    "remote-user", "remote-name", "remote-email", "remote-group",
    "remote-groups", "remote-role", "remote-roles", "x-remote-user",
    "x-remote-name", "x-remote-email", "x-remote-group", "x-remote-groups",
    "x-remote-role", "x-remote-roles", "x-user", "x-username",
    "x-user-name", "x-user-id", "x-userid", "x-user-email", "x-user-roles",
    "x-user-role", "x-user-groups", "x-email", "x-groups", "x-roles",
    "x-role", "x-forwarded-user", "x-forwarded-email", "x-forwarded-name",
    "x-forwarded-groups", "x-forwarded-group", "x-forwarded-roles",
    "x-forwarded-preferred-username", "x-forwarded-access-token",
    "x-forwarded-id-token", "x-forwarded-client-cert", "x-client-cert",
    "x-ssl-client-cert", "client-cert", "cas-user", "auth-user", "auth-type",
    "x-identity", "x-sso-user", "iv-user", "sm-user", "x-proxy-user",
    "x-impersonate-user", "impersonate-user",
    "x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri",
    "x-http-method-override", "x-http-method", "x-method-override",
    "proxy", "proxy-authorization", "proxy-connection", "http2-settings",
    "trailer"
};

static const char *const  ngx_http_yimen_scrub_forwarded[] = {
    "forwarded", "x-real-ip", "true-client-ip", "x-client-ip", "client-ip",
    "x-cluster-client-ip", "cf-connecting-ip", "fastly-client-ip",
    "x-originating-ip", "x-remote-ip", "x-remote-addr", "remote-addr",
    "x-envoy-external-address", "x-host", "x-url-scheme", "x-scheme",
    "front-end-https"
};

/* these are judged by themselves */
static const ngx_str_t  ngx_http_yimen_scrub_judged[] = {
    ngx_string("upgrade"), ngx_string("connection")
};

static const struct {
    ngx_str_t   name;
    ngx_uint_t  class;
} ngx_http_yimen_scrub_prefixes[] = {
    { ngx_string("x-auth-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-authenticated-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-jwt-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-webauth-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-goog-iap-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-goog-authenticated-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-ms-client-principal"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-amzn-oidc-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-accel-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("ssl-client-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("oidc-"), NGX_HTTP_YIMEN_NAME_WELL_KNOWN },
    { ngx_string("x-yimen-"), NGX_HTTP_YIMEN_NAME_OURS },
    { ngx_string("x-forwarded-"), NGX_HTTP_YIMEN_NAME_FORWARDED }
};


ngx_int_t
ngx_http_yimen_scrub_build(ngx_conf_t *cf)
{
    ngx_str_t                         *ours;
    ngx_uint_t                         i;
    ngx_array_t                        keys;
    ngx_hash_key_t                    *key;
    ngx_hash_init_t                    init;
    const ngx_str_t                   *name;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    if (ngx_array_init(&keys, cf->temp_pool, 128, sizeof(ngx_hash_key_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* ours first: the first of a name counts */

    ours = fmcf->names.elts;

    for (i = 0; i < fmcf->names.nelts; i++) {
        if (ngx_http_yimen_scrub_key(cf, &keys, ours[i].data, ours[i].len,
                                     NGX_HTTP_YIMEN_NAME_OURS, &fmcf->longest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_scrub_names); i++) {
        if (ngx_http_yimen_scrub_key(cf, &keys,
                             (const u_char *) ngx_http_yimen_scrub_names[i],
                             ngx_strlen(ngx_http_yimen_scrub_names[i]),
                             NGX_HTTP_YIMEN_NAME_WELL_KNOWN, &fmcf->longest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_scrub_forwarded); i++) {
        if (ngx_http_yimen_scrub_key(cf, &keys,
                          (const u_char *) ngx_http_yimen_scrub_forwarded[i],
                          ngx_strlen(ngx_http_yimen_scrub_forwarded[i]),
                          NGX_HTTP_YIMEN_NAME_FORWARDED, &fmcf->longest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    key = keys.elts;

    for (i = 0; i < keys.nelts; i++) {
        ngx_http_yimen_scrub_begin(fmcf, key[i].key.data, key[i].key.len,
                                   key[i].key.len);
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_scrub_prefixes); i++) {
        name = &ngx_http_yimen_scrub_prefixes[i].name;
        ngx_http_yimen_scrub_begin(fmcf, name->data, name->len + 1,
                                   NGX_HTTP_YIMEN_NAME_BYTES);
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_scrub_judged); i++) {
        name = &ngx_http_yimen_scrub_judged[i];
        ngx_http_yimen_scrub_begin(fmcf, name->data, name->len, name->len);
    }

    init.hash = &fmcf->hash;
    init.key = ngx_hash_key;
    init.max_size = 1024;
    init.bucket_size = ngx_align(64, ngx_cacheline_size);
    init.name = "yimen_scrub";
    init.pool = cf->pool;
    init.temp_pool = NULL;

    return ngx_hash_init(&init, keys.elts, keys.nelts);
}


static ngx_int_t
ngx_http_yimen_scrub_key(ngx_conf_t *cf, ngx_array_t *keys,
    const u_char *name, size_t len, ngx_uint_t class, size_t *longest)
{
    ngx_uint_t       i;
    ngx_hash_key_t  *key;

    key = keys->elts;

    for (i = 0; i < keys->nelts; i++) {
        if (key[i].key.len == len
            && ngx_strncmp(key[i].key.data, name, len) == 0)
        {
            return NGX_OK;
        }
    }

    key = ngx_array_push(keys);
    if (key == NULL) {
        return NGX_ERROR;
    }

    key->key.data = (u_char *) (uintptr_t) name;
    key->key.len = len;
    key->key_hash = ngx_hash_key(key->key.data, len);
    key->value = (void *) class;

    *longest = ngx_max(*longest, len);

    return NGX_OK;
}


/*
 * With which letters names of each length begin that have to be looked at;
 * most headers end here.  Made of the very names and prefixes above.
 */
static void
ngx_http_yimen_scrub_begin(ngx_http_yimen_front_main_conf_t *fmcf,
    const u_char *name, size_t first, size_t last)
{
    uint32_t  bit;

    /* what begins with no letter always is looked at */

    if (name[0] < 'a' || name[0] > 'z') {
        return;
    }

    bit = (uint32_t) 1 << (name[0] - 'a');
    last = ngx_min(last, NGX_HTTP_YIMEN_NAME_BYTES);

    for ( /* void */ ; first <= last; first++) {
        fmcf->begins[first] |= bit;
    }
}


/* 0: a name that has nothing at its ends and is none of those */

static ngx_uint_t
ngx_http_yimen_scrub_begins(ngx_http_yimen_front_main_conf_t *fmcf,
    const ngx_str_t *name)
{
    u_char  c, end;

    if (name->len == 0 || name->len > NGX_HTTP_YIMEN_NAME_BYTES) {
        return 1;
    }

    c = (u_char) (name->data[0] | 0x20);
    end = (u_char) (name->data[name->len - 1] | 0x20);

    if (c < 'a' || c > 'z' || end < 'a' || end > 'z') {
        return 1;
    }

    return (fmcf->begins[name->len] >> (c - 'a')) & 1;
}


static ngx_uint_t
ngx_http_yimen_scrub_class(ngx_http_yimen_front_main_conf_t *fmcf,
    const u_char *name, size_t len)
{
    size_t       n;
    void        *found;
    ngx_uint_t   i;

    if (len <= fmcf->longest) {
        found = ngx_hash_find(&fmcf->hash,
                              ngx_hash_key((u_char *) (uintptr_t) name, len),
                              (u_char *) (uintptr_t) name, len);
        if (found != NULL) {
            return (ngx_uint_t) (uintptr_t) found;
        }
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_scrub_prefixes); i++) {
        n = ngx_http_yimen_scrub_prefixes[i].name.len;

        if (len > n
            && name[2] == ngx_http_yimen_scrub_prefixes[i].name.data[2]
            && ngx_memcmp(name, ngx_http_yimen_scrub_prefixes[i].name.data, n)
               == 0)
        {
            return ngx_http_yimen_scrub_prefixes[i].class;
        }
    }

    return NGX_HTTP_YIMEN_NAME_OTHER;
}


ngx_int_t
ngx_http_yimen_scrub(ngx_http_request_t *r)
{
    ngx_uint_t               i;
    ngx_table_elt_t         *h;
    ngx_list_part_t         *part;
    ngx_http_yimen_scrub_t   scrub;

    scrub.main = ngx_http_get_module_main_conf(r, ngx_http_yimen_front_module);
    scrub.loc = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    scrub.trusted = scrub.loc->trust != NULL
                    && ngx_cidr_match(r->connection->sockaddr,
                                      scrub.loc->trust)
                       == NGX_OK;

    scrub.upgrade = (unsigned) ngx_http_yimen_scrub_socket(r, scrub.loc);
    scrub.connection = 0;

    ngx_http_yimen_scrub_connection(r, scrub.upgrade);

    /* nearly always there is nothing to remove */

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_yimen_scrub_judge(r, &h[i], &scrub)) {
                scrub.connection = 0;
                return ngx_http_yimen_headers_rebuild(r,
                                ngx_http_yimen_scrub_judge, &scrub, NULL, NULL);
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_yimen_scrub_judge(ngx_http_request_t *r, ngx_table_elt_t *copy,
    void *data)
{
    size_t                   len;
    u_char                  *folded, room[NGX_HTTP_YIMEN_NAME_BYTES];
    ngx_http_yimen_scrub_t  *scrub = data;

    if (!ngx_http_yimen_scrub_begins(scrub->main, &copy->key)) {
        return 0;
    }

    len = ngx_min(copy->key.len, NGX_HTTP_YIMEN_NAME_BYTES);
    folded = room;

    (void) ngx_http_yimen_fold(copy->key.data, len, folded);

    /* what is no letter at an end may be dropped by whoever reads it */

    while (len && folded[len - 1] == '-') {
        len--;
    }

    while (len && *folded == '-') {
        folded++;
        len--;
    }

    if (len < 3) {
        return 0;
    }

    if (len == sizeof("upgrade") - 1
        && ngx_memcmp(folded, "upgrade", len) == 0)
    {
        return !scrub->upgrade;
    }

    /* all of them say the same by now */

    if (len == sizeof("connection") - 1
        && ngx_memcmp(folded, "connection", len) == 0)
    {
        if (scrub->connection) {
            return 1;
        }

        scrub->connection = 1;
        return 0;
    }

    switch (ngx_http_yimen_scrub_class(scrub->main, folded, len)) {

    case NGX_HTTP_YIMEN_NAME_OURS:

        /* what our own pages send to our own endpoints, and nobody else */

        return !(scrub->loc->api && len == sizeof("x-yimen-csrf") - 1
                 && ngx_memcmp(folded, "x-yimen-csrf", len) == 0);

    case NGX_HTTP_YIMEN_NAME_FORWARDED:
        return !scrub->trusted
               && !ngx_http_yimen_scrub_excepted(scrub->loc, folded, len);

    case NGX_HTTP_YIMEN_NAME_WELL_KNOWN:
        return !ngx_http_yimen_scrub_excepted(scrub->loc, folded, len);

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_http_yimen_scrub_excepted(ngx_http_yimen_front_loc_conf_t *flcf,
    const u_char *folded, size_t len)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (flcf->except == NULL) {
        return 0;
    }

    name = flcf->except->elts;

    for (i = 0; i < flcf->except->nelts; i++) {
        if (name[i].len == len && ngx_memcmp(name[i].data, folded, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a websocket's handshake as RFC 6455 §4.1 has it, where one is wanted */

static ngx_uint_t
ngx_http_yimen_scrub_socket(ngx_http_request_t *r,
    ngx_http_yimen_front_loc_conf_t *flcf)
{
    ngx_table_elt_t  *upgrade;

    upgrade = r->headers_in.upgrade;

    return upgrade != NULL
           && flcf->websocket
           && r->method == NGX_HTTP_GET
           && r->http_version == NGX_HTTP_VERSION_11
           && upgrade->value.len == sizeof("websocket") - 1
           && ngx_strncasecmp(upgrade->value.data, (u_char *) "websocket",
                              sizeof("websocket") - 1)
              == 0
           && ngx_http_yimen_header(r, "sec-websocket-key") != NULL;
}


/*
 * The header names other headers that the next hop shall remove (RFC 9110
 * §7.6.1): ours could be among them.  A location that passes it on passes on
 * nothing but what the connection is for.
 */
static void
ngx_http_yimen_scrub_connection(ngx_http_request_t *r, ngx_uint_t upgrade)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    ngx_list_part_t  *part;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != sizeof("connection") - 1
                || ngx_strncasecmp(h[i].key.data, (u_char *) "connection",
                                   sizeof("connection") - 1)
                   != 0)
            {
                continue;
            }

            value = &h[i].value;

            if (upgrade) {
                ngx_str_set(value, "upgrade");

            } else if (r->headers_in.connection_type
                       == NGX_HTTP_CONNECTION_CLOSE)
            {
                ngx_str_set(value, "close");

            } else {
                ngx_str_set(value, "keep-alive");
            }
        }
    }
}
