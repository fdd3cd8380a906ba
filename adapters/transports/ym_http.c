/* SPDX-License-Identifier: Apache-2.0
 * Transports http and soap: one request, one reply. They differ in their settings only.
 */
#include "ym_http_common.h"
#include "ym_http_fields.h"
#include "ym_time.h"

static const char *const soap_versions[] = {"1.1", "1.2", NULL};
static const char *const soap_styles[] = {"document", "rpc", NULL};

const struct ym_field ym_http_fields[] = {
    YM_HTTP_FIELDS,
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

const struct ym_field ym_soap_fields[] = {
    YM_HTTP_FIELDS,
    {"version", YM_FIELD_ENUM, YM_HTTP_AT(version), "1.1", 0, 0, soap_versions, 0, "SOAP version."},
    {"style", YM_FIELD_ENUM, YM_HTTP_AT(style), "document", 0, 0, soap_styles, 0,
     "SOAP binding style."},
    {"namespace", YM_FIELD_STRING, YM_HTTP_AT(xml_namespace), NULL, 0, 0, NULL, 0,
     "Target namespace of the operations."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

struct ym_exchange {
    struct ym_request *request;
    struct ym_http_call call;
    int64_t began_ms;
};

static void http_check(const struct ym_system *sys, struct ym_diag *d)
{
    ym_http_check(sys, ym_http_fields, d);
}

static void soap_check(const struct ym_system *sys, struct ym_diag *d)
{
    ym_http_check(sys, ym_soap_fields, d);
}

static ym_status http_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                           struct ym_link **ret, struct ym_err *err)
{
    return ym_http_open(sys, secrets, ym_http_fields, false, ret, err);
}

static ym_status soap_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                           struct ym_link **ret, struct ym_err *err)
{
    return ym_http_open(sys, secrets, ym_soap_fields, false, ret, err);
}

static ym_status http_begin(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms,
                            struct ym_arena *a, struct ym_exchange **ret, CURL **ret_easy,
                            struct ym_err *err)
{
    struct ym_exchange *x = ym_arena_alloc(a, sizeof(*x));
    ym_status rc;

    if (w->kind != YM_WIRE_HTTP) {
        return ym_err_set(err, YM_EINVAL, "this wire is not for HTTP");
    }
    if (x == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    x->began_ms = ym_tick_ms();
    x->call = (struct ym_http_call){.method = w->method != NULL ? w->method : "GET",
                                    .url = w->url,
                                    .headers = w->headers,
                                    .header_count = w->header_count,
                                    .body = w->body,
                                    .timeout_ms = timeout_ms};
    rc = ym_request_open(l, a, &x->request, err);
    if (rc != YM_OK) {
        return rc;
    }
    rc = ym_request_start(x->request, &x->call, err);
    if (rc != YM_OK) {
        ym_request_close(x->request);
        return rc;
    }
    *ret = x;
    *ret_easy = ym_request_handle(x->request);
    return YM_OK;
}

static enum ym_step http_step(struct ym_exchange *x, CURLcode how, CURL **ret_easy,
                              struct ym_facts *facts)
{
    (void)ret_easy;
    ym_request_facts(x->request, how, facts);
    facts->took_ms = ym_tick_ms() - x->began_ms;
    return YM_STEP_DONE;
}

static void http_end(struct ym_exchange *x)
{
    if (x != NULL) {
        ym_request_close(x->request);
    }
}

const struct ym_transport ym_transport_http = {
    .name = "http",
    .summary = "One HTTP/1.1 request per operation: JSON, form-encoded or XML bodies.",
    .check = http_check,
    .open = http_open,
    .close = ym_http_close,
    .begin = http_begin,
    .step = http_step,
    .end = http_end,
};

const struct ym_transport ym_transport_soap = {
    .name = "soap",
    .summary = "SOAP 1.1 and 1.2 over HTTP/1.1.",
    .check = soap_check,
    .open = soap_open,
    .close = ym_http_close,
    .begin = http_begin,
    .step = http_step,
    .end = http_end,
};
