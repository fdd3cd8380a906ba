/* SPDX-License-Identifier: Apache-2.0
 * Proves that the chain of evidence names every line that was altered, left out, doubled or moved.
 */
#include "ym_test.h"

#include "ym_chain.h"

#include <stdio.h>

#define LINES 12
#define CUT 6 /* lines of the first segment */

static const char ring_text[] =
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"A256GCM\","
    "\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},{\"kty\":\"oct\",\"kid\":\"d\","
    "\"alg\":\"HS256\",\"k\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}]}";

struct book {
    struct ym_ring *ring;
    char *lines[LINES + 8];
    size_t count, cut;
    struct ym_chain chain;
    struct ym_chain_finding seen[16];
    size_t seen_count;
};

static void found(void *data, const struct ym_chain_finding *f)
{
    struct book *b = data;

    if (b->seen_count < YM_COUNT(b->seen)) {
        b->seen[b->seen_count++] = *f;
    }
}

static void add(struct book *b, const char *members)
{
    struct ym_buf out;

    ym_buf_init(&out, YM_CHAIN_LINE_MAX);
    assert_int_equal(ym_chain_add(&b->chain, b->ring, ym_str_of(members), &out), YM_OK);
    out.p[out.n - 1] = '\0'; /* the line feed */
    b->lines[b->count++] = strdup(out.p);
    ym_buf_clear(&out);
}

static int setup(void **state)
{
    struct book *b = calloc(1, sizeof(*b));
    char text[200];

    assert_int_equal(ym_ring_load(YM_STR(ring_text), &b->ring, NULL), YM_OK);
    b->cut = CUT;
    for (int i = 1; i <= LINES; i++) {
        if (i == 1 || i == CUT + 1) {
            snprintf(text, sizeof(text),
                     "\"at\":\"2026-01-31T08:30:00+08:00\",\"chain\":\"open\",\"id\":"
                     "\"00000000000000aa\",\"segment\":%d,\"keyed\":true,\"places\":[[\"%d-0\",0]]",
                     i == 1 ? 1 : 2, i == 1 ? 0 : i - 1);
        } else {
            snprintf(text, sizeof(text), "\"shard\":0,\"entry\":\"%d-0\",\"who\":\"u%d\"", i, i);
        }
        add(b, text);
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct book *b = *state;

    for (size_t i = 0; i < b->count; i++) {
        free(b->lines[i]);
    }
    ym_ring_close(b->ring);
    free(b);
    return 0;
}

/* Walks and answers how many findings there are. */
static size_t walk_with(struct book *b, int64_t head_seq, const char *head_mac)
{
    struct ym_chain_walk w = {.ring = b->ring, .found = found, .data = b};

    b->seen_count = 0;
    ym_chain_walk_head(&w, head_seq, head_mac, head_seq != 0 ? "00000000000000aa" : "");
    for (size_t i = 0; i < b->count; i++) {
        if (i == 0 || i == b->cut) {
            ym_chain_walk_segment(&w, i == 0 ? "one" : "two");
        }
        ym_chain_walk_line(&w, ym_str_of(b->lines[i]));
    }
    ym_chain_walk_end(&w);
    assert_int_equal(w.findings, b->seen_count);
    return b->seen_count;
}

static size_t walk(struct book *b)
{
    return walk_with(b, b->chain.seq, b->chain.mac);
}

static void assert_seen(const struct book *b, size_t i, const char *code, const char *file,
                        int64_t line, int64_t seq)
{
    assert_true(i < b->seen_count);
    assert_string_equal(b->seen[i].code, code);
    assert_string_equal(b->seen[i].file, file);
    assert_int_equal(b->seen[i].line, line);
    assert_int_equal(b->seen[i].seq, seq);
}

static void whole(void **state)
{
    assert_int_equal(walk(*state), 0);
}

static void plain_without_a_ring(void **state)
{
    struct ym_chain c = {0};
    struct ym_chain_line line;
    struct ym_buf out;
    char mac[YM_CHAIN_MAC];

    (void)state;
    ym_buf_init(&out, 1000);
    assert_int_equal(ym_chain_add(&c, NULL, YM_STR("\"a\":1"), &out), YM_OK);
    assert_true(ym_chain_split((struct ym_str){out.p, out.n - 1}, &line));
    assert_true(ym_chain_holds(NULL, &line, mac));
    /* printf '%s' '{"seq":1,"prev":"0…0","a":1' | sha256sum */
    assert_string_equal(mac, "79d849221fb23cd49e2bc95431e155e121723309f579af3db1cc2677c5ec6407");
    ym_buf_clear(&out);
}

/* Every bit of every byte of every line. */
static void one_bit(void **state)
{
    struct book *b = *state;

    for (size_t i = 0; i < b->count; i++) {
        for (size_t k = 0; b->lines[i][k] != '\0'; k++) {
            b->lines[i][k] ^= 1;
            if (b->lines[i][k] != '\0') {
                assert_true(walk(b) >= 1);
                assert_int_equal(b->seen[0].seq, (int64_t)i + 1);
                assert_int_equal(b->seen[0].line,
                                 i < CUT ? (int64_t)i + 1 : (int64_t)(i - CUT) + 1);
            }
            b->lines[i][k] ^= 1;
        }
    }
    assert_int_equal(walk(b), 0);
}

static void altered_names_one_place(void **state)
{
    struct book *b = *state;

    b->lines[3][strlen(b->lines[3]) - 90] ^= 1; /* in its members */
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "altered", "one", 4, 4);
}

