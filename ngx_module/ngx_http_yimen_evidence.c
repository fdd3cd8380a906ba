/* SPDX-License-Identifier: Apache-2.0
 * Evidence on its way from a worker to Redis (ngx_http_yimen_evidence.h).
 *
 * An entry is in flight until Redis has answered; what got no answer is sent
 * again with the time of its first way, and Redis looks whether it is there
 * already, so an entry is written once.
 */
#include "ngx_http_yimen_evidence.h"

#include "ym_clean.h"
#include "ym_id.h"
#include "ym_store_evidence.h"


#define NGX_HTTP_YIMEN_EVIDENCE_MAX    10000
#define NGX_HTTP_YIMEN_EVIDENCE_PAUSE  200    /* ms between two tries */
#define NGX_HTTP_YIMEN_EVIDENCE_TURN   500    /* entries of a try */
#define NGX_HTTP_YIMEN_EVIDENCE_ARGS   11
#define NGX_HTTP_YIMEN_EVIDENCE_FIELD  600    /* bytes of a field */
#define NGX_HTTP_YIMEN_EVIDENCE_SEALED 4096   /* of one that is sealed */
#define NGX_HTTP_YIMEN_EVIDENCE_WORDS  (4 + NGX_HTTP_YIMEN_EVIDENCE_ARGS)


/* one entry; lives in a pool of its own */
typedef struct {
    ngx_queue_t       queue;       /* flying or waiting */
    ngx_pool_t       *pool;
    int64_t           first;       /* ms; sent then, 0 = never */
    struct ym_str     args[NGX_HTTP_YIMEN_EVIDENCE_ARGS];
    u_char            tag[NGX_INT_T_LEN + 4];
} ngx_http_yimen_entry_t;

typedef struct {
    ngx_queue_t       flying;
    ngx_queue_t       waiting;
    ngx_uint_t        count;       /* of both */
    ngx_uint_t        waiting_n;
    ngx_uint_t        lost;        /* not yet written down */
    ngx_uint_t        lost_all;
    ngx_uint_t        shards;
    uint64_t          serial;
    ngx_log_t        *log;
    ngx_event_t       timer;
    unsigned          told:1;
} ngx_http_yimen_evidences_t;


static ngx_http_yimen_entry_t *ngx_http_yimen_evidence_entry(
    ngx_http_request_t *r, const ngx_http_yimen_evidence_t *e);
static ngx_int_t ngx_http_yimen_evidence_text(ngx_pool_t *pool,
    struct ym_str text, struct ym_str *ret);
static const char *ngx_http_yimen_evidence_outcome(
    const ngx_http_yimen_evidence_t *e);
static ngx_uint_t ngx_http_yimen_evidence_shard(struct ym_str id,
    struct ym_str who, ngx_uint_t shards);
static void ngx_http_yimen_evidence_put(ngx_http_yimen_entry_t *entry);
static ngx_int_t ngx_http_yimen_evidence_send(ngx_http_yimen_entry_t *entry);
static void ngx_http_yimen_evidence_drop(ngx_queue_t *list);
static void ngx_http_yimen_evidence_wait(ngx_http_yimen_entry_t *entry);
static void ngx_http_yimen_evidence_sent(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why);
static void ngx_http_yimen_evidence_free(ngx_http_yimen_entry_t *entry);
static void ngx_http_yimen_evidence_timer(ngx_event_t *ev);
static void ngx_http_yimen_evidence_own_up(void);


static ngx_http_yimen_evidences_t  ngx_http_yimen_evidences;
static ngx_int_t                   ngx_http_yimen_evidence_index = NGX_ERROR;


char *
ngx_http_yimen_evidence_conf(ngx_conf_t *cf)
{
    ngx_str_t  name = ngx_string("request_id");

    /* indexed, so that it stays the same for the whole request */

    ngx_http_yimen_evidence_index = ngx_http_get_variable_index(cf, &name);

    return (ngx_http_yimen_evidence_index == NGX_ERROR) ? NGX_CONF_ERROR
                                                        : NGX_CONF_OK;
}


