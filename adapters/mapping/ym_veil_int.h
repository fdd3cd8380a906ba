/* SPDX-License-Identifier: Apache-2.0
 * Private to ym_veil*.c: one text under way.
 */
#ifndef YM_VEIL_INT_H
#define YM_VEIL_INT_H

#include "ym_veil.h"

#define YM_VEIL_NEST 3           /* documents within documents */
#define YM_VEIL_BYTES (4u << 20) /* of an inner one */

struct ym_walk {
    const struct ym_veil *veil;
    struct ym_buf *out;
    struct ym_str name; /* of the value that the text is */
    int nest;
};

struct ym_str ym_veil_trim(struct ym_str s);
/* Short, no long number in it, no markup; ascii: nothing else. Names are shown, so they must be some. */
bool ym_veil_is_name(struct ym_str s, bool ascii);
/* Whether it looks like JSON or markup. */
bool ym_veil_document(struct ym_str s);
enum ym_sight ym_veil_see(const struct ym_walk *w, struct ym_str name, struct ym_str value);
const char *ym_veil_mark(enum ym_sight sight);
/* A document inside w. */
void ym_veil_below(const struct ym_walk *w, struct ym_str name, struct ym_str text,
                   struct ym_buf *out);
void ym_veil_markup(struct ym_walk *w, struct ym_str text);

#endif
