/* SPDX-License-Identifier: Apache-2.0
 * yimen test --record: what the tests said, of which version of an adapter.
 */
#include "ym_tool_test.h"

#include "ym_adapter_tests.h"
#include "ym_json.h"
#include "ym_time.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void ym_tool_test_note(json_t *all, const struct ym_system *s, const struct ym_spec *spec,
                       const struct ym_spec_result *r)
{
    json_t *of = json_object_get(all, s->id), *one;

    if (of == NULL) {
        char digest[YM_SHA256_HEX] = "";

        ym_adapter_digest(s, digest);
        of = json_pack("{s:I, s:i, s:s, s:[]}", "at", (json_int_t)ym_now_ms(), "version",
                       (int)s->version, "digest", digest, "items");
        json_object_set_new(all, s->id, of);
    }
    one =
        json_pack("{s:s, s:s, s:b}", "name", spec->name, "operation", spec->op->name, "ok", r->ok);
    if (!r->ok && r->why != NULL) {
        json_object_set_new(one, "why", json_string(r->why));
    }
    json_array_append_new(json_object_get(of, "items"), one);
}

ym_status ym_tool_test_record(const struct ym_catalog *c, json_t *all, struct ym_err *err)
{
    char path[YM_ADAPTER_TESTS_PATH], fresh[YM_ADAPTER_TESTS_PATH + 8];
    json_t *there = NULL;
    ym_status rc = YM_OK;

    if (!ym_adapter_tests_path(c, path)) {
        return ym_err_set(err, YM_EINVAL, "state_dir is too long");
    }
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (ym_json_file(path, &there, NULL) != YM_OK || !json_is_object(there)) {
        json_decref(there);
        there = json_object(); /* the first time, or nothing that can be read */
    }
    if (mkdir(c->site.state_dir, 0755) != 0 && errno != EEXIST) {
        rc = ym_err_set(err, YM_EIO, "%s: %s", c->site.state_dir, strerror(errno));
    } else if (json_object_update(there, all) != 0) {
        rc = ym_err_set(err, YM_ENOMEM, "out of memory");
    } else if (json_dump_file(there, fresh, JSON_INDENT(1)) != 0 || chmod(fresh, 0644) != 0 ||
               rename(fresh, path) != 0) {
        rc = ym_err_set(err, YM_EIO, "%s: %s", path, strerror(errno));
        unlink(fresh);
    }
    json_decref(there);
    return rc;
}
