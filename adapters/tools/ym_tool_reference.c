/* SPDX-License-Identifier: Apache-2.0
 * yimen reference: the parts of the documentation that are tables of the program.
 */
#include "ym_attachment.h"
#include "ym_audit_conf.h"
#include "ym_schema.h"
#include "ym_tool.h"
#include "ym_transport.h"

#include <stdio.h>

static ym_status transports(struct ym_buf *out)
{
    ym_buf_adds(out, "| transport | what it carries |\n|---|---|\n");
    for (const struct ym_transport *const *t = ym_transports; *t != NULL; t++) {
        ym_buf_addf(out, "| `%s` | %s |\n", (*t)->name, (*t)->summary);
    }
    return out->failed;
}

static const struct {
    const char *name;
    ym_status (*write)(struct ym_buf *out);
} parts[] = {
    {"site", ym_catalog_document},
    {"audit", ym_audit_conf_document},
    {"attachments", ym_attachment_conf_document},
    {"settings", ym_system_document},
    {"functions", ym_map_document},
    {"schema", ym_schema_document},
    {"transports", transports},
};

static int run(int argc, char **argv)
{
    static const struct ym_opt opts[] = {{NULL, NULL, NULL}};
    const char *name = NULL;
    size_t n;
    if (!ym_tool_options(&ym_tool_reference, argc, argv, opts, &name, 1, 1, &n)) {
        return YM_EXIT_USAGE;
    }
    for (size_t i = 0; i < YM_COUNT(parts); i++) {
        if (strcmp(parts[i].name, name) == 0) {
            struct ym_buf b;
            ym_buf_init(&b, 1 << 20);
            ym_status rc = parts[i].write(&b);
            fwrite(b.p != NULL ? b.p : "", 1, b.n, stdout);
            ym_buf_clear(&b);
            return rc == YM_OK ? YM_EXIT_OK : YM_EXIT_ENV;
        }
    }
    fprintf(stderr, "yimen reference: there is no part \"%s\"\n", name);
    return YM_EXIT_USAGE;
}

const struct ym_tool ym_tool_reference = {
    "reference",
    "print generated reference tables (Markdown)",
    "usage: yimen reference site|audit|attachments|settings|functions|schema|transports\n\n"
    "  site        keys of yimen.yaml\n"
    "  audit       keys of audit: in yimen.yaml\n"
    "  attachments keys of attachments: in yimen.yaml\n"
    "  settings    keys of settings: in adapters and site files\n"
    "  functions   the closed list of apply functions\n"
    "  schema      the JSON Schema subset of record types\n"
    "  transports  what carries deliveries\n",
    run,
};
