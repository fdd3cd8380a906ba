/* SPDX-License-Identifier: Apache-2.0
 * Evidence files as somebody may have left them: whatever stands in them is read, nothing is believed
 * without its key, and a walk always comes to its end.
 */
#include "ym_chain.h"
#include "ym_clean.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(void *data, const struct ym_chain_finding *f)
{
    size_t *count = data;

    *count += f->text[0] != '\0';
}

static void clean(struct ym_str text)
{
    struct ym_buf out;

    ym_buf_init(&out, 4096);
    if (ym_clean(&out, text, 2000) == YM_OK) {
        for (size_t i = 0; i < out.n; i++) {
            unsigned char c = (unsigned char)out.p[i];
            if (c < 0x20 || c == 0x7F) {
                abort();
            }
        }
        if (out.n > 2000) {
            abort();
        }
    }
    ym_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size, *line;
    size_t count = 0;
    struct ym_chain_walk w = {.found = found, .data = &count};

    clean((struct ym_str){p, size});
    ym_chain_walk_head(&w, 7, "0000000000000000000000000000000000000000000000000000000000000000",
                       "00000000000000aa");
    ym_chain_walk_segment(&w, "one");
    while (p < end) {
        line = p;
        while (p < end && *p != '\n') {
            p++;
        }
        ym_chain_walk_line(&w, (struct ym_str){line, (size_t)(p - line)});
        p += p < end;
        if (w.lines == 9) {
            ym_chain_walk_segment(&w, "two");
        }
    }
    ym_chain_walk_end(&w);
    if ((int64_t)count != w.findings) {
        abort();
    }
    return 0;
}
