/* SPDX-License-Identifier: Apache-2.0
 * Proves that answers made in an arena are what hiredis makes by itself, however they arrive, and
 * that nothing is left of those that break off.
 */
#include "ym_test.h"

#include "ym_answers.h"
#include "ym_arena.h"

#include <hiredis/hiredis.h>

static const char text[] =
    "+OK\r\n$-1\r\n:-17\r\n*-1\r\n*0\r\n-ERR no\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n"
    "*3\r\n$2\r\nok\r\n:1\r\n*3\r\n*2\r\n$1\r\nx\r\n$-1\r\n+s\r\n*1\r\n:2\r\n$3\r\nend\r\n";
#define ANSWERS 10

static void assert_same(const redisReply *a, const redisReply *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->integer, b->integer);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->elements, b->elements);
    assert_true((a->str == NULL) == (b->str == NULL));
    if (a->str != NULL) {
        assert_memory_equal(a->str, b->str, a->len + 1); /* the NUL as well */
    }
    for (size_t i = 0; i < a->elements; i++) {
        assert_same(a->element[i], b->element[i]);
    }
}

/* In pieces of every size. */
static void as_hiredis_makes_them(void **state)
{
    (void)state;
    for (size_t part = 1; part < sizeof(text); part++) {
        redisReader *own = ym_answers_open(), *other = redisReaderCreate();
        size_t count = 0;

        for (size_t at = 0; at < sizeof(text) - 1; at += part) {
            size_t n = sizeof(text) - 1 - at < part ? sizeof(text) - 1 - at : part;
            void *a = NULL, *b = NULL;

            assert_int_equal(redisReaderFeed(own, text + at, n), REDIS_OK);
            assert_int_equal(redisReaderFeed(other, text + at, n), REDIS_OK);
            do {
                assert_int_equal(redisReaderGetReply(own, &a), REDIS_OK);
                assert_int_equal(redisReaderGetReply(other, &b), REDIS_OK);
                assert_true((a == NULL) == (b == NULL));
                if (a != NULL) {
                    assert_same(a, b);
                    ym_answers_free(a);
                    freeReplyObject(b);
                    count++;
                }
            } while (a != NULL);
        }
        assert_int_equal(count, ANSWERS);
        ym_answers_close(own);
        redisReaderFree(other);
    }
}

static void broken_off(void **state)
{
    static const char *const texts[] = {"*2\r\n$1\r\na\r\n", "*2\r\n*1\r\n$4\r\nab", "*1\r\n!x\r\n",
                                        "*2\r\n:1\r\n:x\r\n", "?"};

    (void)state;
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        redisReader *r = ym_answers_open();
        void *answer = NULL;

        assert_int_equal(redisReaderFeed(r, texts[i], strlen(texts[i])), REDIS_OK);
        (void)redisReaderGetReply(r, &answer);
        assert_null(answer);
        ym_answers_close(r);
    }
    ym_answers_close(NULL);
    ym_answers_free(NULL);
}

/* Memory that is out at each place: an error, and nothing is lost. */
static void without_memory(void **state)
{
    static const char claim[] = "*2\r\n*1\r\n$1\r\nx\r\n*2\r\n:1\r\n$-1\r\n";
    long n;

    (void)state;
    for (n = 1; n < 100; n++) {
        redisReader *r = ym_answers_open();
        void *answer = NULL;
        int rc;

        assert_int_equal(redisReaderFeed(r, claim, sizeof(claim) - 1), REDIS_OK);
        ym_fault_after(n);
        rc = redisReaderGetReply(r, &answer);
        ym_fault_after(0);
        ym_answers_free(answer);
        ym_answers_close(r);
        if (rc == REDIS_OK) {
            break;
        }
        assert_null(answer);
    }
    assert_in_range(n, 5, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_hiredis_makes_them),
        cmocka_unit_test(broken_off),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
