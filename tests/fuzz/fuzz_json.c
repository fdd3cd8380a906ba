/* SPDX-License-Identifier: Apache-2.0
 * The JSON door: whatever passes the limits must parse, print and parse again to the same value.
 */
#include "ym_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *j = NULL, *again = NULL;
    struct ym_err err = {0};
    char *text;

    if (ym_json_parse((struct ym_str){(const char *)data, size}, &ym_json_defaults, &j, &err) !=
        YM_OK) {
        if (err.message[0] == 0) {
            abort();
        }
        return 0;
    }
    text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text != NULL && strlen(text) <= YM_JSON_BYTES &&
        (ym_json_parse(ym_str_of(text), &ym_json_defaults, &again, &err) != YM_OK ||
         !json_equal(j, again))) {
        abort();
    }
    free(text);
    json_decref(again);
    again = ym_json_merge(j, j);
    (void)ym_json_at(j, "/a/0/b~1c");
    json_decref(again);
    json_decref(j);
    return 0;
}
