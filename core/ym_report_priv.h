/* SPDX-License-Identifier: Apache-2.0
 * Private to ym_report*.c: building a document, with one place that remembers that memory was out.
 */
#ifndef YM_REPORT_PRIV_H
#define YM_REPORT_PRIV_H

#include <jansson.h>
#include <stdbool.h>

struct ym_making {
    bool failed;
};

/* Takes value's reference. */
void ym_report_set(struct ym_making *m, json_t *object, const char *key, json_t *value);
/* {"zh": …, "en": …}; en falls back to zh. */
json_t *ym_report_words(const char *zh, const char *en);
/* doc, or NULL (and doc is gone) when anything failed. */
json_t *ym_report_end(const struct ym_making *m, json_t *doc);

#endif
