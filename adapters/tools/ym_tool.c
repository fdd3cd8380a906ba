/* SPDX-License-Identifier: Apache-2.0
 * Options, messages and files for the subcommands of `yimen`.
 */
#include "ym_tool.h"
#include "ym_id.h"
#include "ym_time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD_BYTES YM_JSON_BYTES

void ym_tool_help(const struct ym_tool *tool, bool to_stderr)
{
    FILE *f = to_stderr ? stderr : stdout;
    fprintf(f, "yimen %s: %s\n\n%s", tool->name, tool->summary, tool->usage);
}

static bool usage_error(const struct ym_tool *tool, const char *what, const char *word)
{
    fprintf(stderr, "yimen %s: %s%s\n\n", tool->name, what, word);
    ym_tool_help(tool, true);
    return false;
}

bool ym_tool_options(const struct ym_tool *tool, int argc, char **argv, const struct ym_opt *opts,
                     const char **words, size_t least, size_t most, size_t *ret_count)
{
    size_t n = 0;
    for (int i = 0; i < argc; i++) {
        const struct ym_opt *o = opts;
        if (strncmp(argv[i], "--", 2) != 0) {
            if (n == most) {
                return usage_error(tool, "one word too many: ", argv[i]);
            }
            words[n++] = argv[i];
            continue;
        }
        const char *equals = strchr(argv[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) - 2 : strlen(argv[i]) - 2;
        while (o->name != NULL &&
               (strlen(o->name) != len || memcmp(o->name, argv[i] + 2, len) != 0)) {
            o++;
        }
        if (o->name == NULL) {
            return usage_error(tool, "unknown option ", argv[i]);
        }
        if (o->flag != NULL) {
            if (equals != NULL) {
                return usage_error(tool, "takes no value: ", argv[i]);
            }
            *o->flag = true;
        } else if (equals != NULL) {
            *o->value = equals + 1;
        } else if (i + 1 < argc) {
            *o->value = argv[++i];
        } else {
            return usage_error(tool, "needs a value: ", argv[i]);
        }
    }
    if (n < least) {
        return usage_error(tool, "something is missing", "");
    }
    *ret_count = n;
    return true;
}

const char *ym_tool_config(const char *given)
{
    static const char *const usual[] = {"config/yimen.yaml", "/etc/yimen/yimen.yaml"};
    const char *env = getenv("YIMEN_CONFIG");
    if (given != NULL) {
        return given;
    }
    if (env != NULL && env[0] != '\0') {
        return env;
    }
    return access(usual[0], F_OK) == 0 ? usual[0] : usual[1];
}

void ym_tool_json(json_t *v)
{
    if (v != NULL) {
        json_dumpf(v, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(v);
}

static json_t *fault_json(const struct ym_err *e)
{
    return json_pack("{s:s, s:i, s:i, s:s}", "file", e->file, "line", e->line, "column", e->column,
                     "message", e->message);
}

int ym_tool_faults(const struct ym_diag *d, bool json)
{
    char text[YM_ERR_FILE_MAX + YM_ERR_MESSAGE_MAX + 32];
    if (json) {
        json_t *list = json_array();
        for (size_t i = 0; i < d->count; i++) {
            json_array_append_new(list, fault_json(&d->items[i]));
        }
        ym_tool_json(json_pack("{s:b, s:I, s:o}", "ok", d->total == 0, "total",
                               (json_int_t)d->total, "faults", list));
    } else {
        for (size_t i = 0; i < d->count; i++) {
            ym_err_format(&d->items[i], text, sizeof(text));
            fprintf(stderr, "%s\n", text);
        }
        if (d->total > d->count) {
            fprintf(stderr, "… and %zu more\n", d->total - d->count);
        }
    }
    return d->total == 0 ? YM_EXIT_OK : YM_EXIT_FOUND;
}

int ym_tool_error(const struct ym_err *err, bool json)
{
    char text[YM_ERR_FILE_MAX + YM_ERR_MESSAGE_MAX + 32];
    if (json) {
        ym_tool_json(json_pack("{s:b, s:o}", "ok", 0, "error", fault_json(err)));
    } else {
        ym_err_format(err, text, sizeof(text));
        fprintf(stderr, "yimen: %s\n", text);
    }
    return err->code == YM_EINVAL || err->code == YM_EUNSUPPORTED ? YM_EXIT_FOUND : YM_EXIT_ENV;
}

struct ym_catalog *ym_tool_catalog(const char *config, bool json, int *ret_exit)
{
    const char *file = ym_tool_config(config);
    struct ym_catalog *c = NULL;
    struct ym_diag d;
    struct ym_err err = {0};
    if (access(file, R_OK) != 0) {
        ym_err_at(&err, YM_EIO, file, 0, 0, "%s; name the file with --config or YIMEN_CONFIG",
                  strerror(errno));
        *ret_exit = ym_tool_error(&err, json);
        return NULL;
    }
    ym_diag_init(&d);
    ym_status rc = ym_catalog_open(file, &c, &d);
    if (rc != YM_OK) {
        ym_tool_faults(&d, json);
        *ret_exit = rc == YM_ENOMEM ? YM_EXIT_ENV : YM_EXIT_FOUND;
    }
    ym_diag_clear(&d);
    return c;
}

const struct ym_system *ym_tool_system(const struct ym_catalog *c, const char *id)
{
    const struct ym_system *s = ym_catalog_system(c, id);
    if (s == NULL) {
        fprintf(stderr, "yimen: there is no system \"%s\"; known are", id);
        for (size_t i = 0; i < c->system_count; i++) {
            fprintf(stderr, " %s", c->systems[i].id);
        }
        fputc('\n', stderr);
    }
    return s;
}

/* ---- problems ---- */

static enum ym_lang language(void)
{
    static const char *const vars[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < YM_COUNT(vars); i++) {
        const char *v = getenv(vars[i]);
        if (v != NULL && v[0] != '\0') {
            return strncmp(v, "zh", 2) == 0 ? YM_ZH : YM_EN;
        }
    }
    return YM_EN;
}

static void titles_add(struct ym_buf *b, const struct ym_problem *p, const struct ym_catalog *c,
                       enum ym_lang lang)
{
    for (size_t i = 0; i < p->system_count; i++) {
        const struct ym_system *s = ym_catalog_system(c, p->systems[i]);
        const char *title = s == NULL ? p->systems[i] : lang == YM_ZH ? s->title_zh : s->title_en;
        ym_buf_addf(b, "%s%s", i == 0 ? "" : lang == YM_ZH ? "、" : ", ", title);
    }
}

void ym_tool_problems(const struct ym_problems *ps, const struct ym_catalog *c)
{
    enum ym_lang lang = language();
    for (size_t i = 0; i < ps->count; i++) {
        const struct ym_problem *p = &ps->items[i];
        struct ym_buf titles, text;
        ym_buf_init(&titles, 1 << 14);
        ym_buf_init(&text, 1 << 16);
        titles_add(&titles, p, c, lang);
        ym_problem_text(p, lang, p->system_count != 0 ? titles.p : NULL, &text);
        fprintf(stderr, "%s: %s: %s\n", p->pointer[0] != '\0' ? p->pointer : "(record)",
                ym_problem_word(p->code), text.p != NULL ? text.p : "");
        ym_buf_clear(&titles);
        ym_buf_clear(&text);
    }
    if (ps->total > ps->count) {
        fprintf(stderr, "… and %zu more\n", ps->total - ps->count);
    }
}

json_t *ym_tool_problems_json(const struct ym_problems *ps)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ps->count; i++) {
        const struct ym_problem *p = &ps->items[i];
        json_t *systems = json_array();
        for (size_t k = 0; k < p->system_count; k++) {
            json_array_append_new(systems, json_string(p->systems[k]));
        }
        json_t *one = json_pack("{s:s, s:s, s:o}", "pointer", p->pointer, "code",
                                ym_problem_word(p->code), "systems", systems);
        if (p->limit != 0) {
            json_object_set_new(one, "limit", json_integer(p->limit));
        }
        if (p->detail != NULL) {
            json_object_set_new(one, "detail", json_string(p->detail));
        }
        json_array_append_new(list, one);
    }
    return list;
}

/* ---- files and records ---- */

ym_status ym_tool_read(const char *path, size_t most, struct ym_arena *a, struct ym_str *ret,
                       struct ym_err *err)
{
    struct ym_buf b;
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    ym_status rc = YM_OK;
    if (f == NULL) {
        return ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    }
    ym_buf_init(&b, most);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        ym_buf_add(&b, chunk, n);
    }
    if (ferror(f) != 0) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "%s", strerror(errno));
    } else if (b.failed != YM_OK) {
        rc = ym_err_at(err, b.failed, path, 0, 0, "larger than %zu bytes", most);
    } else {
        ret->p = ym_arena_str(a, ym_buf_str(&b));
        ret->n = b.n;
        rc = ret->p != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    fclose(f);
    ym_buf_clear(&b);
    return rc;
}

