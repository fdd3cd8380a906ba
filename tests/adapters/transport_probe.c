/* SPDX-License-Identifier: Apache-2.0
 * Lets a test drive one transport: transport_probe TRANSPORT SITE.yaml reads one wire per line as
 * JSON and answers each with the facts as one line of JSON. The link lives as long as the program.
 */
#include "ym_json.h"
#include "ym_transport.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES (4u << 20)

struct probe {
    const struct ym_transport *transport;
    struct ym_system sys;
    struct ym_secrets *secrets;
    struct ym_link *link;
    CURLM *multi;
};

static const char *text_of(json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static struct ym_pair *pairs_of(json_t *list, size_t *n, struct ym_arena *a)
{
    struct ym_pair *pairs = ym_arena_alloc(a, (json_array_size(list) + 1) * sizeof(*pairs));
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        pairs[i].name = json_string_value(json_array_get(item, 0));
        pairs[i].value = json_string_value(json_array_get(item, 1));
    }
    *n = json_array_size(list);
    return pairs;
}

static const char *const *texts_of(json_t *list, size_t *n, struct ym_arena *a)
{
    const char **texts = ym_arena_alloc(a, (json_array_size(list) + 1) * sizeof(*texts));
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        texts[i] = json_string_value(item);
    }
    *n = json_array_size(list);
    return texts;
}

static void read_statements(json_t *list, struct ym_wire *w, struct ym_arena *a)
{
    json_t *item;
    size_t i;

    w->statement_count = json_array_size(list);
    w->statements = ym_arena_alloc(a, (w->statement_count + 1) * sizeof(*w->statements));
    json_array_foreach(list, i, item)
    {
        w->statements[i].text = text_of(item, "text");
        w->statements[i].params =
            texts_of(json_object_get(item, "params"), &w->statements[i].param_count, a);
        w->statements[i].is_query = json_is_true(json_object_get(item, "query"));
        w->statements[i].guard = json_is_true(json_object_get(item, "guard"));
    }
}

static void read_wire(json_t *o, struct ym_wire *w, struct ym_arena *a)
{
    static const char *const kinds[] = {"http", "form", "sql", "file", "card"};
    const char *kind = text_of(o, "kind");
    size_t i, n;

    for (i = 0; i < YM_COUNT(kinds); i++) {
        if (kind != NULL && strcmp(kind, kinds[i]) == 0) {
            w->kind = (enum ym_wire_kind)i;
        }
    }
    w->method = text_of(o, "method");
    w->url = text_of(o, "url");
    w->headers = pairs_of(json_object_get(o, "headers"), &w->header_count, a);
    w->body = ym_str_of(text_of(o, "body"));
    w->page_url = text_of(o, "page_url");
    w->form = text_of(o, "form");
    w->fields = pairs_of(json_object_get(o, "fields"), &w->field_count, a);
    w->add_fields = json_is_true(json_object_get(o, "add_fields"));
    read_statements(json_object_get(o, "statements"), w, a);
    w->file_name = text_of(o, "file_name");
    w->temp_name = text_of(o, "temp_name");
    w->done_name = text_of(o, "done_name");
    w->file_dir = text_of(o, "file_dir");
    w->file_probe = json_is_true(json_object_get(o, "probe"));
    w->read_names = texts_of(json_object_get(o, "read"), &n, a);
}

static void add_member(struct ym_buf *out, const char *name, const char *value)
{
    (void)ym_buf_addf(out, ",\"%s\":", name);
    if (value == NULL) {
        (void)ym_buf_adds(out, "null");
    } else {
        (void)ym_buf_add_json(out, ym_str_of(value));
    }
}

static void print_facts(const struct ym_facts *f)
{
    static const char *const sent[] = {"not_sent", "sent_no_reply", "replied"};
    struct ym_buf out;
    size_t i;

    ym_buf_init(&out, LINE_MAX_BYTES * 16);
    (void)ym_buf_addf(&out, "{\"sent\":\"%s\",\"status\":%ld,\"took_ms\":%lld", sent[f->sent],
                      f->status, (long long)f->took_ms);
    add_member(&out, "stage", f->stage);
    add_member(&out, "charset", f->charset);
    add_member(&out, "problem", f->problem);
    (void)ym_buf_adds(&out, ",\"body\":");
    (void)ym_buf_add_json(&out, f->body);
    (void)ym_buf_adds(&out, ",\"headers\":[");
    for (i = 0; i < f->header_count; i++) {
        (void)ym_buf_adds(&out, i > 0 ? ",[" : "[");
        (void)ym_buf_add_json(&out, ym_str_of(f->headers[i].name));
        (void)ym_buf_addc(&out, ',');
        (void)ym_buf_add_json(&out, ym_str_of(f->headers[i].value));
        (void)ym_buf_addc(&out, ']');
    }
    (void)ym_buf_adds(&out, "]}\n");
    (void)fputs(out.failed == YM_OK ? out.p : "{\"error\":\"too large\"}\n", stdout);
    ym_buf_clear(&out);
}

