/* SPDX-License-Identifier: Apache-2.0
 * Remembered sessions: the worker's table, then shared memory.
 *
 * Concurrency: the table belongs to one process and one thread; what is shared
 * is touched under the zone's mutex alone, and for a copy only.
 */
#include "ngx_http_yimen_sessions.h"


/* entries, a power of two; the oldest of a short run gives way */
#define NGX_HTTP_YIMEN_SESSIONS        4096
#define NGX_HTTP_YIMEN_SESSIONS_PROBE  8

/* counters of changes, a power of two; several sessions share one */
#define NGX_HTTP_YIMEN_SHARED_CHANGES  2048

/* a value above this is not shared, only remembered by its worker */
#define NGX_HTTP_YIMEN_SHARED_BYTES    (12 * 1024)

/* how many give way to a new one before it is left out */
#define NGX_HTTP_YIMEN_SHARED_EVICT    16


typedef struct {
    ngx_atomic_t        generation;   /* from 1 */
    ngx_rbtree_t        tree;
    ngx_rbtree_node_t   sentinel;
    ngx_queue_t         used;         /* the latest first */
    ngx_atomic_t        changes[NGX_HTTP_YIMEN_SHARED_CHANGES];
} ngx_http_yimen_shared_t;

typedef struct {
    ngx_rbtree_node_t                node;
    ngx_queue_t                      queue;
    u_char                           digest[YM_SHA256_LEN];
    ngx_uint_t                       generation;
    ngx_http_yimen_session_times_t   times;
    size_t                           len;
    u_char                           sealed[1];
} ngx_http_yimen_shared_node_t;

struct ngx_http_yimen_sessions_s {
    const ngx_http_yimen_main_conf_t  *conf;
    ngx_log_t                         *log;
    ngx_slab_pool_t                   *pool;
    ngx_http_yimen_shared_t           *shared;
    ngx_http_yimen_watch_t            *watch;
    uint64_t                           clock;
    ngx_http_yimen_session_t          *slots[NGX_HTTP_YIMEN_SESSIONS];
};


static ngx_int_t ngx_http_yimen_sessions_zone_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_uint_t
    ngx_http_yimen_sessions_generation(ngx_http_yimen_sessions_t *sessions);
static ngx_atomic_t *
    ngx_http_yimen_shared_changes(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN]);
static ngx_uint_t ngx_http_yimen_session_current(
    const ngx_http_yimen_session_times_t *times, ngx_uint_t generation,
    ngx_uint_t now);
static ngx_http_yimen_session_t **
    ngx_http_yimen_sessions_slot(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN]);
static void ngx_http_yimen_sessions_put(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_session_t *session);
static ngx_int_t ngx_http_yimen_session_open(
    ngx_http_yimen_sessions_t *sessions, ngx_http_yimen_session_t *session);
static void ngx_http_yimen_session_hide(json_t *json, const char *name);

static ngx_http_yimen_session_t *
    ngx_http_yimen_shared_find(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t generation);
static ngx_int_t ngx_http_yimen_shared_keep(
    ngx_http_yimen_sessions_t *sessions,
    const ngx_http_yimen_session_t *session,
    const ngx_http_yimen_session_stamp_t *asked);
static ngx_http_yimen_shared_node_t *
    ngx_http_yimen_shared_lookup(ngx_http_yimen_shared_t *shared,
    const u_char digest[YM_SHA256_LEN]);
static void ngx_http_yimen_shared_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_yimen_shared_drop(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_shared_node_t *sn);


char *
ngx_http_yimen_conf_session_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ssize_t                      size;
    ngx_str_t                   *value;
    ngx_http_yimen_main_conf_t  *ymcf = conf;

    if (ymcf->session_zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < (ssize_t) (32 * ngx_pagesize)) {
        return "takes a size of at least 128k";
    }

    ymcf->session_zone_size = (size_t) size;

    return NGX_CONF_OK;
}


