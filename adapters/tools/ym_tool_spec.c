/* SPDX-License-Identifier: Apache-2.0
 * Running the tests that adapters carry as data. Nothing depends on the site: endpoint, clock,
 * nonce, secrets and session values are the test's own or fixed.
 */
#include "ym_tool_spec.h"
#include "ym_conf.h"
#include "ym_render.h"
#include "ym_reply.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPEC_FILES 200
#define SPEC_BYTES (4u << 20) /* of a golden or reply file */
#define SPEC_NOW "2026-01-31T08:30:00+08:00"
#define SPEC_ID "01KG9N4T2B0000000000000000"

static const char *const spec_keys[] = {"name",     "operation", "given",  "sends",
                                        "problems", "reply",     "expect", NULL};
static const char *const given_keys[] = {"record", "type",    "id",       "revision", "number",
                                         "op",     "session", "secrets",  "settings", "now",
                                         "nonce",  "attempt", "endpoint", NULL};
static const char *const reply_keys[] = {"sent", "status",  "headers", "body",
                                         "text", "charset", "stage",   NULL};
static const char *const expect_keys[] = {"outcome",  "number", "message",  "field",
                                          "revision", "after",  "captured", NULL};

/* ---- loading ---- */

static void spec_check(const struct ym_yaml *v, const struct ym_system *sys, struct ym_spec *ret,
                       struct ym_diag *d)
{
    const char *op = ym_yaml_text(v, "operation"), *name = ym_yaml_text(v, "name");
    const struct ym_yaml *reply = ym_yaml_get(v, "reply"), *expect = ym_yaml_get(v, "expect");
    bool renders = ym_yaml_get(v, "sends") != NULL || ym_yaml_get(v, "problems") != NULL;
    ym_yaml_only(v, spec_keys, d);
    ym_yaml_only(ym_yaml_get(v, "given"), given_keys, d);
    ym_yaml_only(reply, reply_keys, d);
    ym_yaml_only(expect, expect_keys, d);
    ret->name = name != NULL ? name : "";
    ret->node = v;
    ret->op = op != NULL ? ym_system_operation(sys, op) : NULL;
    if (name == NULL || op == NULL) {
        ym_diag_add(d, v->file, v->line, v->column, "a test needs name and operation");
    } else if (ret->op == NULL) {
        ym_diag_add(d, v->file, v->line, v->column, "there is no operation \"%s\"", op);
    }
    if ((reply != NULL) != (expect != NULL)) {
        ym_diag_add(d, v->file, v->line, v->column, "reply and expect belong together");
    }
    if (expect != NULL && ym_yaml_text(expect, "outcome") == NULL) {
        ym_diag_add(d, v->file, v->line, v->column, "expect needs outcome");
    }
    if (!renders && reply == NULL) {
        ym_diag_add(
            d, v->file, v->line, v->column,
            "a test needs sends or problems, or reply with expect: this one proves nothing");
    }
}

