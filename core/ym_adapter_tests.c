/* SPDX-License-Identifier: Apache-2.0
 * The kept results of adapters' tests, and whether they are of the adapter that runs.
 */
#include "ym_adapter_tests.h"

#include "ym_slurp.h"
#include "ym_time.h"

#define ADAPTER_BYTES (1u << 20)

bool ym_adapter_tests_path(const struct ym_catalog *c, char out[YM_ADAPTER_TESTS_PATH])
{
    int n = snprintf(out, YM_ADAPTER_TESTS_PATH, "%s/adapter-tests.json", c->site.state_dir);

    return n > 0 && n < YM_ADAPTER_TESTS_PATH;
}

void ym_adapter_digest(const struct ym_system *s, char out[YM_SHA256_HEX])
{
    struct ym_buf text;

    out[0] = '\0';
    ym_buf_init(&text, ADAPTER_BYTES);
    if (ym_slurp(s->file, &text, NULL) == YM_OK) {
        ym_sha256_hex(ym_buf_str(&text), out);
    }
    ym_buf_clear(&text);
}

static json_t *tests_of(const struct ym_system *s, const json_t *kept)
{
    char digest[YM_SHA256_HEX], at[YM_TIME_TEXT];
    const char *then = ym_json_str(kept, "digest");
    json_t *items = json_object_get(kept, "items"), *item;
    int passed = 0, failed = 0;
    size_t i;

    if (then == NULL || !json_is_array(items)) {
        return NULL;
    }
    json_array_foreach(items, i, item)
    {
        bool ok = json_is_true(json_object_get(item, "ok"));
        passed += ok;
        failed += !ok;
    }
    ym_adapter_digest(s, digest);
    ym_time_format(json_integer_value(json_object_get(kept, "at")), YM_TIME_RFC3339,
                   YM_CHINA_OFFSET_MIN, at);
    return json_pack("{s:s, s:O*, s:i, s:i, s:b, s:O}", "at", at, "version",
                     json_object_get(kept, "version"), "passed", passed, "failed", failed, "stale",
                     strcmp(then, digest) != 0, "items", items);
}

json_t *ym_adapter_tests(const struct ym_catalog *c, const struct ym_system *s)
{
    char path[YM_ADAPTER_TESTS_PATH];
    json_t *all = NULL, *ret = NULL;

    if (ym_adapter_tests_path(c, path) && ym_json_file(path, &all, NULL) == YM_OK) {
        ret = tests_of(s, json_object_get(all, s->id));
    }
    json_decref(all);
    return ret;
}
