/* SPDX-License-Identifier: Apache-2.0
 * Proves that what is sealed opens only unaltered, in its own place and with a key of the ring, and
 * that digests depend on every part.
 */
#include "ym_test.h"

#include "ym_seal.h"

#define OLD                                                                                        \
    "{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"a1\",\"k\":"                                   \
    "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}"
#define NEW                                                                                        \
    "{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"b2\",\"k\":\"_"                                \
    "wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}"
#define MAC                                                                                        \
    "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"mac\",\"k\":"                                    \
    "\"EBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}"
#define SET(keys) "{\"keys\":[" keys "]}"

static struct ym_ring *ring(const char *text)
{
    struct ym_ring *r = NULL;
    struct ym_err err = {0};

    if (ym_ring_load(ym_str_of(text), &r, &err) != YM_OK) {
        fail_msg("%s", err.message);
    }
    return r;
}

static void there_and_back(void **state)
{
    struct ym_ring *r = ring(SET(OLD "," MAC));
    static const char *const texts[] = {"", "x", "王某的身份证号"};
    struct ym_buf sealed, plain;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        ym_buf_init(&sealed, 4096);
        ym_buf_init(&plain, 4096);
        assert_int_equal(ym_seal(r, YM_STR("session:1"), ym_str_of(texts[i]), &sealed, NULL),
                         YM_OK);
        assert_true(sealed.n <= strlen(texts[i]) + YM_SEAL_OVERHEAD);
        assert_true(ym_is_sealed(ym_buf_str(&sealed)));
        assert_false(ym_seal_is_old(r, ym_buf_str(&sealed)));
        assert_int_equal(ym_unseal(r, YM_STR("session:1"), ym_buf_str(&sealed), &plain, NULL),
                         YM_OK);
        assert_true(ym_str_is(ym_buf_str(&plain), texts[i]));
        assert_int_equal(ym_unseal(r, YM_STR("session:2"), ym_buf_str(&sealed), &plain, NULL),
                         YM_EAUTH);
        ym_buf_clear(&sealed);
        ym_buf_wipe(&plain);
    }
    ym_ring_close(r);
}

static void every_flipped_bit_shows(void **state)
{
    struct ym_ring *r = ring(SET(OLD "," NEW "," MAC));
    struct ym_buf sealed, plain;

    (void)state;
    ym_buf_init(&sealed, 4096);
    ym_buf_init(&plain, 4096);
    assert_int_equal(ym_seal(r, YM_STR("c"), YM_STR("text"), &sealed, NULL), YM_OK);
    for (size_t i = 0; i < 8 * sealed.n; i++) {
        sealed.p[i / 8] ^= (char)(1 << (i % 8));
        assert_int_equal(ym_unseal(r, YM_STR("c"), ym_buf_str(&sealed), &plain, NULL), YM_EAUTH);
        sealed.p[i / 8] ^= (char)(1 << (i % 8));
    }
    for (size_t n = 0; n < sealed.n; n++) {
        assert_int_equal(ym_unseal(r, YM_STR("c"), (struct ym_str){sealed.p, n}, &plain, NULL),
                         YM_EAUTH);
    }
    assert_int_equal(plain.n, 0);
    ym_buf_clear(&sealed);
    ym_ring_close(r);
}

static void rotation(void **state)
{
    struct ym_ring *before = ring(SET(OLD "," MAC)), *after = ring(SET(NEW "," OLD "," MAC)),
                   *gone = ring(SET(NEW "," MAC));
    struct ym_buf sealed, plain;

    (void)state;
    ym_buf_init(&sealed, 4096);
    ym_buf_init(&plain, 4096);
    assert_int_equal(ym_seal(before, YM_STR("c"), YM_STR("text"), &sealed, NULL), YM_OK);
    assert_true(ym_seal_is_old(after, ym_buf_str(&sealed)));
    assert_int_equal(ym_unseal(after, YM_STR("c"), ym_buf_str(&sealed), &plain, NULL), YM_OK);
    assert_int_equal(ym_unseal(gone, YM_STR("c"), ym_buf_str(&sealed), &plain, NULL), YM_EAUTH);
    ym_buf_clear(&sealed);
    ym_buf_wipe(&plain);
    ym_ring_close(before);
    ym_ring_close(after);
    ym_ring_close(gone);
}

