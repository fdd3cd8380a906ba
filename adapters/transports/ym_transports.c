/* SPDX-License-Identifier: Apache-2.0
 * The array of transports, and hand-off, which carries nothing: a person does.
 */
#include "ym_connection.h"
#include "ym_transports.h"

static const struct ym_field handoff_fields[] = {
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

static void handoff_check(const struct ym_system *sys, struct ym_diag *d)
{
    struct ym_arena *a = ym_arena_open();
    char nothing;

    if (a != NULL) {
        (void)ym_connection_load(sys, handoff_fields, &nothing, a, d);
    }
    ym_arena_close(a);
}

static ym_status handoff_open(const struct ym_system *sys, const struct ym_secrets *secrets,
                              struct ym_link **ret, struct ym_err *err)
{
    (void)sys;
    (void)secrets;
    (void)err;
    *ret = NULL;
    return YM_OK;
}

static void handoff_close(struct ym_link *l)
{
    (void)l;
}

static const struct ym_transport ym_transport_handoff = {
    .name = "handoff",
    .summary = "No connection: a card with every field to copy, for a person.",
    .check = handoff_check,
    .open = handoff_open,
    .close = handoff_close,
};

const struct ym_transport *const ym_transports[] = {
    &ym_transport_http,
    &ym_transport_soap,
    &ym_transport_form,
    &ym_transport_sql,
    &ym_transport_file,
    &ym_transport_handoff,
    NULL,
};

static const struct ym_transport_settings all_settings[] = {
    {"http", ym_http_fields}, {"soap", ym_soap_fields}, {"form", ym_http_fields},
    {"sql", ym_sql_fields},   {"file", ym_file_fields},
};

const struct ym_transport *ym_transport_find(const char *name)
{
    size_t i;

    for (i = 0; ym_transports[i] != NULL; i++) {
        if (strcmp(ym_transports[i]->name, name) == 0) {
            return ym_transports[i];
        }
    }
    return NULL;
}

ym_status ym_transports_document(struct ym_buf *out)
{
    size_t i;

    for (i = 0; i < YM_COUNT(all_settings); i++) {
        (void)ym_buf_addf(out, "### `connection:` of transport `%s`\n\n%s\n\n",
                          all_settings[i].name, ym_transport_find(all_settings[i].name)->summary);
        (void)ym_conf_document(all_settings[i].fields, out);
        (void)ym_buf_adds(out, "\n");
    }
    return out->failed;
}
