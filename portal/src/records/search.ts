// SPDX-License-Identifier: Apache-2.0

/** Parameters of GET /records: `type`, `area`, `from`, `to`, one `key.<name>`. */
export type Search = Record<string, string>;
