/* SPDX-License-Identifier: Apache-2.0
 * yimen-dispatcher: the command line.
 */
#include "ym_supervisor.h"

#include <getopt.h>
#include <stdio.h>

static int usage(FILE *out, int code)
{
    fputs("usage: yimen-dispatcher --config FILE [--once-check]\n"
          "  --config FILE  the deployment's yimen.yaml\n"
          "  --once-check   load and check everything, connect to nothing, and end\n"
          "signals: TERM drains and ends, HUP checks the configuration anew and takes it over\n"
          "exit status: 0 ended as asked, 1 failed, 2 the configuration has faults (listed)\n",
          out);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"once-check", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *config = NULL;
    int check = 0, o;

    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            config = optarg;
            break;
        case 'k':
            check = 1;
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, YM_SUPERVISOR_CONFIG);
        }
    }
    if (config == NULL || optind != argc) {
        return usage(stderr, YM_SUPERVISOR_CONFIG);
    }
    return check ? ym_supervisor_check(config) : ym_supervisor_run(config);
}
