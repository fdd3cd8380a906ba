/* SPDX-License-Identifier: Apache-2.0
 * What a stranger types into the sign-in page: a return address, a name, a password, a code.
 */
#include "ym_account.h"
#include "ym_place.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * As browsers read an address (WHATWG URL §4.4): tabs and line ends vanish, a backslash is a slash.
 * What was taken begins with one slash, however often it is decoded, and never goes up.
 */
static void place(struct ym_str s)
{
    char text[YM_PLACE_MAX + 1];
    size_t n = s.n;
    if (!ym_place_ok(s)) {
        return;
    }
    memcpy(text, s.p, n);
    for (int round = 0; round < 4; round++) {
        size_t path = 0, to = 0;
        while (path < n && text[path] != '?' && text[path] != '#') {
            path++;
        }
        text[path] = '\0';
        if (text[0] != '/' || text[1] == '/' || text[1] == '\\' || strstr(text, "//") != NULL ||
            strstr(text, "/../") != NULL || strchr(text, '\\') != NULL ||
            strcspn(text, "\t\r\n") != path || strlen(text) != path) {
            abort();
        }
        for (size_t i = 0; i < path; i++, to++) {
            char hex[3] = {0};
            if (text[i] == '%' && i + 2 < path) {
                memcpy(hex, text + i + 1, 2);
                text[to] = (char)strtol(hex, NULL, 16);
                i += 2;
            } else {
                text[to] = text[i];
            }
        }
        n = to;
    }
}

/* The form of a name is final: the account that is found is the one that was stored. */
static void name(struct ym_str s)
{
    char once[YM_ACCOUNT_NAME], twice[YM_ACCOUNT_NAME];
    struct ym_err err;
    if (ym_account_name(s, once, &err) == YM_OK &&
        (ym_account_name(ym_str_of(once), twice, &err) != YM_OK || strcmp(once, twice) != 0 ||
         strpbrk(once, " \t\r\n<>\"'&/\\%") != NULL)) {
        abort();
    }
}

static void password(struct ym_str s)
{
    static const char *const names[] = {"limei", "limei@example.cn"};
    const char *word = ym_password_unfit(s, 10, names, 2);
    if (word == NULL && (s.n < 10 || s.n > YM_PASSWORD_MAX)) {
        abort();
    }
}

static void code(struct ym_str s)
{
    struct ym_err err;
    struct ym_buf raw;
    int64_t step = -1;
    if (ym_totp_verify("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", s, 1111111111000, &step, &err) ==
            YM_OK &&
        (step < 37037036 || step > 37037038)) {
        abort();
    }
    ym_buf_init(&raw, 4096);
    (void)ym_base32_decode(s, &raw);
    ym_buf_clear(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    struct ym_str in = {copy, size};
    if (copy == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    place(in);
    name(in);
    password(in);
    code(in);
    free(copy);
    return 0;
}
