/* SPDX-License-Identifier: Apache-2.0
 * What the last `yimen test --record` said of an adapter: state_dir/adapter-tests.json.
 */
#ifndef YM_ADAPTER_TESTS_H
#define YM_ADAPTER_TESTS_H

#include "ym_catalog.h"
#include "ym_codec.h"

#define YM_ADAPTER_TESTS_PATH 1024

/* False when the path is too long. */
bool ym_adapter_tests_path(const struct ym_catalog *c, char out[YM_ADAPTER_TESTS_PATH]);

/* SHA-256 of its adapter.yaml as it is on disk now; "" when it cannot be read. */
void ym_adapter_digest(const struct ym_system *s, char out[YM_SHA256_HEX]);

/*
 * {"at": RFC 3339, "version", "passed", "failed", "stale": the adapter has changed since, "items":
 * [{"name", "operation", "ok", "why"?}]}, a new reference. NULL: never run, or nothing readable.
 */
json_t *ym_adapter_tests(const struct ym_catalog *c, const struct ym_system *s);

#endif
