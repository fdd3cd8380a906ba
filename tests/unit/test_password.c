/* SPDX-License-Identifier: Apache-2.0
 * Proves password hashing against published vectors, its limits, and what counts as a fit password.
 */
#include "ym_test.h"

#include "ym_password.h"

#include <stdlib.h>

static const struct ym_password_rules cheap = {YM_PASSWORD_SCRYPT, YM_PASSWORD_LN_MIN, 1000};
static const struct ym_password_rules national = {YM_PASSWORD_SM3, YM_PASSWORD_LN_MIN, 1000};

static ym_status check(const char *password, const char *stored)
{
    struct ym_err err = {0};
    return ym_password_verify(&cheap, ym_str_of(password), stored, &err);
}

/* RFC 7914 §12, and PBKDF2-HMAC-SM3 as another implementation has it. */
static void vectors(void **state)
{
    static const char rfc[] =
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
        "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1l"
        "HkDfzwF7RVdYhw";
    static const char sm3[] =
        "$pbkdf2-sm3$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$HnSfj6d7npa2JHucQ6Lv+T+ueW6UyIRnYOoMS+JukaA";

    (void)state;
    assert_int_equal(check("pleaseletmein", rfc), YM_OK);
    assert_int_equal(check("pleaseletmeim", rfc), YM_EAUTH);
    assert_int_equal(check("correct horse", sm3), YM_OK);
    assert_int_equal(check("correct horsf", sm3), YM_EAUTH);
}

static void round_trip(void **state)
{
    const struct ym_password_rules *kinds[] = {&cheap, &national};
    struct ym_password_rules dearer = cheap;
    char a[YM_PASSWORD_HASH_MAX], b[YM_PASSWORD_HASH_MAX];
    struct ym_err err = {0};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(kinds); i++) {
        assert_int_equal(ym_password_hash(kinds[i], YM_STR("门前一棵树 9"), a, &err), YM_OK);
        assert_int_equal(ym_password_hash(kinds[i], YM_STR("门前一棵树 9"), b, &err), YM_OK);
        assert_string_not_equal(a, b);
        assert_int_equal(check("门前一棵树 9", a), YM_OK);
        assert_int_equal(check("门前一棵树 8", a), YM_EAUTH);
        assert_int_equal(check("", a), YM_EAUTH);
        assert_false(ym_password_is_old(kinds[i], a));
        assert_true(ym_password_is_old(kinds[1 - i], a));
    }
    dearer.ln++;
    assert_int_equal(ym_password_hash(&cheap, YM_STR("x"), a, &err), YM_OK);
    assert_true(ym_password_is_old(&dearer, a));
    assert_true(ym_password_is_old(&cheap, "nonsense"));
}

/* G139: lengths, NUL, invalid UTF-8, two ways of writing one letter. */
static void texts(void **state)
{
    char a[YM_PASSWORD_HASH_MAX], big[YM_PASSWORD_MAX + 1];
    struct ym_err err = {0};

    (void)state;
    memset(big, 'p', sizeof(big));
    assert_int_equal(ym_password_hash(&cheap, (struct ym_str){big, YM_PASSWORD_MAX}, a, &err),
                     YM_OK);
    big[YM_PASSWORD_MAX - 1] = 'q'; /* the last byte counts */
    assert_int_equal(ym_password_verify(&cheap, (struct ym_str){big, YM_PASSWORD_MAX}, a, &err),
                     YM_EAUTH);
    big[YM_PASSWORD_MAX - 1] = 'p';
    assert_int_equal(ym_password_verify(&cheap, (struct ym_str){big, YM_PASSWORD_MAX}, a, &err),
                     YM_OK);
    assert_int_equal(ym_password_verify(&cheap, (struct ym_str){big, YM_PASSWORD_MAX + 1}, a, &err),
                     YM_EAUTH);
    assert_int_equal(ym_password_hash(&cheap, (struct ym_str){big, YM_PASSWORD_MAX + 1}, a, &err),
                     YM_EINVAL);

    assert_int_equal(ym_password_hash(&cheap, YM_STR("a\0b"), a, &err), YM_EINVAL);
    assert_int_equal(ym_password_hash(&cheap, YM_STR("a\nb"), a, &err), YM_EINVAL);
    assert_int_equal(ym_password_hash(&cheap, YM_STR("\xc3\x28"), a, &err), YM_EINVAL);
    assert_int_equal(ym_password_hash(&cheap, YM_STR("\xed\xa0\x80"), a, &err), YM_EINVAL);
    assert_int_equal(ym_password_hash(&cheap, YM_STR(""), a, &err), YM_EINVAL);

    assert_int_equal(ym_password_hash(&cheap, YM_STR("caf\xc3\xa9"), a, &err), YM_OK);
    assert_int_equal(check("cafe\xcc\x81", a), YM_OK);
    assert_int_equal(check("cafe", a), YM_EAUTH);
    assert_int_equal(check("caf\xc3\xa9\x01", a), YM_EAUTH);
}

