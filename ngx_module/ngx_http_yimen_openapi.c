/* SPDX-License-Identifier: Apache-2.0
 * GET /openapi.json: OpenAPI 3.1, built when the configuration is loaded from
 * the route table and the types, so that it cannot fall behind them.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_session.h"

#include "ym_attachment.h"


#define NGX_HTTP_YIMEN_OPENAPI_BYTES  (8 * 1024 * 1024)


/* a query parameter or header of an operation */
typedef struct {
    const char  *operation;
    const char  *in;
    const char  *name;
    const char  *schema;     /* JSON */
    const char  *words;
} ngx_http_yimen_parameter_t;

/* bodies and answers that are more than {"reason": …} and an object */
typedef struct {
    const char  *operation;
    const char  *body;       /* schema, JSON; NULL = Reason */
    const char  *answer;     /* schema, JSON; NULL = object */
    const char  *status;
} ngx_http_yimen_operation_t;


static void ngx_http_yimen_openapi_free(void *data);
static void ngx_http_yimen_openapi_paths(struct ym_buf *out);
static void ngx_http_yimen_openapi_operation(struct ym_buf *out,
    const ngx_http_yimen_route_t *route);
static void ngx_http_yimen_openapi_parameters(struct ym_buf *out,
    const ngx_http_yimen_route_t *route);
static void ngx_http_yimen_openapi_parameter(struct ym_buf *out,
    ngx_uint_t first, const char *in, struct ym_str name, const char *schema,
    const char *words);
static void ngx_http_yimen_openapi_file(struct ym_buf *out,
    const char *before);
static void ngx_http_yimen_openapi_roles(struct ym_buf *out,
    const ngx_http_yimen_route_t *route);
static ngx_int_t ngx_http_yimen_openapi_schemas(struct ym_buf *out,
    const struct ym_catalog *catalog);
static void ngx_http_yimen_openapi_new_record(struct ym_buf *out,
    const struct ym_catalog *catalog);
static int ngx_http_yimen_openapi_write(const char *text, size_t n,
    void *data);


#define REF(name)  "{\"$ref\":\"#/components/schemas/" name "\"}"
#define MESSAGE    REF("Message")
#define TEXT       "{\"type\":\"string\"}"
#define WHEN       "{\"type\":\"string\",\"format\":\"date-time\"}"
#define WHEN_NULL  "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define DAY        "{\"type\":\"string\",\"format\":\"date\"}"
#define COUNT(max) "{\"type\":\"integer\",\"minimum\":1,\"maximum\":" max "}"


