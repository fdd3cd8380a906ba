/* SPDX-License-Identifier: Apache-2.0
 * The YAML door: every node of an accepted tree has a place, a parent that counts it, and text.
 */
#include "ym_yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct ym_yaml *y, size_t depth)
{
    const struct ym_yaml *v;
    size_t n = 0;

    if (y->line < 1 || depth > YM_YAML_DEPTH || y->text.p[y->text.n] != '\0') {
        abort();
    }
    for (v = y->child; v != NULL; v = v->next) {
        if ((y->kind == YM_YAML_MAP) != (v->key != NULL)) {
            abort();
        }
        if (v->key != NULL && ym_yaml_get(y, v->key->text.p) != v) {
            abort();
        }
        walk(v, depth + 1);
        n++;
    }
    if (n != y->count) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_yaml *y = NULL;
    struct ym_err err = {0};

    if (a != NULL &&
        ym_yaml_parse((struct ym_str){(const char *)data, size}, "f", a, &y, &err) == YM_OK) {
        walk(y, 0);
    }
    ym_arena_close(a);
    return 0;
}
