/* SPDX-License-Identifier: Apache-2.0
 * Proves local accounts: one form of a name (G135, G145), the sealed form, recovery codes.
 */
#include "ym_test.h"

#include "ym_account.h"

static const char ring_text[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"A256GCM\","
                                "\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"},"
                                "{\"kty\":\"oct\",\"kid\":\"d\",\"alg\":\"HS256\","
                                "\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}";

static struct ym_ring *ring;

static int open_ring(void **state)
{
    struct ym_err err = {0};
    (void)state;
    return ym_ring_load(ym_str_of(ring_text), &ring, &err);
}

static int close_ring(void **state)
{
    (void)state;
    ym_ring_close(ring);
    return 0;
}

static void names(void **state)
{
    static const char *const same[][2] = {
        {"LiMei", "limei"},
        {"  limei\t", NULL},
        {"\xe3\x80\x80limei\xc2\xa0", "limei"},
        {"\xef\xbd\x8c\xef\xbd\x89mei", "limei"}, /* full width */
        {"\xe2\x84\xaa"
         "elvin",
         "kelvin"}, /* the Kelvin sign */
        {"stra\xc3\x9f"
         "e",
         "strasse"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"cafe\xcc\x81", "caf\xc3\xa9"},
        {"\xef\xac\x81n", "fin"}, /* ligature */
        {"李梅", "李梅"},
        {"Mei.Li+1@Example.CN", "mei.li+1@example.cn"},
        {"阿依古丽·买买提", "阿依古丽·买买提"},
    };
    static const char *const bad[] = {
        "",
        " ",
        "../../x",
        "a/b",
        "a\\b",
        "a\r\nb",
        "a b",
        "%s%n",
        "<script>",
        "a\"b",
        "a'b",
        "\xe2\x80\xaexyz",
        "a\xe2\x80\x8d"
        "b",
        "a\xc2\x85"
        "b",
        "\xff",
        "\xed\xa0\x80",
        ".hidden",
        "-flag",
        "a:b",
        "a;b",
        "a|b",
        "a*",
        "a\x7f",
        "\xf0\x9f\x98\x80",
    };
    char out[YM_ACCOUNT_NAME], big[400];
    struct ym_err err = {0};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(same); i++) {
        ym_status rc = ym_account_name(ym_str_of(same[i][0]), out, &err);
        assert_int_equal(rc, same[i][1] != NULL ? YM_OK : YM_EINVAL);
        if (rc == YM_OK) {
            assert_string_equal(out, same[i][1]);
            assert_int_equal(ym_account_name(ym_str_of(same[i][1]), out, &err), YM_OK);
            assert_string_equal(out, same[i][1]);
        }
    }
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        if (ym_account_name(ym_str_of(bad[i]), out, &err) != YM_EINVAL) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(ym_account_name(YM_STR("a\0b"), out, &err), YM_EINVAL);
    memset(big, 'a', sizeof(big));
    assert_int_equal(ym_account_name((struct ym_str){big, 127}, out, &err), YM_OK);
    assert_int_equal(ym_account_name((struct ym_str){big, 128}, out, &err), YM_EINVAL);
    assert_int_equal(ym_account_name((struct ym_str){big, 400}, out, &err), YM_EINVAL);
}

static void fill(struct ym_account *a)
{
    memset(a, 0, sizeof(*a));
    memcpy(a->id, "01J8ZZZZZZZZZZZZZZZZZZZZZ0", YM_ID_LEN + 1);
    memcpy(a->names[0], "LiMei", 6);
    memcpy(a->names[1], "李梅", 7);
    a->name_count = 2;
    memcpy(a->email, "limei@example.cn", 17);
    memcpy(a->title, "李 梅", 8);
    memcpy(a->org, "committee-1", 12);
    memcpy(a->area, "330106003", 10);
    memcpy(a->hash, "$scrypt$ln=15,r=8,p=1$x$y", 26);
    a->roles = YM_ROLE_STAFF | YM_ROLE_ADMIN;
    a->change = true;
}

