/* SPDX-License-Identifier: Apache-2.0
 * Proves what may be attached, how names are read and written, and that files come back as they were
 * written, or not at all.
 */
#include "ym_test.h"

#include "ym_attachment.h"
#include "ym_blob.h"
#include "ym_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING                                                                                       \
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"%s\",\"k\":"                        \
    "\"%sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},%s{\"kty\":\"oct\",\"alg\":\"HS256\","      \
    "\"kid\":\"m\",\"k\":\"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA\"}]}"

static void types(void **state)
{
    (void)state;
    assert_null(ym_media_find(YM_STR("image/svg+xml")));
    assert_null(ym_media_find(YM_STR("text/html")));
    assert_null(ym_media_find(YM_STR("image/jpeg;x=y")));
    assert_null(ym_media_find(YM_STR("image/jpe")));
    assert_non_null(ym_media_find(YM_STR("Image/JPEG")));
    assert_true(ym_media_holds(ym_media_find(YM_STR("image/jpeg")), YM_STR("\xFF\xD8\xFF\xE0")));
    assert_false(ym_media_holds(ym_media_find(YM_STR("image/jpeg")), YM_STR("\xFF\xD8")));
    assert_false(ym_media_holds(ym_media_find(YM_STR("image/png")), YM_STR("<svg")));
    assert_true(ym_media_holds(ym_media_find(YM_STR("audio/mpeg")), YM_STR("\xFF\xFB\x90\x44")));
    assert_false(ym_media_holds(ym_media_find(YM_STR("audio/mpeg")), YM_STR("\xFF\xFF\xFF\xFF")));
    assert_false(ym_media_holds(ym_media_find(YM_STR("audio/mp4")), YM_STR("\0\0\0 ftypqt  ")));
    assert_int_equal(ym_kind_of(ym_media_find(YM_STR("application/pdf"))), YM_KIND_DOC);
    assert_int_equal(ym_kind_of(ym_media_find(YM_STR("image/webp"))), YM_KIND_PHOTO);
    assert_int_equal(ym_kind_of(ym_media_find(YM_STR("audio/amr"))), YM_KIND_AUDIO);
}

/* NULL: malformed */
static const char *disposition(const char *header)
{
    static char text[300];
    struct ym_buf b;
    ym_status rc;

    ym_buf_init(&b, sizeof(text) - 1);
    rc = ym_disposition_name(ym_str_of(header), &b);
    (void)snprintf(text, sizeof(text), "%s", b.p != NULL ? b.p : "");
    ym_buf_clear(&b);
    return rc == YM_OK ? text : NULL;
}

static void dispositions(void **state)
{
    (void)state;
    assert_string_equal(disposition("attachment; filename=a.jpg"), "a.jpg");
    assert_string_equal(disposition("attachment; FileName = \"a \\\"b\\\".jpg\" "), "a \"b\".jpg");
    assert_string_equal(disposition("inline; x=y; filename*=utf-8'zh'%E7%8E%8B; filename=z"), "王");
    assert_string_equal(disposition("attachment; filename=\"王.jpg\""), "王.jpg");
    assert_string_equal(disposition("attachment"), "");
    assert_string_equal(disposition("attachment; size=\"12\""), "");
    assert_null(disposition(""));
    assert_null(disposition("attachment;"));
    assert_null(disposition("attachment; filename"));
    assert_null(disposition("attachment; filename="));
    assert_null(disposition("attachment; filename=\"a"));
    assert_null(disposition("attachment; filename=\"a\\"));
    assert_null(disposition("attachment; filename=a; filename=b"));
    assert_null(disposition("attachment; filename=\"a\"b"));
    assert_null(disposition("attachment; filename*=a"));
    assert_null(disposition("attachment; filename*=iso-8859-1''a"));
    assert_null(disposition("attachment; filename*=UTF-8''%E7"));
    assert_null(disposition("attachment; filename*=UTF-8''%4"));
    assert_null(disposition("attachment; filename*=UTF-8''a%00b"));
    assert_null(disposition("attachment; filename*=\"UTF-8''a\""));
}

static void named(const char *given, const char *mime, const char *want)
{
    struct ym_buf b;

    ym_buf_init(&b, 1000);
    assert_int_equal(
        ym_attachment_name(ym_str_of(given), ym_media_find(ym_str_of(mime)), YM_KIND_PHOTO, &b),
        YM_OK);
    assert_string_equal(b.p, want);
    ym_buf_clear(&b);
}

