/* SPDX-License-Identifier: Apache-2.0
 * Proves that segments turn over by day and size, that old ones go only after that is written down,
 * and that the chain holds through all of it, also when a ring comes to be.
 */
#include "ym_test.h"

#include "ym_segments.h"
#include "ym_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400000LL
#define BEGIN 1767196800000LL /* 2026-01-01T00:00:00+08:00 */

static const char ring_text[] =
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"A256GCM\","
    "\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},{\"kty\":\"oct\",\"kid\":\"d\","
    "\"alg\":\"HS256\",\"k\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}]}";

struct desk {
    char dir[64];
    struct ym_segments s;
    struct ym_segments_conf conf;
    struct ym_segments_head head;
    struct ym_ring *ring;
    int64_t entry;
};

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof(*d));

    snprintf(d->dir, sizeof(d->dir), "/tmp/yimen-segments-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    d->conf = (struct ym_segments_conf){d->dir, NULL, 2, 65536, 200};
    assert_int_equal(ym_ring_load(YM_STR(ring_text), &d->ring, NULL), YM_OK);
    d->entry = 1;
    ym_now_set(BEGIN);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    char command[128];

    ym_now_set(0);
    ym_segments_close(&d->s);
    ym_ring_close(d->ring);
    snprintf(command, sizeof(command), "rm -r %s", d->dir);
    assert_int_equal(system(command), 0);
    free(d);
    return 0;
}

static void open_at(struct desk *d, int64_t ms)
{
    struct ym_err err = {0};

    ym_now_set(ms);
    if (ym_segments_open(&d->s, &d->conf, &d->head, &err) != YM_OK) {
        fail_msg("%s %s", err.file, err.message);
    }
}

static void remember(struct desk *d)
{
    memcpy(d->head.id, d->s.id, sizeof(d->head.id));
    memcpy(d->head.mac, d->s.safe.chain.mac, sizeof(d->head.mac));
    d->head.seq = d->s.safe.chain.seq;
}

static void add(struct desk *d, int count)
{
    char text[120];

    for (int i = 0; i < count; i++) {
        int n = snprintf(text, sizeof(text), "\"shard\":0,\"entry\":\"%lld-0\",\"who\":\"u\"",
                         (long long)d->entry);

        d->s.now.places[0].entry.ms = d->entry++;
        assert_int_equal(ym_segments_add(&d->s, (struct ym_str){text, (size_t)n}), YM_OK);
    }
    assert_int_equal(ym_segments_commit(&d->s, NULL), YM_OK);
    remember(d);
}

static void turn_at(struct desk *d, int64_t ms)
{
    ym_now_set(ms);
    assert_int_equal(ym_segments_turn(&d->s, ms, NULL), YM_OK);
    remember(d);
}

static bool take(void *data, struct ym_str text)
{
    ym_chain_walk_line(data, text);
    return true;
}

static void told(void *data, const struct ym_chain_finding *f)
{
    (void)data;
    print_message("%s:%lld seq %lld %s: %s\n", f->file != NULL ? f->file : "", (long long)f->line,
                  (long long)f->seq, f->code, f->text);
}

/* → findings; *ret_count: segments */
static int64_t walk(struct desk *d, size_t *ret_count)
{
    struct ym_chain_walk w = {.ring = d->ring, .found = told};
    char(*names)[YM_SEGMENTS_NAME] = NULL;
    size_t torn;

    ym_chain_walk_head(&w, d->head.seq, d->head.mac, d->head.id);
    assert_int_equal(ym_segments_list(d->dir, &names, ret_count, NULL), YM_OK);
    for (size_t i = 0; i < *ret_count; i++) {
        ym_chain_walk_segment(&w, names[i]);
        assert_int_equal(ym_segments_read(d->dir, names[i], take, &w, &torn, NULL), YM_OK);
        assert_int_equal(torn, 0);
    }
    ym_chain_walk_end(&w);
    free(names);
    return w.findings;
}

static void a_day_and_a_size(void **state)
{
    struct desk *d = *state;
    size_t count;

    open_at(d, BEGIN);
    add(d, 3);
    turn_at(d, BEGIN + DAY / 2);
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 1);
    turn_at(d, BEGIN + DAY);
    turn_at(d, BEGIN + 2 * DAY); /* nothing happened: nothing new */
    add(d, 400);
    turn_at(d, BEGIN + 2 * DAY);
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 3);
    assert_string_equal(d->s.name, "00000003-20260103.jsonl");
}

static void old_ones_go(void **state)
{
    struct desk *d = *state;
    size_t count;

    open_at(d, BEGIN);
    for (int day = 0; day < 5; day++) {
        add(d, 2);
        turn_at(d, BEGIN + (day + 1) * DAY);
    }
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 6);
    add(d, 1);
    turn_at(d, BEGIN + 203 * DAY); /* the first three are older than 200 days */
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 4);
    ym_segments_close(&d->s);
    open_at(d, BEGIN + 203 * DAY);
    add(d, 1);
    assert_int_equal(walk(d, &count), 0);
}

static void a_ring_comes_to_be(void **state)
{
    struct desk *d = *state;
    size_t count;

    open_at(d, BEGIN);
    add(d, 3);
    ym_segments_close(&d->s);
    d->conf.ring = d->ring;
    open_at(d, BEGIN + 1000);
    add(d, 3);
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 2);
    ym_segments_close(&d->s);
    d->conf.ring = NULL; /* and is taken away again: that is told */
    open_at(d, BEGIN + 2000);
    add(d, 1);
    assert_int_equal(walk(d, &count), 1);
}

/* A crash right after the day was closed, and one before the new file had its first line. */
static void between_two_segments(void **state)
{
    struct desk *d = *state;
    char path[128];
    size_t count;
    FILE *f;

    open_at(d, BEGIN);
    add(d, 2);
    turn_at(d, BEGIN + DAY);
    ym_segments_close(&d->s);
    snprintf(path, sizeof(path), "%s/%s", d->dir, d->s.name);
    f = fopen(path, "w"); /* only a torn piece of its opening line */
    assert_non_null(f);
    fputs("{\"seq\":5,\"pre", f);
    fclose(f);
    d->head.seq = 0; /* Redis had not heard of it */
    d->head.id[0] = '\0';
    open_at(d, BEGIN + DAY);
    add(d, 2);
    assert_int_equal(walk(d, &count), 0);
    assert_int_equal(count, 2);
}

static void two_at_once(void **state)
{
    struct desk *d = *state;
    struct ym_segments other;

    open_at(d, BEGIN);
    assert_int_equal(ym_segments_open(&other, &d->conf, &d->head, NULL), YM_EINVAL);
    ym_segments_close(&other);
}

static void a_batch_that_fails_leaves_nothing(void **state)
{
    struct desk *d = *state;
    size_t count;
    int fd;

    open_at(d, BEGIN);
    add(d, 2);
    fd = d->s.fd;
    d->s.fd = -1; /* as if the disk were gone */
    assert_int_equal(ym_segments_add(&d->s, YM_STR("\"shard\":0,\"entry\":\"99-0\"")), YM_OK);
    assert_int_equal(ym_segments_commit(&d->s, NULL), YM_EIO);
    assert_int_equal(ym_segments_waiting(&d->s), 0);
    d->s.fd = fd;
    add(d, 2);
    assert_int_equal(walk(d, &count), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_day_and_a_size),     CASE(old_ones_go), CASE(a_ring_comes_to_be),
        CASE(between_two_segments), CASE(two_at_once), CASE(a_batch_that_fails_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