static void sealed_form(void **state)
{
    struct ym_account a, b;
    struct ym_buf text;
    struct ym_err err = {0};
    char codes[YM_ACCOUNT_CODES][YM_ACCOUNT_CODE];

    (void)state;
    fill(&a);
    assert_int_equal(ym_totp_make(a.totp, &err), YM_OK);
    assert_int_equal(ym_account_codes(ring, &a, codes, &err), YM_OK);
    ym_buf_init(&text, 1 << 16);
    assert_int_equal(ym_account_seal(ring, &a, &text, &err), YM_OK);
    assert_null(strstr(text.p, "LiMei"));
    assert_int_equal(ym_account_open(ring, ym_str_of(a.id), ym_buf_str(&text), &b, &err), YM_OK);
    assert_memory_equal(&a, &b, sizeof(a));

    /* what belongs to one account does not open as another's */
    assert_int_equal(
        ym_account_open(ring, YM_STR("01J8ZZZZZZZZZZZZZZZZZZZZZ1"), ym_buf_str(&text), &b, &err),
        YM_EAUTH);
    text.p[text.n / 2] = text.p[text.n / 2] == 'A' ? 'B' : 'A';
    assert_int_not_equal(ym_account_open(ring, ym_str_of(a.id), ym_buf_str(&text), &b, &err),
                         YM_OK);
    assert_int_not_equal(ym_account_open(ring, ym_str_of(a.id), YM_STR(""), &b, &err), YM_OK);
    assert_int_not_equal(ym_account_open(ring, YM_STR("x"), ym_buf_str(&text), &b, &err), YM_OK);
    ym_buf_clear(&text);
}

static void digests(void **state)
{
    struct ym_account a;
    struct ym_err err = {0};
    char out[YM_ACCOUNT_NAMES + 1][YM_DIGEST_HEX], one[YM_DIGEST_HEX];
    size_t n;

    (void)state;
    fill(&a);
    memcpy(a.names[1], "LIMEI@example.cn", 17); /* the same as the e-mail address */
    assert_int_equal(ym_account_digests(ring, &a, out, &n, &err), YM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ym_account_digest(ring, "limei", one, &err), YM_OK);
    assert_string_equal(out[0], one);
}

static void recovery(void **state)
{
    struct ym_account a;
    struct ym_err err = {0};
    char codes[YM_ACCOUNT_CODES][YM_ACCOUNT_CODE], typed[YM_ACCOUNT_CODE];

    (void)state;
    fill(&a);
    assert_false(ym_account_code_use(ring, &a, YM_STR("aaaa-aaaa-aaaa-aaaa")));
    assert_int_equal(ym_account_codes(ring, &a, codes, &err), YM_OK);
    for (size_t i = 0; i < YM_ACCOUNT_CODES; i++) {
        assert_int_equal(strlen(codes[i]), 19);
        for (size_t k = 0; k <= 19; k++) {
            char c = codes[i][k];
            typed[k] = c == '-' ? ' ' : c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        }
        assert_true(ym_account_code_use(ring, &a, ym_str_of(typed)));
        assert_false(ym_account_code_use(ring, &a, ym_str_of(typed)));
    }
    assert_false(ym_account_code_use(ring, &a, YM_STR("")));
    assert_false(ym_account_code_use(ring, &a, YM_STR("aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa")));
}

static void faults_of(void **state)
{
    struct ym_account a;

    (void)state;
    fill(&a);
    assert_null(ym_account_fault(&a));
    a.roles = 0;
    assert_string_equal(ym_account_fault(&a), "/roles");
    fill(&a);
    memcpy(a.area, "33x", 4);
    assert_string_equal(ym_account_fault(&a), "/area");
    fill(&a);
    memcpy(a.title, "a\nb", 4);
    assert_string_equal(ym_account_fault(&a), "/name");
    fill(&a);
    memcpy(a.email, "nobody", 7);
    assert_string_equal(ym_account_fault(&a), "/email");
    fill(&a);
    memcpy(a.names[1], "a/b", 4);
    assert_string_equal(ym_account_fault(&a), "/aliases");
    fill(&a);
    a.name_count = 0;
    assert_string_equal(ym_account_fault(&a), "/login");
    assert_int_equal(ym_role_of(YM_STR("admin")), YM_ROLE_ADMIN);
    assert_int_equal(ym_role_of(YM_STR("Admin")), 0);
    assert_string_equal(ym_role_name(YM_ROLE_AUDITOR), "auditor");
    assert_null(ym_role_name(YM_ROLE_AUDITOR | YM_ROLE_STAFF));
}

static ym_status seal_body(void *data)
{
    struct ym_buf text;
    struct ym_err err = {0};
    struct ym_account a, b;
    ym_status rc;

    (void)data;
    fill(&a);
    ym_buf_init(&text, 1 << 16);
    rc = ym_account_seal(ring, &a, &text, &err);
    if (rc == YM_OK) {
        rc = ym_account_open(ring, ym_str_of(a.id), ym_buf_str(&text), &b, &err);
    }
    ym_buf_clear(&text);
    return rc;
}

static void allocations(void **state)
{
    (void)state;
    fault_loop(seal_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),    cmocka_unit_test(sealed_form), cmocka_unit_test(digests),
        cmocka_unit_test(recovery), cmocka_unit_test(faults_of),   cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, open_ring, close_ring);
}
