/* SPDX-License-Identifier: Apache-2.0
 * yimen_identity jwt: a token of a minute for one application, signed by
 * libjwt and kept for the half of its life.
 *
 * What is kept is found by a digest over all that the token says, so a changed
 * role, another person or another application is another token.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_front.h"

#include "ym_codec.h"
#include "ym_time.h"

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_JWT_TTL      60       /* seconds; RFC 8725 §3.10 */
#define NGX_HTTP_YIMEN_JWT_SLOTS    1024     /* a power of two */
#define NGX_HTTP_YIMEN_JWT_PROBE    4
#define NGX_HTTP_YIMEN_JWT_BYTES    6144     /* with its header */
#define NGX_HTTP_YIMEN_JWT_ID       16


typedef struct {
    const char                 *audience;
    ngx_str_t                   header;
    unsigned                    bearer:1;    /* header is Authorization */
} ngx_http_yimen_jwt_conf_t;

typedef struct {
    u_char                      digest[YM_SHA256_LEN];
    int64_t                     made;        /* ms; 0 = free */
    char                       *text;        /* malloc'd, NUL-terminated */
} ngx_http_yimen_signed_t;

struct ngx_http_yimen_issued_s {
    ngx_http_yimen_signed_t     slots[NGX_HTTP_YIMEN_JWT_SLOTS];
};


static char *ngx_http_yimen_jwt_parse(ngx_conf_t *cf, ngx_str_t *words,
    ngx_uint_t n, void **ret_conf);
static ngx_int_t ngx_http_yimen_jwt_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf);
static ngx_int_t ngx_http_yimen_jwt_digest(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, u_char digest[YM_SHA256_LEN]);
static ngx_http_yimen_signed_t *ngx_http_yimen_jwt_slot(
    struct ngx_http_yimen_issued_s *issued,
    const u_char digest[YM_SHA256_LEN]);
static void ngx_http_yimen_jwt_free(ngx_http_yimen_signed_t *slot);
static json_t *ngx_http_yimen_jwt_claims(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, int64_t now);
static char *ngx_http_yimen_jwt_sign(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, int64_t now);
static ngx_int_t ngx_http_yimen_jwt_send(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf, const char *token);


const ngx_http_yimen_kind_t  ngx_http_yimen_kind_jwt = {
    "jwt", ngx_http_yimen_jwt_parse, ngx_http_yimen_jwt_inject, 0
};


/* yimen_identity jwt audience=NAME [header=Authorization|X-NAME]; */

