/* SPDX-License-Identifier: Apache-2.0
 * The fast JSON reader against jansson: what it reads, jansson reads to the same value, and what it
 * writes is what jansson writes.
 */
#include "ym_json_fast.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *dump(const json_t *v)
{
    return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ym_str text = {(const char *)data, size};
    json_t *fast = NULL, *slow = NULL;
    struct ym_buf out;
    char *a, *b;

    if (!ym_json_read(text, &ym_json_defaults, &fast)) {
        return 0;
    }
    slow = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (slow == NULL || !json_equal(fast, slow)) {
        abort();
    }
    a = dump(fast);
    b = dump(slow);
    ym_buf_init(&out, 8u << 20);
    if (a == NULL || b == NULL || strcmp(a, b) != 0 || ym_json_write(fast, &out) != YM_OK ||
        strcmp(out.p, a) != 0) {
        abort();
    }
    ym_buf_clear(&out);
    free(a);
    free(b);
    json_decref(fast);
    json_decref(slow);
    return 0;
}