char *
ngx_http_yimen_sessions_zone(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf)
{
    size_t     size;
    ngx_str_t  name;

    if (!ymcf->session.on) {
        return NGX_CONF_OK;
    }

    size = ymcf->session_zone_size ? ymcf->session_zone_size
                                   : NGX_HTTP_YIMEN_SESSION_ZONE;
    ngx_str_set(&name, "yimen_session");

    ymcf->session_zone = ngx_shared_memory_add(cf, &name, size,
                                               &ngx_http_yimen_module);
    if (ymcf->session_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ymcf->session_zone->init = ngx_http_yimen_sessions_zone_init;

    return NGX_CONF_OK;
}


/*
 * After a reload the zone is what it was, and what it holds is void: with the
 * configuration the lifetimes and the ring may have changed.
 */
static ngx_int_t
ngx_http_yimen_sessions_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t          *pool;
    ngx_http_yimen_shared_t  *shared = data;

    if (shared != NULL) {
        (void) ngx_atomic_fetch_add(&shared->generation, 1);
        zone->data = shared;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    shared = ngx_slab_calloc(pool, sizeof(ngx_http_yimen_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    shared->generation = 1;
    ngx_rbtree_init(&shared->tree, &shared->sentinel,
                    ngx_http_yimen_shared_insert);
    ngx_queue_init(&shared->used);

    /* a full zone makes room; that is no news for the log */

    pool->log_nomem = 0;
    zone->data = shared;

    return NGX_OK;
}


ngx_http_yimen_sessions_t *
ngx_http_yimen_sessions_open(const ngx_http_yimen_main_conf_t *ymcf,
    ngx_log_t *log)
{
    ngx_http_yimen_sessions_t  *sessions;

    sessions = ngx_calloc(sizeof(ngx_http_yimen_sessions_t), log);
    if (sessions == NULL) {
        return NULL;
    }

    sessions->conf = ymcf;
    sessions->log = log;
    sessions->pool = (ngx_slab_pool_t *) ymcf->session_zone->shm.addr;
    sessions->shared = ymcf->session_zone->data;
    sessions->watch = ngx_http_yimen_watch_open(sessions, ymcf, log);

    if (sessions->watch == NULL
        || ngx_http_yimen_session_read_open(sessions) != NGX_OK)
    {
        ngx_http_yimen_sessions_close(sessions);
        return NULL;
    }

    return sessions;
}


void
ngx_http_yimen_sessions_close(ngx_http_yimen_sessions_t *sessions)
{
    ngx_uint_t  i;

    if (sessions == NULL) {
        return;
    }

    ngx_http_yimen_watch_close(sessions->watch);
    ngx_http_yimen_session_read_close(sessions);

    for (i = 0; i < NGX_HTTP_YIMEN_SESSIONS; i++) {
        if (sessions->slots[i] != NULL) {
            ngx_http_yimen_session_release(sessions->slots[i]);
        }
    }

    ngx_free(sessions);
}


const ngx_http_yimen_main_conf_t *
ngx_http_yimen_sessions_conf(ngx_http_yimen_sessions_t *sessions)
{
    return sessions->conf;
}


static ngx_uint_t
ngx_http_yimen_sessions_generation(ngx_http_yimen_sessions_t *sessions)
{
    if (!ngx_http_yimen_watch_hears(sessions->watch)) {
        return 0;
    }

    return (ngx_uint_t) sessions->shared->generation;
}


static ngx_atomic_t *
ngx_http_yimen_shared_changes(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t  n;

    ngx_memcpy(&n, digest, sizeof(n));

    return &sessions->shared->changes[n % NGX_HTTP_YIMEN_SHARED_CHANGES];
}


void
ngx_http_yimen_sessions_stamp(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_http_yimen_session_stamp_t *ret)
{
    ret->generation = ngx_http_yimen_sessions_generation(sessions);
    ret->changes = (ngx_uint_t) *ngx_http_yimen_shared_changes(sessions,
                                                               digest);
}


ngx_uint_t
ngx_http_yimen_sessions_changed(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN],
    const ngx_http_yimen_session_stamp_t *asked)
{
    return (ngx_uint_t) *ngx_http_yimen_shared_changes(sessions, digest)
           != asked->changes;
}


void
ngx_http_yimen_sessions_void(ngx_http_yimen_sessions_t *sessions)
{
    (void) ngx_atomic_fetch_add(&sessions->shared->generation, 1);
    ngx_http_yimen_session_read_void(sessions, NULL);
}


/* neither forgotten, nor due to be read again, nor over */

static ngx_uint_t
ngx_http_yimen_session_current(const ngx_http_yimen_session_times_t *times,
    ngx_uint_t generation, ngx_uint_t now)
{
    return generation == now
           && (ngx_msec_int_t) (times->fresh - ngx_current_msec) > 0
           && (ngx_msec_int_t) (times->live - ngx_current_msec) > 0
           && (ngx_msec_int_t) (times->left - ngx_current_msec) > 0;
}


ngx_http_yimen_session_t *
ngx_http_yimen_sessions_find(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN])
{
    ngx_uint_t                  generation;
    ngx_http_yimen_session_t   *session, **slot;

    generation = ngx_http_yimen_sessions_generation(sessions);
    if (generation == 0) {
        return NULL;
    }

    slot = ngx_http_yimen_sessions_slot(sessions, digest);

    if (slot != NULL) {
        session = *slot;

        if (ngx_http_yimen_session_current(&session->times,
                                           session->generation, generation))
        {
            session->used = ++sessions->clock;
            session->refs++;
            return session;
        }

        *slot = NULL;
        ngx_http_yimen_session_release(session);
    }

    session = ngx_http_yimen_shared_find(sessions, digest, generation);

    if (session != NULL) {
        session->generation = generation;
        ngx_http_yimen_sessions_put(sessions, session);
    }

    return session;
}


static ngx_http_yimen_session_t **
ngx_http_yimen_sessions_slot(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN])
{
    uint32_t                    start;
    ngx_uint_t                  i;
    ngx_http_yimen_session_t  **slot;

    ngx_memcpy(&start, digest, sizeof(start));

    for (i = 0; i < NGX_HTTP_YIMEN_SESSIONS_PROBE; i++) {
        slot = &sessions->slots[(start + i) % NGX_HTTP_YIMEN_SESSIONS];

        if (*slot != NULL
            && ngx_memcmp((*slot)->digest, digest, YM_SHA256_LEN) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


/* into the table, which holds a reference of its own */

static void
ngx_http_yimen_sessions_put(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_session_t *session)
{
    uint32_t                    start;
    ngx_uint_t                  i, own;
    ngx_http_yimen_session_t  **slot, **best;

    best = ngx_http_yimen_sessions_slot(sessions, session->digest);
    own = (best != NULL);
    ngx_memcpy(&start, session->digest, sizeof(start));

    /* its own place, or an empty one, or that of the longest unused */

    for (i = 0; i < NGX_HTTP_YIMEN_SESSIONS_PROBE; i++) {
        slot = &sessions->slots[(start + i) % NGX_HTTP_YIMEN_SESSIONS];

        if (best == NULL) {
            best = slot;
            own = 0;
        }

        if (own || *best == NULL) {
            break;
        }

        if (*slot == NULL || (*slot)->used < (*best)->used) {
            best = slot;
        }
    }

    if (*best != NULL) {
        ngx_http_yimen_session_release(*best);
    }

    session->used = ++sessions->clock;
    session->refs++;
    *best = session;
}


ngx_http_yimen_session_t *
ngx_http_yimen_sessions_make(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], struct ym_str sealed,
    const ngx_http_yimen_session_times_t *times)
{
    ngx_http_yimen_session_t  *session;

    session = ngx_calloc(sizeof(ngx_http_yimen_session_t) + sealed.n,
                         sessions->log);
    if (session == NULL) {
        return NULL;
    }

    session->refs = 1;
    session->times = *times;
    ngx_memcpy(session->digest, digest, YM_SHA256_LEN);
    ym_hex(digest, YM_SHA256_LEN, false, session->hex);

    ngx_memcpy((char *) (session + 1), sealed.p, sealed.n);
    session->sealed = (struct ym_str){ (char *) (session + 1), sealed.n };

    if (ngx_http_yimen_session_open(sessions, session) != NGX_OK) {
        ngx_http_yimen_session_release(session);
        return NULL;
    }

    return session;
}


static ngx_int_t
ngx_http_yimen_session_open(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_session_t *session)
{
    struct ym_err               err;
    struct ym_session_value     v;
    ngx_http_yimen_identity_t  *who;

    if (ym_session_value_open(sessions->conf->ring, session->hex,
                              session->sealed, &session->json, &v, &err)
        != YM_OK)
    {
        ngx_log_error(NGX_LOG_WARN, sessions->log, 0,
                      "event=session.unusable session=%*s err=\"%s\"",
                      (size_t) 16, session->hex, err.message);
        return NGX_ERROR;
    }

    /* tokens are read from the sealed value when somebody needs them */

    ngx_http_yimen_session_hide(session->json, "id_token");
    ngx_http_yimen_session_hide(session->json, "refresh");

    who = &session->who;
    who->subject = v.person;
    who->org = v.org;
    who->area = v.area;
    who->roles = (ngx_uint_t) v.roles;
    who->login = v.login;
    who->name = v.name;
    who->email = v.email;
    who->issuer = v.issuer;
    who->provider = v.provider;
    who->method = NGX_HTTP_YIMEN_BY_SESSION;
    who->auth_time = v.auth_time;
    who->session = (struct ym_str){ session->hex, YM_SHA256_HEX - 1 };

    session->refresh_at = v.refresh_at;
    session->agent = v.agent;

    return NGX_OK;
}


static void
ngx_http_yimen_session_hide(json_t *json, const char *name)
{
    const json_t  *value;

    value = json_object_get(json, name);

    if (value != NULL) {
        ym_wipe((char *) (uintptr_t) json_string_value(value),
                json_string_length(value));
        (void) json_object_del(json, name);
    }
}


void
ngx_http_yimen_session_release(ngx_http_yimen_session_t *session)
{
    if (--session->refs == 0) {
        json_decref(session->json);
        ngx_free(session);
    }
}


void
ngx_http_yimen_sessions_keep(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_session_t *session,
    const ngx_http_yimen_session_stamp_t *asked)
{
    if (asked->generation == 0
        || asked->generation != ngx_http_yimen_sessions_generation(sessions))
    {
        return;
    }

    session->generation = asked->generation;

    if (ngx_http_yimen_shared_keep(sessions, session, asked) == NGX_OK) {
        ngx_http_yimen_sessions_put(sessions, session);
    }
}


void
ngx_http_yimen_sessions_forget(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN])
{
    ngx_http_yimen_session_t      **slot;
    ngx_http_yimen_shared_node_t   *sn;

    ngx_http_yimen_session_read_void(sessions, digest);

    slot = ngx_http_yimen_sessions_slot(sessions, digest);

    if (slot != NULL) {
        ngx_http_yimen_session_release(*slot);
        *slot = NULL;
    }

    ngx_shmtx_lock(&sessions->pool->mutex);

    (*ngx_http_yimen_shared_changes(sessions, digest))++;

    sn = ngx_http_yimen_shared_lookup(sessions->shared, digest);

    if (sn != NULL) {
        ngx_http_yimen_shared_drop(sessions, sn);
    }

    ngx_shmtx_unlock(&sessions->pool->mutex);
}


/* a copy is taken under the mutex and opened after it */

static ngx_http_yimen_session_t *
ngx_http_yimen_shared_find(ngx_http_yimen_sessions_t *sessions,
    const u_char digest[YM_SHA256_LEN], ngx_uint_t generation)
{
    u_char                          *copy;
    struct ym_str                    sealed;
    ngx_http_yimen_session_t        *session;
    ngx_http_yimen_shared_node_t    *sn;
    ngx_http_yimen_session_times_t   times;

    copy = NULL;
    sealed = YM_STR_NULL;

    ngx_shmtx_lock(&sessions->pool->mutex);

    sn = ngx_http_yimen_shared_lookup(sessions->shared, digest);

    if (sn != NULL && !ngx_http_yimen_session_current(&sn->times,
                                                      sn->generation,
                                                      generation))
    {
        ngx_http_yimen_shared_drop(sessions, sn);
        sn = NULL;
    }

    if (sn != NULL) {
        copy = ngx_alloc(sn->len, sessions->log);

        if (copy != NULL) {
            ngx_memcpy(copy, sn->sealed, sn->len);
            sealed = (struct ym_str){ (char *) copy, sn->len };
            times = sn->times;

            ngx_queue_remove(&sn->queue);
            ngx_queue_insert_head(&sessions->shared->used, &sn->queue);
        }
    }

    ngx_shmtx_unlock(&sessions->pool->mutex);

    if (copy == NULL) {
        return NULL;
    }

    session = ngx_http_yimen_sessions_make(sessions, digest, sealed, &times);
    ngx_free(copy);

    return session;
}


/* NGX_DECLINED: what is to be kept is out of date; to make room is no duty */

static ngx_int_t
ngx_http_yimen_shared_keep(ngx_http_yimen_sessions_t *sessions,
    const ngx_http_yimen_session_t *session,
    const ngx_http_yimen_session_stamp_t *asked)
{
    size_t                         size;
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_yimen_shared_t       *shared;
    ngx_http_yimen_shared_node_t  *sn;

    shared = sessions->shared;
    size = offsetof(ngx_http_yimen_shared_node_t, sealed) + session->sealed.n;

    ngx_shmtx_lock(&sessions->pool->mutex);

    if (ngx_http_yimen_sessions_changed(sessions, session->digest, asked)) {
        ngx_shmtx_unlock(&sessions->pool->mutex);
        return NGX_DECLINED;
    }

    if (session->sealed.n > NGX_HTTP_YIMEN_SHARED_BYTES) {
        ngx_shmtx_unlock(&sessions->pool->mutex);
        return NGX_OK;
    }

    sn = ngx_http_yimen_shared_lookup(shared, session->digest);

    if (sn != NULL) {
        ngx_http_yimen_shared_drop(sessions, sn);
    }

    sn = ngx_slab_alloc_locked(sessions->pool, size);

    for (i = 0; sn == NULL && i < NGX_HTTP_YIMEN_SHARED_EVICT
                && !ngx_queue_empty(&shared->used); i++)
    {
        q = ngx_queue_last(&shared->used);
        ngx_http_yimen_shared_drop(sessions,
                  ngx_queue_data(q, ngx_http_yimen_shared_node_t, queue));

        sn = ngx_slab_alloc_locked(sessions->pool, size);
    }

    if (sn != NULL) {
        ngx_memcpy(&sn->node.key, session->digest, sizeof(sn->node.key));
        ngx_memcpy(sn->digest, session->digest, YM_SHA256_LEN);
        ngx_memcpy(sn->sealed, session->sealed.p, session->sealed.n);
        sn->len = session->sealed.n;
        sn->generation = session->generation;
        sn->times = session->times;

        ngx_rbtree_insert(&shared->tree, &sn->node);
        ngx_queue_insert_head(&shared->used, &sn->queue);
    }

    ngx_shmtx_unlock(&sessions->pool->mutex);

    return NGX_OK;
}


static ngx_http_yimen_shared_node_t *
ngx_http_yimen_shared_lookup(ngx_http_yimen_shared_t *shared,
    const u_char digest[YM_SHA256_LEN])
{
    int                            rc;
    ngx_rbtree_key_t               key;
    ngx_rbtree_node_t             *node;
    ngx_http_yimen_shared_node_t  *sn;

    ngx_memcpy(&key, digest, sizeof(key));
    node = shared->tree.root;

    while (node != &shared->sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        sn = (ngx_http_yimen_shared_node_t *) node;
        rc = ngx_memcmp(digest, sn->digest, YM_SHA256_LEN);

        if (rc == 0) {
            return sn;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_yimen_shared_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_uint_t                      left;
    ngx_rbtree_node_t             **p;
    ngx_http_yimen_shared_node_t   *sn, *st;

    for ( ;; ) {

        if (node->key != temp->key) {
            left = node->key < temp->key;

        } else {
            sn = (ngx_http_yimen_shared_node_t *) node;
            st = (ngx_http_yimen_shared_node_t *) temp;
            left = ngx_memcmp(sn->digest, st->digest, YM_SHA256_LEN) < 0;
        }

        p = left ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* under the mutex */

static void
ngx_http_yimen_shared_drop(ngx_http_yimen_sessions_t *sessions,
    ngx_http_yimen_shared_node_t *sn)
{
    ngx_queue_remove(&sn->queue);
    ngx_rbtree_delete(&sessions->shared->tree, &sn->node);
    ngx_slab_free_locked(sessions->pool, sn);
}