static char *
ngx_http_yimen_jwt_parse(ngx_conf_t *cf, ngx_str_t *words, ngx_uint_t n,
    void **ret_conf)
{
    ngx_str_t                         *aud;
    ngx_uint_t                         i;
    ngx_http_yimen_jwt_conf_t         *jcf;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);

    jcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_jwt_conf_t));
    if (jcf == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&jcf->header, "Authorization");
    *ret_conf = jcf;

    for (i = 0; i < n; i++) {

        if (ngx_strncmp(words[i].data, "audience=", 9) == 0
            && words[i].len > 9)
        {
            jcf->audience = (char *) words[i].data + 9;

            aud = ngx_array_push(&fmcf->audiences);
            if (aud == NULL) {
                return NGX_CONF_ERROR;
            }

            aud->data = words[i].data + 9;
            aud->len = words[i].len - 9;
            continue;
        }

        if (ngx_strncmp(words[i].data, "header=", 7) == 0) {
            jcf->header.data = words[i].data + 7;
            jcf->header.len = words[i].len - 7;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &words[i]);
        return NGX_CONF_ERROR;
    }

    if (jcf->audience == NULL) {
        return "jwt needs audience=NAME, another for each application";
    }

    jcf->bearer = jcf->header.len == sizeof("Authorization") - 1
                  && ngx_strncasecmp(jcf->header.data,
                                     (u_char *) "Authorization",
                                     jcf->header.len)
                     == 0;

    if (ngx_http_yimen_inject_name(cf, &jcf->header) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_jwt_inject(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, void *conf)
{
    char                     *text;
    u_char                    digest[YM_SHA256_LEN];
    int64_t                   now;
    ngx_http_yimen_signed_t  *slot;

    if (ngx_http_yimen_jwt_digest(r, conf, who, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    now = ym_now_ms();
    slot = ngx_http_yimen_jwt_slot(ngx_http_yimen_front_worker.issued, digest);

    if (slot->made == 0 || now < slot->made
        || now - slot->made >= NGX_HTTP_YIMEN_JWT_TTL * 500
        || ngx_memcmp(slot->digest, digest, YM_SHA256_LEN) != 0)
    {
        text = ngx_http_yimen_jwt_sign(r, conf, who, now);

        if (text == NULL) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "event=identity.not_signed");
            return NGX_ERROR;
        }

        ngx_http_yimen_jwt_free(slot);

        slot->text = text;
        slot->made = now;
        ngx_memcpy(slot->digest, digest, YM_SHA256_LEN);
    }

    return ngx_http_yimen_jwt_send(r, conf, slot->text);
}


/* over everything that the token says but its times */

static ngx_int_t
ngx_http_yimen_jwt_digest(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, u_char digest[YM_SHA256_LEN])
{
    size_t         i, n;
    u_char        *p, *text;
    struct ym_str  parts[8];

    parts[0] = ym_str_of(jcf->audience);
    parts[1] = who->subject;
    parts[2] = who->login;
    parts[3] = who->name;
    parts[4] = who->email;
    parts[5] = who->org;
    parts[6] = who->area;
    parts[7] = who->session;

    n = sizeof(who->roles);

    for (i = 0; i < YM_COUNT(parts); i++) {
        n += parts[i].n + sizeof(size_t);
    }

    text = ngx_pnalloc(r->pool, n);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, &who->roles, sizeof(who->roles));

    for (i = 0; i < YM_COUNT(parts); i++) {
        p = ngx_cpymem(p, &parts[i].n, sizeof(size_t));

        if (parts[i].n) {
            p = ngx_cpymem(p, parts[i].p, parts[i].n);
        }
    }

    return ym_sha256((struct ym_str){ (char *) text, n }, digest) == YM_OK
           ? NGX_OK : NGX_ERROR;
}


/* that digest, or the oldest of a short run */

static ngx_http_yimen_signed_t *
ngx_http_yimen_jwt_slot(struct ngx_http_yimen_issued_s *issued,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t                  start;
    ngx_uint_t                i;
    ngx_http_yimen_signed_t  *slot, *oldest;

    ngx_memcpy(&start, digest, sizeof(start));
    oldest = NULL;

    for (i = 0; i < NGX_HTTP_YIMEN_JWT_PROBE; i++) {
        slot = &issued->slots[(start + i) % NGX_HTTP_YIMEN_JWT_SLOTS];

        if (ngx_memcmp(slot->digest, digest, YM_SHA256_LEN) == 0) {
            return slot;
        }

        if (oldest == NULL || slot->made < oldest->made) {
            oldest = slot;
        }
    }

    return oldest;
}


static void
ngx_http_yimen_jwt_free(ngx_http_yimen_signed_t *slot)
{
    if (slot->text != NULL) {
        ym_wipe(slot->text, ngx_strlen(slot->text));
        free(slot->text);
    }

    ngx_memzero(slot, sizeof(ngx_http_yimen_signed_t));
}


