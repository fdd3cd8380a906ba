/* SPDX-License-Identifier: Apache-2.0
 * Transport form: fetches the page with the form, lays our fields over the page's own, submits in
 * the page's charset and follows one redirect to the answer. The cookie jar is the link's.
 */
#include "ym_html.h"
#include "ym_http_common.h"
#include "ym_codec.h"
#include "ym_time.h"

#include <strings.h>

#define FORM_BODY_MAX (24u << 20)

enum place {
    AT_PLAIN,  /* one request, no page */
    AT_PAGE,   /* the form's page is being fetched */
    AT_SUBMIT, /* the form is on its way */
    AT_ANSWER  /* the redirect behind the submission is being fetched */
};

struct ym_exchange {
    struct ym_link *link;
    const struct ym_wire *wire;
    struct ym_arena *arena;
    struct ym_request *request;
    struct ym_http_call call;
    enum place place;
    int64_t began_ms, timeout_ms;
    const char *page_url;
    struct ym_str posted; /* the submission's body */
};

static void form_check(const struct ym_system *sys, struct ym_diag *d)
{
    ym_http_check(sys, ym_http_fields, d);
}

static ym_status form_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                           struct ym_link **ret, struct ym_err *err)
{
    return ym_http_open(sys, secrets, ym_http_fields, true, ret, err);
}

static void form_forget(struct ym_link *l)
{
    CURL *e = curl_easy_init();

    if (e == NULL) {
        return;
    }
    if (curl_easy_setopt(e, CURLOPT_SHARE, l->jar) == CURLE_OK) {
        (void)curl_easy_setopt(e, CURLOPT_COOKIELIST, "ALL");
    }
    curl_easy_cleanup(e);
}

/* Starts x->call with the time that is left. */
static ym_status start_call(struct ym_exchange *x, struct ym_err *err)
{
    x->call.timeout_ms = x->timeout_ms - (ym_tick_ms() - x->began_ms);
    return ym_request_start(x->request, &x->call, err);
}

static ym_status form_begin(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms,
                            struct ym_arena *a, struct ym_exchange **ret, CURL **ret_easy,
                            struct ym_err *err)
{
    struct ym_exchange *x = ym_arena_alloc(a, sizeof(*x));
    ym_status rc;

    if (w->kind != YM_WIRE_FORM && w->kind != YM_WIRE_HTTP) {
        return ym_err_set(err, YM_EINVAL, "this wire is not for forms");
    }
    if (x == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    x->link = l;
    x->wire = w;
    x->arena = a;
    x->began_ms = ym_tick_ms();
    x->timeout_ms = timeout_ms;
    x->page_url = w->kind == YM_WIRE_FORM ? w->page_url : NULL;
    x->place = x->page_url != NULL ? AT_PAGE : AT_PLAIN;
    x->call.headers = w->headers;
    x->call.header_count = w->header_count;
    if (x->place == AT_PAGE) {
        x->call.method = "GET";
        x->call.url = x->page_url;
    } else {
        x->call.method = w->method != NULL ? w->method : "GET";
        x->call.url = w->url;
        x->call.body = w->body;
    }

    rc = ym_request_open(l, a, &x->request, err);
    if (rc != YM_OK) {
        return rc;
    }
    rc = start_call(x, err);
    if (rc != YM_OK) {
        ym_request_close(x->request);
        return rc;
    }
    *ret = x;
    *ret_easy = ym_request_handle(x->request);
    return YM_OK;
}

/* The submission ------------------------------------------------------------------------------- */

static ym_status add_encoded(struct ym_buf *body, const char *charset, const char *text,
                             struct ym_err *err)
{
    struct ym_str in = ym_str_of(text);
    struct ym_buf bytes;
    size_t replaced = 0;
    ym_status rc;

