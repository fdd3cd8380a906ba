/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a JSON answer, with JSON in its strings: read and judged.
 */
#include "fuzz_reply_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_system f;

    if (f.arena == NULL) {
        fuzz_open(
            &f, "http", "gb18030",
            "operations:\n  create:\n    reply:\n      read:\n"
            "        code: { json: /code }\n"
            "        number: { json: /datas, parse: json, then: /data/0/id }\n"
            "        deep: { json: /datas, parse: json, then: { json: /x, parse: xml, then: "
            "//y } }\n"
            "        part: { regex: \"id[^0-9]*([0-9]+)\" }\n"
            "        message: { json: /msg }\n"
            "      outcomes:\n"
            "        - { when: { in: { code: [\"11\", \"14\"] } }, then: reauth }\n"
            "        - { when: { matches: { message: \"(a+)+b\" } }, then: duplicate }\n"
            "        - { when: { equals: { part: [\"{ref}\", \"{ref}{number}\"] } }, then: pending "
            "}\n"
            "        - { when: { equals: { message: \"[{number}/{ref}]\" } }, then: pending }\n"
            "        - { when: { status: 5xx }, then: unavailable, after: header }\n"
            "        - { when: { has: number }, then: ok }\n"
            "        - { when: { lacks: number }, then: absent }\n");
    }
    fuzz_judge(&f, data, size);
    return 0;
}
