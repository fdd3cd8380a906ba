/* SPDX-License-Identifier: Apache-2.0
 * Proves that the pool's objects never overlap, are aligned, are used again, and that malloc's may be
 * given back through it.
 */
#include "ym_pool.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 20000

static void no_overlap(void **state)
{
    static unsigned char *objects[MANY];
    static size_t sizes[MANY];
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            seed = seed * 1103515245u + 12345u;
            sizes[i] = (seed >> 16) % (YM_POOL_MOST + 100);
            objects[i] = ym_pool_alloc(sizes[i]);
            assert_non_null(objects[i]);
            assert_int_equal((uintptr_t)objects[i] % 16, 0);
            memset(objects[i], (int)(i % 251), sizes[i]);
        }
        for (size_t i = 0; i < MANY; i++) {
            for (size_t k = 0; k < sizes[i]; k++) {
                assert_int_equal(objects[i][k], i % 251);
            }
        }
        for (size_t i = round == 1 ? 1 : 0; i < MANY; i++) {
            ym_pool_free(objects[i]);
        }
    }
}

static void last_in_first_out(void **state)
{
    void *a = ym_pool_alloc(40), *b = ym_pool_alloc(40);

    (void)state;
    ym_pool_free(a);
    ym_pool_free(b);
    assert_ptr_equal(ym_pool_alloc(48), b); /* the same class: 33 to 48 bytes */
    assert_ptr_equal(ym_pool_alloc(33), a);
    assert_ptr_not_equal(ym_pool_alloc(49), a);
}

static void mallocs_own(void **state)
{
    (void)state;
    ym_pool_free(malloc(32));
    ym_pool_free(malloc(100000));
    ym_pool_free(NULL);
}

static void jansson_over_it(void **state)
{
    json_t *before = json_pack("{s:[i,i]}", "made by malloc", 1, 2), *v;

    (void)state;
    ym_pool_install();
    v = json_loads("{\"a\":[1,2,{\"b\":\"c\"}],\"d\":\"e\"}", 0, NULL);
    assert_non_null(v);
    assert_int_equal(json_object_update_new(v, before), 0);
    assert_int_equal(json_array_size(json_object_get(v, "made by malloc")), 2);
    json_decref(v);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_overlap),
        cmocka_unit_test(last_in_first_out),
        cmocka_unit_test(mallocs_own),
        cmocka_unit_test(jansson_over_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
