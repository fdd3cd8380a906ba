/* SPDX-License-Identifier: Apache-2.0
 * Cost of the check before accept. Usage: bench_check CONFIG RECORD.json SYSTEMS ROUNDS
 * prints microseconds per record: schema and the field tables of the first SYSTEMS systems.
 */
#include "ym_check.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The envelope that the gateway checks: the file's type and data, and what the gateway adds. */
static json_t *envelope(json_t *file)
{
    json_t *r = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "id",
                          "00000000000000000000000000", "type", ym_json_str(file, "type"),
                          "revision", 1, "owner", "bench", "org", "bench", "area", "330106",
                          "created_at", "2026-01-01T00:00:00.000Z", "updated_at",
                          "2026-01-01T00:00:00.000Z");

    if (r != NULL) {
        json_object_set(r, "data", json_object_get(file, "data"));
    }
    return r;
}

int main(int argc, char **argv)
{
    struct ym_catalog *cat = NULL;
    struct ym_diag diag;
    struct ym_err err;
    json_t *file = NULL, *record;

    ym_diag_init(&diag);
    if (argc != 5 || ym_catalog_open(argv[1], &cat, &diag) != YM_OK ||
        ym_json_file(argv[2], &file, &err) != YM_OK || (record = envelope(file)) == NULL) {
        fprintf(stderr, "usage: bench_check CONFIG RECORD.json SYSTEMS ROUNDS\n");
        return 2;
    }
    const struct ym_type *type = ym_catalog_type(cat, ym_json_str(file, "type"));
    struct ym_targets targets = {.count = 0};
    long rounds = strtol(argv[4], NULL, 10), wanted = strtol(argv[3], NULL, 10);

    for (size_t i = 0; i < cat->system_count && (long)targets.count < wanted; i++) {
        targets.systems[targets.count++] = &cat->systems[i];
    }
    if (type == NULL || (long)targets.count != wanted) {
        fprintf(stderr, "bench_check: only %zu systems\n", targets.count);
        return 2;
    }
    double began = now();
    long bad = 0;
    for (long i = 0; i < rounds; i++) {
        struct ym_arena *a = ym_arena_open();
        struct ym_problems problems;

        ym_problems_init(&problems, a);
        bad += !ym_check_record(cat, type, record, &targets, false, &problems);
        ym_arena_close(a);
    }
    printf("%.2f\n", (now() - began) / (double)rounds);
    json_decref(record);
    json_decref(file);
    ym_catalog_close(cat);
    return bad > 0 ? 1 : 0;
}
