/* SPDX-License-Identifier: Apache-2.0
 * Results of adapters' tests, kept for the console: state_dir/adapter-tests.json.
 */
#ifndef YM_TOOL_TEST_H
#define YM_TOOL_TEST_H

#include "ym_tool_spec.h"

#include <jansson.h>

/* One result into all: {system: {at, version, digest, items: [{name, operation, ok, why?}]}}. */
void ym_tool_test_note(json_t *all, const struct ym_system *s, const struct ym_spec *spec,
                       const struct ym_spec_result *r);

/* Writes them beside what the file says of other systems. */
ym_status ym_tool_test_record(const struct ym_catalog *c, json_t *all, struct ym_err *err);

#endif