static const ngx_http_yimen_parameter_t  ngx_http_yimen_parameters[] = {
    { "createRecord", "query", "dry_run", "{\"type\":\"boolean\"}",
      "Only check" },
    { "createRecord", "header", "Idempotency-Key",
      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,"
      "\"pattern\":\"^[!-~]+$\"}",
      "A repeat with the same key and body gets the first answer again" },
    { "createRecord", "header", "Prefer", TEXT,
      "wait=N: answer when all deliveries have settled, after 30 s at most" },
    { "createFeedback", "header", "Idempotency-Key",
      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,"
      "\"pattern\":\"^[!-~]+$\"}",
      "A repeat with the same key and body gets the first answer again" },
    { "createAttachment", "query", "kind",
      "{\"enum\":[\"photo\",\"audio\",\"doc\",\"signature\"]}",
      "What it is; by default what its type suggests" },
    { "createAttachment", "query", "captured_at", WHEN,
      "When it was taken, with a zone" },
    { "createAttachment", "header", "Content-Disposition", TEXT,
      "The file name (RFC 6266): attachment; filename*=UTF-8''…" },
    { "listRecords", "query", "type", TEXT, "Only this type" },
    { "listRecords", "query", "state", TEXT,
      "Only with a delivery in this state" },
    { "listRecords", "query", "system", TEXT,
      "Only with a delivery to this system" },
    { "listRecords", "query", "area", TEXT, "Area code, or its beginning" },
    { "listRecords", "query", "owner", TEXT, "Subject of the author" },
    { "listRecords", "query", "from", WHEN, "Created then or later" },
    { "listRecords", "query", "to", WHEN, "Created before" },
    { "listRecords", "query", "key.{name}", TEXT,
      "Exact match of a search key that the type declares (x-keys)" },
    { "listRecords", "query", "limit", COUNT("200"), "Page size, default 50" },
    { "listRecords", "query", "cursor", TEXT, "From `next`" },
    { "patchRecord", "header", "If-Match", TEXT, "The ETag that was read" },
    { "patchRecord", "header", "Prefer", TEXT, "wait=N" },
    { "amendRecord", "header", "If-Match", TEXT, "The ETag that was read" },
    { "listDeliveries", "query", "system", TEXT, "Only this system" },
    { "listDeliveries", "query", "state", TEXT,
      "retrying, unknown, rejected, dead or handoff" },
    { "listDeliveries", "query", "limit", COUNT("200"), "Page size" },
    { "listDeliveries", "query", "cursor", TEXT, "From `next`" },
    { "listUsers", "query", "limit", COUNT("200"), "Page size" },
    { "listUsers", "query", "cursor", TEXT, "From `next`" },
    { "reportRedundancy", "query", "type", TEXT, "Only this type" },
    { "reportRedundancy", "query", "table",
      "{\"enum\":[\"fields\",\"systems\"]}",
      "Of the CSV: a row per field, or the ranked systems" },
    { "reportBurden", "query", "from", DAY, "First day; 30 days back" },
    { "reportBurden", "query", "to", DAY, "Last day; today" },
    { "reportUsage", "query", "from", DAY, "First day; 30 days back" },
    { "reportUsage", "query", "to", DAY, "Last day; today" },
    { "listAudit", "query", "limit", COUNT("200"), "Page size" },
    { "listAudit", "query", "who", TEXT, "Person id" },
    { "listAudit", "query", "what", TEXT, "What was done" },
    { "listAudit", "query", "record", TEXT, "Record id" },
    { "listAudit", "query", "system", TEXT, "System id" },
    { "listAudit", "query", "outcome", TEXT, "ok or refused" },
    { "listAudit", "query", "from", WHEN, "Date or RFC 3339 time" },
    { "listAudit", "query", "to", WHEN, "Date or time, not included" },
    { "listAudit", "query", "cursor", TEXT, "From `next`" }
};


/* an attachment as a record is filed with it */
#define NAMED                                                                 \
    "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":"      \
    TEXT "}}"

#define USER                                                                  \
    "\"login\":" TEXT ",\"aliases\":{\"type\":\"array\",\"maxItems\":5,"       \
    "\"items\":" TEXT "},\"email\":" TEXT ",\"name\":" TEXT ",\"org\":" TEXT   \
    ",\"area\":" TEXT ",\"roles\":{\"type\":\"array\",\"minItems\":1,"        \
    "\"items\":{\"enum\":[\"staff\",\"supervisor\",\"operator\",\"auditor\","  \
    "\"admin\"]}},\"disabled\":{\"type\":\"boolean\"}"


