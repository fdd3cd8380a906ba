/* SPDX-License-Identifier: Apache-2.0
 * yimen keys ring, rotate, reseal, drop: the key ring's file, and what is sealed with it.
 */
#include "ym_tool_ring.h"

#include "ym_codec.h"
#include "ym_queue_worker.h"
#include "ym_site_ring.h"
#include "ym_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KID_LEN 4 /* short: every record carries it */
#define SECRET_LEN 32
#define PASSES 5 /* while others change what is sealed anew */

struct job {
    const char *config, *alg;
    const char *words[2];
    size_t count;
    bool json, dry, force;
};

/* ---- the file ---- */

static bool new_kid(const json_t *keys, char out[KID_LEN + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 of them */
    unsigned char random[KID_LEN];
    const json_t *key;
    size_t i;
    bool taken = true;

    while (taken) {
        if (RAND_bytes(random, sizeof(random)) != 1) {
            return false;
        }
        for (i = 0; i < KID_LEN; i++) {
            out[i] = letters[random[i] % 32];
        }
        out[KID_LEN] = '\0';
        taken = false;
        json_array_foreach(keys, i, key)
        {
            const char *kid = json_string_value(json_object_get(key, "kid"));
            taken = taken || (kid != NULL && strcmp(kid, out) == 0);
        }
    }
    return true;
}

static json_t *new_key(const json_t *keys, const char *alg)
{
    unsigned char secret[SECRET_LEN];
    char kid[KID_LEN + 1];
    size_t n = strcmp(alg, "SM4-GCM") == 0 ? 16 : SECRET_LEN;
    struct ym_buf k;
    json_t *key = NULL;

    ym_buf_init(&k, 128);
    if (new_kid(keys, kid) && RAND_bytes(secret, (int)n) == 1 &&
        ym_base64url_add(&k, (struct ym_str){(char *)secret, n}) == YM_OK) {
        key =
            json_pack("{s:s, s:s, s:s, s:s%}", "kty", "oct", "kid", kid, "alg", alg, "k", k.p, k.n);
    }
    ym_wipe(secret, sizeof(secret));
    ym_buf_wipe(&k);
    return key;
}

/* The ring as text must be one that everybody can load. */
static ym_status check_set(const json_t *set, char **ret, struct ym_err *err)
{
    struct ym_ring *ring = NULL;
    char *text = json_dumps(set, JSON_INDENT(2));
    ym_status rc = text != NULL ? ym_ring_load(ym_str_of(text), &ring, err)
                                : ym_err_set(err, YM_ENOMEM, "out of memory");

    ym_ring_close(ring);
    *ret = text;
    return rc;
}

static void free_text(char *text)
{
    if (text != NULL) {
        ym_wipe(text, strlen(text));
        free(text);
    }
}

static ym_status write_text(int fd, const char *path, const char *text, struct ym_err *err)
{
    size_t n = strlen(text);
    bool ok =
        fd >= 0 && write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    int why = errno;

    if (fd >= 0) {
        ok = close(fd) == 0 && ok;
    }
    return ok ? YM_OK
              : ym_err_at(err, YM_EIO, path, 0, 0, "%s",
                          why == EEXIST ? "is there already; keys are never overwritten"
                                        : strerror(why));
}

static int make(const struct job *job)
{
    const char *path = job->words[1], *alg = job->alg != NULL ? job->alg : "A256GCM";
    struct ym_err err = {0};
    json_t *keys = json_array(), *set = json_pack("{s:O}", "keys", keys);
    char *text = NULL;
    ym_status rc = YM_OK;

    json_array_append_new(keys, new_key(keys, alg));
    json_array_append_new(keys, new_key(keys, "HS256"));
    rc = check_set(set, &text, &err);
    if (rc == YM_OK) {
        rc = write_text(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
                        path, text, &err);
    }
    if (rc == YM_OK) {
        printf("%s\n", path);
        fprintf(stderr, "keep a copy apart from the backups of Redis: without it nothing that is "
                        "sealed opens again\n");
    }
    free_text(text);
    json_decref(set);
    json_decref(keys);
    return rc == YM_OK ? YM_EXIT_OK : ym_tool_error(&err, false);
}

/* The configured ring's file; NULL after a message. */
static const char *ring_file(const struct ym_catalog *c)
{
    const char *ref = ym_site_ring_reference(c);

    if (ref == NULL || strncmp(ref, "file:", 5) != 0) {
        fprintf(stderr, "yimen keys: %s: auth: ring: must name a file to be changed here\n",
                c->file);
        return NULL;
    }
    return ref + 5;
}

/* In place of the old one, whole or not at all, with its mode and owner. */
static ym_status replace(const char *path, const json_t *set, struct ym_err *err)
{
    char temp[1100], *text = NULL;
    struct stat st;
    int fd = -1;
    ym_status rc = check_set(set, &text, err);

    if (rc == YM_OK && (stat(path, &st) != 0 || strlen(path) > 1000)) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    }
    if (rc == YM_OK) {
        (void)snprintf(temp, sizeof(temp), "%s.new", path);
        (void)unlink(temp);
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 && fchown(fd, st.st_uid, st.st_gid) != 0) {
            (void)close(fd);
            fd = -1;
        }
        rc = write_text(fd, temp, text, err);
    }
    if (rc == YM_OK && rename(temp, path) != 0) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    }
    free_text(text);
    return rc;
}

