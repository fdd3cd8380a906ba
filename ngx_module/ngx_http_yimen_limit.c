/* SPDX-License-Identifier: Apache-2.0
 * Token buckets in shared memory.
 *
 * The table has a fixed size: a bucket belongs to one set of eight places, the
 * one that was not used for longest gives way.  So a flood of keys can neither
 * fill it nor make anybody search it, and places are picked by a keyed digest
 * that no stranger can aim at.  A bucket is one number: when the bucket would
 * be full again (GCRA, ITU-T I.371).
 */
#include "ngx_http_yimen_front.h"
#include "ngx_http_yimen_limit.h"

#include "ym_codec.h"

#include <openssl/rand.h>


#define NGX_HTTP_YIMEN_LIMIT_ZONE   (1024 * 1024)
#define NGX_HTTP_YIMEN_LIMIT_WAYS   8
#define NGX_HTTP_YIMEN_LIMIT_SALT   16
#define NGX_HTTP_YIMEN_LIMIT_BURST  100000

/* wrong session ids and tokens of one address: 20 a second, 200 at once */
#define NGX_HTTP_YIMEN_GUESS_RATE   20000
#define NGX_HTTP_YIMEN_GUESS_BURST  200


typedef enum {
    NGX_HTTP_YIMEN_LIMIT_IDENTITY = 0,
    NGX_HTTP_YIMEN_LIMIT_PEER,
    NGX_HTTP_YIMEN_LIMIT_CLIENT
} ngx_http_yimen_limit_e;

/* one `yimen_limit` */
typedef struct {
    ngx_uint_t               id;       /* its own buckets */
    ngx_uint_t               rate;     /* thousandths of a request a second */
    ngx_uint_t               burst;
    ngx_http_yimen_limit_e   key;
} ngx_http_yimen_limit_t;

typedef struct {
    u_char                   key[16];
    uint64_t                 full;     /* us; 0 = free */
    uint64_t                 used;     /* us */
} ngx_http_yimen_bucket_t;

typedef struct {
    u_char                   salt[NGX_HTTP_YIMEN_LIMIT_SALT];
    ngx_uint_t               sets;
    ngx_http_yimen_bucket_t  buckets[1];
} ngx_http_yimen_buckets_t;


static ngx_int_t ngx_http_yimen_limit_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_yimen_limit_use(ngx_http_request_t *r,
    const ngx_http_yimen_limit_t *limit, const char *kind, struct ym_str key,
    ngx_uint_t take, ngx_uint_t *ret_after);
static ngx_int_t ngx_http_yimen_limit_name(ngx_http_yimen_buckets_t *table,
    const ngx_http_yimen_limit_t *limit, const char *kind, struct ym_str key,
    u_char digest[YM_SHA256_LEN]);
static ngx_http_yimen_bucket_t *ngx_http_yimen_limit_find(
    ngx_http_yimen_buckets_t *table, const u_char digest[YM_SHA256_LEN]);
static ngx_int_t ngx_http_yimen_limit_rate(ngx_str_t *text,
    ngx_uint_t *ret_rate);


static const ngx_http_yimen_limit_t  ngx_http_yimen_limit_guesses = {
    0, NGX_HTTP_YIMEN_GUESS_RATE, NGX_HTTP_YIMEN_GUESS_BURST,
    NGX_HTTP_YIMEN_LIMIT_PEER
};


ngx_int_t
ngx_http_yimen_limit(ngx_http_request_t *r,
    const ngx_http_yimen_identity_t *who, ngx_uint_t *ret_after)
{
    ngx_uint_t                        i, known;
    const char                       *kind;
    struct ym_str                     key;
    ngx_http_yimen_limit_t           *limit;
    ngx_http_yimen_front_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_yimen_front_module);

    if (flcf->limits == NULL) {
        return NGX_OK;
    }

    known = (who != NULL && who->subject.n != 0);
    limit = flcf->limits->elts;

    for (i = 0; i < flcf->limits->nelts; i++) {

        key = YM_STR_NULL;
        kind = "peer";

        if (known && limit[i].key != NGX_HTTP_YIMEN_LIMIT_PEER) {
            key = who->subject;
            kind = "who";

            if (limit[i].key == NGX_HTTP_YIMEN_LIMIT_CLIENT && who->client.n) {
                key = who->client;
                kind = "client";
            }
        }

        /* nobody known: the address stands for him */

        if (key.n == 0) {
            key = ngx_http_yimen_peer(r);
        }

        if (ngx_http_yimen_limit_use(r, &limit[i], kind, key, 1, ret_after)
            != NGX_OK)
        {
            return NGX_BUSY;
        }
    }

    return NGX_OK;
}


/* behind a unix socket is a proxy of the site, which all people share */

ngx_int_t
ngx_http_yimen_limit_guess(ngx_http_request_t *r, ngx_uint_t *ret_after)
{
    if (r->connection->sockaddr->sa_family == AF_UNIX) {
        return NGX_OK;
    }

    return ngx_http_yimen_limit_use(r, &ngx_http_yimen_limit_guesses, "guess",
                                    ngx_http_yimen_peer(r), 0, ret_after);
}


