/* SPDX-License-Identifier: Apache-2.0
 * yimen report: the reports of the API for those who sit before the machine: who asks for the same,
 * what was typed and delivered, what is used.
 */
#include "ym_queue.h"
#include "ym_report.h"
#include "ym_store_tally.h"
#include "ym_tool.h"

#include <stdio.h>

#define REPORT_BYTES (64u << 20)
#define REPORT_DAYS 30

struct job {
    const char *config, *type, *table, *from, *to, *lang;
    const char *words[1];
    bool csv, json;
};

static const char *text_of(const json_t *object, const char *list, const char *key)
{
    const char *s = ym_json_str(json_object_get(object, list), key);
    return s != NULL ? s : "";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* ---- for people ---- */

static void print_redundancy(const struct job *job, const json_t *report)
{
    size_t i, k;
    json_t *type, *system;

    json_array_foreach(json_object_get(report, "types"), i, type)
    {
        printf("%s%s (%s): %zu fields asked for\n\n", i != 0 ? "\n" : "", ym_json_str(type, "type"),
               text_of(type, "title", job->lang), json_array_size(json_object_get(type, "fields")));
        printf("  covered  shared/fields  alone  nearest\n");
        json_array_foreach(json_object_get(type, "systems"), k, system)
        {
            const json_t *nearest = json_object_get(system, "nearest");
            printf("  %6.1f%%  %6lld/%-6lld  %5zu  %-20s  %s %s\n",
                   100 * json_real_value(json_object_get(system, "covered")),
                   number_of(system, "shared"), number_of(system, "fields"),
                   json_array_size(json_object_get(system, "alone")),
                   json_is_object(nearest) ? ym_json_str(nearest, "id") : "-",
                   ym_json_str(system, "id"), text_of(system, "title", job->lang));
        }
    }
}

static void print_burden(const struct job *job, const json_t *report)
{
    const json_t *sums = json_object_get(report, "totals");
    size_t i;
    json_t *system;

    printf("%s to %s\n\n", ym_json_str(report, "from"), ym_json_str(report, "to"));
    printf("  records %lld, revisions %lld: %lld fields typed\n", number_of(sums, "records"),
           number_of(sums, "revisions"), number_of(sums, "typed"));
    printf("  new deliveries %lld, updates %lld: %lld fields delivered, %lld not typed again\n",
           number_of(sums, "arrived"), number_of(sums, "changed"), number_of(sums, "delivered"),
           number_of(sums, "saved"));
    printf("  sign-ins %lld for %lld entries into applications: %lld saved\n\n",
           number_of(sums, "sign_ins"), number_of(sums, "entries"),
           number_of(sums, "sign_ins_saved"));
    json_array_foreach(json_object_get(report, "systems"), i, system)
    {
        printf("  %8lld delivered %8lld fields  %s %s\n", number_of(system, "arrived"),
               number_of(system, "delivered"), ym_json_str(system, "id"),
               text_of(system, "title", job->lang));
    }
}

static void print_usage(const struct job *job, const json_t *report)
{
    size_t i;
    json_t *app;

    printf("%s to %s: %lld sign-ins\n\n", ym_json_str(report, "from"), ym_json_str(report, "to"),
           number_of(report, "sign_ins"));
    json_array_foreach(json_object_get(report, "applications"), i, app)
    {
        printf("  %8lld entries  %s %s\n", number_of(app, "entries"), ym_json_str(app, "id"),
               text_of(app, "title", job->lang));
    }
}

/* ---- the counters ---- */

/* [[day, name, n, …], …]; numbers are text. */
static ym_status sum(const json_t *rows, json_t *days)
{
    size_t i;
    json_t *row;
    ym_status rc = YM_OK;

    json_array_foreach(rows, i, row)
    {
        int64_t day = 0, n = 0;
        const char *text = json_string_value(json_array_get(row, 0));

        if (text == NULL || !ym_int_parse(ym_str_of(text), &day)) {
            return YM_EINVAL;
        }
        for (size_t k = 1; rc == YM_OK && k + 1 < json_array_size(row); k += 2) {
            const char *name = json_string_value(json_array_get(row, k));
            text = json_string_value(json_array_get(row, k + 1));
            if (name == NULL || text == NULL || !ym_int_parse(ym_str_of(text), &n)) {
                return YM_EINVAL;
            }
            rc = ym_report_count(days, day, ym_str_of(name), n);
        }
    }
    return rc;
}

static ym_status count(const struct ym_catalog *c, int64_t from, int64_t to, json_t *days,
                       struct ym_err *err)
{
    char first[24], last[24];
    const char *argv[] = {first, last};
    struct ym_queue *q = NULL;
    ym_status rc = ym_queue_open(&c->site, &q, err);

    snprintf(first, sizeof(first), "%lld", (long long)from);
    snprintf(last, sizeof(last), "%lld", (long long)to);
    for (unsigned shard = 0; rc == YM_OK && shard < (unsigned)c->site.shards; shard++) {
        json_t *rows = NULL;
        rc = ym_queue_call(q, YM_FN_TALLY, shard, argv, YM_COUNT(argv), &rows, err);
        if (rc == YM_OK && sum(rows, days) != YM_OK) {
            rc = ym_err_set(err, YM_EIO, "the store's counters cannot be read");
        }
        json_decref(rows);
    }
    ym_queue_close(q);
    return rc;
}

static bool span_of(const struct job *job, int64_t *ret_from, int64_t *ret_to)
{
    *ret_to = ym_report_today();
    if (job->to != NULL && !ym_report_day_parse(ym_str_of(job->to), ret_to)) {
        return false;
    }
    *ret_from = *ret_to - REPORT_DAYS + 1;
    if (job->from != NULL && !ym_report_day_parse(ym_str_of(job->from), ret_from)) {
        return false;
    }
    return *ret_from <= *ret_to && *ret_to - *ret_from < YM_TALLY_DAYS_MAX;
}

/* ---- the command ---- */

static json_t *make(const struct job *job, const struct ym_catalog *c, enum ym_report which,
                    struct ym_err *err)
{
    int64_t from, to;
    json_t *days, *report = NULL;

    if (which == YM_REPORT_REDUNDANCY || which == YM_REPORT_CANDIDATES) {
        if (job->type != NULL && ym_catalog_type(c, job->type) == NULL) {
            ym_err_set(err, YM_EINVAL, "there is no type \"%s\"", job->type);
            return NULL;
        }
        return ym_report_redundancy(c, job->type);
    }
    if (!span_of(job, &from, &to)) {
        ym_err_set(err, YM_EINVAL,
                   "--from and --to are days such as 2026-11-22, 400 of them at most");
        return NULL;
    }
    days = json_object();
    if (count(c, from, to, days, err) == YM_OK) {
        report = which == YM_REPORT_BURDEN ? ym_report_burden(c, days, from, to)
                                           : ym_report_usage(c, days, from, to);
    }
    json_decref(days);
    return report;
}

/* Takes report's reference. */
static int show(const struct job *job, enum ym_report which, json_t *report)
{
    int code = YM_EXIT_OK;
    struct ym_buf out;

    if (job->json) {
        ym_tool_json(report);
        return code;
    }
    if (job->csv) {
        ym_buf_init(&out, REPORT_BYTES);
        if (ym_report_csv(which, report, job->lang, &out) != YM_OK ||
            fwrite(out.p, 1, out.n, stdout) != out.n) {
            code = YM_EXIT_ENV;
        }
        ym_buf_clear(&out);
    } else if (which == YM_REPORT_BURDEN) {
        print_burden(job, report);
    } else if (which == YM_REPORT_USAGE) {
        print_usage(job, report);
    } else {
        print_redundancy(job, report);
    }
    json_decref(report);
    return code;
}

static bool which_of(const struct job *job, enum ym_report *ret)
{
    bool systems = job->table != NULL && strcmp(job->table, "systems") == 0;

    if (job->table != NULL && !systems && strcmp(job->table, "fields") != 0) {
        return false;
    }
    if (strcmp(job->words[0], "redundancy") == 0) {
        *ret = systems ? YM_REPORT_CANDIDATES : YM_REPORT_REDUNDANCY;
    } else if (strcmp(job->words[0], "burden") == 0) {
        *ret = YM_REPORT_BURDEN;
    } else if (strcmp(job->words[0], "usage") == 0) {
        *ret = YM_REPORT_USAGE;
    } else {
        return false;
    }
    return true;
}

static int run(int argc, char **argv)
{
    struct job job = {.lang = "zh"};
    const struct ym_opt opts[] = {
        {"config", &job.config, NULL}, {"type", &job.type, NULL}, {"table", &job.table, NULL},
        {"from", &job.from, NULL},     {"to", &job.to, NULL},     {"lang", &job.lang, NULL},
        {"csv", NULL, &job.csv},       {"json", NULL, &job.json}, {NULL, NULL, NULL},
    };
    enum ym_report which;
    struct ym_err err = {0};
    size_t n;
    int code = YM_EXIT_USAGE;

    if (!ym_tool_options(&ym_tool_report, argc, argv, opts, job.words, 1, 1, &n)) {
        return code;
    }
    if (!which_of(&job, &which) || (strcmp(job.lang, "zh") != 0 && strcmp(job.lang, "en") != 0)) {
        ym_tool_help(&ym_tool_report, true);
        return code;
    }
    struct ym_catalog *c = ym_tool_catalog(job.config, job.json, &code);
    if (c == NULL) {
        return code;
    }
    json_t *report = make(&job, c, which, &err);
    if (report != NULL) {
        code = show(&job, which, report);
    } else {
        if (err.code == YM_OK) {
            ym_err_set(&err, YM_ENOMEM, "out of memory");
        }
        code = ym_tool_error(&err, job.json);
    }
    ym_catalog_close(c);
    return code;
}

const struct ym_tool ym_tool_report = {
    "report",
    "who asks for the same, what was typed and delivered, what is used",
    "usage: yimen report redundancy [--type T] [--table fields|systems] [--csv|--json]\n"
    "       yimen report burden|usage [--from DAY] [--to DAY] [--csv|--json]\n"
    "                    [--lang zh|en] [--config FILE]\n\n"
    "  redundancy  from the field tables alone: fields by how many systems ask for them, and\n"
    "              systems by how much of theirs others ask for, too\n"
    "  burden      fields typed and fields delivered; sign-ins and entries into applications\n"
    "  usage       entries into each application\n"
    "  --from      a day such as 2026-11-01; 30 days back\n\n"
    "No report names a person. The same as GET /api/v1/reports/….\n",
    run,
};
