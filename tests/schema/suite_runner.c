/* SPDX-License-Identifier: Apache-2.0
 * Runs one file of the official JSON-Schema-Test-Suite against ym_schema and prints a line of JSON
 * per case group: {"group", "refused"} when the schema does not compile, else {"group", "cases":
 * [{"case", "want", "got"}]}. It judges nothing; suite.test.mjs does.
 */
#include "ym_schema.h"

#include <stdio.h>
#include <stdlib.h>

/* The suite knows no code tables. */
static const struct ym_code_table *no_tables(void *data, const char *table)
{
    (void)data;
    (void)table;
    return NULL;
}

static json_t *group_run(json_t *group, const char *file)
{
    struct ym_arena *a = ym_arena_open();
    const struct ym_schema *s = NULL;
    struct ym_diag d;
    json_t *out = json_object();
    json_t *cases = json_array();
    size_t i = 0;
    json_t *test = NULL;

    ym_diag_init(&d);
    json_object_set(out, "group", json_object_get(group, "description"));
    if (ym_schema_compile(json_object_get(group, "schema"), file, YM_STR_NULL, no_tables, NULL, a,
                          &s, &d) != YM_OK) {
        json_t *why = json_array();

        for (size_t k = 0; k < d.count; k++) {
            json_array_append_new(why, json_string(d.items[k].message));
        }
        json_object_set_new(out, "refused", why);
    } else {
        json_array_foreach (json_object_get(group, "tests"), i, test) {
            struct ym_problems ps;
            json_t *data = json_object_get(test, "data");
            bool quiet = ym_schema_check(s, data, NULL);
            bool loud = false;

            /* Both ways must agree, and a refusal must say something. */
            ym_problems_init(&ps, a);
            loud = ym_schema_check(s, data, &ps);
            if (quiet != loud || loud != (ps.total == 0)) {
                json_object_set_new(out, "disagree", json_true());
            }
            json_array_append_new(
                cases, json_pack("{s:O, s:O, s:b}", "case", json_object_get(test, "description"),
                                 "want", json_object_get(test, "valid"), "got", (int)quiet));
        }
        json_object_set(out, "cases", cases);
    }
    json_decref(cases);
    ym_diag_clear(&d);
    ym_arena_close(a);
    return out;
}

int main(int argc, char **argv)
{
    json_error_t e;
    json_t *file = NULL, *group = NULL;
    size_t i = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: suite_runner FILE\n");
        return 2;
    }
    /* NUL in strings is refused by ym_json, but the suite asks the schema about it. */
    file = json_load_file(argv[1], JSON_ALLOW_NUL, &e);
    if (!json_is_array(file)) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], e.line, e.text);
        return 1;
    }
    json_array_foreach (file, i, group) {
        json_t *out = group_run(group, argv[1]);
        char *line = json_dumps(out, JSON_COMPACT);

        puts(line);
        free(line);
        json_decref(out);
    }
    json_decref(file);
    return 0;
}
