/* SPDX-License-Identifier: Apache-2.0
 * What the unit tests share: cmocka's includes and the loop that fails every allocation in turn.
 */
#ifndef YM_TEST_H
#define YM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ym_arena.h"

#define FAULTS_MOST 10000

/*
 * Runs body with the first, the second, … allocation failing until it succeeds. body gives its
 * ym_status, which must be YM_ENOMEM whenever it is not YM_OK; at least one failure must be seen.
 */
static inline void fault_loop(ym_status (*body)(void *), void *data)
{
    long n;
    ym_status rc;

    for (n = 1; n < FAULTS_MOST; n++) {
        ym_fault_after(n);
        rc = body(data);
        ym_fault_after(0);
        if (rc == YM_OK) {
            break;
        }
        assert_int_equal(rc, YM_ENOMEM);
    }
    assert_in_range(n, 2, FAULTS_MOST - 1);
}

#endif
