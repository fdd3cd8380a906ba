/* SPDX-License-Identifier: Apache-2.0
 * A Cookie header from a stranger; the id in it; the same bytes as a form and as a session's value.
 */
#include "ym_cookie.h"
#include "ym_form_body.h"
#include "ym_session_value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whoever reads on past a view's end meets the sanitizer: the text is copied to its exact size. */
static void cookie(struct ym_str header)
{
    struct ym_cookie c = {YM_STR_NULL, 0, false};
    unsigned shard = 32;

    ym_cookie_look(header, "__Host-yimen", &c);
    ym_cookie_look(header, "yimen", &c);
    if (c.count == 0 && (c.differ || c.value.p != NULL)) {
        abort();
    }
    if (c.count > 0 && ym_session_id_parse(c.value, 32, &shard) &&
        (shard >= 32 || c.value.n > YM_SESSION_ID_MAX || c.value.n < 45)) {
        abort();
    }
}

static void form(struct ym_str text)
{
    struct ym_arena *a = ym_arena_open();
    const struct ym_form *parsed;
    struct ym_err err;
    struct ym_str v;

    if (a != NULL && ym_form_parse(text, a, &parsed, &err) == YM_OK) {
        for (size_t i = 0; i < parsed->count; i++) {
            struct ym_form_field *f = &parsed->items[i];
            if (f->name.n == 0 || !ym_form_get(parsed, f->name.p, &v) || v.p != f->value.p ||
                memchr(f->value.p, '\0', f->value.n) != NULL) {
                abort();
            }
        }
    }
    ym_arena_close(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    struct ym_str in = {copy, size};
    struct ym_session_value v;
    struct ym_err err;
    json_t *json = NULL;

    if (copy == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    cookie(in);
    form(in);
    if (ym_session_value_read(in, &json, &v, &err) == YM_OK) {
        if (v.person.n == 0 || v.subject.n == 0 || v.issuer.n == 0 || v.roles < 0) {
            abort();
        }
        json_decref(json);
    }
    free(copy);
    return 0;
}