static void nobody(void **state)
{
    struct ym_err err = {0};

    (void)state;
    assert_int_equal(ym_password_verify(&cheap, YM_STR("-"), NULL, &err), YM_EAUTH);
    assert_int_equal(ym_password_verify(&cheap, YM_STR(""), NULL, &err), YM_EAUTH);
    assert_int_equal(ym_password_verify(&national, YM_STR("x"), NULL, &err), YM_EAUTH);
}

static void damaged(void **state)
{
    static const char *const bad[] = {
        "",
        "$",
        "$scrypt$",
        "$scrypt$ln=15,r=8,p=1$",
        "$scrypt$ln=30,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=9,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=14,r=9,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=14,r=8,p=9$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=14,r=8,p=1$U29k$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046w",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w$",
        "$scrypt$ln= 14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
        "$pbkdf2-sm3$i=1$MDEyMzQ1Njc4OWFiY2RlZg$cCO9yzr9c0hGHAbNgf046w",
        "$pbkdf2-sm3$i=99999999$MDEyMzQ1Njc4OWFiY2RlZg$cCO9yzr9c0hGHAbNgf046w",
        "$2b$12$abcdefghijklmnopqrstuv",
        "plain",
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (check("x", bad[i]) != YM_EINVAL) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void fitness(void **state)
{
    static const char *const names[] = {"lixiaomei", "li@example.cn", NULL};
    static const struct {
        const char *password, *word;
    } cases[] = {
        {"gate-7-moon-river", NULL}, {"门前一棵树三只鸟在唱", NULL},
        {"short", "short"},          {"", "short"},
        {"aaaaaaaaaaaa", "simple"},  {"abababababab", "simple"},
        {"password123", "simple"},   {"Passw0rd!2024", "simple"},
        {"1234567890", "simple"},    {"LiXiaomei2024", "name"},
        {"li@example.cn1", "name"},  {"admin-gate-7-moon-river", NULL},
        {"tab\there-it-is", "text"}, {"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", "text"},
    };

    (void)state;
    for (size_t i = 0; i < YM_COUNT(cases); i++) {
        const char *word = ym_password_unfit(ym_str_of(cases[i].password), 10, names, 3);
        if (!ym_str_eq(ym_str_of(word), ym_str_of(cases[i].word))) {
            fail_msg("%s: %s", cases[i].password, word != NULL ? word : "fit");
        }
    }
}

static ym_status hash_body(void *data)
{
    char out[YM_PASSWORD_HASH_MAX];
    struct ym_err err = {0};

    (void)data;
    return ym_password_hash(&cheap, YM_STR("gate-7-moon-river"), out, &err);
}

static void faults(void **state)
{
    (void)state;
    fault_loop(hash_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(round_trip), cmocka_unit_test(texts),
        cmocka_unit_test(nobody),  cmocka_unit_test(damaged),    cmocka_unit_test(fitness),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