static const ngx_http_yimen_operation_t  ngx_http_yimen_operations[] = {
    { "createUser",
      "{\"type\":\"object\",\"required\":[\"login\",\"roles\"],"
      "\"properties\":{" USER "},\"additionalProperties\":false}",
      NULL, "201" },
    { "patchUser",
      "{\"type\":\"object\",\"properties\":{" USER ",\"second_factor\":"
      "{\"type\":[\"boolean\",\"null\"]}},\"additionalProperties\":false}",
      NULL, "200" },
    { "resetUser", "{\"type\":\"object\"}", NULL, "200" },
    { "unlockUser", "{\"type\":\"object\"}", NULL, "200" },
    { "createRecord", REF("NewRecord"), REF("Record"), "201" },
    { "listRecords", NULL, REF("Page"), "200" },
    { "getRecord", NULL, REF("Record"), "200" },
    { "patchRecord",
      "{\"type\":\"object\",\"minProperties\":1,\"properties\":"
      "{\"data\":{\"type\":\"object\"},\"attachments\":{\"type\":"
      "[\"array\",\"null\"],\"items\":" NAMED "}},"
      "\"additionalProperties\":false}",
      REF("Record"), "200" },
    { "createAttachment", NULL, REF("Attachment"), "201" },
    { "amendRecord",
      "{\"type\":\"object\",\"required\":[\"data\",\"reason\"],"
      "\"properties\":{\"data\":{\"type\":\"object\"},\"reason\":"
      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":500}},"
      "\"additionalProperties\":false}", REF("Record"), "200" },
    { "revealRecord",
      "{\"type\":\"object\",\"required\":[\"purpose\"],\"properties\":{"
      "\"purpose\":{\"type\":\"string\",\"minLength\":1,"
      "\"maxLength\":500}}}", REF("Record"), "200" },
    { "withdrawRecord", NULL, REF("Record"), "200" },
    { "createFeedback",
      "{\"type\":\"object\",\"required\":[\"data\"],\"properties\":"
      "{\"data\":{\"type\":\"object\"}}}", REF("Record"), "201" },
    { "renderRecord",
      "{\"type\":\"object\",\"properties\":{\"record\":" TEXT
      ",\"type\":" TEXT ",\"data\":{\"type\":\"object\"},"
      "\"operation\":" TEXT "},\"additionalProperties\":false}",
      NULL, "200" },
    { "closeFeedback", NULL, REF("Record"), "200" },
    { "retryDelivery", NULL, REF("Record"), "200" },
    { "resolveDelivery",
      "{\"type\":\"object\",\"required\":[\"action\",\"reason\"],"
      "\"properties\":{\"action\":{\"enum\":[\"delivered\",\"resend\","
      "\"rejected\"]},\"number\":" TEXT ",\"reason\":" TEXT "}}",
      REF("Record"), "200" },
    { "listAttempts", NULL, REF("Attempts"), "200" },
    { "revealAttempts",
      "{\"type\":\"object\",\"required\":[\"purpose\"],\"properties\":{"
      "\"purpose\":{\"type\":\"string\",\"minLength\":1,"
      "\"maxLength\":500}}}", REF("Attempts"), "200" },
    { "replaySystem",
      "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":"
      "{\"reason\":" TEXT ",\"states\":{\"type\":\"array\",\"items\":"
      "{\"enum\":[\"dead\",\"rejected\"]}},\"since\":" WHEN
      ",\"max\":" COUNT("1000") ",\"dry_run\":{\"type\":\"boolean\"}}}",
      NULL, "200" }
};


static const char  ngx_http_yimen_openapi_attempts[] =
    "\"Message\":{\"type\":\"object\",\"properties\":{\"text\":" TEXT
    ",\"type\":" TEXT ",\"bytes\":{\"type\":\"integer\"},"
    "\"cut\":{\"type\":\"boolean\"}}},"
    "\"Attempts\":{\"type\":\"object\",\"properties\":{\"record\":" TEXT
    ",\"system\":" TEXT ",\"masked\":{\"const\":true},\"items\":{\"type\":"
    "\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"at\":" WHEN
    ",\"attempt\":{\"type\":\"integer\"},\"revision\":{\"type\":"
    "\"integer\"},\"op\":{\"enum\":[\"create\",\"update\",\"withdraw\","
    "\"lookup\"]},\"state\":" TEXT ",\"unreadable\":{\"const\":true},"
    "\"steps\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"operation\":" TEXT ",\"outcome\":" TEXT ",\"sent\":"
    "{\"enum\":[\"not_sent\",\"no_reply\",\"replied\"]},\"stage\":" TEXT
    ",\"status\":{\"type\":\"integer\"},\"error\":" TEXT ",\"took_ms\":"
    "{\"type\":\"integer\"},\"rule\":{\"type\":\"integer\"},\"number\":"
    TEXT ",\"request\":" MESSAGE ",\"answer\":" MESSAGE
    "}}}}}}}},";


