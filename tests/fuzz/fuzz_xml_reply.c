/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a SOAP answer: unwrapped, read and judged. The verdict may be anything but a success
 * without a number, and no limit may be passed.
 */
#include "fuzz_reply_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_system f;

    if (f.arena == NULL) {
        fuzz_open(&f, "soap", "gb18030",
                  "operations:\n  create:\n    reply:\n"
                  "      unwrap: [ { xpath: \"//*[local-name()='Result']\", as: xml } ]\n"
                  "      read:\n"
                  "        number: { xpath: //No }\n"
                  "        named: { xpath: \"//soap:Body/*\", outer: true }\n"
                  "        inner: { xpath: //Json, parse: json, then: /a/0 }\n"
                  "        part: { xpath: //No, regex: \"^([0-9]+)-\" }\n"
                  "        message: { xpath: \"string(//Msg[last()])\" }\n"
                  "      outcomes:\n"
                  "        - { when: { matches: { message: \"重复|已存在\" } }, then: duplicate }\n"
                  "        - { when: { has: fault, lacks: fault_code }, then: retry }\n"
                  "        - { when: { equals: { fault_code: soap:Server } }, then: rejected }\n"
                  "        - { when: { has: number }, then: ok }\n"
                  "        - { when: { lacks: number }, then: absent }\n");
    }
    fuzz_judge(&f, data, size);
    return 0;
}