void
ngx_http_yimen_limit_wrong(ngx_http_request_t *r)
{
    ngx_uint_t  after;

    if (r->connection->sockaddr->sa_family == AF_UNIX) {
        return;
    }

    (void) ngx_http_yimen_limit_use(r, &ngx_http_yimen_limit_guesses, "guess",
                                    ngx_http_yimen_peer(r), 1, &after);
}


ngx_int_t
ngx_http_yimen_limit_take(ngx_http_request_t *r, const char *kind,
    struct ym_str key, ngx_uint_t rate, ngx_uint_t burst,
    ngx_uint_t *ret_after)
{
    ngx_http_yimen_limit_t  limit;

    ngx_memzero(&limit, sizeof(ngx_http_yimen_limit_t));

    limit.id = 1;
    limit.rate = rate;
    limit.burst = burst;

    return ngx_http_yimen_limit_use(r, &limit, kind, key, 1, ret_after);
}


/* take 0: only asks whether one could be taken */

static ngx_int_t
ngx_http_yimen_limit_use(ngx_http_request_t *r,
    const ngx_http_yimen_limit_t *limit, const char *kind, struct ym_str key,
    ngx_uint_t take, ngx_uint_t *ret_after)
{
    u_char                             digest[YM_SHA256_LEN];
    uint64_t                           now, step, room, full;
    ngx_int_t                          rc;
    ngx_slab_pool_t                   *shpool;
    ngx_http_yimen_bucket_t           *bucket;
    ngx_http_yimen_buckets_t          *table;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_yimen_front_module);

    if (fmcf->limits == NULL || limit->rate == 0) {
        return NGX_OK;
    }

    table = fmcf->limits->data;
    shpool = (ngx_slab_pool_t *) fmcf->limits->shm.addr;

    if (ngx_http_yimen_limit_name(table, limit, kind, key, digest) != NGX_OK) {
        *ret_after = 1;
        return NGX_BUSY;
    }

    step = (uint64_t) 1000000000 / limit->rate;
    room = step * (uint64_t) limit->burst;
    rc = NGX_OK;

    ngx_shmtx_lock(&shpool->mutex);

    /* of the machine's steady clock, the same in all workers */

    now = ((uint64_t) ngx_current_msec + 1) * 1000;
    bucket = ngx_http_yimen_limit_find(table, digest);
    full = ngx_max(bucket->full, now);

    /* a clock that began anew, or a configuration with other numbers */

    full = ngx_min(full, now + room);

    if (full + step > now + room) {
        *ret_after = (ngx_uint_t) ((full + step - now - room) / 1000000) + 1;
        rc = NGX_BUSY;

    } else if (take) {
        bucket->full = full + step;
    }

    bucket->used = now;

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


/* each part has a fixed length or ends in a digest: nothing can be shifted */

static ngx_int_t
ngx_http_yimen_limit_name(ngx_http_yimen_buckets_t *table,
    const ngx_http_yimen_limit_t *limit, const char *kind, struct ym_str key,
    u_char digest[YM_SHA256_LEN])
{
    u_char  *p, text[NGX_HTTP_YIMEN_LIMIT_SALT + 64 + YM_SHA256_LEN];

    if (ym_sha256(key, digest) != YM_OK) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, table->salt, NGX_HTTP_YIMEN_LIMIT_SALT);
    p = ngx_snprintf(p, 64, "%ui:%s:", limit->id, kind);
    p = ngx_cpymem(p, digest, YM_SHA256_LEN);

    if (ym_sha256((struct ym_str){ (char *) text, (size_t) (p - text) },
                  digest)
        != YM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_yimen_bucket_t *
ngx_http_yimen_limit_find(ngx_http_yimen_buckets_t *table,
    const u_char digest[YM_SHA256_LEN])
{
    uint64_t                  n;
    ngx_uint_t                i;
    ngx_http_yimen_bucket_t  *set, *oldest;

    ngx_memcpy(&n, digest + 16, sizeof(n));

    set = &table->buckets[(n % table->sets) * NGX_HTTP_YIMEN_LIMIT_WAYS];
    oldest = set;

    for (i = 0; i < NGX_HTTP_YIMEN_LIMIT_WAYS; i++) {

        if (ngx_memcmp(set[i].key, digest, sizeof(set[i].key)) == 0) {
            return &set[i];
        }

        if (set[i].used < oldest->used) {
            oldest = &set[i];
        }
    }

    ngx_memcpy(oldest->key, digest, sizeof(oldest->key));
    oldest->full = 0;

    return oldest;
}


struct ym_str
ngx_http_yimen_peer(ngx_http_request_t *r)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;

#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return (struct ym_str){ (char *) &sin6->sin6_addr.s6_addr[12],
                                    4 };
        }

        /* one customer has a /64 at least: 2^64 addresses of one person */

        return (struct ym_str){ (char *) sin6->sin6_addr.s6_addr, 8 };

