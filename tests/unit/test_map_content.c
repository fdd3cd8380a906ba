/* SPDX-License-Identifier: Apache-2.0
 * Proves that exactly those attachments are opened for a system whose bytes its field table sends.
 */
#include "help_map.h"

#define RECORD                                                                                     \
    "{\"type\":\"dispute\",\"data\":{},\"attachments\":["                                          \
    "{\"id\":\"a\",\"kind\":\"photo\",\"size\":1},{\"id\":\"b\",\"kind\":\"doc\",\"size\":10},"    \
    "{\"id\":\"c\",\"kind\":\"photo\",\"size\":100}]}"

struct seen {
    char ids[16];
    json_int_t bytes;
};

static void note(void *data, size_t index, json_t *item)
{
    struct seen *s = data;

    strncat(s->ids, json_string_value(json_object_get(item, "id")), 1);
    s->bytes += json_integer_value(json_object_get(item, "size"));
    assert_int_equal(index, strcmp("a", json_string_value(json_object_get(item, "id"))) == 0   ? 0
                            : strcmp("b", json_string_value(json_object_get(item, "id"))) == 0 ? 1
                                                                                               : 2);
}

static void sends(const char *yaml, const char *record, const char *ids, int bytes)
{
    struct bench b;
    struct seen s = {{0}, 0};
    json_t *r = json_of(record);

    bench_open(&b);
    ym_map_contents(map_of(&b, yaml), r, note, &s);
    assert_string_equal(s.ids, ids);
    assert_int_equal(s.bytes, bytes);
    bench_close(&b);
    json_decref(r);
}

static void chooses(void **state)
{
    (void)state;
    sends("- { to: f, each: /attachments, fields: [ { to: c, from: /content } ] }", RECORD, "abc",
          111);
    sends("- { to: f, each: /attachments, where: { /kind: photo }, fields: [ { to: c, from: "
          "/content } ] }",
          RECORD, "ac", 101);
    sends("- { first: /attachments, where: { /kind: photo }, fields: [ { to: c, from: /content } ] "
          "}",
          RECORD, "a", 1);
    sends("- { to: x, encode: json, fields: [ { to: f, each: /attachments, fields: [ { to: g, "
          "fields: [ { to: c, from: /content } ] } ] } ] }",
          RECORD, "abc", 111);
    sends("- { to: f, each: /attachments, fields: [ { to: c, concat: [ { const: x }, { from: "
          "/content } ] } ] }",
          RECORD, "abc", 111);
}

static void leaves_out(void **state)
{
    (void)state;
    sends("- { to: f, each: /attachments, fields: [ { to: n, from: /name } ] }", RECORD, "", 0);
    sends("- { to: f, each: /data/parties, fields: [ { to: c, from: /content } ] }", RECORD, "", 0);
    sends("- { to: f, each: /attachments, when: { equals: { /type: petition } }, fields: [ { to: "
          "c, from: /content } ] }",
          RECORD, "", 0);
    sends("- { to: f, each: /attachments, fields: [ { to: c, from: /content } ] }",
          "{\"type\":\"dispute\",\"data\":{}}", "", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses),
        cmocka_unit_test(leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