static void names(void **state)
{
    struct ym_buf b;

    (void)state;
    named("", "image/jpeg", "photo.jpg");
    named("a.JPEG", "image/jpeg", "a.jpg");
    named("a.png", "image/jpeg", "a.png.jpg");
    named("../..\\x/.y.jpg", "image/jpeg", "y.jpg");
    named("a/", "image/jpeg", "photo.jpg");
    named(".jpg", "image/jpeg", "jpg.jpg");
    named("a\r\nb\x7F\xC2\x85\xE2\x80\xAE\xEF\xBB\xBF.png", "image/png", "ab.png");
    named("现场 照片 . ", "image/png", "现场 照片.png");
    ym_buf_init(&b, 1000);
    assert_int_equal(ym_disposition_add(&b, YM_STR("王\"%\\.jpg")), YM_OK);
    assert_string_equal(b.p, "attachment; filename=\"______.jpg\"; "
                             "filename*=UTF-8''%E7%8E%8B%22%25%5C.jpg");
    ym_buf_clear(&b);
}

/* ---- files ---- */

struct box {
    char dir[64], id[YM_ID_LEN + 1], sha256[YM_SHA256_HEX];
    struct ym_ring *ring;
    struct ym_blob_store store;
};

static struct ym_ring *ring(const char *kid, const char *first, const char *more)
{
    char text[1024];
    struct ym_ring *r = NULL;

    (void)snprintf(text, sizeof(text), RING, kid, first, more);
    assert_int_equal(ym_ring_load(ym_str_of(text), &r, NULL), YM_OK);
    return r;
}

static int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    (void)snprintf(b->dir, sizeof(b->dir), "/tmp/yimen-blob-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->ring = ring("a", "A", "");
    b->store = (struct ym_blob_store){b->dir, b->ring};
    assert_int_equal(ym_id_make(1000, 3, b->id), YM_OK);
    *state = b;
    return 0;
}

static bool forget(void *data, const char *folder, const char *name, int64_t changed)
{
    struct box *b = data;
    char path[400];

    (void)changed;
    (void)snprintf(path, sizeof(path), "%s/attachments/%s/%s", b->dir, folder, name);
    assert_int_equal(unlink(path), 0);
    return true;
}

static int close_box(void **state)
{
    struct box *b = *state;
    char command[128];

    assert_int_equal(ym_blob_walk(b->dir, forget, b, NULL), YM_OK);
    (void)snprintf(command, sizeof(command), "rm -r %s", b->dir);
    assert_int_equal(system(command), 0);
    ym_ring_close(b->ring);
    free(b);
    return 0;
}

static void keep(struct box *b, const char *first, const char *last)
{
    struct ym_blob_writer *w = NULL;

    assert_int_equal(ym_blob_create(&b->store, b->id, &w, NULL), YM_OK);
    assert_int_equal(ym_blob_write(w, ym_str_of(first), false, NULL), YM_OK);
    assert_int_equal(ym_blob_write(w, ym_str_of(last), true, NULL), YM_OK);
    assert_int_equal(ym_blob_keep(w, b->sha256, NULL), YM_OK);
}

/* What can be read of it; *ret_rc how it ended. */
static void read_back(struct box *b, struct ym_buf *out, ym_status *ret_rc)
{
    struct ym_blob_reader *r = NULL;
    bool last = false;

    ym_buf_init(out, 1000);
    *ret_rc = ym_blob_open(&b->store, b->id, ym_str_of(b->sha256), &r, NULL);
    while (*ret_rc == YM_OK && !last) {
        *ret_rc = ym_blob_read(r, out, &last, NULL);
    }
    ym_blob_close(r);
}

static void expect(struct box *b, ym_status want, const char *text)
{
    struct ym_buf out;
    ym_status rc;

    read_back(b, &out, &rc);
    assert_int_equal(rc, want);
    if (want == YM_OK) {
        assert_string_equal(out.p, text);
    }
    ym_buf_clear(&out);
}

static void path_of(struct box *b, char out[400])
{
    char name[YM_BLOB_NAME];

    assert_int_equal(ym_blob_name(b->store.ring, b->id, ym_str_of(b->sha256), name), YM_OK);
    (void)snprintf(out, 400, "%s/attachments/%.2s/%s", b->dir, name, name);
}

