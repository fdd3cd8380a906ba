/* SPDX-License-Identifier: Apache-2.0
 * What a field of a type is called, and whether it is personal.
 */
#include "help_types.h"

#include "ym_fields.h"

static void dispute_open(struct shelf *s, struct ym_type *t)
{
    shelf_open(s);
    if (ym_type_load("config/types/dispute.json", shelf_table, s, s->a, t, &s->d) != YM_OK) {
        fail_msg("%s", diag_line(&s->d, 0));
    }
}

static void labels_are_joined_on_the_way(void **state)
{
    struct shelf s;
    struct ym_type t;

    (void)state;
    dispute_open(&s, &t);
    assert_string_equal(ym_field_label(&t, "/title", "zh", s.a), "事件名称");
    assert_string_equal(ym_field_label(&t, "/title", "en", s.a), "Title");
    assert_string_equal(ym_field_label(&t, "/parties/-/name", "zh", s.a), "当事人 · 姓名或名称");
    assert_string_equal(ym_field_label(&t, "/parties/0/name", "zh", s.a), "当事人 · 姓名或名称");
    assert_string_equal(ym_field_label(&t, "/nothing", "zh", s.a), "/nothing");
    shelf_close(&s);
}

static void personal_fields_are_known(void **state)
{
    struct shelf s;
    struct ym_type t;

    (void)state;
    dispute_open(&s, &t);
    assert_true(ym_field_sensitive(&t, "/parties/-/name"));
    assert_true(ym_field_sensitive(&t, "/parties/-/id_no"));
    assert_true(ym_field_sensitive(&t, "/parties/0/phone"));
    assert_true(ym_field_sensitive(&t, "/place/address"));
    assert_false(ym_field_sensitive(&t, "/title"));
    assert_false(ym_field_sensitive(&t, "/category/code4"));
    assert_true(ym_field_sensitive(&t, "/nothing/known")); /* to be safe */
    shelf_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_joined_on_the_way),
        cmocka_unit_test(personal_fields_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