    if (strcasecmp(charset, "utf-8") == 0) {
        return ym_buf_add_uri(body, in);
    }
    ym_buf_init(&bytes, in.n * 4 + 16);
    rc = ym_charset_convert("utf-8", charset, in, &bytes, &replaced, err);
    if (rc == YM_OK && replaced > 0) {
        rc = ym_err_set(err, YM_EINVAL, "a character does not exist in the page's charset");
    }
    if (rc == YM_OK) {
        rc = ym_buf_add_uri(body, ym_buf_str(&bytes));
    }
    ym_buf_wipe(&bytes);
    return rc;
}

static ym_status add_control(struct ym_buf *body, const char *charset, const char *name,
                             const char *value, struct ym_err *err)
{
    ym_status rc = ym_buf_adds(body, body->n > 0 ? "&" : "");

    if (rc == YM_OK) {
        rc = add_encoded(body, charset, name, err);
    }
    if (rc == YM_OK) {
        rc = ym_buf_addc(body, '=');
    }
    return rc == YM_OK ? add_encoded(body, charset, value, err) : rc;
}

static bool has_name(const struct ym_pair *pairs, size_t n, const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Every value of ours under name, at the place where the page has that name first. */
static ym_status add_ours(struct ym_buf *body, const char *charset, const struct ym_wire *w,
                          const char *name, struct ym_err *err)
{
    ym_status rc = YM_OK;
    size_t i;

    for (i = 0; i < w->field_count && rc == YM_OK; i++) {
        if (strcmp(w->fields[i].name, name) == 0) {
            rc = add_control(body, charset, name, w->fields[i].value, err);
        }
    }
    return rc;
}

/* The page's controls in its order, ours instead of its own where both have a name. */
static ym_status encode_form(const struct ym_html_form *form, const struct ym_wire *w,
                             struct ym_buf *body, struct ym_err *err)
{
    ym_status rc = ym_buf_adds(body, "");
    size_t i;

    for (i = 0; i < w->field_count && !w->add_fields; i++) {
        if (!has_name(form->fields, form->field_count, w->fields[i].name)) {
            return ym_err_set(err, YM_EINVAL, "the page's form has no field \"%.60s\"",
                              w->fields[i].name);
        }
    }
    for (i = 0; i < form->field_count && rc == YM_OK; i++) {
        const struct ym_pair *f = &form->fields[i];

        if (!has_name(w->fields, w->field_count, f->name)) {
            if (f->value != NULL) { /* NULL: a control that is there, but sends nothing by itself */
                rc = add_control(body, form->charset, f->name, f->value, err);
            }
        } else if (!has_name(form->fields, i, f->name)) {
            rc = add_ours(body, form->charset, w, f->name, err);
        }
    }
    for (i = 0; i < w->field_count && rc == YM_OK; i++) { /* what the page lacks, in our order */
        const struct ym_pair *f = &w->fields[i];

        if (!has_name(form->fields, form->field_count, f->name)) {
            rc = add_control(body, form->charset, f->name, f->value, err);
        }
    }
    return rc;
}

static bool same_host(const struct ym_exchange *x, const char *url)
{
    const char *origin = url != NULL ? ym_http_origin(url, x->arena) : NULL;

    return origin != NULL && strcmp(origin, x->link->origin) == 0;
}

/* The submission as x->call; body is copied into the arena. */
static ym_status make_call(struct ym_exchange *x, const struct ym_html_form *form,
                           struct ym_str body, struct ym_err *err)
{
    bool get = form->method != NULL && strcasecmp(form->method, "GET") == 0;
    const char *mark;

    x->call.referer = x->page_url;
    x->call.body.p = ym_arena_str(x->arena, body);
    x->call.body.n = body.n;
    if (x->call.body.p == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    x->call.once = true;
    x->call.method = get ? "GET" : "POST";
    x->call.url = form->action;
    x->call.type = "application/x-www-form-urlencoded";
    if (get) { /* HTML: the fields replace the action's query */
        mark = strchr(form->action, '?');
        x->call.url =
            ym_arena_printf(x->arena, "%.*s?%s",
                            (int)(mark != NULL ? mark - form->action : (long)strlen(form->action)),
                            form->action, x->call.body.p);
        x->call.body = YM_STR_NULL;
        x->call.type = NULL;
        if (x->call.url == NULL) {
            return ym_err_set(err, YM_ENOMEM, "out of memory");
        }
    }
    x->posted = x->call.body;
    return YM_OK;
}

/* From the fetched page to the started submission. */
static ym_status submit(struct ym_exchange *x, const struct ym_facts *page, struct ym_err *err)
{
    const char *charset = page->charset != NULL ? page->charset : x->link->sys->settings.charset;
    struct ym_html_form form = {0};
    struct ym_buf body;
    ym_status rc;

    if (page->sent != YM_REPLIED || page->status != 200) {
        return ym_err_set(err, YM_ENOTFOUND, "the form's page did not come");
    }
    rc = ym_html_form(page->body, charset, x->page_url, x->wire->form, x->arena, &form, err);
    if (rc != YM_OK) {
        return rc;
    }
    if (!same_host(x, form.action)) {
        return ym_err_set(err, YM_EINVAL, "the form's action leads to another host");
    }
    ym_buf_init(&body, FORM_BODY_MAX);
    rc = encode_form(&form, x->wire, &body, err);
    if (rc == YM_OK) {
        rc = make_call(x, &form, ym_buf_str(&body), err);
    }
    ym_buf_wipe(&body);
    return rc == YM_OK ? start_call(x, err) : rc;
}

/* Steps ---------------------------------------------------------------------------------------- */

static const char *header_of(const struct ym_facts *facts, const char *name)
{
    size_t i;

    for (i = 0; i < facts->header_count; i++) {
        if (strcmp(facts->headers[i].name, name) == 0) {
            return facts->headers[i].value;
        }
    }
    return NULL;
}

/* location against base, or NULL. */
static const char *resolve(const char *base, const char *location, struct ym_arena *a)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u != NULL && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        copy = ym_arena_strz(a, text);
    }
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

/* Whether the submission was answered by a redirect that we may and did begin to follow. */
static bool follow(struct ym_exchange *x, const struct ym_facts *facts)
{
    const char *location = header_of(facts, "location"), *url;

    if (facts->sent != YM_REPLIED || (facts->status != 302 && facts->status != 303) ||
        location == NULL) {
        return false;
    }
    url = resolve(x->call.url, location, x->arena);
    if (!same_host(x, url)) {
        return false;
    }
    x->call = (struct ym_http_call){.method = "GET",
                                    .url = url,
                                    .headers = x->wire->headers,
                                    .header_count = x->wire->header_count,
                                    .referer = x->call.referer};
    return start_call(x, NULL) == YM_OK;
}

/* The page is the answer: it was not the form, or the form cannot take what we have. */
static enum ym_step page_is_answer(struct ym_exchange *x, struct ym_facts *facts,
                                   const struct ym_err *err)
{
    facts->stage = "page";
    facts->sent = YM_NOT_SENT;
    if (facts->problem == NULL) {
        facts->problem = ym_arena_strz(x->arena, err->message);
    }
    facts->took_ms = ym_tick_ms() - x->began_ms;
    return YM_STEP_DONE;
}

/* The page behind the redirect is the answer, but only when it came: the record is already sent. */
static void answer_facts(struct ym_exchange *x, struct ym_facts *facts)
{
    if (facts->sent != YM_REPLIED) {
        facts->sent = YM_SENT_NO_REPLY;
        return;
    }
    if (header_of(facts, "location") == NULL && facts->headers != NULL) {
        facts->headers[facts->header_count++] = (struct ym_pair){"location", x->call.url};
    }
}

static enum ym_step form_step(struct ym_exchange *x, CURLcode how, CURL **ret_easy,
                              struct ym_facts *facts)
{
    struct ym_err err = {0};

    ym_request_facts(x->request, how, facts);
    if (x->place == AT_PAGE) {
        if (submit(x, facts, &err) != YM_OK) {
            return page_is_answer(x, facts, &err);
        }
        x->place = AT_SUBMIT;
        *ret_easy = ym_request_handle(x->request);
        return YM_STEP_MORE;
    }
    if (x->place == AT_SUBMIT && follow(x, facts)) {
        x->place = AT_ANSWER;
        *ret_easy = ym_request_handle(x->request);
        return YM_STEP_MORE;
    }
    if (x->place == AT_ANSWER) {
        answer_facts(x, facts);
    }
    facts->posted = x->posted;
    facts->took_ms = ym_tick_ms() - x->began_ms;
    return YM_STEP_DONE;
}

static void form_end(struct ym_exchange *x)
{
    if (x != NULL) {
        ym_request_close(x->request);
    }
}

const struct ym_transport ym_transport_form = {
    .name = "form",
    .summary = "An HTML form: page, hidden fields, submission, answer page; cookies are kept.",
    .check = form_check,
    .open = form_open,
    .close = ym_http_close,
    .forget = form_forget,
    .begin = form_begin,
    .step = form_step,
    .end = form_end,
};
