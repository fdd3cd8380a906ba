/* SPDX-License-Identifier: Apache-2.0
 * A name and a value, both text: header fields, form fields, query arguments.
 */
#ifndef YM_PAIR_H
#define YM_PAIR_H

struct ym_pair {
    const char *name, *value;
};

#endif