#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        return (struct ym_str){ (char *) &sin->sin_addr, 4 };

    default:
        return YM_STR("unix");
    }
}


/* yimen_limit rate=10r/s|600r/m [burst=N] [key=identity|peer|client]; */

char *
ngx_http_yimen_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                         n;
    ngx_str_t                        *value, text;
    ngx_uint_t                        i, k;
    ngx_http_yimen_limit_t           *limit;
    ngx_http_yimen_front_loc_conf_t  *flcf = conf;

    static ngx_str_t  keys[] = {
        ngx_string("key=identity"), ngx_string("key=peer"),
        ngx_string("key=client")
    };

    if (flcf->limits == NGX_CONF_UNSET_PTR) {
        flcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_yimen_limit_t));
        if (flcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = ngx_array_push(flcf->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(limit, sizeof(ngx_http_yimen_limit_t));

    /* the same place of the same file has the same buckets after a reload */

    limit->id = ngx_crc32_long(cf->conf_file->file.name.data,
                               cf->conf_file->file.name.len)
                * 31 + cf->conf_file->line;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            text.data = value[i].data + 5;
            text.len = value[i].len - 5;

            if (ngx_http_yimen_limit_rate(&text, &limit->rate) != NGX_OK) {
                return "takes rate=Nr/s or rate=Nr/m, from 1r/m to 1000000r/s";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n < 1 || n > NGX_HTTP_YIMEN_LIMIT_BURST) {
                return "takes burst=1 to burst=100000";
            }

            limit->burst = (ngx_uint_t) n;
            continue;
        }

        for (k = 0; k < YM_COUNT(keys); k++) {
            if (value[i].len == keys[k].len
                && ngx_strncmp(value[i].data, keys[k].data, keys[k].len) == 0)
            {
                limit->key = (ngx_http_yimen_limit_e) k;
                break;
            }
        }

        if (k == YM_COUNT(keys)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (limit->rate == 0) {
        return "needs rate=Nr/s or rate=Nr/m";
    }

    if (limit->burst == 0) {
        limit->burst = ngx_max(1, limit->rate / 1000);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_yimen_limit_rate(ngx_str_t *text, ngx_uint_t *ret_rate)
{
    size_t     len;
    ngx_int_t  n;

    if (text->len < 4) {
        return NGX_ERROR;
    }

    len = text->len - 3;
    n = ngx_atoi(text->data, len);

    if (n < 1 || n > 1000000) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(text->data + len, "r/s", 3) == 0) {
        *ret_rate = (ngx_uint_t) n * 1000;

    } else if (ngx_strncmp(text->data + len, "r/m", 3) == 0) {
        *ret_rate = ngx_max(1, (ngx_uint_t) n * 1000 / 60);

    } else {
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_yimen_conf_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value;
    ngx_http_yimen_front_main_conf_t  *fmcf = conf;

    if (fmcf->limit_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    fmcf->limit_size = ngx_parse_size(&value[1]);

    if (fmcf->limit_size < (ssize_t) (8 * ngx_pagesize)
        || fmcf->limit_size > 1024 * 1024 * 1024)
    {
        return "takes a size from 32k to 1g";
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_yimen_limit_init(ngx_conf_t *cf)
{
    ngx_str_t                          name;
    ngx_shm_zone_t                    *zone;
    ngx_http_yimen_main_conf_t        *ymcf;
    ngx_http_yimen_front_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_front_module);
    ymcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_yimen_module);

    if (ymcf->catalog == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&name, "yimen_limit");

    zone = ngx_shared_memory_add(cf, &name,
                                 fmcf->limit_size ? (size_t) fmcf->limit_size
                                 : NGX_HTTP_YIMEN_LIMIT_ZONE,
                                 &ngx_http_yimen_front_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_yimen_limit_zone;
    fmcf->limits = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_yimen_limit_zone(ngx_shm_zone_t *zone, void *data)
{
    size_t                     n;
    ngx_slab_pool_t           *shpool;
    ngx_http_yimen_buckets_t  *table;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    shpool->log_nomem = 0;

    /* all of it: no other allocation is ever made; pages are contiguous */

    for (n = shpool->pfree; n > 0; n--) {
        table = ngx_slab_calloc(shpool, n * ngx_pagesize);

        if (table != NULL) {
            break;
        }
    }

    if (n == 0
        || RAND_bytes(table->salt, NGX_HTTP_YIMEN_LIMIT_SALT) != 1)
    {
        return NGX_ERROR;
    }

    table->sets = (n * ngx_pagesize - sizeof(ngx_http_yimen_buckets_t))
                  / (NGX_HTTP_YIMEN_LIMIT_WAYS
                     * sizeof(ngx_http_yimen_bucket_t));
    zone->data = table;

    return NGX_OK;
}