static void comes_back(void **state)
{
    struct box *b = *state;
    struct ym_ring *none;

    keep(b, "hello ", "world");
    assert_string_equal(b->sha256,
                        "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
    expect(b, YM_OK, "hello world");
    none = b->ring;
    b->store.ring = NULL;
    expect(b, YM_ENOTFOUND, NULL); /* it has another name */
    keep(b, "", "plain");
    expect(b, YM_OK, "plain");
    b->store.ring = none; /* a ring came later */
    expect(b, YM_OK, "plain");
    assert_int_equal(ym_blob_remove(&b->store, b->id, ym_str_of(b->sha256), NULL), YM_OK);
    assert_int_equal(ym_blob_remove(&b->store, b->id, ym_str_of(b->sha256), NULL), YM_OK);
}

/* Every byte of it is bound: to its place, its number, its end. */
static void tampering(void **state)
{
    struct box *b = *state;
    char path[400], bytes[400], other[400];
    ssize_t n;
    int fd;

    keep(b, "first", "second");
    path_of(b, path);
    fd = open(path, O_RDWR);
    n = read(fd, bytes, sizeof(bytes));
    assert_in_range(n, 80, sizeof(bytes) - 1);
    for (ssize_t i = 0; i < n; i++) {
        char c = (char)(bytes[i] ^ 1);
        assert_int_equal(pwrite(fd, &c, 1, i), 1);
        expect(b, YM_EAUTH, NULL);
        assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
    }
    expect(b, YM_OK, "firstsecond");
    for (ssize_t i = 0; i < n; i++) {
        assert_int_equal(ftruncate(fd, i), 0);
        expect(b, YM_EAUTH, NULL);
        assert_int_equal(pwrite(fd, bytes, (size_t)n, 0), n);
    }
    /* the file of another id */
    assert_int_equal(ym_id_make(2000, 3, b->id), YM_OK);
    path_of(b, other);
    assert_int_equal(rename(path, other), 0);
    expect(b, YM_EAUTH, NULL);
    assert_int_equal(close(fd), 0);
}

static void given_up(void **state)
{
    struct box *b = *state;
    struct ym_blob_writer *w = NULL;
    char path[400];

    assert_int_equal(ym_blob_create(&b->store, b->id, &w, NULL), YM_OK);
    assert_int_equal(ym_blob_write(w, YM_STR("x"), false, NULL), YM_OK);
    (void)snprintf(path, sizeof(path), "%s/attachments/new/%s", b->dir, b->id);
    assert_int_equal(access(path, F_OK), 0);
    ym_blob_drop(w);
    assert_int_equal(access(path, F_OK), -1);
    ym_blob_drop(NULL);
    assert_int_equal(ym_blob_create(&b->store, "../../../../../../etc/pass", &w, NULL), YM_EINVAL);
    assert_int_equal(ym_blob_create(&b->store, "x", &w, NULL), YM_EINVAL);
}

static void other_keys(void **state)
{
    struct box *b = *state;
    struct ym_ring *old = b->ring, *both, *fresh;
    char kid[YM_SEAL_KID_MAX + 1], path[400];
    bool done;

    keep(b, "sealed with ", "a");
    path_of(b, path);
    both = ring("b", "C",
                "{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"a\",\"k\":"
                "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},");
    fresh = ring("b", "C", "");
    b->store.ring = both;
    expect(b, YM_OK, "sealed with a");
    const char *name = strrchr(path, '/') + 1;
    char folder[3] = {name[0], name[1], '\0'};
    assert_int_equal(ym_blob_reseal(&b->store, folder, name, true, kid, &done, NULL), YM_OK);
    assert_string_equal(kid, "a");
    assert_false(done);
    assert_int_equal(ym_blob_reseal(&b->store, folder, name, false, kid, &done, NULL), YM_OK);
    assert_true(done);
    b->store.ring = fresh;
    expect(b, YM_OK, "sealed with a");
    b->store.ring = old;
    expect(b, YM_EAUTH, NULL);
    b->store.ring = both;
    assert_int_equal(ym_blob_reseal(&b->store, folder, name, false, kid, &done, NULL), YM_OK);
    assert_false(done);
    ym_ring_close(both);
    ym_ring_close(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(dispositions),
        cmocka_unit_test(names),
        cmocka_unit_test_setup_teardown(comes_back, open_box, close_box),
        cmocka_unit_test_setup_teardown(tampering, open_box, close_box),
        cmocka_unit_test_setup_teardown(given_up, open_box, close_box),
        cmocka_unit_test_setup_teardown(other_keys, open_box, close_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