static int yaml_file(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static ym_status spec_file(const char *path, struct ym_arena *a, struct ym_specs *s,
                           struct ym_diag *d)
{
    struct ym_yaml *list = NULL;
    struct ym_err err = {0};
    ym_status rc = ym_yaml_file(path, a, &list, &err);
    if (rc != YM_OK) {
        ym_diag_add_err(d, &err);
        return rc == YM_ENOMEM ? rc : YM_OK;
    }
    if (list->kind != YM_YAML_LIST) {
        ym_diag_add(d, path, list->line, 0, "a file of tests is a list");
        return YM_OK;
    }
    struct ym_spec *items = ym_arena_alloc(a, (s->count + list->count) * sizeof(*items));
    if (items == NULL) {
        return YM_ENOMEM;
    }
    if (s->count != 0) {
        memcpy(items, s->items, s->count * sizeof(*items));
    }
    for (const struct ym_yaml *v = list->child; v != NULL; v = v->next) {
        struct ym_spec *one = &items[s->count];
        size_t before = d->total;
        if (v->kind != YM_YAML_MAP) {
            ym_diag_add(d, v->file, v->line, v->column,
                        "a test is a map: { name: …, operation: … }");
            continue;
        }
        spec_check(v, s->sys, one, d);
        s->count += d->total == before;
    }
    s->items = items;
    return YM_OK;
}

ym_status ym_specs_load(const struct ym_system *sys, struct ym_arena *a, struct ym_specs *ret,
                        struct ym_diag *d)
{
    struct dirent **names = NULL;
    const char *dir = ym_arena_printf(a, "%s/tests", sys->folder);
    ym_status rc = YM_OK;
    *ret = (struct ym_specs){.sys = sys};
    int n = dir != NULL ? scandir(dir, &names, yaml_file, alphasort) : 0;
    if (n < 0) {
        return YM_OK; /* no tests at all: `yimen check` says so per operation */
    }
    for (int i = 0; i < n; i++) {
        const char *path = ym_arena_printf(a, "%s/%s", dir, names[i]->d_name);
        if (rc == YM_OK && i < SPEC_FILES) {
            rc = path != NULL ? spec_file(path, a, ret, d) : YM_ENOMEM;
        }
        free(names[i]);
    }
    free(names);
    return dir != NULL ? rc : YM_ENOMEM;
}

/* ---- saying why ---- */

struct spec_run {
    const struct ym_specs *specs;
    const struct ym_spec *spec;
    struct ym_arena *a;
    struct ym_spec_result *ret;
};

static void why(struct spec_run *r, const char *fmt, ...) YM_PRINTF(2, 3);
static void why(struct spec_run *r, const char *fmt, ...)
{
    char line[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    const char *before = r->ret->why != NULL ? r->ret->why : "";
    const char *all = ym_arena_printf(r->a, "%s%s\n", before, line);
    r->ret->why = all != NULL ? all : "out of memory\n";
    r->ret->ok = false;
}

static void why_err(struct spec_run *r, const struct ym_err *err)
{
    char text[YM_ERR_FILE_MAX + YM_ERR_MESSAGE_MAX + 32];
    ym_err_format(err, text, sizeof(text));
    why(r, "%s", text);
}

/* Beside the test, in the adapter's folder, or from the folder that holds adapters/. */
static const char *spec_path(struct spec_run *r, const char *name)
{
    const char *folder = r->specs->sys->folder, *first = NULL;
    const char *dirs[] = {"tests/", "", "../../../"};
    for (size_t i = 0; i < YM_COUNT(dirs); i++) {
        const char *p =
            name[0] == '/' ? name : ym_arena_printf(r->a, "%s/%s%s", folder, dirs[i], name);
        if (p != NULL && access(p, F_OK) == 0) {
            return p;
        }
        first = first != NULL ? first : p;
    }
    return first != NULL ? first : name;
}

/* ---- given ---- */

/* Plain YAML text as JSON: unquoted true, false, null and numbers keep their types. */
static json_t *json_of(const struct ym_yaml *v)
{
    int64_t i;
    json_t *out;
    if (v->kind == YM_YAML_LIST) {
        out = json_array();
        for (const struct ym_yaml *k = v->child; k != NULL; k = k->next) {
            json_array_append_new(out, json_of(k));
        }
        return out;
    }
    if (v->kind == YM_YAML_MAP) {
        out = json_object();
        for (const struct ym_yaml *k = v->child; k != NULL; k = k->next) {
            json_object_set_new(out, k->key->text.p, json_of(k));
        }
        return out;
    }
    if (!v->quoted) {
        if (ym_str_is(v->text, "true") || ym_str_is(v->text, "false")) {
            return json_boolean(v->text.p[0] == 't');
        }
        if (v->text.n == 0 || ym_str_is(v->text, "null")) {
            return json_null();
        }
        bool zero = v->text.n > 1 && v->text.p[0] == '0'; /* "0501" is a code */
        if (!zero && ym_int_parse(v->text, &i)) {
            return json_integer(i);
        }
    }
    return json_stringn(v->text.p, v->text.n);
}

static json_t *spec_record(struct spec_run *r, const struct ym_yaml *given, int64_t now_ms)
{
    const struct ym_yaml *record = ym_yaml_get(given, "record");
    const char *type = ym_yaml_text(given, "type"), *id = ym_yaml_text(given, "id");
    const char *revision = ym_yaml_text(given, "revision");
    int64_t rev = 1;
    json_t *file = NULL, *ret = NULL;
    struct ym_err err = {0};
    if (revision != NULL && !ym_int_parse(ym_str_of(revision), &rev)) {
        why(r, "given.revision is a whole number");
    }
    if (record == NULL) {
        file = json_object(); /* sign-in and the like need none */
    } else if (record->kind == YM_YAML_SCALAR) {
        if (ym_json_file(spec_path(r, record->text.p), &file, &err) != YM_OK) {
            why_err(r, &err);
            return NULL;
        }
    } else {
        file = json_of(record);
    }
    struct ym_tool_record d = {.type = type != NULL ? type : r->specs->sys->takes[0],
                               .id = id != NULL ? id : SPEC_ID,
                               .revision = (long)rev,
                               .now_ms = now_ms};
    if (ym_tool_envelope(file, &d, &ret, &err) != YM_OK) {
        why_err(r, &err);
    }
    if (ret != NULL && id != NULL) {
        json_object_set_new(ret, "id", json_string(id));
    }
    if (ret != NULL && revision != NULL) {
        json_object_set_new(ret, "revision", json_integer(rev));
    }
    json_decref(file);
    return ret;
}

static const char *given_secret(void *data, const char *name)
{
    return ym_yaml_text(ym_yaml_get(data, "secrets"), name);
}

static const char *given_session(void *data, const char *name)
{
    return ym_yaml_text(ym_yaml_get(data, "session"), name);
}

/* The system without its site: an endpoint that never changes. */
static struct ym_system bare(struct spec_run *r, const struct ym_yaml *given)
{
    struct ym_system s = *r->specs->sys;
    const char *endpoint = ym_yaml_text(given, "endpoint");
    const char *form = "http://%s.test";
    if (strcmp(s.transport, "file") == 0) {
        form = "sftp://yimen@%s.test/drop/";
    } else if (strcmp(s.transport, "sql") == 0) {
        form = "DSN=%s";
    }
    s.site = NULL;
    s.endpoint = endpoint;
    if (endpoint == NULL && strcmp(s.transport, "handoff") != 0) {
        char text[200];
        int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(strstr(form, "%s") - form), form,
                         s.id, strstr(form, "%s") + 2);
        s.endpoint = n > 0 ? ym_arena_strz(r->a, text) : NULL;
    }
    return s;
}

/* ---- sends ---- */

static void first_difference(struct spec_run *r, struct ym_str want, struct ym_str got)
{
    size_t i = 0, line = 1, from = 0;
    while (i < want.n && i < got.n && want.p[i] == got.p[i]) {
        if (want.p[i] == '\n') {
            line++;
            from = i + 1;
        }
        i++;
    }
    const char *w = want.p + from, *g = got.p + from;
    size_t wn = strcspn(w, "\n"), gn = strcspn(g, "\n");
    why(r, "line %zu differs\n  expected: %.*s\n  sent:     %.*s", line, wn > 400 ? 400 : (int)wn,
        w, gn > 400 ? 400 : (int)gn, g);
}

static void compare(struct spec_run *r, const char *name, struct ym_str got, bool update)
{
    const char *path = spec_path(r, name);
    struct ym_str want = YM_STR("");
    struct ym_err err = {0};
    bool have = ym_tool_read(path, SPEC_BYTES, r->a, &want, &err) == YM_OK;
    if (have && ym_str_eq(want, got)) {
        return;
    }
    if (!update) {
        if (have) {
            first_difference(r, want, got);
        } else {
            why_err(r, &err);
        }
        return;
    }
    FILE *f = fopen(path, "wb");
    bool ok = f != NULL && fwrite(got.p, 1, got.n, f) == got.n;
    ok = (f == NULL || fclose(f) == 0) && ok;
    if (!ok) {
        why(r, "cannot write %s: %s", path, strerror(errno));
    }
    r->ret->updated = ok;
}

/* "too_long /parties/0/phone 11" */
static const char *problem_line(struct ym_arena *a, const struct ym_problem *p)
{
    const char *at = p->pointer[0] != '\0' ? p->pointer : "-";
    return p->limit != 0 ? ym_arena_printf(a, "%s %s %ld", ym_problem_word(p->code), at, p->limit)
                         : ym_arena_printf(a, "%s %s", ym_problem_word(p->code), at);
}

static void compare_problems(struct spec_run *r, const struct ym_yaml *want,
                             const struct ym_problems *got)
{
    size_t wanted = want != NULL && want->kind == YM_YAML_LIST ? want->count : 0, hits = 0;
    for (size_t i = 0; i < got->count; i++) {
        const char *line = problem_line(r->a, &got->items[i]);
        bool hit = false;
        const struct ym_yaml *v = wanted != 0 ? want->child : NULL;
        for (; v != NULL && line != NULL; v = v->next) {
            hit = hit || ym_str_is(v->text, line);
        }
        hits += hit;
        if (!hit) {
            why(r, "unexpected problem: %s", line != NULL ? line : "?");
        }
    }
    if (hits < wanted) {
        why(r, "%zu of %zu expected problems were not found", wanted - hits, wanted);
    }
}

static void run_given(struct spec_run *r, bool update)
{
    const struct ym_yaml *node = r->spec->node, *given = ym_yaml_get(node, "given");
    const char *sends = ym_yaml_text(node, "sends");
    const char *number = ym_yaml_text(given, "number"), *op = ym_yaml_text(given, "op");
    const char *nonce = ym_yaml_text(given, "nonce"), *attempt = ym_yaml_text(given, "attempt");
    struct ym_system sys = bare(r, given);
    struct ym_problems problems;
    struct ym_err err = {0};
    struct ym_wire wire = {0};
    struct ym_buf out;
    int64_t nth = 1;
    json_t *record = spec_record(r, given, ym_now_ms());
    ym_buf_init(&out, SPEC_BYTES);
    if (record == NULL) {
        goto done;
    }
    if (attempt != NULL && !ym_int_parse(ym_str_of(attempt), &nth)) {
        why(r, "given.attempt is a whole number");
    }
    ym_problems_init(&problems, r->a);
    bool engine =
        strcmp(r->spec->op->name, "update") == 0 || strcmp(r->spec->op->name, "withdraw") == 0;
    struct ym_render_ctx ctx = {.map = {.record = record,
                                        .number = number,
                                        .op = op != NULL ? op
                                              : engine   ? r->spec->op->name
                                                         : "create",
                                        .now_ms = ym_now_ms(),
                                        .attempt = (long)nth,
                                        .offset_min = sys.settings.offset_min,
                                        .secret = given_secret,
                                        .session = given_session,
                                        .data = (void *)given,
                                        .vars = ym_yaml_get(given, "settings")},
                                .nonce = nonce != NULL ? nonce : "nonce-demo"};
    ym_status rc = ym_render(&sys, r->spec->op, &ctx, r->a, &wire, &problems, &err);
    if (rc != YM_OK && problems.count == 0) {
        why_err(r, &err);
    }
    compare_problems(r, ym_yaml_get(node, "problems"), &problems);
    if (rc == YM_OK && sends != NULL && ym_wire_print(&wire, &out) == YM_OK) {
        compare(r, sends, ym_buf_str(&out), update);
    } else if (sends != NULL) {
        why(r, "nothing was rendered");
    }
done:
    json_decref(record);
    ym_buf_clear(&out);
}

/* ---- reply and expect ---- */

static const char *lower(struct ym_arena *a, struct ym_str s)
{
    char *p = ym_arena_str(a, s);
    for (size_t i = 0; p != NULL && i < s.n; i++) {
        p[i] = (char)tolower((unsigned char)p[i]);
    }
    return p;
}

static bool reply_facts(struct spec_run *r, const struct ym_yaml *reply, struct ym_facts *f)
{
    static const char *const sent[] = {"not_sent", "no_reply", "replied"};
    const char *word = ym_yaml_text(reply, "sent"), *status = ym_yaml_text(reply, "status");
    const char *body = ym_yaml_text(reply, "body"), *text = ym_yaml_text(reply, "text");
    const char *stage = ym_yaml_text(reply, "stage");
    const struct ym_yaml *headers = ym_yaml_get(reply, "headers");
    struct ym_err err = {0};
    int64_t code = 0;
    f->sent = YM_REPLIED;
    for (size_t i = 0; word != NULL && i < YM_COUNT(sent); i++) {
        if (strcmp(word, sent[i]) == 0) {
            f->sent = (enum ym_sent)i;
            word = NULL;
        }
    }
    if (word != NULL || (status != NULL && !ym_int_parse(ym_str_of(status), &code))) {
        why(r, "reply: sent is replied, not_sent or no_reply; status is a number");
        return false;
    }
    f->status = (long)code;
    f->stage = stage != NULL ? stage : "";
    f->charset = ym_yaml_text(reply, "charset");
    f->body = text != NULL ? ym_str_of(text) : YM_STR("");
    if (body != NULL &&
        ym_tool_read(spec_path(r, body), SPEC_BYTES, r->a, &f->body, &err) != YM_OK) {
        why_err(r, &err);
        return false;
    }
    if (headers != NULL && headers->kind == YM_YAML_MAP) {
        f->headers = ym_arena_alloc(r->a, headers->count * sizeof(*f->headers));
        for (const struct ym_yaml *h = headers->child; h != NULL && f->headers != NULL;
             h = h->next) {
            f->headers[f->header_count++] = (struct ym_pair){lower(r->a, h->key->text), h->text.p};
        }
    }
    return true;
}

/* '' expects nothing at all. */
static void expect_text(struct spec_run *r, const struct ym_yaml *expect, const char *key,
                        const char *got)
{
    const char *want = ym_yaml_text(expect, key);
    if (want == NULL) {
        return;
    }
    if (got == NULL || got[0] == '\0') {
        if (want[0] != '\0') {
            why(r, "%s: expected \"%s\", got none", key, want);
        }
    } else if (strcmp(want, got) != 0) {
        why(r, "%s: expected \"%s\", got \"%s\"", key, want, got);
    }
}

static void expect_captured(struct spec_run *r, const struct ym_yaml *expect,
                            const struct ym_judgement *j)
{
    const struct ym_yaml *map = ym_yaml_get(expect, "captured");
    for (const struct ym_yaml *v = map != NULL ? map->child : NULL; v != NULL; v = v->next) {
        const char *got = NULL;
        for (size_t i = 0; i < j->captured_count; i++) {
            if (strcmp(j->captured[i].name, v->key->text.p) == 0) {
                got = j->captured[i].value;
            }
        }
        if (got == NULL || !ym_str_is(v->text, got)) {
            why(r, "captured %s: expected \"%s\", got \"%s\"", v->key->text.p, v->text.p,
                got != NULL ? got : "");
        }
    }
}

static void run_reply(struct spec_run *r)
{
    const struct ym_yaml *reply = ym_yaml_get(r->spec->node, "reply");
    const struct ym_yaml *expect = ym_yaml_get(r->spec->node, "expect");
    const char *after = ym_yaml_text(expect, "after");
    const struct ym_yaml *given = ym_yaml_get(r->spec->node, "given");
    const char *id = ym_yaml_text(given, "id");
    struct ym_facts facts = {.ref = id != NULL ? id : SPEC_ID,
                             .number = ym_yaml_text(given, "number")};
    struct ym_judgement j = {0};
    struct ym_err err = {0};
    int64_t ms = 0;
    if (!reply_facts(r, reply, &facts)) {
        return;
    }
    if (ym_judge(r->specs->sys, r->spec->op, &facts, r->a, &j, &err) != YM_OK) {
        why_err(r, &err);
        return;
    }
    r->ret->rule_line = j.rule_line;
    expect_text(r, expect, "outcome", ym_verdict_word(j.verdict));
    expect_text(r, expect, "number", j.number);
    expect_text(r, expect, "message", j.message);
    expect_text(r, expect, "field", j.field);
    expect_text(r, expect, "revision", j.revision);
    expect_captured(r, expect, &j);
    if (after != NULL && (!ym_duration_parse(ym_str_of(after), &ms) || ms != j.after_ms)) {
        why(r, "after: expected %s, got %lld ms", after, (long long)j.after_ms);
    }
    if (r->ret->why != NULL) {
        why(r, "decided by line %d of adapter.yaml (0 = no rule)", j.rule_line);
    }
}

void ym_spec_run(const struct ym_specs *specs, const struct ym_spec *spec, bool update,
                 struct ym_arena *a, struct ym_spec_result *ret)
{
    struct spec_run r = {specs, spec, a, ret};
    const char *now = ym_yaml_text(ym_yaml_get(spec->node, "given"), "now");
    int64_t ms = 0;
    *ret = (struct ym_spec_result){.ok = true};
    if (!ym_time_parse(ym_str_of(now != NULL ? now : SPEC_NOW), YM_CHINA_OFFSET_MIN, &ms)) {
        why(&r, "given.now is a time such as " SPEC_NOW);
        return;
    }
    ym_now_set(ms);
    if (ym_yaml_get(spec->node, "sends") != NULL || ym_yaml_get(spec->node, "problems") != NULL) {
        run_given(&r, update);
    }
    if (ym_yaml_get(spec->node, "reply") != NULL) {
        run_reply(&r);
    }
    ym_now_set(0);
}