static void dropped(void **state)
{
    struct book *b = *state;

    free(b->lines[3]);
    memmove(&b->lines[3], &b->lines[4], (b->count - 4) * sizeof(b->lines[0]));
    b->count--;
    b->cut--;
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "missing", "one", 4, 5);
}

static void swapped_lines(void **state)
{
    struct book *b = *state;
    char *line = b->lines[3];

    b->lines[3] = b->lines[4];
    b->lines[4] = line;
    assert_true(walk(b) >= 2);
    assert_seen(b, 0, "missing", "one", 4, 5);
    assert_seen(b, 1, "doubled", "one", 5, 4);
}

static void swapped_segments(void **state)
{
    struct book *b = *state;
    char *lines[LINES];

    memcpy(lines, b->lines, sizeof(lines));
    memcpy(b->lines, lines + CUT, CUT * sizeof(lines[0]));
    memcpy(b->lines + CUT, lines, CUT * sizeof(lines[0]));
    assert_true(walk(b) >= 2);
    assert_seen(b, 0, "doubled", "two", 1, 1);
}

static void cut_tail(void **state)
{
    struct book *b = *state;

    free(b->lines[--b->count]);
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "tail", "two", 5, 11);
}

static void replaced_tail(void **state)
{
    struct book *b = *state;
    char mac[YM_CHAIN_MAC];

    /* even somebody with the key cannot end it otherwise than Redis remembers */
    memcpy(mac, b->chain.mac, sizeof(mac));
    mac[5] ^= 1;
    assert_int_equal(walk_with(b, b->chain.seq, mac), 1);
    assert_seen(b, 0, "head", "two", 6, 12);
}

static void first_segment_gone(void **state)
{
    struct book *b = *state;

    for (size_t i = 0; i < CUT; i++) {
        free(b->lines[i]);
    }
    memmove(b->lines, b->lines + CUT, CUT * sizeof(b->lines[0]));
    b->count -= CUT;
    b->cut = LINES;
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "start", "one", 1, 7);
}

static void removed_on_purpose(void **state)
{
    struct book *b = *state;
    struct ym_chain_line sixth;
    char text[200];

    assert_true(ym_chain_split(ym_str_of(b->lines[CUT - 1]), &sixth));
    snprintf(text, sizeof(text),
             "\"chain\":\"removed\",\"removed_seq\":6,\"removed_mac\":\"%.64s\"", sixth.mac.p);
    add(b, text);
    for (size_t i = 0; i < CUT; i++) {
        free(b->lines[i]);
    }
    b->count -= CUT;
    memmove(b->lines, b->lines + CUT, b->count * sizeof(b->lines[0]));
    b->cut = LINES;
    assert_int_equal(walk(b), 0);
}

