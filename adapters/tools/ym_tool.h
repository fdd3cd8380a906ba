/* SPDX-License-Identifier: Apache-2.0
 * What the subcommands of `yimen` share: options, the catalogue, output for people and for scripts.
 */
#ifndef YM_TOOL_H
#define YM_TOOL_H

#include "ym_check.h"

/* Exit codes, the same for every subcommand. */
enum {
    YM_EXIT_OK = 0,
    YM_EXIT_FOUND = 1, /* it ran and found problems */
    YM_EXIT_USAGE = 2,
    YM_EXIT_ENV = 3 /* a file, Redis, a secret or memory is missing */
};

struct ym_tool {
    const char *name, *summary;
    const char *usage; /* arguments and options, one line each */
    int (*run)(int argc, char **argv);
};

extern const struct ym_tool ym_tool_check, ym_tool_render, ym_tool_test, ym_tool_send, ym_tool_dead,
    ym_tool_reconcile, ym_tool_audit, ym_tool_store, ym_tool_token, ym_tool_keys, ym_tool_reference,
    ym_tool_user, ym_tool_report;

/* yimen token verify: ym_tool_verify.c */
int ym_tool_token_verify(int argc, char **argv);

/* --name VALUE (value set) or --name (flag set). The list ends with a NULL name. */
struct ym_opt {
    const char *name;
    const char **value;
    bool *flag;
};

/*
 * Reads options wherever they stand; the rest goes to words. False after a message on stderr: an
 * unknown option, a missing value, fewer words than `least` or more than `most`.
 */
bool ym_tool_options(const struct ym_tool *tool, int argc, char **argv, const struct ym_opt *opts,
                     const char **words, size_t least, size_t most, size_t *ret_count);
void ym_tool_help(const struct ym_tool *tool, bool to_stderr);

/* --config, or $YIMEN_CONFIG, or config/yimen.yaml here, or /etc/yimen/yimen.yaml. */
const char *ym_tool_config(const char *given);

/* Faults as lines or as {"faults": […]}; returns the exit code that fits. */
int ym_tool_faults(const struct ym_diag *d, bool json);

/*
 * Opens the catalogue; on failure prints what is wrong and sets *ret_exit. config may be NULL.
 */
struct ym_catalog *ym_tool_catalog(const char *config, bool json, int *ret_exit);
/* Finds a system by id; NULL after a message. */
const struct ym_system *ym_tool_system(const struct ym_catalog *c, const char *id);

/* One error on stderr (or as JSON on stdout) and the exit code for it. */
int ym_tool_error(const struct ym_err *err, bool json);

/* Prints a value as JSON with a newline and takes its reference. */
void ym_tool_json(json_t *v);
/* Problems of a record for people, in the language of the environment. */
void ym_tool_problems(const struct ym_problems *ps, const struct ym_catalog *c);
json_t *ym_tool_problems_json(const struct ym_problems *ps);

/* Reads a whole file, at most `most` bytes, NUL-terminated in the arena. */
ym_status ym_tool_read(const char *path, size_t most, struct ym_arena *a, struct ym_str *ret,
                       struct ym_err *err);

/*
 * A record file as the envelope that tables read: {type, data} or the data alone are completed with
 * the type, an id and times. *ret is a new reference.
 */
struct ym_tool_record {
    const char *type, *id; /* where the file says nothing; id NULL = a new one */
    long revision;
    int64_t now_ms;
};
ym_status ym_tool_envelope(json_t *file, const struct ym_tool_record *defaults, json_t **ret,
                           struct ym_err *err);

#endif
