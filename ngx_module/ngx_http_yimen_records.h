/* SPDX-License-Identifier: Apache-2.0
 * What creating, changing and reading a record share.
 */
#ifndef NGX_HTTP_YIMEN_RECORDS_H
#define NGX_HTTP_YIMEN_RECORDS_H

#include "ngx_http_yimen_record_json.h"

#include "ym_check.h"
#include "ym_id.h"


/* work of a request about one record: ctx->work */
typedef struct {
    char                       id[YM_ID_LEN + 1];
    ngx_http_yimen_record_t    record;    /* what is answered if all is lost */
    const struct ym_type      *type;
    struct ym_targets          targets;
    struct ym_buf              envelope;
    struct ym_str              attachments;  /* JSON, "" = none */
    void                      *attach;    /* NULL: no list was given */
    struct ym_str              idem;      /* digest of the key, or "" */
    struct ym_str              reason;    /* of an amendment; "" = none */
    struct ngx_http_yimen_amend_s *amend; /* its own; NULL = none */

    ngx_uint_t                 status;    /* of the answer */
    ngx_uint_t                 wait;      /* seconds asked for; 0 = none */
    ngx_msec_t                 wait_from;
    ngx_msec_t                 wait_step;
} ngx_http_yimen_record_work_t;


/* ctx->work, zeroed, freed with the request; NULL: answered with 500 */
ngx_http_yimen_record_work_t *
    ngx_http_yimen_record_work(ngx_http_yimen_ctx_t *ctx);

/* shard of a valid id */
ngx_uint_t ngx_http_yimen_record_shard(ngx_http_yimen_ctx_t *ctx,
    struct ym_str id);

/*
 * Reads record ctx->params[0] and the systems' state, then runs handler with
 * work->record filled, if the caller may see the record; else answers 404.
 * change: only those who may change it get through.
 */
void ngx_http_yimen_record_fetch(ngx_http_yimen_ctx_t *ctx, ngx_uint_t change,
    ngx_http_yimen_handler_pt handler);

/* answers work->status with the record, Location (201) and ETag */
void ngx_http_yimen_record_answer(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);

/* `Prefer: wait=N`: N, at most 30, or 0 */
ngx_uint_t ngx_http_yimen_record_prefer(ngx_http_yimen_ctx_t *ctx);

/*
 * Answers with the record as it is now; while work->wait seconds are not over
 * and a delivery is under way, later.
 */
void ngx_http_yimen_record_follow(ngx_http_yimen_ctx_t *ctx);

/* starts {"at":…,"by":…,"data": in work->envelope */
ngx_int_t ngx_http_yimen_envelope_open(ngx_http_yimen_ctx_t *ctx,
    int64_t now);

/* appends the search keys of data as arguments: count, [name, digest]… */
ngx_int_t ngx_http_yimen_record_keys(ngx_http_yimen_args_t *args,
    const struct ym_type *type, const json_t *data);

/* digest under which a key's value is found: 64 hex digits and a NUL */
ngx_int_t ngx_http_yimen_key_digest(ngx_http_yimen_ctx_t *ctx,
    const char *name, struct ym_str value, struct ym_str *ret);

/* {id, type, revision, …, data} for the check; NULL: answered with 500 */
json_t *ngx_http_yimen_record_object(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record, int64_t revision, json_t *data);

/* `reason` of the body as it is kept (sealed); NGX_ERROR: answered, 422 */
ngx_int_t ngx_http_yimen_reason(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);

/*
 * Changing a record on behalf of its owner.  From what to what: kept for the
 * evidence, which args waits for; what came of it instead, when it was not
 * taken.
 */
void ngx_http_yimen_amend_changes(ngx_http_yimen_ctx_t *ctx,
    const json_t *before, const json_t *after);
void ngx_http_yimen_amend_noted_first(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_args_t *args, ngx_http_yimen_handler_pt handler);
void ngx_http_yimen_amend_refused(ngx_http_yimen_ctx_t *ctx,
    struct ym_str word);

/* the patch behind PATCH and amend: reads the record, checks, revises */
void ngx_http_yimen_record_change(ngx_http_yimen_ctx_t *ctx);

/* `purpose` of the body as it was typed; NGX_ERROR: answered, 422 */
ngx_int_t ngx_http_yimen_reveal_purpose(ngx_http_yimen_ctx_t *ctx,
    struct ym_str *ret);

/*
 * Writes into the evidence who reveals what for which purpose; the handler
 * gets the answer: no evidence, no data.  system: "" for the whole record.
 */
void ngx_http_yimen_reveal_note(ngx_http_yimen_ctx_t *ctx,
    struct ym_str system, ngx_http_yimen_handler_pt handler);

/*
 * Whether the caller sees in full what somebody else has filed: that is a fact
 * worth writing down.  The second does it, for a record or (id "") for many.
 */
ngx_uint_t ngx_http_yimen_record_of_others(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record);
void ngx_http_yimen_record_noted(ngx_http_yimen_ctx_t *ctx, const char *what,
    struct ym_str id, struct ym_str why);

/* what the systems are up to: ngx_http_yimen_systems.c */
void ngx_http_yimen_systems_args(ngx_http_yimen_ctx_t *ctx,
    ngx_http_yimen_args_t *args);
void ngx_http_yimen_systems_heard(ngx_http_yimen_ctx_t *ctx,
    const redisReply *reply);

#endif /* NGX_HTTP_YIMEN_RECORDS_H */
