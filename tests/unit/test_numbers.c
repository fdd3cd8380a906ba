/* SPDX-License-Identifier: Apache-2.0
 * Proves what a worker remembers of numbers: whose they are, and that forgetting one never makes
 * another record's.
 */
#include "ym_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct ym_numbers numbers;

static struct ym_str id_of(int i)
{
    static char text[32];

    snprintf(text, sizeof(text), "01KG9N4T2B%016d", i);
    return ym_str_of(text);
}

static const char *number_of(int i)
{
    static char text[32];

    snprintf(text, sizeof(text), "RX2026%06d", i);
    return text;
}

static void whose_it_is(void **state)
{
    (void)state;
    numbers = (struct ym_numbers){0};
    assert_false(ym_numbers_taken(&numbers, number_of(1), id_of(1)));
    ym_numbers_keep(&numbers, number_of(1), id_of(1));
    assert_false(ym_numbers_taken(&numbers, number_of(1), id_of(1)));
    assert_true(ym_numbers_taken(&numbers, number_of(1), id_of(2)));
    assert_false(ym_numbers_taken(&numbers, number_of(2), id_of(2)));
    ym_numbers_keep(&numbers, number_of(1), id_of(2)); /* a person said so */
    assert_false(ym_numbers_taken(&numbers, number_of(1), id_of(2)));
    assert_true(ym_numbers_taken(&numbers, number_of(1), id_of(1)));
}

/* Many more than there is room for: most of the latest are known, nobody's own is ever another's. */
static void forgets_quietly(void **state)
{
    int known = 0;

    (void)state;
    numbers = (struct ym_numbers){0};
    for (int i = 0; i < 20000; i++) {
        assert_false(ym_numbers_taken(&numbers, number_of(i), id_of(i)));
        ym_numbers_keep(&numbers, number_of(i), id_of(i));
    }
    for (int i = 19000; i < 20000; i++) {
        assert_false(ym_numbers_taken(&numbers, number_of(i), id_of(i)));
        known += ym_numbers_taken(&numbers, number_of(i), id_of(1));
    }
    assert_true(known > 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_it_is),
        cmocka_unit_test(forgets_quietly),
    };

    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