static ym_status read_set(const char *path, json_t **ret, struct ym_err *err)
{
    ym_status rc = ym_json_file(path, ret, err);

    if (rc == YM_OK && !json_is_array(json_object_get(*ret, "keys"))) {
        json_decref(*ret);
        rc = ym_err_at(err, YM_EINVAL, path, 0, 0, "is no key ring");
    }
    return rc;
}

static int rotate(const struct job *job, struct ym_catalog *c)
{
    const char *path = ring_file(c);
    struct ym_err err = {0};
    json_t *set = NULL, *keys, *key;
    ym_status rc;

    if (path == NULL) {
        return YM_EXIT_FOUND;
    }
    rc = read_set(path, &set, &err);
    if (rc == YM_OK) {
        keys = json_object_get(set, "keys");
        key = new_key(keys, job->alg != NULL ? job->alg : "A256GCM");
        rc = json_array_insert_new(keys, 0, key) == 0 ? replace(path, set, &err)
                                                      : ym_err_set(&err, YM_ENOMEM, "no new key");
        if (rc == YM_OK) {
            printf("%s: the new key %s seals from now on\n"
                   "next: reload the dispatcher, then nginx (both must have the new key), then\n"
                   "      yimen keys reseal\n",
                   path, json_string_value(json_object_get(key, "kid")));
        }
        json_decref(set);
    }
    return rc == YM_OK ? YM_EXIT_OK : ym_tool_error(&err, job->json);
}

/* ---- what is sealed ---- */

static ym_status walk_all(struct ym_reseal *r, struct ym_err *err)
{
    ym_status rc = YM_OK;

    for (int pass = 0; rc == YM_OK && pass < PASSES; pass++) {
        json_object_clear(r->left);
        r->changed = r->plain = r->unreadable = 0;
        rc = ym_reseal_walk(r, err);
        if (r->dry || r->changed == 0) {
            break;
        }
    }
    return rc;
}

static int64_t count_of(const json_t *kinds)
{
    int64_t n = 0;
    const char *kind;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)kinds, kind, v)
    {
        n += json_integer_value(v);
    }
    return n;
}

static void print_left(const struct ym_reseal *r)
{
    const char *kid, *kind;
    json_t *kinds, *n;

    for (size_t i = 1; (kid = ym_ring_kid(r->ring, i)) != NULL; i++) {
        kinds = json_object_get(r->left, kid);
        if (count_of(kinds) == 0) {
            printf("key %s: nothing is left; it can go: yimen keys drop %s\n", kid, kid);
            continue;
        }
        printf("key %s:", kid);
        json_object_foreach(kinds, kind, n)
        {
            printf(" %s %lld", kind, (long long)json_integer_value(n));
        }
        printf("\n");
    }
    json_object_foreach(r->left, kid, kinds)
    {
        if (!ym_ring_has(r->ring, kid)) {
            printf("key %s is NOT in the ring: %lld texts cannot be opened\n", kid,
                   (long long)count_of(kinds));
        }
    }
}

static ym_status open_reseal(struct ym_catalog *c, struct ym_reseal *r, struct ym_ring **ring,
                             struct ym_err *err)
{
    ym_status rc = ym_site_ring(c, ring, err);

    if (rc == YM_OK && *ring == NULL) {
        rc = ym_err_at(err, YM_EINVAL, c->file, 0, 0, "auth: ring: is not configured");
    }
    r->catalog = c;
    r->ring = *ring;
    r->left = json_object();
    return rc == YM_OK ? ym_queue_open(&c->site, &r->queue, err) : rc;
}

static void close_reseal(struct ym_reseal *r, struct ym_ring *ring)
{
    ym_queue_close(r->queue);
    ym_ring_close(ring);
    json_decref(r->left);
}