void
ngx_http_yimen_evidence_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log)
{
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    ngx_memzero(all, sizeof(ngx_http_yimen_evidences_t));
    ngx_queue_init(&all->flying);
    ngx_queue_init(&all->waiting);

    all->shards = (ngx_uint_t) ymcf->catalog->site.shards;
    all->log = log;
    all->timer.handler = ngx_http_yimen_evidence_timer;
    all->timer.data = all;
    all->timer.log = log;
    all->timer.cancelable = 1;
}


void
ngx_http_yimen_evidence_close(void)
{
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    if (all->shards == 0) {
        return;
    }

    if (all->timer.timer_set) {
        ngx_del_timer(&all->timer);
    }

    if (all->waiting_n || all->lost) {
        ngx_log_error(NGX_LOG_ERR, all->log, 0,
                      "yimen: %ui entries of evidence are lost: Redis was "
                      "away when the worker ended",
                      all->waiting_n + all->lost);
    }

    ngx_http_yimen_evidence_drop(&all->waiting);
    ngx_http_yimen_evidence_drop(&all->flying);

    all->shards = 0;
}


static void
ngx_http_yimen_evidence_drop(ngx_queue_t *list)
{
    ngx_queue_t             *q;
    ngx_http_yimen_entry_t  *entry;

    while (!ngx_queue_empty(list)) {
        q = ngx_queue_head(list);
        entry = ngx_queue_data(q, ngx_http_yimen_entry_t, queue);
        ngx_queue_remove(q);
        ngx_destroy_pool(entry->pool);
    }
}


ngx_uint_t
ngx_http_yimen_evidence_waiting(void)
{
    return ngx_http_yimen_evidences.waiting_n;
}


ngx_uint_t
ngx_http_yimen_evidence_lost(void)
{
    return ngx_http_yimen_evidences.lost_all;
}


void
ngx_http_yimen_evidence_referer(ngx_http_request_t *r)
{
    size_t      i;
    ngx_str_t  *value;

    if (r->headers_in.referer == NULL) {
        return;
    }

    value = &r->headers_in.referer->value;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= 0x20 || value->data[i] >= 0x7f
            || value->data[i] == '?')
        {
            r->headers_in.referer = NULL;
            return;
        }
    }
}


void
ngx_http_yimen_evidence(ngx_http_request_t *r,
    const ngx_http_yimen_evidence_t *e)
{
    ngx_http_yimen_entry_t      *entry;
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    if (all->shards == 0) {
        return;
    }

    entry = NULL;

    if (all->count < NGX_HTTP_YIMEN_EVIDENCE_MAX) {
        entry = ngx_http_yimen_evidence_entry(r, e);
    }

    if (entry == NULL) {
        all->lost++;
        all->lost_all++;

        if (!all->timer.timer_set) {
            ngx_add_timer(&all->timer, NGX_HTTP_YIMEN_EVIDENCE_PAUSE);
        }

        return;
    }

    ngx_http_yimen_evidence_put(entry);
}


/* what came first goes first */

static void
ngx_http_yimen_evidence_put(ngx_http_yimen_entry_t *entry)
{
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;
    all->count++;

    if (all->waiting_n || ngx_http_yimen_evidence_send(entry) != NGX_OK) {
        ngx_http_yimen_evidence_wait(entry);
    }
}


/* who what id system why peer request outcome uid at since */

