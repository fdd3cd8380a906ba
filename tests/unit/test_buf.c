/* SPDX-License-Identifier: Apache-2.0
 * Proves that arenas and buffers keep their contracts: zero-filled, ceilings, sticky failure.
 */
#include "ym_test.h"

#include "ym_buf.h"

#include <stdio.h>
#include "ym_err.h"

static void ceiling_holds_to_the_byte(void **state)
{
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 10);
    assert_int_equal(ym_buf_add(&b, "0123456789", 10), YM_OK);
    assert_string_equal(b.p, "0123456789");
    assert_int_equal(ym_buf_addc(&b, 'x'), YM_ETOOBIG);
    assert_null(b.p);
    assert_int_equal(ym_buf_adds(&b, ""), YM_ETOOBIG); /* sticky */
    ym_buf_reset(&b);
    assert_int_equal(ym_buf_adds(&b, "again"), YM_OK);
    assert_int_equal(ym_buf_add(&b, "x", SIZE_MAX), YM_ETOOBIG);
    ym_buf_clear(&b);
}

static void json_strings_are_escaped(void **state)
{
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 1000);
    assert_int_equal(ym_buf_add_json(&b, YM_STR("a\"\\\n\x01/\xE4\xB8\xAD\xF0\x9F\x98\x80")),
                     YM_OK);
    assert_string_equal(b.p, "\"a\\\"\\\\\\n\\u0001/\xE4\xB8\xAD\xF0\x9F\x98\x80\"");
    ym_buf_reset(&b);
    assert_int_equal(ym_buf_add_json(&b, YM_STR("\xFFx\xC0\x80\xED\xA0\x80\xE4\xB8")), YM_OK);
    assert_string_equal(b.p, "\"\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                             "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    ym_buf_clear(&b);
}

static void uris_keep_only_unreserved(void **state)
{
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 1000);
    assert_int_equal(ym_buf_add_uri(&b, YM_STR("aZ09-._~ /?&=+%\xE4")), YM_OK);
    assert_string_equal(b.p, "aZ09-._~%20%2F%3F%26%3D%2B%25%E4");
    ym_buf_clear(&b);
}

static ym_status fill_buffer(void *data)
{
    struct ym_buf b;
    ym_status rc;
    int i;

    (void)data;
    ym_buf_init(&b, 100000);
    for (i = 0; i < 300; i++) {
        (void)ym_buf_addf(&b, "%d,", i);
    }
    (void)ym_buf_add_json(&b, YM_STR("\"\x01"));
    rc = ym_buf_add_uri(&b, YM_STR("/"));
    ym_buf_wipe(&b);
    return rc;
}

static int cleaned;

static void count_cleanup(void *data)
{
    /* Newest first: 2 before 1. */
    cleaned = cleaned * 10 + *(int *)data;
}

static ym_status fill_arena(void *data)
{
    struct ym_arena *a = ym_arena_open();
    ym_status rc = YM_ENOMEM;
    char *p;
    int i;

    (void)data;
    if (a == NULL) {
        return rc;
    }
    for (i = 1; i < 40; i++) {
        p = ym_arena_alloc(a, (size_t)i * 331);
        if (p == NULL) {
            goto done;
        }
        assert_int_equal((uintptr_t)p % sizeof(void *), 0);
        assert_int_equal(p[0] | p[i * 331 - 1], 0);
        memset(p, 0xAA, (size_t)i * 331);
    }
    p = ym_arena_printf(a, "%s-%d", "x", 7);
    if (p == NULL || ym_arena_alloc(a, 0) == NULL || ym_arena_copy(a, "ab", 2) == NULL) {
        goto done;
    }
    assert_string_equal(p, "x-7");
    assert_null(ym_arena_alloc(a, SIZE_MAX));
    rc = YM_OK;
done:
    ym_arena_close(a);
    return rc;
}

static void cleanups_run_newest_first(void **state)
{
    struct ym_arena *a = ym_arena_open();
    int one = 1, two = 2;

    (void)state;
    cleaned = 0;
    assert_int_equal(ym_arena_cleanup(a, count_cleanup, &one), YM_OK);
    assert_int_equal(ym_arena_cleanup(a, count_cleanup, &two), YM_OK);
    ym_arena_close(a);
    ym_arena_close(NULL);
    assert_int_equal(cleaned, 21);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(fill_buffer, NULL);
    fault_loop(fill_arena, NULL);
}

static void errors_are_cut_at_a_character(void **state)
{
    struct ym_err err = {0};
    struct ym_diag d;
    char text[100], small[6];
    int i;

    (void)state;
    assert_int_equal(ym_err_set(NULL, YM_EIO, "x"), YM_EIO);
    assert_int_equal(ym_err_at(&err, YM_EINVAL, "f.yaml", 3, 4, "%s", "bad"), YM_EINVAL);
    ym_err_format(&err, text, sizeof(text));
    assert_string_equal(text, "f.yaml:3:4: bad");
    (void)ym_err_set(&err, YM_EINVAL, "%398s\xE4\xB8\xAD", "");
    assert_int_equal(strlen(err.message), 398);
    (void)ym_err_set(&err, YM_EINVAL, "ab\xE4\xB8\xAD\xE4");
    ym_err_format(&err, small, sizeof(small));
    assert_string_equal(small, "ab\xE4\xB8\xAD");

    ym_diag_init(&d);
    for (i = 0; i < YM_DIAG_MAX + 5; i++) {
        ym_diag_add(&d, "f", i, 0, "n");
    }
    assert_int_equal(d.count, YM_DIAG_MAX);
    assert_int_equal(d.total, YM_DIAG_MAX + 5);
    assert_int_equal(d.items[YM_DIAG_MAX - 1].line, YM_DIAG_MAX - 1);
    ym_diag_clear(&d);
}

/* Eight bytes are looked at together: a byte at each place of them. */
static void json_at_every_place(void **state)
{
    static const char *const odd[][2] = {
        {"\"", "\\\""},      {"\\", "\\\\"},           {"\n", "\\n"},
        {"\x1f", "\\u001f"}, {"\xff", "\xEF\xBF\xBD"}, {"é", "é"}};
    static const char a[] = "aaaaaaaaaaaaaaaaaaaa";
    char in[32], want[64];
    struct ym_buf b;

    (void)state;
    ym_buf_init(&b, 1000);
    for (size_t k = 0; k < YM_COUNT(odd); k++) {
        for (int i = 0; i <= 20; i++) {
            snprintf(in, sizeof(in), "%.*s%s%s", i, a, odd[k][0], a + i);
            snprintf(want, sizeof(want), "\"%.*s%s%s\"", i, a, odd[k][1], a + i);
            ym_buf_reset(&b);
            assert_int_equal(ym_buf_add_json(&b, ym_str_of(in)), YM_OK);
            assert_string_equal(b.p, want);
        }
    }
    ym_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ceiling_holds_to_the_byte),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(uris_keep_only_unreserved),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(cleanups_run_newest_first),
        cmocka_unit_test(errors_are_cut_at_a_character),
        cmocka_unit_test(json_at_every_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
