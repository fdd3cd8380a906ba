/* SPDX-License-Identifier: Apache-2.0
 * yimen: the operator's command. One file per subcommand; this one only finds it.
 */
#include "ym_tool.h"

#include <stdio.h>

static const struct ym_tool *const tools[] = {
    &ym_tool_check,     &ym_tool_render, &ym_tool_test,   &ym_tool_send,  &ym_tool_dead,
    &ym_tool_reconcile, &ym_tool_audit,  &ym_tool_store,  &ym_tool_token, &ym_tool_keys,
    &ym_tool_reference, &ym_tool_user,   &ym_tool_report,
};

static void overview(FILE *f)
{
    fputs("yimen: one door, one form, every system\n\nusage: yimen COMMAND [ARGUMENTS]\n\n", f);
    for (size_t i = 0; i < YM_COUNT(tools); i++) {
        fprintf(f, "  %-10s %s\n", tools[i]->name, tools[i]->summary);
    }
    fputs("\n\"yimen COMMAND --help\" says more. Exit codes: 0 well, 1 problems found, 2 wrong "
          "usage, "
          "3 something outside is missing.\n",
          f);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        overview(stdout);
        return YM_EXIT_OK;
    }
    for (size_t i = 0; i < YM_COUNT(tools); i++) {
        if (strcmp(tools[i]->name, name) != 0) {
            continue;
        }
        for (int k = 2; k < argc; k++) {
            if (strcmp(argv[k], "--help") == 0 || strcmp(argv[k], "-h") == 0) {
                ym_tool_help(tools[i], false);
                return YM_EXIT_OK;
            }
        }
        int code = tools[i]->run(argc - 2, argv + 2);
        /* Output that could not be written must not look like success. */
        if (fflush(stdout) != 0 && code == YM_EXIT_OK) {
            perror("yimen: standard output");
            code = YM_EXIT_ENV;
        }
        return code;
    }
    if (name[0] != '\0') {
        fprintf(stderr, "yimen: there is no command \"%s\"\n\n", name);
    }
    overview(stderr);
    return YM_EXIT_USAGE;
}