static ngx_http_yimen_entry_t *
ngx_http_yimen_evidence_entry(ngx_http_request_t *r,
    const ngx_http_yimen_evidence_t *e)
{
    u_char                      *p;
    ngx_uint_t                   i, shard;
    ngx_pool_t                  *pool;
    struct ym_str                fields[9];
    ngx_http_yimen_entry_t      *entry;
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    pool = ngx_create_pool(1024, all->log);
    if (pool == NULL) {
        return NULL;
    }

    entry = ngx_pcalloc(pool, sizeof(ngx_http_yimen_entry_t));
    p = ngx_pnalloc(pool, 2 * NGX_INT64_LEN + NGX_INT_T_LEN + 3);

    if (entry == NULL || p == NULL) {
        goto failed;
    }

    entry->pool = pool;

    fields[0] = e->who;
    fields[1] = ym_str_of(e->what);
    fields[2] = e->id;
    fields[3] = e->system;
    fields[4] = e->why;
    fields[5] = r ? (struct ym_str){ (char *) r->connection->addr_text.data,
                                     r->connection->addr_text.len }
                  : YM_STR("");
    fields[6] = r ? ngx_http_yimen_evidence_request(r) : YM_STR("");
    fields[7] = ym_str_of(ngx_http_yimen_evidence_outcome(e));

    /* no two events of this Redis have the same */

    fields[8].p = (char *) p;
    p = ngx_sprintf(p, "%xL.%P.%uxL",
                    (int64_t) ngx_cached_time->sec * 1000
                    + (int64_t) ngx_cached_time->msec,
                    ngx_pid, ++all->serial);
    fields[8].n = (size_t) ((char *) p - fields[8].p);

    for (i = 0; i < 9; i++) {
        if (ngx_http_yimen_evidence_text(pool, fields[i], &entry->args[i])
            != NGX_OK)
        {
            goto failed;
        }
    }

    entry->args[9] = YM_STR("");
    entry->args[10] = YM_STR("");

    shard = ngx_http_yimen_evidence_shard(e->id, e->who, all->shards);
    p = ngx_sprintf(entry->tag, "{s%ui}", shard);
    *p = '\0';

    return entry;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
ngx_http_yimen_evidence_text(ngx_pool_t *pool, struct ym_str text,
    struct ym_str *ret)
{
    char           *copy;
    size_t          i, most;
    struct ym_buf   clean;

    for (i = 0; i < text.n && text.p[i] >= 0x20 && text.p[i] < 0x7f; i++) {
        /* void */
    }

    if (i == text.n && text.n <= NGX_HTTP_YIMEN_EVIDENCE_FIELD) {
        copy = ngx_pnalloc(pool, text.n + 1);

        if (copy == NULL) {
            return NGX_ERROR;
        }

        if (text.n) {
            ngx_memcpy(copy, text.p, text.n);
        }

        *ret = (struct ym_str){ copy, text.n };

        return NGX_OK;
    }

    most = (text.n && text.p[0] == '~' && ym_is_sealed_text(text))
           ? NGX_HTTP_YIMEN_EVIDENCE_SEALED : NGX_HTTP_YIMEN_EVIDENCE_FIELD;

    ym_buf_init(&clean, most + 1);
    (void) ym_clean(&clean, text, most);

    copy = ngx_pnalloc(pool, clean.n + 1);

    if (copy != NULL && clean.n) {
        ngx_memcpy(copy, clean.p, clean.n);
    }

    *ret = (struct ym_str){ copy, clean.n };
    ym_buf_clear(&clean);

    return (copy == NULL) ? NGX_ERROR : NGX_OK;
}


struct ym_str
ngx_http_yimen_evidence_request(ngx_http_request_t *r)
{
    ngx_http_variable_value_t  *v;

    v = NULL;

    if (ngx_http_yimen_evidence_index != NGX_ERROR) {
        v = ngx_http_get_indexed_variable(r,
                                (ngx_uint_t) ngx_http_yimen_evidence_index);
    }

    if (v == NULL || v->not_found) {
        return YM_STR("");
    }

    return (struct ym_str){ (char *) v->data, v->len };
}


static const char *
ngx_http_yimen_evidence_outcome(const ngx_http_yimen_evidence_t *e)
{
    size_t  n;

    if (e->outcome != NULL) {
        return e->outcome;
    }

    n = ngx_strlen(e->what);

    return (n > 8 && ngx_strcmp(e->what + n - 8, "_refused") == 0) ? "refused"
                                                                   : "ok";
}


/* a record's evidence stands in its shard, a person's in one shard */

static ngx_uint_t
ngx_http_yimen_evidence_shard(struct ym_str id, struct ym_str who,
    ngx_uint_t shards)
{
    char        text[YM_ID_LEN + 1];
    ngx_uint_t  shard;

    if (ym_id_valid(id)) {
        (void) ngx_cpystrn((u_char *) text, (u_char *) (uintptr_t) id.p,
                           YM_ID_LEN + 1);
        shard = ym_id_shard(text);

        if (shard < shards) {
            return shard;
        }
    }

    return who.n ? ym_shard_of(who, (unsigned) shards) : 0;
}


static ngx_int_t
ngx_http_yimen_evidence_send(ngx_http_yimen_entry_t *entry)
{
    size_t                       lens[NGX_HTTP_YIMEN_EVIDENCE_WORDS];
    ngx_uint_t                   i;
    const char                  *argv[NGX_HTTP_YIMEN_EVIDENCE_WORDS];
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    if (ngx_http_yimen_worker.redis == NULL) {
        return NGX_DECLINED;
    }

    argv[0] = "FCALL";
    argv[1] = YM_FN_EVIDENCE;
    argv[2] = "1";
    argv[3] = (const char *) entry->tag;

    for (i = 0; i < 4; i++) {
        lens[i] = ngx_strlen(argv[i]);
    }

    for (i = 0; i < NGX_HTTP_YIMEN_EVIDENCE_ARGS; i++) {
        argv[4 + i] = entry->args[i].p;
        lens[4 + i] = entry->args[i].n;
    }

    if (ngx_http_yimen_redis_call(ngx_http_yimen_worker.redis, entry->pool,
                                  NGX_HTTP_YIMEN_EVIDENCE_WORDS, argv, lens,
                                  ngx_http_yimen_evidence_sent, entry)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (entry->first == 0) {
        entry->first = (int64_t) ngx_cached_time->sec * 1000
                       + (int64_t) ngx_cached_time->msec;
    }

    ngx_queue_insert_tail(&all->flying, &entry->queue);

    return NGX_OK;
}


/* it is not in a list now */

static void
ngx_http_yimen_evidence_wait(ngx_http_yimen_entry_t *entry)
{
    int64_t                      now;
    u_char                      *p;
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;
    now = (int64_t) ngx_cached_time->sec * 1000
          + (int64_t) ngx_cached_time->msec;

    /* when it happened, for it will be written later */

    if (entry->args[9].n == 0) {
        p = ngx_pnalloc(entry->pool, NGX_INT64_LEN);

        if (p != NULL) {
            entry->args[9].p = (char *) p;
            entry->args[9].n = (size_t) (ngx_sprintf(p, "%L", entry->first
                                                     ? entry->first : now)
                                         - p);
        }
    }

    /* it may be there already */

    if (entry->first && entry->args[10].n == 0) {
        p = ngx_pnalloc(entry->pool, NGX_INT64_LEN);

        if (p != NULL) {
            entry->args[10].p = (char *) p;
            entry->args[10].n = (size_t) (ngx_sprintf(p, "%L", entry->first)
                                          - p);
        }
    }

    ngx_queue_insert_tail(&all->waiting, &entry->queue);
    all->waiting_n++;

    if (!all->timer.timer_set) {
        ngx_add_timer(&all->timer, NGX_HTTP_YIMEN_EVIDENCE_PAUSE);
    }
}


static void
ngx_http_yimen_evidence_sent(void *data, redisReply **reply,
    ngx_http_yimen_redis_e why)
{
    ngx_http_yimen_entry_t      *entry = data;
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    ngx_queue_remove(&entry->queue);

    if (why == NGX_HTTP_YIMEN_REDIS_OK
        && (*reply)->type == REDIS_REPLY_ARRAY)
    {
        all->told = 0;
        ngx_http_yimen_evidence_free(entry);
        return;
    }

    if (!all->told) {
        all->told = 1;
        ngx_log_error(NGX_LOG_WARN, all->log, 0,
                      "yimen: evidence waits: %s",
                      why == NGX_HTTP_YIMEN_REDIS_OK
                      ? "Redis does not take it" : "Redis does not answer");
    }

    ngx_http_yimen_evidence_wait(entry);
}


static void
ngx_http_yimen_evidence_free(ngx_http_yimen_entry_t *entry)
{
    ngx_http_yimen_evidences.count--;
    ngx_destroy_pool(entry->pool);
}


static void
ngx_http_yimen_evidence_timer(ngx_event_t *ev)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_yimen_entry_t      *entry;
    ngx_http_yimen_evidences_t  *all;

    all = ev->data;

    for (n = 0; n < NGX_HTTP_YIMEN_EVIDENCE_TURN && all->waiting_n; n++) {

        q = ngx_queue_head(&all->waiting);
        entry = ngx_queue_data(q, ngx_http_yimen_entry_t, queue);
        ngx_queue_remove(q);
        all->waiting_n--;

        if (ngx_http_yimen_evidence_send(entry) != NGX_OK) {
            ngx_queue_insert_head(&all->waiting, q);
            all->waiting_n++;
            break;
        }
    }

    if (all->waiting_n == 0 && all->lost) {
        ngx_http_yimen_evidence_own_up();
    }

    if ((all->waiting_n || all->lost) && !all->timer.timer_set) {
        ngx_add_timer(&all->timer, n == NGX_HTTP_YIMEN_EVIDENCE_TURN
                                   ? 1 : NGX_HTTP_YIMEN_EVIDENCE_PAUSE);
    }
}


/* that something was lost is evidence as well */

static void
ngx_http_yimen_evidence_own_up(void)
{
    u_char                       text[NGX_INT_T_LEN];
    ngx_http_yimen_entry_t      *entry;
    ngx_http_yimen_evidence_t    e;
    ngx_http_yimen_evidences_t  *all;

    all = &ngx_http_yimen_evidences;

    ngx_memzero(&e, sizeof(ngx_http_yimen_evidence_t));
    e.what = "evidence_lost";
    e.who = YM_STR("gateway");
    e.why.p = (char *) text;
    e.why.n = (size_t) (ngx_sprintf(text, "%ui", all->lost) - text);

    entry = ngx_http_yimen_evidence_entry(NULL, &e);

    if (entry != NULL) {
        all->lost = 0;
        ngx_http_yimen_evidence_put(entry);
    }
}


void
ngx_http_yimen_evidence_args(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_evidence_t *e, ngx_http_yimen_args_t *args)
{
    ngx_uint_t               i, shard;
    struct ym_str            text;
    ngx_http_yimen_entry_t  *entry;

    shard = ngx_http_yimen_evidence_shard(e->id, e->who,
                                          ngx_http_yimen_evidences.shards);
    ngx_http_yimen_args_init(args, ctx, YM_FN_EVIDENCE, shard);

    entry = ngx_http_yimen_evidence_entry(ctx->request, e);

    if (entry == NULL) {
        args->failed = 1;
        return;
    }

    for (i = 0; i < NGX_HTTP_YIMEN_EVIDENCE_ARGS; i++) {
        text = ngx_http_yimen_copy(ctx, entry->args[i]);

        if (text.p == NULL) {
            args->failed = 1;
        }

        ngx_http_yimen_arg(args, text);
    }

    ngx_destroy_pool(entry->pool);
}
