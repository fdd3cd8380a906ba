/* SPDX-License-Identifier: Apache-2.0
 * What the reply fuzzers share: a system made of an adapter's text, and one judgement with its
 * invariants.
 */
#ifndef YM_FUZZ_REPLY_COMMON_H
#define YM_FUZZ_REPLY_COMMON_H

#include "ym_json.h"
#include "ym_reply.h"

#include <stdlib.h>

struct fuzz_system {
    struct ym_arena *arena;
    struct ym_system sys;
    struct ym_operation op;
};

static inline void fuzz_open(struct fuzz_system *f, const char *transport, const char *charset,
                             const char *yaml)
{
    struct ym_yaml *root = NULL;
    struct ym_err err;

    f->arena = ym_arena_open();
    if (f->arena == NULL ||
        ym_yaml_parse(ym_str_of(yaml), "adapter.yaml", f->arena, &root, &err) != YM_OK) {
        abort();
    }
    f->sys.id = "fuzz";
    f->sys.transport = transport;
    f->sys.node = root;
    f->sys.settings.charset = charset;
    f->op.name = "create";
    f->op.node = ym_yaml_get(ym_yaml_get(root, "operations"), "create");
}

/* The first byte chooses stage, status, charset and what was sent; the rest is the body. */
static inline void fuzz_judge(struct fuzz_system *f, const uint8_t *data, size_t size)
{
    static const char *const charsets[] = {NULL, "utf-8", "gbk", "utf-16"};
    static const char *const stages[] = {"", "page"};
    static const long statuses[] = {200, 404, 500, 0};
    struct ym_pair header = {"retry-after", "30"};
    struct ym_facts facts = {.sent = YM_REPLIED, .headers = &header, .header_count = 1};
    struct ym_judgement j;
    struct ym_err err;
    struct ym_arena *a = ym_arena_open();

    if (a == NULL || size == 0) {
        ym_arena_close(a);
        return;
    }
    facts.charset = charsets[data[0] & 3];
    facts.status = statuses[data[0] >> 2 & 3];
    facts.stage = stages[data[0] >> 4 & 1];
    facts.ref = (data[0] & 32) != 0 ? "7" : NULL;
    facts.number = (data[0] & 64) != 0 ? "12" : "";
    facts.body = (struct ym_str){(const char *)data + 1, size - 1};
    if (ym_judge(&f->sys, &f->op, &facts, a, &j, &err) != YM_OK) {
        abort(); /* no answer of a stranger is a fault of ours */
    }
    if (j.verdict == YM_V_OK && j.number == NULL) {
        abort(); /* the rules ask for it */
    }
    if ((j.number != NULL && !ym_utf8_valid(j.number, strlen(j.number))) ||
        (j.message != NULL && (!ym_utf8_valid(j.message, strlen(j.message)) ||
                               ym_utf8_length(j.message, strlen(j.message)) > 300))) {
        abort(); /* never mojibake, never longer than promised */
    }
    ym_arena_close(a);
}

#endif