static const char  ngx_http_yimen_openapi_fixed[] =
    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\","
    "\"status\"],\"properties\":{\"type\":" TEXT ",\"title\":" TEXT
    ",\"status\":{\"type\":\"integer\"},\"detail\":" TEXT ",\"instance\":"
    TEXT ",\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"pointer\",\"code\",\"message\"],\"properties\":"
    "{\"pointer\":" TEXT ",\"code\":" TEXT ",\"message\":" TEXT
    ",\"limit\":{\"type\":\"integer\"},\"systems\":{\"type\":\"array\","
    "\"items\":" TEXT "}}}}}},"
    "\"Reason\":{\"type\":\"object\",\"required\":[\"reason\"],"
    "\"properties\":{\"reason\":{\"type\":\"string\",\"minLength\":1,"
    "\"maxLength\":500}}},"
    "\"Delivery\":{\"type\":\"object\",\"properties\":{\"state\":{\"enum\":"
    "[\"queued\",\"sending\",\"delivered\",\"retrying\",\"held\",\"unknown\","
    "\"rejected\",\"dead\",\"handoff\",\"withdrawn\"]},"
    "\"revision\":{\"type\":\"integer\"},\"wanted\":{\"type\":\"integer\"},"
    "\"number\":{\"type\":[\"string\",\"null\"]},\"digest\":" TEXT
    ",\"attempts\":{\"type\":\"integer\"},\"next_attempt\":" WHEN_NULL ",\"problem\":"
    "{\"type\":[\"object\",\"null\"]}}},"
    "\"Record\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":"
    "\"string\",\"pattern\":\"^[0-9A-HJKMNP-TV-Z]{26}$\"},\"type\":" TEXT
    ",\"revision\":{\"type\":\"integer\",\"minimum\":1},\"data\":{\"type\":"
    "\"object\"},\"masked\":{\"const\":true},\"owner\":" TEXT ",\"org\":" TEXT
    ",\"area\":" TEXT ",\"created_at\":" WHEN ",\"updated_at\":" WHEN
    ",\"withdrawn_at\":" WHEN_NULL ",\"targets\":{\"type\":\"array\","
    "\"items\":" TEXT "},\"deliveries\":{\"type\":\"object\","
    "\"additionalProperties\":" REF("Delivery") "},\"attachments\":"
    "{\"type\":\"array\",\"maxItems\":20,\"items\":" REF("Attachment")
    "}}},"
    "\"Attachment\":{\"type\":\"object\",\"properties\":{\"id\":" TEXT
    ",\"kind\":{\"enum\":[\"photo\",\"audio\",\"doc\",\"signature\"]},"
    "\"name\":" TEXT ",\"mime\":" TEXT ",\"size\":{\"type\":\"integer\"},"
    "\"sha256\":" TEXT ",\"captured_at\":" WHEN "}},"

    "\"Page\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":"
    "\"array\",\"items\":" REF("Record") "},\"next\":{\"type\":[\"string\","
    "\"null\"]}}}";


char *
ngx_http_yimen_openapi_build(ngx_conf_t *cf,
    ngx_http_yimen_main_conf_t *ymcf)
{
    ngx_int_t            rc;
    struct ym_buf        out;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ym_buf_init(&out, NGX_HTTP_YIMEN_OPENAPI_BYTES);

    ym_buf_adds(&out,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Yimen\","
        "\"version\":\"1\",\"license\":{\"name\":\"Apache-2.0\","
        "\"identifier\":\"Apache-2.0\"}},"
        "\"security\":[{\"bearer\":[]},{\"session\":[]}],\"paths\":{");
    ngx_http_yimen_openapi_paths(&out);
    ym_buf_adds(&out,
        "},\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":"
        "\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"},"
        "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":"
        "\"" NGX_HTTP_YIMEN_COOKIE "\",\"description\":\"Other methods than "
        "GET and HEAD need the header X-Yimen-CSRF with the value of csrf "
        "in GET /api/v1/me\"}},"
        "\"schemas\":{");
    ym_buf_adds(&out, ngx_http_yimen_openapi_attempts);
    ym_buf_adds(&out, ngx_http_yimen_openapi_fixed);
    rc = ngx_http_yimen_openapi_schemas(&out, ymcf->catalog);
    ym_buf_adds(&out, "}}}\n");

    if (rc != NGX_OK || out.failed != YM_OK) {
        ym_buf_clear(&out);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the OpenAPI document could not be built");
        return NGX_CONF_ERROR;
    }

    ymcf->openapi.data = (u_char *) out.p;
    ymcf->openapi.len = out.n;

    cln->handler = ngx_http_yimen_openapi_free;
    cln->data = &ymcf->openapi;

    return NGX_CONF_OK;
}