static void another_key(void **state)
{
    struct book *b = *state;
    struct ym_ring *ring = b->ring;

    b->ring = NULL; /* a forger without the key can only make plain digests */
    b->chain = (struct ym_chain){0};
    for (size_t i = 0; i < b->count; i++) {
        free(b->lines[i]);
    }
    b->count = 0;
    add(b, "\"chain\":\"open\",\"id\":\"00000000000000aa\",\"segment\":1,\"keyed\":true");
    b->ring = ring;
    assert_true(walk(b) >= 1);
    assert_seen(b, 0, "altered", "one", 1, 1);
}

static void entries_once(void **state)
{
    struct book *b = *state;

    add(b, "\"shard\":0,\"entry\":\"12-0\",\"who\":\"again\"");
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "doubled", "two", 7, 13);
    add(b, "\"shard\":0,\"serial\":1,\"who\":\"a\"");
    add(b, "\"shard\":0,\"serial\":3,\"who\":\"a\"");
    assert_int_equal(walk(b), 2);
    assert_seen(b, 1, "missing", "two", 9, 15);
}

/* A settled delivery has its own order: a segment says where it stands, each comes once. */
static void deliveries_once(void **state)
{
    struct book *b = *state;

    add(b, "\"shard\":0,\"settled\":\"5-1.1\",\"what\":\"deliver\"");
    add(b, "\"shard\":0,\"settled\":\"5-1.2\",\"what\":\"deliver\"");
    add(b, "\"shard\":1,\"settled\":\"5-1.2\",\"what\":\"deliver\"");
    add(b, "\"shard\":0,\"settled\":\"5-2.1\",\"what\":\"deliver\"");
    assert_int_equal(walk(b), 0);
    add(b, "\"shard\":0,\"settled\":\"5-2.1\",\"what\":\"deliver\"");
    assert_int_equal(walk(b), 1);
    assert_seen(b, 0, "doubled", "two", 11, 17);
}

static void marks(void **state)
{
    static const char *const bad[] = {"", "5", "-1", "5-", "5-1.", "5-x", "5-1.x", "x-1"};
    struct ym_chain_mark m = {7, 7, 7}, other;
    char text[YM_CHAIN_MARK_TEXT];

    (void)state;
    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_false(ym_chain_mark_parse(ym_str_of(bad[i]), &m));
    }
    assert_int_equal(m.ms + m.n + m.item, 21);
    assert_true(ym_chain_mark_parse(YM_STR("1769819400123-0.12"), &m));
    assert_true(ym_str_is(ym_chain_mark_text(&m, text), "1769819400123-0.12"));
    assert_true(ym_chain_mark_parse(YM_STR("1769819400123-0"), &other));
    assert_true(ym_str_is(ym_chain_mark_text(&other, text), "1769819400123-0"));
    assert_true(ym_chain_mark_later(&m, &other));
    assert_false(ym_chain_mark_later(&other, &m));
    assert_false(ym_chain_mark_later(&m, &m));
}

static void not_a_line(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{\"seq\":",
        "{\"seq\":1,\"prev\":\"\"}",
        "{\"seq\":01",
        "null",
        "{\"seq\":99999999999999999999,\"prev\":\"",
    };
    struct book *b = *state;
    struct ym_chain_line line;

    for (size_t i = 0; i < YM_COUNT(bad); i++) {
        assert_false(ym_chain_split(ym_str_of(bad[i]), &line));
    }
    for (size_t n = strlen(b->lines[3]); n-- > 0;) {
        assert_false(ym_chain_split((struct ym_str){b->lines[3], n}, &line));
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(whole),
        CASE(plain_without_a_ring),
        CASE(one_bit),
        CASE(altered_names_one_place),
        CASE(dropped),
        CASE(swapped_lines),
        CASE(swapped_segments),
        CASE(cut_tail),
        CASE(replaced_tail),
        CASE(first_segment_gone),
        CASE(removed_on_purpose),
        CASE(another_key),
        CASE(entries_once),
        CASE(deliveries_once),
        CASE(marks),
        CASE(not_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