static void print_error(const struct ym_err *err)
{
    struct ym_buf out;

    ym_buf_init(&out, 4096);
    (void)ym_buf_adds(&out, "{\"error\":");
    (void)ym_buf_add_json(&out, ym_str_of(err->message));
    (void)ym_buf_adds(&out, "}\n");
    (void)fputs(out.p != NULL ? out.p : "{\"error\":\"\"}\n", stdout);
    ym_buf_clear(&out);
}

/* Drives one handle to its end, as the worker's loop does with many. */
static CURLcode drive(CURLM *multi, CURL *easy)
{
    int running = 1, left;
    CURLMsg *msg;
    CURLcode how;

    (void)curl_multi_add_handle(multi, easy);
    for (;;) {
        (void)curl_multi_perform(multi, &running);
        msg = curl_multi_info_read(multi, &left);
        if (msg != NULL && msg->msg == CURLMSG_DONE) {
            how = msg->data.result;
            (void)curl_multi_remove_handle(multi, easy);
            return how;
        }
        (void)curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static ym_status exchange(struct probe *p, const struct ym_wire *w, int64_t timeout_ms,
                          struct ym_arena *a, struct ym_facts *facts, struct ym_err *err)
{
    struct ym_exchange *x = NULL;
    CURL *easy = NULL;
    ym_status rc;

    if (p->transport->begin == NULL) {
        p->transport->run(p->link, w, timeout_ms, a, facts);
        return YM_OK;
    }
    rc = p->transport->begin(p->link, w, timeout_ms, a, &x, &easy, err);
    if (rc != YM_OK) {
        return rc;
    }
    while (p->transport->step(x, drive(p->multi, easy), &easy, facts) == YM_STEP_MORE) {
    }
    p->transport->end(x);
    return YM_OK;
}

static void serve(struct probe *p, struct ym_str line)
{
    static const struct ym_json_limits limits = {LINE_MAX_BYTES, 16, 10000};
    struct ym_arena *a = ym_arena_open();
    struct ym_facts facts = {0};
    struct ym_wire w = {0};
    struct ym_err err = {0};
    json_t *o = NULL, *timeout;

    if (ym_json_parse(line, &limits, &o, &err) != YM_OK) {
        print_error(&err);
        goto done;
    }
    if (json_is_true(json_object_get(o, "forget")) && p->transport->forget != NULL) {
        p->transport->forget(p->link);
    }
    read_wire(o, &w, a);
    timeout = json_object_get(o, "timeout_ms");
    if (exchange(p, &w, timeout != NULL ? json_integer_value(timeout) : 5000, a, &facts, &err) ==
        YM_OK) {
        print_facts(&facts);
    } else {
        print_error(&err);
    }
done:
    (void)fflush(stdout);
    json_decref(o);
    ym_arena_close(a);
}

/* Only what a transport looks at. */
static ym_status load(struct probe *p, const char *name, const char *site, struct ym_arena *a,
                      struct ym_err *err)
{
    struct ym_yaml *y = NULL;
    struct ym_diag d;
    ym_status rc = ym_yaml_file(site, a, &y, err);

    if (rc != YM_OK) {
        return rc;
    }
    p->transport = ym_transport_find(name);
    if (p->transport == NULL) {
        return ym_err_set(err, YM_ENOTFOUND, "no such transport");
    }
    p->sys.id = "probe";
    p->sys.file = site;
    p->sys.transport = name;
    p->sys.site = y;
    p->sys.endpoint = ym_yaml_text(y, "endpoint");
    p->sys.settings.charset = ym_yaml_text(y, "charset");
    if (p->sys.settings.charset == NULL) {
        p->sys.settings.charset = "utf-8";
    }
    ym_diag_init(&d);
    p->transport->check(&p->sys, &d);
    if (d.count > 0) {
        *err = d.items[0];
        rc = err->code;
    }
    ym_diag_clear(&d);
    if (rc == YM_OK) {
        rc = ym_secrets_open(&p->sys, &p->secrets, err);
    }
    return rc == YM_OK ? p->transport->open(&p->sys, p->secrets, &p->link, err) : rc;
}

int main(int argc, char **argv)
{
    struct ym_arena *a = ym_arena_open();
    struct probe p = {0};
    struct ym_err err = {0};
    char *line = NULL, words[700];
    size_t size = 0;
    ssize_t n;
    int rc = 1;

    if (argc != 3 || a == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)fputs("usage: transport_probe TRANSPORT SITE.yaml\n", stderr);
        ym_arena_close(a);
        return 2;
    }
    p.multi = curl_multi_init();
    if (load(&p, argv[1], argv[2], a, &err) != YM_OK) {
        ym_err_format(&err, words, sizeof(words));
        (void)fprintf(stderr, "%s\n", words);
        goto done;
    }
    while ((n = getline(&line, &size, stdin)) > 0) {
        serve(&p, (struct ym_str){line, (size_t)n});
    }
    rc = 0;
done:
    free(line);
    if (p.link != NULL) {
        p.transport->close(p.link);
    }
    (void)curl_multi_cleanup(p.multi);
    ym_secrets_close(p.secrets);
    ym_arena_close(a);
    curl_global_cleanup();
    return rc;
}
