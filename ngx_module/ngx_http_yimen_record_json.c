/* SPDX-License-Identifier: Apache-2.0
 * Records: replies in, JSON out.  `data` is passed through as text: it was
 * checked when it came and is not parsed again.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_record_json.h"
#include "ngx_http_yimen_sealed.h"

#include "ym_check.h"
#include "ym_store.h"
#include "ym_time.h"


/* what is known of a system's state is trusted so long */
#define NGX_HTTP_YIMEN_HELD_FRESH       3000


static void ngx_http_yimen_delivery_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_delivery_t *delivery);
static ngx_uint_t ngx_http_yimen_delivery_held(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_delivery_t *delivery);
static const char *ngx_http_yimen_word(const json_t *item, const char *name);


static const struct {
    char         letter;
    const char  *word;
} ngx_http_yimen_states[] = {
    { 'q', "queued" }, { 's', "sending" }, { 'd', "delivered" },
    { 'r', "retrying" }, { 'c', "sending" }, { 'u', "unknown" },
    { 'j', "rejected" }, { 'x', "dead" }, { 'h', "handoff" },
    { 'w', "withdrawn" }
};


const char *
ngx_http_yimen_state_word(char letter)
{
    ngx_uint_t  i;

    for (i = 0; i < YM_COUNT(ngx_http_yimen_states); i++) {
        if (ngx_http_yimen_states[i].letter == letter) {
            return ngx_http_yimen_states[i].word;
        }
    }

    return "unknown";
}


ngx_int_t
ngx_http_yimen_record_read(ngx_http_yimen_ctx_t *ctx, redisReply *reply,
    struct ym_str id, ngx_http_yimen_record_t *ret)
{
    if (reply->type == REDIS_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_HTTP_YIMEN_RECORD_FIELDS)
    {
        return NGX_ERROR;
    }

    return ngx_http_yimen_record_read_at(ctx, reply->element, id, ret);
}


ngx_int_t
ngx_http_yimen_record_read_at(ngx_http_yimen_ctx_t *ctx, redisReply **e,
    struct ym_str id, ngx_http_yimen_record_t *ret)
{
    size_t                      i;
    struct ym_str               sealed, text;
    const redisReply           *list;
    ngx_http_yimen_envelope_t   envelope;

    list = ngx_http_yimen_reply_record(e, ret, &sealed);
    if (list == NULL) {
        return NGX_ERROR;
    }

    ret->id = id;
    ret->attachments = YM_STR("");

    /* one that cannot be opened, which is logged, hides no other of a list */

    if (ngx_http_yimen_unseal(ctx, NGX_HTTP_YIMEN_SEAL_RECORD, id, sealed,
                              &text)
        != NGX_OK)
    {
        ret->data = YM_STR("null");

    } else if (!ngx_http_yimen_reply_envelope(text, &envelope)) {
        return NGX_ERROR;

    } else {
        ret->data = envelope.data;
        ret->attachments = envelope.attachments;
    }