static void member(json_t *envelope, const json_t *file, const char *key, json_t *fallback)
{
    json_t *v = json_object_get(file, key);
    json_object_set(envelope, key, v != NULL ? v : fallback);
    json_decref(fallback);
}

ym_status ym_tool_envelope(json_t *file, const struct ym_tool_record *defaults, json_t **ret,
                           struct ym_err *err)
{
    char id[YM_ID_LEN + 1], at[YM_TIME_TEXT];
    bool bare = !json_is_object(json_object_get(file, "data"));
    json_t *data = bare ? file : json_object_get(file, "data");
    if (!json_is_object(data)) {
        return ym_err_set(err, YM_EINVAL, "a record is an object {\"type\": …, \"data\": {…}}");
    }
    const char *area = ym_json_str(json_object_get(data, "place"), "area12");
    json_t *e = json_object();
    if (e == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    if (defaults->id == NULL) {
        ym_status rc = ym_id_make(defaults->now_ms, 0, id);
        if (rc != YM_OK) {
            json_decref(e);
            return ym_err_set(err, rc, "the random generator of the system fails");
        }
    }
    ym_time_format(defaults->now_ms, YM_TIME_RFC3339_MS, YM_CHINA_OFFSET_MIN, at);
    const json_t *rest = bare ? NULL : file;
    member(e, rest, "id", json_string(defaults->id != NULL ? defaults->id : id));
    member(e, rest, "type", json_string(defaults->type));
    member(e, rest, "revision", json_integer(defaults->revision));
    member(e, rest, "owner", json_string("operator"));
    member(e, rest, "org", json_string("operator"));
    member(e, rest, "area", json_string(area != NULL ? area : ""));
    member(e, rest, "created_at", json_string(at));
    member(e, rest, "updated_at", json_string(at));
    json_object_set(e, "data", data);
    if (json_is_array(json_object_get(rest, "attachments"))) {
        json_object_set(e, "attachments", json_object_get(rest, "attachments"));
    }
    *ret = e;
    return YM_OK;
}
