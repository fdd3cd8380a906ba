/* SPDX-License-Identifier: Apache-2.0
 * yimen test: the tests adapters carry, as TAP.
 */
#include "ym_tool.h"
#include "ym_tool_spec.h"
#include "ym_tool_test.h"

#include <stdio.h>

struct tally {
    size_t run, failed, updated;
    bool json, update;
    json_t *list;
    json_t *all; /* system → its results, for --record */
};

static void print_why(const char *why)
{
    for (const char *p = why; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, "\n");
        printf("# %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void report(struct tally *t, const struct ym_specs *specs, const struct ym_spec *spec,
                   const struct ym_spec_result *r)
{
    t->run++;
    t->failed += !r->ok;
    t->updated += r->updated;
    ym_tool_test_note(t->all, specs->sys, spec, r);
    if (t->json) {
        json_t *one = json_pack("{s:b, s:s, s:s, s:s, s:s, s:i}", "ok", r->ok, "system",
                                specs->sys->id, "name", spec->name, "operation", spec->op->name,
                                "file", spec->node->file, "line", spec->node->line);
        if (r->why != NULL) {
            json_object_set_new(one, "why", json_string(r->why));
        }
        json_array_append_new(t->list, one);
        return;
    }
    printf("%s %zu - %s %s: %s%s\n", r->ok ? "ok" : "not ok", t->run, specs->sys->id,
           spec->op->name, spec->name, r->updated ? " (golden rewritten)" : "");
    if (!r->ok) {
        printf("# %s:%d\n", spec->node->file, spec->node->line);
        print_why(r->why);
    }
}

/* Each test gets an arena of its own, so a thousand of them need no more memory than one. */
static bool run_system(const struct ym_system *s, struct ym_arena *a, struct tally *t,
                       struct ym_diag *d)
{
    struct ym_specs specs;
    if (ym_specs_load(s, a, &specs, d) != YM_OK) {
        return false;
    }
    for (size_t i = 0; i < specs.count; i++) {
        struct ym_arena *own = ym_arena_open();
        struct ym_spec_result r;
        if (own == NULL) {
            return false;
        }
        ym_spec_run(&specs, &specs.items[i], t->update, own, &r);
        report(t, &specs, &specs.items[i], &r);
        ym_arena_close(own);
    }
    return true;
}

static int run(int argc, char **argv)
{
    const char *config = NULL, *id = NULL;
    struct tally t = {0};
    bool record = false;
    const struct ym_opt opts[] = {
        {"config", &config, NULL}, {"json", NULL, &t.json}, {"update", NULL, &t.update},
        {"record", NULL, &record}, {NULL, NULL, NULL},
    };
    struct ym_err err = {0};
    struct ym_diag d;
    size_t n;
    int code = YM_EXIT_ENV;
    if (!ym_tool_options(&ym_tool_test, argc, argv, opts, &id, 0, 1, &n)) {
        return YM_EXIT_USAGE;
    }
    struct ym_catalog *c = ym_tool_catalog(config, t.json, &code);
    if (c == NULL) {
        return code;
    }
    const struct ym_system *only = n == 1 ? ym_tool_system(c, id) : NULL;
    if (n == 1 && only == NULL) {
        ym_catalog_close(c);
        return YM_EXIT_USAGE;
    }
    ym_diag_init(&d);
    t.list = json_array();
    t.all = json_object();
    bool ok = true;
    for (size_t i = 0; i < c->system_count && ok; i++) {
        if (only == NULL || only == &c->systems[i]) {
            ok = run_system(&c->systems[i], c->arena, &t, &d);
        }
    }
    if (record && !t.update && ym_tool_test_record(c, t.all, &err) != YM_OK) {
        ok = false;
        ym_tool_error(&err, false);
    }
    if (t.json) {
        ym_tool_json(json_pack("{s:b, s:I, s:I, s:O}", "ok", t.failed == 0 && d.total == 0, "run",
                               (json_int_t)t.run, "failed", (json_int_t)t.failed, "tests", t.list));
    } else {
        printf("1..%zu\n", t.run);
        if (t.updated != 0) {
            printf("# %zu golden files rewritten: look at the difference before you keep it\n",
                   t.updated);
        }
    }
    if (d.total != 0) {
        ym_tool_faults(&d, false);
    }
    code = !ok ? YM_EXIT_ENV : t.failed != 0 || d.total != 0 ? YM_EXIT_FOUND : YM_EXIT_OK;
    json_decref(t.list);
    json_decref(t.all);
    ym_diag_clear(&d);
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_test = {
    "test",
    "run the tests that adapters carry (TAP)",
    "usage: yimen test [SYSTEM] [--update] [--record] [--json] [--config FILE]\n\n"
    "  SYSTEM    only this one\n"
    "  --update  rewrite golden files that differ; look at the difference before keeping it\n"
    "  --record  keep the results in the state folder: the console shows them\n"
    "  --json    one object instead of TAP\n",
    run,
};
