/* SPDX-License-Identifier: Apache-2.0
 * What the array of transports is made of: one entry and one settings table per file.
 */
#ifndef YM_TRANSPORTS_H
#define YM_TRANSPORTS_H

#include "ym_transport.h"

extern const struct ym_transport ym_transport_http, ym_transport_soap, ym_transport_form,
    ym_transport_sql, ym_transport_file;

/* The `connection:` tables; form uses http's. */
extern const struct ym_field ym_http_fields[], ym_soap_fields[], ym_sql_fields[], ym_file_fields[];

struct ym_transport_settings {
    const char *name;
    const struct ym_field *fields;
};

/* Markdown of every transport's settings, for the generated reference. */
ym_status ym_transports_document(struct ym_buf *out);

#endif
