/* SPDX-License-Identifier: Apache-2.0
 * One-line records `level event=name key=value …` for programs that are not nginx. Event names are
 * fixed and listed in docs/operations.md. Personal data never comes here.
 */
#ifndef YM_LOG_H
#define YM_LOG_H

#include "ym_base.h"

enum ym_log_level {
    YM_LOG_ERROR, /* someone must act */
    YM_LOG_WARN,  /* self-healing */
    YM_LOG_INFO,  /* lifecycle */
    YM_LOG_DEBUG  /* off by default */
};

void ym_log_open(int fd, enum ym_log_level most); /* stderr and info until called */

/*
 * ym_log(YM_LOG_WARN, "system.suspended", "system", id, "after_ms", ym_log_int(5000), NULL):
 * pairs of key and value, ended by NULL. Values with blanks or quotes are quoted and escaped,
 * control characters become \xNN. A NULL value is left out.
 */
void ym_log(enum ym_log_level level, const char *event, ...) __attribute__((sentinel));

/* Decimal text in one of 16 rotating buffers: for use inside one ym_log call only. */
const char *ym_log_int(int64_t v);

#endif
