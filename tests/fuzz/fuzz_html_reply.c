/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an HTML page: judged, and read for its form, filled and encoded.
 */
#include "fuzz_reply_common.h"
#include "ym_html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_form(const char *charset, struct ym_str page, const char *name)
{
    static const struct ym_pair mine[] = {{"user", "张三"}, {"_csrf", "x"}};
    struct ym_html_form form;
    struct ym_pair *out = NULL;
    struct ym_buf b;
    struct ym_err err;
    size_t n = 0, lost = 0;
    struct ym_arena *a = ym_arena_open();

    if (a != NULL &&
        ym_html_form(page, charset, "http://a.test/b/c?d", name, a, &form, &err) == YM_OK) {
        if (form.action == NULL || form.field_count > form.name_count + 4000 ||
            ym_html_fill(&form, mine, YM_COUNT(mine), true, a, &out, &n, &err) != YM_OK) {
            abort();
        }
        ym_buf_init(&b, 16u << 20);
        if (ym_form_encode(out, n, form.charset, &b, &lost, &err) != YM_OK) {
            abort();
        }
        for (size_t i = 0; i < b.n; i++) { /* what is sent is plain ASCII without line ends */
            if (b.p[i] <= ' ' || b.p[i] > '~') {
                abort();
            }
        }
        ym_buf_clear(&b);
    }
    ym_arena_close(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_system f;

    if (f.arena == NULL) {
        fuzz_open(&f, "form", "utf-8",
                  "operations:\n  create:\n    reply:\n      read:\n"
                  "        number: { xpath: \"//span[@id='no']\" }\n"
                  "        captcha: { xpath: \"//img[contains(@src,'captcha')]/@src\" }\n"
                  "        message: { xpath: \"//*[@class='error'][1]\" }\n"
                  "      outcomes:\n"
                  "        - { when: { stage: page, has: captcha }, then: handoff }\n"
                  "        - { when: { has: number }, then: ok }\n");
    }
    fuzz_judge(&f, data, size);
    if (size > 0) {
        read_form(data[0] & 1 ? "gbk" : NULL, (struct ym_str){(const char *)data + 1, size - 1},
                  data[0] & 2 ? "f" : NULL);
    }
    return 0;
}
