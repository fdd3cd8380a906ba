/* SPDX-License-Identifier: Apache-2.0
 * Proves that ids are ULIDs, carry time and shard, sort by time and do not repeat.
 */
#include "ym_test.h"

#include "ym_id.h"

#include <stdio.h>
#include <stdlib.h>

static void carries_time_and_shard(void **state)
{
    char id[YM_ID_LEN + 1];
    unsigned shard;

    (void)state;
    for (shard = 0; shard < YM_SHARDS_MAX; shard++) {
        assert_int_equal(ym_id_make(1769819400123, shard, id), YM_OK);
        assert_true(ym_id_valid(ym_str_of(id)));
        assert_int_equal(ym_id_shard(id), shard);
        assert_true(ym_id_time_ms(id) == 1769819400123);
    }
    assert_int_equal(ym_id_make(1769819400123, YM_SHARDS_MAX, id), YM_EINVAL);
    assert_int_equal(ym_id_make(-1, 0, id), YM_EINVAL);
    assert_int_equal(ym_id_make((int64_t)1 << 48, 0, id), YM_EINVAL);
    assert_int_equal(ym_id_make(((int64_t)1 << 48) - 1, 0, id), YM_OK);
    assert_memory_equal(id, "7ZZZZZZZZZ", 10);
}

static void sorts_by_time(void **state)
{
    char before[YM_ID_LEN + 1], id[YM_ID_LEN + 1];
    int64_t ms;

    (void)state;
    assert_int_equal(ym_id_make(1, 31, before), YM_OK);
    for (ms = 2; ms < 100000; ms += 331) {
        assert_int_equal(ym_id_make(ms, 0, id), YM_OK);
        assert_true(strcmp(before, id) < 0);
        memcpy(before, id, sizeof(id));
    }
}

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, YM_ID_LEN);
}

static void does_not_repeat(void **state)
{
    enum { MANY = 20000 };
    char(*ids)[YM_ID_LEN + 1] = test_malloc(MANY * sizeof(*ids));
    int i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        assert_int_equal(ym_id_make(1769819400123, 5, ids[i]), YM_OK);
    }
    qsort(ids, MANY, sizeof(*ids), by_text);
    for (i = 1; i < MANY; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
    test_free(ids);
}

static void refuses_what_is_no_id(void **state)
{
    (void)state;
    assert_true(ym_id_valid(YM_STR("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
    assert_false(ym_id_valid(YM_STR("01arz3ndektsv4rrffq69g5fav")));
    assert_false(ym_id_valid(YM_STR("01ARZ3NDEKTSV4RRFFQ69G5FA")));
    assert_false(ym_id_valid(YM_STR("01ARZ3NDEKTSV4RRFFQ69G5FAVX")));
    assert_false(ym_id_valid(YM_STR("81ARZ3NDEKTSV4RRFFQ69G5FAV")));
    assert_false(ym_id_valid(YM_STR("01ARZ3NDEKTSV4RRFFQ69G5FAI")));
    assert_false(ym_id_valid(YM_STR("01ARZ3NDEKTSV4RRFFQ69G5FA\0")));
    assert_false(ym_id_valid(YM_STR("")));
    assert_true(ym_id_time_ms("01ARZ3NDEKTSV4RRFFQ69G5FAV") == 1469922850259);
}

static void shards_are_stable_and_even(void **state)
{
    unsigned counts[8] = {0};
    char key[20];
    int i;

    (void)state;
    /* FNV-1a 64 of "foobar" is 0x85944171f73967e8. */
    assert_int_equal(ym_shard_of(YM_STR("foobar"), 1u << 16), 0x67e8);
    assert_int_equal(ym_shard_of(YM_STR("foobar"), 1), 0);
    for (i = 0; i < 8000; i++) {
        (void)snprintf(key, sizeof(key), "owner-%d", i);
        counts[ym_shard_of(ym_str_of(key), 8)]++;
    }
    for (i = 0; i < 8; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_time_and_shard),
        cmocka_unit_test(sorts_by_time),
        cmocka_unit_test(does_not_repeat),
        cmocka_unit_test(refuses_what_is_no_id),
        cmocka_unit_test(shards_are_stable_and_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