static void
ngx_http_yimen_openapi_free(void *data)
{
    ngx_str_t  *text = data;

    free(text->data);
}


void
ngx_http_yimen_openapi_get(ngx_http_yimen_ctx_t *ctx)
{
    ym_buf_add(&ctx->out, ctx->conf->openapi.data, ctx->conf->openapi.len);

    ngx_http_yimen_answer(ctx, NGX_HTTP_OK, NULL);
}


/*
 * Routes of one path stand together in the document.  Pages are for browsers
 * and not part of it.
 */

static void
ngx_http_yimen_openapi_paths(struct ym_buf *out)
{
    ngx_uint_t                     paths, methods;
    const ngx_http_yimen_route_t  *route, *other;

    paths = 0;

    for (route = ngx_http_yimen_routes; route->path != NULL; route++) {

        if (route->flags & NGX_HTTP_YIMEN_ROUTE_PAGE) {
            continue;
        }

        for (other = ngx_http_yimen_routes; other < route; other++) {
            if (ngx_strcmp(other->path, route->path) == 0
                && !(other->flags & NGX_HTTP_YIMEN_ROUTE_PAGE))
            {
                break;
            }
        }

        if (other < route) {
            continue;
        }

        if (paths++) {
            ym_buf_addc(out, ',');
        }

        ym_buf_add_json(out, ym_str_of(route->path));
        ym_buf_adds(out, ":{");
        methods = 0;

        for (other = route; other->path != NULL; other++) {

            if (ngx_strcmp(other->path, route->path) != 0
                || (other->flags & NGX_HTTP_YIMEN_ROUTE_PAGE))
            {
                continue;
            }

            if (methods++) {
                ym_buf_addc(out, ',');
            }

            ngx_http_yimen_openapi_operation(out, other);
        }

        ym_buf_addc(out, '}');
    }
}


