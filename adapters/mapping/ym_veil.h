/* SPDX-License-Identifier: Apache-2.0
 * Messages for people who may see their shape but not what they say of a person: JSON, XML, HTML and
 * forms keep their names and structure, each value is shown, hidden or blanked. Pure; made for text
 * that may be cut off anywhere or be no such thing at all: what is not understood is a value.
 */
#ifndef YM_VEIL_H
#define YM_VEIL_H

#include "ym_buf.h"

enum ym_sight {
    YM_SIGHT_SHOWN,
    YM_SIGHT_HIDDEN, /* "***" */
    YM_SIGHT_SECRET  /* "[secret]", for everybody */
};

struct ym_veil {
    /*
     * name: of the JSON member (an array's items have their array's), element, attribute or field that
     * holds the value, without prefix, path or index; "" where there is none. value: UTF-8, decoded.
     */
    enum ym_sight (*see)(const void *data, struct ym_str name, struct ym_str value);
    const void *data;
};

/*
 * Appends text. What looks like JSON or markup is gone through, strings and character data that are
 * documents themselves too, down to three deep; anything else is one value named name.
 */
ym_status ym_veil_text(const struct ym_veil *v, struct ym_str name, struct ym_str text,
                       struct ym_buf *out);

/* A form body or query, decoded from charset: one "name = value" a line. */
ym_status ym_veil_form(const struct ym_veil *v, struct ym_str form, const char *charset,
                       struct ym_buf *out);

/* A table with a first line of names; separated by commas, RFC 4180. */
ym_status ym_veil_csv(const struct ym_veil *v, struct ym_str csv, struct ym_buf *out);

/* The last part of "a.b[0].c", "m:Name", "@attribute": what tables, forms and elements share. */
struct ym_str ym_veil_name(struct ym_str path);

/* true, 0, 200, E1001, ok: a code says nothing of a person. */
bool ym_veil_code(struct ym_str value);

/* Appends text, every occurrence of secret (4 bytes or more) blanked. */
ym_status ym_veil_blank(struct ym_str text, struct ym_str secret, struct ym_buf *out);

#endif