static int reseal(const struct job *job, struct ym_catalog *c)
{
    struct ym_reseal r = {.dry = job->dry, .quiet = job->json};
    struct ym_ring *ring = NULL;
    struct ym_err err = {0};
    ym_status rc = open_reseal(c, &r, &ring, &err);

    rc = rc == YM_OK ? walk_all(&r, &err) : rc;
    if (rc != YM_OK) {
        ym_tool_error(&err, job->json);
    } else if (job->json) {
        ym_tool_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:O}", "first", ym_ring_kid(ring, 0),
                               "keys", (json_int_t)r.keys, "resealed", (json_int_t)r.resealed,
                               "rekeyed", (json_int_t)r.rekeyed, "plain", (json_int_t)r.plain,
                               "unreadable", (json_int_t)r.unreadable, "left", r.left));
    } else {
        printf("%lld texts sealed anew with %s, %lld records under keyed digests, %lld plain, "
               "%lld that cannot be opened\n",
               (long long)r.resealed, ym_ring_kid(ring, 0), (long long)r.rekeyed,
               (long long)r.plain, (long long)r.unreadable);
        print_left(&r);
    }
    close_reseal(&r, ring);
    return rc != YM_OK ? YM_EXIT_ENV : r.unreadable > 0 ? YM_EXIT_FOUND : YM_EXIT_OK;
}

/* Takes a key out of the file once nothing is sealed with it any more. */
static int drop(const struct job *job, struct ym_catalog *c)
{
    struct ym_reseal r = {.dry = true, .quiet = true};
    const char *path = ring_file(c), *kid = job->words[1];
    struct ym_ring *ring = NULL;
    struct ym_err err = {0};
    json_t *set = NULL, *keys, *key;
    size_t i;
    int code = YM_EXIT_FOUND;
    ym_status rc;

    if (path == NULL) {
        return YM_EXIT_FOUND;
    }
    rc = open_reseal(c, &r, &ring, &err);
    rc = rc == YM_OK ? walk_all(&r, &err) : rc;
    if (rc == YM_OK && !ym_ring_has(ring, kid)) {
        rc = ym_err_at(&err, YM_EINVAL, path, 0, 0, "has no such sealing key");
    } else if (rc == YM_OK && strcmp(ym_ring_kid(ring, 0), kid) == 0) {
        rc = ym_err_at(&err, YM_EINVAL, path, 0, 0, "that key seals; yimen keys rotate first");
    } else if (rc == YM_OK && !job->force && count_of(json_object_get(r.left, kid)) > 0) {
        rc = ym_err_set(&err, YM_EINVAL, "%lld texts are still sealed with it: yimen keys reseal",
                        (long long)count_of(json_object_get(r.left, kid)));
    }
    rc = rc == YM_OK ? read_set(path, &set, &err) : rc;
    if (rc == YM_OK) {
        keys = json_object_get(set, "keys");
        json_array_foreach(keys, i, key)
        {
            const char *name = json_string_value(json_object_get(key, "kid"));
            if (name != NULL && strcmp(name, kid) == 0) {
                json_array_remove(keys, i);
                break;
            }
        }
        rc = replace(path, set, &err);
        json_decref(set);
    }
    if (rc == YM_OK) {
        printf("%s: key %s is gone; reload the dispatcher and nginx\n", path, kid);
        code = YM_EXIT_OK;
    } else {
        code = ym_tool_error(&err, job->json);
    }
    close_reseal(&r, ring);
    return code;
}

int ym_tool_ring_run(int argc, char **argv)
{
    struct job job = {0};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL}, {"alg", &job.alg, NULL},     {"json", NULL, &job.json},
        {"dry-run", NULL, &job.dry},   {"force", NULL, &job.force}, {NULL, NULL, NULL},
    };
    int code = YM_EXIT_USAGE;

    if (!ym_tool_options(&ym_tool_keys, argc, argv, opts, job.words, 1, 2, &job.count)) {
        return code;
    }
    bool makes = strcmp(job.words[0], "ring") == 0, drops = strcmp(job.words[0], "drop") == 0;
    if ((makes || drops) != (job.count == 2) ||
        (job.alg != NULL && strcmp(job.alg, "A256GCM") != 0 && strcmp(job.alg, "SM4-GCM") != 0)) {
        ym_tool_help(&ym_tool_keys, true);
        return code;
    }
    if (makes) {
        return make(&job);
    }
    struct ym_catalog *c = ym_tool_catalog(job.config, job.json, &code);
    if (c != NULL) {
        code = drops                                 ? drop(&job, c)
               : strcmp(job.words[0], "rotate") == 0 ? rotate(&job, c)
                                                     : reseal(&job, c);
        ym_catalog_close(c);
    }
    return code;
}
