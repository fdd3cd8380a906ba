/* SPDX-License-Identifier: Apache-2.0
 * A session's value: a JSON object with one-letter names, sealed.
 */
#include "ym_session_value.h"
#include "ym_arena.h"
#include "ym_codec.h"

#include <stdio.h>

#define TYPE "session"
#define VERSION 1

static const struct {
    const char *name;
    size_t offset;
    bool required;
} texts[] = {
    {"person", offsetof(struct ym_session_value, person), true},
    {"provider", offsetof(struct ym_session_value, provider), false},
    {"iss", offsetof(struct ym_session_value, issuer), true},
    {"sub", offsetof(struct ym_session_value, subject), true},
    {"login", offsetof(struct ym_session_value, login), false},
    {"name", offsetof(struct ym_session_value, name), false},
    {"email", offsetof(struct ym_session_value, email), false},
    {"org", offsetof(struct ym_session_value, org), false},
    {"area", offsetof(struct ym_session_value, area), false},
    {"acr", offsetof(struct ym_session_value, acr), false},
    {"amr", offsetof(struct ym_session_value, amr), false},
    {"sid", offsetof(struct ym_session_value, sid), false},
    {"id_token", offsetof(struct ym_session_value, id_token), false},
    {"refresh", offsetof(struct ym_session_value, refresh_token), false},
    {"agent", offsetof(struct ym_session_value, agent), false},
};

static const struct {
    const char *name;
    size_t offset;
    int64_t max;
} numbers[] = {
    {"roles", offsetof(struct ym_session_value, roles), 0xffff},
    {"auth_time", offsetof(struct ym_session_value, auth_time), INT64_C(9007199254740991)},
    {"refresh_at", offsetof(struct ym_session_value, refresh_at), INT64_C(9007199254740991)},
};

ym_status ym_session_value_write(const struct ym_session_value *v, struct ym_buf *out)
{
    ym_buf_addf(out, "{\"t\":\"" TYPE "\",\"v\":%d", VERSION);
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        const struct ym_str *s = (const void *)((const char *)v + texts[i].offset);
        if (s->n > 0) {
            ym_buf_addf(out, ",\"%s\":", texts[i].name);
            ym_buf_add_json(out, *s);
        }
    }
    for (size_t i = 0; i < YM_COUNT(numbers); i++) {
        const int64_t *n = (const void *)((const char *)v + numbers[i].offset);
        ym_buf_addf(out, ",\"%s\":%lld", numbers[i].name, (long long)*n);
    }
    return ym_buf_addc(out, '}');
}

static bool read_texts(const json_t *object, struct ym_session_value *ret)
{
    for (size_t i = 0; i < YM_COUNT(texts); i++) {
        const json_t *value = json_object_get(object, texts[i].name);
        struct ym_str *s = (void *)((char *)ret + texts[i].offset);
        if (value == NULL && !texts[i].required) {
            *s = YM_STR("");
            continue;
        }
        if (!json_is_string(value) || (texts[i].required && json_string_length(value) == 0)) {
            return false;
        }
        *s = (struct ym_str){json_string_value(value), json_string_length(value)};
    }
    return true;
}

static bool read_numbers(const json_t *object, struct ym_session_value *ret)
{
    for (size_t i = 0; i < YM_COUNT(numbers); i++) {
        const json_t *value = json_object_get(object, numbers[i].name);
        int64_t n = json_integer_value(value);
        if (!json_is_integer(value) || n < 0 || n > numbers[i].max) {
            return false;
        }
        *(int64_t *)(void *)((char *)ret + numbers[i].offset) = n;
    }
    return true;
}

ym_status ym_session_value_read(struct ym_str text, json_t **ret_json, struct ym_session_value *ret,
                                struct ym_err *err)
{
    static const struct ym_json_limits limits = {YM_SESSION_VALUE_MAX, 1, 32};
    const char *type;
    json_t *json = NULL;

    if (ym_json_parse(text, &limits, &json, err) != YM_OK) {
        return ym_err_set(err, YM_EAUTH, "the session's value is no JSON");
    }
    type = ym_json_str(json, "t");
    if (type == NULL || strcmp(type, TYPE) != 0 ||
        json_integer_value(json_object_get(json, "v")) != VERSION) {
        json_decref(json);
        return ym_err_set(err, YM_EAUTH, "the value is no session of this version");
    }
    if (!read_texts(json, ret) || !read_numbers(json, ret)) {
        json_decref(json);
        return ym_err_set(err, YM_EAUTH, "the session's value is not complete");
    }
    *ret_json = json;
    return YM_OK;
}

static void context_of(const char *digest, char out[96])
{
    (void)snprintf(out, 96, "session:%.64s", digest);
}

ym_status ym_session_value_seal(const struct ym_ring *ring, const char *digest,
                                const struct ym_session_value *v, struct ym_buf *out,
                                struct ym_err *err)
{
    char context[96];
    struct ym_buf text;
    ym_status rc;

    context_of(digest, context);
    ym_buf_init(&text, YM_SESSION_VALUE_MAX);
    rc = ym_session_value_write(v, &text);
    if (rc != YM_OK) {
        rc =
            ym_err_set(err, rc, "the session's value has more than %u bytes", YM_SESSION_VALUE_MAX);
    } else {
        rc = ym_seal(ring, ym_str_of(context), ym_buf_str(&text), out, err);
    }
    ym_buf_wipe(&text);
    return rc;
}

ym_status ym_session_value_open(const struct ym_ring *ring, const char *digest,
                                struct ym_str sealed, json_t **ret_json,
                                struct ym_session_value *ret, struct ym_err *err)
{
    char context[96];
    struct ym_buf text;
    ym_status rc;

    if (sealed.n > YM_SESSION_VALUE_MAX + YM_SEAL_OVERHEAD) {
        return ym_err_set(err, YM_EAUTH, "the session's value is too long");
    }
    context_of(digest, context);
    ym_buf_init(&text, YM_SESSION_VALUE_MAX + YM_SEAL_OVERHEAD);
    rc = ym_unseal(ring, ym_str_of(context), sealed, &text, err);
    if (rc == YM_OK) {
        rc = ym_session_value_read(ym_buf_str(&text), ret_json, ret, err);
    }
    ym_buf_wipe(&text);
    return rc;
}