static json_t *
ngx_http_yimen_jwt_claims(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, int64_t now)
{
    int                          failed;
    json_t                      *claims, *roles;
    u_char                       random[NGX_HTTP_YIMEN_JWT_ID];
    char                         jti[2 * NGX_HTTP_YIMEN_JWT_ID + 1];
    ngx_uint_t                   i, bit;
    ngx_http_yimen_main_conf_t  *ymcf;

    struct {
        const char     *name;
        struct ym_str   text;
    } texts[] = {
        { "sub", who->subject }, { "preferred_username", who->login },
        { "name", who->name }, { "email", who->email }, { "org", who->org },
        { "area", who->area }, { "sid", who->session }
    };

    ymcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_module);

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NULL;
    }

    ym_hex(random, sizeof(random), false, jti);
    now /= 1000;

    claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}",
                       "iss", ymcf->auth.public_url ? ymcf->auth.public_url
                                                    : "urn:yimen",
                       "aud", jcf->audience, "jti", jti,
                       "iat", (json_int_t) now, "nbf", (json_int_t) now,
                       "exp", (json_int_t) now + NGX_HTTP_YIMEN_JWT_TTL);
    roles = json_array();
    failed = (claims == NULL || roles == NULL);

    for (i = 0; !failed && i < YM_COUNT(texts); i++) {
        if (texts[i].text.n) {
            failed |= json_object_set_new(claims, texts[i].name,
                                          json_stringn(texts[i].text.p,
                                                       texts[i].text.n));
        }
    }

    for (bit = 1; !failed && bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {
        if ((who->roles & bit) && ngx_http_yimen_role_name(bit) != NULL) {
            failed |= json_array_append_new(roles,
                               json_string(ngx_http_yimen_role_name(bit)));
        }
    }

    if (failed || json_object_set(claims, "roles", roles) != 0) {
        json_decref(claims);
        claims = NULL;
    }

    json_decref(roles);

    return claims;
}


static char *
ngx_http_yimen_jwt_sign(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf,
    const ngx_http_yimen_identity_t *who, int64_t now)
{
    char                              *text, *token;
    jwt_t                             *jwt;
    json_t                            *claims;
    ngx_http_yimen_sign_key_t         *key;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_front_module);
    key = fmcf->keys.elts;

    jwt = NULL;
    token = NULL;
    text = NULL;
    claims = ngx_http_yimen_jwt_claims(r, jcf, who, now);

    if (claims != NULL) {
        text = json_dumps(claims, JSON_COMPACT);
    }

    if (text != NULL && jwt_new(&jwt) == 0
        && jwt_add_grants_json(jwt, text) == 0
        && jwt_set_alg(jwt, JWT_ALG_ES256, key->pem.data,
                       (int) key->pem.len)
           == 0
        && jwt_add_header(jwt, "kid", key->kid) == 0)
    {
        token = jwt_encode_str(jwt);
    }

    jwt_free(jwt);
    free(text);
    json_decref(claims);

    /* libjwt leaves OpenSSL's errors behind, and nginx would log them */

    ERR_clear_error();

    return token;
}


static ngx_int_t
ngx_http_yimen_jwt_send(ngx_http_request_t *r,
    const ngx_http_yimen_jwt_conf_t *jcf, const char *token)
{
    u_char         *p;
    size_t          n;
    struct ym_str   value;

    value = ym_str_of(token);

    if (value.n > NGX_HTTP_YIMEN_JWT_BYTES) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "event=identity.refused what=jwt");
        return NGX_HTTP_FORBIDDEN;
    }

    if (jcf->bearer) {
        n = sizeof("Bearer ") - 1;
        p = ngx_pnalloc(r->pool, n + value.n);

        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(ngx_cpymem(p, "Bearer ", n), value.p, value.n);
        value.p = (char *) p;
        value.n += n;
    }

    return ngx_http_yimen_inject_header(r, &jcf->header, value);
}


struct ngx_http_yimen_issued_s *
ngx_http_yimen_issued_open(ngx_log_t *log)
{
    return ngx_calloc(sizeof(struct ngx_http_yimen_issued_s), log);
}


void
ngx_http_yimen_issued_close(struct ngx_http_yimen_issued_s *issued)
{
    ngx_uint_t  i;

    if (issued == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_YIMEN_JWT_SLOTS; i++) {
        ngx_http_yimen_jwt_free(&issued->slots[i]);
    }

    ngx_free(issued);
}