    ret->deliveries = ngx_pcalloc(ctx->request->pool,
                                  (ret->count + 1)
                                  * sizeof(ngx_http_yimen_delivery_t));
    if (ret->deliveries == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ret->count; i++) {
        if (!ngx_http_yimen_reply_delivery(list->element[i],
                                           &ret->deliveries[i]))
        {
            return NGX_ERROR;
        }

        ret->deliveries[i].problem =
               ngx_http_yimen_unseal_text(ctx, NGX_HTTP_YIMEN_SEAL_PROBLEM,
                                          id, ret->deliveries[i].problem);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_yimen_envelope_read(struct ym_str text,
    ngx_http_yimen_envelope_t *ret)
{
    return ngx_http_yimen_reply_envelope(text, ret) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_yimen_attachments_write(struct ym_buf *out, struct ym_str text,
    ngx_uint_t masked)
{
    size_t   i;
    json_t  *list, *item;

    ym_buf_adds(out, ",\"attachments\":");

    if (text.n == 0) {
        ym_buf_adds(out, "[]");
        return;
    }

    if (!masked) {
        ym_buf_add(out, text.p, text.n);
        return;
    }

    list = NULL;
    (void) ym_json_parse(text, &ym_json_defaults, &list, NULL);
    ym_buf_addc(out, '[');

    json_array_foreach(list, i, item) {
        ym_buf_addf(out, "%s{\"id\":\"%s\",\"kind\":\"%s\","
                    "\"name\":\"***\",\"mime\":\"%s\",\"size\":%lld}",
                    i ? "," : "", ngx_http_yimen_word(item, "id"),
                    ngx_http_yimen_word(item, "kind"),
                    ngx_http_yimen_word(item, "mime"),
                    (long long) json_integer_value(json_object_get(item,
                                                                   "size")));
    }

    ym_buf_addc(out, ']');
    json_decref(list);
}


static const char *
ngx_http_yimen_word(const json_t *item, const char *name)
{
    const char  *word;

    word = ym_json_str(item, name);

    return (word != NULL) ? word : "";
}


void
ngx_http_yimen_int_write(struct ym_buf *out, int64_t n)
{
    u_char  text[NGX_INT64_LEN], *last;

    last = ngx_sprintf(text, "%L", n);
    ym_buf_add(out, text, (size_t) (last - text));
}


void
ngx_http_yimen_time_write(struct ym_buf *out, int64_t ms)
{
    char  text[YM_TIME_TEXT];

    if (ms <= 0) {
        ym_buf_adds(out, "null");
        return;
    }

    ym_time_format(ms, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN, text);
    ym_buf_addc(out, '"');
    ym_buf_adds(out, text);
    ym_buf_addc(out, '"');
}


void
ngx_http_yimen_record_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record, ngx_uint_t masked)
{
    ngx_uint_t      i;
    struct ym_buf  *out;

    out = &ctx->out;

    ym_buf_adds(out, "{\"id\":");
    ym_buf_add_json(out, record->id);
    ym_buf_adds(out, ",\"type\":");
    ym_buf_add_json(out, record->type);
    ym_buf_adds(out, ",\"revision\":");
    ngx_http_yimen_int_write(out, record->revision);
    ym_buf_adds(out, ",\"data\":");

    if (masked) {
        ngx_http_yimen_data_masked(ctx, record->type, record->data, out);
        ym_buf_adds(out, ",\"masked\":true");

    } else {
        ym_buf_add(out, record->data.p, record->data.n);
    }

    ngx_http_yimen_attachments_write(out, record->attachments, masked);
    ym_buf_adds(out, ",\"owner\":");
    ym_buf_add_json(out, record->owner);
    ym_buf_adds(out, ",\"org\":");
    ym_buf_add_json(out, record->org);
    ym_buf_adds(out, ",\"area\":");
    ym_buf_add_json(out, record->area);
    ym_buf_adds(out, ",\"created_at\":");
    ngx_http_yimen_time_write(out, record->created);
    ym_buf_adds(out, ",\"updated_at\":");
    ngx_http_yimen_time_write(out, record->updated);
    ym_buf_adds(out, ",\"withdrawn_at\":");
    ngx_http_yimen_time_write(out, record->withdrawn);
    ym_buf_adds(out, ",\"targets\":[");

    for (i = 0; i < record->count; i++) {
        if (i) {
            ym_buf_addc(out, ',');
        }

        ym_buf_add_json(out, record->deliveries[i].system);
    }

    ym_buf_adds(out, "],\"deliveries\":");
    ngx_http_yimen_progress_write(ctx, record);
    ym_buf_addc(out, '}');
}


void
ngx_http_yimen_progress_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    ngx_uint_t  i;

    ym_buf_addc(&ctx->out, '{');

    for (i = 0; i < record->count; i++) {
        if (i) {
            ym_buf_addc(&ctx->out, ',');
        }

        ngx_http_yimen_delivery_write(ctx, &record->deliveries[i]);
    }

    ym_buf_addc(&ctx->out, '}');
}


static void
ngx_http_yimen_delivery_write(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_delivery_t *delivery)
{
    struct ym_buf  *out;

    out = &ctx->out;

    ym_buf_add_json(out, delivery->system);
    ym_buf_adds(out, ":{\"state\":\"");
    ym_buf_adds(out, ngx_http_yimen_delivery_held(ctx, delivery)
                     ? "held" : ngx_http_yimen_state_word(delivery->letter));
    ym_buf_adds(out, "\",\"revision\":");
    ngx_http_yimen_int_write(out, delivery->has);
    ym_buf_adds(out, ",\"wanted\":");
    ngx_http_yimen_int_write(out, delivery->wanted);
    ym_buf_adds(out, ",\"number\":");

    if (delivery->number.n) {
        ym_buf_add_json(out, delivery->number);

    } else {
        ym_buf_adds(out, "null");

        /* the evidence then is what the system answered */

        if (delivery->digest.n) {
            ym_buf_adds(out, ",\"digest\":");
            ym_buf_add_json(out, delivery->digest);
        }
    }

    ym_buf_adds(out, ",\"attempts\":");
    ngx_http_yimen_int_write(out, delivery->attempts);
    ym_buf_adds(out, ",\"next_attempt\":");
    ngx_http_yimen_time_write(out, delivery->next_ms);
    ym_buf_adds(out, ",\"problem\":");

    if (delivery->problem.n) {
        ym_buf_add(out, delivery->problem.p, delivery->problem.n);

    } else {
        ym_buf_adds(out, "null");
    }

    ym_buf_addc(out, '}');
}


/* waiting, and its system takes nothing at present: paused, closed, down */

static ngx_uint_t
ngx_http_yimen_delivery_held(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_delivery_t *delivery)
{
    size_t                    i;
    const struct ym_catalog  *catalog;
    ngx_http_yimen_worker_t  *w;

    w = &ngx_http_yimen_worker;

    if (w->held == 0
        || (delivery->letter != 'q' && delivery->letter != 'r')
        || ngx_current_msec - w->held_at > NGX_HTTP_YIMEN_HELD_FRESH)
    {
        return 0;
    }

    catalog = ctx->conf->catalog;

    for (i = 0; i < catalog->system_count && i < 64; i++) {
        if (ym_str_is(delivery->system, catalog->systems[i].id)) {
            return (w->held >> i) & 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_yimen_record_settled(const ngx_http_yimen_record_t *rec)
{
    char        letter;
    ngx_uint_t  i;

    for (i = 0; i < rec->count; i++) {
        letter = rec->deliveries[i].letter;

        if (letter == 'q' || letter == 's' || letter == 'r' || letter == 'c'
            || (letter == 'u' && rec->deliveries[i].next_ms > 0))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_yimen_record_owned(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    const ngx_http_yimen_identity_t  *who;

    who = &ctx->who;

    if (who->roles & NGX_HTTP_YIMEN_ROLE_ADMIN) {
        return 1;
    }

    /* it is written to them */

    if ((who->roles & NGX_HTTP_YIMEN_ROLE_OPERATOR)
        && ym_str_is(record->type, NGX_HTTP_YIMEN_FEEDBACK))
    {
        return 1;
    }

    if (!(who->roles & (NGX_HTTP_YIMEN_ROLE_STAFF
                        | NGX_HTTP_YIMEN_ROLE_SUPERVISOR)))
    {
        return 0;
    }

    if (ym_str_eq(record->owner, who->subject)) {
        return 1;
    }

    /* area codes nest: a shorter one contains those that begin with it */

    return who->area.n > 0 && record->area.n >= who->area.n
           && ngx_memcmp(record->area.p, who->area.p, who->area.n) == 0;
}


ngx_uint_t
ngx_http_yimen_record_visible(ngx_http_yimen_ctx_t *ctx,
    const ngx_http_yimen_record_t *record)
{
    return (ctx->who.roles & NGX_HTTP_YIMEN_ROLE_OPERATOR)
           || ngx_http_yimen_record_owned(ctx, record);
}
