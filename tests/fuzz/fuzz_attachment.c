/* SPDX-License-Identifier: Apache-2.0
 * Content-Type, Content-Disposition and the first bytes of a file from a stranger: whatever name comes
 * out is safe to show, to save under and to write into a header.
 */
#include "ym_attachment.h"
#include "ym_utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void safe(struct ym_str name)
{
    size_t characters = 0;

    for (size_t i = 0, step; i < name.n; i += step, characters++) {
        const unsigned char *c = (const unsigned char *)name.p + i;

        step = ym_utf8_step(c, name.n - i);
        if (step == 0 || *c < 0x20 || *c == 0x7F || *c == '/' || *c == '\\') {
            abort();
        }
    }
    if (characters == 0 || characters > YM_ATTACHMENT_NAME || name.p[0] == '.') {
        abort();
    }
}

static void header(struct ym_str name)
{
    struct ym_buf out, back;

    ym_buf_init(&out, 8192);
    ym_buf_init(&back, 8192);
    if (ym_disposition_add(&out, name) != YM_OK) {
        abort();
    }
    for (size_t i = 0; i < out.n; i++) {
        if ((unsigned char)out.p[i] < 0x20 || (unsigned char)out.p[i] >= 0x7F) {
            abort();
        }
    }
    if (ym_disposition_name(ym_buf_str(&out), &back) != YM_OK ||
        !ym_str_eq(ym_buf_str(&back), name)) {
        abort(); /* who reads our header reads the same name */
    }
    ym_buf_clear(&out);
    ym_buf_clear(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const mimes[] = {"image/jpeg", "image/png", "image/webp", "application/pdf",
                                        "audio/mpeg", "audio/mp4", "audio/amr",  "audio/wav"};
    char *copy = malloc(size > 0 ? size : 1);
    struct ym_str in = {copy, size};
    struct ym_buf given, name;
    int held = 0;

    if (copy == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    (void)ym_media_find(in);
    for (size_t i = 0; i < YM_COUNT(mimes); i++) {
        held += ym_media_holds(ym_media_find(ym_str_of(mimes[i])), in);
    }
    if (held > 1) {
        abort();
    }
    ym_buf_init(&given, 4096);
    if (ym_disposition_name(in, &given) == YM_OK) {
        ym_buf_init(&name, 4096);
        if (ym_attachment_name(ym_buf_str(&given), ym_media_find(YM_STR("image/jpeg")),
                               YM_KIND_PHOTO, &name) != YM_OK) {
            abort();
        }
        safe(ym_buf_str(&name));
        header(ym_buf_str(&name));
        ym_buf_clear(&name);
    }
    ym_buf_clear(&given);
    free(copy);
    return 0;
}
