/* SPDX-License-Identifier: Apache-2.0
 * A wire as text for people and golden files: the same wire gives the same text, byte for byte.
 */
#include "ym_render.h"

static void print_pairs(struct ym_buf *out, const struct ym_pair *p, size_t n, const char *between)
{
    for (size_t i = 0; i < n; i++) {
        ym_buf_adds(out, p[i].name);
        ym_buf_adds(out, between);
        ym_buf_adds(out, p[i].value != NULL ? p[i].value : "");
        ym_buf_addc(out, '\n');
    }
}

static void print_body(struct ym_buf *out, struct ym_str body)
{
    if (body.n > 0) {
        ym_buf_addc(out, '\n');
        ym_buf_add(out, body.p, body.n);
        ym_buf_adds(out, body.p[body.n - 1] == '\n' ? "" : "\n");
    }
}

static void print_sql(struct ym_buf *out, const struct ym_wire *w)
{
    for (size_t i = 0; i < w->statement_count; i++) {
        const struct ym_wire_sql *s = &w->statements[i];

        ym_buf_addf(out, "%s%s;\n", s->guard ? "-- stop here when a row is found\n" : "", s->text);
        for (size_t k = 0; k < s->param_count; k++) {
            ym_buf_addf(out, "  %zu: ", k + 1);
            if (s->params[k] == NULL) {
                ym_buf_adds(out, "NULL");
            } else {
                ym_buf_add_json(out, ym_str_of(s->params[k]));
            }
            ym_buf_addc(out, '\n');
        }
    }
}

static void print_file(struct ym_buf *out, const struct ym_wire *w)
{
    const char *slash = *w->file_dir != '\0' ? "/" : "";

    if (w->file_probe) {
        for (size_t i = 0; w->read_names[i] != NULL; i++) {
            ym_buf_addf(out, "READ %s\n", w->read_names[i]);
        }
        return;
    }
    ym_buf_addf(out, "FILE %s%s%s\n", w->file_dir, slash, w->file_name);
    ym_buf_addf(out, "written as %s\n", w->temp_name);
    if (w->done_name != NULL) {
        ym_buf_addf(out, "then %s%s%s\n", w->file_dir, slash, w->done_name);
    }
    print_body(out, w->body);
}

ym_status ym_wire_print(const struct ym_wire *w, struct ym_buf *out)
{
    switch (w->kind) {
    case YM_WIRE_HTTP:
        ym_buf_addf(out, "%s %s\n", w->method, w->url);
        print_pairs(out, w->headers, w->header_count, ": ");
        print_body(out, w->body);
        break;
    case YM_WIRE_FORM:
        if (w->page_url != NULL) {
            ym_buf_addf(out, "FORM %s of %s\n", w->form != NULL ? w->form : "(the only one)",
                        w->page_url);
        } else {
            ym_buf_addf(out, "%s %s\n", w->method, w->url);
        }
        print_pairs(out, w->headers, w->header_count, ": ");
        if (w->field_count > 0) {
            ym_buf_addc(out, '\n');
            print_pairs(out, w->fields, w->field_count, " = ");
        }
        break;
    case YM_WIRE_SQL:
        print_sql(out, w);
        break;
    case YM_WIRE_FILE:
        print_file(out, w);
        break;
    case YM_WIRE_CARD:
        ym_buf_adds(out, "CARD\n");
        print_pairs(out, w->fields, w->field_count, ": ");
        break;
    }
    return out->failed;
}