static void
ngx_http_yimen_openapi_operation(struct ym_buf *out,
    const ngx_http_yimen_route_t *route)
{
    ngx_uint_t                         i, csv;
    const char                        *body, *answer, *status;
    const ngx_http_yimen_operation_t  *op;

    body = REF("Reason");
    answer = "{\"type\":\"object\"}";
    status = "200";

    for (i = 0; i < YM_COUNT(ngx_http_yimen_operations); i++) {
        op = &ngx_http_yimen_operations[i];

        if (ngx_strcmp(op->operation, route->name) == 0) {
            body = (op->body != NULL) ? op->body : body;
            answer = (op->answer != NULL) ? op->answer : answer;
            status = op->status;
        }
    }

    ym_buf_adds(out, route->method == NGX_HTTP_GET ? "\"get\""
                     : route->method == NGX_HTTP_PATCH ? "\"patch\""
                     : route->method == NGX_HTTP_PUT ? "\"put\""
                     : route->method == NGX_HTTP_DELETE ? "\"delete\""
                     : "\"post\"");
    ym_buf_adds(out, ":{\"operationId\":");
    ym_buf_add_json(out, ym_str_of(route->name));
    ym_buf_adds(out, ",\"summary\":");
    ym_buf_add_json(out, ym_str_of(route->summary));

    ngx_http_yimen_openapi_roles(out, route);
    ngx_http_yimen_openapi_parameters(out, route);

    if (route->flags & (NGX_HTTP_YIMEN_ROUTE_BODY
                        | NGX_HTTP_YIMEN_ROUTE_PATCH))
    {
        ym_buf_addf(out, ",\"requestBody\":{\"required\":true,\"content\":"
                         "{\"%s\":{\"schema\":%s}}}",
                    (route->flags & NGX_HTTP_YIMEN_ROUTE_PATCH)
                    ? "application/merge-patch+json" : "application/json",
                    body);
    }

    if (route->flags & NGX_HTTP_YIMEN_ROUTE_FORM) {
        ym_buf_adds(out, ",\"requestBody\":{\"required\":true,\"content\":"
                         "{\"application/x-www-form-urlencoded\":{}}}");
    }

    if (route->flags & NGX_HTTP_YIMEN_ROUTE_FILE) {
        ngx_http_yimen_openapi_file(out, ",\"requestBody\":{\"required\":true,"
                                         "\"content\":{");
    }

    if (ngx_strcmp(route->name, "getAttachment") == 0) {
        ngx_http_yimen_openapi_file(out, ",\"responses\":{\"200\":"
                                         "{\"description\":\"OK\","
                                         "\"content\":{");
        ym_buf_adds(out, ",\"default\":{\"description\":\"Problem\","
                         "\"content\":{\"application/problem+json\":{"
                         "\"schema\":" REF("Problem") "}}}}}");
        return;
    }

    if (ngx_strcmp(route->name, "getMetrics") == 0) {
        ym_buf_adds(out, ",\"responses\":{\"200\":{\"description\":\"OK\","
                         "\"content\":{\"text/plain\":{}}}}}");
        return;
    }

    csv = ngx_strncmp(route->name, "report", 6) == 0;

    ym_buf_addf(out, ",\"responses\":{\"%s\":{\"description\":\"OK\","
                     "\"content\":{\"application/json\":{\"schema\":%s}%s}},"
                     "\"default\":{\"description\":\"Problem\",\"content\":"
                     "{\"application/problem+json\":{\"schema\":"
                     REF("Problem") "}}}}}",
                status, answer, csv ? ",\"text/csv\":{}" : "");
}


/* bytes of any type that may be attached */

static void
ngx_http_yimen_openapi_file(struct ym_buf *out, const char *before)
{
    struct ym_buf  list;
    const char    *p, *end;

    ym_buf_init(&list, 1024);
    (void) ym_media_list(&list);
    ym_buf_adds(out, before);

    for (p = list.p; p != NULL && *p != '\0'; p = (*end) ? end + 2 : end) {
        end = p + strcspn(p, ",");
        ym_buf_addf(out, "%s\"%.*s\":{}", p > list.p ? "," : "",
                    (int) (end - p), p);
    }

    ym_buf_clear(&list);
    ym_buf_adds(out, "}}");
}


static void
ngx_http_yimen_openapi_roles(struct ym_buf *out,
    const ngx_http_yimen_route_t *route)
{
    ngx_uint_t  bit, n;

    if (route->flags & NGX_HTTP_YIMEN_ROUTE_PUBLIC) {
        ym_buf_adds(out, ",\"security\":[]");
        return;
    }

    n = 0;
    ym_buf_adds(out, ",\"x-roles\":[");

    for (bit = 1; bit <= NGX_HTTP_YIMEN_ROLE_ADMIN; bit <<= 1) {

        if (route->roles & bit) {
            ym_buf_addf(out, "%s\"%s\"", n++ ? "," : "",
                        ngx_http_yimen_role_name(bit));
        }
    }

    ym_buf_addc(out, ']');
}


static void
ngx_http_yimen_openapi_parameters(struct ym_buf *out,
    const ngx_http_yimen_route_t *route)
{
    ngx_uint_t                         i, n;
    const char                        *p, *end;
    const ngx_http_yimen_parameter_t  *parameter;

    n = 0;
    ym_buf_adds(out, ",\"parameters\":[");

    for (p = ngx_strchr(route->path, '{'); p; p = ngx_strchr(end, '{')) {
        end = ngx_strchr(p, '}');

        ngx_http_yimen_openapi_parameter(out, n++ == 0, "path",
                          (struct ym_str){ p + 1, (size_t) (end - p - 1) },
                          TEXT, NULL);
    }

    for (i = 0; i < YM_COUNT(ngx_http_yimen_parameters); i++) {
        parameter = &ngx_http_yimen_parameters[i];

        if (ngx_strcmp(parameter->operation, route->name) == 0) {
            ngx_http_yimen_openapi_parameter(out, n++ == 0, parameter->in,
                                             ym_str_of(parameter->name),
                                             parameter->schema,
                                             parameter->words);
        }
    }

    ym_buf_addc(out, ']');
}


