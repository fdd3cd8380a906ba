/* SPDX-License-Identifier: Apache-2.0
 * What a person entered, as the text that is sealed.
 */
#include "ym_signin.h"

#include "ym_json.h"

ym_status ym_credentials_pack(const struct ym_credentials *who, struct ym_buf *out)
{
    ym_buf_adds(out, "{\"login\":");
    ym_buf_add_json(out, ym_str_of(who->login));
    ym_buf_adds(out, ",\"password\":");
    ym_buf_add_json(out, ym_str_of(who->password));
    ym_buf_adds(out, ",\"more\":{");
    for (size_t i = 0; i < YM_RECIPE_NAMES && who->more[i].name != NULL; i++) {
        ym_buf_adds(out, i > 0 ? "," : "");
        ym_buf_add_json(out, ym_str_of(who->more[i].name));
        ym_buf_addc(out, ':');
        ym_buf_add_json(out, ym_str_of(who->more[i].value));
    }
    return ym_buf_adds(out, "}}");
}

/* jansson's own copies are wiped as well as ours: a string's text is not shared. */
static void wipe_texts(json_t *object)
{
    const char *key;
    json_t *v;

    json_object_foreach(object, key, v)
    {
        if (json_is_string(v)) {
            ym_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
        } else {
            wipe_texts(v);
        }
    }
}

static ym_status read_more(json_t *more, struct ym_arena *a, struct ym_credentials *ret)
{
    const char *key;
    json_t *v;
    size_t n = 0;

    json_object_foreach(more, key, v)
    {
        if (n == YM_RECIPE_NAMES || !json_is_string(v)) {
            return YM_EINVAL;
        }
        ret->more[n].name = ym_arena_strz(a, key);
        ret->more[n].value = ym_arena_strz(a, json_string_value(v));
        if (ret->more[n].name == NULL || ret->more[n].value == NULL) {
            return YM_ENOMEM;
        }
        n++;
    }
    return YM_OK;
}

ym_status ym_credentials_unpack(struct ym_str text, struct ym_arena *a, struct ym_credentials *ret,
                                struct ym_err *err)
{
    json_t *root = NULL;
    const char *login, *password;
    ym_status rc = ym_json_parse(text, &ym_json_defaults, &root, NULL);

    memset(ret, 0, sizeof(*ret));
    login = root != NULL ? ym_json_str(root, "login") : NULL;
    password = root != NULL ? ym_json_str(root, "password") : NULL;
    if (login == NULL || password == NULL) {
        rc = YM_EINVAL;
    } else {
        ret->login = ym_arena_strz(a, login);
        ret->password = ym_arena_strz(a, password);
        rc = ret->login != NULL && ret->password != NULL
                 ? read_more(json_object_get(root, "more"), a, ret)
                 : YM_ENOMEM;
    }
    if (root != NULL) {
        wipe_texts(root);
    }
    json_decref(root);
    return rc == YM_OK ? YM_OK : ym_err_set(err, rc, "what is kept of the credentials is damaged");
}

static void wipe_text(const char *text)
{
    if (text != NULL) {
        ym_wipe((char *)(uintptr_t)text, strlen(text));
    }
}

void ym_credentials_wipe(struct ym_credentials *who)
{
    wipe_text(who->login);
    wipe_text(who->password);
    for (size_t i = 0; i < YM_RECIPE_NAMES && who->more[i].name != NULL; i++) {
        wipe_text(who->more[i].value);
    }
}
