/* SPDX-License-Identifier: Apache-2.0
 * The CSV reader, and that what it read is written and read again the same.
 */
#include "ym_csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_csv c, again;
    struct ym_buf b;
    size_t i;

    ym_buf_init(&b, YM_CSV_BYTES);
    if (a == NULL ||
        ym_csv_parse((struct ym_str){(const char *)data, size}, "f", a, &c, NULL) != YM_OK) {
        goto done;
    }
    for (i = 0; i < c.head.count; i++) {
        (void)ym_csv_add_cell(&b, c.head.cells[i], i == 0, false);
    }
    (void)ym_buf_adds(&b, "\n");
    if (b.failed != YM_OK || ym_csv_parse(ym_buf_str(&b), "f", a, &again, NULL) != YM_OK ||
        again.head.count != c.head.count) {
        abort();
    }
    for (i = 0; i < c.head.count; i++) {
        if (!ym_str_eq(c.head.cells[i], again.head.cells[i])) {
            abort();
        }
    }
done:
    ym_buf_clear(&b);
    ym_arena_close(a);
    return 0;
}