static void digests(void **state)
{
    struct ym_ring *r = ring(SET(OLD "," MAC)), *rotated = ring(SET(NEW "," OLD "," MAC));
    char a[YM_DIGEST_HEX], b[YM_DIGEST_HEX];

    (void)state;
    assert_int_equal(ym_ring_digest(r, "name", YM_STR("mei"), a), YM_OK);
    assert_int_equal(ym_ring_digest(rotated, "name", YM_STR("mei"), b), YM_OK);
    assert_string_equal(a, b); /* rotation of the sealing key leaves what is found by it */
    assert_int_equal(ym_ring_digest(r, "nam", YM_STR("emei"), b), YM_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(ym_ring_digest(r, "name", YM_STR(""), b), YM_OK);
    assert_string_not_equal(a, b);
    ym_ring_close(r);
    ym_ring_close(rotated);
}

static void bad_rings(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        SET(""),
        SET(OLD),
        SET(MAC),
        SET(OLD "," OLD "," MAC),
        SET(OLD "," MAC "," MAC),
        SET(OLD "," MAC ",1"),
        SET(OLD "," MAC ",{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"c\",\"k\":\"AAEC\"}"),
        SET(OLD "," MAC ",{\"kty\":\"oct\",\"alg\":\"none\",\"kid\":\"c\",\"k\":\"AAEC\"}"),
        SET(OLD "," MAC ",{\"kty\":\"RSA\",\"alg\":\"A256GCM\",\"kid\":\"c\",\"k\":\"AAEC\"}"),
        SET(OLD "," MAC ",{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"a "
                "b\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}"),
    };
    struct ym_ring *r = NULL;

    (void)state;
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        struct ym_err err = {0};
        assert_int_not_equal(ym_ring_load(ym_str_of(bad[i]), &r, &err), YM_OK);
        assert_null(r);
        assert_string_not_equal(err.message, "");
    }
}

/* The same as text, where bytes have no place. */
static void as_text(void **state)
{
    struct ym_ring *r = NULL;
    struct ym_buf text, plain;
    char kid[YM_SEAL_KID_MAX + 1];

    (void)state;
    assert_int_equal(ym_ring_load(YM_STR(SET(OLD "," MAC)), &r, NULL), YM_OK);
    ym_buf_init(&text, 1000);
    ym_buf_init(&plain, 1000);
    assert_int_equal(ym_seal_text(r, YM_STR("why"), YM_STR("原因"), &text, NULL), YM_OK);
    assert_int_equal(text.p[0], '~');
    assert_true(ym_is_sealed_text(ym_buf_str(&text)));
    assert_true(ym_seal_text_kid(ym_buf_str(&text), kid));
    assert_string_equal(kid, ym_ring_kid(r, 0));
    assert_true(ym_ring_has(r, kid));
    assert_false(ym_ring_has(r, "none"));
    assert_null(ym_ring_kid(r, 1));
    assert_int_equal(ym_unseal_text(r, YM_STR("why"), ym_buf_str(&text), &plain, NULL), YM_OK);
    assert_string_equal(plain.p, "原因");
    assert_int_equal(ym_unseal_text(r, YM_STR("other"), ym_buf_str(&text), &plain, NULL), YM_EAUTH);
    assert_int_equal(ym_unseal_text(r, YM_STR("why"), YM_STR("~plain"), &plain, NULL), YM_EAUTH);
    assert_false(ym_is_sealed_text(YM_STR("~ about")));
    assert_false(ym_is_sealed_text(YM_STR("~")));
    assert_false(ym_is_sealed_text(YM_STR("")));
    ym_buf_clear(&text);
    ym_buf_clear(&plain);
    ym_ring_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(every_flipped_bit_shows),
        cmocka_unit_test(rotation),       cmocka_unit_test(digests),
        cmocka_unit_test(bad_rings),      cmocka_unit_test(as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
