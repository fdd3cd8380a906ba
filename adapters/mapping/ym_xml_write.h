/* SPDX-License-Identifier: Apache-2.0
 * XML from a JSON tree: members are elements in their order, "@name" attributes, "#text" the text
 * beside attributes, {"#cdata": text} one CDATA section, arrays repeat their element, null is empty.
 */
#ifndef YM_XML_WRITE_H
#define YM_XML_WRITE_H

#include "ym_buf.h"
#include "ym_err.h"

#include <jansson.h>

/*
 * Writes <name extra …>…</name>; extra: attributes as text of ours, beginning with a blank, or NULL.
 * leaf: such text for every element without element children, or NULL. Characters that XML 1.0
 * cannot carry become U+FFFD. YM_EINVAL for a member that is no XML name.
 */
ym_status ym_xml_element(struct ym_buf *out, const char *name, const json_t *value,
                         const char *extra, const char *leaf, struct ym_err *err);
/* Only the members of object, without an element around them. */
ym_status ym_xml_children(struct ym_buf *out, const json_t *object, const char *extra,
                          const char *leaf, struct ym_err *err);
/* Text escaped for an attribute in double quotes. */
ym_status ym_xml_attribute(struct ym_buf *out, struct ym_str text);

bool ym_xml_name(const char *name);

/* A scalar as text in the arena: strings as they are, numbers and booleans as JSON writes them. */
struct ym_arena;
const char *ym_scalar_of(const json_t *value, struct ym_arena *a);

#endif
