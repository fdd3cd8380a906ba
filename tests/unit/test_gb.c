/* SPDX-License-Identifier: Apache-2.0
 * Check digits and forms: the standards' own examples, the synthetic vectors, and each way to fail.
 */
#include "ym_test.h"
#include "ym_gb.h"

struct vector {
    const char *value;
    bool valid;
};

static void run(const struct vector *v, size_t n, bool (*holds)(struct ym_str))
{
    for (size_t i = 0; i < n; i++) {
        if (holds(ym_str_of(v[i].value)) != v[i].valid) {
            fail_msg("%s: expected %s", v[i].value, v[i].valid ? "valid" : "invalid");
        }
    }
}

static void identity_numbers(void **state)
{
    static const struct vector v[] = {
        {"11010519491231002X", true},   /* example of the standard */
        {"440524188001010014", true},   /* example of the standard */
        {"330106189003070015", true},   /* synthetic, male */
        {"330106189003070023", true},   /* synthetic, female */
        {"33010618900307004X", true},   /* check X */
        {"33010618900307004x", true},   /* lower case is accepted */
        {"330106188802290036", true},   /* leap day */
        {"330106189003070016", false},  /* wrong check digit */
        {"330106190002290014", false},  /* 29 Feb 1900 does not exist */
        {"33010618900307001", false},   /* 17 characters */
        {"330106000000001", false},     /* the old 15-digit form */
        {"030106189003070015", false},  /* no area begins with 0 */
        {"33010618900307001 ", false},  /* a blank as check digit */
        {"３30106189003070", false},    /* a full-width digit */
        {"3301061890030700150", false}, /* 19 characters */
        {"", false},
    };

    (void)state;
    run(v, YM_COUNT(v), ym_gb11643);
}

static void identity_number_read(void **state)
{
    char sex = 0, birth[11];

    (void)state;
    ym_gb11643_read(YM_STR("330106189003070015"), &sex, birth);
    assert_int_equal(sex, '1');
    assert_string_equal(birth, "1890-03-07");
    ym_gb11643_read(YM_STR("330106188802290036"), &sex, birth);
    assert_int_equal(sex, '1');
    assert_string_equal(birth, "1888-02-29");
    ym_gb11643_read(YM_STR("330106189003070023"), &sex, birth);
    assert_int_equal(sex, '2');
}

static void credit_codes(void **state)
{
    static const struct vector v[] = {
        {"91350100M000100Y43", true}, /* example of the standard */
        {"91000000MA00000157", true},
        {"52000000MA00000158", true},   /* social organisation */
        {"91350100M000100Y44", false},  /* wrong check character */
        {"91350100I000100Y43", false},  /* I is not in the alphabet */
        {"91350100m000100Y43", false},  /* lower case */
        {"9135A100M000100Y43", false},  /* the area has digits only */
        {"91350100M000100Y4", false},   /* 17 characters */
        {"91350100M000100Y433", false}, /* 19 characters */
        {"", false},
    };

    (void)state;
    run(v, YM_COUNT(v), ym_gb32100);
}

static void organisation_codes(void **state)
{
    static const struct vector v[] = {
        {"D2143569-X", true},  {"MA000001-5", true},  {"D2143569X", true},   {"D2143569-1", false},
        {"D2143569--", false}, {"d2143569-X", false}, {"D2143569-x", false}, {"", false},
    };

    (void)state;
    run(v, YM_COUNT(v), ym_gb11714);
}

static void phones(void **state)
{
    static const struct vector v[] = {
        {"13000000001", true},     {"12000000001", false},   {"0571-00000000", true},
        {"00000000", false},       {"057100000000", true},   {"010-00000000", true},
        {"0571-0000000", true},    {"0571-000000", false},   {"010-000000000", false},
        {"1300000000", false},     {"130000000011", false},  {"0571-0000000a", false},
        {"0571--00000000", false}, {"00571-0000000", false}, {"", false},
    };

    (void)state;
    run(v, YM_COUNT(v), ym_phone_cn);
}

static void areas(void **state)
{
    static const struct vector v[] = {
        {"33", true},        {"3301", true},         {"330106", true},
        {"330106001", true}, {"330106001002", true}, {"330106001002003", false},
        {"33010", false},    {"03", false},          {"33010x", false},
        {"", false},
    };

    (void)state;
    run(v, YM_COUNT(v), ym_area_code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_numbers), cmocka_unit_test(identity_number_read),
        cmocka_unit_test(credit_codes),     cmocka_unit_test(organisation_codes),
        cmocka_unit_test(phones),           cmocka_unit_test(areas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
