/* SPDX-License-Identifier: Apache-2.0
 * yimen check: everything a deployment declares, every fault at once, with file and line. The same
 * checks stop the start-up and the reload of the running parts.
 */
#include "ym_archivist.h"
#include "ym_render.h"
#include "ym_reply.h"
#include "ym_session.h"
#include "ym_site_ring.h"
#include "ym_tool.h"
#include "ym_tool_spec.h"
#include "ym_transport.h"

#include <stdio.h>

#define RULES_MAX 400 /* outcome rules of one adapter that are counted */

/* Which rules and operations the tests of a system reach. */
struct reached {
    int lines[RULES_MAX];
    size_t count;
};

static bool was_reached(const struct reached *r, int line)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->lines[i] == line) {
            return true;
        }
    }
    return false;
}

static void check_operation(const struct ym_system *s, const struct ym_operation *op,
                            const struct ym_specs *specs, const struct reached *reached,
                            struct ym_diag *d)
{
    const struct ym_yaml *outcomes = ym_yaml_get(ym_yaml_get(op->node, "reply"), "outcomes");
    bool tested = false;
    for (size_t i = 0; i < specs->count; i++) {
        tested = tested || specs->items[i].op == op;
    }
    if (!tested) {
        ym_diag_add(d, s->file, op->node->key->line, op->node->key->column,
                    "operation without a test: \"%s\" stands in no file of tests/", op->name);
    }
    for (const struct ym_yaml *v = outcomes != NULL ? outcomes->child : NULL; v != NULL;
         v = v->next) {
        if (!was_reached(reached, v->line)) {
            ym_diag_add(d, v->file, v->line, v->column,
                        "rule without a test: no reply in tests/ is decided here");
        }
    }
}

static void check_tests(const struct ym_system *s, struct ym_arena *a, struct ym_diag *d)
{
    struct ym_specs specs;
    struct reached reached = {.count = 0};
    if (ym_specs_load(s, a, &specs, d) != YM_OK) {
        ym_diag_add(d, s->file, 0, 0, "out of memory while reading its tests");
        return;
    }
    for (size_t i = 0; i < specs.count; i++) {
        struct ym_spec_result r;
        ym_spec_run(&specs, &specs.items[i], false, a, &r);
        if (r.rule_line != 0 && reached.count < RULES_MAX && !was_reached(&reached, r.rule_line)) {
            reached.lines[reached.count++] = r.rule_line;
        }
    }
    for (size_t i = 0; i < s->operation_count; i++) {
        check_operation(s, &s->operations[i], &specs, &reached, d);
    }
}

static void check_system(const struct ym_system *s, struct ym_diag *d)
{
    const struct ym_transport *t = ym_transport_find(s->transport);
    struct ym_arena *a = ym_arena_open();
    if (t != NULL) {
        t->check(s, d);
    }
    ym_session_check(s, d);
    ym_render_check(s, d);
    for (size_t i = 0; i < s->operation_count; i++) {
        ym_reply_check(s, &s->operations[i], d);
    }
    if (a != NULL) {
        check_tests(s, a, d);
    }
    ym_arena_close(a);
}

static int run(int argc, char **argv)
{
    const char *config = NULL;
    bool json = false;
    const struct ym_opt opts[] = {
        {"config", &config, NULL},
        {"json", NULL, &json},
        {NULL, NULL, NULL},
    };
    struct ym_diag d;
    size_t n;
    int code = YM_EXIT_ENV;
    if (!ym_tool_options(&ym_tool_check, argc, argv, opts, NULL, 0, 0, &n)) {
        return YM_EXIT_USAGE;
    }
    struct ym_catalog *c = ym_tool_catalog(config, json, &code);
    if (c == NULL) {
        return code;
    }
    ym_diag_init(&d);
    for (size_t i = 0; i < c->system_count; i++) {
        check_system(&c->systems[i], &d);
    }
    ym_archivist_check(c, &d);
    code = ym_tool_faults(&d, json);
    if (ym_site_ring_reference(c) == NULL) {
        fprintf(stderr,
                "%s: warning: no auth: ring: is configured: records are kept in plain text and the "
                "evidence is not keyed; yimen keys ring FILE makes one\n",
                c->file);
    }
    if (!json && code == YM_EXIT_OK) {
        size_t enabled = 0;
        for (size_t i = 0; i < c->system_count; i++) {
            enabled += c->systems[i].enabled;
        }
        printf("%s: %zu types, %zu code tables, %zu systems (%zu enabled): no fault\n", c->file,
               c->type_count, c->table_count, c->system_count, enabled);
    }
    ym_diag_clear(&d);
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_check = {
    "check",
    "check configuration, types, codes and adapters",
    "usage: yimen check [--json] [--config FILE]\n\n"
    "Names every fault with file and line: unknown keys, wrong values, undeclared names, "
    "unreachable\n"
    "rules, operations and rules without a test. Exit 0 only when there is none.\n",
    run,
};