static void
ngx_http_yimen_openapi_parameter(struct ym_buf *out, ngx_uint_t first,
    const char *in, struct ym_str name, const char *schema,
    const char *words)
{
    ngx_uint_t  required;

    required = (ngx_strcmp(in, "path") == 0 || ym_str_is(name, "If-Match"));

    if (!first) {
        ym_buf_addc(out, ',');
    }

    ym_buf_addf(out, "{\"in\":\"%s\",\"name\":", in);
    ym_buf_add_json(out, name);
    ym_buf_addf(out, ",\"required\":%s,\"schema\":%s",
                required ? "true" : "false", schema);

    if (words != NULL) {
        ym_buf_adds(out, ",\"description\":");
        ym_buf_add_json(out, ym_str_of(words));
    }

    ym_buf_addc(out, '}');
}


/* every type as it is, with an address that its own references start from */

static ngx_int_t
ngx_http_yimen_openapi_schemas(struct ym_buf *out,
    const struct ym_catalog *catalog)
{
    json_t                *copy;
    size_t                 i;
    ngx_int_t              rc;
    const struct ym_type  *type;

    rc = NGX_OK;

    ngx_http_yimen_openapi_new_record(out, catalog);

    for (i = 0; i < catalog->type_count && rc == NGX_OK; i++) {
        type = &catalog->types[i];
        copy = json_copy(type->json);

        if (copy == NULL
            || json_object_set_new(copy, "$id",
                                   json_sprintf("/api/v1/types/%s",
                                                type->name))
               != 0)
        {
            json_decref(copy);
            return NGX_ERROR;
        }

        ym_buf_adds(out, ",");
        ym_buf_add_json(out, ym_str_of(type->name));
        ym_buf_adds(out, ":");

        if (json_dump_callback(copy, ngx_http_yimen_openapi_write, out,
                               JSON_COMPACT)
            != 0)
        {
            rc = NGX_ERROR;
        }

        json_decref(copy);
    }

    return rc;
}


static void
ngx_http_yimen_openapi_new_record(struct ym_buf *out,
    const struct ym_catalog *catalog)
{
    size_t  i;

    ym_buf_adds(out, ",\"NewRecord\":{\"type\":\"object\",\"required\":"
                     "[\"type\",\"data\"],\"properties\":{\"type\":"
                     "{\"enum\":[");

    for (i = 0; i < catalog->type_count; i++) {
        ym_buf_adds(out, i ? "," : "");
        ym_buf_add_json(out, ym_str_of(catalog->types[i].name));
    }

    ym_buf_adds(out, "]},\"data\":{\"type\":\"object\"},\"targets\":"
                     "{\"type\":\"array\",\"items\":" TEXT "},\"attachments\":"
                     "{\"type\":\"array\",\"maxItems\":20,\"items\":" NAMED
                     "}},\"oneOf\":[");

    for (i = 0; i < catalog->type_count; i++) {
        ym_buf_adds(out, i ? ",{\"properties\":{\"type\":{\"const\":"
                           : "{\"properties\":{\"type\":{\"const\":");
        ym_buf_add_json(out, ym_str_of(catalog->types[i].name));
        ym_buf_addf(out, "},\"data\":{\"$ref\":\"#/components/schemas/%s\"}}}",
                    catalog->types[i].name);
    }

    ym_buf_adds(out, "]}");
}


static int
ngx_http_yimen_openapi_write(const char *text, size_t n, void *data)
{
    return ym_buf_add(data, text, n) == YM_OK ? 0 : -1;
}
