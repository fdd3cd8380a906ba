/* SPDX-License-Identifier: Apache-2.0
 * Opening and sealing for the dispatcher (ym_envelope.h).
 */
#include "ym_envelope.h"

#include "ym_json_fast.h"
#include "ym_log.h"
#include "ym_site_ring.h"
#include "ym_time.h"

#include <stdio.h>

#define ENVELOPE_BYTES (2u << 20) /* a body of 1 MiB and what the gateway adds */
#define PROBLEM_BYTES 16384
#define TRACE_BYTES (1u << 20)
#define CONTEXT_BYTES 64
#define KEYS_AGAIN_MS 1000

ym_status ym_keys_open(struct ym_keys *k, const struct ym_catalog *c, struct ym_err *err)
{
    *k = (struct ym_keys){.catalog = c};
    return ym_site_ring(c, &k->ring, err);
}

void ym_keys_close(struct ym_keys *k)
{
    ym_ring_close(k->ring);
    k->ring = NULL;
}

static struct ym_str context_of(const char *kind, struct ym_str id, char out[CONTEXT_BYTES])
{
    int n = snprintf(out, CONTEXT_BYTES, "%s:%.*s", kind, (int)id.n, id.p);

    return (struct ym_str){out, n > 0 && n < CONTEXT_BYTES ? (size_t)n : 0};
}

/* A key that the ring does not have: somebody may have rotated it since this process began. */
static bool keys_have(struct ym_keys *k, struct ym_str sealed)
{
    char kid[YM_SEAL_KID_MAX + 1];
    struct ym_ring *fresh = NULL;

    if (!ym_seal_kid(sealed, kid)) {
        return false;
    }
    if (k->ring != NULL && ym_ring_has(k->ring, kid)) {
        return true;
    }
    if (ym_tick_ms() < k->again_ms) {
        return false;
    }
    k->again_ms = ym_tick_ms() + KEYS_AGAIN_MS;
    if (ym_site_ring(k->catalog, &fresh, NULL) != YM_OK || fresh == NULL) {
        return false;
    }
    ym_ring_close(k->ring);
    k->ring = fresh;
    ym_log(YM_LOG_INFO, "keys.reloaded", NULL);
    return ym_ring_has(k->ring, kid);
}

/* Its words about what is wrong come from reading all of it. */
static ym_status envelope_read(struct ym_str text, const struct ym_want *want, json_t **ret,
                               struct ym_err *err)
{
    static const struct ym_json_limits limits = {ENVELOPE_BYTES, YM_JSON_DEPTH + 2,
                                                 YM_JSON_MEMBERS + 16};

    if (want != NULL && ym_json_read_wanted(text, &limits, want, ret)) {
        return YM_OK;
    }
    return ym_json_parse(text, &limits, ret, err);
}

ym_status ym_envelope_open(struct ym_keys *k, const struct ym_claimed *c,
                           const struct ym_want *want, json_t **ret, struct ym_err *err)
{
    char context[CONTEXT_BYTES];
    struct ym_buf plain;
    ym_status rc;

    if (!ym_is_sealed(c->envelope)) {
        return envelope_read(c->envelope, want, ret, err);
    }
    if (!keys_have(k, c->envelope)) {
        return ym_err_set(err, YM_EAUTH, "the key ring does not have the key of this record");
    }
    ym_buf_init(&plain, ENVELOPE_BYTES + 1);
    rc = ym_unseal(k->ring, context_of("record", c->id, context), c->envelope, &plain, err);
    if (rc == YM_OK) {
        rc = envelope_read(ym_buf_str(&plain), want, ret, err);
    } else if (rc == YM_EAUTH) {
        rc = ym_err_set(err, YM_EINVAL, "the sealed record was altered");
    }
    ym_buf_wipe(&plain);
    return rc;
}

const char *ym_envelope_problem(struct ym_keys *k, struct ym_str id, const char *problem,
                                struct ym_arena *arena)
{
    char context[CONTEXT_BYTES], *out = NULL;
    struct ym_buf sealed;

    if (problem == NULL || k->ring == NULL) {
        return problem;
    }
    ym_buf_init(&sealed, PROBLEM_BYTES);
    if (ym_seal_text(k->ring, context_of("problem", id, context), ym_str_of(problem), &sealed,
                     NULL) == YM_OK) {
        out = ym_arena_str(arena, ym_buf_str(&sealed));
    }
    ym_buf_clear(&sealed);
    return out;
}

struct ym_str ym_envelope_trace(struct ym_keys *k, struct ym_str id, struct ym_str trace,
                                struct ym_arena *arena)
{
    struct ym_str out = YM_STR_NULL;
    char context[CONTEXT_BYTES];
    struct ym_buf sealed;

    ym_buf_init(&sealed, TRACE_BYTES);
    if (k->ring == NULL || trace.n == 0) {
        ym_buf_add(&sealed, trace.p, trace.n);
    } else if (ym_seal(k->ring, context_of("attempt", id, context), trace, &sealed, NULL) !=
               YM_OK) {
        ym_buf_clear(&sealed);
    }
    if (sealed.n > 0) {
        out.p = ym_arena_copy(arena, sealed.p, sealed.n);
        out.n = out.p != NULL ? sealed.n : 0;
    }
    ym_buf_clear(&sealed);
    return out;
}

ym_status ym_problem_open(const struct ym_ring *ring, struct ym_str id, struct ym_str kept,
                          struct ym_buf *out, struct ym_err *err)
{
    char context[CONTEXT_BYTES];

    if (!ym_is_sealed_text(kept)) {
        return ym_buf_add(out, kept.p, kept.n);
    }
    if (ring == NULL) {
        return ym_err_set(err, YM_EAUTH, "it is sealed, and there is no key ring");
    }
    return ym_unseal_text(ring, context_of("problem", id, context), kept, out, err);
}
